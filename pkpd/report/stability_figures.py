"""Figures of a study of stability: eigenvalues, growth against kill, and equilibria by strength of kill."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pkpd.report.stability_words import within
from pkpd.show.style import FAINT, LIMIT, MAIN, STYLE
from pkpd.simulation.curves import INK
from pkpd.study.stability.run import StabilityResult
from pkpd.study.stability.subjects import StabilityStudy

CLASSES = {
    "T cells": "#0072B2",
    "blood": "#56B4E9",
    "surroundings": "#009E73",
    "dead volume": "#E69F00",
    "tumour": "#D55E00",
}
_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": FAINT, "linestyle": (0, (4, 2))},
    {"color": MAIN, "linestyle": "-"},
    {"color": "#CC79A7", "linestyle": "-"},
    {"color": "#009E73", "linestyle": "-"},
)
_STRONGER = {"color": "#D55E00", "linestyle": (0, (1.2, 1.2))}
_NEAR = 1e-3  # 1/day: between this and its opposite the axis of rates is linear


def spectrum_figure(result: StabilityResult) -> Figure:
    """The real part of each eigenvalue, a panel a group, a row a rank; bars hold the middle of patients."""
    study = result.study
    with rc_context(STYLE):
        most = max(r["rank"] for r in result.ranks)
        picture, axes = panels(len(study.groups), 2, 0.26 * most + 0.8)
        for axis, group in zip(axes, study.groups, strict=False):
            for k, given in enumerate(study.compared):
                own = [r for r in result.ranks if r["group"] == group.name and r["treatment"] == given.name]
                for r in own:
                    y, color = (
                        r["rank"] + 0.36 * ((k + 0.5) / len(study.compared) - 0.5) * 1.4,
                        CLASSES[r["class"]],
                    )
                    axis.plot(
                        [r["low"], r["high"]], [y, y], color=color, linewidth=1.5, solid_capstyle="butt"
                    )
                    axis.plot(r["value"], y, color=color, **_given(k))
            _rated(axis, most)
            dress(axis, group.title)
        handles = [
            *(Line2D([], [], color=c, linewidth=3, label=f"led by {n}") for n, c in CLASSES.items()),
            *(Line2D([], [], color=INK, label=t.title, **_given(k)) for k, t in enumerate(study.compared)),
        ]
        picture.legend(
            handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9
        )
    return picture


def _given(k: int) -> dict[str, Any]:
    """The mark of a treatment: open without any, full with."""
    return {
        "marker": "o",
        "markersize": 4.6,
        "linestyle": "none",
        **({} if k else {"markerfacecolor": "white"}),
    }


def _rated(axis: Axes, most: int) -> None:
    """Axes of rates (1/day) and of ranks."""
    axis.set_xscale("symlog", linthresh=_NEAR, linscale=0.6)
    axis.xaxis.set_major_locator(FixedLocator([-1, -0.1, -0.01, -0.001, 0, 0.001, 0.01]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}".replace("-", "−")))
    axis.axvline(0, color=INK, linewidth=0.9)
    axis.set_yticks(range(1, most + 1))
    axis.set(
        xlim=(-1.2, 0.05),
        ylim=(most + 0.6, 0.4),
        ylabel="rank",
        xlabel="real part of the eigenvalue (1/day): left of zero fades, right grows",
    )


def balance_figure(result: StabilityResult) -> Figure:
    """Growth and kill of the typical patient against viable tumour, a panel a group; where they meet tumour
    rests.
    """
    study = result.study
    with rc_context(STYLE):
        picture, axes = panels(len(study.groups), 2, 3.5)
        for axis, group in zip(axes, study.groups, strict=False):
            for r in result.curves:
                if r["group"] == group.name and _is_drawn(study, r):
                    _growth_and_kill(axis, r, [t.name for t in study.compared].index(r["treatment"]))
            axis.set(
                xscale="log",
                yscale="log",
                xlim=(1e-6, 2e3),
                ylim=(1e-5, 0.2),
                xlabel="viable tumour in the site (mL)",
                ylabel="rate (1/day)",
            )
            dress(axis, group.title)
        handles = [
            Line2D([], [], color=INK, linewidth=1.1, label="growth, dead volume included"),
            *(
                Line2D([], [], linewidth=1.7, label=f"kill, {within(t.title)}", **_LOOKS[k % len(_LOOKS)])
                for k, t in enumerate(study.compared)
            ),
        ]
        if any(r["factor"] != 1 and _is_drawn(study, r) for r in result.curves):
            stronger = "kill in the middle of those with two stable states"
            handles.append(Line2D([], [], linewidth=1.7, label=stronger, **_STRONGER))
        picture.legend(
            handles=[*handles, *_marks()], loc="outside lower center", ncols=3, frameon=False, fontsize=9
        )
    return picture


def _is_drawn(study: StabilityStudy, row: dict) -> bool:
    """Whether a pair of curves is near any patient: kill is multiplied only where something is given."""
    return row["factor"] == 1 or any(t.sets for t in study.compared if t.name == row["treatment"])


def _growth_and_kill(axis: Axes, row: dict, place: int) -> None:
    """One treatment, by its place among those compared: kill, growth beside it, and where they meet."""
    look = _LOOKS[place % len(_LOOKS)] if row["factor"] == 1 else _STRONGER
    volume, growth, kill = (np.array(row[k]) for k in ("volume", "growth", "kill"))
    axis.plot(volume, np.maximum(kill, 1e-9), linewidth=1.7, **look)
    axis.plot(volume, np.maximum(growth, 1e-9), **{**look, "color": INK}, linewidth=1.1)
    _meetings(axis, volume, growth, kill, look["color"])
    if row["factor"] != 1:
        axis.text(
            0.98,
            0.93,
            f"dotted: kill × {row['factor']:.2g}",
            transform=axis.transAxes,
            fontsize=8.5,
            ha="right",
            color=_STRONGER["color"],
        )


def _meetings(axis: Axes, volume: np.ndarray, growth: np.ndarray, kill: np.ndarray, color: str) -> None:
    """Marks where growth and kill are equal: full where growth is above before and kill after, open the other
    way round.
    """
    net = growth - kill
    for i in np.flatnonzero((net[1:] > 0) != (net[:-1] > 0)):
        part = net[i] / (net[i] - net[i + 1])
        x, y = (
            float(np.exp(np.log(v[i]) + part * np.log(v[i + 1] / v[i])))
            if min(v[i], v[i + 1]) > 0
            else float(v[i])
            for v in (volume, kill)
        )
        axis.plot(
            x,
            y,
            marker="o",
            markersize=7.5,
            color=color,
            markerfacecolor=color if net[i] > 0 else "white",
            markeredgewidth=1.6,
            linestyle="none",
            zorder=5,
            clip_on=False,
        )


def _marks() -> list[Line2D]:
    return [
        Line2D([], [], color=INK, marker="o", linestyle="none", markersize=7, label="stable equilibrium"),
        Line2D(
            [],
            [],
            color=INK,
            marker="o",
            linestyle="none",
            markersize=7,
            markerfacecolor="white",
            markeredgewidth=1.6,
            label="unstable: parts two ends",
        ),
    ]


def branch_figure(result: StabilityResult) -> Figure:
    """Equilibria of the typical patient by the factor on kill, a panel a group: solid where stable, dotted
    where not.
    """
    study = result.study
    with rc_context(STYLE):
        picture, axes = panels(len(study.groups), 2, 3.2)
        for axis, group in zip(axes, study.groups, strict=False):
            _branches(axis, result, group.name)
            axis.axvline(1, color=LIMIT, linewidth=1.1, linestyle=(0, (4, 3)))
            axis.set(
                xscale="log",
                yscale="log",
                xlim=(0.05, 100),
                ylim=(1e-4, 2e3),
                xlabel="kill (KAPPA), times that of the typical patient",
                ylabel="viable tumour at rest (mL)",
            )
            axis.xaxis.set_major_locator(FixedLocator([0.1, 0.3, 1, 3, 10, 30, 100]))
            axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
            axis.xaxis.set_minor_locator(NullLocator())
            dress(axis, group.title)
        handles = [
            *(
                Line2D([], [], color=_LOOKS[k % len(_LOOKS)]["color"], linewidth=2, label=t.title)
                for k, t in enumerate(study.compared)
            ),
            Line2D([], [], color=INK, linewidth=2, label="stable"),
            Line2D([], [], color=INK, linewidth=2, linestyle=(0, (1, 1.2)), label="unstable"),
            Line2D([], [], color=LIMIT, linewidth=1.1, linestyle=(0, (4, 3)), label="the typical patient"),
            Patch(color="#dfe6ee", label="the middle of patients"),
        ]
        picture.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    return picture


def _branches(axis: Axes, result: StabilityResult, group: str) -> None:
    """The equilibria of one group under each treatment, and the middle of its patients as a band."""
    compared = result.study.compared
    for k, given in enumerate(compared):
        color = _LOOKS[k % len(_LOOKS)]["color"]
        [r] = [r for r in result.branches if r["group"] == group and r["treatment"] == given.name]
        factor, volume, stable = (np.array(r[x]) for x in ("factor", "volume", "stable"))
        for holds, style in ((True, "-"), (False, (0, (1, 1.2)))):
            at_rest = np.where(_widened(stable == holds), volume, np.nan)
            axis.plot(factor, at_rest, linestyle=style, color=color, linewidth=2.0)
    [fold] = [f for f in result.folds if f["group"] == group and f["treatment"] == compared[0].name]
    axis.axvspan(fold["patients_low"], fold["patients_high"], color="#eef2f6", zorder=0)


def _widened(which: np.ndarray) -> np.ndarray:
    """Points of a stretch and the first beyond it, so that stretches meet."""
    found = which.copy()
    found[1:] |= which[:-1]
    return found


def panels(count: int, columns: int, height: float, width: float = 5.6) -> tuple[Figure, list[Axes]]:
    columns = min(columns, count)
    lines = -(-count // columns)
    picture = Figure(figsize=(width * columns, height * lines + 0.9), layout="constrained")
    picture.get_layout_engine().set(w_pad=0.10, h_pad=0.08)  # type: ignore[union-attr]
    axes = list(picture.subplots(lines, columns, squeeze=False).flat)
    for axis in axes[count:]:
        axis.set_visible(False)
    return picture, axes


def dress(axis: Axes, title: str, lines: bool = True) -> None:
    axis.set_title(title, loc="left", fontweight="bold")
    if lines:
        axis.grid(color="#e5e7eb", linewidth=0.8)
        axis.set_axisbelow(True)
