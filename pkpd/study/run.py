"""run_study: every arm of every sweep under draws of the posterior and under each kill link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pkpd.fit.result import load_result, posterior
from pkpd.study.neoadjuvant import FIGURES, arm, metrics
from pkpd.study.sweep import Study
from pkpd.trial.protocol import Trial, load_trial
from pkpd.trial.run import Prepared, prepare, run_arm
from pkpd.values import Parameters

Tell = Callable[[str, int, int], None]
Pair = tuple[int, int]


@dataclass(frozen=True)
class StudyResult:
    """A study's table, one row a figure, sweep, number of cycles and link, with its 95 % interval.

    The interval holds the posterior and the chance of the patients drawn. `difference` compares with the study's
    reference plan in the same patients. `reference` rows are surgery alone; `sensitivity` rows are the calibrated
    link with the other convention on vanished lesions.
    """

    study: Study
    trial: Trial
    parameters: Parameters
    fit: dict
    rows: tuple[dict, ...]
    reference: tuple[dict, ...]
    sensitivity: tuple[dict, ...] = ()


def run_study(study: Study, tell: Tell = lambda what, done, of: None) -> StudyResult:
    """Runs a study; every arm treats the same virtual patients under the same draws of the posterior."""
    trial = load_trial(study.trial)
    parameters, account = load_result(study.fit)
    names = [name for name, _ in trial.treatments]
    main = account.get("link") or names[0]
    links = [main, *(x for x in names if x != main)]
    other = replace(trial, vanished="left" if trial.vanished == "resected" else "resected")
    pairs = list(dict.fromkeys((b, s.after_for(b)) for s in study.sweeps for b in s.before))
    tasks = [(link, pair) for link in links for pair in [*pairs, (0, 0)]]
    found: dict[tuple[str, Pair], list[dict]] = {}
    changed: dict[tuple[str, Pair], list[dict]] = {}
    for done, (link, pair) in enumerate(tasks):
        tell("simulating", done, len(tasks))
        prepared = prepare(trial, arm(study, trial, *pair), parameters, study.patients, link, study.seed, stream="study")
        found[link, pair] = _draws(study, prepared, parameters, study.draws if link == main else study.draws_other_links)
        if link == main:
            changed[link, pair] = _draws(study, replace(prepared, trial=other), parameters, study.draws_other_links)
    tell("simulating", len(tasks), len(tasks))
    rows = [row for s in study.sweeps for b in s.before for link in links
            for row in _rows(study, s.name, (b, s.after_for(b)), link, found)]
    sensitivity = [row for s in study.sweeps for b in s.before
                   for row in _rows(study, s.name, (b, s.after_for(b)), main, changed)]
    reference = [row for link in links for row in _rows(study, "surgery_alone", (0, 0), link, found)]
    return StudyResult(study, trial, parameters, account, tuple(rows), tuple(reference), tuple(sensitivity))


def _draws(study: Study, prepared: Prepared, parameters: Parameters, count: int) -> list[dict]:
    """The metrics of one arm under each draw of the posterior, each in patients of its own."""
    people = prepared.repeated(study.repeats)
    return [metrics(run_arm(people.others(f"study {k}"), p), study.small) for k, p in enumerate(posterior(parameters, count))]


def _rows(study: Study, sweep: str, pair: Pair, link: str, found: dict) -> list[dict]:
    draws, against = found[link, pair], found[link, study.reference]
    rows = []
    for figure, (unit, _) in FIGURES.items():
        values, base = (np.array([d[figure] for d in table]) for table in (draws, against))
        with np.errstate(invalid="ignore"):
            gap = np.where(np.isfinite(values) & np.isfinite(base), values - base, np.nan)
        rows.append({"sweep": sweep, "before": pair[0], "after": pair[1], "link": link, "figure": figure, "unit": unit,
                     **_interval(values), "informed": pair[0] in study.informed, "difference": _interval(gap)})
    return rows


def _interval(values: np.ndarray) -> dict[str, float | None]:
    """Median over the draws and central 95 % interval; None where it is not reached (infinite) or not defined."""
    known = values[~np.isnan(values)]
    if known.size < 0.5 * values.size:
        return {"value": None, "low": None, "high": None}
    found = np.quantile(np.minimum(known, 1e9), [0.5, 0.025, 0.975])  # above: between finite and infinite draws
    value, low, high = (None if x > 1e6 else float(x) for x in found)
    return {"value": value, "low": low, "high": high}
