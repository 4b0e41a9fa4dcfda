"""The model's equations as text for other tools, all from the one model."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from pkpd.errors import OutputError
from pkpd.machine import cache, store
from pkpd.model.expression import Tree
from pkpd.model.model import Model


def infix(tree: Tree, power: str = "**") -> str:
    """A tree as fully bracketed text, its numbers exact."""
    match tree:
        case ("num", value):
            return repr(float(value))
        case ("name", name):
            return name
        case ("neg", a):
            return f"(-{infix(a, power)})"
        case ("call", function, args):
            return f"{function}({', '.join(infix(a, power) for a in args)})"
        case ("**", a, b):
            return f"({infix(a, power)}{power}{infix(b, power)})"
        case (op, a, b):
            return f"({infix(a, power)} {op} {infix(b, power)})"
    raise ValueError(tree)


def assignments(model: Model, power: str = "**") -> list[tuple[str, str]]:
    """Names and texts of the variables and then of the flows, in the order in which they can be computed."""
    rows = [(v.name, infix(v.tree, power)) for v in model.variables]
    return rows + [(f"f_{f.name}", infix(f.tree, power)) for f in model.flows]


def rates(model: Model) -> dict[str, str]:
    """The right-hand side of each state as a sum of flows, infusions left out."""
    terms: dict[str, str] = dict.fromkeys(model.states, "")
    for f in model.flows:
        if f.target:
            gain = "" if f.gain == 1 else f"{float(f.gain)!r}*"
            terms[f.target] += f" + {gain}f_{f.name}"
        if f.source:
            terms[f.source] += f" - f_{f.name}"
    return {name: text.removeprefix(" + ").strip() or "0.0" for name, text in terms.items()}


def dosed(model: Model) -> list[str]:
    """The states that receive infusions, in order."""
    return [c.name for c in model.compartments if c.dose is not None]


def right_hand_sides(model: Model) -> dict[str, str]:
    """The right-hand side of each state with its infusion rate u_<state>."""
    own = set(dosed(model))
    return {name: f"{text} + u_{name}" if name in own else text for name, text in rates(model).items()}


def body(model: Model) -> list[str]:
    """Lines of Python that compute variables and flows from states and inputs."""
    return [f"{name} = {text}" for name, text in assignments(model)]


def folder() -> Path:
    """Where benchmarks keep what they make: code that is imported, so it is this user's own or nothing."""
    own = cache.folder()
    if own is None:
        raise OutputError(
            "the benchmarks need a cache folder that is yours alone\n    remedy: set PKPD_CACHE to one"
        )
    (own / "benchmarks").mkdir(mode=0o700, exist_ok=True)
    return own / "benchmarks"


def module(source: str) -> ModuleType:
    """Python source as an imported module, from a file so that numba can cache what it compiles."""
    path = folder() / f"b{store.content_hash(source)}.py"
    if not path.is_file():
        store.write_text(path, source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = made  # numba looks it up there when it loads what it cached
    spec.loader.exec_module(made)
    return made


def compiled_source(model: Model) -> str:
    """A module with `rates(y, p, u, d)` for numba: d = dy/dt."""
    lines = [
        "from math import log",
        "from numba import njit",
        "",
        '@njit(cache=True, error_model="numpy", nogil=True)',
        "def rates(y, p, u, d):",
    ]
    lines += [f"    {name} = y[{i}]" for i, name in enumerate(model.states)]
    lines += [f"    {name} = p[{i}]" for i, name in enumerate(model.inputs)]
    lines += [f"    u_{name} = u[{i}]" for i, name in enumerate(dosed(model))]
    lines += [f"    {line}" for line in body(model)]
    lines += [f"    d[{i}] = {text}" for i, text in enumerate(right_hand_sides(model).values())]
    return "\n".join(lines) + "\n"


def python_source(model: Model, functions: str) -> str:
    """A module with `rates(y, p)`, a list: p holds the inputs, then the infusion rates; functions come from a
    library.
    """
    lines = [
        f"from {functions} import log",
        "",
        "",
        "def rates(y, p):",
        f"    {', '.join(model.states)} = y",
        f"    {', '.join([*model.inputs, *(f'u_{n}' for n in dosed(model))])} = p",
    ]
    lines += [f"    {line}" for line in body(model)]
    lines += [f"    return [{', '.join(right_hand_sides(model).values())}]"]
    return "\n".join(lines) + "\n"
