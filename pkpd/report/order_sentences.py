"""What a study of order says: the answer and its details in sentences made from the numbers alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pkpd.report import order_figures as draw
from pkpd.report.order_figures import picked
from pkpd.study.order.interaction import DIFFERENCE, EFFECT, FIRST, IMMUNE, NONE, REMOVAL, OrderResult


def amount(row: dict) -> dict[str, str]:
    """A value and its interval as a reader sees them: signs for changes, digits by size, and no 0 for what is
    told from it.
    """
    size, apart = max(abs(row["low"]), abs(row["high"])), row["low"] * row["high"] > 0
    places = 0 if size >= 20 else 1
    value, *ends = (
        f"{row[k]:+.1g}".replace("-", "−")
        if apart and abs(row[k]) >= NONE and not round(row[k], places)
        else _signed(row[k], places)
        for k in ("value", "low", "high")
    )
    return {"value": value, "interval": " to ".join(ends)}


def _signed(x: float, places: int) -> str:
    text = f"{x:+.{places}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def told(row: dict) -> str:
    """`−9.5 % (−14.1 to −5.2)`."""
    cell, unit = amount(row), " days" if row["unit"] == "day" else f" {row['unit']}"
    return f"{cell['value']}{unit} ({cell['interval']})"


def _largest(rows: Iterable[dict]) -> dict:
    return max(rows, key=lambda r: abs(r["value"]))


def says(result: OrderResult) -> list[str]:
    """What the numbers say, in sentences made from them alone."""
    study = result.study
    windows = [_windows_said(result, b.name, b.title) for b in study.biologies]
    found = [
        _naive(result),
        *windows,
        _immune(result),
        _noticed(result),
        _progression(result),
        _responses(result),
    ]
    if any(len(t.lines) == 1 for t in study.terms):
        found += [_carried(result, b.name, b.title) for b in study.biologies]
    return found


def opening(result: OrderResult) -> str:
    """The answer in a few sentences: what order does where it does most, beside how the orders differ there,
    and the windows.
    """
    study, own = result.study, picked(result.volumes, measure="volume")
    titles = {b.name: b.title.lower() for b in study.biologies}
    effect, immune = (_largest(picked(own, order=o)) for o in (EFFECT, IMMUNE))
    place = {k: effect[k] for k in ("biology", "modality", "site", "read", "gap")}
    naive, found = picked(own, order=DIFFERENCE, **place)[0], []
    for name, title in titles.items():
        some = picked(result.windows, biology=name, measure="volume", order=EFFECT)
        wide = max(some, key=lambda r: r["to"] - r["from"]) if some else None
        found.append(
            f"{weeks(wide)} at the widest in {title} disease ({better(wide)})"
            if wide is not None
            else f"none in {title} disease"
        )
    small = abs(effect["value"]) < 100 * study.least
    worth = (
        f"{'less' if small else 'no less'} than the {100 * study.least:g} % of volume taken to be worth "
        f"a word."
    )
    return (
        f"In this model order does most in {titles[effect['biology']]} disease: the two {effect['gap']:g} "
        f"weeks apart, "
        f"ablation by {effect['modality']} first changes the volume of lesions {draw.place(effect['site'])} "
        f"by "
        f"{told(effect)} at {effect['read']:g} weeks. As they are the two orders differ there by "
        f"{told(naive)}, because one "
        "has had anti-PD-1 for longer. The immune part of what order does, through antigen, injury and "
        "memory, is "
        f"{told(immune)} where it is largest. What order does at most is {worth} Windows of gaps in which "
        f"the order effect "
        f"can be told from nothing: {'; '.join(found)}. Nothing here says what a patient should be given "
        f"first."
    )


def _naive(result: OrderResult) -> str:
    """What the orders differ by as they are, at the longest gap."""
    study, found = result.study, []
    read = study.reads[-1] / 7
    gap = max(g / 7 for g in study.gaps if g < study.reads[-1])
    for biology in study.biologies:
        row = picked(
            result.volumes,
            biology=biology.name,
            modality=study.modalities[0].name,
            site=study.sites[0],
            measure="volume",
            read=read,
            gap=gap,
            order=DIFFERENCE,
        )[0]
        found.append(f"{told(row)} in {biology.title.lower()} disease")
    return (
        f"Compared as they are, {gap:g} weeks apart and read at {read:g} weeks, ablation first against "
        f"anti-PD-1 first "
        f"changes the volume of untreated lesions {draw.place(study.sites[0])} by {' and '.join(found)}. "
        f"That compares "
        f"unlike with unlike: anti-PD-1 has been given for {gap:g} weeks less."
    )


def _windows_said(result: OrderResult, biology: str, title: str) -> str:
    """Where what is left of order can be told from nothing."""
    study, head = result.study, f"{title}: with each treatment’s own effect taken out, "
    own = picked(result.windows, biology=biology, measure="volume", order=EFFECT)
    if not own:
        row = _largest(picked(result.volumes, biology=biology, measure="volume", order=EFFECT))
        return (
            f"{head}no gap has an order effect on volume that can be told from 0; the largest median is "
            f"{told(row)}, "
            f"{row['gap']:g} weeks apart, {_set(row)}."
        )
    places = {(r["modality"], r["site"], r["read"]) for r in own}
    total = len(study.modalities) * len(study.sites) * len(study.reads)
    wide, large = max(own, key=lambda r: r["to"] - r["from"]), _largest(own)
    sides = sorted({better(r) for r in own})
    return (
        f"{head}{len(places)} of {total} settings of modality, site and reading have gaps at which the "
        f"interval of the order "
        f"effect on volume leaves out 0 ({', '.join(sides)}). The widest window is {weeks(wide)}, "
        f"{_set(wide)}: {told(wide)} "
        f"at most. The largest effect in any is {told(large)}, {large['gap']:g} weeks apart, {_set(large)}."
    )


def _set(row: dict) -> str:
    return f"{draw.place(row['site'])}, ablation by {row['modality']}, read at {row['read']:g} weeks"


def weeks(row: dict) -> str:
    if row["from"] == row["to"]:
        return f"{row['from']:g} week" + ("" if row["from"] == 1 else "s")
    return f"{row['from']:g} to {row['to']:g} weeks"


def better(row: dict) -> str:
    first = FIRST[int((row["value"] > 0) == (row["measure"] == "volume"))]
    return f"{first} {'leaves less' if row['measure'] == 'volume' else 'progresses later'}"


def _immune(result: OrderResult) -> str:
    """How large the part is that antigen, injury and memory make."""
    found = []
    for b in result.study.biologies:
        own = picked(result.volumes, biology=b.name, measure="volume", order=IMMUNE)
        some = picked(result.windows, biology=b.name, measure="volume", order=IMMUNE)
        sides = sorted({better(r).replace(" leaves less", "") for r in some})
        where = (
            f"where it can be told from 0 it favours {' or '.join(sides)}"
            if some
            else "it can nowhere be told from 0"
        )
        found.append(
            f"in {b.title.lower()} disease it is {told(_largest(own))} where its median is largest, and "
            f"{where}"
        )
    return (
        "The immune part, with the ablated lesion’s tumour left in place, so that order acts through "
        "antigen, injury and "
        f"memory alone: {'; '.join(found)}. The rest of the order effect comes of having less tumour sooner "
        f"or later."
    )


def _noticed(result: OrderResult) -> str:
    """Whether any order effect is worth a word."""
    study = result.study
    own = picked(result.volumes, measure="volume", order=EFFECT)
    large = [r for r in own if abs(r["value"]) >= 100 * study.least]
    if not large:
        return (
            f"No order effect on volume has a median of {100 * study.least:g} % or more, the least that is "
            f"worth a word "
            f"here: the largest is {told(_largest(own))}."
        )
    return (
        f"An order effect of {100 * study.least:g} % of volume or more, the least that is worth a word "
        f"here, is the median "
        f"in {len(large)} of {len(own)} settings of biology, modality, site, reading and gap; the largest is "
        f"{told(_largest(large))}."
    )


def _progression(result: OrderResult) -> str:
    own = picked(result.windows, measure="progression", order=EFFECT)
    titles = {b.name: b.title.lower() for b in result.study.biologies}
    if not own:
        row = _largest(picked(result.clinical, measure="progression", order=EFFECT))
        return (
            f"Time to progression: no gap has an order effect that can be told from 0; the largest median "
            f"is {told(row)}, "
            f"{row['gap']:g} weeks apart in {titles[row['biology']]} disease."
        )
    found = [
        f"{weeks(r)} in {titles[r['biology']]} disease by {r['modality']}: {told(r)} at most" for r in own
    ]
    return (
        f"Time to progression: the interval of the order effect leaves out 0 at gaps of {'; '.join(found)}."
    )


def _responses(result: OrderResult) -> str:
    """What responds when both treatments begin together."""
    found = []
    for b in result.study.biologies:
        own = picked(result.clinical, biology=b.name, measure="response", gap=0.0, order=FIRST[0])
        most = _largest(own)
        found.append(
            f"{most['value']:.0f} % of patients ({most['low']:.0f}–{most['high']:.0f}) in {b.title.lower()} "
            f"disease"
        )
    return f"With both on one day, lesions left alone respond in {' and '.join(found)}."


def published(result: OrderResult) -> dict[str, Any] | None:
    """The published count that one biology is set beside, both as % of patients, and whether it holds what is
    simulated.
    """
    study, beside = result.study, result.study.beside
    if beside is None or beside.figure.value is None or beside.figure.interval is None:
        return None
    n, own = (
        beside.figure.n,
        picked(result.clinical, biology=beside.biology, measure="response", gap=0.0, order=FIRST[0]),
    )
    low, high = (100 * x / n for x in beside.figure.interval)
    title = next(b.title for b in study.biologies if b.name == beside.biology)
    rows = [
        {
            "modality": m.title,
            "value": f"{r['value']:.0f}",
            "interval": f"{r['low']:.0f}–{r['high']:.0f}",
            "inside": low <= r["value"] <= high,
        }
        for m in study.modalities
        for r in picked(own, modality=m.name)
    ]
    return {
        "title": beside.title,
        "source": beside.figure.source or beside.reference,
        "where": beside.figure.where,
        "biology": title,
        "text": beside.text,
        "reported": f"{beside.figure.value:g} of {n}",
        "low": f"{low:.0f}",
        "high": f"{high:.0f}",
        "rows": rows,
    }


def _carried(result: OrderResult, biology: str, title: str) -> str:
    """The term without which the order effect changes most."""
    study = result.study
    single = [t.name for t in study.terms if len(t.lines) == 1]
    own = [
        r
        for r in picked(result.terms, biology=biology, measure="carried", read=study.reads[-1] / 7)
        if r["term"] in single
    ]
    row, less = (
        _largest(rows)
        for rows in (
            own,
            picked(result.terms, biology=biology, measure="carried", term=REMOVAL, read=study.reads[-1] / 7),
        )
    )
    unsure = "" if row["low"] * row["high"] > 0 else ", which cannot be told from 0"
    return (
        f"{title}: removal of tumour carries up to {told(less)} of volume; of the single terms of injury and "
        f"memory, {row['term']} carries most: up to {told(row)}, {row['gap']:g} weeks apart, "
        f"{draw.place(row['site'])}, by "
        f"{row['modality']}{unsure}."
    )
