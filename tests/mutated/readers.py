"""Every door that an input comes in by, each as a function of a random number generator that damages one and reads it."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Callable
from pathlib import Path

import tomli_w

from pkpd import library
from tests.mutated.mutations import Change, changed, damaged, outcome

Told = tuple[str, Change | bytes | list[str]]
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
KA = { value = 1.5, unit = "1/hour" }
[covariates]
WT = { value = 70, unit = "kg" }
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


def content(kind: str, name: str) -> Callable[[random.Random, Path], Told]:
    """A content file of the library, damaged in its tables or in its bytes, and checked as a user's own."""
    source = library.read(kind, name)
    raw = Path(source.path).read_bytes()

    def read(rng: random.Random, folder: Path) -> Told:
        from pkpd.catalogue import check

        path = folder / f"{kind}.toml"
        change: Change | bytes
        if rng.random() < 0.7:
            tables, change = changed(library.read(kind, name).data, rng)
            try:
                path.write_text(tomli_w.dumps(tables), encoding="utf-8")
            except (TypeError, ValueError, AttributeError):
                return "refused", change  # nothing that TOML can hold
        else:
            change = damaged(raw, rng)
            path.write_bytes(change)
        found: list = []
        told = outcome(lambda: found.extend(check([str(path)])[0]))
        return ("refused" if told == "accepted" and found else told), change

    return read


def _one(folder: Path) -> tuple:
    from pkpd import load_parameters, parse_model

    (folder / "values.toml").write_text(VALUES)
    model = parse_model(ONE, "one")
    return model, load_parameters(folder / "values.toml", model)


def records(rng: random.Random, folder: Path) -> Told:
    """A table of records, damaged in a cell or in its bytes, read and run."""
    from pkpd import read_records, simulate_records

    model, own = _one(folder)
    raw = TABLE
    if rng.random() < 0.6:
        lines = [line.split(b",") for line in raw.strip().split(b"\n")]
        row = rng.choice(lines)
        row[rng.randrange(len(row))] = rng.choice([b"", b".", b"NA", b"-99", b"x", b"1e308", b"-1", b"0", b"3", b"1e-320", b"nan",
                                                   b"inf", b"1,5", b"#", b"C", b"12:30", b'"', b"1e12", b"0.5", b"AMT", b"\xff"])
        raw = b"\n".join(b",".join(line) for line in lines)
    else:
        raw = damaged(raw, rng)
    (folder / "records.csv").write_bytes(raw)
    return outcome(lambda: simulate_records(read_records(folder / "records.csv", model, own), strict=False)), raw


def command(rng: random.Random, folder: Path) -> Told:
    """A command line of known and odd words; none that computes for long."""
    from pkpd import cli

    words = [
        "list", "show", "check", "simulate", "trial", "fit", "study", "--json", "--out", "-", "--until", "--seed", "--fit",
        "none", "--patients", "1e11", "-1", "0", "drugs/oxaliplatin", "oxaliplatin", "folfox4", "--regimen", "--cycles",
        "--every", "1 day", "--parameters", "--data", "--typical", "--diagram", "--exposure", "nothing", "", "é", "\udc80",
        "a\x00b", "/dev/null/x", ".", "x" * 5000, str(folder / "o.csv"), str(folder / "o.svg"), "--cluster",
        "tcp://127.0.0.1:1", "--help", "--version", "--resume"]
    args = [rng.choice(words[:5]), *(rng.choice(words) for _ in range(rng.randrange(6)))]
    if args[0] in ("simulate", "trial"):
        args += ["--patients", "x"]  # refused at the last: only words are tried here
    quiet = io.StringIO()

    def run() -> None:
        import sys

        before, sys.argv = sys.argv, ["pkpd", *args]
        try:
            with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet), contextlib.chdir(folder):
                cli.main()
        except SystemExit as stop:
            assert stop.code in (0, 2), f"exit {stop.code}"
        finally:
            sys.argv = before

    return outcome(run), args


READERS: dict[str, Callable[[random.Random, Path], Told]] = {
    "model": content("model", "drugs/cetuximab"), "system": content("model", "systems/crlm_folfox"),
    "parameters": content("parameters", "fluorouracil_terret_2000"), "patients": content("parameters", "patients_crc"),
    "context": content("parameters", "context_pretreated"), "regimen": content("regimen", "folfox4"),
    "regimen of courses": content("regimen", "folfox4_cetuximab_weekly"),
    "regimen with rules": content("regimen", "mfolfox6_neutrophil_rules"),
    "trial around an operation": content("trial", "eortc_40983"), "trial followed by scans": content("trial", "keynote_177"),
    "fit": content("fit", "eortc_40983"), "result": content("result", "eortc_40983"),
    "exposures": content("exposures", "exposures"),
    **{f"study {name}": content("study", name) for name in library.names("study")},
    "records": records, "command line": command,
}
