"""Dosing records against what NONMEM computed from them. Run as a program, it prints the table of
docs/how/dosing.md.
"""

import csv
import tempfile
import tomllib
from pathlib import Path

import pytest

from pkpd.commands import cli

SCENARIOS = tomllib.loads(Path(__file__).with_name("nonmem_dosing.toml").read_text())["scenarios"]
DOCS = Path(__file__).resolve().parents[2] / "docs" / "how" / "dosing.md"
ORAL = """[model]
title = "One compartment, first-order absorption, modelled lag, bioavailability, duration and rate"
time = "hour"
[parameters]
CL = { unit = "L/hour" }
V = { unit = "L" }
KA = { unit = "1/hour" }
LAGT = { unit = "hour" }
BIOAV = { unit = "1" }
DUR2 = { unit = "hour" }
RAT2 = { unit = "mg/hour" }
[compartments]
depot = { unit = "mg", dose = true }
[compartments.central]
unit = "mg"
dose = { lag = "LAGT", bioavailability = "BIOAV", duration = "DUR2", rate = "RAT2" }
[variables]
Cp = { unit = "ug/L", is = "central / V" }
[flows]
absorption = { from = "depot", to = "central", rate = "KA * depot" }
elimination = { from = "central", rate = "CL / V * central" }
"""
VALUES = """[parameters]
model = "oral.toml"
title = "The values that NONMEM was given"
[values]
CL = { value = 1.1, unit = "L/hour" }
V = { value = 20, unit = "L" }
KA = { value = 1.5, unit = "1/hour" }
LAGT = { value = 0, unit = "hour" }
BIOAV = { value = 1, unit = "1" }
DUR2 = { value = 2, unit = "hour" }
RAT2 = { value = 10, unit = "mg/hour" }
"""
USUAL = {"EVID": 0, "AMT": 0, "CMT": 2, "SS": 0, "II": 0, "ADDL": 0, "RATE": 0}
SET = {"LAGT": 0, "BIOAV": 1, "DUR2": 2, "RAT2": 10}


def rows(scenario: dict) -> list[dict]:
    """A scenario as records: what is given, and an observation each hour with its parameters carried on."""
    given = [{**USUAL, **SET, **r, "ID": scenario["number"]} for r in scenario["records"]]
    seen = [
        {**USUAL, **dict.fromkeys(SET, "."), "ID": scenario["number"], "TIME": t, "CP": cp}
        for t, cp in enumerate(scenario["hourly"])
    ]
    return sorted(given + seen, key=lambda r: r["TIME"])


def errors(folder: Path) -> list[tuple[dict, int, float]]:
    """Each scenario with its number of rows and its largest relative error, by the command line from files to
    file.
    """
    table = [r for s in SCENARIOS for r in rows(s)]
    with (folder / "events.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["ID", "TIME", *USUAL, *SET, "CP"])
        writer.writeheader()
        writer.writerows(table)
    (folder / "oral.toml").write_text(ORAL)
    (folder / "values.toml").write_text(VALUES.replace("oral.toml", str(folder / "oral.toml")))
    cli.app(
        [
            "simulate",
            str(folder / "oral.toml"),
            "--data",
            str(folder / "events.csv"),
            "--parameters",
            str(folder / "values.toml"),
            "--out",
            str(folder / "out.csv"),
        ],
        standalone_mode=False,
    )
    with (folder / "out.csv").open() as file:
        out = list(csv.DictReader(file))
    assert [(int(a["ID"]), float(a["TIME"])) for a in out] == [(b["ID"], b["TIME"]) for b in table]
    told = []
    for s in SCENARIOS:
        pairs = [
            (float(a["Cp"]), float(b["CP"]))
            for a, b in zip(out, table, strict=True)
            if b["ID"] == s["number"]
        ]
        told.append((s, len(pairs), max(abs(x / cp - 1) if cp else abs(x) for x, cp in pairs)))
    return told


def line(scenario: dict, count: int, error: float) -> str:
    return f"| {scenario['number']} | {scenario['title']} | {count} | {error:.1e} |"


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[int, tuple[dict, int, float]]:
    return {e[0]["number"]: e for e in errors(tmp_path_factory.mktemp("nonmem"))}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"{s['number']} {s['title']}")
def test_every_concentration_of_a_scenario_is_that_of_nonmem(found, scenario):
    assert found[scenario["number"]][2] < 1e-4  # five digits are given: the last may be half a unit off


def test_the_page_on_dosing_shows_the_largest_error_of_each_scenario(found):
    page = DOCS.read_text()
    assert all(line(*e) in page for e in found.values())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as own:
        print(
            "\n".join(
                [
                    "| scenario | records | rows | largest relative error |",
                    "|---|---|---|---|",
                    *(line(*e) for e in errors(Path(own))),
                ]
            )
        )
