"""What a window of a simulation is given and begins with: from its states, not from how doses are written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pkpd.model.model import Model
from pkpd.parameters.population import Population
from pkpd.regimen.schedule import ADD, ASSIGN, RATE, SCALE, SET, Schedule
from pkpd.simulation.finite import computed_from
from pkpd.simulation.run import start_states
from pkpd.simulation.simulation import Simulation

SAME = 1e-9  # relative: two times closer than this are one
FLOOR = 1e-6  # of the window's peak: what lies lower is as much the solver's error as the model's


@dataclass(frozen=True)
class Carriers:
    """Where a variable's drug is, by state numbers.

    made_of    states whose values the variable is made of
    dosed      dosed states of the variable's part: a dose to them is a dose of the variable's drug
    elsewhere  dosed states of other parts from which drug flows into the variable: its doses count there
    held       every state from which drug that was given can still reach the variable, but for those that a
               model without doses fills by itself (a target of an antibody)
    """

    made_of: np.ndarray
    dosed: np.ndarray
    elsewhere: np.ndarray
    held: np.ndarray


@dataclass(frozen=True)
class Events:
    """One patient's events, but for those that set an input; `carried` brings what imagined doses left."""

    time: np.ndarray
    kind: np.ndarray
    index: np.ndarray
    value: np.ndarray
    carried: np.ndarray


@dataclass(frozen=True)
class Intake:
    """What a window is given; times run from its start, in the model's time unit, doses in their
    compartment's.

    dose     what reached the dosed states in it, sum of a + sum of r (e - b): doses at once a, infusions at a
             rate
             r from b to e; missing where drug came from another part, whose doses are counted there, and
             where
             those states have several units
    moment   the mean time of that dose, (sum of a t + sum of r (e^2 - b^2) / 2) / dose; missing without one
    latest   the last event of a dose
    carried  whether drug from before was there as it began: more than a millionth of the window's peak
    torn     whether drug was taken away, set or added within it by what is no dose: no dose explains its area
    """

    dose: float
    moment: float
    latest: float
    carried: bool
    torn: bool


def same(a: np.ndarray | float, b: float) -> np.ndarray:
    """Whether times are the same but for rounding."""
    return np.abs(a - b) <= SAME * np.maximum(1.0, np.abs(b))


def events_of(schedule: Schedule, i: int) -> Events:
    """The events of a patient that change a state."""
    rows = np.arange(schedule.offsets[i], schedule.offsets[i + 1])
    rows = rows[schedule.kind[rows] != SET]
    carried = np.zeros(len(rows), dtype=bool) if schedule.carried is None else schedule.carried[rows]
    time, value = np.real(schedule.time[rows]), np.real(schedule.value[rows])
    return Events(time, schedule.kind[rows], schedule.index[rows], value, carried)


def carriers(model: Model, of: str, population: Population) -> Carriers:
    """Where the drug of a variable is."""
    below, part = computed_from(model, [of]), of.rpartition(".")[0]
    made = [k for k, s in enumerate(model.states) if s in below]
    sources = [(f.source, f.target) for f in model.flows if f.source and f.target]
    given = {c.name for c in model.compartments if c.dose is not None}
    upstream = _linked({model.states[k] for k in made}, [(b, a) for a, b in sources])
    own = {c for c in given if c.rpartition(".")[0] == part}
    filled = np.any(start_states(model, population) != 0, axis=0)
    reached = _linked(given, sources) & (upstream | own)
    held = [k for k, s in enumerate(model.states) if s in reached and (s in given or not filled[k])]
    other = (given & upstream) - own
    here, elsewhere = ([k for k, s in enumerate(model.states) if s in names] for names in (own, other))
    return Carriers(*(np.array(x, dtype=int) for x in (made, here, elsewhere, held)))


def _linked(first: set[str], links: list[tuple[str, str]]) -> set[str]:
    """What can be reached along links, the beginnings included."""
    found, todo = set(first), list(first)
    while todo:
        name = todo.pop()
        fresh = {b for a, b in links if a == name} - found
        found |= fresh
        todo += fresh
    return found


def intake(run: Simulation, i: int, piece: slice, where: Carriers, events: Events) -> Intake:
    """What the window that patient i's outputs `piece` show is given, and whether it begins with drug."""
    first, last = float(run.times[i, piece.start]), float(run.times[i, piece.stop - 1])
    at = same(events.time, first)
    inside = (events.time > first) & ~at & (events.time < last) & ~same(events.time, last)
    own = _given_at_once(events, at, len(run.model.states))
    adds = inside & (events.kind == ADD) & ~events.carried & np.isin(events.index, where.dosed)
    amount = float(own[where.dosed].sum() + events.value[adds].sum())
    moment = float((events.value[adds] * (events.time[adds] - first)).sum())
    for state in where.dosed:
        rate, a, b = _infused(events, state, first, last)
        amount += float((rate * (b - a)).sum())
        moment += float((rate * (b**2 - a**2)).sum()) / 2
    left = run.states[i, piece.start] - own
    one_unit = len({run.model.compartments[k].unit for k in where.dosed}) == 1
    known = one_unit and not _from_elsewhere(events, where, left, last)
    steps = (
        (at | inside)
        & np.isin(events.index, where.dosed)
        & ((events.kind == RATE) | ((events.kind == ADD) & (events.value != 0) & ~events.carried))
    )
    return Intake(
        amount if known else np.nan,
        moment / amount if amount and known else np.nan,
        float(events.time[steps].max() - first) if steps.any() else 0.0,
        _carried(run, i, piece, where, left),
        _torn(run, i, events, inside, where, (first, last)),
    )


def dose_times(events: Events, where: Carriers) -> np.ndarray:
    """When doses of the variable's drug begin: at once, or as a rate rises."""
    begins = np.isin(events.index, where.dosed) & (events.kind == ADD) & (events.value > 0) & ~events.carried
    for state in where.dosed:
        rows = np.flatnonzero((events.kind == RATE) & (events.index == state))
        begins[rows] = np.diff(events.value[rows], prepend=0.0) > 0
    return events.time[begins]


def _given_at_once(events: Events, at: np.ndarray, size: int) -> np.ndarray:
    """What doses at the window's start bring to each state, less what a removal or reset then takes."""
    own = np.zeros(size)
    for row in np.flatnonzero(at):
        kind, k = events.kind[row], events.index[row]
        if kind == ADD and not events.carried[row]:
            own[k] += events.value[row]
        elif kind == SCALE:
            own[k] *= events.value[row]
        elif kind == ASSIGN:
            own[k] = 0.0
    return own


def _infused(events: Events, state: int, first: float, last: float) -> tuple[np.ndarray, ...]:
    """The rates into a state, each with when it begins and ends within the window."""
    rates = (events.kind == RATE) & (events.index == state)
    time = events.time[rates]
    a = np.clip(time, first, last) - first
    return events.value[rates], a, np.clip(np.append(time[1:], np.inf)[: len(time)], first, last) - first


def _from_elsewhere(events: Events, where: Carriers, left: np.ndarray, last: float) -> bool:
    """Whether drug comes into the variable from a part in which its doses are counted."""
    dosed = np.isin(events.index, where.elsewhere) & (events.value != 0)
    dosed &= (events.time < last) & ~same(events.time, last)
    return bool(np.any(dosed) or np.any(left[where.elsewhere] != 0))


def _carried(run: Simulation, i: int, piece: slice, where: Carriers, left: np.ndarray) -> bool:
    """Whether drug was there before; of states of one unit, against the most that any holds in the window."""
    units = [run.model.compartments[k].unit for k in where.held]
    for unit in dict.fromkeys(units):
        own = where.held[[u == unit for u in units]]
        if np.any(left[own] > FLOOR * np.max(np.abs(run.states[i, piece][:, own]), initial=0.0)):
            return True
    return False


def _torn(
    run: Simulation, i: int, events: Events, inside: np.ndarray, where: Carriers, window: tuple[float, float]
) -> bool:
    """Whether drug is removed, set or added within the window by anything but a dose."""
    other = events.carried | (events.kind == ASSIGN) | ((events.kind == SCALE) & (events.value != 1))
    if np.any(inside & other & np.isin(events.index, where.held)):
        return True
    names = {run.model.states[k] for k in where.held}
    if run.crossed is None:
        return False
    met = [run.crossed[i, k] for k, c in enumerate(run.crossings) if names & set(c.then)]
    return any(window[0] <= t <= window[1] for t in met)
