"""A parameter file, read: what it says of itself, its lines, correlations, draws and register."""

from __future__ import annotations

from typing import Any

from pkpd.content.fields import Field, Flag, Names, Text, is_number, read
from pkpd.content.library import check_keys, raise_issues
from pkpd.content.toml import shown
from pkpd.errors import Issue
from pkpd.parameters.correlations import read_correlations
from pkpd.parameters.covariates import own_register
from pkpd.parameters.hosts import hosts
from pkpd.parameters.lines import check_covariate, read_lines
from pkpd.parameters.parameters import Parameters

_TABLES = ("values", "covariates", "draws", "register")
_HEAD: dict[str, Field] = {
    "model": Field(default=""),
    "title": Text(),
    "reference": Text(),
    "text": Text(),
    "default": Flag(),
    "include": Names(),
    "over": Text(what="is not a name", remedy='write over = "NAME" of the set below'),
    "after": Names(remedy='write after = ["…"], contexts that this one is laid after where both are'),
    "host": Field(default=""),
    "surrogate": Text(
        what="is not the name of a model",
        remedy='write surrogate = "drugs/…", the model whose values these are',
    ),
}


def read_parameters(data: dict, name: str, where: str) -> tuple[Parameters, list[str]]:
    """A parameter file from its tables, and the names of the sets it includes."""
    issues: list[Issue] = []
    check_keys(data, ("parameters", *_TABLES, "correlations", "fit"), where, issues)
    _check_tables(data, where, issues)
    raise_issues(issues)
    head = read(data.get("parameters", {}), _HEAD, f"{where}: parameters", issues)
    _check_model(data, where, issues)
    _check_host(head["host"], f"{where}: parameters.host", issues)
    draws = _draws(data.get("draws", {}), where, issues)
    before = len(issues)
    register = own_register(data.get("register"), f"{where}: register", issues)
    if len(issues) > before:  # what lines say of covariates would be told as faults of theirs
        raise_issues(issues)
    values, covariates = (
        read_lines(data.get(key, {}), f"{where}: {key}", head["reference"], register, issues)
        for key in ("values", "covariates")
    )
    for c in covariates:
        check_covariate(c, register, where, issues)
    sds = {v.name: v.spread.sd for v in values if v.spread is not None}
    correlations = read_correlations(data.get("correlations", []), sds, where, issues)
    raise_issues(issues)
    words = {k: head[k] for k in ("model", "title", "reference", "text", "host", "surrogate")}
    return Parameters(
        name=name,
        values=tuple(values),
        covariates=tuple(covariates),
        correlations=correlations,
        draws=draws,
        register=register,
        **words,
    ), [*head["include"]]


def _check_tables(data: dict, where: str, issues: list[Issue]) -> None:
    for key in ("parameters", *_TABLES):
        if not isinstance(data.get(key, {}), dict):
            issues.append(Issue(f"{where}: {key}", "is not a table", f"write [{key}]"))
    rows = data.get("correlations", [])
    if not isinstance(rows, list) or not all(isinstance(c, dict) for c in rows):
        issues.append(Issue(f"{where}: correlations", "is not a list of tables", "write [[correlations]]"))


def _check_model(data: dict, where: str, issues: list[Issue]) -> None:
    """A set without a model is a set of patients: it holds covariates or registers them, and no values."""
    head, place = data.get("parameters", {}), f"{where}: parameters.model"
    model = head.get("model", "")
    if not isinstance(model, str) or not (model or data.get("covariates") or data.get("register")):
        issues.append(Issue(place, "is missing", 'name the model: model = "drugs/…"'))
    elif not model and (data.get("values") or data.get("draws")):
        issues.append(
            Issue(
                place,
                "is missing, so that the set is of patients, but it has values",
                'name the model: model = "drugs/…", or keep [covariates] alone',
            )
        )
    elif not model and "default" in head:
        issues.append(
            Issue(f"{where}: parameters.default", "has no meaning in a set of patients", "remove it")
        )


def _check_host(host: object, place: str, issues: list[Issue]) -> None:
    """Where a set's tumour grows: nothing, or one of the hosts."""
    known = hosts().names
    if host != "" and host not in [*known]:
        issues.append(
            Issue(place, f"{shown(host)} is not where a tumour grows", "one of " + ", ".join(known))
        )


def _draws(table: dict[str, Any], where: str, issues: list[Issue]) -> dict[str, tuple[float, ...]]:
    """A number of every drawn line a draw: rows of one length."""
    above, size = next(iter(table.items()), ("", []))
    for key, row in table.items():
        place = f"{where}: draws.{key}"
        if not isinstance(row, list) or not all(map(is_number, row)):
            remedy = 'write "PART.NAME" = [1.2, 0.9, …], the name in quotes'
            issues.append(Issue(place, "is not a list of numbers", remedy))
        elif not row or not isinstance(size, list) or len(row) != len(size):
            first = len(size) if isinstance(size, list) else 0
            what = f"holds {len(row)} draws, and {above} above it {first}" if row else "holds no draw"
            issues.append(Issue(place, what, "give one number of every line a draw"))
    return {
        k: tuple(map(float, v)) for k, v in table.items() if isinstance(v, list) and all(map(is_number, v))
    }
