"""The library's default sets: of each model the one that is taken where none is named."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache

from pkpd.content import library
from pkpd.content.library import raise_issues
from pkpd.errors import ContentError, Issue
from pkpd.machine import inputs


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
    folder = inputs.ROOT / library.FOLDERS["parameters"]
    for name in library.names("parameters"):
        file = os.stat(f"{folder}/{name}.toml")
        model = _default_of(name, str(folder), file.st_mtime_ns, file.st_size)
        if model is not None:
            found.setdefault(model, []).append(name)
    return found


@lru_cache(4096)
def _default_of(name: str, folder: str, changed: int, size: int) -> str | None:
    """The model whose default a set says it is; its file is read again only when it has changed."""
    head = library.read("parameters", name).data.get("parameters", {})
    model = head.get("model") if isinstance(head, dict) and head.get("default") is True else None
    return model if isinstance(model, str) else None


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
