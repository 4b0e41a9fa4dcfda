"""The library from Python: nouns that show themselves, names, parsing, tables, figures, and wrong
arguments.
"""

import numpy as np
import pytest

import pkpd
from pkpd.errors import ContentError, PkpdError
from pkpd.machine.doors import door

MODEL = pkpd.load_model("drugs/oxaliplatin")
SET = pkpd.load_parameters((), MODEL)
PATIENTS = pkpd.draw(MODEL, SET, 12, seed=1)
FOLFOX = pkpd.load_regimen("folfox4")
TRIAL = pkpd.load_trial("keynote_016")
ONE = {
    "regimen": {"title": "One", "cycle": "14 day"},
    "doses": [{"drug": "oxaliplatin", "amount": "85 mg/m^2", "over": "2 hour", "days": [1]}],
}
SLOW = {
    "parameters": {"model": "drugs/oxaliplatin", "title": "Slow", "include": ["oxaliplatin_bastian_2003"]},
    "values": {"CL": {"value": 7.0, "unit": "L/hour"}},
}
DOSES = pkpd.lower(pkpd.parse_regimen(ONE), MODEL, PATIENTS, np.zeros(1))
RUN = pkpd.simulate(MODEL, PATIENTS, DOSES, (0.0, 1.0, 2.0))
NOUNS = {
    "model": pkpd.load_model("crlm_folfox"),
    "set": SET,
    "result": pkpd.load_result("immune")[0],
    "patients": PATIENTS,
    "regimen": FOLFOX,
    "run": RUN,
    "trial": TRIAL,
    "fit": pkpd.load_fit("immune"),
    "study": pkpd.load_study("neoadjuvant_cycles"),
}


@pytest.mark.parametrize("noun", NOUNS.values(), ids=NOUNS)
def test_a_noun_says_in_a_few_lines_what_it_holds(noun):
    lines = repr(noun).splitlines()
    assert 1 < len(lines) <= 8 and max(map(len, lines)) <= 100
    assert noun._repr_html_().count("<tr>") == len(lines) - 1


def test_a_notebook_s_table_holds_no_markup_of_a_file():
    named = pkpd.parse_model(
        '[model]\ntitle = "<b>x"\ntime = "day"\n[parameters]\nK = {unit = "1/day"}\n[compartments]\n'
        'y = {unit = "1", start = 1}\n[flows]\nout = {from = "y", rate = "K * y"}\n'
    )
    assert "&lt;b&gt;x" in named._repr_html_() and "<b>x" not in named._repr_html_()


def test_names_are_iterated_and_looked_up():
    assert (
        list(RUN)[:3] == ["central", "shallow", "deep"] and "Cc" in RUN and "Cd" not in RUN and 3 not in RUN
    )
    assert "CL" in PATIENTS and "BSA" in PATIENTS and "central" not in PATIENTS
    assert [RUN[name].shape for name in RUN] == [(12, 3)] * len(list(RUN))


def test_text_and_tables_make_the_same_regimen_as_a_file(tmp_path):
    text = (
        '[regimen]\ntitle = "One"\ncycle = "14 day"\n[[doses]]\ndrug = "oxaliplatin"\namount = "85 mg/m^2"\n'
        'over = "2 hour"\ndays = [1]\n'
    )
    (tmp_path / "one.toml").write_text(text)
    loaded = pkpd.load_regimen(tmp_path / "one.toml")
    assert pkpd.parse_regimen(text, loaded.name) == pkpd.parse_regimen(ONE, loaded.name) == loaded


def test_what_is_parsed_is_not_changed():
    before = repr(SLOW)
    slow = pkpd.parse_parameters(SLOW, MODEL)
    assert repr(SLOW) == before and slow["CL"].value == 7.0 and slow["V1"] == SET["V1"]


def test_trials_and_fits_are_parsed_from_tables():
    from pkpd.content import library

    assert pkpd.parse_trial(library.read("trial", "keynote_016").data, "keynote_016") == TRIAL
    assert pkpd.parse_fit(library.read("fit", "immune").data, "immune") == pkpd.load_fit("immune")
    with pytest.raises(ContentError) as caught:
        pkpd.parse_fit({"fit": {"parameters": "crlm_resectable", "trials": []}}, "mine")
    assert [i.where for i in caught.value.issues] == ["mine: free", "mine: fit.trials"]


def test_a_table_holds_inputs_and_covariates_on_request():
    table = RUN.to_frame(["Cc", "CL", "BSA"])
    assert list(table) == ["ID", "TIME", "Cc", "CL", "BSA"] and table.attrs["units"]["BSA"] == "m^2"
    for name in ("BSA", "CL"):
        assert np.array_equal(table[name], np.repeat(PATIENTS[name], 3))
    assert list(PATIENTS.to_frame()) == ["ID", *PATIENTS]
    with pytest.raises(ContentError, match="has no 'BSX'"):
        RUN.to_frame(["BSX"])


def test_a_readout_is_a_table_with_a_row_a_patient():
    readout = pkpd.run_trial(TRIAL, pkpd.load_result("immune")[0], 20)["pmmr"]
    table = readout.to_frame()
    assert len(table) == 20 and set(table["arm"]) == {"pmmr"}
    assert np.array_equal(table["pfs_time"], readout.pfs_time) and list(table["response"]) == list(
        readout.response
    )


def test_a_figure_shows_the_median_and_the_middle_of_the_patients():
    figure = RUN.plot("Cc", "central")
    first = figure.axes[0]
    assert [a.get_ylabel() for a in figure.axes] == ["Cc [mg/L]", "central [mg]"]
    assert figure.axes[1].get_xlabel() == "time [hour]"
    assert np.array_equal(first.lines[0].get_ydata(), np.median(RUN["Cc"], axis=0))
    few = pkpd.simulate(MODEL, PATIENTS.take(np.arange(3)), None, (0.0, 1.0)).plot("Cc")
    assert len(few.axes[0].lines) == 3


def test_draws_of_a_result_go_to_arviz():
    sets, _ = pkpd.load_result("immune")
    posterior = pkpd.to_arviz(sets)["posterior"]
    name, values = next(iter(sets.draws.items()))
    assert posterior.sizes == {"chain": 1, "draw": len(values)}
    assert np.array_equal(posterior[name.replace("/", ":")].values[0], values)
    with pytest.raises(ContentError, match="holds no draws"):
        pkpd.to_arviz(SET)


WRONG = {
    "a name for a model": lambda: pkpd.draw("drugs/oxaliplatin", SET, 3),
    "a regimen for a schedule": lambda: pkpd.simulate(MODEL, PATIENTS, FOLFOX, (0, 1)),
    "a text for times": lambda: pkpd.simulate(MODEL, PATIENTS, None, "1 day"),
    "half a patient": lambda: pkpd.draw(MODEL, SET, 1.5),
    "fewer than no patients": lambda: pkpd.draw(MODEL, SET, -1),
    "no seed": lambda: pkpd.draw(MODEL, SET, 2, seed=None),
    "covariates of others": lambda: pkpd.draw(MODEL, SET, 2, covariates={"BSA": [1.8, 1.8, 1.8]}),
    "a covariate as text": lambda: pkpd.draw(MODEL, SET, 2, covariates={"BSA": "large"}),
    "arguments in another order": lambda: pkpd.lower(MODEL, FOLFOX, PATIENTS, np.zeros(1)),
    "a number for a name": lambda: pkpd.load_model(3),
    "no name": lambda: pkpd.load_parameters(None, MODEL),
    "a number for text": lambda: pkpd.parse_model(3),
    "a number for a variable": lambda: RUN[3],
    "a list for a variable": lambda: RUN[["Cc"]],
    "a number for an arm": lambda: TRIAL.arm(3),
    "a number for records": lambda: pkpd.read_records(3, MODEL),
    "a name for a trial": lambda: pkpd.run_trial("keynote_016", SET),
    "a name for a fit": lambda: pkpd.run_fit("immune"),
    "a number for a crossing": lambda: pkpd.simulate(MODEL, PATIENTS, None, (0, 1), crossings=[3]),
    "no figure to draw": lambda: RUN.plot(),
    "a text for a simulation": lambda: pkpd.nca("run", "Cc"),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_told_with_a_remedy(call):
    with pytest.raises(PkpdError) as caught:
        call()
    assert "\n    remedy: " in str(caught.value)


def test_a_wrong_argument_names_the_verb_the_argument_and_how_to_come_by_the_right_one():
    with pytest.raises(ContentError) as caught:
        pkpd.simulate(MODEL, PATIENTS, FOLFOX)
    assert str(caught.value) == (
        "simulate: schedule is a Regimen, not Schedule or None\n"
        "    remedy: lower(regimen, model, patients, starts) gives one"
    )


def test_a_door_lets_through_what_its_annotations_name():
    @door
    def verb(n: "int", x: "np.ndarray | float", name: "str | None" = None, *rest: "int"):
        return n, x, name, rest

    assert verb(np.int64(2), [1, 2.5], None, 3) == (2, [1, 2.5], None, (3,))
    for wrong in ((True, 1.0), (1, "x"), (1, None), (1, 1.0, 2)):
        with pytest.raises(ContentError):
            verb(*wrong)


def test_the_readouts_of_a_window_show_their_medians_in_a_few_lines():
    run = pkpd.simulate(MODEL, PATIENTS, DOSES, *[pkpd.sampling(MODEL, DOSES, ("0 day", "2 day"))[0]])
    shown = repr(pkpd.nca(run, "Cc", "2 hour", "2 day"))
    assert (
        shown.startswith("Noncompartmental readouts of Cc: 12 patients\n")
        and "auc" in shown
        and "array" not in shown
    )


def test_a_disease_file_that_is_edited_is_read_anew(tmp_path):
    from pkpd.trial.disease import daily_model

    file = tmp_path / "own.toml"
    text = (
        '[model]\ntitle = "own"\ntime = "day"\n[parameters]\nK = { unit = "1/day" }\n[compartments]\n'
        'y = { unit = "1", start = 1 }\n[flows]\nout = { from = "y", rate = "K * y" }\n'
    )
    file.write_text(text)
    before = daily_model(str(file))
    file.write_text(text.replace("K * y", "2 * K * y"))
    assert daily_model(str(file)).flows != before.flows
    assert daily_model("systems/crlm") is daily_model("systems/crlm")


def test_a_long_call_tells_how_far_it_is():
    told = []
    pkpd.simulate(MODEL, pkpd.draw(MODEL, SET, 600, seed=1), None, (0.0, 1.0), tell=lambda *x: told.append(x))
    assert [x[1] for x in told] == [*range(1, told[-1][2] + 1)] and len(told) > 1
    arms = []
    pkpd.run_trial(TRIAL, pkpd.load_result("immune")[0], 20, tell=lambda *x: arms.append(x))
    assert arms == [("arms", 1, 2), ("arms", 2, 2)]
