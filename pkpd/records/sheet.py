"""A table as cells: from a text or Parquet file or a data frame, without the rows that NONMEM leaves out."""

from __future__ import annotations

import csv
import datetime
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pkpd.content.library import raise_issues
from pkpd.errors import Issue, NotFound, fail
from pkpd.machine import inputs

if TYPE_CHECKING:
    import pandas as pd

MISSING = ("", ".", "NA")
SHOWN = 20  # rows of one fault that are told one by one
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([EeDd][+-]?\d+)?")
_DECIMAL = re.compile(r"[+-]?(\d+,\d*|,\d+)([Ee][+-]?\d+)?")
# NONMEM's title of a table, and the line by which a spreadsheet says what separates cells
_TITLE = re.compile(r"TABLE NO\.?\s*\d+|sep=\W?\s*$", re.IGNORECASE)
_BLANKS = " "
Lines = list[tuple[int, tuple[str, ...]]]  # the number of each row, and its cells


@dataclass(frozen=True)
class Sheet:
    """Names and rows of cells, all of one length; `lines` number the rows as a file or a data frame does."""

    where: str
    names: tuple[str, ...]
    lines: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]
    notices: tuple[str, ...] = ()

    def column(self, index: int) -> list[str]:
        """The cells of one column."""
        return [row[index] for row in self.rows]


def read_sheet(source: str | Path | pd.DataFrame) -> Sheet:
    """The table of a file (.parquet, else text) or of a data frame, without the rows that NONMEM leaves out.

    Cells are separated by commas, by semicolons or tabs (numbers then with decimal points or decimal commas),
    or by blanks, as NONMEM writes its tables.
    """
    if isinstance(source, str | Path):
        inputs.note(source)
    if not isinstance(source, str | Path):
        where, mark = "table", ","
        lines, rows = _frame_rows(source)
    elif Path(source).suffix == ".parquet":
        where, mark = str(source), ","
        lines, rows = _parquet_rows(Path(source))
    else:
        where = str(source)
        lines, rows, mark = _text_rows(Path(source))
    first = _header(rows)
    if first is None or first + 1 >= len(rows):
        raise fail(where, "holds no record", "give a header (ID, TIME, …) and at least one row")
    names = tuple(name.strip() for name in rows[first])
    names = (names[0].lstrip("#@ "), *names[1:])
    cells = [tuple(cell.strip() for cell in row) for row in rows]
    body = _one_table(where, names, list(zip(lines, cells, strict=True))[first + 1 :])
    kept, notices = _kept(names, body)
    if not kept:
        raise fail(where, "holds no record", "give a header (ID, TIME, …) and at least one row")
    ragged = [(line, len(row)) for line, row in kept if len(row) != len(names)]
    raise_issues(
        [
            Issue(
                f"{where}: row {line}",
                f"has {count} cells where the header has {len(names)}",
                "give one cell a column, separated by commas",
            )
            for line, count in ragged[:SHOWN]
        ]
    )
    sheet = Sheet(where, names, tuple(line for line, _ in kept), tuple(row for _, row in kept), notices)
    return sheet if mark in (",", _BLANKS) else _with_points(sheet, mark)


def is_number(cell: str) -> bool:
    """Whether a cell is written as a number."""
    return _NUMBER.fullmatch(cell) is not None


def _header(rows: list[list[str]]) -> int | None:
    """The first row that is neither a comment nor a title; what names ID and TIME is a header, # or not."""
    for i, row in enumerate(rows):
        cells = [cell.strip().upper() for cell in row]
        named = {"ID", "TIME"} <= {cells[0].lstrip("#@ "), *cells[1:]}
        if named or not (cells[0][:1] in ("#", "@") or _TITLE.match(" ".join(cells))):
            return i
    return None


def _one_table(where: str, names: tuple[str, ...], body: Lines) -> Lines:
    """The rows without titles (TABLE NO. 2) and repeated headers; a second table of others is refused."""
    kept, titled = [], False
    for line, row in body:
        if _TITLE.match(" ".join(row)):
            titled = True
            continue
        if titled and row != names:
            raise fail(
                f"{where}: row {line}",
                "begins a second table, of other columns",
                "give each table a file of its own",
            )
        titled = False
        if row != names:
            kept.append((line, row))
    return kept


def _kept(names: tuple[str, ...], body: Lines) -> tuple[Lines, tuple[str, ...]]:
    """The rows that count, and a notice of those that NONMEM's IGNORE=#, IGNORE=@ and IGNORE=C leave out.

    A letter in front marks a row where the first column holds numbers otherwise, or where it is the flag C;
    where patients have names, names they are.
    """
    flag = next((i for i, name in enumerate(names) if name.upper() == "C"), None)
    marked = {line for line, row in body if row[0][:1] in ("#", "@")}
    others = [row[0] for line, row in body if line not in marked and row[0] not in MISSING]
    numbered = any(is_number(c) for c in others) and all(is_number(c) or c[:1].isalpha() for c in others)
    if flag == 0 or (numbered and names[0].upper() != "CMT"):
        marked |= {line for line, row in body if row[0][:1].isalpha() and row[0] not in MISSING}
    if flag is not None:
        marked |= {line for line, row in body if flag < len(row) and row[flag].upper() == "C"}
    kept = [(line, row) for line, row in body if line not in marked]
    if not marked:
        return kept, ()
    told = [str(line) for line in sorted(marked)]
    more = f" and {len(told) - SHOWN} more" if told[SHOWN:] else ""
    return kept, (
        f"rows left aside, as NONMEM leaves them out (a letter, # or @ in front, or C in a column C): "
        f"{', '.join(told[:SHOWN])}{more}",
    )


def _with_points(sheet: Sheet, mark: str) -> Sheet:
    """A table between semicolons or tabs, its decimal commas as points; a table that has both is refused."""
    named = {";": "semicolons", "\t": "tabs"}[mark]
    commas = [
        (line, cell)
        for line, row in zip(sheet.lines, sheet.rows, strict=True)
        for cell in row
        if _DECIMAL.fullmatch(cell)
    ]
    if not commas:
        return (
            replace(sheet, notices=(*sheet.notices, f"cells are separated by {named}"))
            if mark == ";"
            else sheet
        )
    points = [
        line
        for line, row in zip(sheet.lines, sheet.rows, strict=True)
        for cell in row
        if is_number(cell) and "." in cell
    ]
    if points:
        line, cell = commas[0]
        raise fail(
            f"{sheet.where}: row {line}",
            f"{cell!r} has a decimal comma, and row {points[0]} a decimal point",
            "write every number in one way",
        )
    rows = tuple(
        tuple(c.replace(",", ".") if _DECIMAL.fullmatch(c) else c for c in row) for row in sheet.rows
    )
    told = f"cells are separated by {named}, and a comma in a number is a decimal comma"
    return replace(sheet, rows=rows, notices=(*sheet.notices, told))


def _frame_rows(frame: pd.DataFrame) -> tuple[list[int], list[list[str]]]:
    """A data frame as a file would hold it; its first record is row 1."""
    columns = [[_text(v) for v in frame.iloc[:, i].tolist()] for i in range(frame.shape[1])]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return list(range(len(rows) + 1)), [[str(c) for c in frame.columns], *rows] if columns else []


def _text(value: object) -> str:
    """A cell of a data frame as a file would hold it."""
    if value is None or str(value) in ("nan", "<NA>", "NaT"):
        return ""
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _parquet_rows(path: Path) -> tuple[list[int], list[list[str]]]:
    import pandas as pd

    try:
        return _frame_rows(pd.read_parquet(path))
    except FileNotFoundError:
        raise NotFound(
            f"{path}: cannot be read (No such file or directory)\n    remedy: name a file of records"
        ) from None
    except Exception as error:  # a damaged file fails in many ways, all of the reader's own making
        raise fail(
            str(path),
            f"is not a Parquet table ({str(error).splitlines()[0][:200] if str(error) else 'damaged'})",
            "write it anew, or give a CSV file",
        ) from None


def _text_rows(path: Path) -> tuple[list[int], list[list[str]], str]:
    """The rows of a text file that are not empty, with their line numbers, and what separates their cells."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise fail(str(path), "is not UTF-8 text", "save it as UTF-8") from None
        reason = getattr(error, "strerror", None) or "not a path"
        raise NotFound(f"{path}: cannot be read ({reason})\n    remedy: name a CSV file of records") from None
    if "\0" in text:
        raise fail(str(path), "is not text: it holds NUL bytes", "save the table as CSV, in UTF-8")
    mark = _separator(text)
    if mark == _BLANKS:
        split = [(i, line.split()) for i, line in enumerate(re.split(r"\r\n|\r|\n", text), 1)]
        kept = [(i, row) for i, row in split if row]
        return [i for i, _ in kept], [row for _, row in kept], mark
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True)
    lines, rows = [], []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                lines.append(reader.line_num)
                rows.append(row)
    except csv.Error as error:
        raise fail(
            f"{path}: row {reader.line_num}", f"is not CSV ({error})", "save the table as CSV, with commas"
        ) from None
    return lines, rows, mark


def _separator(text: str) -> str:
    """What separates cells: what stands most often in the header; blanks where there is nothing else."""
    for line in re.split(r"\r\n|\r|\n", text[:1_000_000]):
        if (
            not line.strip()
            or _TITLE.match(line.strip())
            or (line.lstrip()[:1] in ("#", "@") and "TIME" not in line.upper())
        ):
            continue
        counts = {mark: line.count(mark) for mark in (",", ";", "\t")}
        best = max(counts, key=lambda mark: counts[mark])
        if counts[best]:
            return best
        return _BLANKS if len(line.split()) > 1 else ","
    return ","
