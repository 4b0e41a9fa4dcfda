"""Survival statistics against lifelines, published numbers, and identities they must satisfy."""

import contextlib
import warnings

import lifelines
import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test
from lifelines.utils import median_survival_times, restricted_mean_survival_time

from pkpd.trial.survival import (
    Estimate,
    curve,
    kaplan_meier,
    landmark,
    log_hazard_ratio,
    log_rank_p,
    median,
    median_interval,
    rmst,
)

SEEDS = (1, 2, 3)

# Remission in weeks under 6-mercaptopurine (21 patients) and placebo (21), with ties:
# Freireich et al, Blood 21:699 (1963), tabulated as dataset gehan of R's MASS.
MERCAPTOPURINE = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
MERCAPTOPURINE_RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


def trial(seed, n=120, tied=True, log_hr=-0.5):
    """Return time, event, treated of a censored trial; tied times are whole months."""
    rng = np.random.default_rng(seed)
    treated = rng.random(n) < 0.5
    death = rng.exponential(500, n) * np.exp(-log_hr * treated)
    censored = rng.uniform(200, 1200, n)
    time = np.minimum(death, censored)
    return (30 * np.ceil(time / 30) if tied else time), death <= censored, treated


def replicates(count=12, n=40):
    return [np.array(rows) for rows in zip(*(trial(seed, n) for seed in range(count)), strict=True)]


def remission():
    time = np.array(MERCAPTOPURINE + PLACEBO, dtype=float)
    event = np.array(MERCAPTOPURINE_RELAPSED + [1] * 21, dtype=bool)
    return time, event, np.arange(42) < 21


@contextlib.contextmanager
def oracle():
    """Keep the warnings lifelines raises about its own code from failing the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fitted(time, event, level=0.95):
    with oracle():
        return lifelines.KaplanMeierFitter(alpha=1 - level).fit(time, event)


def fitted_cox(time, event, treated):
    data = pd.DataFrame({"time": time, "event": event, "treated": treated.astype(float)})
    with oracle():
        options = {"precision": 1e-12, "r_precision": 1e-14}
        cox = lifelines.CoxPHFitter().fit(data, "time", "event", fit_options=options)
    return cox.params_["treated"], cox.standard_errors_["treated"]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_kaplan_meier_agrees_with_lifelines_on_censored_data(seed, tied):
    time, event, _ = trial(seed, tied=tied)
    at = np.sort(np.concatenate([[0.0], np.linspace(1, time.max(), 37), time]))
    expected = fitted(time, event).survival_function_at_times(at)
    np.testing.assert_allclose(kaplan_meier(time, event, at), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("seed", SEEDS)
def test_landmark_interval_agrees_with_lifelines(seed, level):
    time, event, _ = trial(seed)
    oracle_fit = fitted(time, event, level)
    for at in (180.0, 365.0, 730.0):
        found = landmark(time, event, at, level=level)
        bounds = oracle_fit.confidence_interval_.loc[:at].iloc[-1]
        assert found.value == pytest.approx(oracle_fit.predict(at), abs=1e-12)
        assert (found.low, found.high) == pytest.approx(tuple(bounds), abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_median_and_its_interval_agree_with_lifelines(seed):
    time, event, _ = trial(seed, tied=False)
    oracle_fit = fitted(time, event)
    found = median_interval(time, event)
    assert found.value == median(time, event) == oracle_fit.median_survival_time_
    with oracle():
        expected = median_survival_times(oracle_fit.confidence_interval_).to_numpy().ravel()
    assert (found.low, found.high) == tuple(expected)
    assert found.low < found.value < found.high


def as_survfit(time, event):
    """R's rule (survival, survmean's minmin), written out on lifelines' curve."""
    steps = fitted(time, event).survival_function_.iloc[:, 0]
    times, y = steps.index.to_numpy(), steps.to_numpy()
    keep = y < 0.5 + 1.5e-8
    if not keep.any():
        return np.inf
    times, y = times[keep], y[keep]
    flat = abs(y[0] - 0.5) < 1.5e-8 and (y < y[0] - 1e-12).any()
    return (times[0] + times[np.argmax(y < y[0] - 1e-12)]) / 2 if flat else times[0]


@pytest.mark.parametrize("n", [1, 2, 4, 5, 10, 20, 46, 98, 500])
def test_median_of_uncensored_times_is_their_ordinary_median(n):
    """Of 1, 2, 3, 4 it is 2.5; over samples its mean is that of the median, not a step below it."""
    times = np.random.default_rng(n).exponential(100, (200, n))
    np.testing.assert_allclose(
        median(times, np.ones_like(times, dtype=bool)), np.median(times, axis=1), rtol=1e-12
    )
    assert median([1, 2, 3, 4], [1, 1, 1, 1]) == 2.5


@pytest.mark.parametrize("tied", [True, False])
def test_median_of_censored_times_is_that_of_survfit(tied):
    """Small trials, in which survival is often exactly one half: within, in a tie, at the end and never."""
    rng = np.random.default_rng(5)
    time = rng.exponential(100, (400, 8))
    time = 10 * np.ceil(time / 10) if tied else time
    event = rng.random((400, 8)) < 0.7
    expected = [as_survfit(t, e) for t, e in zip(time, event, strict=True)]
    np.testing.assert_allclose(median(time, event), expected, rtol=1e-12)
    earlier = [fitted(t, e).median_survival_time_ for t, e in zip(time, event, strict=True)]
    assert np.isinf(expected).any() and np.mean(np.array(expected) != earlier) > 0.1


def test_median_at_the_end_of_a_curve_that_stays_at_one_half_is_where_it_gets_there():
    assert median([1, 2, 3, 4], [1, 1, 0, 0]) == 2
    assert median([1, 2, 3, 4], [1, 0, 0, 0]) == np.inf
    assert median_interval([1, 2, 3, 4], [1, 1, 1, 1]).value == 2.5


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_log_hazard_ratio_agrees_with_lifelines_efron_fit(seed, tied):
    time, event, treated = trial(seed, tied=tied)
    assert log_hazard_ratio(time, event, treated) == pytest.approx(fitted_cox(time, event, treated), abs=1e-7)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_log_rank_p_agrees_with_lifelines(seed, tied):
    time, event, treated = trial(seed, tied=tied)
    with oracle():
        expected = logrank_test(time[treated], time[~treated], event[treated], event[~treated]).p_value
    assert log_rank_p(time, event, treated) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_rmst_agrees_with_lifelines(seed):
    time, event, _ = trial(seed)
    with oracle():
        expected = restricted_mean_survival_time(fitted(time, event), t=600.0)
    assert rmst(time, event, 600.0) == pytest.approx(expected, rel=1e-9)


def test_remission_trial_gives_its_published_survival_and_medians():
    time, event, treated = remission()
    survival = kaplan_meier(time[treated], event[treated], [5, 6, 7, 10, 13, 16, 22, 23])
    published = [1, 0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    np.testing.assert_allclose(survival, published, atol=6e-4)
    assert median(time[treated], event[treated]) == 23
    assert median(time[~treated], event[~treated]) == 8
    assert median_interval(time[treated], event[treated]) == Estimate(23, 13, np.inf)
    assert median_interval(time[~treated], event[~treated]) == Estimate(8, 4, 11)


def test_remission_trial_gives_its_published_efron_hazard_ratio_and_log_rank():
    log_hr, error = log_hazard_ratio(*remission())
    # R: coxph(Surv(time, cens) ~ treat, gehan) gives 1.5721 (0.4124), survdiff chi-squared 16.79.
    assert (log_hr, error) == pytest.approx((-1.5721, 0.4124), abs=6e-5)
    assert log_rank_p(*remission()) == pytest.approx(4.17e-5, rel=2e-3)


def test_kaplan_meier_without_censoring_is_the_empirical_survival():
    time, _, _ = trial(4)
    at = np.linspace(0, time.max(), 50)
    expected = (time[:, None] > at).mean(axis=0)
    np.testing.assert_allclose(kaplan_meier(time, np.ones_like(time, bool), at), expected, atol=1e-12)


def test_kaplan_meier_steps_down_at_the_event_time_itself():
    assert kaplan_meier([10, 20], [True, True], [np.nextafter(10, 0), 10]).tolist() == [1, 0.5]


def test_a_censoring_tied_with_an_event_still_counts_as_at_risk():
    for event in ([False, True, False], [True, False, False]):
        assert kaplan_meier([10, 10, 30], event, [10]) == pytest.approx([2 / 3])


def test_kaplan_meier_is_held_constant_past_the_last_follow_up():
    assert kaplan_meier([10, 20], [True, False], [20, 1e6]).tolist() == [0.5, 0.5]


def test_replicate_trials_at_once_equal_a_loop_over_them():
    time, event, treated = replicates()
    at = np.array([0.0, 90, 365, 5000])
    together = (
        kaplan_meier(time, event, at),
        median(time, event),
        rmst(time, event, 700.0),
        np.transpose(log_hazard_ratio(time, event, treated)),
    )
    for row in range(len(time)):
        one, seen, arm = time[row], event[row], treated[row]
        alone = (
            kaplan_meier(one, seen, at),
            median(one, seen),
            rmst(one, seen, 700.0),
            log_hazard_ratio(one, seen, arm),
        )
        for many, single in zip(together, alone, strict=True):
            np.testing.assert_allclose(many[row], single, rtol=0, atol=1e-9)


def test_one_assignment_of_arms_serves_every_replicate():
    time, event, _ = replicates()
    treated = np.arange(40) % 2 == 0
    shared = log_hazard_ratio(time, event, treated)
    repeated = log_hazard_ratio(time, event, np.tile(treated, (len(time), 1)))
    np.testing.assert_array_equal(shared, repeated)


@pytest.mark.parametrize("seed", SEEDS)
def test_swapping_the_arms_flips_the_sign_of_the_log_hazard_ratio(seed):
    time, event, treated = trial(seed)
    log_hr, error = log_hazard_ratio(time, event, treated)
    swapped, same_error = log_hazard_ratio(time, event, ~treated)
    assert (swapped, same_error) == pytest.approx((-log_hr, error), abs=1e-12)
    assert log_rank_p(time, event, treated) == pytest.approx(log_rank_p(time, event, ~treated), rel=1e-9)


def test_the_order_of_subjects_does_not_matter():
    time, event, treated = trial(5)
    order = np.random.default_rng(0).permutation(time.size)
    shuffled = log_hazard_ratio(time[order], event[order], treated[order])
    assert shuffled == pytest.approx(log_hazard_ratio(time, event, treated), abs=1e-12)
    assert median_interval(time[order], event[order]) == median_interval(time, event)


@pytest.mark.parametrize("truth", [-6.0, 0.0, 6.0])
def test_log_hazard_ratio_recovers_the_one_simulated_even_when_extreme(truth):
    drawn = [trial(seed, 2000, tied=False, log_hr=truth) for seed in SEEDS]
    found, error = log_hazard_ratio(*(np.array(rows) for rows in zip(*drawn, strict=True)))
    assert (np.abs(found - truth) < 4 * error).all()


def test_log_hazard_ratio_is_infinite_where_only_one_arm_has_events():
    time, treated = np.array([10.0, 20, 30, 40]), np.array([True, False, True, False])
    for event, expected in ((~treated, -np.inf), (treated, np.inf)):
        assert log_hazard_ratio(time, event, treated) == pytest.approx((expected, np.nan), nan_ok=True)


def test_log_hazard_ratio_is_nan_without_events_or_without_a_second_arm():
    time, some = np.array([10.0, 20, 30]), np.array([True, False, True])
    for event, treated in ((some & False, some), (some, some & False), (some, some | True)):
        assert np.isnan(log_hazard_ratio(time, event, treated)).all()
        assert np.isnan(log_rank_p(time, event, treated))


def test_an_unestimable_replicate_does_not_disturb_the_others():
    time, event, treated = trial(6, n=40)
    events = np.array([event, event & ~treated, event & False])
    log_hr, error = log_hazard_ratio(np.tile(time, (3, 1)), events, treated)
    assert (log_hr[0], error[0]) == pytest.approx(log_hazard_ratio(time, event, treated), abs=1e-12)
    assert log_hr[1] == -np.inf
    assert np.isnan([log_hr[2], *error[1:]]).all()


def test_an_all_censored_trial_has_survival_one_and_an_infinite_median():
    time, event = np.array([[10.0, 20, 30]]), np.zeros((1, 3), bool)
    assert median(time, event).tolist() == [np.inf]
    assert median_interval(time[0], event[0]) == Estimate(np.inf, np.inf, np.inf)
    assert landmark(time[0], event[0], 25) == Estimate(1, 1, 1)
    assert rmst(time[0], event[0], 25) == pytest.approx(25)


def test_the_median_is_the_middle_of_the_time_at_which_survival_is_exactly_one_half():
    for n in range(2, 60, 2):
        assert median(np.arange(1.0, n + 1), np.ones(n, bool)) == (n + 1) / 2


def test_a_landmark_interval_is_nan_once_survival_is_zero_and_one_before_the_first_event():
    time, event = [10, 20, 30], [True, True, True]
    assert landmark(time, event, 5) == Estimate(1, 1, 1)
    gone = landmark(time, event, 30)
    assert gone.value == 0
    assert np.isnan([gone.low, gone.high]).all()


def test_rmst_without_censoring_is_the_mean_of_the_times_cut_at_the_horizon():
    time, _, _ = trial(7)
    found = rmst(time, np.ones_like(time, bool), 400.0)
    assert found == pytest.approx(np.minimum(time, 400).mean(), rel=1e-12)


def test_a_curve_starts_at_one_and_passes_through_kaplan_meier():
    time, event, _ = trial(8)
    times, survival = curve(time, event)
    assert (times[0], survival[0], times[-1]) == (0, 1, time.max())
    assert (np.diff(times) > 0).all()
    np.testing.assert_allclose(survival, kaplan_meier(time, event, times), atol=1e-12)


def test_a_curve_with_a_death_at_time_zero_still_starts_at_one():
    times, survival = curve([0, 10], [True, False])
    assert (times.tolist(), survival.tolist()) == ([0, 0, 10], [1, 0.5, 0.5])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: median([-1, 2], [True, True]), "non-negative"),
        (lambda: median([np.nan, 2], [True, True]), "finite"),
        (lambda: median([np.inf, 2], [False, True]), "censor"),
        (lambda: median([1, 2, 3], [True, True]), "event has shape"),
        (lambda: median([], []), "n > 0"),
        (lambda: median([1, 2], [1, 2]), "event must hold only"),
        (lambda: median([1, 2], [1, np.nan]), "event must hold only"),
        (lambda: landmark([[1, 2]], [[True, True]], 1), r"shape \(n,\)"),
        (lambda: landmark([1, 2], [True, True], np.nan), "at must be one"),
        (lambda: landmark([1, 2], [True, True], 1, level=95), "level must be between"),
        (lambda: kaplan_meier([1, 2], [True, True], [np.nan]), "without nan"),
        (lambda: kaplan_meier([1, 2], [True, True], 1), "1-d"),
        (lambda: rmst([1, 2], [True, True], 0), "until must be"),
        (lambda: log_hazard_ratio([1, 2], [True, True], [True]), "treated has shape"),
    ],
)
def test_bad_input_is_refused_with_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()
