"""Patients treated and followed by scans: response, progression, survival, and what an operation finds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pkpd.parameters.draw import draw, uniform
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.population import Population
from pkpd.simulation.run import simulate
from pkpd.simulation.simulation import Simulation
from pkpd.trial import lesions
from pkpd.trial.drug_effect import records
from pkpd.trial.endpoints import censored, death_by_hazard, first_time, missing, visit_grid
from pkpd.trial.prepare import Prepared
from pkpd.trial.readout import Followed
from pkpd.trial.response import CRITERIA, Scans, best_response, worsening
from pkpd.trial.run_in import settled
from pkpd.trial.scans import due_days, only_part, scanned
from pkpd.trial.setting import horizon, reads_survival

_RTOL = 1e-4


def follow(prepared: Prepared, parameters: Parameters) -> Followed:
    """The readout of one arm that is followed by scans, under one set of disease parameters."""
    trial, key = prepared.trial, prepared.key
    people = _people(prepared, parameters)
    days = np.append(0.0, visit_grid(trial.scans, horizon(trial)))
    due = due_days(prepared, days)
    course = _course(prepared, people, due)
    cumulative = course[f"{only_part(prepared.disease, 'host/hazard')}.cumulative"]
    u = uniform((*key, "death", "hazard"), prepared.n)
    death = death_by_hazard(course.times, cumulative, u)
    end = np.minimum(np.minimum(death, prepared.plan.follow_up), prepared.plan.operation)
    scans = scanned(prepared, course, days, due, end)
    worse = worsening(scans, CRITERIA[trial.criteria])
    progression = first_time(due, worse)
    if prepared.arm.stops and prepared.effects and reads_survival(trial):
        cumulative, failures = _beyond(prepared, course, progression, cumulative)
        course = replace(course, failures=tuple(dict.fromkeys((*course.failures, *failures))))
        death = np.where(death > progression, death_by_hazard(course.times, cumulative, u), death)
    read = _readout(prepared, course, scans, worse, progression, death)
    return replace(read, failed=missing(course) | np.isnan(cumulative).any(axis=1))


def _people(prepared: Prepared, parameters: Parameters) -> Population:
    """The patients, each with the parameters of its group; a patient's draws do not depend on the group."""
    found = None
    for i, own in enumerate(prepared.sets(parameters)):
        people = draw(prepared.disease, own, prepared.n, *prepared.key, covariates=prepared.covariates)
        if found is None:
            found = people
        else:
            found = replace(
                found, inputs=np.where((prepared.group == i)[:, None], people.inputs, found.inputs)
            )
    assert found is not None
    return found


def _course(prepared: Prepared, people: Population, due: np.ndarray) -> Simulation:
    """The disease at every scan, and at the last day of all that is read (the operation's, or of
    survival).
    """
    trial, model, operation = prepared.trial, prepared.disease, prepared.plan.operation
    last = np.where(np.isfinite(operation), operation, np.maximum(due[:, -1], horizon(trial)))
    times = np.append(np.minimum(due, last[:, None]), last[:, None], axis=1)
    before = settled(model, people, trial.run_in, _RTOL)
    course = _treated(prepared, people, times, np.nan_to_num(before.states[:, 0]))
    states = np.where(np.any(np.isnan(before.states), axis=(1, 2), keepdims=True), np.nan, course.states)
    return replace(course, states=states, failures=tuple(dict.fromkeys((*before.failures, *course.failures))))


def _treated(prepared: Prepared, people: Population, times: np.ndarray, start: np.ndarray) -> Simulation:
    """The disease from the first day of treatment on; a lesion that is treated locally is killed
    on its day.
    """
    model, local = prepared.disease, prepared.arm.local
    schedule = records(prepared.effects, model, len(people))
    if local is None:
        return simulate(model, people, schedule, times, start=start, rtol=_RTOL, strict=False)
    at = local.days[0] + (local.days[1] - local.days[0]) * uniform(
        (*prepared.key, "protocol", "local"), len(people)
    )
    early = simulate(
        model, people, schedule, np.stack([times[:, 0], at], axis=1), start=start, rtol=_RTOL, strict=False
    )
    states, left = (
        _killed(early, local.lesion, local.dies),
        people.with_inputs(_taken(early, local.lesion, local.dies)),
    )
    late = simulate(
        model,
        left,
        schedule,
        np.maximum(times[:, 1:], at[:, None]),
        begin=at,
        start=states,
        rtol=_RTOL,
        strict=False,
    )
    course = np.append(early.states[:, :1], late.states, axis=1)
    return replace(
        late,
        times=times,
        states=np.where(missing(early)[:, None, None], np.nan, course),
        failures=(*early.failures, *late.failures),
    )


def _taken(early: Simulation, lesion: str, dies: float) -> dict[str, np.ndarray]:
    """What local treatment takes from a site, as the input by which occult foci stay in proportion to what
    was there.
    """
    model, organ = early.model, lesion.partition(".")[0]
    volume = dies * np.nan_to_num(early[f"{lesion}.viable"][:, -1])
    sites = {p.name: dict(p.joins).get("lesions") for p in model.parts}
    return {
        f"{p.name}.TAKEN{side.upper()}": volume
        for p in model.parts
        if p.use == "couplings/occult_surveillance"
        for side in ("here", "there")
        if sites.get(dict(p.joins)[side]) == organ
    }


def _killed(early: Simulation, lesion: str, dies: float) -> np.ndarray:
    """The states after a share of a lesion's viable volume died; what is released primes T cells as in
    chemotherapy.
    """
    model, states = early.model, np.nan_to_num(early.states[:, -1].copy())
    index = {s: model.states.index(f"{lesion}.{s}") for s in ("sensitive", "resistant", "dead")}
    dead = dies * (states[:, index["sensitive"]] + states[:, index["resistant"]])
    states[:, [index["sensitive"], index["resistant"]]] *= 1 - dies
    states[:, index["dead"]] += dead
    organ, _, copy = lesion.partition(".")
    for part in model.parts:
        joins = dict(part.joins)
        if part.use == "couplings/antigen_release" and joins["tumour"] == organ:
            iota = early[".".join(filter(None, (part.name, copy, "IOTA")))][:, -1]
            states[:, model.states.index(f"{joins['systemic']}.priming")] += iota * dead
    return states


def _beyond(
    prepared: Prepared, course: Simulation, progression: np.ndarray, cumulative: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The cumulative hazard when no dose is given after progression; what was given fades. And who fails in
    it.
    """
    rows = np.flatnonzero(np.isfinite(progression))
    if not len(rows):
        return cumulative, ()
    at, times = progression[rows], course.times[rows]
    visit = np.argmax(times >= at[:, None], axis=1)
    given = tuple(e.take(rows).stopped(at) for e in prepared.effects)
    start = np.nan_to_num(course.states[rows, visit])
    late = simulate(
        course.model,
        course.population.take(rows),
        records(given, course.model, len(rows)),
        np.maximum(times, at[:, None]),
        begin=at,
        start=start,
        rtol=_RTOL,
        strict=False,
    )
    column = course.model.states.index(f"{only_part(course.model, 'host/hazard')}.cumulative")
    changed = cumulative.copy()
    changed[rows] = np.where(times > at[:, None], late.states[:, :, column], cumulative[rows])
    return changed, late.failures


def _readout(
    prepared: Prepared,
    course: Simulation,
    scans: Scans,
    worse: np.ndarray,
    progression: np.ndarray,
    death: np.ndarray,
) -> Followed:
    """What the scans and the day of death come to, of every patient."""
    trial, cut = prepared.trial, prepared.plan.follow_up
    best, shown, change = best_response(scans, worse, CRITERIA[trial.criteria], trial.confirmed)
    started = first_time(scans.due, shown)
    pfs_time, pfs_event = censored(np.minimum(progression, death), cut)
    os_time, os_event = censored(death, cut)
    responded = np.isfinite(started)
    ended = worse | (scans.due >= death[:, None])
    return Followed(
        arm=prepared.arm.name,
        pfs_time=pfs_time,
        pfs_event=pfs_event,
        os_time=os_time,
        os_event=os_event,
        dor_time=np.where(responded, pfs_time - np.where(responded, started, 0.0), 0.0),
        dor_event=responded & pfs_event,
        response=best,
        change=change,
        planned=np.where(ended.any(axis=1), scans.planned[ended.argmax(axis=1)], np.inf),
        cleared=_cleared(prepared, course),
        group=prepared.group,
        failures=course.failures,
    )


def _cleared(prepared: Prepared, course: Simulation) -> np.ndarray:
    """Whether the operation finds less viable tumour than pathology sees, in patients who had any."""
    organs = [p.name for p in prepared.disease.parts if p.use == "tumours/lesion"]
    viable = np.sum([lesions.copies(course, o, "viable").sum(axis=2) for o in organs], axis=0)
    operated = np.isfinite(prepared.plan.operation)
    return operated & (viable[:, 0] > 0) & (viable[:, -1] < prepared.trial.pathology)
