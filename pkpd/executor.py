"""Where work runs: threads here (the engine releases the interpreter lock), or any executor handed in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def workers() -> int:
    """How many threads to use: `PKPD_THREADS`, else the cores this process may use."""
    own = os.environ.get("PKPD_THREADS", "")
    if own.isdigit() and int(own) > 0:
        return int(own)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def pool(executor: Executor | None = None) -> Iterator[Executor]:
    """The executor given, or a pool of threads for the length of the block."""
    if executor is not None:
        yield executor
        return
    with ThreadPoolExecutor(workers()) as own:
        yield own


def run_all(task: Callable[[T], R], items: Iterable[T], executor: Executor | None = None) -> list[R]:
    """Runs a task over items and returns results in the order of the items."""
    items = list(items)
    if len(items) <= 1:
        return [task(i) for i in items]
    with pool(executor) as chosen:
        return list(chosen.map(task, items))
