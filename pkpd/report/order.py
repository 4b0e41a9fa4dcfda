"""write_order: a study of the order of two treatments as one HTML page, with its figures and machine-readable
rows beside it.
"""

from __future__ import annotations

import platform as machine
from pathlib import Path
from typing import Any

import numpy as np

from pkpd.content.references import bibliography
from pkpd.fit.intervals import level_text
from pkpd.machine.version import NOTICE, VERSION
from pkpd.report import order_figures as draw
from pkpd.report.order_figures import picked
from pkpd.report.order_sentences import amount, better, opening, published, says, weeks
from pkpd.report.template import template
from pkpd.report.writing import as_csv, embedded, write_report
from pkpd.show.model import show_parameters
from pkpd.study.order.interaction import DIFFERENCE, EFFECT, FIRST, IMMUNE, REMOVAL, OrderResult
from pkpd.study.order.plan import OrderStudy

COLUMNS = (
    "table",
    "biology",
    "modality",
    "site",
    "read",
    "gap",
    "from",
    "to",
    "term",
    "measure",
    "order",
    "unit",
    "value",
    "low",
    "high",
    "chance",
    "noticed",
)
_TABLES = ("volumes", "clinical", "windows", "terms")
_OWN = ("local", "memory")
_PICTURES = {
    "naive": draw.naive_figure,
    "order": draw.effect_figure,
    "immune": draw.immune_figure,
    "progression": draw.progress_figure,
    "terms": draw.term_figure,
}


def write_order(result: OrderResult, folder: Path) -> Path:
    """Writes results.json, results.csv, figures/*.svg and, last, index.html; returns the page's path."""
    told = captions(result.study)
    figures = embedded({name: (make(result), told[name]) for name, make in _PICTURES.items()})
    return write_report(
        folder, template("order").render(page_data(result, figures)), account(result), flat(result), figures
    )


def captions(study: OrderStudy) -> dict[str, str]:
    """What each figure shows."""
    first, last = draw.place(study.sites[0]), f"{study.reads[-1] / 7:g} weeks after the first treatment"
    return {
        "naive": f"Volume of untreated lesions {first}, {last}, ablation by {study.modalities[0].name} "
        f"first against "
        "anti-PD-1 first. As it is, one order has had anti-PD-1 for longer; what order does is what is left "
        "when each "
        "treatment’s own effect on its own day is taken out.",
        "order": f"The order effect on the volume of untreated lesions, {last}: below 0, less is left with "
        f"ablation first. "
        "Scales differ between rows.",
        "immune": "Its immune part: what would be left of the order effect if the ablated lesion kept its "
        "tumour, and only "
        f"antigen and injury came of the ablation; {last}.",
        "progression": "Left: mean time to progression from the first treatment, RECIST 1.1, scans without "
        "error "
        f"(ablation by {study.modalities[0].name}). Right: what of the difference is order. Bands on the "
        "left overlap as draws differ; both orders have the same patients in each. Time counts up to "
        f"{study.horizon / 7:g} weeks.",
        "terms": f"The order effect on lesions {first} when a term of the injury or memory is set to 0, "
        f"{last}.",
    }


def account(result: OrderResult) -> dict[str, Any]:
    """The result as plain data for a machine."""
    study = result.study
    return {
        "study": study.name,
        "title": study.title,
        "system": study.system.name,
        "fit": study.fit,
        "lesion": study.ablation.lesion,
        "biologies": [{"name": b.name, "title": b.title} for b in study.biologies],
        "modalities": [{"name": m.name, "title": m.title} for m in study.modalities],
        "gaps_weeks": [g / 7 for g in study.gaps],
        "reads_weeks": [r / 7 for r in study.reads],
        "opening": opening(result),
        "says": says(result),
        **{name: list(getattr(result, name)) for name in _TABLES},
        "assumed": assumed(study),
        "made": made(study),
        "notice": NOTICE,
    }


def made(study: OrderStudy) -> dict[str, Any]:
    """What it takes to make the result again."""
    return {
        "pkpd": VERSION,
        "python": machine.python_version(),
        "numpy": np.__version__,
        "seed": study.seed,
        "patients": study.patients,
        "draws": study.draws,
        "fit": study.fit,
        "parameters": study.points[0].parameters.hash,
    }


def flat(result: OrderResult) -> str:
    """Every row as CSV; an empty cell where a column does not apply."""
    return as_csv(COLUMNS, [{**row, "table": name} for name in _TABLES for row in getattr(result, name)])


def assumed(study: OrderStudy) -> list[dict[str, str]]:
    """What the study assumes of its own."""
    return [dict(zip(("line", "value", "where", "seen"), line, strict=True)) for line in study.provenance]


def page_data(result: OrderResult, figures: dict) -> dict[str, Any]:
    """What the template prints."""
    study = result.study
    lines = [
        r for r in show_parameters(study.points[0].parameters)["values"] if r["name"].split(".")[0] in _OWN
    ]
    texts = {p.name: p.text for p in study.system.parameters}
    lines = [{**r, "text": texts.get(r["name"], ""), "spread": r.get("spread") or ""} for r in lines]
    windows = [_window(study, r) for b in study.biologies for r in picked(result.windows, biology=b.name)]
    known = bibliography()
    beside = [study.beside.reference] if study.beside is not None else []
    keys = dict.fromkeys([*study.references, *beside, *(r["source"] for r in lines)])
    return {
        "study": study,
        "notice": NOTICE,
        "figures": figures,
        "opening": opening(result),
        "says": says(result),
        "made": made(study),
        "level": level_text(result.volumes),
        "lines": lines,
        "assumed": assumed(study),
        "windows": windows,
        "published": published(result),
        "effects": _effects(result),
        "clinical": _clinical(result),
        "terms": _terms(result),
        "references": {k: known[k] for k in keys if k in known},
    }


def _window(study: OrderStudy, row: dict) -> dict[str, Any]:
    """A line of the table of windows."""
    titles = {x.name: x.title for x in (*study.biologies, *study.modalities)}
    what = row["order"] if row["measure"] == "volume" else "order effect on progression"
    return {
        "biology": titles[row["biology"]],
        "modality": titles[row["modality"]],
        "what": what,
        "place": draw.place(row["site"]) if row["site"] else "all read",
        "read": f"{row['read']:g}" if row["read"] else "–",
        "weeks": weeks(row).split(" week")[0].replace(" to ", "–"),
        "at": f"{row['gap']:g}",
        "cell": amount(row),
        "unit": "days" if row["unit"] == "day" else "%",
        "better": better(row),
        "noticed": row["noticed"],
    }


def _effects(result: OrderResult) -> list[dict]:
    """A table of each biology, site and day of reading: a line a gap."""
    study, found = result.study, []
    for biology in study.biologies:
        for read in reversed(study.reads):
            for site in study.sites:
                own = picked(result.volumes, biology=biology.name, site=site, read=read / 7)
                lines = [
                    {
                        "gap": f"{gap:g}",
                        "cells": [c for m in study.modalities for c in _line(own, m.name, gap)],
                    }
                    for gap in sorted({r["gap"] for r in own})
                ]
                found.append(
                    {
                        "title": f"{biology.title}, lesions {draw.place(site)}, read at {read / 7:g} weeks",
                        "lines": lines,
                        "open": read == study.reads[-1],
                    }
                )
    return found


def _line(rows: list[dict], modality: str, gap: float) -> list[dict[str, str]]:
    """What one gap shows by one modality: the difference, the order effect, its immune part, and who would
    notice.
    """
    own = picked(rows, modality=modality, gap=gap)
    volume = [picked(own, measure="volume", order=o)[0] for o in (DIFFERENCE, EFFECT, IMMUNE)]
    return [*map(amount, volume), *(plain(picked(own, measure=k)[0]) for k in ("less", "more"))]


def _clinical(result: OrderResult) -> list[dict]:
    """A table of each biology and modality: a line a gap."""
    study, found = result.study, []
    for biology in study.biologies:
        for modality in study.modalities:
            own = picked(result.clinical, biology=biology.name, modality=modality.name)
            lines = []
            for gap in (g / 7 for g in study.gaps):
                here = picked(own, gap=gap)
                lines.append(
                    {
                        "gap": f"{gap:g}",
                        "cells": [
                            *(
                                plain(r) if r["order"] in FIRST else amount(r)
                                for r in picked(here, measure="progression")
                            ),
                            *(plain(r) for r in picked(here, measure="response") if r["order"] in FIRST),
                            *(
                                plain(r)
                                for s in study.sites
                                for r in picked(here, measure="shrunk", site=s)
                                if r["order"] in FIRST
                            ),
                        ],
                    }
                )
            found.append({"title": f"{biology.title}, {modality.title.lower()}", "lines": lines})
    return found


def plain(row: dict) -> dict[str, str]:
    """A value without a sign, and its interval."""
    return {"value": f"{row['value']:.0f}", "interval": f"{row['low']:.0f}–{row['high']:.0f}"}


def _terms(result: OrderResult) -> list[dict]:
    """What each term carries of the order effect at the last reading: a table a biology and site, a line a
    term.
    """
    study, found = result.study, []
    for biology in study.biologies:
        for site in study.sites:
            own = picked(result.terms, biology=biology.name, site=site, read=study.reads[-1] / 7)
            lines = [
                {
                    "term": name or "all in force: the order effect",
                    "cells": [
                        amount(
                            picked(
                                own,
                                modality=m.name,
                                gap=g / 7,
                                term=name,
                                measure="carried" if name else "volume",
                            )[0]
                        )
                        for m in study.modalities
                        for g in study.terms_at
                    ],
                }
                for name in ("", *(t.name for t in study.terms), REMOVAL)
            ]
            found.append({"title": f"{biology.title}, lesions {draw.place(site)}", "lines": lines})
    return found
