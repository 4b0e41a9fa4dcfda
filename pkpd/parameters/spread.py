"""How a value varies between patients: one form that virtual patients and estimation both read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from pkpd.content.fields import is_number
from pkpd.errors import fail, nearest

_FARTHEST = 2.0**-53  # as near to 0 and 1 as draws of patients come
LAWS = {
    "lognormal": ("cv", "sd", "variance", "low", "high", "mixture"),
    "logitnormal": ("sd", "low", "high"),
    "normal": ("sd", "low", "high"),
    "uniform": ("low", "high"),
    "bernoulli": (),
    "categorical": ("values", "weights"),
}
_PERCENT = 5.0  # no published cv is over 500 %: such a number was meant in percent
_WIDE = 1e6  # no omega makes a patient of one sd lie further off than this: such a size is a slip


@dataclass(frozen=True)
class Spread:
    """A distribution around a typical value T, with z standard normal and u uniform:

    lognormal    T exp(sd z), sd = omega: of a cv, sqrt(ln(1 + cv^2)); of a variance, its root
    normal       T + sd z, sd in the value's unit
    logitnormal  low + (high - low) expit(logit((T - low) / (high - low)) + sd z); 0 to 1 if not said
    uniform      low + (high - low) u
    bernoulli    1 with probability T, else 0
    categorical  one of `values`, with probabilities `weights`

    `low` and `high` truncate (lognormal, normal: z is drawn within, so that T need no longer be the median),
    bound (logitnormal) or span (uniform). A mixture multiplies T by one of `factors`, with probabilities
    `weights`. ContentError for a law that there is not.
    """

    law: str
    sd: float = 0.0
    low: float = -np.inf
    high: float = np.inf
    weights: tuple[float, ...] = ()
    factors: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    def __post_init__(self):
        if self.law not in LAWS:
            raise fail("spread", f"there is no law {self.law!r}", nearest(str(self.law), LAWS))

    @property
    def ends(self) -> tuple[float, ...]:
        """The values that it says it reaches: its finite bounds, or those that it can take."""
        if self.values:
            return tuple(x for x, share in zip(self.values, self.weights, strict=True) if share > 0)
        least = max(self.low, 0.0) if self.law == "lognormal" else self.low
        return tuple(x for x in (least, self.high) if np.isfinite(x))

    def component(self, u: np.ndarray) -> np.ndarray:
        """The mixture's factor for each uniform draw."""
        edges = np.cumsum(self.weights)[:-1]
        return np.asarray(self.factors)[np.searchsorted(edges, u, side="right")]

    def quantile(self, u: np.ndarray, typical: np.ndarray) -> np.ndarray:
        """The value at probability u around the typical value; both (patient,), the value in the unit of the
        typical one.
        """
        return _QUANTILES[self.law](self, u, typical)


def _truncated(u: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """A standard normal at probability u of its part between two z-scores."""
    flip = np.where(
        np.asarray(low) > 0, -1.0, 1.0
    )  # the upper tail is computed as the lower one: no digits lost
    low, high = np.where(flip < 0, -np.asarray(high), low), np.where(flip < 0, -np.asarray(low), high)
    u = np.where(flip < 0, 1.0 - u, u)
    a, b = ndtr(low), ndtr(high)
    return flip * np.clip(ndtri(np.clip(a + u * (b - a), 1e-300, 1 - 1e-16)), low, high)


def _lognormal(s: Spread, u: np.ndarray, typical: np.ndarray) -> np.ndarray:
    if s.sd == 0:
        return typical
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        low, high = np.log(max(s.low, 0.0) / typical) / s.sd, np.log(s.high / typical) / s.sd
    return typical * np.exp(s.sd * _truncated(u, low, high))


def _normal(s: Spread, u: np.ndarray, typical: np.ndarray) -> np.ndarray:
    if s.sd == 0:
        return typical
    with np.errstate(over="ignore"):
        low, high = (s.low - typical) / s.sd, (s.high - typical) / s.sd
    return typical + s.sd * _truncated(u, low, high)


def _logitnormal(s: Spread, u: np.ndarray, typical: np.ndarray) -> np.ndarray:
    low, high = max(s.low, 0.0) if np.isinf(s.low) else s.low, 1.0 if np.isinf(s.high) else s.high
    return low + (high - low) * expit(logit((typical - low) / (high - low)) + s.sd * ndtri(u))


def _uniform(s: Spread, u: np.ndarray, typical: np.ndarray) -> np.ndarray:
    return s.low + (s.high - s.low) * u + 0.0 * typical


def _bernoulli(s: Spread, u: np.ndarray, typical: np.ndarray) -> np.ndarray:
    return (u >= 1.0 - typical).astype(float)


def _categorical(s: Spread, u: np.ndarray, typical: np.ndarray) -> np.ndarray:
    return np.asarray(s.values)[np.searchsorted(np.cumsum(s.weights)[:-1], u, side="right")] + 0.0 * typical


_QUANTILES: dict[str, Callable[[Spread, np.ndarray, np.ndarray], np.ndarray]] = {
    "lognormal": _lognormal,
    "normal": _normal,
    "logitnormal": _logitnormal,
    "uniform": _uniform,
    "bernoulli": _bernoulli,
    "categorical": _categorical,
}


def read_spread(entry: object, typical: float, report: Callable[[str, str], None]) -> Spread | None:
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


def _built(law: str, entry: dict, numbers: dict, typical: float, report) -> Spread | None:
    sd = float(numbers.get("sd", 0.0))
    if "cv" in numbers:
        with np.errstate(over="ignore"):
            sd = float(np.sqrt(np.log1p(np.float64(numbers["cv"]) ** 2)))
    if "variance" in numbers:
        sd = float(np.sqrt(max(numbers["variance"], -1.0))) if numbers["variance"] >= 0 else -1.0
    low, high = float(numbers.get("low", -np.inf)), float(numbers.get("high", np.inf))
    if sd < 0 or (numbers.get("cv", 0.0) < 0):
        report("its size is negative", "give a size of zero or more")
    elif law in ("lognormal", "logitnormal") and sd > np.log(_WIDE):
        report(
            f"its omega is over {np.log(_WIDE):.3g}: one patient in three would be a million times off",
            "mend the size: a cv of 30 % is cv = 0.3",
        )
    elif numbers.get("cv", 0.0) > _PERCENT:
        report(
            f"its cv is {numbers['cv']:g}, that is {100 * numbers['cv']:g} %",
            f"a cv of 30 % is cv = 0.3; where it is so wide, give its omega: sd = {sd:.4g}",
        )
    elif low >= high:
        report(f"low {low:g} is not below high {high:g}", "")
    elif law == "lognormal" and typical <= 0:
        report(f"a lognormal spread needs a positive value, not {typical:g}", "use another law")
    elif law == "lognormal" and high <= 0:
        report(f"high {high:g} is not above zero", "a lognormal is positive")
    elif law in ("bernoulli",) and not 0 <= typical <= 1:
        report(f"a probability of {typical:g}", "give the value from 0 to 1")
    elif law == "logitnormal" and not (0 if np.isinf(low) else low) < typical < (
        1 if np.isinf(high) else high
    ):
        report(f"the value {typical:g} is not between its bounds", "")
    elif law == "uniform" and (np.isinf(low) or np.isinf(high)):
        report("a uniform spread needs low and high", "")
    elif not low <= typical <= high:
        report(
            f"the value {typical:g} is not from its low {low:g} to its high {high:g}",
            "mend the value or its bounds",
        )
    else:
        return _whole(_with_lists(Spread(law, sd, low, high), entry, report), typical, report)
    return None


def _whole(spread: Spread | None, typical: float, report: Callable[[str, str], None]) -> Spread | None:
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


def _with_lists(spread: Spread, entry: dict, report) -> Spread | None:
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


def in_unit(spread: Spread | None, factor: float) -> Spread | None:
    """A spread of a value that has been multiplied by a factor."""
    if spread is None:
        return None
    low, high = spread.low, spread.high
    if spread.law == "logitnormal":
        low, high = max(low, 0.0) if np.isinf(low) else low, 1.0 if np.isinf(high) else high
    return replace(
        spread,
        low=low * factor,
        high=high * factor,
        values=tuple(x * factor for x in spread.values),
        sd=spread.sd * factor if spread.law == "normal" else spread.sd,
    )
