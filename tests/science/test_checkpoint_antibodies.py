"""Antibodies against PD-1 and PD-L1: closed forms, published exposures, and what the forms of elimination
imply.
"""

import numpy as np
import pytest

from pkpd import cycles, draw, load_model, load_parameters, load_regimen, lower, simulate, typical

LINEAR = [
    ("pembrolizumab", "pembrolizumab_200_q3w"),
    ("atezolizumab", "atezolizumab_1200_q3w"),
    ("bintrafusp", "bintrafusp_1200_q2w"),
]
FALLING = [
    ("nivolumab", "nivolumab_240_q2w"),
    ("dostarlimab", "dostarlimab_500_q3w"),
    ("durvalumab", "durvalumab_1500_q4w"),
    ("balstilimab", "balstilimab_240_q2w"),
]


def patient(drug, parameters=(), **covariates):
    """The reference patient, or one with these covariates."""
    model = load_model(f"drugs/{drug}")
    return typical(model, load_parameters(parameters, model), covariates or None)


def course(people, drug, name, count, times, dose=1.0, rtol=1e-8):
    """Patients under so many cycles of a regimen, times in days; `dose` multiplies every dose."""
    model, regimen = load_model(f"drugs/{drug}"), load_regimen(name)
    factors = np.full((len(people), count, len(regimen.doses)), dose)
    doses = lower(regimen, model, people, cycles(regimen, model, count), factors)
    return simulate(model, people, doses, times, rtol=rtol)


def infusions(people, amount, length, interval, count, times):
    """Two compartments after equal infusions, in closed form."""
    cl, vc, q, vp = (people[n][0] for n in ("CL", "VC", "Q", "VP"))
    total, product = cl / vc + q / vc + q / vp, cl / vc * q / vp
    fast = (total + np.sqrt(total**2 - 4 * product)) / 2
    slow = product / fast
    found = np.zeros_like(times)
    for k in range(count):
        since = np.maximum(times - k * interval, 0.0)
        for rate, share in ((fast, (fast - q / vp) / (fast - slow)), (slow, (q / vp - slow) / (fast - slow))):
            given = np.minimum(since, length)
            found += (
                amount / length / vc * share / rate * (np.exp(rate * (given - since)) - np.exp(-rate * since))
            )
    return found


@pytest.mark.parametrize(("drug", "regimen"), LINEAR)
def test_linear_antibodies_follow_the_closed_form_of_repeated_infusions(drug, regimen):
    people, plan = patient(drug), load_regimen(regimen)
    line = plan.doses[0]
    times = np.linspace(0.0, 6 * plan.cycle, 253)
    run = course(people, drug, regimen, 6, times)
    expected = infusions(people, line.amount, line.over, plan.cycle, 6, times)
    assert run["Cc"][0] == pytest.approx(expected, rel=1e-6, abs=1e-6 * expected.max())


@pytest.mark.parametrize(("drug", "regimen"), FALLING)
def test_clearance_is_the_published_function_of_the_time_since_the_first_dose(drug, regimen):
    people = patient(drug)
    first, emax, t50, hill = (people[n][0] for n in ("CL", "EMAX", "T50", "HILL"))
    times = np.array([1.0, 30.0, t50, 300.0, 700.0])
    run = course(people, drug, regimen, 50, times)
    expected = first * np.exp(emax * times**hill / (t50**hill + times**hill))
    assert run["clearance"][0] == pytest.approx(expected, rel=1e-5)
    assert run["clearance"][0, 2] == pytest.approx(first * np.exp(emax / 2), rel=1e-5)


@pytest.mark.parametrize(("drug", "regimen"), FALLING[:2])
def test_clearance_ends_at_exp_of_emax_of_what_it_was_and_exposure_follows_it(drug, regimen):
    people, plan = patient(drug), load_regimen(regimen)
    count = int(1500 / plan.cycle)
    times = np.linspace((count - 1) * plan.cycle, count * plan.cycle, 1001)
    run = course(people, drug, regimen, count, times)
    last = people["CL"][0] * np.exp(people["EMAX"][0])
    assert run["clearance"][0, -1] == pytest.approx(last, rel=1e-3)
    assert np.trapezoid(run["Cc"][0], times) == pytest.approx(plan.doses[0].amount / last, rel=5e-3)


def test_atezolizumab_accumulates_as_its_label_says():
    """1.91 of the area, 1.46 of the peak, 2.75 of the trough; the trough is 14 % lower here."""
    interval = np.unique(np.concatenate([[1 / 24], np.linspace(0.0, 21.0, 1001)]))
    times = np.concatenate([interval, 189 + interval])
    level = course(patient("atezolizumab"), "atezolizumab", "atezolizumab_1200_q3w", 10, times)["Cc"][0]
    first, last = level[: len(interval)], level[len(interval) :]
    assert np.trapezoid(last, interval) / np.trapezoid(first, interval) == pytest.approx(1.91, rel=0.1)
    assert last.max() / first.max() == pytest.approx(1.46, rel=0.1)
    assert last[-1] / first[-1] == pytest.approx(2.75, rel=0.2)


def test_bintrafusp_has_the_half_life_of_its_abstract_whatever_the_assumed_exchange():
    """6.93 days, with limits of 4.69 and 9.65; Q was not published."""
    for q in (0.05, 0.2, 0.8):
        people = patient("bintrafusp").with_inputs({"Q": q})
        level = course(people, "bintrafusp", "bintrafusp_1200_q2w", 1, [21.0, 28.0])["Cc"][0]
        assert 4.69 < 7 * np.log(2) / np.log(level[0] / level[1]) < 9.65


@pytest.mark.parametrize(("drug", "regimen"), [*LINEAR, *FALLING])
def test_twice_the_dose_is_twice_the_concentration(drug, regimen):
    once, twice = (
        course(patient(drug), drug, regimen, 2, np.linspace(0.1, 28, 8), dose=f)["Cc"] for f in (1.0, 2.0)
    )
    assert twice == pytest.approx(2 * once, rel=1e-5)


def test_saturable_elimination_shows_at_low_doses_of_durvalumab_and_hardly_at_clinical_ones():
    people = patient("durvalumab", "durvalumab_baverel_2018")
    times = np.linspace(0.1, 28, 8)
    found = {
        d: course(people, "durvalumab", "durvalumab_1500_q4w", 1, times, dose=d)["Cc"][0] / d
        for d in (0.005, 0.01, 1.0, 2.0)
    }
    assert found[0.01][-1] > 1.5 * found[0.005][-1]
    assert found[2.0] == pytest.approx(found[1.0], rel=0.03)
    assert np.all(found[1.0] > found[0.01])


def test_the_two_analyses_of_durvalumab_agree_on_the_exposure_after_half_a_year():
    """Two forms of elimination, fitted to overlapping patients, give areas and troughs within a fifth of one
    another.
    """
    times = np.linspace(140.0, 168.0, 281)
    levels = [
        course(patient("durvalumab", s), "durvalumab", "durvalumab_1500_q4w", 6, times)["Cc"][0]
        for s in ("durvalumab_abegesah_2025", "durvalumab_baverel_2018")
    ]
    area = [np.trapezoid(level, times) for level in levels]
    assert area[0] / area[1] == pytest.approx(1.0, abs=0.2)
    assert levels[0][-1] / levels[1][-1] == pytest.approx(1.0, abs=0.2)


def test_pembrolizumab_fills_its_target_at_clinical_troughs_with_either_published_constant():
    """4 nmol/L on a chip, 0.05 nmol/L in the maker's assays."""
    for kd in (4.0, 0.05):
        people = patient("pembrolizumab").with_inputs({"KD": kd})
        run = course(people, "pembrolizumab", "pembrolizumab_200_q3w", 8, 21.0 * np.arange(1, 9) - 1e-3)
        assert run["occupancy"].min() > 0.94


def test_dostarlimab_is_given_every_three_weeks_four_times_and_then_twice_as_much_every_six():
    times = 21.0 * np.arange(8) + 0.5 / 24
    around = np.sort([*times, *(times - 0.6 / 24)[1:]])
    run = course(patient("dostarlimab"), "dostarlimab", "dostarlimab_500_q3w_1000_q6w", 8, around)
    rise = np.diff(np.concatenate([[0.0], run["central"][0]]))[::2]
    assert rise == pytest.approx([500, 500, 500, 500, 1000, 0, 1000, 0], abs=3)


def test_nivolumab_is_cleared_faster_beside_ipilimumab_3_mg_per_kg_and_slower_beside_chemotherapy():
    alone, with_three, with_one, chemotherapy = (
        patient("nivolumab", f"nivolumab_zhang_2019{s}")
        for s in ("", "_ipilimumab_3_q3w", "_ipilimumab_1_q3w", "_chemotherapy")
    )
    assert with_three["CL"][0] / alone["CL"][0] == pytest.approx(np.exp(0.227), rel=1e-3)
    assert chemotherapy["CL"][0] / alone["CL"][0] == pytest.approx(np.exp(-0.104), rel=1e-3)
    assert with_one["CL"][0] == alone["CL"][0]
    assert with_one["EMAX"][0] - alone["EMAX"][0] == pytest.approx(-0.0668)


def test_performance_status_shifts_the_fall_of_nivolumabs_clearance_and_leaves_its_spread_alone():
    model = load_model("drugs/nivolumab")
    parameters = load_parameters((), model)
    fit, frail = (draw(model, parameters, 2000, seed=1, covariates={"ECOG": e}) for e in (0, 2))
    fall = [p["EMAX"] + p["EMAX_OWN"] for p in (fit, frail)]
    assert fall[1] - fall[0] == pytest.approx(-0.138, rel=1e-6)
    assert np.std(fall[1]) == pytest.approx(np.sqrt(0.0874), rel=0.05)


def test_one_eta_moves_clearance_and_exchange_of_pembrolizumab():
    model = load_model("drugs/pembrolizumab")
    at = {"WT": 76.8, "SEX": 0, "ALB": 39.6, "EGFR": 88.47, "TUMOUR": 89.6, "ECOG": 0}
    people = draw(model, load_parameters((), model), 2000, seed=1, covariates=at)
    assert people["CL"] / 0.22 == pytest.approx(people["Q"] / 0.795, rel=1e-6)
    assert people["VC"] / 3.48 == pytest.approx(people["VP"] / 4.06, rel=1e-6)
    assert np.var(np.log(people["CL"])) == pytest.approx(0.134, rel=0.1)
    assert np.corrcoef(people["CL"], people["VC"])[0, 1] == pytest.approx(0, abs=0.07)


def test_balstilimab_is_nivolumab_but_for_how_firmly_it_binds():
    times = np.linspace(0.1, 28, 8)
    own, other = (course(patient(d), d, f"{d}_240_q2w", 2, times) for d in ("balstilimab", "nivolumab"))
    assert own["Cc"] == pytest.approx(other["Cc"], rel=1e-9)
    assert np.all(own["occupancy"] < other["occupancy"])
