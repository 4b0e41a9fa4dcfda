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
    days         when visits are planned, (visit,)
    """
    if wait <= 0:
        return shown
    after = np.searchsorted(days, days + wait - 1e-9)
    held = np.append(shown & made, np.zeros((len(shown), 1), dtype=bool), axis=1)
    return shown & held[:, np.minimum(after, shown.shape[1])]


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


def best_response(
    total: np.ndarray, visible: np.ndarray, worse: np.ndarray, criteria: Criteria
) -> np.ndarray:
    """Best overall response before progression, (patient,): CR, PR, SD, PD or NE (no measurable target).

    The best of what `standing` says before the first progression; else PD where the first scan shows
    progression, else SD, without a least duration of it. Unconfirmed (see `again`); NE too without a scan
    after the baseline.

    total    sum of longest diameters, mm, (patient, visit), baseline first
    visible  lesions still seen at each visit, (patient, visit)
    worse    progression at each visit, by the sum or by a new lesion, (patient, visit)
    """
    worse = np.maximum.accumulate(worse, axis=1)
    baseline = total[:, :1]
    partial = (total <= (1 - criteria.shrink) * baseline + 1e-12) & ~worse
    complete = (visible == 0) & ~worse
    partial[:, 0] = complete[:, 0] = False
    if total.shape[1] == 1:
        return np.full(len(total), "NE")
    rank = np.where(
        complete.any(axis=1), "CR", np.where(partial.any(axis=1), "PR", np.where(worse[:, 1], "PD", "SD"))
    )
    return np.where(baseline[:, 0] > 0, rank, "NE")
