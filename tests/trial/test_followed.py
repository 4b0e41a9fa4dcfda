"""Patients followed by scans: counted by hand on courses written down, and laws of the simulated ones."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from pkpd import draw, load_model, load_parameters, load_regimen, load_trial, lower, simulate
from pkpd.parameters.parameters import Value
from pkpd.parameters.sets import load_context
from pkpd.regimen.lowering import packed_starts
from pkpd.simulation.simulation import Simulation
from pkpd.trial import followed
from pkpd.trial.arm import Group, Local
from pkpd.trial.disease import daily_model
from pkpd.trial.drug_effect import Drugs, levels, records
from pkpd.trial.endpoints import death_by_hazard
from pkpd.trial.figures import figure_values, replicates
from pkpd.trial.prepare import prepare
from pkpd.trial.published import Figure
from pkpd.trial.readout import Followed
from pkpd.trial.response import CRITERIA, again, progressed, standing
from pkpd.trial.run import run_arm

N = 300
MSI = (load_context("biology_msi_h", daily_model("systems/crlm_immune")),)


@cache
def trial():
    return load_trial("pd1_mss_liver")


@cache
def parameters():
    return trial().parameters


def of(name, **values):
    """The trial's parameters with some lines the same in every patient."""
    own = parameters() if name is None else name
    for line, value in values.items():
        line = line.replace("__", ".")
        own = own.with_value(line, Value(line, value, own[line].unit))
        own = replace(own, correlations=tuple(c for c in own.correlations if line not in c.of))
    return own


def group(lesions, elsewhere, contexts=()):
    return (Group("", 1.0, contexts, (("LESIONS", lesions), ("ELSEWHERE", elsewhere))),)


def run(arm=None, own=None, n=N, where=None, stream="same"):
    """The readout of an arm of the trial, or of one like it."""
    where = trial() if where is None else where
    own = parameters() if own is None else own
    return run_arm(prepare(where, arm or where.arms[0], own, n, stream=stream), own)


# --- by hand ------------------------------------------------------------

# Diameters (mm) of two hepatic and two extrahepatic lesions at the baseline and at scans in weeks 8, 16, 24,
# 32
BY_HAND = {
    "partial, held": [(30, 20, 0, 0), (20, 15, 0, 0), (20, 14, 0, 0), (20, 14, 0, 0), (20, 14, 0, 0)],
    "partial, not held": [(30, 20, 0, 0), (20, 15, 0, 0), (21, 16, 0, 0), (21, 16, 0, 0), (21, 16, 0, 0)],
    "partial, then worse": [(30, 0, 20, 0), (20, 0, 12, 0), (20, 0, 12, 0), (20, 0, 22, 0), (30, 0, 30, 0)],
    "worse in the other organ": [
        (30, 0, 20, 0),
        (30, 0, 30, 0),
        (30, 0, 40, 0),
        (30, 0, 50, 0),
        (30, 0, 60, 0),
    ],
    "gone": [(12, 0, 11, 0), (0, 0, 9, 0), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)],
    "stable": [(30, 20, 30, 20), (33, 22, 33, 22), (31, 20, 31, 20), (28, 18, 28, 18), (30, 20, 30, 20)],
    "too small to measure": [(9, 0, 8, 0), (4, 0, 3, 0), (4, 0, 3, 0), (4, 0, 3, 0), (4, 0, 3, 0)],
}
DAYS = np.array([0.0, 56, 112, 168, 224])


@pytest.fixture
def by_hand(monkeypatch):
    """Reads the courses above: no error of measurement, scans on their days, a lesion is seen from 2 mm, no
    one dies.
    """

    def read(courses=BY_HAND, local=None, operation=(np.inf, np.inf), hazard=0.0, **changes):
        own = of(
            None,
            imaging__ERR=0.0,
            imaging__D50CT=2.0,
            imaging__SCT=1e-3,
            imaging__D50MRI=2.0,
            imaging__SMRI=1e-3,
            occult__PRESENT=0.0,
            hazard__H0=0.0,
            hazard__H1=0.0,
        )
        where = replace(
            trial(), **{"scans": ((56.0, 224.0),), "jitter": 0.0, "follow_up": (300.0, 300.0), **changes}
        )
        table = np.array(list(courses.values()), dtype=float)

        def course(model, people, schedule, times, **_):
            states = np.zeros((*times.shape, len(model.states)))
            last = np.searchsorted(DAYS, times, side="right") - 1
            for j, name in enumerate(("hepatic.1", "hepatic.2", "extrahepatic.1", "extrahepatic.2")):
                volume = np.pi / 6 * (table[:, :, j] / 10) ** 3
                states[:, :, model.states.index(f"{name}.sensitive")] = np.take_along_axis(
                    volume, last, axis=1
                )
            states[:, :, model.states.index("hazard.cumulative")] = hazard * times
            return Simulation(model, people, schedule, times, states)

        monkeypatch.setattr(followed, "simulate", course)
        arm = replace(where.arms[0], local=local, operation=operation)
        return dict(zip(courses, _rows(run(arm, own, len(courses), where)), strict=True))

    return read


def _rows(r: Followed) -> list[dict]:
    return [
        {
            "response": str(r.response[i]),
            "pfs": r.pfs_time[i],
            "event": bool(r.pfs_event[i]),
            "dor": r.dor_time[i],
            "dor_event": bool(r.dor_event[i]),
            "change": r.change[i],
            "planned": r.planned[i],
            "cleared": bool(r.cleared[i]),
        }
        for i in range(len(r))
    ]


def test_responses_are_those_counted_by_hand(by_hand):
    found = {k: v["response"] for k, v in by_hand().items()}
    assert found == {
        "partial, held": "PR",
        "partial, not held": "PR",
        "partial, then worse": "PR",
        "worse in the other organ": "PD",
        "gone": "CR",
        "stable": "SD",
        "too small to measure": "NE",
    }


def test_a_response_that_the_next_scan_does_not_show_is_none_where_it_must_be_confirmed(by_hand):
    found = {k: v["response"] for k, v in by_hand(confirmed=True).items()}
    assert found["partial, held"] == found["partial, then worse"] == "PR" and found["gone"] == "CR"
    assert found["partial, not held"] == "SD"


def test_progression_is_dated_by_its_scan_and_others_are_censored_at_the_cut(by_hand):
    found = by_hand()
    assert (found["partial, then worse"]["pfs"], found["partial, then worse"]["event"]) == (168, True)
    assert (found["worse in the other organ"]["pfs"], found["worse in the other organ"]["event"]) == (
        56,
        True,
    )
    assert (found["stable"]["pfs"], found["stable"]["event"]) == (300, False)


def test_a_response_lasts_from_its_first_scan_to_progression(by_hand):
    found = by_hand()
    assert (found["partial, then worse"]["dor"], found["partial, then worse"]["dor_event"]) == (
        168 - 56,
        True,
    )
    assert (found["gone"]["dor"], found["gone"]["dor_event"]) == (300 - 56, False)
    assert (found["stable"]["dor"], found["stable"]["dor_event"]) == (0, False)


def test_the_change_is_that_of_the_sum_over_both_organs(by_hand):
    found = by_hand()
    assert found["partial, then worse"]["change"] == pytest.approx(32 / 50 - 1)
    assert found["gone"]["change"] == pytest.approx(-1)
    assert found["stable"]["change"] == pytest.approx(92 / 100 - 1)


def test_disease_is_controlled_until_the_scan_that_shows_progression(by_hand):
    found = by_hand()
    assert (
        found["worse in the other organ"]["planned"] == 56 and found["partial, then worse"]["planned"] == 168
    )
    assert math.isinf(found["stable"]["planned"])


def test_a_lesion_that_no_scan_shows_adds_nothing_to_the_sum(by_hand):
    """Nine and one and a half millimetres of twelve and eleven, when a scan sees two: nine of
    twenty-three.
    """
    found = by_hand({"one": [(12, 11, 0, 0)] + [(9, 1.5, 0, 0)] * 4})
    assert found["one"]["change"] == pytest.approx(9 / 23 - 1) and found["one"]["response"] == "PR"


def test_who_dies_before_the_first_scan_is_not_evaluable_and_not_controlled(by_hand):
    found = by_hand(hazard=2.0)
    assert all(
        v["response"] == "NE" and v["planned"] == 56 and v["event"] and v["pfs"] < 56 for v in found.values()
    )


def test_by_immune_criteria_progression_is_confirmed_and_products_are_summed(by_hand):
    """50 to 60 mm is progression by RECIST; 1300 to 1525 mm² is not by irRC, and 1300 to 1800 is, if it
    lasts.
    """
    courses = {
        "slow": [(30, 0, 20, 0), (36, 0, 24, 0), (33, 0, 21, 0), (33, 0, 21, 0), (33, 0, 21, 0)],
        "once": [(30, 0, 20, 0), (36, 0, 24, 0), (30, 0, 20, 0), (30, 0, 20, 0), (30, 0, 20, 0)],
        "twice": [(30, 0, 20, 0), (36, 0, 24, 0), (36, 0, 24, 0), (40, 0, 30, 0), (40, 0, 30, 0)],
        "half": [(30, 0, 20, 0), (21, 0, 14, 0), (21, 0, 14, 0), (21, 0, 14, 0), (21, 0, 14, 0)],
    }
    recist, immune = by_hand(courses), by_hand(courses, criteria="irRC")
    assert {k: v["pfs"] for k, v in recist.items()} == {"slow": 56, "once": 56, "twice": 56, "half": 300}
    assert {k: v["pfs"] for k, v in immune.items()} == {"slow": 300, "once": 300, "twice": 56, "half": 300}
    assert immune["half"]["response"] == "PR" and immune["twice"]["response"] == "PD"


def test_a_lesion_treated_locally_is_not_read(by_hand):
    """The smaller hepatic lesion vanishes and the other is stable: a response, but none of
    untreated lesions.
    """
    courses = {
        "smaller gone": [(20, 14, 0, 0)] + [(20, 0, 0, 0)] * 4,
        "larger gone": [(20, 14, 0, 0)] + [(0, 14, 0, 0)] * 4,
    }
    assert [v["response"] for v in by_hand(courses).values()] == ["PR", "PR"]
    untreated = by_hand(courses, local=Local("hepatic.2", 1.0, (1.0, 2.0)))
    assert [v["response"] for v in untreated.values()] == ["SD", "CR"]


def test_the_operation_finds_no_viable_tumour_only_below_what_pathology_sees(by_hand):
    """Spheres of 1.0 and 1.5 mm are 0.5 and 1.8 mm³; pathology sees a cubic millimetre."""
    courses = {
        "none left": [(20, 0, 0, 0)] + [(1.0, 0, 0, 0)] * 4,
        "some left": [(20, 0, 0, 0)] + [(1.5, 0, 0, 0)] * 4,
    }
    found = by_hand(courses, operation=(60.0, 60.0), pathology=1e-3)
    assert [found[k]["cleared"] for k in courses] == [True, False]


# --- pieces -------------------------------------------------------------


def test_a_scan_confirms_only_what_a_scan_shows_four_weeks_later():
    days = np.array([0.0, 14, 28, 56])
    shown = np.array([[False, True, False, True], [False, True, True, True], [False, False, False, True]])
    made = np.ones((3, 4), dtype=bool)
    assert again(shown, made, days, 28).tolist() == [
        [False, True, False, False],
        [False, True, True, False],
        [False] * 4,
    ]
    made[:, 3] = False
    assert not again(shown, made, days, 28).any()


def test_no_measurable_lesion_is_neither_response_nor_progression():
    total, visible = np.zeros((1, 3)), np.zeros((1, 3))
    partial, complete = standing(total, visible, CRITERIA["RECIST 1.1"])
    assert not partial.any() and not complete.any() and not progressed(total, CRITERIA["RECIST 1.1"]).any()


def test_death_by_a_constant_hazard_is_exponential():
    u = np.array([0.9, 0.5, 0.2, 0.01])
    times = np.tile([0.0, 30, 100, 1000], (4, 1))
    found = death_by_hazard(times, 5 + 2e-3 * times, u)
    assert found[:3] == pytest.approx(-np.log(u[:3]) / 2e-3) and math.isinf(found[3])


@pytest.mark.parametrize(
    ("drug", "regimen"), [("nivolumab", "nivolumab_3_q2w"), ("tremelimumab", "tremelimumab_75_q4w")]
)
def test_records_reproduce_the_drugs_own_occupancy(drug, regimen):
    """What records hold in spans after doses, against a fine mean of the drug's own model: within 0.01."""
    model, given = load_model(f"drugs/{drug}"), load_regimen(regimen).cycles(4)
    own = Drugs(model, load_parameters((), model), given, (("therapy.PD1", "occupancy", 1.0),))
    starts, key = packed_starts(given.days()), ("0", "a", "b")
    (found,), people = levels(own, starts, {"KRAS": np.zeros(5)}, key)
    days = np.linspace(0, 250, 25001)
    level = simulate(model, people, lower(given, model, people, starts[None]), days)["occupancy"]
    whole = np.concatenate(
        [np.zeros((5, 1)), np.cumsum((level[:, 1:] + level[:, :-1]) / 2 * 0.01, axis=1)], axis=1
    )
    disease = daily_model("systems/crlm_immune")
    held = records((found,), disease, 5).input_at(
        disease.inputs.index("therapy.PD1"), np.zeros(5), np.tile(days, (5, 1))
    )
    for dose, low, high in (
        (0, 0, 1),
        (0, 1, 3),
        (1, 3, 7),
        (3, 0, 1),
        (3, 21, 28),
        (3, 70, 84),
        (3, 112, 140),
    ):
        a, b = np.searchsorted(days, starts[0, dose] + np.array([low, high]))
        mean = (whole[:, b] - whole[:, a]) / (high - low)
        assert held[:, a:b].mean(axis=1) == pytest.approx(mean, abs=0.01), (dose, low, high)


def test_what_was_given_fades_after_progression_as_the_drug_itself_does():
    """Eight doses planned and stopped after three, against three doses given."""
    model, disease = load_model("drugs/botensilimab"), daily_model("systems/crlm_immune")
    days, key = np.linspace(0, 500, 5001), ("0", "a", "b")
    held = []
    for count in (8, 3):
        given = load_regimen("botensilimab_75_q6w").cycles(count)
        own = Drugs(model, load_parameters((), model), given, (("therapy.CTLA4", "occupancy", 1.0),))
        (found,), _ = levels(own, packed_starts(given.days()), {"KRAS": np.zeros(6)}, key)
        found = found.stopped(np.full(6, 100.0)) if count == 8 else found
        held.append(
            records((found,), disease, 6).input_at(
                disease.inputs.index("therapy.CTLA4"), np.zeros(6), np.tile(days, (6, 1))
            )
        )
    assert np.abs(held[0] - held[1]).max() < 0.06 and np.abs(held[0] - held[1]).mean() < 0.01
    assert held[0][:, days > 450].max() < 0.3


def test_a_patient_without_liver_metastases_has_none():
    arm = replace(trial().arms[0], patients=group(0, 2))
    prepared = prepare(trial(), arm, parameters(), 50)
    people = draw(prepared.disease, parameters(), 50, *prepared.key, covariates=prepared.covariates)
    course = simulate(
        prepared.disease, people, records(prepared.effects, prepared.disease, 50), [0.0, 200.0], begin=-90.0
    )
    assert course["liver.volume"].max() == 0 and course["elsewhere.volume"].min() > 0


def test_what_dies_by_local_treatment_stays_as_dead_volume_and_primes_t_cells():
    model = daily_model("systems/crlm_immune")
    people = draw(model, parameters(), 5, covariates={"LESIONS": 2})
    early = simulate(model, people, None, [0.0, 10.0])
    after = followed._killed(early, "hepatic.2", 0.9)
    index = [model.states.index(f"hepatic.2.{s}") for s in ("sensitive", "resistant", "dead")]
    before = early.states[:, -1]
    assert after[:, index].sum(axis=1) == pytest.approx(before[:, index].sum(axis=1))
    assert after[:, index[0]] == pytest.approx(0.1 * before[:, index[0]])
    gain = (
        after[:, model.states.index("systemic.priming")] - before[:, model.states.index("systemic.priming")]
    )
    assert gain == pytest.approx(0.9 * people["release.2.IOTA"] * before[:, index[:2]].sum(axis=1))
    others = [
        i for i, s in enumerate(model.states) if not s.startswith("hepatic.2") and s != "systemic.priming"
    ]
    assert np.array_equal(after[:, others], before[:, others])


# --- simulated trials ----------------------------------------------------


@cache
def stable_liver():
    return run(replace(trial().arm("liver")), n=N)


def test_liver_metastases_of_stable_disease_hardly_respond_to_anti_pd1():
    """Expected shares below the upper ends of the exact intervals of 0 of 18 and of 0 of 54."""
    share = np.mean(np.isin(stable_liver().response, ("CR", "PR")))
    assert share < 1 - 0.025 ** (1 / 54) < 1 - 0.025 ** (1 / 18)


def test_the_context_alone_changes_the_readout():
    arm = trial().arm("liver")
    unstable = run(replace(arm, patients=group(2, 1, MSI)))
    stable = run(replace(arm, patients=group(2, 1)))
    shares = [np.mean(np.isin(r.response, ("CR", "PR"))) for r in (stable, unstable)]
    assert shares[1] > shares[0] + 0.1
    same = prepare(trial(), replace(arm, patients=group(2, 1, MSI)), parameters(), 20, stream="same")
    plain = prepare(trial(), replace(arm, patients=group(2, 1)), parameters(), 20, stream="same")
    own, base = same.sets(parameters())[0], plain.sets(parameters())[0]
    assert (
        base is parameters()
        and own["biology.ANTIGEN"].value
        == load_context("biology_msi_h", same.disease)["biology.ANTIGEN"].value
    )
    a, b = (draw(same.disease, p, 20, *same.key, covariates=same.covariates) for p in (own, base))
    assert np.array_equal(a["hepatic.1.D0"], b["hepatic.1.D0"]) and np.array_equal(
        a["liver.KIN"], b["liver.KIN"]
    )


def test_a_mixture_of_groups_holds_each_in_its_share():
    liver, none = group(2, 1)[0], group(0, 2)[0]
    arm = replace(
        trial().arm("liver"), patients=(replace(liver, share=0.3), replace(none, share=0.7, contexts=MSI))
    )
    prepared = prepare(trial(), arm, parameters(), 1500)
    people = followed._people(prepared, parameters())
    assert np.array_equal(people["biology.PDLONE"] == 1, prepared.group == 0)
    assert np.array_equal(people["hepatic.1.D0"] > 0, prepared.group == 0)
    assert np.mean(prepared.group == 0) == pytest.approx(0.3, abs=0.04)
    assert np.array_equal(prepared.covariates["LESIONS"] == 2, prepared.group == 0)


def test_a_patients_course_does_not_depend_on_how_many_there_are():
    few = run(trial().arm("liver"), n=40)
    assert np.array_equal(few.pfs_time, stable_liver().pfs_time[:40])
    assert np.array_equal(few.response, stable_liver().response[:40])


def test_treatment_past_progression_changes_survival_and_nothing_before():
    where = load_trial("botensilimab_balstilimab")
    arm = where.arm("phase1_no_liver")
    own = of(None, hazard__H1=4e-3)
    stopped, on = (run(replace(arm, stops=s), own, 60, where) for s in (True, False))
    same = ("pfs_time", "pfs_event", "response", "dor_time", "planned")
    assert all(np.array_equal(getattr(stopped, f), getattr(on, f)) for f in same)
    assert np.all(stopped.os_time >= stopped.pfs_time) and np.any(stopped.os_time != on.os_time)


def test_no_drug_is_no_drug_whatever_the_number_of_patients():
    supportive = load_trial("co26").arm("supportive")
    prepared = prepare(load_trial("co26"), supportive, parameters(), 20)
    assert prepared.effects == () and not supportive.regimen


def test_every_patient_has_a_time_and_no_one_failed():
    r = stable_liver()
    assert len(r) == N and not r.failures
    assert np.all(r.pfs_time > 0) and np.all(r.pfs_time <= r.os_time + 1e-9)
    assert np.all(r.dor_time[~np.isin(r.response, ("CR", "PR"))] == 0)


# --- figures -------------------------------------------------------------


def figure(endpoint, kind="count", n=10, at=0.0):
    return Figure(
        name=endpoint,
        kind=kind,
        arm="liver",
        endpoint=endpoint,
        value=0.0,
        unit="1",
        n=n,
        use="predict",
        at=at,
    )


def read(r, *figures):
    return figure_values(trial(), {"liver": r}, figures)


def made(**values):
    """A readout of four patients, others as in the first."""
    n = 4
    base = {
        "pfs_time": np.full(n, 300.0),
        "pfs_event": np.zeros(n, bool),
        "os_time": np.full(n, 300.0),
        "os_event": np.zeros(n, bool),
        "dor_time": np.zeros(n),
        "dor_event": np.zeros(n, bool),
        "response": np.array(["SD"] * n),
        "change": np.zeros(n),
        "planned": np.full(n, np.inf),
        "cleared": np.zeros(n, bool),
        "group": np.zeros(n, int),
    }
    return Followed("liver", **(base | values))


def test_counts_of_a_readout_are_those_counted_by_hand():
    r = made(
        response=np.array(["CR", "PR", "SD", "PD"]),
        planned=np.array([np.inf, 98.0, 42.0, 42.0]),
        cleared=np.array([True, False, False, False]),
    )
    found = read(
        r,
        figure("response", n=4),
        figure("complete", n=4),
        figure("pcr", n=4),
        figure("control", n=4, at=42.0),
        figure("control", n=4, at=60.0),
        figure("control", n=4, at=99.0),
    )
    assert found.tolist() == [2, 1, 1, 2, 1, 1]


def test_the_duration_of_response_is_of_responders_alone():
    r = made(
        response=np.array(["CR", "PR", "PR", "SD"]),
        dor_time=np.array([400.0, 100, 200, 0]),
        dor_event=np.array([False, True, True, False]),
    )
    median, landmark = read(r, figure("dor", "median"), figure("dor", "landmark", at=150.0))
    assert median == pytest.approx(200 / (365.25 / 12)) and landmark == pytest.approx(2 / 3)
    assert np.isnan(read(made(), figure("dor", "median"))).all()


def test_a_simulated_trial_counts_whole_patients_of_the_figures_own_number():
    small = replicates(trial(), {"liver": stable_liver()}, 40, seed=1)
    found = figure_values(trial(), small, (figure("control", n=9, at=140.0),))[0]
    assert np.array_equal(found, np.round(found)) and found.max() <= 9 and len(set(found)) > 1
