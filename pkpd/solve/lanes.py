"""Patients in lanes: each lane goes from event to event with a step of its own, and takes the next patient
when one is done.

The arrays are those of solve/layout.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pkpd.regimen.schedule import RATE, SET
from pkpd.solve.crossings import cross, shorter
from pkpd.solve.driver import kept
from pkpd.solve.layout import (
    ACCEPT,
    DUE,
    ERROR,
    FACTOR,
    FASTEST,
    FLAG,
    FRESH,
    GROWING,
    GROWTH,
    HEAD,
    INFUSION,
    LAST,
    NEW,
    NEXT,
    NOT_FINITE,
    NOW,
    OPTIONS,
    OUT,
    PACE,
    ROW,
    STALE,
    STEP,
    STEP_TOO_SMALL,
    STOP,
    TAKEN,
    THEN,
    TOLERANCE,
    TOO_MANY_STEPS,
    WAITING,
    WATCH,
    WATCH_Q,
    WHO,
    WIDE,
    A,
    D,
    H,
    K,
    P,
    Q,
    T,
    Y,
    apply,
    call,
    prepare,
)
from pkpd.solve.vector import LANES


@njit(**OPTIONS)
def _load(lane, i, w, m, c, x, offsets, floors):
    """Puts patient i into a lane."""
    y, p, n = m[0, Y], m[0, P], m[0, NEW] - m[0, TOLERANCE] - 1
    for r in range(n):
        w[y + r, lane] = x[i, 1 + r]
        w[m[0, INFUSION] + r, lane] = 0.0
        w[m[0, TOLERANCE] + 1 + r, lane] = floors[i, r]
    for r in range(x.shape[1] - 1 - n):
        w[p + r, lane] = x[i, 1 + n + r]
    for r in range(m[0, LAST], w.shape[0]):
        w[r, lane] = np.nan  # nothing was watched before the start
    w[T, lane], w[NEXT, lane], w[GROWTH, lane] = x[i, 0], 0.0, 6.0
    c[WHO, lane], c[ROW, lane], c[OUT, lane], c[TAKEN, lane] = i, offsets[i], 0, 0
    c[DUE, lane], c[FRESH, lane], c[STALE, 0] = 1, 1, 1


@njit(**OPTIONS)
def _settle(lane, w, m, c, begin, offsets, when, what, outs, places, states, floors, base):
    """Events and outputs due now; false when the patient is done, else the next stop lies ahead."""
    i, t = c[WHO, lane], w[T, lane]
    while c[OUT, lane] < outs.shape[1]:
        o = c[OUT, lane]
        limit = min(offsets[i + 1], offsets[i] + places[i, o])
        row = c[ROW, lane]
        while row < limit and when[row, 0] <= t:
            kind = what[row, 0]
            if when[row, 0] >= begin or kind in (RATE, SET):  # the start holds earlier doses
                apply(lane, kind, what[row, 1], when[row, 1], w, m, c, floors, base)
            row += 1
        c[ROW, lane] = row
        if t < outs[i, o]:
            w[STOP, lane] = min(outs[i, o], when[row, 0]) if row < limit else outs[i, o]
            return True
        for r in range(states.shape[2]):
            states[i, o, r] = w[m[0, Y] + r, lane]
        c[OUT, lane] += 1
    return False


@njit(**OPTIONS)
def _fill(w, m, c, x, offsets, when, what, outs, places, states, done, floors, base):
    """Brings every lane that is due to its next stop, taking waiting patients; returns the number of busy
    lanes.
    """
    busy = 0
    for lane in range(LANES):
        while c[DUE, lane]:
            i = c[WHO, lane]
            if i >= 0:
                if _settle(lane, w, m, c, x[i, 0], offsets, when, what, outs, places, states, floors, base):
                    c[DUE, lane] = 0
                    break
                done[i, 1] = w[T, lane]
                c[WHO, lane] = -1
            if c[WAITING, 0] == x.shape[0]:
                c[DUE, lane] = 0
                w[H, lane] = 1.0
            else:
                _load(lane, c[WAITING, 0], w, m, c, x, offsets, floors)
                c[WAITING, 0] += 1
        busy += c[WHO, lane] >= 0
    return busy


@njit(**OPTIONS)
def _first_steps(w, m, c):
    """After a jump: a share of the time in which the fastest state changes by itself; a step that fails is
    rejected.
    """
    any_fresh = False
    for lane in range(LANES):
        any_fresh = any_fresh or c[FRESH, lane] != 0
    if not any_fresh:
        return
    call(
        m[1, PACE], (m[1, Y], m[1, Q], m[1, INFUSION], m[1, TOLERANCE], m[1, D], m[1, HEAD] + FASTEST * WIDE)
    )
    for lane in range(LANES):
        if c[FRESH, lane] and c[WHO, lane] >= 0:
            fastest, h = w[FASTEST, lane], w[NEXT, lane]
            span = w[STOP, lane] - w[T, lane]
            guess = min(span, np.sqrt(np.sqrt(w[m[0, TOLERANCE], lane])) / fastest) if fastest > 0 else span
            w[NEXT, lane] = guess if h == 0.0 else min(h, max(guess, 1e-6 * h))
        c[FRESH, lane] = 0


@njit(**OPTIONS)
def _choose(w, c):
    """The step of each lane: never past its stop, and no sliver left before it."""
    for lane in range(LANES):
        if c[WHO, lane] >= 0:
            left, h = w[STOP, lane] - w[T, lane], w[NEXT, lane]
            w[H, lane] = left if h >= left * 0.999999 else 0.5 * left if h > 0.5 * left else h


@njit(**OPTIONS)
def _fail(lane, why, w, c, states, done):
    i = c[WHO, lane]
    done[i, 0], done[i, 1] = why, w[T, lane]
    states[i, c[OUT, lane] :] = np.nan
    c[WHO, lane], c[DUE, lane] = -1, 1


@njit(**OPTIONS)
def _judge(w, m, c, states, done, levels, crossed, most):
    """Accepts or rejects each lane's step and sets its next one."""
    for lane in range(LANES):
        w[FLAG, lane] = 0.0
        if c[WHO, lane] < 0:
            continue
        c[TAKEN, lane] += 1
        h, error, factor, t = w[H, lane], w[ERROR, lane], w[FACTOR, lane], w[T, lane]
        why = 0
        less = shorter(lane, w, m, c, levels, crossed) if error <= 1.0 else 0.0
        if less > 0.0:
            w[NEXT, lane] = less
        elif error <= 1.0:
            last = h == w[STOP, lane] - t
            w[T, lane] = w[STOP, lane] if last else t + h
            grown = h * min(w[GROWTH, lane], factor)
            w[NEXT, lane] = max(w[NEXT, lane], grown) if h < w[NEXT, lane] else grown
            w[GROWTH, lane], w[FLAG, lane], c[DUE, lane] = 6.0, 1.0, last
        else:
            finite = np.isfinite(error)
            w[NEXT, lane], w[GROWTH, lane] = h * (factor if finite else 0.1), 1.0
            if w[NEXT, lane] < 1e-14 * max(abs(t), 1e-6):
                why = STEP_TOO_SMALL if finite else NOT_FINITE
        if why == 0 and c[TAKEN, lane] >= most and not c[DUE, lane]:
            why = TOO_MANY_STEPS
        if why:
            _fail(lane, why, w, c, states, done)


@kept
@njit(**OPTIONS)
def solve_lanes(
    w, m, c, x, offsets, when, what, outs, places, states, done, levels, deeds, crossed, floors, most, base
):
    """Solves every patient of a chunk, with at most so many steps from one event to the next."""
    while _fill(w, m, c, x, offsets, when, what, outs, places, states, done, floors, base):
        if c[STALE, 0]:
            prepare(m, c)
        if m[1, WATCH]:
            call(m[1, WATCH], (m[1, Y], m[1, WATCH_Q], m[1, INFUSION], m[1, NOW]))
            if cross(m[0, LAST], m[0, NOW], True, w, m, c, levels, deeds, crossed, floors, base):
                continue
        _first_steps(w, m, c)
        _choose(w, c)
        call(
            m[1, STEP],
            (
                m[1, Y],
                m[1, Q],
                m[1, INFUSION],
                m[1, HEAD] + H * WIDE,
                m[1, A],
                m[1, K],
                m[1, TOLERANCE],
                m[1, NEW],
                m[1, HEAD] + ERROR * WIDE,
            ),
        )
        if m[1, WATCH]:
            call(m[1, WATCH], (m[1, NEW], m[1, WATCH_Q], m[1, INFUSION], m[1, THEN]))
        _judge(w, m, c, states, done, levels, crossed, most)
        call(m[1, ACCEPT], (m[1, Y], m[1, NEW], m[1, HEAD] + FLAG * WIDE, m[1, TOLERANCE], m[1, GROWING]))
        if m[1, WATCH]:
            cross(m[0, NOW], m[0, THEN], False, w, m, c, levels, deeds, crossed, floors, base)
