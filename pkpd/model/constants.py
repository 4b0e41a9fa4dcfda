"""Constants of an expression, folded when it is read: what has no finite value is refused there, not met at
run time.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from pkpd.errors import fail
from pkpd.model.expression import Tree, constant, evaluate, names_in, unparse

Known = Mapping[str, float]


def check(tree: Tree, where: str, known: Known | None = None) -> float | None:
    """The value of a tree of constants, or None; refuses each part of it that is constant and has no finite
    value.

    known  names that are constants, with their values
    """
    known = known or {}
    match tree:
        case ("num", value):
            return _number(value)
        case ("name", name):
            return known.get(name)
        case ("call", _, args):
            parts = args
        case (_, *rest):
            parts = rest
        case _:
            return None
    values = [check(part, where, known) for part in parts]
    wrong = _no_value(tree, values)
    result = None
    if not wrong and all(v is not None for v in values):
        exact = constant(tree)  # 0.1 + 0.2 - 0.3 is nothing, and not what rounding leaves of it
        result = _apply(tree, values) if exact is None else _number(exact)
        wrong = "" if np.isfinite(result) else "is not a finite number"
    if wrong:
        told = "".join(f", with {n} = {known[n]:g}" for n in sorted(names_in(tree) & set(known)))
        joined = f"{unparse(tree)!r} {wrong}" if wrong.startswith("is ") else f"in {unparse(tree)!r}: {wrong}"
        raise fail(where, joined + told, "write what has a finite value")
    return result


def _number(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def _apply(tree: Tree, values: list) -> float:
    """The value of a node whose parts have values."""
    places = [f"{i}" for i in range(len(values))]
    names = tuple(("name", p) for p in places)
    node = ("call", tree[1], names) if tree[0] == "call" else (tree[0], *names)
    with np.errstate(all="ignore"):
        return float(evaluate(node, dict(zip(places, map(np.float64, values), strict=True)), np))


def _no_value(tree: Tree, values: list) -> str:
    """What is wrong with a node by those of its parts that are constant, whatever the others are."""
    match tree:
        case ("/", _, _) if values[1] == 0:
            return "divides by zero"
        case ("**", _, _) if values[0] == 0 and values[1] is not None and values[1] < 0:
            return "divides by zero"
        case ("call", "log", _) if values[0] is not None and values[0] <= 0:
            return f"the logarithm of {values[0]:g} has no value"
        case ("call", "sqrt", _) if values[0] is not None and values[0] < 0:
            return f"the square root of {values[0]:g} has no value"
        case ("call", "hill", _) if values[1] is not None and values[1] <= 0:
            return f"{values[1]:g}, at which hill is half, is not above zero"
        case ("call", "hill", _) if values[2] is not None and values[2] <= 0:
            return f"{values[2]:g}, the power of hill, is not above zero"
    return ""
