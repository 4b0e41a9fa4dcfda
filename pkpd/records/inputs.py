"""The inputs of the model at each record: drawn, then as the covariates and parameters of the row say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from pkpd.errors import fail
from pkpd.model.model import Model
from pkpd.parameters.bind import bind, line_for
from pkpd.parameters.bounds import allowed, beyond, cannot, in_use
from pkpd.parameters.covariates import Covariate
from pkpd.parameters.draw import draw, effect_of
from pkpd.parameters.parameters import Parameters, Value
from pkpd.parameters.population import Population
from pkpd.records.rows import Rows
from pkpd.records.table import Faults, Table


def covariates_read(parameters: Parameters, given: Collection[str]) -> frozenset[str]:
    """The covariates that effects on parameters read, and those that they follow if the table lacks them."""
    effects = {c.name: c.effect for c in parameters.covariates}
    todo = [v.effect for v in parameters.values]
    read: set[str] = set()
    while todo:
        effect = todo.pop()
        new = {n for n, _ in effect.reference} - read - {"COPY"} if effect is not None else set()
        read |= new
        todo += [effects[n] for n in new if n in effects and n not in given]
    return frozenset(read)


def row_inputs(
    table: Table,
    rows: Rows,
    model: Model,
    parameters: Parameters,
    seed: int | str,
    typical: bool,
    backward: bool,
    faults: Faults,
) -> tuple[Population, np.ndarray, dict[str, np.ndarray]]:
    """The patients at their first row; the model's inputs (row, input) and the covariates (row) at every row.

    A covariate of the table replaces the patient's own, and the parameters that depend on it follow;
    covariates that follow it do so as it is at the first row. A typical patient has no spread, and the
    covariates that the table does not give stand at each effect's reference. A missing value is the row's
    before it, or, backward, the next one's.
    """
    given = {
        n: _carried(table, n, rows, backward, faults, parameters.register)
        for n in table.cells
        if n in model.inputs or n in parameters.register
    }
    told = {n: v for n, v in given.items() if n not in model.inputs}
    _check_plausible(told, parameters.register, faults)
    bound = bind(parameters, model)
    effects = {v.name: v for v in bound.values if v.effect is not None}
    plain = _without_effects(bound, typical)
    people = draw(model, plain, len(rows.ids), seed, covariates={n: v[rows.first] for n, v in told.items()})
    inputs = people.inputs[rows.patient]
    features = {} if typical else {n: v[rows.patient] for n, v in people.covariates.items()}
    features |= told
    for column, name in enumerate(model.inputs):
        value = effects.get(line_for(name))
        if value is not None:
            inputs[:, column] *= _factor(value, name, features, typical, table.where)
        if name in given:
            inputs[:, column] = given[name]
    first = {n: v[rows.first] for n, v in features.items()}
    people = replace(people, inputs=inputs[rows.first], covariates={**people.covariates, **first})
    return people, inputs, features


def _without_effects(bound: Parameters, typical: bool) -> Parameters:
    """Parameters whose covariates change nothing; typical, without spread too."""
    plain = replace(bound, values=tuple(replace(v, effect=None) for v in bound.values))
    if not typical:
        return plain
    return replace(
        plain,
        correlations=(),
        values=tuple(replace(v, spread=None, copies=None) for v in plain.values),
        covariates=tuple(replace(c, spread=None) for c in plain.covariates),
    )


def _factor(
    value: Value, name: str, features: dict[str, np.ndarray], typical: bool, where: str
) -> np.ndarray:
    """What covariates make of an input at each row; typical, one that is not given is at its reference."""
    assert value.effect is not None
    known = {**({n: np.array([v]) for n, v in value.effect.reference} if typical else {}), **features}
    lack = [n for n, _ in value.effect.reference if n != "COPY" and n not in known]
    if lack:
        raise fail(
            where,
            f"{name} depends on {', '.join(lack)}, which neither the table nor the parameters give",
            f"add a column {lack[0]}, or put {lack[0]} under [covariates] of a parameter file",
        )
    return effect_of(value, name, known)


def _check_plausible(
    covariates: dict[str, np.ndarray], register: Mapping[str, Covariate], faults: Faults
) -> None:
    for name, values in covariates.items():
        c = register[name]
        faults.add(
            np.flatnonzero(~c.fits(values)),
            name,
            lambda r, v=values, c=c: f"{v[r]:g} {c.unit} is not plausible ({c.plausible})",
            f"give {c.text} in {c.unit}, or rename the column",
        )
    faults.raise_all()


def check_inputs(model: Model, inputs: np.ndarray, faults: Faults) -> None:
    """Refuses inputs (row, input) that the model's parameters cannot be."""
    for p, bad in cannot(in_use(model), inputs):
        own = inputs[:, model.inputs.index(p.name)]
        faults.add(
            bad,
            p.name,
            lambda r, p=p, own=own: beyond(p, own[r]),
            f"mend the value; {allowed(p, float(own[bad[0]]))}",
        )
    faults.raise_all()


def _carried(
    table: Table, name: str, rows: Rows, backward: bool, faults: Faults, register: Mapping[str, Covariate]
) -> np.ndarray:
    """A column whose missing values are those of the patient's row before; backward, of the next row."""
    values = table.numbers(name, faults, np.nan)
    index, there = np.arange(len(values)), ~np.isnan(values)
    known = np.maximum.accumulate(np.where(there, index, -1))
    if backward:
        later = np.minimum.accumulate(np.where(there, index, len(values))[::-1])[::-1]
        ends = np.append(rows.first[1:], len(values))[rows.patient]
        known = np.where(later < ends, later, known)
    first = rows.first[rows.patient]
    missing = np.flatnonzero(known < first)
    what, remedy = (
        ("is missing on all of the patient's rows", "give it")
        if backward
        else ("is missing on the patient's first row", "give it there; later rows carry it on")
    )
    faults.add(missing[missing == first[missing]], name, what, remedy)
    return np.where(known < first, register[name].low if name in register else 0.0, values[known])
