"""`python -m tools.fill_docs [--check] [PAGE …]`: makes the generated pages of docs anew, or tells which are
out of date.

A page is written word for word; `--check` holds its numbers to three digits, of which the last may be off by
one between kinds of processors, and exits with 1 where a page is not what the library gives.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from pkpd.content import library
from pkpd.exposures.comparison import compare_exposures
from pkpd.exposures.page import page as exposures_page
from pkpd.exposures.reading import load_evidence
from pkpd.fit.page import filled, predictions
from pkpd.machine import store
from tools.mechanisms.equations import with_equations
from tools.mechanisms.map import SYSTEM
from tools.mechanisms.movement import measure, response_rates
from tools.mechanisms.page import page as mechanisms_page
from tools.mechanisms.reading import load_map

DOCS = Path(__file__).resolve().parents[1] / "docs"
CORE = "crlm_immune"
_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?![\w])")
_NEAR = 0.011  # relative: one in the last of three digits


def drugs() -> list[str]:
    """The library's drugs."""
    return [n.removeprefix("drugs/") for n in library.names("model") if n.startswith("drugs/")]


def exposures(_: str) -> str:
    """Published exposures set beside the models."""
    return exposures_page(compare_exposures(load_evidence()), drugs())


def mechanisms(_: str) -> str:
    """Every mechanism and therapy, measured."""
    known = load_map()
    return mechanisms_page(known, measure(known), response_rates(known, CORE), response_rates(known, SYSTEM))


def fit_of(name: str) -> Callable[[str], str]:
    """The tables of a fit's page from its result, all its trials run; its text stays."""
    return lambda text: filled(text, predictions(name))


PAGES: dict[str, Callable[[str], str]] = {
    "exposures": exposures,
    "mechanisms": mechanisms,
    "tumour_immune": with_equations,
    "immune_fit": fit_of("immune"),
}


def file_of(page: str) -> Path:
    """Where a page lies among the folders of docs."""
    (found,) = DOCS.rglob(f"{page}.md")
    return found


def same(one: str, other: str) -> bool:
    """Whether two texts say the same: word for word, numbers to their third digit."""
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
        return False
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    values = ((float(a.replace(",", "")), float(b.replace(",", ""))) for a, b in pairs)
    return all(abs(a - b) <= _NEAR * max(abs(a), abs(b)) for a, b in values)


def main() -> int:
    reader = argparse.ArgumentParser(prog="python -m tools.fill_docs", description=__doc__)
    reader.add_argument("pages", nargs="*", metavar="PAGE", help=f"of {', '.join(PAGES)}; all if left out")
    reader.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if a page is out of date"
    )
    asked = reader.parse_args()
    if unknown := sorted(set(asked.pages) - set(PAGES)):
        reader.error(f"{unknown[0]!r} is no generated page: {', '.join(PAGES)}")
    stale = 0
    for page in asked.pages or PAGES:
        path = file_of(page)
        before = path.read_text(encoding="utf-8")
        made = PAGES[page](before)
        stale += (out := not same(made, before))
        if not asked.check and made != before:
            store.write_text(path, made)
        told = (
            "is up to date"
            if not out
            else "is out of date"
            if asked.check
            else "was out of date: written anew"
        )
        print(f"{path.relative_to(DOCS.parent)} {told}", flush=True)
    return int(bool(stale) and asked.check)


if __name__ == "__main__":
    raise SystemExit(main())
