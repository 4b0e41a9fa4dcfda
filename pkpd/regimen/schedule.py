"""The one Schedule that regimens become: what happens to each patient, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pkpd.errors import fail

# add to a state; set its infusion rate; multiply it; set an input; give a state a value
ADD, RATE, SCALE, SET, ASSIGN = 0, 1, 2, 3, 4


@dataclass(frozen=True)
class Schedule:
    """Events of each patient in order of time: patient i has rows offsets[i] to offsets[i + 1].

    Times are in the model's time unit; `index` is a state y (ADD, RATE, SCALE, ASSIGN) or an input p (SET).
    By kind, a value v does y + v; dy/dt gains v, in place of the rate before; v y; p = v; y = v.
    Events of one time happen in the order of their rows. Complex times and values carry a derivative (see
    solve/gradient). `carried` marks the rows that bring what imagined doses left, as an added steady state;
    none if left out.
    """

    offsets: np.ndarray
    time: np.ndarray
    kind: np.ndarray
    index: np.ndarray
    value: np.ndarray
    carried: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __add__(self, other: Schedule) -> Schedule:
        """Both schedules together; they may not infuse into the same state."""
        if len(self) != len(other):
            raise fail(
                "schedule",
                f"one is of {len(self)} patients, the other of {len(other)}",
                "make both for the same",
            )
        rates = [set(s.index[s.kind == RATE]) for s in (self, other)]
        if rates[0] & rates[1]:
            raise fail("schedule", "two schedules infuse into the same compartment", "make them one regimen")
        marks = [np.zeros(len(s.time), dtype=bool) if s.carried is None else s.carried for s in (self, other)]
        carried = None if self.carried is None and other.carried is None else np.concatenate(marks)
        fields = ("patients", "time", "kind", "index", "value")
        rows = (np.concatenate([getattr(self, f), getattr(other, f)]) for f in fields)
        return packed(len(self), *rows, carried=carried)

    def take(self, which: np.ndarray) -> Schedule:
        """The events of some of the patients, numbered anew."""
        ends = np.cumsum(size := np.diff(self.offsets)[which])
        rows = np.arange(size.sum()) + np.repeat(self.offsets[which] - ends + size, size)
        marks = None if self.carried is None else self.carried[rows]
        return Schedule(
            np.concatenate([[0], ends]).astype(np.int64),
            *(getattr(self, f)[rows] for f in ("time", "kind", "index", "value")),
            carried=marks,
        )

    @property
    def patients(self) -> np.ndarray:
        """The patient of each row."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def input_at(self, index: int, start: np.ndarray, times: np.ndarray) -> np.ndarray:
        """The value of an input at times (patient, time), from its value at the start and the SET rows."""
        values = np.broadcast_to(start[:, None], times.shape).copy()
        rows = np.flatnonzero((self.kind == SET) & (self.index == index))
        time, value = np.real(self.time[rows]), self.value[rows]
        own, first, count = np.unique(self.patients[rows], return_index=True, return_counts=True)
        for patient, a, b in zip(own, first, first + count, strict=True):
            place = np.searchsorted(time[a:b], times[patient], side="right")
            values[patient] = np.where(place > 0, value[a:b][place - 1], values[patient])
        return values


def packed(
    n: int,
    patient: np.ndarray,
    time: np.ndarray,
    kind: np.ndarray,
    index: np.ndarray,
    value: np.ndarray,
    carried: np.ndarray | None = None,
) -> Schedule:
    """Events in any order as a schedule: by patient, time, and kind within a time."""
    order = np.lexsort((kind, np.real(time), patient))
    offsets = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(patient, minlength=n), out=offsets[1:])
    return Schedule(
        offsets,
        time[order] * 1.0,
        kind[order].astype(np.int64),
        index[order].astype(np.int64),
        value[order] * 1.0,
        None if carried is None else carried[order],
    )


def nothing(n: int) -> Schedule:
    """A schedule without events."""
    empty = np.zeros(0)
    return packed(n, empty.astype(int), empty, empty.astype(int), empty.astype(int), empty)


def settings(n: int, index: int, time: np.ndarray, value: np.ndarray) -> Schedule:
    """Sets one input at times (patient, k) to values (patient, k); rows at infinite time are left out."""
    keep = np.isfinite(time)
    patient = np.broadcast_to(np.arange(n)[:, None], time.shape)[keep]
    count = int(keep.sum())
    return packed(n, patient, time[keep], np.full(count, SET), np.full(count, index), value[keep])
