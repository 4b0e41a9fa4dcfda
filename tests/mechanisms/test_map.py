"""The map of what reviews name: what a file may say, what each switch moves, and the pages made from it."""

import re
from pathlib import Path

import pytest

from pkpd.content import library
from pkpd.content.references import bibliography
from pkpd.errors import ContentError
from pkpd.model.compose import load_model, model_file
from pkpd.parameters.sets import load_parameters
from tools.fill_docs import CORE
from tools.mechanisms.equations import BLOCK, with_equations
from tools.mechanisms.map import SYSTEM
from tools.mechanisms.movement import LEAST, measure
from tools.mechanisms.reading import load_map, read_map

MAP = load_map()
DOCS = Path(__file__).resolve().parents[2] / "docs"
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?![\w])")
ENTRY = {
    "name": "block",
    "kind": "therapy",
    "group": "g",
    "reviews": ["002"],
    "home": ["therapy.PD1"],
    "in": "here",
    "treated": {"therapy.PD1": 0.9},
    "goes": "down",
    "grade": "clinical",
    "source": "le2015",
}
CONTEXTS = {"here": {"text": "patients", "patients": {"LESIONS": 2}}}


@pytest.fixture(scope="module")
def moved() -> dict:
    """Every switch thrown once."""
    return {m.entry.name: m for m in measure(MAP)}


def test_every_switch_moves_as_stated_or_is_listed_as_inert_or_as_moving_the_other_way(moved):
    """A mended model loses its excuses: what is listed and moves as stated is told too."""
    wrong = [
        f"{m.entry.name}: {m.change:+.4f}, stated {m.entry.goes}"
        for m in moved.values()
        if m.as_stated != (m.entry.inert is None and not m.entry.against)
    ]
    assert wrong == []


def test_what_is_listed_as_inert_is_and_its_number_holds(moved):
    listed = {m.entry.name: (m.change, m.entry.inert) for m in moved.values() if m.entry.inert is not None}
    assert {k for k, m in moved.items() if not m.moves} == set(listed)
    for name, (change, number) in listed.items():
        assert abs(change) < LEAST and abs(number) < LEAST and change == pytest.approx(number, abs=0.003), (
            name
        )


def test_what_is_listed_as_moving_the_other_way_does(moved):
    assert {k for k, m in moved.items() if m.moves and not m.as_stated} == {
        e.name for e in MAP.entries if e.against
    }


def test_every_source_is_in_the_bibliography_and_every_context_is_used():
    known = bibliography()
    assert {e.source for e in MAP.entries} <= set(known)
    assert {e.context for e in MAP.switched} == {c.name for c in MAP.contexts}


def test_every_input_that_treatment_sets_in_the_full_system_is_some_entrys_home():
    """Nothing is built that the map does not tell of."""
    values = load_parameters((), load_model(SYSTEM)).values
    given = {
        v.name for v in values if v.where.startswith("no treatment until") and "_elsewhere." not in v.name
    }
    homes = {h for e in MAP.entries for h in e.home}
    assert len(given) > 20 and given <= homes


def test_the_map_is_no_parameter_set_and_the_library_finds_it():
    assert library.names("mechanisms") == ["mechanisms"] and "mechanisms" not in library.names("parameters")
    assert "exposures" not in library.names("fit") and library.names("exposures") == ["exposures"]


def test_that_page_has_every_file_of_the_full_system_and_says_why_of_every_term_of_the_core():
    written = (DOCS / "explain" / "tumour_immune.md").read_text()
    blocks = {m[2] for m in BLOCK.finditer(written)}
    elsewhere = {"tumours/occult", "host/imaging", "links/given_rate"}
    assert {p.use for p in model_file(f"systems/{SYSTEM}").parts} - elsewhere == blocks
    rows = set(
        re.findall(
            r"`(\w+)`", "\n".join(line.split(" | ")[0] for line in BLOCK.sub("", written).splitlines())
        )
    )
    for use in {p.use for p in model_file(f"systems/{CORE}").parts} - elsewhere:
        file = model_file(use)
        assert {x.name for x in (*file.flows, *file.variables)} <= rows, use


def read(*entries: dict, contexts: dict = CONTEXTS):
    return read_map(
        {"mechanisms": {"title": "t"}, "contexts": contexts, "entries": list(entries)}, "own", "own.toml"
    )


def told(*entries: dict, contexts: dict = CONTEXTS) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        read(*entries, contexts=contexts)
    return [(i.where.removeprefix("own.toml: "), i.what, i.remedy) for i in caught.value.issues]


def without(*keys: str) -> dict:
    return {k: v for k, v in ENTRY.items() if k not in keys}


def test_a_switch_sets_or_multiplies_for_some_days_or_for_good():
    own = {
        **ENTRY,
        "always": {"kill.SENS": {"times": 2}},
        "treated": {"therapy.PD1": {"to": 1, "days": 3}},
        "week": 8,
    }
    [entry] = read(own).entries
    [times], [to] = entry.always, entry.treated
    assert (times.line, times.value, times.times, times.days) == ("kill.SENS", 2.0, True, float("inf"))
    assert (to.value, to.times, to.days, entry.week, entry.switched) == (1.0, False, 3.0, 8, True)


@pytest.mark.parametrize(
    ("entry", "place", "what", "remedy"),
    [
        (
            {**ENTRY, "home": ["therapy.PD2"]},
            "entries[1].home",
            "'therapy.PD2' is no term of crlm_immune_full",
            "therapy.PD1",
        ),
        (
            {**ENTRY, "treated": {"therapy.PD2": 1}},
            "entries[1].treated.therapy.PD2",
            "'therapy.PD2' is no input",
            "therapy.PD1",
        ),
        (
            {**ENTRY, "treated": {"therapy.PD1": {"by": 2}}},
            "entries[1].treated.therapy.PD1.by",
            "unknown key",
            "days, times, to",
        ),
        (
            {**ENTRY, "treated": {"therapy.PD1": "much"}},
            "entries[1].treated.therapy.PD1",
            "'much' is no setting",
            "{ times = 0.5 }",
        ),
        ({**ENTRY, "in": "there"}, "entries[1].in", "'there' is no context", "here"),
        ({**ENTRY, "goes": "sideways"}, "entries[1].goes", "'sideways' is no way to go", "up"),
        (
            {**ENTRY, "of": "systemic.burdens"},
            "entries[1].of",
            "'systemic.burdens' is no readout",
            "systemic.burden",
        ),
        ({**ENTRY, "kind": "drug"}, "entries[1].kind", "'drug' is no kind", "therapy"),
        ({**ENTRY, "grade": "sure"}, "entries[1].grade", "'sure' is no grade", "clinical"),
        ({**ENTRY, "reviews": ["3"]}, "entries[1].reviews", "['3'] is no list of reviews", "reviews ="),
        ({**ENTRY, "week": 5}, "entries[1].week", "5 is not looked at", "one of 2, 8, 16, 24"),
        ({**ENTRY, "inert": "a bit"}, "entries[1].inert", "'a bit' is no change", "inert = -0.004"),
        (
            {**ENTRY, "sets": ["biology_msi"]},
            "entries[1].sets",
            "'biology_msi' is no parameter set",
            "biology_msi_h",
        ),
        (
            {**ENTRY, "removed": {"hepatic.1.dead": 2}},
            "entries[1].removed.hepatic.1.dead",
            "2 is not a share",
            "what is left",
        ),
        (
            {**ENTRY, "why": "none"},
            "entries[1]",
            "has neither a home nor a reason why not, or both",
            "home =",
        ),
        (
            without("home", "treated", "in", "goes"),
            "entries[1]",
            "has neither a home nor a reason why not, or both",
            "why =",
        ),
        (
            without("treated"),
            "entries[1].in",
            "has no place without a switch",
            "add sets, always, treated or removed",
        ),
        (
            {**ENTRY, "system": "crlm_immune"},
            "entries[1].system",
            "only crlm_immune_full is switched",
            "leave the switch out",
        ),
        ({**ENTRY, "system": "crlm_immun"}, "entries[1].home", "crlm_immun: no model of this name", ""),
        (without("source"), "entries[1].source", "is missing", "add source"),
    ],
)
def test_what_a_map_cannot_say_is_told(entry, place, what, remedy):
    issues = told(entry)
    assert any(w == place and what in t and remedy in r for w, t, r in issues), issues


def test_a_second_entry_of_a_name_and_a_context_that_is_none_are_told_together():
    issues = told(ENTRY, ENTRY, contexts={"here": {"text": "x", "patients": {"LESIONS": "two"}}})
    assert ("entries[2].name", "a second entry 'block'", "give one another name") in issues
    assert ("contexts.here.patients.LESIONS", "'two' is not a number", "write LESIONS = 2") in issues


def test_a_block_of_equations_that_does_not_end_is_told():
    with pytest.raises(ContentError, match="a block of equations has no end"):
        with_equations("<!-- equations: immune/memory -->\n")
