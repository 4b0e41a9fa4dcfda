"""A scheme as a picture whose size follows what it holds."""

from __future__ import annotations

from collections import Counter, defaultdict

from matplotlib.figure import Figure

from pkpd.show.diagram.layers import Layers, Link, Net, Node, layers_of
from pkpd.show.diagram.lettering import DOSE, FAINT, HEAD, INK, LINE, width_of
from pkpd.show.diagram.marks import (
    EDGE,
    PALE,
    Page,
    dot,
    head,
    legend,
    legend_height,
    legend_lines,
    line,
    page,
    panel,
    ring,
    write,
)
from pkpd.show.diagram.positions import Ports, height_at, settle
from pkpd.show.diagram.scheme import Box, Scheme
from pkpd.show.diagram.sizes import (
    ARC,
    DOSE_WIDTH,
    PAD,
    RULE,
    arcs,
    is_ruled,
    label_lines,
    margin,
    row_height,
    row_lines,
    top_of,
)
from pkpd.show.diagram.tracks import HEAD_LENGTH, STUB_PAD, Track, across, tracks_of

_NARROWEST, _SHEET, _SHADE = 430.0, 3.0, "#f1f5f9"
_COLOURS = (
    "#0b6bab",
    "#b4430a",
    "#047857",
    "#86198f",
    "#92650a",
    "#1e40af",
    "#be123c",
    "#0f766e",
    "#6d28d9",
    "#4d7c0f",
)
Colours = dict[str, str]
Lines = dict[
    tuple[Net, bool, float], list[tuple[float, float]]
]  # of each net, lying or upright, and where: their spans


def draw(scheme: Scheme) -> Figure:
    """Boxes in columns, and lines that pass through none of them."""
    g = layers_of(scheme)
    ports, bands = settle(g)
    gutters = tracks_of(g, ports)
    width = max(across(g, gutters, EDGE) + EDGE, _NARROWEST)
    foot = max([n.y + n.height for n in g.nodes()] + [t.high for ts in gutters for t in ts]) + 22
    told = legend_lines(_legend(scheme, g), width)
    sheet = page(scheme.title, width, foot + legend_height(told))
    colours = _colours(g, scheme)
    _headings(sheet, g)
    _sites(sheet, g, scheme, bands)
    lines: Lines = defaultdict(list)
    for t in (t for tracks in gutters for t in tracks):
        _track(sheet, t, ports, colours[t.net.source.name], lines)
    for k in (k for k in g.links if not k.net):
        _stub(sheet, k, ports, colours)
    for n in g.nodes():
        _node(sheet, n, g, colours, lines)
    _draw_lines(sheet, lines, colours)
    legend(sheet, told, foot)
    return sheet.figure


def _colours(g: Layers, scheme: Scheme) -> Colours:
    """A colour for each box and what leaves it, the same for sisters; a single model's compartments need
    none.
    """
    first = {b.name: group[0].name for group in scheme.sisters() for b in group}
    own = dict.fromkeys(first.get(n.box.name, n.box.name) for n in g.nodes() if n.box)
    found = {name: INK if scheme.alone else _COLOURS[i % len(_COLOURS)] for i, name in enumerate(own)}
    return {name: found[first.get(name, name)] for name in scheme.boxes}


def _headings(page: Page, g: Layers) -> None:
    for i, (column, text) in enumerate(zip(g.columns, g.headings, strict=True)):
        if i == 0 or text != g.headings[i - 1]:
            write(page, column[0].x, 6, text.upper(), color=FAINT, weight="bold")


def _sites(page: Page, g: Layers, scheme: Scheme, bands: list[tuple[float, float]]) -> None:
    """A shaded panel for each site."""
    nodes = [n for c in g.banded for n in g.columns[c]]
    for site, (y, foot) in zip(scheme.sites, bands, strict=False):
        left, right = min(n.x for n in nodes) - 5, max(n.x + n.width for n in nodes) + 8.5
        panel(page, left, y, right - left, foot - y, PALE, _SHADE, 8, 0.8, zorder=0)
        write(page, left + 5, y + 12, f"Site: {site.replace('_', ' ')}", HEAD, weight="bold")


def _track(page: Page, t: Track, ports: Ports, color: str, lines: Lines) -> None:
    """An upright and the lines that meet it, dots where it branches, arrowheads and their words."""
    if t.high - t.low > 0.5:
        lines[t.net, False, t.x].append((t.low, t.high))
    met: dict[Node, float] = {}
    for k in t.links:
        for n in k.nodes():
            y, edge = height_at(ports, k, n), n.x + n.width if n.column < k.gutter else n.x
            way = 1 if edge > t.x else -1
            ends = k.label and n is k.end
            stop = edge - way * HEAD_LENGTH * 0.8 if ends else edge
            lines[t.net, True, round(y, 2)].append((min(t.x, stop), max(t.x, stop)))
            met[n] = y
            if ends:
                head(page, edge, y, way, color)
                _words(page, k, edge - way * (HEAD_LENGTH + 2), y, "right" if way > 0 else "left", color)
    heights = list(met.values())
    for y in set(heights) if t.high - t.low > 0.5 else ():
        if t.low + 0.5 < y < t.high - 0.5 or heights.count(y) > 1:
            dot(page, t.x, y, color)


def _stub(page: Page, k: Link, ports: Ports, colours: Colours) -> None:
    """An arrow from outside, to outside, or from a part whose line is left out."""
    n = k.end or k.start
    assert n and n.box
    color = DOSE if k.kind == "dose" else colours[k.named.name] if k.named else colours[n.box.name]
    y, long = height_at(ports, k, n), max(width_of(text) for text in label_lines(k)) + STUB_PAD - 6
    solid, near = k.kind != "read", n.x if k.end else n.x + n.width
    far = near - long if k.end else near + long
    tip = near if k.end else far - 2.6
    line(page, [(min(near, far), y), (max(near, far) - HEAD_LENGTH * 0.8, y)], color, solid, gid="line")
    if k.kind != "dose":
        ring(page, far, y, color)
    head(page, tip, y, 1, color)
    _words(page, k, tip - HEAD_LENGTH - 2, y, "right", color)


def _words(page: Page, k: Link, x: float, y: float, ha: str, color: str) -> None:
    lines = label_lines(k)
    for i, text in enumerate(lines):
        write(
            page,
            x,
            y - 2.5 - LINE * (len(lines) - 1 - i),
            text,
            color=color,
            ha=ha,
            va="baseline",
            gid="label",
        )


def _draw_lines(page: Page, lines: Lines, colours: Colours) -> None:
    """Draws what touches of one line in one piece, so that its dashes stay even."""
    for (net, lying, at), spans in lines.items():
        joined: list[list[float]] = []
        for low, high in sorted(spans):
            if joined and low <= joined[-1][1] + 0.5:
                joined[-1][1] = max(joined[-1][1], high)
            else:
                joined.append([low, high])
        for low, high in joined:
            points = [(low, at), (high, at)] if lying else [(at, low), (at, high)]
            line(page, points, colours[net.source.name], net.solid, gid="line")


def _node(page: Page, n: Node, g: Layers, colours: Colours, lines: Lines) -> None:
    """A box with its words; a line that passes goes on across its column."""
    if n.box:
        _box(page, n, n.box, colours[n.box.name])
        return
    net = next((k.net for k in g.links if n in k.nodes()), None)
    if net:
        lines[net, True, round(n.y + n.height / 2, 2)].append((n.x, n.x + n.width))


def _box(page: Page, n: Node, box: Box, color: str) -> None:
    for d in (2 * _SHEET, _SHEET) if box.many else ():
        panel(page, n.x + d, n.y + d, n.width, n.height, color)
    panel(page, n.x, n.y, n.width, n.height, color, gid=f"box {box.name}")
    gid = f"in {box.name}"
    write(page, n.x + PAD, n.y + 10, box.title, HEAD, color, weight="bold", gid=gid)
    if box.use:
        write(page, n.x + PAD, n.y + 21, box.use, color=FAINT, gid=gid)
    y, left, heights = n.y + top_of(box), n.x + margin(box), []
    for i, row in enumerate(box.rows):
        if is_ruled(box, i):
            line(page, [(n.x + PAD, y + 1), (n.x + n.width - PAD, y + 1)], PALE, width=0.6)
            y += RULE
        heights.append(y + LINE / 2)
        for j, words in enumerate(row_lines(row.text)):
            write(page, left, y + LINE * (j + 0.5), words, color=FAINT if row.given else INK, gid=gid)
        write(page, n.x + n.width - PAD, heights[-1], row.unit, color=FAINT, ha="right", gid=gid)
        y += row_height(row.text)
        if row.dosed:
            head(page, n.x + PAD + DOSE_WIDTH - 4, heights[-1], 1, DOSE, 9)
    for i, note in enumerate(box.notes):
        write(page, n.x + PAD, y + LINE * (i + 0.5), note, color=FAINT, gid=gid)
    _brackets(page, box, left - 4, heights)


def _brackets(page: Page, box: Box, right: float, heights: list[float]) -> None:
    """Mass that moves from row to row, as brackets left of the rows."""
    for a, b, lane in arcs(box):
        x, way = right - ARC * (lane + 1), 2.5 if b > a else -2.5
        ya = heights[a] + way * any(d == a for _, d, _ in arcs(box))
        yb = heights[b] - way * any(c == b for c, _, _ in arcs(box))
        line(page, [(right, ya), (x, ya), (x, yb), (right - 3, yb)], INK, width=0.8)
        head(page, right + 1, yb, 1, INK, 4.5)


def _legend(scheme: Scheme, g: Layers) -> list[tuple[str, str]]:
    """What the marks that occur mean."""
    boxes, kinds = scheme.boxes.values(), {a.kind for a in scheme.arrows}
    if scheme.alone:
        items = [("box", "compartment, with its unit")]
        items += [("flow", "mass moves")] if "flow" in kinds else []
        items += (
            [("outside", "from or to outside the model")]
            if any(not k.net and k.kind == "flow" for k in g.links)
            else []
        )
        items += [("read", "the rate of the flow named depends on it, too")] if "read" in kinds else []
        return items + ([("dose", "doses go in")] if "dose" in kinds else [])
    items = [
        ("box", "part: its compartments, in grey what others take from it; units (– where there is none)")
    ]
    reads = "the second part depends on the first: on what is named, or by the process named"
    items += [("read", reads)] if "read" in kinds else []
    items += [("flow", "mass moves from part to part")] if "flow" in kinds else []
    items += [("bracket", "mass moves within a part")] if any(b.inner for b in boxes) else []
    items += [("dosed", "doses go in")] if any(r.dosed for b in boxes for r in b.rows) else []
    items += [("copies", "copies, or a chain, drawn once")] if any(b.many for b in boxes) else []
    branched = max(Counter(k.net for k in g.links if k.net and k.label).values(), default=0) > 1
    items += [("dot", "a line branches; without a dot lines only cross")] if branched else []
    return items + (
        [("named", "from the part named; its line is left out")] if any(k.named for k in g.links) else []
    )
