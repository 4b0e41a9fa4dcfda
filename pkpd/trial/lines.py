"""The lines of a trial's file, read one by one: times into days, sources kept, every issue noted."""

from __future__ import annotations

import datetime

from pkpd.content import units
from pkpd.content.fields import SOURCED
from pkpd.content.library import check_keys
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue, nearest
from pkpd.model.model import Model
from pkpd.parameters.covariates import register
from pkpd.parameters.parameters import Parameters

LONGEST = 36525.0  # days: no time of a protocol is longer than a century


class Reader:
    """Reads the lines of a protocol, times into days, and keeps the issues.

    disease   the model of the trial's disease; none where it could not be read
    register  the covariates that the trial's set knows; the library's where it could not be read
    """

    def __init__(
        self,
        where: str,
        issues: list[Issue],
        disease: Model | None = None,
        parameters: Parameters | None = None,
    ):
        self.where, self.issues, self.disease = where, issues, disease
        self.register = register() if parameters is None else parameters.register

    def add(self, place: str, what: str, remedy: str = "") -> None:
        self.issues.append(Issue(f"{self.where}: {place}", what, remedy))

    def lines(self, data: dict, known: dict[str, tuple[str, ...]], place: str) -> dict[str, dict]:
        """The lines that are tables, with their keys, source and how they were seen checked."""
        found = {}
        for key in (k for k in known if k in data):
            at = f"{self.where}: {place}.{key}"
            check_keys(data[key], (*known[key], "where", "seen"), at, self.issues)
            found[key] = data[key] if isinstance(data[key], dict) else {}
            self.sourced(found[key], f"{place}.{key}")
        return found

    def sourced(self, entry: dict, place: str) -> None:
        """Where a line was seen, and how."""
        for key, field in SOURCED.items():
            field.read(entry, key, f"{self.where}: {place}", self.issues)

    def choice(self, line: dict | None, key: str, known: tuple[str, ...]) -> str:
        chosen = (line or {}).get("is")
        if line is not None and chosen not in known:
            self.add(
                f"protocol.{key}",
                f"{shown(chosen)} is not one of them",
                nearest(chosen if isinstance(chosen, str) else "", known),
            )
        return chosen if isinstance(chosen, str) else ""

    def days(self, value: object, place: str) -> float:
        if not isinstance(value, str):
            self.add(place, f"{shown(value)} is not a quantity", "write a number and a unit, as in '3 month'")
            return 1.0
        try:
            days = units.convert(value, "day", f"{self.where}: {place}")
        except ContentError as error:
            self.issues += error.issues
            return 1.0
        if not 0 <= days <= LONGEST:
            self.add(
                place,
                f"{value!r} is {'negative' if days < 0 else 'over a century'}",
                "mend the number or its unit",
            )
        return days

    def every(self, value: object, place: str) -> float:
        days = self.days(value, place)
        if 0 <= days < 1:
            self.add(place, f"{value!r} is less than a day", 'write every = "6 week"')
        return days

    def volume(self, value: object, place: str) -> float:
        """A volume in mL."""
        try:
            volume = units.convert(value if isinstance(value, str) else "", "mL", f"{self.where}: {place}")
        except ContentError as error:
            self.issues += error.issues
            return 0.0
        if not volume > 0:
            self.add(place, f"{shown(value)} is not a volume above zero", 'write sees = "0.001 mL"')
        return volume

    def span(self, entry: dict, place: str) -> tuple[float, float]:
        low, high = (self.days(entry.get(k, ""), f"{place}.{k}") for k in ("from", "to"))
        if low > high:
            self.add(place, "ends before it begins", "put from before to")
        return low, high

    def visits(self, line: dict | None, key: str) -> tuple[tuple[float, float], ...]:
        """Scans: how often, and until when."""
        if line is None:
            return ()
        place = f"protocol.{key}"
        every, until = (x if isinstance(x, list) else [] for x in (line.get("every"), line.get("until")))
        plan = [
            (self.every(e, f"{place}.every"), self.days(u, f"{place}.until"))
            for e, u in zip(every, until, strict=False)
        ]
        ends = [u for _, u in plan]
        if not plan or len(every) != len(until) or sorted(set(ends)) != ends:
            self.add(place, "is not a visit plan", 'write every = ["3 month"], until = ["2 year"]')
        return tuple(plan)

    def follow_up(self, lines: dict[str, dict]) -> tuple[float, float]:
        """The shortest and longest follow-up: as a line says, or the cut after the last and the first
        patient's entry.
        """
        if "follow_up" in lines:
            low, high = self.span(lines["follow_up"], "protocol.follow_up")
            if high < 1:
                self.add(
                    "protocol.follow_up",
                    "is less than a day",
                    'write follow_up = { from = "6 month", to = "2 year" }',
                )
            return low, high
        dates = []
        for line, key in (("accrual", "from"), ("accrual", "to"), ("cut", "date")):
            value = lines.get(line, {}).get(key, "")
            try:
                dates.append(datetime.date.fromisoformat(str(value)))
            except ValueError:
                if line in lines:
                    self.add(
                        f"protocol.{line}.{key}", f"{shown(value)} is not a date", "write it as 2004-07-05"
                    )
        if len(dates) < 3:
            return 0.0, 0.0
        first, last, cut = dates
        if not first < last <= cut or (cut - first).days > LONGEST:
            self.add(
                "protocol.accrual",
                "does not end before the cut"
                if last > cut or first >= last
                else "begins over a century before the cut",
                "put the dates in order",
            )
        return float((cut - last).days), float((cut - first).days)


def line_text(entry: dict) -> str:
    """A protocol line's content as a reader wants it."""
    rest = {k: v for k, v in entry.items() if k not in ("where", "seen")}
    if set(rest) == {"is"}:
        return str(rest["is"])
    return "; ".join(f"{k} {_words(v)}" for k, v in rest.items())


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
