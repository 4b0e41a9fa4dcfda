"""The columns of a table of records by what they mean, their cells as numbers, and what is wrong by row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import numpy as np

from pkpd.content.data_items import DATES, REFUSED, RESERVED, WORDS
from pkpd.content.library import raise_issues
from pkpd.errors import Issue
from pkpd.model.model import Model
from pkpd.records.sheet import MISSING, SHOWN, Sheet


@dataclass
class Faults:
    """What is wrong with the rows of a table, collected."""

    where: str
    lines: np.ndarray
    issues: list[tuple[int, Issue]] = field(default_factory=list)
    rows: set[int] = field(default_factory=set)

    def add(
        self, rows: Iterable[int] | np.ndarray, column: str, what: str | Callable[[int], str], remedy: str
    ) -> None:
        """One fault of some rows, by their index; where they are many, the rest is counted."""
        found = [int(r) for r in rows]
        self.rows.update(found)
        for r in found[:SHOWN]:
            text = what if isinstance(what, str) else what(r)
            self.issues.append((r, Issue(f"{self.where}: row {self.lines[r]}: {column}", text, remedy)))
        if found[SHOWN:]:
            more = Issue(f"{self.where}: {column}", f"{len(found) - SHOWN} more rows like these", remedy)
            self.issues.append((len(self.lines), more))

    def raise_all(self) -> None:
        """Raises what was found, if anything, in the order of the rows."""
        raise_issues([issue for _, issue in sorted(self.issues, key=lambda pair: pair[0])])


@dataclass(frozen=True)
class Table:
    """Cells by column: a data item in capitals, an input of the model, or a covariate that effects read."""

    sheet: Sheet
    cells: dict[str, list[str]]
    notices: tuple[str, ...]

    @property
    def where(self) -> str:
        return self.sheet.where

    @property
    def lines(self) -> np.ndarray:
        return np.array(self.sheet.lines)

    def __len__(self) -> int:
        return len(self.sheet.rows)

    def numbers(
        self,
        column: str,
        faults: Faults,
        missing: float = 0.0,
        read: Callable[[str], float] | None = None,
        what: str = "is not a finite number",
        remedy: str = "write a number; a missing value is a dot or empty",
    ) -> np.ndarray:
        """A column's numbers, `missing` where a cell is empty, a dot or NA; zeros where there is no column.

        `read` makes a number of a cell, not-a-number of what is none; `what` and `remedy` then tell it.
        """
        if column not in self.cells:
            return np.zeros(len(self))
        cells = self.cells[column]
        values = np.array([missing if c in MISSING else (read or number)(c) for c in cells])
        bad = np.array([c not in MISSING for c in cells]) & ~np.isfinite(values)
        faults.add(np.flatnonzero(bad), column, lambda r: f"{shown(cells[r])} {what}", remedy)
        values[bad] = 0.0
        return values


def number(cell: str) -> float:
    """A cell as a number, not-a-number if it is none."""
    try:
        return float(cell) if "_" not in cell else np.nan
    except ValueError:
        return np.nan


def shown(cell: str) -> str:
    """A cell as written, cut where it is very long."""
    return repr(cell if len(cell) <= 60 else cell[:57] + "…")


def sort_columns(sheet: Sheet, model: Model, read: Collection[str], register: Collection[str]) -> Table:
    """Which column holds what; `read` are the covariates of the register that effects read. The others are
    told.
    """
    known = (*model.inputs, *(n for n in read if n not in model.inputs))
    meant: dict[str, int] = {}
    unread, ignored, issues = [], [], []
    for i, name in enumerate(sheet.names):
        key = name.upper() if name.upper() in RESERVED else name
        if key in (*WORDS, *DATES, *REFUSED, *known):
            wrong = _ambiguous(key, i, meant, model, read)
            if not wrong:
                meant[key] = i
        elif name.upper() == "C" and set(sheet.column(i)) <= {*MISSING, "0"}:
            continue  # the flag of rows that are left out, which is read already
        else:
            (unread if name in register else ignored).append(name or f"column {i + 1}")
            wrong = _misspelt(name, known, sheet, model)
        if wrong:
            issues.append(Issue(f"{sheet.where}: {name}", *wrong))
    raise_issues([*issues, *_dates_and_keys(sheet.where, meant)])
    told = [
        *sheet.notices,
        *([f"columns left aside: {', '.join(ignored)}"] if ignored else []),
        *([f"covariates left aside, as nothing depends on them: {', '.join(unread)}"] if unread else []),
    ]
    return Table(sheet, {key: sheet.column(i) for key, i in meant.items()}, tuple(told))


def _ambiguous(
    key: str, index: int, meant: dict[str, int], model: Model, read: Collection[str]
) -> tuple[str, str] | None:
    """What else a column may mean, or which other means the same; and the remedy."""
    if key in RESERVED and key in model.inputs:
        return (
            f"is a data item of records and a parameter of {model.name}",
            "rename the parameter in the model",
        )
    if key in model.inputs and key in read:
        return (
            f"is a parameter of {model.name} and a covariate that an effect reads",
            "rename the parameter in the model",
        )
    if key in meant:
        return f"is column {meant[key] + 1} and column {index + 1}", "keep one of the two"
    return None


def _misspelt(name: str, known: tuple[str, ...], sheet: Sheet, model: Model) -> tuple[str, str] | None:
    """Which name of the model is meant by one that is nothing; and the remedy."""
    near = [n for n in known if n.upper() == name.upper() or n.rpartition(".")[2] == name]
    if near and near[0] not in sheet.names:
        return (
            f"is nothing that {model.name} knows, but {near[0]} is",
            "write inputs and covariates as the model does, or rename the column",
        )
    return None


def _dates_and_keys(where: str, meant: dict[str, int]) -> list[Issue]:
    """A second column of dates, and no column of patients or of times."""
    second = [
        Issue(f"{where}: {word}", "is a second column of dates", "keep one: " + ", ".join(DATES))
        for word in [w for w in meant if w in DATES][1:]
    ]
    return second + [
        Issue(
            where,
            f"has no column {word}",
            "a table of records needs ID and TIME; columns are separated by commas",
        )
        for word in ("ID", "TIME")
        if word not in meant
    ]
