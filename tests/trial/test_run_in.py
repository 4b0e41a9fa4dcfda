"""The run-in: immunity settles, and tumours are at baseline on the first day."""

import numpy as np
import pytest

from pkpd import draw, load_model, load_parameters, simulate
from pkpd.trial.run_in import settled, tumours


@pytest.fixture(scope="module")
def people():
    model = load_model("crlm_immune")
    return model, draw(model, load_parameters((), model), 12, seed=3)


def test_tumours_are_at_baseline_on_the_first_day(people):
    model, patients = people
    first = simulate(model, patients, times=(0.0,))
    after = settled(model, patients, 90, 1e-6)
    for name in ("hepatic.1.diameter", "hepatic.2.volume", "occult.cells", "occult.extinct"):
        assert np.array_equal(after[name], first[name])
    assert np.all(after.times == 0)


def test_immunity_settles_beside_them(people):
    """Twice the run-in changes little, where one changes much; stroma alone, which turns over in months, is
    slower.
    """
    model, patients = people
    rest = [
        i
        for i, s in enumerate(model.states)
        if i not in tumours(model) and s.startswith(("liver.", "systemic.")) and s != "liver.stroma"
    ]
    start, one, two = (settled(model, patients, days, 1e-6).states[:, 0, rest] for days in (0, 90, 180))
    moved, left = np.abs(one - start).max(axis=1), np.abs(two - one).max(axis=1)
    assert np.all(left < 0.5 * moved)


def test_no_run_in_is_the_start(people):
    model, patients = people
    assert np.array_equal(
        settled(model, patients, 0, 1e-6).states, simulate(model, patients, times=(0.0,)).states
    )


def test_a_patient_that_cannot_be_solved_stays_missing(people):
    model, patients = people
    inputs = patients.inputs.copy()
    inputs[4, model.inputs.index("liver.KPRO")] = 1e200
    broken = type(patients)(patients.names, inputs, patients.covariates, key=patients.key)
    run = settled(model, broken, 90, 1e-6)
    lost = np.isnan(run.states).any(axis=(1, 2))
    assert list(np.flatnonzero(lost)) == [4] and len(run.failures) == 1 and "patient 5" in run.failures[0]
