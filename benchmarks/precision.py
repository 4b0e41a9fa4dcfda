"""Work-precision: the error and the speed of each tool over a ladder of tolerances, one thread."""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from benchmarks import table
from benchmarks.crew import Crew, hired, tools, tried, works

LADDER = tuple(m * 10.0**-k for k in range(3, 10) for m in (1, 0.3))[:-1]
MAIN = ("pkpd", "numbalsoda", "libroadrunner", "casadi", "scipy_numba")
COLUMNS = {
    "tool": "tool",
    "states": "states",
    "rtol": "rtol",
    "error": "error",
    "patients_per_second": "patients/s",
    "per_cpu_second": "per CPU s",
    "patients": "patients",
}
FIGURE = Path(__file__).parent / "results" / "precision.svg"


def size(crew: Crew, args: argparse.Namespace) -> int:
    """How many patients fill the time of one run."""
    tried(crew, LADDER[4], args.patients)  # compiles
    _, seconds, _ = tried(crew, LADDER[4], args.patients)
    return max(args.patients, min(1000, int(args.seconds * args.patients / seconds)))


def measured(crew: Crew, rtol: float, count: int, args: argparse.Namespace) -> list[table.Row]:
    """One row: the error on the same patients for every tool, the median speed of the repeats; none if it
    breaks down.
    """
    error, *_ = tried(crew, rtol, args.patients)
    runs = [tried(crew, rtol, count) for _ in range(args.repeats)]
    wall, cpu = (statistics.median(r[k] for r in runs) for k in (1, 2))
    if max(error, wall) == float("inf"):
        return []
    return [
        {
            "tool": crew.tool,
            "states": 15 + 11 * crew.lesions,
            "rtol": rtol,
            "error": error,
            "patients_per_second": count / wall,
            "per_cpu_second": count / cpu,
            "patients": count,
            "version": crew.version,
        }
    ]


def climbed(names: list[str], args: argparse.Namespace) -> list[table.Row]:
    """The rows of all tools, which take turns at each tolerance."""
    sizes: dict[str, int] = {}
    crews = [
        c
        for c in hired(names, args.lesions, [1])
        if works(c, lambda c=c: sizes.update({c.tool: size(c, args)}))
    ]
    rows: list[table.Row] = []
    for rtol in LADDER:
        crews = [
            c
            for c in crews
            if works(c, lambda c=c, rtol=rtol: rows.extend(measured(c, rtol, sizes[c.tool], args)))
        ]
    for crew in crews:
        crew.close()
    return sorted(rows, key=lambda r: names.index(str(r["tool"])))


def figure(rows: list[table.Row], path: Path) -> None:
    """Error against patients a second, a line a tool."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    fig, ax = pyplot.subplots(figsize=(7, 5), layout="constrained")
    for tool in dict.fromkeys(r["tool"] for r in rows):
        own = [r for r in rows if r["tool"] == tool]
        ax.loglog(
            [r["error"] for r in own],
            [r["patients_per_second"] for r in own],
            "o-",
            label=str(tool),
            markersize=4,
        )
    ax.axvline(3e-4, color="grey", linewidth=0.8, linestyle=":")
    ax.set(
        xlabel="largest error reached",
        ylabel="patients per second, one core",
        title=f"Reference problem, {rows[0]['states']} states",
    )
    ax.invert_xaxis()
    ax.grid(alpha=0.3)
    ax.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path)
    print(f"\nfigure in {path}")


def main(argv: list[str] | None = None) -> list[table.Row]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision", description=__doc__)
    parser.add_argument("--json", metavar="F", help="write the rows to this file")
    parser.add_argument("--figure", metavar="F", default=str(FIGURE), help="an SVG, PNG or PDF file")
    parser.add_argument(
        "--lesions", type=int, choices=(1, 4), default=1, help="1 (26 states) or 4 (59 states)"
    )
    parser.add_argument("--tools", default=",".join(MAIN), help=f"some of {','.join(tools())}")
    parser.add_argument("--patients", type=int, default=16, help="patients that every tool solves at least")
    parser.add_argument(
        "--seconds", type=float, default=0.3, help="about how long one run takes, if the patients are enough"
    )
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args(argv)
    rows = climbed(args.tools.split(","), args)
    table.show(f"Work and precision, one thread ({table.machine()})", rows, COLUMNS)
    if rows:
        figure(rows, Path(args.figure))
    table.write(args.json, rows)
    return rows


if __name__ == "__main__":
    main()
