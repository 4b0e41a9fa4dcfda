"""A table of records as a population: who is drawn, what follows covariates, what a system's parts are to
each other.
"""

import csv
import re

import numpy as np
import pandas as pd
import pytest

from pkpd import (
    Parameters,
    draw,
    load_model,
    load_parameters,
    parse_model,
    read_records,
    simulate_records,
    typical,
)
from pkpd.commands import cli
from pkpd.errors import ContentError, SimulationError
from pkpd.parameters.parameters import Value

OXALIPLATIN = load_model("drugs/oxaliplatin")
VALUES = load_parameters(model=OXALIPLATIN)
SYSTEM = load_model("systems/folfox_auc_linear")
EXPLOSION = """[model]
title = "A drug that feeds itself"
time = "day"
[parameters]
K = { unit = "1/mg/day" }
[compartments]
y = { unit = "mg", dose = true }
[flows]
growth = { to = "y", rate = "K * y**2" }
"""


def visits(ids, times=(0.0, 2.0, 24.0), **columns) -> pd.DataFrame:
    """A dose of 100 at the first time, then observations; the same for each patient."""
    rows = [{"ID": i, "TIME": t, "AMT": 100 if t == times[0] else 0} for i in ids for t in times]
    return pd.DataFrame(rows).assign(**columns)


# --- patients ---------------------------------------------------------


def test_patients_are_those_that_the_other_way_to_simulate_draws():
    records = read_records(visits([7, 3, 40]), OXALIPLATIN, VALUES, seed=5)
    drawn = draw(OXALIPLATIN, VALUES, 3, 5)
    assert np.array_equal(records.population.inputs, drawn.inputs)


def test_a_typical_patient_is_the_typical_patient():
    records = read_records(visits([1, 2]), OXALIPLATIN, VALUES, typical=True)
    assert np.array_equal(
        records.population.inputs, np.repeat(typical(OXALIPLATIN, VALUES).inputs, 2, axis=0)
    )


def test_a_covariate_of_the_table_is_the_patient_s():
    records = read_records(visits([1, 2], BSA=1.6), OXALIPLATIN, VALUES, seed=5)
    drawn = draw(OXALIPLATIN, VALUES, 2, 5, covariates={"BSA": 1.6})
    assert np.array_equal(records.population.inputs, drawn.inputs) and np.all(
        records.population["BSA"] == 1.6
    )


def test_what_follows_a_covariate_of_the_table_follows_its_first_row():
    records = read_records(visits([1, 2], BSA=[1.6, 1.6, 2.1, 2.0, 2.0, 2.0]), OXALIPLATIN, VALUES, seed=5)
    drawn = draw(OXALIPLATIN, VALUES, 2, 5, covariates={"BSA": np.array([1.6, 2.0])})
    assert np.array_equal(records.population["WT"], drawn["WT"])


def test_what_depends_on_a_covariate_follows_it_from_its_row_on():
    rows = visits([1], BSA=[1.6, ".", 2.1])
    records = read_records(rows, OXALIPLATIN, VALUES, seed=5)
    before, after = (draw(OXALIPLATIN, VALUES, 1, 5, covariates={"BSA": b}).inputs[0] for b in (1.6, 2.1))
    assert np.array_equal(records.inputs, [before, before, after]) and np.any(before != after)


def test_a_parameter_of_the_table_outdoes_spread_and_covariates():
    records = read_records(visits([1, 2], CL=[9, 9, 9, 9, 4, 9], BSA=1.6), OXALIPLATIN, VALUES)
    assert records.inputs[:, OXALIPLATIN.inputs.index("CL")].tolist() == [9, 9, 9, 9, 4, 9]


def test_covariates_that_typical_patients_lack_stand_at_their_reference():
    one = read_records(visits([1], BSA=1.6), OXALIPLATIN, VALUES, typical=True).population
    effects = {v.name: v.effect for v in VALUES.values if v.effect is not None}
    assert effects and any(one[n][0] != VALUES[n].value for n in effects)
    untouched = set(OXALIPLATIN.inputs) - set(effects)
    assert all(one[n][0] == VALUES[n].value for n in untouched)


def test_a_patient_s_rows_do_not_depend_on_who_else_is_in_the_table():
    several = visits([1, 2, 3], SS=[1, 0, 0] * 3, II=[12, 0, 0] * 3)
    together = simulate_records(read_records(several, OXALIPLATIN, VALUES, seed=2))
    alone = simulate_records(read_records(several[:3], OXALIPLATIN, VALUES, seed=2))
    assert np.array_equal(together[:3].to_numpy(), alone.to_numpy())


# --- rows -------------------------------------------------------------


def test_one_row_comes_back_for_each_in_its_order_with_its_id():
    rows = pd.concat([visits(["b"], times=(0.0, 5.0)), visits(["a1"], times=(3.0, 3.0, 7.0, 9.0))])
    out = simulate_records(read_records(rows, OXALIPLATIN, VALUES))
    assert out["ID"].tolist() == rows["ID"].tolist() and out["TIME"].tolist() == rows["TIME"].tolist()
    assert out.attrs["units"]["central"] == "mg" and list(out.columns[:3]) == ["ID", "TIME", "central"]


def test_a_file_may_have_a_byte_order_mark_other_line_ends_quotes_and_spaces(tmp_path):
    (tmp_path / "a.csv").write_bytes('\ufeffid , "TIME",AMT\r\n" 007",0,100\r\n\r\n007, 2 ,\r\n'.encode())
    out = simulate_records(read_records(tmp_path / "a.csv", OXALIPLATIN, VALUES))
    assert out["ID"].tolist() == ["007", "007"] and out["TIME"].tolist() == [0, 2] and out["central"][1] > 0


def test_variables_of_a_row_are_by_the_parameters_of_that_row():
    rows = pd.DataFrame({"ID": 1, "TIME": [0, 1, 1], "AMT": [100, 0, 0], "V1": [10, 10, 20]})
    out = simulate_records(read_records(rows, OXALIPLATIN, VALUES, typical=True))
    assert out["Cc"].to_numpy() == pytest.approx(out["central"].to_numpy() / [10, 10, 20])
    assert out["central"][1] == out["central"][2]


def test_columns_that_mean_nothing_here_are_told_once():
    assert read_records(visits([1], DV=3, MDV=0), OXALIPLATIN, VALUES).notices == (
        "columns left aside: DV, MDV",
    )
    assert read_records(visits([1]), OXALIPLATIN, VALUES).notices == ()


def test_a_patient_that_cannot_be_solved_is_told_by_its_id_and_the_others_stay():
    model = parse_model(EXPLOSION, "explosion")
    of = Parameters("p", "explosion", "", values=(Value("K", 0.0, "1/mg/day"),))
    rows = visits([4, 12], times=(0.0, 0.5, 2.0), K=[0.01] * 3 + [0.0] * 3)
    records = read_records(rows, model, of)
    out = simulate_records(records, strict=False)
    assert len(out.attrs["failures"]) == 1 and re.match(r"ID 4, day 1(\.0+\d*)?: ", out.attrs["failures"][0])
    assert out["y"][:2].tolist() == pytest.approx([100, 200], rel=1e-6) and np.isnan(out["y"][2])
    assert out["y"][3:].tolist() == pytest.approx([100, 100, 100])
    with pytest.raises(SimulationError, match="1 of 2 patients failed\n  ID 4, day"):
        simulate_records(records)


# --- systems ----------------------------------------------------------


def test_in_a_system_compartments_go_by_number_or_name_and_inputs_by_their_full_name():
    rows = pd.DataFrame(
        {
            "ID": 1,
            "TIME": [0, 0, 1],
            "AMT": [100, 50, 0],
            "CMT": ["oxaliplatin.central", 4, "."],
            "oxaliplatin.CL": [300, 300, 250],
        }
    )
    records = read_records(rows, SYSTEM, load_parameters(model=SYSTEM), typical=True)
    assert records.inputs[:, SYSTEM.inputs.index("oxaliplatin.CL")].tolist() == [300, 300, 250]
    assert [SYSTEM.states[i] for i in records.schedule.index[:2]] == [
        "oxaliplatin.central",
        "fluorouracil.central",
    ]


def test_a_steady_state_is_that_of_the_dosed_drug_alone():
    rows = [
        {"TIME": 0, "AMT": 3000, "RATE": 2000, "CMT": "fluorouracil.central"},
        {"TIME": 0, "AMT": 80, "CMT": "leucovorin.central"},
        {"TIME": 0.2, "AMT": 150, "CMT": "oxaliplatin.central", "SS": 1, "II": 14},
        {"TIME": 0.3, "AMT": 0},
    ]
    steady = pd.DataFrame(rows).assign(ID=1).fillna(".")
    single = steady.assign(SS=0, II=0)
    of = load_parameters(model=SYSTEM)
    a, b = (simulate_records(read_records(t, SYSTEM, of, typical=True)) for t in (steady, single))
    for name in SYSTEM.states:
        if name.startswith(("fluorouracil", "leucovorin")):
            assert a[name].tolist() == pytest.approx(b[name].tolist(), rel=1e-6)
    assert a["oxaliplatin.deep"][3] > 1.02 * b["oxaliplatin.deep"][3]


COUPLED = """[model]
title = "A drug whose elimination a tumour holds"
time = "day"
joins = ["drug"]
[parameters]
GROWTH = { unit = "1/day" }
UPTAKE = { unit = "1/mL/day" }
START = { unit = "mL" }
[compartments]
volume = { unit = "mL", start = "START" }
[flows]
growth = { to = "volume", rate = "GROWTH * volume" }
uptake = { from = "drug.central", rate = "UPTAKE * volume * drug.central" }
"""


def test_a_drug_that_depends_on_another_part_has_no_steady_state_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tumour.toml").write_text(COUPLED)
    model = parse_model(
        '[model]\ntitle = "s"\ntime = "day"\n[parts]\ndrug = { use = "drugs/oxaliplatin" }\n'
        'tumour = { use = "./tumour.toml", drug = "drug" }\n',
        "coupled",
    )
    of = Parameters("p", "coupled", "", values=tuple(Value(p.name, 1.0, p.unit) for p in model.parameters))
    rows = pd.DataFrame({"ID": 1, "TIME": [0, 1], "AMT": [100, 0], "SS": [1, 0], "II": [14, 0]})
    with pytest.raises(
        ContentError,
        match="row 1: SS: drug has no steady state of its own: its rates depend on tumour.volume",
    ):
        read_records(rows, model, of)
    assert simulate_records(read_records(rows.assign(SS=0, II=0), model, of))["drug.central"][1] > 0


# --- the command ------------------------------------------------------


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """The exit code, output and errors of `pkpd simulate oxaliplatin` in a folder with some records."""
    monkeypatch.chdir(tmp_path)
    visits([101, 7], DV=0).to_csv("events.csv", index=False)

    def run(*args):
        monkeypatch.setattr("sys.argv", ["pkpd", "simulate", *map(str, args)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        return stop.value.code, said.out, said.err

    return run


def test_the_command_writes_one_row_a_record_as_csv_and_parquet(command):
    code, out, _ = command("oxaliplatin", "--data", "events.csv", "--out", "out.csv", "--seed", 3)
    assert code == 0 and "6 rows, 2 patients" in out and "events.csv: columns left aside: DV" in out
    assert "Research software" in out
    with open("out.csv") as file:
        rows = list(csv.DictReader(file))
    assert [(r["ID"], r["TIME"]) for r in rows] == [(i, t) for i in ("101", "7") for t in ("0", "2", "24")]
    assert command("oxaliplatin", "--data", "events.csv", "--out", "out.parquet", "--seed", 3)[0] == 0
    assert pd.read_parquet("out.parquet")["central"].to_numpy() == pytest.approx(
        [float(r["central"]) for r in rows], rel=1e-7
    )
    assert rows[1]["central"] != rows[4]["central"]


def test_the_command_can_leave_out_the_spread(command):
    command("oxaliplatin", "--data", "events.csv", "--out", "out.csv", "--typical")
    rows = pd.read_csv("out.csv")
    assert rows["central"][:3].tolist() == rows["central"][3:].tolist()


@pytest.mark.parametrize(
    "option",
    [
        ("--regimen", "folfox4"),
        ("--cycles", 6),
        ("--patients", 100),
        ("--until", "1 year"),
        ("--every", "1 day"),
    ],
)
def test_what_the_records_say_themselves_cannot_be_said_beside_them(command, option):
    code, _, err = command("oxaliplatin", "--data", "events.csv", "--out", "out.csv", *option)
    assert code == 2 and f"{option[0]}: has no place beside --data" in err


def test_leaving_out_the_spread_needs_records(command):
    code, _, err = command("oxaliplatin", "--out", "out.csv", "--typical")
    assert code == 2 and "--typical: goes with --data only" in err


def test_the_command_tells_a_failed_patient_and_writes_the_others(command, tmp_path):
    (tmp_path / "explosion.toml").write_text(EXPLOSION)
    (tmp_path / "values.toml").write_text(
        '[parameters]\nmodel = "./explosion.toml"\ntitle = "v"\n[values]\n'
        'K = { value = 0, unit = "1/mg/day" }\n'
    )
    visits([4, 12], times=(0.0, 0.5, 2.0), K=[0.01] * 3 + [0.0] * 3).to_csv("events.csv", index=False)
    code, out, _ = command(
        "./explosion.toml", "--data", "events.csv", "--parameters", "values.toml", "--out", "out.csv"
    )
    assert code == 0 and "failed and kept, its later rows empty: ID 4, day 1" in out
    with open("out.csv") as file:
        assert [r["y"] != "" for r in csv.DictReader(file)] == [True, True, False, True, True, True]


def test_illegal_records_write_nothing(command, tmp_path):
    visits([1], SS=1).to_csv("events.csv", index=False)
    code, _, err = command("oxaliplatin", "--data", "events.csv", "--out", "out.csv")
    assert (
        code == 2
        and "events.csv: row 2: II: SS without an interval" in err
        and not (tmp_path / "out.csv").exists()
    )
