"""When cycles and operation are planned, who is resected, and what the operation leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pkpd.parameters.draw import uniform
from pkpd.regimen.regimen import Regimen
from pkpd.trial.arm import Arm, Cycles
from pkpd.trial.trial import Trial


@dataclass(frozen=True)
class Plan:
    """Each patient's dates in days from randomisation; cycles not given start at infinity.

    before, after   when cycles start (patient, cycle)
    operation, follow_up   the day of the operation, and of the data cut (patient,)
    """

    before: np.ndarray
    operation: np.ndarray
    after: np.ndarray
    follow_up: np.ndarray


def _number(cycles: Cycles, u: np.ndarray) -> np.ndarray:
    return np.asarray(cycles.numbers)[np.searchsorted(np.cumsum(cycles.weights)[:-1], u, side="right")]


def _starts(first: np.ndarray, number: np.ndarray, most: int, length: float) -> np.ndarray:
    k = np.arange(most)
    return np.where(k[None, :] < number[:, None], first[:, None] + k * length, np.inf)


def plan(trial: Trial, arm: Arm, regimen: Regimen | None, n: int, key: tuple[str, str, str]) -> Plan:
    """Draws what the protocol leaves to chance: cycles received, dates, follow-up; u are uniform draws.

    Cycles start at first + k x cycle length, as many as drawn by the arm's weights. Operation: the last dose
    before it + from + (to - from) u, days. Cycles after it: operation + the resumption's from + (to - from)
    u, in the share that starts at all. Follow-up: shortest + (longest - shortest) u, as of even accrual.
    """

    def u(quantity: str) -> np.ndarray:
        return uniform((*key, "protocol", quantity), n)

    length = regimen.cycle if regimen else 0.0
    last_dose = max((max(d.days) - 1 + d.at + d.over for d in regimen.doses), default=0.0) if regimen else 0.0
    before = np.full((n, 0), np.inf)
    operation = arm.operation[0] + (arm.operation[1] - arm.operation[0]) * u("operation")
    if arm.before is not None and arm.before.most > 0:
        number = _number(arm.before, u("cycles before"))
        before = _starts(np.zeros(n), number, arm.before.most, length)
        operation = operation + np.where(number > 0, np.maximum(number - 1, 0) * length + last_dose, 0.0)
    after = np.full((n, 0), np.inf)
    if arm.after is not None and arm.after.most > 0:
        first = operation + arm.resume[0] + (arm.resume[1] - arm.resume[0]) * u("resume")
        number = np.where(u("start after") < arm.after.start, _number(arm.after, u("cycles after")), 0)
        after = _starts(first, number, arm.after.most, length)
    low, high = trial.follow_up
    return Plan(before, operation, after, low + (high - low) * u("accrual"))


def removed(
    diameter: np.ndarray, scan: np.ndarray, search: np.ndarray, resected: np.ndarray, vanished: str
) -> np.ndarray:
    """Which lesions the operation takes, (patient, lesion), from thresholds of the scan and of the search at
    operation, mm, (patient, lesion).

    Taken: those of resected patients with diameter >= T: T the scan's, the lesser of both, or 0.

    vanished  lesions that the scan no longer shows: `left` in place, `searched` for and taken if found, or
              all `resected`
    """
    least = {"left": scan, "searched": np.minimum(scan, search), "resected": np.zeros_like(scan)}[vanished]
    return resected[:, None] & (diameter >= least)
