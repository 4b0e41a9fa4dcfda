"""What went wrong, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Issue:
    """One fault of a user's content: its place, what is wrong, and the remedy; each is cut where it is too
    long to read.
    """

    where: str
    what: str
    remedy: str = ""

    def __post_init__(self) -> None:
        for name in ("where", "what", "remedy"):
            object.__setattr__(self, name, clipped(getattr(self, name)))

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f"\n    remedy: {self.remedy}" if self.remedy else "")


_LINE, _ISSUES, _LINES = 1000, 40, 160  # characters of a line, issues and lines that a message shows


def clipped(text: str, most: int = _LINE) -> str:
    """A line that is too long to read, its middle cut out."""
    if len(text) <= most:
        return text
    tail = most // 2
    return f"{text[: most - tail]} … {len(text) - most} characters … {text[-tail:]}"


class PkpdError(Exception):
    """Any error that a user can mend; the command line prints it and exits with 2.

    Its text is of a length that is read.
    """

    def __str__(self) -> str:
        lines = super().__str__().split("\n")
        more = [f"… and {len(lines) - _LINES} more lines"] if len(lines) > _LINES else []
        return "\n".join([*(clipped(x) for x in lines[:_LINES]), *more])


class ContentError(PkpdError, ValueError):
    """A model, parameter, regimen, trial, fit or study that cannot be used; holds every issue found."""

    def __init__(self, issues: Issue | Iterable[Issue]):
        self.issues = (issues,) if isinstance(issues, Issue) else tuple(issues)
        more = [f"… and {len(self.issues) - _ISSUES} more issues"] if len(self.issues) > _ISSUES else []
        super().__init__("\n".join([*(str(i) for i in self.issues[:_ISSUES]), *more]))

    def __reduce__(self):
        return (ContentError, (self.issues,))


class NotFound(PkpdError, LookupError):
    """A name that the library does not hold, or a file that does not exist."""


class OutputError(PkpdError, OSError):
    """A place that cannot be written."""


class ClusterError(PkpdError, ConnectionError):
    """A cluster that is not there, goes away, or runs other software."""


class SimulationError(PkpdError, ArithmeticError):
    """A patient whose equations could not be solved."""


def fail(where: str, what: str, remedy: str = "") -> ContentError:
    """A ContentError of one issue, to be raised."""
    return ContentError(Issue(where, what, remedy))


def nearest(name: object, known: Iterable[str]) -> str:
    """A remedy that offers the closest known names."""
    import difflib

    known = sorted(known)
    close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    shown = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return f"known here: {shown}" if known else "nothing is declared here"
