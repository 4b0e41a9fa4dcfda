"""The population engine against closed forms and the yardstick; what becomes of a patient that cannot be
solved.
"""

import numpy as np
import pytest
from scipy.special import lambertw

from pkpd import Population, lower, parse_model
from pkpd.errors import ContentError
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.regimen import Regimen
from pkpd.regimen.schedule import ADD, ASSIGN, RATE, SCALE, SET, Schedule, nothing
from pkpd.simulation.run import simulate, start_states
from pkpd.solve import batch
from pkpd.solve.reference import solve_patient
from tests.solve.machine import ModelMachine, rows

CLOSED = """[model]
title = "Models with closed forms, side by side"
time = "hour"
[parameters]
K = { unit = "1/hour" }
K10 = { unit = "1/hour" }
K12 = { unit = "1/hour" }
K21 = { unit = "1/hour" }
VMAX = { unit = "mg/hour" }
KM = { unit = "mg" }
LAG = { unit = "hour" }
F = { unit = "1" }
[compartments]
one = { unit = "mg", dose = true }
two = { unit = "mg", dose = true }
tissue = { unit = "mg" }
saturable = { unit = "mg", dose = true }
late = { unit = "mg", dose = { lag = "LAG", bioavailability = "F" } }
[flows]
one_out = { from = "one", rate = "K * one" }
two_out = { from = "two", rate = "K10 * two" }
away = { from = "two", to = "tissue", rate = "K12 * two" }
back = { from = "tissue", to = "two", rate = "K21 * tissue" }
saturable_out = { from = "saturable", rate = "VMAX * saturable / (KM + saturable)" }
late_out = { from = "late", rate = "K * late" }
"""
VALUES = {"K": 0.3, "K10": 0.4, "K12": 0.7, "K21": 0.15, "VMAX": 40.0, "KM": 25.0, "LAG": 1.5, "F": 0.6}
EXPLOSION = """[model]
title = "A state that becomes infinite in finite time"
time = "day"
[parameters]
K = { unit = "1/day" }
[compartments]
y = { unit = "1", start = 1 }
[flows]
growth = { to = "y", rate = "K * y**2" }
"""
MISSING = """[model]
title = "A constant effect of inputs alone"
time = "day"
[parameters]
K = { unit = "1/day" }
DOSE = { unit = "mg" }
HALF = { unit = "mg" }
[compartments]
y = { unit = "1", start = 1 }
[flows]
kill = { from = "y", rate = "K * EFFECT * y" }
"""
POWER = """[model]
title = "A loss by a power of the state"
time = "day"
[parameters]
K = { unit = "1/day" }
N = { unit = "1" }
[compartments]
y = { unit = "1" }
[flows]
out = { from = "y", rate = "K * y**N" }
"""
TIMES = np.array([0.0, 0.25, 1.0, 2.0, 3.0, 3.5, 5.0, 8.0, 12.0, 24.0])


@pytest.fixture(scope="module")
def model():
    return parse_model(CLOSED, "closed_forms")


def patient(model, n: int = 1, **other: float) -> Population:
    values = VALUES | other
    return Population(model.inputs, np.tile([values[n] for n in model.inputs], (n, 1)), {})


def dose(drug: str, amount: float, at: float = 0.0, over: float = 0.0) -> DoseLine:
    return DoseLine(drug=drug, amount=amount, unit="mg", per="", days=(1,), at=at / 24, over=over / 24)


def solve(model, *doses: DoseLine, times=TIMES, rtol: float = 1e-9, **other: float):
    people = patient(model, **other)
    return simulate(
        model, people, lower(Regimen("r", "", 14.0, doses), model, people, np.zeros(1)), times, rtol=rtol
    )


def one_bolus(t: np.ndarray, amount: float, k: float) -> np.ndarray:
    return np.where(t >= 0, amount * np.exp(-k * np.maximum(t, 0)), 0.0)


def one_infusion(t: np.ndarray, amount: float, over: float, k: float) -> np.ndarray:
    run, after = np.clip(t, 0, over), np.maximum(t - over, 0)
    return amount / over / k * (1 - np.exp(-k * run)) * np.exp(-k * after)


def two_rates() -> tuple[float, float]:
    """The two exponents of the two-compartment model."""
    total = VALUES["K10"] + VALUES["K12"] + VALUES["K21"]
    root = np.sqrt(total**2 - 4 * VALUES["K10"] * VALUES["K21"])
    return (total + root) / 2, (total - root) / 2


def two_bolus(t: np.ndarray, amount: float) -> np.ndarray:
    a, b = two_rates()
    k21, late = VALUES["K21"], np.maximum(t, 0)
    return np.where(
        t >= 0, amount * ((a - k21) * np.exp(-a * late) + (k21 - b) * np.exp(-b * late)) / (a - b), 0.0
    )


def two_infusion(t: np.ndarray, amount: float, over: float) -> np.ndarray:
    a, b = two_rates()
    k21 = VALUES["K21"]
    return (
        amount
        / over
        / (a - b)
        * sum(
            c / x * (1 - np.exp(-x * np.clip(t, 0, over))) * np.exp(-x * np.maximum(t - over, 0))
            for c, x in ((a - k21, a), (k21 - b, b))
        )
    )


# --- closed forms -----------------------------------------------------


def test_a_bolus_into_one_compartment_decays_as_an_exponential(model):
    assert solve(model, dose("one", 100))["one"][0] == pytest.approx(
        one_bolus(TIMES, 100, VALUES["K"]), rel=1e-6
    )


def test_an_infusion_into_one_compartment_rises_and_falls_by_its_closed_form(model):
    expected = one_infusion(TIMES, 100, 3.0, VALUES["K"])
    assert solve(model, dose("one", 100, over=3.0))["one"][0] == pytest.approx(expected, rel=1e-6)


def test_a_bolus_into_two_compartments_decays_as_two_exponentials(model):
    solved = solve(model, dose("two", 80))
    a, b = two_rates()
    assert solved["two"][0] == pytest.approx(two_bolus(TIMES, 80), rel=1e-6)
    tissue = 80 * VALUES["K12"] * (np.exp(-b * TIMES) - np.exp(-a * TIMES)) / (a - b)
    assert solved["tissue"][0] == pytest.approx(tissue, rel=1e-6)


def test_an_infusion_into_two_compartments_follows_its_closed_form(model):
    assert solve(model, dose("two", 80, over=2.0))["two"][0] == pytest.approx(
        two_infusion(TIMES, 80, 2.0), rel=1e-6
    )


def test_doses_of_a_linear_drug_superpose(model):
    solved = solve(
        model,
        dose("two", 80),
        dose("two", 30, at=2.0, over=1.5),
        dose("two", 50, at=7.0),
        dose("one", 9, at=3.0),
        dose("one", 60, at=1.0, over=10.0),
    )
    two = two_bolus(TIMES, 80) + two_infusion(TIMES - 2, 30, 1.5) + two_bolus(TIMES - 7, 50)
    one = one_bolus(TIMES - 3, 9, VALUES["K"]) + one_infusion(TIMES - 1, 60, 10.0, VALUES["K"])
    assert solved["two"][0] == pytest.approx(two, rel=1e-6)
    assert solved["one"][0] == pytest.approx(one, rel=1e-6)


def test_two_infusions_of_one_drug_that_overlap_add(model):
    solved = solve(model, dose("one", 100, over=6.0), dose("one", 30, at=2.0, over=2.5))
    expected = one_infusion(TIMES, 100, 6.0, VALUES["K"]) + one_infusion(TIMES - 2, 30, 2.5, VALUES["K"])
    assert solved["one"][0] == pytest.approx(expected, rel=1e-6)


def test_a_saturable_bolus_follows_the_lambert_w_function(model):
    amount, v, km = 300.0, VALUES["VMAX"], VALUES["KM"]
    expected = km * lambertw(amount / km * np.exp((amount - v * TIMES) / km)).real
    assert solve(model, dose("saturable", amount))["saturable"][0] == pytest.approx(
        expected, rel=1e-6, abs=1e-14 * amount
    )


def test_a_saturable_bolus_is_linear_far_below_km_and_of_zero_order_far_above(model):
    low = solve(model, dose("saturable", 1e-3), times=TIMES[:6])["saturable"][0]
    assert low == pytest.approx(1e-3 * np.exp(-VALUES["VMAX"] / VALUES["KM"] * TIMES[:6]), rel=1e-4)
    high = solve(model, dose("saturable", 1e7))["saturable"][0]
    assert 1e7 - high == pytest.approx(VALUES["VMAX"] * TIMES, rel=1e-4)


def test_a_lag_delays_a_dose_and_a_bioavailability_shrinks_it(model):
    late = 0.6 * one_bolus(TIMES - 1.5, 100, VALUES["K"])
    assert solve(model, dose("late", 100))["late"][0] == pytest.approx(late, rel=1e-6)
    slow = 0.6 * one_infusion(TIMES - 1.5, 100, 3.0, VALUES["K"])
    assert solve(model, dose("late", 100, over=3.0))["late"][0] == pytest.approx(slow, rel=1e-6, abs=1e-12)


def test_both_engines_agree_on_every_kind_of_event(model):
    rows = [
        (0.0, ADD, 0, 50.0),
        (0.0, RATE, 1, 20.0),
        (1.0, SCALE, 0, 0.25),
        (1.0, SET, 0, 1.1),
        (2.0, ADD, 3, 70.0),
        (2.5, RATE, 1, 5.0),
        (3.0, SET, 4, 10.0),
        (4.0, RATE, 1, 0.0),
        (5.5, ASSIGN, 2, 9.0),
        (6.0, SCALE, 3, 0.0),
        (6.0, SET, 0, 0.0),
    ]
    time, kind, index, value = (np.array(x) for x in zip(*rows, strict=True))
    schedule = Schedule(np.array([0, len(rows)]), time, kind, index, value)
    people = patient(model)
    solved = simulate(model, people, schedule, TIMES, rtol=1e-8).states[0]
    yardstick = solve_patient(model, np.zeros(5), people.inputs[0], schedule, 0, TIMES, rtol=1e-11)
    assert solved == pytest.approx(yardstick, rel=1e-6, abs=1e-9)
    assert np.all(solved[TIMES >= 6, 3] == 0)


# --- accuracy ---------------------------------------------------------


def test_a_tighter_tolerance_gives_a_proportionally_smaller_error(model):
    amount, v, km = 300.0, VALUES["VMAX"], VALUES["KM"]
    times = np.array([2.0, 6.0, 8.0])
    exact = km * lambertw(amount / km * np.exp((amount - v * times) / km)).real
    tolerances = np.array([1e-4, 1e-6, 1e-8])
    errors = np.array(
        [
            np.max(
                np.abs(
                    solve(model, dose("saturable", amount), times=times, rtol=r)["saturable"][0] / exact - 1
                )
            )
            for r in tolerances
        ]
    )
    assert np.all(errors < 30 * tolerances)
    slope = np.polyfit(np.log10(tolerances), np.log10(errors), 1)[0]
    assert 0.7 < slope < 1.3


def steps_needed(model, start: np.ndarray, inputs: np.ndarray, until: float, rtol: float) -> int:
    """The fewest steps that are enough, by bisection."""
    low, high = 1, 4096
    while high - low > 1:
        middle = (low + high) // 2
        _, status, *_ = batch.solve_population(
            model, start, inputs, nothing(1), np.array([[until]]), np.zeros(1), rtol, middle
        )
        low, high = (low, middle) if status[0] == batch.OK else (middle, high)
    return high


def test_ten_thousand_times_the_accuracy_costs_about_ten_times_the_steps(model):
    start, inputs = np.array([[0.0, 40.0, 0.0, 60.0, 0.0]]), patient(model).inputs
    few, many = (steps_needed(model, start, inputs, 4.0, r) for r in (1e-5, 1e-9))
    assert 5 < many / few < 15


def test_what_has_decayed_to_nothing_is_nothing(model):
    """Below 1e-150 a new amount is exactly zero; lanes that do not move keep what they have."""
    machine = ModelMachine(model)
    y, new = (
        rows(*np.full(5, 7.0)),
        rows(*np.tile([1e-149, -1e-149, 1e-151, -1e-151, 5e-324, 0.0, 3.0, 1e-160], (5, 1))),
    )
    machine.run("accept", y, new, rows([1, 1, 1, 1, 1, 1, 0, 0]), rows(count=6), rows(count=5))
    assert np.array_equal(y, np.tile([1e-149, -1e-149, 0, 0, 0, 0, 7.0, 7.0], (5, 1)))


def test_a_tolerance_grows_with_the_largest_its_state_has_been_and_where_the_lane_moves(model):
    y, tolerance = rows(3.0, 3.0, 3.0, 3.0, 3.0), rows(1e-6, 0.5, 0.5, 0.5, 5.0, 0.5)
    new = rows(-8.0, 2.0, 9.0, 9.0, 9.0)
    ModelMachine(model).run(
        "accept", y, new, rows([1, 1, 1, 1, 1, 1, 0, 0]), tolerance, rows(0.5, 0.5, 0.0, 0.5, 0.5)
    )
    assert tolerance[:, 0].tolist() == [1e-6, 4.0, 1.5, 0.5, 5.0, 4.5]
    assert tolerance[:, 7].tolist() == [1e-6, 0.5, 0.5, 0.5, 5.0, 0.5]


def test_no_state_is_ever_subnormal(model):
    states = solve(
        model, dose("one", 100), dose("two", 50), dose("saturable", 40), times=np.linspace(0, 4000, 401)
    ).states
    assert not np.any((states != 0) & (np.abs(states) < 1e-150))
    assert np.any(states[0, -1] == 0)


# --- failures ---------------------------------------------------------


def test_a_patient_that_fails_is_kept_as_missing_and_its_neighbours_are_unharmed():
    explosion = parse_model(EXPLOSION, "explosion")
    inputs = np.array([[0.5], [0.0], [-1.0]])
    start, times = np.ones((3, 1)), np.tile([0.0, 1.0, 3.0], (3, 1))
    out, status, reached, _ = batch.solve_population(
        explosion, start, inputs, nothing(3), times, np.zeros(3), 1e-8
    )
    assert status[0] in batch.REASONS and list(status[1:]) == [batch.OK, batch.OK]
    assert reached[0] == pytest.approx(2.0, rel=1e-6)
    assert out[0, :2, 0] == pytest.approx([1.0, 2.0]) and np.isnan(out[0, 2, 0])
    assert out[1, :, 0] == pytest.approx(1.0) and out[2, :, 0] == pytest.approx([1.0, 0.5, 0.25], rel=1e-6)


def test_a_patient_that_runs_out_of_steps_is_named_so(model):
    start, inputs = np.array([[0.0, 40.0, 0.0, 60.0, 0.0]]), patient(model).inputs
    _, status, reached, _ = batch.solve_population(
        model, start, inputs, nothing(1), np.array([[24.0]]), np.zeros(1), 1e-9, 10
    )
    assert batch.REASONS[int(status[0])] == "took too many steps since its last event (more than most_steps)"
    assert 0 < reached[0] < 24


def test_a_start_that_is_not_a_number_fails_as_such(model):
    start = np.array([[np.nan, 0.0, 0.0, 0.0, 0.0]])
    out, status, *_ = batch.solve_population(
        model, start, patient(model).inputs, nothing(1), np.array([[1.0]]), np.zeros(1)
    )
    assert batch.REASONS[int(status[0])] == "met a value that is not finite" and np.all(np.isnan(out))


def test_a_patient_whose_input_goes_missing_fails_at_that_time_with_what_came_before_kept(model):
    inputs, start = np.tile(patient(model).inputs, (2, 1)), np.tile([10.0, 5.0, 0.0, 3.0, 0.0], (2, 1))
    schedule = Schedule(
        np.array([0, 1, 1]), np.array([2.0]), np.array([SET]), np.array([0]), np.array([np.nan])
    )
    times = np.tile([1.0, 2.0, 4.0], (2, 1))
    out, status, reached, _ = batch.solve_population(model, start, inputs, schedule, times, np.zeros(2))
    assert batch.REASONS[int(status[0])] == "met a value that is not finite" and reached[0] == 2.0
    assert np.array_equal(out[0, :2], out[1, :2]) and np.all(np.isnan(out[0, 2]))
    assert status[1] == batch.OK and np.all(np.isfinite(out[1]))


@pytest.mark.parametrize(
    "effect",
    ["hill(DOSE, HALF, 1)", "hill(DOSE, HALF, 2)", "min(DOSE, HALF) / HALF", "max(DOSE, HALF) / HALF"],
)
def test_a_missing_input_is_never_taken_for_a_number(effect):
    model = parse_model(MISSING.replace("EFFECT", effect), "missing")
    assert model.inputs == ("K", "DOSE", "HALF")
    out, status, *_ = batch.solve_population(
        model,
        np.ones((2, 1)),
        np.array([[1.0, np.nan, 2.0], [1.0, 2.0, 2.0]]),
        nothing(2),
        np.array([[1.0]]),
        np.zeros(1),
    )
    assert batch.REASONS[int(status[0])] == "met a value that is not finite" and np.isnan(out[0, 0, 0])
    assert status[1] == batch.OK


def test_a_singular_point_is_not_stepped_over():
    """y^2 = 1 - 2 t ends at t = 1/2, where the slope has no bound."""
    singular = parse_model(EXPLOSION.replace("K * y**2", "-K / y"), "singular")
    out, status, reached, _ = batch.solve_population(
        singular, np.ones((1, 1)), np.ones((1, 1)), nothing(1), np.array([[0.4, 3.0]]), np.zeros(1)
    )
    assert status[0] in batch.REASONS and reached[0] == pytest.approx(0.5, rel=1e-6)
    assert out[0, 0, 0] == pytest.approx(np.sqrt(0.2), rel=1e-6) and np.isnan(out[0, 1, 0])


def test_outputs_stand_between_the_events_of_one_time_where_places_say_so(model):
    rows = [(1.0, ADD, 0, 10.0), (1.0, SCALE, 0, 0.5), (1.0, ADD, 0, 1.0)]
    time, kind, index, value = (np.array(x) for x in zip(*rows, strict=True))
    schedule = Schedule(np.array([0, 3]), time, kind, index, value)
    out, status, *_ = batch.solve_population(
        model,
        np.zeros((1, 5)),
        patient(model).inputs,
        schedule,
        np.ones((1, 4)),
        np.zeros(1),
        places=np.array([[0, 1, 2, 3]]),
    )
    assert status[0] == batch.OK and out[0, :, 0].tolist() == [0.0, 10.0, 5.0, 6.0]


@pytest.mark.parametrize("base, exponent", [(0.0, 2.0), (0.0, 1.0), (0.0, 0.67), (-1e-9, 1.0), (-0.5, 2.0)])
def test_a_power_of_nothing_or_less_is_a_number_where_it_has_one(base, exponent):
    """A state that is zero, or a little below it by its tolerance, under an exponent that is an input."""
    model = parse_model(POWER, "power")
    out, status, *_ = batch.solve_population(
        model, np.array([[base]]), np.array([[1.0, exponent]]), nothing(1), np.array([[1.0]]), np.zeros(1)
    )
    assert status[0] == batch.OK
    exact = {2.0: base / (1 + base), 1.0: base * np.exp(-1.0), 0.67: 0.0}[exponent]
    assert out[0, 0, 0] == pytest.approx(exact, rel=1e-5)


def test_start_states_are_those_of_the_model():
    assert start_states(
        parse_model(EXPLOSION, "explosion"), Population(("K",), np.array([[1.0], [2.0]]), {})
    ).tolist() == [[1.0], [1.0]]


def test_a_drug_of_another_model_is_refused(model):
    with pytest.raises(ContentError, match="cannot receive 'oxaliplatin'"):
        solve(model, dose("oxaliplatin", 1.0))
