"""The yardstick: SciPy on one patient at tight tolerance, straight from the model's trees."""

from __future__ import annotations

import numpy as np

from pkpd.errors import SimulationError
from pkpd.model.model import Model
from pkpd.regimen.schedule import ADD, ASSIGN, RATE, SCALE, Schedule
from pkpd.solve.rates import right_hand_side
from pkpd.solve.tolerance import Given, tolerances

__all__ = ["right_hand_side", "solve_patient"]
_HELD = (ADD, SCALE, ASSIGN)  # what the start holds of events before it


def solve_patient(
    model: Model,
    start: np.ndarray,
    inputs: np.ndarray,
    schedule: Schedule,
    patient: int,
    times: np.ndarray,
    begin: float = 0.0,
    rtol: float = 1e-10,
    places: np.ndarray | None = None,
    atol: Given = None,
) -> np.ndarray:
    """States (time, state) of one patient of a schedule, integrated from event to event with LSODA.

    places  how many of the patient's events come before each output; all up to its time if left out
    atol    a number, or numbers by compartment, in its unit; if left out, where the model has no scale, by a
            millionth of what the state has had so far
    """
    events = _events(schedule, patient)
    y, p, infusion = start.astype(float).copy(), inputs.astype(float).copy(), np.zeros(len(start))
    fixed = tolerances(model, 0.1 * rtol if atol is None else rtol, atol).fixed
    largest = np.abs(y)
    out = np.empty((len(times), len(start)))
    t, row = begin, 0
    for o, stop_at in enumerate(times):
        limit = len(events) if places is None else places[o]
        while True:
            while row < limit and events[row][0] <= t:
                if events[row][0] >= begin or events[row][1] not in _HELD:
                    _apply(events[row], y, p, infusion)
                row += 1
            if t >= stop_at:
                break
            largest = np.fmax(largest, np.abs(y))
            least = np.where(np.isnan(fixed), np.maximum(1e-6 * rtol * largest, 1e-30), fixed)
            stop = min(stop_at, events[row][0]) if row < limit else stop_at
            y = _integrated(model, patient, y, p, infusion, t, stop, rtol, least)
            t = stop
        out[o] = y
    return out


def _events(schedule: Schedule, patient: int) -> list[tuple]:
    """Time, kind, index and value of each event of a patient."""
    rows = slice(schedule.offsets[patient], schedule.offsets[patient + 1])
    columns = (schedule.time, schedule.kind, schedule.index, schedule.value)
    return list(zip(*(c[rows] for c in columns), strict=True))


def _integrated(
    model: Model,
    patient: int,
    y: np.ndarray,
    p: np.ndarray,
    infusion: np.ndarray,
    begin: float,
    end: float,
    rtol: float,
    atol: np.ndarray,
) -> np.ndarray:
    """The states at the end of the way between two events."""
    from scipy.integrate import solve_ivp

    solved = solve_ivp(
        lambda _, x: right_hand_side(model, x, p, infusion),
        (begin, end),
        y,
        method="LSODA",
        rtol=rtol,
        atol=atol,
    )
    if not solved.success:
        raise SimulationError(f"patient {patient + 1}, {model.time} {begin:g}: {solved.message}")
    return solved.y[:, -1].copy()


def _apply(event: tuple, y: np.ndarray, p: np.ndarray, infusion: np.ndarray) -> None:
    _, kind, index, value = event
    if kind == ADD:
        y[index] += value
    elif kind == RATE:
        infusion[index] = value
    elif kind == SCALE:
        y[index] *= value
    elif kind == ASSIGN:
        y[index] = value
    else:
        p[index] = value
