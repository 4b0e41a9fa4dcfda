"""What the inputs of a model can be: finite numbers, from a parameter's `low` to its `high`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from pkpd.content.library import raise_issues
from pkpd.content.units import pretty
from pkpd.errors import Issue
from pkpd.model.model import Model, Parameter

_ROUNDING = 1e-12  # of a bound: what a change of units may add to it


def outside(parameter: Parameter, values: np.ndarray) -> np.ndarray:
    """Whether a parameter cannot be each of some values, in its unit."""
    low, high = _ends(parameter)
    real = np.real(values)
    return ~(np.isfinite(real) & (real >= low) & (real <= high))


def _ends(parameter: Parameter) -> tuple[float, float]:
    """The bounds of a parameter with the room that rounding needs."""
    low, high = parameter.low, parameter.high
    return (
        low - _ROUNDING * abs(low) if math.isfinite(low) else -math.inf,
        high + _ROUNDING * abs(high) if math.isfinite(high) else math.inf,
    )


def beyond(parameter: Parameter, value: float) -> str:
    """What is wrong with a value that a parameter cannot be."""
    told = f"{parameter.name} = {_quantity(value, parameter.unit)}"
    if not np.isfinite(value):
        return f"{told} is not a finite number"
    if value < parameter.low:
        return f"{told} is below {_quantity(parameter.low, parameter.unit)}"
    return f"{told} is above {_quantity(parameter.high, parameter.unit)}"


def _quantity(value: float, unit: str) -> str:
    return f"{value:g}" if value == 0 or unit in ("1", "") else f"{value:.6g} {pretty(unit)}"


def allowed(parameter: Parameter, value: float) -> str:
    """How a model says that a parameter can be such a value."""
    key = "low" if value < parameter.low else "high"
    return (
        f'where it can be so, the model says it: {parameter.name} = {{ unit = "{parameter.unit}", {key} '
        f"= … }}"
    )


def in_use(model: Model) -> tuple[Parameter, ...]:
    """A model's parameters, those of its doses without a least: what a dose asks for is refused where one
    asks for it.
    """
    asked = {n for c in model.compartments if c.dose is not None for n in c.dose.names()}
    return tuple(replace(p, low=-np.inf) if p.name in asked else p for p in model.parameters)


def require(
    parameters: Sequence[Parameter],
    inputs: np.ndarray,
    where: str,
    who: Callable[[int], str],
    missing: bool = False,
) -> None:
    """Refuses inputs (row, parameter) that their parameters cannot be.

    who      names a row, as in `patient 17`
    missing  whether values that are no finite numbers are left to the engine, which fails their patient alone
    """
    issues = []
    for p, rows in cannot(parameters, inputs, missing):
        value = float(np.real(inputs[rows[0], parameters.index(p)]))
        more = f", and {rows.size - 1} more like it" if rows.size > 1 else ""
        remedy = "mend its value, spread or covariate effect"
        if np.isfinite(value):
            remedy = f"bound its spread with low and high, or choose another law; {allowed(p, value)}"
        issues.append(Issue(f"{where}.{p.name}", f"{who(int(rows[0]))}: {beyond(p, value)}{more}", remedy))
    raise_issues(issues)


def cannot(
    parameters: Sequence[Parameter], inputs: np.ndarray, missing: bool = False
) -> Iterator[tuple[Parameter, np.ndarray]]:
    """Parameters that cannot be what some rows of inputs (row, parameter) say, with those rows."""
    real, (low, high) = np.real(inputs), np.array([_ends(p) for p in parameters]).reshape(-1, 2).T
    finite = np.isfinite(real)
    bad = (finite if missing else True) & ~(finite & (real >= low) & (real <= high))
    for column in np.flatnonzero(bad.any(axis=0)).tolist():
        yield parameters[column], np.flatnonzero(bad[:, column])
