"""The liver's effect on a lesion elsewhere, in paired virtual patients, split by the terms of the liver's
tolerance.

Both patients of a pair have the same two lesions. The one that is read lies outside the liver in both; the
other lies in the liver of one, and in an organ of its own outside it in the other. All else is equal: with
the terms of tolerance at zero the two patients do not differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import factorial

import numpy as np

from pkpd.fit.free import Point
from pkpd.fit.intervals import interval
from pkpd.machine.executor import stream
from pkpd.parameters.population import Population
from pkpd.study.resistance import lesion_pairs as pairs
from pkpd.study.resistance.lesion_pairs import Kept
from pkpd.study.resistance.mechanism import Biology, crowd, followed, people, thinned
from pkpd.study.resistance.plan import LiverPlan
from pkpd.study.stability.plan import Given
from pkpd.trial.run_in import settled

Tell = Callable[[str, int, int], None]
Rows = tuple[dict, ...]


# measure of the lesion that is read: its name for a reader, its unit, the unit of a difference
MEASURES = {
    "log_kill": ("Log-kill of the lesion over treatment", "1", "1"),
    "shrunk": ("Patients whose lesion shrinks by the plan's share of its diameter", "%", "points"),
    "diameter": ("Change of the lesion's diameter over treatment", "%", "points"),
    "circulating": ("Logarithm of circulating CD8 cells at the end", "1", "1"),
}
TABLES = ("arms", "differences", "split", "ratios", "steps")
_STEP = 4.0  # days between outputs, between which growth is integrated
_AT_ONCE = 2400  # patients solved together: memory does not grow with the number of arms and draws
_RTOL = 1e-6


@dataclass(frozen=True)
class LiverResult:
    """Rows of plain data: biology, treatment, measure, unit, value, low, high in every row.

    Values are medians over draws with their intervals; a draw has patients of its own, the same ones in every
    arm.

    arms         arm (of lesion_pairs.ARMS): the mean of each measure, of patients whose other lesion lies
                 there
    differences  kept (names of terms): the liver, with these terms of its tolerance alone, less the organ
                 apart
    split        what, term: the whole difference ("whole"), what is left without a term ("left"), with it
                 alone ("alone"), each term's part averaged over the orders in which terms can be taken out
                 ("part"), what is left without any ("remainder"), the whole less remainder and what terms add
                 alone ("interaction")
    ratios       kept: circulating CD8 cells with the liver over those without, geometric means
    steps        step (of lesion_pairs.STEPS): one arm less another; "all" is the sum of the others
    """

    plan: LiverPlan
    arms: Rows
    differences: Rows
    split: Rows
    ratios: Rows
    steps: Rows
    draws: int
    failures: tuple[str, ...] = ()


def liver_effect(
    plan: LiverPlan, points: Sequence[Point], tell: Tell = lambda what, done, of: None
) -> LiverResult:
    """Runs a plan at draws of the parameters (see `pkpd.fit.result.points`); of one point, at patients drawn
    anew each time.
    """
    from pkpd.solve.compile import kernels

    kernels(plan.system)
    sets = thinned(points, plan.draws)
    tasks = [(at, k, b) for b in plan.biologies for k, at in enumerate(sets)]
    found, failures = [], []
    tell("pairing lesions", 0, len(tasks))
    for values, failed in stream(partial(_task, plan), tasks):
        found.append(values)
        failures += failed
        tell("pairing lesions", len(found), len(tasks))
    tables = []
    for i, biology in enumerate(plan.biologies):
        own = found[i * len(sets) : (i + 1) * len(sets)]
        tables += [
            _Table(plan, biology, t, m, {arm: np.array([f[arm][j, k] for f in own]) for arm in own[0]})
            for j, t in enumerate(plan.treatments)
            for k, m in enumerate(MEASURES)
        ]
    rows = {name: tuple(row for t in tables for row in getattr(t, name)()) for name in TABLES}
    return LiverResult(plan, **rows, draws=len(sets), failures=tuple(dict.fromkeys(failures)))


def _task(plan: LiverPlan, task: tuple[Point, int, Biology]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Of each arm the means over patients (treatment, measure), and failures, under one draw."""
    at, k, biology = task
    key = (plan.seed, "liver effect", f"draw {k + 1}")
    patients = people(plan.system, at, biology.contexts, pairs.COVARIATES, plan.patients, key)
    arms = pairs.placed(plan.system, plan.terms, patients, at)
    values, failures = [], []
    size = max(1, _AT_ONCE // plan.patients)
    for some in (list(arms.values())[i : i + size] for i in range(0, len(arms), size)):
        own, failed = _measured(plan, some)
        values += own
        failures += [f"liver effect, {biology.name}, draw {k + 1}, {f}" for f in failed]
    known = ~np.isnan(np.array(values)).any(axis=(0, 1, 3))
    return {arm: v[:, known].mean(axis=1) for arm, v in zip(arms, values, strict=True)}, failures


def _measured(plan: LiverPlan, arms: list[Population]) -> tuple[list[np.ndarray], list[str]]:
    """The measures of some arms, each (treatment, patient, measure), and who failed."""
    many = crowd(arms[0].names, np.concatenate([p.inputs for p in arms]))
    start = settled(plan.system, many, plan.run_in, _RTOL)
    visits = np.arange(0, plan.until + 1e-6, plan.visits).round(6)
    days = np.union1d(np.linspace(0, plan.until, int(np.ceil(plan.until / _STEP)) + 1).round(6), visits)
    runs = [followed(plan.system, many, t, start.states[:, 0], days, _RTOL) for t in plan.treatments]
    values = np.array([pairs.measured(run, np.isin(days, visits), plan.shrinks) for run in runs])
    values = values.reshape(len(runs), len(arms), len(arms[0]), -1)
    return [values[:, i] for i in range(len(arms))], [f for run in (start, *runs) for f in run.failures]


@dataclass(frozen=True)
class _Table:
    """One measure of one biology under one treatment: its mean over patients in each arm, draw by draw."""

    plan: LiverPlan
    biology: Biology
    given: Given
    measure: str
    means: dict[str, np.ndarray]

    def _row(self, draws: np.ndarray, difference: bool = True, **head: object) -> dict:
        return {
            "biology": self.biology.name,
            "treatment": self.given.name,
            **head,
            "measure": self.measure,
            "unit": MEASURES[self.measure][1 + difference],
            **interval(draws),
        }

    def _with(self, kept: Kept) -> np.ndarray:
        return self.means[pairs.arm(kept, len(self.plan.terms))] - self.means["apart"]

    def _names(self, kept: Kept) -> list[str]:
        return [self.plan.terms[i].name for i in kept]

    def arms(self) -> list[dict]:
        return [self._row(self.means[arm], False, arm=arm) for arm in pairs.ARMS]

    def differences(self) -> list[dict]:
        return [self._row(self._with(kept), kept=self._names(kept)) for kept in self.plan.subsets]

    def ratios(self) -> list[dict]:
        if self.measure != "circulating":
            return []
        return [
            {**self._row(np.exp(self._with(kept)), kept=self._names(kept)), "measure": "ratio"}
            for kept in self.plan.subsets
        ]

    def steps(self) -> list[dict]:
        return [
            self._row(self.means[one] - self.means[other], step=step)
            for step, (one, other) in pairs.STEPS.items()
        ]

    def split(self) -> list[dict]:
        every = self.plan.subsets[-1]
        whole, remainder = self._with(every), self._with(())
        alone = [self._with((i,)) for i in every]
        rows = [self._row(whole, what="whole", term="")]
        for i in every:
            left = self._with(tuple(j for j in every if j != i))
            rows += [
                self._row(x, what=what, term=self.plan.terms[i].name)
                for what, x in (("left", left), ("alone", alone[i]), ("part", self._part(i)))
            ]
        together = sum((a - remainder for a in alone), np.zeros(len(whole)))
        return [
            *rows,
            self._row(remainder, what="remainder", term=""),
            self._row(whole - remainder - together, what="interaction", term=""),
        ]

    def _part(self, i: int) -> np.ndarray:
        """Shapley's value of a term: what it adds to those before it, averaged over all orders; the parts add
        up.
        """
        count, found = len(self.plan.terms), np.zeros(len(self.means["apart"]))
        for kept in self.plan.subsets:
            if i not in kept:
                weight = factorial(len(kept)) * factorial(count - len(kept) - 1) / factorial(count)
                found += weight * (self._with(tuple(sorted((*kept, i)))) - self._with(kept))
        return found
