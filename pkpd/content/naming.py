"""What results call things by: nothing that a machine is told hangs on the folder that a file lies in."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def called(name: str | Path) -> str:
    """The name that results give: a library entry's as it is, a file's own without its folder and suffix."""
    text = str(name)
    return Path(text).stem if isinstance(name, Path) or text.endswith(".toml") else text


def file_of(name: str | Path) -> str:
    """A file's name without its folder, a library entry's as it is: an account tells the two apart by it."""
    text = str(name)
    return Path(text).name if isinstance(name, Path) or text.endswith(".toml") else text


def placeless(value: Any) -> Any:
    """Tables in which no name of a file stands, to be hashed: what the files hold is hashed apart."""
    if isinstance(value, dict):
        return {k: placeless(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [placeless(v) for v in value]
    return ".toml" if isinstance(value, str) and value.endswith(".toml") else value


def folderless(data: Any) -> Any:
    """Plain data in which nothing that is named after a file has the folder in its `name`."""
    if isinstance(data, dict):
        return {
            k: called(v) if k == "name" and isinstance(v, str) else folderless(v) for k, v in data.items()
        }
    return [folderless(v) for v in data] if isinstance(data, list) else data
