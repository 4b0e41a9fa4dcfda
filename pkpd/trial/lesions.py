"""What a scan sees: a persistent threshold for each lesion and modality, and a measured diameter.

Detection of a diameter d (mm) is logistic, P(seen) = 1 / (1 + exp(-(d - d50) / width)); a lesion's threshold
is one draw T of that law, the same at every scan of a modality: it is seen while d >= T.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit, ndtri

from pkpd.errors import fail
from pkpd.parameters.draw import uniform
from pkpd.simulation.simulation import Simulation

CELL = 1e-9  # mL, the volume of one cell: a lesion is killed down to it, and no further
_SMALLEST = 1.0  # mm: no scan sees less, whatever the logistic curve's tail says


def copies(simulation: Simulation, part: str, variable: str) -> np.ndarray:
    """A variable of every copy of a part, (patient, time, copy), in the model's unit; ContentError if there
    is none.
    """
    names = [
        v.name
        for v in simulation.model.variables
        if v.name.startswith(f"{part}.") and v.name.endswith(f".{variable}")
    ]
    if not names:
        raise fail(
            simulation.model.name,
            f"has no part {part!r} with a variable {variable!r}",
            f"a trial's disease system has the parts lesion and occult; add {part}",
        )
    return np.stack([simulation[n] for n in names], axis=2)


def log_kill(viable: np.ndarray, rate: np.ndarray, days: np.ndarray) -> np.ndarray:
    """The logarithm of viable volume that did not survive: what growth alone would have made, less what is.

    L = integral of r dt - ln(V(end) / V(begin)), by trapezoids over the days, (patient, ...): natural
    logarithm, pure number. A lesion counts until one cell (1e-9 mL) is left, and not at all where there was
    none at the begin.

    viable V (mL), rate r (1/day)   (patient, time, ...), as of each lesion; days (time,)
    """
    there = np.minimum.accumulate(~(viable <= CELL), axis=1)
    grown = np.trapezoid(np.where(there, rate, 0.0), days, axis=1)
    left = np.where(there, viable, CELL)
    return grown - np.log(left[:, -1] / left[:, 0])


def thresholds(
    d50: np.ndarray, width: np.ndarray, baseline: np.ndarray, seen: bool, key: tuple[str, ...], first: int = 0
) -> np.ndarray:
    """The diameter (mm) from which each lesion is seen, given that it was (or was not) seen at baseline.

    T = d50 + width logit(p), F(d) = 1 / (1 + exp(-(d - d50) / width)) and u uniform: p = u F(d0) for a lesion
    seen at its baseline d0 (so T <= d0), p = F(d0) + u (1 - F(d0)) for one that staging missed; 1 mm at
    least. A lesion which keeps its size thus stays seen, and one that was missed stays unseen until it grows.
    d50, width, mm, (patient,); baseline, mm, (patient, lesion); the result is (patient, lesion).
    """
    n, lesions = baseline.shape
    u = np.stack([uniform((*key, str(j)), n, first) for j in range(lesions)], axis=1)
    at = expit((baseline - d50[:, None]) / width[:, None])
    p = u * at if seen else at + u * (1 - at)
    return np.maximum(d50[:, None] + width[:, None] * logit(np.clip(p, 1e-12, 1 - 1e-12)), _SMALLEST)


def foci_seen(simulation: Simulation, limits: np.ndarray, key: tuple[str, ...]) -> np.ndarray:
    """Which occult foci that are not extinct a scan at each time shows, (patient, time, focus).

    A birth-death process of N founders is extinct by t with chance (q / (1 + q))^N, q the integral of death
    rate over relative size (tumours/occult). A focus is there while its one uniform draw u is at that chance
    or above, and is seen where its diameter is at its limit or above. limits, mm, (patient, focus).
    Kendall, Ann Math Statist 19:1 (1948), doi:10.1214/aoms/1177730285. Other than there, the rates follow the
    expected size: a mean-field approximation.
    """
    size, extinct = (copies(simulation, "occult", v) for v in ("diameter", "extinct"))
    n, _, foci = size.shape
    u = np.stack([uniform((*key, "extinction", str(j)), n) for j in range(foci)], axis=1)
    return (u[:, None, :] >= extinct) & (size >= limits[:, None, :])


def measured(diameter: np.ndarray, error: np.ndarray, key: tuple[str, ...], first: int = 0) -> np.ndarray:
    """Diameters as read: d exp(error z), z standard normal, anew for each visit and lesion.

    diameter, mm, (patient, visit, lesion); error, the sd of the logarithm, (patient,). Log-normal: the median
    is the true diameter.
    """
    n, visits, lesions = diameter.shape
    noise = np.stack(
        [ndtri(uniform((*key, str(v), str(j)), n, first)) for v in range(visits) for j in range(lesions)],
        axis=1,
    ).reshape(n, visits, lesions)
    return diameter * np.exp(error[:, None, None] * noise)
