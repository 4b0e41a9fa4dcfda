"""Regimen files: doses and rules of a course, or the courses of a combination."""

from __future__ import annotations

import math
from pathlib import Path

from pkpd.content import library, toml, units
from pkpd.content.library import check_keys, raise_issues
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue, PkpdError
from pkpd.regimen.cycle_ranges import spans
from pkpd.regimen.dose_reading import KEYS, read_dose
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.regimen import Regimen, combined, counted, delayed, reduced, starting, then
from pkpd.regimen.rules import Rule, read_rules

_HEAD = ("title", "reference", "cycle", "text")
_COURSE = ("use", "cycles", "start", "after", "delays", "reduce")


def load_regimen(name: str | Path) -> Regimen:
    """A regimen by library name or path."""
    return library.load("regimen", name, read_regimen)


def parse_regimen(source: str | dict, name: str = "regimen") -> Regimen:
    """A regimen from TOML text or from its tables, as in a notebook; the courses that it uses come from the
    library.
    """
    return read_regimen(toml.tables(source, name), name, name)


def read_regimen(data: dict, name: str, where: str, within: tuple[str, ...] = ()) -> Regimen:
    """A regimen from its tables, `within` those that use it; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("regimen", "doses", "rules", "courses"), where, issues)
    head = data.get("regimen", {})
    if not isinstance(head, dict):
        issues.append(Issue(f"{where}: regimen", "is not a table", "write [regimen]"))
        head = {}
    check_keys(head, _HEAD, f"{where}: regimen", issues)
    title = library.text(head, "title", f"{where}: regimen", issues, need=True)
    reference, text = (library.text(head, k, f"{where}: regimen", issues) for k in ("reference", "text"))
    if "courses" not in data:
        cycle = _cycle(head, where, issues)
        doses, rules = _content(data, cycle, where, issues)
        raise_issues(issues)
        return Regimen(
            name=name, title=title, cycle=cycle, doses=doses, reference=reference, text=text, rules=rules
        )
    for key, place in (("doses", where), ("rules", where), ("cycle", f"{where}: regimen")):
        if key in (data if place == where else head):
            issues.append(
                Issue(
                    f"{place}{': ' if place == where else '.'}{key}",
                    "has no place beside courses",
                    "write it in the file of a course, and `use` that",
                )
            )
    courses = _courses(data["courses"], where, within, issues)
    raise_issues(issues)
    return combined(name, title, courses, reference, text)


def _cycle(head: dict, where: str, issues: list[Issue]) -> float:
    try:
        return units.days(
            head.get("cycle", ""),
            f"{where}: regimen.cycle",
            "is no length of a cycle",
            'write cycle = "14 day", from one day on',
            least=1.0,
        )
    except ContentError as error:
        issues += error.issues
    return math.inf  # an unknown cycle holds any day


def _content(
    data: dict, cycle: float, where: str, issues: list[Issue]
) -> tuple[tuple[DoseLine, ...], tuple[Rule, ...]]:
    entries = library.rows(data.get("doses"), f"{where}: doses", KEYS, issues)
    if not data.get("doses"):
        issues.append(Issue(f"{where}: doses", "holds no dose", "add [[doses]] tables"))
    doses = [read_dose(entry, place, cycle, issues) for place, entry in entries]
    named = tuple(entry["drug"] for _, entry in entries if isinstance(entry.get("drug"), str))
    rules = read_rules(data.get("rules"), named, f"{where}: rules", issues)
    return tuple(d for d in doses if d is not None), rules


def _courses(value: object, where: str, within: tuple[str, ...], issues: list[Issue]) -> tuple[Regimen, ...]:
    found: Regimen | None = None
    entries = library.rows(value, f"{where}: courses", _COURSE, issues)
    if not entries:
        issues.append(
            Issue(f"{where}: courses", "holds no course", 'add [[courses]] tables: use = "folfox4"')
        )
    for place, entry in entries:
        before = len(issues)
        course = _course(entry, place, within, issues)
        if entry.get("after", True) is not True or ("after" in entry and entry is entries[0][1]):
            issues.append(
                Issue(
                    f"{place}.after",
                    "follows no course" if entry is entries[0][1] else f"{shown(entry['after'])} is not true",
                    "write after = true in a course below those it follows",
                )
            )
        if course is None or len(issues) > before:
            continue
        try:
            if found is None:
                found = course
            else:
                found = then(found, course, f"{place}.after") if "after" in entry else found + course
        except ContentError as error:
            issues += error.issues
    return found.courses if found else ()


def _course(entry: dict, place: str, within: tuple[str, ...], issues: list[Issue]) -> Regimen | None:
    """The regimen that an entry uses, as the entry says it is given."""
    use = library.text(entry, "use", place, issues, need=True)
    try:
        if not use:
            return None
        source = library.read("regimen", use)
        if source.path in within:
            issues.append(
                Issue(f"{place}.use", f"{use!r} leads back to itself", "use a regimen that stands on its own")
            )
            return None
        course = read_regimen(source.data, source.name, source.where, (*within, source.path))
    except ContentError as error:
        issues += error.issues
        return None
    except PkpdError as error:
        issues.append(library.named(error, use, f"{place}.use"))
        return None
    changes = [(starting, "start"), (counted, "cycles"), (delayed, "delays")]
    less = library.rows(entry.get("reduce"), f"{place}.reduce", ("factor", "drugs", "cycles"), issues)
    steps = [lambda r, f=f, k=k: f(r, entry[k], f"{place}.{k}") for f, k in changes if k in entry]
    steps += [lambda r, e=e, p=p: _reduced(r, e, p) for p, e in less]
    for step in steps:
        try:
            course = step(course)
        except ContentError as error:
            issues += error.issues
    return course


def _reduced(course: Regimen, entry: dict, place: str) -> Regimen:
    if "cycles" in entry:
        spans(entry["cycles"], f"{place}.cycles")
    return reduced(course, entry.get("factor"), entry.get("drugs", ()), entry.get("cycles", ""), place)
