"""Flows to dy/dt, its Jacobian and sparsity, and the totals that nothing changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, cast

import sympy
from sympy.core.function import ArgumentIndexError

from pkpd.errors import fail
from pkpd.model.expression import Tree
from pkpd.model.model import Compartment, Flow, Model

_Function = cast(Any, sympy.Function)  # by sympy's own types a call of it gives a class


class hill(_Function):  # noqa: N801 - printed under this name
    """x^n / (k^n + x^n), zero for x <= 0."""

    nargs = 3

    def fdiff(self, argindex: int = 1):
        x, k, n = self.args
        if argindex == 1:
            return hill_slope(x, k, n)
        if argindex == 2:
            return -hill_slope(x, k, n) * x / k
        if argindex == 3:
            return hill(x, k, n) * (1 - hill(x, k, n)) * sympy.log(x / k)
        raise ArgumentIndexError(self, argindex)


class hill_slope(_Function):  # noqa: N801
    """The slope of hill in x: finite at zero for n >= 1."""

    nargs = 3


class lower(_Function):  # noqa: N801
    """The smaller of two; its slope is that of the smaller."""

    nargs = 2

    def fdiff(self, argindex: int = 1):
        a, b = self.args
        return step(b, a) if argindex == 1 else 1 - step(b, a)


class step(_Function):  # noqa: N801
    """1 where a > b, else 0."""

    nargs = 2

    def fdiff(self, argindex: int = 1):
        return sympy.Integer(0)


_FUNCTIONS = {
    "exp": sympy.exp,
    "log": sympy.log,
    "sqrt": sympy.sqrt,
    "hill": hill,
    "min": lower,
    "max": lambda a, b: -lower(-a, -b),
}


def to_sympy(tree: Tree, known: dict[str, sympy.Expr]) -> sympy.Expr:
    """A sympy expression, built by hand from the tree."""
    match tree:
        case ("num", value):
            return sympy.Rational(value.numerator, value.denominator)
        case ("name", name):
            return known[name]
        case ("neg", a):
            return -to_sympy(a, known)
        case ("call", name, args):
            return _FUNCTIONS[name](*(to_sympy(a, known) for a in args))
        case ("+", a, b):
            return to_sympy(a, known) + to_sympy(b, known)
        case ("-", a, b):
            return to_sympy(a, known) - to_sympy(b, known)
        case ("*", a, b):
            return to_sympy(a, known) * to_sympy(b, known)
        case ("/", a, b):
            return to_sympy(a, known) / to_sympy(b, known)
        case (_, a, b):
            return _power(to_sympy(a, known), to_sympy(b, known))
    raise ValueError(tree)


def _power(base: sympy.Expr, exponent: sympy.Expr) -> sympy.Expr:
    """A power, refused where sympy would write out a number of thousands of digits."""
    if isinstance(exponent, sympy.Rational):
        bits = max(
            (max(int(abs(n.p)).bit_length(), int(n.q).bit_length()) for n in base.atoms(sympy.Rational)),
            default=0,
        )
        if bits * abs(exponent) > 50_000:
            raise fail(
                "powers",
                f"a power of a power makes a number of over 10,000 digits: ...**{exponent}",
                "write smaller powers",
            )
    return base**exponent


@dataclass(frozen=True)
class Equations:
    """A model's equations in sympy: states, inputs, variables and rates."""

    model: Model

    @cached_property
    def symbols(self) -> dict[str, sympy.Expr]:
        """Every name, variables already in terms of states and inputs."""
        known: dict[str, sympy.Expr] = {
            n: sympy.Symbol(n, real=True) for n in (*self.model.states, *self.model.inputs)
        }
        for v in self.model.variables:
            known[v.name] = to_sympy(v.tree, known)
        return known

    @cached_property
    def rates(self) -> dict[str, sympy.Expr]:
        """The right-hand side of each state."""
        total: dict[str, sympy.Expr] = {n: sympy.Integer(0) for n in self.model.states}
        for flow in self.model.flows:
            rate = to_sympy(flow.tree, self.symbols)
            if flow.source:
                total[flow.source] -= rate
            if flow.target:
                total[flow.target] += rate * sympy.Rational(flow.gain.numerator, flow.gain.denominator)
        return total

    @cached_property
    def jacobian(self) -> dict[tuple[int, int], sympy.Expr]:
        """The nonzero entries of the Jacobian by row and column."""
        states = [self.symbols[n] for n in self.model.states]
        found = {}
        for i, rate in enumerate(self.rates.values()):
            free = rate.free_symbols
            for j, state in enumerate(states):
                if state in free:
                    slope = sympy.diff(rate, state)
                    if slope != 0:
                        found[i, j] = slope
        return found


def conserved(model: Model) -> list[dict[str, Fraction]]:
    """Weighted sums of states that no flow changes, as weights by state."""
    index = {n: i for i, n in enumerate(model.states)}
    matrix = sympy.zeros(len(model.flows), len(index))
    for row, flow in enumerate(model.flows):
        if flow.source:
            matrix[row, index[flow.source]] -= 1
        if flow.target:
            matrix[row, index[flow.target]] += sympy.Rational(flow.gain.numerator, flow.gain.denominator)
    totals = []
    for vector in matrix.nullspace():
        weights = {
            n: Fraction(int(vector[i].p), int(vector[i].q)) for n, i in index.items() if vector[i] != 0
        }
        totals.append(weights)
    return totals


def closed(model: Model) -> Model:
    """The same model with the outside as compartments: what enters or leaves is kept in `outside.<flow>`."""
    added, flows = [], []
    for flow in model.flows:
        outside = f"outside.{flow.name}"
        if flow.source and flow.target:
            flows.append(flow)
            continue
        unit = model.unit(flow.source or flow.target)
        added.append(Compartment(outside, unit, "what has left or entered through this flow"))
        if flow.source:
            flows.append(replace(flow, target=outside, gain=Fraction(1)))
        else:
            flows.append(Flow(flow.name, outside, flow.target, flow.tree, flow.text, flow.gain))
    return replace(
        model, name=f"{model.name} (closed)", compartments=(*model.compartments, *added), flows=tuple(flows)
    )
