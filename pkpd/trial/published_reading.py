"""The published figures of a trial's file read: of whom, how many, how sure; each such as its kind can be."""

from __future__ import annotations

from collections.abc import Mapping

from pkpd.content import units
from pkpd.content.fields import SEEN, Choice, Field, Number, Text, Whole, is_number
from pkpd.content.library import rows
from pkpd.errors import ContentError, Issue
from pkpd.trial.published import AROUND, ENDPOINTS, FOLLOWED, KINDS, Figure

USES = ("fit", "predict", "context")
_SURVIVAL = ("pfs", "pfs_usual", "os", "dor")
_CHANGES = ("shrinkage", "depth")  # of the sum of targets, at the operation; and at its lowest
_COUNTED = tuple(e for e in ENDPOINTS if e not in (*_SURVIVAL, *_CHANGES))
_SUITS = {
    "hazard ratio": _SURVIVAL[:3],
    "landmark": _SURVIVAL,
    "median": _SURVIVAL,
    "count": _COUNTED,
    "change": _CHANGES,
}
_AT_OPERATION = ("pcr",)  # what is read of an arm that an operation ends
_MOST = 1_000_000  # patients: a figure of more is a slip of the pen
_REACH = {
    "hazard ratio": (1e-3, 1e3),
    "median": (1e-3, 1200.0),
}  # pure, and in months: an end beyond is none that was seen


_FIELDS: dict[str, Field] = {
    "kind": Choice(known=KINDS, need=True),
    "endpoint": Choice(known=ENDPOINTS, need=True),
    "use": Choice(known=USES, need=True),
    "arm": Choice(known=(), need=True),
    "seen": Choice(known=SEEN, need=True, lack="one of " + ", ".join(SEEN)),
    "value": Number(),
    "low": Number(),
    "high": Number(),
    "level": Number(default=0.95),
    "n": Whole(
        least=1, most=_MOST, what="is not a number of patients", remedy=f"a whole number from 1 to {_MOST:,}"
    ),
    "where": Text(),
    "source": Text(),
    "name": Text(),
    "at": Text(),
    "unit": Text(),
    "largest": Text(),
}


def read_figures(
    entries: object,
    where: str,
    arms: tuple[str, ...],
    control: str,
    longest: float,
    issues: list[Issue],
    endpoints: tuple[str, ...] = AROUND,
    operated: tuple[str, ...] = (),
) -> tuple[Figure, ...]:
    """The published figures of a trial, each named once.

    longest    its longest follow-up in days
    endpoints  what is read of its patients
    operated   the arms that are followed to an operation only
    """
    fields = _FIELDS | {
        "arm": Choice(known=arms, need=True),
        "endpoint": Choice(known=endpoints, need=True),
    }
    figures: dict[str, Figure] = {}
    for place, entry in rows(entries, f"{where}: figures", _FIELDS, issues):
        figure = _figure(entry, fields, place, issues)
        if figure is None:
            continue
        issues += _misplaced(figure, place, control, operated if endpoints is FOLLOWED else None)
        if figure.key in figures:
            issues.append(Issue(place, f"a second figure {figure.key!r}", "give one of the two another name"))
        if figure.at > longest > 0:
            issues.append(
                Issue(
                    f"{place}.at",
                    f"{entry['at']!r} is beyond the longest follow-up",
                    f"the first patient is followed for {longest / 365.25:.1f} years",
                )
            )
        figures[figure.key] = figure
    return tuple(figures.values())


def _misplaced(figure: Figure, place: str, control: str, operated: tuple[str, ...] | None) -> list[Issue]:
    """What is wrong with a figure in its arm; `operated` is none where arms lie around an operation."""
    found = []
    if operated is not None and (figure.endpoint in _AT_OPERATION) != (figure.arm in operated):
        remedy = "give the arm an operation, or name another endpoint"
        if figure.arm in operated:
            remedy = "an operation ends that arm: it takes one of " + ", ".join(_AT_OPERATION)
        what = f"{figure.endpoint!r} is not read in the arm {figure.arm!r}"
        found.append(Issue(f"{place}.endpoint", what, remedy))
    if figure.kind != "hazard ratio":
        return found
    if not control:
        remedy = 'name one: control = "ARM" under [trial]'
        found.append(Issue(f"{place}.kind", "is a ratio to no control", remedy))
    elif figure.arm == control:
        what = f"{control!r} is the control: a ratio of the arm to itself"
        found.append(Issue(f"{place}.arm", what, "name the arm that is compared with it"))
    return found


def _figure(entry: dict, fields: Mapping[str, Field], where: str, issues: list[Issue]) -> Figure | None:
    """A figure from its table, medians brought to months; faults are added to the issues."""
    before = len(issues)
    found = {key: field.read(entry, key, where, issues) for key, field in fields.items()}
    _check_numbers(entry, where, issues)
    kind, endpoint = found["kind"], found["endpoint"]
    if "name" in entry and found["name"] == "":
        issues.append(Issue(f"{where}.name", "is missing", 'add name = "…"'))
    if found["use"] != "context" and "value" not in entry:
        issues.append(Issue(where, "has no value", 'give it, or use = "context"'))
    if kind and endpoint and endpoint not in _SUITS[kind]:
        suits = ", ".join(e for e in _SUITS[kind] if fields["endpoint"].fits(e))
        issues.append(
            Issue(f"{where}.endpoint", f"{endpoint!r} does not suit a {kind}", "it takes one of " + suits)
        )
    at = _landmark(found, where, issues)
    largest = _largest(found, fields, where, issues)
    months = _months(found, where, issues)
    if len(issues) > before:
        return None
    _check_ranges(entry, where, months, issues)
    for key in ("value", "low", "high"):
        found[key] = None if found[key] is None else found[key] * months
    unit = "month" if kind == "median" else "1"
    return Figure(**found | {"name": found["name"] or kind, "unit": unit, "at": at, "largest": largest})


def _check_numbers(entry: dict, where: str, issues: list[Issue]) -> None:
    if is_number(entry.get("level")) and not 0 < entry["level"] < 1:
        issues.append(
            Issue(f"{where}.level", f"{entry['level']:g} is not between 0 and 1", "write 95 % as 0.95")
        )
    if "n" not in entry:
        issues.append(Issue(where, "has no denominator", "give n"))


def _landmark(found: dict, where: str, issues: list[Issue]) -> float:
    """A landmark's time in days, or that until which disease is controlled."""
    controlled = found["kind"] == "count" and found["endpoint"] == "control"
    if found["kind"] != "landmark" and not controlled:
        if found["at"]:
            issues.append(Issue(f"{where}.at", "only a landmark has a time", "remove it"))
        return 0.0
    try:
        at = units.convert(found["at"], "day", f"{where}.at")
    except ContentError as error:
        issues += error.issues
        return 0.0
    if not 0 < at < 36525:
        issues.append(
            Issue(
                f"{where}.at",
                f"{found['at']!r} is not a time after randomisation",
                f'write at = "{"12 week" if controlled else "3 year"}"',
            )
        )
    return at


def _largest(found: dict, fields: Mapping[str, Field], where: str, issues: list[Issue]) -> float:
    """The least diameter (mm) of the largest lesion of those who count; 0 for all patients."""
    if not found["largest"]:
        return 0.0
    if found["kind"] not in ("count", "change") or not fields["endpoint"].fits("shrinkage"):
        what = "is said of counts and changes around an operation only"
        issues.append(Issue(f"{where}.largest", what, "remove it"))
        return 0.0
    try:
        size = units.convert(found["largest"], "mm", f"{where}.largest")
    except ContentError as error:
        issues += error.issues
        return 0.0
    if not 0 < size <= 300:
        what = f"{found['largest']!r} is not the size of a lesion"
        issues.append(Issue(f"{where}.largest", what, 'write largest = "20 mm"'))
    return size


def _months(found: dict, where: str, issues: list[Issue]) -> float:
    """Months in a median's unit; 1 for figures that are pure numbers."""
    unit = found["unit"]
    if found["kind"] != "median":
        if unit not in ("", "1"):
            issues.append(
                Issue(
                    f"{where}.unit",
                    f"{unit!r}: only a median has a unit",
                    'write unit = "1", and a share as 0.354',
                )
            )
        return 1.0
    try:
        return float(units.ratio(unit or "1", "month", f"{where}.unit"))
    except ContentError as error:
        issues.append(Issue(f"{where}.unit", error.issues[0].what, 'a median is a time: unit = "month"'))
        return 1.0


def _check_ranges(entry: dict, where: str, months: float, issues: list[Issue]) -> None:
    """A figure's value and interval are such as its kind can have; months in its unit."""
    kind, n, given = entry["kind"], entry["n"], [k for k in ("value", "low", "high") if k in entry]
    if kind == "count" and len(given) > ("value" in given):
        issues.append(Issue(where, "a count's interval follows from k of n", "remove low and high"))
        return
    if ("low" in given) != ("high" in given):
        issues.append(Issue(where, "has one end of an interval only", "give low and high, or neither"))
    for key in given:
        value, place = entry[key], f"{where}.{key}"
        if kind == "count" and (not 0 <= value <= n or value != int(value)):
            issues.append(Issue(place, f"{value:g} of {n} is no count", "give k of n, a whole number"))
        if kind == "landmark" and not (0 < value < 1 if key == "value" else 0 <= value <= 1):
            issues.append(Issue(place, f"{value:g} is no share", "write 35.4 % as 0.354"))
        if kind == "change" and not -1 <= value <= 10:
            issues.append(Issue(place, f"{value:g} is no change of a sum", "write -25.6 % as -0.256"))
        if kind in ("hazard ratio", "median") and value <= 0:
            issues.append(Issue(place, f"{value:g} is not positive"))
        elif kind in _REACH and not _REACH[kind][0] <= value * months <= _REACH[kind][1]:
            least, most = (f"{end / months:g}" for end in _REACH[kind])
            issues.append(
                Issue(
                    place,
                    f"{value:g} is no {kind} that a trial can see, {least} to {most}",
                    "mend it; an end that was not reached is left out, with the other end",
                )
            )
    if len(given) == 3 and not entry["low"] < entry["value"] < entry["high"]:
        issues.append(
            Issue(f"{where}.low", f"{entry['value']:g} is outside its own interval", "mend one of the three")
        )
