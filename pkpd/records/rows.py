"""The rows of a table as records: whose, when, what kind, which dose; every illegal one told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import numpy as np

from pkpd.content.data_items import REFUSED
from pkpd.content.units import ratio
from pkpd.model.model import Model
from pkpd.records.dates import clocked, elapsed, hours
from pkpd.records.sheet import MISSING, is_number
from pkpd.records.table import Faults, Table, shown

_OFF, _UNKNOWN, _UNSAID = -3, -2, -1
_DOSE_WORDS = ("AMT", "RATE", "DUR", "SS", "II", "ADDL")
_TOO_MANY = 100_000
_FAR = 1e12


@dataclass(frozen=True)
class Rows:
    """One array a data item, one entry a row; `patient` numbers the IDs, `compartment` the model's states.

    `written` is the time that the table gives; `time` that of one that runs on where a reset sets it back.
    """

    ids: tuple[str, ...]
    patient: np.ndarray
    written: np.ndarray
    time: np.ndarray
    evid: np.ndarray
    amount: np.ndarray
    rate: np.ndarray
    duration: np.ndarray
    steady: np.ndarray
    interval: np.ndarray
    more: np.ndarray
    compartment: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """The first row of each patient."""
        return np.flatnonzero(np.diff(self.patient, prepend=-1))

    @property
    def last_time(self) -> np.ndarray:
        """For each row, the time of its patient's last row."""
        last = np.flatnonzero(np.diff(self.patient, append=len(self.ids)))
        return self.time[last][self.patient]

    @property
    def doses(self) -> np.ndarray:
        """Whether a row gives a dose."""
        return (self.evid == 1) | (self.evid == 4)


def read_rows(table: Table, model: Model, faults: Faults) -> Rows:
    """The records of a table; what is illegal goes to `faults`.

    Where the table has dates or clock times, its TIME, II and DUR are in hours, its RATE an amount an hour.
    """
    clock = clocked(table)
    number = {
        w: table.numbers(w, faults, read=hours if clock and w in ("II", "DUR") else None)
        for w in ("EVID", *_DOSE_WORDS, *REFUSED)
    }
    missing = [i for i, c in enumerate(table.cells["TIME"]) if c in MISSING]
    faults.add(missing, "TIME", "is missing", "give every row a time")
    ids, patient = _patients(table, faults)
    time = elapsed(table, patient, faults) if clock else table.numbers("TIME", faults)
    far = np.abs(time) > _FAR
    faults.add(
        np.flatnonzero(far),
        "TIME",
        lambda r: f"{table.cells['TIME'][r]} is beyond every clock",
        f"write times in {model.time}s",
    )
    time = np.where(far, 0.0, time)
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
    readable = ~np.isin(
        np.arange(len(table)), list(faults.rows)
    )  # a cell that is no number brings no further faults along
    refused = [
        (w, number[w] != 0, lambda r, w=w, text=text: f"{number[w][r]:g} {text}", remedy)
        for w, (text, remedy) in REFUSED.items()
    ]
    named = table.cells.get("CMT", [""] * len(table))
    for column, wrong, what, remedy in [*_rules(rows, model, named), *refused]:
        faults.add(np.flatnonzero(wrong & readable), column, what, remedy)
    return rows


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
    default = dosed[0] if len(dosed) == 1 else _UNSAID
    known = dict.fromkeys(MISSING, default) | {name: i for i, name in enumerate(model.states)}

    def state(cell: str) -> int:
        try:
            number = float(cell)
        except ValueError:
            return _UNKNOWN
        if number == 0:
            return default
        if number < 0:
            return _OFF
        return int(number) - 1 if number in range(1, len(model.states) + 1) else _UNKNOWN

    cells = table.cells.get("CMT", [""] * len(table))
    for cell in set(cells) - set(known):
        known[cell] = state(cell)
    return np.array([known[c] for c in cells], dtype=int)


Rule = tuple[str, np.ndarray, str | Callable[[int], str], str]


def _rules(rows: Rows, model: Model, named: list[str]) -> list[Rule]:
    """What no record may be: column, the rows that are so, what is wrong, and the remedy."""
    back = (np.diff(rows.time, prepend=np.inf) < 0) & (np.diff(rows.patient, prepend=-1) == 0)
    at = rows.written
    order = (
        "TIME",
        back,
        lambda r: f"goes back from {at[r - 1]:.15g} to {at[r]:.15g} within a patient",
        "sort each patient's rows by time; only a reset (EVID 3 or 4) may begin it again",
    )
    return [
        order,
        *_item_rules(rows),
        *_dose_rules(rows),
        *_steady_rules(rows),
        *_compartment_rules(rows, model, named),
    ]


def _item_rules(rows: Rows) -> list[Rule]:
    columns = zip(
        _DOSE_WORDS,
        (rows.amount, rows.rate, rows.duration, rows.steady, rows.interval, rows.more),
        strict=True,
    )
    return [
        (
            "EVID",
            ~np.isin(rows.evid, range(5)),
            lambda r: f"{rows.evid[r]:g} is not a kind of record",
            "0 observation, 1 dose, 2 other, 3 reset, 4 reset and dose",
        ),
        (
            "SS",
            ~np.isin(rows.steady, range(3)),
            lambda r: f"{rows.steady[r]:g} is not 0, 1 or 2",
            "1 sets the steady state, 2 adds it to what is there, 0 is an ordinary dose",
        ),
        ("AMT", rows.amount < 0, lambda r: f"{rows.amount[r]:g} is negative", "an amount is zero or more"),
        (
            "DUR",
            rows.duration < 0,
            lambda r: f"{rows.duration[r]:g} is negative",
            "a duration is zero or more",
        ),
        (
            "II",
            rows.interval < 0,
            lambda r: f"{rows.interval[r]:g} is negative",
            "an interval is zero or more",
        ),
        (
            "RATE",
            (rows.rate < 0) & ~np.isin(rows.rate, (-1, -2)),
            lambda r: f"{rows.rate[r]:g} is not a rate",
            "above 0 a rate, 0 a bolus, -1 the model's rate, -2 the model's duration",
        ),
        (
            "ADDL",
            (rows.more < 0) | (rows.more != np.round(rows.more)),
            lambda r: f"{rows.more[r]:g} is not a count of doses",
            "a whole number, zero or more",
        ),
        *(
            (
                word,
                np.isin(rows.evid, (0, 2, 3)) & (values != 0),
                lambda r, w=word, v=values: (
                    f"{w} = {v[r]:g} on a record of EVID {rows.evid[r]:g}, which gives no dose"
                ),
                "make it EVID 1 (or 4, to reset first), or write 0",
            )
            for word, values in columns
        ),
    ]


def _dose_rules(rows: Rows) -> list[Rule]:
    single = rows.doses & (rows.steady == 0)
    with np.errstate(over="ignore"):
        many = np.divide(
            rows.last_time - rows.time, rows.interval, out=np.zeros(len(rows.time)), where=rows.interval > 0
        )
    return [
        (
            "RATE",
            rows.doses & (rows.rate != 0) & (rows.duration != 0),
            lambda r: f"gives both RATE = {rows.rate[r]:g} and DUR = {rows.duration[r]:g}",
            "one follows from the other and AMT: give one",
        ),
        (
            "AMT",
            single & (rows.amount == 0) & (rows.rate == 0),
            "is 0: this record doses nothing",
            "give an amount, or make it EVID 2 (other) or 3 (reset)",
        ),
        (
            "AMT",
            single & (rows.amount == 0) & (rows.rate != 0),
            "is 0: this infusion would never end",
            "give the amount; an infusion without end is the steady state of SS = 1",
        ),
        (
            "II",
            rows.doses & (rows.more > 0) & (rows.interval == 0) & (rows.amount > 0) & (rows.steady == 0),
            lambda r: f"ADDL = {rows.more[r]:g} additional doses without an interval",
            "give II, the time between them",
        ),
        (
            "II",
            rows.doses & (np.minimum(many, rows.more) > _TOO_MANY),
            lambda r: f"gives over {_TOO_MANY} doses before the patient's last row",
            "give a longer II, or fewer ADDL",
        ),
    ]


def _steady_rules(rows: Rows) -> list[Rule]:
    steady = rows.doses & np.isin(rows.steady, (1, 2))
    endless = steady & (rows.amount == 0)
    return [
        (
            "II",
            steady & (rows.amount > 0) & (rows.interval == 0),
            "SS without an interval between the doses",
            "give II above 0; only an infusion without end (AMT = 0, RATE > 0) has none",
        ),
        (
            "AMT",
            endless & ~((rows.rate > 0) | (rows.rate == -1)),
            "SS of no dose",
            "give AMT and II, or the rate of an infusion without end",
        ),
        (
            "II",
            endless & (rows.rate != 0) & (rows.interval > 0),
            lambda r: f"SS of an infusion without end (AMT = 0) with II = {rows.interval[r]:g}",
            "write II = 0, or give the AMT of each infusion",
        ),
        (
            "ADDL",
            endless & (rows.more > 0),
            "an infusion without end cannot be given again",
            "write ADDL = 0",
        ),
    ]


def _compartment_rules(rows: Rows, model: Model, named: list[str]) -> list[Rule]:
    """A dose goes to a dosed compartment, one that is known and can do what RATE asks; `named` is CMT as
    written.
    """
    numbered = ", ".join(f"{i + 1} {name}" for i, name in enumerate(model.states[:12]))
    dosed = [c.name for c in model.compartments if c.dose is not None]
    names, cmt = np.array([*model.states, "", "", ""]), rows.compartment
    taken = np.array([c.dose is not None for c in model.compartments] + [True] * 3)
    own = {
        k: np.array([bool(c.dose and getattr(c.dose, k)) for c in model.compartments] + [True] * 3)
        for k in ("rate", "duration")
    }
    several = (
        f"the dose does not say which of {', '.join(dosed)}"
        if dosed
        else "this model has no dosed compartment"
    )
    remedy = "write one of them in CMT, by number or name" if dosed else "declare one with dose = true"
    return [
        (
            "CMT",
            cmt == _OFF,
            lambda r: f"{shown(named[r])[1:-1]} turns a compartment off, which is not done here",
            "write the compartment's number or name; to end its flows, let a parameter that a column sets "
            "be zero",
        ),
        (
            "CMT",
            rows.doses & (cmt == _UNKNOWN),
            lambda r: f"{shown(named[r])} is no compartment of {model.name}",
            f"by number or name: {numbered}",
        ),
        ("CMT", rows.doses & (cmt == _UNSAID), several, remedy),
        (
            "CMT",
            rows.doses & ~taken[cmt],
            lambda r: f"{names[cmt[r]]} is not a dosed compartment",
            f"give the dose to another ({', '.join(dosed) or 'none is'}), or declare this one with dose = "
            f"true in the model",
        ),
        *(
            (
                "RATE",
                rows.doses & (rows.rate == code) & ~own[key][cmt],
                lambda r, k=key, c=code: (
                    f"{c} asks for the model's {k}, which {names[cmt[r]]} does not declare"
                ),
                f'name the parameter in the model: dose = {{ {key} = "…" }}, or give a rate above 0',
            )
            for code, key in ((-1, "rate"), (-2, "duration"))
        ),
    ]
