"""Dose rules on a state at a visit: who waits, what is given, how intensely; and that nobody touches a
neighbour.
"""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pkpd import (
    Crossing,
    Population,
    Rule,
    cycles,
    draw,
    load_model,
    load_parameters,
    load_regimen,
    lower,
    parse_model,
    removal,
    simulate,
    treat,
)
from pkpd.errors import ContentError, SimulationError
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.regimen import Regimen
from pkpd.regimen.schedule import ADD, RATE, SCALE, Schedule
from pkpd.simulation.treatment import Treatment, given
from pkpd.solve.reference import solve_patient

HERE = Path(__file__).parent / "neutropenia"
MODEL = load_model(str(HERE / "model.toml"))
VALUES = load_parameters(str(HERE / "values.toml"), MODEL)
OWN = load_regimen(HERE / "regimen.toml")
PLAIN = replace(OWN, rules=())
PEOPLE = draw(MODEL, VALUES, 60, seed=1)
HOLD = OWN.rules[0]
ALWAYS = Rule("circ", "above", 0.0, "1/nL", "reduce", ("fluorouracil",), factor=0.8, least=0.6)
TYPICAL = PEOPLE.take(np.array([0])).with_inputs(
    {"KF": 8.0, "KO": 1.5, "SF": 0.002, "SO": 0.003, "KTR": 0.8, "CIRC0": 4.0, "GAMMA": 0.16}
)


def under(*rules: Rule, doses: tuple[DoseLine, ...] = PLAIN.doses) -> Regimen:
    return replace(PLAIN, rules=rules, doses=doses)


def same(one: Schedule, other: Schedule) -> bool:
    fields = ("offsets", "time", "kind", "index", "value")
    return all(np.array_equal(getattr(one, f), getattr(other, f)) for f in fields)


def rows(schedule: Schedule, patient: int, drug: str) -> np.ndarray:
    """(time, kind, value) of what a patient is given of a drug."""
    own = (schedule.patients == patient) & (schedule.index == MODEL.states.index(drug))
    return np.column_stack([schedule.time, schedule.kind, schedule.value])[own]


def done(treatment: Treatment, number: int) -> list[tuple]:
    """What rules did to a patient: cycle, time, rule, action."""
    own = treatment.decisions[treatment.decisions["patient"] == number]
    return [tuple(r)[1:] for r in own.tolist()]


def told(call) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        call()
    return [(i.where, i.what, i.remedy) for i in caught.value.issues]


# --- nothing to decide ------------------------------------------------


def test_without_a_rule_treat_gives_what_lower_gives():
    treatment = treat(MODEL, PEOPLE, PLAIN, 3)
    assert same(treatment.schedule, lower(PLAIN, MODEL, PEOPLE, cycles(PLAIN, MODEL, 3)))
    assert all(np.all(v == 1) for v in treatment.intensity.values())


def test_rules_that_never_apply_change_nothing():
    quiet = under(replace(HOLD, level=0.0), replace(ALWAYS, side="below"), replace(OWN.rules[2], level=0.0))
    treatment = treat(MODEL, PEOPLE, quiet, 3)
    assert same(treatment.schedule, lower(PLAIN, MODEL, PEOPLE, cycles(PLAIN, MODEL, 3)))
    assert treatment.decisions.size == 0 and treatment.failures == ()
    assert all(np.all(v == 1) for v in treatment.intensity.values())


def test_delays_are_kept_by_rules_that_never_apply_and_lower_the_intensity():
    """Three cycles of 14 days, planned to take 42, taken 45."""
    quiet = under(replace(HOLD, level=0.0))
    treatment = treat(MODEL, PEOPLE, quiet.delayed({2: "3 day"}), 3)
    assert same(treatment.schedule, lower(PLAIN, MODEL, PEOPLE, np.array([[0.0, 17.0, 31.0]])))
    assert treatment.planned.tolist() == [0.0, 14.0, 28.0]
    assert all(v == pytest.approx(42 / 45) for v in treatment.intensity.values())


def test_factors_of_one_leave_a_schedule_as_it_is():
    starts = cycles(PLAIN, MODEL, 3)
    whole = lower(PLAIN, MODEL, PEOPLE, starts, np.ones((len(PEOPLE), 3, len(PLAIN.doses))))
    assert same(whole, lower(PLAIN, MODEL, PEOPLE, starts))


# --- holding ----------------------------------------------------------


@pytest.fixture(scope="module")
def held() -> Treatment:
    return treat(MODEL, PEOPLE, under(HOLD), 4)


def test_a_rule_to_hold_delays_exactly_the_patients_below_the_level(held):
    first = simulate(MODEL, PEOPLE, lower(PLAIN, MODEL, PEOPLE, np.zeros(1)), (14.0,))["anc"][:, 0]
    below = first < 1.5
    assert 5 < below.sum() < 55
    assert np.all(held.starts[~below, 1] == 14.0)
    assert np.all(held.starts[below, 1] > 14.0)


def test_a_cycle_waits_by_whole_waits_and_moves_those_after_it(held):
    gaps = np.diff(held.starts[np.isfinite(held.starts).all(axis=1)], axis=1)
    assert set(np.unique(gaps)) == {14.0, 21.0, 28.0}


def test_a_cycle_begins_at_or_above_the_level(held):
    for number in range(4):
        begins = np.isfinite(held.starts[:, number])
        at = np.where(begins, held.starts[:, number], 0.0)[:, None]
        assert np.all(simulate(MODEL, PEOPLE, held.schedule, at)["anc"][begins, 0] > 1.5 * (1 - 1e-5))


def test_every_wait_was_below_the_level_and_is_told(held):
    daily = simulate(MODEL, PEOPLE, held.schedule, np.arange(150.0))["anc"]
    waits = held.decisions[held.decisions["action"] == "hold"]
    for patient, cycle, time, rule, _ in waits:
        assert daily[patient - 1, int(time)] < 1.5 * (1 + 1e-5)
        assert rule == 1 and time < held.starts[patient - 1, cycle - 1]
    late = held.starts[:, -1] - held.planned[-1]
    told = 7.0 * np.bincount(waits["patient"] - 1, minlength=60)
    assert np.array_equal(late[np.isfinite(late)], told[np.isfinite(late)])


def test_a_patient_who_is_never_fit_gets_nothing_after_the_waits_that_the_rule_allows():
    treatment = treat(MODEL, TYPICAL.with_inputs({"CIRC0": 1.2}), under(HOLD), 3)
    assert done(treatment, 1) == [(1, 0.0, 1, "hold"), (1, 7.0, 1, "hold"), (1, 14.0, 1, "stop")]
    assert treatment.schedule.time.size == 0 and np.all(np.isinf(treatment.starts))
    assert treatment.intensity == {"oxaliplatin": [0.0], "fluorouracil": [0.0]}


def test_the_first_rule_to_hold_that_applies_decides_the_wait():
    short, long = replace(HOLD, wait=3.0, level=1.0), replace(HOLD, wait=10.0, level=9.0, most=1)
    unfit = TYPICAL.with_inputs({"CIRC0": 0.9})
    assert [d[1] for d in done(treat(MODEL, unfit, under(short, long), 1), 1)] == [0.0, 3.0, 6.0]
    assert [d[1:] for d in done(treat(MODEL, unfit, under(long, short), 1), 1)] == [
        (0.0, 1, "hold"),
        (10.0, 1, "stop"),
    ]


def test_a_level_may_be_in_any_unit_of_its_kind(held):
    other = treat(MODEL, PEOPLE, under(replace(HOLD, level=1500.0, unit="1/uL")), 4)
    assert np.array_equal(other.starts, held.starts)


def test_delays_and_waits_add():
    late = treat(MODEL, PEOPLE, under(HOLD).delayed({1: "2 day", 2: "5 day"}), 2)
    assert np.all(late.starts[:, 0] == 2.0)
    assert set(np.unique(late.starts[:, 1])) <= {21.0, 28.0, 35.0, np.inf}


# --- reducing and stopping --------------------------------------------


def test_a_reduction_multiplies_boluses_and_infusions_of_its_drugs_only():
    treatment = treat(MODEL, TYPICAL, under(ALWAYS), 4)
    plain = lower(PLAIN, MODEL, TYPICAL, cycles(PLAIN, MODEL, 4))
    assert np.array_equal(rows(treatment.schedule, 0, "oxaliplatin"), rows(plain, 0, "oxaliplatin"))
    now, before = rows(treatment.schedule, 0, "fluorouracil"), rows(plain, 0, "fluorouracil")
    assert np.array_equal(now[:, :2], before[:, :2]) and {ADD, RATE} == set(now[:, 1])
    share = now[before[:, 2] > 0, 2] / before[before[:, 2] > 0, 2]
    assert share == pytest.approx(np.repeat([0.8, 0.64, 0.6, 0.6], 2))


def test_a_drug_reduced_below_a_rule_s_floor_by_another_is_not_raised():
    other = replace(ALWAYS, factor=0.5, least=0.0)
    treatment = treat(MODEL, TYPICAL, under(ALWAYS, other), 2)
    assert treatment.factors[0, :, 1] == pytest.approx([0.4, 0.2])


def test_a_held_cycle_is_reduced_once_however_often_it_waits():
    still_there = replace(HOLD, of="oxaliplatin", side="above", level=3.0, unit="mg", wait=4.0, most=9)
    treatment = treat(MODEL, TYPICAL.with_inputs({"KO": 0.2}), under(still_there, ALWAYS), 3)
    assert [d[3] for d in done(treatment, 1)].count("hold") == 4
    assert treatment.factors[0, :, 1] == pytest.approx([0.8, 0.64, 0.6])


def test_a_reduction_seen_while_a_cycle_waits_holds_once_it_begins():
    """Below 1.5 the cycle waits; that it had been below 1.2 reduces it, although it is above both when it
    begins.
    """
    treatment = treat(MODEL, PEOPLE, replace(OWN, rules=OWN.rules[:2]), 3)
    reduced = treatment.decisions[treatment.decisions["action"] == "reduce"]
    assert reduced.size > 5
    for patient, cycle, time, *_ in reduced:
        assert time < treatment.starts[patient - 1, cycle - 1]
        assert (
            np.isinf(treatment.starts[patient - 1, cycle - 1])
            or treatment.factors[patient - 1, cycle - 1, 1] < 1
        )


def test_a_stop_ends_its_drugs_for_good_and_the_others_go_on():
    stop = Rule("anc", "below", 2.0, "1/nL", "stop", ("oxaliplatin",))
    treatment = treat(MODEL, PEOPLE, under(stop), 4)
    rows_ = treatment.decisions
    assert 5 < rows_.size == len(set(rows_["patient"])) < 60
    for patient, _, time, *_ in rows_:
        i = patient - 1
        assert np.all(rows(treatment.schedule, i, "oxaliplatin")[:, 0] < time)
        assert len(rows(treatment.schedule, i, "fluorouracil")) == 4 * 3
    others = np.setdiff1d(np.arange(60), rows_["patient"] - 1)
    assert np.all(treatment.factors[others] == 1)


def test_a_stop_of_every_drug_ends_the_treatment():
    treatment = treat(MODEL, TYPICAL, under(Rule("circ", "below", 3.0, "1/nL", "stop"), HOLD), 5)
    assert treatment.starts.tolist() == [[0.0, *[np.inf] * 4]]
    assert done(treatment, 1) == [(2, 14.0, 1, "stop")]


def test_a_stop_is_for_good_even_where_the_cycle_waits():
    low = replace(HOLD, level=3.9, most=9)
    treatment = treat(
        MODEL, TYPICAL, under(low, Rule("anc", "below", 3.0, "1/nL", "stop", ("oxaliplatin",))), 2
    )
    (first, *_) = done(treatment, 1)
    assert first == (2, 14.0, 1, "hold") and (2, 14.0, 2, "stop") in done(treatment, 1)
    assert treatment.starts[0, 1] > 14.0 and treatment.factors[0, 1].tolist() == [0.0, 1.0, 1.0]


# --- relative dose intensity ------------------------------------------


def test_relative_dose_intensity_is_what_a_hand_computes():
    """Four cycles of 14 days, planned to take 56; 5-FU at 0.8, 0.64, 0.6, 0.6; all from the second on a week
    late: 63 days.
    """
    late = treat(MODEL, TYPICAL, under(ALWAYS, replace(HOLD, level=2.1, most=9)), 4)
    assert late.starts.tolist() == [[0.0, 21.0, 35.0, 49.0]]
    assert late.intensity["oxaliplatin"] == pytest.approx([56 / 63])
    assert late.intensity["fluorouracil"] == pytest.approx([(0.8 + 0.64 + 0.6 + 0.6) / 4 * 56 / 63])


def test_cycles_not_given_count_as_missed_in_the_time_planned():
    treatment = treat(MODEL, TYPICAL, under(Rule("circ", "below", 3.0, "1/nL", "stop")), 4)
    assert treatment.intensity == {"oxaliplatin": [0.25], "fluorouracil": [0.25]}


def test_a_wait_before_the_first_cycle_does_not_lower_the_intensity():
    tired = TYPICAL.with_inputs({"KTR": 0.05, "SF": 0.0, "SO": 0.0})
    start = parse_model(
        (HERE / "model.toml")
        .read_text()
        .replace('circ = { unit = "1/nL", start = "CIRC0"', 'circ = { unit = "1/nL", start = "CIRC0 / 4"'),
        "tired",
    )
    treatment = treat(start, tired, under(replace(HOLD, most=9)), 3)
    assert treatment.starts[0, 0] > 0 and np.all(np.diff(treatment.starts) == 14)
    assert treatment.intensity == {"oxaliplatin": [1.0], "fluorouracil": [1.0]}


def test_boluses_and_infusions_of_a_drug_weigh_by_what_they_bring():
    lines = (
        DoseLine("fluorouracil", 400, "mg", "BSA", (1, 2)),
        DoseLine("fluorouracil", 1.2, "g", "", (1,), over=1.0),
    )
    lines = (lines[0], replace(lines[1], amount=1200.0, unit="mg"))
    treatment = replace(
        treat(MODEL, TYPICAL, under(doses=lines), 2), factors=np.array([[[1.0, 0.5], [0.0, 1.0]]])
    )
    bolus = 2 * 400 * TYPICAL["BSA"][0]
    assert treatment.intensity["fluorouracil"] == pytest.approx(
        [(bolus + 1.5 * 1200) / (2 * bolus + 2 * 1200)]
    )


def test_a_tally_tells_the_median_and_where_nine_in_ten_patients_lie():
    factors = np.ones((101, 1, 3))
    factors[:, 0, 0] = np.arange(101) / 100
    factors[100, 0, 1:] = np.nan
    treatment = replace(
        treat(MODEL, draw(MODEL, VALUES, 101), PLAIN, 1), factors=factors, failures=tuple("abcdefg")
    )
    assert treatment.tally().lines() == [
        "of 101 patients, cycles held in 0, doses reduced in 0, treatment or a drug stopped in 0",
        "relative dose intensity of oxaliplatin: median 0.50, 90 % of patients 0.05 to 0.95",
        "relative dose intensity of fluorouracil: median 1.00, 90 % of patients 1.00 to 1.00",
        *(f"undecided and kept: {x}" for x in "abcde"),
        "… and 2 more undecided",
    ]


# --- what is running at a visit ---------------------------------------


def amount_rule(level: float, action: str = "hold", side: str = "above") -> Rule:
    own = {"wait": 3.0, "most": 9} if action == "hold" else {}
    return Rule("fluorouracil", side, level, "mg", action, **own)


def test_an_infusion_that_runs_over_a_visit_goes_on():
    """800 mg over days 9 to 19; at 8 a day eliminated, 10 mg while it runs: looks on days 14 and 17 see it,
    day 20 does not.
    """
    pump = (DoseLine("fluorouracil", 800.0, "mg", "", (10,), over=10.0),)
    treatment = treat(MODEL, TYPICAL, under(amount_rule(9.99), doses=pump), 2)
    assert done(treatment, 1) == [(2, 14.0, 1, "hold"), (2, 17.0, 1, "hold")]
    assert treatment.starts.tolist() == [[0.0, 20.0]]
    treatment = treat(MODEL, TYPICAL, under(amount_rule(10.01), doses=pump), 2)
    assert treatment.starts.tolist() == [[0.0, 14.0]]


def test_a_dose_at_the_very_time_of_a_visit_is_given_once_and_seen_at_the_next():
    """100 mg at the end of each cycle's last day, 0.1 a day eliminated: 24.66 mg are left at the
    visit after.
    """
    slow, end = TYPICAL.with_inputs({"KF": 0.1}), (DoseLine("fluorouracil", 100.0, "mg", "", (14,), at=1.0),)
    left = 100 * np.exp(-0.1 * 14)
    assert np.all(
        treat(MODEL, slow, under(amount_rule(left + 0.01, "stop"), doses=end), 3).starts == [0.0, 14.0, 28.0]
    )
    assert np.isinf(treat(MODEL, slow, under(amount_rule(left - 0.01, "stop"), doses=end), 3).starts[0, 2])


def test_a_visit_does_not_see_the_doses_of_its_own_cycle():
    bolus = (DoseLine("fluorouracil", 100.0, "mg", "", (1,)),)
    treatment = treat(MODEL, TYPICAL, under(amount_rule(1.0, "stop"), doses=bolus), 3)
    assert treatment.decisions.size == 0


def test_a_model_in_hours_is_treated_on_the_same_days(held):
    text = (HERE / "model.toml").read_text().replace('time = "day"', 'time = "hour"')
    hours = parse_model(text, MODEL.name)
    people = draw(hours, VALUES, 60, seed=1)
    assert treat(hours, people, under(HOLD), 4).starts == pytest.approx(24 * held.starts)


# --- agreement with deciding by hand ----------------------------------


def by_hand(people: Population, patient: int, count: int) -> tuple[list[float], list[list[float]], float]:
    """One patient under the rules of the file, solved from day 0 for each look with the yardstick; how near a
    level it came.
    """
    person = people.take(np.array([patient]))
    start = np.array([0.0, 0.0, *[person["CIRC0"][0]] * 5])
    starts: list[float] = []
    factors: list[list[float]] = []
    fluorouracil = oxaliplatin = 1.0
    time, margin = 0.0, np.inf
    for _ in range(count):
        waits, reduced = 0, False
        while True:
            anc = start[6]
            if starts:
                so_far = lower(PLAIN, MODEL, person, np.array([starts]), np.array([factors]))
                anc = solve_patient(MODEL, start, person.inputs[0], so_far, 0, np.array([time]), rtol=1e-8)[
                    0, 6
                ]
            margin = min(margin, *(abs(anc - level) for level in (0.5, 1.2, 1.5)))
            if anc < 0.5:
                oxaliplatin = 0.0
            if anc < 1.2 and not reduced:
                fluorouracil, reduced = max(0.8 * fluorouracil, 0.6), True
            if anc >= 1.5:
                break
            if waits == 2:
                return starts, factors, margin
            waits, time = waits + 1, time + 7
        starts.append(time)
        factors.append([oxaliplatin, fluorouracil, fluorouracil])
        time += 14
    return starts, factors, margin


def test_the_yardstick_deciding_visit_by_visit_gives_the_same_course():
    fates = [0, 1, 2, 5, 9, 14]
    people = PEOPLE.take(np.array(fates)).with_inputs(
        {"SF": np.array([0.001, 0.002, 0.003, 0.004, 0.006, 0.0065])}
    )
    treatment = treat(MODEL, people, OWN, 3, rtol=1e-8)
    for i in range(len(fates)):
        starts, factors, margin = by_hand(people, i, 3)
        assert margin > 1e-3
        given_ = np.isfinite(treatment.starts[i])
        assert treatment.starts[i, given_].tolist() == starts
        assert treatment.factors[i, given_] == pytest.approx(np.array(factors).reshape(len(starts), 3))
        assert np.all(treatment.factors[i, ~given_] == 0)
    assert {"hold", "reduce", "stop"} == set(treatment.decisions["action"])


# --- surgery, other doses and crossings --------------------------------


def yardstick(treatment: Treatment, patient: int, time: float) -> np.ndarray:
    """A patient's state just before a time, under all that happened to it before."""
    person, schedule = (
        treatment.population.take(np.array([patient])),
        treatment.schedule.take(np.array([patient])),
    )
    start = np.array([0.0, 0.0, *[person["CIRC0"][0]] * 5])
    place = np.array([int((schedule.time < time).sum())])
    return solve_patient(
        MODEL, start, person.inputs[0], schedule, 0, np.array([time]), rtol=1e-8, places=place
    )[0]


def test_rules_see_what_surgery_leaves():
    """Most cells are taken away on day 25: the cycle of day 28 is judged on what is there then."""
    level = Rule("circ", "below", 1.0, "1/nL", "stop")
    removed = removal(MODEL, np.array([25.0, np.inf]), dict.fromkeys(MODEL.states[2:], 0.2), 2)
    people = TYPICAL.take(np.array([0, 0]))
    treatment = treat(MODEL, people, under(level), 3, also=removed, rtol=1e-8)
    assert np.isfinite(treatment.starts).sum(axis=1).tolist() == [2, 3] and done(treatment, 1)[0][:2] == (
        3,
        28.0,
    )
    assert yardstick(treatment, 0, 28.0)[6] < 1 < yardstick(treatment, 1, 28.0)[6]
    assert {int(k) for k in treatment.schedule.kind[treatment.schedule.patients == 0]} >= {SCALE}
    blind = treat(MODEL, people, under(level), 3, rtol=1e-8)
    assert np.isfinite(blind.starts).all()


def test_rules_see_doses_that_no_rule_decides_on():
    """What another schedule gives lowers the count that the rules look at."""
    other = replace(PLAIN, doses=(DoseLine("oxaliplatin", 900.0, "mg", "", (1,)),))
    also = lower(other, MODEL, TYPICAL, np.array([[20.0]]))
    level = Rule("circ", "below", 1.5, "1/nL", "hold", wait=7.0, most=3)
    plain = replace(PLAIN, doses=tuple(d for d in PLAIN.doses if d.drug == "fluorouracil" and not d.over))
    ruled = replace(plain, rules=(level,))
    alone, beside = (treat(MODEL, TYPICAL, ruled, 3, also=x, rtol=1e-8) for x in (None, also))
    assert not len(alone.decisions) and done(beside, 1)[0] == (3, 28.0, 1, "hold")
    assert yardstick(beside, 0, 28.0)[6] < 1.5


@pytest.mark.parametrize("then", [dict.fromkeys(MODEL.states[2:], 0.2), {"KTR": 0.05}])
def test_rules_see_what_a_crossing_does_once_and_for_good(then):
    """The first fall below 3 sets cells, or slows them: what a simulation of the whole schedule shows at each
    visit.
    """
    crossings = [Crossing("circ", "3 1/nL", then=then)]
    ruled = under(Rule("circ", "below", 1.5, "1/nL", "hold", wait=7.0, most=3))
    people = PEOPLE.take(np.arange(12))
    treatment = treat(MODEL, people, ruled, 3, crossings=crossings, rtol=1e-8)
    assert treatment.crossings == tuple(crossings) and len(treatment.decisions)
    for k in range(3):
        began = np.flatnonzero(np.isfinite(treatment.starts[:, k]))
        some, times = people.take(began), treatment.starts[began, k][:, None]
        schedule = treatment.schedule.take(began)
        earlier = schedule.patients[schedule.time < times[schedule.patients, 0]]
        places = np.bincount(earlier, minlength=len(began))[:, None]
        run = simulate(MODEL, some, schedule, times, places=places, crossings=crossings, rtol=1e-8)
        assert np.all(run["circ"][:, 0] >= 1.5 - 1e-5)
    blind = treat(MODEL, people, ruled, 3, rtol=1e-8)
    assert not np.array_equal(blind.starts, treatment.starts)


def test_a_crossing_that_does_nothing_changes_no_decision():
    watched = treat(MODEL, PEOPLE, OWN, 3, crossings=[Crossing("circ", "2 1/nL")])
    plain = treat(MODEL, PEOPLE, OWN, 3)
    assert np.array_equal(watched.starts, plain.starts) and np.array_equal(watched.factors, plain.factors)


def test_what_else_happens_is_of_the_same_patients():
    with pytest.raises(ContentError, match="treat: what else happens is of 2 patients, the population of 1"):
        treat(MODEL, TYPICAL, OWN, 1, also=removal(MODEL, 1.0, {"circ": 0.5}, 2))
    also = lower(PLAIN, MODEL, TYPICAL, np.array([[3.0]]))
    with pytest.raises(ContentError, match="two schedules infuse into the same compartment"):
        treat(MODEL, TYPICAL, OWN, 1, also=also)


def test_events_of_some_patients_are_theirs_in_their_order():
    schedule = lower(PLAIN, MODEL, PEOPLE, cycles(PLAIN, MODEL, 2))
    some = schedule.take(np.array([5, 0, 5]))
    for i, k in enumerate((5, 0, 5)):
        own, other = some.patients == i, schedule.patients == k
        for field in ("time", "kind", "index", "value"):
            assert np.array_equal(getattr(some, field)[own], getattr(schedule, field)[other])
    assert len(schedule.take(np.zeros(0, dtype=int))) == 0


# --- nobody touches a neighbour ---------------------------------------


def test_a_patient_is_treated_as_if_alone():
    together = treat(MODEL, PEOPLE, OWN, 4)
    assert {"hold", "reduce", "stop"} == set(together.decisions["action"])
    for i in range(0, 60, 7):
        alone = treat(MODEL, PEOPLE.take(np.array([i])), OWN, 4)
        assert np.array_equal(alone.starts[0], together.starts[i]) and np.array_equal(
            alone.factors[0], together.factors[i]
        )
        assert done(alone, i + 1) == done(together, i + 1)
        piece = slice(*together.schedule.offsets[i : i + 2])
        assert np.array_equal(alone.schedule.value, together.schedule.value[piece])
        assert np.array_equal(alone.schedule.time, together.schedule.time[piece])


def test_threads_and_pieces_change_no_bit(monkeypatch):
    monkeypatch.setenv("PKPD_THREADS", "1")
    one = treat(MODEL, draw(MODEL, VALUES, 300, seed=2), OWN, 3)
    monkeypatch.setenv("PKPD_THREADS", "2")
    two = treat(MODEL, draw(MODEL, VALUES, 300, seed=2), OWN, 3)
    assert same(one.schedule, two.schedule) and np.array_equal(one.decisions, two.decisions)
    pieces = [
        treat(MODEL, draw(MODEL, VALUES, n, seed=2, first=f), OWN, 3) for f, n in ((0, 130), (130, 170))
    ]
    assert np.array_equal(np.concatenate([p.starts for p in pieces]), one.starts)
    assert np.array_equal(np.concatenate([p.decisions for p in pieces]), one.decisions)
    tallies = [p.tally() for p in pieces]
    assert (tallies[0] + tallies[1]).lines() == one.tally().lines()


# --- what cannot be decided -------------------------------------------


def test_a_patient_who_cannot_be_solved_is_undecided_and_named_and_the_others_are_untouched():
    neutrophils = np.array([4.0, 3.0, 0.0, 5.0])
    people, reduce = PEOPLE.take(np.arange(4)).with_inputs({"CIRC0": neutrophils}), under(OWN.rules[1])
    treatment = treat(MODEL, people, reduce, 4)
    assert treatment.failures == (
        "patient 3, day 0: met a value that is not finite; undecided from cycle 2 on",
    )
    assert treatment.starts[2, 0] == 0
    assert np.isnan(treatment.starts[2, 1:]).all() and np.isnan(treatment.factors[2, 1:]).all()
    others = [0, 1, 3]
    alone = treat(MODEL, people.take(np.array(others)), reduce, 4)
    assert np.array_equal(alone.starts, treatment.starts[others])
    assert np.isnan(treatment.intensity["fluorouracil"]).tolist() == [False, False, True, False]
    run = simulate(MODEL, people, treatment.schedule, (0.0, 60.0), strict=False)
    assert [f.split(",")[0] for f in run.failures] == ["patient 3"]
    assert np.isnan(run.states[:, 1]).all(axis=1).tolist() == [False, False, True, False]


def test_a_rule_whose_value_does_not_exist_is_not_decided_on():
    """A logarithm of what is negative is no value, and no reason to treat."""
    text = (
        (HERE / "model.toml")
        .read_text()
        .replace("[flows]", 'depth = { unit = "1", is = "log(1 - effect)" }\n\n[flows]')
    )
    model = parse_model(text, "depth")
    people = TYPICAL.with_inputs({"KF": 0.01})
    treatment = treat(model, people, under(Rule("depth", "below", -99.0, "1", "stop")), 3)
    assert treatment.failures == ("patient 1, day 14: depth is not finite; undecided from cycle 2 on",)
    with pytest.raises(SimulationError, match="patient 1, day 14"):
        simulate(model, people, treatment.schedule, (20.0,))


# --- what is refused --------------------------------------------------


def test_lower_refuses_a_regimen_with_rules_and_names_treat():
    assert told(lambda: lower(OWN, MODEL, PEOPLE, np.zeros(1))) == [
        (
            f"{HERE}/regimen.toml: rules",
            "are decided visit by visit, on each patient's own course",
            "use treat(model, population, regimen, cycles) in place of lower",
        )
    ]


def test_rules_that_the_model_cannot_follow_are_told_together():
    rules = (replace(HOLD, of="ancc"), replace(HOLD, unit="mg/L"), HOLD, replace(HOLD, of="CIRC0"))
    where = f"{HERE}/regimen.toml: rules"
    assert told(lambda: treat(MODEL, PEOPLE, under(*rules), 2)) == [
        (
            f"{where}[1].of",
            f"{MODEL.name} has no compartment or variable 'ancc'",
            "did you mean 'anc' or 'circ'?",
        ),
        (f"{where}[2].below", "'mg/L' cannot be converted to '1/nL'", "give it in a unit of the same kind"),
        (
            f"{where}[4].of",
            f"{MODEL.name} has no compartment or variable 'CIRC0'",
            "known here: anc, circ, effect, fluorouracil, oxaliplatin, prol, transit1, transit2, transit3",
        ),
    ]


def test_no_cycles_are_refused():
    assert told(lambda: treat(MODEL, PEOPLE, OWN, 0)) == [
        ("treat", "0 is not a number of cycles", "give 1 or more")
    ]


@pytest.mark.parametrize(
    ("name", "what"), [(str(HERE / "regimen.toml"), "rules"), ("folfox4_cetuximab_weekly", "courses")]
)
def test_a_trial_refuses_a_regimen_that_says_itself_when_cycles_begin(name, what):
    from pkpd.content import library
    from pkpd.trial.reading import read_trial

    data = library.read("trial", "eortc_40983").data
    data["arms"] = [{**a, "regimen": name} if "regimen" in a else a for a in data["arms"]]
    found = told(lambda: read_trial(data, "own", "own.toml"))
    number = next(i for i, a in enumerate(data["arms"], 1) if "regimen" in a)
    assert (
        f"own.toml: arms[{number}].regimen",
        f"{name!r} has {what}; a trial's cycles begin on the days that its protocol plans",
        f"name a regimen without [[{what}]]",
    ) in found


# --- the command line -------------------------------------------------


def run(*args, monkeypatch, capsys) -> tuple[int, str, str]:
    from pkpd.commands import cli

    monkeypatch.setattr("sys.argv", ["pkpd", *map(str, args)])
    try:
        cli.main()
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    said = capsys.readouterr()
    return code, " ".join(said.out.split()), " ".join(said.err.split())


@pytest.fixture
def pkpd(monkeypatch, capsys):
    return lambda *args: run(*args, monkeypatch=monkeypatch, capsys=capsys)


def test_simulate_treats_by_the_rules_and_tells_what_they_did(pkpd, tmp_path):
    import pandas as pd

    out = tmp_path / "a.csv"
    code, said, _ = pkpd(
        "simulate",
        HERE / "model.toml",
        "--parameters",
        HERE / "values.toml",
        "--regimen",
        HERE / "regimen.toml",
        "--cycles",
        3,
        "--patients",
        40,
        "--until",
        "60 day",
        "--seed",
        3,
        "--out",
        out,
    )
    people = draw(MODEL, VALUES, 40, seed=3)
    treatment = treat(MODEL, people, OWN, 3)
    assert code == 0 and all(line in said for line in treatment.tally().lines())
    assert (
        "of 40 patients, cycles held in " in said
        and "relative dose intensity of oxaliplatin: median " in said
    )
    anc = simulate(MODEL, people, treatment.schedule, np.arange(61.0))["anc"]
    assert pd.read_csv(out)["anc"].to_numpy() == pytest.approx(anc.ravel(), rel=1e-6)


def test_blocks_of_patients_are_treated_alike_and_counted_together(monkeypatch, tmp_path):
    from pkpd.simulation import streaming

    crowd = streaming.Crowd(MODEL, VALUES, (0.0, 20.0, 40.0), OWN, 3, seed=3)
    whole = streaming.simulate_to_file(crowd, 40, tmp_path / "whole.csv")
    monkeypatch.setattr(streaming, "_BLOCK", 500)
    assert 1 < crowd.block < 20
    pieces = streaming.simulate_to_file(crowd, 40, tmp_path / "pieces.csv")
    assert (tmp_path / "whole.csv").read_bytes() == (tmp_path / "pieces.csv").read_bytes()
    assert (
        whole.tally is not None and pieces.tally is not None and whole.tally.lines() == pieces.tally.lines()
    )


def test_simulate_refuses_rules_that_the_model_cannot_follow_and_leaves_no_file(pkpd, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text((HERE / "regimen.toml").read_text().replace('"anc"', '"neutrophils.anc"'))
    code, _, said = pkpd(
        "simulate",
        HERE / "model.toml",
        "--parameters",
        HERE / "values.toml",
        "--regimen",
        own,
        "--out",
        tmp_path / "a.csv",
    )
    assert code == 2 and said.count("has no compartment or variable 'neutrophils.anc'") == 3
    assert [p.name for p in tmp_path.iterdir()] == ["own.toml"]


def test_show_tells_the_rules_in_words_and_check_finds_nothing(pkpd):
    code, said, _ = pkpd("show", HERE / "regimen.toml")
    assert (
        code == 0
        and "1. hold the cycle 7 days at a time while anc is below 1.5/nL; after 2 in a row, end the course"
        in said
    )
    assert "3. stop oxaliplatin for good if anc is below 0.5/nL" in said
    assert "0 issues" in pkpd("check", HERE / "regimen.toml")[1]


# --- plain data -------------------------------------------------------


def test_a_treatment_and_its_tally_are_plain_data():
    treatment = treat(MODEL, PEOPLE.take(np.arange(5)), OWN, 2)
    again = pickle.loads(pickle.dumps(treatment))
    assert np.array_equal(again.starts, treatment.starts)
    assert pickle.loads(pickle.dumps(treatment.tally())).lines() == treatment.tally().lines()


def test_a_regimen_without_rules_is_given_without_a_tally():
    schedule, tally = given(PLAIN, MODEL, PEOPLE, 2)
    assert tally is None and same(schedule, lower(PLAIN, MODEL, PEOPLE, cycles(PLAIN, MODEL, 2)))
