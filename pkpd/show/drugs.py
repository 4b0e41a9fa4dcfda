"""The drugs of the library: what their models and values rest on, and which exposures were checked."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pkpd.content import library
from pkpd.content.fields import SEEN
from pkpd.exposures.exposure import Exposure
from pkpd.exposures.page import MEASURES
from pkpd.exposures.reading import load_evidence


def drug_rows() -> list[dict[str, Any]]:
    """A row a drug: name, structure, source, how many values were seen how, and its published exposures;
    nothing is simulated.
    """
    sets = {
        head.get("model", ""): data
        for data, head in map(_set, library.names("parameters"))
        if head.get("default") is True
    }
    figures = load_evidence().figures
    return [
        _row(name, sets.get(name, {}), tuple(f for f in figures if f"drugs/{f.drug}" == name))
        for name in library.names("model")
        if name.startswith("drugs/")
    ]


def _set(name: str) -> tuple[dict, dict]:
    data = library.read("parameters", name).data
    return data, data.get("parameters", {})


def _row(name: str, values: dict, figures: tuple[Exposure, ...]) -> dict[str, Any]:
    head = library.read("model", name).data.get("model", {})
    seen = Counter(
        line.get("seen", "user") for line in values.get("values", {}).values() if isinstance(line, dict)
    )
    return {
        "kind": "drugs",
        "name": name,
        "title": str(head.get("title", "")),
        "reference": str(head.get("reference", "")),
        "structure": str(head.get("title", "")).partition(": ")[2] or str(head.get("title", "")),
        "source": str(values.get("parameters", {}).get("reference", "")),
        "seen": {way: seen[way] for way in SEEN if seen[way]},
        "exposures": _exposures(figures),
    }


def _exposures(figures: tuple[Exposure, ...]) -> dict[str, Any]:
    """How many figures are checked, missed (as the file says), circular and context; the measures without a
    check.
    """
    uses = Counter(f.use for f in figures)
    checked = {f.what for f in figures if f.use == "check"}
    return {
        "checked": uses["check"],
        "missed": sum(bool(f.miss) for f in figures if f.use == "check"),
        "circular": uses["circular"],
        "context": uses["context"],
        "missing": [name for name, whats in MEASURES.items() if not checked & set(whats)],
    }


def print_drugs(rows: list[dict[str, Any]], console: Console) -> None:
    """The table of drugs."""
    table = Table()
    for column in (
        "drug",
        "structure",
        "source",
        "values seen",
        "checked",
        "missed",
        "circular",
        "not checked",
    ):
        table.add_column(
            column,
            overflow="fold",
            justify="right" if column in ("checked", "missed", "circular") else "left",
        )
    for r in rows:
        seen, found = ", ".join(f"{n} {way}" for way, n in r["seen"].items()), r["exposures"]
        missed = f"[red]{found['missed']}[/red]" if found["missed"] else "0"
        table.add_row(
            escape(r["name"].removeprefix("drugs/")),
            escape(r["structure"]),
            escape(r["source"]),
            seen,
            str(found["checked"]),
            missed,
            str(found["circular"]),
            ", ".join(found["missing"]) or "–",
        )
    console.print(table)
    console.print(
        "checked: published exposures set beside the model; missed: of them outside, and explained. "
        "`pkpd show DRUG --exposure F.png` shows them; docs/results/exposures.md has them all.",
        soft_wrap=True,
    )
