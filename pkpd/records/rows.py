"""Rows: the records of a table, one array a data item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

OFF, UNKNOWN, UNSAID = -3, -2, -1  # a compartment turned off, one that the model lacks, one not said


@dataclass(frozen=True)
class Rows:
    """One array a data item, one entry a row; `patient` numbers the IDs, `compartment` the model's states.

    `written` is the time that the table gives; `time` that of one that runs on where a reset sets it back.
    """

    ids: tuple[str, ...]
    patient: np.ndarray
    written: np.ndarray
    time: np.ndarray
    evid: np.ndarray
    amount: np.ndarray
    rate: np.ndarray
    duration: np.ndarray
    steady: np.ndarray
    interval: np.ndarray
    more: np.ndarray
    compartment: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """The first row of each patient."""
        return np.flatnonzero(np.diff(self.patient, prepend=-1))

    @property
    def place(self) -> np.ndarray:
        """How many rows of its patient come before each row."""
        return np.arange(len(self.time)) - self.first[self.patient]

    @property
    def grid(self) -> np.ndarray:
        """The rows of each patient (patient, place), the last repeated."""
        last = np.append(self.first[1:], len(self.time)) - 1
        return np.minimum(self.first[:, None] + np.arange(self.place.max() + 1), last[:, None])

    @property
    def last_time(self) -> np.ndarray:
        """For each row, the time of its patient's last row."""
        last = np.flatnonzero(np.diff(self.patient, append=len(self.ids)))
        return self.time[last][self.patient]

    @property
    def doses(self) -> np.ndarray:
        """Whether a row gives a dose."""
        return (self.evid == 1) | (self.evid == 4)
