"""Figures of a study of platforms: dose and effect, bias, and the five scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pkpd.show.style import FAINT, LIMIT, MAIN, STYLE
from pkpd.simulation.curves import INK
from pkpd.study.platforms.plan import PlatformStudy
from pkpd.study.platforms.translation import AXES, PlatformResult

_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#7F3C8D")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 1.5, 1, 1.5)))
_FOLDS = (0.1, 1, 10, 100)
HOSTS = {"human": "patients", "mouse": "mice", "culture": "culture"}  # for a reader
PANELS = 4  # in a row


def styles(study: PlatformStudy) -> dict[str, dict[str, Any]]:
    """How each platform is drawn: patients in black, the others told apart by colour and dashes."""
    others = [p.name for p in study.platforms if p.name != study.human]
    found: dict[str, dict[str, Any]] = {
        name: {"color": _COLORS[i % len(_COLORS)], "linestyle": _DASHES[i % len(_DASHES)], "linewidth": 1.5}
        for i, name in enumerate(others)
    }
    return {study.human: {"color": INK, "linestyle": "-", "linewidth": 2.6}, **found}


def dose_figure(result: PlatformResult) -> Figure:
    """Log-kill a day against the share of the full dose, a panel a treatment, a line a platform."""
    study, drawn = result.study, styles(result.study)
    with rc_context(STYLE):
        picture, axes = _grid(len(study.treatments), 3.1)
        for k, (axis, treatment) in enumerate(zip(axes, study.treatments, strict=False)):
            rows = [
                r for r in result.doses if r["treatment"] == treatment.name and r["measure"] == "log_kill"
            ]
            for platform in sorted(study.platforms, key=lambda p: p.name == study.human):
                own = [r for r in rows if r["platform"] == platform.name]
                axis.plot([r["dose"] for r in own], [1000 * r["value"] for r in own], **drawn[platform.name])
            _dress(
                axis, treatment.title, "share of the full dose" if k + PANELS >= len(study.treatments) else ""
            )
            axis.set_ylabel("log-kill (1/1000 day)" if k % PANELS == 0 else "")
            axis.set_xlim(0, 1)
            axis.set_ylim(0, 1080 * max(r["value"] for r in rows) or 1.0)
        _legend(
            picture,
            axes,
            len(study.treatments),
            [Line2D([], [], label=p.title, **drawn[p.name]) for p in study.platforms],
        )
    return picture


def bias_figure(result: PlatformResult) -> Figure:
    """How many times the effect in patients each platform shows, a panel a treatment; bars are intervals over
    draws.
    """
    study = result.study
    others = [p for p in study.platforms if p.name != study.human]
    with rc_context(STYLE):
        picture, axes = _grid(len(study.treatments), 3.3)
        for k, (axis, treatment) in enumerate(zip(axes, study.treatments, strict=False)):
            rows = {
                r["platform"]: r
                for r in result.effects
                if r["treatment"] == treatment.name and r["measure"] == "bias"
            }
            _bias_panel(axis, [rows[p.name] for p in others])
            _dress(
                axis,
                treatment.title,
                "times the effect in patients" if k + PANELS >= len(study.treatments) else "",
            )
            axis.set_yticks(
                range(len(others)), [p.title for p in others] if k % PANELS == 0 else [""] * len(others)
            )
            axis.set_ylim(len(others) - 0.5, -0.5)
        handles = [
            Line2D(
                [],
                [],
                color=MAIN,
                marker="o",
                linewidth=1.8,
                markersize=6,
                label="median, interval over draws",
            ),
            Line2D([], [], color=LIMIT, linestyle=(0, (4, 3)), label="as in patients"),
            Line2D([], [], color=FAINT, marker="x", linestyle="none", label="no effect on the platform"),
        ]
        _legend(picture, axes, len(study.treatments), handles)
    return picture


def _bias_panel(axis: Axes, rows: Sequence[dict]) -> None:
    axis.set_xscale("log")
    axis.set_xlim(0.06, 160)
    axis.axvline(1, color=LIMIT, linestyle=(0, (4, 3)), linewidth=1.2, zorder=1)
    for i, row in enumerate(rows):
        if row["value"] is None:
            axis.plot(0.075, i, marker="x", color=FAINT, markersize=6)
            continue
        low, high = (
            np.exp(row[k]) if row[k] is not None else edge for k, edge in (("low", 0.06), ("high", 160))
        )
        axis.hlines(i, low, high, color=MAIN, linewidth=1.8)
        axis.plot(np.exp(row["value"]), i, marker="o", color=MAIN, markersize=6)
    axis.xaxis.set_major_locator(FixedLocator(_FOLDS))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}×"))


def score_figure(result: PlatformResult) -> Figure:
    """The five scores of every platform, as a table shaded by its values."""
    study = result.study
    table = {(r["platform"], r["axis"]): r for r in result.scores}
    with rc_context(STYLE):
        picture = Figure(figsize=(10.6, 0.46 * len(study.platforms) + 1.2), layout="constrained")
        axis = picture.subplots()
        values = np.array([[table[p.name, a]["value"] for a in AXES] for p in study.platforms], dtype=float)
        axis.imshow(values, cmap="Blues", vmin=0, vmax=1.35, aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            axis.text(
                j,
                i,
                _score(table[study.platforms[i].name, list(AXES)[j]]),
                ha="center",
                va="center",
                fontsize=9,
                color="white" if value > 0.8 else INK,
            )
        axis.set_xticks(range(len(AXES)), [_folded(title) for title, _ in AXES.values()])
        axis.set_yticks(range(len(study.platforms)), [p.title for p in study.platforms])
        axis.xaxis.tick_top()
        axis.tick_params(length=0)
        for spine in axis.spines.values():
            spine.set_visible(False)
    return picture


def _score(row: dict) -> str:
    """A score with its interval, where that is wider than what is printed."""
    value, low, high = (f"{row[k]:.2f}" for k in ("value", "low", "high"))
    return value if low == high else f"{value}  ({low}–{high})"


def _folded(title: str) -> str:
    head, _, rest = title.partition(" ")
    return title if len(title) < 18 else f"{head} {rest}".replace(" and ", "\nand ")


def _grid(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """Panels in rows of four; what is left of the last row is for the legend."""
    lines = -(-count // PANELS)
    picture = Figure(figsize=(13.2, height * lines + 0.3), layout="constrained")
    picture.get_layout_engine().set(w_pad=0.08, h_pad=0.10)  # type: ignore[union-attr]
    return picture, list(picture.subplots(lines, PANELS, squeeze=False).flat)


def _legend(picture: Figure, axes: Sequence[Axes], count: int, handles: list[Line2D]) -> None:
    for axis in axes[count:]:
        axis.set_axis_off()
    if len(axes) > count:
        axes[count].legend(handles=handles, loc="center left", frameon=False, fontsize=9.5, handlelength=2.6)
    else:
        picture.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9.5)


def _dress(axis: Axes, title: str, below: str) -> None:
    axis.set_title(title, loc="left", fontweight="bold", pad=12)
    axis.set_xlabel(below)
    axis.grid(axis="both", color="#e5e7eb", linewidth=0.8)
    axis.set_axisbelow(True)
