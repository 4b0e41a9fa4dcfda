"""Courses of cycles: alone, side by side and one after the other, delayed and reduced."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pkpd.content import units
from pkpd.content.library import is_path
from pkpd.content.toml import shown
from pkpd.errors import fail, nearest
from pkpd.machine import store
from pkpd.machine.labels import Labelled, Row, named
from pkpd.regimen.cycle_ranges import among
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.modifications import Reduction, count_of, delays_of, reduction_of
from pkpd.regimen.rules import Rule


@dataclass(frozen=True, repr=False)
class Regimen(Labelled):
    """What is given in a cycle, how long a cycle lasts (days), and the rules that hold, reduce or stop it: a
    course. Cycle k starts on day begin + (k - 1) cycle + the delays of cycles up to k.

    start       days from the start of treatment, or from the end of the courses that it comes `after`
    count       the number of cycles; open if none
    after       the courses that it follows, by their number in the regimen from 1
    delays      cycles, and the days by which each and all after it came later than planned
    reductions  what was given of what was planned
    parts       the courses of a regimen of several: doses and rules are then those of all, the cycle is the
                first one's
    """

    name: str
    title: str
    cycle: float
    doses: tuple[DoseLine, ...]
    reference: str = ""
    text: str = ""
    rules: tuple[Rule, ...] = ()
    start: float = 0.0
    count: int | None = None
    after: tuple[int, ...] = ()
    delays: tuple[tuple[int, float], ...] = ()
    reductions: tuple[Reduction, ...] = ()
    parts: tuple[Regimen, ...] = ()

    def label(self) -> tuple[str, list[Row]]:
        rows = [("drugs", named(self.drugs)), ("cycle", f"{self.cycle:g} day")]
        rows += [("courses", named(p.name for p in self.parts))] if self.parts else []
        rows += [("rules", str(len(self.rules)))] if self.rules else []
        return f"Regimen {self.name}: {self.title}", rows

    def __post_init__(self):
        if self.parts and (self.doses, self.rules) != _joined(self.parts):
            raise fail(
                self.where,
                "has the doses and rules of its courses",
                "change a course before it is added to others",
            )

    @property
    def hash(self) -> str:
        """Of all that it says, whatever its files are called."""
        return store.content_hash(_nameless(self))

    @property
    def where(self) -> str:
        """The file, as messages name it."""
        own = is_path(self.name, "regimen") or " " in self.name
        return self.name if own else f"models/regimens/{self.name}.toml"

    @property
    def drugs(self) -> tuple[str, ...]:
        """What is given, each drug once."""
        return tuple(dict.fromkeys(d.drug for d in self.doses))

    @property
    def courses(self) -> tuple[Regimen, ...]:
        """Its courses, itself if it is one; one taken from a sequence stands alone."""
        return self.parts or (replace(self, after=()) if self.after else self,)

    @property
    def open(self) -> bool:
        """Whether it must be told for how long it is given."""
        return any(c.count is None for c in self.courses)

    @property
    def dated(self) -> bool:
        """Whether it says itself when its cycles start."""
        return bool(self.parts or self.start or self.count is not None or self.delays)

    def __add__(self, other: Regimen) -> Regimen:
        """Both side by side, from the same day on."""
        behind = _numbered(other, len(self.courses), "+")
        return combined(
            f"{self.name} + {other.name}", f"{self.title}; {other.title}", (*self.courses, *behind)
        )

    def then(self, other: Regimen) -> Regimen:
        """The other one when all cycles of this one have been given."""
        return then(self, other, "then")

    def cycles(self, number: int) -> Regimen:
        """So many cycles of the first course; others go on until that time is over; what has its own number
        keeps it.
        """
        return counted(self, number, "cycles")

    def starting(self, time: str) -> Regimen:
        """The same, later: `starting("14 day")`."""
        return starting(self, time, "starting")

    def delayed(self, delays: Mapping[int, str]) -> Regimen:
        """Cycles that came later than planned, and all after them: `delayed({3: "7 day"})`."""
        return delayed(self, delays, "delayed")

    def reduced(self, factor: float, drugs: Sequence[str] = (), cycles: str = "") -> Regimen:
        """What was given of planned doses: `reduced(0.75, ["oxaliplatin"], "3-")`; 0 is a missed dose."""
        return reduced(self, factor, drugs, cycles, "reduced")

    def only(self, *drugs: str) -> Regimen:
        """What is given of some drugs, without rules: those are of the whole."""
        if not drugs:
            raise fail("only", "names no drug", 'name one or more: only("oxaliplatin")')
        for drug in drugs:
            if drug not in self.drugs:
                raise fail("only", f"{self.name} gives no {drug!r}", nearest(str(drug), self.drugs))
        return _of(
            self,
            [replace(c, doses=tuple(d for d in c.doses if d.drug in drugs), rules=()) for c in self.courses],
        )

    def begins(self, late: bool = True) -> list[float]:
        """The day on which each course begins, with the delays of those before it or as planned."""
        found, ends = [], []
        for c in self.courses:
            found.append(c.start + max((ends[k - 1] for k in c.after), default=0.0))
            waits = sum(days for _, days in c.delays) if late else 0.0
            ends.append(found[-1] + (math.inf if c.count is None else c.count * c.cycle + waits))
        return found

    def days(self, late: bool = True) -> list[np.ndarray]:
        """The days on which each course's cycles start, with delays or as planned; all have a number of
        cycles.
        """
        found = []
        for c, begin in zip(self.courses, self.begins(late), strict=True):
            wait = np.zeros(c.count or 0)
            for number, days in c.delays:
                if number > len(wait):
                    raise fail(
                        f"{self.where}: delays",
                        f"{c.name} has no cycle {number} of {len(wait)}",
                        "delay a cycle that is given",
                    )
                wait[number - 1] += days
            found.append(begin + (np.arange(len(wait)) * c.cycle + np.cumsum(wait if late else 0 * wait)))
        return found

    def share(self, line: DoseLine, numbers: np.ndarray | range) -> np.ndarray:
        """What is given of a dose line of this course in cycles by their number from 1: 0 where none is
        planned.
        """
        found = among(line.cycles, numbers) * 1.0
        for r in self.reductions:
            if line.drug in r.drugs or not r.drugs:
                found = np.where(among(r.cycles, numbers), found * r.factor, found)
        return found


def _nameless(regimen: Regimen) -> Regimen:
    return replace(regimen, name="", parts=tuple(_nameless(p) for p in regimen.parts))


def _joined(courses: Sequence[Regimen]) -> tuple[tuple[DoseLine, ...], tuple[Rule, ...]]:
    return tuple(d for c in courses for d in c.doses), tuple(r for c in courses for r in c.rules)


def bare(regimen: Regimen) -> Regimen:
    """The same without rules and reductions: what was given is then for factors to say."""
    return _of(regimen, [replace(c, rules=(), reductions=()) for c in regimen.courses])


def lasting(regimen: Regimen, number: int | None, where: str) -> Regimen:
    """The regimen with a number of cycles in every course: `number` of the first, where it needs
    to be told.
    """
    if number is not None:
        return regimen.cycles(number)
    if regimen.open:
        raise fail(where, f"{regimen.name} does not say for how many cycles it is given", "give their number")
    return regimen


def combined(
    name: str, title: str, courses: tuple[Regimen, ...], reference: str = "", text: str = ""
) -> Regimen:
    doses, rules = _joined(courses)
    return Regimen(
        name=name,
        title=title,
        cycle=courses[0].cycle,
        doses=doses,
        reference=reference,
        text=text,
        rules=rules,
        parts=courses,
    )


def _of(regimen: Regimen, courses: list[Regimen]) -> Regimen:
    """The same regimen with its courses changed."""
    r = regimen
    return combined(r.name, r.title, tuple(courses), r.reference, r.text) if r.parts else courses[0]


def _numbered(regimen: Regimen, before: int, where: str) -> tuple[Regimen, ...]:
    """Courses as they stand behind so many others."""
    if not isinstance(regimen, Regimen):
        raise fail(where, f"{shown(regimen)} is no regimen", 'load it: pkpd.load_regimen("folfox4")')
    return tuple(replace(c, after=tuple(k + before for k in c.after)) for c in regimen.courses)


def then(one: Regimen, other: Regimen, where: str) -> Regimen:
    if one.open:
        endless = next(c for c in one.courses if c.count is None)
        raise fail(
            where,
            f"{endless.name} goes on without end, so that nothing comes after it",
            "give it a number of cycles: in Python a.cycles(4), in a file cycles = 4",
        )
    every = tuple(range(1, len(one.courses) + 1))
    behind = [c if c.after else replace(c, after=every) for c in _numbered(other, len(one.courses), where)]
    return combined(
        f"{one.name}, then {other.name}", f"{one.title}; then {other.title}", (*one.courses, *behind)
    )


def counted(regimen: Regimen, number: object, where: str) -> Regimen:
    number = count_of(number, where)
    if not regimen.open:
        raise fail(where, f"{regimen.name} has its own number of cycles", "leave the number out")
    courses, found = regimen.courses, []
    first = courses[0]
    until = first.start + number * first.cycle
    for c, begin in zip(courses, regimen.begins(late=False), strict=True):
        fits = number if c is first else max(math.ceil((until - begin) / c.cycle - 1e-9), 0)
        found.append(c if c.count is not None else replace(c, count=fits))
    return _of(regimen, found)


def starting(regimen: Regimen, time: object, where: str) -> Regimen:
    days = units.days(time, where, "is no time to start at", 'give a time of zero or more: "14 day"')
    return _of(regimen, [c if c.after else replace(c, start=c.start + days) for c in regimen.courses])


def delayed(regimen: Regimen, delays: object, where: str) -> Regimen:
    course, *more = regimen.courses
    if more:
        raise fail(
            where, f"{regimen.name} has several courses", "delay a course before it is added to others"
        )
    found = delays_of(delays, where)
    for number, _ in found:
        if not _has(course, str(number)):
            raise fail(
                where, f"{course.name} has no cycle {number} of {course.count}", "delay a cycle that is given"
            )
    return _of(regimen, [replace(course, delays=(*course.delays, *found))])


def _has(course: Regimen, cycles: str) -> bool:
    """Whether any of the cycles is one of a course; an open one may have them all."""
    return course.count is None or bool(among(cycles, range(1, course.count + 1)).any())


def reduced(regimen: Regimen, factor: object, drugs: object, cycles: object, where: str) -> Regimen:
    less, courses = reduction_of(factor, drugs, cycles, regimen.name, regimen.drugs, where), regimen.courses
    of = [bool(set(c.drugs) & set(less.drugs or c.drugs)) for c in courses]
    if less.cycles and not any(_has(c, less.cycles) for c, own in zip(courses, of, strict=True) if own):
        raise fail(
            f"{where}.cycles", f"{regimen.name} has no cycle {less.cycles}", "reduce a cycle that is given"
        )
    return _of(
        regimen,
        [
            replace(c, reductions=(*c.reductions, less)) if own else c
            for c, own in zip(courses, of, strict=True)
        ],
    )
