"""The posterior: sampled on an emulator of the model's figures, then put right by exact evaluations.

The emulator only proposes: each kept draw is weighted by its exact posterior over the emulated one, and the
effective number of draws says how good the proposal was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pkpd.executor import stream
from pkpd.fit.likelihood import Objective
from pkpd.population import uniform

Tell = Callable[[str, int, int], None]
_STEPS, _BURN, _WALKERS, _KEEP_EVERY = 4000, 1000, 48, 10


@dataclass(frozen=True)
class Draws:
    """Equally weighted draws on the free scales, and how they came about.

    `effective` is the number of independent draws that the exact weights are worth, of `exact` evaluated;
    `error` the emulator's root-mean-square error in standard errors of the figures.
    """

    scores: np.ndarray
    exact: int
    effective: float
    error: float
    acceptance: float


def sample(target: Objective, state: dict, keep: Callable[[], None], tell: Tell) -> Draws:
    """Draws of the posterior: two rounds of design points, an emulator on them, exact weights at the end."""
    fit, size = target.fit, len(target.centre)
    state.setdefault("points", np.empty((0, size)))
    state.setdefault("values", np.empty((0, len(target.figures))))
    total = 2 * fit.design + fit.draws
    z = _normals(fit.seed, "design", fit.design, size)
    _evaluate(target, state, state["best"] + 0.6 * target.width * z, 0, total, keep, tell)
    chain, _ = _chain(target, _emulator(target, state, fit.design), state["best"], fit.seed)
    spread = 1.4 * (chain - chain.mean(axis=0)) + chain.mean(axis=0)
    _evaluate(target, state, _pick(spread, fit.design), fit.design, total, keep, tell)
    emulator = _emulator(target, state, 2 * fit.design)
    chain, acceptance = _chain(target, emulator, state["best"], fit.seed)
    chosen = _pick(chain, fit.draws)
    done = 2 * fit.design
    _evaluate(target, state, chosen, done, total, keep, tell)
    tell("sampling", total, total)
    return _weighted(target, emulator, state, done, acceptance)


def _weighted(target: Objective, emulator: Callable, state: dict, done: int, acceptance: float) -> Draws:
    points, values = state["points"][done:], state["values"][done:]
    guess = emulator(points)
    exact = np.array([target.log_likelihood(v) for v in values])
    logs = exact - np.array([target.log_likelihood(g) for g in guess])
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    error = np.sqrt(np.mean((guess - values) ** 2 / np.diag(target.covariance)))
    u = (np.arange(len(points)) + 0.5) / len(points)
    picked = np.searchsorted(np.cumsum(weights), u).clip(0, len(points) - 1)
    full = exact + np.array([target.log_prior(x) for x in points])
    if full.max() > state["best_value"]:
        state["best"], state["best_value"] = points[int(full.argmax())], float(full.max())
    return Draws(points[picked], len(points), float(1 / np.sum(weights**2)), float(error), acceptance)


def _normals(seed: int, name: str, n: int, size: int) -> np.ndarray:
    from scipy.special import ndtri

    return np.stack([ndtri(uniform((str(seed), name, str(j)), n)) for j in range(size)], axis=1)


def _pick(chain: np.ndarray, count: int) -> np.ndarray:
    return chain[np.linspace(0, len(chain) - 1, count).astype(int)]


def _evaluate(target: Objective, state: dict, points: np.ndarray, done: int, total: int, keep: Callable[[], None],
              tell: Tell) -> None:
    """Evaluates points not evaluated yet; the state holds them in order and is kept after every twenty."""
    skip = max(len(state["points"]) - done, 0)
    for i, value in enumerate(stream(target.expected, points[skip:]), skip):
        tell("sampling", done + i, total)
        state["points"] = np.vstack([state["points"], points[i]])
        state["values"] = np.vstack([state["values"], value])
        state["calls"] += 1
        if i % 20 == 19 or i == len(points) - 1:
            keep()


def _emulator(target: Objective, state: dict, count: int) -> Callable[[np.ndarray], np.ndarray]:
    """A smoothing spline (radial basis functions) of the figures over the free scales, on the first `count` points.

    The count is what a resumed run shares with one that was never broken.
    """
    from scipy.interpolate import RBFInterpolator

    points, values = state["points"][:count], state["values"][:count]
    good = np.all(np.isfinite(values), axis=1)
    spline = RBFInterpolator(points[good] / target.width, values[good], kernel="cubic", degree=1, smoothing=0.1)
    return lambda x: spline(np.atleast_2d(x) / target.width)


def _chain(target: Objective, emulator: Callable, best: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """An affine-invariant ensemble (emcee) on the emulated posterior."""
    import emcee

    inverse = np.linalg.inv(target.covariance)

    def log_posterior(x: np.ndarray) -> np.ndarray:
        z = (x - target.centre) / target.width
        gap = target.observed - emulator(x)
        inside = np.all(np.abs(z) < 5, axis=1)
        return np.where(inside, -0.5 * np.sum(z * z, axis=1) - 0.5 * np.einsum("ki,ij,kj->k", gap, inverse, gap), -np.inf)

    start = best + 0.1 * target.width * _normals(seed, "walkers", _WALKERS, len(best))
    sampler = emcee.EnsembleSampler(_WALKERS, len(best), log_posterior, vectorize=True)
    sampler.run_mcmc(emcee.State(start, random_state=np.random.RandomState(seed).get_state()), _STEPS // _KEEP_EVERY,
                     thin_by=_KEEP_EVERY, skip_initial_state_check=True)
    kept = sampler.get_chain(discard=_BURN // _KEEP_EVERY, flat=True)
    assert kept is not None
    return kept, float(np.mean(sampler.acceptance_fraction))
