"""The lines of a parameter file: value, unit, spread, covariate effect, correlation, source, how seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pkpd.errors import fail, nearest
from pkpd.machine import store
from pkpd.machine.labels import Labelled, Row, named
from pkpd.parameters.correlations import Correlation
from pkpd.parameters.covariates import Covariate, register
from pkpd.parameters.effects import Effect
from pkpd.parameters.spread import Spread, in_unit


@dataclass(frozen=True)
class Value:
    """One line of a parameter file. `copies` is the spread between the copies of a part within a patient.

    Of patient i, P_i = f(c_i) x spread(value x mixture_i), with `copies` drawn around that before f: bounds
    of a spread hold before covariates.
    """

    name: str
    value: float
    unit: str
    where: str = ""
    seen: str = "user"
    source: str = ""
    text: str = ""
    spread: Spread | None = None
    copies: Spread | None = None
    effect: Effect | None = None


@dataclass(frozen=True, repr=False)
class Parameters(Labelled):
    """Values for the inputs of one model, and the covariates of its patients; without a model, patients
    alone.

    surrogate  the model whose values stand in for its own, where a set says so
    register   the covariates that are known: the library's, and those that the set registers
    stands_on  the file of the set and, of a fit's result, of what lies below it
    """

    name: str
    model: str
    title: str
    reference: str = ""
    text: str = ""
    values: tuple[Value, ...] = ()
    covariates: tuple[Value, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    draws: dict[str, tuple[float, ...]] = field(default_factory=dict, compare=False, hash=False)
    host: str = ""
    surrogate: str = ""
    register: dict[str, Covariate] = field(default_factory=register, hash=False)
    stands_on: tuple[str, ...] = field(default=(), compare=False, hash=False)

    def label(self) -> tuple[str, list[Row]]:
        rows = [
            ("model", self.model or "none: a set of patients"),
            ("values", named(v.name for v in self.values)),
            ("with spread", named(v.name for v in self.values if v.spread is not None)),
            ("covariates", named(c.name for c in self.covariates)),
        ]
        rows += [("draws", named(self.draws))] if self.draws else []
        return f"Parameters {self.name}: {self.title}", rows

    @property
    def where(self) -> str:
        """Its place in a message."""
        return self.name if self.name.endswith(".toml") else f"parameters/{self.name}"

    @property
    def hash(self) -> str:
        ranges = [self.register.get(c.name) for c in self.covariates]  # what follows others is kept in them
        return store.content_hash(self.values, self.covariates, self.correlations, ranges)

    def __iter__(self) -> Iterator[str]:
        return iter([v.name for v in (*self.values, *self.covariates)])

    def __contains__(self, name: object) -> bool:
        return name in [*self]

    def __getitem__(self, name: str) -> Value:
        for v in (*self.values, *self.covariates):
            if v.name == name:
                return v
        raise fail(f"parameters {self.name}", f"has no line {name!r}", nearest(str(name), self))

    def with_value(self, name: str, value: Value) -> Parameters:
        """The same set with one line replaced or added."""
        rest = tuple(v for v in self.values if v.name != name)
        return replace(self, values=(*rest, replace(value, name=name)))


def scaled(v: Value, factor: float, unit: str) -> Value:
    return replace(
        v,
        value=v.value * factor,
        unit=unit,
        spread=in_unit(v.spread, factor),
        copies=in_unit(v.copies, factor),
    )
