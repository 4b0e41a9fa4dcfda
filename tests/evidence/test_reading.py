"""A file of published exposures: what it may say, and every fault told at once."""

import math

import pytest

from pkpd.content import library
from pkpd.errors import ContentError
from pkpd.exposures.reading import load_evidence, read_evidence

FIGURE = {
    "drug": "oxaliplatin",
    "name": "peak",
    "what": "Cmax",
    "regimen": "folfox4",
    "to": "1 day",
    "value": 0.8,
    "unit": "mg/L",
    "statistic": "mean",
    "use": "check",
    "source": "eloxatin_label",
    "where": "here",
    "seen": "secondary",
}
DOSED = {k: v for k, v in FIGURE.items() if k != "regimen"} | {"dose": "85 mg/m^2", "over": "2 hour"}


def read(*entries, head=None):
    return read_evidence({"exposures": head or {"title": "t"}, "figures": list(entries)}, "own", "own.toml")


def without(entry, *keys):
    return {k: v for k, v in entry.items() if k not in keys}


def told(*entries, **more):
    with pytest.raises(ContentError) as caught:
        read(*entries, **more)
    return [(i.where, i.what, i.remedy) for i in caught.value.issues]


def test_a_figure_says_what_was_read_of_what_in_which_window():
    [f] = read(
        {**FIGURE, "from": "2 hour", "n": 12, "patients": {"BSA": 1.75}, "cycles": 2, "text": "note"}
    ).figures
    assert (f.drug, f.what, f.of, f.start, f.end, f.cycles, f.n) == (
        "oxaliplatin",
        "Cmax",
        "Cc",
        2 / 24,
        1.0,
        2,
        12,
    )
    assert (f.given.regimen, f.given.words, f.patients) == ("folfox4", "folfox4", (("BSA", 1.75),))
    assert f.place == "own.toml: figures[1]" and f.text == "note" and f.miss == ""


def test_a_dose_is_one_line_given_once_or_every_so_often():
    [once, often] = read(
        DOSED, {**DOSED, "name": "other", "every": "12 hour", "doses": 6, "form": "racemate"}
    ).figures
    assert (once.given.line.amount, once.given.line.unit, once.given.line.per, once.given.line.over) == (
        85,
        "mg",
        "BSA",
        2 / 24,
    )
    assert once.given.every == 0 and once.cycles == 1 and once.given.words == "85 mg/m^2 over 2 hour"
    assert often.given.every == 0.5 and often.cycles == 6 and often.given.line.form == "racemate"
    assert often.given.words == "85 mg/m^2 racemate over 2 hour every 12 hour"


@pytest.mark.parametrize(
    ("spread", "low", "high", "words"),
    [
        ({"sd": 0.2}, 0.6, 1.0, "± SD"),
        ({"cv": 0.25}, 0.6, 1.0, "CV 25 %"),
        (
            {"cv": 0.25, "statistic": "geometric mean"},
            0.8 * math.exp(-math.sqrt(math.log(1.0625))),
            0.8 * math.exp(math.sqrt(math.log(1.0625))),
            "geometric CV 25 %",
        ),
        ({"interval": [0.5, 1.4], "level": 0.9}, 0.5, 1.4, "90 % interval"),
        ({"range": [0.1, 3]}, 0.1, 3, "range"),
        ({}, 0.64, 1.0, "none published: 0.8 to 1.25 of the value"),
    ],
)
def test_inside_is_the_published_spread(spread, low, high, words):
    [f] = read({**FIGURE, **spread}).figures
    assert (f.low, f.high) == pytest.approx((low, high)) and f.spread == words


def test_an_area_without_an_end_goes_to_infinity():
    [f] = read({**without(FIGURE, "to"), "what": "AUC", "unit": "mg/L*hour"}).figures
    assert f.end is None and f.start == 0


FAULTS = [
    (
        {"drug": "oxaliplatinn"},
        "drug",
        "'oxaliplatinn': no model of this name in the library",
        "did you mean",
    ),
    ({"regimen": "folfox5"}, "regimen", "'folfox5': no regimen of this name in the library", "did you mean"),
    (
        {"parameters": "nobody"},
        "parameters",
        "'nobody': no parameters of this name in the library",
        "known here",
    ),
    ({"name": ""}, "name", "is missing", 'add name = "…"'),
    ({"what": "peak"}, "what", "'peak' is not one of them", "known here: AUC, CL, Clast"),
    ({"what": "Cmin "}, "what", "'Cmin ' is not one of them", "did you mean 'Cmin'"),
    ({"statistic": "average"}, "statistic", "'average' is not one of them", "known here: geometric mean"),
    ({"use": "fit"}, "use", "'fit' is not one of them", "known here: check, circular, context"),
    (
        {"seen": "assumed"},
        "seen",
        "'assumed': what was not seen is no evidence",
        "leave the figure out until it is seen",
    ),
    ({"seen": "recalled"}, "seen", "'recalled' is not one of them", "known here: derived"),
    (
        {"unit": "mg/Q"},
        "unit",
        "'mg/Q' is not a unit (UndefinedUnitError)",
        "write it as in 'mg/L', '1/day' or 'mL/min'",
    ),
    (
        {"to_of": "Cm"},
        "to_of",
        "a ratio has a denominator, no other figure has",
        'what = "ratio", to_of = "Cc"',
    ),
    (
        {"dose": "85 mg"},
        "",
        "gives neither regimen nor dose, or both",
        'regimen = "…", cycles = 1, or dose = "500 mg"',
    ),
    ({"every": "12 hour"}, "every", "has no place beside regimen", "regimen, cycles go together"),
    ({"cycles": 0}, "cycles", "0 is not a number of cycles", "write cycles = 1"),
    ({"value": -1}, "value", "-1 is not a positive number", "write value = NUMBER"),
    ({"value": "0.8"}, "value", "'0.8' is not a positive number", "write value = NUMBER"),
    ({"sd": 0}, "sd", "0 is not a positive number", "write sd = NUMBER"),
    (
        {"sd": 0.1, "cv": 0.2},
        "",
        "gives sd and cv",
        "one spread only: sd, cv, interval with its level, or range",
    ),
    (
        {"interval": [0.5, 1]},
        "level",
        "an interval, and nothing else, has a level between 0 and 1",
        "write level = 0.9",
    ),
    (
        {"level": 0.9},
        "level",
        "an interval, and nothing else, has a level between 0 and 1",
        "write level = 0.9",
    ),
    (
        {"interval": [0.5, 1], "level": 90},
        "level",
        "an interval, and nothing else, has a level between 0 and 1",
        "write level",
    ),
    ({"range": [0.9, 1.2]}, "range", "[0.9, 1.2] is not two numbers around 0.8", "write range = [LOW, HIGH]"),
    ({"n": 0}, "n", "0 is not a number of patients", "a whole number from 1"),
    (
        {"from": "2 day"},
        "to",
        "'1 day' is before the window's start",
        'write from = "0 day", to = "21 day", from the first dose',
    ),
    ({"to": "1 mg"}, "to", "'mg' cannot be converted to 'day'", "give it in a unit of the same kind"),
    (
        {"molar_mass": "459 mg"},
        "molar_mass",
        "'mg' cannot be converted to 'g/mol'",
        "give it in a unit of the same kind",
    ),
    ({"patients": {"BSA": 9}}, "patients.BSA", "9 is not a value of it", "from 1 to 3 m^2"),
    ({"patients": {"WEIGHT": 9}}, "patients.WEIGHT", "unknown key", "did you mean 'WT'"),
    ({"vlaue": 1}, "vlaue", "unknown key", "did you mean 'value'"),
    ({"miss": 3}, "miss", "3 is not text", 'write miss = "…"'),
]


@pytest.mark.parametrize(("change", "key", "what", "remedy"), FAULTS, ids=lambda x: str(x)[:40])
def test_every_fault_says_where_what_and_how_to_mend_it(change, key, what, remedy):
    [(place, said, mend)] = told({**FIGURE, **change})
    assert place == "own.toml: figures[1]" + (f".{key}" if key else "")
    assert said == what and mend.startswith(remedy)


@pytest.mark.parametrize(
    ("entry", "key", "what"),
    [
        (without(FIGURE, "regimen"), "", "gives neither regimen nor dose, or both"),
        (without(FIGURE, "value"), "value", "is missing"),
        (without(FIGURE, "use"), "use", "is missing"),
        (
            {**without(FIGURE, "to"), "what": "Clast"},
            "to",
            "is missing: Clast is read at the end of its window, or within it",
        ),
        (
            {**FIGURE, "what": "accumulation_AUC"},
            "to",
            "an accumulation has both ends of its last interval, or neither",
        ),
        ({**DOSED, "doses": 4}, "every", "is missing"),
        ({**DOSED, "dose": "85"}, "dose", "'85' is not a dose"),
        ({**DOSED, "dose": "-85 mg"}, "dose", "dose and every are positive, over is not negative"),
        ({**DOSED, "cycles": 2}, "cycles", "has no place beside dose"),
    ],
)
def test_what_is_missing_or_stands_alone_is_told(entry, key, what):
    assert ("own.toml: figures[1]" + (f".{key}" if key else ""), what) in [
        (place, said) for place, said, _ in told(entry)
    ]


def test_all_faults_of_a_file_are_told_at_once():
    issues = told(
        {**FIGURE, "what": "peak", "unit": "mgg", "use": "x"}, FIGURE, FIGURE, "no table", head={"titel": "x"}
    )
    assert [w for w, *_ in issues] == [
        "own.toml: exposures.titel",
        "own.toml: figures[4]",
        "own.toml: figures[1].what",
        "own.toml: figures[1].use",
        "own.toml: figures[1].unit",
        "own.toml: figures[3].name",
    ]


def test_a_name_that_stands_for_nothing_is_told_at_every_figure_that_uses_it():
    issues = told({**FIGURE, "drug": "nothing"}, {**FIGURE, "drug": "nothing", "name": "b"})
    assert [w for w, *_ in issues] == ["own.toml: figures[1].drug", "own.toml: figures[2].drug"]


def test_the_librarys_file_is_read_by_its_name_and_is_no_fit():
    evidence = load_evidence()
    assert evidence.title and evidence.text and evidence.name == "exposures"
    assert "exposures" not in library.names("fit") and library.names("exposures") == ["exposures"]
    assert {f.drug for f in evidence.of("drugs/oxaliplatin")} == {"oxaliplatin"}


def test_a_file_of_ones_own_is_read_by_its_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[exposures]\ntitle = "mine"\n[[figures]]\n'
        + "\n".join(f"{k} = {v!r}" for k, v in FIGURE.items())
        + "\n"
    )
    [f] = load_evidence(path).figures
    assert f.place == f"{path}: figures[1]"


@pytest.mark.parametrize(
    ("spread", "key", "what"),
    [
        ({"sd": 8e11}, "sd", "800000000000.0 is over 5 times the value, so that everything is inside"),
        ({"cv": 25}, "cv", "25 is over 5 times the value, so that everything is inside"),
        ({"range": [-1, 3]}, "range", "[-1, 3] is not two numbers around 0.8"),
        (
            {"interval": [0.5, 1e12], "level": 0.9},
            "interval",
            "[0.5, 1000000000000.0] is not two numbers around 0.8",
        ),
    ],
)
def test_a_spread_in_which_everything_would_be_inside_is_refused(spread, key, what):
    [(where, told_what, remedy)] = told({**FIGURE, **spread})
    assert (where, told_what) == (f"own.toml: figures[1].{key}", what)
    assert remedy == (
        "a cv of 30 % is cv = 0.3; an sd is in the value's unit"
        if key in ("sd", "cv")
        else f"write {key} = [LOW, HIGH]"
    )
