"""Fields of content files: what each key of a table holds, what is wrong otherwise and how to mend it.

A reader is a table of fields and its cross-checks:

    _GROUP = {"name": Text(), "share": Share(default=1.0), "contexts": Names(of="parameter sets"), **SOURCED}
    found = read(entry, _GROUP, "mine.toml: arms[1].patients[1]", issues)

`read` refuses keys that are no fields, notes every fault in `issues` and reads on: a field that is left out,
or is wrong, is its default. A remedy may hold `{key}`, the key itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from pkpd.content import units
from pkpd.content.library import check_keys, rows, whole
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue, nearest

SEEN = ("primary", "secondary", "review", "derived", "assumed", "fitted", "user")
_MOST = 1e300  # of a number: sums of more have no double


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value of a file is a finite number; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= _MOST and math.isfinite(value)


def read(data: object, fields: Mapping[str, Field], where: str, issues: list[Issue]) -> dict[str, Any]:
    """What each field of a table holds, its default where it is left out or wrong; faults are noted."""
    check_keys(data, fields, where, issues)
    return held(data if isinstance(data, dict) else {}, fields, where, issues)


def held(table: dict, fields: Mapping[str, Field], where: str, issues: list[Issue]) -> dict[str, Any]:
    """As `read`, of some of a table's fields, or of a table whose keys were checked."""
    return {key: field.read(table, key, where, issues) for key, field in fields.items()}


def read_rows(
    value: object, fields: Mapping[str, Field], where: str, issues: list[Issue]
) -> list[tuple[str, dict[str, Any], dict]]:
    """Of each table of a list its place, what its fields hold, and the table as it is written."""
    return [
        (place, held(entry, fields, place, issues), entry)
        for place, entry in rows(value, where, fields, issues)
    ]


@dataclass(frozen=True, kw_only=True)
class Field:
    """What a key holds: anything, to be looked at by the reader.

    default  where the key is left out, or what it holds is wrong
    need     whether it may not be left out; `lack` is then the remedy, or, if empty, `remedy`
    what     of a value that is wrong, after the value itself
    """

    default: Any = None
    need: bool = False
    what: str = ""
    remedy: str = ""
    lack: str = ""

    def read(self, table: dict, key: str, where: str, issues: list[Issue]) -> Any:
        """The value of a key of a table; faults are added to the issues."""
        if key not in table and not self.need:
            return self.default
        if key not in table:
            what, remedy = "is missing", self.lack or self.remedy
        elif self.fits(table[key]):
            return self.made(table[key])
        else:
            what, remedy = f"{shown(table[key])} {self.what}", self.cure(table[key])
        issues.append(Issue(f"{where}.{key}", what, remedy.replace("{key}", key)))
        return self.default

    def fits(self, value: Any) -> bool:
        """Whether a value is what the field holds."""
        return True

    def made(self, value: Any) -> Any:
        """A value that fits, as the reader wants it."""
        return value

    def cure(self, value: Any) -> str:
        """The remedy for a value that does not fit."""
        return self.remedy


@dataclass(frozen=True, kw_only=True)
class Text(Field):
    """Text, empty where it is left out; one that is needed is not empty."""

    default: str = ""
    what: str = "is not text"
    remedy: str = 'write {key} = "…"'
    lack: str = 'add {key} = "…"'

    def read(self, table: dict, key: str, where: str, issues: list[Issue]) -> str:
        if self.need and table.get(key) == "":
            table = {k: v for k, v in table.items() if k != key}
        return super().read(table, key, where, issues)

    def fits(self, value: Any) -> bool:
        return isinstance(value, str)


@dataclass(frozen=True, kw_only=True)
class Whole(Field):
    """A whole number from `least` to `most`."""

    least: int
    most: int
    what: str = ""
    remedy: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", self.what or f"is not a whole number of at least {self.least}")
        object.__setattr__(self, "remedy", self.remedy or f"from {self.least} to {self.most}")

    def fits(self, value: Any) -> bool:
        return whole(value, self.least, self.most)


@dataclass(frozen=True, kw_only=True)
class Number(Field):
    """A finite number from `least` to `most`."""

    least: float = -math.inf
    most: float = math.inf
    what: str = "is not a number"
    remedy: str = "write {key} = NUMBER"

    def fits(self, value: Any) -> bool:
        return is_number(value) and self.least <= value <= self.most

    def made(self, value: Any) -> float:
        return float(value)


@dataclass(frozen=True, kw_only=True)
class Share(Number):
    """A number from 0 to 1."""

    least: float = 0.0
    most: float = 1.0
    what: str = "is not a share"
    remedy: str = "a number from 0 to 1"


@dataclass(frozen=True, kw_only=True)
class Flag(Field):
    """True or false."""

    default: bool = False
    what: str = "is neither true nor false"
    remedy: str = "write {key} = true"

    def fits(self, value: Any) -> bool:
        return isinstance(value, bool)


@dataclass(frozen=True, kw_only=True)
class Choice(Field):
    """One of some words; the nearest is offered where no other remedy is given."""

    known: Sequence[str]
    what: str = "is not one of them"

    def fits(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.known

    def cure(self, value: Any) -> str:
        return self.remedy or nearest(value if isinstance(value, str) else "", self.known)


@dataclass(frozen=True, kw_only=True)
class Names(Field):
    """A list of texts, as a tuple; `of` says of what, `like` how one looks."""

    of: str = "names"
    like: str = "…"
    empty: bool = True
    default: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", self.what or f"is not a list of {self.of}")
        object.__setattr__(self, "remedy", self.remedy or f'write {{key}} = ["{self.like}"]')

    def fits(self, value: Any) -> bool:
        texts = isinstance(value, list) and all(isinstance(x, str) for x in value)
        return texts and (self.empty or all(value))

    def made(self, value: Any) -> tuple[str, ...]:
        return tuple(value)


@dataclass(frozen=True, kw_only=True)
class Table(Field):
    """A table whose keys are names of the author's."""

    what: str = "is not a table"

    def fits(self, value: Any) -> bool:
        return isinstance(value, dict)


@dataclass(frozen=True, kw_only=True)
class Quantity(Field):
    """A number with its unit, such as "2 week", in another `unit`; `check` says what is wrong with it there.

    check  of the number in `unit` what is wrong and the remedy, or nothing
    """

    unit: str
    default: float = 0.0
    check: Callable[[float], tuple[str, str] | None] = lambda _: None
    what: str = "is not a quantity"
    remedy: str = "write a number and a unit, as in '3 month'"

    def read(self, table: dict, key: str, where: str, issues: list[Issue]) -> float:
        value, place = table.get(key), f"{where}.{key}"
        if not isinstance(value, str):
            return super().read(table, key, where, issues)
        try:
            found = units.convert(value, self.unit, place)
        except ContentError as error:
            issues += error.issues
            return self.default
        if (wrong := self.check(found)) is not None:
            issues.append(Issue(place, f"{value!r} {wrong[0]}", wrong[1].replace("{key}", key)))
        return found

    def fits(self, value: Any) -> bool:
        return isinstance(value, str)


SOURCED: dict[str, Field] = {
    "where": Text(),
    "seen": Choice(
        known=SEEN, default="user", what="is not a way of seeing", remedy="one of " + ", ".join(SEEN)
    ),
}
