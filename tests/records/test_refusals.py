"""Illegal tables and records: each is told with its file, row, what is wrong, and the remedy."""

import numpy as np
import pandas as pd
import pytest

from pkpd import Parameters, parse_model, read_records
from pkpd.errors import ContentError, NotFound
from pkpd.parameters.effects import Effect
from pkpd.parameters.parameters import Value

MODEL = parse_model(
    """[model]
title = "Two dosed compartments and one that is not"
time = "hour"
[parameters]
K = { unit = "1/hour" }
LAG = { unit = "hour" }
F = { unit = "1" }
R = { unit = "mg/hour" }
D = { unit = "hour" }
[compartments]
depot = { unit = "mg", dose = true }
central = { unit = "mg", dose = { lag = "LAG", bioavailability = "F", rate = "R", duration = "D" } }
tissue = { unit = "mg" }
[flows]
absorption = { from = "depot", to = "central", rate = "K * depot" }
away = { from = "central", to = "tissue", rate = "K * central" }
out = { from = "tissue", rate = "K * tissue" }
""",
    "two",
)
VALUES = Parameters(
    "values",
    "two",
    "",
    values=tuple(
        Value(
            n,
            v,
            MODEL.unit(n),
            effect=Effect(("/", ("name", "WT"), ("num", 70)), (("WT", 70.0),)) if n == "K" else None,
        )
        for n, v in {"K": 0.3, "LAG": 0.0, "F": 1.0, "R": 5.0, "D": 2.0}.items()
    ),
    covariates=(Value("WT", 70, "kg"),),
)
HEADER = ("ID", "TIME", "EVID", "AMT", "CMT", "SS", "II", "ADDL", "RATE", "DUR")
DOSE = {"ID": 1, "TIME": 0, "EVID": 1, "AMT": 100, "CMT": 2}
SEEN = {"ID": 1, "TIME": 5}


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """The issues of a CSV file of some rows."""
    monkeypatch.chdir(tmp_path)

    def told(*rows: dict, model=MODEL, header: tuple = HEADER) -> list[tuple[str, str, str]]:
        columns = [*header, *dict.fromkeys(k for r in rows for k in r if k not in header)]
        lines = [",".join(columns), *(",".join(str(r.get(c, 0)) for c in columns) for r in rows)]
        (tmp_path / "events.csv").write_text("\n".join(lines) + "\n")
        with pytest.raises(ContentError) as caught:
            read_records("events.csv", model, VALUES)
        return [(i.where, i.what, i.remedy) for i in caught.value.issues]

    return told


@pytest.mark.parametrize(
    ("change", "column", "what", "remedy"),
    [
        ({"EVID": 7}, "EVID", "7 is not a kind of record", "3 reset"),
        ({"EVID": 1.5}, "EVID", "1.5 is not a kind of record", "3 reset"),
        ({"SS": 3}, "SS", "3 is not 0, 1 or 2", "adds it to what is there"),
        ({"AMT": -100}, "AMT", "-100 is negative", "zero or more"),
        ({"AMT": 0}, "AMT", "this record doses nothing", "make it EVID 2"),
        ({"AMT": 0, "RATE": 5}, "AMT", "this infusion would never end", "SS = 1"),
        ({"AMT": 0, "RATE": -2}, "AMT", "this infusion would never end", "SS = 1"),
        ({"RATE": -3}, "RATE", "-3 is not a rate", "-1 the model's rate, -2 the model's duration"),
        (
            {"RATE": -1, "CMT": 1},
            "RATE",
            "-1 asks for the model's rate, which depot does not declare",
            'dose = { rate = "…" }',
        ),
        (
            {"RATE": -2, "CMT": 1},
            "RATE",
            "-2 asks for the model's duration, which depot does not declare",
            'duration = "…"',
        ),
        ({"RATE": 10, "DUR": 5}, "RATE", "gives both RATE = 10 and DUR = 5", "give one"),
        ({"RATE": -2, "DUR": 5}, "RATE", "gives both RATE = -2 and DUR = 5", "give one"),
        ({"DUR": -5}, "DUR", "-5 is negative", "zero or more"),
        ({"II": -12, "ADDL": 2}, "II", "-12 is negative", "zero or more"),
        ({"ADDL": 2}, "II", "ADDL = 2 additional doses without an interval", "give II"),
        ({"ADDL": -1, "II": 12}, "ADDL", "-1 is not a count of doses", "whole number"),
        ({"ADDL": 1.5, "II": 12}, "ADDL", "1.5 is not a count of doses", "whole number"),
        ({"ADDL": 1e9, "II": 1e-6}, "II", "over 100000 doses", "longer II"),
        ({"SS": 1}, "II", "SS without an interval", "only an infusion without end"),
        ({"SS": 2, "RATE": 10}, "II", "SS without an interval", "only an infusion without end"),
        ({"SS": 1, "II": -24}, "II", "-24 is negative", "zero or more"),
        ({"SS": 1, "AMT": 0, "II": 12}, "AMT", "SS of no dose", "give AMT and II"),
        ({"SS": 1, "AMT": 0, "RATE": -2}, "AMT", "SS of no dose", "infusion without end"),
        (
            {"SS": 1, "AMT": 0, "RATE": 10, "II": 12},
            "II",
            "SS of an infusion without end (AMT = 0) with II = 12",
            "write II = 0",
        ),
        ({"SS": 1, "AMT": 0, "RATE": 10, "ADDL": 2}, "ADDL", "cannot be given again", "ADDL = 0"),
        (
            {"SS": 1, "II": 1e-5, "RATE": 10},
            "II",
            "over 10000 doses would be on their way or running",
            "longer interval",
        ),
        ({"CMT": 4}, "CMT", "'4' is no compartment of two", "1 depot, 2 central, 3 tissue"),
        ({"CMT": 1.5}, "CMT", "'1.5' is no compartment of two", "1 depot, 2 central, 3 tissue"),
        ({"CMT": "gut"}, "CMT", "'gut' is no compartment of two", "1 depot, 2 central, 3 tissue"),
        ({"CMT": 3}, "CMT", "tissue is not a dosed compartment", "dose = true in the model"),
        ({"CMT": 0}, "CMT", "the dose does not say which of depot, central", "write one of them"),
        ({"CMT": "."}, "CMT", "the dose does not say which of depot, central", "write one of them"),
        ({"CMT": -2}, "CMT", "-2 turns a compartment off", "let a parameter"),
        ({"CMT": -2, "EVID": 2, "AMT": 0}, "CMT", "-2 turns a compartment off", "let a parameter"),
        ({"EVID": 0}, "AMT", "AMT = 100 on a record of EVID 0, which gives no dose", "make it EVID 1"),
        ({"EVID": 2, "AMT": 0, "RATE": 5}, "RATE", "RATE = 5 on a record of EVID 2", "write 0"),
        ({"EVID": 3, "AMT": 0, "SS": 1}, "SS", "SS = 1 on a record of EVID 3", "write 0"),
        ({"EVID": 0, "AMT": 0, "ADDL": 1}, "ADDL", "ADDL = 1 on a record of EVID 0", "write 0"),
        ({"AMT": "much"}, "AMT", "'much' is not a finite number", "a dot or empty"),
        ({"AMT": "inf"}, "AMT", "'inf' is not a finite number", "a dot or empty"),
        ({"SS": "nan"}, "SS", "'nan' is not a finite number", "a dot or empty"),
        ({"TIME": "08:61"}, "TIME", "'08:61' is neither a clock time nor a number of hours", "write hh:mm"),
        ({"AMT": "1_000"}, "AMT", "'1_000' is not a finite number", "a dot or empty"),
        ({"CALL": 2}, "CALL", "2 asks NONMEM to call its routines", "leave the column out"),
        ({"PCMT": 1}, "PCMT", "1 asks for the prediction of one compartment", "leave the column out"),
        ({"CONT": 1}, "CONT", "1 continues a record on the next row", "give each record one row"),
        ({"TINF": 3}, "TINF", "3 is the duration of an infusion", "name the column DUR"),
        ({"TIME": "."}, "TIME", "is missing", "give every row a time"),
        ({"ID": "."}, "ID", "is missing", "give every row its patient"),
        ({"LAG": -1}, "the dose's lag", "is -1, below 0", "mend the parameter"),
        ({"F": -0.5}, "the dose's bioavailability", "is -0.5, below 0", "mend the parameter"),
        ({"R": 0, "RATE": -1}, "the dose's rate", "is 0, not above 0", "mend the parameter"),
        ({"D": -2, "RATE": -2}, "the dose's duration", "is -2, not above 0", "mend the parameter"),
        ({"K": "x"}, "K", "'x' is not a finite number", "a dot or empty"),
        ({"K": "."}, "K", "is missing on the patient's first row", "give it there"),
        ({"WT": "."}, "WT", "is missing on the patient's first row", "give it there"),
        ({"WT": 7}, "WT", "7 kg is not plausible (30 to 200)", "give body weight in kg"),
        ({"WT": -99}, "WT", "-99 kg is not plausible (30 to 200)", "give body weight in kg"),
        ({"SS": 1, "II": 12, "K": 0}, "SS", "does not settle", "ADDL and II"),
    ],
)
def test_an_illegal_record_is_told_with_file_row_column_and_remedy(refused, change, column, what, remedy):
    rows = [
        {**DOSE, **change},
        {
            **SEEN,
            **{k: {"K": 0.3, "WT": 70, "F": 1, "R": 5, "D": 2}.get(k, 0) for k in change if k not in HEADER},
        },
    ]
    issues = refused(*rows)
    assert len(issues) == 1
    assert issues[0][0] == f"events.csv: row 2: {column}" and what in issues[0][1] and remedy in issues[0][2]


def test_a_modelled_rate_is_asked_of_the_model_only_where_a_dose_asks_for_it(tmp_path):
    rows = pd.DataFrame([{**DOSE, "R": 0, "D": 0, "LAG": -1, "CMT": 1, "RATE": 4}, {**SEEN, "EVID": 0}])
    assert read_records(rows.fillna("."), MODEL, VALUES).schedule.value.tolist() == [4.0]


def test_all_faults_of_a_file_are_told_at_once_in_the_order_of_its_rows(refused):
    issues = refused(
        {**DOSE, "AMT": -1},
        {**DOSE, "CMT": 9},
        {**SEEN, "EVID": 8, "CMT": 1},
        {**SEEN, "TIME": "late", "CMT": 1},
    )
    assert [w.split(": ", 1)[1] for w, *_ in issues] == [
        "row 2: AMT",
        "row 3: CMT",
        "row 4: EVID",
        "row 5: TIME",
    ]


def test_rows_without_end_that_share_a_fault_are_counted(refused):
    issues = refused(*({**SEEN, "EVID": 8, "CMT": 1} for _ in range(50)))
    assert len(issues) == 21 and issues[-1][:2] == ("events.csv: EVID", "30 more rows like these")


@pytest.mark.parametrize("evid", [0, 1, 2])
def test_time_that_goes_back_is_refused_but_at_a_reset(refused, evid):
    issues = refused({**DOSE, "TIME": 6}, {**SEEN, "EVID": evid, "AMT": 5 if evid == 1 else 0, "CMT": 1})
    assert issues == [
        (
            "events.csv: row 3: TIME",
            "goes back from 6 to 5 within a patient",
            "sort each patient's rows by time; only a reset (EVID 3 or 4) may begin it again",
        )
    ]


def test_a_patient_whose_rows_are_apart_is_refused(refused):
    issues = refused(DOSE, {**SEEN, "ID": 2, "TIME": 0}, SEEN)
    assert issues == [
        ("events.csv: row 4: ID", "patient 1 comes again after others", "keep each patient's rows together")
    ]


def test_a_column_given_twice_is_refused(refused):
    assert refused(DOSE, header=(*HEADER, "amt")) == [
        ("events.csv: amt", "is column 4 and column 11", "keep one of the two")
    ]


@pytest.mark.parametrize("missing", ["ID", "TIME"])
def test_a_table_has_id_and_time(refused, missing):
    header = tuple(h for h in HEADER if h != missing)
    row = {k: v for k, v in DOSE.items() if k != missing}
    assert refused(row, header=header)[0][:2] == ("events.csv", f"has no column {missing}")


@pytest.mark.parametrize("text", ["", "ID,TIME,AMT\n", "\n\n"])
def test_a_file_without_records_is_refused(tmp_path, text):
    (tmp_path / "empty.csv").write_text(text)
    with pytest.raises(ContentError, match="holds no record"):
        read_records(tmp_path / "empty.csv", MODEL, VALUES)


def test_a_row_of_too_many_cells_is_told_by_its_line_even_after_empty_ones(tmp_path):
    (tmp_path / "events.csv").write_text("ID,TIME\n\n1,0\n1,1,5\n")
    with pytest.raises(ContentError, match="row 4: has 3 cells where the header has 2"):
        read_records(tmp_path / "events.csv", MODEL, VALUES)


def test_a_file_that_is_not_text_or_not_there_is_told(tmp_path):
    with pytest.raises(NotFound, match="cannot be read"):
        read_records(tmp_path / "nothing.csv", MODEL, VALUES)
    with pytest.raises(NotFound, match="cannot be read"):
        read_records(tmp_path, MODEL, VALUES)
    (tmp_path / "bytes.csv").write_bytes(b"ID,TIME\n\xff\xfe,1\n")
    with pytest.raises(ContentError, match="is not UTF-8 text"):
        read_records(tmp_path / "bytes.csv", MODEL, VALUES)


def test_a_model_without_dosed_compartments_says_so(refused):
    still = parse_model(
        '[model]\ntitle = "s"\ntime = "hour"\n[parameters]\nK = { unit = "1/hour" }\n[compartments]\n'
        'a = { unit = "mg" }\n[flows]\nout = { from = "a", rate = "K * a" }\n',
        "still",
    )
    with pytest.raises(ContentError, match="this model has no dosed compartment"):
        read_records(
            pd.DataFrame([{"ID": 1, "TIME": 0, "AMT": 5}]),
            still,
            Parameters("p", "still", "", values=(Value("K", 1, "1/hour"),)),
        )


def test_rows_of_a_data_frame_are_counted_from_one():
    with pytest.raises(ContentError, match="table: row 2: EVID: 9"):
        read_records(pd.DataFrame([DOSE, {**SEEN, "EVID": 9, "CMT": 1}]), MODEL, VALUES)


def test_missing_dose_items_are_zero_and_the_kind_follows_from_the_dose():
    rows = pd.DataFrame(
        {"id": [1, 1, 1], "time": [0, 1, 2], "Amt": [50, np.nan, "."], "CMT": ["depot", None, "."]}
    )
    records = read_records(rows, MODEL, VALUES)
    assert records.schedule.value.tolist() == [50.0] and records.schedule.index.tolist() == [0]


def test_a_column_named_as_the_parameter_of_a_part_is_told_its_whole_name(tmp_path):
    """In a system the input is drug.CL: a column CL that was left aside would be a clearance that nobody
    reads.
    """
    from pkpd import load_model, load_parameters

    system = load_model("crlm_folfox")
    (tmp_path / "t.csv").write_text(
        "ID,TIME,EVID,AMT,CMT,KM\n1,0,1,100,fluorouracil.central,8\n1,1,0,.,.,8\n"
    )
    with pytest.raises(ContentError) as caught:
        read_records(tmp_path / "t.csv", system, load_parameters((), system))
    assert [i.what for i in caught.value.issues] == [
        "is nothing that systems/crlm_folfox knows, but fluorouracil.KM is"
    ]


@pytest.mark.parametrize("word", ["C", "TINF", "FAILED"])
def test_the_flag_of_rows_and_the_columns_of_results_are_no_parameters(word):
    with pytest.raises(ContentError, match=f"parameters.{word}: is a data item"):
        parse_model(f"""[model]
title = "x"
time = "hour"
[parameters]
{word} = {{ unit = "1/hour" }}
[compartments]
central = {{ unit = "mg", dose = true }}
[flows]
out = {{ from = "central", rate = "{word} * central" }}
""")
