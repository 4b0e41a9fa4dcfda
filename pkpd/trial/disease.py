"""The disease of a trial: a system that counts days."""

from __future__ import annotations

from functools import lru_cache

from pkpd.content.library import is_path
from pkpd.errors import fail
from pkpd.model.compose import load_model
from pkpd.model.model import Model

_composed = lru_cache(16)(load_model)  # of the library's own, whose files stay as they are


def daily_model(name: str) -> Model:
    """A system that counts days, as a trial does; a user's own file is read anew each time, as it may have
    been edited.
    """
    model = load_model(name) if is_path(name, "model") else _composed(name)
    if model.time != "day":
        raise fail(
            name,
            f"counts time in {model.time}; a trial counts days",
            'compose it into a system with time = "day"',
        )
    return model
