"""The population engine: a stiff Rosenbrock method over thousands of patients in SIMD lanes, from jump to
jump.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from pkpd.machine.executor import is_here, run_all, workers
from pkpd.model.model import Model
from pkpd.regimen.schedule import Schedule
from pkpd.solve.compile import FUNCTIONS, Program, kernels, watcher
from pkpd.solve.lanes import solve_lanes
from pkpd.solve.layout import BLOCKS, NOT_FINITE, OK, ROWS, STEP_TOO_SMALL, TOO_MANY_STEPS
from pkpd.solve.reach import reached
from pkpd.solve.tolerance import Tolerance, scales, tolerances
from pkpd.solve.vector import LANES, ROW

__all__ = ["OK", "REASONS", "Solved", "Watch", "solve_population"]
REASONS = {
    TOO_MANY_STEPS: "took too many steps since its last event (more than most_steps)",
    STEP_TOO_SMALL: "needed a step too small to advance",
    NOT_FINITE: "met a value that is not finite",
}
_CHUNK = 256  # patients at most


class Solved(NamedTuple):
    """states (patient, time, state); status (patient,), 0 = solved; the time reached; when each crossing was
    first met.
    """

    states: np.ndarray
    status: np.ndarray
    reached: np.ndarray
    crossed: np.ndarray


@dataclass(frozen=True)
class Watch:
    """Crossings to look for: the names watched, (level, sign) of each, sign 1 where it is met falling, -1
    rising; and what each does, rows of (crossing, kind, index, value) as in a Schedule.
    """

    names: tuple[str, ...] = ()
    levels: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    deeds: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))


@dataclass(frozen=True)
class _Job:
    """Some patients, in plain arrays: what an executor elsewhere receives."""

    program: Program
    watch: Watch
    watcher: Program | None
    start: np.ndarray
    inputs: np.ndarray
    begin: np.ndarray
    schedule: Schedule
    outs: np.ndarray
    places: np.ndarray
    rtol: float
    atol: Tolerance
    most: int
    into: np.ndarray | None = None  # where its states go, if the memory is shared


def solve_population(
    model: Model,
    start: np.ndarray,
    inputs: np.ndarray,
    schedule: Schedule,
    times: np.ndarray,
    begin: np.ndarray,
    rtol: float = 1e-6,
    most_steps: int = 200_000,
    executor: Executor | None = None,
    places: np.ndarray | None = None,
    watch: Watch | None = None,
    columns: tuple[int, ...] = (),
    atol: Tolerance | None = None,
    done: Callable[[int, int], object] = lambda so_far, of: None,
) -> Solved:
    """Each patient's states at its times.

    start (patient, state), inputs (patient, input), times (patient, time) in order, begin (patient,).
    Output at the time of an event is what it leaves behind, unless `places` (patient, time) says how many of
    the patient's events come before each output.
    columns  inputs by which derivatives are followed: states, inputs and events are then as solve/gradient
             lays them out
    """
    n, watch = len(start), watch or Watch()
    outs, begins = np.broadcast_to(times, (n, times.shape[1])), np.broadcast_to(begin, (n,))
    places = np.broadcast_to(np.diff(schedule.offsets)[:, None], outs.shape) if places is None else places
    whole = _Job(
        program=kernels(model, columns),
        watch=watch,
        watcher=watcher(model, watch.names) if watch.names else None,
        start=start,
        inputs=inputs,
        begin=begins,
        schedule=schedule,
        outs=outs,
        places=places,
        rtol=rtol,
        atol=atol or tolerances(model, rtol),
        most=most_steps,
    )
    if is_here(executor):  # each thread writes where the result lies: none waits for a copy
        whole = replace(whole, into=np.empty((*outs.shape, whole.program.states)))
    pieces = [_cut(whole, p) for p in _pieces(n)]
    states, *rest = zip(*run_all(solve_chunk, pieces, executor, done), strict=True)
    return Solved(np.concatenate(states) if whole.into is None else whole.into, *map(np.concatenate, rest))


def _pieces(n: int) -> list[slice]:
    """Patients in pieces of about one size, as many for each thread."""
    threads = workers()
    count = max(min(2 * threads, -(-n // (4 * LANES))), -(-n // _CHUNK), 1)
    if count >= threads:
        count = min(count + -count % threads, n)
    return [slice(n * k // count, n * (k + 1) // count) for k in range(count)]


def _cut(job: _Job, piece: slice) -> _Job:
    """The job of some of the patients."""
    s = job.schedule
    rows = slice(s.offsets[piece.start], s.offsets[piece.stop])
    own = Schedule(
        s.offsets[piece.start : piece.stop + 1] - rows.start,
        s.time[rows],
        s.kind[rows],
        s.index[rows],
        s.value[rows],
    )
    return replace(
        job,
        start=job.start[piece],
        inputs=job.inputs[piece],
        begin=job.begin[piece],
        schedule=own,
        outs=job.outs[piece],
        places=job.places[piece],
        into=None if job.into is None else job.into[piece],
    )


def solve_chunk(job: _Job) -> Solved:
    """Solves a job's patients in lanes."""
    n = len(job.start)
    done: np.ndarray = np.zeros((n, 2))
    states: np.ndarray = np.empty((*job.outs.shape, job.program.states)) if job.into is None else job.into
    crossed = np.full((n, len(job.watch.names)), np.inf)
    w, m = _work(job)
    c = np.zeros((8, LANES), dtype=np.int64)
    c[0], c[4] = -1, 1  # every lane is free, and due
    x, offsets, when, what = _lists(job)
    deeds = np.array(job.watch.deeds, dtype=float)
    base, outs = len(job.program.model.compartments), np.array(job.outs, dtype=float, order="C")
    around = np.ones((n, base))
    if np.isnan(job.atol.fixed).any():
        stated = scales(job.program.model)
        around = reached(w, m, c, x, offsets, when, what, outs[:, -1].copy(), deeds, stated, states.shape[2])
    floors = job.atol.floors(np.tile(around, states.shape[2] // base))
    solve_lanes(
        w,
        m,
        c,
        x,
        offsets,
        when,
        what,
        outs,
        np.array(job.places, dtype=np.int64, order="C"),
        states,
        done,
        np.array(job.watch.levels, dtype=float),
        deeds,
        crossed,
        floors,
        job.most,
        base,
    )
    return Solved(states, done[:, 0].astype(np.int64), done[:, 1], crossed)


def _lists(job: _Job) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Begin, states and inputs of each patient; and the events, as solve/lanes has them."""
    s = job.schedule
    return (
        np.column_stack([job.begin, job.start, job.inputs]),
        np.array(s.offsets, dtype=np.int64),
        np.column_stack([s.time, s.value]).astype(float),
        np.column_stack([s.kind, s.index]).astype(np.int64),
    )


def magnitudes(
    model: Model, start: np.ndarray, inputs: np.ndarray, schedule: Schedule, end: np.ndarray
) -> np.ndarray:
    """The reach of each state (patient, state) from time 0 to `end` (patient,)."""
    n = len(start)
    job = _Job(
        program=kernels(model),
        watch=Watch(),
        watcher=None,
        start=start,
        inputs=inputs,
        begin=np.zeros(n),
        schedule=schedule,
        outs=end[:, None],
        places=np.zeros((n, 1), int),
        rtol=1e-6,
        atol=tolerances(model, 1e-6),
        most=0,
    )
    w, m = _work(job)
    return reached(
        w,
        m,
        np.zeros((8, LANES), dtype=np.int64),
        *_lists(job),
        end.astype(float),
        Watch().deeds,
        scales(model),
        start.shape[1],
    )


def _work(job: _Job) -> tuple[np.ndarray, np.ndarray]:
    """Rows of LANES columns, each on a boundary of its own size as the compiled code expects; where each
    block begins.
    """
    program, watched = job.program, len(job.watch.names)
    n = program.states
    sizes = {
        "head": ROWS,
        "y": n,
        "p": job.inputs.shape[1],
        "q": program.slots,
        "infusion": n,
        "a": program.factors,
        "k": 6 * n,
        "tolerance": n + 1,
        "new": n,
        "d": n,
        "growth": n,
        "watch_q": job.watcher.slots if job.watcher else 0,
        "now": 2 * watched,
        "then": 2 * watched,
        "last": watched,
    }
    first = np.cumsum([0, *(sizes[b] for b in BLOCKS)])
    block = np.zeros(first[-1] * LANES + LANES)
    at = (-block.ctypes.data % ROW) // 8
    w = block[at : at + first[-1] * LANES].reshape(-1, LANES)
    rows = dict(zip(BLOCKS, first, strict=False))
    w[rows["tolerance"]] = job.rtol
    w[rows["tolerance"] + 1 : rows["tolerance"] + 1 + n] = 1.0  # until a patient comes
    w[rows["growth"] : rows["growth"] + n] = job.atol.growth[:, None]
    watching = [job.watcher.addresses[f] if job.watcher else 0 for f in ("prepare", "watch")]
    codes = [*(program.addresses[f] for f in FUNCTIONS), *watching]
    addresses = [w.ctypes.data + ROW * row for row in first[:-1]]
    return w, np.array([[0] * len(codes) + [*first[:-1]], codes + addresses], dtype=np.int64)
