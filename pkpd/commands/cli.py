"""Every command. Research software: nothing here is advice on any patient."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from typer.core import TyperCommand

from pkpd.commands import files, show
from pkpd.commands.exits import run
from pkpd.commands.options import (
    Carry,
    Cluster,
    Columns,
    Covariates,
    Cycles,
    Data,
    Json,
    Sets,
    no_dash,
    said,
)
from pkpd.commands.progress import progress
from pkpd.commands.terminal import err, out, print_json, say
from pkpd.errors import fail
from pkpd.machine.executor import on_cluster
from pkpd.machine.version import NOTICE, VERSION

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Systems-pharmacology models of colorectal liver metastasis: model files, virtual patients, "
    "simulated trials, fits to published figures, what-ifs.\n\nResearch software: its results are "
    "simulations and are not advice on any patient.",
)


def version(value: bool) -> None:
    if value:
        print(f"pkpd {VERSION}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command("list", epilog="Example: pkpd list trials --json")
def list_(
    kind: Annotated[
        str | None,
        typer.Argument(help="models, drugs, parameters, regimens, trials, fits or studies; all if left out"),
    ] = None,
    as_json: Json = False,
) -> None:
    """List what the library holds."""
    rows = show.rows_of(kind)
    if as_json:
        print_json(rows)
        return
    if kind == "drugs":
        from pkpd.show.drugs import print_drugs

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
        filled = [
            [a, ""] if a == "--diagram" and following.startswith("-") else [a]
            for a, following in zip(args, given[1:], strict=True)
        ]
        return super().parse_args(ctx, [a for pair in filled for a in pair])


@app.command("show", cls=_Show, epilog="Example: pkpd show oxaliplatin --diagram oxaliplatin.svg")
def show_(
    name: Annotated[
        str, typer.Argument(help="a model, parameter set, regimen, trial, fit or study; or a file")
    ],
    diagram: Annotated[
        str | None,
        typer.Option(
            metavar="[FILE]",
            help="Draw a model's parts and flows (.svg, .png, .pdf) or a regimen's doses (.svg, .png) "
            "into a file; NAME.svg in this folder if none is named.",
        ),
    ] = None,
    exposure: Annotated[
        Path | None,
        typer.Option(
            callback=no_dash,
            help="Draw a drug's simulated concentration and its published figures into a .png or .svg file.",
        ),
    ] = None,
    source: Annotated[bool, typer.Option("--source", help="Print the file as it is written.")] = False,
    as_json: Json = False,
) -> None:
    """Show equations, values with their units and sources, figures of a trial, published
    exposures of a drug.
    """
    if source:
        if diagram is not None or exposure is not None or as_json:
            raise fail("--source", "stands alone: the file as it is written", "leave out the others")
        files.print_source(name)
        return
    show.show(name, diagram, as_json, out, exposure)


@app.command(epilog="Example: pkpd check my_model.toml")
def check(
    paths: Annotated[
        list[str] | None, typer.Argument(help="files or library names; the whole library if left out")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check files: names, units, structure, values, sources. Exit code 2 if anything is wrong."""
    rows, count = show.check(paths or [])
    if as_json:
        print_json(rows)
    else:
        show.print_issues(rows)
        out.print(f"{count} files checked, {len(rows)} issues")
    raise typer.Exit(2 if rows else 0)


@app.command(
    epilog='Example: pkpd simulate crlm_folfox --regimen folfox4 --cycles 6 --patients 100 --until "1 year" '
    "--out run.csv"
)
def simulate(
    ctx: typer.Context,
    system: Annotated[str, typer.Argument(help="any model: a library name or a file")],
    out_file: Annotated[
        Path, typer.Option("--out", callback=no_dash, help="Where to write: .csv or .parquet")
    ],
    data: Data = None,
    typical: Annotated[bool, typer.Option("--typical", help="With --data: patients without spread.")] = False,
    covariates: Covariates = "forward",
    carry: Carry = None,
    regimen: Annotated[str | None, typer.Option(help="a regimen: a library name or a file")] = None,
    cycles: Cycles = None,
    patients: Annotated[int, typer.Option(min=1, max=1_000_000_000, help="virtual patients")] = 100,
    until: Annotated[str, typer.Option(help='how long, as in "2 year"')] = "1 year",
    every: Annotated[str, typer.Option(help='how often to write, as in "1 day"')] = "1 day",
    seed: Annotated[int, typer.Option(help="seed of the virtual patients")] = 0,
    parameters: Sets = None,
    columns: Columns = None,
    cluster: Cluster = None,
) -> None:
    """Simulate virtual patients and write one row a patient and time, or, with --data, one row a record."""
    from pkpd.commands import run

    own = said(ctx, "typical", "covariates", "carry")
    if data is not None or own:
        given = said(ctx, "regimen", "cycles", "patients", "until", "every", "columns")
        way = run.Way(typical, covariates, carry or [], own, given)
        with on_cluster(cluster), progress(err):
            text = run.records_to_file(system, data, out_file, seed, parameters or [], way)
        say(text)
        return
    if regimen is None and said(ctx, "cycles"):
        raise fail(
            "--cycles", "counts the cycles of a regimen, and none is given", "add --regimen, or leave it out"
        )
    with on_cluster(cluster), progress(err) as tell:
        text = run.stream_to_file(
            system, out_file, regimen, cycles, patients, until, every, seed, parameters or [], tell, columns
        )
    say(text)


@app.command(epilog="Example: pkpd trial eortc_40983 --json figures.json")
def trial(
    name: Annotated[str, typer.Argument(help="a trial: a library name or a file")],
    fit: Annotated[
        str | None,
        typer.Option(help="a fit's result, the library's own if left out; \"none\": the values of its files"),
    ] = None,
    patients: Annotated[
        int, typer.Option(min=20, max=1_000_000, help="virtual patients an arm and draw")
    ] = 1000,
    link: Annotated[str, typer.Option(help="kill link; the fit's own if left out")] = "",
    seed: Annotated[
        int, typer.Option(help="seed of the virtual patients and of the trials drawn from them")
    ] = 1000,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the figures to a JSON file; - for standard output, alone there."),
    ] = None,
    cluster: Cluster = None,
) -> None:
    """Simulate a trial and set its published figures beside the predicted ones. Exit code 0 even where
    figures miss.
    """
    from pkpd.commands import run
    from pkpd.machine import store

    alone = str(json_file) == "-"
    if json_file is not None and not alone:
        store.require_writable(json_file)
    with on_cluster(cluster), progress(err) as tell:
        result = run.predict_trial(name, fit, patients, link, tell, seed)
    run.print_figures(result, err if alone else out)
    if alone:
        print_json(result)
    elif json_file is not None:
        store.write_json(json_file, result)


@app.command(epilog="Example: pkpd fit eortc_40983 --resume")
def fit(
    name: Annotated[str, typer.Argument(help="a fit: a library name or a file")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out",
            callback=no_dash,
            help="Where to write the result; NAME_result.toml in this folder if left out",
        ),
    ] = None,
    replace_shipped: Annotated[
        bool,
        typer.Option(
            "--replace-shipped", help="Replace the library's own result: for those who maintain it."
        ),
    ] = False,
    cluster: Cluster = None,
) -> None:
    """Calibrate to published figures; the result is a parameter file with draws of the posterior."""
    from pkpd.commands import run

    with on_cluster(cluster), progress(err) as tell:
        text = run.fit_to_file(name, resume, out_file, tell, replace_shipped)
    say(text)


@app.command(epilog="Example: pkpd study neoadjuvant_cycles --out page")
def study(
    name: Annotated[str, typer.Argument(help="a study: a library name or a file")],
    folder: Annotated[
        Path, typer.Option("--out", callback=no_dash, help="folder for the page, figures and tables")
    ] = Path("report"),
    cluster: Cluster = None,
) -> None:
    """Run a what-if study: one HTML page, and its tables as CSV and JSON."""
    from pkpd.commands import run

    with on_cluster(cluster), progress(err) as tell:
        page = run.study_to_page(name, folder, tell)
    say(f"{page}\n{NOTICE}")


app.command(epilog="Example: pkpd new model my_drug")(files.new)
app.command(epilog="Example: pkpd migrate my_model.toml --in-place")(files.migrate)


def main() -> None:
    """The command line."""
    run(app)


if __name__ == "__main__":
    main()
