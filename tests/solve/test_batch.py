"""The population engine against closed forms, a published stiff problem, its own order, and itself."""

import pickle
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from scipy.special import lambertw

from pkpd import Population, cycles, draw, load_model, load_parameters, load_regimen, lower, parse_model
from pkpd.errors import ContentError
from pkpd.regimen import DoseLine, Regimen
from pkpd.schedule import ADD, RATE, SCALE, SET, Schedule, nothing
from pkpd.simulation import simulate, start_states
from pkpd.solve import batch
from pkpd.solve.compile import kernels
from pkpd.solve.reference import solve_patient

CLOSED = """[model]
title = "Models with closed forms, side by side"
time = "hour"
[parameters]
K = { unit = "1/hour" }
K10 = { unit = "1/hour" }
K12 = { unit = "1/hour" }
K21 = { unit = "1/hour" }
VMAX = { unit = "mg/hour" }
KM = { unit = "mg" }
LAG = { unit = "hour" }
F = { unit = "1" }
[compartments]
one = { unit = "mg", dose = true }
two = { unit = "mg", dose = true }
tissue = { unit = "mg" }
saturable = { unit = "mg", dose = true }
late = { unit = "mg", dose = { lag = "LAG", bioavailability = "F" } }
[flows]
one_out = { from = "one", rate = "K * one" }
two_out = { from = "two", rate = "K10 * two" }
away = { from = "two", to = "tissue", rate = "K12 * two" }
back = { from = "tissue", to = "two", rate = "K21 * tissue" }
saturable_out = { from = "saturable", rate = "VMAX * saturable / (KM + saturable)" }
late_out = { from = "late", rate = "K * late" }
"""
VALUES = {"K": 0.3, "K10": 0.4, "K12": 0.7, "K21": 0.15, "VMAX": 40.0, "KM": 25.0, "LAG": 1.5, "F": 0.6}
ROBERTSON = """[model]
title = "Robertson's chemical kinetics"
time = "s"
[parameters]
K1 = { unit = "1/s" }
K2 = { unit = "1/s" }
K3 = { unit = "1/s" }
[compartments]
y1 = { unit = "1", start = 1 }
y2 = { unit = "1", scale = 1e-5 }
y3 = { unit = "1" }
[flows]
slow = { from = "y1", to = "y2", rate = "K1 * y1" }
fast = { from = "y2", to = "y3", rate = "K2 * y2**2" }
back = { from = "y2", to = "y1", rate = "K3 * y2 * y3" }
"""
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
TIMES = np.array([0.0, 0.25, 1.0, 2.0, 3.0, 3.5, 5.0, 8.0, 12.0, 24.0])


@pytest.fixture(scope="module")
def model():
    return parse_model(CLOSED, "closed_forms")


def patient(model, n: int = 1, **other: float) -> Population:
    values = VALUES | other
    return Population(model.inputs, np.tile([values[n] for n in model.inputs], (n, 1)), {})


def dose(drug: str, amount: float, at: float = 0.0, over: float = 0.0) -> DoseLine:
    return DoseLine(drug, amount, "mg", "", (1,), at / 24, over / 24)


def solve(model, *doses: DoseLine, times=TIMES, rtol: float = 1e-9, **other: float):
    people = patient(model, **other)
    return simulate(model, people, lower(Regimen("r", "", 14.0, doses), model, people, np.zeros(1)), times, rtol=rtol)


def one_bolus(t: np.ndarray, amount: float, k: float) -> np.ndarray:
    return np.where(t >= 0, amount * np.exp(-k * np.maximum(t, 0)), 0.0)


def one_infusion(t: np.ndarray, amount: float, over: float, k: float) -> np.ndarray:
    run, after = np.clip(t, 0, over), np.maximum(t - over, 0)
    return amount / over / k * (1 - np.exp(-k * run)) * np.exp(-k * after)


def two_rates() -> tuple[float, float]:
    """The two exponents of the two-compartment model."""
    total = VALUES["K10"] + VALUES["K12"] + VALUES["K21"]
    root = np.sqrt(total**2 - 4 * VALUES["K10"] * VALUES["K21"])
    return (total + root) / 2, (total - root) / 2


def two_bolus(t: np.ndarray, amount: float) -> np.ndarray:
    a, b = two_rates()
    k21, late = VALUES["K21"], np.maximum(t, 0)
    return np.where(t >= 0, amount * ((a - k21) * np.exp(-a * late) + (k21 - b) * np.exp(-b * late)) / (a - b), 0.0)


def two_infusion(t: np.ndarray, amount: float, over: float) -> np.ndarray:
    a, b = two_rates()
    k21 = VALUES["K21"]
    return amount / over / (a - b) * sum(
        c / x * (1 - np.exp(-x * np.clip(t, 0, over))) * np.exp(-x * np.maximum(t - over, 0))
        for c, x in ((a - k21, a), (k21 - b, b)))


# --- closed forms -----------------------------------------------------


def test_a_bolus_into_one_compartment_decays_as_an_exponential(model):
    assert solve(model, dose("one", 100))["one"][0] == pytest.approx(one_bolus(TIMES, 100, VALUES["K"]), rel=1e-6)


def test_an_infusion_into_one_compartment_rises_and_falls_by_its_closed_form(model):
    expected = one_infusion(TIMES, 100, 3.0, VALUES["K"])
    assert solve(model, dose("one", 100, over=3.0))["one"][0] == pytest.approx(expected, rel=1e-6)


def test_a_bolus_into_two_compartments_decays_as_two_exponentials(model):
    solved = solve(model, dose("two", 80))
    a, b = two_rates()
    assert solved["two"][0] == pytest.approx(two_bolus(TIMES, 80), rel=1e-6)
    tissue = 80 * VALUES["K12"] * (np.exp(-b * TIMES) - np.exp(-a * TIMES)) / (a - b)
    assert solved["tissue"][0] == pytest.approx(tissue, rel=1e-6)


def test_an_infusion_into_two_compartments_follows_its_closed_form(model):
    assert solve(model, dose("two", 80, over=2.0))["two"][0] == pytest.approx(two_infusion(TIMES, 80, 2.0), rel=1e-6)


def test_doses_of_a_linear_drug_superpose(model):
    solved = solve(model, dose("two", 80), dose("two", 30, at=2.0, over=1.5), dose("two", 50, at=7.0), dose("one", 9, at=3.0),
                   dose("one", 60, at=1.0, over=10.0))
    two = two_bolus(TIMES, 80) + two_infusion(TIMES - 2, 30, 1.5) + two_bolus(TIMES - 7, 50)
    one = one_bolus(TIMES - 3, 9, VALUES["K"]) + one_infusion(TIMES - 1, 60, 10.0, VALUES["K"])
    assert solved["two"][0] == pytest.approx(two, rel=1e-6)
    assert solved["one"][0] == pytest.approx(one, rel=1e-6)


def test_two_infusions_of_one_drug_that_overlap_add(model):
    solved = solve(model, dose("one", 100, over=6.0), dose("one", 30, at=2.0, over=2.5))
    expected = one_infusion(TIMES, 100, 6.0, VALUES["K"]) + one_infusion(TIMES - 2, 30, 2.5, VALUES["K"])
    assert solved["one"][0] == pytest.approx(expected, rel=1e-6)


def test_a_saturable_bolus_follows_the_lambert_w_function(model):
    amount, v, km = 300.0, VALUES["VMAX"], VALUES["KM"]
    expected = km * lambertw(amount / km * np.exp((amount - v * TIMES) / km)).real
    assert solve(model, dose("saturable", amount))["saturable"][0] == pytest.approx(expected, rel=1e-6)


def test_a_saturable_bolus_is_linear_far_below_km_and_of_zero_order_far_above(model):
    low = solve(model, dose("saturable", 1e-3), times=TIMES[:6])["saturable"][0]
    assert low == pytest.approx(1e-3 * np.exp(-VALUES["VMAX"] / VALUES["KM"] * TIMES[:6]), rel=1e-4)
    high = solve(model, dose("saturable", 1e7))["saturable"][0]
    assert 1e7 - high == pytest.approx(VALUES["VMAX"] * TIMES, rel=1e-4)


def test_a_lag_delays_a_dose_and_a_bioavailability_shrinks_it(model):
    late = 0.6 * one_bolus(TIMES - 1.5, 100, VALUES["K"])
    assert solve(model, dose("late", 100))["late"][0] == pytest.approx(late, rel=1e-6)
    slow = 0.6 * one_infusion(TIMES - 1.5, 100, 3.0, VALUES["K"])
    assert solve(model, dose("late", 100, over=3.0))["late"][0] == pytest.approx(slow, rel=1e-6, abs=1e-12)


def test_both_engines_agree_on_every_kind_of_event(model):
    rows = [(0.0, ADD, 0, 50.0), (0.0, RATE, 1, 20.0), (1.0, SCALE, 0, 0.25), (1.0, SET, 0, 1.1), (2.0, ADD, 3, 70.0),
            (2.5, RATE, 1, 5.0), (3.0, SET, 4, 10.0), (4.0, RATE, 1, 0.0), (6.0, SCALE, 3, 0.0), (6.0, SET, 0, 0.0)]
    time, kind, index, value = (np.array(x) for x in zip(*rows, strict=True))
    schedule = Schedule(np.array([0, len(rows)]), time, kind, index, value)
    people = patient(model)
    solved = simulate(model, people, schedule, TIMES, rtol=1e-8).states[0]
    yardstick = solve_patient(model, np.zeros(5), people.inputs[0], schedule, 0, TIMES, rtol=1e-11)
    assert solved == pytest.approx(yardstick, rel=1e-6, abs=1e-9)
    assert np.all(solved[TIMES >= 6, 3] == 0)


# --- accuracy ---------------------------------------------------------


def fixed_steps(model, steps: int, until: float = 2.0) -> tuple[np.ndarray, float]:
    """A saturable bolus by `steps` steps of one size, in plain Python: the end, and the estimate of the last step."""
    k, n = kernels(model), len(model.states)
    y, p = np.array([0.0, 40.0, 0.0, 60.0, 0.0]), patient(model).inputs[0].copy()
    a, stages, work, new = np.empty(k.size), np.empty((6, n)), np.empty(n), np.empty(n)
    estimate = 0.0
    for _ in range(steps):
        estimate = batch._step.py_func(k.rates, k.factor, k.solve, y, p, np.zeros(n), until / steps, a, stages, work, new,
                                       np.ones(n), 0.0)
        y = new.copy()
    return y, float(estimate)


def test_halving_the_step_divides_the_error_by_sixteen(model):
    v, km = VALUES["VMAX"], VALUES["KM"]
    exact = km * lambertw(60.0 / km * np.exp((60.0 - v * 2.0) / km)).real
    errors = np.array([abs(fixed_steps(model, n)[0][3] - exact) for n in (8, 16, 32)])
    orders = np.log2(errors[:-1] / errors[1:])
    assert np.all((orders > 3.7) & (orders < 4.5)), orders


def test_the_error_estimate_is_of_order_three(model):
    """The estimate of one step from the same point, as the step halves: h to the fourth."""
    k, n = kernels(model), len(model.states)
    p, a = patient(model).inputs[0].copy(), np.empty(k.size)
    estimates = []
    for h in (0.1, 0.05, 0.025):
        y, stages, work, new = np.array([0.0, 40.0, 0.0, 60.0, 0.0]), np.empty((6, n)), np.empty(n), np.empty(n)
        estimates.append(batch._step.py_func(k.rates, k.factor, k.solve, y, p, np.zeros(n), h, a, stages, work, new,
                                             np.ones(n), 0.0))
    orders = np.log2(np.array(estimates[:-1]) / np.array(estimates[1:]))
    assert np.all((orders > 3.6) & (orders < 4.4)), orders


def test_a_step_far_beyond_the_time_scale_damps_to_nothing(model):
    k, n = kernels(model), len(model.states)
    y, new = np.array([100.0, 0.0, 0.0, 0.0, 0.0]), np.empty(n)
    batch._step.py_func(k.rates, k.factor, k.solve, y, patient(model).inputs[0].copy(), np.zeros(n), 1e9, np.empty(k.size),
                        np.empty((6, n)), np.empty(n), new, np.ones(n), 0.0)
    assert abs(new[0]) < 1e-4


def test_a_tighter_tolerance_gives_a_proportionally_smaller_error(model):
    amount, v, km = 300.0, VALUES["VMAX"], VALUES["KM"]
    times = np.array([2.0, 6.0, 8.0])
    exact = km * lambertw(amount / km * np.exp((amount - v * times) / km)).real
    tolerances = np.array([1e-4, 1e-6, 1e-8])
    errors = np.array([np.max(np.abs(solve(model, dose("saturable", amount), times=times, rtol=r)["saturable"][0] / exact - 1))
                       for r in tolerances])
    assert np.all(errors < 30 * tolerances)
    slope = np.polyfit(np.log10(tolerances), np.log10(errors), 1)[0]
    assert 0.7 < slope < 1.3


def steps_needed(model, start: np.ndarray, inputs: np.ndarray, until: float, rtol: float) -> int:
    """The fewest steps that are enough, by bisection."""
    low, high = 1, 4096
    while high - low > 1:
        middle = (low + high) // 2
        _, status, _ = batch.solve_population(model, start, inputs, nothing(1), np.array([[until]]), np.zeros(1), rtol, middle)
        low, high = (low, middle) if status[0] == batch.OK else (middle, high)
    return high


def test_ten_thousand_times_the_accuracy_costs_about_ten_times_the_steps(model):
    start, inputs = np.array([[0.0, 40.0, 0.0, 60.0, 0.0]]), patient(model).inputs
    few, many = (steps_needed(model, start, inputs, 4.0, r) for r in (1e-5, 1e-9))
    assert 5 < many / few < 15


def test_robertson_s_problem_ends_at_the_published_values():
    stiff = parse_model(ROBERTSON, "robertson")
    people = Population(stiff.inputs, np.array([[0.04, 3e7, 1e4]]), {})
    solved = simulate(stiff, people, None, np.array([0.4, 40.0, 4e3]), rtol=1e-8)
    assert solved.states[0, 1] == pytest.approx([0.7158271, 9.1855e-6, 0.2841637], rel=5e-6)
    assert solved.states[0, 0] == pytest.approx([0.98517, 3.3864e-5, 1.4794e-2], rel=5e-5)
    assert solved.states[0].sum(axis=1) == pytest.approx(1.0, abs=1e-12)


# --- the same answer, bit for bit -------------------------------------


@pytest.fixture(scope="module")
def folfox():
    """A system, a hundred patients, three cycles of FOLFOX4, and times."""
    system = load_model("systems/folfox_auc_linear")
    people = draw(system, load_parameters(model=system), 100, seed=4, study="bits")
    schedule = lower(load_regimen("folfox4"), system, people, np.arange(3)[None, :] * 14.0)
    return system, people, schedule, np.array([0.0, 0.3, 1.2, 3.0, 14.2, 30.0, 42.0])


@pytest.fixture(scope="module")
def crowd(folfox):
    return simulate(*folfox).states


@pytest.mark.parametrize("threads", ["1", "2", "16"])
def test_the_number_of_threads_changes_no_bit(folfox, crowd, threads, monkeypatch):
    monkeypatch.setenv("PKPD_THREADS", threads)
    assert np.array_equal(simulate(*folfox).states, crowd)


def test_an_executor_of_one_s_own_changes_no_bit(folfox, crowd):
    with ThreadPoolExecutor(3) as own:
        assert np.array_equal(simulate(*folfox, executor=own).states, crowd)


class Elsewhere(ThreadPoolExecutor):
    """An executor that sees nothing of the caller's memory: what goes there is pickled."""

    def submit(self, fn, /, *args, **kwargs) -> Future:
        return super().submit(lambda: pickle.loads(pickle.dumps(fn))(*pickle.loads(pickle.dumps(args)), **kwargs))


def test_patients_solved_in_another_memory_come_back(folfox, crowd):
    with Elsewhere(2) as own:
        assert np.array_equal(simulate(*folfox, executor=own).states, crowd)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_size_of_chunks_changes_no_bit(folfox, crowd, size, monkeypatch):
    monkeypatch.setattr(batch, "_CHUNK", size)
    assert np.array_equal(simulate(*folfox).states, crowd)


@pytest.mark.parametrize("some", [[0], [41], [99], [5, 3, 88]])
def test_a_patient_alone_is_the_patient_in_a_crowd(folfox, crowd, some):
    system, people, _, times = folfox
    few = people.take(np.array(some))
    schedule = lower(load_regimen("folfox4"), system, few, np.arange(3)[None, :] * 14.0)
    assert np.array_equal(simulate(system, few, schedule, times).states, crowd[some])


def test_patients_drawn_in_pieces_are_the_patients_drawn_at_once(folfox, crowd):
    system, _, _, times = folfox
    piece = draw(system, load_parameters(model=system), 10, seed=4, study="bits", first=60)
    schedule = lower(load_regimen("folfox4"), system, piece, np.arange(3)[None, :] * 14.0)
    assert np.array_equal(simulate(system, piece, schedule, times).states, crowd[60:70])


def test_a_neighbour_s_overlapping_infusions_change_no_bit_of_a_schedule(folfox):
    system, people, _, _ = folfox
    pumps = Regimen("two pumps", "", 14.0, (DoseLine("fluorouracil", 600, "mg", "BSA", (1,), 0.0, 1.0),
                                            DoseLine("fluorouracil", 371, "mg", "BSA", (1,), 0.37, 1.3)))
    starts = cycles(pumps, system, 3)
    whole = lower(pumps, system, people, starts)
    for i in (1, 17, 99):
        single = lower(pumps, system, people.take(np.array([i])), starts)
        assert np.array_equal(whole.value[whole.offsets[i] : whole.offsets[i + 1]], single.value)


# --- failures ---------------------------------------------------------


def test_a_patient_that_fails_is_kept_as_missing_and_its_neighbours_are_unharmed():
    explosion = parse_model(EXPLOSION, "explosion")
    inputs = np.array([[0.5], [0.0], [-1.0]])
    start, times = np.ones((3, 1)), np.tile([0.0, 1.0, 3.0], (3, 1))
    out, status, reached = batch.solve_population(explosion, start, inputs, nothing(3), times, np.zeros(3), 1e-8)
    assert status[0] in batch.REASONS and list(status[1:]) == [batch.OK, batch.OK]
    assert reached[0] == pytest.approx(2.0, rel=1e-6)
    assert out[0, :2, 0] == pytest.approx([1.0, 2.0]) and np.isnan(out[0, 2, 0])
    assert out[1, :, 0] == pytest.approx(1.0) and out[2, :, 0] == pytest.approx([1.0, 0.5, 0.25], rel=1e-6)


def test_a_patient_that_runs_out_of_steps_is_named_so(model):
    start, inputs = np.array([[0.0, 40.0, 0.0, 60.0, 0.0]]), patient(model).inputs
    _, status, reached = batch.solve_population(model, start, inputs, nothing(1), np.array([[24.0]]), np.zeros(1), 1e-9, 10)
    assert batch.REASONS[int(status[0])] == "took too many steps" and 0 < reached[0] < 24


def test_a_start_that_is_not_a_number_fails_as_such(model):
    start = np.array([[np.nan, 0.0, 0.0, 0.0, 0.0]])
    out, status, _ = batch.solve_population(model, start, patient(model).inputs, nothing(1), np.array([[1.0]]), np.zeros(1))
    assert batch.REASONS[int(status[0])] == "met a value that is not finite" and np.all(np.isnan(out))


def test_start_states_are_those_of_the_model():
    assert start_states(parse_model(EXPLOSION, "explosion"), Population(("K",), np.array([[1.0], [2.0]]), {})).tolist() == [
        [1.0], [1.0]]


def test_a_drug_of_another_model_is_refused(model):
    with pytest.raises(ContentError, match="cannot receive 'oxaliplatin'"):
        solve(model, dose("oxaliplatin", 1.0))
