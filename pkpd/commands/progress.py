"""How far a long command is: a bar on a terminal, lines with the time that has passed in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import IO, Any

from rich.console import Console

Tell = Callable[[str, int, int], None]
LEAST = 10.0  # seconds between two lines of a log
_SHARE = 0.05  # of the time that has passed: a run of a day writes no more lines than one of minutes


@contextmanager
def progress(console: Console) -> Iterator[Tell]:
    """Progress on standard error, as a function (what, done, of)."""
    with _bar(console) if console.is_terminal else lines(sys.stderr) as tell:
        yield tell


@contextmanager
def _bar(console: Console) -> Iterator[Tell]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    tasks: dict[str, Any] = {}
    with bar:

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done, total=of)

        yield tell


@contextmanager
def lines(file: IO[str] | None, least: float = LEAST) -> Iterator[Tell]:
    """A line where a task begins and ends, and between these whenever some time has passed, told or not."""
    log, ended = _Log(file, least), Event()

    def beat() -> None:
        while not ended.wait(least / 4):
            log.beat()

    thread = Thread(target=beat, name="progress", daemon=True)
    thread.start()
    try:
        yield log.tell
    finally:
        ended.set()
        thread.join()


class _Log:
    """The lines of a run; the thread that solves tells it, and one that waits reminds it."""

    def __init__(self, file: IO[str] | None, least: float):
        self.file, self.least, self.lock = file, least, Lock()
        self.begun = self.last = time.monotonic()
        self.known: set[str] = set()
        self.state = "working"

    def tell(self, what: str, done: int, of: int) -> None:
        with self.lock:
            self.state = f"{what} {done}/{of}"
            first = what not in self.known
            self.known.add(what)
            if first or done >= of or self._due():
                self._write()

    def beat(self) -> None:
        with self.lock:
            if self._due():
                self._write()

    def _due(self) -> bool:
        now = time.monotonic()
        return now - self.last >= max(self.least, _SHARE * (now - self.begun))

    def _write(self) -> None:
        self.last = time.monotonic()
        if self.file is not None:
            with suppress(OSError, ValueError):  # no line is worth a run
                print(f"{self.state}, {passed(self.last - self.begun)}", file=self.file, flush=True)


def passed(seconds: float) -> str:
    """A time that has passed: 42 s, 3 min 05 s, 2 h 07 min."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
