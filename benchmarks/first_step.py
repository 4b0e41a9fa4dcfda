"""One fresh process from nothing to the first solved patients: `python -m benchmarks.first_step MODEL
PATIENTS`.

Prints the seconds of each stage as JSON. MODEL is a model file, PATIENTS the arrays that `compiling` saved.
"""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    marks = [time.perf_counter()]
    import pkpd

    marks.append(time.perf_counter())
    import numpy as np

    import pkpd.regimen.schedule
    import pkpd.solve.batch

    marks.append(time.perf_counter())
    model = pkpd.load_model(sys.argv[1])
    marks.append(time.perf_counter())
    held = np.load(sys.argv[2])
    schedule = pkpd.regimen.schedule.Schedule(
        *(held[k] for k in ("offsets", "time", "kind", "index", "value"))
    )
    solved = []
    for _ in range(2):
        begin = time.perf_counter()
        result = pkpd.solve.batch.solve_population(
            model, held["start"], held["inputs"], schedule, held["times"], held["begin"]
        )
        solved.append(time.perf_counter() - begin)
    heavy = [m for m in ("sympy", "pint") if m in sys.modules]
    print(
        json.dumps(
            {
                "import_pkpd": marks[1] - marks[0],
                "imports": marks[2] - marks[1],
                "load": marks[3] - marks[2],
                "solve": solved[0],
                "solve_again": solved[1],
                "failed": int((result[1] != 0).sum()),
                "heavy": heavy,
            }
        )
    )


if __name__ == "__main__":
    main()
