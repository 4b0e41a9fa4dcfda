"""write_cycles: a study's result as one HTML page, with its figures and machine-readable rows beside it."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pkpd.content.references import bibliography
from pkpd.fit.intervals import level_text
from pkpd.machine.version import NOTICE, VERSION
from pkpd.model.model import Model
from pkpd.parameters.parameters import Parameters
from pkpd.report import cycles_figures
from pkpd.report import cycles_tables as tables
from pkpd.report.cycles_figures import VANISHED_WORDS, figure_title, link_words
from pkpd.report.cycles_sentences import View, cell, monte_carlo, picked, published, says, view
from pkpd.report.template import template
from pkpd.report.writing import Figures, as_csv, embedded, write_report
from pkpd.show.model import show_model, show_parameters
from pkpd.study.neoadjuvant import FIGURES
from pkpd.study.run import StudyResult

COLUMNS = (
    "sweep",
    "before",
    "after",
    "link",
    "vanished",
    "basis",
    "figure",
    "unit",
    "value",
    "low",
    "high",
    "informed",
    "difference",
    "difference_low",
    "difference_high",
)
BEFORE = ("response", "time_to_surgery", "vanished_all", "vanished_small")
AFTER = ("pfs_median", "pfs_3y")


def write_cycles(result: StudyResult, folder: Path) -> Path:
    """Writes results.json, results.csv, figures/*.svg and, last, index.html; returns the page's path."""
    seen = view(result)
    figures = draw_figures(seen)
    lines = [*protocol_lines(result), *parameter_lines(result)]
    page = template("cycles").render(page_data(seen, figures, lines))
    return write_report(folder, page, account(seen, lines), flat(result), figures)


def account(seen: View, lines: list[dict]) -> dict:
    """The result as plain data for a machine."""
    r = seen.result
    return {
        "study": r.study.name,
        "title": r.study.title,
        "trial": r.trial.name,
        "fit": r.fit,
        "link": seen.link,
        "rows": list(r.rows),
        "reference": list(r.reference),
        "sensitivity": list(r.sensitivity),
        "failures": list(r.failures),
        "provenance": lines,
        "made": made(r),
        "notice": NOTICE,
    }


def made(result: StudyResult) -> dict:
    """What it takes to make the result again."""
    s = result.study
    return {
        "pkpd": VERSION,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "seed": s.seed,
        "patients": s.patients * s.repeats,
        "draws": s.draws,
        "draws_other_links": s.draws_other_links,
        "parameters": result.parameters.hash,
    }


def flat(result: StudyResult) -> str:
    """The rows and the reference as CSV; an empty cell where a figure is not reached or not compared."""
    gaps = [(row, row.get("difference") or {}) for row in (*result.rows, *result.reference)]
    return as_csv(
        COLUMNS,
        [
            {
                **row,
                "informed": str(bool(row["informed"])).lower(),
                "difference": gap.get("value"),
                "difference_low": gap.get("low"),
                "difference_high": gap.get("high"),
            }
            for row, gap in gaps
        ],
    )


def draw_figures(seen: View) -> Figures:
    """Every figure of the page: its SVG, the same as a data address, and its caption."""
    r, s = seen.result, seen.result.study
    limit = (
        f"The dashed vertical line is the two-month limit, {s.limit / seen.cycle:.1f} cycles of "
        f"{seen.cycle:g} days."
    )
    level = level_text(x.get("difference") or {} for x in r.rows if x["link"] == seen.link)
    pictures = {
        "before_operation": (
            cycles_figures.sweep_figure(r.rows, r.reference, s, BEFORE, seen.cycle),
            "What the cycles before the operation do until then. What follows the operation cannot "
            f"change it, so sweeps that agree share a panel. {limit}",
        ),
        "progression_free": (
            cycles_figures.sweep_figure(r.rows, r.reference, s, AFTER, seen.cycle),
            f"Progression-free survival from randomisation, by sweep. {limit}",
        ),
    }
    if any(row.get("difference") and (row["before"], row["after"]) != s.reference for row in r.rows):
        pictures["difference_3y"] = (
            cycles_figures.difference_figure(r.rows, s, seen.cycle),
            f"Difference in 3-year progression-free survival from {seen.own[0]} before and "
            f"{seen.own[1]} after, in the same virtual patients; bars are "
            f"{level} intervals. {limit}",
        )
    return embedded(pictures)


def protocol_lines(result: StudyResult) -> list[dict]:
    """The lines of the trial's protocol and of the study, each with where it was seen."""
    trial, study = result.trial, result.study
    return [
        {
            "kind": kind,
            "name": name,
            "value": value,
            "unit": "",
            "seen": how,
            "where": where,
            "source": "" if how == "assumed" else source,
        }
        for kind, rows, source in (
            ("protocol", trial.provenance, trial.reference),
            ("study", study.provenance, ""),
        )
        for name, value, where, how in rows
    ]


def parameter_lines(result: StudyResult) -> list[dict]:
    """Every parameter of the disease, the patients, and the drugs with each kill link."""
    trial = result.trial
    sets = [("disease", trial.disease, result.parameters, True)]
    sets += [
        (f"drugs and kill, {link_words(x.name)}", x.model, x.parameters, False) for x in trial.treatments
    ]
    seen: set[tuple] = set()
    return [
        line
        for kind, model, own, patients in sets
        for line in _lines(kind, model, own, patients)
        if (key := (line["name"], line["value"], line["where"])) not in seen and not seen.add(key)
    ]


def _lines(kind: str, model: Model, parameters: Parameters, patients: bool) -> Iterator[dict]:
    told = {r["name"]: r["text"] for r in show_model(model, parameters)["parameters"]}
    shown = show_parameters(parameters)
    groups = [(kind, shown["values"])] + ([("patients", shown["covariates"])] if patients else [])
    for group, rows in groups:
        for r in rows:
            yield {
                "kind": group,
                "name": r["name"],
                "value": r["value"],
                "unit": r["unit"],
                "seen": r["seen"],
                "where": r["where"],
                "source": r["source"],
                "text": told.get(r["name"]) or r["text"],
                "spread": "; ".join(filter(None, (r["spread"], r["effect"]))),
            }
    for c in shown["correlations"] if patients else ():
        yield {
            "kind": "patients",
            "name": " with ".join(c["of"]),
            "value": c["r"],
            "unit": "1",
            "seen": c["seen"],
            "where": c["where"],
            "source": "",
            "text": "correlation between patients, on the normal scale",
            "spread": "",
        }


def page_data(seen: View, figures: dict, lines: list[dict]) -> dict[str, Any]:
    """What the template prints."""
    r = seen.result
    arms = {k: cell(seen.row("surgery_alone", 0, k)) for k in FIGURES}
    return {
        "r": r,
        "study": r.study,
        "trial": r.trial,
        "fit": r.fit,
        "seen": seen,
        "notice": NOTICE,
        "says": says(seen),
        "published": published(seen),
        "figures": figures,
        "columns": tables.columns(seen),
        "sweeps": tables.sweeps(seen),
        "alone": arms,
        "links": tables.links(seen),
        "vanished": tables.vanished(seen),
        "vanished_words": VANISHED_WORDS[r.trial.vanished],
        "picked": picked(seen),
        "error": monte_carlo(seen),
        "level": level_text(row for row in r.rows if row["link"] == seen.link),
        "fitted": fitted(r),
        "lines": lines,
        "groups": groups(lines),
        "counts": Counter(line["seen"] for line in lines),
        "made": made(r),
        "assumed": [line for line in lines if line["seen"] == "assumed"],
        "references": show_references(lines, r),
        "unseen": [figure_title(f.name, r.study) for f in r.trial.figures if f.value is None],
        "contracted": [f for f in r.fit.get("free", ()) if f["contraction"] < 0.2],
    }


def groups(lines: list[dict]) -> dict[str, list[dict]]:
    """Parameter lines by kind: the disease, its patients, then the drugs, the calibrated link's first."""
    kinds = dict.fromkeys(line["kind"] for line in lines if line["kind"] not in ("protocol", "study"))
    return {k: [line for line in lines if line["kind"] == k] for k in kinds}


def show_references(lines: list[dict], result: StudyResult) -> dict[str, str]:
    """The printed reference behind each key that a line or the trial names."""
    known = bibliography()
    keys = dict.fromkeys(
        [
            result.trial.reference,
            *(line["source"] for line in lines),
            *(f.source for f in result.trial.figures),
        ]
    )
    return {k: known.get(k, "not in the library's bibliography") for k in keys if k}


def fitted(result: StudyResult) -> int:
    """How many published figures the fit used."""
    return len(result.fit.get("figures", ()))
