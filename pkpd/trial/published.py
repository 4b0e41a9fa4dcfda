"""A reported number with its interval, denominator and source."""

from __future__ import annotations

from dataclasses import dataclass

from pkpd import units
from pkpd.errors import ContentError, Issue, nearest
from pkpd.library import check_keys
from pkpd.values import SEEN

KINDS = ("hazard ratio", "landmark", "median", "count")
ENDPOINTS = ("pfs", "os", "resected", "started_after", "dead", "response")
USES = ("fit", "predict", "context")
_KEYS = ("name", "kind", "at", "arm", "endpoint", "value", "low", "high", "level", "unit", "n", "use", "where",
         "seen", "source")


@dataclass(frozen=True)
class Figure:
    """One published figure. `value` is None where none was seen; a count's interval follows from k of n.

    `at` is a landmark's time in days. Medians are in `unit`, the rest are pure numbers.
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


def read_figure(entry: dict, where: str, arms: tuple[str, ...], issues: list[Issue]) -> Figure | None:
    """A figure from its table; faults are added to the issues."""
    before = len(issues)
    check_keys(entry, _KEYS, where, issues)
    for key, known in (("kind", KINDS), ("endpoint", ENDPOINTS), ("use", USES), ("arm", arms), ("seen", SEEN)):
        if entry.get(key) not in known:
            issues.append(Issue(f"{where}.{key}", f"{entry.get(key)!r} is not one of them", nearest(str(entry.get(key)), known)))
    for key in ("value", "low", "high", "level", "n"):
        value = entry.get(key, 1)
        if isinstance(value, bool) or not isinstance(value, int | float):
            issues.append(Issue(f"{where}.{key}", f"{value!r} is not a number"))
    if "n" not in entry:
        issues.append(Issue(where, "has no denominator", "give n"))
    if entry.get("use") != "context" and "value" not in entry:
        issues.append(Issue(where, "has no value", "give it, or use = \"context\""))
    at = 0.0
    if entry.get("kind") == "landmark":
        try:
            at = units.convert(entry.get("at", ""), "day", f"{where}.at")
        except ContentError as error:
            issues += error.issues
    if len(issues) > before:
        return None
    value = entry.get("value")
    _check_ranges(entry, where, issues)
    return Figure(entry.get("name", entry["kind"]), entry["kind"], entry["arm"], entry["endpoint"],
                  None if value is None else float(value), entry.get("unit", "1"), int(entry["n"]), entry["use"],
                  entry.get("low"), entry.get("high"), float(entry.get("level", 0.95)), at,
                  entry.get("where", ""), entry["seen"], entry.get("source", ""))


def _check_ranges(entry: dict, where: str, issues: list[Issue]) -> None:
    value = entry.get("value")
    if value is None:
        return
    if entry["kind"] == "count" and not 0 <= value <= entry["n"]:
        issues.append(Issue(f"{where}.value", f"{value:g} of {entry['n']} is no count", "give k of n"))
    if entry["kind"] == "landmark" and not 0 < value < 1:
        issues.append(Issue(f"{where}.value", f"{value:g} is no share", "write 35.4 % as 0.354"))
    if entry["kind"] in ("hazard ratio", "median") and value <= 0:
        issues.append(Issue(f"{where}.value", f"{value:g} is not positive"))
    if "low" in entry and "high" in entry and not entry["low"] < value < entry["high"]:
        issues.append(Issue(f"{where}.low", f"{value:g} is outside its own interval", "mend one of the three"))
