"""The file of a study of stability read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pkpd.content import library, units
from pkpd.content.fields import SEEN, is_number
from pkpd.content.library import check_keys, check_name, raise_issues, rows, shown, table, text
from pkpd.errors import ContentError, Issue, NotFound, nearest
from pkpd.fit.result import load_result
from pkpd.model.compose import load_model
from pkpd.model.model import Model
from pkpd.parameters.bind import line_for
from pkpd.parameters.covariates import register
from pkpd.parameters.sets import load_context, load_parameters
from pkpd.study.platforms.experiment import PLACES
from pkpd.study.stability.plan import Given, Group, StabilityStudy, Strength, Term
from pkpd.study.stability.reduction import SITE, Place
from pkpd.trial.therapies import check_blocked

T = TypeVar("T")
COUNTS = {
    "hepatic": "LESIONS",
    "extrahepatic": "ELSEWHERE",
}  # the covariate that says how many lesions there are
_WORDS = ("title", "text", "kind", "system", "parameters", "fit")
_DAYS = ("run_in", "horizon", "held", "treated", "followed")
_SIZES = ("below", "above")
_LIMITS = {"patients": (4, 100_000), "draws": (1, 10_000), "seed": (0, 2**63)}
_SOURCE = ("where", "seen")
_EXPECTED = {"where": "a trial run of an earlier form of the model, before this study", "seen": "assumed"}


def read_stability(data: dict, name: str, where: str) -> StabilityStudy:
    """A study of stability from its tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("study", "groups", "treatments", "strengths", "terms"), where, issues)
    head = table(
        data.get("study"),
        f"{where}: study",
        (*_WORDS, *_DAYS, *_SIZES, *_LIMITS, "volumes", "effectors", "expected", *_SOURCE),
        issues,
    )
    words = {k: text(head, k, f"{where}: study", issues, need=k != "text") for k in _WORDS}
    numbers: dict[str, Any] = library.counts(head, _LIMITS, f"{where}: study", issues)
    check_name(("model",), words["system"], f"{where}: study.system", issues)
    raise_issues(issues)
    system = load_model(words["system"])
    _check_system(system, f"{where}: study.system", issues)
    raise_issues(issues)
    _check_sets(words, system, f"{where}: study", issues)
    groups = _named(
        data,
        "groups",
        where,
        ("name", "title", "contexts", "covariates", *_SOURCE),
        lambda e, p: _group(e, p, system, issues),
        issues,
    )
    treatments = _named(
        data,
        "treatments",
        where,
        ("name", "title", "sets", "laws_only"),
        lambda e, p: _given(e, p, system, issues),
        issues,
    )
    strengths = _named(
        data,
        "strengths",
        where,
        ("name", "line", "times"),
        lambda e, p: _strength(e, p, system, issues),
        issues,
    )
    terms = _named(
        data, "terms", where, ("name", "title", "lines"), lambda e, p: _term(e, p, system, issues), issues
    )
    measures: dict[str, Any] = {k: _measure(head, k, "day", where, issues) for k in _DAYS}
    measures |= {k: _measure(head, k, "mL", where, issues) for k in _SIZES}
    volumes, effectors = _starts(head, where, issues)
    measures |= {"expected": _expected(head.get("expected"), f"{where}: study.expected", issues)}
    _check_times(measures, where, issues)
    _sourced(head, f"{where}: study", issues)
    raise_issues(issues)
    return StabilityStudy(
        name=name,
        title=words["title"],
        text=words["text"],
        system=system,
        parameters=words["parameters"],
        fit=words["fit"],
        groups=groups,
        treatments=treatments,
        strengths=strengths,
        terms=terms,
        volumes=volumes,
        effectors=effectors,
        **measures,
        **numbers,
        assumed=_assumed(data, head),
    )


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


def _check_sets(words: dict[str, str], system: Model, where: str, issues: list[Issue]) -> None:
    """The values of the library's files, and the fit's result, are those of the system."""
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
            model = (load_parameters(own, system) if key == "parameters" else load_result(own)[0]).model
            if model != system.name:
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


def _named(
    data: dict,
    key: str,
    where: str,
    keys: tuple[str, ...],
    read: Callable[[dict, str], T | None],
    issues: list[Issue],
) -> tuple[T, ...]:
    """The entries of one list of tables, each with a name of its own."""
    found = [
        x
        for place, entry in rows(data.get(key), f"{where}: {key}", keys, issues)
        if (x := read(entry, place)) is not None
    ]
    if not data.get(key):
        issues.append(Issue(f"{where}: {key}", "is empty", f"add [[{key}]] tables"))
    names = [x.name for x in found]  # type: ignore[attr-defined]
    for twice in sorted({n for n in names if names.count(n) > 1}):
        issues.append(Issue(f"{where}: {key}", f"two are named {twice!r}", "rename one of the two"))
    return tuple(found)


def _group(entry: dict, place: str, system: Model, issues: list[Issue]) -> Group | None:
    before = len(issues)
    name, title = (text(entry, k, place, issues, need=True) for k in ("name", "title"))
    contexts, covariates = entry.get("contexts", []), entry.get("covariates", {})
    if not isinstance(contexts, list) or not all(isinstance(c, str) for c in contexts):
        issues.append(
            Issue(
                f"{place}.contexts", f"{shown(contexts)} is not a list of names", 'write contexts = ["NAME"]'
            )
        )
        contexts = []
    for context in contexts:
        try:
            load_context(context, system)
        except ContentError as error:
            issues += error.issues
        except NotFound as error:
            issues.append(library.named(error, context, f"{place}.contexts"))
    if not isinstance(covariates, dict) or not all(is_number(v) for v in covariates.values()):
        issues.append(
            Issue(
                f"{place}.covariates",
                f"{shown(covariates)} is not a table of numbers",
                "write covariates = { LESIONS = 2, ELSEWHERE = 0 }",
            )
        )
        covariates = {}
    for key in covariates:
        if key not in register():
            issues.append(
                Issue(f"{place}.covariates.{key}", "is not in the register", nearest(key, register()))
            )
    lies = _place(covariates, place, system, issues)
    _sourced(entry, place, issues)
    if len(issues) > before or lies is None:
        return None
    return Group(name, title, tuple(contexts), tuple((k, float(v)) for k, v in covariates.items()), lies)


def _place(covariates: dict, place: str, system: Model, issues: list[Issue]) -> Place | None:
    """Where the lesions lie: one place, with as many as the system has copies for at most."""
    counts = {lesions: covariates.get(key, 0) for lesions, key in COUNTS.items()}
    there = [lesions for lesions, n in counts.items() if n > 0]
    most = {
        lesions: sum(s.startswith(f"{lesions}.") and s.endswith(".sensitive") for s in system.states)
        for lesions in counts
    }
    if len(there) == 1 and counts[there[0]] in range(1, most[there[0]] + 1):
        return Place(there[0], int(counts[there[0]]))
    issues.append(
        Issue(
            f"{place}.covariates",
            f"{shown(covariates)} does not put 1 to {max(most.values())} lesions in one place",
            "the reduction is of one site: LESIONS or ELSEWHERE above zero, the other zero",
        )
    )
    return None


def _given(entry: dict, place: str, system: Model, issues: list[Issue]) -> Given | None:
    before = len(issues)
    name, title = (text(entry, k, place, issues, need=True) for k in ("name", "title"))
    sets, alone = entry.get("sets", {}), entry.get("laws_only", False)
    if not isinstance(sets, dict) or not all(is_number(v) for v in sets.values()):
        issues.append(
            Issue(
                f"{place}.sets",
                f"{shown(sets)} does not say what is set",
                'write sets = { "therapy.PD1" = 0.95 }',
            )
        )
        sets = {}
    check_blocked(sets, system, f"{place}.sets", issues)
    if not isinstance(alone, bool):
        issues.append(
            Issue(f"{place}.laws_only", f"{shown(alone)} is neither true nor false", "laws_only = true")
        )
    for key in sets:
        if key not in system.inputs:
            issues.append(
                Issue(f"{place}.sets.{key}", f"{system.name} has no such input", nearest(key, system.inputs))
            )
        elif alone is False and (not key.startswith("therapy.") or key == "therapy.EGFR"):
            issues.append(
                Issue(
                    f"{place}.sets.{key}",
                    "kills or selects tumour by itself, which the reduction leaves out",
                    "write laws_only = true",
                )
            )
    if len(issues) > before:
        return None
    return Given(name, title, tuple((k, float(v)) for k, v in sets.items()), alone)


def _strength(entry: dict, place: str, system: Model, issues: list[Issue]) -> Strength | None:
    before = len(issues)
    name, line = (text(entry, k, place, issues, need=True) for k in ("name", "line"))
    times = entry.get("times")
    _check_line(line, f"{place}.line", system, issues)
    if not isinstance(times, list) or not times or not all(is_number(t) and t > 0 for t in times):
        issues.append(
            Issue(
                f"{place}.times",
                f"{shown(times)} is not a list of factors above zero",
                "write times = [0.5, 1, 2]",
            )
        )
    if len(issues) > before or not isinstance(times, list):
        return None
    return Strength(name, line, tuple(float(t) for t in times))


def _term(entry: dict, place: str, system: Model, issues: list[Issue]) -> Term | None:
    before = len(issues)
    name, title = (text(entry, k, place, issues, need=True) for k in ("name", "title"))
    lines = entry.get("lines")
    if not isinstance(lines, list) or not lines:
        issues.append(
            Issue(f"{place}.lines", f"{shown(lines)} is not a list of lines", 'write lines = ["site.SIGMA"]')
        )
    for line in lines if isinstance(lines, list) else []:
        _check_line(line, f"{place}.lines", system, issues)
    return Term(name, title, tuple(lines)) if len(issues) == before and isinstance(lines, list) else None


def _check_line(line: Any, place: str, system: Model, issues: list[Issue]) -> None:
    """A line of the model; `site.` stands for the site that a group's tumour lies in."""
    known = {line_for(n) for n in system.inputs}
    known |= {f"site.{n.split('.', 1)[1]}" for n in known if n.startswith("liver.")}
    if not isinstance(line, str) or line not in known:
        issues.append(
            Issue(place, f"{shown(line)} is not a line of {system.name}", nearest(str(line), known))
        )


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


def _sourced(entry: dict, place: str, issues: list[Issue]) -> None:
    text(entry, "where", place, issues)
    if entry.get("seen", "user") not in SEEN:
        issues.append(
            Issue(
                f"{place}.seen", f"{shown(entry['seen'])} is not a way of seeing", "one of " + ", ".join(SEEN)
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
