"""Published exposures set beside virtual patients: the statistic that was published, of what the same readout
finds in them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pkpd.content import units
from pkpd.errors import fail
from pkpd.exposures.conversion import factor_to
from pkpd.exposures.course import Course
from pkpd.exposures.evidence import Evidence
from pkpd.exposures.exposure import ACCUMULATION, Exposure
from pkpd.exposures.prepare import courses
from pkpd.exposures.run import PATIENTS, simulate_course
from pkpd.machine.doors import door
from pkpd.simulation.nca import nca
from pkpd.simulation.simulation import Simulation

Tell = Callable[[str, int, int], None]
_FIELD = {
    "Cmax": "cmax",
    "tmax": "tmax",
    "Cmin": "cmin",
    "Clast": "clast",
    "concentration": "clast",
    "half_life": "half_life",
    "CL": "cl",
    "Vss": "vss",
    "AUC": "auc",
    "ratio": "auc",
}
_PUBLISHED = (  # what a row says as the file says it
    "drug",
    "name",
    "what",
    "of",
    "to_of",
    "cycles",
    "unit",
    "statistic",
    "n",
    "spread",
    "use",
    "seen",
    "source",
    "where",
    "miss",
    "text",
)


@door
def compare_exposures(
    evidence: Evidence, tell: Tell | None = None, n: int = PATIENTS
) -> list[dict[str, Any]]:
    """A row an exposure, in the order of the file: published and simulated, and whether the one lies in the
    other's spread.
    """
    plan = courses(evidence.figures)
    rows: dict[str, dict] = {}
    for k, course in enumerate(plan, 1):
        run = simulate_course(course, n)
        rows |= {f.place: read_exposure(f, course, run) for f in course.exposures}
        if tell:
            tell("courses simulated", k, len(plan))
    return [rows[f.place] for f in evidence.figures]


def read_exposure(f: Exposure, course: Course, run: Simulation) -> dict[str, Any]:
    """One exposure's row: its quantity in every patient, and the statistic of them that was published."""
    values = _quantity(f, course, run) * _per(f, run) * factor_to(f, course.model)[0]
    known = values[1:][np.isfinite(values[1:])]
    found = {
        "typical": values[0],
        "mean": _of(np.mean, known),
        "median": _of(np.median, known),
        "geometric mean": _of(lambda x: np.exp(np.mean(np.log(x))), known[known > 0]),
    }[f.statistic]
    low, high = np.quantile(known, (0.05, 0.95)) if known.size else (np.nan, np.nan)
    return {k: getattr(f, k) for k in _PUBLISHED} | {
        "given": course.words,
        "from": f.start,
        "to": f.end,
        "published": f.value,
        "interval": [f.low, f.high],
        "simulated": _number(found),
        "simulated_interval": [_number(low), _number(high)],
        "untold": int(len(values) - 1 - known.size),
        "inside": bool(f.low <= found <= f.high),
    }


def _of(statistic: Callable, values: np.ndarray) -> float:
    return float(statistic(values)) if values.size else np.nan


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _quantity(f: Exposure, course: Course, run: Simulation) -> np.ndarray:
    """An exposure's quantity in each patient, in the model's units."""
    day = float(units.ratio("day", course.model.time))
    last = float(run.times[0, -1])
    windows = [(a * day, b * day) for a, b in f.windows(course.regimen.cycle, last / day)]
    if f.what in ACCUMULATION:
        name = f.what.removeprefix("accumulation_").lower()
        first, later = (getattr(nca(run, f.of, *w), name) for w in windows)
        return later / first
    name = _FIELD[f.what]
    if f.end is None and name == "auc":
        name = "auc_inf"
    found = getattr(nca(run, f.of, *windows[0]), name)
    return found / getattr(nca(run, f.to_of, *windows[0]), name) if f.to_of else found


def _per(f: Exposure, run: Simulation) -> np.ndarray:
    """One over the covariate by which an exposure's quantity is divided."""
    name = factor_to(f, run.model)[1]
    if name and name not in run.population.covariates:
        raise fail(
            f"{f.place}.unit",
            f"{f.unit} is by {name}, which these patients lack",
            f"give patients = {{ {name} = … }}",
        )
    return 1 / run.population.covariates[name] if name else np.ones(len(run.times))
