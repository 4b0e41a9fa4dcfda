"""A model file's tables to its schema, every fault collected."""

from __future__ import annotations

import math

from pkpd.content.library import check_keys, raise_issues, text
from pkpd.content.units import parse_unit
from pkpd.model.model import Compartment, Dose, Flow, ModelFile, Parameter, Part, Variable
from pkpd.model.names import check_names
from pkpd.model.reader import NAME, Reader, is_name, shown

_COPIES = 64  # of a part
_PART_KEYS = ("use", "n", "chain")


def read_file(data: dict, name: str, where: str) -> ModelFile:
    """A model file from its TOML tables; raises every issue at once."""
    reader = Reader(where)
    sections = ("model", "parameters", "compartments", "variables", "flows", "parts")
    check_keys(data, sections, where, reader.issues)
    head = _head(reader, data)
    words = {key: text(head, key, f"{where}: model", reader.issues) for key in ("reference", "text")}
    time = _time(reader, head)
    joins, gathers = _joins(reader, head, "joins"), _joins(reader, head, "gathers")
    for both in sorted(set(joins) & set(gathers)):
        reader.add("model.gathers", f"{both!r} is in joins too", "name it in one of the two")
    if "parts" in data:
        _check_system(reader, data, bool(joins or gathers))
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
        like=_like(head),
    )
    check_names(reader, file)
    raise_issues(reader.issues)
    return file


def _head(reader: Reader, data: dict) -> dict:
    """The table [model]."""
    head = data.get("model", {})
    if not isinstance(head, dict):
        reader.add("model", "is not a table")
        head = {}
    known = ("title", "reference", "time", "joins", "gathers", "text", *(("like",) if _like(head) else ()))
    check_keys(head, known, f"{reader.where}: model", reader.issues)
    for key in ("title", "time"):
        if not isinstance(head.get(key), str):
            reader.add(f"model.{key}", "is missing", "every model gives a title and its time unit")
    return head


def _like(head: dict) -> tuple[str, ...]:
    """The models whose lines are below the file's own, which compose has put there."""
    return head["like"] if isinstance(head.get("like"), tuple) else ()


def _time(reader: Reader, head: dict) -> str:
    """The unit of time: day where none is said."""
    time = head.get("time") if isinstance(head.get("time"), str) else "day"
    time = reader.unit({"unit": time}, "model.time")
    if parse_unit(time).dims != parse_unit("day").dims and not any(
        "model.time" in i.where for i in reader.issues
    ):
        reader.add("model.time", f"{time!r} is not a time", "write day or hour")
    return time


def _check_system(reader: Reader, data: dict, joined: bool) -> None:
    """A file of parts holds nothing else."""
    if not isinstance(data["parts"], dict):
        reader.add("parts", "is not a table")
    if joined:
        reader.add("model.joins", "a system joins nothing", "join its parts in [parts]")
    for key in ("parameters", "compartments", "variables", "flows"):
        if key in data:
            reader.add(key, "a system holds parts only", "move it to a part's own file")


def _joins(reader: Reader, head: dict, key: str) -> list[str]:
    names = head.get(key, [])
    if isinstance(names, list) and all(
        isinstance(j, str) and is_name(j) and j not in _PART_KEYS for j in names
    ):
        return names
    reader.add(f"model.{key}", f"{names!r} is not a list of names", f'write {key} = ["drug", "tumour"]')
    return []


def _parameters(reader: Reader, data: dict) -> tuple[Parameter, ...]:
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


def _bounds(reader: Reader, entry: dict, place: str, most: float) -> tuple[float, float]:
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
                f"{shown(value)} is not a number",
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


def _compartments(reader: Reader, data: dict) -> tuple[Compartment, ...]:
    rows = []
    for name, entry in reader.tables(data, "compartments", ("unit", "text", "dose", "start", "scale")):
        place = f"compartments.{name}"
        _lower(reader, place, name)
        start = reader.tree(entry["start"], f"{place}.start") if "start" in entry else ("num", 0)
        scale = entry.get("scale")
        if scale is not None and (
            not isinstance(scale, int | float) or isinstance(scale, bool) or not 0 < scale < 1e30
        ):
            reader.add(f"{place}.scale", f"{shown(scale)} is not a positive number")
            scale = None
        dose = _dose(reader, entry.get("dose", False), f"{place}.dose")
        unit, note = reader.unit(entry, place), reader.text(entry, place)
        rows.append(Compartment(name, unit, note, start, dose, None if scale is None else float(scale)))
    return tuple(rows)


def _dose(reader: Reader, entry: object, place: str) -> Dose | None:
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


def _lower(reader: Reader, place: str, name: str) -> None:
    if name == name.upper():
        reader.add(
            place, "a computed name has a lower-case letter; capitals are inputs", f"write {name.lower()}"
        )


def _variables(reader: Reader, data: dict) -> tuple[Variable, ...]:
    rows = []
    for name, entry in reader.tables(data, "variables", ("unit", "is", "text")):
        place = f"variables.{name}"
        _lower(reader, place, name)
        if "is" not in entry:
            reader.add(place, "has no expression", 'give is = "…"')
        tree = reader.tree(entry.get("is", 0), f"{place}.is")
        rows.append(Variable(name, reader.unit(entry, place), tree, reader.text(entry, place)))
    return tuple(rows)


def _flows(reader: Reader, data: dict) -> tuple[Flow, ...]:
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


def _parts(reader: Reader, data: dict) -> tuple[Part, ...]:
    table = data.get("parts", {})
    rows = []
    for name, entry in table.items() if isinstance(table, dict) else ():
        place = f"parts.{name}"
        if not NAME.fullmatch(name) or not isinstance(entry, dict) or not isinstance(entry.get("use"), str):
            reader.add(place, "is not a part", 'write name = { use = "folder/model" }')
            continue
        if name == name.upper():
            reader.add(place, "a part's name has a lower-case letter", f"write {name.lower()}")
        count = {}
        for key in ("n", "chain"):
            value = entry.get(key, 1)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _COPIES:
                reader.add(f"{place}.{key}", f"{shown(value)} is not a whole number from 1 to {_COPIES}")
                value = 1
            count[key] = value
        if min(count.values()) > 1:
            reader.add(place, "has both n and chain", "give one: n copies side by side, or a chain of them")
        joins = tuple((k, str(v)) for k, v in entry.items() if k not in _PART_KEYS)
        rows.append(Part(name, entry["use"], joins, **count))
    return tuple(rows)
