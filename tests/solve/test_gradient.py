"""Derivatives beside the states: closed forms, every function of the model language, and the reference
engine.
"""

from collections.abc import Callable

import numpy as np
import pytest

from pkpd import Model, Population, lower, parse_model, sensitivity, simulate
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.regimen import Regimen
from pkpd.regimen.schedule import ADD, ASSIGN, RATE, SCALE, SET, Schedule, nothing
from pkpd.simulation.run import start_states
from pkpd.simulation.sensitivities import Sensitivity
from pkpd.solve.gradient import STEP, solve_gradient, start_slopes, tinted
from pkpd.solve.reference import solve_patient

DRUG = parse_model(
    """[model]
title = "One compartment, a lag and a bioavailability"
time = "hour"
[parameters]
CL = { unit = "L/hour" }
V = { unit = "L" }
LAG = { unit = "hour" }
F = { unit = "1" }
[compartments]
central = { unit = "mg", dose = { lag = "LAG", bioavailability = "F" } }
[variables]
Cc = { unit = "mg/L", is = "central / V" }
[flows]
elimination = { from = "central", rate = "CL * Cc" }
""",
    "drug",
)
CL, V, LAG, F = VALUES = np.array([3.1, 9.7, 0.5, 0.8])
TIMES = np.array([0.25, 0.75, 2.0, 3.5, 8.0, 24.0])
ONE = Population(DRUG.inputs, VALUES[None], {})


def dosing(amount: float, over: float = 0.0) -> Callable[[Population], Schedule]:
    regimen = Regimen(
        "r",
        "",
        14.0,
        (DoseLine(drug="drug", amount=amount, unit="mg", per="", days=(1,), at=0.0, over=over / 24),),
    )
    return lambda people: lower(regimen, DRUG, people, np.zeros(1))


# --- closed forms -----------------------------------------------------


def test_derivatives_of_a_bolus_are_those_of_its_exponential():
    run = sensitivity(DRUG, ONE, DRUG.inputs, dosing(100), TIMES, rtol=1e-10)
    found = run["central"][0], run["Cc"][0]
    t = np.maximum(TIMES - LAG, 0)
    amount = np.where(TIMES < LAG, 0, 100 * F * np.exp(-CL / V * t))
    expected = amount[:, None] * np.stack(
        [-t / V, t * CL / V**2, np.full(6, CL / V), np.full(6, 1 / F)], axis=1
    )
    assert found[0] == pytest.approx(expected, rel=1e-8, abs=1e-12)
    expected[:, 1] -= amount / V
    assert found[1] == pytest.approx(expected / V, rel=1e-8, abs=1e-12)


def test_derivatives_of_an_infusion_are_those_of_its_closed_form():
    found = sensitivity(DRUG, ONE, DRUG.inputs, dosing(100, 2.0), TIMES, rtol=1e-10)

    def closed(cl: complex, v: complex, lag: complex, f: complex) -> np.ndarray:
        """The amount by complex arithmetic, the derivative its imaginary part."""
        k, t = cl / v, TIMES - lag
        during, after = np.where(t.real < 2, t, 2.0), np.where(t.real < 2, 0, t - 2)
        return np.where(t.real < 0, 0, 50 * f / k * (1 - np.exp(-k * during)) * np.exp(-k * after))

    for i in range(4):
        expected = np.imag(closed(*(VALUES + 1e-30j * np.eye(4)[i]))) / 1e-30
        assert found["central"][0, :, i] == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_the_information_of_a_bolus_is_that_of_its_closed_form():
    """Of CL and V from concentrations with a constant error, as optimal design asks for it."""
    slopes = sensitivity(DRUG, ONE, ["CL", "V"], dosing(100), TIMES, rtol=1e-10)["Cc"][0]
    t = TIMES[1:] - LAG
    c = 100 * F / V * np.exp(-CL / V * t)
    exact = np.stack([-c * t / V, c * (CL * t / V - 1) / V], axis=1)
    assert slopes.T @ slopes == pytest.approx(exact.T @ exact, rel=1e-8)


def test_a_tolerance_is_kept_by_derivatives_as_by_states():
    t = TIMES[1:] - LAG
    exact = -100 * F * np.exp(-CL / V * t) * t / V
    for rtol in (1e-4, 1e-6, 1e-8):
        found = sensitivity(DRUG, ONE, ["CL"], dosing(100), TIMES, rtol=rtol)["central"][0, 1:, 0]
        assert np.max(np.abs(found / exact - 1)) < 30 * rtol


@pytest.mark.parametrize("size", [1e-9, 1e-40, 0.0])
def test_an_input_near_nothing_has_a_derivative_like_any_other(size):
    model = parse_model(
        """[model]
title = "A drug that may stop the growth of cells"
time = "hour"
[parameters]
SLOPE = { unit = "1" }
K = { unit = "1/hour" }
[compartments]
drug = { unit = "1", start = 1 }
cells = { unit = "1", start = 1 }
[flows]
out = { from = "drug", rate = "K * drug" }
growth = { to = "cells", rate = "K * (0.2 - SLOPE * drug) * cells" }
""",
        "stop",
    )
    people = Population(model.inputs, np.array([[size, 0.5], [0.3, 0.5]]), {})
    found = sensitivity(model, people, ["SLOPE"], None, TIMES, rtol=1e-8)["cells"][:, :, 0]
    area = 1 - np.exp(-0.5 * TIMES)
    assert found[0] == pytest.approx(-area * np.exp(0.1 * TIMES - size * area), rel=1e-6)
    assert found[1] == pytest.approx(-area * np.exp(0.1 * TIMES - 0.3 * area), rel=1e-6)


# --- functions of the model language ----------------------------------


def language(expression: str, start: str = "START") -> Model:
    return parse_model(
        f"""[model]
title = "A state that drifts, and what an expression of it adds up to"
time = "hour"
[parameters]
START = {{ unit = "1", low = -inf }}
K = {{ unit = "1/hour" }}
A = {{ unit = "1" }}
B = {{ unit = "1" }}
G = {{ unit = "1" }}
[compartments]
x = {{ unit = "1", start = "{start}" }}
y = {{ unit = "1" }}
[variables]
value = {{ unit = "1", is = "{expression}" }}
[flows]
drift = {{ to = "x", rate = "K * (B - x)" }}
sum = {{ to = "y", rate = "K * value" }}
""",
        "language",
    )


POINT = {"START": 0.5, "K": 0.9, "A": 1.3, "B": 2.0, "G": 2.5}
HOURS = np.array([0.0, 0.5, 1.0, 2.0, 4.0])


def deviation(model: Model, followed: list[str], rtol: float = 1e-9, **other: float) -> float:
    """How far derivatives are from central differences of order four, as a share of the largest value."""
    point = POINT | other
    people = Population(model.inputs, np.array([list(point.values())]), {})
    found = sensitivity(model, people, followed, None, HOURS, rtol=rtol)
    worst = 0.0
    for k, name in enumerate(followed):
        step = 1e-3 * (abs(point[name]) or 1.0)
        around = Population(
            model.inputs,
            people.inputs + step * np.array([[1], [-1], [2], [-2]]) * np.eye(5)[model.inputs.index(name)],
            {},
        )
        run = simulate(model, around, None, HOURS, rtol=1e-11)
        for quantity in ("x", "y", "value"):
            slope = np.array([8, -8, -1, 1]) @ run[quantity] / (12 * step)
            size = np.abs(run[quantity]).max() / (abs(point[name]) or 1.0)
            worst = max(worst, np.abs(found[quantity][0, :, k] - slope).max() / size)
    return worst


ALL = list(POINT)
EXPRESSIONS = [
    "A * hill(x, B, G)",
    "hill(x, A, 1)",
    "A * x**3 - x**(-2)",
    "A * x**G",
    "A * G**x",
    "x * A / (B + x**G)",
    "A * exp(-G * x)",
    "A * log(1 + G * x)",
    "sqrt(x + G)",
    "(x / A)**G / (1 + (x / A)**G)",
    "min(A, x) * max(G * x, B)",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_function_has_its_derivatives(expression):
    assert deviation(language(expression), ALL) < 1e-7


@pytest.mark.parametrize(
    "expression", ["A * hill(x, B, G)", "A * hill(x, B, 0.7)", "A * x**3", "A * exp(-G * x)", "max(A, x)"]
)
def test_functions_have_derivatives_from_nothing_on_and_from_below_it(expression):
    own = ["K", "A", "B", "G"]
    assert deviation(language(expression), own, START=0.0) < 1e-7
    assert deviation(language(expression), own, START=-0.7, rtol=1e-8) < 2e-6


@pytest.mark.parametrize(
    "start", ["A**G", "sqrt(A) * exp(-G)", "A * hill(START, B, G)", "max(START, A) + log(G)", "START"]
)
def test_a_start_value_has_derivatives_of_its_own(start):
    assert deviation(language("x", start), ALL) < 1e-8
    model = language("x", start)
    slopes = start_slopes(model, np.array([list(POINT.values())]), (0, 2, 4))
    for k, column in enumerate((0, 2, 4)):
        near = np.array([list(POINT.values())] * 2) + np.array([[1e-6], [-1e-6]]) * np.eye(5)[column]
        up, down = start_states(model, Population(model.inputs, near, {}))
        assert slopes[0, k] == pytest.approx((up - down) / 2e-6, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("expression", ["A * x**G", "A * G**x", "x * A / (B + x**G)"])
def test_powers_have_derivatives_from_nothing_on(expression):
    assert deviation(language(expression), ["K", "A", "G"], START=0.0) < 1e-7


def test_a_straight_hill_function_is_flat_below_nothing():
    assert deviation(language("hill(x, A, 1)"), ["A", "K"], START=-0.7, rtol=1e-8) < 1e-5


# --- events, laid out -------------------------------------------------


def test_a_schedule_without_derivatives_moves_no_time_and_adds_nothing():
    schedule = Schedule(
        np.array([0, 4]),
        np.array([0.5, 1.0, 2.0, 3.0]),
        np.array([ADD, RATE, SCALE, ASSIGN]),
        np.zeros(4, int),
        np.array([50.0, 20.0, 0.5, 30.0]),
    )
    solved, slopes = solve_gradient(
        DRUG,
        (0,),
        np.zeros((1, 1)),
        np.zeros((1, 1, 1)),
        VALUES[None],
        schedule,
        [schedule],
        TIMES[None],
        np.zeros(1),
        1e-10,
    )
    inputs = VALUES + 1e-4 * np.array([[1], [-1]]) * np.eye(4)[0]
    near = [solve_patient(DRUG, np.zeros(1), p, schedule, 0, TIMES, rtol=1e-12)[:, 0] for p in inputs]
    assert slopes[0, :, 0, 0] == pytest.approx((near[0] - near[1]) / 2e-4, rel=1e-6, abs=1e-8)
    assert solved.states.shape == (1, 6, 1) and slopes.shape == (1, 6, 1, 1)


def test_events_at_one_time_keep_their_order_and_outputs_their_places():
    """A dose, a value that takes its place, a dose: each with its own derivative, and outputs
    between them.
    """
    kinds, index = np.array([ADD, ASSIGN, ADD, SET]), np.array([0, 0, 0, 0])
    plain = Schedule(np.array([0, 4]), np.ones(4), kinds, index, np.array([50.0, 20.0, 5.0, 6.0]))
    tint = Schedule(
        plain.offsets, plain.time, kinds, index, plain.value + STEP * 1j * np.array([7.0, 3.0, 2.0, 0.5])
    )
    times = np.array([[1.0, 1.0, 1.0, 1.0, 1.0, 3.0]])
    solved, slopes = solve_gradient(
        DRUG,
        (0,),
        np.zeros((1, 1)),
        np.zeros((1, 1, 1)),
        VALUES[None],
        plain,
        [tint],
        times,
        np.zeros(1),
        1e-10,
        places=np.array([[0, 1, 2, 3, 4, 4]]),
    )
    assert solved.states[0, :5, 0].tolist() == [0, 50, 20, 25, 25] and slopes[0, :5, 0, 0] == pytest.approx(
        [0, 7, 3, 5, 5]
    )
    k = 6.0 / V  # which moves half as fast as the parameter
    assert slopes[0, 5, 0, 0] == pytest.approx((5 - 25 * 0.5 * 2 / V) * np.exp(-2 * k), rel=1e-8)


def test_an_infusion_that_is_moved_takes_its_rate_along():
    """Its end moves twice as fast as its start: the amount grows with the rate at the end, less what the
    start loses.
    """
    plain = Schedule(
        np.array([0, 2]),
        np.array([1.0, 3.0]),
        np.array([RATE, RATE]),
        np.zeros(2, int),
        np.array([10.0, 0.0]),
    )
    tint = Schedule(
        plain.offsets, plain.time + STEP * 1j * np.array([1.0, 2.0]), plain.kind, plain.index, plain.value
    )
    _, slopes = solve_gradient(
        DRUG,
        (2,),
        np.zeros((1, 1)),
        np.zeros((1, 1, 1)),
        VALUES[None],
        plain,
        [tint],
        np.array([[0.5, 2.0, 5.0]]),
        np.zeros(1),
        1e-10,
    )
    k = CL / V
    assert slopes[0, :, 0, 0] == pytest.approx(
        [0, -10 * np.exp(-k), 20 * np.exp(-2 * k) - 10 * np.exp(-4 * k)], rel=1e-8
    )


def test_complex_inputs_say_which_one_varies():
    found = tinted(np.array([[1.0, 2.0], [3.0, 4.0]]), 1)
    assert np.array_equal(found.real, [[1, 2], [3, 4]]) and np.array_equal(found.imag, [[0, STEP], [0, STEP]])


# --- the other engine -------------------------------------------------


def test_derivatives_agree_with_differences_of_the_reference_engine():
    def run(inputs: np.ndarray) -> np.ndarray:
        people = Population(DRUG.inputs, inputs[None], {})
        return solve_patient(DRUG, np.zeros(1), inputs, dosing(100, 2.0)(people), 0, TIMES, rtol=1e-12)[:, 0]

    found: Sensitivity = sensitivity(DRUG, ONE, DRUG.inputs, dosing(100, 2.0), TIMES, rtol=1e-10)
    for i in range(4):
        step = 1e-3 * VALUES[i] * np.eye(4)[i]
        slope = (
            8 * (run(VALUES + step) - run(VALUES - step)) - run(VALUES + 2 * step) + run(VALUES - 2 * step)
        ) / (12 * step[i])
        assert found["central"][0, :, i] == pytest.approx(slope, rel=1e-6, abs=1e-7)


def test_nothing_given_has_only_the_derivatives_of_what_was_there():
    start, slopes = np.array([[8.0]]), np.zeros((1, 1, 1))
    _, found = solve_gradient(
        DRUG, (1,), start, slopes, VALUES[None], nothing(1), [nothing(1)], TIMES[None], np.zeros(1), 1e-10
    )
    assert found[0, :, 0, 0] == pytest.approx(8 * TIMES * CL / V**2 * np.exp(-CL / V * TIMES), rel=1e-8)
