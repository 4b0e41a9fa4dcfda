"""Optional modules of the tumour-immune system: alone and in pairs they keep what the core keeps, and take
nothing when off.
"""

import json
from functools import lru_cache
from itertools import combinations

import numpy as np
import pytest

from pkpd.content import library
from pkpd.model.check import check_model
from pkpd.model.compose import load_model, model_file, parse_model
from pkpd.model.expression import evaluate
from pkpd.model.model import Model
from pkpd.model.symbolic import closed, conserved
from pkpd.parameters.bind import line_for
from pkpd.parameters.draw import draw, typical
from pkpd.parameters.sets import load_parameters
from pkpd.simulation.run import simulate, start_states

CORE, FULL = (
    library.read("model", f"systems/{n}").data["parts"] for n in ("crlm_immune", "crlm_immune_full")
)
ADDED = {name: part for name, part in FULL.items() if name not in CORE}
LIGHT = {
    k: {**p, "n": 1} if "n" in p else p
    for k, p in CORE.items()
    if k not in ("occult", "surveillance", "imaging", "hazard") and not k.startswith(("egfr", "release"))
}


def modules() -> dict[str, dict[str, dict]]:
    """The lines that each module adds: its own, and the couplings that join them."""
    found: dict[str, dict[str, dict]] = {}
    for name, part in ADDED.items():
        if not part["use"].startswith("couplings/"):
            found.setdefault(part["use"], {})[name] = part
    for lines in found.values():
        joined = {
            n: p
            for n, p in ADDED.items()
            if p["use"].startswith("couplings/") and set(p.values()) & set(lines)
        }
        lines |= joined
    return found


MODULES = modules()
PAIRS = list(combinations(MODULES, 2))


def system(parts: dict[str, dict], *names: str) -> Model:
    """A system of parts and the lines of some modules, from its text."""
    lines = ["[model]", 'title = "a core with modules"', 'time = "day"', "[parts]"]
    for name, part in {**parts, **{k: p for m in names for k, p in MODULES[m].items()}}.items():
        lines.append(f"{name} = {{ {', '.join(f'{k} = {json.dumps(v)}' for k, v in part.items())} }}")
    return parse_model("\n".join(lines))


@lru_cache
def core() -> Model:
    return system(CORE)


@lru_cache
def defaults() -> dict[str, float]:
    return {v.name: v.value for v in load_parameters((), load_model("crlm_immune_full")).values}


def evaluated(model: Model, values: dict) -> tuple[dict, np.ndarray]:
    """Everything a model computes at some points, and its rates (state, point)."""
    values = dict(values)
    with np.errstate(all="ignore"):
        for row in (*model.variables, *model.flows):
            values[f"{row.name} (flow)" if row in model.flows else row.name] = evaluate(row.tree, values, np)
        starts = {f"{c.name} (start)": evaluate(c.start, values, np) for c in model.compartments}
    total = np.zeros((len(model.states), np.size(next(iter(values.values())))))
    for flow in model.flows:
        rate = values[f"{flow.name} (flow)"]
        if flow.source:
            total[model.states.index(flow.source)] -= rate
        if flow.target:
            total[model.states.index(flow.target)] += rate * float(flow.gain)
    return values | starts, total


def with_and_without(model: Model, values: dict[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """The rates of the core's states in a larger system and in the core alone."""
    both = [
        dict(zip(m.states, evaluated(m, {n: values[n] for n in names(m)})[1][:, 0].tolist(), strict=True))
        for m in (model, core())
    ]
    return {n: both[0][n] for n in core().states}, both[1]


def names(model: Model) -> tuple[str, ...]:
    return *model.states, *model.inputs


def point(model: Model, seed: int = 3) -> dict[str, float]:
    """A point between 0.2 and 0.6; a name has the same number in every system."""
    return {n: float(np.random.default_rng([seed, *n.encode()]).uniform(0.2, 0.6)) for n in names(model)}


def test_the_full_system_is_the_core_and_modules_whose_strength_can_be_set():
    assert {k: FULL[k] for k in CORE if k in FULL} == CORE
    assert {k for lines in MODULES.values() for k in lines} == set(ADDED)
    for use in MODULES:
        file = model_file(use)
        reaches = any("." in f.source + f.target for f in file.flows)
        assert ("STRENGTH" in {p.name for p in file.parameters}) == reaches, use


@pytest.mark.parametrize("use", MODULES)
def test_a_module_of_no_strength_leaves_every_rate_of_the_core_as_it_is(use):
    """Whatever the states of the module are, and whatever treatment is on."""
    model = system(CORE, use)
    values = {n: 0.0 if n.endswith(".STRENGTH") else x for n, x in point(model).items()}
    own, alone = with_and_without(model, values)
    assert own == alone


@pytest.mark.parametrize("use", MODULES)
def test_without_tumour_and_treatment_a_module_leaves_the_core_as_it_is(use):
    model = system(CORE, use)
    values = point(model) | {
        n: 0.0 for n in names(model) if n.split(".")[0] in ("hepatic", "extrahepatic", "effect", "therapy")
    }
    added = {n: defaults()[line_for(n)] for n in model.inputs if n not in core().inputs}
    values |= added | {
        c.name: float(evaluate(c.start, added, np)) for c in model.compartments if c.name not in core().states
    }
    own, alone = with_and_without(model, values)
    assert own == pytest.approx(alone, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("pair", PAIRS, ids=" ".join)
def test_two_modules_go_together(pair):
    """Units fit, no rule finds an issue, every parameter changes something, no amount falls below zero,
    totals are kept.
    """
    model = system(LIGHT, *pair)
    assert [str(i) for i in check_model(model)] == []
    base, states, inputs = point(model), list(model.states), list(model.inputs)
    columns = 1 + len(inputs) + len(states)
    values = {n: np.full(columns, x) for n, x in base.items()}
    for i, name in enumerate(inputs):
        values[name][1 + i] *= 1.1
    for j, name in enumerate(states):
        values[name][1 + len(inputs) + j] = 0.0
    seen, rates = evaluated(model, values)
    table = np.array([np.broadcast_to(x, columns) for n, x in seen.items() if n not in base])
    assert [n for i, n in enumerate(inputs) if np.all(table[:, 1 + i] == table[:, 0])] == []
    empty = {n: 1 + len(inputs) + j for j, n in enumerate(states)}
    out = {f.name: seen[f"{f.name} (flow)"][empty[f.source]] for f in model.flows if f.source}
    assert {n: x for n, x in out.items() if x != 0} == {}
    assert [n for j, n in enumerate(states) if rates[j, empty[n]] < -1e-12] == []
    whole = closed(model)
    _, kept = evaluated(whole, {n: base.get(n, 0.0) for n in names(whole)})
    totals = np.array([[float(t.get(s, 0)) for s in whole.states] for t in conserved(whole)])
    assert totals.any(axis=1).all() and np.max(np.abs(totals @ kept)) < 1e-12


def test_with_every_module_off_the_core_runs_its_course():
    alone, full = load_model("crlm_immune"), load_model("crlm_immune_full")
    runs = []
    for model in (alone, full):
        people = draw(model, load_parameters((), model), 8, seed=5, covariates={"ELSEWHERE": 2})
        off = {n: 0.0 for n in model.inputs if n.endswith(".STRENGTH")}
        runs.append(
            simulate(
                model, people.with_inputs({**off, "therapy.PD1": 0.9}), None, [0.0, 90.0, 258.0], rtol=1e-8
            )
        )
    for name in alone.states:
        assert runs[1][name] == pytest.approx(runs[0][name], rel=1e-5, abs=1e-7), name


def test_every_state_of_a_module_starts_where_it_stays_without_tumour():
    """At typical values, no tumour and an empty priming drive."""
    model = load_model("crlm_immune_full")
    one = typical(model, load_parameters((), model))
    start = start_states(model, one)[0]
    values = dict(zip(names(model), [*start, *one.inputs[0]], strict=True))
    values |= {n: 0.0 for n in names(model) if n.split(".")[0] in ("hepatic", "extrahepatic")} | {
        "systemic.priming": 0.0
    }
    _, rates = evaluated(model, values)
    own = {n: float(r[0]) for n, r in zip(model.states, rates, strict=True) if n not in core().states}
    assert own == pytest.approx(dict.fromkeys(own, 0.0), abs=1e-15)
