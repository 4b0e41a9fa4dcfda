"""Steady states: what a part of a model holds when one dose has been repeated for ever, for many patients at
once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np

from pkpd.model.expression import names_in
from pkpd.model.model import Model
from pkpd.regimen.schedule import ADD, Schedule
from pkpd.solve.batch import magnitudes
from pkpd.solve.reach import NOTHING
from pkpd.solve.repeated import Repeated
from pkpd.solve.steady_residual import Constant, Periodic, rates_of, start_values
from pkpd.solve.tolerance import scales

_SMALL, _MOST = 1e-3, 60  # a perturbation, of a state's size; Newton steps

Residual = Callable[[np.ndarray, np.ndarray], np.ndarray]


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
    start = start_values(part, inputs)
    usual = _usual(part, start, inputs, doses)
    found, reasons = np.full((n, m), np.nan), _growing(part, start, inputs, usual)
    for endless in (True, False):
        rows = np.flatnonzero(((doses.interval == 0) == endless) & (np.array(reasons) == ""))
        if rows.size:
            # from the start, and if that leads nowhere, from where very many doses lead
            for late in (False, True):
                problem = (Constant if endless else Periodic)(
                    part, inputs[rows], doses.take(rows), executor, late, usual[rows]
                )
                found[rows], told = _roots(part, problem)
                for row, reason in zip(rows, told, strict=True):
                    reasons[row] = reason
                rows = rows[np.array(told) != ""]
                if not rows.size:
                    break
    return found, reasons


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
        return rates_of(part, y, inputs[rows], np.zeros_like(y))

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


def _roots(part: Model, problem: Constant | Periodic) -> tuple[np.ndarray, list[str]]:
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
    part: Model, problem: Constant | Periodic, x: np.ndarray, slopes: np.ndarray, miss: np.ndarray
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
