"""Names of a trial are resolved where its file is read: nothing is loaded twice on the way to a row."""

from pkpd import load_trial, run_trial
from pkpd.content import library
from pkpd.fit.reading import load_fit


def loads(monkeypatch):
    """The names that are loaded from here on, in order."""
    seen, load = [], library.load
    monkeypatch.setattr(
        library, "load", lambda kind, name, make: seen.append((kind, str(name))) or load(kind, name, make)
    )
    return seen


def test_a_trial_loads_each_name_once_and_its_run_loads_none(monkeypatch):
    seen = loads(monkeypatch)
    trial = load_trial("eortc_40983")
    assert ("trial", "eortc_40983") in seen and ("regimen", "folfox4") in seen
    assert len(seen) == len({*seen}), seen
    before = len(seen)
    run_trial(trial, trial.parameters, patients=2, link="auc_linear")
    assert seen[before:] == []


def test_a_fit_loads_each_trial_once(monkeypatch):
    seen = loads(monkeypatch)
    fit = load_fit("eortc_40983")
    assert [n for kind, n in seen if kind == "trial"] == [t.name for t in fit.trials]
