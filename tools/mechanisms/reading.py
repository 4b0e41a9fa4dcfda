"""The map of mechanisms and therapies, read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pkpd.content import library
from pkpd.content.fields import (
    Choice,
    Field,
    Names,
    Number,
    Share,
    Table,
    Text,
    held,
    is_number,
    read,
    read_rows,
)
from pkpd.content.library import check_keys, raise_issues
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue, nearest
from pkpd.model.compose import load_model
from pkpd.model.model import Model
from pkpd.parameters.bind import line_for
from pkpd.parameters.covariates import register
from tools.mechanisms.map import (
    BURDEN,
    GOES,
    GRADES,
    KINDS,
    ORR,
    REVIEWS,
    SYSTEM,
    WEEKS,
    Change,
    Context,
    Entry,
    Map,
)


@dataclass(frozen=True, kw_only=True)
class _Reviews(Names):
    """A list of reviews, which is not empty."""

    what: str = "is no list of reviews"
    remedy: str = 'write reviews = ["001", "002"]'

    def fits(self, value: Any) -> bool:
        return super().fits(value) and bool(value) and set(value) <= set(REVIEWS)


_HEAD: dict[str, Field] = {"title": Text(), "text": Text()}
_CHANGES = Table(default={}, remedy='write {key} = { "therapy.PD1" = 0.5 }')
_SETS = Names(of="parameter sets", like="biology_msi_h")
_LEFT = Share(what="is not a share from 0 to 1", remedy="give what is left, 0 for all removed")
_PATIENTS: dict[str, Field] = {name: Number(remedy="write {key} = 2") for name in register()}
_CONTEXT: dict[str, Field] = {
    "text": Text(need=True),
    "patients": Field(default={}),
    "sets": _SETS,
    "always": _CHANGES,
    "treated": _CHANGES,
}
_ENTRY: dict[str, Field] = {
    "name": Text(need=True),
    "kind": Choice(known=KINDS, need=True, what="is no kind", lack='add {key} = "…"'),
    "group": Text(need=True),
    "reviews": _Reviews(need=True),
    "grade": Choice(known=GRADES, need=True, what="is no grade", lack='add {key} = "…"'),
    "source": Text(need=True),
    "home": Names(of="terms", remedy='write home = ["liver.TOLERANCE", "liver.siphon"]'),
    "system": Text(),
    "text": Text(),
    "why": Text(),
    "in": Text(),
    "of": Text(),
    "goes": Text(),
    "sets": _SETS,
    "always": _CHANGES,
    "treated": _CHANGES,
    "removed": Table(default={}, remedy='write removed = { "hepatic.1.dead" = 0 }'),
    "week": Field(default=WEEKS[-1]),
    "inert": Field(),
    "against": Text(),
}


def load_map(name: str | Path = "mechanisms") -> Map:
    """The library's map, or a file of one's own."""
    return library.load("mechanisms", name, read_map)


def read_map(data: dict, name: str, where: str) -> Map:
    """A map from tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("mechanisms", "contexts", "entries"), where, issues)
    head = read(data.get("mechanisms", {}), _HEAD, f"{where}: mechanisms", issues)
    models = _Models(issues)
    given = data.get("contexts", {})
    contexts = (
        [_context(k, v, f"{where}: contexts.{k}", models) for k, v in given.items()]
        if isinstance(given, dict)
        else []
    )
    entries: dict[str, Entry] = {}
    for place, found, row in read_rows(data.get("entries"), _ENTRY, f"{where}: entries", issues):
        entry = _entry(found, place, models)
        if entry.switched or not any(row.get(k) for k in ("sets", "always", "treated", "removed")):
            _check_switch(entry, place, {c.name for c in contexts}, models)  # else its faults were told
        if entry.name in entries:
            issues.append(Issue(f"{place}.name", f"a second entry {entry.name!r}", "give one another name"))
        entries[entry.name] = entry
    raise_issues(issues)
    return Map(name, **head, contexts=tuple(contexts), entries=tuple(entries.values()))


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


def terms(model: Model) -> set[str]:
    """The names of a system that can be a home; copies share their line (`hepatic.sensitive`)."""
    own = (*(f.name for f in model.flows), *(v.name for v in model.variables), *model.states, *model.inputs)
    return {*map(line_for, own), *(p.name for p in model.parts)}


def _context(name: str, row: object, place: str, models: _Models) -> Context:
    found = read(row, _CONTEXT, place, models.issues)
    patients = read(found["patients"], _PATIENTS, f"{place}.patients", models.issues)
    _check_sets(found["sets"], f"{place}.sets", models)
    own = found["patients"] if isinstance(found["patients"], dict) else {}
    return Context(
        name,
        text=found["text"],
        patients=tuple((k, patients[k]) for k in own if patients.get(k) is not None),
        sets=found["sets"],
        always=_changes(found["always"], f"{place}.always", SYSTEM, models),
        treated=_changes(found["treated"], f"{place}.treated", SYSTEM, models),
    )


def _check_sets(names: tuple[str, ...], place: str, models: _Models) -> None:
    for name in names:
        models.among(name, library.names("parameters"), "parameter set", place)


def _changes(own: dict, place: str, system: str, models: _Models) -> tuple[Change, ...]:
    """Settings: a number is what a line is set to; { to = …, days = … } and { times = … } say more."""
    found, model = [], models.get(system, place)
    lines = {line_for(p) for p in model.inputs} if model else set()
    for line, value in own.items():
        given = value if isinstance(value, dict) else {"to": value}
        check_keys(given, ("to", "times", "days"), f"{place}.{line}", models.issues)
        numbers = all(map(is_number, given.values()))
        if not numbers or ("to" in given) == ("times" in given) or given.get("days", 1) <= 0:
            remedy = "write 0.5, { times = 0.5 } or { to = 1, days = 3 }"
            models.add(f"{place}.{line}", f"{shown(value)} is no setting", remedy)
        elif model:
            models.among(line, lines, f"input of {system}", f"{place}.{line}")
            times, days = "times" in given, float(given.get("days", float("inf")))
            found.append(Change(line, float(given["times" if times else "to"]), times, days))
    return tuple(found)


def _entry(found: dict, place: str, models: _Models) -> Entry:
    """One entry from what its fields hold; faults are added to the issues."""
    system, week, inert = found["system"] or SYSTEM, found["week"], found["inert"]
    _check_home(found["home"], f"{place}.home", system, models)
    _check_sets(found["sets"], f"{place}.sets", models)
    if bool(found["home"]) == bool(found["why"]):
        remedy = 'home = ["therapy.PD1"], or why = "…"'
        models.add(place, "has neither a home nor a reason why not, or both", remedy)
    if week not in WEEKS:
        models.add(f"{place}.week", f"{shown(week)} is not looked at", "one of " + ", ".join(map(str, WEEKS)))
    if inert is not None and (not is_number(inert) or found["against"]):
        what = f"{shown(inert)} is no change, or has no place beside against"
        models.add(f"{place}.inert", what, "write inert = -0.004")
    removed = found["removed"]
    left = held(removed, dict.fromkeys(removed, _LEFT), f"{place}.removed", models.issues)
    made = {
        "system": system,
        "of": found["of"] or BURDEN,
        "always": _changes(found["always"], f"{place}.always", system, models),
        "treated": _changes(found["treated"], f"{place}.treated", system, models),
        "removed": tuple((k, v) for k, v in left.items() if v is not None),
        "context": found["in"],
    }
    return Entry(**{k: v for k, v in found.items() if k != "in"} | made)


def _check_home(names: tuple[str, ...], place: str, system: str, models: _Models) -> None:
    """A home is a term of its system, or a context."""
    model = models.get(system, place)
    if model is None:
        return
    known = terms(model) | {f"parameters/{n}" for n in library.names("parameters")}
    for name in names:
        models.among(name, known, f"term of {system}", place)


def _check_switch(entry: Entry, place: str, contexts: set[str], models: _Models) -> None:
    """A switch says where it is measured and which way what should move; an entry without one
    says neither.
    """
    if not entry.switched:
        for key, value in (("in", entry.context), ("goes", entry.goes)):
            if value:
                remedy = "add sets, always, treated or removed"
                models.add(f"{place}.{key}", "has no place without a switch", remedy)
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
