"""read_response: any simulation of lesions read by response criteria, as a trial's scans are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pkpd.content import units
from pkpd.errors import fail, nearest
from pkpd.machine.doors import door
from pkpd.machine.labels import Labelled, Row
from pkpd.simulation.simulation import Simulation
from pkpd.trial.endpoints import first_time
from pkpd.trial.lesions import measured
from pkpd.trial.response import CRITERIA, Criteria, Scans, best_response, target_sum, worsening

if TYPE_CHECKING:
    import pandas as pd

_REMEDY = 'name diameters or volumes: lesions = ["hepatic.1.diameter", …]'


@dataclass(frozen=True, repr=False)
class Assessment(Labelled):
    """What criteria make of a simulation: scans (patient, visit), the rest one entry a patient.

    total, visible, new, worse  at each visit the sum of targets (mm, or mm^2 where the criteria read two
                                dimensions), how many lesions are seen, whether one is new, and progression
    response     best overall response before progression: CR, PR, SD, PD or NE (no target, or no scan)
    change       lowest change of the sum before progression, min S(v) / S(0) - 1; missing without a scan
    responded, progression      times of the first visits that show them, in the model's unit; infinite: none
    failed       who could not be solved up to the last visit: later scans are not made, their numbers missing
    """

    criteria: str
    time: str
    numbers: np.ndarray
    visits: np.ndarray
    total: np.ndarray
    visible: np.ndarray
    new: np.ndarray
    worse: np.ndarray
    response: np.ndarray
    change: np.ndarray
    responded: np.ndarray
    progression: np.ndarray
    failed: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    def label(self) -> tuple[str, list[Row]]:
        counts = ", ".join(f"{k} {int(np.sum(self.response == k))}" for k in ("CR", "PR", "SD", "PD", "NE"))
        rows = [("response", counts), ("progression", str(int(np.sum(np.isfinite(self.progression)))))]
        rows += [("failed", str(int(self.failed.sum())))] if self.failed.any() else []
        return f"Response by {self.criteria}: {len(self)} patients, {self.visits.shape[1]} scans", rows

    def to_frame(self) -> pd.DataFrame:
        """A row a patient; units in `.attrs["units"]`."""
        import pandas as pd

        names = ("response", "change", "responded", "progression", "failed")
        frame = pd.DataFrame({"ID": self.numbers, **{n: getattr(self, n) for n in names}})
        frame.attrs["units"] = dict.fromkeys(frame, "1") | dict.fromkeys(
            ("responded", "progression"), self.time
        )
        return frame

    def scans(self) -> pd.DataFrame:
        """A row a patient and scan; units in `.attrs["units"]`."""
        import pandas as pd

        names = ("total", "visible", "new", "worse")
        columns = {n: getattr(self, n).ravel() for n in names}
        who = np.repeat(self.numbers, self.visits.shape[1])
        frame = pd.DataFrame({"ID": who, "TIME": self.visits.ravel(), **columns})
        size = "mm" if CRITERIA[self.criteria].dimensions == 1 else "mm^2"
        frame.attrs["units"] = dict.fromkeys(frame, "1") | {"TIME": self.time, "total": size}
        return frame


@door
def read_response(
    run: Simulation,
    visits: Sequence[float] | np.ndarray | None = None,
    criteria: str = "RECIST 1.1",
    *,
    seen_from: str,
    lesions: Sequence[str] = (),
    confirmed: bool = False,
    error: float = 0.0,
    seed: int = 0,
) -> Assessment:
    """Reads a simulation by response criteria; equations at `Assessment` and `pkpd.trial.response`.

    visits     scans, the baseline first: output times of the run, every one if left out
    seen_from  the diameter from which a scan shows a lesion, as "5 mm"; one that it does not show adds
               nothing to the sum, and one that the baseline did not show is new when it is seen
    lesions    names of diameters, or of volumes of spheres; those of the system's lesions if left out. What
               stands before the first dot is the organ, of which criteria read a number of targets
    confirmed  whether a second scan, four weeks on or later, must show a response (irRC: in any case)
    error      sd of the logarithm of a measurement, drawn by `seed` and patient
    """
    (rules, least), at = _rules(criteria, seen_from, error), _outputs(run, visits)
    when = np.take_along_axis(run.times, at, axis=1)
    sizes = {n: np.take_along_axis(_diameter(run, n), at, axis=1) for n in _lesions(run, lesions)}
    scans = _scanned(run, sizes, rules, least, error, seed, when=when)
    return _assessed(run, when, scans, criteria, confirmed)


def _assessed(run: Simulation, when: np.ndarray, scans: Scans, criteria: str, confirmed: bool) -> Assessment:
    """What criteria make of scans at those times of the model (patient, visit)."""
    worse = worsening(scans, CRITERIA[criteria])
    best, shown, change = best_response(scans, worse, CRITERIA[criteria], confirmed)
    return Assessment(
        criteria=criteria,
        time=run.model.time,
        numbers=run.population.numbers,
        visits=when,
        total=scans.total,
        visible=scans.visible,
        new=scans.new,
        worse=worse,
        response=best,
        change=change,
        responded=first_time(when, shown),
        progression=first_time(when, worse),
        failed=np.any(~scans.made, axis=1),
    )


def _rules(criteria: str, seen_from: str, error: float) -> tuple[Criteria, float]:
    """Criteria by their name, and the least diameter (mm) that is seen; an error that can be."""
    if criteria not in CRITERIA:
        raise fail("read_response", f"{criteria!r} is no criteria", nearest(criteria, CRITERIA))
    if not 0 <= error < 1:
        raise fail(
            "read_response", f"error = {error:g} is no sd of a logarithm", "give a share below 1: 0.06"
        )
    return CRITERIA[criteria], units.convert(seen_from, "mm", "read_response: seen_from")


def _lesions(run: Simulation, named: Sequence[str]) -> list[str]:
    """The variables that are sizes of lesions."""
    if isinstance(named, str):
        raise fail("read_response", f"lesions is {named!r}, one name, not several", _REMEDY)
    organs = {p.name for p in run.model.parts if p.use == "tumours/lesion"}
    found = list(named) or [
        v.name
        for v in run.model.variables
        if v.name.partition(".")[0] in organs and v.name.endswith(".diameter")
    ]
    if not found:
        raise fail("read_response", f"{run.model.name} has no part that is a lesion of the library", _REMEDY)
    return found


def _diameter(run: Simulation, name: str) -> np.ndarray:
    """A size as a diameter in mm, (patient, time): of a volume V the sphere's, (6 V / pi)^(1/3)."""
    unit, values = units.parse_unit(run.unit(name)), run[name]
    if unit.dims == units.parse_unit("mm").dims:
        return values * float(units.ratio(run.unit(name), "mm"))
    if unit.dims == units.parse_unit("mm^3").dims:
        return np.cbrt(6 * values * float(units.ratio(run.unit(name), "mm^3")) / np.pi)
    raise fail("read_response", f"{name} is in {run.unit(name)}: neither a diameter nor a volume", _REMEDY)


def _outputs(run: Simulation, visits: Sequence[float] | np.ndarray | None) -> np.ndarray:
    """Which output of each patient is each visit, (patient, visit)."""
    n, k = run.times.shape
    if visits is None:
        return np.broadcast_to(np.arange(k), (n, k))
    asked = np.asarray(visits, dtype=float)
    if asked.ndim != 1 or asked.size < 1 or not np.all(np.isfinite(asked)) or np.any(np.diff(asked) <= 0):
        raise fail(
            "read_response", "visits are not times in order", "give one or more, ascending: (0, 56, 112)"
        )
    same = np.isclose(run.times[:, None, :], asked[:, None], rtol=1e-9, atol=1e-9)
    if not same.any(axis=2).all():
        lost = asked[~same.any(axis=2).all(axis=0)][0]
        what = f"{lost:g} {run.model.time} is no output of the run"
        raise fail("read_response", what, "simulate with the visits among its times")
    return same.argmax(axis=2)


def _scanned(
    run: Simulation,
    sizes: dict[str, np.ndarray],
    criteria: Criteria,
    least: float,
    error: float,
    seed: int,
    *,
    when: np.ndarray,
) -> Scans:
    """What scans show of lesions: targets of every organ, others, and those that are new."""
    n, rows = int(run.population.numbers.max(initial=0)), run.population.numbers - 1
    total = visible = np.zeros(when.shape)
    new = np.zeros(when.shape, dtype=bool)
    for organ in dict.fromkeys(name.partition(".")[0] for name in sizes):
        own = np.stack([x for name, x in sizes.items() if name.partition(".")[0] == organ], axis=2)
        longest, product = (
            _noise(own.shape, n, error, (str(seed), organ, w))[rows] for w in ("long", "across")
        )
        seen = own >= least
        long = own * longest
        read = long if criteria.dimensions == 1 else long * own * product
        old = seen[:, :1]
        fresh = seen & ~old
        targets = np.where(old[:, 0], long[:, 0], 0.0)
        total = total + target_sum(np.where(seen & old, read, 0.0), targets, criteria)
        if not criteria.new_lesion:
            total = total + np.where(fresh, read, 0.0).sum(axis=2)
        visible, new = visible + seen.sum(axis=2), new | fresh.any(axis=2)
    days = when * float(units.ratio(run.model.time, "day"))
    made = np.isfinite(sum(sizes.values()))
    total, visible = np.where(made, total, np.nan), np.where(made, visible, np.nan)
    return Scans(planned=days, due=days, total=total, visible=visible, new=new, made=made)


def _noise(shape: tuple[int, ...], n: int, error: float, key: tuple[str, ...]) -> np.ndarray:
    """Factors of measurement of patients 1 to n, (patient, visit, lesion)."""
    whole = (n, *shape[1:])
    return measured(np.ones(whole), np.full(n, error), ("read_response", *key)) if error else np.ones(whole)
