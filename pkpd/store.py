"""Content hashes, the cache folder, atomic writes and checkpoints: one of each for everything."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import IO, Any

from pkpd.errors import OutputError, PkpdError


def cache_folder() -> Path:
    """The user's cache folder of pkpd (`PKPD_CACHE` overrides it)."""
    if own := os.environ.get("PKPD_CACHE"):
        folder = Path(own)
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Caches" / "pkpd"
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pkpd"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: the cache folder cannot be made ({error.strerror})\n"
                          "    remedy: set PKPD_CACHE to a folder that can be written") from None
    return folder


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(value)  # JSON writes it as a number, so that 1.0 is not "1.0"; a numpy float is its value
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
    """A short hash of this package's code: of all, or of the files and folders named."""
    root = Path(__file__).parent
    files = sorted({f for n in names or ("",) for f in [root / n, *(root / n).rglob("*.py")] if f.suffix == ".py"})
    return content_hash([[f.relative_to(root).as_posix(), f.read_text(encoding="utf-8")] for f in files])


@contextmanager
def writing(path: str | Path) -> Iterator[IO[bytes]]:
    """A file written whole or not at all: a neighbour is written in the block, then renamed over the target."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})\n"
                          "    remedy: choose a folder that exists and can be written") from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, PkpdError) and error.filename in (None, temporary):
            raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None
        raise


def write_bytes(path: str | Path, data: bytes) -> Path:
    """Writes a whole file or nothing."""
    with writing(path) as file:
        file.write(data)
    return Path(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | Path, text: str) -> Path:
    """Writes a text file whole or not at all."""
    return write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, data: Any) -> Path:
    """Writes JSON whole or not at all; a number that JSON cannot hold (NaN, infinity) is an error."""
    return write_text(path, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def require_folder(path: str | Path) -> Path:
    """Makes an output folder, or says at once why it cannot be written, before any work is done."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise OutputError(f"{path}: this folder cannot be written ({error.strerror})\n"
                          "    remedy: choose another with --out") from None
    return path


def require_writable(path: str | Path) -> Path:
    """Checks before any work that a file's folder can be written."""
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path}: is a folder, not a file\n    remedy: name a file")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist\n    remedy: make it first")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path}: the folder {path.parent} cannot be written\n    remedy: choose another")
    return path


def remember(kind: str, key: str, make: Callable[[], Any]) -> Any:
    """The pickled value kept under (kind, key), made and kept on first use; made each time where nothing can be kept."""
    try:
        return pickle.loads((cache_folder() / kind / f"{key}.pickle").read_bytes())
    except Exception:  # absent, or not what was written: a pickle can fail in a dozen ways
        value = make()
        with suppress(OutputError):
            write_bytes(cache_folder() / kind / f"{key}.pickle", pickle.dumps(value))
        return value


def checkpoint(kind: str, key: str, value: Any) -> None:
    """Keeps the state of a long run."""
    write_bytes(cache_folder() / kind / f"{key}.checkpoint", pickle.dumps(value))


def restore(kind: str, key: str) -> Any | None:
    """The kept state of a long run, or None."""
    try:
        return pickle.loads((cache_folder() / kind / f"{key}.checkpoint").read_bytes())
    except Exception:  # absent, or not what was written
        return None


def forget(kind: str, key: str) -> None:
    """Drops the kept state of a long run."""
    (cache_folder() / kind / f"{key}.checkpoint").unlink(missing_ok=True)
