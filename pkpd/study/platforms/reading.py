"""The file of a study of platforms read."""

from __future__ import annotations

from collections.abc import Iterable

from pkpd.content import library, units
from pkpd.content.fields import SEEN, is_number
from pkpd.content.library import check_keys, check_name, raise_issues, rows, table, text
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue, NotFound, nearest
from pkpd.model.compose import load_model
from pkpd.model.model import Model
from pkpd.parameters import hosts
from pkpd.parameters.bind import line_for
from pkpd.parameters.sets import load_parameters
from pkpd.study.platforms.plan import SITES, Platform, PlatformStudy, Share, Treatment, Uncertain
from pkpd.trial.therapies import check_blocked

_WORDS = ("title", "text", "kind", "system", "human", "reference", "horizon", "visits")
_LIMITS = {"patients": (4, 10_000), "draws": (2, 10_000), "seed": (0, 2**63)}
_PLATFORM = ("name", "title", "parameters", "reads", "run_in", "until", "delivery", "take")
_TREATMENT = ("name", "title", "class", "sets", "delivered", "release", "every")
_UNCERTAIN = ("name", "lines", "times", "host", "where", "seen")


def read_platforms(data: dict, name: str, where: str) -> PlatformStudy:
    """A study of platforms from its tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("study", "platforms", "treatments", "uncertain"), where, issues)
    head = table(data.get("study"), f"{where}: study", (*_WORDS, *_LIMITS, "levels"), issues)
    words = {k: text(head, k, f"{where}: study", issues, need=k not in ("text", "reference")) for k in _WORDS}
    numbers = library.counts(head, _LIMITS, f"{where}: study", issues)
    check_name(("model",), words["system"], f"{where}: study.system", issues)
    raise_issues(issues)
    system = load_model(words["system"])
    platforms = _all(
        data, "platforms", where, _PLATFORM, lambda e, p: _platform(e, p, system, issues), issues
    )
    treatments = _all(
        data, "treatments", where, _TREATMENT, lambda e, p: _treatment(e, p, system, issues), issues
    )
    uncertain = _all(
        data, "uncertain", where, _UNCERTAIN, lambda e, p: _uncertain(e, p, system, issues), issues
    )
    _check_human(words["human"], platforms, f"{where}: study.human", issues)
    horizon, visits = (_days(head, k, f"{where}: study", issues) for k in ("horizon", "visits"))
    levels = _levels(head.get("levels"), f"{where}: study.levels", issues)
    raise_issues(issues)
    return PlatformStudy(
        name=name,
        title=words["title"],
        text=words["text"],
        reference=words["reference"],
        system=system,
        human=words["human"],
        platforms=platforms,
        treatments=treatments,
        uncertain=uncertain,
        levels=levels,
        horizon=horizon,
        visits=visits,
        **numbers,
    )


def _all(data: dict, key: str, where: str, keys: tuple[str, ...], read, issues: list[Issue]) -> tuple:
    """The entries of one list of tables, each with a name of its own."""
    found = [
        x
        for place, entry in rows(data.get(key), f"{where}: {key}", keys, issues)
        if (x := read(entry, place)) is not None
    ]
    if not data.get(key):
        issues.append(Issue(f"{where}: {key}", "is empty", f"add [[{key}]] tables"))
    names = [x.name for x in found]
    for twice in sorted({n for n in names if names.count(n) > 1}):
        issues.append(Issue(f"{where}: {key}", f"two are named {twice!r}", "rename one of the two"))
    return tuple(found)


def _platform(entry: dict, place: str, system: Model, issues: list[Issue]) -> Platform | None:
    before = len(issues)
    words = {k: text(entry, k, place, issues, need=True) for k in ("name", "title", "parameters", "reads")}
    if words["reads"] not in SITES:
        issues.append(
            Issue(f"{place}.reads", f"{shown(words['reads'])} is not a site", "one of " + ", ".join(SITES))
        )
    run_in = _days(entry, "run_in", place, issues) if "run_in" in entry else 0.0
    until = _days(entry, "until", place, issues)
    delivery, take = (_share(entry.get(k), f"{place}.{k}", issues) for k in ("delivery", "take"))
    if len(issues) > before:
        return None
    try:
        parameters = load_parameters(words["parameters"], system, host=None)
    except ContentError as error:
        issues += error.issues
    except NotFound as error:
        issues.append(Issue(f"{place}.parameters", str(error)))
    else:
        return Platform(
            name=words["name"],
            title=words["title"],
            parameters=parameters,
            reads=words["reads"],
            run_in=run_in,
            until=until,
            delivery=delivery,
            take=take,
        )
    return None


def _check_human(name: str, platforms: tuple[Platform, ...], where: str, issues: list[Issue]) -> None:
    """The platform that others are compared with is one of patients, and is there."""
    own = next((p for p in platforms if p.name == name), None)
    if own is None:
        issues.append(
            Issue(
                where, f"{name!r} is not a platform of the study", nearest(name, [p.name for p in platforms])
            )
        )
    elif own.host != hosts.HUMAN:
        issues.append(
            Issue(
                where,
                f"{name!r} has {own.parameters.name!r}, a set of host {own.host!r}",
                "patients' treatment cannot be read from it: name a platform whose set is of patients",
            )
        )


def _sets(value: object, place: str, system: Model, issues: list[Issue]) -> dict[str, float]:
    """The inputs that a treatment sets, each with a number."""
    if not isinstance(value, dict) or not value or not all(is_number(v) and v > 0 for v in value.values()):
        issues.append(
            Issue(place, f"{shown(value)} does not say what is set", 'write sets = { "therapy.PD1" = 0.95 }')
        )
        value = {}
    for key in value:
        if key not in system.inputs:
            issues.append(
                Issue(f"{place}.{key}", f"{system.name} has no such input", nearest(key, system.inputs))
            )
    check_blocked(value, system, place, issues)
    return value


def _treatment(entry: dict, place: str, system: Model, issues: list[Issue]) -> Treatment | None:
    before = len(issues)
    name, title, group = (text(entry, k, place, issues, need=True) for k in ("name", "title", "class"))
    sets, release = _sets(entry.get("sets"), f"{place}.sets", system, issues), entry.get("release", 0.0)
    if not isinstance(entry.get("delivered", False), bool):
        issues.append(
            Issue(
                f"{place}.delivered",
                f"{shown(entry['delivered'])} is neither true nor false",
                "delivered = true",
            )
        )
    if not is_number(release) or release < 0:
        issues.append(
            Issue(f"{place}.release", f"{shown(release)} is not a rate (1/day)", "a number above zero")
        )
    if ("release" in entry) != ("every" in entry):
        issues.append(
            Issue(place, "a depot has both release and every", 'write release = 0.1, every = "21 day"')
        )
    every = _days(entry, "every", place, issues) if "every" in entry else 0.0
    if len(issues) > before:
        return None
    return Treatment(
        name=name,
        title=title,
        group=group,
        sets=tuple((k, float(v)) for k, v in sets.items()),
        delivered=bool(entry.get("delivered")),
        release=float(release),
        every=every,
    )


def _uncertain(entry: dict, place: str, system: Model, issues: list[Issue]) -> Uncertain | None:
    before = len(issues)
    name = text(entry, "name", place, issues, need=True)
    lines, times, host = entry.get("lines"), entry.get("times"), entry.get("host", "")
    known = {line_for(i) for i in system.inputs}
    for line in lines if isinstance(lines, list) else [lines]:
        if not isinstance(line, str) or line not in known:
            issues.append(
                Issue(
                    f"{place}.lines",
                    f"{shown(line)} is not a line of {system.name}",
                    nearest(str(line), known),
                )
            )
    if (
        not isinstance(times, list)
        or len(times) != 2
        or not all(is_number(t) and t > 0 for t in times)
        or times[0] > times[1]
    ):
        issues.append(
            Issue(
                f"{place}.times",
                f"{shown(times)} is not two factors",
                "write times = [0.5, 2], the least first",
            )
        )
    if host not in ("", *hosts.hosts().names):
        issues.append(
            Issue(f"{place}.host", f"{shown(host)} is not a host", "one of " + ", ".join(hosts.hosts().names))
        )
    _sourced(entry, place, issues)
    if len(issues) > before or not isinstance(lines, list) or not isinstance(times, list):
        return None
    span = (float(times[0]), float(times[1]))
    return Uncertain(name, tuple(lines), span, host, entry.get("where", ""), entry.get("seen", "user"))


def _sourced(entry: dict, place: str, issues: list[Issue]) -> None:
    text(entry, "where", place, issues)
    if entry.get("seen", "user") not in SEEN:
        issues.append(
            Issue(
                f"{place}.seen", f"{shown(entry['seen'])} is not a way of seeing", "one of " + ", ".join(SEEN)
            )
        )


def _share(entry: object, place: str, issues: list[Issue]) -> Share:
    line = table(entry, place, ("value", "low", "high", "where", "seen"), issues)
    _sourced(line, place, issues)
    value = line.get("value")
    low, high = line.get("low", value), line.get("high", value)
    if not (is_number(value) and is_number(low) and is_number(high) and 0 < low <= value <= high <= 1):
        issues.append(
            Issue(
                place,
                f"{shown(entry)} is not a share",
                "write { value = SHARE, low = …, high = …, where = …, "
                "seen = … }, above 0 and at most 1, the value between its ends",
            )
        )
        return Share(1.0, 1.0, 1.0)
    return Share(float(value), float(low), float(high), line.get("where", ""), line.get("seen", "user"))


def _days(entry: dict, key: str, place: str, issues: list[Issue]) -> float:
    value = entry.get(key)
    try:
        days = units.convert(value, "day", f"{place}.{key}") if isinstance(value, str) else -1.0
    except ContentError as error:
        issues += error.issues
        return 1.0
    if not 0 < days <= 36525:
        issues.append(
            Issue(f"{place}.{key}", f"{shown(value)} is not a time above zero", f'write {key} = "21 day"')
        )
    return days


def _levels(value: object, place: str, issues: list[Issue]) -> tuple[float, ...]:
    entries: Iterable = value if isinstance(value, list) else ()
    found = tuple(float(x) for x in entries if is_number(x))
    if (
        len(found) < 2
        or len(found) < len(list(entries))
        or found != tuple(sorted(set(found)))
        or found[0] != 0
        or found[-1] != 1
    ):
        issues.append(
            Issue(
                place,
                f"{shown(value)} is not a range of doses",
                "write levels = [0, 0.5, 1]: shares of the full dose, ascending from 0 to 1",
            )
        )
    return found
