"""Where work runs: threads here (the engine releases the interpreter lock), a Dask cluster, or an executor
handed in.

Work is spread once: what a task spreads in its turn gets the task's own share of the threads, on a cluster
one. What a task takes and gives is plain data, and none looks at files, so that it means the same on another
machine.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

from pkpd.errors import fail
from pkpd.machine.cluster import Cluster

T = TypeVar("T")
R = TypeVar("R")

_SHARE: ContextVar[int] = ContextVar(
    "share", default=0
)  # threads that the task at work may use; 0 outside of any
_CLUSTERS: list[Cluster] = []


def workers() -> int:
    """How many threads to use: `PKPD_THREADS`, else the cores this process may use."""
    own = os.environ.get("PKPD_THREADS", "")
    if own:
        if not (own.isascii() and own.isdecimal() and len(own) < 5) or int(own) == 0:
            raise fail("PKPD_THREADS", f"{own!r} is not a number of threads", "give 1 or more, or unset it")
        return int(own)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_here(executor: Executor | None) -> bool:
    """Whether work runs on threads of this process, which share memory."""
    return executor is None and (not _CLUSTERS or bool(_SHARE.get()))


def run_all(
    task: Callable[[T], R],
    items: Iterable[T],
    executor: Executor | None = None,
    done: Callable[[int, int], object] = lambda so_far, of: None,
) -> list[R]:
    """Runs a task over items and returns results in the order of the items; `done` is told how many there are
    so far.
    """
    items, found = list(items), []
    for result in _run(task, items, executor, len(items)):
        found.append(result)
        done(len(found), len(items))
    return found


def stream(task: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Runs a task over items and yields results in the order of the items; few at a time are at work or
    waiting.
    """
    return _run(task, items if isinstance(items, Sequence) else list(items), None, 0)


def _run(task: Callable[[T], R], items: Sequence[T], executor: Executor | None, ahead: int) -> Iterator[R]:
    """Results in order; `ahead` is how many tasks may be at work or waiting, one more than there are threads
    if 0.
    """
    own = _SHARE.get()
    threads = min(own or workers(), len(items))
    if executor is not None and len(items) > 1:
        yield from _in_order(
            lambda item: executor.submit(task, item), items, ahead, lambda future: future.result()
        )
    elif executor is None and _CLUSTERS and not own:
        yield from _on_workers(_CLUSTERS[-1], task, items, ahead)
    elif threads <= 1:
        yield from map(task, items)
    else:
        pool, share = ThreadPoolExecutor(threads), (own or workers()) // threads
        try:
            yield from _in_order(
                lambda item: pool.submit(_sharing, share, task, item),
                items,
                ahead or threads + 1,
                lambda future: future.result(),
            )
        finally:
            pool.shutdown(cancel_futures=True)


def _on_workers(cluster: Cluster, task: Callable[[T], R], items: Sequence[T], ahead: int) -> Iterator[R]:
    """Results in order, each task on one thread: a worker has a thread for each task it is given."""
    with cluster.holding(partial(_sharing, 1, task)) as submit:
        yield from _in_order(submit, items, ahead or 2 * cluster.threads() + 1, cluster.result)


def _sharing(threads: int, task: Callable[[T], R], item: T) -> R:
    token = _SHARE.set(threads)
    try:
        return task(item)
    finally:
        _SHARE.reset(token)


def _in_order(
    submit: Callable[[Any], Any], items: Sequence, ahead: int, result: Callable[[Any], R]
) -> Iterator[R]:
    waiting: deque = deque()
    try:
        for item in items:
            waiting.append(submit(item))
            if len(waiting) >= ahead:
                yield result(waiting.popleft())
        while waiting:
            yield result(waiting.popleft())
    finally:
        for future in waiting:
            future.cancel()


@contextmanager
def on_cluster(address: str | None) -> Iterator[None]:
    """Runs all work of the block on the workers of a Dask scheduler (`tcp://HOST:PORT`, or `tls://HOST:PORT`
    with the certificates of Dask's own configuration); here, without an address.
    """
    if address is None:
        yield
        return
    cluster = Cluster(address)
    _CLUSTERS.append(cluster)
    try:
        yield
    finally:
        _CLUSTERS.remove(cluster)
        cluster.close()
