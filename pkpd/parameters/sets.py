"""Parameter files: value, unit, spread, covariate effect, correlation, source, and how sure we are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from pkpd.content import library, toml
from pkpd.content.library import raise_issues
from pkpd.errors import ContentError, Issue, fail, nearest
from pkpd.machine.doors import door
from pkpd.model.compose import model_file
from pkpd.model.model import Model, ModelFile
from pkpd.parameters import hosts
from pkpd.parameters.bind import bind
from pkpd.parameters.defaults import default_for
from pkpd.parameters.lines import order_issues
from pkpd.parameters.merge import lay, merge
from pkpd.parameters.model_of import fills, foreign, meant, names, parts_of
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.reading import read_parameters

_Above = tuple[Parameters, Callable[[], ModelFile | None]]


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
    raise_issues(order_issues(total))
    return total if model is None else _of_host(bind(total, model), host)


def parse_parameters(
    source: str | dict, model: Model | None = None, name: str = "parameters", host: str | None = hosts.HUMAN
) -> Parameters:
    """A parameter set from TOML text or from its tables, as in a notebook, bound to a model if one is given.

    The sets that it includes come from the library.
    """
    total = _with_included(library.Source(name, name, name, toml.tables(source, name)), model, ())
    raise_issues(order_issues(total))
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


def _resolved(
    name: str | Path,
    model: Model | None,
    path: tuple[str, ...],
    stands: tuple[tuple[str, str], ...] = (),
    above: _Above | None = None,
) -> Parameters:
    """A file with what it includes laid below it, its names carrying the part they fill.

    stands  of each set above that says it is a surrogate: the model whose values it takes, and its own
    above   the set that includes it, and the file of its model
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
    above: _Above | None = None,
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
        _check_included(*above, own)
    total: Parameters | None = None
    below: tuple[str, ...] = ()
    file = cache(partial(_file_of, own))
    for other in included:
        low = _resolved(other, model, (*path, here), stands, (own, file))
        total, below = low if total is None else lay(total, low), (*below, *low.stands_on)
    placed = replace(_placed(own, model), stands_on=(here, *below) if own.draws else (here,))
    return placed if total is None else lay(total, placed)


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


def _check_included(own: Parameters, file_of_own: Callable[[], ModelFile | None], low: Parameters) -> None:
    """What a set includes is of its model, or of parts of it where that is a system."""
    if not low.model or low.model == own.model or not own.model:
        return
    file = file_of_own()
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
