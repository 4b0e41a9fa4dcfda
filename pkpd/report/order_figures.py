"""Figures of a study of order: the orders as they are, the order effect and its immune part, progression, and
the terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pkpd.show.style import FAINT, LIMIT, MAIN, STYLE
from pkpd.simulation.curves import INK
from pkpd.study.order.interaction import DIFFERENCE, EFFECT, FIRST, IMMUNE, REMOVAL, OrderResult
from pkpd.study.order.plan import OrderStudy

_DRAWN: tuple[dict[str, Any], ...] = (
    {"color": MAIN, "linestyle": "-"},
    {"color": "#D55E00", "linestyle": (0, (5, 2))},
    {"color": "#009E73", "linestyle": (0, (1.5, 1.5))},
)
_ORDERS = ({"color": INK, "linestyle": "-"}, {"color": "#009E73", "linestyle": (0, (1.5, 1.5))})
_WEEKS = "gap between the two treatments (weeks)"


def picked(rows: Iterable[dict], **keys: object) -> list[dict]:
    """The rows that have these values, in their order."""
    return [r for r in rows if all(r[k] == v for k, v in keys.items())]


def naive_figure(result: OrderResult) -> Figure:
    """Ablation first against anti-PD-1 first as it is, and what of that is order, in the first site at the
    last reading.
    """
    study = result.study
    with rc_context(STYLE):
        picture, axes = _grid(1, len(study.biologies))
        for axis, biology in zip(axes, study.biologies, strict=True):
            own = picked(
                result.volumes,
                biology=biology.name,
                modality=study.modalities[0].name,
                site=study.sites[0],
                read=study.reads[-1] / 7,
                measure="volume",
            )
            _lines(axis, [(picked(own, order=DIFFERENCE), _DRAWN[1]), (picked(own, order=EFFECT), _DRAWN[0])])
            _dress(axis, biology.title, "difference of volume (%)" if axis is axes[0] else "", study)
        names = (
            "as it is: one order has had anti-PD-1 for longer",
            "what order does: own effect of each treatment taken out",
        )
        _legend(picture, [*_handles(names, (_DRAWN[1], _DRAWN[0])), _zero()])
    return picture


def effect_figure(result: OrderResult, order: str = EFFECT) -> Figure:
    """The order effect on volume, or its immune part, against the gap: a row a biology, a column a site."""
    study = result.study
    with rc_context(STYLE):
        picture, axes = _grid(len(study.biologies), len(study.sites), sharey="row")
        for k, (axis, (biology, site)) in enumerate(zip(axes, _panels(study), strict=True)):
            own = picked(
                result.volumes,
                biology=biology.name,
                site=site,
                read=study.reads[-1] / 7,
                measure="volume",
                order=order,
            )
            _lines(
                axis,
                [
                    (picked(own, modality=m.name), d)
                    for m, d in zip(study.modalities, cycle(_DRAWN), strict=False)
                ],
            )
            _dress(
                axis,
                f"{biology.title}: lesions {place(site)}",
                "" if k % len(study.sites) else f"{order} (% of volume)",
                study,
                k >= len(axes) - len(study.sites),
            )
        _legend(picture, [*_handles([m.title for m in study.modalities], cycle(_DRAWN)), _zero()])
    return picture


def immune_figure(result: OrderResult) -> Figure:
    return effect_figure(result, IMMUNE)


def progress_figure(result: OrderResult) -> Figure:
    """Time to progression in both orders, and the order effect on it: a row a biology."""
    study = result.study
    with rc_context(STYLE):
        picture, axes = _grid(len(study.biologies), 2)
        for k, biology in enumerate(study.biologies):
            own = picked(result.clinical, biology=biology.name, measure="progression")
            both = picked(own, modality=study.modalities[0].name)
            left, right = axes[2 * k], axes[2 * k + 1]
            _lines(
                left, [(picked(both, order=o), d) for o, d in zip(FIRST, _ORDERS, strict=True)], zero=False
            )
            last = k == len(study.biologies) - 1
            _dress(left, f"{biology.title}: both orders", "time to progression (days)", study, last)
            effects = picked(own, order=EFFECT)
            _lines(
                right,
                [
                    (picked(effects, modality=m.name), d)
                    for m, d in zip(study.modalities, cycle(_DRAWN), strict=False)
                ],
            )
            _dress(right, f"{biology.title}: order effect", "order effect (days)", study, last)
        _legend(
            picture,
            [
                *_handles(FIRST, _ORDERS),
                *_handles([f"order effect: {m.title}" for m in study.modalities], cycle(_DRAWN)),
                _zero(),
            ],
        )
    return picture


def term_figure(result: OrderResult) -> Figure:
    """The order effect with all terms and without each, in the first site at the last reading: a row a
    biology.
    """
    study = result.study
    names = ["", *(t.name for t in study.terms), REMOVAL]
    with rc_context(STYLE):
        picture, axes = _grid(len(study.biologies), len(study.terms_at), 0.34 * len(names) + 1.1)
        panels = [(b, g) for b in study.biologies for g in study.terms_at]
        for k, (axis, (biology, gap)) in enumerate(zip(axes, panels, strict=True)):
            _terms(axis, result, names, biology=biology.name, gap=gap / 7)
            axis.axvline(0, color=LIMIT, linestyle=(0, (4, 3)), linewidth=1.2, zorder=1)
            _titled(axis, f"{biology.title}, {gap / 7:g} weeks apart")
            axis.set_xlabel(f"{EFFECT} (% of volume)" if k >= len(panels) - len(study.terms_at) else "")
            axis.set_yticks(
                range(len(names)),
                ["all in force", *(f"without {n}" for n in names[1:])]
                if k % len(study.terms_at) == 0
                else [""] * len(names),
            )
            axis.set_ylim(len(names) - 0.5, -0.5)
        handles = [
            Line2D(
                [], [], color=d["color"], marker="o", linewidth=1.8, label=f"{m.title}, interval over draws"
            )
            for m, d in zip(study.modalities, cycle(_DRAWN), strict=False)
        ]
        _legend(picture, [*handles, _zero()])
    return picture


def _terms(axis: Axes, result: OrderResult, names: Sequence[str], **panel: object) -> None:
    """The effect without each term, a bar a modality."""
    study = result.study
    own = picked(result.terms, site=study.sites[0], read=study.reads[-1] / 7, measure="volume", **panel)
    for j, (modality, drawn) in enumerate(zip(study.modalities, cycle(_DRAWN), strict=False)):
        rows = [picked(own, modality=modality.name, term=n)[0] for n in names]
        _bars(axis, rows, 0.24 * j - 0.12, drawn["color"])


def _panels(study: OrderStudy) -> list[tuple]:
    return [(b, s) for b in study.biologies for s in study.sites]


def place(site: str) -> str:
    return "in the liver" if site == "hepatic" else "elsewhere"


def _bars(axis: Axes, rows: Sequence[dict], shift: float, color: str) -> None:
    for i, row in enumerate(rows):
        axis.hlines(i + shift, row["low"], row["high"], color=color, linewidth=1.8)
        axis.plot(row["value"], i + shift, marker="o", color=color, markersize=5)


def _lines(axis: Axes, series: Sequence[tuple[list[dict], dict[str, Any]]], zero: bool = True) -> None:
    """Medians over draws against the gap, with their bands."""
    if zero:
        axis.axhline(0, color=LIMIT, linestyle=(0, (4, 3)), linewidth=1.2, zorder=1)
    for rows, drawn in series:
        gap, value, low, high = (np.array([r[k] for r in rows]) for k in ("gap", "value", "low", "high"))
        axis.fill_between(gap, low, high, color=drawn["color"], alpha=0.15, linewidth=0)
        axis.plot(gap, value, marker="o", markersize=4, linewidth=1.8, **drawn)


def _handles(names: Iterable[str], drawn: Iterable[dict[str, Any]]) -> list[Line2D]:
    return [
        Line2D([], [], marker="o", markersize=4, linewidth=1.8, label=f"{n}, band over draws", **d)
        for n, d in zip(names, drawn, strict=False)
    ]


def _zero() -> Line2D:
    return Line2D([], [], color=LIMIT, linestyle=(0, (4, 3)), linewidth=1.2, label="no difference")


def _grid(lines: int, columns: int, height: float = 3.0, **more: Any) -> tuple[Figure, list[Axes]]:
    picture = Figure(figsize=(11.4, height * lines + 0.9), layout="constrained")
    picture.get_layout_engine().set(w_pad=0.10, h_pad=0.10)  # type: ignore[union-attr]
    return picture, list(picture.subplots(lines, columns, squeeze=False, **more).flat)


def _legend(picture: Figure, handles: list[Line2D]) -> None:
    picture.legend(
        handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9.5, handlelength=2.8
    )


def _dress(axis: Axes, title: str, unit: str, study: OrderStudy, weeks: bool = True) -> None:
    _titled(axis, title)
    axis.set_ylabel(unit)
    axis.set_xlabel(_WEEKS if weeks else "")
    axis.set_xlim(0, study.gaps[-1] / 7 * 1.02)
    axis.xaxis.set_major_locator(MaxNLocator(7, integer=True))


def _titled(axis: Axes, title: str) -> None:
    axis.set_title(title, loc="left", fontweight="bold", pad=10)
    axis.grid(axis="both", color="#e5e7eb", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines["bottom"].set_color(FAINT)
