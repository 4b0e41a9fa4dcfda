"""Graphs to straight-line vector code: LLVM text in which one instruction serves LANES patients.

Row i of an array of LANES columns holds one quantity of every lane. No instruction mixes lanes, so that a
patient's bits do not depend on its neighbours.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import llvmlite.binding as llvm

from pkpd.solve.graph import Graph

LANES = 8
V = f"<{LANES} x double>"
I = f"<{LANES} x i64>"  # noqa: E741 - as LLVM names it
B = f"<{LANES} x i1>"
ROW = 8 * LANES  # bytes
ESTIMATES = llvm.get_host_cpu_features().get("avx512f", False)


def real(value: float) -> str:
    """A double, the same for every lane, to its last bit."""
    return f"splat (double 0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X})"


def whole(value: int) -> str:
    return f"splat (i64 {value})"


class Lines:
    """The instructions of one function; each gives a numbered value."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.count = 0

    def do(self, instruction: str) -> str:
        self.count += 1
        self.text.append(f"  %v{self.count} = {instruction}")
        return f"%v{self.count}"

    def binary(self, op: str, a: str, b: str) -> str:
        return self.do(f"f{op} contract {V} {a}, {b}")

    def fma(self, a: str, b: str, c: str) -> str:
        return self.do(f"call {V} @llvm.fma.v{LANES}f64({V} {a}, {V} {b}, {V} {c})")

    def call(self, name: str, *arguments: str) -> str:
        return self.do(f"call {V} @{name}({', '.join(f'{V} {a}' for a in arguments)})")

    def inverse(self, x: str, refinements: int = 2) -> str:
        """1 / x: where the processor offers a guess of 14 bits, refined by Newton's method; three times a
        division's speed.
        """
        if not ESTIMATES:
            return self.binary("div", real(1.0), x)
        guess = self.do(f"call {V} @llvm.x86.avx512.rcp14.pd.512({V} {x}, {V} zeroinitializer, i8 -1)")
        minus, better = self.do(f"fneg {V} {x}"), guess
        for _ in range(refinements):
            better = self.fma(self.fma(minus, better, real(1.0)), better, better)
        return self.choose(
            self.compare("ord", better, better), better, guess
        )  # of 0 and infinity the guess is exact

    def choose(self, test: str, a: str, b: str) -> str:
        return self.do(f"select {B} {test}, {V} {a}, {V} {b}")

    def magnitude(self, x: str) -> str:
        return self.do(f"call {V} @llvm.fabs.v{LANES}f64({V} {x})")

    def larger(self, a: str, b: str) -> str:
        """The larger; b where one is not a number."""
        return self.choose(self.compare("ogt", a, b), a, b)

    def compare(self, how: str, a: str, b: str) -> str:
        return self.do(f"fcmp {how} {V} {a}, {b}")

    def load(self, array: str, row: int | str) -> str:
        return self.do(f"load {V}, ptr {self.place(array, row)}, align {ROW}")

    def store(self, value: str, array: str, row: int | str) -> None:
        self.text.append(f"  store {V} {value}, ptr {self.place(array, row)}, align {ROW}")

    def place(self, array: str, row: int | str) -> str:
        return self.do(f"getelementptr {V}, ptr {array}, i64 {row}")


class Slots:
    """What inputs alone give, kept in rows of `q`: computed by `prepare` when a patient's inputs are set."""

    def __init__(self) -> None:
        self.rows: dict[int, int] = {}

    def row(self, node: int) -> int:
        return self.rows.setdefault(node, len(self.rows))


class Writer(Lines):
    """Values of graph nodes in one function, each computed once. Without slots, everything is computed in
    place.
    """

    def __init__(self, graph: Graph, slots: Slots | None) -> None:
        super().__init__()
        self.graph, self.slots = graph, slots
        self.known: dict[int, str] = {}

    def value(self, node: int) -> str:
        if node not in self.known:
            self.known[node] = self._made(node)
        return self.known[node]

    def _made(self, node: int) -> str:
        graph = self.graph
        rank = graph.rank(node)
        op, *a = graph.nodes[node]
        if rank == 0:
            return real(a[0])
        if rank == 1 and self.slots is not None:
            return self.load("%q", self.slots.row(node))
        if op in ("state", "input"):
            return self.load("%y" if op == "state" else "%p", a[0])
        if op in ("add", "multiply"):
            return self._arithmetic(op, *a)
        if op == "inverse":
            return self.inverse(self.value(a[0]))
        if op == "sqrt":
            return self.do(f"call {V} @llvm.sqrt.v{LANES}f64({V} {self.value(a[0])})")
        if op in ("lower", "above"):
            left, right = self.value(a[0]), self.value(a[1])
            test = self.compare("olt" if op == "lower" else "ogt", left, right)
            if op == "above":
                return self.choose(test, real(1.0), real(0.0))
            return self.choose(self.compare("uno", left, left), left, self.choose(test, left, right))
        return self.call(op, *(self.value(x) for x in a))

    def _arithmetic(self, op: str, a: int, b: int) -> str:
        graph = self.graph
        if op == "multiply":
            if graph.value(a) == -1.0:
                return self.do(f"fneg {V} {self.value(b)}")
            return self.binary("mul", self.value(a), self.value(b))
        for x, y in ((b, a), (a, b)):
            factor, node = graph.scaled(y)
            if factor == -1.0:
                return self.binary("sub", self.value(x), self.value(node))
        return self.binary("add", self.value(a), self.value(b))


def function(name: str, arguments: Iterable[str], lines: Lines, internal: bool = False) -> str:
    """A whole function of pointers; arrays never overlap."""
    head = ", ".join(f"ptr noalias nocapture %{a}" for a in arguments)
    kind = "internal void" if internal else "void"
    return "\n".join([f"define {kind} @{name}({head}) #0 {{", *lines.text, "  ret void", "}", ""])


ATTRIBUTES = (
    'attributes #0 = { noinline nounwind "prefer-vector-width"="512" "min-legal-vector-width"="512" '
    '"no-builtins" }\n'
    'attributes #1 = { alwaysinline nounwind "prefer-vector-width"="512" "min-legal-vector-width"="512" }\n'
)
