"""A trial's protocol and its published figures, as tables to read."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pkpd.show.text import DISCLAIMER
from pkpd.trial.trial import Trial


def print_trial(trial: Trial, console: Console) -> None:
    """What a trial does, line by line with how each was seen, and what it reported."""
    console.print(f"[bold]{escape(trial.title)}[/bold]\n{escape(trial.population)}\n", soft_wrap=True)
    protocol = Table(title="Protocol")
    for column in ("line", "is", "how seen", "where"):
        protocol.add_column(column, overflow="fold")
    for line, text, where, seen in trial.provenance:
        protocol.add_row(
            escape(line),
            escape(text),
            f"[yellow]{seen}[/yellow]" if seen == "assumed" else seen,
            escape(where),
        )
    console.print(protocol)
    figures = Table(title="Published figures")
    for column in ("figure", "arm", "value", "interval", "n", "use", "how seen", "where"):
        figures.add_column(column, overflow="fold")
    for f in trial.figures:
        interval = "" if f.interval is None else f"{f.interval[0]:.3g}–{f.interval[1]:.3g}"
        value = "" if f.value is None else f"{f.value:g} {f.unit if f.unit != '1' else ''}"
        figures.add_row(
            escape(f.name), escape(f.arm), value, interval, str(f.n), f.use, f.seen, escape(f.where)
        )
    console.print(figures)
    console.print(DISCLAIMER)
