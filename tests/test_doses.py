"""Caps, bands and rounding of a dose line: what each patient is prescribed, and what is refused."""

import numpy as np
import pytest

from pkpd import Population, lower, parse_model
from pkpd.content.toml import parse
from pkpd.errors import ContentError
from pkpd.regimen.doses import Band
from pkpd.regimen.reading import read_regimen

MODEL = parse_model(
    """[model]
title = "A drug"
time = "hour"
[parameters]
K = { unit = "1/hour" }
[compartments]
a = { unit = "mg", dose = true }
[flows]
out = { from = "a", rate = "K * a" }
""",
    "drug",
)
BSA, WT = (1.0, 1.59, 1.6, 1.83, 2.0, 2.4), (40.0, 79.999, 80.0, 99.0, 100.0, 130.0)
PEOPLE = Population(MODEL.inputs, np.full((6, 1), 0.1), {"BSA": np.array(BSA), "WT": np.array(WT)})
BANDS = """bands = [
  { below = "1.6 m^2", amount = "120 mg" },
  { from = "1.6 m^2", below = "2 m^2", amount = "150 mg" },
  { from = "2 m^2", amount = "0.18 g" },
]"""


def read(line: str):
    text = f'[regimen]\ntitle = "own"\ncycle = "14 day"\n[[doses]]\ndrug = "a"\n{line}\n'
    return read_regimen(parse(text, "own.toml"), "own.toml", "own.toml")


def given(line: str, people: Population = PEOPLE) -> list[float]:
    """What each patient is given at once, in mg."""
    return lower(read(line), MODEL, people, np.zeros(1)).value.tolist()


def told(call) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        call()
    return [(i.where, i.what, i.remedy) for i in caught.value.issues]


def refused(line: str, place: str, what: str, remedy: str) -> None:
    assert told(lambda: read(line)) == [(f"own.toml: doses[1]{place}", what, remedy)]


# --- caps -------------------------------------------------------------


def test_a_dose_does_not_grow_above_its_cap():
    assert given('amount = "85 mg/m^2"\ncap = "2 m^2"') == pytest.approx(
        [85.0, 135.15, 136.0, 155.55, 170.0, 170.0]
    )
    assert given('amount = "2 mg/kg"\ncap = "100 kg"') == pytest.approx(
        [80.0, 159.998, 160.0, 198.0, 200.0, 200.0]
    )


def test_a_cap_may_be_in_any_unit_of_its_kind():
    assert read('amount = "2 mg/kg"\ncap = "100000 g"').doses[0].cap == pytest.approx(100.0)
    assert read('amount = "85 mg/m^2"\ncap = "20000 cm^2"').doses[0].cap == pytest.approx(2.0)


def test_an_infusion_of_a_capped_dose_keeps_the_length_that_its_rate_gives():
    schedule = lower(
        read('amount = "100 mg/m^2"\nrate = "50 mg/m^2/hour"\ncap = "2 m^2"'), MODEL, PEOPLE, np.zeros(1)
    )
    assert set(np.round(schedule.time, 9)) == {0.0, 2.0} and schedule.value.max() == pytest.approx(100.0)


@pytest.mark.parametrize("line", ['amount = "85 mg"', BANDS])
def test_a_cap_of_what_does_not_grow_is_refused(line):
    refused(
        f'{line}\ncap = "2 m^2"', ".cap", "has nothing to cap: the dose is not per m^2 or per kg", "remove it"
    )


@pytest.mark.parametrize(
    ("line", "cap", "patients", "remedy"),
    [
        ('amount = "85 mg/m^2"', "0 m^2", "1 to 3 m^2", "2 m^2"),
        ('amount = "85 mg/m^2"', "-2 m^2", "1 to 3 m^2", "2 m^2"),
        ('amount = "85 mg/m^2"', "200 m^2", "1 to 3 m^2", "2 m^2"),
        ('amount = "2 mg/kg"', "2 kg", "30 to 200 kg", "100 kg"),
    ],
)
def test_a_cap_is_one_that_some_patients_reach(line, cap, patients, remedy):
    refused(
        f'{line}\ncap = "{cap}"',
        ".cap",
        f"'{cap}' is nobody's: patients have {patients}",
        f'give one within that range: "{remedy}"',
    )


def test_a_cap_is_of_the_same_kind_as_the_dose():
    remedy = "give it in a unit of the same kind"
    refused('amount = "85 mg/m^2"\ncap = "100 kg"', ".cap", "'kg' cannot be converted to 'm^2'", remedy)
    refused('amount = "2 mg/kg"\ncap = "2 m^2"', ".cap", "'m^2' cannot be converted to 'kg'", remedy)


# --- rounding ---------------------------------------------------------


def test_a_dose_is_rounded_to_the_nearest_multiple_and_upwards_from_the_middle():
    assert given('amount = "85 mg/m^2"\nround = "5 mg"') == [85.0, 135.0, 135.0, 155.0, 170.0, 205.0]
    assert given('amount = "62.5 mg"\nround = "5 mg"') == [65.0] * 6
    assert given('amount = "85 mg/m^2"\ncap = "2 m^2"\nround = "50 mg"') == [
        100.0,
        150.0,
        150.0,
        150.0,
        150.0,
        150.0,
    ]


def test_the_middle_is_where_a_person_reckons_it_although_a_computer_falls_short_of_it():
    """250 mg/m² x 2.01 m² = 502.5 mg, which in binary is a little less."""
    people = Population(MODEL.inputs, np.full((1, 1), 0.1), {"BSA": np.array([2.01])})
    assert 250 * 2.01 < 502.5 and given('amount = "250 mg/m^2"\nround = "5 mg"', people) == [505.0]


def test_a_dose_that_rounding_makes_nothing_of_is_refused_and_one_of_nought_is_not():
    assert told(lambda: given('amount = "85 mg/m^2"\nround = "200 mg"')) == [
        ("own.toml: doses[1].round", "makes nothing of the 85 mg of patient 1", "round to a smaller amount")
    ]
    assert given('amount = "0 mg/m^2"\nround = "200 mg"') == []


@pytest.mark.parametrize("step", ["0 mg", "-5 mg", "5 mg/m^2", "5 umol"])
def test_what_is_no_amount_to_round_to_is_refused(step):
    refused(
        f'amount = "85 mg/m^2"\nround = "{step}"',
        ".round",
        f"'{step}' is not an amount in mg to round to",
        'write round = "5 mg"',
    )


# --- bands ------------------------------------------------------------


def test_a_band_holds_its_lower_end_and_not_its_upper():
    assert given(BANDS) == [120.0, 120.0, 150.0, 150.0, 180.0, 180.0]


def test_bands_may_be_of_weight():
    text = 'bands = [{ below = "80 kg", amount = "240 mg" }, { from = "80 kg", amount = "480 mg" }]'
    assert given(text) == [240.0, 240.0, 480.0, 480.0, 480.0, 480.0]
    assert read(text).doses[0].bands == (Band(0.0, 80.0, 240.0), Band(80.0, np.inf, 480.0))


def test_a_patient_that_no_band_holds_is_named():
    gap = (
        'bands = [{ from = "1.5 m^2", below = "1.7 m^2", amount = "120 mg" }, { from = "1.8 m^2", amount '
        '= "150 mg" }]'
    )
    only = PEOPLE.take(np.array([1, 3, 4]))
    assert given(gap, only) == [120.0, 150.0, 150.0]
    assert told(lambda: given(gap)) == [
        (
            "own.toml: doses[1].bands",
            "none holds patient 1, whose BSA is 1 m^2",
            "add a band for such patients",
        )
    ]
    narrow = 'bands = [{ from = "1.5 m^2", below = "1.6 m^2", amount = "120 mg" }]'
    assert (
        told(lambda: given(narrow, only))[0][1] == "none holds patient 4, whose BSA is 1.83 m^2, nor 1 more"
    )


def test_bands_need_the_covariate():
    bare = Population(MODEL.inputs, PEOPLE.inputs, {})
    assert told(lambda: given(BANDS, bare)) == [
        (
            "own.toml: doses[1].bands",
            "is scaled by BSA, which these patients lack",
            "add BSA to [covariates] of a parameter file",
        )
    ]


def test_amount_and_bands_together_are_refused():
    refused(
        'amount = "85 mg/m^2"\n' + BANDS,
        "",
        "gives both amount and bands",
        "the bands say the amount: remove one",
    )


def test_a_rate_beside_bands_is_refused():
    refused(
        BANDS + '\nrate = "10 mg/hour"', ".rate", "is given beside bands", 'say how long: over = "2 hour"'
    )


@pytest.mark.parametrize(
    ("bands", "place", "what"),
    [
        (
            '[{ from = "1 m^2", amount = "5 mg/m^2" }]',
            "[1].amount",
            "'5 mg/m^2' is not one amount for all of the band",
        ),
        (
            '[{ from = "1 m^2", amount = "-5 mg" }]',
            "[1].amount",
            "'-5 mg' is not one amount for all of the band",
        ),
        (
            '[{ from = "1 hour", amount = "5 mg" }]',
            "[1].from",
            "'1 hour' is neither a body surface area nor a weight",
        ),
        (
            '[{ below = "160 m^2", amount = "5 mg" }]',
            "[1].below",
            "'160 m^2' is nobody's: patients have 1 to 3 m^2",
        ),
        (
            '[{ from = "0 kg", amount = "5 mg" }]',
            "[1].from",
            "'0 kg' is nobody's: patients have 30 to 200 kg",
        ),
        ('[{ amount = "5 mg" }]', "[1]", "is no range of body surface area or of weight"),
        (
            '[{ from = "1 m^2", below = "80 kg", amount = "5 mg" }]',
            "[1]",
            "is no range of body surface area or of weight",
        ),
        (
            '[{ from = "2 m^2", below = "1 m^2", amount = "5 mg" }]',
            "[1]",
            "is no range of body surface area or of weight",
        ),
        ('[{ from = "1 m^2", amount = "5 mg", zzz = 1 }]', "[1].zzz", "unknown key"),
        (
            '[{ from = "1 m^2", amount = "5 mg" }, { from = "2 m^2", amount = "6 mg" }]',
            "",
            "the one from 2 begins before the one below inf ends",
        ),
        ('[{ below = "2 m^2", amount = "5 mg" }, { from = "80 kg", amount = "6 mg" }]', "", "mix BSA and WT"),
        (
            '[{ below = "2 m^2", amount = "5 mg" }, { from = "2 m^2", amount = "6 umol" }]',
            "",
            "mix mg and umol",
        ),
        ("[]", "", "hold no band"),
        ("3", "", "3 is not a list of tables"),
    ],
)
def test_bands_that_cannot_be_followed_are_refused(bands, place, what):
    (where, told_what, remedy), *_ = told(lambda: read(f"bands = {bands}"))
    assert (where, told_what) == (f"own.toml: doses[1].bands{place}", what) and remedy


def test_a_band_of_nought_gives_nothing_to_those_it_holds():
    text = 'bands = [{ below = "1.6 m^2", amount = "0 mg" }, { from = "1.6 m^2", amount = "150 mg" }]'
    assert given(text) == [150.0] * 4


def test_caps_and_bands_act_on_each_patient_s_own_covariate_whatever_the_others_are():
    for i in range(6):
        alone = PEOPLE.take(np.array([i]))
        assert given(BANDS, alone) == [given(BANDS)[i]]
        assert given('amount = "85 mg/m^2"\ncap = "2 m^2"', alone) == [
            given('amount = "85 mg/m^2"\ncap = "2 m^2"')[i]
        ]


def test_a_reduction_is_a_share_of_the_rounded_dose():
    regimen = read('amount = "85 mg/m^2"\nround = "50 mg"').reduced(0.75)
    assert lower(regimen, MODEL, PEOPLE, np.zeros(1)).value.tolist() == [
        75.0,
        112.5,
        112.5,
        112.5,
        112.5,
        150.0,
    ]


@pytest.mark.parametrize(
    ("amount", "number", "unit"), [("2 GBq", 2.0, "GBq"), ("500 MBq", 0.5, "GBq"), ("10 Gy", 10.0, "Gy")]
)
def test_activity_and_absorbed_dose_are_amounts(amount, number, unit):
    line = read(f'amount = "{amount}"').doses[0]
    assert (line.amount, line.unit, line.per) == (pytest.approx(number), unit, "")
