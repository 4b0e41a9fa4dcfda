"""A fit's result as a parameter file: calibrated lines, their uncertainty, draws, and how it was made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tomli_w

import pkpd
from pkpd import library, store
from pkpd.errors import fail
from pkpd.fit.free import Free
from pkpd.fit.run import FitResult, calibrated, summary
from pkpd.model.expression import unparse
from pkpd.parameters import load_parameters
from pkpd.spread import Spread
from pkpd.trial.exposure import daily_model
from pkpd.trial.protocol import load_trial
from pkpd.values import Parameters, Value


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
    entry: dict = {"value": value.value, "unit": value.unit, "where": f"fit {fit}, posterior median. {told}",
                   "seen": "fitted", "source": source}
    if value.spread is not None:
        entry["spread"] = _spread(value.spread)
    if value.copies is not None:
        entry["copies"] = _spread(value.copies)
    if value.effect is not None:
        entry["effect"] = {"is": unparse(value.effect.tree), "reference": dict(value.effect.reference)}
    return entry


def to_toml(result: FitResult) -> str:
    """The text of a result file."""
    fit, trial = result.fit, load_trial(result.fit.trial)
    base = load_parameters(fit.parameters, daily_model(trial.disease))
    best = calibrated(result, base)
    rows = summary(result)
    values: dict = {}
    for line in dict.fromkeys(f.line for f in fit.free):
        own = [r for r, f in zip(rows, fit.free, strict=True) if f.line == line]
        part, _, name = line.rpartition(".")
        table = values.setdefault(part, {}) if part else values
        table[name] = _line(best[line], own, trial.reference, fit.name)
    data = {
        "parameters": {"model": trial.disease, "title": fit.title, "reference": trial.reference,
                       "text": f"Fitted to {trial.title}. {fit.text}", "include": [fit.parameters]},
        "values": values,
        "draws": {f.key: [float(f"{f.from_scale(x):.6g}") for x in result.draws.scores[:, i]]
                  for i, f in enumerate(fit.free)},
        "fit": {"name": fit.name, "trial": fit.trial, "figures": list(result.figures),
                "version": pkpd.__version__, "link": fit.link, "patients": fit.patients,
                "evaluations": result.calls, "effective_draws": round(result.draws.effective, 1),
                "exact_draws": result.draws.exact, "emulator_error": round(result.draws.error, 3),
                "acceptance": round(result.draws.acceptance, 3),
                "best_log_posterior": round(result.best_value, 3), "distance_squared": round(result.distance, 3),
                "start_log_posteriors": [round(float(v), 3) for v in result.start_values], "free": rows},
    }
    head = "# Made by `pkpd fit " + fit.name + "`; do not edit.\n"
    return head + tomli_w.dumps(data)


def save(result: FitResult, path: Path) -> Path:
    """Writes a result file."""
    return store.write_text(path, to_toml(result))


def load_result(name: str | Path) -> tuple[Parameters, dict]:
    """A calibrated set with its draws, and its account of the fit."""
    source = library.read("result", name)
    data = source.data
    if not {"parameters", "fit", "draws"} <= set(data) or not {"name", "trial", "figures"} <= set(data["fit"]):
        raise fail(source.path, "is not a fit's result", "make one with `pkpd fit NAME`")
    model = daily_model(data["parameters"]["model"])
    own = source.path if library.is_path(name, "result") else source.name
    return load_parameters(own, model), data["fit"]


def posterior(parameters: Parameters, count: int) -> list[Parameters]:
    """Parameter sets at `count` draws of a result, evenly taken."""
    if not parameters.draws:
        return [parameters]
    columns = list(parameters.draws)
    total = len(parameters.draws[columns[0]])
    picked = np.unique(np.linspace(0, total - 1, min(count, total)).astype(int))
    sets = []
    for i in picked:
        at = parameters
        for key in columns:
            line, _, what = key.partition(":")
            at = Free(key, line, what or "value", "linear", 0.0, 1.0).put(at, parameters.draws[key][i])
        sets.append(at)
    return sets

