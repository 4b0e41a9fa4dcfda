"""The two further analyses of a study of resistance on its page: importance of mechanisms, and the liver's
effect elsewhere.
"""

from __future__ import annotations

from typing import Any

from pkpd.report.resistance_figures import lowered
from pkpd.report.resistance_words import cell, number, told
from pkpd.study.resistance import importance, lesion_pairs, liver_effect
from pkpd.study.resistance.importance import ImportanceResult
from pkpd.study.resistance.liver_effect import LiverResult
from pkpd.study.resistance.mechanism import Mechanism
from pkpd.study.resistance.run import ResistanceResult

COLUMNS = (
    "treatment",
    "state",
    "mechanism",
    "what",
    "index",
    "group",
    "first",
    "second",
    "sum",
    "joint",
    "best",
    "acts",
    "term",
    "kept",
    "step",
)

STEPS = {
    "tolerance": "Tolerance of the liver",
    "growth": "Growth of lesions there",
    "organ": "An organ of its own",
    "site": "Entry of T cells and other lines of the site",
    "all": "All of these",
}


def rows(result: ResistanceResult) -> dict[str, list[dict]]:
    """The rows of both analyses by table, as `importance_effects`."""
    found = {}
    for name, module, own in (
        ("importance", importance, result.importance),
        ("liver_effect", liver_effect, result.liver_effect),
    ):
        if own is not None:
            found |= {f"{name}_{table}": list(getattr(own, table)) for table in module.TABLES}
    return found


def flat_rows(result: ResistanceResult) -> list[dict]:
    """The same rows for a table: lists as words, of a value with its interval the value."""
    found = []
    for table, own in rows(result).items():
        for row in own:
            plain = {
                k: " ".join(v) if isinstance(v, list) else v["value"] if isinstance(v, dict) else v
                for k, v in row.items()
            }
            found.append({**plain, "table": table})
    return found


def assumed(result: ResistanceResult) -> list[dict[str, str]]:
    """Which lines make each mechanism and each term, and what is left of them when it is released."""
    found = []
    for what, own in (
        ("mechanism", result.importance and result.importance.plan.mechanisms),
        ("term", result.liver_effect and result.liver_effect.plan.terms),
    ):
        found += [
            {
                "line": f"{what}: {m.title}",
                "value": f"{', '.join(m.lines)}: {_released(m)}",
                "where": m.where,
                "seen": m.seen,
            }
            for m in own or ()
        ]
    return found


def _released(m: Mechanism) -> str:
    if m.like is not None:
        return f"as in {m.like[0]}"
    return f"to {m.to:g}" if m.to is not None else "to none" if m.times == 0 else f"times {m.times:g}"


def importance_data(result: ImportanceResult) -> dict[str, Any]:
    """What the page prints of importance: a table a treatment, sentences, and the pairs that gain most
    together.
    """
    plan = result.plan
    return {
        "plan": plan,
        "draws": result.draws,
        "says": [s for t in plan.treatments for s in _ranked(result, t.name, t.title)],
        "tables": [{"title": t.title, "lines": _mechanisms(result, t.name)} for t in plan.treatments],
        "groups": [
            {
                "treatment": t.title,
                "title": g.title,
                "gain": cell(r, True),
                "sum": cell({**r, **r["sum"]}, True),
            }
            for t in plan.treatments
            for g in plan.groups
            for r in _of(result.groups, t.name)
            if r["group"] == g.name
        ],
        "pairs": [line for t in plan.treatments for line in _pairs(result, t.name, t.title)],
    }


def _of(found: tuple[dict, ...], treatment: str, measure: str = "response") -> list[dict]:
    return [r for r in found if (r["treatment"], r["measure"]) == (treatment, measure)]


def _mechanisms(result: ImportanceResult, treatment: str) -> list[dict]:
    """A line a mechanism, by total index: gain and loss of response, indices, gain of shrinkage."""
    effects = {
        (r["mechanism"], r["what"], r["measure"]): r for r in result.effects if r["treatment"] == treatment
    }
    indices = {(r["mechanism"], r["index"]): r for r in _of(result.indices, treatment)}
    lines = []
    for m in result.plan.mechanisms:
        own = [effects[m.name, what, "response"] for what in ("gain", "loss")]
        shares = [indices[m.name, index] for index in ("first", "total")]
        cells = [
            *(cell(r, True) for r in own),
            *map(share, shares),
            logs(effects[m.name, "gain", "shrinkage"]),
        ]
        lines.append(
            {"title": m.title, "cells": cells, "acts": own[0]["acts"], "rank": shares[1]["value"] or 0.0}
        )
    return sorted(lines, key=lambda line: -line["rank"])


def share(row: dict) -> dict[str, str]:
    """A share of variance as text, with its interval."""
    if row["value"] is None:
        return {"value": "–", "interval": ""}
    value, low, high = (number(row[k], "1") for k in ("value", "low", "high"))
    return {"value": value, "interval": f"{low} to {high}"}


def logs(row: dict) -> dict[str, str]:
    """A number in natural log units as text, with its interval."""
    found = share(row)
    return found | {"value": f"+{found['value']}"} if (row["value"] or 0) >= 0.005 else found


def _ranked(result: ImportanceResult, treatment: str, title: str) -> list[str]:
    """Which mechanisms hold response back most: alone, and with others."""
    names = {m.name: lowered(m.title) for m in result.plan.mechanisms}
    gains = sorted(
        (r for r in _of(result.effects, treatment) if r["what"] == "gain" and r["value"] is not None),
        key=lambda r: -r["value"],
    )
    totals = [r for r in _of(result.indices, treatment) if r["index"] == "total" and r["value"] is not None]
    levels = {r["state"]: r for r in _of(result.levels, treatment)}
    found = [
        f"{title}: response is {told(levels['as_is'])} with no mechanism released and "
        f"{told(levels['released'])} with all."
    ]
    if gains and gains[0]["value"] > 0:
        found[0] += (
            f" Released alone in this model, {names[gains[0]['mechanism']]} gains most: "
            f"{told(gains[0], True)}."
        )
    elif gains:
        found[0] += " Released alone in this model, none gains a response."
    if totals:
        most = max(totals, key=lambda r: r["value"])
        found[0] += (
            f" Of the variance of response over all degrees of release, {names[most['mechanism']]} goes "
            f"with most, "
            f"{share(most)['value']} of it ({share(most)['interval']}), alone and with others."
        )
    return found


def _pairs(result: ImportanceResult, treatment: str, title: str, most: int = 3) -> list[dict]:
    """The pairs whose joint release gains most beyond the sum of the two."""
    names = {m.name: m.title for m in result.plan.mechanisms}
    own = sorted(
        (r for r in _of(result.pairs, treatment) if r["value"] is not None), key=lambda r: -r["value"]
    )
    return [
        {
            "treatment": title,
            "first": names[r["first"]],
            "second": names[r["second"]],
            "more": cell(r, True),
            "joint": cell({**r, **r["joint"]}, True),
            "best": f"{100 * r['best']:.0f}",
        }
        for r in own[:most]
    ]


def liver_data(result: LiverResult) -> dict[str, Any]:
    """What the page prints of the liver's effect: log-kill split by term, circulating cells, and what else
    differs.
    """
    plan = result.plan
    terms = {t.name: t.title for t in plan.terms}
    lines = []
    for b in plan.biologies:
        for t in plan.treatments:
            own = {
                (r["what"], r["term"]): r
                for r in result.split
                if (r["biology"], r["treatment"], r["measure"]) == (b.name, t.name, "log_kill")
            }
            ratio = next(
                r
                for r in result.ratios
                if (r["biology"], r["treatment"]) == (b.name, t.name) and r["kept"] == list(terms)
            )
            cells = [own["whole", ""], *(own["part", name] for name in terms), own["remainder", ""]]
            lines.append(
                {"biology": b.title, "treatment": t.title, "cells": [*map(logs, cells), share(ratio)]}
            )
    return {
        "plan": plan,
        "draws": result.draws,
        "heads": ["All terms together", *terms.values(), "None of them"],
        "lines": lines,
        "step_heads": [STEPS[s] for s in lesion_pairs.STEPS],
        "steps": _steps(result),
        "says": _liver_says(result),
    }


def _liver_says(result: LiverResult) -> list[str]:
    """Of each biology, what the liver changes in a lesion elsewhere, over the treatments, and which term has
    the largest part.
    """
    found, terms = [], {t.name: lowered(t.title) for t in result.plan.terms}
    for b in result.plan.biologies:
        own = [r for r in result.split if (r["biology"], r["measure"]) == (b.name, "log_kill")]
        whole = sorted((r for r in own if r["what"] == "whole"), key=lambda r: r["value"])
        least = whole[0]
        parts = [r for r in own if (r["what"], r["treatment"]) == ("part", least["treatment"])]
        most = min(parts, key=lambda r: r["value"])
        given = next(lowered(t.title) for t in result.plan.treatments if t.name == least["treatment"])
        ends = [logs(r)["value"] for r in (whole[-1], least)]
        found.append(
            f"{b.title}: with a lesion in the liver, log-kill of a lesion elsewhere differs by "
            f"{' to '.join(ends)} over "
            f"{len(whole)} treatments. Where the loss is largest ({given}: {ends[1]}, "
            f"{logs(least)['interval']}), "
            f"the {terms[most['term']]} has the largest part, {logs(most)['value']} "
            f"({logs(most)['interval']})"
            + (
                ", by construction: it alone of these terms drains the blood that both lesions share."
                if _drains(result, b.name, least["treatment"]) == [[most["term"]]]
                else "."
            )
        )
    return found


def _drains(result: LiverResult, biology: str, treatment: str) -> list[list[str]]:
    """The terms that lower circulating cells when they act alone; others reach elsewhere by what the liver's
    lesion primes.
    """
    return [
        r["kept"]
        for r in result.ratios
        if (r["biology"], r["treatment"], len(r["kept"])) == (biology, treatment, 1) and r["high"] < 1
    ]


def _steps(result: LiverResult) -> list[dict]:
    """Of log-kill, what differs at each step between a lesion beside the one that is read and one in the
    liver.
    """
    plan = result.plan
    rows_ = {(r["biology"], r["treatment"], r["step"]): r for r in result.steps if r["measure"] == "log_kill"}
    return [
        {
            "biology": b.title,
            "treatment": t.title,
            "cells": [logs(rows_[b.name, t.name, s]) for s in lesion_pairs.STEPS],
        }
        for b in plan.biologies
        for t in plan.treatments
    ]
