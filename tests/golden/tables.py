"""Golden tables: numbers kept as text, one line a row, and what differs between two of them.

A table is rows by name, a row numbers (or words) by name. On disk a line is the row's name and its numbers,
`value=0.41`, with twelve digits, so that a changed line of a diff is one changed row.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsFloat

FOLDER = Path(__file__).parent / "kept"
DIGITS = 12
NOTHING = "(nothing)"  # stands for a number that is not there
RELATIVE = 1e-8  # what another kind of processor may change; see recipes.py

Table = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Difference:
    """A number that is not what was kept; `size` is relative, infinite where it came, went, or is a word."""

    row: str
    name: str
    old: str
    new: str
    size: float

    def __str__(self) -> str:
        size = "" if math.isinf(self.size) else f"  ({self.size:.2g})"
        return f"{self.row}, {self.name}: {self.old} → {self.new}{size}"


def text(value: object) -> str:
    """A number or word as it is kept."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{float(value):.{DIGITS}g}" if isinstance(value, SupportsFloat) else str(value)


def written(table: Table) -> str:
    """A table as it stands on disk."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    for row, numbers in table.items():
        write.writerow([row, *(f"{name}={text(value)}" for name, value in numbers.items())])
    return out.getvalue()


def parsed(told: str) -> dict[str, dict[str, str]]:
    """A table from what stands on disk."""
    return {row: dict(cell.split("=", 1) for cell in cells) for row, *cells in csv.reader(io.StringIO(told))}


def file_of(name: str) -> Path:
    return FOLDER / f"{name}.csv"


def kept(name: str) -> dict[str, dict[str, str]] | None:
    """The table that was kept under a name; none if there is none."""
    path = file_of(name)
    return parsed(path.read_text(encoding="utf-8")) if path.exists() else None


def keep(name: str, table: Table) -> None:
    path = file_of(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(written(table), encoding="utf-8")


def differences(old: Table, new: Table, relative: float = 0.0, floor: float = 0.0) -> list[Difference]:
    """What differs by more than a relative part of the larger and more than the floor; the largest first."""
    before, after = (parsed(written(t)) for t in (old, new))
    found = []
    for row in {**before, **after}:
        one, other = before.get(row, {}), after.get(row, {})
        for name in {**one, **other}:
            a, b = one.get(name, NOTHING), other.get(name, NOTHING)
            size, apart = _apart(a, b)
            if a != b and size > relative and apart > floor:
                found.append(Difference(row, name, a, b, size))
    return sorted(found, key=lambda d: -d.size)


def _apart(a: str, b: str) -> tuple[float, float]:
    """How far two numbers lie apart, relative to the larger and as they are; infinite if one is no number."""
    try:
        one, other = float(a), float(b)
    except ValueError:
        return math.inf, math.inf
    if not math.isfinite(one) or not math.isfinite(other):
        return math.inf, math.inf
    gap = abs(one - other)
    return gap / max(abs(one), abs(other), 1e-300), gap
