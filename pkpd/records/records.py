"""Records: a table of records, checked and ready to run."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pkpd.machine.labels import Labelled, Row, named
from pkpd.model.model import Model
from pkpd.parameters.population import Population
from pkpd.records.clock import Clock, Event
from pkpd.records.dosing import doses
from pkpd.records.rows import Rows
from pkpd.records.sheet import Sheet
from pkpd.records.table import Faults
from pkpd.regimen.schedule import SET, Schedule
from pkpd.simulation.run import start_states


@dataclass(frozen=True, repr=False)
class Records(Labelled):
    """A table of records, ready to run: patients, their events, and where each row stands among them.

    times, places  of each patient's rows (patient, row), the last repeated: when each is, and how many events
                   come before it. Time runs on where a reset sets the table's back
    inputs         the model's inputs at each row (row, input), and the covariates (row) that they follow
    fixed          which inputs the table itself gives, in a column of their name
    rows, sheet    the records themselves, checked; and as they are written
    backward       whether a row's inputs hold from the row before up to it, in place of from it on
    notices        what of the table was left aside, to be told
    """

    model: Model
    population: Population
    schedule: Schedule
    times: np.ndarray
    places: np.ndarray
    inputs: np.ndarray
    covariates: dict[str, np.ndarray]
    fixed: np.ndarray
    rows: Rows
    sheet: Sheet
    backward: bool = False
    notices: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        return self.rows.ids

    @property
    def patient(self) -> np.ndarray:
        """The number of each row's patient."""
        return self.rows.patient

    @property
    def place(self) -> np.ndarray:
        """The column of each row in `times` and `places`."""
        return self.rows.place

    def label(self) -> tuple[str, list[Row]]:
        rows = [("patients", named(self.ids)), ("doses", str(int(np.sum(self.rows.doses))))]
        return f"Records for {self.model.name}: {len(self.patient)} rows", [
            *rows,
            *(("notice", n) for n in self.notices),
        ]

    def dosing(self, population: Population) -> Schedule:
        """The events of these records for patients with other inputs: what `pkpd.sensitivity` differentiates.

        An input that a covariate moves keeps its ratio to the first row; one that the table gives is kept
        from its first change on.
        """
        first, other = self.population.inputs[self.patient], population.inputs[self.patient]
        changed = np.cumsum(self.inputs != first, axis=0)
        before = np.vstack([np.zeros_like(changed[:1]), changed])[self.rows.first][self.patient]
        ratio = np.divide(self.inputs, first, out=np.ones_like(first), where=first != 0)
        inputs = np.where(
            self.fixed & (changed > before), self.inputs, np.where(self.fixed, other, other * ratio)
        )
        faults = Faults("records", np.arange(len(inputs)) + 2)
        return events(self.rows, self.model, inputs, self.backward, faults)[0]


def events(
    rows: Rows,
    model: Model,
    inputs: np.ndarray,
    backward: bool,
    faults: Faults,
    executor: Executor | None = None,
) -> tuple[Schedule, np.ndarray]:
    """Every patient's events in order, and how many of them come before each row."""
    given = doses(rows, model, inputs, faults, executor)
    sets, starts = _changes(rows, inputs), _restarts(rows, model, inputs)
    count, events, offsets = np.zeros(len(rows.time), dtype=np.int64), [], [0]
    times = rows.time.tolist()
    for first, end in pairwise([*rows.first.tolist(), len(times)]):
        slack = 1e-12 * max(abs(times[first]), abs(times[end - 1]))
        clock = Clock(times[first], times[end - 1], slack)
        for r in range(first, end):
            if not backward:
                clock.advance(times[r])
            for column in sets.get(r, ()):
                clock.put(SET, column, inputs[r, column].item())
            clock.advance(times[r])
            if r in starts:
                clock.reset(starts[r])
            if r in given:
                clock.give(given[r])
            count[r] = len(clock.events)
        events += clock.events
        offsets.append(len(events))
    return _schedule(events, offsets), count


def _changes(rows: Rows, inputs: np.ndarray) -> dict[int, list[int]]:
    """The inputs (their numbers) that are others at a row than at its patient's row before."""
    found: dict[int, list[int]] = {}
    changed = np.argwhere((np.diff(np.real(inputs), axis=0) != 0) & (np.diff(rows.patient) == 0)[:, None])
    for row, column in changed.tolist():
        found.setdefault(row + 1, []).append(column)
    return found


def _restarts(rows: Rows, model: Model, inputs: np.ndarray) -> dict[int, list[complex]]:
    """The start values of each row that resets."""
    resets = np.flatnonzero(rows.evid >= 3)
    starts = start_states(model, Population(model.inputs, inputs[resets], {}))
    return dict(zip(resets.tolist(), starts.tolist(), strict=True))


def _schedule(events: list[Event], offsets: list[int]) -> Schedule:
    """Events as a schedule; `offsets` as it has them."""
    time, kind, index, value, carried = zip(*events, strict=True) if events else ((), (), (), (), ())
    return Schedule(
        np.array(offsets),
        np.array(time) * 1.0,
        np.array(kind, dtype=np.int64),
        np.array(index, dtype=np.int64),
        np.array(value) * 1.0,
        np.array(carried, dtype=bool),
    )
