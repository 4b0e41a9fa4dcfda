"""Random damage to an input: to its tables one value at a time, or to its bytes; and what a reader makes of
it.
"""

from __future__ import annotations

import copy
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as clock
from typing import Any

from pkpd.errors import PkpdError

Path = tuple[str | int, ...]
SECONDS = 60  # in which an input is read or refused
ODD: tuple[Any, ...] = (
    "",
    "x",
    "−1",
    "1e999",
    "nan",
    "../x",
    "../../etc",
    "a/b.toml",
    "\u0000",
    "é",
    "é" * 300,
    "a" * 5000,
    "9" * 5000,
    "ＣＬ",
    "1 mg",
    "7 day",
    "-3 day",
    "1 furlong",
    "1e9 mg",
    "1e400 mg",
    "kg**99",
    "mg/0",
    "degC",
    "mg\n",
    "day",
    "CL",
    "Cc",
    "K * central",
    "next.central",
    "hill(1, 0, 1)",
    "sqrt(-1)",
    "0/0",
    "1/0",
    "1/3",
    "exp(1000)",
    "exp(exp(exp(10)))",
    "2**2**2**2**2",
    "9**9**9",
    "(" * 60,
    "[" * 500,
    "(" * 200 + "1" + ")" * 200,
    "__import__('os')",
    "__class__",
    "drugs/oxaliplatin",
    "systems/crlm",
    "parameters/x",
    0,
    1,
    -1,
    2,
    65,
    0.5,
    -0.0,
    5e-324,
    1e-300,
    1e300,
    -1e300,
    1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
    10**30,
    10**400,
    -(10**400),
    True,
    False,
    [],
    [[]],
    {},
    [1],
    ["x"],
    ["a", 1],
    {"a": 1},
    [[1], [2]],
    [["x"]],
    [{}],
    {"law": "lognormal", "sd": 1e9},
    {"law": "lognormal", "cv": 1e200},
    {"law": "normal", "sd": 1e300},
    {"law": [], "sd": {}},
    {"law": "uniform", "low": -1e300, "high": 1e300},
    {"law": "categorical", "values": [], "weights": []},
    {"is": "BSA", "reference": {"BSA": 1}},
    {"is": "1/(BSA - 2)", "reference": {"BSA": 3}},
    {"unit": "1"},
    {"lag": "CL", "forms": {"": ""}},
    date(2020, 1, 1),
    datetime(2020, 1, 1),
    clock(1, 2),
)
NAMES = (
    "CL",
    "V",
    "BSA",
    "central",
    "unit",
    "value",
    "spread",
    "effect",
    "low",
    "high",
    "copies",
    "use",
    "n",
    "chain",
    "next",
    "exp",
    "",
    "1",
    "é",
    "a" * 60,
    "K.L",
    "class",
    "model",
    "parameters",
    "parts",
    "like",
    "joins",
    "seen",
    "where",
)


@dataclass(frozen=True)
class Change:
    """One value changed: where, what was there, what is there now."""

    path: Path
    old: Any
    new: Any
    how: str


def values(tables: Any, above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value of some tables with its path."""
    pairs = (
        tables.items() if isinstance(tables, dict) else enumerate(tables) if isinstance(tables, list) else ()
    )
    for key, value in pairs:
        yield (*above, key), value
        yield from values(value, (*above, key))


def changed(tables: dict, rng: random.Random) -> tuple[dict, Change]:
    """The tables with one value replaced, scaled, misspelt, renamed, added or removed."""
    mine = copy.deepcopy(tables)
    path, old = rng.choice(list(values(mine)))
    at: Any = mine
    for key in path[:-1]:
        at = at[key]
    last: Any = path[-1]
    if isinstance(old, dict) and rng.random() < 0.2:
        name, new = rng.choice(NAMES), copy.deepcopy(rng.choice(ODD))
        old[name] = new
        return mine, Change((*path, name), None, new, "added")
    how = rng.choice(_WAYS.get(type(old), ("odd", "gone", "renamed")))
    if how == "gone" or (how == "renamed" and not isinstance(at, dict)):
        del at[last]
        return mine, Change(path, old, None, "gone")
    if how == "renamed":
        name = _misspelt(str(last), rng)
        at[name] = at.pop(last)
        return mine, Change(path, last, name, how)
    new = at[last] = _new(old, how, [v for _, v in values(mine)], rng)
    return (
        changed(tables, rng) if new == old and type(new) is type(old) else (mine, Change(path, old, new, how))
    )


_NUMBER = ("odd", "gone", "renamed", "scaled", "negated", "zeroed", "other")
_WAYS: dict[type, tuple[str, ...]] = {
    int: _NUMBER,
    float: _NUMBER,
    bool: ("odd", "gone", "renamed", "negated"),
    str: ("odd", "gone", "renamed", "misspelt", "other", "misspelt"),
}


def _new(old: Any, how: str, all_values: list, rng: random.Random) -> Any:
    if how == "scaled":
        return old * 10.0 ** rng.choice([-12, -6, -3, -1, 1, 3, 6, 12])
    if how == "negated":
        return not old if isinstance(old, bool) else -old
    if how == "misspelt":
        return _misspelt(old, rng)
    if how == "other":
        return rng.choice([v for v in all_values if type(v) is type(old)])
    return 0 if how == "zeroed" else copy.deepcopy(rng.choice(ODD))


def _misspelt(text: str, rng: random.Random) -> str:
    k = rng.randrange(len(text)) if text else 0
    return rng.choice(
        [
            text[:k] + text[k + 1 :],
            text[:k] + rng.choice("xX0._- é*") + text[k:],
            text.swapcase(),
            text + text,
        ]
    )


def damaged(raw: bytes, rng: random.Random) -> bytes:
    """Bytes cut, doubled, moved, or strewn with others."""
    a, b = sorted(rng.randrange(len(raw) + 1) for _ in range(2))
    b = min(b, a + rng.choice([1, 2, 8, 200]))
    noise = bytes(
        rng.choice(b"\x00\xff\xfe\r\n\t \"'[]{}=,;.#-+0123456789eExX@")
        for _ in range(rng.choice([1, 1, 2, 6]))
    )
    return rng.choice(
        [
            raw[:a] + raw[b:],
            raw[:a] + noise + raw[b:],
            raw[:a] + raw[a:b] * rng.choice([2, 3]) + raw[b:],
            raw[:a],
            raw[:a] + noise + raw[a:],
            raw[b:] + raw[a:b],
        ]
    )


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
