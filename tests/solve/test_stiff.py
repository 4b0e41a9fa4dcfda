"""Stiff problems with published solutions, and the order of the method: observed, not claimed.

The problems and their ends: Mazzia & Magherini, Test Set for Initial Value Problem Solvers 2.4, 2008
(Robertson, VDPOL, HIRES), after Hairer & Wanner, Solving Ordinary Differential Equations II, 1996. On the
way: SciPy's Radau at 1e-12, to 12 digits.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import lambertw

from pkpd import parse_model
from pkpd.model.model import Model
from pkpd.regimen.schedule import nothing
from pkpd.solve import batch, rodas
from pkpd.solve.rates import right_hand_side
from tests.solve.machine import ModelMachine, rows


@dataclass(frozen=True)
class Problem:
    """A stiff problem: its states with their small magnitudes, flows, start, and solution by time."""

    states: dict[str, float]
    flows: tuple[tuple[str, str, str], ...]
    start: tuple[float, ...]
    solution: dict[float, tuple[float, ...]]

    @property
    def model(self) -> Model:
        states = [f'{n} = {{ unit = "1", scale = {s} }}' for n, s in self.states.items()]
        flows = [
            f'f{i} = {{ {f"from = {a!r}, " if a else ""}{f"to = {b!r}, " if b else ""}rate = "R * ({rate})" '
            f"}}"
            for i, (a, b, rate) in enumerate(self.flows)
        ]
        return parse_model(
            "\n".join(
                [
                    '[model]\ntitle = "stiff"\ntime = "s"\n[parameters]\nR = { unit = "1/s" }',
                    "[compartments]",
                    *states,
                    "[flows]",
                    *flows,
                ]
            ),
            "stiff",
        )

    @property
    def size(self) -> np.ndarray:
        """What an error is measured by: the value, or a hundredth of the state's small magnitude."""
        return np.abs(list(self.solution.values())) + 1e-2 * np.array(list(self.states.values()))


ROBERTSON = Problem(
    {"y1": 1e-8, "y2": 1e-13, "y3": 1.0},
    (("y1", "y2", "0.04 * y1"), ("y2", "y3", "3e7 * y2**2"), ("y2", "y1", "1e4 * y2 * y3")),
    (1.0, 0.0, 0.0),
    {
        0.4: (0.985172113861, 3.386395378975e-05, 0.01479402218522),
        40.0: (0.7158270687194, 9.185534764557e-06, 0.2841637457458),
        4e5: (0.00493827452098, 1.984994087954e-08, 0.9950617056291),
        1e11: (0.2083340149701255e-7, 0.8333360770334713e-13, 0.9999999791665050),
    },
)
VAN_DER_POL = Problem(
    {"y": 1.0, "v": 1e-3},
    (("", "y", "v"), ("", "v", "1e3 * (1 - y**2) * v - y")),
    (2.0, 0.0),
    {
        1.0: (1.999333370506, -0.0006670371231732),
        500.0: (1.596768951053, -0.00103039118784),
        800.0: (1.083923364643, -0.006195233865024),
        1200.0: (-1.69971400346, 0.0008997819505964),
        2000.0: (0.1706167732170483e1, -0.8928097010247975e-3),
    },
)
HIRES = Problem(
    {f"y{i}": s for i, s in enumerate((1e-3, 1e-4, 1e-4, 1e-3, 1e-3, 1e-2, 1e-3, 1e-3), 1)},
    (
        ("", "y1", "0.0007"),
        ("y1", "y2", "1.71 * y1"),
        ("y2", "y1", "0.43 * y2"),
        ("y3", "y1", "8.32 * y3"),
        ("y2", "y4", "8.32 * y2"),
        ("y3", "y4", "1.71 * y3"),
        ("y4", "y3", "0.43 * y4"),
        ("y5", "y3", "0.035 * y5"),
        ("y4", "y6", "0.69 * y4"),
        ("y5", "y6", "1.71 * y5"),
        ("y6", "y5", "0.43 * y6"),
        ("y7", "y5", "0.43 * y7"),
        ("y6", "y7", "280 * y6 * y8"),
        ("y8", "", "280 * y6 * y8"),
        ("y7", "y6", "0.69 * y7"),
        ("y7", "", "0.69 * y7"),
        ("", "y8", "1.81 * y7"),
    ),
    (1.0, 0, 0, 0, 0, 0, 0, 0.0057),
    {
        5.0: (
            0.03165167570457,
            0.006481549531058,
            0.004583451064747,
            0.08974323273518,
            0.1624514537527,
            0.6850438961444,
            0.005646700341921,
            5.329965807945e-05,
        ),
        50.0: (
            0.00541886947492,
            0.001059403574951,
            0.0009726850857784,
            0.009383039047962,
            0.1633660073532,
            0.6558748346438,
            0.005644370380195,
            5.562961980515e-05,
        ),
        150.0: (
            0.003625990784282,
            0.0007090209731094,
            0.0006223210321771,
            0.006245065970237,
            0.1015146459398,
            0.4049178446417,
            0.005610437320368,
            8.9562679632e-05,
        ),
        321.8122: (
            0.7371312573325668e-3,
            0.1442485726316185e-3,
            0.5888729740967575e-4,
            0.1175651343283149e-2,
            0.2386356198831331e-2,
            0.6238968252742796e-2,
            0.2849998395185769e-2,
            0.2850001604814231e-2,
        ),
    },
)
PROBLEMS = {"Robertson": ROBERTSON, "van der Pol": VAN_DER_POL, "HIRES": HIRES}


def solved(problem: Problem, rtol: float, most: int = 200_000) -> batch.Solved:
    model, times = problem.model, np.array([list(problem.solution)])
    return batch.solve_population(
        model, np.array([problem.start]), np.ones((1, 1)), nothing(1), times, np.zeros(1), rtol, most
    )


# --- stiff problems ---------------------------------------------------


@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_stiff_problem_is_solved_to_five_times_its_tolerance(name, rtol):
    """Observed: up to 1.0 times in Robertson, 4.2 in van der Pol (before a jump of its phase),
    0.4 in HIRES.
    """
    problem = PROBLEMS[name]
    found = solved(problem, rtol)
    assert found.status[0] == batch.OK
    assert np.max(np.abs(found.states[0] - list(problem.solution.values())) / problem.size) < 5 * rtol


def test_robertson_s_total_is_kept_for_ever():
    assert solved(ROBERTSON, 1e-6).states[0].sum(axis=1) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_solutions_are_those_of_radau(name):
    problem = PROBLEMS[name]
    model, one, none, times = problem.model, np.ones(1), np.zeros(len(problem.start)), list(problem.solution)
    exact = solve_ivp(
        lambda _, y: right_hand_side(model, y, one, none),
        (0, times[-1]),
        problem.start,
        method="Radau",
        t_eval=times,
        rtol=1e-11,
        atol=[1e-13 * s for s in problem.states.values()],
    )
    assert exact.success
    assert np.max(np.abs(exact.y.T - list(problem.solution.values())) / problem.size) < 3e-9


# --- the method -------------------------------------------------------


def method() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The method's weights and its estimate's, alpha and alpha + gamma, from the coefficients that the code
    is made of.
    """
    a, c = np.zeros((6, 6)), np.zeros((6, 6))
    for i, (left, right) in enumerate(zip((*rodas._A, (*rodas._A[-1], 1.0)), rodas._C, strict=True), 1):
        a[i, : len(left)], c[i, : len(right)] = left, right
    gamma = np.linalg.inv(np.eye(6) / rodas.GAMMA - c)
    third = np.array([*a[5, :5], 0.0])
    return (third + np.eye(6)[5]) @ gamma, third @ gamma, a @ gamma, (a + np.eye(6)) @ gamma


def conditions(w: np.ndarray, alpha: np.ndarray, beta: np.ndarray) -> list[float]:
    """What is left of the order conditions of a Rosenbrock method: one of order 1, one of 2, two of 3, four
    of 4.
    """
    a, b = alpha.sum(1), beta.sum(1)
    return [
        w.sum() - 1,
        w @ b - 1 / 2,
        w @ a**2 - 1 / 3,
        w @ beta @ b - 1 / 6,
        w @ a**3 - 1 / 4,
        (w * a) @ alpha @ b - 1 / 8,
        w @ beta @ a**2 - 1 / 12,
        w @ beta @ beta @ b - 1 / 24,
    ]


def test_the_coefficients_are_of_order_four_and_their_estimate_of_order_three():
    w, third, alpha, beta = method()
    assert np.abs(conditions(w, alpha, beta)).max() < 1e-14
    assert np.abs(conditions(third, alpha, beta)[:4]).max() < 1e-14
    assert np.abs(conditions(third, alpha, beta)[4:]).min() > 1e-3


def model(states: str, flows: str) -> Model:
    return parse_model(
        f"""[model]
title = "One step"
time = "s"
[parameters]
K = {{ unit = "1/s" }}
W = {{ unit = "1/s" }}
[compartments]
{states}
[flows]
{flows}
""",
        "step",
    )


SATURABLE = model(
    'x = { unit = "1" }\ny = { unit = "1" }', 'out = { from = "x", to = "y", rate = "K * x / (1 + x)" }'
)
SPIRAL = model(
    'x = { unit = "1" }\ny = { unit = "1" }',
    """x_out = { from = "x", rate = "K * x" }
y_out = { from = "y", rate = "K * y" }
there = { to = "y", rate = "W * x" }
back = { to = "x", rate = "-W * y" }""",
)


def lambert(t: np.ndarray) -> np.ndarray:
    """x of SATURABLE from 3 with K = 2."""
    return lambertw(3 * np.exp(3 - 2 * t)).real


def test_halving_the_step_divides_the_error_by_sixteen():
    machine, errors = ModelMachine(SATURABLE), []
    for count in (8, 16, 32, 64):
        y = rows(3.0, 0.0)
        for _ in range(count):
            y, _ = machine.step(y, rows(2.0, 0.0), 1.6 / count)
        errors.append(abs(y[0, 0] - lambert(np.array(1.6))))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all((orders > 3.8) & (orders < 4.3)), orders


def test_the_error_estimate_is_that_of_a_method_of_order_three():
    """One step of eight lengths, one a lane: h to the fourth, and to the fifth what the step itself is wrong
    by.
    """
    h = 0.4 * 0.5 ** np.arange(8)
    new, error = ModelMachine(SATURABLE).step(rows(3.0, 0.0), rows(2.0, 0.0), h)
    orders = np.diff(np.log2(error[0]))
    assert orders[-4:] == pytest.approx(-4.0, abs=0.1)
    wrong = np.abs(new[0] - lambert(h))
    assert np.diff(np.log2(wrong[2:5])) == pytest.approx(-5.0, abs=0.25)
    assert np.all(wrong[:5] < error[0, :5])


def growth(k: np.ndarray, w: np.ndarray) -> np.ndarray:
    """How a step of 1 changes the size of what decays at k and turns at w."""
    machine, found = ModelMachine(SPIRAL), []
    for i in range(0, len(k), 8):
        new, _ = machine.step(rows(1.0, 0.0), rows(k[i : i + 8], w[i : i + 8]), 1.0)
        found.append(np.hypot(*new))
    return np.concatenate(found)


def test_nothing_that_decays_or_turns_grows_however_long_the_step():
    """A-stable: observed on half a plane of products of rate and step."""
    w = np.tile(np.logspace(-3, 9, 400), 4)
    k = np.repeat([0.0, 1e-3, 1.0, 1e3], 400)
    assert growth(k, w).max() < 1 + 1e-12


def test_a_step_far_beyond_the_time_scale_leaves_nothing():
    """L-stable: what is left falls as one over the step."""
    left = growth(np.logspace(3, 10, 8), np.zeros(8))
    assert np.all(left * np.logspace(3, 10, 8) < 60)


def test_a_step_of_a_decay_is_the_exponential_to_its_fourth_power():
    z = np.array([0.1, 0.05, 0.02, 0.01, 0.2, 0.3, 0.15, 0.25])
    assert np.all(np.abs(growth(z, np.zeros(8)) - np.exp(-z)) < 2e-3 * z**5)


def test_the_next_step_is_the_fourth_root_of_the_error_within_bounds():
    h = np.array([1e-4, 1e-2, 0.02, 0.05, 0.1, 0.2, 1.0, 10.0])
    _, (error, factor) = ModelMachine(SATURABLE).step(rows(3.0, 0.0), rows(2.0, 0.0), h, 1e-6, 1e-9)
    assert factor == pytest.approx(np.clip(0.9 * np.maximum(error, 1e-10) ** -0.25, 0.2, 6.0), rel=1e-14)
    assert factor[0] == 6.0 and factor[-1] == 0.2


def steps(problem: Problem, rtol: float) -> int:
    """The fewest steps that are enough, by bisection."""
    low, high = 1, 2**12
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if solved(problem, rtol, middle).status[0] == batch.OK else (middle, high)
    return high


def test_work_grows_with_accuracy_as_of_a_method_of_order_four():
    """A hundred times the accuracy, 3.2 times the steps. Far tighter than 1e-7 stiff problems cost more, as
    of order 2 to 3: the order reduction of the method where the step is long beside the fastest time scale
    (Hairer & Wanner, section IV.15).
    """
    counts = np.array([steps(ROBERTSON, r) for r in (1e-3, 1e-5, 1e-7)])
    assert counts[1:] / counts[:-1] == pytest.approx(10**0.5, rel=0.15)
    assert counts.max() < 900
