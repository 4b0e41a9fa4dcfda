"""The one unit registry, exact conversion factors, and how a unit is printed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pkpd.errors import fail
from pkpd.machine import cache, store

_TERM = r"\(?(?:[A-Za-zµ]+|%|1)(?:(?:\^|\*\*)\(?-?[0-9](?:\.[0-9]{1,3}|/[0-9])?\)?)?\)?"
_GRAMMAR = re.compile(rf"(?:{_TERM}(?: ?[*/ ] ?{_TERM})*)?")  # no numbers but 1 and small powers: no bombs


@dataclass(frozen=True)
class Unit:
    """A unit as an exact factor to base units and its dimensions."""

    factor: Fraction
    dims: tuple[tuple[str, Fraction], ...]

    def __mul__(self, other: Unit) -> Unit:
        return Unit(self.factor * other.factor, _add(self.dims, other.dims, 1))

    def __truediv__(self, other: Unit) -> Unit:
        return Unit(self.factor / other.factor, _add(self.dims, other.dims, -1))

    def power(self, exponent: Fraction) -> Unit:
        dims = tuple((d, e * exponent) for d, e in self.dims) if exponent else ()
        if exponent.denominator == 1:
            return Unit(self.factor**exponent.numerator, dims)
        return Unit(_root(self.factor, exponent.denominator) ** exponent.numerator, dims)


ONE = Unit(Fraction(1), ())
_LONG = ("minute", "hour", "day", "week", "fortnight", "month", "year", "decade", "century", "millennium")
_SHORT = ("milli", "micro", "nano", "pico", "femto")
_MEGA = ("mega", "giga", "tera", "peta", "exa", "zetta", "yotta", "ronna", "quetta")


class UnmeantPrefix(ValueError):
    """A decimal prefix that is a slip of the pen: `da`, a tenth of a year, for day; `Mg`, a tonne, for mg."""


def _add(a: tuple, b: tuple, sign: int) -> tuple:
    total = dict(a)
    for name, exponent in b:
        total[name] = total.get(name, Fraction(0)) + sign * exponent
    return tuple(sorted((n, e) for n, e in total.items() if e))


def _root(value: Fraction, degree: int) -> Fraction:
    """The root of a positive number: exact where it is rational, else to double precision."""
    near = tuple(round(n ** (1 / degree)) for n in (value.numerator, value.denominator))
    if near[0] ** degree == value.numerator and near[1] ** degree == value.denominator:
        return Fraction(*near)
    return Fraction(float(value) ** (1 / degree))


@lru_cache(1)
def registry() -> Any:
    """The pint registry with exact (rational) conversion factors."""
    import pint

    # pint says float, takes Fraction
    ureg = pint.UnitRegistry(non_int_type=Fraction, cache_folder=None)  # type: ignore[arg-type]
    ureg.define("cell = [cell]")
    ureg.define("percent = 1/100 = %")
    return ureg


def parse_unit(text: str, where: str = "unit") -> Unit:
    """A unit from its text, such as `mg/L` or `1/day`."""
    if not isinstance(text, str) or len(text) > 60 or not _GRAMMAR.fullmatch(text):
        raise fail(where, f"{str(text)[:60]!r} is not a unit", "write it as in 'mg/L', '1/day' or 'mL/min'")
    try:
        unit = _parsed(text)
    except UnmeantPrefix as error:
        raise fail(
            where,
            f"{text!r} is not a unit that is used here: it is {error}",
            "times are s, min, hour, day, week, month, year; amounts are mg, g, umol, volumes mL, L",
        ) from None
    except Exception as error:  # pint raises a dozen kinds for one reason: the text is no unit
        raise fail(
            where,
            f"{text!r} is not a unit ({type(error).__name__})",
            "write it as in 'mg/L', '1/day' or 'mL/min'",
        ) from None
    if dict(unit.dims).get("kelvin"):
        raise fail(where, f"{text!r}: temperatures are not used here", "choose another unit")
    return unit


@lru_cache(4096)
def _parsed(text: str) -> Unit:
    """A unit by the registry, kept in the cache folder: the registry takes long to load."""
    return (
        ONE
        if text in ("", "1")
        else cache.remember("units", store.content_hash(text, rests_on()), lambda: _known(text), Unit)
    )


def _known(text: str) -> Unit:
    quantity = registry().parse_expression(text.replace("%", "percent"))
    if not hasattr(quantity, "to_base_units"):
        raise ValueError("a bare number")
    for word in re.findall(r"[A-Za-zµ]+", text):
        prefix, unit, _ = registry().parse_unit_name(word)[0]
        if prefix and (
            unit in _LONG
            or (unit == "second" and prefix not in _SHORT)
            or (prefix in _MEGA and unit in ("gram", "liter", "mole", "molar"))
        ):
            raise UnmeantPrefix(f"{prefix}{unit}")
    base = quantity.to_base_units()
    return Unit(
        Fraction(base.magnitude), tuple(sorted((str(k), Fraction(v)) for k, v in base.units._units.items()))
    )


@lru_cache(1)
def rests_on() -> str:
    """A hash of what units rest on: the code here, and the registry's own definitions."""
    found = find_spec("pint")
    own = Path(found.origin).with_name("default_en.txt") if found and found.origin else None
    return store.content_hash(
        store.code_hash("content/units.py"), own.read_text(encoding="utf-8") if own else ""
    )


def ratio(source: str, target: str, where: str = "unit") -> Fraction:
    """The exact number by which a value in `source` is multiplied to be in `target`."""
    a, b = parse_unit(source, where), parse_unit(target, where)
    if a.dims != b.dims:
        raise fail(
            where, f"{source!r} cannot be converted to {target!r}", "give it in a unit of the same kind"
        )
    return a.factor / b.factor


def quantity(text: str, where: str) -> tuple[float, str]:
    """A number and its unit from a text such as `85 mg/m^2`."""
    if text == "":
        raise fail(where, "is missing", "write a number and a unit, as in '85 mg/m^2'")
    short = isinstance(text, str) and len(text) < 100
    match = re.match(r"^\s*([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*(.*?)\s*$", text) if short else None
    if match is None or not math.isfinite(float(match[1])):
        raise fail(where, f"{text!r:.80} is not a quantity", "write a number and a unit, as in '85 mg/m^2'")
    number, unit = float(match[1]), match[2] or "1"
    parse_unit(unit, where)
    return number, unit


def convert(text: str, unit: str, where: str) -> float:
    """The value of a quantity such as `2 year` in another unit."""
    number, own = quantity(text, where)
    if own == "1" and parse_unit(unit).dims:
        raise fail(where, f"{text!r} has no unit", f"write it with one: '{text} {unit}'")
    return number * float(ratio(own, unit, where))


def days(
    text: object, where: str, what: str, remedy: str, least: float = 0.0, most: float = 36525.0
) -> float:
    """A time such as `2 week` in days, from `least` to a hundred years; `what` says of another that it is
    none.
    """
    found = convert(text, "day", where)  # type: ignore[arg-type]  # what is no text is refused there
    if not least <= found <= most:
        raise fail(where, f"{text!r} {what}", remedy)
    return found


def pretty(unit: str) -> str:
    """A unit as a reader wants it: `m^2` as `m²`, `1` as a dash."""
    if unit in ("1", ""):
        return "–"
    return (
        unit.replace("**", "^").replace("^2", "²").replace("^3", "³").replace("ug", "µg").replace("um", "µm")
    )
