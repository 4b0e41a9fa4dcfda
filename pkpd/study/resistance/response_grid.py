"""Cohorts and drugs as the file of a resistance study says them: every cohort under every drug is an arm of a
trial.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pkpd.content.library import rows, text
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue, nearest
from pkpd.trial.arm import Arm
from pkpd.trial.figures import MONTH
from pkpd.trial.published import Figure
from pkpd.trial.reading import read_trial
from pkpd.trial.trial import Trial

_COHORT = ("name", "title", "biology", "site", "patients")
_DRUGS = ("name", "title", "regimen", "treatment", "caution")
_TRIAL = (
    "therapies",
    "treatments",
    "protocol",
)  # tables of a trial's file that a study's file has as they are
_ARM = re.compile(r"arms\[(\d+)\]\.?")


@dataclass(frozen=True)
class Cohort:
    """Patients that every drug is given to: a biology, and a site of disease."""

    name: str
    title: str
    biology: str
    site: str


@dataclass(frozen=True)
class Combination:
    """Drugs that are given together; `caution` is said wherever the page says what they do."""

    name: str
    title: str
    caution: str = ""


@dataclass(frozen=True)
class Grid:
    """Cohorts under drugs; `trial` has an arm of each pair. Differences are from `alone` and from the site
    `without`.
    """

    trial: Trial
    cohorts: tuple[Cohort, ...]
    drugs: tuple[Combination, ...]
    biologies: tuple[tuple[str, str], ...]
    sites: tuple[tuple[str, str], ...]
    alone: str
    without: str

    def arm(self, cohort: str, drugs: str) -> Arm:
        return self.trial.arm(f"{cohort}: {drugs}")

    def pairs(self) -> list[tuple[Cohort, Combination, Arm]]:
        """Every cohort under every drug, cohort by cohort, with its arm."""
        return [(c, d, self.arm(c.name, d.name)) for c in self.cohorts for d in self.drugs]

    def treats(self, drugs: str) -> bool:
        """Whether drugs are given at all; without a regimen there is best supportive care."""
        return bool(self.arm(self.cohorts[0].name, drugs).regimen)

    def cohort(self, biology: str, site: str) -> Cohort | None:
        return next((c for c in self.cohorts if (c.biology, c.site) == (biology, site)), None)


# measure: its name for a reader, its unit, of what
MEASURES = {
    "response": ("Objective response", "%", "of patients"),
    "complete": ("Complete response", "%", "of patients"),
    "control_16w": ("Disease control at 16 weeks", "%", "of patients"),
    "dor_12m": ("Responses that last 12 months or longer", "%", "of responses"),
    "pfs_median": ("Median progression-free survival", "month", ""),
}


def measures(arm: str) -> dict[str, Figure]:
    """What is read of an arm, as figures that a trial would report; counts are of 100 patients, which makes
    them percentages.
    """

    def figure(name: str, kind: str, endpoint: str, days: float = 0.0) -> Figure:
        return Figure(
            name=name,
            kind=kind,
            arm=arm,
            endpoint=endpoint,
            value=None,
            unit="month" if kind == "median" else "1",
            n=100,
            use="context",
            at=days,
        )

    found = (
        figure("response", "count", "response"),
        figure("complete", "count", "complete"),
        figure("control_16w", "count", "control", 112.0),
        figure("dor_12m", "landmark", "dor", 12 * MONTH),
        figure("pfs_median", "median", "pfs"),
    )
    return {f.name: f for f in found}


def read_grid(data: dict, name: str, where: str, words: dict[str, str], issues: list[Issue]) -> Grid | None:
    """The grid of a file; its arms are read, checked and later run as those of a trial.

    words  the disease and its parameters; `alone` and `without`
    """
    before = len(issues)
    biologies, sites = (_titles(data.get(k), f"{where}: {k}", issues) for k in ("biologies", "sites"))
    places = rows(data.get("cohorts"), f"{where}: cohorts", _COHORT, issues)
    cohorts = [_cohort(entry, place, biologies, sites, issues) for place, entry in places]
    given = rows(data.get("drugs"), f"{where}: drugs", _DRUGS, issues)
    drugs = [
        Combination(
            *(text(entry, k, place, issues, need=k != "caution") for k in ("name", "title", "caution"))
        )
        for place, entry in given
    ]
    for key, found in (("cohorts", cohorts), ("drugs", drugs)):
        _once(found, f"{where}: {key}", key, issues)
    _check_cells(cohorts, f"{where}: cohorts", issues)
    for key, known in (("alone", [d.name for d in drugs]), ("without", list(sites))):
        if words[key] not in known:
            what = f"{shown(words[key])} is not one of the file's"
            issues.append(Issue(f"{where}: study.{key}", what, nearest(words[key], known)))
    if len(issues) > before:
        return None
    trial = _trial(
        data, name, where, words, [(e, d) for _, e in places for _, d in given], len(given), issues
    )
    if trial is None:
        return None
    return Grid(
        trial=trial,
        cohorts=tuple(cohorts),
        drugs=tuple(drugs),
        biologies=tuple(biologies.items()),
        sites=tuple(sites.items()),
        alone=words["alone"],
        without=words["without"],
    )


def _titles(value: object, place: str, issues: list[Issue]) -> dict[str, str]:
    if not isinstance(value, dict) or not value or not all(isinstance(v, str) and v for v in value.values()):
        issues.append(Issue(place, f"{shown(value)} does not name any", 'write NAME = "title for a reader"'))
        return {}
    return value


def _cohort(
    entry: dict, place: str, biologies: dict[str, str], sites: dict[str, str], issues: list[Issue]
) -> Cohort:
    words = {k: text(entry, k, place, issues, need=k != "title") for k in _COHORT[:4]}
    for key, known in (("biology", biologies), ("site", sites)):
        if words[key] and words[key] not in known:
            issues.append(
                Issue(
                    f"{place}.{key}", f"{words[key]!r} is not one of the file's", nearest(words[key], known)
                )
            )
    if "patients" not in entry:
        issues.append(
            Issue(
                f"{place}.patients",
                "is missing",
                "write [[cohorts.patients]], as [[arms.patients]] of a trial",
            )
        )
    title = words["title"] or f"{biologies.get(words['biology'], '')} {sites.get(words['site'], '')}"
    return Cohort(words["name"], title, words["biology"], words["site"])


def _once(found: Iterable[Cohort] | Iterable[Combination], place: str, key: str, issues: list[Issue]) -> None:
    names = [x.name for x in found if x.name]
    if not names:
        issues.append(Issue(place, "is empty", f"add [[{key}]] tables"))
    for twice in sorted({n for n in names if names.count(n) > 1}):
        issues.append(Issue(place, f"two are named {twice!r}", "rename one of the two"))


def _check_cells(cohorts: list[Cohort], place: str, issues: list[Issue]) -> None:
    cells = [(c.biology, c.site) for c in cohorts]
    for biology, site in sorted({x for x in cells if cells.count(x) > 1 and all(x)}):
        issues.append(
            Issue(place, f"two have biology {biology!r} and site {site!r}", "a study has one cohort of each")
        )


def _trial(
    data: dict,
    name: str,
    where: str,
    words: dict[str, str],
    pairs: list[tuple[dict, dict]],
    of: int,
    issues: list[Issue],
) -> Trial | None:
    """The trial whose arms are the pairs; what is wrong with one is told where its cohort or its drugs are
    written.
    """
    arms = [
        {
            "name": f"{c['name']}: {d['name']}",
            "n": 100,
            "patients": c["patients"],
            **{k: d[k] for k in ("regimen", "treatment") if k in d},
        }
        for c, d in pairs
    ]
    head = {"trial": {k: words[k] for k in ("disease", "parameters")}}
    try:
        trial = read_trial(
            {**head, **{k: data[k] for k in _TRIAL if k in data}, "arms": arms, "figures": []}, name, where
        )
    except ContentError as error:
        own = [Issue(_placed(i.where, of), i.what, i.remedy) for i in error.issues]
        issues += dict.fromkeys(own)
        return None
    if not trial.scans:
        issues.append(
            Issue(
                f"{where}: protocol.scans",
                "is missing",
                'write scans = { every = ["8 week"], until = ["2 year"] }',
            )
        )
        return None
    return trial


def _placed(place: str, of: int) -> str:
    """A place in the trial as the place in the study's file: `arms[6].regimen` is of the second of four
    drugs.
    """
    place = place.replace(": trial.", ": study.")
    found = _ARM.search(place)
    if found is None:
        return place
    cohort, drugs = divmod(int(found[1]) - 1, of)
    rest = place[found.end() :]
    own = f"cohorts[{cohort + 1}]" if rest.startswith("patients") else f"drugs[{drugs + 1}]"
    return place[: found.start()] + ".".join(filter(None, (own, rest)))
