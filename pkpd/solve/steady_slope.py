"""Derivatives of steady states by an input: of the fixed point of one interval, from the record on to its
repetition.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np

from pkpd.model.model import Model
from pkpd.regimen.schedule import ADD, RATE, Schedule
from pkpd.solve.gradient import STEP, solve_gradient
from pkpd.solve.rates import right_hand_side
from pkpd.solve.repeated import NEAR

_RTOL = 1e-10


def steady_slopes(
    part: Model,
    found: np.ndarray,
    inputs: np.ndarray,
    state: np.ndarray,
    amount: np.ndarray,
    rate: np.ndarray,
    duration: np.ndarray,
    interval: np.ndarray,
    lag: np.ndarray,
    executor: Executor | None = None,
) -> np.ndarray:
    """The derivatives (patient, state) of steady states at the record, as imaginary parts like those of the
    inputs.

    Inputs (patient, input), amounts, rates, durations and lags are complex; interval 0 is an infusion without
    end.
    """
    slopes = np.zeros_like(found)
    moving = np.isfinite(found).all(axis=1) & (np.imag(inputs) != 0).any(axis=1)
    for rows, make in ((moving & (interval == 0), _constant), (moving & (interval > 0), _periodic)):
        if rows.any():
            slopes[rows] = make(
                part,
                found[rows],
                inputs[rows],
                state[rows],
                amount[rows],
                rate[rows],
                duration[rows],
                interval[rows],
                lag[rows],
                executor,
            )
    return slopes


def _constant(part, x, inputs, state, amount, rate, duration, interval, lag, executor) -> np.ndarray:
    """The rates are zero, and stay so: their derivative by the states balances that by the input."""
    infusion = np.zeros_like(x, dtype=complex)
    infusion[np.arange(len(x)), state] = rate

    def rates(y: np.ndarray, p: np.ndarray, into: np.ndarray) -> np.ndarray:
        return np.imag(right_hand_side(part, y.T, p.T, into.T).T)

    by = [
        rates(x + 1j * STEP * unit, inputs.real, np.real(infusion) + 0j) / STEP for unit in np.eye(x.shape[1])
    ]
    return -np.linalg.solve(np.stack(by, axis=2), rates(x + 0j, inputs, infusion)[:, :, None])[:, :, 0]


def _periodic(part, x, inputs, state, amount, rate, duration, interval, lag, executor) -> np.ndarray:
    """What an interval does to the derivatives is linear: once from none, and once from each state's own."""
    (n, m), column = x.shape, int(np.flatnonzero((inputs.imag != 0).any(axis=0))[0])
    times, values, kind = _interval(amount, rate, duration, interval, lag)
    size = np.where(x != 0, np.abs(x), np.abs(x).max(axis=1, keepdims=True, initial=1e-100)) / np.where(
        inputs[:, [column]] != 0, np.abs(inputs[:, [column]]), 1.0
    )
    copies = np.repeat(np.arange(n), m + 1)
    first = np.concatenate([np.zeros((1, m)), np.eye(m)])[None] * size[:, None, :]

    def schedule(part_of: Callable) -> Schedule:
        return Schedule(
            np.arange(len(copies) + 1) * 3,
            part_of(times[copies]).ravel(),
            np.repeat(kind[copies], 3),
            np.repeat(state[copies], 3),
            part_of(values[copies]).ravel(),
        )

    _, slopes = solve_gradient(
        part,
        (column,),
        x[copies],
        first.reshape(-1, 1, m),
        inputs.real[copies],
        schedule(np.real),
        [schedule(np.asarray)],
        interval[copies, None],
        np.zeros(len(copies)),
        _RTOL,
        executor,
    )
    ends = slopes[:, 0, 0].reshape(n, m + 1, m)
    carried = (ends[:, 1:] - ends[:, :1]).transpose(0, 2, 1) / size[:, None, :]
    return STEP * np.linalg.solve(np.eye(m) - carried, ends[:, 0, :, None])[:, :, 0]


def _interval(amount, rate, duration, interval, lag) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times and values (patient, event) from the record on: what runs there, what arrives, what ends, an end
    there being past.
    """
    late = np.floor(lag.real / interval + NEAR)
    running = np.ceil((lag + duration).real / interval - NEAR) - 1 - late
    arrival = lag - late * interval
    end = arrival + duration - running * interval
    arrival = np.maximum(arrival.real, 0.0) + 1j * arrival.imag
    end = np.minimum(end.real, interval) + 1j * end.imag
    bolus, before = rate == 0, arrival.real <= end.real
    second, third = np.where(before | bolus, arrival, end), np.where(before & ~bolus, end, arrival)
    times = np.stack([np.zeros(len(lag)), second, third], axis=1)
    rates = np.stack([running, running + np.where(before, 1, -1), running], axis=1) * rate[:, None]
    given = np.stack([0 * amount, amount, 0 * amount], axis=1)
    return times, np.where(bolus[:, None], given, rates), np.where(bolus, ADD, RATE)
