"""A model file's tables to its schema, every fault collected."""

from __future__ import annotations

import keyword
import math
import re
from dataclasses import dataclass, field

from pkpd.content.data_items import RESERVED
from pkpd.content.library import check_keys, raise_issues, text
from pkpd.content.units import ONE, parse_unit
from pkpd.errors import ContentError, Issue, nearest
from pkpd.model import constants, expression
from pkpd.model.expression import Tree
from pkpd.model.model import Compartment, Dose, Flow, ModelFile, Parameter, Part, Variable

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_RESERVED = {*expression.FUNCTIONS, "next", "first", "last"}
_COPIES = 64
_PART_KEYS = ("use", "n", "chain")


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name not in _RESERVED and not keyword.iskeyword(name)


def _shown(value: object) -> str:
    """A value as its author wrote it, unless it is a number too long to print."""
    return "a very large number" if isinstance(value, int) and abs(value) > 10**300 else repr(value)


@dataclass
class _Reader:
    """Collects every issue of one file while it is read."""

    where: str
    issues: list[Issue] = field(default_factory=list)

    def add(self, place: str, what: str, remedy: str = "") -> None:
        self.issues.append(Issue(f"{self.where}: {place}", what, remedy))

    def tree(self, value: object, place: str) -> Tree:
        try:
            tree = expression.parse(value, f"{self.where}: {place}")
            constants.check(tree, f"{self.where}: {place}")
            return tree
        except ContentError as error:
            self.issues += error.issues
            return ("num", 0)

    def text(self, entry: dict, place: str) -> str:
        return text(entry, "text", f"{self.where}: {place}", self.issues)

    def unit(self, entry: dict, place: str) -> str:
        if "unit" not in entry:
            self.add(place, "has no unit", 'give unit = "…" ("1" for a pure number)')
            return "1"
        try:
            parse_unit(entry["unit"], f"{self.where}: {place}.unit")
        except ContentError as error:
            self.issues += error.issues
            return "1"
        return entry["unit"]

    def tables(self, data: dict, section: str, known: tuple[str, ...]) -> list[tuple[str, dict]]:
        table = data.get(section, {})
        found = []
        if not isinstance(table, dict):
            self.add(section, "is not a table")
            return []
        for name, entry in table.items():
            if not _is_name(name):
                self.add(
                    f"{section}.{name}",
                    "is not a name",
                    "a letter, then letters, digits and _ (not a function, next, first or last)",
                )
            elif not isinstance(entry, dict):
                self.add(f"{section}.{name}", f"{entry!r} is not a table", "write { unit = …, … }")
            else:
                check_keys(entry, known, f"{self.where}: {section}.{name}", self.issues)
                found.append((name, entry))
        return found


def read_file(data: dict, name: str, where: str) -> ModelFile:
    """A model file from its TOML tables; raises every issue at once."""
    reader = _Reader(where)
    sections = ("model", "parameters", "compartments", "variables", "flows", "parts")
    check_keys(data, sections, where, reader.issues)
    head = data.get("model", {})
    if not isinstance(head, dict):
        reader.add("model", "is not a table")
        head = {}
    like = head["like"] if isinstance(head.get("like"), tuple) else ()
    known = ("title", "reference", "time", "joins", "gathers", "text", *(("like",) if like else ()))
    check_keys(head, known, f"{where}: model", reader.issues)
    for key in ("title", "time"):
        if not isinstance(head.get(key), str):
            reader.add(f"model.{key}", "is missing", "every model gives a title and its time unit")
    words = {key: text(head, key, f"{where}: model", reader.issues) for key in ("reference", "text")}
    time = head.get("time") if isinstance(head.get("time"), str) else "day"
    time = reader.unit({"unit": time}, "model.time")
    if parse_unit(time).dims != parse_unit("day").dims and not any(
        "model.time" in i.where for i in reader.issues
    ):
        reader.add("model.time", f"{time!r} is not a time", "write day or hour")
    joins, gathers = _joins(reader, head, "joins"), _joins(reader, head, "gathers")
    for both in sorted(set(joins) & set(gathers)):
        reader.add("model.gathers", f"{both!r} is in joins too", "name it in one of the two")
    if "parts" in data:
        if not isinstance(data["parts"], dict):
            reader.add("parts", "is not a table")
        if joins or gathers:
            reader.add("model.joins", "a system joins nothing", "join its parts in [parts]")
        for key in ("parameters", "compartments", "variables", "flows"):
            if key in data:
                reader.add(key, "a system holds parts only", "move it to a part's own file")
    file = ModelFile(
        name=name,
        where=where,
        title=str(head.get("title", "")),
        time=time,
        reference=words["reference"],
        text=words["text"],
        joins=tuple(joins),
        gathers=tuple(gathers),
        parameters=_parameters(reader, data),
        compartments=_compartments(reader, data),
        variables=_variables(reader, data),
        flows=_flows(reader, data),
        parts=_parts(reader, data),
        like=like,
    )
    _names(reader, file)
    raise_issues(reader.issues)
    return file


def _joins(reader: _Reader, head: dict, key: str) -> list[str]:
    names = head.get(key, [])
    if isinstance(names, list) and all(
        isinstance(j, str) and _is_name(j) and j not in _PART_KEYS for j in names
    ):
        return names
    reader.add(f"model.{key}", f"{names!r} is not a list of names", f'write {key} = ["drug", "tumour"]')
    return []


def _parameters(reader: _Reader, data: dict) -> tuple[Parameter, ...]:
    rows = []
    shares = _shares(data)
    for name, entry in reader.tables(data, "parameters", ("unit", "text", "low", "high")):
        place = f"parameters.{name}"
        if name != name.upper():
            reader.add(place, "a parameter is written in capitals", f"write {name.upper()}")
        unit = reader.unit(entry, place)
        low, high = _bounds(
            reader, entry, place, 1 / float(parse_unit(unit).factor) if name in shares else math.inf
        )
        rows.append(Parameter(name, unit, reader.text(entry, place), low, high))
    return tuple(rows)


def _shares(data: dict) -> set[str]:
    """The parameters that are shares of a whole by what they do: the active fractions of a dose's forms.

    A bioavailability may be relative to another form, and then exceed 1, as NONMEM's Fn may.
    """
    rows = data.get("compartments")
    doses = [c.get("dose") for c in rows.values() if isinstance(c, dict)] if isinstance(rows, dict) else []
    forms = [d.get("forms") for d in doses if isinstance(d, dict)]
    return {p for f in forms if isinstance(f, dict) for p in f.values() if isinstance(p, str)}


def _bounds(reader: _Reader, entry: dict, place: str, most: float) -> tuple[float, float]:
    """The least and the most that a parameter can be: 0 and `most` unless it says otherwise."""
    for key in ("low", "high"):
        value = entry.get(key, 0)
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not (abs(value) <= 1e300 or abs(value) == math.inf)
        ):
            reader.add(
                f"{place}.{key}",
                f"{_shown(value)} is not a number",
                f"write {key} = NUMBER, in the parameter's unit; {'-inf' if key == 'low' else 'inf'} for "
                f"none",
            )
            return 0.0, most
    low, high = float(entry.get("low", 0.0)), float(entry.get("high", most))
    if low < high:
        return low, high
    told = "" if "low" in entry else ", which it is unless said"
    reader.add(f"{place}.low", f"{low:g}{told}, is not below high {high:g}", "give low = … below high = …")
    return 0.0, most


def _compartments(reader: _Reader, data: dict) -> tuple[Compartment, ...]:
    rows = []
    for name, entry in reader.tables(data, "compartments", ("unit", "text", "dose", "start", "scale")):
        place = f"compartments.{name}"
        _lower(reader, place, name)
        start = reader.tree(entry["start"], f"{place}.start") if "start" in entry else ("num", 0)
        scale = entry.get("scale")
        if scale is not None and (
            not isinstance(scale, int | float) or isinstance(scale, bool) or not 0 < scale < 1e30
        ):
            reader.add(f"{place}.scale", f"{_shown(scale)} is not a positive number")
            scale = None
        dose = _dose(reader, entry.get("dose", False), f"{place}.dose")
        unit, note = reader.unit(entry, place), reader.text(entry, place)
        rows.append(Compartment(name, unit, note, start, dose, None if scale is None else float(scale)))
    return tuple(rows)


def _dose(reader: _Reader, entry: object, place: str) -> Dose | None:
    if entry in (True, False):
        return Dose() if entry else None
    if not isinstance(entry, dict):
        reader.add(place, f"{entry!r} is neither true nor a table of parameter names")
        return None
    check_keys(
        entry,
        ("lag", "bioavailability", "rate", "duration", "forms"),
        f"{reader.where}: {place}",
        reader.issues,
    )
    forms = entry.get("forms", {})
    if not isinstance(forms, dict):
        reader.add(f"{place}.forms", 'is not a table of form = "PARAMETER"')
        forms = {}
    words = {k: str(v) for k, v in entry.items() if k in ("lag", "bioavailability", "rate", "duration")}
    return Dose(**words, forms=tuple((str(k), str(v)) for k, v in forms.items()))


def _lower(reader: _Reader, place: str, name: str) -> None:
    if name == name.upper():
        reader.add(
            place, "a computed name has a lower-case letter; capitals are inputs", f"write {name.lower()}"
        )


def _variables(reader: _Reader, data: dict) -> tuple[Variable, ...]:
    rows = []
    for name, entry in reader.tables(data, "variables", ("unit", "is", "text")):
        place = f"variables.{name}"
        _lower(reader, place, name)
        if "is" not in entry:
            reader.add(place, "has no expression", 'give is = "…"')
        tree = reader.tree(entry.get("is", 0), f"{place}.is")
        rows.append(Variable(name, reader.unit(entry, place), tree, reader.text(entry, place)))
    return tuple(rows)


def _flows(reader: _Reader, data: dict) -> tuple[Flow, ...]:
    rows = []
    for name, entry in reader.tables(data, "flows", ("from", "to", "rate", "text")):
        place = f"flows.{name}"
        ends = [entry.get("from", ""), entry.get("to", "")]
        if not all(isinstance(e, str) for e in ends) or not any(ends):
            reader.add(place, "goes from nowhere to nowhere", 'give from = "…", to = "…", or one of them')
            continue
        if "rate" not in entry:
            reader.add(place, "has no rate", 'give rate = "…"')
        if ends[0] == ends[1]:
            reader.add(place, f"goes from {ends[0]} to itself", "remove it")
        rate = reader.tree(entry.get("rate", 0), f"{place}.rate")
        rows.append(Flow(name, ends[0], ends[1], rate, reader.text(entry, place)))
    return tuple(rows)


def _parts(reader: _Reader, data: dict) -> tuple[Part, ...]:
    table = data.get("parts", {})
    rows = []
    for name, entry in table.items() if isinstance(table, dict) else ():
        place = f"parts.{name}"
        if not _NAME.fullmatch(name) or not isinstance(entry, dict) or not isinstance(entry.get("use"), str):
            reader.add(place, "is not a part", 'write name = { use = "folder/model" }')
            continue
        if name == name.upper():
            reader.add(place, "a part's name has a lower-case letter", f"write {name.lower()}")
        count = {}
        for key in ("n", "chain"):
            value = entry.get(key, 1)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _COPIES:
                reader.add(f"{place}.{key}", f"{_shown(value)} is not a whole number from 1 to {_COPIES}")
                value = 1
            count[key] = value
        if min(count.values()) > 1:
            reader.add(place, "has both n and chain", "give one: n copies side by side, or a chain of them")
        joins = tuple((k, str(v)) for k, v in entry.items() if k not in _PART_KEYS)
        rows.append(Part(name, entry["use"], joins, **count))
    return tuple(rows)


def _names(reader: _Reader, file: ModelFile) -> None:
    """Each name is declared once, and what doses and starts refer to is a parameter."""
    seen: dict[str, str] = {}
    for section, rows in (
        ("parameters", file.parameters),
        ("compartments", file.compartments),
        ("variables", file.variables),
    ):
        for row in rows:
            if row.name in seen:
                reader.add(
                    f"{section}.{row.name}", f"is declared in [{seen[row.name]}] too", "rename one of the two"
                )
            seen[row.name] = section
    inputs = [p.name for p in file.parameters]
    for name in inputs if any(c.dose is not None for c in file.compartments) else ():
        if name in RESERVED:
            reader.add(
                f"parameters.{name}",
                "is a data item of dosing records, whose column would set it",
                f"rename it, as in {name}_0 (docs/how/dosing.md lists the data items)",
            )
    for c in file.compartments:
        wanted = {(n, "dose") for n in (c.dose.names() if c.dose else ())}
        wanted |= {(n, "start") for n in expression.names_in(c.start)}
        for name, key in sorted(wanted):
            if name not in inputs:
                reader.add(
                    f"compartments.{c.name}.{key}", f"{name!r} is not a parameter", nearest(name, inputs)
                )
        if c.dose is not None:
            _dose_units(reader, c, {p.name: p.unit for p in file.parameters}, file.time)


def _dose_units(reader: _Reader, c: Compartment, units: dict[str, str], time: str) -> None:
    """What a dose names is a time, a fraction, or an amount a time."""
    assert c.dose is not None
    amount, day = parse_unit(c.unit), parse_unit("day")
    wanted = [
        (c.dose.lag, day, "a time"),
        (c.dose.duration, day, "a time"),
        (c.dose.bioavailability, ONE, "a pure number"),
        (c.dose.rate, amount / day, f"{c.unit}/{time}"),
        *((p, ONE, "a pure number") for _, p in c.dose.forms),
    ]
    for name, unit, shown in wanted:
        if name in units and parse_unit(units[name]).dims != unit.dims:
            reader.add(
                f"compartments.{c.name}.dose",
                f"{name!r} is in {units[name]}, but must be {shown}",
                "mend its unit, or name another parameter",
            )
