"""What scans show of lesions as they are measured, when they are made, and what criteria make of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from pkpd.model.model import Model
from pkpd.parameters.draw import uniform
from pkpd.simulation.simulation import Simulation
from pkpd.trial import lesions, response
from pkpd.trial.endpoints import first_time
from pkpd.trial.idle import LIVER
from pkpd.trial.prepare import Prepared
from pkpd.trial.trial import Trial


@dataclass(frozen=True)
class Scans:
    """Scans of every patient, (patient, visit), the baseline first; `days` (visit,) is as planned.

    `due` is the day each falls on; `total` the sum of targets (mm, or mm^2 where read in two dimensions);
    `visible` how many lesions are seen; `made` whether the scan was made; `worse` whether it shows
    progression, confirmed where the criteria ask for it.
    """

    days: np.ndarray
    due: np.ndarray
    total: np.ndarray
    visible: np.ndarray
    made: np.ndarray
    worse: np.ndarray


def only_part(model: Model, use: str) -> str:
    """The name of a system's one part of a use."""
    return next(p.name for p in model.parts if p.use == use)


def due_days(prepared: Prepared, days: np.ndarray) -> np.ndarray:
    """When each patient's scans are due, the baseline first, on their days or near them, (patient, visit)."""
    shift = np.stack(
        [uniform((*prepared.key, "protocol", "visit", str(i)), prepared.n) for i in range(len(days))], axis=1
    )
    moved = days + np.clip(ndtri(shift) * prepared.trial.jitter, -30, 30)
    moved[:, 0] = 0.0
    return np.maximum.accumulate(moved, axis=1)


def scanned(
    prepared: Prepared, course: Simulation, days: np.ndarray, due: np.ndarray, end: np.ndarray
) -> Scans:
    """The scans that fall due up to each patient's last day `end` (patient,), and what they show."""
    total, visible, new = _seen(prepared, course, len(days))
    made = (due <= end[:, None]) & np.isfinite(total)
    made[:, 0] = True
    criteria = response.CRITERIA[prepared.trial.criteria]
    worse = (response.progressed(total, criteria) | (new & criteria.new_lesion)) & made
    worse[:, 0] = False
    worse = response.again(worse, made, days, criteria.confirms)
    return Scans(days=days, due=due, total=total, visible=visible, made=made, worse=worse)


def _seen(prepared: Prepared, course: Simulation, visits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The sum of targets, how many lesions are seen, and whether any is new, as measured (patient, visit)."""
    trial, key, model = prepared.trial, prepared.key, prepared.disease
    criteria, imaging = response.CRITERIA[trial.criteria], only_part(model, "host/imaging")
    liver, other = (
        (course[f"{imaging}.{m.lower()}_d50"][:, 0], course[f"{imaging}.{m.lower()}_width"][:, 0])
        for m in (trial.modality, trial.elsewhere)
    )
    error = course[f"{imaging}.error"][:, 0]
    total = visible = np.zeros((prepared.n, visits))
    for organ in (p.name for p in model.parts if p.use == "tumours/lesion"):
        size = lesions.copies(course, organ, "diameter")[:, :visits]
        d50, width = liver if organ in LIVER else other
        limits = lesions.thresholds(d50, width, size[:, 0], True, (*key, "sight of lesion", organ))
        read = _readings(size, error, criteria.dimensions, (*key, "reading", organ))
        left = _untreated(prepared, organ, size.shape[2])
        seen = (size >= limits[:, None, :]) & (size[:, :1] > 0) & left
        total = total + response.target_sum(np.where(seen, read[-1], 0.0), read[0][:, 0] * left, criteria)
        visible = visible + seen.sum(axis=2)
    new = np.zeros((prepared.n, visits), dtype=bool)
    if any(p.use == "tumours/occult" for p in model.parts):
        size = lesions.copies(course, "occult", "diameter")
        limits = lesions.thresholds(*liver, size[:, 0], False, (*key, "sight of occult"))
        new = lesions.occult_seen(course, limits, key)[:, :visits]
        if not criteria.new_lesion:
            read = _readings(size[:, :visits], error, criteria.dimensions, (*key, "reading", "occult"))
            total = total + np.where(new, read[-1].sum(axis=2), 0.0)
    return total, visible + new, new


def _untreated(prepared: Prepared, organ: str, count: int) -> np.ndarray:
    """Which lesions of an organ are read: not the one that was treated locally."""
    local = prepared.arm.local
    names = [f"{organ}.{j + 1}" for j in range(count)] if count > 1 else [organ]
    return np.array([local is None or name != local.lesion for name in names])


def _readings(
    size: np.ndarray, error: np.ndarray, dimensions: int, key: tuple[str, ...]
) -> tuple[np.ndarray, ...]:
    """Longest diameters as measured, and their products with the diameters across where a scan is read in two
    dimensions.
    """
    longest = lesions.measured(size, error, key)
    if dimensions == 1:
        return (longest,)
    return longest, longest * lesions.measured(size, error, (*key, "across"))


def responses(trial: Trial, scans: Scans) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best response, the day it was first reached (infinite: never), and the lowest change of the sum of
    targets before progression, as a share of the baseline (patient,).
    """
    criteria = response.CRITERIA[trial.criteria]
    before = scans.made & ~np.maximum.accumulate(scans.worse, axis=1)
    wait = criteria.confirms or (response.CONFIRMED if trial.confirmed else 0.0)
    partial, complete = (
        response.again(x & before, before, scans.days, wait)
        for x in response.standing(scans.total, scans.visible, criteria)
    )
    baseline = scans.total[:, 0]
    measurable, stable = baseline > 0, before[:, 1:].any(axis=1)
    best = np.select(
        [~measurable, complete.any(axis=1), partial.any(axis=1), stable, scans.worse.any(axis=1)],
        ["NE", "CR", "PR", "SD", "PD"],
        "NE",
    )
    lowest = np.where(before, scans.total, np.inf)[:, 1:].min(axis=1, initial=np.inf)
    change = np.divide(
        lowest, baseline, out=np.full(len(baseline), np.nan), where=measurable & np.isfinite(lowest)
    )
    return best, first_time(scans.due, partial), change - 1
