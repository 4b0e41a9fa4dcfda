"""Pairs of virtual patients that differ in where one of two lesions lies, and what is read of the other.

Lesion V lies outside the liver in both and is read; lesion W lies in the liver of one, outside it in the
other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from pkpd.fit.free import Point
from pkpd.model.model import Model
from pkpd.parameters.population import Population
from pkpd.simulation.simulation import Simulation
from pkpd.study.resistance.mechanism import Mechanism, ends
from pkpd.trial.lesions import log_kill

Kept = tuple[int, ...]  # which terms of the liver's tolerance are left

# where lesion W lies, for a reader; the first two are the pair, all else being equal
ARMS = {
    "liver": "in the liver, growing and infiltrated as outside it",
    "apart": "outside the liver, in an organ of its own",
    "own": "in the liver, growing and infiltrated as there",
    "together": "outside the liver, in the organ of the lesion that is read",
}
# what differs between two arms; "growth" is the arm "liver" with the growth of lesions there
STEPS = {
    "tolerance": ("liver", "apart"),
    "growth": ("growth", "liver"),
    "site": ("own", "growth"),
    "organ": ("apart", "together"),
    "all": ("own", "together"),
}
COVARIATES = (("LESIONS", 1.0), ("ELSEWHERE", 1.0))
TOLERANCE = "liver.TOLERANCE"
READ, OTHER, BESIDE = "extrahepatic.1", "hepatic.1", "extrahepatic.2"
INPUTS = (TOLERANCE, f"{READ}.D0", f"{OTHER}.D0", f"{BESIDE}.D0")
_RATE = "growth_elsewhere.1.rate"
_SITES = {"liver": "elsewhere", "hepatic": "extrahepatic"}


def subsets(count: int) -> list[Kept]:
    """Every choice of terms that are left, from none to all."""
    return [kept for size in range(count + 1) for kept in combinations(range(count), size)]


def arm(kept: Kept, count: int) -> str:
    """The name of the arm with the liver and some of the terms of its tolerance: `liver` with all."""
    return "liver" if len(kept) == count else " ".join(("liver with", *map(str, kept)))


def placed(
    system: Model, terms: Sequence[Mechanism], patients: Population, at: Point
) -> dict[str, Population]:
    """The same patients with lesion W in each place, and in the liver with every choice of the terms of its
    tolerance.

    The organ apart is the system's liver without tolerance, with every line of the site and of the lesion
    that is read.
    """
    parts = {p.name for p in system.parts}
    like = {n: patients[twin] for n in patients.names if (twin := _twin(n, parts)) in patients.names}
    liver = patients.with_inputs({n: v for n, v in like.items() if n != TOLERANCE and not n.endswith(".D0")})
    found = {
        "apart": liver.with_inputs({TOLERANCE: 0.0}),
        "own": patients,
        "growth": liver.with_inputs({n: patients[n] for n in like if n.split(".")[0] == "growth"}),
        "together": liver.with_inputs({f"{OTHER}.D0": 0.0, f"{BESIDE}.D0": patients[f"{OTHER}.D0"]}),
    }
    for kept in subsets(len(terms)):
        gone = [ends(system, t, liver, at) for i, t in enumerate(terms) if i not in kept]
        found[arm(kept, len(terms))] = liver.with_inputs({n: v for own in gone for n, v in own.items()})
    return found


def _twin(name: str, parts: set[str]) -> str:
    """The input of the other sites that an input of the liver is like; empty for one that is not
    the liver's.
    """
    part, _, rest = name.partition(".")
    other = _SITES.get(part, f"{part}_elsewhere")
    return f"{other}.{rest}" if other in parts else ""


def measured(run: Simulation, scans: np.ndarray, shrinks: float) -> np.ndarray:
    """Of the lesion that is read, (patient, measure): log-kill, whether a scan shows it shrunk (0 or 100),
    change of its diameter (%) at the end; and the logarithm of circulating cells at the end.

    scans    which of the outputs are scans, the baseline first; shrinks, the share of its diameter that makes
             a lesion shrunk
    """
    size = run[f"{READ}.diameter"]
    shrunk = (size[:, scans] <= (1 - shrinks) * size[:, :1]).any(axis=1)
    killed = log_kill(run[f"{READ}.viable"], run[_RATE], run.times[0])
    change = size[:, -1] / size[:, 0] - 1
    return np.stack(
        [
            killed,
            np.where(np.isnan(change), np.nan, 100.0 * shrunk),
            100 * change,
            np.log(run["systemic.circulating"][:, -1]),
        ],
        axis=1,
    )
