"""What is kept of the library's results, at few patients and draws, and how far rounding may move it.

Each recipe makes one table: a trial, a fit's objective, a study, the output of a command. Numbers bind:

- to the last of twelve digits where the versions of constraints.txt run on one kind of processor
  (`GOLDEN=exact pytest tests/golden`, `python -m tests.golden --exact`);
- to 1e-8 of themselves anywhere else, as compiled code for another processor differs from ours by less (see
  tests/solve/test_determinism.py), so that this is what pytest and the command ask for by default. Between
  two kinds of server processors, one commit: trials 1.2e-10, fits 1.5e-9, studies 2.5e-9 or 2.9e-11 in all.

What is kept is chosen so that rounding is not amplified on its way:

- of patients, means of every time and size, and how many there are of each response, event and group. One
  patient who changes moves them, and a change of a billionth stays one. Counts are compared as counts: none
  may move. A median over visits, or a figure of a small trial, jumps from visit to visit; such figures stand
  beside them as predicted, of trials resampled from the patients by numbers that are a function of the seed
  alone, and a patient would have to lie within a billionth of a threshold to move one;
- of a fit, the expected figures, covariances and log posterior at fixed points. The path of an optimiser, an
  emulator and a chain over it part for good after one rounding, and are held by laws in tests/fit instead;
- of curves, how many points there are, their mean and their last one;
- what is the solver's or the linear algebra's own error (residues, margins of laws) is left out, and so is
  which of two names leads where both weigh the same;
- differences of nearly equal numbers keep the rounding of what they are of: studies and tables of simulations
  have a floor, stated in FLOORS in the unit of the number. Trials and fits have none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

from pkpd import (
    compare_exposures,
    load_evidence,
    load_fit,
    load_study,
    load_trial,
    run_study,
    run_trial,
)
from pkpd.commands import run
from pkpd.content.library import names
from pkpd.fit import predict
from pkpd.fit.likelihood import objective
from pkpd.fit.terms import Joint
from tests.golden.commands import SHOWN, checked, listed, recorded, shown, simulated, trial_told
from tests.golden.rows import Rows, result, tabled
from tests.golden.tables import text

Recipe = Callable[[], Rows]

FLOORS = {"studies/": 1e-10, "commands/simulate": 1e-10}  # by how a table's name begins
TIED = ("class", "states")  # of a study of stability: which states lead where rates are the same


# --- trials ------------------------------------------------------------


def trial(name: str, patients: int = 40, draws: int = 6) -> Rows:
    """Figures predicted under the trial's fit and the library's values, and its patients under these."""
    found: Rows = {}
    for fit in (None, "none"):
        with patch.object(predict, "DRAWS", draws):
            told = run.predict_trial(name, fit, patients, "", _quiet)
        under = told["fit"] or "none"
        apart = ("trial", "seen", "level", "quantiles")
        own = [{k: v for k, v in f.items() if k not in apart} for f in told["figures"]]
        found |= tabled(own, under) | tabled([told["joint"]] if told["joint"] else [], f"{under} | joint")
        found[f"{under} | run"] = {k: told[k] for k in ("patients", "draws", "trials", "link")}
        found[f"{under} | run"]["failed"] = len(told["failures"])
    own = load_trial(name)
    parameters = own.parameters
    for arm, readout in run_trial(own, parameters, patients).items():
        found |= {f"patients | {arm} | {k}": v for k, v in _patients(readout).items()}
    return found


def _patients(readout: object) -> Rows:
    """Of each entry of a readout, how many patients are of each kind, or have a number, and its mean."""
    found: Rows = {}
    for f in fields(readout)[1:-1]:  # type: ignore[arg-type]
        own = getattr(readout, f.name)
        if own.dtype.kind == "f":
            known = own[np.isfinite(own)]
            found[f.name] = {"n": len(known), "mean": float(known.mean()) if len(known) else None}
        else:
            kinds, counts = np.unique(own, return_counts=True)
            found[f.name] = {text(k): int(n) for k, n in zip(kinds.tolist(), counts, strict=True)}
    return found


def _quiet(what: str, done: int, of: int) -> None:
    pass


# --- fits --------------------------------------------------------------


def fit(name: str, patients: int = 60, replicates: int = 100) -> Rows:
    """The objective at the centre of the prior and at two other points: expected figures, terms, prior."""
    plan = replace(load_fit(name), patients=patients, replicates=replicates)
    target = objective(plan)
    target = target.settled(target.centre)
    turns = np.where(np.arange(len(target.centre)) % 2, -0.4, 0.4)
    found: Rows = {}
    for t in target.terms:
        for i, f in enumerate(t.figures):
            wide = {"variance": t.covariance[i, i]} if isinstance(t, Joint) else {}
            found[f"term | {t.trial.name} | {f.key}"] = {"kind": t.kind, **wide}
    for place, step in (("centre", 0.0), ("all higher", 0.3), ("in turns", turns)):
        at = target.centre + step * target.width
        values = target.expected(at)
        for f, score in zip(target.fit.free, at, strict=True):
            found[f"{place} | free | {f.name}"] = {"score": score, "value": f.from_scale(score)}
        for key, value in zip(target.figures, values, strict=True):
            found[f"{place} | expected | {key}"] = {"scaled": value}
        for t, own in zip(target.terms, target.split(values), strict=True):
            found[f"{place} | term | {t.trial.name}"] = {
                "log_likelihood": float(t.log_likelihood(own)),
                "distance": float(t.distance(own)),
            }
        found[f"{place} | log posterior"] = {"prior": float(target.log_prior(at)), "whole": target(at)}
    return found


# --- studies -----------------------------------------------------------


def study(name: str) -> Rows:
    """A study's tables at few patients and draws."""
    own = load_study(name)
    found = result(run_study(_SMALL[own.kind](own)))
    return {
        row: {k: v for k, v in numbers.items() if not (own.kind == "stability" and k.startswith(TIED))}
        for row, numbers in found.items()
    }


def _neoadjuvant(own: Any) -> Any:
    sweeps = tuple(replace(s, before=tuple(b for b in s.before if b in (0, 4, 6))) for s in own.sweeps)
    return replace(own, patients=20, draws=3, draws_other_links=2, sweeps=sweeps)


def _platforms(own: Any) -> Any:
    return replace(own, patients=6, draws=2, levels=(0.0, 0.5, 1.0))


def _order(own: Any) -> Any:
    return replace(own, patients=5, draws=3, gaps=(0.0, *own.terms_at))


def _resistance(own: Any) -> Any:
    """With both of its further analyses."""
    weights, effect = own.importance, own.liver_effect
    weights = weights and replace(weights, patients=6, draws=2, samples=2, resamples=10)
    effect = effect and replace(effect, patients=6, draws=2)
    return replace(own, patients=12, draws=2, importance=weights, liver_effect=effect)


def _stability(own: Any) -> Any:
    """Of a group in the liver and one elsewhere."""
    return replace(own, patients=6, draws=2, groups=own.groups[:2])


_SMALL = {
    "neoadjuvant": _neoadjuvant,
    "platforms": _platforms,
    "order": _order,
    "resistance": _resistance,
    "stability": _stability,
}


# --- exposures ---------------------------------------------------------


def exposures(patients: int = 20) -> Rows:
    """Every published exposure of the library beside the typical patient and some others."""
    leave = ("n", "spread", "given", "seen", "use")
    rows = compare_exposures(load_evidence("exposures"), n=patients)
    return tabled({k: v for k, v in row.items() if k not in leave} for row in rows)


# --- every table -------------------------------------------------------


def floor(name: str) -> float:
    """What a number of a table may differ by whatever its size."""
    return max((v for k, v in FLOORS.items() if name.startswith(k)), default=0.0)


def recipes() -> dict[str, Recipe]:
    """Every recipe by the name of its table: of each trial, fit and study of the library, and of commands."""
    found: dict[str, Recipe] = {f"trials/{n}": partial(trial, n) for n in names("trial")}
    found |= {f"fits/{n}": partial(fit, n) for n in names("fit")}
    found |= {f"studies/{n}": partial(study, n) for n in names("study")}
    found |= {f"commands/show_{n}": partial(shown, n) for n in SHOWN}
    return found | {
        "exposures": exposures,
        "commands/list": listed,
        "commands/check": checked,
        "commands/trial": trial_told,
        "commands/simulate": simulated,
        "commands/simulate_data": recorded,
        "commands/simulate_data_typical": partial(recorded, "--typical"),
    }
