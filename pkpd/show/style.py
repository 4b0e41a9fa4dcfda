"""What all figures share: colours, lines, a grid of panels, SVG text without a display."""

from __future__ import annotations

import io
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pkpd.simulation.curves import INK, LINE
from pkpd.simulation.curves import STYLE as PLAIN

# Okabe and Ito's palette, told apart by every kind of colour vision; links also differ in their dashes
MAIN, FAINT, LIMIT = LINE, "#6b7280", "#9a3412"
OTHERS = (("#D55E00", (0, (5, 2))), ("#009E73", (0, (1.5, 1.5))), ("#CC79A7", (0, (5, 1.5, 1, 1.5))))
STYLE: Any = PLAIN | {"axes.edgecolor": FAINT, "axes.titlesize": 10.5, "xtick.color": INK, "ytick.color": INK}


def svg(picture: Figure) -> str:
    """A figure as the text of an SVG file, the same for the same figure."""
    with rc_context(STYLE):
        file = io.StringIO()
        picture.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def grid(count: int, columns: int) -> tuple[Figure, list[Axes]]:
    """Panels in rows; those of the last row that hold nothing are hidden."""
    lines = -(-count // columns)
    picture = Figure(figsize=(5.3 * columns, 3.3 * lines + 0.9), layout="constrained")
    picture.get_layout_engine().set(w_pad=0.12, h_pad=0.10)  # type: ignore[union-attr]
    axes = list(picture.subplots(lines, columns, squeeze=False).flat)
    for axis in axes[count:]:
        axis.set_visible(False)
    return picture, axes[:count]
