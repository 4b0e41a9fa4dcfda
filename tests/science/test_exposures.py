"""Every published exposure of the library beside its model."""

import re
from collections import Counter
from pathlib import Path

import pytest

from pkpd.content.references import bibliography
from pkpd.exposures.comparison import compare_exposures
from pkpd.exposures.reading import load_evidence
from pkpd.show.drugs import drug_rows

EVIDENCE = load_evidence()
PAGE = Path(__file__).resolve().parents[2] / "docs" / "results" / "exposures.md"
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?![\w])")


@pytest.fixture(scope="module")
def rows() -> dict:
    """Every figure simulated once, each drug, set and regimen in one run."""
    return {(r["drug"], r["name"]): r for r in compare_exposures(EVIDENCE)}


def test_every_checked_figure_is_inside_or_says_why_not(rows):
    outside = [
        f"{drug} {name}: simulated {r['simulated']:.4g}, published {r['interval']} {r['unit']}"
        for (drug, name), r in rows.items()
        if r["use"] == "check" and not r["inside"] and not r["miss"]
    ]
    assert outside == []


def test_no_explanation_is_out_of_date(rows):
    """A figure that says why the model lies outside, and is inside, is told: mended models lose their
    excuses.
    """
    assert [key for key, r in rows.items() if r["miss"] and r["inside"]] == []


def test_every_figure_can_be_told_in_most_patients(rows):
    assert {key: r["untold"] for key, r in rows.items() if r["simulated"] is None or r["untold"] > 20} == {}


def test_every_figure_was_seen_somewhere_and_its_source_is_in_the_bibliography():
    known = bibliography()
    for f in EVIDENCE.figures:
        assert f.source in known and f.where.strip() and f.seen != "user", f"{f.drug} {f.name}"


def test_every_circular_and_context_figure_says_what_makes_it_so():
    assert [f"{f.drug} {f.name}" for f in EVIDENCE.figures if f.use != "check" and not f.text] == []


def test_the_list_of_drugs_counts_what_the_walk_finds(rows):
    for r in drug_rows():
        own = [x for x in rows.values() if f"drugs/{x['drug']}" == r["name"]]
        uses = Counter(x["use"] for x in own)
        missed = sum(x["use"] == "check" and not x["inside"] for x in own)
        found = r["exposures"]
        assert [found[k] for k in ("checked", "missed", "circular", "context")] == [
            uses["check"],
            missed,
            uses["circular"],
            uses["context"],
        ], r["name"]
