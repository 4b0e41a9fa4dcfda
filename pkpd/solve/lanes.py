"""Patients in lanes: each lane goes from event to event with a step of its own, and takes the next patient when one is done.

The arrays are few and plain, as each costs compile time:

w        rows of LANES columns in blocks, the first of them named below
m        first row of each block of w; addresses of the compiled functions and of the blocks
c        integers of each lane
x        each patient's begin, states and inputs at the start
offsets, when, what   first event of each patient; (time, value) and (kind, index) of the events, in order
levels, deeds         (level, sign) of each crossing looked for; (crossing, kind, index, value) of what it does
crossed               when each patient met each crossing first, infinite before
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from pkpd.solve.driver import kept
from pkpd.solve.vector import LANES

OK, TOO_MANY_STEPS, STEP_TOO_SMALL, NOT_FINITE = 0, 1, 2, 3
_ADD, _RATE, _SCALE, _SET, _ASSIGN, _MOVE = 0, 1, 2, 3, 4, 5
_H, _ERROR, _FACTOR, _FLAG, _T, _NEXT, _STOP, _GROWTH, _FASTEST = range(9)
ROWS, WIDE = 9, 8 * LANES  # those nine at the head of w; the bytes of a row
NEAR = 0.01  # a crossing is found when the watched value is past its level by this share of rtol, or the step is tiny
(_PREPARE, _RATES, _PACE, _STEP, _ACCEPT, _PREPARE_WATCH, _WATCH, _HEAD,
 _Y, _P, _Q, _INFUSION, _A, _K, _TOLERANCE, _NEW, _D, _WATCH_Q, _NOW, _THEN, _LAST) = range(21)
BLOCKS = ("head", "y", "p", "q", "infusion", "a", "k", "tolerance", "new", "d", "watch_q", "now", "then", "last")
_WHO, _ROW, _OUT, _BUDGET, _DUE, _FRESH, _STALE, _WAITING = range(8)


@intrinsic
def _calling(typing, address, arrays):
    """Calls compiled code at an address with pointers."""
    if not isinstance(arrays, types.UniTuple):
        return None
    signature = types.void(types.int64, arrays)

    def generated(context, builder, sig, values):
        number = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [number] * arrays.count)
        code = builder.inttoptr(values[0], kind.as_pointer())
        builder.call(code, [builder.extract_value(values[1], i) for i in range(arrays.count)])
        return context.get_dummy_value()

    return signature, generated


_call: Any = _calling  # it takes an address and a tuple; numba supplies the rest


_OPTIONS = {"error_model": "numpy", "nogil": True, "_nrt": False}  # allocates nothing, counts no references


@njit(**_OPTIONS)
def _prepare(m, c):
    _call(m[1, _PREPARE], (m[1, _P], m[1, _Q]))
    if m[1, _WATCH]:
        _call(m[1, _PREPARE_WATCH], (m[1, _P], m[1, _WATCH_Q]))
    c[_STALE, 0] = 0


@njit(**_OPTIONS)
def _rates(m):
    _call(m[1, _RATES], (m[1, _Y], m[1, _Q], m[1, _INFUSION], m[1, _D]))


@njit(**_OPTIONS)
def _load(lane, i, w, m, c, x, offsets, most):
    """Puts patient i into a lane."""
    y, p, n = m[0, _Y], m[0, _P], m[0, _NEW] - m[0, _TOLERANCE] - 1
    for r in range(n):
        w[y + r, lane] = x[i, 1 + r]
        w[m[0, _INFUSION] + r, lane] = 0.0
    for r in range(x.shape[1] - 1 - n):
        w[p + r, lane] = x[i, 1 + n + r]
    for r in range(m[0, _LAST], w.shape[0]):
        w[r, lane] = np.nan  # nothing was watched before the start
    w[_T, lane], w[_NEXT, lane], w[_GROWTH, lane] = x[i, 0], 0.0, 6.0
    c[_WHO, lane], c[_ROW, lane], c[_OUT, lane], c[_BUDGET, lane] = i, offsets[i], 0, most
    c[_DUE, lane], c[_FRESH, lane], c[_STALE, 0] = 1, 1, 1


@njit(**_OPTIONS)
def _move(lane, j, shift, w, m, c, base):
    """What moving the time of an event does to the derivatives by quantity j: they gain shift times the rates."""
    if c[_STALE, 0]:
        _prepare(m, c)
    _rates(m)
    for r in range(base):
        w[m[0, _Y] + base * (1 + j) + r, lane] += shift * w[m[0, _D] + r, lane]


@njit(**_OPTIONS)
def _apply(lane, kind, i, value, w, m, c, base):
    """One event of the patient in a lane."""
    y = m[0, _Y] + i
    if kind == _ADD:
        w[y, lane] += value
    elif kind == _RATE:
        w[m[0, _INFUSION] + i, lane] = value
    elif kind == _SCALE:
        w[y, lane] *= value
    elif kind == _ASSIGN:
        w[y, lane] = value
    elif kind == _MOVE:
        _move(lane, i, value, w, m, c, base)
    elif w[m[0, _P] + i, lane] != value:
        w[m[0, _P] + i, lane] = value
        c[_STALE, 0] = 1
    if kind != _SET:  # an input's change leaves the states smooth: the last step will do
        c[_FRESH, lane] = 1


@njit(**_OPTIONS)
def _settle(lane, w, m, c, begin, offsets, when, what, outs, places, states, base):
    """Events and outputs due now; false when the patient is done, else the next stop lies ahead."""
    i, t = c[_WHO, lane], w[_T, lane]
    while c[_OUT, lane] < outs.shape[1]:
        o = c[_OUT, lane]
        limit = min(offsets[i + 1], offsets[i] + places[i, o])
        row = c[_ROW, lane]
        while row < limit and when[row, 0] <= t:
            kind = what[row, 0]
            if when[row, 0] >= begin or kind in (_RATE, _SET):  # the start holds earlier doses
                _apply(lane, kind, what[row, 1], when[row, 1], w, m, c, base)
            row += 1
        c[_ROW, lane] = row
        if t < outs[i, o]:
            w[_STOP, lane] = min(outs[i, o], when[row, 0]) if row < limit else outs[i, o]
            return True
        for r in range(states.shape[2]):
            states[i, o, r] = w[m[0, _Y] + r, lane]
        c[_OUT, lane] += 1
    return False


@njit(**_OPTIONS)
def _fill(w, m, c, x, offsets, when, what, outs, places, states, done, most, base):
    """Brings every lane that is due to its next stop, taking waiting patients; returns the number of busy lanes."""
    busy = 0
    for lane in range(LANES):
        while c[_DUE, lane]:
            i = c[_WHO, lane]
            if i >= 0:
                if _settle(lane, w, m, c, x[i, 0], offsets, when, what, outs, places, states, base):
                    c[_DUE, lane] = 0
                    break
                done[i, 1] = w[_T, lane]
                c[_WHO, lane] = -1
            if c[_WAITING, 0] == x.shape[0]:
                c[_DUE, lane] = 0
                w[_H, lane] = 1.0
            else:
                _load(lane, c[_WAITING, 0], w, m, c, x, offsets, most)
                c[_WAITING, 0] += 1
        busy += c[_WHO, lane] >= 0
    return busy


@njit(**_OPTIONS)
def _first_steps(w, m, c):
    """After a jump: a share of the time in which the fastest state changes by itself; a step that fails is rejected."""
    any_fresh = False
    for lane in range(LANES):
        any_fresh = any_fresh or c[_FRESH, lane] != 0
    if not any_fresh:
        return
    _call(m[1, _PACE], (m[1, _Y], m[1, _Q], m[1, _INFUSION], m[1, _TOLERANCE], m[1, _D],
                     m[1, _HEAD] + _FASTEST * WIDE))
    for lane in range(LANES):
        if c[_FRESH, lane] and c[_WHO, lane] >= 0:
            fastest, h = w[_FASTEST, lane], w[_NEXT, lane]
            span = w[_STOP, lane] - w[_T, lane]
            guess = min(span, np.sqrt(np.sqrt(w[m[0, _TOLERANCE], lane])) / fastest) if fastest > 0 else span
            w[_NEXT, lane] = guess if h == 0.0 else min(h, max(guess, 1e-6 * h))
        c[_FRESH, lane] = 0


@njit(**_OPTIONS)
def _past(lane, k, before, after, w, levels, crossed, i):
    """How far a crossing lies ahead in two rows of watched values: met if the first is positive, the second not."""
    if crossed[i, k] < np.inf:
        return -1.0, -1.0
    sign, level = levels[k, 1], levels[k, 0]
    return sign * (w[before + k, lane] - level), sign * (w[after + k, lane] - level)


@njit(**_OPTIONS)
def _shorter(lane, w, m, c, levels, crossed):
    """A shorter step if one meets a crossing and ends too far behind it, by the secant; else 0."""
    i, h, best = c[_WHO, lane], w[_H, lane], 0.0
    if h <= 1e-12 * max(abs(w[_T, lane]), 1e-3):
        return 0.0
    for k in range(levels.shape[0]):
        before, after = _past(lane, k, m[0, _NOW], m[0, _THEN], w, levels, crossed, i)
        if before > 0 and after <= 0 and -after > NEAR * w[m[0, _TOLERANCE], lane] * max(abs(levels[k, 0]), before):
            share = min(0.9, max(0.1, before / (before - after)))
            best = h * share if best == 0.0 else min(best, h * share)
    return best


@njit(**_OPTIONS)
def _cross(first, last, jumped, w, m, c, levels, deeds, crossed, base):
    """What happens at crossings met between two rows of watched values: by a jump, or by the steps just taken; if any."""
    found = False
    for lane in range(LANES):
        i = c[_WHO, lane]
        if i < 0 or not (jumped or w[_FLAG, lane] != 0.0):
            continue
        for k in range(levels.shape[0]):
            before, after = _past(lane, k, first, last, w, levels, crossed, i)
            w[m[0, _LAST] + k, lane] = w[last + k, lane]
            if before > 0 and after <= 0:
                crossed[i, k] = w[_T, lane]
                found = True
                for row in range(deeds.shape[0]):
                    if deeds[row, 0] == k:
                        _apply(lane, int(deeds[row, 1]), int(deeds[row, 2]), deeds[row, 3], w, m, c, base)
    return found


@njit(**_OPTIONS)
def _choose(w, c):
    """The step of each lane: never past its stop, and no sliver left before it."""
    for lane in range(LANES):
        if c[_WHO, lane] >= 0:
            left, h = w[_STOP, lane] - w[_T, lane], w[_NEXT, lane]
            w[_H, lane] = left if h >= left * 0.999999 else 0.5 * left if h > 0.5 * left else h


@njit(**_OPTIONS)
def _fail(lane, why, w, c, states, done):
    i = c[_WHO, lane]
    done[i, 0], done[i, 1] = why, w[_T, lane]
    states[i, c[_OUT, lane]:] = np.nan
    c[_WHO, lane], c[_DUE, lane] = -1, 1


@njit(**_OPTIONS)
def _judge(w, m, c, states, done, levels, crossed):
    """Accepts or rejects each lane's step and sets its next one."""
    for lane in range(LANES):
        w[_FLAG, lane] = 0.0
        if c[_WHO, lane] < 0:
            continue
        c[_BUDGET, lane] -= 1
        h, error, factor, t = w[_H, lane], w[_ERROR, lane], w[_FACTOR, lane], w[_T, lane]
        why = 0
        shorter = _shorter(lane, w, m, c, levels, crossed) if error <= 1.0 else 0.0
        if shorter > 0.0:
            w[_NEXT, lane] = shorter
        elif error <= 1.0:
            last = h == w[_STOP, lane] - t
            w[_T, lane] = w[_STOP, lane] if last else t + h
            grown = h * min(w[_GROWTH, lane], factor)
            w[_NEXT, lane] = max(w[_NEXT, lane], grown) if h < w[_NEXT, lane] else grown
            w[_GROWTH, lane], w[_FLAG, lane], c[_DUE, lane] = 6.0, 1.0, last
        else:
            finite = np.isfinite(error)
            w[_NEXT, lane], w[_GROWTH, lane] = h * (factor if finite else 0.1), 1.0
            if w[_NEXT, lane] < 1e-14 * max(abs(t), 1e-6):
                why = STEP_TOO_SMALL if finite else NOT_FINITE
        if why == 0 and c[_BUDGET, lane] <= 0 and not c[_DUE, lane]:
            why = TOO_MANY_STEPS
        if why:
            _fail(lane, why, w, c, states, done)


@kept
@njit(**_OPTIONS)
def solve_lanes(w, m, c, x, offsets, when, what, outs, places, states, done, levels, deeds, crossed, most, base):
    """Solves every patient of a chunk."""
    while _fill(w, m, c, x, offsets, when, what, outs, places, states, done, most, base):
        if c[_STALE, 0]:
            _prepare(m, c)
        if m[1, _WATCH]:
            _call(m[1, _WATCH], (m[1, _Y], m[1, _WATCH_Q], m[1, _NOW]))
            if _cross(m[0, _LAST], m[0, _NOW], True, w, m, c, levels, deeds, crossed, base):
                continue
        _first_steps(w, m, c)
        _choose(w, c)
        _call(m[1, _STEP], (m[1, _Y], m[1, _Q], m[1, _INFUSION], m[1, _HEAD] + _H * WIDE, m[1, _A], m[1, _K],
                         m[1, _TOLERANCE], m[1, _NEW], m[1, _HEAD] + _ERROR * WIDE))
        if m[1, _WATCH]:
            _call(m[1, _WATCH], (m[1, _NEW], m[1, _WATCH_Q], m[1, _THEN]))
        _judge(w, m, c, states, done, levels, crossed)
        _call(m[1, _ACCEPT], (m[1, _Y], m[1, _NEW], m[1, _HEAD] + _FLAG * WIDE))
        if m[1, _WATCH]:
            _cross(m[0, _NOW], m[0, _THEN], False, w, m, c, levels, deeds, crossed, base)
