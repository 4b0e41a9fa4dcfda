"""A course simulated in virtual patients, in the windows that its exposures look at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pkpd.content import units
from pkpd.exposures.course import Course
from pkpd.exposures.exposure import ACCUMULATION
from pkpd.parameters.draw import draw, typical
from pkpd.parameters.population import Population
from pkpd.regimen.lowering import cycles, lower
from pkpd.regimen.schedule import Schedule
from pkpd.simulation.nca import sampling
from pkpd.simulation.run import simulate
from pkpd.simulation.simulation import Simulation

PATIENTS, _SEED = 200, "exposures"
_LONG, _SMALL = 1100.0, 1e-5  # days; share of the peak at which an open window ends


def simulate_course(
    course: Course, n: int = PATIENTS, until: float | None = None, points: int = 120
) -> Simulation:
    """The typical patient, who comes first, and n virtual ones, in the windows of the exposures, or from the
    start to a day.
    """
    model = course.model
    people = _people(course, n)
    doses = _doses(course, people)
    day = float(units.ratio("day", model.time))
    windows = [(0.0, until)] if until is not None else course_windows(course)
    times, places = sampling(model, doses, *((a * day, b * day) for a, b in windows), points=points)
    return simulate(model, people, doses, times, places=places)


def course_windows(course: Course) -> list[tuple[float, float]]:
    """The windows that a course's exposures look at, in days from the first dose."""
    horizon = (
        _horizon(course)
        if any(f.end is None and f.what not in ACCUMULATION for f in course.exposures)
        else 0.0
    )
    return sorted({w for f in course.exposures for w in f.windows(course.regimen.cycle, horizon)})


def _people(course: Course, n: int) -> Population:
    held = dict(course.patients)
    one = typical(course.model, course.parameters, held or None)
    many = draw(course.model, course.parameters, n, _SEED, covariates=held)
    return replace(
        many,
        inputs=np.concatenate([one.inputs, many.inputs]),
        covariates={k: np.concatenate([one.covariates[k], v]) for k, v in many.covariates.items()},
    )


def _doses(course: Course, people: Population) -> Schedule:
    count = course.count if course.regimen.open else None
    return lower(course.regimen, course.model, people, cycles(course.regimen, course.model, count))


def _horizon(course: Course) -> float:
    """The day by which the typical patient's concentrations are all but gone: where an open window ends."""
    day = float(units.ratio("day", course.model.time))
    people = typical(course.model, course.parameters, dict(course.patients) or None)
    doses = _doses(course, people)
    until, wanted = (
        float(np.real(doses.time).max()) + day / 4,
        {x for f in course.exposures for x in (f.of, f.to_of) if x},
    )
    while until < _LONG * day:
        times, places = sampling(course.model, doses, (0.0, until), points=40)
        run = simulate(course.model, people, doses, times, places=places)
        if all(run[name][0, -1] < _SMALL * run[name][0].max() for name in wanted):
            break
        until *= 1.5
    return until / day
