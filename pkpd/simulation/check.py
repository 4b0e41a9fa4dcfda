"""What is checked before patients are solved: the engine is compiled, and checks no bounds."""

from __future__ import annotations

import numpy as np

from pkpd.errors import fail
from pkpd.model.model import Model
from pkpd.parameters.bounds import in_use, require
from pkpd.parameters.population import Population
from pkpd.regimen.schedule import SET, Schedule

MOST_STEPS = 200_000  # from one event to the next


def check(
    model: Model,
    population: Population,
    schedule: Schedule,
    start: np.ndarray | None,
    begin: np.ndarray | float,
    rtol: float,
    most_steps: int = MOST_STEPS,
) -> None:
    """Refuses what the engine would read wrongly."""
    n = len(population)
    if population.names != model.inputs:
        raise fail(
            "simulate",
            f"these patients were not drawn for {model.name}",
            "draw(model, parameters, n) with this model",
        )
    if len(schedule) != n:
        raise fail("simulate", f"the schedule is of {len(schedule)} patients, the population of {n}", "")
    _check_events(model, schedule, None if start is not None else begin)
    if start is not None and np.shape(start) != (n, len(model.states)):
        raise fail(
            "simulate",
            f"start is of shape {np.shape(start)}, not {(n, len(model.states))}",
            "give (patient, state)",
        )
    _check_inputs(model, population, schedule)
    if not 0 < rtol < 1:
        raise fail(
            "simulate",
            f"rtol = {rtol:g} is not a relative tolerance",
            "give a number between 0 and 1, such as 1e-6",
        )
    if not 0 < most_steps < 2**62:
        raise fail(
            "simulate",
            f"most_steps = {most_steps!r} is not a number of steps",
            "give a whole number, 1 or more",
        )


def _check_events(model: Model, schedule: Schedule, begin: np.ndarray | float | None) -> None:
    """Refuses events of another model, and those before `begin`, of a run that starts there."""
    size = np.where(schedule.kind == SET, len(model.inputs), len(model.states))
    if np.any((schedule.index < 0) | (schedule.index >= size)):
        raise fail(
            "simulate", f"the schedule was not made for {model.name}", "lower the regimen onto this model"
        )
    if begin is not None and np.any(
        np.real(schedule.time) < np.broadcast_to(begin, (len(schedule),))[schedule.patients]
    ):
        raise fail(
            "simulate",
            "an event lies before the simulation's begin",
            "begin earlier, or give the states at its start",
        )


def _check_inputs(model: Model, population: Population, schedule: Schedule) -> None:
    """Refuses inputs, at the start or set by the schedule, that the model's parameters cannot be."""
    asked, numbers = in_use(model), population.numbers
    require(asked, population.inputs, "simulate", lambda i: f"patient {numbers[i]}", missing=True)
    for index in np.unique(schedule.index[schedule.kind == SET]):
        rows = np.flatnonzero((schedule.kind == SET) & (schedule.index == index))
        who, when = numbers[schedule.patients[rows]], np.real(schedule.time[rows])
        require(
            [asked[index]],
            schedule.value[rows, None],
            "schedule",
            lambda i, who=who, when=when: f"patient {who[i]}, {model.time} {when[i]:g}",
            missing=True,
        )


def grid(times: np.ndarray | tuple, n: int, begin: np.ndarray | float) -> np.ndarray:
    """Output times of each patient (patient, time), in order from `begin` on."""
    given = np.atleast_1d(np.asarray(times, dtype=float))
    if given.ndim > 2 or (given.ndim == 2 and len(given) not in (1, n)):
        raise fail("simulate", f"the times are of shape {given.shape}", f"give (time,) or ({n}, time)")
    outs = np.array(np.broadcast_to(given, (n, given.shape[-1])))
    if outs.shape[1] == 0 or np.any(np.diff(outs, axis=1) < 0) or not np.all(np.isfinite(outs)):
        raise fail("simulate", "the output times are not finite and in order", "give at least one, ascending")
    if np.any(outs[:, 0] < begin):
        raise fail(
            "simulate", "an output time lies before the simulation's begin", "begin earlier, or leave it out"
        )
    return outs


def placed(places: np.ndarray | None, outs: np.ndarray) -> np.ndarray | None:
    """How many of a patient's events come before each output (patient, time), checked: the engine reads what
    it is given.
    """
    if places is None:
        return None
    given = np.asarray(places)
    if given.shape != outs.shape:
        raise fail(
            "simulate",
            f"places are of shape {given.shape}, not {outs.shape}",
            "give one for each output: (patient, time)",
        )
    if given.dtype.kind not in "iu" or np.any(given < 0) or np.any(np.diff(given, axis=1) < 0):
        raise fail(
            "simulate",
            "places are not counts of events in order",
            "give whole numbers that do not fall along a row",
        )
    return given
