"""The file of a study of stability read: times, sizes and starts, and its entries together."""

from __future__ import annotations

from typing import Any

from pkpd.content import library, units
from pkpd.content.fields import is_number
from pkpd.content.library import check_keys, check_name, raise_issues, table, text
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue, NotFound
from pkpd.fit.result import load_result
from pkpd.model.compose import load_model
from pkpd.model.model import Model
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.sets import load_parameters
from pkpd.study.platforms.experiment import PLACES
from pkpd.study.stability.entries import SOURCE, check_source, read_entries
from pkpd.study.stability.plan import StabilityStudy
from pkpd.study.stability.reduction import SITE

_WORDS = ("title", "text", "kind", "system", "parameters", "fit")
_DAYS = ("run_in", "horizon", "held", "treated", "followed")
_SIZES = ("below", "above")
_LIMITS = {"patients": (4, 100_000), "draws": (1, 10_000), "seed": (0, 2**63)}
_EXPECTED = {"where": "a trial run of an earlier form of the model, before this study", "seen": "assumed"}


def read_stability(data: dict, name: str, where: str) -> StabilityStudy:
    """A study of stability from its tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("study", "groups", "treatments", "strengths", "terms"), where, issues)
    head = table(
        data.get("study"),
        f"{where}: study",
        (*_WORDS, *_DAYS, *_SIZES, *_LIMITS, "volumes", "effectors", "expected", *SOURCE),
        issues,
    )
    words = {k: text(head, k, f"{where}: study", issues, need=k != "text") for k in _WORDS}
    numbers: dict[str, Any] = library.counts(head, _LIMITS, f"{where}: study", issues)
    check_name(("model",), words["system"], f"{where}: study.system", issues)
    raise_issues(issues)
    system = load_model(words["system"])
    _check_system(system, f"{where}: study.system", issues)
    raise_issues(issues)
    parameters, account = _values(words, system, f"{where}: study", issues)
    entries = read_entries(data, where, system, issues)
    measures = _measures(head, where, issues)
    raise_issues(issues)
    assert parameters is not None
    return StabilityStudy(
        name=name,
        title=words["title"],
        text=words["text"],
        system=system,
        fit=words["fit"],
        parameters=parameters,
        account=account,
        **entries,
        **measures,
        **numbers,
        assumed=_assumed(data, head),
    )


def _measures(head: dict, where: str, issues: list[Issue]) -> dict[str, Any]:
    """Times, volumes and starts of a study, and the eigenvalues that were expected."""
    found: dict[str, Any] = {k: _measure(head, k, "day", where, issues) for k in _DAYS}
    found |= {k: _measure(head, k, "mL", where, issues) for k in _SIZES}
    found["volumes"], found["effectors"] = _starts(head, where, issues)
    found["expected"] = _expected(head.get("expected"), f"{where}: study.expected", issues)
    _check_times(found, where, issues)
    check_source(head, f"{where}: study", issues)
    return found


def _check_system(system: Model, where: str, issues: list[Issue]) -> None:
    """The parts that the reduction to one dimension is written for."""
    wanted = ["systemic.priming", "systemic.circulating", *(f"{lesions}.1.sensitive" for lesions in PLACES)]
    wanted += [f"{site}.{x}" for site, *_ in PLACES.values() for x in SITE]
    known = {*system.states, *(v.name for v in system.variables)}
    missing = [w for w in (*wanted, "occult.extinct", "hazard.alive") if w not in known]
    if missing:
        issues.append(
            Issue(
                where,
                f"{system.name} has no {missing[0]!r}",
                "name systems/crlm_immune, or one with its parts",
            )
        )


def _values(
    words: dict[str, str], system: Model, where: str, issues: list[Issue]
) -> tuple[Parameters | None, dict]:
    """The fit's result with its account, or the values of the library's files; both are of the system."""
    own_set, account = None, {}
    for key, own in (("parameters", words["parameters"]), ("fit", words["fit"])):
        if key == "fit" and own == "none":
            continue
        if key == "fit" and own in library.names("fit") and own not in library.names("result"):
            issues.append(
                Issue(
                    f"{where}.fit",
                    f"{own!r} has no result yet",
                    f'run `pkpd fit {own}`, or write fit = "none"',
                )
            )
            continue
        try:
            if key == "parameters":
                own_set = load_parameters(own, system)
            else:
                own_set, account = load_result(own)
            if (model := own_set.model) != system.name:
                issues.append(
                    Issue(
                        f"{where}.{key}",
                        f"{own!r} is of {model}, but the study has {system.name}",
                        "name one of this system",
                    )
                )
        except ContentError as error:
            issues += error.issues
        except NotFound as error:
            issues.append(library.named(error, own, f"{where}.{key}"))
    return own_set, account


def _measure(head: dict, key: str, unit: str, where: str, issues: list[Issue]) -> float:
    """A time or a volume above zero."""
    place, value, remedy = f"{where}: study.{key}", head.get(key), f'write {key} = "1 {unit}"'
    try:
        found = units.convert(value, unit, place) if isinstance(value, str) else -1.0
    except ContentError as error:
        issues += error.issues
        return 1.0
    if not 0 < found <= 1e6:
        issues.append(
            Issue(
                place, f"{shown(value)} is not a {'time' if unit == 'day' else 'volume'} above zero", remedy
            )
        )
    return found


def _starts(head: dict, where: str, issues: list[Issue]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Volumes and effectors at which the whole system is started."""
    found = []
    for key, unit, remedy in (
        ("volumes", "mL", '["1e-6 mL", "1 mL", "100 mL"]'),
        ("effectors", "1", "[0.01, 1, 30]"),
    ):
        place, value = f"{where}: study.{key}", head.get(key)
        entries = value if isinstance(value, list) else []
        numbers: list[float] = []
        try:
            numbers = [
                units.convert(x, unit, place) if isinstance(x, str) else float(x)
                for x in entries
                if isinstance(x, str) or (unit == "1" and is_number(x))
            ]
        except ContentError as error:
            issues += error.issues
            numbers = [1.0, 2.0]
        if (
            len(numbers) < 2
            or len(numbers) != len(entries)
            or numbers != sorted(set(numbers))
            or numbers[0] <= 0
        ):
            issues.append(
                Issue(place, f"{shown(value)} is not a range of starts", f"write {key} = {remedy}, ascending")
            )
        found.append(tuple(numbers))
    return found[0], found[1]


def _expected(value: object, place: str, issues: list[Issue]) -> tuple[float, float]:
    """The least and the greatest real part (1/day) that were expected."""
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(is_number(x) for x in value)
        or value[0] >= value[1]
    ):
        issues.append(
            Issue(
                place,
                f"{shown(value)} is not two rates (1/day)",
                "write expected = [-0.6, 0.004], the least first",
            )
        )
        return 0.0, 1.0
    return float(value[0]), float(value[1])


def _check_times(measures: dict[str, Any], where: str, issues: list[Issue]) -> None:
    for small, large in (("held", "horizon"), ("treated", "followed"), ("below", "above")):
        if measures[small] >= measures[large]:
            issues.append(
                Issue(
                    f"{where}: study.{small}",
                    f"is not below {large} ({measures[small]:g} against {measures[large]:g})",
                    "make it smaller",
                )
            )


def _assumed(data: dict, head: dict) -> tuple[tuple[str, str, str, str], ...]:
    """What the study assumes of its own: line, value, where, how seen."""
    limits = f"below {head['below']} for {head['held']}; above {head['above']}"
    ends = f"{head['run_in']} before, {head['horizon']} of treatment"
    rates = f"{head['expected'][0]:g} to {head['expected'][1]:g} 1/day"
    groups = [
        (f"group: {g['title']}", ", ".join(f"{k} {v:g}" for k, v in g["covariates"].items()), g)
        for g in data["groups"]
    ]
    return tuple(
        (name, value, own.get("where", ""), own.get("seen", "user"))
        for name, value, own in [
            ("control; escape", limits, head),
            ("run-in and horizon", ends, {"seen": "assumed"}),
            ("eigenvalues expected", rates, _EXPECTED),
            *groups,
        ]
    )
