"""How a page is written: its figures as SVG and inside the page, its rows as CSV and JSON, the page itself
last.
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from pkpd.content.formats import stamped
from pkpd.content.naming import called
from pkpd.machine import store
from pkpd.show.style import svg

Figures = dict[str, dict[str, str]]


def embedded(pictures: Mapping[str, tuple[Figure, str]]) -> Figures:
    """Each picture and its caption as SVG, and as a data address for the page."""
    found = {}
    for name, (picture, caption) in pictures.items():
        text = svg(picture)
        address = "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()
        found[name] = {"svg": text, "address": address, "caption": caption}
    return found


def as_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV; an empty cell where a number is not defined."""
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


_NAMES = ("trial", "fit", "system")  # in an account, and in how it was made


def _called(account: dict) -> dict:
    """An account in which no name of a file has the folder that it lies in."""
    own: dict[str, Any] = {
        k: called(v) if k in _NAMES and isinstance(v, str) else v for k, v in account.items()
    }
    return own | ({"made": _called(own["made"])} if isinstance(own.get("made"), dict) else {})


def write_report(folder: Path, page: str, account: dict, table: str, figures: Figures) -> Path:
    """Writes results.json, results.csv, figures/*.svg and, last, index.html: all or none; returns the page's
    path.

    Other files of the folder are left as they are.
    """
    folder = store.require_folder(folder)
    store.require_folder(folder / "figures")
    with store.together(folder):
        store.write_json(folder / "results.json", stamped(_called(account)))
        store.write_text(folder / "results.csv", table)
        for name, figure in figures.items():
            store.write_text(folder / "figures" / f"{name}.svg", figure["svg"])
        return store.write_text(folder / "index.html", page)
