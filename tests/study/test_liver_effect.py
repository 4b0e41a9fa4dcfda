"""The liver's effect on a lesion elsewhere: pairs that differ in the liver's terms alone, and splits that add
up.
"""

import copy
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from pkpd import load_model, load_parameters
from pkpd.fit.free import Point
from pkpd.report.importance_figures import liver_pictures
from pkpd.report.resistance_analyses import liver_data
from pkpd.study.platforms import experiment
from pkpd.study.resistance import lesion_pairs
from pkpd.study.resistance import liver_effect as study
from pkpd.study.resistance.analyses_reading import read_liver_effect
from pkpd.study.resistance.lesion_pairs import ARMS, COVARIATES, STEPS, placed, subsets
from pkpd.study.resistance.liver_effect import MEASURES, liver_effect
from pkpd.study.resistance.mechanism import Mechanism, followed, people
from pkpd.trial.lesions import log_kill
from pkpd.trial.run_in import settled

SYSTEM = load_model("systems/crlm_immune")
POINT = Point(load_parameters((), SYSTEM))
TERMS = {"siphon": "liver.SIGMA", "deletion": "liver.KDEL", "lag3": "liver.FGL"}
TABLE = {
    "title": "What the liver does elsewhere",
    "run_in": "90 day",
    "visits": "8 week",
    "until": "24 week",
    "patients": 30,
    "draws": 3,
    "seed": 3,
    "biologies": [
        {"name": "mss", "title": "MSS", "contexts": ["context_pretreated", "context_refractory"]},
        {"name": "msi_h", "title": "MSI-H", "contexts": ["biology_msi_h"]},
    ],
    "treatments": [
        {"name": "none", "title": "None", "sets": {}},
        {
            "name": "both",
            "title": "Anti-PD-1 and anti-CTLA-4",
            "sets": {"therapy.PD1": 0.95, "therapy.CTLA4": 0.95, "therapy.DEPLETION": 0.95},
        },
    ],
    "terms": [{"name": k, "title": k, "lines": [v]} for k, v in TERMS.items()],
}


def plan(**changes):
    issues = []
    found = read_liver_effect(copy.deepcopy(TABLE) | changes, "mine.toml", SYSTEM, issues)
    assert found is not None, issues
    return found


@pytest.fixture(scope="module")
def arms():
    """Patients with microsatellite-stable disease, their other lesion in each place."""
    own = plan()
    who = people(SYSTEM, POINT, own.biologies[0].contexts, COVARIATES, 25, (1, "tests", "liver effect"))
    return placed(SYSTEM, own.terms, who, POINT)


@pytest.fixture(scope="module")
def result():
    return liver_effect(plan(), [POINT])


def course(patients, given=1, days=None):
    start = settled(SYSTEM, patients, 90, 1e-8).states[:, 0]
    return followed(
        SYSTEM,
        patients,
        plan().treatments[given],
        start,
        np.linspace(0, 168, 85) if days is None else days,
        1e-8,
    )


def rows(result, table, **head):
    return [r for r in getattr(result, table) if head.items() <= r.items()]


# --- the pair ----------------------------------------------------------


@pytest.mark.parametrize("given", [0, 1])
def test_without_the_three_terms_nothing_differs_between_the_two_of_a_pair(arms, given):
    """Every state of the lesion that is read, of its site, of blood and of the other lesion."""
    one, other = (course(arms[k], given).states for k in ("liver with", "apart"))
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_with_the_terms_the_pair_differs(arms):
    one, other = (course(arms[k])["extrahepatic.1.viable"][:, -1] for k in ("liver", "apart"))
    assert np.all(one > other)


def test_the_two_of_a_pair_have_the_same_lesions_and_the_other_organ_is_the_readers_own(arms):
    for name, own in arms.items():
        sizes = np.sort(
            [own[f"{organ}.{k}.D0"] for organ in ("hepatic", "extrahepatic") for k in (1, 2)], axis=0
        )
        assert np.array_equal(
            sizes,
            np.sort(
                [arms["own"][f"{o}.1.D0"] for o in ("hepatic", "extrahepatic")] + [0 * sizes[0]] * 2, axis=0
            ),
        ), name
    apart = arms["apart"]
    site = [n for n in apart.names if n.startswith("liver.") and n != "liver.TOLERANCE"]
    assert len(site) > 30 and all(
        np.array_equal(apart[n], apart[n.replace("liver.", "elsewhere.")]) for n in site
    )
    assert np.array_equal(apart["growth.1.ALPHA"], apart["growth_elsewhere.1.ALPHA"])
    assert all(np.any(arms["own"][n] != apart[n]) for n in ("growth.1.ALPHA", "liver.KIN"))


def test_an_arm_with_some_terms_has_the_lines_of_the_others_at_zero_and_nothing_else_changed(arms):
    for kept in subsets(3):
        own = arms[lesion_pairs.arm(kept, 3)]
        changed = {n for n in own.names if np.any(own[n] != arms["liver"][n])}
        assert changed == {line for i, line in enumerate(TERMS.values()) if i not in kept}
        assert all(not own[n].any() for n in changed)


# --- log-kill ----------------------------------------------------------


def test_log_kill_is_the_integral_of_the_kill_rate(arms):
    """Immune kill is all there is here, and growth alone is taken off: two ways to one number."""
    run = course(arms["liver"], days=np.linspace(0, 168, 337))
    viable, rate, days = run["extrahepatic.1.viable"], run["growth_elsewhere.1.rate"], run.times[0]
    own = log_kill(viable, rate, days)
    assert np.ptp(own) > 0.3
    np.testing.assert_allclose(own, np.trapezoid(run["elsewhere.kill"], days, axis=1), atol=2e-4)


def test_a_lesion_is_killed_down_to_one_cell_and_no_further():
    days = np.array([0.0, 10, 20, 30])
    viable = np.array([[1.0, 1e-5, 1e-10, 1e-30], [1.0, 1e-5, -1e-13, 1e-8]])
    found = log_kill(viable, np.full((2, 4), 0.01), days)
    np.testing.assert_allclose(found, np.log(1e9) + 0.15)  # growth of ten days whole, of ten more by half


def test_log_kill_has_one_definition_for_platforms_and_for_pairs_of_lesions():
    """Of a lesion killed far below one cell, of one that was never there, and of one that lives, in one
    patient.
    """
    days = np.array([0.0, 10, 20, 30])
    viable = np.stack([[1.0, 1e-5, 1e-10, 1e-30], [0.0] * 4, [1.0, 1.1, 1.2, 1.3]], axis=1)[None]
    found = log_kill(viable, np.full(viable.shape, 0.01), days)
    np.testing.assert_allclose(found, [[np.log(1e9) + 0.15, 0.0, 0.3 - np.log(1.3)]], atol=1e-12)
    np.testing.assert_allclose(found[:, 0], log_kill(viable[:, :, 0], np.full((1, 4), 0.01), days))
    assert experiment.log_kill is lesion_pairs.log_kill is log_kill


# --- the split ---------------------------------------------------------


def table(means, count=3):
    """A table of three made-up terms, its means by which terms are left."""
    terms = tuple(Mechanism(n, n, ()) for n in list(TERMS)[:count])
    own = study.LiverPlan(
        system=SYSTEM,
        biologies=(),
        treatments=(),
        terms=terms,
        title="",
        text="",
        run_in=90,
        visits=56,
        until=168,
    )
    every = {lesion_pairs.arm(k, count): np.array([means(k), means(k)]) for k in subsets(count)}
    return study._Table(
        own, plan().biologies[0], plan().treatments[0], "log_kill", every | {"apart": np.zeros(2)}
    )


def split(means):
    return {(r["what"], r["term"]): r["value"] for r in table(means).split()}


def test_terms_that_add_up_have_no_interaction_and_no_remainder():
    found = split(lambda kept: sum((-1.0, 0.25, 0.0)[i] for i in kept))
    assert found["whole", ""] == -0.75 and found["remainder", ""] == found["interaction", ""] == 0
    for name, own in zip(TERMS, (-1.0, 0.25, 0.0), strict=True):
        assert found["alone", name] == pytest.approx(own) == pytest.approx(found["part", name])
        assert found["left", name] == pytest.approx(-0.75 - own)


def test_what_two_terms_do_together_is_an_interaction_shared_by_halves_and_what_none_does_a_remainder():
    found = split(lambda kept: 0.5 - 2.0 * (0 in kept and 1 in kept))
    assert found["interaction", ""] == -2 and found["remainder", ""] == 0.5
    assert [found["part", n] for n in TERMS] == pytest.approx([-1, -1, 0])


def test_parts_and_remainder_make_the_whole_whatever_the_terms_do():
    draws = dict(zip(subsets(3), np.random.default_rng(5).normal(size=8), strict=True))
    found = split(lambda kept: draws[kept])
    assert sum(found["part", n] for n in TERMS) + found["remainder", ""] == pytest.approx(found["whole", ""])
    alone = sum(found["alone", n] - found["remainder", ""] for n in TERMS)
    assert alone + found["remainder", ""] + found["interaction", ""] == pytest.approx(found["whole", ""])


def test_steps_lead_from_a_lesion_of_the_liver_to_one_beside_the_lesion_that_is_read():
    path = ["all", "site", "growth", "tolerance", "organ"]
    assert (STEPS["all"][0], STEPS["all"][1]) == (STEPS["site"][0], STEPS["organ"][1])
    assert all(STEPS[a][1] == STEPS[b][0] for a, b in zip(path[1:], path[2:], strict=False))


# --- what must come out ------------------------------------------------


def test_the_liver_leaves_a_lesion_elsewhere_less_killed_in_both_biologies_and_under_every_treatment(result):
    whole = rows(result, "split", what="whole", measure="log_kill")
    assert len(whole) == 4 and all(r["high"] < 0 for r in whole)
    assert all(r["high"] < 1 for r in result.ratios if r["kept"] == list(TERMS) and r["treatment"] == "none")


def test_what_the_liver_takes_from_a_lesion_elsewhere_goes_through_the_siphon(result):
    """Only circulating cells join the two sites: the other terms reach the lesion by the size of the other
    one alone.
    """
    for r in rows(result, "split", what="whole", measure="log_kill", biology="mss"):
        [left] = rows(
            result,
            "split",
            what="left",
            term="siphon",
            measure="log_kill",
            biology="mss",
            treatment=r["treatment"],
        )
        assert abs(left["value"]) < 0.15 * abs(r["value"])


def test_terms_that_shield_the_livers_lesion_alone_help_the_one_elsewhere_by_its_antigen(result):
    """A larger lesion primes more, and without the siphon nothing takes that away."""
    for term in ("deletion", "lag3"):
        for biology in ("mss", "msi_h"):
            [alone] = rows(
                result,
                "split",
                what="alone",
                term=term,
                measure="log_kill",
                biology=biology,
                treatment="both",
            )
            assert alone["low"] > 0


def test_without_any_term_there_is_no_difference_in_any_measure(result):
    none = rows(result, "split", what="remainder")
    assert len(none) == 4 * len(MEASURES) and all(
        abs(r[k]) < 1e-4 for r in none for k in ("value", "low", "high")
    )


def test_differences_are_those_of_the_arms_and_the_ratio_that_of_their_logarithms(result):
    for r in rows(result, "differences", kept=list(TERMS)):
        head = {k: r[k] for k in ("biology", "treatment", "measure")}
        [whole] = rows(result, "split", what="whole", **head)
        [step] = rows(result, "steps", step="tolerance", **head)
        assert r["value"] == whole["value"] == step["value"]
        if r["measure"] == "circulating":
            [ratio] = rows(result, "ratios", kept=list(TERMS), **{**head, "measure": "ratio"})
            assert ratio["value"] == pytest.approx(np.exp(r["value"]))


def test_rows_are_there_for_every_biology_treatment_and_measure(result):
    assert [len(getattr(result, t)) for t in study.TABLES] == [16 * 4, 16 * 8, 16 * 12, 4 * 8, 16 * 5]
    assert {r["arm"] for r in result.arms} == set(ARMS) and result.draws == 3 and result.failures == ()


def test_how_many_are_solved_together_changes_nothing(monkeypatch, result):
    monkeypatch.setattr(study, "_AT_ONCE", 90)
    for one, two in zip(result.split, liver_effect(plan(), [POINT]).split, strict=True):
        assert one == pytest.approx(two, abs=1e-9)


def test_a_patient_who_cannot_be_solved_is_left_out_of_every_arm(monkeypatch):
    measured = lesion_pairs.measured

    def failing(run, scans, shrinks):
        values = measured(run, scans, shrinks)
        values[0] = np.nan  # of the first arm alone
        return values

    monkeypatch.setattr(lesion_pairs, "measured", failing)
    other = liver_effect(plan(), [POINT])
    assert all(np.isfinite(r["value"]) for r in other.split)
    assert max(abs(r["value"]) for r in other.split if r["what"] == "remainder") < 1e-4


def test_the_figure_has_a_row_for_every_term_and_says_units(result):
    [(picture, caption)] = liver_pictures(result).values()
    labels = [x.get_text() for x in picture.axes[0].get_yticklabels()]
    assert labels == [
        x for t in ("None", "Anti-PD-1 and anti-CTLA-4") for x in (t, "all terms", *TERMS, "none")
    ]
    assert (
        all("natural log units" in a.get_xlabel() for a in picture.axes)
        and "50 % intervals over draws" in caption
    )
    assert "primes more T cells" in caption  # why some differences lie above 0
    plt.close("all")


def test_the_siphon_is_said_to_lead_by_construction_as_it_alone_drains_the_blood(result):
    told = liver_data(result)["says"]
    assert told and all("siphon has the largest part" in t and "by construction: it alone" in t for t in told)
    both = replace(result, ratios=tuple(r | {"high": 0.9} for r in result.ratios))
    assert not any("by construction" in t for t in liver_data(both)["says"])


# --- the file ----------------------------------------------------------


def test_every_fault_of_the_table_is_told_at_once():
    issues = []
    table = copy.deepcopy(TABLE) | {"shrinks": 30, "until": "4 week", "patients": 1, "more": 1}
    table["terms"][0]["lines"] = ["liver.SIGMAS"]
    table["biologies"][1]["contexts"] = ["biology_msi"]
    assert read_liver_effect(table, "mine.toml", SYSTEM, issues) is None
    found = {i.where.removeprefix("mine.toml: liver_effect."): f"{i.what} | {i.remedy}" for i in issues}
    assert set(found) == {"shrinks", "until", "patients", "more", "terms[1].lines", "biologies[2].contexts"}
    assert "liver.SIGMA" in found["terms[1].lines"] and "biology_msi_h" in found["biologies[2].contexts"]
    assert "shrinks = 0.3" in found["shrinks"]


def test_a_system_without_the_two_sites_is_refused():
    issues = []
    assert read_liver_effect(copy.deepcopy(TABLE), "mine.toml", load_model("systems/crlm"), issues) is None
    assert any("has no input 'liver.TOLERANCE'" in i.what for i in issues)


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        "x",
        {"title": 1, "terms": {"a": 1}, "seed": "x", "run_in": 3, "shrinks": "x"},
        {**TABLE, "biologies": "x", "treatments": [3], "terms": None},
    ],
)
def test_what_is_no_plan_is_told_and_nothing_breaks(value):
    issues = []
    assert read_liver_effect(value, "mine.toml", SYSTEM, issues) is None
    assert issues and all(i.where.startswith("mine.toml: liver_effect") for i in issues)
