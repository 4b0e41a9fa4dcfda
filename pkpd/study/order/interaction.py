"""What is left of the order of two treatments when the own effect of each is taken out, over draws, gap by
gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from pkpd.errors import fail
from pkpd.fit.intervals import Cell, interval
from pkpd.parameters.bind import line_for
from pkpd.simulation.run import start_states
from pkpd.study.order.plan import Biology, OrderStudy
from pkpd.study.order.sequence import Orders, drawn_patients, orders

DIFFERENCE, EFFECT, IMMUNE = "difference", "order effect", "immune part"
JOINT = ("joint, ablation first", "joint, anti-PD-1 first")
FIRST = ("ablation first", "anti-PD-1 first")
REMOVAL = "removal of tumour"  # a term of every study
NONE = 1e-3  # % or days: less than this is the solver's error
Rows = tuple[dict, ...]


@dataclass(frozen=True)
class Found:
    """What one draw shows, means over patients, each (modality, gap, …); ratios of volumes as logarithms.

    volume    difference, two joint effects, order effect, its immune part, (…, 5, read, site)
    noticed   share of patients with so much less, and more, by order effect, (…, 2, read, site)
    progress  days: both orders, difference, order effect, (…, 4)
    response  share of patients: both orders, difference, (…, 3)
    shrunk    share of lesions, the same, (…, 3, site)
    terms     order effect without each term, (term, modality, gap of terms, read, site)
    """

    volume: np.ndarray
    noticed: np.ndarray
    progress: np.ndarray
    response: np.ndarray
    shrunk: np.ndarray
    terms: np.ndarray


@dataclass(frozen=True)
class OrderResult:
    """The tables of a study of order, rows of plain data: medians over draws with intervals, and the share of
    draws in which a value lies below 0 (`chance`); gaps and days of reading in weeks.

    volumes   % of the volume of untreated lesions, by site. `difference`: ablation first against anti-PD-1
              first; `joint`: both treatments against what each does alone on its own day; `order effect`: the
              first joint effect against the second; `immune part`: the order effect if the ablated lesion
              kept its tumour, and only antigen and injury came of it. `less`, `more`: share of patients (%)
              in whom the order effect is `least` or larger
    clinical  days to progression, response of untreated lesions (% of patients), and the share of them that
              shrink by 30 % in diameter (%)
    windows   runs of gaps at which the interval of an order effect leaves out 0, and the largest effect in
              each
    terms     the order effect on volume, without each term, and what the term carries
    """

    study: OrderStudy
    volumes: Rows
    clinical: Rows
    windows: Rows
    terms: Rows


def check_lesions(study: OrderStudy) -> None:
    """Every patient has the lesion that is ablated, and others to read in each site."""
    own = f"{study.ablation.lesion}."
    for biology in study.biologies:
        start = start_states(study.system, drawn_patients(study, biology, 0))
        for site in (own, *study.sites):
            here = [
                i
                for i, n in enumerate(study.system.states)
                if n.endswith(".sensitive")
                and (n.startswith(own) if site == own else n.startswith(f"{site}.") and not n.startswith(own))
            ]
            if not np.all(start[:, here].sum(axis=1) > 0):
                what = (
                    f"no lesion {own[:-1]!r} to ablate"
                    if site == own
                    else f"no lesion to read in the site {site!r}"
                )
                raise fail(
                    f"{study.name}: patients",
                    f"some of {biology.name!r} have {what}",
                    "write covariates = { LESIONS = 2, ELSEWHERE = 1 }, or name other sites or another "
                    "lesion",
                )


def simulated(study: OrderStudy, job: tuple[Biology, int]) -> Found:
    """One draw of one biology: every order and gap, with the lesion spared, and without each term, in the
    same patients.
    """
    biology, number = job
    people, places = drawn_patients(study, biology, number), range(len(study.modalities))
    whole, spared = (orders(study, people, number, study.gaps, spares) for spares in (False, True))
    each = [[_means(study, whole, spared, m, g) for g in range(len(study.gaps))] for m in places]
    terms = []
    for term in study.terms:
        without = people.with_inputs(
            dict.fromkeys((n for n in people.names if line_for(n) in term.lines), 0.0)
        )
        seen = orders(study, without, number, (0.0, *study.terms_at))
        terms.append(
            [[order_effect(seen, m, g + 1).mean(axis=0) for g in range(len(study.terms_at))] for m in places]
        )
    volume, noticed, progress, response, shrunk = (
        np.array([[x[k] for x in own] for own in each]) for k in range(5)
    )
    return Found(volume, noticed, progress, response, shrunk, np.array(terms))


def order_effect(seen: Orders, modality: int, gap: int, measure: str = "volume") -> np.ndarray:
    """The joint effect of both treatments with ablation first, less that with blockade first, of each
    patient.
    """
    _, _, one, other = seen.four(modality, gap, measure)
    return one - other


def _means(study: OrderStudy, seen: Orders, spared: Orders, modality: int, gap: int) -> list[np.ndarray]:
    """Volume, who would notice, progression, response and shrinkage at one gap, means over patients."""
    one, other, *joint = seen.four(modality, gap, "volume")
    effect, much = joint[0] - joint[1], -np.log1p(-study.least)
    found = [
        np.mean([one - other, *joint, effect, order_effect(spared, modality, gap)], axis=1),
        np.mean([effect <= -much, effect >= much], axis=1),
    ]
    one, other, *joint = seen.four(modality, gap, "progress")
    found.append(np.mean([one, other, one - other, joint[0] - joint[1]], axis=1))
    for measure in ("response", "shrunk"):
        one, other, *_ = seen.four(modality, gap, measure)
        found.append(np.mean([one, other, one - other], axis=1))
    return found


def volume_rows(study: OrderStudy, biology: str, found: list[Found]) -> Iterator[dict]:
    """Differences of volume (%), and who would notice the order effect (% of patients), at gaps that end
    before the reading.
    """
    volume, noticed = (np.array([getattr(f, k) for f in found]) for k in ("volume", "noticed"))
    for head, (m, g, r, s) in _places(study, biology, study.gaps):
        for k, name in enumerate((DIFFERENCE, *JOINT, EFFECT, IMMUNE)):
            yield {
                **head,
                "measure": "volume",
                "order": name,
                "unit": "%",
                **span(percent(volume[:, m, g, k, r, s])),
            }
        for k, name in enumerate(("less", "more")):
            yield {
                **head,
                "measure": name,
                "order": EFFECT,
                "unit": "%",
                **span(100 * noticed[:, m, g, k, r, s]),
            }


def clinical_rows(study: OrderStudy, biology: str, found: list[Found]) -> Iterator[dict]:
    """Days to progression, response (% of patients), and the share of untreated lesions that shrink (%), at
    every gap.
    """
    progress, response, shrunk = (
        np.array([getattr(f, k) for f in found]) for k in ("progress", "response", "shrunk")
    )
    for m, modality in enumerate(study.modalities):
        for g, gap in enumerate(study.gaps):
            head = {"biology": biology, "modality": modality.name, "site": "", "read": None, "gap": gap / 7}
            for k, name in enumerate((*FIRST, DIFFERENCE, EFFECT)):
                yield {
                    **head,
                    "measure": "progression",
                    "order": name,
                    "unit": "day",
                    **span(progress[:, m, g, k]),
                }
            for k, name in enumerate((*FIRST, DIFFERENCE)):
                yield {
                    **head,
                    "measure": "response",
                    "order": name,
                    "unit": "%",
                    **span(100 * response[:, m, g, k]),
                }
                for s, site in enumerate(study.sites):
                    yield {
                        **head,
                        "site": site,
                        "measure": "shrunk",
                        "order": name,
                        "unit": "%",
                        **span(100 * shrunk[:, m, g, k, s]),
                    }


def term_rows(study: OrderStudy, biology: str, found: list[Found]) -> Iterator[dict]:
    """The order effect on volume with all terms and without each, and what each carries: the first less the
    second (%).

    The last term is the tumour that ablation takes away; without it the immune part is left.
    """
    volume, terms = (np.array([getattr(f, k) for f in found]) for k in ("volume", "terms"))
    for head, (m, j, r, s) in _places(study, biology, study.terms_at):
        full, spared = (volume[:, m, study.gaps.index(study.terms_at[j]), k, r, s] for k in (3, 4))
        yield {**head, "term": "", "measure": "volume", "order": EFFECT, "unit": "%", **span(percent(full))}
        for name, without in (
            *((t.name, terms[:, k, m, j, r, s]) for k, t in enumerate(study.terms)),
            (REMOVAL, spared),
        ):
            yield {
                **head,
                "term": name,
                "measure": "volume",
                "order": EFFECT,
                "unit": "%",
                **span(percent(without)),
            }
            yield {
                **head,
                "term": name,
                "measure": "carried",
                "order": EFFECT,
                "unit": "%",
                **span(percent(full - without)),
            }


def _places(
    study: OrderStudy, biology: str, gaps: tuple[float, ...]
) -> Iterator[tuple[dict, tuple[int, int, int, int]]]:
    """Every modality, gap, day of reading and site of a volume: how a row begins, and where it stands in the
    arrays.
    """
    for m, modality in enumerate(study.modalities):
        for r, read in enumerate(study.reads):
            for s, site in enumerate(study.sites):
                for g, gap in enumerate(gaps):
                    if gap < read:
                        head = {
                            "biology": biology,
                            "modality": modality.name,
                            "site": site,
                            "read": read / 7,
                            "gap": gap / 7,
                        }
                        yield head, (m, g, r, s)


def percent(log: np.ndarray) -> np.ndarray:
    """A change in % from the logarithm of a ratio."""
    return 100 * np.expm1(log)


def span(values: np.ndarray) -> Cell:
    """The interval over draws, and the share of them below 0."""
    known = values[~np.isnan(values)]
    return {**interval(values), "chance": float(np.mean(known < 0)) if known.size else None}


def windows(study: OrderStudy, rows: Iterable[dict]) -> Iterator[dict]:
    """Runs of gaps at which the interval of an order effect leaves out 0, on one side of it, and the largest
    effect in each.
    """

    def series(row: dict) -> tuple:
        return row["biology"], row["modality"], row["measure"], row["order"], row["site"], row["read"]

    own = [r for r in rows if r["order"] in (EFFECT, IMMUNE) and r["measure"] in ("volume", "progression")]
    for _, line in groupby(sorted(own, key=lambda r: (*map(str, series(r)), r["gap"])), series):
        for side, run in groupby(line, _side):
            if side:
                some = list(run)
                most = max(some, key=lambda r: abs(r["value"]))
                yield {
                    **most,
                    "from": some[0]["gap"],
                    "to": some[-1]["gap"],
                    "noticed": most["measure"] == "volume" and abs(most["value"]) >= 100 * study.least,
                }


def _side(row: dict) -> int:
    """The side of 0 that an interval lies on; 0 if it holds 0, or what the solver cannot tell from it."""
    return int(row["low"] >= NONE) - int(row["high"] <= -NONE)
