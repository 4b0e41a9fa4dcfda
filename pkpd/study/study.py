"""A study as its file says: a trial's protocol, a fit, and the sweeps over it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pkpd.machine.labels import Labelled, Row, named
from pkpd.parameters.parameters import Parameters
from pkpd.trial.trial import Trial


@dataclass(frozen=True)
class Sweep:
    """Cycles before the operation, and after it: a fixed number, or what a fixed total leaves."""

    name: str
    title: str
    before: tuple[int, ...]
    after: int | None = None
    total: int | None = None

    def after_for(self, before: int) -> int:
        return self.after if self.after is not None else max((self.total or 0) - before, 0)


@dataclass(frozen=True, repr=False)
class Study(Labelled):
    """A what-if on a trial's protocol with a calibrated set; `limit` in days, `small` lesion diameters in mm.

    parameters  the result of the fit over the set of the trial's patients; `account` says how it was fitted
    """

    name: str
    title: str
    text: str
    kind: str
    trial: Trial
    arm: str
    fit: str
    parameters: Parameters
    account: dict = field(compare=False)
    sweeps: tuple[Sweep, ...]
    drop: tuple[float, float]
    small: tuple[float, float]
    limit: float
    informed: tuple[int, ...]
    reference: tuple[int, int]
    provenance: tuple[tuple[str, str, str, str], ...] = ()
    patients: int = 120
    repeats: int = 2
    draws: int = 28
    draws_other_links: int = 7
    seed: int = 0

    def label(self) -> tuple[str, list[Row]]:
        return f"Study {self.name}: {self.title}", [
            ("trial", f"{self.trial.name}, arm {self.arm}"),
            ("fit", self.fit),
            ("sweeps", named(s.name for s in self.sweeps)),
            ("size", f"{self.patients} patients, {self.draws} draws, seed {self.seed}"),
        ]
