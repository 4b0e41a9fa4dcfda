"""Every command. Research software: nothing here is advice on any patient."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperCommand

from pkpd import __version__
from pkpd.errors import PkpdError, fail
from pkpd.executor import on_cluster

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Systems-pharmacology models of colorectal liver metastasis: model files, virtual patients, "
    "simulated trials, fits to published figures, what-ifs.\n\nResearch software: its results are "
    "simulations and are not advice on any patient.",
)
out = Console(width=None if sys.stdout.isatty() else 110)
err = Console(stderr=True)

Cluster = Annotated[
    str | None, typer.Option("--cluster", help="Run on the workers of a Dask scheduler: tcp://HOST:PORT", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]


@contextmanager
def progress() -> Iterator[Any]:
    """A progress bar on standard error, as a function (what, done, of)."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=err)
    tasks: dict[str, Any] = {}
    with bar:

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done, total=of)

        yield tell


def version(value: bool) -> None:
    if value:
        print(f"pkpd {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


@app.command("list", epilog="Example: pkpd list trials --json")
def list_(
    kind: Annotated[
        str | None, typer.Argument(help="models, drugs, parameters, regimens, trials, fits or studies; all if left out")
    ] = None,
    as_json: Json = False,
) -> None:
    """List what the library holds."""
    from pkpd import catalogue

    rows = catalogue.rows(kind)
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    if kind == "drugs":
        from pkpd.formulary import print_drugs

        print_drugs(rows, out)
        return
    for group in dict.fromkeys(r["kind"] for r in rows):
        out.print(f"[bold]{group}[/bold]")
        for r in (r for r in rows if r["kind"] == group):
            out.print(f"  {r['name']:<34}{escape(r['title'])}", soft_wrap=True)


class _Show(TyperCommand):
    """`--diagram` may stand without a file: an empty one is put in, which stands for NAME.svg."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        given = [*args, "--"]
        filled = [[a, ""] if a == "--diagram" and following.startswith("-") else [a]
                  for a, following in zip(args, given[1:], strict=True)]
        return super().parse_args(ctx, [a for pair in filled for a in pair])


@app.command(cls=_Show, epilog="Example: pkpd show oxaliplatin --diagram oxaliplatin.svg")
def show(
    name: Annotated[str, typer.Argument(help="a model, parameter set, regimen, trial, fit or study; or a file")],
    diagram: Annotated[
        str | None,
        typer.Option(metavar="[FILE]", help="Draw a model's parts and flows (.svg, .png, .pdf) or a regimen's doses (.svg, .png) "
                                            "into a file; NAME.svg in this folder if none is named."),
    ] = None,
    exposure: Annotated[
        Path | None,
        typer.Option(help="Draw a drug's simulated concentration and its published figures into a .png or .svg file."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show equations, values with their units and sources, figures of a trial, published exposures of a drug."""
    from pkpd import catalogue

    catalogue.show(name, diagram, as_json, out, exposure)


@app.command(epilog="Example: pkpd check my_model.toml")
def check(
    paths: Annotated[list[str] | None, typer.Argument(help="files or library names; the whole library if left out")] = None,
    as_json: Json = False,
) -> None:
    """Check files: names, units, structure, values, sources. Exit code 2 if anything is wrong."""
    from pkpd import catalogue

    rows, count = catalogue.check(paths or [])
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
    for row in rows if not as_json else ():
        out.print(
            escape(f"{row['where']}: {row['what']}" + (f"\n    remedy: {row['remedy']}" if row["remedy"] else "")), soft_wrap=True
        )
    if not as_json:
        out.print(f"{count} files checked, {len(rows)} issues")
    raise typer.Exit(2 if rows else 0)


@app.command(
    epilog='Example: pkpd simulate crlm_folfox --regimen folfox4 --cycles 6 --patients 100 --until "1 year" --out run.csv'
)
def simulate(
    ctx: typer.Context,
    system: Annotated[str, typer.Argument(help="any model: a library name or a file")],
    out_file: Annotated[Path, typer.Option("--out", help="Where to write: .csv or .parquet")],
    data: Annotated[
        Path | None, typer.Option(help="dosing records (a NONMEM-style CSV table), run row by row in place of a regimen")
    ] = None,
    typical: Annotated[bool, typer.Option("--typical", help="With --data: patients without spread.")] = False,
    regimen: Annotated[str | None, typer.Option(help="a regimen: a library name or a file")] = None,
    cycles: Annotated[
        int | None,
        typer.Option(min=0, help="cycles of the regimen's first course; 6 if left out where the regimen does not say"),
    ] = None,
    patients: Annotated[int, typer.Option(min=1, help="virtual patients")] = 100,
    until: Annotated[str, typer.Option(help='how long, as in "2 year"')] = "1 year",
    every: Annotated[str, typer.Option(help='how often to write, as in "1 day"')] = "1 day",
    seed: Annotated[int, typer.Option(help="seed of the virtual patients")] = 0,
    parameters: Annotated[
        list[str] | None, typer.Option(help="parameter sets, the last on top; the system's default if left out")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="what to write, as in Cc,CL,WT; every compartment and variable if left out")
    ] = None,
    cluster: Cluster = None,
) -> None:
    """Simulate virtual patients and write one row a patient and time, or, with --data, one row a record."""
    from pkpd import runs

    if data is not None or typical:
        given = [f"--{n}" for n in ("regimen", "cycles", "patients", "until", "every", "columns") if _said(ctx, n)]
        with on_cluster(cluster):
            text = runs.records_to_file(system, data, out_file, seed, parameters or [], typical, given)
        out.print(escape(text), soft_wrap=True)
        return
    if regimen is None and _said(ctx, "cycles"):
        raise fail("--cycles", "counts the cycles of a regimen, and none is given", "add --regimen, or leave it out")
    with on_cluster(cluster), progress() as tell:
        text = runs.stream_to_file(system, out_file, regimen, cycles, patients, until, every, seed, parameters or [], tell,
                                   columns)
    out.print(escape(text), soft_wrap=True)


def _said(ctx: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


@app.command(epilog="Example: pkpd trial eortc_40983 --json figures.json")
def trial(
    name: Annotated[str, typer.Argument(help="a trial: a library name or a file")],
    fit: Annotated[
        str | None, typer.Option(help='a fit\'s result, the library\'s own if left out; "none": the values of its files')
    ] = None,
    patients: Annotated[int, typer.Option(min=20, max=1_000_000, help="virtual patients an arm and draw")] = 1000,
    link: Annotated[str, typer.Option(help="kill link; the fit's own if left out")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to a JSON file.")] = None,
    cluster: Cluster = None,
) -> None:
    """Simulate a trial and set its published figures beside the predicted ones. Exit code 0 even where figures miss."""
    from pkpd import runs, store

    if json_file is not None:
        store.require_writable(json_file)
    with on_cluster(cluster), progress() as tell:
        result = runs.predict_trial(name, fit, patients, link, tell)
    runs.print_figures(result, out)
    if json_file is not None:
        store.write_json(json_file, result)


@app.command(epilog="Example: pkpd fit eortc_40983 --resume")
def fit(
    name: Annotated[str, typer.Argument(help="a fit: a library name or a file")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    out_file: Annotated[
        Path | None,
        typer.Option("--out", help="Where to write the result; NAME_result.toml in this folder if left out"),
    ] = None,
    replace_shipped: Annotated[
        bool, typer.Option("--replace-shipped", help="Replace the library's own result: for those who maintain it.")
    ] = False,
    cluster: Cluster = None,
) -> None:
    """Calibrate to published figures; the result is a parameter file with draws of the posterior."""
    from pkpd import runs

    with on_cluster(cluster), progress() as tell:
        text = runs.fit_to_file(name, resume, out_file, tell, replace_shipped)
    out.print(escape(text), soft_wrap=True)


@app.command(epilog="Example: pkpd study neoadjuvant_cycles --out page")
def study(
    name: Annotated[str, typer.Argument(help="a study: a library name or a file")],
    folder: Annotated[Path, typer.Option("--out", help="folder for the page, figures and tables")] = Path("report"),
    cluster: Cluster = None,
) -> None:
    """Run a what-if study: one HTML page, and its tables as CSV and JSON."""
    from pkpd import runs

    with on_cluster(cluster), progress() as tell:
        page = runs.study_to_page(name, folder, tell)
    out.print(f"{page}\nResearch software: a simulation, not advice on any patient.", soft_wrap=True)


def main() -> None:
    """The command line: an error that the user can mend is printed and exits with 2."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a batch system's stop leaves no half-written file either
    try:
        code = app(standalone_mode=False)  # an exit within a command comes back as its code
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except (typer.Abort, KeyboardInterrupt):
        _fail("interrupted; no half-written file was left\n"
              "    remedy: run it again; a fit goes on from its last checkpoint with `pkpd fit NAME --resume`")
    except MemoryError:
        _fail("needs more memory than this machine has\n    remedy: fewer patients, cycles or times")
    except PkpdError as error:
        _fail(str(error))
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            error.show()  # type: ignore[attr-defined]
            sys.exit(2)
        raise


_INTERRUPTED = 130  # what the command-line library returns where the user broke off


def _fail(text: str) -> None:
    err.print("[red]error[/red] " + escape(text), soft_wrap=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
