"""The arrays of patients in lanes, and what an event does to one lane. They are few and plain, as each costs
compile time:

w        rows of LANES columns in blocks, the first of them named below
m        first row of each block of w; addresses of the compiled functions and of the blocks
c        integers of each lane
x        each patient's begin, states and inputs at the start
offsets, when, what   first event of each patient; (time, value) and (kind, index) of the events, in order
floors                the least absolute tolerance of each patient's states
levels, deeds         (level, sign) of each crossing looked for; (crossing, kind, index, value) of what it
                      does
crossed               when each patient met each crossing first, infinite before
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from pkpd.regimen.schedule import ADD, ASSIGN, RATE, SCALE, SET
from pkpd.solve.vector import LANES

OK, TOO_MANY_STEPS, STEP_TOO_SMALL, NOT_FINITE = 0, 1, 2, 3
# an event's kind, of solve/gradient: adds to the derivatives by quantity `index` the rates times `value`
MOVE = 5
H, ERROR, FACTOR, FLAG, T, NEXT, STOP, GROWTH, FASTEST = range(9)
ROWS, WIDE = 9, 8 * LANES  # those nine at the head of w; the bytes of a row
(
    PREPARE,
    RATES,
    PACE,
    STEP,
    ACCEPT,
    PREPARE_WATCH,
    WATCH,
    HEAD,
    Y,
    P,
    Q,
    INFUSION,
    A,
    K,
    TOLERANCE,
    NEW,
    D,
    GROWING,
    WATCH_Q,
    NOW,
    THEN,
    LAST,
) = range(22)
BLOCKS = (
    "head",
    "y",
    "p",
    "q",
    "infusion",
    "a",
    "k",
    "tolerance",
    "new",
    "d",
    "growth",
    "watch_q",
    "now",
    "then",
    "last",
)
WHO, ROW, OUT, TAKEN, DUE, FRESH, STALE, WAITING = range(8)


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


call: Any = _calling  # it takes an address and a tuple; numba supplies the rest


OPTIONS = {"error_model": "numpy", "nogil": True, "_nrt": False}  # allocates nothing, counts no references


@njit(**OPTIONS)
def prepare(m, c):
    call(m[1, PREPARE], (m[1, P], m[1, Q]))
    if m[1, WATCH]:
        call(m[1, PREPARE_WATCH], (m[1, P], m[1, WATCH_Q]))
    c[STALE, 0] = 0


@njit(**OPTIONS)
def rates(m):
    call(m[1, RATES], (m[1, Y], m[1, Q], m[1, INFUSION], m[1, D]))


@njit(**OPTIONS)
def move(lane, j, shift, w, m, c, base):
    """What moving the time of an event does to the derivatives by quantity j: they gain shift times the
    rates.
    """
    if c[STALE, 0]:
        prepare(m, c)
    rates(m)
    for r in range(base):
        w[m[0, Y] + base * (1 + j) + r, lane] += shift * w[m[0, D] + r, lane]


@njit(**OPTIONS)
def apply(lane, kind, i, value, w, m, c, floors, base):
    """One event of the patient in a lane. What is set or removed no longer counts in its tolerance."""
    c[TAKEN, lane] = 0
    y, atol = m[0, Y] + i, m[0, TOLERANCE] + 1 + i
    if kind == ADD:
        w[y, lane] += value
    elif kind == RATE:
        w[m[0, INFUSION] + i, lane] = value
    elif kind == SCALE:
        w[y, lane] *= value
        w[atol, lane] = max(floors[c[WHO, lane], i], w[atol, lane] * abs(value))
    elif kind == ASSIGN:
        w[y, lane], w[atol, lane] = value, floors[c[WHO, lane], i]
    elif kind == MOVE:
        move(lane, i, value, w, m, c, base)
    elif w[m[0, P] + i, lane] != value:
        w[m[0, P] + i, lane] = value
        c[STALE, 0] = 1
    if kind != SET:  # an input's change leaves the states smooth: the last step will do
        c[FRESH, lane] = 1
