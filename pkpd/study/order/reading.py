"""The file of a study of order read: what it says of time and patients, and its entries together."""

from __future__ import annotations

from typing import Any

from pkpd.content import library
from pkpd.content.library import check_keys, check_name, raise_issues, table, text
from pkpd.content.toml import shown
from pkpd.errors import ContentError, fail
from pkpd.fit.result import load_result, points
from pkpd.model.compose import load_model
from pkpd.model.model import Model
from pkpd.parameters.bind import bind, line_for
from pkpd.parameters.covariates import register
from pkpd.parameters.merge import merge
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.sets import load_context, load_parameters
from pkpd.study.order.entries import (
    KEYS,
    read_ablation,
    read_beside,
    read_entries,
    read_numbers,
    read_share,
    read_texts,
)
from pkpd.study.order.plan import OrderStudy
from pkpd.study.platforms.plan import SITES
from pkpd.trial.lines import Reader
from pkpd.trial.therapies import check_blocked

NO_FIT = "none"
_WORDS = ("title", "text", "kind", "system", "fit")
_TIMES = ("run_in", "visits", "horizon")
_LISTS = ("gaps", "terms_at", "reads")
_LIMITS = {"patients": (4, 10_000), "draws": (2, 10_000), "seed": (0, 2**63)}
_HEAD = (*_WORDS, *_TIMES, *_LISTS, *_LIMITS, "sites", "least", "references")
_TABLES = {
    "patients": ("covariates", "where", "seen"),
    "ablation": ("lesion", "dies", "reach", "where", "seen"),
    "blockade": ("sets", "where", "seen"),
}


def read_order(data: dict, name: str, where: str) -> OrderStudy:
    """A study of order from its tables; raises every issue at once."""
    reader = Reader(where, [])
    check_keys(data, ("study", "beside", *_TABLES, *KEYS), where, reader.issues)
    head = table(data.get("study"), f"{where}: study", _HEAD, reader.issues)
    words = {k: text(head, k, f"{where}: study", reader.issues, need=k != "text") for k in _WORDS}
    numbers: dict[str, Any] = library.counts(head, _LIMITS, f"{where}: study", reader.issues)
    check_name(("model",), words["system"], f"{where}: study.system", reader.issues)
    raise_issues(reader.issues)
    system = load_model(words["system"])
    parameters = _parameters(reader, words["fit"], system)
    entries: dict[str, Any] = {k: read_entries(reader, data, k, system) for k in KEYS}
    _check_uncertain(reader, entries, parameters, words["fit"])
    given = _given(reader, data, system)
    plan = _plan(reader, head)
    beside = read_beside(reader, data, [b.name for b in entries["biologies"]])
    raise_issues(reader.issues)
    return OrderStudy(
        name=name,
        title=words["title"],
        text=words["text"],
        fit=words["fit"],
        system=system,
        points=tuple(points(parameters, numbers.get("draws", OrderStudy.draws))),
        **entries,
        **given,
        **plan,
        beside=beside,
        provenance=_provenance(data),
        **numbers,
    )


def _check_uncertain(reader: Reader, entries: dict[str, Any], parameters: Parameters, fit: str) -> None:
    """What a fit has drawn is not uncertain once more."""
    laid = {"", *(name for b in entries["biologies"] for name, _ in b.contexts)}
    keys = [k.partition(":")[0].rpartition("/") for k in parameters.draws]
    drawn = {line for context, _, line in keys if context in laid}
    for line in sorted({x for u in entries["uncertain"] for x in u.lines} & drawn):
        reader.add("uncertain", f"{line} has draws of the fit {fit!r}", "leave it out: it would vary twice")


def _given(reader: Reader, data: dict, system: Model) -> dict[str, Any]:
    """Who the patients are, what ablation and the blockade do."""
    tables = {k: _table(reader, data, k) for k in _TABLES}
    ablation = read_ablation(reader, tables["ablation"], system)
    people, blocked = tables["patients"].get("covariates"), tables["blockade"].get("sets")
    covariates = read_numbers(reader, people, "patients.covariates", register(), "{ LESIONS = 2 }")
    like = '{ "therapy.PD1" = 0.95 }'
    blockade = read_numbers(reader, blocked, "blockade.sets", system.inputs, like)
    check_blocked(dict(blockade), system, f"{reader.where}: blockade.sets", reader.issues)
    return {"ablation": ablation, "covariates": covariates, "blockade": blockade}


def _plan(reader: Reader, head: dict) -> dict[str, Any]:
    """When patients are treated and read, where, and the least difference worth a word."""
    times = {k: reader.every(head.get(k), f"study.{k}") for k in _TIMES}
    gaps, terms_at, reads = _weeks(reader, head)
    least = read_share(reader, head.get("least"), "study.least").value
    sites = read_texts(reader, head, "sites", "study.sites")
    if not sites or set(sites) - set(SITES):
        reader.add(
            "study.sites",
            f"{shown(head.get('sites'))} are not sites of lesions to read",
            "some of " + ", ".join(SITES),
        )
    references = read_texts(reader, head, "references", "study.references")
    weeks = {"gaps": gaps, "terms_at": terms_at, "reads": reads}
    return {**times, **weeks, "least": least, "sites": sites, "references": references}


def _parameters(reader: Reader, fit: str, system: Model) -> Parameters:
    """The system's default set, the lines of a fit's result laid over those of the same names."""
    base, place = load_parameters((), system), f"{reader.where}: study.fit"
    if fit == NO_FIT:
        return base
    if fit in library.names("fit") and fit not in library.names("result"):
        reader.add(
            "study.fit", f"{fit!r} has no result yet", f'run `pkpd fit {fit}`, or write fit = "{NO_FIT}"'
        )
        return base
    before = len(reader.issues)
    check_name(("result",), fit, place, reader.issues)
    if len(reader.issues) > before:
        return base
    try:
        found, _ = load_result(fit)
        strange = sorted({v.name for v in found.values} - {line_for(i) for i in system.inputs})
        if strange:
            raise fail(
                place,
                f"{fit!r} is a fit of {found.model}, whose line {strange[0]} {system.name} has not",
                f'name a fit of the system that {system.name} adds to, or write fit = "{NO_FIT}"',
            )
        return bind(merge(base, load_context(fit, system)), system)
    except ContentError as error:
        reader.issues += error.issues
        return base


def _table(reader: Reader, data: dict, key: str) -> dict:
    """A table of the study that has to be there."""
    if key not in data:
        reader.add(key, "is missing", f"add [{key}]: " + ", ".join(_TABLES[key]))
    found = table(data.get(key), f"{reader.where}: {key}", _TABLES[key], reader.issues)
    reader.sourced(found, key)
    return found


def _weeks(reader: Reader, head: dict) -> list[tuple[float, ...]]:
    """The gaps, those at which terms are taken out, and the days of reading, in days."""
    found: dict[str, tuple[float, ...]] = {}
    for key in _LISTS:
        value = head.get(key, [])
        days = tuple(reader.days(x, f"study.{key}") for x in value) if isinstance(value, list) else ()
        if not days or days != tuple(sorted(set(days))):
            reader.add(
                f"study.{key}",
                f"{shown(head.get(key))} is not a list of times",
                f'write {key} = ["4 week", "12 week"], ascending',
            )
        found[key] = days
    if (
        found["reads"]
        and found["gaps"]
        and (found["reads"][0] <= 0 or found["reads"][-1] <= found["gaps"][-1])
    ):
        reader.add(
            "study.reads",
            "begins with the first treatment, or ends before the second begins at the longest gap",
            "name days after the first treatment, the last of them after the longest gap",
        )
    if found["gaps"][:1] != (0.0,):
        reader.add(
            "study.gaps", "does not begin with no gap", 'write gaps = ["0 week", …]: what the orders share'
        )
    if not {0.0} | set(found["gaps"]) > set(found["terms_at"]) or 0.0 in found["terms_at"]:
        reader.add("study.terms_at", "is not some of the gaps above 0", "name gaps of the study")
    return list(found.values())


def _provenance(data: dict) -> tuple[tuple[str, str, str, str], ...]:
    """What a study without a fault assumes of its own: line, value, where, how seen."""
    shares = [
        ("ablation: share of the lesion that dies", data["ablation"]["dies"]),
        ("ablation: share of injury that the rest of the liver feels", data["ablation"]["reach"]),
        ("difference of volume worth a word", data["study"]["least"]),
    ]
    told = [(name, f"{s['value']:g}" + _between(s), s) for name, s in shares]
    told += [
        ("ablation: lesion", data["ablation"]["lesion"], data["ablation"]),
        ("patients", _words(data["patients"]["covariates"]), data["patients"]),
        ("blockade", _words(data["blockade"]["sets"]), data["blockade"]),
    ]
    told += [(b["title"], ", ".join(b.get("contexts", ())) or "no context", b) for b in data["biologies"]]
    told += [(m["title"], _words(m["sets"]), m) for m in data["modalities"]]
    told += [
        (f"draws: {u['name']}", f"× {u['times'][0]:g}–{u['times'][1]:g}", u)
        for u in data.get("uncertain") or ()
    ]
    return tuple(
        (name, value, entry.get("where", ""), entry.get("seen", "user")) for name, value, entry in told
    )


def _between(share: dict) -> str:
    """The ends of a share's draws, where it gives any; one that it does not give is its value."""
    low, high = (share.get(k, share["value"]) for k in ("low", "high"))
    return f" ({low:g}–{high:g})" if low < high else ""


def _words(sets: dict) -> str:
    return ", ".join(f"{k} = {v:g}" for k, v in sets.items())
