"""The two further analyses of a study of resistance read: [importance] and [liver_effect]."""

from __future__ import annotations

from pkpd.content.fields import is_number
from pkpd.content.library import whole
from pkpd.content.toml import shown
from pkpd.errors import Issue
from pkpd.model.model import Model
from pkpd.parameters.covariates import register
from pkpd.study.resistance import lesion_pairs as pairs
from pkpd.study.resistance.mechanism import (
    Mechanism,
)
from pkpd.study.resistance.mechanism_reading import (
    biology_reader,
    given_reader,
    mechanism_reader,
    read_all,
    read_head,
    read_numbers,
    term_reader,
    together_reader,
)
from pkpd.study.resistance.plan import ImportancePlan, LiverPlan
from pkpd.trial.lines import Reader

_IMPORTANCE_LIMITS = {
    "patients": (4, 100_000),
    "draws": (2, 10_000),
    "samples": (2, 2**20),
    "resamples": (10, 100_000),
    "seed": (0, 2**31),
}
_IMPORTANCE_TIMES = ("run_in", "visits", "until", "read")
_IMPORTANCE_TABLES = ("mechanisms", "groups", "treatments", "contexts", "covariates")


def read_importance(data: object, where: str, system: Model, issues: list[Issue]) -> ImportancePlan | None:
    """The plan of a file's table [importance], the file's place being `where`; none where the table has
    issues.
    """
    reader, before = Reader(where, issues), len(issues)
    head, numbers = read_head(
        reader, data, "importance", _IMPORTANCE_TABLES, _IMPORTANCE_TIMES, _IMPORTANCE_LIMITS
    )
    if not head:
        return None
    mechanisms = read_all(reader, head, "importance", "mechanisms", mechanism_reader(system))
    groups = (
        read_all(reader, head, "importance", "groups", together_reader(head.get("mechanisms")))
        if "groups" in head
        else ()
    )
    treatments = read_all(reader, head, "importance", "treatments", given_reader(system))
    known = register()
    covariates = read_numbers(
        reader, head.get("covariates", {}), "importance.covariates", known, "{ LESIONS = 2 }"
    )
    contexts = biology_reader(system)(reader, head, "importance").contexts if head.get("contexts") else ()
    for key, value in covariates:
        if key in known and not known[key].fits(value):
            reader.add(
                f"importance.covariates.{key}",
                f"{value:g} {known[key].unit} is not plausible",
                f"from {known[key].plausible}",
            )
    _check(reader, head, mechanisms, numbers)
    if len(issues) > before:
        return None
    return ImportancePlan(system, mechanisms, groups, treatments, contexts, covariates, **numbers)


def _check(reader: Reader, head: dict, mechanisms: tuple[Mechanism, ...], numbers: dict) -> None:
    lines = [x for m in mechanisms for x in m.lines]
    for twice in sorted({x for x in lines if lines.count(x) > 1}):
        reader.add("importance.mechanisms", f"{twice} is named twice", "a line belongs to one mechanism")
    samples = numbers.get("samples", 2)
    if whole(samples, *_IMPORTANCE_LIMITS["samples"]) and samples & (samples - 1):
        reader.add(
            "importance.samples",
            f"{samples} is not a power of two",
            "write 64, 128, 256 …: others spoil the design",
        )
    visits, until, read = (numbers[k] for k in ("visits", "until", "read"))
    if {"visits", "until", "read"} <= set(head) and (visits > until or read > until):
        reader.add(
            "importance.until",
            f"scans end on day {until:g}, before day {max(visits, read):g}",
            "let them end after the first one and after the day of reading",
        )


_LIVER_LIMITS = {"patients": (4, 100_000), "draws": (2, 10_000), "seed": (0, 2**31)}
_LIVER_TIMES = ("run_in", "visits", "until")


def read_liver_effect(data: object, where: str, system: Model, issues: list[Issue]) -> LiverPlan | None:
    """The plan of a file's table [liver_effect], the file's place being `where`; none where the table has
    issues.
    """
    reader, before = Reader(where, issues), len(issues)
    keys = ("biologies", "treatments", "terms", "shrinks")
    head, numbers = read_head(reader, data, "liver_effect", keys, _LIVER_TIMES, _LIVER_LIMITS)
    if not head:
        return None
    biologies = read_all(reader, head, "liver_effect", "biologies", biology_reader(system))
    treatments = read_all(reader, head, "liver_effect", "treatments", given_reader(system))
    terms = read_all(reader, head, "liver_effect", "terms", term_reader(system))
    shrinks = head.get("shrinks", 0.3)
    if not is_number(shrinks) or not 0 < shrinks < 1:
        reader.add("liver_effect.shrinks", f"{shown(shrinks)} is not a share", "write shrinks = 0.3")
    if len(terms) > 4:
        reader.add(
            "liver_effect.terms",
            f"{len(terms)} terms make {2 ** len(terms)} combinations",
            "name four at most",
        )
    missing = [x for x in pairs.INPUTS if x not in system.inputs]
    if missing:
        reader.add(
            "liver_effect",
            f"{system.name} has no input {missing[0]!r}",
            "use systems/crlm_immune, or one with its parts",
        )
    if {"visits", "until"} <= set(head) and numbers["until"] < numbers["visits"]:
        reader.add("liver_effect.until", "comes before the first scan", "let it be the day of a scan")
    return (
        None
        if len(issues) > before
        else LiverPlan(system, biologies, treatments, terms, shrinks=float(shrinks), **numbers)
    )
