"""Noncompartmental readouts of any simulation: areas, peaks, troughs, half-lives, clearance, accumulation."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from pkpd import units
from pkpd.doors import door
from pkpd.errors import fail
from pkpd.model.expression import names_in
from pkpd.model.schema import Model
from pkpd.schedule import ADD, RATE, SET, Schedule
from pkpd.simulation import Simulation

if TYPE_CHECKING:
    import pandas as pd

Time = str | float | np.ndarray
_SAME = 1e-9  # relative: two times closer than this are one
_FLOOR = 1e-6  # of the window's peak: what lies lower is as much the solver's error as the model's
_TIE = 1e-4  # of adjusted R²: among fits as good as the best, the one of most points is taken
_REMEDY = "simulate with the times and places of sampling(model, schedule, window)"
_WORST, _FALL = 0.9, 1e-4  # no slope below this adjusted R², or where the logarithm falls by less


@dataclass(frozen=True)
class Noncompartmental:
    """What a window of a simulation shows, a value a patient; missing (NaN) where it cannot be told. Times run from its start.

    auc, aumc    area under the concentration, and under time x concentration: linear where it rises, logarithmic where it falls
    cmax, tmax   the peak and its time; what a dose at the window's start brings belongs to the window
    cmin         the lowest concentration that follows a higher one: the rise of a first dose is no trough
    clast        at the window's end, before what is given then
    lambda_z     the slope after the last dose and the peak that follows it, by the best adjusted R² of the last 3 or more
                 points (of those within 0.0001 of the best, the most points); none if R² is below 0.9 or nothing falls
    half_life, points, r2, since   of that slope: how many points, their adjusted R², the time of the first
    auc_inf, aumc_inf, extrapolated   to infinity by that slope, and the share of auc_inf beyond the window
    dose         what reached the compartments dosed in the window: a fraction absorbed or active has been taken
    cl           dose / auc_inf; where doses came before the window, dose / auc, which is clearance at steady state only
    mrt, vss     aumc_inf / auc_inf less the mean time of input (half an infusion), and cl x mrt; where no dose came before
    """

    of: str
    numbers: np.ndarray
    units: dict[str, str]
    auc: np.ndarray
    aumc: np.ndarray
    cmax: np.ndarray
    tmax: np.ndarray
    cmin: np.ndarray
    clast: np.ndarray
    lambda_z: np.ndarray
    half_life: np.ndarray
    points: np.ndarray
    r2: np.ndarray
    since: np.ndarray
    auc_inf: np.ndarray
    aumc_inf: np.ndarray
    extrapolated: np.ndarray
    dose: np.ndarray
    cl: np.ndarray
    mrt: np.ndarray
    vss: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    def unit(self, name: str) -> str:
        """The unit of a readout."""
        return self.units[name]

    def to_frame(self) -> pd.DataFrame:
        """A row a patient; units in `.attrs["units"]`."""
        import pandas as pd

        frame = pd.DataFrame({"ID": self.numbers, **{n: getattr(self, n) for n in READOUTS}})
        frame.attrs["units"] = {"ID": "1", **self.units}
        return frame


READOUTS = tuple(f.name for f in fields(Noncompartmental))[3:]


@door
def nca(run: Simulation, of: str = "Cc", start: Time = 0.0, end: Time | None = None) -> Noncompartmental:
    """Reads a window of a simulation as if its model were not known.

    start, end  a text such as "21 day", or numbers in the model's time unit, one or one a patient; both must be output
                times, and the end is the last of them if left out. `sampling` puts outputs where they are needed.
    """
    values, n = run[of], len(run.times)
    limits = [_times(run.model, x, n) for x in (start, run.times[:, -1] if end is None else end)]
    states, unit, factor = _dosed(run.model, of)
    made_of, rows = _states(run.model, of), []
    for i, (first, last) in enumerate(zip(*limits, strict=True)):
        events = _events(run.schedule, i)
        jumps = events[0][(events[1] != RATE) & np.isin(events[2], made_of)]
        piece = _piece(run, i, first, last, jumps)
        row = _curve(run.times[i, piece] - first, values[i, piece], *_input(events, states, first, last))
        rows.append([row[name] for name in READOUTS])
    found = dict(zip(READOUTS, np.array(rows, dtype=float).T, strict=True))
    found |= {"cl": found["cl"] * factor, "vss": found["vss"] * factor}
    return Noncompartmental(of, run.population.numbers, unit, **found)


@door
def accumulation(run: Simulation, of: str = "Cc", interval: Time = "21 day") -> dict[str, np.ndarray]:
    """auc, cmax and clast of the interval that the last dose falls in, over those of the first dose's, for each patient."""
    states, _, _ = _dosed(run.model, of)
    length, begin, count = _times(run.model, interval, len(run.times)), [], []
    for i in range(len(run.times)):
        time, kind, index, value = _events(run.schedule, i)
        doses = time[np.isin(index, states) & np.isin(kind, (ADD, RATE)) & (value > 0)]
        if not doses.size:
            raise fail("accumulation", f"patient {run.population.numbers[i]} is given nothing that {of} shows", "dose first")
        begin.append(doses[0])
        count.append(np.floor((doses[-1] - doses[0]) / length[i] + _SAME))
    first = np.array(begin)
    start = first + np.array(count) * length
    one, other = nca(run, of, first, first + length), nca(run, of, start, start + length)
    return {name: getattr(other, name) / getattr(one, name) for name in ("auc", "cmax", "clast")}


@door
def sampling(model: Model, schedule: Schedule, *windows: tuple[Time, Time], points: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Output times (patient, time) and their places, to be given to `simulate`, at which nca is accurate in these windows.

    Each event and each end of a window is shown before and after; between two of them lie `points` times, dense after the
    first. Windows are pairs such as ("0 day", "21 day").
    """
    if not windows:
        raise fail("sampling", "no window is given", 'name one: sampling(model, schedule, ("0 day", "21 day"))')
    n = len(schedule)
    limits = [[_times(model, x, n) for x in pair] for pair in windows]
    cuts = schedule.offsets[1:-1]
    rows = [_grid(events, [(a[i], b[i]) for a, b in limits], points)
            for i, events in enumerate(np.split(np.real(schedule.time), cuts))]
    size = max(len(times) for times, _ in rows)
    padded = [[np.pad(x, (0, size - len(x)), mode="edge") for x in row] for row in rows]
    return np.array([t for t, _ in padded]), np.array([p for _, p in padded])


def _times(model: Model, value: Time, n: int) -> np.ndarray:
    """A time in the model's unit, one a patient."""
    number = units.convert(value, model.time, "window") if isinstance(value, str) else np.asarray(value, dtype=float)
    return np.array(np.broadcast_to(number, (n,)))


def _events(schedule: Schedule, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Time, kind, state and value of a patient's events, but for those that set an input."""
    rows = np.arange(schedule.offsets[i], schedule.offsets[i + 1])
    rows = rows[schedule.kind[rows] != SET]
    return np.real(schedule.time[rows]), schedule.kind[rows], schedule.index[rows], np.real(schedule.value[rows])


def _grid(events: np.ndarray, windows: list[tuple[float, float]], points: int) -> tuple[np.ndarray, np.ndarray]:
    """One patient's output times, each with the number of events before it."""
    knots = np.unique([*events, *(e for pair in windows for e in pair if not np.any(_same(events, e)))])
    ladder = np.unique([*np.geomspace(1e-4, 1, points - points // 2 + 1), *np.linspace(0, 1, points // 2 + 2)])[1:-1]
    times, places = [], []
    for a, b in zip(knots, [*knots[1:], np.inf], strict=True):
        before, after = np.searchsorted(events, a, "left"), np.searchsorted(events, a, "right")
        if _within(a, a, windows):
            times += [a, a]
            places += [before, after]
        if not _same(b, a) and _within(a, b, windows):
            times += list(a + (b - a) * ladder)
            places += [after] * len(ladder)
    return np.array(times), np.array(places)


def _within(a: float, b: float, windows: list[tuple[float, float]]) -> bool:
    """Whether two times lie in one of the windows."""
    return any((a >= x or _same(a, x)) and (b <= y or _same(b, y)) for x, y in windows)


def _same(a: np.ndarray | float, b: float) -> np.ndarray:
    """Whether times are the same but for rounding."""
    return np.abs(a - b) <= _SAME * np.maximum(1.0, np.abs(b))


def _states(model: Model, of: str) -> list[int]:
    """The states whose values a variable is made of."""
    trees, todo, found = {v.name: v.tree for v in model.variables}, [of], set()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += names_in(trees[name]) if name in trees else ()
    return [k for k, s in enumerate(model.states) if s in found]


def _dosed(model: Model, of: str) -> tuple[list[int], dict[str, str], float]:
    """The dosed states of a variable's part, the readouts' units, and what makes dose / area a volume (a time)."""
    part = of.rpartition(".")[0]
    rows = [c for c in model.compartments if c.dose is not None and c.name.rpartition(".")[0] == part]
    dose = rows[0].unit if len({c.unit for c in rows}) == 1 else ""
    c, time, volume = model.unit(of), model.time, f"L/{model.time}"
    flow = units.parse_unit(dose or "1") / (units.parse_unit(c) * units.parse_unit(time))
    wanted = units.parse_unit(volume)
    factor = float(flow.factor / wanted.factor) if flow.dims == wanted.dims else np.nan
    unit = dict.fromkeys(("cmax", "cmin", "clast"), c) | dict.fromkeys(("tmax", "half_life", "since", "mrt"), time)
    unit |= dict.fromkeys(("auc", "auc_inf"), f"{c}*{time}") | dict.fromkeys(("aumc", "aumc_inf"), f"{c}*{time}^2")
    unit |= dict.fromkeys(("points", "r2", "extrapolated"), "1")
    unit |= {"lambda_z": f"1/{time}", "dose": dose or "1", "cl": volume, "vss": "L"}
    return [model.states.index(c.name) for c in rows], unit, factor


def _piece(run: Simulation, i: int, first: float, last: float, jumps: np.ndarray) -> slice:
    """The outputs of a window: from after what happens at its start to before what happens at its end."""
    outs, name, time = run.times[i], run.population.numbers[i], run.model.time
    for limit in (first, last):
        if not np.any(_same(outs, limit)):
            raise fail("nca", f"the window's end {limit:g} {time} is no output of patient {name}",
                       _REMEDY)
    if first > last:
        raise fail("nca", f"the window ends before it starts, at {last:g} and {first:g} {time}", "turn it round")
    inside = jumps[(jumps > first) & ~_same(jumps, first) & ((jumps < last) | _same(jumps, last))]
    for jump in inside if last > first else ():
        if np.sum(_same(outs, jump)) < 2:
            raise fail("nca", f"patient {name} is given a dose at once at {jump:g} {time}, and the run does not show the "
                       "concentration before and after it", _REMEDY)
    begin = int(np.flatnonzero(_same(outs, first))[-1])
    end = int(np.flatnonzero(_same(outs, last))[0])
    return slice(begin, max(begin, end) + 1)


def _input(events: tuple[np.ndarray, ...], states: list[int], first: float, last: float) -> tuple[float, float, float, bool]:
    """What a window brings: the dose, its mean time, the time of the last event (from the start), whether doses came before."""
    time, kind, index, value = events
    own = np.isin(index, states) & np.isin(kind, (ADD, RATE))
    in_it = own & ((time >= first) | _same(time, first)) & (time < last) & ~_same(time, last)
    adds = in_it & (kind == ADD)
    amount, moment = float(value[adds].sum()), float((value[adds] * (time[adds] - first)).sum())
    for state in states:
        rates = own & (kind == RATE) & (index == state)
        a = np.clip(time[rates], first, last) - first
        b = np.clip(np.append(time[rates][1:], np.inf), first, last) - first if rates.any() else a
        amount, moment = amount + float((value[rates] * (b - a)).sum()), moment + float((value[rates] * (b**2 - a**2)).sum()) / 2
    earlier = bool(np.any(own & (time < first) & ~_same(time, first)))
    latest = float(time[in_it].max() - first) if in_it.any() else 0.0
    return amount if states else np.nan, moment / amount if amount else np.nan, latest, earlier


def _curve(t: np.ndarray, c: np.ndarray, dose: float, mean_input: float, latest: float, earlier: bool) -> dict[str, float]:
    """The readouts of one patient's window."""
    row = dict.fromkeys(READOUTS, np.nan) | {"dose": dose}
    if not np.all(np.isfinite(c)):
        return row
    top, lower = int(np.argmax(c)), c < np.maximum.accumulate(c)
    auc, aumc = _area(t, c)
    row |= {"cmax": c[top], "tmax": t[top], "clast": c[-1], "cmin": c[lower].min() if lower.any() else c[-1]}
    row |= {"auc": auc, "aumc": aumc} | _slope(t, c, latest)
    slope, tail = row["lambda_z"], max(c[-1], 0.0)
    row |= {"half_life": np.log(2) / slope, "auc_inf": auc + tail / slope}
    row["aumc_inf"] = aumc + tail * (t[-1] / slope + 1 / slope**2)
    row["extrapolated"] = 1 - auc / row["auc_inf"]
    row["cl"] = np.divide(dose, auc if earlier else row["auc_inf"]) if auc > 0 else np.nan
    if not earlier:
        row["mrt"] = row["aumc_inf"] / row["auc_inf"] - mean_input
        row["vss"] = row["cl"] * row["mrt"]
    return row


def _area(t: np.ndarray, c: np.ndarray) -> tuple[float, float]:
    """The areas under c and under t c: linear where c rises, logarithmic where it falls."""
    gap, a, b, s, e = np.diff(t), c[:-1], c[1:], t[:-1], t[1:]
    area, moment = gap * (a + b) / 2, gap * (s * a + e * b) / 2
    falls = (b > 0) & (a > b * (1 + 1e-5)) & (gap > 0)  # closer, and the logarithm's rounding exceeds what it mends
    k = np.log(a[falls] / b[falls]) / gap[falls]
    area[falls] = (a - b)[falls] / k
    moment[falls] = (s * a - e * b)[falls] / k + (a - b)[falls] / k**2
    return float(area.sum()), float(moment.sum())


def _slope(t: np.ndarray, c: np.ndarray, latest: float) -> dict[str, float]:
    """The terminal slope of one patient's window."""
    none: dict[str, float] = dict.fromkeys(("lambda_z", "points", "r2", "since"), np.nan)
    late = np.flatnonzero((t >= latest) | _same(t, latest))
    peak = float(t[late[int(np.argmax(c[late]))]])
    use = late[(t[late] > peak) & ~_same(t[late], peak) & (c[late] > _FLOOR * c.max())]
    if len(use) < 3:
        return none
    x, y = (t - t[use[-1]])[use][::-1], np.log(c[use] / c[use[-1]])[::-1]
    m = np.arange(1, len(use) + 1)
    sx, sy, xx, xy, yy = (np.cumsum(z) for z in (x, y, x * x, x * y, y * y))
    with np.errstate(all="ignore"):
        across, down = m * xx - sx**2, m * yy - sy**2
        slope = -(m * xy - sx * sy) / across
        r2 = 1 - (1 - (m * xy - sx * sy) ** 2 / (across * down)) * (m - 1) / (m - 2)
    good = (m >= 3) & (slope > 0) & (r2 > _WORST) & (y > _FALL) & np.isfinite(r2)
    if not good.any():
        return none
    pick = int(np.flatnonzero(good & (r2 >= r2[good].max() - _TIE))[-1])
    return none | {"lambda_z": slope[pick], "points": pick + 1, "r2": r2[pick], "since": x[pick] + t[use[-1]]}
