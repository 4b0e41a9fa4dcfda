"""Mechanisms of resistance, biologies, and patients in whom mechanisms are released."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from pkpd.fit.free import Point, point
from pkpd.model.model import Model
from pkpd.parameters.bind import bind, line_for
from pkpd.parameters.draw import draw
from pkpd.parameters.merge import merge
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.population import Population
from pkpd.simulation.run import simulate
from pkpd.simulation.simulation import Simulation
from pkpd.study.stability.plan import Given

Context = tuple[str, Parameters]


@dataclass(frozen=True)
class Mechanism:
    """Lines of the parameters that make a mechanism, and what they are when it is released fully.

    That is `times` what they are, or the value `to`, or what the context `like` sets.
    """

    name: str
    title: str
    lines: tuple[str, ...]
    times: float = 0.0
    to: float | None = None
    like: Context | None = None
    where: str = ""
    seen: str = "user"


@dataclass(frozen=True)
class Biology:
    """Contexts that are laid on a set of parameters, the last on top."""

    name: str
    title: str
    contexts: tuple[Context, ...]


@dataclass(frozen=True)
class Together:
    """Mechanisms, by name, that are released together."""

    name: str
    title: str
    mechanisms: tuple[str, ...]


def central(points: Sequence[Point]) -> Point:
    """The middle of a posterior, line by line; the point itself where there is one."""
    first = points[0]
    if len(points) == 1 or not first.parameters.draws:
        return first
    return point(first.parameters, ((key, float(np.median(x))) for key, x in first.parameters.draws.items()))


def thinned(points: Sequence[Point], count: int) -> list[Point]:
    """So many of the points, evenly taken; of one point as many times, for patients drawn anew each time."""
    if len(points) == 1:
        return [points[0]] * count
    return [
        points[i] for i in np.unique(np.linspace(0, len(points) - 1, min(count, len(points))).astype(int))
    ]


def laid(at: Point, contexts: Sequence[Context]) -> Parameters:
    """The parameters with contexts on top, and in these what the point sets there."""
    return reduce(merge, (at.within(name, own) for name, own in contexts), at.parameters)


def people(
    system: Model,
    at: Point,
    contexts: Sequence[Context],
    covariates: Sequence[tuple[str, float]],
    n: int,
    key: tuple[int, str, str],
) -> Population:
    """Patients of one biology under a point; those of one number and key are at the same quantiles in every
    biology.
    """
    return draw(system, laid(at, contexts), n, *key, covariates=dict(covariates))


def named(patients: Population, lines: Iterable[str]) -> list[str]:
    """The inputs that lines fill, in every copy of a part."""
    wanted = set(lines)
    return [n for n in patients.names if line_for(n) in wanted]


def ends(system: Model, mechanism: Mechanism, patients: Population, at: Point) -> dict[str, np.ndarray]:
    """What a mechanism's inputs are when it is released fully, one value a patient."""
    names = named(patients, mechanism.lines)
    if mechanism.like is not None:
        lines = bind(laid(at, (mechanism.like,)), system)
        return {n: np.full(len(patients), lines[line_for(n)].value) for n in names}
    if mechanism.to is not None:
        return {n: np.full(len(patients), mechanism.to) for n in names}
    return {n: patients[n] * mechanism.times for n in names}


def released(
    patients: Population, wholly: Sequence[dict[str, np.ndarray]], degrees: np.ndarray
) -> Population:
    """The patients again and again, each time with mechanisms released by other degrees.

    wholly   what the inputs of each mechanism are at a degree of 1 (see `ends`); degrees (time, mechanism),
             from 0 to 1
    """
    times, n = len(degrees), len(patients)
    inputs = np.tile(patients.inputs, (times, 1))
    for j, values in enumerate(wholly):
        part = np.repeat(degrees[:, j], n)
        for name, end in values.items():
            column = patients.names.index(name)
            inputs[:, column] = (
                inputs[:, column] * (1 - part) + np.tile(end, times) * part
            )  # exact at both ends
    return crowd(patients.names, inputs)


def crowd(names: tuple[str, ...], inputs: np.ndarray) -> Population:
    """Many patients in one, numbered anew."""
    return Population(names, inputs, {}, rows=np.arange(len(inputs)))


def followed(
    system: Model, patients: Population, given: Given, start: np.ndarray, days: np.ndarray, rtol: float
) -> Simulation:
    """Patients under a treatment that is constant from day 0, from states of that day; one who fails has
    missing states.
    """
    treated = patients.with_inputs(dict(given.sets))
    run = simulate(system, treated, None, days, start=np.nan_to_num(start), rtol=rtol, strict=False)
    lost = np.any(np.isnan(start), axis=1, keepdims=True)
    return replace(run, states=np.where(lost[:, None], np.nan, run.states))
