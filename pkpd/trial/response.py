"""Response criteria of their day: sum of diameters to response and progression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Criteria:
    """Response criteria as numbers: targets, response and progression of the sum S of diameters (mm) or, in
    two `dimensions`, of their products (mm^2).

    Response at visit v: S(v) <= (1 - shrink) S(0). Progression: S(v) - N >= rise N and >= `least` (mm), N the
    least S before v (nadir), or a new lesion; where a new lesion is not progression by itself, it is added to
    the sum. Targets: the `per_organ` largest lesions of an organ, of at least `smallest` mm. `confirms` is
    the time (days) after which a second scan must show a response or progression again, 0 if one scan is
    enough.

    Other than the papers: no ceiling on the targets of all organs together, no least duration of stable
    disease, no lymph nodes. Papers and DOIs stand at `CRITERIA`.
    """

    smallest: float
    per_organ: int
    shrink: float
    rise: float
    least: float
    new_lesion: bool
    dimensions: int = 1
    confirms: float = 0.0


CRITERIA = {
    "RECIST 1.0": Criteria(10.0, 5, 0.30, 0.20, 0.0, True),  # Therasse 2000, doi:10.1093/jnci/92.3.205
    "RECIST 1.1": Criteria(10.0, 2, 0.30, 0.20, 5.0, True),  # Eisenhauer 2009, doi:10.1016/j.ejca.2008.10.026
    "irRC": Criteria(
        smallest=5.0,
        per_organ=5,
        shrink=0.50,
        rise=0.25,
        least=0.0,
        new_lesion=False,
        dimensions=2,
        confirms=28.0,
    ),  # Wolchok 2009, doi:10.1158/1078-0432.CCR-09-1624
}
CONFIRMED = 28.0  # days after which RECIST 1.1 confirms a response, where a trial asks for it


def target_sum(diameter: np.ndarray, baseline: np.ndarray, criteria: Criteria) -> np.ndarray:
    """The sum of longest diameters (mm), or of products (mm^2), of the targets, (patient, visit).

    S(v) = sum of d_j(v) over the `per_organ` lesions j with the largest baselines, of those with a baseline
    of at least `smallest`. diameter  as measured, mm or mm^2, (patient, visit, lesion); baseline, mm,
    (patient, lesion)
    """
    order = np.argsort(-baseline, axis=1)[:, : criteria.per_organ]
    chosen = np.take_along_axis(baseline, order, axis=1) >= criteria.smallest
    picked = np.take_along_axis(diameter, order[:, None, :], axis=2)
    return np.sum(picked * chosen[:, None, :], axis=2)


def progressed(total: np.ndarray, criteria: Criteria) -> np.ndarray:
    """Whether each visit shows progression against the nadir so far, (patient, visit).

    S(v) - N >= rise N, >= least and > 0, with N = min of S(0) ... S(v - 1). total (patient, visit), baseline
    first; a sum of zero is no progression.
    """
    nadir = np.minimum.accumulate(total, axis=1)
    before = np.concatenate([nadir[:, :1], nadir[:, :-1]], axis=1)
    rise = total - before
    return (total > 0) & (rise >= criteria.rise * before - 1e-12) & (rise >= criteria.least) & (rise > 0)


def again(shown: np.ndarray, made: np.ndarray, days: np.ndarray, wait: float) -> np.ndarray:
    """Whether what a scan shows is shown by the first scan planned at least `wait` days after it too.

    shown, made  of each patient's visits, (patient, visit); a scan that was not made confirms nothing
    days         when visits are planned, (visit,) or (patient, visit), ascending
    """
    if wait <= 0:
        return shown
    planned = np.atleast_2d(days)
    far = planned[:, None, :] >= planned[:, :, None] + wait - 1e-9
    after = np.where(far.any(axis=2), far.argmax(axis=2), planned.shape[1])
    held = np.append(shown & made, np.zeros((len(shown), 1), dtype=bool), axis=1)
    return shown & np.take_along_axis(held, np.broadcast_to(after, shown.shape), axis=1)


def standing(total: np.ndarray, visible: np.ndarray, criteria: Criteria) -> tuple[np.ndarray, np.ndarray]:
    """Whether each visit shows a partial (or better) and a complete response against the baseline,
    (patient, visit).

    Partial: S(v) <= (1 - shrink) S(0); complete: no lesion is seen. Neither at the baseline, nor without a
    target (S(0) = 0). total (mm) and visible (a number), (patient, visit), baseline first
    """
    baseline = total[:, :1]
    partial = (total <= (1 - criteria.shrink) * baseline + 1e-12) & (baseline > 0)
    complete = (visible == 0) & (baseline > 0)
    partial[:, 0] = complete[:, 0] = False
    return partial | complete, complete


@dataclass(frozen=True)
class Scans:
    """What scans show, (patient, visit), the baseline first.

    `total` is the sum of targets (mm, or mm^2 in two dimensions), `visible` how many lesions are seen, `new`
    whether one is that was not there, `made` whether the scan was made; `due` is the day it falls on, and
    `planned` (visit,) or (patient, visit) the day it was planned for.
    """

    planned: np.ndarray
    due: np.ndarray
    total: np.ndarray
    visible: np.ndarray
    new: np.ndarray
    made: np.ndarray


def worsening(scans: Scans, criteria: Criteria) -> np.ndarray:
    """Whether each visit shows progression, confirmed where the criteria ask for it, (patient, visit).

    By the sum (`progressed`), or by a new lesion where that is progression by itself; never at the baseline.
    """
    worse = (progressed(scans.total, criteria) | (scans.new & criteria.new_lesion)) & scans.made
    worse[:, 0] = False
    return again(worse, scans.made, scans.planned, criteria.confirms)


def best_response(
    scans: Scans, worse: np.ndarray, criteria: Criteria, confirmed: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best overall response (CR, PR, SD, PD or NE), the visits that show a response (patient, visit), and the
    lowest change of the sum before progression, min S(v) / S(0) - 1, missing without a scan (patient,).

    The best of what `standing` says at scans before the first progression, confirmed (`again`) where the
    criteria or the trial ask for it; else SD where such a scan was made, without a least duration of it, else
    PD. NE without a measurable target or a scan after the baseline.

    worse  progression at each visit, (patient, visit)
    """
    before = scans.made & ~np.maximum.accumulate(worse, axis=1)
    wait = criteria.confirms or (CONFIRMED if confirmed else 0.0)
    partial, complete = (
        again(x & before, before, scans.planned, wait) for x in standing(scans.total, scans.visible, criteria)
    )
    baseline = scans.total[:, 0]
    measurable, stable = baseline > 0, before[:, 1:].any(axis=1)
    best = np.select(
        [~measurable, complete.any(axis=1), partial.any(axis=1), stable, worse.any(axis=1)],
        ["NE", "CR", "PR", "SD", "PD"],
        "NE",
    )
    lowest = np.where(before, scans.total, np.inf)[:, 1:].min(axis=1, initial=np.inf)
    change = np.divide(
        lowest, baseline, out=np.full(len(baseline), np.nan), where=measurable & np.isfinite(lowest)
    )
    return best, partial, change - 1
