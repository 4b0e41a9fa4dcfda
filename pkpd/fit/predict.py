"""Figures predicted from a posterior at the trial's own size, beside what was published.

Each of 32 draws of the posterior gives 25 trials (a set without draws: 800), resampled from new simulated
patients. A figure's interval has its ends at ranks p (n + 1) of all their values (`intervals`). The joint
check is the Mahalanobis distance D^2 = (y - m)' C^+ (y - m) of the published figures from the mean m and
covariance C of the simulated ones, on the scales of the fit; its p is the share of simulated trials that lie
as far or farther.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from pkpd.content.naming import called
from pkpd.fit.free import Point
from pkpd.fit.intervals import ends
from pkpd.fit.result import points
from pkpd.fit.terms import scaled
from pkpd.machine.executor import stream
from pkpd.parameters.parameters import Parameters
from pkpd.trial.figures import figure_values, replicates
from pkpd.trial.prepare import Prepared, admit
from pkpd.trial.published import Figure
from pkpd.trial.run import run_arm
from pkpd.trial.setting import setting, warm
from pkpd.trial.trial import Trial

Tell = Callable[[str, int, int], None]
DRAWS, PER_DRAW = 32, 25
_SHARES = (50, 80, 95)  # percent of the predicted values within an interval


def predict(
    trial: Trial,
    parameters: Parameters,
    patients: int = 1000,
    link: str = "",
    seed: int = 1000,
    fitted: tuple[str, ...] | None = None,
    tell: Tell = lambda what, done, of: None,
) -> dict:
    """Each figure's predictive median and 95 % interval, inside or outside, and a joint check of the fitted
    ones.

    The interval holds the posterior's uncertainty and the chance of a trial of the trial's size. Every draw
    of the posterior has patients of its own, none of them the fit's.
    """
    sets = points(parameters, DRAWS)
    tables, failures, lost = _simulated(trial, parameters, sets, patients, link, seed, tell=tell)
    values = np.concatenate(tables, axis=1)
    chance = np.sqrt(np.mean([_variance(scaled(trial, trial.figures, t)) for t in tables], axis=0))
    used = [f for f in trial.figures if f.use == "fit" and (fitted is None or f.key in fitted)]
    return {
        "trial": called(trial.name),
        "title": trial.title,
        "parameters": called(parameters.name),
        "link": link,
        "patients": patients,
        "draws": len(sets),
        "trials": values.shape[1],
        "seed": seed,
        "figures": [
            _row(trial, f, v, s, fitted) for f, v, s in zip(trial.figures, values, chance, strict=True)
        ],
        "joint": _joint(trial, used, values),
        "failures": failures,
        "failed_share": float(np.mean(lost)),
    }


def _simulated(
    trial: Trial,
    parameters: Parameters,
    sets: Sequence[Point],
    patients: int,
    link: str,
    seed: int,
    *,
    tell: Tell,
) -> tuple[list[np.ndarray], list[str], list[float]]:
    """Of each point: figures (figure, trial) of its trials and the share who failed; and who did."""
    places = [setting(trial, a, link) for a in trial.arms]
    warm(places)
    prepared = tuple(admit(place, parameters, patients, seed) for place in places)
    per = PER_DRAW if len(sets) > 1 else DRAWS * PER_DRAW
    tables, failures, lost = [], [], []
    tell("predicting", 0, len(sets))
    for failed, share, table in stream(partial(_draw, trial, prepared, per, seed), list(enumerate(sets))):
        tables.append(table)
        failures += failed
        lost.append(share)
        tell("predicting", len(tables), len(sets))
    return tables, failures, lost


def _variance(values: np.ndarray) -> np.ndarray:
    """Over trials; of the trials that have it where a figure is missing in some.

    0, from which no interval is derived, where over a twentieth are infinite, as the logarithm of a hazard
    ratio in whose arm no one has the event.
    """
    known = np.isfinite(values)
    if known.all():
        return np.var(values, axis=1)
    few = np.isinf(values).mean(axis=1) <= 0.05
    return np.array(
        [np.var(v[k]) if k.any() and f else 0.0 for v, k, f in zip(values, known, few, strict=True)]
    )


def _draw(
    trial: Trial, prepared: tuple[Prepared, ...], per: int, seed: int, numbered: tuple[int, Point]
) -> tuple[list[str], float, np.ndarray]:
    """Failures, the share of patients who failed, and figures of `per` trials (figure, trial), under one
    draw.
    """
    i, point = numbered
    arms = {a.arm.name: run_arm(point.of(a.others(f"{a.arm.name} {i}")), point.parameters) for a in prepared}
    failures = [f"{name}: {text}" for name, r in arms.items() for text in r.failures]
    lost = float(np.mean([r.failed.mean() for r in arms.values()]))
    return failures, lost, figure_values(trial, replicates(trial, arms, per, seed + i))


def _number(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


def _quantiles(values: np.ndarray) -> dict[str, list[float | None]]:
    """Central intervals of the predicted values by their percentage; None where a bound is not reached."""
    found = {}
    for share in _SHARES:
        low, _, high = ends(values, share / 100)
        found[str(share)] = [_number(low), _number(high)]
    return found


def _row(
    trial: Trial, figure: Figure, values: np.ndarray, chance: float, fitted: tuple[str, ...] | None
) -> dict:
    """One figure; `chance` is its standard error over trials of one parameter set, on its scale."""
    values = values[~np.isnan(values)] if np.isnan(values).any() else values
    low, middle, high = ends(values)
    use = figure.use
    if use == "fit" and fitted is not None and figure.key not in fitted:
        use = "predict"
    interval, seen = _published_interval(figure, values, chance)
    return {
        "trial": called(trial.name),
        "arm": figure.arm,
        "figure": figure.name,
        "kind": figure.kind,
        "use": use,
        "unit": figure.unit,
        "n": figure.n,
        "published": figure.value,
        "interval": None if interval is None else [float(x) for x in interval],
        "interval_from": seen,
        "level": figure.level,
        "predicted": _number(middle),
        "predicted_interval": [_number(low), _number(high)],
        "quantiles": _quantiles(values),
        "inside": None if figure.value is None or use == "context" else bool(low <= figure.value <= high),
        "where": figure.where,
        "seen": figure.seen,
        "source": figure.source or trial.reference,
    }


def _published_interval(
    figure: Figure, values: np.ndarray, chance: float
) -> tuple[tuple[float, float] | None, str | None]:
    """A published figure's own 95 % interval and whence it is; none was told and none can be derived: None.

    Where none was published it is derived: of a landmark from its own binomial error (that of simulated
    trials would be the model's), of others from the chance of simulated trials: of a change as it is, of the
    rest on the logarithm.
    """
    if figure.interval is not None:
        return figure.interval, "exact binomial" if figure.kind == "count" else "published"
    reached = values.size > 0 and np.mean(np.isfinite(values)) > 0.5
    if figure.value is None or chance <= 0 or not reached:
        return None, None
    if figure.kind == "landmark":
        wide = 1.96 * np.sqrt(figure.value * (1 - figure.value) / figure.n)
        return (max(figure.value - wide, 0), min(figure.value + wide, 1)), "derived"
    ends = np.array([-1.96, 1.96]) * chance
    low, high = figure.value + ends if figure.kind == "change" else figure.value * np.exp(ends)
    return (low, high), "derived"


def _joint(trial: Trial, figures: list[Figure], values: np.ndarray) -> dict | None:
    """How far the fitted figures lie from the predictive cloud, together: a Mahalanobis distance
    and its p.
    """
    if not figures:
        return None
    index = [trial.figures.index(f) for f in figures]
    cloud = scaled(trial, tuple(figures), values[index])
    cloud = cloud[:, np.all(np.isfinite(cloud), axis=0)]
    centre, inverse = cloud.mean(axis=1), np.linalg.pinv(np.atleast_2d(np.cov(cloud)))
    observed = scaled(trial, tuple(figures), np.array([f.value for f in figures], dtype=float))

    def distance(x: np.ndarray) -> np.ndarray:
        gap = x - centre[:, None]
        return np.einsum("ir,ij,jr->r", gap, inverse, gap)

    own = float(distance(observed[:, None])[0])
    return {"distance_squared": own, "figures": len(figures), "p": float(np.mean(distance(cloud) >= own))}
