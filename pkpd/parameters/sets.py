"""Parameter files: value, unit, spread, covariate effect, correlation, source, and how sure we are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pkpd.content import library
from pkpd.content.library import raise_issues
from pkpd.content.units import ratio
from pkpd.errors import ContentError, Issue, fail, nearest
from pkpd.machine.doors import door
from pkpd.model.compose import model_file
from pkpd.model.model import Model, ModelFile, Parameter
from pkpd.parameters import hosts, joint
from pkpd.parameters.binding import fills, foreign, meant, names, parts_of
from pkpd.parameters.bounds import allowed, beyond, outside
from pkpd.parameters.parameters import Parameters, Value, scaled
from pkpd.parameters.reading import check_order, read_parameters


@door
def load_parameters(
    names: str | Path | Iterable[str | Path] = (), model: Model | None = None, host: str | None = hosts.HUMAN
) -> Parameters:
    """A parameter set by name or path; several are laid over each other, the last on top.

    With a model, the set is bound to it: files for a part's model fill that part, every input must have a
    value, and the set must be of the host asked for (any, if None): a set of mice is never taken for patients
    unasked. Without names, the model's default set of the library is taken. A context named first is laid
    over the set that it says it goes over.
    """
    wanted = [names] if isinstance(names, str | Path) else list(names)
    if not wanted:
        if model is None:
            raise ContentError(Issue("parameters", "no name given", "`pkpd list parameters` shows them"))
        wanted = [default_for(model.name)]
    for place, what, remedy in misplaced(wanted):
        raise fail(place, what, remedy)
    total: Parameters | None = None
    for name in (*_below(wanted[0]), *wanted):
        own = _resolved(name, model, ())
        total = own if total is None else merge(total, own)
    assert total is not None
    check_order(total)
    return total if model is None else _of_host(bind(total, model), host)


def parse_parameters(
    source: str | dict, model: Model | None = None, name: str = "parameters", host: str | None = hosts.HUMAN
) -> Parameters:
    """A parameter set from TOML text or from its tables, as in a notebook, bound to a model if one is given.

    The sets that it includes come from the library.
    """
    total = _with_included(library.Source(name, name, name, library.tables(source, name)), model, ())
    check_order(total)
    return total if model is None else _of_host(bind(total, model), host)


def load_context(name: str | Path, model: Model, host: str | None = hosts.HUMAN) -> Parameters:
    """A set that fills some of a model's inputs, its names carrying their parts, to be merged on top of a
    whole one.
    """
    return _of_host(_resolved(name, model, ()), host)


def _below(name: str | Path, above: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The sets that a context says it goes over, the lowest first; none for a set that stands alone."""
    over = _head(name).get("over")
    if not isinstance(over, str):
        return ()
    if over in (*above, str(name)):
        raise fail(
            f"{name}: parameters.over", f"{over!r} leads back to itself", "name a set that stands on its own"
        )
    return (*_below(over, (*above, str(name))), over)


def _head(name: str | Path) -> dict:
    """What a set says of itself; nothing where there is none of this name."""
    kind = (
        "parameters"
        if library.is_path(name, "parameters") or name in library.names("parameters")
        else "result"
    )
    head = (
        library.read(kind, name).data.get("parameters")
        if kind == "parameters" or name in library.names(kind)
        else None
    )
    return head if isinstance(head, dict) else {}


def misplaced(wanted: Sequence[str | Path]) -> list[tuple[str, str, str]]:
    """Of sets in the order in which they are laid, what is wrong with it: place, what, remedy.

    A context lies over the set that it goes over, and over the contexts that it says it is laid after.
    """
    found = []
    for k, name in enumerate(wanted[:-1]):
        after = _head(name).get("after", [])
        low = dict.fromkeys(_below(name), "over") | {n: "after" for n in after if isinstance(after, list)}
        found += [
            (
                f"{name}: parameters.{key}",
                f"goes over {n}, which is named after it and would hide its lines",
                f"name {n} before {name}",
            )
            for n, key in low.items()
            if n in wanted[k + 1 :]
        ]
    return found


def _of_host(own: Parameters, host: str | None) -> Parameters:
    """The set itself, if it is of a host."""
    if host is not None and hosts.mixed(own.host, host):
        raise fail(
            f"{own.where}: parameters.host",
            f"is {own.host!r}, where a set of host {host!r} is needed",
            f"name a set of {host!r}; from Python, load_parameters(NAME, model, host={own.host!r}) takes "
            f"this one",
        )
    return own


def default_for(model: str) -> str:
    """The library's default parameter set for a model; an error where two claim to be it."""
    found = defaults().get(model, ())
    raise_issues(rivals(model, found))
    if found:
        return found[0]
    raise ContentError(
        Issue(
            model,
            "the library holds no default parameters for this model",
            "give a parameter file (--parameters FILE)",
        )
    )


def defaults() -> dict[str, list[str]]:
    """The library's sets that say they are the default of a model, by the model."""
    found: dict[str, list[str]] = {}
    for name in library.names("parameters"):
        head = library.read("parameters", name).data.get("parameters", {})
        if isinstance(head, dict) and head.get("default") is True and isinstance(head.get("model"), str):
            found.setdefault(head["model"], []).append(name)
    return found


def rivals(model: str, sets: Sequence[str]) -> list[Issue]:
    """Issues of sets that claim to be the default of a model which another set is the default of."""
    return [
        Issue(
            f"parameters/{name}: parameters.default",
            f"{sets[0]} is the default of {model} too",
            "leave default = true in one of them",
        )
        for name in sets[1:]
    ]


def merge(base: Parameters, top: Parameters) -> Parameters:
    """One set laid over another of the same host and model, line by line."""
    if base.model and top.model and base.model != top.model and not names(top.model, base.model, top.name):
        raise fail(
            f"{top.where}: parameters.model",
            f"is {top.model!r}, and {base.name} below it is of {base.model!r}",
            "lay sets of one model over each other: load_context(NAME, model) puts a part's set in its place",
        )
    if hosts.mixed(base.host, top.host):
        raise fail(
            f"{top.where}: parameters.host",
            f"is {top.host!r}, and {base.name} below it is {base.host!r}",
            "lay sets of one host over each other; a set made from another one names it under include",
        )
    return _laid(base, top)


def _laid(base: Parameters, top: Parameters) -> Parameters:
    def over(a: tuple, b: tuple, key) -> tuple:
        new = {key(x): x for x in b}
        kept = [new.pop(key(x), x) for x in a]
        return (*kept, *new.values())

    return replace(
        top,
        model=top.model or base.model,
        values=over(base.values, top.values, lambda v: v.name),
        covariates=over(base.covariates, top.covariates, lambda v: v.name),
        correlations=over(base.correlations, top.correlations, lambda c: frozenset(c.of)),
        draws=joint.left(base, top, top.where),
        host=top.host or base.host,
        surrogate=top.surrogate or base.surrogate,
    )


def _resolved(
    name: str | Path,
    model: Model | None,
    path: tuple[str, ...],
    stands: tuple[tuple[str, str], ...] = (),
    above: Parameters | None = None,
) -> Parameters:
    """A file with what it includes laid below it, its names carrying the part they fill.

    stands  of each set above that says it is a surrogate: the model whose values it takes, and its own
    above   the set that includes it
    """
    kind = (
        "parameters" if library.is_path(name, "parameters") or name in library.names("parameters") else None
    )
    if kind is None and name in library.names("result"):
        kind = "result"
    return _with_included(library.read(kind or "parameters", name), model, path, stands, above)


def _with_included(
    source: library.Source,
    model: Model | None,
    path: tuple[str, ...],
    stands: tuple[tuple[str, str], ...] = (),
    above: Parameters | None = None,
) -> Parameters:
    """A set with what it includes laid below it."""
    here = str(Path(source.path).resolve())
    if here in path:
        raise fail(source.path, "includes itself", "remove it from include")
    own, included = read_parameters(source.data, source.name, source.where)
    if twice := sorted({i for i in included if included.count(i) > 1}):
        raise fail(
            f"{source.where}: parameters.include", f"{twice[0]!r} is included twice", "remove one of the two"
        )
    if own.surrogate:
        _check_surrogate(own)
        stands = (*stands, (own.surrogate, own.model))
    own = replace(
        own, model=next((to for at, to in stands if own.model and names(own.model, at, own.name)), own.model)
    )
    if above is not None:
        _check_included(above, own)
    total: Parameters | None = None
    below: tuple[str, ...] = ()
    for other in included:
        low = _resolved(other, model, (*path, here), stands, own)
        total, below = low if total is None else _laid(total, low), (*below, *low.stands_on)
    placed = replace(_placed(own, model), stands_on=(here, *below) if own.draws else (here,))
    return placed if total is None else _laid(total, placed)


def _check_surrogate(own: Parameters) -> None:
    """A surrogate is another model that there is."""
    place = f"{own.where}: parameters.surrogate"
    if not meant(own.surrogate, own.name):
        raise fail(
            place,
            f"{own.surrogate!r} names no model: no entry of the library, no file",
            nearest(own.surrogate, library.names("model")),
        )
    if names(own.surrogate, own.model, own.name):
        raise fail(
            place,
            f"{own.surrogate!r} is the set's own model",
            "remove it: a set's own values are no surrogate",
        )


def _check_included(own: Parameters, low: Parameters) -> None:
    """What a set includes is of its model, or of parts of it where that is a system."""
    if not low.model or low.model == own.model or not own.model:
        return
    file = _file_of(own)
    if file is not None and not file.parts and not fills(low, file):
        raise fail(
            f"{own.where}: parameters.include",
            f"{low.name} is of {low.model}, not of {own.model}",
            f'include sets of this model; to take their values as a surrogate, say surrogate = "{low.model}"',
        )


def _file_of(own: Parameters) -> ModelFile | None:
    """The file of the model that a set names; none where there is no such file, as of a model
    that is text.
    """
    found = meant(own.model, own.name)
    return model_file(found[0]) if found else None


def _placed(own: Parameters, model: Model | None) -> Parameters:
    """A set of a model, its names those of the model's inputs: of a part's file in a system, they carry the
    part's.
    """
    if model is None or not own.model:
        return own
    prefixes = parts_of(own, model) if not fills(own, model) else ()
    if not prefixes:
        raise_issues(foreign(own, model, own.where))
        return replace(own, model=model.name)

    features = {c.name for c in own.covariates}

    def move(name: str, p: str) -> str:
        return name if name in features else f"{p}.{name}"

    return replace(
        own,
        values=tuple(replace(v, name=move(v.name, p)) for p in prefixes for v in own.values),
        correlations=tuple(
            replace(c, of=(move(c.of[0], p), move(c.of[1], p))) for p in prefixes for c in own.correlations
        ),
        model=model.name,
        draws={move(k, p): x for p in prefixes for k, x in own.draws.items()},
    )


def line_for(name: str) -> str:
    """The line of a parameter file that fills a model's input: the copy's number is left out."""
    return ".".join(p for p in name.split(".") if not p.isdigit())


def bind(parameters: Parameters, model: Model | ModelFile) -> Parameters:
    """Checks a set against a model and brings every value to the model's units."""
    issues: list[Issue] = []
    wanted = {line_for(p.name): p for p in model.parameters}
    given = {v.name: v for v in parameters.values}
    where = parameters.where
    raise_issues(foreign(parameters, model, where))
    for name in given:
        if name not in wanted:
            issues.append(
                Issue(f"{where}: values.{name}", f"{model.name} has no such parameter", nearest(name, wanted))
            )
    issues += _missing(
        {k: p.unit for k, p in wanted.items() if k not in given}, parameters, model.name, where
    )
    issues += joint.issues(parameters, where)
    bound, factors = [], {}
    for name, v in given.items():
        if name in wanted:
            try:
                factor = float(ratio(v.unit, wanted[name].unit, f"{where}: values.{name}.unit"))
                bound.append(v if factor == 1 else scaled(v, factor, wanted[name].unit))
                issues += _beyond(bound[-1], wanted[name], where)
                factors |= {} if factor == 1 else {name: factor}
            except ContentError as error:
                issues += error.issues
    uses = {"": model.name, **{p.name: p.use for p in model.parts}}
    issues += hosts.outside(parameters.host, uses, {v.name: v.value for v in bound}, where)
    raise_issues(issues)
    return joint.in_units(replace(parameters, model=model.name, values=tuple(bound)), factors, wanted, where)


def _missing(units: dict[str, str], own: Parameters, model: str, where: str) -> list[Issue]:
    """Issues of inputs without a value, one each; one for all where a set fills so few that it can but go
    over another.
    """
    if len(units) > 10 and len(own.values) < len(units):
        below = defaults().get(model, ["…"])[0]
        return [
            Issue(
                f"{where}: values",
                f"fills {len(own.values)} of the {len(own.values) + len(units)} inputs of {model}, and "
                "the set does not say what it goes over",
                f'write over = "{below}" under [parameters], or name that set first',
            )
        ]
    return [
        Issue(
            f"{where}: values.{name}",
            f"has no value; {model} needs it in {unit}",
            f'add {name} = {{ value = …, unit = "{unit}" }}',
        )
        for name, unit in units.items()
    ]


def _beyond(v: Value, p: Parameter, where: str) -> list[Issue]:
    """Issues of a line, in the model's unit, whose value or spread is what its parameter cannot be."""
    both = [s.ends for s in (v.spread, v.copies) if s is not None]
    if all(p.low <= x <= p.high and math.isfinite(x) for x in (v.value, *(x for pair in both for x in pair))):
        return []
    place, named = f"{where}: values.{v.name}", replace(p, name=v.name.rpartition(".")[2])
    if outside(named, np.array([v.value]))[0]:
        return [
            Issue(place, beyond(named, v.value), f"mend the value or its unit; {allowed(named, v.value)}")
        ]
    issues = []
    for key, spread in (("spread", v.spread), ("copies", v.copies)):
        ends = np.array(spread.ends if spread is not None else ())
        bad = ends[outside(named, ends)]
        if bad.size:
            issues.append(
                Issue(
                    f"{place}.{key}",
                    f"reaches {beyond(named, float(bad[0]))}",
                    f"bound it from {p.low:g} to {p.high:g}; {allowed(named, float(bad[0]))}",
                )
            )
    return issues
