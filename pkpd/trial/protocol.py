"""A trial's protocol: arms, accrual and cut, visits, operation, conventions; and its published figures."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from pkpd import library, units
from pkpd.errors import ContentError, Issue, nearest
from pkpd.library import check_keys, check_name, raise_issues, rows, shown, table, text, whole
from pkpd.regimen import load_regimen
from pkpd.spread import is_number
from pkpd.trial.published import Figure, read_figures
from pkpd.trial.response import CRITERIA
from pkpd.values import SEEN

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


def load_trial(name: str | Path) -> Trial:
    """A trial by library name or path."""
    return library.load("trial", name, read_trial)


_HEAD = ("title", "reference", "population", "disease", "parameters", "control", "text")
_PROTOCOL = {"accrual": ("from", "to"), "cut": ("date",), "modality": ("is",), "criteria": ("is",), "unresected": ("is",),
             "vanished": ("is",), "before": ("every",), "after": ("every", "until"), "jitter": ("sd",)}
_CHOICES = {"modality": MODALITIES, "criteria": tuple(CRITERIA), "unresected": ("event", "follow"),
            "vanished": VANISHED}
_ARM = {"before": ("cycles", "weights"), "after": ("start", "cycles", "weights"), "operation": ("from", "to"),
        "resume": ("from", "to")}
_LONGEST = 36525.0  # days: no time of a protocol is longer than a century


def read_trial(data: dict, name: str, where: str) -> Trial:
    """A trial from its tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("trial", "treatments", "protocol", "arms", "figures"), where, issues)
    head = table(data.get("trial"), f"{where}: trial", _HEAD, issues)
    words = {k: text(head, k, f"{where}: trial", issues, need=k in ("disease", "parameters", "control")) for k in _HEAD}
    for key, kinds in (("disease", ("model",)), ("parameters", ("parameters", "result"))):
        if words[key]:
            check_name(kinds, words[key], f"{where}: trial.{key}", issues)
    reader = _Reader(where, issues)
    lines = reader.lines(table(data.get("protocol"), f"{where}: protocol", _PROTOCOL, issues), _PROTOCOL, "protocol")
    for key in _PROTOCOL:
        if key not in lines:
            reader.add(f"protocol.{key}", "is missing", "write it as { …, where = …, seen = … }")
    choices = {k: reader.choice(lines.get(k), k) for k in _CHOICES}
    follow_up = _follow_up(reader, lines)
    visits = reader.visits(lines.get("after"))
    every = reader.every(lines["before"].get("every", ""), "protocol.before.every") if "before" in lines else 1.0
    jitter = reader.days(lines["jitter"].get("sd", ""), "protocol.jitter.sd") if "jitter" in lines else 0.0
    entries = rows(data.get("arms"), f"{where}: arms", ("name", "title", "n", "regimen", *_ARM), issues)
    arms = tuple(_arm(reader, entry, place.removeprefix(f"{where}: ")) for place, entry in entries)
    treatments = _treatments(reader, data, arms)
    _check_arms(reader, words["control"], arms)
    figures = read_figures(data.get("figures"), where, tuple(a.name for a in arms), words["control"], follow_up[1], issues)
    raise_issues(issues)
    told = [(k, _told(lines[k]), lines[k].get("where", ""), lines[k].get("seen", "user")) for k in _PROTOCOL]
    told += [(f"{a['name']}: {k}", _told(a[k]), a[k].get("where", ""), a[k].get("seen", "user"))
             for _, a in entries for k in _ARM if k in a]
    return Trial(name, words["title"], words["reference"], words["text"], words["population"], words["disease"],
                 words["parameters"], words["control"], treatments, arms, figures, follow_up, **choices,
                 scans_before=every, scans_after=visits, jitter=jitter, provenance=tuple(told))


def _told(entry: dict) -> str:
    """A protocol line's content as a reader wants it."""
    rest = {k: v for k, v in entry.items() if k not in ("where", "seen")}
    if set(rest) == {"is"}:
        return str(rest["is"])
    words = {k: ", ".join(map(str, v)) if isinstance(v, list) else str(v) for k, v in rest.items()}
    return "; ".join(f"{k} {v}" for k, v in words.items())


class _Reader:
    """Reads the lines of a protocol, times into days, and keeps the issues."""

    def __init__(self, where: str, issues: list[Issue]):
        self.where, self.issues = where, issues

    def add(self, place: str, what: str, remedy: str = "") -> None:
        self.issues.append(Issue(f"{self.where}: {place}", what, remedy))

    def lines(self, data: dict, known: dict[str, tuple[str, ...]], place: str) -> dict[str, dict]:
        """The lines that are tables, with their keys, source and how they were seen checked."""
        found = {}
        for key in (k for k in known if k in data):
            at = f"{self.where}: {place}.{key}"
            check_keys(data[key], (*known[key], "where", "seen"), at, self.issues)
            found[key] = data[key] if isinstance(data[key], dict) else {}
            text(found[key], "where", at, self.issues)
            if found[key].get("seen", "user") not in SEEN:
                self.issues.append(Issue(f"{at}.seen", f"{shown(found[key]['seen'])} is not a way of seeing",
                                         "one of " + ", ".join(SEEN)))
        return found

    def choice(self, line: dict | None, key: str) -> str:
        chosen = (line or {}).get("is")
        if line is not None and chosen not in _CHOICES[key]:
            self.add(f"protocol.{key}", f"{shown(chosen)} is not one of them",
                     nearest(chosen if isinstance(chosen, str) else "", _CHOICES[key]))
        return chosen if isinstance(chosen, str) else ""

    def days(self, value: object, place: str) -> float:
        if not isinstance(value, str):
            self.add(place, f"{shown(value)} is not a quantity", "write a number and a unit, as in '3 month'")
            return 1.0
        try:
            days = units.convert(value, "day", f"{self.where}: {place}")
        except ContentError as error:
            self.issues += error.issues
            return 1.0
        if not 0 <= days <= _LONGEST:
            self.add(place, f"{value!r} is {'negative' if days < 0 else 'over a century'}", "mend the number or its unit")
        return days

    def every(self, value: object, place: str) -> float:
        days = self.days(value, place)
        if 0 <= days < 1:
            self.add(place, f"{value!r} is less than a day", 'write every = "6 week"')
        return days

    def span(self, entry: dict, place: str) -> tuple[float, float]:
        low, high = (self.days(entry.get(k, ""), f"{place}.{k}") for k in ("from", "to"))
        if low > high:
            self.add(place, "ends before it begins", "put from before to")
        return low, high

    def visits(self, line: dict | None) -> tuple[tuple[float, float], ...]:
        """Scans after the operation: how often, and until when."""
        if line is None:
            return ()
        every, until = (x if isinstance(x, list) else [] for x in (line.get("every"), line.get("until")))
        plan = [(self.every(e, "protocol.after.every"), self.days(u, "protocol.after.until"))
                for e, u in zip(every, until, strict=False)]
        ends = [u for _, u in plan]
        if not plan or len(every) != len(until) or sorted(set(ends)) != ends:
            self.add("protocol.after", "is not a visit plan", 'write every = ["3 month"], until = ["2 year"]')
        return tuple(plan)

    def cycles(self, entry: dict | None, place: str, start: object = 1.0) -> Cycles | None:
        if entry is None:
            return None
        numbers, weights = entry.get("cycles"), entry.get("weights", [1.0])
        good = (isinstance(numbers, list) and numbers and all(whole(n, 0, 60) for n in numbers)
                and len(set(numbers)) == len(numbers) and isinstance(weights, list) and len(numbers) == len(weights)
                and all(is_number(w) and w >= 0 for w in weights) and abs(sum(weights) - 1) < 1e-9)
        if not good:
            self.add(place, "is not a plan of cycles", "write cycles = [5, 6], weights = [0.2, 0.8]; shares sum to 1")
        if not is_number(start) or not 0 <= start <= 1:
            self.add(f"{place}.start", "is missing" if start is None else f"{shown(start)} is not a share",
                     "write start = SHARE that starts at all, from 0 to 1")
            return None
        return Cycles(tuple(numbers), tuple(map(float, weights)), float(start)) if good and numbers else None


def _arm(reader: _Reader, entry: dict, place: str) -> Arm:
    at = f"{reader.where}: {place}"
    name, title, regimen = (text(entry, k, at, reader.issues, need=k == "name") for k in ("name", "title", "regimen"))
    n = entry.get("n")
    if not whole(n, 1, 100_000):
        reader.add(f"{place}.n", "is missing" if n is None else f"{shown(n)} is not a number of patients",
                   "give n, its patients: a whole number from 1 to 100,000")
    lines = reader.lines(entry, _ARM, place)
    if ("before" in lines or "after" in lines) and not regimen:
        reader.add(place, "plans cycles of no regimen", 'add regimen = "…"')
    if regimen:
        _check_regimen(reader, regimen, f"{place}.regimen")
    for key in ("operation", *(("resume",) if "after" in lines else ())):
        if key not in lines:
            reader.add(f"{place}.{key}", "is missing", f'write {key} = {{ from = "4 week", to = "8 week", where = …, seen = … }}')
    spans = {k: reader.span(lines[k], f"{place}.{k}") for k in ("operation", "resume") if k in lines}
    after = lines.get("after")
    return Arm(name, title, n if whole(n, 1, 100_000) else 1, regimen, reader.cycles(lines.get("before"), f"{place}.before"),
               reader.cycles(after, f"{place}.after", (after or {}).get("start")), **spans)


def _check_regimen(reader: _Reader, name: str, place: str) -> None:
    before = len(reader.issues)
    check_name(("regimen",), name, f"{reader.where}: {place}", reader.issues)
    try:
        if len(reader.issues) == before and load_regimen(name).rules:
            reader.add(place, f"{name!r} has rules; a trial's cycles begin on the days that its protocol plans",
                       "name a regimen without [[rules]]")
    except ContentError as error:
        reader.issues += error.issues


def _check_arms(reader: _Reader, control: str, arms: tuple[Arm, ...]) -> None:
    names = [a.name for a in arms if a.name]
    for name in sorted({n for n in names if names.count(n) > 1}):
        reader.add("arms", f"two arms are named {name!r}", "rename one of the two")
    if not arms:
        reader.add("arms", "holds no arm", "add [[arms]] tables")
    elif control and control not in names:
        reader.add("trial.control", f"{control!r} is not an arm", nearest(control, names))


def _treatments(reader: _Reader, data: dict, arms: tuple[Arm, ...]) -> tuple[tuple[str, str], ...]:
    """The systems that carry the drugs' effect, by the name of the link; the library must hold each."""
    entries = data.get("treatments", {})
    if not isinstance(entries, dict):
        reader.add("treatments", f"{shown(entries)} is not a table", 'write [treatments], then LINK = "systems/…"')
        return ()
    place = f"{reader.where}: treatments"
    found = [(k, text(entries, k, place, reader.issues, need=True)) for k in entries]
    for key, system in found:
        if system:
            check_name(("model",), system, f"{place}.{key}", reader.issues)
    if not found and any(a.regimen for a in arms):
        reader.add("treatments", "is empty, but an arm has a regimen", 'write LINK = "systems/…"')
    return tuple(found)


def _follow_up(reader: _Reader, lines: dict[str, dict]) -> tuple[float, float]:
    """The shortest and longest follow-up: the cut after the last and the first patient's entry."""
    dates = []
    for line, key in (("accrual", "from"), ("accrual", "to"), ("cut", "date")):
        value = lines.get(line, {}).get(key, "")
        try:
            dates.append(datetime.date.fromisoformat(str(value)))
        except ValueError:
            if line in lines:
                reader.add(f"protocol.{line}.{key}", f"{shown(value)} is not a date", "write it as 2004-07-05")
    if len(dates) < 3:
        return 0.0, 0.0
    first, last, cut = dates
    if not first < last <= cut or (cut - first).days > _LONGEST:
        reader.add("protocol.accrual", "does not end before the cut" if last > cut or first >= last else
                   "begins over a century before the cut", "put the dates in order")
    return float((cut - last).days), float((cut - first).days)
