"""simulate(model, population, schedule) -> Simulation: labels and units come back here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pkpd.errors import SimulationError, fail, nearest
from pkpd.machine.doors import door
from pkpd.machine.labels import Labelled, Row, named
from pkpd.model.expression import evaluate
from pkpd.model.model import Model
from pkpd.parameters.bounds import in_use, require
from pkpd.parameters.population import Population
from pkpd.regimen.schedule import SET, Schedule, nothing, settings
from pkpd.simulation.finite import computed_from, evaluated, leave_out

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from pkpd.simulation.crossings import Crossing
    from pkpd.solve.batch import Solved
    from pkpd.solve.tolerance import Given


Tell = Callable[[str, int, int], object]


def quiet(what: str, done: int, of: int) -> None:
    """Tells nobody."""


MOST_STEPS = 200_000  # from one event to the next


@dataclass(frozen=True, repr=False)
class Simulation(Labelled):
    """Patients' states over time: `times` (patient, time) in the model's time unit, `states` (patient, time,
    state) in the compartments' units.

    dy/dt = flows into y - flows out of y, from y(begin) = start, with the schedule's events between
    (`Schedule`). A patient that could not be solved is kept, its later states missing, and named in
    `failures`. `places` (patient, time) is how many of a patient's events come before each output; all up to
    its time if none. `crossed` (patient, crossing) is when each crossing was first met, infinite if it was
    not, missing if a patient failed before.
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

    def label(self) -> tuple[str, list[Row]]:
        n, k = self.times.shape
        span = (
            f"{k} times from {np.min(self.times):g} to {np.max(self.times):g} {self.model.time}"
            if self.times.size
            else "none"
        )
        rows = [
            ("times", span),
            ("states", named(self.model.states)),
            ("variables", named(v.name for v in self.model.variables)),
        ]
        rows += [("failed", f"{len(self.failures)} patients; {self.failures[0]}")] if self.failures else []
        return f"Simulation of {self.model.name}: {n} patients", rows

    def __iter__(self) -> Iterator[str]:
        return iter(self.model)

    def __contains__(self, name: object) -> bool:
        return name in self.model

    def __getitem__(self, name: str) -> np.ndarray:
        """A compartment, variable or input of every patient at its times (patient, time)."""
        return self._values([name])[name]

    def unit(self, name: str) -> str:
        """The unit of a compartment, variable or input."""
        return self.model.unit(name)

    def _values(self, names: list[str]) -> dict[str, np.ndarray]:
        model = self.model
        known = {*(v.name for v in model.variables), *model.states, *model.inputs}
        for name in names:
            if not isinstance(name, str) or name not in known:
                raise fail(model.name, f"has no {name!r}", nearest(name, known))
        values = evaluated(model, names, self.states, self.inputs(names))
        return {n: values[n] + np.zeros(self.times.shape) for n in names}

    def inputs(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """The inputs (patient, time) from which some compartments and variables are computed."""
        needed = computed_from(self.model, names)
        return {n: self._input(i) for i, n in enumerate(self.model.inputs) if n in needed}

    def _input(self, index: int) -> np.ndarray:
        start, schedule = (
            self.population.inputs[:, index],
            self._with_crossings(self.model.inputs[index], index),
        )
        if np.any((schedule.kind == SET) & (schedule.index == index)):
            return schedule.input_at(index, start, self.times)
        return np.broadcast_to(start[:, None], self.times.shape)

    def _with_crossings(self, name: str, index: int) -> Schedule:
        """The schedule and, before its events of the same time, what crossings set an input to."""
        if not any(name in crossing.then for crossing in self.crossings):
            return self.schedule
        taken = nothing(len(self.population))
        for k, crossing in enumerate(self.crossings):
            if name in crossing.then and self.crossed is not None:
                when = self.crossed[:, [k]]
                taken += settings(len(when), index, when, np.full(when.shape, crossing.then[name]))
        return taken + self.schedule if len(taken.time) else self.schedule

    def columns(self, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """ID, TIME and what is named, with a row a patient and time; no other variable is computed.

        names  compartments, variables, inputs and covariates; every compartment and variable if left out
        """
        n, k = self.times.shape
        names = (
            [*self.model.states, *(v.name for v in self.model.variables)] if names is None else list(names)
        )
        own = self.population.covariates
        known = [name for name in names if name in self.model or name not in own]
        values = self._values(known) | {
            c: np.repeat(own[c][:, None], k, axis=1) for c in names if c not in known
        }
        columns = {"ID": np.repeat(self.population.numbers, k), "TIME": self.times.ravel()}
        return columns | {name: values[name].ravel() for name in names}

    def to_frame(self, names: Sequence[str] | None = None) -> pd.DataFrame:
        """The columns as a table; units in `.attrs["units"]`.

        names  compartments, variables, inputs and covariates; every compartment and variable if left out
        """
        import pandas as pd

        frame = pd.DataFrame(self.columns(names))
        frame.attrs["units"] = {
            "ID": "1",
            "TIME": self.model.time,
            **{n: self._unit(n) for n in frame.columns[2:]},
        }
        return frame

    def _unit(self, name: str) -> str:
        return self.model.unit(name) if name in self.model else self.population.register[name].unit

    def plot(self, *names: str) -> Figure:
        """A panel for each compartment, variable or input: the median of patients and their middle 90 %; each
        patient where there are at most ten. Patients that failed are left out of the later times, and the
        title counts them.
        """
        from pkpd.simulation.curves import curves

        if not names:
            raise fail(
                "plot", "names nothing", f"name compartments or variables: plot({self.model.states[0]!r})"
            )
        lost = f"; {len(self.failures)} failed" if self.failures else ""
        return curves(
            self.times,
            self._values(list(names)),
            {n: self.model.unit(n) for n in names},
            self.model.time,
            f"{self.model.title}: {len(self.population)} patients{lost}",
        )


def start_states(model: Model, population: Population) -> np.ndarray:
    """Each patient's start values (patient, state) from the model's start expressions."""
    values = {n: population.inputs[:, i] for i, n in enumerate(model.inputs)}
    start = np.empty((len(population), len(model.states)), dtype=population.inputs.dtype)
    with np.errstate(all="ignore"):  # who cannot be started is told by the simulation
        for i, c in enumerate(model.compartments):
            start[:, i] = evaluate(c.start, values, np)
    return start


def check(
    model: Model,
    population: Population,
    schedule: Schedule,
    start: np.ndarray | None,
    begin: np.ndarray | float,
    rtol: float,
    most_steps: int = MOST_STEPS,
) -> None:
    """Refuses what the engine would read wrongly: it is compiled, and checks no bounds."""
    n = len(population)
    if population.names != model.inputs:
        raise fail(
            "simulate",
            f"these patients were not drawn for {model.name}",
            "draw(model, parameters, n) with this model",
        )
    if len(schedule) != n:
        raise fail("simulate", f"the schedule is of {len(schedule)} patients, the population of {n}", "")
    size = np.where(schedule.kind == SET, len(model.inputs), len(model.states))
    if np.any((schedule.index < 0) | (schedule.index >= size)):
        raise fail(
            "simulate", f"the schedule was not made for {model.name}", "lower the regimen onto this model"
        )
    if start is None and np.any(np.real(schedule.time) < np.broadcast_to(begin, (n,))[schedule.patients]):
        raise fail(
            "simulate",
            "an event lies before the simulation's begin",
            "begin earlier, or give the states at its start",
        )
    if start is not None and np.shape(start) != (n, len(model.states)):
        raise fail(
            "simulate",
            f"start is of shape {np.shape(start)}, not {(n, len(model.states))}",
            "give (patient, state)",
        )
    _check_inputs(model, population, schedule)
    if not 0 < rtol < 1:
        raise fail(
            "simulate",
            f"rtol = {rtol:g} is not a relative tolerance",
            "give a number between 0 and 1, such as 1e-6",
        )
    if not 0 < most_steps < 2**62:
        raise fail(
            "simulate",
            f"most_steps = {most_steps!r} is not a number of steps",
            "give a whole number, 1 or more",
        )


def _check_inputs(model: Model, population: Population, schedule: Schedule) -> None:
    """Refuses inputs, at the start or set by the schedule, that the model's parameters cannot be."""
    asked, numbers = in_use(model), population.numbers
    require(asked, population.inputs, "simulate", lambda i: f"patient {numbers[i]}", missing=True)
    for index in np.unique(schedule.index[schedule.kind == SET]):
        rows = np.flatnonzero((schedule.kind == SET) & (schedule.index == index))
        who, when = numbers[schedule.patients[rows]], np.real(schedule.time[rows])
        require(
            [asked[index]],
            schedule.value[rows, None],
            "schedule",
            lambda i, who=who, when=when: f"patient {who[i]}, {model.time} {when[i]:g}",
            missing=True,
        )


def grid(times: np.ndarray | tuple, n: int, begin: np.ndarray | float) -> np.ndarray:
    """Output times of each patient (patient, time), in order from `begin` on."""
    given = np.atleast_1d(np.asarray(times, dtype=float))
    if given.ndim > 2 or (given.ndim == 2 and len(given) not in (1, n)):
        raise fail("simulate", f"the times are of shape {given.shape}", f"give (time,) or ({n}, time)")
    outs = np.array(np.broadcast_to(given, (n, given.shape[-1])))
    if outs.shape[1] == 0 or np.any(np.diff(outs, axis=1) < 0) or not np.all(np.isfinite(outs)):
        raise fail("simulate", "the output times are not finite and in order", "give at least one, ascending")
    if np.any(outs[:, 0] < begin):
        raise fail(
            "simulate", "an output time lies before the simulation's begin", "begin earlier, or leave it out"
        )
    return outs


def placed(places: np.ndarray | None, outs: np.ndarray) -> np.ndarray | None:
    """How many of a patient's events come before each output (patient, time), checked: the engine reads what
    it is given.
    """
    if places is None:
        return None
    given = np.asarray(places)
    if given.shape != outs.shape:
        raise fail(
            "simulate",
            f"places are of shape {given.shape}, not {outs.shape}",
            "give one for each output: (patient, time)",
        )
    if given.dtype.kind not in "iu" or np.any(given < 0) or np.any(np.diff(given, axis=1) < 0):
        raise fail(
            "simulate",
            "places are not counts of events in order",
            "give whole numbers that do not fall along a row",
        )
    return given


def failures(
    model: Model, population: Population, solved: Solved, lost: Mapping[int, tuple[float, str]]
) -> tuple[str, ...]:
    """The patients that could not be solved, or of whom a variable is not finite, each with its number, time
    and reason.
    """
    from pkpd.solve.batch import REASONS

    told = {i: (solved.reached[i], REASONS[int(solved.status[i])]) for i in np.flatnonzero(solved.status)}
    told |= {i: (time, f"{name} is not finite") for i, (time, name) in lost.items()}
    return tuple(
        f"patient {population.numbers[i]}, {model.time} {time:.6g}: {why}"
        for i, (time, why) in sorted(told.items())
    )


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
    places  how many of a patient's events come before each output, (patient, time); all up to its time if
            left out
    crossings  thresholds to look for, and what happens there (pkpd.Crossing)
    atol    absolute tolerance, in the compartments' units: one number, or numbers by compartment; if left
            out, from a compartment's `scale`, or from what enters it (solve/tolerance)
    most_steps  after which a patient fails, counted anew from each event (a dose, a value set, a crossing's
                action)
    tell    is told how far it is: (what, done, of)
    """
    from pkpd.simulation.crossings import watch
    from pkpd.solve.batch import solve_population
    from pkpd.solve.tolerance import tolerances

    n = len(population)
    schedule = schedule if schedule is not None else nothing(n)
    check(model, population, schedule, start, begin, rtol, most_steps)
    outs = grid(times, n, begin)
    places = placed(places, outs)
    first = start_states(model, population) if start is None else start
    solved = solve_population(
        model,
        first,
        population.inputs,
        schedule,
        outs,
        np.asarray(begin, dtype=float),
        rtol,
        most_steps,
        executor=executor,
        places=places,
        watch=watch(model, crossings),
        atol=tolerances(model, rtol, atol),
        done=partial(tell, "patients in pieces"),
    )
    run = Simulation(
        model=model,
        population=population,
        schedule=schedule,
        times=outs,
        states=solved.states,
        failures=(),
        crossed=solved.crossed if crossings else None,
        crossings=tuple(crossings),
    )
    lost = leave_out(model, outs, solved.states, run.inputs, solved.status == 0)
    failed = failures(model, population, solved, lost)
    if failed and strict:
        raise SimulationError(
            f"{model.name}: {len(failed)} of {n} patients failed\n  " + "\n  ".join(failed[:5])
        )
    unknown = (solved.status != 0) | np.isin(np.arange(n), list(lost))
    crossed = np.where(unknown[:, None] & np.isinf(solved.crossed), np.nan, solved.crossed)
    return replace(run, failures=failed, crossed=crossed if crossings else None, places=places)
