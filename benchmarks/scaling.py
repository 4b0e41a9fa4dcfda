"""What our engine costs against patients, states and doses."""

from __future__ import annotations

import argparse
import time

from benchmarks import table
from benchmarks.problem import Problem, problem
from pkpd.machine.executor import workers

COLUMNS = {
    "against": "against",
    "states": "states",
    "patients": "patients",
    "doses": "doses",
    "weeks": "weeks",
    "seconds": "seconds",
    "patients_per_second": "patients/s",
    "ms_per_patient": "ms a patient",
}
WEEK = 168.0


def timed(against: str, some: Problem, doses: int, rtol: float) -> table.Row:
    """One row: the faster of two runs, after a first one of a few patients."""
    from pkpd.solve.batch import solve_population

    def solve(part: Problem) -> float:
        begin = time.perf_counter()
        result = solve_population(
            part.model, part.start, part.inputs, part.schedule, part.times, part.begin, rtol
        )
        spent = time.perf_counter() - begin
        if result[1].any():
            raise SystemExit(f"{int((result[1] != 0).sum())} patients were not solved")
        return spent

    solve(some.take(range(min(16, len(some)))))
    seconds, n = min(solve(some) for _ in range(2)), len(some)
    return {
        "against": against,
        "states": some.start.shape[1],
        "patients": n,
        "doses": doses,
        "weeks": float(some.times[0, -1] / WEEK),
        "seconds": seconds,
        "patients_per_second": n / seconds,
        "ms_per_patient": 1e3 * seconds / n,
    }


def count(some: Problem) -> int:
    """Boluses and infusions of one patient within the time simulated."""
    own = some.schedule
    rows = slice(own.offsets[0], own.offsets[1])
    return int(((own.value[rows] > 0) & (own.time[rows] < some.times[0, -1])).sum())


def main(argv: list[str] | None = None) -> list[table.Row]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--json", metavar="F", help="write the rows to this file")
    parser.add_argument("--patients", default="100,1000,10000,100000", help="numbers of patients")
    parser.add_argument(
        "--doses", default="0,1,2,4,8,12,35", help="doses of each drug within two years, with 1,000 patients"
    )
    parser.add_argument(
        "--weeks", type=int, default=12, help="weeks simulated against the number of patients"
    )
    parser.add_argument("--rtol", type=float, default=3e-5)
    args = parser.parse_args(argv)
    rows: list[table.Row] = []
    for lesions in (1, 4):
        for n in map(int, args.patients.split(",")):
            some = problem(n, lesions, end=args.weeks * WEEK)
            rows.append(timed("patients", some, count(some), args.rtol))
        for doses in map(int, args.doses.split(",")):
            some = problem(1000, lesions, doses)
            rows.append(timed("doses", some, count(some), args.rtol))
    table.show(f"Cost, {workers()} threads, rtol {args.rtol:g} ({table.machine()})", rows, COLUMNS)
    table.write(args.json, rows)
    return rows


if __name__ == "__main__":
    main()
