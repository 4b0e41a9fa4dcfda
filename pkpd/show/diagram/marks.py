"""Marks on a page that is measured in points: letters, lines, arrowheads, panels, and the samples of a
legend.
"""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyBboxPatch, Polygon
from matplotlib.transforms import Affine2D, Transform

from pkpd.show.diagram.lettering import DOSE, FAINT, FONT, INK, SMALL, TITLE, TITLE_LINE, width_of, wrapped
from pkpd.show.diagram.tracks import HEAD_LENGTH

EDGE, PALE = 16.0, "#cbd5e1"
_DASH, _LEGEND_LINE, _SAMPLE = (0, (3.5, 1.8)), 16.0, 34.0
Point = tuple[float, float]


@dataclass(frozen=True)
class Page:
    """A figure, and what brings points to its pixels: x from the left edge, y downwards from
    below the title.
    """

    figure: Figure
    pixels: Transform


def page(title: str, width: float, foot: float) -> Page:
    """An empty page under its title."""
    lines = wrapped(title, width - 2 * EDGE, TITLE, True)
    top = EDGE + TITLE_LINE * len(lines) + 6
    figure = Figure(figsize=(width / 72, (top + foot) / 72), facecolor="white")
    found = Page(figure, Affine2D().scale(1 / 72, -1 / 72).translate(0, foot / 72) + figure.dpi_scale_trans)
    for i, text in enumerate(lines):
        write(found, EDGE, EDGE - top + TITLE_LINE * (i + 0.5), text, TITLE, weight="bold")
    return found


def write(
    page: Page,
    x: float,
    y: float,
    text: str,
    size: float = SMALL,
    color: str = INK,
    ha: str = "left",
    weight: str = "normal",
    va: str = "center_baseline",
    gid: str = "",
) -> None:
    page.figure.text(
        x,
        y,
        text,
        fontsize=size,
        color=color,
        ha=ha,
        va=va,
        weight=weight,
        family=FONT,
        parse_math=False,
        gid=gid,
        zorder=5,
        transform=page.pixels,
    )


def line(
    page: Page, points: list[Point], color: str, solid: bool = True, width: float = 1.0, gid: str = ""
) -> None:
    page.figure.add_artist(
        Line2D(
            [p[0] for p in points],
            [p[1] for p in points],
            color=color,
            linewidth=width,
            linestyle="-" if solid else _DASH,
            solid_capstyle="projecting",
            dash_capstyle="butt",
            gid=gid,
            zorder=2,
            transform=page.pixels,
        )
    )


def head(page: Page, x: float, y: float, way: int, color: str, length: float = HEAD_LENGTH) -> None:
    """An arrowhead with its tip at (x, y), pointing right (1) or left (-1)."""
    back, half = x - way * length, length * 0.42
    corners = [(x, y), (back, y - half), (back, y + half)]
    page.figure.add_artist(
        Polygon(corners, closed=True, facecolor=color, edgecolor="none", zorder=3, transform=page.pixels)
    )


def ring(page: Page, x: float, y: float, color: str) -> None:
    """Where a line begins or ends that goes no further."""
    page.figure.add_artist(
        Circle((x, y), 2.6, facecolor="white", edgecolor=color, linewidth=1, zorder=3, transform=page.pixels)
    )


def dot(page: Page, x: float, y: float, color: str) -> None:
    """Where a line branches."""
    page.figure.add_artist(
        Circle((x, y), 1.9, facecolor=color, edgecolor="none", zorder=3, transform=page.pixels)
    )


def panel(
    page: Page,
    x: float,
    y: float,
    w: float,
    h: float,
    edge: str,
    fill: str = "white",
    radius: float = 5.0,
    width: float = 1.1,
    gid: str = "",
    zorder: float = 1.5,
) -> None:
    page.figure.add_artist(
        FancyBboxPatch(
            (x, y),
            w,
            h,
            boxstyle=f"round,pad=0,rounding_size={radius}",
            facecolor=fill,
            edgecolor=edge,
            linewidth=width,
            gid=gid,
            zorder=zorder,
            transform=page.pixels,
        )
    )


def legend_lines(items: list[tuple[str, str]], width: float) -> list[list[tuple[float, str, str]]]:
    """The lines of a legend: the x of each mark, the mark, its words."""
    lines: list[list[tuple[float, str, str]]] = [[]]
    x = EDGE
    for kind, text in items:
        if lines[-1] and x + _SAMPLE + width_of(text) > width - EDGE:
            lines.append([])
            x = EDGE
        lines[-1].append((x, kind, text))
        x += _SAMPLE + width_of(text) + 18
    return lines


def legend_height(lines: list) -> float:
    return _LEGEND_LINE * len(lines)


def legend(page: Page, lines: list[list[tuple[float, str, str]]], top: float) -> None:
    for i, row in enumerate(lines):
        y = top + _LEGEND_LINE * i
        for x, kind, text in row:
            _sample(page, kind, x, y)
            write(page, x + _SAMPLE, y, text, color=FAINT)


def _sample(page: Page, kind: str, x: float, y: float) -> None:
    """One mark of the legend."""
    match kind:
        case "box":
            panel(page, x, y - 5, 28, 10, INK, radius=3)
        case "copies":
            for d in (4, 2, 0):
                panel(page, x + d, y - 6 + d, 22, 8, INK, radius=2)
        case "dosed":
            head(page, x + 20, y, 1, DOSE, 9)
        case "bracket":
            line(page, [(x + 16, y - 4), (x + 9, y - 4), (x + 9, y + 4), (x + 13, y + 4)], INK, width=0.8)
            head(page, x + 17, y + 4, 1, INK, 4.5)
        case "dot":
            line(page, [(x, y), (x + 28, y)], INK, False)
            line(page, [(x + 14, y), (x + 14, y + 5)], INK, False)
            dot(page, x + 14, y, INK)
        case "named" | "outside":
            line(page, [(x + 4, y), (x + 22, y)], INK, kind == "outside")
            ring(page, x + 4, y, INK)
            head(page, x + 28, y, 1, INK)
        case _:
            color = DOSE if kind == "dose" else INK
            line(page, [(x, y), (x + 22, y)], color, kind != "read")
            head(page, x + 28, y, 1, color)
