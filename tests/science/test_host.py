"""What treatment does to neutrophils, sinusoids, hepatocytes and a liver remnant, against closed forms and
published figures.

A figure that set a value is circular and its test says so. What misses is tested as a miss, with its size.
"""

from dataclasses import replace
from functools import lru_cache, reduce
from operator import add

import numpy as np
import pytest
from scipy.special import expit, gammainc, logit

from pkpd import (
    cycles,
    draw,
    load_model,
    load_parameters,
    load_regimen,
    lower,
    removal,
    simulate,
    treat,
    typical,
)
from pkpd.regimen.reading import read_regimen

FOLFOX, BEVACIZUMAB, FOLFIRI = "mfolfox6_host", "folfox_bevacizumab_host", "folfiri_host"
REFERENCE = {"BSA": 1.75, "AGE": 60, "SEX": 0, "SCR": 80}
RULES = load_regimen("mfolfox6_neutrophil_rules")
MFOLFOX6, BEV, IRINOTECAN = (load_regimen(r) for r in ("mfolfox6", "bevacizumab_5_q2w", "irinotecan_180_q2w"))
CHAIN = ("prol", "transit1", "transit2", "transit3", "circ")
SLOPES = ("marrow_fluorouracil.SLOPE", "marrow_oxaliplatin.SLOPE")


@lru_cache
def host(name, parameters=()):
    model = load_model(name)
    return model, load_parameters(parameters, model)


def people(name, n):
    return draw(*host(name), n, seed=31)


def reference(name, **more):
    return typical(*host(name), REFERENCE | more)


def planned(name, who, regimen, count):
    model = host(name)[0]
    return lower(regimen, model, who, cycles(regimen, model, count))


def regimen(*doses, cycle="28 day"):
    return read_regimen({"regimen": {"title": "t", "cycle": cycle}, "doses": list(doses)}, "t", "t")


def without(plan, drug, amount=None):
    """A regimen less a drug, or less one of its doses; rules go with the drug."""
    gone = [d for d in plan.doses if d.drug == drug and amount in (None, d.amount)]
    rules = tuple(r for r in plan.rules if amount is not None or r.drugs != (drug,))
    return replace(plan, doses=tuple(d for d in plan.doses if d not in gone), rules=rules)


def counts(who, schedule, times):
    return simulate(host(FOLFOX)[0], who, schedule, times)["neutrophils.circ"]


@lru_cache
def severe(arm):
    """The share of 1,000 virtual patients below 1 1/nL at a weekly count, in 12 cycles as the
    rules decide.
    """
    folfox4 = replace(load_regimen("folfox4"), rules=RULES.rules)
    plan = {
        "mFOLFOX6": RULES,
        "no bolus": without(RULES, "fluorouracil", 400),
        "FOLFOX4": folfox4,
        "LV5FU2": without(folfox4, "oxaliplatin"),
    }[arm]
    who = people(FOLFOX, 1000)
    given = treat(host(FOLFOX)[0], who, plan, 12)
    return np.mean(counts(who, given.schedule, np.arange(0, 14 * 12 + 43, 7)).min(axis=1) < 1)


def odds(p):
    return p / (1 - p)


def agrees(share, published, n):
    """Whether a share of 1,000 differs by no more than chance: two standard errors of the difference."""
    return abs(share - published) < 2 * np.sqrt(published * (1 - published) / n + share * (1 - share) / 1000)


# --- neutrophils: closed forms ----------------------------------------


def test_without_a_drug_neutrophils_stay_at_baseline_and_nothing_is_injured():
    """Neutrophils to the last digits, injury exactly."""
    for name, injured in (
        (FOLFOX, "sinusoids.injury"),
        (BEVACIZUMAB, "sinusoids.injury"),
        (FOLFIRI, "steatohepatitis.injury"),
    ):
        who = people(name, 20)
        run = simulate(host(name)[0], who, None, [0, 30, 400])
        for state in CHAIN:
            assert run[f"neutrophils.{state}"] / who["neutrophils.CIRC0"][:, None] == pytest.approx(
                1, rel=1e-12
            )
        assert np.all(run[injured] == 0)


def test_a_loss_of_proliferating_cells_reaches_the_blood_as_an_erlang_delay_of_four_stages():
    """Without feedback, circ = CIRC0 (1 - half P(4, ktr t)) when half of the proliferating cells are lost at
    once.
    """
    who = reference(FOLFOX).with_inputs({"neutrophils.GAMMA": 0.0})
    days, ktr = np.linspace(0.5, 20, 20), 4 / (88.7 / 24)
    run = counts(who, removal(host(FOLFOX)[0], 0.0, {"neutrophils.prol": 0.5}, 1), days)
    assert run[0] == pytest.approx(5.05 * (1 - 0.5 * gammainc(4, ktr * days)), rel=1e-4)


def test_the_losses_to_two_drugs_add():
    """Without feedback the logarithm of proliferating cells falls by ktr (slope AUC + slope AUC), each AUC
    dose / clearance.
    """
    model = host(FOLFOX)[0]
    who = reference(FOLFOX).with_inputs(
        {"neutrophils.GAMMA": 0.0, "fluorouracil.VMAX": 0.0, "fluorouracil.CL": 249.0}
    )
    ox = {"drug": "oxaliplatin", "amount": "100 mg", "over": "2 hour"}
    fu = {"drug": "fluorouracil", "amount": "3000 mg", "over": "46 hour"}

    def fall(*doses):
        run = simulate(model, who, planned(FOLFOX, who, regimen(*doses), 1), [0, 600], rtol=1e-9)[
            "neutrophils.prol"
        ][0]
        return np.log(run[0] / run[1])

    losses = [4 / 88.7 * 5.5 * 100 * 0.491 / 17.57, 4 / 88.7 * 0.76 * 3000 / 249]
    assert fall(ox) == pytest.approx(losses[0], rel=1e-4)
    assert fall(fu) == pytest.approx(losses[1], rel=1e-4)
    assert fall(ox, fu) == pytest.approx(sum(losses), rel=1e-4)


def test_under_an_endless_infusion_white_cells_settle_where_feedback_makes_up_for_the_loss():
    """Arshad's white cells: (1 - slope C) (CIRC0 / circ)^gamma = 1."""
    model, parameters = host(FOLFOX, ("mfolfox6_host", "neutrophils_arshad_2020", "neutropenia_arshad_2020"))
    who = typical(model, parameters).with_inputs({"fluorouracil.VMAX": 0.0, "fluorouracil.CL": 249.0})
    endless = regimen({"drug": "fluorouracil", "amount": "360000 mg", "over": "600 day"}, cycle="600 day")
    loss = 1.17 * 25 / 249
    settled = 6.86 * (1 - loss) ** (1 / 0.17)
    assert counts(who, planned(FOLFOX, who, endless, 1), [600])[0, 0] == pytest.approx(settled, rel=1e-3)


# --- neutrophils: published -------------------------------------------


@pytest.mark.parametrize("arm, published, n", [("LV5FU2", 0.047, 1123), ("FOLFOX4", 0.41, 1123)])
def test_the_two_arms_of_mosaic_have_their_neutropenia_which_is_circular(arm, published, n):
    """Grade 3 or 4 in 4.7 and 41 % over 12 cycles: they set the two slopes."""
    assert agrees(severe(arm), published, n)


def test_folfox4_has_the_neutropenia_of_another_trial():
    """282 of 648 under FOLFOX4 with or without placebo, NO16966; not used."""
    assert agrees(severe("FOLFOX4"), 282 / 648, 648)


def test_mfolfox6_has_less_neutropenia_than_in_jcog0603_a_miss():
    """Half of 151 Japanese patients after hepatectomy; the model, set to MOSAIC, gives two in
    five. Not used.
    """
    assert 0.36 < severe("mFOLFOX6") < 0.45
    assert 0.5 - severe("mFOLFOX6") > 2 * np.sqrt(0.25 / 151)


def test_leaving_the_bolus_out_spares_neutrophils_as_a_meta_analysis_found():
    """Odds ratio 0.46 (0.37 to 0.57) of grade 3 or 4 without the bolus in regimens with an infusion; not
    used.
    """
    assert 0.37 < odds(severe("no bolus")) / odds(severe("mFOLFOX6")) < 0.57


def test_a_bolus_of_5_fu_is_more_toxic_than_an_infusion_though_its_exposure_is_less():
    """31 % v 4 % (1,219 patients), an odds ratio of 11; regimens are assumed here, so half to twice of it
    passes. Not used.
    """
    who, one, low, area = people(FOLFOX, 1000), reference(FOLFOX), [], []
    for dose in (
        {"amount": "425 mg/m^2", "days": [1, 2, 3, 4, 5]},
        {"amount": "8400 mg/m^2", "over": "28 day"},
    ):
        plan = regimen({"drug": "fluorouracil"} | dose)
        low.append(np.mean(counts(who, planned(FOLFOX, who, plan, 6), np.arange(0, 168, 7)).min(axis=1) < 1))
        fine = simulate(host(FOLFOX)[0], one, planned(FOLFOX, one, plan, 1), np.linspace(0, 28, 28 * 480 + 1))
        area.append(np.trapezoid(fine["fluorouracil.Cc"][0], fine.times[0]))
    assert area[0] < area[1]
    assert 11 / 2 < odds(low[0]) / odds(low[1]) < 11 * 2


def test_counts_before_the_next_cycle_are_too_high_a_miss():
    """Adjuvant FOLFOX given whatever the count, 1,074 cycles: mean 2.9 (2.8 to 3.0) 1/nL on the day before,
    170 below 1.5.
    """
    who = people(FOLFOX, 500)
    seen = counts(who, planned(FOLFOX, who, MFOLFOX6, 8), 13 + 14 * np.arange(8))
    assert 3.0 < seen.mean() < 3.5
    assert 0.04 < np.mean(seen < 1.5) < 170 / 1074


# --- dose rules -------------------------------------------------------


def test_a_low_count_holds_the_cycle_and_the_relative_dose_intensity_says_so():
    """Neutrophils made half as sensitive again to oxaliplatin; doses as planned are given below 1.5 1/nL,
    those held are not.
    """
    who = people(FOLFOX, 60)
    frail = who.with_inputs({SLOPES[1]: 1.5 * who[SLOPES[1]]})
    given = treat(host(FOLFOX)[0], frail, replace(RULES, rules=RULES.rules[:1]), 4)
    assert np.isfinite(given.starts).all()  # three waits are enough for each of them
    late = given.starts[:, -1] - given.planned[-1]
    held = np.unique(given.decisions["patient"]) - 1
    assert 0 < len(held) < 60 and np.array_equal(np.flatnonzero(late), held)
    assert given.intensity["oxaliplatin"] == pytest.approx(56 / (56 + late))
    strict = counts(frail, given.schedule, given.starts)
    loose = counts(frail, planned(FOLFOX, frail, MFOLFOX6, 4), given.planned)
    assert strict.min() > 1.5 * (1 - 1e-4) and np.all(loose[held].min(axis=1) < 1.5)


def test_a_deep_nadir_lowers_the_next_doses_though_the_count_has_recovered():
    who = people(FOLFOX, 300)
    given = treat(host(FOLFOX)[0], who, RULES, 2)
    run = counts(who, planned(FOLFOX, who, MFOLFOX6, 1), np.linspace(0, 14, 141))
    lowered = given.factors[:, 1].min(axis=1) < 1
    assert 0 < lowered.sum() < 300 and np.any(run[lowered, -1] > 1.5)
    assert run[lowered].min(axis=1).max() < 0.6 and run[~lowered].min() > 0.4
    assert np.allclose(
        np.unique(given.factors[lowered, 1]), [0.8, 0.88, 1.0]
    )  # 5-FU, oxaliplatin, leucovorin


# --- sinusoids --------------------------------------------------------


def after(name, regimens, count, seen="sinusoids.grade2", who=None):
    """What is seen of each patient five weeks after the last cycle; the regimens begin together."""
    who = people(name, 1000) if who is None else who
    schedule = reduce(add, [planned(name, who, r, count) for r in regimens])
    return simulate(host(name)[0], who, schedule, [14 * (count - 1) + 35])[seen][:, 0]


def test_injury_of_one_is_that_of_the_reference_course_which_is_circular():
    assert after(FOLFOX, [MFOLFOX6], 6, "sinusoids.injury", reference(FOLFOX)) == pytest.approx(1, rel=1e-3)
    assert after(FOLFIRI, [IRINOTECAN], 6, "steatohepatitis.injury", reference(FOLFIRI)) == pytest.approx(
        1, rel=1e-3
    )


def test_without_repair_injury_is_exposure():
    """KIN times dose / clearance, to the last of the drug."""
    who = reference(FOLFOX).with_inputs({"sinusoids.KREP": 0.0})
    run = simulate(host(FOLFOX)[0], who, planned(FOLFOX, who, MFOLFOX6, 2), [600])
    assert run["sinusoids.injury"][0, 0] == pytest.approx(0.0858 * 2 * 85 * 1.75 * 0.491 / 17.57, rel=1e-4)


def test_oxaliplatin_harms_one_patient_in_eight_and_bevacizumab_spares_two_of_three_which_is_circular():
    """Meta-analysis: number needed to harm 8 (6.4 to 13.6), relative risk with bevacizumab 0.34 (0.15 to
    0.75).
    """
    plain, spared = (after(BEVACIZUMAB, [MFOLFOX6, *more], 6).mean() for more in ((), (BEV,)))
    assert 1 / (plain - 0.05) == pytest.approx(8, rel=0.05)
    assert spared / plain == pytest.approx(0.34, rel=0.05)


@pytest.mark.parametrize("a, n, b, m", [(22, 45, 5.5, 22), (14, 33, 11, 53), (18, 33, 4, 17)])
def test_the_odds_ratio_of_injury_is_that_of_three_surgical_series(a, n, b, m):
    """49 v 25 %, 42.4 v 20.8 %, 54.5 v 23.5 %, each by a scale of its own; not used. Two pairs of groups are
    derived.
    """
    error = 1.96 * np.sqrt(1 / a + 1 / (n - a) + 1 / b + 1 / (m - b))
    ratio = logit(after(FOLFOX, [MFOLFOX6], 6).mean()) - logit(0.05)
    assert abs(ratio - (logit(a / n) - logit(b / m))) < error


def test_bevacizumab_spares_more_than_one_series_and_less_than_another():
    """Odds ratios: 0.50 in one, 28 v 8 % (0.22) in the other; not used."""
    plain, spared = (after(BEVACIZUMAB, [MFOLFOX6, *more], 6).mean() for more in ((), (BEV,)))
    assert odds(0.08) / odds(0.28) < odds(spared) / odds(plain) < 0.50


def test_after_five_cycles_injury_is_half_as_frequent_as_in_a_series_a_miss():
    """28 % there after a median of five cycles; the meta-analysis, which set the model, is lower."""
    assert 0.12 < after(FOLFOX, [MFOLFOX6], 5).mean() < 0.20 < 0.28


def test_more_cycles_injure_more_and_injury_heals():
    who, chances = reference(FOLFOX), [after(FOLFOX, [MFOLFOX6], n).mean() for n in (3, 6, 12)]
    assert chances[0] < chances[1] < chances[2]
    run = simulate(host(FOLFOX)[0], who, planned(FOLFOX, who, MFOLFOX6, 6), [300, 360])["sinusoids.injury"][0]
    assert run[1] / run[0] == pytest.approx(0.5, rel=0.05)


# --- steatohepatitis and SN-38 ----------------------------------------


def test_irinotecan_harms_one_patient_in_twelve_and_obesity_multiplies_the_odds_which_is_circular():
    """Meta-analysis: number needed to harm 12 (7.8 to 26); odds ratio of body mass index 3.88 in another
    series.
    """
    slim, obese = (reference(FOLFIRI, BMI=b)["steatohepatitis.ODDS0"][0] for b in (25, 32))
    assert obese / slim == pytest.approx(3.88)
    who = people(FOLFIRI, 1000)
    more = after(FOLFIRI, [IRINOTECAN], 6, "steatohepatitis.chance", who) - expit(
        np.log(who["steatohepatitis.ODDS0"])
    )
    assert 1 / more.mean() == pytest.approx(12, rel=0.05)


def test_alleles_of_ugt1a1_deepen_the_nadir():
    patients = [reference(FOLFIRI, UGT1A1=alleles) for alleles in (0, 1, 2)]
    runs = [
        simulate(host(FOLFIRI)[0], who, planned(FOLFIRI, who, IRINOTECAN, 1), np.linspace(0, 20, 81))
        for who in patients
    ]
    nadir = [run["neutrophils.circ"].min() for run in runs]
    assert nadir[0] > nadir[1] > nadir[2]


def test_a_value_is_the_same_in_every_system():
    assert len({reference(name)[SLOPES[0]][0] for name in (FOLFOX, BEVACIZUMAB, FOLFIRI)}) == 1
    assert all(
        reference(FOLFOX)[value][0] == reference(BEVACIZUMAB)[value][0] for value in (SLOPES[1], "harm.KIN")
    )


# --- liver remnant ----------------------------------------------------


def regrown(left, days):
    model = load_model("host/liver_remnant")
    run = simulate(
        model, typical(model, load_parameters((), model)), removal(model, 0.0, {"volume": left}, 1), days
    )
    return run["volume"][0] / left - 1


def test_an_intact_liver_keeps_its_volume_and_a_remnant_grows_back_to_it():
    assert np.all(regrown(1.0, [0, 100]) == 0)
    assert (1 + regrown(0.4, [200])[0]) * 0.4 == pytest.approx(1, rel=1e-6)


def test_a_remnant_gains_21_percent_in_a_week_and_37_in_thirteen_which_is_circular():
    assert regrown(1 / 1.37, [7, 91]) == pytest.approx([0.21, 0.37], abs=0.002)


def test_by_the_fifth_week_one_exponential_has_grown_five_points_too_far_a_miss():
    """31 % published; not used. Growth slows earlier than one rate constant allows."""
    assert regrown(1 / 1.37, [35])[0] - 0.31 == pytest.approx(0.05, abs=0.01)
