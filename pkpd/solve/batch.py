"""The population engine: a stiff Rosenbrock method over thousands of patients in SIMD lanes, from jump to jump."""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np

from pkpd.executor import run_all
from pkpd.model.schema import Model
from pkpd.schedule import Schedule
from pkpd.solve.compile import FUNCTIONS, Program, kernels, tolerances
from pkpd.solve.lanes import BLOCKS, NOT_FINITE, OK, ROWS, STEP_TOO_SMALL, TOO_MANY_STEPS, solve_lanes
from pkpd.solve.vector import LANES, ROW

__all__ = ["OK", "REASONS", "solve_population"]
REASONS = {TOO_MANY_STEPS: "took too many steps", STEP_TOO_SMALL: "needed a step too small to advance",
           NOT_FINITE: "met a value that is not finite"}
_CHUNK = 256


def solve_population(model: Model, start: np.ndarray, inputs: np.ndarray, schedule: Schedule, times: np.ndarray,
                     begin: np.ndarray, rtol: float = 1e-6, most_steps: int = 200_000, executor: Executor | None = None,
                     places: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States of each patient at its times, a status (0 = solved) and the time reached.

    start (patient, state), inputs (patient, input), times (patient, time) in order, begin (patient,).
    Output at the time of an event is what it leaves behind, unless `places` (patient, time) says how many of the
    patient's events come before each output.
    """
    program, atol, n = kernels(model), tolerances(model, rtol), len(start)
    outs, begins = np.broadcast_to(times, (n, times.shape[1])), np.broadcast_to(begin, (n,))
    places = np.broadcast_to(np.diff(schedule.offsets)[:, None], outs.shape) if places is None else places
    jobs = []
    for first in range(0, n, _CHUNK):
        piece = slice(first, min(first + _CHUNK, n))
        rows = slice(schedule.offsets[piece.start], schedule.offsets[piece.stop])
        events = (schedule.offsets[first:piece.stop + 1] - rows.start, schedule.time[rows], schedule.kind[rows],
                  schedule.index[rows], schedule.value[rows])
        jobs.append((program, start[piece], inputs[piece], begins[piece], events, outs[piece], places[piece], rtol, atol,
                     most_steps))
    solved = run_all(solve_chunk, jobs, executor)
    return tuple(np.concatenate(x) for x in zip(*solved, strict=True))  # type: ignore[return-value]


def solve_chunk(job: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some patients, from arrays of their own: what an executor elsewhere receives and returns."""
    program, start, inputs, begin, events, outs, places, rtol, atol, most = job
    offsets, time, kind, index, value = events
    states, done = np.empty((*outs.shape, program.states)), np.zeros((len(start), 2))
    w, m = _work(program, inputs.shape[1], rtol, atol)
    c = np.zeros((7, LANES), dtype=np.int64)
    c[0], c[4] = -1, 1
    solve_lanes(w, m, c, np.column_stack([begin, start, inputs]), np.array(offsets, dtype=np.int64),
                np.column_stack([time, value]).astype(float), np.column_stack([kind, index]).astype(np.int64),
                np.array(outs, dtype=float, order="C"), np.array(places, dtype=np.int64, order="C"), states, done, most,
                len(program.model.compartments))
    return states, done[:, 0].astype(np.int64), done[:, 1]


def _work(program: Program, inputs: int, rtol: float, atol: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of LANES columns, each on a boundary of its own size as the compiled code expects; where each block begins."""
    n = program.states
    sizes = {"y": n, "p": inputs, "q": program.slots, "infusion": n, "a": program.factors, "k": 6 * n, "tolerance": n + 1,
             "new": n, "d": n}
    first = ROWS + np.cumsum([0, *(sizes[b] for b in BLOCKS)])
    block = np.zeros(first[-1] * LANES + LANES)
    at = (-block.ctypes.data % ROW) // 8
    w = block[at:at + first[-1] * LANES].reshape(-1, LANES)
    rows = dict(zip(BLOCKS, first, strict=False))
    w[rows["tolerance"]] = rtol
    w[rows["tolerance"] + 1:rows["tolerance"] + 1 + n] = atol[:, None]
    return w, np.array([w.ctypes.data, *(program.addresses[f] for f in FUNCTIONS), *(rows[b] for b in BLOCKS)], dtype=np.int64)
