"""Equilibria by the reduction: of typical and of virtual patients, and how they come and go with the strength
of kill.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pkpd.errors import fail
from pkpd.fit.free import Point
from pkpd.fit.intervals import interval, share
from pkpd.parameters.population import Population
from pkpd.study.stability.linearisation import linearised
from pkpd.study.stability.plan import Given, Group, StabilityStudy, Term
from pkpd.study.stability.reduction import Place, Reduction, resting, whole, zeros
from pkpd.study.stability.spectrum import in_play, stable
from pkpd.study.stability.subjects import average, named, people, scaled, treated
from pkpd.trial.lesions import CELL

KILL = "site.KAPPA"  # the strength by which equilibria are followed
_COUNT = 121  # volumes between which signs are told apart
_EXACT = 1e-6  # of the flows that cancel: what may be left of a rate at an equilibrium of the whole system
_FINE = 240  # volumes of a curve


def volumes(patients: Population, place: Place, count: int = _COUNT) -> np.ndarray:
    """Volumes of viable tumour (mL) from one cell to just above where growth ends for all of the patients."""
    growth, site = f"{place.growth}.1", place.site
    vessels = 1 - patients[f"{site}.EVEGF"] * patients["therapy.VEGF"]
    most = np.minimum(place.count * patients[f"{growth}.K"] * vessels, patients[f"{growth}.KSITE"])
    return np.geomspace(CELL, 1.02 * float(most.max()), count)


def equilibria(study: StabilityStudy, group: Group, patients: Population) -> tuple[np.ndarray, np.ndarray]:
    """Volumes of all equilibria of each patient (patient, k), missing beyond the last, and whether net growth
    falls there.
    """
    return zeros(Reduction(patients, group.place), volumes(patients, group.place))


def confirmed(
    study: StabilityStudy, group: Group, patients: Population, found: np.ndarray, falls: np.ndarray
) -> tuple[int, int, int]:
    """How many equilibria there are, how many of the stable ones turn, and how many are not as stable as the
    reduction says.

    Each is put back into the whole system; one at which something still changes shows that the reduction is
    not of this one.
    """
    linear = linearised(study.system, in_play(study, group))
    turning = otherwise = 0
    for k in range(found.shape[1]):
        which = np.flatnonzero(~np.isnan(found[:, k]))
        if not which.size:
            continue
        own = patients.take(which)
        y = whole(study.system, Reduction(own, group.place), found[which, k])
        rates, slopes = linear(y, own.inputs)
        flows = np.einsum("rij,rj->ri", np.abs(slopes), np.abs(y[:, linear.columns])) + 1e-12
        if np.max(np.abs(rates) / flows) > _EXACT:
            worst = linear.states[int(np.argmax((np.abs(rates) / flows).max(axis=0)))]
            raise fail(
                f"{study.name}: study.system",
                f"{study.system.name} does not rest where its core would: {worst} still changes",
                "name a system without further modules: the reduction holds for the core",
            )
        holds, turns = stable(linear, y, own)
        otherwise += int((holds != falls[which, k]).sum())
        turning += int((turns & falls[which, k]).sum())
    return int((~np.isnan(found)).sum()), turning, otherwise


def typical(study: StabilityStudy, group: Group, given: Given, at: Point) -> list[dict]:
    """Equilibria of the typical patient: volume, stability, effectors and how fast a small change of volume
    fades or grows.
    """
    one = treated(average(study, group, at), given)
    found, falls = equilibria(study, group, one)
    confirmed(study, group, one, found, falls)
    reduced, rows = Reduction(one, group.place), []
    for viable, holds in zip(found[0], falls[0], strict=True):
        around = reduced.at(viable * np.array([[1 - 1e-5, 1.0, 1 + 1e-5]]))
        slope = (around.net[0, 2] - around.net[0, 0]) / 2e-5
        rows.append(
            {
                "volume": float(viable),
                "stable": bool(holds),
                "effectors": float(around.states["effector"][0, 1]),
                "kill": float(around.kill[0, 1]),
                "rate": float(slope),
            }
        )
    return rows


def shares(study: StabilityStudy, group: Group, given: Given, points: Sequence[Point]) -> np.ndarray:
    """The share (%) of patients with two stable equilibria under each draw, in patients of its own."""
    found = []
    for k, at in enumerate(points):
        crowd = treated(people(study, group, at, f"draw {k}"), given)
        found.append(
            100 * float(np.mean(resting(Reduction(crowd, group.place), volumes(crowd, group.place)) > 1))
        )
    return np.array(found)


def two_stable(study: StabilityStudy, group: Group, given: Given, at: Point, points: Sequence[Point]) -> dict:
    """The share of virtual patients with two stable equilibria, also over draws, and the volumes that part
    them.
    """
    crowd = treated(people(study, group, at), given)
    found, falls = equilibria(study, group, crowd)
    count, turning, otherwise = confirmed(study, group, crowd, found, falls)
    both = falls.sum(axis=1) > 1
    drawn = interval(shares(study, group, given, points))
    return {
        "share": share(both),
        "drawn": drawn,
        "equilibria": count,
        "turning": turning,
        "otherwise": otherwise,
        "which": both,
        "volumes": found[both][:, :3].reshape(-1, 3),
        "patients": crowd,
    }


def without(study: StabilityStudy, group: Group, given: Given, term: Term, at: Point) -> np.ndarray:
    """Which patients have two stable equilibria once a term is taken out."""
    crowd = treated(people(study, group, at), given)
    lines = [n for line in term.lines for n in named(crowd, group, line)]
    crowd = crowd.with_inputs(dict.fromkeys(lines, 0.0))
    return resting(Reduction(crowd, group.place), volumes(crowd, group.place)) > 1


def balance(
    study: StabilityStudy, group: Group, given: Given, at: Point, factor: float = 1.0
) -> dict[str, list[float]]:
    """Growth and kill (1/day) of the typical patient against viable tumour (mL), the kill times a factor."""
    one = scaled(treated(average(study, group, at), given), group, KILL, factor)
    grid = volumes(one, group.place, _FINE)
    here = Reduction(one, group.place).at(grid[None])
    end = int(np.argmax(here.growth[0] <= 0)) or len(
        grid
    )  # beyond both bounds two negative factors would make it grow again
    return {
        "volume": grid[:end].tolist(),
        "growth": here.growth[0, :end].tolist(),
        "kill": here.kill[0, :end].tolist(),
    }


def branch(study: StabilityStudy, group: Group, given: Given, at: Point) -> dict[str, list]:
    """Every equilibrium of the typical patient by the factor on kill that makes it one, and whether it is
    stable.

    Where the factor falls with volume a larger tumour needs less kill to rest: what is a little larger
    shrinks no further.
    """
    one = treated(average(study, group, at), given)
    grid = volumes(one, group.place, _FINE)
    near = (
        grid[-1] / 1.02 * (1 - np.geomspace(1e-4, 0.1, 40))
    )  # where growth ends the factor falls to nothing
    grid = np.union1d(grid, near)
    factor = Reduction(one, group.place).strengths(grid[None])[0]
    there = np.isfinite(factor) & (factor > 0)
    grid, factor = grid[there], factor[there]
    return {
        "volume": grid.tolist(),
        "factor": factor.tolist(),
        "stable": (np.gradient(factor, np.log(grid)) < 0).tolist(),
    }


def fold(curve: dict[str, list]) -> tuple[float, float] | None:
    """The factors on kill between which there are two stable equilibria; None where there never are.

    They lie between a least and a greatest value of the factor along the branch of equilibria.
    """
    factor, holds = np.array(curve["factor"]), np.array(curve["stable"])
    turns = np.flatnonzero(holds[1:] != holds[:-1])
    if len(turns) < 2:
        return None
    ends = factor[[int(turns[0]), int(turns[1])]]
    return float(ends.min()), float(ends.max())
