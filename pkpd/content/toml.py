"""TOML text to tables: a content file's, or what a notebook hands over."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from typing import Any

from pkpd.content import formats
from pkpd.errors import fail

_DEEP = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){20}"""
)  # dotted keys: quadratic to parse


LIMIT = 1_000_000  # bytes: no content file is larger; refuses a hostile one before it is parsed


def parse(text: str, where: str) -> dict:
    """TOML text to tables, its format checked and left out; an error as of `toml`."""
    return formats.unnumbered(toml(text, where), where)


def toml(text: str, where: str) -> dict:
    """TOML text to tables as they are; a syntax error, a duplicate key among them, names the place."""
    if len(text) > LIMIT:
        raise fail(where, f"is over {LIMIT / 1e6:.0f} MB", "split it, or move data out of it")
    try:
        return _copied(_tables(text))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        reason = (
            "is nested too deeply" if isinstance(error, RecursionError) else f"is not valid TOML: {error}"
        )
        raise fail(where, reason, "mend the line named; a key may be given once only") from None


def _copied(value: Any) -> Any:
    """Tables and lists anew, so that a reader may change them; what they hold cannot be changed."""
    if isinstance(value, dict):
        return {k: _copied(v) if isinstance(v, dict | list) else v for k, v in value.items()}
    return [_copied(v) if isinstance(v, dict | list) else v for v in value]


def tables(source: object, where: str) -> dict:
    """The tables that a notebook hands over: TOML text, or a dictionary as TOML would give it."""
    if isinstance(source, str):
        return parse(source, where)
    if isinstance(source, dict):
        return formats.unnumbered(_copied(source), where)
    raise fail(
        where,
        f"{shown(source)} is neither TOML text nor a dictionary",
        "hand over the text of a file, or load one by name or path",
    )


@lru_cache(1024)
def _tables(text: str) -> dict:
    """The tables of a text, read once: the library's files are asked for again and again."""
    if _DEEP.search(text):
        raise RecursionError
    return tomllib.loads(text)


def shown(value: object) -> str:
    """A value as its author wrote it, cut where it is too long to print."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return "a value too large to print"
    return text if len(text) <= 80 else text[:77] + "…"
