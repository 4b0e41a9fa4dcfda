"""A trial's file read: its protocol, arms and published figures; every line honoured or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pkpd.content import library, toml
from pkpd.content.library import check_keys, check_name, raise_issues, table, text
from pkpd.errors import ContentError, Issue, nearest
from pkpd.model.model import Model
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.sets import load_parameters
from pkpd.trial import idle
from pkpd.trial.arm import Arm
from pkpd.trial.arms import arm_sources, check_arms, read_arms
from pkpd.trial.disease import daily_model
from pkpd.trial.lines import Reader, line_text
from pkpd.trial.published import AROUND, FOLLOWED
from pkpd.trial.published_reading import read_figures
from pkpd.trial.response import CRITERIA
from pkpd.trial.therapies import (
    Link,
    Therapy,
    check_given,
    check_therapies,
    read_links,
    read_therapies,
    therapy_sources,
)
from pkpd.trial.trial import MODALITIES, VANISHED, Trial


def load_trial(name: str | Path) -> Trial:
    """A trial by library name or path."""
    return library.load("trial", name, _read_own)


def _read_own(data: dict, name: str, where: str) -> Trial:
    """A trial's own file, in which every drug of its tables is given; a study's table of drugs
    may hold more.
    """
    trial = read_trial(data, name, where)
    reader = Reader(where, [])
    idle.check_given(reader, trial.arms, trial.therapies, trial.treatments)
    raise_issues(reader.issues)
    return trial


def parse_trial(source: str | dict, name: str = "trial") -> Trial:
    """A trial from TOML text or from its tables, as in a notebook."""
    return read_trial(toml.tables(source, name), name, name)


_HEAD = ("title", "reference", "population", "disease", "parameters", "control", "text")
_FOLLOW_UP = {"accrual": ("from", "to"), "cut": ("date",)}
_AROUND = {
    **_FOLLOW_UP,
    "modality": ("is",),
    "criteria": ("is",),
    "confirmed": ("is",),
    "unresected": ("is",),
    "vanished": ("is",),
    "before": ("every",),
    "after": ("every", "until"),
    "jitter": ("sd",),
}
_FOLLOWED = {
    **_FOLLOW_UP,
    "follow_up": ("from", "to"),
    "modality": ("is", "elsewhere"),
    "criteria": ("is",),
    "confirmed": ("is",),
    "scans": ("every", "until"),
    "jitter": ("sd",),
    "run_in": ("lasts",),
    "pathology": ("sees",),
}
_CHOICES = {
    "modality": MODALITIES,
    "criteria": tuple(CRITERIA),
    "unresected": ("event", "follow"),
    "vanished": VANISHED,
    "confirmed": ("yes", "no"),
}


def read_trial(data: dict, name: str, where: str) -> Trial:
    """A trial from its tables; raises every issue at once."""
    issues: list[Issue] = []
    followed = isinstance(data.get("protocol"), dict) and "scans" in data["protocol"]
    words = _head(data, where, followed, issues)
    disease, own = _patients(words, where, issues, followed)
    reader = Reader(where, issues, disease, own)
    lines = _protocol_lines(reader, data, followed)
    protocol = _protocol(reader, lines, followed)
    arms = read_arms(reader, data.get("arms"), followed)
    links = _links(reader, data, arms, followed)
    therapies = read_therapies(reader, data) if followed else ()
    check_arms(reader, words["control"], arms)
    (idle.check_followed if followed else idle.check_around)(reader, data, lines, arms)
    if followed and not issues:
        _check_followed(reader, arms, therapies, links, lines, scans=protocol["scans"])
    figures = read_figures(
        data.get("figures"),
        where,
        tuple(a.name for a in arms),
        control=words["control"],
        longest=protocol["follow_up"][1],
        issues=issues,
        endpoints=FOLLOWED if followed else AROUND,
        operated=tuple(a.name for a in arms if followed and a.operation[0] < float("inf")),
    )
    raise_issues(issues)
    seen = (*_provenance(lines), *therapy_sources(therapies, data), *arm_sources(data["arms"]))
    assert disease is not None and own is not None
    return Trial(
        name=name,
        **words | {"disease": disease, "parameters": own},
        **protocol,
        treatments=links,
        arms=arms,
        figures=figures,
        therapies=therapies,
        provenance=seen,
    )


def _head(data: dict, where: str, followed: bool, issues: list[Issue]) -> dict[str, Any]:
    """The texts of a trial's first table; a table that no trial of its kind has is told."""
    tables = ("trial", "treatments", *(("therapies",) if followed else ()), "protocol", "arms", "figures")
    check_keys(data, tables, where, issues)
    head = table(data.get("trial"), f"{where}: trial", _HEAD, issues)
    needed = ("disease", "parameters", *(() if followed else ("control",)))
    return {k: text(head, k, f"{where}: trial", issues, need=k in needed) for k in _HEAD}


def _protocol_lines(reader: Reader, data: dict, followed: bool) -> dict[str, dict]:
    """The lines of the protocol by key, in the order in which they are known; one that lacks is told."""
    known = _FOLLOWED if followed else _AROUND
    found = table(data.get("protocol"), f"{reader.where}: protocol", known, reader.issues)
    lines = reader.lines(found, known, "protocol")
    for key in _missing(lines, known, data.get("arms")):
        reader.add(f"protocol.{key}", "is missing", "write it as { …, where = …, seen = … }")
    return {k: lines[k] for k in known if k in lines}


def _protocol(reader: Reader, lines: dict[str, dict], followed: bool) -> dict:
    """What the protocol's lines say, by the name that a Trial has for it."""
    known = _FOLLOWED if followed else _AROUND
    choices = {k: reader.choice(lines.get(k), k, _CHOICES[k]) for k in _CHOICES if k in known}
    elsewhere = lines.get("modality", {}).get("elsewhere", choices["modality"])
    if elsewhere != choices["modality"]:
        elsewhere = reader.choice({"is": elsewhere}, "modality.elsewhere", MODALITIES)
    found = {"follow_up": reader.follow_up(lines), **_times(reader, lines), "elsewhere": elsewhere}
    return {"unresected": "", "vanished": "", **choices, **found} | {
        "confirmed": choices.get("confirmed") == "yes"
    }


def _provenance(lines: dict[str, dict]) -> list[tuple[str, str, str, str]]:
    """Of every line of the protocol: its key, what it says, where that stands, how it was seen."""
    return [(k, line_text(v), v.get("where", ""), v.get("seen", "user")) for k, v in lines.items()]


def _missing(lines: dict[str, dict], known: dict, arms: object) -> list[str]:
    """Lines that the protocol lacks: how long patients are followed is said by one line or by two."""
    spare = set(_FOLLOW_UP) if "follow_up" in lines else {"follow_up"}
    if not any(isinstance(a, dict) and "operation" in a for a in (arms if isinstance(arms, list) else ())):
        spare.add("pathology")
    if "unresected" in known:
        spare.add("confirmed")
    return [k for k in known if k not in lines and k not in spare]


def _times(reader: Reader, lines: dict[str, dict]) -> dict:
    """What a protocol's lines say of times; and the volume that pathology sees."""
    every = (
        reader.every(lines["before"].get("every", ""), "protocol.before.every") if "before" in lines else 1.0
    )
    after, scans = (reader.visits(lines.get(k), k) for k in ("after", "scans"))
    jitter = reader.days(lines["jitter"].get("sd", ""), "protocol.jitter.sd") if "jitter" in lines else 0.0
    run_in = (
        reader.days(lines["run_in"].get("lasts", ""), "protocol.run_in.lasts") if "run_in" in lines else 0.0
    )
    pathology = 0.0
    if "pathology" in lines:
        pathology = reader.volume(lines["pathology"].get("sees", ""), "protocol.pathology.sees")
    return {
        "scans_before": every,
        "scans_after": after,
        "jitter": jitter,
        "scans": scans,
        "run_in": run_in,
        "pathology": pathology,
    }


def _patients(
    words: dict, where: str, issues: list[Issue], followed: bool
) -> tuple[Model | None, Parameters | None]:
    """The disease, with all that scans need of it, and the set of its patients; what is wrong is told."""
    before = len(issues)
    for key, kinds in (("disease", ("model",)), ("parameters", ("parameters", "result"))):
        if words[key]:
            check_name(kinds, words[key], f"{where}: trial.{key}", issues)
    if len(issues) > before or not words["disease"] or not words["parameters"]:
        return None, None
    try:
        disease = daily_model(words["disease"])
        issues += _lacking(disease, words["disease"], where) if followed else []
        own = load_parameters(words["parameters"], disease) if len(issues) == before else None
        return (None, None) if own is None else (disease, own)
    except ContentError as error:
        issues += error.issues
        return None, None


def _lacking(disease: Model, name: str, where: str) -> list[Issue]:
    """The parts that a trial followed by scans needs, and the disease has not."""
    uses = {p.use for p in disease.parts}
    return [
        Issue(
            f"{where}: trial.disease",
            f"{name!r} has no part that uses {use!r}",
            "a trial followed by scans needs it; systems/crlm_immune has it",
        )
        for use in ("tumours/lesion", "host/imaging", "host/hazard")
        if use not in uses
    ]


def _check_followed(
    reader: Reader,
    arms: tuple[Arm, ...],
    therapies: tuple[Therapy, ...],
    links: tuple[Link, ...],
    lines: dict[str, dict],
    scans: tuple[tuple[float, float], ...],
) -> None:
    """What followed arms need of the disease and of the drugs."""
    model = reader.disease
    assert model is not None
    check_therapies(reader, therapies, model)
    check_given(reader, arms, therapies, links)
    idle.check_elsewhere(reader, model, lines)
    for k, arm in enumerate(arms, 1):
        if arm.local is not None:
            _check_local(reader, f"arms[{k}].local", arm, model, scans)


def _check_local(
    reader: Reader, place: str, arm: Arm, model: Model, scans: tuple[tuple[float, float], ...]
) -> None:
    assert arm.local is not None
    lesions = [s.rsplit(".", 1)[0] for s in model.states if s.endswith(".sensitive")]
    if arm.local.lesion not in lesions:
        reader.add(
            f"{place}.lesion",
            f"{model.name} has no lesion {arm.local.lesion!r}",
            nearest(arm.local.lesion, lesions),
        )
    if arm.local.days[1] >= min(every for every, _ in scans):
        reader.add(
            place,
            "is not over before the first scan",
            "put it earlier: it is simulated between the start and that scan",
        )


def _links(reader: Reader, data: dict, arms: tuple[Arm, ...], followed: bool) -> tuple[Link, ...]:
    """The kill links; an operated trial that gives a regimen has one."""
    links = read_links(reader, data)
    if data.get("treatments", {}) == {} and not followed and any(a.regimen for a in arms):
        reader.add("treatments", "is empty, but an arm has a regimen", 'write LINK = "systems/…"')
    return links
