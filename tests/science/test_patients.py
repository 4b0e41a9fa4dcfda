"""The library's virtual patients: what their numbers imply of each other."""

import numpy as np
import pytest

from pkpd.model.compose import load_model
from pkpd.parameters.draw import draw
from pkpd.parameters.sets import load_parameters

MODEL = load_model("oxaliplatin")
PEOPLE = draw(MODEL, load_parameters((), MODEL), 5000, seed=11).covariates


def test_weight_and_surface_imply_the_heights_of_people():
    """By Du Bois and Du Bois, another formula than the one that weight was made with."""
    height = (PEOPLE["BSA"] / (0.007184 * PEOPLE["WT"] ** 0.425)) ** (1 / 0.725)
    assert height.mean() == pytest.approx(169, abs=3) and height.std() == pytest.approx(9, abs=2)
    assert np.mean((height > 145) & (height < 198)) > 0.995
    assert 0.2 < np.corrcoef(height, PEOPLE["WT"])[0, 1] < 0.8


def test_weight_goes_with_surface():
    assert np.corrcoef(PEOPLE["WT"], PEOPLE["BSA"])[0, 1] == pytest.approx(0.97, abs=0.01)


def test_body_mass_index_is_weight_by_height_squared():
    height = 3600 * PEOPLE["BSA"] ** 2 / PEOPLE["WT"] / 100
    assert PEOPLE["BMI"] == pytest.approx(PEOPLE["WT"] / height**2, rel=5e-3)


def test_creatinine_clearance_is_that_of_cockcroft_and_gault():
    """By the formula for men, and held to the register's 250 mL/min."""
    formula = 1.23 * (140 - PEOPLE["AGE"]) * PEOPLE["WT"] / PEOPLE["SCR"]
    assert PEOPLE["CRCL"] == pytest.approx(np.minimum(formula, 250), rel=5e-3)


def test_the_filtration_rate_falls_with_creatinine_and_age_as_clearance_does():
    assert np.corrcoef(PEOPLE["EGFR"], PEOPLE["SCR"])[0, 1] < -0.8
    assert np.corrcoef(PEOPLE["EGFR"], PEOPLE["CRCL"])[0, 1] > 0.5


@pytest.mark.parametrize("system", ["folfox_effect_site_emax", "folfox_bevacizumab_host", "hai_floxuridine"])
def test_a_system_treats_the_patients_of_its_drugs(system):
    model = load_model(system)
    treated = draw(model, load_parameters((), model), 5000, seed=11).covariates
    assert all(np.array_equal(treated[k], v) for k, v in PEOPLE.items())
