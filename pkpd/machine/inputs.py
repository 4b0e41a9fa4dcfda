"""What this process reads: where the library lies, and which files were read; no output takes the place of
either.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
ROOT = _PACKAGE / "_library" if (_PACKAGE / "_library").is_dir() else _PACKAGE.parent
SHIPPED = ("models", "parameters", "fits", "studies")  # the folders of the library's content, in ROOT
_READ: set[str] = set()


def note(path: str | Path) -> None:
    """Remembers a file as an input of this process."""
    _READ.add(os.path.abspath(path))


def was_read(path: str | Path) -> bool:
    """Whether a file that exists is an input, by whatever name: a link, another case, another path to it."""
    own = _stat(path)
    return own is not None and any(_same(own, _stat(p)) for p in tuple(_READ))


def lies_in(path: str | Path, folders: Iterable[Path]) -> bool:
    """Whether a file that exists is one of those in some folders, by whatever name."""
    own, folders = _stat(path), tuple(folders)
    if own is None:
        return False
    above, roots = [_stat(p) for p in Path(os.path.realpath(path)).parents], [_stat(f) for f in folders]
    if any(_same(at, root) for at in above if at for root in roots):
        return True
    return own.st_nlink > 1 and any(_same(own, _stat(p)) for f in folders for p in f.rglob("*"))


def _stat(path: str | Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None


def _same(one: os.stat_result, other: os.stat_result | None) -> bool:
    return other is not None and os.path.samestat(one, other)
