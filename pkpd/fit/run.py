"""run_fit: several starts, then a posterior, with checkpoints; the result is a parameter file.

A local search is the simplex of Nelder & Mead, Comput J 7:308 (1965), doi:10.1093/comjnl/7.4.308.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from pkpd.content.naming import called
from pkpd.fit.fit import Fit
from pkpd.fit.free import put_all
from pkpd.fit.intervals import ends
from pkpd.fit.likelihood import Objective, objective
from pkpd.fit.posterior import Draws, best_point, sample
from pkpd.fit.profile import Profile, narrowed, profiles
from pkpd.machine import cache, store
from pkpd.machine.doors import door
from pkpd.machine.executor import run_all, stream
from pkpd.machine.labels import Labelled, Row
from pkpd.parameters.draw import uniform
from pkpd.parameters.parameters import Parameters

Tell = Callable[[str, int, int], None]
_FAR = 999.0  # no larger fall of a profile is told


@dataclass(frozen=True, repr=False)
class FitResult(Labelled):
    """What a fit found: its starts, its best point, draws of the posterior on the free scales, and profiles.

    `target` is the objective with its covariances as the posterior has them; `expected` are the figures at
    the best point.
    """

    fit: Fit
    target: Objective
    starts: np.ndarray
    start_values: np.ndarray
    best: np.ndarray
    best_value: float
    expected: np.ndarray
    draws: Draws
    profiles: tuple[Profile, ...]
    calls: int

    def label(self) -> tuple[str, list[Row]]:
        rows = [
            (r["name"], f"{r['median']:.3g} ({r['low']:.3g} to {r['high']:.3g}); {r['says']}")
            for r in summary(self)
        ]
        return f"Result of fit {self.fit.name}: log posterior {self.best_value:.2f} at the best point", rows

    @property
    def terms(self) -> list[dict]:
        """Each trial's term at the best point: its log likelihood, and how far the published figures lie from
        the expected.
        """
        return [
            {
                "trial": called(t.trial.name),
                "kind": t.kind,
                "figures": len(t.figures),
                "log_likelihood": float(t.log_likelihood(v)),
                "distance_squared": float(t.distance(v)),
            }
            for t, v in zip(self.target.terms, self.target.split(self.expected), strict=True)
        ]


@door
def run_fit(
    fit: Fit,
    resume: bool = False,
    tell: Tell = lambda what, done, of: None,
    use: Callable[[FitResult], object] = lambda result: None,
) -> FitResult:
    """Calibrates: covariances at the prior's centre, starts, covariances at the best, posterior, profiles.

    `use` is what is done with the result while the checkpoint is still kept: writing it can fail.
    """
    key = store.content_hash(store.code_hash(), fit.hash)
    state = (cache.restore("fits", key) if resume else None) or {}
    target = objective(fit)
    if "best" not in state:
        state |= _searched(target, state, key, tell)
        cache.checkpoint("fits", key, state)
    target = target.with_covariances(state["covariances"])

    def keep() -> None:
        cache.checkpoint("fits", key, state)

    draws = sample(target, state, keep, tell)
    found = profiles(target, draws, state, keep, tell)
    best, value = best_point(target, state)
    starts = state["climbs"][: fit.starts]
    result = FitResult(
        fit=fit,
        target=target,
        starts=np.array([s for s, *_ in starts]),
        start_values=np.array([v for _, v, _ in starts]),
        best=best,
        best_value=value,
        expected=target.expected(best),
        draws=draws,
        profiles=found,
        calls=state["calls"],
    )
    use(result)
    cache.forget("fits", key)
    return result


def _searched(target: Objective, state: dict, key: str, tell: Tell) -> dict:
    """The best point of all searches, the covariances there, and how many evaluations it took."""
    target = target.settled(target.centre)
    found = _optimise(target, state, key, tell)
    at = found[int(np.argmax([v for _, v, _ in found]))][0]
    target = target.settled(at)
    found.extend(run_all(partial(_climb, target, 40 * len(at)), [at]))
    return {
        "covariances": target.covariances,
        "best": found[-1][0],
        "best_value": found[-1][1],
        "calls": sum(calls for *_, calls in found),
    }


def _optimise(target: Objective, state: dict, key: str, tell: Tell) -> list[tuple[np.ndarray, float, int]]:
    """Local searches from the prior's centre and from draws of the prior; each finished one is kept."""
    from scipy.special import ndtri

    found = state.setdefault("climbs", [])
    count, size = target.fit.starts, len(target.centre)
    z = [
        0 * target.width,
        *(ndtri(uniform((str(target.fit.seed), "start", str(i)), size)) * 0.7 for i in range(1, count)),
    ]
    tell("searching", len(found), count)
    for climbed in stream(
        partial(_climb, target, 20 * size), [target.centre + x * target.width for x in z[len(found) :]]
    ):
        found.append(climbed)
        cache.checkpoint("fits", key, state)
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
    out = minimize(
        cost,
        start,
        method="Nelder-Mead",
        options={"maxfev": most, "xatol": 0.01, "fatol": 0.02, "initial_simplex": simplex},
    )
    return out.x, -float(out.fun), int(calls)


def summary(result: FitResult) -> list[dict]:
    """Prior, posterior and profile of each free quantity in its own unit, and what the data say of it.

    Median and 95 % interval of the draws; the prior's is at - 1.96 sd to at + 1.96 sd on its scale.
    contraction is 1 - sd(posterior) / sd(prior) on the scale: of standard deviations, where others take
    variances.
    """
    rows = []
    for i, (f, profile) in enumerate(zip(result.fit.free, result.profiles, strict=True)):
        draws = result.draws.scores[:, i]
        low, mid, high = f.from_scale(np.array(ends(draws)))  # type: ignore[misc]
        prior_low, prior_high = (float(f.from_scale(f.to_scale(f.at) + z * f.sd)) for z in (-1.96, 1.96))
        contraction = float(1 - np.std(draws) / f.sd)
        rows.append(
            {
                "name": f.name,
                "line": f.key,
                "median": float(mid),
                "low": float(low),
                "high": float(high),
                "prior": f.at,
                "prior_low": prior_low,
                "prior_high": prior_high,
                "contraction": contraction,
                "profile_at": [float(f"{f.from_scale(x):.6g}") for x in profile.scores],
                "profile_drop": [round(float(min(x, _FAR)), 3) for x in profile.drops],
                "says": f"{profile.says} ({narrowed(contraction)})",
            }
        )
    return rows


def calibrated(result: FitResult, base: Parameters) -> Parameters:
    """The base set at the posterior's median point; what the fit set in contexts is among the draws only."""
    return put_all(result.fit.free, base, np.median(result.draws.scores, axis=0)).parameters
