"""Importance of mechanisms: indices that are known, releases that must equal a drug or a patient without,
gains that add up.
"""

import copy
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import pkpd
from pkpd import load_model, load_parameters, parse_model
from pkpd.fit.free import Point
from pkpd.parameters.parameters import Parameters, Value
from pkpd.parameters.sets import load_context
from pkpd.report.importance_figures import importance_pictures
from pkpd.study.resistance import importance as study
from pkpd.study.resistance.analyses_reading import read_importance
from pkpd.study.resistance.importance import MEASURES, importance, releases, scanned
from pkpd.study.resistance.mechanism import central, ends, people, released, thinned
from pkpd.study.resistance.variance import design, indices
from pkpd.trial.run_in import settled

SYSTEM = load_model("systems/crlm_immune")
POINT = Point(load_parameters((), SYSTEM))
NAMES = (
    "siphon",
    "deletion",
    "lag3",
    "regulatory",
    "ido",
    "exhaustion",
    "terminal",
    "pdl1",
    "antigen",
    "presentation",
)
LINES = {
    "siphon": ["liver.SIGMA"],
    "deletion": ["liver.KDEL"],
    "lag3": ["liver.FGL"],
    "regulatory": ["liver.SG", "elsewhere.SG"],
    "ido": ["liver.GIDO", "elsewhere.GIDO"],
    "exhaustion": ["liver.KEX", "elsewhere.KEX"],
    "terminal": ["liver.TERMINAL", "elsewhere.TERMINAL"],
    "pdl1": ["biology.PDLONE"],
    "antigen": ["biology.ANTIGEN"],
    "presentation": ["biology.MHC"],
}
RELEASED = {"exhaustion": 0.25, "antigen": {"as": "biology_msi_h"}, "presentation": {"to": 1}}
TABLE = {
    "title": "Which mechanism",
    "contexts": ["context_pretreated", "context_refractory"],
    "covariates": {"LESIONS": 2, "ELSEWHERE": 1},
    "run_in": "90 day",
    "visits": "8 week",
    "until": "24 week",
    "read": "24 week",
    "patients": 30,
    "draws": 2,
    "samples": 2,
    "resamples": 20,
    "seed": 3,
    "treatments": [
        {"name": "pd1", "title": "Anti-PD-1", "sets": {"therapy.PD1": 0.95}},
        {
            "name": "both",
            "title": "And anti-CTLA-4",
            "sets": {"therapy.PD1": 0.95, "therapy.CTLA4": 0.95, "therapy.DEPLETION": 2.375},
        },
    ],
    "mechanisms": [{"name": n, "title": n, "lines": LINES[n], "released": RELEASED.get(n, 0)} for n in NAMES],
    "groups": [{"name": "liver", "title": "The liver's", "mechanisms": ["siphon", "deletion", "lag3"]}],
}


def plan(**changes):
    issues = []
    found = read_importance(copy.deepcopy(TABLE) | changes, "mine.toml", SYSTEM, issues)
    assert found is not None, issues
    return found


def told(**changes):
    issues = []
    assert read_importance(copy.deepcopy(TABLE) | changes, "mine.toml", SYSTEM, issues) is None
    return {i.where: f"{i.what} | {i.remedy}" for i in issues}


@pytest.fixture(scope="module")
def result():
    return importance(plan(), [POINT])


@pytest.fixture(scope="module")
def patients():
    """Late-line patients and their states on the first day of treatment."""
    own = plan()
    who = people(SYSTEM, POINT, own.contexts, own.covariates, own.patients, (1, "tests", "importance"))
    return who, settled(SYSTEM, who, own.run_in, 1e-4).states[:, 0]


def degrees(*names):
    return np.isin(NAMES, names).astype(float)[None]


def read(patients, *rows, given=0, sets=(), **inputs):
    """Response and shrinkage of the patients, (degrees, patient, measure), mechanisms released and inputs
    set.
    """
    who, start = patients
    own, rows = plan(), np.concatenate(rows) if rows else np.zeros((1, len(NAMES)))
    many = released(who.with_inputs(inputs), [ends(SYSTEM, m, who, POINT) for m in own.mechanisms], rows)
    treatment = own.treatments[given]
    values, failed = scanned(
        own, replace(treatment, sets=(*treatment.sets, *sets)), many, np.tile(start, (len(rows), 1))
    )
    assert not failed
    return values.reshape(len(rows), len(who), -1)


# --- shares of variance ------------------------------------------------


def ishigami(x, a=7.0, b=0.1):
    x = np.pi * (2 * x - 1)
    return np.sin(x[:, 0]) + a * np.sin(x[:, 1]) ** 2 + b * x[:, 2] ** 4 * np.sin(x[:, 0])


def test_the_indices_of_ishigamis_function_are_those_that_are_known():
    names, a, b = ("x", "y", "z"), 7.0, 0.1
    found = indices(names, ishigami(design(names, 2048, 4)), 100, 4)
    variance = a**2 / 8 + b * np.pi**4 / 5 + b**2 * np.pi**8 / 18 + 0.5
    first = np.array([0.5 * (1 + b * np.pi**4 / 5) ** 2, a**2 / 8, 0.0]) / variance
    with_z = 8 * b**2 * np.pi**8 / 225 / variance
    np.testing.assert_allclose(found["S1"], first, atol=0.02)
    np.testing.assert_allclose(found["ST"], first + [with_z, 0, with_z], atol=0.02)
    assert np.all(found["ST_conf"] < 0.08)


@pytest.mark.parametrize("seed", [0, 7])
def test_indices_come_out_the_same_twice_and_leave_other_random_numbers_alone(seed):
    before = np.random.get_state()[1].copy()
    one, other = (indices("xyz", ishigami(design("xyz", 64, seed)), 50, seed) for _ in range(2))
    assert all(np.array_equal(one[k], other[k]) for k in ("S1", "ST", "S1_conf", "ST_conf"))
    assert np.array_equal(before, np.random.get_state()[1])


def test_what_does_not_vary_has_no_indices():
    assert indices("xyz", np.full(len(design("xyz", 8, 1)), 3.0), 20, 1) is None


def test_the_library_of_indices_is_not_read_before_it_is_needed():
    for file in Path(pkpd.__file__).parent.rglob("*.py"):
        assert not re.search(r"^(import|from) SALib", file.read_text(), re.M), file


GROWTH = """
[model]
title = "A lesion of two growth rates"
time = "day"
[parts]
lesion = { use = "tumours/lesion" }
fast = { use = "couplings/growth_exponential", tumour = "lesion" }
slow = { use = "couplings/growth_exponential", tumour = "lesion" }
"""


def test_the_whole_path_finds_the_indices_and_gains_of_a_model_that_has_a_formula():
    """Shrinkage is −(fast + slow) · days / 3: linear in each degree of release."""
    system, days, rates = parse_model(GROWTH), 56.0, {"fast": 0.02, "slow": 0.01}
    lines = [
        Value("lesion.D0", 30, "mm"),
        Value("lesion.R0", 0.01, "1"),
        Value("lesion.KD", 0.03, "1/day"),
        *(Value(f"{k}.KG", v, "1/day") for k, v in rates.items()),
    ]
    table = TABLE | {
        "mechanisms": [{"name": k, "title": k, "lines": [f"{k}.KG"], "released": 0} for k in rates],
        "contexts": [],
        "covariates": {},
        "groups": [],
        "until": "8 week",
        "read": "8 week",
        "samples": 256,
        "patients": 4,
        "treatments": [{"name": "none", "title": "None", "sets": {}}],
    }
    del table["groups"]
    issues = []
    own = read_importance(table, "mine.toml", system, issues)
    assert not issues
    found = importance(own, [Point(Parameters("mine", system.name, "Mine", values=tuple(lines)))])
    for name, rate in rates.items():
        values = {
            r["index"]: r["value"]
            for r in found.indices
            if (r["measure"], r["mechanism"]) == ("shrinkage", name)
        }
        assert values == pytest.approx(dict.fromkeys(("first", "total"), rate**2 / 5e-4), abs=0.03)
        for r in found.effects:
            if (r["measure"], r["mechanism"]) == ("shrinkage", name):
                assert r["value"] == pytest.approx(rate * days / 3, rel=1e-4)
    assert [r["value"] for r in found.pairs if r["measure"] == "shrinkage"] == pytest.approx([0], abs=1e-4)


# --- what a release is -------------------------------------------------


@pytest.mark.parametrize("given", [0, 1])
def test_releasing_the_livers_three_terms_is_a_liver_without_tolerance(patients, given):
    together = read(patients, degrees("siphon", "deletion", "lag3"), given=given)
    none = read(patients, given=given, **{"liver.TOLERANCE": 0.0})
    np.testing.assert_allclose(together, none, atol=1e-6)
    assert np.all(none[..., 1] > read(patients, given=given)[..., 1] + 1e-3)


def test_no_release_of_the_livers_terms_in_part_does_better_than_no_tolerance(patients):
    parts = np.zeros((12, len(NAMES)))
    parts[:, :3] = np.random.default_rng(2).random((12, 3))
    some, none = read(patients, parts, given=1), read(patients, given=1, **{"liver.TOLERANCE": 0.0})
    assert np.all(some <= none + 1e-6)


@pytest.mark.parametrize("name, drug", [("lag3", "therapy.LAG3"), ("terminal", "therapy.TIGIT")])
def test_a_release_is_what_complete_blockade_does(patients, name, drug):
    by_drug = read(patients, sets=((drug, 1.0),))
    np.testing.assert_allclose(read(patients, degrees(name)), by_drug, atol=1e-5)
    assert np.abs(by_drug - read(patients)).max() > 1e-3


@pytest.mark.parametrize("within, whole", [("ido", "regulatory"), ("exhaustion", "pdl1")])
def test_what_acts_through_another_mechanism_adds_nothing_once_that_one_is_released(patients, within, whole):
    as_is, alone, whole_alone, both = read(
        patients, degrees(), degrees(within), degrees(whole), degrees(within, whole)
    )
    np.testing.assert_allclose(both, whole_alone, atol=1e-5)
    assert np.abs(alone - as_is).max() > 1e-4


def test_a_response_is_a_fall_of_targets_by_30_percent_before_progression(monkeypatch):
    """Day 0, 56, 112 and 168; targets are of 10 mm or more; the first lesion of each organ follows a made-up
    course.
    """
    liver = np.array(
        [[30, 40, 15, 15], [30, 25, 20, 20], [30, 22, 22, 29], [8, 1, 1, 1], [30, 20, 26, 30], [9, 9, 9, 9]],
        float,
    )
    elsewhere = np.array(
        [[0, 0, 0, 0], [9, 30, 30, 30], [0, 0, 0, 0], [20, 15, 15, 14], [0, 0, 0, 0], [9, 1, 1, 1]], float
    )

    class Run:
        model, failures = SYSTEM, ()

        def __getitem__(self, name):
            return {"hepatic.1": liver, "extrahepatic.1": elsewhere}.get(
                name.removesuffix(".diameter"), 0 * liver
            )

    monkeypatch.setattr(study, "followed", lambda *given: Run())
    values, _ = scanned(plan(), plan().treatments[0], None, None)
    assert values[:5, 0].tolist() == [0, 100, 0, 100, 100]
    np.testing.assert_allclose(values[:5, 1], np.log([2, 1.5, 30 / 29, 20 / 14, 1]))
    assert np.isnan(values[5]).all()


def test_a_degree_of_nothing_is_the_patient_and_a_full_degree_the_end():
    own = plan()
    who = people(SYSTEM, POINT, own.contexts, own.covariates, 5, (1, "tests", "ends"))
    wholly = [ends(SYSTEM, m, who, POINT) for m in own.mechanisms]
    none, half, full = np.split(
        released(who, wholly, np.array([[0.0], [0.5], [1.0]]) * np.ones(len(NAMES))).inputs, 3
    )
    assert np.array_equal(none, who.inputs)
    assert np.array_equal(full[:, who.names.index("liver.KEX")], 0.25 * who["liver.KEX"])
    unstable = load_context("biology_msi_h", SYSTEM)["biology.ANTIGEN"].value
    assert np.array_equal(full[:, who.names.index("biology.ANTIGEN")], np.full(5, unstable))
    assert np.allclose(half, (none + full) / 2)
    touched = {n for w in wholly for n in w}
    assert np.array_equal(
        none[:, [n not in touched for n in who.names]], full[:, [n not in touched for n in who.names]]
    )


def test_what_another_biology_has_is_that_of_the_fits_draw():
    antigen = next(m for m in plan().mechanisms if m.name == "antigen")
    who = people(SYSTEM, POINT, (), (), 2, (1, "tests", "draw"))
    drawn = Point(POINT.parameters, (("biology_msi_h", "biology.ANTIGEN", "value", 7.25),))
    assert ends(SYSTEM, antigen, who, drawn)["biology.ANTIGEN"].tolist() == [7.25, 7.25]


def test_the_middle_of_a_posterior_is_the_median_of_each_line_and_context():
    draws = {"liver.KRV": (0.1, 0.2, 0.4), "biology_msi_h/biology.ANTIGEN": (5.0, 9.0, 6.0)}
    sets = [Point(replace(POINT.parameters, draws=draws))] * 3
    found = central(sets)
    assert found.parameters["liver.KRV"].value == 0.2
    assert found.laid == (("biology_msi_h", "biology.ANTIGEN", "value", 6.0),)
    assert central([POINT]) is POINT
    assert len(thinned(sets, 2)) == 2 and len(thinned([POINT], 5)) == 5


# --- the result --------------------------------------------------------


def test_only_a_mechanism_that_these_patients_do_not_have_moves_nothing(result):
    acts = {r["mechanism"]: r["acts"] for r in result.effects}
    assert acts == {n: n != "presentation" for n in NAMES}


def test_rows_are_there_for_every_treatment_and_measure(result):
    pairs = len(list(combinations(NAMES, 2)))
    assert [len(getattr(result, t)) for t in study.TABLES] == [
        4 * x for x in (2, 2 * len(NAMES), 2 * len(NAMES), pairs, 1)
    ]
    assert result.draws == 2 and result.failures == ()
    assert {r["unit"] for r in result.effects if r["measure"] == "response"} == {"points"}


def test_gains_losses_and_pairs_are_those_of_simulations_of_their_own(result):
    """Read again from patients of the two draws, released by hand."""
    own, found = result.plan, []
    wanted = (
        degrees(),
        degrees(*NAMES),
        degrees("deletion"),
        degrees(*(set(NAMES) - {"deletion"})),
        degrees("antigen"),
        degrees("antigen", "deletion"),
        degrees("siphon"),
        degrees("lag3"),
        degrees("siphon", "deletion", "lag3"),
    )
    for k in (1, 2):
        who = people(
            SYSTEM, POINT, own.contexts, own.covariates, own.patients, (own.seed, "importance", f"draw {k}")
        )
        start = settled(SYSTEM, who, own.run_in, 1e-4).states[:, 0]
        none, every, one, without, antigen, both, siphon, lag, liver = read(
            (who, start), *wanted, given=1
        ).mean(axis=1)
        found.append(
            [
                one - none,
                every - without,
                both - antigen - one + none,
                liver - none,
                one + siphon + lag - 3 * none,
            ]
        )
    gain, loss, more, group, apart = np.median(found, axis=0)
    for j, measure in enumerate(MEASURES):

        def rows(table, measure=measure, **head):
            return [
                r
                for r in getattr(result, table)
                if {**head, "treatment": "both", "measure": measure}.items() <= r.items()
            ]

        assert rows("effects", mechanism="deletion", what="gain")[0]["value"] == pytest.approx(
            gain[j], abs=1e-6
        )
        assert rows("effects", mechanism="deletion", what="loss")[0]["value"] == pytest.approx(
            loss[j], abs=1e-6
        )
        assert rows("pairs", first="deletion", second="antigen")[0]["value"] == pytest.approx(
            more[j], abs=1e-6
        )
        [liver] = rows("groups", group="liver")
        assert (liver["value"], liver["sum"]["value"]) == pytest.approx((group[j], apart[j]), abs=1e-6)
    assert more[1] > 0.01


def test_the_points_are_none_all_each_alone_each_withheld_each_pair_and_each_group():
    points = releases(plan())
    n = len(NAMES)
    assert points.shape == (2 + 2 * n + n * (n - 1) // 2 + 1, n)
    assert points.sum(axis=1).tolist() == [0, n, *[1] * n, *[n - 1] * n, *[2] * (n * (n - 1) // 2), 3]
    assert len(np.unique(points, axis=0)) == len(points)


def test_how_many_are_solved_together_changes_nothing(monkeypatch, result):
    monkeypatch.setattr(study, "_AT_ONCE", 700)
    other = importance(plan(), [POINT])
    for one, two in zip(result.effects, other.effects, strict=True):
        assert one == pytest.approx(two, abs=1e-12)


def test_a_patient_who_cannot_be_solved_is_named_and_left_out_everywhere(monkeypatch, result):
    solved = study.scanned

    def failing(own, given, many, start):
        values, _ = solved(own, given, many, start)
        values[0] = np.nan
        return values, ("patient 1, day 3: too many steps",)

    monkeypatch.setattr(study, "scanned", failing)
    monkeypatch.setattr(study, "_AT_ONCE", 10**6)
    other = importance(plan(), [POINT])
    assert "importance, draw 1, pd1, patient 1, day 3: too many steps" in other.failures
    assert all(np.isfinite(r["value"]) for r in other.effects)
    assert other.effects != result.effects


def test_figures_name_units_and_what_moves_nothing(result):
    pictures = importance_pictures(result)
    assert set(pictures) == {f"importance_{m}" for m in MEASURES}
    for picture, caption in pictures.values():
        words = [x.get_text() for x in picture.axes[0].get_yticklabels()]
        assert "presentation (moves nothing)" in words and len(words) == len(NAMES)
        assert "95 %" in pictures["importance_response"][1] and caption
        assert "no trial of LAG-3 blockade" in pictures["importance_response"][1]
        assert {a.get_xlabel() for a in picture.axes} >= {"share of variance"}
    plt.close("all")


# --- the file ----------------------------------------------------------


def test_every_fault_of_the_table_is_told_at_once_with_a_remedy():
    mechanisms = [
        {"name": "a", "title": "A", "lines": ["liver.SIGMAA"], "released": 0},
        {"name": "a", "title": "A", "lines": ["liver.KDEL"]},
        {"name": "b", "title": "B", "lines": ["liver.FGL"], "released": {"as": "biology_msi_h"}},
        {"name": "c", "title": "C", "lines": ["liver.SM"], "released": {"as": "biology_msi"}},
        {"name": "d", "title": "D", "lines": ["liver.SF"], "released": -1},
    ]
    found = told(
        mechanisms=mechanisms,
        samples=100,
        visits="8 weak",
        covariates={"LESION": 2, "ELSEWHERE": 99},
        treatments=[{"name": "pd1", "title": "Anti-PD-1", "sets": {"therapy.PD": 0.95}}],
        groups=[{"name": "g", "title": "G", "mechanisms": ["z"]}],
    )
    place = "mine.toml: importance."
    assert (
        "'liver.SIGMA'" in found[f"{place}mechanisms[1].lines"]
        or "liver.SIGMA" in found[f"{place}mechanisms[1].lines"]
    )
    assert "released = FACTOR" in found[f"{place}mechanisms[2].released"]
    assert "two are named 'a'" in found[f"{place}mechanisms"]
    assert "has no line 'liver.FGL'" in found[f"{place}mechanisms[3].released.as"]
    assert "biology_msi_h" in found[f"{place}mechanisms[4].released.as"]
    assert "does not say what is left" in found[f"{place}mechanisms[5].released"]
    assert "power of two" in found[f"{place}samples"]
    assert "LESIONS" in found[f"{place}covariates.LESION"] and "99" in found[f"{place}covariates.ELSEWHERE"]
    assert "therapy.PD1" in found[f"{place}treatments[1].sets.therapy.PD"]
    assert "'z' is not a mechanism" in found[f"{place}groups[1].mechanisms"]
    assert f"{place}visits" in found


def test_a_line_of_two_mechanisms_and_scans_that_end_too_early_are_refused():
    twice = [*TABLE["mechanisms"], {"name": "again", "title": "Again", "lines": ["liver.FGL"], "released": 0}]
    assert "liver.FGL is named twice" in told(mechanisms=twice)["mine.toml: importance.mechanisms"]
    assert "before day 336" in told(read="48 week")["mine.toml: importance.until"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        3,
        "x",
        {"title": 1, "mechanisms": {"a": 1}, "samples": "x", "run_in": 3},
        {**TABLE, "contexts": "x", "covariates": [1], "treatments": [3], "groups": {"a": 1}},
    ],
)
def test_what_is_no_plan_is_told_and_nothing_breaks(value):
    issues = []
    assert read_importance(value, "mine.toml", SYSTEM, issues) is None
    assert issues and all(i.where.startswith("mine.toml: importance") for i in issues)


@pytest.mark.parametrize("key", ["title", "run_in", "visits", "until", "read", "mechanisms", "treatments"])
def test_what_a_plan_needs_is_missed(key):
    table = {k: v for k, v in TABLE.items() if k != key}
    issues = []
    assert read_importance(table, "mine.toml", SYSTEM, issues) is None
    assert [i.where for i in issues] == [f"mine.toml: importance.{key}"]
