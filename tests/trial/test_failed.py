"""Patients who could not be solved: they have no outcome, count in no figure, and their share is told."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from pkpd import load_trial
from pkpd.commands.run import predict_trial, print_figures
from pkpd.errors import ContentError
from pkpd.fit import predict as predicting
from pkpd.simulation.run import simulate
from pkpd.trial import followed, operated
from pkpd.trial.figures import figure_values, replicates
from pkpd.trial.prepare import prepare
from pkpd.trial.run import run_arm

LOST = [2, 5, 11]
N = 40


def breaking(model, people, *args, **more):
    """The simulation, in which some patients cannot be solved."""
    done = simulate(model, people, *args, **more)
    states = done.states.copy()
    states[LOST, 1:] = np.nan
    return replace(done, states=states, failures=tuple(f"patient {i + 1}: made to fail" for i in LOST))


def arm(name, which):
    trial = load_trial(name)
    own = trial.parameters
    return trial, run_arm(prepare(trial, trial.arm(which), own, N), own)


@pytest.mark.parametrize(
    ("name", "which", "at"), [("pd1_mss_liver", "liver", followed), ("eortc_40983", "periop", operated)]
)
def test_who_fails_counts_in_no_figure(monkeypatch, name, which, at):
    trial, whole = arm(name, which)
    monkeypatch.setattr(at, "simulate", breaking)
    _, broken = arm(name, which)
    assert list(np.flatnonzero(broken.failed)) == LOST and not whole.failed.any() and len(broken) == N
    figures = tuple(f for f in trial.figures if f.arm == which and f.kind != "hazard ratio")
    kept = whole.take(np.setdiff1d(np.arange(N), LOST))
    assert np.array_equal(
        figure_values(trial, {which: broken}, figures),
        figure_values(trial, {which: kept}, figures),
        equal_nan=True,
    )
    assert any(f.endpoint == "control" for f in figures) or name == "eortc_40983"
    one, other = (replicates(trial, {which: r}, 20)[which] for r in (broken, kept))
    assert not one.failed.any() and np.array_equal(one.pfs_time, other.pfs_time)


def test_who_fails_before_a_local_treatment_has_no_outcome_though_what_follows_can_be_solved(monkeypatch):
    def breaking_early(model, people, schedule, times, **more):
        if np.shape(times)[-1] == 2:  # up to the day of the local treatment
            return breaking(model, people, schedule, times, **more)
        done = simulate(model, people, schedule, times, **more)
        return replace(
            done, states=np.where(np.isnan(done.states), done.states[:1], done.states), failures=()
        )

    monkeypatch.setattr(followed, "simulate", breaking_early)
    _, broken = arm("eortc_1560", "local")
    assert list(np.flatnonzero(broken.failed)) == LOST and len(broken.failures) == len(LOST)


def test_an_arm_in_which_all_fail_is_an_error():
    _, whole = arm("pd1_mss_liver", "liver")
    lost = replace(whole, failed=np.ones(N, dtype=bool), failures=("patient 1: stiff",))
    with pytest.raises(
        ContentError,
        match="arm liver: no patient could be solved\n    remedy: mend the values; the first "
        "failure: patient 1: stiff",
    ):
        lost.evaluable()


def test_the_share_that_failed_is_told(monkeypatch, capsys):
    monkeypatch.setattr(followed, "simulate", breaking)
    monkeypatch.setattr(predicting, "PER_DRAW", 2)
    result = predict_trial("pd1_mss_liver", "none", 60, "", lambda *a: None)
    assert result["failed_share"] == pytest.approx(len(LOST) / 60)
    print_figures(result, Console(width=200))
    said = capsys.readouterr().out
    assert "5 % of the simulated patients failed and count in no figure" in said
    assert "failed and left out: liver: patient 3: made to fail" in said
