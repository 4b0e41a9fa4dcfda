"""A trial's protocol: arms, accrual and cut, visits, operation, conventions; and its published figures."""

from __future__ import annotations

from dataclasses import dataclass

from pkpd.errors import ContentError, Issue, nearest
from pkpd.machine.labels import Labelled, Row, named
from pkpd.trial.arms import Arm
from pkpd.trial.published import Figure
from pkpd.trial.therapies import Therapy

MODALITIES = ("CT", "MRI")
VANISHED = (
    "left",
    "searched",
    "resected",
)  # what becomes of lesions that the scan before the operation has lost


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
    disease: str
    parameters: str
    control: str
    treatments: tuple[tuple[str, str], ...]
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
            ("disease", self.disease),
            ("parameters", self.parameters),
            ("arms", named(a.name for a in self.arms)),
            ("figures", named(f.key for f in self.figures)),
        ]

    def arm(self, name: str) -> Arm:
        for a in self.arms:
            if a.name == name:
                return a
        raise ContentError(
            Issue(f"{self.name}: arms", f"no arm {name!r}", nearest(name, [a.name for a in self.arms]))
        )
