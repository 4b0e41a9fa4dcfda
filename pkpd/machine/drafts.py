"""Files that appear under their names whole or not at all, whatever stops the process, and leave nothing else
behind.

A draft has no name while it is written, where the file system has such files (O_TMPFILE): then even a process
that is killed leaves nothing. Elsewhere it is a hidden file that its writer holds a lock on, and the next
writer of the same target removes those that nobody holds.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MARK = ".pkpd-part"


class Draft:
    """A file being written to `file`, to be placed at `target`; its folder is made when it is placed."""

    def __init__(self, target: Path, mode: int = 0o666):
        self.target, self.name = target, None
        self._near = nearest_folder(target.parent)
        try:
            handle = _nameless(self._near, mode)
        except (AttributeError, OSError):  # not on this system, or not on this file system
            self.name, handle = _named(self._near, target, mode)
        _lock(handle)
        with suppress(OSError, AttributeError):  # a file that is replaced keeps its rights
            os.fchmod(handle, stat.S_IMODE(os.stat(target).st_mode))
        self.file = os.fdopen(handle, "wb")

    def finish(self, durable: bool = True) -> None:
        """All that was written reaches the disk, under a hidden name beside the target."""
        self.file.flush()
        if durable:
            os.fsync(self.file.fileno())
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if self.name is None:
            name = self._near / _hidden(self.target)
            # a folder is named, though the path is absolute, for only then are links followed
            os.link(
                f"/proc/self/fd/{self.file.fileno()}",
                name,
                src_dir_fd=self.file.fileno(),
                follow_symlinks=True,
            )
            self.name = name

    def place(self) -> None:
        """The finished draft takes its target's name."""
        if self.name is None:
            raise RuntimeError("a draft is finished before it is placed")
        if fcntl is None:
            self.file.close()
        os.replace(self.name, self.target)
        self.name = None
        self.file.close()

    def drop(self) -> None:
        """Nothing is left of it."""
        if self.name is not None:
            self.name.unlink(missing_ok=True)
        with suppress(OSError):  # what is still to be written has no room
            self.file.close()


def place_all(drafts: Sequence[Draft], durable: bool = True) -> None:
    """All drafts take their names, once each is whole on the disk; a signal waits until they have."""
    for draft in drafts:
        if draft.target.is_dir():
            raise IsADirectoryError(21, "Is a directory", None)
        draft.finish(durable)
    with _undisturbed():
        for draft in drafts:
            draft.place()


def sweep(target: Path) -> None:
    """Removes what writers of this target left that were killed."""
    near, mine = nearest_folder(target.parent), _hidden(target).split(".")[1]
    with suppress(OSError):
        for entry in os.scandir(near):
            if entry.name.startswith(f".{mine}.") and entry.name.endswith(MARK):
                _remove_idle(entry.path)


def nearest_folder(folder: Path) -> Path:
    """The folder itself, or the nearest one above that exists."""
    folder = Path(os.path.abspath(folder))
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _hidden(target: Path) -> str:
    own = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]
    return f".{own}.{secrets.token_hex(6)}{MARK}"


def _nameless(folder: Path, mode: int) -> int:
    if not os.path.isdir("/proc/self/fd"):
        raise OSError("a name could not be given later")
    return os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, mode)


def _named(folder: Path, target: Path, mode: int) -> tuple[Path, int]:
    while True:
        name = folder / _hidden(target)
        handle = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), mode)
        if not _lock(handle) or os.fstat(handle).st_nlink:
            return name, handle
        os.close(handle)  # taken for a dead one before it was locked


def _lock(handle: int) -> bool:
    """Whether this process now holds a file; never where files cannot be locked."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_idle(path: str) -> None:
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        try:
            if _lock(handle):
                os.unlink(path)
        finally:
            os.close(handle)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals that stop a process wait until the end of the block."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
