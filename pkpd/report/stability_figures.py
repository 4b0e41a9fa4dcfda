"""Figures of a study of stability: eigenvalues, growth against kill, equilibria by strength of kill, and ends
by start.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pkpd.show.style import FAINT, LIMIT, MAIN, STYLE
from pkpd.simulation.curves import INK
from pkpd.study.stability.run import StabilityResult

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
APART = 2  # ends within this ratio are one
_NEAR = 1e-3  # 1/day: between this and its opposite the axis of rates is linear


def spectrum_figure(result: StabilityResult) -> Figure:
    """The real part of each eigenvalue, a panel a group, a row a rank; bars hold the middle of patients."""
    study = result.study
    with rc_context(STYLE):
        most = max(r["rank"] for r in result.ranks)
        picture, axes = _panels(len(study.groups), 2, 0.26 * most + 0.8)
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
            _dress(axis, group.title)
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
        picture, axes = _panels(len(study.groups), 2, 3.5)
        sets = {t.name: t.sets for t in study.compared}
        for axis, group in zip(axes, study.groups, strict=False):
            own = [r for r in result.curves if r["group"] == group.name]
            for r in own:
                place = [t.name for t in study.compared].index(r["treatment"])
                if r["factor"] != 1 and not study.compared[place].sets:
                    continue  # far from any patient
                look = _LOOKS[place % len(_LOOKS)] if r["factor"] == 1 else _STRONGER
                axis.plot(r["volume"], np.maximum(r["kill"], 1e-9), linewidth=1.7, **look)
                axis.plot(r["volume"], np.maximum(r["growth"], 1e-9), **{**look, "color": INK}, linewidth=1.1)
                _meetings(
                    axis, np.array(r["volume"]), np.array(r["growth"]), np.array(r["kill"]), look["color"]
                )
                if r["factor"] != 1:
                    axis.text(
                        0.98,
                        0.93,
                        f"dotted: kill × {r['factor']:.2g}",
                        transform=axis.transAxes,
                        fontsize=8.5,
                        ha="right",
                        color=_STRONGER["color"],
                    )
            axis.set(
                xscale="log",
                yscale="log",
                xlim=(1e-6, 2e3),
                ylim=(1e-5, 0.2),
                xlabel="viable tumour in the site (mL)",
                ylabel="rate (1/day)",
            )
            _dress(axis, group.title)
        handles = [
            Line2D([], [], color=INK, linewidth=1.1, label="growth, dead volume included"),
            *(
                Line2D([], [], linewidth=1.7, label=f"kill, {within(t.title)}", **_LOOKS[k % len(_LOOKS)])
                for k, t in enumerate(study.compared)
            ),
            *(
                [
                    Line2D(
                        [],
                        [],
                        linewidth=1.7,
                        label="kill in the middle of those with two stable states",
                        **_STRONGER,
                    )
                ]
                if any(r["factor"] != 1 and dict(sets[r["treatment"]]) for r in result.curves)
                else []
            ),
            *_marks(),
        ]
        picture.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return picture


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
        picture, axes = _panels(len(study.groups), 2, 3.2)
        for axis, group in zip(axes, study.groups, strict=False):
            for k, given in enumerate(study.compared):
                look = {"color": _LOOKS[k % len(_LOOKS)]["color"], "linewidth": 2.0}
                [r] = [
                    r for r in result.branches if r["group"] == group.name and r["treatment"] == given.name
                ]
                factor, volume, stable = (np.array(r[x]) for x in ("factor", "volume", "stable"))
                for holds, style in ((True, "-"), (False, (0, (1, 1.2)))):
                    axis.plot(
                        factor, np.where(_widened(stable == holds), volume, np.nan), linestyle=style, **look
                    )
            [fold] = [
                f
                for f in result.folds
                if f["group"] == group.name and f["treatment"] == study.compared[0].name
            ]
            axis.axvspan(fold["patients_low"], fold["patients_high"], color="#eef2f6", zorder=0)
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
            _dress(axis, group.title)
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


def _widened(which: np.ndarray) -> np.ndarray:
    """Points of a stretch and the first beyond it, so that stretches meet."""
    found = which.copy()
    found[1:] |= which[:-1]
    return found


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
        picture, axes = _panels(len(maps), 3, 3.5, 5.0)
        shade = None
        for axis, r in zip(axes, maps, strict=False):
            shade = axis.pcolormesh(
                r["effectors"],
                r["volumes"],
                np.clip(np.array(r["last"]), 1e-3, 1e3),
                shading="nearest",
                cmap="cividis",
                norm=LogNorm(1e-3, 1e3),
                rasterized=True,
            )
            if r["critical"]:
                parts = np.array([np.nan if x is None else x for x in r["critical"]])
                axis.plot(r["effectors"], parts, color="white", linewidth=3.2)
                axis.plot(r["effectors"], parts, color="#D55E00", linewidth=1.8)
                for v, stable in r["equilibria"]:
                    if not stable:
                        axis.axhline(v, color="white", linewidth=1.2, linestyle=(0, (4, 3)))
            gone = np.argwhere(np.array(r["outcome"]) == 0)
            axis.plot(
                np.array(r["effectors"])[gone[:, 1]],
                np.array(r["volumes"])[gone[:, 0]],
                color="white",
                marker="x",
                markersize=4,
                linestyle="none",
            )
            axis.set(
                xscale="log",
                yscale="log",
                xlabel="effector cells at the start, relative to the reference",
                ylabel="viable tumour at the start (mL)",
            )
            axis.yaxis.set_major_locator(FixedLocator([1e-9, 1e-6, 1e-3, 1, 1e3]))
            axis.yaxis.set_minor_locator(NullLocator())
            strength = "" if r["factor"] == 1 else f", kill × {r['factor']:.2g}"
            _dress(axis, f"{names[r['group']]}\n{given[r['treatment']]}{strength}", lines=False)
        assert shade is not None
        bar = picture.colorbar(shade, ax=axes, label="viable tumour at the end (mL)", shrink=0.7, aspect=30)
        bar.ax.yaxis.set_minor_locator(NullLocator())
        handles = [
            Line2D(
                [],
                [],
                color="#D55E00",
                linewidth=1.8,
                label="critical start, by bisection of the whole system",
            ),
            Line2D([], [], color=FAINT, linewidth=1.2, linestyle=(0, (4, 3)), label="unstable equilibrium"),
            Line2D(
                [], [], color=FAINT, marker="x", linestyle="none", label="falls below one cell on its way"
            ),
        ]
        picture.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return picture


def differs(row: dict) -> bool:
    """Whether a map shows more than one end."""
    return max(map(max, row["last"])) > APART * min(map(min, row["last"]))


def within(title: str) -> str:
    """A title within a sentence: `anti-PD-1`, and `MSS` as it is."""
    return title if title[:2].isupper() else title[:1].lower() + title[1:]


def _panels(count: int, columns: int, height: float, width: float = 5.6) -> tuple[Figure, list[Axes]]:
    columns = min(columns, count)
    lines = -(-count // columns)
    picture = Figure(figsize=(width * columns, height * lines + 0.9), layout="constrained")
    picture.get_layout_engine().set(w_pad=0.10, h_pad=0.08)  # type: ignore[union-attr]
    axes = list(picture.subplots(lines, columns, squeeze=False).flat)
    for axis in axes[count:]:
        axis.set_visible(False)
    return picture, axes


def _dress(axis: Axes, title: str, lines: bool = True) -> None:
    axis.set_title(title, loc="left", fontweight="bold")
    if lines:
        axis.grid(color="#e5e7eb", linewidth=0.8)
        axis.set_axisbelow(True)
