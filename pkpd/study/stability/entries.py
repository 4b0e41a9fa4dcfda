"""The tables of a study of stability, each entry read: groups, treatments, strengths, terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pkpd.content import library
from pkpd.content.fields import SEEN, is_number
from pkpd.content.library import rows, text
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue, NotFound, nearest
from pkpd.model.model import Model
from pkpd.parameters.bind import line_for
from pkpd.parameters.covariates import register
from pkpd.parameters.sets import load_context
from pkpd.study.stability.plan import Given, Group, Strength, Term
from pkpd.study.stability.reduction import Place
from pkpd.trial.therapies import check_blocked

T = TypeVar("T")
COUNTS = {
    "hepatic": "LESIONS",
    "extrahepatic": "ELSEWHERE",
}  # the covariate that says how many lesions there are
SOURCE = ("where", "seen")


def read_entries(data: dict, where: str, system: Model, issues: list[Issue]) -> dict[str, tuple]:
    """The groups, treatments, strengths and terms of a file."""
    kinds: dict[str, tuple[tuple[str, ...], Callable]] = {
        "groups": (("name", "title", "contexts", "covariates", *SOURCE), _group),
        "treatments": (("name", "title", "sets", "laws_only"), _given),
        "strengths": (("name", "line", "times"), _strength),
        "terms": (("name", "title", "lines"), _term),
    }
    return {
        key: _named(data, key, where, keys, lambda e, p, read=read: read(e, p, system, issues), issues)
        for key, (keys, read) in kinds.items()
    }


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
    laid = []
    for context in contexts:
        try:
            laid.append((context, load_context(context, system)))
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
    check_source(entry, place, issues)
    if len(issues) > before or lies is None:
        return None
    return Group(name, title, tuple(laid), tuple((k, float(v)) for k, v in covariates.items()), lies)


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


def check_source(entry: dict, place: str, issues: list[Issue]) -> None:
    """Where something stands is text, and how it was seen a known word."""
    text(entry, "where", place, issues)
    if entry.get("seen", "user") not in SEEN:
        issues.append(
            Issue(
                f"{place}.seen", f"{shown(entry['seen'])} is not a way of seeing", "one of " + ", ".join(SEEN)
            )
        )
