"""What a picture shows, before it has a place: boxes, and arrows between them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from pkpd.parameters.bind import line_for


@dataclass(frozen=True)
class Row:
    """A compartment in words, or (`given`) a quantity that others take from a part."""

    text: str
    unit: str
    dosed: bool = False
    given: bool = False


@dataclass(eq=False)
class Box:
    """A part or a compartment: its rows, flows between them as pairs of rows, and couplings that act on it
    alone.
    """

    name: str
    title: str
    rows: list[Row]
    use: str = ""
    role: str = ""
    inner: list[tuple[int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    many: bool = False
    holds: bool = True
    site: str = ""


@dataclass(frozen=True)
class Arrow:
    """From box to box, an end that is empty lying outside: a `flow` of mass, a `dose`, or what
    rates `read`.
    """

    source: str
    target: str
    kind: str
    label: tuple[str, ...]


@dataclass(frozen=True)
class Scheme:
    """The boxes by name and the arrows; a system's sites in order (none, or at least two).

    alone  a single model, whose boxes are compartments; else a system, whose boxes are parts
    """

    title: str
    boxes: dict[str, Box]
    arrows: tuple[Arrow, ...]
    sites: tuple[str, ...] = ()
    alone: bool = False

    def sisters(self) -> list[list[Box]]:
        """Boxes that are each other's like in different sites."""
        groups: dict[tuple[str, int], list[Box]] = {}
        for site in self.sites:
            seen: dict[str, int] = {}
            for box in (b for b in self.boxes.values() if b.site == site):
                seen[box.use] = seen.get(box.use, 0) + 1
                groups.setdefault((box.use, seen[box.use]), []).append(box)
        return [g for g in groups.values() if len(g) > 1]


def part_of(name: str) -> str:
    return name.split(".")[0] if "." in name else ""


def own_name(name: str) -> str:
    """A name as its own part writes it, in words."""
    return line_for(name).split(".", 1)[-1].replace("_", " ")


def first_copies(rows: Iterable) -> list:
    """Rows of copies once, in order."""
    return list({line_for(r.name): r for r in reversed(list(rows))}.values())[::-1]


def described(name: str, text: str) -> str:
    """What a name stands for, with the name before it where the words do not hold it."""
    plain = own_name(name)
    if not text:
        return plain
    return text if re.search(rf"(?<!\w){re.escape(plain)}", text, re.I) else f"{plain}: {text}"
