"""The workers of a Dask cluster: where their scheduler is, what is sent there, what is said of its faults."""

from __future__ import annotations

import hashlib
import logging
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from pkpd.errors import ClusterError, PkpdError, fail
from pkpd.machine import store

T = TypeVar("T")
R = TypeVar("R")

_ADDRESS = re.compile(r"(?:tcp|tls)://(\[[0-9A-Fa-f:.]+\]|[^\s/:\[\]@]+):(\d{1,5})")
_CONNECT = 5  # seconds in which a scheduler answers
_PATIENCE = 30  # seconds without any worker before a run gives up


_KEPT: dict[str, bytes] = {}  # at a worker: tasks that it was sent
_FEW = 4


@dataclass
class Sent:
    """An item at work, and what it takes to send it again."""

    future: Any
    name: str
    task: bytes
    item: bytes

    def cancel(self) -> None:
        self.future.cancel()


class Lacking:
    """What a worker answers that was sent an item of a task which it has not."""


class Cluster:
    """The workers behind a scheduler, connected to until it is closed."""

    def __init__(self, address: str):
        match = _ADDRESS.fullmatch(address)
        if match is None or not 0 < int(match[2]) < 65536:
            raise fail(
                "--cluster",
                f"{address!r} is not the address of a scheduler",
                "write it as `dask scheduler` prints it: tcp://HOST:PORT",
            )
        try:
            from distributed import Client, Security
        except ImportError:
            raise ClusterError(
                "--cluster: Dask is not installed here\n    remedy: pip install 'pkpd-crlm[cluster]'"
            ) from None
        self.address, security = address, _security(address, Security)
        import asyncio

        try:
            with ThreadPoolExecutor(1) as apart:  # a notebook has a loop of its own
                kind = apart.submit(asyncio.run, asyncio.wait_for(_who(address, security), _CONNECT)).result()
            if kind != "Scheduler":
                raise ConnectionError(f"a {kind} is there")
        except Exception as error:  # whatever answers there
            told = isinstance(error, ConnectionError | RuntimeError) and str(
                error
            )  # Dask refuses with a RuntimeError
            reason = str(error) if told else "nothing there speaks as one"
            raise ClusterError(
                f"{address}: no scheduler answers ({reason})\n"
                "    remedy: start one with `dask scheduler`, and `dask worker ADDRESS` for each worker"
            ) from None
        logging.getLogger("distributed.client").setLevel(
            logging.CRITICAL
        )  # a lost connection is told in our words
        self.client: Any = Client(address, timeout=_CONNECT, set_as_default=False, security=security)

    @contextmanager
    def holding(self, task: Callable[[T], R]) -> Iterator[Callable[[T], Sent]]:
        """What submits an item of a task. The task, which may be large, goes with as many items as there are
        threads, and again to a worker that lacks it: were it a result of Dask's own on which items rest, Dask
        could wait for ever for what a worker was fetching from one that died.
        """
        import dask.config

        whole = pickle.dumps(task)
        name, first = hashlib.sha256(whole).hexdigest(), self.threads()

        def submit(item: T) -> Sent:
            nonlocal first
            first -= 1
            own = pickle.dumps(item)
            return Sent(
                self._submit(_there, _rests_on(), name, whole if first >= 0 else None, own), name, whole, own
            )

        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
            yield submit

    def _submit(self, call: Callable, *given: object) -> Any:
        with self._told():
            return self.client.submit(call, *given, pure=False)

    def threads(self) -> int:
        """The threads of all workers."""
        with self._told():
            return sum(self.client.nthreads().values())

    def result(self, sent: Sent) -> Any:
        """What a task gave, once it is done; its error is raised here."""
        found = self._result(sent.future)
        if isinstance(found, Lacking):
            sent.future = self._submit(_there, _rests_on(), sent.name, sent.task, sent.item)
            found = self._result(sent.future)
        return found

    def _result(self, future: Any) -> Any:
        with self._told():
            self._wait(future)
            error = future.exception() if future.status == "error" else None
            if error is None:
                return future.result()
        raise self._named(error) from None

    def _wait(self, future: Any) -> None:
        """Waits for a task, and gives up only where there is no worker that could do it."""
        from distributed import wait

        missing = 0
        while not future.done():
            with self.client.as_current(), suppress(TimeoutError):
                wait(future, timeout=_PATIENCE / 2)
            missing = missing + 1 if not future.done() and not self.threads() else 0
            if missing == 2:
                raise ClusterError(
                    f"{self.address}: no worker for {_PATIENCE} seconds\n"
                    f"    remedy: start `dask worker {self.address}` and run again"
                )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Says what became of the scheduler where it does not answer."""
        try:
            yield
        except (CancelledError, OSError) as error:
            if isinstance(error, PkpdError):
                raise
            raise ClusterError(
                f"{self.address}: the scheduler went away ({type(error).__name__})\n"
                "    remedy: start it and its workers, and run again"
            ) from None

    def _named(self, error: BaseException) -> BaseException:
        """A task's error; one that is the workers' own in words."""
        from distributed import KilledWorker

        if isinstance(error, KilledWorker):
            return ClusterError(
                f"{self.address}: {error.allowed_failures + 1} workers in turn died at the same work\n"
                "    remedy: see the workers' logs; give each more memory (--memory-limit)"
            )
        if isinstance(error, ModuleNotFoundError):
            return ClusterError(
                f"{self.address}: the workers lack {error.name!r}\n"
                "    remedy: install the same pkpd-crlm[cluster] there"
            )
        return error

    def close(self) -> None:
        """Lets go of the scheduler, which may have gone already."""
        self.client.close(timeout=1)


def _security(address: str, kind: Callable[[], Any]) -> Any:
    """Dask's own security, as its configuration says; an address of TLS needs certificates there."""
    try:
        security = kind()
        armed = security.get_connection_args("client")["ssl_context"] is not None
    except (OSError, ValueError) as error:  # a certificate that is not there, or is none
        raise ClusterError(
            f"{address}: Dask's certificates cannot be used ({error})\n"
            "    remedy: mend distributed.comm.tls of Dask's configuration"
        ) from None
    if address.startswith("tls://") and not armed:
        raise ClusterError(
            f"{address}: Dask has no certificates for TLS\n    remedy: set ca-file, and key and cert of the "
            "client, under distributed.comm.tls in Dask's configuration"
        )
    return security


async def _who(address: str, security: Any) -> str:
    from distributed import rpc

    async with rpc(
        address, timeout=_CONNECT, connection_args=security.get_connection_args("client")
    ) as there:
        told: Any = await there.identity()
        return told["type"]


def _there(rests_on: str, name: str, task: bytes | None, item: bytes) -> Any:
    """A task at a worker, which keeps the last few by their names. Other software reads no data."""
    if rests_on != _rests_on():
        raise ClusterError(
            "--cluster: a worker has other software than this machine, and would give other results\n"
            f"    remedy: install the same there\n    here:  {rests_on}\n    there: {_rests_on()}"
        )
    task = task or _KEPT.get(name)
    if task is None:
        return Lacking()
    _KEPT[name] = task
    for old in list(_KEPT)[:-_FEW]:
        _KEPT.pop(old, None)
    return pickle.loads(task)(pickle.loads(item))


@lru_cache(1)
def _rests_on() -> str:
    """What results rest on beside their data: this package's code, and what computes under it."""
    from importlib.metadata import version

    versions = [f"{name} {version(name)}" for name in ("numpy", "scipy", "numba", "llvmlite")]
    return ", ".join([f"pkpd {store.code_hash()}", f"python {sys.version.split()[0]}", *versions])
