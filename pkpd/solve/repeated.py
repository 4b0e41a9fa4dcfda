"""Repeated: the dose that has been given for ever, of which a steady state is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAR = 1e-12  # of an interval: nearer than this, two times are one


@dataclass(frozen=True)
class Repeated:
    """The dose that each patient has been given for ever: bolus (rate 0), infusion, or without interval one
    without end.

    state (a compartment's number in the part), amount, rate, duration, interval: one a patient. `phase` is
    the time since the last arrival at which the state is wanted, over 0 to the interval; at the interval,
    just before the next.
    """

    state: np.ndarray
    amount: np.ndarray
    rate: np.ndarray
    duration: np.ndarray
    interval: np.ndarray
    phase: np.ndarray

    def take(self, which: np.ndarray) -> Repeated:
        """The doses of some of the patients."""
        return Repeated(*(getattr(self, f)[which] for f in self.__dataclass_fields__))


def overlap(duration: np.ndarray, interval: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many infusions always run when one starts each interval, and how long one more runs beside them."""
    count = np.floor(duration / interval + NEAR)
    rest = duration - count * interval
    return count, np.where(rest > NEAR * interval, rest, 0.0)
