"""The register of covariates: unit, and plausible range or levels, of each feature of a patient.

The library's is `parameters/covariates.toml`; a parameter file registers its own under [register].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pkpd.content import library, units
from pkpd.content.data_items import RESERVED
from pkpd.content.fields import SOURCED, Field, Number, Table, Text, is_number, read
from pkpd.content.library import raise_issues
from pkpd.errors import ContentError, Issue, fail
from pkpd.machine import inputs

_FIELDS: dict[str, Field] = {
    "unit": Text(need=True),
    "low": Number(),
    "high": Number(),
    "text": Text(need=True),
    "levels": Table(default={}, remedy='write levels = { 0 = "no", 1 = "yes" }'),
    **SOURCED,
}
COPY = "COPY"  # what an effect calls the number of the copy of a part


@dataclass(frozen=True)
class Covariate:
    """A measured feature of a patient; values outside its range, or that are none of its levels, are refused.

    levels  number and name of each, of a covariate that has no values between them
    """

    name: str
    unit: str
    low: float
    high: float
    text: str
    levels: tuple[tuple[float, str], ...] = ()
    where: str = ""
    seen: str = "user"

    def fits(self, values: Any, mean: bool = False) -> Any:
        """Whether each value can be a patient's; a mean over patients may lie between levels."""
        if self.levels and not mean:
            return np.isin(values, [number for number, _ in self.levels])
        return (values >= self.low) & (values <= self.high)

    @property
    def plausible(self) -> str:
        """What it can be, in words."""
        if self.levels:
            return " or ".join(f"{number:g} ({name})" for number, name in self.levels)
        return f"{self.low:g} to {self.high:g}"

    def amiss(self, value: float, mean: bool = False) -> str:
        """What is wrong with a value; nothing if it can be."""
        return "" if self.fits(value, mean) else f"{value:g} {self.unit}; plausible is {self.plausible}"


def register() -> dict[str, Covariate]:
    """The library's covariates, by name."""
    return {**_library(inputs.ROOT)}


@cache
def _library(root: Path) -> dict[str, Covariate]:
    source, issues = library.read("covariates", "covariates"), list[Issue]()
    library.check_keys(source.data, ("covariates",), source.where, issues)
    found = read_register(source.data.get("covariates"), f"{source.where}: covariates", issues)
    raise_issues(issues)
    return {c.name: c for c in found}


def read_register(table: object, where: str, issues: list[Issue]) -> tuple[Covariate, ...]:
    """The covariates that a table registers; faults are noted."""
    if not isinstance(table, dict | None):
        issues.append(Issue(where, "is not a table", "write [register]"))
        return ()
    found = [_covariate(name, entry, f"{where}.{name}", issues) for name, entry in (table or {}).items()]
    return tuple(c for c in found if c is not None)


def own_register(table: object, where: str, issues: list[Issue]) -> dict[str, Covariate]:
    """The library's covariates and those that a set registers itself, none of which the library has."""
    found = read_register(table, where, issues)
    for name in sorted({c.name for c in found} & {*register()}):
        c = register()[name]
        what = f"is in the library's register: {c.text}, {c.plausible} {c.unit}"
        issues.append(Issue(f"{where}.{name}", what, "give it another name, or leave the library's"))
    return {**register(), **{c.name: c for c in found if c.name not in register()}}


def _covariate(name: str, entry: object, where: str, issues: list[Issue]) -> Covariate | None:
    before = len(issues)
    if not name.isidentifier() or name != name.upper() or name in RESERVED or name == COPY:
        what = "is a data item of records" if name in RESERVED else "is no name of a covariate"
        issues.append(Issue(where, what, "give it a name of its own in capitals, as in CRP"))
    found = read(entry, _FIELDS, where, issues)
    if len(issues) > before or not isinstance(entry, dict):
        return None
    try:
        units.parse_unit(found["unit"], f"{where}.unit")
    except ContentError as error:
        issues += error.issues
    levels = _levels(found.pop("levels"), where, issues)
    if levels and {"low", "high"} & {*entry}:
        issues.append(Issue(where, "has levels and a range", "keep levels, or low and high"))
    elif levels:
        found |= {"low": levels[0][0], "high": levels[-1][0]}
    elif found["low"] is None or found["high"] is None or found["low"] >= found["high"]:
        issues.append(Issue(where, "has no range", "give low and a high above it, or levels"))
    return Covariate(name=name, levels=levels, **found) if len(issues) == before else None


def _levels(table: dict, where: str, issues: list[Issue]) -> tuple[tuple[float, str], ...]:
    found = []
    for key, name in table.items():
        try:
            number = float(key)
        except ValueError:
            number = float("nan")
        if not is_number(number) or not isinstance(name, str) or not name:
            remedy = 'write the number of each level and its name: levels = { 0 = "no", 1 = "yes" }'
            issues.append(Issue(f"{where}.levels.{key}", "is not a level", remedy))
        else:
            found.append((number, name))
    if len(found) == 1 or len({n for n, _ in found}) < len(found):
        issues.append(
            Issue(f"{where}.levels", "are not two or more different numbers", "name each level once")
        )
    return tuple(sorted(found))


def united(
    below: Mapping[str, Covariate], above: Mapping[str, Covariate], where: str, under: str
) -> dict[str, Covariate]:
    """The covariates that either of two sets knows; an error where they mean two things by one name."""
    for name in sorted({*below} & {*above}):
        if below[name] != above[name]:
            raise fail(
                f"{where}: register.{name}",
                f"is another covariate than in {under} below it",
                "give one of the two another name, or the same line in both",
            )
    return {**below, **above}
