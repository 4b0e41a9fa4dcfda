"""simulate_records(records) -> one row a record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np

from pkpd.errors import SimulationError
from pkpd.machine.doors import door
from pkpd.parameters.population import Population
from pkpd.records.carry import carried
from pkpd.records.records import Records
from pkpd.regimen.schedule import nothing
from pkpd.simulation.run import simulate
from pkpd.simulation.simulation import Simulation

if TYPE_CHECKING:
    import pandas as pd

RTOL = 1e-8


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
    run = _simulated(r, rtol, executor)
    failed = np.flatnonzero(np.isnan(run.states[:, -1]).any(axis=1))
    reasons = [text.partition(", ")[2] for text in run.failures]
    failures = [f"ID {r.ids[i]}, {reason}" for i, reason in zip(failed, reasons, strict=True)]
    if failures and strict:
        raise SimulationError(
            f"{r.model.name}: {len(failures)} of {len(r.ids)} patients failed\n  " + "\n  ".join(failures[:5])
        )
    frame = _row_by_row(r, run.states)
    for name, (values, unit) in more.items():
        frame[name] = values
        frame.attrs["units"] |= {name: unit} if unit else {}
    why = np.full(len(r.ids), None, dtype=object)
    why[failed] = reasons
    frame["FAILED"] = why[r.patient]
    frame.attrs["failures"] = failures
    return frame


def _simulated(records: Records, rtol: float, executor: Executor | None) -> Simulation:
    """Each patient from its first row on, failures told and not raised."""
    return simulate(
        records.model,
        records.population,
        records.schedule,
        records.times,
        begin=records.times[:, 0],
        places=records.places,
        rtol=rtol,
        strict=False,
        executor=executor,
    )


def _row_by_row(records: Records, states: np.ndarray) -> pd.DataFrame:
    """ID, TIME, states and variables at each row; `states` (patient, time, state) as simulated."""
    r = records
    # every row as a patient of one time, for variables by its own inputs
    each = Population(r.model.inputs, r.inputs, {})
    states, times = states[r.patient, r.place], r.times[r.patient, r.place]
    frame = Simulation(r.model, each, nothing(len(each)), times[:, None], states[:, None, :]).to_frame()
    frame["ID"], frame["TIME"] = _identity(r.ids)[r.patient], r.rows.written
    return frame


def _identity(ids: Sequence[str]) -> np.ndarray:
    """IDs as the table has them, as whole numbers where all are written so."""
    if all(i.removeprefix("-").isdecimal() and len(i) < 19 and str(int(i)) == i for i in ids):
        return np.array([int(i) for i in ids])
    return np.array(ids, dtype=object)
