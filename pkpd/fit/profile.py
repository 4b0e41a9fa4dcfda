"""Profile likelihoods: what the data say of each free quantity, whatever the others are.

A quantity is held at a few values, the others are put where they do best under their own priors (found on the
emulator, then evaluated exactly), and its own prior is left out. What it falls by is told against the best
point of all: PL(x) = max over the others of ln L + ln prior(others), drop(x) = max PL - PL(x). Its 95 % bound
is 1.92, half of chi-squared with one degree of freedom. Other than in the paper, the others keep their
priors. Raue et al., Bioinformatics 25:1923 (2009), doi:10.1093/bioinformatics/btp358.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pkpd.fit.likelihood import Objective
from pkpd.fit.posterior import Draws, Emulator, Tell, best_point, emulator, evaluate

DROP = 1.92  # half of chi-squared at 95 %, one degree of freedom
_ROUNDS = 2  # the second rests on the first one's exact values too
_NARROWED = 0.2


@dataclass(frozen=True)
class Profile:
    """A quantity's values on its scale, in order, and how far the profile log likelihood falls there below
    its highest.
    """

    scores: np.ndarray
    drops: np.ndarray

    @property
    def bounded(self) -> tuple[bool, bool]:
        """Whether the data speak against values below the best one, and against values above it."""
        top = int(self.drops.argmin())
        return bool((self.drops[:top] >= DROP).any()), bool((self.drops[top + 1 :] >= DROP).any())

    @property
    def says(self) -> str:
        """What the data say of the quantity, in words."""
        below, above = self.bounded
        if below and above:
            return "identified: the data bound it on both sides"
        if below or above:
            return f"bounded from {'below' if below else 'above'} only"
        return "not identified: the data bound it on neither side"


def narrowed(contraction: float) -> str:
    """How far the posterior is narrower than the prior, in words."""
    return "the data say little" if contraction < _NARROWED else f"narrowed by {100 * contraction:.0f} %"


def profiles(
    target: Objective, draws: Draws, state: dict, keep: Callable[[], None], tell: Tell
) -> tuple[Profile, ...]:
    """The profile of each free quantity: at the ends of its prior's 95 % interval, at its posterior's, and at
    its median.
    """
    first = 2 * target.fit.design + target.fit.draws
    low, middle, high = np.quantile(draws.scores, [0.025, 0.5, 0.975], axis=0)
    grids = np.sort(
        [target.centre - 1.96 * target.width, low, middle, high, target.centre + 1.96 * target.width], axis=0
    ).T
    total, done = _ROUNDS * grids.size, first

    def progress(i: int) -> None:
        tell("profiling", i - first, total)

    def held() -> np.ndarray:
        guess, known = emulator(target, state, done), state["points"][:done]
        return np.array(
            [_best_at(target, guess, known, i, at) for i, grid in enumerate(grids) for at in grid]
        )

    for _ in range(_ROUNDS):
        evaluate(target, state, held, done, grids.size, keep, progress)
        done += grids.size
    tell("profiling", total, total)
    best, value = best_point(target, state)
    found = np.concatenate([state["points"][first:done], best[None]])
    exact = np.append(target.log_likelihood(state["values"][first:done]), value - target.log_prior(best))
    return tuple(_profile(target, i, grid, found, exact) for i, grid in enumerate(grids))


def _others(target: Objective, points: np.ndarray, i: int) -> np.ndarray:
    """The log prior of all quantities but one."""
    z = (points - target.centre) / target.width
    return -0.5 * (np.sum(z * z, axis=-1) - z[..., i] ** 2)


def _profile(target: Objective, i: int, grid: np.ndarray, points: np.ndarray, exact: np.ndarray) -> Profile:
    """The best value of all rounds at each point of the grid, and that of the best point of all, which comes
    last.

    A value that no patient can have (its line refuses it) is left out: no data speak against it.
    """
    value = exact + _others(target, points, i)
    at = np.unique(np.append(grid, points[-1, i]))
    highest = np.array([value[points[:, i] == x].max() for x in at])
    possible = np.isfinite(highest)
    return Profile(at[possible], highest.max() - highest[possible])


def _best_at(target: Objective, guess: Emulator, known: np.ndarray, i: int, at: float) -> np.ndarray:
    """Where the other quantities do best by the emulator, within the range of evaluated points, with one
    held.
    """
    from scipy.optimize import minimize

    others = np.arange(known.shape[1]) != i

    def value(points: np.ndarray) -> np.ndarray:
        return target.log_likelihood(guess(points)) + _others(target, points, i)

    held = known.copy()
    held[:, i] = at
    start = held[int(np.argmax(value(held)))]
    if not others.any():
        return start

    def cost(x: np.ndarray) -> tuple[float, np.ndarray]:
        """The negated value and its slope, by central differences in one call of the emulator."""
        points = np.tile(start, (2 * len(x) + 1, 1))
        step = 1e-3 * target.width[others]
        points[:, others] = x + np.concatenate([np.zeros((1, len(x))), np.diag(step), -np.diag(step)])
        v = value(points)
        return -float(v[0]), -(v[1 : len(x) + 1] - v[len(x) + 1 :]) / (2 * step)

    bounds = np.stack([known.min(axis=0), known.max(axis=0)], axis=1)[others]
    out = minimize(cost, start[others], jac=True, method="L-BFGS-B", bounds=bounds)
    best = start.copy()
    best[others] = out.x
    return best
