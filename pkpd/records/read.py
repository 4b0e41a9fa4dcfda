"""read_records(table, model, parameters) -> Records; simulate_records(records) -> one row a record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pkpd.doors import door
from pkpd.errors import SimulationError, fail, nearest
from pkpd.labels import Labelled, Row, named
from pkpd.model.schema import Model
from pkpd.parameters import load_parameters
from pkpd.population import Population
from pkpd.records.carry import carried
from pkpd.records.clock import Clock, Dose
from pkpd.records.dates import clocked
from pkpd.records.dosing import doses
from pkpd.records.inputs import check_inputs, covariates_read, row_inputs
from pkpd.records.rows import Rows, read_rows
from pkpd.records.sheet import Sheet, read_sheet
from pkpd.records.table import Faults, Table, sort_columns
from pkpd.schedule import SET, Schedule, nothing
from pkpd.simulation import Simulation, simulate, start_states
from pkpd.values import Parameters

if TYPE_CHECKING:
    import pandas as pd

RTOL = 1e-8
_WAYS = ("forward", "backward")


@dataclass(frozen=True, repr=False)
class Records(Labelled):
    """A table of records, ready to run: patients, their events, and where each row stands among them.

    times, places  of each patient's rows (patient, row), the last repeated; `place` is a row's column there.
                   Time runs on where a reset sets the table's back
    inputs         the model's inputs at each row (row, input), and the covariates (row) that they follow
    fixed          which inputs the table itself gives, in a column of their name
    rows, sheet    the records themselves, checked; and as they are written
    backward       whether a row's inputs hold from the row before up to it, in place of from it on
    notices        what of the table was left aside, to be told
    """

    model: Model
    ids: tuple[str, ...]
    population: Population
    schedule: Schedule
    times: np.ndarray
    places: np.ndarray
    patient: np.ndarray
    place: np.ndarray
    inputs: np.ndarray
    covariates: dict[str, np.ndarray]
    fixed: np.ndarray
    rows: Rows
    sheet: Sheet
    backward: bool = False
    notices: tuple[str, ...] = ()

    def label(self) -> tuple[str, list[Row]]:
        rows = [("patients", named(self.ids)), ("doses", str(int(np.sum(self.rows.doses))))]
        return f"Records for {self.model.name}: {len(self.patient)} rows", [*rows, *(("notice", n) for n in self.notices)]

    def dosing(self, population: Population) -> Schedule:
        """The events of these records for patients with other inputs: what `pkpd.sensitivity` differentiates.

        An input that a covariate moves keeps its ratio to the first row; one that the table gives is kept from its first
        change on.
        """
        first, other = self.population.inputs[self.patient], population.inputs[self.patient]
        changed = np.cumsum(self.inputs != first, axis=0)
        before = np.vstack([np.zeros_like(changed[:1]), changed])[self.rows.first][self.patient]
        ratio = np.divide(self.inputs, first, out=np.ones_like(first), where=first != 0)
        inputs = np.where(self.fixed & (changed > before), self.inputs, np.where(self.fixed, other, other * ratio))
        faults = Faults("records", np.arange(len(inputs)) + 2)
        given = doses(self.rows, self.model, inputs, faults)
        return _events(self.rows, self.model, inputs, given, self.backward)[0]


@door
def read_records(source: str | Path | pd.DataFrame, model: Model, parameters: Parameters | None = None, *,
                 seed: int | str = 0, typical: bool = False, covariates: str = "forward",
                 executor: Executor | None = None) -> Records:
    """The records of a CSV or Parquet file or a data frame, in the model's units of time and amount.

    parameters  the model's default set if left out
    typical     patients without spread, in place of virtual patients drawn under the seed
    covariates  "forward": a row's covariates and parameters hold from it on; "backward": from the row before
                up to it, as in NONMEM
    """
    if covariates not in _WAYS:
        raise fail("covariates", f"{covariates!r} is neither forward nor backward",
                   nearest(str(covariates), _WAYS))
    parameters = load_parameters(model=model) if parameters is None else parameters
    sheet = read_sheet(source)
    table = sort_columns(sheet, model, covariates_read(parameters, sheet.names))
    faults, backward = Faults(table.where, table.lines), covariates == "backward"
    rows = read_rows(table, model, faults)
    people, inputs, features = row_inputs(table, rows, model, parameters, seed, typical, backward, faults)
    check_inputs(model, inputs, faults)
    given = doses(rows, model, inputs, faults, executor)
    schedule, count = _events(rows, model, inputs, given, backward)
    place = np.arange(len(table)) - rows.first[rows.patient]
    shape = (len(rows.ids), int(place.max()) + 1)
    last = np.append(rows.first[1:], len(table)) - 1
    at = np.minimum(rows.first[:, None] + np.arange(shape[1]), last[:, None])
    return Records(model, rows.ids, people, schedule, rows.time[at], count[at], rows.patient, place, inputs,
                   features, np.isin(model.inputs, [*table.cells]), rows, sheet, backward,
                   (*table.notices, *_clock_told(table, model)))


def _clock_told(table: Table, model: Model) -> tuple[str, ...]:
    """What is said of a table with dates or clock times."""
    if not clocked(table):
        return ()
    told = "dates and clock times are read as hours from each patient's first row"
    more = f", and II, DUR and RATE in hours too; the model counts in {model.time}s"
    return (told if model.time == "hour" else told + more,)


def _events(rows: Rows, model: Model, inputs: np.ndarray, given: dict[int, Dose],
            backward: bool) -> tuple[Schedule, np.ndarray]:
    """Every patient's events in order, and how many of them come before each row."""
    sets: dict[int, list[int]] = {}
    changed = np.argwhere((np.diff(np.real(inputs), axis=0) != 0) & (np.diff(rows.patient) == 0)[:, None])
    for row, column in changed.tolist():
        sets.setdefault(row + 1, []).append(column)
    resets = np.flatnonzero(rows.evid >= 3)
    starts = dict(zip(resets.tolist(), start_states(model, Population(model.inputs, inputs[resets], {})).tolist(), strict=True))
    edges = [*rows.first.tolist(), len(rows.time)]
    count, events, offsets = np.zeros(len(rows.time), dtype=np.int64), [], [0]
    times = rows.time.tolist()
    for first, end in zip(edges[:-1], edges[1:], strict=True):
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
    time, kind, index, value, carried = zip(*events, strict=True) if events else ((), (), (), (), ())
    return Schedule(np.array(offsets), np.array(time) * 1.0, np.array(kind, dtype=np.int64),
                    np.array(index, dtype=np.int64), np.array(value) * 1.0, np.array(carried, dtype=bool)), count


@door
def simulate_records(records: Records, *, rtol: float = RTOL, strict: bool = True, carry: Iterable[str] = (),
                     executor: Executor | None = None) -> pd.DataFrame:
    """One row a record, in their order: ID, TIME, every compartment and variable; units in `.attrs["units"]`.

    A row shows what its record and all before it leave behind. A patient that fails is raised, or, if not strict, told
    in `.attrs["failures"]`, its later rows empty; FAILED names the time and the reason on each of its rows.

    carry  columns of the table, inputs and covariates to stand in each row too: `["EVID", "DV", "CL"]`
    """
    r = records
    more = carried(r, carry)
    run = simulate(r.model, r.population, r.schedule, r.times, begin=r.times[:, 0], places=r.places, rtol=rtol, strict=False,
                   executor=executor)
    failed = np.flatnonzero(np.isnan(run.states[:, -1]).any(axis=1))
    failures = [f"ID {r.ids[i]}, {text.partition(', ')[2]}" for i, text in zip(failed, run.failures, strict=True)]
    if failures and strict:
        raise SimulationError(f"{r.model.name}: {len(failures)} of {len(r.ids)} patients failed\n  " + "\n  ".join(failures[:5]))
    each = Population(r.model.inputs, r.inputs, {})  # every row as a patient of one time, for variables by its own inputs
    states, times = run.states[r.patient, r.place], r.times[r.patient, r.place]
    frame = Simulation(r.model, each, nothing(len(each)), times[:, None], states[:, None, :]).to_frame()
    frame["ID"], frame["TIME"] = _identity(r.ids)[r.patient], r.rows.written
    for name, (values, unit) in more.items():
        frame[name] = values
        frame.attrs["units"] |= {name: unit} if unit else {}
    why = np.full(len(r.ids), None, dtype=object)
    why[failed] = [text.partition(", ")[2] for text in run.failures]
    frame["FAILED"] = why[r.patient]
    frame.attrs["failures"] = failures
    return frame


def _identity(ids: Sequence[str]) -> np.ndarray:
    """IDs as the table has them, as whole numbers where all are written so."""
    if all(i.removeprefix("-").isdecimal() and len(i) < 19 and str(int(i)) == i for i in ids):
        return np.array([int(i) for i in ids])
    return np.array(ids, dtype=object)
