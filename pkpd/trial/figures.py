"""Readouts to the figures that a trial reports, for one large trial or many of the trial's own size."""

from __future__ import annotations

import numpy as np

from pkpd.population import uniform
from pkpd.trial import survival
from pkpd.trial.endpoints import Readout
from pkpd.trial.protocol import Trial
from pkpd.trial.published import Figure

MONTH = 365.25 / 12
Arms = dict[str, Readout]


def figure_values(trial: Trial, arms: Arms, figures: tuple[Figure, ...] | None = None) -> np.ndarray:
    """Each figure's value (figure,) or (figure, replicate) for readouts with a leading replicate axis.

    Medians are in months (infinite if not reached), landmarks are shares, counts are scaled to the figure's n.
    """
    chosen = trial.figures if figures is None else figures
    return np.array([_value(trial, f, arms) for f in chosen])


def _value(trial: Trial, figure: Figure, arms: Arms) -> np.ndarray:
    arm = arms[figure.arm]
    time, event = (getattr(arm, f"{figure.endpoint}_{x}", None) for x in ("time", "event"))
    if figure.kind == "hazard ratio":
        control = arms[trial.control]
        t, e = (np.concatenate([getattr(a, f"{figure.endpoint}_{x}") for a in (arm, control)], axis=-1)
                for x in ("time", "event"))
        treated = np.concatenate([np.ones_like(event), np.zeros_like(getattr(control, f"{figure.endpoint}_event"))], axis=-1)
        return np.exp(survival.log_hazard_ratio(t, e, treated)[0])
    if figure.kind == "landmark":
        return np.asarray(survival.kaplan_meier(time, event, np.array([figure.at])))[..., 0]
    if figure.kind == "median":
        return survival.median(time, event) / MONTH
    return np.mean(_happened(arm, figure.endpoint), axis=-1) * figure.n


def _happened(arm: Readout, endpoint: str) -> np.ndarray:
    if endpoint == "dead":
        return arm.os_event
    if endpoint == "response":
        return np.isin(arm.response, ("CR", "PR"))
    return getattr(arm, endpoint)


def replicates(trial: Trial, arms: Arms, count: int, seed: int = 0) -> Arms:
    """Trials of the trial's own size, resampled from large simulated arms; leading axis = trial."""
    small = {}
    for name, readout in arms.items():
        n = trial.arm(name).n
        u = uniform((str(seed), "resample", name), count * n).reshape(count, n)
        small[name] = readout.take((u * len(readout)).astype(int))
    return small
