"""Noncompartmental readouts of any simulation: areas, peaks, troughs, half-lives, clearance, accumulation."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from pkpd.content import units
from pkpd.errors import fail
from pkpd.machine.doors import door
from pkpd.machine.labels import Labelled, Row
from pkpd.model.model import Model
from pkpd.regimen.schedule import RATE, Schedule
from pkpd.simulation.intake import FLOOR, SAME, Intake, carriers, dose_times, events_of, intake, same
from pkpd.simulation.simulation import Simulation

if TYPE_CHECKING:
    import pandas as pd

Time = str | float | np.ndarray
_TIE = 1e-4  # of adjusted R²: among fits as good as the best, the one of most points is taken
_REMEDY = "simulate with the times and places of sampling(model, schedule, window)"
_WORST, _FALL = 0.9, 1e-4  # no slope below this adjusted R², or where the logarithm falls by less


@dataclass(frozen=True, repr=False)
class Noncompartmental(Labelled):
    """What a window of a simulation shows, a value a patient; missing (NaN) where it cannot be told. Times
    run from its start; units by `unit`. From c1 to c2 over d, with k = ln(c1 / c2) / d:

    auc, aumc    area under c, and under t c: d (c1 + c2) / 2 and d (t1 c1 + t2 c2) / 2 where c rises; (c1 -
                 c2) / k
                 and (t1 c1 - t2 c2) / k + (c1 - c2) / k^2 where it falls (linear up, logarithmic down)
    cmax, tmax   the peak and its time; what a dose at the window's start brings belongs to the window
    cmin         the lowest concentration that follows a higher one: the rise of a first dose is no trough
    clast        at the window's end, before what is given then
    lambda_z     minus the slope of ln c on t after the last dose and the peak that follows it, by the best
                 adjusted
                 R^2 of the last 3 or more points (of those within 0.0001 of the best, the most points); none
                 if
                 R^2 is below 0.9 or nothing falls
    half_life    ln 2 / lambda_z; points, r2, since: how many points, their adjusted R^2, the time of the
                 first
    auc_inf      auc + clast / lambda_z; extrapolated: the share of it beyond the window, 1 - auc / auc_inf
    aumc_inf     aumc + clast (tlast / lambda_z + 1 / lambda_z^2)
    dose         what reached the compartments dosed in the window: a fraction absorbed or active has been
                 taken; missing where the drug comes from another part
    cl           dose / auc_inf; where the window begins with drug of before, dose / auc, which is clearance
                 at steady state only; missing without a dose, and where drug is removed, set or reset within
    mrt, vss     aumc_inf / auc_inf less the mean time of input (half an infusion), and cl x mrt; where the
                 window begins without drug

    The practice is that of WinNonlin, but for the floor under R^2, and the peak, which is never a point of
    the slope. Chiou, J Pharmacokinet Biopharm 6:539 (1978), doi:10.1007/BF01062108; Purves, 20:211 (1992),
    doi:10.1007/BF01062525; moments: Yamaoka et al., 6:547 (1978), doi:10.1007/BF01062109.
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

    def label(self) -> tuple[str, list[Row]]:
        told = {n: getattr(self, n) for n in ("auc", "cmax", "half_life", "cl", "vss")}
        rows = [
            (n, f"{np.median(x[~np.isnan(x)]):.4g} {self.units[n]}, median of {np.sum(~np.isnan(x))}")
            for n, x in told.items()
            if not np.isnan(x).all()
        ]
        return f"Noncompartmental readouts of {self.of}: {len(self)} patients", rows

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
    unit, factor = _units(run.model, of)
    where, rows, carried = carriers(run.model, of, run.population), [], []
    for i, (first, last) in enumerate(zip(*limits, strict=True)):
        events = events_of(run.schedule, i)
        jumps = events.time[(events.kind != RATE) & np.isin(events.index, where.made_of)]
        piece = _piece(run, i, first, last, jumps)
        given = intake(run, i, piece, where, events)
        row = _curve(run.times[i, piece] - first, values[i, piece], given)
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


def _units(model: Model, of: str) -> tuple[dict[str, str], float]:
    """The readouts' units, and what makes dose / area a volume (a time)."""
    part = of.rpartition(".")[0]
    rows = [c for c in model.compartments if c.dose is not None and c.name.rpartition(".")[0] == part]
    dose = rows[0].unit if len({c.unit for c in rows}) == 1 else ""
    c, time, volume = model.unit(of), model.time, f"L/{model.time}"
    flow = units.parse_unit(dose or "1") / (units.parse_unit(c) * units.parse_unit(time))
    wanted = units.parse_unit(volume)
    factor = float(flow.factor / wanted.factor) if flow.dims == wanted.dims else np.nan
    unit = dict.fromkeys(("cmax", "cmin", "clast"), c) | dict.fromkeys(
        ("tmax", "half_life", "since", "mrt"), time
    )
    unit |= dict.fromkeys(("auc", "auc_inf"), f"{c}*{time}") | dict.fromkeys(
        ("aumc", "aumc_inf"), f"{c}*{time}^2"
    )
    unit |= dict.fromkeys(("points", "r2", "extrapolated"), "1")
    return unit | {"lambda_z": f"1/{time}", "dose": dose or "1", "cl": volume, "vss": "L"}, factor


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


def _curve(t: np.ndarray, c: np.ndarray, given: Intake) -> dict[str, float]:
    """The readouts of one patient's window."""
    row = dict.fromkeys(READOUTS, np.nan) | {"dose": given.dose}
    if not np.all(np.isfinite(c)):
        return row
    top, lower = int(np.argmax(c)), c < np.maximum.accumulate(c)
    auc, aumc = _area(t, c)
    row |= {"cmax": c[top], "tmax": t[top], "clast": c[-1], "cmin": c[lower].min() if lower.any() else c[-1]}
    row |= {"auc": auc, "aumc": aumc} | _slope(t, c, given.latest)
    slope, tail = row["lambda_z"], max(c[-1], 0.0)
    row |= {"half_life": np.log(2) / slope, "auc_inf": auc + tail / slope}
    row["aumc_inf"] = aumc + tail * (t[-1] / slope + 1 / slope**2)
    row["extrapolated"] = 1 - auc / row["auc_inf"]
    if given.torn or not given.dose > 0 or not auc > 0:
        return row
    row["cl"] = given.dose / (auc if given.carried else row["auc_inf"])
    if not given.carried:
        row["mrt"] = row["aumc_inf"] / row["auc_inf"] - given.moment
        row["vss"] = row["cl"] * row["mrt"]
    return row


def _area(t: np.ndarray, c: np.ndarray) -> tuple[float, float]:
    """The areas under c and under t c: linear where c rises, logarithmic where it falls."""
    gap, a, b, s, e = np.diff(t), c[:-1], c[1:], t[:-1], t[1:]
    area, moment = gap * (a + b) / 2, gap * (s * a + e * b) / 2
    falls = (
        (b > 0) & (a > b * (1 + 1e-5)) & (gap > 0)
    )  # closer, and the logarithm's rounding exceeds what it mends
    k = np.log(a[falls] / b[falls]) / gap[falls]
    area[falls] = (a - b)[falls] / k
    moment[falls] = (s * a - e * b)[falls] / k + (a - b)[falls] / k**2
    return float(area.sum()), float(moment.sum())


def _slope(t: np.ndarray, c: np.ndarray, latest: float) -> dict[str, float]:
    """The terminal slope of one patient's window."""
    none: dict[str, float] = dict.fromkeys(("lambda_z", "points", "r2", "since"), np.nan)
    late = np.flatnonzero((t >= latest) | same(t, latest))
    peak = float(t[late[int(np.argmax(c[late]))]])
    use = late[(t[late] > peak) & ~same(t[late], peak) & (c[late] > FLOOR * c.max())]
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
