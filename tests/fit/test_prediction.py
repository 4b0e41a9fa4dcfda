"""Predictions: every draw of the posterior has patients of its own, what is inside is so on both sides."""

from dataclasses import replace

import numpy as np
import pytest

from pkpd import load_trial
from pkpd.fit import predict as module
from pkpd.fit.predict import _joint, _row, predict

DRAWS = 4


@pytest.fixture(scope="module")
def trial():
    return load_trial("pd1_mss_liver")


@pytest.fixture(scope="module")
def same(trial):
    """A posterior whose draws are all alike."""
    own = trial.parameters
    return replace(own, draws={"growth.ALPHA": (own["growth.ALPHA"].value,) * DRAWS})


def test_every_draw_has_patients_of_its_own_and_none_of_the_fit(trial, same, monkeypatch):
    asked, run = {}, module.run_arm

    def watched(prepared, parameters):
        asked.setdefault(prepared.arm.name, []).append(prepared.key)
        return run(prepared, parameters)

    monkeypatch.setattr(module, "run_arm", watched)
    predict(trial, same, patients=20)
    assert set(asked) == {a.name for a in trial.arms}
    for keys in asked.values():
        assert len(keys) == len(set(keys)) == DRAWS
        assert not {k[2] for k in keys} & {a.name for a in trial.arms}  # under which the fit draws


def test_draws_that_are_alike_differ_by_their_patients(trial, same, monkeypatch):
    found, values = [], module.figure_values
    monkeypatch.setattr(module, "figure_values", lambda *a: found.append(values(*a)) or found[-1])
    predict(trial, same, patients=40)
    means = np.array([np.nanmean(np.where(np.isfinite(x), x, np.nan), axis=1) for x in found])
    assert means.shape == (DRAWS, len(trial.figures))
    assert np.all(np.nanstd(means, axis=0)[[f.kind == "landmark" for f in trial.figures]] > 0)


@pytest.mark.parametrize("published, inside", [(11, False), (12, True), (50, True), (88, True), (89, False)])
def test_a_figure_is_inside_between_the_ends_of_its_predictive_interval(trial, published, inside):
    """Simulated trials count every number from 11 to 89 once: a next of 80 lies beyond 12 and 88 5 %."""
    figure = replace(trial.figures[0], kind="count", value=published, n=100, use="predict")
    row = _row(trial, figure, np.arange(11.0, 90.0), 0.1, None)
    assert row["predicted"] == 50 and row["predicted_interval"] == [12, 88] and row["inside"] is inside


def test_the_joint_check_is_mahalanobis_distance_and_the_share_of_trials_farther_off(trial):
    """Of two independent normal figures the squared distance has two degrees of freedom: p = exp(-d² / 2)."""
    rng = np.random.default_rng(1)
    published = zip(trial.figures[:2], (0.6, 0.2), strict=True)
    two = tuple(replace(f, kind="landmark", value=v) for f, v in published)
    own = replace(trial, figures=(*two, *trial.figures[2:]))
    cloud = np.zeros((len(own.figures), 20_000))
    cloud[0], cloud[1] = rng.normal(0.5, 0.1, 20_000), rng.normal(0.3, 0.05, 20_000)
    found = _joint(own, list(two), cloud)
    assert found["figures"] == 2 and found["distance_squared"] == pytest.approx(1 + 4, rel=0.05)
    assert found["p"] == pytest.approx(np.exp(-found["distance_squared"] / 2), abs=0.01)
