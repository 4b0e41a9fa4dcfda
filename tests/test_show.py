"""A model shown as a description and as tables on a console."""

from __future__ import annotations

import io
import json
import re
import tomllib
from functools import lru_cache

import numpy as np
import pytest
from rich.console import Console

from pkpd.content import library, references
from pkpd.model import expression
from pkpd.model.compose import load_model, parse_model
from pkpd.parameters.bind import line_for
from pkpd.parameters.parameters import Value
from pkpd.parameters.reading import read_parameters
from pkpd.parameters.spread import Spread
from pkpd.show.model import show_model, show_parameters
from pkpd.show.model_tables import print_model, print_parameters
from pkpd.show.text import DISCLAIMER, number, spread_text, write

FILES = {n: library.read("model", n).data for n in library.names("model")}
ALONE = [
    n
    for n, d in FILES.items()
    if not {"joins", "gathers"} & set(d["model"]) and ("compartments" in d or "parts" in d)
]
PARAMETERS = """
[parameters]
model = "drugs/oxaliplatin"
title = "Made up for a test"
[values]
V1 = { value = 29.3, unit = "L", where = "[bold] table 2", seen = "derived", source = "bastian2003" }
CL = { value = 17.57, unit = "L/hour", seen = "assumed", source = "nobody1900", text = "spread guessed", \
spread = { law = "lognormal", cv = 0.33 }, effect = { is = "BSA / 1.75", reference = { BSA = 1.75 } } }
V2 = { value = 1.2345e-5, unit = "L", spread = { law = "lognormal", cv = 0.33, low = 1e-6, high = 1e-4 } }
[covariates]
BSA = { value = 1.8, unit = "m^2", spread = { law = "normal", sd = 0.2, low = 1.3, high = 2.5 } }
[[correlations]]
of = ["CL", "V2"]
r = 0.5
"""
TWO_WAYS = """
[model]
title = "Odd <things> & more"
time = "day"
[parameters]
K = { unit = "1/day" }
[compartments]
a = { unit = "mg" }
b = { unit = "mg" }
c = { unit = "g" }
[flows]
there = { from = "a", to = "b", rate = "K * a" }
back = { from = "b", to = "a", rate = "K * b" }
far = { from = "a", to = "c", rate = "K * a" }
on = { from = "b", to = "c", rate = "K * b" }
"""


@lru_cache
def model(name: str):
    return load_model(name)


def parameters():
    return read_parameters(tomllib.loads(PARAMETERS), "made_up", "made_up.toml")[0]


def printed(printer, description: dict) -> str:
    console = Console(file=io.StringIO(), width=100)
    printer(description, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ALONE)
def test_show_description_is_json(name):
    description = show_model(model(name), None)
    assert json.loads(json.dumps(description, allow_nan=False)) == description


@pytest.mark.parametrize("name", ALONE)
def test_equations_name_every_flow(name):
    named = {
        line_for(t.replace("(i-1)", "i").replace(".i.", "."))
        for e in show_model(model(name), None)["equations"]
        for t in e["terms"]
    }
    assert named == {line_for(f.name) for f in model(name).flows}


@pytest.mark.parametrize("name", ALONE)
def test_what_is_written_computes_what_was_meant(name):
    m = model(name)
    names = {n: n.replace(".", "_") for n in (*m.states, *m.inputs, *(v.name for v in m.variables))}
    rng = np.random.default_rng(1)
    values = {n: rng.uniform(0.5, 1.0) for n in names}
    short = {names[n]: v for n, v in values.items()}
    for row in (*m.flows, *m.variables):
        text = write(row.tree, names.__getitem__)
        for shown, meant in (("²", "**2"), ("³", "**3"), ("^", "**"), ("·", " * ")):
            text = text.replace(shown, meant)
        again = expression.evaluate(expression.parse(text, "test"), short, np)
        assert again == pytest.approx(expression.evaluate(row.tree, values, np), rel=1e-4), row.name


def test_equations_read_as_a_person_would_write_them():
    d = show_model(model("drugs/oxaliplatin"), None)
    central = d["equations"][0]
    assert central["equation"] == "d central/dt = - to_shallow - to_deep - elimination"
    assert central["terms"]["elimination"] == "CL·Cc"
    assert d["compartments"][0]["dose"] == "bioavailability FPT"


def test_copies_are_shown_once():
    d = show_model(model("systems/crlm"), None)
    rows = {p["name"]: p for p in d["parameters"]}
    assert rows["lesion.D0"]["copies"] == 4 and rows["growth.ALPHA"]["copies"] == 4
    assert [c["name"] for c in d["compartments"] if c["part"] == "lesion"] == [
        "lesion.i.sensitive",
        "lesion.i.resistant",
        "lesion.i.dead",
    ]
    equations = [e["equation"] for e in d["equations"]]
    assert "d lesion.i.sensitive/dt = growth.i.sensitive - kill.i.sensitive" in equations
    assert not re.search(r"lesion\.\d", json.dumps(d))
    assert {p["name"]: p["copies"] for p in d["parts"]}["kill"] == 4


def test_a_chain_keeps_its_head_and_its_end():
    d = show_model(model("systems/folfox_damage_transit"), None)
    equations = {e["equation"]: e["index"] for e in d["equations"] if e["part"] == "damage"}
    assert equations == {
        "d damage.1.amount/dt = input.harm - damage.1.transit": "",
        "d damage.i.amount/dt = damage.(i-1).transit - damage.i.transit": "i = 2…3",
    }
    assert [(f["from"], f["to"]) for f in d["flows"] if f["part"] == "damage"] == [
        ("damage.i.amount", "damage.(i+1).amount"),
        ("damage.3.amount", ""),
    ]


def test_a_chain_prints_each_rate_once():
    text = printed(print_model, show_model(model("systems/folfox_damage_transit"), None))
    assert [t.strip() for t in re.findall(r"^  transit .*$", text, re.M)] == ["transit              = out"]
    assert "damage.(i-1).transit - transit   (i = 2…3)" in text


def test_quotients_cannot_be_misread():
    tree = expression.parse("a / b * c * d**2 / (1 - e)**(1/3)", "test")
    tree = ("*", tree, ("name", "f"))
    assert write(tree, str) == "a·c·d²·f / b / (1 - e)^(1/3)"


def test_conserved_totals_read_as_sums():
    assert show_model(parse_model(TWO_WAYS), None)["conserved"] == ["a + b + 1000·c"]


def test_without_parameters_values_are_none():
    row = show_model(model("drugs/oxaliplatin"), None)["parameters"][1]
    assert row["unit"] == "L/hour" and row["text"] == "clearance"
    assert [row[k] for k in ("value", "spread", "effect", "source", "where", "seen")] == [None] * 6


def test_values_come_with_spread_effect_and_source():
    rows = {p["name"]: p for p in show_model(model("drugs/oxaliplatin"), parameters())["parameters"]}
    assert [rows["CL"][k] for k in ("value", "seen", "source")] == [17.57, "assumed", "nobody1900"]
    assert rows["CL"]["spread"] == "log-normal, CV 33 %"
    assert rows["CL"]["effect"] == "× BSA / 1.75, 1 at BSA 1.75 m²"
    assert rows["V2"]["spread"] == "log-normal, CV 33 %, truncated to 1e-6–1e-4"
    assert rows["Q2"]["value"] is None


@pytest.mark.parametrize(
    ("spread", "words"),
    [
        (Spread("lognormal", weights=(0.1, 0.9), factors=(1.0, 0.05)), "10 % × 1, 90 % × 0.05"),
        (
            Spread("lognormal", 0.2, weights=(0.5, 0.5), factors=(1.0, 2.0)),
            "log-normal, CV 20.2 %; 50 % × 1, 50 % × 2",
        ),
        (Spread("lognormal", 2.3, low=1.0), "log-normal, SD 2.3 of the logarithm, above 1"),
        (Spread("logitnormal", 0.5), "logit-normal, SD 0.5 of the logit, from 0–1"),
        (Spread("normal", 2.0, high=9.0), "normal, SD 2, below 9"),
        (Spread("uniform", low=3.0, high=5.0), "uniform, from 3–5"),
        (Spread("bernoulli"), "yes or no, with this chance of yes"),
        (Spread("categorical", weights=(0.25, 0.75), values=(1.0, 2.0)), "25 %: 1, 75 %: 2"),
    ],
)
def test_a_spread_reads_as_words(spread, words):
    assert spread_text(spread) == words


def test_the_spread_between_copies_is_told():
    value = Value("D0", 30.0, "mm", copies=Spread("lognormal", 0.2))
    row = show_parameters(parameters().with_value("D0", value))["values"][-1]
    assert row["spread"] == "between copies: log-normal, CV 20.2 %"


def test_numbers_have_four_significant_digits():
    assert [number(x) for x in (0, 17.5678, 12345.6, 1e-9, 1.23456e-5, 5.2e8, -0.5)] == [
        "0",
        "17.57",
        "12346",
        "1e-9",
        "1.235e-5",
        "5.2e8",
        "-0.5",
    ]


@pytest.mark.parametrize("name", ALONE)
def test_printed_lines_fit_and_end_with_the_disclaimer(name):
    text = printed(print_model, show_model(model(name), None))
    assert max(map(len, text.splitlines())) <= 100
    assert text.rstrip().splitlines()[-1] == DISCLAIMER


def test_parameters_print_with_units_sources_and_what_is_assumed():
    text = printed(print_parameters, show_parameters(parameters()))
    for piece in ("17.57", "L/hour", "assumed", "CV 33 %", "spread guessed", "m²", "CL with V2: 0.5"):
        assert piece in text
    assert "[1] [bold] table 2" in text and "[2] nobody1900" in text
    assert re.search(r"\[1\] .*Population pharmacokinetics", text)


def test_a_missing_bibliography_is_no_error(monkeypatch):
    def missing():
        raise FileNotFoundError("references.bib")

    monkeypatch.setattr(references, "bibliography", missing)
    assert show_parameters(parameters())["references"] == {"bastian2003": "", "nobody1900": ""}
    assert "[1] bastian2003" in printed(print_parameters, show_parameters(parameters()))


def test_brackets_in_a_text_are_not_styles():
    assert "[6S]-leucovorin in plasma" in printed(print_model, show_model(model("drugs/leucovorin"), None))
