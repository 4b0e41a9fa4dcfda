"""Absolute tolerances from what enters a patient's compartments, so that no unit's name decides how exact a
result is.

Of a compartment without a `scale`, an error is measured against the largest magnitude that its own state has
had so far:

    atol(t) = max(NOISE reach, rtol SHARE max |y(s)|, s <= t)

A state's reach is about the magnitude that start values, doses and rates let it have (solve/reach); times
NOISE it is where rounding lies. It counts where a state leaves zero late, as the end of a chain does, or is
zero but for rounding. A compartment with a `scale` has atol = rtol SMALL scale, and one whose atol the caller
gives has that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pkpd.errors import fail, nearest
from pkpd.model.model import Model

SHARE, SMALL, NOISE = 1e-4, 1e-2, 1e-15

Given = float | Mapping[str, float] | None


class Tolerance(NamedTuple):
    """Of each state: an absolute tolerance, missing where it follows the state; the shares of its magnitude
    so far and of its reach where it does.
    """

    fixed: np.ndarray
    growth: np.ndarray
    least: np.ndarray

    def floors(self, reached: np.ndarray) -> np.ndarray:
        """The least tolerances of patients whose states have these reaches (patient, state)."""
        return np.where(np.isnan(self.fixed), self.least * reached, self.fixed)


def tolerances(model: Model, rtol: float, atol: Given = None) -> Tolerance:
    """The tolerances of a model's states.

    atol  of the caller: a number for every state, or numbers by the state's name, in its unit
    """
    given = _given(model, atol)
    fixed = np.where(np.isnan(given), rtol * SMALL * scales(model), given)
    return Tolerance(fixed, np.where(np.isnan(fixed), rtol * SHARE, 0.0), np.full(len(fixed), NOISE))


def beside(own: Tolerance, rtol: float, columns: int) -> Tolerance:
    """Tolerances of states, and of their derivatives by as many inputs, each times its input.

    A derivative may leave zero steeper than any step can follow, as that of hill(x, K, 0.7): it has the
    tolerance of a state whose scale is the reach.
    """
    derivative = own._replace(least=np.full(len(own.fixed), rtol * SMALL))
    return Tolerance(*(np.concatenate([x, *[y] * columns]) for x, y in zip(own, derivative, strict=True)))


def scales(model: Model) -> np.ndarray:
    """The small magnitude that the model states of each compartment, missing where it states none."""
    return np.array([np.nan if c.scale is None else c.scale for c in model.compartments])


def _given(model: Model, atol: Given) -> np.ndarray:
    """The caller's tolerance of each state, missing where there is none."""
    found = np.full(len(model.states), np.nan)
    named = atol if isinstance(atol, Mapping) else {} if atol is None else dict.fromkeys(model.states, atol)
    for name, value in named.items():
        if name not in model.states:
            raise fail("atol", f"{model.name} has no compartment {name!r}", nearest(name, model.states))
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float | np.number)
            or not 0 < value < np.inf
        ):
            raise fail(
                "atol",
                f"{value!r} is not an absolute tolerance of {name}",
                f"give a positive number of {model.unit(name)}, or numbers by compartment",
            )
        found[model.states.index(name)] = value
    return found
