"""Patients per second of each tool on the reference problem, at equal achieved accuracy, in one interleaved
run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass, field

from benchmarks import table
from benchmarks.crew import Crew, Failed, hired, tools, tried, works

LADDER = (1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 3e-7, 1e-7, 3e-8, 1e-8)
MIDDLE = 4
ALLOWED = 3e-4
FEW = {1: 8, 4: 4}  # patients that every tool solves at least, by lesions
CHECKED = {1: 24, 4: 12}  # patients of the reference solution that every tool is held to
LARGE = ("pkpd", "libroadrunner", "numbalsoda", "scipy_numba", "scipy_python")
COLUMNS = {
    "tool": "tool",
    "version": "version",
    "states": "states",
    "threads": "threads",
    "patients_per_second": "patients/s",
    "lowest": "lowest",
    "highest": "highest",
    "error": "error",
    "rtol": "rtol",
    "patients": "patients",
    "repeats": "repeats",
    "busy": "busy",
    "per_cpu_second": "per CPU s",
}
RATIOS = {
    "ratio": "ratio",
    "states": "states",
    "threads": "threads",
    "times": "times",
    "by_cpu": "by CPU time",
}


@dataclass
class Entry:
    """One row in the making: a crew, its tolerance and its times."""

    crew: Crew
    rtol: float = float("nan")
    error: float = float("nan")
    patients: int = 0
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def row(self) -> table.Row:
        rates = [self.patients / s for s in self.seconds]
        return {
            "tool": self.crew.tool,
            "threads": self.crew.threads,
            "states": 15 + 11 * self.crew.lesions,
            "patients_per_second": statistics.median(rates),
            "error": self.error,
            "rtol": self.rtol,
            "version": self.crew.version,
            "patients": self.patients,
            "repeats": len(rates),
            "lowest": min(rates),
            "highest": max(rates),
            "busy": sum(self.cpu) / sum(self.seconds) / self.crew.threads,
            "per_cpu_second": self.patients / statistics.median(self.cpu),
        }


def calibrate(entry: Entry, args: argparse.Namespace) -> None:
    """Finds the loosest tolerance whose error is allowed on the patients checked (in a hurry: on a few)."""
    crew, known, few = entry.crew, _walked(entry.crew), FEW[entry.crew.lesions]
    for rung in range(
        min((k for k, (error, *_) in known.items() if error <= ALLOWED), default=len(LADDER)), len(LADDER)
    ):
        error, seconds, _ = known[rung] if rung in known else tried(crew, LADDER[rung], few)
        count = few
        if error <= ALLOWED and not args.quick:
            count = min(CHECKED[crew.lesions], crew.known)
            error, seconds, _ = tried(crew, LADDER[rung], count)
        if error <= ALLOWED:
            entry.rtol, entry.error = LADDER[rung], error
            entry.patients = _filling(crew, entry.rtol, count, seconds, args)
            print(
                f"  {crew.tool}, {15 + 11 * crew.lesions} states: rtol {entry.rtol:g} gives {error:.1e}",
                flush=True,
            )
            return
    raise Failed(f"no tolerance gives an error of {ALLOWED:g}")


def _filling(crew: Crew, rtol: float, count: int, seconds: float, args: argparse.Namespace) -> int:
    """How many patients fill the time of one run; asked again where many cost less each than few."""
    for _ in range(3):
        wanted = max(min(int(count / seconds * args.seconds), args.patients), FEW[crew.lesions])
        if wanted <= 1.2 * count:
            break
        count = wanted
        _, seconds, _ = tried(crew, rtol, count)
    return wanted


def _walked(crew: Crew) -> dict[int, tuple[float, float, float]]:
    """What was tried by rung, from the middle of the ladder to where the error crosses what is allowed."""
    few = FEW[crew.lesions]
    tried(crew, LADDER[MIDDLE], 2 * crew.threads)  # compiles
    known = {MIDDLE: tried(crew, LADDER[MIDDLE], few)}
    step = -1 if known[MIDDLE][0] <= ALLOWED else 1
    rung = MIDDLE + step
    while 0 <= rung < len(LADDER) and (known[rung - step][0] <= ALLOWED) == (step < 0):
        known[rung] = tried(crew, LADDER[rung], few)
        rung += step
    return known


def measure(names: list[str], lesions: int, args: argparse.Namespace) -> list[table.Row]:
    """Rows of one size of the problem."""
    entries = [Entry(crew) for crew in hired(names, lesions, args.threads)]
    first: dict[str, Entry] = {}
    ready = []
    for entry in entries:
        known = first.setdefault(entry.crew.tool, entry)
        if known is entry:
            good = works(entry.crew, lambda e=entry: calibrate(e, args))
        else:
            good = known in ready and works(entry.crew, lambda e=entry, k=known: _follow(e, k))
        if good:
            entry.crew.take(entry.patients)
            ready.append(entry)
    for repeat in range(args.repeats):
        for entry in list(ready):
            if repeat >= 3 and entry.seconds[0] > 3 * args.seconds:
                continue
            if not works(entry.crew, lambda e=entry: _timed(e)):
                ready.remove(entry)
    rows = [e.row() for e in ready]
    for entry in ready:
        entry.crew.close()
    return rows


def _follow(entry: Entry, first: Entry) -> None:
    """Takes the tolerance found on one thread count to another, and as many patients a thread."""
    entry.rtol, entry.error = first.rtol, first.error
    entry.patients = first.patients * entry.crew.threads // first.crew.threads
    tried(entry.crew, entry.rtol, 2 * entry.crew.threads)  # compiles


def _timed(entry: Entry) -> None:
    seconds, cpu = entry.crew.run(entry.rtol)
    entry.seconds.append(seconds)
    entry.cpu.append(cpu)
    if len(entry.seconds) == 1:
        entry.error = max(entry.error, entry.crew.error())


def ratios(rows: list[table.Row]) -> list[table.Row]:
    """How many times as fast ours is as a peer, and on two threads as on one."""
    by = {(r["tool"], r["threads"], r["states"]): r for r in rows}
    found: list[table.Row] = []
    for (tool, threads, states), own in by.items():
        if tool != "pkpd":
            continue
        others = {
            f"pkpd / {peer}": by.get((peer, threads, states)) for peer in ("libroadrunner", "scipy_python")
        }
        others[f"pkpd, {threads} threads / 1"] = by.get((tool, 1, states)) if threads != 1 else None
        for name, other in others.items():
            if other is not None:
                found.append(
                    {
                        "ratio": name,
                        "states": states,
                        "threads": threads,
                        **{
                            key: own[rate] / other[rate]  # type: ignore[operator]
                            for key, rate in (("times", "patients_per_second"), ("by_cpu", "per_cpu_second"))
                        },
                    }
                )
    return found


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.population", description=__doc__)
    parser.add_argument("--json", metavar="F", help="write the rows to this file")
    parser.add_argument(
        "--lesions", type=int, choices=(1, 4), help="1 (26 states) or 4 (59 states); both if left out"
    )
    parser.add_argument("--threads", default="1,2", help="thread counts, as in 1,2")
    parser.add_argument("--tools", help=f"some of {','.join(tools())}; all if left out, fewer at 59 states")
    parser.add_argument(
        "--patients", type=int, default=1000, help="the most patients that a tool solves in one run"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.6, help="about how long one run of one tool takes")
    parser.add_argument(
        "--quick", action="store_true", help="a look: 26 states, one short run of each of the main tools"
    )
    args = parser.parse_args(argv)
    args.threads = [int(n) for n in args.threads.split(",")]
    if args.quick:
        args.repeats, args.seconds, args.lesions, args.tools = (
            1,
            0.2,
            args.lesions or 1,
            args.tools or ",".join(LARGE),
        )
    unknown = set(args.tools.split(",") if args.tools else []) - set(tools())
    if unknown:
        parser.error(f"no such tool: {', '.join(sorted(unknown))}; known are {', '.join(tools())}")
    return args


def main(argv: list[str] | None = None) -> list[table.Row]:
    args, begin = arguments(argv), time.time()
    rows: list[table.Row] = []
    for lesions in (args.lesions,) if args.lesions else (1, 4):
        names = args.tools.split(",") if args.tools else tools() if lesions == 1 else list(LARGE)
        rows += measure(names, lesions, args)
    order = {r["tool"]: -float(r["patients_per_second"]) for r in reversed(rows)}  # type: ignore[arg-type]
    rows.sort(key=lambda r: (r["states"], r["threads"], order[r["tool"]]))
    table.show(f"Patients per second, error at most {ALLOWED:g} ({table.machine()})", rows, COLUMNS)
    table.show("Ratios", ratios(rows), RATIOS)
    print(f"\n{time.time() - begin:.0f} s in all")
    table.write(args.json, rows)
    return rows


if __name__ == "__main__":
    main()
