"""Patients treated and followed by scans: response, progression, survival, and what an operation finds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from pkpd.model.model import Model
from pkpd.parameters.draw import draw, uniform
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.population import Population
from pkpd.simulation.simulation import Simulation, simulate
from pkpd.trial import lesions, response
from pkpd.trial.drug_effect import records
from pkpd.trial.endpoints import censored, death_by_hazard, first_time, missing, visit_grid
from pkpd.trial.idle import LIVER
from pkpd.trial.prepare import Prepared
from pkpd.trial.readout import Followed
from pkpd.trial.run_in import settled
from pkpd.trial.setting import horizon, reads_survival

_RTOL = 1e-4


@dataclass(frozen=True)
class _Scans:
    """What scans show, (patient, visit), the baseline first: the sum of targets, how many lesions, whether
    any is new.
    """

    total: np.ndarray
    visible: np.ndarray
    new: np.ndarray


def follow(prepared: Prepared, parameters: Parameters) -> Followed:
    """The readout of one arm that is followed by scans, under one set of disease parameters."""
    trial, key = prepared.trial, prepared.key
    people = _people(prepared, parameters)
    days = np.append(0.0, visit_grid(trial.scans, horizon(trial)))
    due = _due(prepared, days)
    course = _course(prepared, people, due)
    cumulative = course[f"{_part(prepared.disease, 'host/hazard')}.cumulative"]
    u = uniform((*key, "death", "hazard"), prepared.n)
    death = death_by_hazard(course.times, cumulative, u)
    scans = _scans(prepared, course, len(days))
    end = np.minimum(np.minimum(death, prepared.plan.follow_up), prepared.plan.operation)
    made = (due <= end[:, None]) & np.isfinite(scans.total)
    made[:, 0] = True
    worse = _worse(prepared, scans, made, days)
    progression = first_time(due, worse)
    if prepared.arm.stops and prepared.effects and reads_survival(trial):
        cumulative, failures = _beyond(prepared, course, progression, cumulative)
        course = replace(course, failures=tuple(dict.fromkeys((*course.failures, *failures))))
        death = np.where(death > progression, death_by_hazard(course.times, cumulative, u), death)
    read = _readout(prepared, course, scans, due, days, made, worse, progression, death)
    return replace(read, failed=missing(course) | np.isnan(cumulative).any(axis=1))


def _part(model: Model, use: str) -> str:
    return next(p.name for p in model.parts if p.use == use)


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


def _due(prepared: Prepared, days: np.ndarray) -> np.ndarray:
    """When each patient's scans are due, the baseline first, on their days or near them, (patient, visit)."""
    shift = np.stack(
        [uniform((*prepared.key, "protocol", "visit", str(i)), prepared.n) for i in range(len(days))], axis=1
    )
    moved = days + np.clip(ndtri(shift) * prepared.trial.jitter, -30, 30)
    moved[:, 0] = 0.0
    return np.maximum.accumulate(moved, axis=1)


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


def _scans(prepared: Prepared, course: Simulation, visits: int) -> _Scans:
    """What scans show of targets, other lesions and new ones, as measured."""
    trial, key, model = prepared.trial, prepared.key, prepared.disease
    criteria, imaging = response.CRITERIA[trial.criteria], _part(model, "host/imaging")
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
    return _Scans(total, visible + new, new)


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


def _worse(prepared: Prepared, scans: _Scans, made: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Progression at each visit, confirmed where the criteria ask for it, (patient, visit)."""
    criteria = response.CRITERIA[prepared.trial.criteria]
    worse = (response.progressed(scans.total, criteria) | (scans.new & criteria.new_lesion)) & made
    worse[:, 0] = False
    return response.again(worse, made, days, criteria.confirms)


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
    column = course.model.states.index(f"{_part(course.model, 'host/hazard')}.cumulative")
    changed = cumulative.copy()
    changed[rows] = np.where(times > at[:, None], late.states[:, :, column], cumulative[rows])
    return changed, late.failures


def _readout(
    prepared: Prepared,
    course: Simulation,
    scans: _Scans,
    due: np.ndarray,
    days: np.ndarray,
    made: np.ndarray,
    worse: np.ndarray,
    progression: np.ndarray,
    death: np.ndarray,
) -> Followed:
    trial, cut = prepared.trial, prepared.plan.follow_up
    criteria = response.CRITERIA[trial.criteria]
    before = made & ~np.maximum.accumulate(worse, axis=1)
    wait = criteria.confirms or (response.CONFIRMED if trial.confirmed else 0.0)
    partial, complete = (
        response.again(x & before, before, days, wait)
        for x in response.standing(scans.total, scans.visible, criteria)
    )
    started = first_time(due, partial)
    pfs_time, pfs_event = censored(np.minimum(progression, death), cut)
    os_time, os_event = censored(death, cut)
    responded = np.isfinite(started)
    ended = worse | (due >= death[:, None])
    measurable, stable = scans.total[:, 0] > 0, before[:, 1:].any(axis=1)
    best = np.select(
        [~measurable, complete.any(axis=1), partial.any(axis=1), stable, worse.any(axis=1)],
        ["NE", "CR", "PR", "SD", "PD"],
        "NE",
    )
    change = np.where(before, scans.total, np.inf)[:, 1:].min(axis=1, initial=np.inf)
    lowest = np.divide(
        change, scans.total[:, 0], out=np.full(prepared.n, np.nan), where=measurable & np.isfinite(change)
    )
    lasted = np.where(responded, pfs_time - np.where(responded, started, 0.0), 0.0)
    planned = np.where(ended.any(axis=1), days[ended.argmax(axis=1)], np.inf)
    return Followed(
        arm=prepared.arm.name,
        pfs_time=pfs_time,
        pfs_event=pfs_event,
        os_time=os_time,
        os_event=os_event,
        dor_time=lasted,
        dor_event=responded & pfs_event,
        response=best,
        change=lowest - 1,
        planned=planned,
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
