"""simulate: labels, units, what is refused, and patients that fail."""

import numpy as np
import pytest

from pkpd import (
    Population,
    cycles,
    draw,
    load_model,
    load_parameters,
    load_regimen,
    lower,
    parse_model,
    typical,
)
from pkpd.errors import ContentError, SimulationError
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.regimen import Regimen
from pkpd.regimen.schedule import ADD, Schedule, nothing, settings
from pkpd.simulation.run import simulate, start_states
from pkpd.simulation.simulation import Simulation

EXPLOSION = """[model]
title = "A state that becomes infinite in finite time"
time = "day"
[parameters]
K = { unit = "1/day" }
[compartments]
y = { unit = "1", start = 1 }
[flows]
growth = { to = "y", rate = "K * y**2" }
"""
DRUG = load_model("drugs/oxaliplatin")
VALUES = load_parameters(model=DRUG)
TIMES = np.array([0.0, 1.0, 2.0, 24.0])
BAG = Regimen(
    "bag",
    "",
    14.0,
    (DoseLine(drug="oxaliplatin", amount=85, unit="mg", per="BSA", days=(1,), at=0.0, over=2 / 24),),
)


@pytest.fixture(scope="module")
def solved() -> Simulation:
    people = draw(DRUG, VALUES, 4, seed=3)
    return simulate(DRUG, people, lower(BAG, DRUG, people, np.zeros(1)), TIMES)


def explosive(*rates: float, first: int = 0) -> tuple:
    model = parse_model(EXPLOSION, "explosion")
    return model, Population(model.inputs, np.array([[r] for r in rates]), {}, first=first)


def told(call) -> tuple[str, str, str]:
    with pytest.raises(ContentError) as caught:
        call()
    (issue,) = caught.value.issues
    return issue.where, issue.what, issue.remedy


# --- labels and units -------------------------------------------------


def test_a_compartment_a_variable_and_an_input_are_read_by_name(solved):
    assert solved["central"].shape == solved["Cc"].shape == solved["CL"].shape == (4, 4)
    assert solved["Cc"] == pytest.approx(solved["central"] / solved["V1"])
    assert np.array_equal(solved["CL"][:, 0], solved.population["CL"])
    assert (solved.unit("central"), solved.unit("Cc"), solved.unit("CL")) == ("mg", "mg/L", "L/hour")


def test_states_are_by_patient_time_and_compartment(solved):
    assert solved.states.shape == (4, 4, 3)
    assert np.array_equal(solved["shallow"], solved.states[:, :, DRUG.states.index("shallow")])


def test_an_unknown_name_is_refused_with_the_near_one(solved):
    assert told(lambda: solved["centrall"]) == (
        "drugs/oxaliplatin",
        "has no 'centrall'",
        "did you mean 'central'?",
    )


def test_an_unknown_name_unlike_any_is_refused_with_all(solved):
    where, what, remedy = told(lambda: solved["qqqq"])
    assert (where, what) == ("drugs/oxaliplatin", "has no 'qqqq'") and remedy.startswith(
        "known here: CL, Cc, FPT"
    )


def test_a_frame_has_a_row_a_patient_and_time_and_says_its_units(solved):
    frame = solved.to_frame()
    assert list(frame.columns) == ["ID", "TIME", "central", "shallow", "deep", "Cc"]
    assert frame["ID"].tolist() == [i for i in (1, 2, 3, 4) for _ in TIMES]
    assert frame["TIME"].tolist() == [*TIMES] * 4
    assert np.array_equal(frame["Cc"].to_numpy(), solved["Cc"].ravel())
    assert frame.attrs["units"] == {
        "ID": "1",
        "TIME": "hour",
        "central": "mg",
        "shallow": "mg",
        "deep": "mg",
        "Cc": "mg/L",
    }


def test_a_frame_of_a_later_piece_of_a_population_goes_on_counting():
    people = draw(DRUG, VALUES, 2, seed=3, first=10)
    assert simulate(DRUG, people, None, TIMES[:1]).to_frame()["ID"].tolist() == [11, 12]


def test_every_patient_may_have_its_own_times():
    people = draw(DRUG, VALUES, 2, seed=3)
    schedule = lower(BAG, DRUG, people, np.zeros(1))
    own = simulate(DRUG, people, schedule, np.array([[0.0, 2.0], [1.0, 24.0]]), rtol=1e-9)
    both = simulate(DRUG, people, schedule, TIMES, rtol=1e-9)
    assert own.times.tolist() == [[0.0, 2.0], [1.0, 24.0]]
    assert own.states[0] == pytest.approx(both.states[0, [0, 2]], rel=1e-6)
    assert own.states[1] == pytest.approx(both.states[1, [1, 3]], rel=1e-6)


def test_the_same_time_twice_gives_the_same_states_twice(solved):
    twice = simulate(DRUG, solved.population, solved.schedule, np.repeat(TIMES, 2))
    assert np.array_equal(twice.states[:, ::2], twice.states[:, 1::2])


def test_output_times_do_not_move_the_answer(solved):
    finer = simulate(DRUG, solved.population, solved.schedule, np.linspace(0, 24, 97), rtol=1e-9)
    coarse = simulate(DRUG, solved.population, solved.schedule, TIMES, rtol=1e-9)
    assert finer.states[:, [0, 4, 8, 96]] == pytest.approx(coarse.states, rel=1e-6)


def test_without_times_the_start_is_shown():
    people = draw(DRUG, VALUES, 2, seed=3)
    assert np.array_equal(simulate(DRUG, people).states[:, 0], start_states(DRUG, people))


def test_an_input_set_by_records_is_read_as_set():
    model = load_model("systems/crlm")
    people = typical(model, load_parameters(model=model))
    schedule = settings(1, model.inputs.index("effect.RATE"), np.array([[1.0, 2.0]]), np.array([[0.5, 0.0]]))
    course = simulate(model, people, schedule, np.array([0.5, 1.0, 1.5, 2.0, 3.0]))
    assert course["effect.rate"][0].tolist() == course["effect.RATE"][0].tolist() == [0.0, 0.5, 0.5, 0.0, 0.0]
    assert course["effect.given"][0] == pytest.approx([0.0, 0.0, 0.25, 0.5, 0.5], abs=1e-7)


def test_the_inputs_of_a_simulation_are_left_as_they_were():
    people = draw(DRUG, VALUES, 2, seed=3)
    start = np.ones((2, 3))
    kept = people.inputs.copy()
    simulate(DRUG, people, lower(BAG, DRUG, people, np.zeros(1)), TIMES, start=start)
    assert np.array_equal(people.inputs, kept) and np.all(start == 1)


# --- what is refused --------------------------------------------------


@pytest.mark.parametrize("times", [[1.0, 0.5], [0.0, np.nan], [0.0, np.inf], []])
def test_times_out_of_order_not_finite_or_none_are_refused(times):
    people = draw(DRUG, VALUES, 2, seed=3)
    assert told(lambda: simulate(DRUG, people, None, np.array(times))) == (
        "simulate",
        "the output times are not finite and in order",
        "give at least one, ascending",
    )


def test_times_of_one_patient_out_of_order_are_refused():
    people = draw(DRUG, VALUES, 2, seed=3)
    with pytest.raises(ContentError, match="not finite and in order"):
        simulate(DRUG, people, None, np.array([[0.0, 1.0], [1.0, 0.0]]))


def test_a_single_number_of_time_is_one_time():
    people = draw(DRUG, VALUES, 2, seed=3)
    assert simulate(DRUG, people, None, 5.0).times.tolist() == [[5.0], [5.0]]  # type: ignore[arg-type]


def test_times_of_another_number_of_patients_are_refused():
    people = draw(DRUG, VALUES, 2, seed=3)
    with pytest.raises(ContentError, match="times"):
        simulate(DRUG, people, None, np.zeros((3, 2)))


def test_times_before_the_beginning_are_refused():
    people = draw(DRUG, VALUES, 2, seed=3)
    with pytest.raises(ContentError, match="begin"):
        simulate(DRUG, people, None, np.array([0.0, 5.0]), begin=3.0)


def test_a_schedule_of_other_patients_is_refused():
    people = draw(DRUG, VALUES, 2, seed=3)
    assert told(lambda: simulate(DRUG, people, nothing(3), TIMES))[:2] == (
        "simulate",
        "the schedule is of 3 patients, the population of 2",
    )


def test_a_population_of_another_model_is_refused():
    other = load_model("drugs/leucovorin")
    assert len(other.inputs) == len(DRUG.inputs)  # nothing but the names tells them apart
    with pytest.raises(ContentError, match="drugs/leucovorin"):
        simulate(other, draw(DRUG, VALUES, 2, seed=3), None, TIMES)


def test_start_states_of_another_shape_are_refused():
    people = draw(DRUG, VALUES, 2, seed=3)
    with pytest.raises(ContentError, match="start"):
        simulate(DRUG, people, None, TIMES, start=np.zeros((2, 2)))


@pytest.mark.parametrize("event", [(ADD, 3), (ADD, -1), (3, 7)])
def test_an_event_of_a_state_or_input_that_the_model_lacks_is_refused(event):
    kind, index = event
    people = draw(DRUG, VALUES, 1, seed=3)
    schedule = Schedule(
        np.array([0, 1]), np.array([50.0]), np.array([kind]), np.array([index]), np.array([0.0])
    )
    with pytest.raises(ContentError, match="schedule"):  # the event lies beyond the times: nothing is touched
        simulate(DRUG, people, schedule, TIMES)


@pytest.mark.parametrize("rtol", [0.0, -1e-6, np.nan, 2.0])
def test_a_tolerance_that_is_none_is_refused(rtol):
    with pytest.raises(ContentError, match="rtol"):
        simulate(DRUG, draw(DRUG, VALUES, 1, seed=3), None, TIMES, rtol=rtol)


# --- patients that fail -----------------------------------------------


def test_a_patient_that_fails_stops_a_strict_simulation_and_is_named():
    with pytest.raises(SimulationError) as caught:
        simulate(*explosive(0.0, 0.5), None, np.array([0.0, 1.0, 3.0]))
    first, named = str(caught.value).splitlines()
    assert first == "explosion: 1 of 2 patients failed"
    assert named.startswith("  patient 2, day 2: ")
    assert named.split(": ")[1] in (
        "met a value that is not finite",
        "needed a step too small to advance",
        "took too many steps since its last event (more than most_steps)",
    )


def test_steps_are_counted_anew_from_each_event_and_how_many_is_settable():
    """A day takes more than 40 steps and fewer than 60, forty days more than 1,600."""
    people = draw(DRUG, VALUES, 1, seed=3)
    often = lower(BAG, DRUG, people, np.arange(0.0, 24 * 40, 24))
    times = np.array([24.0 * 40])
    assert simulate(DRUG, people, often, times, most_steps=40, strict=False).failures
    assert not simulate(DRUG, people, often, times, most_steps=60).failures
    with pytest.raises(SimulationError) as caught:
        simulate(DRUG, people, often, times, most_steps=3)
    assert str(caught.value).endswith(": took too many steps since its last event (more than most_steps)")


@pytest.mark.parametrize("most", [1.5, True, "many"])
def test_steps_are_counted_in_whole_numbers(most):
    people = draw(DRUG, VALUES, 1, seed=3)
    assert told(lambda: simulate(DRUG, people, None, TIMES, most_steps=most)) == (
        "simulate",
        f"most_steps is {most!r}, not a whole number",
        "hand over one of these",
    )


@pytest.mark.parametrize("most", [0, -1])
def test_a_number_of_steps_that_is_none_is_refused(most):
    people = draw(DRUG, VALUES, 1, seed=3)
    assert told(lambda: simulate(DRUG, people, None, TIMES, most_steps=most)) == (
        "simulate",
        f"most_steps = {most!r} is not a number of steps",
        "give a whole number, 1 or more",
    )


def test_a_patient_that_fails_is_kept_and_named_and_the_others_go_on():
    course = simulate(*explosive(0.5, 0.0, 2.0), None, np.array([0.0, 0.25, 1.0, 3.0]), strict=False)
    assert [f.split(":")[0] for f in course.failures] == ["patient 1, day 2", "patient 3, day 0.5"]
    assert course["y"][0, :3] == pytest.approx([1, 1 / 0.875, 2], rel=1e-5) and np.isnan(course["y"][0, 3])
    assert course["y"][1].tolist() == [1.0] * 4
    assert course["y"][2, 1] == pytest.approx(2.0, rel=1e-5) and np.all(np.isnan(course["y"][2, 2:]))
    assert np.isnan(course.to_frame()["y"]).sum() == 3


def test_a_failing_patient_of_a_later_piece_keeps_its_number():
    course = simulate(*explosive(0.0, 0.5, first=36), None, np.array([3.0]), strict=False)
    assert [f.split(":")[0] for f in course.failures] == ["patient 38, day 2"]


def test_a_failing_patient_taken_from_a_population_keeps_its_number():
    model, people = explosive(0.0, 0.0, 0.5)
    course = simulate(model, people.take(np.array([2])), None, np.array([3.0]), strict=False)
    assert [f.split(":")[0] for f in course.failures] == ["patient 3, day 2"]


def test_many_failures_name_the_first_five():
    with pytest.raises(SimulationError) as caught:
        simulate(*explosive(*[0.5] * 7), None, np.array([3.0]))
    lines = str(caught.value).splitlines()
    assert lines[0] == "explosion: 7 of 7 patients failed" and len(lines) == 6


def test_a_failure_before_the_beginning_of_another_does_not_reach_it():
    course = simulate(*explosive(0.5, 0.5), None, np.array([3.0]), begin=np.array([0.0, 2.5]), strict=False)
    assert len(course.failures) == 1 and course["y"][1, 0] == pytest.approx(1 / 0.75, rel=1e-5)


def test_the_regimen_of_a_simulation_is_seen_in_its_states(solved):
    given = 85 * solved.population["BSA"] * solved.population["FPT"]
    inside = solved.states[:, 2].sum(axis=1)
    assert np.all((inside < given) & (inside > 0.5 * given))
    assert solved["central"][:, 0].tolist() == [0.0] * 4


def test_a_whole_system_is_simulated_in_one_line():
    model = load_model("folfox_auc_linear")
    people = draw(model, load_parameters(model=model), 3, seed=1)
    folfox4 = load_regimen("folfox4")
    course = simulate(
        model, people, lower(folfox4, model, people, cycles(folfox4, model, 2)), [0.0, 14.0, 28.0]
    )
    assert np.all(np.diff(course["effect.given"], axis=1) > 0.1)


@pytest.mark.parametrize(
    "places", [[[0, 0, 0]], [0, 0, 0], [[0.5] * 4] * 4, [[1, 0, 0, 0]] * 4, [[-1] * 4] * 4]
)
def test_places_that_are_no_counts_for_each_output_are_refused(places):
    """The engine is compiled and checks no bounds: a row too few was read beyond the array."""
    people = draw(DRUG, VALUES, 4, seed=3)
    with pytest.raises(ContentError, match="places are "):
        simulate(DRUG, people, lower(BAG, DRUG, people, np.zeros(1)), TIMES, places=np.array(places))
