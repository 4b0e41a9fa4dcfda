"""Sensitivities: derivatives of compartments and variables by parameters, for a whole population."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from pkpd.errors import fail, nearest
from pkpd.machine.doors import door
from pkpd.model.model import Model
from pkpd.parameters.population import Population
from pkpd.regimen.schedule import Schedule, nothing
from pkpd.simulation.check import check, grid
from pkpd.simulation.finite import leave_out
from pkpd.simulation.run import failures, start_states, unsolved
from pkpd.simulation.simulation import Simulation
from pkpd.solve.batch import Solved
from pkpd.solve.gradient import STEP, solve_gradient, start_slopes, tinted
from pkpd.solve.tolerance import Given

Dosing = Callable[[Population], Schedule]


@dataclass(frozen=True)
class Sensitivity:
    """A simulation and the derivatives of its states: `slopes` is (patient, time, parameter, state).

    S = dy/dp with dS/dt = (df/dy) S + df/dp, where dy/dt = f: forward sensitivity equations, solved beside y.
    Of a variable g(y, p), dg/dp = (dg/dy) S + partial dg/dp, exact by the complex step. In units of y a unit
    of p. Squire & Trapp, SIAM Rev 40:110 (1998), doi:10.1137/S003614459631241X.

    schedules  for each parameter, the events with their derivatives by it as imaginary parts
    """

    simulation: Simulation
    parameters: tuple[str, ...]
    slopes: np.ndarray
    schedules: tuple[Schedule, ...]

    def __getitem__(self, name: str) -> np.ndarray:
        """The derivative of a compartment or variable by each parameter, (patient, time, parameter), in
        `unit(name)`.
        """
        run = self.simulation
        found = []
        for k, (parameter, schedule) in enumerate(zip(self.parameters, self.schedules, strict=True)):
            own = replace(
                run,
                population=_tinted(run.population, parameter),
                schedule=schedule,
                states=run.states + 1j * STEP * self.slopes[:, :, k],
            )
            found.append(np.imag(own[name]) / STEP)
        return np.stack(found, axis=-1)

    def unit(self, name: str, parameter: str) -> str:
        """The unit of a derivative."""
        return f"({self.simulation.unit(name)})/({self.simulation.unit(parameter)})"


def _tinted(population: Population, parameter: str) -> Population:
    return replace(population, inputs=tinted(population.inputs, population.names.index(parameter)))


@door
def sensitivity(
    model: Model,
    population: Population,
    parameters: Sequence[str],
    dosing: Dosing | Schedule | None = None,
    times: np.ndarray | tuple = (0.0,),
    *,
    begin: np.ndarray | float = 0.0,
    rtol: float = 1e-6,
    strict: bool = True,
    places: np.ndarray | None = None,
    executor: Executor | None = None,
    atol: Given = None,
) -> Sensitivity:
    """Solves a model and its forward sensitivity equations for every patient.

    parameters  inputs of the model, by name
    dosing      a function from a population to its schedule, as `lambda people: lower(regimen, model, people,
                starts)`, so that lag, bioavailability, rate and duration are followed too; a schedule alone
                holds them fixed
    atol        as in `simulate`; a derivative times its parameter has its state's
    """
    _check_asked(model, parameters, dosing)
    fixed = nothing(len(population)) if dosing is None else dosing
    make: Dosing = fixed if callable(fixed) else lambda _: fixed
    plain = make(population)
    check(model, population, plain, None, begin, rtol)
    outs = grid(times, len(population), begin)
    run = unsolved(model, population, plain, outs, (), places)
    tints = tuple(make(_tinted(population, p)) for p in parameters)
    solved, slopes = _solved(run, parameters, tints, begin, rtol, executor, atol=atol)
    run = replace(run, states=solved.states)
    lost = leave_out(model, outs, solved.states, run.inputs, solved.status == 0)
    slopes[np.isnan(run.states).any(axis=2)] = np.nan
    failed = failures(run, solved, lost, strict)
    return Sensitivity(replace(run, failures=failed), tuple(parameters), slopes, tints)


def _solved(
    run: Simulation,
    parameters: Sequence[str],
    tints: tuple[Schedule, ...],
    begin: np.ndarray | float,
    rtol: float,
    executor: Executor | None,
    *,
    atol: Given,
) -> tuple[Solved, np.ndarray]:
    """What the engine makes of a run, and of its derivatives (patient, time, parameter, state)."""
    model, people = run.model, run.population
    columns = tuple(model.inputs.index(p) for p in parameters)
    return solve_gradient(
        model,
        columns,
        start_states(model, people),
        start_slopes(model, people.inputs, columns),
        people.inputs,
        run.schedule,
        tints,
        run.times,
        np.asarray(begin, dtype=float),
        rtol,
        executor,
        run.places,
        atol,
    )


def _check_asked(model: Model, parameters: Sequence[str], dosing: Dosing | Schedule | None) -> None:
    """Refuses what is no list of a model's inputs, and what makes no schedule."""
    if isinstance(parameters, str):
        raise fail("sensitivity", f"{parameters!r} is one name, not several", f"write [{parameters!r}]")
    for name in parameters:
        if name not in model.inputs:
            raise fail("sensitivity", f"{model.name} has no input {name!r}", nearest(name, model.inputs))
    if not parameters or len(set(parameters)) < len(parameters):
        raise fail("sensitivity", "needs one or more different parameters", "name inputs of the model")
    if not (dosing is None or callable(dosing) or isinstance(dosing, Schedule)):
        raise fail(
            "sensitivity",
            f"dosing is {type(dosing).__name__}, not a schedule or a function that makes one",
            "lambda people: lower(regimen, model, people, starts)",
        )
