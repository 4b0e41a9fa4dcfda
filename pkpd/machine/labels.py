"""How a noun shows itself: a title and a few rows, as text on a console and as a table in a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

Row = tuple[str, str]
_WIDE = 100  # characters of a line
_MOST = 8  # names of a row


class Labelled:
    """A noun that says what it holds; `label` gives the title and the rows."""

    def label(self) -> tuple[str, list[Row]]:
        raise NotImplementedError

    def __repr__(self) -> str:
        title, rows = self.label()
        margin = max((len(key) for key, _ in rows), default=0)
        return "\n".join(
            _cut(line) for line in (title, *(f"  {key:<{margin}}  {value}" for key, value in rows))
        )

    def _repr_html_(self) -> str:
        title, rows = self.label()
        cells = "".join(
            f"<tr><th style='text-align:left'>{escape(k)}</th><td "
            f"style='text-align:left'>{escape(v)}</td></tr>"
            for k, v in rows
        )
        return f"<p><b>{escape(title)}</b></p><table>{cells}</table>"


def named(names: Iterable[str]) -> str:
    """How many names there are, and the first of them."""
    known = list(names)
    shown = ", ".join(known[:_MOST]) + (", …" if known[_MOST:] else "")
    return f"{len(known)}: {shown}" if known else "none"


def _cut(line: str) -> str:
    line = line.replace("\n", " ").rstrip()
    return line if len(line) <= _WIDE else line[: _WIDE - 1] + "…"
