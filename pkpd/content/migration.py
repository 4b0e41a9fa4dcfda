"""A content file of an older format to one of the newest, its comments kept; one without it is stamped."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pkpd.content import formats, library, toml
from pkpd.content.formats import KEY
from pkpd.content.toml import shown
from pkpd.errors import NotFound, fail
from pkpd.machine import store

_KEY = re.compile(rf"""^([ \t]*(?:{KEY}|"{KEY}"|'{KEY}')[ \t]*=[ \t]*)[^\s#]+""", re.M)
_TABLE = re.compile(r"^[ \t]*\[", re.M)
_HEADER = re.compile(r"(?:[ \t]*#[^\n]*\n)*")  # the comment that a file begins with


def numbered(text: str, number: int) -> str:
    """A file's text with its format set, or put in below the comment that it begins with."""
    first = _TABLE.search(text)
    top = text[: first.start()] if first else text
    if found := _KEY.search(top):
        return text[: found.start()] + found[1] + str(number) + text[found.end() :]
    newline = "\r\n" if "\r\n" in text else "\n"
    header = _HEADER.match(text)
    at = header.end() if header else 0
    gap = "" if text[at:].startswith(("\n", "\r\n")) or not text[at:].strip() else newline
    return f"{text[:at]}{KEY} = {number}{newline}{gap}{text[at:]}"


def own_file(name: str) -> Path:
    """A file that is named by its path, of whatever kind; never a library entry."""
    path = Path(name)
    try:
        there = path.is_file()
    except (OSError, ValueError):  # a name too long, a null byte
        there = False
    if not there:
        raise NotFound(
            f"{shown(name)[1:-1]}: no such file\n    remedy: name a file by its path, as in ./mine.toml"
        )
    return path


def migrated(text: str, where: str) -> str:
    """The text of a content file in the newest format; an error where a change cannot be made by rule."""
    data = toml.toml(text, where)
    kind = formats.kind_of(data)
    if not kind:
        raise fail(
            where,
            "is no kind of content",
            "a file begins with one of " + ", ".join(f"[{k}]" for k in formats.KINDS),
        )
    for change in formats.changes(data, formats.number_of(data, where)):
        if change.rewrite is None:
            raise fail(
                f"{where}: {KEY}",
                f"format {change.to} changed a {kind}: {change.what}; no rule can rewrite that",
                f"change it by hand, then write {KEY} = {change.to}",
            )
        text = change.rewrite(text)
    before, after = _parsed(text), _parsed(numbered(text, formats.newest()))
    if before is None or after != {**before, KEY: formats.newest()}:
        raise fail(
            where,
            "cannot be rewritten without a change of its content",
            f"write {KEY} = {formats.newest()} above its first table by hand",
        )
    return numbered(text, formats.newest())


def _parsed(text: str) -> dict | None:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def migrate(file: str, out: Path | None, in_place: bool) -> tuple[str, Path | None]:
    """The migrated text and where it was written: nowhere unless asked, itself only with `in_place`."""
    path = own_file(file)
    if out is not None and in_place:
        raise fail("--out", "cannot go with --in-place", "choose one of the two")
    if out is not None:
        if out.exists() and out.samefile(path):
            raise fail("--out", f"{out} is the file itself", "name another file, or ask for --in-place")
        store.require_writable(out)
    text = library.text_of(path)
    new = migrated(text, str(path))
    if in_place and new == text:
        return new, None
    target = path if in_place else out
    if target is not None:
        store.write_text(target, new, over_read=in_place, over_shipped=in_place)
    return new, target
