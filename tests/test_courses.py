"""Courses side by side and one after the other, delayed and reduced; dates and amounts counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from pkpd import Population, Regimen, cycles, load_regimen, lower, parse_model
from pkpd.errors import ContentError
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.schedule import RATE, Schedule

MODEL = parse_model(
    """[model]
title = "Three drugs"
time = "day"
[parameters]
K = { unit = "1/day" }
[compartments]
a = { unit = "mg", dose = true }
b = { unit = "mg", dose = true }
c = { unit = "mg", dose = true }
[flows]
out_a = { from = "a", rate = "K * a" }
out_b = { from = "b", rate = "K * b" }
out_c = { from = "c", rate = "K * c" }
""",
    "drugs",
)
ONE = Population(MODEL.inputs, np.array([[0.1]]), {})
INF = float("inf")


def course(drug: str, amount: float, cycle: float, **more) -> Regimen:
    return Regimen(
        drug.upper(), f"{drug} every {cycle:g} days", cycle, (DoseLine(drug, amount, "mg", "", (1,), **more),)
    )


LOAD = Regimen(
    "load",
    "",
    7.0,
    (DoseLine("a", 400, "mg", "", (1,), cycles="1"), DoseLine("a", 250, "mg", "", (1,), cycles="2-")),
)
A, B, C = course("a", 100.0, 14.0), course("b", 10.0, 7.0), course("c", 1.0, 21.0)


def events(regimen: Regimen, count: int | None = None) -> list[tuple]:
    """(day, drug, amount) of all that is given at once."""
    s = lower(regimen, MODEL, ONE, cycles(regimen, MODEL, count))
    return [(float(t), MODEL.states[i], float(v)) for t, i, v in zip(s.time, s.index, s.value, strict=True)]


def days(regimen: Regimen, drug: str, count: int | None = None) -> list[float]:
    return [t for t, name, _ in events(regimen, count) if name == drug]


def amounts(regimen: Regimen, drug: str, count: int | None = None) -> list[float]:
    return [v for _, name, v in events(regimen, count) if name == drug]


def same(one: Schedule, other: Schedule) -> bool:
    return all(
        np.array_equal(getattr(one, f), getattr(other, f))
        for f in ("offsets", "time", "kind", "index", "value")
    )


def told(call) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        call()
    return [(i.where, i.what, i.remedy) for i in caught.value.issues]


# --- side by side -----------------------------------------------------


def test_courses_side_by_side_begin_on_the_same_day():
    assert cycles(A + B, MODEL, 2).tolist() == [[[0, 14, INF, INF], [0, 7, 14, 21]]]
    assert events(A + B, 2) == [
        (0, "a", 100),
        (0, "b", 10),
        (7, "b", 10),
        (14, "a", 100),
        (14, "b", 10),
        (21, "b", 10),
    ]


def test_cycles_asked_for_are_the_first_course_s_and_the_others_go_on_until_its_time_is_over():
    assert days(A + B + C, "b", 3) == [0, 7, 14, 21, 28, 35]
    assert days(A + B + C, "c", 3) == [0, 21]
    assert days(C + A, "a", 1) == [0, 14]
    assert days(B + C, "c", 3) == [0]


def test_a_course_with_its_own_number_of_cycles_keeps_it():
    assert days(A + B.cycles(3), "b", 5) == [0, 7, 14]
    assert days(A.cycles(1) + B, "b", 2) == [0, 7, 14, 21]
    assert days(A + B.cycles(9), "b", 1) == [0, 7, 14, 21, 28, 35, 42, 49, 56]


def test_the_number_of_a_whole_sum_is_its_first_course_s():
    both = (A + B).cycles(2)
    assert [c.count for c in both.courses] == [2, 4] and events(both) == events(A + B, 2)


def test_what_is_given_does_not_depend_on_the_order_of_a_sum():
    assert sorted(events((A + B + C).cycles(3))) == sorted(events(C.cycles(2) + B.cycles(6) + A.cycles(3)))
    assert events(A + (B + C), 3) == events((A + B) + C, 3)


def test_a_sum_gives_what_its_courses_give_alone():
    sum_, alone = events((A + B).cycles(2)), events(A, 2) + events(B, 4)
    assert sum_ == sorted(alone)


def test_infusions_of_two_courses_into_one_compartment_add_up():
    """100 mg over 2 days from days 0 and 14, 30 mg over 1 day from days 1 and 8: 50 a day, then
    80, and 30.
    """
    slow, quick = course("a", 100.0, 14.0, over=2.0), course("a", 30.0, 7.0, at=1.0, over=1.0)
    s = lower(slow + quick, MODEL, ONE, cycles(slow + quick, MODEL, 2))
    assert set(s.kind) == {RATE}
    held = {float(t): float(v) for t, v in zip(s.time, s.value, strict=True)}
    assert held == {0: 50, 1: 80, 2: 0, 8: 30, 9: 0, 14: 50, 15: 80, 16: 0, 22: 30, 23: 0}


def test_a_sum_of_courses_of_one_length_is_the_course_of_all_their_doses():
    folfox, model = load_regimen("mfolfox6"), "systems/folfox_auc_linear"
    from pkpd import draw, load_model, load_parameters

    system = load_model(model)
    people = draw(system, load_parameters((), system), 5, seed=1)
    halves = [replace(folfox, doses=folfox.doses[:2]), replace(folfox, doses=folfox.doses[2:])]
    whole = lower(folfox, system, people, cycles(folfox, system, 4))
    both = halves[0] + halves[1]
    assert same(lower(both, system, people, cycles(both, system, 4)), whole)
    three = folfox + replace(folfox, doses=folfox.doses[3:])  # two pumps at once: twice the rate
    s = lower(three, system, people, cycles(three, system, 4))
    pump = s.value[(s.kind == RATE) & (s.index == system.states.index("fluorouracil.central"))]
    single = whole.value[(whole.kind == RATE) & (whole.index == system.states.index("fluorouracil.central"))]
    assert pump.max() == pytest.approx(2 * single.max()) and pump.min() == 0


# --- one after the other ----------------------------------------------


def test_a_course_follows_when_the_cycles_before_it_have_been_given():
    assert days(A.cycles(2).then(B), "b", 3) == [28, 35]
    assert days(A.cycles(2).then(B.cycles(3)), "b") == [28, 35, 42]


def test_a_course_follows_all_courses_before_it():
    both = (A.cycles(2) + C.cycles(2)).then(B.cycles(2))
    assert days(both, "b") == [42, 49]


def test_three_courses_follow_each_other():
    chain = A.cycles(1).then(B.cycles(2)).then(C.cycles(2))
    assert events(chain) == [(0, "a", 100), (14, "b", 10), (21, "b", 10), (28, "c", 1), (49, "c", 1)]
    assert events(A.cycles(1).then(B.cycles(2).then(C.cycles(2)))) == events(chain)


def test_a_sequence_added_to_a_course_follows_its_own_course_only():
    assert days(C + A.cycles(1).then(B.cycles(1)), "b", 9) == [14]
    assert days(A.cycles(1).then(B.cycles(1)) + C, "b", 9) == [14]


def test_a_start_moves_a_course_and_behind_another_it_is_a_pause():
    assert days(A + B.starting("3 day"), "b", 2) == [3, 10, 17, 24]
    assert days(A.cycles(1).then(B.starting("1 week").cycles(2)), "b") == [21, 28]
    assert events((A.cycles(1).then(B.cycles(1))).starting("2 day")) == [(2, "a", 100), (16, "b", 10)]


def test_a_course_taken_from_a_sequence_stands_alone():
    second = A.cycles(2).then(B.starting("1 week").cycles(2)).courses[1]
    assert days(second, "b") == [7, 14] and days(C.cycles(1) + second, "b") == [7, 14]
    assert days(second.starting("1 day"), "b") == [8, 15] and days(second.then(C.cycles(1)), "c") == [21]
    assert days(A.cycles(1).then(B).courses[1], "b", 2) == [0, 7]


def test_a_course_of_no_cycles_takes_no_time():
    assert events(A.cycles(0).then(B.cycles(2))) == events(B.cycles(2)) == events(B.cycles(2) + A.cycles(0))
    assert events((A + B).cycles(0)) == []


PIECES = (
    A.cycles(2),
    B.cycles(3),
    C.cycles(1),
    A.cycles(1).delayed({1: "3 day"}),
    LOAD.cycles(3),
    A.cycles(0),
    B.cycles(2).starting("5 day"),
    C.cycles(2).reduced(0.5),
    A.cycles(1).then(B.cycles(2)),
    A.cycles(1) + A.cycles(1),
)


@pytest.mark.parametrize("a", PIECES, ids=lambda r: r.name)
@pytest.mark.parametrize("b", PIECES, ids=lambda r: r.name)
def test_sums_and_sequences_keep_their_laws(a, b):
    for c in PIECES:
        assert events((a + b) + c) == events(a + (b + c))
        assert events(a.then(b).then(c)) == events(a.then(b.then(c)))
    assert sorted(events(a + b)) == sorted(events(b + a)) == sorted(events(a) + events(b))
    assert events((a + b).starting("4 day")) == [(t + 4, drug, v) for t, drug, v in events(a + b)]
    assert events((a + b).reduced(0.5)) == [(t, drug, v * 0.5) for t, drug, v in events(a + b)]


# --- delays, reductions, missed doses ---------------------------------


def test_a_delay_moves_its_cycle_those_after_it_and_what_follows():
    late = A.cycles(3).delayed({2: "7 day", 3: "2 day"})
    assert days(late, "a") == [0, 21, 37]
    assert days(late.then(B.cycles(1)), "b") == [51]


def test_a_delay_adds_no_cycle_to_a_course_beside_it():
    assert days(A.delayed({2: "7 day"}) + B, "b", 2) == [0, 7, 14, 21]


def test_delays_of_a_cycle_add():
    assert days(A.delayed({2: "7 day"}).delayed({2: "3 day"}), "a", 2) == [0, 24]


def test_a_reduction_holds_in_its_cycles_and_for_its_drugs():
    both = replace(A, doses=(*A.doses, *B.doses)).reduced(0.75, ["a"], "2-3")
    assert amounts(both, "a", 4) == [100, 75, 75, 100] and amounts(both, "b", 4) == [10] * 4


def test_a_dose_reduced_to_nought_is_missed_and_its_cycle_is_not():
    assert events(A.reduced(0, cycles="2"), 3) == [(0, "a", 100), (28, "a", 100)]


def test_reductions_multiply():
    assert amounts(A.reduced(0.5).reduced(0.5, cycles="2-"), "a", 3) == [50, 25, 25]


def test_a_reduction_of_a_sum_is_of_every_course_that_gives_the_drug():
    both = A.cycles(1).then(replace(A, name="later").cycles(1)) + B.cycles(1)
    assert amounts(both.reduced(0.5, ["a"]), "a") == [50, 50] and amounts(both.reduced(0.5, ["a"]), "b") == [
        10
    ]
    assert amounts(both.reduced(0.5), "b") == [5]


def test_a_reduced_infusion_keeps_its_length():
    s = lower(course("a", 100.0, 14.0, over=2.0).reduced(0.5), MODEL, ONE, np.zeros(1))
    assert s.time.tolist() == [0, 2] and s.value.tolist() == [25, 0]


def test_a_dose_line_is_given_in_its_cycles():
    assert amounts(LOAD, "a", 4) == [400, 250, 250, 250]
    lines = DoseLine("a", 1, "mg", "", (1,), cycles="1-4"), DoseLine("a", 2, "mg", "", (1,), cycles="5-/2")
    assert [(t, v) for t, _, v in events(Regimen("later", "", 21.0, lines), 9)] == [
        (0, 1),
        (21, 1),
        (42, 1),
        (63, 1),
        (84, 2),
        (126, 2),
        (168, 2),
    ]


def test_cycles_are_counted_as_a_patient_is_given_them():
    """A loading dose belongs to the first cycle that a patient has, which need not be the first
    of the plan.
    """
    two = Population(MODEL.inputs, np.full((2, 1), 0.1), {})
    s = lower(LOAD, MODEL, two, np.array([[0, 7, 14], [INF, 7, 14]]))
    assert s.value.tolist() == [400, 250, 250, 400, 250]


def test_what_is_given_of_some_drugs_is_the_rest_left_out():
    assert events((A + B).only("b"), 2) == [(0, "b", 10), (7, "b", 10), (14, "b", 10), (21, "b", 10)]
    folfox = load_regimen("folfox4").only("leucovorin")
    assert folfox.drugs == ("leucovorin",) and folfox.rules == ()


# --- what a regimen tells ---------------------------------------------


def test_a_sum_names_its_courses_and_has_all_their_doses():
    both = A + B
    assert (both.name, both.title, both.cycle, both.drugs) == (
        "A + B",
        "a every 14 days; b every 7 days",
        14,
        ("a", "b"),
    )
    assert both.doses == (*A.doses, *B.doses) and both.courses == (A, B)
    assert A.cycles(2).then(B).name == "A, then B"


def test_a_regimen_says_whether_it_must_be_told_how_long():
    assert A.open and (A.cycles(2) + B).open and not A.cycles(2).open and not (A + B).cycles(2).open


# --- what is refused --------------------------------------------------


@pytest.mark.parametrize(
    ("call", "issue"),
    [
        (
            lambda: A.then(B),
            (
                "then",
                "A goes on without end, so that nothing comes after it",
                "give it a number of cycles: in Python a.cycles(4), in a file cycles = 4",
            ),
        ),
        (
            lambda: (A.cycles(2) + B).then(C),
            (
                "then",
                "B goes on without end, so that nothing comes after it",
                "give it a number of cycles: in Python a.cycles(4), in a file cycles = 4",
            ),
        ),
        (lambda: A.cycles(4).cycles(2), ("cycles", "A has its own number of cycles", "leave the number out")),
        (
            lambda: cycles(A.cycles(4), MODEL, 2),
            ("cycles", "A has its own number of cycles", "leave the number out"),
        ),
        (
            lambda: cycles(A, MODEL),
            ("cycles", "A does not say for how many cycles it is given", "give their number"),
        ),
        (
            lambda: A.cycles(-1),
            ("cycles", "-1 is not a number of cycles", "give a whole number from 0 to 1000"),
        ),
        (
            lambda: A.cycles(2.5),
            ("cycles", "2.5 is not a number of cycles", "give a whole number from 0 to 1000"),
        ),
        (
            lambda: A.starting("-1 day"),
            ("starting", "'-1 day' is no time to start at", 'give a time of zero or more: "14 day"'),
        ),
        (
            lambda: A.starting(3),
            ("starting", "3 is not a quantity", "write a number and a unit, as in '85 mg/m^2'"),
        ),
        (
            lambda: A.delayed({0: "7 day"}),
            (
                "delayed",
                "{0: '7 day'} does not say which cycle is late by how much",
                'number cycles from 1: delays = { 3 = "7 day" }; in Python {3: "7 day"}',
            ),
        ),
        (
            lambda: A.delayed({2: "0 day"}),
            ("delayed", "'0 day' is no delay", 'give a time above zero: "7 day"'),
        ),
        (
            lambda: (A + B).delayed({2: "7 day"}),
            ("delayed", "A + B has several courses", "delay a course before it is added to others"),
        ),
        (
            lambda: A.reduced(1),
            (
                "reduced.factor",
                "1 does not reduce a dose",
                "give what is left of a dose, from 0 (a missed one) to less than 1: factor = 0.75",
            ),
        ),
        (
            lambda: A.reduced(0.5, "a"),
            (
                "reduced.drugs",
                "'a' is not a list of drugs",
                'write drugs = ["oxaliplatin"]; all, if left out',
            ),
        ),
        (lambda: A.reduced(0.5, ["aa"]), ("reduced.drugs", "A gives no 'aa'", "did you mean 'a'?")),
        (lambda: A.only("b"), ("only", "A gives no 'b'", "known here: a")),
        (lambda: A.only(3), ("only", "A gives no 3", "known here: a")),
        (lambda: A.only(), ("only", "names no drug", 'name one or more: only("oxaliplatin")')),
        (lambda: A + "folfox4", ("+", "'folfox4' is no regimen", 'load it: pkpd.load_regimen("folfox4")')),
        (
            lambda: A.cycles(2).then(None),
            ("then", "None is no regimen", 'load it: pkpd.load_regimen("folfox4")'),
        ),
        (
            lambda: A.starting("1e308 day"),
            ("starting", "'1e308 day' is no time to start at", 'give a time of zero or more: "14 day"'),
        ),
        (
            lambda: A.cycles(2).delayed({3: "7 day"}),
            ("delayed", "A has no cycle 3 of 2", "delay a cycle that is given"),
        ),
        (
            lambda: A.delayed({"9" * 5000: "7 day"}),
            (
                "delayed",
                "{'" + 75 * "9" + "… does not say which cycle is late by how much",
                'number cycles from 1: delays = { 3 = "7 day" }; in Python {3: "7 day"}',
            ),
        ),
        (
            lambda: A.cycles(2).reduced(0, cycles="3-"),
            ("reduced.cycles", "A has no cycle 3-", "reduce a cycle that is given"),
        ),
        (
            lambda: (A.cycles(2) + B.cycles(5)).reduced(0, ["a"], "4"),
            ("reduced.cycles", "A + B has no cycle 4", "reduce a cycle that is given"),
        ),
        (
            lambda: A.reduced(0.5, []),
            ("reduced.drugs", "[] is not a list of drugs", 'write drugs = ["oxaliplatin"]; all, if left out'),
        ),
        (
            lambda: replace(A + B, doses=A.doses),
            (
                "A + B",
                "has the doses and rules of its courses",
                "change a course before it is added to others",
            ),
        ),
        (
            lambda: lower(A + B, MODEL, ONE, np.zeros((1, 2))),
            (
                "A + B: courses",
                "2 of them cannot start at times of shape (1, 2)",
                "give times (patient, course, cycle), as cycles(regimen, model, count) does",
            ),
        ),
    ],
)
def test_what_cannot_be_given_is_refused(call, issue):
    assert told(call) == [issue]


def test_a_reduction_of_no_cycle_is_refused():
    ((where, what, _),) = told(lambda: A.reduced(0.5, cycles="0"))
    assert (where, what) == ("reduced.cycles", "'0' does not say which cycles")
