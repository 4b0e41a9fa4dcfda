"""Visits to endpoints: progression, recurrence, death, censoring."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np


@dataclass(frozen=True)
class Readout:
    """What a trial's database would hold of one arm, one entry a patient; times in days from randomisation."""

    arm: str
    pfs_time: np.ndarray
    pfs_event: np.ndarray
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
    failures: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pfs_time)

    def take(self, which: np.ndarray) -> Readout:
        """Some patients of the arm (or replicates of it, from a table of indices)."""
        return replace(self, **{f.name: getattr(self, f.name)[which] for f in fields(self)[1:-1]})


def join(readouts: list[Readout]) -> Readout:
    """Several groups of patients of one arm as one."""
    first = readouts[0]
    arrays = {f.name: np.concatenate([getattr(r, f.name) for r in readouts]) for f in fields(first)[1:-1]}
    return replace(first, **arrays, failures=tuple(x for r in readouts for x in r.failures))


def first_time(when: np.ndarray, happened: np.ndarray) -> np.ndarray:
    """The first visit time at which something happened, infinity if never; both (patient, visit)."""
    if when.shape[1] == 0:
        return np.full(len(when), np.inf)
    return np.where(happened.any(axis=1), np.take_along_axis(when, happened.argmax(axis=1)[:, None], axis=1)[:, 0], np.inf)


def visit_grid(plan: tuple[tuple[float, float], ...], longest: float) -> np.ndarray:
    """Days after the operation on which scans are due, up to the longest follow-up."""
    days, t = [], 0.0
    for every, until in plan:
        while t + every <= min(until, longest) + 1e-9:
            t += every
            days.append(t)
    return np.array(days or [longest])


def death_times(progression: np.ndarray, operation: np.ndarray, resected: np.ndarray, rates: dict[str, np.ndarray],
                u: dict[str, np.ndarray]) -> np.ndarray:
    """Death from background, from the operation (within 90 days), or after progression, whichever comes first."""
    background = -np.log(u["background"]) / np.maximum(rates["background"], 1e-30)
    after = progression - np.log(u["after progression"]) / np.maximum(rates["after_progression"], 1e-30)
    by_operation = resected & (u["operation"] < rates["postoperative_death"])
    share = u["operation"] / np.maximum(rates["postoperative_death"], 1e-30)
    at_operation = np.where(by_operation, operation + 90 * share, np.inf)
    return np.minimum(np.minimum(background, after), at_operation)


def censored(time: np.ndarray, follow_up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Time observed and whether the event was seen by the data cut."""
    return np.minimum(time, follow_up), time <= follow_up
