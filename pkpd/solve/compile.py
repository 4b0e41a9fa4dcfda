"""Equations to fast code: the right-hand side, and the Jacobian with its sparse LU as straight-line kernels.

Each model's kernels are one generated Python file in the cache folder, compiled by numba and cached there.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import cast

import numpy as np

from pkpd import store
from pkpd.model.schema import Model

VERSION = 3  # raise when the generated code changes

_HEADER = '''"""Generated from {name}; do not edit."""
from math import exp, log, sqrt

from numba import njit

_OPTIONS = {{"cache": True, "error_model": "numpy", "nogil": True}}


@njit("f8(f8,f8,f8)", **_OPTIONS)
def hill(x, k, n):
    if x <= 0.0:
        return 0.0
    r = x / k if n == 1.0 else (x / k) ** n
    return r / (1.0 + r)


@njit("f8(f8,f8,f8)", **_OPTIONS)
def hill_slope(x, k, n):
    if x <= 0.0:
        return 1.0 / k if n == 1.0 else 0.0
    r = x / k if n == 1.0 else (x / k) ** n
    return n * r / (x * (1.0 + r) * (1.0 + r))


@njit("f8(f8,f8)", **_OPTIONS)
def lower(a, b):
    return a if a < b else b


@njit("f8(f8,f8)", **_OPTIONS)
def step(a, b):
    return 1.0 if a > b else 0.0

'''


@dataclass(frozen=True)
class Kernels:
    """Compiled functions of one model, and the length of its LU."""

    rates: object
    factor: object
    solve: object
    size: int
    path: Path

    def __reduce__(self):
        return _restored, (self.path.name, self.path.read_text(encoding="utf-8"))


def _restored(name: str, text: str) -> Kernels:
    """Kernels that came from another memory."""
    path = store.cache_folder() / "kernels" / name
    if not path.is_file():
        store.write_text(path, text)
    return _compiled(path)


def _compiled(path: Path) -> Kernels:
    module = _import(path)
    return Kernels(module.rates, module.factor, module.solve, module.SIZE, path)


_LOADED: dict[str, Kernels] = {}


def kernels(model: Model) -> Kernels:
    """The compiled kernels of a model: from memory, from the cache folder, or generated now."""
    key = f"{model.hash}_{VERSION}"
    if key not in _LOADED:
        folder = store.cache_folder() / "kernels"
        path = folder / f"k{key}.py"
        if not path.is_file():
            store.write_text(path, generate(model))
        _LOADED[key] = _compiled(path)
    return _LOADED[key]


def _import(path: Path) -> ModuleType:
    name = f"pkpd_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    os.environ.setdefault("NUMBA_CACHE_DIR", str(path.parent / "numba"))
    spec.loader.exec_module(module)
    return module


def generate(model: Model) -> str:
    """The source of a model's kernels."""
    import sympy

    from pkpd.model.equations import Equations

    equations = Equations(model)
    short = {sympy.Symbol(n, real=True): sympy.Symbol(f"y{i}") for i, n in enumerate(model.states)}
    short |= {sympy.Symbol(n, real=True): sympy.Symbol(f"p{i}") for i, n in enumerate(model.inputs)}
    rates = [r.xreplace(short) for r in equations.rates.values()]
    jacobian = {k: v.xreplace(short) for k, v in equations.jacobian.items()}
    n = len(rates)
    order = elimination_order(n, set(jacobian))
    slots, steps = symbolic_lu(n, set(jacobian), order)
    return "\n".join([
        _HEADER.format(name=model.name), f"SIZE = {len(slots)}\n",
        _rates_source(rates, [i for i, c in enumerate(model.compartments) if c.dose is not None]), "",
        _factor_source(jacobian, slots, steps, n), "", _solve_source(slots, order), ""])


def _lines(expressions: dict[str, object]) -> list[str]:
    """Assignments to targets with their common pieces first."""
    import sympy
    from sympy.printing.pycode import PythonCodePrinter

    class Printer(PythonCodePrinter):
        def _call(self, e):
            return f"{type(e).__name__}({', '.join(f'1.0*({self._print(a)})' for a in e.args)})"

        _print_hill = _print_hill_slope = _print_lower = _print_step = _call

        def _print_Rational(self, e):
            return repr(float(e))

    printer = Printer({"fully_qualified_modules": False})
    found = sympy.cse(list(expressions.values()), symbols=sympy.numbered_symbols("c"), order="none")
    pieces, final = cast(tuple[list, list], found)
    used = sorted({s for e in (*final, *(e for _, e in pieces)) for s in e.free_symbols if s.name[0] in "yp"},
                  key=lambda s: (s.name[0], int(s.name[1:])))
    lines = [f"{s.name} = {s.name[0]}[{s.name[1:]}]" for s in used]
    lines += [f"{s.name} = {printer.doprint(e)}" for s, e in pieces]
    return lines + [f"{t} = {printer.doprint(e)}" for t, e in zip(expressions, final, strict=True)]


def _function(signature: str, head: str, lines: list[str]) -> str:
    return "\n".join([f'@njit("{signature}", **_OPTIONS)', f"def {head}:", *(f"    {x}" for x in lines or ["pass"])])


def _rates_source(rates: list, dosed: list[int]) -> str:
    lines = _lines({f"d[{i}]": r for i, r in enumerate(rates)})
    lines += [f"d[{i}] += infusion[{i}]" for i in dosed]
    return _function("void(f8[::1],f8[::1],f8[::1],f8[::1])", "rates(y, p, infusion, d)", lines)


def _factor_source(jacobian: dict, slots: dict, steps: list[str], n: int) -> str:
    """Fills a = diag * I - J in its slots and factors it in place."""
    lines = [f"a[{k}] = 0.0" for k in range(len(slots))]
    lines += _lines({f"a[{slots[key]}]": -value for key, value in jacobian.items()}) if jacobian else []
    lines += [f"a[{slots[i, i]}] += diagonal" for i in range(n)]
    return _function("void(f8[::1],f8[::1],f8,f8[::1])", "factor(y, p, diagonal, a)", lines + steps)


def _solve_source(slots: dict, order: list[int]) -> str:
    """Forward and back substitution; the inverse pivots lie on the diagonal."""
    place = {v: k for k, v in enumerate(order)}
    lines = []
    for k, row in enumerate(order):
        terms = [f"a[{slots[row, c]}] * b[{c}]" for c in order[:k] if (row, c) in slots]
        if terms:
            lines.append(f"b[{row}] -= " + " + ".join(terms))
    for row in reversed(order):
        terms = [f"a[{slots[row, c]}] * b[{c}]" for c in order[place[row] + 1:] if (row, c) in slots]
        minus = f"(b[{row}] - ({' + '.join(terms)}))" if terms else f"b[{row}]"
        lines.append(f"b[{row}] = {minus} * a[{slots[row, row]}]")
    return _function("void(f8[::1],f8[::1])", "solve(a, b)", lines)


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


def symbolic_lu(n: int, pattern: set[tuple[int, int]], order: list[int]) -> tuple[dict, list[str]]:
    """A slot for each nonzero of the factors, and the elimination as statements."""
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
        steps.append(f"a[{slots[pivot, pivot]}] = 1.0 / a[{slots[pivot, pivot]}]")
        for i, columns in targets:
            steps.append(f"a[{slots[i, pivot]}] *= a[{slots[pivot, pivot]}]")
            steps += [f"a[{slots[i, j]}] -= a[{slots[i, pivot]}] * a[{slots[pivot, j]}]" for j in columns]
    return slots, steps


def tolerances(model: Model, rtol: float) -> np.ndarray:
    """The absolute tolerance of each state: rtol times a hundredth of its scale."""
    return np.array([rtol * 1e-2 * c.scale for c in model.compartments])
