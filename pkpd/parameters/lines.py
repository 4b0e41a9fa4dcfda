"""The lines of a parameter file, read: value, unit, spread, covariate effect, source, how seen."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from pkpd.content.fields import SOURCED, Field, Text, is_number
from pkpd.content.library import check_keys
from pkpd.errors import Issue, nearest
from pkpd.parameters.covariates import Covariate
from pkpd.parameters.effects import COPY, read_effect
from pkpd.parameters.parameters import Parameters, Value
from pkpd.parameters.spread import Spread
from pkpd.parameters.spread_reading import read_spread

_WORDS: dict[str, Field] = {**SOURCED, "source": Text(), "text": Text()}
_KEYS = ("value", "unit", *_WORDS, "spread", "copies", "effect")
_Register = Mapping[str, Covariate]


def read_lines(
    table: dict, where: str, source: str, register: _Register, issues: list[Issue], prefix: str = ""
) -> list[Value]:
    """The lines of a table, those of a part one table deeper; `source` is that of lines that name none."""
    rows: list[Value] = []
    for key, entry in table.items():
        name = prefix + key
        if not isinstance(entry, dict):
            issues.append(
                Issue(f"{where}.{name}", f"{entry!r} is not a line", "write { value = …, unit = …, … }")
            )
        elif key == key.upper():
            rows += _line(name, entry, f"{where}.{name}", source, register, issues)
        elif not prefix:
            rows += read_lines(entry, where, source, register, issues, f"{key}.")
        else:
            issues.append(Issue(f"{where}.{name}", "unknown key", "a parameter is written in capitals"))
    return rows


def _line(
    name: str, entry: dict, place: str, source: str, register: _Register, issues: list[Issue]
) -> list[Value]:
    """One line, or none where it has no number or no unit."""
    check_keys(entry, _KEYS, place, issues)
    number = _number(entry, place, issues)
    if number is None:
        return []
    if not isinstance(entry.get("unit"), str):
        issues.append(Issue(place, "has no unit", 'give unit = "…" ("1" for a pure number)'))
        return []
    words = {k: field.read(entry, k, place, issues) for k, field in _WORDS.items()}
    spreads = {
        key: read_spread(entry[key], number, partial(_report, issues, f"{place}.{key}"))
        for key in ("spread", "copies")
        if key in entry
    }
    if (wrong := _half_honoured(**spreads)) is not None:
        issues.append(Issue(f"{place}.copies", *wrong))
    effect = read_effect(entry["effect"], f"{place}.effect", register, issues) if "effect" in entry else None
    words["source"] = entry.get("source", source)
    return [
        Value(
            name=name,
            value=number,
            unit=entry["unit"],
            effect=effect,
            spread=spreads.get("spread"),
            copies=spreads.get("copies"),
            **words,
        )
    ]


def _number(entry: dict, place: str, issues: list[Issue]) -> float | None:
    number = entry.get("value")
    if is_number(number):
        return float(number)
    huge = isinstance(number, int) and not isinstance(number, bool)
    shown = "an integer over 1e300" if huge else repr(number)
    what = f"value = {shown} is not a number" if "value" in entry else "has no value"
    issues.append(Issue(place, what, "give value = NUMBER"))
    return None


def _report(issues: list[Issue], place: str, what: str, remedy: str) -> None:
    issues.append(Issue(place, what, remedy))


def _half_honoured(spread: Spread | None = None, copies: Spread | None = None) -> tuple[str, str] | None:
    """What is wrong with the spread between copies, which goes around the patient's own value, and the
    remedy.
    """
    if copies is not None and copies.factors:
        return "a spread between copies has no mixture", "give the mixture to the patient: spread = { … }"
    if copies is not None and spread is not None and copies.law in ("uniform", "categorical"):
        return (
            f"a {copies.law} draw does not go around the patient's own value, so that spread would count "
            f"for nothing",
            "use another law, or leave spread out",
        )
    return None


def check_covariate(c: Value, register: _Register, where: str, issues: list[Issue]) -> None:
    """Notes what a line of [covariates] may not have, and a value that no patient has."""
    place = f"{where}: covariates.{c.name}"
    if c.copies is not None or (c.spread is not None and c.spread.factors):
        what, remedy = "a covariate has no copies or mixture", "give it value, unit, a spread, an effect"
        issues.append(Issue(place, what, remedy))
    if c.effect is not None and COPY in dict(c.effect.reference):
        issues.append(Issue(f"{place}.effect", "a patient has no COPY", "name covariates alone"))
    known = register.get(c.name)
    if known is None:
        issues.append(Issue(place, "is not in the register", nearest(c.name, register)))
    elif c.unit != known.unit:
        what = f"{c.unit!r} is given, the register has {known.unit!r}"
        issues.append(Issue(f"{place}.unit", what, "use the register's unit"))
    elif wrong := known.amiss(c.value, mean=c.spread is not None):
        issues.append(Issue(place, f"is {wrong}", "mend the value"))
    elif known.levels and not _keeps_levels(c, known):
        remedy = "a bernoulli or categorical spread of them, and no effect"
        issues.append(Issue(place, f"is not always one of its levels, {known.plausible}", remedy))


def _keeps_levels(c: Value, known: Covariate) -> bool:
    """Whether every draw of a covariate is one of its levels."""
    drawn = () if c.spread is None else c.spread.values
    if c.spread is not None and c.spread.law == "bernoulli":
        drawn = (0.0, 1.0)
    return (
        c.effect is None and (c.spread is None or bool(drawn)) and bool(np.all(known.fits(np.array(drawn))))
    )


def order_issues(p: Parameters) -> list[Issue]:
    """Issues of covariates that follow one which does not stand above them."""
    issues, above = list[Issue](), set[str]()
    for c in p.covariates:
        lack = [n for n, _ in c.effect.reference if n not in above] if c.effect is not None else []
        issues += [
            Issue(
                f"{p.name}: covariates.{c.name}",
                f"follows {n}, which does not stand above it",
                f"give {n} under [covariates], above {c.name}",
            )
            for n in lack
        ]
        above.add(c.name)
    return issues
