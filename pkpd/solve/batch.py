"""The population engine: a stiff Rosenbrock method over thousands of patients, from jump to jump.

Rodas4 (order 4, embedded 3, L-stable; Hairer & Wanner, Solving Ordinary Differential Equations II, 1996).
"""

from __future__ import annotations

import os
from concurrent.futures import Executor

import numpy as np

from pkpd import store

os.environ.setdefault("NUMBA_CACHE_DIR", str(store.cache_folder() / "numba"))

from numba import njit, types  # noqa: E402 - the cache folder is set first

from pkpd.executor import run_all  # noqa: E402
from pkpd.model.compose import Model  # noqa: E402
from pkpd.schedule import Schedule  # noqa: E402
from pkpd.solve.compile import kernels, tolerances  # noqa: E402

OK, TOO_MANY_STEPS, STEP_TOO_SMALL, NOT_FINITE = 0, 1, 2, 3
REASONS = {TOO_MANY_STEPS: "took too many steps", STEP_TOO_SMALL: "needed a step too small to advance",
           NOT_FINITE: "met a value that is not finite"}
_CHUNK = 128

_A = (1.544, 0.9466785280815826, 0.2557011698983284, 3.314825187068521, 2.896124015972201, 0.9986419139977817,
      1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950)
_C = (-5.6688, -2.430093356833875, -0.2063599157091915, -0.1073529058151375, -9.594562251023355,
      -20.47028614809616, 7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160,
      8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054)

_RATES = types.FunctionType(types.void(types.f8[::1], types.f8[::1], types.f8[::1], types.f8[::1]))
_FACTOR = types.FunctionType(types.void(types.f8[::1], types.f8[::1], types.f8, types.f8[::1]))
_SOLVE = types.FunctionType(types.void(types.f8[::1], types.f8[::1]))


@njit(cache=True, error_model="numpy", nogil=True)
def _step(rates, factor, solve, y, p, infusion, h, a, k, work, new, atol, rtol):
    """One Rodas4 step of size h from y into new; returns its error over the tolerance."""
    n = y.size
    factor(y, p, 4.0 / h, a)
    place_a, place_c = 0, 0
    for s in range(6):
        for i in range(n):
            new[i] = y[i]
        if s == 5:
            place_a -= 4
        for j in range(min(s, 4)):
            for i in range(n):
                new[i] += _A[place_a] * k[j, i]
            place_a += 1
        if s == 5:
            for i in range(n):
                new[i] += k[4, i]
        rates(new, p, infusion, work)
        for j in range(s):
            weight = _C[place_c] / h
            place_c += 1
            for i in range(n):
                work[i] += weight * k[j, i]
        solve(a, work)
        for i in range(n):
            k[s, i] = work[i]
    total = 0.0
    for i in range(n):
        new[i] += k[5, i]
        size = max(abs(y[i]), abs(new[i]))
        e = k[5, i] / (atol[i] + rtol * size)
        total += e * e
    return np.sqrt(total / n)


@njit(cache=True, error_model="numpy", nogil=True)
def _first_step(rates, y, p, infusion, work, atol, rtol, span):
    """A first step: a share of the time in which the fastest state changes by itself; what fails is rejected."""
    rates(y, p, infusion, work)
    fastest = 0.0
    for i in range(y.size):
        if y[i] != 0.0:
            fastest = max(fastest, abs(work[i]) / (abs(y[i]) + atol[i] / rtol))
    return min(span, rtol**0.25 / fastest) if fastest > 0 else span


@njit(cache=True, error_model="numpy", nogil=True)
def _advance(rates, factor, solve, y, p, infusion, t, stop, h, a, k, work, new, atol, rtol, budget):
    """Integrates from t to stop; returns the status, the time reached, the next step and the steps left."""
    growth = 6.0
    while t < stop:
        budget -= 1
        if budget <= 0:
            return 1, t, h, budget
        left = stop - t
        if h >= left * 0.999999:
            h_now = left
        elif h > 0.5 * left:
            h_now = 0.5 * left
        else:
            h_now = h
        error = _step(rates, factor, solve, y, p, infusion, h_now, a, k, work, new, atol, rtol)
        if not np.isfinite(error):
            h, growth = 0.1 * h_now, 1.0
            if h < 1e-14 * max(abs(t), 1e-6):
                return 3, t, h, budget
            continue
        factor_h = min(growth, max(0.2, 0.9 * max(error, 1e-10) ** -0.25))
        if error > 1.0:
            h, growth = h_now * factor_h, 1.0
            if h < 1e-14 * max(abs(t), 1e-6):
                return 2, t, h, budget
            continue
        t = stop if h_now == left else t + h_now
        h = max(h, h_now * factor_h) if h_now < h else h_now * factor_h
        growth = 6.0
        for i in range(y.size):
            y[i] = new[i] if abs(new[i]) > 1e-150 else 0.0
    return 0, stop, h, budget


@njit(cache=True, error_model="numpy", nogil=True)
def _patient(rates, factor, solve, size, y, p, first, last, time, kind, index, value, outs, places, out, atol,
             rtol, begin, most):
    """One patient from event to event; fills out (time, state), returns status and the time reached."""
    n = y.size
    a, work, new, infusion = np.empty(size), np.empty(n), np.empty(n), np.zeros(n)
    k = np.empty((6, n))
    t, h, row, status, budget = begin, 0.0, first, 0, most
    for o in range(outs.size):
        limit = min(last, first + places[o])
        while True:
            fresh = False
            while row < limit and time[row] <= t:
                i = index[row]
                if time[row] < begin and kind[row] in (0, 2, 4):
                    pass  # the start holds it already
                elif kind[row] == 0:
                    y[i] += value[row]
                elif kind[row] == 1:
                    infusion[i] = value[row]
                elif kind[row] == 2:
                    y[i] *= value[row]
                elif kind[row] == 4:
                    y[i] = value[row]
                else:
                    p[i] = value[row]
                fresh = fresh or kind[row] != 3  # an input's change leaves the states smooth: the last step will do
                row += 1
            if t >= outs[o]:
                break
            stop = outs[o]
            if row < limit and time[row] < stop:
                stop = time[row]
            if fresh or h == 0.0:
                guess = _first_step(rates, y, p, infusion, work, atol, rtol, stop - t)
                h = guess if h == 0.0 else min(h, max(guess, 1e-6 * h))
            status, t, h, budget = _advance(rates, factor, solve, y, p, infusion, t, stop, h, a, k, work, new, atol,
                                            rtol, budget)
            if status != 0:
                out[o:] = np.nan
                return status, t
        for i in range(n):
            out[o, i] = y[i]
    return status, t


@njit([types.void(_RATES, _FACTOR, _SOLVE, types.i8, types.f8[:, ::1], types.f8[:, ::1], types.i8[::1],
                  types.f8[::1], types.i8[::1], types.i8[::1], types.f8[::1], types.f8[:, ::1], types.i8[:, ::1],
                  types.f8[:, :, ::1], types.f8[::1], types.f8, types.f8[::1], types.i8, types.i8[::1], types.f8[::1], types.i8,
                  types.i8)],
      cache=True, error_model="numpy", nogil=True)
def _patients(rates, factor, solve, size, start, inputs, offsets, time, kind, index, value, outs, places, out, atol,
              rtol, begin, most, status, reached, first, last):
    """Patients first to last, each on its own."""
    for i in range(first, last):
        status[i], reached[i] = _patient(
            rates, factor, solve, size, start[i].copy(), inputs[i].copy(), offsets[i], offsets[i + 1], time, kind,
            index, value, outs[i], places[i], out[i], atol, rtol, begin[i], most)


def solve_population(model: Model, start: np.ndarray, inputs: np.ndarray, schedule: Schedule, times: np.ndarray,
                     begin: np.ndarray, rtol: float = 1e-6, most_steps: int = 200_000,
                     executor: Executor | None = None,
                     places: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States of each patient at its times, a status (0 = solved) and the time reached.

    start (patient, state), inputs (patient, input), times (patient, time) in order, begin (patient,).
    Output at the time of an event is what it leaves behind, unless `places` (patient, time) says how many of the
    patient's events come before each output.
    """
    k, atol, n = kernels(model), tolerances(model, rtol), len(start)
    outs, begins = np.broadcast_to(times, (n, times.shape[1])), np.broadcast_to(begin, (n,))
    places = np.broadcast_to(np.diff(schedule.offsets)[:, None], outs.shape) if places is None else places
    jobs = []
    for first in range(0, n, _CHUNK):
        piece = slice(first, min(first + _CHUNK, n))
        rows = slice(schedule.offsets[piece.start], schedule.offsets[piece.stop])
        jobs.append((k, start[piece], inputs[piece], schedule.offsets[first:piece.stop + 1] - rows.start,
                     schedule.time[rows], schedule.kind[rows], schedule.index[rows], schedule.value[rows], outs[piece],
                     places[piece], begins[piece], atol, rtol, most_steps))
    solved = run_all(_solve_chunk, jobs, executor)
    return tuple(np.concatenate(x) for x in zip(*solved, strict=True))  # type: ignore[return-value]


def _solve_chunk(job: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some patients, from arrays of their own: what an executor elsewhere receives and returns."""
    k, start, inputs, offsets, time, kind, index, value, outs, places, begins, atol, rtol, most = job
    start, inputs, outs, begins = (np.array(x, dtype=float, order="C") for x in (start, inputs, outs, begins))
    places = np.array(places, dtype=np.int64, order="C")
    out = np.empty((*outs.shape, start.shape[1]))
    status, reached = np.zeros(len(start), dtype=np.int64), np.zeros(len(start))
    _patients(k.rates, k.factor, k.solve, k.size, start, inputs, offsets, time, kind, index, value, outs, places, out, atol,
              rtol, begins, most, status, reached, 0, len(start))
    return out, status, reached
