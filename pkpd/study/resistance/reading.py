"""The file of a study of resistance read."""

from __future__ import annotations

from typing import Any

from pkpd.content import library
from pkpd.content.library import check_keys, check_name, raise_issues, table, text
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue, NotFound
from pkpd.fit.result import load_result
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.sets import load_parameters
from pkpd.study.resistance.analyses_reading import read_importance, read_liver_effect
from pkpd.study.resistance.plan import ResistanceStudy
from pkpd.study.resistance.response_grid import read_grid
from pkpd.study.resistance.shown_figures import read_published
from pkpd.trial.disease import daily_model

_WORDS = ("title", "text", "kind", "disease", "parameters", "fit", "alone", "without")
_LIMITS = {"patients": (4, 100_000), "draws": (2, 10_000), "seed": (0, 2**63)}
_TABLES = (
    "study",
    "biologies",
    "sites",
    "therapies",
    "treatments",
    "protocol",
    "cohorts",
    "drugs",
    "published",
)
_ANALYSES = {"importance": read_importance, "liver_effect": read_liver_effect}


def read_resistance(data: dict, name: str, where: str) -> ResistanceStudy:
    """A study of resistance from its tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, (*_TABLES, *_ANALYSES), where, issues)
    head = table(data.get("study"), f"{where}: study", (*_WORDS, *_LIMITS, "assumes"), issues)
    words = {
        k: text(head, k, f"{where}: study", issues, need=k not in ("text", "parameters")) for k in _WORDS
    }
    numbers: dict[str, Any] = dict(library.counts(head, _LIMITS, f"{where}: study", issues))
    assumes = _sentences(head.get("assumes", []), f"{where}: study.assumes", issues)
    found = _calibrated(words, f"{where}: study", issues)
    grid = read_grid(data, name, where, words | {"parameters": words["parameters"] or words["fit"]}, issues)
    beside = read_published(data, where, grid, issues) if grid is not None else ()
    plans = {
        k: read(data[k], where, daily_model(words["disease"]), issues)
        for k, read in _ANALYSES.items()
        if k in data and found is not None
    }
    raise_issues(issues)
    assert grid is not None and found is not None
    parameters, account = found
    return ResistanceStudy(
        name=name,
        title=words["title"],
        text=words["text"],
        fit=words["fit"],
        grid=grid,
        shown=beside,
        parameters=parameters,
        account=account,
        assumes=assumes,
        **plans,
        **numbers,
    )


def _sentences(value: object, place: str, issues: list[Issue]) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(x, str) and x for x in value):
        issues.append(
            Issue(place, f"{shown(value)} is not a list of sentences", 'write assumes = ["…", "…"]')
        )
        return ()
    return tuple(value)


def _calibrated(
    words: dict[str, str], where: str, issues: list[Issue]
) -> tuple[Parameters, dict | None] | None:
    """The disease's parameters with the draws of a fit and its account, or as they are before any."""
    before, fit = len(issues), words["fit"]
    key = "parameters" if fit == "none" else "fit"
    if fit == "none" and not words["parameters"]:
        issues.append(Issue(f"{where}.parameters", "is missing", 'name a parameter set, or a fit: fit = "…"'))
    check_name(("model",), words["disease"], f"{where}.disease", issues)
    if fit in library.names("fit") and fit not in library.names("result"):
        issues.append(
            Issue(
                f"{where}.fit", f"{fit!r} has no result yet", f'run `pkpd fit {fit}`, or write fit = "none"'
            )
        )
    elif fit and fit != "none":
        check_name(("result",), fit, f"{where}.fit", issues)
    if len(issues) > before:
        return None
    try:
        disease = daily_model(words["disease"])
        found = (load_parameters(words["parameters"], disease), None) if fit == "none" else load_result(fit)
    except ContentError as error:
        issues += error.issues
        return None
    except NotFound as error:
        issues.append(library.named(error, words[key], f"{where}.{key}"))
        return None
    if found[0].model != disease.name:
        issues.append(
            Issue(
                f"{where}.{key}",
                f"{words[key]!r} is of {found[0].model}, but the disease is {disease.name}",
                "name one of this disease",
            )
        )
        return None
    return found
