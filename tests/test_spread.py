"""Spreads, correlations and references that cannot be are refused when they are read."""

import numpy as np
import pytest

from pkpd.content.toml import parse
from pkpd.errors import ContentError
from pkpd.model.compose import parse_model
from pkpd.parameters.draw import draw, uniform
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.reading import read_parameters
from pkpd.parameters.spread import Spread
from pkpd.parameters.spread_reading import read_spread

HEAD = '[parameters]\nmodel = "drug"\n'


def read(text: str) -> Parameters:
    return read_parameters(parse(HEAD + text, "own.toml"), "own.toml", "own.toml")[0]


def told(text: str) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        read(text)
    return [(i.where.removeprefix("own.toml: "), i.what, i.remedy) for i in caught.value.issues]


def line(more: str, value: object = 2) -> str:
    return f'[values]\nCL = {{ value = {value}, unit = "L/day", {more} }}\n'


@pytest.mark.parametrize("size", ["cv = 1e300", "cv = 1e160", "sd = 1e300", "sd = 90", "variance = 1e300"])
def test_a_lognormal_so_wide_that_its_draws_are_no_numbers_is_refused(size):
    for key in ("spread", "copies"):
        assert told(line(f'{key} = {{ law = "lognormal", {size} }}')) == [
            (
                f"values.CL.{key}",
                "its omega is over 13.8: one patient in three would be a million times off",
                "mend the size: a cv of 30 % is cv = 0.3",
            )
        ]


def test_a_factor_of_a_mixture_that_overflows_is_refused():
    mixture = "mixture = { factors = [1, 1e300], weights = [0.5, 0.5] }"
    assert told(line(f'spread = {{ law = "lognormal", sd = 4, {mixture} }}', 1e10))[0][1] == (
        "its size is so large that draws are no numbers"
    )


def test_the_widest_spread_that_is_read_is_drawn():
    model = parse_model(
        '[model]\ntitle = "d"\ntime = "day"\n[parameters]\nCL = { unit = "L/day" }\n'
        '[compartments]\na = { unit = "L", dose = true }\n[flows]\nout = { from = "a", rate = "CL * a / a" '
        "}\n",
        "drug",
    )
    drawn = draw(model, read(line('spread = { law = "lognormal", sd = 13.8 }')), 5000)["CL"]
    assert np.all(np.isfinite(drawn)) and np.all(drawn > 0)


@pytest.mark.parametrize(
    ("spread", "low", "high"),
    [
        ('law = "normal", sd = 1, low = 3, high = 9', 3, 9),
        ('law = "lognormal", cv = 0.3, high = 1.5', -np.inf, 1.5),
        ('law = "uniform", low = 5, high = 6', 5, 6),
        ('law = "lognormal", sd = 0, low = 2.5', 2.5, np.inf),
    ],
)
def test_a_typical_value_lies_within_its_own_spread(spread, low, high):
    assert told(line(f"spread = {{ {spread} }}")) == [
        (
            "values.CL.spread",
            f"the value 2 is not from its low {low:g} to its high {high:g}",
            "mend the value or its bounds",
        )
    ]
    assert read(line(f"spread = {{ {spread} }}", 5.5 if high > 2 else 1.2))["CL"].spread is not None


def test_the_value_of_a_categorical_is_among_what_it_can_be():
    entry = 'spread = { law = "categorical", values = [3, 5], weights = [0.5, 0.5] }'
    assert told(line(entry)) == [
        (
            "values.CL.spread",
            "the value 2 is not among what it can be, 3 to 5",
            "give the value of a typical patient",
        )
    ]
    assert read(line(entry, 5))["CL"].spread == Spread("categorical", weights=(0.5, 0.5), values=(3.0, 5.0))


def test_the_spread_between_copies_is_honoured_whole_or_refused():
    mixture = "mixture = { factors = [1, 4], weights = [0.5, 0.5] }"
    assert told(line(f'copies = {{ law = "lognormal", sd = 0.1, {mixture} }}')) == [
        (
            "values.CL.copies",
            "a spread between copies has no mixture",
            "give the mixture to the patient: spread = { … }",
        )
    ]
    both = 'spread = { law = "lognormal", cv = 0.3 }, copies = { law = "uniform", low = 1, high = 3 }'
    assert told(line(both)) == [
        (
            "values.CL.copies",
            "a uniform draw does not go around the patient's own value, "
            "so that spread would count for nothing",
            "use another law, or leave spread out",
        )
    ]
    assert read(line('copies = { law = "uniform", low = 1, high = 3 }'))["CL"].copies == Spread(
        "uniform", 0.0, 1.0, 3.0
    )


@pytest.mark.parametrize("pair", ['"CL", "V"', '"V", "CL"'])
def test_a_pair_is_correlated_once(pair):
    text = f'[[correlations]]\nof = ["CL", "V"]\nr = 0.5\n[[correlations]]\nof = [{pair}]\nr = -0.5\n'
    first, second = pair.replace('"', "").split(", ")
    assert told(text) == [
        ("correlations[2]", f"{first} and {second} are correlated above", "give each pair once")
    ]


def test_a_covariate_of_a_set_and_the_reference_of_an_effect_are_of_a_patient_who_can_be():
    assert told('[covariates]\nBSA = { value = 180, unit = "m^2" }\n') == [
        ("covariates.BSA", "is 180 m^2; plausible is 1 to 3", "mend the value")
    ]
    assert told(line('effect = { is = "BSA / 175", reference = { BSA = 175 } }')) == [
        (
            "values.CL.effect",
            "the reference of BSA is 175 m^2; plausible is 1 to 3",
            "mend it: effects are 1 at a patient who can be",
        )
    ]


def test_draws_come_as_near_to_the_ends_as_a_spread_is_checked():
    assert 2.0**-54 <= uniform(("a",), 100_000).min() < uniform(("a",), 100_000).max() <= 1 - 2.0**-53


def test_a_law_that_there_is_not_is_told_with_the_near_one():
    with pytest.raises(ContentError) as caught:
        Spread("log-normal", 0.3)
    assert (caught.value.issues[0].what, caught.value.issues[0].remedy) == (
        "there is no law 'log-normal'",
        "did you mean 'lognormal' or 'logitnormal' or 'normal'?",
    )


@pytest.mark.parametrize("cv", [30, 5.57, 2.2e11])
def test_a_cv_that_was_meant_in_percent_is_refused(cv):
    told = []
    assert read_spread({"law": "lognormal", "cv": cv}, 2.0, lambda *x: told.append(x)) is None
    omega = np.sqrt(np.log1p(cv**2))
    assert told == [
        (
            f"its cv is {cv:g}, that is {100 * cv:g} %",
            f"a cv of 30 % is cv = 0.3; where it is so wide, give its omega: sd = {omega:.4g}",
        )
    ]
    wide = read_spread({"law": "lognormal", "sd": float(omega)}, 2.0, lambda *x: told.append(x))
    assert wide is not None and wide.sd == omega and len(told) == 1
