"""Compile time with an empty cache, load-to-first-step in a later process, and the time of `import pkpd`."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import table
from benchmarks.crew import ROOT
from benchmarks.problem import model_text, problem

PATIENTS = 8
COLUMNS = {
    "states": "states",
    "cache": "cache",
    "import_pkpd": "import pkpd",
    "imports": "other imports",
    "load": "load model",
    "first_step": "to first step",
    "load_to_first_step": "load to first step",
    "heavy": "sympy, pint",
}


def saved(lesions: int, folder: Path) -> tuple[Path, Path]:
    """A model file and the arrays of a few patients over one hour, for the other process."""
    some = problem(PATIENTS, lesions)
    model, arrays = folder / f"reference_{lesions}.toml", folder / f"patients_{lesions}.npz"
    model.write_text(model_text(lesions), encoding="utf-8")
    s = some.schedule
    np.savez(
        arrays,
        start=some.start,
        inputs=some.inputs,
        begin=some.begin,
        offsets=s.offsets,
        time=s.time,
        kind=s.kind,
        index=s.index,
        value=s.value,
        times=np.tile([0.0, 1.0], (PATIENTS, 1)),
    )
    return model, arrays


def measured(lesions: int, cache: str, repeats: int, folder: Path, files: tuple[Path, Path]) -> table.Row:
    """Stages of fresh processes, the median of each, in seconds; a cold one has a cache folder of its own."""
    runs = []
    for k in range(repeats):
        own = folder / (f"cold_{lesions}_{k}" if cache == "empty" else f"cold_{lesions}_0")
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.first_step", *map(str, files)],
            cwd=ROOT,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            env={**os.environ, "PKPD_CACHE": str(own)},
        )
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    row: table.Row = {k: statistics.median(r[k] for r in runs) for k in ("import_pkpd", "imports", "load")}
    # what solving costs once the code is there is no part of getting there
    row["first_step"] = statistics.median(r["solve"] - r["solve_again"] for r in runs)
    row["load_to_first_step"] = statistics.median(r["load"] + r["solve"] - r["solve_again"] for r in runs)
    return {
        "states": 15 + 11 * lesions,
        "cache": cache,
        "repeats": repeats,
        **row,
        "heavy": ", ".join(runs[-1]["heavy"]) or "not loaded",
    }


def main(argv: list[str] | None = None) -> list[table.Row]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compiling", description=__doc__)
    parser.add_argument("--json", metavar="F", help="write the rows to this file")
    parser.add_argument("--cold", type=int, default=2, help="processes with an empty cache")
    parser.add_argument("--warm", type=int, default=5, help="processes with a filled one")
    args = parser.parse_args(argv)
    rows: list[table.Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for lesions in (1, 4):
            files = saved(lesions, folder)
            rows += [
                measured(lesions, "empty", args.cold, folder, files),
                measured(lesions, "filled", args.warm, folder, files),
            ]
    table.show(f"Seconds to the first step, in a fresh process ({table.machine()})", rows, COLUMNS)
    table.write(args.json, rows)
    return rows


if __name__ == "__main__":
    main()
