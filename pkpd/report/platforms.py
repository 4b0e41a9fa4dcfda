"""write_platforms: a study of platforms as one HTML page, with its figures and machine-readable rows beside
it.
"""

from __future__ import annotations

import math
import platform as machine
from pathlib import Path
from typing import Any

import numpy as np

from pkpd.content.references import bibliography
from pkpd.fit.intervals import level_text
from pkpd.machine.version import NOTICE, VERSION
from pkpd.report import platform_figures as draw
from pkpd.report.template import template
from pkpd.report.writing import as_csv, embedded, write_report
from pkpd.show.model import show_parameters
from pkpd.study.platforms.experiment import IMMUNE
from pkpd.study.platforms.plan import Platform, PlatformStudy, Share, Uncertain
from pkpd.study.platforms.translation import AXES, T_CELLS, PlatformResult

COLUMNS = (
    "table",
    "platform",
    "host",
    "treatment",
    "class",
    "dose",
    "axis",
    "measure",
    "unit",
    "value",
    "low",
    "high",
    "level",
    "over",
)
_TABLES = ("doses", "effects", "windows", "scores")
_PICTURES = {"doses": draw.dose_figure, "bias": draw.bias_figure, "scores": draw.score_figure}
_CAPTIONS = {
    "doses": "Dose and effect: log-kill a day, the median of the same virtual subjects without uncertainty "
    "of the constants. "
    "Scales differ between panels. Nothing but the values of the platform differs between the lines.",
    "bias": "Translational bias at full dose: the effect on the platform over that in patients, on a "
    "logarithmic scale. Bars "
    "hold the uncertainty of what is assumed, and no more.",
    "scores": "Five axes, each from 0 to 1, with {level} intervals over draws where they are wider than "
    "what is "
    "printed. The "
    "scores are consequences of the assumptions below, not measurements of any platform.",
}


def write_platforms(result: PlatformResult, folder: Path) -> Path:
    """Writes results.json, results.csv, figures/*.svg and, last, index.html; returns the page's path."""
    told = {name: text.format(level=level_text(result.scores)) for name, text in _CAPTIONS.items()}
    figures = embedded({name: (make(result), told[name]) for name, make in _PICTURES.items()})
    page = template("platforms").render(page_data(result, figures))
    return write_report(folder, page, account(result), flat(result), figures)


def account(result: PlatformResult) -> dict[str, Any]:
    """The result as plain data for a machine."""
    study = result.study
    return {
        "study": study.name,
        "title": study.title,
        "system": study.system.name,
        "human": study.human,
        "platforms": [
            {
                "name": p.name,
                "title": p.title,
                "host": p.host,
                "parameters": p.parameters.name,
                "reads": p.reads,
                "until_days": p.until,
            }
            for p in study.platforms
        ],
        "axes": {k: {"title": title, "is": text} for k, (title, text) in AXES.items()},
        **{name: list(getattr(result, name)) for name in _TABLES},
        "assumed": assumed(study),
        "made": made(study),
        "notice": NOTICE,
    }


def made(study: PlatformStudy) -> dict[str, Any]:
    """What it takes to make the result again."""
    return {
        "pkpd": VERSION,
        "python": machine.python_version(),
        "numpy": np.__version__,
        "seed": study.seed,
        "patients": study.patients,
        "draws": study.draws,
        "parameters": {p.name: p.parameters.hash for p in study.platforms},
    }


def flat(result: PlatformResult) -> str:
    """Every row as CSV; an empty cell where a number is not defined."""
    over = {"doses": f"subjects, middle {level_text(result.doses)}", "windows": ""}
    over |= {name: f"draws, central {level_text(getattr(result, name))}" for name in ("effects", "scores")}
    return as_csv(
        COLUMNS,
        [{**row, "table": name, "over": over[name]} for name in _TABLES for row in getattr(result, name)],
    )


def assumed(study: PlatformStudy) -> list[dict[str, str]]:
    """What the study assumes of its own: shares that arrive, shares that can be read, and what draws vary."""
    lines = []
    for p in study.platforms:
        for key, share in (("delivery", p.delivery), ("take", p.take)):
            span = f" ({share.low:g}–{share.high:g})" if share.low < share.high else ""
            lines.append(_line(f"{p.title}: {key}", f"{share.value:g}{span}", share))
    for u in study.uncertain:
        only = f", in {draw.HOSTS[u.host]} only" if u.host else ""
        lines.append(_line(f"draws: {u.name}{only}", f"× {u.times[0]:g}–{u.times[1]:g}", u))
    return lines


def _line(name: str, value: str, of: Share | Uncertain) -> dict[str, str]:
    return {"line": name, "value": value, "seen": of.seen, "where": of.where}


def page_data(result: PlatformResult, figures: dict) -> dict[str, Any]:
    """What the template prints."""
    study = result.study
    lines = {p.name: _lines(study, p) for p in study.platforms if p.name != study.human}
    keys = dict.fromkeys([study.reference, *(line["source"] for own in lines.values() for line in own)])
    known = bibliography()
    return {
        "study": study,
        "notice": NOTICE,
        "figures": figures,
        "says": says(result),
        "axes": AXES,
        "made": made(study),
        "level": level_text(result.effects),
        "effects": _table(result, "log_kill", _rate),
        "biases": _table(result, "bias", _fold),
        "inhibitions": _table(result, "inhibition", _percent),
        "windows": _held(result),
        "assumed": assumed(study),
        "lines": lines,
        "places": draw.HOSTS,
        "six": [k for k in IMMUNE if k not in T_CELLS],
        "references": {k: known[k] for k in keys if k in known},
    }


def _table(result: PlatformResult, measure: str, told) -> list[dict]:
    """A line a platform, a cell a treatment."""
    rows = {(r["platform"], r["treatment"]): r for r in result.effects if r["measure"] == measure}
    return [
        {"platform": p, "cells": [told(rows[p.name, t.name]) for t in result.study.treatments]}
        for p in result.study.platforms
        if (p.name, result.study.treatments[0].name) in rows
    ]


def _cell(row: dict, write) -> dict[str, str]:
    if row["value"] is None:
        return {"value": "no effect", "interval": ""}
    low, high = (write(row[k]) if row[k] is not None else "…" for k in ("low", "high"))
    return {"value": write(row["value"]), "interval": f"{low}–{high}"}


def _rate(row: dict) -> dict[str, str]:
    """Log-kill in thousandths a day."""
    return (
        _cell(row, lambda x: f"{1000 * x:.2g}" if abs(x) < 1e-2 else f"{1000 * x:.1f}")
        if row["value"]
        else {"value": "no effect", "interval": ""}
    )


def _percent(row: dict) -> dict[str, str]:
    return _cell(row, lambda x: f"{x + 0.0:.0f}".replace("-", "−").replace("−0", "0"))


def _fold(row: dict) -> dict[str, str]:
    return _cell(row, fold)


def fold(bias: float) -> str:
    """A ratio from its logarithm: `25×`, `1.3×`, `0.46×`."""
    x = math.exp(bias)
    return f"{x:.2g}×" if x < 99.5 else f"{x:.0f}×"


def _held(result: PlatformResult) -> list[dict]:
    """Where a dose up to the full one holds the tumour, and the window above it."""
    rows = {(r["platform"], r["treatment"], r["measure"]): r["value"] for r in result.windows}
    return [
        {
            "platform": p,
            "treatment": t,
            "dose": f"{rows[p.name, t.name, 'holding_dose']:.2f}",
            "window": f"{rows[p.name, t.name, 'window']:.1f}",
        }
        for p in result.study.platforms
        for t in result.study.treatments
        if rows[p.name, t.name, "window"] is not None
    ]


def _lines(study: PlatformStudy, platform: Platform) -> list[dict]:
    """The lines of a platform's set that are not those of patients."""
    theirs = {r["name"]: r for r in show_parameters(study.platform(study.human).parameters)["values"]}
    texts = {p.name: p.text for p in study.system.parameters}
    found = []
    for r in show_parameters(platform.parameters)["values"]:
        other = theirs.get(r["name"], {})
        if any(r[k] != other.get(k) for k in ("value", "spread", "effect")):
            spread = "; ".join(filter(None, (r["spread"], r["effect"])))
            told = next((t for n, t in texts.items() if _same(n, r["name"])), "")
            kept = {k: r[k] for k in ("name", "value", "unit", "seen", "where", "source")}
            found.append({**kept, "text": told, "spread": spread})
    return found


def _same(name: str, line: str) -> bool:
    return ".".join(w for w in name.split(".") if not w.isdigit()) == line


def says(result: PlatformResult) -> list[str]:
    """What the numbers say, in sentences made from them alone."""
    return [*_classes(result), *_ranking(result), *_windows(result)]


def _bias_rows(result: PlatformResult, treatment: str) -> list[dict]:
    return [r for r in result.effects if r["measure"] == "bias" and r["treatment"] == treatment]


def _classes(result: PlatformResult) -> list[str]:
    """Of each treatment, where it looks best and where worst beside patients."""
    titles = {p.name: p.title for p in result.study.platforms}
    found = []
    for t in result.study.treatments:
        known = sorted(
            (r for r in _bias_rows(result, t.name) if r["value"] is not None), key=lambda r: r["value"]
        )
        silent = [titles[r["platform"]] for r in _bias_rows(result, t.name) if r["value"] is None]
        if not known:
            found.append(f"{t.title}: no platform shows an effect, or patients show none.")
            continue
        ends = [r for r in (known[-1], known[0]) if r["low"] is not None and r["high"] is not None]
        told = [
            f"{fold(r['value'])} ({fold(r['low'])}–{fold(r['high'])}) on {titles[r['platform']]}"
            for r in ends
        ]
        none = f" No effect at all on {', '.join(silent)}." if silent else ""
        found.append(f"{t.title}: from {' down to '.join(told)}, relative to patients.{none}")
    return found


def _ranking(result: PlatformResult) -> list[str]:
    """The best platform on each axis, patients apart."""
    study, found = result.study, []
    titles = {p.name: p.title for p in study.platforms}
    for axis, (title, _) in AXES.items():
        own = [r for r in result.scores if r["axis"] == axis and r["platform"] != study.human]
        most, least = max(own, key=lambda r: r["value"]), min(own, key=lambda r: r["value"])
        found.append(
            f"{title}: highest {titles[most['platform']]} ({most['value']:.2f}), lowest "
            f"{titles[least['platform']]} "
            f"({least['value']:.2f})."
        )
    return found


def _windows(result: PlatformResult) -> list[str]:
    """On how many platforms a dose holds the tumour at all."""
    study = result.study
    held = {r["platform"] for r in result.windows if r["measure"] == "window" and r["value"] is not None}
    mice = [p for p in study.platforms if p.name != study.human]
    count = sum(p.name in held for p in mice)
    patients = ", and in patients" if study.human in held else ", and not in patients"
    return [
        f"A dose up to the full one holds the typical tumour on {count} of {len(mice)} platforms{patients}: "
        f"drugs are as "
        "potent everywhere, and tumours grow much faster on the platforms."
    ]
