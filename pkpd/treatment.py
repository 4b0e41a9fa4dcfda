"""treat(model, population, regimen, cycles) -> Treatment: a regimen given as its rules decide, patient by patient."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pkpd import units
from pkpd.errors import ContentError, Issue, fail, nearest
from pkpd.library import raise_issues
from pkpd.model.schema import Model
from pkpd.population import Population
from pkpd.regimen import Regimen
from pkpd.schedule import ASSIGN, Schedule, lower, packed, prescribed
from pkpd.schedule import cycles as cycle_starts
from pkpd.simulation import simulate, start_states

DECISION = np.dtype([("patient", np.int64), ("cycle", np.int64), ("time", float), ("rule", np.int64), ("action", "U6")])
_FINE, _SHOWN = 1000, 5  # steps in which a tally counts intensity; failures that it names


@dataclass(frozen=True)
class Treatment:
    """What patients were given under a regimen's rules; times in the model's time unit.

    schedule   the events, to be simulated; where a decision could not be taken, the patient's course ends there
    planned    starts of the cycles as planned (cycle,)
    starts     as given (patient, cycle): infinite where not given, missing where undecided
    factors    what was given of each dose (patient, cycle, dose line): 0 where not given, missing where undecided
    decisions  what rules changed, by patient and time: patient's number, cycle and rule from 1, and what was done
    failures   patients with a cycle that could not be decided on, each with the time and the reason
    """

    model: Model
    population: Population
    regimen: Regimen
    schedule: Schedule
    planned: np.ndarray
    starts: np.ndarray
    factors: np.ndarray
    decisions: np.ndarray
    failures: tuple[str, ...] = ()

    @cached_property
    def intensity(self) -> dict[str, np.ndarray]:
        """The relative dose intensity of each drug (patient,); missing where undecided.

        (amount given / amount planned) / (time taken / time planned). The time planned runs from the start of the
        first cycle to a cycle's length after the start of the last; the time taken is longer by as much as the last
        cycle given began later after the first than planned. So a cycle not given counts as planned in time and as
        missed in amount, and a wait before the first cycle counts for nothing.
        """
        day = float(units.ratio("day", self.model.time))
        length = self.planned[-1] - self.planned[0] + self.regimen.cycle * day
        late = self.starts - self.planned
        last = np.where(np.isfinite(late), late, -np.inf).max(axis=1)
        delay = np.where(np.isfinite(late[:, 0]), last - late[:, 0], 0.0)
        amount = prescribed(replace(self.regimen, rules=()), self.model, self.population)
        amount = amount * [len(d.days) for d in self.regimen.doses]
        given, found = np.mean(self.factors, axis=1) * amount, {}
        for drug in self.regimen.drugs:
            lines = [i for i, d in enumerate(self.regimen.doses) if d.drug == drug]
            planned = amount[:, lines].sum(axis=1)
            share = np.divide(given[:, lines].sum(axis=1), planned, out=np.full(len(planned), np.nan), where=planned > 0)
            found[drug] = share * length / (length + delay)
        return found

    def tally(self) -> Tally:
        """How many patients were held, reduced and stopped, and how intensely all were treated."""
        held, reduced, stopped = (len(set(self.decisions["patient"][self.decisions["action"] == action]))
                                  for action in ("hold", "reduce", "stop"))
        counts = {drug: np.bincount(np.round(x[np.isfinite(x)] * _FINE).astype(int), minlength=_FINE + 1)
                  for drug, x in self.intensity.items()}
        return Tally(len(self.population), held, reduced, stopped, len(self.failures), self.failures[:_SHOWN], counts)


@dataclass(frozen=True)
class Tally:
    """What became of any number of patients' doses, in little memory; tallies of different patients add up.

    intensity  of each drug, the number of patients at each thousandth of relative dose intensity
    """

    patients: int
    held: int
    reduced: int
    stopped: int
    undecided: int
    failures: tuple[str, ...]
    intensity: dict[str, np.ndarray]

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.patients + other.patients, self.held + other.held, self.reduced + other.reduced,
                     self.stopped + other.stopped, self.undecided + other.undecided,
                     (self.failures + other.failures)[:_SHOWN],
                     {k: v + other.intensity[k] for k, v in self.intensity.items()})

    def lines(self) -> list[str]:
        """In words, for a console."""
        found = [f"of {self.patients} patients, cycles held in {self.held}, doses reduced in {self.reduced}, "
                 f"treatment or a drug stopped in {self.stopped}"]
        for drug, counts in self.intensity.items():
            if counts.any():
                low, mid, high = np.searchsorted(np.cumsum(counts), np.array([0.05, 0.5, 0.95]) * counts.sum()) / _FINE
                found.append(f"relative dose intensity of {drug}: median {mid:.2f}, 90 % of patients {low:.2f} to {high:.2f}")
        found += [f"undecided and kept: {text}" for text in self.failures]
        more = self.undecided - len(self.failures)
        return [*found, f"… and {more} more undecided"] if more > 0 else found


def given(regimen: Regimen, model: Model, population: Population, cycles: int,
          rtol: float = 1e-6) -> tuple[Schedule, Tally | None]:
    """The events of consecutive cycles; where the regimen has rules, as they decide, with a tally of it."""
    if not regimen.rules:
        return lower(regimen, model, population, cycle_starts(regimen, model, cycles)), None
    treatment = treat(model, population, regimen, cycles, rtol=rtol)
    return treatment.schedule, treatment.tally()


def treat(model: Model, population: Population, regimen: Regimen, cycles: int, *, delays: dict[int, float] | None = None,
          rtol: float = 1e-6, executor: Executor | None = None) -> Treatment:
    """Gives `cycles` cycles of a regimen as its rules decide on each patient's own course.

    At a visit, the planned start of every cycle, all rules look at the state before the cycle's doses. What a rule to
    stop or reduce finds holds from that cycle on, a reduction once a cycle; then the first rule to hold that applies makes
    the cycle wait, and the rules look again. What follows moves by the wait.

    delays  days planned before a cycle (1 = first)
    """
    if cycles < 1:
        raise fail("treat", f"{cycles} is not a number of cycles", "give 1 or more")
    course = _Course(model, population, regimen, cycle_starts(regimen, model, cycles, delays)[0])
    while (who := np.flatnonzero(course.cycle < cycles)).size:
        course.visit(who, rtol, executor)
    return course.treatment()


def _levels(regimen: Regimen, model: Model) -> np.ndarray:
    """Each rule's level in the model's unit; raises for every rule that the model cannot follow."""
    known, issues, found = {r.name: r.unit for r in (*model.compartments, *model.variables)}, [], []
    for i, rule in enumerate(regimen.rules, 1):
        where = f"{regimen.where}: rules[{i}]"
        if rule.of not in known:
            issues.append(Issue(f"{where}.of", f"{model.name} has no compartment or variable {rule.of!r}",
                                nearest(rule.of, known)))
            continue
        try:
            found.append(rule.level * float(units.ratio(rule.unit, known[rule.of], f"{where}.{rule.side}")))
        except ContentError as error:
            issues += error.issues
    raise_issues(issues)
    return np.array(found)


class _Course:
    """Where each patient stands between two visits."""

    def __init__(self, model: Model, people: Population, regimen: Regimen, planned: np.ndarray):
        n, lines, rules = len(people), len(regimen.doses), len(regimen.rules)
        self.model, self.people, self.regimen, self.planned = model, people, regimen, planned
        self.plain, self.levels = replace(regimen, rules=()), _levels(regimen, model)
        self.lines = [np.flatnonzero([r.acts_on(d.drug) for d in regimen.doses]) for r in regimen.rules]
        self.cycle, self.waits, self.late = np.zeros(n, dtype=int), np.zeros(n, dtype=int), np.zeros(n)
        self.factor, self.reduced = np.ones((n, lines)), np.zeros((n, rules), dtype=bool)
        self.now, self.states = np.zeros(n), start_states(model, people)
        self.starts, self.factors = np.full((n, len(planned)), np.inf), np.zeros((n, len(planned), lines))
        self.log: list[np.ndarray] = []
        self.lost: dict[int, tuple[float, str]] = {}

    def visit(self, who: np.ndarray, rtol: float, executor: Executor | None) -> None:
        """Brings some patients to their next visit and decides on their cycle."""
        time = self.planned[self.cycle[who]] + self.late[who]
        values = self._values(who, time, rtol, executor)
        known = np.array([i not in self.lost for i in who], dtype=bool)
        above = np.array([r.side == "above" for r in self.regimen.rules], dtype=bool)
        with np.errstate(invalid="ignore"):
            applies = np.where(above, values > self.levels, values < self.levels)
        self._decide(who[known], time[known], applies[known])

    def _values(self, who: np.ndarray, time: np.ndarray, rtol: float, executor: Executor | None) -> np.ndarray:
        """What the rules look at (patient, rule), before anything that happens at the time of the visit."""
        rules = self.regimen.rules
        if not rules:
            return np.zeros((len(who), 0))
        people = self.people.take(who)
        schedule = lower(self.plain, self.model, people, self.starts[who], self.factors[who])
        earlier = schedule.patients[schedule.time < time[schedule.patients]]
        places = np.bincount(earlier, minlength=len(who))[:, None]
        run = simulate(self.model, people, schedule, time[:, None], begin=self.now[who], start=self.states[who], rtol=rtol,
                       strict=False, executor=executor, places=places)
        self.now[who], self.states[who] = time, run.states[:, 0]
        values = np.stack([run[r.of][:, 0] for r in rules], axis=1)
        told = {text.split(",")[0]: text for text in run.failures}
        for k in np.flatnonzero(~np.isfinite(np.concatenate([values, run.states[:, 0]], axis=1)).all(axis=1)):
            name = f"patient {people.numbers[k]}"
            what = ", ".join(dict.fromkeys(r.of for r, v in zip(rules, values[k], strict=True) if not np.isfinite(v)))
            self._lose(who[k], time[k], told.get(name, f"{name}, {self.model.time} {time[k]:.6g}: {what} has no value"))
        return values

    def _lose(self, patient: int, time: float, reason: str) -> None:
        cycle = self.cycle[patient]
        self.lost[patient] = time, f"{reason}; undecided from cycle {cycle + 1} on"
        self.starts[patient, cycle:] = self.factors[patient, cycle:] = np.nan
        self.cycle[patient] = len(self.planned)

    def _decide(self, who: np.ndarray, time: np.ndarray, applies: np.ndarray) -> None:
        for j, rule in enumerate(self.regimen.rules):
            if rule.action != "hold":
                self._lower_doses(j, who[applies[:, j]], time[applies[:, j]])
        goes = self.factor[who].any(axis=1)
        for j, rule in enumerate(self.regimen.rules):
            if rule.action == "hold":
                held = goes & applies[:, j]
                self._hold(j, who[held], time[held])
                goes &= ~held
        ready = who[goes]
        self.starts[ready, self.cycle[ready]] = time[goes]
        self.factors[ready, self.cycle[ready]] = self.factor[ready]
        self.cycle[ready] += 1
        self.waits[ready], self.reduced[ready] = 0, False
        self.cycle[who[~self.factor[who].any(axis=1)]] = len(self.planned)

    def _lower_doses(self, j: int, who: np.ndarray, time: np.ndarray) -> None:
        """A rule to reduce or to stop, of those to whom it applies."""
        rule, place = self.regimen.rules[j], np.ix_(who, self.lines[j])
        old = self.factor[place]
        if rule.action == "stop":
            new = np.zeros_like(old)
        else:
            new = np.minimum(old, np.maximum(old * rule.factor, rule.least))
            new = np.where(self.reduced[who, j][:, None], old, new)
            self.reduced[who, j] = True
        self.factor[place] = new
        changed = (new != old).any(axis=1)
        self._note(j, who[changed], time[changed], rule.action)

    def _hold(self, j: int, who: np.ndarray, time: np.ndarray) -> None:
        rule = self.regimen.rules[j]
        over = self.waits[who] >= rule.most
        self._note(j, who[over], time[over], "stop")
        self._note(j, who[~over], time[~over], "hold")
        self.factor[who[over]] = 0.0
        self.waits[who[~over]] += 1
        self.late[who[~over]] += rule.wait * float(units.ratio("day", self.model.time))

    def _note(self, j: int, who: np.ndarray, time: np.ndarray, action: str) -> None:
        rows = np.empty(len(who), DECISION)
        rows["patient"], rows["cycle"], rows["time"] = self.people.numbers[who], self.cycle[who] + 1, time
        rows["rule"], rows["action"] = j + 1, action
        self.log.append(rows)

    def treatment(self) -> Treatment:
        """What has been decided; a patient that was lost has no state from its last visit on."""
        schedule = lower(self.plain, self.model, self.people, self.starts, self.factors)
        if self.lost:
            who, size = np.array(sorted(self.lost)), len(self.lost)
            ends = packed(len(self.people), who, np.array([self.lost[i][0] for i in who]), np.full(size, ASSIGN),
                          np.zeros(size), np.full(size, np.nan))
            schedule = schedule + ends
        decisions = np.sort(np.concatenate([np.empty(0, DECISION), *self.log]), order=["patient", "time", "rule"])
        return Treatment(self.model, self.people, self.regimen, schedule, self.planned, self.starts, self.factors, decisions,
                         tuple(self.lost[i][1] for i in sorted(self.lost)))
