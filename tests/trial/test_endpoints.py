"""Scans, response criteria, recurrence and death."""

import numpy as np
import pytest

from pkpd.trial.endpoints import censored, death_times, first_time, visit_grid
from pkpd.trial.lesions import measured, thresholds
from pkpd.trial.response import CRITERIA, Scans, best_response, progressed, target_sum, worsening
from pkpd.trial.surgery import removed

R10, R11 = CRITERIA["RECIST 1.0"], CRITERIA["RECIST 1.1"]


def test_a_lesion_seen_at_baseline_stays_seen_while_it_is_stable():
    d50, width, size = np.full(5000, 11.0), np.full(5000, 2.0), np.full((5000, 1), 9.0)
    assert np.all(thresholds(d50, width, size, True, ("a",)) <= 9.0)


def test_a_focus_that_staging_missed_is_not_seen_at_its_baseline_size():
    d50, width, size = np.full(5000, 11.0), np.full(5000, 2.0), np.full((5000, 1), 9.0)
    assert np.all(thresholds(d50, width, size, False, ("a",)) >= 9.0)


def test_thresholds_of_seen_and_missed_together_are_the_detection_curve():
    d50, width, size = np.full(40000, 11.0), np.full(40000, 2.0), np.full((40000, 1), 10.0)
    share = 1 / (1 + np.exp(0.5))
    seen, missed = (thresholds(d50, width, size, s, ("b",))[:, 0] for s in (True, False))
    for at in (6.0, 9.0, 12.0, 15.0):
        whole = share * np.mean(seen <= at) + (1 - share) * np.mean(missed <= at)
        assert whole == pytest.approx(1 / (1 + np.exp(-(at - 11) / 2)), abs=0.012)


def test_measurement_error_is_on_the_log_scale_and_keyed():
    d = np.full((4000, 2, 1), 20.0)
    noisy = measured(d, np.full(4000, 0.06), ("c",))
    assert np.std(np.log(noisy)) == pytest.approx(0.06, rel=0.05)
    assert np.array_equal(noisy[:10], measured(d[:10], np.full(10, 0.06), ("c",)))


def test_progression_is_against_the_nadir_and_not_the_baseline():
    total = np.array([[100.0, 60.0, 71.0], [100.0, 60.0, 73.0]])
    assert progressed(total, R10).tolist() == [[False, False, False], [False, False, True]]


def test_recist_1_1_asks_for_five_millimetres_too():
    total = np.array([[15.0, 10.0, 13.0]])
    assert progressed(total, R10)[0, 2] and not progressed(total, R11)[0, 2]


def test_recist_1_1_counts_two_targets_of_an_organ_and_1_0_five():
    size = np.array([[40.0, 30.0, 20.0, 8.0]])
    assert target_sum(size[:, None, :], size, R11)[0, 0] == 70
    assert target_sum(size[:, None, :], size, R10)[0, 0] == 90


def best(total, visible, worse, criteria):
    """Best responses of patients all of whose scans were made, four weeks apart."""
    days = 28.0 * np.arange(total.shape[1])
    whole = np.ones(total.shape, dtype=bool)
    scans = Scans(planned=days, due=days + 0 * total, total=total, visible=visible, new=~whole, made=whole)
    return best_response(scans, worse, criteria)[0].tolist()


def test_best_response_is_that_before_progression():
    total = np.array([[100, 69, 90.0], [100, 71, 72.0], [100, 125, 60.0], [100, 50, 0.0]])
    visible = np.array([[2, 2, 2], [2, 2, 2], [2, 2, 2], [2, 1, 0]])
    assert best(total, visible, progressed(total, R10), R10) == ["PR", "SD", "PD", "CR"]


def test_a_new_lesion_ends_the_response():
    total, visible = np.array([[100, 60.0, 20.0]]), np.full((1, 3), 2)
    assert best(total, visible, np.array([[False, True, False]]), R10) == ["PD"]


def test_a_patient_without_targets_is_not_evaluable():
    assert best(np.zeros((1, 2)), np.ones((1, 2)), np.zeros((1, 2), bool), R10) == ["NE"]


def test_vanished_lesions_are_left_searched_for_or_resected_as_the_protocol_says():
    diameter, scan, search = np.array([[20.0, 6.0, 2.0]]), np.full((1, 3), 8.0), np.full((1, 3), 4.0)
    taken = {
        v: removed(diameter, scan, search, np.array([True]), v).tolist()[0]
        for v in ("left", "searched", "resected")
    }
    assert taken == {
        "left": [True, False, False],
        "searched": [True, True, False],
        "resected": [True, True, True],
    }
    assert not removed(diameter, scan, search, np.array([False]), "resected").any()


def test_the_first_visit_with_an_event_is_its_time():
    when = np.array([[10.0, 20.0], [10.0, 20.0]])
    assert first_time(when, np.array([[False, True], [False, False]])).tolist() == [20.0, np.inf]


def test_visits_follow_their_plan_to_the_longest_follow_up():
    assert visit_grid(((90, 360), (180, 1000)), 800).tolist() == [90, 180, 270, 360, 540, 720]


def test_an_event_after_the_cut_is_censored_at_the_cut():
    time, event = censored(np.array([100.0, 500.0]), np.array([300.0, 300.0]))
    assert time.tolist() == [100.0, 300.0] and event.tolist() == [True, False]


def test_death_has_no_cause_but_those_of_the_model():
    n = 20000
    rates = {
        "background": np.full(n, 1e-3),
        "after_progression": np.full(n, 1e-2),
        "postoperative_death": np.zeros(n),
    }
    u = {
        k: np.random.default_rng(i).random(n)
        for i, k in enumerate(("background", "after progression", "operation"))
    }
    never = death_times(np.full(n, np.inf), np.zeros(n), np.ones(n, bool), rates, u)
    assert np.mean(never) == pytest.approx(1000, rel=0.03)
    early = death_times(np.zeros(n), np.zeros(n), np.ones(n, bool), rates, u)
    assert np.mean(early) == pytest.approx(1 / 1.1e-2, rel=0.03)


def test_nothing_has_worsened_at_the_baseline():
    days, whole = np.array([0.0, 28.0]), np.ones((1, 2), dtype=bool)
    scans = Scans(
        planned=days, due=days[None], total=np.array([[50.0, 50.0]]), visible=whole + 0, new=whole, made=whole
    )
    assert worsening(scans, R11).tolist() == [[False, True]]
