"""The dosing diagram of a regimen: drugs down, days across."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, replace
from textwrap import shorten

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from pkpd.regimen.doses import DoseLine
from pkpd.regimen.regimen import Regimen
from pkpd.show.calendar import Given, agenda, lasting_for, shown_for
from pkpd.show.regimen import amount_text, course_text, days_text, over_text
from pkpd.show.style import STYLE, svg

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#6b7280")
_PLAIN = STYLE | {"text.parse_math": False}  # a title may hold a $
_INK, _FAINT, _SHADE = "#222222", "#6b7280", ("#e8eef5", "#f6f8fb")
_WIDTH, _LANE, _HEAD = 11.0, 0.44, 0.5  # inches: the picture, a lane, a course's heading
_LEAST = 0.006  # of the width: an infusion is drawn at least so long


@dataclass(frozen=True)
class _Lane:
    """One row: a dose of a course's drug, wherever in the day it is given; `y` is its foot, in inches from
    the top.
    """

    course: int
    line: DoseLine
    y: float
    colour: str


def dosing_diagram(regimen: Regimen, until: float | None = None) -> Figure:
    """Doses over the first days: boluses as stems, infusions as bars to scale, cycles shaded; a block a
    course.

    until  days shown; until every dose has been given twice if left out
    """
    days = shown_for(regimen) if until is None else until
    given, blocks, lanes = agenda(regimen, days), *_lanes(regimen)
    foot = blocks[-1][1]
    with rc_context(_PLAIN):
        picture = Figure(figsize=(_WIDTH, foot + 1.4))
        axes = picture.add_axes((0.13, 0.95 / (foot + 1.4), 0.85, foot / (foot + 1.4)))
        axes.set_xlim(0, days)
        axes.set_ylim(foot, 0)
        _blocks(axes, regimen, blocks, days)
        for lane in lanes:
            _doses(
                axes,
                lane,
                [g for g in given if g.course == lane.course and _alike(g.line) == lane.line],
                days,
            )
        _drugs(axes, lanes)
        _dress(picture, axes, regimen, days, given)
    return picture


def _alike(line: DoseLine) -> DoseLine:
    return replace(line, at=0.0, days=(), cycles="")


def _lanes(regimen: Regimen) -> tuple[list[tuple[float, float]], list[_Lane]]:
    """Top and foot of each course's block, and its lanes, the drugs in their order."""
    colours = {drug: _COLOURS[i % len(_COLOURS)] for i, drug in enumerate(regimen.drugs)}
    blocks, lanes, y = [], [], 0.0
    for k, course in enumerate(regimen.courses, 1):
        top, y = y, y + _HEAD
        for drug in course.drugs:
            for line in dict.fromkeys(_alike(d) for d in course.doses if d.drug == drug):
                y += _LANE
                lanes.append(_Lane(k, line, y, colours[drug]))
        y += 0.08
        blocks.append((top, y))
    return blocks, lanes


def _blocks(axes: Axes, regimen: Regimen, blocks: list[tuple[float, float]], until: float) -> None:
    """Each course's heading and its cycles, shaded in turn, with their numbers."""
    whole = lasting_for(regimen, until)
    for course, starts, (top, foot) in zip(whole.courses, whole.days(), blocks, strict=True):
        for j, start in enumerate(t for t in starts if t < until):
            end = min(start + course.cycle, until)
            axes.add_patch(
                Rectangle(
                    (start, top + 0.28),
                    end - start,
                    foot - top - 0.28,
                    color=_SHADE[j % 2],
                    linewidth=0,
                    zorder=0,
                )
            )
            if course.cycle / until > 0.02:
                axes.text(
                    (start + end) / 2,
                    top + 0.38,
                    f"{j + 1}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color=_FAINT,
                )
    for course, (top, _) in zip(regimen.courses, blocks, strict=True):
        name = f"{course.title}: " if len(regimen.courses) > 1 else ""
        words = shorten(f"{name}{course_text(course, regimen)}", 125, placeholder=" …")
        axes.text(0, top + 0.18, words, fontsize=8.5, fontweight="bold", color=_INK, va="center")


def _doses(axes: Axes, lane: _Lane, given: list[Given], until: float) -> None:
    """The doses of one lane, and at the first what they are."""
    for g in given:
        _dose(axes, lane, g, until)
    axes.hlines(lane.y, 0, until, color="#c9ced6", linewidth=0.6, zorder=1)
    if given:
        late = given[0].start > 0.6 * until
        axes.text(
            until if late else given[0].start,
            lane.y - 0.25,
            shorten(_words(lane.line, given), 80 if late else 120, placeholder=" …"),
            fontsize=8,
            color=_INK,
            ha="right" if late else "left",
            va="bottom",
            zorder=5,
        )


def _dose(axes: Axes, lane: _Lane, g: Given, until: float) -> None:
    """The mark of one dose: a cross if it is missed, a bar of its length, or a stem as high as its share."""
    if not g.share:
        axes.plot(
            g.start, lane.y - 0.08, marker="x", color=lane.colour, markersize=6, zorder=4, clip_on=False
        )
        return
    if lane.line.over:
        length = min(max(g.end - g.start, _LEAST * until), until - g.start)
        axes.add_patch(
            Rectangle((g.start, lane.y), length, -0.2 * g.share, color=lane.colour, linewidth=0, zorder=3)
        )
        return
    top = lane.y - 0.2 * g.share
    drawn: dict = {"color": lane.colour, "zorder": 3, "clip_on": False}
    axes.plot([g.start, g.start], [lane.y, top], linewidth=1.4, **drawn)
    axes.plot(g.start, top, marker="o", markersize=4, **drawn)


def _words(line: DoseLine, given: list[Given]) -> str:
    """The doses of a lane in words: `85 mg/m² over 2 h, day 1`."""
    times = Counter(day for day, _ in {(day, g.line.at) for g in given for day in g.line.days})
    often = {1: "", 2: ", twice a day"}.get(max(times.values()), f", {max(times.values())} times a day")
    return (
        f"{amount_text(line)} {over_text(line)}{often}, day{'s' if len(times) > 1 else ''} {days_text(times)}"
    )


def _drugs(axes: Axes, lanes: list[_Lane]) -> None:
    """Each drug's name beside its lanes."""
    for course, drug in dict.fromkeys((r.course, r.line.drug) for r in lanes):
        own = [r.y for r in lanes if (r.course, r.line.drug) == (course, drug)]
        axes.text(
            -0.008,
            (min(own) + max(own)) / 2 - 0.1,
            drug,
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center",
            fontsize=9.5,
            color=_INK,
        )


def _dress(picture: Figure, axes: Axes, regimen: Regimen, until: float, given: list[Given]) -> None:
    """Title, days from 1, and what the marks are."""
    step = next(s for s in (1, 7, 14, 28, 56) if until / s <= 14 or s == 56)
    axes.set_xticks(
        [d for d in range(0, int(until) + 1, step) if d < until],
        [str(d + 1) for d in range(0, int(until), step)],
    )
    axes.set_yticks([])
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel(
        "day of treatment" + (", as planned: rules may hold, reduce or stop" if regimen.rules else "")
    )
    picture.text(
        0.012,
        1 - 0.2 / picture.get_figheight(),
        shorten(regimen.title, 105, placeholder=" …"),
        fontsize=11.5,
        fontweight="bold",
        color=_INK,
        va="center",
    )
    grey: dict = {"color": _FAINT}
    handles: list = []
    if any(g.share and not g.line.over for g in given):
        handles.append(Line2D([], [], marker="o", markersize=4, linewidth=1.4, label="dose at once", **grey))
    if any(g.share and g.line.over for g in given):
        handles.append(Patch(label="infusion (to scale; short ones drawn longer)", **grey))
    if any(0 < g.share < 1 for g in given):
        handles.append(Line2D([], [], linestyle="none", label="height: share of the planned dose"))
    if any(not g.share for g in given):
        handles.append(Line2D([], [], marker="x", linestyle="none", label="missed dose", **grey))
    handles.append(
        Patch(facecolor=_SHADE[0], edgecolor="#c9ced6", linewidth=0.5, label="cycle, with its number")
    )
    picture.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False, fontsize=8.5)


def image(picture: Figure, suffix: str) -> bytes:
    """A figure as a file's content, `.svg` or `.png`; the same for the same figure."""
    if suffix == ".svg":
        return svg(picture).encode("utf-8")
    file = io.BytesIO()
    with rc_context(STYLE):
        picture.savefig(file, format="png", dpi=150, metadata={"Software": None})
    return file.getvalue()
