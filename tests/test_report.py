"""The report of a study: a page that stands alone, rows for machines, and nothing half-written."""

from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pkpd.errors import OutputError
from pkpd.parameters.sets import load_parameters
from pkpd.report import cycles_figures, writing
from pkpd.report.cycles import COLUMNS, write_cycles
from pkpd.report.cycles_sentences import amount, cell, picked, says, view
from pkpd.show.style import svg
from pkpd.study.kinds import load_study
from pkpd.study.neoadjuvant import FIGURES, basis
from pkpd.study.run import StudyResult
from pkpd.trial.reading import load_trial

LINKS = {"effect_site_emax": 0.0, "auc_linear": -0.9, "damage_transit": 0.6}


def _free(name, line, prior, low, high, median, at_low, at_high, contraction):
    return {
        "name": name,
        "line": line,
        "prior": prior,
        "prior_low": low,
        "prior_high": high,
        "median": median,
        "low": at_low,
        "high": at_high,
        "contraction": contraction,
    }


ACCOUNT = {
    "name": "eortc_40983",
    "trial": "eortc_40983",
    "figures": ["a", "b", "c", "d", "e", "f", "g"],
    "version": "0.1.0",
    "link": "effect_site_emax",
    "patients": 1500,
    "evaluations": 4210,
    "acceptance": 0.412,
    "autocorrelation_steps": 9.1,
    "best_log_posterior": -6.2,
    "distance_squared": 3.42,
    "start_log_posteriors": [-6.5, -6.3, -7.0, -6.4],
    "free": [
        _free("occult disease present", "occult.PRESENT", 0.8, 0.45, 0.95, 0.77, 0.68, 0.85, 0.62),
        _free(
            "cells of an occult focus (median before truncation)",
            "occult.N0",
            1e5,
            1e2,
            1e8,
            4.1e5,
            9e3,
            8.2e6,
            0.41,
        ),
        _free(
            "occult log-kill a cycle, where sensitive", "occult.SENS", 0.5, 0.1, 2.4, 0.55, 0.14, 2.1, 0.11
        ),
        _free("visible log-kill a cycle", "kill.SENS", 0.336, 0.17, 0.67, 0.33, 0.17, 0.65, 0.03),
    ],
}


def _values(before: int, after: int, shift: float) -> dict[str, tuple[float | None, float]]:
    """Made-up values and half-intervals that look like the real ones."""
    kill = 1 - math.exp(-before / 4)
    wait = 24 + (14 * (before - 1) + 26 if before else 0)
    pfs = 28.3 + 7.2 * (1 - math.exp(-(before + after) / 5)) - 0.05 * before**1.5 + shift
    return {
        "response": (62 * kill, 9),
        "vanished_all": (19 * kill, 5),
        "vanished_small": (55 * kill, 11),
        "resected": (83 - 0.3 * before, 3),
        "time_to_surgery": (wait, 3),
        "pfs_median": (11.5 + 0.9 * (pfs - 28.3), 3.1),
        "pfs_3y": (pfs, 6.3),
    }


def _rows(sweep: str, before: int, after: int, link: str) -> list[dict]:
    shift = LINKS[link] * (1 + before / 12)
    here, there = _values(before, after, shift if before + after else 0.0), _values(6, 6, LINKS[link] * 1.5)
    half_gap = 0.35 * abs(before + after - 12) + 0.6 * abs(before - 6) ** 0.5
    rows = []
    for figure, (value, half) in here.items():
        gap = value - there[figure][0]
        rows.append(
            {
                "sweep": sweep,
                "before": before,
                "after": after,
                "link": link,
                "vanished": "searched",
                "basis": basis(load_study("neoadjuvant_cycles"), (before, after)),
                "figure": figure,
                "unit": FIGURES[figure][0],
                "value": value,
                "low": max(value - half, 0),
                "high": value + half,
                "informed": before in (0, 6),
                "difference": {"value": gap, "low": gap - half_gap, "high": gap + half_gap},
            }
        )
    return rows


def made_up() -> StudyResult:
    """A result with realistic numbers that took no simulation."""
    study, trial = load_study("neoadjuvant_cycles"), load_trial("eortc_40983")
    parameters = load_parameters("crlm_resectable", trial.disease)
    rows = [
        r for s in study.sweeps for b in s.before for x in LINKS for r in _rows(s.name, b, s.after_for(b), x)
    ]
    alone = [r for x in LINKS for r in _rows("surgery_alone", 0, 0, x)]
    return StudyResult(study, trial, parameters, ACCOUNT, tuple(rows), tuple(alone))


def test_patients_who_failed_are_on_the_page(tmp_path):
    told = "6 + 6, damage, draw 1, patient 2, day 3: the steps became too small"
    page = write_cycles(replace(made_up(), failures=(told,)), tmp_path).read_text()
    assert (
        "Patients whose equations could not be solved" in page
        and told in page
        and "count in no figure" in page
    )
    assert json.loads((tmp_path / "results.json").read_text())["failures"] == [told]


@pytest.fixture(scope="module")
def result() -> StudyResult:
    return made_up()


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory) -> Path:
    return write_cycles(result, tmp_path_factory.mktemp("report") / "new").parent


@pytest.fixture(scope="module")
def page(folder) -> str:
    return (folder / "index.html").read_text(encoding="utf-8")


@pytest.fixture
def undrawn(monkeypatch) -> None:
    """Figures are made but not drawn, which takes most of the time of a page."""
    monkeypatch.setattr(writing, "svg", lambda picture: "<svg/>")


def _with(result: StudyResult, change) -> StudyResult:
    return replace(result, rows=tuple(change(dict(r)) for r in result.rows))


def _texts(picture) -> list[str]:
    found = [t.get_text() for a in picture.axes for t in (*a.texts, a.title, a.xaxis.label, a.yaxis.label)]
    found += [a.get_title(loc="left") for a in picture.axes]
    return found + [t.get_text() for legend in picture.legends for t in legend.get_texts()]


def test_the_page_loads_nothing_from_elsewhere(page):
    assert not re.search(r"<(script|link|iframe|object|embed)\b", page)
    assert not re.search(r"@import|url\(", page)
    assert all(
        a.startswith(("data:image/svg+xml;base64,", "#")) for a in re.findall(r'(?:src|href)="([^"]*)"', page)
    )


def test_the_drawn_figures_load_nothing_from_elsewhere(folder):
    drawn = sorted((folder / "figures").glob("*.svg"))
    assert [d.stem for d in drawn] == ["before_operation", "difference_3y", "progression_free"]
    for d in drawn:
        assert all(a.startswith("#") for a in re.findall(r'href="([^"]*)"', d.read_text(encoding="utf-8")))


def test_the_page_says_what_it_is_not(page, folder):
    data = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert list(data)[:2] == ["format", "version"] and data["format"] == 1
    assert data["notice"] == "Research software: a simulation, not advice on any patient."
    assert page.count(data["notice"]) == 2
    assert "Toxicity, injury of the liver and cost are not modelled." in page


def test_every_row_of_the_csv_is_a_row_of_the_json(folder):
    data = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    rows = [*data["rows"], *data["reference"]]
    assert len(table) == len(rows) == 27 * 3 * len(FIGURES)
    for flat, row in zip(table, rows, strict=True):
        full = {
            **{k: v for k, v in row.items() if k != "difference"},
            "difference": row["difference"]["value"],
            "difference_low": row["difference"]["low"],
            "difference_high": row["difference"]["high"],
        }
        assert list(flat) == list(COLUMNS)
        for key, value in full.items():
            told = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
            assert flat[key] == told


def test_the_json_carries_provenance_and_versions(folder):
    data = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert {"study", "title", "trial", "fit", "link", "rows", "reference", "provenance", "notice"} <= set(
        data
    )
    names = {line["name"] for line in data["provenance"]}
    assert {
        "cut",
        "occult.N0",
        "KRAS",
        "oxaliplatin.CL",
        "effect.EC50OX",
        "damage.KTR",
        "adherence: drop_before",
    } <= names
    assert all(line["seen"] for line in data["provenance"])
    assert data["made"]["seed"] == 7 and data["made"]["pkpd"]


def test_the_same_result_gives_the_same_files(result, folder, page, tmp_path, undrawn):
    again = write_cycles(result, tmp_path).read_text(encoding="utf-8")
    for name in ("results.json", "results.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    assert re.sub('base64,[^"]*', "", again) == re.sub('base64,[^"]*', "", page)


def test_a_figure_drawn_again_is_the_same(result, folder):
    drawn = svg(cycles_figures.difference_figure(result.rows, result.study))
    assert drawn == (folder / "figures" / "difference_3y.svg").read_text(encoding="utf-8")


def test_the_two_month_line_is_drawn_where_it_falls_and_named(result):
    picture = cycles_figures.sweep_figure(result.rows, result.reference, result.study, ("pfs_3y",))
    assert len(picture.axes) == 2
    for axis in picture.axes:
        assert "ESMO 2023 limit: 2 months" in [t.get_text() for t in axis.texts]
        assert any(list(line.get_xdata()) == pytest.approx([60.875 / 14] * 2) for line in axis.lines)


def test_sweeps_that_agree_share_a_panel(result):
    assert (
        len(cycles_figures.sweep_figure(result.rows, result.reference, result.study, ("response",)).axes) == 1
    )
    assert cycles_figures.merged(result.rows, "time_to_surgery", result.study)
    assert not cycles_figures.merged(result.rows, "pfs_3y", result.study)


def test_every_panel_names_its_axes_with_units(result):
    pictures = [
        cycles_figures.sweep_figure(result.rows, result.reference, result.study, FIGURES),
        cycles_figures.difference_figure(result.rows, result.study),
    ]
    for axis in (a for p in pictures for a in p.axes if a.get_visible()):
        assert axis.get_xlabel() == "cycles before the operation"
        assert re.search("%|days|months|percentage points", axis.get_ylabel())


def test_points_of_the_trial_are_told_from_extrapolation(result):
    words = _texts(cycles_figures.sweep_figure(result.rows, result.reference, result.study, ("pfs_3y",)))
    assert "the trial’s treated arm (6 before, 6 after)" in words
    assert "extrapolation by the model" in words
    assert "surgery alone, simulated" in words
    kinds = [r["basis"] for r in result.rows if r["figure"] == "pfs_3y" and r["link"] == "auc_linear"]
    assert kinds == ["trial, in part", *["extrapolated"] * 5, "trial", *["extrapolated"] * 6] * 2


def test_a_median_that_is_not_reached_is_called_so(result, tmp_path, undrawn):
    def change(row):
        if row["figure"] == "pfs_median" and row["before"] == 6:
            row |= {"value": None, "low": None, "high": None}
        elif row["figure"] == "pfs_median":
            row["high"] = None
        return row

    changed = _with(result, change)
    text = write_cycles(changed, tmp_path).read_text(encoding="utf-8")
    assert "<td>not reached</td>" in text
    assert "–not reached)" in text
    assert "None" not in re.sub(r"base64,[^\"]*", "", text)
    assert "median not reached" in _texts(
        cycles_figures.sweep_figure(changed.rows, (), changed.study, ("pfs_median",))
    )
    table = csv.DictReader((tmp_path / "results.csv").read_text(encoding="utf-8").splitlines())
    told = [r for r in table if r["figure"] == "pfs_median"]
    assert {r["value"] for r in told if r["before"] == "6"} == {""}


def test_a_folder_that_cannot_be_written_is_an_error_before_any_file(result, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        write_cycles(result, tmp_path / "taken" / "page")
    half = tmp_path / "half"
    half.mkdir()
    (half / "figures").write_text("a file where a folder should be")
    with pytest.raises(OutputError, match="cannot be written"):
        write_cycles(result, half)
    assert [p.name for p in half.iterdir()] == ["figures"]


def test_the_page_is_written_last(result, tmp_path, undrawn, monkeypatch):
    order = []
    monkeypatch.setattr(
        "pkpd.machine.store.write_bytes", lambda path, data: order.append(Path(path).name) or Path(path)
    )
    write_cycles(result, tmp_path)
    assert order[-1] == "index.html" and order[:2] == ["results.json", "results.csv"]


def test_text_of_a_study_is_escaped(result, tmp_path, undrawn):
    study = replace(result.study, title="<script>alert(1)</script> & more", text="a < b")
    study = replace(study, sweeps=tuple(replace(s, title=f"<b>{s.name}</b>") for s in study.sweeps))
    text = write_cycles(replace(result, study=study), tmp_path).read_text(encoding="utf-8")
    assert "<script" not in text and "<b>total_12" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in text and "a &lt; b" in text


def test_sentences_follow_the_numbers(result):
    said = " ".join(says(view(result)))
    assert "the 95 % interval of the difference includes 0 in all of them" in said
    assert "4 is the last number of cycles that ends within two months" in said
    assert f"3-year PFS is {cell(view(result).row('total_12', 0, 'pfs_3y'))['value']}\u00a0%" in said

    def better(row):
        if row["before"] == 12 and row["figure"] == "pfs_3y":
            row["difference"] = {"value": 9.0, "low": 3.0, "high": 15.0}
        return row

    said = " ".join(says(view(_with(result, better))))
    assert "includes 0 in 22 of them and it lies above 0 in 2 (12 + 0 and 12 + 6)" in said


def test_sentences_and_page_hold_for_a_study_without_the_trials_own_plan(result, tmp_path, undrawn):
    study = replace(result.study, sweeps=(replace(result.study.sweeps[1], before=(1, 2)),))
    rows = tuple(
        {k: v for k, v in r.items() if k != "difference"}
        for r in result.rows
        if r["sweep"] == "six_after" and r["before"] in (1, 2)
    )
    text = write_cycles(replace(result, study=study, rows=rows), tmp_path).read_text(encoding="utf-8")
    assert "plans of cycles" not in text and "3-year PFS is" in text
    assert not (tmp_path / "figures" / "difference_3y.svg").exists()


def test_named_numbers_of_cycles_are_those_of_the_question(result):
    assert picked(view(result)) == [0, 4, 6, 12]
    assert view(result).own == (6, 6)


def test_parameters_on_which_the_data_say_little_are_named(page):
    assert page.count(">the data say little<") == 2
    assert "over 7 figures" in page
    assert "4.1×10⁵" in page


def test_numbers_are_written_with_the_digits_that_they_deserve():
    assert amount(35.44, "%") == "35" and amount(18.66, "month") == "18.7" and amount(92.4, "day") == "92"
    assert amount(-1.26, "%", difference=True) == "−1.3" and amount(-0.01, "%", difference=True) == "0.0"
    assert amount(None, "month") == "not reached"
