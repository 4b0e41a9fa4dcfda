"""A set bound to a model: every input has a value, in its unit, that it can be."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from pkpd.content.library import raise_issues
from pkpd.content.units import ratio
from pkpd.errors import ContentError, Issue, nearest
from pkpd.model.model import Model, ModelFile, Parameter
from pkpd.parameters import hosts, joint
from pkpd.parameters.bounds import allowed, beyond, outside
from pkpd.parameters.defaults import defaults
from pkpd.parameters.model_of import foreign
from pkpd.parameters.parameters import Parameters, Value, scaled


def line_for(name: str) -> str:
    """The line of a parameter file that fills a model's input: the copy's number is left out."""
    return ".".join(p for p in name.split(".") if not p.isdigit())


def bind(parameters: Parameters, model: Model | ModelFile) -> Parameters:
    """Checks a set against a model and brings every value to the model's units."""
    issues: list[Issue] = []
    wanted = {line_for(p.name): p for p in model.parameters}
    given = {v.name: v for v in parameters.values}
    where = parameters.where
    raise_issues(foreign(parameters, model, where))
    for name in given:
        if name not in wanted:
            issues.append(
                Issue(f"{where}: values.{name}", f"{model.name} has no such parameter", nearest(name, wanted))
            )
    issues += _missing(
        {k: p.unit for k, p in wanted.items() if k not in given}, parameters, model.name, where
    )
    issues += joint.issues(parameters, where)
    bound, factors = [], {}
    for name, v in given.items():
        if name in wanted:
            try:
                factor = float(ratio(v.unit, wanted[name].unit, f"{where}: values.{name}.unit"))
                bound.append(v if factor == 1 else scaled(v, factor, wanted[name].unit))
                issues += _beyond(bound[-1], wanted[name], where)
                factors |= {} if factor == 1 else {name: factor}
            except ContentError as error:
                issues += error.issues
    uses = {"": model.name, **{p.name: p.use for p in model.parts}}
    issues += hosts.outside(parameters.host, uses, {v.name: v.value for v in bound}, where)
    raise_issues(issues)
    return joint.in_units(replace(parameters, model=model.name, values=tuple(bound)), factors, wanted, where)


def _missing(units: dict[str, str], own: Parameters, model: str, where: str) -> list[Issue]:
    """Issues of inputs without a value, one each; one for all where a set fills so few that it can but go
    over another.
    """
    if len(units) > 10 and len(own.values) < len(units):
        below = defaults().get(model, ["…"])[0]
        return [
            Issue(
                f"{where}: values",
                f"fills {len(own.values)} of the {len(own.values) + len(units)} inputs of {model}, and "
                "the set does not say what it goes over",
                f'write over = "{below}" under [parameters], or name that set first',
            )
        ]
    return [
        Issue(
            f"{where}: values.{name}",
            f"has no value; {model} needs it in {unit}",
            f'add {name} = {{ value = …, unit = "{unit}" }}',
        )
        for name, unit in units.items()
    ]


def _beyond(v: Value, p: Parameter, where: str) -> list[Issue]:
    """Issues of a line, in the model's unit, whose value or spread is what its parameter cannot be."""
    both = [s.ends for s in (v.spread, v.copies) if s is not None]
    if all(p.low <= x <= p.high and math.isfinite(x) for x in (v.value, *(x for pair in both for x in pair))):
        return []
    place, named = f"{where}: values.{v.name}", replace(p, name=v.name.rpartition(".")[2])
    if outside(named, np.array([v.value]))[0]:
        return [
            Issue(place, beyond(named, v.value), f"mend the value or its unit; {allowed(named, v.value)}")
        ]
    issues = []
    for key, spread in (("spread", v.spread), ("copies", v.copies)):
        ends = np.array(spread.ends if spread is not None else ())
        bad = ends[outside(named, ends)]
        if bad.size:
            issues.append(
                Issue(
                    f"{place}.{key}",
                    f"reaches {beyond(named, float(bad[0]))}",
                    f"bound it from {p.low:g} to {p.high:g}; {allowed(named, float(bad[0]))}",
                )
            )
    return issues
