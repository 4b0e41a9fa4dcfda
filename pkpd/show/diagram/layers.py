"""Boxes in columns by role, lines that pass a column as thin nodes, and their order, in which few lines
cross.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import mean

from pkpd.show.diagram.columns import columns_of
from pkpd.show.diagram.scheme import Arrow, Box, Scheme

_SWEEPS, _MOST = (
    12,
    6,
)  # a part that nothing acts on and more than so many parts read is named there, its line left out


@dataclass(eq=False)
class Node:
    """A box, a line that passes a column, or (neither) the room that such a line takes in a sister site."""

    column: int
    box: Box | None = None
    band: int = 0
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0


@dataclass(eq=False)
class Net:
    """All arrows of one kind that leave a box: one line that branches."""

    source: Box
    solid: bool


@dataclass(eq=False)
class Link:
    """A step of a net from one column to the next (or back, or within a column); the last ends in an
    arrowhead.

    Where either end is missing it is a stub: it comes from outside or from the box `named`, or goes to
    outside.
    """

    net: Net | None
    start: Node | None
    end: Node | None
    label: tuple[str, ...] = ()
    kind: str = "flow"
    named: Box | None = None

    @property
    def gutter(self) -> int:
        """The gutter that it crosses: gutter g lies left of column g."""
        if self.start is None or self.end is None:
            return self.end.column if self.end else self.start.column + 1  # type: ignore[union-attr]
        return max(self.start.column, self.end.column) + (self.start.column == self.end.column)

    def nodes(self) -> list[Node]:
        return [n for n in (self.start, self.end) if n]

    def side(self, n: Node) -> str:
        """The side of one of its nodes that it meets."""
        return "right" if self.gutter == n.column + 1 else "left"

    def across(self, n: Node) -> Node | None:
        """Its other node."""
        return self.end if n is self.start else self.start


@dataclass(eq=False)
class Layers:
    """Nodes by column from top to bottom, their links, the columns that are cut into bands (a site each, the
    rest last).
    """

    columns: list[list[Node]]
    headings: list[str]
    links: list[Link] = field(default_factory=list)
    banded: set[int] = field(default_factory=set)
    bands: int = 1
    sisters: list[list[Node]] = field(default_factory=list)

    def nodes(self) -> Iterable[Node]:
        return (n for column in self.columns for n in column)

    def near(self) -> dict[Node, list[Node]]:
        """The nodes that each is linked with."""
        found: dict[Node, list[Node]] = {n: [] for n in self.nodes()}
        for k in self.links:
            if k.start and k.end:
                found[k.start].append(k.end)
                found[k.end].append(k.start)
        return found


def layers_of(scheme: Scheme) -> Layers:
    """The nodes of a scheme in their columns and order."""
    held = columns_of(scheme)
    found = Layers(
        [[Node(c, b) for b in boxes] for c, (_, boxes) in enumerate(held)], [heading for heading, _ in held]
    )
    nodes = {n.box.name: n for n in found.nodes() if n.box}
    found.bands = len(scheme.sites) + 1
    found.banded = {n.column for n in nodes.values() if n.box and n.box.site}
    for n in nodes.values():
        n.band = _band(n, scheme) if n.column in found.banded else 0
    found.sisters = [[nodes[b.name] for b in group] for group in scheme.sisters()]
    nets: dict[tuple, Net] = {}
    passing: dict[tuple[Net, int, int], Node] = {}
    fan = Counter(a.source for a in scheme.arrows)
    acted = {a.target for a in scheme.arrows}
    for i, a in enumerate(scheme.arrows):
        start, end = nodes.get(a.source), nodes.get(a.target)
        if not start or not end:
            found.links.append(Link(None, start, end, a.label, a.kind))
        elif a.source not in acted and fan[a.source] > _MOST:
            label = (f"{scheme.boxes[a.source].title}: {a.label[0]}", *a.label[1:])
            found.links.append(Link(None, None, end, label, a.kind, start.box))
        else:
            key = (a.source, a.kind, i if scheme.alone else 0)
            net = nets.setdefault(key, Net(scheme.boxes[a.source], a.kind == "flow"))
            _run(found, scheme, net, a, start, end, passing)
    _order(found)
    return found


def _band(n: Node, scheme: Scheme) -> int:
    return scheme.sites.index(n.box.site) if n.box and n.box.site else len(scheme.sites)


def _run(
    found: Layers, scheme: Scheme, net: Net, arrow: Arrow, start: Node, end: Node, passing: dict
) -> None:
    """Leads an arrow through the columns between its ends, sharing what its net has there already."""
    home = _band(end, scheme) if end.box and end.box.site else _band(start, scheme)
    step = 1 if end.column > start.column else -1
    at = start
    for c in range(start.column + step, end.column, step) if end.column != start.column else ():
        band = home if c in found.banded else 0
        if (net, c, band) not in passing:
            passing[net, c, band] = node = Node(c, band=band)
            found.columns[c].append(node)
            found.links.append(Link(net, at, node))
        at = passing[net, c, band]
    found.links.append(Link(net, at, end, arrow.label, arrow.kind))


def _order(found: Layers) -> None:
    """Orders every column by its neighbours' mean places, from the left and from the right in turn; keeps the
    best.
    """
    near = found.near()
    best, kept = _crossings(found), [list(c) for c in found.columns]
    for sweep in range(_SWEEPS):
        forth = sweep % 2 == 0
        for c in range(len(found.columns)) if forth else reversed(range(len(found.columns))):
            _sort(found, c, forth, near)
        crossings = _crossings(found)
        if sweep == 0 or crossings < best:
            best, kept = crossings, [list(c) for c in found.columns]
    found.columns = kept


def _sort(found: Layers, c: int, forth: bool, near: dict[Node, list[Node]]) -> None:
    place = _places(found)
    wanted: dict[Node, float] = {}
    for n in found.columns[c]:
        side = [m for m in near[n] if m.column != c and (m.column < c) == forth] or near[n]
        same = [
            m for m in side if c in found.banded and m.column in found.banded and m.band == n.band
        ] or side
        wanted[n] = mean(place[m] for m in same) if same else place[n]
    for group in found.sisters:
        if group[0].column == c:
            middle = mean(wanted[n] - n.band / found.bands for n in group)
            wanted |= {n: middle + n.band / found.bands for n in group}
    found.columns[c].sort(key=lambda n: (n.band, wanted[n]))


def _places(found: Layers) -> dict[Node, float]:
    """Every node's place from the top, 0 to 1."""
    place = {}
    for c, column in enumerate(found.columns):
        for band in range(found.bands):
            own = [n for n in column if n.band == band]
            for i, n in enumerate(own):
                inside = (i + 0.5) / len(own)
                place[n] = (band + inside) / found.bands if c in found.banded else inside
    return place


def _crossings(found: Layers) -> int:
    """Pairs of links that cross between two columns."""
    row = {n: i for column in found.columns for i, n in enumerate(column)}
    ends: dict[int, list[tuple[int, int]]] = {}
    for k in found.links:
        if k.start and k.end and k.start.column != k.end.column:
            left, right = sorted((k.start, k.end), key=lambda n: n.column)
            ends.setdefault(k.gutter, []).append((row[left], row[right]))
    return sum(
        (a - c) * (b - d) < 0
        for pairs in ends.values()
        for i, (a, b) in enumerate(pairs)
        for c, d in pairs[:i]
    )
