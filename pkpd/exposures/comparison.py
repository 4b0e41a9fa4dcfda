"""Published exposures set beside virtual patients: the statistic that was published, of what the same readout
finds in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pkpd.content import library, units
from pkpd.content.library import raise_issues
from pkpd.errors import ContentError, fail, nearest
from pkpd.exposures.evidence import Evidence
from pkpd.exposures.exposure import ACCUMULATION, Exposure
from pkpd.machine.doors import door
from pkpd.model.compose import load_model
from pkpd.model.model import Model
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.population import Population, draw, typical
from pkpd.parameters.sets import load_parameters
from pkpd.regimen.doses import BASES
from pkpd.regimen.lowering import cycles, lower, target
from pkpd.regimen.reading import load_regimen
from pkpd.regimen.regimen import Regimen, combined
from pkpd.regimen.schedule import Schedule
from pkpd.simulation.nca import nca, sampling
from pkpd.simulation.simulation import Simulation, simulate

Tell = Callable[[str, int, int], None]
PATIENTS, _SEED = 200, "exposures"
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
_LONG, _SMALL = 1100.0, 1e-5  # days; share of the peak at which an open window ends


@dataclass(frozen=True)
class Course:
    """What several figures have in common: a drug, its values, what is given, and covariates held; one
    simulation.
    """

    drug: str
    model: Model
    parameters: Parameters
    regimen: Regimen
    count: int
    patients: tuple[tuple[str, float], ...] = ()
    words: str = ""
    figures: tuple[Exposure, ...] = ()


@door
def compare_exposures(
    evidence: Evidence, tell: Tell | None = None, n: int = PATIENTS
) -> list[dict[str, Any]]:
    """A row a figure, in the order of the file: published and simulated, and whether the one lies in the
    other's spread.
    """
    plan = courses(evidence.figures)
    rows: dict[str, dict] = {}
    for k, course in enumerate(plan, 1):
        run = simulate_course(course, n)
        rows |= {f.place: read_figure(f, course, run) for f in course.figures}
        if tell:
            tell("courses simulated", k, len(plan))
    return [rows[f.place] for f in evidence.figures]


def courses(figures: Iterable[Exposure]) -> tuple[Course, ...]:
    """The simulations that figures need, each once; raises every figure that its drug's model cannot give."""
    issues, defaults = [], _defaults()
    groups: dict[tuple, list[Exposure]] = {}
    ready: dict[tuple, tuple[Model, Parameters, Regimen]] = {}
    for f in figures:
        try:
            own = (f.drug, f.parameters, f.given)
            if own not in ready:
                ready[own] = _load(f, defaults)
            model, _, regimen = ready[own]
            factor_to(f, model)
            once = f.given.line is not None and f.given.every == 0
            whole = f.cycles * regimen.cycle * (1 + 1e-9)
            ends = (
                once or (f.what not in ACCUMULATION and f.end is None) or (f.end or 0.0) > whole
            )  # no dose may follow the last
            groups.setdefault((*own, f.patients, f.cycles if ends else 0), []).append(f)
        except ContentError as error:
            issues += [i for i in error.issues if i not in issues]
    raise_issues(issues)
    return tuple(
        Course(
            key[0], *ready[key[:3]], max(f.cycles for f in group), key[3], group[0].given.words, tuple(group)
        )
        for key, group in groups.items()
    )


def _defaults() -> dict[str, str]:
    """The default set of each model of the library, looked up once for all figures."""
    heads = {
        name: library.read("parameters", name).data.get("parameters", {})
        for name in library.names("parameters")
    }
    return {head["model"]: name for name, head in heads.items() if head.get("default") is True}


def _load(f: Exposure, defaults: dict[str, str]) -> tuple[Model, Parameters, Regimen]:
    """A figure's drug, values, and what of its regimen is given of that drug."""
    model = load_model(f.drug)
    parameters = load_parameters(f.parameters or defaults.get(model.name, ()), model)
    if f.given.line is not None:
        drug = model.name.rsplit("/", 1)[-1].removesuffix(".toml")
        line = replace(f.given.line, drug=drug)
        target(drug, model, f.place)
        return model, parameters, Regimen(f.given.words, f.given.words, f.given.every or 1.0, (line,))
    return model, parameters, alone(load_regimen(f.given.regimen), model, f"{f.place}.regimen")


def alone(regimen: Regimen, model: Model, where: str) -> Regimen:
    """What a regimen gives of one drug, without rules: those look at what the drug's model does not hold."""
    own = [
        replace(c, doses=tuple(d for d in c.doses if _takes(model, d.drug)), rules=())
        for c in regimen.courses
    ]
    if not any(c.doses for c in own):
        raise fail(
            where,
            f"{regimen.name} gives nothing that {model.name} can receive",
            "it gives " + ", ".join(regimen.drugs),
        )
    return combined(regimen.name, regimen.title, tuple(own)) if regimen.parts else own[0]


def _takes(model: Model, drug: str) -> bool:
    try:
        target(drug, model, "")
    except ContentError:
        return False
    return True


def simulate_course(
    course: Course, n: int = PATIENTS, until: float | None = None, points: int = 120
) -> Simulation:
    """The typical patient, who comes first, and n virtual ones, in the windows of the figures, or from the
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
    """The windows that a course's figures look at, in days from the first dose."""
    horizon = (
        _horizon(course) if any(f.end is None and f.what not in ACCUMULATION for f in course.figures) else 0.0
    )
    return sorted({w for f in course.figures for w in _windows(f, course.regimen.cycle, horizon)})


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
        {x for f in course.figures for x in (f.of, f.to_of) if x},
    )
    while until < _LONG * day:
        times, places = sampling(course.model, doses, (0.0, until), points=40)
        run = simulate(course.model, people, doses, times, places=places)
        if all(run[name][0, -1] < _SMALL * run[name][0].max() for name in wanted):
            break
        until *= 1.5
    return until / day


def _windows(f: Exposure, cycle: float, horizon: float) -> list[tuple[float, float]]:
    """The windows of a figure, in days from the first dose; an accumulation's first and last."""
    if f.what not in ACCUMULATION:
        return [(f.start, horizon if f.end is None else f.end)]
    start, end = (f.start, f.end) if f.end is not None else ((f.cycles - 1) * cycle, f.cycles * cycle)
    return [(0.0, end - start), (start, end)]


def read_figure(f: Exposure, course: Course, run: Simulation) -> dict[str, Any]:
    """One figure's row: its quantity in every patient, and the statistic of them that was published."""
    values = _quantity(f, course, run) * _per(f, run) * factor_to(f, course.model)[0]
    known = values[1:][np.isfinite(values[1:])]
    found = {
        "typical": values[0],
        "mean": _of(np.mean, known),
        "median": _of(np.median, known),
        "geometric mean": _of(lambda x: np.exp(np.mean(np.log(x))), known[known > 0]),
    }[f.statistic]
    low, high = np.quantile(known, (0.05, 0.95)) if known.size else (np.nan, np.nan)
    row = {
        k: getattr(f, k)
        for k in (
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
    }
    return row | {
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
    """A figure's quantity in each patient, in the model's units."""
    day = float(units.ratio("day", course.model.time))
    last = float(run.times[0, -1])
    windows = [(a * day, b * day) for a, b in _windows(f, course.regimen.cycle, last / day)]
    if f.what in ACCUMULATION:
        name = f.what.removeprefix("accumulation_").lower()
        first, later = (getattr(nca(run, f.of, *w), name) for w in windows)
        return later / first
    name = _FIELD[f.what]
    if f.end is None and name == "auc":
        name = "auc_inf"
    found = getattr(nca(run, f.of, *windows[0]), name)
    return found / getattr(nca(run, f.to_of, *windows[0]), name) if f.to_of else found


def factor_to(f: Exposure, model: Model) -> tuple[float, str]:
    """What brings a figure's quantity from the model's unit to its own, and the covariate by which it is
    divided, if any.
    """
    known = {*(v.name for v in model.variables), *model.states}
    for key, name in (("of", f.of), ("to_of", f.to_of)):
        if name and name not in known:
            raise fail(f"{f.place}.{key}", f"{model.name} has no {name!r}", nearest(name, known))
    words, own, wanted = *_unit(f, model), units.parse_unit(f.unit)
    mass = units.parse_unit("g/mol")
    choices = [(own, 1.0, "")]
    if f.molar_mass:
        choices += [(own / mass, 1 / f.molar_mass, ""), (own * mass, f.molar_mass, "")]
    if f.what in ("CL", "Vss"):
        choices += [(own / units.parse_unit(unit), 1.0, covariate) for unit, covariate in BASES.items()]
    for unit, factor, covariate in choices:
        if unit.dims == wanted.dims:
            return float(unit.factor / wanted.factor) * factor, covariate
    raise fail(
        f"{f.place}.unit",
        f"{f.what} of {f.of} is in {words}, which cannot be converted to {f.unit}",
        'give another unit, or the substance\'s molar_mass = "459.4 g/mol"',
    )


def _unit(f: Exposure, model: Model) -> tuple[str, units.Unit]:
    """The unit in which a figure's quantity comes, in words and as a factor."""
    c, time = model.unit(f.of), model.time
    if f.what == "ratio":
        other = model.unit(f.to_of)
        return f"{c} by {other}", units.parse_unit(c) / units.parse_unit(other)
    words = {"half_life": time, "tmax": time, "CL": f"L/{time}", "Vss": "L", "AUC": f"{c}*{time}"}.get(
        f.what, c
    )
    words = "1" if f.what in ACCUMULATION else words
    return words, units.parse_unit(words)


def _per(f: Exposure, run: Simulation) -> np.ndarray:
    """One over the covariate by which a figure's quantity is divided."""
    name = factor_to(f, run.model)[1]
    if name and name not in run.population.covariates:
        raise fail(
            f"{f.place}.unit",
            f"{f.unit} is by {name}, which these patients lack",
            f"give patients = {{ {name} = … }}",
        )
    return 1 / run.population.covariates[name] if name else np.ones(len(run.times))
