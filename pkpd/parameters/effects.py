"""Covariate effects: the factor that covariates put on a value, 1 at the reference patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pkpd.content.fields import is_number
from pkpd.errors import ContentError, Issue, nearest
from pkpd.model import constants, expression
from pkpd.model.expression import Tree
from pkpd.parameters.covariates import COPY, Covariate

_NEAR = 2e-3  # published effects are rounded: so far from 1 may one be at its reference


@dataclass(frozen=True)
class Effect:
    """What covariates c do to a value: a factor f(c) that is 1 (within 0.002) at the reference patient.

    Covariates enter as numbers in the units of the register; COPY is the number of the copy of a part.
    """

    tree: Tree
    reference: tuple[tuple[str, float], ...]


def read_effect(
    entry: object, where: str, register: Mapping[str, Covariate], issues: list[Issue]
) -> Effect | None:
    """An effect from its table; faults are noted."""
    before = len(issues)
    if (
        not isinstance(entry, dict)
        or set(entry) != {"is", "reference"}
        or not isinstance(entry["reference"], dict)
    ):
        remedy = 'write { is = "BSA / 1.75", reference = { BSA = 1.75 } }'
        issues.append(Issue(where, "is not an effect", remedy))
        return None
    try:
        tree = expression.parse(entry["is"], where)
        constants.check(tree, where)
    except ContentError as error:
        issues += error.issues
        return None
    reference = entry["reference"]
    issues += _reference_issues(tree, reference, where, register)
    if len(issues) > before:
        return None
    at = _at(tree, reference)
    if not abs(at - 1) <= _NEAR:
        issues.append(Issue(where, f"is {at:g} at its reference patient, not 1", "divide it by that"))
    return Effect(tree, tuple((k, float(v)) for k, v in reference.items()))


def _reference_issues(
    tree: Tree, reference: dict, where: str, register: Mapping[str, Covariate]
) -> list[Issue]:
    """What is wrong with the patient at whom an effect is 1: he has every covariate of it, as one can be."""
    issues, known = list[Issue](), {*register, COPY}
    for name in sorted(expression.names_in(tree) | set(reference)):
        if name not in known:
            issues.append(Issue(where, f"{name!r} is not a covariate", nearest(name, known)))
        elif name not in reference:
            issues.append(Issue(where, f"the reference gives no {name}", f"add {name} = … to reference"))
    for name, number in reference.items():
        if not is_number(number):
            issues.append(Issue(where, f"the reference of {name} is not a number", f"give {name} = NUMBER"))
        elif name in register and (wrong := register[name].amiss(number)):
            remedy = "mend it: effects are 1 at a patient who can be"
            issues.append(Issue(where, f"the reference of {name} is {wrong}", remedy))
    return issues


def _at(tree: Tree, reference: dict) -> float:
    """An effect at its reference patient; no number where it has none."""
    try:
        with np.errstate(all="ignore"):
            return float(expression.evaluate(tree, {k: np.float64(v) for k, v in reference.items()}, np))
    except (ArithmeticError, TypeError, ValueError):
        return float("nan")
