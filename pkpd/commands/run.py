"""What the commands do: run a verb on names, write files whole or not at all, and tell what came out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pkpd.content import formats, library, units
from pkpd.content.naming import called
from pkpd.errors import fail
from pkpd.machine import inputs, store
from pkpd.machine.version import NOTICE
from pkpd.parameters.parameters import Parameters

Tell = Callable[[str, int, int], None]


def stream_to_file(
    system: str,
    path: Path,
    regimen: str | None,
    cycles: int | None,
    patients: int,
    until: str,
    every: str,
    seed: int,
    parameters: list[str],
    tell: Tell,
    columns: str | None = None,
) -> str:
    """Simulates a population and writes its rows."""
    from pkpd.machine.tables import require_table
    from pkpd.model.compose import load_model
    from pkpd.parameters.sets import load_parameters
    from pkpd.regimen.reading import load_regimen
    from pkpd.simulation.streaming import Crowd, simulate_to_file

    require_table(path)
    model = load_model(system)
    given, said = load_regimen(regimen) if regimen else None, []
    if given is not None and cycles is None and given.open:
        cycles = 6
        said = [f"{cycles} cycles of {given.courses[0].name}, as --cycles was left out"]
    if given is None and any(c.dose is not None for c in model.compartments):
        said = ["nothing is given: no --regimen and no --data"]
    own = load_parameters(parameters, model)
    said += _stands_in(own)
    crowd = Crowd(model, own, _times(until, every, model.time), given, cycles, seed)
    done = simulate_to_file(
        crowd, patients, path, tell, None if columns is None else [n.strip() for n in columns.split(",")]
    )
    failed = [f"failed and kept, its later rows empty: {f}" for f in done.failures[:5]]
    if done.failed > 5:
        failed.append(f"… and {done.failed - 5} more of {patients} patients, named in the column FAILED")
    said += done.tally.lines() if done.tally else []
    return "\n".join([*_told(path, done.rows, done.units, patients, system), *said, *failed, NOTICE])


def _stands_in(own: Parameters) -> list[str]:
    """What is told of values that stand in for those of the model."""
    return [f"{own.name} is a surrogate: its values are those of {own.surrogate}"] if own.surrogate else []


def _times(until: str, every: str, unit: str) -> tuple[float, ...]:
    """When rows are written, the end of the run included."""
    end, step = (units.convert(t, unit, f"--{w}") for t, w in ((until, "until"), (every, "every")))
    if not 0 < end < math.inf:
        raise fail("--until", f"{until!r} is no length of a run", "give a time above zero: '1 year'")
    if not 0 < step <= end or end / step > 200_000:
        raise fail(
            "--every", f"{every!r} does not divide {until!r} into 1 to 200,000 steps", "choose another"
        )
    return (*np.arange(0, end - 1e-9 * end, step).tolist(), end)


@dataclass(frozen=True)
class Way:
    """How records are run, as the command line says it.

    own    options that go with records only
    given  options that have no place beside them
    """

    typical: bool = False
    covariates: str = "forward"
    carry: Sequence[str] = ()
    own: Sequence[str] = ()
    given: Sequence[str] = ()


def records_to_file(
    system: str, data: Path | None, path: Path, seed: int, parameters: list[str], way: Way
) -> str:
    """Runs a table of dosing records and writes one row a record."""
    from pkpd.machine.tables import require_table, table_writer
    from pkpd.model.compose import load_model
    from pkpd.parameters.sets import load_parameters
    from pkpd.records.reading import read_records
    from pkpd.records.run import simulate_records

    if data is None:
        raise fail(way.own[0], "goes with --data only", "give the records: --data FILE, or leave it out")
    if way.given:
        raise fail(
            way.given[0],
            "has no place beside --data: the records say who is given what, and when to write",
            "leave out " + ", ".join(way.given),
        )
    require_table(path)
    if path.resolve() == data.resolve():
        raise fail("--out", f"{path} is the table of records itself", "name another file")
    model = load_model(system)
    own = load_parameters(parameters, model)
    records = read_records(data, model, own, seed=seed, typical=way.typical, covariates=way.covariates)
    store.require_free(path)  # every input has been read
    table = simulate_records(records, strict=False, carry=",".join(way.carry))
    with table_writer(path, table.attrs["units"]) as write:
        write({n: table[n] for n in table.columns})
    failed = [f"failed and kept, its later rows empty: {f}" for f in table.attrs["failures"]]
    notices = [*(f"{data}: {n}" for n in records.notices), *_stands_in(own)]
    carried = [n for n in table.columns if n not in table.attrs["units"] and n != "FAILED"]
    notices += [f"carried as they are: {', '.join(carried)}"] if carried else []
    return "\n".join(
        [*_told(path, len(table), table.attrs["units"], len(records.ids), system), *notices, *failed, NOTICE]
    )


def _told(path: Path, rows: int, columns: dict[str, str], patients: int, system: str) -> list[str]:
    """What was written: rows, columns and the units of the first ones."""
    shown = [n for n in columns if n not in ("ID",)][:12]
    lines = [f"{path}: {rows} rows, {patients} patients, {len(columns)} columns"]
    lines += [f"  {n} [{units.pretty(columns[n])}]" for n in shown]
    rest = len(columns) - 1 - len(shown)
    return [*lines, f"  … and {rest} more (`pkpd show {system}` gives every unit)"] if rest else lines


def predict_trial(name: str, fit: str | None, patients: int, link: str, tell: Tell, seed: int = 1000) -> dict:
    """The predicted figures of a trial under a fit's posterior or uncalibrated values, with hashes."""
    from pkpd.fit.hashes import hashes
    from pkpd.fit.own import laid_over
    from pkpd.fit.predict import predict
    from pkpd.fit.result import fitted, load_result, result_for
    from pkpd.trial.reading import load_trial

    trial = load_trial(name)
    if link and not trial.treatments:
        raise fail("--link", f"{trial.name} has no kill link to choose", "leave it out")
    fit = fit or result_for(trial)
    if fit is None or fit == "none":
        parameters = trial.parameters
        result = predict(trial, parameters, patients, link, seed, fitted=(), tell=tell)
        return formats.stamped({**result, "fit": None, "hashes": hashes(trial, parameters, None)})
    parameters, account = load_result(fit)
    if parameters.model != trial.disease.name:
        raise fail(
            "--fit",
            f"{fit!r} is of {parameters.model}, but {trial.name} has {trial.disease.name}",
            'name a fit of this disease, or "none"',
        )
    own, parameters = fitted(account, trial.name), laid_over(trial, parameters)
    link = link or account.get("link", "")
    result = predict(trial, parameters, patients, link, seed, fitted=own, tell=tell)
    return formats.stamped({**result, "fit": called(fit), "hashes": hashes(trial, parameters, fit)})


def print_figures(result: dict, console: Console) -> None:
    """The figures of a trial: published, predicted, inside or outside; a miss in red."""
    from pkpd.fit.page import predicted_text, published_text, unit_text

    table = Table(title=escape(result["title"]), show_lines=False)
    for column in ("figure", "arm", "unit", "use", "published", "predicted (95 %)", ""):
        table.add_column(column, overflow="fold")
    for r in result["figures"]:
        verdict = {
            True: "[green]inside[/green]",
            False: "[bold red]OUTSIDE[/bold red]",
            None: "[dim]context[/dim]",
        }[r["inside"]]
        table.add_row(
            escape(r["figure"]),
            escape(r["arm"]),
            escape(unit_text(r)),
            r["use"],
            published_text(r),
            predicted_text(r),
            verdict,
        )
    console.print(table)
    _print_account(result, console)


def _print_account(result: dict, console: Console) -> None:
    """Below the table: what it rests on, the joint check, failures."""
    link = f"link: {escape(result['link'])} · " if result["link"] else ""
    draws = f"{result['draws']} draws of the posterior" if result["draws"] > 1 else "one set of values"
    console.print(
        f"fit: {escape(result['fit'] or 'none, the values of the library’s files')} · {link}"
        f"{draws} × {result['trials'] // result['draws']} trials of the trial's own size, "
        f"resampled from {result['patients']} virtual patients an arm",
        soft_wrap=True,
    )
    console.print(
        "counts: exact binomial intervals · † interval derived, none was published: of a share its "
        "binomial, of a median from "
        "simulated trials",
        soft_wrap=True,
    )
    if result["joint"]:
        j = result["joint"]
        console.print(
            f"the {j['figures']} fitted figures together: squared distance {j['distance_squared']:.1f}, "
            f"p = {j['p']:.2f} over simulated trials",
            soft_wrap=True,
        )
    if result["failed_share"]:
        console.print(
            f"[red]{100 * result['failed_share']:.2g} % of the simulated patients failed and count in no "
            f"figure[/red]"
        )
    for text in result["failures"][:5]:
        console.print(f"[red]failed and left out:[/red] {escape(text)}")
    console.print(NOTICE)


def _result_file(name: str, path: Path | None, replace_shipped: bool) -> Path:
    """Where a fit's result goes: to the file named, or to NAME_result.toml here.

    A fit of a checkout that has no result yet makes the library's; one that is there is replaced on request
    only.
    """
    own, shipped = library.is_path(name, "fit"), inputs.ROOT / library.FOLDERS["result"] / f"{name}.toml"
    if replace_shipped and path is None and own:
        raise fail(
            "--replace-shipped",
            f"{name} is a file of yours, whose result is none of the library's",
            "leave it out, or name the library's result with --out",
        )
    if (
        path is None
        and not own
        and (replace_shipped or not (shipped.exists() or inputs.ROOT.name == "_library"))
    ):
        return shipped
    target = path if path is not None else Path(f"{Path(name).stem if own else name}_result.toml")
    if not replace_shipped and store.is_shipped(target):
        raise fail(
            "--out",
            f"{target} belongs to the library, and would be replaced",
            "name another file, or add --replace-shipped to refit the library's own",
        )
    return target


def fit_to_file(name: str, resume: bool, path: Path | None, tell: Tell, replace_shipped: bool = False) -> str:
    """Runs a fit and writes its result."""
    from pkpd.fit.reading import load_fit
    from pkpd.fit.result import save
    from pkpd.fit.run import run_fit, summary

    plan = load_fit(name)  # reads every file of the fit: the output replaces none of them
    target = _result_file(name, path, replace_shipped)
    store.require_writable(target, over_shipped=replace_shipped)
    result = run_fit(plan, resume, tell, lambda found: save(found, target, over_shipped=replace_shipped))
    lines = [
        f"{target}: written",
        f"{result.calls} evaluations, best of {len(result.starts)} starts "
        f"({', '.join(f'{v:.2f}' for v in result.start_values)}; log posterior)",
        f"posterior: {result.draws.exact} draws evaluated exactly, worth {result.draws.effective:.0f}; "
        f"emulator error {result.draws.error:.2f} standard errors",
    ]
    for t in result.terms:
        lines.append(
            f"  {t['trial']}: {t['kind']} of {t['figures']} figure{'s' * (t['figures'] > 1)}, "
            f"log likelihood {t['log_likelihood']:.2f}, squared distance {t['distance_squared']:.2f}"
        )
    for r in summary(result):
        lines.append(
            f"  {r['name']}: {r['median']:.3g} ({r['low']:.3g} to {r['high']:.3g}); prior {r['prior']:.3g} "
            f"({r['prior_low']:.3g} to {r['prior_high']:.3g}); {r['says']}"
        )
    return "\n".join(lines)


def study_to_page(name: str, folder: Path, tell: Tell) -> Path:
    """Runs a study and writes its page and tables."""
    from pkpd.report.studies import write_study
    from pkpd.study.kinds import load_study, run_study

    study = load_study(name)
    store.require_folder(folder)
    return write_study(run_study(study, tell), folder)
