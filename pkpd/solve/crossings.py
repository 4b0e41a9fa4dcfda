"""Crossings of levels by patients in lanes: the step that ends at one, and what happens there.

Watched values stand in rows for all lanes: where the last step or jump left them, and at both ends of the
step at hand. Below the values of a step's ends stand their rates of change.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pkpd.solve.layout import FLAG, LAST, NOW, OPTIONS, THEN, TOLERANCE, WHO, H, T, apply
from pkpd.solve.vector import LANES

# a crossing is found when the watched value is past its level by this share of rtol, or the step is tiny
NEAR = 0.01


@njit(**OPTIONS)
def past(lane, k, before, after, w, levels, crossed, i):
    """How far a crossing lies ahead in two rows of watched values: met if the first is positive, the second
    not.
    """
    if crossed[i, k] < np.inf:
        return -1.0, -1.0
    sign, level = levels[k, 1], levels[k, 0]
    return sign * (w[before + k, lane] - level), sign * (w[after + k, lane] - level)


@njit(**OPTIONS)
def _turn(a, b, slope_a, slope_b, near):
    """Where in a step, from 0 to 1, a value turns that lies on one side of 0 at both ends and on the other
    there; else 0.

    The value between is the cubic of values and slopes at the ends (Hermite); slopes are by the share of the
    step.
    """
    square, cube = 3 * (b - a) - 2 * slope_a - slope_b, 2 * (a - b) + slope_a + slope_b
    root = square * square - 3 * cube * slope_a
    if not root > 0:
        return 0.0
    half = -(square + (np.sqrt(root) if square >= 0 else -np.sqrt(root)))
    best = 0.0
    for share in (half / (3 * cube), slope_a / half):  # where the cubic's slope is 0
        if 0 < share < 1 and (best == 0.0 or share < best):
            value = a + share * (slope_a + share * (square + share * cube))
            if value < -near if a > 0 else value > near:
                best = share
    return best


@njit(**OPTIONS)
def shorter(lane, w, m, c, levels, crossed):
    """A shorter step, or 0: to a crossing, by the secant, if the step ends too far behind it; to where a
    value turns beyond its level within the step and is back at its end.
    """
    i, h, best, count = c[WHO, lane], w[H, lane], 0.0, levels.shape[0]
    if h <= 1e-12 * max(abs(w[T, lane]), 1e-3):
        return 0.0
    for k in range(count):
        if crossed[i, k] < np.inf:
            continue
        before, after = past(lane, k, m[0, NOW], m[0, THEN], w, levels, crossed, i)
        near = NEAR * w[m[0, TOLERANCE], lane] * max(abs(levels[k, 0]), abs(before))
        share = 0.0
        if before > 0 and after <= 0:
            share = before / (before - after) if -after > near else 0.0
        elif (before > 0) == (after > 0):
            along = levels[k, 1] * h
            share = _turn(
                before,
                after,
                along * w[m[0, NOW] + count + k, lane],
                along * w[m[0, THEN] + count + k, lane],
                near,
            )
        if share > 0.0:
            share = h * min(0.9, max(0.1, share))
            best = share if best == 0.0 else min(best, share)
    return best


@njit(**OPTIONS)
def cross(first, last, jumped, w, m, c, levels, deeds, crossed, floors, base):
    """What happens at crossings met between two rows of watched values: by a jump, or by the steps just
    taken; if any.
    """
    found = False
    for lane in range(LANES):
        i = c[WHO, lane]
        if i < 0 or not (jumped or w[FLAG, lane] != 0.0):
            continue
        for k in range(levels.shape[0]):
            before, after = past(lane, k, first, last, w, levels, crossed, i)
            w[m[0, LAST] + k, lane] = w[last + k, lane]
            if before > 0 and after <= 0:
                crossed[i, k] = w[T, lane]
                found = True
                for row in range(deeds.shape[0]):
                    if deeds[row, 0] == k:
                        apply(
                            lane, int(deeds[row, 1]), int(deeds[row, 2]), deeds[row, 3], w, m, c, floors, base
                        )
    return found
