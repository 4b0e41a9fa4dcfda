"""Compiled code called from Python: arrays of eight lanes, each on a boundary of its own size."""

import ctypes
from collections.abc import Callable

import numpy as np

from pkpd.model.model import Model
from pkpd.solve import functions
from pkpd.solve.assemble import generate
from pkpd.solve.compile import compiled, kernels, linked
from pkpd.solve.graph import Graph
from pkpd.solve.vector import ATTRIBUTES, LANES, ROW, Lines, Writer, function


def rows(*values: object, count: int = 0) -> np.ndarray:
    """Aligned rows of lanes: numbers for all lanes or a value a lane; zeros if only counted."""
    n = len(values) or count
    block = np.zeros(n * LANES + LANES)
    at = (-block.ctypes.data % ROW) // 8
    made = block[at : at + n * LANES].reshape(n, LANES)
    for i, value in enumerate(values):
        made[i] = value
    return made


class Machine:
    """Functions of LLVM text by name; arrays are rows of lanes."""

    def __init__(self, text: str) -> None:
        self.engine = linked(compiled(text.replace("define internal void", "define void")))
        self.address: Callable[[str], int] = self.engine.get_function_address

    def run(self, name: str, *arrays: np.ndarray) -> None:
        assert all(a.flags.c_contiguous and a.ctypes.data % ROW == 0 and a.dtype == float for a in arrays)
        self._code(name, len(arrays))(*(a.ctypes.data for a in arrays))

    def over(self, name: str, *arrays: np.ndarray) -> None:
        """The function once a row of each array: more lanes than there are."""
        code = self._code(name, len(arrays))
        first = [a.ctypes.data for a in arrays]
        for row in range(len(arrays[0])):
            code(*(f + row * ROW for f in first))

    def _code(self, name: str, arrays: int) -> Callable:
        return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arrays)(self.address(name))


class ModelMachine(Machine):
    """The kernels of a model with arrays of the right sizes: those that the engine uses, or with `inner`
    factor and solve too.
    """

    def __init__(self, model: Model, inner: bool = False) -> None:
        if inner:
            text, self.states, self.slots, self.factors = generate(model)
            super().__init__(text)
        else:
            self.program = kernels(model)
            self.states, self.slots, self.factors = (
                self.program.states,
                self.program.slots,
                self.program.factors,
            )
            self.address = self.program.addresses.__getitem__

    def prepared(self, p: np.ndarray) -> np.ndarray:
        """What inputs alone give."""
        q = rows(count=self.slots)
        self.run("prepare", p, q)
        return q

    def rates(self, y: np.ndarray, p: np.ndarray, infusion: np.ndarray | None = None) -> np.ndarray:
        d = rows(count=self.states)
        self.run("rates", y, self.prepared(p), rows(count=self.states) if infusion is None else infusion, d)
        return d

    def solved(self, y: np.ndarray, p: np.ndarray, diagonal: np.ndarray, b: np.ndarray) -> np.ndarray:
        """x of (diagonal I - J) x = b."""
        a, x = rows(count=self.factors), rows(*b)
        self.run("factor", y, self.prepared(p), diagonal, a)
        self.run("solve", a, x)
        return x

    def step(
        self, y: np.ndarray, p: np.ndarray, h: float | np.ndarray, rtol: float = 0.0, atol: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """The states after one step of h, and the error over the tolerance."""
        new, error = rows(count=self.states), rows(count=2)
        self.run(
            "step",
            y,
            self.prepared(p),
            rows(count=self.states),
            rows(h),
            rows(count=self.factors),
            rows(count=6 * self.states),
            rows(rtol, *[atol] * self.states),
            new,
            error,
        )
        return new, error


def graph_machine(graph: Graph, nodes: list[int]) -> Machine:
    """`values`(y, p, out): graph nodes for lanes of states and inputs."""
    writer = Writer(graph, None)
    for i, node in enumerate(nodes):
        writer.store(writer.value(node), "%out", i)
    return lines_machine(writer, ("y", "p", "out"), {op for op, *_ in graph.nodes})


def lines_machine(lines: Lines, arrays: tuple[str, ...], used: set[str]) -> Machine:
    """`values` of some arrays: instructions by themselves, with the functions they use."""
    return Machine(functions.definitions(used) + function("values", arrays, lines) + ATTRIBUTES)
