"""A simulated trial as a whole: conventions, identities, limits."""

from dataclasses import replace

import numpy as np
import pytest

from pkpd import load_parameters, load_trial, simulate
from pkpd.parameters.parameters import Value
from pkpd.trial.disease import daily_model
from pkpd.trial.drug_effect import Drugs, kill_rates
from pkpd.trial.figures import figure_values, replicates
from pkpd.trial.prepare import prepare
from pkpd.trial.run import run_arm, run_trial

N = 200


@pytest.fixture(scope="module")
def trial():
    return load_trial("eortc_40983")


@pytest.fixture(scope="module")
def parameters(trial):
    return trial.parameters


@pytest.fixture(scope="module")
def readouts(trial, parameters):
    return run_trial(trial, parameters, N, seed=2)


def with_value(parameters, name, value):
    """One line set to a value for every patient, its spread and the correlations with it dropped."""
    fixed = parameters.with_value(name, Value(name, value, parameters[name].unit))
    return replace(
        fixed,
        correlations=tuple(c for c in fixed.correlations if name not in {x.split(":")[0] for x in c.of}),
    )


def test_every_patient_has_a_time_and_no_one_failed(readouts):
    for r in readouts.values():
        assert len(r) == N and not r.failures
        assert np.all(r.pfs_time > 0) and np.all(r.pfs_time <= r.os_time + 1e-9)


def test_death_is_a_pfs_event(readouts):
    for r in readouts.values():
        assert np.all(r.pfs_event[r.os_event])


def test_an_unresected_patient_is_an_event_at_the_operation_by_this_protocol(trial, parameters, readouts):
    r = readouts["surgery"]
    out = ~r.resected
    assert out.any() and np.all(r.pfs_time[out] <= r.operation[out] + 1e-9) and np.all(r.pfs_event[out])


def test_the_convention_on_unresected_patients_moves_the_median(trial, parameters, readouts):
    other = run_arm(
        prepare(replace(trial, unresected="follow"), trial.arm("surgery"), parameters, N, seed=2), parameters
    )
    out = ~other.resected
    assert np.median(other.pfs_time[out]) > np.median(
        readouts["surgery"].pfs_time[~readouts["surgery"].resected]
    )


def test_without_occult_disease_and_with_all_resected_nothing_recurs(trial, parameters):
    clean = with_value(
        with_value(
            with_value(with_value(parameters, "occult.PRESENT", 0.0), "course.PUNRES", 0.0), "course.HBG", 0.0
        ),
        "course.PPOST",
        0.0,
    )
    r = run_arm(prepare(trial, trial.arm("surgery"), clean, N), clean)
    assert r.resected.all() and not r.pfs_event.any()


def test_chemotherapy_that_kills_nothing_leaves_occult_disease_to_itself(trial, parameters):
    """Same patients in both arms, occult kill zero: recurrence after the operation is the surgery arm's,
    later dated.
    """
    inert = with_value(with_value(parameters, "occult.SENS", 0.0), "kill.SENS", 0.0)
    treated, control = (
        run_arm(prepare(trial, trial.arm(a), inert, N, stream="same"), inert) for a in ("periop", "surgery")
    )
    assert np.mean(treated.pfs_event) >= np.mean(control.pfs_event) - 0.03
    assert not np.isin(treated.response, ("CR", "PR")).sum() > 0.05 * N


def test_more_kill_of_occult_disease_means_fewer_recurrences(trial, parameters):
    arm = prepare(trial, trial.arm("periop"), parameters, N)
    low, high = (run_arm(arm, with_value(parameters, "occult.SENS", s)) for s in (0.05, 3.0))
    assert np.mean(high.pfs_event) < np.mean(low.pfs_event) - 0.1


def test_only_resected_patients_start_again_after_the_operation(readouts):
    r = readouts["periop"]
    assert not np.any(r.started_after & ~r.resected)
    assert not readouts["surgery"].started_after.any()


def test_patients_of_one_stream_are_the_same_in_every_arm(trial, parameters):
    a, b = (
        run_arm(prepare(trial, trial.arm(x), parameters, 50, stream="same"), parameters)
        for x in ("periop", "surgery")
    )
    assert np.array_equal(a.lesions, b.lesions, equal_nan=True)


def test_a_patients_course_does_not_depend_on_how_many_there_are(trial, parameters):
    few, many = (run_arm(prepare(trial, trial.arm("periop"), parameters, n), parameters) for n in (40, 90))
    assert np.array_equal(few.pfs_time, many.pfs_time[:40])


def test_the_kill_handed_to_the_disease_is_the_kill_of_the_whole_system(trial):
    """Drugs solved apart, kill averaged between records, against everything in one system: lesions to one
    percent.
    """
    from pkpd import cycles, draw, load_model, load_regimen, lower

    whole, part = load_model("crlm_folfox"), daily_model("systems/crlm")
    people = draw(whole, load_parameters((), whole), 20, seed=4)
    regimen = load_regimen("folfox4")
    starts = cycles(regimen, whole, 6)
    times = np.linspace(0, 150, 16)
    one = simulate(whole, people, lower(regimen, whole, people, starts), times)
    sick = draw(part, load_parameters((), part), 20, seed=4)
    key, link = ("4", "", ""), daily_model("systems/folfox_effect_site_emax")
    given = kill_rates(
        Drugs(link, load_parameters((), link), load_regimen("folfox4")),
        np.repeat(starts, 20, axis=0),
        sick.covariates,
        key,
    )
    two = simulate(part, sick, given.schedule(part), times)
    assert np.allclose(two["lesion.1.volume"][:, -1], one["lesion.1.volume"][:, -1], rtol=1e-2)
    assert np.allclose(two["effect.given"][:, -1], one["effect.given"][:, -1], rtol=1e-3)


def test_a_resampled_trial_is_of_the_trials_own_size(trial, readouts):
    small = replicates(trial, readouts, 30, seed=1)
    assert small["periop"].pfs_time.shape == (30, 182)
    values = figure_values(trial, small)
    assert values.shape == (len(trial.figures), 30) and np.all(np.isfinite(values[:3]))


def test_the_figures_of_one_trial_depend_on_one_another(trial, readouts):
    values = figure_values(trial, replicates(trial, readouts, 400, seed=1))
    keys = [f.key for f in trial.figures]
    r = np.corrcoef(values[keys.index("pfs_hr:periop")], values[keys.index("pfs_3y:periop")])[0, 1]
    assert r < -0.3
