"""A model as an SVG picture: compartments, flows, doses, and what of one part drives a flow of another."""

from __future__ import annotations

import textwrap
from xml.sax.saxutils import escape

from pkpd.diagram.graph import LANE, Frame, Graph, Link, Node, part_of, width_of
from pkpd.diagram.lanes import arrange, gap_of
from pkpd.diagram.routes import CIRCLE, MARGIN, Net, Point, Track, across, inflow_x, nets_of, stack, tracks_of
from pkpd.model.schema import Model
from pkpd.units import pretty

_INK, _FAINT, _DRIVE, _DOSE = "#1f2937", "#94a3b8", "#6d28d9", "#b45309"
_FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
_TITLE, _NARROWEST, _BOX_GAP = 16, 640, 12


def diagram(model: Model) -> str:
    """A self-contained SVG drawing of a model; copies of a part, and chains, are drawn once."""
    g = arrange(model)
    top = MARGIN + 26.0
    bottom = stack(g, top)
    nets = nets_of(g)
    gutters, floor = tracks_of(nets, g, bottom)
    width = across(g, gutters)
    body = [_frame(f) for f in g.frames.values()]
    body += [_net(n, gutters, floor) for n in nets]
    body += [_link(k, f) for f in g.frames.values() for k in f.links]
    body += [_box(n, f) for f in g.frames.values() for n in f.boxes()]
    body += [_pill(n) for n in nets if n.dashed]
    foot, height = _foot(model, g, max(width, _NARROWEST), max([bottom, *floor.values()]) + 24)
    return _page(model, max(width, _NARROWEST), height, "\n".join([*body, foot]))


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
    sheets = [_rect(f.x + d, f.y + d, f.width, f.height, "#f1f5f9", _FAINT, 10) for d in (8, 4, 0)]
    label = _text(f.x + 14, f.y + 21, f.label, 14, weight="bold") if f.label else ""
    return "\n".join([*(sheets if f.many else sheets[-1:]), label])


def _box(n: Node, f: Frame) -> str:
    x, y = f.x + n.x, f.lane(n.top) - (LANE - _BOX_GAP) / 2
    height = n.lanes * LANE - _BOX_GAP
    middle = y + height / 2
    unit = "" if pretty(n.unit) == "–" else pretty(n.unit)
    lines = [_text(x + n.width / 2, middle - (3 if unit else -5), n.label, 13, "middle", weight="bold")]
    lines += [_text(x + n.width / 2, middle + 13, unit, 11, "middle", "#475569")] if unit else []
    rect = _rect(x, y, n.width, height, "#ffffff", _INK)
    return f"<g><title>{escape(n.text or n.name)}</title>{rect}{''.join(lines)}</g>"


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
    x, y, end = f.x + inflow_x(k), f.lane(k.lane_right), f.x + k.right.x  # type: ignore[union-attr]
    label = _text(x + CIRCLE + 4, y - 6, k.arrow.label, color=_DOSE if k.arrow.kind == "dose" else _INK)
    if k.arrow.kind == "dose":
        return _syringe(x, y, end) + _text(x + 8, y - 9, k.arrow.label, color=_DOSE)
    return _line([(x + CIRCLE, y), (end, y)], arrow=True) + _circle(x, y) + label


def _syringe(x: float, y: float, end: float) -> str:
    barrel = _rect(x + 2, y - 5, 26, 10, "#ffedd5", _DOSE, 1)
    return (_line([(x - 6, y - 5), (x - 6, y + 5)], _DOSE) + _line([(x - 6, y), (x + 2, y)], _DOSE) + barrel
            + _line([(x + 28, y), (end, y)], _DOSE, arrow=True))


def _circle(x: float, y: float) -> str:
    return (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{CIRCLE}" fill="#ffffff" '
            f'stroke="{_INK}" stroke-width="1.4"/>')


def _net(net: Net, gutters: dict[int, list[Track]], floor: dict[int, float]) -> str:
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
        if any(t.x < start[0] and y in t.ends for t in gutters[f.column]):
            continue  # joins the line of another net, which is drawn already
        moved = [[(f.x + px, py) for px, py in line] for line in lines]
        if not moved:
            drawn.append(_line([start, (f.x, y)], color, dashed=net.dashed))
        for i, line in enumerate(moved):
            drawn.append(_line([start, *line] if i == 0 else line, color, True, net.dashed))
    return "\n".join(drawn)


def _pill(net: Net) -> str:
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
    x, drawn = float(MARGIN), []
    for kind, text in items:
        if x + 48 + width_of(text, 11) > width - MARGIN:
            x, y = float(MARGIN), y + 26
        drawn.append(_sample(kind, x, y) + _text(x + 46, y + 4, text, 11))
        x += 46 + width_of(text, 11) + 22
    shown = {p for f in g.frames.values() for p in (f.part, *(part_of(a.name) for a in f.arrows))}
    silent = [p.name for p in model.parts if p.name not in shown]
    if silent:
        y += 26
        line = f"No compartments or flows: {', '.join(silent)}"
        drawn.append(_text(MARGIN, y + 4, line, 11, color="#475569"))
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
    lines = textwrap.wrap(model.title or model.name, max(20, int((width - 2 * MARGIN) / (7.9 * _TITLE / 12))))
    extra = 20 * (len(lines) - 1)
    title = "\n".join(_text(MARGIN, 30 + 20 * i, t, _TITLE, weight="bold") for i, t in enumerate(lines))
    heads = "".join(f'<marker id="pkpd-{n}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
                    'markerHeight="8" orient="auto" markerUnits="userSpaceOnUse">'
                    f'<path d="M0 1 L10 5 L0 9 z" fill="{c}"/></marker>'
                    for n, c in (("flow", _INK), ("drive", _DRIVE), ("dose", _DOSE)))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height + extra:.0f}" '
            f'viewBox="0 0 {width:.0f} {height + extra:.0f}" font-family="{_FONT}" role="img">\n'
            f"<title>{escape(model.title)}</title>\n<defs>{heads}</defs>\n"
            f'<rect width="100%" height="100%" fill="#ffffff"/>\n{title}\n'
            f'<g transform="translate(0 {extra})">\n{body}\n</g>\n</svg>\n')
