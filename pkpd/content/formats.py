"""The format that a content file is written in: a number, read in one place; and what each changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pkpd.errors import ContentError, Issue, fail
from pkpd.machine.version import VERSION

FIRST = 1  # of every file that carries no number: all files were of it before numbers were written
KEY = "format"
KINDS = (
    "model",
    "regimen",
    "trial",
    "study",
    "exposures",
    "mechanisms",
    "fit",
    "parameters",
    "covariates",
    "hosts",
)  # by the table a file has


@dataclass(frozen=True)
class Change:
    """What a newer format changed in one kind of file.

    to       the format that came with it
    kind     of file: one of KINDS, or "result"
    what     changed, as a message tells it
    rewrite  the text of a file before the change to its text after it; None where only its author can tell
    """

    to: int
    kind: str
    what: str
    rewrite: Callable[[str], str] | None = None


CHANGES: tuple[Change, ...] = ()  # in the order of `to`


def newest() -> int:
    """The format that this pkpd reads and writes."""
    return max((c.to for c in CHANGES), default=FIRST)


def kind_of(data: dict) -> str:
    """The kind of a content file by its tables; empty where they name none."""
    if "parameters" in data and "fit" in data:
        return "result"
    return next((k for k in KINDS if k in data), "")


def number_of(data: dict, where: str) -> int:
    """The format that a file's tables say; an error where it is none, or newer than this pkpd."""
    given = data.get(KEY, FIRST)
    if not isinstance(given, int) or isinstance(given, bool) or given < FIRST:
        raise fail(
            f"{where}: {KEY}",
            f"{repr(given)[:40]} is not the number of a format",
            f"write {KEY} = {newest()}",
        )
    if given > newest():
        shown = f"{given:d}" if given < 10**9 else "its number"
        raise fail(
            f"{where}: {KEY}",
            f"{shown} is made for a newer pkpd: this one reads up to {newest()}",
            "install the pkpd that it was made with, or a newer one",
        )
    return given


def changes(data: dict, given: int) -> list[Change]:
    """What changed for a file of some format since."""
    return [c for c in CHANGES if c.kind == kind_of(data) and c.to > given]


def unnumbered(data: dict, where: str) -> dict:
    """A file's tables without its number, for readers that need not know of it.

    A file of an older format is read as long as nothing of its kind has changed since; else each is named.
    """
    given = number_of(data, where)
    said = f"is {given}" if KEY in data else f"is missing, which stands for {FIRST}"
    issues = [
        Issue(f"{where}: {KEY}", f"{said}; format {c.to} changed a {c.kind}: {c.what}", _remedy(c))
        for c in changes(data, given)
    ]
    if issues:
        raise ContentError(issues)
    return {k: v for k, v in data.items() if k != KEY}


def _remedy(change: Change) -> str:
    if change.rewrite is None:
        return f"change it by hand, then write {KEY} = {change.to}"
    return "`pkpd migrate FILE --in-place` rewrites it"


def stamped(data: dict[str, Any]) -> dict[str, Any]:
    """A result that is an object, with its format and the version of pkpd that made it in front."""
    rest = {k: v for k, v in data.items() if k not in (KEY, "version")}
    return {KEY: newest(), "version": VERSION, **rest}
