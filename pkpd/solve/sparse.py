"""The sparse LU of a Jacobian, worked out once a model: pivot order, fill, and the elimination step by step."""

from __future__ import annotations


def elimination_order(n: int, pattern: set[tuple[int, int]]) -> list[int]:
    """Pivots on the diagonal, the one with least fill first (Markowitz)."""
    rows = {i: {j for (a, j) in pattern if a == i} | {i} for i in range(n)}
    columns = {j: {i for i in rows if j in rows[i]} for j in range(n)}
    left, order = set(range(n)), []
    while left:
        pivot = min(sorted(left), key=lambda k: (len(rows[k] & left) - 1) * (len(columns[k] & left) - 1))
        left.discard(pivot)
        order.append(pivot)
        for i in columns[pivot] & left:
            for j in rows[pivot] & left:
                rows[i].add(j)
                columns[j].add(i)
    return order


def symbolic_lu(n: int, pattern: set[tuple[int, int]], order: list[int]) -> tuple[dict, list[tuple]]:
    """A slot for each nonzero of the factors, and the elimination as operations on slots.

    ("invert", a) is a = 1 / a, ("scale", a, b) is a = a b, ("subtract", a, b, c) is a = a - b c.
    """
    filled = set(pattern) | {(i, i) for i in range(n)}
    plan = []
    for k, pivot in enumerate(order):
        later = order[k + 1:]
        targets = [(i, [j for j in later if (pivot, j) in filled]) for i in later if (i, pivot) in filled]
        for i, columns in targets:
            filled |= {(i, j) for j in columns}
        plan.append((pivot, targets))
    slots = {key: s for s, key in enumerate(sorted(filled))}
    steps = []
    for pivot, targets in plan:
        steps.append(("invert", slots[pivot, pivot]))
        for i, columns in targets:
            steps.append(("scale", slots[i, pivot], slots[pivot, pivot]))
            steps += [("subtract", slots[i, j], slots[i, pivot], slots[pivot, j]) for j in columns]
    return slots, steps
