"""Mechanisms of resistance, biologies and treatments read from the tables of a study of resistance."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from pkpd.content import library
from pkpd.content.fields import is_number
from pkpd.content.library import rows, table, text
from pkpd.content.toml import shown
from pkpd.errors import ContentError, NotFound, nearest
from pkpd.model.model import Model
from pkpd.parameters.bind import line_for
from pkpd.parameters.sets import load_context
from pkpd.study.resistance.mechanism import Biology, Context, Mechanism, Together
from pkpd.study.stability.plan import Given
from pkpd.trial.lines import Reader
from pkpd.trial.therapies import check_blocked

T = TypeVar("T")
_KEYS = {
    "treatments": ("name", "title", "sets"),
    "biologies": ("name", "title", "contexts"),
    "terms": ("name", "title", "lines"),
    "mechanisms": ("name", "title", "lines", "released"),
    "groups": ("name", "title", "mechanisms"),
}
_RELEASED = "write released = FACTOR, { to = VALUE } in the model's unit, or { as = CONTEXT }"


def read_all(
    reader: Reader, data: dict, section: str, key: str, read: Callable[[Reader, dict, str], T | None]
) -> tuple[T, ...]:
    """The entries of a list of tables, at least one, each with a name of its own and a title."""
    found, names = [], []
    for at, entry in rows(
        data.get(key), f"{reader.where}: {section}.{key}", (*_KEYS[key], "where", "seen"), reader.issues
    ):
        place, before = at.removeprefix(f"{reader.where}: "), len(reader.issues)
        names.append(text(entry, "name", at, reader.issues, need=True))
        text(entry, "title", at, reader.issues, need=True)
        reader.sourced(entry, place)
        own = read(reader, entry, place)
        found += [own] if own is not None and len(reader.issues) == before else []
    for twice in sorted({n for n in names if n and names.count(n) > 1}):
        reader.add(f"{section}.{key}", f"two are named {twice!r}", "rename one of the two")
    if not data.get(key):
        reader.add(f"{section}.{key}", "is empty", f"add [[{section}.{key}]] tables")
    return tuple(found)


def given_reader(system: Model) -> Callable[[Reader, dict, str], Given]:
    """Reads a treatment: inputs of the system at constant values, none if untreated."""

    def read(reader: Reader, entry: dict, place: str) -> Given:
        sets = read_numbers(
            reader, entry.get("sets", {}), f"{place}.sets", system.inputs, '{ "therapy.PD1" = 0.95 }'
        )
        check_blocked(dict(sets), system, f"{reader.where}: {place}.sets", reader.issues)
        return Given(str(entry.get("name")), str(entry.get("title")), sets)

    return read


def biology_reader(system: Model) -> Callable[[Reader, dict, str], Biology]:
    """Reads a biology: contexts by name."""

    def read(reader: Reader, entry: dict, place: str) -> Biology:
        names = _texts(reader, entry.get("contexts", []), f"{place}.contexts")
        found = (read_context(reader, name, f"{place}.contexts", system) for name in names)
        return Biology(
            str(entry.get("name")), str(entry.get("title")), tuple(c for c in found if c is not None)
        )

    return read


def together_reader(mechanisms: object) -> Callable[[Reader, dict, str], Together]:
    """Reads a group of the mechanisms that a file's list of tables names."""
    known = [
        str(m.get("name"))
        for m in (mechanisms if isinstance(mechanisms, list) else ())
        if isinstance(m, dict)
    ]

    def read(reader: Reader, entry: dict, place: str) -> Together:
        names = _texts(reader, entry.get("mechanisms"), f"{place}.mechanisms")
        for name in names:
            if known and name not in known:
                reader.add(
                    f"{place}.mechanisms", f"{name!r} is not a mechanism of the plan", nearest(name, known)
                )
        return Together(str(entry.get("name")), str(entry.get("title")), names)

    return read


def term_reader(system: Model) -> Callable[[Reader, dict, str], Mechanism | None]:
    """Reads a term that is taken out: its lines, which are then zero."""
    read = mechanism_reader(system)
    return lambda reader, entry, place: read(reader, {**entry, "released": 0}, place)


def mechanism_reader(system: Model) -> Callable[[Reader, dict, str], Mechanism | None]:
    """Reads a mechanism: its lines, and what they are when it is released."""

    def read(reader: Reader, entry: dict, place: str) -> Mechanism | None:
        lines = _texts(reader, entry.get("lines"), f"{place}.lines")
        known = {line_for(i) for i in system.inputs}
        for line in lines:
            if line not in known:
                reader.add(f"{place}.lines", f"{line!r} is not a line of {system.name}", nearest(line, known))
        ends = _ends(reader, entry.get("released"), f"{place}.released", lines, system)
        plain = Mechanism(str(entry.get("name")), str(entry.get("title")), lines)
        return (
            None
            if ends is None
            else replace(plain, where=entry.get("where", ""), seen=entry.get("seen", "user"), **ends)
        )

    return read


def _ends(reader: Reader, value: object, place: str, lines: tuple[str, ...], system: Model) -> dict | None:
    if is_number(value) and value >= 0:
        return {"times": float(value)}
    entry = value if isinstance(value, dict) and len(value) == 1 else {}
    if is_number(entry.get("to")):
        return {"to": float(entry["to"])}
    if not isinstance(entry.get("as"), str):
        reader.add(
            place, "is missing" if value is None else f"{shown(value)} does not say what is left", _RELEASED
        )
        return None
    context = read_context(reader, entry["as"], f"{place}.as", system)
    own = {v.name for v in context[1].values} if context else set(lines)
    for line in lines:
        if line not in own:
            reader.add(f"{place}.as", f"{entry['as']!r} has no line {line!r}", nearest(line, own))
    return {"like": context} if context else None


def read_context(reader: Reader, name: str, place: str, system: Model) -> Context | None:
    """A context by its name; none, and an issue, where it cannot be read."""
    try:
        return name, load_context(name, system)
    except ContentError as error:
        reader.issues += error.issues
    except NotFound as error:
        reader.issues.append(library.named(error, name, f"{reader.where}: {place}"))
    return None


def read_numbers(
    reader: Reader, value: object, place: str, known: Iterable[str], like: str
) -> tuple[tuple[str, float], ...]:
    """Names that are known, each with a number."""
    if not isinstance(value, dict) or not all(map(is_number, value.values())):
        reader.add(place, f"{shown(value)} does not give numbers", f"write {like}")
        return ()
    for name in value:
        if name not in known:
            reader.add(f"{place}.{name}", "is not known here", nearest(name, known))
    return tuple((k, float(v)) for k, v in value.items())


def _texts(reader: Reader, value: object, place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(x, str) and x for x in value):
        reader.add(
            place, "is missing" if value is None else f"{shown(value)} is not a list of names", 'write ["…"]'
        )
        return ()
    return tuple(value)


def read_head(
    reader: Reader,
    data: object,
    section: str,
    tables: Iterable[str],
    times: Iterable[str],
    limits: dict[str, tuple[int, int]],
) -> tuple[dict, dict]:
    """A table with its keys checked; its title, text, times (days) and whole numbers."""
    place = f"{reader.where}: {section}"
    head = table(data, place, ("title", "text", *times, *limits, *tables), reader.issues)
    if not head:
        reader.add(section, "is empty", "write " + ", ".join(("title", *times, *tables)))
        return {}, {}
    words = {k: text(head, k, place, reader.issues, need=k == "title") for k in ("title", "text")}
    for key in (k for k in times if k not in head):
        reader.add(f"{section}.{key}", "is missing", f'write {key} = "8 week"')
    days = {k: reader.every(head[k], f"{section}.{k}") if k in head else 1.0 for k in times}
    return head, {**words, **days, **library.counts(head, limits, place, reader.issues)}
