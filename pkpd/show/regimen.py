"""A regimen as a reader wants it: doses by cycle day in words, plain data, and tables on a console."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, replace

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pkpd.content.references import references
from pkpd.content.units import pretty
from pkpd.regimen.cycle_ranges import spans
from pkpd.regimen.doses import SIZES, DoseLine
from pkpd.regimen.regimen import Regimen
from pkpd.show.calendar import calendar, shown_for
from pkpd.show.text import DISCLAIMER, length, number, rule_text

# --- words ------------------------------------------------------------


def time_text(days: float) -> str:
    """A length of time in the unit that a person would use: `90 min`, `46 h`, `14 days`."""
    hours = days * 24
    if hours < 3 and abs(hours - round(hours)) > 1e-9:
        return f"{number(hours * 60)} min"
    if hours <= 72:
        return f"{number(hours)} h"
    return f"{number(days)} days"


def amount_text(line: DoseLine) -> str:
    """`85 mg/m², capped at 2 m², to the nearest 5 mg`; bands in full."""
    unit = line.unit + (f"/{SIZES[line.per]}" if line.per and not line.bands else "")
    words = [f"{number(line.amount)} {pretty(unit)}"]
    if line.bands:
        ends = [
            (f"from {number(b.low)} " if b.low else "")
            + (f"below {number(b.high)} " if b.high < math.inf else "")
            + "→ "
            f"{number(b.amount)}"
            for b in line.bands
        ]
        words = [f"{'; '.join(ends)} {line.unit} by {line.per} in {pretty(SIZES[line.per])}"]
    words += [f"capped at {number(line.cap)} {pretty(SIZES[line.per])}"] if line.cap else []
    words += [f"to the nearest {number(line.round)} {line.unit}"] if line.round else []
    return ", ".join(words) + (f" ({line.form})" if line.form else "")


def over_text(line: DoseLine) -> str:
    return f"over {time_text(line.over)}" if line.over else "at once"


def days_text(days: Iterable[int]) -> str:
    """`1`, `1 and 2`, `1–14`, `1, 8 and 15`."""
    own = sorted(days)
    if len(own) > 2 and own == list(range(own[0], own[-1] + 1)):
        return f"{own[0]}–{own[-1]}"
    return _listed([str(d) for d in own])


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def cycles_text(text: str) -> str:
    """`5-/2` as `every 2nd from the 5th`."""
    if not text:
        return "every"
    found = []
    for first, last, step in spans(text):
        every = f"every {_ordinal(step)} " if step > 1 else ""
        found.append(
            f"{first}"
            if last == first
            else f"{every}from {first} on"
            if last is None
            else f"{every}{first}–{last}"
        )
    return _listed(found)


def _ordinal(n: int) -> str:
    return f"{n}{'th' if 10 <= n % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def course_text(course: Regimen, regimen: Regimen) -> str:
    """When a course is given: `6 cycles of 14 days, from day 15`."""
    number_ = (
        "cycles" if course.count is None else "1 cycle" if course.count == 1 else f"{course.count} cycles"
    )
    words = [f"{number_} of {length(course.cycle)}"]
    if course.after:
        names = _listed([regimen.courses[k - 1].name for k in course.after])
        words.append((f"{length(course.start)} " if course.start else "") + f"after {names}")
    elif course.start:
        words.append(f"from day {number(course.start + 1)}")
    words += ["for as long as asked for"] if course.count is None else []
    return ", ".join(words)


def departures(course: Regimen) -> list[str]:
    """What was given otherwise than planned, a sentence each."""
    found = [f"cycle {k} and those after it: {length(d)} late" for k, d in course.delays]
    for r in course.reductions:
        which = (
            "every cycle"
            if not r.cycles
            else f"cycle{'' if r.cycles.isdecimal() else 's'} {cycles_text(r.cycles)}"
        )
        given = f"{number(100 * r.factor)} % of" if r.factor else "no"
        found.append(
            f"{which}: {given} {_listed([d for d in course.drugs if d in (r.drugs or course.drugs)])}"
        )
    return found


# --- as data ----------------------------------------------------------


def show_regimen(regimen: Regimen) -> dict:
    """A regimen as plain data, its courses with all that they give; times in days."""
    keys = ("name", "title", "reference", "text")
    courses = [
        {
            **{k: getattr(c, k) for k in keys},
            "cycle": c.cycle,
            "cycles": c.count,
            "start": c.start,
            "after": list(c.after),
            "delays": [{"cycle": k, "days": d} for k, d in c.delays],
            "reductions": [asdict(r) | {"drugs": list(r.drugs)} for r in c.reductions],
            "given": course_text(c, regimen),
            "departures": departures(c),
            "doses": [_dose(d) for d in c.doses],
            "rules": [asdict(r) | {"drugs": list(r.drugs), "words": rule_text(r)} for r in c.rules],
        }
        for c in regimen.courses
    ]
    return {
        **{k: getattr(regimen, k) for k in keys},
        "drugs": list(regimen.drugs),
        "courses": courses,
        "references": references([regimen.reference, *(c.reference for c in regimen.courses)]),
    }


def _dose(line: DoseLine) -> dict:
    bands = [
        {"from": b.low, "below": b.high if b.high < math.inf else None, "amount": b.amount}
        for b in line.bands
    ]
    return asdict(line) | {
        "amount": None if bands else line.amount,
        "days": list(line.days),
        "bands": bands,
        "cap": line.cap or None,
        "round": line.round or None,
        "words": f"{amount_text(line)} {over_text(line)}",
    }


# --- on a console -----------------------------------------------------


def print_regimen(regimen: Regimen, console: Console) -> None:
    """Doses as a table, a calendar, rules and sources."""
    described = show_regimen(regimen)
    console.print(Text(regimen.title, style="bold"))
    if regimen.text:
        console.print(Text(_one_line(regimen.text), style="dim"))
    for course in regimen.courses:
        of = f"{course.title}: " if len(regimen.courses) > 1 else ""
        console.print(Text(f"\n{of}{course_text(course, regimen)}", style="underline"))
        for text in departures(course):
            console.print(Padding(Text(text), (0, 0, 0, 2)))
        if course.text and course is not regimen:
            console.print(Text(_one_line(course.text), style="dim"))
        console.print(_table(course))
    if regimen.open and len(regimen.courses) > 1:
        first = regimen.courses[0]
        console.print(
            Text(f"The number of cycles asked for is that of {first.name}, {length(first.cycle)} each.")
        )
    until = shown_for(regimen)
    planned = ", as planned" if regimen.rules else ""
    console.print(Text(f"The first {number(until / 7)} weeks{planned}", style="bold underline"))
    for line in calendar(regimen, until):
        console.print(Text(line, no_wrap=True), soft_wrap=True)
    for course in (c for c in regimen.courses if c.rules):
        of = f" of {course.name}" if len(regimen.courses) > 1 else ""
        console.print(Text(f"\nAt each visit, before the cycle's doses{of}", style="bold underline"))
        for i, rule in enumerate(course.rules, 1):
            console.print(Padding(Text(f"{i}. {rule_text(rule)}"), (0, 0, 0, 2)))
    console.print(Text("\nSources", style="bold underline"))
    for key, text in described["references"].items():
        console.print(Padding(Text(text or key), (0, 0, 0, 2)))
    console.print(Text(f"\n{DISCLAIMER}", style="italic"))


def _one_line(text: str) -> str:
    """A text of several lines as one."""
    return " ".join(text.split())


def _table(course: Regimen) -> Table:
    """The doses of a cycle by day; those that differ in the hour alone are one row."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for name in ("Day", "Drug", "Amount", "At hour", "How", "Cycles"):
        table.add_column(name, overflow="fold")
    rows: dict[DoseLine, list[float]] = {}
    for line in course.doses:
        rows.setdefault(replace(line, at=0.0), []).append(line.at)
    for line, at in sorted(rows.items(), key=lambda r: (r[0].days, min(r[1]))):
        hours = _listed([number(24 * t) for t in sorted(at)])
        table.add_row(
            days_text(line.days),
            line.drug,
            amount_text(line),
            hours,
            over_text(line),
            cycles_text(line.cycles),
        )
    return table
