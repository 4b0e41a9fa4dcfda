"""Where boxes and arrows go within each frame: compartments in columns, each arrow in a lane of its own."""

from __future__ import annotations

from collections.abc import Callable

from pkpd.diagram.graph import STEP, Frame, Graph, Link, Node, frames_of, width_of
from pkpd.model.schema import Model


def arrange(model: Model) -> Graph:
    """The frames of a model with everything in them placed, relative to each frame's corner."""
    frames, halves = frames_of(model)
    for frame in frames.values():
        _columns(frame)
        _links(frame, {id(a) for pair in halves for a in pair})
        _order(frame)
        _place(frame)
        _widths(frame)
    ends = {id(k.arrow): (k, f) for f in frames.values() for k in f.links
            for n in (k.left, k.right) if n and n.is_end}
    return Graph(frames, [(*ends[id(a)], *ends[id(b)]) for a, b in halves])


def depths(names: list, edges: list[tuple]) -> dict:
    """The longest way to each node, edges that close a circle left out."""
    after = {n: [b for a, b in edges if a == n and b != n] for n in names}
    kept: list[tuple] = []
    state: dict = {}

    def visit(n) -> None:
        state[n] = 1
        for b in after[n]:
            if state.get(b) != 1:
                kept.append((n, b))
                if b not in state:
                    visit(b)
        state[n] = 2

    for n in names:
        if n not in state:
            visit(n)
    depth = dict.fromkeys(names, 0)
    for _ in names:
        for a, b in kept:
            depth[b] = max(depth[b], depth[a] + 1)
    return depth


def _columns(frame: Frame) -> None:
    inner = [(a.source.name, a.target.name) for a in frame.arrows if a.source and a.target]
    depth = depths([n.name for n in frame.nodes], inner)
    for i, n in enumerate(frame.nodes):
        n.column, n.order = depth[n.name], i


def _links(frame: Frame, halves: set[int]) -> None:
    """Cuts each arrow into steps of one gap, with a bend in each column that it passes."""
    last = max(n.column for n in frame.nodes) + 1
    if any(id(a) in halves and a.source is None for a in frame.arrows):
        for n in frame.nodes:
            n.column += 1
        last += 1
    for a in frame.arrows:
        source, target = a.source, a.target
        if id(a) in halves:
            end = Node(a.name, column=last if source else 0, is_end=True)
            frame.nodes.append(end)
            source, target = source or end, target or end
        if source is None or target is None:
            frame.links.append(Link(a, source, target))
            continue
        way = sorted((source, target), key=lambda n: n.column)
        bends = [Node(f"{a.name} {k}", column=k) for k in range(way[0].column + 1, way[1].column)]
        frame.nodes += bends
        stops = [way[0], *bends, way[1]]
        frame.links += [Link(a, p, q, labelled=p is way[0]) for p, q in zip(stops, stops[1:], strict=False)]


def _order(frame: Frame) -> None:
    """Orders each column by its neighbours on the left, so that few arrows cross."""
    for column in range(max(n.column for n in frame.nodes) + 1):
        here = [n for n in frame.nodes if n.column == column]
        for n in here:
            near = [k.left.order for k in frame.links if k.right is n and k.left]
            n.order = sum(near) / len(near) if near else n.order
        for i, n in enumerate(sorted(here, key=lambda n: n.order)):
            n.order = i


def _place(frame: Frame) -> None:
    """Gives each node its lanes from the top, and each arrow its lane at either end, level where possible."""
    for column in range(max(n.column for n in frame.nodes) + 1):
        cursor = 0
        for n in sorted((n for n in frame.nodes if n.column == column), key=lambda n: n.order):
            ins = [k for k in frame.links if k.right is n]
            outs = [k for k in frame.links if k.left is n]
            n.lanes = max(1, len(ins), len(outs))
            n.top = max(cursor, min((k.lane_left for k in ins if k.left), default=cursor))
            cursor = n.top + n.lanes
            _ports_left(n, ins)
            outs.sort(key=lambda k: k.right.order if k.right else 1e9)
            first = n.top + (n.lanes - len(outs)) // 2
            for i, k in enumerate(outs):
                k.lane_left = first + i
        frame.lanes = max(frame.lanes, cursor)
    for k in frame.links:  # the column of an end holds ends only, so that any lane there is free
        if k.left and k.left.is_end:
            k.lane_left = k.lane_right
        if k.right and k.right.is_end:
            k.lane_right = k.lane_left


def _ports_left(n: Node, ins: list[Link]) -> None:
    free = list(range(n.top, n.top + n.lanes))
    level = sorted((k for k in ins if k.left), key=lambda k: k.lane_left)
    for i, k in enumerate(level):
        room = free[: len(free) - (len(level) - 1 - i)]
        k.lane_right = next((lane for lane in room if lane >= k.lane_left), room[-1])
        free = [lane for lane in free if lane > k.lane_right] if len(level) > i + 1 else free
    taken = {k.lane_right for k in level}
    middle = n.top + (n.lanes - 1) / 2
    left = sorted((x for x in range(n.top, n.top + n.lanes) if x not in taken), key=lambda x: abs(x - middle))
    outside = [k for k in ins if not k.left]
    for k, lane in zip(outside, sorted(left[: len(outside)]), strict=True):
        k.lane_right = lane


def gap_of(link: Link) -> int:
    """The gap that a step crosses: gap g lies left of column g."""
    return link.left.column + 1 if link.left else link.right.column  # type: ignore[union-attr]


def _widths(frame: Frame) -> None:
    """The x of each gap and column, and the frame's width."""
    count = max(n.column for n in frame.nodes) + 1
    for link in frame.links:
        for d in link.arrow.drivers if link.labelled else ():
            if gap_of(link) > 0:
                frame.drops.setdefault((gap_of(link), d), 0.0)
    frame.lanes = max(frame.lanes, len(frame.gives))
    x = 0.0
    for g in range(count + 1):
        here = [k for k in frame.links if gap_of(k) == g]
        x = _gap(frame, g, here, x, g == count)
        for n in frame.nodes:
            if n.column == g:
                n.x = x
        boxes = [n for n in frame.nodes if n.column == g and n.is_box]
        wide = max((max(width_of(n.label, 13) + 26, 84) for n in boxes), default=0)
        for n in frame.nodes:
            n.width = wide if n.column == g else n.width
        x += wide
    frame.width = max(x, width_of(frame.label, 14) + 30)


def _gap(frame: Frame, g: int, here: list[Link], x: float, last: bool) -> float:
    """Lays out one gap: drops of drivers, what leaves the left column, bends, what comes from outside."""
    frame.gaps.append(x)
    dropped = [key for key in frame.drops if key[0] == g]
    for i, key in enumerate(dropped):
        frame.drops[key] = x + 14 + STEP * i
    start = x + (12 + STEP * len(dropped) if dropped else 0)
    frame.gaps[-1] = start

    def widest(rows: Callable[[Link], bool], more: float) -> float:
        return max((width_of(k.arrow.label) + more for k in here if rows(k)), default=0.0)

    outs = max(widest(lambda k: bool(k.left and k.right), 40), widest(lambda k: k.right is None, 44))
    bends = 36 if any(k.left and k.right and k.lane_left != k.lane_right for k in here) else 0
    frame.ins.append(start + outs + bends)
    end = start + outs + bends + widest(lambda k: k.left is None, 50)
    least = 16 if g == 0 or last else 40
    if last and frame.gives:
        least = max(width_of(n.split(".")[-1], 11) / 2 + 16 for n in frame.gives)
    return max(end, x + least)
