"""One published exposure of a drug: what was given, what was measured, the value and its spread."""

from __future__ import annotations

from dataclasses import dataclass

from pkpd.regimen.doses import DoseLine

ACCUMULATION = ("accumulation_AUC", "accumulation_Cmax", "accumulation_Clast")
AT_END = ("Cmin", "Clast", "concentration")
WHAT = ("Cmax", *AT_END, "AUC", "half_life", "CL", "Vss", "tmax", "ratio", *ACCUMULATION)
STATISTICS = ("mean", "median", "geometric mean", "typical")
USES = ("check", "circular", "context")


@dataclass(frozen=True)
class Given:
    """What patients got: a regimen by name, or one dose line, every so many days or once (0)."""

    regimen: str = ""
    line: DoseLine | None = None
    every: float = 0.0
    words: str = ""


@dataclass(frozen=True)
class Exposure:
    """One published exposure; the window is in days from the first dose, open (to infinity) where `end` is
    None.

    low and high are the published spread (mean ± SD, an interval, a range); where none was published, 0.8 and
    1.25 of the value.
    """

    place: str
    drug: str
    name: str
    what: str
    given: Given
    cycles: int
    value: float
    unit: str
    statistic: str
    low: float
    high: float
    spread: str
    use: str
    seen: str
    of: str = "Cc"
    to_of: str = ""
    start: float = 0.0
    end: float | None = None
    n: int | None = None
    patients: tuple[tuple[str, float], ...] = ()
    parameters: str = ""
    molar_mass: float | None = None
    source: str = ""
    where: str = ""
    miss: str = ""
    text: str = ""

    def windows(self, cycle: float, horizon: float) -> list[tuple[float, float]]:
        """Its windows, in days from the first dose; an accumulation's first and last. An open one ends at the
        horizon.
        """
        if self.what not in ACCUMULATION:
            return [(self.start, horizon if self.end is None else self.end)]
        last = (self.cycles - 1) * cycle, self.cycles * cycle
        start, end = last if self.end is None else (self.start, self.end)
        return [(0.0, end - start), (start, end)]
