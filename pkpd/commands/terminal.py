"""What commands write to: a terminal, a log, a pipe whose reader goes away, a full disk, an ASCII stream."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from rich.console import Console
from rich.markup import escape

from pkpd.errors import OutputError, fail

_WIDTH = 110  # of tables that no terminal shows
_CONTROL = {c: f"\\x{c:02x}" for c in (*range(9), *range(11, 32), 127)}  # a name must not steer a terminal
out = Console(width=None if sys.stdout is not None and sys.stdout.isatty() else _WIDTH)
err = Console(stderr=True)


def print_json(data: Any) -> None:
    """JSON alone on standard output; in ASCII where the stream knows no more."""
    if sys.stdout is None:
        raise fail("standard output", "is closed, and JSON was asked for", "leave it open, or name a file")
    known = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")
    print(json.dumps(_finite(data), ensure_ascii=not known, allow_nan=False, default=str))


def _finite(data: Any) -> Any:
    """Data with None for what JSON has no number for: not defined, or without a bound."""
    if isinstance(data, dict):
        return {k: _finite(v) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(v) for v in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def say(text: str, console: Console = out) -> None:
    """Lines for a reader, as they are: nothing is wrapped or taken for markup."""
    console.print(escape(text), soft_wrap=True)


def print_error(text: str) -> None:
    """An error on standard error; nothing happens where that is gone."""
    with suppress(OSError):
        err.print("[red]error[/red] " + escape(text.translate(_CONTROL)), soft_wrap=True)


@contextmanager
def guarded_output() -> Iterator[None]:
    """Standard output that forgives a reader who went away, tells a full disk, and prints in any encoding."""
    before = sys.stdout
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if before is None:
        yield
        return
    guarded = sys.stdout = _Guarded(before)
    try:
        yield
    finally:
        sys.stdout = before
        guarded.flush()


class _Guarded:
    """A stream as it is, but for what happens when it cannot be written."""

    def __init__(self, stream: IO[str]):
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._told():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._told():
            self._stream.flush()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """A command goes on without its reader, and its exit code stands; any other fault is an error."""
        try:
            yield
        except OSError as error:
            self._drop()
            if not isinstance(error, BrokenPipeError):
                raise OutputError(
                    f"standard output: cannot be written ({error.strerror or error})\n"
                    "    remedy: make room, or send it elsewhere"
                ) from None

    def _drop(self) -> None:
        """What is left goes nowhere, so that no second error follows at the end."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
