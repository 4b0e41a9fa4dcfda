"""write_resistance: a study of resistance as one HTML page, with its figures and machine-readable rows beside
it.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np

from pkpd.content.references import bibliography
from pkpd.fit.intervals import level_text
from pkpd.machine.version import NOTICE, VERSION
from pkpd.report import resistance_analyses as analyses
from pkpd.report import resistance_figures as draw
from pkpd.report import resistance_tables as tables
from pkpd.report.importance_figures import importance_pictures, liver_pictures
from pkpd.report.resistance_words import number, opening, says
from pkpd.report.template import template
from pkpd.report.writing import Figures, as_csv, embedded, write_report
from pkpd.show.model import show_parameters
from pkpd.study.resistance.plan import ResistanceStudy
from pkpd.study.resistance.response_grid import MEASURES
from pkpd.study.resistance.run import LEAST, ResistanceResult
from pkpd.trial.figures import MONTH

COLUMNS = (
    "table",
    "cohort",
    "biology",
    "site",
    "drugs",
    "against",
    "trial",
    "figure",
    "arm",
    "measure",
    "unit",
    "value",
    "low",
    "high",
    "level",
    "defined",
    "n",
    "use",
    "predicted",
    "predicted_low",
    "predicted_high",
    "inside",
    "lies",
    *analyses.COLUMNS,
)
TABLES = ("arms", "drugs", "sites", "published")
_CAPTIONS = {
    "response": "Objective response, median and {level} interval over draws, in this model. Published "
    "figures are "
    "on rows of their own: grey squares are context, since their patients, drugs or criteria are not those "
    "of one "
    "arm; diamonds are compared, red where the published value lies outside the 95 % interval predicted for "
    "a "
    "trial of its size.",
    "duration": "Responses that last, by Kaplan–Meier over the responders of each draw: the share still "
    "without progression or "
    "death a year after the scan that first showed the response. Where few respond the interval is wide, "
    "and where "
    "none do in most draws there is nothing to show.",
    "progression": "Median progression-free survival, each panel on a scale of its own; not reached where "
    "over half of the "
    "patients have not progressed when they are last followed.",
    "differences": "Differences in objective response in the same virtual patients under the same draws, "
    "with {level} "
    "intervals: "
    "what drugs add, and what the site of disease changes, in this model.",
}


def write_resistance(result: ResistanceResult, folder: Path) -> Path:
    """Writes results.json, results.csv, figures/*.svg and, last, index.html; returns the page's path."""
    figures = draw_figures(result)
    page = template("resistance").render(page_data(result, figures))
    return write_report(folder, page, account(result), flat(result), figures)


def draw_figures(result: ResistanceResult) -> Figures:
    """Every figure of the page with its caption."""
    drawn = {
        "response": draw.measure_figure(result, "response"),
        "duration": draw.measure_figure(result, "dor_12m"),
        "progression": draw.measure_figure(result, "pfs_median"),
    }
    if result.drugs or result.sites:
        drawn["differences"] = draw.difference_figure(result)
    pictures = {name: (picture, _caption(result, name)) for name, picture in drawn.items()}
    pictures |= {} if result.importance is None else importance_pictures(result.importance)
    pictures |= {} if result.liver_effect is None else liver_pictures(result.liver_effect)
    return embedded(pictures)


def _caption(result: ResistanceResult, name: str) -> str:
    """A figure's caption, with the cautions of drugs and the floor that scans lay under medians."""
    grid = result.study.grid
    cautions = [
        f"{d.title}: {d.caution}." for d in grid.drugs if d.caution and name in ("response", "differences")
    ]
    first = grid.trial.scans[0][0]
    floor = (
        [
            f"A median of {number(first / MONTH, 'month')} months is the first scan, at {first / 7:g} "
            f"weeks: a floor, since "
            "progression is seen at scans, and not a length of control."
        ]
        if name == "progression"
        else []
    )
    return " ".join([_CAPTIONS[name].format(level=level_text(result.arms)), *cautions, *floor])


def account(result: ResistanceResult) -> dict[str, Any]:
    """The result as plain data for a machine."""
    study, grid = result.study, result.study.grid
    return {
        "study": study.name,
        "title": study.title,
        "system": grid.trial.disease.name,
        "fit": study.fit,
        "biologies": dict(grid.biologies),
        "sites": dict(grid.sites),
        "alone": grid.alone,
        "without": grid.without,
        "cohorts": [
            {"name": c.name, "title": c.title, "biology": c.biology, "site": c.site} for c in grid.cohorts
        ],
        "combinations": [
            {
                "name": d.name,
                "title": d.title,
                "caution": d.caution,
                "regimen": given.name if (given := grid.arm(grid.cohorts[0].name, d.name).regimen) else "",
            }
            for d in grid.drugs
        ],
        "measures": {
            k: " ".join(filter(None, (title, unit and f"({unit} {of}".strip() + ")")))
            for k, (title, unit, of) in MEASURES.items()
        },
        **{name: list(getattr(result, name)) for name in TABLES},
        **analyses.rows(result),
        "provenance": [*provenance(study), *analyses.assumed(result)],
        "failures": list(result.failures),
        "made": made(result),
        "notice": NOTICE,
    }


def made(result: ResistanceResult) -> dict[str, Any]:
    """What it takes to make the result again."""
    study = result.study
    return {
        "pkpd": VERSION,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "seed": study.seed,
        "patients": study.patients,
        "draws": result.draws,
        "fit": study.fit,
        "parameters": study.parameters.hash,
    }


def flat(result: ResistanceResult) -> str:
    """Every row as CSV; an empty cell where a number is not reached or not defined."""
    rows = [{**row, "table": name} for name in TABLES for row in getattr(result, name)]
    for row in rows:
        if row["table"] == "published":
            row |= {"value": row["published"], "cohort": " ".join(row["cohorts"])}
    return as_csv(COLUMNS, [*rows, *analyses.flat_rows(result)])


def provenance(study: ResistanceStudy) -> list[dict[str, str]]:
    """The study's protocol, how drugs enter and who the patients are, each with where it was seen."""
    lines, seen = [], set()
    for name, value, where, how in study.grid.trial.provenance:
        cohort, _, rest = name.partition(": ")
        drugs, _, what = rest.partition(": ")
        own = cohort if what.startswith("patients") else drugs if what else name
        line = {"line": f"{own}: {what}" if what else name, "value": value, "where": where, "seen": how}
        if (key := (line["line"], value)) not in seen:
            seen.add(key)
            lines.append(line)
    return lines


def page_data(result: ResistanceResult, figures: dict) -> dict[str, Any]:
    """What the template prints."""
    study, grid = result.study, result.study.grid
    shown = show_parameters(study.parameters)
    known = bibliography()
    keys = dict.fromkeys(
        [*(r["source"] for r in result.published), *(line["source"] for line in shown["values"])]
    )
    return {
        "study": study,
        "grid": grid,
        "notice": NOTICE,
        "figures": figures,
        "opening": opening(result),
        "says": says(result),
        "measures": MEASURES,
        "heads": [
            (title, f"{unit} {of}".strip() if unit == "%" else "months")
            for title, unit, of in MEASURES.values()
        ],
        "arms": tables.arms(result),
        "drug_lines": tables.differences(result, "drugs"),
        "site_lines": tables.differences(result, "sites"),
        "published": [tables.published(result, r) for r in result.published],
        "provenance": [*provenance(study), *analyses.assumed(result)],
        "importance": None if result.importance is None else analyses.importance_data(result.importance),
        "liver": None if result.liver_effect is None else analyses.liver_data(result.liver_effect),
        "lines": [{**line, "text": ""} for line in shown["values"]],
        "made": made(result),
        "level": level_text(result.arms),
        "months": _months(study),
        "failures": result.failures,
        "references": {k: known[k] for k in keys if k in known},
        "account": _rounded(study.account),
        "error": _chance(result),
        "lowered": draw.lowered,
        "least": LEAST,
        "regimens": tables.regimens(study),
    }


def _rounded(account: dict | None) -> dict | None:
    """The account of a fit with two digits of every quantity."""
    return account and {
        **account,
        "free": [
            {k: float(f"{v:.2g}") if isinstance(v, float) else v for k, v in f.items()}
            for f in account["free"]
        ],
    }


def _months(study: ResistanceStudy) -> str:
    return f"{study.grid.trial.follow_up[1] / MONTH:.0f}"


def _chance(result: ResistanceResult) -> float:
    """Half the 95 % interval that the chance of the patients alone gives a response of a half, percentage
    points.
    """
    return 196 * float(np.sqrt(0.25 / result.study.patients))
