"""Regimen files of several courses: what they say, what is refused, and the combinations of the library."""

import pytest

from pkpd import Regimen, cycles, load_model, load_parameters, load_regimen, lower, typical
from pkpd.content import library
from pkpd.errors import ContentError
from pkpd.regimen.reading import read_regimen
from pkpd.regimen.regimen import Reduction


def told(call) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        call()
    return [(i.where, i.what, i.remedy) for i in caught.value.issues]


HEAD = {"title": "own", "reference": "assumption", "text": "made up"}


def read(*courses: dict, **more) -> Regimen:
    return read_regimen({"regimen": HEAD, "courses": list(courses), **more}, "own.toml", "own.toml")


def refused(issue: tuple[str, str, str], *courses: dict, **more) -> None:
    assert told(lambda: read(*courses, **more)) == [issue]


def test_a_file_of_courses_says_what_python_says():
    own = read(
        {
            "use": "folfox4",
            "cycles": 4,
            "delays": {"3": "7 day"},
            "reduce": [
                {"factor": 0.75, "drugs": ["oxaliplatin"], "cycles": "3-"},
                {"factor": 0, "cycles": "2"},
            ],
        },
        {"use": "cetuximab_weekly", "start": "7 day", "cycles": 8},
        {"use": "mfolfox6", "after": True, "start": "2 week"},
    )
    folfox = (
        load_regimen("folfox4")
        .cycles(4)
        .delayed({3: "7 day"})
        .reduced(0.75, ["oxaliplatin"], "3-")
        .reduced(0, cycles="2")
    )
    weekly = load_regimen("cetuximab_weekly").starting("7 day").cycles(8)
    said = (folfox + weekly).then(load_regimen("mfolfox6").starting("14 day"))
    assert own.courses == said.courses
    assert (own.name, own.title, own.reference, own.text) == ("own.toml", "own", "assumption", "made up")
    assert own.courses[0].reductions[0] == Reduction(0.75, ("oxaliplatin",), "3-")
    assert [d.tolist() for d in own.cycles(7).days()] == [
        [0, 14, 35, 49],
        [7, 14, 21, 28, 35, 42, 49, 56],
        [77, 91],
    ]


def test_a_file_may_use_one_of_several_courses():
    inner = read({"use": "nivolumab_ipilimumab"}, {"use": "bevacizumab_5_q2w"})
    assert [c.name for c in inner.courses] == [
        "nivolumab_3_q3w",
        "ipilimumab_1_q3w",
        "nivolumab_240_q2w",
        "bevacizumab_5_q2w",
    ]
    assert inner.courses[2].after == (1, 2)


def test_a_file_may_use_a_file_of_one_s_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[regimen]\ntitle = "t"\ncycle = "14 day"\n[[doses]]\ndrug = "a"\namount = "5 mg"\n')
    assert [(d.drug, d.amount) for d in read({"use": str(path)}).doses] == [("a", 5)]


def test_a_file_that_leads_back_to_itself_is_refused(tmp_path):
    for one, other in (("x", "y"), ("y", "x")):
        (tmp_path / f"{one}.toml").write_text(
            f'[regimen]\ntitle = "t"\n[[courses]]\nuse = "{tmp_path}/{other}.toml"\n'
        )
    issues = told(lambda: load_regimen(tmp_path / "x.toml"))
    assert [i[1:] for i in issues] == [
        (f"'{tmp_path}/y.toml' leads back to itself", "use a regimen that stands on its own")
    ]


@pytest.mark.parametrize(
    ("entry", "issue"),
    [
        ({}, (".use", "is missing", 'add use = "…"')),
        ({"use": "folfox5"}, (".use", "'folfox5': no regimen of this name in the library", None)),
        ({"use": "folfox4", "cycle": 3}, (".cycle", "unknown key", "did you mean 'cycles'?")),
        (
            {"use": "folfox4", "cycles": "4"},
            (".cycles", "'4' is not a number of cycles", "give a whole number from 0 to 1000"),
        ),
        (
            {"use": "tremelimumab_300_once", "after": True},
            (".after", "follows no course", "write after = true in a course below those it follows"),
        ),
        (
            {"use": "folfox4", "start": "-1 day"},
            (".start", "'-1 day' is no time to start at", 'give a time of zero or more: "14 day"'),
        ),
        (
            {"use": "folfox4", "delays": {"a": "7 day"}},
            (
                ".delays",
                "{'a': '7 day'} does not say which cycle is late by how much",
                'number cycles from 1: delays = { 3 = "7 day" }; in Python {3: "7 day"}',
            ),
        ),
        (
            {"use": "folfox4", "delays": 7},
            (
                ".delays",
                "7 does not say which cycle is late by how much",
                'number cycles from 1: delays = { 3 = "7 day" }; in Python {3: "7 day"}',
            ),
        ),
        (
            {"use": "folfox4", "reduce": [{"cycles": "2"}]},
            (
                ".reduce[1].factor",
                "is missing",
                "give what is left of a dose, from 0 (a missed one) to less than 1: factor = 0.75",
            ),
        ),
        (
            {"use": "folfox4", "reduce": [{"factor": 0.5, "drugs": ["cetuximab"]}]},
            (
                ".reduce[1].drugs",
                "folfox4 gives no 'cetuximab'",
                "known here: fluorouracil, leucovorin, oxaliplatin",
            ),
        ),
        (
            {"use": "folfox4", "reduce": [{"factor": 0.5, "drugs": []}]},
            (
                ".reduce[1].drugs",
                "[] is not a list of drugs",
                'write drugs = ["oxaliplatin"]; all, if left out',
            ),
        ),
        (
            {"use": "folfox4", "reduce": [{"factor": 0.5, "cycles": ""}]},
            (".reduce[1].cycles", "'' does not say which cycles", None),
        ),
        (
            {"use": "folfox4", "cycles": 4, "reduce": [{"factor": 0.5, "cycles": "5-"}]},
            (".reduce[1].cycles", "folfox4 has no cycle 5-", "reduce a cycle that is given"),
        ),
        (
            {"use": "folfox4", "cycles": 4, "delays": {"5": "7 day"}},
            (".delays", "folfox4 has no cycle 5 of 4", "delay a cycle that is given"),
        ),
        (
            {"use": "folfox4", "reduce": 3},
            (".reduce", "3 is not a list of tables", "write reduce = [{ … }, …]"),
        ),
    ],
)
def test_a_course_that_cannot_be_followed_is_refused(entry, issue):
    ((where, what, remedy),) = told(lambda: read(entry))
    assert (where, what) == (f"own.toml: courses[1]{issue[0]}", issue[1]) and issue[2] in (remedy, None)


def test_a_course_after_one_without_end_is_refused():
    refused(
        (
            "own.toml: courses[2].after",
            "folfox4 goes on without end, so that nothing comes after it",
            "give it a number of cycles: in Python a.cycles(4), in a file cycles = 4",
        ),
        {"use": "folfox4"},
        {"use": "cetuximab_weekly", "after": True},
    )
    refused(
        (
            "own.toml: courses[2].after",
            "False is not true",
            "write after = true in a course below those it follows",
        ),
        {"use": "folfox4", "cycles": 2},
        {"use": "cetuximab_weekly", "after": False},
    )


def test_doses_and_rules_have_no_place_beside_courses():
    remedy = "write it in the file of a course, and `use` that"
    data = {"regimen": {**HEAD, "cycle": "14 day"}, "courses": [{"use": "folfox4"}], "doses": [], "rules": []}
    assert told(lambda: read_regimen(data, "own.toml", "own.toml")) == [
        ("own.toml: doses", "has no place beside courses", remedy),
        ("own.toml: rules", "has no place beside courses", remedy),
        ("own.toml: regimen.cycle", "has no place beside courses", remedy),
    ]


@pytest.mark.parametrize(("courses", "what"), [([], "holds no course"), (3, "3 is not a list of tables")])
def test_courses_that_are_none_are_refused(courses, what):
    (where, told_what, _), *_ = told(
        lambda: read_regimen({"regimen": HEAD, "courses": courses}, "own.toml", "own.toml")
    )
    assert (where, told_what) == ("own.toml: courses", what)


def test_faults_of_all_courses_are_told_at_once():
    issues = told(
        lambda: read({"use": "folfox5"}, {"use": "folfox4", "cycles": -1, "start": "x"}, {"zzz": 1})
    )
    assert [i[0] for i in issues] == [
        "own.toml: courses[3].zzz",
        "own.toml: courses[1].use",
        "own.toml: courses[2].start",
        "own.toml: courses[2].cycles",
        "own.toml: courses[3].use",
    ]


# --- combinations of the library --------------------------------------


def agenda(name: str, count: int | None = None) -> dict[str, list[int]]:
    """The days on which cycles of each course begin."""
    regimen = load_regimen(name)
    whole = regimen if count is None else regimen.cycles(count)
    return {c.name: [int(t) for t in own] for c, own in zip(whole.courses, whole.days(), strict=True)}


def test_weekly_cetuximab_is_given_twice_as_often_as_folfox4():
    assert agenda("folfox4_cetuximab_weekly", 2) == {"folfox4": [0, 14], "cetuximab_weekly": [0, 7, 14, 21]}


def test_nivolumab_follows_four_doses_with_ipilimumab():
    assert agenda("nivolumab_ipilimumab", 6) == {
        "nivolumab_3_q3w": [0, 21, 42, 63],
        "ipilimumab_1_q3w": [0, 21, 42, 63],
        "nivolumab_240_q2w": [84, 98, 112],
    }


def test_dostarlimab_is_given_every_three_weeks_four_times_and_then_twice_as_much_every_six():
    """Weeks 0, 3, 6 and 9, then 12, 18 and 24, as in GARNET's part 2B."""
    from pkpd.show.calendar import agenda as doses_until

    given = [
        (g.start / 7, g.line.amount)
        for g in doses_until(load_regimen("dostarlimab_500_q3w_1000_q6w"), 7 * 25)
    ]
    assert given == [(0, 500), (3, 500), (6, 500), (9, 500), (12, 1000), (18, 1000), (24, 1000)]


@pytest.mark.parametrize(
    ("name", "times"),
    [("sbrt_3x20", 3), ("sbrt_1x35", 1), ("radioembolisation_1_5", 1), ("tremelimumab_300_once", 1)],
)
def test_what_is_given_once_is_not_given_again_in_later_cycles(name, times):
    regimen = load_regimen(name)
    given = [sum(regimen.share(line, range(1, 7))) * len(line.days) for line in regimen.doses]
    assert given == [times] * len(given)


def test_tremelimumab_is_given_once():
    assert agenda("durvalumab_tremelimumab", 3) == {
        "durvalumab_1500_q4w": [0, 28, 56],
        "tremelimumab_300_once": [0],
    }


def test_balstilimab_is_given_three_times_as_often_as_botensilimab():
    assert agenda("botensilimab_balstilimab", 1) == {
        "botensilimab_75_q6w": [0],
        "balstilimab_240_q2w": [0, 14, 28],
    }


@pytest.mark.parametrize(
    ("name", "amounts"),
    [
        ("folfox7", {"oxaliplatin": [130], "leucovorin": [400], "fluorouracil": [400, 2400]}),
        ("capox", {"oxaliplatin": [130], "capecitabine": [1000, 1000]}),
        ("folfiri", {"irinotecan": [180], "leucovorin": [200], "fluorouracil": [400, 2400]}),
        (
            "folfoxiri",
            {"irinotecan": [165], "oxaliplatin": [85], "leucovorin": [200], "fluorouracil": [3200]},
        ),
    ],
)
def test_doses_are_as_published(name, amounts):
    doses = load_regimen(name).doses
    assert {d: [x.amount for x in doses if x.drug == d] for d in load_regimen(name).drugs} == amounts


@pytest.mark.parametrize("name", library.names("regimen"))
def test_every_drug_of_a_regimen_can_be_given_alone_to_its_own_model(name):
    regimen = load_regimen(name)
    for drug in (d for d in regimen.drugs if f"drugs/{d}" in library.names("model")):
        model, own = load_model(f"drugs/{drug}"), regimen.only(drug)
        people = typical(model, load_parameters((), model))
        schedule = lower(own, model, people, cycles(own, model, 2 if own.open else None))
        assert len(schedule.time) and {model.states[i] for i in schedule.index} <= {
            c.name for c in model.compartments if c.dose
        }
