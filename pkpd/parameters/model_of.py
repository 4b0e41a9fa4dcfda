"""Which model a set is of: a set fills the model that it names, one that is like it, or parts of a system,
and no other.
"""

from __future__ import annotations

from pathlib import Path

from pkpd.content import library
from pkpd.errors import Issue, nearest
from pkpd.model.compose import model_file
from pkpd.model.model import Model, ModelFile
from pkpd.parameters.parameters import Parameters

# what `parse_model` calls a model of text that is given no name: it contradicts no name of a user's
_UNNAMED = "model"


def meant(name: str, by: str = "") -> tuple[str, ...]:
    """What the name of a model stands for: a library name, or files, from the current folder and from that of
    the set.

    by  the name of the set that names it: its path, where it is a user's own file
    """
    if not name:
        return ()
    if (full := library.model_name(name)) is not None:
        return (full,)
    folders = (Path(), *((Path(by).parent,) if by.endswith(".toml") else ()))
    tried = [folder / (name + end) for folder in folders for end in ("", ".toml")]
    return tuple(dict.fromkeys(str(p.resolve()) for p in tried if library.is_file(p)))


def names(name: str, model: str, by: str = "") -> bool:
    """Whether a name that a set gives is that of a model: the same entry, the same file, or the word that
    text was given.
    """
    if name == model:
        return True
    found, target = meant(name, by), meant(model)
    if target and (found or library.model_name(model) is not None):
        return bool({*found} & {*target})
    if library.model_name(name) is not None:
        return False
    return model == _UNNAMED or (Path(name).stem == Path(model).stem and (not target or "/" not in name))


def parts_of(own: Parameters, model: Model | ModelFile) -> tuple[str, ...]:
    """The parts of a system whose model a set names; those whose model is like it, where none is
    it itself.
    """
    direct = tuple(p.name for p in model.parts if p.use == own.model) or tuple(
        p.name for p in model.parts if names(own.model, p.use, own.name)
    )
    return direct or tuple(
        p.name for p in model.parts if any(names(own.model, x, own.name) for x in model_file(p.use).like)
    )


def fills(own: Parameters, model: Model | ModelFile) -> bool:
    """Whether a set names a model, or one that the model is like."""
    return any(names(own.model, x, own.name) for x in (model.name, *model.like))


def foreign(own: Parameters, model: Model | ModelFile, where: str) -> list[Issue]:
    """What keeps a set, its names those of a model's inputs, from being one of the model; a set of patients
    is any's.
    """
    if not own.model or fills(own, model):
        return []
    place, known = f"{where}: parameters.model", meant(own.model, own.name)
    if model.parts and known:
        parts = {p.name: p.use for p in model_file(known[0]).parts}
        held = dict.fromkeys(v.name.split(".")[0] for v in own.values)
        here = {p.name: p.use for p in model.parts}
        if parts and any(h in here for h in held):
            return [
                Issue(
                    place,
                    f"{own.model!r} has the part {h} of {parts.get(h, 'no model')}, but {model.name} of "
                    f"{here[h]}",
                    "name a set of this system",
                )
                for h in held
                if h in here and here[h] != parts.get(h)
            ]
        return [
            Issue(
                place,
                f"{own.model!r} is no part of {model.name}",
                nearest(own.model, {p.use for p in model.parts} | {model.name}),
            )
        ]
    if not known:
        offered = library.names("model") if library.model_name(model.name) is not None else (model.name,)
        return [
            Issue(
                place,
                f"{own.model!r} names no model: no entry of the library, no file",
                nearest(own.model, offered),
            )
        ]
    return [Issue(place, f"the set is of {own.model}, not of {model.name}", _surrogate(own, model.name))]


def _surrogate(own: Parameters, model: str) -> str:
    return (
        f"name a set of {model}; to take the values of another as a surrogate, say so in a set of its own: "
        f'model = "{model}", surrogate = "{own.model}", include = ["{own.name}"]'
    )
