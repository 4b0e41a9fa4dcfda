"""From visit to visit: what a regimen's rules decide on each patient's own course."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

import numpy as np

from pkpd.content import units
from pkpd.content.library import raise_issues
from pkpd.errors import ContentError, Issue, nearest
from pkpd.model.model import Model
from pkpd.parameters.population import Population
from pkpd.regimen.lowering import lower, packed_starts
from pkpd.regimen.regimen import Regimen, bare
from pkpd.regimen.schedule import ASSIGN, Schedule, nothing, packed
from pkpd.simulation.crossings import Crossing
from pkpd.simulation.run import simulate, start_states

DECISION = np.dtype(
    [("patient", np.int64), ("cycle", np.int64), ("time", float), ("rule", np.int64), ("action", "U6")]
)


def levels(regimen: Regimen, model: Model) -> np.ndarray:
    """Each rule's level in the model's unit; raises for every rule that the model cannot follow."""
    known, issues, found = {r.name: r.unit for r in (*model.compartments, *model.variables)}, [], []
    for where, rule in (
        (f"{c.where}: rules[{i}]", r) for c in regimen.courses for i, r in enumerate(c.rules, 1)
    ):
        if rule.of not in known:
            issues.append(
                Issue(
                    f"{where}.of",
                    f"{model.name} has no compartment or variable {rule.of!r}",
                    nearest(rule.of, known),
                )
            )
            continue
        try:
            found.append(rule.level * float(units.ratio(rule.unit, known[rule.of], f"{where}.{rule.side}")))
        except ContentError as error:
            issues += error.issues
    raise_issues(issues)
    return np.array(found)


class Visits:
    """Where each patient stands between two visits; arrays are (patient, course …), lines and rules those of
    all courses.

    due    when cycles are to start, the regimen's delays included (course, cycle)
    also   what else happens to patients (surgery, ablation, other doses); crossings, what the course sets off
    late   by how much a patient's course is later than that; infinite until what it follows has been given
    ended  courses that a rule has ended
    """

    def __init__(
        self,
        model: Model,
        people: Population,
        regimen: Regimen,
        also: Schedule | None = None,
        crossings: Sequence[Crossing] = (),
    ):
        self.model, self.people, self.regimen, self.courses = model, people, regimen, regimen.courses
        self.also, self.crossings = nothing(len(people)) if also is None else also, tuple(crossings)
        self.plain, self.levels = bare(regimen), levels(regimen, model)
        self.day = float(units.ratio("day", model.time))
        self.due = packed_starts(regimen.days()) * self.day
        self.begins = np.array(regimen.begins()) * self.day
        self.counts = np.array([c.count for c in self.courses])
        n, (many, most), lines, rules = len(people), self.due.shape, len(regimen.doses), len(regimen.rules)
        self.line_course = np.repeat(np.arange(many), [len(c.doses) for c in self.courses])
        self.rule_course = np.repeat(np.arange(many), [len(c.rules) for c in self.courses])
        given = list(zip(self.line_course, regimen.doses, strict=True))
        self.lines = [
            np.flatnonzero([own == k and rule.acts_on(d.drug) for own, d in given])
            for k, rule in zip(self.rule_course, regimen.rules, strict=True)
        ]
        self.share = np.stack(
            [self.courses[k].share(d, range(1, most + 1)) for k, d in given], axis=1
        )  # (cycle, dose line)
        self.cycle, self.waits = np.zeros((n, many), int), np.zeros((n, many), int)
        self.ended = np.zeros((n, many), bool)
        self.late = np.where([bool(c.after) for c in self.courses], np.inf, np.zeros((n, many)))
        self.factor, self.reduced = np.ones((n, lines)), np.zeros((n, rules), dtype=bool)
        self.now, self.states = np.zeros(n), start_states(model, people)
        self.starts, self.factors = np.full((n, many, most), np.inf), np.zeros((n, most, lines))
        self.log: list[np.ndarray] = []
        self.lost: dict[int, tuple[float, str]] = {}

    def run(self, rtol: float, executor: Executor | None) -> None:
        """Brings every patient from visit to visit, of whichever course comes next, until all has been
        decided.
        """
        while True:
            times = self._next()
            course = times.argmin(axis=1)
            when = np.take_along_axis(times, course[:, None], axis=1)[:, 0]
            who = np.flatnonzero(np.isfinite(when))
            if not who.size:
                return
            self._visit(who, course[who], when[who], rtol, executor)

    def _next(self) -> np.ndarray:
        """When each patient's courses have their next visit, infinite where none is to come (patient,
        course).
        """
        for k, course in enumerate(self.courses):
            if course.after:
                before = [j - 1 for j in course.after]
                given = ~self.ended[:, before].any(axis=1) & (
                    self.cycle[:, before] == self.counts[before]
                ).all(axis=1)
                wait = np.max([self._end(j, self.starts[:, j]) for j in before], axis=0)
                wait = wait - max(self._end(j, self.due[None, j])[0] for j in before)
                self.late[:, k] = np.where(np.isinf(self.late[:, k]) & given, wait, self.late[:, k])
        number = np.minimum(self.cycle, np.maximum(self.counts - 1, 0))
        times = self.due[np.arange(len(self.courses)), number] + self.late
        return np.where((self.cycle < self.counts) & ~self.ended, times, np.inf)

    def _end(self, course: int, starts: np.ndarray) -> np.ndarray:
        """When a course whose cycles start at (patient, cycle) is over."""
        count = self.counts[course]
        if count == 0:
            return np.full(len(starts), self.begins[course])
        return starts[:, count - 1] + self.courses[course].cycle * self.day

    def _visit(
        self, who: np.ndarray, course: np.ndarray, time: np.ndarray, rtol: float, executor: Executor | None
    ) -> None:
        """Brings some patients to their next visit and decides on their cycle."""
        ruled = np.isin(course, self.rule_course)
        applies = np.zeros((len(who), len(self.regimen.rules)), dtype=bool)
        if ruled.any():
            values = self._values(who[ruled], course[ruled], time[ruled], rtol, executor)
            above = np.array([r.side == "above" for r in self.regimen.rules], dtype=bool)
            with np.errstate(invalid="ignore"):
                applies[ruled] = np.where(above, values > self.levels, values < self.levels)
        known = np.array([i not in self.lost for i in who], dtype=bool)
        for k in range(len(self.courses)):
            own = known & (course == k)
            self._decide(k, who[own], time[own], applies[own])

    def _values(
        self, who: np.ndarray, course: np.ndarray, time: np.ndarray, rtol: float, executor: Executor | None
    ) -> np.ndarray:
        """What the rules look at (patient, rule), before anything that happens at the time of the visit."""
        rules, people = self.regimen.rules, self.people.take(who)
        schedule = self._with(lower(self.plain, self.model, people, self.starts[who], self.factors[who]), who)
        earlier = schedule.patients[schedule.time < time[schedule.patients]]
        places = np.bincount(earlier, minlength=len(who))[:, None]
        # a crossing is met once, and what it sets stays: with any, a course is followed from its begin
        since = {} if self.crossings else {"begin": self.now[who], "start": self.states[who]}
        run = simulate(
            self.model,
            people,
            schedule,
            time[:, None],
            rtol=rtol,
            strict=False,
            executor=executor,
            places=places,
            crossings=self.crossings,
            **since,
        )
        self.now[who], self.states[who] = time, run.states[:, 0]
        values = np.stack([run[r.of][:, 0] for r in rules], axis=1)
        told = {text.split(",")[0]: text for text in run.failures}
        missing = ~np.isfinite(values) & (self.rule_course == course[:, None])
        for i in np.flatnonzero(missing.any(axis=1) | ~np.isfinite(run.states[:, 0]).all(axis=1)):
            name = f"patient {people.numbers[i]}"
            what = ", ".join(dict.fromkeys(r.of for r, none in zip(rules, missing[i], strict=True) if none))
            self._lose(
                who[i],
                course[i],
                time[i],
                told.get(name, f"{name}, {self.model.time} {time[i]:.6g}: {what} has no value"),
            )
        return values

    def _lose(self, patient: int, course: int, time: float, reason: str) -> None:
        of = f" of {self.courses[course].name}" if len(self.courses) > 1 else ""
        self.lost[patient] = time, f"{reason}; undecided from cycle {self.cycle[patient, course] + 1}{of} on"
        for k in np.flatnonzero(~self.ended[patient]):
            rest = slice(self.cycle[patient, k], self.counts[k])
            self.starts[patient, k, rest] = np.nan
            self.factors[patient, rest, self.line_course == k] = np.nan
        self.ended[patient] = True

    def _decide(self, k: int, who: np.ndarray, time: np.ndarray, applies: np.ndarray) -> None:
        """What the rules of one course do to its next cycle."""
        own = [(j, rule) for j, rule in enumerate(self.regimen.rules) if self.rule_course[j] == k]
        lines = np.flatnonzero(self.line_course == k)
        for j, rule in own:
            if rule.action != "hold":
                self._lower_doses(j, who[applies[:, j]], time[applies[:, j]])
        goes = self._on(who, lines)
        for j, rule in own:
            if rule.action == "hold":
                held = goes & applies[:, j]
                self._hold(j, who[held], time[held])
                goes &= ~held
        ready = who[goes]
        number = self.cycle[ready, k]
        self.starts[ready, k, number] = time[goes]
        self.factors[ready[:, None], number[:, None], lines] = (self.factor[ready] * self.share[number])[
            :, lines
        ]
        self.cycle[ready, k] += 1
        self.waits[ready, k] = 0
        self.reduced[np.ix_(ready, self.rule_course == k)] = False
        self.ended[who[~self._on(who, lines)], k] = True

    def _on(self, who: np.ndarray, lines: np.ndarray) -> np.ndarray:
        """Who is still given something of a course's dose lines."""
        on = np.any(self.factor[np.ix_(who, lines)], axis=1)
        return np.asarray(on) if lines.size else np.ones(len(who), dtype=bool)

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
        rule, k = self.regimen.rules[j], self.rule_course[j]
        over = self.waits[who, k] >= rule.most
        self._note(j, who[over], time[over], "stop")
        self._note(j, who[~over], time[~over], "hold")
        self.factor[np.ix_(who[over], self.line_course == k)] = 0.0
        self.waits[who[~over], k] += 1
        self.late[who[~over], k] += rule.wait * self.day

    def _note(self, j: int, who: np.ndarray, time: np.ndarray, action: str) -> None:
        rows = np.empty(len(who), DECISION)
        rows["patient"], rows["cycle"], rows["time"] = (
            self.people.numbers[who],
            self.cycle[who, self.rule_course[j]] + 1,
            time,
        )
        rows["rule"], rows["action"] = j + 1, action
        self.log.append(rows)

    def decisions(self) -> np.ndarray:
        """What rules did, by patient and time."""
        return np.sort(np.concatenate([np.empty(0, DECISION), *self.log]), order=["patient", "time", "rule"])

    def _with(self, doses: Schedule, who: np.ndarray) -> Schedule:
        """Doses, and what else happens to these patients."""
        return doses + self.also.take(who) if len(self.also.time) else doses

    def schedule(self) -> Schedule:
        """What has been decided and what else happens; who was lost has no state from the last visit on."""
        doses = lower(self.plain, self.model, self.people, self.starts, self.factors)
        schedule = self._with(doses, np.arange(len(self.people)))
        if not self.lost:
            return schedule
        who, size = np.array(sorted(self.lost)), len(self.lost)
        ends = packed(
            len(self.people),
            who,
            np.array([self.lost[i][0] for i in who]),
            np.full(size, ASSIGN),
            np.zeros(size),
            np.full(size, np.nan),
        )
        return schedule + ends
