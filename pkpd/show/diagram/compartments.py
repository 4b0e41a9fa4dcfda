"""What a picture of a single model shows: its compartments, the flows between them and to
outside, and doses.
"""

from __future__ import annotations

from pkpd.content.units import pretty
from pkpd.model.expression import Tree, names_in
from pkpd.model.model import Model
from pkpd.show.diagram.scheme import Arrow, Box, Row, Scheme, own_name


def model_scheme(model: Model) -> Scheme:
    """A box for each compartment and an arrow for each flow."""
    boxes = {c.name: Box(c.name, own_name(c.name), [Row(c.text, pretty(c.unit))]) for c in model.compartments}
    arrows = [Arrow("", c.name, "dose", ("dose",)) for c in model.compartments if c.dose is not None]
    for f in model.flows:
        label = own_name(f.name)
        arrows.append(Arrow(f.source, f.target, "flow", (label,)))
        moved = f.source or f.target
        arrows += [
            Arrow(s, moved, "read", (label,)) for s in _states(model, f.tree) if s not in (f.source, f.target)
        ]
    return Scheme(model.title or model.name, boxes, tuple(arrows), alone=True)


def _states(model: Model, tree: Tree) -> list[str]:
    """The compartments that an expression depends on, seen through variables."""
    trees = {v.name: v.tree for v in model.variables}
    seen: set[str] = set()
    stack = list(names_in(tree))
    while stack:
        name = stack.pop()
        if name not in seen:
            seen.add(name)
            stack += names_in(trees[name]) if name in trees else ()
    return [s for s in model.states if s in seen]
