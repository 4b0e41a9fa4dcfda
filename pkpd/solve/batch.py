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
class _Patients:
    """Some patients, in plain arrays (see solve_population)."""

    start: np.ndarray
    inputs: np.ndarray
    begin: np.ndarray
    schedule: Schedule
    outs: np.ndarray
    places: np.ndarray
    into: np.ndarray | None = None  # where their states go, if the memory is shared

    def cut(self, piece: slice) -> _Patients:
        """Patients that stand side by side."""
        s = self.schedule
        rows = slice(s.offsets[piece.start], s.offsets[piece.stop])
        own = Schedule(
            s.offsets[piece.start : piece.stop + 1] - rows.start,
            s.time[rows],
            s.kind[rows],
            s.index[rows],
            s.value[rows],
        )
        return _Patients(
            start=self.start[piece],
            inputs=self.inputs[piece],
            begin=self.begin[piece],
            schedule=own,
            outs=self.outs[piece],
            places=self.places[piece],
            into=None if self.into is None else self.into[piece],
        )


@dataclass(frozen=True)
class _Job:
    """What solves some patients, and the patients: what an executor elsewhere receives."""

    program: Program
    patients: _Patients
    rtol: float
    atol: Tolerance
    most: int
    watch: Watch = field(default_factory=Watch)
    watcher: Program | None = None


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
    watch, program = watch or Watch(), kernels(model, columns)
    patients = _patients(start, inputs, schedule, times, begin, places)
    if is_here(executor):  # each thread writes where the result lies: none waits for a copy
        patients = replace(patients, into=np.empty((*patients.outs.shape, program.states)))
    whole = _Job(
        program=program,
        patients=patients,
        rtol=rtol,
        atol=atol or tolerances(model, rtol),
        most=most_steps,
        watch=watch,
        watcher=watcher(model, watch.names) if watch.names else None,
    )
    return _solved(whole, executor, done)


def _patients(
    start: np.ndarray,
    inputs: np.ndarray,
    schedule: Schedule,
    times: np.ndarray,
    begin: np.ndarray,
    places: np.ndarray | None,
) -> _Patients:
    """All patients, with times and begins of their own."""
    n = len(start)
    outs = np.broadcast_to(times, (n, times.shape[1]))
    if places is None:
        places = np.broadcast_to(np.diff(schedule.offsets)[:, None], outs.shape)
    return _Patients(
        start=start,
        inputs=inputs,
        begin=np.broadcast_to(begin, (n,)),
        schedule=schedule,
        outs=outs,
        places=places,
    )


def _solved(whole: _Job, executor: Executor | None, done: Callable[[int, int], object]) -> Solved:
    """Solves patients piece by piece, wherever the executor runs them."""
    everyone = whole.patients
    pieces = [replace(whole, patients=everyone.cut(p)) for p in _pieces(len(everyone.start))]
    states, *rest = zip(*run_all(solve_chunk, pieces, executor, done), strict=True)
    return Solved(
        np.concatenate(states) if everyone.into is None else everyone.into, *map(np.concatenate, rest)
    )


def _pieces(n: int) -> list[slice]:
    """Patients in pieces of about one size, as many for each thread."""
    threads = workers()
    count = max(min(2 * threads, -(-n // (4 * LANES))), -(-n // _CHUNK), 1)
    if count >= threads:
        count = min(count + -count % threads, n)
    return [slice(n * k // count, n * (k + 1) // count) for k in range(count)]


def solve_chunk(job: _Job) -> Solved:
    """Solves a job's patients in lanes."""
    own = job.patients
    n = len(own.start)
    done: np.ndarray = np.zeros((n, 2))
    states: np.ndarray = np.empty((*own.outs.shape, job.program.states)) if own.into is None else own.into
    crossed = np.full((n, len(job.watch.names)), np.inf)
    w, m = _work(job)
    c = np.zeros((8, LANES), dtype=np.int64)
    c[0], c[4] = -1, 1  # every lane is free, and due
    x, offsets, when, what = _lists(own)
    deeds = np.array(job.watch.deeds, dtype=float)
    base, outs = len(job.program.model.compartments), np.array(own.outs, dtype=float, order="C")
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
        np.array(own.places, dtype=np.int64, order="C"),
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


def _lists(patients: _Patients) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Begin, states and inputs of each patient; and the events, as solve/lanes has them."""
    s = patients.schedule
    return (
        np.column_stack([patients.begin, patients.start, patients.inputs]),
        np.array(s.offsets, dtype=np.int64),
        np.column_stack([s.time, s.value]).astype(float),
        np.column_stack([s.kind, s.index]).astype(np.int64),
    )


def magnitudes(
    model: Model, start: np.ndarray, inputs: np.ndarray, schedule: Schedule, end: np.ndarray
) -> np.ndarray:
    """The reach of each state (patient, state) from time 0 to `end` (patient,)."""
    patients = _patients(start, inputs, schedule, end[:, None], np.zeros(len(start)), None)
    w, m = _work(_Job(kernels(model), patients, 1e-6, tolerances(model, 1e-6), most=0))
    return reached(
        w,
        m,
        np.zeros((8, LANES), dtype=np.int64),
        *_lists(patients),
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
        "p": job.patients.inputs.shape[1],
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
