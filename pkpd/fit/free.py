"""What a fit may move: a line's value, its spread's sd or a mixture's share, of the disease or of a context
of arms.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit

from pkpd.parameters.parameters import Parameters
from pkpd.trial.prepare import Prepared

SCALES = {"log": (np.log, np.exp), "logit": (logit, expit), "linear": (lambda x: x, lambda x: x)}
WHATS = ("value", "sd", "mixture")


@dataclass(frozen=True)
class Free:
    """One free quantity: a line's value, its spread's sd, or the share of a mixture's last component.

    Its score s is s = ln x, ln(x / (1 - x)) or x by `scale`; the prior is normal on that scale, s ~ N(s(at),
    sd^2): `at` is its centre in the line's unit, `sd` its size on the scale.
    context  the context of arms whose line it is; the disease's own parameters if empty
    apart    whether contexts may lie over it: then it is that of all other patients
    tie      lines that take the same value
    """

    name: str
    line: str
    what: str
    scale: str
    at: float
    sd: float
    context: str = ""
    apart: bool = False
    tie: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        return (self.line, *self.tie)

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of its lines among the draws of a result."""
        before, after = (
            f"{self.context}/" if self.context else "",
            "" if self.what == "value" else f":{self.what}",
        )
        return tuple(f"{before}{line}{after}" for line in self.lines)

    @property
    def key(self) -> str:
        return self.keys[0]

    def to_scale(self, value: np.ndarray | float) -> np.ndarray | float:
        return SCALES[self.scale][0](value)

    def from_scale(self, score: np.ndarray | float) -> np.ndarray | float:
        return SCALES[self.scale][1](score)

    def put(self, parameters: Parameters, value: float) -> Parameters:
        """The parameters with this quantity set in each of its lines."""
        for line in self.lines:
            parameters = put(parameters, line, self.what, value)
        return parameters


def put(parameters: Parameters, name: str, what: str, value: float) -> Parameters:
    """The parameters with a line's value, its spread's sd or its mixture's last share set."""
    line = parameters[name]
    if what == "value":
        return parameters.with_value(name, replace(line, value=value))
    assert line.spread is not None
    if what == "sd":
        return parameters.with_value(name, replace(line, spread=replace(line.spread, sd=value)))
    rest = np.array(line.spread.weights[:-1])
    weights = (*(rest / rest.sum() * (1 - value)).tolist(), value)
    return parameters.with_value(name, replace(line, spread=replace(line.spread, weights=weights)))


@dataclass(frozen=True)
class Point:
    """The disease's parameters, and what is set in contexts that arms lay on top: context, line,
    what, value.
    """

    parameters: Parameters
    laid: tuple[tuple[str, str, str, float], ...] = ()

    def of(self, prepared: Prepared) -> Prepared:
        """The patients of an arm with this point's values in their contexts."""
        return replace(
            prepared, contexts=tuple((name, self.within(name, own)) for name, own in prepared.contexts)
        )

    def within(self, context: str, own: Parameters) -> Parameters:
        """A context with what this point sets in it."""
        for name, line, what, value in self.laid:
            own = put(own, line, what, value) if name == context else own
        return own


def point(parameters: Parameters, values: Iterable[tuple[str, float]]) -> Point:
    """The parameters with values put where their keys say; see `Free.keys`."""
    laid = []
    for key, value in values:
        line, _, what = key.partition(":")
        context, _, line = line.rpartition("/")
        if context:
            laid.append((context, line, what or "value", value))
        else:
            parameters = put(parameters, line, what or "value", value)
    return Point(parameters, tuple(laid))


def put_all(free: tuple[Free, ...], parameters: Parameters, scores: np.ndarray) -> Point:
    """The parameters at a point on the free scales."""
    return point(
        parameters,
        [(key, float(f.from_scale(score))) for f, score in zip(free, scores, strict=True) for key in f.keys],
    )
