"""The reach of each state: about the magnitude that it can have, from above, from what enters each patient's
compartments.

It is the largest start value, dose, infusion or value set. For a state that none of these enters it is what
the others' rates bring until the end, or until its own loss holds it; one link of a chain after the other.
Where terms cancel, what counts is the terms: rates are looked at again beside the states. Each patient's
reach rests on the patient alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pkpd.regimen.schedule import ADD, ASSIGN, RATE, SET
from pkpd.solve.driver import kept
from pkpd.solve.layout import NEW, OPTIONS, D, K, P, Y, prepare, rates
from pkpd.solve.vector import LANES

NOTHING = 1e-100  # the reach of a state that nothing enters
BESIDE = 1e-3  # how far beside the states the rates are looked at again


@njit(**OPTIONS)
def _entering(i, x, offsets, when, what, end, found):
    """The largest of a patient's start values, doses, infusions and values set."""
    for r in range(found.shape[1]):
        found[i, r] = max(found[i, r], abs(x[i, 1 + r])) if np.isfinite(x[i, 1 + r]) else found[i, r]
    for row in range(offsets[i], offsets[i + 1]):
        kind, r, amount = what[row, 0], what[row, 1], abs(when[row, 1])
        if kind == RATE and amount > 0:
            later = row + 1
            while later < offsets[i + 1] and not (what[later, 0] == RATE and what[later, 1] == r):
                later += 1
            amount *= max((when[later, 0] if later < offsets[i + 1] else end) - when[row, 0], 0.0)
        if kind in (ADD, RATE, ASSIGN) and r < found.shape[1] and amount < np.inf:
            found[i, r] = max(found[i, r], amount)


@njit(**OPTIONS)
def _inputs(lane, i, x, offsets, when, what, deeds, later, w, m, states):
    """A patient's inputs in a lane: at the start, or the largest that they are set to later."""
    p = m[0, P]
    for r in range(x.shape[1] - 1 - states):
        w[p + r, lane] = x[i, 1 + states + r]
    for row in range(offsets[i], offsets[i + 1] if later else offsets[i]):
        if what[row, 0] == SET:
            w[p + what[row, 1], lane] = max(w[p + what[row, 1], lane], when[row, 1])
    for row in range(deeds.shape[0] if later else 0):
        if deeds[row, 1] == SET:
            w[p + int(deeds[row, 2]), lane] = max(w[p + int(deeds[row, 2]), lane], deeds[row, 3])


@njit(**OPTIONS)
def _looked_at(first, turn, span, aside, w, m, found):
    """The rates of the patients in the lanes: at their states, beside them, or with what is empty filled."""
    y, brought = m[0, Y], m[0, K]
    for lane in range(LANES):
        i = min(first + lane, found.shape[0] - 1)
        for r in range(found.shape[1]):
            full = found[i, r] * aside[r] if turn == 1 else found[i, r]
            if turn == 2 and full == 0:
                full = w[brought + r, lane] * span[i]
            w[y + r, lane] = full
    rates(m)


@njit(**OPTIONS)
def _flowing(first, span, aside, w, m, found):
    """One link of the chains: what the rates bring to the empty states of the patients in the lanes; whether
    anything.
    """
    d, plain, brought, moved = m[0, D], m[0, NEW], m[0, K], False
    for turn in range(3):
        _looked_at(first, turn, span, aside, w, m, found)
        for lane in range(LANES):
            i = min(first + lane, found.shape[0] - 1)
            for r in range(found.shape[1]):
                before, rate = w[plain + r, lane], w[d + r, lane]
                if turn == 0:
                    w[plain + r, lane] = rate
                elif turn == 1:
                    change = abs(rate - before) / BESIDE
                    change = max(abs(before), change) if change < np.inf else abs(before)
                    w[brought + r, lane] = change if change < np.inf else 0.0
                elif found[i, r] == 0 and w[brought + r, lane] > 0 and span[i] > 0:
                    loss = abs(rate - before) / (w[brought + r, lane] * span[i])
                    found[i, r] = w[brought + r, lane] / (1 / span[i] + (loss if loss < np.inf else 0.0))
                    moved = True
    return moved


@njit(**OPTIONS)
def _empty(first, found):
    for i in range(first, min(first + LANES, found.shape[0])):
        for r in range(found.shape[1]):
            if found[i, r] == 0:
                return True
    return False


@kept
@njit(**OPTIONS)
def _reaching(w, m, c, x, offsets, when, what, ends, span, deeds, aside, stated, later, states, found):
    """Fills in `found` (patient, state), which holds what crossings set."""
    for i in range(found.shape[0]):
        _entering(i, x, offsets, when, what, ends[i], found)
        for r in range(found.shape[1]):
            if found[i, r] == 0 and stated[r] > 0:
                found[i, r] = stated[r]
    for first in range(0, found.shape[0], LANES):
        for turn in range(2 if later else 1):
            if not _empty(first, found):
                break
            for lane in range(LANES):
                _inputs(
                    lane,
                    min(first + lane, found.shape[0] - 1),
                    x,
                    offsets,
                    when,
                    what,
                    deeds,
                    turn,
                    w,
                    m,
                    states,
                )
            prepare(m, c)
            for _ in range(found.shape[1]):
                if not (_empty(first, found) and _flowing(first, span, aside, w, m, found)):
                    break


def _set_by(deeds: np.ndarray, patients: int, states: int) -> np.ndarray:
    """The largest value that crossings set each state to (patient, state), 0 where none sets it."""
    found = np.zeros((patients, states))
    for _, kind, index, value in deeds:
        if kind == ASSIGN:
            found[:, int(index)] = np.maximum(found[:, int(index)], abs(value))
    return found


def reached(
    w: np.ndarray,
    m: np.ndarray,
    c: np.ndarray,
    x: np.ndarray,
    offsets: np.ndarray,
    when: np.ndarray,
    what: np.ndarray,
    ends: np.ndarray,
    deeds: np.ndarray,
    stated: np.ndarray,
    states: int,
) -> np.ndarray:
    """The reach of each state of a chunk's patients (patient, state), a power of two; the arrays are those of
    solve/lanes.

    ends    when each patient's run ends
    stated  the model's scale of each state, missing where it has none
    states  how many the program has, derivatives with them
    """
    found = _set_by(deeds, len(x), len(stated))
    later = bool(np.any(what[:, 0] == SET) or np.any(deeds[:, 1] == SET))
    aside = 1 + BESIDE * np.random.default_rng(1).uniform(0.5, 1, len(stated))
    span = np.maximum(ends - x[:, 0], 0.0)
    _reaching(w, m, c, x, offsets, when, what, ends, span, deeds, aside, stated, later, states, found)
    _, power = np.frexp(np.clip(np.where(found > 0, found, NOTHING), NOTHING, 1e250))
    return np.ldexp(1.0, power)
