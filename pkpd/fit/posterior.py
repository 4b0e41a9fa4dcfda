"""The posterior: sampled on an emulator of the model's figures, then put right by exact evaluations.

The emulator only proposes: each kept draw i is weighted by its exact posterior over the emulated one,
w_i = L_i / L_i(emulated) scaled to a sum of 1, and the effective number of draws, 1 / sum of w_i^2, says how
good the proposal was. Sampler: Goodman & Weare, Commun Appl Math Comput Sci 5:65 (2010),
doi:10.2140/camcos.2010.5.65, as in emcee (Foreman-Mackey et al. 2013, doi:10.1086/670067).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pkpd.fit.likelihood import Objective
from pkpd.machine.executor import stream
from pkpd.parameters.draw import uniform

Tell = Callable[[str, int, int], None]
Emulator = Callable[[np.ndarray], np.ndarray]
_STEPS, _BURN, _WALKERS, _KEEP_EVERY = 4000, 1000, 48, 10


@dataclass(frozen=True)
class Draws:
    """Equally weighted draws on the free scales (draw, quantity), and how they came about.

    Draws are taken anew by their weights, systematically. `effective` is the number of independent draws that
    the exact weights are worth, of `exact` evaluated; `error` the emulator's root-mean-square error in
    standard errors of the figures; `acceptance` the share of the sampler's steps that were taken.
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

    def progress(i: int) -> None:
        tell("sampling", i, total)

    def design() -> np.ndarray:
        return state["best"] + 0.6 * target.width * _normals(fit.seed, "design", fit.design, size)

    def wider() -> np.ndarray:
        chain, _ = _chain(target, emulator(target, state, fit.design), state["best"], fit.seed)
        return _pick(1.4 * (chain - chain.mean(axis=0)) + chain.mean(axis=0), fit.design)

    def drawn() -> np.ndarray:
        chain, state["acceptance"] = _chain(
            target, emulator(target, state, 2 * fit.design), state["best"], fit.seed
        )
        return _pick(chain, fit.draws)

    for done, count, propose in (
        (0, fit.design, design),
        (fit.design, fit.design, wider),
        (2 * fit.design, fit.draws, drawn),
    ):
        evaluate(target, state, propose, done, count, keep, progress)
    tell("sampling", total, total)
    return _weighted(target, emulator(target, state, 2 * fit.design), state, slice(2 * fit.design, total))


def _weighted(target: Objective, guess: Emulator, state: dict, which: slice) -> Draws:
    points, values = state["points"][which], state["values"][which]
    guessed = guess(points)
    exact = target.log_likelihood(values)
    logs = exact - target.log_likelihood(guessed)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    known = np.all(np.isfinite(values), axis=1)
    errors = np.concatenate(
        [t.errors(v) for t, v in zip(target.terms, target.split(values[known]), strict=True)], axis=1
    )
    error = np.sqrt(np.mean(((guessed - values)[known] / errors) ** 2))
    u = (np.arange(len(points)) + 0.5) / len(points)
    picked = np.searchsorted(np.cumsum(weights), u).clip(0, len(points) - 1)
    return Draws(
        points[picked], len(points), float(1 / np.sum(weights**2)), float(error), state["acceptance"]
    )


def best_point(target: Objective, state: dict) -> tuple[np.ndarray, float]:
    """The point of the highest log posterior of all that were evaluated, the climbs' best among them, and its
    value.
    """
    full = target.log_likelihood(state["values"]) + target.log_prior(state["points"])
    if full.max() > state["best_value"]:
        return state["points"][int(full.argmax())], float(full.max())
    return state["best"], state["best_value"]


def _normals(seed: int, name: str, n: int, size: int) -> np.ndarray:
    from scipy.special import ndtri

    return np.stack([ndtri(uniform((str(seed), name, str(j)), n)) for j in range(size)], axis=1)


def _pick(chain: np.ndarray, count: int) -> np.ndarray:
    return chain[np.linspace(0, len(chain) - 1, count).astype(int)]


def evaluate(
    target: Objective,
    state: dict,
    propose: Callable[[], np.ndarray],
    done: int,
    count: int,
    keep: Callable[[], None],
    progress: Callable[[int], None],
) -> None:
    """Evaluates the points proposed after `done` others, unless that has been done; the state is kept after
    every twenty.
    """
    skip = max(len(state["points"]) - done, 0)
    if skip >= count:
        return
    points = propose()
    for i, value in enumerate(stream(target.expected, points[skip:]), skip):
        progress(done + i)
        state["points"] = np.vstack([state["points"], points[i]])
        state["values"] = np.vstack([state["values"], value])
        state["calls"] += 1
        if i % 20 == 19 or i == count - 1:
            keep()


def emulator(target: Objective, state: dict, count: int) -> Emulator:
    """A smoothing spline (radial basis functions) of the figures over the free scales, on the first `count`
    points.

    g(s) = a + b' s + sum of c_i |s - s_i|^3 with s in prior sds; the smoothing of 0.1 lets it miss the points
    a little. The count is what a resumed run shares with one that was never broken.
    """
    from scipy.interpolate import RBFInterpolator

    points, values = state["points"][:count], state["values"][:count]
    good = np.all(np.isfinite(values), axis=1)
    spline = RBFInterpolator(
        points[good] / target.width, values[good], kernel="cubic", degree=1, smoothing=0.1
    )
    return lambda x: spline(np.atleast_2d(x) / target.width)


def _chain(target: Objective, guess: Emulator, best: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """An affine-invariant ensemble (emcee) on the emulated posterior."""
    import emcee

    def log_posterior(x: np.ndarray) -> np.ndarray:
        return target.log_prior(x) + target.log_likelihood(guess(x))

    start = best + 0.1 * target.width * _normals(seed, "walkers", _WALKERS, len(best))
    sampler = emcee.EnsembleSampler(_WALKERS, len(best), log_posterior, vectorize=True)
    sampler.run_mcmc(
        emcee.State(start, random_state=np.random.RandomState(seed).get_state()),
        _STEPS // _KEEP_EVERY,
        thin_by=_KEEP_EVERY,
        skip_initial_state_check=True,
    )
    kept = sampler.get_chain(discard=_BURN // _KEEP_EVERY, flat=True)
    assert kept is not None
    return kept, float(np.mean(sampler.acceptance_fraction))
