"""run_fit: several starts, then a posterior, with checkpoints; the result is a parameter file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

import pkpd
from pkpd import library, store
from pkpd.executor import run_all, stream
from pkpd.fit.free import Fit, put_all
from pkpd.fit.likelihood import Objective, objective
from pkpd.fit.posterior import Draws, sample
from pkpd.model.compose import load_model
from pkpd.parameters import load_parameters
from pkpd.population import uniform
from pkpd.regimen import load_regimen
from pkpd.trial.exposure import daily_model
from pkpd.trial.protocol import Trial, load_trial
from pkpd.values import Parameters

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class FitResult:
    """What a fit found: its starts, its best point, and draws of the posterior on the free scales."""

    fit: Fit
    starts: np.ndarray
    start_values: np.ndarray
    best: np.ndarray
    best_value: float
    draws: Draws
    observed: np.ndarray
    expected: np.ndarray
    covariance: np.ndarray
    figures: tuple[str, ...]
    calls: int

    @property
    def distance(self) -> float:
        """The squared Mahalanobis distance of the published figures from the best point's."""
        gap = self.observed - self.expected
        return float(gap @ np.linalg.solve(self.covariance, gap))


def run_fit(fit: Fit, resume: bool = False, tell: Tell = lambda what, done, of: None) -> FitResult:
    """Calibrates: covariance at the prior's centre, several starts, covariance again at the best, posterior."""
    trial = load_trial(fit.trial)
    base = load_parameters(fit.parameters, daily_model(trial.disease))
    key = store.content_hash(fit, trial, base.values, base.correlations, base.covariates, *_rests_on(trial))
    state = (store.restore("fits", key) if resume else None) or {}
    target = objective(fit, trial, base)
    if "covariance" not in state:
        target.covariance = target.estimate_covariance(target.centre)
        found = _optimise(target, state, key, tell)
        best = found[int(np.argmax([v for _, v, _ in found]))][0]
        target.covariance = target.estimate_covariance(best)
        found.extend(run_all(partial(_climb, target, 40 * len(best)), [best]))
        state |= {"covariance": target.covariance, "best": found[-1][0], "best_value": found[-1][1],
                  "calls": sum(calls for *_, calls in found)}
        store.checkpoint("fits", key, state)
    target.covariance = state["covariance"]
    draws = sample(target, state, lambda: store.checkpoint("fits", key, state), tell)
    best, value, starts = state["best"], state["best_value"], state["climbs"][:fit.starts]
    result = FitResult(fit, np.array([s for s, *_ in starts]), np.array([v for _, v, _ in starts]), best,
                       value, draws, target.observed, target.expected(best), target.covariance,
                       tuple(f.key for f in target.figures), state["calls"])
    store.forget("fits", key)
    return result


def _rests_on(trial: Trial) -> list[str]:
    """Hashes of all else that a fit computes with, so that a checkpoint of other content is never resumed."""
    systems = [load_model(system) for _, system in trial.treatments]
    found = [daily_model(trial.disease).hash, pkpd.__version__]
    found += [h for m in systems for h in (m.hash, load_parameters((), m).hash)]
    return found + [store.content_hash(load_regimen(a.regimen)) for a in trial.arms if a.regimen]


def _optimise(target: Objective, state: dict, key: str, tell: Tell) -> list[tuple[np.ndarray, float, int]]:
    """Local searches from the prior's centre and from draws of the prior; each finished one is kept."""
    from scipy.special import ndtri

    found = state.setdefault("climbs", [])
    count, size = target.fit.starts, len(target.centre)
    z = [0 * target.width, *(ndtri(uniform((str(target.fit.seed), "start", str(i)), size)) * 0.7 for i in range(1, count))]
    tell("searching", len(found), count)
    for climbed in stream(partial(_climb, target, 20 * size), [target.centre + x * target.width for x in z[len(found):]]):
        found.append(climbed)
        store.checkpoint("fits", key, state)
        tell("searching", len(found), count)
    return found


def _climb(target: Objective, most: int, start: np.ndarray) -> tuple[np.ndarray, float, int]:
    """The best point of a local search, its value, and how many evaluations it took."""
    from scipy.optimize import minimize

    calls = 0

    def cost(x: np.ndarray) -> float:
        nonlocal calls
        calls += np.isfinite(target.log_prior(x))
        return min(-target(x), 1e9)

    simplex = np.vstack([start, start + np.diag(0.4 * target.width)])
    out = minimize(cost, start, method="Nelder-Mead",
                   options={"maxfev": most, "xatol": 0.01, "fatol": 0.02, "initial_simplex": simplex})
    return out.x, -float(out.fun), int(calls)


def result_file(name: str) -> Path:
    """Where a fit's result is kept: in the checkout's library, or in the current folder of an installed package."""
    inside = library.ROOT.name == "_library"
    return Path(f"{name}.toml") if inside else library.ROOT / "fits" / "results" / f"{name}.toml"


def summary(result: FitResult) -> list[dict]:
    """Prior and posterior of each free quantity in its own unit, and how far the data moved it."""
    rows = []
    for i, f in enumerate(result.fit.free):
        draws = result.draws.scores[:, i]
        low, mid, high = f.from_scale(np.quantile(draws, [0.025, 0.5, 0.975]))  # type: ignore[misc]
        prior_low, prior_high = (float(f.from_scale(f.to_scale(f.at) + z * f.sd)) for z in (-1.96, 1.96))
        rows.append({"name": f.name, "line": f.key, "median": float(mid), "low": float(low), "high": float(high),
                     "prior": f.at, "prior_low": prior_low, "prior_high": prior_high,
                     "contraction": float(1 - np.std(draws) / f.sd)})
    return rows


def calibrated(result: FitResult, base: Parameters) -> Parameters:
    """The base set at the posterior's median point."""
    return put_all(result.fit.free, base, np.median(result.draws.scores, axis=0))
