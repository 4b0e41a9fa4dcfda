"""What may be handed to a public verb: each argument is held to its annotation, and a wrong one is told with
a remedy.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from pkpd.errors import fail

P = ParamSpec("P")
R = TypeVar("R")
_MADE = {  # how a noun is come by
    "Model": 'load_model("NAME") gives one',
    "Parameters": 'load_parameters("NAME", model) gives one',
    "Population": "draw(model, parameters, n) gives one",
    "Regimen": 'load_regimen("NAME") gives one',
    "Schedule": "lower(regimen, model, patients, starts) gives one",
    "Simulation": "simulate(…) gives one",
    "Records": "read_records(FILE, model, parameters) gives one",
    "Trial": 'load_trial("NAME") gives one',
    "Fit": 'load_fit("NAME") gives one',
    "Crowd": "pkpd.Crowd(model, parameters, times) is one",
    "Evidence": 'load_evidence("NAME") gives one',
    "Crossing": "pkpd.Crossing(of, level) is one",
}
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "True or False",
    "np.ndarray": "an array of numbers",
    "pd.DataFrame": "a data frame",
    "tuple": "a list of numbers",
    "Path": "a path",
    "None": "None",
}
_PLAIN: dict[str, tuple[type, ...]] = {"str": (str,), "Path": (Path,), "None": (type(None),)}


def door(verb: Callable[P, R]) -> Callable[P, R]:
    """A public verb that refuses an argument of another kind than its annotation names, before any work is
    done.
    """
    signature = inspect.signature(verb)
    kinds = {
        p.name: _kinds(str(p.annotation))
        for p in signature.parameters.values()
        if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    }

    @wraps(verb)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            if name in kinds and not any(_is(value, kind) for kind in kinds[name]):
                wanted = [_WORDS.get(k, k) for k in kinds[name]]
                remedy = next((_MADE[k] for k in kinds[name] if k in _MADE), "hand over one of these")
                raise fail(verb.__name__, f"{name} is {_shown(value)}, not {' or '.join(wanted)}", remedy)
        return verb(*args, **kwargs)

    return checked


def _kinds(annotation: str) -> tuple[str, ...]:
    """The alternatives of an annotation; what brackets hold is part of one."""
    return tuple(re.sub(r"\[.*", "", k.strip()) for k in re.split(r"\|(?![^\[]*\])", annotation))


def _is(value: Any, kind: str) -> bool:
    """Whether a value is of the kind that an annotation names; of kinds that are not known here, every value
    is.
    """
    if kind == "bool":
        return type(value).__name__ in ("bool", "bool_")  # NumPy's too, which is no kind of Python's
    if kind in _PLAIN:
        return isinstance(value, _PLAIN[kind])
    if kind in ("int", "float"):
        return isinstance(value, Integral if kind == "int" else Real) and not isinstance(value, bool)
    if kind in ("np.ndarray", "tuple"):
        return _numeric(value)
    if kind == "Mapping":
        return isinstance(value, Mapping)
    if kind in ("Sequence", "Iterable"):
        return isinstance(value, Iterable)
    if kind.startswith("pd."):
        return type(value).__name__ == kind.removeprefix("pd.")
    return kind not in _MADE or any(c.__name__ == kind for c in type(value).__mro__)


def _numeric(value: Any) -> bool:
    import numpy as np

    if isinstance(value, str | Mapping) or value is None:
        return False
    try:
        return np.asarray(value).dtype.kind in "biufc"
    except (TypeError, ValueError):
        return False


def _shown(value: object) -> str:
    """A value, or, where it is long, what it is."""
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"a {type(value).__name__}"
