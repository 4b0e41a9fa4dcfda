"""A study of stability: whose disease, under which constant treatment, from which starts."""

from __future__ import annotations

from dataclasses import dataclass, field

from pkpd.model.model import Model
from pkpd.parameters.parameters import Parameters
from pkpd.study.stability.reduction import Place


@dataclass(frozen=True)
class Group:
    """Virtual patients of one biology with tumour in one place."""

    name: str
    title: str
    contexts: tuple[tuple[str, Parameters], ...] = field(repr=False)
    covariates: tuple[tuple[str, float], ...]
    place: Place


@dataclass(frozen=True)
class Given:
    """Inputs that a treatment sets, at constant values; none of them: untreated. Some are for the
    laws alone.
    """

    name: str
    title: str
    sets: tuple[tuple[str, float], ...]
    laws_only: bool = False


@dataclass(frozen=True)
class Strength:
    """A line that the search at fixed volume multiplies by each of some factors; `site.` is the site of a
    group's tumour.
    """

    name: str
    line: str
    times: tuple[float, ...]


@dataclass(frozen=True)
class Term:
    """A term of the model that is taken out, by lines that are set to zero."""

    name: str
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class StabilityStudy:
    """What is asked of a system: times in days, volumes in mL of viable tumour, effectors relative to their
    reference.

    below, above, held  control is less than `below` for the last `held` days without net growth, escape more
                        than `above`
    treated, followed   how long treatment lasts, and how long patients are followed, where the laws are
                        measured
    parameters, account the result of the fit and its account, or the library's values and nothing
    expected            real parts (1/day) that were expected before any were computed
    """

    name: str
    title: str
    text: str
    system: Model = field(repr=False)
    fit: str
    parameters: Parameters = field(repr=False)
    account: dict = field(repr=False)
    groups: tuple[Group, ...]
    treatments: tuple[Given, ...]
    strengths: tuple[Strength, ...]
    terms: tuple[Term, ...]
    volumes: tuple[float, ...]
    effectors: tuple[float, ...]
    run_in: float
    horizon: float
    below: float
    above: float
    held: float
    treated: float
    followed: float
    expected: tuple[float, float] = (0.0, 0.0)
    assumed: tuple[tuple[str, str, str, str], ...] = ()
    patients: int = 200
    draws: int = 24
    seed: int = 0

    @property
    def kind(self) -> str:
        return "stability"

    @property
    def compared(self) -> tuple[Given, ...]:
        """Treatments under which equilibria are sought."""
        return tuple(t for t in self.treatments if not t.laws_only)
