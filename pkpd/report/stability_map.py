"""The map of a study of stability: where the typical patient ends, by the start."""

from __future__ import annotations

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from pkpd.report.stability_figures import dress, panels
from pkpd.report.stability_words import within
from pkpd.show.style import FAINT, STYLE
from pkpd.study.stability.run import StabilityResult

APART = 2  # ends within this ratio are one
_CRITICAL = "#D55E00"


def map_figure(result: StabilityResult) -> Figure | None:
    """Where the typical patient ends by the volume and the effectors of the start, a panel a case in which
    they matter.
    """
    maps = [r for r in result.maps if differs(r)]
    if not maps:
        return None
    study = result.study
    names, given = (
        {g.name: g.title for g in study.groups},
        {t.name: within(t.title) for t in study.treatments},
    )
    with rc_context(STYLE):
        picture, axes = panels(len(maps), 3, 3.5, 5.0)
        shade, *_ = [_ends(axis, r) for axis, r in zip(axes, maps, strict=False)]
        for axis, r in zip(axes, maps, strict=False):
            _parting(axis, r)
            axis.set(
                xscale="log",
                yscale="log",
                xlabel="effector cells at the start, relative to the reference",
                ylabel="viable tumour at the start (mL)",
            )
            axis.yaxis.set_major_locator(FixedLocator([1e-9, 1e-6, 1e-3, 1, 1e3]))
            axis.yaxis.set_minor_locator(NullLocator())
            strength = "" if r["factor"] == 1 else f", kill × {r['factor']:.2g}"
            dress(axis, f"{names[r['group']]}\n{given[r['treatment']]}{strength}", lines=False)
        bar = picture.colorbar(shade, ax=axes, label="viable tumour at the end (mL)", shrink=0.7, aspect=30)
        bar.ax.yaxis.set_minor_locator(NullLocator())
        picture.legend(handles=_handles(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return picture


def _ends(axis: Axes, row: dict) -> ScalarMappable:
    """The volume at the end from each start, as shades."""
    return axis.pcolormesh(
        row["effectors"],
        row["volumes"],
        np.clip(np.array(row["last"]), 1e-3, 1e3),
        shading="nearest",
        cmap="cividis",
        norm=LogNorm(1e-3, 1e3),
        rasterized=True,
    )


def _parting(axis: Axes, row: dict) -> None:
    """What parts one end from another, and the starts from which tumour falls below one cell."""
    if row["critical"]:
        parts = np.array([np.nan if x is None else x for x in row["critical"]])
        axis.plot(row["effectors"], parts, color="white", linewidth=3.2)
        axis.plot(row["effectors"], parts, color=_CRITICAL, linewidth=1.8)
        for v, stable in row["equilibria"]:
            if not stable:
                axis.axhline(v, color="white", linewidth=1.2, linestyle=(0, (4, 3)))
    gone = np.argwhere(np.array(row["outcome"]) == 0)
    axis.plot(
        np.array(row["effectors"])[gone[:, 1]],
        np.array(row["volumes"])[gone[:, 0]],
        color="white",
        marker="x",
        markersize=4,
        linestyle="none",
    )


def _handles() -> list[Line2D]:
    critical = "critical start, by bisection of the whole system"
    gone = "falls below one cell on its way"
    return [
        Line2D([], [], color=_CRITICAL, linewidth=1.8, label=critical),
        Line2D([], [], color=FAINT, linewidth=1.2, linestyle=(0, (4, 3)), label="unstable equilibrium"),
        Line2D([], [], color=FAINT, marker="x", linestyle="none", label=gone),
    ]


def differs(row: dict) -> bool:
    """Whether a map shows more than one end."""
    return max(map(max, row["last"])) > APART * min(map(min, row["last"]))
