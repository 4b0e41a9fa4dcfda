"""Regimens in oncology's words: cycles, days, mg/m², boluses, infusions, forms."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pkpd import library, units
from pkpd.errors import ContentError, Issue
from pkpd.library import check_keys, raise_issues
from pkpd.rules import Rule, read_rules

T = TypeVar("T")
BASES = {"m^2": "BSA", "kg": "WT"}


@dataclass(frozen=True)
class DoseLine:
    """One prescribed dose, given on each of `days` of every cycle; times in days, `over` 0 for a bolus."""

    drug: str
    amount: float
    unit: str
    per: str
    days: tuple[int, ...]
    at: float = 0.0
    over: float = 0.0
    form: str = ""


@dataclass(frozen=True)
class Regimen:
    """What is given in a cycle, how long a cycle lasts (days), and the rules that hold, reduce or stop it."""

    name: str
    title: str
    cycle: float
    doses: tuple[DoseLine, ...]
    reference: str = ""
    text: str = ""
    rules: tuple[Rule, ...] = ()

    @property
    def where(self) -> str:
        """The file, as messages name it."""
        return self.name if self.name.endswith(".toml") else f"models/regimens/{self.name}"

    @property
    def drugs(self) -> tuple[str, ...]:
        """What is given, each drug once."""
        return tuple(dict.fromkeys(d.drug for d in self.doses))


def load_regimen(name: str | Path) -> Regimen:
    """A regimen by library name or path."""
    return library.load("regimen", name, read_regimen)


def read_regimen(data: dict, name: str, where: str) -> Regimen:
    """A regimen from its tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("regimen", "doses", "rules"), where, issues)
    head = data.get("regimen", {})
    if not isinstance(head, dict):
        issues.append(Issue(f"{where}: regimen", "is not a table", "write [regimen]"))
        head = {}
    check_keys(head, ("title", "reference", "cycle", "text"), f"{where}: regimen", issues)
    cycle = math.inf  # an unknown cycle holds any day
    try:
        cycle = units.convert(head.get("cycle", ""), "day", f"{where}: regimen.cycle")
        if cycle <= 0:
            issues.append(Issue(f"{where}: regimen.cycle", "is not positive", 'write cycle = "14 day"'))
            cycle = math.inf
    except ContentError as error:
        issues += error.issues
    rows = data.get("doses")
    if not isinstance(rows, list) or not rows:
        issues.append(Issue(f"{where}: doses", "holds no dose", "add [[doses]] tables"))
        rows = []
    doses = [_dose(entry, f"{where}: doses[{i + 1}]", cycle, issues) for i, entry in enumerate(rows)]
    named = tuple(r["drug"] for r in rows if isinstance(r, dict) and isinstance(r.get("drug"), str))
    rules = read_rules(data.get("rules"), named, f"{where}: rules", issues)
    raise_issues(issues)
    return Regimen(name, str(head.get("title", "")), cycle, tuple(d for d in doses if d is not None),
                   str(head.get("reference", "")), str(head.get("text", "")), rules)


def _dose(entry: object, where: str, cycle: float, issues: list[Issue]) -> DoseLine | None:
    if not isinstance(entry, dict):
        issues.append(Issue(where, "is not a table"))
        return None
    check_keys(entry, ("drug", "amount", "days", "at", "over", "rate", "form"), where, issues)
    try:
        return _read_dose(entry, where, cycle)
    except ContentError as error:
        issues += error.issues
        return None


def _read_dose(entry: dict, where: str, cycle: float) -> DoseLine:
    problems: list[Issue] = []
    if not isinstance(entry.get("drug"), str):
        problems.append(Issue(f"{where}.drug", "is missing", 'name the part it is given to: drug = "oxaliplatin"'))
    def told(call: Callable[[], T], instead: T) -> T:
        try:
            return call()
        except ContentError as error:
            problems.extend(error.issues)
            return instead

    amount, unit, per = told(lambda: amount_of(entry.get("amount", ""), f"{where}.amount"), (0.0, "", ""))
    if amount < 0:
        problems.append(Issue(f"{where}.amount", f"{entry['amount']!r} is negative", "a dose is zero or more"))
    days = entry.get("days", [1])
    if not (isinstance(days, list) and days and all(isinstance(d, int) and not isinstance(d, bool) for d in days)):
        problems.append(Issue(f"{where}.days", f"{days!r} is not a list of days", "write days = [1, 2]; day 1 is the first"))
        days = [1]
    if any(not 1 <= d <= cycle for d in days) or len(set(days)) != len(days):
        problems.append(Issue(f"{where}.days", f"{days!r} does not fit a cycle of {cycle:g} days",
                              "name each day once, from 1 to the cycle's last"))
    at, over = (told(lambda k=key: units.convert(entry.get(k, "0 hour"), "day", f"{where}.{k}"), 0.0)
                for key in ("at", "over"))
    if at < 0 or over < 0:
        problems.append(Issue(f"{where}", "a time is negative", "at and over are zero or more"))
    if "rate" in entry:
        if "over" in entry:
            problems.append(Issue(where, f"gives both over = {entry['over']!r} and rate = {entry['rate']!r}",
                                  "an infusion's length follows from amount and rate: remove one"))
        rate, rate_unit, rate_per = told(lambda: amount_of(entry["rate"], f"{where}.rate", "/day"), (0.0, "", ""))
        if not unit or not rate_unit:
            pass
        elif rate_per != per or rate <= 0:
            problems.append(Issue(f"{where}.rate", f"{entry['rate']!r} does not match the amount {entry['amount']!r}",
                                  "give both per m^2, per kg, or flat"))
        else:
            over = amount * told(lambda: float(units.ratio(unit, rate_unit, f"{where}.rate")), 1.0) / rate
    raise_issues(problems)
    return DoseLine(entry["drug"], amount, unit, per, tuple(days), at, over, str(entry.get("form", "")))


def amount_of(text: object, where: str, time: str = "") -> tuple[float, str, str]:
    """A dose as number, amount unit and the covariate it is scaled by: `85 mg/m^2` is (85, mg, BSA).

    With `time` (`/day`) the text is a rate, and the number returned is per that time.
    """
    number, unit = units.quantity(text, where)  # type: ignore[arg-type]
    for amount_unit in ("mg", "umol"):
        for base, covariate in (("", ""), *(("/" + b, c) for b, c in BASES.items())):
            full = f"{amount_unit}{base}{time}"
            if base == "/kg" and not re.search(r"/ *kg\b", unit):
                continue  # mg/kg is a pure number to a registry of units: the text must say it
            if units.parse_unit(unit, where).dims == units.parse_unit(full, where).dims:
                return number * float(units.ratio(unit, full, where)), amount_unit, covariate
    raise ContentError(Issue(where, f"{text!r} is not a dose", "give it in mg, mg/m^2, mg/kg or the like"))
