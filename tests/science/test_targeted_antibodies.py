"""Antibodies against EGFR, VEGF-A, CTLA-4 and LAG-3: closed forms, and what was published of them."""

import numpy as np
import pytest

from pkpd import cycles, draw, load_model, load_parameters, load_regimen, lower, simulate, typical
from pkpd.regimen.reading import read_regimen

BUILD = {"BSA": 1.75, "WT": 70, "IBW": 64, "WBC": 6.8, "ALB": 39, "ALP": 109, "LDH": 217, "SEX": 1}
DIRKS = "cetuximab_dirks_2008"
ALONE = "tremelimumab_hwang_2022_alone"
SETS = (
    "cetuximab_azzopardi_2011",
    DIRKS,
    "panitumumab_assumed",
    "bevacizumab_han_2016",
    "bevacizumab_lu_2008",
    "ipilimumab_sanghavi_2020",
    "ipilimumab_sanghavi_2020_nivolumab",
    "ipilimumab_feng_2014",
    "tremelimumab_hwang_2022",
    ALONE,
    "relatlimab_assumed",
    "botensilimab_assumed",
)


def single(drug, amount, over="1 hour"):
    dose = {"drug": drug, "amount": amount, "over": over}
    return read_regimen(
        {"regimen": {"title": "one dose", "cycle": "365 day"}, "doses": [dose]}, "one dose", "test"
    )


def course(drug, regimen, times, parameters=(), count=1, n=0, **features):
    """A reference patient (or virtual ones) under a regimen, at times in days; a time at a dose is just
    before it.
    """
    model = load_model(drug)
    values = load_parameters(parameters, model)
    known = {k: v for k, v in (BUILD | features).items() if k in {c.name for c in values.covariates}}
    people = draw(model, values, n, seed=6) if n else typical(model, values, known)
    regimen = load_regimen(regimen) if isinstance(regimen, str) else regimen
    doses = lower(regimen, model, people, cycles(regimen, model, count))
    return simulate(model, people, doses, np.asarray(times, dtype=float) * (1 - 1e-9), rtol=1e-8)


def trough(drug, regimen, day, count, parameters=(), **features):
    return course(drug, regimen, [day], parameters, count, **features)["Cc"][0, 0]


def clearance(drug, amount, dose, **features):
    """A dose over the area that it leaves, in L/day (or per kg, where the dose is)."""
    run = course(drug, single(drug, amount), np.concatenate([[0], np.geomspace(1e-3, 360, 3000)]), **features)
    return dose / np.trapezoid(run["Cc"][0], run.times[0])


# --- cetuximab, panitumumab -------------------------------------------


def test_the_first_week_of_cetuximab_is_400_per_m2_and_every_later_one_250():
    model = load_model("cetuximab")
    people = typical(model, load_parameters((), model), {"BSA": 2.0})
    regimen = load_regimen("cetuximab_weekly")
    doses = lower(regimen, model, people, cycles(regimen, model, 4))
    starts = doses.value > 0
    lengths = np.where(np.isclose(doses.time[starts], 0), 2 / 24, 1 / 24)
    assert doses.value[starts] * lengths == pytest.approx([800, 500, 500, 500])


@pytest.mark.parametrize(
    ("parameters", "steady"),
    [
        ("cetuximab_azzopardi_2011", (62.5 - 8.71) / 0.497),  # the constant rate, then the linear rest
        (DIRKS, 74 * 62.5 / (24 * 4.38 - 62.5)),  # saturable elimination alone
    ],
)
def test_an_endless_infusion_comes_to_the_closed_form_of_each_cetuximab_set(parameters, steady):
    """250 mg/m² a week in 1.75 m²; the first form leaves out that k0 fades below 1 mg/L, a part
    in a hundred.
    """
    run = course("cetuximab", single("cetuximab", f"{62.5 * 400} mg", "400 day"), [399], parameters)
    assert run["Cc"][0, 0] == pytest.approx(steady, rel=0.002)


def test_cetuximab_clearance_falls_with_the_dose_and_comes_to_the_linear_one():
    found = [clearance("cetuximab", f"{dose} mg/m^2", dose * 1.75) for dose in (20, 50, 100, 250, 500, 50000)]
    assert np.all(np.diff(found) < 0)
    assert found[0] > 2 * 0.497
    assert found[-1] == pytest.approx(0.497, rel=0.03)


def test_the_saturable_elimination_of_cetuximab_is_nine_tenths_saturated_after_260_per_m2():
    """As published of the single doses; Azzopardi's form has it by its shape, Dirks's does not come to it."""
    peak = course("cetuximab", single("cetuximab", "260 mg/m^2", "2 hour"), [2 / 24])["Cc"][0, 0]
    assert peak / (1 + peak) > 0.9
    assert peak / (74 + peak) < 0.9


def test_cetuximab_every_two_weeks_has_troughs_comparable_with_every_week():
    weekly, other = (
        trough("cetuximab", "cetuximab_weekly", 84, 12),
        trough("cetuximab", "cetuximab_500_q2w", 84, 6),
    )
    assert 2 / 3 < other / weekly < 3 / 2


def test_the_two_published_sets_of_cetuximab_agree_within_a_quarter_in_week_8():
    times = [49 + 1 / 24, 56]
    one, other = (
        course("cetuximab", "cetuximab_weekly", times, p, 8)["Cc"][0]
        for p in ("cetuximab_azzopardi_2011", DIRKS)
    )
    assert np.all(np.abs(np.log(one / other)) < np.log(1.25))


def test_week_8_troughs_of_cetuximab_are_within_a_quarter_of_the_published_mean():
    """55.4 mg/L; none of it built the values."""
    run = course("cetuximab", "cetuximab_weekly", [56], count=8, n=200)
    assert 0.8 < run["Cc"].mean() / 55.4 < 1.25


def test_panitumumab_clears_many_times_faster_at_low_dose_than_at_high():
    """30.6 mL/day/kg at 0.75 mg/kg and 4.6 at 9 mg/kg in the label; the recalled set falls less,
    but falls.
    """
    low, high = (1000 * clearance("panitumumab", f"{dose} mg/kg", dose, WT=80) for dose in (0.75, 9))
    assert low == pytest.approx(30.6, rel=0.2)
    assert low / high > 3


# --- bevacizumab ------------------------------------------------------


def test_women_clear_bevacizumab_slower_than_men_in_both_sets():
    model = load_model("bevacizumab")
    for name, factor in (("bevacizumab_han_2016", 1.14), ("bevacizumab_lu_2008", 1.26)):
        woman, man = (typical(model, load_parameters(name, model), BUILD | {"SEX": s}) for s in (1, 0))
        assert man["CL"][0] / woman["CL"][0] == pytest.approx(factor)


def test_day_84_troughs_of_bevacizumab_are_as_the_label_says():
    """Median 80.3 mg/L, 10th to 90th percentile 45 to 128; where the label has them from was not seen."""
    found = course("bevacizumab", "bevacizumab_5_q2w", [84], count=6, n=200)["Cc"]
    assert 45 < np.median(found) < 128
    for sex in (0, 1):
        assert 0.8 < trough("bevacizumab", "bevacizumab_5_q2w", 84, 6, SEX=sex) / 80.3 < 1.25


# --- anti-CTLA-4, anti-LAG-3 ------------------------------------------


@pytest.mark.parametrize(("parameters", "emax", "hill"), [((), -0.187, 3.2), (ALONE, 0.151, 14.5)])
def test_tremelimumab_clears_slower_over_time_with_durvalumab_and_faster_alone(parameters, emax, hill):
    """Published as a function of the time since the first dose; the model's clock must keep that time."""
    times = np.array([28.0, 84.0, 112.0, 300.0])
    run = course("tremelimumab", "tremelimumab_75_q4w", times, parameters, 11, WT=71)
    expected = 0.276 * np.exp(emax / (1 + (95.1 / times) ** hill))
    assert run["clearance"][0] == pytest.approx(expected, rel=1e-5)
    assert np.all(np.sign(np.diff(run["clearance"][0])) == np.sign(emax))


def test_ipilimumab_troughs_are_within_a_quarter_of_the_labels_and_in_proportion_to_dose():
    """Means of 19.4 and 58.1 mg/L at 3 and 10 mg/kg."""
    low = course("ipilimumab", "ipilimumab_3_q3w", [84], count=4, n=200)["Cc"]
    assert 0.8 < low.mean() / 19.4 < 1.25
    assert 0.8 < low.mean() * 10 / 3 / 58.1 < 1.25


def test_ipilimumab_is_given_four_times_however_many_cycles_follow():
    assert trough("ipilimumab", "ipilimumab_3_q3w", 105, 4) == pytest.approx(
        trough("ipilimumab", "ipilimumab_3_q3w", 105, 5)
    )


def test_botensilimab_is_ipilimumab_under_another_name_and_says_so():
    text = load_parameters("botensilimab_assumed").text.lower()
    assert "surrogate" in text and "surrogate" in load_model("botensilimab").title.lower()
    own, other = (trough(d, single(d, "75 mg"), 42, 1) for d in ("botensilimab", "ipilimumab"))
    assert own == pytest.approx(other, rel=1e-12)


@pytest.mark.parametrize("name", ["botensilimab_assumed", "panitumumab_assumed", "relatlimab_assumed"])
def test_what_was_not_seen_is_called_assumed(name):
    assert {v.seen for v in load_parameters(name).values if v.name not in ("MW", "KD")} == {"assumed"}


@pytest.mark.parametrize("name", SETS)
def test_three_hundred_patients_of_every_set_have_positive_inputs(name):
    model = load_model(name.split("_")[0])
    people = draw(model, load_parameters(name, model), 300, seed=5)
    signed = {"EMAX"} | ({"CL"} if name == DIRKS else set())
    assert np.all(np.isfinite(people.inputs))
    assert all(people[p].min() > 0 for p in model.inputs if p not in signed)
