"""A simulation written block by block: the same numbers for any block, memory that does not grow, whole files
or none.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pkpd import (
    Crowd,
    cycles,
    draw,
    load_model,
    load_parameters,
    load_regimen,
    lower,
    simulate,
    simulate_to_file,
)
from pkpd.errors import ContentError, OutputError
from pkpd.machine.tables import table_writer
from pkpd.simulation import simulation

EXPLOSION = """[model]
title = "A state that becomes infinite at 1/K"
time = "day"
[parameters]
K = { unit = "1/day" }
[compartments]
y = { unit = "1", start = 1 }
[flows]
growth = { to = "y", rate = "K * y**2" }
"""
SPREAD = """[parameters]
model = "explosion.toml"
[values]
K = { value = 0.25, unit = "1/day", spread = { law = "lognormal", sd = 1.0 } }
"""


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    model = load_model("crlm_folfox")
    return Crowd(
        model, load_parameters((), model), tuple(np.arange(0.0, 8.0)), load_regimen("folfox4"), 1, seed=3
    )


@pytest.fixture
def explosive(tmp_path, monkeypatch) -> Crowd:
    """About half of the patients cannot be solved to the end."""
    monkeypatch.chdir(tmp_path)
    Path("explosion.toml").write_text(EXPLOSION)
    Path("values.toml").write_text(SPREAD)
    model = load_model("explosion.toml")
    return Crowd(model, load_parameters("values.toml", model), (0.0, 0.01, 4.0), seed=1)


def blocks_of(patients: int, crowd: Crowd, monkeypatch) -> None:
    numbers = len(crowd.times) * (len(crowd.model.states) + len(crowd.model.variables) + 3) + 4 * len(
        crowd.model.inputs
    )
    monkeypatch.setattr("pkpd.simulation.streaming._BLOCK", patients * numbers)
    assert crowd.block == patients


@pytest.mark.parametrize("size", [1, 7, 16, 40])
def test_the_numbers_of_a_patient_are_those_of_any_block(crowd, size, tmp_path, monkeypatch):
    blocks_of(100, crowd, monkeypatch)
    whole = pq.read_table(simulate_to_file(crowd, 23, tmp_path / "whole.parquet").path)
    blocks_of(size, crowd, monkeypatch)
    file = pq.ParquetFile(simulate_to_file(crowd, 23, tmp_path / "parts.parquet").path)
    assert file.num_row_groups == -(-23 // size)
    assert file.read().equals(whole)


def test_the_file_holds_the_simulation(crowd, tmp_path, monkeypatch):
    blocks_of(4, crowd, monkeypatch)
    written = simulate_to_file(crowd, 10, tmp_path / "a.parquet")
    people = draw(crowd.model, crowd.parameters, 10, seed=3)
    doses = lower(crowd.regimen, crowd.model, people, cycles(crowd.regimen, crowd.model, 1))
    frame = simulate(crowd.model, people, doses, crowd.times).to_frame()
    table = pq.read_table(written.path)
    assert table.column_names == [*frame.columns, "FAILED"] and written.rows == table.num_rows == 80
    for name in frame.columns:
        assert np.array_equal(table[name].to_numpy(), frame[name].to_numpy()), name
        assert table.schema.field(name).metadata == {b"unit": frame.attrs["units"][name].encode()}
    assert table["FAILED"].null_count == 80


def test_csv_and_parquet_hold_the_same_numbers(crowd, tmp_path, monkeypatch):
    blocks_of(4, crowd, monkeypatch)
    one = pd.read_parquet(simulate_to_file(crowd, 10, tmp_path / "a.parquet").path).drop(columns="FAILED")
    two = pd.read_csv(
        simulate_to_file(crowd, 10, tmp_path / "a.csv").path, float_precision="round_trip"
    ).drop(columns="FAILED")
    pd.testing.assert_frame_equal(one, two, check_exact=True, check_dtype=False)


def test_a_long_simulation_tells_how_far_it_is(crowd, tmp_path, monkeypatch):
    blocks_of(4, crowd, monkeypatch)
    told = []
    simulate_to_file(crowd, 10, tmp_path / "a.csv", tell=lambda *x: told.append(x))
    assert told == [("simulating", 4, 10), ("simulating", 8, 10), ("simulating", 10, 10)]


def test_a_patient_that_fails_is_named_in_the_file_and_the_others_are_as_without_it(
    explosive, tmp_path, monkeypatch
):
    blocks_of(7, explosive, monkeypatch)
    written = simulate_to_file(explosive, 60, tmp_path / "a.parquet")
    rows = pd.read_parquet(written.path)
    failed, solved = rows[rows["FAILED"].notna()], rows[rows["FAILED"].isna()]
    rates = draw(explosive.model, explosive.parameters, 60, seed=1)["K"]
    assert set(failed["ID"]) == set(np.flatnonzero(rates > 0.25) + 1)  # 1/K before the last time, 4
    assert written.failed == len(failed) / 3 and 20 < written.failed < 45
    assert solved["y"].notna().all() and failed.groupby("ID")["y"].nth(-1).isna().all()
    assert (
        written.failures
        == tuple(
            f"patient {i}, {text}" for i, text in zip(failed["ID"][::3], failed["FAILED"][::3], strict=True)
        )[:20]
    )
    assert failed["FAILED"].iloc[0].startswith("day ")
    csv = pd.read_csv(simulate_to_file(explosive, 60, tmp_path / "a.csv").path)
    assert csv["FAILED"].fillna("").tolist() == rows["FAILED"].fillna("").tolist()


def test_the_command_names_the_first_patients_that_fail_and_counts_the_rest(explosive, monkeypatch, capsys):
    from pkpd.commands import cli

    monkeypatch.setattr(
        sys,
        "argv",
        [
            "pkpd",
            "simulate",
            "explosion.toml",
            "--parameters",
            "values.toml",
            "--patients",
            "60",
            "--seed",
            "1",
            "--until",
            "4 day",
            "--out",
            "a.csv",
        ],
    )
    with pytest.raises(SystemExit) as caught:
        cli.main()
    out = capsys.readouterr().out
    failed = len({line.split(",")[0] for line in Path("a.csv").read_text().splitlines() if '"day ' in line})
    assert not caught.value.code and out.count("failed and kept, its later rows empty: patient ") == 5
    assert f"… and {failed - 5} more of 60 patients, named in the column FAILED" in out


# --- what is written ----------------------------------------------------


def test_columns_that_are_asked_for_are_written_in_their_order_and_no_others(crowd, tmp_path):
    names = ("oxaliplatin.Cc", "oxaliplatin.central", "oxaliplatin.CL", "BSA")
    written = simulate_to_file(crowd, 5, tmp_path / "a.parquet", columns=names)
    table = pq.read_table(written.path)
    assert table.column_names == ["ID", "TIME", *names, "FAILED"] and list(written.units) == [
        "ID",
        "TIME",
        *names,
    ]
    assert [table.schema.field(n).metadata[b"unit"] for n in names] == [b"mg/L", b"mg", b"L/hour", b"m^2"]
    whole = pd.read_parquet(simulate_to_file(crowd, 5, tmp_path / "whole.parquet").path)
    for name in names[:2]:
        assert np.array_equal(table[name].to_numpy(), whole[name].to_numpy())
    people = draw(crowd.model, crowd.parameters, 5, seed=3)
    for name in names[2:]:
        assert np.array_equal(table[name].to_numpy(), np.repeat(people[name], 8))


def test_only_what_the_columns_need_is_computed(crowd, tmp_path, monkeypatch):
    seen = []
    once = simulation.evaluated
    monkeypatch.setattr(
        simulation, "evaluated", lambda model, names, *x: seen.append([*names]) or once(model, names, *x)
    )
    simulate_to_file(crowd, 2, tmp_path / "a.csv", columns=["oxaliplatin.Cc", "BSA"])
    assert seen == [["oxaliplatin.Cc"]]


def test_columns_that_are_always_there_may_be_named_and_a_name_twice_is_one_column(crowd, tmp_path):
    written = simulate_to_file(crowd, 2, tmp_path / "a.csv", columns=["TIME", "BSA", "ID", "BSA", "FAILED"])
    assert written.path.read_text().splitlines()[0] == "ID,TIME,BSA,FAILED"


def test_an_unknown_column_is_refused_with_the_nearest_before_any_work(crowd, tmp_path):
    with pytest.raises(ContentError) as caught:
        simulate_to_file(crowd, 2, tmp_path / "a.csv", columns=["oxaliplatin.Cx", "", "BSA"])
    first, *_ = str(caught.value).split("\n    remedy: ")
    assert first == "columns: systems/crlm_folfox has no 'oxaliplatin.Cx'"
    assert "did you mean 'oxaliplatin.Cc'" in str(caught.value)
    assert "columns: systems/crlm_folfox has no ''" in str(caught.value) and os.listdir(tmp_path) == []


def test_the_command_writes_the_columns_asked_for(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pkpd.commands.cli",
            "simulate",
            "oxaliplatin",
            "--patients",
            "2",
            "--until",
            "2 hour",
            "--every",
            "1 hour",
            "--columns",
            "Cc, CL",
            "--out",
            "a.csv",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.csv").read_text().splitlines()[0] == "ID,TIME,Cc,CL,FAILED"


def test_real_numbers_are_held_by_their_bytes_and_what_repeats_is_held_once(crowd, tmp_path):
    file = pq.ParquetFile(simulate_to_file(crowd, 9, tmp_path / "a.parquet").path)
    group = file.metadata.row_group(0)
    held = {group.column(i).path_in_schema: set(group.column(i).encodings) for i in range(group.num_columns)}
    few = {n for n, e in held.items() if "RLE_DICTIONARY" in e}
    assert few == {"ID", "TIME", "FAILED"} and all(
        "BYTE_STREAM_SPLIT" in e for n, e in held.items() if n not in few
    )


# --- how much -----------------------------------------------------------


@pytest.mark.parametrize("wrong", [0, -1, 10**11])
def test_a_number_of_patients_that_is_none_is_refused(crowd, tmp_path, wrong):
    with pytest.raises(ContentError) as caught:
        simulate_to_file(crowd, wrong, tmp_path / "a.csv")
    assert str(caught.value) == (
        f"patients: {wrong!r} is not a number of patients\n"
        "    remedy: give a whole number from 1 to 1,000,000,000"
    )


def test_a_file_that_the_disk_has_no_room_for_is_refused_after_the_first_block(crowd, tmp_path, monkeypatch):
    """A billion patients: no list of them is made, and one block tells the size of all."""
    blocks_of(4, crowd, monkeypatch)
    monkeypatch.setattr(
        "pkpd.simulation.streaming.shutil.disk_usage",
        lambda folder: shutil._ntuple_diskusage(0, 0, 3 * 10**9),
    )
    with pytest.raises(OutputError) as caught:
        simulate_to_file(crowd, 10**9, tmp_path / "a.csv", tell=lambda *_: pytest.fail("went on"))
    told = re.fullmatch(
        r".*a\.csv: would take about ([\d,.]+) GB, and 3\.0 GB are free\n    remedy: fewer patients or "
        r"times, "
        r"a few columns only \(columns\), or another disk",
        str(caught.value),
    )
    assert told and 1000 < float(told[1].replace(",", "")) < 20_000 and os.listdir(tmp_path) == []


# --- whole files or none ----------------------------------------------


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_run_that_breaks_off_leaves_the_old_file_and_nothing_else(
    crowd, tmp_path, monkeypatch, name, error
):
    blocks_of(4, crowd, monkeypatch)
    (tmp_path / name).write_text("old")

    def stop(what, done, of):
        raise error

    with pytest.raises(error):
        simulate_to_file(crowd, 10, tmp_path / name, tell=stop)
    assert os.listdir(tmp_path) == [name] and (tmp_path / name).read_text() == "old"


def test_a_run_that_is_stopped_from_outside_leaves_nothing(tmp_path):
    code = (
        "import contextlib, os, signal, sys, pkpd.commands.cli, pkpd.simulation.streaming\n"
        "pkpd.simulation.streaming._BLOCK = 100\n"
        "pkpd.commands.cli.progress = lambda *_: contextlib.nullcontext(lambda *_: os.kill(os.getpid(), "
        "signal.SIGTERM))\n"
        "sys.argv = ['pkpd', 'simulate', 'oxaliplatin', '--patients', '90', '--until', '2 day', '--out', "
        "'a.parquet']\n"
        "pkpd.commands.cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and "interrupted; no half-written file was left" in done.stderr, done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_disk_that_is_full_is_told_and_leaves_nothing(tmp_path, name):
    code = (
        "import resource, numpy as np\nfrom pathlib import Path\nfrom pkpd.errors import OutputError\n"
        "from pkpd.machine.tables import table_writer\nresource.setrlimit(resource.RLIMIT_FSIZE, (20_000, "
        "20_000))\n"
        f"try:\n    with table_writer(Path({name!r}), {{}}) as write:\n        for _ in range(9):\n"
        "            write({'x': np.random.default_rng(0).random(1000)})\n"
        "except OutputError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (
        done.stdout.startswith(f"{name}: cannot be written (")
        and done.stderr == ""
        and os.listdir(tmp_path) == []
    )


@pytest.mark.parametrize("name", ["a.txt", "a", "a.parquet.gz"])
def test_a_file_of_another_kind_is_refused_before_any_work(crowd, tmp_path, name):
    with pytest.raises(ContentError, match="is neither .csv nor .parquet"):
        simulate_to_file(crowd, 10, tmp_path / name)


def test_a_folder_that_is_not_there_is_told_before_any_work(crowd, tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        simulate_to_file(crowd, 10, tmp_path / "none" / "a.csv")


def test_what_is_missing_is_empty_in_both_kinds_of_table(tmp_path):
    for name in ("a.csv", "a.parquet"):
        with table_writer(tmp_path / name, {"x": "mg"}) as write:
            write({"x": np.array([1.5, np.nan]), "y": np.array(["a", None], dtype=object)})
    assert (tmp_path / "a.csv").read_text() == 'x,y\n1.5,"a"\n,\n'
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.to_pydict() == {"x": [1.5, None], "y": ["a", None]} and table.schema.field("x").metadata == {
        b"unit": b"mg"
    }


# --- memory -----------------------------------------------------------


def peak(patients: int, folder: Path) -> float:
    """The peak memory (MB) of a process that simulates this many patients in small blocks."""
    code = (
        "import resource, pkpd, pkpd.simulation.streaming\npkpd.simulation.streaming._BLOCK = 50_000\n"
        "model = pkpd.load_model('oxaliplatin')\ntimes = tuple(map(float, range(41)))\n"
        f"pkpd.simulate_to_file(pkpd.Crowd(model, pkpd.load_parameters((), model), times), {patients}, "
        f"'a.parquet')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    return float(
        subprocess.run(
            [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
        ).stdout
    )


def test_memory_does_not_grow_with_the_patients(tmp_path):
    """Ten times the patients, whose rows alone are 39 MB, in the memory of a few blocks of 0.4 MB."""
    assert peak(20_000, tmp_path) - peak(2_000, tmp_path) < 12


def test_a_crowd_is_plain_data_that_says_its_block(crowd):
    assert replace(crowd, times=crowd.times * 2).block < crowd.block
