"""A drug's simulated concentration, drawn with its published figures on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pkpd.content import library, units
from pkpd.content.units import pretty
from pkpd.errors import fail
from pkpd.exposures.comparison import read_exposure
from pkpd.exposures.conversion import factor_to
from pkpd.exposures.course import Course
from pkpd.exposures.evidence import Evidence
from pkpd.exposures.exposure import ACCUMULATION, Exposure
from pkpd.exposures.page import digits, quantity, words
from pkpd.exposures.page import unit as unit_of
from pkpd.exposures.prepare import alone, courses
from pkpd.exposures.reading import load_evidence
from pkpd.exposures.run import PATIENTS, course_windows, simulate_course
from pkpd.machine import store
from pkpd.model.compose import load_model
from pkpd.parameters.sets import load_parameters
from pkpd.regimen.reading import load_regimen
from pkpd.show.dosing_diagram import image
from pkpd.show.style import FAINT, LIMIT, MAIN, STYLE, grid
from pkpd.simulation.curves import INK
from pkpd.simulation.simulation import Simulation

_MOST, _POINTS = 6, ("Cmax", "Cmin", "Clast", "concentration")
_LOW = {True: 3e-4, False: 1e-2}  # of the peak: how far down an axis goes, and where an open window is cut
_KINDS = {
    "inside": (INK, "o", INK, "published, inside"),
    "outside": (LIMIT, "o", LIMIT, "published, outside"),
    "circular": (FAINT, "o", "white", "published, circular"),
    "context": (FAINT, "D", "white", "published, context: cannot be compared fairly"),
}


@dataclass(frozen=True)
class Panel:
    """One regimen and variable: quantiles over time, the published points (time, value, low, high, row), what
    else was read.
    """

    title: str
    ylabel: str
    unit: str
    times: np.ndarray
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray
    points: list[tuple[float, float, float, float, dict]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def draw_exposure(name: str, path: Path, evidence: Evidence | None = None) -> list[dict]:
    """Draws a drug's concentration and its published figures into a .png or .svg file; returns the rows of
    its figures.
    """
    if path.suffix not in (".png", ".svg"):
        raise fail("--exposure", f"{path.name!r} is neither .png nor .svg", "name the file so")
    store.require_writable(path)
    model = load_model(name)
    figures = (evidence or load_evidence()).of(model.name)
    plan = courses(figures) if figures else (_some_course(name),)
    rows, panels = {}, []
    for course in plan:
        rows |= {f.place: row for f, row in _rows(course).items()}
    shown = sorted(_pairs(plan), key=lambda p: -len(_marked(*p)))[:_MOST]
    for course, of in (p for p in _pairs(plan) if p in shown):
        panels.append(_panel(course, of, rows))
    with rc_context(STYLE):
        store.write_bytes(path, image(_picture(model.title, panels), path.suffix))
    return [rows[f.place] for f in figures]


def _rows(course: Course) -> dict[Exposure, dict]:
    run = simulate_course(course) if course.exposures else None
    return {f: read_exposure(f, course, run) for f in course.exposures} if run is not None else {}


def _some_course(name: str) -> Course:
    """A drug without figures, under a regimen of the library that gives it: four cycles."""
    model = load_model(name)
    short = model.name.rsplit("/", 1)[-1].removesuffix(".toml")
    for regimen in map(load_regimen, library.names("regimen")):
        if short in regimen.drugs:
            own = alone(regimen, model, regimen.where)
            return Course(short, model, load_parameters((), model), own, 4, words=regimen.name)
    raise fail(
        name,
        "no regimen of the library gives this drug",
        "simulate it with a regimen of your own: pkpd simulate",
    )


def _pairs(plan: Sequence[Course]) -> list[tuple[Course, str]]:
    """Each course with each variable read as points, and with the plasma concentration where it is read; or
    with all.
    """
    every = [(c, of) for c in plan for of in dict.fromkeys([f.of for f in c.exposures] or ["Cc"])]
    return [(c, of) for c, of in every if of == "Cc" or _marked(c, of)] or every


def _marked(course: Course, of: str) -> list[Exposure]:
    return [f for f in course.exposures if f.of == of and f.what in _POINTS]


def _panel(course: Course, of: str, rows: dict[str, dict]) -> Panel:
    """The curves of one panel and what lies on them; hours where the days are few."""
    own = [f for f in course.exposures if f.of == of]
    until = _end(course, of, own)
    run = _curves(course, until)
    per_day = float(units.ratio("day", run.model.time))
    low, middle, high = np.quantile(run[of][1:], (0.05, 0.5, 0.95), axis=0)
    scale, unit = (24.0, "hours") if until <= 5 else (1.0, "days")
    keep = np.cumsum(high) > 0
    variable = next((v.text for v in run.model.variables if v.name == of), of)
    panel = Panel(
        title=_title(course),
        ylabel=f"{variable or of}, {pretty(run.unit(of))}",
        unit=unit,
        times=run.times[0, keep] / per_day * scale,
        middle=middle[keep],
        low=low[keep],
        high=high[keep],
    )
    for f in own:
        row = rows[f.place]
        if f.what in _POINTS:
            panel.points.append((_at(f, run, per_day) * scale, *_in_model(f, run, row), row))
        else:
            panel.notes.append(
                f"{quantity(row).removeprefix(row['statistic'] + ' ')}: {digits(row['published'])} "
                f"published, "
                f"{digits(row['simulated'] or 0)} simulated{unit_of(row)}"
            )
    if len(panel.notes) > 3:
        panel.notes[2:] = [f"and {len(panel.notes) - 2} more in the table"]
    return panel


def _curves(course: Course, until: float) -> Simulation:
    return simulate_course(
        course, PATIENTS, until, points=int(np.clip(600 / max(until / course.regimen.cycle, 1), 30, 150))
    )


def _end(course: Course, of: str, own: list[Exposure]) -> float:
    """The last day drawn: the end of the windows; of an open one, when little of the peak is left."""
    if not course.exposures:
        return 4 * course.regimen.cycle
    ends = [f.end for f in own if f.end is not None]
    if ends and len(ends) == len([f for f in own if f.what not in ACCUMULATION]):
        return max(ends)
    windows = max(b for _, b in course_windows(course))
    run = _curves(course, windows)
    days = run.times[0] / float(units.ratio("day", run.model.time))
    middle = np.median(run[of][1:], axis=0)
    return max([*ends, float(days[middle > _LOW[False] * middle.max()].max())])


def _title(course: Course) -> str:
    held = ", ".join(f"{k} {v:g}" for k, v in course.patients)
    own = course.exposures and course.exposures[0].parameters  # a set that its figures name
    values = f"\nvalues: {own}" if own else ""
    often = f", {course.count} times" if course.count > 1 else ""
    return (
        words(course.words) + often + values + ("\n" + fill(f"patients held at {held}", 50) if held else "")
    )


def _at(f: Exposure, run: Simulation, per_day: float) -> float:
    """The day on which a figure's point is drawn: the typical patient's peak, or the end of the window."""
    if f.what != "Cmax":
        return f.end or 0.0
    days = run.times[0] / per_day
    inside = np.flatnonzero((days >= f.start) & (days <= (np.inf if f.end is None else f.end)))
    return float(days[inside[np.argmax(run[f.of][0, inside])]])


def _in_model(f: Exposure, run: Simulation, row: dict) -> tuple[float, float, float]:
    """A published value and its spread in the model's unit; no spread where none was published."""
    factor = factor_to(f, run.model)[0]
    none = row["spread"].startswith("none")
    return f.value / factor, (f.value if none else f.low) / factor, (f.value if none else f.high) / factor


def _picture(title: str, panels: list[Panel]) -> Figure:
    columns = min(len(panels), 2 if len(panels) <= 4 else 3)
    picture, axes = grid(len(panels), columns)
    picture.set_size_inches(max(5.3 * columns, 8.0), 1.3 + 4.0 * -(-len(panels) // columns))
    picture.suptitle(
        fill(title, int(60 * max(columns, 1.4))), x=0.01, ha="left", fontsize=12, fontweight="bold"
    )
    for axis, panel in zip(axes, panels, strict=True):
        _draw(axis, panel)
    points = [r for p in panels for *_, r in p.points]
    picture.legend(
        handles=_handles(points),
        loc="outside lower left",
        ncols=min(len(panels) + 1, 3),
        frameon=False,
        fontsize=9,
    )
    return picture


def _draw(axis: Axes, panel: Panel) -> None:
    top = max([panel.high.max(), *(high for *_, high, _ in panel.points)])
    later = panel.middle[int(np.argmax(panel.middle)) :]
    steep = later[later > 0].min() < panel.middle.max() / 20 if (later > 0).any() else False
    if steep:
        axis.set_yscale("log")
        floor = max(
            _LOW[True] * top, 0.4 * min([top, *panel.low[panel.low > 0], *(v for _, v, *_ in panel.points)])
        )
        axis.set_ylim(floor, top * 1.6)
    else:
        axis.set_ylim(0, top * 1.08)
    low, middle = (np.maximum(x, axis.get_ylim()[0] / 10 if steep else 0) for x in (panel.low, panel.middle))
    axis.fill_between(panel.times, low, panel.high, color=MAIN, alpha=0.16, linewidth=0)
    axis.plot(panel.times, middle, color=MAIN, linewidth=1.6)
    for x, y, small, large, row in panel.points:
        color, marker, face, _ = _KINDS[_kind(row)]
        axis.vlines(
            x, max(small, axis.get_ylim()[0]), large, color=color, linewidth=1.4, zorder=5, clip_on=False
        )
        axis.plot(
            x,
            y,
            marker=marker,
            markersize=7,
            color=color,
            markerfacecolor=face,
            linestyle="none",
            zorder=6,
            clip_on=False,
        )
    axis.set_title(panel.title, loc="left", fontweight="bold")
    axis.set_ylabel(panel.ylabel)
    axis.set_xlabel("\n".join([f"{panel.unit} from the first dose", *panel.notes]), fontsize=9, loc="left")
    seen = [*(x for x, *_ in panel.points), panel.times[panel.high > axis.get_ylim()[0]].max()]
    axis.set_xlim(-0.02 * max(seen), 1.02 * max(seen))
    axis.grid(axis="y", color="#e5e7eb", linewidth=0.8)
    axis.set_axisbelow(True)


def _kind(row: dict) -> str:
    return row["use"] if row["use"] != "check" else "inside" if row["inside"] else "outside"


def _handles(rows: list[dict]) -> list[Line2D | Patch]:
    """The legend: the simulation, and the kinds of points that are there."""
    found: list[Line2D | Patch] = [
        Line2D([], [], color=MAIN, linewidth=1.6, label=f"median of {PATIENTS} virtual patients"),
        Patch(facecolor=MAIN, alpha=0.16, label="5 to 95 % of them"),
    ]
    for color, marker, face, label in (_KINDS[k] for k in _KINDS if k in set(map(_kind, rows))):
        found.append(
            Line2D(
                [], [], color=color, marker=marker, ms=7, markerfacecolor=face, linestyle="none", label=label
            )
        )
    return found
