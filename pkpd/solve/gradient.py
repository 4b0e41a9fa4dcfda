"""Derivatives of states by inputs, followed beside the states: forward, exact, through doses, lags, durations
and resets.

Beside the states y stand, for each input p followed, their derivatives S = dy/dp, with dS/dt = (df/dy) S +
(df/dp) seed. An event whose value v depends on p hands dv/dp to S; one whose time t does adds f(before) dt/dp
before it happens and takes f(after) dt/dp after. The derivatives of events come from the events themselves,
made once more for inputs with an imaginary part (the complex step), so that dosing is written once.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

import numpy as np

from pkpd.errors import fail
from pkpd.model.expression import evaluate
from pkpd.model.model import Model
from pkpd.regimen.schedule import ADD, ASSIGN, RATE, SCALE, SET, Schedule
from pkpd.solve.batch import Solved, solve_population
from pkpd.solve.layout import MOVE
from pkpd.solve.tolerance import Given, beside, tolerances

STEP = 1e-30  # of the complex step: far below the last digit of anything real


def tinted(inputs: np.ndarray, column: int) -> np.ndarray:
    """Inputs whose imaginary part says that one of them varies."""
    found = inputs.astype(complex)
    found[:, column] += 1j * STEP
    return found


def start_slopes(model: Model, inputs: np.ndarray, columns: tuple[int, ...]) -> np.ndarray:
    """The derivatives of the start values, (patient, column, state)."""
    slopes = np.zeros((len(inputs), len(columns), len(model.states)))
    for k, column in enumerate(columns):
        values = dict(zip(model.inputs, tinted(inputs, column).T, strict=True))
        for i, c in enumerate(model.compartments):
            slopes[:, k, i] = np.imag(evaluate(c.start, values, np)) / STEP
    return slopes


def solve_gradient(
    model: Model,
    columns: tuple[int, ...],
    start: np.ndarray,
    slopes: np.ndarray,
    inputs: np.ndarray,
    schedule: Schedule,
    tints: Sequence[Schedule],
    times: np.ndarray,
    begin: np.ndarray,
    rtol: float = 1e-6,
    executor: Executor | None = None,
    places: np.ndarray | None = None,
    atol: Given = None,
) -> tuple[Solved, np.ndarray]:
    """The states, and their derivatives by some inputs (patient, time, column, state).

    slopes  derivatives of the start (patient, column, state)
    tints   for each column, the events of the patients with inputs tinted there
    """
    n, size = start.shape
    sizes = _sizes(inputs, columns)
    events, slots = _followed(schedule, tints, columns, sizes, size, len(model.inputs))
    if places is not None:
        places = np.take_along_axis(slots, places, axis=1)
    first = np.hstack([start, (slopes * sizes[:, :, None]).reshape(n, -1)])
    solved = solve_population(
        model,
        first,
        np.hstack([inputs, sizes]),
        events,
        times,
        begin,
        rtol,
        executor=executor,
        places=places,
        columns=columns,
        atol=beside(tolerances(model, rtol, atol), rtol, len(columns)),
    )
    return _parted(solved, sizes, size)


def _sizes(inputs: np.ndarray, columns: tuple[int, ...]) -> np.ndarray:
    """What derivatives are multiplied by (patient, column): times their input they are as large as states."""
    own = np.abs(inputs[:, columns])
    return np.where(own > 1e-30, own, 1.0)


def _parted(solved: Solved, sizes: np.ndarray, size: int) -> tuple[Solved, np.ndarray]:
    """The states, of which there are `size`, and the derivatives that were followed beside them."""
    rest = solved.states[:, :, size:].reshape(*solved.states.shape[:2], sizes.shape[1], size)
    return solved._replace(states=solved.states[:, :, :size]), rest / sizes[:, None, :, None]


def _followed(
    plain: Schedule,
    tints: Sequence[Schedule],
    columns: tuple[int, ...],
    sizes: np.ndarray,
    size: int,
    inputs: int,
) -> tuple[Schedule, np.ndarray]:
    """Events with what they do to the derivatives; and how many rows stand for the first k rows of each
    patient. There are `size` states, and `inputs` inputs before the seeds.
    """
    _check_same(plain, tints)
    scale = sizes[plain.patients].T / STEP
    later = np.array([np.imag(t.time) for t in tints]) * scale
    more = np.array([np.imag(t.value) for t in tints]) * scale
    rows = []  # (source row, order within it, kind, index, value)
    for k in range(len(columns)):
        moved = np.flatnonzero(later[k])
        rows += [
            (moved, 0, np.full(len(moved), MOVE), np.full(len(moved), k), later[k][moved]),
            (moved, 3, np.full(len(moved), MOVE), np.full(len(moved), k), -later[k][moved]),
        ]
        rows += _beside(plain, more[k], k, columns[k], size, inputs)
    rows.append((np.arange(len(plain.time)), 1, plain.kind, plain.index, plain.value))
    source = np.concatenate([r[0] for r in rows])
    rank = np.concatenate([np.full(len(r[0]), r[1]) for r in rows])
    order = np.lexsort((rank, source))
    kind, index, value = (np.concatenate([r[i] for r in rows])[order] for i in (2, 3, 4))
    source = source[order]
    ends = np.searchsorted(source, np.arange(len(plain.time)), side="right")
    offsets = np.concatenate([[0], ends])[plain.offsets]
    return (
        Schedule(offsets, plain.time[source], kind.astype(np.int64), index.astype(np.int64), value),
        _slots(plain, np.concatenate([[0], ends]), offsets),
    )


def _check_same(plain: Schedule, tints: Sequence[Schedule]) -> None:
    """Refuses doses that become others where an input varies."""
    for tint in tints:
        if not _same(plain, tint):
            raise fail(
                "gradient",
                "the doses of patients with other inputs are not the same events",
                "a dosing that branches on an input has no derivative by it",
            )


def _same(plain: Schedule, tint: Schedule) -> bool:
    """Whether these are the same events; dividing complex numbers may round a time otherwise."""
    return all(
        np.array_equal(getattr(tint, f), getattr(plain, f)) for f in ("offsets", "kind", "index")
    ) and np.allclose(np.real(tint.time), plain.time, rtol=1e-12, atol=1e-300)


def _beside(plain: Schedule, more: np.ndarray, k: int, column: int, size: int, inputs: int) -> list[tuple]:
    """What events do to the derivatives by one quantity: an added amount's own derivative, and so on."""
    found = []
    for kind in (ADD, RATE, SCALE, ASSIGN, SET):
        own = plain.kind == kind
        if kind == SCALE and np.any(more[own] != 0):
            raise fail(
                "gradient",
                "what a removal leaves depends on an input that is followed",
                "leave that input out",
            )
        if kind == SET:
            if np.any(more[own & (plain.index != column)] != 0):
                raise fail(
                    "gradient",
                    "what an input is set to depends on another that is followed",
                    "leave that one out",
                )
            own &= plain.index == column
        elif kind == ADD:
            own &= more != 0
        rows = np.flatnonzero(own)
        index = np.full(len(rows), inputs + k) if kind == SET else size * (1 + k) + plain.index[rows]
        value = plain.value[rows] if kind == SCALE else more[rows]
        found.append((rows, 2, np.full(len(rows), kind), index, value))
    return found


def _slots(plain: Schedule, ends: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """How many rows stand for the first k rows of each patient, (patient, k)."""
    most = int(np.diff(plain.offsets).max(initial=0))
    rows = np.minimum(plain.offsets[:-1, None] + np.arange(most + 1), plain.offsets[1:, None])
    return ends[rows] - offsets[:-1, None]
