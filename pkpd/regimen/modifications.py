"""What changes a course: how many cycles, which came late, what was given of a dose; each checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pkpd.content import units
from pkpd.content.fields import is_number
from pkpd.content.library import whole
from pkpd.content.toml import shown
from pkpd.errors import fail, nearest
from pkpd.regimen.cycle_ranges import spans

_MOST = 1000  # cycles


@dataclass(frozen=True)
class Reduction:
    """What is given of the doses of `drugs` (all if empty) in `cycles` (all if empty): a share, 0 for a
    missed dose.
    """

    factor: float
    drugs: tuple[str, ...] = ()
    cycles: str = ""


def count_of(number: object, where: str) -> int:
    """A number of cycles."""
    if not whole(number, 0, _MOST):
        raise fail(
            where, f"{shown(number)} is not a number of cycles", f"give a whole number from 0 to {_MOST}"
        )
    return number


def delays_of(delays: object, where: str) -> list[tuple[int, float]]:
    """Of each late cycle its number and by how many days it was late."""
    found = []
    for key, time in delays.items() if isinstance(delays, Mapping) else [(None, None)]:
        number = int(key) if isinstance(key, str) and key.isdecimal() and len(key) < 5 else key
        if not whole(number, 1, _MOST):
            raise fail(
                where,
                f"{shown(delays)} does not say which cycle is late by how much",
                'number cycles from 1: delays = { 3 = "7 day" }; in Python {3: "7 day"}',
            )
        days = units.days(time, where, "is no delay", 'give a time above zero: "7 day"', least=1 / 24)
        found.append((number, days))
    return found


def reduction_of(
    factor: object, drugs: object, cycles: object, name: str, known: Sequence[str], where: str
) -> Reduction:
    """A reduction of a regimen of that name, which gives the `known` drugs."""
    if not is_number(factor) or not 0 <= factor < 1:
        raise fail(
            f"{where}.factor",
            "is missing" if factor is None else f"{shown(factor)} does not reduce a dose",
            "give what is left of a dose, from 0 (a missed one) to less than 1: factor = 0.75",
        )
    if not isinstance(drugs, list | tuple) or drugs == []:
        raise fail(
            f"{where}.drugs",
            f"{shown(drugs)} is not a list of drugs",
            'write drugs = ["oxaliplatin"]; all, if left out',
        )
    for drug in drugs:
        if drug not in known:
            raise fail(f"{where}.drugs", f"{name} gives no {drug!r}", nearest(str(drug), known))
    if cycles != "":
        spans(cycles, f"{where}.cycles")
    return Reduction(float(factor), tuple(drugs), str(cycles))
