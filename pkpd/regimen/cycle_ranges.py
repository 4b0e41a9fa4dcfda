"""Which cycles: `1`, `1-4`, `2-` (from the second on), `5-/2` (every second from the fifth), joined by
commas.
"""

from __future__ import annotations

import re

import numpy as np

from pkpd.content.toml import shown
from pkpd.errors import fail

_SPAN = re.compile(r"([1-9][0-9]{0,3})(?:(-)([1-9][0-9]{0,3})?(?:/([1-9][0-9]{0,3}))?)?")
_REMEDY = (
    'number cycles from 1: cycles = "1", "1-4", "2-" (from the second on), "5-/2" (every second from '
    'the fifth), "1, 3"'
)


def spans(text: object, where: str = "cycles") -> tuple[tuple[int, int | None, int], ...]:
    """The first, last (None without end) and step of each span of a text."""
    found = []
    for piece in text.split(",") if isinstance(text, str) else [""]:
        match = _SPAN.fullmatch(piece.strip())
        if match is None:
            raise fail(where, f"{shown(text)} does not say which cycles", _REMEDY)
        first, to, last, step = match.groups()
        end = int(last) if last else None if to else int(first)
        if end is not None and end < int(first):
            raise fail(where, f"{shown(text)} ends before it begins", _REMEDY)
        found.append((int(first), end, int(step or 1)))
    return tuple(found)


def among(text: str, numbers: np.ndarray | range, where: str = "cycles") -> np.ndarray:
    """Whether each cycle, by its number from 1, is one that the text names; all are where it is empty."""
    numbers = np.asarray(numbers)
    found = np.full(numbers.shape, not text)
    for first, last, step in spans(text, where) if text else ():
        found |= (
            (numbers >= first)
            & (numbers <= (np.inf if last is None else last))
            & ((numbers - first) % step == 0)
        )
    return found
