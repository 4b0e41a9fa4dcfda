"""The spread of a value, read from its table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pkpd.content.fields import is_number
from pkpd.parameters.spread import LAWS, Spread

_FARTHEST = 2.0**-53  # as near to 0 and 1 as draws of patients come
_PERCENT = 5.0  # no published cv is over 500 %: such a number was meant in percent
_WIDE = 1e6  # no omega makes a patient of one sd lie further off than this: such a size is a slip
_Report = Callable[[str, str], None]


def read_spread(entry: object, typical: float, report: _Report) -> Spread | None:
    """A spread from its table; faults go to `report(what, remedy)`."""
    if not isinstance(entry, dict) or not isinstance(entry.get("law"), str) or entry["law"] not in LAWS:
        report(f"{entry!r} is not a spread", 'write { law = "…", … }; laws: ' + ", ".join(LAWS))
        return None
    law = entry["law"]
    for key in entry:
        if key not in (*LAWS[law], "law"):
            report(f"a {law} spread has no {key!r}", "it takes " + (", ".join(LAWS[law]) or "nothing more"))
            return None
    numbers = {k: v for k, v in entry.items() if k not in ("law", "mixture", "values", "weights")}
    if not all(is_number(v) or (k in ("low", "high") and v in (np.inf, -np.inf)) for k, v in numbers.items()):
        report("holds something that is not a number", "")
        return None
    sizes = [k for k in ("cv", "sd", "variance") if k in entry]
    if law in ("lognormal", "logitnormal", "normal") and len(sizes) != 1:
        remedy = "give exactly one of cv, sd, variance" if law == "lognormal" else "give sd"
        report(f"gives {' and '.join(sizes) or 'no size'}", remedy)
        return None
    return _built(law, entry, numbers, typical, report)


def _built(
    law: str, entry: dict, numbers: dict[str, float], typical: float, report: _Report
) -> Spread | None:
    """A spread whose size and bounds its law can have."""
    sd = _omega(numbers)
    low, high = float(numbers.get("low", -np.inf)), float(numbers.get("high", np.inf))
    wrong = _wrong_size(law, sd, numbers.get("cv", 0.0)) or _wrong_bounds(law, low, high, typical)
    if wrong is not None:
        report(*wrong)
        return None
    return _whole(_with_lists(Spread(law, sd, low, high), entry, report), typical, report)


def _omega(numbers: dict[str, float]) -> float:
    """The sd on the scale of the law: as given, sqrt(log(1 + cv²)) or sqrt(variance); negative for none."""
    if "cv" in numbers:
        with np.errstate(over="ignore"):
            return float(np.sqrt(np.log1p(np.float64(numbers["cv"]) ** 2)))
    if "variance" in numbers:
        return float(np.sqrt(numbers["variance"])) if numbers["variance"] >= 0 else -1.0
    return float(numbers.get("sd", 0.0))


def _wrong_size(law: str, sd: float, cv: float) -> tuple[str, str] | None:
    """What is wrong with the size of a spread and the remedy."""
    if sd < 0 or cv < 0:
        return "its size is negative", "give a size of zero or more"
    if law in ("lognormal", "logitnormal") and sd > np.log(_WIDE):
        return (
            f"its omega is over {np.log(_WIDE):.3g}: one patient in three would be a million times off",
            "mend the size: a cv of 30 % is cv = 0.3",
        )
    if cv > _PERCENT:
        return (
            f"its cv is {cv:g}, that is {100 * cv:g} %",
            f"a cv of 30 % is cv = 0.3; where it is so wide, give its omega: sd = {sd:.4g}",
        )
    return None


def _wrong_bounds(law: str, low: float, high: float, typical: float) -> tuple[str, str] | None:
    """What is wrong with bounds around a typical value and the remedy."""
    least, most = (0 if np.isinf(low) else low), (1 if np.isinf(high) else high)
    if low >= high:
        return f"low {low:g} is not below high {high:g}", ""
    if law == "lognormal" and typical <= 0:
        return f"a lognormal spread needs a positive value, not {typical:g}", "use another law"
    if law == "lognormal" and high <= 0:
        return f"high {high:g} is not above zero", "a lognormal is positive"
    if law == "bernoulli" and not 0 <= typical <= 1:
        return f"a probability of {typical:g}", "give the value from 0 to 1"
    if law == "logitnormal" and not least < typical < most:
        return f"the value {typical:g} is not between its bounds", ""
    if law == "uniform" and (np.isinf(low) or np.isinf(high)):
        return "a uniform spread needs low and high", ""
    if not low <= typical <= high:
        what = f"the value {typical:g} is not from its low {low:g} to its high {high:g}"
        return what, "mend the value or its bounds"
    return None


def _whole(spread: Spread | None, typical: float, report: _Report) -> Spread | None:
    """A spread all of whose draws are numbers that a computer holds, with its typical value among them."""
    if spread is None:
        return None
    if spread.values and not min(spread.values) <= typical <= max(spread.values):
        report(
            f"the value {typical:g} is not among what it can be, {min(spread.values):g} to "
            f"{max(spread.values):g}",
            "give the value of a typical patient",
        )
        return None
    with np.errstate(all="ignore"):
        centre = typical * np.array(spread.factors or (1.0,))
        ends = spread.quantile(np.array([[_FARTHEST], [1 - _FARTHEST]]), centre)
    if not np.all(np.isfinite(ends)) or (spread.law == "lognormal" and np.any(ends <= 0)):
        report("its size is so large that draws are no numbers", "give a smaller size")
        return None
    return spread


def _with_lists(spread: Spread, entry: dict, report: _Report) -> Spread | None:
    if spread.law == "categorical":
        values, weights = entry.get("values"), entry.get("weights")
    elif "mixture" in entry:
        table = entry["mixture"] if isinstance(entry["mixture"], dict) else {}
        if set(table) - {"factors", "weights"}:
            report("a mixture takes factors and weights only", "")
            return None
        values, weights = table.get("factors"), table.get("weights")
    else:
        return spread
    if (
        not (isinstance(values, list) and isinstance(weights, list) and len(values) == len(weights) > 0)
        or not all(map(is_number, (*values, *weights)))
        or abs(sum(weights) - 1) > 1e-9
        or min(weights) < 0
    ):
        report("its lists do not match", "give as many weights (summing to 1) as values or factors")
        return None
    numbers, shares = tuple(map(float, values)), tuple(map(float, weights))
    if spread.law == "lognormal" and min(numbers) <= 0:
        report("a factor of a lognormal mixture is not positive", "give positive factors")
        return None
    key = "values" if spread.law == "categorical" else "factors"
    return replace(spread, weights=shares, **{key: numbers})
