"""Rates of the tumour–immune system at the state where treatment begins: its eigenvalues, and what each mode
is made of.
"""

from __future__ import annotations

import numpy as np

from pkpd.fit.free import Point
from pkpd.fit.intervals import interval, share
from pkpd.parameters.population import Population
from pkpd.study.stability.equilibria import NEUTRAL
from pkpd.study.stability.linearisation import Linearised, Modes, in_logarithms, linearised, modes
from pkpd.study.stability.plan import Group, StabilityStudy
from pkpd.study.stability.subjects import average, people, treated
from pkpd.trial.run_in import settled

# the last word of a state: what it is for a reader, and the class it is drawn as
STATES = {
    "sensitive": ("tumour, sensitive", "tumour"),
    "resistant": ("tumour, resistant", "tumour"),
    "dead": ("dead volume", "dead volume"),
    "priming": ("priming", "blood"),
    "circulating": ("circulating cells", "blood"),
    "effector": ("effectors", "T cells"),
    "exhausted": ("exhausted cells", "T cells"),
    "regulatory": ("regulatory cells", "surroundings"),
    "myeloid": ("myeloid cells", "surroundings"),
    "stroma": ("stroma", "surroundings"),
    "vessels": ("vessels", "surroundings"),
}
_EXPLICIT = (
    2.785  # how far the classical Runge-Kutta method of order four is stable along the negative real axis
)
_SWINGS = (
    2 * np.pi / np.log(10)
)  # of a pair's imaginary over its real part: once round before a tenth is left
_RTOL = 1e-8


def in_play(study: StabilityStudy, group: Group) -> tuple[str, ...]:
    """The states of a group's lesions, of their site and of blood; nothing of the rest acts on them."""
    lesions = [f"{group.place.lesions}.{k}." for k in range(1, group.place.count + 1)]
    return tuple(
        s for s in study.system.states if s.startswith((*lesions, f"{group.place.site}.", "systemic."))
    )


def at_treatment(study: StabilityStudy, patients: Population) -> np.ndarray:
    """States (patient, state) on the first day of treatment: tumour at its baseline, immunity settled beside
    it in the run-in.
    """
    return settled(study.system, patients, study.run_in, _RTOL, strict=True).states[:, 0]


def spectra(study: StabilityStudy, group: Group, at: Point) -> tuple[list[dict], list[dict], list[dict]]:
    """Rows of a group: measures over its patients, each eigenvalue by rank, and the modes of the typical
    patient.
    """
    linear = linearised(study.system, in_play(study, group))
    crowd, one = people(study, group, at), average(study, group, at)
    begun, alone = at_treatment(study, crowd), at_treatment(study, one)
    measures, ranks, typical = [], [], []
    for given in study.compared:
        head = {"group": group.name, "treatment": given.name}
        measures += [{**head, **row} for row in _measures(linear, begun, treated(crowd, given))]
        ranks += [{**head, **row} for row in _ranks(linear, begun, treated(crowd, given))]
        _, slopes = linear(alone, treated(one, given).inputs)
        typical += [{**head, **row} for row in _listed(linear.states, modes(slopes))]
    return measures, ranks, typical


def _measures(linear: Linearised, y: np.ndarray, patients: Population) -> list[dict]:
    rates, slopes = linear(y, patients.inputs)
    real = np.linalg.eigvals(slopes)
    own = y[:, linear.columns]
    tumour = np.array([s.rpartition(".")[2] in ("sensitive", "resistant") for s in linear.states]) & (own > 0)
    logs = np.linalg.eigvals(in_logarithms(own, rates, slopes, tumour)).real.max(axis=1)
    turns = np.abs(real.imag) > NEUTRAL
    swings = np.any(turns & (np.abs(real.imag) > _SWINGS * np.abs(real.real)), axis=1)
    real = real.real
    slowest = np.where(np.abs(real) > NEUTRAL, np.abs(real), np.inf).min(axis=1)
    most, fast = real.max(axis=1), -real.min(axis=1)
    grows = most > NEUTRAL
    doubling = np.log(2) / most[grows] if grows.any() else np.array([np.nan])
    return [
        {"measure": "positive eigenvalues", "unit": "1", **interval((real > NEUTRAL).sum(axis=1))},
        {"measure": "largest real part", "unit": "1/day", **interval(most)},
        {"measure": "doubling time where it is positive", "unit": "day", **interval(doubling)},
        {"measure": "patients without a positive one", "unit": "%", **share(~grows)},
        {"measure": "fastest", "unit": "1/day", **interval(-fast)},
        {"measure": "half-time of the fastest", "unit": "day", **interval(np.log(2) / fast)},
        {"measure": "longest step of an explicit method", "unit": "day", **interval(_EXPLICIT / fast)},
        {"measure": "fastest over slowest", "unit": "1", **interval(fast / slowest)},
        {"measure": "patients with a complex pair", "unit": "%", **share(np.any(turns, axis=1))},
        {"measure": "patients in whom one turns before it fades", "unit": "%", **share(swings)},
        {"measure": "largest real part, volumes as logarithms", "unit": "1/day", **interval(logs)},
        {"measure": "patients in whom that is positive", "unit": "%", **share(logs > NEUTRAL)},
    ]


def _ranks(linear: Linearised, y: np.ndarray, patients: Population) -> list[dict]:
    """Each eigenvalue by its rank: its real part over patients, and the class of states that most often leads
    in it.
    """
    found = modes(linear(y, patients.inputs)[1])
    leads = np.array([_class(s) for s in linear.states])[found.shares.argmax(axis=1)]
    rows = []
    for k in range(found.values.shape[1]):
        kinds, counts = np.unique(leads[:, k], return_counts=True)
        rows.append(
            {
                "rank": k + 1,
                "measure": "real part",
                "unit": "1/day",
                "class": str(kinds[counts.argmax()]),
                **interval(np.real(found.values[:, k])),
            }
        )
    return rows


def _class(state: str) -> str:
    return STATES[state.rpartition(".")[2]][1]


def _listed(states: tuple[str, ...], found: Modes) -> list[dict]:
    """The modes of one patient, fastest first, a complex pair once, each with the states that
    take part most.
    """
    names = [STATES[s.rpartition(".")[2]][0] for s in states]
    kinds = list(dict.fromkeys(names))
    rows = []
    for k, value in enumerate(found.values[0]):
        if value.imag < 0:
            continue  # the other of a pair
        parts = {
            n: float(sum(p for p, own in zip(found.shares[0, :, k], names, strict=True) if own == n))
            for n in kinds
        }
        leading = sorted(parts, key=lambda n: -parts[n])[:2]
        rows.append(
            {
                "rank": k + 1,
                "real": float(value.real),
                "imaginary": float(value.imag),
                "time": float(np.log(2) / abs(value.real)) if abs(value.real) > NEUTRAL else None,
                "states": [{"state": n, "share": parts[n]} for n in leading if parts[n] > 0.1],
            }
        )
    return rows


def stable(linear: Linearised, y: np.ndarray, patients: Population) -> tuple[np.ndarray, np.ndarray]:
    """Whether nothing grows about states of all patients, and whether something turns there
    (complex pairs).
    """
    values = np.linalg.eigvals(linear(y, patients.inputs)[1])
    return np.real(values).max(axis=1) < NEUTRAL, np.abs(np.imag(values)).max(axis=1) > NEUTRAL
