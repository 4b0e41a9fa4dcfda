"""Figures of resistance by mechanism: what releasing each one gains, and the liver's effect on a lesion
elsewhere, split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pkpd.fit.intervals import level_text
from pkpd.show.style import FAINT, MAIN, STYLE
from pkpd.simulation.curves import INK
from pkpd.study.resistance import importance, liver_effect
from pkpd.study.resistance.importance import ImportanceResult
from pkpd.study.resistance.liver_effect import LiverResult

_COLORS = (MAIN, "#D55E00", "#009E73", "#CC79A7")
_GRID = "#e5e7eb"
_HEADS = {"points": "percentage points", "1": "natural log units"}

CAPTIONS = {
    "response": "Objective response by RECIST 1.1 (targets read without error, no new lesions, no "
    "confirmation), percentage "
    "points, medians and {level} intervals over draws, each of which has patients of its own. Left: what "
    "releasing one mechanism gains when all others stay. Middle: what withholding it loses when all "
    "others are released. Right: total Sobol index, the share of the variance of response that goes with a "
    "mechanism, alone and with others, "
    "when every degree of release is even between 0 and 1; bars are SALib’s 95 % intervals, at the middle "
    "of the "
    "posterior. How fully a mechanism can be released is assumed, and so are most of their sizes, that of "
    "FGL1 and LAG-3 among them: no trial of LAG-3 blockade in this disease is fitted. Gains are those of "
    "this model.",
    "shrinkage": "The same for shrinkage: the natural logarithm of the sum of target diameters at the start "
    "of treatment over "
    "that later, mean over patients; the 30 % fall of a response is 0.36. It shows what moves tumours where "
    "nobody "
    "responds yet.",
    "liver": "A lesion outside the liver when the patient’s other lesion lies in the liver, less the same "
    "when that one lies in "
    "an organ of its own outside it: medians and {level} intervals over draws, the same patients on both "
    "sides. Filled: "
    "with one term of the liver’s tolerance alone; open: with all but that one. With none of them there is "
    "no "
    "difference, because nothing else differs. Some lie above 0: a term that acts within the liver’s lesion "
    "leaves "
    "a larger tumour there, which primes more T cells, and these reach the lesion elsewhere too. How large "
    "the "
    "terms are beside each other is assumed.",
}


@dataclass(frozen=True)
class _Mark:
    """A dot with its interval on a row."""

    row: dict
    color: str
    filled: bool = True
    shift: float = 0.0


def importance_figure(result: ImportanceResult, measure: str = "response") -> Figure:
    """Gains alone, losses when withheld, and total indices, a row a mechanism, a colour a treatment."""
    plan, colors = result.plan, _colors([t.name for t in result.plan.treatments])
    effects = [r for r in result.effects if r["measure"] == measure]
    indices = [r for r in result.indices if r["measure"] == measure and r["index"] == "total"]
    rank = {
        m.name: max((r["value"] or 0.0 for r in indices if r["mechanism"] == m.name), default=0.0)
        for m in plan.mechanisms
    }
    order = sorted((m.name for m in plan.mechanisms), key=lambda n: -rank[n])
    acts = {r["mechanism"]: r["acts"] for r in effects}
    titles = {m.name: m.title + ("" if acts[m.name] else " (moves nothing)") for m in plan.mechanisms}
    unit = _HEADS[importance.MEASURES[measure][2]]
    panels = (
        ("Released alone", [r for r in effects if r["what"] == "gain"], f"gain, {unit}"),
        ("Withheld, all others released", [r for r in effects if r["what"] == "loss"], f"loss, {unit}"),
        ("Total Sobol index", indices, "share of variance"),
    )
    with rc_context(STYLE):
        picture, axes = _picture(len(panels), 0.36 * len(order) + 1.6)
        for axis, (title, rows, label) in zip(axes, panels, strict=True):
            for i, name in enumerate(order):
                own = {r["treatment"]: r for r in rows if r["mechanism"] == name}
                for t, shift in zip(colors, _shifts(len(colors)), strict=True):
                    _draw(axis, i, _Mark(own[t], colors[t], shift=shift))
            _dress(axis, title, label, len(order))
        axes[0].set_yticks(range(len(order)), [titles[n] for n in order])
        for name, tick in zip(order, axes[0].get_yticklabels(), strict=True):
            tick.set_color(INK if acts[name] else FAINT)
        handles = [_handle(colors[t.name], f"{t.title}: {_levels(result, t.name)}") for t in plan.treatments]
        picture.legend(handles=handles, loc="outside lower center", ncols=1, frameon=False, fontsize=9.5)
    return picture


def _levels(result: ImportanceResult, treatment: str) -> str:
    """Response with nothing and with all released, in words."""
    found = {
        r["state"]: r for r in result.levels if (r["treatment"], r["measure"]) == (treatment, "response")
    }
    one, other = (
        f"{r['value']:.0f} % ({r['low']:.0f}–{r['high']:.0f})" for r in (found["as_is"], found["released"])
    )
    return f"response {one} as they are, {other} with all released"


def liver_figure(result: LiverResult, measure: str = "log_kill") -> Figure:
    """The liver's effect on a lesion elsewhere and its split, a panel a biology, rows by treatment."""
    plan, head = result.plan, liver_effect.MEASURES[measure]
    with rc_context(STYLE):
        picture, axes = _picture(
            len(plan.biologies), 0.235 * (3 + len(plan.terms)) * len(plan.treatments) + 1.6, True
        )
        for axis, biology in zip(axes, plan.biologies, strict=True):
            rows = [line for t in plan.treatments for line in _split(result, biology.name, t.name, measure)]
            for i, (_, marks) in enumerate(rows):
                for mark in marks:
                    _draw(axis, i, mark)
            _dress(axis, biology.title, f"{head[0]},\ndifference, {_HEADS[head[2]]}", len(rows))
            axis.set_yticks(range(len(rows)), [label for label, _ in rows])
        for (_, marks), tick in zip(rows, axes[0].get_yticklabels(), strict=True):
            tick.set_fontsize(9)
            tick.set_fontweight("normal" if marks else "bold")
        handles = [
            _handle(INK, "all terms of the liver’s tolerance"),
            _handle(MAIN, "this term alone"),
            _handle(MAIN, "all but this term", "white"),
            _handle(FAINT, "none of them"),
        ]
        picture.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9.5)
    return picture


def _split(result: LiverResult, biology: str, treatment: str, measure: str) -> list[tuple[str, list[_Mark]]]:
    """The rows of one treatment: its title, all terms, each alone and without it, none."""
    plan = result.plan
    colors = _colors([t.name for t in plan.terms])
    own = {
        (r["what"], r["term"]): r
        for r in result.split
        if (r["biology"], r["treatment"], r["measure"]) == (biology, treatment, measure)
    }
    title = next(t.title for t in plan.treatments if t.name == treatment)
    return [
        (title, []),
        ("all terms", [_Mark(own["whole", ""], INK)]),
        *(
            (
                m.title,
                [
                    _Mark(own["alone", m.name], colors[m.name]),
                    _Mark(own["left", m.name], colors[m.name], False),
                ],
            )
            for m in plan.terms
        ),
        ("none", [_Mark(own["remainder", ""], FAINT)]),
    ]


def _handle(color: str, label: str, face: str = "") -> Line2D:
    return Line2D(
        [], [], color=color, marker="o", linewidth=2, markersize=6, markerfacecolor=face or color, label=label
    )


def importance_pictures(result: ImportanceResult) -> dict[str, tuple[Figure, str]]:
    """The figures of importance with their captions."""
    level = level_text(result.effects)
    return {
        f"importance_{m}": (importance_figure(result, m), CAPTIONS[m].format(level=level))
        for m in importance.MEASURES
    }


def liver_pictures(result: LiverResult) -> dict[str, tuple[Figure, str]]:
    """The figures of the liver's effect with their captions."""
    return {"liver_effect": (liver_figure(result), CAPTIONS["liver"].format(level=level_text(result.split)))}


def _colors(names: Sequence[str]) -> dict[str, str]:
    return {n: _COLORS[i % len(_COLORS)] for i, n in enumerate(names)}


def _shifts(count: int) -> list[float]:
    return [0.28 * (k - (count - 1) / 2) for k in range(count)]


def _picture(panels: int, height: float, sharex: bool = False) -> tuple[Figure, list[Axes]]:
    picture = Figure(figsize=(13.2, height), layout="constrained")
    picture.get_layout_engine().set(w_pad=0.1, h_pad=0.06)  # type: ignore[union-attr]
    return picture, list(picture.subplots(1, panels, sharex=sharex, sharey=True, squeeze=False).flat)


def _dress(axis: Axes, title: str, label: str, rows: int) -> None:
    axis.set_title(title, loc="left", fontweight="bold")
    axis.set_xlabel(label)
    axis.set_ylim(rows - 0.4, -0.6)
    axis.axvline(0, color=FAINT, linewidth=1, zorder=1)
    axis.grid(axis="x", color=_GRID, linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _draw(axis: Axes, i: int, mark: _Mark) -> None:
    """A dot and its interval; a cross on the axis where a number is not defined."""
    row, y = mark.row, i + mark.shift
    if row["value"] is None:
        axis.plot(0, y, marker="x", color=FAINT, markersize=5)
        return
    face: Any = mark.color if mark.filled else "white"
    axis.hlines(y, row["low"], row["high"], color=mark.color, linewidth=2 if mark.filled else 1.2, zorder=3)
    axis.plot(
        row["value"],
        y,
        marker="o",
        color=mark.color,
        markerfacecolor=face,
        markersize=6 if mark.filled else 5,
        zorder=4,
    )
