"""Growth and extinction against published doubling times, closed forms and chance itself."""

import numpy as np
import pytest

from pkpd import draw, load_model, load_parameters, simulate, typical


@pytest.fixture(scope="module")
def crlm():
    model = load_model("crlm")
    return model, load_parameters((), model)


def one_lesion(crlm, diameter, **inputs):
    model, parameters = crlm
    people = typical(model, parameters, {c.name: c.value for c in parameters.covariates} | {"KRAS": 0})
    return people.with_inputs(
        {"lesion.1.D0": diameter, **{f"lesion.{i}.D0": 0.0 for i in (2, 3, 4)}, **inputs}
    )


@pytest.mark.parametrize("volume, published, error", [(0.5, 86, 12), (14.0, 155, 34)])
def test_doubling_times_are_finlays_which_is_circular(crlm, volume, published, error):
    """The two doubling times built ALPHA and K; the check is of the arithmetic."""
    people = one_lesion(crlm, (6 * volume * 1000 / np.pi) ** (1 / 3))
    run = simulate(crlm[0], people, times=np.linspace(0, 2, 3))
    rate = np.log(run["lesion.1.viable"][0, 2] / run["lesion.1.viable"][0, 0]) / 2
    assert np.log(2) / rate == pytest.approx(published, abs=0.1 * error)


def test_age_from_one_cell_is_of_the_order_that_finlay_published(crlm):
    """2.3 ± 0.4 years to an occult lesion from one cell; the model needs 3.2 (text of the parameter file)."""
    people = one_lesion(crlm, (6 * 1e-9 * 1000 / np.pi) ** (1 / 3))
    run = simulate(crlm[0], people, times=np.linspace(0, 2000, 4001))
    age = run.times[0, np.argmax(run["lesion.1.viable"][0] > 0.5)] / 365.25
    assert 2.3 < age < 3.4


def test_extinction_agrees_with_the_closed_form_of_a_linear_birth_death_process(crlm):
    """With growth nearly constant, p(t) = d (e^(gt) - 1) / (b e^(gt) - d) for one founder."""
    growth, loss, t = 0.02, 0.9, 100.0
    people = one_lesion(
        crlm,
        20.0,
        **{
            "occult.1.ALPHA": growth / np.log(1e300),
            "occult.1.KCELL": 1e300,
            "occult.1.LOSS": loss,
            "occult.1.N0": 1.0,
            "occult.1.PRESENT": 1.0,
        },
    )
    birth, death = growth / (1 - loss), growth * loss / (1 - loss)
    expected = death * (np.exp(growth * t) - 1) / (birth * np.exp(growth * t) - death)
    run = simulate(crlm[0], people, times=[t], rtol=1e-8)
    assert run["occult.1.extinct"][0, 0] == pytest.approx(expected, rel=0.01)


def test_extinction_agrees_with_a_simulated_birth_death_process(crlm):
    """Twenty founders under kill: 4,000 histories by tau-leaping in small steps, within four
    standard errors.
    """
    kill, sensitivity, t = 0.05, 1.0, 60.0
    people = one_lesion(
        crlm,
        20.0,
        **{"occult.1.N0": 20.0, "occult.1.PRESENT": 1.0, "occult.1.SENS": sensitivity, "effect.RATE": kill},
    )
    alpha, loss = people["occult.1.ALPHA"][0], people["occult.1.LOSS"][0]
    random = np.random.default_rng(5)
    cells, dt = np.full(4000, 20.0), 0.02
    for _ in range(int(t / dt)):
        growth = alpha * np.log(people["occult.1.KCELL"][0] / (np.mean(cells) + 1))
        rates = growth / (1 - loss), growth * loss / (1 - loss) + kill * sensitivity
        cells = np.maximum(
            cells + random.poisson(cells * rates[0] * dt) - random.poisson(cells * rates[1] * dt), 0
        )
    run = simulate(crlm[0], people, times=[t], rtol=1e-8)
    share = np.mean(cells == 0)
    assert abs(run["occult.1.extinct"][0, 0] - share) < 4 * np.sqrt(share * (1 - share) / 4000) + 0.01


def test_extinction_is_smooth_in_the_kill(crlm):
    """No threshold at one cell: a one-thousandth step in kill moves extinction by a small, steady amount."""
    steps = np.linspace(0.9, 1.1, 41)
    values = []
    for s in steps:
        people = one_lesion(
            crlm,
            20.0,
            **{"occult.1.N0": 1000.0, "occult.1.PRESENT": 1.0, "occult.1.SENS": 0.1 * s, "effect.RATE": 1.0},
        )
        values.append(simulate(crlm[0], people, times=[84.0], rtol=1e-8)["occult.1.extinct"][0, 0])
    slope = np.diff(values)
    assert np.all(slope > 0) and slope.max() < 3 * slope.min() + 0.02


def test_a_patient_without_occult_disease_never_has_any(crlm):
    model, parameters = crlm
    people = draw(model, parameters, 300)
    run = simulate(model, people, times=[0.0, 2000.0])
    none = people["occult.1.PRESENT"] == 0
    assert 0.1 < none.mean() < 0.3
    assert np.all(run["occult.1.cells"][none] == 0)


def test_occult_foci_are_below_the_staging_scans_limit(crlm):
    people = draw(*crlm, 2000)
    run = simulate(crlm[0], people, times=[0.0])
    for j in (1, 2, 3):
        assert run[f"occult.{j}.diameter"].max() < 10.0
        assert people[f"occult.{j}.N0"].min() >= 1


def test_lesions_are_as_many_as_the_covariate_says(crlm):
    people = draw(*crlm, 500)
    count = sum(people[f"lesion.{i}.D0"] > 0 for i in (1, 2, 3, 4))
    assert np.array_equal(count, people.covariates["LESIONS"])
    assert np.allclose(people["lesion.1.D0"], people.covariates["LARGEST"])


def test_visible_and_occult_sensitivity_correlate_as_the_file_says(crlm):
    people = draw(*crlm, 4000)
    visible, occult = np.log(people["kill.1.SENS"]), np.log(people["occult.1.SENS"])
    assert 0.3 < np.corrcoef(visible, occult)[0, 1] < 0.75


def test_exponential_growth_is_a_change_of_one_part():
    gompertz, exponential = load_model("crlm"), load_model("crlm", {"growth": "couplings/growth_exponential"})
    assert exponential.hash == load_model("crlm_exponential").hash != gompertz.hash
