"""The map of mechanisms and therapies: where the library has each, how to switch it, what should move."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

SYSTEM = "crlm_immune_full"
KINDS = ("mechanism", "therapy", "marker", "platform")
GRADES = ("clinical", "in vivo", "in vitro", "none")
REVIEWS = ("000", "001", "002")
GOES = ("up", "down")
BURDEN, ORR = "systemic.burden", "ORR"
WEEKS = (2, 8, 16, 24)  # at which a readout can be looked at


@dataclass(frozen=True)
class Change:
    """What a switch does to one line of inputs: sets it, or multiplies what each patient has; for some days
    or for good.
    """

    line: str
    value: float
    times: bool = False
    days: float = float("inf")


@dataclass(frozen=True)
class Context:
    """Patients in whom switches are looked at: covariates, parameter sets laid on top, settings from the
    start, treatment.
    """

    name: str
    text: str
    patients: tuple[tuple[str, float], ...]
    sets: tuple[str, ...]
    always: tuple[Change, ...]
    treated: tuple[Change, ...]


@dataclass(frozen=True)
class Entry:
    """One mechanism or therapy that a review names.

    home      terms of `system` (inputs, compartments, variables, flows, parts) or a context,
              `parameters/NAME`; empty where there is none, and `why` says so
    sets      parameter sets laid on top
    always    changes from the start of the run-in; treated: from the start of treatment
    removed   shares of compartments that are left when treatment starts
    of, goes  the readout and the way it should move at `week`, in patients of `context`
    inert     the change that was found where it is too small to count
    against   the reason, where it moves the other way
    """

    name: str
    kind: str
    group: str
    reviews: tuple[str, ...]
    grade: str
    source: str
    home: tuple[str, ...] = ()
    system: str = SYSTEM
    text: str = ""
    why: str = ""
    context: str = ""
    of: str = BURDEN
    goes: str = ""
    sets: tuple[str, ...] = ()
    always: tuple[Change, ...] = ()
    treated: tuple[Change, ...] = ()
    removed: tuple[tuple[str, float], ...] = ()
    week: int = WEEKS[-1]
    inert: float | None = None
    against: str = ""

    @property
    def switched(self) -> bool:
        """Whether there is a switch to measure."""
        return bool(self.sets or self.always or self.treated or self.removed)


@dataclass(frozen=True)
class Map:
    """The contexts and entries of a file."""

    name: str
    title: str
    text: str
    contexts: tuple[Context, ...]
    entries: tuple[Entry, ...]

    @cached_property
    def switched(self) -> tuple[Entry, ...]:
        return tuple(e for e in self.entries if e.switched)
