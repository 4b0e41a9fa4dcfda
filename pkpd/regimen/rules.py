"""Rules of a regimen: hold a cycle, reduce or stop doses, on a state at a visit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pkpd.content import library, units
from pkpd.content.fields import is_number
from pkpd.content.library import whole
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue, nearest

_OWN = {"hold": ("wait", "most"), "reduce": ("factor", "least", "drugs"), "stop": ("drugs",)}
_KEYS = ("of", "below", "above", "action", *dict.fromkeys(k for keys in _OWN.values() for k in keys))


@dataclass(frozen=True)
class Rule:
    """What is done at a visit where a quantity x of the model, `of`, lies below or above a level (x < level
    or x > level, strictly; in `unit`).

    hold    the cycle waits `wait` days; after `most` waits in a row, the course ends
    reduce  what is given of doses of `drugs` (all if empty), f of the first, becomes min(f, max(f x `factor`,
            `least`)) from that cycle on, once a cycle
    stop    `drugs` are given no more: f = 0
    """

    of: str
    side: str
    level: float
    unit: str
    action: str
    drugs: tuple[str, ...] = ()
    wait: float = 0.0
    most: int = 0
    factor: float = 1.0
    least: float = 0.0

    def acts_on(self, drug: str) -> bool:
        return drug in self.drugs or not self.drugs


def read_rules(value: object, given: tuple[str, ...], where: str, issues: list[Issue]) -> tuple[Rule, ...]:
    """The rules of a regimen that gives the drugs `given`; what is wrong with them is added to the issues."""
    found = [_rule(entry, given, place, issues) for place, entry in library.rows(value, where, _KEYS, issues)]
    return tuple(r for r in found if r is not None)


def _rule(entry: dict, given: tuple[str, ...], where: str, issues: list[Issue]) -> Rule | None:
    before = len(issues)
    of = library.text(entry, "of", where, issues, need=True)
    side, level, unit = _level(entry, where, issues)
    action = entry.get("action", "")
    if not isinstance(action, str) or action not in _OWN:
        issues.append(
            Issue(
                f"{where}.action",
                f"{shown(action)} is not an action" if action else "is missing",
                "one of " + ", ".join(_OWN),
            )
        )
        return None
    for key in dict.fromkeys(k for keys in _OWN.values() for k in keys if k in entry):
        if key not in _OWN[action]:
            issues.append(Issue(f"{where}.{key}", f"has no place in a rule to {action}", "remove it"))
    own: dict = {"hold": _hold, "reduce": _reduce, "stop": lambda *_: {}}[action](entry, where, issues)
    if "drugs" in _OWN[action]:
        own["drugs"] = _drugs(entry.get("drugs"), given, f"{where}.drugs", issues)
    return Rule(of, side, level, unit, action, **own) if len(issues) == before else None


def _level(entry: dict, where: str, issues: list[Issue]) -> tuple[str, float, str]:
    sides = [k for k in ("below", "above") if k in entry]
    if len(sides) != 1:
        issues.append(
            Issue(
                where,
                "gives both below and above" if sides else "gives no level",
                'write below = "1.5 1/nL", or above',
            )
        )
        return "", 0.0, ""
    try:
        return (sides[0], *units.quantity(entry[sides[0]], f"{where}.{sides[0]}"))
    except ContentError as error:
        issues += error.issues
        return "", 0.0, ""


def _hold(entry: dict, where: str, issues: list[Issue]) -> dict:
    wait, most = math.nan, entry.get("most")
    try:
        wait = units.days(
            entry.get("wait", ""), f"{where}.wait", "is no time to wait", 'write wait = "7 day"', least=1 / 24
        )
    except ContentError as error:
        issues += error.issues
    if not whole(most, 1, 100):
        issues.append(
            Issue(
                f"{where}.most",
                "is missing" if most is None else f"{shown(most)} is not a number of waits",
                "give the waits in a row after which treatment ends, from 1 to 100",
            )
        )
    return {"wait": wait, "most": most}


def _reduce(entry: dict, where: str, issues: list[Issue]) -> dict:
    factor, least = entry.get("factor"), entry.get("least", 0.0)
    if not is_number(factor) or not 0 < factor < 1:
        issues.append(
            Issue(
                f"{where}.factor",
                "is missing" if factor is None else f"{shown(factor)} does not reduce a dose",
                "give what is left of a dose, between 0 and 1: factor = 0.75",
            )
        )
    elif not is_number(least) or not 0 <= least <= factor:
        issues.append(
            Issue(
                f"{where}.least",
                f"{shown(least)} is not a share of the first dose that {factor:g} can reach",
                "give the smallest share of it that is still given, from 0 to factor",
            )
        )
    return {"factor": factor, "least": least}


def _drugs(value: object, given: tuple[str, ...], where: str, issues: list[Issue]) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        issues.append(
            Issue(
                where,
                f"{shown(value)} is not a list of drugs",
                'write drugs = ["oxaliplatin"]; all, if left out',
            )
        )
        return ()
    for drug in value:
        if drug not in given:
            issues.append(Issue(where, f"this regimen gives no {drug!r}", nearest(drug, given)))
    return tuple(value)
