"""Numbers, expressions, spreads and copies in words, as a person would write them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction

from pkpd.content.units import pretty
from pkpd.model import expression
from pkpd.model.expression import Tree
from pkpd.parameters.covariates import Covariate
from pkpd.parameters.effects import Effect
from pkpd.parameters.spread import Spread
from pkpd.regimen.rules import Rule

DISCLAIMER = "Research software: not advice on any patient."


def number(value: float) -> str:
    """A number with four significant digits, as a person would write it."""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        text = f"{value:.4g}"
        return f"{value:.0f}" if "e" in text else text
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def length(days: float) -> str:
    """`1 day`, `14 days`."""
    return f"{number(days)} day{'' if days == 1 else 's'}"


def times(factor: Fraction) -> str:
    """A factor before a name, its sign left to the caller; nothing for one."""
    return "" if abs(factor) == 1 else f"{number(abs(float(factor)))}·"


def copy_number(name: str) -> int | None:
    """The copy that a flat name belongs to: 2 for `lesion.2.dead`."""
    words = name.split(".")
    return int(words[1]) if len(words) > 2 and words[1].isdigit() else None


def seen_from(own: int | None) -> Callable[[str], str]:
    """Renames flat names as seen from copy `own`: its own number is `i`, its neighbours' (i-1) and (i+1)."""

    def to(name: str) -> str:
        other = copy_number(name)
        if own is None or other is None:
            return name
        index = {0: "i", 1: "(i+1)", -1: "(i-1)"}.get(other - own, str(other))
        part, _, rest = name.split(".", 2)
        return f"{part}.{index}.{rest}"

    return to


def write(tree: Tree, to: Callable[[str], str]) -> str:
    """An expression for a reader: `CL·Cc`, `D0³`, `x^(1/3)`."""
    text = expression.unparse(_readable(expression.rename(tree, to)))
    text = re.sub(r"\*\*([23])(?![\d.])", lambda m: "²³"[int(m[1]) - 2], text)
    return text.replace("(1 / 3)", "(1/3)").replace(" * ", "·").replace("**", "^")


def _readable(tree: Tree) -> Tree:
    """The same expression with thirds as quotients, and quotients last, as a / b·c is misread."""
    match tree:
        case ("num", Fraction() as v) if v.denominator in (3, 6, 7, 9):
            return ("/", ("num", Fraction(v.numerator)), ("num", Fraction(v.denominator)))
        case ("num" | "name", _):
            return tree
        case ("call", function, args):
            return ("call", function, tuple(_readable(a) for a in args))
        case ("*", a, b):
            return _product(_readable(a), _readable(b))
    return (tree[0], *(_readable(a) for a in tree[1:]))


def _product(a: Tree, b: Tree) -> Tree:
    if a[0] == "/":
        return ("/", _product(a[1], b), a[2])
    return ("/", _product(a, b[1]), b[2]) if b[0] == "/" else ("*", a, b)


def spread_text(s: Spread) -> str:
    """A spread in words: `log-normal, CV 33 %, truncated to 10–150`."""
    if s.law == "bernoulli":
        return "yes or no, with this chance of yes"
    if s.law == "categorical":
        return ", ".join(f"{100 * w:.3g} %: {number(v)}" for w, v in zip(s.weights, s.values, strict=True))
    mixture = ", ".join(f"{100 * w:.3g} % × {number(f)}" for w, f in zip(s.weights, s.factors, strict=True))
    if mixture and not s.sd:
        return mixture
    size = f"SD {number(s.sd)} of the logarithm"
    if s.sd < 1:  # a CV says nothing of a spread over decades
        size = f"CV {100 * math.sqrt(math.expm1(s.sd**2)):.3g} %"
    words = {
        "lognormal": f"log-normal, {size}",
        "logitnormal": f"logit-normal, SD {number(s.sd)} of the logit",
        "normal": f"normal, SD {number(s.sd)}",
        "uniform": "uniform",
    }[s.law]
    return "; ".join(filter(None, (words + _bounds(s), mixture)))


def _bounds(s: Spread) -> str:
    low, high = s.low, s.high
    if s.law == "logitnormal":
        low, high = (0.0 if math.isinf(low) else low), (1.0 if math.isinf(high) else high)
    verb = "truncated to " if s.law in ("lognormal", "normal") else "from "
    if not math.isinf(low) and not math.isinf(high):
        return f", {verb}{number(low)}–{number(high)}"
    if not math.isinf(low):
        return f", above {number(low)}"
    return "" if math.isinf(high) else f", below {number(high)}"


def effect_text(e: Effect, register: Mapping[str, Covariate]) -> str:
    """What covariates multiply a value by, and the patient at whom it is one."""
    text = write(e.tree, lambda n: n)
    at = ", ".join(f"{n} {number(v)}{_covariate_unit(n, register)}" for n, v in e.reference)
    return f"× ({text}), 1 at {at}" if e.tree[0] in "+-" else f"× {text}, 1 at {at}"


def _covariate_unit(name: str, register: Mapping[str, Covariate]) -> str:
    unit = register[name].unit if name in register else "1"
    return "" if unit == "1" else f" {pretty(unit)}"


def rule_text(r: Rule) -> str:
    """A rule of a regimen in words: `hold the cycle 7 days at a time while …`."""
    unit = "" if r.unit == "1" else pretty(r.unit)[1:] if r.unit.startswith("1/") else " " + pretty(r.unit)
    level = f"{r.of} is {r.side} {number(r.level)}{unit}"
    drugs = " and ".join(r.drugs) or "every drug"
    if r.action == "stop":
        return f"stop {drugs} for good if {level}"
    if r.action == "reduce":
        floor = f", to no less than {100 * r.least:.3g} % of the first dose" if r.least else ""
        return f"multiply the doses of {drugs} by {number(r.factor)} from the cycle at which {level}{floor}"
    return f"hold the cycle {length(r.wait)} at a time while {level}; after {r.most} in a row, end the course"
