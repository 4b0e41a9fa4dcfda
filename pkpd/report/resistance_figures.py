"""Figures of a study of resistance: response and duration beside what was published, and differences in the
same patients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pkpd.show.style import FAINT, MAIN, STYLE
from pkpd.simulation.curves import INK
from pkpd.study.resistance.response_grid import MEASURES
from pkpd.study.resistance.run import ResistanceResult

OUTSIDE = "#B00020"  # a published figure that misses
_SITES = (MAIN, "#D55E00", "#009E73", "#CC79A7")  # the site without first
_ROW = 0.235  # inches
_HEADS = {"%": "%", "month": "months", "points": "percentage points"}


@dataclass(frozen=True)
class _Line:
    """One row of a panel: a heading, an arm, a difference, or a published figure."""

    label: str
    row: dict | None = None
    kind: str = "head"


def site_colors(result: ResistanceResult) -> dict[str, str]:
    """A colour a site, the one that others are compared with first."""
    grid = result.study.grid
    names = sorted((n for n, _ in grid.sites), key=lambda n: n != grid.without)
    return {name: _SITES[i % len(_SITES)] for i, name in enumerate(names)}


def measure_figure(result: ResistanceResult, measure: str) -> Figure:
    """A measure in every arm, a panel a biology, published figures on rows of their own below their arms."""
    grid, title = result.study.grid, MEASURES[measure]
    panels = {name: _lines(result, name, measure) for name, _ in grid.biologies}
    with rc_context(STYLE):
        picture, axes = _panels(panels, dict(grid.biologies))
        for axis, lines in zip(axes, panels.values(), strict=True):
            reach = 100.0 if title[1] == "%" else _reach([line.row for line in lines if line.row])
            _draw(axis, lines, result, reach)
            axis.set_xlim(-0.02 * reach, reach)
            axis.set_xlabel(
                f"{title[0]}, " + (f"{title[1]} {title[2]}" if title[1] == "%" else _HEADS[title[1]]),
                loc="right",
            )
        picture.legend(
            handles=_handles(result, panels), loc="outside lower center", ncols=3, frameon=False, fontsize=9
        )
    return picture


def difference_figure(result: ResistanceResult, measure: str = "response") -> Figure:
    """What drugs add to those alone, and what a site takes, in the same patients, in percentage points."""
    grid = result.study.grid
    drugs, cohorts = ({x.name: x.title for x in group} for group in (grid.drugs, grid.cohorts))
    added = [r for r in result.drugs if r["measure"] == measure]
    sites = [r for r in result.sites if r["measure"] == measure]
    panels = {
        "drugs": _groups(added, "cohort", cohorts, "drugs", drugs),
        "sites": _groups(sites, "biology", dict(grid.biologies), "drugs", drugs),
    }
    titles = {
        "drugs": f"Drugs, compared with {lowered(drugs[grid.alone])}",
        "sites": f"Site, compared with patients {dict(grid.sites)[grid.without]}",
    }
    shown = {k: v for k, v in panels.items() if v}
    with rc_context(STYLE):
        picture, axes = _panels(shown, titles)
        ends = [0.0, *(x for lines in shown.values() for line in lines if line.row for x in _ends(line.row))]
        room = max(2.0, 0.08 * (max(ends) - min(ends)))
        for axis, lines in zip(axes, shown.values(), strict=True):
            axis.axvline(0, color=FAINT, linewidth=1)
            _draw(axis, lines, result, max(ends) + room)
            axis.set_xlim(min(ends) - room, max(ends) + room)
            axis.set_xlabel(f"{MEASURES[measure][0]}, difference in {_HEADS['points']}", loc="right")
    return picture


def lowered(title: str) -> str:
    """A title within a sentence: `anti-PD-1 alone`, but `IDO`."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _groups(rows: list[dict], by: str, heads: dict[str, str], of: str, titles: dict[str, str]) -> list[_Line]:
    found = []
    for name, title in heads.items():
        own = [r for r in rows if r[by] == name]
        found += [_Line(title), *(_Line(titles[r[of]], r, "arm") for r in own)] if own else []
    return found


def _lines(result: ResistanceResult, biology: str, measure: str) -> list[_Line]:
    grid, found = result.study.grid, []
    sites, of = dict(grid.sites), {c.name: c.biology for c in grid.cohorts}
    for d in grid.drugs:
        own = [
            r for r in result.arms if (r["biology"], r["drugs"], r["measure"]) == (biology, d.name, measure)
        ]
        told = [
            r
            for r in result.published
            if (r["drugs"], r["measure"]) == (d.name, measure) and biology in {of[c] for c in r["cohorts"]}
        ]
        found += [
            _Line(d.title),
            *(_Line(sites[r["site"]], r, "arm") for r in own),
            *(_Line(published_label(r), r, "published") for r in told),
        ]
    return found


def published_label(row: dict) -> str:
    """A published figure in a few words: `KEYNOTE-177, sites mixed (67 of 153)`."""
    size = (
        f"{round(row['published'] * row['n'] / 100):g} of {row['n']}"
        if row["kind"] == "count"
        else f"n = {row['n']}"
    )
    return f"{row['label']}{', sites mixed' if len(row['cohorts']) > 1 else ''} ({size})"


def _panels(panels: dict[str, list[_Line]], titles: dict[str, str]) -> tuple[Figure, list[Axes]]:
    most = max(len(lines) for lines in panels.values())
    picture = Figure(figsize=(13.2, _ROW * most + 1.6), layout="constrained")
    picture.get_layout_engine().set(w_pad=0.1, h_pad=0.06)  # type: ignore[union-attr]
    axes = list(picture.subplots(1, len(panels), squeeze=False).flat)
    for axis, name in zip(axes, panels, strict=True):
        axis.set_title(titles[name], loc="right", fontweight="bold")
        axis.set_ylim(most - 0.4, -0.6)
        axis.grid(axis="x", color="#e5e7eb", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
    return picture, axes


def _draw(axis: Axes, lines: list[_Line], result: ResistanceResult, reach: float) -> None:
    colors = site_colors(result)
    axis.set_yticks(range(len(lines)), [line.label for line in lines])
    for i, (line, label) in enumerate(zip(lines, axis.get_yticklabels(), strict=True)):
        label.set_fontsize(9)
        if line.row is None:
            label.set_fontweight("bold")
        elif line.kind == "published":
            label.set_color(published_color(line.row))
            _published(axis, i, line.row, reach, colors, result)
        else:
            label.set_color(colors[line.row["site"]])
            _arm(axis, i, line.row, reach, colors[line.row["site"]])


def _arm(axis: Axes, i: int, row: dict, reach: float, color: str) -> None:
    if row["value"] is None and row["low"] is None:
        word = "too few responses" if row["measure"] == "dor_12m" else "not reached"
        axis.text(
            0.01 * reach if word.startswith("too") else 0.985 * reach,
            i,
            word,
            color=color,
            fontsize=8.5,
            style="italic",
            va="center",
            ha="left" if word.startswith("too") else "right",
        )
        return
    high = reach if row["high"] is None else row["high"]
    axis.hlines(i, row["low"], high, color=color, linewidth=2.2, zorder=3)
    if row["high"] is None:
        axis.plot(reach, i, marker=">", color=color, markersize=6, clip_on=False, zorder=4)
    if row["value"] is not None:
        axis.plot(row["value"], i, marker="o", color=color, markersize=6.5, clip_on=False, zorder=4)


def _published(
    axis: Axes, i: int, row: dict, reach: float, colors: dict[str, str], result: ResistanceResult
) -> None:
    """A published figure with its interval; where it is compared, what is predicted at its size lies behind
    it.
    """
    color = published_color(row)
    if row["predicted_low"] is not None:
        site = next(c.site for c in result.study.grid.cohorts if c.name == row["cohorts"][0])
        high = reach if row["predicted_high"] is None else row["predicted_high"]
        axis.barh(
            i,
            max(high - row["predicted_low"], 0.004 * reach),
            left=row["predicted_low"],
            height=0.62,
            color=colors[site],
            alpha=0.22,
            linewidth=0,
            zorder=2,
        )
    if row["low"] is not None:
        axis.hlines(i, row["low"], min(row["high"], reach), color=color, linewidth=1.1, zorder=3)
    axis.plot(row["published"], i, **_mark(row), zorder=5, clip_on=False)


def published_color(row: dict) -> str:
    """Grey where a figure is context, red where it misses."""
    return FAINT if row["inside"] is None else INK if row["inside"] else OUTSIDE


def _mark(row: dict) -> dict[str, Any]:
    color = published_color(row)
    return {
        "marker": "s" if row["apart"] else "D",
        "markersize": 5.5,
        "markeredgecolor": color,
        "linestyle": "none",
        "markerfacecolor": color if row["use"] == "fitted" else "white",
    }


def _ends(row: dict) -> list[float]:
    keys = ("value", "low", "high", "published", "predicted_high")
    return [row[k] for k in keys if row.get(k) is not None]


def _reach(rows: list[dict]) -> float:
    """Months shown: past every value, up to the study's two years."""
    most = max([1.0, *(x for r in rows for x in _ends(r))])
    return (
        min(26.0, 1.15 * most) if all(r.get("high") is not None or "published" in r for r in rows) else 26.0
    )


def _handles(result: ResistanceResult, panels: dict[str, list[_Line]]) -> list[Any]:
    sites, colors = dict(result.study.grid.sites), site_colors(result)
    drawn = [line.row for lines in panels.values() for line in lines if line.kind == "published" and line.row]
    found: list[Any] = [
        Line2D(
            [], [], color=colors[n], marker="o", linewidth=2.2, markersize=6.5, label=f"simulated, {sites[n]}"
        )
        for n in colors
    ]
    if any(r["inside"] is not None for r in drawn):
        found.append(Patch(facecolor=FAINT, alpha=0.3, label="predicted at the published trial’s size, 95 %"))
    cases = (
        ("published, fitted", {"use": "fitted", "apart": [], "inside": True}),
        ("published, not fitted", {"use": "predicted", "apart": [], "inside": True}),
        ("published, outside what is predicted", {"use": "predicted", "apart": [], "inside": False}),
        ("published, context: not this arm’s population", {"use": "context", "apart": ["x"], "inside": None}),
        ("published, context; fitted with its own mix", {"use": "fitted", "apart": ["x"], "inside": None}),
    )
    for label, case in cases:
        if any(_like(r, case) for r in drawn):
            found.append(
                Line2D([], [], linewidth=1.1, color=published_color(case), label=label, **_styled(case))
            )
    return found


def _styled(case: dict) -> dict[str, Any]:
    return {k: v for k, v in _mark(case).items() if k != "linestyle"}


def _like(row: dict, case: dict) -> bool:
    return row["inside"] == case["inside"] and (
        case["inside"] is False or (row["use"] == "fitted") == (case["use"] == "fitted")
    )
