"""The processes that run one tool with a number of threads, and what they are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM")
THREADED = {"pkpd"}  # the others hold the interpreter lock


class Missing(Exception):
    """A tool that is not installed here."""


class Failed(Exception):
    """A tool that stopped with an error."""


def cores(threads: int) -> list[int]:
    """The processor cores given to a number of threads."""
    free = (
        sorted(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else list(range(os.cpu_count() or 1))
    )
    return [free[k % len(free)] for k in range(threads)]


def environment(threads: int) -> dict[str, str]:
    """Variables that keep libraries to one thread, and ours to its number."""
    own = {
        **os.environ,
        "PKPD_THREADS": str(threads),
        "JAX_PLATFORMS": "cpu",
        "PYTHONUNBUFFERED": "1",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
        "EQX_ON_ERROR": "nan",
    }  # so that JAX can keep what it compiles
    own.update({f"{name}_NUM_THREADS": "1" for name in LIBRARIES})
    return own


class Worker:
    """One process of a tool."""

    def __init__(self, tool: str, lesions: int, own: list[int]):
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        command = [sys.executable, "-m", "benchmarks.worker", tool, str(lesions), ",".join(map(str, own))]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(len(own)),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
        )

    def send(self, do: str, **order: object) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **order}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed(self.last_words()) from None

    def hear(self) -> dict:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Failed(self.last_words())
        answer = json.loads(line)
        if "missing" in answer:
            raise Missing(answer["missing"])
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer

    def last_words(self) -> str:
        """The last line that a process that died has written."""
        self.process.wait()
        self.log.seek(0)
        lines = self.log.read().strip().splitlines()
        return (lines[-1] if lines else f"ended with {self.process.returncode}")[:200]

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.log):
            stream.close()


@dataclass
class Crew:
    """A tool on a number of threads: one process where it has threads of its own, else one
    process for each.
    """

    tool: str
    lesions: int
    threads: int
    workers: list[Worker] = field(default_factory=list)
    version: str = ""
    known: int = 0

    def hire(self) -> None:
        """Starts the processes; `ready` waits for them."""
        own = cores(self.threads)
        shares = [own] if self.tool in THREADED else [[c] for c in own]
        self.workers = [Worker(self.tool, self.lesions, share) for share in shares]

    def ready(self) -> None:
        for answer in [w.hear() for w in self.workers]:
            self.version, self.known = answer["version"], answer["known"]

    def take(self, count: int) -> None:
        """Shares the first patients out."""
        for k, worker in enumerate(self.workers):
            worker.send("take", patients=list(range(k, count, len(self.workers))))
        for worker in self.workers:
            worker.hear()

    def run(self, rtol: float) -> tuple[float, float]:
        """Wall-clock seconds until all are done, and processor seconds spent."""
        begin = time.perf_counter()
        for worker in self.workers:
            worker.send("run", rtol=rtol)
        answers = [w.hear() for w in self.workers]
        return time.perf_counter() - begin, sum(a["cpu"] for a in answers)

    def error(self) -> float:
        """The largest error of the last run over the patients whose solution is known."""
        for worker in self.workers:
            worker.send("error")
        return max(
            (e for e in (w.hear()["error"] for w in self.workers) if e is not None), default=float("nan")
        )

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
        self.workers = []


def tools() -> list[str]:
    """The names of all tools, ours first."""
    names = sorted(p.stem for p in (Path(__file__).parent / "peers").glob("*.py") if p.stem != "__init__")
    return ["pkpd", *(n for n in names if n != "pkpd")]


def works(crew: Crew, action: Callable[[], object]) -> bool:
    """Whether a tool did what it was told; if not, says why and lets it go."""
    try:
        action()
        return True
    except Missing as missing:
        print(f"  {crew.tool}: not installed ({missing})", flush=True)
    except Failed as failure:
        print(f"  {crew.tool}, {crew.threads} threads: failed: {failure}", flush=True)
    crew.close()
    return False


def hired(names: list[str], lesions: int, threads: list[int]) -> list[Crew]:
    """Crews of all tools, started at once; those not installed are named and left out."""
    crews = [Crew(tool, lesions, n) for tool in names for n in threads]
    for crew in crews:
        crew.hire()
    return [c for c in crews if works(c, c.ready)]


def tried(crew: Crew, rtol: float, count: int) -> tuple[float, float, float]:
    """Error, wall-clock and processor seconds of the first patients at a tolerance; who breaks down has no
    accuracy.
    """
    crew.take(count)
    try:
        seconds, cpu = crew.run(rtol)
        return crew.error(), seconds, cpu
    except Failed as failure:
        if any(w.process.poll() is not None for w in crew.workers):
            raise
        print(f"  {crew.tool} at rtol {rtol:g}: {failure}", flush=True)
        return float("inf"), float("inf"), float("inf")
