"""A regimen for a reader: words, tables, the calendar of the first weeks, data, and the dosing diagram."""

import io
import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from rich.console import Console

from pkpd import load_regimen
from pkpd.content import library
from pkpd.regimen.doses import Band, DoseLine
from pkpd.show.calendar import agenda, calendar, shown_for
from pkpd.show.dosing_diagram import dosing_diagram, image
from pkpd.show.regimen import (
    amount_text,
    course_text,
    cycles_text,
    days_text,
    departures,
    print_regimen,
    show_regimen,
    time_text,
)

MFOLFOX6 = load_regimen("mfolfox6")
HISTORY = MFOLFOX6.cycles(3).delayed({2: "7 day"}).reduced(0.75, ["oxaliplatin"], "2-").reduced(
    0, ["fluorouracil"], "2"
) + load_regimen("cetuximab_weekly")


def printed(regimen) -> str:
    console = Console(file=io.StringIO(), width=110)
    print_regimen(regimen, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


# --- words ------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "words"),
    [(1 / 48, "30 min"), (1 / 16, "90 min"), (1 / 12, "2 h"), (46 / 24, "46 h"), (14, "14 days")],
)
def test_a_time_is_in_the_unit_that_a_person_would_use(days, words):
    assert time_text(days) == words


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "85 mg/m²"),
        ({"per": "WT"}, "85 mg/kg"),
        ({"per": ""}, "85 mg"),
        ({"form": "racemate"}, "85 mg/m² (racemate)"),
        ({"cap": 2.0, "round": 5.0}, "85 mg/m², capped at 2 m², to the nearest 5 mg"),
        (
            {"bands": (Band(0, 1.6, 120), Band(1.6, 2, 150), Band(2, float("inf"), 180))},
            "below 1.6 → 120; from 1.6 below 2 → 150; from 2 → 180 mg by BSA in m²",
        ),
    ],
)
def test_an_amount_reads_as_it_is_prescribed(more, words):
    assert amount_text(replace(DoseLine("a", 85, "mg", "BSA", (1,)), **more)) == words


@pytest.mark.parametrize(
    ("days", "words"),
    [((1,), "1"), ((1, 2), "1 and 2"), ((1, 8, 15), "1, 8 and 15"), (tuple(range(1, 15)), "1–14")],
)
def test_days_read_as_a_person_would_write_them(days, words):
    assert days_text(days) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "every"),
        ("1", "1"),
        ("1-4", "1–4"),
        ("2-", "from 2 on"),
        ("5-/2", "every 2nd from 5 on"),
        ("1, 3, 5-9/3", "1, 3 and every 3rd 5–9"),
    ],
)
def test_cycles_read_as_a_person_would_write_them(text, words):
    assert cycles_text(text) == words


def test_a_course_says_when_it_is_given():
    regimen = load_regimen("nivolumab_ipilimumab")
    assert [course_text(c, regimen) for c in regimen.courses] == [
        "4 cycles of 21 days",
        "4 cycles of 21 days",
        "cycles of 14 days, after nivolumab_3_q3w and ipilimumab_1_q3w, for as long as asked for",
    ]
    later = MFOLFOX6.cycles(1).starting("14 day")
    assert course_text(later, later) == "1 cycle of 14 days, from day 15"


def test_what_was_given_otherwise_than_planned_is_told():
    assert departures(HISTORY.courses[0]) == [
        "cycle 2 and those after it: 7 days late",
        "cycles from 2 on: 75 % of oxaliplatin",
        "cycle 2: no fluorouracil",
    ]
    assert departures(HISTORY.reduced(0.5, ["cetuximab", "leucovorin"]).courses[1]) == [
        "every cycle: 50 % of cetuximab"
    ]
    assert departures(MFOLFOX6.delayed({2: "1 day"}).delayed({3: "3 day"})) == [
        "cycle 2 and those after it: 1 day late",
        "cycle 3 and those after it: 3 days late",
    ]
    assert departures(MFOLFOX6.reduced(0.5)) == [
        "every cycle: 50 % of oxaliplatin, leucovorin and fluorouracil"
    ]


# --- the agenda and the calendar --------------------------------------


def test_an_agenda_has_every_dose_with_its_day_and_share():
    given = [
        (g.line.drug, round(g.start, 3), round(g.end, 3), g.share)
        for g in agenda(HISTORY, 22.0)
        if g.course == 1
    ]
    assert given == [
        ("oxaliplatin", 0, 0.083, 1),
        ("leucovorin", 0, 0.083, 1),
        ("fluorouracil", 0.083, 0.083, 1),
        ("fluorouracil", 0.083, 2, 1),
        ("oxaliplatin", 21, 21.083, 0.75),
        ("leucovorin", 21, 21.083, 1),
        ("fluorouracil", 21.083, 21.083, 0),
        ("fluorouracil", 21.083, 23, 0),
    ]
    assert [g.start for g in agenda(HISTORY, 22.0) if g.course == 2] == [0, 7, 14, 21]


@pytest.mark.parametrize(
    ("name", "weeks"),
    [
        ("folfox4", 4),
        ("cetuximab_weekly", 4),
        ("capox", 6),
        ("botensilimab_balstilimab", 12),
        ("nivolumab_ipilimumab", 16),
        ("dostarlimab_500_q3w_1000_q6w", 21),
        ("radioembolisation_1_5", 12),
        ("sbrt_3x20", 4),
    ],
)
def test_a_calendar_shows_every_dose_twice(name, weeks):
    assert shown_for(load_regimen(name)) == 7 * weeks


def test_the_calendar_of_a_history_is_what_happened():
    assert calendar(HISTORY, 28.0) == [
        "day               1     ·  ·  ·  ·  ·  8     ·  ·  ·  ·  ·  15    ·  ·  ·  ·  ·  22    ·  ·  ·  ·  "
        "·",
        "mfolfox6          1                                                              2",
        "  oxaliplatin     ■                                                              ■",
        "  leucovorin      ■                                                              ■",
        "  fluorouracil    ●■ ─                                                           ×",
        "cetuximab_weekly  1                    2                    3                    4",
        "  cetuximab       ■                    ■                    ■                    ■",
        "",
        "● at once, ■ infusion begins, ─ and goes on, × missed; numbers are those of the cycles",
    ]


def test_a_calendar_leaves_out_courses_that_are_not_running():
    lines = calendar(load_regimen("nivolumab_ipilimumab"), 112.0)
    assert sum(line.startswith("nivolumab_240_q2w") for line in lines) == 1
    assert sum(line.startswith("ipilimumab_1_q3w") for line in lines) == 3


@pytest.mark.parametrize("name", library.names("regimen"))
def test_every_regimen_prints_within_its_width_and_names_its_drugs(name):
    text = printed(load_regimen(name))
    assert max(map(len, text.splitlines())) <= 115
    assert all(drug in text for drug in load_regimen(name).drugs) and "Research software: not advice" in text


def test_a_calendar_under_rules_is_the_plan():
    assert "The first 4 weeks, as planned" in printed(load_regimen("mfolfox6_neutrophil_rules"))
    assert "The first 4 weeks\n" in printed(MFOLFOX6)


def test_a_text_of_several_lines_is_told_as_one():
    assert printed(replace(MFOLFOX6, text="\nof two\nlines\n")).splitlines()[1] == "of two lines"


def test_doses_that_differ_in_the_hour_alone_are_one_row():
    (row,) = (
        line
        for line in printed(load_regimen("capox")).splitlines()
        if "capecitabine" in line and "mg/m²" in line
    )
    assert row.split() == ["1–14", "capecitabine", "1000", "mg/m²", "0", "and", "12", "at", "once", "every"]


# --- as data ----------------------------------------------------------


@pytest.mark.parametrize("name", library.names("regimen"))
def test_a_regimen_as_data_is_json_and_whole(name):
    described = show_regimen(load_regimen(name))
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert [d["drug"] for c in described["courses"] for d in c["doses"]] == [
        d.drug for d in load_regimen(name).doses
    ]
    assert all(described["references"].values())


def test_data_hold_delays_reductions_and_what_follows_what():
    first, second = show_regimen(HISTORY)["courses"]
    assert (first["cycles"], first["delays"]) == (3, [{"cycle": 2, "days": 7.0}])
    assert first["reductions"][0] == {"factor": 0.75, "drugs": ["oxaliplatin"], "cycles": "2-"}
    assert second["cycles"] is None and second["doses"][1]["words"] == "250 mg/m² over 1 h"
    assert show_regimen(load_regimen("nivolumab_ipilimumab"))["courses"][2]["after"] == [1, 2]


# --- the diagram ------------------------------------------------------


@pytest.mark.parametrize(
    "name", [n for n in library.names("regimen") if load_regimen(n).parts or n in ("folfox4", "capox")]
)
def test_no_two_texts_of_a_diagram_overlap_and_none_leaves_it(name):
    picture = dosing_diagram(load_regimen(name))
    canvas = FigureCanvasAgg(picture)
    canvas.draw()
    (axes,) = picture.axes
    texts = [t for t in (*axes.texts, *axes.get_xticklabels(), *picture.texts) if t.get_text()]
    boxes = [(t.get_text(), t.get_window_extent()) for t in texts]
    for i, (one, a) in enumerate(boxes):
        assert a.x0 >= 0 and a.x1 <= picture.bbox.x1 and a.y0 >= 0 and a.y1 <= picture.bbox.y1, one
        assert not [two for two, b in boxes[i + 1 :] if a.overlaps(b)], one


def test_a_diagram_draws_each_bolus_infusion_and_missed_dose():
    """Two cycles of mFOLFOX6, the second without 5-FU, and four weeks of cetuximab."""
    (axes,) = dosing_diagram(HISTORY, 28.0).axes
    bars = [p for p in axes.patches if p.get_height() < 0]
    assert (
        len(bars) == 3 + 2 + 4
    )  # oxaliplatin, leucovorin and the pump, twice less the missed pump; cetuximab
    heights = sorted({round(-b.get_height(), 3) for b in bars})
    assert heights == [0.15, 0.2]
    pump = max(bars, key=lambda b: b.get_width())
    assert pump.get_width() == pytest.approx(46 / 24) and pump.get_x() == pytest.approx(2 / 24)
    marks = [line.get_marker() for line in axes.lines]
    assert marks.count("x") == 2 and marks.count("o") == 1
    words = [t.get_text() for t in axes.texts]
    assert "2400 mg/m² over 46 h, day 1" in words and "400 mg/m² at once, day 1" in words


def test_the_same_diagram_is_the_same_file():
    for suffix in (".svg", ".png"):
        assert image(dosing_diagram(MFOLFOX6), suffix) == image(dosing_diagram(MFOLFOX6), suffix)
    assert ElementTree.fromstring(image(dosing_diagram(MFOLFOX6), ".svg")).tag.endswith("svg")


# --- the command line -------------------------------------------------


@pytest.fixture
def pkpd(monkeypatch, capsys):
    from pkpd.commands import cli

    def run(*args) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["pkpd", *map(str, args)])
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, " ".join(said.err.split())

    return run


def test_show_prints_doses_and_calendar(pkpd):
    code, said, _ = pkpd("show", "folfox4_cetuximab_weekly")
    assert code == 0 and "The first 4 weeks" in said
    assert "The number of cycles asked for is that of folfox4, 14 days each." in said


def test_show_gives_the_regimen_as_json_alone(pkpd):
    code, said, _ = pkpd("show", "capox", "--json")
    from pkpd.content.formats import stamped

    assert code == 0 and json.loads(said) == stamped(show_regimen(load_regimen("capox")))


@pytest.mark.parametrize(("suffix", "begins"), [(".svg", b"<?xml"), (".png", b"\x89PNG")])
def test_show_draws_the_doses(pkpd, tmp_path, suffix, begins):
    path = tmp_path / f"dosing{suffix}"
    code, said, _ = pkpd("show", "mfolfox6", "--diagram", path)
    assert code == 0 and path.read_bytes().startswith(begins) and "written" in said


def test_a_diagram_of_another_kind_is_refused(pkpd, tmp_path):
    code, _, said = pkpd("show", "mfolfox6", "--diagram", tmp_path / "dosing.pdf")
    assert code == 2 and "is neither .svg nor .png" in said and not list(tmp_path.iterdir())
    code, _, said = pkpd("show", "eortc_40983", "--diagram", tmp_path / "a.svg")
    assert code == 2 and "'eortc_40983' is neither model nor regimen" in said


def test_simulate_gives_a_regimen_its_own_number_of_cycles(pkpd, tmp_path):
    import pandas as pd

    path = tmp_path / "own.toml"
    path.write_text(
        '[regimen]\ntitle = "t"\nreference = "assumption"\n[[courses]]\nuse = "mfolfox6"\ncycles = 2\n'
    )
    out = tmp_path / "a.csv"
    common = (
        "simulate",
        "folfox_auc_linear",
        "--regimen",
        path,
        "--patients",
        2,
        "--until",
        "60 day",
        "--out",
        out,
    )
    assert pkpd(*common)[0] == 0
    amount = pd.read_csv(out).query("ID == 1")["fluorouracil.central"].to_numpy()
    assert [day for day in range(1, 61) if amount[day] > 1] == [
        1,
        2,
        15,
        16,
    ]  # the pump runs until a cycle's second day is over
    code, _, said = pkpd(*common, "--cycles", 6)
    assert code == 2 and "has its own number of cycles" in said


def words_of(name: str) -> list[str]:
    (axes,) = dosing_diagram(load_regimen(name)).axes
    return [t.get_text() for t in axes.texts]


def test_a_diagram_says_how_often_a_day_a_drug_is_taken():
    assert "1000 mg/m² at once, twice a day, days 1–14" in words_of("capox")
    assert "160 mg at once, days 1–21" in words_of("regorafenib_160")


def test_a_diagram_of_a_regimen_with_rules_says_that_it_is_the_plan():
    told = [
        dosing_diagram(load_regimen(n)).axes[0].get_xlabel()
        for n in ("mfolfox6", "mfolfox6_neutrophil_rules")
    ]
    assert told == ["day of treatment", "day of treatment, as planned: rules may hold, reduce or stop"]


def test_the_words_below_a_diagram_stay_on_it():
    picture = dosing_diagram(HISTORY)
    FigureCanvasAgg(picture).draw()
    (legend,) = picture.legends
    box = legend.get_window_extent()
    assert len(legend.get_texts()) == 5 and box.x0 >= 0 and box.x1 <= picture.bbox.x1


def test_a_title_is_drawn_as_it_is_written():
    picture = dosing_diagram(replace(MFOLFOX6, title=r"$\frac{$ a cycle"))
    FigureCanvasAgg(picture).draw()
    assert [t.get_text() for t in picture.texts] == [r"$\frac{$ a cycle"] and image(picture, ".png")
