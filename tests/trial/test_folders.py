"""A trial's answer, and what it is called by, do not hang on the folder that a file lies in."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from pkpd.commands import run
from pkpd.content import library
from pkpd.fit.hashes import hashes
from pkpd.fit.predict import _quantiles
from pkpd.fit.result import fitted, load_result
from pkpd.model.compose import load_model
from pkpd.parameters.sets import load_parameters
from pkpd.trial.disease import daily_model
from pkpd.trial.prepare import prepare
from pkpd.trial.reading import load_trial


def tell(what, done, of):
    pass


@pytest.fixture
def places(tmp_path, monkeypatch):
    """One trial of the user's own, in two folders and seen from one of them."""
    for folder in ("here", "there/deep"):
        (tmp_path / folder).mkdir(parents=True)
        text = (
            library.find("trial", "eortc_40983")
            .read_text(encoding="utf-8")
            .replace('"folfox4"', '"./dosing.toml"')
        )
        (tmp_path / folder / "mine.toml").write_text(text, encoding="utf-8")
    shutil.copy(library.find("regimen", "folfox4"), tmp_path / "here" / "dosing.toml")
    monkeypatch.chdir(tmp_path / "here")
    return "mine.toml", "./mine.toml", str(tmp_path / "here" / "mine.toml"), "../there/deep/mine.toml"


def test_a_trial_gives_the_same_rows_whatever_folder_its_file_lies_in(places):
    told = [run.predict_trial(p, "none", 20, "", tell, 5) for p in places]
    assert all(json.dumps(t) == json.dumps(told[0]) for t in told)
    assert told[0]["trial"] == "mine" and {f["trial"] for f in told[0]["figures"]} == {"mine"}


def test_the_trial_of_a_user_has_the_numbers_of_the_library_s_that_it_copies(places):
    own = run.predict_trial(places[0], "eortc_40983", 20, "", tell, 5)
    known = run.predict_trial("eortc_40983", "eortc_40983", 20, "", tell, 5)
    for a, b in zip(own["figures"], known["figures"], strict=True):
        assert (a["predicted"], a["quantiles"]) == (b["predicted"], b["quantiles"])
    assert {f["use"] for f in own["figures"]} == {"predict", "context"}  # the fit never saw this file


def test_another_seed_is_other_patients_and_the_same_seed_the_same(places):
    first, again, other = (run.predict_trial(places[0], "none", 20, "", tell, seed) for seed in (5, 5, 6))
    assert first == again and first["figures"] != other["figures"] and first["hashes"] == other["hashes"]


def test_patients_of_a_disease_of_one_s_own_do_not_hang_on_its_folder(tmp_path, monkeypatch):
    keys, drawn = [], []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(library.find("model", "systems/crlm"), tmp_path / folder / "disease.toml")
        trial = replace(
            load_trial("eortc_40983"), disease=daily_model(str(tmp_path / folder / "disease.toml"))
        )
        model = trial.disease
        parameters = replace(load_parameters("crlm_resectable", load_model("systems/crlm")), model=model.name)
        people = prepare(trial, trial.arm("surgery"), parameters, 5, seed=1)
        keys.append(people.key)
        drawn.append(people.plan.operation)
    assert keys[0] == keys[1] == ("1", "trial disease", "surgery") and np.array_equal(*drawn)


def test_patients_of_the_library_s_diseases_are_keyed_by_their_full_names():
    trial = load_trial("eortc_40983")
    parameters = trial.parameters
    own = prepare(trial, trial.arm("surgery"), parameters, 3, seed=1)
    short = prepare(replace(trial, disease=daily_model("crlm")), trial.arm("surgery"), parameters, 3, seed=1)
    assert own.key == short.key == ("1", "trial systems/crlm", "surgery")


def test_a_hash_changes_with_content_and_not_with_the_folder(places):
    trials = [load_trial(p) for p in places]
    values = load_parameters("crlm_resectable", load_model("systems/crlm"))
    found = [hashes(t, values, None) for t in trials]
    assert all(h == found[0] for h in found) and found[0]["fit"] is None
    text = library.text_of(library.find("regimen", "folfox4"))
    with open("dosing.toml", "w", encoding="utf-8") as file:
        file.write(text.replace('amount = "85 mg/m^2"', 'amount = "80 mg/m^2"'))
    other = hashes(load_trial(places[0]), values, None)
    assert {k for k in other if other[k] != found[0][k]} == {"trial"}
    line = values.values[0]
    moved = hashes(
        load_trial(places[0]), values.with_value(line.name, replace(line, value=line.value * 1.01)), None
    )
    assert {k for k in moved if moved[k] != other[k]} == {"parameters"}


def test_the_hash_of_a_fit_is_of_its_content(tmp_path):
    trial = load_trial("eortc_40983")
    parameters, _ = load_result("eortc_40983")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(library.find("result", "eortc_40983"), tmp_path / name / "mine.toml")
    a, b, known = (
        hashes(trial, parameters, f)["fit"]
        for f in (str(tmp_path / "a/mine.toml"), str(tmp_path / "b/mine.toml"), "eortc_40983")
    )
    assert a == b == known != hashes(trial, parameters, "eortc_40983_without_medians")["fit"]


@pytest.mark.parametrize("trial", ["my.toml", "./my.toml", "/else/where/my.toml"])
def test_a_fit_s_account_knows_a_trial_of_one_s_own_in_any_folder(trial):
    told = {"trials": ["/once/my.toml", "other"], "figures": ["/once/my.toml/pfs:arm", "other/os:arm"]}
    assert (
        fitted(told, trial) == ("pfs:arm",)
        and fitted(told, "my") == ()
        and fitted(told, "other") == ("os:arm",)
    )


def test_the_quantiles_of_a_figure_are_nested_and_those_of_95_percent_are_its_interval(places):
    for figure in run.predict_trial(places[0], "none", 20, "", tell, 5)["figures"]:
        spans = [[np.inf if x is None else x for x in figure["quantiles"][k]] for k in ("95", "80", "50")]
        assert figure["quantiles"]["95"] == figure["predicted_interval"]
        assert spans[0][0] <= spans[1][0] <= spans[2][0] <= spans[2][1] <= spans[1][1] <= spans[0][1]


def test_quantiles_are_those_of_the_values_and_a_bound_that_is_not_reached_is_none():
    values = np.arange(1.0, 200)  # ranks p (n + 1) of 199 numbers
    found = _quantiles(values)
    assert {k: [pytest.approx(x) for x in v] for k, v in found.items()} == {
        "50": [50, 150],
        "80": [20, 180],
        "95": [5, 195],
    }
    found = _quantiles(np.where(values > 170, np.inf, values))
    assert [v[1] for v in found.values()] == [pytest.approx(150), None, None]
    assert _quantiles(np.array([])) == {"50": [None, None], "80": [None, None], "95": [None, None]}
