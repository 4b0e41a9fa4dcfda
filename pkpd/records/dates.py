"""Dates and clock times to hours, as NM-TRAN translates them."""

from __future__ import annotations

import datetime
import re

import numpy as np

from pkpd.content.data_items import DATES
from pkpd.records.table import Faults, Table, number, shown

_CLOCK = re.compile(r"([+-]?)(\d+):(\d{1,2})(?::(\d{1,2}))?")
_DATE = re.compile(r"(\d{1,4})[^\d\s](\d{1,4})(?:[^\d\s](\d{1,4}))?")
_LAST20 = 50  # two-digit years up to this one are of the century 2000


def hours(cell: str) -> float:
    """`14:45`, `14:45:30` or a number of hours; not-a-number if it is neither."""
    found = _CLOCK.fullmatch(cell)
    if found is None:
        return number(cell)
    sign, whole, minute, second = found.groups("0")
    if int(minute) > 59 or int(second) > 59:
        return np.nan
    return (-1 if sign == "-" else 1) * (number(whole) + int(minute) / 60 + int(second) / 3600)


def clocked(table: Table) -> bool:
    """Whether times are dates and hours: there is a date column, or a colon in a TIME."""
    return any(word in table.cells for word in DATES) or any(":" in cell for cell in table.cells["TIME"])


def elapsed(table: Table, patient: np.ndarray, faults: Faults) -> np.ndarray:
    """The hours of each row since its patient's first row.

    Hours that go on beyond a day beside dates that go on too would count days twice, and are refused.
    """
    first = np.flatnonzero(np.diff(patient, prepend=-1))[patient]
    time = table.numbers(
        "TIME",
        faults,
        np.nan,
        hours,
        "is neither a clock time nor a number of hours",
        "write hh:mm, or hours",
    )
    day = np.zeros(len(time))
    for word in [word for word in DATES if word in table.cells]:
        day = _days(table, word, patient, faults)
    twice = (np.abs(time) > 24) & (day != day[first])
    faults.add(
        np.flatnonzero(twice),
        "TIME",
        lambda r: f"{table.cells['TIME'][r]} is beyond a day, beside a date",
        "write the time of the day; or rename the column of dates, if TIME counts the days too",
    )
    faults.raise_all()  # what is counted from a row that cannot be read would be told as going back
    return 24 * (day - day[first]) + (time - time[first])


def _days(table: Table, word: str, patient: np.ndarray, faults: Faults) -> np.ndarray:
    """The day of each row."""
    cells, order = table.cells[word], DATES[word].split()
    remedy = "; ".join(f"{w} is {text}" for w, text in DATES.items())
    days = table.numbers(
        word,
        faults,
        np.nan,
        lambda cell: _day(cell, order),
        f"is no {DATES[word]}",
        f"{remedy}; or a day's number; rename the column if TIME counts the days",
    )
    faults.add(np.flatnonzero(np.isnan(days)), word, "is missing", "give every row a date")
    kind = np.array([1 if np.isfinite(number(c)) else len(re.findall(r"\d+", c)) for c in cells])
    mixed = (np.diff(kind, prepend=kind[0]) != 0) & (np.diff(patient, prepend=-1) == 0)
    faults.add(
        np.flatnonzero(mixed),
        word,
        lambda r: f"{shown(cells[r])} is not written as {shown(cells[r - 1])} before it",
        "write every date of a patient in one way",
    )
    return days


def _day(cell: str, order: list[str]) -> float:
    """The number of a day: itself, or of a date with or without a year; not-a-number if it is none."""
    whole = number(cell)
    found = _DATE.fullmatch(cell)
    if np.isfinite(whole):
        return (
            whole if whole == round(whole) and abs(whole) < 1e7 else np.nan
        )  # 10.12 may be a part of a day, or the tenth of December
    if found is None:
        return np.nan
    parts = [int(p) for p in found.groups() if p is not None]
    date = dict(zip(order if parts[2:] else [w for w in order if w != "year"], parts, strict=True))
    year = date.get("year", 2001)  # without a year, one that has no 29 February
    year += (2000 if year <= _LAST20 else 1900) if year < 100 else 0
    try:
        return float(datetime.date(year, date["month"], date["day"]).toordinal())
    except (ValueError, OverflowError):
        return np.nan
