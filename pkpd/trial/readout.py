"""Visits to endpoints: progression, recurrence, death, censoring."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from pkpd.errors import fail
from pkpd.machine.labels import Labelled, Row

if TYPE_CHECKING:
    import pandas as pd


def _none() -> np.ndarray:
    return np.zeros(0, dtype=bool)


class Patients(Labelled):
    """What readouts have in common: in every field but the first and the last, one entry a patient.

    failed  whether a patient could not be solved: it has no outcome, and counts in no figure
    """

    arm: str
    pfs_time: np.ndarray
    pfs_event: np.ndarray
    os_time: np.ndarray
    os_event: np.ndarray
    response: np.ndarray
    failed: np.ndarray
    failures: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.failed.size:
            object.__setattr__(self, "failed", np.zeros(np.shape(self.pfs_time), dtype=bool))

    def evaluable(self) -> Self:
        """The patients who could be solved; an error if there are none."""
        if not self.failed.any():
            return self
        if self.failed.all():
            raise fail(
                f"arm {self.arm}",
                "no patient could be solved",
                "mend the values; the first failure: " + next(iter(self.failures), "not told"),
            )
        return self.take(np.flatnonzero(~self.failed))

    def label(self) -> tuple[str, list[Row]]:
        told = [
            (
                "response",
                ", ".join(f"{k} {int(np.sum(self.response == k))}" for k in np.unique(self.response)),
            ),
            ("PFS events", str(int(np.sum(self.pfs_event)))),
            ("deaths", str(int(np.sum(self.os_event)))),
        ]
        told += [("failed", f"{int(np.sum(self.failed))}; {self.failures[0]}")] if self.failures else []
        return f"{type(self).__name__} of arm {self.arm}: {len(self)} patients", told

    def __len__(self) -> int:
        return len(self.pfs_time)

    def to_frame(self) -> pd.DataFrame:
        """One row a patient; times in days; what has an entry a lesion is numbered from 1 (`lesions.1`)."""
        import pandas as pd

        columns: dict[str, np.ndarray] = {"ID": np.arange(1, len(self) + 1)}
        for f in fields(self)[1:-1]:  # type: ignore[arg-type]
            values = getattr(self, f.name)
            columns |= (
                {f.name: values}
                if values.ndim == 1
                else {f"{f.name}.{k + 1}": values[:, k] for k in range(values.shape[1])}
            )
        frame = pd.DataFrame({"ID": columns.pop("ID"), "arm": getattr(self, "arm", ""), **columns})
        frame.attrs["failures"] = self.failures
        return frame

    def take(self, which: np.ndarray) -> Self:
        """Some patients of the arm (or replicates of it, from a table of indices)."""
        between = fields(self)[1:-1]  # type: ignore[arg-type]  # each kind of patients is a dataclass
        own = {f.name: getattr(self, f.name)[which] for f in between}
        return replace(self, **own)  # type: ignore[type-var]


@dataclass(frozen=True, repr=False)
class Readout(Patients):
    """What a trial's database would hold of one arm, one entry a patient; times in days from randomisation.

    With progression P (by scans, recurrence, or an operation that fails, as the protocol says), death D and
    data cut C: pfs_time = min(P, D, C), pfs_event = min(P, D) <= C; os_time = min(D, C), os_event = D <= C.
    `pfs_usual` is the same with P by scans and recurrence alone: that an operation fails is no event.

    shrinkage  sum of targets at the operation over the baseline, less 1
    operation  its day, planned; resected and started_after say who had it, and cycles after it
    lesions    baseline diameters, mm, (patient, lesion), missing where there is none; largest is their
               largest
    vanished   (patient, lesion): lesions that the last scan before the operation no longer shows
    """

    arm: str
    pfs_time: np.ndarray
    pfs_event: np.ndarray
    pfs_usual_time: np.ndarray
    pfs_usual_event: np.ndarray
    os_time: np.ndarray
    os_event: np.ndarray
    resected: np.ndarray
    started_after: np.ndarray
    response: np.ndarray
    shrinkage: np.ndarray
    operation: np.ndarray
    lesions: np.ndarray
    vanished: np.ndarray
    largest: np.ndarray
    failed: np.ndarray = field(default_factory=_none)
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Followed(Patients):
    """What a trial's database would hold of an arm followed by scans; times in days from the start of
    treatment.

    With progression P (first scan that shows it, as confirmed), death D and data cut C: pfs_time =
    min(P, D, C), pfs_event = min(P, D) <= C; os_time = min(D, C), os_event = D <= C.

    dor       time from the first scan that shows a response to progression or death; 0, censored, without one
    planned   the planned day of the first scan that progression or death comes before, infinite if there is
              none
    change    the largest fall of the sum of targets before progression, min S(v) / S(0) - 1 (a rise is
              positive)
    cleared   whether less viable tumour is left at the operation than pathology sees
    """

    arm: str
    pfs_time: np.ndarray
    pfs_event: np.ndarray
    os_time: np.ndarray
    os_event: np.ndarray
    dor_time: np.ndarray
    dor_event: np.ndarray
    response: np.ndarray
    change: np.ndarray
    planned: np.ndarray
    cleared: np.ndarray
    group: np.ndarray
    failed: np.ndarray = field(default_factory=_none)
    failures: tuple[str, ...] = ()


def join(readouts: list[Readout]) -> Readout:
    """Several groups of patients of one arm as one."""
    first = readouts[0]
    arrays = {f.name: np.concatenate([getattr(r, f.name) for r in readouts]) for f in fields(first)[1:-1]}
    return replace(first, **arrays, failures=tuple(x for r in readouts for x in r.failures))
