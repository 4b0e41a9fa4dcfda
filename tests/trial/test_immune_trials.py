"""Files of trials that are followed by scans: what they hold, and what is wrong with bad ones."""

import copy
import json
from functools import lru_cache

import pytest

from pkpd import load_trial
from pkpd.content import library
from pkpd.content.references import bibliography
from pkpd.errors import ContentError, PkpdError
from pkpd.trial import reading, therapies
from pkpd.trial.prepare import prepare
from pkpd.trial.reading import read_trial

FOLLOWED = [n for n in library.names("trial") if load_trial(n).scans]
SIGNS = {"primary", "secondary", "review", "derived"}


@pytest.fixture
def data():
    """EORTC 1560, the fullest of them, and an operated arm beside it."""
    tables = copy.deepcopy(library.read("trial", "eortc_1560").data)
    operated = copy.deepcopy(library.read("trial", "durva_treme_before_resection").data)
    tables["arms"].append(operated["arms"][0])
    tables["protocol"]["pathology"] = operated["protocol"]["pathology"]
    tables["figures"].append(operated["figures"][0])
    return tables


def message(data):
    with pytest.raises(ContentError) as caught:
        read_trial(data, "mine", "mine.toml")
    return str(caught.value)


# --- the library's trials ---------------------------------------------------


@pytest.mark.parametrize("name", FOLLOWED)
def test_every_line_says_where_and_how_it_was_seen(name):
    trial = load_trial(name)
    assert trial.provenance and all(
        where and seen in SIGNS | {"assumed"} for _, _, where, seen in trial.provenance
    )
    assert all(f.where and f.seen in SIGNS | {"assumed"} for f in trial.figures)


@pytest.mark.parametrize("name", FOLLOWED)
def test_no_recalled_figure_is_more_than_context(name):
    assert all(f.use == "context" for f in load_trial(name).figures if f.seen == "assumed")


@pytest.mark.parametrize("name", FOLLOWED)
def test_every_source_is_in_the_bibliography(name):
    trial, known = load_trial(name), bibliography()
    assert trial.reference in known and all(f.source in known for f in trial.figures if f.source)


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_disease_settles_before_treatment(name):
    assert load_trial(name).run_in == 90


@pytest.mark.parametrize(
    ("name", "figure", "published"),
    [
        ("checkmate_142_mono", "response:nivolumab", (20.8, 42.9)),
        ("checkmate_142_combination", "response:combination", (45.2, 63.8)),
        ("checkmate_142_first_line", "response:combination", (53, 82)),
        ("checkmate_142_first_line", "control_12w:combination", (70.5, 93.5)),
        ("botensilimab_balstilimab", "response:phase1_no_liver", (13, 28)),
        ("botensilimab_balstilimab", "control_6w:phase1_no_liver", (60, 77)),
        ("botensilimab_balstilimab", "benefit_24w:phase1_no_liver", (20, 36)),
        ("botensilimab_balstilimab", "response:phase1_liver", (0, 19)),
        ("botensilimab_balstilimab", "response:phase2_75", (10, 31)),
        ("botensilimab_balstilimab", "response:phase2_150", (3, 18)),
        ("botensilimab_balstilimab", "response:phase2_75_alone", (0, 9)),
        ("botensilimab_balstilimab", "response:phase2_150_alone", (2, 20)),
        ("cercek_dostarlimab", "complete:dostarlimab", (74, 100)),
    ],
)
def test_the_exact_interval_of_a_count_is_the_published_one(name, figure, published):
    """In percent, to the digits printed: the counts were worked out from shares with their intervals."""
    found = next(f for f in load_trial(name).figures if f.key == figure)
    low, high = (100 * x / found.n for x in found.interval)
    step = 0.051 if any(x % 1 for x in published) else 0.51
    assert (low, high) == pytest.approx(published, abs=step)


def test_the_published_counts_are_those_of_the_abstracts():
    def of(name, key):
        f = next(f for f in load_trial(name).figures if f.key == key)
        return f.value, f.n, f.seen

    assert of("keynote_016", "response:dmmr") == (4, 10, "primary") and of(
        "keynote_016", "response:pmmr"
    ) == (0, 18, "primary")
    assert of("keynote_016", "pfs_20w:dmmr")[:2] == (7, 9) and of("keynote_016", "pfs_20w:pmmr")[:2] == (
        2,
        18,
    )
    assert of("pd1_mss_liver", "response:liver") == (0, 54, "primary") and of("eortc_1560", "response:local")[
        :2
    ] == (0, 20)
    assert of("keynote_177", "response:pembrolizumab")[:2] == (67, 153)


# --- bad files ----------------------------------------------------------------


BAD = [
    (("protocol", "run_in"), None, "protocol.run_in: is missing\n    remedy: write it as"),
    (
        ("protocol", "criteria", "is"),
        "RECIST",
        "protocol.criteria: 'RECIST' is not one of them\n    remedy: did you mean 'REC",
    ),
    (
        ("protocol", "confirmed", "is"),
        True,
        "protocol.confirmed: True is not one of them\n    remedy: known here: no, yes",
    ),
    (("protocol", "modality", "elsewhere"), "PET", "protocol.modality.elsewhere: 'PET' is not one of them"),
    (
        ("protocol", "scans", "every"),
        "8 week",
        'protocol.scans: is not a visit plan\n    remedy: write every = ["3 month"]',
    ),
    (("protocol", "before"), {"every": "6 week"}, "protocol.before: unknown key"),
    (("protocol", "pathology"), None, "protocol.pathology: is missing"),
    (("protocol", "pathology", "sees"), "1 mg", "protocol.pathology.sees: 'mg' cannot be converted to 'mL'"),
    (("protocol", "pathology", "sees"), "0 mL", "protocol.pathology.sees: '0 mL' is not a volume above zero"),
    (("protocol", "follow_up", "to"), "1 hour", "protocol.follow_up"),
    (("protocol", "follow_up"), None, "protocol.accrual: is missing"),
    (
        ("arms", 0, "treatment"),
        None,
        'arms[1].treatment: is missing\n    remedy: write treatment = { until = "progression"',
    ),
    (
        ("arms", 0, "treatment", "until"),
        "death",
        "arms[1].treatment.until: 'death' is not when treatment ends",
    ),
    (("arms", 0, "treatment", "cycles"), 0, "arms[1].treatment.cycles: 0 is not a number of cycles"),
    (
        ("arms", 1, "treatment"),
        {"cycles": 2},
        "arms[2].treatment.cycles: durvalumab_tremelimumab_75_once has its own number",
    ),
    (("arms", 0, "regimen"), "", "arms[1].treatment: is of no regimen"),
    (
        ("arms", 0, "regimen"),
        "mfolfox6_neutrophil_rules",
        "arms[1].regimen: 'mfolfox6_neutrophil_rules' has rules",
    ),
    (("arms", 0, "before"), {"cycles": [1]}, "arms[1].before: unknown key"),
    (("arms", 0, "local", "dies"), 2, "arms[1].local.dies: 2 is not a share"),
    (
        ("arms", 0, "local", "lesion"),
        "hepatic.3",
        "arms[1].local.lesion: systems/crlm_immune has no lesion 'hepatic.3'\n    remedy: did you mean",
    ),
    (("arms", 0, "local", "to"), "9 week", "arms[1].local: is not over before the first scan"),
    (("arms", 0, "patients"), [], "arms[1].patients: holds no group"),
    (("arms", 0, "patients", 0, "share"), 0.4, "arms[1].patients: has shares that sum to 0.4, not 1"),
    (
        ("arms", 0, "patients", 0, "contexts"),
        ["biology_msi"],
        "arms[1].patients[1].contexts[1]: 'biology_msi': no parameters of "
        "this name in the library\n    remedy: did you mean",
    ),
    (
        ("arms", 0, "patients", 0, "covariates", "LESION"),
        2,
        "arms[1].patients[1].covariates.LESION: is not in the register\n    remedy: did you mean 'LESIONS'",
    ),
    (
        ("arms", 0, "patients", 0, "covariates", "LESIONS"),
        -1,
        "arms[1].patients[1].covariates.LESIONS: -1 is no number of liver",
    ),
    (("arms", 0, "patients", 0, "seen"), "guess", "arms[1].patients[1].seen: 'guess' is not a way of seeing"),
    (("therapies",), "x", "mine.toml: therapies: 'x' is not a table"),
    (
        ("therapies", "therapy.PD1"),
        "durvalumab",
        "therapies.therapy.PD1: 'durvalumab' is not a variable of a drug",
    ),
    (
        ("therapies", "therapy.PD1"),
        "durvalumap.occupancy",
        "therapies.therapy.PD1: 'durvalumap': no model of this name in the library\n    remedy: did you mean",
    ),
    (
        ("therapies", "therapy.PD1"),
        "durvalumab.occupied",
        "therapies.therapy.PD1: durvalumab has no variable 'occupied'\n    remedy: did you mean 'occupancy'",
    ),
    (
        ("therapies", "therapy.PD1"),
        "durvalumab.Cc",
        "therapies.therapy.PD1: 'mg/L' cannot be converted to '1'",
    ),
    (
        ("therapies", "therapy.PDL1"),
        "durvalumab.occupancy",
        "therapies.therapy.PDL1: systems/crlm_immune has no input 'therapy.PDL1'\n"
        "    remedy: did you mean 'therapy.PD1'",
    ),
    (
        ("therapies", "therapy.PD1"),
        {"from": "durvalumab.occupancy", "times": -1},
        "therapies.therapy.PD1.times: -1 is not a factor",
    ),
    (
        ("therapies", "therapy.PD1"),
        {"from": "durvalumab.occupancy", "parameters": "nivolumab_zhang_2019"},
        "nivolumab_zhang_2019",
    ),
    (
        ("therapies", "therapy.CTLA4"),
        None,
        "arms[1].regimen: gives 'tremelimumab', which does nothing to the disease\n"
        '    remedy: say in [therapies] what it sets ("therapy.PD1" = "tremelimumab.occupancy")',
    ),
    (
        ("therapies", "therapy.PD1"),
        ["durvalumab.occupancy", "tremelimumab.occupancy"],
        "arms[1].regimen: gives durvalumab and tremelimumab, which both set therapy.PD1",
    ),
    (
        ("trial", "disease"),
        "systems/crlm",
        "trial.disease: 'systems/crlm' has no part that uses 'host/hazard'",
    ),
    (("figures", 0, "endpoint"), "resected", "figures[1].endpoint: 'resected' is not one of them"),
    (("figures", 0, "endpoint"), "pcr", "figures[1].endpoint: 'pcr' is not read in the arm 'local'"),
    (
        ("figures", 4, "endpoint"),
        "response",
        "figures[5].endpoint: 'response' is not read in the arm 'pmmr'\n"
        "    remedy: an operation ends that arm: it takes one of pcr",
    ),
    (("figures", 1, "at"), None, "figures[2].at"),
    (("figures", 0, "at"), "8 week", "figures[1].at: only a landmark has a time"),
    (("figures", 0, "kind"), "hazard ratio", "figures[1].endpoint: 'response' does not suit a hazard ratio"),
    (
        ("trial", "control"),
        "locla",
        "trial.control: 'locla' is not an arm\n    remedy: did you mean 'local'?",
    ),
]


@pytest.mark.parametrize(
    ("path", "value", "said"), BAD, ids=lambda x: ".".join(map(str, x)) if isinstance(x, tuple) else ""
)
def test_a_fault_is_told_with_its_place_and_remedy(path, value, said, data):
    at = data
    for key in path[:-1]:
        at = at[key]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    assert said in message(data)


def test_every_fault_is_told_at_once(data):
    data["protocol"]["run_in"]["lasts"] = "90 mg"
    data["arms"][0]["patients"][0]["share"] = "half"
    data["arms"][1]["operation"]["from"] = "7 week"
    data["therapies"]["therapy.PD1"] = 3
    data["figures"][0]["value"] = 21
    text = message(data)
    assert all(
        x in text
        for x in (
            "protocol.run_in.lasts: 'mg' cannot",
            "arms[1].patients[1].share: 'half' is not a share",
            "arms[2].operation: ends before it begins",
            "therapies.therapy.PD1: 3 is not a table",
            "figures[1].value: 21 of 20 is no count",
        )
    )


def test_a_ratio_needs_a_control(data):
    data["figures"][2] |= {"kind": "hazard ratio", "value": 0.8, "low": 0.5, "high": 1.2, "unit": "1"}
    assert "figures[3].kind: is a ratio to no control\n    remedy: name one: control" in message(data)


def places(tables, above=()):
    for key, value in tables.items() if isinstance(tables, dict) else list(enumerate(tables))[:1]:
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from places(value, (*above, key))


def test_no_value_of_a_wrong_type_gives_a_traceback(data, monkeypatch):
    monkeypatch.setattr(library, "read", lru_cache(library.read))
    monkeypatch.setattr(library, "names", lru_cache(library.names))
    monkeypatch.setattr(reading, "check_therapies", lambda *_: None)
    monkeypatch.setattr(therapies, "check_name", lambda *_: None)
    crashes, refused = [], 0
    for path in places(data):
        for bad in (3, "x", [1], {"x": 1}, float("nan"), 10**5000):
            mine = copy.deepcopy(data)
            at = mine
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = bad
            try:
                read_trial(mine, "mine", "mine.toml")
            except PkpdError:
                refused += 1
            except Exception as error:
                crashes.append((path, type(error).__name__, str(error)[:60]))
    assert not crashes and refused > 200


@pytest.mark.parametrize(
    ("covariates", "said"),
    [
        (
            {"LESIONS": 9, "ELSEWHERE": 1},
            "covariates.LESIONS: 9 lesions, but systems/crlm_immune has 2 there",
        ),
        (
            {"LESIONS": 0, "ELSEWHERE": 3},
            "covariates.ELSEWHERE: 3 lesions, but systems/crlm_immune has 2 there",
        ),
        ({"LESIONS": 0, "ELSEWHERE": 0}, "a group has no lesion: LESIONS = 0 and ELSEWHERE = 0"),
    ],
)
def test_patients_have_lesions_and_no_more_than_the_disease_can_hold(data, covariates, said):
    """More would be left out in silence."""
    data["arms"][0]["patients"][0]["covariates"] = covariates
    trial = read_trial(data, "mine", "mine.toml")
    parameters = trial.parameters
    with pytest.raises(ContentError) as caught:
        prepare(trial, trial.arms[0], parameters, 20)
    assert said in str(caught.value)


# --- the command ---------------------------------------------------------------


def test_the_table_says_published_predicted_and_inside_or_outside(tmp_path, monkeypatch, capsys):
    from pkpd.commands import cli

    monkeypatch.setattr(
        "sys.argv",
        [
            "pkpd",
            "trial",
            "keynote_016",
            "--fit",
            "none",
            "--patients",
            "60",
            "--json",
            str(tmp_path / "f.json"),
        ],
    )
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stop:
        cli.main()
    out = capsys.readouterr().out
    rows = {(r["figure"], r["arm"]): r for r in json.loads((tmp_path / "f.json").read_text())["figures"]}
    assert (
        stop.value.code == 0
        and "inside" in out
        and "OUTSIDE" in out
        and "none, the values of the library’s files" in out
    )
    assert rows["response", "pmmr"]["published"] == 0 and rows["response", "pmmr"]["n"] == 18
    assert rows["response", "pmmr"]["interval"][1] == pytest.approx(18 * (1 - 0.025 ** (1 / 18)))
    assert rows["response", "dmmr"]["use"] == "predict" and rows["response_update", "dmmr"]["inside"] is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--fit", "eortc_40983"),
            "'eortc_40983' is of systems/crlm, but keynote_016 has systems/crlm_immune",
        ),
        (("--link", "auc_linear"), "keynote_016 has no kill link to choose"),
    ],
)
def test_what_a_trial_cannot_honour_is_refused(options, said, monkeypatch, capsys):
    from pkpd.commands import cli

    monkeypatch.setattr("sys.argv", ["pkpd", "trial", "keynote_016", "--patients", "20", *options])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2 and said in capsys.readouterr().err
