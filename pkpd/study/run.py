"""run_study: every arm of every sweep under draws of the posterior and under each kill link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pkpd.fit.result import load_result, posterior
from pkpd.study.neoadjuvant import FIGURES, arm, metrics
from pkpd.study.sweep import Study
from pkpd.trial.protocol import Trial, load_trial
from pkpd.trial.run import prepare, run_arm
from pkpd.values import Parameters

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class StudyResult:
    """A study's table, one row a figure, sweep, number of cycles and link, with its 95 % interval over the posterior.

    `difference` rows compare with the reference arm (six before, as in the trial) in the same patients.
    """

    study: Study
    trial: Trial
    parameters: Parameters
    fit: dict
    rows: tuple[dict, ...]
    reference: tuple[dict, ...]


def run_study(study: Study, tell: Tell = lambda what, done, of: None) -> StudyResult:
    """Runs a study; every arm treats the same virtual patients."""
    trial = load_trial(study.trial)
    parameters, account = load_result(study.fit)
    links = [name for name, _ in trial.treatments]
    main = account.get("link") or links[0]
    pairs = list(dict.fromkeys((b, s.after_for(b)) for s in study.sweeps for b in s.before))
    tasks = [(link, pair) for link in [main, *(x for x in links if x != main)] for pair in [*pairs, (0, 0)]]
    found: dict[tuple, list[dict]] = {}
    for done, (link, pair) in enumerate(tasks):
        tell("simulating", done, len(tasks))
        count = study.draws if link == main else study.draws_other_links
        found[link, pair] = _arm(study, trial, parameters, link, pair, count)
    tell("simulating", len(tasks), len(tasks))
    rows = [row for s in study.sweeps for b in s.before for link in [main, *(x for x in links if x != main)]
            for row in _rows(study, s.name, b, s.after_for(b), link, found)]
    reference = [row for link in links for row in _rows(study, "surgery_alone", 0, 0, link, found)]
    return StudyResult(study, trial, parameters, account, tuple(rows), tuple(reference))


def _arm(study: Study, trial: Trial, parameters: Parameters, link: str, pair: tuple[int, int], count: int) -> list[dict]:
    """The metrics of one arm under each draw of the posterior."""
    chosen = arm(study, trial, *pair)
    prepared = prepare(trial, chosen, parameters, study.patients, link, study.seed, stream="study")
    return [metrics(run_arm(prepared, p), study.small) for p in posterior(parameters, count)]


def _rows(study: Study, sweep: str, before: int, after: int, link: str, found: dict) -> list[dict]:
    draws = found[link, (before, after)]
    against = found.get((link, (6, 6)))
    rows = []
    for figure, (unit, _) in FIGURES.items():
        values = np.array([d[figure] for d in draws])
        row = {"sweep": sweep, "before": before, "after": after, "link": link, "figure": figure, "unit": unit,
               **_interval(values), "informed": before in study.informed}
        if against is not None:
            row["difference"] = _interval(values - np.array([d[figure] for d in against]))
        rows.append(row)
    return rows


def _interval(values: np.ndarray) -> dict[str, float | None]:
    """Mean over the posterior and its central 95 % interval; None where a figure is not reached in most draws."""
    finite = values[np.isfinite(values)]
    if finite.size < 0.5 * values.size:
        return {"value": None, "low": None, "high": None}
    full = np.where(np.isfinite(values), values, np.inf)
    low, high = np.quantile(full, [0.025, 0.975], method="nearest")
    return {"value": float(np.mean(finite)), "low": float(low), "high": None if np.isinf(high) else float(high)}
