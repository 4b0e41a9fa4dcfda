"""A model's equations as nodes of a graph: its rates, their derivatives by states and by inputs."""

from __future__ import annotations

from fractions import Fraction

from pkpd.model.expression import Tree
from pkpd.model.model import Model
from pkpd.solve.graph import Graph


def from_tree(graph: Graph, tree: Tree, known: dict[str, int]) -> int:
    """The node of an expression tree."""

    def to(t: Tree) -> int:
        return from_tree(graph, t, known)

    match tree:
        case ("num", value):
            return graph.number(float(value))
        case ("name", name):
            return known[name]
        case ("neg", a):
            return graph.negative(to(a))
        case ("call", "min", (a, b)):
            return graph.call("lower", to(a), to(b))
        case ("call", "max", (a, b)):
            return graph.negative(graph.call("lower", graph.negative(to(a)), graph.negative(to(b))))
        case ("call", name, arguments):
            return graph.call(name, *(to(a) for a in arguments))
        case ("**", a, b):
            return graph.power(to(a), to(b))
        case (op, a, b):
            return {"+": graph.add, "-": graph.subtract, "*": graph.multiply, "/": graph.divide}[op](
                to(a), to(b)
            )
    raise ValueError(tree)


def names(graph: Graph, model: Model) -> dict[str, int]:
    """The node of each state, input and variable of a model."""
    known = {n: graph.state(i) for i, n in enumerate(model.states)}
    known |= {n: graph.input(i) for i, n in enumerate(model.inputs)}
    for v in model.variables:
        known[v.name] = from_tree(graph, v.tree, known)
    return known


def rates(graph: Graph, model: Model) -> list[int]:
    """The node of each state's rate of change, doses left out."""
    known = names(graph, model)
    total: dict[str, list[int]] = {n: [] for n in model.states}
    for flow in model.flows:
        rate = from_tree(graph, flow.tree, known)
        if flow.source:
            total[flow.source].append(graph.negative(rate))
        if flow.target:
            total[flow.target].append(graph.multiply(graph.number(float(Fraction(flow.gain))), rate))
    return [graph.total(terms) for terms in total.values()]


def tangents(graph: Graph, rows: list[int], first: int, column: int, seed: int) -> list[int]:
    """The rates of the derivatives of states by an input, which are states from `first` on.

    d/dt (dy/dp) = (df/dy) (dy/dp) + (df/dp) seed; the seed, an input of its own, is 1 while the patient's p
    holds.
    """
    found = []
    for row in rows:
        terms = [
            graph.multiply(graph.slope(row, "state", j), graph.state(first + j))
            for j in range(len(rows))
            if graph.states[row] >> j & 1
        ]
        found.append(
            graph.total([*terms, graph.multiply(graph.slope(row, "input", column), graph.input(seed))])
        )
    return found


def jacobian(graph: Graph, rows: list[int]) -> dict[tuple[int, int], int]:
    """The nonzero derivatives of rates by states, by row and column."""
    found = {}
    for i, row in enumerate(rows):
        for j in range(len(rows)):
            if graph.states[row] >> j & 1:
                node = graph.slope(row, "state", j)
                if graph.value(node) != 0.0:
                    found[i, j] = node
    return found
