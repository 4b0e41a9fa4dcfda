"""A study as its file says: a trial's protocol, a fit, and the sweeps over it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pkpd import library, units
from pkpd.errors import ContentError, Issue
from pkpd.library import check_keys, raise_issues


@dataclass(frozen=True)
class Sweep:
    """Cycles before the operation, and after it: a fixed number, or what a fixed total leaves."""

    name: str
    title: str
    before: tuple[int, ...]
    after: int | None = None
    total: int | None = None

    def after_for(self, before: int) -> int:
        return self.after if self.after is not None else max((self.total or 0) - before, 0)


@dataclass(frozen=True)
class Study:
    """A what-if on a trial's protocol with a calibrated set; `limit` in days, `small` lesion diameters in mm."""

    name: str
    title: str
    text: str
    kind: str
    trial: str
    arm: str
    fit: str
    sweeps: tuple[Sweep, ...]
    drop: float
    small: tuple[float, float]
    limit: float
    informed: tuple[int, ...]
    reference: tuple[int, int]
    provenance: tuple[tuple[str, str, str, str], ...] = ()
    patients: int = 120
    repeats: int = 2
    draws: int = 28
    draws_other_links: int = 7
    seed: int = 0


_KEYS = ("title", "text", "kind", "trial", "arm", "fit", "patients", "draws", "draws_other_links", "seed", "small",
         "limit", "informed", "reference", "repeats")


def load_study(name: str | Path) -> Study:
    """A study by library name or path."""
    return library.load("study", name, read_study)


def read_study(data: dict, name: str, where: str) -> Study:
    """A study from its tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("study", "adherence", "sweeps"), where, issues)
    head = data.get("study", {})
    check_keys(head, _KEYS, f"{where}: study", issues)
    for key in ("kind", "trial", "arm", "fit"):
        if not isinstance(head.get(key), str):
            issues.append(Issue(f"{where}: study.{key}", "is missing"))
    if head.get("kind", "neoadjuvant") != "neoadjuvant":
        issues.append(Issue(f"{where}: study.kind", f"{head['kind']!r} is not a kind of study", 'write kind = "neoadjuvant"'))
    counts = _counts(head, where, issues)
    drop = data.get("adherence", {}).get("drop", {}).get("value", 0.0)
    if isinstance(drop, bool) or not isinstance(drop, int | float) or not 0 <= drop < 1:
        issues.append(Issue(f"{where}: adherence.drop", f"{drop!r} is not a share", "give value from 0 to 1"))
    sweeps = [_sweep(entry, f"{where}: sweeps[{i + 1}]", issues) for i, entry in enumerate(data.get("sweeps", []))]
    if not sweeps:
        issues.append(Issue(f"{where}: sweeps", "holds no sweep", "add [[sweeps]] tables"))
    reference = head.get("reference", [6, 6])
    pairs = {(b, s.after_for(b)) for s in sweeps if s is not None for b in s.before}
    if not isinstance(reference, list) or tuple(reference) not in pairs:
        issues.append(Issue(f"{where}: study.reference", f"{reference!r} is not one of the sweeps' plans",
                            "write reference = [6, 6]: cycles before and after of the plan that others are compared with"))
    small, limit = _limits(head, where, issues)
    raise_issues(issues)
    return Study(name, str(head.get("title", "")), str(head.get("text", "")), head["kind"], head["trial"], head["arm"],
                 head["fit"], tuple(s for s in sweeps if s is not None), float(drop), small, limit,
                 tuple(head.get("informed", ())), (reference[0], reference[1]),
                 _provenance(data), **counts)


def _counts(head: dict, where: str, issues: list[Issue]) -> dict[str, int]:
    counts = {}
    for key in ("patients", "repeats", "draws", "draws_other_links", "seed"):
        value = head.get(key, 1)
        if not isinstance(value, int) or isinstance(value, bool) or value < (0 if key == "seed" else 1):
            issues.append(Issue(f"{where}: study.{key}", f"{value!r} is not a whole number above zero"))
        elif key in head:
            counts[key] = value
    return counts


def _limits(head: dict, where: str, issues: list[Issue]) -> tuple[tuple[float, float], float]:
    """The diameters between which a lesion is small (mm), and the limit on treatment before the operation (days)."""
    try:
        low, high = (units.convert(x, "mm", f"{where}: study.small") for x in head.get("small", ["10 mm", "15 mm"]))
        return (low, high), units.convert(head.get("limit", "2 month"), "day", f"{where}: study.limit")
    except ContentError as error:
        issues += error.issues
    except ValueError:
        issues.append(Issue(f"{where}: study.small", "is not two diameters", 'write small = ["10 mm", "15 mm"]'))
    return (0.0, 0.0), 0.0


def _provenance(data: dict) -> tuple[tuple[str, str, str, str], ...]:
    """What the study assumes of its own: line, value, where, how seen."""
    return tuple((f"adherence: {k}", f"{v.get('value'):g}", str(v.get("where", "")), str(v.get("seen", "user")))
                 for k, v in data.get("adherence", {}).items())


def _sweep(entry: dict, where: str, issues: list[Issue]) -> Sweep | None:
    check_keys(entry, ("name", "title", "before", "after", "total"), where, issues)
    before = entry.get("before", [])
    if not isinstance(before, list) or not before or any(
            not isinstance(b, int) or isinstance(b, bool) or not 0 <= b <= 40 for b in before):
        issues.append(Issue(f"{where}.before", f"{before!r} is not a list of cycle numbers", "write before = [0, 1, 2]"))
        return None
    given = [k for k in ("after", "total") if k in entry]
    if len(given) != 1 or not isinstance(entry[given[0]], int):
        issues.append(Issue(where, "needs either after or total, a number of cycles",
                            "after = 6 gives six whatever came before; total = 12 gives the rest"))
        return None
    if "total" in entry and max(before) > entry["total"]:
        issues.append(Issue(f"{where}.before", f"{max(before)} cycles before are more than {entry['total']} in all",
                            "lower before or raise total"))
    return Sweep(str(entry.get("name", "")), str(entry.get("title", "")), tuple(before), entry.get("after"), entry.get("total"))
