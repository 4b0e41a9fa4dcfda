"""Exposures as they were published, one figure each, from a file of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pkpd.content import library, units
from pkpd.content.fields import is_number
from pkpd.content.library import check_keys, raise_issues, shown, table, text, whole
from pkpd.errors import ContentError, Issue, nearest
from pkpd.parameters.covariates import REGISTER
from pkpd.regimen.doses import DoseLine, amount_of

ACCUMULATION = ("accumulation_AUC", "accumulation_Cmax", "accumulation_Clast")
AT_END = ("Cmin", "Clast", "concentration")
WHAT = ("Cmax", *AT_END, "AUC", "half_life", "CL", "Vss", "tmax", "ratio", *ACCUMULATION)
STATISTICS = ("mean", "median", "geometric mean", "typical")
USES = ("check", "circular", "context")
SEEN = ("primary", "secondary", "review", "derived", "user")  # a recalled number is no evidence
_WIDEST, _FARTHEST = (
    5.0,
    1000.0,
)  # times the value: no SD and no end of a range that was published goes further
WITHOUT = (0.8, 1.25)  # times the value: what counts as inside where no spread was published
_GIVEN, _DOSE = ("regimen", "cycles"), ("dose", "over", "every", "doses", "form")
_SPREADS = ("sd", "cv", "interval", "range")
_TEXTS = ("drug", "name", "unit", "of", "to_of", "source", "where", "miss", "text", "parameters")
_KEYS = (
    *_TEXTS,
    "what",
    *_GIVEN,
    *_DOSE,
    "from",
    "to",
    "value",
    "statistic",
    *_SPREADS,
    "level",
    "n",
    "patients",
    "seen",
    "use",
    "molar_mass",
)


@dataclass(frozen=True)
class Given:
    """What a figure's patients got: a regimen by name, or one dose line, every so many days or once (0)."""

    regimen: str = ""
    line: DoseLine | None = None
    every: float = 0.0
    words: str = ""


@dataclass(frozen=True)
class Figure:
    """One published exposure; the window is in days from the first dose, open (to infinity) where `end` is
    None.

    low and high are the published spread (mean ± SD, an interval, a range); where none was published, 0.8 and
    1.25 of the value.
    """

    place: str
    drug: str
    name: str
    what: str
    given: Given
    cycles: int
    value: float
    unit: str
    statistic: str
    low: float
    high: float
    spread: str
    use: str
    seen: str
    of: str = "Cc"
    to_of: str = ""
    start: float = 0.0
    end: float | None = None
    n: int | None = None
    patients: tuple[tuple[str, float], ...] = ()
    parameters: str = ""
    molar_mass: float | None = None
    source: str = ""
    where: str = ""
    miss: str = ""
    text: str = ""


@dataclass(frozen=True)
class Evidence:
    """A file of published exposures."""

    name: str
    title: str
    text: str
    figures: tuple[Figure, ...]

    def of(self, drug: str) -> tuple[Figure, ...]:
        """The figures of one drug, by its name with or without its folder."""
        return tuple(f for f in self.figures if f.drug in (drug, drug.removeprefix("drugs/")))


def load_evidence(name: str | Path = "exposures") -> Evidence:
    """The library's published exposures, or those of a file of one's own."""
    return library.load("exposures", name, read_evidence)


def read_evidence(data: dict, name: str, where: str) -> Evidence:
    """Published exposures from tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("exposures", "figures"), where, issues)
    head = table(data.get("exposures"), f"{where}: exposures", ("title", "text"), issues)
    words = {k: text(head, k, f"{where}: exposures", issues) for k in ("title", "text")}
    known: dict[tuple[str, str], tuple[Issue, ...]] = {}
    figures: dict[tuple[str, str], Figure] = {}
    for place, entry in library.rows(data.get("figures"), f"{where}: figures", _KEYS, issues):
        figure = _figure(entry, place, known, issues)
        if figure is not None and (figure.drug, figure.name) in figures:
            issues.append(
                Issue(
                    f"{place}.name",
                    f"a second figure {figure.name!r} of {figure.drug}",
                    "give one another name",
                )
            )
        elif figure is not None:
            figures[figure.drug, figure.name] = figure
    raise_issues(issues)
    return Evidence(name, words["title"], words["text"], tuple(figures.values()))


def _figure(entry: dict, place: str, known: dict, issues: list[Issue]) -> Figure | None:
    """A figure from its table; faults are added to the issues."""
    before = len(issues)
    words = {k: text(entry, k, place, issues, k in _TEXTS[:3]) for k in _TEXTS}
    for key, options in (("what", WHAT), ("statistic", STATISTICS), ("use", USES), ("seen", SEEN)):
        if entry.get(key, "user" if key == "seen" else None) not in options:
            issues.append(_not_one(place, key, entry.get(key), options))
    if words["drug"]:
        _named("model", words["drug"], f"{place}.drug", known, issues)
    if words["parameters"]:
        _named("parameters", words["parameters"], f"{place}.parameters", known, issues)
    if words["unit"]:
        told(lambda: units.parse_unit(words["unit"], f"{place}.unit"), None, issues)
    if (entry.get("what") == "ratio") != bool(words["to_of"]):
        issues.append(
            Issue(
                f"{place}.to_of",
                "a ratio has a denominator, no other figure has",
                'what = "ratio", to_of = "Cc"',
            )
        )
    given, cycles = _given(entry, words["drug"], place, known, issues)
    start, end = _window(entry, place, issues)
    low, high, spread = _spread(entry, place, issues)
    mass = told(
        lambda: units.convert(entry.get("molar_mass", "1 g/mol"), "g/mol", f"{place}.molar_mass"), 1.0, issues
    )
    patients = _patients(entry, place, issues)
    if "n" in entry and not whole(entry["n"], 1, 1_000_000):
        issues.append(
            Issue(f"{place}.n", f"{shown(entry['n'])} is not a number of patients", "a whole number from 1")
        )
    if len(issues) > before:
        return None
    texts = {k: v for k, v in words.items() if k != "of"} | {"drug": words["drug"].removeprefix("drugs/")}
    return Figure(
        place,
        what=entry["what"],
        given=given,
        cycles=cycles,
        value=float(entry["value"]),
        statistic=entry["statistic"],
        low=low,
        high=high,
        spread=spread,
        use=entry["use"],
        seen=entry.get("seen", "user"),
        of=words["of"] or "Cc",
        start=start,
        end=end,
        n=entry.get("n"),
        patients=patients,
        molar_mass=mass if "molar_mass" in entry else None,
        **texts,
    )


def told(call: Callable, instead, issues: list[Issue]):
    """What a call returns; if it refuses, its issues are kept, and something stands instead."""
    try:
        return call()
    except ContentError as error:
        issues += error.issues
        return instead


def _not_one(place: str, key: str, value: object, options: tuple[str, ...]) -> Issue:
    if key == "seen" and value == "assumed":
        return Issue(
            f"{place}.seen",
            "'assumed': what was not seen is no evidence",
            "leave the figure out until it is seen",
        )
    return Issue(
        f"{place}.{key}",
        "is missing" if value is None else f"{shown(value)} is not one of them",
        nearest(value, options) if isinstance(value, str) else "one of " + ", ".join(options),
    )


def _named(kind: str, name: str, where: str, known: dict, issues: list[Issue]) -> None:
    """The issue of a name that stands for nothing, looked up once for each name."""
    if (kind, name) not in known:
        found: list[Issue] = []
        library.check_name((kind,), name, where, found)
        known[kind, name] = tuple(found)
    issues += [Issue(where, i.what, i.remedy) for i in known[kind, name]]


def _given(entry: dict, drug: str, place: str, known: dict, issues: list[Issue]) -> tuple[Given, int]:
    """What was given, and how often."""
    if ("regimen" in entry) == ("dose" in entry):
        issues.append(
            Issue(
                place,
                "gives neither regimen nor dose, or both",
                'regimen = "…", cycles = 1, or dose = "500 mg"',
            )
        )
        return Given(), 1
    own, other = (_GIVEN, _DOSE) if "regimen" in entry else (_DOSE, _GIVEN)
    for key in (k for k in other if k in entry):
        issues.append(
            Issue(f"{place}.{key}", f"has no place beside {own[0]}", f"{', '.join(own)} go together")
        )
    often = "cycles" if own == _GIVEN else "doses"
    count = entry.get(often, 1)
    if not whole(count, 1, 10_000):
        issues.append(
            Issue(f"{place}.{often}", f"{shown(count)} is not a number of {often}", f"write {often} = 1")
        )
        count = 1
    if own == _GIVEN:
        name = text(entry, "regimen", place, issues, need=True)
        if name:
            _named("regimen", name, f"{place}.regimen", known, issues)
        return Given(name, words=name), count
    if count > 1 and "every" not in entry:
        issues.append(Issue(f"{place}.every", "is missing", 'several doses: write every = "12 hour"'))
    amount, unit, per = told(lambda: amount_of(entry["dose"], f"{place}.dose"), (1.0, "mg", ""), issues)
    over, every = (
        told(lambda k=k: units.convert(entry.get(k, "0 hour"), "day", f"{place}.{k}"), 0.0, issues)
        for k in ("over", "every")
    )
    if amount <= 0 or over < 0 or every < 0 or (count > 1 and every == 0):
        issues.append(
            Issue(
                f"{place}.dose", "dose and every are positive, over is not negative", 'write dose = "500 mg"'
            )
        )
    words = [f"{k} {entry[k]}".removeprefix("form ") for k in ("form", "over", "every") if k in entry]
    line = DoseLine(drug, amount, unit, per, (1,), over=over, form=text(entry, "form", place, issues))
    return Given("", line, every, " ".join([str(entry["dose"]), *words])), count


def _window(entry: dict, place: str, issues: list[Issue]) -> tuple[float, float | None]:
    """From and to, in days; `to` is None where the figure reaches to infinity."""
    start, end = (
        told(lambda k=k: units.convert(entry.get(k, "0 day"), "day", f"{place}.{k}"), 0.0, issues)
        for k in ("from", "to")
    )
    what, issue = entry.get("what"), ""
    if "to" not in entry and what in AT_END:
        issue = f"is missing: {what} is read at the end of its window, or within it"
    elif what in ACCUMULATION and ("from" in entry) != ("to" in entry):
        issue = "an accumulation has both ends of its last interval, or neither"
    elif "to" in entry and not 0 <= start <= end:
        issue = f"{entry['to']!r} is before the window's start"
    if issue:
        issues.append(Issue(f"{place}.to", issue, 'write from = "0 day", to = "21 day", from the first dose'))
    return start, end if "to" in entry else None


def _spread(entry: dict, place: str, issues: list[Issue]) -> tuple[float, float, str]:
    """What counts as inside: the published spread, or 0.8 to 1.25 of the value."""
    value = entry.get("value")
    if not is_number(value) or value <= 0:
        issues.append(
            Issue(
                f"{place}.value",
                "is missing" if value is None else f"{shown(value)} is not a positive number",
                "write value = NUMBER",
            )
        )
        value = 1.0
    named = [k for k in _SPREADS if k in entry]
    if len(named) > 1:
        issues.append(
            Issue(
                place,
                f"gives {' and '.join(named)}",
                "one spread only: sd, cv, interval with its level, or range",
            )
        )
    level = entry.get("level")
    if ("level" in entry) != ("interval" in entry) or (
        "level" in entry and not (is_number(level) and 0 < level < 1)
    ):
        issues.append(
            Issue(
                f"{place}.level",
                "an interval, and nothing else, has a level between 0 and 1",
                "write level = 0.9",
            )
        )
    if not named:
        return WITHOUT[0] * value, WITHOUT[1] * value, "none published: 0.8 to 1.25 of the value"
    key, own = named[0], entry[named[0]]
    if key in ("sd", "cv"):
        return _around(entry, key, float(value), place, issues)
    if not (
        isinstance(own, list)
        and len(own) == 2
        and all(is_number(x) for x in own)
        and 0 <= own[0] <= value <= own[1] <= _FARTHEST * value
    ):
        issues.append(
            Issue(
                f"{place}.{key}",
                f"{shown(own)} is not two numbers around {value:g}",
                f"write {key} = [LOW, HIGH]",
            )
        )
        return 0.0, math.inf, key
    return (
        float(own[0]),
        float(own[1]),
        "range" if key == "range" else f"{100 * level:g} % interval" if is_number(level) else key,
    )


def _around(entry: dict, key: str, value: float, place: str, issues: list[Issue]) -> tuple[float, float, str]:
    """A mean and one standard deviation on either side; a geometric mean and one of the logarithm
    for a CV.
    """
    size = entry[key]
    if not is_number(size) or size <= 0:
        issues.append(
            Issue(f"{place}.{key}", f"{shown(size)} is not a positive number", f"write {key} = NUMBER")
        )
        return 0.0, math.inf, key
    if size > _WIDEST * (1 if key == "cv" else value):
        issues.append(
            Issue(
                f"{place}.{key}",
                f"{shown(size)} is over {_WIDEST:g} times the value, so that everything is inside",
                "a cv of 30 % is cv = 0.3; an sd is in the value's unit",
            )
        )
    if key == "cv" and entry.get("statistic") == "geometric mean":
        factor = math.exp(math.sqrt(math.log1p(size**2)))
        return value / factor, value * factor, f"geometric CV {100 * size:.3g} %"
    sd = size * value if key == "cv" else float(size)
    return value - sd, value + sd, "± SD" if key == "sd" else f"CV {100 * size:.3g} %"


def _patients(entry: dict, place: str, issues: list[Issue]) -> tuple[tuple[str, float], ...]:
    """Covariates at which a figure's patients are held."""
    own = table(entry.get("patients"), f"{place}.patients", REGISTER, issues)
    for name, value in own.items():
        if name in REGISTER and not (is_number(value) and REGISTER[name].low <= value <= REGISTER[name].high):
            c = REGISTER[name]
            issues.append(
                Issue(
                    f"{place}.patients.{name}",
                    f"{shown(value)} is not a value of it",
                    f"from {c.low:g} to {c.high:g} {c.unit}",
                )
            )
    return tuple((k, float(v)) for k, v in own.items() if is_number(v))
