"""Equations as a graph: one node for equal expressions, and derivatives that are exact."""

import decimal
from decimal import Decimal
from functools import lru_cache

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from pkpd import load_model
from pkpd.errors import ContentError
from pkpd.model.expression import Tree, evaluate, parse
from pkpd.model.symbolic import Equations, hill, hill_slope, lower, step
from pkpd.solve.equations import from_tree, jacobian, rates
from pkpd.solve.graph import Graph
from tests.solve.machine import graph_machine, rows

LIBRARY = [
    "drugs/fluorouracil",
    "systems/crlm_folfox",
    "systems/folfox_damage_transit",
    "systems/folfox_effect_site_emax",
]
STATES, INPUTS = {"x": "0.7113", "y": "1.3472", "z": "2.2071"}, {"P": "0.9137", "Q": "1.8231"}
POINT = {n: Decimal(v) for n, v in (STATES | INPUTS).items()}
CONTEXT = decimal.Context(prec=80, Emin=-(10**6), Emax=10**6)
STEP = Decimal("1e-25")


def known(graph: Graph) -> dict[str, int]:
    return {n: graph.state(i) for i, n in enumerate(STATES)} | {
        n: graph.input(i) for i, n in enumerate(INPUTS)
    }


def place(name: str) -> tuple[str, int]:
    """Whether a name is a state or an input, and which."""
    return ("state", list(STATES).index(name)) if name in STATES else ("input", list(INPUTS).index(name))


def compute(graph: Graph, nodes: list[int]) -> np.ndarray:
    """Nodes at POINT, by compiled code."""
    out = rows(count=len(nodes))
    graph_machine(graph, nodes).run("values", rows(*STATES.values()), rows(*INPUTS.values()), out)
    assert np.array_equal(out, np.repeat(out[:, :1], 8, axis=1), equal_nan=True)
    return out[:, 0]


# --- one node for equal expressions -----------------------------------


@pytest.mark.parametrize(
    "left, right",
    [
        ("x + y", "y + x"),
        ("x * y * P", "P * y * x"),
        ("(x + 1) + 2", "x + 3"),
        ("2 * (3 * x)", "x * 6"),
        ("x - x", "0"),
        ("x + x", "2 * x"),
        ("3 * x - x", "2 * x"),
        ("-(-x)", "x"),
        ("x / P * Q", "Q * x / P"),
        ("1 / (1 / x)", "x"),
        ("x / 4", "0.25 * x"),
        ("0 * log(x)", "0"),
        ("x + 0", "x"),
        ("x * 1", "x"),
        ("x**3", "x * x * x"),
        ("x**-2", "1 / (x * x)"),
        ("x**0.5", "sqrt(x)"),
        ("x**0", "1"),
        ("x**1", "x"),
        ("P * (x * Q)", "(P * Q) * x"),
        ("(x + P) + (y + Q)", "(P + Q) + (x + y)"),
    ],
)
def test_equal_expressions_are_one_node(left, right):
    graph = Graph()
    assert from_tree(graph, parse(left, ""), known(graph)) == from_tree(graph, parse(right, ""), known(graph))


@pytest.mark.parametrize(
    "text, apart",
    [
        ("CL / VC * x", 1),
        ("(CL / VC) * (x + y) * Q * 2", 1),
        ("exp(-CL) + x", 1),
        ("x * y", 0),
        ("CL * x + VC * y", 2),
        ("VC + CL", 1),
    ],
)
def test_what_inputs_alone_give_is_taken_together(text, apart):
    """How many nodes of rank 1 are used by nodes that move with the states."""
    graph = Graph()
    names = {
        "CL": graph.input(0),
        "VC": graph.input(1),
        "Q": graph.input(2),
        "x": graph.state(0),
        "y": graph.state(1),
    }
    found, todo = set(), [from_tree(graph, parse(text, ""), names)]
    while todo:
        node = todo.pop()
        if graph.rank(node) == 1:
            found.add(node)
        elif graph.rank(node) == 2 and graph.nodes[node][0] != "state":
            todo += graph.nodes[node][1:]
    assert len(found) == apart


def test_a_node_knows_the_states_and_inputs_it_depends_on():
    graph = Graph()
    node = from_tree(graph, parse("P * x / (1 + z)", ""), known(graph))
    assert graph.states[node] == 0b101 and graph.inputs[node] == 0b01


def test_a_sum_of_many_terms_is_no_deeper_than_it_must_be():
    """A compartment that hundreds of others flow into."""
    graph = Graph()
    total = graph.total(graph.multiply(graph.input(i), graph.state(i)) for i in range(500))
    slope = graph.slope(graph.multiply(total, total), "state", 499)
    out = rows(count=2)
    x = np.linspace(1, 2, 500)
    graph_machine(graph, [total, slope]).run("values", rows(*x), rows(*np.ones(500)), out)
    assert out[:, 0] == pytest.approx([x.sum(), 2 * x.sum()], rel=1e-14)
    assert graph.value(graph.total([])) == 0.0


# --- exact derivatives ------------------------------------------------


def exactly(tree: Tree, values: dict[str, Decimal]) -> Decimal:
    """A tree to eighty digits."""
    match tree:
        case ("num", value):
            return CONTEXT.divide(Decimal(value.numerator), Decimal(value.denominator))
        case ("name", name):
            return values[name]
        case ("neg", a):
            return -exactly(a, values)
        case ("call", "hill", (x, k, n)):
            ratio = (exactly(x, values) / exactly(k, values)) ** exactly(n, values)
            return ratio / (1 + ratio)
        case ("call", name, args):
            call = {"exp": Decimal.exp, "log": Decimal.ln, "sqrt": Decimal.sqrt, "min": min, "max": max}[name]
            return call(*(exactly(a, values) for a in args))
    op, a, b = tree
    left, right = exactly(a, values), exactly(b, values)
    return {
        "+": left.__add__,
        "-": left.__sub__,
        "*": left.__mul__,
        "/": left.__truediv__,
        "**": left.__pow__,
    }[op](right)


def difference(tree: Tree, *by: str) -> Decimal:
    """The derivative of a tree by one name or two, as a central difference carried in eighty digits."""
    found = Decimal(0)
    for signs in [(1,), (-1,)] if len(by) == 1 else [(1, 1), (1, -1), (-1, 1), (-1, -1)]:
        moved = dict(POINT)
        for name, sign in zip(by, signs, strict=True):
            moved[name] += sign * STEP
        found += int(np.prod(signs)) * exactly(tree, moved)
    return found / (2 * STEP) ** len(by)


def trees(exponents: tuple[str, ...]) -> st.SearchStrategy:
    """Trees of positive value; `exponents` are the names that a Hill function may be raised to."""
    numbers = st.sampled_from(["0.37", "1.9", "2", "3", "0.5"]).map(lambda t: parse(t, ""))
    leaves = numbers | st.sampled_from(list(POINT)).map(lambda n: ("name", n))
    raised = numbers | st.sampled_from(exponents).map(lambda n: ("name", n))

    def grown(inner: st.SearchStrategy) -> st.SearchStrategy:
        one = st.tuples(inner)
        return st.one_of(
            st.tuples(st.sampled_from("+*/"), inner, inner),
            st.tuples(st.just("**"), inner, leaves),
            st.tuples(st.just("call"), st.just("sqrt"), one),
            st.tuples(st.just("call"), st.sampled_from(["min", "max"]), st.tuples(inner, inner)),
            one.map(lambda a: ("call", "exp", (("neg", a[0]),))),
            one.map(lambda a: ("call", "log", (("+", parse("1", ""), a[0]),))),
            st.tuples(inner, inner, raised).map(lambda a: ("call", "hill", a)),
            st.tuples(inner, inner).map(lambda a: ("-", ("+", *a), ("call", "min", a))),
        )

    return st.recursive(leaves, grown, max_leaves=8)


def close(found: float, exact: Decimal, size: float) -> bool:
    """Alike to nine digits of the larger of the value and its natural size."""
    return abs(found - float(exact)) <= 1e-9 * (abs(float(exact)) + size)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(trees(tuple(POINT)))
def test_a_graph_has_the_value_of_its_tree_and_its_derivatives_by_every_name(tree):
    with decimal.localcontext(CONTEXT):
        graph = Graph()
        node = from_tree(graph, tree, known(graph))
        value = exactly(tree, POINT)
        got = compute(graph, [node, *(graph.slope(node, *place(n)) for n in POINT)])
        if not 1e-100 < abs(value) < Decimal("1e100"):
            return  # beyond what a double's square holds
        assert got[0] == pytest.approx(float(value), rel=1e-12)
        for name, slope in zip(POINT, got[1:], strict=True):
            assert close(slope, difference(tree, name), float(value / POINT[name])), name


@settings(max_examples=12, deadline=None, derandomize=True)
@given(trees(tuple(INPUTS)))
def test_derivatives_of_derivatives_are_exact(tree):
    """By a state and then by a state or an input: what the derivatives of derivatives need."""
    with decimal.localcontext(CONTEXT):
        graph = Graph()
        node = from_tree(graph, tree, known(graph))
        value = exactly(tree, POINT)
        pairs = [(a, b) for a in POINT for b in STATES]
        got = compute(graph, [graph.slope(graph.slope(node, *place(a)), *place(b)) for a, b in pairs])
        if not 1e-100 < abs(value) < Decimal("1e100"):
            return
        for (a, b), slope in zip(pairs, got, strict=True):
            assert close(slope, difference(tree, a, b), float(value / POINT[a] / POINT[b])), (a, b)


@pytest.mark.parametrize(
    "text",
    [
        "hill(x, y, z)",
        "hill(x, P, Q)",
        "x**y",
        "P**x",
        "min(x, y)",
        "max(x * y, z)",
        "sqrt(x * z)",
        "exp(-x * y)",
        "log(z / x)",
        "x / (x + y)",
        "x**Q * y**-3",
    ],
)
def test_each_operation_has_its_derivatives(text):
    with decimal.localcontext(CONTEXT):
        graph, tree = Graph(), parse(text, "")
        node = from_tree(graph, tree, known(graph))
        got = compute(graph, [graph.slope(node, *place(n)) for n in POINT])
        assert got == pytest.approx([float(difference(tree, n)) for n in POINT], rel=1e-14, abs=1e-15)


def test_what_does_not_depend_on_a_state_has_no_derivative_by_it():
    graph = Graph()
    node = from_tree(graph, parse("P * x + exp(z)", ""), known(graph))
    assert (
        graph.value(graph.slope(node, "state", 1)) == 0.0
        and graph.value(graph.slope(node, "input", 1)) == 0.0
    )


def test_the_slope_of_the_smaller_of_two_is_that_of_the_smaller():
    graph = Graph()
    node = from_tree(graph, parse("min(2 * x, 5 * y)", ""), known(graph))  # 1.42 against 6.74
    assert compute(graph, [graph.slope(node, "state", 0), graph.slope(node, "state", 1)]).tolist() == [
        2.0,
        0.0,
    ]


def test_a_derivative_that_is_not_known_is_refused_with_its_remedy():
    graph = Graph()
    node = from_tree(graph, parse("hill(x, P, y)", ""), known(graph))
    with pytest.raises(
        ContentError, match=r"derivative of hill_n by its argument 3.*\n.*may not depend on a state"
    ):
        graph.slope(graph.slope(node, "state", 1), "state", 1)


# --- the Jacobian of a model ------------------------------------------


@lru_cache
def symbolic(name: str) -> Equations:
    return Equations(load_model(name))


@pytest.mark.parametrize("name", LIBRARY)
def test_the_jacobian_is_that_of_the_symbolic_equations(name):
    model, rng = load_model(name), np.random.default_rng(6)
    graph = Graph()
    entries = jacobian(graph, rates(graph, model))
    exact = symbolic(name).jacobian
    assert set(entries) == set(exact)
    symbols = [symbolic(name).symbols[n] for n in (*model.states, *model.inputs)]
    python = {
        hill: lambda x, k, n: x**n / (k**n + x**n),
        lower: min,
        step: lambda a, b: float(a > b),
        hill_slope: lambda x, k, n: n * x ** (n - 1) * k**n / (k**n + x**n) ** 2,
    }
    function = sympy.lambdify(
        symbols, list(exact.values()), [{f.__name__: p for f, p in python.items()}, "math"]
    )
    y, p = rng.uniform(0.2, 0.8, (len(model.states), 8)), rng.uniform(0.2, 0.8, (len(model.inputs), 8))
    out = rows(count=len(entries))
    graph_machine(graph, [entries[k] for k in exact]).run("values", rows(*y), rows(*p), out)
    for lane in range(8):
        assert out[:, lane] == pytest.approx(function(*y[:, lane], *p[:, lane]), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("name", LIBRARY)
def test_every_variable_and_rate_has_the_value_of_its_text(name):
    model, rng = load_model(name), np.random.default_rng(7)
    graph = Graph()
    values = {n: rng.uniform(0.2, 0.8) for n in (*model.states, *model.inputs)}
    nodes = {n: graph.state(i) for i, n in enumerate(model.states)} | {
        n: graph.input(i) for i, n in enumerate(model.inputs)
    }
    y, p = rows(*(values[n] for n in model.states)), rows(*(values[n] for n in model.inputs))
    for v in model.variables:
        nodes[v.name], values[v.name] = from_tree(graph, v.tree, nodes), float(evaluate(v.tree, values, np))
    flows = [from_tree(graph, f.tree, nodes) for f in model.flows]
    out = rows(count=len(model.variables) + len(flows))
    graph_machine(graph, [*(nodes[v.name] for v in model.variables), *flows]).run("values", y, p, out)
    expected = [
        *(values[v.name] for v in model.variables),
        *(float(evaluate(f.tree, values, np)) for f in model.flows),
    ]
    assert out[:, 3] == pytest.approx(expected, rel=2e-14)
