"""Regimen files: doses and rules of a course, or the courses of a combination."""

from __future__ import annotations

import math
from pathlib import Path

from pkpd import library, units
from pkpd.courses import Regimen, combined, counted, delayed, reduced, starting, then
from pkpd.doses import BASES as BASES
from pkpd.doses import DoseLine, read_dose
from pkpd.errors import ContentError, Issue, PkpdError
from pkpd.library import check_keys, raise_issues, shown
from pkpd.rules import Rule, read_rules

_HEAD = ("title", "reference", "cycle", "text")
_COURSE = ("use", "cycles", "start", "after", "delays", "reduce")


def load_regimen(name: str | Path) -> Regimen:
    """A regimen by library name or path."""
    return library.load("regimen", name, read_regimen)


def read_regimen(data: dict, name: str, where: str, within: tuple[str, ...] = ()) -> Regimen:
    """A regimen from its tables, `within` those that use it; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("regimen", "doses", "rules", "courses"), where, issues)
    head = data.get("regimen", {})
    if not isinstance(head, dict):
        issues.append(Issue(f"{where}: regimen", "is not a table", "write [regimen]"))
        head = {}
    check_keys(head, _HEAD, f"{where}: regimen", issues)
    title, reference, text = (str(head.get(k, "")) for k in ("title", "reference", "text"))
    if "courses" not in data:
        cycle = _cycle(head, where, issues)
        doses, rules = _content(data, cycle, where, issues)
        raise_issues(issues)
        return Regimen(name, title, cycle, doses, reference, text, rules)
    for key, place in (("doses", where), ("rules", where), ("cycle", f"{where}: regimen")):
        if key in (data if place == where else head):
            issues.append(Issue(f"{place}{': ' if place == where else '.'}{key}", "has no place beside courses",
                                "write it in the file of a course, and `use` that"))
    courses = _courses(data["courses"], where, within, issues)
    raise_issues(issues)
    return combined(name, title, courses, reference, text)


def _cycle(head: dict, where: str, issues: list[Issue]) -> float:
    try:
        cycle = units.convert(head.get("cycle", ""), "day", f"{where}: regimen.cycle")
        if cycle > 0:
            return cycle
        issues.append(Issue(f"{where}: regimen.cycle", "is not positive", 'write cycle = "14 day"'))
    except ContentError as error:
        issues += error.issues
    return math.inf  # an unknown cycle holds any day


def _content(data: dict, cycle: float, where: str, issues: list[Issue]) -> tuple[tuple[DoseLine, ...], tuple[Rule, ...]]:
    entries = data.get("doses")
    if not isinstance(entries, list) or not entries:
        issues.append(Issue(f"{where}: doses", "holds no dose", "add [[doses]] tables"))
        entries = []
    doses = [read_dose(entry, f"{where}: doses[{i}]", cycle, issues) for i, entry in enumerate(entries, 1)]
    named = tuple(r["drug"] for r in entries if isinstance(r, dict) and isinstance(r.get("drug"), str))
    rules = read_rules(data.get("rules"), named, f"{where}: rules", issues)
    return tuple(d for d in doses if d is not None), rules


def _courses(value: object, where: str, within: tuple[str, ...], issues: list[Issue]) -> tuple[Regimen, ...]:
    found: Regimen | None = None
    entries = library.rows(value, f"{where}: courses", _COURSE, issues)
    if not entries:
        issues.append(Issue(f"{where}: courses", "holds no course", 'add [[courses]] tables: use = "folfox4"'))
    for place, entry in entries:
        before = len(issues)
        course = _course(entry, place, within, issues)
        if entry.get("after", True) is not True or ("after" in entry and entry is entries[0][1]):
            issues.append(Issue(f"{place}.after", "follows no course" if entry is entries[0][1] else
                                f"{shown(entry['after'])} is not true", "write after = true in a course below those it follows"))
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
            issues.append(Issue(f"{place}.use", f"{use!r} leads back to itself", "use a regimen that stands on its own"))
            return None
        course = read_regimen(source.data, source.name, source.where, (*within, source.path))
    except ContentError as error:
        issues += error.issues
        return None
    except PkpdError as error:
        what, _, remedy = str(error).partition("\n    remedy: ")
        issues.append(Issue(f"{place}.use", f"{use!r}{what.removeprefix(use)}", remedy))
        return None
    changes = [(starting, "start"), (counted, "cycles"), (delayed, "delays")]
    less = library.rows(entry.get("reduce"), f"{place}.reduce", ("factor", "drugs", "cycles"), issues)
    steps = [lambda r, f=f, k=k: f(r, entry[k], f"{place}.{k}") for f, k in changes if k in entry]
    steps += [lambda r, e=e, p=p: reduced(r, e.get("factor"), e.get("drugs", ()), e.get("cycles", ""), p) for p, e in less]
    for step in steps:
        try:
            course = step(course)
        except ContentError as error:
            issues += error.issues
    return course
