"""Importance of mechanisms of resistance: what releasing each would gain, in the same virtual patients.

A mechanism is released by a degree, 0 as it is, 1 fully, from the first day of treatment on; the run-in
before it is that of patients in whom none is released.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np

from pkpd.fit.free import Point
from pkpd.fit.intervals import interval
from pkpd.machine.executor import stream
from pkpd.parameters.population import Population
from pkpd.study.resistance import variance
from pkpd.study.resistance.mechanism import (
    central,
    ends,
    followed,
    people,
    released,
    thinned,
)
from pkpd.study.resistance.plan import ImportancePlan
from pkpd.study.stability.plan import Given
from pkpd.trial.lesions import copies
from pkpd.trial.response import CRITERIA, progressed, standing, target_sum
from pkpd.trial.run_in import settled

Tell = Callable[[str, int, int], None]
Rows = tuple[dict, ...]


# measure: its name for a reader, its unit, the unit of differences
MEASURES = {
    "response": ("Objective response by RECIST 1.1", "%", "points"),
    "shrinkage": ("Logarithm of the sum of diameters at the start over that later", "1", "1"),
}
TABLES = ("levels", "effects", "indices", "pairs", "groups")
_INERT = 1e-4  # of shrinkage: less than this is the solver's error
_AT_ONCE = 6000  # patients solved together: memory does not grow with the number of points
_RTOL = 1e-4


@dataclass(frozen=True)
class ImportanceResult:
    """Rows of plain data: treatment, measure ("response", "shrinkage"), unit, value, low, high in every row.

    Values are medians over draws with their intervals; a draw has patients of its own, the same ones at every
    point. Those of indices are at the middle of the posterior, with SALib's 95 % intervals. More of both
    measures is better.

    levels   state: "as_is", none released; "released", all of them
    effects  mechanism, what ("gain" of releasing it alone; "loss" of withholding it when all others are
             released), acts
    indices  mechanism, index ("first", "total"): shares of variance when every degree is even between 0 and 1
    groups   group: what releasing its mechanisms together gains; sum, of the gains of each alone
    pairs    first, second: what releasing both gains beyond the sum of the two gains (value); joint, the gain
             of both; best, the share of draws in which no other pair has more
    """

    plan: ImportancePlan
    levels: Rows
    effects: Rows
    indices: Rows
    pairs: Rows
    groups: Rows
    draws: int
    failures: tuple[str, ...] = ()


def importance(
    plan: ImportancePlan, points: Sequence[Point], tell: Tell = lambda what, done, of: None
) -> ImportanceResult:
    """Runs a plan at draws of the parameters (see `pkpd.fit.result.points`); of one point, at patients drawn
    anew each time.
    """
    from pkpd.solve.compile import kernels

    kernels(plan.system)
    names = [m.name for m in plan.mechanisms]
    design, single = variance.design(names, plan.samples, plan.seed), releases(plan)
    sets = thinned(points, plan.draws)
    pieces = np.array_split(design, max(1, -(-len(design) * plan.patients // (8 * _AT_ONCE))))
    tasks = [(central(points), "middle", t, piece) for t in plan.treatments for piece in pieces]
    tasks += [(p, f"draw {k + 1}", t, single) for t in plan.treatments for k, p in enumerate(sets)]
    found, failures = [], []
    tell("releasing mechanisms", 0, len(tasks))
    for values, failed in stream(partial(_task, plan), tasks):
        found.append(values)
        failures += failed
        tell("releasing mechanisms", len(found), len(tasks))
    split = len(plan.treatments) * len(pieces)
    sampled = np.concatenate(found[:split]).reshape(len(plan.treatments), len(design), -1)
    drawn = np.array(found[split:]).reshape(len(plan.treatments), len(sets), len(single), -1)
    acts = _acting(drawn[..., list(MEASURES).index("shrinkage")], len(plan.mechanisms))
    tables = [
        _Table(plan, t, m, drawn[i, :, :, j], sampled[i, :, j], acts)
        for i, t in enumerate(plan.treatments)
        for j, m in enumerate(MEASURES)
    ]
    rows = {name: tuple(x for t in tables for x in getattr(t, name)()) for name in TABLES}
    return ImportanceResult(plan, **rows, draws=len(sets), failures=tuple(dict.fromkeys(failures)))


def releases(plan: ImportancePlan) -> np.ndarray:
    """None, all, each alone, all but each, each pair, each group: degrees (point, mechanism)."""
    names, count = [m.name for m in plan.mechanisms], len(plan.mechanisms)
    one = np.eye(count)
    pairs = [one[i] + one[j] for i, j in combinations(range(count), 2)]
    groups = [np.isin(names, g.mechanisms) for g in plan.groups]
    more = [np.reshape(x, (-1, count)).astype(float) for x in (pairs, groups)]
    return np.concatenate([np.zeros((1, count)), np.ones((1, count)), one, 1 - one, *more])


def _task(plan: ImportancePlan, task: tuple[Point, str, Given, np.ndarray]) -> tuple[np.ndarray, list[str]]:
    """Means of the measures over patients (point, measure), and failures."""
    at, key, given, degrees = task
    patients = people(
        plan.system, at, plan.contexts, plan.covariates, plan.patients, (plan.seed, "importance", key)
    )
    start = settled(plan.system, patients, plan.run_in, _RTOL)
    wholly = [ends(plan.system, m, patients, at) for m in plan.mechanisms]
    parts, failures = [], [f"importance, {key}, {f}" for f in start.failures]
    size = max(1, _AT_ONCE // len(patients))
    for piece in (degrees[i : i + size] for i in range(0, len(degrees), size)):
        values, failed = scanned(
            plan, given, released(patients, wholly, piece), np.tile(start.states[:, 0], (len(piece), 1))
        )
        parts.append(values.reshape(len(piece), len(patients), -1))
        failures += [f"importance, {key}, {given.name}, {f}" for f in failed]
    values = np.concatenate(parts)
    known = ~np.isnan(values).any(axis=(0, 2))
    return values[:, known].mean(axis=1), failures


def scanned(
    plan: ImportancePlan, given: Given, patients: Population, start: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Response (% of one patient: 0 or 100) and shrinkage of each patient, (patient, measure), and who
    failed.

    Scans are read without error, no new lesion is looked for, no response is confirmed. Missing in a patient
    who failed or has no measurable lesion.
    """
    run = followed(plan.system, patients, given, start, plan.days, _RTOL)
    criteria = CRITERIA["RECIST 1.1"]
    organs = [p.name for p in plan.system.parts if p.use == "tumours/lesion"]
    total = np.sum(
        [target_sum(d, d[:, 0], criteria) for o in organs for d in [copies(run, o, "diameter")]], axis=0
    )
    scans = np.isin(plan.days, np.arange(0, plan.until + 1e-6, plan.visits).round(6))
    partial_response, _ = standing(total[:, scans], np.ones((len(total), scans.sum())), criteria)
    worse = np.maximum.accumulate(progressed(total[:, scans], criteria), axis=1)
    response = 100.0 * (partial_response & ~worse).any(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        shrinkage = np.log(total[:, 0] / total[:, np.searchsorted(plan.days, plan.read - 1e-6)])
    return np.stack([np.where(np.isfinite(shrinkage), response, np.nan), shrinkage], axis=1), run.failures


def _gains(values: np.ndarray, count: int) -> np.ndarray:
    """What releasing each mechanism alone gains (…, mechanism), of values at `releases` (…, point)."""
    return values[..., 2 : 2 + count] - values[..., :1]


def _losses(values: np.ndarray, count: int) -> np.ndarray:
    """What withholding each mechanism loses when all others are released."""
    return values[..., 1:2] - values[..., 2 + count : 2 + 2 * count]


def _acting(shrinkage: np.ndarray, count: int) -> np.ndarray:
    """Which mechanisms move anything, alone or last, under any treatment and draw."""
    moved = np.maximum(np.abs(_gains(shrinkage, count)), np.abs(_losses(shrinkage, count)))
    return np.max(moved, axis=(0, 1)) > _INERT


@dataclass(frozen=True)
class _Table:
    """One measure under one treatment: of single releases (draw, point), and of the Sobol design (point,)."""

    plan: ImportancePlan
    given: Given
    measure: str
    drawn: np.ndarray
    sampled: np.ndarray
    acts: np.ndarray

    def _row(self, draws: np.ndarray, difference: bool = True, **head: object) -> dict:
        return {
            "treatment": self.given.name,
            **head,
            "measure": self.measure,
            "unit": MEASURES[self.measure][1 + difference],
            **interval(draws),
        }

    def levels(self) -> list[dict]:
        return [
            self._row(self.drawn[:, i], False, state=state) for i, state in enumerate(("as_is", "released"))
        ]

    def effects(self) -> list[dict]:
        n = len(self.plan.mechanisms)
        columns = [("gain", _gains(self.drawn, n)), ("loss", _losses(self.drawn, n))]
        return [
            self._row(values[:, i], mechanism=m.name, what=what, acts=bool(self.acts[i]))
            for i, m in enumerate(self.plan.mechanisms)
            for what, values in columns
        ]

    def pairs(self) -> list[dict]:
        names = [m.name for m in self.plan.mechanisms]
        gains = _gains(self.drawn, len(names))
        pairs = list(combinations(range(len(names)), 2))
        first = 2 + 2 * len(names)
        joint = self.drawn[:, first : first + len(pairs)] - self.drawn[:, :1]
        more = joint - np.stack([gains[:, i] + gains[:, j] for i, j in pairs], axis=1) if pairs else joint
        best = (more == more.max(axis=1, keepdims=True)) & (more > 0) if pairs else more > 0
        return [
            self._row(own, first=names[i], second=names[j], joint=interval(both), best=float(share))
            for (i, j), own, both, share in zip(pairs, more.T, joint.T, best.mean(axis=0), strict=True)
        ]

    def groups(self) -> list[dict]:
        names, rows = [m.name for m in self.plan.mechanisms], []
        for k, g in enumerate(self.plan.groups, -len(self.plan.groups)):
            alone = _gains(self.drawn, len(names))[:, np.isin(names, g.mechanisms)].sum(axis=1)
            rows.append(self._row(self.drawn[:, k] - self.drawn[:, 0], group=g.name, sum=interval(alone)))
        return rows

    def indices(self) -> list[dict]:
        names = [m.name for m in self.plan.mechanisms]
        found, rows = variance.indices(names, self.sampled, self.plan.resamples, self.plan.seed), []
        for i, m in enumerate(self.plan.mechanisms):
            for index, key in (("first", "S1"), ("total", "ST")):
                value, half = (
                    (None, 0.0) if found is None else (float(found[key][i]), float(found[f"{key}_conf"][i]))
                )
                low, high = (None, None) if value is None else (value - half, value + half)
                rows.append(
                    {
                        "treatment": self.given.name,
                        "mechanism": m.name,
                        "index": index,
                        "measure": self.measure,
                        "unit": "1",
                        "value": value,
                        "low": low,
                        "high": high,
                    }
                )
        return rows
