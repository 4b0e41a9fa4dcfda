"""NONMEM tables as they are: what is left out, how cells are separated, dates, occasions, what is carried to
the results.
"""

import re

import numpy as np
import pandas as pd
import pytest

from pkpd import parse_model, read_records, simulate_records
from pkpd.errors import ContentError, NotFound
from pkpd.parameters.effects import Effect
from pkpd.parameters.parameters import Parameters, Value
from tests.test_cli import run as command

TEXT = """[model]
title = "One compartment with a depot"
time = "hour"
[parameters]
CL = { unit = "L/hour" }
V = { unit = "L" }
KA = { unit = "1/hour" }
[compartments]
depot = { unit = "mg", dose = true }
central = { unit = "mg", dose = true }
[variables]
Cp = { unit = "mg/L", is = "central / V" }
[flows]
absorption = { from = "depot", to = "central", rate = "KA * depot" }
elimination = { from = "central", rate = "CL / V * central" }
"""
VALUES = """[parameters]
model = "./one.toml"
title = "v"
[values]
CL = { value = 2, unit = "L/hour" }
V = { value = 20, unit = "L" }
KA = { value = 1.5, unit = "1/hour" }
"""
MODEL = parse_model(TEXT, "one")
LINES = (Value("CL", 2.0, "L/hour"), Value("V", 20.0, "L"), Value("KA", 1.5, "1/hour"))
OWN = Parameters("own", "one", "", values=LINES)
WEIGHED = Parameters(
    "own",
    "one",
    "",
    values=(
        Value("CL", 2.0, "L/hour", effect=Effect(("/", ("name", "WT"), ("num", 70)), (("WT", 70.0),))),
        *LINES[1:],
    ),
)
K = 0.1  # CL / V, per hour


def read(text: str | bytes, tmp_path, model=MODEL, parameters=OWN, name: str = "t.csv", **options):
    """The records of a file."""
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_records(tmp_path / name, model, parameters, **options)


def seen(text: str | bytes, tmp_path, **options) -> pd.DataFrame:
    """The results of a file."""
    return simulate_records(read(text, tmp_path, **options), rtol=1e-10)


def refused(text: str | bytes, tmp_path, **options) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        read(text, tmp_path, **options)
    return [(i.where.replace(f"{tmp_path}/", ""), i.what, i.remedy) for i in caught.value.issues]


# --- rows that NONMEM leaves out ---------------------------------------


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("C,ID,TIME,EVID,AMT,CMT\n.,1,0,1,100,2\nC,1,1,1,900,2\n.,1,2,0,0,2\n", "3"),
        ("C,ID,TIME,EVID,AMT,CMT\n,1,0,1,100,2\nc,1,1,1,900,2\nC,1,1,1,900,2\n,1,2,0,0,2\n", "3, 4"),
        ("ID,TIME,EVID,AMT,CMT,C\n1,0,1,100,2,.\n1,1,1,900,2,C\n1,2,0,0,2,.\n", "3"),
        ("ID,TIME,EVID,AMT,CMT\n#1,0,1,100,2\n1,0,1,100,2\n1,2,0,0,2\n", "2"),
        ("ID,TIME,EVID,AMT,CMT\n1,0,1,100,2\n# a remark\n1,2,0,0,2\n", "3"),
        ("ID,TIME,EVID,AMT,CMT\n1,0,1,100,2\n@1,1,1,900,2\n1,2,0,0,2\n", "3"),
        ("ID,TIME,EVID,AMT,CMT\n1,0,1,100,2\nC1,1,1,900,2\nID2,1,1,900,2\n1,2,0,0,2\n", "3, 4"),
        ("# made today\nID,TIME,EVID,AMT,CMT\n1,0,1,100,2\n#\n1,2,0,0,2\n", "4"),
        ("@ made today\nID,TIME,EVID,AMT,CMT\n1,0,1,100,2\n@ no\n1,2,0,0,2\n", "4"),
        ("#ID,TIME,EVID,AMT,CMT\n1,0,1,100,2\n 1,2,0,0,2\n  #1,3,0,0,2\n", "4"),
    ],
)
def test_rows_that_nonmem_leaves_out_are_left_out_and_told(tmp_path, text, left):
    records = read(text, tmp_path)
    assert records.ids == ("1",) and len(records.place) == 2
    assert records.notices == (
        "rows left aside, as NONMEM leaves them out (a letter, # or @ in front, or C in a column C): " + left,
    )
    assert simulate_records(records)["Cp"].tolist() == pytest.approx([5, 5 * np.exp(-2 * K)], rel=1e-7)


def test_a_data_frame_leaves_out_the_same_rows():
    frame = pd.DataFrame(
        {"C": [".", "C", np.nan], "ID": 1, "TIME": [0, 1, 2], "AMT": [100, 900, 0], "CMT": 2}
    )
    records = read_records(frame, MODEL, OWN)
    assert simulate_records(records)["Cp"].tolist() == pytest.approx([5, 5 * np.exp(-2 * K)], rel=1e-7)
    assert records.notices[0].endswith(": 2")


def test_patients_with_names_are_patients(tmp_path):
    records = read("ID,TIME,AMT,CMT\nC01,0,100,2\nC01,2,0,2\nD7,0,100,2\n", tmp_path)
    assert records.ids == ("C01", "D7") and records.notices == ()


def test_compartments_by_name_in_the_first_column_are_no_remarks(tmp_path):
    assert len(read("CMT,ID,TIME,AMT\n2,1,0,100\ncentral,1,1,100\n.,1,2,0\n", tmp_path).place) == 3


def test_a_column_c_of_something_else_is_left_aside_as_any_other(tmp_path):
    assert read("ID,TIME,AMT,CMT,C\n1,0,100,2,0.5\n1,2,0,2,.\n", tmp_path).notices == (
        "columns left aside: C",
    )


# --- words of the records as parameters ---------------------------------


@pytest.mark.parametrize(
    "word",
    [
        "ID",
        "TIME",
        "EVID",
        "AMT",
        "CMT",
        "RATE",
        "DUR",
        "SS",
        "II",
        "ADDL",
        "DV",
        "MDV",
        "DATE",
        "DAT1",
        "DAT2",
        "DAT3",
        "CALL",
        "PCMT",
        "CONT",
        "L1",
        "L2",
    ],
)
def test_a_data_item_is_no_name_of_a_parameter_of_a_dosed_model(word):
    with pytest.raises(ContentError) as caught:
        parse_model(TEXT.replace("KA", word), "one.toml")
    assert [(i.where, i.what, i.remedy) for i in caught.value.issues] == [
        (
            f"one.toml: parameters.{word}",
            "is a data item of dosing records, whose column would set it",
            f"rename it, as in {word}_0 (docs/how/dosing.md lists the data items)",
        )
    ]


def test_a_column_never_sets_a_parameter_named_as_a_data_item(tmp_path):
    still = parse_model(
        '[model]\ntitle = "s"\ntime = "hour"\n[parameters]\nRATE = { unit = "1/hour" }\n[compartments]\n'
        'a = { unit = "1", start = "1" }\n[flows]\nout = { from = "a", rate = "RATE * a" }\n',
        "still",
    )
    of = Parameters("own", "still", "", values=(Value("RATE", 0.5, "1/hour"),))
    assert refused("ID,TIME,rate\n1,0,0\n1,2,0\n", tmp_path, model=still, parameters=of) == [
        (
            "t.csv: rate",
            "is a data item of records and a parameter of still",
            "rename the parameter in the model",
        )
    ]
    without = seen("ID,TIME\n1,0\n1,2\n", tmp_path, model=still, parameters=of)
    assert without["a"].tolist() == pytest.approx([1, np.exp(-1)])


# --- dates and clock times ----------------------------------------------

# the example of NONMEM's own page on DATE: relative times 0, 5.42, 23.25 and 0, 50
PAGE = (
    "ID,DATE,TIME,AMT,CMT\n1,10-1-86,9:15,100,2\n1,10-1-86,14:40,.,2\n1,10-2-86,8:30,.,2\n"
    "2,10-12,8,100,2\n2,10-14,10,.,2\n"
)


def test_dates_and_clock_times_are_hours_from_the_first_row_as_in_nonmem(tmp_path):
    records = read(PAGE, tmp_path)
    table = simulate_records(records, rtol=1e-10)
    assert table["TIME"].tolist() == pytest.approx([0, 5 + 25 / 60, 23.25, 0, 50])
    assert table["Cp"].tolist() == pytest.approx((5 * np.exp(-K * table["TIME"])).tolist(), rel=1e-8)
    assert records.notices == ("dates and clock times are read as hours from each patient's first row",)


@pytest.mark.parametrize(
    ("word", "first", "second", "hours"),
    [
        ("DATE", "1", "2", 26),
        ("DATE", "0", "-1", None),
        ("DATE", "02/28/2024", "03/01/2024", 50),
        ("DATE", "2/28/23", "3/1/23", 26),
        ("DATE", "12/31/99", "1/1/00", 26),
        ("DATE", "1/1/50", "1/1/51", None),
        ("DAT1", "28/2/24", "1/3/24", 50),
        ("DAT2", "2024-02-28", "2024-03-01", 50),
        ("DAT3", "24.28.2", "24.1.3", 50),
        ("DAT1", "28-2", "1-3", 26),
    ],
)
def test_a_date_is_read_in_the_order_that_its_column_says(tmp_path, word, first, second, hours):
    text = f"ID,{word.lower()},TIME,AMT,CMT\n1,{first},0,100,2\n1,{second},2,0,2\n"
    if hours is None:
        assert "goes back from 0 to" in refused(text, tmp_path)[0][1]
    else:
        table = seen(text, tmp_path)
        assert table["TIME"].tolist() == [0, hours]
        assert table["Cp"][1] == pytest.approx(5 * np.exp(-K * hours), rel=1e-8)


def test_a_table_of_hours_runs_in_a_model_of_days_with_its_intervals_and_rates(tmp_path):
    days = parse_model(TEXT.replace("hour", "day"), "one")
    of = Parameters(
        "own",
        "one",
        "",
        values=tuple(Value(v.name, v.value * (1 if v.name == "V" else 24), days.unit(v.name)) for v in LINES),
    )
    rows = (
        "1,{},8:00,50,2,25,12,2,0\n1,{},10:30,0,2,0,0,0,0\n1,{},9:00,0,2,0,0,0,0\n1,{},10:00,30,2,0,0,0,3\n"
        "1,{},23:00,0,2,0,0,0,0\n"
    )
    text = "ID,DATE,TIME,AMT,CMT,RATE,II,ADDL,DUR\n" + rows.format(*(f"3/{d}/24" for d in (1, 1, 2, 2, 2)))
    inside = seen(text, tmp_path, model=days, parameters=of)
    plain = "ID,TIME,AMT,CMT,RATE,II,ADDL,DUR\n" + re.sub(r"1,\{\},\d+:\d+", "1,{}", rows).format(
        0, 2.5, 25, 26, 39
    )
    assert inside["Cp"].tolist() == pytest.approx(seen(plain, tmp_path)["Cp"].tolist(), rel=1e-8)
    assert inside["TIME"].tolist() == pytest.approx([t / 24 for t in (0, 2.5, 25, 26, 39)])
    assert read(text, tmp_path, model=days, parameters=of).notices == (
        "dates and clock times are read as hours from each patient's first row, and II, DUR and RATE in "
        "hours too; "
        "the model counts in days",
    )


def test_hours_may_go_on_beside_a_date_that_stays(tmp_path):
    assert seen("ID,DATE,TIME\n1,3/1/24,0\n1,3/1/24,50\n", tmp_path)["TIME"].tolist() == [0, 50]


def test_an_interval_may_be_a_clock_time_too(tmp_path):
    rows = "ID,TIME,AMT,CMT,II,ADDL\n1,{},100,2,{},1\n1,{},.,2,.,.\n"
    assert seen(rows.format("8:00", "6:30", "20:00"), tmp_path)["Cp"][1] == pytest.approx(
        seen(rows.format(0, 6.5, 12), tmp_path)["Cp"][1], rel=1e-9
    )


@pytest.mark.parametrize(
    ("text", "column", "what", "remedy"),
    [
        (
            "ID,DATE,TIME\n1,2024-02-28,0\n",
            "row 2: DATE",
            "'2024-02-28' is no month day year",
            "DAT2 is year month day",
        ),
        (
            "ID,DATE,TIME\n1,13/1/24,0\n",
            "row 2: DATE",
            "'13/1/24' is no month day year",
            "DAT1 is day month year",
        ),
        ("ID,DATE,TIME\n1,2/30/24,0\n", "row 2: DATE", "is no month day year", "or a day's number"),
        ("ID,DATE,TIME\n1,10.12,0\n", "row 2: DATE", "'10.12' is no month day year", "or a day's number"),
        (
            "ID,DATE,TIME\n1,1,0\n1,2,26\n",
            "row 3: TIME",
            "26 is beyond a day, beside a date",
            "rename the column",
        ),
        ("ID,DATE,TIME\n1,.,0\n", "row 2: DATE", "is missing", "give every row a date"),
        (
            "ID,DATE,TIME\n1,1/1/24,0\n1,2,0\n",
            "row 3: DATE",
            "'2' is not written as '1/1/24' before it",
            "in one way",
        ),
        ("ID,DATE,DAT1,TIME\n1,1,1,0\n", "DAT1", "is a second column of dates", "keep one"),
        (
            "ID,TIME\n1,8:00\n1,late\n",
            "row 3: TIME",
            "'late' is neither a clock time nor a number of hours",
            "write hh:mm",
        ),
    ],
)
def test_a_date_that_is_none_is_told(tmp_path, text, column, what, remedy):
    issues = refused(text, tmp_path)
    assert (
        len(issues) == 1
        and issues[0][0] == f"t.csv: {column}"
        and what in issues[0][1]
        and remedy in issues[0][2]
    )


# --- covariates -----------------------------------------------------------


@pytest.mark.parametrize("cells", ["2,4.1,.", "0,-99,70", "female,low,", "NA,NA,NA"])
def test_covariates_that_nothing_depends_on_are_left_aside_whatever_they_hold(tmp_path, cells):
    records = read(f"ID,TIME,AMT,CMT,SEX,ALB,WT\n1,0,100,2,{cells}\n1,7,0,2,{cells}\n", tmp_path)
    assert records.notices == ("covariates left aside, as nothing depends on them: SEX, ALB, WT",)
    assert simulate_records(records)["Cp"].tolist() == pytest.approx([5, 5 * np.exp(-0.7)], rel=1e-7)


def test_what_a_read_covariate_follows_is_read_where_the_table_does_not_give_it_itself(tmp_path):
    weight = Value("WT", 70, "kg", effect=Effect(("/", ("name", "BSA"), ("num", 2)), (("BSA", 2.0),)))
    of = Parameters("own", "one", "", values=WEIGHED.values, covariates=(Value("BSA", 2.0, "m^2"), weight))
    followed = seen("ID,TIME,AMT,CMT,BSA\n1,0,100,2,1.5\n1,2,0,2,1.5\n", tmp_path, parameters=of)
    assert followed["Cp"][1] == pytest.approx(5 * np.exp(-K * 0.75 * 2), rel=1e-8)
    both = read("ID,TIME,AMT,CMT,BSA,WT\n1,0,100,2,.,35\n1,2,0,2,-99,35\n", tmp_path, parameters=of)
    assert both.notices == ("covariates left aside, as nothing depends on them: BSA",)
    assert simulate_records(both)["Cp"][1] == pytest.approx(5 * np.exp(-K * 0.5 * 2), rel=1e-7)


def test_a_column_of_another_case_matters_only_where_something_reads_it(tmp_path):
    assert read("ID,TIME,wt\n1,0,70\n", tmp_path).notices == ("columns left aside: wt",)
    assert refused("ID,TIME,wt\n1,0,70\n", tmp_path, parameters=WEIGHED)[0][:2] == (
        "t.csv: wt",
        "is nothing that one knows, but WT is",
    )


@pytest.mark.parametrize("name", ["EGFR", "LIVER", "ADA"])
def test_a_parameter_outranks_a_covariate_of_its_name(tmp_path, name):
    model = parse_model(TEXT.replace("KA", name), "one")
    of = Parameters("own", "one", "", values=(*LINES[:2], Value(name, 1.5, "1/hour")))
    table = seen(
        f"ID,TIME,AMT,CMT,{name}\n1,0,100,1,600\n1,2,0,1,600\n", tmp_path, model=model, parameters=of
    )
    assert table["Cp"][1] == pytest.approx(5 * 600 / (600 - K) * np.exp(-2 * K), rel=1e-8)


def test_a_column_that_would_be_a_parameter_and_a_covariate_is_refused(tmp_path):
    model = parse_model(TEXT.replace("KA", "WT"), "one")
    of = Parameters(
        "own",
        "one",
        "",
        values=(*WEIGHED.values[:2], Value("WT", 1.5, "1/hour")),
        covariates=(Value("WT", 70, "kg"),),
    )
    assert refused("ID,TIME,WT\n1,0,70\n", tmp_path, model=model, parameters=of) == [
        (
            "t.csv: WT",
            "is a parameter of one and a covariate that an effect reads",
            "rename the parameter in the model",
        )
    ]


WEIGHTS = "ID,TIME,AMT,CMT,WT\n1,0,100,2,70\n1,4,0,2,140\n1,10,0,2,35\n1,16,0,2,105\n"


def test_forward_a_row_s_covariate_holds_from_it_on_and_backward_up_to_it_as_in_nonmem(tmp_path):
    forward, backward = (
        seen(WEIGHTS, tmp_path, parameters=WEIGHED, covariates=c)["Cp"] for c in ("forward", "backward")
    )
    assert forward.tolist() == pytest.approx(
        5 * np.exp(-K * np.array([0, 4, 4 + 2 * 6, 16 + 0.5 * 6])), rel=1e-8
    )
    assert backward.tolist() == pytest.approx(
        5 * np.exp(-K * np.array([0, 2 * 4, 8 + 0.5 * 6, 11 + 1.5 * 6])), rel=1e-8
    )


def test_backward_a_missing_value_is_the_next_one_s_and_after_the_last_it_stays(tmp_path):
    text = (
        "ID,TIME,AMT,CMT,WT\n1,0,100,2,.\n1,4,0,2,140\n1,10,0,2,.\n1,16,0,2,105\n1,20,0,2,.\n"
        "2,0,100,2,70\n2,1,0,2,.\n"
    )
    table = seen(text, tmp_path, parameters=WEIGHED, covariates="backward")
    assert table["Cp"].tolist() == pytest.approx(
        5 * np.exp(-K * np.array([0, 8, 8 + 1.5 * 6, 17 + 1.5 * 6, 26 + 1.5 * 4, 0, 1])), rel=1e-8
    )
    assert refused("ID,TIME,WT\n1,0,.\n2,0,70\n", tmp_path, parameters=WEIGHED, covariates="backward") == [
        ("t.csv: row 2: WT", "is missing on all of the patient's rows", "give it")
    ]


def test_backward_a_parameter_of_a_row_holds_up_to_it_and_the_row_shows_its_own(tmp_path):
    text = "ID,TIME,AMT,CMT,CL,V\n1,0,100,2,2,20\n1,5,0,2,4,40\n1,5,100,2,8,20\n1,9,0,2,2,10\n"
    table = seen(text, tmp_path, covariates="backward")
    at_5 = 100 * np.exp(-4 / 40 * 5)
    assert table["central"].tolist() == pytest.approx(
        [100, at_5, at_5 + 100, (at_5 + 100) * np.exp(-2 / 10 * 4)], rel=1e-8
    )
    assert table["Cp"].tolist() == pytest.approx((table["central"] / [20, 40, 20, 10]).tolist())


def test_forward_and_backward_agree_where_nothing_changes_within_a_patient(tmp_path):
    text = "ID,TIME,AMT,CMT,WT\n1,0,100,1,70\n1,4,0,1,70\n2,0,100,1,90\n2,3,0,1,90\n"
    both = [seen(text, tmp_path, parameters=WEIGHED, covariates=c) for c in ("forward", "backward")]
    assert both[0].drop(columns="FAILED").equals(both[1].drop(columns="FAILED"))


def test_a_way_of_covariates_that_is_none_is_told(tmp_path):
    with pytest.raises(
        ContentError, match="covariates: 'backwards' is neither forward nor backward\n.*'backward'"
    ):
        read(WEIGHTS, tmp_path, covariates="backwards")


# --- occasions and observations -----------------------------------------


@pytest.mark.parametrize("reset", ["3,0", "4,50"])
def test_time_that_begins_again_at_a_reset_is_a_new_occasion(tmp_path, reset):
    occasions = (
        "ID,TIME,EVID,AMT,CMT,II,ADDL\n1,0,1,100,1,6,9\n1,24,0,0,1,0,0\n1,0,{0},2,0,0\n1,1,1,30,1,4,2\n"
        "1,7,0,0,1,0,0\n"
        "1,2,{0},2,0,0\n1,3,0,0,1,0,0\n2,0,1,100,1,0,0\n2,3,0,0,1,0,0\n"
    )
    shifted = (
        "ID,TIME,EVID,AMT,CMT,II,ADDL\n1,0,1,100,1,6,9\n1,24,0,0,1,0,0\n1,24,{0},2,0,0\n1,25,1,30,1,4,2\n"
        "1,31,0,0,1,0,0\n"
        "1,31,{0},2,0,0\n1,32,0,0,1,0,0\n2,0,1,100,1,0,0\n2,3,0,0,1,0,0\n"
    )
    a, b = (seen(t.format(reset), tmp_path) for t in (occasions, shifted))
    assert (
        a["TIME"].tolist() == [0, 24, 0, 1, 7, 2, 3, 0, 3] and a["central"].tolist() == b["central"].tolist()
    )
    assert a["central"][2] == (50 if reset == "4,50" else 0)


@pytest.mark.parametrize("named", ["3", "7", "Cp", "tumour", ".", "NA", "central"])
def test_an_observation_may_name_any_output_as_its_compartment(tmp_path, named):
    table = seen(f"ID,TIME,EVID,AMT,CMT\n1,0,1,100,2\n1,2,0,0,{named}\n1,3,2,0,{named}\n", tmp_path)
    assert table["Cp"][1] == pytest.approx(5 * np.exp(-2 * K), rel=1e-8)


def test_ids_that_are_one_number_are_one_patient(tmp_path):
    records = read("ID,TIME,AMT,CMT\n1,0,100,2\n1.0,1,0,2\n01,2,0,2\n2.0,0,100,2\n", tmp_path)
    assert records.ids == ("1", "2") and simulate_records(records)["ID"].tolist() == [1, 1, 1, 2]
    assert refused("ID,TIME\n1,0\n2,0\n1.0,0\n", tmp_path)[0][:2] == (
        "t.csv: row 4: ID",
        "patient 1.0 comes again after others",
    )


# --- how cells are separated ----------------------------------------------

PLAIN = "ID,TIME,EVID,AMT,CMT\n1,0,1,100.5,2\n1,2.5,0,0,2\n"


@pytest.mark.parametrize(
    ("text", "notices"),
    [
        (
            PLAIN.replace(",", ";").replace(".", ","),
            ("cells are separated by semicolons, and a comma in a number is a decimal comma",),
        ),
        (PLAIN.replace(",", ";"), ("cells are separated by semicolons",)),
        ("sep=;\n" + PLAIN.replace(",", ";"), ("cells are separated by semicolons",)),
        (PLAIN.replace(",", "\t"), ()),
        (
            PLAIN.replace(",", "\t").replace(".", ","),
            ("cells are separated by tabs, and a comma in a number is a decimal comma",),
        ),
        (PLAIN.replace(",", "   "), ()),
        ("TABLE NO.  1\n" + re.sub(r"^|,", "  ", PLAIN, flags=re.M), ()),
        (
            "TABLE NO.  1\n ID TIME EVID AMT CMT\n 1.0000E+00 0.0000E+00 1.0000E+00 1.0050E+02 2.0000E+00\n"
            "TABLE NO.  1\n ID TIME EVID AMT CMT\n 1.0000E+00 2.5000E+00 0.0000E+00 0.0000E+00 2.0000E+00\n",
            (),
        ),
        (PLAIN.replace("\n", "\r"), ()),
        ("\ufeff" + PLAIN.replace("\n", "\r\n"), ()),
        (PLAIN.replace("0,0,2", "NA,NA,NA"), ()),
    ],
)
def test_a_table_is_read_however_its_cells_are_separated(tmp_path, text, notices):
    records = read(text, tmp_path)
    table = simulate_records(records, rtol=1e-10)
    assert table["Cp"].tolist() == pytest.approx([5.025, 5.025 * np.exp(-0.25)], rel=1e-8)
    assert records.notices == notices and table["ID"].tolist() == [1, 1]


def test_decimal_commas_beside_decimal_points_are_refused(tmp_path):
    assert refused("ID;TIME;AMT\n1;0;100,5\n1;2.5;0\n", tmp_path) == [
        (
            "t.csv: row 2",
            "'100,5' has a decimal comma, and row 3 a decimal point",
            "write every number in one way",
        )
    ]


def test_a_second_table_of_other_columns_is_refused(tmp_path):
    assert refused("TABLE NO. 1\nID TIME\n1 0\nTABLE NO. 2\nID DV\n1 0\n", tmp_path) == [
        ("t.csv: row 5", "begins a second table, of other columns", "give each table a file of its own")
    ]


def test_an_id_of_very_many_digits_is_an_id(tmp_path):
    assert seen(f"ID,TIME\n{'9' * 5000},0\n", tmp_path)["ID"].tolist() == ["9" * 5000]
    assert "is no month day year" in refused(f"ID,DATE,TIME\n1,{'9' * 5000}/1,0\n", tmp_path)[0][1]


def test_a_table_that_is_neither_a_file_nor_a_data_frame_is_told():
    with pytest.raises(ContentError, match="source is .*, not a text or a path or a data frame"):
        read_records({"ID": [1], "TIME": [0]}, MODEL, OWN)


def test_nul_bytes_are_told(tmp_path):
    assert refused("ID,TIME\n1,0\0\n", tmp_path) == [
        ("t.csv", "is not text: it holds NUL bytes", "save the table as CSV, in UTF-8")
    ]


def test_a_parquet_table_is_read_as_a_data_frame_is(tmp_path):
    frame = pd.DataFrame({"ID": [1, 1], "TIME": [0, 2.5], "EVID": [1, 0], "AMT": [100.5, None], "CMT": 2})
    frame.to_parquet(tmp_path / "t.parquet")
    a, b = (simulate_records(read_records(x, MODEL, OWN)) for x in (tmp_path / "t.parquet", frame))
    assert a.equals(b) and a["Cp"][1] == pytest.approx(5.025 * np.exp(-0.25), rel=1e-7)
    assert refused(b"PAR1, not at all", tmp_path, name="u.parquet")[0][1].startswith("is not a Parquet table")
    with pytest.raises(NotFound, match="cannot be read"):
        read_records(tmp_path / "none.parquet", MODEL, OWN)


# --- infusions too short for the clock ------------------------------------


@pytest.mark.parametrize("duration", [1e-300, 1e-12, 1e-9, 1e-7])
@pytest.mark.parametrize("begin", [0.0, 1e3, 1e6])
@pytest.mark.parametrize("steady", [{}, {"SS": 1, "II": 8, "ADDL": 2}], ids=["once", "steady"])
def test_an_infusion_too_short_for_the_clock_is_a_bolus_and_never_nothing(duration, begin, steady):
    rows = pd.DataFrame(
        [
            {"ID": 1, "TIME": begin, "AMT": 100, "CMT": 2, "DUR": duration, **steady},
            *({"ID": 1, "TIME": begin + t, "AMT": 0, "CMT": 2} for t in (1.0, 9.0, 20.0)),
        ]
    ).fillna(0)
    short, bolus = (
        simulate_records(read_records(rows.assign(DUR=rows["DUR"] * f), MODEL, OWN), rtol=1e-11)["Cp"][1:]
        for f in (1, 0)
    )
    assert short.tolist() == pytest.approx(bolus.tolist(), rel=1e-6 if begin else 2e-8)


# --- what is carried to the results ---------------------------------------

TOLD = "ID,TIME,EVID,AMT,CMT,DV,WT,ARM\n1,0,1,100,2,.,70,a\n1,4,0,0,2,3.5,NA,b\n"


def test_columns_inputs_and_covariates_are_carried_to_the_results_on_request(tmp_path):
    records = read(TOLD, tmp_path, parameters=WEIGHED)
    table = simulate_records(records, carry=["AMT", "DV", "EVID", "WT", "CL", "ARM", "ID", "TIME", "Cp"])
    assert list(table.columns) == [
        "ID",
        "TIME",
        "depot",
        "central",
        "Cp",
        "AMT",
        "DV",
        "EVID",
        "WT",
        "CL",
        "ARM",
        "FAILED",
    ]
    assert (
        table["AMT"].tolist() == [100, 0]
        and table["EVID"].tolist() == [1, 0]
        and table["ARM"].tolist() == ["a", "b"]
    )
    assert np.isnan(table["DV"][0]) and table["DV"][1] == 3.5 and table["WT"].tolist() == [70, 70]
    assert (
        table["CL"].tolist() == [2, 2]
        and table.attrs["units"]["CL"] == "L/hour"
        and table.attrs["units"]["WT"] == "kg"
    )
    assert list(simulate_records(records).columns) == ["ID", "TIME", "depot", "central", "Cp", "FAILED"]
    assert simulate_records(records, carry="EVID, DV").columns[-3:].tolist() == ["EVID", "DV", "FAILED"]


def test_a_name_that_nothing_carries_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(ContentError) as caught:
        simulate_records(read(TOLD, tmp_path), carry=["CLL", "ARN"])
    assert [(i.where, i.remedy) for i in caught.value.issues] == [
        ("carry: CLL", "did you mean 'CL'?"),
        ("carry: ARN", "did you mean 'ARM'?"),
    ]
    with pytest.raises(ContentError, match="carry: DV: is column 3 and column 4 of the table"):
        simulate_records(read("ID,TIME,DV,DV\n1,0,1,2\n", tmp_path), carry=["DV"])
    with pytest.raises(ContentError, match="carry: Cp: is a column of the table and one of the results"):
        simulate_records(read("ID,TIME,Cp\n1,0,1\n", tmp_path), carry=["Cp"])


def test_the_command_carries_columns_and_turns_covariates_backward(tmp_path, monkeypatch, capsys):
    (tmp_path / "one.toml").write_text(TEXT)
    (tmp_path / "v.toml").write_text(VALUES)
    (tmp_path / "t.csv").write_text("ID,TIME,AMT,CMT,CL,DV\n1,0,100,2,2,.\n1,5,0,2,4,1.5\n")
    monkeypatch.chdir(tmp_path)
    words = ("simulate", "./one.toml", "--data", "t.csv", "--parameters", "v.toml", "--out", "o.csv")
    more = ("--covariates", "backward", "--carry", "EVID,DV", "--carry", "CL")
    code, said, _ = command(*words, *more, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 0 and "carried as they are: EVID, DV\n" in said and "CL [L/hour]" in said
    table = pd.read_csv("o.csv")
    assert table.columns[-4:].tolist() == ["EVID", "DV", "CL", "FAILED"] and table["CL"].tolist() == [2, 4]
    assert table["Cp"][1] == pytest.approx(5 * np.exp(-4 / 20 * 5), rel=1e-6)
    code, _, said = command(
        "simulate", "./one.toml", "--carry", "DV", "--out", "p.csv", monkeypatch=monkeypatch, capsys=capsys
    )
    assert code == 2 and "--carry: goes with --data only" in said
