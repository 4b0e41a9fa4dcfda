"""Exposures of oxaliplatin, 5-FU and leucovorin that are more than one published figure; those are in
fits/exposures.toml.
"""

import numpy as np
import pytest

from pkpd import (
    cycles,
    draw,
    load_model,
    load_parameters,
    load_regimen,
    lower,
    nca,
    sampling,
    simulate,
    typical,
)
from pkpd.regimen.reading import read_regimen

REFERENCE = {"BSA": 1.75, "AGE": 60, "SEX": 0, "SCR": 80}


def single(drug, amount, over=None, form=None):
    dose = (
        {"drug": drug, "amount": amount} | ({"over": over} if over else {}) | ({"form": form} if form else {})
    )
    return read_regimen(
        {"regimen": {"title": "one dose", "cycle": "28 day"}, "doses": [dose]}, "one dose", "test"
    )


def course(drug, regimen, times, parameters=(), n=0, count=1):
    """Virtual patients (or the reference patient) of one drug's model under a regimen."""
    model = load_model(drug)
    bound = load_parameters(parameters, model)
    known = {k: v for k, v in REFERENCE.items() if k in {c.name for c in bound.covariates}}
    people = draw(model, bound, n, seed=3) if n else typical(model, bound, known)
    return simulate(model, people, lower(regimen, model, people, cycles(regimen, model, count)), times)


def area(run, name):
    return np.trapezoid(run[name], run.times, axis=1)


def test_the_label_comes_back_from_what_was_solved_from_it_which_is_circular():
    """Peak, last half-life and volume of distribution: volumes and flows were solved from them."""
    model = load_model("oxaliplatin")
    people = typical(model, load_parameters((), model), REFERENCE)
    regimen = single("oxaliplatin", "85 mg/m^2", "2 hour")
    doses = lower(regimen, model, people, cycles(regimen, model, 1))
    times, places = sampling(model, doses, ("0 day", "250 day"))
    found = nca(simulate(model, people, doses, times, places=places))
    assert found.cmax[0] == pytest.approx(0.814, rel=0.005)
    assert found.half_life[0] == pytest.approx(391, rel=0.01)
    assert found.vss[0] == pytest.approx(440, rel=0.01)


def test_platinum_exposure_is_dose_over_bastians_clearance():
    run = course("oxaliplatin", single("oxaliplatin", "85 mg/m^2", "2 hour"), np.linspace(0, 4000, 20001))
    assert area(run, "Cc")[0] == pytest.approx(85 * 1.75 * 0.491 / 17.57, rel=0.01)


def test_variability_of_platinum_exposure_is_near_the_labels_23_percent():
    """The label's 23 % was not used: spread comes from Bastian's clearance, 33 % after covariates.

    Both are estimates from tens of patients, whose coefficient of variation has a relative error near 15 %;
    the model's must lie within half of the label's on either side.
    """
    run = course("oxaliplatin", single("oxaliplatin", "85 mg/m^2", "2 hour"), np.linspace(0, 48, 193), n=1000)
    exposure = area(run, "Cc")
    assert 0.115 < np.std(exposure) / np.mean(exposure) < 0.345


def test_platinum_is_half_of_oxaliplatin_by_mass():
    run = course("oxaliplatin", single("oxaliplatin", "100 mg"), [0.0])
    assert run["central"][0, 0] == pytest.approx(49.1)


def test_most_patients_dosed_by_surface_area_stay_below_the_target_on_the_infusion():
    """One cohort had 64 % under-dosed, against a target of 20 to 30 mg·h/L."""
    infusion = single("fluorouracil", "2400 mg/m^2", "46 hour")
    run = course("fluorouracil", infusion, np.linspace(0, 52, 521), n=1000)
    assert 0.5 < np.mean(area(run, "Cc") < 20) < 0.85


def test_dpd_deficiency_raises_exposure_more_than_in_proportion():
    """Half and a third of VMAX: 38.8 and 71.8 mg·h/L from 18.0, by arithmetic on the same model."""
    model = load_model("fluorouracil")
    bound = load_parameters((), model)
    people = typical(model, bound, {"BSA": 1.75})
    infusion = single("fluorouracil", "2400 mg/m^2", "46 hour")
    found = []
    for factor in (1.0, 0.5, 0.3):
        weak = people.with_inputs({"VMAX": people["VMAX"] * factor})
        run = simulate(
            model, weak, lower(infusion, model, weak, cycles(infusion, model, 1)), np.linspace(0, 60, 601)
        )
        found.append(area(run, "Cc")[0])
    assert found == pytest.approx([18.0, 38.8, 71.8], rel=0.01)


def test_200_of_the_racemate_is_100_of_the_active_form():
    racemate = course("leucovorin", single("leucovorin", "200 mg/m^2", "2 hour", "racemate"), [2.0])
    active = course("leucovorin", single("leucovorin", "100 mg/m^2", "2 hour", "levoleucovorin"), [2.0])
    assert racemate["Cc"] == pytest.approx(active["Cc"])


@pytest.mark.parametrize("link", ["auc_linear", "effect_site_emax", "damage_transit"])
def test_every_kill_link_gives_one_reference_cycle(link):
    model = load_model(f"systems/folfox_{link}")
    people = typical(model, load_parameters((), model), REFERENCE)
    regimen = load_regimen("folfox4")
    run = simulate(
        model, people, lower(regimen, model, people, cycles(regimen, model, 1)), [120.0], rtol=1e-8
    )
    assert run["effect.given"][0, 0] == pytest.approx(1.0, abs=1e-3)
