"""A fit as its file says: the trials, the free parameters with their priors, and what is left out."""

from __future__ import annotations

from dataclasses import dataclass

from pkpd.fit.free import Free
from pkpd.machine.labels import Labelled, Row, named
from pkpd.trial.published import Figure
from pkpd.trial.trial import Trial


@dataclass(frozen=True, repr=False)
class Fit(Labelled):
    """What is calibrated to what, and how long it may take."""

    name: str
    title: str
    text: str
    trials: tuple[str, ...]
    parameters: str
    link: str
    free: tuple[Free, ...]
    leave_out: tuple[str, ...] = ()
    patients: int = 1500
    replicates: int = 600
    starts: int = 4
    design: int = 140
    draws: int = 200
    seed: int = 1

    def label(self) -> tuple[str, list[Row]]:
        return f"Fit {self.name}: {self.title}", [
            ("trials", named(self.trials)),
            ("parameters", self.parameters),
            ("free", named(f.name for f in self.free)),
            (
                "patients",
                f"{self.patients} an arm, {self.replicates} replicates, {self.draws} draws, seed {self.seed}",
            ),
        ]

    def figures(self, trial: Trial) -> tuple[Figure, ...]:
        """The figures of a trial that are fitted."""
        return tuple(
            f for f in trial.figures if f.use == "fit" and f"{trial.name}/{f.key}" not in self.leave_out
        )
