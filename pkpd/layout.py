"""Where the compartments and flows of a model go on paper: parts as frames, each a grid of columns and lanes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pkpd.model.compose import Model
from pkpd.model.expression import names_in
from pkpd.model.schema import Compartment, Flow
from pkpd.parameters import line_for
from pkpd.words import copy_number, write

LANE, BOX_GAP, HEADER, CIRCLE, STEP = 52, 12, 34, 5, 12  # pixels: lane height, between boxes, frame label, ...
_CHARACTER = 7.4


@dataclass(eq=False)
class Node:
    """A compartment's box, or a bend or end of an arrow that passes its column."""

    name: str
    label: str = ""
    unit: str = ""
    text: str = ""
    column: int = 0
    order: float = 0.0
    top: int = 0
    lanes: int = 1
    x: float = 0.0
    width: float = 0.0

    is_end: bool = False

    @property
    def is_box(self) -> bool:
        return bool(self.label)


@dataclass(eq=False)
class Arrow:
    """A flow or dose; an end that is None lies outside. `drivers` are names of other parts in its rate."""

    name: str
    label: str
    text: str
    source: Node | None
    target: Node | None
    kind: str = "flow"
    drivers: tuple[str, ...] = ()


@dataclass(eq=False)
class Link:
    """One step of an arrow, across one gap: from a node (or outside) to a node (or outside)."""

    arrow: Arrow
    left: Node | None
    right: Node | None
    lane_left: int = -1
    lane_right: int = -1
    labelled: bool = True


@dataclass(eq=False)
class Frame:
    """A part: its boxes and arrows, and the size they take."""

    part: str
    label: str
    many: bool
    nodes: list[Node] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    gives: list[str] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)  # where each gap begins, and where its inflows begin
    ins: list[float] = field(default_factory=list)
    drops: dict[tuple[int, str], float] = field(default_factory=dict)
    lanes: int = 1
    column: int = 0
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0

    @property
    def header(self) -> float:
        return (HEADER if self.label else 14) + STEP * len(self.drops)

    @property
    def height(self) -> float:
        return self.header + self.lanes * LANE + (16 if self.gives else 6)

    def lane(self, n: float) -> float:
        """The middle of a lane."""
        return self.y + self.header + (n + 0.5) * LANE

    def boxes(self) -> list[Node]:
        return [n for n in self.nodes if n.is_box]


@dataclass(eq=False)
class Graph:
    """All frames, and the arrows from one to another as (leaving, arriving)."""

    frames: dict[str, Frame]
    crossing: list[tuple[Link, Frame, Link, Frame]]


def width_of(text: str, size: float = 12) -> float:
    return len(text) * _CHARACTER * size / 12


def graph(model: Model) -> Graph:
    """The frames of a model with everything in them placed, relative to each frame's corner."""
    frames = _frames(model)
    halves = [h for h in (_add_flow(model, f, frames) for f in _first_copies(model.flows)) if h]
    for frame in frames.values():
        _columns(frame)
        _links(frame, {id(a) for pair in halves for a in pair})
        _order(frame)
        _place(frame)
    for name in dict.fromkeys(d for f in frames.values() for a in f.arrows for d in a.drivers):
        frames[part_of(name)].gives.append(name)
    for frame in frames.values():
        _widths(frame)
    ends = {id(k.arrow): (k, f) for f in frames.values() for k in f.links
            for n in (k.left, k.right) if n and n.is_end}
    return Graph(frames, [(*ends[id(a)], *ends[id(b)]) for a, b in halves])


def part_of(name: str) -> str:
    return name.split(".")[0] if "." in name else ""


def _own(name: str) -> str:
    return line_for(name).split(".", 1)[-1]


def _first_copies(rows: Iterable) -> list:
    return list({line_for(r.name): r for r in reversed(list(rows))}.values())[::-1]


def _frames(model: Model) -> dict[str, Frame]:
    chains = {p.name: p.chain for p in model.parts if p.chain > 1}
    frames: dict[str, Frame] = {}
    for c in _first_copies(model.compartments):
        part = part_of(c.name)
        copies = max(copy_number(other) or 1 for other in model.states if part_of(other) == part)
        many = f", chain of {chains[part]}" if part in chains else f" ×{copies}" if copies > 1 else ""
        frame = frames.setdefault(part, Frame(part, part + many, bool(many)))
        box = Node(line_for(c.name), _own(c.name), c.unit, c.text)
        frame.nodes.append(box)
        if c.dose is not None:
            frame.arrows.append(Arrow(f"{box.name} dose", "dose", _dose_text(c), None, box, "dose"))
    return frames


def _dose_text(c: Compartment) -> str:
    names = c.dose.names() if c.dose else ()
    return f"doses go to {c.name}" + (f" ({', '.join(map(_own, names))})" if names else "")


def _add_flow(model: Model, flow: Flow, frames: dict[str, Frame]) -> tuple[Arrow, Arrow] | None:
    """Adds a flow's arrow to its frame; one between two frames is two arrows, which are returned."""
    boxes = {n.name: n for f in frames.values() for n in f.nodes}
    source, target = boxes.get(line_for(flow.source)), boxes.get(line_for(flow.target))
    label = _label(flow, source, target)
    if source is target:
        target, label = None, f"{label} to next"
    homes = {part_of(e.name) for e in (source, target) if e}
    drivers = _drivers(model, flow, homes, frames)
    text = f"{line_for(flow.name)} = {write(flow.tree, line_for)}" + (f"; {flow.text}" if flow.text else "")
    if len(homes) == 2 and source and target:
        out = Arrow(flow.name, label, text, source, None, drivers=drivers)
        into = Arrow(flow.name, "", text, None, target)
        frames[part_of(source.name)].arrows.append(out)
        frames[part_of(target.name)].arrows.append(into)
        return out, into
    frames[homes.pop()].arrows.append(Arrow(flow.name, label, text, source, target, drivers=drivers))
    return None


def _label(flow: Flow, source: Node | None, target: Node | None) -> str:
    """A flow's name; with its part where a coupling adds it, which alone says enough at the box it is named for."""
    part, own = part_of(flow.name), _own(flow.name)
    ends = [e for e in (source, target) if e]
    if part in {part_of(e.name) for e in ends}:
        return own
    return part if own in {e.label for e in ends} else f"{part}.{own}"


def _drivers(model: Model, flow: Flow, homes: set[str], frames: dict[str, Frame]) -> tuple[str, ...]:
    """What the rate takes from other frames, seen through the variables on the way."""
    trees = {v.name: v.tree for v in model.variables}
    inputs, found, seen = set(model.inputs), {}, set()
    stack = sorted(names_in(flow.tree), reverse=True)
    while stack:
        name = stack.pop()
        if name in seen or name in inputs:
            continue
        seen.add(name)
        if part_of(name) in frames and part_of(name) not in homes:
            found[line_for(name)] = None
        elif name in trees:
            stack += sorted(names_in(trees[name]), reverse=True)
    return tuple(found)


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
        ends = [a.source, a.target]
        if id(a) in halves:
            side = 0 if a.source is None else 1
            ends[side] = Node(a.name, column=0 if side == 0 else last, is_end=True)
            frame.nodes.append(ends[side])  # type: ignore[arg-type]
        if ends[0] is None or ends[1] is None:
            frame.links.append(Link(a, *ends))
            continue
        way = sorted(ends, key=lambda n: n.column)  # type: ignore[union-attr]
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
    """Gives each node its lanes from the top, and each arrow its lane at either end, level where it can be."""
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
    frame.lanes = max(frame.lanes, len(frame.gives) - 1)
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
