"""write_stability: a study of stability as one HTML page, with its figures and machine-readable rows beside
it.
"""

from __future__ import annotations

import platform as machine
from pathlib import Path
from typing import Any

import numpy as np

import pkpd
from pkpd.content.references import bibliography
from pkpd.fit.intervals import level_text
from pkpd.parameters.bind import line_for
from pkpd.report import stability_figures as draw
from pkpd.report.page import NOTICE, template
from pkpd.report.stability_reading import (
    DRAWN,
    NO_THRESHOLD,
    OWN,
    TWO,
    carried,
    cell,
    opening,
    pairs,
    phrase,
    says,
    short,
    whole,
)
from pkpd.report.writing import as_csv, embedded, write_report
from pkpd.show.model import show_parameters
from pkpd.study.stability.basins import OUTCOMES
from pkpd.study.stability.fixed_volume import STARTS, VOLUMES
from pkpd.study.stability.run import StabilityResult
from pkpd.study.stability.subjects import central, parameters

COLUMNS = ("table", "group", "treatment", "item", "measure", "unit", "value", "low", "high", "over")
_RATES = (
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
        "map": draw.map_figure(result),
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
        if not draw.differs(r)
    ]
    return f" Not drawn, as every start ends at one volume: {'; '.join(told)}." if told else ""


def account(result: StabilityResult) -> dict[str, Any]:
    """The result as plain data for a machine."""
    study = result.study
    tables = (
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
        **{name: list(getattr(result, name)) for name in tables},
        "assumed": _assumed(result),
        "made": made(result),
        "notice": NOTICE,
    }


def made(result: StabilityResult) -> dict[str, Any]:
    """What it takes to make the result again."""
    study, (at, _) = result.study, central(result.study)
    return {
        "pkpd": pkpd.__version__,
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
    units = {"volume": "mL", "effectors": "1", "kill": "1/day", "rate": "1/day"}
    rows = [{"table": "spectrum", "item": "", "over": _patients(r), **r} for r in result.spectrum]
    rows += [{"table": "ranks", "item": r["rank"], "over": _patients(r), **r} for r in result.ranks]
    rows += [
        {
            "table": "fixed",
            **{k: r[k] for k in ("group", "treatment")},
            "measure": k,
            "unit": "1",
            "value": r[k],
        }
        for r in result.fixed
        for k in ("points", "starts", "lost", "runs", "most", "most_stable", "apart", "off")
    ]
    rows += [
        {
            "table": "equilibria",
            "item": "stable" if r["stable"] else "unstable",
            "measure": k,
            "unit": unit,
            "value": r[k],
            **{x: r[x] for x in ("group", "treatment")},
        }
        for r in result.equilibria
        for k, unit in units.items()
    ]
    rows += [
        {"table": "basins", "item": "", "over": draws if r["measure"] == DRAWN else _patients(r), **r}
        for r in result.basins
    ]
    rows += [
        {
            "table": "folds",
            "measure": k,
            "unit": "1",
            "value": r[k],
            **{x: r[x] for x in ("group", "treatment")},
        }
        for r in result.folds
        for k in ("low", "high", "patients_low", "patients_high")
    ]
    rows += [
        {"table": "terms", "item": r["term"], "measure": TWO, "unit": "%", "over": "count of patients", **r}
        for r in result.terms
    ]
    rows += [
        {
            "table": r["law"],
            "item": r["item"],
            "measure": "margin",
            "unit": "1",
            "value": r["margin"],
            "low": r["lowest"],
            "high": r["highest"],
            "over": "all groups, treatments, patients and times",
        }
        for r in result.laws
    ]
    return as_csv(COLUMNS, rows)


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
    lines = _lines(result)
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
        "columns": [(title, note) for _, title, note in _RATES],
        "rates": _rates(result),
        "modes": _modes(result),
        "fixed": _tagged(result, result.fixed),
        "rest": _tagged(result, result.equilibria),
        "ends": _ends(result),
        "outcomes": OUTCOMES,
        "parted": _parted(result),
        "folds": _tagged(result, result.folds),
        "terms": _terms(result),
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


def _tagged(result: StabilityResult, rows: tuple[dict, ...]) -> list[dict]:
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


def _rates(result: StabilityResult) -> list[dict]:
    return [
        {
            "group": g.title,
            "treatment": t.title,
            "cells": [told(cell(result, "spectrum", g.name, t.name, measure)) for measure, *_ in _RATES],
        }
        for g, t in pairs(result)
    ]


def _modes(result: StabilityResult) -> list[dict]:
    """The modes of each typical patient."""
    return [
        {
            "group": g.title,
            "treatment": t.title,
            "rows": [r for r in result.modes if (r["group"], r["treatment"]) == (g.name, t.name)],
        }
        for g, t in pairs(result)
    ]


def _ends(result: StabilityResult) -> list[dict]:
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


def _parted(result: StabilityResult) -> list[dict]:
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


def _terms(result: StabilityResult) -> dict[str, Any]:
    """The share with two stable states as terms are taken out, for those who have any."""
    some = [(g, t) for g, t in pairs(result) if cell(result, "basins", g.name, t.name, TWO)["value"] > 0]
    own = {(r["group"], r["treatment"], r["term"]): r for r in result.terms}
    base = ("as the model is", [told(cell(result, "basins", g.name, t.name, TWO)) for g, t in some])
    rows = [
        (term.title, [told(own[g.name, t.name, term.name]) for g, t in some]) for term in result.study.terms
    ]
    return {"columns": [f"{g.title}, {draw.within(t.title)}" for g, t in some], "rows": [base, *rows]}


def _lines(result: StabilityResult) -> dict[str, list[dict]]:
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
