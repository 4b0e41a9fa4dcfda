"""run_trial: patients through a protocol, arm by arm, to readouts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pkpd.machine.doors import door
from pkpd.parameters.draw import draw, uniform
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.population import Population
from pkpd.simulation.run import Tell, quiet, simulate
from pkpd.simulation.simulation import Simulation
from pkpd.trial import lesions, response
from pkpd.trial.drug_effect import records
from pkpd.trial.endpoints import censored, death_times, first_time, missing, visit_grid
from pkpd.trial.followed import follow
from pkpd.trial.prepare import Prepared, admit, prepare
from pkpd.trial.readout import Followed, Readout
from pkpd.trial.setting import Setting, setting, warm
from pkpd.trial.surgery import removed
from pkpd.trial.trial import Trial

__all__ = ["Prepared", "Setting", "admit", "prepare", "run_arm", "run_trial", "setting", "warm"]
_RTOL = 1e-4


@dataclass(frozen=True)
class _Eyes:
    """The persistent detection thresholds (mm) of each patient's lesions and occult foci; `search` is at
    operation.
    """

    lesion: np.ndarray
    search: np.ndarray
    occult: np.ndarray


def run_arm(prepared: Prepared, parameters: Parameters) -> Readout | Followed:
    """The readout of one arm under one set of disease parameters."""
    return follow(prepared, parameters) if prepared.trial.scans else run_operated(prepared, parameters)


def run_operated(prepared: Prepared, parameters: Parameters) -> Readout:
    """The readout of one arm around an operation.

    Scans before it are read as `response` says; a patient without progression is resected unless a uniform
    draw is below the chance of being unresectable; what is left or occult is followed by later scans, and the
    first that shows it is the recurrence. ContentError where the disease lacks what an operation reads.
    """
    trial, dates, n = prepared.trial, prepared.plan, prepared.n
    model = prepared.disease
    people = draw(model, parameters, n, *prepared.key, covariates=prepared.covariates)
    criteria = response.CRITERIA[trial.criteria]
    visits = _visits_before(prepared)
    schedule = records(prepared.effects, model, n)
    early = simulate(
        model, people, schedule, np.concatenate([np.zeros((n, 1)), visits], axis=1), rtol=_RTOL, strict=False
    )
    eyes = _eyes(trial, early, prepared.key)
    diameter, new = (
        lesions.copies(early, "lesion", "diameter"),
        lesions.occult_seen(early, eyes.occult, prepared.key),
    )
    total = _read_before(prepared, early, diameter, criteria)
    seen = diameter >= eyes.lesion[:, None, :]
    worse = response.progressed(total, criteria) | (new & criteria.new_lesion)
    worse[:, 0] = False
    if not prepared.treated:
        worse[:] = False  # operated without a scan in between: nothing is judged
    progression = first_time(early.times, worse)
    u = uniform((*prepared.key, "protocol", "unresectable"), n)
    resected = np.isinf(progression) & (u >= early["course.unresectable"][:, 0])
    taken = removed(diameter[:, -1], eyes.lesion, eyes.search, resected, trial.vanished)
    late = _follow(prepared, people, early, resected, taken)
    recurrence = _recurrence(late, eyes, prepared.key)
    failed = np.where(trial.unresected == "event", dates.operation, np.inf)
    if trial.unresected == "follow":
        failed = _followed(late, total, criteria, prepared.key)
    progression = np.where(resected, recurrence, np.minimum(progression, failed))
    best = response.best_response(total, (seen & (diameter[:, :1] > 0)).sum(axis=2), worse, criteria)
    return _readout(prepared, early, late, progression, resected, best, total, diameter, seen)


def _visits_before(prepared: Prepared) -> np.ndarray:
    """Scans before the operation, the last on its day; an arm without cycles has that one only.

    A scan that would fall on or after the operation is the operation's.
    """
    every, operation = prepared.trial.scans_before, prepared.plan.operation
    if not prepared.treated:
        return operation[:, None]
    count = int(operation.max() // every)
    return np.concatenate(
        [np.minimum(np.arange(1, count + 1) * every, operation[:, None]), operation[:, None]], axis=1
    )


def _read_before(
    prepared: Prepared, early: Simulation, diameter: np.ndarray, criteria: response.Criteria
) -> np.ndarray:
    """Sums of longest diameters as measured before the operation, baseline first; one scan is read once."""
    error = early["imaging.error"][:, 0]
    noisy = lesions.measured(diameter, error, (*prepared.key, "reading before"))
    at_operation = lesions.measured(diameter[:, -1:], error, (*prepared.key, "reading at operation"))
    noisy = np.where((early.times == prepared.plan.operation[:, None])[:, :, None], at_operation, noisy)
    return response.target_sum(noisy, noisy[:, 0], criteria)


def _eyes(trial: Trial, early: Simulation, key: tuple[str, str, str]) -> _Eyes:
    d50, width = (early[f"imaging.{trial.modality.lower()}_{x}"][:, 0] for x in ("d50", "width"))
    visible, hidden = (lesions.copies(early, part, "diameter")[:, 0] for part in ("lesion", "occult"))
    close_d50, close_width = (
        early[f"imaging.mri_{x}"][:, 0] for x in ("d50", "width")
    )  # ultrasound at operation, by proxy
    return _Eyes(
        lesions.thresholds(d50, width, visible, True, (*key, "sight of lesion")),
        lesions.thresholds(close_d50, close_width, visible, True, (*key, "search at operation")),
        lesions.thresholds(d50, width, hidden, False, (*key, "sight of occult")),
    )


def _follow(
    prepared: Prepared, people: Population, early: Simulation, resected: np.ndarray, taken: np.ndarray
) -> Simulation:
    """The course after the operation: taken lesions are gone, an unresected patient gets no more cycles."""
    model, trial, operation = early.model, prepared.trial, prepared.plan.operation
    states = np.nan_to_num(early.states[:, -1].copy())
    for j in range(taken.shape[1]):
        columns = np.array(
            [i for i, s in enumerate(model.states) if s.startswith(f"lesion.{j + 1}.")], dtype=int
        )
        states[np.ix_(taken[:, j], columns)] = 0.0
    grid = visit_grid(trial.scans_after, trial.follow_up[1])
    shift = np.stack(
        [uniform((*prepared.key, "protocol", "visit", str(i)), len(people)) for i in range(len(grid))], axis=1
    )
    times = operation[:, None] + grid + np.clip(_normal(shift) * trial.jitter, -30, 30)
    schedule = records(prepared.effects, model, len(people), np.where(resected, np.inf, operation))
    return simulate(
        model,
        people,
        schedule,
        np.maximum.accumulate(times, axis=1),
        begin=operation,
        start=states,
        rtol=_RTOL,
        strict=False,
    )


def _normal(u: np.ndarray) -> np.ndarray:
    from scipy.special import ndtri

    return ndtri(u)


def _recurrence(late: Simulation, eyes: _Eyes, key: tuple[str, str, str]) -> np.ndarray:
    """The first visit that shows an occult focus, or a lesion that had vanished and was left."""
    back = np.any(lesions.copies(late, "lesion", "diameter") >= eyes.lesion[:, None, :], axis=2)
    return first_time(late.times, lesions.occult_seen(late, eyes.occult, key) | back)


def _followed(
    late: Simulation, before: np.ndarray, criteria: response.Criteria, key: tuple[str, str, str]
) -> np.ndarray:
    """Progression of lesions left in place, by later visits against the nadir so far."""
    diameter = lesions.copies(late, "lesion", "diameter")
    noisy = lesions.measured(diameter, late["imaging.error"][:, 0], (*key, "reading after"))
    total = np.concatenate([before, response.target_sum(noisy, noisy[:, 0], criteria)], axis=1)
    worse = response.progressed(total, criteria)[:, before.shape[1] :]
    return first_time(late.times, worse)


def _readout(
    prepared: Prepared,
    early: Simulation,
    late: Simulation,
    progression: np.ndarray,
    resected: np.ndarray,
    best: np.ndarray,
    total: np.ndarray,
    diameter: np.ndarray,
    seen: np.ndarray,
) -> Readout:
    n, dates, key = prepared.n, prepared.plan, prepared.key
    rates = {
        k: early[f"course.{k}"][:, 0] for k in ("background", "after_progression", "postoperative_death")
    }
    u = {k: uniform((*key, "death", k), n) for k in ("background", "after progression", "operation")}
    death = death_times(progression, dates.operation, resected, rates, u)
    pfs_time, pfs_event = censored(np.minimum(progression, death), dates.follow_up)
    os_time, os_event = censored(death, dates.follow_up)
    started = np.isfinite(dates.after).any(axis=1) & resected
    present = diameter[:, 0] > 0
    return Readout(
        arm=prepared.arm.name,
        pfs_time=pfs_time,
        pfs_event=pfs_event,
        os_time=os_time,
        os_event=os_event,
        resected=resected,
        started_after=started,
        response=best,
        shrinkage=total[:, -1] / np.where(total[:, 0] > 0, total[:, 0], np.nan) - 1,
        operation=dates.operation,
        lesions=np.where(present, diameter[:, 0], np.nan),
        vanished=present & ~seen[:, -1],
        largest=diameter[:, 0].max(axis=1),
        failed=missing(early) | missing(late),
        failures=early.failures + late.failures,
    )


@door
def run_trial(
    trial: Trial,
    parameters: Parameters,
    patients: int = 1000,
    link: str = "",
    seed: int = 0,
    tell: Tell = quiet,
) -> dict[str, Readout | Followed]:
    """Every arm of a trial with `patients` virtual patients each, under one set of disease parameters:
    readouts by the arm's name, times in days (equations: `Readout`, `Followed`).

    link  the kill link, the trial's first if left out; ContentError for one that it has not
    tell  is told how many arms are done: (what, done, of)
    """
    found: dict[str, Readout | Followed] = {}
    for arm in trial.arms:
        found[arm.name] = run_arm(prepare(trial, arm, parameters, patients, link, seed), parameters)
        tell("arms", len(found), len(trial.arms))
    return found
