"""A model and its parameters on a console: equations part by part, and tables of compartments and values with
their sources.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pkpd.content.units import pretty
from pkpd.parameters.bind import line_for
from pkpd.show.text import DISCLAIMER, number

_SEEN_STYLE = {"assumed": "bold yellow", "fitted": "cyan", "user": "magenta"}


def print_model(description: dict, console: Console) -> None:
    """Prints what `show_model` described: equations, compartments, parameters and their sources."""
    d = description
    after = f"; after {d['reference']}" if d["reference"] else ""
    _title(d, f"{d['name']}; time unit {d['time']}{after}", console)
    _heading("Equations", console)
    counts = {p["name"]: p for p in d["parts"]}
    for part in counts or [""]:
        _print_part(part, counts.get(part), d, console)
    written = [*(f["rate"] for f in d["flows"]), *(v["is"] for v in d["variables"])]
    if d["time"] == "day" and any(w.startswith("24·") for w in written):
        console.print(Text("24 brings what a part says per hour to the system's day.", style="dim"))
    if any("hill(" in w for w in written):
        console.print(Text("hill(x, k, n) = x^n / (k^n + x^n)", style="dim"))
    for total in d["conserved"]:
        console.print(Text(f"Constant: {total}"))
    _heading("Compartments", console)
    console.print(_compartment_table(d["compartments"]))
    _print_lines(d, d["parameters"], "Parameters" + (f": {d['set']['name']}" if d["set"] else ""), console)


def print_parameters(description: dict, console: Console) -> None:
    """Prints what `show_parameters` described."""
    draws = f"; {description['draws']} draws" if description["draws"] else ""
    stands = f"; a surrogate: values of {description['surrogate']}" if description["surrogate"] else ""
    _title(
        description,
        f"{description['name']}; for {description['model'] or 'any model: patients'}{stands}{draws}",
        console,
    )
    _print_lines(description, description["values"], "Values", console)


def _title(d: dict, line: str, console: Console) -> None:
    console.print(Text(d["title"] or d["name"], style="bold"))
    console.print(Text(line, style="dim"))
    if d["text"]:
        console.print(Text("\n" + d["text"]))


def _print_part(part: str, entry: dict | None, d: dict, console: Console) -> None:
    """The equations of one part, then what they name."""
    lines = [(*e["equation"].split(" = ", 1), e) for e in d["equations"]]
    lines += [(v["name"], v["is"], v) for v in d["variables"]]
    lines += [(f["name"], f["rate"], f) for f in _by_name(d["flows"])]
    all_copies = entry["copies"] if entry else 1
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for left, right, row in lines:
        if row["part"] == part:
            some = f"   ({row['index']})" if row["index"] and row["copies"] < all_copies else ""
            grid.add_row(Text(_within(part, left)), Text.assemble("= " + _within(part, right), (some, "dim")))
    if entry:
        many = f", chain of {entry['chain']}" if entry["chain"] > 1 else f" × {all_copies} copies"
        label = part + (many if all_copies > 1 else "")
        console.print(Text.assemble((label, "bold"), (f"  {entry['use']}", "dim")))
    if grid.row_count:
        console.print(Padding(grid, (0, 0, 1, 2)))


def _within(part: str, text: str) -> str:
    """A text as read inside one part, whose own names need not say so."""
    return re.sub(rf"(?<![\w.]){re.escape(part)}\.(?:i\.|(?![\d(]))", "", text) if part else text


def _compartment_table(rows: list[dict]) -> Table:
    table = _table("Name", "Unit", "What", "At the start", "Dosed")
    for row, text in _by_part(rows, table):
        dosed = ("yes" + (f": {text(row['dose'])}" if row["dose"] else "")) if row["dosed"] else ""
        _row(table, text(row["name"]), pretty(row["unit"]), row["text"], text(row["start"]), dosed)
    return table


def _by_part(rows: list[dict], table: Table) -> Iterable[tuple[dict, Callable[[str], str]]]:
    """Rows with what shortens their names; a part's first row comes below its heading."""
    part = ""
    for row in rows:
        if row["part"] != part:
            part = row["part"]
            table.add_section()
            table.add_row(Text(part + (f" × {row['copies']}" if row["copies"] > 1 else ""), style="bold"))
        yield row, partial(_within, part)


def _by_name(flows: list[dict]) -> list[dict]:
    """Flows whose name and rate read alike told once: those of a chain differ in where they go only."""
    return list(
        {
            (line_for(f["name"].replace(".i.", ".")), re.sub(r"\.\d+\.", ".i.", f["rate"])): {
                **f,
                "index": "",
            }
            for f in reversed(flows)
        }.values()
    )[::-1]


def _heading(text: str, console: Console) -> None:
    console.print(Text(f"\n{text}", style="bold underline"))


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for name in columns:
        table.add_column(
            name,
            justify="right" if name == "Value" else "left",
            overflow="fold",
            no_wrap=name in ("Value", "Seen"),
        )
    return table


def _row(table: Table, *cells: str | Text) -> None:
    table.add_row(*(Text(c) if isinstance(c, str) else c for c in cells))


def _print_lines(d: dict, rows: list[dict], heading: str, console: Console) -> None:
    """The table of values, then covariates, correlations, references, and what this software is not."""
    notes: dict[str, int] = {}
    for title, lines in ((heading, rows), ("Covariates", d["covariates"])):
        if lines:
            _heading(title, console)
            console.print(_values_table(lines, notes))
    if d["correlations"]:
        _heading("Correlations", console)
        for c in d["correlations"]:
            pair = " with ".join(c["of"])
            console.print(Text(f"{pair}: {number(c['r'])} ({c['seen']}) {c['where']}".rstrip()))
    if notes:
        _heading("Sources", console)
        grid = Table.grid(padding=(0, 1))
        for key, n in notes.items():
            _row(grid, f"[{n}]", d["references"].get(key) or key)
        console.print(grid)
    console.print(Text(f"\n{DISCLAIMER}", style="italic"))


def _values_table(lines: list[dict], notes: dict[str, int]) -> Table:
    """Values with what they are, how they vary, and where they were seen, below each other."""
    bare = all(r["value"] is None for r in lines)
    table = _table("Name", "Unit", "What") if bare else _table("Name", "Value", "Unit", "Seen", "What")
    for r, text in _by_part(lines, table):
        what = Text(r["text"])
        if bare:
            _row(table, text(r["name"]), pretty(r["unit"]), what)
            continue
        source = f"[{notes.setdefault(r['source'], len(notes) + 1)}] " if r["source"] else ""
        varies = "; ".join(filter(None, (r["spread"], r["effect"])))
        for line in (varies, r["note"] or "", source + (r["where"] or "")):
            what.append(("\n" if what and line else "") + line, style="dim")
        _row(
            table,
            text(r["name"]),
            "–" if r["value"] is None else number(r["value"]),
            pretty(r["unit"]),
            Text(r["seen"] or "", style=_SEEN_STYLE.get(r["seen"], "")),
            what,
        )
    return table
