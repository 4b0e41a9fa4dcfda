"""The figures of a study of cycles, as functions that return a matplotlib Figure; none needs a display."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pkpd.show.style import FAINT, LIMIT, MAIN, OTHERS, STYLE, grid
from pkpd.simulation.curves import INK
from pkpd.trial.figures import MONTH

if TYPE_CHECKING:
    from pkpd.study.study import Study

Rows = Sequence[dict]
Plan = tuple[int, int]
_FILL = {"trial": "full", "trial, in part": "left", "extrapolated": "none"}
_ROWS_HELD = {"vanished_all": "lesions", "vanished_small": "lesions"}


VANISHED_WORDS = {
    "left": "left in place",
    "searched": "searched for at operation and resected if found",
    "resected": "all resected where they were",
}


def link_words(link: str) -> str:
    """A link's name for a reader: `effect-site Emax`."""
    return (
        link.replace("effect_site", "effect-site")
        .replace("_", " ")
        .replace("auc", "AUC")
        .replace("emax", "Emax")
    )


def figure_title(figure: str, study: Study) -> str:
    """What a figure of merit is, in a few words."""
    low, high = study.small
    return {
        "response": "Objective response (CR + PR)",
        "vanished_all": "Lesions no longer seen, all",
        "vanished_small": f"Lesions no longer seen, {low:g}–{high:g} mm",
        "resected": "Resected",
        "time_to_surgery": "Median time to the operation",
        "pfs_median": "Median progression-free survival",
        "pfs_3y": "Progression-free at 3 years",
    }.get(figure, figure)


def figure_unit(figure: str, unit: str) -> str:
    """The unit of a figure of merit, with what it counts or from when."""
    if unit == "%":
        return f"% of {_ROWS_HELD.get(figure, 'patients')}"
    return {"day": "days from randomisation", "month": "months from randomisation"}.get(unit, unit)


def merged(rows: Rows, figure: str, study: Study) -> bool:
    """Whether every sweep gives the same values of a figure at the same number of cycles before."""
    seen: dict[tuple, Any] = {}
    return (
        all(
            seen.setdefault((r["before"], r["link"]), r["value"]) == r["value"]
            for r in rows
            if r["figure"] == figure
        )
        and len(study.sweeps) > 1
    )


def sweep_figure(
    rows: Rows, reference: Rows, study: Study, figures: Iterable[str], cycle: float = 14.0
) -> Figure:
    """Figures of merit against cycles before the operation, a panel a sweep, or one where the sweeps
    coincide.

    rows and reference  those of a StudyResult; the first row's link is the one with its interval drawn
    cycle               days of a cycle, to place the limit of `study`
    """
    panels: list[tuple[str, tuple[str, ...], str]] = []
    for figure in figures:
        if merged(rows, figure, study) or len(study.sweeps) == 1:
            panels.append((figure, tuple(s.name for s in study.sweeps), ""))
        else:
            panels += [(figure, (s.name,), s.title) for s in study.sweeps]
    columns = min(len(panels), max(2, *(sum(p[0] == f for p in panels) for f, _, _ in panels)))
    with rc_context(STYLE):
        picture, axes = grid(len(panels), columns)
        for axis, (figure, sweeps, title) in zip(axes, panels, strict=True):
            every = [r for r in rows if r["figure"] == figure]
            alone = [r for r in reference if r["figure"] == figure] if figure.startswith("pfs") else []
            _sweep_panel(axis, [r for r in every if r["sweep"] in sweeps], alone)
            _dress(
                axis,
                study,
                cycle,
                figure_title(figure, study) + (f"\n{title}" if title else ""),
                figure_unit(figure, every[0]["unit"]),
            )
            axis.set_ylim(0, _top([*every, *alone]))
        never = any(r["value"] is None for r in rows if r["figure"] in {p[0] for p in panels})
        handles = _handles(rows, study.reference, never, any(p[0].startswith("pfs") for p in panels))
        picture.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return picture


def difference_figure(rows: Rows, study: Study, cycle: float = 14.0, figure: str = "pfs_3y") -> Figure:
    """The difference of each arm from the study's reference plan in the same patients, with its interval."""
    own = study.reference
    every = [r for r in rows if r["figure"] == figure and r.get("difference")]
    with rc_context(STYLE):
        picture, axes = grid(len(study.sweeps), len(study.sweeps))
        for axis, sweep in zip(axes, study.sweeps, strict=True):
            _difference_panel(axis, [r for r in every if r["sweep"] == sweep.name], own)
            _dress(
                axis, study, cycle, sweep.title, f"difference from {own[0]} + {own[1]},\npercentage points"
            )
            reach = 1.15 * max(
                [
                    abs(d[k])
                    for r in every
                    for d in [r["difference"]]
                    for k in ("value", "low", "high")
                    if d[k] is not None
                ]
                or [1.0]
            )
            axis.set_ylim(-max(reach, 1.0), max(reach, 1.0))
        rest = [r for r in rows if (r["before"], r["after"]) != own]
        handles = [h for h in _handles(rest, own, False, False) if not isinstance(h, Patch)]
        handles[0].set_label(f"{handles[0].get_label()}, interval over draws")
        handles.append(
            _mark("full", f"{own[0]} + {own[1]}, the reference: 0 by definition", marker="D", color=INK)
        )
        picture.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return picture


def _columns(rows: Rows, *keys: str) -> list[np.ndarray]:
    """Columns of rows in order of their cycles before, each once; None as not a number."""
    once = sorted({r["before"]: r for r in rows}.values(), key=lambda r: r["before"])
    return [np.array([np.nan if r[k] is None else r[k] for r in once], dtype=float) for k in keys]


def _split(rows: Rows) -> dict[str, list[dict]]:
    """Rows of each link, the main one first."""
    return {link: [r for r in rows if r["link"] == link] for link in dict.fromkeys(r["link"] for r in rows)}


def _sweep_panel(axis: Axes, rows: Rows, alone: Rows) -> None:
    """One figure of merit in one sweep."""
    main, *others = _split(rows).values()
    for line, (color, dash) in zip(others, OTHERS * 9, strict=False):
        n, value = _columns(line, "before", "value")
        axis.plot(n, value, color=color, linestyle=dash, linewidth=1.3, zorder=3)
    n, value, low, high = _columns(main, "before", "value", "low", "high")
    axis.fill_between(
        n, low, np.where(np.isfinite(value) & np.isnan(high), 1e6, high), color=MAIN, alpha=0.16, linewidth=0
    )
    axis.plot(n, value, color=MAIN, linewidth=2, zorder=4)
    for row in main:
        if row["value"] is None:
            axis.plot(
                row["before"],
                0.96,
                marker="^",
                color=MAIN,
                markersize=6,
                transform=axis.get_xaxis_transform(),
            )
        else:
            axis.plot(row["before"], row["value"], **_marker(_FILL[row["basis"]]), zorder=5, clip_on=False)
    for row in alone[:1]:
        if row["value"] is not None:
            axis.axhline(row["value"], color=INK, linestyle=(0, (1, 2)), linewidth=1.4, zorder=2)


def _difference_panel(axis: Axes, rows: Rows, own: Plan) -> None:
    """Differences in one sweep: the main link with intervals, the others as lines."""
    axis.axhline(0, color=FAINT, linewidth=1)
    flat = [{**r, **r["difference"]} for r in rows]
    main, *others = _split(flat).values() if flat else [[]]
    for line, (color, dash) in zip(others, OTHERS * 9, strict=False):
        n, value = _columns(line, "before", "value")
        axis.plot(n, value, color=color, linestyle=dash, linewidth=1.3)
    for row in main:
        if (row["before"], row["after"]) == own:
            axis.plot(row["before"], 0, **_marker("full", "D", INK), zorder=6)
        elif row["value"] is not None:
            high = 1e6 if row["high"] is None else row["high"]
            axis.vlines(row["before"], row["low"], high, color=MAIN, linewidth=1.8)
            axis.plot(row["before"], row["value"], **_marker(_FILL[row["basis"]]), zorder=5)


def _marker(fill: str, marker: str = "o", color: str = MAIN) -> dict[str, Any]:
    face = "white" if fill == "none" else color
    return {
        "marker": marker,
        "fillstyle": "full" if fill == "none" else fill,
        "markerfacecolor": face,
        "markerfacecoloralt": "white",
        "markeredgecolor": color,
        "markersize": 7,
        "linestyle": "none",
    }


def _mark(fill: str, label: str, **more: str) -> Line2D:
    return Line2D([], [], label=label, **_marker(fill, **more))


def _dress(axis: Axes, study: Study, cycle: float, title: str, unit: str) -> None:
    """Titles, units, whole cycles on the axis, and the limit with its name above the panel."""
    most = max(b for s in study.sweeps for b in s.before)
    axis.set_title(title, loc="left", pad=19, fontweight="bold")
    axis.set_xlabel("cycles before the operation")
    axis.set_ylabel(unit)
    axis.set_xticks(range(0, most + 1, 1 if most <= 14 else 2))
    axis.set_xlim(-0.5, most + 0.5)
    axis.grid(axis="y", color="#e5e7eb", linewidth=0.8)
    axis.set_axisbelow(True)
    at = study.limit / cycle
    if at <= most + 0.5:
        axis.axvline(at, color=LIMIT, linestyle=(0, (4, 3)), linewidth=1.2, zorder=2)
        axis.text(
            at,
            1.015,
            f"ESMO 2023 limit: {study.limit / MONTH:.3g} months",
            color=LIMIT,
            fontsize=8.5,
            ha="center",
            va="bottom",
            transform=axis.get_xaxis_transform(),
        )


def _top(rows: Rows) -> float:
    """The upper end of an axis that starts at 0 and shows every value and interval."""
    return 1.08 * max([1.0, *(r[k] for r in rows for k in ("value", "high") if r[k] is not None)])


def _handles(rows: Rows, own: Plan, never: bool, alone: bool) -> list[Line2D | Patch]:
    """The legend: links, what each point rests on, and the reference."""
    main, *others = _split(rows)
    found: list[Line2D | Patch] = [
        Line2D([], [], color=MAIN, linewidth=2, label=f"{link_words(main)} link (the calibrated one)"),
        Patch(facecolor=MAIN, alpha=0.16, label="its interval over draws"),
    ]
    found += [
        Line2D([], [], color=c, linestyle=d, linewidth=1.3, label=f"{link_words(x)} link")
        for x, (c, d) in zip(others, OTHERS * 9, strict=False)
    ]
    said = {
        "trial": f"the trial’s treated arm ({own[0]} before, {own[1]} after)",
        "extrapolated": "extrapolation by the model",
        "trial, in part": "in part: this number before was in the trial, not with these after",
    }
    present = {r["basis"] for r in rows}
    found += [_mark(_FILL[k], text) for k, text in said.items() if k in present]
    if alone:
        found.append(
            Line2D([], [], color=INK, linestyle=(0, (1, 2)), linewidth=1.4, label="surgery alone, simulated")
        )
    if never:
        found.append(
            Line2D([], [], color=MAIN, marker="^", linestyle="none", markersize=6, label="median not reached")
        )
    return found
