"""The map of mechanisms and therapies: where the library has each, how to switch it, what should move."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pkpd.content import library
from pkpd.content.fields import is_number
from pkpd.content.library import check_keys, raise_issues, shown, table, text
from pkpd.errors import ContentError, Issue, nearest
from pkpd.model.compose import load_model
from pkpd.model.model import Model
from pkpd.parameters.bind import line_for
from pkpd.parameters.covariates import REGISTER

SYSTEM = "crlm_immune_full"
KINDS = ("mechanism", "therapy", "marker", "platform")
GRADES = ("clinical", "in vivo", "in vitro", "none")
REVIEWS = ("000", "001", "002")
GOES = ("up", "down")
BURDEN, ORR = "systemic.burden", "ORR"
WEEKS = (2, 8, 16, 24)  # at which a readout can be looked at
_TEXTS = ("name", "kind", "group", "in", "of", "goes", "grade", "source", "text", "why", "system", "against")
_KEYS = (*_TEXTS, "reviews", "home", "sets", "always", "treated", "removed", "week", "inert")


@dataclass(frozen=True)
class Change:
    """What a switch does to one line of inputs: sets it, or multiplies what each patient has; for some days
    or for good.
    """

    line: str
    value: float
    times: bool = False
    days: float = float("inf")


@dataclass(frozen=True)
class Context:
    """Patients in whom switches are looked at: covariates, parameter sets laid on top, settings from the
    start, treatment.
    """

    name: str
    text: str
    patients: tuple[tuple[str, float], ...]
    sets: tuple[str, ...]
    always: tuple[Change, ...]
    treated: tuple[Change, ...]


@dataclass(frozen=True)
class Entry:
    """One mechanism or therapy that a review names.

    home      terms of `system` (inputs, compartments, variables, flows, parts) or a context,
              `parameters/NAME`; empty where there is none, and `why` says so
    sets      parameter sets laid on top
    always    changes from the start of the run-in; treated: from the start of treatment
    removed   shares of compartments that are left when treatment starts
    of, goes  the readout and the way it should move at `week`, in patients of `context`
    inert     the change that was found where it is too small to count
    against   the reason, where it moves the other way
    """

    name: str
    kind: str
    group: str
    reviews: tuple[str, ...]
    grade: str
    source: str
    home: tuple[str, ...] = ()
    system: str = SYSTEM
    text: str = ""
    why: str = ""
    context: str = ""
    of: str = BURDEN
    goes: str = ""
    sets: tuple[str, ...] = ()
    always: tuple[Change, ...] = ()
    treated: tuple[Change, ...] = ()
    removed: tuple[tuple[str, float], ...] = ()
    week: int = WEEKS[-1]
    inert: float | None = None
    against: str = ""

    @property
    def switched(self) -> bool:
        """Whether there is a switch to measure."""
        return bool(self.sets or self.always or self.treated or self.removed)


@dataclass(frozen=True)
class Map:
    """The contexts and entries of a file."""

    name: str
    title: str
    text: str
    contexts: tuple[Context, ...]
    entries: tuple[Entry, ...]

    @cached_property
    def switched(self) -> tuple[Entry, ...]:
        return tuple(e for e in self.entries if e.switched)


def load_map(name: str | Path = "mechanisms") -> Map:
    """The library's map, or a file of one's own."""
    return library.load("mechanisms", name, read_map)


def read_map(data: dict, name: str, where: str) -> Map:
    """A map from tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("mechanisms", "contexts", "entries"), where, issues)
    head = table(data.get("mechanisms"), f"{where}: mechanisms", ("title", "text"), issues)
    words = {k: text(head, k, f"{where}: mechanisms", issues) for k in ("title", "text")}
    models = _Models(issues)
    given = data.get("contexts", {})
    contexts = (
        [_context(k, v, f"{where}: contexts.{k}", models) for k, v in given.items()]
        if isinstance(given, dict)
        else []
    )
    entries: dict[str, Entry] = {}
    for place, row in library.rows(data.get("entries"), f"{where}: entries", _KEYS, issues):
        entry = _entry(row, place, {c.name for c in contexts}, models)
        if entry.name in entries:
            issues.append(Issue(f"{place}.name", f"a second entry {entry.name!r}", "give one another name"))
        entries[entry.name] = entry
    raise_issues(issues)
    return Map(name, words["title"], words["text"], tuple(contexts), tuple(entries.values()))


class _Models:
    """The systems that a map names, each loaded once, and the issues of what is looked up in them."""

    def __init__(self, issues: list[Issue]):
        self.issues = issues
        self.loaded: dict[str, Model | None] = {}

    def add(self, place: str, what: str, remedy: str = "") -> None:
        self.issues.append(Issue(place, what, remedy))

    def get(self, name: str, place: str) -> Model | None:
        if name not in self.loaded:
            try:
                self.loaded[name] = load_model(name)
            except (ContentError, LookupError) as error:
                self.add(place, str(error))
                self.loaded[name] = None
        return self.loaded[name]

    def among(self, name: str, known: Iterable[str], what: str, place: str) -> None:
        known = set(known)
        if name not in known:
            self.add(place, f"{name!r} is no {what}", nearest(name, known))


def terms(model: Model) -> dict[str, str]:
    """What each name of a system is; copies share their line (`hepatic.sensitive`)."""
    found = {line_for(f.name): "flow" for f in model.flows}
    found |= {line_for(v.name): "variable" for v in model.variables}
    found |= {line_for(s): "compartment" for s in model.states}
    found |= {line_for(p): "input" for p in model.inputs}
    return found | {p.name: "part" for p in model.parts}


def _context(name: str, row: object, place: str, models: _Models) -> Context:
    own = table(row, place, ("text", "patients", "sets", "always", "treated"), models.issues)
    patients = table(own.get("patients"), f"{place}.patients", REGISTER, models.issues)
    for key, value in patients.items():
        if not is_number(value):
            models.add(f"{place}.patients.{key}", f"{shown(value)} is not a number", f"write {key} = 2")
    return Context(
        name,
        text(own, "text", place, models.issues, need=True),
        tuple((k, float(v)) for k, v in patients.items() if is_number(v)),
        _sets(own.get("sets", []), f"{place}.sets", models),
        *(_changes(own.get(k), f"{place}.{k}", SYSTEM, models) for k in ("always", "treated")),
    )


def _sets(names: object, place: str, models: _Models) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        models.add(place, f"{shown(names)} is not a list of parameter sets", 'write sets = ["biology_msi_h"]')
        return ()
    for name in names:
        models.among(name, library.names("parameters"), "parameter set", place)
    return tuple(names)


def _changes(row: object, place: str, system: str, models: _Models) -> tuple[Change, ...]:
    """Settings: a number is what a line is set to; { to = …, days = … } and { times = … } say more."""
    found, model = [], models.get(system, place)
    lines = {line_for(p) for p in model.inputs} if model else set()
    for line, value in table(row, place, row if isinstance(row, dict) else (), models.issues).items():
        given = value if isinstance(value, dict) else {"to": value}
        check_keys(given, ("to", "times", "days"), f"{place}.{line}", models.issues)
        if (
            not all(map(is_number, given.values()))
            or ("to" in given) == ("times" in given)
            or given.get("days", 1) <= 0
        ):
            models.add(
                f"{place}.{line}",
                f"{shown(value)} is no setting",
                "write 0.5, { times = 0.5 } or { to = 1, days = 3 }",
            )
        elif model:
            models.among(line, lines, f"input of {system}", f"{place}.{line}")
            times = "times" in given
            found.append(
                Change(
                    line,
                    float(given["times" if times else "to"]),
                    times,
                    float(given.get("days", float("inf"))),
                )
            )
    return tuple(found)


def _entry(row: dict, place: str, contexts: set[str], models: _Models) -> Entry:
    """One entry from its table; faults are added to the issues."""
    words = {
        k: text(row, k, place, models.issues, k in ("name", "kind", "group", "grade", "source"))
        for k in _TEXTS
    }
    for key, options in (("kind", KINDS), ("grade", GRADES)):
        models.among(words[key], options, key, f"{place}.{key}")
    reviews = row.get("reviews", [])
    if not isinstance(reviews, list) or not reviews or not set(reviews) <= set(REVIEWS):
        models.add(
            f"{place}.reviews", f"{shown(reviews)} is no list of reviews", 'write reviews = ["001", "002"]'
        )
        reviews = []
    system, week, inert = words["system"] or SYSTEM, row.get("week", WEEKS[-1]), row.get("inert")
    home = _home(row.get("home", []), f"{place}.home", system, models)
    if bool(home) == bool(words["why"]):
        models.add(
            place, "has neither a home nor a reason why not, or both", 'home = ["therapy.PD1"], or why = "…"'
        )
    if week not in WEEKS:
        models.add(f"{place}.week", f"{shown(week)} is not looked at", "one of " + ", ".join(map(str, WEEKS)))
    if inert is not None and (not is_number(inert) or words["against"]):
        models.add(
            f"{place}.inert",
            f"{shown(inert)} is no change, or has no place beside against",
            "write inert = -0.004",
        )
    always, treated = (_changes(row.get(k), f"{place}.{k}", system, models) for k in ("always", "treated"))
    removed = _shares(row.get("removed"), f"{place}.removed", models)
    entry = Entry(
        words["name"],
        words["kind"],
        words["group"],
        tuple(reviews),
        words["grade"],
        words["source"],
        home,
        system,
        words["text"],
        words["why"],
        words["in"],
        words["of"] or BURDEN,
        words["goes"],
        _sets(row.get("sets", []), f"{place}.sets", models),
        always,
        treated,
        removed,
        week,
        inert,
        words["against"],
    )
    if entry.switched or not any(
        row.get(k) for k in ("sets", "always", "treated", "removed")
    ):  # else its faults were told
        _switch(entry, place, contexts, models)
    return entry


def _shares(row: object, place: str, models: _Models) -> tuple[tuple[str, float], ...]:
    """The share of each compartment that removal leaves."""
    own = table(row, place, row if isinstance(row, dict) else (), models.issues)
    for name, share in own.items():
        if not is_number(share) or not 0 <= share <= 1:
            models.add(
                f"{place}.{name}",
                f"{shown(share)} is not a share from 0 to 1",
                "give what is left, 0 for all removed",
            )
    return tuple((k, float(v)) for k, v in own.items() if is_number(v))


def _home(names: object, place: str, system: str, models: _Models) -> tuple[str, ...]:
    model = models.get(system, place)
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        models.add(
            place,
            f"{shown(names)} is not a list of terms",
            'write home = ["liver.TOLERANCE", "liver.siphon"]',
        )
        return ()
    known = (
        {**terms(model), **{f"parameters/{n}": "context" for n in library.names("parameters")}}
        if model
        else {}
    )
    for name in names if model else ():
        models.among(name, known, f"term of {system}", place)
    return tuple(names)


def _switch(entry: Entry, place: str, contexts: set[str], models: _Models) -> None:
    """A switch says where it is measured and which way what should move; an entry without one
    says neither.
    """
    if not entry.switched:
        for key, value in (("in", entry.context), ("goes", entry.goes)):
            if value:
                models.add(
                    f"{place}.{key}", "has no place without a switch", "add sets, always, treated or removed"
                )
        return
    if entry.system != SYSTEM:
        models.add(f"{place}.system", f"only {SYSTEM} is switched", "leave the switch out")
        return
    models.among(entry.context, contexts, "context", f"{place}.in")
    models.among(entry.goes, GOES, "way to go", f"{place}.goes")
    model = models.get(SYSTEM, place)
    if model:
        known = {ORR, *model.states, *(v.name for v in model.variables)}
        models.among(entry.of, known, "readout", f"{place}.of")
        for name, _ in entry.removed:
            models.among(name, model.states, "compartment", f"{place}.removed")
