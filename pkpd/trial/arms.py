"""The arms of a trial's file, read."""

from __future__ import annotations

import math
from dataclasses import replace

from pkpd.content.fields import SOURCED, Field, Names, Share, Table, Text, Whole, is_number, read_rows
from pkpd.content.library import check_name, rows, whole
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue, nearest
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.sets import load_context, misplaced
from pkpd.regimen.reading import load_regimen
from pkpd.regimen.regimen import Regimen, counted
from pkpd.trial.arm import Arm, Cycles, Group, Local
from pkpd.trial.lines import Reader, line_text

AROUND = {
    "before": ("cycles", "weights"),
    "after": ("start", "cycles", "weights"),
    "operation": ("from", "to"),
    "resume": ("from", "to"),
}
FOLLOWED = {
    "treatment": ("until", "cycles"),
    "operation": ("from", "to"),
    "local": ("lesion", "dies", "from", "to"),
}
_ARM: dict[str, Field] = {
    "name": Text(need=True),
    "title": Text(),
    "regimen": Text(),
    "n": Whole(
        default=1,
        least=1,
        most=100_000,
        need=True,
        what="is not a number of patients",
        remedy="give n, its patients: a whole number from 1 to 100,000",
    ),
}
_GROUP: dict[str, Field] = {
    **SOURCED,
    "share": Share(default=1.0),
    "contexts": Names(of="parameter sets", like="biology_msi_h"),
    "covariates": Table(default={}, remedy="write covariates = { LESIONS = 2 }"),
    "name": Text(),
}
_STARTS = Share(need=True, remedy="write start = SHARE that starts at all, from 0 to 1")
_LOCAL: dict[str, Field] = {
    "lesion": Text(need=True),
    "dies": Share(
        default=1.0, need=True, remedy="write dies = SHARE of the lesion's viable volume, from 0 to 1"
    ),
}


def read_arms(reader: Reader, value: object, followed: bool) -> tuple[Arm, ...]:
    """The arms of a trial, around an operation or followed by scans."""
    known = FOLLOWED if followed else AROUND
    keys = ("name", "title", "n", "regimen", *known, *(("patients",) if followed else ()))
    entries = rows(value, f"{reader.where}: arms", keys, reader.issues)
    read = _followed if followed else _around
    return tuple(read(reader, entry, place.removeprefix(f"{reader.where}: ")) for place, entry in entries)


def arm_sources(entries: list[dict]) -> list[tuple[str, str, str, str]]:
    """Of each line of arms without a fault what it says, where and how it was seen."""
    lines = [(f"{a['name']}: {k}", a[k]) for a in entries for k in {**AROUND, **FOLLOWED} if k in a]
    lines += [
        (f"{a['name']}: patients {g.get('name', '')}".rstrip(), {k: v for k, v in g.items() if k != "name"})
        for a in entries
        for g in a.get("patients", ())
    ]
    return [(name, line_text(line), line.get("where", ""), line.get("seen", "user")) for name, line in lines]


def check_arms(reader: Reader, control: str, arms: tuple[Arm, ...]) -> None:
    """Each arm has a name of its own, and the control is one of them."""
    names = [a.name for a in arms if a.name]
    for name in sorted({n for n in names if names.count(n) > 1}):
        reader.add("arms", f"two arms are named {name!r}", "rename one of the two")
    if not arms:
        reader.add("arms", "holds no arm", "add [[arms]] tables")
    elif control and control not in names:
        reader.add("trial.control", f"{control!r} is not an arm", nearest(control, names))


def _head(reader: Reader, entry: dict, place: str) -> tuple[Arm, str]:
    """What an arm is called, how many patients it has, what they are given; and the regimen's name."""
    found = {k: f.read(entry, k, f"{reader.where}: {place}", reader.issues) for k, f in _ARM.items()}
    name = found["regimen"]
    given = _regimen(reader, name, f"{place}.regimen") if name else None
    return Arm(found["name"], found["title"], found["n"], given), name


def _around(reader: Reader, entry: dict, place: str) -> Arm:
    """An arm around an operation."""
    plain, regimen = _head(reader, entry, place)
    lines, given = reader.lines(entry, AROUND, place), plain.regimen
    if ("before" in lines or "after" in lines) and not regimen:
        reader.add(place, "plans cycles of no regimen", 'add regimen = "…"')
    if given and (given.rules or given.dated):
        what = "rules" if given.rules else "courses"
        reader.add(
            f"{place}.regimen",
            f"{regimen!r} has {what}; a trial's cycles begin on the days that its protocol plans",
            f"name a regimen without [[{what}]]",
        )
    for key in ("operation", *(("resume",) if "after" in lines else ())):
        if key not in lines:
            reader.add(
                f"{place}.{key}",
                "is missing",
                f'write {key} = {{ from = "4 week", to = "8 week", where = …, seen = … }}',
            )
    spans = {k: reader.span(lines[k], f"{place}.{k}") for k in ("operation", "resume") if k in lines}
    after = lines.get("after")
    return replace(
        plain,
        before=_cycles(reader, lines.get("before"), f"{place}.before"),
        after=_cycles(reader, after, f"{place}.after", starts=True),
        operation=spans.get("operation", plain.operation),
        resume=spans.get("resume", plain.resume),
    )


def _cycles(reader: Reader, entry: dict | None, place: str, starts: bool = False) -> Cycles | None:
    if entry is None:
        return None
    numbers, weights = entry.get("cycles"), entry.get("weights", [1.0])
    good = (
        isinstance(numbers, list)
        and numbers
        and all(whole(n, 0, 60) for n in numbers)
        and len(set(numbers)) == len(numbers)
        and isinstance(weights, list)
        and len(numbers) == len(weights)
        and all(is_number(w) and w >= 0 for w in weights)
        and abs(sum(weights) - 1) < 1e-9
    )
    if not good:
        reader.add(
            place, "is not a plan of cycles", "write cycles = [5, 6], weights = [0.2, 0.8]; shares sum to 1"
        )
    start = _STARTS.read(entry, "start", f"{reader.where}: {place}", reader.issues) if starts else 1.0
    if not good or not numbers or start is None:
        return None
    return Cycles(tuple(numbers), tuple(map(float, weights)), start)


def _regimen(reader: Reader, name: str, place: str) -> Regimen | None:
    before = len(reader.issues)
    check_name(("regimen",), name, f"{reader.where}: {place}", reader.issues)
    try:
        return load_regimen(name) if len(reader.issues) == before else None
    except ContentError as error:
        reader.issues += error.issues
        return None


def _followed(reader: Reader, entry: dict, place: str) -> Arm:
    """An arm that is followed by scans."""
    plain, regimen = _head(reader, entry, place)
    lines, given = reader.lines(entry, FOLLOWED, place), plain.regimen
    if "treatment" in lines and not regimen:
        reader.add(f"{place}.treatment", "is of no regimen", 'add regimen = "…"')
    if given and given.rules:
        reader.add(
            f"{place}.regimen",
            f"{regimen!r} has rules, which look at one patient at a time; a trial plans its cycles",
            "name a regimen without [[rules]]",
        )
    stops, cycles = _treatment(reader, lines.get("treatment"), f"{place}.treatment", given)
    if given and cycles is not None:
        try:
            counted(given, cycles, f"{reader.where}: {place}.treatment.cycles")
        except ContentError as error:
            reader.issues += error.issues
    operation = (
        reader.span(lines["operation"], f"{place}.operation")
        if "operation" in lines
        else (math.inf, math.inf)
    )
    return replace(
        plain,
        operation=operation,
        cycles=cycles,
        stops=stops,
        local=_local(reader, lines.get("local"), f"{place}.local"),
        patients=_patients(reader, entry, place),
    )


def _treatment(
    reader: Reader, line: dict | None, place: str, given: Regimen | None
) -> tuple[bool, int | None]:
    """Whether treatment stops at progression, and its cycles at most; a regimen that says its number needs no
    line.
    """
    remedy = 'write treatment = { until = "progression", where = …, seen = … }, with cycles = N at most'
    if line is None:
        if given and given.open:
            reader.add(place, "is missing", remedy)
        return False, None
    until, cycles = line.get("until"), line.get("cycles")
    if until not in (None, "progression"):
        reader.add(
            f"{place}.until",
            f"{shown(until)} is not when treatment ends",
            'write until = "progression", or leave it out',
        )
    if cycles is not None and not whole(cycles, 1, 1000):
        reader.add(
            f"{place}.cycles", f"{shown(cycles)} is not a number of cycles", "a whole number from 1 to 1000"
        )
    if until is None and cycles is None:
        reader.add(place, "does not say when it ends", remedy)
    return until == "progression", cycles if whole(cycles, 1, 1000) else None


def _local(reader: Reader, line: dict | None, place: str) -> Local | None:
    if line is None:
        return None
    found = {k: f.read(line, k, f"{reader.where}: {place}", reader.issues) for k, f in _LOCAL.items()}
    return Local(found["lesion"], found["dies"], reader.span(line, place))


def _patients(reader: Reader, entry: dict, place: str) -> tuple[Group, ...]:
    """The groups of an arm; all patients of the trial's own set where it names none."""
    if "patients" not in entry:
        return (Group("", 1.0),)
    found = read_rows(entry["patients"], _GROUP, f"{reader.where}: {place}.patients", reader.issues)
    groups = tuple(_group(reader, own, at.removeprefix(f"{reader.where}: ")) for at, own, _ in found)
    if not groups or abs(sum(g.share for g in groups) - 1) > 1e-9:
        reader.add(
            f"{place}.patients",
            f"has shares that sum to {sum(g.share for g in groups):g}, not 1" if groups else "holds no group",
            "write [[arms.patients]] tables, each with its share",
        )
    return groups


def _group(reader: Reader, found: dict, place: str) -> Group:
    contexts, covariates = found["contexts"], found["covariates"]
    before = len(reader.issues)
    for k, name in enumerate(contexts, 1):
        check_name(("parameters", "result"), name, f"{reader.where}: {place}.contexts[{k}]", reader.issues)
    for at, what, remedy in misplaced(contexts) if len(reader.issues) == before else ():
        reader.add(f"{place}.contexts", f"{at.partition(':')[0]} {what}", remedy)
    for name, value in covariates.items():
        known = reader.register.get(name)
        if known is None:
            reader.add(f"{place}.covariates.{name}", "is not in the register", nearest(name, reader.register))
        elif not is_number(value) or not known.fits(value):
            reader.add(
                f"{place}.covariates.{name}",
                f"{shown(value)} is no {known.text}",
                f"a number {'from ' if not known.levels else ''}{known.plausible}, in {known.unit}",
            )
    numbers = tuple((k, float(v)) for k, v in covariates.items() if is_number(v))
    laid = _contexts(reader, contexts) if len(reader.issues) == before else ()
    return Group(found["name"], found["share"], laid, numbers)


def _contexts(reader: Reader, names: tuple[str, ...]) -> tuple[Parameters, ...]:
    """The sets that a group lays on top of its trial's, by the names that the file gives them."""
    found = []
    if (disease := reader.disease) is None:
        return ()
    for name in names:
        try:
            own = replace(load_context(name, disease), name=name)
        except ContentError as error:
            reader.issues += error.issues
            continue
        if own.covariates:
            reader.issues.append(
                Issue(
                    f"{name}: covariates",
                    "have no place in a context: it is laid on top of patients already drawn",
                    "write covariates = { … } in the group of the arm",
                )
            )
        found.append(own)
    return tuple(found)
