"""A fit as its file says: the trials, the free parameters with their priors, and what is left out."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pkpd.fit.free import Free
from pkpd.fit.own import own_set
from pkpd.machine import store
from pkpd.machine.labels import Labelled, Row, named
from pkpd.parameters.parameters import Parameters
from pkpd.trial.published import Figure
from pkpd.trial.trial import Trial


@dataclass(frozen=True, repr=False)
class Fit(Labelled):
    """What is calibrated to what, and how long it may take."""

    name: str
    title: str
    text: str
    trials: tuple[Trial, ...]
    parameters: Parameters
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
            ("trials", named(t.name for t in self.trials)),
            ("parameters", self.parameters.name),
            ("free", named(f.name for f in self.free)),
            (
                "patients",
                f"{self.patients} an arm, {self.replicates} replicates, {self.draws} draws, seed {self.seed}",
            ),
        ]

    @property
    def hash(self) -> str:
        """Of all that it says and of what its names stand for."""
        rest = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("trials", "parameters")}
        own = [(t.name, t.hash, own_set(t, self.parameters).hash) for t in self.trials]
        bounds = self.trials[0].disease.parameters
        return store.content_hash(rest, self.parameters.hash, own, bounds)

    def figures(self, trial: Trial) -> tuple[Figure, ...]:
        """The figures of a trial that are fitted."""
        return tuple(
            f for f in trial.figures if f.use == "fit" and f"{trial.name}/{f.key}" not in self.leave_out
        )
