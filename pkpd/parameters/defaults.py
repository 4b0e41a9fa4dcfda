"""The library's default sets: of each model the one that is taken where none is named."""

from __future__ import annotations

from collections.abc import Sequence

from pkpd.content import library
from pkpd.content.library import raise_issues
from pkpd.errors import ContentError, Issue


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
