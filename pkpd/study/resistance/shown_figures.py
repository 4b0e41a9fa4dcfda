"""Published figures beside the arms of a study of resistance: which are of an arm’s population, what is
predicted of those.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pkpd.content.library import named, rows, text
from pkpd.content.naming import called
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue, NotFound, nearest
from pkpd.fit.intervals import ends
from pkpd.fit.result import fitted
from pkpd.parameters.draw import uniform
from pkpd.study.resistance.response_grid import MEASURES, Grid, measures
from pkpd.trial.arm import Arm
from pkpd.trial.figures import figure_values
from pkpd.trial.published import Figure
from pkpd.trial.reading import load_trial
from pkpd.trial.readout import Followed, Readout
from pkpd.trial.therapies import Therapy
from pkpd.trial.trial import Trial

TRIALS = 25  # of a published one's own size, under each draw
_PUBLISHED = ("figure", "cohorts", "drugs", "label")


@dataclass(frozen=True)
class Shown:
    """A published figure, the arms it is drawn beside, and what it is measured as.

    `apart` says why the figure is not that of the arm: it is compared only where there is no reason.
    `besides` is what else differs in how patients were read.
    """

    trial: Trial
    figure: Figure
    cohorts: tuple[str, ...]
    drugs: str
    measure: str
    label: str
    apart: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()


def measured_as(figure: Figure) -> str:
    """The measure that a published figure is one of; empty if it is of none."""
    for name, own in measures("").items():
        if (own.kind, own.endpoint) == (figure.kind, figure.endpoint) and abs(own.at - figure.at) < 1:
            return name
    return ""


def read_published(data: dict, where: str, grid: Grid, issues: list[Issue]) -> tuple[Shown, ...]:
    """The published figures that are drawn beside the arms."""
    trials: dict[str, Trial] = {}
    found = [
        _shown(entry, place, grid, trials, issues)
        for place, entry in rows(data.get("published"), f"{where}: published", _PUBLISHED, issues)
    ]
    return tuple(s for s in found if s is not None)


def _shown(
    entry: dict, place: str, grid: Grid, trials: dict[str, Trial], issues: list[Issue]
) -> Shown | None:
    before = len(issues)
    key, drugs, label = (
        text(entry, k, place, issues, need=k != "label") for k in ("figure", "drugs", "label")
    )
    cohorts, known, combinations = (
        entry.get("cohorts"),
        [c.name for c in grid.cohorts],
        [d.name for d in grid.drugs],
    )
    for name in cohorts if isinstance(cohorts, list) and cohorts else [cohorts]:
        if name not in known:
            issues.append(
                Issue(
                    f"{place}.cohorts",
                    f"{shown(name)} is not a cohort of the file",
                    nearest(str(name), known),
                )
            )
    if drugs and drugs not in combinations:
        issues.append(
            Issue(f"{place}.drugs", f"{drugs!r} is not one of the file's", nearest(drugs, combinations))
        )
    found = _published(key, f"{place}.figure", trials, issues) if key else None
    if found is None or len(issues) > before or not isinstance(cohorts, list):
        return None
    trial, figure = found
    own = tuple(dict.fromkeys(cohorts))
    return Shown(
        trial=trial,
        figure=figure,
        cohorts=own,
        drugs=drugs,
        measure=measured_as(figure),
        label=label or trial.title.partition(":")[0],
        apart=_apart(grid, own, drugs, trial, figure),
        besides=_besides(grid.trial, trial),
    )


def _published(
    key: str, place: str, trials: dict[str, Trial], issues: list[Issue]
) -> tuple[Trial, Figure] | None:
    """A figure of a trial of the library by `TRIAL/FIGURE:ARM`; each trial is read once."""
    name, _, own = key.rpartition("/")
    try:
        trial = trials[name] = trials.get(name) or load_trial(name)
    except ContentError as error:
        issues += error.issues
        return None
    except NotFound as error:
        issues.append(named(error, name, place))
        return None
    figure = next((f for f in trial.figures if f.key == own), None)
    if figure is None:
        issues.append(
            Issue(place, f"{trial.name} has no figure {own!r}", nearest(own, [f.key for f in trial.figures]))
        )
    elif not measured_as(figure) or not trial.scans:
        issues.append(
            Issue(
                place,
                f"{own!r} is none of what is measured here",
                "one of " + ", ".join(measures("")) + "; disease control at 16 weeks, duration at 12 months",
            )
        )
    elif figure.value is None:
        issues.append(Issue(place, f"{own!r} has no value", "name a figure that was seen"))
    else:
        return trial, figure
    return None


def _apart(grid: Grid, cohorts: tuple[str, ...], drugs: str, trial: Trial, figure: Figure) -> tuple[str, ...]:
    """In what the figure's patients, drugs and criteria are not those of the arms that it is drawn beside."""
    arm, own = trial.arm(figure.arm), grid.arm(cohorts[0], drugs)
    reasons = ["its patients are of several cohorts"] if len(cohorts) > 1 else []
    if len(cohorts) == 1 and _where_disease_is(arm) != _where_disease_is(own):
        reasons.append("where its patients have disease is otherwise, or mixed")
    if _contexts(arm) != _contexts(own):
        reasons.append(f"its trial lays other contexts on patients ({' or '.join(_contexts(arm))})")
    if _given(arm) != _given(own):
        reasons.append(f"its regimen is {_given(arm) or 'none'}")
    elif _entry(trial, own) != _entry(grid.trial, own):
        reasons.append("its trial lets the same drugs enter the disease otherwise")
    if trial.criteria != grid.trial.criteria:
        reasons.append(f"its criteria are {trial.criteria}")
    if figure.kind == "median" and trial.scans != grid.trial.scans:
        reasons.append(f"its median hangs on other scans (every {_every(trial)} weeks)")
    return (*reasons, *(["its trial gives it as context"] if figure.use == "context" else []))


def _entry(trial: Trial, arm: Arm) -> set[Therapy]:
    """How the drugs of an arm enter the disease."""
    given = arm.regimen.drugs if arm.regimen is not None else ()
    return {t for t in trial.therapies if t.drug in given}


def _besides(own: Trial, other: Trial) -> tuple[str, ...]:
    found = [f"scans every {_every(other)} weeks"] if own.scans != other.scans else []
    if own.confirmed != other.confirmed:
        found.append(f"responses {'confirmed' if other.confirmed else 'not confirmed'}")
    return tuple(found)


def _every(trial: Trial) -> str:
    return ", then ".join(f"{every / 7:g}" for every, _ in trial.scans)


def _where_disease_is(arm: Arm) -> set[tuple[float, frozenset]]:
    return {(g.share, frozenset(g.covariates)) for g in arm.patients if g.share > 0}


def _contexts(arm: Arm) -> dict[str, None]:
    """The sets that each group of an arm has laid on it, each combination once."""
    return dict.fromkeys(" with ".join(c.name for c in g.contexts) or "none" for g in arm.patients)


def _given(arm: Arm) -> str:
    return "" if arm.regimen is None else arm.regimen.name


def predicted(
    grid: Grid, shown: Shown, arms: dict[str, Readout | Followed], seed: int, draw: int
) -> np.ndarray:
    """A published figure, in its own unit, in trials of its own size resampled from the arm; none where it is
    not the arm's.
    """
    if shown.apart:
        return np.empty(0)
    arm = arms[grid.arm(shown.cohorts[0], shown.drugs).name]
    n = shown.trial.arm(shown.figure.arm).n
    key = (str(seed), "published", called(shown.trial.name), shown.figure.key, str(draw))
    u = uniform(key, TRIALS * n).reshape(TRIALS, n)
    return figure_values(
        grid.trial, {shown.figure.arm: arm.take((u * len(arm)).astype(int))}, (shown.figure,)
    )[0]


def scale(figure: Figure) -> float:
    """From a figure's own number to per cent; months stay."""
    return {"count": 100 / figure.n, "landmark": 100.0}.get(figure.kind, 1.0)


def published_row(shown: Shown, trials: np.ndarray, arms: tuple[dict, ...], account: dict | None) -> dict:
    """A published figure beside what is predicted of it in trials of its own size, and beside the
    arms' rows.
    """
    figure, trial = shown.figure, shown.trial
    used = account is not None and figure.key in fitted(account, trial.name)
    by, (low, middle, high) = scale(figure), ends(trials)
    own = [None if x is None else by * x for x in (figure.value, *(figure.interval or (None, None)))]
    told = [by * x if np.isfinite(x) else None for x in (middle, low, high)]
    value = figure.value
    inside = None if value is None or np.isnan(trials).all() else bool(low <= value <= high)
    return {
        "trial": called(trial.name),
        "figure": figure.name,
        "arm": figure.arm,
        "kind": figure.kind,
        "label": shown.label,
        "cohorts": list(shown.cohorts),
        "drugs": shown.drugs,
        "measure": shown.measure,
        "unit": MEASURES[shown.measure][1],
        "n": figure.n,
        **dict(zip(("published", "low", "high"), own, strict=True)),
        "level": figure.level if figure.interval else None,
        "interval_from": _interval_from(figure),
        "use": "fitted" if used else "context" if shown.apart else "predicted",
        **dict(zip(("predicted", "predicted_low", "predicted_high"), told, strict=True)),
        "inside": inside,
        "lies": _lies(shown, own, arms),
        "apart": list(shown.apart),
        "besides": list(shown.besides),
        "where": figure.where,
        "seen": figure.seen,
        "source": figure.source or trial.reference,
    }


def _lies(shown: Shown, own: list[float | None], arms: tuple[dict, ...]) -> str:
    """Where a figure's interval (its value, if it has none) lies beside those of the arms that it is drawn
    at.
    """
    beside = [
        r
        for r in arms
        if (r["drugs"], r["measure"]) == (shown.drugs, shown.measure) and r["cohort"] in shown.cohorts
    ]
    beside = [
        r for r in beside if r["low"] is not None or r["measure"] == "pfs_median"
    ]  # a median that is not reached is late
    value, low, high = own
    if not beside or value is None:
        return ""
    ends = [[np.inf if r[k] is None else r[k] for r in beside] for k in ("low", "high")]
    if (value if high is None else high) < min(ends[0]):
        return "below"
    return "above" if (value if low is None else low) > max(ends[1]) else "among"


def _interval_from(figure: Figure) -> str | None:
    return None if figure.interval is None else "exact binomial" if figure.kind == "count" else "published"
