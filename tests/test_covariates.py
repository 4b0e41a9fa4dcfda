"""Covariates that a user registers: name, unit, plausible range or levels, in a file or from Python."""

import numpy as np
import pandas as pd
import pytest

import pkpd
from pkpd.errors import ContentError
from pkpd.parameters.covariates import register
from pkpd.parameters.merge import merge
from pkpd.show.model import show_parameters

MODEL = pkpd.parse_model(
    """
    [model]
    title = "one"
    time = "day"
    [parameters]
    CL = { unit = "L/day", low = 0 }
    V = { unit = "L", low = 0 }
    [compartments]
    central = { unit = "mg", dose = true }
    [flows]
    out = { from = "central", rate = "CL / V * central" }
    """,
    name="one",
)
SET = """
[parameters]
model = "one"
title = "own"
[register]
CRP = { unit = "mg/L", low = 0.1, high = 500, text = "C-reactive protein", seen = "assumed" }
MSI = { unit = "1", levels = { 1 = "stable", 2 = "unstable" }, text = "microsatellites" }
[values]
CL = { value = 2, unit = "L/day", effect = { is = "sqrt(CRP/10) * MSI", reference = { CRP = 10, MSI = 1 } } }
V = { value = 10, unit = "L" }
[covariates]
CRP = { value = 40, unit = "mg/L" }
MSI = { value = 1, unit = "1", spread = { law = "categorical", values = [1, 2], weights = [0.8, 0.2] } }
"""
OWN = pkpd.parse_parameters(SET, MODEL, name="own")


def issues(text: str) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as told:
        pkpd.parse_parameters(text, MODEL, name="own")
    return [(i.where, i.what, i.remedy) for i in told.value.issues]


def test_patients_are_drawn_with_a_covariate_of_ones_own():
    people = pkpd.draw(MODEL, OWN, 2000, seed=1)
    assert set(people["MSI"]) == {1.0, 2.0} and np.mean(people["MSI"] == 2) == pytest.approx(0.2, abs=0.03)
    assert people["CL"] == pytest.approx(2 * 2 * people["MSI"], rel=1e-12)  # sqrt(40 / 10) = 2


def test_a_given_one_moves_what_follows_it():
    people = pkpd.draw(MODEL, OWN, 3, covariates={"CRP": np.array([10, 90, 160]), "MSI": 2})
    assert people["CL"] == pytest.approx([4, 12, 16])
    assert pkpd.typical(MODEL, OWN, {"CRP": 22.5, "MSI": 1})["CL"] == pytest.approx([3])


def test_its_unit_stands_on_results():
    frame = pkpd.simulate(MODEL, pkpd.draw(MODEL, OWN, 2), None, [0, 1]).to_frame(["central", "CRP"])
    assert frame.attrs["units"]["CRP"] == "mg/L"
    line = next(row for row in show_parameters(OWN)["covariates"] if row["name"] == "CRP")
    assert (line["unit"], line["text"]) == ("mg/L", "C-reactive protein")
    assert "1 at CRP 10 mg/L, MSI 1" in show_parameters(OWN)["values"][0]["effect"]


def test_a_column_of_records_is_read_as_it():
    table = pd.DataFrame(
        {"ID": 1, "TIME": [0, 5], "EVID": [1, 0], "AMT": [100, 0], "CRP": [90, 90], "MSI": [1, 1]}
    )
    frame = pkpd.simulate_records(pkpd.read_records(table, MODEL, OWN), carry=["CRP"])
    assert frame["central"].iloc[1] == pytest.approx(100 * np.exp(-6 / 10 * 5), rel=1e-6)
    assert frame.attrs["units"]["CRP"] == "mg/L"
    with pytest.raises(ContentError, match=r"700 mg/L is not plausible \(0.1 to 500\)"):
        pkpd.read_records(table.assign(CRP=700), MODEL, OWN)
    with pytest.raises(ContentError, match=r"1.5 1 is not plausible \(1 \(stable\) or 2 \(unstable\)\)"):
        pkpd.read_records(table.assign(MSI=1.5), MODEL, OWN)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"CRP": 900}, "patient 1 has 900 mg/L; plausible is 0.1 to 500"),
        ({"MSI": 1.5}, r"patient 1 has 1.5 1; plausible is 1 \(stable\) or 2 \(unstable\)"),
    ],
)
@pytest.mark.parametrize(
    "make", [lambda c: pkpd.draw(MODEL, OWN, 1, covariates=c), lambda c: pkpd.typical(MODEL, OWN, c)]
)
def test_values_that_it_cannot_have_are_refused(given, what, make):
    with pytest.raises(ContentError, match=what):
        make(given)


@pytest.mark.parametrize(
    ("old", "new", "place", "what", "remedy"),
    [
        (
            "CRP = { unit",
            "WT = { unit",
            "register.WT",
            "is in the library's register: body weight, 30 to 200 kg",
            "give it another name, or leave the library's",
        ),
        (
            "CRP = { unit",
            "AMT = { unit",
            "register.AMT",
            "is a data item of records",
            "give it a name of its own in capitals, as in CRP",
        ),
        (
            "CRP = { unit",
            "crp = { unit",
            "register.crp",
            "is no name of a covariate",
            "give it a name of its own in capitals, as in CRP",
        ),
        (
            "low = 0.1, high = 500, ",
            "",
            "register.CRP",
            "has no range",
            "give low and a high above it, or levels",
        ),
        (
            "low = 0.1, ",
            "low = 600, ",
            "register.CRP",
            "has no range",
            "give low and a high above it, or levels",
        ),
        (
            'levels = { 1 = "stable", 2 = "unstable" }',
            'low = 0, levels = { 1 = "stable", 2 = "unstable" }',
            "register.MSI",
            "has levels and a range",
            "keep levels, or low and high",
        ),
        (
            '{ 1 = "stable", 2 = "unstable" }',
            '{ 1 = "stable" }',
            "register.MSI.levels",
            "are not two or more different numbers",
            "name each level once",
        ),
        (
            '{ 1 = "stable", 2 = "unstable" }',
            '{ low = "stable", 2 = "unstable", 3 = "x" }',
            "register.MSI.levels.low",
            "is not a level",
            'write the number of each level and its name: levels = { 0 = "no", 1 = "yes" }',
        ),
        ('unit = "mg/L", low', 'unit = "mg/bottle", low', "register.CRP.unit", None, None),
        ('text = "C-reactive protein", ', "", "register.CRP.text", "is missing", 'add text = "…"'),
        ("[register]", "[[register]]", "register", "is not a table", "write [register]"),
        (
            'seen = "assumed" }',
            'seen = "dreamt" }',
            "register.CRP.seen",
            "'dreamt' is not a way of seeing",
            None,
        ),
        (
            "values = [1, 2]",
            "values = [1, 1.5]",
            "covariates.MSI",
            "is not always one of its levels, 1 (stable) or 2 (unstable)",
            "a bernoulli or categorical spread of them, and no effect",
        ),
        (
            'MSI = { value = 1, unit = "1", spread',
            'MSI = { value = 1.5, unit = "1" } # spread',
            "covariates.MSI",
            "is 1.5 1; plausible is 1 (stable) or 2 (unstable)",
            "mend the value",
        ),
        (
            "reference = { CRP = 10, MSI = 1 }",
            "reference = { CRP = 10, MSI = 1.5 }",
            "values.CL.effect",
            "the reference of MSI is 1.5 1; plausible is 1 (stable) or 2 (unstable)",
            "mend it: effects are 1 at a patient who can be",
        ),
    ],
)
def test_a_register_that_is_wrong_is_refused(old, new, place, what, remedy):
    assert old in SET
    told = issues(SET.replace(old, new, 1))
    own = [t for t in told if t[0] == f"own: {place}"]
    assert own, told
    assert what is None or own[0][1] == what
    assert remedy is None or own[0][2] == remedy


def test_two_sets_that_mean_two_things_by_one_name_do_not_go_together():
    other = pkpd.parse_parameters(SET.replace("high = 500", "high = 50"), MODEL, name="other")
    assert merge(OWN, OWN).register == OWN.register
    with pytest.raises(ContentError, match=r"other: register.CRP: is another covariate than in own below it"):
        merge(OWN, other)


def test_nothing_of_a_set_is_left_in_the_library():
    assert "CRP" not in register() and "CRP" in OWN.register
    with pytest.raises(ContentError, match="'CRP' is not in the register"):
        pkpd.draw(MODEL, pkpd.parse_parameters(PLAIN, MODEL), 1, covariates={"CRP": 5})


PLAIN = """
[parameters]
model = "one"
title = "plain"
[values]
CL = { value = 2, unit = "L/day" }
V = { value = 10, unit = "L" }
"""


def test_a_covariate_registered_wrongly_is_one_fault_and_its_lines_are_none():
    told = issues(SET.replace('CRP = { unit = "mg/L", low', 'CRP = { unit = "zorg", low'))
    assert [where for where, *_ in told] == ["own: register.CRP.unit"]
