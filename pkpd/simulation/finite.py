"""Values of variables over time, and the patients of whom one, or a state, is not finite: a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from pkpd.model.expression import Tree, evaluate, names_in
from pkpd.model.model import Model

_BLOCK = 16_384  # patients times outputs whose variables are looked at together

_LOOKED_AT: dict[
    str, tuple[tuple[str, ...], tuple[str, ...]]
] = {}  # by the model's hash: what leave_out looks at

Inputs = Callable[[Iterable[str]], Mapping[str, np.ndarray]]


def computed_from(model: Model, names: Iterable[str]) -> frozenset[str]:
    """Everything that some compartments, variables and inputs are computed from, themselves included."""
    key = model.hash, tuple(names)
    if key not in _FROM:
        _FROM[key] = frozenset(_computed_from(model, key[1]))
    return _FROM[key]


_FROM: dict[tuple[str, tuple[str, ...]], frozenset[str]] = {}  # asked for at every simulation


def _computed_from(model: Model, names: Iterable[str]) -> set[str]:
    trees, found, todo = {v.name: v.tree for v in model.variables}, set(), list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += names_in(trees[name]) if name in trees else ()
    return found


def evaluated(
    model: Model, names: Iterable[str], states: np.ndarray, inputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Values of what these are computed from, of states (patient, time, state) and inputs (patient, time)."""
    needed = computed_from(model, names)
    values = dict(inputs) | {n: states[:, :, i] for i, n in enumerate(model.states) if n in needed}
    with np.errstate(all="ignore"):
        for v in model.variables:
            if v.name in needed:
                values[v.name] = np.asarray(evaluate(v.tree, values, np))
    return values


def leave_out(
    model: Model, times: np.ndarray, states: np.ndarray, inputs: Inputs, solved: np.ndarray
) -> dict[int, tuple[float, str]]:
    """Makes states (patient, time, state) missing from the time at which a variable or state of the patient
    is not finite.

    Gives those patients, each with that time and the name. A rate that is not finite has failed in the
    engine: a variable that makes one so is looked at where the engine ends, at the last output alone.

    inputs  of some names
    solved  whom the engine brought to the end (patient,): a start value or a reset there has met no rate
    """
    if model.hash not in _LOOKED_AT:
        _LOOKED_AT[model.hash] = _looked_at(model)
    apart, told = _LOOKED_AT[model.hash]
    found = (
        _first(model, times, states, inputs, told, slice(-1, None))
        | _first(model, times, states, inputs, apart, slice(None))
        | _of_states(model, times, states, solved)
    )
    for i, (time, _) in found.items():
        states[i, times[i] >= time] = np.nan
    return found


def _looked_at(model: Model) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The variables that may be no finite number: those of which no rate tells, and the others."""
    told = _told_by_rates(model)
    may = [v.name for v in model.variables if _may_fail(v.tree)]
    return tuple(n for n in may if n not in told), tuple(n for n in may if n in told)


def _first(
    model: Model, times: np.ndarray, states: np.ndarray, inputs: Inputs, names: Sequence[str], when: slice
) -> dict[int, tuple[float, str]]:
    """The patients of whom a variable is not finite at some outputs, with the first time and name."""
    if not names:
        return {}
    given, times, states = inputs(names), times[:, when], states[:, when]
    found: dict[int, tuple[float, str]] = {}
    block = max(1, _BLOCK // times.shape[1])
    for first in range(0, len(states), block):
        rows = slice(first, first + block)
        values = evaluated(model, names, states[rows], {n: x[rows, when] for n, x in given.items()})
        known = np.isfinite(states[rows]).all(axis=2)
        for name in names:
            fine = np.isfinite(values[name])
            if fine.all():
                continue
            bad = known & ~fine
            for i in np.flatnonzero(bad.any(axis=1)):
                time, own = float(times[rows][i, bad[i].argmax()]), first + int(i)
                if own not in found or time < found[own][0]:
                    found[own] = time, name
    return found


def _of_states(
    model: Model, times: np.ndarray, states: np.ndarray, solved: np.ndarray
) -> dict[int, tuple[float, str]]:
    """The patients who were solved, and of whom a state is not finite all the same, with the first time and
    name.
    """
    found = {}
    for i in np.flatnonzero(solved & ~np.isfinite(states).all(axis=(1, 2))):
        output, state = np.argwhere(~np.isfinite(states[i]))[0]
        found[int(i)] = float(times[i, output]), model.states[state]
    return found


def _may_fail(tree: Tree) -> bool:
    """Whether an expression of finite values may be infinite or no number: a division, a power, a logarithm
    and the like.
    """
    match tree:
        case ("num" | "name", _):
            return False
        case ("/", a, ("num", value)):
            return value == 0 or _may_fail(a)
        case ("**", a, ("num", power)):
            return power < 0 or power != int(power) or _may_fail(a)
        case ("/", _, _) | ("**", _, _):
            return True
        case ("call", name, arguments):
            return name not in ("min", "max") or any(map(_may_fail, arguments))
    return any(map(_may_fail, tree[1:]))


def _told_by_rates(model: Model) -> set[str]:
    """The variables that, not finite, make a rate so."""
    found: set[str] = set()
    for flow in model.flows:
        found |= _passing(flow.tree)
    for v in reversed(model.variables):
        if v.name in found:
            found |= _passing(v.tree)
    return found


def _passing(tree: Tree) -> set[str]:
    """The names in an expression that, not finite, make it so: no denominator, exponent or argument of a
    function.
    """
    match tree:
        case ("name", name):
            return {name}
        case ("neg", a) | ("/", a, _):
            return _passing(a)
        case ("**", a, ("num", power)):
            return _passing(a) if power > 0 else set()
        case ("+" | "-" | "*", a, b):
            return _passing(a) | _passing(b)
    return set()
