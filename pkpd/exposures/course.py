"""What several exposures have in common, and one simulation serves."""

from __future__ import annotations

from dataclasses import dataclass

from pkpd.exposures.exposure import Exposure
from pkpd.model.model import Model
from pkpd.parameters.parameters import Parameters
from pkpd.regimen.regimen import Regimen


@dataclass(frozen=True)
class Course:
    """A drug, its values, what is given and how often, and covariates held; with the exposures read of it."""

    drug: str
    model: Model
    parameters: Parameters
    regimen: Regimen
    count: int
    patients: tuple[tuple[str, float], ...] = ()
    words: str = ""
    exposures: tuple[Exposure, ...] = ()
