"""A model as an SVG picture: compartments, flows, doses, and what of one part drives a flow of another."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from itertools import permutations
from xml.sax.saxutils import escape

from pkpd.layout import CIRCLE, HEADER, LANE, STEP, Frame, Graph, Link, Node, depths, gap_of, graph, part_of, width_of
from pkpd.layout import BOX_GAP
from pkpd.model.compose import Model
from pkpd.units import pretty

_INK, _FAINT, _DRIVE, _DOSE = "#1f2937", "#94a3b8", "#6d28d9", "#b45309"
_FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
_MARGIN, _TITLE, _GUTTER, _NARROWEST = 20, 16, 34, 640
Point = tuple[float, float]


@dataclass(eq=False)
class _Net:
    """A line from one frame to others; it enters each at a height and then follows points to arrowheads."""

    source: Frame
    y: float
    label: str
    dashed: bool
    entries: list[tuple[Frame, float, list[list[Point]]]] = field(default_factory=list)


@dataclass(eq=False)
class _Track:
    """A net's upright in one gutter, from where it comes to where it goes on."""

    net: _Net
    start: float
    ends: list[float]
    x: float = 0.0

    def span(self) -> tuple[float, float]:
        return min(self.start, *self.ends), max(self.start, *self.ends)


def diagram(model: Model) -> str:
    """A self-contained SVG drawing of a model; copies of a part, and chains, are drawn once."""
    g = graph(model)
    top = _MARGIN + 26.0
    bottom = _stack(g, top)
    nets = _nets(g)
    gutters, floor = _tracks(nets, g, bottom)
    width = _across(g, gutters)
    body = [_frame(f) for f in g.frames.values()]
    body += [_net(n, gutters, floor) for n in nets]
    body += [_link(k, f) for f in g.frames.values() for k in f.links]
    body += [_box(n, f) for f in g.frames.values() for n in f.boxes()]
    body += [_pill(n) for n in nets if n.dashed]
    foot, height = _foot(model, g, max(width, _NARROWEST), max([bottom, *floor.values()]) + 24)
    return _page(model, max(width, _NARROWEST), height, "\n".join([*body, foot]))


def _stack(g: Graph, top: float) -> float:
    """Sets each frame's column and height on the page; returns the lowest edge."""
    edges = [(part_of(d), f.part) for f in g.frames.values() for a in f.arrows for d in a.drivers]
    edges += [(a.part, b.part) for _, a, _, b in g.crossing]
    depth = depths(list(g.frames), edges)
    columns: dict[int, list[Frame]] = {}
    for f in g.frames.values():
        f.column = depth[f.part]
        columns.setdefault(f.column, []).append(f)
    tall = {c: sum(f.height + 26 for f in fs) - 26 for c, fs in columns.items()}
    for c, fs in columns.items():
        y = top + (max(tall.values()) - tall[c]) / 2
        for f in fs:
            f.y = y
            y += f.height + 26
    return top + max(tall.values())


def _nets(g: Graph) -> list[_Net]:
    """The lines between frames: one a driver, and one a flow that leaves its frame."""
    nets = []
    for f in g.frames.values():
        spots = [f.y + f.header + j * LANE for j in range(1, f.lanes)] + [f.y + f.height - 15]
        spots = sorted(sorted(spots, key=lambda y: abs(y - f.y - f.height / 2))[: len(f.gives)])
        for name, y in zip(f.gives, spots, strict=True):
            net = _Net(f, y, name.split(".", 1)[-1], True)
            for other in g.frames.values():
                net.entries += _entries(name, other)
            nets.append(net)
    for out, source, into, target in g.crossing:
        net = _Net(source, source.lane(out.lane_left), "", False)
        net.entries.append((target, target.lane(into.lane_right), []))
        nets.append(net)
    return nets


def _entries(name: str, f: Frame) -> list[tuple[Frame, float, list[list[Point]]]]:
    """Where a driver enters a frame: beside an inflow at its left edge, or over the top and down to its flows."""
    driven = [k for k in f.links if name in k.arrow.drivers and k.labelled]
    found: list[tuple[Frame, float, list[list[Point]]]] = []
    for k in driven:
        if gap_of(k) == 0:
            y = f.lane(k.lane_right)
            found.append((f, y, [[(_inflow_x(k) - CIRCLE, y)]]))
    for i, (gap, driver) in enumerate(f.drops):
        x, y = f.drops[gap, driver], f.y + f.header - STEP * (len(f.drops) - i) + 2
        if driver != name:
            continue
        lines, at = [], [(x, y)]
        for k in sorted((k for k in driven if gap_of(k) == gap), key=_lane):
            here = f.lane(_lane(k))
            line = [*at, (x, here)] + ([] if k.left else [(_inflow_x(k) - CIRCLE, here)])
            lines.append(line)
            at = [(x, here)]
        found.append((f, y, lines))
    return found


def _lane(k: Link) -> int:
    return k.lane_left if k.left else k.lane_right


def _inflow_x(k: Link) -> float:
    """The middle of an inflow's circle, from its frame's left edge."""
    return k.right.x - width_of(k.arrow.label) - 34  # type: ignore[union-attr]


def _tracks(nets: list[_Net], g: Graph, bottom: float) -> tuple[dict[int, list[_Track]], dict[int, float]]:
    """The uprights in each gutter, and the height at which nets that skip a column pass below all frames."""
    gutters: dict[int, list[_Track]] = {}
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
        gutters.setdefault(home, []).append(_Track(net, net.y, near))
        for column, ys in by_gutter.items():
            gutters.setdefault(column, []).append(_Track(net, floor[id(net)], ys))
    return {c: _sorted(tracks) for c, tracks in gutters.items()}, floor


def _sorted(tracks: list[_Track]) -> list[_Track]:
    """The order of uprights from left to right in which the fewest lines cross."""
    def cost(order: tuple[_Track, ...]) -> int:
        total = 0
        for i, a in enumerate(order):
            for b in order[i + 1:]:
                (low_a, high_a), (low_b, high_b) = a.span(), b.span()
                total += low_a < b.start < high_a
                total += sum(low_b < y < high_b for y in a.ends)
                total += 5 * sum(abs(y - b.start) < 4 for y in a.ends)
        return total

    return list(min(permutations(tracks), key=cost)) if len(tracks) <= 6 else tracks


def _across(g: Graph, gutters: dict[int, list[_Track]]) -> float:
    """Sets the x of every frame and upright; returns the width of the page."""
    x = float(_MARGIN)
    last = max(f.column for f in g.frames.values())
    for column in range(last + 2):
        tracks = gutters.get(column, [])
        wide = max((width_of(t.net.label, 11) / 2 + 8 for t in tracks if t.net.source.column == column - 1), default=0)
        for i, t in enumerate(tracks):
            t.x = x + wide + 8 + STEP * i
        x += (wide + _GUTTER + STEP * len(tracks)) if tracks else (0 if column in (0, last + 1) else _GUTTER)
        frames = [f for f in g.frames.values() if f.column == column]
        for f in frames:
            f.x = x
        x += max((f.width for f in frames), default=0)
    return x + _MARGIN


# ---- drawing

def _text(x: float, y: float, text: str, size: float = 12, anchor: str = "start", color: str = _INK,
          weight: str = "normal") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" fill="{color}" '
            f'font-weight="{weight}">{escape(text)}</text>')


def _line(points: list[Point], color: str = _INK, arrow: bool = False, dashed: bool = False) -> str:
    name = {_INK: "flow", _DRIVE: "drive", _DOSE: "dose"}[color]
    path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    more = f' marker-end="url(#pkpd-{name})"' if arrow else ""
    more += ' stroke-dasharray="5 3"' if dashed else ""
    return f'<path d="{path}" fill="none" stroke="{color}" stroke-width="1.4"{more}/>'


def _rect(x: float, y: float, w: float, h: float, fill: str, stroke: str, radius: float = 8) -> str:
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="{radius:g}" fill="{fill}" '
            f'stroke="{stroke}" stroke-width="1.4"/>')


def _frame(f: Frame) -> str:
    shades = [_rect(f.x + d, f.y + d, f.width, f.height, "#f8fafc", _FAINT, 10) for d in ((8, 4) if f.many else ())]
    label = _text(f.x + 14, f.y + 21, f.label, 14, weight="bold") if f.label else ""
    return "\n".join([*shades, _rect(f.x, f.y, f.width, f.height, "#f1f5f9", _FAINT, 10), label])


def _box(n: Node, f: Frame) -> str:
    x, y = f.x + n.x, f.lane(n.top) - (LANE - BOX_GAP) / 2
    height = n.lanes * LANE - BOX_GAP
    middle = y + height / 2
    unit = "" if pretty(n.unit) == "–" else pretty(n.unit)
    lines = [_text(x + n.width / 2, middle - (3 if unit else -5), n.label, 13, "middle", weight="bold")]
    lines += [_text(x + n.width / 2, middle + 13, unit, 11, "middle", "#475569")] if unit else []
    return f"<g><title>{escape(n.text or n.name)}</title>{_rect(x, y, n.width, height, '#ffffff', _INK)}{''.join(lines)}</g>"


def _link(k: Link, f: Frame) -> str:
    """One step of an arrow with its label, circle or syringe."""
    g, a = gap_of(k), k.arrow
    title = f"<title>{escape(a.text)}</title>"
    if k.left is None:
        return f"<g>{title}{_inflow(k, f)}</g>"
    x, y = f.x + k.left.x + (k.left.width if k.left.is_box else 0), f.lane(k.lane_left)
    if k.left.is_end:
        x = f.x
    label = _text(f.x + f.gaps[g] + 8, y - 6, a.label) if k.labelled else ""
    if k.right is None:
        end = f.x + f.gaps[g] + width_of(a.label) + 24
        return f"<g>{title}{_line([(x, y), (end - CIRCLE, y)], arrow=True)}{_circle(end, y)}{label}</g>"
    end, to = f.x + (f.width if k.right.is_end else k.right.x), f.lane(k.lane_right)
    bend = f.x + f.ins[g]
    points = [(x, y), (end, to)] if y == to else [(x, y), (bend - 36, y), (bend - 6, to), (end, to)]
    forward = a.target is k.right
    if a.target is k.left:
        points, forward = points[::-1], True
    return f"<g>{title}{_line(points, arrow=forward)}{label}</g>"


def _inflow(k: Link, f: Frame) -> str:
    x, y, end = f.x + _inflow_x(k), f.lane(k.lane_right), f.x + k.right.x  # type: ignore[union-attr]
    label = _text(x + CIRCLE + 4, y - 6, k.arrow.label, color=_DOSE if k.arrow.kind == "dose" else _INK)
    if k.arrow.kind == "dose":
        return _syringe(x, y, end) + _text(x + 8, y - 9, k.arrow.label, color=_DOSE)
    return _line([(x + CIRCLE, y), (end, y)], arrow=True) + _circle(x, y) + label


def _syringe(x: float, y: float, end: float) -> str:
    barrel = _rect(x + 2, y - 5, 26, 10, "#ffedd5", _DOSE, 1)
    return (_line([(x - 6, y - 5), (x - 6, y + 5)], _DOSE) + _line([(x - 6, y), (x + 2, y)], _DOSE) + barrel
            + _line([(x + 28, y), (end, y)], _DOSE, arrow=True))


def _circle(x: float, y: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{CIRCLE}" fill="#ffffff" stroke="{_INK}" stroke-width="1.4"/>'


def _net(net: _Net, gutters: dict[int, list[_Track]], floor: dict[int, float]) -> str:
    color = _DRIVE if net.dashed else _INK
    mine = {c: t for c, tracks in gutters.items() for t in tracks if t.net is net}
    home = mine[net.source.column + 1]
    pieces = [[(net.source.x + net.source.width, net.y), (home.x, net.y)]]
    for t in mine.values():
        low, high = t.span()
        pieces.append([(t.x, low), (t.x, high)])
        if t is not home:
            pieces.append([(home.x, floor[id(net)]), (t.x, floor[id(net)])])
    drawn = [_line(p, color, dashed=net.dashed) for p in pieces if p[0] != p[1]]
    for f, y, lines in net.entries:
        start: Point = (mine[f.column].x, y)
        moved = [[(f.x + px, py) for px, py in line] for line in lines]
        if not moved:
            drawn.append(_line([start, (f.x, y)], color, dashed=net.dashed))
        for i, line in enumerate(moved):
            drawn.append(_line([start, *line] if i == 0 else line, color, True, net.dashed))
    return "\n".join(drawn)


def _pill(net: _Net) -> str:
    wide = width_of(net.label, 11) + 12
    x = net.source.x + net.source.width
    return (_rect(x - wide / 2, net.y - 9, wide, 18, "#f5f3ff", _DRIVE, 9)
            + _text(x, net.y + 4, net.label, 11, "middle", _DRIVE))


def _foot(model: Model, g: Graph, width: float, y: float) -> tuple[str, float]:
    """The legend, and the parts that have nothing to draw; returns it with the page's height."""
    arrows = [a for f in g.frames.values() for a in f.arrows]
    items = [("box", "compartment, its unit"), ("flow", "flow"), ("outside", "outside the model")]
    items += [("dose", "dose")] if any(a.kind == "dose" for a in arrows) else []
    items += [("drive", "drives the flow of another part")] if any(a.drivers for a in arrows) else []
    items += [("copies", "copies or a chain, drawn once")] if any(f.many for f in g.frames.values()) else []
    x, drawn = float(_MARGIN), []
    for kind, text in items:
        if x + 48 + width_of(text, 11) > width - _MARGIN:
            x, y = float(_MARGIN), y + 26
        drawn.append(_sample(kind, x, y) + _text(x + 46, y + 4, text, 11))
        x += 46 + width_of(text, 11) + 22
    shown = {p for f in g.frames.values() for p in (f.part, *(part_of(a.name) for a in f.arrows))}
    silent = [p.name for p in model.parts if p.name not in shown]
    if silent:
        y += 26
        drawn.append(_text(_MARGIN, y + 4, f"No compartments or flows: {', '.join(silent)}", 11, color="#475569"))
    return "\n".join(drawn), y + 24


def _sample(kind: str, x: float, y: float) -> str:
    match kind:
        case "box":
            return _rect(x, y - 9, 38, 18, "#ffffff", _INK, 5)
        case "outside":
            return _circle(x + 19, y)
        case "dose":
            return _syringe(x + 6, y, x + 40)
        case "copies":
            return "".join(_rect(x + d, y - 9 + d, 32, 13, "#f1f5f9", _FAINT, 3) for d in (6, 3, 0))
    return _line([(x, y), (x + 38, y)], _DRIVE if kind == "drive" else _INK, True, kind == "drive")


def _page(model: Model, width: float, height: float, body: str) -> str:
    lines = textwrap.wrap(model.title or model.name, max(20, int((width - 2 * _MARGIN) / (7.9 * _TITLE / 12))))
    extra = 20 * (len(lines) - 1)
    title = "\n".join(_text(_MARGIN, 30 + 20 * i, t, _TITLE, weight="bold") for i, t in enumerate(lines))
    heads = "".join(f'<marker id="pkpd-{n}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
                    f'orient="auto" markerUnits="userSpaceOnUse"><path d="M0 1 L10 5 L0 9 z" fill="{c}"/></marker>'
                    for n, c in (("flow", _INK), ("drive", _DRIVE), ("dose", _DOSE)))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height + extra:.0f}" '
            f'viewBox="0 0 {width:.0f} {height + extra:.0f}" font-family="{_FONT}" role="img">\n'
            f"<title>{escape(model.title)}</title>\n<defs>{heads}</defs>\n"
            f'<rect width="100%" height="100%" fill="#ffffff"/>\n{title}\n'
            f'<g transform="translate(0 {extra})">\n{body}\n</g>\n</svg>\n')
