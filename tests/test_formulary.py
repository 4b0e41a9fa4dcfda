"""The list of drugs: what each rests on and what was checked."""

import json

import pytest
from rich.console import Console

from pkpd.commands import cli
from pkpd.content import library
from pkpd.exposures.reading import load_evidence
from pkpd.parameters.defaults import default_for
from pkpd.parameters.sets import load_parameters
from pkpd.show.drugs import drug_rows, print_drugs

ROWS = {r["name"]: r for r in drug_rows()}


def test_every_drug_of_the_library_has_a_row():
    assert list(ROWS) == [n for n in library.names("model") if n.startswith("drugs/")]
    assert all(r["kind"] == "drugs" and r["title"] and r["structure"] and r["source"] for r in ROWS.values())


@pytest.mark.parametrize("name", ROWS)
def test_values_are_counted_by_how_they_were_seen_in_the_default_set(name):
    own = load_parameters(default_for(name))
    assert sum(ROWS[name]["seen"].values()) == len(own.values)
    for way, count in ROWS[name]["seen"].items():
        assert count == sum(v.seen == way for v in own.values)


@pytest.mark.parametrize("name", ROWS)
def test_exposures_are_counted_by_use_and_what_is_missing_is_told(name):
    figures, found = load_evidence().of(name), ROWS[name]["exposures"]
    for use, key in (("check", "checked"), ("circular", "circular"), ("context", "context")):
        assert found[key] == sum(f.use == use for f in figures)
    assert found["missed"] == sum(f.use == "check" and f.miss != "" for f in figures)
    checked = {f.what for f in figures if f.use == "check"}
    assert ("Cmax" in found["missing"]) == ("Cmax" not in checked)
    assert ("trough" in found["missing"]) == (not checked & {"Clast", "Cmin"})
    assert ("half-life" in found["missing"]) == ("half_life" not in checked)
    assert ("AUC" in found["missing"]) == (not checked & {"AUC", "CL"})  # clearance is dose by area


def test_nothing_is_simulated_for_the_list(monkeypatch):
    for verb in ("pkpd.simulation.run.simulate", "pkpd.model.compose.load_model"):
        monkeypatch.setattr(verb, None)
    assert len(drug_rows()) == len(ROWS)


def test_the_table_names_structure_source_and_counts():
    console = Console(width=220, record=True)
    print_drugs([ROWS["drugs/oxaliplatin"]], console)
    text = console.export_text()
    found = ROWS["drugs/oxaliplatin"]["exposures"]
    for piece in (
        "three compartments, linear elimination",
        "bastian2003",
        "1 primary, 6 derived",
        str(found["checked"]),
    ):
        assert piece in text


def test_list_drugs_prints_the_table_or_json(monkeypatch, capsys):
    for args in (["list", "drugs"], ["list", "drugs", "--json"]):
        monkeypatch.setattr("sys.argv", ["pkpd", *args])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert not stop.value.code
    table, _, rows = capsys.readouterr().out.rpartition("\n[")
    assert "oxaliplatin" in table and "checked" in table
    assert {"kind", "name", "title", "reference", "structure", "source", "seen", "exposures"} == set(
        json.loads("[" + rows)[0]
    )
