"""Equations and values of model files as tables of a page, kept between two comments of it."""

from __future__ import annotations

import re

from pkpd.content.units import pretty
from pkpd.errors import fail
from pkpd.model.compose import model_file
from pkpd.model.model import ModelFile
from pkpd.parameters.defaults import default_for
from pkpd.parameters.parameters import Parameters, Value
from pkpd.parameters.sets import load_parameters
from pkpd.show.text import effect_text, number, spread_text, write

BLOCK = re.compile(r"(<!-- equations: ([\w/]+) -->\n).*?(<!-- end -->)", re.S)


def with_equations(page: str) -> str:
    """A page with each of its blocks `<!-- equations: immune/site --> … <!-- end -->` filled from the model
    file it names.
    """
    if page.count("<!-- equations:") != page.count("<!-- end -->") or page.count("<!-- end -->") != len(
        BLOCK.findall(page)
    ):
        raise fail(
            "page",
            "a block of equations has no end",
            "write <!-- equations: immune/site --> and <!-- end -->",
        )
    return BLOCK.sub(lambda m: m[1] + "\n".join(_block(m[2])) + "\n" + m[3], page)


def _block(name: str) -> list[str]:
    file, values = model_file(name), load_parameters(default_for(name))
    return ["", *_flows(file), *_variables(file), *_values(file, values)]


def _name(name: str) -> str:
    return name


def _flows(file: ModelFile) -> list[str]:
    if not file.flows:
        return []
    lines = ["| flow | from | to | rate |", "|---|---|---|---|"]
    lines += [
        f"| `{f.name}` | {_end(f.source)} | {_end(f.target)} | `{write(f.tree, _name)}` |" for f in file.flows
    ]
    return [*lines, ""]


def _end(name: str) -> str:
    return name or "–"


def _variables(file: ModelFile) -> list[str]:
    if not file.variables:
        return []
    lines = ["| variable | is | unit | what |", "|---|---|---|---|"]
    lines += [
        f"| `{v.name}` | `{write(v.tree, _name)}` | {pretty(v.unit)} | {v.text} |" for v in file.variables
    ]
    return [*lines, ""]


def _values(file: ModelFile, given: Parameters) -> list[str]:
    """A value a line: unit, spread, how it was seen and where."""
    lines = [
        f"Values of `parameters/{given.name}`:",
        "",
        "| parameter | value | what | how sure |",
        "|---|---|---|---|",
    ]
    for p in file.parameters:
        v = given[p.name]
        varies = "; ".join(
            filter(
                None,
                (
                    spread_text(v.spread) if v.spread else "",
                    effect_text(v.effect, given.register) if v.effect else "",
                ),
            )
        )
        unit = "" if v.unit == "1" else f" {pretty(v.unit)}"
        sure = "; ".join(filter(None, (_seen(v), varies, v.text)))
        lines.append(f"| `{p.name}` | {number(v.value)}{unit} | {p.text} | {sure.replace('|', '/')} |")
    return [*lines, ""]


def _seen(v: Value) -> str:
    """How a value was seen, in whose work and where; an assumption says so once."""
    if v.source == "assumption":
        return v.where if v.where.startswith(v.seen) else f"{v.seen}: {v.where}"
    return f"{v.seen}, {v.source}: {v.where}"
