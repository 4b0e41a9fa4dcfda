"""Every door that an input comes in by, each as a function of a random number generator that damages one and
reads it.
"""

from __future__ import annotations

import io
import random
import re
import tomllib
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import tomli_w

from pkpd.content import library
from tests.mutated.mutations import Change, changed, damaged, outcome
from tests.mutated.typed import command

Told = tuple[str, Change | bytes | list[str]]
Reader = Callable[[random.Random, Path], Told]
ONE = """[model]
title = "One compartment, oral"
time = "hour"
[parameters]
CL = { unit = "L/hour" }
V = { unit = "L" }
KA = { unit = "1/hour" }
[compartments]
depot = { unit = "mg", dose = true }
central = { unit = "mg", dose = true }
[variables]
Cc = { unit = "mg/L", is = "central / V" }
[flows]
absorption = { from = "depot", to = "central", rate = "KA * depot" }
elimination = { from = "central", rate = "CL * Cc" }
"""
VALUES = """[parameters]
model = "one"
title = "values"
[values]
CL = { value = 2, unit = "L/hour", spread = { law = "lognormal", cv = 0.3 } }
V = { value = 20, unit = "L", effect = { is = "WT / 70", reference = { WT = 70 } } }
[values.KA]
value = 1.5
unit = "1/hour"
spread = { law = "lognormal", sd = 0.2, mixture = { factors = [1, 2], weights = [0.5, 0.5] } }
[covariates]
WT = { value = 70, unit = "kg", spread = { law = "normal", sd = 10, low = 40, high = 120 } }
SEX = { value = 0.4, unit = "1", spread = { law = "bernoulli" } }
[[correlations]]
of = ["CL", "KA"]
r = 0.3
"""
TABLE = b"""ID,TIME,EVID,AMT,CMT,RATE,II,ADDL,SS,DV,WT
1,0,1,100,1,0,12,2,0,.,70
1,2,0,.,2,.,.,.,.,3.1,70
1,30,4,50,2,25,0,0,0,.,72
1,36,0,.,2,.,.,.,.,1.2,72
2,0,1,100,2,0,6,0,1,.,80
2,5.5,0,.,2,.,.,.,.,2.2,80
3,0,1,20,2,0,0,0,0,.,65
"""


def written(tables: dict, raw: bytes, path: Path, rng: random.Random) -> tuple[bool, Change | bytes]:
    """Tables in a file, damaged as tables or as bytes; whether TOML can hold them at all, and the damage."""
    if rng.random() < 0.7:
        mine, change = changed(tables, rng)
        try:
            path.write_text(tomli_w.dumps(mine), encoding="utf-8")
        except (TypeError, ValueError, AttributeError, RecursionError):
            return False, change
        return True, change
    spoilt = damaged(raw, rng)
    path.write_bytes(spoilt)
    return True, spoilt


def content(kind: str, *names: str) -> Reader:
    """A content file of the library, damaged in its tables or in its bytes, and checked as a user's own."""

    def read(rng: random.Random, folder: Path) -> Told:
        from pkpd.commands.show import check

        source, path = library.read(kind, rng.choice(names)), folder / f"{kind}.toml"
        held, change = written(source.data, Path(source.path).read_bytes(), path, rng)
        found: list = []
        told = outcome(lambda: found.extend(check([str(path)])[0])) if held else "refused"
        return ("refused" if told == "accepted" and found else told), change

    return read


def own_model(rng: random.Random, folder: Path) -> Told:
    """A small model, damaged and composed, with its equations and their Jacobian."""
    from pkpd import load_model
    from pkpd.model.symbolic import Equations

    held, change = written(tomllib.loads(ONE), ONE.encode(), folder / "one.toml", rng)
    return outcome(lambda: Equations(load_model(folder / "one.toml")).jacobian) if held else "refused", change


def own_values(rng: random.Random, folder: Path) -> Told:
    """Values, spreads and covariates of a small model, damaged; patients are drawn, and all that they have is
    finite.
    """
    from pkpd import draw, load_parameters, parse_model, typical

    held, change = written(tomllib.loads(VALUES), VALUES.encode(), folder / "values.toml", rng)

    def read() -> None:
        model = parse_model(ONE, "one")
        own = load_parameters(folder / "values.toml", model)
        with np.errstate(all="raise", under="ignore"):
            assert all(
                np.isfinite(p.inputs).all() for p in (draw(model, own, 5, seed=1), typical(model, own))
            )

    return outcome(read) if held else "refused", change


def _one(folder: Path) -> tuple:
    from pkpd import load_parameters, parse_model

    (folder / "values.toml").write_text(VALUES)
    model = parse_model(ONE, "one")
    return model, load_parameters(folder / "values.toml", model)


CELLS = [
    "",
    ".",
    "NA",
    "-99",
    "x",
    "1e308",
    "-1e308",
    "-1",
    "-2",
    "0",
    "1",
    "2",
    "3",
    "9",
    "1e-320",
    "nan",
    "inf",
    "1,5",
    "#",
    "@",
    "C",
    "ID",
    "TIME",
    "EVID",
    "AMT",
    "DATE",
    "RATE",
    "C,ID",
    "12:30",
    "1/1/24",
    '"',
    "'",
    "1e12",
    "0.5",
    "central",
    "é",
    "²",
    "\0",
    "\ufeff",
    "x" * 5000,
    "TABLE NO. 1",
    "1e999999999",
    "9" * 5000,
    "0x1F",
    "1_0",
    "\t",
    ";",
    "\n",
    "\r",
    " ",
    "\udcff",
]


def _run_records(path: Path, folder: Path, rng: random.Random) -> str:
    from pkpd import read_records, simulate_records

    model, own = _one(folder)
    way = rng.choice(["forward", "backward"])
    return outcome(lambda: simulate_records(read_records(path, model, own, covariates=way), strict=False))


def records(rng: random.Random, folder: Path) -> Told:
    """A table of records, damaged in some cells, in how cells are separated, or in its bytes;
    read and run.
    """
    raw = TABLE
    if rng.random() < 0.7:
        tokens = re.split(r"([,\n])", TABLE.decode())  # cells, and between them what separates them
        for _ in range(rng.choice([1, 1, 2, 3])):
            at = 2 * rng.randrange(len(tokens) // 2) + int(rng.random() < 0.1)
            tokens[at] = rng.choice(CELLS)
        mark = rng.choice([",", ",", ",", ";", "\t", "  "])
        raw = "".join(mark if t == "," else t for t in tokens).encode("utf-8", "surrogateescape")
    else:
        raw = damaged(raw, rng)
    (folder / "records.csv").write_bytes(raw)
    return _run_records(folder / "records.csv", folder, rng), raw


def parquet(rng: random.Random, folder: Path) -> Told:
    """A Parquet table of records, damaged in a cell, in a column's type or in its bytes; read and run."""
    frame, path = pd.read_csv(io.BytesIO(TABLE), na_values="."), folder / "records.parquet"
    if rng.random() < 0.7:
        for _ in range(rng.choice([1, 1, 2])):
            name = rng.choice(list(frame.columns))
            frame[name] = _spoilt(frame[name], rng)
        try:
            frame.to_parquet(path)
        except (pa.ArrowException, TypeError, ValueError):
            return "refused", frame.to_csv().encode("utf-8", "replace")  # nothing that Parquet can hold
        return _run_records(path, folder, rng), frame.to_csv().encode("utf-8", "replace")
    frame.to_parquet(path)
    raw = damaged(path.read_bytes(), rng)
    path.write_bytes(raw)
    return _run_records(path, folder, rng), raw


def _spoilt(column: pd.Series, rng: random.Random) -> pd.Series:
    """A column with one cell replaced, or all of it of another type."""
    n = len(column)
    kinds: list = [
        [True, False],
        ["a", None],
        [b"x", b""],
        [[1], [2]],
        [1e308, -1e308],
        [float("inf"), 0.0],
        [{"a": 1}, None],
        pd.to_datetime(["2024-01-01", None]),
        pd.to_timedelta([1, 2], "h"),
        pd.Categorical(["x", "y"]),
        [None, None],
        [2**63 - 1, -(2**63)],
        [Decimal("1.5"), None],
        [date(2024, 1, 1), None],
    ]
    if rng.random() < 0.3:
        return pd.Series([v for v in rng.choice(kinds) for _ in range(n)][:n])
    cells = list(column) if rng.random() < 0.5 else [str(v) for v in column]
    cells[rng.randrange(n)] = rng.choice(
        [*CELLS, None, 1e308, -1.0, 0.5, float("nan"), float("inf"), 10**12, -99]
    )
    if not isinstance(cells[0], str) and any(isinstance(c, str) for c in cells):
        cells = [None if v is None else str(v) for v in cells]
    return pd.Series(cells)


READERS: dict[str, Reader] = {
    "model": content("model", "drugs/cetuximab"),
    "system": content("model", "systems/crlm_folfox"),
    "parameters": content("parameters", "fluorouracil_terret_2000"),
    "patients": content("parameters", "patients_crc"),
    "context": content("parameters", "context_pretreated"),
    "regimen": content("regimen", "folfox4"),
    "regimen of courses": content("regimen", "folfox4_cetuximab_weekly"),
    "regimen with rules": content("regimen", "mfolfox6_neutrophil_rules"),
    "trial around an operation": content("trial", "eortc_40983"),
    "trial followed by scans": content("trial", "keynote_177"),
    "fit": content("fit", "eortc_40983"),
    "result": content("result", "eortc_40983"),
    "exposures": content("exposures", "exposures"),
    **{f"study {name}": content("study", name) for name in library.names("study")},
    "any model": content("model", *library.names("model")),
    "any parameters": content("parameters", *library.names("parameters")),
    "any regimen": content("regimen", *library.names("regimen")),
    "any trial": content("trial", *library.names("trial")),
    "own model": own_model,
    "own values": own_values,
    "records": records,
    "records in Parquet": parquet,
    "command line": command,
}
