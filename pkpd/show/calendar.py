"""The calendar of a regimen: every dose of the first weeks in order of time, and a text grid of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pkpd.regimen.cycle_ranges import among
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.regimen import Regimen

_WEEKS = 4  # of a calendar's row
_MOST = 24  # weeks that a calendar shows
_MARKS = {"at once": "●", "infusion": "■", "goes on": "─", "missed": "×"}


@dataclass(frozen=True)
class Given:
    """One dose of a course's cycle (both from 1), in days from the start of treatment; `share` of what was
    planned.
    """

    course: int
    cycle: int
    line: DoseLine
    start: float
    end: float
    share: float


def shown_for(regimen: Regimen) -> float:
    """The days that a calendar shows: every dose of every course twice, in whole weeks, from four to 24 of
    them.
    """
    ends = []
    for course, begin in zip(regimen.courses, regimen.begins(), strict=True):
        cycles = np.arange(1, 1 + (7 * _MOST if course.count is None else course.count))
        last = max(
            (cycles[among(line.cycles, cycles)][:2].max(initial=0) for line in course.doses), default=0
        )
        ends.append(begin + last * course.cycle + sum(d for k, d in course.delays if k <= last))
    return 7.0 * min(max(math.ceil(max(ends) / 7 - 1e-9), _WEEKS), _MOST)


def lasting_for(regimen: Regimen, until: float) -> Regimen:
    """The regimen with as many cycles as begin before a day, where it does not say how many."""
    if not regimen.open:
        return regimen
    first = regimen.courses[0]
    late = max((k for k, _ in first.delays), default=0)
    return regimen.cycles(max(math.ceil((until - first.start) / first.cycle - 1e-9), late, 0))


def agenda(regimen: Regimen, until: float) -> list[Given]:
    """Every dose that begins before a day, in order of time."""
    whole, found = lasting_for(regimen, until), []
    for k, (course, days) in enumerate(zip(whole.courses, whole.days(), strict=True), 1):
        for line in course.doses:
            shares = course.share(line, range(1, len(days) + 1))
            planned = replace(course, reductions=()).share(line, range(1, len(days) + 1))
            found += [
                Given(
                    k,
                    j + 1,
                    line,
                    days[j] + day - 1 + line.at,
                    days[j] + day - 1 + line.at + line.over,
                    shares[j],
                )
                for j in range(len(days))
                if planned[j]
                for day in line.days
                if days[j] + day - 1 + line.at < until
            ]
    return sorted(found, key=lambda g: (g.start, g.course))


def calendar(regimen: Regimen, until: float) -> list[str]:
    """A text grid of the first days, four weeks a row: days across, courses and their drugs down."""
    whole, given = lasting_for(regimen, until), agenda(regimen, until)
    rows = [(k, name) for k, c in enumerate(whole.courses) for name in (None, *c.drugs)]
    heads = [Path(c.name).stem if len(whole.courses) > 1 else "cycle" for c in whole.courses]
    wide = max(12, *map(len, heads), *(len(drug) + 2 for drug in whole.drugs)) + 2
    begins = [{math.floor(t): str(j) for j, t in enumerate(days, 1)} for days in whole.days()]
    lines = []
    for first in range(0, int(until), 7 * _WEEKS):
        days = range(first, min(first + 7 * _WEEKS, int(until)))
        lines.append(
            _row("day", wide, (str(d + 1) if d % 7 == 0 else "·" if d % 7 > 1 else "" for d in days))
        )
        runs = {g.course - 1 for g in given if g.start < days.stop and g.end > first}
        for k, drug in rows:
            if drug is None and (k in runs or any(t in days for t in begins[k])):
                lines.append(_row(heads[k], wide, (begins[k].get(d, "") for d in days)))
            elif drug is not None and k in runs:
                lines.append(_row(f"  {drug}", wide, (_mark(given, k + 1, drug, d) for d in days)))
        lines.append("")
    used = "".join(lines)
    words = {"●": "at once", "■": "infusion begins", "─": "and goes on", "×": "missed"}
    return [
        *lines,
        ", ".join(f"{m} {w}" for m, w in words.items() if m in used) + "; numbers are those of the cycles",
    ]


def _row(name: str, wide: int, cells: Iterable[str]) -> str:
    return (name.ljust(wide) + "".join(c.ljust(3) for c in cells)).rstrip()


def _mark(given: list[Given], course: int, drug: str, day: int) -> str:
    """What happens with a drug on a day, the first being 0."""
    found: dict[str, None] = {}
    for g in given:
        lasts = g.start >= day or (g.end > day + 1e-9 and g.share > 0)
        if g.course == course and g.line.drug == drug and g.start < day + 1 and lasts:
            kind = (
                "missed"
                if not g.share
                else "goes on"
                if g.start < day
                else "infusion"
                if g.line.over
                else "at once"
            )
            found[kind] = None
    if "infusion" in found:
        found.pop("goes on", None)
    return "".join(m for kind, m in _MARKS.items() if kind in found)
