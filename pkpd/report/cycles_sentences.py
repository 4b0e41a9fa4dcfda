"""How a study's result reads: its rows by key, numbers as text, and sentences made from the numbers alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pkpd.fit.intervals import level_text
from pkpd.report.cycles_figures import VANISHED_WORDS, figure_title, figure_unit
from pkpd.study.run import StudyResult

_NEVER = "not reached"


@dataclass(frozen=True)
class View:
    """A result with what the page asks of it again and again: its main link, days of a cycle, rows by key."""

    result: StudyResult
    link: str
    cycle: float
    table: dict[tuple[str, int, str, str], dict] = field(default_factory=dict)

    def row(self, sweep: str, before: int, figure: str, link: str = "") -> dict | None:
        return self.table.get((sweep, before, link or self.link, figure))

    @property
    def own(self) -> tuple[int, int]:
        """The plan that others are compared with: the trial's own."""
        return self.result.study.reference

    @property
    def last(self) -> int:
        """The largest number of cycles that ends within the study's limit."""
        return int(self.result.study.limit // self.cycle)


def view(result: StudyResult) -> View:
    """Looks at a result: rows by sweep, cycles before, link and figure; the first row's link is the
    calibrated one.
    """
    arm = result.trial.arm(result.study.arm)
    table = {(r["sweep"], r["before"], r["link"], r["figure"]): r for r in (*result.rows, *result.reference)}
    link = result.fit.get("link") or result.rows[0]["link"]
    cycle = arm.regimen.cycle if arm.regimen is not None else 14.0
    return View(result, link, cycle, table)


def amount(value: float | None, unit: str, difference: bool = False, fine: bool = False) -> str:
    """A number as text: shares and days whole, months, differences and fine ones with one decimal, a proper
    minus.
    """
    if value is None:
        return _NEVER
    digits = 1 if difference or fine or unit == "month" else 0
    rounded = round(value, digits) + 0.0
    return f"{rounded:{'+' if difference and rounded else ''}.{digits}f}".replace("-", "−")


def cell(row: dict | None, difference: bool = False, fine: bool = False) -> dict[str, str]:
    """The value of a row, or of its difference, and its interval, as text; empty where there is none."""
    found = (row or {}).get("difference") if difference else row
    if row is None or not found:
        return {"value": "", "interval": ""}
    value, low, high = (amount(found[k], row["unit"], difference, fine) for k in ("value", "low", "high"))
    if found["value"] is None:
        return {"value": _NEVER, "interval": ""}
    return {"value": value, "interval": f"{low} to {high}" if difference else f"{low}–{high}"}


def told(row: dict | None, difference: bool = False) -> str:
    """The value of a row with its unit and interval, for a sentence."""
    c = cell(row, difference)
    if row is None or not c["interval"]:
        return c["value"]
    unit = {"%": "\u00a0points" if difference else "\u00a0%", "day": "\u00a0days", "month": "\u00a0months"}[
        row["unit"]
    ]
    return f"{c['value']}{unit} ({c['interval']})"


def says(seen: View) -> list[str]:
    """What the numbers say, one item a matter; nothing here is concluded by hand."""
    study = seen.result.study
    found = [
        _headline(seen),
        *(_sweep(seen, s.name, s.title) for s in study.sweeps),
        _lesions(seen),
        _wait(seen),
        _links(seen),
        _vanished(seen),
        _alone(seen),
    ]
    return [text for text in found if text]


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def _plans(rows: list[dict]) -> str:
    return _listed([f"{r['before']} + {r['after']}" for r in rows])


def _compared(seen: View) -> list[dict]:
    """Rows of 3-year PFS under the calibrated link that are compared with the trial's own plan, each plan
    once.
    """
    rows = {
        (r["before"], r["after"]): r
        for r in seen.result.rows
        if r["figure"] == "pfs_3y"
        and r["link"] == seen.link
        and (r["before"], r["after"]) != seen.own
        and (r.get("difference") or {}).get("value") is not None
    }
    return [rows[k] for k in sorted(rows)]


def _headline(seen: View) -> str:
    rows = _compared(seen)
    if not rows:
        return ""
    lower = [r for r in rows if r["difference"]["high"] is not None and r["difference"]["high"] < 0]
    higher = [r for r in rows if r["difference"]["low"] > 0]
    within = len(rows) - len(lower) - len(higher)
    most = "all" if within == len(rows) else within or "none"
    level = level_text(r["difference"] for r in rows)
    parts = [f"the {level} interval of the difference includes 0 in {most} of them"]
    parts += [f"it lies below 0 in {len(lower)} ({_plans(lower)})"] if lower else []
    parts += [f"it lies above 0 in {len(higher)} ({_plans(higher)})"] if higher else []
    return (
        f"{len(rows)} plans of cycles (before + after) were compared with the trial’s {seen.own[0]} + "
        f"{seen.own[1]} in "
        f"3-year progression-free survival (PFS): {_listed(parts)}."
    )


def _sweep(seen: View, name: str, title: str) -> str:
    rows = [(b, seen.row(name, b, "pfs_3y")) for b in picked(seen)]
    rows = [(b, r) for b, r in rows if r is not None]
    if not rows:
        return ""
    values = _listed([f"{told(r)} at {b}" for b, r in rows])
    gaps = [
        f"{told(r, True)} at {b}"
        for b, r in rows
        if (r["before"], r["after"]) != seen.own and r.get("difference")
    ]
    more = f" Against {seen.own[0]} + {seen.own[1]}, the difference is {_listed(gaps)}." if gaps else ""
    return f"“{title}”: 3-year PFS is {values} cycles before the operation.{more}"


def _lesions(seen: View) -> str:
    study = seen.result.study
    first = study.sweeps[0].name
    rows = [(b, r) for b in picked(seen) if b and (r := seen.row(first, b, "vanished_small")) is not None]
    if not rows:
        return ""
    low, high = study.small
    last = (
        f" {seen.last} is the last number of cycles that ends within two months."
        if seen.last in dict(rows)
        else ""
    )
    return (
        f"Of lesions of {low:g}–{high:g} mm, the share no longer seen at the operation is "
        f"{_listed([f'{told(r)} after {b}' for b, r in rows])} cycles.{last}"
    )


def _wait(seen: View) -> str:
    first = seen.result.study.sweeps[0].name
    rows = [(b, seen.row(first, b, "time_to_surgery"), seen.row(first, b, "response")) for b in picked(seen)]
    rows = [(b, t, o) for b, t, o in rows if t is not None and o is not None]
    if not rows:
        return ""
    return (
        f"The median time from randomisation to the operation is "
        f"{_listed([f'{told(t)} with {b}' for b, t, _ in rows])} "
        f"cycles before; objective response is {_listed([f'{told(o)} with {b}' for b, _, o in rows])}."
    )


def _links(seen: View) -> str:
    """How far the links are apart, in 3-year PFS and in its difference from the trial's plan."""
    spans: dict[tuple[int, int], list[dict]] = {}
    links = {r["link"] for r in seen.result.rows}
    for r in seen.result.rows:
        if r["figure"] == "pfs_3y" and r["value"] is not None:
            spans.setdefault((r["before"], r["after"]), []).append(r)
    full = {k: v for k, v in spans.items() if {r["link"] for r in v} == links}
    if len(links) < 2 or not full:
        return ""
    width = {k: max(r["value"] for r in v) - min(r["value"] for r in v) for k, v in full.items()}
    plan = max(width, key=lambda k: width[k])
    low, high = (pick(r["value"] for r in full[plan]) for pick in (min, max))
    gaps = [
        max(d) - min(d)
        for v in full.values()
        if (
            d := [r["difference"]["value"] for r in v if (r.get("difference") or {}).get("value") is not None]
        )
    ]
    more = (
        f"; the difference from {seen.own[0]} + {seen.own[1]} varies by at most {max(gaps):.1f} points"
        if gaps
        else ""
    )
    return (
        f"The {len(links)} kill links differ in 3-year PFS by at most {width[plan]:.1f} points (at "
        f"{plan[0]} + {plan[1]}: "
        f"{low:.1f} to {high:.1f} %){more}."
    )


def _vanished(seen: View) -> str:
    """What the other conventions on vanished lesions would make of the most cycles before, in the first
    sweep.
    """
    study = seen.result.study
    first, most = study.sweeps[0], max(study.sweeps[0].before)
    own = seen.row(first.name, most, "pfs_3y")
    others = {
        r["vanished"]: r
        for r in seen.result.sensitivity
        if (r["sweep"], r["before"], r["figure"]) == (first.name, most, "pfs_3y")
    }
    if own is None or not others:
        return ""
    told_others = _listed([f"{told(r, True)} if they were {VANISHED_WORDS[v]}" for v, r in others.items()])
    return (
        f"Lesions that the scan has lost are {VANISHED_WORDS[seen.result.trial.vanished]}, which is "
        f"assumed. With that, "
        f"{most} + {first.after_for(most)} differs from {seen.own[0]} + {seen.own[1]} in 3-year PFS by "
        f"{told(own, True)}; "
        f"it would be {told_others}."
    )


def _alone(seen: View) -> str:
    at = [seen.row("surgery_alone", 0, k) for k in ("pfs_3y", "pfs_median")]
    if at[0] is None:
        return ""
    median = cell(at[1])
    words = "is not reached" if median["value"] == _NEVER else f"is {told(at[1])}"
    return f"Surgery alone, simulated: 3-year PFS is {told(at[0])} and median PFS {words}."


def published(seen: View) -> list[dict[str, str]]:
    """The trial's reported PFS figures beside the simulated ones, where the study simulates that arm."""
    trial, study = seen.result.trial, seen.result.study
    own = next(
        (s.name for s in study.sweeps if seen.own[0] in s.before and s.after_for(seen.own[0]) == seen.own[1]),
        "",
    )
    arms = {
        study.arm: (own, seen.own[0], f"{seen.own[0]} + {seen.own[1]}"),
        trial.control: ("surgery_alone", 0, "surgery alone"),
    }
    found = []
    for f in trial.figures:
        row = seen.row(*arms[f.arm][:2], f.name) if f.arm in arms else None
        if row is None or f.value is None or f.largest:  # of some patients only, where the row is of all
            continue
        scale, unit = {"landmark": (100.0, "%"), "count": (100 / f.n, "%")}.get(f.kind, (1.0, f.unit))
        low, high = (scale * x for x in f.interval) if f.interval else (None, None)
        span = f"{low:.1f}–{high:.1f}" if low is not None else "none published"
        found.append(
            {
                "figure": figure_title(f.name, study),
                "unit": figure_unit(f.name, unit),
                "arm": arms[f.arm][2],
                "reported": f"{scale * f.value:.1f}",
                "interval": span,
                "level": f"{100 * f.level:.4g} %" if f.interval else "",
                "seen": f.seen,
                "use": f.use,
                **{f"simulated_{k}": v for k, v in cell(row, fine=True).items()},
            }
        )
    return found


def picked(seen: View) -> list[int]:
    """The numbers before that the text names: none, the last within the limit, the trial's own,
    and the most.
    """
    had = {b for s in seen.result.study.sweeps for b in s.before}
    return sorted({min(had), seen.last, seen.own[0], max(had)} & had)


def monte_carlo(seen: View) -> float:
    """Half the 95 % Monte-Carlo interval of 3-year PFS in one set of the study's patients,
    percentage points.
    """
    found = [r["value"] / 100 for r in seen.result.rows if r["figure"] == "pfs_3y" and r["value"] is not None]
    p = float(np.mean(found)) if found else 0.5
    return 196 * float(np.sqrt(p * (1 - p) / (seen.result.study.patients * seen.result.study.repeats)))
