"""A model file as dataclasses: compartments, flows, variables, parameters; or parts and joins."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from pkpd.errors import fail, nearest
from pkpd.machine import store
from pkpd.machine.labels import Labelled, Row, named
from pkpd.model.expression import Tree


@dataclass(frozen=True)
class Parameter:
    """An input: constant for a patient, or constant between records; never below `low` or above `high`, in
    its unit.
    """

    name: str
    unit: str
    text: str = ""
    low: float = 0.0
    high: float = math.inf


@dataclass(frozen=True)
class Dose:
    """How a compartment receives doses: names of the parameters of its doses, as NONMEM's ALAGn, Fn, Rn, Dn.

    `forms` maps the forms in which the drug is prescribed to the parameter that holds each one's fraction.
    """

    lag: str = ""
    bioavailability: str = ""
    rate: str = ""
    duration: str = ""
    forms: tuple[tuple[str, str], ...] = ()

    def names(self) -> tuple[str, ...]:
        own = (self.lag, self.bioavailability, self.rate, self.duration, *(p for _, p in self.forms))
        return tuple(n for n in own if n)


@dataclass(frozen=True)
class Compartment:
    """A state: an amount that flows move. `scale`, where it is given, is its small magnitude, for error
    control.
    """

    name: str
    unit: str
    text: str = ""
    start: Tree = ("num", 0)
    dose: Dose | None = None
    scale: float | None = None


@dataclass(frozen=True)
class Variable:
    """A named expression."""

    name: str
    unit: str
    tree: Tree
    text: str = ""


@dataclass(frozen=True)
class Flow:
    """A transfer written once: what leaves `source` arrives in `target`; either may be empty (outside).

    In a composed model the rate is in the source's unit (the target's, without one) per time unit of the
    model, and `gain` brings it to the target's unit.
    """

    name: str
    source: str
    target: str
    tree: Tree
    text: str = ""
    gain: Fraction = Fraction(1)


@dataclass(frozen=True)
class Part:
    """A part of a system: the file it uses, its copies, and what its joins are bound to."""

    name: str
    use: str
    joins: tuple[tuple[str, str], ...] = ()
    n: int = 1
    chain: int = 1


@dataclass(frozen=True)
class ModelFile:
    """One model file, checked on its own; names are as its author wrote them.

    `joins` are parts whose copies it stands beside, one to each; `gathers` are parts of whose copies it sees
    the sums; `like` are the models whose lines are below its own, the nearest first.
    """

    name: str
    where: str
    title: str
    time: str
    reference: str = ""
    text: str = ""
    joins: tuple[str, ...] = ()
    gathers: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    compartments: tuple[Compartment, ...] = ()
    variables: tuple[Variable, ...] = ()
    flows: tuple[Flow, ...] = ()
    parts: tuple[Part, ...] = ()
    like: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Model(Labelled):
    """One flat system: every name carries its part (`lesion.2.sensitive`), every rate its factor.

    `variables` stand in the order in which they can be computed; `like` are the models whose lines it stands
    on.
    """

    name: str
    title: str
    time: str
    reference: str
    text: str
    parameters: tuple[Parameter, ...]
    compartments: tuple[Compartment, ...]
    variables: tuple[Variable, ...]
    flows: tuple[Flow, ...]
    parts: tuple[Part, ...] = ()
    like: tuple[str, ...] = ()

    def label(self) -> tuple[str, list[Row]]:
        rows = [
            ("time", self.time),
            ("states", named(self.states)),
            ("variables", named(v.name for v in self.variables)),
            ("inputs", named(self.inputs)),
        ]
        rows += [("parts", named(f"{p.name} ({p.use})" for p in self.parts))] if self.parts else []
        return f"Model {self.name}: {self.title}", rows

    @cached_property
    def states(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.compartments)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    def unit(self, name: str) -> str:
        """The unit of a parameter, compartment or variable."""
        rows = (*self.parameters, *self.compartments, *self.variables)
        for row in rows:
            if row.name == name:
                return row.unit
        raise fail(self.name, f"has no {name!r}", nearest(str(name), (r.name for r in rows)))

    def __iter__(self) -> Iterator[str]:
        """The names that a simulation can be asked for: states, variables, inputs."""
        return iter([*self.states, *(v.name for v in self.variables), *self.inputs])

    def __contains__(self, name: object) -> bool:
        return name in [*self]

    @cached_property
    def hash(self) -> str:
        """The content hash of what is computed: structure, not titles; drugs of one structure share compiled
        code.

        The bounds of parameters are no part of it: they refuse patients, and change nothing that is computed.
        """
        inputs = [Parameter(p.name, p.unit) for p in self.parameters]
        rows = (*self.compartments, *self.variables, *self.flows)
        return store.content_hash(self.time, [*inputs, *(replace(r, text="") for r in rows)])
