"""A trial's protocol: arms, accrual and cut, visits, operation, conventions; and its published figures."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from pathlib import Path

from pkpd import library, units
from pkpd.errors import ContentError, Issue, nearest
from pkpd.library import check_keys, raise_issues
from pkpd.trial.published import Figure, read_figure
from pkpd.trial.response import CRITERIA

MODALITIES = ("CT", "MRI")
VANISHED = ("left", "searched", "resected")  # what becomes of lesions that the scan before the operation has lost


@dataclass(frozen=True)
class Cycles:
    """How many cycles patients receive: numbers and their shares; `start` is the share that starts at all."""

    numbers: tuple[int, ...]
    weights: tuple[float, ...]
    start: float = 1.0

    @property
    def most(self) -> int:
        return max(self.numbers)


@dataclass(frozen=True)
class Arm:
    """One arm; days. The operation is `operation` days after the last dose before it (or randomisation)."""

    name: str
    title: str
    n: int
    regimen: str = ""
    before: Cycles | None = None
    after: Cycles | None = None
    operation: tuple[float, float] = (14.0, 35.0)
    resume: tuple[float, float] = (28.0, 56.0)


@dataclass(frozen=True)
class Trial:
    """A protocol and what was reported; times in days from each patient's randomisation."""

    name: str
    title: str
    reference: str
    text: str
    population: str
    disease: str
    parameters: str
    control: str
    treatments: tuple[tuple[str, str], ...]
    arms: tuple[Arm, ...]
    figures: tuple[Figure, ...]
    follow_up: tuple[float, float]
    modality: str
    criteria: str
    unresected: str
    vanished: str
    scans_before: float
    scans_after: tuple[tuple[float, float], ...]
    jitter: float
    provenance: tuple[tuple[str, str, str, str], ...] = ()

    def arm(self, name: str) -> Arm:
        for a in self.arms:
            if a.name == name:
                return a
        raise ContentError(Issue(f"{self.name}: arms", f"no arm {name!r}", nearest(name, [a.name for a in self.arms])))

    def with_arms(self, *arms: Arm) -> Trial:
        """The same protocol with other arms and no published figures, for a what-if."""
        return replace(self, arms=arms, figures=(), control=arms[0].name)


def load_trial(name: str | Path) -> Trial:
    """A trial by library name or path."""
    return library.load("trial", name, read_trial)


_PROTOCOL = ("accrual", "cut", "modality", "criteria", "unresected", "vanished", "before", "after", "jitter")
_CHOICES = {"modality": MODALITIES, "criteria": tuple(CRITERIA), "unresected": ("event", "follow"),
            "vanished": VANISHED}


def _heads(data: dict, where: str, issues: list[Issue]) -> tuple[dict, dict]:
    """The trial's heading and protocol, with their keys and choices checked."""
    check_keys(data, ("trial", "treatments", "protocol", "arms", "figures"), where, issues)
    head, protocol = data.get("trial", {}), data.get("protocol", {})
    heads = ("title", "reference", "population", "disease", "parameters", "control", "text")
    check_keys(head, heads, f"{where}: trial", issues)
    check_keys(protocol, _PROTOCOL, f"{where}: protocol", issues)
    for key in ("disease", "parameters", "control"):
        if not isinstance(head.get(key), str):
            issues.append(Issue(f"{where}: trial.{key}", "is missing", f'add {key} = "…"'))
    for key in _PROTOCOL:
        if not isinstance(protocol.get(key), dict):
            issues.append(Issue(f"{where}: protocol.{key}", "is missing", "write it as { …, where = …, seen = … }"))
    raise_issues(issues)
    for key, known in _CHOICES.items():
        if protocol[key].get("is") not in known:
            issues.append(Issue(f"{where}: protocol.{key}", f"{protocol[key].get('is')!r} is not one of them",
                                nearest(str(protocol[key].get("is")), known)))
    return head, protocol


def read_trial(data: dict, name: str, where: str) -> Trial:
    """A trial from its tables; raises every issue at once."""
    issues: list[Issue] = []
    head, protocol = _heads(data, where, issues)
    reader = _Days(where, issues)
    arms = tuple(_arm(reader, entry, f"arms[{i + 1}]") for i, entry in enumerate(data.get("arms", [])))
    names = tuple(a.name for a in arms)
    if head["control"] not in names:
        issues.append(Issue(f"{where}: trial.control", f"{head['control']!r} is not an arm", nearest(head["control"], names)))
    figures = [read_figure(e, f"{where}: figures[{i + 1}]", names, issues) for i, e in enumerate(data.get("figures", []))]
    follow_up = _follow_up(protocol, where, issues)
    every = [reader.days(x, "protocol.after.every") for x in protocol["after"].get("every", [])]
    until = [reader.days(x, "protocol.after.until") for x in protocol["after"].get("until", [])]
    if not every or len(every) != len(until) or min(every) <= 0 or sorted(until) != until:
        issues.append(Issue(f"{where}: protocol.after", "is not a visit plan", 'write every = ["3 month"], until = ["2 year"]'))
    scans_before = reader.days(protocol["before"].get("every", ""), "protocol.before.every")
    jitter = reader.days(protocol["jitter"].get("sd", ""), "protocol.jitter.sd")
    raise_issues(issues)
    lines = [(k, _told(protocol[k]), str(protocol[k].get("where", "")), str(protocol[k].get("seen", "user")))
             for k in _PROTOCOL]
    lines += [(f"{a['name']}: {k}", _told(a[k]), str(a[k].get("where", "")), str(a[k].get("seen", "user")))
              for a in data["arms"] for k in ("before", "after", "operation", "resume") if k in a]
    return Trial(
        name, str(head.get("title", "")), str(head.get("reference", "")), str(head.get("text", "")),
        str(head.get("population", "")), head["disease"], head["parameters"], head["control"],
        tuple(data.get("treatments", {}).items()), arms, tuple(f for f in figures if f is not None), follow_up,
        protocol["modality"]["is"], protocol["criteria"]["is"], protocol["unresected"]["is"], protocol["vanished"]["is"],
        scans_before, tuple(zip(every, until, strict=True)), jitter, tuple(lines))


def _told(entry: dict) -> str:
    """A protocol line's content as a reader wants it."""
    rest = {k: v for k, v in entry.items() if k not in ("where", "seen")}
    if set(rest) == {"is"}:
        return str(rest["is"])
    words = {k: ", ".join(map(str, v)) if isinstance(v, list) else str(v) for k, v in rest.items()}
    return "; ".join(f"{k} {v}" for k, v in words.items())


class _Days:
    """Reads times into days and keeps the issues."""

    def __init__(self, where: str, issues: list[Issue]):
        self.where, self.issues = where, issues

    def days(self, text: str, place: str) -> float:
        try:
            value = units.convert(text, "day", f"{self.where}: {place}")
        except ContentError as error:
            self.issues += error.issues
            return 1.0
        if value < 0:
            self.issues.append(Issue(f"{self.where}: {place}", f"{text!r} is negative"))
        return value

    def span(self, entry: dict, place: str) -> tuple[float, float]:
        low, high = (self.days(entry.get(k, ""), f"{place}.{k}") for k in ("from", "to"))
        if low > high:
            self.issues.append(Issue(f"{self.where}: {place}", "ends before it begins"))
        return low, high

    def cycles(self, entry: dict | None, place: str) -> Cycles | None:
        if entry is None:
            return None
        numbers, weights = entry.get("cycles", []), entry.get("weights", [1.0])
        start = entry.get("start", 1.0)
        good = (isinstance(numbers, list) and numbers and len(numbers) == len(weights)
                and all(isinstance(n, int) and 0 <= n <= 60 for n in numbers)
                and abs(sum(weights) - 1) < 1e-9 and 0 <= start <= 1)
        if not good:
            self.issues.append(Issue(f"{self.where}: {place}", "is not a plan of cycles",
                                     "write cycles = [5, 6], weights = [0.2, 0.8]; shares sum to 1"))
            return None
        return Cycles(tuple(numbers), tuple(map(float, weights)), float(start))


def _arm(reader: _Days, entry: dict, place: str) -> Arm:
    check_keys(entry, ("name", "title", "n", "regimen", "before", "after", "operation", "resume"),
               f"{reader.where}: {place}", reader.issues)
    if not isinstance(entry.get("n"), int) or entry["n"] < 1 or not isinstance(entry.get("name"), str):
        reader.issues.append(Issue(f"{reader.where}: {place}", "needs a name and n, its number of patients"))
    if ("before" in entry or "after" in entry) and not entry.get("regimen"):
        reader.issues.append(Issue(f"{reader.where}: {place}", "plans cycles of no regimen", 'add regimen = "…"'))
    default = {"from": "14 day", "to": "35 day"}, {"from": "28 day", "to": "56 day"}
    return Arm(str(entry.get("name", "")), str(entry.get("title", "")), entry.get("n", 1), entry.get("regimen", ""),
               reader.cycles(entry.get("before"), f"{place}.before"), reader.cycles(entry.get("after"), f"{place}.after"),
               reader.span(entry.get("operation", default[0]), f"{place}.operation"),
               reader.span(entry.get("resume", default[1]), f"{place}.resume"))


def _follow_up(protocol: dict, where: str, issues: list[Issue]) -> tuple[float, float]:
    """The shortest and longest follow-up: the cut after the last and the first patient's entry."""
    dates = []
    for text in (protocol["accrual"].get("from"), protocol["accrual"].get("to"), protocol["cut"].get("date")):
        try:
            dates.append(datetime.date.fromisoformat(str(text)))
        except ValueError:
            issues.append(Issue(f"{where}: protocol", f"{text!r} is not a date", "write it as 2004-07-05"))
            return 0.0, 0.0
    first, last, cut = dates
    if not first < last <= cut:
        issues.append(Issue(f"{where}: protocol.accrual", "does not end before the cut", "put the dates in order"))
    return float((cut - last).days), float((cut - first).days)
