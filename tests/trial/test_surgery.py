"""What a protocol leaves to chance, against the shares and spans it states; and what an operation leaves."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import binomtest, kstest

from pkpd import load_regimen, load_trial
from pkpd.parameters.draw import uniform
from pkpd.parameters.parameters import Value
from pkpd.trial.arm import Cycles
from pkpd.trial.endpoints import death_times
from pkpd.trial.lesions import measured
from pkpd.trial.prepare import prepare
from pkpd.trial.run import run_arm
from pkpd.trial.surgery import plan, removed

N = 3000
KEY = ("3", "trial", "plans")
RARE = 1e-4  # how unlikely a sample may be before a law is called broken; draws are a function of the key


@cache
def trial():
    return load_trial("eortc_40983")


def planned(**changes):
    """The dates of many patients of the treated arm, or of one like it."""
    arm = replace(trial().arm("periop"), **changes)
    return plan(trial(), arm, load_regimen("folfox4"), N, KEY)


def holds(count, share):
    """Whether so many of all patients are a sample of a share."""
    return binomtest(int(count), N, share).pvalue > RARE


def given(starts):
    """Cycles of each patient."""
    return np.isfinite(starts).sum(axis=1)


# --- what is left to chance ----------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7616, 1.0])
def test_the_share_that_starts_after_the_operation_is_the_one_stated(share):
    found = given(planned(after=Cycles((2, 5), (0.25, 0.75), share)).after)
    assert holds((found > 0).sum(), share) and set(found) <= {0, 2, 5}
    assert share in (0, 1) or np.mean(found[found > 0] == 5) == pytest.approx(0.75, abs=0.05)


def test_the_library_s_patients_start_again_as_often_as_the_trial_says():
    assert holds((given(planned().after) > 0).sum(), trial().arm("periop").after.start)


def test_cycles_before_the_operation_have_the_shares_stated():
    found = given(planned(before=Cycles((1, 4, 6), (0.1, 0.3, 0.6))).before)
    assert all(holds((found == n).sum(), share) for n, share in ((1, 0.1), (4, 0.3), (6, 0.6)))


def test_whether_and_how_often_patients_start_again_depend_on_nothing_else():
    one = planned(before=Cycles((1, 6), (0.5, 0.5)), after=Cycles((2, 5), (0.5, 0.5), 0.5))
    columns = [given(one.before), given(one.after) > 0, one.operation - 14 * given(one.before), one.follow_up]
    r = np.corrcoef(columns) - np.eye(len(columns))
    assert np.abs(r).max() < 4 / np.sqrt(N)


def test_the_operation_is_two_to_five_weeks_after_the_last_dose_and_treatment_resumes_four_to_eight_later():
    """FOLFOX4's second pump, of 22 hours after 2, ends two days after its cycle began."""
    found = planned(after=Cycles((3,), (1.0,), 1.0))
    last = found.before[np.arange(N), given(found.before) - 1] + 2
    assert kstest((found.operation - last - 14) / 21, "uniform").pvalue > RARE
    assert kstest((found.after[:, 0] - found.operation - 28) / 28, "uniform").pvalue > RARE
    assert np.diff(found.after, axis=1) == pytest.approx(np.full((N, 2), 14.0))


def test_patients_are_followed_evenly_between_the_shortest_and_the_longest_time():
    low, high = trial().follow_up
    found = planned().follow_up
    assert low < high and kstest((found - low) / (high - low), "uniform").pvalue > RARE


def test_patients_that_scans_follow_are_followed_evenly_between_the_shortest_and_the_longest_time():
    own = replace(load_trial("pd1_mss_liver"), follow_up=(200.0, 900.0))
    parameters = own.parameters
    found = prepare(own, replace(own.arms[0], regimen=None), parameters, N).plan.follow_up
    assert kstest((found - 200) / 700, "uniform").pvalue > RARE


@pytest.mark.parametrize("name", ["eortc_40983", "pd1_mss_liver"])
def test_who_has_no_event_is_censored_on_the_last_day_of_the_own_follow_up(name):
    own = replace(load_trial(name), follow_up=(200.0, 900.0))
    parameters = own.parameters
    prepared = prepare(own, own.arms[0], parameters, 60)
    found = run_arm(prepared, parameters)
    assert (~found.os_event).any() and found.pfs_event.any()
    for time, event in ((found.pfs_time, found.pfs_event), (found.os_time, found.os_event)):
        assert np.array_equal(time[~event], prepared.plan.follow_up[~event])
        assert np.all(time[event] <= prepared.plan.follow_up[event])


# --- what the operation leaves ------------------------------------------


def only_lesions(**values):
    """The trial's parameters without occult disease, deaths and failed operations; scans see from 11 mm."""
    own = trial().parameters
    fixed = {
        "occult.PRESENT": 0.0,
        "course.PUNRES": 0.0,
        "course.HBG": 0.0,
        "course.PPOST": 0.0,
        "imaging.SCT": 1e-6,
        "imaging.ERR": 0.0,
        "lesion.R0": 0.0,
        **values,
    }
    for name, value in fixed.items():
        own = own.with_value(name, Value(name, value, own[name].unit))
    kept = tuple(c for c in own.correlations if not {x.split(":")[0] for x in c.of} & set(fixed))
    return replace(own, correlations=kept)


@cache
def operated(vanished, sens=1.6):
    """Patients whose lesions shrink before the operation, not treated after it, followed for ten years."""
    own = replace(trial(), vanished=vanished, follow_up=(3600.0, 3600.0))
    arm = replace(trial().arm("periop"), after=None, before=Cycles((6,), (1.0,)))
    parameters = only_lesions(**{"kill.SENS": sens})
    return run_arm(prepare(own, arm, parameters, 100), parameters)


def test_lesions_that_vanished_and_were_left_recur_in_those_who_had_them_and_in_no_one_else():
    found = operated("left")
    left = found.vanished.any(axis=1)
    assert found.resected.all() and left.sum() > 20 and np.array_equal(found.pfs_event, left)
    assert np.all(found.pfs_time[left] > found.operation[left] + 60)


def test_lesions_that_vanished_and_were_resected_with_the_rest_do_not_recur():
    assert operated("resected").vanished.any() and not operated("resected").pfs_event.any()


def test_lesions_that_are_searched_for_recur_less_than_those_left_and_only_among_them():
    searched, left = operated("searched"), operated("left")
    assert not np.any(searched.pfs_event & ~left.pfs_event)
    assert 0 < searched.pfs_event.sum() < left.pfs_event.sum()


def test_an_operation_takes_what_its_convention_says():
    """Lesions of 3, 7 and 20 mm, a scan that sees from 11 mm, a search that finds from 5 mm."""
    diameter, scan, search = (np.tile(x, (2, 1)) for x in ([3.0, 7, 20], [11.0, 11, 11], [5.0, 5, 30]))
    resected = np.array([True, False])
    wanted = {"left": [0, 0, 1], "searched": [0, 1, 1], "resected": [1, 1, 1]}
    for vanished, taken in wanted.items():
        assert removed(diameter, scan, search, resected, vanished).astype(int).tolist() == [taken, [0, 0, 0]]


def test_an_unresected_patient_gets_no_more_cycles():
    """All of them found unresectable, kill strong: the cycles planned after the operation change nothing."""
    own = replace(trial(), unresected="follow")
    parameters = only_lesions(**{"course.PUNRES": 1.0, "kill.SENS": 1.0})
    arm = replace(own.arm("periop"), before=Cycles((2,), (1.0,)), after=Cycles((6,), (1.0,), 1.0))
    arms = (arm, replace(arm, after=None))
    some, none = (run_arm(prepare(own, a, parameters, 60), parameters) for a in arms)
    assert not some.resected.any() and some.pfs_event.any() and not some.started_after.any()
    assert np.array_equal(some.pfs_time, none.pfs_time)


# --- deaths and readings ----------------------------------------------------


def test_an_operation_kills_the_share_stated_evenly_within_ninety_days_and_only_the_resected():
    half, low = np.full(N, 0.5), np.full(N, 1e-12)
    u = {"background": half, "after progression": half, "operation": uniform(("deaths",), N)}
    rates = {"background": low, "after_progression": low, "postoperative_death": np.full(N, 0.2)}
    operation, resected = np.full(N, 100.0), np.arange(N) % 2 == 0
    found = death_times(np.full(N, np.inf), operation, resected, rates, u)
    dead = found < 1e6
    assert not dead[~resected].any() and binomtest(int(dead.sum()), N // 2, 0.2).pvalue > RARE
    assert kstest((found[dead] - 100) / 90, "uniform").pvalue > RARE


def test_deaths_after_progression_and_of_other_causes_come_at_their_rates():
    u = {k: uniform(("deaths", k), N) for k in ("background", "after progression", "operation")}
    rates = {
        "background": np.full(N, 1e-12),
        "after_progression": np.full(N, 0.01),
        "postoperative_death": np.zeros(N),
    }
    after = death_times(np.full(N, 300.0), np.full(N, 90.0), np.ones(N, dtype=bool), rates, u)
    assert kstest(after - 300, "expon", args=(0, 100)).pvalue > RARE
    rates = rates | {"background": np.full(N, 0.002)}
    other = death_times(np.full(N, np.inf), np.full(N, 90.0), np.ones(N, dtype=bool), rates, u)
    assert kstest(other, "expon", args=(0, 500)).pvalue > RARE


def test_every_reading_errs_by_itself():
    """Log-normal, of the size stated, and neither a patient's next scan nor another lesion errs alike."""
    size = np.array([10.0, 20.0])
    found = measured(np.tile(size, (N, 3, 1)), np.full(N, 0.06), ("readings",))
    noise = np.log(found / size).reshape(N, 6)
    assert noise.std(axis=0) == pytest.approx(np.full(6, 0.06), rel=0.06)
    assert np.abs(noise.mean(axis=0)).max() < 4 * 0.06 / np.sqrt(N)
    assert np.abs(np.corrcoef(noise.T) - np.eye(6)).max() < 4 / np.sqrt(N)
