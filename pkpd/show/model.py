"""A model and its parameters as plain data: copies told once, expressions as a person would write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

from pkpd.content.references import references
from pkpd.model.model import Compartment, Flow, Model, Variable
from pkpd.model.symbolic import conserved
from pkpd.parameters.bind import line_for
from pkpd.parameters.parameters import Parameters, Value
from pkpd.show.text import copy_number, effect_text, seen_from, spread_text, times, write


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
        "compartments": _once(model.compartments, _compartment),
        "variables": _once(model.variables, _variable),
        "flows": _once(model.flows, _flow),
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
    values, covariates = ([_line(v, p) for v in lines] for lines in (p.values, p.covariates))
    for row in covariates:
        row["text"] = p.register[row["name"]].text
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


def _compartment(c: Compartment, to: Callable[[str], str]) -> dict:
    return {
        "name": to(c.name),
        "unit": c.unit,
        "text": c.text,
        "start": write(c.start, to),
        "dosed": c.dose is not None,
        "dose": _dose(c, to),
    }


def _variable(v: Variable, to: Callable[[str], str]) -> dict:
    return {"name": to(v.name), "unit": v.unit, "is": write(v.tree, to), "text": v.text}


def _flow(f: Flow, to: Callable[[str], str]) -> dict:
    return {
        "name": to(f.name),
        "from": to(f.source),
        "to": to(f.target),
        "rate": write(f.tree, to),
        "text": f.text,
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
        row = _line(given[name], parameters) if parameters and name in given else {**nothing, "unit": p.unit}
        rows[name] = {**row, "name": name, "text": p.text, "part": _part(p.name), "copies": 1}
    return list(rows.values())


def _line(v: Value, of: Parameters) -> dict:
    """One line of a parameter set."""
    spread = [spread_text(v.spread)] if v.spread else []
    spread += [f"between copies: {spread_text(v.copies)}"] if v.copies else []
    return {
        "name": v.name,
        "unit": v.unit,
        "value": v.value,
        "spread": "; ".join(spread),
        "effect": effect_text(v.effect, of.register) if v.effect else "",
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
