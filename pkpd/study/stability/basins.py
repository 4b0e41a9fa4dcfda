"""Where the whole system ends from each start: outcomes over decades, whether they depend on the start, and
what parts them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pkpd.parameters.population import Population
from pkpd.simulation.run import simulate, start_states
from pkpd.study.stability.plan import Group, StabilityStudy
from pkpd.study.stability.reduction import Place
from pkpd.study.stability.subjects import repeated
from pkpd.trial.lesions import CELL

OUTCOMES = ("eliminated", "controlled", "held", "escaped")
_LOOKS = 48  # times at which the smallest volume is looked for, and as many within the years that are judged
_STILL = 1e-3  # growth of the logarithm of volume over those years that counts as none
APART = np.log(2)  # of the logarithm of volume: ends further apart than this are two
_STEPS = 40  # of bisection
_RTOL = 1e-7


@dataclass(frozen=True)
class Ends:
    """Viable tumour (mL) at the end of each run, the number of its outcome, and whether it still moves."""

    last: np.ndarray
    outcome: np.ndarray
    moving: np.ndarray


def starts(
    study: StabilityStudy, place: Place, patients: Population, viable: np.ndarray, effectors: np.ndarray
) -> np.ndarray:
    """States with equal lesions of so much viable tumour in all (mL) and so many effectors; all else as the
    model starts.
    """
    y = start_states(study.system, patients)
    index = {s: i for i, s in enumerate(study.system.states)}
    for k in range(1, place.count + 1):
        own = f"{place.lesions}.{k}"
        resistant = patients[f"{own}.R0"]
        y[:, index[f"{own}.sensitive"]] = viable / place.count * (1 - resistant)
        y[:, index[f"{own}.resistant"]] = viable / place.count * resistant
        y[:, index[f"{own}.dead"]] = 0.0
    y[:, index[f"{place.site}.effector"]] = effectors
    return y


def run(study: StabilityStudy, place: Place, patients: Population, y: np.ndarray) -> Ends:
    """Runs of the whole system from states, with constant inputs, to the study's horizon."""
    early = np.geomspace(1.0, study.horizon - study.held, _LOOKS)
    times = np.concatenate([[0.0], early, np.linspace(study.horizon - study.held, study.horizon, _LOOKS)[1:]])
    solved = simulate(study.system, patients, None, times, start=y, rtol=_RTOL)
    viable = solved[f"{place.site}.viable"]
    window, last = viable[:, _LOOKS:], viable[:, -1]
    grown = np.log(np.maximum(window[:, 1:], 1e-300)) - np.log(np.maximum(window[:, :1], 1e-300))
    small = (window.max(axis=1) < study.below) & (grown[:, -1] <= _STILL)
    outcome = np.where(small, 1, np.where(last > study.above, 3, 2))
    return Ends(
        last, np.where(viable.min(axis=1) < 0.999 * CELL, 0, outcome), np.abs(grown).max(axis=1) > 10 * _STILL
    )


@dataclass(frozen=True)
class Paths:
    """The ends of every patient (patient, volume of the start, effectors of the start), and those of its own
    start.
    """

    ends: Ends
    own: Ends

    @property
    def two(self) -> np.ndarray:
        """Whether the end of a patient depends on the start; starts that fall below one cell do not count."""
        log = np.log(np.maximum(self.ends.last, 1e-300)).reshape(len(self.ends.last), -1)
        gone = (self.ends.outcome == 0).reshape(len(log), -1)
        span = np.where(gone, -np.inf, log).max(axis=1) - np.where(gone, np.inf, log).min(axis=1)
        return span > APART


def paths(study: StabilityStudy, group: Group, patients: Population, begun: np.ndarray) -> Paths:
    """Runs of treated patients from every start of the study, and from the states in which treatment finds
    them.
    """
    volume, effector = (x.ravel() for x in np.meshgrid(study.volumes, study.effectors, indexing="ij"))
    crowd = repeated(patients, len(volume))
    y = starts(study, group.place, crowd, np.tile(volume, len(patients)), np.tile(effector, len(patients)))
    ends = run(study, group.place, crowd, y)
    shape = len(patients), len(study.volumes), len(study.effectors)
    return Paths(
        Ends(*(x.reshape(shape) for x in (ends.last, ends.outcome, ends.moving))),
        run(study, group.place, patients, begun),
    )


def critical(
    study: StabilityStudy, place: Place, patients: Population, equilibria: np.ndarray, effectors: np.ndarray
) -> np.ndarray:
    """The volume (mL) of the start that parts patients' two ends, at so many effectors, by bisection of the
    whole system.

    equilibria  the stable, parting and stable volumes of the reduction (patient, 3): a run ends below or
                above the middle one. Missing where no start between one cell and the upper end leads to
                either side.
    """
    low, high = np.full(len(patients), np.log(CELL)), np.log(equilibria[:, 2])
    ends = [_above(study, place, patients, equilibria, x, effectors) for x in (low, high)]
    for _ in range(_STEPS if len(patients) else 0):
        middle = (low + high) / 2
        up = _above(study, place, patients, equilibria, middle, effectors)
        low, high = np.where(up, low, middle), np.where(up, middle, high)
    return np.where(~ends[0] & ends[1], np.exp((low + high) / 2), np.nan)


def _above(
    study: StabilityStudy,
    place: Place,
    patients: Population,
    equilibria: np.ndarray,
    log: np.ndarray,
    effectors: np.ndarray,
) -> np.ndarray:
    if not len(patients):
        return np.zeros(0, dtype=bool)
    y = starts(study, place, patients, np.exp(log), effectors)
    solved = simulate(study.system, patients, None, (study.horizon,), start=y, rtol=_RTOL)
    return solved[f"{place.site}.viable"][:, 0] > equilibria[:, 1]


def outcome_map(
    study: StabilityStudy, place: Place, one: Population, volumes: np.ndarray, effectors: np.ndarray
) -> Ends:
    """The ends of one patient from a grid of starts (volume, effectors)."""
    volume, effector = (x.ravel() for x in np.meshgrid(volumes, effectors, indexing="ij"))
    crowd = repeated(one, len(volume))
    ends = run(study, place, crowd, starts(study, place, crowd, volume, effector))
    return Ends(*(x.reshape(len(volumes), len(effectors)) for x in (ends.last, ends.outcome, ends.moving)))
