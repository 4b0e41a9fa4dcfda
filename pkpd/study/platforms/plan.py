"""A study of experimental platforms: where the same treatments are given, and what is uncertain."""

from __future__ import annotations

from dataclasses import dataclass, field

from pkpd.model.model import Model
from pkpd.parameters import hosts
from pkpd.parameters.parameters import Parameters

SITES = ("hepatic", "extrahepatic")


@dataclass(frozen=True)
class Share:
    """A number that a platform assumes, and the ends between which draws lie."""

    value: float
    low: float
    high: float
    where: str = ""
    seen: str = "user"


@dataclass(frozen=True)
class Platform:
    """Where tumours are treated: a parameter set, the site that is read, days before treatment and of it.

    `delivery` is the share of a nanoparticle that arrives, `take` the share of subjects that have a tumour to
    read.
    """

    name: str
    title: str
    parameters: Parameters
    reads: str
    run_in: float
    until: float
    delivery: Share
    take: Share

    @property
    def host(self) -> str:
        return self.parameters.host or hosts.HUMAN


@dataclass(frozen=True)
class Treatment:
    """Inputs of the system at full dose; `delivered` by nanoparticle, or released by a depot at one lesion
    (1/day, days).
    """

    name: str
    title: str
    group: str
    sets: tuple[tuple[str, float], ...]
    delivered: bool = False
    release: float = 0.0
    every: float = 0.0


@dataclass(frozen=True)
class Uncertain:
    """Lines of the parameter sets that draws multiply by one factor within `times`, in every platform or in
    one host's.
    """

    name: str
    lines: tuple[str, ...]
    times: tuple[float, float]
    host: str = ""
    where: str = ""
    seen: str = "user"


@dataclass(frozen=True)
class PlatformStudy:
    """The same treatments on each platform; times in days. `human` names the platform that the others are
    compared with.
    """

    name: str
    title: str
    text: str
    reference: str
    system: Model = field(repr=False)
    human: str
    platforms: tuple[Platform, ...]
    treatments: tuple[Treatment, ...]
    uncertain: tuple[Uncertain, ...]
    levels: tuple[float, ...]
    horizon: float
    visits: float
    patients: int = 40
    draws: int = 24
    seed: int = 0

    @property
    def kind(self) -> str:
        return "platforms"

    def platform(self, name: str) -> Platform:
        return next(p for p in self.platforms if p.name == name)
