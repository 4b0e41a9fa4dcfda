"""What each switch of the map moves: the same virtual patients with it and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pkpd.model.compose import load_model
from pkpd.model.model import Model
from pkpd.parameters.bind import line_for
from pkpd.parameters.defaults import default_for
from pkpd.parameters.draw import draw
from pkpd.parameters.population import Population
from pkpd.parameters.sets import load_parameters
from pkpd.regimen.schedule import Schedule, nothing, settings
from pkpd.simulation.ablation import removal
from pkpd.simulation.run import simulate
from pkpd.simulation.simulation import Simulation
from pkpd.trial.assessment import read_response
from tools.mechanisms.map import ORR, SYSTEM, WEEKS, Change, Context, Entry, Map

PATIENTS, SEED = 60, 11
RUN_IN = 90.0  # days in which immunity settles before treatment
TIMES = RUN_IN + 7.0 * np.array((0, *WEEKS))
SCANS = [0, *(1 + i for i, week in enumerate(WEEKS) if week % 8 == 0)]
LEAST = 0.01  # a change of a hundredth counts as a move
SITES = ("hepatic", "extrahepatic")


@dataclass(frozen=True)
class Movement:
    """What a switch did: the change of its readout (relative; of ORR the difference), and ORR without and
    with it.
    """

    entry: Entry
    change: float
    orr: tuple[float, float]

    @property
    def moves(self) -> bool:
        return abs(self.change) >= LEAST

    @property
    def as_stated(self) -> bool:
        return self.moves and (self.change > 0) == (self.entry.goes == "up")


def measure(mechanisms: Map) -> list[Movement]:
    """Every switch of the map, each context's patients being the same in all its arms."""
    model = load_model(SYSTEM)
    found: dict[str, Movement] = {}
    for context in mechanisms.contexts:
        entries = [e for e in mechanisms.switched if e.context == context.name]
        arms = _run(model, context, [None, *entries])
        for entry, arm in zip(entries, arms[1:], strict=True):
            found[entry.name] = Movement(entry, _change(entry, arms[0], arm), (_orr(arms[0]), _orr(arm)))
    return [found[e.name] for e in mechanisms.switched]


def response_rates(mechanisms: Map, system: str) -> dict[str, float]:
    """ORR in a system, the core or the full one, of each context that it has the inputs for."""
    model = load_model(system)
    lines = {line_for(p) for p in model.inputs}
    return {
        c.name: _orr(_run(model, c, [None])[0])
        for c in mechanisms.contexts
        if lines >= {x.line for x in (*c.always, *c.treated)}
    }


def _run(model: Model, context: Context, entries: Sequence[Entry | None]) -> list[Simulation]:
    """One simulation for each entry, all solved together; None is the context itself."""
    people = {sets: _drawn(model, context, sets) for sets in {e.sets if e else () for e in entries}}
    arms = [_arm(model, people[e.sets if e else ()], context, e) for e in entries]
    inputs = np.concatenate([a.inputs for a, _ in arms])
    crowd = Population(model.inputs, inputs, {}, rows=np.arange(len(inputs)))
    run = simulate(model, crowd, _joined([s for _, s in arms]), TIMES)
    cuts = [slice(i * PATIENTS, (i + 1) * PATIENTS) for i in range(len(arms))]
    return [
        Simulation(model, a, s, run.times[c], run.states[c]) for (a, s), c in zip(arms, cuts, strict=True)
    ]


def _drawn(model: Model, context: Context, sets: tuple[str, ...]) -> Population:
    """The patients of a context, under parameter sets that an entry lays on top: each quantity is drawn under
    its own key.
    """
    parameters = load_parameters([default_for(model.name), *context.sets, *sets], model)
    return draw(model, parameters, PATIENTS, SEED, "mechanisms", covariates=dict(context.patients))


def _arm(
    model: Model, people: Population, context: Context, entry: Entry | None
) -> tuple[Population, Schedule]:
    """The patients of one arm with what holds from the start, and the schedule of what treatment sets."""
    own = _changed(people, (*context.always, *(entry.always if entry else ())))
    schedule = _set(model, own, context.treated)
    if entry is not None:
        schedule += _set(model, _changed(own, context.treated), entry.treated)
        if entry.removed:
            schedule += removal(model, RUN_IN, dict(entry.removed), len(own))
    return own, schedule


def _columns(names: Sequence[str], line: str) -> list[int]:
    return [i for i, n in enumerate(names) if line_for(n) == line]


def _changed(people: Population, changes: Sequence[Change]) -> Population:
    inputs = people.inputs.copy()
    for change in changes:
        for i in _columns(people.names, change.line):
            inputs[:, i] = inputs[:, i] * change.value if change.times else change.value
    return replace(people, inputs=inputs)


def _set(model: Model, people: Population, changes: Sequence[Change]) -> Schedule:
    """Changes that begin with treatment; what was before comes back after their days."""
    n, schedule = len(people), nothing(len(people))
    after = _changed(people, changes)
    for change in changes:
        for i in _columns(model.inputs, change.line):
            times = np.tile([RUN_IN, RUN_IN + change.days], (n, 1))
            schedule += settings(n, i, times, np.stack([after.inputs[:, i], people.inputs[:, i]], axis=1))
    return schedule


def _joined(schedules: Sequence[Schedule]) -> Schedule:
    """Schedules of groups of patients, one after the other."""
    ends = np.cumsum([len(s.time) for s in schedules])
    offsets = [s.offsets[:-1] + e - len(s.time) for s, e in zip(schedules, ends, strict=True)]
    rows = (np.concatenate([getattr(s, f) for s in schedules]) for f in ("time", "kind", "index", "value"))
    return Schedule(np.concatenate([*offsets, ends[-1:]]), *rows)


def _change(entry: Entry, base: Simulation, arm: Simulation) -> float:
    """The median over patients of a readout's change at the entry's week; of ORR the difference."""
    if entry.of == ORR:
        return _orr(arm) - _orr(base)
    at = 1 + WEEKS.index(entry.week)
    without, with_it = (np.maximum(s[entry.of][:, at], 1e-12) for s in (base, arm))
    return float(np.median(with_it / without) - 1)


def _orr(run: Simulation) -> float:
    """The share of patients with a response by RECIST 1.1 at 24 weeks or before, seen without error."""
    found = read_response(run, run.times[0, SCANS], "RECIST 1.1", seen_from="0.001 mm")
    return float(np.mean(np.isin(found.response, ("CR", "PR"))))
