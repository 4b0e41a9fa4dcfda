"""What must hold at every time, measured: nothing below zero, everything within its bounds, and every balance
kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from pkpd.fit.free import Point
from pkpd.model.expression import evaluate, names_in
from pkpd.parameters.bind import line_for
from pkpd.parameters.population import Population
from pkpd.regimen.schedule import Schedule, nothing, settings
from pkpd.simulation.run import simulate
from pkpd.simulation.simulation import Simulation
from pkpd.study.platforms.experiment import PLACES
from pkpd.study.stability.plan import Given, Group, StabilityStudy
from pkpd.study.stability.reduction import SITE
from pkpd.study.stability.subjects import people

_LONGEST = 16.0  # days of a panel of the quadrature
_NODES = 10  # of Gauss and Legendre in a panel
_RTOL = 1e-8
_SLACK = 1e-6  # of a state's scale, of a bound, or of what flowed: within it a law holds
_LOGARITHM = "logarithm"  # how the text of a state begins that may be negative

Bound = tuple[
    str, str, Callable[[Simulation, Group], np.ndarray]
]  # what, its bounds in words, its share of them from 0 to 1


def laws(study: StabilityStudy, at: Point) -> list[dict]:
    """Rows of positivity, of bounds and of balance, each the worst over all groups, treatments, patients and
    times.
    """
    rows: dict[tuple[str, str], dict] = {}
    for group in study.groups:
        for given in study.treatments:
            run, weights = follow(study, people(study, group, at, "laws"), given)
            for row in (*_positive(run, group), *_bounded(run, group), *_balanced(run, weights, group)):
                _worse(rows, {**row, "group": group.title, "treatment": given.title})
    order = ("positivity", "bounds", "balance")
    return sorted(rows.values(), key=lambda r: order.index(r["law"]))


def _worse(rows: dict[tuple[str, str], dict], row: dict) -> None:
    """Keeps the worst of rows of one law and item, with the lowest and highest of all."""
    known = rows.setdefault((row["law"], row["item"]), row)
    ends = {"lowest": min(known["lowest"], row["lowest"]), "highest": max(known["highest"], row["highest"])}
    rows[row["law"], row["item"]] = {**(row if row["margin"] < known["margin"] else known), **ends}


def follow(study: StabilityStudy, patients: Population, given: Given) -> tuple[Simulation, np.ndarray]:
    """Patients through run-in, treatment and afterwards, at the nodes of a quadrature, with the weight of
    each time.
    """
    switches = [0.0, study.run_in, study.run_in + study.treated, study.run_in + study.followed]
    times, weights = _quadrature(switches)
    schedule = _given(study, patients, given, switches[1:3])
    return simulate(study.system, patients, schedule, times, rtol=_RTOL), weights


def _given(study: StabilityStudy, patients: Population, given: Given, when: list[float]) -> Schedule:
    """Inputs set when treatment begins, and set back when it ends."""
    schedule, n = nothing(len(patients)), len(patients)
    for name, value in given.sets:
        levels = np.stack([np.full(n, value), patients[name]], axis=1)
        schedule += settings(n, study.system.inputs.index(name), np.tile(when, (n, 1)), levels)
    return schedule


def _quadrature(switches: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights over panels that are short after each switch; the first and last time have none."""
    at, weight = np.polynomial.legendre.leggauss(_NODES)
    times, weights = [switches[0]], [0.0]
    for first, last in zip(switches, switches[1:], strict=False):
        edges = [first]
        while edges[-1] < last:
            edges.append(min(edges[-1] + np.clip(edges[-1] - first, 0.25, _LONGEST), last))
        for low, high in zip(edges, edges[1:], strict=False):
            times += list(low + (high - low) * (at + 1) / 2)
            weights += list(weight * (high - low) / 2)
    return np.array([*times, switches[-1]]), np.array([*weights, 0.0])


def _row(law: str, item: str, bounds: str, unit: str, ends: tuple[float, float], margin: float) -> dict:
    return {
        "law": law,
        "item": item,
        "bounds": bounds,
        "unit": unit,
        "lowest": ends[0],
        "highest": ends[1],
        "margin": margin,
        "holds": margin >= -_SLACK,
    }


def _positive(run: Simulation, group: Group) -> Iterator[dict]:
    """The lowest value of each state, copies together, and how many of its scales that is; what no group has
    is left out.
    """
    others = [(lesions, site) for lesions, (site, *_) in PLACES.items() if lesions != group.place.lesions]
    absent = tuple(f"{part}." for pair in others for part in pair)
    lines: dict[str, list[int]] = {}
    for i, c in enumerate(run.model.compartments):
        if not c.text.startswith(_LOGARITHM) and not c.name.startswith(absent):
            lines.setdefault(line_for(c.name), []).append(i)
    for line, own in lines.items():
        c, seen = run.model.compartments[own[0]], run.states[:, :, own]
        ends = float(seen.min()), float(seen.max())
        yield _row("positivity", line, "≥ 0", c.unit, ends, ends[0] / (c.scale or max(map(abs, ends)) or 1.0))


def _bounded(run: Simulation, group: Group) -> Iterator[dict]:
    for item, words, share in _BOUNDS:
        found = share(run, group)
        ends = float(found.min()), float(found.max())
        yield _row("bounds", item, words, "1", ends, min(ends[0], 1 - ends[1]))


def _at(run: Simulation, group: Group, name: str) -> np.ndarray:
    """A quantity of the group's site, its lesions' first copy or its growth, as `site.`, `lesion.` or
    `growth.`.
    """
    place = group.place
    part = {"site": place.site, "lesion": place.lesions, "growth": f"{place.growth}.1"}
    head, _, rest = name.partition(".")
    return run[f"{part.get(head, head)}.{rest}"]


def _of(name: str) -> Callable[[Simulation, Group], np.ndarray]:
    return lambda run, group: _at(run, group, name)


def _largest(run: Simulation, group: Group) -> np.ndarray:
    """Each lesion over the larger of what its growth allows and what it was at the begin."""
    own = np.stack(
        [run[f"{group.place.lesions}.{k}.volume"] for k in range(1, group.place.count + 1)], axis=2
    )
    return own / np.maximum(_at(run, group, "growth.K")[:, :, None], own[:, :1])


def _over(
    name: str, most: Callable[[Callable[[str], np.ndarray]], np.ndarray]
) -> Callable[[Simulation, Group], np.ndarray]:
    def share(run: Simulation, group: Group) -> np.ndarray:
        bound = most(lambda n: _at(run, group, n))
        return np.divide(_at(run, group, name), bound, out=np.zeros_like(bound), where=bound > 0)

    return share


def _most(values: np.ndarray) -> np.ndarray:
    return values.max(axis=1, keepdims=True)


_BOUNDS: tuple[Bound, ...] = (
    ("tumour in the site", "0 to KSITE", _over("site.volume", lambda x: x("growth.KSITE") + 0)),
    ("one lesion", "0 to K, or its size at the begin", _largest),
    ("kill", "0 to KAPPA × antigen seen", _over("site.kill", lambda x: x("site.KAPPA") * x("biology.seen"))),
    ("presence of tumour", "0 to 1", _of("site.presence")),
    ("mass of tumour", "0 to 1", _of("site.mass")),
    ("inhibition by PD-1", "0 to 1", _of("site.inhibition")),
    ("inhibition by LAG-3", "0 to 1", _of("site.lag")),
    (
        "circulating cells",
        "0 to 1 + PIMAX × (1 + PCTLA4 × blocked)",
        _over(
            "systemic.circulating",
            lambda x: 1 + x("systemic.PIMAX") * (1 + x("systemic.PCTLA4") * _most(x("therapy.ctla4"))),
        ),
    ),
    (
        "priming by antigen",
        "0 to NU × antigens / KA, without chemotherapy",
        _over(
            "systemic.priming",
            lambda x: np.where(
                _most(x("effect.RATE")) > 0,
                np.inf,
                x("systemic.NU") * x("biology.antigen") / x("systemic.KA"),
            ),
        ),
    ),
    (
        "myeloid cells",
        "0 to (MBASE + 1) × (1 + MFAT)",
        _over("site.myeloid", lambda x: (x("site.MBASE") + 1) * (1 + x("site.MFAT"))),
    ),
    ("stroma", "0 to FBASE + 1", _over("site.stroma", lambda x: x("site.FBASE") + 1)),
    ("vessels", "0 to 1", _of("site.vessels")),
    ("chance of being alive", "0 to 1", _of("hazard.alive")),
    ("chance that an occult focus is extinct", "0 to 1", _of("occult.extinct")),
)


def _balanced(run: Simulation, weights: np.ndarray, group: Group) -> Iterator[dict]:
    """What flowed in and out of some states, by quadrature, against how they changed: what is left of both
    together.
    """
    lesions = [
        f"{group.place.lesions}.{k}.{s}"
        for k in range(1, group.place.count + 1)
        for s in ("sensitive", "resistant", "dead")
    ]
    sums = {
        "viable and dead tumour of the site": lesions,
        "circulating cells": ["systemic.circulating"],
        "priming": ["systemic.priming"],
        "effectors and exhausted cells": [f"{group.place.site}.{s}" for s in SITE[:2]],
    }
    for item, states in sums.items():
        coming, going = _flowed(run, weights, states)
        held = np.sum([run[s] for s in states], axis=0)
        left = (held[:, -1] - held[:, 0] - (coming - going)) / (
            np.abs(coming) + np.abs(going) + held.max(axis=1)
        )
        yield _row(
            "balance",
            item,
            "came − went − change, of all that flowed",
            "1",
            (float(left.min()), float(left.max())),
            -float(np.abs(left).max()),
        )


def _flowed(run: Simulation, weights: np.ndarray, states: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """What came into states and what went out of them (patient,); what passes between them counts
    as neither.
    """
    coming, going = np.zeros(len(run.times)), np.zeros(len(run.times))
    for flow in run.model.flows:
        enters, leaves = flow.target in states, flow.source in states
        if enters == leaves:
            continue  # outside of them, or between two of them
        values = {n: run[n] for n in names_in(flow.tree)}
        total = (np.asarray(evaluate(flow.tree, values, np)) + np.zeros(run.times.shape)) @ weights
        if enters:
            coming += total * float(flow.gain)
        else:
            going += total
    return coming, going
