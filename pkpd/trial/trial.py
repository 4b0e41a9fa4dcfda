"""A trial's protocol: arms, accrual and cut, visits, operation, conventions; and its published figures."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pkpd.errors import ContentError, Issue, nearest
from pkpd.machine import store
from pkpd.machine.labels import Labelled, Row, named
from pkpd.model.model import Model
from pkpd.parameters.parameters import Parameters
from pkpd.trial.arm import Arm
from pkpd.trial.published import Figure
from pkpd.trial.therapies import Link, Therapy

MODALITIES = ("CT", "MRI")
VANISHED = (
    "left",
    "searched",
    "resected",
)  # what becomes of lesions that the scan before the operation has lost


_HELD = ("name", "disease", "parameters", "treatments", "therapies", "arms")  # hashed by their own


@dataclass(frozen=True, repr=False)
class Trial(Labelled):
    """A protocol and what was reported; times in days from each patient's randomisation.

    Arms are operated between `scans_before` and `scans_after`, or, where there are `scans`, followed from the
    start of treatment by them, immune states having settled in a `run_in`. `elsewhere` is the modality whose
    detection holds for lesions outside the liver.
    """

    name: str
    title: str
    reference: str
    text: str
    population: str
    disease: Model
    parameters: Parameters
    control: str
    treatments: tuple[Link, ...]
    arms: tuple[Arm, ...]
    figures: tuple[Figure, ...]
    follow_up: tuple[float, float]
    modality: str
    criteria: str
    unresected: str
    vanished: str
    scans_before: float
    scans_after: tuple[tuple[float, float], ...]
    jitter: float
    provenance: tuple[tuple[str, str, str, str], ...] = ()
    scans: tuple[tuple[float, float], ...] = ()
    run_in: float = 0.0
    confirmed: bool = False
    pathology: float = 0.0
    elsewhere: str = ""
    therapies: tuple[Therapy, ...] = ()

    def label(self) -> tuple[str, list[Row]]:
        return f"Trial {self.name}: {self.title}", [
            ("disease", self.disease.name),
            ("parameters", self.parameters.name),
            ("arms", named(a.name for a in self.arms)),
            ("figures", named(f.key for f in self.figures)),
        ]

    @property
    def hash(self) -> str:
        """Of all that it says and of what its names stand for: equal content, equal hash, whatever files are
        called.
        """
        rest = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _HELD}
        held = [(x.name, x.model.hash, x.parameters.hash) for x in self.treatments]
        held += [(x.input, x.variable, x.times, x.model.hash, x.parameters.hash) for x in self.therapies]
        return store.content_hash(
            rest, self.disease.hash, self.parameters.hash, held, [a.hash for a in self.arms]
        )

    def arm(self, name: str) -> Arm:
        for a in self.arms:
            if a.name == name:
                return a
        raise ContentError(
            Issue(f"{self.name}: arms", f"no arm {name!r}", nearest(name, [a.name for a in self.arms]))
        )
