"""Where a tumour grows: patients, mice or culture, and what growth, capacity and size can be there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pkpd.content.units import pretty
from pkpd.errors import Issue

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


_Spans = dict[str, tuple[float, float, str]]
# models, parameters, their unit, and of each host the least, the most and why
_QUANTITIES: tuple[tuple[tuple[str, ...], tuple[str, ...], str, _Spans], ...] = (
    (
        ("couplings/growth_gompertz", "couplings/growth_site", "tumours/occult"),
        ("ALPHA",),
        "1/day",
        {
            "human": (
                0,
                0.01,
                "1.08e-3 gives Finlay's doubling times of 86 and 155 days; 0.01 doubles 14 mL in 17 days",
            ),
            "mouse": (0.01, 1, "doubling within 2 to 20 days in a capacity of some mL"),
            "culture": (0.01, 2, "doubling within 1 to 20 days in a well"),
        },
    ),
    (
        ("couplings/growth_exponential",),
        ("KG",),
        "1/day",
        {
            "human": (0, 0.035, "doubling in 20 days or more"),
            "mouse": (0.035, 1, "doubling within 20 days"),
            "culture": (0.035, 2, "doubling within 20 days"),
        },
    ),
    (
        ("couplings/growth_gompertz", "couplings/growth_site"),
        ("K", "KSITE"),
        "mL",
        {
            "human": (50, 1e4, "890 mL a lesion, some 1500 mL a liver"),
            "mouse": (0.2, 20, "2 to 2.5 mL a tumour, 1 to 2 mL a liver"),
            "culture": (1e-4, 0.2, "tissue in a well"),
        },
    ),
    (
        ("tumours/occult",),
        ("KCELL",),
        "1",
        {
            "human": (5e10, 1e13, "890 mL at 1e9 cells/mL"),
            "mouse": (2e8, 2e10, "2.5 mL at 1e9 cells/mL"),
            "culture": (1e5, 2e8, "tissue in a well"),
        },
    ),
    (
        ("tumours/lesion",),
        ("D0",),
        "mm",
        {
            "human": (3, 250, "what the register of covariates holds for metastases"),
            "mouse": (0.5, 20, "a tumour of 20 mm is over 4 mL"),
            "culture": (0.05, 5, "organoids and slices"),
        },
    ),
)
RANGES = tuple(
    Range(host, model, parameter, unit, *span)
    for models, parameters, unit, spans in _QUANTITIES
    for model in models
    for parameter in parameters
    for host, span in spans.items()
)
HOSTS = tuple(dict.fromkeys(r.host for r in RANGES))
_TABLE = {(r.host, r.model, r.parameter): r for r in RANGES}


def outside(host: str, uses: Mapping[str, str], values: Mapping[str, float], where: str) -> list[Issue]:
    """Issues of values that no tumour of a host has; an undeclared host is human.

    uses    the model of each part of a system (the empty name: of the model itself)
    values  by the names of a parameter file, in the units of the models
    """
    issues = []
    for name, value in values.items():
        part, _, parameter = name.rpartition(".")
        found = _TABLE.get((host or HUMAN, uses.get(part, ""), parameter))
        if found is not None and not found.low <= value <= found.high:
            unit = "" if found.unit == "1" else f" {pretty(found.unit)}"
            issues.append(
                Issue(
                    f"{where}: values.{name}",
                    f"{value:g}{unit} is not what a tumour has in {_told(host)}: "
                    f"{found.low:g} to {found.high:g}{unit} ({found.where})",
                    _remedy(host, found, value),
                )
            )
    return issues


def _told(host: str) -> str:
    return {"human": "patients", "mouse": "mice", "culture": "culture"}[host or HUMAN]


def _remedy(host: str, own: Range, value: float) -> str:
    """Where else such a value would be at home."""
    others = [
        h
        for h in HOSTS
        if h != own.host and (r := _TABLE[h, own.model, own.parameter]).low <= value <= r.high
    ]
    if not others:
        return "mend the value or its unit"
    says = f"says host = {host!r}" if host else "says no host, which means human"
    return f"mend the value, or write host = {' or '.join(map(repr, others))} in [parameters]: the set {says}"


def mixed(one: str, other: str) -> bool:
    """Whether two sets say different hosts; one that says none goes with any."""
    return bool(one and other and one != other)
