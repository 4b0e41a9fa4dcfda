"""read_records(table, model, parameters) -> Records: cells to rows, patients and events, all checked."""

from __future__ import annotations

from concurrent.futures import Executor
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pkpd.content.data_items import REFUSED
from pkpd.content.units import ratio
from pkpd.errors import fail, nearest
from pkpd.machine.doors import door
from pkpd.model.model import Model
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.sets import load_parameters
from pkpd.records.check import rules
from pkpd.records.dates import clocked, elapsed, hours
from pkpd.records.inputs import check_inputs, covariates_read, row_inputs
from pkpd.records.records import Records, events
from pkpd.records.rows import OFF, UNKNOWN, UNSAID, Rows
from pkpd.records.sheet import MISSING, is_number, read_sheet
from pkpd.records.table import Faults, Table, shown, sort_columns

if TYPE_CHECKING:
    import pandas as pd

_WAYS = ("forward", "backward")
_FAR = 1e12  # a time beyond every clock


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
    backward = _is_backward(covariates)
    parameters = load_parameters(model=model) if parameters is None else parameters
    sheet = read_sheet(source)
    table = sort_columns(sheet, model, covariates_read(parameters, sheet.names), parameters.register)
    faults = Faults(table.where, table.lines)
    rows = _read_rows(table, model, faults)
    people, inputs, features = row_inputs(table, rows, model, parameters, seed, typical, backward, faults)
    check_inputs(model, inputs, faults)
    schedule, count = events(rows, model, inputs, backward, faults, executor)
    return Records(
        model=model,
        population=people,
        schedule=schedule,
        times=rows.time[rows.grid],
        places=count[rows.grid],
        inputs=inputs,
        covariates=features,
        fixed=np.isin(model.inputs, [*table.cells]),
        rows=rows,
        sheet=sheet,
        backward=backward,
        notices=(*table.notices, *_clock_told(table, model)),
    )


def _is_backward(covariates: str) -> bool:
    """Whether a row's covariates hold from the row before up to it."""
    if covariates not in _WAYS:
        raise fail(
            "covariates", f"{covariates!r} is neither forward nor backward", nearest(str(covariates), _WAYS)
        )
    return covariates == "backward"


def _clock_told(table: Table, model: Model) -> tuple[str, ...]:
    """What is said of a table with dates or clock times."""
    if not clocked(table):
        return ()
    told = "dates and clock times are read as hours from each patient's first row"
    more = f", and II, DUR and RATE in hours too; the model counts in {model.time}s"
    return (told if model.time == "hour" else told + more,)


def _read_rows(table: Table, model: Model, faults: Faults) -> Rows:
    """The records of a table; what is illegal goes to `faults`.

    Where the table has dates or clock times, its TIME, II and DUR are in hours, its RATE an amount an hour.
    """
    clock = clocked(table)
    number = {
        w: table.numbers(w, faults, read=hours if clock and w in ("II", "DUR") else None)
        for w in ("EVID", "AMT", "RATE", "DUR", "SS", "II", "ADDL", *REFUSED)
    }
    missing = [i for i, c in enumerate(table.cells["TIME"]) if c in MISSING]
    faults.add(missing, "TIME", "is missing", "give every row a time")
    ids, patient = _patients(table, faults)
    time = elapsed(table, patient, faults) if clock else table.numbers("TIME", faults)
    time = _on_a_clock(table, time, model, faults)
    if clock:
        per = float(ratio(model.time, "hour"))
        time, number["II"], number["DUR"] = time / per, number["II"] / per, number["DUR"] / per
        number["RATE"] = np.where(number["RATE"] > 0, number["RATE"] * per, number["RATE"])
    if "EVID" not in table.cells:
        number["EVID"] = ((number["AMT"] != 0) | (number["RATE"] != 0)).astype(float)
    rows = Rows(
        ids=ids,
        patient=patient,
        written=time,
        time=_running_on(time, patient, number["EVID"]),
        evid=number["EVID"],
        amount=number["AMT"],
        rate=number["RATE"],
        duration=number["DUR"],
        steady=number["SS"],
        interval=number["II"],
        more=number["ADDL"],
        compartment=_compartments(table, model),
    )
    _add_illegal(rows, table, model, {w: number[w] for w in REFUSED}, faults)
    return rows


def _on_a_clock(table: Table, time: np.ndarray, model: Model, faults: Faults) -> np.ndarray:
    """The times, 0 where one is beyond every clock, which is told."""
    far = np.abs(time) > _FAR
    faults.add(
        np.flatnonzero(far),
        "TIME",
        lambda r: f"{table.cells['TIME'][r]} is beyond every clock",
        f"write times in {model.time}s",
    )
    return np.where(far, 0.0, time)


def _add_illegal(
    rows: Rows, table: Table, model: Model, refused: dict[str, np.ndarray], faults: Faults
) -> None:
    """Adds what no record may be, and what would change the meaning of rows if it were passed over."""
    # a cell that is no number brings no further faults along
    readable = ~np.isin(np.arange(len(table)), list(faults.rows))
    named = table.cells.get("CMT", [""] * len(table))
    for column, wrong, what, remedy in rules(rows, model, named):
        faults.add(np.flatnonzero(wrong & readable), column, what, remedy)
    for column, values in refused.items():
        text, remedy = REFUSED[column]
        faults.add(
            np.flatnonzero((values != 0) & readable),
            column,
            lambda r, v=values, text=text: f"{v[r]:g} {text}",
            remedy,
        )


def _running_on(time: np.ndarray, patient: np.ndarray, evid: np.ndarray) -> np.ndarray:
    """Time that goes on from the row before where a reset (EVID 3 or 4) sets it back: a new occasion."""
    before = np.roll(time, 1)
    again = (np.diff(patient, prepend=-1) == 0) & (evid >= 3) & (time < before)
    if not again.any():
        return time
    shift = np.cumsum(np.where(again, before - time, 0.0))
    first = np.flatnonzero(np.diff(patient, prepend=-1))
    return time + (shift - shift[first][patient])


def _patients(table: Table, faults: Faults) -> tuple[tuple[str, ...], np.ndarray]:
    """The IDs in the order of the table, and the number of each row's; an ID stands in one run of rows.

    IDs that are numbers are compared as such: 1, 1.0 and 01 are one patient, named as in its first row.
    """
    cells = table.cells["ID"]
    missing = [i for i, c in enumerate(cells) if c in MISSING]
    faults.add(missing, "ID", "is missing", "give every row its patient")
    known: dict[Decimal | str, int] = {}
    keys, names = [_identity(c) for c in cells], []
    patient, again = np.zeros(len(cells), dtype=int), []
    for i, key in enumerate(keys):
        if key not in known:
            known[key] = len(known)
            names.append(_named(cells[i], key))
        elif key != keys[i - 1]:
            again.append(i)
        patient[i] = known[key]
    faults.add(
        again,
        "ID",
        lambda r: f"patient {shown(cells[r])[1:-1]} comes again after others",
        "keep each patient's rows together",
    )
    if again:
        faults.raise_all()  # no further rule can be read where patients are torn apart
    return tuple(names), patient


def _identity(cell: str) -> Decimal | str:
    """What an ID is compared by: its number, if it is one."""
    try:
        return Decimal(cell) if is_number(cell) else cell
    except InvalidOperation:
        return cell


def _named(cell: str, key: Decimal | str) -> str:
    """An ID as written; a whole number with a point or exponent (1.0000E+00) as a whole number."""
    if isinstance(key, str) or cell.lstrip("+-").isdecimal() or key.adjusted() > 14 or key != int(key):
        return cell
    return str(int(key))


def _compartments(table: Table, model: Model) -> np.ndarray:
    """The state that each row names, by number or name, or why there is none."""
    dosed = [i for i, c in enumerate(model.compartments) if c.dose is not None]
    default = dosed[0] if len(dosed) == 1 else UNSAID
    known = dict.fromkeys(MISSING, default) | {name: i for i, name in enumerate(model.states)}

    def state(cell: str) -> int:
        try:
            number = float(cell)
        except ValueError:
            return UNKNOWN
        if number == 0:
            return default
        if number < 0:
            return OFF
        return int(number) - 1 if number in range(1, len(model.states) + 1) else UNKNOWN

    cells = table.cells.get("CMT", [""] * len(table))
    for cell in set(cells) - set(known):
        known[cell] = state(cell)
    return np.array([known[c] for c in cells], dtype=int)
