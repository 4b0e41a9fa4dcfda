"""Content hashes, and outputs: files that are whole or not there, and never in the place of what was read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import IO, Any

from pkpd.errors import OutputError, PkpdError
from pkpd.machine import drafts, inputs
from pkpd.machine.drafts import Draft

_TOGETHER: ContextVar[list[Draft] | None] = ContextVar("together", default=None)
_OPEN = re.compile(
    r"/dev/(stdout|stderr)|(?:/dev|/proc/self)/fd/([0-9]{1,5})"
)  # what leads to an open descriptor
_BEGUN = time.time()
_WROTE: set[str] = (
    set()
)  # files that this process made: it may make them again, though it has read them since


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(
            value
        )  # JSON writes it as a number, so that 1.0 is not "1.0"; a numpy float is its value
    if hasattr(value, "tobytes") and hasattr(value, "dtype"):
        return [str(value.dtype), list(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, *[[f.name, _plain(getattr(value, f.name))] for f in fields(value)]]
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    return value


def content_hash(*values: Any) -> str:
    """A short hash of plain data: equal content, equal hash, in any process."""
    text = json.dumps([_plain(v) for v in values], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@cache
def code_hash(*names: str) -> str:
    """A short hash of this package's code: of all, or of the files and folders named.

    Where a file has changed since this process began, what runs is not what is on the disk: the hash is of
    this process alone.
    """
    root = Path(__file__).resolve().parents[1]
    files = sorted(
        {f for n in names or ("",) for f in [root / n, *(root / n).rglob("*.py")] if f.suffix == ".py"}
    )
    own = [os.getpid(), _BEGUN] if any(_BEGUN < f.stat().st_mtime <= time.time() for f in files) else []
    return content_hash(
        [[f.relative_to(root).as_posix(), f.read_text(encoding="utf-8")] for f in files], *own
    )


@contextmanager
def writing(path: str | Path, *, over_read: bool = False, over_shipped: bool = False) -> Iterator[IO[bytes]]:
    """A file written whole or not at all: what is written in the block takes the file's name at its end.

    Refused in the place of a file that this process has read (unless `over_read`: a file rewritten on
    request), or of one that the library ships (unless `over_shipped`). A device or a pipe is written to
    straight away.
    """
    path = Path(path)
    require_free(path, over_read=over_read, over_shipped=over_shipped)
    with _told(path):
        if _is_stream(path):
            with _stream(path) as file:
                yield file
            return
        target = Path(os.path.realpath(path))
        drafts.sweep(target)
        draft = Draft(target)
    try:
        with _told(path):
            yield draft.file
        together = _TOGETHER.get()
        if together is not None:
            together.append(draft)
        else:
            _place(path, [draft])
    except BaseException:
        draft.drop()
        raise


def _place(path: Path, written: list[Draft]) -> None:
    with _told(path):
        drafts.place_all(written)
    _WROTE.update(str(d.target) for d in written)


@contextmanager
def together(path: str | Path) -> Iterator[None]:
    """Files written in the block appear all at its end, in their order, or none of them does; `path` is for
    messages.
    """
    written: list[Draft] = []
    token = _TOGETHER.set(written)
    try:
        yield
        _place(Path(path), written)
    except BaseException:
        for draft in written:
            draft.drop()
        raise
    finally:
        _TOGETHER.reset(token)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Says of an error of the system that this output cannot be written."""
    try:
        yield
    except OSError as error:
        if isinstance(error, PkpdError) or (error.filename is not None and not _of(path, error.filename)):
            raise
        where = error.errno in (2, 13, 17, 20, 30, 36)
        remedy = "\n    remedy: choose a folder that exists and can be written" if where else ""
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}){remedy}") from None


def _of(path: Path, name: object) -> bool:
    """Whether an error names an output, its hidden draft or a folder that it lies in."""
    text = os.fsdecode(name) if isinstance(name, str | bytes) else str(name)
    target = os.path.realpath(path)
    return (
        text.endswith(drafts.MARK)
        or text.startswith("/proc/self/fd/")
        or os.path.realpath(text) == target
        or target.startswith(os.path.join(os.path.realpath(text), ""))
    )


def _is_stream(path: Path) -> bool:
    """Whether a path is a device, a pipe or an open descriptor: nothing can take its name, and nothing there
    is lost.
    """
    try:
        return _OPEN.fullmatch(str(path)) is not None or not stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _stream(path: Path) -> IO[bytes]:
    """An open descriptor is written on where it stands, whatever it leads to; anything else is opened."""
    match = _OPEN.fullmatch(str(path))
    if match is None:
        return open(path, "ab")
    return os.fdopen(os.dup({"stdout": 1, "stderr": 2}.get(match[1]) or int(match[2])), "wb")


def require_free(path: str | Path, *, over_read: bool = False, over_shipped: bool = False) -> None:
    """Refuses an output in the place of what this process has read, or of what the library ships."""
    path = Path(path)
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return  # nothing is there to be replaced
    except (
        OSError,
        ValueError,
    ) as error:  # a name that is too long or no name, a folder that may not be entered
        raise OutputError(
            f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})\n"
            "    remedy: name another file"
        ) from None
    if _is_stream(path):
        return
    if not over_read and os.path.realpath(path) not in _WROTE and inputs.was_read(path):
        raise OutputError(
            f"{path}: is read in this run, and would be replaced by its output\n    remedy: name another file"
        )
    if not over_shipped and is_shipped(path):
        raise OutputError(
            f"{path}: belongs to the library, and would be replaced\n    remedy: name another file"
        )


def is_shipped(path: str | Path) -> bool:
    """Whether a file that exists is content of the library, by whatever name."""
    folders = [inputs.ROOT / f for f in inputs.SHIPPED]
    return Path(os.path.realpath(path)).suffix in (".toml", ".bib") and inputs.lies_in(path, folders)


def write_bytes(path: str | Path, data: bytes, **over: bool) -> Path:
    """Writes a whole file or nothing; `over` as of `writing`."""
    with writing(path, **over) as file:
        file.write(data)
    return Path(path)


def write_text(path: str | Path, text: str, **over: bool) -> Path:
    """Writes a text file whole or not at all; `over` as of `writing`."""
    return write_bytes(path, text.encode("utf-8"), **over)


def write_json(path: str | Path, data: Any) -> Path:
    """Writes JSON whole or not at all; a number that JSON cannot hold (NaN, infinity) is an error."""
    return write_text(path, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def require_folder(path: str | Path) -> Path:
    """Checks before any work that an output folder is there or can be made; makes nothing."""
    path = Path(path)
    try:
        with tempfile.TemporaryFile(dir=drafts.nearest_folder(path)):
            pass
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{path}: this folder cannot be written ({getattr(error, 'strerror', None) or error})\n"
            "    remedy: choose another with --out"
        ) from None
    return path


def require_writable(path: str | Path, **over: bool) -> Path:
    """Checks before any work that a file can be written, and that it replaces nothing that it must not (see
    `writing`).
    """
    path = Path(path)
    require_free(path, **over)
    if path.is_dir():
        raise OutputError(f"{path}: is a folder, not a file\n    remedy: name a file")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist\n    remedy: make it first")
    if _is_stream(path):
        return path
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path}: the folder {path.parent} cannot be written\n    remedy: choose another")
    if path.exists() and not os.access(path, os.W_OK):
        raise OutputError(f"{path}: is read-only\n    remedy: choose another, or let it be written")
    return path
