"""Finds content: library names in the shipped folders, anything with a slash or a suffix as a user's file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard, TypeVar

from pkpd.content.toml import LIMIT, parse, shown
from pkpd.errors import ContentError, Issue, NotFound, PkpdError, fail, nearest
from pkpd.machine import inputs

T = TypeVar("T")
FOLDERS = {
    "model": "models",
    "parameters": "parameters",
    "regimen": "models/regimens",
    "trial": "fits/trials",
    "fit": "fits",
    "result": "fits/results",
    "study": "studies",
    "exposures": "fits",
    "mechanisms": "parameters",
    "covariates": "parameters",
    "hosts": "parameters",
}
# kinds of one file each, which is none of the others in its folder
SINGLE = ("exposures", "mechanisms", "covariates", "hosts")


@dataclass(frozen=True)
class Source:
    """A content file as read: its library name (or path), its path, that path for messages, its
    TOML tables.
    """

    name: str
    path: str
    where: str
    data: dict


def names(kind: str) -> list[str]:
    """Library names of one kind, sorted."""
    folder = inputs.ROOT / FOLDERS[kind]
    known = _KNOWN.get((kind, folder))
    if known is None or any(_changed(at) != when for at, when in known[0]):
        known = _KNOWN[kind, folder] = _walked(folder, kind)
    return [*known[1]]


_Walk = tuple[list[tuple[str, int]], list[str]]
_KNOWN: dict[
    tuple[str, Path], _Walk
] = {}  # names are asked for thousands of times, and folders change seldom


def _walked(folder: Path, kind: str) -> _Walk:
    """The names of a kind, and of each folder walked when it changed last."""
    apart = {k for k in SINGLE if FOLDERS[k] == FOLDERS[kind]}
    stamps, found = [], []
    for at, below, files in os.walk(folder):
        stamps.append((at, _changed(at)))
        near = os.path.relpath(at, folder).replace(os.sep, "/")
        found += [
            f if near == "." else f"{near}/{f}"
            for f in (n.removesuffix(".toml") for n in files if n.endswith(".toml"))
        ]
        if kind != "model":
            below.clear()
        elif near == ".":
            below[:] = [b for b in below if b != "regimens"]
    wanted = (n == kind for n in found) if kind in SINGLE else (n not in apart for n in found)
    return stamps or [(str(folder), -1)], sorted(n for n, good in zip(found, wanted, strict=True) if good)


def _changed(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return -1


def is_path(name: str | Path, kind: str) -> bool:
    """Whether a name means a file of the user's own rather than a library entry."""
    if isinstance(name, Path):
        return True
    if not isinstance(name, str):
        raise fail(
            kind,
            f"{shown(name)} is neither a name nor a path",
            f"`pkpd list {_plural(kind)}` shows the names",
        )
    if Path(name).suffix:
        return True
    return "/" in name and not (kind == "model" and model_name(name) is not None)


def model_name(name: str) -> str | None:
    """A model's full library name from itself or from its last word when that is unique; none for what is no
    library's.
    """
    known = names("model")
    if name in known:
        return name
    tails = [n for n in known if n.rsplit("/", 1)[-1] == name]
    return tails[0] if len(tails) == 1 else None


def find(kind: str, name: str | Path) -> Path:
    """The file behind a name."""
    if is_path(name, kind):
        path = Path(name)
        if not is_file(path):
            offer = nearest(str(name), names(kind)) if kind == "model" else ""
            remedy = f"{offer} or " if offer.startswith("did") and not path.suffix else ""
            remedy = remedy or "a library name has no slash or suffix; "
            raise NotFound(
                f"{name}: no such file\n    remedy: {remedy}`pkpd list {_plural(kind)}` shows them"
            )
        return path
    full = model_name(str(name)) if kind == "model" else str(name)
    if full is None or full not in names(kind):
        raise NotFound(
            f"{name}: no {kind} of this name in the library\n    remedy: "
            f"{nearest(str(name), names(kind))} (`pkpd list {_plural(kind)}` shows all)"
        )
    return inputs.ROOT / FOLDERS[kind] / f"{full}.toml"


def is_file(path: Path) -> bool:
    """Whether a file is there that can be looked at."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, a folder that may not be entered, a null byte
        return False


def _plural(kind: str) -> str:
    return {
        "study": "studies",
        "parameters": "parameters",
        "result": "fits",
        "exposures": "drugs",
        "mechanisms": "parameters",
        "covariates": "parameters",
        "hosts": "parameters",
    }.get(kind, kind + "s")


def read(kind: str, name: str | Path) -> Source:
    """Reads a content file by name or path."""
    path = find(kind, name)
    own = is_path(name, kind)
    label = str(path) if own else (model_name(str(name)) if kind == "model" else str(name))
    where = str(path) if own else _short(path)
    return Source(str(label), str(path), where, parse(text_of(path), where))


def load(kind: str, name: str | Path, make: Callable[[dict, str, str], T]) -> T:
    """What `make` builds from a content file's tables, its name and where it is, for messages."""
    source = read(kind, name)
    return make(source.data, source.name, source.where)


def text_of(path: Path) -> str:
    """The text of a content file, its line ends as they are."""
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size <= LIMIT else b""
    except OSError as error:
        raise NotFound(f"{path}: cannot be read ({error.strerror})") from None
    inputs.note(path)
    if size > LIMIT:
        raise fail(
            str(path),
            f"is {size / 1e6:.1f} MB; a content file is at most {LIMIT / 1e6:.0f} MB",
            "split it, or move data out of it",
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise fail(str(path), "is not UTF-8 text", "save it as UTF-8") from None


def _short(path: Path) -> str:
    return path.relative_to(inputs.ROOT).as_posix()


def check_keys(data: object, known: Iterable[str], where: str, issues: list[Issue]) -> None:
    """Adds an issue for each key that is not among the known ones, or one for what is no table."""
    known = tuple(known)
    if not isinstance(data, dict):
        issues.append(Issue(where, f"{shown(data)} is not a table", "it holds " + ", ".join(known)))
        return
    for key in data:
        if key not in known:
            issues.append(Issue(f"{where}.{key}", "unknown key", nearest(key, known)))


def table(value: object, where: str, known: Iterable[str], issues: list[Issue]) -> dict:
    """A table with its keys checked; empty where it is missing or no table."""
    if value is None:
        return {}
    check_keys(value, known, where, issues)
    return value if isinstance(value, dict) else {}


def rows(value: object, where: str, known: Iterable[str], issues: list[Issue]) -> list[tuple[str, dict]]:
    """The place and table of each entry of a list of tables; what is no table is told and left out."""
    known = tuple(known)
    if not isinstance(value, list | None):
        key = where.split(" ")[-1].split(".")[-1]
        issues.append(
            Issue(
                where,
                f"{shown(value)} is not a list of tables",
                f"write {key} = [{{ … }}, …]" if "]." in where else f"write [[{key}]]",
            )
        )
        return []
    placed = [(f"{where}[{i + 1}]", entry) for i, entry in enumerate(value or ())]
    for place, entry in placed:
        check_keys(entry, known, place, issues)
    return [(place, entry) for place, entry in placed if isinstance(entry, dict)]


def text(data: dict, key: str, where: str, issues: list[Issue], need: bool = False) -> str:
    """A table's text, empty where it is left out; one that is needed is not empty."""
    value = data.get(key, "")
    if not isinstance(value, str):
        issues.append(Issue(f"{where}.{key}", f"{shown(value)} is not text", f'write {key} = "…"'))
    elif need and not value:
        issues.append(Issue(f"{where}.{key}", "is missing", f'add {key} = "…"'))
    return value if isinstance(value, str) else ""


def whole(value: object, least: int, most: int) -> TypeGuard[int]:
    """Whether a value of a file is a whole number within limits."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def counts(head: dict, limits: dict[str, tuple[int, int]], where: str, issues: list[Issue]) -> dict[str, int]:
    """The whole numbers that a table gives, each checked against its least and most."""
    for key, (least, most) in limits.items():
        if key in head and not whole(head[key], least, most):
            issues.append(
                Issue(
                    f"{where}.{key}",
                    f"{shown(head[key])} is not a whole number of at least {least}",
                    f"from {least} to {most}",
                )
            )
    return {k: head[k] for k in limits if k in head}


def check_name(kinds: tuple[str, ...], name: str, where: str, issues: list[Issue]) -> None:
    """Adds an issue where a name is neither in the library, under one of the kinds, nor a file."""
    try:
        find(next((k for k in kinds if name in names(k)), kinds[0]), name)
    except NotFound as error:
        issues.append(named(error, name, where))


def named(error: PkpdError, name: str, where: str) -> Issue:
    """What is wrong with a name, as an issue of the place that it is used at."""
    what, _, remedy = str(error).partition("\n    remedy: ")
    return Issue(where, shown(name) + what.removeprefix(name), remedy)


def raise_issues(issues: list[Issue]) -> None:
    """Raises all issues of a file at once, if there are any."""
    if issues:
        raise ContentError(issues)
