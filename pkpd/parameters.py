"""Parameter files: value, unit, spread, covariate effect, correlation, source, and how sure we are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pkpd import library
from pkpd.errors import ContentError, Issue, fail, nearest
from pkpd.library import raise_issues
from pkpd.model.schema import Model, ModelFile
from pkpd.units import ratio
from pkpd.values import Parameters, read_parameters, scaled


def load_parameters(names: str | Path | Iterable[str | Path] = (), model: Model | None = None) -> Parameters:
    """A parameter set by name or path; several are laid over each other, the last on top.

    With a model, the set is bound to it: files for a part's model fill that part, and every input must have a
    value. Without names, the model's default set of the library is taken.
    """
    wanted = [names] if isinstance(names, str | Path) else list(names)
    if not wanted:
        if model is None:
            raise ContentError(Issue("parameters", "no name given", "`pkpd list parameters` shows them"))
        wanted = [default_for(model.name)]
    total: Parameters | None = None
    for name in wanted:
        own = _resolved(name, model, ())
        total = own if total is None else merge(total, own)
    assert total is not None
    return total if model is None else bind(total, model)


def load_context(name: str | Path, model: Model) -> Parameters:
    """A set that fills some of a model's inputs, its names carrying their parts, to be merged on top of a whole one."""
    return _resolved(name, model, ())


def default_for(model: str) -> str:
    """The library's default parameter set for a model."""
    for name in library.names("parameters"):
        head = library.read("parameters", name).data.get("parameters", {})
        if head.get("model") == model and head.get("default") is True:
            return name
    raise ContentError(Issue(model, "the library holds no default parameters for this model",
                             "give a parameter file (--parameters FILE)"))


def merge(base: Parameters, top: Parameters) -> Parameters:
    """One set laid over another, line by line."""

    def over(a: tuple, b: tuple, key) -> tuple:
        new = {key(x): x for x in b}
        kept = [new.pop(key(x), x) for x in a]
        return (*kept, *new.values())

    return replace(top, values=over(base.values, top.values, lambda v: v.name),
                   covariates=over(base.covariates, top.covariates, lambda v: v.name),
                   correlations=over(base.correlations, top.correlations, lambda c: frozenset(c.of)),
                   draws=top.draws or _draws_left(base, top))


def _draws_left(base: Parameters, top: Parameters) -> dict[str, tuple[float, ...]]:
    """The draws of lines that the set on top leaves alone."""
    own = {v.name for v in top.values}
    return {k: v for k, v in base.draws.items() if k.split(":")[0] not in own}


def _resolved(name: str | Path, model: Model | None, path: tuple[str, ...]) -> Parameters:
    """A file with what it includes laid below it, its names carrying the part they fill."""
    kind = "parameters" if library.is_path(name, "parameters") or name in library.names("parameters") else None
    if kind is None and name in library.names("result"):
        kind = "result"
    source = library.read(kind or "parameters", name)
    if source.path in path:
        raise fail(source.path, "includes itself", "remove it from include")
    own, included = read_parameters(source.data, source.name, source.where)
    total: Parameters | None = None
    for other in included:
        low = _resolved(other, model, (*path, source.path))
        total = low if total is None else merge(total, low)
    placed = _placed(own, model)
    return placed if total is None else merge(total, placed)


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
    where = f"parameters/{parameters.name}" if not parameters.name.endswith(".toml") else parameters.name
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
            except ContentError as error:
                issues += error.issues
    raise_issues(issues)
    return replace(parameters, model=model.name, values=tuple(bound))


def bibliography() -> dict[str, str]:
    """The references of the library: key to printed reference."""
    path = library.ROOT / "parameters" / "references.bib"
    found = {}
    for key, body in re.findall(r"@\w+\{(\w+),(.*?)\n\}", path.read_text(encoding="utf-8"), re.S):
        f = dict(re.findall(r"(\w+)\s*=\s*\{(.*?)\}", body, re.S))
        doi = f" doi:{f['doi']}" if "doi" in f else ""
        note = f" ({f['note']})" if "note" in f else ""
        found[key] = f"{f.get('author', '')}. {f.get('title', '')}. {f.get('journal', '')} {f.get('year', '')}.{doi}{note}"
    return found
