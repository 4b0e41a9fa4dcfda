"""Equilibria: where nothing changes, sought from many starts by Newton's method, and whether each
is stable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

System = Callable[
    [np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]
]  # rows of a table, states: rates and Jacobian

_STEPS = 80  # of Newton's method at most
_BOUND = 10.0  # by which factor a step may change a state
_CLOSE = 1e-10  # relative, of states that have converged
_SAME = 1e-5  # relative: nearer than this, two equilibria are one
NEUTRAL = 1e-7  # 1/time: a rate below it neither grows nor fades


@dataclass(frozen=True)
class Equilibrium:
    """A state in which nothing changes, the eigenvalues of its Jacobian (1/time), and how many starts led to
    it.
    """

    state: np.ndarray
    values: np.ndarray
    starts: int

    @property
    def stable(self) -> bool:
        return bool(np.real(self.values).max() < NEUTRAL)


def solve(
    system: System, rows: np.ndarray, starts: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Roots of rates from starts (row, state), none below zero, and whether each has been found.

    A step takes no state below a tenth of it or beyond its tenfold, so that what is positive stays so.
    """
    x, done = starts.astype(float).copy(), np.zeros(len(starts), dtype=bool)
    open_ = np.arange(len(starts))
    for _ in range(_STEPS):
        rates, slopes = system(rows[open_], x[open_])
        good = np.asarray(np.isfinite(rates).all(axis=1) & np.isfinite(slopes).all(axis=(1, 2)))
        step = -_solved(
            np.where(good[:, None, None], slopes, np.eye(x.shape[1])), np.where(good[:, None], rates, 0.0)
        )
        moved = np.clip(x[open_] + step, x[open_] / _BOUND, x[open_] * _BOUND + scale)
        moved[moved < 1e-14 * scale] = 0.0
        near = (np.abs(moved - x[open_]) <= _CLOSE * (moved + 1e-6 * scale)).all(axis=1)
        x[open_] = moved
        done[open_[near & good]] = True
        open_ = open_[good & ~near]
        if not open_.size:
            break
    return x, done & _balanced(system, rows, x, scale)


def _solved(slopes: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """J⁻¹ f; where J is singular, the least step that comes nearest."""
    try:
        return np.linalg.solve(slopes, rates[..., None])[..., 0]
    except np.linalg.LinAlgError:
        return np.einsum("rij,rj->ri", np.linalg.pinv(slopes), rates)


def _balanced(system: System, rows: np.ndarray, x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Whether what is left of the rates is a small share of the flows that cancel in them."""
    rates, slopes = system(rows, x)
    turnover = np.einsum("rij,rj->ri", np.abs(slopes), x + 1e-6 * scale)
    return np.isfinite(rates).all(axis=1) & (np.abs(rates) <= 1e-7 * turnover + 1e-300).all(axis=1)


def distinct(system: System, row: int, found: np.ndarray, scale: np.ndarray) -> list[Equilibrium]:
    """The different ones of some roots of one row (start, state), in order of their first state, with their
    stability.
    """
    groups: list[list[np.ndarray]] = []
    for x in found[np.lexsort(found.T[::-1])]:
        own = next(
            (g for g in groups if np.all(np.abs(x - g[0]) <= _SAME * (np.abs(g[0]) + 1e-3 * scale))), None
        )
        if own is None:
            groups.append([x])
        else:
            own.append(x)
    states = [g[0] for g in groups]
    if not states:
        return []
    _, slopes = system(np.full(len(states), row), np.array(states))
    values = np.linalg.eigvals(slopes)
    return [Equilibrium(s, v, len(g)) for s, v, g in zip(states, values, groups, strict=True)]


def equilibria(system: System, starts: np.ndarray, scale: np.ndarray) -> list[Equilibrium]:
    """All equilibria of one system that some starts (start, state) lead to."""
    rows = np.zeros(len(starts), dtype=int)
    x, done = solve(system, rows, starts, scale)
    return distinct(system, 0, x[done], scale)
