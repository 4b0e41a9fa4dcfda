"""A file of published exposures, read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pkpd.content import fields, library, units
from pkpd.content.fields import Choice, Field, Number, Quantity, Text, Whole, held, is_number, read
from pkpd.content.library import check_keys, check_name, raise_issues, rows
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue
from pkpd.exposures.evidence import Evidence
from pkpd.exposures.exposure import ACCUMULATION, AT_END, STATISTICS, USES, WHAT, Exposure, Given
from pkpd.parameters.covariates import register
from pkpd.regimen.dose_reading import amount_of
from pkpd.regimen.doses import DoseLine

SEEN = tuple(s for s in fields.SEEN if s not in ("assumed", "fitted"))  # what was not seen is no evidence
_WIDEST, _FARTHEST = 5.0, 1000.0  # times the value: no SD, no end of a range that was published goes further
_WITHOUT = (0.8, 1.25)  # times the value: what counts as inside where no spread was published
_AS = "write a number and a unit, as in '85 mg/m^2'"
_POSITIVE = Number(least=math.ulp(0.0), what="is not a positive number")  # the least above zero
_HEAD: dict[str, Field] = {"title": Text(), "text": Text()}
_FIELDS: dict[str, Field] = {
    "drug": Text(need=True),
    "name": Text(need=True),
    "unit": Text(need=True),
    "of": Text(),
    "to_of": Text(),
    "source": Text(),
    "where": Text(),
    "miss": Text(),
    "text": Text(),
    "parameters": Text(),
    "what": Choice(known=WHAT, need=True, lack="one of " + ", ".join(WHAT)),
    "statistic": Choice(known=STATISTICS, need=True, lack="one of " + ", ".join(STATISTICS)),
    "use": Choice(known=USES, need=True, lack="one of " + ", ".join(USES)),
    "seen": Choice(known=SEEN, default="user"),
    "value": replace(_POSITIVE, default=1.0, need=True),
    "molar_mass": Quantity(unit="g/mol", remedy=_AS),
    "n": Whole(least=1, most=1_000_000, what="is not a number of patients", remedy="a whole number from 1"),
}
_WINDOW: dict[str, Field] = {
    "from": Quantity(unit="day", remedy=_AS),
    "to": Quantity(unit="day", remedy=_AS),
}
_REGIMEN: dict[str, Field] = {
    "regimen": Text(need=True),
    "cycles": Whole(
        default=1, least=1, most=10_000, what="is not a number of cycles", remedy="write {key} = 1"
    ),
}
_DOSE: dict[str, Field] = {
    "dose": Field(),
    "over": Quantity(unit="day", remedy=_AS),
    "every": Quantity(unit="day", remedy=_AS),
    "doses": Whole(
        default=1, least=1, most=10_000, what="is not a number of doses", remedy="write {key} = 1"
    ),
    "form": Text(),
}
_SPREADS: dict[str, Field] = {"sd": _POSITIVE, "cv": _POSITIVE, "interval": Field(), "range": Field()}
_KEYS = (*_FIELDS, *_REGIMEN, *_DOSE, *_WINDOW, *_SPREADS, "level", "patients")


def _held() -> dict[str, Field]:
    """The covariates at which the patients of an exposure can be held."""
    return {
        name: Number(
            least=c.low,
            most=c.high,
            what="is not a value of it",
            remedy=f"from {c.low:g} to {c.high:g} {c.unit}",
        )
        for name, c in register().items()
    }


def load_evidence(name: str | Path = "exposures") -> Evidence:
    """The library's published exposures, or those of a file of one's own."""
    return library.load("exposures", name, read_evidence)


def read_evidence(data: dict, name: str, where: str) -> Evidence:
    """Published exposures from tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("exposures", "figures"), where, issues)
    head = read(data.get("exposures", {}), _HEAD, f"{where}: exposures", issues)
    named: dict[tuple[str, str], Exposure] = {}
    for place, entry in rows(data.get("figures"), f"{where}: figures", _KEYS, issues):
        exposure = _exposure(entry, place, issues)
        if exposure is None:
            continue
        drug, own = exposure.drug, exposure.name
        if (drug, own) in named:
            what = f"a second figure {own!r} of {drug}"
            issues.append(Issue(f"{place}.name", what, "give one another name"))
        named.setdefault((drug, own), exposure)
    raise_issues(issues)
    return Evidence(name, **head, figures=tuple(named.values()))


def _exposure(entry: dict, place: str, issues: list[Issue]) -> Exposure | None:
    """An exposure from its table; faults are added to the issues."""
    before = len(issues)
    if entry.get("seen") == "assumed":
        what = "'assumed': what was not seen is no evidence"
        issues.append(Issue(f"{place}.seen", what, "leave the figure out until it is seen"))
        entry = {k: v for k, v in entry.items() if k != "seen"}
    found = held(entry, _FIELDS, place, issues)
    _check_words(found, place, issues)
    given, cycles = _given(entry, found["drug"], place, issues)
    start, end = _window(entry, found["what"], place, issues)
    low, high, spread = _spread(entry, found, place, issues)
    patients = _patients(entry.get("patients", {}), f"{place}.patients", issues)
    if len(issues) > before:
        return None
    named = {
        "drug": found["drug"].removeprefix("drugs/"),
        "of": found["of"] or "Cc",
        "molar_mass": found["molar_mass"] if "molar_mass" in entry else None,
    }
    return Exposure(
        place=place,
        given=given,
        cycles=cycles,
        start=start,
        end=end,
        low=low,
        high=high,
        spread=spread,
        patients=patients,
        **found | named,
    )


def _check_words(found: dict, place: str, issues: list[Issue]) -> None:
    """Names stand for something, the unit is one, and a ratio alone has a denominator."""
    for key, kind in (("drug", "model"), ("parameters", "parameters")):
        if found[key]:
            check_name((kind,), found[key], f"{place}.{key}", issues)
    if found["unit"]:
        _told(lambda: units.parse_unit(found["unit"], f"{place}.unit"), None, issues)
    if (found["what"] == "ratio") != bool(found["to_of"]):
        what = "a ratio has a denominator, no other figure has"
        issues.append(Issue(f"{place}.to_of", what, 'what = "ratio", to_of = "Cc"'))


def _told(call: Callable, instead: Any, issues: list[Issue]) -> Any:
    """What a call returns; if it refuses, its issues are kept, and something stands instead."""
    try:
        return call()
    except ContentError as error:
        issues += error.issues
        return instead


def _given(entry: dict, drug: str, place: str, issues: list[Issue]) -> tuple[Given, int]:
    """What was given, and how often."""
    if ("regimen" in entry) == ("dose" in entry):
        remedy = 'regimen = "…", cycles = 1, or dose = "500 mg"'
        issues.append(Issue(place, "gives neither regimen nor dose, or both", remedy))
        return Given(), 1
    own, other = (_REGIMEN, _DOSE) if "regimen" in entry else (_DOSE, _REGIMEN)
    for key in (k for k in other if k in entry):
        what = f"has no place beside {next(iter(own))}"
        issues.append(Issue(f"{place}.{key}", what, f"{', '.join(own)} go together"))
    found = held(entry, own, place, issues)
    if own is _DOSE:
        return _line(entry, found, drug, place, issues), found["doses"]
    if found["regimen"]:
        check_name(("regimen",), found["regimen"], f"{place}.regimen", issues)
    return Given(found["regimen"], words=found["regimen"]), found["cycles"]


def _line(entry: dict, found: dict, drug: str, place: str, issues: list[Issue]) -> Given:
    """One dose line, given once or every so often."""
    count, over, every = found["doses"], found["over"], found["every"]
    if count > 1 and "every" not in entry:
        issues.append(Issue(f"{place}.every", "is missing", 'several doses: write every = "12 hour"'))
    amount, unit, per = _told(lambda: amount_of(entry["dose"], f"{place}.dose"), (1.0, "mg", ""), issues)
    if amount <= 0 or over < 0 or every < 0 or (count > 1 and every == 0):
        what = "dose and every are positive, over is not negative"
        issues.append(Issue(f"{place}.dose", what, 'write dose = "500 mg"'))
    words = [f"{k} {entry[k]}".removeprefix("form ") for k in ("form", "over", "every") if k in entry]
    line = DoseLine(drug, amount, unit, per, (1,), over=over, form=found["form"])
    return Given(line=line, every=every, words=" ".join([str(entry["dose"]), *words]))


def _window(entry: dict, what: str | None, place: str, issues: list[Issue]) -> tuple[float, float | None]:
    """From and to, in days; `to` is None where the exposure reaches to infinity."""
    found = held(entry, _WINDOW, place, issues)
    start, end, wrong = found["from"], found["to"], ""
    if "to" not in entry and what in AT_END:
        wrong = f"is missing: {what} is read at the end of its window, or within it"
    elif what in ACCUMULATION and ("from" in entry) != ("to" in entry):
        wrong = "an accumulation has both ends of its last interval, or neither"
    elif "to" in entry and not 0 <= start <= end:
        wrong = f"{entry['to']!r} is before the window's start"
    if wrong:
        remedy = 'write from = "0 day", to = "21 day", from the first dose'
        issues.append(Issue(f"{place}.to", wrong, remedy))
    return start, end if "to" in entry else None


def _spread(entry: dict, found: dict, place: str, issues: list[Issue]) -> tuple[float, float, str]:
    """What counts as inside: the published spread, or 0.8 to 1.25 of the value."""
    value, named, level = found["value"], [k for k in _SPREADS if k in entry], entry.get("level")
    if len(named) > 1:
        remedy = "one spread only: sd, cv, interval with its level, or range"
        issues.append(Issue(place, f"gives {' and '.join(named)}", remedy))
    share = is_number(level) and 0 < level < 1
    if ("level" in entry) != ("interval" in entry) or ("level" in entry and not share):
        what = "an interval, and nothing else, has a level between 0 and 1"
        issues.append(Issue(f"{place}.level", what, "write level = 0.9"))
    if not named:
        return _WITHOUT[0] * value, _WITHOUT[1] * value, "none published: 0.8 to 1.25 of the value"
    key, own = named[0], _SPREADS[named[0]].read(entry, named[0], place, issues)
    if own is None:
        return 0.0, math.inf, key
    if key in ("sd", "cv"):
        return _around(entry[key], key, found, place, issues)
    pair = isinstance(own, list) and len(own) == 2 and all(is_number(x) for x in own)
    if not pair or not 0 <= own[0] <= value <= own[1] <= _FARTHEST * value:
        what = f"{shown(own)} is not two numbers around {value:g}"
        issues.append(Issue(f"{place}.{key}", what, f"write {key} = [LOW, HIGH]"))
        return 0.0, math.inf, key
    words = f"{100 * level:g} % interval" if key == "interval" and is_number(level) else key
    return float(own[0]), float(own[1]), words


def _around(size: float, key: str, found: dict, place: str, issues: list[Issue]) -> tuple[float, float, str]:
    """A mean and one standard deviation on either side; a geometric mean and one of the logarithm
    for a CV.
    """
    value = found["value"]
    if size > _WIDEST * (1 if key == "cv" else value):
        what = f"{shown(size)} is over {_WIDEST:g} times the value, so that everything is inside"
        remedy = "a cv of 30 % is cv = 0.3; an sd is in the value's unit"
        issues.append(Issue(f"{place}.{key}", what, remedy))
        return 0.0, math.inf, key
    if key == "cv" and found["statistic"] == "geometric mean":
        factor = math.exp(math.sqrt(math.log1p(size**2)))
        return value / factor, value * factor, f"geometric CV {100 * size:.3g} %"
    sd = size * value if key == "cv" else float(size)
    return value - sd, value + sd, "± SD" if key == "sd" else f"CV {100 * size:.3g} %"


def _patients(value: object, place: str, issues: list[Issue]) -> tuple[tuple[str, float], ...]:
    """Covariates at which an exposure's patients are held, in the order of the file."""
    found = read(value, _held(), place, issues)
    own = value if isinstance(value, dict) else {}
    return tuple((k, found[k]) for k in own if found.get(k) is not None)
