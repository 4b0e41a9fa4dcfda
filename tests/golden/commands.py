"""What commands print and write, as golden tables."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

from pkpd.commands import cli
from tests.golden.rows import Rows, paths, tabled

SHOWN = (
    "oxaliplatin",
    "oxaliplatin_yamada_2025",
    "patients_crc",
    "folfox4",
    "checkmate_142_combination",
    "immune",
    "neoadjuvant_cycles",
)
_LISTED = {
    "models": ("drugs/oxaliplatin", "systems/crlm"),
    "drugs": ("drugs/oxaliplatin", "drugs/cetuximab"),
    "parameters": ("crlm_resectable",),
    "regimens": ("folfox4",),
    "trials": ("eortc_40983",),
    "fits": ("immune",),
    "studies": ("platforms",),
}
_BAD = """[model]
title = "x"
time = "hour"
[parameters]
K = { unit = "1/hour" }
[compartments]
a = { unit = "mg" }
[flows]
out = { from = "a", rate = "KK * a" }
odd = { from = "b", rate = "K * a" }
"""
_RECORDS = """ID,TIME,AMT,RATE,EVID,CMT,ADDL,II,BSA
1,0,150,75,1,1,2,336,1.8
1,1,0,0,0,1,0,0,1.8
1,2,0,0,0,1,0,0,1.8
1,24,0,0,0,1,0,0,1.8
1,700,0,0,0,1,0,0,1.8
2,0,170,85,1,1,0,0,2.0
2,2,0,0,0,1,0,0,2.0
2,12,0,0,0,1,0,0,2.0
"""


def command(*args: str) -> str:
    """What a command prints on standard output; files named by a bare name are in an empty folder."""
    out = io.StringIO()
    said = contextlib.redirect_stderr(io.StringIO())
    with contextlib.redirect_stdout(out), said, patch.object(sys, "argv", ["pkpd", *args]):
        try:
            cli.main()
        except SystemExit as stop:
            if stop.code not in (0, None, 2):
                raise
    return out.getvalue()


@contextlib.contextmanager
def _empty_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        yield Path(folder)


def listed() -> Rows:
    """`pkpd list KIND --json`: what is told of some entries of each kind."""
    found: Rows = {}
    for kind, wanted in _LISTED.items():
        for row in json.loads(command("list", kind, "--json")):
            if row["name"] in wanted:
                found |= paths(row, f"{kind} | {row['name']}")
                found[f"{kind} | {row['name']}"]["keys"] = " ".join(row)
    return found


def shown(name: str) -> Rows:
    """`pkpd show NAME --json`."""
    return paths(json.loads(command("show", name, "--json")))


def checked() -> Rows:
    """`pkpd check --json` of a file with two faults."""
    with _empty_folder() as folder:
        (folder / "bad.toml").write_text(_BAD)
        found = json.loads(command("check", "bad.toml", "--json"))
    rows: Rows = {"issues": {"n": len(found)}}
    for i, row in enumerate(found, 1):
        rows[f"issue {i}"] = {"keys": " ".join(row), "where": row["where"], "what": row["what"]}
    return rows


def trial_told() -> Rows:
    """`pkpd trial NAME --json FILE`: the file."""
    with _empty_folder() as folder:
        name = "checkmate_142_combination"
        command("trial", name, "--fit", "none", "--patients", "20", "--json", "told.json")
        told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    rows = told.pop("figures")
    keys: dict[str, object] = {"top": " ".join(told), "figures": " ".join(rows[0])}
    return paths(told) | tabled(rows, "figures") | {"keys": keys}


def simulated() -> Rows:
    """`pkpd simulate`: the table of three patients."""
    return _written(
        "simulate",
        "crlm_folfox",
        "--regimen",
        "folfox4",
        "--cycles",
        "2",
        "--patients",
        "3",
        "--until",
        "20 day",
        "--every",
        "5 day",
        "--seed",
        "1",
    )


def recorded(*more: str) -> Rows:
    """`pkpd simulate --data`: the table of two patients' records."""
    return _written("simulate", "oxaliplatin", "--data", "records.csv", "--seed", "1", *more)


def _written(*args: str) -> Rows:
    with _empty_folder() as folder:
        (folder / "records.csv").write_text(_RECORDS)
        command(*args, "--out", "run.csv")
        rows = list(csv.DictReader(io.StringIO((folder / "run.csv").read_text(encoding="utf-8"))))
    return {f"row {i}": {k: _number(v) for k, v in row.items()} for i, row in enumerate(rows, 1)}


def _number(told: str) -> object:
    try:
        return float(told)
    except ValueError:
        return told
