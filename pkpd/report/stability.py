"""write_stability: a study of stability as one HTML page, with its figures and machine-readable rows beside
it.
"""

from __future__ import annotations

import platform as machine
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from pkpd.content.references import bibliography
from pkpd.fit.intervals import level_text
from pkpd.machine.version import NOTICE, VERSION
from pkpd.report import stability_figures as draw
from pkpd.report import stability_tables as tables
from pkpd.report.stability_map import differs, map_figure
from pkpd.report.stability_reading import (
    DRAWN,
    NO_THRESHOLD,
    TWO,
    carried,
    opening,
    pairs,
    phrase,
    says,
)
from pkpd.report.stability_words import short
from pkpd.report.template import template
from pkpd.report.writing import as_csv, embedded, write_report
from pkpd.study.stability.basins import OUTCOMES
from pkpd.study.stability.fixed_volume import STARTS, VOLUMES
from pkpd.study.stability.run import StabilityResult
from pkpd.study.stability.subjects import central, parameters

COLUMNS = ("table", "group", "treatment", "item", "measure", "unit", "value", "low", "high", "over")
_CAPTIONS = {
    "spectrum": "Eigenvalues at the state where treatment begins, with treatment just begun: a row a rank, "
    "from the fastest to "
    "fade to growth. Each dot is the median of one eigenvalue, its bar the middle {level} of virtual "
    "patients; "
    "colours say which states most often lead in it. The axis is linear between −0.001 and 0.001 per day.",
    "balance": "Growth and kill of the typical patient once immunity has settled. Tumour grows where growth "
    "is above and shrinks "
    "where kill is. A dotted kill is the typical one times a factor in the middle of those with two stable "
    "states, "
    "where the typical one is not among them.",
    "branch": "Where the typical patient’s tumour comes to rest, by the strength of kill. Where a curve "
    "bends back there are two "
    "stable sizes for one patient, and an unstable one between them.",
    "map": "Where the whole system ends, from each start, under constant treatment; where kill is "
    "multiplied, of one who is not the typical patient. The critical start and the unstable "
    f"equilibrium are {NO_THRESHOLD}.",
}


def write_stability(result: StabilityResult, folder: Path) -> Path:
    """Writes results.json, results.csv, figures/*.svg and, last, index.html; returns the page's path."""
    pictures = {
        "spectrum": draw.spectrum_figure(result),
        "balance": draw.balance_figure(result),
        "branch": draw.branch_figure(result),
        "map": map_figure(result),
    }
    captions = {**_CAPTIONS, "map": _CAPTIONS["map"] + _alike(result)}
    captions["spectrum"] = captions["spectrum"].format(level=middle(result))
    figures = embedded({k: (picture, captions[k]) for k, picture in pictures.items() if picture is not None})
    page = template("stability").render(page_data(result, figures))
    return write_report(folder, page, account(result), flat(result), figures)


def _alike(result: StabilityResult) -> str:
    """The maps that are not drawn, as they show one end from every start."""
    named = {(g.name, t.name): phrase(g, t) for g, t in pairs(result)}
    told = [
        f"{named[r['group'], r['treatment']]} ({short(np.median(r['last']))} mL)"
        for r in result.maps
        if not differs(r)
    ]
    return f" Not drawn, as every start ends at one volume: {'; '.join(told)}." if told else ""


def account(result: StabilityResult) -> dict[str, Any]:
    """The result as plain data for a machine."""
    study = result.study
    kept = (
        "spectrum",
        "ranks",
        "modes",
        "fixed",
        "equilibria",
        "basins",
        "folds",
        "terms",
        "laws",
        "curves",
        "branches",
        "maps",
    )
    return {
        "study": study.name,
        "title": study.title,
        "system": study.system.name,
        "fit": study.fit,
        "groups": [
            {"name": g.name, "title": g.title, "site": g.place.site, "lesions": g.place.count}
            for g in study.groups
        ],
        "treatments": [{"name": t.name, "title": t.title, "sets": dict(t.sets)} for t in study.treatments],
        "says": [opening(result), carried(result), *says(result)],
        **{name: list(getattr(result, name)) for name in kept},
        "assumed": _assumed(result),
        "made": made(result),
        "notice": NOTICE,
    }


def made(result: StabilityResult) -> dict[str, Any]:
    """What it takes to make the result again."""
    study, (at, _) = result.study, central(result.study)
    return {
        "pkpd": VERSION,
        "python": machine.python_version(),
        "numpy": np.__version__,
        "seed": study.seed,
        "patients": study.patients,
        "draws": study.draws,
        "fit": study.fit,
        "parameters": {g.name: parameters(study, g, at).hash for g in study.groups},
    }


def flat(result: StabilityResult) -> str:
    """The rows that hold one number each, as CSV; an empty cell where a number is not defined."""
    draws = _over(result)
    searched = ("points", "starts", "lost", "runs", "most", "most_stable", "apart", "off")
    folds = ("low", "high", "patients_low", "patients_high")
    rows = [{"table": "spectrum", "item": "", "over": _patients(r), **r} for r in result.spectrum]
    rows += [{"table": "ranks", "item": r["rank"], "over": _patients(r), **r} for r in result.ranks]
    rows += _numbers("fixed", result.fixed, dict.fromkeys(searched, "1"))
    rows += _numbers(
        "equilibria",
        [{**r, "item": "stable" if r["stable"] else "unstable"} for r in result.equilibria],
        {"volume": "mL", "effectors": "1", "kill": "1/day", "rate": "1/day"},
    )
    rows += [
        {"table": "basins", "item": "", "over": draws if r["measure"] == DRAWN else _patients(r), **r}
        for r in result.basins
    ]
    rows += _numbers("folds", result.folds, dict.fromkeys(folds, "1"))
    rows += [
        {"table": "terms", "item": r["term"], "measure": TWO, "unit": "%", "over": "count of patients", **r}
        for r in result.terms
    ]
    rows += [_margin(r) for r in result.laws]
    return as_csv(COLUMNS, rows)


def _numbers(table: str, rows: Iterable[dict], units: dict[str, str]) -> list[dict]:
    """Rows of many numbers as rows of one: of each number by its name, in its unit."""
    return [
        {
            "table": table,
            "measure": measure,
            "unit": unit,
            "value": r[measure],
            **{k: r[k] for k in ("group", "treatment", "item") if k in r},
        }
        for r in rows
        for measure, unit in units.items()
    ]


def _margin(law: dict) -> dict:
    """The margin by which a law holds."""
    return {
        "table": law["law"],
        "item": law["item"],
        "measure": "margin",
        "unit": "1",
        "value": law["margin"],
        "low": law["lowest"],
        "high": law["highest"],
        "over": "all groups, treatments, patients and times",
    }


def _patients(row: dict) -> str:
    """Over what a row of virtual patients has its interval."""
    return f"patients, middle {level_text([row])}" if "level" in row else "count of patients"


def middle(result: StabilityResult) -> str:
    """The share of a group's patients that intervals over all of them hold."""
    return level_text(r for r in result.spectrum if r["measure"] == "largest real part")


def _over(result: StabilityResult) -> str:
    """Over what the share with two stable states has its interval."""
    kind = (
        "sets of patients" if result.study.fit == "none" else "draws of the fit, each with its own patients"
    )
    own = [r for r in result.basins if r["measure"] == DRAWN]
    return f"{result.study.draws} {kind}, central {level_text(own)}"


def _assumed(result: StabilityResult) -> list[dict[str, str]]:
    return [
        {"line": line, "value": value, "where": where, "seen": seen}
        for line, value, where, seen in result.study.assumed
    ]


def page_data(result: StabilityResult, figures: dict) -> dict[str, Any]:
    """What the template prints."""
    study = result.study
    lines = tables.lines(result)
    known = bibliography()
    sources = dict.fromkeys(line["source"] for own in lines.values() for line in own)
    return {
        "study": study,
        "notice": NOTICE,
        "figures": figures,
        "opening": opening(result),
        "carried": carried(result),
        "says": says(result),
        "over": _over(result),
        "middle": middle(result),
        "middle_of_two": level_text(r for r in result.basins if r["measure"] != DRAWN),
        "columns": [(title, note) for _, title, note in tables.RATES],
        "rates": tables.rates(result),
        "modes": tables.modes(result),
        "fixed": tables.tagged(result, result.fixed),
        "rest": tables.tagged(result, result.equilibria),
        "ends": tables.ends(result),
        "outcomes": OUTCOMES,
        "parted": tables.parted(result),
        "folds": tables.tagged(result, result.folds),
        "terms": tables.terms(result),
        "laws": result.laws,
        "assumed": _assumed(result),
        "lines": lines,
        "fit": result.fit,
        "no_threshold": NO_THRESHOLD,
        "volumes": VOLUMES,
        "starts": STARTS,
        "made": made(result),
        "references": {k: known[k] for k in sources if k in known},
    }
