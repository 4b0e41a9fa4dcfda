"""A fit's result as a parameter file: calibrated lines, their uncertainty, draws, and how it was made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tomli_w

from pkpd.content import formats, library
from pkpd.content.naming import called, file_of
from pkpd.errors import Issue, NotFound, fail, nearest
from pkpd.fit.free import Point, point
from pkpd.fit.own import laid_over
from pkpd.fit.run import FitResult, calibrated, summary
from pkpd.machine import store
from pkpd.machine.version import VERSION
from pkpd.model.expression import unparse
from pkpd.parameters.parameters import Parameters, Value
from pkpd.parameters.sets import load_parameters
from pkpd.parameters.spread import Spread
from pkpd.trial.disease import daily_model
from pkpd.trial.reading import load_trial
from pkpd.trial.trial import Trial

_SEVERAL = "calibration"  # in the bibliography: several trials at once


def _spread(spread: Spread) -> dict:
    table: dict = {"law": spread.law}
    if spread.law in ("lognormal", "normal", "logitnormal"):
        table["sd"] = spread.sd
    for key in ("low", "high"):
        if np.isfinite(getattr(spread, key)):
            table[key] = getattr(spread, key)
    if spread.factors:
        table["mixture"] = {"weights": list(spread.weights), "factors": list(spread.factors)}
    if spread.values:
        table |= {"values": list(spread.values), "weights": list(spread.weights)}
    return table


def _line(value: Value, rows: list[dict], source: str, fit: str) -> dict:
    told = "; ".join(f"{r['name']}: {r['median']:.3g} (95 % {r['low']:.3g} to {r['high']:.3g})" for r in rows)
    entry: dict = {
        "value": value.value,
        "unit": value.unit,
        "where": f"fit {fit}, posterior median. {told}",
        "seen": "fitted",
        "source": source,
    }
    if value.spread is not None:
        entry["spread"] = _spread(value.spread)
    if value.copies is not None:
        entry["copies"] = _spread(value.copies)
    if value.effect is not None:
        entry["effect"] = {"is": unparse(value.effect.tree), "reference": dict(value.effect.reference)}
    return entry


def to_toml(result: FitResult) -> str:
    """The text of a result file."""
    fit, trials = result.fit, result.fit.trials
    source = trials[0].reference if len(trials) == 1 else _SEVERAL
    best = calibrated(result, fit.parameters)
    rows = summary(result)
    values: dict = {}
    for line in dict.fromkeys(x for f in fit.free if not f.context for x in f.lines):
        own = [r for r, f in zip(rows, fit.free, strict=True) if line in f.lines and not f.context]
        part, _, name = line.rpartition(".")
        table = values.setdefault(part, {}) if part else values
        table[name] = _line(best[line], own, source, called(fit.name))
    text = f"Fitted to {'; '.join(t.title for t in trials)}. {fit.text}".strip()
    data = {
        formats.KEY: formats.newest(),
        "parameters": {
            "model": trials[0].disease.name,
            "title": fit.title,
            "reference": source,
            "text": text,
            "include": [fit.parameters.name],
        },
        "values": values,
        "draws": {
            key: [float(f"{f.from_scale(x):.6g}") for x in result.draws.scores[:, i]]
            for i, f in enumerate(fit.free)
            for key in f.keys
        },
        "fit": account(result, rows),
    }
    head = "# Made by `pkpd fit " + called(fit.name) + "`; do not edit.\n"
    return head + tomli_w.dumps(data)


def account(result: FitResult, rows: list[dict]) -> dict:
    """How a result was made: the trials, each one's term at the best point, the search, the sampling, the
    free quantities.
    """
    fit, draws, terms = result.fit, result.draws, result.terms
    numbers = ("log_likelihood", "distance_squared")
    return {
        "name": called(fit.name),
        "trials": [file_of(t.name) for t in fit.trials],
        "figures": list(result.target.figures),
        "version": VERSION,
        "link": fit.link,
        "patients": fit.patients,
        "evaluations": result.calls,
        "effective_draws": round(draws.effective, 1),
        "exact_draws": draws.exact,
        "emulator_error": round(draws.error, 3),
        "acceptance": round(draws.acceptance, 3),
        "best_log_posterior": round(result.best_value, 3),
        "distance_squared": round(sum(t["distance_squared"] for t in terms), 3),
        "start_log_posteriors": [round(float(v), 3) for v in result.start_values],
        "terms": [t | {k: round(t[k], 3) for k in numbers} for t in terms],
        "free": rows,
    }


def save(result: FitResult, path: Path, *, over_shipped: bool = False) -> Path:
    """Writes a result file; in the place of one that the library ships only if that is said."""
    return store.write_text(path, to_toml(result), over_shipped=over_shipped)


def load_result(name: str | Path) -> tuple[Parameters, dict]:
    """A calibrated set with its draws, and its account of the fit, which names its `trials` and its figures
    by trial.

    An account that names one `trial` is told as one of several trials would be.
    """
    source = library.read("result", name)
    data = source.data
    if not _is_result(data):
        raise fail(source.path, "is not a fit's result", "make one with `pkpd fit NAME`")
    model = daily_model(data["parameters"]["model"])
    named = source.path if library.is_path(name, "result") else source.name
    account = data["fit"]
    if "trials" not in account:
        account = {
            **account,
            "trials": [account["trial"]],
            "figures": [f"{account['trial']}/{f}" for f in account["figures"]],
        }
    for figure in account["figures"]:
        if not any(figure.startswith(f"{t}/") for t in account["trials"]):
            raise fail(
                f"{source.where}: fit.figures",
                f"{figure!r} is of none of its trials",
                "write TRIAL/FIGURE:ARM, one of its trials first: " + ", ".join(account["trials"]),
            )
    return load_parameters(named, model), account


def figure_issues(account: dict, where: str) -> list[Issue]:
    """Figures that an account names and their trials, those that are at hand, have not: they would pass for
    predicted ones.
    """
    found = []
    for trial in account["trials"]:
        try:
            known = [f"{trial}/{f.key}" for f in load_trial(trial).figures]
        except NotFound:
            continue
        found += [
            Issue(
                f"{where}: fit.figures",
                f"{trial} has no figure {f.removeprefix(f'{trial}/')!r}",
                nearest(f, known),
            )
            for f in account["figures"]
            if f.startswith(f"{trial}/") and f not in known
        ]
    return found


def _is_result(data: dict) -> bool:
    """Whether tables are a fit's: values of a model, draws, and an account of trials and their figures."""
    head, account = data.get("parameters"), data.get("fit")
    if not isinstance(head, dict) or not isinstance(account, dict) or not isinstance(data.get("draws"), dict):
        return False
    lists = [account.get("figures"), account.get("trials", [account.get("trial")])]
    words = (head.get("model"), account.get("name"), account.get("link", ""))
    listed = all(isinstance(x, list) and all(isinstance(t, str) for t in x) for x in lists) and lists[1]
    return bool(listed) and all(isinstance(w, str) for w in words)


def speaking(name: str | Path, trial: Trial) -> tuple[Parameters, dict]:
    """A result for the patients of a trial, its calibrated quantities over the trial's own set; and its
    account.
    """
    parameters, account = load_result(name)
    return laid_over(trial, parameters), account


def result_for(trial: Trial) -> str | None:
    """The library's result that speaks for a trial: that of its name, else the only one of its disease; None
    if there is none.

    An error if several are."""
    names = library.names("result")
    if trial.name in names:
        return trial.name
    disease = trial.disease.name
    found = [
        n for n in names if daily_model(library.read("result", n).data["parameters"]["model"]).name == disease
    ]
    if len(found) > 1:
        raise fail(
            trial.name,
            f"{' and '.join(found)} are fits of its disease",
            "name one: --fit NAME, or --fit none",
        )
    return found[0] if found else None


def fitted(account: dict, trial: str) -> tuple[str, ...]:
    """The figures of a trial that a fit used, by its account; a file is the same trial in whatever folder."""
    names = [t for t in account["trials"] if file_of(t) == file_of(trial)]
    return tuple(f.removeprefix(f"{t}/") for t in names for f in account["figures"] if f.startswith(f"{t}/"))


def points(parameters: Parameters, count: int) -> list[Point]:
    """The parameters, and what lies on contexts of arms, at `count` draws of a result, evenly taken."""
    if not parameters.draws:
        return [Point(parameters)]
    total = len(next(iter(parameters.draws.values())))
    picked = np.unique(np.linspace(0, total - 1, min(count, total)).astype(int))
    return [point(parameters, ((key, values[i]) for key, values in parameters.draws.items())) for i in picked]


def posterior(parameters: Parameters, count: int) -> list[Parameters]:
    """Parameter sets at `count` draws of a result, evenly taken."""
    return [p.parameters for p in points(parameters, count)]
