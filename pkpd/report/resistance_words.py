"""What a study of resistance says, in words made from its numbers alone."""

from __future__ import annotations

from pkpd.fit.intervals import level_text
from pkpd.report.resistance_figures import lowered, published_label
from pkpd.study.resistance.response_grid import MEASURES
from pkpd.study.resistance.run import ResistanceResult

_UNITS = {"%": "\u00a0%", "month": "\u00a0months", "points": "\u00a0points"}
_NEAR_ZERO = 5  # % of patients: what hardly responds lies there in almost any model
_UNTREATED = 2  # % of patients: more than would respond to nothing


def number(x: float, unit: str, signed: bool = False) -> str:
    """A number as text, of two digits from one on, small ones with one decimal (logs and shares two); a
    proper minus.
    """
    decimals = 0 if abs(x) >= 9.95 or x == 0 and unit != "1" else 2 if unit == "1" and abs(x) < 0.995 else 1
    text = f"{x:{'+' if signed else ''}.{decimals}f}"
    return "0" + text[2:] if text.strip("+-0.") == "" and text[0] in "+-" else text.replace("-", "−")


def cell(row: dict | None, signed: bool = False) -> dict[str, str]:
    """A row's value and interval as text."""
    if row is None or row["value"] is None:
        return {"value": "–", "interval": ""} if row is None or signed else _missing(row)
    low, high = (
        number(row[k], row["unit"]) if row[k] is not None else "not reached" for k in ("low", "high")
    )
    return {
        "value": number(row["value"], row["unit"], signed),
        "interval": f"{low} to {high}" if signed else f"{low}–{high}",
    }


def _missing(row: dict) -> dict[str, str]:
    """What stands for a number that is not defined, or not reached."""
    word = "too few responses" if row["measure"] == "dor_12m" else "not reached"
    return {
        "value": word,
        "interval": f"from {number(row['low'], row['unit'])}" if row["low"] is not None else "",
    }


def told(row: dict, signed: bool = False) -> str:
    """A row's value with its unit and interval, for a sentence."""
    c = cell(row, signed)
    unit = _UNITS[row["unit"]] if row["value"] is not None else ""
    return c["value"] + unit + (f" ({c['interval']})" if c["interval"] else "")


def opening(result: ResistanceResult) -> str:
    """What comes out, in one paragraph made from the numbers alone."""
    grid, found = result.study.grid, []
    for c in grid.cohorts:
        rows = _sorted(result, c.name, "response")
        low, high = (number(r["value"], "%") for r in (rows[0], rows[-1]))
        words = (
            f"{low} to {high}\u00a0%"
            if _range(rows)
            else f"{low}\u00a0%" + (" under all" if len(rows) > 1 else "")
        )
        found.append(f"{words} in {lowered(c.title)}")
    count = sum(grid.treats(d.name) for d in grid.drugs)
    drugs = f"Over {count} combinations of drugs, " if count > 1 else f"With {lowered(grid.drugs[0].title)}, "
    return f"{drugs}objective response is {'; '.join(found)}. {_tally(result)}"


def _sorted(result: ResistanceResult, cohort: str, measure: str) -> list[dict]:
    """The arms of a cohort that are given drugs, by a measure, where it is known."""
    own = [
        r
        for r in result.arms
        if (r["cohort"], r["measure"]) == (cohort, measure)
        and r["value"] is not None
        and result.study.grid.treats(r["drugs"])
    ]
    return sorted(own, key=lambda r: r["value"])


def _tally(result: ResistanceResult) -> str:
    compared = [r for r in result.published if r["inside"] is not None]
    if not compared:
        return "No published figure is of one arm’s own population; those shown are context."
    outside = [
        f"{published_label(r)}, {lowered(MEASURES[r['measure']][0])}" for r in compared if not r["inside"]
    ]
    words = (
        f"Of {len(compared)} published figures whose population an arm is, "
        f"{_inside([r for r in compared if r['inside']])}"
    )
    rest = [r for r in result.published if r["inside"] is None]
    off = [
        f"{published_label(r)}, {lowered(MEASURES[r['measure']][0])} ({r['lies']})"
        for r in rest
        if r["lies"] in ("below", "above")
    ]
    more = f" {len(rest)} more are context" + (
        f", of which these lie wholly below or above the arms: {'; '.join(off)}." if off else "."
    )
    return words + (f"; outside: {'; '.join(outside)}." if outside else ".") + (more if rest else "")


def _inside(rows: list[dict]) -> str:
    """How many lie inside, and how few of these test anything."""
    used, low = (
        [f(r) for r in rows]
        for f in (lambda r: r["use"] == "fitted", lambda r: r["unit"] == "%" and r["published"] <= _NEAR_ZERO)
    )
    both, rest = (sum(a + b == n for a, b in zip(used, low, strict=True)) for n in (2, 0))
    return (
        f"{len(rows)} lie inside what is predicted, which tests little where a figure was fitted "
        f"({sum(used)} of these), "
        f"lies at or near zero, {_NEAR_ZERO}\u00a0% or less ({sum(low)}), or both ({both}): neither holds of "
        f"{rest or 'none'}"
    )


def says(result: ResistanceResult) -> list[str]:
    """What the numbers say, in sentences made from them alone."""
    grid = result.study.grid
    found = [_fault(result, d.name) for d in grid.drugs if not grid.treats(d.name)]
    found += [_response(result, c.name, c.title) for c in grid.cohorts]
    found += [_site(result, name, title) for name, title in grid.biologies]
    found += [
        _added(result, d.name, d.title) for d in grid.drugs if d.name != grid.alone and grid.treats(d.name)
    ]
    found += [_without(result, d.name, f"{d.title}:") for d in grid.drugs if not grid.treats(d.name)]
    found += [_duration(result, c.name, c.title) for c in grid.cohorts]
    return [text for text in found if text]


def _drugs(result: ResistanceResult, name: str) -> str:
    """Drugs within a sentence, with the caution that goes with them."""
    own = next(d for d in result.study.grid.drugs if d.name == name)
    return lowered(own.title) + (f" ({own.caution})" if own.caution else "")


def _response(result: ResistanceResult, cohort: str, title: str) -> str:
    rows = _sorted(result, cohort, "response")
    if not _range(rows):
        widest = max(rows, key=lambda r: r["high"])
        return f"{title}: objective response is {told(widest)} under every combination."
    parts = [f"{told(r)} with {_drugs(result, r['drugs'])}" for r in (rows[0], rows[-1])]
    return f"{title}: objective response is {' and up to '.join(parts)}."


def _range(rows: list[dict]) -> bool:
    """Whether the least and the most of rows read differently."""
    return number(rows[0]["value"], rows[0]["unit"]) != number(rows[-1]["value"], rows[-1]["unit"])


def _apart(rows: list[dict], below: bool) -> list[dict]:
    key = "high" if below else "low"
    return [r for r in rows if r[key] is not None and (r[key] < 0 if below else r[key] > 0)]


def _site(result: ResistanceResult, biology: str, title: str) -> str:
    """What the site changes: in how many combinations the interval of the difference is on one
    side of none.
    """
    found = []
    for name, words in result.study.grid.sites:
        rows = [
            r
            for r in result.sites
            if (r["biology"], r["site"], r["measure"]) == (biology, name, "response")
            and r["value"] is not None
            and result.study.grid.treats(r["drugs"])
        ]
        rows = sorted(rows, key=lambda r: r["value"])
        if rows:
            sides = (
                f"below 0 in {len(_apart(rows, True))} and above in {len(_apart(rows, False))} of "
                f"{len(rows)} combinations"
            )
            found.append(
                f"{words} rather than {dict(result.study.grid.sites)[result.study.grid.without]}, objective "
                f"response "
                f"differs by {told(rows[0], True)} to {told(rows[-1], True)}; "
                f"the {level_text(rows)} interval lies {sides}"
            )
    return f"{title}: {'; '.join(found)}." if found else ""


def _added(result: ResistanceResult, drugs: str, title: str) -> str:
    """In which cohorts drugs differ from those alone, by more than chance and uncertainty make."""
    rows = [
        r
        for r in result.drugs
        if (r["drugs"], r["measure"]) == (drugs, "response") and r["value"] is not None
    ]
    names = {c.name: lowered(c.title) for c in result.study.grid.cohorts}
    sure = [*_apart(rows, False), *_apart(rows, True)]
    alone = _drugs(result, result.study.grid.alone)
    caution = next(f"; {d.caution}" if d.caution else "" for d in result.study.grid.drugs if d.name == drugs)
    if not sure:
        return (
            f"{title}: in no cohort is the difference in objective response from {alone} sure of its "
            f"sign{caution}."
        )
    parts = [f"{told(r, True)} in {names[r['cohort']]}" for r in sorted(sure, key=lambda r: -r["value"])]
    rest = len(rows) - len(sure)
    more = f" In {rest} of {len(rows)} cohorts the interval includes 0." if rest else ""
    return f"{title}, less {alone}: {'; '.join(parts)}{caution}.{more}"


def _without(result: ResistanceResult, drugs: str, head: str, over: float = -1) -> str:
    """What shrinks without any drug, in the cohorts where more than a share of patients, %, surely does."""
    titles = {c.name: lowered(c.title) for c in result.study.grid.cohorts}
    rows = [
        r for r in result.arms if (r["drugs"], r["measure"]) == (drugs, "response") and r["value"] is not None
    ]
    parts = [f"{told(r)} in {titles[r['cohort']]}" for r in rows if r["low"] > over]
    return f"{head} objective response is {'; '.join(parts)}." if parts else ""


def _fault(result: ResistanceResult, drugs: str) -> str:
    """Where the model has tumours shrink by themselves more often than they do."""
    text = _without(result, drugs, "A fault of the model: without any drug,", _UNTREATED)
    return text and (
        f"{text} Untreated disease hardly responds; these intervals exclude {_UNTREATED}\u00a0%, and part "
        f"of what "
        "responds to drugs there is this fault."
    )


def _duration(result: ResistanceResult, cohort: str, title: str) -> str:
    rows = _sorted(result, cohort, "dor_12m")
    if not rows:
        return f"{title}: too few respond to say how long responses last."
    parts = [told(r) for r in ((rows[0], rows[-1]) if _range(rows) else rows[:1])]
    return f"{title}: of responses, {' to '.join(parts)} last 12 months or longer."
