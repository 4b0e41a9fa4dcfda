"""What the commands do: run a verb on names, write files whole or not at all, and tell what came out."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pkpd import library, store, units
from pkpd.errors import fail

Tell = Callable[[str, int, int], None]
# kind of study: what runs it, what writes its page
_STUDIES = {"neoadjuvant": (("pkpd.study.run", "run_study"), ("pkpd.report.page", "write_page")),
            "platforms": (("pkpd.study.platforms.translation", "run_platforms"), ("pkpd.report.platforms", "write_platforms")),
            "resistance": (("pkpd.study.resistance.study", "run_resistance"), ("pkpd.report.resistance", "write_resistance")),
            "order": (("pkpd.study.order.plan", "run_order"), ("pkpd.report.order", "write_order")),
            "stability": (("pkpd.study.stability.run", "run_stability"), ("pkpd.report.stability", "write_stability"))}
NOTICE = "Research software: a simulation, not advice on any patient."


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
) -> str:
    """Simulates a population and writes its rows."""
    from pkpd.model.compose import load_model
    from pkpd.parameters import load_parameters
    from pkpd.regimen import load_regimen
    from pkpd.streaming import Crowd, simulate_to_file
    from pkpd.tables import require_table

    require_table(path)
    model = load_model(system)
    given, said = load_regimen(regimen) if regimen else None, []
    if given is not None and cycles is None and given.open:
        cycles = 6
        said = [f"{cycles} cycles of {given.courses[0].name}, as --cycles was left out"]
    crowd = Crowd(model, load_parameters(parameters, model), _times(until, every, model.time), given, cycles, seed)
    done = simulate_to_file(crowd, patients, path, tell)
    failed = [f"failed and kept, its later rows empty: {f}" for f in done.failures[:5]]
    if done.failed > 5:
        failed.append(f"… and {done.failed - 5} more of {patients} patients, named in the column FAILED")
    said += done.tally.lines() if done.tally else []
    return "\n".join([*_told(path, done.rows, done.units, patients, system), *said, *failed, NOTICE])


def _times(until: str, every: str, unit: str) -> tuple[float, ...]:
    """When rows are written, the end of the run included."""
    end, step = (units.convert(t, unit, f"--{w}") for t, w in ((until, "until"), (every, "every")))
    if not 0 < end < math.inf:
        raise fail("--until", f"{until!r} is no length of a run", "give a time above zero: '1 year'")
    if not 0 < step <= end or end / step > 200_000:
        raise fail("--every", f"{every!r} does not divide {until!r} into 1 to 200,000 steps", "choose another")
    return (*np.arange(0, end - 1e-9 * end, step).tolist(), end)


def records_to_file(system: str, data: Path | None, path: Path, seed: int, parameters: list[str], typical: bool,
                    given: list[str]) -> str:
    """Runs a table of dosing records and writes one row a record; `given` are options that have no place beside it."""
    from pkpd.model.compose import load_model
    from pkpd.parameters import load_parameters
    from pkpd.records.read import read_records, simulate_records
    from pkpd.tables import require_table, table_writer

    if data is None:
        raise fail("--typical", "goes with --data only", "give the records: --data FILE, or leave it out")
    if given:
        raise fail(given[0], "has no place beside --data: the records say who is given what, and when to write",
                   "leave out " + ", ".join(given))
    require_table(path)
    if path.resolve() == data.resolve():
        raise fail("--out", f"{path} is the table of records itself", "name another file")
    model = load_model(system)
    records = read_records(data, model, load_parameters(parameters, model), seed=seed, typical=typical)
    table = simulate_records(records, strict=False)
    with table_writer(path, table.attrs["units"]) as write:
        write({n: table[n] for n in table.columns})
    failed = [f"failed and kept, its later rows empty: {f}" for f in table.attrs["failures"]]
    notices = [f"{data}: {n}" for n in records.notices]
    return "\n".join([*_told(path, len(table), table.attrs["units"], len(records.ids), system), *notices, *failed, NOTICE])


def _told(path: Path, rows: int, columns: dict[str, str], patients: int, system: str) -> list[str]:
    """What was written: rows, columns and the units of the first ones."""
    shown = [n for n in columns if n not in ("ID",)][:12]
    lines = [f"{path}: {rows} rows, {patients} patients, {len(columns)} columns"]
    lines += [f"  {n} [{units.pretty(columns[n])}]" for n in shown]
    rest = len(columns) - 1 - len(shown)
    return [*lines, f"  … and {rest} more (`pkpd show {system}` gives every unit)"] if rest else lines


def predict_trial(name: str, fit: str | None, patients: int, link: str, tell: Tell) -> dict:
    """The predicted figures of a trial under a fit's posterior, or under uncalibrated values."""
    from pkpd.fit.own import laid_over
    from pkpd.fit.predict import predict
    from pkpd.fit.result import fitted, load_result, result_for
    from pkpd.parameters import load_parameters
    from pkpd.trial.exposure import daily_model
    from pkpd.trial.protocol import load_trial

    trial = load_trial(name)
    if link and not trial.treatments:
        raise fail("--link", f"{trial.name} has no kill link to choose", "leave it out")
    fit = fit or result_for(trial)
    if fit is None or fit == "none":
        parameters = load_parameters(trial.parameters, daily_model(trial.disease))
        return {**predict(trial, parameters, patients, link, fitted=(), tell=tell), "fit": None}
    parameters, account = load_result(fit)
    if parameters.model != daily_model(trial.disease).name:
        raise fail("--fit", f"{fit!r} is of {parameters.model}, but {trial.name} has {trial.disease}",
                   'name a fit of this disease, or "none"')
    own, parameters = fitted(account, trial.name), laid_over(trial, fit, parameters)
    result = predict(trial, parameters, patients, link or account.get("link", ""), fitted=own, tell=tell)
    return {**result, "fit": fit}


def print_figures(result: dict, console: Console) -> None:
    """The figures of a trial: published, predicted, inside or outside; a miss in red."""
    from pkpd.fit.page import predicted_text, published_text, unit_text

    table = Table(title=escape(result["title"]), show_lines=False)
    for column in ("figure", "arm", "unit", "use", "published", "predicted (95 %)", ""):
        table.add_column(column, overflow="fold")
    for r in result["figures"]:
        verdict = {True: "[green]inside[/green]", False: "[bold red]OUTSIDE[/bold red]", None: "[dim]context[/dim]"}[r["inside"]]
        table.add_row(escape(r["figure"]), escape(r["arm"]), escape(unit_text(r)), r["use"], published_text(r), predicted_text(r),
                      verdict)
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
        "counts: exact binomial intervals · † interval derived, none was published: of a share its binomial, of a median from "
        "simulated trials", soft_wrap=True
    )
    if result["joint"]:
        j = result["joint"]
        console.print(
            f"the {j['figures']} fitted figures together: squared distance {j['distance_squared']:.1f}, "
            f"p = {j['p']:.2f} over simulated trials",
            soft_wrap=True,
        )
    if result["failed_share"]:
        console.print(f"[red]{100 * result['failed_share']:.2g} % of the simulated patients failed and count in no figure[/red]")
    for text in result["failures"][:5]:
        console.print(f"[red]failed and left out:[/red] {escape(text)}")
    console.print(NOTICE)


def fit_to_file(name: str, resume: bool, path: Path | None, tell: Tell) -> str:
    """Runs a fit and writes its result."""
    from pkpd.fit.free import load_fit
    from pkpd.fit.result import save
    from pkpd.fit.run import result_file, run_fit, summary

    plan = load_fit(name)
    target = path if path is not None else result_file(plan.name if not library.is_path(name, "fit") else Path(name).stem)
    store.require_writable(target)
    result = run_fit(plan, resume, tell)
    save(result, target)
    lines = [
        f"{target}: written",
        f"{result.calls} evaluations, best of {len(result.starts)} starts "
        f"({', '.join(f'{v:.2f}' for v in result.start_values)}; log posterior)",
        f"posterior: {result.draws.exact} draws evaluated exactly, worth {result.draws.effective:.0f}; "
        f"emulator error {result.draws.error:.2f} standard errors",
    ]
    for t in result.terms:
        lines.append(f"  {t['trial']}: {t['kind']} of {t['figures']} figure{'s' * (t['figures'] > 1)}, "
                     f"log likelihood {t['log_likelihood']:.2f}, squared distance {t['distance_squared']:.2f}")
    for r in summary(result):
        lines.append(
            f"  {r['name']}: {r['median']:.3g} ({r['low']:.3g} to {r['high']:.3g}); prior {r['prior']:.3g} "
            f"({r['prior_low']:.3g} to {r['prior_high']:.3g}); {r['says']}"
        )
    return "\n".join(lines)


def study_to_page(name: str, folder: Path, tell: Tell) -> Path:
    """Runs a study and writes its page and tables."""
    from pkpd.study.sweep import load_study

    study = load_study(name)
    store.require_folder(folder)
    run, write = (getattr(import_module(module), verb) for module, verb in _STUDIES[study.kind])
    return write(run(study, tell), folder)
