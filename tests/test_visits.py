"""Rules and relative dose intensity where a regimen has several courses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pkpd import Regimen, Rule, cycles, draw, load_model, load_parameters, load_regimen, lower, treat
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.schedule import Schedule
from pkpd.simulation.run import start_states
from pkpd.simulation.treatment import Treatment
from pkpd.solve.reference import solve_patient

HERE = Path(__file__).parent / "neutropenia"
MODEL = load_model(str(HERE / "model.toml"))
VALUES = load_parameters(str(HERE / "values.toml"), MODEL)
PEOPLE = draw(MODEL, VALUES, 40, seed=1)
TYPICAL = PEOPLE.take(np.array([0])).with_inputs(
    {"KF": 8.0, "KO": 1.5, "SF": 0.002, "SO": 0.003, "KTR": 0.8, "CIRC0": 4.0, "GAMMA": 0.16}
)
HOLD = load_regimen(HERE / "regimen.toml").rules[0]
NEVER_FIT = replace(HOLD, of="circ", level=99.0, most=2)
INF = float("inf")


def course(drug: str, amount: float, cycle: float, *rules: Rule, over: float = 0.0) -> Regimen:
    return Regimen(
        f"{drug} every {cycle:g} days",
        "",
        cycle,
        (DoseLine(drug, amount, "mg", "", (1,), over=over),),
        rules=rules,
    )


MAIN, WEEKLY = course("fluorouracil", 3000.0, 14.0, over=2.0), course("oxaliplatin", 60.0, 7.0)


def ruled(regimen: Regimen, *rules: Rule) -> Regimen:
    return replace(regimen, rules=rules)


def done(treatment: Treatment, number: int) -> list[tuple]:
    """What rules did to a patient: cycle, time, rule, action."""
    return [tuple(r)[1:] for r in treatment.decisions[treatment.decisions["patient"] == number].tolist()]


def of_drug(schedule: Schedule, drug: str) -> np.ndarray:
    own = schedule.index == MODEL.states.index(drug)
    return np.column_stack([schedule.patients, schedule.time, schedule.kind, schedule.value])[own]


def same(one: Schedule, other: Schedule) -> bool:
    return all(
        np.array_equal(getattr(one, f), getattr(other, f))
        for f in ("offsets", "time", "kind", "index", "value")
    )


# --- rules act on the course that they stand in -----------------------


def test_without_a_rule_treat_gives_what_lower_gives():
    both = (MAIN.cycles(2).then(WEEKLY.cycles(2)) + WEEKLY.starting("3 day").cycles(3)).reduced(
        0.5, ["oxaliplatin"], "2"
    )
    assert same(treat(MODEL, PEOPLE, both).schedule, lower(both, MODEL, PEOPLE, cycles(both, MODEL)))


def test_a_rule_that_stops_a_course_leaves_the_one_beside_it():
    stop = Rule("circ", "above", 0.0, "1/nL", "stop")
    treatment = treat(MODEL, PEOPLE, ruled(MAIN, stop) + WEEKLY, 2)
    assert np.all(np.isinf(treatment.starts[:, 0])) and np.all(treatment.starts[:, 1] == [0, 7, 14, 21])
    alone = lower(WEEKLY, MODEL, PEOPLE, cycles(WEEKLY, MODEL, 4))
    assert same(treatment.schedule, alone)
    assert set(treatment.decisions["rule"]) == {1} and set(treatment.decisions["cycle"]) == {1}


def test_a_wait_moves_its_own_course_only():
    treatment = treat(MODEL, PEOPLE, ruled(MAIN, HOLD) + WEEKLY, 3)
    gaps = np.diff(treatment.starts[:, 0, :3], axis=1)
    assert set(np.unique(gaps[np.isfinite(gaps)])) >= {14.0, 21.0}
    assert np.all(treatment.starts[:, 1] == np.arange(6) * 7.0)


def test_rules_and_dose_lines_are_numbered_through_all_courses():
    less = Rule("circ", "above", 0.0, "1/nL", "reduce", factor=0.5)
    treatment = treat(MODEL, TYPICAL, ruled(MAIN, replace(less, factor=0.9)) + ruled(WEEKLY, less), 1)
    assert done(treatment, 1) == [(1, 0.0, 1, "reduce"), (1, 0.0, 2, "reduce"), (2, 7.0, 2, "reduce")]
    assert treatment.factors[0].tolist() == [[0.9, 0.5], [0.0, 0.25]]
    assert treatment.regimen.doses == (*MAIN.doses, *WEEKLY.doses)


def test_a_rule_of_one_course_does_not_reduce_the_same_drug_in_another():
    less = Rule("circ", "above", 0.0, "1/nL", "reduce", ("oxaliplatin",), factor=0.5)
    both = ruled(WEEKLY, less) + course("oxaliplatin", 1.0, 7.0)
    assert treat(MODEL, TYPICAL, both, 2).factors[0].tolist() == [[0.5, 1.0], [0.25, 1.0]]


# --- what is seen at a visit ------------------------------------------


def test_a_visit_sees_the_doses_of_every_course_as_the_yardstick_does():
    both = MAIN + WEEKLY
    schedule = lower(both, MODEL, TYPICAL, np.array([[[0.0, INF], [0.0, 7.0]]]))
    start = start_states(MODEL, TYPICAL)[0]
    anc = solve_patient(MODEL, start, TYPICAL.inputs[0], schedule, 0, np.array([14.0]), rtol=1e-9)[
        0, MODEL.states.index("circ")
    ]
    for level, waits in ((anc * 1.001, True), (anc * 0.999, False)):
        hold = replace(HOLD, of="circ", level=level, wait=1.0, most=50)
        treatment = treat(MODEL, TYPICAL, ruled(MAIN, hold) + WEEKLY, 2, rtol=1e-9)
        assert (treatment.starts[0, 0, 1] > 14.0) == waits


def test_visits_of_two_courses_at_one_time_see_neither_s_doses():
    seen = Rule("fluorouracil", "above", 1.0, "mg", "stop")
    both = ruled(course("fluorouracil", 100.0, 14.0), seen) + ruled(course("fluorouracil", 50.0, 7.0), seen)
    treatment = treat(MODEL, TYPICAL, both, 2)
    assert treatment.decisions.size == 0 and treatment.starts.tolist() == [
        [[0, 14, INF, INF], [0, 7, 14, 21]]
    ]


def test_a_patient_is_treated_as_if_alone():
    both = ruled(MAIN, HOLD) + ruled(
        WEEKLY, Rule("anc", "below", 2.0, "1/nL", "reduce", factor=0.8, least=0.5)
    )
    together = treat(MODEL, PEOPLE, both, 3)
    assert {"hold", "reduce"} <= set(together.decisions["action"])
    for i in range(0, 40, 9):
        alone = treat(MODEL, PEOPLE.take(np.array([i])), both, 3)
        assert np.array_equal(alone.starts[0], together.starts[i]) and np.array_equal(
            alone.factors[0], together.factors[i]
        )
        assert done(alone, i + 1) == done(together, i + 1)


# --- courses that follow ----------------------------------------------


def test_a_course_follows_when_each_patient_s_own_cycles_have_been_given():
    both = ruled(MAIN, HOLD).cycles(2).then(WEEKLY.cycles(2))
    treatment = treat(MODEL, PEOPLE, both)
    first, then = treatment.starts[:, 0], treatment.starts[:, 1]
    given = np.isfinite(first[:, 1])
    assert 2 < np.sum(first[given, 1] > 14) < 30
    assert np.array_equal(then[given, 0], first[given, 1] + 14) and np.array_equal(
        then[given, 1], then[given, 0] + 7
    )


def test_a_course_follows_the_last_of_those_before_it():
    """The main course, held twice for 7 days, ends on day 42; the weekly one on day 14; what follows begins
    on day 42.
    """
    slow = Rule("oxaliplatin", "above", 0.0, "mg", "hold", wait=7.0, most=9)
    both = (ruled(MAIN, replace(slow, level=0.02)).cycles(2) + WEEKLY.cycles(2)).then(
        course("fluorouracil", 1.0, 7.0).cycles(1)
    )
    treatment = treat(MODEL, TYPICAL.with_inputs({"KO": 0.5}), both)
    main, weekly, after = treatment.starts[0]
    assert weekly.tolist() == [0, 7] and main[1] > 14 and after[0] == main[1] + 14


def test_a_course_that_a_rule_has_ended_is_followed_by_none():
    both = ruled(MAIN, NEVER_FIT).cycles(2).then(WEEKLY.cycles(2)) + course("oxaliplatin", 1.0, 7.0).cycles(1)
    treatment = treat(MODEL, TYPICAL, both)
    assert np.isinf(treatment.starts[0, :2]).all() and treatment.starts[0, 2].tolist() == [0, INF]
    assert done(treatment, 1) == [(1, 0.0, 1, "hold"), (1, 7.0, 1, "hold"), (1, 14.0, 1, "stop")]


def test_a_drug_that_is_stopped_does_not_end_its_course():
    stop = Rule("circ", "above", 0.0, "1/nL", "stop", ("oxaliplatin",))
    whole = replace(MAIN, doses=(*MAIN.doses, *WEEKLY.doses), rules=(stop,))
    treatment = treat(MODEL, TYPICAL, whole.cycles(2).then(WEEKLY.cycles(1)))
    assert treatment.starts[0].tolist() == [[0, 14], [28, INF]]


# --- relative dose intensity ------------------------------------------


def test_intensity_is_over_all_courses_that_give_a_drug():
    """Planned: 2 x 100 mg every 14 days, then 2 x 50 mg weekly: 300 mg in 42 days. Given: 200 + 2 x 25 mg in
    49 days.
    """
    first, then = course("oxaliplatin", 100.0, 14.0).cycles(2), course("oxaliplatin", 50.0, 7.0).cycles(2)
    both = first.delayed({2: "7 day"}).then(then.reduced(0.5)) + MAIN.cycles(1)
    treatment = treat(MODEL, TYPICAL, both)
    assert treatment.planned.tolist() == [[0, 14], [28, 35], [0, INF]]
    assert treatment.starts[0].tolist() == [[0, 21], [35, 42], [0, INF]]
    assert treatment.intensity["oxaliplatin"] == pytest.approx([250 / 300 * 42 / 49])
    assert treatment.intensity["fluorouracil"] == [1.0]


def test_a_delay_in_a_course_that_is_over_long_before_the_end_takes_no_time():
    """100 mg on days 0 and 21 (planned 14), 50 mg weekly to day 56 as planned: all is given in the 56 days
    planned.
    """
    both = course("oxaliplatin", 100.0, 14.0).cycles(2).delayed({2: "7 day"}) + WEEKLY.cycles(8)
    assert treat(MODEL, TYPICAL, both).intensity["oxaliplatin"] == [1.0]


def test_a_delay_beyond_the_end_of_the_course_beside_it_takes_what_it_adds_to_the_whole():
    """Days 0 to 28 and 0 to 14, planned; the second of 100 mg on day 35, so that it ends on day 49."""
    both = course("oxaliplatin", 100.0, 14.0).cycles(2).delayed({2: "21 day"}) + WEEKLY.cycles(2)
    assert treat(MODEL, TYPICAL, both).intensity["oxaliplatin"] == pytest.approx([28 / 49])


def test_a_delay_after_a_drug_was_stopped_does_not_lower_its_intensity_further():
    """Oxaliplatin in 2 of 4 cycles, then stopped; the fourth cycle, a week late, is one without it."""
    whole = (
        replace(MAIN, doses=(*MAIN.doses, *WEEKLY.doses))
        .delayed({4: "7 day"})
        .reduced(0, ["oxaliplatin"], "3-")
    )
    treatment = treat(MODEL, TYPICAL, whole, 4)
    assert treatment.starts[0].tolist() == [0, 14, 28, 49]
    assert treatment.intensity["oxaliplatin"] == [0.5] and treatment.intensity[
        "fluorouracil"
    ] == pytest.approx([56 / 63])


def test_an_intensity_above_the_planned_is_told():
    """One course waits before its first dose and the other does not: 63 days are planned, 56 taken."""
    late = course("oxaliplatin", 1.0, 7.0).cycles(1).delayed({1: "14 day"}) + WEEKLY.starting("7 day").cycles(
        8
    )
    treatment = treat(MODEL, TYPICAL, late)
    assert treatment.intensity["oxaliplatin"] == pytest.approx([63 / 56])
    assert "relative dose intensity of oxaliplatin: median 1.12" in treatment.tally().lines()[1]


def test_missed_doses_lower_the_intensity_and_take_no_time():
    treatment = treat(MODEL, TYPICAL, WEEKLY.reduced(0, cycles="2, 4"), 5)
    assert treatment.intensity["oxaliplatin"] == pytest.approx([3 / 5])
    assert treatment.starts[0].tolist() == [0, 7, 14, 21, 28]


def test_a_loading_dose_counts_in_its_own_cycle_and_a_later_delay_does_not_touch_it():
    load = DoseLine("fluorouracil", 400.0, "mg", "", (1,), cycles="1")
    rest = DoseLine("oxaliplatin", 50.0, "mg", "", (1,), cycles="2-")
    regimen = Regimen("load", "", 7.0, (load, rest)).delayed({3: "7 day"})
    treatment = treat(MODEL, TYPICAL, regimen, 4)
    assert treatment.factors[0].tolist() == [[1, 0], [0, 1], [0, 1], [0, 1]]
    assert treatment.intensity["fluorouracil"] == [1.0]
    assert treatment.intensity["oxaliplatin"] == pytest.approx([21 / 28])


def test_a_course_that_never_comes_is_missed_in_amount_and_planned_in_time():
    first, then = (
        ruled(course("oxaliplatin", 100.0, 14.0), NEVER_FIT).cycles(2),
        course("oxaliplatin", 50.0, 7.0).cycles(2),
    )
    treatment = treat(MODEL, TYPICAL, first.then(then) + course("oxaliplatin", 100.0, 42.0).cycles(1))
    assert treatment.intensity["oxaliplatin"] == pytest.approx([100 / 400])


# --- what cannot be decided -------------------------------------------


def test_a_patient_who_cannot_be_decided_on_is_lost_in_every_course_and_the_others_are_untouched():
    people = PEOPLE.take(np.arange(3)).with_inputs({"CIRC0": np.array([4.0, 0.0, 5.0])})
    both = ruled(MAIN, replace(HOLD, level=0.0)) + WEEKLY
    treatment = treat(MODEL, people, both, 2)
    (failure,) = treatment.failures
    assert (
        failure
        == "patient 2, day 0: met a value that is not finite; undecided from cycle 2 of fluorouracil every "
        "14 days on"
    )
    assert np.isnan(treatment.starts[1]).tolist() == [[False, True, False, False], [False, False, True, True]]
    assert np.isnan(treatment.intensity["oxaliplatin"]).tolist() == [False, True, False]
    others = treat(MODEL, people.take(np.array([0, 2])), both, 2)
    assert np.array_equal(others.starts, treatment.starts[[0, 2]])
