"""Single changed values that would give a wrong number, or nothing, in silence: each is told at its place."""

import copy

import pytest
import tomli_w

from pkpd.commands.show import check
from pkpd.content import library

FIT, TRIAL, FOLLOWED = ("result", "eortc_40983"), ("trial", "eortc_40983"), ("trial", "keynote_177")
MODEL, SET, CALIBRATION = (
    ("model", "drugs/cetuximab"),
    ("parameters", "fluorouracil_terret_2000"),
    ("fit", "eortc_40983"),
)


def issues_of(kind, name, change, folder):
    """What `pkpd check` tells of a library file with one change made to its tables."""
    tables = copy.deepcopy(library.read(kind, name).data)
    change(tables)
    path = folder / "own.toml"
    path.write_text(tomli_w.dumps(tables))
    return [(i["where"].removeprefix(f"{path}: "), i["what"], i["remedy"]) for i in check([str(path)])[0]]


def put(*path_and_value):
    *path, key, value = path_and_value

    def change(tables):
        for step in path:
            tables = tables[step]
        tables[key] = value

    return change


@pytest.mark.parametrize(
    ("source", "change", "where", "what"),
    [
        (MODEL, put("model", "reference", ["a"]), "model.reference", "['a'] is not text"),
        (SET, put("parameters", "reference", 0), "parameters.reference", "0 is not text"),
        (SET, put("parameters", "title", {"a": 1}), "parameters.title", "{'a': 1} is not text"),
        (
            SET,
            put("parameters", "default", "false"),
            "parameters.default",
            "'false' is neither true nor false",
        ),
        (FIT, put("draws", "occult.PRESENT", 3, -0.6), "draws.occult.PRESENT", "PRESENT = -0.6 is below 0"),
        (FIT, put("draws", "occult.N0", 3, -7.0), "draws.occult.N0", "N0 = -7 is below 0"),
        (
            FIT,
            put("draws", "occult.SENS:mixture", 3, 1.5),
            "draws.occult.SENS:mixture",
            "mixture of occult.SENS = 1.5 is no share from 0 to 1",
        ),
        (
            FIT,
            put("fit", "figures", 2, "pfs_3y:surgry"),
            "fit.figures",
            "eortc_40983 has no figure 'pfs_3y:surgry'",
        ),
        (TRIAL, put("figures", 0, "high", 810.0), "", ""),
        (
            TRIAL,
            put("figures", 0, "high", 81000.0),
            "figures[1].high",
            "81000 is no hazard ratio that a trial can see, 0.001 to 1000",
        ),
        (
            ("study", "platforms"),
            put("study", "levels", [0, "x", 1]),
            "study.levels",
            "[0, 'x', 1] is not a range of doses",
        ),
        (
            CALIBRATION,
            put("free", 0, "prior", "sd", 350.0),
            "free[1].prior.sd",
            "350 on the logit scale: one in three would be a million times off",
        ),
    ],
)
def test_a_single_change_is_told_at_its_place(source, change, where, what, tmp_path):
    assert [(w, t) for w, t, _ in issues_of(*source, change, tmp_path)] == ([(where, what)] if where else [])


def test_a_draw_told_says_how_many_more_there_are(tmp_path):
    def change(tables):
        tables["draws"]["course.PUNRES"][:3] = [-0.1, -0.2, 1.5]

    [(where, what, remedy)] = issues_of(*FIT, change, tmp_path)
    assert (where, what) == ("draws.course.PUNRES", "PUNRES = -0.1 is below 0, and 2 more like it")
    assert remedy.startswith("mend the draw; where it can be so, the model says it: PUNRES = {")


def test_a_median_is_one_that_a_trial_can_see_in_its_own_unit(tmp_path):
    k = next(
        k
        for k, f in enumerate(library.read(*FOLLOWED).data["figures"])
        if f["kind"] == "median" and "high" in f
    )
    [(where, what, remedy)] = issues_of(*FOLLOWED, put("figures", k, "high", 1e7), tmp_path)
    assert (where, what) == (
        f"figures[{k + 1}].high",
        "1e+07 is no median that a trial can see, 0.001 to 1200",
    )
    assert remedy == "mend it; an end that was not reached is left out, with the other end"


def test_a_model_file_that_holds_nothing_is_told(tmp_path):
    def change(tables):
        del tables["parts"]

    [(where, what, remedy)] = issues_of("model", "systems/crlm_folfox", change, tmp_path)
    assert where.endswith("own.toml") and what == "holds nothing: no parts, no compartments, no variables"
    assert remedy == "write [parts], or [compartments] and [flows]"


def test_a_figure_of_none_of_a_result_s_trials_is_told(tmp_path):
    def change(tables):
        told = tables["fit"]
        told["trials"], told["figures"] = [told.pop("trial")], ["eortc_4098/pfs_hr:periop"]

    [(where, what, remedy)] = issues_of(*FIT, change, tmp_path)
    assert (where, what) == ("fit.figures", "'eortc_4098/pfs_hr:periop' is of none of its trials")
    assert remedy == "write TRIAL/FIGURE:ARM, one of its trials first: eortc_40983"
