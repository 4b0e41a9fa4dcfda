"""One process that runs one tool: reads orders from its input as lines of JSON, answers in kind.

`python -m benchmarks.worker TOOL LESIONS CORES`; CORES are the processor cores it may use, as in 0,1.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import time
from collections.abc import Callable


def main() -> None:
    """Answers orders until its input ends."""
    tool, lesions, cores = sys.argv[1], int(sys.argv[2]), [int(c) for c in sys.argv[3].split(",")]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a tool prints is not an answer
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)

    def answer(**content: object) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    try:
        orders = _start(tool, lesions, answer)
    except ImportError as error:
        answer(missing=str(error))
        return
    except Exception as error:
        answer(failed=_reason(error))
        return
    for line in sys.stdin:
        order = json.loads(line)
        try:
            orders[order.pop("do")](**order)
        except Exception as error:
            answer(failed=_reason(error))


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


def _start(tool: str, lesions: int, answer: Callable) -> dict[str, Callable]:
    """Loads the tool and returns what it can be told to do."""
    import numpy as np

    from benchmarks import problem

    peer = importlib.import_module(f"benchmarks.peers.{tool}")
    version = peer.version()
    whole = problem.problem(1000, lesions)
    solve = peer.solver(whole)
    held: dict = {}

    def take(patients: list[int]) -> None:
        held.update(patients=np.array(patients), some=whole.take([i % 1000 for i in patients]))
        answer(taken=len(patients))

    def run(rtol: float) -> None:
        held["states"] = None
        wall, cpu = time.perf_counter(), time.process_time()
        with np.errstate(all="ignore"):
            held["states"] = solve(held["some"], rtol)
        answer(seconds=time.perf_counter() - wall, cpu=time.process_time() - cpu)

    def error() -> None:
        truth = problem.reference(lesions)
        known = held["patients"] < len(truth)
        if held["states"] is None or not known.any():
            answer(error=None if held["states"] is not None else float("inf"))
        else:
            answer(error=problem.error(held["states"][known], truth[held["patients"][known]]))

    answer(version=version, known=len(problem.reference(lesions)))
    return {"take": take, "run": run, "error": error}


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        main()
