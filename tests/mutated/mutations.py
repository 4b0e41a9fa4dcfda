"""Random damage to an input: to its tables one value at a time, or to its bytes; and what a reader makes of it."""

from __future__ import annotations

import copy
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pkpd.errors import PkpdError

Path = tuple[str | int, ...]
SECONDS = 60  # in which an input is read or refused
ODD: tuple[Any, ...] = (
    "", "x", "−1", "1e999", "nan", "../x", "a/b.toml", "\u0000", "é" * 300, "1 mg", "7 day", "-3 day", "1 furlong",
    "CL", "Cc", "exp(1000)", "1/0", "(" * 60, "__import__('os')", 0, 1, -1, 2, 0.5, 1e-300, 1e300, -1e300,
    float("inf"), float("nan"), 10**30, True, False, [], {}, [1], ["x"], {"a": 1}, [[1], [2]], [{}])


@dataclass(frozen=True)
class Change:
    """One value changed: where, what was there, what is there now."""

    path: Path
    old: Any
    new: Any
    how: str


def values(tables: Any, above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value of some tables with its path."""
    pairs = tables.items() if isinstance(tables, dict) else enumerate(tables) if isinstance(tables, list) else ()
    for key, value in pairs:
        yield (*above, key), value
        yield from values(value, (*above, key))


def changed(tables: dict, rng: random.Random) -> tuple[dict, Change]:
    """The tables with one value replaced, scaled, misspelt, moved or removed."""
    mine = copy.deepcopy(tables)
    path, old = rng.choice(list(values(mine)))
    at: Any = mine
    for key in path[:-1]:
        at = at[key]
    last: Any = path[-1]
    how = rng.choice(_WAYS.get(type(old), ("odd", "gone", "renamed")))
    new = _new(old, how, [v for _, v in values(mine)], rng)
    if how == "gone":
        del at[last]
    elif how == "renamed" and isinstance(at, dict):
        del at[last]
        at[_misspelt(str(last), rng)] = old
    else:
        at[last] = new
    return mine, Change(path, old, new, how)


_NUMBER = ("odd", "gone", "renamed", "scaled", "negated", "zeroed", "other")
_WAYS: dict[type, tuple[str, ...]] = {int: _NUMBER, float: _NUMBER, bool: ("odd", "gone", "renamed", "negated"),
                                      str: ("odd", "gone", "renamed", "misspelt", "other", "misspelt")}


def _new(old: Any, how: str, all_values: list, rng: random.Random) -> Any:
    if how == "scaled":
        return old * 10.0 ** rng.choice([-12, -6, -3, -1, 1, 3, 6, 12])
    if how == "negated":
        return not old if isinstance(old, bool) else -old
    if how == "misspelt":
        return _misspelt(old, rng)
    if how == "other":
        return rng.choice([v for v in all_values if type(v) is type(old)])
    return {"zeroed": 0, "gone": None, "renamed": old}.get(how, rng.choice(ODD))


def _misspelt(text: str, rng: random.Random) -> str:
    k = rng.randrange(len(text) + 1)
    return rng.choice([text[:k] + text[k + 1:], text[:k] + rng.choice("xX0._- é*") + text[k:], text.swapcase(), text + text])


def damaged(raw: bytes, rng: random.Random) -> bytes:
    """Bytes cut, doubled, moved, or strewn with others."""
    a, b = sorted(rng.randrange(len(raw) + 1) for _ in range(2))
    b = min(b, a + rng.choice([1, 2, 8, 200]))
    noise = bytes(rng.choice(b"\x00\xff\xfe\r\n\t \"'[]{}=,;.#-+0123456789eExX@") for _ in range(rng.choice([1, 1, 2, 6])))
    return rng.choice([raw[:a] + raw[b:], raw[:a] + noise + raw[b:], raw[:a] + raw[a:b] * rng.choice([2, 3]) + raw[b:],
                       raw[:a], raw[:a] + noise + raw[a:], raw[b:] + raw[a:b]])


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """An input that takes longer is a hang."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"took over {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(read: Callable[[], object]) -> str:
    """`accepted`, `refused`, or the name and text of an error that is no PkpdError."""
    try:
        with within(SECONDS):
            read()
    except PkpdError as error:
        return "refused" if str(error).strip() else "refused without a word"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:120]}"
    return "accepted"
