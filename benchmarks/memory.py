"""Memory of `pkpd simulate` against the number of patients, each in a process of its own."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import table
from benchmarks.crew import ROOT

COLUMNS = {
    "patients": "patients",
    "peak_mb": "peak MB",
    "file_mb": "file MB",
    "seconds": "seconds",
    "patients_per_second": "patients/s",
}


def measured(patients: int, args: argparse.Namespace, folder: Path) -> table.Row:
    """One row: the peak resident memory of one simulation."""
    out = folder / f"{patients}.parquet"
    script = shutil.which("pkpd", path=str(Path(sys.executable).parent)) or "pkpd"
    command = [
        script,
        "simulate",
        args.system,
        "--regimen",
        args.regimen,
        "--cycles",
        str(args.cycles),
        "--patients",
        str(patients),
        "--until",
        args.until,
        "--every",
        args.every,
        "--out",
        str(out),
    ]
    begin = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begin
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    peak = usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    row: table.Row = {
        "patients": patients,
        "peak_mb": peak,
        "file_mb": out.stat().st_size / 1024**2,
        "seconds": seconds,
        "patients_per_second": patients / seconds,
    }
    out.unlink()
    return row


def main(argv: list[str] | None = None) -> list[table.Row]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--json", metavar="F", help="write the rows to this file")
    parser.add_argument("--patients", default="1000,10000,100000,1000000", help="numbers of patients")
    parser.add_argument("--system", default="crlm_folfox")
    parser.add_argument("--regimen", default="folfox4")
    parser.add_argument("--cycles", type=int, default=1)
    parser.add_argument("--until", default="2 week")
    parser.add_argument("--every", default="1 week")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        rows = [measured(n, args, Path(name)) for n in map(int, args.patients.split(","))]
    about = f"{args.system}, {args.cycles} cycle of {args.regimen}, {args.until}, every {args.every}"
    table.show(f"Peak memory of one simulation: {about} ({table.machine()})", rows, COLUMNS)
    table.write(args.json, rows)
    return rows


if __name__ == "__main__":
    main()
