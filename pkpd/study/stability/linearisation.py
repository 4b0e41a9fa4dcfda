"""A model made linear about a state: its rates and exact Jacobian for many patients, its modes and what takes
part in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from pkpd.errors import fail
from pkpd.model.model import Model
from pkpd.solve.equations import jacobian, rates
from pkpd.solve.graph import Graph

_AT_ONCE = 4096  # rows evaluated together, so that memory does not grow with their number


def _hill(x: np.ndarray, k: np.ndarray, n: np.ndarray) -> np.ndarray:
    powered = np.maximum(x, 0.0) ** n
    return powered / (k**n + powered)


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "multiply": np.multiply,
    "inverse": np.reciprocal,
    "power": np.power,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "lower": np.minimum,
    "above": lambda a, b: np.where(a > b, 1.0, 0.0),
    "hill": _hill,
    "power_slope": lambda x, y: y * x ** (y - 1),
    "hill_x": lambda x, k, n: n * _hill(x, k, n) * (1 - _hill(x, k, n)) / x,
}


class Linearised:
    """The rates of some states of a model and their exact derivatives by those states; the other states are
    held.

    The derivatives are those that the engine compiles: of the equations as a graph, symbol by symbol.
    """

    def __init__(self, model: Model, states: Sequence[str] = ()):
        self.model, self.states = model, tuple(states) or model.states
        self.columns = np.array([model.states.index(n) for n in self.states])
        graph = Graph()
        rows = rates(graph, model)
        self._rates = [rows[i] for i in self.columns]
        place = {int(c): k for k, c in enumerate(self.columns)}
        self._slopes = {
            (place[i], place[j]): node
            for (i, j), node in jacobian(graph, rows).items()
            if i in place and j in place
        }
        self._steps = _needed(graph, [*self._rates, *self._slopes.values()])

    def __call__(self, y: np.ndarray, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rates (row, state) and Jacobian (row, of, by) at rows of all states and of all inputs."""
        pieces = [
            self._piece(y[i : i + _AT_ONCE], inputs[i : i + _AT_ONCE]) for i in range(0, len(y), _AT_ONCE)
        ]
        return np.concatenate([p[0] for p in pieces]), np.concatenate([p[1] for p in pieces])

    def _piece(self, y: np.ndarray, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value: dict[int, Any] = {}
        with np.errstate(all="ignore"):
            for node, op, arguments in self._steps:
                match op:
                    case "state":
                        value[node] = y[:, arguments[0]]
                    case "input":
                        value[node] = inputs[:, arguments[0]]
                    case "number":
                        value[node] = arguments[0]
                    case _:
                        value[node] = _OPERATIONS[op](*(value[a] for a in arguments))
        slopes = np.zeros((len(y), len(self.states), len(self.states)))
        for (i, j), node in self._slopes.items():
            slopes[:, i, j] = value[node]
        return np.stack([np.broadcast_to(value[r], len(y)) for r in self._rates], axis=1), slopes


@lru_cache(32)
def linearised(model: Model, states: tuple[str, ...] = ()) -> Linearised:
    """A model made linear in some of its states, or in all; made once for the same ones."""
    return Linearised(model, states)


def _needed(graph: Graph, wanted: list[int]) -> list[tuple[int, str, list]]:
    """The nodes that some nodes rest on, in an order in which they can be computed."""
    found, todo = set(), list(wanted)
    while todo:
        node = todo.pop()
        if node not in found:
            found.add(node)
            op, *arguments = graph.nodes[node]
            if op not in ("state", "input", "number"):
                if op not in _OPERATIONS:
                    raise fail(
                        "linearisation",
                        f"the derivative {op} is not evaluated here",
                        "study a system without it",
                    )
                todo += arguments
    return [(n, graph.nodes[n][0], list(graph.nodes[n][1:])) for n in sorted(found)]


@dataclass(frozen=True)
class Modes:
    """Eigenvalues (row, mode; 1/time, ascending in their real part) and the share of each state in each (row,
    state, mode).
    """

    values: np.ndarray
    shares: np.ndarray


def modes(slopes: np.ndarray) -> Modes:
    """The modes of Jacobians (row, of, by).

    A state's share of a mode is |left × right eigenvector|, scaled to a sum of 1 over states (participation
    factors).
    """
    values, right = np.linalg.eig(slopes)
    order = np.argsort(np.real(values), axis=1)
    values, right = np.take_along_axis(values, order, 1), np.take_along_axis(right, order[:, None, :], 2)
    # states of other units: scaled to each state's largest entry, the inverse is as good as it gets
    size = np.abs(right).max(axis=2, keepdims=True)
    size = np.where(size > 0, size, 1.0)
    left = np.linalg.pinv(right / size) / size.transpose(0, 2, 1)
    shares = np.abs(right * left.transpose(0, 2, 1))
    return Modes(values, shares / shares.sum(axis=1, keepdims=True))


def in_logarithms(y: np.ndarray, rates_: np.ndarray, slopes: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Jacobians in coordinates in which some states stand as their logarithm.

    Of z = ln y, dz/dt = f/y, so that its slopes are J y_j / y_i, less f_i / y_i on the diagonal.
    """
    size = np.where(which, y, 1.0)
    found = slopes * size[:, None, :] / size[:, :, None]
    place = np.arange(y.shape[1])
    found[:, place, place] -= np.where(which, rates_ / size, 0.0)
    return found
