"""The tables of a study of stability, as its page prints them."""

from __future__ import annotations

from typing import Any

from pkpd.parameters.bind import line_for
from pkpd.report.stability_reading import DRAWN, OWN, TWO, cell, pairs
from pkpd.report.stability_words import short, whole, within
from pkpd.show.model import show_parameters
from pkpd.study.stability.basins import OUTCOMES
from pkpd.study.stability.run import StabilityResult
from pkpd.study.stability.subjects import central, parameters

RATES = (
    ("positive eigenvalues", "Positive eigenvalues", "number"),
    ("largest real part", "Largest real part", "1/day"),
    ("doubling time where it is positive", "Doubling time", "days, where it is positive"),
    ("fastest", "Fastest", "1/day"),
    ("half-time of the fastest", "Its half-time", "days"),
    ("longest step of an explicit method", "Explicit step", "days, at most"),
    ("fastest over slowest", "Fastest over slowest", "ratio of sizes"),
    ("patients with a complex pair", "With a complex pair", "% of patients"),
    ("patients in whom that is positive", "Growing in relative size", "% of patients"),
)


def tagged(result: StabilityResult, rows: tuple[dict, ...]) -> list[dict]:
    """Rows with the titles of their group and treatment."""
    groups, given = (
        {g.name: g.title for g in result.study.groups},
        {t.name: t.title for t in result.study.treatments},
    )
    return [{**r, "group": groups[r["group"]], "treatment": given[r["treatment"]]} for r in rows]


def told(row: dict) -> dict[str, str]:
    """A number with its interval, as a cell of a table; shares in whole per cent."""
    if row["value"] is None:
        return {"value": "–", "interval": ""}
    text = whole if row.get("unit", "%") == "%" else short
    ends = [text(row[k]) for k in ("low", "high")] if row.get("low") is not None else []
    return {"value": text(row["value"]), "interval": " to ".join(ends)}


def rates(result: StabilityResult) -> list[dict]:
    return [
        {
            "group": g.title,
            "treatment": t.title,
            "cells": [told(cell(result, "spectrum", g.name, t.name, measure)) for measure, *_ in RATES],
        }
        for g, t in pairs(result)
    ]


def modes(result: StabilityResult) -> list[dict]:
    """The modes of each typical patient."""
    return [
        {
            "group": g.title,
            "treatment": t.title,
            "rows": [r for r in result.modes if (r["group"], r["treatment"]) == (g.name, t.name)],
        }
        for g, t in pairs(result)
    ]


def ends(result: StabilityResult) -> list[dict]:
    """Two stable states or one, and the outcomes from three starts."""
    found = []
    for g, t in pairs(result):
        own = {r["measure"]: r for r in result.basins if (r["group"], r["treatment"]) == (g.name, t.name)}
        starts = [
            [told(own[f"{o} from {start}"]) for o in OUTCOMES[1:]]
            for start in ("the smallest start", "their own start", "the largest start")
        ]
        cells = [told(own[k]) for k in (DRAWN, TWO, "end depends on the start", "both say the same")]
        found.append(
            {
                "group": g.title,
                "treatment": t.title,
                "cells": cells,
                "starts": starts,
                "moving": told(own["still moving at the end"]),
                "gone": told(own["eliminated from any start"]),
            }
        )
    return found


def parted(result: StabilityResult) -> list[dict]:
    """Where there are two stable states: their volumes, and the starts that part them."""
    found = []
    for g, t in pairs(result):
        own = {r["measure"]: r for r in result.basins if (r["group"], r["treatment"]) == (g.name, t.name)}
        count = own["patients with two stable states"]["value"]
        if count:
            ratios = [r for k, r in own.items() if k.startswith("critical start")]
            sizes = [own[f"volume of the {k} state"] for k in ("lower", "parting", "upper")]
            found.append(
                {
                    "group": g.title,
                    "treatment": t.title,
                    "count": count,
                    "states": [told(r) for r in sizes],
                    "own": told(own[OWN]),
                    "ratios": [{**told(r), "missing": r["missing"]} for r in ratios],
                }
            )
    return found


def terms(result: StabilityResult) -> dict[str, Any]:
    """The share with two stable states as terms are taken out, for those who have any."""
    some = [(g, t) for g, t in pairs(result) if cell(result, "basins", g.name, t.name, TWO)["value"] > 0]
    own = {(r["group"], r["treatment"], r["term"]): r for r in result.terms}
    base = ("as the model is", [told(cell(result, "basins", g.name, t.name, TWO)) for g, t in some])
    rows = [
        (term.title, [told(own[g.name, t.name, term.name]) for g, t in some]) for term in result.study.terms
    ]
    return {"columns": [f"{g.title}, {within(t.title)}" for g, t in some], "rows": [base, *rows]}


def lines(result: StabilityResult) -> dict[str, list[dict]]:
    """The values that rates, equilibria and laws rest on: of the first group, and what differs in
    the others.
    """
    study, (at, _) = result.study, central(result.study)
    texts = {line_for(p.name): p.text for p in study.system.parameters}
    found: dict[str, list[dict]] = {}
    first: dict[str, dict] = {}
    for group in study.groups:
        rows = {r["name"]: r for r in show_parameters(parameters(study, group, at))["values"]}
        own = {
            n: r for n, r in rows.items() if any(r[k] != first.get(n, {}).get(k) for k in ("value", "spread"))
        }
        found[group.title] = [
            {
                **{k: r[k] for k in ("name", "value", "unit", "seen", "where", "source")},
                "text": texts.get(n, ""),
                "spread": "; ".join(filter(None, (r["spread"], r["effect"]))),
            }
            for n, r in own.items()
        ]
        first = first or rows
    return {k: rows for k, rows in found.items() if rows}
