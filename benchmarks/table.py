"""Tables on the screen, rows in JSON, and the machine they were measured on."""

from __future__ import annotations

import json
import math
import os
import platform
from pathlib import Path

Row = dict[str, object]


def machine() -> str:
    """The processor, its cores and Python, in one line."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        models = [
            x.split(":", 1)[1].strip() for x in cpuinfo.read_text().splitlines() if x.startswith("model name")
        ]
        name = models[0] if models else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def cell(value: object) -> str:
    """A value as a table shows it: numbers to three digits."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return (
            f"{value:.1e}"
            if value and abs(value) < 1e-2
            else f"{value:,.0f}"
            if abs(value) >= 100
            else f"{value:.3g}"
        )
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def show(title: str, rows: list[Row], columns: dict[str, str]) -> None:
    """Prints rows as a Markdown table; columns are headings by key."""
    lines = [[cell(row.get(key)) for key in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns.values(), *lines, strict=True)]
    numeric = [all(not isinstance(row.get(key), str) for row in rows) for key in columns]

    def put(texts: list[str]) -> str:
        return (
            "| "
            + " | ".join(
                t.rjust(w) if n else t.ljust(w) for t, w, n in zip(texts, widths, numeric, strict=True)
            )
            + " |"
        )

    print(f"\n{title}\n\n{put(list(columns.values()))}")
    print(
        "|"
        + "|".join("-" * (w + 1) + (":" if n else "-") for w, n in zip(widths, numeric, strict=True))
        + "|"
    )
    print("\n".join(put(line) for line in lines), flush=True)


def write(path: str | None, rows: list[Row]) -> None:
    """Writes rows as JSON, if a file was asked for."""
    if path:
        plain = [
            {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
            for row in rows
        ]
        Path(path).write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
        print(f"\n{len(rows)} rows in {path}")
