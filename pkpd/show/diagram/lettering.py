"""Letters of a picture: sizes in points, widths as they will be drawn, lines that fit."""

from __future__ import annotations

from functools import lru_cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

SMALL, HEAD, TITLE = 8.0, 9.0, 12.0  # points
LINE, TITLE_LINE = 10.0, 16.0  # points from line to line
INK, FAINT, DOSE = "#1f2937", "#64748b", "#b45309"
FONT, _SPARE = "DejaVu Sans", 1.03  # a raster's letters are a little wider than their outlines


@lru_cache(maxsize=4096)
def width_of(text: str, size: float = SMALL, bold: bool = False) -> float:
    """Points that a line takes."""
    font = FontProperties(family=FONT, size=size, weight="bold" if bold else "normal")
    return _SPARE * text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] if text else 0.0


def wrapped(text: str, width: float, size: float = SMALL, bold: bool = False) -> list[str]:
    """Lines no wider than `width` points, unless a single word is."""
    lines: list[str] = []
    for word in text.split():
        if lines and width_of(f"{lines[-1]} {word}", size, bold) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def widest(lines: list[str], size: float = SMALL, bold: bool = False) -> float:
    return max((width_of(line, size, bold) for line in lines), default=0.0)
