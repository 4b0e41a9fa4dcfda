"""Simulation: what became of each patient over time; labels and units come back here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pkpd.errors import fail, nearest
from pkpd.machine.labels import Labelled, Row, named
from pkpd.model.model import Model
from pkpd.parameters.population import Population
from pkpd.regimen.schedule import SET, Schedule, nothing, settings
from pkpd.simulation.finite import computed_from, evaluated

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from pkpd.simulation.crossings import Crossing


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
