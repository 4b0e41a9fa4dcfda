"""Constants of an expression are folded when it is read: what has no finite value is refused at its place."""

import numpy as np
import pytest

from pkpd.content.toml import parse
from pkpd.errors import ContentError
from pkpd.model import constants, expression
from pkpd.model.compose import parse_model
from pkpd.parameters.reading import read_parameters

DRUG = """[model]
title = "A drug"
time = "day"
[parameters]
K = { unit = "1/day" }
N = { unit = "1" }
[compartments]
central = { unit = "mg", dose = true, start = START }
[variables]
SPARE
share = { unit = "1", is = "IS" }
[flows]
out = { from = "central", rate = "RATE" }
"""


def told(
    start: str = "0", spare: str = "", share: str = "1", rate: str = "K * share * central * N"
) -> list[tuple[str, str]]:
    text = (
        DRUG.replace("START", start)
        .replace("SPARE", spare)
        .replace("RATE", rate)
        .replace('"IS"', f'"{share}"')
    )
    with pytest.raises(ContentError) as caught:
        parse_model(text, "drug")
    assert {i.remedy for i in caught.value.issues} == {"write what has a finite value"}
    return [(i.where, i.what) for i in caught.value.issues]


NOTHING = [
    ("sqrt(-1)", "in 'sqrt(-1)': the square root of -1 has no value"),
    ("sqrt(2 - 3)", "in 'sqrt(2 - 3)': the square root of -1 has no value"),
    ("exp(1000)", "'exp(1000)' is not a finite number"),
    ("exp(exp(7))", "'exp(exp(7))' is not a finite number"),
    ("hill(N, 0, 2)", "in 'hill(N, 0, 2)': 0, at which hill is half, is not above zero"),
    ("hill(N, -1, 2)", "in 'hill(N, -1, 2)': -1, at which hill is half, is not above zero"),
    ("hill(N, 1, 0)", "in 'hill(N, 1, 0)': 0, the power of hill, is not above zero"),
    ("1/0", "in '1 / 0': divides by zero"),
    ("0/0", "in '0 / 0': divides by zero"),
    ("N/(0.1 + 0.2 - 0.3)", "in 'N / (0.1 + 0.2 - 0.3)': divides by zero"),
    ("N/exp(-1000)", "in 'N / exp(-1000)': divides by zero"),
    ("0**(-1)", "in '0**(-1)': divides by zero"),
    ("log(0)", "in 'log(0)': the logarithm of 0 has no value"),
    ("log(exp(1) - 3)", "in 'log(exp(1) - 3)': the logarithm of -0.281718 has no value"),
    ("(-8)**0.5", "'(-8)**0.5' is not a finite number"),
    ("(-8)**(1/3)", "'(-8)**(1 / 3)' is not a finite number"),
    ("1e200 * 1e200", "'1e+200 * 1e+200' is not a finite number"),
    ("min(1, log(0))", "in 'log(0)': the logarithm of 0 has no value"),
    ("N + 2 * (K / K + exp(1000)) - N", "'exp(1000)' is not a finite number"),
]


@pytest.mark.parametrize(("text", "what"), NOTHING)
def test_a_constant_that_has_no_finite_value_is_refused_where_it_stands(text, what):
    assert told(share=text) == [("drug: variables.share.is", what)]


def test_a_start_a_rate_and_a_variable_are_told_at_once():
    assert told(start='"exp(1000)"', share="1/0", rate="K * central * N * share * sqrt(-2)") == [
        ("drug: compartments.central.start", "'exp(1000)' is not a finite number"),
        ("drug: variables.share.is", "in '1 / 0': divides by zero"),
        ("drug: flows.out.rate", "in 'sqrt(-2)': the square root of -2 has no value"),
    ]


def test_a_constant_reaches_through_the_variables_that_hold_it():
    spare = 'none = { unit = "1", is = "2 - 2" }\nbase = { unit = "1", is = "none - 8" }'
    assert told(spare=spare, share="N / none") == [
        ("drug: variables.share.is", "in 'N / none': divides by zero, with none = 0")
    ]
    assert told(spare=spare, rate="K * central * N * share * log(base)") == [
        ("drug: flows.out.rate", "in 'log(base)': the logarithm of -8 has no value, with base = -8")
    ]


def test_an_effect_of_covariates_is_folded_too():
    text = (
        '[parameters]\nmodel = "drug"\n[values]\nCL = { value = 2, unit = "L/day", effect = { '
        'is = "BSA / 1.8 + 0 * sqrt(-1)", reference = { BSA = 1.8 } } }\n'
    )
    with pytest.raises(ContentError) as caught:
        read_parameters(parse(text, "own.toml"), "own.toml", "own.toml")
    assert [(i.where, i.what) for i in caught.value.issues] == [
        ("own.toml: values.CL.effect", "in 'sqrt(-1)': the square root of -1 has no value")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "exp(-1000)",
        "0**0",
        "(-8)**3",
        "(-8)**2",
        "hill(0, 1, 2)",
        "hill(-3, 1, 2)",
        "log(1e-300)",
        "max(1, -1)",
        "1e200 * 1e-200",
        "sqrt(0)",
        "exp(709)",
        "0 / 5",
    ],
)
def test_a_constant_that_has_a_value_is_it(text):
    expected = eval(
        text, {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "max": max, "hill": lambda x, k, n: 0.0}
    )
    assert constants.check(expression.parse(text, "here"), "here") == pytest.approx(expected, rel=1e-14)


def test_what_depends_on_the_patient_is_left_to_the_patient():
    for text in ("sqrt(N)", "log(N - 5)", "N / N", "hill(N, N, N)", "(0 - N)**0.5", "exp(1000 * N)"):
        assert constants.check(expression.parse(text, "here"), "here") is None
