"""Equations as a graph in which equal expressions are one node, and their exact derivatives.

A node is a number: its place in `Graph.nodes`, which holds an operation and its arguments. What depends on
inputs alone is kept apart from what moves with the states, so that it can be computed once a patient instead
of once a step.
"""

from __future__ import annotations

from collections.abc import Callable

from pkpd.errors import fail

_LARGEST_POWER = 16  # an integer power up to this is multiplied out


class Graph:
    """Nodes by number; `states[node]` and `inputs[node]` are the bit sets of what a node depends on."""

    def __init__(self) -> None:
        self.nodes: list[tuple] = []
        self.states: list[int] = []
        self.inputs: list[int] = []
        self._known: dict[tuple, int] = {}
        self._slopes: dict[tuple, int] = {}

    def _node(self, *key) -> int:
        if key not in self._known:
            op, *arguments = key
            states = inputs = 0
            if op == "state":
                states = 1 << arguments[0]
            elif op == "input":
                inputs = 1 << arguments[0]
            elif op != "number":
                for a in arguments:
                    states |= self.states[a]
                    inputs |= self.inputs[a]
            self._known[key] = len(self.nodes)
            self.nodes.append(key)
            self.states.append(states)
            self.inputs.append(inputs)
        return self._known[key]

    def number(self, value: float) -> int:
        return self._node("number", float(value))

    def state(self, i: int) -> int:
        return self._node("state", i)

    def input(self, i: int) -> int:
        return self._node("input", i)

    def value(self, node: int) -> float | None:
        """The number that a node is, or None."""
        op, *arguments = self.nodes[node]
        return arguments[0] if op == "number" else None

    def rank(self, node: int) -> int:
        """0 for a number, 1 for what inputs alone give, 2 for what moves with the states."""
        return 0 if self.nodes[node][0] == "number" else 2 if self.states[node] else 1

    def _parts(self, op: str, node: int) -> list[int]:
        """A node as the operands of `op` of each rank, None where there is none."""
        found: list = [None, None, None]
        while self.nodes[node][0] == op and self.rank(self.nodes[node][1]) < self.rank(node):
            found[self.rank(self.nodes[node][1])] = self.nodes[node][1]
            node = self.nodes[node][2]
        found[self.rank(node)] = node
        return found

    def _joined(self, op: str, a: int, b: int, fold: Callable, neutral: float) -> int:
        """a op b with numbers first, then what inputs alone give, then the rest."""
        result = None
        for rank, (x, y) in reversed(
            list(enumerate(zip(self._parts(op, a), self._parts(op, b), strict=True)))
        ):
            both = [p for p in (x, y) if p is not None]
            if len(both) == 2:
                number = rank == 0
                part = (
                    self.number(fold(self.value(x), self.value(y)))
                    if number
                    else self._node(op, *sorted(both))
                )
            elif both:
                part = both[0]
            else:
                continue
            if self.value(part) == neutral and result is not None:
                continue
            result = part if result is None else self._node(op, part, result)
        assert result is not None
        return result

    def add(self, a: int, b: int) -> int:
        if self.scaled(a)[1] == self.scaled(b)[1] and min(self.rank(a), self.rank(b)) > 0:
            (x, node), (y, _) = self.scaled(a), self.scaled(b)
            return self.multiply(self.number(x + y), node)
        return self._joined("add", a, b, lambda x, y: x + y, 0.0)

    def scaled(self, node: int) -> tuple[float, int]:
        """A node as a number times another."""
        op, *arguments = self.nodes[node]
        if op == "multiply" and self.rank(arguments[0]) == 0:
            return self.nodes[arguments[0]][1], arguments[1]
        return 1.0, node

    def multiply(self, a: int, b: int) -> int:
        if 0.0 in (self.value(a), self.value(b)):
            return self.number(0)
        return self._joined("multiply", a, b, lambda x, y: x * y, 1.0)

    def negative(self, a: int) -> int:
        return self.multiply(self.number(-1), a)

    def subtract(self, a: int, b: int) -> int:
        return self.add(a, self.negative(b))

    def inverse(self, a: int) -> int:
        """1 / a, its number and what inputs alone give taken out."""
        if self.value(a) not in (None, 0.0):
            return self.number(1 / self.nodes[a][1])
        parts = [p for p in self._parts("multiply", a) if p is not None]
        if len(parts) == 1:
            inner = self.nodes[a]
            return inner[1] if inner[0] == "inverse" else self._node("inverse", a)
        return self.product(self.inverse(p) for p in parts)

    def divide(self, a: int, b: int) -> int:
        return self.multiply(a, self.inverse(b))

    def product(self, factors) -> int:
        result = self.number(1)
        for f in factors:
            result = self.multiply(result, f)
        return result

    def total(self, terms) -> int:
        """A sum in pairs of pairs: as deep as its logarithm."""
        left = list(terms) or [self.number(0)]
        while len(left) > 1:
            left = [
                self.add(*left[i : i + 2]) if i + 1 < len(left) else left[i] for i in range(0, len(left), 2)
            ]
        return left[0]

    def power(self, a: int, b: int) -> int:
        exponent = self.value(b)
        if exponent == 0.5:
            return self.call("sqrt", a)
        if exponent is not None and exponent == int(exponent) and abs(exponent) <= _LARGEST_POWER:
            whole = self.product([a] * abs(int(exponent)))
            return self.inverse(whole) if exponent < 0 else whole
        return self._node("power", a, b)

    def call(self, name: str, *arguments: int) -> int:
        return self._node(name, *arguments)

    def slope(self, node: int, kind: str, i: int) -> int:
        """The derivative of a node by state or input i."""
        if not (self.states if kind == "state" else self.inputs)[node] >> i & 1:
            return self.number(0)
        key = (node, kind, i)
        if key not in self._slopes:
            op, *a = self.nodes[node]
            if op in ("state", "input"):
                self._slopes[key] = self.number(1)
            else:
                terms = []
                for place, argument in enumerate(a):
                    inner = self.slope(argument, kind, i)
                    if self.value(inner) != 0.0:
                        terms.append(self.multiply(self._partial(node, op, a, place), inner))
                self._slopes[key] = self.total(terms)
        return self._slopes[key]

    def _partial(self, node: int, op: str, a: list[int], place: int) -> int:
        """The derivative of an operation by one of its arguments."""
        one, minus = self.number(1), self.number(-1)
        match op, place:
            case "add", _:
                return one
            case "multiply", _:
                return a[1 - place]
            case "inverse", _:
                return self.product((minus, node, node))
            case "power", 0:
                return self.call("power_slope", *a)
            case "power", 1:
                return self.call("power_y", *a)
            case "power_slope", 0:
                return self.call("power_xx", *a)
            case ("power_slope", 1) | ("power_y", 0):
                return self.call("power_xy", *a)
            case "power_y", 1:
                return self.multiply(node, self.call("log", a[0]))
            case "exp", _:
                return node
            case "log", _:
                return self.inverse(a[0])
            case "sqrt", _:
                return self.divide(self.number(0.5), node)
            case "lower", _:
                chosen = self.call("above", a[1], a[0])
                return chosen if place == 0 else self.subtract(one, chosen)
            case "above", _:
                return self.number(0)
        return self._hill_partial(node, op, a, place)

    def _hill_partial(self, node: int, op: str, a: list[int], place: int) -> int:
        """Derivatives of hill(x, k, n), a function of x / k and n, and of its first derivatives."""
        minus_ratio = self.negative(self.divide(a[0], a[1]))
        match op, place:
            case "hill", 0:
                return self.call("hill_x", *a)
            case "hill", 1:
                return self.multiply(minus_ratio, self.call("hill_x", *a))
            case "hill", 2:
                return self.call("hill_n", *a)
            case "hill_x", 0:
                return self.call("hill_xx", *a)
            case "hill_x", 1:
                return self.subtract(
                    self.multiply(minus_ratio, self.call("hill_xx", *a)), self.divide(node, a[1])
                )
            case ("hill_x", 2) | ("hill_n", 0):
                return self.call("hill_xn", *a)
            case "hill_n", 1:
                return self.multiply(minus_ratio, self.call("hill_xn", *a))
        raise fail(
            "gradient",
            f"the derivative of {op} by its argument {place + 1} is not known",
            "a Hill exponent may not depend on a state here",
        )
