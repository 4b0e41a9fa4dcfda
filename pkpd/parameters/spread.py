"""How a value varies between patients: one form that virtual patients and estimation both read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from pkpd.errors import fail, nearest

LAWS = {
    "lognormal": ("cv", "sd", "variance", "low", "high", "mixture"),
    "logitnormal": ("sd", "low", "high"),
    "normal": ("sd", "low", "high"),
    "uniform": ("low", "high"),
    "bernoulli": (),
    "categorical": ("values", "weights"),
}


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
