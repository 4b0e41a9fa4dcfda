"""A study of resistance, and its two further analyses: importance of mechanisms, and the liver's effect."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pkpd.model.model import Model
from pkpd.parameters.parameters import Parameters
from pkpd.study.resistance import lesion_pairs as pairs
from pkpd.study.resistance.lesion_pairs import Kept
from pkpd.study.resistance.mechanism import (
    Biology,
    Context,
    Mechanism,
    Together,
)
from pkpd.study.resistance.response_grid import Grid
from pkpd.study.resistance.shown_figures import Shown
from pkpd.study.stability.plan import Given


@dataclass(frozen=True)
class ImportancePlan:
    """Which mechanisms are released, in whom, under which treatments; times in days.

    contexts, covariates  what is laid on the parameters, and what all patients have
    visits, until         scans, how often and until when; `read` is the day of the scan at which shrinkage is
                          read
    patients, draws       virtual patients under each draw, and draws, of single, withheld and joint releases
    samples, resamples    of the Sobol design, a power of two, and of its bootstrap
    """

    system: Model = field(repr=False)
    mechanisms: tuple[Mechanism, ...]
    groups: tuple[Together, ...]
    treatments: tuple[Given, ...]
    contexts: tuple[Context, ...]
    covariates: tuple[tuple[str, float], ...]
    title: str
    text: str
    run_in: float
    visits: float
    until: float
    read: float
    patients: int = 200
    draws: int = 16
    samples: int = 128
    resamples: int = 200
    seed: int = 0

    @property
    def days(self) -> np.ndarray:
        """The days of scans, the baseline first, and that of reading."""
        return np.unique(np.append(np.arange(0, self.until + 1e-6, self.visits), self.read).round(6))


@dataclass(frozen=True)
class LiverPlan:
    """What is compared, in whom, under which treatments; times in days.

    terms     the terms of the liver's tolerance, each with the lines that are set to zero to take it out
    visits    scans, how often; `until` is the last one, and the day on which all is read
    shrinks   the share of its diameter by which a lesion shrinks to count as shrunk
    """

    system: Model = field(repr=False)
    biologies: tuple[Biology, ...]
    treatments: tuple[Given, ...]
    terms: tuple[Mechanism, ...]
    title: str
    text: str
    run_in: float
    visits: float
    until: float
    patients: int = 100
    draws: int = 16
    seed: int = 0
    shrinks: float = 0.3

    @property
    def subsets(self) -> list[Kept]:
        """Every choice of terms that are left, from none to all."""
        return pairs.subsets(len(self.terms))


@dataclass(frozen=True)
class ResistanceStudy:
    """Cohorts under drugs, beside published figures. `account` is the fit's, none for values
    before any fit.
    """

    name: str
    title: str
    text: str
    fit: str
    grid: Grid
    shown: tuple[Shown, ...]
    parameters: Parameters = field(repr=False)
    account: dict | None = field(repr=False, default=None)
    assumes: tuple[str, ...] = ()
    importance: ImportancePlan | None = field(repr=False, default=None)
    liver_effect: LiverPlan | None = field(repr=False, default=None)
    patients: int = 300
    draws: int = 32
    seed: int = 0

    @property
    def kind(self) -> str:
        return "resistance"
