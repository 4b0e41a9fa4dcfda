"""What a picture of a model shows: parts as frames, compartments as boxes, flows and doses as arrows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pkpd.model.expression import names_in
from pkpd.model.schema import Compartment, Flow, Model
from pkpd.parameters import line_for
from pkpd.words import copy_number, write

LANE, HEADER, STEP = 52, 34, 12  # pixels: a lane, a frame's label, between lines that run side by side
_CHARACTER = 7.4  # of 12 pixels; generous, as fonts differ


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
        return self.header + self.lanes * LANE + (24 if len(self.gives) >= self.lanes else 6)

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


def frames_of(model: Model) -> tuple[dict[str, Frame], list[tuple[Arrow, Arrow]]]:
    """The frames by part, and the flows between two frames as pairs of arrows: one leaves, one arrives."""
    frames = _frames(model)
    halves = [_add_flow(model, f, frames) for f in _first_copies(model.flows)]
    for name in dict.fromkeys(d for f in frames.values() for a in f.arrows for d in a.drivers):
        frames[part_of(name)].gives.append(name)
    return frames, [h for h in halves if h]


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
    """A flow's name, or that of its part where a coupling names its flows after the boxes they touch."""
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
            found[line_for(name) + _end_of_chain(model, name)] = None
        elif name in trees:
            stack += sorted(names_in(trees[name]), reverse=True)
    return tuple(found)


def _end_of_chain(model: Model, name: str) -> str:
    chain = next((p.chain for p in model.parts if p.name == part_of(name)), 1)
    return "" if chain == 1 else {1: " (first)", chain: " (last)"}.get(copy_number(name) or 0, "")
