"""Every line of a trial's file that is accepted matters; what would be honoured by half, or not at all, is
refused.
"""

import copy
import sys

import numpy as np
import pytest
import tomli_w

from pkpd import draw, load_trial, simulate
from pkpd.commands import cli
from pkpd.content import library
from pkpd.errors import ContentError, PkpdError
from pkpd.parameters.parameters import Value
from pkpd.parameters.sets import load_context
from pkpd.regimen.schedule import nothing
from pkpd.simulation.simulation import Simulation
from pkpd.study.kinds import load_study
from pkpd.trial import followed
from pkpd.trial.prepare import prepare
from pkpd.trial.reading import read_trial
from pkpd.trial.rehearsal import rehearse
from pkpd.trial.run import run_trial

N = 60


def tables(name):
    return copy.deepcopy(library.read("trial", name).data)


def put(data, path, value):
    """Sets a value at a path of keys; None takes it away."""
    *above, last = path
    for key in above:
        data = data[key]
    if value is None:
        del data[last]
    else:
        data[last] = value


def told(data, tmp_path=None):
    with pytest.raises(ContentError) as caught:
        read_trial(data, "mine", "mine.toml")
    return [str(i) for i in caught.value.issues]


def outcomes(data):
    """All that is read of every arm's patients, one row each."""
    trial = read_trial(data, "mine", "mine.toml")
    own = trial.parameters
    found = run_trial(trial, own, N)
    return {f"{a} {k}": v for a, r in found.items() for k, v in vars(r).items() if isinstance(v, np.ndarray)}


# --- the law ------------------------------------------------------------------

ARM = ("arms", 0)
CHANGES = {
    "eortc_40983": [
        (("protocol", "criteria", "is"), "irRC"),
        (("protocol", "confirmed"), {"is": "yes", "where": "mine", "seen": "assumed"}),
        (("protocol", "accrual", "from"), "1999-10-10"),
        (("protocol", "accrual", "to"), "2006-07-05"),
        (("protocol", "cut", "date"), "2008-03-31"),
        (("protocol", "modality", "is"), "MRI"),
        (("protocol", "criteria", "is"), "RECIST 1.1"),
        (("protocol", "unresected", "is"), "follow"),
        (("protocol", "vanished", "is"), "left"),
        (("protocol", "before", "every"), "3 week"),
        (("protocol", "after", "every"), ["1 month", "2 month"]),
        (("protocol", "after", "until"), ["1 year", "10 year"]),
        (("protocol", "jitter", "sd"), "0 day"),
        (("treatments", "effect_site_emax"), "systems/folfox_auc_linear"),
        ((*ARM, "regimen"), "folfox7"),
        ((*ARM, "before", "cycles"), [1, 2, 3, 4, 5, 12]),
        ((*ARM, "before", "weights"), [0.9, 0.02, 0.02, 0.02, 0.02, 0.02]),
        ((*ARM, "after", "start"), 0.1),
        ((*ARM, "after", "cycles"), [1, 2, 3, 4, 5, 12, 7, 8]),
        ((*ARM, "after", "weights"), [0.93, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01]),
        ((*ARM, "operation", "from"), "1 week"),
        ((*ARM, "operation", "to"), "12 week"),
        ((*ARM, "resume"), {"from": "20 week", "to": "30 week"}),
        (("trial", "parameters"), "eortc_40983"),
    ],
    "xiao": [
        (("protocol", "modality", "is"), "MRI"),
        (("protocol", "scans", "every"), ["5 week"]),
        (("protocol", "scans", "until"), ["20 week"]),
        (("protocol", "jitter", "sd"), "0 day"),
        (("protocol", "run_in", "lasts"), "10 day"),
        (("protocol", "pathology", "sees"), "1 mL"),
        (("arms", 1, "operation", "from"), "1 week"),
        (("arms", 1, "operation", "to"), "40 week"),
        (("therapies", "therapy.PD1", "parameters"), "nivolumab_bajaj_2017"),
        (("therapies", "therapy.PD1", "times"), 0.1),
        (("therapies", "therapy.VEGF"), {"from": "bevacizumab.occupancy", "times": 0}),
        (("arms", 0, "patients", 0, "covariates", "LESIONS"), 1),
        (("arms", 0, "patients", 0, "contexts"), ["biology_msi_h"]),
    ],
    "keynote_177": [
        (("protocol", "accrual", "from"), "2015-02-01"),
        (("protocol", "cut", "date"), "2019-02-19"),
        (("protocol", "confirmed", "is"), "no"),
        (("protocol", "modality", "elsewhere"), "CT"),
        (("protocol", "criteria", "is"), "irRC"),
        ((*ARM, "treatment"), {"cycles": 3, "until": "progression"}),
        ((*ARM, "treatment"), {"cycles": 35}),
        ((*ARM, "patients", 0, "share"), 1.0),
    ],
    "eortc_1560": [
        ((*ARM, "local", "lesion"), "hepatic.1"),
        ((*ARM, "local", "dies"), 0.1),
        ((*ARM, "local", "to"), "50 day"),
        ((*ARM, "local"), None),
        (("protocol", "follow_up", "to"), "40 month"),
        (("protocol", "follow_up", "from"), "1 month"),
    ],
}


@pytest.fixture(scope="module")
def usual():
    """The outcomes of each trial as its file is."""
    return {name: outcomes(tables(name)) for name in CHANGES}


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [(n, p, v) for n, rows in CHANGES.items() for p, v in rows],
    ids=lambda x: ".".join(map(str, x)) if isinstance(x, tuple) else str(x)[:20],
)
def test_a_line_that_is_changed_changes_an_outcome(usual, name, path, value):
    data = tables(name)
    put(data, path, value)
    if path[-1] == "share":
        data["arms"][0]["patients"] = data["arms"][0]["patients"][:1]
    found, before = outcomes(data), usual[name]
    assert any(
        k not in before or not np.array_equal(v, before[k], equal_nan=v.dtype.kind == "f")
        for k, v in found.items()
    )


# --- what is refused ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path", "value", "said"),
    [
        (
            "eortc_40983",
            ("arms", 1, "resume"),
            {"from": "4 week", "to": "8 week"},
            "arms[2].resume: is when cycles after the operation begin, and the arm plans none\n"
            "    remedy: add after = { … }, or remove it",
        ),
        (
            "eortc_40983",
            ("arms", 1, "regimen"),
            "folfox4",
            "arms[2].regimen: is given in no cycle\n    remedy: add before = { … } or after = { … }, or "
            "remove it",
        ),
        (
            "keynote_177",
            ("protocol", "follow_up"),
            {"from": "1 month", "to": "2 month"},
            "protocol.follow_up: and accrual and cut both say how long patients are followed\n"
            "    remedy: keep follow_up, or accrual and cut",
        ),
        (
            "keynote_177",
            ("protocol", "pathology"),
            {"sees": "0.001 mL"},
            "protocol.pathology: is read at an operation, and no arm has one\n    remedy: remove it, or "
            "give an arm its operation",
        ),
        (
            "keynote_016",
            ("protocol", "confirmed", "is"),
            "no",
            "protocol.confirmed: 'irRC' confirms responses and progression in any case\n"
            '    remedy: write confirmed = { is = "yes", … }, or name other criteria',
        ),
        (
            "xiao",
            ("therapies", "therapy.PD1", "times"),
            1.2,
            "therapies.therapy.PD1.times: 1.2 times a share would block more than all of therapy.PD1\n    "
            "remedy: a factor from 0 to 1",
        ),
        (
            "keynote_177",
            ("arms", 0, "patients", 0, "contexts"),
            ["context_refractory", "context_pretreated"],
            "arms[1].patients[1].contexts: context_refractory goes over context_pretreated, which is named "
            "after it and would hide its "
            "lines\n    remedy: name context_pretreated before context_refractory",
        ),
        (
            "xiao",
            ("therapies", "therapy.PD1", "parameters"),
            "bevacizumab_lu_2008",
            "parameters/bevacizumab_lu_2008: parameters.model: the set is of drugs/bevacizumab, not of "
            "drugs/nivolumab",
        ),
    ],
)
def test_a_line_that_would_be_ignored_or_wrong_is_refused(name, path, value, said):
    data = tables(name)
    put(data, path, value)
    assert any(said in t for t in told(data))


def test_treatments_without_a_regimen_are_refused():
    data = tables("eortc_40983")
    data["arms"], data["figures"] = data["arms"][1:], [f for f in data["figures"] if f["arm"] == "surgery"]
    assert told(data) == [
        "mine.toml: treatments: carry the effect of drugs, and no arm has a regimen\n"
        "    remedy: give an arm its regimen, or remove them"
    ]


def test_a_depletion_may_be_more_than_the_references():
    assert any(t.times > 1 for t in load_trial("botensilimab_balstilimab").therapies)


def mine(tmp_path, data, name="mine.toml"):
    (tmp_path / name).write_text(tomli_w.dumps(data))
    return str(tmp_path / name)


@pytest.mark.parametrize(
    ("key", "entry", "said"),
    [
        (
            "therapies",
            {"therapy.TGFB": "bintrafusp.occupancy"},
            "therapies.therapy.TGFB: is set by 'bintrafusp', which no arm gives\n"
            "    remedy: give it in an arm's regimen, or remove the line",
        ),
        (
            "treatments",
            {"effect_site_emax": "systems/folfox_effect_site_emax"},
            "treatments.effect_site_emax: receives no drug that an arm gives\n    remedy: give one in an "
            "arm's regimen, or remove it",
        ),
    ],
)
def test_a_drug_that_no_arm_gives_is_refused(tmp_path, key, entry, said):
    data = tables("keynote_016")
    data[key] = {**data.get(key, {}), **entry}
    with pytest.raises(ContentError) as caught:
        load_trial(mine(tmp_path, data))
    assert said in str(caught.value)


# --- check finds what trial would ---------------------------------------------------


def crlm_immune(data):
    data["trial"] |= {"disease": "systems/crlm_immune", "parameters": "crlm_immune_advanced"}


SPOILT = {
    "seven lesions": (
        "xiao",
        lambda d: put(d, ("arms", 0, "patients", 0, "covariates", "LESIONS"), 7),
        "covariates.LESIONS: 7 lesions, but systems/crlm_immune has 2 there",
    ),
    "capox": ("eortc_40983", lambda d: put(d, ("arms", 0, "regimen"), "capox"), "capecitabine"),
    "immune disease": ("eortc_40983", crlm_immune, "trial.disease: an operation reads course.unresectable"),
    "covariate": (
        "xiao",
        lambda d: put(d, ("arms", 0, "patients", 0, "covariates", "UGT1A1"), 1),
        "covariates.UGT1A1: is read by no effect of the disease, of a context or of a drug: it would change "
        "nothing",
    ),
    "absent lesion": (
        "eortc_1560",
        lambda d: put(d, ("arms", 0, "patients", 0, "covariates", "LESIONS"), 1),
        "local.lesion: no patient of the arm has a lesion 'hepatic.2'",
    ),
    "foreign set": (
        "eortc_40983",
        lambda d: put(d, ("trial", "parameters"), "crlm_immune_advanced"),
        "parameters.model",
    ),
}


@pytest.mark.parametrize("case", SPOILT)
def test_check_says_what_trial_refuses(tmp_path, monkeypatch, capsys, case):
    name, spoil, said = SPOILT[case]
    data = tables(name)
    spoil(data)
    path = mine(tmp_path, data)
    monkeypatch.setattr(sys, "argv", ["pkpd", "check", path])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert said in capsys.readouterr().out and stop.value.code == 2
    with pytest.raises(PkpdError):
        trial = load_trial(path)
        run_trial(trial, trial.parameters, 20)


@pytest.mark.parametrize("kind", ["fit", "study"])
def test_check_of_a_fit_or_study_looks_at_its_trials(tmp_path, monkeypatch, capsys, kind):
    data = tables("eortc_40983")
    put(data, ("arms", 0, "regimen"), "capox")
    path = mine(tmp_path, data, "capox.toml")
    own = copy.deepcopy(library.read(kind, {"fit": "eortc_40983", "study": "neoadjuvant_cycles"}[kind]).data)
    own[kind] |= {"trials": [path]} if kind == "fit" else {"trial": path}
    monkeypatch.setattr(sys, "argv", ["pkpd", "check", mine(tmp_path, own)])
    with pytest.raises(SystemExit):
        cli.main()
    assert "capecitabine" in capsys.readouterr().out


@pytest.mark.parametrize("name", library.names("trial"))
def test_no_trial_of_the_library_has_an_issue(name):
    assert rehearse(load_trial(name)) == ()


@pytest.mark.parametrize(
    ("name", "path", "where"),
    [
        ("treatment_order", ("blockade", "sets"), "blockade.sets.therapy.PD1"),
        ("immune_stability", ("treatments", 1, "sets"), "treatments[2].sets.therapy.PD1"),
        ("platforms", ("treatments", 0, "sets"), "treatments[1].sets.therapy.PD1"),
    ],
)
def test_a_study_blocks_no_more_than_all_of_a_target(tmp_path, name, path, where):
    data = copy.deepcopy(library.read("study", name).data)
    put(data, path, {"therapy.PD1": 1.5})
    with pytest.raises(ContentError) as caught:
        load_study(mine(tmp_path, data))
    assert (
        f"mine.toml: {where}: 1.5 is not a share of a target blocked\n"
        "    remedy: a number from 0, none of it, to 1, all of it"
    ) in str(caught.value)


def test_contexts_of_the_line_of_therapy_are_laid_in_their_order():
    trial = load_trial("pd1_mss_liver")
    model = trial.disease
    stacked = prepare(trial, trial.arms[0], trial.parameters, 5).sets(trial.parameters)[0]
    assert stacked["growth.ALPHA"].value == load_context("context_refractory", model)["growth.ALPHA"].value


def test_local_treatment_of_a_site_leaves_its_occult_foci_where_they_are():
    """They see the kill of their sites in proportion to what was there before, by the weighted mean of the
    model.
    """
    trial = load_trial("eortc_1560")
    model = trial.disease
    own = trial.parameters.with_value("surveillance.SURVEY", Value("", 0.5, "1"))
    people = draw(model, own, 30, 3, covariates={"LESIONS": 2, "ELSEWHERE": 2})
    early = simulate(model, people, None, (0.0, 20.0))
    states = followed._killed(early, "hepatic.2", 1.0)
    left = people.with_inputs(followed._taken(early, "hepatic.2", 1.0))
    after = Simulation(model, left, nothing(30), early.times[:, 1:], states[:, None])
    foci = (early["liver.viable"][:, 1], early["elsewhere.viable"][:, 1])
    kill = [after[f"{site}.kill"][:, 0] for site in ("liver", "elsewhere")]
    want = 0.5 * sum(k * v for k, v in zip(kill, foci, strict=True)) / (sum(foci) + 1e-9)
    assert np.all(after["liver.viable"][:, 0] < foci[0])
    assert after["surveillance.kill"][:, 0] == pytest.approx(want, rel=1e-9)
