"""What is zero at a steady state: the rates under an infusion without end, the change over one interval of
doses.
"""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np

from pkpd.model.expression import evaluate
from pkpd.model.model import Model
from pkpd.regimen.schedule import ADD, RATE, Schedule
from pkpd.solve.batch import solve_population
from pkpd.solve.rates import right_hand_side
from pkpd.solve.repeated import Repeated, overlap
from pkpd.solve.tolerance import SMALL, scales

_RTOL, _CLOSE = 1e-11, 1e-9  # of integration; of what has converged
_LATE, _MANY = 1e4, 100  # how long an infusion, how many doses are run in where Newton's method found nothing


def start_values(part: Model, inputs: np.ndarray) -> np.ndarray:
    """The start of each state (patient, state)."""
    values = {n: inputs[:, i] for i, n in enumerate(part.inputs)}
    with np.errstate(all="ignore"):
        return np.stack(
            [evaluate(c.start, values, np) + np.zeros(len(inputs)) for c in part.compartments], axis=1
        )


def rates_of(part: Model, y: np.ndarray, inputs: np.ndarray, infusion: np.ndarray) -> np.ndarray:
    """dy/dt (patient, state) of many patients."""
    return right_hand_side(part, y.T, inputs.T, infusion.T).T


class Constant:
    """An infusion without end: the root of the rates."""

    def __init__(
        self,
        part: Model,
        inputs: np.ndarray,
        doses: Repeated,
        executor: Executor | None,
        late: bool,
        usual: np.ndarray,
    ):
        n = len(inputs)
        self.part, self.inputs = part, inputs
        self.infusion = np.zeros((n, len(part.states)))
        self.infusion[np.arange(n), doses.state] = doses.rate
        self.first = start_values(part, inputs)
        given = Schedule(np.arange(n + 1), np.zeros(n), np.full(n, RATE), doses.state, doses.rate)
        times = np.broadcast_to(_LATE * np.logspace(-7, 0, 8), (n, 8))
        run = solve_population(part, self.first, inputs, given, times, np.zeros(n), 1e-6)[0]
        peak = np.fmax.reduce(np.abs(run), axis=1, initial=0.0)
        self.first = run[:, -1] if late else self.first
        self.size = np.where((peak > 0) & (peak < np.inf), peak, usual)
        self.bound = 0.0

    def __call__(self, rows: np.ndarray, x: np.ndarray) -> np.ndarray:
        return rates_of(self.part, x, self.inputs[rows], self.infusion[rows])

    def noise(self, rows: np.ndarray, x: np.ndarray, slopes: np.ndarray, size: np.ndarray) -> np.ndarray:
        """What may be left of the residual: a share of the flows that cancel in it."""
        share = (x + 1e-6 * size) / size
        return _CLOSE * (np.einsum("ijk,ik->ij", np.abs(slopes), share) * size + self.infusion[rows])

    def finish(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The state that is wanted, and whether it stands a test of its own."""
        return x, np.ones(len(x), dtype=bool)


class Periodic:
    """A dose each interval: what one interval changes."""

    def __init__(
        self,
        part: Model,
        inputs: np.ndarray,
        doses: Repeated,
        executor: Executor | None,
        late: bool,
        usual: np.ndarray,
    ):
        self.part, self.inputs, self.doses, self.executor, self.bound = part, inputs, doses, executor, 1.0
        self.first = start_values(part, inputs)
        for _ in range(_MANY if late else 1):
            run = self._run(
                np.arange(len(inputs)), self.first, np.arange(1, 9)[None] / 8 * doses.interval[:, None]
            )
            self.first, peak = run[:, -1], np.abs(run).max(axis=1)
        self.size = np.where(peak > 0, peak, usual)
        self.floor = _RTOL * np.where(np.isnan(scales(part)), SMALL * self.size, scales(part))

    def _run(self, rows: np.ndarray, x: np.ndarray, times: np.ndarray) -> np.ndarray:
        doses = self.doses.take(rows)
        out, *_ = solve_population(
            self.part,
            x,
            self.inputs[rows],
            _interval(doses),
            times,
            np.zeros(len(rows)),
            _RTOL,
            executor=self.executor,
        )
        return out

    def __call__(self, rows: np.ndarray, x: np.ndarray) -> np.ndarray:
        return self._run(rows, x, self.doses.interval[rows, None])[:, 0] - x

    def noise(self, rows: np.ndarray, x: np.ndarray, slopes: np.ndarray, size: np.ndarray) -> np.ndarray:
        """What may be left of the residual: a share of the states, and what the integration does not see."""
        return _CLOSE * x + self.floor[rows]

    def finish(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The state that is wanted, and whether it comes back after one more interval."""
        wanted = np.stack([self.doses.phase, self.doses.interval], axis=1)
        run = self._run(np.arange(len(x)), x, wanted)
        near = np.all(np.abs(run[:, 1] - x) <= 10 * _CLOSE * np.abs(x) + 10 * self.floor, axis=1)
        return np.where((self.doses.phase == self.doses.interval)[:, None], x, run[:, 0]), np.asarray(near)


def _interval(doses: Repeated) -> Schedule:
    """The events of one interval: the bolus, or the infusion with those that still run beside it."""
    n = len(doses.state)
    with np.errstate(invalid="ignore", divide="ignore"):
        always, rest = overlap(doses.duration, doses.interval)
    bolus = doses.rate == 0
    kind = np.where(bolus, ADD, RATE)[:, None] + np.zeros((1, 2), dtype=int)
    value = np.stack(
        [
            np.where(bolus, doses.amount, doses.rate * (always + (rest > 0))),
            np.where(bolus, 0.0, doses.rate * always),
        ],
        axis=1,
    )
    time = np.stack([np.zeros(n), np.where(bolus, 0.0, rest)], axis=1)
    return Schedule(
        np.arange(n + 1) * 2, time.ravel(), kind.ravel(), np.repeat(doses.state, 2), value.ravel()
    )
