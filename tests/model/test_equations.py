"""Flows to rates: the Jacobian against differences, two ways to a rate, and what no flow changes."""

from fractions import Fraction

import numpy as np
import pytest
import sympy

from pkpd.content import library
from pkpd.errors import ContentError
from pkpd.model import expression
from pkpd.model.compose import load_model, parse_model
from pkpd.model.model import Model
from pkpd.model.symbolic import Equations, closed, conserved, hill, lower, to_sympy

HEAD = '[model]\ntitle = "t"\ntime = "day"\n'


def stand_alone() -> dict[str, Model]:
    """Every library model that can be solved by itself."""
    found = {}
    for name in library.names("model"):
        try:
            found[name] = load_model(name)
        except ContentError:
            continue
    return found


MODELS = stand_alone()


def _hill(x, k, n):
    return np.maximum(x, 0.0) ** n / (k**n + np.maximum(x, 0.0) ** n)


def _slope(x, k, n):
    return n * k**n * x ** (n - 1) / (k**n + x**n) ** 2


NUMPY = [
    {
        "hill": _hill,
        "hill_slope": _slope,
        "lower": np.minimum,
        "step": lambda a, b: np.where(a > b, 1.0, 0.0),
    },
    "numpy",
]


def function(model: Model, expressions: list):
    """A function of one vector, states then inputs."""
    symbols = [sympy.Symbol(n, real=True) for n in (*model.states, *model.inputs)]
    return sympy.lambdify([symbols], expressions, modules=NUMPY, cse=True)


def point(model: Model, seed: int = 1) -> np.ndarray:
    """A random positive point; inputs between 0.2 and 0.8, so that 1 - INPUT is positive too."""
    rng = np.random.default_rng(seed)
    n = len(model.states)
    return np.concatenate([rng.uniform(0.3, 2.0, n), rng.uniform(0.2, 0.8, len(model.inputs))])


@pytest.mark.parametrize("name", MODELS)
def test_the_jacobian_agrees_with_differences(name):
    model, n = MODELS[name], len(MODELS[name].states)
    equations = Equations(model)
    rates = function(model, list(equations.rates.values()))
    entries = function(model, list(equations.jacobian.values()))
    for seed in range(3):
        x = point(model, seed)
        exact = np.zeros((n, n))
        for (i, j), value in zip(equations.jacobian, entries(x), strict=True):
            exact[i, j] = value
        numeric = np.empty((n, n))
        for j in range(n):
            h = 1e-6 * np.eye(len(x))[j] * x[j]
            numeric[:, j] = (np.array(rates(x + h)) - np.array(rates(x - h))) / (2 * h[j])
        np.testing.assert_allclose(numeric, exact, rtol=2e-6, atol=1e-7 * np.abs(exact).max())


@pytest.mark.parametrize("name", MODELS)
def test_rates_from_trees_and_from_sympy_agree(name):
    model = MODELS[name]
    x = point(model, 5)
    values: dict = dict(zip((*model.states, *model.inputs), x, strict=True))
    for v in model.variables:
        values[v.name] = expression.evaluate(v.tree, values, np)
    total = dict.fromkeys(model.states, 0.0)
    for f in model.flows:
        rate = float(expression.evaluate(f.tree, values, np))
        if f.source:
            total[f.source] -= rate
        if f.target:
            total[f.target] += rate * float(f.gain)
    got = function(model, list(Equations(model).rates.values()))(x)
    np.testing.assert_allclose(np.array(got, dtype=float), list(total.values()), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", MODELS)
def test_every_rate_is_in_terms_of_states_and_inputs(name):
    model = MODELS[name]
    known = {*model.states, *model.inputs}
    for rate in Equations(model).rates.values():
        assert {s.name for s in rate.free_symbols} <= known
        assert not rate.has(sympy.zoo, sympy.nan, sympy.oo, sympy.I)


@pytest.mark.parametrize("name", MODELS)
def test_a_closed_model_conserves_what_flows(name):
    whole = closed(MODELS[name])
    assert all(f.source and f.target for f in whole.flows)
    totals = conserved(whole)
    moved = {s for f in whole.flows for s in (f.source, f.target)}
    assert moved <= {s for t in totals for s in t}
    rates = dict(Equations(whole).rates.items())
    for t in totals:
        total = sum(sympy.Rational(w.numerator, w.denominator) * rates[n] for n, w in t.items())
        assert sympy.expand(total) == 0 or sympy.simplify(total) == 0


def test_closing_a_model_changes_none_of_its_own_rates():
    model = MODELS["drugs/leucovorin"]
    own, whole = Equations(model).rates, Equations(closed(model)).rates
    assert {n: whole[n] for n in own} == own
    assert closed(model).name == "drugs/leucovorin (closed)"
    assert closed(model).states[2:] == ("outside.other_loss", "outside.metabolite_loss")


def test_an_inflow_comes_from_its_own_outside():
    model = parse_model(
        HEAD + '[parameters]\nR = { unit = "mg/day" }\n[compartments]\na = { unit = "mg" }\n'
        '[flows]\nsource = { to = "a", rate = "R" }\n'
    )
    whole = closed(model)
    assert [(f.source, f.target) for f in whole.flows] == [("outside.source", "a")]
    assert conserved(model) == []
    assert conserved(whole) == [{"a": Fraction(1), "outside.source": Fraction(1)}]


TWO = HEAD + (
    '[parameters]\nK = { unit = "1/day" }\n[compartments]\n'
    'a = { unit = "mg", dose = true }\nb = { unit = "g" }\n'
    '[flows]\ngo = { from = "a", to = "b", rate = "K * a" }\n'
)


def test_a_total_weighs_grams_against_milligrams():
    [total] = conserved(parse_model(TWO))
    assert total["b"] / total["a"] == 1000


def test_a_leak_leaves_nothing_conserved_until_the_model_is_closed():
    leaky = parse_model(TWO + 'leak = { from = "b", rate = "K * b" }\n')
    assert conserved(leaky) == []
    [total] = conserved(closed(leaky))
    assert set(total) == {"a", "b", "outside.leak"}
    assert total["outside.leak"] == total["b"]


def test_what_no_flow_touches_is_conserved_alone():
    model = parse_model(TWO.replace("[flows]", 'c = { unit = "mg", dose = true }\n[flows]'))
    assert {"c": Fraction(1)} in conserved(model)


def test_the_jacobian_holds_only_what_is_not_zero():
    model = parse_model(TWO)
    k = sympy.Symbol("K", real=True)
    assert Equations(model).jacobian == {(0, 0): -k, (1, 0): k / 1000}


x, k, n, a, b = sympy.symbols("x k n a b", real=True)


@pytest.mark.parametrize("argument", [0, 1, 2])
def test_the_slopes_of_hill_agree_with_differences(argument):
    at = np.array([1.3, 0.8, 2.5])
    h = 1e-6 * np.eye(3)[argument]
    slope = sympy.lambdify([x, k, n], sympy.diff(hill(x, k, n), (x, k, n)[argument]), modules=NUMPY)(*at)
    assert slope == pytest.approx((_hill(*(at + h)) - _hill(*(at - h))) / 2e-6, rel=1e-7)


def test_the_slope_of_the_smaller_is_that_of_the_smaller():
    slope = sympy.lambdify(
        [a, b], [sympy.diff(lower(a**2, b), a), sympy.diff(lower(a**2, b), b)], modules=NUMPY
    )
    assert slope(1.0, 5.0) == [2.0, 0.0]
    assert slope(3.0, 5.0) == [0.0, 1.0]


def test_the_slope_of_the_larger_is_that_of_the_larger():
    larger = to_sympy(expression.parse("max(a, b)", "here"), {"a": a, "b": b})
    slope = sympy.lambdify([a, b], [larger, sympy.diff(larger, a), sympy.diff(larger, b)], modules=NUMPY)
    assert slope(1.0, 5.0) == [5.0, 0.0, 1.0]
    assert slope(7.0, 5.0) == [7.0, 1.0, 0.0]


def test_numbers_stay_exact():
    tree = expression.parse("0.1 + 0.2", "here")
    assert to_sympy(tree, {}) == sympy.Rational(3, 10)
