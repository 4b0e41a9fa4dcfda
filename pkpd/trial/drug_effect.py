"""What each patient's drugs do to the disease, solved once and handed to it as records: a kill rate, targets
blocked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pkpd.content import units
from pkpd.model.model import Model
from pkpd.parameters.draw import draw
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.population import Population
from pkpd.regimen.lowering import lower
from pkpd.regimen.regimen import Regimen
from pkpd.regimen.schedule import ADD, Schedule, nothing, settings
from pkpd.simulation.run import simulate

_CYCLE = (0.0, 1.0, 2.0, 4.0, 8.0)  # days into a cycle between which the kill rate is held at its mean
_TAIL = (14.0, 28.0, 56.0)  # and days after the last cycle's start
_SPANS = (
    0,
    1,
    3,
    *range(7, 57, 7),
    *range(70, 113, 14),
    *range(140, 225, 28),
    280,
    336,
)  # days after a dose: of levels
_NODES = 0.5 - 0.5 / np.sqrt(3) * np.array([1.0, -1.0])  # of a span: Gauss's two points, exact for cubics
_CLOSE = 0.005  # of the largest mean: a record holds while the mean of a span is within this of it


@dataclass(frozen=True)
class DrugEffect:
    """Means of an input of the disease between `edges` (patient, edge), in days.

    input(t) = rates[i, k] for edges[i, k] <= t < edges[i, k + 1] of patient i, and 0 after the last edge;
    rates (patient, edge - 1) are in the input's unit (kill rates: reference cycles a day).

    doses  when the drug is given (patient, dose), infinite for patients who have fewer
    """

    edges: np.ndarray
    rates: np.ndarray
    name: str = "effect.RATE"
    doses: np.ndarray | None = None

    def schedule(self, disease: Model, until: np.ndarray | None = None) -> Schedule:
        """Records that set the disease's input; for patients with an `until`, it ends there."""
        times = self.edges
        values = np.concatenate([self.rates, np.zeros((len(times), 1))], axis=1)
        if until is not None:
            times = np.where(times >= until[:, None], np.inf, times)
            times = np.concatenate([times, np.where(np.isfinite(until), until, np.inf)[:, None]], axis=1)
            values = np.concatenate([values, np.zeros((len(times), 1))], axis=1)
        return settings(len(times), disease.inputs.index(self.name), times, values)

    def take(self, which: np.ndarray) -> DrugEffect:
        """Some of the patients."""
        doses = None if self.doses is None else self.doses[which]
        return replace(self, edges=self.edges[which], rates=self.rates[which], doses=doses)

    def stopped(self, at: np.ndarray) -> DrugEffect:
        """No dose after a time a of each patient: what was given fades as the last planned dose does, from
        the last one given.

        r(t) before a; r(t - g + f) from then on, with f the last planned dose and g the last one given by a;
        nothing where none was given. at, days, (patient,)
        """
        assert self.doses is not None
        planned = np.where(np.isfinite(self.doses), self.doses, -np.inf)
        final = planned.max(axis=1)
        given = np.where(planned <= at[:, None], planned, -np.inf).max(axis=1)
        begin, rates = self.edges[:, :-1], self.rates
        moved = np.where(begin >= final[:, None] - 1e-9, begin + (given - final)[:, None], np.inf)
        moved = np.where(np.isfinite(given)[:, None] & (moved >= at[:, None]), moved, np.inf)
        times = np.concatenate([np.where(begin < at[:, None], begin, np.inf), moved], axis=1)
        order = np.argsort(times, axis=1, kind="stable")
        times, rates = (
            np.take_along_axis(x, order, axis=1) for x in (times, np.concatenate([rates, rates], axis=1))
        )
        return replace(
            self, edges=np.concatenate([times, np.full((len(at), 1), np.inf)], axis=1), rates=rates
        )


def records(
    exposures: tuple[DrugEffect, ...], disease: Model, n: int, until: np.ndarray | None = None
) -> Schedule:
    """The records of several inputs together."""
    total = None
    for exposure in exposures:
        own = exposure.schedule(disease, until)
        total = own if total is None else total + own
    return nothing(n) if total is None else total


@dataclass(frozen=True)
class Drugs:
    """What the names of a treatment stand for: its system, the system's values, the regimen.

    sets  inputs of the disease, each with the variable whose level it is and a factor; none of a kill link
    """

    model: Model
    parameters: Parameters
    regimen: Regimen
    sets: tuple[tuple[str, str, float], ...] = ()


def laid_out(
    given: Drugs,
    starts: np.ndarray,
    covariates: dict[str, np.ndarray],
    key: tuple[str, str, str],
    first: int = 0,
) -> tuple[Population, Schedule]:
    """The patients of a drug's model and their doses, for cycles that start at `starts` (days; inf = not
    given).
    """
    day = float(units.ratio("day", given.model.time))
    n = len(next(iter(covariates.values()))) if covariates else len(starts)
    population = draw(given.model, given.parameters, n, *key, first=first, covariates=covariates)
    return population, lower(given.regimen, given.model, population, starts * day)


def kill_rates(
    given: Drugs,
    starts: np.ndarray,
    covariates: dict[str, np.ndarray],
    key: tuple[str, str, str],
    first: int = 0,
) -> DrugEffect:
    """Solves a treatment system for cycles that start at `starts` (patient, cycle; days; inf = not given).

    The rate of a span from t1 to t2 is its exact mean, (E(t2) - E(t1)) / (t2 - t1), with E the effect given
    so far (`effect.given`, reference cycles): reference cycles a day.
    """
    population, schedule = laid_out(given, starts, covariates, key, first)
    edges = _edges(starts)
    total = simulate(given.model, population, schedule, edges, rtol=1e-4)["effect.given"]
    span = np.diff(edges, axis=1)
    rates = np.divide(np.diff(total, axis=1), span, out=np.zeros_like(span), where=span > 0)
    return DrugEffect(edges, rates, doses=starts)


def _edges(starts: np.ndarray, offsets: tuple[float, ...] = (*_CYCLE, *_TAIL)) -> np.ndarray:
    """Times between which a rate is averaged, in order; cycles not given repeat the last time."""
    given = np.sort(starts, axis=1)
    following = np.concatenate([given[:, 1:], np.full((len(given), 1), np.inf)], axis=1)
    times = given[:, :, None] + np.array(offsets)
    times = np.minimum(times, following[:, :, None])
    times = np.where(np.isfinite(given)[:, :, None], times, -np.inf).reshape(len(given), -1)
    return np.maximum(np.maximum.accumulate(times, axis=1), 0.0)


def levels(
    given: Drugs, starts: np.ndarray, covariates: dict[str, np.ndarray], key: tuple[str, str, str]
) -> tuple[tuple[DrugEffect, ...], Population]:
    """Solves a drug for courses that start at `starts` (course, cycle; days; inf = not given): its level,
    span by span.

    A span's mean is by Gauss's two points, times (f(m - h) + f(m + h)) / 2 with m its middle and h its length
    over 2 sqrt(3): within 0.001 of an occupancy; within 0.005 on the day of a dose, and 0.03 in the week in
    which an antibody that its target clears runs out. A record holds while the means of spans are within
    0.5 % (of the largest) of it.
    """
    model, day = given.model, float(units.ratio("day", given.model.time))
    population, schedule = laid_out(given, starts[None], covariates, key)
    n = len(population)
    doses = _doses(schedule) / day
    edges = _edges(doses, _SPANS)
    span = np.diff(edges, axis=1)
    at = (edges[:, :-1, None] + span[:, :, None] * _NODES).reshape(n, -1) * day
    run = simulate(model, population, schedule, at, rtol=1e-4)
    found = []
    for name, variable, times in given.sets:
        means = times * run[variable].reshape(n, -1, 2).mean(axis=2)
        begin, held = _held(edges[:, :-1], np.where(span > 0, means, np.nan))
        found.append(DrugEffect(np.concatenate([begin, edges[:, -1:]], axis=1), held, name, doses))
    return tuple(found), population


def _doses(schedule: Schedule) -> np.ndarray:
    """When each patient's doses begin (patient, dose), each time once, infinite for patients who
    have fewer.
    """
    begins = (schedule.kind == ADD) | (schedule.value > 0)
    own = [
        np.unique(schedule.time[a:b][begins[a:b]])
        for a, b in zip(schedule.offsets, schedule.offsets[1:], strict=False)
    ]
    found = np.full((len(own), max(map(len, own))), np.inf)
    for row, times in zip(found, own, strict=True):
        row[: len(times)] = times
    return found


def _held(begin: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """When records begin and what they hold: spans whose mean the record before is not close enough to;
    infinite at the end.
    """
    close = _CLOSE * np.nanmax(means, axis=1, initial=0.0)
    held, times = np.full(len(means), np.nan), np.full(begin.shape, np.inf)
    for j in range(means.shape[1]):
        anew = ~np.isnan(means[:, j]) & ~(np.abs(means[:, j] - held) <= close)
        times[anew, j], held = begin[anew, j], np.where(anew, means[:, j], held)
    most = int(np.isfinite(times).sum(axis=1).max(initial=1))
    order = np.argsort(times, axis=1, kind="stable")[:, :most]
    return np.take_along_axis(times, order, axis=1), np.nan_to_num(np.take_along_axis(means, order, axis=1))
