"""The tables of a study of cycles before and after the operation, as its page prints them."""

from __future__ import annotations

from pkpd.report.cycles_figures import VANISHED_WORDS, figure_title, figure_unit, link_words
from pkpd.report.cycles_sentences import View, cell, picked
from pkpd.study.neoadjuvant import FIGURES


def columns(seen: View) -> list[tuple[str, str]]:
    """The heading and unit of each figure of merit."""
    return [(figure_title(k, seen.result.study), figure_unit(k, unit)) for k, (unit, _) in FIGURES.items()]


def sweeps(seen: View) -> list[dict]:
    """A table a sweep: one line a number of cycles before, under the calibrated link."""
    found = []
    for s in seen.result.study.sweeps:
        lines = []
        for b in s.before:
            rows = {k: seen.row(s.name, b, k) for k in FIGURES}
            main = rows["pfs_3y"]
            if main is not None:
                lines.append(
                    {
                        "before": b,
                        "after": main["after"],
                        "basis": main["basis"],
                        "within": b <= seen.last,
                        "cells": [cell(rows[k]) for k in FIGURES],
                        "difference": _gap(seen, main),
                    }
                )
        found.append({"name": s.name, "title": s.title, "lines": lines})
    return found


def _gap(seen: View, row: dict | None) -> dict[str, str]:
    if row is not None and (row["before"], row["after"]) == seen.own:
        return {"value": "reference", "interval": ""}
    return cell(row, difference=True)


def links(seen: View) -> list[dict]:
    """3-year progression-free survival, and its difference from the trial's plan, under each link at a few
    numbers.
    """
    return [
        {
            "title": s.title,
            "link": link_words(link),
            "main": link == seen.link,
            "cells": [
                (cell(row), _gap(seen, row))
                for b in picked(seen)
                for row in [seen.row(s.name, b, "pfs_3y", link)]
            ],
        }
        for s in seen.result.study.sweeps
        for link in dict.fromkeys(r["link"] for r in seen.result.rows)
    ]


def vanished(seen: View) -> list[dict]:
    """3-year progression-free survival under the protocol's convention on vanished lesions and under the
    other.
    """
    own = seen.result.trial.vanished
    other = {
        (r["vanished"], r["sweep"], r["before"]): r
        for r in seen.result.sensitivity
        if r["figure"] == "pfs_3y"
    }
    rest = dict.fromkeys(v for v, *_ in other)
    lines = []
    for s in seen.result.study.sweeps:
        groups = [(own, [seen.row(s.name, b, "pfs_3y") for b in picked(seen)])]
        groups += [(v, [other.get((v, s.name, b)) for b in picked(seen)]) for v in rest]
        for words, rows in groups:
            cells = [(cell(r), _gap(seen, r)) for r in rows]
            lines.append(
                {"title": s.title, "words": VANISHED_WORDS[words], "own": words == own, "cells": cells}
            )
    return lines if other else []
