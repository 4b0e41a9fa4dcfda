"""The yardstick: SciPy on one patient at tight tolerance, straight from the model's trees."""

from __future__ import annotations

import numpy as np

from pkpd.errors import SimulationError
from pkpd.model.expression import evaluate
from pkpd.model.schema import Model
from pkpd.schedule import ADD, ASSIGN, RATE, SCALE, Schedule


def right_hand_side(model: Model, y: np.ndarray, inputs: np.ndarray, infusion: np.ndarray) -> np.ndarray:
    """dy/dt in plain Python, flow by flow."""
    values = dict(zip(model.states, y, strict=True)) | dict(zip(model.inputs, inputs, strict=True))
    with np.errstate(all="ignore"):
        for v in model.variables:
            values[v.name] = evaluate(v.tree, values, np)
        place = {n: i for i, n in enumerate(model.states)}
        total = infusion.copy()
        for flow in model.flows:
            rate = evaluate(flow.tree, values, np)
            if flow.source:
                total[place[flow.source]] -= rate
            if flow.target:
                total[place[flow.target]] += rate * float(flow.gain)
    return total


def solve_patient(model: Model, start: np.ndarray, inputs: np.ndarray, schedule: Schedule, patient: int,
                  times: np.ndarray, begin: float = 0.0, rtol: float = 1e-10,
                  places: np.ndarray | None = None) -> np.ndarray:
    """States (time, state) of one patient of a schedule, integrated from event to event with LSODA.

    places  how many of the patient's events come before each output; all up to its time if left out
    """
    from scipy.integrate import solve_ivp

    rows = range(schedule.offsets[patient], schedule.offsets[patient + 1])
    events = [(schedule.time[r], schedule.kind[r], schedule.index[r], schedule.value[r]) for r in rows]
    y, p, infusion = start.astype(float).copy(), inputs.astype(float).copy(), np.zeros(len(start))
    atol = np.array([rtol * 1e-3 * c.scale for c in model.compartments])
    out = np.empty((len(times), len(start)))
    t, row = begin, 0
    for o, stop_at in enumerate(times):
        limit = len(events) if places is None else places[o]
        while True:
            while row < limit and events[row][0] <= t:
                if events[row][0] >= begin or events[row][1] not in (ADD, SCALE, ASSIGN):  # the start holds earlier doses
                    _apply(events[row], y, p, infusion)
                row += 1
            if t >= stop_at:
                break
            stop = min(stop_at, events[row][0]) if row < limit else stop_at
            solved = solve_ivp(lambda _, x: right_hand_side(model, x, p, infusion), (t, stop), y, method="LSODA",
                               rtol=rtol, atol=atol)
            if not solved.success:
                raise SimulationError(f"patient {patient + 1}, {model.time} {t:g}: {solved.message}")
            y, t = solved.y[:, -1].copy(), stop
        out[o] = y
    return out


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
