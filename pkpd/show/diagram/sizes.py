"""How much room a box and the words of an arrow take."""

from __future__ import annotations

from pkpd.show.diagram.layers import Link
from pkpd.show.diagram.lettering import HEAD, LINE, widest, width_of, wrapped
from pkpd.show.diagram.scheme import Box

PAD, ARC, DOSE_WIDTH = 8.0, 7.0, 12.0  # points: inside a box, a lane of brackets, a mark of doses
RULE = 4.0  # above the quantities that a part gives
_WORDS, _LABEL = 124.0, 82.0  # the widest line of a box, and of an arrow's label
_UNIT_GAP, _ROW_GAP, _LEAST = 8.0, 2.0, 58.0


def label_lines(link: Link) -> list[str]:
    return wrapped(", ".join(link.label), _LABEL)


def row_lines(text: str) -> list[str]:
    return wrapped(text, _WORDS) or [""]


def top_of(box: Box) -> float:
    """From a box's upper edge to its first row."""
    return 31.0 if box.use else 20.0


def row_height(text: str) -> float:
    return LINE * len(row_lines(text)) + _ROW_GAP


def is_ruled(box: Box, i: int) -> bool:
    """Whether a row is the first of those that a part with compartments gives."""
    return box.holds and box.rows[i].given and (i == 0 or not box.rows[i - 1].given)


def box_height(box: Box) -> float:
    rows = sum(row_height(r.text) for r in box.rows) + RULE * any(
        is_ruled(box, i) for i in range(len(box.rows))
    )
    return top_of(box) + rows + LINE * len(box.notes) + PAD - 3


def box_width(box: Box) -> float:
    unit = max((width_of(r.unit) for r in box.rows), default=0.0)
    words = max((widest(row_lines(r.text)) for r in box.rows), default=0.0)
    title = max(width_of(box.title, HEAD, True), width_of(box.use), widest(box.notes))
    return max(margin(box) + words + _UNIT_GAP + unit + PAD, title + 2 * PAD, _LEAST)


def margin(box: Box) -> float:
    """Room at the left for marks of doses and for brackets of flows between rows."""
    lanes = max((lane for *_, lane in arcs(box)), default=-1) + 1
    return PAD + DOSE_WIDTH * any(r.dosed for r in box.rows) + ARC * (lanes + bool(lanes))


def arcs(box: Box) -> list[tuple[int, int, int]]:
    """Flows between rows, each with a lane; flows from or to one row, and a flow and its reverse, share
    theirs.
    """
    found: list[tuple[int, int, int]] = []
    for a, b in sorted(box.inner, key=lambda pair: (abs(pair[0] - pair[1]), pair)):
        lane = 0
        while any(
            at == lane
            and min(a, b) < max(c, d)
            and min(c, d) < max(a, b)
            and a != c
            and b != d
            and (a, b) != (d, c)
            for c, d, at in found
        ):
            lane += 1
        found.append((a, b, lane))
    return found
