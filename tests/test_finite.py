"""A variable that is infinite or no number is a failure of its patient, as a state is."""

import numpy as np
import pandas as pd
import pytest

from pkpd import (
    Crossing,
    parse_model,
    parse_parameters,
    read_records,
    sensitivity,
    simulate,
    simulate_records,
)
from pkpd.errors import SimulationError
from pkpd.model.model import Model
from pkpd.parameters.population import Population
from pkpd.regimen.schedule import settings
from pkpd.simulation.finite import _told_by_rates

TIMES = np.array([0.0, 1.0, 2.0, 3.0, 4.0])


def shrinking(more: str = "", rate: str = "LOSS") -> Model:
    """x falls at a constant rate from 2.5, through zero."""
    return parse_model(
        f"""[model]
title = "A volume that falls below nothing"
time = "day"
[parameters]
LOSS = {{ unit = "1/day" }}
DIVISOR = {{ unit = "1" }}
[compartments]
x = {{ unit = "1", start = "2.5" }}
[variables]
side = {{ unit = "1", is = "sqrt(x)" }}
{more}
[flows]
loss = {{ from = "x", rate = "{rate}" }}
""",
        "shrinking",
    )


def people(*loss: float, divisor: float = 1.0) -> Population:
    return Population(("LOSS", "DIVISOR"), np.array([[x, divisor] for x in loss]), {}, first=36)


def test_a_variable_that_is_no_number_is_named_with_the_patient_and_the_time():
    with pytest.raises(SimulationError) as caught:
        simulate(shrinking(), people(0.1, 1.0), None, TIMES)
    assert str(caught.value) == "shrinking: 1 of 2 patients failed\n  patient 38, day 3: side is not finite"


def test_its_later_rows_are_missing_and_the_other_patients_go_on():
    run = simulate(shrinking(), people(0.1, 1.0), None, TIMES, strict=False)
    assert run.failures == ("patient 38, day 3: side is not finite",)
    assert run["side"][0] == pytest.approx(np.sqrt(2.5 - 0.1 * TIMES))
    assert run["x"][1, :3] == pytest.approx([2.5, 1.5, 0.5]) and np.isnan(run["x"][1, 3:]).all()
    frame = run.to_frame()
    assert np.isnan(frame["side"]).sum() == np.isnan(frame["x"]).sum() == 2


def test_the_first_of_several_is_told():
    model = shrinking('early = { unit = "1", is = "log(x - 1)" }')
    assert simulate(model, people(1.0), None, TIMES, strict=False).failures == (
        "patient 37, day 2: early is not finite",
    )


def test_a_variable_divided_by_an_input_of_nothing_fails_from_the_beginning():
    model = shrinking('ratio = { unit = "1", is = "x / DIVISOR" }')
    run = simulate(model, people(0.1, divisor=0.0), None, TIMES, strict=False)
    assert run.failures == ("patient 37, day 0: ratio is not finite",) and np.isnan(run.states).all()


def test_an_input_that_is_set_to_nothing_fails_from_then_on():
    model = shrinking('ratio = { unit = "1", is = "x / DIVISOR" }')
    schedule = settings(1, 1, np.array([[2.0]]), np.array([[0.0]]))
    run = simulate(model, people(0.1), schedule, TIMES, strict=False)
    assert run.failures == ("patient 37, day 2: ratio is not finite",)
    assert np.isfinite(run["ratio"][0, :2]).all() and np.isnan(run["ratio"][0, 2:]).all()


def test_a_variable_of_a_rate_fails_in_the_engine_and_at_the_last_output_is_looked_at():
    model = shrinking('speed = { unit = "1/day", is = "LOSS / DIVISOR" }', rate="speed")
    assert _told_by_rates(model) == {"speed", "LOSS"}
    assert (
        simulate(model, people(0.1, divisor=0.0), None, TIMES, strict=False)
        .failures[0]
        .startswith("patient 37, day 0: ")
    )
    assert simulate(model, people(0.1, divisor=0.0), None, np.array([0.0]), strict=False).failures == (
        "patient 37, day 0: speed is not finite",
    )


def test_a_crossing_not_met_before_the_failure_is_unknown():
    run = simulate(shrinking(), people(0.1, 1.0), None, TIMES, strict=False, crossings=[Crossing("x", "-5")])
    assert run.crossed[0, 0] == np.inf and np.isnan(run.crossed[1, 0])


def test_derivatives_of_such_a_patient_are_missing_too():
    found = sensitivity(shrinking(), people(0.1, 1.0), ["LOSS"], None, TIMES, strict=False)
    assert found.simulation.failures == ("patient 38, day 3: side is not finite",)
    assert (
        np.isfinite(found["x"][0]).all()
        and np.isnan(found["x"][1, 3:]).all()
        and np.isfinite(found["x"][1, :3]).all()
    )


def started(at: str) -> Model:
    """x starts at a quotient that may be none, and falls."""
    return parse_model(
        f"""[model]
title = "A start that may be no number"
time = "day"
[parameters]
LOSS = {{ unit = "1/day" }}
DIVISOR = {{ unit = "1" }}
[compartments]
x = {{ unit = "1", start = "{at}" }}
[flows]
loss = {{ from = "x", rate = "LOSS * x" }}
""",
        "started",
    )


@pytest.mark.parametrize(
    ("divisors", "times", "told"),
    [
        ((0.0, 1.0), (0.0,), ("patient 37, day 0: x is not finite",)),  # no step has met it
        ((0.0, 1.0), (0.0, 1.0), ("patient 37, day 0: met a value that is not finite",)),
    ],
)
def test_a_start_that_is_no_number_is_a_failure_though_no_step_was_taken(divisors, times, told):
    inputs = np.array([[0.1, x] for x in divisors])
    run = simulate(
        started("1 / DIVISOR"),
        Population(("LOSS", "DIVISOR"), inputs, {}, first=36),
        None,
        times,
        strict=False,
    )
    assert run.failures == told and not np.isfinite(run.states[0]).any() and np.isfinite(run.states[1]).all()


def test_a_reset_to_no_number_at_the_last_record_is_told_in_its_rows():
    model = started("1 / DIVISOR")
    own = parse_parameters(
        """[parameters]
model = "started"
title = "t"
[values]
LOSS = { value = 0.1, unit = "1/day" }
DIVISOR = { value = 1, unit = "1" }
""",
        model,
    )
    table = pd.DataFrame(
        {"ID": [1, 1, 2], "TIME": [0, 2, 0], "AMT": 0, "EVID": [0, 3, 0], "DIVISOR": [1, 0, 1]}
    )
    rows = simulate_records(read_records(table, model, own), strict=False)
    assert rows["FAILED"].tolist() == ["day 2: x is not finite"] * 2 + [None]
    assert rows["x"].isna().tolist() == [False, True, False]
