"""A study of resistance: response and how long it lasts, by biology, site of disease and drugs, in the same
virtual patients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from pkpd.fit.free import Point
from pkpd.fit.intervals import interval
from pkpd.fit.result import points
from pkpd.machine.executor import stream
from pkpd.study.resistance.importance import ImportanceResult, importance
from pkpd.study.resistance.liver_effect import LiverResult, liver_effect
from pkpd.study.resistance.plan import ResistanceStudy
from pkpd.study.resistance.response_grid import MEASURES, measures
from pkpd.study.resistance.shown_figures import predicted, published_row
from pkpd.trial.figures import figure_values
from pkpd.trial.prepare import Prepared, admit
from pkpd.trial.readout import Followed, Readout
from pkpd.trial.run import run_arm
from pkpd.trial.setting import setting, warm

Tell = Callable[[str, int, int], None]
Rows = tuple[dict, ...]
LEAST = 10  # responders of a draw: of fewer, how long responses last is not told
_ALL = 1_000_000  # draws of a fit: none has more


@dataclass(frozen=True)
class ResistanceResult:
    """The tables of a study of resistance, rows of plain data: medians over draws with central intervals
    (pkpd.fit.intervals).

    A draw is one of the fit's posterior with patients of its own, the same ones in every arm.

    arms       each measure of each arm
    drugs      each measure under drugs less that under those alone, in the same patients
    sites      each measure at a site less that without, in the same biology and under the same drugs
    published  published figures; predicted at the published trial's own size where the arm is its population;
               `lies` is where their intervals lie beside those of the arms, which says less

    importance, liver_effect  the two further analyses, where the study's file asks for them
    """

    study: ResistanceStudy
    arms: Rows
    drugs: Rows
    sites: Rows
    published: Rows
    draws: int
    failures: tuple[str, ...] = ()
    importance: ImportanceResult | None = None
    liver_effect: LiverResult | None = None


def run_resistance(study: ResistanceStudy, tell: Tell = lambda what, done, of: None) -> ResistanceResult:
    """Runs a study of resistance: every arm treats the same virtual patients under the same draws."""
    grid = study.grid
    places = [setting(grid.trial, arm) for _, _, arm in grid.pairs()]
    warm(places)
    prepared = tuple(admit(p, study.parameters, study.patients, study.seed, "resistance") for p in places)
    sets = points(study.parameters, study.draws)
    sets = sets * study.draws if len(sets) == 1 else sets
    values, small, failures = [], [], []
    tell("simulating", 0, len(sets))
    for failed, own, trials in stream(partial(_under, study, prepared), list(enumerate(sets))):
        values.append(own)
        small.append(trials)
        failures += failed
        tell("simulating", len(values), len(sets))
    table_ = _Table(study, np.array(values))
    arms = table_.arms()
    published = tuple(
        published_row(s, np.concatenate([x[i] for x in small]), arms, study.account)
        for i, s in enumerate(study.shown)
    )
    every = points(study.parameters, _ALL)
    effect = None if study.liver_effect is None else liver_effect(study.liver_effect, every, tell)
    weights = None if study.importance is None else importance(study.importance, every, tell)
    more = [f for found in (effect, weights) if found is not None for f in found.failures]
    return ResistanceResult(
        study=study,
        arms=arms,
        drugs=table_.drugs(),
        sites=table_.sites(),
        published=published,
        draws=len(sets),
        failures=(*failures, *more),
        importance=weights,
        liver_effect=effect,
    )


def _under(
    study: ResistanceStudy, prepared: tuple[Prepared, ...], numbered: tuple[int, Point]
) -> tuple[list[str], np.ndarray, list[np.ndarray]]:
    """Failures, measures (arm, measure), and each published figure in trials of its own size,
    under one draw.
    """
    i, point = numbered
    arms = {a.arm.name: run_arm(point.of(a.others(f"resistance {i}")), point.parameters) for a in prepared}
    failures = [f"draw {i + 1}, {name}: {text}" for name, r in arms.items() for text in r.failures]
    found = [_measured(study, name, arm) for name, arm in arms.items()]
    return failures, np.array(found), [predicted(study.grid, s, arms, study.seed, i) for s in study.shown]


def _measured(study: ResistanceStudy, name: str, arm: Readout | Followed) -> np.ndarray:
    """The measures of an arm; how long responses last is undefined where few responded."""
    figures = measures(name)
    found = figure_values(study.grid.trial, {name: arm}, tuple(figures.values()))
    share = np.array([100.0 if f.kind == "landmark" else 1.0 for f in figures.values()])
    few = np.isin(arm.evaluable().response, ("CR", "PR")).sum() < LEAST
    return np.where([few and f.endpoint == "dor" for f in figures.values()], np.nan, found * share)


class _Table:
    """The measures of every arm, draw by draw: (draw, arm, measure)."""

    def __init__(self, study: ResistanceStudy, values: np.ndarray):
        self.study, self.grid = study, study.grid
        self.found = {(c.name, d.name): values[:, i] for i, (c, d, _) in enumerate(self.grid.pairs())}

    def arms(self) -> Rows:
        return tuple(
            _row({"cohort": c.name, "biology": c.biology, "site": c.site, "drugs": d.name}, own)
            for c, d, _ in self.grid.pairs()
            for own in _columns(self.found[c.name, d.name])
        )

    def drugs(self) -> Rows:
        alone = self.grid.alone
        return tuple(
            _row(
                {"cohort": c.name, "biology": c.biology, "site": c.site, "drugs": d.name, "against": alone},
                own,
            )
            for c, d, _ in self.grid.pairs()
            if d.name != alone and self.grid.treats(d.name)
            for own in _columns(_less(self.found[c.name, d.name], self.found[c.name, alone]))
        )

    def sites(self) -> Rows:
        found = []
        for c, d, _ in self.grid.pairs():
            other = self.grid.cohort(c.biology, self.grid.without)
            if other is not None and other != c:
                head = {
                    "cohort": c.name,
                    "biology": c.biology,
                    "site": c.site,
                    "drugs": d.name,
                    "against": other.name,
                }
                found += [
                    _row(head, own)
                    for own in _columns(_less(self.found[c.name, d.name], self.found[other.name, d.name]))
                ]
        return tuple(found)


def _less(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Differences draw by draw; undefined where either is undefined or not reached."""
    both = np.isfinite(one) & np.isfinite(other)
    return np.where(both, np.where(both, one, 0.0) - np.where(both, other, 0.0), np.nan)


def _columns(values: np.ndarray) -> list[tuple[str, np.ndarray]]:
    return list(zip(measures(""), values.T, strict=True))


def _row(head: dict, own: tuple[str, np.ndarray]) -> dict:
    measure, values = own
    unit = MEASURES[measure][1]
    unit = "points" if unit == "%" and "against" in head else unit
    return {**head, "measure": measure, "unit": unit, **interval(values)}
