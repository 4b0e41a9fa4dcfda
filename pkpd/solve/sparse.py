"""The sparse LU of a Jacobian, worked out once a model: pivot order, fill, and the elimination
step by step.
"""

from __future__ import annotations

from collections.abc import Iterator


def elimination_order(n: int, pattern: set[tuple[int, int]]) -> list[int]:
    """Pivots on the diagonal, the one with least fill first (Markowitz)."""
    return [pivot for pivot, _ in _pivots(n, pattern)]


def operations(n: int, pattern: set[tuple[int, int]], most: int) -> int:
    """About how many operations the elimination takes; counting ends where they are more than `most`."""
    total = 0
    for _, own in _pivots(n, pattern):
        total += own
        if total > most:
            break
    return total


def _pivots(n: int, pattern: set[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Each pivot in turn, and how many operations its elimination takes."""
    rows = {i: {j for (a, j) in pattern if a == i} | {i} for i in range(n)}
    columns = {j: {i for i in rows if j in rows[i]} for j in range(n)}
    left = set(range(n))
    while left:
        pivot = min(sorted(left), key=lambda k: (len(rows[k] & left) - 1) * (len(columns[k] & left) - 1))
        left.discard(pivot)
        yield pivot, (len(columns[pivot] & left) + 1) * (len(rows[pivot] & left) + 1)
        for i in columns[pivot] & left:
            for j in rows[pivot] & left:
                rows[i].add(j)
                columns[j].add(i)


def symbolic_lu(n: int, pattern: set[tuple[int, int]], order: list[int]) -> tuple[dict, list[tuple]]:
    """A slot for each nonzero of the factors, and the elimination as operations on slots.

    ("invert", a) is a = 1 / a, ("scale", a, b) is a = a b, ("subtract", a, b, c) is a = a - b c.
    """
    filled = set(pattern) | {(i, i) for i in range(n)}
    plan = []
    for k, pivot in enumerate(order):
        later = order[k + 1 :]
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
