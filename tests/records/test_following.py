"""What records hand on: to sensitivities, to the file, to a user who wrote a name wrongly."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pkpd import (
    draw,
    load_model,
    load_parameters,
    parse_model,
    read_records,
    removal,
    sensitivity,
    simulate,
    simulate_records,
)
from pkpd.errors import ContentError
from pkpd.machine.executor import workers
from pkpd.parameters.effects import Effect
from pkpd.parameters.parameters import Parameters, Value
from tests.test_cli import run

DRUG = load_model("drugs/oxaliplatin")
SET = load_parameters((), DRUG)
EXPLOSION = """[model]
title = "Grows without bound where K is above 0"
time = "day"
[parameters]
K = { unit = "1/day" }
[compartments]
x = { unit = "1", start = "1", dose = true }
[flows]
growth = { to = "x", rate = "K * x**2" }
"""


def table(**columns) -> pd.DataFrame:
    rows = {
        "ID": 1,
        "TIME": [0.0, 4.0, 8.0, 12.0],
        "EVID": [1, 0, 0, 0],
        "AMT": [100.0, 0, 0, 0],
        "CMT": "central",
    }
    return pd.DataFrame(rows | columns)


def slopes(table: pd.DataFrame, name: str, covariates: str = "forward") -> np.ndarray:
    """The derivative of the first variable by an input at each row."""
    model = parse_model(
        """[model]
title = "One compartment"
time = "hour"
[parameters]
CL = { unit = "L/hour" }
V = { unit = "L" }
[compartments]
central = { unit = "mg", dose = true }
[variables]
cc = { unit = "mg/L", is = "central / V" }
[flows]
out = { from = "central", rate = "CL * central / V" }
""",
        "one",
    )
    effect = Effect(("/", ("name", "WT"), ("num", 70)), (("WT", 70.0),))
    lines = (Value("CL", 2.0, "L/hour", effect=effect), Value("V", 10.0, "L"))
    records = read_records(table, model, Parameters("own", "one", "", values=lines), covariates=covariates)
    own = sensitivity(
        model, records.population, [name], records.dosing, records.times, places=records.places, rtol=1e-9
    )
    return own["cc"][0, :, 0]


def test_a_covariate_that_comes_back_to_its_first_value_is_followed_as_any_other():
    back, near = (slopes(table(WT=[70.0, 100.0, w, w]), "CL") for w in (70.0, 70.000001))
    assert back == pytest.approx(near, rel=1e-5) and back[-1] < 0


@pytest.mark.parametrize(("covariates", "held"), [("forward", [70, 100, 84]), ("backward", [100, 84, 70])])
def test_clearance_under_a_changing_weight_has_the_derivative_of_the_typical_value(covariates, held):
    def cc(clearance):
        at, k = np.array([0.0, 4.0, 8.0, 12.0]), clearance / 10 * np.array(held) / 70
        return 10 * np.exp(-np.r_[0.0, np.cumsum(k * np.diff(at))])

    near = (cc(2 + 1e-5) - cc(2 - 1e-5)) / 2e-5
    own = slopes(table(WT=[70.0, 100.0, 84.0, 70.0]), "CL", covariates)
    assert own == pytest.approx(near, rel=1e-6, abs=1e-9)


def test_a_column_of_an_input_ends_its_derivative_at_the_first_change_for_good():
    back, near = (slopes(table(WT=70.0, V=[10.0, 20.0, v, v]), "V") for v in (10.0, 10.000001))
    assert back == pytest.approx(near, rel=1e-5, abs=1e-9)


def test_a_patient_that_fails_is_named_in_the_table_and_the_others_are_not():
    model = parse_model(EXPLOSION, "explosion")
    rows = pd.DataFrame(
        {"ID": [1, 1, 2, 2], "TIME": [0.0, 3.0, 0.0, 3.0], "AMT": 0, "K": [0.5, 0.5, 0.0, 0.0]}
    )
    values = Parameters("own", "explosion", "", values=(Value("K", 0.0, "1/day"),))
    frame = simulate_records(read_records(rows, model, values), strict=False)
    assert frame["FAILED"][0] == frame["FAILED"][1] and frame["FAILED"][0].startswith("day 2: ")
    assert frame["FAILED"][2:].isna().all() and frame["x"][2:].tolist() == [1.0, 1.0]


def test_the_table_of_records_is_never_written_over(tmp_path, monkeypatch, capsys):
    own = tmp_path / "events.csv"
    own.write_text("ID,TIME,AMT,WT,BSA\n1,0,0,70,1.8\n")
    code, _, said = run(
        "simulate", "oxaliplatin", "--data", own, "--out", own, monkeypatch=monkeypatch, capsys=capsys
    )
    assert (
        code == 2 and "is the table of records itself" in said and own.read_text().startswith("ID,TIME,AMT")
    )


def test_a_column_written_in_the_wrong_case_is_refused():
    with pytest.raises(ContentError, match="table: bsa: is nothing that drugs/oxaliplatin knows, but BSA is"):
        read_records(table(bsa=1.8), DRUG, SET)


def test_a_covariate_that_nobody_gives_is_asked_for_as_a_column():
    bare = replace(SET, covariates=())
    with pytest.raises(
        ContentError, match="which neither the table nor the parameters give\n.*add a column "
    ):
        read_records(table(), DRUG, bare)


def test_cycles_without_a_regimen_are_refused(tmp_path, monkeypatch, capsys):
    code, _, said = run(
        "simulate",
        "oxaliplatin",
        "--cycles",
        3,
        "--out",
        tmp_path / "a.csv",
        monkeypatch=monkeypatch,
        capsys=capsys,
    )
    assert code == 2 and "--cycles: counts the cycles of a regimen, and none is given" in said


@pytest.mark.parametrize("wrong", ["x", "0", "-2"])
def test_a_number_of_threads_that_is_none_is_refused(wrong, monkeypatch):
    monkeypatch.setenv("PKPD_THREADS", wrong)
    with pytest.raises(ContentError, match="is not a number of threads"):
        workers()


def test_an_event_before_the_beginning_is_refused():
    people = draw(DRUG, SET, 2)
    early = removal(DRUG, -3.0, {DRUG.states[0]: 0.5}, 2)
    with pytest.raises(ContentError, match="an event lies before the simulation's begin"):
        simulate(DRUG, people, early, [0.0, 1.0])
