"""Mechanisms of resistance, biologies and treatments as a study's file names them, and patients in whom they
are released.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TypeVar

import numpy as np

from pkpd.content import library
from pkpd.content.fields import is_number
from pkpd.content.library import rows, shown, table, text
from pkpd.errors import ContentError, NotFound, nearest
from pkpd.fit.free import Point, point
from pkpd.model.model import Model
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.population import Population, draw
from pkpd.parameters.sets import bind, line_for, load_context, merge
from pkpd.simulation.simulation import Simulation, simulate
from pkpd.study.stability.subjects import Given
from pkpd.trial.lines import Reader
from pkpd.trial.therapies import check_blocked

T = TypeVar("T")
Context = tuple[str, Parameters]
_KEYS = {
    "treatments": ("name", "title", "sets"),
    "biologies": ("name", "title", "contexts"),
    "terms": ("name", "title", "lines"),
    "mechanisms": ("name", "title", "lines", "released"),
    "groups": ("name", "title", "mechanisms"),
}
_RELEASED = "write released = FACTOR, { to = VALUE } in the model's unit, or { as = CONTEXT }"


@dataclass(frozen=True)
class Mechanism:
    """Lines of the parameters that make a mechanism, and what they are when it is released fully.

    That is `times` what they are, or the value `to`, or what the context `like` sets.
    """

    name: str
    title: str
    lines: tuple[str, ...]
    times: float = 0.0
    to: float | None = None
    like: Context | None = None
    where: str = ""
    seen: str = "user"


@dataclass(frozen=True)
class Biology:
    """Contexts that are laid on a set of parameters, the last on top."""

    name: str
    title: str
    contexts: tuple[Context, ...]


@dataclass(frozen=True)
class Together:
    """Mechanisms, by name, that are released together."""

    name: str
    title: str
    mechanisms: tuple[str, ...]


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


def central(points: Sequence[Point]) -> Point:
    """The middle of a posterior, line by line; the point itself where there is one."""
    first = points[0]
    if len(points) == 1 or not first.parameters.draws:
        return first
    return point(first.parameters, ((key, float(np.median(x))) for key, x in first.parameters.draws.items()))


def thinned(points: Sequence[Point], count: int) -> list[Point]:
    """So many of the points, evenly taken; of one point as many times, for patients drawn anew each time."""
    if len(points) == 1:
        return [points[0]] * count
    return [
        points[i] for i in np.unique(np.linspace(0, len(points) - 1, min(count, len(points))).astype(int))
    ]


def laid(at: Point, contexts: Sequence[Context]) -> Parameters:
    """The parameters with contexts on top, and in these what the point sets there."""
    return reduce(merge, (at.within(name, own) for name, own in contexts), at.parameters)


def people(
    system: Model,
    at: Point,
    contexts: Sequence[Context],
    covariates: Sequence[tuple[str, float]],
    n: int,
    key: tuple[int, str, str],
) -> Population:
    """Patients of one biology under a point; those of one number and key are at the same quantiles in every
    biology.
    """
    return draw(system, laid(at, contexts), n, *key, covariates=dict(covariates))


def named(patients: Population, lines: Iterable[str]) -> list[str]:
    """The inputs that lines fill, in every copy of a part."""
    wanted = set(lines)
    return [n for n in patients.names if line_for(n) in wanted]


def ends(system: Model, mechanism: Mechanism, patients: Population, at: Point) -> dict[str, np.ndarray]:
    """What a mechanism's inputs are when it is released fully, one value a patient."""
    names = named(patients, mechanism.lines)
    if mechanism.like is not None:
        lines = bind(laid(at, (mechanism.like,)), system)
        return {n: np.full(len(patients), lines[line_for(n)].value) for n in names}
    if mechanism.to is not None:
        return {n: np.full(len(patients), mechanism.to) for n in names}
    return {n: patients[n] * mechanism.times for n in names}


def released(
    patients: Population, wholly: Sequence[dict[str, np.ndarray]], degrees: np.ndarray
) -> Population:
    """The patients again and again, each time with mechanisms released by other degrees.

    wholly   what the inputs of each mechanism are at a degree of 1 (see `ends`); degrees (time, mechanism),
             from 0 to 1
    """
    times, n = len(degrees), len(patients)
    inputs = np.tile(patients.inputs, (times, 1))
    for j, values in enumerate(wholly):
        part = np.repeat(degrees[:, j], n)
        for name, end in values.items():
            column = patients.names.index(name)
            inputs[:, column] = (
                inputs[:, column] * (1 - part) + np.tile(end, times) * part
            )  # exact at both ends
    return crowd(patients.names, inputs)


def crowd(names: tuple[str, ...], inputs: np.ndarray) -> Population:
    """Many patients in one, numbered anew."""
    return Population(names, inputs, {}, rows=np.arange(len(inputs)))


def followed(
    system: Model, patients: Population, given: Given, start: np.ndarray, days: np.ndarray, rtol: float
) -> Simulation:
    """Patients under a treatment that is constant from day 0, from states of that day; one who fails has
    missing states.
    """
    treated = patients.with_inputs(dict(given.sets))
    run = simulate(system, treated, None, days, start=np.nan_to_num(start), rtol=rtol, strict=False)
    lost = np.any(np.isnan(start), axis=1, keepdims=True)
    return replace(run, states=np.where(lost[:, None], np.nan, run.states))
