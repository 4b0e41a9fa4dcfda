"""exp, log, powers and Hill functions of the compiled code, against decimal arithmetic of forty digits."""

import decimal
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache

import numpy as np
import pytest

from pkpd.solve import vector
from pkpd.solve.graph import Graph
from pkpd.solve.vector import LANES, Lines
from tests.solve.machine import Machine, graph_machine, lines_machine, rows

COUNT = 500
EPS = 2.0**-52
INF, NAN = float("inf"), float("nan")
TINY, SUBNORMAL = 2.2250738585072014e-308, 1e-310
CONTEXT = decimal.Context(prec=40, Emin=-(10**6), Emax=10**6)
MACHINES: dict[tuple[str, bool], Machine] = {}


@pytest.fixture(params=["as the processor has it", "by division"])
def way(request, monkeypatch):
    """Inverses from the processor's own guess, where it has one, and by division."""
    if request.param == "by division":
        if not vector.ESTIMATES:
            pytest.skip("this processor divides")
        monkeypatch.setattr(vector, "ESTIMATES", False)


def apply(op: str, *arguments: np.ndarray) -> np.ndarray:
    """An operation of the graph by compiled code, for any number of points."""
    key = op, vector.ESTIMATES
    if key not in MACHINES:
        graph = Graph()
        nodes = [graph.state(i) for i in range(len(arguments))]
        MACHINES[key] = graph_machine(
            graph, [graph.inverse(nodes[0]) if op == "inverse" else graph.call(op, *nodes)]
        )
    x, out = lanes(*arguments), rows(count=-(-len(arguments[0]) // LANES))
    for row, point in enumerate(x):
        MACHINES[key].run("values", point, point, out[row : row + 1])
    return out.ravel()[: len(arguments[0])]


def lanes(*arguments: np.ndarray) -> list[np.ndarray]:
    """Points as rows of lanes, the last ones filled up."""
    size = -(-len(arguments[0]) // LANES) * LANES
    full = [np.resize(a, size).reshape(-1, LANES) for a in arguments]
    return [rows(*(a[i] for a in full)) for i in range(size // LANES)]


def ulps(found: np.ndarray, exact: list[Decimal]) -> np.ndarray:
    """The distance from the exact value in units of a double's last digit."""
    with decimal.localcontext(CONTEXT):
        spacing = np.spacing(np.abs([float(x) for x in exact]))
        return np.array(
            [
                float(abs(Decimal(f) - x) / Decimal(s)) if np.isfinite(f) else INF
                for f, x, s in zip(found.tolist(), exact, spacing.tolist(), strict=True)
            ]
        )


def exactly(function: Callable, *arguments: np.ndarray) -> list[Decimal]:
    return _exactly(function, tuple(zip(*(a.tolist() for a in arguments), strict=True)))


@lru_cache
def _exactly(function: Callable, points: tuple) -> list[Decimal]:
    with decimal.localcontext(CONTEXT):
        return [function(*map(Decimal, point)) for point in points]


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    """To 4 units of the last digit; infinite and missing where the other is."""
    return np.allclose(found, expected, rtol=4 * EPS, atol=0, equal_nan=True)


# --- exp, log, inverse ------------------------------------------------


def inverse(x):
    return 1 / x


@pytest.mark.parametrize("low, high", [(-1e-8, 1e-8), (-1, 1), (-40, 40), (-708, 709.78)])
def test_exp_is_right_to_two_units_of_the_last_digit(low, high):
    x = np.random.default_rng(1).uniform(low, high, COUNT)
    assert ulps(apply("exp", x), exactly(Decimal.exp, x)).max() < 2.0


@pytest.mark.parametrize(
    "points",
    [
        lambda r: 1 + r.uniform(-1e-3, 1e-3, COUNT),
        lambda r: 1 + r.choice([-1, 1], COUNT) * 10.0 ** r.uniform(-15.6, -1, COUNT),
        lambda r: r.uniform(0.3, 3, COUNT),
        lambda r: 10.0 ** r.uniform(-307.6, 308.2, COUNT),
    ],
    ids=["near one", "ever nearer one", "about one", "everywhere"],
)
def test_log_is_right_to_a_unit_and_a_half_of_the_last_digit(points, way):
    x = points(np.random.default_rng(2))
    assert ulps(apply("log", x), exactly(Decimal.ln, x)).max() < 1.5


def test_an_inverse_is_right_to_a_unit_of_the_last_digit(way):
    x = 10.0 ** np.random.default_rng(3).uniform(-307, 307, COUNT) * np.random.default_rng(4).choice(
        [-1, 1], COUNT
    )
    assert ulps(apply("inverse", x), exactly(inverse, x)).max() < 1.0


def test_an_inverse_of_one_refinement_is_right_to_eight_digits(way):
    lines = Lines()
    lines.store(lines.inverse(lines.load("%x", 0), 1), "%out", 0)
    machine = lines_machine(lines, ("x", "out"), set())
    x = lanes(10.0 ** np.random.default_rng(5).uniform(-300, 300, COUNT))
    out = rows(count=1)
    for point in x:
        machine.run("values", point, out)
        assert out[0] * point[0] == pytest.approx(1.0, abs=1e-8)


EDGES = np.array(
    [0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, TINY, 1.7e308, -1.7e308, 709.782712893384, 709.79, -708.0, -750.0]
)


@pytest.mark.parametrize(
    "op, numpy", [("exp", np.exp), ("log", np.log), ("sqrt", np.sqrt), ("inverse", np.reciprocal)]
)
def test_the_edges_are_those_of_numpy(op, numpy, way):
    with np.errstate(all="ignore"):
        assert same(apply(op, EDGES), numpy(EDGES))


def test_subnormal_numbers_count_as_nothing():
    x = np.array([SUBNORMAL, 5e-324])
    assert np.all(apply("log", x) == -INF)
    assert np.all(apply("exp", np.array([-708.4, -740.0])) == 0)
    assert np.all(apply("power", x, np.full(2, 0.5)) == 0)


@pytest.mark.parametrize("a, b", [(2.0, 3.0), (3.0, 2.0), (2.0, 2.0), (-INF, 1.0), (INF, 1.0), (-1.0, 0.0)])
def test_the_lower_of_two_is_chosen_and_above_says_which(a, b):
    assert apply("lower", np.array([a]), np.array([b])) == min(a, b)
    assert apply("above", np.array([a]), np.array([b])) == float(a > b)


# --- powers -----------------------------------------------------------


def power_slope(x, y):
    return y * x ** (y - 1)


def power_xx(x, y):
    return y * (y - 1) * x ** (y - 2)


def power_y(x, y):
    return x**y * x.ln()


@pytest.mark.parametrize("decades, steepest", [(3, 5), (30, 9)])
def test_a_power_loses_no_more_digits_than_its_exponent_has(decades, steepest, way):
    """x^y = exp(y log x): the relative error is that of y log x, times its size."""
    rng = np.random.default_rng(6)
    x, y = 10.0 ** rng.uniform(-decades, decades, COUNT), rng.uniform(-steepest, steepest, COUNT)
    size = 1 + np.abs(y * np.log(x))
    assert np.max(ulps(apply("power", x, y), exactly(pow, x, y)) / size) < 2.5
    for function, extra in {power_slope: 1, power_xx: 2, power_y: 1}.items():
        error = ulps(apply(function.__name__, x, y), exactly(function, x, y))
        assert np.max(error / (size + extra * np.abs(np.log(x)))) < 5.0, function


def test_powers_of_nothing_of_everything_and_of_the_missing():
    x = np.array([0, 0, 0, INF, INF, 1, 2, 2, 5, NAN, 1, -2, 0, -0.0])
    y = np.array([2.5, -1.5, 0, 2, -2, 7, INF, -INF, 0, 1.5, NAN, 2.5, INF, 0.5])
    with np.errstate(all="ignore"):
        expected = np.where((x == 1) & np.isnan(y), NAN, x**y)  # numpy has 1 for 1 to the missing
    assert same(apply("power", x, y), expected)


def test_a_negative_number_has_powers_of_whole_exponents_alone():
    x, y = np.array([-2.0, -2, -2, -1e-9, -3, -2, -2]), np.array([2.0, 3, -1, 1, 0, 0.5, 1.999])
    assert apply("power", x, y) == pytest.approx([4, -8, -0.5, -1e-9, 1, NAN, NAN], rel=1e-14, nan_ok=True)
    assert apply("power_slope", x[:4], y[:4]) == pytest.approx([-4, 12, -0.25, 1], rel=1e-14)


@pytest.mark.parametrize(
    "op, at_zero",
    [
        ("power_slope", [0, 1, 0, 0, 0, 0]),
        ("power_xx", [0, 0, 0, 2, 0, 0]),
        ("power_y", [0] * 6),
        ("power_xy", [0] * 6),
    ],
)
def test_derivatives_of_a_power_at_zero_are_their_limits_or_nothing_where_they_have_none(op, at_zero):
    assert apply(op, np.zeros(6), np.array([0.67, 1, 1.5, 2, 2.5, 3])).tolist() == at_zero


# --- Hill functions ---------------------------------------------------


def points(exponent: float | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x within three decades of k, k within three of one."""
    rng = np.random.default_rng(7)
    k = 10.0 ** rng.uniform(-3, 3, COUNT)
    x = k * 10.0 ** rng.uniform(-3, 3, COUNT)
    return x, k, rng.uniform(0.3, 8, COUNT) if exponent is None else np.full(COUNT, exponent)


def shares(x: Decimal, k: Decimal, n: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """u = hill, 1 - u and log(x / k)."""
    ratio = (x / k) ** n
    return ratio / (1 + ratio), 1 / (1 + ratio), (x / k).ln()


def hill(x, k, n):
    return shares(x, k, n)[0]


def hill_x(x, k, n):
    u, v, _ = shares(x, k, n)
    return n * u * v / x


def hill_n(x, k, n):
    u, v, log = shares(x, k, n)
    return u * v * log


def hill_xx(x, k, n):
    u, v, _ = shares(x, k, n)
    return n * u * v * (n * (v - u) - 1) / x**2


def hill_xn(x, k, n):
    u, v, log = shares(x, k, n)
    return u * v * (1 + n * (v - u) * log) / x


# the size of what is added up in each: what its error is measured by
SIZES = {
    hill: hill,
    hill_x: hill_x,
    hill_n: lambda x, k, n: abs(hill_n(x, k, n)) + hill_x(x, k, n) * x / n,
    hill_xx: lambda x, k, n: hill_x(x, k, n) * (n + 1) / x,
    hill_xn: lambda x, k, n: hill_x(x, k, n) / n * (1 + n * abs(shares(x, k, n)[2])),
}


@pytest.mark.parametrize("exponent", [None, 1.0, 2.0])
@pytest.mark.parametrize("function", SIZES, ids=lambda f: f.__name__)
def test_a_hill_function_and_its_derivatives_lose_no_more_digits_than_its_power(function, exponent):
    x, k, n = points(exponent)
    found, exact = apply(function.__name__, x, k, n), exactly(function, x, k, n)
    size = np.array([float(s) for s in exactly(SIZES[function], x, k, n)])
    error = np.array([float(abs(Decimal(f) - e)) for f, e in zip(found.tolist(), exact, strict=True)]) / (
        size * EPS
    )
    assert np.max(error / (1 + n * np.abs(np.log(x / k)))) < 6.0


@pytest.mark.parametrize("x", [0.0, -0.0, -3.0, -INF])
def test_there_is_no_effect_of_nothing_and_a_slope_only_if_it_starts_straight(x):
    at, k, n = np.full(4, x), np.full(4, 0.5), np.array([1.0, 1.5, 2.0, 4.0])
    assert apply("hill", at, k, n).tolist() == [0.0] * 4
    assert apply("hill_x", at, k, n).tolist() == [2.0 if x == 0 else 0.0, 0.0, 0.0, 0.0]
    assert apply("hill_n", at, k, n).tolist() == [0.0] * 4
    assert apply("hill_xx", at, k, n).tolist() == [-8.0 if x == 0 else 0.0, 0.0, 0.0, 0.0]


def test_far_above_its_middle_the_effect_is_whole_and_flat():
    x, k, n = (
        np.array([1e12, 1e100, 1e200, INF]),
        np.array([1e-12, 1.0, 1e-100, 1.0]),
        np.array([2.0, 5.0, 8.0, 1.0]),
    )
    assert apply("hill", x, k, n).tolist() == [1.0] * 4
    assert np.all(np.abs(apply("hill_x", x, k, n)) < 1e-30)
    assert np.all(np.isfinite(apply("hill_xx", x, k, n)))


def test_far_below_its_middle_the_effect_is_nothing():
    x, k, n = np.array([1e-12, 1e-100, 1e-140]), np.array([1e12, 1.0, 1e100]), np.array([2.0, 5.0, 8.0])
    assert np.all(apply("hill", x, k, n) < 1e-40) and np.all(apply("hill_x", x, k, n) < 1e-30)


def test_lanes_of_exponent_one_are_the_same_beside_others():
    x, k = np.linspace(0.1, 3, 8), np.full(8, 0.7)
    straight = apply("hill", x, k, np.ones(8))
    beside = apply("hill", x, k, np.array([1, 2.5, 1, 1, 3, 1, 0.5, 1]))
    assert np.array_equal(beside[[0, 2, 3, 5, 7]], straight[[0, 2, 3, 5, 7]])


@pytest.mark.parametrize("op", ["hill", "hill_x", "hill_n", "hill_xx", "hill_xn"])
def test_what_is_missing_in_a_hill_function_makes_its_value_missing(op):
    good = np.array([1.3, 0.7, 2.0])
    for i in range(3):
        bad = good.copy()
        bad[i] = NAN
        assert np.isnan(apply(op, *bad[:, None])).all(), ("x", "k", "n")[i]


@pytest.mark.parametrize("a, b", [(NAN, 1.0), (1.0, NAN), (NAN, NAN)])
def test_the_lower_of_two_is_missing_if_one_is(a, b):
    assert np.isnan(apply("lower", np.array([a]), np.array([b]))).all()
