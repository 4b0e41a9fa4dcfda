"""Cycles before and after the operation: the arms of the sweep, and what is read from each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pkpd.study.study import Study
from pkpd.trial import survival
from pkpd.trial.arm import Arm, Cycles
from pkpd.trial.figures import MONTH
from pkpd.trial.readout import Readout
from pkpd.trial.trial import Trial

THREE_YEARS = 3 * 365.25

# figure: unit and what it is
FIGURES = {
    "response": ("%", "objective response (CR + PR) before the operation"),
    "vanished_all": ("%", "lesions no longer seen at the operation"),
    "vanished_small": ("%", "small lesions (the study says how small) no longer seen at the operation"),
    "resected": ("%", "resected, of all patients"),
    "time_to_surgery": ("day", "median time to the operation"),
    "pfs_median": ("month", "median progression-free survival"),
    "pfs_3y": ("%", "progression-free at three years"),
}


def planned(most: int, drop: float, start: float = 1.0) -> Cycles | None:
    """Cycles received of `most` planned when a share `drop` leaves after each."""
    if most == 0:
        return None
    stay = (1 - drop) ** np.arange(most)
    weights = np.append(stay[:-1] - stay[1:], stay[-1])
    return Cycles(tuple(range(1, most + 1)), tuple((weights / weights.sum()).tolist()), start)


def arm(study: Study, trial: Trial, before: int, after: int) -> Arm:
    """The trial's treated arm with other numbers of cycles; without any before, it is operated as its control
    is.
    """
    model = trial.arm(study.arm)
    start = model.after.start if model.after is not None else 1.0
    operation = model.operation if before else trial.arm(trial.control).operation
    return replace(
        model,
        name=f"{before}+{after}",
        title=f"{before} before, {after} after",
        operation=operation,
        before=planned(before, study.drop[0]),
        after=planned(after, study.drop[1], start),
    )


def basis(study: Study, pair: tuple[int, int]) -> str:
    """What a plan rests on: an arm of the trial, a number before that one of its arms had, or the model
    alone.
    """
    if pair in (study.reference, (0, 0)):
        return "trial"
    return "trial, in part" if pair[0] in study.informed else "extrapolated"


def metrics(readout: Readout, small: tuple[float, float]) -> dict[str, float]:
    """What the study reads from one simulated arm; a median not reached is infinite, a share of
    none missing.
    """
    readout = readout.evaluable()
    present = np.isfinite(readout.lesions)
    three_years = survival.kaplan_meier(readout.pfs_time, readout.pfs_event, np.array([THREE_YEARS]))
    few = present & (readout.lesions >= small[0]) & (readout.lesions <= small[1])
    return {
        "response": 100 * float(np.mean(np.isin(readout.response, ("CR", "PR")))),
        "vanished_all": _share(readout.vanished, present),
        "vanished_small": _share(readout.vanished, few),
        "resected": 100 * float(np.mean(readout.resected)),
        "time_to_surgery": float(np.median(readout.operation[readout.resected]))
        if readout.resected.any()
        else np.nan,
        "pfs_median": float(survival.median(readout.pfs_time, readout.pfs_event)) / MONTH,
        "pfs_3y": 100 * float(np.asarray(three_years)[..., 0]),
    }


def _share(which: np.ndarray, of: np.ndarray) -> float:
    """How many in a hundred of some; undefined of none."""
    return 100 * float((which & of).sum() / of.sum()) if of.any() else np.nan
