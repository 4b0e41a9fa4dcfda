"""nca, accumulation, sampling: noncompartmental readouts of a window of any simulation."""

from __future__ import annotations

import numpy as np

from pkpd.content import units
from pkpd.errors import fail
from pkpd.machine.doors import door
from pkpd.model.model import Model
from pkpd.regimen.schedule import RATE, Schedule
from pkpd.simulation.intake import SAME, carriers, dose_times, events_of, intake, same
from pkpd.simulation.noncompartmental import READOUTS, Noncompartmental, of_window, units_of
from pkpd.simulation.simulation import Simulation

Time = str | float | np.ndarray
_REMEDY = "simulate with the times and places of sampling(model, schedule, window)"


@door
def nca(run: Simulation, of: str = "Cc", start: Time = 0.0, end: Time | None = None) -> Noncompartmental:
    """Reads a window of a simulation as if its model were not known; equations at `Noncompartmental`.

    start, end  a text such as "21 day", or numbers in the model's time unit, one or one a patient; both must
                be output times, and the end is the last of them if left out. `sampling` puts outputs where
                they are needed. ContentError where they are not, as before and after a dose at once
    """
    return _read(run, of, start, end)[0]


def _read(run: Simulation, of: str, start: Time, end: Time | None) -> tuple[Noncompartmental, np.ndarray]:
    """The readouts of a window, and whether it begins with drug of before (patient,)."""
    values, n = run[of], len(run.times)
    limits = [_times(run.model, x, n) for x in (start, run.times[:, -1] if end is None else end)]
    unit, factor = units_of(run.model, of)
    where, rows, carried = carriers(run.model, of, run.population), [], []
    for i, (first, last) in enumerate(zip(*limits, strict=True)):
        events = events_of(run.schedule, i)
        jumps = events.time[(events.kind != RATE) & np.isin(events.index, where.made_of)]
        piece = _piece(run, i, first, last, jumps)
        given = intake(run, i, piece, where, events)
        row = of_window(run.times[i, piece] - first, values[i, piece], given)
        rows.append([row[name] for name in READOUTS])
        carried.append(given.carried)
    found = dict(zip(READOUTS, np.array(rows, dtype=float).T, strict=True))
    found |= {"cl": found["cl"] * factor, "vss": found["vss"] * factor}
    return Noncompartmental(of, run.population.numbers, unit, **found), np.array(carried, dtype=bool)


@door
def accumulation(run: Simulation, of: str = "Cc", interval: Time = "21 day") -> dict[str, np.ndarray]:
    """auc, cmax and clast of the interval that the last dose falls in, over those of the first's, (patient,).

    R = auc(first dose + m T to first dose + (m + 1) T) / auc(first dose to first dose + T), with T the
    interval and m the whole intervals up to the last dose; pure numbers. Missing where drug was there before
    that first dose: a steady state, or a run that is carried on, has no first interval. ContentError without
    a dose.
    """
    where = carriers(run.model, of, run.population)
    length, begin, count = _times(run.model, interval, len(run.times)), [], []
    for i in range(len(run.times)):
        doses = dose_times(events_of(run.schedule, i), where)
        if not doses.size:
            raise fail(
                "accumulation",
                f"patient {run.population.numbers[i]} is given nothing that {of} shows",
                "dose first",
            )
        begin.append(doses[0])
        count.append(np.floor((doses[-1] - doses[0]) / length[i] + SAME))
    first = np.array(begin)
    start = first + np.array(count) * length
    (one, carried), (other, _) = _read(run, of, first, first + length), _read(run, of, start, start + length)
    ratios = {name: getattr(other, name) / getattr(one, name) for name in ("auc", "cmax", "clast")}
    return {name: np.where(carried, np.nan, ratio) for name, ratio in ratios.items()}


@door
def sampling(
    model: Model, schedule: Schedule, *windows: tuple[Time, Time], points: int = 120
) -> tuple[np.ndarray, np.ndarray]:
    """Output times (patient, time) and their places, to be given to `simulate`, at which nca is accurate in
    these windows.

    Each event and each end of a window is shown before and after; between two of them lie `points` times,
    dense after the first. Windows are pairs such as ("0 day", "21 day").
    """
    if not windows:
        raise fail(
            "sampling", "no window is given", 'name one: sampling(model, schedule, ("0 day", "21 day"))'
        )
    n = len(schedule)
    limits = [[_times(model, x, n) for x in pair] for pair in windows]
    cuts = schedule.offsets[1:-1]
    rows = [
        _grid(events, [(a[i], b[i]) for a, b in limits], points)
        for i, events in enumerate(np.split(np.real(schedule.time), cuts))
    ]
    size = max(len(times) for times, _ in rows)
    padded = [[np.pad(x, (0, size - len(x)), mode="edge") for x in row] for row in rows]
    return np.array([t for t, _ in padded]), np.array([p for _, p in padded])


def _times(model: Model, value: Time, n: int) -> np.ndarray:
    """A time in the model's unit, one a patient."""
    number = (
        units.convert(value, model.time, "window")
        if isinstance(value, str)
        else np.asarray(value, dtype=float)
    )
    return np.array(np.broadcast_to(number, (n,)))


def _grid(
    events: np.ndarray, windows: list[tuple[float, float]], points: int
) -> tuple[np.ndarray, np.ndarray]:
    """One patient's output times, each with the number of events before it."""
    knots = np.unique([*events, *(e for pair in windows for e in pair if not np.any(same(events, e)))])
    ladder = np.unique(
        [*np.geomspace(1e-4, 1, points - points // 2 + 1), *np.linspace(0, 1, points // 2 + 2)]
    )[1:-1]
    times, places = [], []
    for a, b in zip(knots, [*knots[1:], np.inf], strict=True):
        before, after = np.searchsorted(events, a, "left"), np.searchsorted(events, a, "right")
        if _within(a, a, windows):
            times += [a, a]
            places += [before, after]
        if not same(b, a) and _within(a, b, windows):
            times += list(a + (b - a) * ladder)
            places += [after] * len(ladder)
    return np.array(times), np.array(places)


def _within(a: float, b: float, windows: list[tuple[float, float]]) -> bool:
    """Whether two times lie in one of the windows."""
    return any((a >= x or same(a, x)) and (b <= y or same(b, y)) for x, y in windows)


def _piece(run: Simulation, i: int, first: float, last: float, jumps: np.ndarray) -> slice:
    """The outputs of a window: from after what happens at its start to before what happens at its end."""
    outs, name, time = run.times[i], run.population.numbers[i], run.model.time
    for limit in (first, last):
        if not np.any(same(outs, limit)):
            raise fail("nca", f"the window's end {limit:g} {time} is no output of patient {name}", _REMEDY)
    if first > last:
        raise fail(
            "nca", f"the window ends before it starts, at {last:g} and {first:g} {time}", "turn it round"
        )
    inside = jumps[(jumps > first) & ~same(jumps, first) & ((jumps < last) | same(jumps, last))]
    for jump in inside if last > first else ():
        if not all(_shown(run, i, jump)):
            raise fail(
                "nca",
                f"patient {name} is given a dose at once at {jump:g} {time}, and the run does not show the "
                "concentration before and after it",
                _REMEDY,
            )
    if np.any(same(jumps, first)) and not _shown(run, i, first)[1]:
        raise fail(
            "nca",
            f"patient {name} is given a dose at once at {first:g} {time}, and the run does not show "
            "the concentration after it",
            _REMEDY,
        )
    begin = int(np.flatnonzero(same(outs, first))[-1])
    end = int(np.flatnonzero(same(outs, last))[0])
    return slice(begin, max(begin, end) + 1)


def _shown(run: Simulation, i: int, time: float) -> tuple[bool, bool]:
    """Whether a patient's outputs at a time show the state before all of its events, and after them."""
    events = np.real(run.schedule.time[run.schedule.offsets[i] : run.schedule.offsets[i + 1]])
    here, own = same(run.times[i], time), same(events, time)
    if run.places is None:
        return False, bool(here.any())  # all events up to a time come before it
    earlier = int(np.sum((events < time) & ~own))
    at = np.broadcast_to(run.places, run.times.shape)[i, here]
    return bool(np.any(at <= earlier)), bool(np.any(at >= earlier + own.sum()))
