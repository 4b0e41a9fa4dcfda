"""Reader: the tables of one model file, entry by entry, with what is wrong with them."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, field

from pkpd.content.library import check_keys, text
from pkpd.content.units import parse_unit
from pkpd.errors import ContentError, Issue
from pkpd.model import constants, expression
from pkpd.model.expression import Tree

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_RESERVED = {*expression.FUNCTIONS, "next", "first", "last"}


def is_name(name: str) -> bool:
    """Whether a parameter, compartment, variable or flow can be called so."""
    return NAME.fullmatch(name) is not None and name not in _RESERVED and not keyword.iskeyword(name)


def shown(value: object) -> str:
    """A value as its author wrote it, unless it is a number too long to print."""
    return "a very large number" if isinstance(value, int) and abs(value) > 10**300 else repr(value)


@dataclass
class Reader:
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
            if not is_name(name):
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
