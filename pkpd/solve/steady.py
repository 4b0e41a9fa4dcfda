"""Steady states: what a part of a model holds when one dose has been repeated for ever, for many patients at
once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from pkpd.model.expression import evaluate, names_in
from pkpd.model.model import Model
from pkpd.regimen.schedule import ADD, RATE, Schedule
from pkpd.solve.batch import magnitudes, solve_population
from pkpd.solve.rates import right_hand_side
from pkpd.solve.reach import NOTHING
from pkpd.solve.tolerance import SMALL, scales

_RTOL, _SMALL, _CLOSE, _MOST = (
    1e-11,
    1e-3,
    1e-9,
    60,
)  # of integration; of a perturbation; what converged; Newton steps
_LATE, _MANY = 1e4, 100  # how long an infusion, how many doses are run in where Newton's method found nothing
NEAR = 1e-12  # of an interval: nearer than this, two times are one

Residual = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Repeated:
    """The dose that each patient has been given for ever: bolus (rate 0), infusion, or without interval one
    without end.

    state (a compartment's number in the part), amount, rate, duration, interval: one a patient. `phase` is
    the time since the last arrival at which the state is wanted, over 0 to the interval; at the interval,
    just before the next.
    """

    state: np.ndarray
    amount: np.ndarray
    rate: np.ndarray
    duration: np.ndarray
    interval: np.ndarray
    phase: np.ndarray

    def take(self, which: np.ndarray) -> Repeated:
        """The doses of some of the patients."""
        return Repeated(*(getattr(self, f)[which] for f in self.__dataclass_fields__))


def overlap(duration: np.ndarray, interval: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many infusions always run when one starts each interval, and how long one more runs beside them."""
    count = np.floor(duration / interval + NEAR)
    rest = duration - count * interval
    return count, np.where(rest > NEAR * interval, rest, 0.0)


def own_part(model: Model, compartment: str) -> tuple[Model, tuple[str, ...]]:
    """The part of a system that a compartment belongs to, as a model, and the states outside on which it
    depends.
    """
    prefix = compartment.rpartition(".")[0]
    inside = {c.name for c in model.compartments if c.name.rpartition(".")[0] == prefix}
    if not model.parts:
        return model, ()
    flows = tuple(f for f in model.flows if f.source in inside or f.target in inside)
    trees = {v.name: v.tree for v in model.variables}
    needed: set[str] = set()
    todo = [name for f in flows for name in names_in(f.tree)]
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo += names_in(trees[name]) if name in trees else ()
    flows = tuple(
        replace(
            f, source=f.source if f.source in inside else "", target=f.target if f.target in inside else ""
        )
        for f in flows
    )
    part = replace(
        model,
        name=f"{model.name}: {prefix}",
        parts=(),
        flows=flows,
        compartments=tuple(c for c in model.compartments if c.name in inside),
        variables=tuple(v for v in model.variables if v.name in needed),
    )
    return part, tuple(n for n in model.states if n in needed and n not in inside)


def steady_state(
    part: Model, inputs: np.ndarray, doses: Repeated, executor: Executor | None = None
) -> tuple[np.ndarray, list[str]]:
    """The states (patient, state) of a part at its steady state, and for each patient why there is none, or
    nothing.

    The state before a dose is a root of what one interval changes, found by Newton's method from the part's
    start, and proven by one more interval. It must draw in what is near it, hold nothing negative, and be
    reached from a part in which nothing grows by itself.
    """
    n, m = len(inputs), len(part.states)
    start = _start(part, inputs)
    usual = _usual(part, start, inputs, doses)
    found, reasons = np.full((n, m), np.nan), _growing(part, start, inputs, usual)
    for endless in (True, False):
        rows = np.flatnonzero(((doses.interval == 0) == endless) & (np.array(reasons) == ""))
        if rows.size:
            for late in (
                False,
                True,
            ):  # from the start, and if that leads nowhere, from where very many doses lead
                problem = (_Constant if endless else _Periodic)(
                    part, inputs[rows], doses.take(rows), executor, late, usual[rows]
                )
                found[rows], told = _roots(part, problem)
                for row, reason in zip(rows, told, strict=True):
                    reasons[row] = reason
                rows = rows[np.array(told) != ""]
                if not rows.size:
                    break
    return found, reasons


def _start(part: Model, inputs: np.ndarray) -> np.ndarray:
    values = {n: inputs[:, i] for i, n in enumerate(part.inputs)}
    with np.errstate(all="ignore"):
        return np.stack(
            [evaluate(c.start, values, np) + np.zeros(len(inputs)) for c in part.compartments], axis=1
        )


def _rates(part: Model, y: np.ndarray, inputs: np.ndarray, infusion: np.ndarray) -> np.ndarray:
    """dy/dt (patient, state) of many patients."""
    return right_hand_side(part, y.T, inputs.T, infusion.T).T


def _usual(part: Model, start: np.ndarray, inputs: np.ndarray, doses: Repeated) -> np.ndarray:
    """A magnitude of each state (patient, state): its scale, or what a dose, or an endless infusion in a unit
    of time, brings.
    """
    n, endless = len(start), doses.interval == 0
    with np.errstate(invalid="ignore"):
        infused = doses.rate * np.where(endless, 1.0, np.minimum(doses.duration, doses.interval))
    one = Schedule(
        np.arange(n + 1),
        np.zeros(n),
        np.full(n, ADD),
        doses.state,
        np.where(doses.rate > 0, infused, doses.amount),
    )
    brought = magnitudes(part, start, inputs, one, np.where(endless, 1.0, doses.interval))
    return np.where(np.isnan(scales(part)), np.where(brought > 2 * NOTHING, brought, 1.0), scales(part))


def _growing(part: Model, start: np.ndarray, inputs: np.ndarray, usual: np.ndarray) -> list[str]:
    """For each patient, which state of the undosed part grows by itself from its start, as told;
    or nothing.
    """
    size = np.where(start != 0, np.abs(start), usual)

    def change(rows: np.ndarray, y: np.ndarray) -> np.ndarray:
        return _rates(part, y, inputs[rows], np.zeros_like(y))

    _, slopes = _linearised(change, np.arange(len(inputs)), start, size)
    usable = np.asarray(np.isfinite(slopes).all(axis=(1, 2)))
    values, vectors = np.linalg.eig(np.where(usable[:, None, None], slopes, 0.0))
    size = np.abs(values).max(axis=1)
    return [
        f"{_largest(part, values[i], vectors[i])} grows by itself"
        if np.real(values[i]).max() > 1e-9 * size[i]
        else ""
        for i in range(len(inputs))
    ]


def _largest(part: Model, values: np.ndarray, vectors: np.ndarray) -> str:
    """The state that leads in the mode of the largest real part."""
    return part.states[int(np.argmax(np.abs(vectors[:, int(np.argmax(np.real(values)))])))]


def _linearised(
    residual: Residual, rows: np.ndarray, x: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A residual and its slopes (patient, of, by), both in units of `size`, by copies perturbed one state
    each.
    """
    n, m = x.shape
    moved = x[:, None, :] + np.concatenate([np.zeros((1, m)), np.eye(m)])[None] * (_SMALL * size)[:, None, :]
    value = residual(np.repeat(rows, m + 1), moved.reshape(-1, m)).reshape(n, m + 1, m) / size[:, None, :]
    return value[:, 0], (value[:, 1:] - value[:, :1]).transpose(0, 2, 1) / _SMALL


class _Constant:
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
        self.first = _start(part, inputs)
        given = Schedule(np.arange(n + 1), np.zeros(n), np.full(n, RATE), doses.state, doses.rate)
        times = np.broadcast_to(_LATE * np.logspace(-7, 0, 8), (n, 8))
        run = solve_population(part, self.first, inputs, given, times, np.zeros(n), 1e-6)[0]
        peak = np.fmax.reduce(np.abs(run), axis=1, initial=0.0)
        self.first = run[:, -1] if late else self.first
        self.size = np.where((peak > 0) & (peak < np.inf), peak, usual)
        self.bound = 0.0

    def __call__(self, rows: np.ndarray, x: np.ndarray) -> np.ndarray:
        return _rates(self.part, x, self.inputs[rows], self.infusion[rows])

    def noise(self, rows: np.ndarray, x: np.ndarray, slopes: np.ndarray, size: np.ndarray) -> np.ndarray:
        """What may be left of the residual: a share of the flows that cancel in it."""
        share = (x + 1e-6 * size) / size
        return _CLOSE * (np.einsum("ijk,ik->ij", np.abs(slopes), share) * size + self.infusion[rows])

    def finish(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The state that is wanted, and whether it stands a test of its own."""
        return x, np.ones(len(x), dtype=bool)


class _Periodic:
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
        self.first = _start(part, inputs)
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


def _roots(part: Model, problem: _Constant | _Periodic) -> tuple[np.ndarray, list[str]]:
    """Newton's method for each patient, and what is wrong with what it found."""
    n, m = problem.first.shape
    x, active = problem.first.copy(), np.arange(n)
    size = problem.size.copy()
    slopes, miss = np.zeros((n, m, m)), np.full((n, m), np.inf)
    for _ in range(_MOST):
        size[active] = np.maximum(size[active], np.abs(x[active]))
        change, slope = _linearised(problem, active, x[active], size[active])
        usable = np.isfinite(change).all(axis=1) & np.isfinite(slope).all(axis=(1, 2))
        miss[active[~usable]] = np.nan
        active, change, slope = (a[usable] for a in (active, change, slope))
        if not active.size:
            break
        unit, before = size[active], x[active]
        new = before - (np.linalg.pinv(slope) @ change[:, :, None])[:, :, 0] * unit
        x[active] = np.where(new < 0, 0.1 * np.maximum(before, 0.0), new)
        slopes[active], miss[active] = (
            slope,
            np.abs(change * unit) / problem.noise(active, before, slope, unit),
        )
        active = active[miss[active].max(axis=1) > 1]
        if not active.size:
            break
    return _judged(part, problem, x, slopes, miss)


def _judged(
    part: Model, problem: _Constant | _Periodic, x: np.ndarray, slopes: np.ndarray, miss: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """The states that are wanted, and for each patient why they are none."""
    found, stands = problem.finish(x)
    values, vectors = np.linalg.eig(slopes + problem.bound * np.eye(len(part.states)))
    size = np.abs(values) if problem.bound else np.real(values)  # a map draws in below 1, rates below 0
    limit = problem.bound - 1e-6 if problem.bound else -1e-12 * np.abs(values).max(axis=1)
    settles = size.max(axis=1) < limit
    reasons = []
    for i in range(len(x)):
        if not np.isfinite(miss[i]).all():
            reasons.append("the doses lead to a value that is not finite")
        elif settles[i] and stands[i] and miss[i].max() <= 1:
            reasons.append("")
        else:
            worst = part.states[int(miss[i].argmax())] if settles[i] else _largest(part, size[i], vectors[i])
            reasons.append(f"{worst} does not settle under these doses")
    found[np.array(reasons) != ""] = np.nan
    return found, reasons
