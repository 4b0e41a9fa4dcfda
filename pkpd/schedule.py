"""The one Schedule that regimens become: what happens to each patient, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pkpd import units
from pkpd.errors import fail, nearest
from pkpd.model.schema import Compartment, Model
from pkpd.population import Population
from pkpd.regimen import DoseLine, Regimen

# add to a state; set its infusion rate; multiply it; set an input; give a state a value
ADD, RATE, SCALE, SET, ASSIGN = 0, 1, 2, 3, 4


@dataclass(frozen=True)
class Schedule:
    """Events of each patient in order of time: patient i has rows offsets[i] to offsets[i + 1].

    Times are in the model's time unit; `index` is a state (ADD, RATE, SCALE, ASSIGN) or an input (SET).
    Events of one time happen in the order of their rows. Complex times and values carry a derivative (see solve/gradient).
    """

    offsets: np.ndarray
    time: np.ndarray
    kind: np.ndarray
    index: np.ndarray
    value: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __add__(self, other: Schedule) -> Schedule:
        """Both schedules together; they may not infuse into the same state."""
        if len(self) != len(other):
            raise fail("schedule", f"one is of {len(self)} patients, the other of {len(other)}", "make both for the same")
        rates = [set(s.index[s.kind == RATE]) for s in (self, other)]
        if rates[0] & rates[1]:
            raise fail("schedule", "two schedules infuse into the same compartment", "make them one regimen")
        patients = np.concatenate([s.patients for s in (self, other)])
        return packed(len(self), patients, *(np.concatenate([getattr(self, f), getattr(other, f)])
                                              for f in ("time", "kind", "index", "value")))

    @property
    def patients(self) -> np.ndarray:
        """The patient of each row."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def input_at(self, index: int, start: np.ndarray, times: np.ndarray) -> np.ndarray:
        """The value of an input at times (patient, time), from its value at the start and the SET rows."""
        values = np.broadcast_to(start[:, None], times.shape).copy()
        rows = np.flatnonzero((self.kind == SET) & (self.index == index))
        for patient, time, value in zip(self.patients[rows], np.real(self.time[rows]), self.value[rows], strict=True):
            values[patient, times[patient] >= time] = value
        return values


def packed(n: int, patient: np.ndarray, time: np.ndarray, kind: np.ndarray, index: np.ndarray,
           value: np.ndarray) -> Schedule:
    """Events in any order as a schedule: by patient, time, and kind within a time."""
    order = np.lexsort((kind, np.real(time), patient))
    offsets = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(patient, minlength=n), out=offsets[1:])
    return Schedule(offsets, time[order] * 1.0, kind[order].astype(np.int64), index[order].astype(np.int64), value[order] * 1.0)


def nothing(n: int) -> Schedule:
    """A schedule without events."""
    empty = np.zeros(0)
    return packed(n, empty.astype(int), empty, empty.astype(int), empty.astype(int), empty)


def settings(n: int, index: int, time: np.ndarray, value: np.ndarray) -> Schedule:
    """Sets one input at times (patient, k) to values (patient, k); rows at infinite time are left out."""
    keep = np.isfinite(time)
    patient = np.broadcast_to(np.arange(n)[:, None], time.shape)[keep]
    count = int(keep.sum())
    return packed(n, patient, time[keep], np.full(count, SET), np.full(count, index), value[keep])


def lower(regimen: Regimen, model: Model, population: Population, starts: np.ndarray,
          factors: np.ndarray | None = None) -> Schedule:
    """A regimen's events for patients whose cycles start at `starts` (patient, cycle; model time; inf = not given).

    factors  multiply amounts (patient, cycle, dose line); infusions keep their length, a factor of 0 leaves a dose out
    """
    if regimen.rules:
        raise fail(f"{regimen.where}: rules", "are decided visit by visit, on each patient's own course",
                   "use treat(model, population, regimen, cycles) in place of lower")
    starts = np.broadcast_to(np.asarray(starts, dtype=float), (len(population), np.shape(starts)[-1]))
    day = float(units.ratio("day", model.time))
    adds, infusions = [], []
    for i, line in enumerate(regimen.doses):
        column, amount, lag = _received(line, model, population, f"{regimen.where}: doses[{i + 1}]")
        amounts = np.broadcast_to(amount[:, None], starts.shape) if factors is None else amount[:, None] * factors[:, :, i]
        for number in line.days:
            time = starts + (number - 1 + line.at) * day + lag[:, None]
            rows = np.isfinite(time) & (np.real(amounts) > 0)
            patient, given = np.nonzero(rows)[0], amounts[rows]
            if line.over == 0:
                adds.append((patient, time[rows], np.full(len(patient), column), given))
            else:
                infusions.append((patient, time[rows], np.full(len(patient), column), given, line.over * day))
    return _combined(len(population), adds, infusions)


def prescribed(regimen: Regimen, model: Model, population: Population) -> np.ndarray:
    """What each dose line brings on one of its days (patient, dose line), in the unit of the compartment it goes to."""
    lines = enumerate(regimen.doses, 1)
    return np.stack([_received(line, model, population, f"{regimen.where}: doses[{i}]")[1] for i, line in lines], axis=1)


def _combined(n: int, adds: list, infusions: list) -> Schedule:
    patient = [a[0] for a in adds]
    time, index, value = [a[1] for a in adds], [a[2] for a in adds], [a[3] for a in adds]
    kind = [np.full(len(a[0]), ADD) for a in adds]
    if infusions:
        p, t, i, rate = _rates(infusions)
        patient, time, index, value = [*patient, p], [*time, t], [*index, i], [*value, rate]
        kind = [*kind, np.full(len(p), RATE)]
    if not patient:
        return nothing(n)
    return packed(n, *(np.concatenate(x) for x in (patient, time, kind, index, value)))


def _rates(infusions: list) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Starts and ends of infusions as the total rate into a state from then on, exactly zero when none runs."""
    patient = np.concatenate([x for p, *_ in infusions for x in (p, p)])
    time = np.concatenate([x for _, t, _, _, over in infusions for x in (t, t + over)])
    index = np.concatenate([x for _, _, i, _, _ in infusions for x in (i, i)])
    delta = np.concatenate([x for *_, a, over in infusions for x in (a / over, -a / over)])
    running = np.concatenate([x for p, *_ in infusions for x in (np.ones(len(p)), -np.ones(len(p)))])
    if patient.size == 0:
        return patient, time, index, delta
    order = np.lexsort((running, np.real(time), index, patient))
    patient, time, index, delta, running = (x[order] for x in (patient, time, index, delta, running))
    group = np.cumsum(np.r_[True, (np.diff(patient) != 0) | (np.diff(index) != 0)]) - 1
    rank = np.arange(len(group)) - np.searchsorted(group, group)
    table = np.zeros((2, group[-1] + 1, rank.max() + 1), dtype=delta.dtype)  # a row a state: no sum reaches a neighbour
    table[:, group, rank] = delta, running
    total, count = np.cumsum(table, axis=2)[:, group, rank]
    return patient, time, index, np.where(np.round(np.real(count)) == 0, 0.0, total)


def _received(line: DoseLine, model: Model, population: Population,
              where: str) -> tuple[int, np.ndarray, np.ndarray]:
    """The state a dose goes to, the amount that reaches it in its unit, and the lag, for each patient."""
    compartment = target(line.drug, model, where)
    dose = compartment.dose
    assert dose is not None
    amount = np.full(len(population), line.amount * float(units.ratio(line.unit, compartment.unit, f"{where}.amount")))
    if line.per:
        if line.per not in population.covariates:
            raise fail(f"{where}.amount", f"is scaled by {line.per}, which these patients lack",
                       f"add {line.per} to [covariates] of a parameter file")
        amount = amount * population.covariates[line.per]
    forms = dict(dose.forms)
    if bool(forms) != bool(line.form) or (line.form and line.form not in forms):
        raise fail(f"{where}.form", f"{line.form!r} is not a form of {line.drug}" if line.form else
                   f"{line.drug} comes in forms, and the dose does not say which",
                   f"one of {', '.join(forms)}" if forms else "remove it")
    for name in (dose.bioavailability, forms.get(line.form, "")):
        if name:
            amount = amount * population[name]
    lag = np.zeros(len(population))
    if dose.lag:
        lag = population[dose.lag] * float(units.ratio(model.unit(dose.lag), model.time))
    return model.states.index(compartment.name), amount, lag


def target(drug: str, model: Model, where: str) -> Compartment:
    """The compartment of a model that a drug is given to: its part's only dosed one, or CMT named in full."""
    dosed = [c for c in model.compartments if c.dose is not None]
    exact = [c for c in dosed if c.name == drug]
    own = exact or [c for c in dosed if c.name.rsplit(".", 1)[0] == drug]
    single = model.name.rsplit("/", 1)[-1].removesuffix(".toml")
    if not own and not model.parts and single == drug:
        own = dosed
    if len(own) == 1:
        return own[0]
    parts = sorted({c.name.rsplit(".", 1)[0] if "." in c.name else single for c in dosed})
    if own:
        raise fail(f"{where}.drug", f"{drug!r} has several dosed compartments", "name one: " + ", ".join(c.name for c in own))
    raise fail(f"{where}.drug", f"{model.name} cannot receive {drug!r}",
               nearest(drug, parts) if parts else "this model has no dosed compartment")


def cycles(regimen: Regimen, model: Model, count: int, delays: dict[int, float] | None = None) -> np.ndarray:
    """Start times (1, count) of consecutive cycles in model time; `delays` are days put before a cycle (1 = first)."""
    wait = np.zeros(count)
    for number, days in (delays or {}).items():
        if not 1 <= number <= count:
            raise fail("delays", f"there is no cycle {number} of {count}", "number cycles from 1")
        wait[number - 1] = days
    return (np.arange(count) * regimen.cycle + np.cumsum(wait))[None, :] * float(units.ratio("day", model.time))
