"""A table of records as text: its columns by what they mean, its cells as numbers, and what is wrong with them by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pkpd import inputs
from pkpd.covariates import REGISTER
from pkpd.errors import Issue, NotFound, fail
from pkpd.library import raise_issues
from pkpd.model.schema import Model

if TYPE_CHECKING:
    import pandas as pd

WORDS = ("ID", "TIME", "EVID", "AMT", "CMT", "SS", "II", "ADDL", "RATE", "DUR")
_MISSING = ("", ".")
_SHOWN = 20  # rows of one fault that are told one by one


@dataclass
class Faults:
    """What is wrong with the rows of a table, collected."""

    where: str
    lines: np.ndarray
    issues: list[tuple[int, Issue]] = field(default_factory=list)
    rows: set[int] = field(default_factory=set)

    def add(self, rows: Iterable[int] | np.ndarray, column: str, what: str | Callable[[int], str], remedy: str) -> None:
        """One fault of some rows, by their index; where they are many, the rest is counted."""
        found = [int(r) for r in rows]
        self.rows.update(found)
        for r in found[:_SHOWN]:
            text = what if isinstance(what, str) else what(r)
            self.issues.append((r, Issue(f"{self.where}: row {self.lines[r]}: {column}", text, remedy)))
        if found[_SHOWN:]:
            more = Issue(f"{self.where}: {column}", f"{len(found) - _SHOWN} more rows like these", remedy)
            self.issues.append((len(self.lines), more))

    def raise_all(self) -> None:
        """Raises what was found, if anything, in the order of the rows."""
        raise_issues([issue for _, issue in sorted(self.issues, key=lambda pair: pair[0])])


@dataclass(frozen=True)
class Table:
    """Cells by column: a reserved word in capitals, an input of the model or a covariate; `lines` number the rows."""

    where: str
    lines: np.ndarray
    cells: dict[str, list[str]]
    ignored: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.lines)

    def numbers(self, column: str, faults: Faults, missing: float = 0.0) -> np.ndarray:
        """A column's numbers, `missing` where a cell is empty or a dot; zeros where there is no such column."""
        if column not in self.cells:
            return np.zeros(len(self))
        text = np.array(self.cells[column])
        there = ~np.isin(text, _MISSING)
        values = np.full(len(self), missing)
        values[there] = _floats(text[there])
        bad = np.flatnonzero(there & ~np.isfinite(values))
        faults.add(bad, column, lambda r: f"{self.cells[column][r]!r} is not a finite number",
                   "write a number; a missing value is a dot or empty")
        values[bad] = 0.0
        return values


def read_table(source: str | Path | pd.DataFrame, model: Model) -> Table:
    """The table of a CSV file or of a data frame, its columns sorted by what they mean to a model."""
    if isinstance(source, str | Path):
        where = str(source)
        lines, rows = _file_rows(Path(source))
    else:
        where = "table"
        columns = [[_text(v) for v in source.iloc[:, i].tolist()] for i in range(source.shape[1])]
        lines, rows = list(range(len(source) + 1)), [[str(c) for c in source.columns], *map(list, zip(*columns, strict=True))]
    if len(rows) < 2:
        raise fail(where, "holds no record", "give a header (ID, TIME, …) and at least one row")
    names = [name.strip() for name in rows[0]]
    ragged = [Issue(f"{where}: row {line}", f"has {len(row)} cells where the header has {len(names)}",
                    "give one cell a column, separated by commas")
              for line, row in zip(lines[1:], rows[1:], strict=True) if len(row) != len(names)]
    raise_issues(ragged[:_SHOWN])
    meant, ignored = _columns(names, model, where)
    cells = {key: [row[i].strip() for row in rows[1:]] for key, i in meant.items()}
    return Table(where, np.array(lines[1:]), cells, ignored)


def _floats(cells: np.ndarray) -> np.ndarray:
    """Texts as numbers, what is none as not-a-number."""
    try:
        return cells.astype(float)
    except ValueError:
        return np.array([_floats(np.array([c]))[0] if len(cells) > 1 else np.nan for c in cells])


def _text(value: object) -> str:
    """A cell of a data frame as a file would hold it."""
    if value is None or str(value) in ("nan", "<NA>", "NaT"):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _file_rows(path: Path) -> tuple[list[int], list[list[str]]]:
    """The rows of a CSV file that are not empty, with their line numbers."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise fail(str(path), "is not UTF-8 text", "save it as UTF-8") from None
        reason = getattr(error, "strerror", None) or "not a path"
        raise NotFound(f"{path}: cannot be read ({reason})\n    remedy: name a CSV file of records") from None
    inputs.note(path)
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    lines, rows = [], []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                lines.append(reader.line_num)
                rows.append(row)
    except csv.Error as error:
        raise fail(f"{path}: row {reader.line_num}", f"is not CSV ({error})", "save the table as CSV, with commas") from None
    return lines, rows


def _columns(names: list[str], model: Model, where: str) -> tuple[dict[str, int], tuple[str, ...]]:
    """Which column holds what, and the columns that mean nothing here."""
    words = [w for w in WORDS if w != "DUR" or w not in model.inputs]
    meant: dict[str, int] = {}
    ignored, issues = [], []
    for i, name in enumerate(names):
        key = name.upper() if name.upper() in words else name
        if key not in words and key not in model.inputs and key not in REGISTER:
            ignored.append(name or f"column {i + 1}")
            near = [n for n in (*model.inputs, *REGISTER) if n.upper() == name.upper()]
            if near and near[0] not in names:
                issues.append(Issue(f"{where}: {name}", f"is nothing that {model.name} knows, but {near[0]} is",
                                    "write inputs and covariates as the model does, or rename the column"))
        elif key in meant:
            issues.append(Issue(f"{where}: {name}", f"is column {meant[key] + 1} and column {i + 1}", "keep one of the two"))
        else:
            meant[key] = i
    issues += [Issue(where, f"has no column {word}", "a table of records needs ID and TIME; columns are separated by commas")
               for word in ("ID", "TIME") if word not in meant]
    raise_issues(issues)
    return meant, tuple(ignored)
