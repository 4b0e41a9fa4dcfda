"""Commands on content files: begun from a template, printed as written, brought to the newest format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pkpd.commands.options import no_dash
from pkpd.commands.show import kinds_of
from pkpd.commands.terminal import err, say
from pkpd.content import formats, library, migration


def new(
    kind: Annotated[str, typer.Argument(help="model, parameters, regimen or trial")],
    name: Annotated[str, typer.Argument(help="what to call it: NAME.toml is written in this folder")],
    model: Annotated[
        str | None,
        typer.Option(
            help="of parameters, their model; if left out, the only one of this folder, or one of the library"
        ),
    ] = None,
) -> None:
    """Begin a content file: a commented one that passes its check as written. No file is written over."""
    from pkpd.commands.templates import write_new

    path, of = write_new(kind, name, model)
    say(f"{path}: written" + (f", for the model {of}" if of else "") + f"; `pkpd check ./{path}` checks it")


def migrate(
    file: Annotated[str, typer.Argument(help="a content file")],
    out_file: Annotated[
        Path | None, typer.Option("--out", callback=no_dash, help="Where to write it; else it is printed.")
    ] = None,
    in_place: Annotated[bool, typer.Option("--in-place", help="Rewrite the file itself.")] = False,
) -> None:
    """Bring a content file to the newest format, its comments kept; one without a number is given it."""
    text, written = migration.migrate(file, out_file, in_place)
    if written is not None:
        say(f"{written}: format {formats.newest()} written")
    elif in_place:
        say(f"{file}: is of format {formats.newest()} already; nothing was written")
    else:
        print(text, end="")


def print_source(name: str) -> None:
    """Prints a content file as it is written; of a name that several share, the first."""
    if library.is_path(name, "model"):
        path, rest = library.find("model", name), []
    else:
        kind, *rest = kinds_of(name)
        path = library.find(kind, name)
    print(library.text_of(path), end="")
    if rest:
        say(f"{name} is a {kind}, and also a {' and a '.join(rest)}: name a file for these", err)
