"""The command that makes the generated pages: what counts as the same page, and what it tells of one that is
not.
"""

import sys

import pytest

from tools import fill_docs
from tools.fill_docs import PAGES, file_of, main, same


@pytest.mark.parametrize("page", PAGES)
def test_every_generated_page_lies_in_docs(page):
    assert file_of(page).is_file()


def test_the_last_of_three_digits_may_differ_and_no_word_may():
    assert same("AUC 1.23 mg/L", "AUC 1.24 mg/L") and same("", "")
    assert not same("AUC 1.23 mg/L", "AUC 1.26 mg/L")
    assert not same("AUC 1.23 mg/L", "AUC 1.23 g/L")
    assert not same("1, 2", "1")


@pytest.fixture
def docs(tmp_path, monkeypatch):
    (tmp_path / "docs" / "results").mkdir(parents=True)
    (tmp_path / "docs" / "results" / "mine.md").write_text("holds 1\n")
    monkeypatch.setattr(fill_docs, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(fill_docs, "PAGES", {"mine": lambda text: "holds 2\n"})
    return tmp_path / "docs" / "results" / "mine.md"


def asked(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["fill_docs", *words])
    return main()


def test_a_page_that_is_out_of_date_is_told_and_left_and_else_written(docs, monkeypatch, capsys):
    assert asked(monkeypatch, "--check") == 1 and docs.read_text() == "holds 1\n"
    assert capsys.readouterr().out == "docs/results/mine.md is out of date\n"
    assert asked(monkeypatch) == 0 and docs.read_text() == "holds 2\n"
    assert capsys.readouterr().out == "docs/results/mine.md was out of date: written anew\n"
    assert asked(monkeypatch, "mine", "--check") == 0


def test_a_page_that_is_none_is_refused(docs, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        asked(monkeypatch, "yours")
    assert "'yours' is no generated page: mine" in capsys.readouterr().err
