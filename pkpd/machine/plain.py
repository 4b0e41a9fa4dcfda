"""Values as JSON and back: numbers, texts, fractions, arrays, lists, tables and the dataclasses named.
Reading runs no code.

A tuple is a list; any other thing is a table of one key that says what it is.
"""

from __future__ import annotations

import base64
import json
from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any


def to_text(value: Any) -> str:
    """A value as JSON text."""
    return json.dumps(_packed(value), ensure_ascii=False, separators=(",", ":"))


def from_text(text: str, *classes: type) -> Any:
    """The value of a text; an error of any kind where it is none, or of a dataclass that is not named."""
    return _Reader({c.__name__: c for c in classes}).value(json.loads(text))


def _packed(value: Any) -> Any:
    if hasattr(value, "item") and value.shape == ():
        return value.item()  # a number of numpy is that number
    if isinstance(value, str | bool | int | float) or value is None:
        return value  # JSON writes a float to the bit
    if isinstance(value, tuple):
        return [_packed(v) for v in value]
    if isinstance(value, list):
        return {"list": [_packed(v) for v in value]}
    if isinstance(value, dict):
        return {"table": [[_packed(k), _packed(v)] for k, v in value.items()]}
    if isinstance(value, Fraction):
        return {"fraction": [value.numerator, value.denominator]}
    if hasattr(value, "tobytes") and hasattr(value, "dtype"):
        return {"array": [value.dtype.str, list(value.shape), base64.b64encode(value.tobytes()).decode()]}
    if is_dataclass(value) and not isinstance(value, type):
        return {type(value).__name__: [_packed(getattr(value, f.name)) for f in fields(value)]}
    raise TypeError(f"{type(value).__name__} is not plain data")


class _Reader:
    def __init__(self, classes: dict[str, type]):
        self.classes = classes

    def value(self, packed: Any) -> Any:
        if isinstance(packed, list):
            return tuple([self.value(v) for v in packed])
        if not isinstance(packed, dict):
            return packed
        ((kind, content),) = packed.items()
        if kind == "fraction":
            return Fraction(*content)
        if kind == "list":
            return [self.value(v) for v in content]
        if kind == "table":
            return {self.value(k): self.value(v) for k, v in content}
        if kind == "array":
            return _array(*content)
        return self.classes[kind](*[self.value(v) for v in content])


def _array(kind: str, shape: list[int], content: str) -> Any:
    import numpy as np

    if np.dtype(kind).kind not in "biuf":
        raise ValueError(kind)
    return np.frombuffer(base64.b64decode(content), dtype=kind).reshape(shape).copy()
