"""The model language: what one file may say, and what its author is told when it cannot be used."""

import json
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkpd.content import toml
from pkpd.content.units import parse_unit
from pkpd.errors import ContentError, NotFound
from pkpd.model import dimensions, expression
from pkpd.model.check import check_model
from pkpd.model.compose import load_model, parse_model

HEAD = '[model]\ntitle = "a drug"\ntime = "day"\n'
PARAMETERS = """[parameters]
V = { unit = "L" }
CL = { unit = "L/day" }
VMAX = { unit = "mg/day" }
KM = { unit = "mg/L" }
"""
COMPARTMENTS = '[compartments]\ncentral = { unit = "mg", dose = true }\n'
VARIABLES = '[variables]\nCc = { unit = "mg/L", is = "central / V" }\n'
FLOWS = '[flows]\nelimination = { from = "central", rate = "(CL + VMAX / (KM + Cc)) * Cc" }\n'
DRUG = HEAD + PARAMETERS + COMPARTMENTS + VARIABLES + FLOWS
ALLOWED = "use + - * / **, numbers, names and exp log sqrt min max hill"


def told(text: str) -> list[tuple[str, str, str]]:
    """What the author of a model is told: (where, what, remedy) of each issue."""
    with pytest.raises(ContentError) as caught:
        parse_model(text, "drug.toml")
    return [(i.where, i.what, i.remedy) for i in caught.value.issues]


def with_rate(rate: str) -> str:
    return DRUG + f"other = {{ from = \"central\", rate = '{rate}' }}\n"


def with_compartment(line: str) -> str:
    return HEAD + PARAMETERS + COMPARTMENTS + line + "\n" + VARIABLES + FLOWS


RATE = "drug.toml: flows.other.rate"


def test_a_drug_reads_as_written():
    model = parse_model(DRUG, "drug.toml")
    assert (model.states, model.inputs, model.time) == (("central",), ("V", "CL", "VMAX", "KM"), "day")
    assert model.unit("Cc") == "mg/L"
    assert check_model(model) == []


def test_an_unknown_name_has_no_unit():
    with pytest.raises(ContentError) as caught:
        parse_model(DRUG).unit("Cd")
    assert [(i.where, i.what, i.remedy) for i in caught.value.issues] == [
        ("model", "has no 'Cd'", "did you mean 'Cc' or 'CL'?")
    ]


def test_a_misspelt_name_is_offered_the_near_one():
    assert told(with_rate("CL * Ccc")) == [(RATE, "'Ccc' is not declared", "did you mean 'Cc'?")]


def test_a_name_near_nothing_is_offered_all_there_is():
    assert told(with_rate("zzzzzz / 1")) == [
        (RATE, "'zzzzzz' is not declared", "known here: CL, Cc, KM, V, VMAX, central")
    ]


def test_one_cannot_be_added_to_a_concentration():
    assert told(with_rate("1 + Cc")) == [
        (
            RATE,
            "in '1 + Cc': 1 is in no unit, but Cc is in mg/L",
            "only like can be added or compared with like",
        )
    ]


def test_adding_unlike_things_shows_both_units():
    assert told(with_rate("KM + central")) == [
        (
            RATE,
            "in 'KM + central': KM is in mg/L, but central is in mg",
            "only like can be added or compared with like",
        )
    ]


def test_the_message_shows_what_the_author_wrote_not_what_algebra_makes_of_it():
    [(_, what, _)] = told(with_rate("CL * (V + central + V)"))
    assert what == "in 'V + central': V is in L, but central is in mg"


@pytest.mark.parametrize("call", ["min(KM, central)", "max(KM, central)"])
def test_unlike_things_cannot_be_compared(call):
    assert told(with_rate(call))[0][1] == f"in '{call}': KM is in mg/L, but central is in mg"


def test_hill_compares_like_with_like():
    assert told(with_rate("hill(central, KM, 1)"))[0][1] == (
        "in 'hill(central, KM, 1)': central is in mg, but KM is in mg/L"
    )


@pytest.mark.parametrize("call", ["exp(Cc)", "log(Cc)", "2 ** Cc", "hill(Cc, KM, Cc)"])
def test_only_pure_numbers_go_where_a_unit_makes_no_sense(call):
    assert told(with_rate(call)) == [
        (
            RATE,
            f"in '{call.replace(' ** ', '**')}': Cc is in mg/L, but must be a pure number",
            "divide it by a reference of the same unit",
        )
    ]


def test_a_quantity_with_a_unit_is_raised_to_plain_numbers_only():
    assert told(with_rate("Cc ** (Cc / KM)")) == [
        (
            RATE,
            "in 'Cc**(Cc / KM)': Cc is in mg/L; only a pure number can be raised to a power that is not a "
            "plain number",
            "divide it by a reference first",
        )
    ]


def test_a_rate_in_another_kind_of_unit_is_refused():
    assert told(with_rate("Cc")) == [
        (RATE, "'Cc' is in mg/L, but mg/day is declared", "mend the expression or the declared unit")
    ]


def test_a_unit_that_no_name_declares_is_shown_by_its_dimensions():
    assert told(with_rate("CL * CL"))[0][1] == "'CL * CL' is in meter^6 second^-2, but mg/day is declared"


def test_a_start_in_the_wrong_unit_is_refused():
    assert told(with_compartment('tissue = { unit = "mg", dose = true, start = 5 }')) == [
        (
            "drug.toml: compartments.tissue.start",
            "'5' is in no unit, but mg is declared",
            "mend the expression or the declared unit",
        )
    ]


def test_zero_suits_any_unit():
    model = parse_model(DRUG + 'nothing = { from = "central", rate = 0 }\n')
    assert model.flows[-1].tree == ("num", 0)


# --- the file's frame ------------------------------------------------------------


def test_an_unknown_key_is_offered_the_near_one():
    assert told(DRUG.replace("title", "titel")) == [
        ("drug.toml: model.titel", "unknown key", "did you mean 'title' or 'time'?"),
        ("drug.toml: model.title", "is missing", "every model gives a title and its time unit"),
    ]
    assert told(DRUG + "[flow]\n") == [("drug.toml.flow", "unknown key", "did you mean 'flows'?")]
    assert told(DRUG + 'x = { form = "central", rate = "CL * Cc", from = "central" }\n') == [
        ("drug.toml: flows.x.form", "unknown key", "did you mean 'from'?")
    ]


def test_a_model_gives_its_title_and_time():
    assert told("[model]\n" + COMPARTMENTS) == [
        (f"drug.toml: model.{key}", "is missing", "every model gives a title and its time unit")
        for key in ("title", "time")
    ]


@pytest.mark.parametrize("time", ["mg", "1/day", "1"])
def test_the_time_unit_is_a_time(time):
    [(where, what, _)] = told(DRUG.replace('time = "day"', f'time = "{time}"').split("[flows]")[0])
    assert where == "drug.toml: model.time"
    assert repr(time) in what


def test_everything_declared_has_a_unit():
    assert told(
        HEAD + "[parameters]\nK = {}\n[compartments]\na = { dose = true }\n[variables]\nb = { is = 1 }\n"
    ) == [
        (f"drug.toml: {place}", "has no unit", 'give unit = "…" ("1" for a pure number)')
        for place in ("parameters.K", "compartments.a", "variables.b")
    ]


def test_a_unit_that_is_none_is_refused():
    assert told(DRUG.replace('"L"', '"litre per fortnigth"')) == [
        (
            "drug.toml: parameters.V.unit",
            "'litre per fortnigth' is not a unit (UndefinedUnitError)",
            "write it as in 'mg/L', '1/day' or 'mL/min'",
        )
    ]


@pytest.mark.parametrize("value", ["3", '["mg"]', "{ a = 1 }", "true"])
def test_a_unit_that_is_no_text_is_refused(value):
    [(where, what, _)] = told(DRUG.replace('V = { unit = "L" }', f"V = {{ unit = {value} }}"))
    assert where == "drug.toml: parameters.V.unit" and "is not a unit" in what


@pytest.mark.parametrize("text", ["joins = 3", 'joins = "drug"', "joins = [3]", "time = [3]", "title = 3"])
def test_the_head_of_a_file_holds_what_it_should(text):
    key = text.split()[0]
    head = "\n".join(line for line in DRUG.splitlines() if not line.startswith(key)).replace(
        "[model]", f"[model]\n{text}"
    )
    assert told(head)[0][0].startswith(f"drug.toml: model.{key}")


def test_the_head_is_a_table():
    assert ("drug.toml: model", "is not a table", "") in told("model = 3\n")


def test_a_section_is_a_table_of_tables():
    assert told("compartments = 3\n" + HEAD) == [("drug.toml: compartments", "is not a table", "")]
    assert told(HEAD + '[parameters]\nK = "1/day"\n' + COMPARTMENTS) == [
        ("drug.toml: parameters.K", "'1/day' is not a table", "write { unit = …, … }")
    ]


def test_a_model_without_compartments_is_refused():
    assert told(HEAD) == [("drug.toml", "has no compartments", "declare at least one")]


def test_inputs_are_capitals():
    assert told(DRUG.replace("VMAX = { unit", 'k = { unit = "1" }\nVMAX = { unit')) == [
        ("drug.toml: parameters.k", "a parameter is written in capitals", "write K")
    ]


def test_computed_names_have_a_lower_case_letter():
    told_of = told(
        HEAD
        + '[compartments]\nA = { unit = "mg", dose = true }\n[variables]\nB = { unit = "mg", is = "A" }\n'
    )
    assert told_of == [
        (
            f"drug.toml: {place}",
            "a computed name has a lower-case letter; capitals are inputs",
            f"write {low}",
        )
        for place, low in (("compartments.A", "a"), ("variables.B", "b"))
    ]


@pytest.mark.parametrize("name", ["2x", "a-b", "é", "_x", "exp", "next", "first", "last", "x" * 41, "a b"])
def test_what_cannot_be_a_name_is_refused(name):
    assert told(with_compartment(f'"{name}" = {{ unit = "mg", dose = true }}')) == [
        (
            f"drug.toml: compartments.{name}",
            "is not a name",
            "a letter, then letters, digits and _ (not a function, next, first or last)",
        )
    ]


def test_a_name_ends_where_it_ends():
    assert told(with_compartment(r'"a\n" = { unit = "mg", dose = true }'))[0][1] == "is not a name"


@pytest.mark.parametrize("name", ["in", "is", "lambda", "not"])
def test_a_word_that_no_expression_can_hold_is_not_a_name(name):
    assert told(with_compartment(f'{name} = {{ unit = "mg", dose = true }}'))[0][1] == "is not a name"


def test_a_key_given_twice_is_refused_with_its_line():
    [(where, what, remedy)] = told(DRUG + 'elimination = { from = "central", rate = "CL * Cc" }\n')
    assert where == "drug.toml"
    assert what.startswith("is not valid TOML:") and "line 15" in what
    assert remedy == "mend the line named; a key may be given once only"


def test_a_name_is_declared_once():
    assert told(DRUG.replace("Cc = {", "central = {").replace("Cc", "KM")) == [
        ("drug.toml: variables.central", "is declared in [compartments] too", "rename one of the two")
    ]


def test_a_flow_goes_somewhere():
    for ends in ("", 'from = "", to = "", ', "from = 3, "):
        assert told(DRUG + f'x = {{ {ends}rate = "CL * Cc" }}\n') == [
            (
                "drug.toml: flows.x",
                "goes from nowhere to nowhere",
                'give from = "…", to = "…", or one of them',
            )
        ]


def test_a_flow_joins_compartments():
    assert told(DRUG + 'x = { from = "central", to = "centrall", rate = "CL * Cc" }\n') == [
        ("drug.toml: flows.x.to", "'centrall' is not a compartment", "did you mean 'central'?")
    ]
    assert told(DRUG + 'x = { from = "Cc", rate = "CL * Cc" }\n')[0][:2] == (
        "drug.toml: flows.x.from",
        "'Cc' is not a compartment",
    )


def test_a_flow_within_one_compartment_moves_nothing_and_is_refused():
    text = DRUG + 'x = { from = "central", to = "central", rate = "CL * Cc" }\n'
    try:
        issues = check_model(parse_model(text, "drug.toml"))
    except ContentError as error:
        issues = list(error.issues)
    assert [i.where for i in issues] == ["drug.toml: flows.x"]


def test_a_flow_has_a_rate_and_a_variable_an_expression():
    assert told(DRUG + 'x = { from = "central" }\n') == [
        ("drug.toml: flows.x", "has no rate", 'give rate = "…"')
    ]
    assert told(DRUG.replace(', is = "central / V"', "")) == [
        ("drug.toml: variables.Cc", "has no expression", 'give is = "…"')
    ]


def test_mass_and_moles_do_not_meet_in_one_flow():
    text = (
        with_compartment('tissue = { unit = "nmol" }')
        + 'x = { from = "central", to = "tissue", rate = "CL * Cc" }\n'
    )
    assert told(text) == [
        (
            "drug.toml: flows.x",
            "central is in mg, but tissue is in nmol",
            "mass and moles meet only through a molar mass in g/mol",
        )
    ]


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf", "true", '"1"'])
def test_a_scale_is_a_positive_number(scale):
    [(where, what, _)] = told(with_compartment(f'x = {{ unit = "mg", dose = true, scale = {scale} }}'))
    assert where == "drug.toml: compartments.x.scale" and what.endswith("is not a positive number")


def test_all_issues_of_a_file_are_told_at_once():
    text = (
        HEAD + 'tme = "day"\n[parameters]\nk = { unit = "L" }\nV = { unit = "litr" }\n'
        '[compartments]\na = {}\n[variables]\nb = { unit = "1" }\n[flows]\nc = {}\n'
    )
    assert len(told(text)) == 6
    assert (
        len(
            told(
                with_rate("Ccc")
                + 'third = { from = "centra", rate = "1" }\nfourth = { from = "central", rate = "1+Cc" }\n'
            )
        )
        == 3
    )


def test_the_error_prints_where_what_and_remedy():
    with pytest.raises(ContentError) as caught:
        parse_model(with_rate("Ccc"), "drug.toml")
    assert (
        str(caught.value)
        == "drug.toml: flows.other.rate: 'Ccc' is not declared\n    remedy: did you mean 'Cc'?"
    )
    assert isinstance(caught.value, ValueError)


# --- doses ------------------------------------------------------------


DOSE_PARAMETERS = (
    '[parameters]\nK = { unit = "1/day" }\nALAG = { unit = "hour" }\nF1 = { unit = "1" }\n'
    'R1 = { unit = "mg/hour" }\nD1 = { unit = "hour" }\nFR = { unit = "1" }\n'
)


def dosed(dose: str, unit: str = "mg") -> str:
    return (
        HEAD + DOSE_PARAMETERS + f'[compartments]\na = {{ unit = "{unit}", dose = {dose} }}\n'
        '[flows]\nout = { from = "a", rate = "K * a" }\n'
    )


def test_a_dosed_compartment_names_the_parameters_of_its_doses():
    text = dosed(
        '{ lag = "ALAG", bioavailability = "F1", rate = "R1", duration = "D1", forms = { racemate = "FR" } }'
    )
    model = parse_model(text)
    dose = model.compartments[0].dose
    assert dose is not None
    assert dose.names() == ("ALAG", "F1", "R1", "D1", "FR")
    assert dose.forms == (("racemate", "FR"),)
    assert check_model(model) == []


def test_dose_false_is_no_dose():
    assert parse_model(dosed("false")).compartments[0].dose is None
    assert parse_model(dosed("true")).compartments[0].dose.names() == ()


def test_a_dose_names_parameters_that_exist():
    assert told(dosed('{ lag = "ALAGG", forms = { racemate = "a" } }')) == [
        ("drug.toml: compartments.a.dose", "'ALAGG' is not a parameter", "did you mean 'ALAG'?"),
        ("drug.toml: compartments.a.dose", "'a' is not a parameter", "known here: ALAG, D1, F1, FR, K, R1"),
    ]


def test_a_dose_has_no_other_keys():
    assert told(dosed('{ lagg = "ALAG" }')) == [
        ("drug.toml: compartments.a.dose.lagg", "unknown key", "did you mean 'lag'?")
    ]


def test_a_dose_is_true_or_a_table():
    assert told(dosed('"yes"')) == [
        ("drug.toml: compartments.a.dose", "'yes' is neither true nor a table of parameter names", "")
    ]
    assert told(dosed('{ forms = "FR" }')) == [
        ("drug.toml: compartments.a.dose.forms", 'is not a table of form = "PARAMETER"', "")
    ]


@pytest.mark.parametrize(
    ("key", "name"), [("lag", "F1"), ("bioavailability", "ALAG"), ("rate", "K"), ("duration", "R1")]
)
def test_the_parameters_of_a_dose_have_the_units_of_their_part_in_it(key, name):
    [(where, what, _)] = told(dosed(f'{{ {key} = "{name}" }}'))
    assert where.startswith("drug.toml: compartments.a.dose") and repr(name) in what


def test_the_fraction_of_a_form_is_a_pure_number():
    [(where, what, _)] = told(dosed('{ forms = { racemate = "K" } }'))
    assert where.startswith("drug.toml: compartments.a.dose") and "'K'" in what


def test_a_start_is_made_of_parameters():
    assert told(with_compartment('x = { unit = "mg/L", dose = true, start = "Cc" }'))[0] == (
        "drug.toml: compartments.x.start",
        "'Cc' is not a parameter",
        "did you mean 'CL'?",
    )


# --- rules of a whole model ------------------------------------------------------------


def checked(text: str) -> list[tuple[str, str, str]]:
    return [(i.where, i.what, i.remedy) for i in check_model(parse_model(text, "drug.toml"))]


def test_the_same_flow_twice_is_found():
    again = DRUG + 'again = { from = "central", rate = "(CL + VMAX / (KM + Cc)) * Cc" }\n'
    assert checked(again) == [
        (
            "drug.toml: flows.again",
            "is flow 'elimination' again: (CL + VMAX / (KM + Cc)) * Cc",
            "remove one of the two",
        )
    ]


def test_a_parameter_that_changes_nothing_is_found():
    assert checked(DRUG.replace("V = {", 'SPARE = { unit = "1" }\nV = {')) == [
        ("drug.toml: parameters.SPARE", "changes nothing", "use it or remove it")
    ]


def test_a_compartment_that_only_a_coupling_will_move_is_fine_alone():
    assert checked(with_compartment('idle = { unit = "mg" }')) == []


def test_a_flow_that_goes_on_from_an_empty_compartment_is_found():
    assert checked(with_rate("VMAX")) == [
        (
            "drug.toml: flows.other",
            "leaves central at a rate that does not depend on it, so it goes on when nothing is left",
            "let the rate fade with its source",
        )
    ]


def test_a_rate_that_depends_on_its_source_through_variables_is_fine():
    assert checked(with_rate("CL * Cc")) == []


def test_variables_may_stand_in_any_order():
    model = parse_model(
        DRUG.replace("[variables]\n", '[variables]\ntwice = { unit = "mg/L", is = "2 * Cc" }\n')
    )
    assert [v.name for v in model.variables] == ["Cc", "twice"]


def test_variables_that_go_in_a_circle_are_refused():
    text = (
        HEAD
        + COMPARTMENTS
        + "".join(
            ["[variables]\n", *(f'{a} = {{ unit = "1", is = "{b} + 1" }}\n' for a, b in ("ab", "bc", "ca"))]
        )
    )
    assert told(text) == [("drug.toml: variables", "a -> b -> c -> a goes in a circle", "break it")]
    assert (
        told(HEAD + COMPARTMENTS + '[variables]\na = { unit = "1", is = "a" }\n')[0][1]
        == "a -> a goes in a circle"
    )


# --- hostile files ------------------------------------------------------------


HOSTILE = [
    "__import__('os').system('touch hacked')",
    "().__class__",
    "central.__class__",
    "a.first.b.c",
    "(lambda: 1)()",
    "[x for x in (1, 2)]",
    "(x := 1)",
    "f'{1}'",
    "central[0]",
    "exp(x=1)",
    "'text'",
    "1j",
    "True",
    "None",
    "a if b else c",
    "a and b",
    "not a",
    "1 < 2",
    "a @ b",
    "a % b",
    "a // b",
    "~a",
    "*a",
    "{1: 2}",
    "...",
    "await a",
    "yield a",
    "exp(*a)",
    "central.first",
    "b'x'",
    "1; 2",
    "x = 1",
    "import os",
    "\0",
    "",
    "1 +",
    "exp(1",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_but_arithmetic_is_read(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ContentError):
        known = {"central": (parse_unit("1"), "1")}
        dimensions.check(expression.parse(text, "here"), known, "here")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text, piece",
    [
        ("1 + central.__class__", "central.__class__"),
        ("2 * (lambda: 1)()", "(lambda: 1)()"),
        ("[x for x in y] + 1", "[x for x in y]"),
        ("1 + (x := 1)", "x := 1"),
        ("1 + f'{x}'", "f'{x}'"),
        ("central[0] + 1", "central[0]"),
        ("exp(x=1)", "exp(x=1)"),
        ("1 + 'a'", "'a'"),
        ("1 if a else 2", "1 if a else 2"),
    ],
)
def test_the_piece_that_is_not_allowed_is_shown(text, piece):
    assert told_of(text) == ("here", f"{piece!r} is not allowed in an expression", ALLOWED)


def told_of(text: object) -> tuple[str, str, str]:
    with pytest.raises(ContentError) as caught:
        expression.parse(text, "here")
    [issue] = caught.value.issues
    return issue.where, issue.what, issue.remedy


def test_broken_grammar_is_no_expression():
    assert told_of("1 +") == ("here", "'1 +' is not an expression", ALLOWED)


@pytest.mark.parametrize("value", [True, None, [1], {"a": 1}])
def test_what_is_no_text_is_no_expression(value):
    assert told_of(value) == ("here", f"{value!r} is not an expression", 'write it as text, as in "CL * Cc"')


def test_an_unknown_function_is_offered_the_near_one():
    assert told_of("sqr(2)") == ("here", "'sqr' is not a function", "did you mean 'sqrt'?")
    assert (
        told_of("__import__('os').system('x')")[1]
        == "\"__import__('os').system('x')\" is not allowed in an expression"
    )
    assert told_of("eval(2)")[1] == "'eval' is not a function"


def test_a_function_takes_its_number_of_arguments():
    assert told_of("exp(1, 2)") == ("here", "exp takes 1 arguments, not 2", "")
    assert told_of("hill(1)") == (
        "here",
        "hill takes 3 arguments, not 1",
        "hill(x, k, n) = x^n / (k^n + x^n)",
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "1e999"])
def test_a_number_is_finite(value):
    number = float(value)
    assert told_of(value) == ("here", f"{number!r} is not a finite number", "give a finite number")


@pytest.mark.parametrize("number", ["1" + "0" * 400, "0x" + "f" * 400])
def test_a_number_that_no_computer_holds_is_refused(number):
    assert told(with_rate(f"{number} * CL * Cc"))[0][0] == RATE
    assert told(with_rate(f"CL * Cc + {number}"))[0][0] == RATE


def test_a_long_expression_is_refused():
    assert told_of("1+" * 1000 + "1") == (
        "here",
        "is 2001 characters long; an expression has at most 2000",
        "name its pieces in [variables]",
    )
    assert (
        told_of("(" * 10**6 + ")" * 10**6)[1] == "is 2000000 characters long; an expression has at most 2000"
    )


def test_a_deep_expression_is_refused():
    assert told_of("-" * 100 + "1") == (
        "here",
        "is nested more than 60 deep",
        "name its pieces in [variables]",
    )
    assert "is not an expression" in told_of("(" * 900 + "1" + ")" * 900)[1]
    assert told_of("-" * 1999 + "1")[0] == "here"


@pytest.mark.parametrize(
    "rate", ["CL * Cc / 0", "CL * Cc / (1 - 1)", "CL * Cc * log(0)", "CL * Cc * log(-1)", "0**-1 * CL * Cc"]
)
def test_plain_numbers_that_have_no_value_are_refused(rate):
    assert told(with_rate(rate))[0][0] == RATE


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "own.toml"
    path.write_bytes(b"[model]\ntitle = '\xff\xfe'\n")
    with pytest.raises(ContentError) as caught:
        load_model(str(path))
    [issue] = caught.value.issues
    assert (issue.where, issue.what, issue.remedy) == (str(path), "is not UTF-8 text", "save it as UTF-8")


def test_a_file_of_ten_megabytes_is_refused(tmp_path):
    path = tmp_path / "own.toml"
    path.write_bytes(b"#" * 10_000_000)
    with pytest.raises(ContentError) as caught:
        load_model(str(path))
    [issue] = caught.value.issues
    assert (issue.where, issue.what, issue.remedy) == (
        str(path),
        "is 10.0 MB; a content file is at most 1 MB",
        "split it, or move data out of it",
    )
    with pytest.raises(ContentError) as caught:
        parse_model("x = " + "1" * 10**7, "own")
    assert str(caught.value) == "own: is over 1 MB\n    remedy: split it, or move data out of it"


def test_tables_nested_too_deep_are_refused():
    with pytest.raises(ContentError) as caught:
        toml.parse("a = " + "[" * 100_000, "own")
    assert str(caught.value) == (
        "own: is nested too deeply\n    remedy: mend the line named; a key may be given once only"
    )


def test_a_number_of_a_million_digits_is_refused():
    with pytest.raises(ContentError) as caught:
        toml.parse("a = " + "1" * 900_000, "own")
    assert str(caught.value).startswith("own: is not valid TOML: ")


def test_a_missing_file_and_a_missing_name_say_how_to_find_them(tmp_path):
    with pytest.raises(NotFound) as caught:
        load_model(str(tmp_path / "none.toml"))
    assert str(caught.value) == (
        f"{tmp_path}/none.toml: no such file\n    remedy: a library name has no slash or suffix; "
        "`pkpd list models` shows them"
    )
    with pytest.raises(NotFound) as caught:
        load_model("oxaliplatn")
    assert str(caught.value) == (
        "oxaliplatn: no model of this name in the library\n    remedy: did you mean "
        "'drugs/oxaliplatin' or 'systems/hai_oxaliplatin' or 'local/ablation'? (`pkpd list models` shows all)"
    )


def test_a_misspelt_library_name_with_its_folder_is_offered_the_near_one():
    with pytest.raises(NotFound, match="did you mean 'drugs/oxaliplatin'"):
        load_model("drugs/oxaliplatn")


BOMBS = {
    "a power tower": ("rate", "9**9**9**9 * CL * Cc"),
    "a power tower in an exponent": ("rate", "CL * Cc * 2**(9**9**9)"),
    "a large power of a number": ("rate", "CL * Cc * 2**1000000000"),
    "a large power of a name": ("rate", "CL * Cc * V**1000000000 / V**1000000000"),
    "nested powers of numbers": ("rate", "CL * Cc * " + "(" * 7 + "9" + "**99)" * 7),
    "nested powers of names": ("rate", "CL * Cc * " + "(" * 7 + "2 * Cc / KM" + "**99)" * 7),
    "powers nested through variables": (
        "variables",
        "\n".join(
            [
                'v0 = { unit = "1", is = "2 * Cc / KM" }',
                *(f'v{i + 1} = {{ unit = "1", is = "v{i}**99" }}' for i in range(8)),
            ]
        )
        + "\n",
    ),
    "a unit with a power tower": ("unit", "mg**9**9**9"),
    "a unit with a nested power": ("unit", "((((((((mg**9)**9)**9)**9)**9)**9)**9)**9)**9"),
    "a unit that is a power tower": ("unit", "9**9**9**9"),
    "a unit with a large power": ("unit", "mg**1000000000"),
    "a unit with a large negative power": ("unit", "mg**-1e9"),
    "a metre with a large power": ("unit", "meter**1e9"),
    "a unit with a product in its power": ("unit", "mg**(9*9*9*9*9*9*9*9*9*9*9*9)"),
    "a unit with a large factor": ("unit", "1e300000000 mg"),
    "a key of very many parts": ("toml", "a." * 60_000 + "a = 1"),
    "a header of very many parts": ("toml", "[" + "a." * 400_000 + "a]"),
    "a spread of very many parts": ("toml", "[values.K.spread" + ".a" * 20_000 + "]"),
    "a quantity with very many spaces": ("quantity", "1 x" + " " * 100_000 + "y"),
    "a scale of very many digits": ("scale", "0x" + "f" * 9000),
    "a start of very many digits": ("start", "0x" + "f" * 9000),
}
TALL = {
    "variables that double each time": "\n".join(
        [
            'v0 = { unit = "1", is = "exp(CL / CL)" }',
            *(f'v{i + 1} = {{ unit = "1", is = "hill(v{i}, 1, v{i})" }}' for i in range(60)),
        ]
    )
    + "\n",
    "a chain of three thousand variables": "\n".join(
        [
            *(f'v{i} = {{ unit = "1", is = "v{i + 1}" }}' for i in range(3000)),
            'v3000 = { unit = "1", is = 1 }',
        ]
    )
    + "\n",
}
DRIVER = """
import json, os, resource, signal, sys
from pkpd.content import toml, units
from pkpd.errors import ContentError
from pkpd.model.compose import parse_model
from pkpd.model.symbolic import Equations
units.parse_unit("mg/L")

def model(text):
    m = parse_model(text, "own")
    e = Equations(m)
    e.rates, e.jacobian, m.hash

do = {"model": model, "unit": units.parse_unit, "toml": lambda t: toml.parse(t, "own"),
      "quantity": lambda t: units.quantity(t, "own")}
children = []
for name, (kind, text) in json.load(sys.stdin).items():
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        resource.setrlimit(resource.RLIMIT_CPU, (2, 2))
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
        signal.alarm(20)
        try:
            do[kind](text)
            word = "accepted"
        except ContentError as error:
            word = "refused"
            str(error)
        except BaseException as error:
            word = "broke with " + type(error).__name__
        os.write(write, word.encode())
        os._exit(0)
    os.close(write)
    children.append((name, read))
print(json.dumps({name: os.read(read, 200).decode() or "ran on and on" for name, read in children}))
"""


@pytest.fixture(scope="module")
def outcome():
    """What becomes of each hostile text, each in a process of two CPU seconds and 3 GB."""
    if not hasattr(sys, "getdlopenflags"):
        pytest.skip("needs fork")
    cases = {}
    for name, (kind, text) in BOMBS.items():
        if kind == "rate":
            cases[name] = ("model", with_rate(text))
        elif kind == "variables":
            cases[name] = (
                "model",
                DRUG.replace(FLOWS, text + FLOWS) + 'x = { from = "central", rate = "CL * Cc * v8" }\n',
            )
        elif kind in ("scale", "start"):
            cases[name] = ("model", with_compartment(f'x = {{ unit = "1", dose = true, {kind} = {text} }}'))
        else:
            cases[name] = (kind, text)
    for name, text in TALL.items():
        last = text.strip().splitlines()[-1].split()[0] if "double" in name else "v0"
        cases[name] = (
            "model",
            DRUG.replace(FLOWS, text + FLOWS) + f'x = {{ from = "central", rate = "CL * Cc * {last}" }}\n',
        )
    run = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(run.stdout)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once(name, outcome):
    assert outcome[name] == "refused"


@pytest.mark.parametrize("name", TALL)
def test_towers_of_variables_are_read_or_refused_at_once(name, outcome):
    assert outcome[name] in ("refused", "accepted")


# --- trees ------------------------------------------------------------


trees = st.recursive(
    st.one_of(
        st.sampled_from(["a", "b", "c"]).map(lambda n: ("name", n)),
        st.integers(0, 9).map(lambda n: ("num", Fraction(n))),
    ),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["+", "-", "*", "/", "**"]), inner, inner),
        inner.map(lambda a: ("neg", a)),
        inner.map(lambda a: ("call", "exp", (a,))),
        st.tuples(inner, inner).map(lambda ab: ("call", "min", ab)),
    ),
    max_leaves=8,
)


def value_of(tree) -> complex | str:
    with np.errstate(all="ignore"):
        try:
            return complex(expression.evaluate(tree, {"a": 1.3, "b": 0.7, "c": 2.1}, np))
        except (ZeroDivisionError, OverflowError):
            return "none"


@settings(max_examples=150, deadline=None)
@given(trees)
def test_a_printed_tree_reads_back_with_the_same_value(tree):
    again = expression.parse(expression.unparse(tree), "here")
    assert expression.names_in(again) == expression.names_in(tree)
    one, two = value_of(tree), value_of(again)
    if isinstance(one, complex) and isinstance(two, complex) and np.isfinite(one) and np.isfinite(two):
        assert two == pytest.approx(one, rel=1e-9, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab1.+-*/() ,_e'[]=:", max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        tree = expression.parse(text, "here")
    except ContentError:
        return
    assert expression.unparse(tree)


def test_hill_is_zero_without_drug_and_half_at_ec50():
    tree = expression.parse("hill(x, k, n)", "here")
    x = np.array([-1.0, 0.0, 2.0, 4.0])
    got = expression.evaluate(tree, {"x": x, "k": 2.0, "n": 3.0}, np)
    assert np.allclose(got, [0, 0, 0.5, 8 / 9], atol=1e-15)


def test_names_are_replaced_everywhere():
    tree = expression.parse("-a * exp(b) + hill(a, 1, b)", "here")
    assert (
        expression.unparse(expression.rename(tree, lambda n: f"p.{n}"))
        == "-p.a * exp(p.b) + hill(p.a, 1, p.b)"
    )


def test_a_constant_of_plain_numbers_is_known():
    assert expression.constant(expression.parse("-(1/3 + 2*1)", "here")) == Fraction(-7, 3)
    assert expression.constant(expression.parse("1/0", "here")) is None
    assert expression.constant(expression.parse("a", "here")) is None
