"""The cache folder: what took long to make, kept for the next process. Nothing in it can do more harm than
cost time.

Content is kept with a digest of itself and of its name: what is cut, changed or exchanged is made anew. It is
read only where none but this user could have written it (compiled code does what it says, and no digest tells
who made it).
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pkpd.machine import drafts, plain

_TOLD: set[Path] = set()
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def folder() -> Path | None:
    """The user's cache folder of pkpd (`PKPD_CACHE` overrides it), made if need be; None where there is none
    to be trusted.
    """
    try:
        root = Path(os.path.realpath(_wanted()))
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _own(os.lstat(root), stat.S_ISDIR):
            return root
    except (OSError, RuntimeError, ValueError):  # nowhere to write, no home, no path
        return None
    if root not in _TOLD:
        _TOLD.add(root)
        logging.getLogger("pkpd").warning(
            "%s: others could have written this cache folder, so it is not used: everything is made anew "
            "each time\n"
            "    remedy: chmod 700 it if it is yours alone, or set PKPD_CACHE to a folder that is",
            root,
        )
    return None


def _wanted() -> Path:
    if own := os.environ.get("PKPD_CACHE"):
        return Path(own)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "pkpd"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pkpd"


def _own(found: os.stat_result, kind: Callable[[int], bool]) -> bool:
    """Whether a file or folder is of the kind, this user's, and writable by no other."""
    if not kind(found.st_mode):
        return False
    return not hasattr(os, "geteuid") or (found.st_uid == os.geteuid() and not found.st_mode & _OTHERS)


def load(kind: str, key: str) -> bytes | None:
    """What was kept under (kind, key); None where there is nothing, or not what was written, or not by this
    user.
    """
    root = folder()
    if root is None:
        return None
    try:
        if not _own(os.lstat(root / kind), stat.S_ISDIR):
            return None
        with open(root / kind / key, "rb", opener=_no_link) as file:
            content = file.read() if _own(os.fstat(file.fileno()), stat.S_ISREG) else b""
    except OSError:
        return None
    digest, _, content = content.partition(b"\n")
    return content if digest == _digest(kind, key, content) else None


def save(kind: str, key: str, content: bytes) -> None:
    """Keeps content under (kind, key), whole or not at all; nothing is kept where that cannot be."""
    root = folder()
    if root is None:
        return
    with suppress(OSError):
        (root / kind).mkdir(mode=0o700, exist_ok=True)
        draft = drafts.Draft(root / kind / key, 0o600)
        try:
            os.fchmod(draft.file.fileno(), 0o600) if hasattr(os, "fchmod") else None
            draft.file.write(_digest(kind, key, content) + b"\n" + content)
            drafts.place_all([draft], durable=False)
        finally:
            draft.drop()


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _digest(kind: str, key: str, content: bytes) -> bytes:
    return hashlib.sha256(f"{kind}/{key}\n".encode() + content).hexdigest().encode()


def remember(kind: str, key: str, make: Callable[[], Any], *classes: type) -> Any:
    """The value kept under (kind, key), made and kept on first use; made each time where nothing can be kept.

    It is plain data: see `pkpd.machine.plain`. `classes` are the dataclasses in it.
    """
    found = _value(load(kind, key), *classes)
    if found is None:
        found = make()
        save(kind, key, plain.to_text(found).encode())
    return found


def _value(content: bytes | None, *classes: type) -> Any | None:
    try:
        return None if content is None else plain.from_text(content.decode(), *classes)
    except Exception:  # written by other code: data can be of another form in a dozen ways
        return None


def checkpoint(kind: str, key: str, value: Any) -> None:
    """Keeps the state of a long run, which is plain data, where it can be kept."""
    save(kind, f"{key}.checkpoint", plain.to_text(value).encode())


def restore(kind: str, key: str) -> Any | None:
    """The kept state of a long run, or None."""
    return _value(load(kind, f"{key}.checkpoint"))


def forget(kind: str, key: str) -> None:
    """Drops the kept state of a long run."""
    root = folder()
    if root is not None:
        with suppress(OSError):
            (root / kind / f"{key}.checkpoint").unlink(missing_ok=True)
