"""Where frames go on the page, and the lines between them: along gutters, never through a box."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import permutations

from pkpd.diagram.graph import LANE, STEP, Frame, Graph, Link, part_of, width_of
from pkpd.diagram.lanes import depths, gap_of

MARGIN, CIRCLE = 20, 5
_GUTTER, _BETWEEN = 34, 28
Point = tuple[float, float]


@dataclass(eq=False)
class Net:
    """A line from one frame to others; it enters each at a height and then follows points to arrowheads."""

    source: Frame
    y: float
    label: str
    dashed: bool
    entries: list[tuple[Frame, float, list[list[Point]]]] = field(default_factory=list)


@dataclass(eq=False)
class Track:
    """A net's upright in one gutter, from where it comes to where it goes on."""

    net: Net
    start: float
    ends: list[float]
    x: float = 0.0

    def span(self) -> tuple[float, float]:
        return min(self.start, *self.ends), max(self.start, *self.ends)


def stack(g: Graph, top: float) -> float:
    """Sets each frame's column and height on the page; returns the lowest edge."""
    edges = [(part_of(d), f.part) for f in g.frames.values() for a in f.arrows for d in a.drivers]
    edges += [(a.part, b.part) for _, a, _, b in g.crossing]
    depth = depths(list(g.frames), edges)
    columns: dict[int, list[Frame]] = {}
    for f in g.frames.values():
        f.column = depth[f.part]
        columns.setdefault(f.column, []).append(f)
    tall = {c: sum(f.height + _BETWEEN for f in fs) - _BETWEEN for c, fs in columns.items()}
    for c, fs in columns.items():
        y = top + (max(tall.values()) - tall[c]) / 2
        for f in fs:
            f.y = y
            y += f.height + _BETWEEN
    return top + max(tall.values())


def nets_of(g: Graph) -> list[Net]:
    """The lines between frames: one a driver, and one a flow that leaves its frame."""
    nets = []
    for f in g.frames.values():
        spots = [f.y + f.header + j * LANE for j in range(1, f.lanes)] + [f.y + f.height - 21]
        spots = sorted(sorted(spots, key=lambda y: abs(y - f.y - f.height / 2))[: len(f.gives)])
        for name, y in zip(f.gives, spots, strict=True):
            net = Net(f, y, name.split(".", 1)[-1], True)
            for other in g.frames.values():
                net.entries += _entries(name, other)
            nets.append(net)
    for out, source, into, target in g.crossing:
        net = Net(source, source.lane(out.lane_right), "", False)
        net.entries.append((target, target.lane(into.lane_left), []))
        nets.append(net)
    return nets


def _entries(name: str, f: Frame) -> list[tuple[Frame, float, list[list[Point]]]]:
    """Where a driver enters a frame: at an inflow on its left edge, or over the top and down to its flows."""
    driven = [k for k in f.links if name in k.arrow.drivers and k.labelled]
    found: list[tuple[Frame, float, list[list[Point]]]] = []
    for k in driven:
        if gap_of(k) == 0:
            y = f.lane(k.lane_right)
            found.append((f, y, [[(inflow_x(k) - CIRCLE, y)]]))
    for i, (gap, driver) in enumerate(f.drops):
        x, y = f.drops[gap, driver], f.y + f.header - STEP * (len(f.drops) - i) + 2
        if driver != name:
            continue
        lines, at = [], [(x, y)]
        for k in sorted((k for k in driven if gap_of(k) == gap), key=_lane):
            here = f.lane(_lane(k))
            line = [*at, (x, here)] + ([] if k.left else [(inflow_x(k) - CIRCLE, here)])
            lines.append(line)
            at = [(x, here)]
        found.append((f, y, lines))
    return found


def _lane(k: Link) -> int:
    return k.lane_left if k.left else k.lane_right


def inflow_x(k: Link) -> float:
    """The middle of an inflow's circle, from its frame's left edge."""
    return k.right.x - width_of(k.arrow.label) - 34  # type: ignore[union-attr]


def tracks_of(nets: list[Net], g: Graph, bottom: float) -> tuple[dict[int, list[Track]], dict[int, float]]:
    """The uprights in each gutter, and the height at which nets that skip a column pass below all frames."""
    gutters: dict[int, list[Track]] = {}
    floor: dict[int, float] = {}
    for net in nets:
        home = net.source.column + 1
        by_gutter: dict[int, list[float]] = {}
        for f, y, _ in net.entries:
            by_gutter.setdefault(f.column, []).append(y)
        near = by_gutter.pop(home, [])
        if by_gutter:
            floor[id(net)] = bottom + 14 + STEP * len(floor)
            near.append(floor[id(net)])
        gutters.setdefault(home, []).append(Track(net, net.y, near))
        for column, ys in by_gutter.items():
            gutters.setdefault(column, []).append(Track(net, floor[id(net)], ys))
    return {c: _sorted(tracks) for c, tracks in gutters.items()}, floor


def _sorted(tracks: list[Track]) -> list[Track]:
    """The order of uprights from left to right in which the fewest lines cross."""
    def cost(order: tuple[Track, ...]) -> int:
        total = 0
        for i, a in enumerate(order):
            for b in order[i + 1:]:
                (low_a, high_a), (low_b, high_b) = a.span(), b.span()
                total += low_a < b.start < high_a
                total += sum(low_b < y < high_b for y in a.ends)
                total += 5 * sum(abs(y - b.start) < 4 for y in a.ends)
        return total

    return list(min(permutations(tracks), key=cost)) if len(tracks) <= 6 else tracks


def across(g: Graph, gutters: dict[int, list[Track]]) -> float:
    """Sets the x of every frame and upright; returns the width of the page."""
    x = float(MARGIN)
    last = max(f.column for f in g.frames.values())
    for column in range(last + 2):
        tracks = gutters.get(column, [])
        pills = [t.net.label for t in tracks if t.net.source.column == column - 1 and t.net.label]
        wide = max((width_of(label, 11) / 2 + 8 for label in pills), default=0)
        for i, t in enumerate(tracks):
            t.x = x + wide + 8 + STEP * i
        x += (wide + _GUTTER + STEP * len(tracks)) if tracks else (0 if column in (0, last + 1) else _GUTTER)
        frames = [f for f in g.frames.values() if f.column == column]
        widest = max((f.width for f in frames), default=0.0)
        for f in frames:
            f.x, f.width = x, widest
        x += widest
    return x + MARGIN
