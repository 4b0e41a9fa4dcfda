"""An arm of a trial: cycles around an operation, or treatment that is followed by scans; and who the patients
are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pkpd.machine import store
from pkpd.parameters.parameters import Parameters
from pkpd.regimen.regimen import Regimen


@dataclass(frozen=True)
class Cycles:
    """How many cycles patients receive: P(number = numbers[k]) = weights[k]; `start` is the share that starts
    at all.
    """

    numbers: tuple[int, ...]
    weights: tuple[float, ...]
    start: float = 1.0

    @property
    def most(self) -> int:
        return max(self.numbers)


@dataclass(frozen=True)
class Local:
    """Ablation or radiotherapy of one lesion: viable volume V becomes (1 - dies) V and
    dies V is dead tumour, on a day drawn evenly between two.
    """

    lesion: str
    dies: float
    days: tuple[float, float]


@dataclass(frozen=True)
class Group:
    """A share of an arm's patients: parameter sets laid on top of the trial's, and covariates that all of
    them have.
    """

    name: str
    share: float
    contexts: tuple[Parameters, ...] = ()
    covariates: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Arm:
    """One arm; days. The operation is `operation` days after the last dose before it (or randomisation).

    An arm that is followed by scans is given its regimen for `cycles` (as long as it is followed, if None),
    until progression if `stops`; its operation is infinitely late unless it has one.
    """

    name: str
    title: str
    n: int
    regimen: Regimen | None = None
    before: Cycles | None = None
    after: Cycles | None = None
    operation: tuple[float, float] = (14.0, 35.0)
    resume: tuple[float, float] = (28.0, 56.0)
    cycles: int | None = None
    stops: bool = False
    local: Local | None = None
    patients: tuple[Group, ...] = ()

    @property
    def hash(self) -> str:
        """Of all that it says: its regimen and contexts by what they hold, however they are called."""
        groups = [(g.name, g.share, [c.hash for c in g.contexts], g.covariates) for g in self.patients]
        given = None if self.regimen is None else self.regimen.hash
        return store.content_hash(replace(self, regimen=None, patients=()), given, groups)
