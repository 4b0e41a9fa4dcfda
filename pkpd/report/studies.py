"""write_study: the page of a study's result, of whichever kind it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pkpd.report.cycles import write_cycles
from pkpd.report.order import write_order
from pkpd.report.platforms import write_platforms
from pkpd.report.resistance import write_resistance
from pkpd.report.stability import write_stability

WRITERS: dict[str, Callable[[Any, Path], Path]] = {
    "neoadjuvant": write_cycles,
    "platforms": write_platforms,
    "resistance": write_resistance,
    "order": write_order,
    "stability": write_stability,
}


def write_study(result: Any, folder: Path) -> Path:
    """Writes results.json, results.csv, figures/*.svg and, last, index.html; returns the page's path."""
    return WRITERS[result.study.kind](result, folder)
