"""read_records(table, model, parameters) -> Records; simulate_records(records) -> one row a record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pkpd.errors import SimulationError, fail, nearest
from pkpd.machine.doors import door
from pkpd.model.model import Model
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.population import Population
from pkpd.parameters.sets import load_parameters
from pkpd.records.carry import carried
from pkpd.records.dates import clocked
from pkpd.records.dosing import doses
from pkpd.records.inputs import check_inputs, covariates_read, row_inputs
from pkpd.records.records import Records, events
from pkpd.records.rows import read_rows
from pkpd.records.sheet import read_sheet
from pkpd.records.table import Faults, Table, sort_columns
from pkpd.regimen.schedule import nothing
from pkpd.simulation.simulation import Simulation, simulate

if TYPE_CHECKING:
    import pandas as pd

RTOL = 1e-8
_WAYS = ("forward", "backward")


@door
def read_records(
    source: str | Path | pd.DataFrame,
    model: Model,
    parameters: Parameters | None = None,
    *,
    seed: int | str = 0,
    typical: bool = False,
    covariates: str = "forward",
    executor: Executor | None = None,
) -> Records:
    """The records of a CSV or Parquet file or a data frame, in the model's units of time and amount.

    parameters  the model's default set if left out
    typical     patients without spread, in place of virtual patients drawn under the seed
    covariates  "forward": a row's covariates and parameters hold from it on; "backward": from the row before
                up to it, as in NONMEM
    """
    if covariates not in _WAYS:
        raise fail(
            "covariates", f"{covariates!r} is neither forward nor backward", nearest(str(covariates), _WAYS)
        )
    parameters = load_parameters(model=model) if parameters is None else parameters
    sheet = read_sheet(source)
    table = sort_columns(sheet, model, covariates_read(parameters, sheet.names))
    faults, backward = Faults(table.where, table.lines), covariates == "backward"
    rows = read_rows(table, model, faults)
    people, inputs, features = row_inputs(table, rows, model, parameters, seed, typical, backward, faults)
    check_inputs(model, inputs, faults)
    given = doses(rows, model, inputs, faults, executor)
    schedule, count = events(rows, model, inputs, given, backward)
    place = np.arange(len(table)) - rows.first[rows.patient]
    shape = (len(rows.ids), int(place.max()) + 1)
    last = np.append(rows.first[1:], len(table)) - 1
    at = np.minimum(rows.first[:, None] + np.arange(shape[1]), last[:, None])
    return Records(
        model=model,
        ids=rows.ids,
        population=people,
        schedule=schedule,
        times=rows.time[at],
        places=count[at],
        patient=rows.patient,
        place=place,
        inputs=inputs,
        covariates=features,
        fixed=np.isin(model.inputs, [*table.cells]),
        rows=rows,
        sheet=sheet,
        backward=backward,
        notices=(*table.notices, *_clock_told(table, model)),
    )


def _clock_told(table: Table, model: Model) -> tuple[str, ...]:
    """What is said of a table with dates or clock times."""
    if not clocked(table):
        return ()
    told = "dates and clock times are read as hours from each patient's first row"
    more = f", and II, DUR and RATE in hours too; the model counts in {model.time}s"
    return (told if model.time == "hour" else told + more,)


@door
def simulate_records(
    records: Records,
    *,
    rtol: float = RTOL,
    strict: bool = True,
    carry: Iterable[str] = (),
    executor: Executor | None = None,
) -> pd.DataFrame:
    """One row a record, in their order: ID, TIME, every compartment and variable; units in `.attrs["units"]`.

    A row shows what its record and all before it leave behind. A patient that fails is raised, or, if not
    strict, told in `.attrs["failures"]`, its later rows empty; FAILED names the time and the reason on each
    of its rows.

    carry  columns of the table, inputs and covariates to stand in each row too: `["EVID", "DV", "CL"]`
    """
    r = records
    more = carried(r, carry)
    run = simulate(
        r.model,
        r.population,
        r.schedule,
        r.times,
        begin=r.times[:, 0],
        places=r.places,
        rtol=rtol,
        strict=False,
        executor=executor,
    )
    failed = np.flatnonzero(np.isnan(run.states[:, -1]).any(axis=1))
    failures = [
        f"ID {r.ids[i]}, {text.partition(', ')[2]}" for i, text in zip(failed, run.failures, strict=True)
    ]
    if failures and strict:
        raise SimulationError(
            f"{r.model.name}: {len(failures)} of {len(r.ids)} patients failed\n  " + "\n  ".join(failures[:5])
        )
    each = Population(
        r.model.inputs, r.inputs, {}
    )  # every row as a patient of one time, for variables by its own inputs
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
