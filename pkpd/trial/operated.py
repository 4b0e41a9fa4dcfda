"""Patients treated around an operation: response before it, what it takes, recurrence, survival."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from pkpd.parameters.draw import draw, uniform
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.population import Population
from pkpd.simulation.run import simulate
from pkpd.simulation.simulation import Simulation
from pkpd.trial import lesions
from pkpd.trial.drug_effect import records
from pkpd.trial.endpoints import censored, death_times, first_time, missing, visit_grid
from pkpd.trial.prepare import Prepared
from pkpd.trial.readout import Readout
from pkpd.trial.response import CRITERIA, Scans, best_response, worsening
from pkpd.trial.scans import Eyes, Read, eyes, limits, read
from pkpd.trial.surgery import removed

_RTOL = 1e-4
_LESIONS = "lesion"  # the part whose copies an operation takes


def operate(prepared: Prepared, parameters: Parameters) -> Readout:
    """The readout of one arm around an operation.

    Scans before it are read as `response` says; a patient without progression is resected unless a uniform
    draw is below the chance of being unresectable; what is left or occult is followed by later scans, and the
    first that shows it is the recurrence. ContentError where the disease lacks what an operation reads.
    """
    trial, plan, n, key = prepared.trial, prepared.plan, prepared.n, prepared.key
    people = draw(prepared.disease, parameters, n, *key, covariates=prepared.covariates)
    early = _before(prepared, people)
    sight = eyes(prepared, early)
    scans, first = _scans(prepared, early, sight)
    worse = worsening(scans, CRITERIA[trial.criteria])
    if not prepared.treated:
        worse[:] = False  # operated without a scan in between: nothing is judged
    progression = first_time(early.times, worse)
    u = uniform((*key, "protocol", "unresectable"), n)
    resected = np.isinf(progression) & (u >= early["course.unresectable"][:, 0])
    search = limits(prepared, early, "MRI", "MRI", "search at operation")[_LESIONS]  # ultrasound, by proxy
    size = lesions.copies(early, _LESIONS, "diameter")
    taken = removed(size[:, -1], sight.organs[_LESIONS], search, resected, trial.vanished)
    late = _after(prepared, people, early, resected, taken)
    seen = read(prepared, late, sight, late.times.shape[1], ("reading after",), targets=first.first)
    recurrence = first_time(late.times, seen.new | (seen.visible > 0))
    usual = np.where(resected, recurrence, np.minimum(progression, _left(prepared, scans, late, seen)))
    failed = np.minimum(progression, plan.operation)
    progression = np.where(resected, recurrence, failed) if trial.unresected == "event" else usual
    both = progression, usual
    return _readout(prepared, early, late, scans, worse, both, resected=resected, sight=sight)


def _before(prepared: Prepared, people: Population) -> Simulation:
    """The course from randomisation to the operation, at the scans before it."""
    visits = _visits_before(prepared)
    times = np.concatenate([np.zeros((prepared.n, 1)), visits], axis=1)
    schedule = records(prepared.effects, prepared.disease, prepared.n)
    return simulate(prepared.disease, people, schedule, times, rtol=_RTOL, strict=False)


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


def _scans(prepared: Prepared, early: Simulation, sight: Eyes) -> tuple[Scans, Read]:
    """The scans up to the operation, whose own is read once."""
    last = early.times == prepared.plan.operation[:, None]
    labels = ("reading before", "reading at operation")
    found = read(prepared, early, sight, early.times.shape[1], labels, last=last)
    made = np.ones(early.times.shape, dtype=bool)
    scans = Scans(
        planned=early.times,
        due=early.times,
        total=found.total,
        visible=found.visible,
        new=found.new,
        made=made,
    )
    return scans, found


def _after(
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
    times = operation[:, None] + grid + np.clip(ndtri(shift) * trial.jitter, -30, 30)
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


def _left(prepared: Prepared, before: Scans, late: Simulation, seen: Read) -> np.ndarray:
    """Progression of patients whose lesions are left in place, by later visits: against the nadir so far, or
    by a new lesion, (patient,), days.
    """
    criteria = CRITERIA[prepared.trial.criteria]

    def joined(first: np.ndarray, then: np.ndarray) -> np.ndarray:
        return np.concatenate([first, then], axis=1)

    whole = Scans(
        planned=joined(before.planned, late.times),
        due=joined(before.due, late.times),
        total=joined(before.total, seen.total),
        visible=joined(before.visible, seen.visible),
        new=joined(before.new, seen.new),
        made=joined(before.made, np.ones(late.times.shape, dtype=bool)),
    )
    return first_time(late.times, worsening(whole, criteria)[:, before.total.shape[1] :])


def _readout(
    prepared: Prepared,
    early: Simulation,
    late: Simulation,
    scans: Scans,
    worse: np.ndarray,
    progression: tuple[np.ndarray, np.ndarray],
    *,
    resected: np.ndarray,
    sight: Eyes,
) -> Readout:
    """What scans, operation and death come to; progression as the protocol says, and by scans alone."""
    dates, trial = prepared.plan, prepared.trial
    death = _death(prepared, early, progression[0], resected)
    (pfs_time, pfs_event), (usual_time, usual_event) = (
        censored(np.minimum(p, death), dates.follow_up) for p in progression
    )
    os_time, os_event = censored(death, dates.follow_up)
    size = lesions.copies(early, _LESIONS, "diameter")
    present, total = size[:, 0] > 0, scans.total
    return Readout(
        arm=prepared.arm.name,
        pfs_time=pfs_time,
        pfs_event=pfs_event,
        pfs_usual_time=usual_time,
        pfs_usual_event=usual_event,
        os_time=os_time,
        os_event=os_event,
        resected=resected,
        started_after=np.isfinite(dates.after).any(axis=1) & resected,
        response=best_response(scans, worse, CRITERIA[trial.criteria], trial.confirmed)[0],
        shrinkage=total[:, -1] / np.where(total[:, 0] > 0, total[:, 0], np.nan) - 1,
        operation=dates.operation,
        lesions=np.where(present, size[:, 0], np.nan),
        vanished=present & (size[:, -1] < sight.organs[_LESIONS]),
        largest=size[:, 0].max(axis=1),
        failed=missing(early) | missing(late),
        failures=early.failures + late.failures,
    )


def _death(
    prepared: Prepared, early: Simulation, progression: np.ndarray, resected: np.ndarray
) -> np.ndarray:
    """Each patient's day of death, by the rates of the disease (`death_times`)."""
    causes = ("background", "after_progression", "postoperative_death")
    rates = {k: early[f"course.{k}"][:, 0] for k in causes}
    streams = ("background", "after progression", "operation")
    u = {k: uniform((*prepared.key, "death", k), prepared.n) for k in streams}
    return death_times(progression, prepared.plan.operation, resected, rates, u)
