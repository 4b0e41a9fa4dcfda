"""A regimen brought to patients: what is given to whom, when, in the units of a model's compartments."""

from __future__ import annotations

import numpy as np

from pkpd.content import units
from pkpd.errors import fail, nearest
from pkpd.machine.doors import door
from pkpd.model.model import Compartment, Model
from pkpd.parameters.population import Population
from pkpd.regimen.doses import SIZES, DoseLine
from pkpd.regimen.regimen import Regimen, lasting
from pkpd.regimen.schedule import ADD, RATE, Schedule, nothing, packed


@door
def lower(
    regimen: Regimen,
    model: Model,
    population: Population,
    starts: np.ndarray,
    factors: np.ndarray | None = None,
) -> Schedule:
    """A regimen's events for patients whose cycles start at `starts` (patient, cycle; model time; inf = not
    given).

    A dose D (`DoseLine`) brings F x factor x D to its compartment at start + (day - 1) + at + lag: at once,
    or at the rate F x factor x D / over; F is the product of bioavailability and the form's share.
    ContentError for drugs that the model cannot receive, covariates that patients lack, negative doses,
    shapes that do not fit.

    starts   of a regimen of several courses: (patient, course, cycle). Cycles are counted as they are given
             to a patient
    factors  multiply amounts (patient, cycle, dose line); infusions keep their length, a factor of 0 leaves a
             dose out
    """
    if regimen.rules:
        raise fail(
            f"{regimen.where}: rules",
            "are decided visit by visit, on each patient's own course",
            "use treat(model, population, regimen, cycles) in place of lower",
        )
    adds, infusions, first = [], [], 0
    each = _of_courses(regimen, len(population), starts)
    if factors is not None:
        _require(
            factors, (len(population), each[0].shape[1], len(regimen.doses)), f"{regimen.where}: factors"
        )
    for course, own in zip(regimen.courses, each, strict=True):
        given = factors if factors is None else factors[:, : own.shape[1], first : first + len(course.doses)]
        _collect(course, model, population, own, given, adds, infusions)
        first += len(course.doses)
    return _combined(len(population), adds, infusions)


def _of_courses(regimen: Regimen, n: int, starts: np.ndarray) -> list[np.ndarray]:
    """The starts of each course (patient, cycle)."""
    starts, count = np.asarray(starts, dtype=float), len(regimen.courses)
    if count == 1 and starts.ndim < 3:
        starts = np.atleast_2d(starts)[:, None]
    if starts.ndim != 3 or starts.shape[1] != count:
        raise fail(
            f"{regimen.where}: courses",
            f"{count} of them cannot start at times of shape {np.shape(starts)}",
            "give times (patient, course, cycle), as cycles(regimen, model, count) does",
        )
    if len(starts) not in (1, n):
        raise fail(
            f"{regimen.where}: starts",
            f"are of {len(starts)} patients, and there are {n}",
            "give them for one or for all",
        )
    return [np.broadcast_to(starts[:, i], (n, starts.shape[2])) for i in range(count)]


def _require(factors: np.ndarray, shape: tuple[int, int, int], where: str) -> None:
    """Refuses factors that are not one for each patient, cycle and dose line, or below zero."""
    if np.shape(factors) != shape:
        raise fail(
            where,
            f"are of shape {np.shape(factors)}, and {shape} is needed",
            "give them as (patient, cycle, dose line)",
        )
    if np.any(np.real(factors) < 0):
        raise fail(where, "hold a number below zero", "give what is given of a dose: 0 or more")


def _collect(
    course: Regimen,
    model: Model,
    population: Population,
    starts: np.ndarray,
    factors: np.ndarray | None,
    adds: list,
    infusions: list,
) -> None:
    """Adds the doses of one course."""
    day, numbers = float(units.ratio("day", model.time)), np.cumsum(np.isfinite(starts), axis=1)
    for i, line in enumerate(course.doses):
        column, amount, lag = _received(line, model, population, f"{course.where}: doses[{i + 1}]")
        amounts = (
            np.broadcast_to(amount[:, None], starts.shape)
            if factors is None
            else amount[:, None] * factors[:, :, i]
        )
        if line.cycles or course.reductions:
            amounts = amounts * course.share(line, numbers)
        for number in line.days:
            time = starts + (number - 1 + line.at) * day + lag[:, None]
            rows = np.isfinite(time) & ~(np.real(amounts) == 0)  # what is no number is told by the simulation
            patient, given = np.nonzero(rows)[0], amounts[rows]
            if line.over == 0:
                adds.append((patient, time[rows], np.full(len(patient), column), given))
            else:
                infusions.append((patient, time[rows], np.full(len(patient), column), given, line.over * day))


def prescribed(regimen: Regimen, model: Model, population: Population) -> np.ndarray:
    """What each dose line brings on one of its days (patient, dose line), in the unit of the compartment it
    goes to.
    """
    lines = [(line, f"{c.where}: doses[{i}]") for c in regimen.courses for i, line in enumerate(c.doses, 1)]
    return np.stack([_received(line, model, population, where)[1] for line, where in lines], axis=1)


def _combined(n: int, adds: list, infusions: list) -> Schedule:
    patient = [a[0] for a in adds]
    time, index, value = [a[1] for a in adds], [a[2] for a in adds], [a[3] for a in adds]
    kind = [np.full(len(a[0]), ADD) for a in adds]
    if infusions:
        p, t, i, rate = _rates(infusions)
        patient, time, index, value = [*patient, p], [*time, t], [*index, i], [*value, rate]
        kind = [*kind, np.full(len(p), RATE)]
    if not patient:
        return nothing(n)
    return packed(n, *(np.concatenate(x) for x in (patient, time, kind, index, value)))


def _rates(infusions: list) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Starts and ends of infusions as the total rate into a state from then on, exactly zero when
    none runs.
    """
    patient = np.concatenate([x for p, *_ in infusions for x in (p, p)])
    time = np.concatenate([x for _, t, _, _, over in infusions for x in (t, t + over)])
    index = np.concatenate([x for _, _, i, _, _ in infusions for x in (i, i)])
    delta = np.concatenate([x for *_, a, over in infusions for x in (a / over, -a / over)])
    running = np.concatenate([x for p, *_ in infusions for x in (np.ones(len(p)), -np.ones(len(p)))])
    if patient.size == 0:
        return patient, time, index, delta
    order = np.lexsort((running, np.real(time), index, patient))
    patient, time, index, delta, running = (x[order] for x in (patient, time, index, delta, running))
    group = np.cumsum(np.r_[True, (np.diff(patient) != 0) | (np.diff(index) != 0)]) - 1
    rank = np.arange(len(group)) - np.searchsorted(group, group)
    table = np.zeros(
        (2, group[-1] + 1, rank.max() + 1), dtype=delta.dtype
    )  # a row a state: no sum reaches a neighbour
    table[:, group, rank] = delta, running
    total, count = np.cumsum(table, axis=2)[:, group, rank]
    return patient, time, index, np.where(np.round(np.real(count)) == 0, 0.0, total)


def _received(
    line: DoseLine, model: Model, population: Population, where: str
) -> tuple[int, np.ndarray, np.ndarray]:
    """The state a dose goes to, the amount that reaches it in its unit, and the lag, for each patient."""
    compartment = target(line.drug, model, where)
    dose = compartment.dose
    assert dose is not None
    amount = _prescribed(
        line, population, float(units.ratio(line.unit, compartment.unit, f"{where}.amount")), where
    )
    forms = dict(dose.forms)
    if bool(forms) != bool(line.form) or (line.form and line.form not in forms):
        raise fail(
            f"{where}.form",
            f"{line.form!r} is not a form of {line.drug}"
            if line.form
            else f"{line.drug} comes in forms, and the dose does not say which",
            f"one of {', '.join(forms)}" if forms else "remove it",
        )
    for name in (dose.bioavailability, forms.get(line.form, "")):
        if name:
            amount = amount * population[name] * float(units.ratio(model.unit(name), "1"))
    negative = population.numbers[np.real(amount) < 0]
    if negative.size:
        raise fail(
            where,
            f"brings patient {negative[0]} a negative dose",
            "mend the amount, or the share of it that arrives",
        )
    lag = np.zeros(len(population))
    if dose.lag:
        lag = population[dose.lag] * float(units.ratio(model.unit(dose.lag), model.time))
    return model.states.index(compartment.name), amount, lag


def _prescribed(line: DoseLine, population: Population, ratio: float, where: str) -> np.ndarray:
    """What each patient is prescribed, in a unit that is `ratio` of the line's own."""
    if not line.per:
        return _rounded(np.full(len(population), line.amount), line, population, where) * ratio
    if line.per not in population.covariates:
        raise fail(
            f"{where}.{'bands' if line.bands else 'amount'}",
            f"is scaled by {line.per}, which these patients lack",
            f"add {line.per} to [covariates] of a parameter file",
        )
    size = population.covariates[line.per]
    if line.bands:
        return (
            _rounded(_banded(line, size, population.numbers, f"{where}.bands"), line, population, where)
            * ratio
        )
    if line.cap:
        size = np.where(np.real(size) > line.cap, line.cap, size)
    if line.round:
        return _rounded(line.amount * np.real(size), line, population, where) * ratio
    return np.full(len(population), line.amount * ratio) * size


def _rounded(amount: np.ndarray, line: DoseLine, population: Population, where: str) -> np.ndarray:
    """The nearest multiple of a dose line's step, the larger of two as near; as it is without one."""
    if not line.round:
        return amount
    found = np.floor(amount / line.round + (0.5 + 1e-9)) * line.round  # half a step, as a person reckons it
    lost = np.flatnonzero((found == 0) & (amount > 0))
    if lost.size:
        raise fail(
            f"{where}.round",
            f"makes nothing of the {amount[lost[0]]:.4g} {line.unit} of patient "
            f"{population.numbers[lost[0]]}",
            "round to a smaller amount",
        )
    return found


def _banded(line: DoseLine, size: np.ndarray, numbers: np.ndarray, where: str) -> np.ndarray:
    """The amount of the band that each patient lies in."""
    low, high, amount = (np.array(x) for x in zip(*line.bands, strict=True))
    inside = (np.real(size)[:, None] >= low) & (np.real(size)[:, None] < high)
    if not np.all(inside.any(axis=1)):
        outside = np.flatnonzero(~inside.any(axis=1))
        more = f", nor {len(outside) - 1} more" if len(outside) > 1 else ""
        raise fail(
            where,
            f"none holds patient {numbers[outside[0]]}, whose {line.per} is "
            f"{np.real(size)[outside[0]]:.4g} {SIZES[line.per]}{more}",
            "add a band for such patients",
        )
    return amount[inside.argmax(axis=1)]


def target(drug: str, model: Model, where: str) -> Compartment:
    """The compartment of a model that a drug is given to: its part's only dosed one, or CMT named in full."""
    dosed = [c for c in model.compartments if c.dose is not None]
    exact = [c for c in dosed if c.name == drug]
    own = exact or [c for c in dosed if c.name.rsplit(".", 1)[0] == drug]
    single = model.name.rsplit("/", 1)[-1].removesuffix(".toml")
    if not own and not model.parts and single == drug:
        own = dosed
    if len(own) == 1:
        return own[0]
    parts = sorted({c.name.rsplit(".", 1)[0] if "." in c.name else single for c in dosed})
    if own:
        raise fail(
            f"{where}.drug",
            f"{drug!r} has several dosed compartments",
            "name one: " + ", ".join(c.name for c in own),
        )
    raise fail(
        f"{where}.drug",
        f"{model.name} cannot receive {drug!r}",
        nearest(drug, parts) if parts else "this model has no dosed compartment",
    )


@door
def cycles(regimen: Regimen, model: Model, count: int | None = None) -> np.ndarray:
    """When cycles start (1, cycle), in model time; of several courses (1, course, cycle), infinite where one
    has fewer: the course's begin + (k - 1) x cycle + the delays up to k, for k = 1, 2, ...

    count  cycles of the first course: how long what has no number of its own goes on (see Regimen.cycles);
           ContentError where it is needed and left out
    """
    days = lasting(regimen, count, "cycles").days()
    return packed_starts(days)[0 if len(days) == 1 else slice(None)][None] * float(
        units.ratio("day", model.time)
    )


def packed_starts(days: list[np.ndarray]) -> np.ndarray:
    """Times of each course's cycles as one array (course, cycle), infinite where a course has fewer."""
    found = np.full((len(days), max(map(len, days))), np.inf)
    for row, own in zip(found, days, strict=True):
        row[: len(own)] = own
    return found
