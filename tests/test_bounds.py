"""What a quantity cannot be is refused at every door: in a set, in a drawn patient, in a row, in
a setting.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pkpd import read_records, simulate_records
from pkpd.commands import cli
from pkpd.content import library
from pkpd.content.toml import parse
from pkpd.errors import ContentError
from pkpd.model.compose import load_model, parse_model
from pkpd.model.model import Model, Parameter
from pkpd.parameters.bind import bind
from pkpd.parameters.bounds import outside
from pkpd.parameters.draw import draw, typical, uniform
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.population import Population
from pkpd.parameters.reading import read_parameters
from pkpd.parameters.sets import load_parameters
from pkpd.parameters.spread import Spread
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.lowering import cycles, lower
from pkpd.regimen.reading import load_regimen
from pkpd.regimen.regimen import Regimen
from pkpd.regimen.schedule import settings
from pkpd.simulation.crossings import Crossing
from pkpd.simulation.run import simulate

ONE = """[model]
title = "One compartment"
time = "hour"
[parameters]
CL = { unit = "L/hour" }
V = { unit = "L" }
[compartments]
central = { unit = "mg", dose = true }
[variables]
Cp = { unit = "mg/L", is = "central / V" }
[flows]
elimination = { from = "central", rate = "CL * Cp" }
"""
MODEL = parse_model(ONE, "one")
CL, V = 'CL = { value = 2, unit = "L/hour" }', 'V = { value = 20, unit = "L" }'
LOW = 'mend the value or its unit; where it can be so, the model says it: CL = { unit = "L/hour", low = … }'
SPREAD = (
    "bound its spread with low and high, or choose another law; where it can be so, the model says it: "
    'CL = { unit = "L/hour", low = … }'
)
BSA = (
    '[covariates]\nBSA = { value = 1.8, unit = "m^2", spread = { law = "normal", sd = 0.2, low = 1.3, '
    "high = 2.5 } }\n"
)


def a_set(cl: str = CL, v: str = V, more: str = "") -> Parameters:
    text = f'[parameters]\nmodel = "one"\ntitle = "mine"\n[values]\n{cl}\n{v}\n{more}'
    return read_parameters(parse(text, "mine.toml"), "mine.toml", "mine.toml")[0]


def told(act, *args, **kwargs) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        act(*args, **kwargs)
    return [(i.where, i.what, i.remedy) for i in caught.value.issues]


def with_line(line: str, name: str = "CL") -> Model:
    """The model with another declaration of one parameter."""
    return parse_model(
        "\n".join(
            f"{name} = {{ {line} }}" if row.startswith(f"{name} =") else row for row in ONE.splitlines()
        ),
        "one",
    )


# --- what a model says ------------------------------------------------


def test_a_parameter_is_not_below_zero_unless_its_model_says_so():
    assert [(p.low, p.high) for p in MODEL.parameters] == [(0, np.inf)] * 2
    assert [(p.low, p.high) for p in with_line('unit = "L/hour", low = -inf, high = 9').parameters][0] == (
        -np.inf,
        9,
    )


@pytest.mark.parametrize(
    ("line", "at", "what", "remedy"),
    [
        (
            "low = true",
            "low",
            "True is not a number",
            "write low = NUMBER, in the parameter's unit; -inf for none",
        ),
        (
            'high = "1"',
            "high",
            "'1' is not a number",
            "write high = NUMBER, in the parameter's unit; inf for none",
        ),
        (
            "low = nan",
            "low",
            "nan is not a number",
            "write low = NUMBER, in the parameter's unit; -inf for none",
        ),
        ("low = 2, high = 2", "low", "2, is not below high 2", "give low = … below high = …"),
        (
            "high = -1",
            "low",
            "0, which it is unless said, is not below high -1",
            "give low = … below high = …",
        ),
        (
            "high = 1" + "0" * 400,
            "high",
            "a very large number is not a number",
            "write high = NUMBER, in the parameter's unit; inf for none",
        ),
    ],
)
def test_bounds_are_two_numbers_in_order(line, at, what, remedy):
    assert told(with_line, f'unit = "L/hour", {line}') == [(f"one: parameters.CL.{at}", what, remedy)]


def test_the_active_fraction_of_a_form_is_a_share_and_a_bioavailability_need_not_be():
    text = ONE.replace(
        "dose = true", 'dose = { bioavailability = "F1", forms = { racemate = "FRAC", isomer = "PERCENT" } }'
    )
    text = text.replace(
        "[compartments]",
        'F1 = { unit = "1" }\nFRAC = { unit = "1" }\nPERCENT = { unit = "%" }\n[compartments]',
    )
    assert {p.name: p.high for p in parse_model(text).parameters if p.name not in ("CL", "V")} == {
        "F1": np.inf,
        "FRAC": 1,
        "PERCENT": 100,
    }


def test_bounds_follow_a_model_into_its_likeness_and_a_part_into_its_system():
    def bounds(name: str) -> dict[str, tuple[float, float]]:
        return {p.name: (p.low, p.high) for p in load_model(name).parameters}

    assert bounds("drugs/tremelimumab")["EMAX"] == (-np.inf, np.inf)
    assert bounds("systems/hai_floxuridine")["floxuridine_artery.E"] == (0, 1)
    assert bounds("systems/crlm")["lesion.2.R0"] == (0, 1)


def test_bounds_change_nothing_that_is_computed():
    assert with_line('unit = "L/hour", low = -inf').hash == MODEL.hash != with_line('unit = "L/day"').hash


# --- what a set says --------------------------------------------------


@pytest.mark.parametrize(
    ("cl", "v", "at", "what"),
    [
        (CL.replace("2", "-3.1"), V, "CL", "CL = -3.1 L/hour is below 0"),
        (CL, V.replace("20", "-20"), "V", "V = -20 L is below 0"),
    ],
)
def test_a_negative_clearance_or_volume_of_a_set_is_refused(cl, v, at, what):
    (issue,) = told(bind, a_set(cl, v), MODEL)
    assert issue[:2] == (f"mine.toml: values.{at}", what)
    assert at != "CL" or issue[2] == LOW
    assert told(draw, MODEL, a_set(cl, v), 3) == told(typical, MODEL, a_set(cl, v)) == [issue]


def test_a_value_that_the_model_allows_is_taken():
    model = with_line('unit = "L/hour", low = -5')
    assert typical(model, a_set(CL.replace("2", "-3.1")))["CL"].tolist() == [-3.1]
    assert told(bind, a_set(CL.replace("2", "-5.1")), model)[0][1] == "CL = -5.1 L/hour is below -5 L/hour"


def test_a_value_is_held_to_bounds_in_the_unit_of_the_model():
    model = with_line('unit = "L/hour", low = 0.6, high = 1.2')
    assert (
        told(bind, a_set('CL = { value = 9, unit = "mL/min" }'), model)[0][1]
        == "CL = 0.54 L/hour is below 0.6 L/hour"
    )
    assert (
        told(bind, a_set('CL = { value = 21, unit = "mL/min" }'), model)[0][1]
        == "CL = 1.26 L/hour is above 1.2 L/hour"
    )
    for own in (10, 20):  # the bounds themselves, whatever a change of units rounds to
        bind(a_set(f'CL = {{ value = {own}, unit = "mL/min" }}'), model)


def test_a_bound_itself_is_allowed_and_no_number_is_not():
    p = Parameter("S", "1", low=0.1, high=0.3)
    values = np.array([0.1, 0.3, 3 * 0.1, 0.1 - 1e-9, 0.3 + 1e-9, np.nan, np.inf])
    assert outside(p, values).tolist() == [False, False, False, True, True, True, True]
    assert outside(Parameter("S", "1"), np.array([0.0, np.inf, np.nan])).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("spread", "what"),
    [
        ('law = "uniform", low = -1, high = 3', "reaches CL = -1 L/hour is below 0"),
        ('law = "categorical", values = [2, -4], weights = [0.5, 0.5]', "reaches CL = -4 L/hour is below 0"),
        ('law = "normal", sd = 0.1, low = -2', "reaches CL = -2 L/hour is below 0"),
    ],
)
def test_a_spread_that_says_it_goes_where_its_parameter_cannot_is_refused(spread, what):
    (issue,) = told(bind, a_set(CL.replace(" }", f", spread = {{ {spread} }} }}")), MODEL)
    assert issue[:2] == ("mine.toml: values.CL.spread", what) and "bound it from 0 to inf" in issue[2]


def test_values_without_weight_and_the_lower_end_of_a_lognormal_reach_nothing():
    assert Spread("categorical", values=(-1.0, 2.0), weights=(0.0, 1.0)).ends == (2.0,)
    assert Spread("lognormal", 0.3, low=-5.0).ends == (0.0,)


# --- drawn patients ---------------------------------------------------

WIDE = CL.replace(" }", ', spread = { law = "normal", sd = 1 } }')


def test_a_drawn_patient_below_zero_is_named_with_the_remedy():
    from scipy.stats import norm

    drawn = norm.ppf(uniform(("1", "", "", "CL"), 500), loc=2, scale=1)
    below = np.flatnonzero(drawn < 0)
    assert told(draw, MODEL, a_set(WIDE), 500, 1) == [
        (
            "mine.toml: values.CL",
            f"patient {below[0] + 1}: CL = {drawn[below[0]]:g} L/hour is below 0, and {len(below) - 1} "
            "more like it",
            SPREAD,
        )
    ]


def test_a_bounded_spread_is_drawn_and_a_patient_keeps_its_number_in_any_chunk():
    assert draw(MODEL, a_set(WIDE.replace("sd = 1", "sd = 1, low = 0.1")), 500, 1)["CL"].min() >= 0.1
    alone = told(draw, MODEL, a_set(WIDE), 200, 1, first=60)
    number = 61 + int(np.flatnonzero(uniform(("1", "", "", "CL"), 200, 60) < 0.02275)[0])  # P(z < -2)
    assert alone[0][1].startswith(f"patient {number}: CL = -")


def test_a_draw_that_is_no_number_is_named():
    own = a_set(CL.replace(" }", ', spread = { law = "lognormal", cv = 0.3 } }'))
    nothing = own.with_value(
        "CL", replace(own["CL"], value=0.0)
    )  # a lognormal around zero, as a fit might put it
    where, what, remedy = told(draw, MODEL, nothing, 3)[0]
    assert (where, what) == (
        "mine.toml: values.CL",
        "patient 1: CL = nan L/hour is not a finite number, and 2 more like it",
    )
    assert remedy == "mend its value, spread or covariate effect"


def test_mixtures_and_the_spread_between_copies_are_held_too():
    two = parse_model(
        '[model]\ntitle = "two"\ntime = "day"\n[parts]\nlesion = { use = "tumours/lesion", n = 2 }', "two"
    )
    values = {v.name: replace(v, spread=None) for v in load_parameters("lesion_assumed", two).values}
    whole = Parameters("two", "two", "", values=tuple(values.values()))
    own = replace(values["lesion.R0"], value=0.6, copies=Spread("lognormal", 0.8))
    what = told(draw, two, whole.with_value("lesion.R0", own), 100)[0]
    assert (
        what[0].startswith("parameters/two: values.lesion.")
        and "lesion.1.R0 = " in what[1]
        and "is above 1" in what[1]
    )
    mixed = replace(own, copies=None, spread=Spread("lognormal", 0.0, weights=(0.5, 0.5), factors=(1.0, 2.0)))
    assert "R0 = 1.2 is above 1" in told(draw, two, whole.with_value("lesion.R0", mixed), 100)[0][1]


@pytest.mark.parametrize(
    ("effect", "what"),
    [
        ("1 - 4 * (BSA - 1.8)", "is -1.8 where BSA = 2.5"),
        ("sqrt(1 - 4 * (BSA - 1.8))", "is nan where BSA = 2.5"),
        ("(0.7 / (2.5 - BSA))", "is inf where BSA = 2.5"),
    ],
)
def test_a_covariate_effect_that_is_no_factor_names_the_patient(effect, what):
    own = a_set(
        CL.replace(" }", f', effect = {{ is = "{effect}", reference = {{ BSA = 1.8 }} }} }}'), more=BSA
    )
    assert told(draw, MODEL, own, 3, covariates={"BSA": np.array([1.8, 1.8, 2.5])}) == [
        (
            "values.CL.effect",
            f"patient 3: {what}",
            "an effect is a finite factor of zero or more: bound it, as in max(…, 0.1)",
        )
    ]
    assert told(typical, MODEL, own, {"BSA": 2.5})[0][1] == what


@pytest.mark.parametrize(
    "name",
    [
        s
        for s in library.names("parameters")
        if str(library.read("parameters", s).data["parameters"].get("model")).startswith(
            ("drugs/", "systems/")
        )
    ],
)
def test_every_patient_of_the_library_is_one_who_can_be(name):
    model = load_model(library.read("parameters", name).data["parameters"]["model"])
    people = draw(model, load_parameters(name, model, host=None), 200, seed="bounds")
    assert (
        not any(outside(p, people[p.name]).any() for p in model.parameters)
        and people.bounds == model.parameters
    )


# --- other doors ------------------------------------------------------


def test_inputs_that_are_set_are_held_and_those_that_are_left_out_are_as_drawn():
    people = draw(MODEL, a_set(), 3)
    assert told(people.take(np.array([1, 2])).with_inputs, {"CL": np.array([1.0, -1.0])}) == [
        ("population.CL", "patient 3: CL = -1 L/hour is below 0", SPREAD)
    ]
    assert (
        told(people.with_inputs, {"V": np.nan})[0][1]
        == "patient 1: V = nan L is not a finite number, and 2 more like it"
    )
    assert told(people.with_inputs, {"CL": [1.0, 2.0]}) == [
        ("CL", "[1.0, 2.0] is neither a number nor one for each of 3 patients", "give numbers")
    ]
    assert people.with_inputs({"CL": 0.0})["CL"].tolist() == [0, 0, 0]


def test_a_population_made_by_hand_is_held_when_it_is_simulated():
    people = Population(MODEL.inputs, np.array([[2.0, 20.0], [-2.0, 20.0]]), {})
    assert told(simulate, MODEL, people, None, [1.0]) == [
        ("simulate.CL", "patient 2: CL = -2 L/hour is below 0", SPREAD)
    ]


def test_what_a_schedule_or_a_crossing_sets_is_held():
    people = draw(MODEL, a_set(), 2)
    events = settings(2, 0, np.array([[3.0], [3.0]]), np.array([[1.0], [-1.0]]))
    assert told(simulate, MODEL, people, events, [5.0])[0][:2] == (
        "schedule.CL",
        "patient 2, hour 3: CL = -1 L/hour is below 0",
    )
    crossing = Crossing("central", "1 mg", then={"CL": -1.0})
    assert told(simulate, MODEL, people, None, [5.0], crossings=[crossing]) == [
        (
            "crossings[1].then.CL",
            "CL = -1 L/hour is below 0",
            'set what it can be; where it can be so, the model says it: CL = { unit = "L/hour", low = … }',
        )
    ]


def test_a_parameter_that_a_record_sets_is_held_row_by_row():
    table = pd.DataFrame({"ID": [1, 1, 1], "TIME": [0, 1, 2], "AMT": [100, 0, 0], "CL": [2.0, 2.0, -3.1]})
    assert told(read_records, table, MODEL, a_set()) == [
        (
            "table: row 3: CL",
            "CL = -3.1 L/hour is below 0",
            'mend the value; where it can be so, the model says it: CL = { unit = "L/hour", low = … }',
        )
    ]


# --- one lock on every door to patients -------------------------------

OXALIPLATIN = load_model("drugs/oxaliplatin")
OWN = load_parameters("oxaliplatin_bastian_2003", OXALIPLATIN)


@pytest.mark.parametrize(
    ("covariates", "where", "what"),
    [
        ({"BSA": 180}, "covariates.BSA", "patient 1 has 180 m^2; plausible is 1 to 3"),
        ({"BSA": np.nan}, "covariates.BSA", "patient 1 has nan m^2; plausible is 1 to 3"),
        ({"BSA": np.inf}, "covariates.BSA", "patient 1 has inf m^2; plausible is 1 to 3"),
        ({"BSAA": 1.8}, "covariates", "'BSAA' is not in the register"),
        ({"COPY": 1}, "covariates", "'COPY' is not in the register"),
        ({"BSA": "large"}, "covariates.BSA", "'large' is neither a number nor one for each of 1 patients"),
        (
            {"BSA": [1.8, 1.9]},
            "covariates.BSA",
            "[1.8, 1.9] is neither a number nor one for each of 1 patients",
        ),
    ],
)
def test_the_typical_patient_has_the_lock_of_a_drawn_one(covariates, where, what):
    assert told(typical, OXALIPLATIN, OWN, covariates)[0][:2] == (where, what)
    assert told(draw, OXALIPLATIN, OWN, 1, covariates=covariates)[0][:2] == (where, what)


def test_a_set_that_was_not_bound_before_is_the_same_patient():
    minutes = a_set('CL = { value = 100, unit = "mL/min" }')
    assert typical(MODEL, minutes)["CL"].tolist() == draw(MODEL, minutes, 1)["CL"].tolist() == [6.0]
    assert "has no value" in told(typical, MODEL, replace(minutes, values=minutes.values[:1]))[0][1]


def test_a_number_of_patients_is_not_below_zero_and_a_seed_is_a_whole_number():
    assert told(draw, MODEL, a_set(), -1) == [
        ("draw", "n = -1 is not a number of patients", "give a whole number")
    ]
    assert (
        told(draw, MODEL, a_set(), 2, 1.0)[0][1] == "seed is 1.0, not a whole number or a text"
    )  # not another stream
    assert np.array_equal(draw(MODEL, a_set(), 2, np.int64(1)).inputs, draw(MODEL, a_set(), 2, "1").inputs)


def test_one_seed_is_the_same_patients_from_python_from_records_and_from_the_command_line(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    model, own = load_model("drugs/panitumumab"), load_parameters((), load_model("drugs/panitumumab"))
    people, times = draw(model, own, 4, seed=1), np.arange(0, 15, 7.0)
    assert len(set(people["CL"])) == 4
    table = pd.DataFrame([{"ID": i, "TIME": t, "AMT": 400 * (t == 0)} for i in range(1, 5) for t in times])
    records = read_records(table, model, own, seed=1)
    assert records.population.inputs == pytest.approx(people.inputs, rel=1e-14)
    table.to_csv("events.csv", index=False)
    common = ["simulate", "panitumumab", "--seed", "1"]
    cli.app([*common, "--data", "events.csv", "--out", "rows.csv"], standalone_mode=False)
    assert pd.read_csv("rows.csv")["Cc"].to_numpy() == pytest.approx(
        simulate_records(records)["Cc"].to_numpy(), rel=1e-12
    )
    regimen = load_regimen("panitumumab_6_q2w")
    doses = lower(regimen, model, people, cycles(regimen, model, 1))
    cli.app(
        [
            *common,
            "--regimen",
            "panitumumab_6_q2w",
            "--cycles",
            "1",
            "--patients",
            "4",
            "--until",
            "14 day",
            "--every",
            "7 day",
            "--out",
            "patients.csv",
        ],
        standalone_mode=False,
    )
    assert pd.read_csv("patients.csv")["Cc"].to_numpy() == pytest.approx(
        simulate(model, people, doses, times)["Cc"].ravel(), rel=1e-12
    )


# --- what doses take from parameters ----------------------------------


def dosed(dose: str, *declared: str) -> str:
    return ONE.replace("dose = true", f"dose = {{ {dose} }}").replace(
        "[compartments]", "\n".join(declared) + "\n[compartments]"
    )


@pytest.mark.parametrize("dose", ['bioavailability = "P"', 'forms = { salt = "P" }'])
@pytest.mark.parametrize(("value", "unit"), [(0.7, "1"), (70, "%")])
def test_a_share_in_percent_is_that_share_of_a_dose(dose, value, unit):
    model = parse_model(dosed(dose, f'P = {{ unit = "{unit}" }}'), "one")
    people = typical(model, a_set(more=f'P = {{ value = {value}, unit = "{unit}" }}\n'))
    given = DoseLine("one", 100.0, "mg", "", (1,), form="salt" if "salt" in dose else "")
    course = Regimen("r", "a dose", 1.0, (given,))
    assert lower(course, model, people, np.zeros((1, 1))).value.tolist() == [pytest.approx(70, rel=1e-15)]
