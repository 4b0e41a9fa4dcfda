"""Studies: sweeps, adherence, what is read, what is told apart."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from pkpd import load_study, load_trial, run_study
from pkpd.content.library import read
from pkpd.errors import ContentError
from pkpd.study import run
from pkpd.study.neoadjuvant import FIGURES, arm, metrics, planned
from pkpd.study.reading import read_study
from pkpd.trial.readout import Readout


@pytest.fixture
def data():
    return copy.deepcopy(read("study", "neoadjuvant_cycles").data)


def message(data):
    with pytest.raises(ContentError) as caught:
        read_study(data, "mine", "mine.toml")
    return str(caught.value)


def test_the_study_sweeps_0_to_12_cycles_twice():
    study = load_study("neoadjuvant_cycles")
    total, after = study.sweeps
    assert total.before == after.before == tuple(range(13))
    assert [total.after_for(b) for b in (0, 6, 12)] == [12, 6, 0]
    assert {after.after_for(b) for b in after.before} == {6}


def test_a_sweep_with_both_after_and_total_is_refused(data):
    data["sweeps"][0]["after"] = 3
    assert "mine.toml: sweeps[1]: needs either after or total" in message(data)


def test_more_cycles_before_than_in_all_are_refused(data):
    data["sweeps"][0]["total"] = 4
    assert "sweeps[1].before: 12 cycles before are more than 4 in all" in message(data)


def test_an_unknown_kind_of_study_is_refused(data):
    data["study"]["kind"] = "neoadjuvent"
    assert "study.kind: 'neoadjuvent' is not a kind of study" in message(data)


def test_cycles_received_follow_the_share_that_leaves():
    six = planned(6, 0.0365)
    assert sum(six.weights) == pytest.approx(1) and six.weights[-1] == pytest.approx(0.9635**5)
    assert planned(0, 0.1) is None and planned(3, 0.0).weights == (0.0, 0.0, 1.0)


def test_without_cycles_before_the_operation_is_dated_as_in_the_control_arm():
    study, trial = load_study("neoadjuvant_cycles"), load_trial("eortc_40983")
    assert arm(study, trial, 0, 6).operation == trial.arm("surgery").operation
    assert arm(study, trial, 4, 6).operation == trial.arm("periop").operation


@pytest.fixture(scope="module")
def result():
    study = load_study("neoadjuvant_cycles")
    sweeps = tuple(replace(s, before=(0, 6)) for s in study.sweeps)
    return run_study(replace(study, patients=60, draws=4, draws_other_links=3, sweeps=sweeps))


def test_every_figure_of_every_arm_is_there_under_each_link(result):
    keys = {(r["sweep"], r["before"], r["link"], r["figure"]) for r in result.rows}
    assert len(keys) == len(result.rows) == 2 * 2 * 3 * len(FIGURES)


def test_the_reference_arm_differs_from_itself_by_nothing(result):
    for r in result.rows:
        if r["before"] == 6 and r["difference"]["value"] is not None:
            assert [r["difference"][k] for k in ("value", "low", "high")] == [0.0, 0.0, 0.0]


def test_six_cycles_before_delay_the_operation_by_about_ten_weeks(result):
    rows = {
        (r["before"], r["link"]): r["value"]
        for r in result.rows
        if r["figure"] == "time_to_surgery" and r["sweep"] == "six_after"
    }
    for link in {link for _, link in rows}:
        assert 50 < rows[6, link] - rows[0, link] < 90


def test_no_lesion_vanishes_without_chemotherapy(result):
    assert all(r["value"] == 0 for r in result.rows if r["before"] == 0 and r["figure"] == "vanished_all")


def test_a_share_of_no_lesions_is_undefined_and_not_none():
    """No small lesion, or no lesion at all: there is no share of them that vanished."""
    nobody = np.zeros((3, 2), dtype=bool)
    arm_ = Readout(
        arm="periop",
        pfs_time=np.array([100.0, 200, 300]),
        pfs_event=np.ones(3, bool),
        pfs_usual_time=np.array([100.0, 200, 300]),
        pfs_usual_event=np.ones(3, bool),
        os_time=np.full(3, 400.0),
        os_event=np.zeros(3, bool),
        resected=np.ones(3, bool),
        started_after=np.ones(3, bool),
        response=np.array(["SD"] * 3),
        shrinkage=np.zeros(3),
        operation=np.full(3, 90.0),
        lesions=np.array([[40.0, np.nan]] * 3),
        vanished=nobody,
        largest=np.full(3, 40.0),
    )
    found = metrics(arm_, (10.0, 15.0))
    assert found["vanished_all"] == 0 and np.isnan(found["vanished_small"])
    assert np.isnan(metrics(replace(arm_, lesions=np.full((3, 2), np.nan)), (10.0, 15.0))["vanished_all"])
    assert found["pfs_median"] == pytest.approx(200 / (365.25 / 12))


def test_patients_who_fail_are_named(monkeypatch):
    """A study without a word of a failure has none."""
    study = load_study("neoadjuvant_cycles")
    tiny = replace(
        study,
        patients=4,
        repeats=1,
        draws=2,
        draws_other_links=1,
        sweeps=(replace(study.sweeps[0], before=(6,)),),
    )
    whole = run.operate
    told = "patient 2, day 3: the steps became too small"
    monkeypatch.setattr(run, "operate", lambda *a: replace(whole(*a), failures=(told,)))
    monkeypatch.setenv("PKPD_THREADS", "1")
    assert f"6 + 6, auc_linear, draw 1, {told}" in run_study(tiny).failures


def test_intervals_hold_their_values(result):
    for r in result.rows:
        if r["value"] is not None and r["high"] is not None:
            assert r["low"] - 1e-9 <= r["value"] <= r["high"] + 1e-9


def test_a_study_is_the_same_every_time(result):
    again = run_study(result.study)
    assert [r["value"] for r in again.rows] == [r["value"] for r in result.rows]
    assert np.isfinite([r["value"] for r in again.rows if r["figure"] == "pfs_3y"]).all()
