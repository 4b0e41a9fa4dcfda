"""Noncompartmental readouts against closed forms, arithmetic by hand, and what a dose at an output time
means.
"""

import numpy as np
import pytest
from scipy.stats import linregress

from pkpd import (
    Population,
    accumulation,
    cycles,
    load_model,
    load_parameters,
    lower,
    nca,
    parse_model,
    sampling,
    simulate,
    typical,
)
from pkpd.errors import ContentError
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.regimen import Regimen
from pkpd.regimen.schedule import nothing
from pkpd.simulation.noncompartmental import READOUTS
from pkpd.simulation.simulation import Simulation
from pkpd.solve.analytic import one_compartment, two_compartments

MODEL = parse_model("""
[model]
title = "Two compartments and a depot"
time = "hour"
[parameters]
V = { unit = "L" }
CL = { unit = "L/hour" }
Q = { unit = "L/hour" }
VP = { unit = "L" }
KA = { unit = "1/hour" }
F = { unit = "1" }
ALAG = { unit = "hour" }
[compartments]
central = { unit = "mg", dose = { bioavailability = "F" } }
peripheral = { unit = "mg" }
depot = { unit = "mg", dose = { lag = "ALAG" } }
[variables]
Cc = { unit = "ug/mL", is = "central / V" }
[flows]
elimination = { from = "central", rate = "CL * Cc" }
distribution = { from = "central", to = "peripheral", rate = "Q * (Cc - peripheral / VP)" }
absorption = { from = "depot", to = "central", rate = "KA * depot" }
""")
V, CL, Q, VP, KA, DOSE = 10.0, 2.0, 4.0, 30.0, 1.1, 100.0
ONE, TWO = [V, CL, 0.0, VP, KA, 1.0, 0.0], [V, CL, Q, VP, KA, 1.0, 0.0]
BOLUS, ORAL = (DoseLine(to, DOSE, "mg", "", (1,)) for to in ("central", "depot"))
INFUSION = DoseLine("central", DOSE, "mg", "", (1,), over=3 / 24)


def course(inputs, line, *windows, every=14.0, count=1, points=120):
    """Patients of given inputs under one dose line every so many days, shown in the windows (hours)."""
    people = Population(MODEL.inputs, np.atleast_2d(np.array(inputs, dtype=float)), {})
    regimen = Regimen("own doses", "", every, (line,))
    doses = lower(regimen, MODEL, people, cycles(regimen, MODEL, count))
    times, places = sampling(MODEL, doses, *windows, points=points)
    return simulate(MODEL, people, doses, times, places=places)


def shown(times, values, dose=DOSE):
    """A run made by hand, in which the concentration is what the test says."""
    people = Population(MODEL.inputs, np.array([ONE]), {})
    states = np.zeros((1, len(times), 3))
    states[0, :, 0] = np.array(values) * V
    line = DoseLine("central", dose, "mg", "", (1,))
    regimen = Regimen("own doses", "", 14.0, (line,))
    doses = lower(regimen, MODEL, people, cycles(regimen, MODEL, 1)) if dose else nothing(1)
    return Simulation(MODEL, people, doses, np.array([times], dtype=float), states)


def closed(response, line, until):
    """AUC, AUMC, AUC and AUMC to infinity of a sum of exponentials, by hand."""
    weights, k = np.array(response.weights) * DOSE / V, np.array(response.exponents)
    if line is INFUSION:
        n, after = 3.0, until - 3.0
        weights = weights / n
        auc = np.sum(
            weights / k * (n - (1 - np.exp(-k * n)) / k + (1 - np.exp(-k * n)) / k * (1 - np.exp(-k * after)))
        )
        return auc, None, np.sum(weights * n / k), np.sum(weights * n / k**2) + 1.5 * np.sum(weights * n / k)
    gone = np.exp(-k * until)
    return (
        np.sum(weights / k * (1 - gone)),
        np.sum(weights / k**2 * (1 - gone * (1 + k * until))),
        np.sum(weights / k),
        np.sum(weights / k**2),
    )


CASES = [
    (response, inputs, line, until)
    for response, inputs in ((one_compartment(CL / V), ONE), (two_compartments(CL / V, Q / V, Q / VP), TWO))
    for line in (BOLUS, INFUSION, ORAL)
    for until in (30.0, 100.0, 400.0)
]


@pytest.mark.parametrize(("response", "inputs", "line", "until"), CASES)
def test_readouts_of_linear_drugs_are_those_of_the_closed_form(response, inputs, line, until):
    """Areas to 0.1 %, the peak to 0.3 %, to infinity and clearance to 0.3 %, moments and volume to 1 %,
    half-life to 1 %.
    """
    found = nca(course(inputs, line, (0.0, until)), end=until)
    whole = response.absorbed(KA) if line is ORAL else response
    auc, aumc, auc_inf, aumc_inf = closed(whole, line, until)
    fine = np.linspace(0, 30, 300_001)
    peak = (whole.infusion(fine, DOSE / 3, 3.0) if line is INFUSION else whole.bolus(fine, DOSE)) / V
    assert found.auc[0] == pytest.approx(auc, rel=1e-3)
    assert aumc is None or found.aumc[0] == pytest.approx(aumc, rel=1e-3)
    assert found.cmax[0] == pytest.approx(peak.max(), rel=3e-3)
    assert found.auc_inf[0] == pytest.approx(auc_inf, rel=3e-3) and found.cl[0] == pytest.approx(CL, rel=3e-3)
    assert found.aumc_inf[0] == pytest.approx(aumc_inf, rel=1e-2)
    assert found.half_life[0] == pytest.approx(np.log(2) / min(response.exponents), rel=1e-2)
    volume = (
        V + (VP if inputs is TWO else 0) + (CL / KA if line is ORAL else 0)
    )  # by mouth, the time in the depot counts too
    assert found.vss[0] == pytest.approx(volume, rel=1e-2)
    assert found.extrapolated[0] == pytest.approx(1 - auc / auc_inf, abs=3e-3)


def test_one_exponential_is_read_to_the_solvers_tolerance():
    """A logarithmic trapezoid is exact for it, and so is the slope."""
    found = nca(course(ONE, BOLUS, (0.0, 30.0)))
    assert found.auc_inf[0] == pytest.approx(DOSE / CL, rel=1e-6)
    assert found.half_life[0] == pytest.approx(np.log(2) * V / CL, rel=1e-6)
    assert found.mrt[0] == pytest.approx(V / CL, rel=1e-6) and found.vss[0] == pytest.approx(V, rel=1e-6)
    assert found.r2[0] == pytest.approx(1, abs=1e-9) and found.since[0] > 0


def test_more_points_make_smaller_errors_and_the_default_is_fine_enough():
    exact = closed(two_compartments(CL / V, Q / V, Q / VP), BOLUS, 100.0)[0]
    errors = [abs(nca(course(TWO, BOLUS, (0.0, 100.0), points=n)).auc[0] / exact - 1) for n in (30, 60, 120)]
    assert errors[0] > 2.5 * errors[1] > 6 * errors[2] and errors[2] < 1e-3


def test_a_constant_concentration_has_a_rectangle_and_no_half_life():
    found = nca(shown([0.0, 1.0, 5.0, 12.0], [2.5] * 4, dose=0))
    assert found.auc[0] == pytest.approx(30, rel=1e-12) and found.aumc[0] == pytest.approx(
        2.5 * 144 / 2, rel=1e-12
    )
    assert found.cmax[0] == found.cmin[0] == found.clast[0] == 2.5
    assert all(np.isnan(getattr(found, n)[0]) for n in ("lambda_z", "half_life", "auc_inf", "points", "r2"))


def test_no_dose_is_no_area_and_no_clearance():
    found = nca(shown([0.0, 1.0, 2.0, 3.0], [0.0] * 4, dose=0))
    assert found.auc[0] == found.cmax[0] == found.dose[0] == 0
    assert np.isnan(found.cl[0]) and np.isnan(found.vss[0])


def test_area_is_linear_up_and_logarithmic_down():
    found = nca(shown([0.0, 1.0, 3.0, 7.0], [1.0, 4.0, 2.0, 0.0]))
    assert found.auc[0] == pytest.approx(2.5 + 2 * (4 - 2) / np.log(2) + 4 * 1.0, rel=1e-12)


# --- the terminal slope -----------------------------------------------


def best_slope(times, values):
    """The rule of the usual tools, by brute force: of the last 3 or more points after the peak, the best
    adjusted R².
    """
    first = int(np.argmax(values)) + 1
    fits = []
    for n in range(3, len(times) - first + 1):
        fit = linregress(times[-n:], np.log(values[-n:]))
        fits.append((1 - (1 - fit.rvalue**2) * (n - 1) / (n - 2), n, -fit.slope))
    top = max(r2 for r2, _, slope in fits if slope > 0)
    return max((f for f in fits if f[0] >= top - 1e-4 and f[2] > 0), key=lambda f: f[1])


@pytest.mark.parametrize("seed", range(8))
def test_the_slope_is_that_of_the_best_adjusted_r2_by_brute_force(seed):
    rng = np.random.default_rng(seed)
    times = np.array([0, 0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24])
    values = (8 * np.exp(-0.8 * times) + 2 * np.exp(-0.07 * times)) * np.exp(rng.normal(0, 0.05, times.size))
    r2, n, slope = best_slope(times, values)
    found = nca(shown(times, values))
    assert (found.points[0], found.since[0]) == (n, times[-n])
    assert found.lambda_z[0] == pytest.approx(slope, rel=1e-9) and found.r2[0] == pytest.approx(r2, rel=1e-9)


@pytest.mark.parametrize(
    "values",
    [
        [0.0, 5.0, 3.0, 2.0],  # two points after the peak
        [1.0, 2.0, 3.0, 4.0],  # never falls
        [5.0, 1.0, 3.0, 1.0],  # no line
        [5.0, 0.0, 0.0, 0.0],  # nothing left
    ],
)
def test_without_three_points_on_a_falling_line_there_is_no_half_life(values):
    found = nca(shown([0.0, 1.0, 2.0, 3.0], values))
    assert np.isnan(found.half_life[0]) and np.isnan(found.auc_inf[0]) and np.isnan(found.cl[0])
    assert found.auc[0] > 0


def test_what_lies_a_million_times_below_the_peak_bears_no_slope():
    times = np.arange(0.0, 40.0)
    values = np.where(times < 20, np.exp(-0.7 * times), 1e-9 * (1 + np.arange(40) % 3))
    found = nca(shown(times, values))
    assert found.half_life[0] == pytest.approx(np.log(2) / 0.7, rel=1e-9)


def test_the_slope_is_read_after_the_last_dose_and_after_its_peak():
    found = nca(course(ONE, BOLUS, (0.0, 48.0), every=1.0, count=2))
    assert found.since[0] > 24 and found.half_life[0] == pytest.approx(np.log(2) * V / CL, rel=1e-6)
    assert nca(course(ONE, INFUSION, (0.0, 30.0))).since[0] > 3


# --- doses at output times --------------------------------------------


def test_the_trough_is_before_the_dose_and_the_peak_after_it():
    run = course(ONE, BOLUS, (0.0, 24.0), (24.0, 48.0), every=1.0, count=2)
    first, second = nca(run, end=24.0), nca(run, start="1 day", end="2 day")
    left = DOSE / V * np.exp(-CL / V * 24)
    assert first.clast[0] == pytest.approx(left, rel=1e-5) and first.cmin[0] == first.clast[0]
    assert first.cmax[0] == DOSE / V and first.tmax[0] == 0
    assert second.cmax[0] == pytest.approx(DOSE / V + left, rel=1e-6) and second.tmax[0] == 0
    assert nca(run, start=0.0, end=48.0).cmin[0] == pytest.approx(min(left, second.clast[0]), rel=1e-6)


def test_a_window_across_a_dose_is_the_sum_of_the_windows_beside_it():
    run = course(TWO, BOLUS, (0.0, 48.0), every=1.0, count=2)
    whole, first, second = nca(run), nca(run, end=24.0), nca(run, start=24.0)
    assert whole.auc[0] == pytest.approx(first.auc[0] + second.auc[0], rel=1e-12)
    assert whole.dose[0] == 2 * DOSE and first.dose[0] == second.dose[0] == DOSE


def test_a_run_that_shows_a_bolus_only_after_it_is_refused():
    people = Population(MODEL.inputs, np.array([ONE]), {})
    regimen = Regimen("own doses", "", 1.0, (BOLUS,))
    run = simulate(
        MODEL, people, lower(regimen, MODEL, people, cycles(regimen, MODEL, 2)), [0.0, 12.0, 24.0, 48.0]
    )
    for end in (24.0, 48.0):
        with pytest.raises(
            ContentError, match="given a dose at once at 24 hour, and the run does not show the concentration"
        ):
            nca(run, end=end)
    assert nca(run, start=24.0).cmax[0] > DOSE / V  # at a window's start it is what the window begins with
    with pytest.raises(ContentError, match="the window's end 13 hour is no output of patient 1"):
        nca(run, end=13.0)
    with pytest.raises(ContentError, match="the window ends before it starts, at 12 and 24 hour"):
        nca(run, start=24.0, end=12.0)


def test_an_output_twice_at_a_dose_is_no_look_before_it():
    """Without places both are after it; with places that show one side only, the other is missing too."""
    people = Population(MODEL.inputs, np.array([ONE]), {})
    regimen = Regimen("own doses", "", 1.0, (BOLUS,))
    doses = lower(regimen, MODEL, people, cycles(regimen, MODEL, 2))
    times = np.array([[0.0, 12.0, 24.0, 24.0, 36.0, 48.0]])
    whole = nca(simulate(MODEL, people, doses, times, places=np.array([[1, 1, 1, 2, 2, 2]])))
    assert whole.auc[0] > 0
    for places in (None, [[1, 1, 2, 2, 2, 2]], [[1, 1, 1, 1, 2, 2]]):
        run = simulate(MODEL, people, doses, times, places=None if places is None else np.array(places))
        with pytest.raises(
            ContentError, match="at 24 hour, and the run does not show the concentration before and after it"
        ):
            nca(run)
    before = simulate(MODEL, people, doses, times, places=np.array([[0, 1, 1, 2, 2, 2]]))
    with pytest.raises(
        ContentError, match="at once at 0 hour, and the run does not show the concentration after it"
    ):
        nca(before)


def test_a_dose_into_a_depot_does_not_jump_what_the_variable_shows():
    people = Population(MODEL.inputs, np.array([ONE]), {})
    regimen = Regimen("own doses", "", 1.0, (ORAL,))
    doses = lower(regimen, MODEL, people, cycles(regimen, MODEL, 2))
    assert nca(simulate(MODEL, people, doses, np.linspace(0, 48, 97))).dose[0] == 2 * DOSE


def test_the_rise_of_a_first_infusion_is_no_trough():
    run = course(ONE, INFUSION, (0.0, 24.0), (24.0, 48.0), every=1.0, count=2)
    first, second = nca(run, end=24.0), nca(run, start=24.0, end=48.0)
    assert first.cmin[0] == first.clast[0] > 0 and second.cmin[0] == second.clast[0]
    rising = nca(course(ONE, INFUSION, (0.0, 2.0)))
    assert rising.cmin[0] == rising.clast[0] == rising.cmax[0]


def test_a_window_of_no_length_reads_what_a_dose_leaves():
    found = nca(course(ONE, BOLUS, (0.0, 0.0), (0.0, 5.0)), start=0.0, end=0.0)
    assert found.clast[0] == DOSE / V and found.auc[0] == 0


# --- dose, clearance, accumulation ------------------------------------


def test_steady_state_accumulates_and_clears_as_the_closed_form_says():
    k, tau, n = CL / V, 8.0, 40
    run = course(ONE, BOLUS, (0.0, tau), ((n - 1) * tau, n * tau), every=tau / 24, count=n)
    ratio = 1 / (1 - np.exp(-k * tau))
    for value in accumulation(run, interval="8 hour").values():
        assert value[0] == pytest.approx(ratio, rel=1e-5)
    last = nca(run, start=(n - 1) * tau, end=n * tau)
    assert last.cl[0] == pytest.approx(CL, rel=1e-5)  # dose by the area of an interval
    assert np.isnan(last.vss[0]) and np.isnan(last.mrt[0])  # earlier doses are in the moment


def test_accumulation_begins_where_each_patient_is_dosed_first():
    late = [*ONE[:-1], 2.0]
    run = course([ONE, late], ORAL, (0.0, 60.0), every=1.0, count=2)
    windows = course([ONE], ORAL, (0.0, 24.0), (24.0, 48.0), every=1.0, count=2)
    expected = nca(windows, start=24.0, end=48.0).auc / nca(windows, end=24.0).auc
    shorter = accumulation(
        course([ONE, late], ORAL, (0.0, 24.0), (24.0, 48.0), (2.0, 26.0), (26.0, 50.0), every=1.0, count=2),
        interval=24.0,
    )
    assert shorter["auc"] == pytest.approx([expected[0], expected[0]], rel=1e-3)
    assert nca(run).tmax[1] == pytest.approx(nca(run).tmax[0] + 2.0, abs=0.2)
    with pytest.raises(ContentError, match="patient 1 is given nothing that Cc shows"):
        accumulation(shown([0.0, 1.0], [1.0, 1.0], dose=0))


def test_the_dose_is_what_reaches_the_compartment():
    half = [*ONE[:-2], 0.5, 0.0]
    found = nca(course(half, INFUSION, (0.0, 100.0)))
    assert found.dose[0] == pytest.approx(DOSE / 2) and found.cl[0] == pytest.approx(CL, rel=1e-4)
    part = nca(course(ONE, INFUSION, (0.0, 1.0), (1.0, 100.0)), end=1.0)
    assert part.dose[0] == pytest.approx(DOSE / 3)


def test_a_dose_of_oxaliplatin_counts_as_platinum():
    model = load_model("oxaliplatin")
    people = typical(model, load_parameters((), model))
    regimen = Regimen("own doses", "", 365.0, (DoseLine("oxaliplatin", 100.0, "mg", "", (1,), over=2 / 24),))
    doses = lower(regimen, model, people, cycles(regimen, model, 1))
    times, places = sampling(model, doses, ("0 day", "250 day"))
    found = nca(simulate(model, people, doses, times, places=places))
    assert found.dose[0] == pytest.approx(49.1) and found.unit("dose") == "mg"
    assert found.cl[0] == pytest.approx(people["CL"][0], rel=5e-3)
    assert found.vss[0] == pytest.approx(sum(people[v][0] for v in ("V1", "V2", "V3")), rel=2e-2)


# --- units, tables, sampling ------------------------------------------


def test_readouts_have_units_that_convert():
    found = nca(course(ONE, BOLUS, (0.0, 30.0)))
    assert [
        found.unit(n) for n in ("auc", "aumc", "cmax", "tmax", "lambda_z", "cl", "vss", "dose", "r2")
    ] == ["ug/mL*hour", "ug/mL*hour^2", "ug/mL", "hour", "1/hour", "L/hour", "L", "mg", "1"]
    table = found.to_frame()
    assert list(table.columns) == ["ID", *READOUTS] and table.attrs["units"]["auc"] == "ug/mL*hour"
    assert table["auc"][0] == found.auc[0] and len(found) == 1


def test_clearance_comes_out_in_litres_whatever_the_concentrations_unit():
    text = (
        'title = "t"\ntime = "day"\n[parameters]\nV = { unit = "mL" }\nK = { unit = "1/day" }\nMW = { unit '
        '= "g/mol" }\n'
        '[compartments]\ncentral = { unit = "mg", dose = true }\n[variables]\nCc = { unit = "ng/mL", is = '
        '"central / V" }\n'
        'molar = { unit = "nmol/L", is = "central / V / MW" }\n[flows]\nout = { from = "central", rate = "K '
        '* central" }\n'
    )
    model = parse_model("[model]\n" + text)
    people = Population(model.inputs, np.array([[5000.0, 0.3, 150_000.0]]), {})
    regimen = Regimen("own doses", "", 100.0, (DoseLine("central", 10.0, "mg", "", (1,)),))
    doses = lower(regimen, model, people, cycles(regimen, model, 1))
    times, places = sampling(model, doses, (0.0, 40.0))
    run = simulate(model, people, doses, times, places=places)
    assert nca(run).cl[0] == pytest.approx(1.5, rel=1e-5) and nca(run).unit("cl") == "L/day"
    assert nca(run).vss[0] == pytest.approx(5.0, rel=1e-5)
    assert np.isnan(nca(run, "molar").cl[0]) and nca(run, "molar").half_life[0] == pytest.approx(
        np.log(2) / 0.3, rel=1e-5
    )


def test_a_patient_that_failed_has_no_readout():
    run = shown([0.0, 1.0, 2.0, 3.0], [4.0, 2.0, np.nan, np.nan])
    assert all(np.isnan(getattr(nca(run), n)[0]) for n in READOUTS if n != "dose")


def test_outputs_lie_before_and_after_each_event_and_densely_after_it():
    people = Population(MODEL.inputs, np.array([ONE]), {})
    regimen = Regimen("own doses", "", 1.0, (INFUSION,))
    doses = lower(regimen, MODEL, people, cycles(regimen, MODEL, 2))
    times, places = sampling(MODEL, doses, ("0 hour", "2 day"), points=20)
    assert times.shape == places.shape and np.all(np.diff(times) >= 0) and np.all(np.diff(places) >= 0)
    for event, (before, after) in {0.0: (0, 1), 3.0: (1, 2), 24.0: (2, 3), 27.0: (3, 4)}.items():
        assert places[0, times[0] == event].tolist() == [before, after]
    assert times[0, -1] == 48 and np.diff(times[0])[np.diff(times[0]) > 0].min() < 1e-3
    inside = times[0][(times[0] > 27) & (times[0] < 48)]
    assert 15 <= len(inside) <= 20


def test_windows_are_sampled_and_nothing_between_them():
    people = Population(MODEL.inputs, np.array([ONE]), {})
    regimen = Regimen("own doses", "", 1.0, (BOLUS,))
    doses = lower(regimen, MODEL, people, cycles(regimen, MODEL, 10))
    times, _ = sampling(MODEL, doses, ("0 day", "1 day"), ("9 day", "10 day"))
    assert np.all((times <= 24) | (times >= 216))
    assert nca(simulate(MODEL, people, doses, times, places=_), start="9 day", end="10 day").dose[0] == DOSE
    with pytest.raises(ContentError, match="no window is given"):
        sampling(MODEL, doses)


def test_patients_with_different_events_share_one_grid():
    run = course([ONE, [*ONE[:-1], 1.5]], ORAL, (0.0, 24.0))
    found = nca(run, end=24.0)
    assert np.all(np.isfinite(found.auc)) and found.tmax[1] == pytest.approx(found.tmax[0] + 1.5, abs=0.2)
