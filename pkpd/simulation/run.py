"""simulate(model, population, schedule) -> Simulation: every patient solved, and who could not be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pkpd.errors import SimulationError
from pkpd.machine.doors import door
from pkpd.model.expression import evaluate
from pkpd.model.model import Model
from pkpd.parameters.population import Population
from pkpd.regimen.schedule import Schedule, nothing
from pkpd.simulation.check import MOST_STEPS, check, grid, placed
from pkpd.simulation.finite import leave_out
from pkpd.simulation.simulation import Simulation

if TYPE_CHECKING:
    from pkpd.simulation.crossings import Crossing
    from pkpd.solve.batch import Solved
    from pkpd.solve.tolerance import Given

Tell = Callable[[str, int, int], object]


def quiet(what: str, done: int, of: int) -> None:
    """Tells nobody."""


def start_states(model: Model, population: Population) -> np.ndarray:
    """Each patient's start values (patient, state) from the model's start expressions."""
    values = {n: population.inputs[:, i] for i, n in enumerate(model.inputs)}
    start = np.empty((len(population), len(model.states)), dtype=population.inputs.dtype)
    with np.errstate(all="ignore"):  # who cannot be started is told by the simulation
        for i, c in enumerate(model.compartments):
            start[:, i] = evaluate(c.start, values, np)
    return start


def failures(
    run: Simulation, solved: Solved, lost: Mapping[int, tuple[float, str]], strict: bool
) -> tuple[str, ...]:
    """The patients that could not be solved, or of whom a variable is not finite, each with its number, time
    and reason; SimulationError if there is one and it is `strict`.
    """
    from pkpd.solve.batch import REASONS

    told = {i: (solved.reached[i], REASONS[int(solved.status[i])]) for i in np.flatnonzero(solved.status)}
    told |= {i: (time, f"{name} is not finite") for i, (time, name) in lost.items()}
    model, population = run.model, run.population
    failed = tuple(
        f"patient {population.numbers[i]}, {model.time} {time:.6g}: {why}"
        for i, (time, why) in sorted(told.items())
    )
    if failed and strict:
        raise SimulationError(
            f"{model.name}: {len(failed)} of {len(population)} patients failed\n  " + "\n  ".join(failed[:5])
        )
    return failed


@door
def simulate(
    model: Model,
    population: Population,
    schedule: Schedule | None = None,
    times: np.ndarray | tuple = (0.0,),
    *,
    begin: np.ndarray | float = 0.0,
    start: np.ndarray | None = None,
    rtol: float = 1e-6,
    strict: bool = True,
    executor: Executor | None = None,
    places: np.ndarray | None = None,
    tell: Tell = quiet,
    crossings: Sequence[Crossing] = (),
    atol: Given = None,
    most_steps: int = MOST_STEPS,
) -> Simulation:
    """Solves a model for every patient of a population.

    times   output times in the model's time unit, (time,) or (patient, time), in order
    begin   when integration starts, start the states then (default: the model's start values)
    strict  raise if a patient fails; otherwise keep it as failed
    places  how many of a patient's events come before each output (patient, time); all up to its time if none
    crossings  thresholds to look for, and what happens there (pkpd.Crossing)
    atol    absolute tolerance, in the compartments' units: one number, or numbers by compartment; if left
            out, from a compartment's `scale`, or from what enters it (solve/tolerance)
    most_steps  after which a patient fails, counted anew from each event (a dose, a value set, a crossing)
    tell    is told how far it is: (what, done, of)
    """
    schedule = nothing(len(population)) if schedule is None else schedule
    check(model, population, schedule, start, begin, rtol, most_steps)
    run = unsolved(model, population, schedule, grid(times, len(population), begin), crossings, places)
    start = start_states(model, population) if start is None else start
    solved = _solved(run, start, begin, rtol, most_steps, atol=atol, executor=executor, tell=tell)
    return _finished(run, solved, strict)


def unsolved(
    model: Model,
    population: Population,
    schedule: Schedule,
    outs: np.ndarray,
    crossings: Sequence[Crossing],
    places: np.ndarray | None,
) -> Simulation:
    """A run before it is solved: its states have no number yet."""
    return Simulation(
        model=model,
        population=population,
        schedule=schedule,
        times=outs,
        states=np.empty((*outs.shape, 0)),
        crossings=tuple(crossings),
        places=placed(places, outs),
    )


def _solved(
    run: Simulation,
    start: np.ndarray,
    begin: np.ndarray | float,
    rtol: float,
    most_steps: int,
    *,
    atol: Given,
    executor: Executor | None,
    tell: Tell,
) -> Solved:
    """What the engine makes of a run."""
    from pkpd.simulation.crossings import watch
    from pkpd.solve.batch import solve_population
    from pkpd.solve.tolerance import tolerances

    return solve_population(
        run.model,
        start,
        run.population.inputs,
        run.schedule,
        run.times,
        np.asarray(begin, dtype=float),
        rtol,
        most_steps,
        executor=executor,
        places=run.places,
        watch=watch(run.model, run.crossings),
        atol=tolerances(run.model, rtol, atol),
        done=partial(tell, "patients in pieces"),
    )


def _finished(run: Simulation, solved: Solved, strict: bool) -> Simulation:
    """The run with who failed, and when crossings were met: missing in patients who failed before."""
    run = replace(run, states=solved.states, crossed=solved.crossed if run.crossings else None)
    lost = leave_out(run.model, run.times, solved.states, run.inputs, solved.status == 0)
    failed = failures(run, solved, lost, strict)
    unknown = (solved.status != 0) | np.isin(np.arange(len(run.times)), list(lost))
    crossed = np.where(unknown[:, None] & np.isinf(solved.crossed), np.nan, solved.crossed)
    return replace(run, failures=failed, crossed=crossed if run.crossings else None)
