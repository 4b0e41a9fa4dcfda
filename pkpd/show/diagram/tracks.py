"""Lines in the gutters between columns: an upright for each net, in the order in which the fewest lines
cross.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from pkpd.show.diagram.layers import Layers, Link, Net, Node
from pkpd.show.diagram.lettering import widest
from pkpd.show.diagram.positions import Ports, height_at
from pkpd.show.diagram.sizes import label_lines

STEP, HEAD_LENGTH, STUB_PAD = (
    6.0,
    7.0,
    20.0,
)  # points: between uprights, an arrowhead, a stub beyond its words
_STUB, _CLOSE, _LABEL_PAD = 10.0, 4.0, 13.0


@dataclass(eq=False)
class Track:
    """A net's upright in one gutter: heights at which lines meet it from the left and from the right, and its
    x.
    """

    net: Net
    links: list[Link] = field(default_factory=list)
    left: set[float] = field(default_factory=set)
    right: set[float] = field(default_factory=set)
    x: float = 0.0

    @property
    def low(self) -> float:
        return min(self.left | self.right)

    @property
    def high(self) -> float:
        return max(self.left | self.right)


def tracks_of(g: Layers, ports: Ports) -> list[list[Track]]:
    """The uprights of each gutter, from left to right."""
    found: list[dict[tuple[Net, Node], Track]] = [{} for _ in range(len(g.columns) + 1)]
    for k in g.links:
        if k.net and k.start:
            track = found[k.gutter].setdefault((k.net, k.start), Track(k.net))
            track.links.append(k)
            for n in k.nodes():
                (track.right if n.column == k.gutter else track.left).add(height_at(ports, k, n))
    return [_sifted(list(tracks.values())) for tracks in found]


def _cost(a: Track, b: Track) -> float:
    """Crossings with a left of b; lines that would lie on one another count for many."""
    crossed = sum(a.low < y < a.high for y in b.left) + sum(b.low < y < b.high for y in a.right)
    return crossed + 20 * sum(abs(y - z) < _CLOSE for y in a.right for z in b.left)


def _sifted(tracks: list[Track]) -> list[Track]:
    """Moves each upright to where it costs least, until none moves."""
    cost = {(a, b): _cost(a, b) for a in tracks for b in tracks if a is not b}
    for _ in range(8):
        before = list(tracks)
        for t in before:
            rest = [o for o in tracks if o is not t]
            total = sum(cost[t, o] for o in rest)
            best, at = total, 0
            for i, o in enumerate(rest, 1):
                total += cost[o, t] - cost[t, o]
                if total < best:
                    best, at = total, i
            tracks = [*rest[:at], t, *rest[at:]]
        if tracks == before:
            break
    return tracks


def across(g: Layers, gutters: list[list[Track]], left: float) -> float:
    """Sets the x of every node and upright; returns the right edge."""
    x = left
    for c, tracks in enumerate(gutters):
        lanes = _lanes(tracks)
        x += _label_room(g, c, "left") if c > 0 else 0
        for t, lane in lanes.items():
            t.x = x + STEP * lane
        x += STEP * max(lanes.values(), default=0)
        x += _label_room(g, c, "right") if c < len(g.columns) else 0
        for n in g.columns[c] if c < len(g.columns) else ():
            n.x = x
        x += g.columns[c][0].width if c < len(g.columns) else 0
    return x


def _label_room(g: Layers, gutter: int, side: str) -> float:
    """Room beside the uprights for the words of the arrows that end on one side."""
    here = [k for k in g.links if k.gutter == gutter]
    if not here and gutter in (0, len(g.columns)):
        return 0.0
    ends = [
        k
        for k in here
        if k.label and ((k.end or k.start).column == gutter) == (side == "right")  # type: ignore[union-attr]
    ]
    return max([_STUB, *(widest(label_lines(k)) + (_LABEL_PAD if k.net else STUB_PAD) for k in ends)])


def _lanes(tracks: list[Track]) -> dict[Track, int]:
    """The lane of each upright: right of those before it that it would touch."""
    lanes: dict[Track, int] = defaultdict(int)
    for i, t in enumerate(tracks):
        near = [o for o in tracks[:i] if o.low - STEP < t.high and t.low - STEP < o.high]
        lanes[t] = max((lanes[o] + 1 for o in near), default=0)
    return lanes
