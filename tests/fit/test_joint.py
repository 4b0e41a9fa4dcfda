"""Fits over several trials: exact and joint terms, a made-up problem with a known answer, values that
contexts hold.
"""

from dataclasses import replace

import numpy as np
import pytest
import tomli_w
from scipy.special import expit, logit
from scipy.stats import binom, multinomial, multivariate_normal, norm

from pkpd import load_trial, run_fit
from pkpd.errors import ContentError
from pkpd.fit import terms
from pkpd.fit.free import Free, put_all
from pkpd.fit.likelihood import objective
from pkpd.fit.predict import predict
from pkpd.fit.result import fitted, load_result, points, save
from pkpd.fit.run import summary
from pkpd.fit.terms import Counts, Joint

SD = 0.01  # of the made-up problem in conftest.py, whose shares have a closed form
RESPONDS, CONTROLLED = (3 * np.log(x) / 84 for x in (0.7, 1.2))
AT = {"all": -0.01, "shifted": -0.003}  # the answer that the made-up counts are near


@pytest.fixture(scope="module")
def target(fit, base):
    made = objective(fit)
    return made.settled(made.centre)


def share(threshold, mean):
    """The patients whose growth is at most a threshold."""
    return norm.cdf((threshold - mean) / SD)


# --- the terms --------------------------------------------------------


def test_a_trial_of_counts_one_an_arm_is_exact_and_any_other_is_joint(target):
    one, two = target.terms
    assert isinstance(one, Counts) and isinstance(two, Joint)
    assert [f.key for f in one.figures] == ["response:all", "response:shifted"]


@pytest.mark.parametrize("shares", [(0.4, 0.16), (0.001, 0.999), (1e-6, 0.5)])
def test_the_exact_term_is_the_product_of_binomials(target, shares):
    values = logit(np.array(shares))
    want = binom.logpmf(24, 60, shares[0]) + binom.logpmf(8, 50, shares[1])
    assert target.terms[0].log_likelihood(values) == pytest.approx(want)
    best = binom.logpmf(24, 60, 24 / 60) + binom.logpmf(8, 50, 8 / 50)
    assert target.terms[0].distance(values) == pytest.approx(2 * (best - want))


@pytest.mark.parametrize("shares", [(0.4, 0.9), (0.01, 0.5), (0.5, 0.52)])
def test_responders_among_the_controlled_are_a_multinomial(folder, made_up, shares):
    """Responded, stable and worse are three kinds of one patient; the order in which a file tells them does
    not matter.
    """
    told = [
        {
            "name": e,
            "kind": "count",
            "arm": "all",
            "endpoint": e,
            "value": k,
            "n": 80,
            "use": "fit",
            "seen": "user",
            **({"at": "12 week"} if e == "control" else {}),
        }
        for e, k in (("response", 31), ("control", 76))
    ]
    (folder / "nested.toml").write_text(tomli_w.dumps(made_up([{"name": "all", "n": 80}], told)))
    trial = load_trial("nested.toml")
    want = float(
        multinomial.logpmf([31, 45, 4], 80, [shares[0], max(shares[1] - shares[0], 0), 1 - shares[1]])
    )
    for order in (slice(None), slice(None, None, -1)):
        made = terms.term(trial, trial.figures[order], 1, 100)
        assert isinstance(made, Counts)
        found = made.log_likelihood(logit(np.array([shares, shares])[:, order]))
        assert found == pytest.approx([want, want], rel=1e-6)
        best = float(multinomial.logpmf([31, 45, 4], 80, [31 / 80, 45 / 80, 4 / 80]))
        assert made.distance(logit(np.array(shares)[order])) == pytest.approx(2 * (best - want), rel=1e-6)


def test_where_none_is_controlled_none_need_have_responded(target):
    """Half a patient of 2001 controlled and half responding is no sign that all who are
    controlled respond.
    """
    figures = target.terms[1].figures
    responds, controlled = (replace(f, value=k, n=18) for f, k in zip(figures, (0, 2), strict=True))
    found = terms.term(target.terms[1].trial, (responds, controlled), 1, 100)
    none = logit(np.array([0.5, 0.5]) / 2001)
    assert found.log_likelihood(none) > binom.logpmf(2, 18, 0.5 / 2001) + 2 * np.log(1 / 6) - 1e-6


def test_two_counts_within_one_are_no_multinomial(target):
    one, two = target.terms[1].figures
    again = replace(one, name="again", n=79)
    assert isinstance(terms.term(target.terms[1].trial, (replace(one, n=79), again, two), 1, 100), Joint)


def test_a_share_of_none_or_all_of_the_simulated_patients_is_half_a_patient_off(target, base):
    term = target.terms[0]
    for mean, wanted in ((1.0, 0.5 / 2001), (-1.0, 2000.5 / 2001)):
        found = term.read(replace(target).arms(np.array([mean, mean]))[0])
        assert expit(found) == pytest.approx([wanted, wanted])
        assert np.isfinite(term.log_likelihood(found))


def test_expected_shares_are_those_of_the_closed_form(target):
    at = np.array([AT["all"], AT["shifted"]])
    responds, shifted, again, controlled = target.expected(at)
    assert expit([responds, shifted]) == pytest.approx([share(RESPONDS, m) for m in at], abs=0.03)
    assert [again, controlled] == pytest.approx([share(RESPONDS, at[0]), share(CONTROLLED, at[0])], abs=0.03)


def test_the_joint_term_is_a_normal_with_the_covariance_of_nested_counts(target):
    """Who responds is also controlled: the covariance of the shares is p (1 - q) / n."""
    term = target.settled(np.array([AT["all"], 0.0])).terms[1]
    p, q = share(RESPONDS, AT["all"]), share(CONTROLLED, AT["all"])
    wanted = np.array([[p * (1 - p), p * (1 - q)], [p * (1 - q), q * (1 - q)]]) / 80 * (1 + 80 / 2000)
    assert term.covariance == pytest.approx(wanted, rel=0.3)
    values = np.array([[0.4, 0.95], [0.3, 0.99]])
    want = multivariate_normal.logpdf([31 / 80, 75 / 79] - values, cov=term.covariance)
    assert term.log_likelihood(values) == pytest.approx(want)
    assert term.log_likelihood(np.array([np.nan, 0.95])) == -np.inf


def test_a_count_that_no_simulated_trial_has_is_as_wide_as_its_corrected_share(target):
    """No one responds where every lesion grows; the count keeps a width and does not stop the fit."""
    term = target.settled(np.array([1.0, 0.0])).terms[1]
    p = 0.5 / 2001
    assert term.covariance[0] == pytest.approx([p * (1 - p) / 80, 0])


def test_a_median_that_is_never_reached_is_refused_with_a_remedy(folder, fit, base, made_up):
    figures = [
        {
            "name": "pfs",
            "kind": "median",
            "arm": "all",
            "endpoint": "pfs",
            "value": 4.0,
            "unit": "month",
            "n": 80,
            "use": "fit",
            "seen": "user",
        }
    ]
    (folder / "three.toml").write_text(tomli_w.dumps(made_up([{"name": "all", "n": 80}], figures)))
    made = objective(replace(fit, trials=(load_trial("three.toml"),), free=fit.free[:1]))
    with pytest.raises(
        ContentError, match="three.toml/pfs:all: is the same in every simulated trial"
    ) as caught:
        made.settled(np.array([-0.05]))
    assert "remedy: leave it out of the fit (leave_out)" in str(caught.value)


def test_the_log_likelihood_of_two_trials_is_the_sum_of_each_alone(fit, base, target):
    at = np.array([-0.008, 0.001])
    whole = target.expected(at)
    alone = []
    for k, (one, term, part) in enumerate(zip(fit.trials, target.terms, target.split(whole), strict=True)):
        own = replace(fit, trials=(one,), seed=fit.seed + k)  # each trial has patients of its own
        made = replace(objective(own), terms=(term,))
        assert np.array_equal(made.expected(at), part)
        alone.append(float(made.log_likelihood(made.expected(at))))
    assert float(target.log_likelihood(whole)) == pytest.approx(sum(alone))
    assert target(at) == pytest.approx(sum(alone) + float(target.log_prior(at)))


def test_points_are_weighed_many_at_once_as_one_by_one(target):
    values = np.array([target.expected(np.array(x)) for x in ((-0.01, 0.0), (-0.004, -0.004))])
    assert target.log_likelihood(values) == pytest.approx([float(target.log_likelihood(v)) for v in values])


def test_only_arms_that_a_figure_is_read_from_are_run(fit, base):
    less = objective(replace(fit, leave_out=("one.toml/response:shifted",), free=fit.free[:1]))
    assert [[p.arm.name for p in own] for own in less.patients] == [["all"], ["all"]]


def test_a_value_that_no_patient_has_is_ruled_out_not_an_error(fit, base):
    size = Free("size", "hepatic.D0", "value", "linear", 240.0, 10.0)
    made = objective(replace(fit, free=(size,)))
    assert np.isfinite(made.expected(np.array([240.0]))).all()
    assert np.isnan(made.expected(np.array([270.0]))).all()
    assert made.settled(np.array([100.0]))(np.array([270.0])) == -np.inf
    free = (Free("resistant", "hepatic.R0", "value", "linear", 0.5, 0.1),)
    share = objective(replace(fit, free=free))
    for value in (0.5, 1.0, 1.01, -0.01):  # the lesion's model says that it is a share
        assert np.isfinite(share.expected(np.array([value]))).all() == (0 <= value <= 1), value


# --- a known answer ---------------------------------------------------


@pytest.fixture(scope="module")
def result(fit):
    return run_fit(fit)


def log_likelihood(which, mean):
    """In closed form; the joint term with the covariance of nested counts at the answer."""
    if which == 1:
        return binom.logpmf(8, 50, share(RESPONDS, mean))
    p, q = share(RESPONDS, AT["all"]), share(CONTROLLED, AT["all"])
    covariance = np.array([[p * (1 - p), p * (1 - q)], [p * (1 - q), q * (1 - q)]]) / 80
    gap = np.stack([31 / 80 - share(RESPONDS, mean), 76 / 80 - share(CONTROLLED, mean)], axis=-1)
    return binom.logpmf(24, 60, share(RESPONDS, mean)) + multivariate_normal.logpdf(gap, cov=covariance)


@pytest.mark.parametrize(
    "which, prior", [(0, -0.005), (1, 0.0)], ids=["the disease's own value", "the value of a context"]
)
def test_the_posterior_of_a_made_up_problem_is_that_of_the_closed_form(result, which, prior):
    grid = np.linspace(-0.04, 0.03, 4001)
    logs = log_likelihood(which, grid) + norm.logpdf(grid, prior, 0.01)
    weights = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
    mean = weights @ grid
    sd = np.sqrt(weights @ (grid - mean) ** 2)
    draws = result.draws.scores[:, which]
    assert draws.mean() == pytest.approx(mean, abs=0.5 * sd)
    assert draws.std() == pytest.approx(sd, rel=0.25)
    assert result.draws.effective > 80 and result.draws.error < 0.2


@pytest.mark.parametrize("which", [0, 1])
def test_the_profile_of_each_value_is_its_likelihood_in_closed_form(result, which):
    profile, term = result.profiles[which], log_likelihood(which, result.profiles[which].scores)
    near = profile.drops < 4
    assert near.sum() >= 3 and profile.drops.min() == 0
    assert profile.drops[near] == pytest.approx((term.max() - term)[near], abs=0.9)
    assert profile.drops[[0, -1]].min() > 10 and profile.bounded == (True, True)
    assert profile.says == "identified: the data bound it on both sides"


def test_each_trial_is_told_apart_at_the_best_point(result):
    one, two = result.terms
    assert (one["trial"], one["kind"]) == ("one", "exact counts")
    assert (two["trial"], two["kind"]) == ("two", "joint normal")
    told = one["log_likelihood"] + two["log_likelihood"] + float(result.target.log_prior(result.best))
    assert result.best_value == pytest.approx(told)
    assert 0 <= one["distance_squared"] < 2 and 0 <= two["distance_squared"] < 2


def test_a_value_that_no_figure_depends_on_is_called_not_identified(fit):
    idle = Free("hazard exponent", "hazard.GAMMA", "value", "log", 1.0, 0.3)
    free = (fit.free[0], idle)
    small = replace(
        fit,
        name="idle",
        trials=(load_trial("one.toml"),),
        free=free,
        leave_out=("one.toml/response:shifted",),
        patients=300,
        draws=30,
    )
    row = summary(run_fit(small))[1]
    assert row["says"] == "not identified: the data bound it on neither side (the data say little)"
    assert max(row["profile_drop"]) < 0.3 and abs(row["contraction"]) < 0.3


def test_an_interrupted_joint_fit_goes_on_to_the_same_result(fit, result, monkeypatch, tmp_path):
    monkeypatch.setenv("PKPD_CACHE", str(tmp_path))

    def stop(what, done, of):
        if (what, done) == ("profiling", 7):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_fit(fit, tell=stop)
    again = run_fit(fit, resume=True)
    assert np.array_equal(again.draws.scores, result.draws.scores)
    assert summary(again) == summary(result) and again.terms == result.terms


# --- the result -------------------------------------------------------


@pytest.fixture(scope="module")
def saved(result, folder):
    return save(result, folder / "joint.toml")


def test_a_result_names_its_trials_and_its_figures_by_trial(saved):
    _, told = load_result(saved)
    assert saved.read_text().split("\n")[:2] == ["# Made by `pkpd fit fit`; do not edit.", "format = 1"]
    assert told["trials"] == ["one.toml", "two.toml"] and "trial" not in told
    assert fitted(told, "two.toml") == ("response:all", "control:all") and fitted(told, "three.toml") == ()
    assert [t["kind"] for t in told["terms"]] == ["exact counts", "joint normal"]
    assert all(
        "identified" in row["says"] and len(row["profile_at"]) == len(row["profile_drop"])
        for row in told["free"]
    )


def test_a_result_of_one_trial_made_before_there_could_be_several_reads_as_one_of_several():
    _, told = load_result("eortc_40983")
    assert told["trials"] == ["eortc_40983"] and "resected:periop" in fitted(told, "eortc_40983")
    assert all(f.startswith("eortc_40983/") for f in told["figures"])


def test_draws_of_a_result_set_the_disease_and_its_contexts_together(saved, result):
    parameters, _ = load_result(saved)
    assert parameters["growth.RATE"].value == pytest.approx(np.median(result.draws.scores[:, 0]))
    first = points(parameters, 3)[0]
    assert first.parameters["growth.RATE"].value == pytest.approx(result.draws.scores[0, 0], rel=1e-5)
    assert first.laid == (
        ("shifted.toml", "growth.RATE", "value", pytest.approx(result.draws.scores[0, 1], rel=1e-5)),
    )


def test_a_trial_is_predicted_with_the_calibrated_context(saved, folder):
    """Its own file says a growth of 0, of which 10 % respond; the fit found what 16 % of 50 and the prior
    say.
    """
    trial, (parameters, told) = load_trial("one.toml"), load_result(saved)
    rows = {r["arm"]: r for r in predict(trial, parameters, 400, fitted=fitted(told, "one.toml"))["figures"]}
    assert rows["shifted"]["use"] == "fit" and rows["shifted"]["inside"] and rows["all"]["inside"]
    assert 6 <= rows["shifted"]["predicted"] <= 10
    untouched = predict(trial, replace(parameters, draws={}), 400)["figures"][1]["predicted"]
    assert 3 <= untouched <= 6


def test_tied_lines_take_one_value_and_each_has_its_draws(fit, base):
    tied = Free("detection", "imaging.D50CT", "value", "log", 0.02, 0.5, tie=("imaging.D50MRI",))
    made = put_all((tied,), base, np.log([0.03])).parameters
    assert [made[x].value for x in tied.lines] == pytest.approx([0.03, 0.03])
    assert tied.keys == ("imaging.D50CT", "imaging.D50MRI")
