"""Figure: a reported number with its interval, denominator and source."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("hazard ratio", "landmark", "median", "count", "change")
AROUND = (
    "pfs",
    "pfs_usual",
    "os",
    "resected",
    "started_after",
    "dead",
    "response",
    "shrinkage",
)  # what is read around an operation
FOLLOWED = (
    "pfs",
    "os",
    "dor",
    "dead",
    "response",
    "complete",
    "control",
    "pcr",
    "depth",
)  # and of patients followed by scans
ENDPOINTS = tuple(dict.fromkeys((*AROUND, *FOLLOWED)))


@dataclass(frozen=True)
class Figure:
    """One published figure. `value` is None where none was seen; a count's interval follows from k of n.

    `at` is a landmark's time in days, or how long disease is controlled in those counted. `largest` (mm): of
    patients whose largest lesion at baseline is at least this. Medians are in months (`unit`), the rest are
    pure numbers; a change is the median of S / S(0) - 1. A count's interval is the exact binomial's: P(X >=
    k) at its low end and P(X <= k) at its high end are (1 - level) / 2. Clopper & Pearson, Biometrika 26:404
    (1934), doi:10.1093/biomet/26.4.404.
    """

    name: str
    kind: str
    arm: str
    endpoint: str
    value: float | None
    unit: str
    n: int
    use: str
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    at: float = 0.0
    largest: float = 0.0
    where: str = ""
    seen: str = "user"
    source: str = ""

    @property
    def key(self) -> str:
        """Its name in a trial: figure and arm."""
        return f"{self.name}:{self.arm}"

    @property
    def interval(self) -> tuple[float, float] | None:
        """The published interval; Clopper-Pearson for a count."""
        if self.kind == "count" and self.value is not None:
            from scipy.stats import binomtest

            ci = binomtest(int(self.value), self.n).proportion_ci(self.level)
            return ci.low * self.n, ci.high * self.n
        return (self.low, self.high) if self.low is not None and self.high is not None else None
