"""The symbolic LU: right for any pattern, sparse where it can be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkpd import load_model
from pkpd.solve.equations import jacobian, rates
from pkpd.solve.graph import Graph
from pkpd.solve.sparse import elimination_order, symbolic_lu

patterns = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        st.just(n), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=3 * n)
    )
)


def eliminate(a: dict[int, float], steps: list[tuple]) -> None:
    """The elimination carried out on numbers; a slot without one is zero."""
    for op, target, *others in steps:
        if op == "invert":
            a[target] = 1 / a[target]
        elif op == "scale":
            a[target] *= a[others[0]]
        else:
            a[target] = a.get(target, 0.0) - a[others[0]] * a[others[1]]


@settings(max_examples=60, deadline=None)
@given(patterns, st.integers(0, 2**31))
def test_the_symbolic_lu_factors_any_pattern(shape, seed):
    n, pattern = shape
    order = elimination_order(n, pattern)
    assert sorted(order) == list(range(n))
    slots, steps = symbolic_lu(n, pattern, order)
    assert set(pattern) | {(i, i) for i in range(n)} <= set(slots)
    assert sorted(slots.values()) == list(range(len(slots)))
    rng = np.random.default_rng(seed)
    matrix = np.diag(n + 1 + rng.uniform(0, 1, n))
    for i, j in sorted(pattern):
        matrix[i, j] += rng.uniform(-1, 1)
    a = {slot: matrix[key] for key, slot in slots.items() if matrix[key] != 0}
    eliminate(a, steps)
    assert len(a) == len(slots)  # every slot is of use
    lower, upper = np.eye(n), np.zeros((n, n))
    place = {v: k for k, v in enumerate(order)}
    for (i, j), slot in slots.items():
        if place[i] > place[j]:
            lower[place[i], place[j]] = a[slot]
        else:
            upper[place[i], place[j]] = 1 / a[slot] if i == j else a[slot]
    assert lower @ upper == pytest.approx(matrix[np.ix_(order, order)], abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(patterns)
def test_a_step_reads_only_what_stands(shape):
    """What is scaled or multiplied is an entry or has been filled in before."""
    n, pattern = shape
    slots, steps = symbolic_lu(n, pattern, elimination_order(n, pattern))
    standing = {slots[key] for key in pattern | {(i, i) for i in range(n)}}
    for op, target, *others in steps:
        assert set(others) <= standing and (op == "subtract" or target in standing)
        standing.add(target)
    assert standing == set(slots.values())


def test_a_tridiagonal_pattern_fills_in_nothing():
    n = 12
    pattern = {(i, j) for i in range(n) for j in range(n) if abs(i - j) <= 1}
    slots, steps = symbolic_lu(n, pattern, elimination_order(n, pattern))
    assert set(slots) == pattern
    assert len(steps) == 3 * n - 2  # an inverse a row; a scale and a subtract between rows


@pytest.mark.parametrize("hub", [0, 4, 7])
def test_an_arrow_is_eliminated_from_its_tail(hub):
    n = 8
    pattern = {(hub, i) for i in range(n)} | {(i, hub) for i in range(n)}
    slots, _ = symbolic_lu(n, pattern, elimination_order(n, pattern))
    assert set(slots) == pattern | {(i, i) for i in range(n)}


def test_what_only_flows_on_needs_no_elimination_but_scaling():
    n = 10
    slots, steps = symbolic_lu(
        n, {(i + 1, i) for i in range(n - 1)}, elimination_order(n, {(i + 1, i) for i in range(n - 1)})
    )
    assert len(slots) == 2 * n - 1 and not [s for s in steps if s[0] == "subtract"]


def test_the_factors_of_a_system_of_the_library_stay_sparse():
    graph = Graph()
    rows = rates(graph, load_model("systems/crlm_folfox"))
    entries = set(jacobian(graph, rows))
    slots, steps = symbolic_lu(len(rows), entries, elimination_order(len(rows), entries))
    assert len(slots) < 0.2 * len(rows) ** 2
    assert len(slots) <= len(entries | {(i, i) for i in range(len(rows))}) + 10
    assert len(steps) < 0.05 * len(rows) ** 3 / 3
