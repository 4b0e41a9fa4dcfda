"""Values of patients over time as a figure: the median and the middle 90 %, or each patient where they are
few.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from pkpd.content.units import pretty

LINE, BAND, INK = "#0072B2", "#9ecae1", "#222222"
_FEW = 10  # patients that are drawn one by one
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelcolor": INK,
    "text.usetex": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "pkpd",
}


def curves(
    times: np.ndarray, values: Mapping[str, np.ndarray], units: Mapping[str, str], time: str, title: str
) -> Figure:
    """One panel a name; `times` and each of `values` are (patient, time).

    Where patients have times of their own, they are drawn one by one, since no time is common to them.
    """
    common = bool(np.all(times == times[:1]))
    with rc_context(STYLE):
        figure = Figure(figsize=(7.0, 1.0 + 2.4 * len(values)), layout="constrained")
        panels = figure.subplots(len(values), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, value) in zip(panels, values.items(), strict=True):
            if len(value) > _FEW and common:
                _band(axes, times[0], value)
            else:
                axes.plot(
                    times.T, value.T, color=LINE, linewidth=1.0, alpha=1.0 if len(value) <= _FEW else 0.3
                )
            unit = "" if units[name] == "1" else f" [{pretty(units[name])}]"
            axes.set_ylabel(f"{name}{unit}")
        panels[-1].set_xlabel(f"time [{pretty(time)}]")
        figure.suptitle(title, fontsize=10.5, wrap=True)
    return figure


def _band(axes: Any, times: np.ndarray, value: np.ndarray) -> None:
    """The median and the middle 90 % of the patients that have a value at each time."""
    known = np.ma.masked_invalid(value)
    there = np.flatnonzero(known.count(axis=0))
    low, middle, high = (
        np.array([np.quantile(known[:, k].compressed(), q) for k in there]) for q in (0.05, 0.5, 0.95)
    )
    axes.fill_between(times[there], low, high, color=BAND, linewidth=0, label="middle 90 % of patients")
    axes.plot(times[there], middle, color=LINE, label="median")
    axes.legend(frameon=False, fontsize=8.5, loc="best")
