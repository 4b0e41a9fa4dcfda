"""load_study and run_study: a study of whichever kind its file names, read and run as that kind is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pkpd.content import library
from pkpd.content.naming import called
from pkpd.content.toml import shown
from pkpd.errors import fail
from pkpd.study.order.reading import read_order
from pkpd.study.order.run import run_order
from pkpd.study.platforms.reading import read_platforms
from pkpd.study.platforms.translation import run_platforms
from pkpd.study.reading import read_study
from pkpd.study.resistance.reading import read_resistance
from pkpd.study.resistance.run import run_resistance
from pkpd.study.run import run_neoadjuvant
from pkpd.study.stability.reading import read_stability
from pkpd.study.stability.run import run_stability

Tell = Callable[[str, int, int], None]
# kind of study: what reads its tables, what runs it
KINDS: dict[str, tuple[Callable[[dict, str, str], Any], Callable[[Any, Tell], Any]]] = {
    "neoadjuvant": (read_study, run_neoadjuvant),
    "platforms": (read_platforms, run_platforms),
    "resistance": (read_resistance, run_resistance),
    "order": (read_order, run_order),
    "stability": (read_stability, run_stability),
}


def load_study(name: str | Path) -> Any:
    """A study by library name or path, read as its kind is."""
    return library.load("study", name, _read_by_kind)


def run_study(study: Any, tell: Tell = lambda what, done, of: None) -> Any:
    """Runs a study of any kind; its result holds the study and its tables, rows of plain data.

    Every arm treats the same virtual patients under the same draws.
    """
    kind = getattr(study, "kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise fail(
            "run_study",
            f"{shown(study)} is no study",
            'load one: pkpd.run_study(pkpd.load_study("treatment_order"))',
        )
    return KINDS[kind][1](study, tell)


def _read_by_kind(data: dict, name: str, where: str) -> Any:
    head = data.get("study")
    kind = head.get("kind") if isinstance(head, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        what = "is missing" if kind is None else f"{shown(kind)} is not a kind of study"
        raise fail(f"{where}: study.kind", what, "write kind = " + " or ".join(f'"{k}"' for k in KINDS))
    return KINDS[kind][0](data, called(name), where)
