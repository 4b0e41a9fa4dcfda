"""Sizes of boxes, heights of all nodes, and where on a box's side each line leaves or enters."""

from __future__ import annotations

from collections import defaultdict
from statistics import mean

from pkpd.show.diagram.layers import Layers, Link, Node
from pkpd.show.diagram.lettering import LINE
from pkpd.show.diagram.sizes import PAD, box_height, box_width, label_lines

_BOX_GAP, _LINE_GAP, _BAND_GAP, _BAND_HEAD = 14.0, 8.0, 14.0, 24.0
_HEADING, _BARE = 18.0, 9.0  # of a column's heading; the room of a line without a label
Side = tuple[Node, str]
Ports = dict[tuple[Node, str, object], float]


def settle(g: Layers) -> tuple[Ports, list[tuple[float, float]]]:
    """Sets every node's width and height and its y; returns the ports, and the top and foot of each band."""
    sides = _sides(g)
    for column in g.columns:
        wide = max((box_width(n.box) for n in column if n.box), default=0.0)
        for n in column:
            n.width = wide
            if n.box:
                need = max(_need(sides, n, "left"), _need(sides, n, "right"))
                n.height = max(box_height(n.box), need + 2 * PAD)
    for group in g.sisters:
        tall = max(n.height for n in group)
        for n in group:
            n.height = tall
    bands = _bands(g, _HEADING)
    _free(g, _HEADING, bands[-1][1])
    ports = _ports(sides)
    return ports, bands[:-1] if g.banded else []


def port_key(link: Link, n: Node) -> object:
    """What shares one port of a node: all that leaves it in one net; else the link alone."""
    return link.net if n is link.start and link.net else link


def height_at(ports: Ports, link: Link, n: Node) -> float:
    """Where a link meets a node."""
    return ports.get((n, link.side(n), port_key(link, n)), n.y + n.height / 2)


def _sides(g: Layers) -> dict[Side, list[tuple[object, list[Link]]]]:
    """What meets each side of each box: a net that leaves, a link that enters."""
    found: dict[Side, dict[object, list[Link]]] = defaultdict(dict)
    for k in g.links:
        for n in k.nodes():
            if n.box:
                found[n, k.side(n)].setdefault(port_key(k, n), []).append(k)
    return {side: list(keys.items()) for side, keys in found.items()}


def _slot(key: object) -> float:
    return LINE * len(label_lines(key)) + 5 if isinstance(key, Link) else _BARE


def _need(sides: dict, n: Node, side: str) -> float:
    return sum(_slot(key) for key, _ in sides.get((n, side), []))


def _gap(a: Node, b: Node) -> float:
    return _BOX_GAP if a.box and b.box else _LINE_GAP


def _stacked(nodes: list[Node]) -> float:
    return sum(n.height for n in nodes) + sum(_gap(a, b) for a, b in zip(nodes, nodes[1:], strict=False))


def _bands(g: Layers, top: float) -> list[tuple[float, float]]:
    """Top and foot of each band; sister boxes stand equally far below the top of theirs."""
    if not g.banded:
        return [(top, top + max(_stacked(c) for c in g.columns))]
    for c in g.banded:
        g.columns[c] = _levelled(g, c)
    found, y = [], top
    for band in range(g.bands):
        own = [[n for n in g.columns[c] if n.band == band] for c in g.banded]
        tall = max(_stacked(nodes) for nodes in own)
        y += _BAND_HEAD if band < g.bands - 1 else 0
        for nodes in own:
            at = y + (tall - _stacked(nodes)) / 2
            for n, following in zip(nodes, [*nodes[1:], None], strict=True):
                n.y = at
                at += n.height + (_gap(n, following) if following else 0)
        found.append((y - _BAND_HEAD, y + tall + PAD))
        y += tall + PAD + _BAND_GAP
    return [*found[:-1], (top, max(found[-1][1], top + max(_stacked(c) for c in g.columns)))]


def _levelled(g: Layers, c: int) -> list[Node]:
    """A column whose site bands hold as many lines between the same boxes, room standing in for those that
    lack.
    """
    runs = {}
    for band in range(g.bands - 1):
        runs[band] = [[]]
        for n in (n for n in g.columns[c] if n.band == band):
            runs[band][-1].append(n)
            if n.box:
                runs[band].append([])
    if len({len(r) for r in runs.values()}) == 1:
        for together in zip(*runs.values(), strict=True):
            most = max(sum(n.box is None for n in run) for run in together)
            for band, run in zip(runs, together, strict=True):
                lines = sum(n.box is None for n in run)
                run[:0] = [Node(c, band=band, width=g.columns[c][0].width) for _ in range(most - lines)]
    rest = [n for n in g.columns[c] if n.band == g.bands - 1]
    return [n for runs_of in runs.values() for run in runs_of for n in run] + rest


def _free(g: Layers, top: float, foot: float) -> None:
    """Places the columns that no band cuts: each node as near to its neighbours as order and room allow."""
    near = {n: [m for m in others if m.column != n.column] for n, others in g.near().items()}
    free = [c for c in range(len(g.columns)) if c not in g.banded]
    for c in free:
        at = top + (foot - top - _stacked(g.columns[c])) / 2
        for n in g.columns[c]:
            n.y = at
            at += n.height + _BOX_GAP
    for sweep in range(6):
        for c in free if sweep % 2 == 0 else reversed(free):
            nodes = g.columns[c]
            wanted = [
                mean(m.y + m.height / 2 for m in near[n]) if near[n] else n.y + n.height / 2 for n in nodes
            ]
            gaps = [_gap(a, b) for a, b in zip(nodes, nodes[1:], strict=False)]
            for n, y in zip(nodes, spread(wanted, [n.height for n in nodes], gaps, top, foot), strict=True):
                n.y = y - n.height / 2


def spread(
    wanted: list[float], sizes: list[float], gaps: list[float], low: float, high: float
) -> list[float]:
    """Middles of things in their order, without overlap, within bounds, and by least squares nearest to where
    they want to be.
    """
    offsets, at = [], 0.0
    for size, gap in zip(sizes, [0.0, *gaps], strict=True):
        offsets.append(at + gap + size / 2)
        at += gap + size
    blocks: list[list[float]] = []  # sums and counts of what stands without a gap to spare
    for w, o in zip(wanted, offsets, strict=True):
        blocks.append([w - o, 1.0])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + count]
    shifts = [total / count for total, count in blocks for _ in range(int(count))]
    return [min(max(s, low), max(high - at, low)) + o for s, o in zip(shifts, offsets, strict=True)]


def _ports(sides: dict[Side, list[tuple[object, list[Link]]]]) -> Ports:
    """The height of every line where it meets a box, level with its other end where there is room."""
    ports: Ports = {}

    def other(n: Node, k: Link) -> float:
        far = k.across(n)
        return height_at(ports, k, far) if far else n.y + n.height / 2

    for sweep in range(5):
        for (n, side), keys in sides.items():
            wanted = {key: mean(other(n, k) for k in links) for key, links in keys}
            if sweep < 3:
                keys.sort(key=lambda pair: wanted[pair[0]])
            sizes = [_slot(key) for key, _ in keys]
            feet = [wanted[key] - size / 2 + 3 for (key, _), size in zip(keys, sizes, strict=True)]
            middles = spread(feet, sizes, [0.0] * (len(keys) - 1), n.y + PAD, n.y + n.height - PAD)
            for (key, _), size, y in zip(keys, sizes, middles, strict=True):
                ports[n, side, key] = y + size / 2 - 3
    return ports
