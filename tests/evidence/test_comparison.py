"""Published exposures beside virtual patients: every quantity against a drug whose closed form is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pkpd.errors import ContentError
from pkpd.exposures.comparison import compare_exposures, read_exposure
from pkpd.exposures.prepare import alone, courses
from pkpd.exposures.reading import read_evidence
from pkpd.exposures.run import simulate_course
from pkpd.model.compose import load_model
from pkpd.regimen.reading import load_regimen, read_regimen

V, CL, OMEGA, DOSE, MASS = 20.0, 4.0, 0.5, 100.0, 250.0
K = CL / V


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A drug of one compartment whose clearance varies, its metabolite, and a regimen that gives it with
    another drug.
    """
    folder = tmp_path_factory.mktemp("own")
    (folder / "owndrug.toml").write_text("""
[model]
title = "Own: one compartment"
time = "hour"
[parameters]
V = { unit = "L" }
CL = { unit = "L/hour" }
KM = { unit = "1/hour" }
[compartments]
central = { unit = "mg", dose = true }
made = { unit = "mg" }
[variables]
Cc = { unit = "mg/L", is = "central / V" }
Cm = { unit = "ug/L", is = "made / V" }
[flows]
elimination = { from = "central", to = "made", rate = "CL * Cc" }
loss = { from = "made", rate = "KM * made" }
""")
    (folder / "values.toml").write_text(f"""
[parameters]
model = "{folder}/owndrug.toml"
title = "Own values"
[values]
V = {{ value = {V}, unit = "L" }}
CL = {{ value = {CL}, unit = "L/hour", spread = {{ law = "lognormal", sd = {OMEGA} }} }}
KM = {{ value = 2, unit = "1/hour" }}
[covariates]
BSA = {{ value = 2.0, unit = "m^2" }}
WT = {{ value = 80, unit = "kg" }}
""")
    (folder / "regimen.toml").write_text("""
[regimen]
title = "Own and another"
cycle = "1 day"
[[doses]]
drug = "owndrug"
amount = "50 mg/m^2"
[[doses]]
drug = "oxaliplatin"
amount = "85 mg/m^2"
over = "2 hour"
""")
    return folder


def evidence(folder, *entries):
    basis = {
        "drug": f"{folder}/owndrug.toml",
        "parameters": f"{folder}/values.toml",
        "unit": "mg/L",
        "statistic": "typical",
        "value": 1.0,
        "use": "check",
    }
    named = [{**basis, "name": f"f{i}", **e} for i, e in enumerate(entries, 1)]
    return read_evidence({"exposures": {"title": "own"}, "figures": named}, "own", "own.toml")


def simulated(folder, *entries):
    return [r["simulated"] for r in compare_exposures(evidence(folder, *entries))]


ONCE = {"dose": "100 mg"}
DAILY = {"dose": "100 mg", "every": "24 hour", "doses": 5}
LATE = np.exp(-K * 24)
MEETS = [
    ({**ONCE, "what": "Cmax", "to": "1 day"}, DOSE / V),
    ({**ONCE, "what": "Cmax", "to": "1 day", "unit": "ug/mL"}, DOSE / V),
    (
        {**ONCE, "what": "Cmax", "to": "1 day", "unit": "umol/L", "molar_mass": f"{MASS} g/mol"},
        DOSE / V / MASS * 1000,
    ),
    ({**ONCE, "what": "tmax", "to": "1 day", "unit": "minute"}, 0),
    ({**ONCE, "what": "concentration", "to": "0 hour"}, DOSE / V),
    ({**ONCE, "what": "concentration", "to": "5 hour"}, DOSE / V * np.exp(-K * 5)),
    ({**ONCE, "what": "Clast", "to": "1 day"}, DOSE / V * LATE),
    ({**ONCE, "what": "Cmin", "to": "1 day"}, DOSE / V * LATE),
    ({**ONCE, "what": "AUC", "unit": "mg*hour/L"}, DOSE / CL),
    ({**ONCE, "what": "AUC", "to": "5 hour", "unit": "ug*day/mL"}, DOSE / CL * (1 - np.exp(-K * 5)) / 24),
    ({**ONCE, "what": "half_life", "unit": "minute"}, 60 * np.log(2) / K),
    ({**ONCE, "what": "CL", "unit": "mL/min"}, CL * 1000 / 60),
    ({**ONCE, "what": "CL", "unit": "L/hour/m^2"}, CL / 2),
    ({**ONCE, "what": "Vss", "unit": "L/kg"}, V / 80),
    ({**ONCE, "what": "ratio", "of": "Cm", "to_of": "Cc", "unit": "1"}, K / 2),  # V and the microgram cancel
    ({**ONCE, "what": "ratio", "of": "Cm", "to_of": "Cc", "unit": "%"}, 100 * K / 2),
    ({**DAILY, "what": "Clast", "to": "1 day"}, DOSE / V * LATE),  # a dose is given then
    ({**DAILY, "what": "concentration", "from": "1 day", "to": "2 day"}, DOSE / V * (LATE + LATE**2)),
    ({**DAILY, "what": "Cmax", "from": "1 day", "to": "2 day"}, DOSE / V * (1 + LATE)),
    ({**DAILY, "what": "accumulation_AUC", "unit": "1"}, (1 - LATE**5) / (1 - LATE)),
    ({**DAILY, "what": "accumulation_Cmax", "from": "1 day", "to": "2 day", "unit": "1"}, 1 + LATE),
    ({**DAILY, "what": "accumulation_Clast", "unit": "%"}, 100 * (1 - LATE**5) / (1 - LATE)),
    ({**DAILY, "what": "CL", "from": "4 day", "to": "5 day", "unit": "L/hour"}, CL / (1 - LATE**5)),
]


def test_every_quantity_of_a_known_drug_is_its_closed_form(folder):
    found = simulated(folder, *(e for e, _ in MEETS))
    for (entry, expected), value in zip(MEETS, found, strict=True):
        assert value == pytest.approx(expected, rel=2e-3, abs=1e-9), entry


def test_the_same_statistic_is_taken_as_was_published(folder):
    """The area is dose by a lognormal clearance: median and geometric mean at its typical value, the mean
    above.
    """
    area = {**ONCE, "what": "AUC", "unit": "mg*hour/L"}
    entries = [{**area, "statistic": s} for s in ("typical", "median", "geometric mean", "mean")]
    rows = compare_exposures(evidence(folder, *entries), n=4000)
    typical, median, geometric, mean = (r["simulated"] for r in rows)
    assert typical == pytest.approx(DOSE / CL, rel=1e-3)
    assert median == pytest.approx(DOSE / CL, rel=0.03) and geometric == pytest.approx(DOSE / CL, rel=0.03)
    assert mean == pytest.approx(DOSE / CL * np.exp(OMEGA**2 / 2), rel=0.03)
    low, high = rows[0]["simulated_interval"]
    assert [low, high] == pytest.approx(
        [DOSE / CL * np.exp(-1.645 * OMEGA), DOSE / CL * np.exp(1.645 * OMEGA)], rel=0.05
    )


def test_inside_is_within_the_published_spread_ends_included(folder):
    peak = {**ONCE, "what": "Cmax", "to": "1 day"}
    rows = compare_exposures(
        evidence(
            folder,
            {**peak, "value": 4.5, "range": [4, 5]},
            {**peak, "value": 4.5, "range": [4, 4.9]},
            {**peak, "value": 6, "sd": 1.0},
            {**peak, "value": 4.1},
            {**peak, "value": 3.9},
        )
    )
    assert [r["inside"] for r in rows] == [True, False, True, True, False]
    assert rows[0]["published"] == 4.5 and rows[0]["interval"] == [4, 5] and rows[0]["untold"] == 0
    assert {"source", "where", "seen", "use", "miss", "statistic", "n", "given"} <= set(rows[0])


def test_patients_in_whom_it_cannot_be_told_are_counted(folder):
    """A window of no length has no slope."""
    [row] = compare_exposures(
        evidence(folder, {**ONCE, "what": "half_life", "to": "0 hour", "unit": "hour"}), n=20
    )
    assert row["simulated"] is None and row["untold"] == 20 and row["inside"] is False


def test_covariates_of_a_cohort_are_held(folder):
    entry = {"regimen": f"{folder}/regimen.toml", "what": "Cmax", "to": "1 day", "patients": {"BSA": 1.5}}
    for statistic in ("typical", "mean"):
        assert simulated(folder, {**entry, "statistic": statistic}) == pytest.approx([75 / V])


def test_a_regimen_gives_what_it_holds_of_the_drug(folder):
    [course] = courses(
        evidence(folder, {"regimen": f"{folder}/regimen.toml", "what": "Cmax", "to": "1 day"}).figures
    )
    assert [d.drug for d in course.regimen.doses] == ["owndrug"]
    model = load_model("fluorouracil")
    ruled = read_regimen(
        {
            "regimen": {"title": "t", "cycle": "14 day"},
            "doses": [{"drug": "fluorouracil", "amount": "1 mg"}],
            "rules": [{"of": "anc", "below": "1.5 1/nL", "action": "hold", "wait": "7 day", "most": 2}],
        },
        "t",
        "t",
    )
    assert ruled.rules and alone(ruled, model, "t").rules == ()
    assert {d.drug for d in alone(load_regimen("folfox4"), model, "t").doses} == {"fluorouracil"}


def test_figures_of_one_regimen_and_set_share_a_simulation(folder):
    plan = courses(
        evidence(
            folder,
            {**ONCE, "what": "Cmax", "to": "1 day"},
            {**ONCE, "what": "AUC", "unit": "mg*hour/L"},
            {**DAILY, "what": "Clast", "to": "1 day"},
            {**DAILY, "doses": 2, "what": "Clast", "to": "2 day"},
            {**DAILY, "doses": 3, "what": "accumulation_AUC", "unit": "1"},
            {
                **DAILY,
                "doses": 2,
                "what": "AUC",
                "unit": "mg*hour/L",
            },  # to infinity: no third dose may follow
            {**DAILY, "what": "Cmax", "to": "1 day", "patients": {"BSA": 1.5}},
        ).figures
    )
    assert [(len(c.exposures), c.count) for c in plan] == [(2, 1), (3, 5), (1, 2), (1, 5)]


def test_the_typical_patient_comes_first_and_the_rest_are_the_same_in_every_run(folder):
    [course] = courses(evidence(folder, {**ONCE, "what": "Cmax", "to": "1 day"}).figures)
    run, more = simulate_course(course, 5), simulate_course(course, 9)
    assert run.population["CL"][0] == CL and np.array_equal(run["Cc"], more["Cc"][:6])
    assert len(set(run.population["CL"])) == 6


@pytest.mark.parametrize(
    ("entry", "where", "what"),
    [
        ({**ONCE, "what": "Cmax", "to": "1 day", "of": "Cx"}, ".of", "has no 'Cx'"),
        ({**ONCE, "what": "ratio", "of": "Cc", "to_of": "Cx", "unit": "1"}, ".to_of", "has no 'Cx'"),
        (
            {**ONCE, "what": "AUC", "unit": "mg/L"},
            ".unit",
            "AUC of Cc is in mg/L*hour, which cannot be converted to mg/L",
        ),
        (
            {**ONCE, "what": "Cmax", "to": "1 day", "unit": "umol/L"},
            ".unit",
            "Cmax of Cc is in mg/L, which cannot be",
        ),
        (
            {**ONCE, "what": "half_life", "unit": "mg"},
            ".unit",
            "half_life of Cc is in hour, which cannot be converted to mg",
        ),
        (
            {"regimen": "nivolumab_240_q2w", "what": "Cmax", "to": "1 day"},
            ".regimen",
            "nivolumab_240_q2w gives nothing that",
        ),
    ],
)
def test_what_a_model_cannot_give_is_told(folder, entry, where, what):
    with pytest.raises(ContentError) as caught:
        courses(evidence(folder, entry).figures)
    [issue] = caught.value.issues
    assert issue.where == f"own.toml: figures[1]{where}" and what in issue.what and issue.remedy


def test_all_that_models_cannot_give_is_told_at_once(folder):
    bad = {**ONCE, "what": "Cmax", "to": "1 day"}
    with pytest.raises(ContentError) as caught:
        courses(evidence(folder, {**bad, "of": "Cx"}, bad, {**bad, "unit": "hour"}).figures)
    assert [i.where for i in caught.value.issues] == ["own.toml: figures[1].of", "own.toml: figures[3].unit"]


def test_a_clearance_by_surface_needs_the_surface(folder):
    figures = evidence(folder, {**ONCE, "what": "CL", "unit": "L/hour/m^2"}).figures
    [course] = courses(figures)
    bare = replace(course, parameters=replace(course.parameters, covariates=()))
    with pytest.raises(ContentError, match="is by BSA, which these patients lack"):
        read_exposure(figures[0], bare, simulate_course(bare, 3))
