"""Draws of a joint set: each draw is one number of every calibrated line, so that rows of two sets never
stand side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pkpd.content.library import raise_issues
from pkpd.errors import Issue, fail, nearest
from pkpd.model.model import Parameter
from pkpd.parameters.bounds import allowed, beyond, outside
from pkpd.parameters.parameters import Parameters, Value

WHATS = ("value", "sd", "mixture")


def split(key: str) -> tuple[str, str, str]:
    """The context (empty: none), the line and what of it is drawn, as the key of a draw names them."""
    line, _, what = key.partition(":")
    context, _, line = line.rpartition("/")
    return context, line, what or "value"


def left(base: Parameters, top: Parameters, where: str) -> dict[str, tuple[float, ...]]:
    """The draws of one set laid over another: of the lines that the set on top leaves alone, or its own.

    Sets that were not drawn together have no joint draws: an error where some of both would be left.
    """
    own = {v.name for v in top.values}
    kept = {k: v for k, v in base.draws.items() if k.split(":")[0] not in own and k not in top.draws}
    if kept and top.draws:
        raise fail(
            f"{where}: draws",
            f"{_lines(top.draws)} drawn here, and {_lines(kept)} drawn in {base.name} below it: "
            "two joint sets, whose draws do not belong together",
            "keep the draws of one: lay the values of the other without [draws], or fit the lines of both "
            "in one fit",
        )
    return dict(top.draws) or kept


def _lines(draws: dict[str, tuple[float, ...]]) -> str:
    first = next(iter(draws))
    return f"{first} is" if len(draws) == 1 else f"{first} and {len(draws) - 1} more are"


def issues(own: Parameters, where: str) -> list[Issue]:
    """Draws of lines that a set has not, or that have not what is drawn; draws within contexts are theirs to
    check.
    """
    lines, found = {v.name: v for v in own.values}, []
    for key in own.draws:
        context, name, what = split(key)
        place = f"{where}: draws.{key}"
        if what not in WHATS:
            found.append(Issue(place, f"{what!r} is nothing that is drawn of a line", nearest(what, WHATS)))
        elif not context and name not in lines:
            found.append(Issue(place, f"there is no line {name!r} to draw", nearest(name, lines)))
        elif not context and what != "value" and not _has(lines[name], what):
            found.append(Issue(place, f"{name} has no {what}", "draw its value, or give it a spread"))
    return found


def beyond_bounds(own: Parameters, wanted: Mapping[str, Parameter], where: str) -> list[Issue]:
    """Draws, in the model's units, that are what their line cannot be: a value beyond its parameter's bounds,
    a negative sd, a share of a mixture that is none; the first of each key, with how many more there are.
    """
    found = []
    for key, row in own.draws.items():
        context, name, what = split(key)
        if context or name not in wanted or what not in WHATS:
            continue
        draws, named = np.array(row), replace(wanted[name], name=name.rpartition(".")[2])
        most = 1.0 if what == "mixture" else np.inf
        bad = draws[outside(named, draws) if what == "value" else ~((draws >= 0) & (draws <= most))]
        if not bad.size:
            continue
        first, more = float(bad[0]), f", and {bad.size - 1} more like it" if bad.size > 1 else ""
        told = (
            beyond(named, first) if what == "value" else f"{what} of {name} = {first:g} is no {_SIZES[what]}"
        )
        found.append(
            Issue(
                f"{where}: draws.{key}",
                told + more,
                f"mend the draw; {allowed(named, first)}"
                if what == "value"
                else "mend the draw, or fit again",
            )
        )
    return found


_SIZES = {"sd": "size of a spread", "mixture": "share from 0 to 1"}


def _has(line: Value, what: str) -> bool:
    return line.spread is not None and (what == "sd" or bool(line.spread.weights))


def in_units(
    own: Parameters, factors: dict[str, float], wanted: Mapping[str, Parameter], where: str
) -> Parameters:
    """The set with the draws of lines whose unit was changed brought to it, as their values are, each one
    that can be.

    An error as of `beyond_bounds`.
    """

    def factor(key: str) -> float:
        context, name, what = split(key)
        line = next((v for v in own.values if v.name == name), None)
        moved = what == "value" or (
            what == "sd" and line is not None and line.spread is not None and line.spread.law == "normal"
        )
        return factors.get(name, 1.0) if moved and not context else 1.0

    if factors and own.draws:
        own = replace(
            own,
            draws={
                k: tuple(x * factor(k) for x in row) if factor(k) != 1 else row
                for k, row in own.draws.items()
            },
        )
    raise_issues(beyond_bounds(own, wanted, where))
    return own
