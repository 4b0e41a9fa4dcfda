"""Times of events of patients: the first of several, deaths by hazard, censoring at the cut."""

from __future__ import annotations

import numpy as np

from pkpd.simulation.simulation import Simulation


def missing(run: Simulation) -> np.ndarray:
    """Patients whom a simulation could not solve to its end."""
    return np.any(np.isnan(run.states), axis=(1, 2))


def first_time(when: np.ndarray, happened: np.ndarray) -> np.ndarray:
    """The first visit time at which something happened, (patient,), infinite if never; both (patient, visit),
    days.
    """
    if when.shape[1] == 0:
        return np.full(len(when), np.inf)
    return np.where(
        happened.any(axis=1), np.take_along_axis(when, happened.argmax(axis=1)[:, None], axis=1)[:, 0], np.inf
    )


def visit_grid(plan: tuple[tuple[float, float], ...], longest: float) -> np.ndarray:
    """Days after the operation on which scans are due, up to the longest follow-up."""
    days, t = [], 0.0
    for every, until in plan:
        while t + every <= min(until, longest) + 1e-9:
            t += every
            days.append(t)
    return np.array(days or [longest])


def death_by_hazard(times: np.ndarray, cumulative: np.ndarray, u: np.ndarray) -> np.ndarray:
    """When a cumulative hazard H (patient, time), linear between its times, has risen by -ln u: days,
    (patient,).

    H(T) - H(t0) = -ln u with u uniform, so that P(T > t) = exp(-(H(t) - H(t0))) (inversion); infinite if H
    does not rise so far. times, days, (patient, time); u (patient,), from 0 to 1
    """
    due = -np.log(u)[:, None]
    risen = cumulative - cumulative[:, :1]
    later = np.argmax(risen >= due, axis=1)[:, None]
    rows = (
        np.take_along_axis(x, k, axis=1) for x in (times, risen) for k in (np.maximum(later - 1, 0), later)
    )
    t0, t1, h0, h1 = (x[:, 0] for x in rows)
    share = np.divide(due[:, 0] - h0, h1 - h0, out=np.zeros(len(u)), where=h1 > h0)
    return np.where((risen >= due).any(axis=1), t0 + share * (t1 - t0), np.inf)


def death_times(
    progression: np.ndarray,
    operation: np.ndarray,
    resected: np.ndarray,
    rates: dict[str, np.ndarray],
    u: dict[str, np.ndarray],
) -> np.ndarray:
    """Death from background, from the operation (within 90 days), or after progression, whichever comes
    first.

    min of -ln(u1) / h_background; progression - ln(u2) / h_after; and, of a resected patient with u3 < p,
    operation + 90 u3 / p days, uniform over the 90. Hazards h in 1/day, p the chance of postoperative death;
    times in days, all (patient,), infinite where it does not happen. The u are independent uniform draws.
    """
    background = -np.log(u["background"]) / np.maximum(rates["background"], 1e-30)
    after = progression - np.log(u["after progression"]) / np.maximum(rates["after_progression"], 1e-30)
    by_operation = resected & (u["operation"] < rates["postoperative_death"])
    share = u["operation"] / np.maximum(rates["postoperative_death"], 1e-30)
    at_operation = np.where(by_operation, operation + 90 * share, np.inf)
    return np.minimum(np.minimum(background, after), at_operation)


def censored(time: np.ndarray, follow_up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Time observed, min(T, C), and whether the event was seen by the data cut, T <= C; days, (patient,)."""
    return np.minimum(time, follow_up), time <= follow_up
