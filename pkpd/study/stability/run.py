"""run_stability: eigenvalues where treatment begins, every equilibrium and the paths to them, and the laws,
measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np

from pkpd.fit.free import Point
from pkpd.fit.intervals import interval, share
from pkpd.machine.executor import stream
from pkpd.parameters.population import Population
from pkpd.study.stability.basins import OUTCOMES, Paths, critical, outcome_map, paths
from pkpd.study.stability.conservation import laws
from pkpd.study.stability.fixed_volume import fixed_volume
from pkpd.study.stability.folds import KILL, balance, branch, equilibria, fold, two_stable, typical, without
from pkpd.study.stability.plan import Given, Group, StabilityStudy
from pkpd.study.stability.spectrum import at_treatment, spectra
from pkpd.study.stability.subjects import average, central, drawn, people, scaled, treated

Tell = Callable[[str, int, int], None]
Rows = tuple[dict, ...]
MAP_VOLUMES = np.geomspace(1e-9, 1000.0, 37)  # mL of viable tumour at the start
MAP_EFFECTORS = np.geomspace(0.01, 100.0, 13)


@dataclass(frozen=True)
class StabilityResult:
    """The tables of a study of stability, rows of plain data, each of a group and a treatment.

    spectrum    eigenvalues where treatment begins: medians and middle 95 % of patients, or shares of them
    ranks       each eigenvalue by its rank, and the class of states that leads in it most often
    modes       the modes of the typical patient, with the states that take part most
    fixed       the search at fixed volume
    equilibria  those of the typical patient
    basins      two stable states or one, ends from each start, volumes that part them
    folds       factors on kill between which the typical patient has two stable states
    terms       the share with two stable states once a term is taken out
    laws        positivity, bounds and balance; the worst over groups, treatments, patients and times
    curves, branches, maps   what the figures draw
    """

    study: StabilityStudy
    fit: dict
    spectrum: Rows
    ranks: Rows
    modes: Rows
    fixed: Rows
    equilibria: Rows
    basins: Rows
    folds: Rows
    terms: Rows
    curves: Rows
    branches: Rows
    maps: Rows
    laws: Rows = ()


def run_stability(study: StabilityStudy, tell: Tell = lambda what, done, of: None) -> StabilityResult:
    """Runs a study of stability, group by group."""
    from pkpd.solve.compile import kernels

    kernels(study.system)
    at, account = central(study)
    points = drawn(study)
    pairs = [(g, t) for g in study.groups for t in study.compared]
    tasks = [
        *(partial(_rates, study, at, g) for g in study.groups),
        *(partial(_resting, study, at, points, *p) for p in pairs),
        partial(_held, study, at),
    ]
    tables: dict[str, list[dict]] = {
        f.name: [] for f in fields(StabilityResult) if f.name not in ("study", "fit")
    }
    tell("simulating", 0, len(tasks))
    for done, found in enumerate(stream(_called, tasks), 1):
        for name, rows in found.items():
            tables[name] += rows
        tell("simulating", done, len(tasks))
    return StabilityResult(study, account, **{name: tuple(rows) for name, rows in tables.items()})


def _called(task: Callable[[], dict[str, list[dict]]]) -> dict[str, list[dict]]:
    return task()


def _rates(study: StabilityStudy, at: Point, group: Group) -> dict[str, list[dict]]:
    return dict(zip(("spectrum", "ranks", "modes"), spectra(study, group, at), strict=True))


def _held(study: StabilityStudy, at: Point) -> dict[str, list[dict]]:
    return {"laws": laws(study, at)}


def _resting(
    study: StabilityStudy, at: Point, points: list[Point], group: Group, given: Given
) -> dict[str, list[dict]]:
    """Everything about the equilibria of one group under one treatment."""
    head = {"group": group.name, "treatment": given.name}
    curve = branch(study, group, given, at)
    ends = fold(curve)
    low, high = ends or (None, None)
    factors = [1.0] if ends is None or ends[0] <= 1 <= ends[1] else [1.0, float(np.sqrt(ends[0] * ends[1]))]
    return {
        "fixed": [head | fixed_volume(study, group, given, at)],
        "equilibria": [head | row for row in typical(study, group, given, at)],
        "basins": [head | row for row in _basins(study, at, points, group, given)],
        "folds": [head | {"low": low, "high": high, **_strengths(study, group, at)}],
        "terms": [head | {"term": t.name, **share(without(study, group, given, t, at))} for t in study.terms],
        "curves": [_short(head | {"factor": f, **balance(study, group, given, at, f)}) for f in factors],
        "branches": [_short(head | curve)],
        "maps": [_short(head | _map(study, group, given, at, f)) for f in factors if given.sets],
    }


def _short(row: dict) -> dict:
    """A row whose lists hold five digits: what a figure draws."""

    def cut(x: Any) -> Any:
        return (
            [cut(y) for y in x] if isinstance(x, list) else float(f"{x:.5g}") if isinstance(x, float) else x
        )

    return {k: cut(v) if isinstance(v, list) else v for k, v in row.items()}


def _strengths(study: StabilityStudy, group: Group, at: Point) -> dict[str, float]:
    """The factors on the typical kill between which the middle 95 % of patients lie."""
    [name] = [n for n in study.system.inputs if n == KILL.replace("site", group.place.site)]
    factors = people(study, group, at)[name] / average(study, group, at)[name]
    found = interval(factors)
    return {"patients_low": found["low"], "patients_high": found["high"]}


def _basins(study: StabilityStudy, at: Point, points: list[Point], group: Group, given: Given) -> list[dict]:
    """Two stable states or one by the reduction, ends of the whole system, and what lies between."""
    two = two_stable(study, group, given, at, points)
    crowd, both = two["patients"], two["which"]
    found = paths(study, group, crowd, at_treatment(study, people(study, group, at)))
    rows = [
        {"measure": "two stable states", "unit": "%", **two["share"]},
        {"measure": "two stable states, over draws", "unit": "%", **two["drawn"]},
        {"measure": "end depends on the start", "unit": "%", **share(found.two)},
        {"measure": "both say the same", "unit": "%", **share(found.two == both)},
        {"measure": "equilibria", "unit": "1", "value": two["equilibria"]},
        {"measure": "stable equilibria with a complex pair", "unit": "1", "value": two["turning"]},
        {
            "measure": "equilibria of another stability than the reduction says",
            "unit": "1",
            "value": two["otherwise"],
        },
        *_outcomes(study, found),
    ]
    own = crowd.take(np.flatnonzero(both))
    return [*rows, *_between(study, group, own, two["volumes"], found.own.last[both])]


def _outcomes(study: StabilityStudy, found: Paths) -> list[dict]:
    """Shares of patients by outcome: from the smallest start, the largest (fewest effectors), and where
    treatment finds them.
    """
    ends = (
        ("the smallest start", found.ends.outcome[:, 0, 0]),
        ("the largest start", found.ends.outcome[:, -1, 0]),
        ("their own start", found.own.outcome),
    )
    rows = [
        {"measure": f"{outcome} from {start}", "unit": "%", **share(own == k)}
        for start, own in ends
        for k, outcome in enumerate(OUTCOMES)
    ]
    return [
        *rows,
        {
            "measure": "eliminated from any start",
            "unit": "%",
            **share((found.ends.outcome == 0).any(axis=(1, 2))),
        },
        {"measure": "still moving at the end", "unit": "%", **share(found.ends.moving.any(axis=(1, 2)))},
    ]


def _between(
    study: StabilityStudy, group: Group, own: Population, volumes: np.ndarray, last: np.ndarray
) -> list[dict]:
    """Of patients with two stable states: their volumes, those that part them, and on which side treatment
    finds them.
    """
    rows = [
        {"measure": f"volume of the {name} state", "unit": "mL", **interval(volumes[:, k])}
        for k, name in enumerate(("lower", "parting", "upper"))
    ]
    for effectors in study.effectors:
        parts = critical(study, group.place, own, volumes, np.full(len(own), effectors))
        rows.append(
            {
                "measure": f"critical start at {effectors:g} effectors over the parting state",
                "unit": "1",
                "missing": int(np.isnan(parts).sum()),
                **interval(parts / volumes[:, 1]),
            }
        )
    return [
        *rows,
        {
            "measure": "with two, ending at the upper from their own start",
            "unit": "%",
            **share(last > volumes[:, 1]),
        },
        {"measure": "patients with two stable states", "unit": "1", "value": len(own)},
    ]


def _map(study: StabilityStudy, group: Group, given: Given, at: Point, factor: float) -> dict:
    """Where the typical patient ends from each start, the kill times a factor; and the starts that part two
    ends.
    """
    one = scaled(treated(average(study, group, at), given), group, KILL, factor)
    ends = outcome_map(study, group.place, one, MAP_VOLUMES, MAP_EFFECTORS)
    found, falls = equilibria(study, group, one)
    parts: list[float | None] = []
    if falls.sum() > 1:
        crowd, three = (
            one.take(np.zeros(len(MAP_EFFECTORS), dtype=int)),
            np.repeat(found[:, :3], len(MAP_EFFECTORS), axis=0),
        )
        parts = [
            None if np.isnan(x) else float(x)
            for x in critical(study, group.place, crowd, three, MAP_EFFECTORS)
        ]
    return {
        "factor": factor,
        "volumes": MAP_VOLUMES.tolist(),
        "effectors": MAP_EFFECTORS.tolist(),
        "last": ends.last.tolist(),
        "outcome": ends.outcome.tolist(),
        "critical": parts,
        "equilibria": [
            [float(v), bool(s)] for v, s in zip(found[0], falls[0], strict=True) if not np.isnan(v)
        ],
    }
