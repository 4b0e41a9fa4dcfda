"""Parameter files: what a line says, what is told when it cannot; spreads, and the patients they make."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from pkpd.content.toml import parse
from pkpd.errors import ContentError, NotFound
from pkpd.model.compose import load_model, parse_model
from pkpd.model.model import Model
from pkpd.parameters.bind import bind
from pkpd.parameters.correlations import Correlation
from pkpd.parameters.draw import draw, typical, uniform
from pkpd.parameters.merge import merge
from pkpd.parameters.parameters import Parameters, Value
from pkpd.parameters.population import Population
from pkpd.parameters.reading import read_parameters
from pkpd.parameters.sets import _placed, load_parameters
from pkpd.parameters.spread import Spread

HEAD = '[parameters]\nmodel = "drug"\nreference = "own2020"\n'
MODEL = """[model]
title = "a drug"
time = "day"
[parameters]
CL = { unit = "L/day" }
V = { unit = "L" }
[compartments]
central = { unit = "mg", dose = true }
[flows]
out = { from = "central", rate = "CL / V * central" }
"""
DRUG = parse_model(MODEL, "drug")
SIGNED = parse_model(MODEL.replace('"L/day" }', '"L/day", low = -inf }'), "drug")
VALUES = '[values]\nCL = { value = 2, unit = "L/day" }\nV = { value = 5, unit = "L" }\n'
N = 20_000


def read(text: str) -> Parameters:
    return read_parameters(parse(text, "own.toml"), "own.toml", "own.toml")[0]


def told(text: str) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        read(text)
    return [(i.where, i.what, i.remedy) for i in caught.value.issues]


def line(entry: str) -> str:
    return f"{HEAD}[values]\nCL = {{ {entry} }}\n"


def spread(entry: str, value: str = "2") -> str:
    return line(f'value = {value}, unit = "L/day", spread = {{ {entry} }}')


def effect(entry: str) -> str:
    return line(f'value = 2, unit = "L/day", effect = {entry}')


def refused(text: str, what: str, remedy: str, at: str = "values.CL") -> None:
    assert told(text) == [(f"own.toml: {at}", what, remedy)]


# --- lines ------------------------------------------------------------


def test_a_line_says_value_unit_where_and_how_seen():
    p = read(line('value = 2, unit = "L/day", where = "table 2", seen = "primary", text = "clearance"'))
    v = p["CL"]
    assert (v.value, v.unit, v.where, v.seen, v.source, v.text) == (
        2.0,
        "L/day",
        "table 2",
        "primary",
        "own2020",
        "clearance",
    )
    assert "CL" in p and "V" not in p and list(p) == ["CL"]
    with pytest.raises(ContentError, match="has no line 'V'"):
        p["V"]


def test_a_users_own_line_may_leave_out_where_and_seen():
    assert read(line('value = 2, unit = "L/day"'))["CL"].seen == "user"


def test_a_line_has_a_value():
    refused(line('unit = "L/day"'), "has no value", "give value = NUMBER")


@pytest.mark.parametrize(
    ("value", "shown"), [("true", "True"), ('"2"', "'2'"), ("nan", "nan"), ("inf", "inf"), ("[2]", "[2]")]
)
def test_a_value_is_a_number(value, shown):
    refused(
        line(f'value = {value}, unit = "L/day"'), f"value = {shown} is not a number", "give value = NUMBER"
    )


def test_a_value_that_no_computer_holds_is_refused():
    assert told(line("value = 1" + "0" * 400 + ', unit = "L/day"'))[0][0] == "own.toml: values.CL"


def test_a_line_has_a_unit():
    refused(line("value = 2"), "has no unit", 'give unit = "…" ("1" for a pure number)')
    refused(line("value = 2, unit = 3"), "has no unit", 'give unit = "…" ("1" for a pure number)')


def test_an_unknown_key_of_a_line_is_offered_the_near_one():
    refused(
        line('value = 2, unit = "L/day", sread = {}'),
        "unknown key",
        "did you mean 'spread' or 'source'?",
        "values.CL.sread",
    )


def test_a_line_is_a_table():
    refused(f"{HEAD}[values]\nCL = 3\n", "3 is not a line", "write { value = …, unit = …, … }")


def test_a_way_of_seeing_is_one_of_seven():
    refused(
        line('value = 2, unit = "L/day", seen = "guessed"'),
        "'guessed' is not a way of seeing",
        "one of primary, secondary, review, derived, assumed, fitted, user",
        "values.CL.seen",
    )


def test_a_file_names_its_model():
    assert told('[parameters]\ntitle = "x"\n') == [
        ("own.toml: parameters.model", "is missing", 'name the model: model = "drugs/…"')
    ]


def test_an_unknown_section_is_offered_the_near_one():
    assert told(HEAD + "[value]\n")[0] == ("own.toml.value", "unknown key", "did you mean 'values'?")


def test_tables_go_one_part_deep():
    refused(
        f"{HEAD}[values.a.b]\nCL = {{ value = 1, unit = 'L' }}\n",
        "unknown key",
        "a parameter is written in capitals",
        "values.a.b",
    )
    assert read(f"{HEAD}[values.lesion]\nD0 = {{ value = 1, unit = 'mm' }}\n").values[0].name == "lesion.D0"


def test_all_issues_of_a_file_come_at_once():
    text = (
        HEAD
        + '[values]\nA = {}\nB = { value = 1 }\nC = 3\n[covariates]\nAGES = { value = 60, unit = "year" }\n'
        + ('[[correlations]]\nof = ["A"]\n')
    )
    assert [where for where, _, _ in told(text)] == [
        "own.toml: values.A",
        "own.toml: values.B",
        "own.toml: values.C",
        "own.toml: covariates.AGES",
        "own.toml: correlations[1]",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "parameters = 3\n",
        "values = 3\n" + HEAD,
        "covariates = 3\n" + HEAD,
        HEAD + 'include = "abc"\n',
        HEAD + "include = 3\n",
        'correlations = ["a"]\n' + HEAD,
        "correlations = 3\n" + HEAD,
        HEAD + "[correlations]\nof = 3\n",
        HEAD + "[draws]\nK = 3\n",
        HEAD + '[draws]\nK = ["a"]\n',
        "draws = 3\n" + HEAD,
    ],
)
def test_a_section_of_the_wrong_kind_is_told(text):
    assert all(where.startswith("own.toml") for where, _, _ in told(text))


# --- spreads ------------------------------------------------------------


def test_a_spread_has_a_law():
    for entry, shown in (("sd = 1", "{'sd': 1}"), ('law = "gauss"', "{'law': 'gauss'}")):
        refused(
            spread(entry),
            f"{shown} is not a spread",
            'write { law = "…", … }; laws: lognormal, logitnormal, normal, uniform, bernoulli, categorical',
            "values.CL.spread",
        )


@pytest.mark.parametrize("law", ['["normal"]', "3", "{ a = 1 }"])
def test_a_law_is_a_word(law):
    assert told(spread(f"law = {law}, sd = 1"))[0][0] == "own.toml: values.CL.spread"


def test_a_spread_takes_the_keys_of_its_law():
    at = "values.CL.spread"
    refused(spread('law = "normal", cv = 1'), "a normal spread has no 'cv'", "it takes sd, low, high", at)
    refused(
        spread('law = "bernoulli", sd = 1', "0.5"),
        "a bernoulli spread has no 'sd'",
        "it takes nothing more",
        at,
    )


@pytest.mark.parametrize("number", ["true", '"1"', "nan", "[1]"])
def test_a_size_is_a_number(number):
    refused(
        spread(f'law = "lognormal", sd = {number}'),
        "holds something that is not a number",
        "",
        "values.CL.spread",
    )


@pytest.mark.parametrize("number", ["inf", "1" + "0" * 400])
@pytest.mark.parametrize("key", ["sd", "cv", "variance"])
def test_a_size_is_finite(key, number):
    assert told(spread(f'law = "lognormal", {key} = {number}'))[0][0] == "own.toml: values.CL.spread"


def test_a_spread_has_one_size():
    at, one = "values.CL.spread", "give exactly one of cv, sd, variance"
    refused(spread('law = "lognormal", cv = 0.3, sd = 0.3'), "gives cv and sd", one, at)
    refused(spread('law = "lognormal"'), "gives no size", one, at)
    refused(spread('law = "normal"'), "gives no size", "give sd", at)


@pytest.mark.parametrize("key", ["cv", "sd", "variance"])
def test_a_size_is_not_negative(key):
    refused(
        spread(f'law = "lognormal", {key} = -0.3'),
        "its size is negative",
        "give a size of zero or more",
        "values.CL.spread",
    )


def test_low_is_below_high():
    for law in ('"lognormal", sd = 1', '"normal", sd = 1', '"uniform"'):
        refused(
            spread(f"law = {law}, low = 3, high = 3"), "low 3 is not below high 3", "", "values.CL.spread"
        )


def test_a_lognormal_spreads_a_positive_value():
    for value in ("0", "-2"):
        refused(
            spread('law = "lognormal", cv = 0.3', value),
            f"a lognormal spread needs a positive value, not {value}",
            "use another law",
            "values.CL.spread",
        )


def test_a_lognormal_is_not_cut_below_zero():
    assert told(spread('law = "lognormal", sd = 1, high = -1'))[0][0] == "own.toml: values.CL.spread"


def test_a_bernoulli_spreads_a_probability():
    refused(
        spread('law = "bernoulli"', "1.5"),
        "a probability of 1.5",
        "give the value from 0 to 1",
        "values.CL.spread",
    )


def test_a_logitnormal_value_lies_between_its_bounds():
    refused(
        spread('law = "logitnormal", sd = 1', "1.5"),
        "the value 1.5 is not between its bounds",
        "",
        "values.CL.spread",
    )
    refused(
        spread('law = "logitnormal", sd = 1, low = 2, high = 3'),
        "the value 2 is not between its bounds",
        "",
        "values.CL.spread",
    )


def test_a_uniform_has_two_ends():
    refused(spread('law = "uniform", low = 1'), "a uniform spread needs low and high", "", "values.CL.spread")


LISTS = [
    "factors = [1, 2], weights = [1]",
    "factors = [1, 2], weights = [0.5, 0.4]",
    "factors = [1, 2], weights = [1.5, -0.5]",
    "factors = [], weights = []",
    "factors = 1, weights = 1",
    "weights = [1]",
    'factors = [1, 2], weights = ["a", "b"]',
    'factors = ["a", 2], weights = [0.5, 0.5]',
    "factors = [1, 2], weights = [nan, 0.5]",
    "factors = [nan], weights = [1]",
    "factors = [true, 2], weights = [0.5, 0.5]",
]


@pytest.mark.parametrize("lists", LISTS)
def test_a_mixture_has_as_many_weights_as_factors(lists):
    refused(
        spread(f'law = "lognormal", sd = 0.1, mixture = {{ {lists} }}'),
        "its lists do not match",
        "give as many weights (summing to 1) as values or factors",
        "values.CL.spread",
    )


@pytest.mark.parametrize("lists", LISTS)
def test_a_categorical_has_as_many_weights_as_values(lists):
    refused(
        spread(f'law = "categorical", {lists.replace("factors", "values")}'),
        "its lists do not match",
        "give as many weights (summing to 1) as values or factors",
        "values.CL.spread",
    )


def test_factors_of_a_lognormal_mixture_are_positive():
    assert told(spread('law = "lognormal", sd = 1, mixture = { factors = [-1, 2], weights = [0.5, 0.5] }'))[
        0
    ][0] == ("own.toml: values.CL.spread")


def test_a_mixture_has_no_other_keys():
    assert told(
        spread('law = "lognormal", sd = 1, mixture = { factors = [1, 2], weights = [0.5, 0.5], means = 3 }')
    )


# --- covariates and effects ------------------------------------------------------------


def test_a_covariate_is_in_the_register():
    assert told(f'{HEAD}[covariates]\nAGES = {{ value = 60, unit = "year" }}\n') == [
        (
            "own.toml: covariates.AGES",
            "is not in the register",
            "did you mean 'AGE' or 'LARGEST' or 'LARGESTX'?",
        )
    ]


def test_a_covariate_has_the_unit_of_the_register():
    assert told(f'{HEAD}[covariates]\nAGE = {{ value = 60, unit = "month" }}\n') == [
        (
            "own.toml: covariates.AGE.unit",
            "'month' is given, the register has 'year'",
            "use the register's unit",
        )
    ]


@pytest.mark.parametrize(
    "extra",
    [
        'copies = { law = "normal", sd = 1 }',
        'effect = { is = "COPY", reference = { COPY = 1 } }',
        'spread = { law = "lognormal", sd = 0.1, mixture = { factors = [1, 2], weights = [0.5, 0.5] } }',
    ],
)
def test_what_a_covariate_cannot_honour_is_refused(extra):
    assert told(f'{HEAD}[covariates]\nBSA = {{ value = 1.75, unit = "m^2", {extra} }}\n')


WEIGHT = 'WT = { value = 69, unit = "kg", effect = { is = "(BSA / 1.8)**1.7", reference = { BSA = 1.8 } } }\n'
SURFACE = (
    'BSA = { value = 1.8, unit = "m^2", spread = { law = "normal", sd = 0.19, low = 1.3, high = 2.5 } }\n'
)
PATIENTS = f"[parameters]\ntitle = 'people'\n[covariates]\n{SURFACE}{WEIGHT}"


def test_a_set_without_a_model_is_of_patients():
    people = read(PATIENTS)
    assert (people.model, people.values) == ("", ()) and [c.name for c in people.covariates] == ["BSA", "WT"]


@pytest.mark.parametrize(
    ("extra", "key", "what"),
    [
        (VALUES, "model", "is missing, so that the set is of patients, but it has values"),
        ("[draws]\nCL = [1]\n", "model", "is missing, so that the set is of patients, but it has values"),
    ],
)
def test_a_set_of_patients_holds_no_values(extra, key, what):
    [(where, told_what, remedy)] = told(PATIENTS + extra)
    assert (where, told_what) == (f"own.toml: parameters.{key}", what)
    assert remedy == 'name the model: model = "drugs/…", or keep [covariates] alone'


def test_a_set_of_patients_is_no_models_default():
    assert told(PATIENTS.replace("title", "default = true\ntitle")) == [
        ("own.toml: parameters.default", "has no meaning in a set of patients", "remove it")
    ]


def test_patients_laid_over_a_drugs_set_take_the_place_of_its_own_and_leave_the_drug(tmp_path):
    (tmp_path / "people.toml").write_text(PATIENTS.replace("value = 1.8,", "value = 2,"))
    model, own = load_model("drugs/oxaliplatin"), load_parameters("oxaliplatin_bastian_2003")
    total = load_parameters(["oxaliplatin_bastian_2003", tmp_path / "people.toml"], model)
    assert total.model == "drugs/oxaliplatin" and total["BSA"].value == 2 and total.values == own.values
    assert (
        load_parameters(["oxaliplatin_bastian_2003", tmp_path / "people.toml"]).model == "drugs/oxaliplatin"
    )


def people(covariates: str) -> Parameters:
    return bind(read(HEAD + VALUES + "[covariates]\n" + covariates), DRUG)


def test_a_covariate_follows_another_and_does_not_move_it():
    alone, both = draw(DRUG, people(SURFACE), 500, seed=3), draw(DRUG, people(SURFACE + WEIGHT), 500, seed=3)
    assert np.array_equal(alone["BSA"], both["BSA"])
    assert both["WT"] == pytest.approx(69 * (both["BSA"] / 1.8) ** 1.7)


def test_a_covariate_follows_the_one_that_is_given_unless_it_is_given_too():
    p = people(SURFACE + WEIGHT)
    assert draw(DRUG, p, 2, covariates={"BSA": 2.0})["WT"] == pytest.approx(69 * (2 / 1.8) ** 1.7)
    assert draw(DRUG, p, 2, covariates={"WT": 80.0, "BSA": 2.0})["WT"].tolist() == [80, 80]


def test_a_covariate_that_follows_keeps_its_own_spread():
    drawn = draw(
        DRUG,
        people(SURFACE + WEIGHT.replace("effect", 'spread = { law = "lognormal", sd = 0.05 }, effect')),
        N,
    )
    own = np.log(drawn["WT"] / (69 * (drawn["BSA"] / 1.8) ** 1.7))
    assert own.std() == pytest.approx(0.05, rel=0.03) and abs(np.corrcoef(own, drawn["BSA"])[0, 1]) < 0.03


def test_a_covariate_that_follows_stays_in_the_range_of_the_register():
    p = people(SURFACE + WEIGHT.replace("1.7", "9").replace("0.5", "1"))
    assert draw(DRUG, p, 2, covariates={"BSA": np.array([1.0, 3.0])})["WT"].tolist() == [30, 200]


@pytest.mark.parametrize("covariates", [WEIGHT, WEIGHT + SURFACE])
def test_a_covariate_follows_only_one_that_stands_above_it(covariates, tmp_path):
    (tmp_path / "people.toml").write_text("[parameters]\n[covariates]\n" + covariates)
    with pytest.raises(ContentError) as caught:
        load_parameters(tmp_path / "people.toml")
    [issue] = caught.value.issues
    assert issue.where.endswith("people.toml: covariates.WT")
    assert issue.what == "follows BSA, which does not stand above it"
    assert issue.remedy == "give BSA under [covariates], above WT"


def test_an_effect_is_one_at_its_reference_patient():
    assert read(effect('{ is = "(BSA / 1.75)**0.5", reference = { BSA = 1.75 } }'))[
        "CL"
    ].effect.reference == (("BSA", 1.75),)
    refused(
        effect('{ is = "BSA / 1.75", reference = { BSA = 2 } }'),
        "is 1.14286 at its reference patient, not 1",
        "divide it by that",
        "values.CL.effect",
    )


def test_an_effect_names_covariates():
    assert told(effect('{ is = "BAS / 1.75", reference = { BAS = 1.75 } }')) == [
        ("own.toml: values.CL.effect", "'BAS' is not a covariate", "did you mean 'BSA' or 'KRAS' or 'ASIAN'?")
    ]


def test_an_effect_gives_the_reference_of_every_covariate():
    refused(
        effect('{ is = "BSA / 1.75 * (AGE / 60)", reference = { BSA = 1.75 } }'),
        "the reference gives no AGE",
        "add AGE = … to reference",
        "values.CL.effect",
    )


@pytest.mark.parametrize(
    "entry",
    [
        '"BSA / 1.75"',
        '{ is = "BSA" }',
        '{ is = "1", reference = 3 }',
        '{ is = "1", reference = {}, more = 1 }',
    ],
)
def test_an_effect_is_an_expression_and_a_reference(entry):
    refused(
        effect(entry),
        "is not an effect",
        'write { is = "BSA / 1.75", reference = { BSA = 1.75 } }',
        "values.CL.effect",
    )


def test_an_effect_is_read_by_the_whitelist():
    refused(
        effect("""{ is = "BSA.__class__", reference = {} }"""),
        "'BSA.__class__' is not allowed in an expression",
        "use + - * / **, numbers, names and exp log sqrt min max hill",
        "values.CL.effect",
    )


@pytest.mark.parametrize(
    "is_", ["1 / (BSA - 1.75)", "log(BSA - 5)", "(BSA - 5)**0.5", "BSA / 1.75 + 9**9**9**9", "log(0 * BSA)"]
)
def test_an_effect_that_has_no_value_is_refused(is_):
    assert (
        told(effect(f'{{ is = "{is_}", reference = {{ BSA = 1.75 }} }}'))[0][0]
        == "own.toml: values.CL.effect"
    )


@pytest.mark.parametrize("value", ['"a"', "true", "nan", "[1]"])
def test_a_reference_is_a_number(value):
    assert (
        told(effect(f'{{ is = "BSA / BSA", reference = {{ BSA = {value} }} }}'))[0][0]
        == "own.toml: values.CL.effect"
    )


# --- correlations ------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        'of = ["CL", "V"]\nr = 1.5',
        'of = ["CL", "V"]\nr = -1.01',
        'of = ["CL", "V"]',
        'of = ["CL"]\nr = 0',
        'of = "CL"\nr = 0',
        'of = ["CL", "V"]\nr = "x"',
        'of = ["CL", "V"]\nr = nan',
        'of = ["CL", "V"]\nr = true',
        'of = ["CL", "CL"]\nr = 0.5',
        'of = ["CL", "V"]\ncovariance = 0.1',
        'of = ["CL", "V"]\nr = 0.1\ncovariance = 0.01',
    ],
)
def test_a_correlation_is_of_two_and_from_minus_one_to_one(entry):
    assert told(f"{HEAD}[[correlations]]\n{entry}\n")[0] == (
        "own.toml: correlations[1]",
        "is not a correlation",
        'write of = ["A", "B"] and r = 0.5, or the covariance of their etas, which does not exceed the '
        "product of their omegas",
    )


def test_a_published_covariance_of_etas_is_divided_by_their_omegas_once():
    text = """[parameters]
model = "drug"
[values]
CL = { value = 1, unit = "L/day", spread = { law = "lognormal", variance = 0.157 } }
V = { value = 3, unit = "L", spread = { law = "lognormal", variance = 0.152 } }
[[correlations]]
of = ["CL", "V"]
covariance = 0.0596
"""
    own, _ = read_parameters(parse(text, "own"), "own", "own.toml")
    assert own.correlations[0].r == pytest.approx(0.0596 / (0.157 * 0.152) ** 0.5, rel=1e-12)


def test_an_unknown_key_of_a_correlation_is_told():
    assert told(f'{HEAD}[[correlations]]\nof = ["CL", "V"]\nr = 0\nrho = 1\n')[0][:2] == (
        "own.toml: correlations[1].rho",
        "unknown key",
    )


# --- files ------------------------------------------------------------


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Writes a parameter file into a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "own.toml") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return write


def bound(text: str) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        bind(read(text), DRUG)
    return [(i.where, i.what, i.remedy) for i in caught.value.issues]


def test_a_value_comes_in_the_units_of_the_model():
    p = bind(
        read(HEAD + '[values]\nCL = { value = 100, unit = "mL/hour" }\nV = { value = 5, unit = "L" }\n'), DRUG
    )
    assert (p["CL"].value, p["CL"].unit) == (pytest.approx(2.4, rel=1e-15), "L/day")


def test_a_wrong_unit_is_told():
    assert bound(HEAD + VALUES.replace('"L"', '"mg"')) == [
        ("own.toml: values.V.unit", "'mg' cannot be converted to 'L'", "give it in a unit of the same kind")
    ]
    assert bound(HEAD + VALUES.replace('"L"', '"litr"'))[0][1] == "'litr' is not a unit (UndefinedUnitError)"


def test_a_name_that_the_model_lacks_is_offered_the_near_one_and_what_is_missing_is_told():
    assert bound(HEAD + VALUES.replace("CL =", "CLL =")) == [
        ("own.toml: values.CLL", "drug has no such parameter", "did you mean 'CL'?"),
        (
            "own.toml: values.CL",
            "has no value; drug needs it in L/day",
            'add CL = { value = …, unit = "L/day" }',
        ),
    ]


def test_a_library_set_is_named_by_its_folder():
    with pytest.raises(ContentError) as caught:
        bind(replace(read(HEAD), name="drug_own_2020"), DRUG)
    assert caught.value.issues[0].where == "parameters/drug_own_2020: values.CL"


def test_spreads_come_in_the_units_of_the_model_too():
    def scaled(law: str, key: str = "spread") -> Spread:
        text = (
            HEAD
            + f'[values]\nCL = {{ value = 0.5, unit = "L/hour", {key} = {{ {law} }} }}\n'
            + 'V = { value = 5, unit = "L" }\n'
        )
        return getattr(bind(read(text), DRUG)["CL"], key)

    for key in ("spread", "copies"):
        assert scaled('law = "lognormal", sd = 0.3, low = 0.1, high = 1', key) == Spread(
            "lognormal", 0.3, pytest.approx(2.4), 24.0
        )
        assert scaled('law = "normal", sd = 0.5, low = 0, high = 1', key) == Spread("normal", 12.0, 0.0, 24.0)
        assert scaled('law = "uniform", low = 0, high = 1', key) == Spread("uniform", 0.0, 0.0, 24.0)
        assert scaled('law = "logitnormal", sd = 0.5, low = 0, high = 1', key) == Spread(
            "logitnormal", 0.5, 0.0, 24.0
        )
        assert scaled('law = "logitnormal", sd = 0.5', key) == Spread("logitnormal", 0.5, 0.0, 24.0)
        assert scaled('law = "categorical", values = [0.5, 2], weights = [0.5, 0.5]', key).values == (
            12.0,
            48.0,
        )


def test_a_set_is_loaded_by_path_and_laid_over_another(file):
    low, top = (
        file(HEAD + VALUES, "low.toml"),
        file(HEAD + '[values]\nCL = { value = 9, unit = "L/day" }\n', "top.toml"),
    )
    assert load_parameters(low, DRUG)["CL"].value == 2
    both = load_parameters([low, top], DRUG)
    assert (both["CL"].value, both["V"].value) == (9, 5)
    assert both.hash != load_parameters(low, DRUG).hash


def test_a_file_lays_itself_over_what_it_includes(file):
    file(HEAD + VALUES, "low.toml")
    top = file(HEAD + 'include = ["low.toml"]\n[values]\nCL = { value = 9, unit = "L/day" }\n', "top.toml")
    p = load_parameters(top, DRUG)
    assert (p["CL"].value, p["V"].value) == (9, 5)


@pytest.mark.parametrize("names", [("a.toml",), ("b.toml", "a.toml")])
def test_a_file_that_includes_itself_is_refused(file, names):
    for name, include in zip(names, (*names[1:], names[0]), strict=True):
        file(HEAD + f'include = ["{include}"]\n', name)
    with pytest.raises(ContentError) as caught:
        load_parameters(names[0], DRUG)
    assert [(i.where, i.what, i.remedy) for i in caught.value.issues] == [
        (names[0], "includes itself", "remove it from include")
    ]


def test_a_set_that_is_not_there_is_told():
    with pytest.raises(NotFound, match="no parameters of this name in the library"):
        load_parameters("drug_nobody_1900")
    with pytest.raises(
        ContentError, match="parameters: no name given\n    remedy: `pkpd list parameters` shows them"
    ):
        load_parameters()
    with pytest.raises(
        ContentError,
        match="drug: the library holds no default parameters for this model\n    remedy: give a ",
    ):
        load_parameters(model=DRUG)


def test_a_parts_file_fills_the_part_and_every_copy(file):
    model = system(2)
    bound_set = load_parameters(file(HEAD.replace('"drug"', '"drug.toml"') + VALUES), model)
    assert [v.name for v in bound_set.values] == ["d.CL", "d.V"]
    assert typical(model, bound_set).inputs.tolist() == [[2, 5, 2, 5]]


def test_a_swapped_parts_file_fills_the_swapped_part(file):
    file(MODEL, "drug.toml")
    file(MODEL.replace("CL", "K"), "other.toml")
    file('[model]\ntitle = "s"\ntime = "day"\n[parts]\nd = { use = "other.toml" }\n', "system.toml")
    model = load_model("system.toml", {"d": "drug.toml"})
    p = load_parameters(file(HEAD.replace('"drug"', '"drug.toml"') + VALUES), model)
    assert typical(model, p).inputs.tolist() == [[2, 5]]


def system(n: int) -> Model:
    with open("drug.toml", "w", encoding="utf-8") as f:
        f.write(MODEL)
    return parse_model(
        f'[model]\ntitle = "s"\ntime = "day"\n[parts]\nd = {{ use = "drug.toml", n = {n} }}\n', "system"
    )


def test_a_line_can_be_replaced():
    p = read(HEAD + VALUES)
    assert p.with_value("CL", replace(p["CL"], value=7.0))["CL"].value == 7
    assert p["CL"].value == 2


def test_a_correlation_laid_over_another_replaces_it_in_either_order():
    low = replace(read(HEAD), correlations=(Correlation(("A", "B"), 0.1),))
    top = replace(read(HEAD), correlations=(Correlation(("B", "A"), 0.7),))
    assert merge(low, top).correlations == top.correlations


# --- laws ------------------------------------------------------------


def sample(entry: str, value: str = "2") -> np.ndarray:
    """CL of many patients."""
    text = spread(entry, value) + 'V = { value = 5, unit = "L" }\n'
    return draw(DRUG, bind(read(text), DRUG), N, seed=1)["CL"]


def close_mean(x: np.ndarray, mean: float) -> None:
    """Within four standard errors."""
    assert abs(x.mean() - mean) < 4 * x.std() / np.sqrt(len(x))


def test_a_lognormal_has_its_median_and_cv():
    x = sample('law = "lognormal", cv = 0.4')
    omega = np.sqrt(np.log(1.16))
    assert abs(np.log(x).mean() - np.log(2)) < 4 * omega / np.sqrt(N)
    assert np.log(x).std() == pytest.approx(omega, rel=4 / np.sqrt(2 * N))
    assert x.std() / x.mean() == pytest.approx(0.4, rel=0.04)
    assert stats.kstest(x, "lognorm", (omega, 0, 2)).pvalue > 1e-3


def test_sd_variance_and_cv_say_the_same():
    cv = float(np.sqrt(np.expm1(0.09)))
    one, two, three = (
        sample(f'law = "lognormal", {size}') for size in ("sd = 0.3", "variance = 0.09", f"cv = {cv!r}")
    )
    assert np.allclose(one, two, rtol=1e-13) and np.allclose(one, three, rtol=1e-13)


def test_a_normal_has_its_mean_and_sd():
    x = draw(SIGNED, read(spread('law = "normal", sd = 3') + 'V = { value = 5, unit = "L" }\n'), N, seed=1)[
        "CL"
    ]
    close_mean(x, 2)
    assert stats.kstest((x - 2) / 3, "norm").pvalue > 1e-3


def test_a_uniform_fills_its_range():
    x = sample('law = "uniform", low = 1, high = 4')
    assert 1 <= x.min() < 1.001 and 3.999 < x.max() <= 4
    assert stats.kstest(x, "uniform", (1, 3)).pvalue > 1e-3


def test_a_truncated_spread_keeps_to_its_range_and_shape():
    x = sample('law = "normal", sd = 3, low = 0, high = 4')
    assert x.min() >= 0 and x.max() <= 4
    assert stats.kstest(x, "truncnorm", (-2 / 3, 2 / 3, 2, 3)).pvalue > 1e-3
    y = np.log(sample('law = "lognormal", sd = 0.5, low = 1, high = 3') / 2) / 0.5
    assert y.min() >= np.log(0.5) / 0.5 and y.max() <= np.log(1.5) / 0.5
    assert stats.kstest(y, "truncnorm", (np.log(0.5) / 0.5, np.log(1.5) / 0.5)).pvalue > 1e-3


@pytest.mark.parametrize(
    ("law", "sd", "low", "high"),
    [("normal", 0.1, 3, 4), ("normal", 0.1, 0, 1), ("lognormal", 0.05, 4, 9), ("lognormal", 0.05, 0.1, 1)],
)
def test_truncation_holds_in_either_far_tail(law, sd, low, high):
    x = Spread(law, sd, low, high).quantile(uniform(("tail",), N), np.full(N, 2.0))
    assert x.min() >= low and x.max() <= high
    assert len(np.unique(x)) > N / 2


def test_a_logitnormal_keeps_to_its_bounds_with_its_median():
    x = sample('law = "logitnormal", sd = 1.5', "0.7")
    assert x.min() > 0 and x.max() < 1
    assert np.mean(x < 0.7) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(N))
    assert stats.kstest((np.log(x / (1 - x)) - np.log(0.7 / 0.3)) / 1.5, "norm").pvalue > 1e-3
    y = sample('law = "logitnormal", sd = 1.5, low = 1, high = 3')
    assert y.min() > 1 and y.max() < 3


def test_a_bernoulli_is_one_at_its_rate():
    x = sample('law = "bernoulli"', "0.3")
    assert set(x) == {0.0, 1.0}
    close_mean(x, 0.3)


@pytest.mark.parametrize("rate", [0, 1])
def test_a_sure_thing_is_sure(rate):
    assert set(sample('law = "bernoulli"', str(rate))) == {float(rate)}


def test_categories_come_in_their_shares():
    x = sample('law = "categorical", values = [1, 5, 7], weights = [0.2, 0.5, 0.3]')
    for value, share in ((1, 0.2), (5, 0.5), (7, 0.3)):
        assert np.mean(x == value) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / N))


def test_a_mixture_has_its_shares_and_its_width():
    x = sample('law = "lognormal", sd = 0.1, mixture = { factors = [1, 10], weights = [0.7, 0.3] }')
    high = x > 6
    assert high.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / N))
    assert np.median(x[high]) == pytest.approx(20, rel=0.01) and np.median(x[~high]) == pytest.approx(
        2, rel=0.01
    )
    assert np.log(x[high]).std() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("law", ["lognormal", "normal"])
def test_no_spread_is_the_typical_value(law):
    assert set(sample(f'law = "{law}", sd = 0')) == {2.0}


# --- patients ------------------------------------------------------------


FULL = bind(
    read(
        HEAD + '[values]\nCL = { value = 2, unit = "L/day", spread = { law = "lognormal", cv = 0.3 }, '
        'effect = { is = "BSA / 1.75", reference = { BSA = 1.75 } } }\n'
        'V = { value = 5, unit = "L", spread = { law = "lognormal", cv = 0.3 } }\n'
        '[covariates]\nBSA = { value = 1.75, unit = "m^2", '
        'spread = { law = "normal", sd = 0.15, low = 1.2, high = 2.6 } }\n'
    ),
    DRUG,
)
CORRELATED = replace(FULL, correlations=(Correlation(("CL", "V"), 0.6), Correlation(("V", "BSA"), -0.4)))


def same(a: Population, b: Population) -> bool:
    return np.array_equal(a.inputs, b.inputs) and all(np.array_equal(a[k], b[k]) for k in a.covariates)


@pytest.mark.parametrize("parameters", [FULL, CORRELATED], ids=["plain", "correlated"])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 99])
def test_fewer_patients_are_the_first_of_more(parameters, n):
    assert same(draw(DRUG, parameters, n, seed=3), draw(DRUG, parameters, 100, seed=3).take(np.arange(n)))


@pytest.mark.parametrize("parameters", [FULL, CORRELATED], ids=["plain", "correlated"])
def test_a_chunk_is_a_slice_of_the_whole(parameters):
    whole = draw(DRUG, parameters, 60, seed=3)
    for first in (0, 1, 2, 3, 4, 5, 31, 57):
        for n in (1, 2, 3):
            chunk = draw(DRUG, parameters, n, seed=3, first=first)
            assert same(chunk, whole.take(np.arange(first, first + n))), (first, n)
            assert chunk.first == first


def test_many_correlated_quantities_are_the_same_bit_for_bit_in_any_chunk():
    model = load_model("drugs/oxaliplatin")
    lines = tuple(
        Value(p.name, 1.0, p.unit, spread=Spread("lognormal", 0.5, high=p.high)) for p in model.parameters
    )
    links = tuple(Correlation((a.name, b.name), 0.3) for i, a in enumerate(lines) for b in lines[:i])
    p = Parameters("p", model.name, "t", values=lines, correlations=links)
    whole = draw(model, p, 60)
    for first in range(0, 56, 5):
        for n in (1, 2, 3, 4):
            assert same(draw(model, p, n, first=first), whole.take(np.arange(first, first + n))), (first, n)


def test_uniform_draws_depend_on_key_and_patient_alone():
    whole = uniform(("a", "b"), 1000)
    assert whole.min() > 0 and whole.max() < 1
    assert stats.kstest(whole, "uniform").pvalue > 1e-3
    assert np.array_equal(
        np.concatenate([uniform(("a", "b"), k, f) for k, f in ((7, 0), (1, 7), (992, 8))]), whole
    )
    assert not np.any(uniform(("a", "c"), 1000) == whole)


def test_the_spread_of_another_quantity_changes_nothing():
    base = draw(DRUG, FULL, 50, seed=3)
    fixed = replace(FULL, values=tuple(replace(v, spread=None) if v.name == "V" else v for v in FULL.values))
    assert np.array_equal(draw(DRUG, fixed, 50, seed=3)["CL"], base["CL"])
    turned = replace(FULL, values=FULL.values[::-1])
    assert same(draw(DRUG, turned, 50, seed=3), base)
    linked = draw(DRUG, replace(FULL, correlations=(Correlation(("V", "BSA"), 0.5),)), 50, seed=3)
    assert np.allclose(linked["CL"] / linked["BSA"], base["CL"] / base["BSA"], rtol=1e-14)
    assert not np.allclose(linked["V"], base["V"])


def test_seed_arm_and_study_each_give_other_patients():
    drawn = [
        draw(DRUG, FULL, 20, **k)["CL"]
        for k in ({}, {"seed": 1}, {"arm": "a"}, {"study": "a"}, {"study": "a", "arm": "b"})
    ]
    for i, a in enumerate(drawn):
        for b in drawn[:i]:
            assert not np.any(a == b)


def test_the_same_key_gives_the_same_patients():
    assert same(draw(DRUG, FULL, 20, 1, "s", "a"), draw(DRUG, FULL, 20, 1, "s", "a"))


def test_correlated_draws_reach_their_correlation_on_the_normal_scale():
    p = draw(DRUG, CORRELATED, N, seed=2)
    cl, v = np.log(p["CL"] / p["BSA"]), np.log(p["V"])
    sd = np.sqrt(np.log(1.09))
    assert np.corrcoef(cl, v)[0, 1] == pytest.approx(0.6, abs=4 * (1 - 0.36) / np.sqrt(N))
    assert np.corrcoef(cl, p["BSA"])[0, 1] == pytest.approx(0, abs=4 / np.sqrt(N))
    assert np.corrcoef(v, p["BSA"])[0, 1] == pytest.approx(-0.4, abs=0.02)
    assert stats.kstest((v - np.log(5)) / sd, "norm").pvalue > 1e-3


def test_uncorrelated_quantities_are_not_correlated():
    p = draw(DRUG, FULL, N, seed=2)
    assert abs(np.corrcoef(np.log(p["CL"] / p["BSA"]), np.log(p["V"]))[0, 1]) < 4 / np.sqrt(N)


def test_a_mixture_can_be_correlated():
    mixture = Spread("lognormal", 0.1, weights=(0.5, 0.5), factors=(1.0, 10.0))
    p = replace(
        FULL,
        values=(replace(FULL["CL"], spread=mixture, effect=None), FULL["V"]),
        correlations=(Correlation(("CL:mixture", "V"), 0.8),),
    )
    x = draw(DRUG, p, N, seed=4)
    high = x["CL"] > 6
    assert high.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(N))
    assert np.corrcoef(high, np.log(x["V"]))[0, 1] == pytest.approx(0.8 * np.sqrt(2 / np.pi), abs=0.02)


def test_correlating_what_has_no_spread_is_refused():
    with pytest.raises(ContentError) as caught:
        draw(DRUG, replace(FULL, correlations=(Correlation(("CL", "VV"), 0.5),)), 5)
    [issue] = caught.value.issues
    assert (issue.where, issue.what, issue.remedy) == (
        "own.toml: correlations",
        "'VV' has no spread to correlate",
        "did you mean 'V'?",
    )


def test_correlations_that_cannot_all_hold_are_refused():
    impossible = tuple(
        Correlation(pair, r) for pair, r in ((("CL", "V"), 0.9), (("V", "BSA"), 0.9), (("CL", "BSA"), -0.9))
    )
    with pytest.raises(ContentError) as caught:
        draw(DRUG, replace(FULL, correlations=impossible), 5)
    [issue] = caught.value.issues
    assert issue.where == "own.toml: correlations"
    assert issue.what == "cannot all hold at once (the matrix is not positive semidefinite: eigenvalue -0.8)"
    assert issue.remedy == "weaken one of them"


def test_an_effect_follows_its_covariate():
    small, large = (draw(DRUG, FULL, 10, covariates={"BSA": b})["CL"] for b in (1.4, 2.1))
    assert np.allclose(large / small, 1.5)


def test_an_effect_of_a_covariate_that_patients_lack_is_told():
    with pytest.raises(ContentError) as caught:
        draw(DRUG, replace(FULL, covariates=()), 5)
    [issue] = caught.value.issues
    assert (issue.where, issue.what, issue.remedy) == (
        "values.CL",
        "depends on BSA, which these patients lack",
        "add it to [covariates] of a parameter file",
    )


def test_given_covariates_are_in_the_register_and_plausible():
    with pytest.raises(ContentError) as caught:
        draw(DRUG, FULL, 5, covariates={"BSAA": 1.75})
    assert (
        str(caught.value)
        == "covariates: 'BSAA' is not in the register\n    remedy: did you mean 'BSA' or 'ADA'?"
    )
    with pytest.raises(ContentError) as caught:
        draw(DRUG, FULL, 3, covariates={"BSA": np.array([1.7, 17.5, np.nan])})
    assert str(caught.value) == (
        "covariates.BSA: patient 2 has 17.5 m^2; plausible is 1 to 3\n    remedy: mend the value, or "
        "bound its spread with low and high"
    )


def test_an_implausible_patient_of_a_later_chunk_is_named_by_his_own_number():
    with pytest.raises(ContentError, match="patient 102 has 17.5"):
        draw(DRUG, FULL, 2, covariates={"BSA": np.array([1.7, 17.5])}, first=100)


def test_an_unbound_set_is_converted_or_refused_never_drawn_in_the_wrong_units():
    unbound = read(HEAD + '[values]\nCL = { value = 100, unit = "mL/hour" }\nV = { value = 5, unit = "L" }\n')
    try:
        drawn = draw(DRUG, unbound, 1)["CL"][0]
    except ContentError:
        return
    assert drawn == pytest.approx(2.4)


def test_a_set_without_a_value_is_refused():
    with pytest.raises(ContentError):
        draw(DRUG, read(HEAD), 1)


def test_the_typical_patient_has_every_typical_value():
    assert typical(DRUG, FULL).inputs.tolist() == [[2.0, 5.0]]
    assert typical(DRUG, FULL, {"BSA": 3.5 / 2}).inputs.tolist() == [[2.0, 5.0]]
    assert typical(DRUG, FULL, {"BSA": 2.1})["CL"][0] == pytest.approx(2.4)


def test_copies_share_the_patients_draw_and_have_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = system(3)
    between, within = Spread("lognormal", 0.4), Spread("lognormal", 0.2)
    p = Parameters(
        "p",
        "system",
        "t",
        values=(
            replace(FULL["CL"], name="d.CL", effect=None, spread=between, copies=within),
            replace(FULL["V"], name="d.V"),
        ),
    )
    x = draw(model, p, N, seed=7)
    one, two = np.log(x["d.1.CL"]), np.log(x["d.2.CL"])
    assert one.std() == pytest.approx(np.sqrt(0.2), rel=0.03)
    assert np.corrcoef(one, two)[0, 1] == pytest.approx(0.8, abs=0.02)
    assert np.array_equal(x["d.1.V"], x["d.3.V"])


def test_an_effect_may_depend_on_the_number_of_the_copy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = system(3)
    table = HEAD.replace('"drug"', '"system"') + (
        '[values.d]\nCL = { value = 8, unit = "L/day", effect = { is = "0.5**(COPY - 1)", '
        'reference = { COPY = 1 } } }\nV = { value = 5, unit = "L" }\n'
    )
    p = bind(read(table), model)
    assert [draw(model, p, 1)[f"d.{i}.CL"][0] for i in (1, 2, 3)] == [8, 4, 2]
    assert [typical(model, p)[f"d.{i}.CL"][0] for i in (1, 2, 3)] == [8, 4, 2]


def test_inputs_of_patients_can_be_set():
    p = draw(DRUG, FULL, 4)
    assert p.with_inputs({"V": 3.0})["V"].tolist() == [3.0] * 4
    assert p["V"].tolist() != [3.0] * 4
    assert len(p.take(np.array([1, 3]))) == 2
    with pytest.raises(ContentError) as caught:
        p.with_inputs({"VV": 3.0})
    assert str(caught.value) == "population: the model has no input 'VV'\n    remedy: did you mean 'V'?"


def test_a_correlation_of_covariates_keeps_their_names_in_a_system():
    text = """[parameters]
model = "drugs/oxaliplatin"
[values]
CL = { value = 17, unit = "L/hour", spread = { law = "lognormal", cv = 0.3 } }
[covariates]
WT = { value = 70, unit = "kg", spread = { law = "normal", sd = 10, low = 40, high = 120 } }
BSA = { value = 1.8, unit = "m^2", spread = { law = "normal", sd = 0.2, low = 1.2, high = 2.6 } }
[[correlations]]
of = ["WT", "BSA"]
r = 0.9
[[correlations]]
of = ["CL", "WT"]
r = 0.2
"""
    system = load_model("crlm_folfox")
    own, _ = read_parameters(parse(text, "own"), "own", "own.toml")
    assert [c.of for c in _placed(own, system).correlations] == [("WT", "BSA"), ("oxaliplatin.CL", "WT")]


def test_a_typical_patient_is_the_one_that_the_values_are_of_and_is_dosed_as_such():
    model = load_model("drugs/bevacizumab")
    own = load_parameters((), model)
    one = typical(model, own)
    assert {v.name: v.value for v in own.values} == pytest.approx(
        dict(zip(one.names, one.inputs[0], strict=True))
    )
    assert one.covariates["WT"][0] == dict(own["CL"].effect.reference)["WT"]


def test_a_typical_patient_of_given_covariates_keeps_the_reference_of_the_others():
    model = load_model("drugs/bevacizumab")
    own = load_parameters((), model)
    light, usual = typical(model, own, {"WT": 50}), typical(model, own)
    assert light["CL"][0] < usual["CL"][0] and light.covariates["WT"][0] == 50
    assert light["CL"][0] == pytest.approx(usual["CL"][0] * (50 / 70) ** 0.589)
