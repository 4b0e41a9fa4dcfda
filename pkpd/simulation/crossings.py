"""The first time at which a compartment or variable crosses a level, such as extinction, and what happens
then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real

import numpy as np

from pkpd.content import units
from pkpd.content.library import raise_issues
from pkpd.content.toml import shown
from pkpd.errors import ContentError, fail, nearest
from pkpd.model.model import Model
from pkpd.parameters.bounds import allowed, beyond, outside
from pkpd.regimen.schedule import ASSIGN, SET
from pkpd.solve.batch import Watch


@dataclass(frozen=True)
class Crossing:
    """The first time at which a compartment or variable crosses a level, and what it does then.

    The least t with x(t) = level, x above it before (falls) or below it (rises); from t on each of `then` has
    its value. ContentError, of a run that looks for it, for names that the model has not and values that they
    cannot be.

    of     a compartment or variable of the model
    level  a quantity with its unit, as in "0.001 mL"
    falls  met falling to the level (True) or rising to it (False); a value that starts at the level or beyond
           it must come back first
    then   compartments and inputs that take a value at that moment, in the model's units:
           {"lesion.1.sensitive": 0.0}
    """

    of: str
    level: str
    falls: bool = True
    then: Mapping[str, float] = field(default_factory=dict)


def watch(model: Model, crossings: Sequence[Crossing]) -> Watch:
    """Crossings as the engine looks for them."""
    levels, deeds, issues = [], [], []
    for k, crossing in enumerate(crossings):
        where = f"crossings[{k + 1}]"
        if not isinstance(crossing, Crossing):
            raise fail(where, f"{shown(crossing)} is no crossing", 'write pkpd.Crossing("central", "1 mg")')
        for found, read in ((levels, _level), (deeds, _deeds)):
            try:
                found += read(model, crossing, k, where)
            except ContentError as error:
                issues += error.issues
    raise_issues(issues)
    return Watch(
        tuple(c.of for c in crossings),
        np.array(levels, dtype=float).reshape(-1, 2),
        np.array(deeds, dtype=float).reshape(-1, 4),
    )


def _level(model: Model, crossing: Crossing, _: int, where: str) -> list[tuple]:
    known = [*model.states, *(v.name for v in model.variables)]
    if crossing.of not in known:
        raise fail(
            f"{where}.of",
            f"{model.name} has no compartment or variable {crossing.of!r}",
            nearest(crossing.of, known),
        )
    return [
        (
            units.convert(crossing.level, model.unit(crossing.of), f"{where}.level"),
            1.0 if crossing.falls else -1.0,
        )
    ]


def _deeds(model: Model, crossing: Crossing, k: int, where: str) -> list[tuple]:
    found = []
    for name, value in crossing.then.items():
        if name not in (*model.states, *model.inputs):
            raise fail(
                f"{where}.then",
                f"{model.name} has no compartment or input {name!r}",
                nearest(name, [*model.states, *model.inputs]),
            )
        if not isinstance(value, Real) or not math.isfinite(value):
            raise fail(
                f"{where}.then.{name}",
                f"{value!r} is not a finite number",
                "give a finite number, in the model's unit",
            )
        kind, names = (ASSIGN, model.states) if name in model.states else (SET, model.inputs)
        if kind == SET and outside(p := model.parameters[names.index(name)], np.array([value]))[0]:
            raise fail(f"{where}.then.{name}", beyond(p, value), f"set what it can be; {allowed(p, value)}")
        found.append((k, kind, names.index(name), value))
    return found
