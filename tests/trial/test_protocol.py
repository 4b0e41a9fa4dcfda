"""A trial's file, its figures, and what is wrong with bad ones."""

import copy

import pytest

from pkpd import load_trial
from pkpd.content.library import read
from pkpd.errors import ContentError
from pkpd.trial.reading import read_trial


@pytest.fixture
def data():
    return copy.deepcopy(read("trial", "eortc_40983").data)


def message(data):
    with pytest.raises(ContentError) as caught:
        read_trial(data, "mine", "mine.toml")
    return str(caught.value)


def test_the_trial_holds_the_published_figures_and_how_they_were_seen():
    figures = {f.key: f for f in load_trial("eortc_40983").figures}
    ratio = figures["pfs_hr:periop"]
    assert (ratio.value, ratio.interval, ratio.use, ratio.seen) == (0.79, (0.62, 1.02), "fit", "primary")
    assert figures["pfs_3y:surgery"].level == 0.9566
    assert figures["pfs_median:periop"].seen == "review" and figures["pfs_median:periop"].interval is None
    assert (figures["resected:periop"].value, figures["resected:surgery"].value) == (151, 152)
    response = figures["response:periop"]
    assert (response.value, response.n, response.largest, response.use) == (67, 159, 20.0, "predict")
    assert figures["shrinkage:periop"].value == -0.256


def test_no_recalled_number_is_a_figure_to_compare_with():
    assert all(f.seen != "assumed" for f in load_trial("eortc_40983").figures if f.use != "context")


def test_the_criteria_are_those_of_the_trials_day():
    assert load_trial("eortc_40983").criteria == "RECIST 1.0"


def test_every_line_of_the_protocol_says_where_it_was_seen():
    assert all(where and seen for _, _, where, seen in load_trial("eortc_40983").provenance)


def test_a_misspelt_choice_offers_the_near_one(data):
    data["protocol"]["criteria"]["is"] = "RECIST 1"
    assert (
        "mine.toml: protocol.criteria: 'RECIST 1' is not one of them\n    remedy: did you mean 'RECIST 1.1'"
        in message(data)
    )


def test_every_issue_is_told_at_once(data):
    data["protocol"]["jitter"]["sd"] = "7 mg"
    data["figures"][0]["value"] = 2.0
    data["arms"][0]["before"]["weights"] = [1.0]
    text = message(data)
    assert "protocol.jitter.sd: 'mg' cannot be converted to 'day'" in text
    assert "figures[1].low: 2 is outside its own interval" in text
    assert "arms[1].before: is not a plan of cycles" in text


def test_a_share_in_percent_is_refused_with_the_remedy(data):
    data["figures"][1]["value"] = 35.4
    assert "35.4 is no share\n    remedy: write 35.4 % as 0.354" in message(data)


def test_a_count_beyond_its_denominator_is_refused(data):
    data["figures"][5]["value"] = 183
    assert "figures[6].value: 183 of 182 is no count" in message(data)


def test_a_figure_of_an_unknown_arm_offers_the_near_one(data):
    data["figures"][0]["arm"] = "perioop"
    assert "figures[1].arm: 'perioop' is not one of them\n    remedy: did you mean 'periop'?" in message(data)


def test_a_missing_protocol_line_is_named(data):
    del data["protocol"]["cut"]
    assert "mine.toml: protocol.cut: is missing" in message(data)


def test_dates_out_of_order_are_refused(data):
    data["protocol"]["cut"]["date"] = "2001-01-01"
    assert "protocol.accrual: does not end before the cut" in message(data)
