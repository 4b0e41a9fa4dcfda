"""Ablation of one lesion and PD-1 blockade in both orders, simulated: neither, each alone from its day, and
both, gap by gap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from pkpd.parameters.bind import line_for
from pkpd.parameters.draw import draw, uniform
from pkpd.parameters.merge import merge
from pkpd.parameters.population import Population
from pkpd.regimen.schedule import nothing
from pkpd.simulation.run import simulate
from pkpd.simulation.simulation import Simulation
from pkpd.study.order.plan import Biology, OrderStudy
from pkpd.trial.endpoints import first_time
from pkpd.trial.lesions import CELL, copies
from pkpd.trial.response import CRITERIA, progressed, standing, target_sum
from pkpd.trial.run_in import settled

_RTOL = 1e-5  # errs the order effect of a patient by 1e-5 at most
_SHRUNK = 0.7  # of its diameter at the first treatment


@dataclass(frozen=True)
class Seen:
    """What is read of untreated lesions: ln mL (patient, read, site), days to progression and response before
    it (patient,), and whether the lesions of a site are at some scan smaller by 30 % in diameter, as a share
    of them (patient, site).
    """

    volume: np.ndarray
    progress: np.ndarray
    response: np.ndarray
    shrunk: np.ndarray


@dataclass(frozen=True)
class Orders:
    """What is seen under no treatment, PD-1 blockade alone from each gap's day, and of each modality,
    (modality, gap): ablation alone on that day, ablation and then blockade, blockade and then ablation.
    """

    neither: Seen
    blockade: list[Seen]
    ablation: list[list[Seen]]
    ablation_first: list[list[Seen]]
    blockade_first: list[list[Seen]]

    def four(self, modality: int, gap: int, measure: str) -> tuple[np.ndarray, ...]:
        """A measure under ablation first, blockade first, and what is left of each when its treatments' own
        effects are out.
        """

        def of(seen: Seen) -> np.ndarray:
            return getattr(seen, measure)

        one, other = of(self.ablation_first[modality][gap]), of(self.blockade_first[modality][gap])
        neither, alone = of(self.neither), self.ablation[modality]
        return (
            one,
            other,
            one - of(alone[0]) - of(self.blockade[gap]) + neither,
            other - of(alone[gap]) - of(self.blockade[0]) + neither,
        )


@dataclass(frozen=True)
class Branch:
    """Patients who change treatment on a day, from the states they are in; `before` is their course until
    then.
    """

    people: Population
    start: np.ndarray
    since: float
    before: np.ndarray | None = None


def drawn_patients(study: OrderStudy, biology: Biology, number: int) -> Population:
    """The patients of one draw: no two draws have the same, and every modality and order treats the same."""
    point = study.points[number % len(study.points)]
    contexts = (point.within(name, own) for name, own in biology.contexts)
    people = draw(
        study.system,
        reduce(merge, contexts, point.parameters),
        study.patients,
        study.seed,
        "order",
        first=number * study.patients,
        covariates=dict(study.covariates),
    )
    factors = np.ones(len(people.names))
    for u in study.uncertain:
        times = drawn(study, u.name, u.times, number)
        factors *= np.where([line_for(n) in u.lines for n in people.names], times, 1.0)
    return replace(people, inputs=people.inputs * factors)


def drawn(study: OrderStudy, name: str, between: tuple[float, float], number: int) -> float:
    """A number between two, evenly in its logarithm, under its own key."""
    u = float(uniform((str(study.seed), "order", "uncertain", name), 1, number)[0])
    return between[0] * (between[1] / between[0]) ** u


def orders(
    study: OrderStudy, people: Population, number: int, gaps: Sequence[float], spares: bool = False
) -> Orders:
    """Every course of some patients; `spares`: the lesion keeps its tumour, and all else happens as if it had
    not.
    """
    ablation = study.ablation
    shares = [
        drawn(study, k, (s.low, s.high), number)
        for k, s in (("dies", ablation.dies), ("reach", ablation.reach))
    ]
    on = people.with_inputs(dict(study.blockade))
    start = run_in(study, people)
    neither, blocked = followed(study, [Branch(people, start, 0.0), Branch(on, start, 0.0)])
    at = {g: int(np.searchsorted(study.days, g - 1e-6)) for g in gaps}
    second = [Branch(on, neither[:, i], g, neither) for g, i in at.items()]
    for m in study.modalities:
        for own, before in ((people, neither), (on, blocked)):
            own = own.with_inputs(dict(m.sets))
            second += [
                Branch(own, ablated(study, own, before[:, i], shares, spares), g, before)
                for g, i in at.items()
            ]
    blockade, *rest = _each(followed(study, second), len(gaps))
    third = [
        Branch(on.with_inputs(dict(m.sets)), alone[0][:, i], g, alone[0])
        for m, alone in zip(study.modalities, rest[::2], strict=True)
        for g, i in at.items()
    ]
    firsts, read = _each(followed(study, third), len(gaps)), _reader(study, people)
    return Orders(
        read(neither),
        [read(x) for x in blockade],
        *([[read(x) for x in own] for own in some] for some in (rest[::2], firsts, rest[1::2])),
    )


def run_in(study: OrderStudy, people: Population) -> np.ndarray:
    """The states of patients on the first day (patient, state)."""
    return settled(study.system, people, study.run_in, _RTOL, strict=True).states[:, 0]


def _each(found: list[np.ndarray], count: int) -> list[list[np.ndarray]]:
    return [found[i : i + count] for i in range(0, len(found), count)]


def followed(study: OrderStudy, branches: Sequence[Branch]) -> list[np.ndarray]:
    """The states of each branch at the study's days (patient, day, state), all solved together."""
    days, counts = study.days, [len(b.people) for b in branches]
    inputs = np.concatenate([b.people.inputs for b in branches])
    since = np.repeat([b.since for b in branches], counts)
    crowd = Population(study.system.inputs, inputs, {}, rows=np.arange(len(inputs)))
    run = simulate(
        study.system,
        crowd,
        None,
        np.maximum(days, since[:, None]),
        begin=since,
        start=np.concatenate([b.start for b in branches]),
        rtol=_RTOL,
    )
    found = np.split(run.states, np.cumsum(counts)[:-1])
    return [
        own if b.before is None else np.where((days < b.since - 1e-6)[:, None], b.before, own)
        for b, own in zip(branches, found, strict=True)
    ]


def ablated(
    study: OrderStudy, people: Population, states: np.ndarray, shares: Sequence[float], spares: bool
) -> np.ndarray:
    """The states after the ablation: a share of the lesion is dead, and what was destroyed primes T cells and
    injures its site.

    Injury rises by the share of the site's viable tumour that was destroyed, as it does where all of a site
    is treated.
    """
    model, states, (dies, reach) = study.system, states.copy(), shares
    lesion, part = study.ablation.lesion, study.ablation.injury
    joins = next(dict(p.joins) for p in model.parts if p.name == part)
    index = {n: i for i, n in enumerate(model.states)}
    cells = [index[f"{lesion}.sensitive"], index[f"{lesion}.resistant"]]
    site = [
        i
        for n, i in index.items()
        if n.split(".")[0] == lesion.split(".")[0] and n.endswith((".sensitive", ".resistant"))
    ]
    destroyed = dies * states[:, cells].sum(axis=1)
    share = destroyed / np.maximum(states[:, site].sum(axis=1), CELL)
    injury = index[f"{part}.injury"]
    states[:, injury] += reach * share * (1 - states[:, injury])
    primed = people[f"{part}.STRENGTH"] * people[f"{part}.IOTA"] * people[f"{joins['biology']}.ANTIGEN"]
    states[:, index[f"{joins['systemic']}.priming"]] += primed * destroyed
    if not spares:
        states[:, cells] *= 1 - dies
        states[:, index[f"{lesion}.dead"]] += destroyed
    return states


def _reader(study: OrderStudy, people: Population) -> Callable[[np.ndarray], Seen]:
    """What is read of the states of patients."""
    days, none = study.days, nothing(len(people))
    visits, reads = (np.isin(days.round(6), np.round(x, 6)) for x in (study.scans, study.reads))
    criteria = CRITERIA["RECIST 1.1"]

    def read(states: np.ndarray) -> Seen:
        run = Simulation(study.system, people, none, np.tile(days, (len(people), 1)), states)
        left = {s: _untreated(study, s) for s in study.sites}
        size = {s: copies(run, s, "diameter")[:, visits][:, :, left[s]] for s in study.sites}
        volume = np.stack(
            [copies(run, s, "viable")[:, reads][:, :, left[s]].sum(axis=2) for s in study.sites], axis=2
        )
        total = np.sum([target_sum(d, d[:, 0], criteria) for d in size.values()], axis=0)
        worse = progressed(total, criteria)
        progress = first_time(np.tile(study.scans, (len(total), 1)), worse)
        response = standing(total, np.ones(total.shape), criteria)[0] & ~np.maximum.accumulate(worse, axis=1)
        smallest = {s: (d.min(axis=1), d[:, 0]) for s, d in size.items()}
        shrunk = [
            ((low <= _SHRUNK * first) & (first > 0)).sum(axis=1) / np.maximum((first > 0).sum(axis=1), 1)
            for low, first in smallest.values()
        ]
        return Seen(
            np.log(np.maximum(volume, CELL)),
            np.minimum(progress, study.horizon),
            np.where(response.any(axis=1), 1.0, 0.0),
            np.stack(shrunk, axis=1),
        )

    return read


def _untreated(study: OrderStudy, site: str) -> np.ndarray:
    """Which lesions of a site are read: not the one that is ablated."""
    names = [
        v.name.removesuffix(".viable")
        for v in study.system.variables
        if v.name.startswith(f"{site}.") and v.name.endswith(".viable")
    ]
    return np.array([n != study.ablation.lesion for n in names])
