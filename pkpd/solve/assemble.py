"""Equations to LLVM text: rates, Jacobian and sparse LU as straight-line vector code, and what is watched."""

from __future__ import annotations

import os

from pkpd.errors import fail
from pkpd.model.model import Model
from pkpd.solve import equations, functions, rodas
from pkpd.solve.graph import Graph
from pkpd.solve.sparse import elimination_order, operations, symbolic_lu
from pkpd.solve.vector import ATTRIBUTES, Slots, V, Writer, function, real

LARGEST = 200_000  # operations of a step; the library's largest system has 3,000


def generate(model: Model, columns: tuple[int, ...] = ()) -> tuple[str, int, int, int]:
    """LLVM text of a model, and how many states, slots of inputs and entries of the LU it has."""
    g = Graph()
    rows = equations.rates(g, model)
    affordable(g, rows, model)
    n = len(rows)
    for k, column in enumerate(columns):
        rows += equations.tangents(g, rows[:n], n * (1 + k), column, len(model.inputs) + k)
    if columns:
        affordable(g, rows, model)
    dosed = [i for i, c in enumerate(model.compartments) if c.dose is not None]
    return assemble(g, rows, [n * k + i for k in range(1 + len(columns)) for i in dosed])


def affordable(g: Graph, rows: list[int], model: Model) -> None:
    """Refuses, before anything is compiled, what would take more than about a minute."""
    own = os.environ.get("PKPD_LARGEST", str(LARGEST))
    if not own.isdecimal() or int(own) == 0:
        raise fail("PKPD_LARGEST", f"{own!r} is not a number of operations", "give 1 or more, or unset it")
    most, n = int(own), len(rows)
    entries = sum(g.states[row].bit_count() for row in rows)
    size = len(g.nodes) + entries
    if size <= most:
        pattern = {(i, j) for i, row in enumerate(rows) for j in range(n) if g.states[row] >> j & 1}
        size += operations(n, pattern, most)
    if size > most:
        raise fail(
            model.name,
            f"is too large to compile: {n:,} states, {entries:,} of whose derivatives by each other are not "
            f"0, take more than {most:,} operations a step, and to compile a second for every 3,000",
            "let fewer states depend on each other (a sum of all in each rate joins all), or follow fewer "
            "parameters at "
            "once; PKPD_LARGEST sets another limit",
        )


def generate_watch(model: Model, names: tuple[str, ...]) -> tuple[str, int, int, int]:
    """LLVM text of some compartments and variables, then their rates of change; sizes as of `generate`."""
    g, slots = Graph(), Slots()
    known, rows = equations.names(g, model), equations.rates(g, model)
    w = Writer(g, slots)
    for k, name in enumerate(names):
        w.store(w.value(known[name]), "%values", k)
        change = real(0.0)
        for i, c in enumerate(model.compartments):
            slope = g.slope(known[name], "state", i)
            if g.value(slope) != 0.0:
                rate = w.value(rows[i])
                rate = w.binary("add", rate, w.load("%infusion", i)) if c.dose is not None else rate
                change = w.fma(w.value(slope), rate, change)
        w.store(change, "%values", len(names) + k)
    text = function("watch", ("y", "q", "infusion", "values"), w) + _prepare(g, slots)
    return (
        functions.definitions({op for op, *_ in g.nodes}) + text + ATTRIBUTES,
        len(names),
        max(len(slots.rows), 1),
        1,
    )


def assemble(g: Graph, rows: list[int], dosed: list[int]) -> tuple[str, int, int, int]:
    """LLVM text of a system from the nodes of its rates; `dosed` are the states that infusions enter."""
    slots = Slots()
    entries = equations.jacobian(g, rows)
    n = len(rows)
    order = elimination_order(n, set(entries))
    places, steps = symbolic_lu(n, set(entries), order)
    parts = [
        _rates(g, rows, dosed, slots),
        _factor(g, entries, places, steps, slots),
        _solve(places, order),
        rodas.pace(n),
        rodas.step(n),
        _accept(n),
        _prepare(g, slots),
    ]
    body = "\n".join(parts)
    used = {op for op, *_ in g.nodes}
    return functions.definitions(used) + body + ATTRIBUTES, n, max(len(slots.rows), 1), len(places)


def _rates(g: Graph, rows: list[int], dosed: list[int], slots: Slots) -> str:
    w = Writer(g, slots)
    for i, row in enumerate(rows):
        value = w.value(row)
        if i in dosed:
            value = w.binary("add", value, w.load("%infusion", i))
        w.store(value, "%d", i)
    return function("rates", ("y", "q", "infusion", "d"), w)


def _factor(g: Graph, entries: dict, places: dict, steps: list[tuple], slots: Slots) -> str:
    """Fills a = diagonal I - J and factors it; the inverse pivots are left on its diagonal."""
    w = Writer(g, slots)
    diagonal = w.load("%diagonal", 0)
    a = {}
    for key, slot in places.items():
        if key in entries:
            value = w.value(entries[key])
            a[slot] = w.binary("sub", diagonal, value) if key[0] == key[1] else w.do(f"fneg {V} {value}")
        elif key[0] == key[1]:
            a[slot] = diagonal
    for op, target, *others in steps:
        if op == "invert":
            a[target] = w.inverse(a[target])
        elif op == "scale":
            a[target] = w.binary("mul", a[target], a[others[0]])
        else:
            product = w.do(f"fneg {V} {a[others[0]]}")
            a[target] = (
                w.fma(product, a[others[1]], a[target])
                if target in a
                else w.binary("mul", product, a[others[1]])
            )
    for slot, value in a.items():
        w.store(value, "%a", slot)
    return function("factor", ("y", "q", "diagonal", "a"), w, internal=True)


def _solve(places: dict, order: list[int]) -> str:
    """Forward and back substitution."""
    w = Writer(Graph(), None)
    b = {}
    place = {v: k for k, v in enumerate(order)}
    for k, row in enumerate(order):
        total = w.load("%b", row)
        for column in order[:k]:
            if (row, column) in places:
                minus = w.do(f"fneg {V} {w.load('%a', places[row, column])}")
                total = w.fma(minus, b[column], total)
        b[row] = total
    for row in reversed(order):
        total = b[row]
        for column in order[place[row] + 1 :]:
            if (row, column) in places:
                minus = w.do(f"fneg {V} {w.load('%a', places[row, column])}")
                total = w.fma(minus, b[column], total)
        b[row] = w.binary("mul", total, w.load("%a", places[row, row]))
        w.store(b[row], "%b", row)
    return function("solve", ("a", "b"), w, internal=True)


def _accept(n: int) -> str:
    """Moves lanes whose flag is not zero to their new states; what has decayed to nothing is nothing.

    `tolerance` holds rtol, then each state's atol, which grows with the magnitude of its state, by `growth`
    of it.
    """
    w = rodas.Body(n)
    chosen = w.compare("une", w.load("%flag", 0), real(0.0))
    absolute = w.place("%tolerance", 1)
    i, _ = w.begin()
    new = w.load("%new", i)
    size = w.magnitude(new)
    new = w.choose(w.compare("ogt", size, real(1e-150)), new, real(0.0))
    old, atol = w.load("%y", i), w.load(absolute, i)
    grown = w.binary("mul", w.larger(w.magnitude(old), size), w.load("%growth", i))
    w.store(w.choose(chosen, w.larger(grown, atol), atol), absolute, i)
    w.store(w.choose(chosen, new, old), "%y", i)
    w.end()
    return function("accept", ("y", "new", "flag", "tolerance", "growth"), w)


def _prepare(g: Graph, slots: Slots) -> str:
    w = Writer(g, None)
    for node, row in slots.rows.items():
        w.store(w.value(node), "%q", row)
    return function("prepare", ("p", "q"), w)
