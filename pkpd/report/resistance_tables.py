"""The tables of a study of resistance, as its page prints them: arms, differences, what was published."""

from __future__ import annotations

from typing import Any

from pkpd.report.resistance_words import cell, number
from pkpd.study.resistance.plan import ResistanceStudy
from pkpd.study.resistance.response_grid import MEASURES
from pkpd.study.resistance.run import ResistanceResult


def arms(result: ResistanceResult) -> list[dict]:
    rows = {(r["cohort"], r["drugs"], r["measure"]): r for r in result.arms}
    return [
        {"cohort": c, "drugs": d, "cells": [cell(rows[c.name, d.name, m]) for m in MEASURES]}
        for c, d, _ in result.study.grid.pairs()
    ]


def differences(result: ResistanceResult, table: str) -> list[dict]:
    rows = {(r["cohort"], r["drugs"], r["measure"]): r for r in getattr(result, table)}
    return [
        {"cohort": c, "drugs": d, "cells": [cell(rows[c.name, d.name, m], True) for m in MEASURES]}
        for c, d, _ in result.study.grid.pairs()
        if (c.name, d.name, "response") in rows
    ]


def published(result: ResistanceResult, row: dict) -> dict[str, Any]:
    grid, unit = result.study.grid, row["unit"]
    value, *ends = (
        f"{row[k]:g}" if unit == "month" else number(row[k], unit)  # months as they were published
        for k in ("published", "low", "high")
        if row[k] is not None
    )
    verdict = {True: "inside", False: "outside", None: "context"}[row["inside"]]
    lies = {"below": "below the arms", "above": "above the arms", "among": "overlaps the arms"}.get(
        row["lies"], ""
    )
    own = {"value": row["predicted"], "low": row["predicted_low"], "high": row["predicted_high"]}
    title = f"{MEASURES[row['measure']][0]}, {'%' if unit == '%' else 'months'}"
    return {
        **row,
        "what": title,
        "who": [c.title for c in grid.cohorts if c.name in row["cohorts"]],
        "given": next(d.title for d in grid.drugs if d.name == row["drugs"]),
        "verdict": verdict,
        "lies": lies if row["inside"] is None else "",
        "told": {"value": value, "interval": "–".join(ends)},
        "own": cell(row | own) if row["inside"] is not None else {"value": "", "interval": ""},
    }


def regimens(study: ResistanceStudy) -> list[dict[str, str]]:
    """What is given under each combination of drugs."""
    every = [(d, study.grid.arm(study.grid.cohorts[0].name, d.name).regimen) for d in study.grid.drugs]
    return [
        {
            "drugs": d.title,
            "name": given.name if given else "",
            "title": given.title if given else "best supportive care",
            "caution": d.caution,
        }
        for d, given in every
    ]
