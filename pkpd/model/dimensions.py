"""The units of an expression, checked on the tree as its author wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from pkpd.content.units import ONE, Unit
from pkpd.errors import fail, nearest
from pkpd.model.expression import STEEPEST, Tree, constant, names_in, unparse


def convert_to(
    tree: Tree, unit: Unit, units: Mapping[str, tuple[Unit, str]], target: str, where: str
) -> Tree:
    """Checks a tree's units and returns it with the factor that brings it to `unit` (printed as `target`)."""
    checked, own = check(tree, units, where)
    if own is None:
        return checked
    if own.dims != unit.dims:
        raise fail(
            where,
            f"{unparse(tree)!r} is in {_show(tree, own, units)}, but {target} is declared",
            "mend the expression or the declared unit",
        )
    return _scaled(checked, own.factor / unit.factor)


def _scaled(tree: Tree, factor: Fraction) -> Tree:
    if factor == 1:
        return tree
    if tree[0] == "num":
        return ("num", tree[1] * factor)
    return ("*", ("num", factor), tree)


def check(tree: Tree, units: Mapping[str, tuple[Unit, str]], where: str) -> tuple[Tree, Unit | None]:
    """The tree with unit factors put in, and its unit; None for a bare zero, which suits any unit."""
    match tree:
        case ("num", value):
            return tree, (None if value == 0 else ONE)
        case ("name", name):
            if name not in units:
                raise fail(where, f"{name!r} is not declared", nearest(name, units))
            return tree, units[name][0]
        case ("neg", a):
            inner, unit = check(a, units, where)
            return ("neg", inner), unit
        case ("call", name, args):
            return _check_call(name, args, tree, units, where)
        case ("*" | "/" as op, a, b):
            (left, ua), (right, ub) = check(a, units, where), check(b, units, where)
            ua, ub = ua or ONE, ub or ONE
            return (op, left, right), (ua * ub if op == "*" else ua / ub)
        case ("**", a, b):
            return _check_power(a, b, units, where)
        case (op, a, b):
            left, right, unit = _same(a, b, tree, units, where)
            return (op, left, right), unit
    raise fail(where, "is not an expression")


def _same(a: Tree, b: Tree, whole: Tree, units, where: str) -> tuple[Tree, Tree, Unit | None]:
    (left, ua), (right, ub) = check(a, units, where), check(b, units, where)
    if ua is None or ub is None:
        return left, right, ua or ub
    if ua.dims != ub.dims:
        raise fail(
            where,
            f"in {unparse(whole)!r}: {unparse(a)} is in {_show(a, ua, units)}, "
            f"but {unparse(b)} is in {_show(b, ub, units)}",
            "only like can be added or compared with like",
        )
    return left, _scaled(right, ub.factor / ua.factor), ua


def _pure(tree: Tree, whole: Tree, units, where: str) -> Tree:
    inner, unit = check(tree, units, where)
    if unit is not None and unit.dims:
        raise fail(
            where,
            f"in {unparse(whole)!r}: {unparse(tree)} is in {_show(tree, unit, units)}, "
            "but must be a pure number",
            "divide it by a reference of the same unit",
        )
    return _scaled(inner, unit.factor) if unit is not None else inner


def _check_call(name: str, args: tuple, whole: Tree, units, where: str) -> tuple[Tree, Unit | None]:
    if name in ("exp", "log"):
        return ("call", name, (_pure(args[0], whole, units, where),)), ONE
    if name == "sqrt":
        inner, unit = check(args[0], units, where)
        return ("call", name, (inner,)), (unit or ONE).power(Fraction(1, 2))
    left, right, unit = _same(args[0], args[1], whole, units, where)
    if name == "hill":
        return ("call", name, (left, right, _pure(args[2], whole, units, where))), ONE
    return ("call", name, (left, right)), unit


def _check_power(a: Tree, b: Tree, units, where: str) -> tuple[Tree, Unit]:
    base, unit = check(a, units, where)
    whole = ("**", a, b)
    exponent = _pure(b, whole, units, where)
    value = constant(exponent)
    if not names_in(b) and (value is None or abs(value) > STEEPEST):
        raise fail(
            where,
            f"in {unparse(whole)!r}: the power {unparse(b)} is not a plain number of at most {STEEPEST}",
            "write a smaller power, as a plain number",
        )
    if not names_in(a) and _steep(a):
        raise fail(
            where, f"in {unparse(whole)!r}: a power of a power of plain numbers", "write out the number"
        )
    if unit is None or not unit.dims:
        return ("**", _scaled(base, unit.factor) if unit else base, exponent), ONE
    if value is None:
        raise fail(
            where,
            f"in {unparse(whole)!r}: {unparse(a)} is in {_show(a, unit, units)}; only a pure "
            "number can be raised to a power that is not a plain number",
            "divide it by a reference first",
        )
    if any(abs(e * value) > STEEPEST for _, e in unit.dims):
        raise fail(where, f"in {unparse(whole)!r}: the power is over {STEEPEST}", "write smaller powers")
    return ("**", base, ("num", value)), unit.power(value)


def _steep(tree: Tree) -> bool:
    """Whether a tree holds a power."""
    return tree[0] == "**" or any(
        _steep(t) for t in (tree[2] if tree[0] == "call" else tree[1:]) if isinstance(t, tuple)
    )


def _show(tree: Tree, unit: Unit, units) -> str:
    """A sub-expression's unit: as declared for a name, from its dimensions otherwise."""
    if tree[0] == "name":
        return units[tree[1]][1] if units[tree[1]][1] not in ("1", "") else "no unit"
    if not unit.dims:
        return "no unit"
    return " ".join(d if e == 1 else f"{d}^{e}" for d, e in unit.dims)
