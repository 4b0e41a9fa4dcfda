"""The page of a fit: its tables say what the result's file says."""

import re

import pytest

from pkpd import load_result, load_trial
from pkpd.errors import ContentError
from pkpd.fit.page import figures, filled, published_text, quantities
from pkpd.fit.result import result_for

ROW = {
    "figure": "response",
    "arm": "all",
    "kind": "count",
    "n": 40,
    "unit": "1",
    "use": "fit",
    "published": 4.0,
    "interval": [1.1, 9.5],
    "interval_from": "exact binomial",
    "level": 0.95,
    "seen": "primary",
    "predicted": 12.0,
    "predicted_interval": [8.0, 17.0],
    "inside": False,
}


@pytest.mark.parametrize(
    "trial, result",
    [("eortc_40983", "eortc_40983"), ("keynote_016", "immune"), ("cercek_dostarlimab", "immune")],
)
def test_a_trial_is_predicted_by_the_fit_of_its_name_or_of_its_disease(trial, result):
    assert result_for(load_trial(trial)) == result


def test_every_quantity_is_told_with_its_prior_and_posterior():
    _, account = load_result("immune")
    lines = quantities(account)[2:]
    assert len(lines) == len(account["free"])
    for line, row in zip(lines, account["free"], strict=True):
        cells = [c.strip() for c in line.strip("|").split("|")]
        assert cells[0] == row["name"] and cells[4] == row["says"]
        found = [float(x) for x in re.findall(r"[\d.]+(?:e[+-]?\d+)?", cells[3].replace("–", " "))]
        assert found == pytest.approx([row["median"], row["low"], row["high"]], rel=6e-3)


def test_a_miss_stands_in_the_table():
    line = figures([{"trial": "mine", "figures": [ROW, ROW | {"inside": True, "use": "predict"}]}])
    assert line[0] == "Of 1 fitted figures 0 lie inside what is predicted, of 1 held out 1."
    assert line[4] == "| mine | response | all | of 40 | fitted | 4 (1–10) | 12 (8–17) | **OUTSIDE** |"
    assert line[5].endswith("| held out | 4 (1–10) | 12 (8–17) | inside |")


def test_a_derived_interval_is_marked_and_a_missing_figure_named():
    assert published_text(ROW | {"interval_from": "derived"}) == "4 (1–10) †"
    assert published_text(ROW | {"published": None}) == "none seen"
    assert published_text(ROW | {"seen": "assumed"}) == "4 (1–10) recalled"
    assert published_text(ROW | {"interval_from": "published", "level": 0.9}) == "4 (1–10) 90 %"


def test_blocks_are_filled_and_the_rest_stays():
    text = "before\n<!-- fit immune: terms -->\nold\n<!-- end -->\nafter"
    made = filled(text, [])
    assert made.startswith("before\n<!-- fit immune: terms -->\n\n| trial |") and made.endswith(
        "\n\n<!-- end -->\nafter"
    )
    assert "old" not in made and filled(made, []) == made


def test_a_block_without_an_end_is_refused():
    with pytest.raises(ContentError, match="a block of a fit has no end"):
        filled("<!-- fit immune: terms -->\n", [])
