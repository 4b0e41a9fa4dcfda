"""Tables of plain rows and of JSON as golden tables: what names a row, and its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass

import numpy as np

Rows = dict[str, dict[str, object]]
PROSE = {
    "title",
    "text",
    "where",
    "source",
    "reference",
    "note",
    "miss",
    "label",
    "assumes",
    "population",
    "remedy",
    "version",
    "hashes",
    "level",
}
WORDS = {"unit", "class", "basis", "interval_from", "lies", "bounds", "seen", "use", "kind"}  # naming no row
PLACES = {"dose", "gap", "read", "before", "after", "rank", "factor", "cycles"}  # numbers that name a row
OWN_ERROR = {"apart", "off", "lowest", "highest", "margin"}  # of the solver
LISTED = 3  # numbers of a list that are kept one by one


def tabled(rows: Iterable[dict], table: str = "") -> Rows:
    """Rows of plain data by the words, and the places, that name each."""
    found: Rows = {}
    for row in rows:
        head = [table, *(_named(k, v) for k, v in row.items() if _names(k, v))]
        key = " | ".join(x for x in head if x)
        left = {k: v for k, v in row.items() if not _names(k, v) and k not in PROSE | OWN_ERROR}
        numbers = {k: v for name, value in left.items() for k, v in _numbers(name, value)}
        again = sum(k == key or k.startswith(f"{key} #") for k in found)
        found[f"{key} #{again + 1}" if again else key] = numbers
    return found


def _names(key: str, value: object) -> bool:
    if key in PROSE | WORDS:
        return False
    listed = isinstance(value, list) and all(isinstance(x, str) for x in value)
    return isinstance(value, str) or listed or (key in PLACES and not isinstance(value, list | dict))


def _named(key: str, value: object) -> str:
    if isinstance(value, list):
        return f"{key} {'+'.join(value) or 'none'}"
    return str(value) if isinstance(value, str) else f"{key} {value:g}" if value is not None else ""


def _numbers(name: str, value: object) -> Iterator[tuple[str, object]]:
    """A number as it is, a table's numbers each, a list's count, mean and last."""
    if isinstance(value, dict):
        for key, own in value.items():
            yield from _numbers(f"{name}.{key}", own) if key not in PROSE else ()
    elif isinstance(value, list | tuple) and len(value) <= LISTED:
        for i, own in enumerate(value, 1):
            yield from _numbers(f"{name}.{i}", own)
    elif isinstance(value, list | tuple):
        flat = [float(x) for x in np.ravel([y for y in value if isinstance(y, int | float | list)]).tolist()]
        known = [x for x in flat if np.isfinite(x)]
        yield f"{name}.n", len(value)
        if known:
            yield from ((f"{name}.mean", float(np.mean(known))), (f"{name}.last", known[-1]))
    else:
        yield name, value


def result(value: object) -> Rows:
    """Every table of a result, and those of results within it."""
    found: Rows = {}
    for f in fields(value):  # type: ignore[arg-type]
        own = getattr(value, f.name)
        if isinstance(own, tuple) and all(isinstance(r, dict) for r in own):
            found |= tabled(own, f.name)
        elif is_dataclass(own) and f.name in ("importance", "liver_effect"):
            found |= {f"{f.name} | {k}": v for k, v in result(own).items()}
    return found


def paths(value: object, place: str = "") -> Rows:
    """Numbers and short words of JSON by their place; entries of a list by their names."""
    found: Rows = {}
    if isinstance(value, dict):
        own = {k: v for k, v in value.items() if not isinstance(v, dict | list) and k not in PROSE}
        if own:
            found[place or "top"] = own
        for key, inner in value.items():
            found |= paths(inner, f"{place} | {key}" if place else key) if key not in PROSE else {}
    elif isinstance(value, list):
        for i, inner in enumerate(value, 1):
            name = inner.get("name", inner.get("row", i)) if isinstance(inner, dict) else i
            inside = inner if isinstance(inner, dict | list) else {"is": inner}
            found |= paths(inside, f"{place} | {name}")
    return found
