"""Where a tumour grows: patients, mice or culture, and what growth, capacity and size can be there.

The ranges are in `parameters/hosts.toml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pkpd.content import library
from pkpd.content.fields import SOURCED, Field, Names, Number, Table, Text, read, read_rows
from pkpd.content.library import raise_issues
from pkpd.content.units import pretty
from pkpd.errors import Issue
from pkpd.machine import inputs

HUMAN = "human"


@dataclass(frozen=True)
class Range:
    """What one parameter of one model can typically be in a host, in `unit`; `where` says why."""

    host: str
    model: str
    parameter: str
    unit: str
    low: float
    high: float
    where: str
    seen: str


@dataclass(frozen=True)
class Hosts:
    """What messages call each host, the one that is meant where none is declared first; and the range of each
    (host, model, parameter) that has one.
    """

    names: dict[str, str]
    ranges: dict[tuple[str, str, str], Range]


def hosts() -> Hosts:
    """The library's hosts and ranges."""
    return _library(inputs.ROOT)


_SPAN: dict[str, Field] = {"low": Number(need=True), "high": Number(need=True), **SOURCED}


@cache
def _library(root: Path) -> Hosts:
    source, issues = library.read("hosts", "hosts"), list[Issue]()
    heads: dict[str, Field] = {"hosts": Table(need=True, remedy="write [hosts]"), "ranges": Field()}
    found = read(source.data, heads, source.where, issues)
    names = found["hosts"] or {}
    row: dict[str, Field] = {
        "models": Names(of="names of models"),
        "parameters": Names(of="names of parameters"),
        "unit": Text(need=True),
        **{name: Table(need=True, remedy="write {key} = { low = …, high = …, where = … }") for name in names},
    }
    ranges = [
        Range(host=host, model=model, parameter=parameter, unit=own["unit"], **span)
        for place, own, _ in read_rows(found["ranges"], row, f"{source.where}: ranges", issues)
        for host, span in ((h, read(own[h], _SPAN, f"{place}.{h}", issues)) for h in names)
        for model in own["models"]
        for parameter in own["parameters"]
    ]
    raise_issues(issues)
    return Hosts(names, {(r.host, r.model, r.parameter): r for r in ranges})


def outside(host: str, uses: Mapping[str, str], values: Mapping[str, float], where: str) -> list[Issue]:
    """Issues of values that no tumour of a host has; an undeclared host is human.

    uses    the model of each part of a system (the empty name: of the model itself)
    values  by the names of a parameter file, in the units of the models
    """
    issues, known = [], hosts()
    for name, value in values.items():
        part, _, parameter = name.rpartition(".")
        found = known.ranges.get((host or HUMAN, uses.get(part, ""), parameter))
        if found is not None and not found.low <= value <= found.high:
            unit = "" if found.unit == "1" else f" {pretty(found.unit)}"
            issues.append(
                Issue(
                    f"{where}: values.{name}",
                    f"{value:g}{unit} is not what a tumour has in {known.names[host or HUMAN]}: "
                    f"{found.low:g} to {found.high:g}{unit} ({found.where})",
                    _remedy(host, found, value),
                )
            )
    return issues


def _remedy(host: str, own: Range, value: float) -> str:
    """Where else such a value would be at home."""
    others = [
        r.host
        for r in hosts().ranges.values()
        if (r.model, r.parameter) == (own.model, own.parameter)
        and r.host != own.host
        and r.low <= value <= r.high
    ]
    if not others:
        return "mend the value or its unit"
    says = f"says host = {host!r}" if host else "says no host, which means human"
    return f"mend the value, or write host = {' or '.join(map(repr, others))} in [parameters]: the set {says}"


def mixed(one: str, other: str) -> bool:
    """Whether two sets say different hosts; one that says none goes with any."""
    return bool(one and other and one != other)
