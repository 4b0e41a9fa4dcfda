"""Readouts to the figures that a trial reports, for one large trial or many of the trial's own size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pkpd.parameters.draw import uniform
from pkpd.trial import survival
from pkpd.trial.endpoints import visit_grid
from pkpd.trial.published import Figure
from pkpd.trial.readout import Followed, Readout
from pkpd.trial.setting import horizon
from pkpd.trial.trial import Trial

MONTH = 365.25 / 12
Arms = Mapping[str, Readout | Followed]


def figure_values(trial: Trial, arms: Arms, figures: tuple[Figure, ...] | None = None) -> np.ndarray:
    """Each figure's value (figure,) or (figure, replicate) for readouts with a leading replicate axis.

    Hazard ratios exp(b) of Cox's model against the control, medians and landmarks S(at) of Kaplan-Meier (see
    survival); medians are in months of 365.25 / 12 days (infinite if not reached), landmarks are shares,
    counts are n x mean (of a replicate, over as many of its patients; of those with a large lesion, over
    these), changes the median over patients who have one. The duration of response is missing where no one
    responded. Patients who could not be solved are left out; ContentError where none could be.
    """
    chosen = trial.figures if figures is None else figures
    arms = {k: a.evaluable() if a.failed.ndim == 1 else a for k, a in arms.items()}
    return np.array([_value(trial, f, arms) for f in chosen])


def _value(trial: Trial, figure: Figure, arms: Arms) -> np.ndarray:
    arm = arms[figure.arm]
    time, event = (getattr(arm, f"{figure.endpoint}_{x}", None) for x in ("time", "event"))
    if figure.kind == "hazard ratio":
        control = arms[trial.control]
        t, e = (
            np.concatenate([getattr(a, f"{figure.endpoint}_{x}") for a in (arm, control)], axis=-1)
            for x in ("time", "event")
        )
        treated = np.concatenate(
            [np.ones_like(event), np.zeros_like(getattr(control, f"{figure.endpoint}_event"))], axis=-1
        )
        return np.exp(survival.log_hazard_ratio(t, e, treated)[0])
    if figure.kind in ("landmark", "median"):
        value = (
            survival.median(time, event) / MONTH
            if figure.kind == "median"
            else np.asarray(survival.kaplan_meier(time, event, np.array([figure.at])))[..., 0]
        )
        responded = figure.endpoint != "dor" or _happened(trial, figure, arm, "response").any(axis=-1)
        return value if responded is True else np.where(responded, value, np.nan)
    if figure.kind == "change":
        change = arm.change if isinstance(arm, Followed) else arm.shrinkage
        return _median(np.where(_counts(figure, arm), change, np.nan))
    happened = _happened(trial, figure, arm, figure.endpoint)
    if figure.largest:
        return _share(happened, _counts(figure, arm)) * figure.n
    return np.mean(happened[..., : figure.n] if happened.ndim > 1 else happened, axis=-1) * figure.n


def _counts(figure: Figure, arm: Readout | Followed) -> np.ndarray | bool:
    """Whether a patient is one of those that a figure is of."""
    return arm.largest >= figure.largest if isinstance(arm, Readout) else True


def _share(happened: np.ndarray, counts: np.ndarray | bool) -> np.ndarray:
    """The share of those who count; missing where there are none."""
    who = np.sum(counts, axis=-1)
    return np.divide(np.sum(happened & counts, axis=-1), who, out=np.full(who.shape, np.nan), where=who > 0)


def _median(values: np.ndarray) -> np.ndarray:
    """The median of those who have a value; missing where there are none."""
    known = np.sort(values, axis=-1)  # what is missing comes last
    n = np.sum(~np.isnan(values), axis=-1)
    at = [np.maximum(k, 0)[..., None] for k in ((n - 1) // 2, n // 2)]
    low, high = (np.take_along_axis(known, np.minimum(k, values.shape[-1] - 1), axis=-1)[..., 0] for k in at)
    return np.where(n > 0, (low + high) / 2, np.nan)


def _happened(trial: Trial, figure: Figure, arm: Readout | Followed, endpoint: str) -> np.ndarray:
    """Whether a patient counts, (patient,) or (replicate, patient)."""
    if endpoint == "dead":
        return arm.os_event
    if endpoint == "response":
        return np.isin(arm.response, ("CR", "PR"))
    if isinstance(arm, Followed):
        if endpoint == "complete":
            return arm.response == "CR"
        if endpoint == "control":
            days = visit_grid(trial.scans, horizon(trial))
            late = days[np.minimum(np.searchsorted(days, figure.at - 1e-9), len(days) - 1)]
            return arm.planned > late
        return arm.cleared
    return getattr(arm, endpoint)


def replicates(trial: Trial, arms: Arms, count: int, seed: int = 0) -> dict[str, Readout | Followed]:
    """Trials of the trial's own size, resampled from large simulated arms; leading axis = trial.

    A bootstrap: each trial has n patients of each arm, drawn with replacement, independently from arm to arm.
    """
    small = {}
    for name, whole in arms.items():
        readout = whole.evaluable()
        n = trial.arm(name).n
        u = uniform((str(seed), "resample", name), count * n).reshape(count, n)
        small[name] = readout.take((u * len(readout)).astype(int))
    return small
