"""Sensitivities against central differences for every kind of event, against closed forms, and one by one."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pkpd import (
    Parameters,
    Population,
    Records,
    cycles,
    draw,
    load_model,
    load_parameters,
    load_regimen,
    lower,
    parse_model,
    read_records,
    removal,
    sensitivity,
    simulate,
)
from pkpd.errors import ContentError, SimulationError
from pkpd.parameters.parameters import Value
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.regimen import Regimen
from pkpd.regimen.schedule import ASSIGN, SET, Schedule, packed, settings
from pkpd.simulation.sensitivities import Sensitivity

MODEL = parse_model(
    """[model]
title = "A depot, a drug that leaves in two ways, and its effect"
time = "hour"
[parameters]
CL = { unit = "L/hour" }
V = { unit = "L" }
KA = { unit = "1/hour" }
VM = { unit = "mg/hour" }
KM = { unit = "mg" }
EC50 = { unit = "mg/L" }
GAMMA = { unit = "1" }
BASE = { unit = "mg" }
LAG = { unit = "hour" }
F = { unit = "1" }
R = { unit = "mg/hour" }
D = { unit = "min" }
[compartments]
depot = { unit = "mg", dose = { lag = "LAG", bioavailability = "F", rate = "R", duration = "D" } }
central.unit = "mg"
central.start = "BASE"
central.dose = { lag = "LAG", bioavailability = "F", rate = "R", duration = "D" }
effect = { unit = "1", start = "hill(BASE, KM, GAMMA)" }
[variables]
Cc = { unit = "mg/L", is = "central / V" }
drive = { unit = "1/hour", is = "CL / V * hill(Cc, EC50, GAMMA)" }
[flows]
absorption = { from = "depot", to = "central", rate = "KA * depot" }
elimination = { from = "central", rate = "CL * Cc" }
saturable = { from = "central", rate = "VM * central / (KM + central)" }
onset = { to = "effect", rate = "drive * (2 - effect)" }
fading = { from = "effect", rate = "0.4 * CL / V * effect" }
""",
    "drug",
)
VALUES = {
    "CL": 3.1,
    "V": 9.7,
    "KA": 1.3,
    "VM": 2.9,
    "KM": 17.0,
    "EC50": 1.9,
    "GAMMA": 2.2,
    "BASE": 1.7,
    "LAG": 0.7,
    "F": 0.83,
    "R": 7.3,
    "D": 138.0,
}
SEEN = ("depot", "central", "effect", "Cc", "drive")
TIMES = np.array([0.0, 0.25, 1.1, 2.6, 4.0, 7.1, 13.3, 26.0])
NAMES = tuple(VALUES)
STEPS = ((1, 8), (-1, -8), (2, -1), (-2, 1))  # of a central difference of order four, in twelfths


def people(n: int = 1, **other) -> Population:
    return Population(MODEL.inputs, np.tile([VALUES[p] for p in MODEL.inputs], (n, 1)), {}).with_inputs(other)


def moved(base: Population, share: float = 1e-3) -> tuple[Population, np.ndarray]:
    """A patient with each input moved in turn by some steps, and the steps (input,)."""
    step = share * base.inputs[0]
    rows = [base.inputs[0] + k * step[i] * np.eye(len(step))[i] for i in range(len(step)) for k, _ in STEPS]
    return Population(base.names, np.array(rows), {}), step


def differences(values: np.ndarray, step: np.ndarray) -> np.ndarray:
    """The central differences (…, time, input) of values (…, patient, time) of the patients above."""
    apart = values.reshape(*values.shape[:-2], len(step), len(STEPS), values.shape[-1])
    weights = np.array([w for _, w in STEPS]) / 12
    return np.moveaxis(np.tensordot(apart, weights, (-2, 0)), -2, -1) / step


def apart(found: Sensitivity, values: np.ndarray, step: np.ndarray) -> float:
    """The largest difference of any derivative, times its input, as a share of the quantity's
    largest value.
    """
    slopes = np.stack([found[name][0] for name in SEEN])
    size = np.array([np.abs(found.simulation[name]).max() for name in SEEN])
    return (
        np.abs(slopes - differences(values, step)) * step * 1e3 / np.maximum(size, 1e-6)[:, None, None]
    ).max()


def deviation(dosing, **other: float) -> float:
    """How far sensitivities are from central differences, for the events that `dosing` makes."""
    base = people(**other)
    found = sensitivity(MODEL, base, MODEL.inputs, dosing, TIMES, rtol=1e-9)
    around, step = moved(base)
    run = simulate(MODEL, around, dosing(around), TIMES, rtol=1e-12)
    return apart(found, np.stack([run[name] for name in SEEN]), step)


def given(*lines: tuple[str, float, float, float]):
    """A dosing by a regimen: compartment, amount, time and duration."""
    doses = tuple(
        DoseLine(drug=drug, amount=amount, unit="mg", per="", days=(1,), at=at / 24, over=over / 24)
        for drug, amount, at, over in lines
    )
    return lambda people: lower(Regimen("r", "", 14.0, doses), MODEL, people, np.zeros(1))


# --- every kind of event ----------------------------------------------

REGIMENS = {
    "nothing": [],
    "bolus": [("depot", 80, 0, 0)],
    "boluses": [("depot", 80, 0, 0), ("central", 30, 5, 0)],
    "infusion": [("central", 80, 0.2, 3)],
    "two infusions that overlap": [("central", 80, 0, 3), ("central", 50, 1.5, 2.5)],
    "infusion that begins when another ends": [("central", 80, 0, 3), ("central", 50, 3, 3)],
    "all at once": [
        ("depot", 80, 0, 0),
        ("depot", 80, 0.5, 4),
        ("central", 30, 1, 0),
        ("central", 50, 1.5, 2),
    ],
}


@pytest.mark.parametrize("lines", REGIMENS.values(), ids=REGIMENS)
def test_derivatives_through_a_regimen_are_central_differences(lines):
    assert deviation(given(*lines)) < 1e-8


def test_derivatives_go_through_a_removal():
    cut = {"central": 0.3, "effect": 0.0}
    doses = given(("depot", 80, 0, 0), ("central", 50, 1.5, 2))
    assert deviation(lambda p: doses(p) + removal(MODEL, 2.0, cut, len(p))) < 1e-8


def test_derivatives_by_an_input_end_where_another_value_takes_its_place():
    doses = given(("depot", 80, 0, 0), ("central", 50, 1.5, 2))

    def dosing(p: Population) -> Schedule:
        at = np.tile([1.0, 3.0], (len(p), 1))
        return doses(p) + settings(len(p), 0, at, np.tile([5.0, 1.0], (len(p), 1)))

    assert deviation(dosing) < 1e-8
    found = sensitivity(MODEL, people(), ["CL", "V"], dosing, TIMES)
    assert np.all(found["drive"][0, TIMES >= 1, 0] != 0) and np.all(found["CL"][0, :, 0] == (TIMES < 1))


def test_derivatives_follow_a_value_that_depends_on_a_parameter():
    def dosing(p: Population) -> Schedule:
        """At LAG the drug is what V holds at 3 mg/L, and at twice LAG the clearance is halved."""
        n, who = len(p), np.repeat(np.arange(len(p)), 2)
        time = np.stack([p["LAG"], 2 * p["LAG"]], axis=1).ravel()
        return packed(
            n,
            who,
            time,
            np.tile([ASSIGN, SET], n),
            np.tile([1, 0], n),
            np.stack([3 * p["V"], p["CL"] / 2], axis=1).ravel(),
        )

    assert deviation(dosing) < 1e-8


def table(rows: list[dict], inputs: np.ndarray) -> pd.DataFrame:
    """Records of a patient for each row of inputs, which stand in its first record."""
    seen = [{"TIME": t, "EVID": 0} for t in TIMES]
    one = pd.DataFrame([{"EVID": 1, **r} for r in rows] + seen).sort_values(
        "TIME", kind="stable", ignore_index=True
    )
    whole = pd.concat([one.assign(ID=i + 1) for i in range(len(inputs))], ignore_index=True)
    first = np.flatnonzero(whole["ID"].diff() != 0)
    for i, name in enumerate(MODEL.inputs):
        column = whole[name].to_numpy() if name in whole else np.full(len(whole), np.nan)
        column[first] = np.where(np.isnan(column[first]), inputs[:, i], column[first])
        whole[name] = column
    return whole


PARAMETERS = Parameters("p", "drug", "", values=tuple(Value(n, v, MODEL.unit(n)) for n, v in VALUES.items()))


def recorded(rows: list[dict], inputs: np.ndarray) -> Records:
    return read_records(table(rows, inputs), MODEL, PARAMETERS, typical=True)


def run_records(r: Records, rtol: float):
    return simulate(MODEL, r.population, r.schedule, r.times, begin=r.times[:, 0], places=r.places, rtol=rtol)


def records_deviation(rows: list[dict], **other: float) -> float:
    base = people(**other)
    one = recorded(rows, base.inputs)
    found = sensitivity(
        MODEL,
        one.population,
        MODEL.inputs,
        one.dosing,
        one.times,
        begin=one.times[:, 0],
        places=one.places,
        rtol=1e-9,
    )
    around, step = moved(base)
    run = run_records(recorded(rows, around.inputs), 1e-12)
    return apart(found, np.stack([run[name] for name in SEEN]), step)


RECORDS = {
    "bolus": [{"TIME": 0, "AMT": 80, "CMT": 1}],
    "additional doses": [{"TIME": 0.1, "AMT": 80, "CMT": 1, "ADDL": 3, "II": 4}],
    "rate given, duration by bioavailability": [{"TIME": 0, "AMT": 80, "RATE": 30, "CMT": 2}],
    "duration given": [{"TIME": 0, "AMT": 80, "DUR": 3, "CMT": 2}],
    "modelled rate": [{"TIME": 0, "AMT": 80, "RATE": -1, "CMT": 2}],
    "modelled duration": [{"TIME": 0, "AMT": 80, "RATE": -2, "CMT": 2}],
    "modelled rates that overlap": [{"TIME": 0, "AMT": 80, "RATE": -1, "CMT": 2, "ADDL": 3, "II": 3}],
    "modelled durations that overlap": [
        {"TIME": 0, "AMT": 80, "RATE": -2, "CMT": 2, "ADDL": 3, "II": 1.5},
        {"TIME": 1, "AMT": 20, "RATE": 9, "CMT": 2},
    ],
    "reset of a running infusion and a dose on its way": [
        {"TIME": 0, "AMT": 80, "RATE": -1, "CMT": 2},
        {"TIME": 2.8, "AMT": 20, "CMT": 1},
        {"TIME": 3, "EVID": 3},
    ],
    "reset and dose": [
        {"TIME": 0, "AMT": 80, "RATE": -2, "CMT": 2},
        {"TIME": 3, "EVID": 4, "AMT": 50, "CMT": 1},
    ],
    "clearance that changes": [{"TIME": 0, "AMT": 80, "CMT": 1}, {"TIME": 2, "EVID": 2, "CL": 5.0}],
    "lag and bioavailability that change": [
        {"TIME": 0, "AMT": 80, "CMT": 1, "ADDL": 2, "II": 4},
        {"TIME": 1, "AMT": 50, "CMT": 2, "LAG": 1.1, "F": 0.4},
    ],
}


@pytest.mark.parametrize("rows", RECORDS.values(), ids=RECORDS)
def test_derivatives_through_records_are_central_differences(rows):
    assert records_deviation(rows) < 1e-8


STEADY = {
    "boluses": [{"TIME": 0, "AMT": 80, "CMT": 1, "SS": 1, "II": 8}],
    "infusions of modelled rate": [{"TIME": 0, "AMT": 80, "RATE": -1, "CMT": 2, "SS": 1, "II": 12}],
    "infusions of modelled duration, each longer than the interval": [
        {"TIME": 0, "AMT": 20, "RATE": -2, "CMT": 2, "SS": 1, "II": 1.8, "ADDL": 2}
    ],
    "a steady state added": [
        {"TIME": 0, "AMT": 30, "CMT": 2},
        {"TIME": 1, "AMT": 80, "CMT": 1, "SS": 2, "II": 12},
    ],
    "an infusion without end": [{"TIME": 0, "RATE": -1, "CMT": 2, "SS": 1}],
}


@pytest.mark.parametrize("rows", STEADY.values(), ids=STEADY)
def test_derivatives_begin_with_those_of_a_steady_state(rows):
    assert records_deviation(rows, BASE=0.1) < 1e-8


@pytest.mark.parametrize("other", [{"LAG": 8.0}, {"LAG": 1.0, "D": 420.0}, {"LAG": 0.0, "D": 480.0}], ids=str)
def test_derivatives_of_a_steady_state_hold_where_a_dose_or_its_end_falls_on_the_record(other):
    """By differences to one side, as what is at the record itself jumps."""
    rows, names = [{"TIME": 0, "AMT": 80, "RATE": -2, "CMT": 2, "SS": 1, "II": 8}], ("LAG", "D")
    base = people(BASE=0.1, **other)
    one = recorded(rows, base.inputs)
    found = sensitivity(
        MODEL,
        one.population,
        names,
        one.dosing,
        one.times,
        begin=one.times[:, 0],
        places=one.places,
        rtol=1e-9,
    )
    step = np.array([2e-3, 0.1])
    inputs = np.repeat(base.inputs, 10, axis=0)
    for i, name in enumerate(names):
        inputs[5 * i : 5 * i + 5, MODEL.inputs.index(name)] += np.arange(5) * step[i]
    values = run_records(recorded(rows, inputs), 1e-12)["central"].reshape(2, 5, -1)
    expected = np.tensordot(values, np.array([-25, 48, -36, 16, -3]) / 12, (1, 0)) / step[:, None]
    later = one.times[0] > 0
    assert found["central"][0, later] == pytest.approx(expected.T[later], rel=1e-4, abs=1e-5)


# --- a whole system, a whole population -------------------------------


def test_parameters_of_drugs_links_and_tumours_of_the_library_s_system():
    model = load_model("systems/crlm_folfox")
    patients = draw(model, load_parameters(model=model), 3, seed=3)
    names = ("oxaliplatin.CL", "effect.GAMMA", "kill.1.SENS", "lesion.1.D0")
    regimen, times = load_regimen("folfox4"), np.array([0.05, 1.0, 1.5, 9.0, 16.0])
    seen = ("oxaliplatin.Cc", "effect.rate", "lesion.1.diameter", "occult.1.extinct")

    def dosing(p: Population) -> Schedule:
        return lower(regimen, model, p, cycles(regimen, model, 2))

    found = sensitivity(model, patients, names, dosing, times, rtol=1e-8)
    for k, name in enumerate(names):
        step = 1e-2 * patients[name][:, None]
        near = [
            simulate(model, p, dosing(p), times, rtol=1e-9)
            for p in (patients.with_inputs({name: patients[name] + m * step[:, 0]}) for m, _ in STEPS)
        ]
        for quantity in seen:
            slope = sum(w / 12 * run[quantity] for run, (_, w) in zip(near, STEPS, strict=True)) / step
            size = 1e-2 * np.abs(found.simulation[quantity]).max(axis=1, keepdims=True) / step
            assert np.all(np.abs(found[quantity][:, :, k] - slope) <= 1e-6 * size), (name, quantity)


def test_a_population_at_once_is_its_patients_one_by_one_bit_for_bit(monkeypatch):
    rng = np.random.default_rng(8)
    patients = Population(MODEL.inputs, people().inputs * rng.uniform(0.5, 2.0, (21, 12)), {})
    dosing, names = given(*REGIMENS["all at once"]), ["CL", "LAG", "GAMMA"]
    whole = sensitivity(MODEL, patients, names, dosing, TIMES)
    for i in (0, 13, 20):
        single = sensitivity(MODEL, patients.take(np.array([i])), names, dosing, TIMES)
        assert np.array_equal(single.slopes[0], whole.slopes[i])
        assert np.array_equal(single["drive"][0], whole["drive"][i])
    monkeypatch.setattr("pkpd.solve.batch._CHUNK", 5)
    monkeypatch.setenv("PKPD_THREADS", "7")
    assert np.array_equal(sensitivity(MODEL, patients, names, dosing, TIMES).slopes, whole.slopes)


def test_the_states_beside_the_derivatives_are_those_of_a_simulation():
    dosing = given(*REGIMENS["all at once"])
    found = sensitivity(MODEL, people(), ["V", "F"], dosing, TIMES, rtol=1e-9).simulation
    plain = simulate(MODEL, people(), dosing(people()), TIMES, rtol=1e-9)
    assert found.states == pytest.approx(plain.states, rel=1e-7, abs=1e-9) and np.array_equal(
        found.times, plain.times
    )


# --- how they are read ------------------------------------------------


def test_a_derivative_has_the_unit_of_its_quantity_over_that_of_its_parameter():
    found = sensitivity(MODEL, people(), ["CL", "GAMMA"], given(("central", 80, 0, 0)), TIMES)
    assert found.slopes.shape == (1, 8, 2, 3) and found["Cc"].shape == (1, 8, 2)
    assert found.unit("Cc", "CL") == "(mg/L)/(L/hour)" and found.unit("central", "GAMMA") == "(mg)/(1)"
    assert found["central"][0, :, 0] == pytest.approx(found.slopes[0, :, 0, 1], rel=1e-15)


def test_an_input_changes_with_itself_alone():
    found = sensitivity(MODEL, people(), ["CL", "V"], None, TIMES)
    assert np.array_equal(found["CL"][0], np.tile([1.0, 0.0], (8, 1)))


def test_a_schedule_alone_holds_its_doses_fixed():
    dosing = given(("central", 80, 0, 0))
    fixed = sensitivity(MODEL, people(), ["F", "LAG", "CL"], dosing(people()), TIMES)
    free = sensitivity(MODEL, people(), ["F", "LAG", "CL"], dosing, TIMES)
    assert np.all(fixed.slopes[:, :, :2] == 0) and np.any(free.slopes[:, :, :2] != 0)
    assert fixed["Cc"][:, :, 2] == pytest.approx(free["Cc"][:, :, 2], rel=1e-4)


def test_sensitivities_can_be_stored_and_sent():
    found = sensitivity(MODEL, people(), ["CL", "LAG"], given(("central", 80, 0, 2)), TIMES)
    assert np.array_equal(pickle.loads(pickle.dumps(found))["drive"], found["drive"])


# --- what is refused --------------------------------------------------


def told(call) -> tuple[str, str, str]:
    with pytest.raises(ContentError) as caught:
        call()
    (issue,) = caught.value.issues
    return issue.where, issue.what, issue.remedy


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["CLX"], "drug has no input 'CLX'"),
        (["central"], "drug has no input 'central'"),
        (["CL", "CL"], "needs one or more different parameters"),
        ([], "needs one or more different parameters"),
    ],
    ids=str,
)
def test_parameters_are_different_inputs_of_the_model(names, what):
    assert told(lambda: sensitivity(MODEL, people(), names, None, TIMES))[:2] == ("sensitivity", what)


def test_a_regimen_is_no_dosing():
    folfox = load_regimen("folfox4")
    assert told(lambda: sensitivity(MODEL, people(), ["CL"], folfox, TIMES)) == (  # type: ignore[arg-type]
        "sensitivity",
        "dosing is Regimen, not a schedule or a function that makes one",
        "lambda people: lower(regimen, model, people, starts)",
    )


def test_a_dosing_that_gives_other_events_to_other_inputs_is_refused():
    def dosing(p: Population) -> Schedule:
        return given(("central", 80, 0, 0) if np.isrealobj(p.inputs) else ("depot", 80, 0, 0))(p)

    assert told(lambda: sensitivity(MODEL, people(), ["CL"], dosing, TIMES)) == (
        "gradient",
        "the doses of patients with other inputs are not the same events",
        "a dosing that branches on an input has no derivative by it",
    )


def test_a_removal_or_a_setting_that_depends_on_what_is_followed_is_refused():
    def share(p: Population) -> Schedule:
        cut = removal(MODEL, 2.0, {"central": 0.5}, len(p))
        return replace(cut, value=p["F"] * 1.0)

    def other(p: Population) -> Schedule:
        return settings(len(p), MODEL.inputs.index("V"), np.ones((len(p), 1)), 2 * p["CL"][:, None])

    assert told(lambda: sensitivity(MODEL, people(), ["F"], share, TIMES))[1:] == (
        "what a removal leaves depends on an input that is followed",
        "leave that input out",
    )
    assert told(lambda: sensitivity(MODEL, people(), ["CL"], other, TIMES))[1:] == (
        "what an input is set to depends on another that is followed",
        "leave that one out",
    )
    assert sensitivity(MODEL, people(), ["KA"], share, TIMES).slopes.shape == (1, 8, 1, 3)


def test_a_patient_that_fails_is_named_and_leaves_its_neighbours_theirs():
    patients = people(3, V=np.array([9.7, np.nan, 4.0]))
    with pytest.raises(
        SimulationError, match="1 of 3 patients failed\n  patient 2, hour 0: met a value that is not finite"
    ):
        sensitivity(MODEL, patients, ["CL"], given(("central", 80, 0, 0)), TIMES)
    found = sensitivity(MODEL, patients, ["CL"], given(("central", 80, 0, 0)), TIMES, strict=False)
    assert np.isnan(found.slopes[1, 1:]).all() and np.isfinite(found.slopes[[0, 2]]).all()
