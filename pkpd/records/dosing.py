"""Dose records to doses: what reaches which compartment, how fast, how late, and from which steady state.

With NONMEM's data items and the dose's parameters F, lag, R, D of its compartment: F AMT reaches it from
TIME + lag on, at once; at RATE (its length is then F AMT / RATE); at R where RATE = -1; over D where
RATE = -2. ADDL more follow, II apart. SS = 1 puts the compartment's part into the steady state that the dose
makes when given each II for ever, y(t + II) = y(t), or, with II = 0, an infusion without end; SS = 2 adds it.
Units: the compartment's, and the model's time. DUR, a length in place of RATE, is not NONMEM's item; other
differences stand in docs/how/dosing. Meanings: NONMEM Users Guide (ICON).
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import replace

import numpy as np

from pkpd.content.units import ratio
from pkpd.model.model import Model
from pkpd.records.clock import Dose
from pkpd.records.rows import Rows
from pkpd.records.table import Faults
from pkpd.solve.repeated import Repeated, overlap
from pkpd.solve.steady import own_part, steady_state
from pkpd.solve.steady_slope import steady_slopes

_LONGEST = 10_000  # infusions of one steady state that may run at once
_SHORT = 1e-12  # of an interval: an infusion as short as this is a bolus
_REMEDY = (
    "give the doses themselves (ADDL and II from where they began), or SS to a drug in a part of its own"
)


def doses(
    rows: Rows, model: Model, inputs: np.ndarray, faults: Faults, executor: Executor | None = None
) -> dict[int, Dose]:
    """The dose of each row that gives one. Lag, bioavailability, rate and duration are those of its row."""
    which = np.flatnonzero(rows.doses)
    own = {k: _named(rows, model, inputs, which, k) for k in ("lag", "bioavailability", "rate", "duration")}
    _check_values(own, rows, which, faults)
    amount = rows.amount * own["bioavailability"]
    rate, duration = _rate_and_duration(rows, amount, own["rate"], own["duration"])
    interval = np.where(rows.amount > 0, rows.interval, 0.0)  # of an infusion without end: none
    made = {
        int(r): Dose(
            time=float(rows.time[r]),
            state=int(rows.compartment[r]),
            amount=amount[r].item(),
            rate=rate[r].item(),
            duration=duration[r].item(),
            lag=own["lag"][r].item(),
            interval=float(interval[r]),
            more=int(rows.more[r]) if rows.interval[r] > 0 else 0,
            steady=int(rows.steady[r]),
        )
        for r in which
    }
    _steady(made, rows, model, inputs, faults, executor)
    faults.raise_all()
    return made


def _check_values(own: dict[str, np.ndarray], rows: Rows, which: np.ndarray, faults: Faults) -> None:
    """Refuses lags, rates and the like below 0, and a rate or duration of 0 where RATE asks for it."""
    asked = {"rate": which[rows.rate[which] == -1], "duration": which[rows.rate[which] == -2]}
    for key, value in own.items():
        low = "not above 0" if key in asked else "below 0"
        wrong = ~np.isfinite(value) | (np.real(value) < 0) | ((np.real(value) == 0) & (key in asked))
        faults.add(
            [r for r in asked.get(key, which) if wrong[r]],
            "the dose's " + key,
            lambda r, v=value, low=low: f"is {v[r].real:g}, {low}",
            "mend the parameter, or the column that sets it",
        )
    faults.raise_all()


def _rate_and_duration(
    rows: Rows, amount: np.ndarray, own_rate: np.ndarray, own_duration: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The rate and the duration of each row's dose: one is the row's or the model's, the other follows."""
    with np.errstate(all="ignore"):
        rate = np.select([rows.rate > 0, rows.rate == -1], [rows.rate, own_rate], 0.0)
        lasting = [amount / rate, own_duration, rows.duration]
        duration = np.select([np.real(rate) > 0, rows.rate == -2, rows.duration > 0], lasting, 0.0)
        rate = np.where((rate == 0) & (np.real(duration) > 0), amount / duration, rate)
    return rate, duration


def _named(rows: Rows, model: Model, inputs: np.ndarray, which: np.ndarray, key: str) -> np.ndarray:
    """What each dose's compartment declares for its doses, in units of the model; nothing declared is no
    change.
    """
    values = np.full(len(rows.time), float(key == "bioavailability"), dtype=inputs.dtype)
    for i, c in enumerate(model.compartments):
        name = getattr(c.dose, key) if c.dose else ""
        if name:
            unit = {"bioavailability": "1", "rate": f"{c.unit}/{model.time}"}.get(key, model.time)
            own, given = which[rows.compartment[which] == i], model.unit(name)
            factor = (
                1.0 if given == unit else float(ratio(given, unit))
            )  # asked for only where needed: units load slowly
            values[own] = inputs[own, model.inputs.index(name)] * factor
    return values


def _steady(
    made: dict[int, Dose],
    rows: Rows,
    model: Model,
    inputs: np.ndarray,
    faults: Faults,
    executor: Executor | None,
) -> None:
    """Gives the steady state doses their steady states, part by part."""
    _check_intervals(made, faults)
    parts: dict[str, list[int]] = {}
    for r, dose in made.items():
        if dose.steady:
            parts.setdefault(model.states[dose.state].rpartition(".")[0], []).append(r)
    for prefix, which in parts.items():
        part, outside = own_part(model, model.states[made[which[0]].state])
        none = f"{prefix or model.name} has no steady state"
        if outside:
            faults.add(
                which, "SS", f"{none} of its own: its rates depend on {', '.join(outside[:3])}", _REMEDY
            )
            continue
        states = tuple(model.states.index(n) for n in part.states)
        found, reasons = _followed(part, inputs[which], [made[r] for r in which], states, executor)
        told = dict(zip(which, reasons, strict=True))
        faults.add(
            [r for r in which if told[r]],
            "SS",
            lambda r, none=none, told=told: f"{none} in patient {rows.ids[rows.patient[r]]}: {told[r]}",
            _REMEDY,
        )
        for r, amounts in zip(which, found.tolist(), strict=True):
            made[r] = replace(made[r], states=states, amounts=tuple(amounts))


def _check_intervals(made: dict[int, Dose], faults: Faults) -> None:
    """Refuses steady states whose doses last, or are late by, very many of their intervals."""
    long = [
        r
        for r, d in made.items()
        if d.steady and d.interval and (d.lag + d.duration).real / d.interval > _LONGEST
    ]
    faults.add(
        long,
        "II",
        f"over {_LONGEST} doses would be on their way or running at once",
        "give a longer interval",
    )
    faults.raise_all()


def _followed(
    part: Model, inputs: np.ndarray, chosen: list[Dose], states: tuple[int, ...], executor: Executor | None
) -> tuple[np.ndarray, list[str]]:
    """The steady states, complex where inputs are."""
    repeated = _repeated(chosen, states)
    found, reasons = steady_state(part, np.real(inputs), repeated, executor)
    if not np.iscomplexobj(inputs):
        return found, reasons
    amount, rate, duration, lag = (
        np.array([getattr(d, name) for d in chosen], dtype=complex)
        for name in ("amount", "rate", "duration", "lag")
    )
    slopes = steady_slopes(
        part, found, inputs, repeated.state, amount, rate, duration, repeated.interval, lag, executor
    )
    return found + 1j * slopes, reasons


def _repeated(chosen: list[Dose], states: tuple[int, ...]) -> Repeated:
    """Doses as repeated for ever, each at the time of its record within its interval."""
    rows = [[d.amount.real, d.rate.real, d.duration.real, d.interval, d.lag.real] for d in chosen]
    amount, rate, duration, interval, lag = np.array(rows).T
    short = duration <= _SHORT * interval  # a clock of the interval cannot tell it from a bolus
    rate, duration = np.where(short & (interval > 0), 0.0, rate), np.where(short, 0.0, duration)
    with np.errstate(divide="ignore", invalid="ignore"):
        _, late = overlap(lag, interval)  # the next arrival, after the record
    return Repeated(
        np.array([states.index(d.state) for d in chosen]),
        amount,
        rate,
        duration,
        interval,
        np.where(interval > 0, interval - late, 0.0),
    )
