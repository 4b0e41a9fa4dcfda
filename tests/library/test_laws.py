"""Laws that every model, parameter file and regimen of the library obeys."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from pkpd.content import library, units
from pkpd.content.fields import SEEN
from pkpd.content.references import bibliography
from pkpd.errors import ContentError
from pkpd.model.check import check_model
from pkpd.model.compose import load_model, model_file
from pkpd.model.expression import evaluate
from pkpd.model.model import Model
from pkpd.model.symbolic import closed, conserved
from pkpd.parameters.bind import bind
from pkpd.parameters.draw import draw
from pkpd.parameters.population import Population
from pkpd.parameters.sets import load_parameters
from pkpd.regimen.doses import BASES
from pkpd.regimen.lowering import cycles, lower
from pkpd.regimen.reading import load_regimen, read_regimen
from pkpd.regimen.regimen import Regimen
from pkpd.regimen.schedule import SET, Schedule, nothing, settings
from pkpd.simulation.run import simulate, start_states
from pkpd.simulation.simulation import Simulation
from pkpd.solve.batch import solve_population
from pkpd.solve.rates import right_hand_side
from pkpd.solve.reference import solve_patient

NAMES = library.names("model")
FILES = {n: model_file(n) for n in NAMES}
SYSTEMS = [n for n in NAMES if n.startswith("systems/")]
DRUGS = [n for n in NAMES if n.startswith("drugs/")]
WHOLE = [*DRUGS, *SYSTEMS]
SETS = library.names("parameters")
PATIENT_SETS = [s for s in SETS if not library.read("parameters", s).data["parameters"].get("model")]
REGIMENS = library.names("regimen")
RATE = "effect.RATE"
SATURABLE = {"VMAX"}  # where it is not zero, elimination saturates
PATIENTS = 3
DAYS = np.array([0, 0.04, 2 / 24, 0.1, 0.5, 1, 1.1, 2, 4, 9, 13.9, 14.05, 14.5, 15.1, 16, 20, 30, 45, 60])


def alone() -> dict[str, Model]:
    """Every library model that can be composed by itself."""
    found = {}
    for name in NAMES:
        try:
            found[name] = load_model(name)
        except ContentError:
            continue
    return found


MODELS = alone()


def used_by(name: str) -> list[str]:
    return [s for s in SYSTEMS if any(p.use == name for p in FILES[s].parts)]


AMOUNTS = {"mg": "200 mg", "umol": "500 umol", "GBq": "2 GBq", "Gy": "10 Gy"}


def doses(model: Model, factor: float = 1.0) -> Regimen | None:
    """A bolus on day 1 and an infusion on day 2 into everything that can be dosed; none if nothing can."""
    lines = []
    for c in model.compartments:
        if c.dose is not None:
            number, unit = AMOUNTS[c.unit].split()
            line = {"drug": c.name, "amount": f"{float(number) * factor} {unit}", "at": "1 hour"}
            line |= {"form": c.dose.forms[0][0]} if c.dose.forms else {}
            lines += [line, {**line, "days": [2], "over": "2 hour"}]
    data = {"regimen": {"title": "test doses", "cycle": "14 day"}, "doses": lines}
    return read_regimen(data, "laws", "laws") if lines else None


def patients(name: str, n: int = PATIENTS) -> Population:
    return draw(MODELS[name], load_parameters(model=MODELS[name]), n, seed=20, study="laws")


def events(name: str, people: Population, years: bool = False) -> Schedule:
    """Two cycles of the test doses; a kill rate that records set where that is what drives a system."""
    model, n = MODELS[name], len(people)
    regimen = doses(model)
    if regimen is not None:
        return lower(regimen, model, people, cycles(regimen, model, 2))
    if RATE not in model.inputs:
        return nothing(n)
    days = np.array([[0.0, 2.0, 14.0, 16.0, 90.0, 200.0] if years else [0.0, 2.0, 14.0, 16.0, 28.0, 30.0]])
    rate = np.array([[0.5, 0.02, 0.4, 0.0, 0.05, 0.0]])
    return settings(n, model.inputs.index(RATE), np.repeat(days, n, 0), np.repeat(rate, n, 0))


def grid(name: str) -> np.ndarray:
    return DAYS * float(units.ratio("day", MODELS[name].time))


@lru_cache
def dosed(name: str, rtol: float = 1e-6) -> Simulation:
    people = patients(name)
    return simulate(MODELS[name], people, events(name, people), grid(name), rtol=rtol)


def agrees(x: np.ndarray, other: np.ndarray, scale: np.ndarray) -> float:
    """The largest difference (time, state), relative, with a floor of a thousandth of each state's peak."""
    return float(
        np.max(np.abs(x - other) / (np.abs(other) + 1e-3 * np.abs(other).max(axis=0) + 1e-9 * scale))
    )


def scales(model: Model) -> np.ndarray:
    return np.array([c.scale or 1.0 for c in model.compartments])


# --- every file -------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_model_file_stands_alone_or_is_used_by_a_system(name):
    assert name in MODELS or used_by(name)


@pytest.mark.parametrize("name", [n for n in NAMES if FILES[n].joins])
def test_a_file_that_joins_others_cannot_stand_alone_and_is_used_by_a_system(name):
    assert name not in MODELS
    assert used_by(name)


@pytest.mark.parametrize("name", WHOLE)
def test_every_drug_and_system_composes(name):
    assert MODELS[name].states


@pytest.mark.parametrize("name", sorted(MODELS))
def test_no_rule_finds_an_issue(name):
    assert [str(i) for i in check_model(MODELS[name])] == []


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_declared_parameter_changes_a_rate_a_variable_a_start_or_a_dose(name):
    model = MODELS[name]
    rng = np.random.default_rng(7)
    state, inputs = rng.uniform(0.2, 0.8, len(model.states)), rng.uniform(0.2, 0.8, len(model.inputs))
    dose = {n for c in model.compartments if c.dose for n in c.dose.names()}

    def seen(p: np.ndarray) -> np.ndarray:
        values = dict(zip(model.states, state, strict=True)) | dict(zip(model.inputs, p, strict=True))
        for v in model.variables:
            values[v.name] = evaluate(v.tree, values, np)
        starts = [evaluate(c.start, values, np) for c in model.compartments]
        return np.array(
            [
                *right_hand_side(model, state, p, np.zeros(len(state))),
                *(values[v.name] for v in model.variables),
                *starts,
            ],
            dtype=float,
        )

    for i, parameter in enumerate(model.inputs):
        moved = inputs.copy()
        moved[i] *= 1.1
        assert parameter in dose or np.any(seen(moved) != seen(inputs)), parameter


# --- mass -------------------------------------------------------------


def weights(model: Model) -> np.ndarray:
    return np.array([[float(total.get(s, 0)) for s in model.states] for total in conserved(model)])


def given(model: Model, people: Population) -> np.ndarray:
    """The amount that one cycle of the test doses brings to each state (patient, state)."""
    total = np.zeros((len(people), len(model.states)))
    for i, c in enumerate(model.compartments):
        if c.dose is not None:
            total[:, i] = 2 * float(AMOUNTS[c.unit].split()[0])
            for fraction in (c.dose.bioavailability, c.dose.forms[0][1] if c.dose.forms else ""):
                total[:, i] *= people[fraction] if fraction else 1.0
    return total


def solved_closed(name: str, times: np.ndarray) -> np.ndarray:
    """States (patient, time, state) of the closed model; a system's by the yardstick, which
    compiles nothing.
    """
    model, people = closed(MODELS[name]), patients(name)
    start = np.zeros((PATIENTS, len(model.states)))
    start[:, : len(MODELS[name].states)] = start_states(MODELS[name], people)
    schedule = events(name, people)
    if name in DRUGS:
        out, status, *_ = solve_population(
            model, start, people.inputs, schedule, np.tile(times, (PATIENTS, 1)), np.zeros(PATIENTS)
        )
        assert not status.any()
        return out
    return solve_patient(model, start[0], people.inputs[0], schedule, 0, times, rtol=1e-9)[None]


@pytest.mark.parametrize("name", WHOLE)
def test_totals_of_the_closed_model_change_by_the_doses_alone(name):
    model = closed(MODELS[name])
    totals = weights(model)
    days, done = (
        np.array([0.0, 2.0, 9.0, 16.0, 30.0]),
        np.array([0, 1, 1, 2, 2]),
    )  # cycles whose infusions ended
    if name in SYSTEMS:
        days, done = days[:3], done[:3]
    out = solved_closed(name, days * float(units.ratio("day", model.time)))
    expected = np.repeat(out[:, :1] @ totals.T, len(days), axis=1)
    dose = given(model, patients(name))[: len(out)] @ totals.T
    expected = expected + done[:, None] * dose[:, None, :]
    size = (np.abs(out) @ np.abs(totals).T).max(axis=1, keepdims=True)
    assert totals.any(axis=1).all() and len(totals)
    assert np.max(np.abs(out @ totals.T - expected) / np.where(size > 0, size, 1.0)) < 1e-8


@pytest.mark.parametrize("name", WHOLE)
def test_every_dosed_compartment_counts_in_a_total_of_the_closed_model(name):
    model = closed(MODELS[name])
    totals = weights(model)
    assert all(totals[:, i].any() for i, c in enumerate(model.compartments) if c.dose is not None)


# --- what the solution must be ----------------------------------------


@pytest.mark.parametrize("name", WHOLE)
def test_no_dose_means_no_drug_and_no_kill(name):
    model = MODELS[name]
    bare = {p.name for p in model.parts if p.use.startswith(("drugs/", "links/", "local/"))}
    quiet = [s for s in model.states if not model.parts or s.split(".")[0] in bare]
    assert quiet
    solved = simulate(model, patients(name), None, grid(name))
    assert all(np.all(solved[s] == 0) for s in quiet)
    if "effect.given" in model.states:
        assert np.all(solved["effect.given"] == 0) and np.all(solved["effect.rate"] == 0)


def sizes(model: Model, names: tuple[str, ...], factor: float) -> np.ndarray:
    """By what quantities change where masses and amounts of substance are counted in a unit so many times
    smaller.
    """
    dims = [dict(units.parse_unit(model.unit(n)).dims) for n in names]
    return np.array([factor ** float(d.get("kilogram", 0) + d.get("mole", 0)) for d in dims])


@pytest.mark.parametrize("factor", [1e-9, 1e9])
@pytest.mark.parametrize("name", WHOLE)
def test_other_units_of_amount_change_nothing(name, factor):
    model, usual = MODELS[name], dosed(name)
    states, inputs = sizes(model, model.states, factor), sizes(model, model.inputs, factor)
    s = usual.schedule
    value = s.value * np.where(s.kind == SET, inputs[s.index % len(inputs)], states[s.index % len(states)])
    people = replace(usual.population, inputs=usual.population.inputs * inputs)
    model = replace(
        model,
        compartments=tuple(
            replace(c, scale=c.scale and c.scale * x) for c, x in zip(model.compartments, states, strict=True)
        ),
    )
    other = simulate(model, people, replace(s, value=value), grid(name)).states / states
    size = np.abs(usual.states) + 1e-3 * np.abs(usual.states).max(axis=1, keepdims=True)
    assert np.max(np.abs(other - usual.states) / np.where(size > 0, size, 1.0)) < 1e-5


@pytest.mark.parametrize("name", WHOLE)
def test_both_engines_give_the_same_answer(name):
    model, solved = MODELS[name], dosed(name, 1e-7)
    start = start_states(model, solved.population)
    for i in range(PATIENTS if name in DRUGS else 1):
        yardstick = solve_patient(
            model, start[i], solved.population.inputs[i], solved.schedule, i, solved.times[i], rtol=1e-9
        )
        assert agrees(solved.states[i], yardstick, scales(model)) < 1e-5


@pytest.mark.parametrize("name", [n for n in SYSTEMS if RATE in MODELS[n].inputs])
def test_both_engines_agree_on_two_years_of_recorded_kill(name):
    model, people = MODELS[name], patients(name, 1)
    schedule = events(name, people, years=True)
    times = np.array([0.0, 1.0, 14.0, 15.0, 60.0, 120.0, 200.0, 400.0, 730.0])
    solved = simulate(model, people, schedule, times, rtol=1e-7)
    start = start_states(model, people)
    yardstick = solve_patient(model, start[0], people.inputs[0], schedule, 0, times, rtol=1e-10)
    assert agrees(solved.states[0], yardstick, scales(model)) < 1e-5


@pytest.mark.parametrize("name", WHOLE)
def test_halving_the_tolerance_changes_nothing_seen(name):
    model, usual, finer = MODELS[name], dosed(name), dosed(name, 5e-7)
    for seen in (*model.states, *(v.name for v in model.variables)):
        a, b = usual[seen], finer[seen]
        assert np.all(
            np.abs(a - b) <= 1e-4 * (np.abs(b) + 1e-3 * np.abs(b).max(axis=1, keepdims=True)) + 1e-9
        ), seen


@pytest.mark.parametrize("name", WHOLE)
def test_no_amount_goes_below_zero(name):
    """Every state but those carried as a logarithm, which say so in their text."""
    solved = dosed(name)
    amounts = [i for i, c in enumerate(solved.model.compartments) if not c.text.startswith("logarithm")]
    assert solved.states[:, :, amounts].min() >= -1e-9


@pytest.mark.parametrize("name", WHOLE)
def test_every_variable_of_a_dosed_patient_is_finite(name):
    solved = dosed(name)
    assert all(np.all(np.isfinite(solved[v.name])) for v in solved.model.variables)


@lru_cache
def course(name: str, factor: float) -> Simulation:
    """The test doses times a factor in one patient, at 1e-9."""
    model, people = MODELS[name], patients(name, 1)
    regimen = doses(model, factor)
    assert regimen is not None
    schedule = lower(regimen, model, people, cycles(regimen, model, 1))
    return simulate(model, people, schedule, grid(name)[1:12], rtol=1e-9)


@pytest.mark.parametrize("name", DRUGS)
def test_a_dose_moves_every_compartment(name):
    run = course(name, 1.0)
    assert np.all(np.abs(run.states[0]).max(axis=0) > 0)
    assert run["Cc"].max() > 0


@pytest.mark.parametrize("name", DRUGS)
def test_twice_the_dose_is_twice_the_concentration_unless_elimination_saturates(name):
    once, twice = (course(name, f)["Cc"][0] for f in (1.0, 2.0))
    if SATURABLE & {n for n in MODELS[name].inputs if np.any(patients(name, 1)[n] > 0)}:
        assert np.all(twice >= 2 * once - 1e-6 * once.max()) and np.any(
            twice > 2.02 * once + 1e-6 * once.max()
        )
    else:
        assert twice == pytest.approx(2 * once, rel=1e-6, abs=1e-9 * once.max())


# --- parameter files --------------------------------------------------


@pytest.mark.parametrize("name", [s for s in SETS if s not in PATIENT_SETS])
def test_every_parameter_set_loads_bound_to_its_model(name):
    own = load_parameters(name)
    assert own.model in NAMES
    model = MODELS.get(own.model)
    bound = load_parameters(name, model, host=None) if model else bind(own, FILES[own.model])
    assert {v.name for v in bound.values} and bound.model == own.model
    assert all(v.unit for v in (*bound.values, *bound.covariates))


@pytest.mark.parametrize("name", SETS)
def test_every_value_says_where_it_was_seen_and_its_source_is_in_the_bibliography(name):
    known, own = bibliography(), load_parameters(name)
    assert own.reference in known, "add the paper to parameters/references.bib"
    for v in (*own.values, *own.covariates):
        assert v.where.strip(), f"{v.name} says no place: where = …"
        assert v.seen in SEEN and v.seen != "user", f"{v.name} does not say how it was seen: seen = …"
        assert v.source in known, f"{v.name}: {v.source!r} is not in parameters/references.bib"
    for c in own.correlations:
        assert c.where.strip() and c.seen in SEEN and c.seen != "user", c.of


@pytest.mark.parametrize("name", [n for n in NAMES if FILES[n].reference])
def test_every_reference_of_a_model_is_in_the_bibliography(name):
    assert FILES[name].reference in bibliography()


@pytest.mark.parametrize("name", WHOLE)
def test_every_drug_and_system_has_one_default_parameter_set(name):
    heads = [library.read("parameters", s).data["parameters"] for s in SETS]
    assert sum(h.get("model") == name and h.get("default") is True for h in heads) == 1


def test_a_set_without_a_model_is_a_set_of_patients_who_can_be_drawn():
    assert PATIENT_SETS == ["patients_crc"]
    own = load_parameters("patients_crc")
    assert own.covariates and not own.values and all(c.unit for c in own.covariates)


@pytest.mark.parametrize(
    "name", [s for s in SETS if s not in PATIENT_SETS and load_parameters(s).model in DRUGS]
)
def test_every_drug_is_given_to_the_same_patients_but_for_what_is_a_matter_of_the_drug(name):
    home, own = load_parameters("patients_crc").covariates, load_parameters(name).covariates
    strange = {c.name for c in {*home} ^ {*own}} - {"ADA"}
    assert not strange, f"{sorted(strange)}: a covariate of patients belongs in parameters/patients_crc.toml"


@pytest.mark.parametrize(
    "name", [n for n in NAMES if FILES[n].parameters and not n.startswith("structures/")]
)
def test_every_model_with_parameters_has_a_set_that_fills_it(name):
    assert any(load_parameters(s).model == name for s in SETS)


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("structures/")])
def test_every_structure_is_what_a_drug_is_like(name):
    assert any(library.read("model", d).data["model"].get("like") == name for d in (*DRUGS, *NAMES))


# --- regimens ---------------------------------------------------------


def received_by(drugs: tuple[str, ...]) -> list[str]:
    """The systems and drugs of the library that can receive a regimen's drugs."""

    def takes(name: str) -> bool:
        return all(
            any(
                c.dose is not None and d in (c.name, c.name.rsplit(".", 1)[0])
                for c in MODELS[name].compartments
            )
            or drugs == (name.removeprefix("drugs/"),)
            for d in drugs
        )

    return [n for n in WHOLE if takes(n)]


@pytest.mark.parametrize("name", REGIMENS)
def test_every_drug_of_a_regimen_is_a_drug_of_the_library_or_a_dosed_part_of_a_system(name):
    for drug in load_regimen(name).drugs:
        assert f"drugs/{drug}" in DRUGS or received_by((drug,)), drug


@pytest.mark.parametrize("name", DRUGS)
def test_every_drug_is_given_by_a_regimen(name):
    assert any(name.removeprefix("drugs/") in load_regimen(r).drugs for r in REGIMENS)


@pytest.mark.parametrize("name", REGIMENS)
def test_every_regimen_has_a_title_a_known_reference_and_doses_scaled_by_a_known_covariate(name):
    regimen = load_regimen(name)
    assert regimen.title and regimen.reference in bibliography()
    assert all(d.amount > 0 and d.per in ("", *BASES.values()) for d in regimen.doses)


def test_a_schedule_without_doses_is_the_same_as_none():
    name = "drugs/oxaliplatin"
    people = patients(name)
    a, b = (simulate(MODELS[name], people, s, grid(name)) for s in (None, nothing(PATIENTS)))
    assert np.array_equal(a.states, b.states)
