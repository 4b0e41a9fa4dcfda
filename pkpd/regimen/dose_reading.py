"""A dose line's table read: amount or bands, cap, rounding, days, times, rate."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TypeVar

from pkpd.content import library, units
from pkpd.content.library import raise_issues, rows
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue, fail
from pkpd.parameters.covariates import register
from pkpd.regimen.cycle_ranges import spans
from pkpd.regimen.doses import BASES, Band, DoseLine

T = TypeVar("T")
KEYS = ("drug", "amount", "bands", "cap", "round", "days", "at", "over", "rate", "form", "cycles")
_MOST = {
    "": 1e6,
    "BSA": 5e4,
    "WT": 5e3,
}  # of an amount's unit, flat (a kilogram), a m^2, a kg; more is a slip, as g for mg
_SHORTEST, _LONGEST = 1 / 86400, 36525.0  # days of an infusion: a second, a hundred years


def read_dose(entry: dict, where: str, cycle: float, issues: list[Issue]) -> DoseLine | None:
    """A dose line of a cycle of so many days; what is wrong with it is added to the issues."""
    try:
        return _Line(entry, where).line(cycle)
    except ContentError as error:
        issues += error.issues
        return None


class _Line:
    """One line's table, and what is wrong with it."""

    def __init__(self, entry: dict, where: str):
        self.entry, self.where = entry, where
        self.issues: list[Issue] = []

    def add(self, key: str, what: str, remedy: str) -> None:
        self.issues.append(Issue(f"{self.where}.{key}" if key else self.where, what, remedy))

    def noted(self, call: Callable[[], T], instead: T) -> T:
        """What a call returns; what it refuses is noted, and something else stands for it."""
        try:
            return call()
        except ContentError as error:
            self.issues.extend(error.issues)
            return instead

    def line(self, cycle: float) -> DoseLine:
        entry = self.entry
        drug = library.text(entry, "drug", self.where, self.issues, need=True)
        if not drug.isprintable() or drug != drug.strip():
            self.add(
                "drug", f"{shown(drug)} is not a name", 'name the part it is given to: drug = "oxaliplatin"'
            )
        form = library.text(entry, "form", self.where, self.issues)
        amount, unit, per, bands = self.amount()
        cap, step = self.cap(unit, per, bands), self.round(unit)
        days = self.days(cycle)
        at, over = self.times(amount, unit, per, bands, cycle)
        if "cycles" in entry:
            self.noted(lambda: spans(entry["cycles"], f"{self.where}.cycles"), ())
        raise_issues(self.issues)
        return DoseLine(
            drug=drug,
            amount=amount,
            unit=unit,
            per=per,
            days=days,
            at=at,
            over=over,
            form=form,
            cycles=entry.get("cycles", ""),
            cap=cap,
            round=step,
            bands=bands,
        )

    def amount(self) -> tuple[float, str, str, tuple[Band, ...]]:
        if "bands" in self.entry:
            if "amount" in self.entry:
                self.add("", "gives both amount and bands", "the bands say the amount: remove one")
            return self.bands()
        text = self.entry.get("amount", "")
        amount, unit, per = self.noted(lambda: amount_of(text, f"{self.where}.amount"), (0.0, "", ""))
        if amount < 0:
            self.add("amount", f"{text!r} is negative", "a dose is zero or more")
        return amount, unit, per, ()

    def bands(self) -> tuple[float, str, str, tuple[Band, ...]]:
        """The bands in order, and the covariate and unit that they share."""
        found: list[tuple[Band, str, str]] = []
        before, value = len(self.issues), self.entry["bands"]
        for place, row in rows(value, f"{self.where}.bands", ("from", "below", "amount"), self.issues):
            self.noted(lambda place=place, row=row: found.append(_band(row, place)), None)
        units_, sizes = {u for _, u, _ in found}, {c for *_, c in found}
        mixed = [" and ".join(sorted(kinds)) for kinds in (sizes, units_) if len(kinds) > 1]
        if len(self.issues) == before and (mixed or not found):
            self.add(
                "bands",
                f"mix {', '.join(mixed)}" if mixed else "hold no band",
                'give one or more, by m^2 or by kg, in one unit: bands = [{ below = "1.8 m^2", amount = '
                '"150 mg" }, …]',
            )
        bands = tuple(b for b, *_ in found)
        for one, other in zip(bands, bands[1:], strict=False):
            if other.low < one.high:
                self.add(
                    "bands",
                    f"the one from {other.low:g} begins before the one below {one.high:g} ends",
                    "put them in order, each from where the one before ends",
                )
        unit, per = found[0][1:] if found else ("", "")
        return 0.0, unit, per, bands

    def cap(self, unit: str, per: str, bands: tuple[Band, ...]) -> float:
        if "cap" not in self.entry or not unit:
            return 0.0
        if bands or not per:
            self.add("cap", "has nothing to cap: the dose is not per m^2 or per kg", "remove it")
            return 0.0
        return self.noted(lambda: _size(self.entry["cap"], per, f"{self.where}.cap"), 0.0)

    def round(self, unit: str) -> float:
        if "round" not in self.entry:
            return 0.0
        step, own, per = self.noted(
            lambda: amount_of(self.entry["round"], f"{self.where}.round"), (1.0, unit, "")
        )
        if step <= 0 or per or (unit and own != unit):
            self.add(
                "round",
                f"{shown(self.entry['round'])} is not an amount in {unit or 'mg'} to round to",
                f'write round = "5 {unit or "mg"}"',
            )
        return step

    def days(self, cycle: float) -> tuple[int, ...]:
        days = self.entry.get("days", [1])
        if not (
            isinstance(days, list)
            and days
            and all(isinstance(d, int) and not isinstance(d, bool) for d in days)
        ):
            self.add(
                "days", f"{shown(days)} is not a list of days", "write days = [1, 2]; day 1 is the first"
            )
            return (1,)
        if any(not 1 <= d <= cycle for d in days) or len(set(days)) != len(days):
            self.add(
                "days",
                f"{shown(days)} does not fit a cycle of {cycle:g} days",
                "name each day once, from 1 to the cycle's last",
            )
        return tuple(days)

    def times(
        self, amount: float, unit: str, per: str, bands: tuple[Band, ...], cycle: float
    ) -> tuple[float, float]:
        """When in the day, and over how long, in days; a rate says it by the amount."""
        entry, where = self.entry, self.where
        at = self.noted(
            lambda: units.days(
                entry.get("at", "0 hour"),
                f"{where}.at",
                "is no time within the cycle",
                'write at = "2 hour", into the day; `days` says on which days',
                most=cycle,
            ),
            0.0,
        )
        over = self.noted(lambda: units.convert(entry.get("over", "0 hour"), "day", f"{where}.over"), 0.0)
        if "rate" in entry:
            over = self.rated(amount, unit, per, bands)
        if over and not _SHORTEST <= over <= _LONGEST:
            key = "rate" if "rate" in entry else "over"
            self.add(
                key,
                f"{entry[key]!r} makes an infusion of {over:.4g} days",
                'an infusion takes a second or more: over = "2 hour"; leave it out for a dose at once',
            )
        return at, over

    def rated(self, amount: float, unit: str, per: str, bands: tuple[Band, ...]) -> float:
        """The days that the rate of an infusion makes it last."""
        entry, where = self.entry, self.where
        if "over" in entry:
            self.add(
                "",
                f"gives both over = {entry['over']!r} and rate = {entry['rate']!r}",
                "an infusion's length follows from amount and rate: remove one",
            )
        rate, rate_unit, rate_per = self.noted(
            lambda: amount_of(entry["rate"], f"{where}.rate", "/day"), (0.0, "", "")
        )
        if bands:
            self.add("rate", "is given beside bands", 'say how long: over = "2 hour"')
        elif unit and rate_unit and (rate_per != per or rate <= 0):
            self.add(
                "rate",
                f"{entry['rate']!r} does not match the amount {entry['amount']!r}",
                "give both per m^2, per kg, or flat",
            )
        elif unit and rate_unit:
            return (
                amount * self.noted(lambda: float(units.ratio(unit, rate_unit, f"{where}.rate")), 1.0) / rate
            )
        return 0.0


def _band(row: dict, where: str) -> tuple[Band, str, str]:
    """A band, the unit of its amount, and the covariate that it is a range of."""
    amount, unit, per = amount_of(row.get("amount", ""), f"{where}.amount")
    if per or amount < 0:
        raise fail(
            f"{where}.amount",
            f"{row['amount']!r} is not one amount for all of the band",
            'give it flat, and not negative: amount = "150 mg"',
        )
    kinds = {units.parse_unit(unit, where).dims: c for unit, c in BASES.items()}
    found, ends = set(), {"from": 0.0, "below": math.inf}
    for key in ("from", "below"):
        if key in row:
            _, own = units.quantity(row[key], f"{where}.{key}")
            covariate = kinds.get(units.parse_unit(own, where).dims, "")
            if not covariate:
                raise fail(
                    f"{where}.{key}",
                    f"{row[key]!r} is neither a body surface area nor a weight",
                    'give it in m^2 or kg: from = "1.6 m^2"',
                )
            ends[key] = _size(row[key], covariate, f"{where}.{key}")
            found.add(covariate)
    if len(found) != 1 or not 0 <= ends["from"] < ends["below"]:
        raise fail(
            where,
            "is no range of body surface area or of weight",
            'write { from = "1.6 m^2", below = "1.8 m^2", amount = "150 mg" }; an end may be left out',
        )
    return Band(ends["from"], ends["below"], amount), unit, found.pop()


def _size(text: str, covariate: str, where: str) -> float:
    """A body surface area or weight that a patient can have."""
    c = register()[covariate]
    size = units.convert(text, c.unit, where)
    if not c.low <= size <= c.high:
        raise fail(
            where,
            f"{text!r} is nobody's: patients have {c.low:g} to {c.high:g} {c.unit}",
            f'give one within that range: "{"2 m^2" if covariate == "BSA" else "100 kg"}"',
        )
    return size


def amount_of(text: object, where: str, time: str = "") -> tuple[float, str, str]:
    """A dose as number, amount unit and the covariate it is scaled by: `85 mg/m^2` is (85, mg, BSA).

    With `time` (`/day`) the text is a rate, and the number returned is per that time.
    """
    number, unit = units.quantity(text, where)  # type: ignore[arg-type]
    for amount_unit in ("mg", "umol", *(u for u in ("GBq", "Gy") if u[-2:] in unit)):
        for base, covariate in (("", ""), *(("/" + b, c) for b, c in BASES.items())):
            full = f"{amount_unit}{base}{time}"
            if base == "/kg" and not re.search(r"/ *kg\b", unit):
                continue  # mg/kg is a pure number to a registry of units: the text must say it
            if units.parse_unit(unit, where).dims == units.parse_unit(full, where).dims:
                number *= float(units.ratio(unit, full, where))
                if not time and abs(number) > _MOST[covariate]:
                    raise fail(
                        where,
                        f"{text!r} is {number:g} {full}, more than any dose",
                        "mind the unit: mg is a milligram",
                    )
                return number, amount_unit, covariate
    raise fail(where, f"{text!r} is not a dose", "give it in mg, mg/m^2, mg/kg or the like")
