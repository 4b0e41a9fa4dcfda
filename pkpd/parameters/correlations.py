"""Correlations between the spreads of a parameter file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pkpd.content.fields import is_number
from pkpd.content.library import check_keys, text
from pkpd.errors import Issue


@dataclass(frozen=True)
class Correlation:
    """A correlation on the normal scale between spreads; `NAME:mixture` is the draw of a
    mixture's component.

    r = covariance of the etas / (omega1 omega2); of the normal draws z before truncation, not of the values.
    Draws are z' = R^(1/2) z with R the matrix of all r, its root the symmetric one (see population).
    """

    of: tuple[str, str]
    r: float
    where: str = ""
    seen: str = "user"


def read_correlations(
    table: object, sds: Mapping[str, float], where: str, issues: list[Issue]
) -> tuple[Correlation, ...]:
    """The correlations of a file from its tables; `sds` are the omegas of its lines, by which a covariance is
    divided.
    """
    rows: list[Correlation] = []
    for i, entry in enumerate(table if isinstance(table, list) else []):
        place = f"{where}: correlations[{i + 1}]"
        check_keys(entry, ("of", "r", "covariance", "where", "seen"), place, issues)
        of, r = entry.get("of"), entry.get("r")
        if "covariance" in entry and "r" not in entry and isinstance(of, list):
            r = _from_covariance(entry["covariance"], [sd for name, sd in sds.items() if name in of])
        if (
            not (isinstance(of, list) and len(of) == 2 and of[0] != of[1] and is_number(r) and -1 <= r <= 1)
            or len({"r", "covariance"} & set(entry)) != 1
        ):
            issues.append(
                Issue(
                    place,
                    "is not a correlation",
                    'write of = ["A", "B"] and r = 0.5, or the covariance of their '
                    "etas, which does not exceed the product of their omegas",
                )
            )
            continue
        for key in ("where", "seen"):
            text(entry, key, place, issues)
        pair = (str(of[0]), str(of[1]))
        if any({*pair} == {*c.of} for c in rows):
            issues.append(
                Issue(place, f"{pair[0]} and {pair[1]} are correlated above", "give each pair once")
            )
        rows.append(Correlation(pair, float(r), entry.get("where", ""), entry.get("seen", "user")))
    return tuple(rows)


def _from_covariance(covariance: object, sds: list[float]) -> float | None:
    """The correlation behind a published covariance of two etas; none if it cannot be one."""
    return (
        covariance / (sds[0] * sds[1]) if is_number(covariance) and len(sds) == 2 and min(sds) > 0 else None
    )
