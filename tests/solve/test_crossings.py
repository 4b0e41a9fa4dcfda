"""Crossings in the engine: the same bits for any neighbours, threads and chunks, and the times that SciPy
finds.
"""

import pickle
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from pkpd import (
    Crossing,
    Population,
    cycles,
    load_model,
    load_parameters,
    load_regimen,
    lower,
    parse_model,
    simulate,
    typical,
)
from pkpd.regimen.schedule import ADD, ASSIGN, SCALE, SET, Schedule, nothing, packed
from pkpd.simulation.run import start_states
from pkpd.simulation.simulation import Simulation
from pkpd.solve import batch
from pkpd.solve.batch import Watch, solve_population
from pkpd.solve.rates import right_hand_side

MODEL = parse_model(
    """[model]
title = "A drug that kills cells in part, and an oscillation"
time = "hour"
[parameters]
K = { unit = "1/hour" }
C0 = { unit = "mg" }
KILL = { unit = "1/hour" }
W = { unit = "1/hour" }
[compartments]
drug = { unit = "mg", dose = true }
cells = { unit = "mg", start = "C0" }
x = { unit = "1", start = 1 }
y = { unit = "1" }
[variables]
share = { unit = "1", is = "hill(drug, C0, 2)" }
[flows]
elimination = { from = "drug", rate = "K * drug" }
growth = { to = "cells", rate = "0.2 * KILL * cells" }
kill = { from = "cells", rate = "KILL * cells * share" }
to_x = { to = "x", rate = "W * y" }
from_y = { from = "y", rate = "W * x" }
""",
    "crossings",
)
N, TIMES = 60, np.array([0.0, 3.0, 9.0, 30.0])
RNG = np.random.default_rng(5)
PEOPLE = Population(MODEL.inputs, RNG.uniform([0.1, 0.8, 0.0, 0.1], [0.9, 9.0, 1.0, 3.0], (N, 4)), {})
MANY = (
    Crossing("share", "0.9"),
    Crossing("cells", "0.5 mg", then={"cells": 0.0}),
    Crossing("x", "0"),
    Crossing("cells", "4 mg", falls=False, then={"KILL": 0.0, "drug": 5.0}),
    Crossing("drug", "1 mg"),
)


def doses(n: int) -> Schedule:
    """100 mg at once, 40 mg after 8 hours."""
    who, kind = np.repeat(np.arange(n), 2), np.full(2 * n, ADD)
    return packed(n, who, np.tile([0.0, 8.0], n), kind, np.zeros(2 * n), np.tile([100.0, 40.0], n))


def solved(some: list[int] | slice = slice(None), crossings: tuple = MANY, **how) -> Simulation:
    people = PEOPLE.take(np.arange(N)[some])
    return simulate(MODEL, people, doses(len(people)), TIMES, crossings=crossings, **how)


@pytest.fixture(scope="module")
def crowd() -> Simulation:
    return solved()


def same(one: Simulation, crossed: np.ndarray, states: np.ndarray) -> bool:
    return np.array_equal(np.array(one.crossed), crossed) and np.array_equal(one.states, states)


# --- each patient by itself -------------------------------------------


def test_every_patient_has_crossings_of_its_own(crowd):
    decay, turn = np.log(100 / (3 * PEOPLE["C0"])) / PEOPLE["K"], np.pi / 2 / PEOPLE["W"]
    assert crowd.crossed.shape == (N, 5)
    own = decay < 8
    assert own.sum() > 30 and crowd.crossed[own, 0] == pytest.approx(decay[own], rel=1e-6)
    assert crowd.crossed[:, 2] == pytest.approx(np.where(turn < 30, turn, np.inf), rel=1e-5)
    assert all(0 < met < N for met in np.isfinite(crowd.crossed[:, [1, 3]]).sum(axis=0))


@pytest.mark.parametrize("some", [[0], [59], [7, 3, 40], [11] * 9])
def test_neighbours_change_no_bit_of_a_crossing(crowd, some):
    assert same(solved(some), crowd.crossed[some], crowd.states[some])


def test_neither_threads_nor_chunks_change_a_bit_of_a_crossing(crowd, monkeypatch):
    monkeypatch.setattr(batch, "_CHUNK", 11)
    for threads in ("1", "8"):
        monkeypatch.setenv("PKPD_THREADS", threads)
        assert same(solved(), crowd.crossed, crowd.states)


class Elsewhere(ThreadPoolExecutor):
    """An executor that sees nothing of the caller's memory: what goes there is pickled."""

    def submit(self, fn, /, *args, **kwargs) -> Future:
        return super().submit(
            lambda: pickle.loads(pickle.dumps(fn))(*pickle.loads(pickle.dumps(args)), **kwargs)
        )


def test_crossings_found_in_another_memory_come_back(crowd):
    with Elsewhere(2) as own:
        assert same(solved(executor=own), crowd.crossed, crowd.states)


def test_watching_without_acting_changes_times_of_steps_but_not_the_answer(crowd):
    passive = tuple(Crossing(c.of, c.level, c.falls) for c in MANY)
    plain = simulate(MODEL, PEOPLE, doses(N), TIMES, rtol=1e-8)
    assert solved(crossings=passive, rtol=1e-8).states == pytest.approx(plain.states, rel=1e-5, abs=1e-6)


def test_a_patient_that_fails_leaves_its_neighbours_their_crossings():
    explosion = parse_model(
        """[model]
title = "A state that becomes infinite at 1 / K"
time = "day"
[parameters]
K = { unit = "1/day" }
[compartments]
y = { unit = "1", start = 1 }
[flows]
growth = { to = "y", rate = "K * y**2" }
""",
        "explosion",
    )
    people = Population(explosion.inputs, np.array([[0.1], [0.5], [0.2]]), {})
    rise = [Crossing("y", "1.5", falls=False), Crossing("y", "8", falls=False)]
    run = simulate(explosion, people, None, np.array([0.0, 3.0]), crossings=rise, rtol=1e-9, strict=False)
    assert len(run.failures) == 1 and "patient 2, day 2" in run.failures[0]
    assert run.crossed[[0, 2]] == pytest.approx(np.array([[np.inf, np.inf], [5 / 3, np.inf]]), rel=1e-8)
    assert run.crossed[1] == pytest.approx([2 / 3, 1.75], rel=1e-8)  # met before it failed
    never = simulate(explosion, people, None, np.array([3.0]), crossings=[Crossing("y", "0.5")], strict=False)
    assert never.crossed[:, 0] == pytest.approx([np.inf, np.nan, np.inf], nan_ok=True)


# --- by the engine's own words ----------------------------------------


def watched(
    watch: Watch, start: list[float], schedule: Schedule | None = None, rtol: float = 1e-9
) -> np.ndarray:
    inputs = np.array([[0.3, 1.0, 0.0, 1.7]])
    return solve_population(
        MODEL,
        np.array([start]),
        inputs,
        nothing(1) if schedule is None else schedule,
        np.array([[20.0]]),
        np.zeros(1),
        rtol,
        watch=watch,
    )


def test_a_watch_gives_the_first_time_and_does_its_deeds():
    watch = Watch(
        ("drug", "x"), np.array([[10.0, 1.0], [0.5, -1.0]]), np.array([[0, ASSIGN, 1, 7.0], [0, SET, 0, 0.0]])
    )
    found = watched(watch, [100.0, 1.0, 1.0, 0.0])
    assert found.crossed[0] == pytest.approx([np.log(10) / 0.3, 5 * np.pi / 3 / 1.7], rel=1e-8)
    assert found.states[0, 0, :2] == pytest.approx([10.0, 7.0], rel=1e-8)


@pytest.mark.parametrize("rtol", [1e-3, 1e-6, 1e-9])
def test_a_value_is_past_its_level_by_less_than_a_hundredth_of_the_tolerance(rtol):
    """At a crossing the drug stops, and so shows by how much: of the level, or of where the last
    step began.
    """
    watch = Watch(("drug",), np.array([[10.0, 1.0]]), np.array([[0, SET, 0, 0.0]]))
    left = watched(watch, [100.0, 1.0, 1.0, 0.0], rtol=rtol).states[0, 0, 0]
    assert 0 <= 10 - left <= 0.01 * rtol * 100


def test_looking_for_a_crossing_costs_few_steps():
    def steps(watch: Watch) -> int:
        low, high = 1, 4096
        while high - low > 1:
            middle = (low + high) // 2
            status = solve_population(
                MODEL,
                np.array([[100.0, 1.0, 1.0, 0.0]]),
                np.array([[0.3, 1.0, 0.0, 0.2]]),
                nothing(1),
                np.array([[20.0]]),
                np.zeros(1),
                1e-6,
                middle,
                watch=watch,
            ).status
            low, high = (low, middle) if status[0] == batch.OK else (middle, high)
        return high

    levels = np.array([[10.0, 1.0], [1.0, 1.0]])
    assert steps(Watch(("drug", "drug"), levels)) - steps(Watch()) < 50


def test_a_jump_over_a_level_is_a_crossing_at_its_time():
    cut = packed(1, np.zeros(1, int), np.ones(1), np.array([SCALE]), np.zeros(1), np.array([0.01]))
    rise = packed(1, np.zeros(1, int), np.ones(1), np.array([ADD]), np.zeros(1), np.array([100.0]))
    for schedule, sign in ((cut, 1.0), (rise, -1.0)):
        found = watched(
            Watch(("drug",), np.array([[40.0 if sign > 0 else 90.0, sign]]), np.array([[0, ASSIGN, 1, 0.0]])),
            [60.0, 1.0, 1.0, 0.0],
            schedule,
        )
        assert found.crossed[0, 0] == 1.0 and found.states[0, 0, 1] == 0.0


def test_what_one_crossing_does_may_be_another_s_jump():
    watch = Watch(
        ("x", "cells", "drug"),
        np.array([[0.0, 1.0], [2.0, 1.0], [50.0, -1.0]]),
        np.array([[0, ASSIGN, 1, 1.0], [1, ASSIGN, 0, 100.0], [2, SET, 0, 0.0]]),
    )
    found = watched(watch, [1.0, 8.0, 1.0, 0.0])
    assert found.crossed[0] == pytest.approx([np.pi / 2 / 1.7] * 3, rel=1e-8)
    assert found.states[0, 0, :2].tolist() == [100, 1]


def test_doses_at_begin_are_part_of_the_start():
    rise = packed(1, np.zeros(1, int), np.zeros(1), np.array([ADD]), np.zeros(1), np.array([100.0]))
    assert (
        watched(Watch(("drug",), np.array([[90.0, -1.0]])), [0.0, 1.0, 1.0, 0.0], rise).crossed[0, 0]
        == np.inf
    )


@pytest.mark.parametrize("rtol", [1e-3, 1e-6])
@pytest.mark.parametrize("depth", [1e-3, 1e-2, 0.1])
def test_a_value_that_crosses_and_comes_back_within_one_step_is_found(rtol, depth):
    """x is cos 1.7 t: it is below -1 + depth for a short while, far shorter than a step; y, which follows, is
    above.
    """
    low, high = np.arccos(depth - 1) / 1.7, np.arcsin(depth - 1) / 1.7
    found = watched(
        Watch(("x", "y"), np.array([[depth - 1, 1.0], [depth - 1, 1.0]])), [0.0, 1.0, 1.0, 0.0], rtol=rtol
    )
    assert found.crossed[0] == pytest.approx([low, -high], rel=3 * np.sqrt(rtol))


def test_a_value_beyond_its_level_that_comes_back_for_less_than_a_step_crosses_then():
    rise = Watch(("x",), np.array([[0.99, 1.0]]))
    assert watched(rise, [0.0, 1.0, 0.0, -1.0], rtol=1e-3).crossed[0, 0] == pytest.approx(
        (1.5 * np.pi + np.arccos(0.99)) / 1.7, rel=1e-3
    )


def test_looking_for_turns_leaves_a_stiff_watched_value_its_steps():
    """The drug leaves in a thousandth of the time; its level is never met."""

    def steps(watch: Watch) -> int:
        low, high = 1, 4096
        while high - low > 1:
            middle = (low + high) // 2
            status = solve_population(
                MODEL,
                np.array([[100.0, 1.0, 1.0, 0.0]]),
                np.array([[50.0, 1.0, 0.0, 0.2]]),
                nothing(1),
                np.array([[20.0]]),
                np.zeros(1),
                1e-6,
                middle,
                watch=watch,
            ).status
            low, high = (low, middle) if status[0] == batch.OK else (middle, high)
        return high

    assert steps(Watch(("drug",), np.array([[1e-30, 1.0]]))) < 3 * steps(Watch())


def test_an_excursion_smaller_than_the_tolerance_may_be_missed():
    tip = Watch(("x",), np.array([[0.999999999, -1.0]]))
    assert watched(tip, [0.0, 1.0, 1.0, 0.0], rtol=1e-3).crossed[0, 0] == np.inf


# --- by another tool --------------------------------------------------


def test_a_library_system_under_treatment_crosses_when_scipy_says_so():
    model = load_model("systems/crlm_folfox")
    patient = typical(model, load_parameters(model=model), {"BSA": 1.8}).with_inputs({"kill.1.SENS": 5.0})
    regimen = load_regimen("folfox4")
    schedule = lower(regimen, model, patient, cycles(regimen, model, 1))
    watched = [
        Crossing("lesion.1.viable", "10 mL"),
        Crossing("effect.rate", "0.35 1/day"),
        Crossing("fluorouracil.Cc", "0.1 mg/L"),
        Crossing("oxaliplatin.Cc", "300 ug/L"),
        Crossing("effect.ox", "0.02 mg/L", falls=False),
    ]
    run = simulate(model, patient, schedule, np.array([0.0, 1.5]), rtol=1e-9, crossings=watched)
    expected = scipy_crossings(model, patient, schedule, watched, (10.0, 0.35, 0.1, 0.3, 0.02), 1.5)
    assert np.all(np.isfinite(expected)) and np.array(run.crossed)[0] == pytest.approx(expected, rel=1e-6)


def scipy_crossings(
    model, patient: Population, schedule: Schedule, watched: list[Crossing], levels: tuple, last: float
) -> list:
    """The first crossing of each level by SciPy's own events, from dose to dose."""
    y, p, infusion = start_states(model, patient)[0], patient.inputs[0], np.zeros(len(model.states))
    found, time = [np.inf] * len(watched), np.zeros((1, 1))

    def event(c: Crossing, level: float):
        def value(_, x):
            return Simulation(model, patient, nothing(1), time, x[None, None])[c.of][0, 0] - level

        value.direction = -1 if c.falls else 1
        return value

    events = [event(c, level) for c, level in zip(watched, levels, strict=True)]
    stops = [*np.unique(schedule.time[schedule.time < last]), last]
    for t, stop in zip(stops[:-1], stops[1:], strict=True):
        for row in np.flatnonzero(schedule.time == t):
            (y if schedule.kind[row] == ADD else infusion)[schedule.index[row]] = schedule.value[row] + (
                y[schedule.index[row]] if schedule.kind[row] == ADD else 0.0
            )
        done = solve_ivp(
            lambda _, x: right_hand_side(model, x, p, infusion),
            (t, stop),
            y,
            method="LSODA",
            rtol=1e-9,
            atol=1e-12,
            events=events,
        )
        found = [min(f, *times) if len(times) else f for f, times in zip(found, done.t_events, strict=True)]
        y = done.y[:, -1].copy()
    return found
