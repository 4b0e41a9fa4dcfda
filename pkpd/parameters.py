"""Parameter files: value, unit, spread, covariate effect, correlation, source, and how sure we are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from pkpd import hosts, library
from pkpd.bounds import allowed, beyond, outside
from pkpd.doors import door
from pkpd.errors import ContentError, Issue, fail, nearest
from pkpd.library import raise_issues
from pkpd.model.schema import Model, ModelFile, Parameter
from pkpd.units import ratio
from pkpd.values import Parameters, Value, check_order, read_parameters, scaled


@door
def load_parameters(names: str | Path | Iterable[str | Path] = (), model: Model | None = None,
                    host: str | None = hosts.HUMAN) -> Parameters:
    """A parameter set by name or path; several are laid over each other, the last on top.

    With a model, the set is bound to it: files for a part's model fill that part, every input must have a value, and the
    set must be of the host asked for (any, if None): a set of mice is never taken for patients unasked. Without names, the
    model's default set of the library is taken. A context named first is laid over the set that it says it goes over.
    """
    wanted = [names] if isinstance(names, str | Path) else list(names)
    if not wanted:
        if model is None:
            raise ContentError(Issue("parameters", "no name given", "`pkpd list parameters` shows them"))
        wanted = [default_for(model.name)]
    total: Parameters | None = None
    for name in (*_below(wanted[0]), *wanted):
        own = _resolved(name, model, ())
        total = own if total is None else merge(total, own)
    assert total is not None
    check_order(total)
    return total if model is None else _of_host(bind(total, model), host)


def parse_parameters(source: str | dict, model: Model | None = None, name: str = "parameters",
                     host: str | None = hosts.HUMAN) -> Parameters:
    """A parameter set from TOML text or from its tables, as in a notebook, bound to a model if one is given.

    The sets that it includes come from the library.
    """
    total = _with_included(library.Source(name, name, name, library.tables(source, name)), model, ())
    check_order(total)
    return total if model is None else _of_host(bind(total, model), host)


def load_context(name: str | Path, model: Model, host: str | None = hosts.HUMAN) -> Parameters:
    """A set that fills some of a model's inputs, its names carrying their parts, to be merged on top of a whole one."""
    return _of_host(_resolved(name, model, ()), host)


def _below(name: str | Path) -> tuple[str, ...]:
    """The set that a context says it goes over; none for a set that stands alone."""
    kind = "parameters" if library.is_path(name, "parameters") or name in library.names("parameters") else "result"
    head = library.read(kind, name).data.get("parameters") if kind == "parameters" or name in library.names(kind) else None
    over = head.get("over") if isinstance(head, dict) else None
    return (over,) if isinstance(over, str) else ()


def _of_host(own: Parameters, host: str | None) -> Parameters:
    """The set itself, if it is of a host."""
    if host is not None and hosts.mixed(own.host, host):
        raise fail(f"{_where(own)}: parameters.host", f"is {own.host!r}, where a set of host {host!r} is needed",
                   f"name a set of {host!r}; from Python, load_parameters(NAME, model, host={own.host!r}) takes this one")
    return own


def _where(own: Parameters) -> str:
    return own.where


def default_for(model: str) -> str:
    """The library's default parameter set for a model."""
    for name in library.names("parameters"):
        head = library.read("parameters", name).data.get("parameters", {})
        if head.get("model") == model and head.get("default") is True:
            return name
    raise ContentError(Issue(model, "the library holds no default parameters for this model",
                             "give a parameter file (--parameters FILE)"))


def merge(base: Parameters, top: Parameters) -> Parameters:
    """One set laid over another of the same host, line by line."""
    if hosts.mixed(base.host, top.host):
        raise fail(f"{_where(top)}: parameters.host", f"is {top.host!r}, and {base.name} below it is {base.host!r}",
                   "lay sets of one host over each other; a set made from another one names it under include")
    return _laid(base, top)


def _laid(base: Parameters, top: Parameters) -> Parameters:
    def over(a: tuple, b: tuple, key) -> tuple:
        new = {key(x): x for x in b}
        kept = [new.pop(key(x), x) for x in a]
        return (*kept, *new.values())

    return replace(top, model=top.model or base.model, values=over(base.values, top.values, lambda v: v.name),
                   covariates=over(base.covariates, top.covariates, lambda v: v.name),
                   correlations=over(base.correlations, top.correlations, lambda c: frozenset(c.of)),
                   draws=top.draws or _draws_left(base, top), host=top.host or base.host)


def _draws_left(base: Parameters, top: Parameters) -> dict[str, tuple[float, ...]]:
    """The draws of lines that the set on top leaves alone."""
    own = {v.name for v in top.values}
    return {k: v for k, v in base.draws.items() if k.split(":")[0] not in own}


def _resolved(name: str | Path, model: Model | None, path: tuple[str, ...]) -> Parameters:
    """A file with what it includes laid below it, its names carrying the part they fill."""
    kind = "parameters" if library.is_path(name, "parameters") or name in library.names("parameters") else None
    if kind is None and name in library.names("result"):
        kind = "result"
    return _with_included(library.read(kind or "parameters", name), model, path)


def _with_included(source: library.Source, model: Model | None, path: tuple[str, ...]) -> Parameters:
    """A set with what it includes laid below it."""
    if source.path in path:
        raise fail(source.path, "includes itself", "remove it from include")
    own, included = read_parameters(source.data, source.name, source.where)
    total: Parameters | None = None
    for other in included:
        low = _resolved(other, model, (*path, source.path))
        total = low if total is None else _laid(total, low)
    placed = _placed(own, model)
    return placed if total is None else _laid(total, placed)


def _placed(own: Parameters, model: Model | None) -> Parameters:
    """A part's file in a system: its names carry the part's."""
    if model is None or own.model in (model.name, "") or not model.parts:
        return own
    prefixes = [p.name for p in model.parts if p.use == own.model]
    if not prefixes and any(v.name.split(".")[0] in {p.name for p in model.parts} for v in own.values):
        return own
    if not prefixes:
        raise fail(f"{own.name}: parameters.model", f"{own.model!r} is no part of {model.name}",
                   nearest(own.model, {p.use for p in model.parts} | {model.name}))

    features = {c.name for c in own.covariates}

    def move(name: str, p: str) -> str:
        return name if name in features else f"{p}.{name}"

    return replace(own, values=tuple(replace(v, name=move(v.name, p)) for p in prefixes for v in own.values),
                   correlations=tuple(replace(c, of=(move(c.of[0], p), move(c.of[1], p)))
                                      for p in prefixes for c in own.correlations))


def line_for(name: str) -> str:
    """The line of a parameter file that fills a model's input: the copy's number is left out."""
    return ".".join(p for p in name.split(".") if not p.isdigit())


def bind(parameters: Parameters, model: Model | ModelFile) -> Parameters:
    """Checks a set against a model and brings every value to the model's units."""
    issues: list[Issue] = []
    wanted = {line_for(p.name): p for p in model.parameters}
    given = {v.name: v for v in parameters.values}
    where = _where(parameters)
    for name in given:
        if name not in wanted:
            issues.append(Issue(f"{where}: values.{name}", f"{model.name} has no such parameter", nearest(name, wanted)))
    for name, p in wanted.items():
        if name not in given:
            issues.append(Issue(f"{where}: values.{name}", f"has no value; {model.name} needs it in {p.unit}",
                                f"add {name} = {{ value = …, unit = \"{p.unit}\" }}"))
    bound = []
    for name, v in given.items():
        if name in wanted:
            try:
                factor = float(ratio(v.unit, wanted[name].unit, f"{where}: values.{name}.unit"))
                bound.append(v if factor == 1 else scaled(v, factor, wanted[name].unit))
                issues += _beyond(bound[-1], wanted[name], where)
            except ContentError as error:
                issues += error.issues
    uses = {"": model.name, **{p.name: p.use for p in model.parts}}
    issues += hosts.outside(parameters.host, uses, {v.name: v.value for v in bound}, where)
    raise_issues(issues)
    return replace(parameters, model=model.name, values=tuple(bound))


def _beyond(v: Value, p: Parameter, where: str) -> list[Issue]:
    """Issues of a line, in the model's unit, whose value or spread is what its parameter cannot be."""
    place, named = f"{where}: values.{v.name}", replace(p, name=v.name.rpartition(".")[2])
    if outside(named, np.array([v.value]))[0]:
        return [Issue(place, beyond(named, v.value), f"mend the value or its unit; {allowed(named, v.value)}")]
    issues = []
    for key, spread in (("spread", v.spread), ("copies", v.copies)):
        ends = np.array(spread.ends if spread is not None else ())
        bad = ends[outside(named, ends)]
        if bad.size:
            issues.append(Issue(f"{place}.{key}", f"reaches {beyond(named, float(bad[0]))}",
                                f"bound it from {p.low:g} to {p.high:g}; {allowed(named, float(bad[0]))}"))
    return issues


def bibliography() -> dict[str, str]:
    """The references of the library: key to printed reference."""
    path = library.ROOT / "parameters" / "references.bib"
    found = {}
    for key, body in re.findall(r"@\w+\{(\w+),(.*?)\n\}", path.read_text(encoding="utf-8"), re.S):
        f = dict(re.findall(r"(\w+)\s*=\s*\{(.*?)\}", body, re.S))
        doi = f" doi:{f['doi']}" if "doi" in f else ""
        note = f" ({f['note']})" if "note" in f else ""
        place = " ".join(filter(None, (f.get("journal"), f.get("year")))).rstrip(".")
        found[key] = f"{f.get('author', '')}. {f.get('title', '')}. {place}.{doi}{note}"
    return found
