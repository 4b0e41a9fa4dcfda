"""A schedule as legs between events, for tools that are restarted at each event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.problem import Problem
from pkpd.regimen.schedule import ADD


@dataclass(frozen=True)
class Timeline:
    """Leg k runs from edges[k] to edges[k + 1] and holds the outputs first[k] to first[k + 1].

    At its beginning `add` (patient, leg, dosed) is added to the states `dosed`, and `infusion`, of the same
    shape, is their infusion rate from then on. An output at an edge is what the events there leave behind.
    """

    edges: np.ndarray
    first: np.ndarray
    dosed: np.ndarray
    add: np.ndarray
    infusion: np.ndarray


def timeline(problem: Problem) -> Timeline:
    """The legs of a problem whose patients have their events at the same times."""
    schedule, times, n = problem.schedule, problem.times[0], len(problem)
    width = int(np.diff(schedule.offsets)[0])
    time, kind, index, value = (
        x.reshape(n, width) for x in (schedule.time, schedule.kind, schedule.index, schedule.value)
    )
    if not all(np.array_equal(x, np.broadcast_to(x[0], x.shape)) for x in (time, kind, index, problem.times)):
        raise ValueError("the patients differ in more than their amounts")
    end = times[-1]
    edges = np.unique(np.r_[problem.begin[0], time[0][time[0] < end], end])
    dosed = np.array([i for i, c in enumerate(problem.model.compartments) if c.dose is not None])
    add, infusion = np.zeros((n, len(edges) - 1, len(dosed))), np.zeros((n, len(edges) - 1, len(dosed)))
    for row in np.flatnonzero(time[0] < end):
        leg, place = np.searchsorted(edges, time[0, row]), int(np.flatnonzero(dosed == index[0, row])[0])
        if kind[0, row] == ADD:
            add[:, leg, place] += value[:, row]
        else:
            infusion[:, leg:, place] = value[:, row, None]
    first = np.searchsorted(times, edges)
    first[-1] = len(times)
    return Timeline(edges, first, dosed, add, infusion)


Leg = Callable[[float, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def by_legs(problem: Problem, patient: Callable[[int], Leg]) -> np.ndarray:
    """States (patient, time, state), from leg to leg.

    patient(i) gives a function of a leg's begin, its stops (outputs after the begin, then its end), the
    states at its begin and the infusion rates; it returns the states at the stops.
    """
    plan, times = timeline(problem), problem.times[0]
    out = np.empty((len(problem), len(times), problem.start.shape[1]))
    legs = []
    for k, begin in enumerate(plan.edges[:-1]):
        here = slice(plan.first[k], plan.first[k + 1])
        stops = np.unique(np.r_[times[here], plan.edges[k + 1]])
        now = times[here.start] == begin if here.start < here.stop else False
        legs.append((float(begin), stops[stops > begin], here.start, here.start + bool(now), here.stop))
    for i in range(len(problem)):
        solve, y = patient(i), problem.start[i].copy()
        for k, (begin, stops, first, later, last) in enumerate(legs):
            y[plan.dosed] += plan.add[i, k]
            out[i, first:later] = y
            found = solve(begin, stops, y, plan.infusion[i, k])
            out[i, later:last] = found[: last - later]
            y = found[-1].copy()
    return out
