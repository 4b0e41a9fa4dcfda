"""A set binds to the model that it names, to one that is like it, or to parts of a system; to any other it is
refused.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import tomli_w

from pkpd.commands import cli
from pkpd.content import library
from pkpd.errors import ContentError
from pkpd.fit.free import point
from pkpd.machine import inputs
from pkpd.model.compose import load_model, parse_model
from pkpd.parameters.bind import bind, line_for
from pkpd.parameters.defaults import default_for
from pkpd.parameters.draw import draw
from pkpd.parameters.merge import merge
from pkpd.parameters.parameters import Parameters, Value
from pkpd.parameters.reading import read_parameters
from pkpd.parameters.sets import load_context, load_parameters

MODEL = """[model]
title = "One compartment"
time = "hour"
[parameters]
CL = { unit = "L/hour" }
V = { unit = "L" }
[compartments]
central = { unit = "mg", dose = true }
[flows]
elimination = { from = "central", rate = "CL / V * central" }
"""
LINES = '[values]\nCL = { value = 2, unit = "L/hour" }\nV = { value = 20, unit = "L" }\n'
DRUGS = [n for n in library.names("model") if n.startswith("drugs/")]
HEADS = {
    n: library.read("parameters", n).data["parameters"]
    for n in library.names("parameters")
    if "parameters" in library.read("parameters", n).data
}


def likes(model: str) -> list[str]:
    """The models that a model's files say it is like, read without the library's own reader of it."""
    found = [model]
    while (like := library.read("model", found[-1]).data["model"].get("like")) is not None:
        found.append(like)
    return found


def issues(do) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        do()
    return [(i.where, i.what, i.remedy) for i in caught.value.issues]


@pytest.fixture
def pkpd(monkeypatch, capsys):
    """Runs a command in this process: its exit code and all that it says."""

    def run(*args: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["pkpd", *args])
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def accepted(name: str, model) -> bool:
    try:
        load_parameters(name, model, host=None)
    except ContentError:
        return False
    return True


def write(folder, name: str, head: str, rest: str = LINES) -> str:
    (folder / name).write_text(f"[parameters]\n{head}\n{rest}")
    return str(folder / name)


def test_a_drug_takes_the_sets_that_name_it_or_a_model_that_it_is_like_and_no_other():
    models = {n: load_model(n) for n in DRUGS}
    sets = [n for n, h in HEADS.items() if str(h.get("model", "")).startswith("drugs/")]
    pairs = [(m, s) for m in DRUGS for s in sets]
    wrong = [(m, s) for m, s in pairs if HEADS[s]["model"] not in likes(m) and accepted(s, models[m])]
    assert len(pairs) > 800 and not wrong
    assert [(m, s) for m, s in pairs if HEADS[s]["model"] == m and not accepted(s, models[m])] == []


def test_the_set_of_another_antibody_is_refused_and_the_remedy_says_how_to_take_it_as_a_surrogate():
    found = issues(lambda: load_parameters("cetuximab_azzopardi_2011", load_model("panitumumab")))
    assert found == [
        (
            "parameters/cetuximab_azzopardi_2011: parameters.model",
            "the set is of drugs/cetuximab, not of drugs/panitumumab",
            "name a set of drugs/panitumumab; to take the values of another as a surrogate, say so in a set "
            "of its "
            'own: model = "drugs/panitumumab", surrogate = "drugs/cetuximab", include = '
            '["cetuximab_azzopardi_2011"]',
        )
    ]


def test_the_command_line_refuses_it_too(tmp_path, pkpd):
    code, said = pkpd(
        "simulate",
        "panitumumab",
        "--parameters",
        "cetuximab_azzopardi_2011",
        "--regimen",
        "panitumumab_6_q2w",
        "--cycles",
        "3",
        "--out",
        str(tmp_path / "x.csv"),
    )
    assert code == 2 and "the set is of drugs/cetuximab, not of drugs/panitumumab" in said
    assert not (tmp_path / "x.csv").exists()


def test_a_bound_set_of_another_drug_draws_no_patients():
    other = load_parameters("cetuximab_azzopardi_2011", load_model("cetuximab"))
    assert issues(lambda: draw(load_model("panitumumab"), other, 2))[0][1] == (
        "the set is of drugs/cetuximab, not of drugs/panitumumab"
    )


def test_an_explicit_surrogate_is_taken_and_said(tmp_path, pkpd):
    head = (
        'model = "drugs/panitumumab"\nsurrogate = "drugs/cetuximab"\ninclude = ["cetuximab_azzopardi_2011"]'
    )
    mine = write(tmp_path, "mine.toml", head, "")
    own = load_parameters(mine, load_model("panitumumab"))
    other = load_parameters("cetuximab_azzopardi_2011", load_model("cetuximab"))
    assert own.values == other.values and (own.model, own.surrogate) == (
        "drugs/panitumumab",
        "drugs/cetuximab",
    )
    said = " ".join(pkpd("show", mine)[1].split())
    assert "for drugs/panitumumab; a surrogate: values of drugs/cetuximab" in said
    assert json.loads(pkpd("show", mine, "--json")[1])["surrogate"] == "drugs/cetuximab"
    out = str(tmp_path / "run.csv")
    told = pkpd(
        "simulate", "panitumumab", "--parameters", mine, "--patients", "1", "--until", "2 day", "--out", out
    )[1]
    assert "is a surrogate: its values are those of drugs/cetuximab" in " ".join(told.split())
    assert "nothing is given: no --regimen and no --data" in told


def test_a_set_that_includes_another_models_without_saying_so_is_refused(tmp_path):
    mine = write(
        tmp_path, "mine.toml", 'model = "drugs/panitumumab"\ninclude = ["cetuximab_azzopardi_2011"]', ""
    )
    for model in (None, load_model("panitumumab")):
        assert issues(lambda m=model: load_parameters(mine, m)) == [
            (
                f"{mine}: parameters.include",
                "cetuximab_azzopardi_2011 is of drugs/cetuximab, not of drugs/panitumumab",
                "include sets of this model; to take their values as a surrogate, say surrogate = "
                '"drugs/cetuximab"',
            )
        ]


@pytest.mark.parametrize(
    ("named", "what"),
    [
        ("drugs/cetuximabb", "'drugs/cetuximabb' names no model: no entry of the library, no file"),
        ("drugs/panitumumab", "'drugs/panitumumab' is the set's own model"),
    ],
)
def test_a_surrogate_is_another_model_that_there_is(tmp_path, named, what):
    mine = write(tmp_path, "mine.toml", f'model = "drugs/panitumumab"\nsurrogate = "{named}"', "")
    ((where, said, _),) = issues(lambda: load_parameters(mine, load_model("panitumumab")))
    assert (where, said) == (f"{mine}: parameters.surrogate", what)


def test_the_surrogates_of_the_library_say_so():
    assert {n: h["surrogate"] for n, h in HEADS.items() if "surrogate" in h} == {
        "balstilimab_nivolumab_surrogate": "drugs/nivolumab",
        "botensilimab_assumed": "drugs/ipilimumab",
    }


def test_a_set_of_the_model_that_another_is_like_fills_it():
    assert "drugs/nivolumab" in likes("drugs/balstilimab")
    bound = load_parameters("nivolumab_zhang_2019", load_model("balstilimab"))
    assert bound.model == "drugs/balstilimab" and bound["CL"].value == pytest.approx(10.8 * 24 / 1000)
    assert not accepted("balstilimab_nivolumab_surrogate", load_model("nivolumab"))


# --- a user's own files -------------------------------------------------


@pytest.mark.parametrize("named", ["one", "one.toml", "./one.toml"])
def test_a_model_may_be_named_by_its_word_or_its_path_from_either_folder(tmp_path, monkeypatch, pkpd, named):
    (tmp_path / "one.toml").write_text(MODEL)
    own = write(tmp_path, "one_v.toml", f'model = "{named}"\ntitle = "v"')
    assert (
        load_parameters(own, load_model(str(tmp_path / "one.toml")))["CL"].value == 2
    )  # from the folder of the set
    assert pkpd("check", own)[0] == 0
    monkeypatch.chdir(tmp_path)
    assert load_parameters("one_v.toml", load_model("one.toml"))["CL"].value == 2  # from the current folder
    assert load_parameters("one_v.toml", load_model("./one.toml"))["CL"].value == 2
    assert load_parameters("one_v.toml", parse_model(MODEL, "one"))["CL"].value == 2
    assert (
        load_parameters("one_v.toml", parse_model(MODEL))["CL"].value == 2
    )  # a model without a name contradicts none


@pytest.mark.parametrize("named", ["two", "./two.toml", "drugs/none"])
def test_a_name_of_no_model_is_refused_at_load_and_at_check(tmp_path, pkpd, named):
    (tmp_path / "one.toml").write_text(MODEL)
    own = write(tmp_path, "one_v.toml", f'model = "{named}"')
    ((where, what, _),) = issues(lambda: load_parameters(own, load_model(str(tmp_path / "one.toml"))))
    assert (where, what) == (
        f"{own}: parameters.model",
        f"{named!r} names no model: no entry of the library, no file",
    )
    code, said = pkpd("check", own)
    assert code == 2 and f"{own}: parameters.model: {what}" in said


def test_a_file_of_the_users_own_that_is_another_file_is_refused(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(MODEL)
    own = write(tmp_path, "v.toml", 'model = "./two.toml"')
    assert issues(lambda: load_parameters(own, load_model(str(tmp_path / "one.toml"))))[0][1] == (
        f"the set is of ./two.toml, not of {tmp_path / 'one.toml'}"
    )
    assert issues(lambda: load_parameters(own, load_model("panitumumab")))[0][1].startswith(
        "the set is of ./two.toml"
    )


def test_a_library_set_is_not_taken_for_a_model_of_text():
    text = MODEL.replace("L/hour", "mL/hour")
    assert issues(lambda: load_parameters("panitumumab_assumed", parse_model(text)))[0][1] == (
        "the set is of drugs/panitumumab, not of model"
    )


# --- systems --------------------------------------------------------------


def test_a_set_of_another_system_fills_the_parts_that_both_have_and_no_part_of_another_model():
    ablation = load_model("systems/crlm_immune_ablation")
    assert load_context("context_pretreated", ablation).model == ablation.name
    other = load_model("systems/crlm_exponential")
    found = issues(lambda: load_parameters("crlm_resectable", other))
    assert found  # its growth is another model's
    own = Parameters("own", "systems/crlm", "", values=(Value("growth.ALPHA", 1e-3, "1/day"),))
    ((_, what, _),) = issues(lambda: bind(own, other))
    assert what == (
        "'systems/crlm' has the part growth of couplings/growth_gompertz, but systems/crlm_exponential of "
        "couplings/growth_exponential"
    )


def test_the_set_of_what_is_no_part_is_refused():
    ((where, what, _),) = issues(
        lambda: load_parameters("cetuximab_azzopardi_2011", load_model("systems/crlm"))
    )
    assert (where, what) == (
        "parameters/cetuximab_azzopardi_2011: parameters.model",
        "'drugs/cetuximab' is no part of systems/crlm",
    )


def test_sets_of_two_models_are_not_merged():
    one, other = (
        load_parameters(default_for(n), load_model(n)) for n in ("drugs/nivolumab", "drugs/ipilimumab")
    )
    assert (
        issues(lambda: merge(one, other))[0][1]
        == f"is 'drugs/ipilimumab', and {one.name} below it is of 'drugs/nivolumab'"
    )


# --- what lies over what ----------------------------------------------------


def test_a_set_with_few_lines_that_goes_over_none_is_one_issue(tmp_path):
    own = write(
        tmp_path,
        "w.toml",
        'model = "systems/crlm_immune"',
        '[values]\nbiology.WNT = { value = 0.1, unit = "1" }',
    )
    model = load_model("systems/crlm_immune")
    number = len({line_for(i) for i in model.inputs})
    assert number > 100 and issues(lambda: load_parameters(own, model)) == [
        (
            f"{own}: values",
            f"fills 1 of the {number} inputs of systems/crlm_immune, and the set does not say what it goes "
            f"over",
            'write over = "crlm_immune_advanced" under [parameters], or name that set first',
        )
    ]


def test_a_context_named_before_the_set_that_it_goes_over_is_refused():
    model = load_model("systems/crlm_immune")
    for key, names in (
        ("over", ["context_refractory", "crlm_immune_advanced"]),
        ("after", ["crlm_immune_advanced", "context_refractory", "context_pretreated"]),
    ):
        found = issues(lambda n=names: load_parameters(n, model))
        assert found == [
            (
                f"context_refractory: parameters.{key}",
                f"goes over {names[-1]}, which is named after it and would hide its lines",
                f"name {names[-1]} before context_refractory",
            )
        ]
    lines = [
        load_parameters([*below, "context_refractory"], model)["growth.ALPHA"].value
        for below in ((), ("crlm_immune_advanced", "context_pretreated"))
    ]
    assert lines[0] == lines[1] != load_parameters("context_pretreated", model)["growth.ALPHA"].value


@pytest.mark.parametrize("key", ["over", "include"])
def test_a_circle_of_sets_is_refused_however_its_paths_are_written(tmp_path, monkeypatch, key):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.toml").write_text(MODEL)
    for name, other in (("a", "b"), ("b", "a")):
        value = (
            f'"../{tmp_path.name}/{other}.toml"' if key == "over" else f'["../{tmp_path.name}/{other}.toml"]'
        )
        write(tmp_path, f"{name}.toml", f'model = "one.toml"\n{key} = {value}')
    said = {w for _, w, _ in issues(lambda: load_parameters("a.toml", load_model("one.toml")))}
    assert len(said) == 1 and said.pop().endswith(
        "leads back to itself" if key == "over" else "includes itself"
    )


def test_a_set_included_twice_is_refused(tmp_path):
    mine = write(
        tmp_path, "mine.toml", 'model = "drugs/oxaliplatin"\ninclude = ["patients_crc", "patients_crc"]'
    )
    assert issues(lambda: load_parameters(mine)) == [
        (f"{mine}: parameters.include", "'patients_crc' is included twice", "remove one of the two")
    ]


def test_two_defaults_of_a_model_are_refused_at_load_and_at_check(tmp_path, monkeypatch, pkpd):
    (tmp_path / "parameters").mkdir()
    (tmp_path / "models" / "drugs").mkdir(parents=True)
    (tmp_path / "models" / "drugs" / "one.toml").write_text(MODEL)
    for name in ("a", "b"):
        write(tmp_path / "parameters", f"{name}.toml", 'model = "drugs/one"\ndefault = true')
    monkeypatch.setattr(inputs, "ROOT", tmp_path)
    told = (
        "parameters/b: parameters.default",
        "a is the default of drugs/one too",
        "leave default = true in one of them",
    )
    assert issues(lambda: default_for("drugs/one")) == [told]
    code, said = pkpd("check", "b")
    assert code == 2 and ": ".join(told[:2]) in said


# --- draws ------------------------------------------------------------------


def joint(name: str, draws: dict, values: str = LINES) -> Parameters:
    table = library.parse(f'[parameters]\nmodel = "one"\n{values}', name)
    return read_parameters({**table, "draws": draws}, name, name)[0]


def test_two_joint_sets_are_not_laid_over_each_other():
    result, model = load_parameters("eortc_40983", load_model("systems/crlm")), load_model("systems/crlm")
    assert {len(x) for x in result.draws.values()} == {160} and len(result.draws) == 7
    line = result["kill.SENS"]
    top = Parameters("mine", model.name, "", values=(line,), draws={"kill.SENS": (0.3,) * 160})
    ((where, what, remedy),) = issues(lambda: merge(result, top))
    assert (where, what) == (
        "parameters/mine: draws",
        "kill.SENS is drawn here, and occult.PRESENT and 5 more are drawn in "
        "eortc_40983 below it: two joint sets, whose draws do not belong together",
    )
    assert remedy.startswith("keep the draws of one")


def test_one_joint_set_stays_whole_but_for_the_lines_laid_over_it():
    model = load_model("systems/crlm")
    result = load_parameters("eortc_40983", model)
    fixed = merge(result, Parameters("mine", model.name, "", values=(result["kill.SENS"],)))
    assert (
        fixed.draws == {k: v for k, v in result.draws.items() if k != "kill.SENS"} and len(fixed.draws) == 6
    )
    plain = load_parameters("crlm_resectable", model)
    assert merge(plain, result).draws == result.draws
    assert merge(joint("low", {"CL": [1, 2]}), joint("top", {"CL": [3, 4]})).draws == {"CL": (3.0, 4.0)}


def test_draws_are_as_many_of_every_line_and_of_lines_that_there_are():
    assert issues(lambda: joint("a", {"CL": [1, 2], "V": [1]})) == [
        ("a: draws.V", "holds 1 draws, and CL above it 2", "give one number of every line a draw")
    ]
    assert issues(lambda: joint("a", {"CL": []}))[0][1] == "holds no draw"
    model = parse_model(MODEL, "one")
    found = [
        (w.rpartition(": ")[2], what)
        for w, what, _ in issues(lambda: bind(joint("a", {"CLL": [1], "CL:sd": [1], "CL:mean": [1]}), model))
    ]
    assert found == [
        ("draws.CLL", "there is no line 'CLL' to draw"),
        ("draws.CL:sd", "CL has no sd"),
        ("draws.CL:mean", "'mean' is nothing that is drawn of a line"),
    ]


def test_draws_are_brought_to_the_models_unit_as_values_are():
    values = LINES.replace(
        '2, unit = "L/hour"', '2000, unit = "mL/hour", spread = { law = "normal", sd = 100 }'
    )
    bound = bind(
        joint("a", {"CL": [1000, 3000], "CL:sd": [50, 150], "V": [10, 30]}, values), parse_model(MODEL, "one")
    )
    assert {k: np.round(x, 12).tolist() for k, x in bound.draws.items()} == {
        "CL": [1, 3],
        "CL:sd": [0.05, 0.15],
        "V": [10, 30],
    }
    assert bind(bound, parse_model(MODEL, "one")).draws == bound.draws
    assert point(bound, [(k, x[0]) for k, x in bound.draws.items()]).parameters["CL"].value == pytest.approx(
        1
    )


def test_draws_of_a_parts_set_carry_the_parts_name_in_a_system(tmp_path):
    model = load_model("systems/crlm")
    data = library.read("parameters", "occult_prior").data
    mine = write(
        tmp_path,
        "mine.toml",
        'model = "tumours/occult"',
        tomli_w.dumps({"values": data["values"], "draws": {"PRESENT": [0.5, 0.6]}}),
    )
    assert load_context(mine, model).draws == {"occult.PRESENT": (0.5, 0.6)}
