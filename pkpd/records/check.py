"""What no record may be, told by column with a remedy: each data item alone, then beside the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from pkpd.model.model import Model
from pkpd.records.rows import OFF, UNKNOWN, UNSAID, Rows
from pkpd.records.table import shown

_TOO_MANY = 100_000
Rule = tuple[str, np.ndarray, str | Callable[[int], str], str]  # column, the rows at fault, what, remedy


def rules(rows: Rows, model: Model, named: list[str]) -> list[Rule]:
    """Every rule, and which rows break it; `named` is CMT as written."""
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
        *_kind_rules(rows),
        *_size_rules(rows),
        *_idle_rules(rows),
        *_dose_rules(rows),
        *_steady_rules(rows),
        *_compartment_rules(rows, model, named),
        *_model_rules(rows, model),
    ]


def _kind_rules(rows: Rows) -> list[Rule]:
    """EVID and SS are codes."""
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
    ]


def _size_rules(rows: Rows) -> list[Rule]:
    """What an amount, a duration, an interval, a rate and a count of doses can be."""
    return [
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
    ]


def _idle_rules(rows: Rows) -> list[Rule]:
    """A record that gives no dose says nothing of one."""
    columns = {
        "AMT": rows.amount,
        "RATE": rows.rate,
        "DUR": rows.duration,
        "SS": rows.steady,
        "II": rows.interval,
        "ADDL": rows.more,
    }
    return [
        (
            word,
            np.isin(rows.evid, (0, 2, 3)) & (values != 0),
            lambda r, w=word, v=values: (
                f"{w} = {v[r]:g} on a record of EVID {rows.evid[r]:g}, which gives no dose"
            ),
            "make it EVID 1 (or 4, to reset first), or write 0",
        )
        for word, values in columns.items()
    ]


def _dose_rules(rows: Rows) -> list[Rule]:
    """A dose has an amount, and additional doses an interval; a rate and a duration are not both given."""
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
    """The steady state of SS is one of doses at an interval, or of an infusion without end."""
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
    """A dose goes to a dosed compartment, one that is known; `named` is CMT as written."""
    numbered = ", ".join(f"{i + 1} {name}" for i, name in enumerate(model.states[:12]))
    dosed = [c.name for c in model.compartments if c.dose is not None]
    names, cmt = _by_code(model.states, ""), rows.compartment
    taken = _by_code((c.dose is not None for c in model.compartments), True)
    several = (
        f"the dose does not say which of {', '.join(dosed)}"
        if dosed
        else "this model has no dosed compartment"
    )
    remedy = "write one of them in CMT, by number or name" if dosed else "declare one with dose = true"
    return [
        (
            "CMT",
            cmt == OFF,
            lambda r: f"{shown(named[r])[1:-1]} turns a compartment off, which is not done here",
            "write the compartment's number or name; to end its flows, let a parameter that a column sets "
            "be zero",
        ),
        (
            "CMT",
            rows.doses & (cmt == UNKNOWN),
            lambda r: f"{shown(named[r])} is no compartment of {model.name}",
            f"by number or name: {numbered}",
        ),
        ("CMT", rows.doses & (cmt == UNSAID), several, remedy),
        (
            "CMT",
            rows.doses & ~taken[cmt],
            lambda r: f"{names[cmt[r]]} is not a dosed compartment",
            f"give the dose to another ({', '.join(dosed) or 'none is'}), or declare this one with dose = "
            f"true in the model",
        ),
    ]


def _model_rules(rows: Rows, model: Model) -> list[Rule]:
    """A compartment whose rate or duration RATE asks for declares one."""
    names, cmt = _by_code(model.states, ""), rows.compartment
    own = {
        key: _by_code((bool(c.dose and getattr(c.dose, key)) for c in model.compartments), True)
        for key in ("rate", "duration")
    }
    return [
        (
            "RATE",
            rows.doses & (rows.rate == code) & ~own[key][cmt],
            lambda r, k=key, c=code: f"{c} asks for the model's {k}, which {names[cmt[r]]} does not declare",
            f'name the parameter in the model: dose = {{ {key} = "…" }}, or give a rate above 0',
        )
        for code, key in ((-1, "rate"), (-2, "duration"))
    ]


def _by_code(values: Iterable, other: object) -> np.ndarray:
    """One value a compartment, then `other` for the codes below 0 (see rows), which index from the end."""
    return np.array([*values, other, other, other])
