"""Published figures of exposure beside the simulated ones, as a table on a console."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pkpd.exposures.page import given, quantity, simulated, value, verdict, words

_NOTICE = "Research software: simulations beside published figures, not advice on any patient."


def print_rows(title: str, rows: list[dict], console: Console) -> None:
    """The table of figures: published and simulated, inside or outside, how seen, source, why missed."""
    if not rows:
        console.print(escape(f"{title}: no published figure"))
        console.print(_NOTICE, style="italic")
        return
    table = Table(title=escape(title))
    for column in ("figure", "what; given", "published", "simulated (5–95 %)", "", "seen, source"):
        table.add_column(column, overflow="fold")
    several = len({r["drug"] for r in rows}) > 1
    for r in rows:
        told = verdict(r).replace("**outside**", "[bold red]OUTSIDE[/bold red]")
        cells = [
            (f"{r['drug']}: " if several else "") + words(r["name"]),
            f"{quantity(r)}; {given(r)}",
            value(r),
            simulated(r),
        ]
        table.add_row(*map(escape, cells), told, escape(f"{r['seen']}, {r['source']}"))
    console.print(table)
    for r in (r for r in rows if r["miss"]):
        console.print(escape(f"{words(r['name'])}: {r['miss']}"), soft_wrap=True)
    console.print(
        "* no spread was published: 0.8 to 1.25 of the value. " + _NOTICE, style="italic", soft_wrap=True
    )
