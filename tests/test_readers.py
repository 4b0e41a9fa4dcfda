"""Readers of trials, fits and studies: a user's own bad file is told what is wrong, never a traceback."""

import copy
from functools import lru_cache

import pytest

from pkpd.commands.show import check
from pkpd.content import library
from pkpd.errors import ContentError, Issue, PkpdError
from pkpd.fit import reading as fit_reading
from pkpd.fit.reading import read_fit
from pkpd.study import reading as study_reading
from pkpd.study.reading import read_study
from pkpd.trial import reading as trial_reading
from pkpd.trial import therapies
from pkpd.trial.reading import read_trial

READERS = {
    "trial": ("eortc_40983", read_trial),
    "fit": ("eortc_40983", read_fit),
    "study": ("neoadjuvant_cycles", read_study),
}
BAD = (
    "x",
    -1,
    float("inf"),
    float("nan"),
    True,
    [],
    {},
    [1],
    ["a"],
    {"a": 1},
    [[1], 2],
    0,
    10**400,
    16**5000,
)
GONE = object()


@pytest.fixture
def data(request):
    """A shipped file's tables, to be spoilt."""
    return {kind: copy.deepcopy(library.read(kind, name).data) for kind, (name, _) in READERS.items()}


def issues(kind, tables):
    with pytest.raises(ContentError) as caught:
        READERS[kind][1](tables, "mine", "mine.toml")
    return str(caught.value)


def spoil(tables, path, value):
    """A value put at a place, which is made where it is not there; GONE removes it."""
    at = tables
    for key in path[:-1]:
        at = at[key]
    if value is GONE:
        del at[path[-1]]
    else:
        at[path[-1]] = value


def places(tables, above=()):
    """The path of every value; of a long list's items the first two."""
    pairs = (
        tables.items()
        if isinstance(tables, dict)
        else list(enumerate(tables))[:2]
        if isinstance(tables, list)
        else ()
    )
    for key, value in pairs:
        yield (*above, key)
        yield from places(value, (*above, key))


def once(load):
    """A loader of sets that loads each set of a model once."""
    found = {}

    def loaded(names, model):
        key = (repr(names), model.hash)
        if key not in found:
            found[key] = load(names, model)
        return found[key]

    return loaded


@pytest.mark.parametrize("kind", READERS)
def test_no_value_of_a_wrong_type_gives_a_traceback(kind, data, monkeypatch):
    for module in (fit_reading, study_reading):
        monkeypatch.setattr(module, "load_trial", lru_cache(module.load_trial))
    monkeypatch.setattr(study_reading, "load_result", lru_cache(study_reading.load_result))
    for module in (trial_reading, therapies):
        monkeypatch.setattr(module, "load_parameters", once(module.load_parameters))
    for word in ("names", "read"):
        monkeypatch.setattr(library, word, lru_cache(getattr(library, word)))
    tables, crashes, refused = data[kind], [], 0
    for path in places(tables):
        for bad in (*BAD, GONE):
            mine = copy.deepcopy(tables)
            spoil(mine, path, bad)
            try:
                READERS[kind][1](mine, "mine", "mine.toml")
            except PkpdError:
                refused += 1
            except Exception as error:
                crashes.append((path, type(error).__name__, str(error)[:60]))
    assert not crashes and refused > 100


TRIAL = [
    (
        ("trial",),
        "x",
        "mine.toml: trial: 'x' is not a table\n    remedy: it holds title, reference, population",
    ),
    (("trial", "title"), 3, 'trial.title: 3 is not text\n    remedy: write title = "…"'),
    (
        ("trial", "disease"),
        "systems/clrm",
        "trial.disease: 'systems/clrm': no such file\n    remedy: did you mean",
    ),
    (("trial", "parameters"), "crlm", "trial.parameters: 'crlm': no parameters of this name in the library"),
    (
        ("treatments", "auc_linear"),
        "systems/folfox_auc",
        "treatments.auc_linear: 'systems/folfox_auc': no such file",
    ),
    (("treatments",), {}, "treatments: is empty, but an arm has a regimen"),
    (("arms",), "x", "mine.toml: arms: 'x' is not a list of tables\n    remedy: write [[arms]]"),
    (("arms",), [], "arms: holds no arm"),
    (("arms", 1, "name"), "periop", "arms: two arms are named 'periop'"),
    (
        ("arms", 0, "n"),
        0,
        "arms[1].n: 0 is not a number of patients\n    remedy: give n, its patients: a whole number from 1",
    ),
    (("arms", 0, "n"), True, "arms[1].n: True is not a number of patients"),
    (("arms", 0, "regimen"), "folfox5", "arms[1].regimen: 'folfox5': no regimen of this name"),
    (
        ("arms", 1, "operation"),
        GONE,
        'arms[2].operation: is missing\n    remedy: write operation = { from = "4 week"',
    ),
    (("arms", 0, "resume"), GONE, "arms[1].resume: is missing"),
    (("arms", 0, "after", "start"), GONE, "arms[1].after.start: is missing\n    remedy: write start = SHARE"),
    (("arms", 0, "after", "start"), 1.2, "arms[1].after.start: 1.2 is not a share"),
    (
        ("arms", 0, "after", "strat"),
        1.0,
        "arms[1].after.strat: unknown key\n    remedy: did you mean 'start'?",
    ),
    (("arms", 0, "before", "start"), 0.5, "arms[1].before.start: unknown key"),
    (
        ("arms", 0, "before", "weights", 0),
        -0.02,
        "arms[1].before: is not a plan of cycles\n    remedy: write cycles = [5, 6]",
    ),
    (("arms", 0, "before", "weights", 0), float("nan"), "arms[1].before: is not a plan of cycles"),
    (("arms", 0, "before", "weights"), ["x"], "arms[1].before: is not a plan of cycles"),
    (
        ("arms", 0, "operation", "form"),
        "2 week",
        "arms[1].operation.form: unknown key\n    remedy: did you mean 'from'?",
    ),
    (("arms", 0, "operation", "from"), "9 week", "arms[1].operation: ends before it begins"),
    (("protocol", "accrual", "until"), "2004-07-05", "protocol.accrual.until: unknown key"),
    (
        ("protocol", "accrual", "from"),
        "July",
        "protocol.accrual.from: 'July' is not a date\n    remedy: write it as 2004-07-05",
    ),
    (("protocol", "cut", "date"), "2200-01-01", "protocol.accrual: begins over a century before the cut"),
    (
        ("protocol", "jitter", "seen"),
        "guess",
        "protocol.jitter.seen: 'guess' is not a way of seeing\n    remedy: one of primary",
    ),
    (("protocol", "jitter"), 3, "protocol.jitter: 3 is not a table\n    remedy: it holds sd, where, seen"),
    (("protocol", "before", "every"), "0 week", "protocol.before.every: '0 week' is less than a day"),
    (
        ("protocol", "before", "every"),
        3,
        "protocol.before.every: 3 is not a quantity\n    remedy: write a number and a unit",
    ),
    (("protocol", "before", "every"), "900 year", "protocol.before.every: '900 year' is over a century"),
    (
        ("protocol", "after", "every"),
        ["0 day", "6 month"],
        "protocol.after.every: '0 day' is less than a day",
    ),
    (("protocol", "after", "every"), 3, "protocol.after: is not a visit plan"),
    (("protocol", "jitter", "sd"), "-1 day", "protocol.jitter.sd: '-1 day' is negative"),
    (("figures", 0, "n"), float("inf"), "figures[1].n: inf is not a number of patients"),
    (
        ("figures", 0, "n"),
        0,
        "figures[1].n: 0 is not a number of patients\n    remedy: a whole number from 1 to 1,000,000",
    ),
    (
        ("figures", 0, "level"),
        95,
        "figures[1].level: 95 is not between 0 and 1\n    remedy: write 95 % as 0.95",
    ),
    (
        ("figures", 0, "arm"),
        "surgery",
        "figures[1].arm: 'surgery' is the control: a ratio of the arm to itself",
    ),
    (
        ("figures", 0, "endpoint"),
        "dead",
        "figures[1].endpoint: 'dead' does not suit a hazard ratio\n    remedy: it takes",
    ),
    (("figures", 0, "low"), GONE, "figures[1]: has one end of an interval only"),
    (("figures", 0, "unit"), "%", "figures[1].unit: '%': only a median has a unit"),
    (("figures", 0, "at"), "3 year", "figures[1].at: only a landmark has a time"),
    (("figures", 1, "endpoint"), "response", "figures[2].endpoint: 'response' does not suit a landmark"),
    (("figures", 1, "at"), "9 year", "figures[2].at: '9 year' is beyond the longest follow-up"),
    (("figures", 1, "high"), 42.7, "figures[2].high: 42.7 is no share"),
    (("figures", 2, "arm"), "periop", "figures[3]: a second figure 'pfs_3y:periop'"),
    (
        ("figures", 3, "unit"),
        "mg",
        "figures[4].unit: 'mg' cannot be converted to 'month'\n    remedy: a median is a time",
    ),
    (("figures", 3, "unit"), GONE, "figures[4].unit: '1' cannot be converted to 'month'"),
    (
        ("figures", 5, "endpoint"),
        "pfs",
        "figures[6].endpoint: 'pfs' does not suit a count\n    remedy: it takes one of resected",
    ),
    (
        ("figures", 5, "value"),
        0.83,
        "figures[6].value: 0.83 of 182 is no count\n    remedy: give k of n, a whole number",
    ),
    (("figures", 5, "low"), 140, "figures[6]: a count's interval follows from k of n"),
    (("figures", 5, "seen"), "guess", "figures[6].seen: 'guess' is not one of them"),
]
FIT = [
    (("fit",), 1, "mine.toml: fit: 1 is not a table"),
    (
        ("fit", "trials"),
        ["eortc"],
        "fit.trials[1]: 'eortc': no trial of this name in the library\n    remedy: did you mean",
    ),
    (("fit", "trials"), "eortc_40983", "fit.trials: 'eortc_40983' is not a list of trials"),
    (("fit", "trials"), GONE, "fit.trials: names no trial\n    remedy: write trials = ["),
    (("fit", "trials"), ["eortc_40983"] * 2, "fit.trials: 'eortc_40983' is named twice"),
    (("fit", "trial"), "eortc_40983", "fit.trial: unknown key\n    remedy: did you mean 'trials'"),
    (("fit", "parameters"), "none", "fit.parameters: 'none': no parameters of this name"),
    (("fit", "patients"), 49, "fit.patients: 49 is not a whole number of at least 50"),
    (("fit", "replicates"), 0, "fit.replicates: 0 is not a whole number of at least 50"),
    (("fit", "draws"), 9, "fit.draws: 9 is not a whole number of at least 10"),
    (("fit", "design"), 9, "fit.design: 9 is not a whole number of at least 10"),
    (("fit", "starts"), 0, "fit.starts: 0 is not a whole number of at least 1"),
    (
        ("fit", "link"),
        "auc_linaer",
        "fit.link: 'auc_linaer' is not a treatment of eortc_40983\n    remedy: did you",
    ),
    (("fit", "leave_out"), "x", "fit.leave_out: 'x' is not a list of figures"),
    (
        ("fit", "leave_out"),
        ["pfs_hr:periop"],
        "fit.leave_out: 'pfs_hr:periop' is not a fitted figure of eortc_40983",
    ),
    (
        ("fit", "leave_out"),
        [
            f"eortc_40983/{f}"
            for f in (
                "pfs_hr:periop",
                "pfs_3y:periop",
                "pfs_3y:surgery",
                "pfs_median:periop",
                "pfs_median:surgery",
                "resected:periop",
                "resected:surgery",
            )
        ],
        "fit: no figure of eortc_40983 is left to fit\n    remedy: leave out less",
    ),
    (("free", 0, "scale"), [], "free[1].scale: [] is not a scale"),
    (
        ("free", 3, "scale"),
        "log",
        "free[4].scale: 'log' does not suit a mixture\n    remedy: write scale = \"logit\"",
    ),
    (
        ("free", 0, "prior", "sd"),
        float("inf"),
        "free[1].prior: {'at': 0.8, 'sd': inf} is not a prior on the logit scale",
    ),
    (("free", 0, "prior", "sd"), 0, "free[1].prior: {'at': 0.8, 'sd': 0} is not a prior"),
    (("free", 1, "line"), "occult.PRESENT", "free: 'occult.PRESENT' is free twice"),
    (("free", 1, "tie"), ["occult.PRESENT"], "free: 'occult.PRESENT' is free twice"),
    (("free", 1, "tie"), "occult.ALPHA", "free[2].tie: 'occult.ALPHA' is not a list of lines"),
    (
        ("free", 4, "tie"),
        ["kill.SENZ"],
        "free: 'kill.SENZ' is not a line of crlm_resectable\n    remedy: did you",
    ),
    (
        ("free", 4, "tie"),
        ["imaging.D50CT"],
        "free: imaging.D50CT is in mm, but course.PUNRES in 1\n    remedy: tie lines of one",
    ),
    (
        ("free", 1, "set"),
        "biology_msi_h",
        "free: 'biology_msi_h' is laid on no patients that a fitted figure counts",
    ),
]
STUDY = [
    (("study",), 1, "mine.toml: study: 1 is not a table"),
    (("study", "trial"), "eortc", "study.trial: 'eortc': no trial of this name in the library"),
    (
        ("study", "arm"),
        "perop",
        "study.arm: eortc_40983 has no arm 'perop'\n    remedy: did you mean 'periop'?",
    ),
    (("study", "arm"), "surgery", "study.arm: 'surgery' has no regimen to give in cycles"),
    (("study", "fit"), "nofit", "study.fit: 'nofit': no result of this name in the library"),
    (("study", "patients"), 0, "study.patients: 0 is not a whole number of at least 1"),
    (("study", "reference"), [[1], 2], "study.reference: [[1], 2] is not one of the sweeps' plans"),
    (("study", "informed"), 6, "study.informed: 6 is not a list of cycle numbers"),
    (("study", "small"), ["15 mm", "10 mm"], "study.small: '15 mm' is not below '10 mm'"),
    (("study", "small"), 1, "study.small: 1 is not two diameters"),
    (("study", "limit"), 2, "study.limit: 2 is not a time"),
    (("study", "limit"), "0 day", "study.limit: '0 day' is not a time above zero"),
    (("adherence",), GONE, "adherence.drop_before: is missing\n    remedy: write { value = SHARE"),
    (("adherence", "drop_after"), GONE, "adherence.drop_after: is missing"),
    (("adherence", "drop"), {"value": 0.1}, "adherence.drop: unknown key"),
    (("adherence", "drop_after", "value"), 1.0, "adherence.drop_after: 1.0 is not a share"),
    (("adherence", "drop_after", "value"), GONE, "adherence.drop_after: gives no share"),
    (("adherence", "drop_after", "seen"), "x", "adherence.drop_after.seen: 'x' is not a way of seeing"),
    (("sweeps", 1, "name"), "total_12", "sweeps: two sweeps are named 'total_12'"),
    (("sweeps", 0, "before"), [0, 6, 6], "sweeps[1].before: [0, 6, 6] is not a list of cycle numbers"),
    (("sweeps", 1, "after"), -1, "sweeps[2]: needs either after or total, a number of cycles"),
]


@pytest.mark.parametrize(
    "kind, path, value, said",
    [("trial", *x) for x in TRIAL] + [("fit", *x) for x in FIT] + [("study", *x) for x in STUDY],
    ids=lambda x: ".".join(map(str, x)) if isinstance(x, tuple) else "",
)
def test_a_fault_is_told_with_its_place_and_remedy(kind, path, value, said, data):
    spoil(data[kind], path, value)
    assert said in issues(kind, data[kind])


def test_every_fault_of_a_trial_is_told_at_once(data):
    tables = data["trial"]
    tables["trial"]["disease"], tables["arms"][0]["n"], tables["protocol"]["jitter"] = 1, -1, 2
    del tables["figures"][0]["n"]
    text = issues("trial", tables)
    assert all(
        x in text
        for x in ("trial.disease: 1", "arms[1].n: -1", "protocol.jitter: 2", "figures[1]: has no denominator")
    )


@pytest.mark.parametrize(
    "unit, factor", [("month", 1), ("day", 365.25 / 12), ("year", 1 / 12), ("week", 365.25 / 84)]
)
def test_a_median_is_kept_in_months_whatever_its_unit(unit, factor, data):
    tables = data["trial"]
    tables["figures"][3] |= {
        "value": 18.7 * factor,
        "low": 14.0 * factor,
        "high": 24.0 * factor,
        "unit": unit,
    }
    median = read_trial(tables, "mine", "mine.toml").figures[3]
    assert median.unit == "month" and median.value == pytest.approx(18.7)
    assert median.interval == pytest.approx((14.0, 24.0))


def test_a_fit_without_a_result_says_how_to_make_one(data, monkeypatch):
    known = library.names
    monkeypatch.setattr(library, "names", lambda kind: [] if kind == "result" else known(kind))
    assert "study.fit: 'eortc_40983' has no result yet\n    remedy: run `pkpd fit eortc_40983`" in issues(
        "study", data["study"]
    )


def test_a_study_names_a_result_and_not_a_fit_or_another_file(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a long path would be cut in the message
    (tmp_path / "p.toml").write_text('[parameters]\nmodel = "systems/crlm"\n')
    data["study"]["study"]["fit"] = str(tmp_path / "p.toml")
    assert "is not a fit's result\n    remedy: make one with `pkpd fit NAME`" in issues(
        "study", data["study"]
    )
    data["study"]["study"]["fit"] = "./q.toml"
    assert "q.toml': no such file" in issues("study", data["study"])


def test_a_path_that_no_system_takes_is_not_found():
    for name in ("a" * 5000 + ".toml", "a\0.toml"):
        with pytest.raises(PkpdError, match="no such file"):
            library.find("trial", name)


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    big = tmp_path / "big.toml"
    with big.open("wb") as file:
        file.truncate(10**11)  # sparse: takes no room, and could not be read into memory
    with pytest.raises(ContentError, match="is 100000.0 MB; a content file is at most 1 MB"):
        library.read("trial", big)


def test_what_is_no_table_is_told_once():
    found: list[Issue] = []
    library.check_keys(3, ("a", "b"), "x.toml: y", found)
    assert [str(i) for i in found] == ["x.toml: y: 3 is not a table\n    remedy: it holds a, b"]


def test_every_shipped_trial_fit_and_study_passes_the_check():
    found, count = check([n for k in READERS for n in library.names(k)])
    assert found == [] and count >= 4
