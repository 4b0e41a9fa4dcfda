"""Numbers and titles of a study of stability as its sentences, tables and figures write them."""

from __future__ import annotations

from collections.abc import Iterable


def within(title: str) -> str:
    """A title within a sentence: `anti-PD-1`, and `MSS` as it is."""
    return title if title[:2].isupper() else title[:1].lower() + title[1:]


def percent(row: dict) -> str:
    """`14 % (11–18)`."""
    value = f"{whole(row['value'])} %"
    return value if row.get("low") is None else f"{value} ({whole(row['low'])}–{whole(row['high'])})"


def whole(x: float) -> str:
    """A share in whole per cent; what is neither none nor all is not rounded to it."""
    return "<1" if 0 < x < 1 else ">99" if 99 < x < 100 else f"{x:.0f}"


def short(x: float, digits: int = 2) -> str:
    """A number of a few digits, a power of ten only where it is very small."""
    if x and abs(x) < 1e-4:
        mantissa, power = f"{x:.0e}".split("e")
        return (
            f"{mantissa}×10" + str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        ).replace("-", "−")
    x = float(f"{x:.{digits}g}") if abs(x) < 10**digits else x
    return (f"{x:g}" if abs(x) < 10**digits else f"{x:,.0f}").replace("-", "−")


def volume(row: dict) -> str:
    """A volume of a few digits, `–` where there is none."""
    return "–" if row["value"] is None else short(row["value"])


def span(values: Iterable[float]) -> str:
    known = sorted(values)
    ends = [short(x) for x in (known[0], known[-1])]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def joined(words: Iterable[str]) -> str:
    listed = list(words)
    return listed[0] if len(listed) == 1 else ", ".join(listed[:-1]) + " and " + listed[-1] if listed else ""
