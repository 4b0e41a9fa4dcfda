"""simulate(model, population, schedule) -> Simulation: labels and units come back here."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pkpd.errors import SimulationError, fail, nearest
from pkpd.model.expression import evaluate, names_in
from pkpd.model.schema import Model
from pkpd.population import Population
from pkpd.schedule import SET, Schedule, nothing, settings

if TYPE_CHECKING:
    import pandas as pd

    from pkpd.events import Crossing
    from pkpd.solve.batch import Solved


@dataclass(frozen=True)
class Simulation:
    """Patients' states over time: `times` (patient, time) in the model's time unit, `states` (patient, time, state).

    A patient that could not be solved is kept, its later states missing, and named in `failures`.
    `places` (patient, time) is how many of a patient's events come before each output; all up to its time if none.
    `crossed` (patient, crossing) is when each crossing was first met, infinite if it was not, missing if a patient failed before.
    """

    model: Model
    population: Population
    schedule: Schedule
    times: np.ndarray
    states: np.ndarray
    failures: tuple[str, ...] = ()
    crossed: np.ndarray | None = None
    crossings: tuple[Crossing, ...] = ()
    places: np.ndarray | None = None

    def __getitem__(self, name: str) -> np.ndarray:
        """A compartment, variable or input of every patient at its times (patient, time)."""
        return self._values([name])[name]

    def unit(self, name: str) -> str:
        """The unit of a compartment, variable or input."""
        return self.model.unit(name)

    def _values(self, names: list[str]) -> dict[str, np.ndarray]:
        model = self.model
        trees = {v.name: v.tree for v in model.variables}
        known = {*trees, *model.states, *model.inputs}
        for name in names:
            if name not in known:
                raise fail(model.name, f"has no {name!r}", nearest(name, known))
        needed, todo = set(), list(names)
        while todo:
            name = todo.pop()
            if name not in needed:
                needed.add(name)
                todo += names_in(trees[name]) if name in trees else ()
        values: dict[str, np.ndarray] = {}
        for i, name in enumerate(model.states):
            if name in needed:
                values[name] = self.states[:, :, i]
        for i, name in enumerate(model.inputs):
            if name in needed:
                values[name] = self._input(i)
        with np.errstate(all="ignore"):
            for v in model.variables:
                if v.name in needed:
                    values[v.name] = np.asarray(evaluate(v.tree, values, np)) + np.zeros(self.times.shape)
        return {n: values[n] for n in names}

    def _input(self, index: int) -> np.ndarray:
        start, schedule = self.population.inputs[:, index], self._with_crossings(self.model.inputs[index], index)
        if np.any((schedule.kind == SET) & (schedule.index == index)):
            return schedule.input_at(index, start, self.times)
        return np.broadcast_to(start[:, None], self.times.shape)

    def _with_crossings(self, name: str, index: int) -> Schedule:
        """The schedule and, before its events of the same time, what crossings set an input to."""
        taken = nothing(len(self.population))
        for k, crossing in enumerate(self.crossings):
            if name in crossing.then and self.crossed is not None:
                when = self.crossed[:, [k]]
                taken += settings(len(when), index, when, np.full(when.shape, crossing.then[name]))
        return taken + self.schedule if len(taken.time) else self.schedule

    def columns(self) -> dict[str, np.ndarray]:
        """ID, TIME, every compartment and variable, with a row a patient and time."""
        n, k = self.times.shape
        names = [*self.model.states, *(v.name for v in self.model.variables)]
        columns = {"ID": np.repeat(self.population.numbers, k), "TIME": self.times.ravel()}
        return columns | {name: x.ravel() for name, x in self._values(names).items()}

    def to_frame(self) -> pd.DataFrame:
        """The columns as a table; units in `.attrs["units"]`."""
        import pandas as pd

        frame = pd.DataFrame(self.columns())
        frame.attrs["units"] = {"ID": "1", "TIME": self.model.time, **{n: self.model.unit(n) for n in frame.columns[2:]}}
        return frame


def start_states(model: Model, population: Population) -> np.ndarray:
    """Each patient's start values (patient, state) from the model's start expressions."""
    values = {n: population.inputs[:, i] for i, n in enumerate(model.inputs)}
    start = np.empty((len(population), len(model.states)), dtype=population.inputs.dtype)
    for i, c in enumerate(model.compartments):
        start[:, i] = evaluate(c.start, values, np)
    return start


def check(model: Model, population: Population, schedule: Schedule, start: np.ndarray | None, begin: np.ndarray | float,
          rtol: float) -> None:
    """Refuses what the engine would read wrongly: it is compiled, and checks no bounds."""
    n = len(population)
    if population.names != model.inputs:
        raise fail("simulate", f"these patients were not drawn for {model.name}", "draw(model, parameters, n) with this model")
    if len(schedule) != n:
        raise fail("simulate", f"the schedule is of {len(schedule)} patients, the population of {n}", "")
    size = np.where(schedule.kind == SET, len(model.inputs), len(model.states))
    if np.any((schedule.index < 0) | (schedule.index >= size)):
        raise fail("simulate", f"the schedule was not made for {model.name}", "lower the regimen onto this model")
    if start is None and np.any(np.real(schedule.time) < np.broadcast_to(begin, (n,))[schedule.patients]):
        raise fail("simulate", "an event lies before the simulation's begin", "begin earlier, or give the states at its start")
    if start is not None and np.shape(start) != (n, len(model.states)):
        raise fail("simulate", f"start is of shape {np.shape(start)}, not {(n, len(model.states))}", "give (patient, state)")
    if not 0 < rtol < 1:
        raise fail("simulate", f"rtol = {rtol:g} is not a relative tolerance", "give a number between 0 and 1, such as 1e-6")


def grid(times: np.ndarray | tuple, n: int, begin: np.ndarray | float) -> np.ndarray:
    """Output times of each patient (patient, time), in order from `begin` on."""
    given = np.atleast_1d(np.asarray(times, dtype=float))
    if given.ndim > 2 or (given.ndim == 2 and len(given) not in (1, n)):
        raise fail("simulate", f"the times are of shape {given.shape}", f"give (time,) or ({n}, time)")
    outs = np.array(np.broadcast_to(given, (n, given.shape[-1])))
    if outs.shape[1] == 0 or np.any(np.diff(outs, axis=1) < 0) or not np.all(np.isfinite(outs)):
        raise fail("simulate", "the output times are not finite and in order", "give at least one, ascending")
    if np.any(outs[:, 0] < begin):
        raise fail("simulate", "an output time lies before the simulation's begin", "begin earlier, or leave it out")
    return outs


def failures(model: Model, population: Population, solved: Solved) -> tuple[str, ...]:
    """The patients that could not be solved, each with its number, time and reason."""
    from pkpd.solve.batch import REASONS

    return tuple(f"patient {population.numbers[i]}, {model.time} {solved.reached[i]:.6g}: {REASONS[int(solved.status[i])]}"
                 for i in np.flatnonzero(solved.status))


def simulate(model: Model, population: Population, schedule: Schedule | None = None,
             times: np.ndarray | tuple = (0.0,), *, begin: np.ndarray | float = 0.0,
             start: np.ndarray | None = None, rtol: float = 1e-6, strict: bool = True,
             executor: Executor | None = None, places: np.ndarray | None = None,
             crossings: Sequence[Crossing] = ()) -> Simulation:
    """Solves a model for every patient of a population.

    times   output times in the model's time unit, (time,) or (patient, time), in order
    begin   when integration starts, start the states then (default: the model's start values)
    strict  raise if a patient fails; otherwise keep it as failed
    places  how many of a patient's events come before each output, (patient, time); all up to its time if left out
    crossings  thresholds to look for, and what happens there (pkpd.Crossing)
    """
    from pkpd.events import watch
    from pkpd.solve.batch import solve_population

    n = len(population)
    schedule = schedule if schedule is not None else nothing(n)
    check(model, population, schedule, start, begin, rtol)
    outs = grid(times, n, begin)
    first = start_states(model, population) if start is None else start
    solved = solve_population(model, first, population.inputs, schedule, outs, np.asarray(begin, dtype=float), rtol,
                              executor=executor, places=places, watch=watch(model, crossings))
    failed = failures(model, population, solved)
    if failed and strict:
        raise SimulationError(f"{model.name}: {len(failed)} of {n} patients failed\n  " + "\n  ".join(failed[:5]))
    unknown = (solved.status != 0)[:, None] & np.isinf(solved.crossed)
    crossed = np.where(unknown, np.nan, solved.crossed) if crossings else None
    return Simulation(model, population, schedule, outs, solved.states, failed, crossed, tuple(crossings), places)
