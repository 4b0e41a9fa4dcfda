"""One line of a regimen: how much of a drug, on which days of which cycles, over how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

BASES = {"m^2": "BSA", "kg": "WT"}
SIZES = {covariate: unit for unit, covariate in BASES.items()}


class Band(NamedTuple):
    """A flat amount for patients from `low` up to, and not with, `high` in the covariate of the dose line."""

    low: float
    high: float
    amount: float


@dataclass(frozen=True)
class DoseLine:
    """One prescribed dose, given on each of `days` of its `cycles` (all if empty); times in days, `over` 0
    for a bolus.

    D = amount x min(size, cap), or the amount of the size's band, rounded to the nearest multiple of `round`
    (a tie up); size is the covariate `per`, 1 without one. In `unit`, as mg; `amount` a m^2 or a kg of size.

    per    the covariate that the amount is multiplied by (BSA, WT), or by which `bands` give it; none if
           empty
    cap    of that covariate, above which the dose does not grow; 0 for none
    round  the amount of which a patient's dose is made a multiple; 0 for none
    bands  flat amounts by the covariate, in place of `amount`
    """

    drug: str
    amount: float
    unit: str
    per: str
    days: tuple[int, ...]
    at: float = 0.0
    over: float = 0.0
    form: str = ""
    cycles: str = ""
    cap: float = 0.0
    round: float = 0.0
    bands: tuple[Band, ...] = ()
