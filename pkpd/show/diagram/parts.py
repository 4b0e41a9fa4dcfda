"""What a picture of a system shows: parts as boxes of compartments, and arrows from part to part."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pkpd.content.units import pretty
from pkpd.model.expression import Tree, names_in
from pkpd.model.model import Flow, Model, Part
from pkpd.parameters.bind import line_for
from pkpd.show.diagram.columns import DRUGS, EFFECT, HOST, IMMUNE, INPUTS, LOCAL, TUMOUR
from pkpd.show.diagram.scheme import Arrow, Box, Row, Scheme, described, first_copies, own_name, part_of
from pkpd.show.text import copy_number

_ROLES = {
    "drugs": DRUGS,
    "structures": DRUGS,
    "couplings": DRUGS,
    "local": LOCAL,
    "links": EFFECT,
    "immune": IMMUNE,
    "tumours": TUMOUR,
    "host": HOST,
}
_WORDS = {
    "kill": "chemotherapy kill",
    "egfr_kill": "EGFR antibody kill",
    "occult_surveillance": "immune surveillance",
    "growth_site": "growth",
    "growth_gompertz": "Gompertz growth",
    "growth_exponential": "exponential growth",
    "neutropenia_sn38": "neutropenia",
    "sinusoidal_injury_protected": "sinusoidal injury",
    "damage_input": "damage",
}


def system_scheme(model: Model) -> Scheme:
    """Boxes and arrows of a system; couplings without compartments are labels on arrows."""
    boxes = _boxes(model)
    arrows = _arrows(model, boxes)
    _add_given(model, boxes)
    giving = {a.source for a in arrows} - {a.target for a in arrows}
    for part in model.parts:
        box = boxes.get(part.name)
        if box and not part.joins and box.name in giving and (not box.holds or _folder(part) == "links"):
            box.role = INPUTS
    return Scheme(model.title or model.name, boxes, tuple(arrows), _sites(model, boxes))


def _folder(part: Part) -> str:
    return Path(part.use).parent.name


def _boxes(model: Model) -> dict[str, Box]:
    """A box for each part that has compartments, and for each that adds no flow."""
    held = {part_of(c.name) for c in model.compartments}
    flowing = {part_of(f.name) for f in model.flows}
    boxes = {}
    for part in model.parts:
        if part.name in held or part.name not in flowing:
            rows = model.compartments if part.name in held else model.variables
            own = [r for r in first_copies(rows) if part_of(r.name) == part.name]
            copies = max((copy_number(r.name) or 1 for r in rows if part_of(r.name) == part.name), default=1)
            many = f", chain of {part.chain}" if part.chain > 1 else f" × {copies}" if copies > 1 else ""
            lines = [
                Row(
                    described(r.name, r.text),
                    pretty(r.unit),
                    getattr(r, "dose", None) is not None,
                    part.name not in held,
                )
                for r in own
            ]
            boxes[part.name] = Box(
                part.name,
                part.name.replace("_", " ") + many,
                lines,
                _use(part),
                _ROLES.get(_folder(part), ""),
                many=bool(many),
                holds=part.name in held,
            )
            if part.name in held:
                boxes[part.name].inner = _inner(model, [line_for(r.name) for r in own])
    return boxes


def _add_given(model: Model, boxes: dict[str, Box]) -> None:
    """Adds to each box what others take from its variables."""
    for v in first_copies(model.variables):
        box = boxes.get(part_of(v.name))
        if box and box.holds and line_for(v.name) in box.taken:
            box.rows.append(Row(described(v.name, v.text), pretty(v.unit), given=True))


def _use(part: Part) -> str:
    return "/".join(Path(part.use).with_suffix("").parts[-2:])


def _inner(model: Model, rows: list[str]) -> list[tuple[int, int]]:
    pairs = ((line_for(f.source), line_for(f.target)) for f in model.flows)
    return sorted({(rows.index(a), rows.index(b)) for a, b in pairs if a in rows and b in rows and a != b})


def _arrows(model: Model, boxes: dict[str, Box]) -> list[Arrow]:
    """Every arrow once for each pair of parts and kind, with all that it stands for."""
    labels: dict[tuple[str, str, str], dict[str, None]] = {}
    uses = {p.name: Path(p.use).stem for p in model.parts}
    known: dict[str, Tree] = dict.fromkeys(model.states, ("num", 0)) | {
        v.name: v.tree for v in model.variables
    }

    def add(source: str, target: str, kind: str, label: str) -> None:
        labels.setdefault((source, target, kind), {})[label] = None

    for flow in first_copies(model.flows):
        part, homes = part_of(flow.name), _homes(flow, boxes)
        told = own_name(flow.name) if part in boxes else coupling_words(uses[part])
        moved = len(homes) > 1
        if moved:
            add(homes[0], homes[1], "flow", told)
        sources = _sources(known, flow.tree, part, homes, boxes)
        for home in homes if part in boxes and not (moved and part in homes) else ():
            if home != part:
                add(part, home, "read", told)
        reader = part if part in boxes else homes[0]
        for name in sources:
            boxes[part_of(name)].taken.add(line_for(name))
            add(part_of(name), reader, "read", read_words(model, name) if part in boxes else told)
        if part not in boxes and not sources and not moved and told not in boxes[reader].notes:
            boxes[reader].notes.append(told)
    for variable in (v for v in first_copies(model.variables) if part_of(v.name) in boxes):
        for name in _sources(known, variable.tree, part_of(variable.name), (), boxes):
            boxes[part_of(name)].taken.add(line_for(name))
            add(part_of(name), part_of(variable.name), "read", read_words(model, name))
    order = {own_name(n): i for i, n in enumerate(known)}
    return [
        Arrow(*key, tuple(sorted(words, key=lambda w: order.get(w, -1)))) for key, words in labels.items()
    ]


def coupling_words(stem: str) -> str:
    """What a coupling does, in a word or two."""
    return _WORDS.get(stem, stem.replace("_", " "))


def read_words(model: Model, name: str) -> str:
    """The name of what is read; of a chain, which end."""
    chain = next((p.chain for p in model.parts if p.name == part_of(name)), 1)
    end = {1: " (first)", chain: " (last)"}.get(copy_number(name) or 0, "") if chain > 1 else ""
    return own_name(name) + end


def _homes(flow: Flow, boxes: dict[str, Box]) -> list[str]:
    """The parts whose compartments a flow changes."""
    return list(dict.fromkeys(part_of(end) for end in (flow.source, flow.target) if part_of(end) in boxes))


def _sources(
    known: dict[str, Tree], tree: Tree, reader: str, homes: Iterable[str], boxes: dict[str, Box]
) -> list[str]:
    """What an expression of `reader` takes from other boxes but `homes`, seen through its variables.

    known  states and variables, each with what it is computed from; inputs do not count
    """
    found: dict[str, str] = {}
    seen, stack = set(), list(names_in(tree))
    while stack:
        name = stack.pop()
        if name in seen or name not in known:
            continue
        seen.add(name)
        if part_of(name) == reader or part_of(name) not in boxes:
            stack += names_in(known[name])
        elif part_of(name) not in homes:
            found.setdefault(line_for(name), name)
    return sorted(found.values(), key=list(known).index)


def _sites(model: Model, boxes: dict[str, Box]) -> tuple[str, ...]:
    """Marks the boxes of each site: the first immune part of one tumour alone, that tumour, and what joins no
    other site.
    """
    joins = {p.name: {v for _, v in p.joins if v in boxes} for p in model.parts}
    tumours = {b.name for b in boxes.values() if b.role == TUMOUR and b.holds}
    immune = [b.name for b in boxes.values() if b.role == IMMUNE]
    site_of: dict[str, str] = {}
    for name in immune:
        own = joins[name] & tumours
        if len(own) == 1:
            site_of.setdefault(own.pop(), name)
    if len(site_of) < 2:
        return ()
    for tumour, site in site_of.items():
        boxes[tumour].site = boxes[site].site = site
    for name in immune:
        near = {boxes[j].site for j in joins[name] if boxes[j].site}
        if len(near) == 1 and not boxes[name].site:
            boxes[name].site = near.pop()
    return tuple(site_of.values())
