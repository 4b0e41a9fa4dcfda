"""Noncompartmental: areas, peaks, troughs, half-lives and clearance of a window of a concentration."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from pkpd.content import units
from pkpd.machine.labels import Labelled, Row
from pkpd.model.model import Model
from pkpd.simulation.intake import FLOOR, Intake, same

if TYPE_CHECKING:
    import pandas as pd

_TIE = 1e-4  # of adjusted R²: among fits as good as the best, the one of most points is taken
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


def units_of(model: Model, of: str) -> tuple[dict[str, str], float]:
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


def of_window(t: np.ndarray, c: np.ndarray, given: Intake) -> dict[str, float]:
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
