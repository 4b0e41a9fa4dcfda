"""Fits: what is free, the joint term, starts and posterior on a small problem, results that reload."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from pkpd import load_fit, load_trial, run_fit
from pkpd.content.library import read
from pkpd.errors import ContentError
from pkpd.fit.free import put_all
from pkpd.fit.likelihood import objective
from pkpd.fit.predict import _variance, predict
from pkpd.fit.reading import read_fit
from pkpd.fit.result import load_result, posterior, save
from pkpd.fit.run import calibrated, summary
from pkpd.trial import survival


@pytest.fixture(scope="module")
def fit():
    """The library's fit made small: two free quantities, few patients."""
    whole = load_fit("eortc_40983")
    free = tuple(f for f in whole.free if f.key in ("occult.N0", "course.PUNRES"))
    return replace(whole, name="small", free=free, patients=150, replicates=60, starts=1, design=12, draws=12)


@pytest.fixture(scope="module")
def base(fit):
    return fit.parameters


@pytest.fixture(scope="module")
def target(fit, base):
    made = objective(fit)
    return made.settled(made.centre)


@pytest.fixture
def data():
    return copy.deepcopy(read("fit", "eortc_40983").data)


def message(data):
    with pytest.raises(ContentError) as caught:
        read_fit(data, "mine", "mine.toml")
    return str(caught.value)


def test_the_two_fits_differ_by_the_medians_alone():
    a, b = load_fit("eortc_40983"), load_fit("eortc_40983_without_medians")
    assert replace(b, name=a.name, title=a.title, leave_out=()) == a
    assert b.leave_out == ("eortc_40983/pfs_median:periop", "eortc_40983/pfs_median:surgery")


def test_every_fitted_figure_has_a_published_value():
    assert all(f.value is not None for f in load_trial("eortc_40983").figures if f.use == "fit")


def test_an_unknown_line_offers_the_near_one(data):
    data["free"][0]["line"] = "occult.PRESENTT"
    assert (
        "mine.toml: free: 'occult.PRESENTT' is not a line of crlm_resectable\n    remedy: did you mean "
        "'occult.PRESENT'" in message(data)
    )


def test_a_prior_that_does_not_suit_its_scale_is_refused(data):
    data["free"][0]["prior"]["at"] = 1.2
    assert "free[1].prior: {'at': 1.2, 'sd': 0.8} is not a prior on the logit scale" in message(data)


def test_leaving_out_an_unknown_figure_is_refused(data):
    data["fit"]["leave_out"] = ["eortc_40983/pfs_median:perioperative"]
    told = message(data)
    assert "fit.leave_out: 'eortc_40983/pfs_median:perioperative' is not a fitted figure" in told
    assert "did you mean 'eortc_40983/pfs_median:periop'" in told


def test_a_free_mixture_needs_a_mixture(data):
    data["free"][3]["line"] = "occult.N0"
    assert "free: occult.N0 has no mixture" in message(data)


def test_scales_and_places_invert(fit, base):
    whole = load_fit("eortc_40983")
    for f in whole.free:
        assert f.from_scale(f.to_scale(f.at)) == pytest.approx(f.at)
        changed = f.put(base, f.at * 0.9)[f.line]
        got = changed.value if f.what == "value" else changed.spread.weights[-1]
        assert got == pytest.approx(f.at * 0.9)


def test_the_objective_is_the_same_every_time_it_is_asked(target):
    """Common random numbers: no noise between two calls."""
    assert target(target.centre) == target(target.centre)


def first_at_half(time, event):
    """The median as version 0.1.0 had it: the first time at one half or below."""
    order = np.argsort(time, axis=-1, kind="stable")
    time, event = (np.take_along_axis(np.asarray(x), order, axis=-1) for x in (time, event))
    left = np.cumprod(1 - event / np.arange(time.shape[-1], 0, -1), axis=-1)
    return np.where(left <= 0.5 + 1e-9, time, np.inf).min(axis=-1)


def test_the_joint_term_of_one_trial_is_what_it_was_before_there_could_be_several(fit, base, monkeypatch):
    """Evaluated by the code of version 0.1.0, which knew one trial, at this point, with the medians that it
    read.
    """
    monkeypatch.setattr(survival, "median", first_at_half)
    made = objective(fit)
    target = made.settled(made.centre)
    at = target.centre + 0.3 * target.width
    assert target(at) == pytest.approx(4.206355112454036, abs=1e-6)
    assert target.expected(at) == pytest.approx(
        [
            -0.26030261136013566,
            0.28534798534798594,
            0.21678197037686975,
            3.055394807966638,
            2.7990693771949284,
            0.8220512820512814,
            0.8440293040293037,
        ]
    )
    assert np.diag(target.terms[0].covariance)[:2] == pytest.approx(
        [0.03319101505976753, 0.0034009302714834676]
    )


def test_the_median_in_the_middle_of_a_flat_moves_the_medians_and_nothing_else(target):
    """Expected log medians are 0.6 and 0.8 % later; what else the term expects stays."""
    at = target.centre + 0.3 * target.width
    assert target(at) == pytest.approx(3.389031750407577, abs=1e-6)
    assert target.expected(at) == pytest.approx(
        [
            -0.26030261136013566,
            0.28534798534798594,
            0.21678197037686975,
            3.0637532061232986,
            2.805484525298563,
            0.8220512820512814,
            0.8440293040293037,
        ]
    )


def test_the_covariance_of_the_figures_is_not_diagonal(target):
    covariance = target.terms[0].covariance
    d = np.sqrt(np.diag(covariance))
    r = covariance / d[:, None] / d
    assert np.abs(r - np.eye(len(r))).max() > 0.4 and np.linalg.eigvalsh(covariance).min() > 0


def test_a_share_far_from_the_published_count_is_unlikely(target):
    far = target.centre.copy()
    far[1] += 2.0
    assert target(far) < target(target.centre) - 5


def test_beyond_the_prior_there_is_nothing(target):
    assert target(target.centre + 6 * target.width) == -np.inf


@pytest.fixture(scope="module")
def result(fit):
    return run_fit(fit)


def test_a_fit_finds_a_better_point_than_its_start(result, target):
    assert result.best_value >= result.target(target.centre)
    assert result.draws.scores.shape == (12, 2) and 1 <= result.draws.effective <= 12


def test_the_count_of_the_resected_narrows_the_unresectable_share(result):
    rows = {r["line"]: r for r in summary(result)}
    assert rows["course.PUNRES"]["contraction"] > 0.4
    assert rows["course.PUNRES"]["says"].startswith("identified")
    assert 0.08 < rows["course.PUNRES"]["median"] < 0.25


def test_a_result_is_a_parameter_file_that_reloads_by_its_draws(result, base, tmp_path, fit):
    path = save(result, tmp_path / "small.toml")
    parameters, account = load_result(path)
    assert account["name"] == "small" and len(parameters.draws["occult.N0"]) == 12
    wanted = calibrated(result, base)
    assert parameters["occult.N0"].value == pytest.approx(wanted["occult.N0"].value, rel=1e-6)
    assert parameters["occult.N0"].seen == "fitted" and "95 %" in parameters["occult.N0"].where
    assert parameters["occult.N0"].spread == wanted["occult.N0"].spread
    assert parameters["occult.ALPHA"].effect == base["occult.ALPHA"].effect
    sets = posterior(parameters, 5)
    assert len(sets) == 5 and sets[0]["occult.N0"].value != sets[-1]["occult.N0"].value


@pytest.mark.parametrize(
    "stage, at",
    [
        pytest.param("sampling", 14, id="while designing", marks=pytest.mark.slow),
        pytest.param("sampling", 34, id="while weighing", marks=pytest.mark.slow),
        pytest.param("profiling", 12, id="while profiling"),
    ],
)
def test_an_interrupted_fit_goes_on_from_its_checkpoint(fit, result, monkeypatch, tmp_path, stage, at):
    """Stopped and resumed, it gives the very draws and profiles of an undisturbed run."""
    monkeypatch.setenv("PKPD_CACHE", str(tmp_path))

    def stop(what, done, of):
        if what == stage and done == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_fit(fit, tell=stop)
    assert list(tmp_path.rglob("*.checkpoint"))
    again = run_fit(fit, resume=True)
    assert np.array_equal(again.draws.scores, result.draws.scores)
    assert summary(again) == summary(result) and again.terms == result.terms and again.calls == result.calls
    assert not list(tmp_path.rglob("*.checkpoint"))


def test_prediction_says_inside_or_outside_and_derives_what_was_not_published(base):
    trial = load_trial("eortc_40983")
    found = predict(trial, base, patients=100, fitted=())
    rows = {(r["figure"], r["arm"]): r for r in found["figures"]}
    assert rows["pfs_median", "periop"]["interval_from"] == "derived"
    assert rows["resected", "periop"]["interval_from"] == "exact binomial"
    assert rows["pfs_hr", "periop"]["use"] == "predict" and rows["started_after", "periop"]["inside"] is None
    for r in found["figures"]:
        if r["inside"] is not None:
            low, high = r["predicted_interval"]
            assert r["inside"] == (low <= r["published"] <= (high or np.inf))


def test_a_figure_far_off_is_called_outside(base):
    trial = load_trial("eortc_40983")
    wrong = put_all(load_fit("eortc_40983").free[4:5], base, np.array([0.0])).parameters
    rows = {(r["figure"], r["arm"]): r for r in predict(trial, wrong, patients=150, fitted=())["figures"]}
    assert rows["resected", "surgery"]["inside"] is False


def test_the_chance_of_a_figure_is_that_of_trials_that_have_it_and_none_where_many_are_infinite():
    values = np.tile(np.linspace(-1, 1, 100), (4, 1))
    values[1, :10] = np.nan
    values[2, :4] = -np.inf
    values[3, :6] = -np.inf
    found = _variance(values)
    assert found[:3] == pytest.approx([np.var(values[0]), np.var(values[1, 10:]), np.var(values[2, 4:])])
    assert found[3] == 0
