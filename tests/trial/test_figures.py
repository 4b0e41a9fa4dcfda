"""Figures of some patients, and medians of changes, against numpy on made-up readouts."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from pkpd import load_trial
from pkpd.content import library
from pkpd.errors import ContentError
from pkpd.fit.page import figure_text, span_text
from pkpd.fit.predict import _published_interval
from pkpd.fit.terms import scaled
from pkpd.trial.figures import figure_values, replicates
from pkpd.trial.published import Figure
from pkpd.trial.reading import read_trial
from pkpd.trial.readout import Readout

TRIAL = load_trial("eortc_40983")
N = 500


def readout(n=N):
    """An arm whose patients have sizes, responses and changes by chance; some have no target."""
    rng = np.random.default_rng(5)
    change = rng.normal(-0.2, 0.3, n)
    change[rng.random(n) < 0.1] = np.nan
    none, ones = np.zeros(n, dtype=bool), np.ones(n)
    return Readout(
        arm="periop",
        pfs_time=ones,
        pfs_event=none,
        pfs_usual_time=ones,
        pfs_usual_event=none,
        os_time=ones,
        os_event=none,
        resected=none,
        started_after=none,
        response=np.where(change < -0.3, "PR", "SD"),
        shrinkage=change,
        operation=ones,
        lesions=ones[:, None],
        vanished=none[:, None],
        largest=rng.uniform(5, 60, n),
    )


def figure(kind, endpoint, largest=0.0, n=159):
    return Figure(
        name="own",
        kind=kind,
        arm="periop",
        endpoint=endpoint,
        value=None,
        unit="1",
        n=n,
        use="predict",
        largest=largest,
    )


@pytest.mark.parametrize("largest", [0.0, 20.0])
def test_a_change_is_the_median_of_those_who_have_one(largest):
    arm = readout()
    found = figure_values(TRIAL, {"periop": arm}, (figure("change", "shrinkage", largest),))[0]
    assert found == pytest.approx(np.nanmedian(arm.shrinkage[arm.largest >= largest]))


def test_a_count_of_some_patients_is_their_share_of_n():
    arm = readout()
    found = figure_values(TRIAL, {"periop": arm}, (figure("count", "response", 20.0),))[0]
    assert found == pytest.approx(159 * np.mean(arm.response[arm.largest >= 20] == "PR"))


def test_of_trials_each_has_its_own_share_and_median():
    small = replicates(TRIAL, {"periop": readout()}, 30, seed=2)
    asked = (figure("change", "shrinkage", 20.0), figure("count", "response", 20.0))
    change, count = figure_values(TRIAL, small, asked)
    for i in range(30):
        who = small["periop"].largest[i] >= 20
        assert change[i] == pytest.approx(np.nanmedian(small["periop"].shrinkage[i][who]))
        assert count[i] == pytest.approx(159 * np.mean(small["periop"].response[i][who] == "PR"))


def test_where_nobody_counts_the_figure_is_missing():
    asked = (figure("change", "shrinkage", 299.0), figure("count", "response", 299.0))
    assert np.isnan(figure_values(TRIAL, {"periop": readout()}, asked)).all()


def test_an_interval_of_a_change_is_derived_on_its_own_scale():
    own = replace(figure("change", "shrinkage"), value=-0.25)
    assert np.allclose(scaled(TRIAL, (own,), np.array([-0.25])), -0.25)
    interval, seen = _published_interval(own, np.array([-0.3, -0.2]), 0.02)
    assert interval == pytest.approx((-0.25 - 1.96 * 0.02, -0.25 + 1.96 * 0.02)) and seen == "derived"
    assert (
        figure_text("change", -0.256) == "-25.6 %"
        and span_text("change", [-0.3, 0.1]) == "(-30.0 % to +10.0 %)"
    )


def test_the_library_s_values_predict_the_responses_that_no_figure_made():
    """67 of 159 and -25.6 %: of a large simulated arm within three standard errors of the published ones."""
    from pkpd.trial.prepare import prepare
    from pkpd.trial.run import run_arm

    arm = run_arm(prepare(TRIAL, TRIAL.arm("periop"), TRIAL.parameters, 2000), TRIAL.parameters)
    found = {
        f.key: figure_values(TRIAL, {"periop": arm}, (f,))[0]
        for f in TRIAL.figures
        if f.key in ("response:periop", "shrinkage:periop")
    }
    assert found["response:periop"] == pytest.approx(67, abs=3 * np.sqrt(67 * (1 - 67 / 159)))
    assert found["shrinkage:periop"] == pytest.approx(-0.256, abs=0.06)


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("eortc_40983", {"kind": "change", "endpoint": "pfs"}, "'pfs' does not suit a change"),
        ("eortc_40983", {"kind": "count", "endpoint": "shrinkage"}, "'shrinkage' does not suit a count"),
        ("eortc_40983", {"value": -25.6}, "-25.6 is no change of a sum\n    remedy: write -25.6 % as -0.256"),
        ("eortc_40983", {"largest": "20"}, "figures[15].largest: '20' has no unit"),
        ("eortc_40983", {"largest": "3 m"}, "'3 m' is not the size of a lesion"),
        (
            "eortc_40983",
            {"kind": "landmark", "endpoint": "pfs", "at": "1 year", "value": 0.5},
            "figures[15].largest: is said of counts and changes around an operation only",
        ),
        (
            "keynote_016",
            {"largest": "20 mm"},
            "largest: is said of counts and changes around an operation only",
        ),
        (
            "keynote_016",
            {"kind": "change", "endpoint": "shrinkage", "value": -0.2},
            "endpoint: 'shrinkage' is not",
        ),
    ],
)
def test_what_is_no_change_is_refused(name, line, said):
    data = copy.deepcopy(library.read("trial", name).data)
    data["figures"][-1] |= line
    with pytest.raises(ContentError) as caught:
        read_trial(data, "mine", "mine.toml")
    assert said in str(caught.value)


def test_the_depth_of_response_is_read_of_patients_who_are_followed():
    data = copy.deepcopy(library.read("trial", "keynote_016").data)
    arm = data["arms"][0]["name"]
    own = {"name": "depth", "kind": "change", "endpoint": "depth", "arm": arm, "value": -0.3, "n": 10}
    data["figures"] = [own | {"use": "predict", "where": "made up", "seen": "assumed"}]
    trial = read_trial(data, "mine", "mine.toml")
    from pkpd import run_trial

    found = run_trial(trial, trial.parameters, patients=40)
    value = figure_values(trial, found)[0]
    assert value == pytest.approx(np.nanmedian(found[arm].change)) and -1 <= value <= 1
