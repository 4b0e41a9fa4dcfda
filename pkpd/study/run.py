"""run_neoadjuvant: every arm of every sweep under draws of the posterior, under each kill link and
convention.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from pkpd.fit.intervals import interval
from pkpd.fit.result import posterior
from pkpd.machine.executor import stream
from pkpd.parameters.parameters import Parameters
from pkpd.study.neoadjuvant import FIGURES, arm, basis, metrics
from pkpd.study.study import Study
from pkpd.trial.operated import operate
from pkpd.trial.prepare import admit
from pkpd.trial.setting import Setting, setting, warm
from pkpd.trial.trial import VANISHED, Trial

Tell = Callable[[str, int, int], None]
Pair = tuple[int, int]
Case = tuple[str, str]  # a kill link, and what becomes of vanished lesions


@dataclass(frozen=True)
class StudyResult:
    """A study's table, one row a figure, sweep, number of cycles and link, with its interval
    (pkpd.fit.intervals).

    The interval holds the posterior and the chance of the patients drawn. `difference` compares with the
    study's reference plan in the same patients. Other links, and the other conventions on vanished lesions in
    `sensitivity`, are run under some of the draws and put as the calibrated link's value plus their mean
    difference from it in the same draws and patients. `reference` rows are surgery alone. `failures` names
    patients whose equations failed: they have no outcome, and count in no figure.
    """

    study: Study
    trial: Trial
    parameters: Parameters
    fit: dict
    rows: tuple[dict, ...]
    reference: tuple[dict, ...]
    sensitivity: tuple[dict, ...] = ()
    failures: tuple[str, ...] = ()


def run_neoadjuvant(study: Study, tell: Tell = lambda what, done, of: None) -> StudyResult:
    """Runs a study; every arm treats the same virtual patients under the same draws of the posterior."""
    trial, parameters, account = study.trial, study.parameters, study.account
    names = [link.name for link in trial.treatments]
    first = account.get("link") or names[0]
    links = [first, *(x for x in names if x != first)]
    table = _Table(study, posterior(parameters, study.draws), (first, trial.vanished))
    pairs = list(dict.fromkeys((b, s.after_for(b)) for s in study.sweeps for b in s.before))
    places = [setting(trial, trial.arm(study.arm), link) for link in links]
    warm(places)
    tasks = [
        (replace(place, arm=arm(study, trial, *pair)), pair)
        for place in places
        for pair in dict.fromkeys([*pairs, (0, 0)])
    ]
    tell("simulating", 0, len(tasks))
    failures: list[str] = []
    every = stream(partial(_simulated, study, parameters, table.sets, table.shared, first), tasks)
    for done, (found, failed) in enumerate(every, 1):
        table.found |= found
        failures += failed
        tell("simulating", done, len(tasks))
    plans = [(s.name, (b, s.after_for(b))) for s in study.sweeps for b in s.before]
    own, others = [(x, trial.vanished) for x in links], [(first, v) for v in VANISHED if v != trial.vanished]
    return StudyResult(
        study=study,
        trial=trial,
        parameters=parameters,
        fit=account,
        rows=table.all_rows(plans, own),
        reference=table.all_rows([("surgery_alone", (0, 0))], own),
        sensitivity=table.all_rows(plans, others),
        failures=tuple(dict.fromkeys(failures)),
    )


def _simulated(
    study: Study,
    parameters: Parameters,
    sets: list[Parameters],
    shared: np.ndarray,
    first: str,
    task: tuple[Setting, Pair],
) -> tuple[dict[tuple[Case, Pair], list[dict]], list[str]]:
    """The metrics of one plan under one link, draw by draw, each in its own patients; and who failed.

    The first link has all draws under the trial's convention on vanished lesions, and shared ones under the
    others.
    """
    place, pair = task
    people = admit(place, parameters, study.patients, study.seed, stream="study").repeated(study.repeats)
    found, failures = {}, []
    for vanished in VANISHED if place.link == first else (place.trial.vanished,):
        own = replace(people, trial=replace(place.trial, vanished=vanished))
        which = range(len(sets)) if (place.link, vanished) == (first, place.trial.vanished) else shared
        arms = [(k, operate(own.others(f"study {k}"), sets[k])) for k in which]
        found[(place.link, vanished), pair] = [metrics(readout, study.small) for _, readout in arms]
        head = f"{pair[0]} + {pair[1]}, {place.link}"
        failures += [f"{head}, draw {k + 1}, {text}" for k, r in arms for text in r.failures]
    return found, failures


class _Table:
    """The metrics of every case and plan, draw by draw."""

    def __init__(self, study: Study, sets: list[Parameters], main: Case):
        self.study, self.sets, self.main = study, sets, main
        few = min(study.draws_other_links, len(sets))
        self.shared = np.unique(np.linspace(0, len(sets) - 1, few).astype(int))
        self.found: dict[tuple[Case, Pair], list[dict]] = {}

    def values(self, case: Case, pair: Pair, figure: str, against: Pair | None = None) -> np.ndarray:
        """A figure (or its difference from another plan) draw by draw; undefined where either is
        not reached.
        """
        main, own = (self._raw(c, pair, figure, against) for c in (self.main, case))
        if case == self.main:
            return main
        with np.errstate(invalid="ignore"):
            shift = own - main[self.shared]
        known = shift[np.isfinite(shift)]
        return main + known.mean() if known.size else own

    def _raw(self, case: Case, pair: Pair, figure: str, against: Pair | None) -> np.ndarray:
        values = np.array([d[figure] for d in self.found[case, pair]])
        if against is None:
            return values
        base = np.array([d[figure] for d in self.found[case, against]])
        both = np.isfinite(values) & np.isfinite(base)
        return np.where(both, np.where(both, values, 0.0) - np.where(both, base, 0.0), np.nan)

    def all_rows(self, plans: Iterable[tuple[str, Pair]], cases: Sequence[Case]) -> tuple[dict, ...]:
        """The rows of every plan, named by its sweep, in every case."""
        return tuple(r for sweep, pair in plans for case in cases for r in self.rows(sweep, pair, case))

    def rows(self, sweep: str, pair: Pair, case: Case) -> list[dict]:
        """The rows of one plan."""
        return [
            {
                "sweep": sweep,
                "before": pair[0],
                "after": pair[1],
                "link": case[0],
                "vanished": case[1],
                "figure": figure,
                "unit": unit,
                **interval(self.values(case, pair, figure)),
                "basis": basis(self.study, pair),
                "informed": pair[0] in self.study.informed,
                "difference": interval(self.values(case, pair, figure, self.study.reference)),
            }
            for figure, (unit, _) in FIGURES.items()
        ]
