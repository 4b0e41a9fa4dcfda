"""Medians and shares of virtual patients with their intervals, as cells of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import beta

Cell = dict[str, float | None]


def middle(values: np.ndarray, level: float = 0.95) -> Cell:
    """Median and the middle share of values; None where there is none."""
    known = values[~np.isnan(values)]
    if not known.size:
        return {"value": None, "low": None, "high": None}
    low, value, high = np.quantile(known, [0.5 - level / 2, 0.5, 0.5 + level / 2])
    return {"value": float(value), "low": float(low), "high": float(high)}


def share(which: Any, level: float = 0.95) -> Cell:
    """How many patients in a hundred, with the interval of a count of so many (Jeffreys); None of none."""
    k, n = int(np.sum(which)), int(np.size(which))
    if not n:
        return {"value": None, "low": None, "high": None}
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, k + 0.5, n - k + 0.5)) if k else 0.0
    high = float(beta.ppf(1 - tail, k + 0.5, n - k + 0.5)) if k < n else 1.0
    return {"value": 100 * k / n, "low": 100 * low, "high": 100 * high}


def over(draws: np.ndarray) -> Cell:
    """The median of draws with their central 95 % interval, which covers a next draw."""
    low, value, high = np.quantile(draws, [0.025, 0.5, 0.975], method="weibull")
    return {"value": float(value), "low": float(low), "high": float(high)}
