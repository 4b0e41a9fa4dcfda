"""What records mean: against closed forms, both engines, and each other."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pkpd import Parameters, parse_model, read_records, simulate_records
from pkpd.parameters.parameters import Value
from pkpd.simulation.run import start_states
from pkpd.solve.analytic import Response, one_compartment, three_compartments, two_compartments
from pkpd.solve.reference import solve_patient

DRUG = parse_model(
    """[model]
title = "A depot, a central and two tissue compartments; lag, share, rate and duration of both doses"
time = "hour"
[parameters]
K10 = { unit = "1/hour" }
K12 = { unit = "1/hour" }
K21 = { unit = "1/hour" }
K13 = { unit = "1/hour" }
K31 = { unit = "1/hour" }
KA = { unit = "1/hour" }
LAG = { unit = "hour" }
F = { unit = "1" }
R = { unit = "mg/hour" }
D = { unit = "hour" }
[compartments]
depot = { unit = "mg", dose = { lag = "LAG", bioavailability = "F", rate = "R", duration = "D" } }
central = { unit = "mg", dose = { lag = "LAG", bioavailability = "F", rate = "R", duration = "D" } }
shallow = { unit = "mg" }
deep = { unit = "mg" }
[flows]
absorption = { from = "depot", to = "central", rate = "KA * depot" }
elimination = { from = "central", rate = "K10 * central" }
to_shallow = { from = "central", to = "shallow", rate = "K12 * central - K21 * shallow" }
to_deep = { from = "central", to = "deep", rate = "K13 * central - K31 * deep" }
""",
    "drug",
)
RATES = {"K10": 0.4, "K12": 0.7, "K21": 0.3, "K13": 0.09, "K31": 0.05, "KA": 1.5}
ONE, TWO = one_compartment(0.4), two_compartments(0.4, 0.7, 0.3)
FORMS = {1: ONE, 2: TWO, 3: three_compartments(0.4, 0.7, 0.3, 0.09, 0.05)}
TIMES = np.array([0.5, 1.0, 2.5, 4.0, 7.0, 11.0, 13.0, 20.0, 26.0])


def values(**other: float) -> Parameters:
    numbers = {**RATES, "LAG": 0.0, "F": 1.0, "R": 8.0, "D": 2.5, **other}
    return Parameters(
        "values", DRUG.name, "", values=tuple(Value(n, float(v), DRUG.unit(n)) for n, v in numbers.items())
    )


def few(n: int, **other: float) -> Parameters:
    """Values of a drug of n compartments."""
    return values(**({"K13": 0.0} if n < 3 else {}), **({"K12": 0.0} if n < 2 else {}), **other)


def table(*rows: dict, times=TIMES, of: Parameters | None = None) -> pd.DataFrame:
    """Records of one patient: what is given, then an observation at each time, in order of time; first the
    values as set.
    """
    seen = [{"TIME": t, "EVID": 0} for t in times]
    frame = pd.DataFrame([{"EVID": 1, **r} for r in rows] + seen).sort_values(
        "TIME", kind="stable", ignore_index=True
    )
    for name in set(frame.columns) & set(DRUG.inputs):
        frame.loc[0, name] = (
            (of or values())[name].value if pd.isna(frame.loc[0, name]) else frame.loc[0, name]
        )
    return frame.assign(ID=1)


def central(*rows: dict, of: Parameters | None = None, times=TIMES, rtol: float = 1e-11) -> np.ndarray:
    """The amount in the central compartment at the observations."""
    frame = table(*rows, times=times, of=of)
    run = simulate_records(read_records(frame, DRUG, of or values()), rtol=rtol)
    return run["central"].to_numpy()[frame["EVID"].to_numpy() == 0]


# --- closed forms -----------------------------------------------------


def kind(form: Response, route: str) -> Response:
    return form.absorbed(1.5) if route == "depot" else form


@pytest.mark.parametrize("route", ["central", "depot"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_boluses_follow_their_closed_form(n, route):
    own = kind(FORMS[n], route)
    assert central({"TIME": 0, "AMT": 80, "CMT": route}, of=few(n)) == pytest.approx(
        own.bolus(TIMES, 80), rel=1e-8
    )
    many = central({"TIME": 0.25, "AMT": 80, "CMT": route, "ADDL": 3, "II": 6}, of=few(n))
    assert many == pytest.approx(sum(own.bolus(TIMES - 0.25 - 6 * k, 80) for k in range(4)), rel=1e-8)


@pytest.mark.parametrize("route", ["central", "depot"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_infusions_follow_their_closed_form_and_overlap(n, route):
    own = kind(FORMS[n], route)
    single = central({"TIME": 0, "AMT": 30, "RATE": 10, "CMT": route}, of=few(n))
    assert single == pytest.approx(own.infusion(TIMES, 10, 3), rel=1e-8)
    many = central({"TIME": 0, "AMT": 30, "RATE": 10, "CMT": route, "ADDL": 4, "II": 2}, of=few(n))
    assert many == pytest.approx(sum(own.infusion(TIMES - 2 * k, 10, 3) for k in range(5)), rel=1e-8)


@pytest.mark.parametrize("route", ["central", "depot"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_steady_state_follows_its_closed_form_and_goes_on_with_additional_doses(n, route):
    own = kind(FORMS[n], route)
    once = central({"TIME": 0, "AMT": 80, "CMT": route, "SS": 1, "II": 8}, of=few(n))
    assert once == pytest.approx(own.steady_bolus(TIMES, 80, 8), rel=1e-8)
    often = central({"TIME": 0, "AMT": 80, "CMT": route, "SS": 1, "II": 8, "ADDL": 3}, of=few(n))
    assert often == pytest.approx(own.steady_bolus(TIMES % 8, 80, 8), rel=1e-8)
    slow = central({"TIME": 0, "AMT": 80, "RATE": 7, "CMT": route, "SS": 1, "II": 8, "ADDL": 3}, of=few(n))
    assert slow == pytest.approx(own.steady_infusion(TIMES % 8, 7, 80 / 7, 8), rel=1e-8)
    endless = central({"TIME": 0, "RATE": 7, "CMT": route, "SS": 1}, of=few(n), times=[0.0, 3.0])
    far = own.infusion(np.array([0.0, 3.0]) + 2000, 7, 2000)
    assert endless == pytest.approx(far, rel=1e-8)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_modelled_rate_gives_the_duration_and_a_modelled_duration_the_rate(n):
    of = few(n, F=0.6, R=8, D=2.5)
    assert central({"TIME": 0, "AMT": 80, "RATE": -1, "CMT": 2}, of=of) == pytest.approx(
        FORMS[n].infusion(TIMES, 8, 6.0), rel=1e-8
    )
    assert central({"TIME": 0, "AMT": 80, "RATE": -2, "CMT": 2}, of=of) == pytest.approx(
        FORMS[n].infusion(TIMES, 48 / 2.5, 2.5), rel=1e-8
    )
    for rate, closed in ((-1, (8, 6.0)), (-2, (48 / 5.5, 5.5))):
        often = central(
            {"TIME": 0, "AMT": 80, "RATE": rate, "CMT": 2, "SS": 1, "II": 5, "ADDL": 9},
            of=few(n, F=0.6, D=5.5),
        )
        assert often == pytest.approx(FORMS[n].steady_infusion(TIMES % 5, *closed, 5), rel=1e-8)
    endless = central({"TIME": 0, "RATE": -1, "CMT": 2, "SS": 1}, of=of, times=[0.0])
    assert endless == pytest.approx(FORMS[n].steady_rate(8), rel=1e-9)


def test_bioavailability_shortens_an_infusion_of_given_rate_and_slows_one_of_given_duration():
    of, form = values(F=0.25), FORMS[3]
    assert central({"TIME": 0, "AMT": 80, "RATE": 10, "CMT": 2}, of=of) == pytest.approx(
        form.infusion(TIMES, 10, 2), rel=1e-8
    )
    assert central({"TIME": 0, "AMT": 80, "DUR": 8, "CMT": 2}, of=of) == pytest.approx(
        form.infusion(TIMES, 2.5, 8), rel=1e-8
    )


def test_a_record_of_another_kind_changes_nothing_but_the_parameters_it_sets():
    dose, other = {"TIME": 0, "AMT": 80, "CMT": 2}, {"TIME": 2.0, "EVID": 2}
    assert np.array_equal(
        central(dose, other, of=few(1), times=[2.0, 5.0]), central(dose, of=few(1), times=[2.0, 5.0])
    )
    seen = central({**dose, "K10": 0.4}, {**other, "K10": 0.9}, of=few(1), times=[1.0, 2.0, 5.0])
    assert seen == pytest.approx(
        [80 * np.exp(-0.4), 80 * np.exp(-0.8), 80 * np.exp(-0.8 - 0.9 * 3)], rel=1e-8
    )


def test_a_parameter_that_changes_is_carried_on_and_holds_from_its_row():
    rows = pd.DataFrame(
        {
            "ID": 1,
            "TIME": [0, 1, 2, 3, 5],
            "AMT": [80, 0, 0, 0, 0],
            "CMT": 2,
            "K10": [0.2, None, 0.8, ".", 0.1],
        }
    )
    run = simulate_records(read_records(rows, DRUG, few(1)), rtol=1e-11)
    assert run["central"].tolist() == pytest.approx(
        [80, 80 * np.exp(-0.2), 80 * np.exp(-0.4), 80 * np.exp(-1.2), 80 * np.exp(-2.8)], rel=1e-8
    )


def test_what_a_dose_names_may_be_in_other_units_than_the_model_s():
    other = parse_model(
        """[model]
title = "Minutes, percent and grams a day in a model of hours and milligrams"
time = "hour"
[parameters]
K = { unit = "1/hour" }
LAG = { unit = "min" }
F = { unit = "%" }
R = { unit = "g/day" }
D = { unit = "min" }
[compartments]
central = { unit = "mg", dose = { lag = "LAG", bioavailability = "F", rate = "R", duration = "D" } }
[flows]
out = { from = "central", rate = "K * central" }
""",
        "other",
    )
    numbers = {"K": 0.4, "LAG": 30, "F": 50, "R": 0.24, "D": 90}
    of = Parameters("p", "other", "", values=tuple(Value(n, v, other.unit(n)) for n, v in numbers.items()))
    for rate, closed in (
        (0, ONE.bolus(TIMES - 0.5, 40)),
        (-1, ONE.infusion(TIMES - 0.5, 10, 4)),
        (-2, ONE.infusion(TIMES - 0.5, 40 / 1.5, 1.5)),
    ):
        frame = table({"TIME": 0, "AMT": 80, "RATE": rate})
        run = simulate_records(read_records(frame, other, of), rtol=1e-11)
        assert run["central"].to_numpy()[1:] == pytest.approx(closed, rel=1e-8)


# --- lag, reset, order ------------------------------------------------


def test_lag_and_bioavailability_stay_with_a_dose_and_its_additional_doses():
    first = {"TIME": 0, "AMT": 80, "CMT": 2, "ADDL": 2, "II": 6, "LAG": 1.5, "F": 0.5}
    second = {"TIME": 2.0, "AMT": 10, "CMT": 2, "LAG": 0.75, "F": 1.0}
    own = FORMS[3]
    expected = sum(own.bolus(TIMES - 1.5 - 6 * k, 40) for k in range(3)) + own.bolus(TIMES - 2.75, 10)
    assert central(first, second) == pytest.approx(expected, rel=1e-8)


def test_a_reset_ends_infusions_and_cancels_what_is_on_its_way():
    running = {"TIME": 0, "AMT": 300, "RATE": 10, "CMT": 2, "LAG": 0.0}
    lagged = {"TIME": 2.0, "AMT": 80, "CMT": 1, "LAG": 6.0, "ADDL": 5, "II": 4}
    reset = {"TIME": 3.0, "EVID": 3}
    later = {"TIME": 5.0, "AMT": 20, "CMT": 2, "LAG": 0.0}
    seen = central(running, lagged, reset, later)
    assert np.all(seen[(TIMES >= 3) & (TIMES < 5)] == 0)
    assert seen[TIMES > 5] == pytest.approx(FORMS[3].bolus(TIMES[TIMES > 5] - 5, 20), rel=1e-8)
    assert seen[TIMES < 3] == pytest.approx(FORMS[3].infusion(TIMES[TIMES < 3], 10, 30), rel=1e-8)


def test_a_reset_and_dose_in_one_record_is_a_reset_and_then_the_dose():
    before = {"TIME": 0, "AMT": 300, "RATE": 10, "CMT": 2}
    both = central(before, {"TIME": 3.0, "EVID": 4, "AMT": 20, "CMT": 1, "ADDL": 1, "II": 7})
    apart = central(before, {"TIME": 3.0, "EVID": 3}, {"TIME": 3.0, "AMT": 20, "CMT": 1, "ADDL": 1, "II": 7})
    assert np.array_equal(both, apart) and both[TIMES == 4.0] > 0


def test_a_dose_and_then_a_reset_at_one_time_leave_nothing():
    assert np.all(central({"TIME": 1.0, "AMT": 300, "CMT": 2}, {"TIME": 1.0, "EVID": 3}) == 0)


def test_a_reset_brings_back_the_start_values_by_the_parameters_then():
    model = parse_model(
        """[model]
title = "A marker with a baseline"
time = "day"
[parameters]
BASE = { unit = "1" }
K = { unit = "1/day" }
[compartments]
marker = { unit = "1", start = "2 * BASE" }
[flows]
loss = { from = "marker", rate = "K * marker" }
""",
        "marker",
    )
    of = Parameters("p", "marker", "", values=(Value("BASE", 3, "1"), Value("K", 0.5, "1/day")))
    rows = pd.DataFrame({"ID": 1, "TIME": [0, 4, 4, 6], "EVID": [0, 0, 3, 0], "BASE": [3, 3, 5, 5]})
    run = simulate_records(read_records(rows, model, of), rtol=1e-10)
    assert run["marker"].tolist() == pytest.approx([6, 6 * np.exp(-2), 10, 10 * np.exp(-1)], rel=1e-8)


def test_rows_of_one_time_see_what_stands_before_them():
    rows = pd.DataFrame({"ID": 1, "TIME": [0, 0, 0, 0], "EVID": [0, 1, 0, 1], "AMT": [0, 5, 0, 7], "CMT": 2})
    assert simulate_records(read_records(rows, DRUG, values()))["central"].tolist() == [0, 5, 5, 12]


def test_a_dose_due_at_the_time_of_an_observation_is_in_it_however_times_round():
    dose = {"TIME": 0.1, "AMT": 80, "CMT": 2, "ADDL": 6, "II": 0.1}
    seen = central(dose, of=few(1, K10=1e-12), times=[0.1, 0.3, 0.7, 0.7, 0.70001])
    assert seen == pytest.approx([80, 240, 560, 560, 560], rel=1e-8)  # 0.1 + 2 * 0.1 is not 0.3 in binary


def test_infusions_of_several_records_into_one_compartment_add_and_end_each_at_its_time():
    rows = (
        {"TIME": 0, "AMT": 60, "RATE": 10, "CMT": 2},
        {"TIME": 1.0, "AMT": 9, "RATE": 3, "CMT": 2},
        {"TIME": 2.0, "AMT": 80, "RATE": -2, "CMT": 2},
        {"TIME": 4.0, "AMT": 10, "CMT": 2},
    )
    own = FORMS[3]
    expected = (
        own.infusion(TIMES, 10, 6)
        + own.infusion(TIMES - 1, 3, 3)
        + own.infusion(TIMES - 2, 32, 2.5)
        + own.bolus(TIMES - 4, 10)
    )
    assert central(*rows) == pytest.approx(expected, rel=1e-8)


def test_the_first_record_is_where_a_patient_begins():
    late = {"TIME": 1000.0, "AMT": 80, "CMT": 2}
    assert central(late, times=TIMES + 1000) == pytest.approx(FORMS[3].bolus(TIMES, 80), rel=1e-8)


# --- steady state -----------------------------------------------------


@pytest.mark.parametrize(
    "dose",
    [
        {"AMT": 80},
        {"AMT": 80, "RATE": 20},
        {"AMT": 80, "RATE": 5},
        {"AMT": 80, "RATE": 10},
        {"AMT": 80, "RATE": -1},
        {"AMT": 80, "RATE": -2},
        {"AMT": 80, "DUR": 17},
    ],
    ids=str,
)
@pytest.mark.parametrize("lag", [0.0, 3.0, 8.0, 21.5])
@pytest.mark.parametrize("route", ["central", "depot"])
def test_a_steady_state_is_what_very_many_doses_lead_to(dose, lag, route):
    of, late = few(2, LAG=lag, F=0.7), 60 * 8
    steady = central({"TIME": 0, "CMT": route, "SS": 1, "II": 8, **dose}, of=of, times=[0.0, *TIMES])
    run_in = central(
        {"TIME": 0, "CMT": route, "II": 8, "ADDL": 60, **dose}, of=of, times=[late, *(TIMES + late)]
    )
    assert steady == pytest.approx(run_in, rel=1e-8)


def test_a_lag_longer_than_the_interval_leaves_doses_on_their_way_until_the_next_steady_state():
    first = {"TIME": 0, "AMT": 80, "CMT": 2, "SS": 1, "II": 4, "LAG": 9.0}
    seen = central(first, of=few(1))
    expected = ONE.steady_bolus(TIMES + 3, 80, 4) + sum(ONE.bolus(TIMES - t, 80) for t in (1, 5, 9))
    assert seen == pytest.approx(expected, rel=1e-8)
    second = {"TIME": 3.0, "AMT": 10, "CMT": 1, "SS": 1, "II": 6, "LAG": 0.0}
    both, alone = central(first, second, of=few(1)), central(second, of=few(1))
    assert both[TIMES >= 3] == pytest.approx(alone[TIMES >= 3], rel=1e-8)
    assert both[TIMES < 3] == pytest.approx(expected[TIMES < 3], rel=1e-8)


def test_a_steady_state_that_is_set_ends_infusions_and_one_that_is_added_lets_them_run():
    before = (
        {"TIME": 0, "AMT": 300, "RATE": 10, "CMT": 2},
        {"TIME": 1.0, "AMT": 40, "CMT": 1, "LAG": 4.5, "ADDL": 2, "II": 6},
    )
    steady = {"TIME": 3.0, "AMT": 80, "RATE": 30, "CMT": 2, "SS": 1, "II": 8, "LAG": 0.0}
    set_, alone = central(*before, steady), central(steady)
    assert set_[TIMES > 3] == pytest.approx(alone[TIMES > 3], rel=1e-8)
    added, old = central(*before, {**steady, "SS": 2}), central(*before)
    assert added[TIMES > 3] == pytest.approx(old[TIMES > 3] + alone[TIMES > 3], rel=1e-8)


@pytest.mark.parametrize("dose", [{"AMT": 80}, {"AMT": 80, "RATE": 5}, {"RATE": 5, "II": 0}], ids=str)
def test_adding_a_steady_state_to_nothing_sets_it(dose):
    rows = [central({"TIME": 0, "CMT": 1, "SS": ss, "II": 8, **dose}, of=values(LAG=0.5)) for ss in (1, 2)]
    assert rows[0] == pytest.approx(rows[1], rel=1e-9)


def test_morning_and_evening_doses_are_two_steady_states_added():
    day = [
        {"TIME": 0, "AMT": 60, "CMT": 2, "SS": 1, "II": 24, "ADDL": 2},
        {"TIME": 12.0, "AMT": 20, "CMT": 2, "SS": 2, "II": 24, "ADDL": 1},
    ]
    own, late = FORMS[3], TIMES[TIMES > 12]
    expected = own.steady_bolus(late % 24, 60, 24) + own.steady_bolus((late - 12) % 24, 20, 24)
    assert central(*day)[TIMES > 12] == pytest.approx(expected, rel=1e-8)


def test_a_reset_cancels_what_a_steady_state_has_on_its_way():
    steady = {"TIME": 0, "AMT": 80, "RATE": 5, "CMT": 2, "SS": 1, "II": 8, "ADDL": 9, "LAG": 3.0}
    seen = central(steady, {"TIME": 2.0, "EVID": 3})
    assert np.all(seen[TIMES >= 2] == 0) and np.all(seen[TIMES < 2] > 0)


def test_a_lag_does_not_move_the_end_of_an_infusion_without_end():
    endless = {"TIME": 0, "RATE": 7, "CMT": 2, "SS": 1}
    assert np.array_equal(central(endless, of=few(2, LAG=3)), central(endless, of=few(2)))


def test_a_dose_of_which_nothing_arrives_is_none_even_at_steady_state():
    rows = [{"TIME": i, "AMT": 80, "RATE": rate, "CMT": 2} for i, rate in enumerate((0, 5, -1, -2))]
    assert np.all(central(*rows, {"TIME": 4, "AMT": 80, "CMT": 2, "SS": 1, "II": 8}, of=values(F=0)) == 0)


@pytest.mark.parametrize("route", ["central", "depot"])
@pytest.mark.parametrize(("rate", "closed"), [(0, None), (7, 56 / 7), (-1, 56 / 8), (-2, 5.5)])
@pytest.mark.parametrize("lag", [0.0, 2.0])
def test_a_reset_to_a_steady_state_with_lag_and_bioavailability_leaves_nothing_of_before(
    rate, closed, lag, route
):
    of, own = few(2, LAG=lag, F=0.7, D=5.5), kind(FORMS[2], route)  # 80 of which 56 arrive
    before = (
        {"TIME": 0, "AMT": 90, "RATE": 3, "CMT": 2, "ADDL": 9, "II": 2},
        {"TIME": 1.0, "AMT": 9, "CMT": 1},
    )
    reset = {"TIME": 2.5, "EVID": 4, "AMT": 80, "RATE": rate, "CMT": route, "SS": 1, "II": 5, "ADDL": 8}
    after, late = TIMES[TIMES > 2.5], (TIMES[TIMES > 2.5] - 2.5 - lag) % 5
    expected = (
        own.steady_bolus(late, 56, 5) if closed is None else own.steady_infusion(late, 56 / closed, closed, 5)
    )
    assert central(*before, reset, of=of)[TIMES > 2.5] == pytest.approx(expected, rel=1e-8) and len(after)


@pytest.mark.parametrize("lag", [0.0, 1.5, 7.0])
@pytest.mark.parametrize("rate", [0, 4, -1, -2])
def test_an_added_steady_state_lies_over_doses_that_go_on_and_end_at_a_reset(rate, lag):
    of = few(3, LAG=lag, F=0.5, D=9.0)
    running = {"TIME": 0, "AMT": 60, "RATE": 5, "CMT": 1, "ADDL": 9, "II": 3}
    added = {"TIME": 4.0, "AMT": 40, "RATE": rate, "CMT": 2, "SS": 2, "II": 6, "ADDL": 4}
    together = central(running, added, {"TIME": 13.0, "EVID": 3}, of=of)
    form, late = FORMS[3], (TIMES - 4.0 - lag) % 6
    steady = {
        0: lambda: form.steady_bolus(late, 20, 6),
        4: lambda: form.steady_infusion(late, 4, 5, 6),
        -1: lambda: form.steady_infusion(late, 8, 2.5, 6),
        -2: lambda: form.steady_infusion(late, 20 / 9, 9, 6),
    }[rate]()
    gone_on = sum(form.absorbed(1.5).infusion(TIMES - lag - 3 * k, 5, 6) for k in range(10))
    expected = np.where(TIMES >= 13, 0, gone_on + np.where(TIMES >= 4, steady, 0))
    assert together == pytest.approx(expected, rel=1e-7, abs=1e-12)


# --- both engines, and what linear drugs must obey --------------------

RICH = [
    {"TIME": 0, "AMT": 60, "RATE": 10, "CMT": 2, "ADDL": 2, "II": 5},
    {"TIME": 1.0, "AMT": 40, "CMT": 1, "LAG": 4.5},
    {"TIME": 3.0, "AMT": 80, "RATE": 30, "CMT": 2, "SS": 2, "II": 8, "LAG": 0.5},
    {"TIME": 7.0, "EVID": 3},
    {"TIME": 7.0, "AMT": 50, "RATE": -1, "CMT": 1, "F": 0.5},
    {"TIME": 11.0, "AMT": 30, "CMT": 2, "SS": 1, "II": 3, "ADDL": 2},
    {"TIME": 13.0, "EVID": 2, "K10": 0.9},
    {"TIME": 14.0, "EVID": 4, "AMT": 5, "RATE": -2, "CMT": 2, "ADDL": 3, "II": 4},
]


def test_both_engines_agree_on_all_kinds_of_records():
    records = read_records(table(*RICH), DRUG, values())
    run = simulate_records(records, rtol=1e-10)
    start = start_states(DRUG, records.population)[0]
    yardstick = solve_patient(
        DRUG,
        start,
        records.population.inputs[0],
        records.schedule,
        0,
        records.times[0],
        records.times[0, 0],
        rtol=1e-11,
        places=records.places[0],
    )
    assert run[list(DRUG.states)].to_numpy() == pytest.approx(yardstick, rel=1e-7, abs=1e-9)


doses = st.fixed_dictionaries(
    {
        "TIME": st.floats(0, 12).map(lambda t: round(t, 2)),
        "AMT": st.floats(1, 100),
        "CMT": st.sampled_from([1, 2]),
        "RATE": st.sampled_from([0, 0, 4, 30, -1, -2]),
        "ADDL": st.integers(0, 3),
        "II": st.sampled_from([0.5, 3, 7]),
        "LAG": st.sampled_from([0, 0.25, 5]),
    }
)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(doses, min_size=1, max_size=4), st.sampled_from([0, 2]))
def test_doses_of_a_linear_drug_add_and_do_not_mind_when_the_clock_began(given_doses, steady):
    rows = sorted(given_doses, key=lambda d: d["TIME"])
    rows[-1] = {**rows[-1], "SS": steady}
    start, times = {"TIME": 0.0, "EVID": 2}, np.array([0.0, 3.0, 12.0, 15.0, 30.0])
    together = central(start, *rows, times=times, rtol=1e-10)
    apart = sum(central(start, row, times=times, rtol=1e-10) for row in rows)
    assert together == pytest.approx(apart, rel=1e-7, abs=1e-9)
    later = [{**row, "TIME": row["TIME"] + 100.0} for row in (start, *rows)]
    assert central(*later, times=times + 100.0, rtol=1e-10) == pytest.approx(together, rel=1e-7, abs=1e-9)
