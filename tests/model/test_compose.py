"""Parts and joins: what a system is made of, and how hours and days, mg and g meet in it."""

import os
import pickle
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import sympy

from pkpd.content import library
from pkpd.errors import ContentError, NotFound
from pkpd.machine import cache
from pkpd.model import compose
from pkpd.model.check import check_model
from pkpd.model.compose import load_model, parse_model
from pkpd.model.expression import evaluate, names_in, unparse
from pkpd.model.model import Model
from pkpd.model.symbolic import Equations

HEAD = '[model]\ntitle = "t"\ntime = "day"\n'
LESION = (
    HEAD
    + """[parameters]
KD = { unit = "1/day" }
V0 = { unit = "mL" }
[compartments]
viable = { unit = "mL", start = "V0" }
dead = { unit = "mL" }
[variables]
size = { unit = "mL", is = "viable + dead" }
[flows]
clearance = { from = "dead", rate = "KD * dead" }
"""
)
DRUG = """[model]
title = "t"
time = "hour"
[parameters]
V = { unit = "L" }
CL = { unit = "L/hour" }
[compartments]
central = { unit = "mg", dose = true }
[variables]
Cc = { unit = "mg/L", is = "central / V" }
[flows]
out = { from = "central", rate = "CL * Cc" }
"""
KILL = """[model]
title = "kill"
time = "day"
joins = ["drug", "tumour"]
[parameters]
E = { unit = "L/mg/hour" }
[variables]
rate = { unit = "1/day", is = "E * drug.Cc" }
[flows]
kill = { from = "tumour.viable", to = "tumour.dead", rate = "rate * tumour.viable" }
"""
STAGE = """[model]
title = "a stage"
time = "day"
[parameters]
KTR = { unit = "1/day" }
[compartments]
amount = { unit = "mg" }
[variables]
out = { unit = "mg/day", is = "KTR * amount" }
[flows]
transit = { from = "amount", to = "next.amount", rate = "out" }
"""
ENDS = """[model]
title = "into the first stage, read from the last"
time = "day"
joins = ["line"]
[parameters]
RATE = { unit = "mg/day" }
[compartments]
given = { unit = "mg" }
[flows]
in_ = { to = "line.first.amount", rate = "RATE" }
out = { to = "given", rate = "line.last.out" }
"""
FILES = {"lesion": LESION, "drug": DRUG, "kill": KILL, "stage": STAGE, "ends": ENDS}


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder that holds the part files; names in systems are paths in it."""
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    return tmp_path


def system(parts: str, time: str = "day") -> Model:
    return parse_model(f'[model]\ntitle = "s"\ntime = "{time}"\n[parts]\n{parts}\n', "system.toml")


def told(parts: str) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        system(parts)
    return [(i.where, i.what, i.remedy) for i in caught.value.issues]


def file_part(name: str, text: str, old: str = "", new: str = "") -> None:
    Path(f"{name}.toml").write_text(text.replace(old, new) if old else text, encoding="utf-8")


THREE = (
    'drug = { use = "drug.toml" }\nlesion = { use = "lesion.toml", n = 3 }\n'
    'kill = { use = "kill.toml", drug = "drug", tumour = "lesion" }'
)


def test_every_name_of_a_system_carries_its_part(here):
    model = system('drug = { use = "drug.toml" }\nlesion = { use = "lesion.toml" }')
    assert model.states == ("drug.central", "lesion.viable", "lesion.dead")
    assert model.inputs == ("drug.V", "drug.CL", "lesion.KD", "lesion.V0")
    assert [v.name for v in model.variables] == ["drug.Cc", "lesion.size"]
    assert names_in(model.compartments[1].start) == {"lesion.V0"}


def test_a_coupling_is_copied_for_each_copy_it_joins(here):
    model = system(THREE)
    kills = [f for f in model.flows if f.name.startswith("kill")]
    assert [(f.name, f.source, f.target) for f in kills] == [
        (f"kill.{i}.kill", f"lesion.{i}.viable", f"lesion.{i}.dead") for i in (1, 2, 3)
    ]
    assert [p for p in model.inputs if p.startswith("kill")] == ["kill.1.E", "kill.2.E", "kill.3.E"]
    assert {n for v in model.variables if v.name.startswith("kill") for n in names_in(v.tree)} == {
        "kill.1.E",
        "kill.2.E",
        "kill.3.E",
        "drug.Cc",
    }


def test_two_parts_of_as_many_copies_are_joined_in_pairs(here):
    model = system(
        'drug = { use = "drug.toml", n = 2 }\nlesion = { use = "lesion.toml", n = 2 }\n'
        'kill = { use = "kill.toml", drug = "drug", tumour = "lesion" }'
    )
    second = next(v for v in model.variables if v.name == "kill.2.rate")
    assert names_in(second.tree) == {"kill.2.E", "drug.2.Cc"}


def test_a_coupling_joins_what_another_coupling_became_copy_by_copy(here):
    file_part(
        "factor",
        HEAD.replace("[model]\n", '[model]\njoins = ["tumour"]\n')
        + '[variables]\nrate = { unit = "1/day", is = "1" }\n',
        '"1" }',
        '"tumour.KD" }',
    )
    file_part(
        "loss",
        HEAD.replace("[model]\n", '[model]\njoins = ["effect", "tumour"]\n')
        + '[flows]\nloss = { from = "tumour.viable", rate = "effect.rate * tumour.viable" }\n',
    )
    model = system(
        'lesion = { use = "lesion.toml", n = 2 }\nfactor = { use = "factor.toml", tumour = "lesion" }\n'
        'loss = { use = "loss.toml", effect = "factor", tumour = "lesion" }'
    )
    second = next(f for f in model.flows if f.name == "loss.2.loss")
    assert names_in(second.tree) == {"factor.2.rate", "lesion.2.viable"}


def test_a_join_that_is_not_given_is_told(here):
    assert told('drug = { use = "drug.toml" }\nkill = { use = "kill.toml", drug = "drug" }') == [
        ("system.toml: parts.kill", "kill.toml joins 'tumour', which is not given", 'add tumour = "PART"')
    ]


def test_a_join_that_the_part_does_not_have_is_offered_the_near_one(here):
    assert told(THREE.replace("tumour =", "tumor =")) == [
        ("system.toml: parts.kill.tumor", "kill.toml joins no 'tumor'", "did you mean 'tumour'?"),
        ("system.toml: parts.kill", "kill.toml joins 'tumour', which is not given", 'add tumour = "PART"'),
    ]


def test_a_join_to_no_part_is_offered_the_near_one(here):
    assert told(THREE.replace('tumour = "lesion"', 'tumour = "lesions"')) == [
        ("system.toml: parts.kill.tumour", "there is no part 'lesions'", "did you mean 'lesion'?")
    ]


def test_parts_of_two_and_three_copies_cannot_be_joined(here):
    assert told(THREE.replace('"drug.toml"', '"drug.toml", n = 2')) == [
        ("system.toml: parts.kill", "joins parts of 2 and 3 copies", "give them the same number of copies")
    ]
    assert (
        told(THREE.replace('drug = "drug"', 'drug = "drug", n = 2'))[0][1] == "joins parts of 2 and 3 copies"
    )


def test_what_a_join_does_not_have_is_offered_the_near_name(here):
    file_part("kill", KILL, "drug.Cc", "drug.Cp")
    assert told(THREE.replace(", n = 3", "")) == [
        (
            "kill.toml: variables.rate.is (part 'kill' of system.toml)",
            "'drug.Cp' is not declared",
            "did you mean 'drug.Cc' or 'drug.CL' or 'drug.V'?",
        )
    ]


@pytest.mark.parametrize("key", ["n", "chain"])
@pytest.mark.parametrize("value", ["0", "-1", "65", "1.5", "true", '"2"'])
def test_copies_are_from_one_to_sixty_four(here, key, value):
    [(where, what, _)] = told(f'lesion = {{ use = "lesion.toml", {key} = {value} }}')
    assert where == f"system.toml: parts.lesion.{key}"
    assert what.endswith("is not a whole number from 1 to 64")


def test_a_part_has_copies_or_a_chain(here):
    assert told('lesion = { use = "lesion.toml", n = 2, chain = 2 }') == [
        (
            "system.toml: parts.lesion",
            "has both n and chain",
            "give one: n copies side by side, or a chain of them",
        )
    ]


def test_a_coupling_cannot_stand_alone():
    with pytest.raises(ContentError) as caught:
        parse_model(KILL, "kill.toml")
    assert [(i.where, i.what, i.remedy) for i in caught.value.issues] == [
        (
            "kill.toml: model.joins",
            "'kill' joins drug, tumour and cannot stand alone",
            "use it as a part of a system",
        )
    ]


def test_a_system_holds_parts_only(here):
    with pytest.raises(ContentError) as caught:
        parse_model(
            HEAD + '[parts]\na = { use = "drug.toml" }\n[flows]\nx = { to = "a", rate = 0 }\n', "system.toml"
        )
    assert [(i.where, i.what, i.remedy) for i in caught.value.issues] == [
        ("system.toml: flows", "a system holds parts only", "move it to a part's own file")
    ]


def test_a_system_joins_nothing(here):
    with pytest.raises(ContentError):
        parse_model(HEAD + 'joins = ["drug"]\n[parts]\na = { use = "drug.toml" }\n', "system.toml")


@pytest.mark.parametrize(
    "line", ["a = 3", "a = { n = 3 }", "a = { use = 3 }", '"a b" = { use = "drug.toml" }']
)
def test_what_is_not_a_part_is_told(here, line):
    [(where, what, remedy)] = told(line)
    assert where.startswith("system.toml: parts.a")
    assert (what, remedy) == ("is not a part", 'write name = { use = "folder/model" }')


def test_a_part_has_a_lower_case_letter_so_that_it_is_never_taken_for_a_parameter(here):
    [(where, _, _)] = told('FU = { use = "drug.toml" }')
    assert where == "system.toml: parts.FU"


def test_a_part_is_not_a_system(here):
    (here / "own.toml").write_text(HEAD + '[parts]\ndrug = { use = "drug.toml" }\n', encoding="utf-8")
    assert told('a = { use = "own.toml" }') == [
        ("system.toml: parts.a.use", "own.toml is itself a system", "list its parts here")
    ]


def test_a_part_that_is_not_there_is_told(here):
    [(where, what, _)] = told('a = { use = "none.toml" }\nb = { use = "drug.toml" }')
    assert where == "system.toml: parts.a.use" and what.startswith("none.toml: no such file")


def test_a_misspelt_library_part_is_offered_the_near_one(here):
    [(where, what, remedy)] = told('a = { use = "drugs/oxaliplatn" }')
    assert where == "system.toml: parts.a.use"
    assert "did you mean 'drugs/oxaliplatin'" in what + remedy


def test_issues_of_several_parts_come_together(here):
    file_part("drug", DRUG, "[flows]", "[flow]")
    file_part("lesion", LESION, "title", "titel")
    wheres = [where for where, _, _ in told(THREE)]
    assert wheres == ["drug.toml.flow", "lesion.toml: model.titel", "lesion.toml: model.title"]


def test_parts_that_is_no_table_is_refused():
    with pytest.raises(ContentError) as caught:
        parse_model("parts = 3\n" + HEAD, "system.toml")
    assert caught.value.issues[0].where == "system.toml: parts"


def test_a_compartment_of_a_system_that_nothing_moves_is_found(here):
    model = system('lesion = { use = "lesion.toml" }')
    assert [(i.where, i.what, i.remedy) for i in check_model(model)] == [
        ("system.toml: compartments.lesion.viable", "no flow reaches it", "remove it or add a flow")
    ]
    assert check_model(system(THREE)) == []


# --- swap ------------------------------------------------------------


SYSTEM = "systems/folfox_auc_linear"


def test_a_part_can_use_another_model():
    model = load_model(SYSTEM, {"effect": "links/effect_site_emax"})
    assert "effect.ox" in model.states
    assert model.hash != load_model(SYSTEM).hash


def test_a_swapped_system_knows_what_its_parts_use():
    model = load_model(SYSTEM, {"effect": "links/effect_site_emax"})
    assert {p.name: p.use for p in model.parts}["effect"] == "links/effect_site_emax"


def test_swapping_a_part_that_is_not_there_offers_the_near_one():
    with pytest.raises(ContentError) as caught:
        load_model(SYSTEM, {"efect": "links/given_rate"})
    [issue] = caught.value.issues
    assert (issue.where, issue.what, issue.remedy) == (
        f"models/{SYSTEM}.toml: parts",
        "no part 'efect' to swap",
        "did you mean 'effect'?",
    )


def test_swapping_in_a_model_with_other_joins_is_told():
    with pytest.raises(ContentError) as caught:
        load_model(SYSTEM, {"effect": "links/given_rate"})
    assert caught.value.issues[0].what == "links/given_rate joins no 'oxaliplatin'"


# --- units across parts ------------------------------------------------------------


def rates(model: Model) -> dict[str, sympy.Expr]:
    return Equations(model).rates


def in_part(model: Model, part: str, names: tuple[str, ...]) -> dict:
    return {sympy.Symbol(n, real=True): sympy.Symbol(f"{part}.{n}", real=True) for n in names}


@pytest.mark.parametrize("name", ["drugs/oxaliplatin", "drugs/fluorouracil", "drugs/leucovorin"])
def test_a_drug_in_hours_runs_24_times_as_fast_in_a_system_of_days(name):
    alone, whole = load_model(name), system(f'd = {{ use = "{name}" }}')
    assert alone.time == "hour"
    to = in_part(whole, "d", (*alone.states, *alone.inputs))
    for state, rate in rates(alone).items():
        assert sympy.simplify(rates(whole)[f"d.{state}"] - 24 * rate.xreplace(to)) == 0


def test_hours_and_days_meet_in_one_rate_exactly(here):
    model = system(THREE.replace(", n = 3", ""))
    cc, e, v = (sympy.Symbol(n, real=True) for n in ("drug.central", "kill.E", "drug.V"))
    viable = sympy.Symbol("lesion.viable", real=True)
    assert rates(model)["lesion.viable"] == -24 * e * cc / v * viable
    assert {n.__class__ for n in rates(model)["lesion.viable"].atoms(sympy.Number)} <= {
        sympy.Integer,
        sympy.core.numbers.NegativeOne,
        sympy.Rational,
    }


def test_a_system_may_be_in_weeks(here):
    one, seven = system('d = { use = "drug.toml" }'), system('d = { use = "drug.toml" }', "week")
    assert rates(seven)["d.central"] == 7 * rates(one)["d.central"]


def test_a_variable_keeps_its_own_unit_in_another_time(here):
    model = system(
        'kill = { use = "kill.toml", drug = "drug", tumour = "lesion" }\n' + THREE.split("\nkill")[0], "week"
    )
    assert model.unit("kill.1.rate") == "1/day"
    e, central, v = (sympy.Symbol(n, real=True) for n in ("kill.1.E", "drug.central", "drug.V"))
    assert Equations(model).symbols["kill.1.rate"] == 24 * e * central / v


FLOW = (
    HEAD
    + """[parameters]
K = {{ unit = "1/day" }}
[compartments]
here = {{ unit = "{here}", dose = true }}
there = {{ unit = "{there}" }}
[flows]
go = {{ from = "here", to = "there", rate = "{rate}" }}
"""
)


@pytest.mark.parametrize(
    ("here", "there", "gain"),
    [
        ("mg", "g", Fraction(1, 1000)),
        ("g", "mg", Fraction(1000)),
        ("mL", "L", Fraction(1, 1000)),
        ("nmol", "umol", Fraction(1, 1000)),
        ("mg", "mg", Fraction(1)),
        ("ug", "kg", Fraction(1, 10**9)),
    ],
)
def test_what_leaves_in_one_unit_arrives_in_the_other_exactly(here, there, gain):
    model = parse_model(FLOW.format(here=here, there=there, rate="K * here"))
    assert model.flows[0].gain == gain
    k, x = sympy.Symbol("K", real=True), sympy.Symbol("here", real=True)
    assert rates(model) == {"here": -k * x, "there": sympy.Rational(gain.numerator, gain.denominator) * k * x}


def test_the_rate_itself_is_brought_to_the_unit_of_the_source():
    model = parse_model(FLOW.format(here="mg", there="g", rate="K * there"))
    k, x = sympy.Symbol("K", real=True), sympy.Symbol("there", real=True)
    assert rates(model) == {"here": -1000 * k * x, "there": k * x}


@pytest.mark.parametrize(
    ("is_", "litres"),
    [
        ("A + B", 10),
        ("B - A", 4),
        ("A - B", -4),
        ("min(A, B)", 3),
        ("max(B, A)", 7),
        ("B * hill(A, B, 1)", 2.1),
        ("B * exp(A / B)", 7 * np.exp(3 / 7)),
        ("sqrt(A * B)", np.sqrt(21)),
        ("A * B / (A + B)", 2.1),
        ("0 + A", 3),
        ("-A", -3),
        ("A**2 / B", 9 / 7),
        ("B * 2**(A / B)", 7 * 2 ** (3 / 7)),
        ("B * (A / B)**2", 9 / 7),
        ("B * log(B / A)", 7 * np.log(7 / 3)),
    ],
)
def test_millilitres_and_litres_meet_in_one_expression(is_, litres):
    model = parse_model(
        HEAD + '[parameters]\nA = { unit = "mL" }\nB = { unit = "L" }\n[compartments]\n'
        f'x = {{ unit = "L", dose = true }}\n[variables]\nv = {{ unit = "L", is = "{is_}" }}\n'
    )
    assert evaluate(model.variables[0].tree, {"A": 3000.0, "B": 7.0}, np) == pytest.approx(litres, rel=1e-14)


@pytest.mark.parametrize(
    ("is_", "unit", "factor"),
    [
        ("D**3", "mL", Fraction(1, 1000)),
        ("(D**3)**(1/3)", "cm", Fraction(1, 10)),
        ("sqrt(D**2)", "m", Fraction(1, 1000)),
        ("D**2 / D", "mm", Fraction(1)),
        ("0.5", "percent", Fraction(100)),
    ],
)
def test_powers_carry_their_factor_exactly(is_, unit, factor):
    model = parse_model(
        HEAD + '[parameters]\nD = { unit = "mm" }\n[compartments]\nx = { unit = "mL", dose = true }\n'
        f'[variables]\nv = {{ unit = "{unit}", is = "{is_}" }}\n'
    )
    tree = model.variables[0].tree
    if tree[0] == "num":
        assert tree == ("num", factor / 2)
    else:
        assert (tree[1][1] if factor != 1 else 1) == factor


@pytest.mark.parametrize(
    ("unit", "is_"), [("nm^2", "(A**3)**(2/3)"), ("pg", "sqrt(B * B)"), ("pg", "(B**0.5)**2")]
)
def test_roots_of_small_units_are_as_exact(unit, is_):
    model = parse_model(
        HEAD + '[parameters]\nA = { unit = "nm" }\nB = { unit = "pg" }\n'
        f'[compartments]\nx = {{ unit = "mg", dose = true }}\n[variables]\n'
        f'v = {{ unit = "{unit}", is = "{is_}" }}\n'
    )
    tree = model.variables[0].tree
    factor = float(tree[1][1]) if tree[0] == "*" and tree[1][0] == "num" else 1.0
    assert factor == pytest.approx(1, rel=1e-12)


# --- chains ------------------------------------------------------------


def test_each_stage_of_a_chain_flows_into_the_next_and_the_last_outside(here):
    model = system('stage = { use = "stage.toml", chain = 3 }')
    assert [(f.source, f.target) for f in model.flows] == [
        ("stage.1.amount", "stage.2.amount"),
        ("stage.2.amount", "stage.3.amount"),
        ("stage.3.amount", ""),
    ]


def test_a_chain_of_one_flows_outside(here):
    model = system('stage = { use = "stage.toml" }')
    assert [(f.source, f.target) for f in model.flows] == [("stage.amount", "")]
    assert parse_model(STAGE).flows[0].target == ""


def test_a_chain_is_entered_at_its_first_and_read_at_its_last(here):
    model = system('stage = { use = "stage.toml", chain = 3 }\nends = { use = "ends.toml", line = "stage" }')
    flows = {f.name: f for f in model.flows}
    assert flows["ends.in_"].target == "stage.1.amount"
    assert flows["ends.out"].tree == ("name", "stage.3.out")


def test_a_chain_is_joined_by_its_ends_only(here):
    file_part("ends", ENDS, "line.last.", "line.")
    issues = told('stage = { use = "stage.toml", chain = 3 }\nends = { use = "ends.toml", line = "stage" }')
    assert ("ends.toml: flows.out.rate (part 'ends' of system.toml)", "'line.out' is not declared") in [
        i[:2] for i in issues
    ]


def test_next_names_a_compartment_of_the_stage(here):
    file_part("stage", STAGE, "next.amount", "next.amuont")
    assert told('stage = { use = "stage.toml" }')[0][:2] == (
        "stage.toml: flows.transit.to (part 'stage' of system.toml)",
        "'next.amuont' is not a compartment",
    )


@pytest.mark.parametrize("join", ["next", "first", "last", "a b", "n", "chain", "use"])
def test_a_join_has_a_name_of_its_own(join):
    with pytest.raises(ContentError) as caught:
        parse_model(KILL.replace('"drug"', f'"{join}"').replace("drug.", "tumour."), "kill.toml")
    assert caught.value.issues[0].where == "kill.toml: model.joins"
    assert "cannot stand alone" not in str(caught.value)


# --- models as data ------------------------------------------------------------


def test_a_model_is_plain_data_with_a_content_hash(here):
    model = system(THREE)
    assert pickle.loads(pickle.dumps(model)) == model
    assert system(THREE).hash == model.hash
    file_part("kill", KILL, 'title = "kill"', 'title = "another title"')
    assert system(THREE).hash == model.hash
    file_part("kill", KILL, "rate * tumour.viable", "2 * rate * tumour.viable")
    assert system(THREE).hash != model.hash


def test_doses_of_a_part_name_parameters_of_that_part(here):
    file_part("drug", DRUG, "dose = true", 'dose = { bioavailability = "F", forms = { salt = "FS" } }')
    Path("drug.toml").write_text(
        Path("drug.toml")
        .read_text()
        .replace("[parameters]", '[parameters]\nF = { unit = "1" }\nFS = { unit = "1" }')
    )
    dose = system('a = { use = "drug.toml", n = 2 }').compartments[1].dose
    assert dose.bioavailability == "a.2.F" and dose.forms == (("salt", "a.2.FS"),)


@pytest.mark.parametrize("name", library.names("model"))
def test_every_library_model_reads_and_obeys_every_rule(name):
    try:
        model = load_model(name)
    except ContentError as error:
        assert "cannot stand alone" in str(error) or "has no compartments" in str(error)
        return
    assert check_model(model) == []
    assert all(unparse(f.tree) for f in model.flows)


# --- kept between processes -------------------------------------------

PAIR = HEAD + '[parts]\na = { use = "lesion.toml" }\nb = { use = "lesion.toml" }\n'


@pytest.fixture
def kept(here, tmp_path, monkeypatch):
    """A system of one's own files, its cache folder, and how often it was composed."""
    monkeypatch.setenv("PKPD_CACHE", str(tmp_path / "cache"))
    composed = []
    build = compose.build_model
    monkeypatch.setattr(compose, "build_model", lambda *x: composed.append(1) or build(*x))
    monkeypatch.chdir(tmp_path)
    Path("lesion.toml").write_text(LESION)
    Path("pair.toml").write_text(PAIR)
    return composed


def test_a_model_is_composed_once_and_then_kept(kept):
    assert load_model("pair.toml") == load_model("pair.toml") and len(kept) == 1
    assert load_model("pair.toml").hash == parse_model(PAIR, "pair.toml").hash


@pytest.mark.parametrize("file", ["pair.toml", "lesion.toml"])
def test_a_model_is_composed_again_when_a_file_of_it_changes(kept, file):
    before = load_model("pair.toml")
    text = Path(file).read_text()
    Path(file).write_text(
        text.replace('title = "t"', 'title = "another"').replace("KD * dead", "2 * KD * dead")
    )
    after = load_model("pair.toml")
    assert len(kept) == 2 and after != before
    assert (after.hash == before.hash) == (file == "pair.toml")


def test_a_swapped_model_is_kept_apart(kept):
    Path("other.toml").write_text(LESION.replace("KD * dead", "3 * KD * dead"))
    plain, swapped = load_model("pair.toml"), load_model("pair.toml", {"b": "other.toml"})
    assert (
        plain.hash != swapped.hash
        and load_model("pair.toml", {"b": "other.toml"}) == swapped
        and len(kept) == 2
    )


@pytest.mark.parametrize("junk", [b"", b"junk", b"\x80\x05K\x07", b"\x80\x05"])
def test_a_kept_model_that_is_corrupt_is_composed_again(kept, tmp_path, junk):
    first = load_model("pair.toml")
    (file,) = (tmp_path / "cache" / "models").iterdir()
    file.write_bytes(junk)
    assert load_model("pair.toml") == first and len(kept) == 2


@pytest.mark.parametrize(
    "broken",
    [
        PAIR.replace("lesion.toml", "leson.toml", 1),
        PAIR.replace("{", "{ m = 3,", 1),
        PAIR + "n = 3\n",
        HEAD + "parts = 3\n",
        PAIR.replace("[parts]", "[[parts]]"),
    ],
)
def test_what_is_wrong_with_a_model_is_told_every_time(kept, tmp_path, broken):
    Path("pair.toml").write_text(broken)
    messages = set()
    for _ in range(2):
        with pytest.raises((ContentError, NotFound)) as caught:
            load_model("pair.toml")
        messages.add(str(caught.value))
    assert len(messages) == 1 and not (tmp_path / "cache" / "models").exists()


def test_a_model_is_composed_where_nothing_can_be_kept(kept, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PKPD_CACHE", str(tmp_path / "file"))
    assert load_model("pair.toml").states == ("a.viable", "a.dead", "b.viable", "b.dead")


def test_a_second_process_simulates_without_sympy_and_pint(tmp_path):
    code = (
        "import sys, pkpd\nmodel = pkpd.load_model('drugs/fluorouracil')\n"
        "people = pkpd.draw(model, pkpd.load_parameters((), model), 2)\n"
        "pkpd.simulate(model, people, times=(0.0, 1.0))\n"
        "print([m for m in ('sympy', 'pint', 'pandas') if m in sys.modules])"
    )
    own = cache.folder()
    if own is not None and (own / "driver").is_dir():  # of no model, and long to compile
        shutil.copytree(own / "driver", tmp_path / "driver")
    env = {**os.environ, "PKPD_CACHE": str(tmp_path)}
    out = [
        subprocess.run(
            [sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    ]
    assert out[1].strip() == "[]"


# --- like another model ------------------------------------------------------------

ONE = (
    HEAD
    + """[parameters]
K = { unit = "1/day" }
[compartments]
central = { unit = "mg", dose = true }
[flows]
elimination = { from = "central", rate = "K * central" }
"""
)


def like(base: str, rest: str = "") -> str:
    return f'[model]\ntitle = "own"\ntime = "day"\nlike = "{base}"\n{rest}'


@pytest.fixture
def one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("one.toml").write_text(ONE)
    return Path("one.toml")


def test_a_model_like_another_has_its_lines(one):
    assert parse_model(like("one.toml")).hash == load_model("one.toml").hash


def test_own_lines_replace_and_add_to_those_of_the_model_that_it_is_like(one):
    model = parse_model(
        like(
            "one.toml",
            '[parameters]\nK2 = { unit = "1/day" }\n[flows]\n'
            'elimination = { from = "central", rate = "(K + K2) * central" }',
        )
    )
    assert model.title == "own" and model.inputs == ("K", "K2")
    assert [unparse(f.tree) for f in model.flows] == ["(K + K2) * central"]


def test_a_change_of_the_model_it_is_like_reaches_a_model_already_kept(one):
    Path("own.toml").write_text(like("one.toml"))
    before = load_model("own.toml").hash
    one.write_text(ONE.replace("K * central", "2 * K * central"))
    assert load_model("own.toml").hash != before


def test_texts_do_not_change_what_is_computed(one):
    other = ONE.replace('unit = "1/day" }', 'unit = "1/day", text = "elimination" }')
    assert parse_model(other).hash == load_model("one.toml").hash


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (like("nothing.toml"), "m: model.like: nothing.toml: no such file"),
        ('[model]\ntitle = "own"\ntime = "day"\nlike = 3', "m: model.like: 3 is not the name of a model"),
        (like("own.toml"), "own.toml: model.like: 'own.toml' leads back to itself"),
        (like("systems/crlm"), "m: model.like: joins a system"),
    ],
)
def test_a_like_that_cannot_be_followed_is_refused(one, text, message):
    Path("own.toml").write_text(like("own.toml"))
    with pytest.raises(ContentError) as caught:
        parse_model(text, "m")
    assert str(caught.value).startswith(message)


# --- sums over copies ------------------------------------------------------------

SITE = """[model]
title = "site"
time = "day"
gathers = ["lesions"]
[parameters]
KIN = { unit = "1/day" }
[compartments]
drive = { unit = "1" }
[variables]
burden = { unit = "mL", is = "lesions.sum.viable", text = "all lesions" }
[flows]
comes = { to = "drive", rate = "KIN * burden / (burden + lesions.sum.V0)" }
"""


@pytest.fixture
def site(here):
    Path("site.toml").write_text(SITE)
    return 'site = { use = "site.toml", lesions = "lesion" }\n'


@pytest.mark.parametrize("n", [1, 3])
def test_a_part_sees_the_sum_over_the_copies_that_it_gathers(site, n):
    model = system(f'lesion = {{ use = "lesion.toml", n = {n} }}\n' + site)
    names = ["lesion"] if n == 1 else [f"lesion.{i + 1}" for i in range(n)]
    burden = next(v for v in model.variables if v.name == "site.burden")
    assert names_in(burden.tree) == {f"{x}.viable" for x in names}
    values = {f"{x}.viable": float(i + 2) for i, x in enumerate(names)}
    assert evaluate(burden.tree, values, np) == sum(values.values())


def test_a_part_that_gathers_is_one_whatever_the_number_of_copies(site):
    model = system('lesion = { use = "lesion.toml", n = 3 }\n' + site)
    assert [s for s in model.states if s.startswith("site")] == ["site.drive"]


def test_nothing_flows_into_a_sum(site):
    Path("site.toml").write_text(SITE.replace('to = "drive"', 'to = "lesions.sum.viable"'))
    with pytest.raises(ContentError, match="'lesions.sum.viable' is not a compartment"):
        system('lesion = { use = "lesion.toml", n = 3 }\n' + site)


def test_a_part_that_gathers_cannot_stand_alone(site):
    with pytest.raises(ContentError, match="joins lesions and cannot stand alone"):
        load_model("site.toml")


def test_a_name_is_joined_or_gathered(site):
    Path("site.toml").write_text(SITE.replace("time =", 'joins = ["lesions"]\ntime ='))
    with pytest.raises(ContentError, match="'lesions' is in joins too"):
        load_model("site.toml")
