"""Which box stands in which column: by role, and where boxes of one role lead to one another, by how far
along they lie.
"""

from __future__ import annotations

from pkpd.show.diagram.scheme import Box, Scheme

INPUTS, DRUGS, LOCAL, EFFECT, IMMUNE, TUMOUR, HOST = (
    "Inputs",
    "Drugs",
    "Local treatment",
    "Drug effect",
    "Immune system",
    "Tumour",
    "Host",
)
_GROUPS = ((INPUTS, DRUGS, LOCAL), ("",), (EFFECT,), (IMMUNE,), (TUMOUR,), (HOST,))


def columns_of(scheme: Scheme) -> list[tuple[str, list[Box]]]:
    """The boxes of each column with its heading, from left to right."""
    found = []
    for roles in _GROUPS:
        boxes = [b for b in scheme.boxes.values() if b.role in roles]
        depth = (
            _around(scheme, boxes) if {b.name for b in boxes} & set(scheme.sites) else _depth(scheme, boxes)
        )
        for d in sorted(set(depth.values())):
            here = [b for b in boxes if depth[b.name] == d]
            found.append((", ".join(dict.fromkeys(b.role for b in here if b.role)), here))
    return found


def _depth(scheme: Scheme, boxes: list[Box]) -> dict[str, int]:
    """How far along each box lies: along flows of mass first, then along what is read."""
    names = [b.name for b in boxes]
    inside = [a for a in scheme.arrows if {a.source, a.target} <= set(names)]
    mass = depths(names, [(a.source, a.target) for a in inside if a.kind == "flow"])
    return depths(sorted(names, key=mass.__getitem__), [(a.source, a.target) for a in inside])


def _around(scheme: Scheme, boxes: list[Box]) -> dict[str, int]:
    """Parts of no site at 0, the core of each site at 2, its modules at 1 or 3: those that meet a tumour at
    3.
    """
    depth = {b.name: 2 if b.name in scheme.sites else 0 for b in boxes}
    modules = [b for b in boxes if b.site == scheme.sites[0] and not depth[b.name]]
    near = {
        b.name: [
            scheme.boxes[n]
            for a in scheme.arrows
            if b.name in (a.source, a.target)
            for n in (a.source, a.target)
        ]
        for b in modules
    }
    behind = [b for b in modules if any(n.role == TUMOUR for n in near[b.name])]
    before = [
        b for b in modules if b not in behind and any(n.role == IMMUNE and not n.site for n in near[b.name])
    ]
    for b in (b for b in modules if b not in behind + before):
        min(before, behind, key=len).append(b)
    side = {b.use: 1 if b in before else 3 for b in modules}
    return depth | {
        b.name: side[b.use] for b in boxes if b.name not in scheme.sites and b.site and b.use in side
    }


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
