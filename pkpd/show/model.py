"""A model and its parameters as a reader wants them: plain descriptions, and tables on a console."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import partial
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pkpd.content.references import references
from pkpd.content.units import pretty
from pkpd.model.model import Compartment, Flow, Model
from pkpd.model.symbolic import conserved
from pkpd.parameters.bind import line_for
from pkpd.parameters.covariates import REGISTER
from pkpd.parameters.parameters import Parameters, Value
from pkpd.show.text import copy_number, effect_text, number, seen_from, spread_text, times, write

DISCLAIMER = "Research software: not advice on any patient."
_SEEN_STYLE = {"assumed": "bold yellow", "fitted": "cyan", "user": "magenta"}


def show_model(model: Model, parameters: Parameters | None) -> dict:
    """A model as plain data: copies of a part are shown once, their number written as `i`."""
    rows = _parameter_rows(model, parameters)
    described = {
        "name": model.name,
        "title": model.title,
        "time": model.time,
        "reference": model.reference,
        "text": model.text.strip(),
        "parts": _parts(model),
        "compartments": _once(
            model.compartments,
            lambda c, g: {
                "name": g(c.name),
                "unit": c.unit,
                "text": c.text,
                "start": write(c.start, g),
                "dosed": c.dose is not None,
                "dose": _dose(c, g),
            },
        ),
        "variables": _once(
            model.variables,
            lambda v, g: {"name": g(v.name), "unit": v.unit, "is": write(v.tree, g), "text": v.text},
        ),
        "flows": _once(
            model.flows,
            lambda f, g: {
                "name": g(f.name),
                "from": g(f.source),
                "to": g(f.target),
                "rate": write(f.tree, g),
                "text": f.text,
            },
        ),
        "equations": _once(model.compartments, lambda c, g: _equation(c.name, model.flows, g)),
        "conserved": _totals(model),
        "parameters": rows,
        "covariates": [],
        "correlations": [],
        "set": None,
    }
    if parameters is not None:
        alone = show_parameters(parameters)
        described |= {k: alone[k] for k in ("covariates", "correlations")}
        described["set"] = {k: alone[k] for k in ("name", "title", "reference", "text", "draws", "surrogate")}
    described["references"] = references([model.reference, *_sources(rows, parameters)])
    return described


def show_parameters(p: Parameters) -> dict:
    """A parameter set as plain data: values, covariates, correlations, and the references they come from."""
    values, covariates = [_line(v) for v in p.values], [_line(c) for c in p.covariates]
    for row in covariates:
        row["text"] = REGISTER[row["name"]].text if row["name"] in REGISTER else ""
    correlations = [{"of": list(c.of), "r": c.r, "where": c.where, "seen": c.seen} for c in p.correlations]
    return {
        "name": p.name,
        "model": p.model,
        "surrogate": p.surrogate,
        "title": p.title,
        "reference": p.reference,
        "text": p.text.strip(),
        "values": values,
        "covariates": covariates,
        "correlations": correlations,
        "draws": max((len(d) for d in p.draws.values()), default=0),
        "references": references(_sources(values, p)),
    }


def _once(rows: Iterable, make: Callable[[Any, Callable[[str], str]], dict]) -> list[dict]:
    """A description of each row, those of copies that read alike told once."""
    groups: dict[str, list] = {}
    for row in rows:
        made = make(row, seen_from(copy_number(row.name)))
        groups.setdefault(json.dumps(made), []).append(row)
    found = []
    for text, members in groups.items():
        made = json.loads(text) if len(members) > 1 else make(members[0], seen_from(None))
        numbers = [copy_number(m.name) for m in members] if len(members) > 1 else []
        index = f"i = {numbers[0]}…{numbers[-1]}" if numbers else ""
        found.append({**made, "part": _part(members[0].name), "copies": len(members), "index": index})
    return found


def _part(name: str) -> str:
    return name.split(".")[0] if "." in name else ""


def _equation(state: str, flows: Iterable[Flow], to: Callable[[str], str]) -> dict:
    """The equation of one state in the names of its flows, what enters first, with each flow's rate."""
    signed = [("+", f.gain, f) for f in flows if f.target == state]
    signed += [("-", Fraction(1), f) for f in flows if f.source == state]
    terms = [f"{sign} {times(gain)}{to(f.name)}" for sign, gain, f in signed]
    return {
        "state": to(state),
        "equation": f"d {to(state)}/dt = {' '.join(terms).removeprefix('+ ') or '0'}",
        "terms": {to(f.name): write(f.tree, to) for _, _, f in signed},
    }


def _totals(model: Model) -> list[str]:
    """The sums of states that no flow changes."""
    found: dict[str, None] = {}
    for weights in conserved(model):
        to = seen_from(next((n for n in map(copy_number, weights) if n is not None), None))
        first = next(iter(weights.values()))
        scaled = [(w / first, to(n)) for n, w in weights.items()]
        text = " ".join(f"{'-' if w < 0 else '+'} {times(w)}{n}" for w, n in scaled)
        found[text.removeprefix("+ ")] = None
    return list(found)


def _dose(c: Compartment, to: Callable[[str], str]) -> str:
    """The parameters of a compartment's doses, as text."""
    if c.dose is None:
        return ""
    named = [(k, getattr(c.dose, k)) for k in ("lag", "bioavailability", "rate", "duration")]
    return ", ".join(f"{k} {to(v)}" for k, v in (*named, *c.dose.forms) if v)


def _parts(model: Model) -> list[dict]:
    named = [r.name for r in (*model.parameters, *model.compartments, *model.variables, *model.flows)]
    return [
        {
            "name": p.name,
            "use": p.use,
            "n": p.n,
            "chain": p.chain,
            "joins": dict(p.joins),
            "copies": max((copy_number(n) or 1 for n in named if _part(n) == p.name), default=1),
        }
        for p in model.parts
    ]


def _parameter_rows(model: Model, parameters: Parameters | None) -> list[dict]:
    """One row for each line of a parameter file that the model needs."""
    given = {v.name: v for v in parameters.values} if parameters else {}
    rows: dict[str, dict] = {}
    for p in model.parameters:
        name = line_for(p.name)
        if name in rows:
            rows[name]["copies"] += 1
            continue
        nothing = dict.fromkeys(("value", "spread", "effect", "source", "where", "seen", "note"))
        row = _line(given[name]) if name in given else {**nothing, "unit": p.unit}
        rows[name] = {**row, "name": name, "text": p.text, "part": _part(p.name), "copies": 1}
    return list(rows.values())


def _line(v: Value) -> dict:
    """One line of a parameter set."""
    spread = [spread_text(v.spread)] if v.spread else []
    spread += [f"between copies: {spread_text(v.copies)}"] if v.copies else []
    return {
        "name": v.name,
        "unit": v.unit,
        "value": v.value,
        "spread": "; ".join(spread),
        "effect": effect_text(v.effect) if v.effect else "",
        "source": v.source,
        "where": v.where,
        "seen": v.seen,
        "note": v.text,
        "text": "",
        "part": _part(v.name),
        "copies": 1,
    }


def _sources(rows: list[dict], p: Parameters | None) -> list[str]:
    return [p.reference, *(r["source"] or "" for r in rows), *(c.source for c in p.covariates)] if p else []


def print_model(description: dict, console: Console) -> None:
    """Prints what `show_model` described: equations, compartments, parameters and their sources."""
    d = description
    after = f"; after {d['reference']}" if d["reference"] else ""
    _title(d, f"{d['name']}; time unit {d['time']}{after}", console)
    _heading("Equations", console)
    counts = {p["name"]: p for p in d["parts"]}
    for part in counts or [""]:
        _print_part(part, counts.get(part), d, console)
    written = [*(f["rate"] for f in d["flows"]), *(v["is"] for v in d["variables"])]
    if d["time"] == "day" and any(w.startswith("24·") for w in written):
        console.print(Text("24 brings what a part says per hour to the system's day.", style="dim"))
    if any("hill(" in w for w in written):
        console.print(Text("hill(x, k, n) = x^n / (k^n + x^n)", style="dim"))
    for total in d["conserved"]:
        console.print(Text(f"Constant: {total}"))
    _heading("Compartments", console)
    console.print(_compartment_table(d["compartments"]))
    _print_lines(d, d["parameters"], "Parameters" + (f": {d['set']['name']}" if d["set"] else ""), console)


def print_parameters(description: dict, console: Console) -> None:
    """Prints what `show_parameters` described."""
    draws = f"; {description['draws']} draws" if description["draws"] else ""
    stands = f"; a surrogate: values of {description['surrogate']}" if description["surrogate"] else ""
    _title(
        description,
        f"{description['name']}; for {description['model'] or 'any model: patients'}{stands}{draws}",
        console,
    )
    _print_lines(description, description["values"], "Values", console)


def _title(d: dict, line: str, console: Console) -> None:
    console.print(Text(d["title"] or d["name"], style="bold"))
    console.print(Text(line, style="dim"))
    if d["text"]:
        console.print(Text("\n" + d["text"]))


def _print_part(part: str, entry: dict | None, d: dict, console: Console) -> None:
    """The equations of one part, then what they name."""
    lines = [(*e["equation"].split(" = ", 1), e) for e in d["equations"]]
    lines += [(v["name"], v["is"], v) for v in d["variables"]]
    lines += [(f["name"], f["rate"], f) for f in _by_name(d["flows"])]
    all_copies = entry["copies"] if entry else 1
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for left, right, row in lines:
        if row["part"] == part:
            some = f"   ({row['index']})" if row["index"] and row["copies"] < all_copies else ""
            grid.add_row(Text(_within(part, left)), Text.assemble("= " + _within(part, right), (some, "dim")))
    if entry:
        many = f", chain of {entry['chain']}" if entry["chain"] > 1 else f" × {all_copies} copies"
        label = part + (many if all_copies > 1 else "")
        console.print(Text.assemble((label, "bold"), (f"  {entry['use']}", "dim")))
    if grid.row_count:
        console.print(Padding(grid, (0, 0, 1, 2)))


def _within(part: str, text: str) -> str:
    """A text as read inside one part, whose own names need not say so."""
    return re.sub(rf"(?<![\w.]){re.escape(part)}\.(?:i\.|(?![\d(]))", "", text) if part else text


def _compartment_table(rows: list[dict]) -> Table:
    table = _table("Name", "Unit", "What", "At the start", "Dosed")
    for row, text in _by_part(rows, table):
        dosed = ("yes" + (f": {text(row['dose'])}" if row["dose"] else "")) if row["dosed"] else ""
        _row(table, text(row["name"]), pretty(row["unit"]), row["text"], text(row["start"]), dosed)
    return table


def _by_part(rows: list[dict], table: Table) -> Iterable[tuple[dict, Callable[[str], str]]]:
    """Rows with what shortens their names; a part's first row comes below its heading."""
    part = ""
    for row in rows:
        if row["part"] != part:
            part = row["part"]
            table.add_section()
            table.add_row(Text(part + (f" × {row['copies']}" if row["copies"] > 1 else ""), style="bold"))
        yield row, partial(_within, part)


def _by_name(flows: list[dict]) -> list[dict]:
    """Flows whose name and rate read alike told once: those of a chain differ in where they go only."""
    return list(
        {
            (line_for(f["name"].replace(".i.", ".")), re.sub(r"\.\d+\.", ".i.", f["rate"])): {
                **f,
                "index": "",
            }
            for f in reversed(flows)
        }.values()
    )[::-1]


def _heading(text: str, console: Console) -> None:
    console.print(Text(f"\n{text}", style="bold underline"))


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for name in columns:
        table.add_column(
            name,
            justify="right" if name == "Value" else "left",
            overflow="fold",
            no_wrap=name in ("Value", "Seen"),
        )
    return table


def _row(table: Table, *cells: str | Text) -> None:
    table.add_row(*(Text(c) if isinstance(c, str) else c for c in cells))


def _print_lines(d: dict, rows: list[dict], heading: str, console: Console) -> None:
    """The table of values, then covariates, correlations, references, and what this software is not."""
    notes: dict[str, int] = {}
    for title, lines in ((heading, rows), ("Covariates", d["covariates"])):
        if lines:
            _heading(title, console)
            console.print(_values_table(lines, notes))
    if d["correlations"]:
        _heading("Correlations", console)
        for c in d["correlations"]:
            pair = " with ".join(c["of"])
            console.print(Text(f"{pair}: {number(c['r'])} ({c['seen']}) {c['where']}".rstrip()))
    if notes:
        _heading("Sources", console)
        grid = Table.grid(padding=(0, 1))
        for key, n in notes.items():
            _row(grid, f"[{n}]", d["references"].get(key) or key)
        console.print(grid)
    console.print(Text(f"\n{DISCLAIMER}", style="italic"))


def _values_table(lines: list[dict], notes: dict[str, int]) -> Table:
    """Values with what they are, how they vary, and where they were seen, below each other."""
    bare = all(r["value"] is None for r in lines)
    table = _table("Name", "Unit", "What") if bare else _table("Name", "Value", "Unit", "Seen", "What")
    for r, text in _by_part(lines, table):
        what = Text(r["text"])
        if bare:
            _row(table, text(r["name"]), pretty(r["unit"]), what)
            continue
        source = f"[{notes.setdefault(r['source'], len(notes) + 1)}] " if r["source"] else ""
        varies = "; ".join(filter(None, (r["spread"], r["effect"])))
        for line in (varies, r["note"] or "", source + (r["where"] or "")):
            what.append(("\n" if what and line else "") + line, style="dim")
        _row(
            table,
            text(r["name"]),
            "–" if r["value"] is None else number(r["value"]),
            pretty(r["unit"]),
            Text(r["seen"] or "", style=_SEEN_STYLE.get(r["seen"], "")),
            what,
        )
    return table
