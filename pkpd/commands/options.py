"""Options of the command line: those that commands share, and those of `pkpd simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pkpd.errors import fail

Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster", help="Run on the workers of a Dask scheduler: tcp://HOST:PORT", show_default=False
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(help="dosing records (a NONMEM-style table, .csv or .parquet) in place of a regimen"),
]
Covariates = Annotated[
    str,
    typer.Option(help="With --data: a row's values hold forward from it on, or backward up to it (NONMEM)."),
]
Carry = Annotated[
    list[str] | None,
    typer.Option(help="With --data: columns of the table, inputs and covariates to write too: EVID,AMT,DV"),
]
Cycles = Annotated[
    int | None,
    typer.Option(
        min=0, help="cycles of the regimen's first course; 6 if left out where the regimen does not say"
    ),
]
Sets = Annotated[
    list[str] | None, typer.Option(help="parameter sets, the last on top; the system's default if left out")
]
Columns = Annotated[
    str | None, typer.Option(help="what to write, as in Cc,CL,WT; every compartment and variable if left out")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]


def no_dash(context: typer.Context, option: typer.CallbackParam, path: Path | None) -> Path | None:
    """A file or folder to write to: `-` is none, as no command writes these to standard output."""
    if path is not None and str(path) == "-":
        raise fail(
            option.opts[0],
            "'-' is no file, and this is not written to standard output",
            "name a file or folder",
        )
    return path


def said(context: typer.Context, *names: str) -> list[str]:
    """Those of some options that stand on the command line, as they are written: `--cycles`."""
    sources = ((name, context.get_parameter_source(name)) for name in names)
    return [f"--{name}" for name, source in sources if source is not None and source.name != "DEFAULT"]
