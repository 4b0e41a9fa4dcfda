"""Text to a checked expression tree, by whitelist, and the units of a tree as its author wrote it.

A tree is plain nested tuples: ("num", Fraction), ("name", str), (op, a, b) for + - * / **, ("neg", a),
("call", function, args). Nothing in a file is ever evaluated by Python or by sympy.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from pkpd.errors import ContentError, fail, nearest

Tree = tuple
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
FUNCTIONS = {"exp": 1, "log": 1, "sqrt": 1, "min": 2, "max": 2, "hill": 3}
_RANK = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 3, "**": 4}
_LONGEST, _DEEPEST, STEEPEST = 2000, 60, 100


def parse(text: object, where: str) -> Tree:
    """The tree of an expression; anything but arithmetic on names and known functions is refused."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return ("num", _number(text, where))
    if not isinstance(text, str):
        raise fail(where, f"{text!r} is not an expression", 'write it as text, as in "CL * Cc"')
    if len(text) > _LONGEST:
        raise fail(
            where,
            f"is {len(text)} characters long; an expression has at most {_LONGEST}",
            "name its pieces in [variables]",
        )
    try:
        return _read(text)
    except ContentError:
        return _convert(_node(text, where), where, text, 0)  # again, to say where


@lru_cache(16384)
def _read(text: str) -> Tree:
    """The tree of a text, read once: a part's lines are read again with every system that uses it."""
    return _convert(_node(text, ""), "", text, 0)


def _node(text: str, where: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise fail(
            where,
            f"{_short(text)!r} is not an expression",
            "use + - * / **, numbers, names and " + " ".join(FUNCTIONS),
        ) from None


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


def _number(value: float, where: str) -> Fraction:
    if value != value or value in (float("inf"), float("-inf")):
        raise fail(where, f"{value!r} is not a finite number", "give a finite number")
    if abs(value) > 10**300:
        raise fail(where, "holds a number over 1e300", "give a smaller number")
    return Fraction(value) if isinstance(value, int) else Fraction(repr(value))


def _convert(node: ast.AST, where: str, text: str, depth: int) -> Tree:
    if depth > _DEEPEST:
        raise fail(where, f"is nested more than {_DEEPEST} deep", "name its pieces in [variables]")

    def down(n: ast.AST) -> Tree:
        return _convert(n, where, text, depth + 1)

    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return ("num", _number(value, where))
        case ast.Name(id=name):
            return ("name", name)
        case ast.Attribute(value=ast.Name(id=part), attr=name) if not name.startswith("_"):
            return ("name", f"{part}.{name}")
        case ast.Attribute(
            value=ast.Attribute(value=ast.Name(id=part), attr="first" | "last" | "sum" as end), attr=name
        ):
            return ("name", f"{part}.{end}.{name}")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return (_OPERATORS[type(op)], down(left), down(right))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return ("neg", down(operand))
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return down(operand)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return _call(name, [down(a) for a in args], where)
    piece = ast.get_source_segment(text.strip(), node) or text  # type: ignore[arg-type]
    raise fail(
        where,
        f"{_short(piece)!r} is not allowed in an expression",
        "use + - * / **, numbers, names and " + " ".join(FUNCTIONS),
    )


def _call(name: str, args: list[Tree], where: str) -> Tree:
    if name not in FUNCTIONS:
        raise fail(where, f"{name!r} is not a function", nearest(name, FUNCTIONS))
    if len(args) != FUNCTIONS[name]:
        raise fail(
            where,
            f"{name} takes {FUNCTIONS[name]} arguments, not {len(args)}",
            "hill(x, k, n) = x^n / (k^n + x^n)" if name == "hill" else "",
        )
    return ("call", name, tuple(args))


def names_in(tree: Tree) -> set[str]:
    """The names a tree refers to."""
    match tree:
        case ("num", _):
            return set()
        case ("name", name):
            return {name}
        case ("call", _, args):
            return set().union(*(names_in(a) for a in args))
        case (_, *rest):
            return set().union(*(names_in(a) for a in rest))
    return set()


def size(tree: Tree, sizes: Mapping[str, int]) -> int:
    """How many terms a tree has when the names in `sizes` are written out."""
    match tree:
        case ("num", _):
            return 1
        case ("name", name):
            return sizes.get(name, 1)
        case ("call", _, args):
            return 1 + sum(size(a, sizes) for a in args)
        case (_, *rest):
            return 1 + sum(size(a, sizes) for a in rest)
    return 1


def rename(tree: Tree, to: Callable[[str], str | Tree]) -> Tree:
    """The same tree with its names replaced, each by another name or a tree."""
    match tree:
        case ("num", _):
            return tree
        case ("name", name):
            other = to(name)
            return ("name", other) if isinstance(other, str) else other
        case ("call", function, args):
            return ("call", function, tuple(rename(a, to) for a in args))
        case (op, *rest):
            return (op, *(rename(a, to) for a in rest))
    return tree


def unparse(tree: Tree, rank: int = 0) -> str:
    """A tree as a person would write it."""
    match tree:
        case ("num", value):
            return f"{float(value):g}" if value.denominator != 1 or abs(value) > 1e6 else str(value.numerator)
        case ("name", name):
            return name
        case ("call", function, args):
            return f"{function}({', '.join(unparse(a) for a in args)})"
        case ("neg", a):
            text = "-" + unparse(a, 3)
            return f"({text})" if rank >= 3 else text
        case (op, a, b):
            own = _RANK[op]
            left = unparse(a, own + (op == "**"))
            right = unparse(b, own + (op in "-/"))
            text = f"{left}{op}{right}" if op == "**" else f"{left} {op} {right}"
            return f"({text})" if own < rank else text
    return str(tree)


def constant(tree: Tree) -> Fraction | None:
    """The value of a tree of plain numbers such as 1/3, or None."""
    match tree:
        case ("num", value):
            return value
        case ("neg", a):
            inner = constant(a)
            return None if inner is None else -inner
        case ("+" | "-" | "*" | "/" as op, a, b):
            left, right = constant(a), constant(b)
            if left is None or right is None or (op == "/" and right == 0):
                return None
            return _APPLY[op](left, right)
    return None


def evaluate(tree: Tree, values: Mapping[str, Any], numpy: Any) -> Any:
    """The value of a tree for numbers or arrays; `numpy` supplies the functions."""
    match tree:
        case ("num", value):
            return float(value)
        case ("name", name):
            return values[name]
        case ("neg", a):
            return -evaluate(a, values, numpy)
        case ("call", name, args):
            x = [evaluate(a, values, numpy) for a in args]
            if name == "hill":
                powered = numpy.maximum(x[0], 0.0) ** x[2]
                return powered / (x[1] ** x[2] + powered)
            return getattr(numpy, {"min": "minimum", "max": "maximum"}.get(name) or name)(*x)
        case (op, a, b):
            left, right = evaluate(a, values, numpy), evaluate(b, values, numpy)
            return _APPLY[op](left, right)
    raise ContentError(())


_APPLY: dict[str, Callable] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
}
