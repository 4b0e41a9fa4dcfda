"""Intervals of numbers seen once a draw (or a patient), by one rule: an interval that covers the next one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

LEVEL = 0.95
Cell = dict[str, Any]


def interval(values: np.ndarray, level: float = LEVEL) -> Cell:
    """The median of exchangeable numbers, and the interval that covers a further one at a level.

    Ends are at ranks p (n + 1) of the n numbers in order, p = (1 ∓ level) / 2, by a straight line between
    neighbours (Hyndman and Fan's type 6, Am Stat 50:361 (1996), doi:10.1080/00031305.1996.10473566). A
    further number lies between ranks j and k with probability (k - j) / (n + 1), whatever its law, so that
    the level is met where n >= 2 / (1 - level) - 1 (39 at 95 %); of fewer the ends are the least and the
    greatest, and `level` in the answer is what these reach, (n - 1) / (n + 1).

    value, low, high   None where infinite (not reached), and where undefined (NaN) in over half of them
    level, defined     what is reached, and by how many numbers: those that are undefined are left out
    """
    values = np.asarray(values, dtype=float).ravel()
    known = values[~np.isnan(values)]
    told = {"level": reached(known.size, level), "defined": int(known.size)}
    if not known.size or known.size < 0.5 * values.size:
        return {"value": None, "low": None, "high": None, **told}
    low, value, high = (x if math.isfinite(x) else None for x in ends(known, level))
    return {"value": value, "low": low, "high": high, **told}


def ends(values: np.ndarray, level: float = LEVEL) -> tuple[float, float, float]:
    """Low end, median and high end of the defined numbers, infinite where they are; missing of none."""
    known = np.sort(values[~np.isnan(values)])
    if not known.size:
        return math.nan, math.nan, math.nan
    shares = ((1 - level) / 2, 0.5, (1 + level) / 2)
    low, middle, high = (at_rank(known, p * (known.size + 1)) for p in shares)
    return low, middle, high


def at_rank(ordered: np.ndarray, rank: float) -> float:
    """A number by its rank from 1, between two of them by a straight line; infinite if either is."""
    rank = min(max(rank, 1.0), float(len(ordered)))
    below = math.floor(rank + 1e-9)
    part = max(rank - below, 0.0)
    one = float(ordered[below - 1])
    if part < 1e-9 or one == (other := float(ordered[below])):
        return one
    if math.isinf(one) or math.isinf(other):
        return one if math.isinf(one) else other
    return one + part * (other - one)


def reached(count: int, level: float = LEVEL) -> float:
    """The level that an interval of so many numbers reaches: that asked for, or of the least to
    the greatest.
    """
    return min(level, (count - 1) / (count + 1)) if count else 0.0


def level_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """The level that intervals of rows reach, for a reader: `95 %`, `88 %` (of 16), `81–95 %`;
    rounded down.
    """
    found = sorted({math.floor(100 * r["level"] + 1e-9) for r in rows if r.get("defined")})
    if not found:
        return f"{100 * LEVEL:g} %"
    return f"{found[0]} %" if len(found) == 1 else f"{found[0]}–{found[-1]} %"


def share(which: Any, level: float = LEVEL) -> Cell:
    """How many patients in a hundred, with the interval of a count of so many (Jeffreys); None of none.

    k of n: 100 k / n, and 100 times the quantiles (1 - level) / 2 and (1 + level) / 2 of Beta(k + 1/2, n - k
    + 1/2); the low end is 0 of k = 0, the high end 100 of k = n. Brown, Cai & DasGupta, Stat Sci 16:101
    (2001), doi:10.1214/ss/1009213286.
    """
    from scipy.stats import beta

    k, n = int(np.sum(which)), int(np.size(which))
    if not n:
        return {"value": None, "low": None, "high": None}
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, k + 0.5, n - k + 0.5)) if k else 0.0
    high = float(beta.ppf(1 - tail, k + 0.5, n - k + 0.5)) if k < n else 1.0
    return {"value": 100 * k / n, "low": 100 * low, "high": 100 * high}
