"""A study of the order of ablation and PD-1 blockade: in whom, with what, how far apart."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pkpd.fit.free import Point
from pkpd.model.model import Model
from pkpd.parameters.parameters import Parameters
from pkpd.study.platforms.plan import Share, Uncertain
from pkpd.trial.published import Figure


@dataclass(frozen=True)
class Biology:
    """Patients of one biology: contexts laid on the study's parameters, by name."""

    name: str
    title: str
    contexts: tuple[tuple[str, Parameters], ...] = ()


@dataclass(frozen=True)
class Modality:
    """What an ablation is done with, as inputs of the system."""

    name: str
    title: str
    sets: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Ablation:
    """An event at one lesion; `dies` is the share of its viable volume that dies, `injury` the part that
    holds its site's injury.

    reach  share of the injury that the other lesions of the site feel: 1 where the site is one tissue
    """

    lesion: str
    dies: Share
    reach: Share
    injury: str


@dataclass(frozen=True)
class Term:
    """Lines set to zero to see what they carry."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Beside:
    """A published count of responses that one biology is set beside, both treatments on one day."""

    title: str
    reference: str
    figure: Figure
    biology: str
    text: str = ""


@dataclass(frozen=True)
class OrderStudy:
    """Two treatments, one `gap` (days) apart, in both orders; read on days after the first of them.

    points   parameters of the draws: one, or those of a posterior
    least    a difference of volume, as a share, that is worth a word
    """

    name: str
    title: str
    text: str
    fit: str
    system: Model = field(repr=False)
    points: tuple[Point, ...] = field(repr=False)
    sites: tuple[str, ...]
    covariates: tuple[tuple[str, float], ...]
    ablation: Ablation
    blockade: tuple[tuple[str, float], ...]
    biologies: tuple[Biology, ...]
    modalities: tuple[Modality, ...]
    terms: tuple[Term, ...]
    uncertain: tuple[Uncertain, ...]
    gaps: tuple[float, ...]
    terms_at: tuple[float, ...]
    reads: tuple[float, ...]
    run_in: float
    visits: float
    horizon: float
    least: float
    beside: Beside | None = None
    references: tuple[str, ...] = ()
    provenance: tuple[tuple[str, str, str, str], ...] = ()
    patients: int = 100
    draws: int = 60
    seed: int = 0

    @property
    def kind(self) -> str:
        return "order"

    @property
    def days(self) -> np.ndarray:
        """Every day that is read, or on which a treatment begins."""
        return np.unique(np.round([*self.gaps, *self.reads, *self.scans], 9))

    @property
    def scans(self) -> np.ndarray:
        return np.arange(0, self.horizon + 1e-9, self.visits)
