"""No unit's name decides how exact a result is: rescaling a model changes nothing."""

import numpy as np
import pytest
from scipy.special import lambertw

import pkpd
from pkpd import parse_model
from pkpd.errors import ContentError
from pkpd.model.model import Model
from pkpd.parameters.population import Population
from pkpd.regimen.schedule import ADD, packed
from pkpd.solve.batch import magnitudes
from pkpd.solve.reference import solve_patient
from pkpd.solve.repeated import Repeated
from pkpd.solve.steady import steady_state
from pkpd.solve.tolerance import tolerances

TIMES = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 16.0])


def drug(unit: str, scale: str = "") -> Model:
    """A depot, a central compartment that empties linearly or saturably, and an effect that follows the
    concentration.
    """
    return parse_model(
        f"""[model]
title = "Absorption, elimination, effect"
time = "hour"
[parameters]
KA = {{ unit = "1/hour" }}
K = {{ unit = "1/hour" }}
VMAX = {{ unit = "{unit}/hour" }}
KM = {{ unit = "{unit}" }}
V = {{ unit = "L" }}
[compartments]
depot = {{ unit = "{unit}", dose = true{scale} }}
central = {{ unit = "{unit}", dose = true{scale} }}
early = {{ unit = "{unit}/L"{scale} }}
late = {{ unit = "{unit}/L"{scale} }}
[flows]
absorption = {{ from = "depot", to = "central", rate = "KA * depot" }}
elimination = {{ from = "central", rate = "K * central + VMAX * central / (KM + central)" }}
onset = {{ to = "early", rate = "K * (central / V - early)" }}
delay = {{ to = "late", rate = "K * (early - late)" }}
""",
        "drug",
    )


def people(model: Model, size: float, k: float = 0.1, vmax: float = 0.0) -> Population:
    return Population(model.inputs, np.array([[1.5, k, vmax * size, 0.5 * size, 20.0]]), {})


def given(model: Model, amount: float, into: str = "depot"):
    return packed(
        1,
        np.zeros(1, int),
        np.zeros(1),
        np.full(1, ADD),
        np.array([model.states.index(into)]),
        np.array([amount]),
    )


def run(unit: str, size: float, into: str = "depot", **values: float) -> pkpd.Simulation:
    model = drug(unit)
    return pkpd.simulate(model, people(model, size, **values), given(model, 10 * size, into), TIMES)


@pytest.mark.parametrize(("unit", "size"), [("mg", 1.0), ("mol", 1e-9), ("mol", 1e-12), ("ng", 1e12)])
def test_a_drug_in_any_unit_follows_its_closed_form(unit, size):
    exact = 10 * size * 1.5 / 1.4 * (np.exp(-0.1 * TIMES) - np.exp(-1.5 * TIMES))
    assert run(unit, size)["central"][0] == pytest.approx(exact, rel=1e-6, abs=0)


@pytest.mark.parametrize("size", [1.0, 1e-9, 1e9])
def test_saturable_elimination_in_any_unit_follows_the_lambert_w_function(size):
    found = run("mol", size, "central", k=0.0, vmax=1.0)["central"][0]
    exact = 0.5 * size * lambertw(20 * np.exp((10 - TIMES) / 0.5)).real
    assert found == pytest.approx(exact, rel=1e-5, abs=1e-10 * size)


@pytest.mark.parametrize("size", [2.0**-40, 2.0**40])
def test_a_model_rescaled_by_a_power_of_two_has_the_same_digits(size):
    one, other = (run("mol", s, vmax=0.3) for s in (1.0, size))
    assert np.array_equal(one.states * size, other.states)


def test_an_effect_that_nothing_doses_is_as_exact_as_the_drug():
    """Two equal delays of a bolus: K t exp(-K t) and half its square."""
    found = run("mol", 1e-9, "central")
    exact = 10e-9 / 20 * np.exp(-0.1 * TIMES)
    assert found["early"][0] == pytest.approx(exact * 0.1 * TIMES, rel=1e-6)
    assert found["late"][0] == pytest.approx(exact * (0.1 * TIMES) ** 2 / 2, rel=1e-6)


def test_derivatives_in_any_unit_are_those_of_the_closed_form():
    model = drug("mol")
    found = pkpd.sensitivity(model, people(model, 1e-9), ["K"], given(model, 10e-9, "central"), TIMES)
    assert found["central"][0, :, 0] == pytest.approx(-TIMES * 10e-9 * np.exp(-0.1 * TIMES), rel=1e-6)


@pytest.mark.parametrize("interval", [12.0, 0.0])
@pytest.mark.parametrize("size", [1.0, 1e-9, 1e9])
def test_a_steady_state_in_any_unit_is_that_of_its_amounts(size, interval):
    model, one = drug("mol"), np.ones(1)
    rate = 0.0 if interval else 1.0
    doses = Repeated(
        np.array([1]), 10 * size * one, rate * size * one, 0 * one, interval * one, interval * one
    )
    found, reasons = steady_state(model, people(model, size, vmax=0.1).inputs, doses)
    assert reasons == [""]
    unit, _ = steady_state(
        model,
        people(model, 1.0, vmax=0.1).inputs,
        Repeated(np.array([1]), 10 * one, rate * one, 0 * one, interval * one, interval * one),
    )
    assert found / size == pytest.approx(unit, rel=1e-8)


def test_the_reference_is_as_exact_in_any_unit():
    model = drug("mol")
    found = solve_patient(
        model, np.zeros(4), people(model, 1e-9).inputs[0], given(model, 10e-9, "central"), 0, TIMES
    )
    assert found[:, 1] == pytest.approx(10e-9 * np.exp(-0.1 * TIMES), rel=1e-8, abs=0)


def test_reach_is_what_enters_a_compartment_or_what_its_loss_lets_the_others_bring():
    model = drug("mol")
    found = magnitudes(
        model, np.zeros((1, 4)), people(model, 1e-9).inputs, given(model, 10e-9), np.array([100.0])
    )[0]
    assert np.all(np.log2(found) == np.round(np.log2(found)))
    assert np.all(found / [10e-9, 1e-7, 1e-8, 1e-8] < 20) and np.all(
        found / [10e-9, 1e-8, 1e-10, 1e-10] > 0.5
    )


# --- what is stated ---------------------------------------------------


def test_a_scale_in_the_model_is_kept():
    stated = tolerances(drug("mol", ", scale = 1e-3"), 1e-6)
    assert stated.fixed == pytest.approx(1e-11) and not stated.growth.any()


def test_a_tolerance_of_the_caller_outranks_the_model_s_scale():
    model = drug("mol", ", scale = 1e-3")
    assert tolerances(model, 1e-6, 1e-20).fixed == pytest.approx(1e-20)
    assert tolerances(model, 1e-6, {"central": 1e-20}).fixed == pytest.approx([1e-11, 1e-20, 1e-11, 1e-11])
    loose, tight = (
        pkpd.simulate(model, people(model, 1e-9), given(model, 10e-9), TIMES, atol=a) for a in (1e-11, 1e-20)
    )
    exact = 10e-9 * 1.5 / 1.4 * (np.exp(-0.1 * TIMES) - np.exp(-1.5 * TIMES))
    assert tight["central"][0] == pytest.approx(exact, rel=1e-6, abs=0)
    assert np.abs(loose["central"][0] / exact - 1).max() > 1e-5


@pytest.mark.parametrize(
    ("atol", "message"),
    [
        ({"centre": 1e-9}, "atol: drug has no compartment 'centre'\n    remedy: did you mean 'central'?"),
        (
            0.0,
            "atol: 0.0 is not an absolute tolerance of depot\n    remedy: give a positive number of mg, or "
            "numbers by compartment",
        ),
        (
            "1e-9",
            "atol: '1e-9' is not an absolute tolerance of depot\n"
            "    remedy: give a positive number of mg, or numbers by compartment",
        ),
    ],
)
def test_a_tolerance_that_is_none_is_refused(atol, message):
    model = drug("mg")
    with pytest.raises(ContentError) as error:
        pkpd.simulate(model, people(model, 1.0), None, TIMES, atol=atol)
    assert str(error.value) == message
