"""How drugs enter the disease: which variable of a drug's model sets which input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pkpd.content import library, units
from pkpd.content.fields import SOURCED, Field, Number, Text, is_number, read
from pkpd.content.library import check_name
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue, nearest
from pkpd.model.compose import load_model
from pkpd.model.model import Model
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.sets import load_parameters
from pkpd.trial.arm import Arm
from pkpd.trial.disease import daily_model
from pkpd.trial.lines import Reader

_GIVEN, _RELATIVE = (
    "immune/given",
    ("DEPLETION",),
)  # the model of what therapies set; inputs of it that are no shares
_REMEDY = 'write "therapy.PD1" = "nivolumab.occupancy", or { from = "nivolumab.occupancy", times = 1 }'


@dataclass(frozen=True)
class Link:
    """A kill link: the system that carries the effect of drugs to the disease, with its default values."""

    name: str
    model: Model
    parameters: Parameters


@dataclass(frozen=True)
class Therapy:
    """An input of the disease that a variable of a drug's model sets, multiplied; with the values that the
    drug is solved with.

    input(t) = times x variable(t), brought to the input's unit; a share of a target stays from 0 to 1.
    """

    input: str
    drug: str
    variable: str
    times: float
    model: Model
    parameters: Parameters


def read_therapies(reader: Reader, data: dict) -> tuple[Therapy, ...]:
    """The lines of [therapies]; an input that one drug or another sets has a list of them."""
    entries = data.get("therapies", {})
    if not isinstance(entries, dict):
        reader.add("therapies", f"{shown(entries)} is not a table", _REMEDY)
        return ()
    found = [_therapy(reader, key, entry, place) for key, entry, place in _entries(entries)]
    return tuple(t for t in found if t is not None)


def _entries(entries: dict) -> list[tuple[str, object, str]]:
    found = []
    for key, value in entries.items():
        for k, entry in enumerate(value if isinstance(value, list) else [value], 1):
            place = f"therapies.{key}" + (f"[{k}]" if isinstance(value, list) else "")
            found.append((key, {"from": entry} if isinstance(entry, str) else entry, place))
    return found


def therapy_sources(therapies: tuple[Therapy, ...], data: dict) -> list[tuple[str, str, str, str]]:
    """Of each line without a fault what it says, where and how it was seen."""
    lines = []
    for therapy, (_, entry, _) in zip(therapies, _entries(data.get("therapies", {})), strict=True):
        assert isinstance(entry, dict)
        what = f"{therapy.drug}: {therapy.variable}" + (f" × {therapy.times:g}" if therapy.times != 1 else "")
        lines.append(
            (
                therapy.input,
                what,
                entry.get("where", "computed with the drug's own model"),
                entry.get("seen", "derived"),
            )
        )
    return lines


_THERAPY: dict[str, Field] = {
    **SOURCED,
    "from": Text(),
    "times": Number(default=1.0, least=0.0, what="is not a factor", remedy="a number of zero or more"),
    "parameters": Text(),
}


def _therapy(reader: Reader, key: str, entry: object, place: str) -> Therapy | None:
    before, at = len(reader.issues), f"{reader.where}: {place}"
    found = read(entry, _THERAPY, at, reader.issues)
    if not isinstance(entry, dict):
        return None
    drug, dot, variable = found["from"].rpartition(".")
    if not drug or not dot or not variable:
        reader.add(place, f"{shown(entry.get('from'))} is not a variable of a drug", _REMEDY)
    if found["parameters"]:
        check_name(("parameters",), found["parameters"], f"{at}.parameters", reader.issues)
    system = f"drugs/{drug}" if f"drugs/{drug}" in library.names("model") else drug
    if drug:
        check_name(("model",), system, at, reader.issues)
    if len(reader.issues) > before:
        return None
    try:
        model = load_model(system)
        return Therapy(
            key, drug, variable, found["times"], model, load_parameters(found["parameters"] or (), model)
        )
    except ContentError as error:
        reader.issues += error.issues
        return None


def read_links(reader: Reader, data: dict) -> tuple[Link, ...]:
    """The lines of [treatments]: systems that carry the drugs' effect, by the name of the link."""
    entries, place = data.get("treatments", {}), f"{reader.where}: treatments"
    if not isinstance(entries, dict):
        reader.add(
            "treatments", f"{shown(entries)} is not a table", 'write [treatments], then LINK = "systems/…"'
        )
        return ()
    found = []
    for key in entries:
        before = len(reader.issues)
        system = Text(need=True).read(entries, key, place, reader.issues)
        if system:
            check_name(("model",), system, f"{place}.{key}", reader.issues)
        if len(reader.issues) > before:
            continue
        try:
            model = daily_model(system)
            found.append(Link(key, model, load_parameters((), model)))
        except ContentError as error:
            reader.issues += error.issues
    return tuple(found)


def check_therapies(reader: Reader, therapies: tuple[Therapy, ...], disease: Model) -> None:
    """Each input is one of the disease, each variable one of its drug, in a unit of the input's dimension."""
    for therapy in therapies:
        place, model = f"therapies.{therapy.input}", therapy.model
        known = [*model.states, *(v.name for v in model.variables)]
        if therapy.input not in disease.inputs:
            remedy = nearest(therapy.input, disease.inputs)
            reader.add(place, f"{disease.name} has no input {therapy.input!r}", remedy)
        elif therapy.variable not in known:
            remedy = nearest(therapy.variable, known)
            reader.add(place, f"{therapy.drug} has no variable {therapy.variable!r}", remedy)
        else:
            _check_size(reader, therapy, disease, place)


def _check_size(reader: Reader, therapy: Therapy, disease: Model, place: str) -> None:
    """What a therapy sets is of the input's dimension, and a share stays one."""
    if therapy.times > 1 and therapy.input in blocked(disease):
        reader.add(
            f"{place}.times",
            f"{therapy.times:g} times a share would block more than all of {therapy.input}",
            "a factor from 0 to 1",
        )
    own = therapy.model.unit(therapy.variable)
    try:
        units.ratio(own, disease.unit(therapy.input), f"{reader.where}: {place}")
    except ContentError as error:
        reader.issues += error.issues


def blocked(disease: Model) -> frozenset[str]:
    """The inputs of a disease that are shares of a target, from 0 to 1: of all that therapies set, but what
    is relative.
    """
    parts = {p.name for p in disease.parts if library.model_name(p.use) == _GIVEN}
    return frozenset(
        i for i in disease.inputs if i.rpartition(".")[0] in parts and i.rpartition(".")[2] not in _RELATIVE
    )


def check_blocked(sets: Mapping[str, object], disease: Model, place: str, issues: list[Issue]) -> None:
    """A share of a target that is set is one: none of it is blocked at 0, all at 1."""
    shares = blocked(disease)
    for name, value in sets.items():
        if name in shares and is_number(value) and not 0 <= value <= 1:
            issues.append(
                Issue(
                    f"{place}.{name}",
                    f"{value:g} is not a share of a target blocked",
                    "a number from 0, none of it, to 1, all of it",
                )
            )


def check_given(
    reader: Reader, arms: tuple[Arm, ...], therapies: tuple[Therapy, ...], links: tuple[Link, ...]
) -> None:
    """Every drug that an arm gives does something to the disease, and no input is set by two drugs of one
    arm.
    """
    for k, arm in enumerate(arms, 1):
        if arm.regimen is None:
            continue
        given, place = arm.regimen.drugs, f"arms[{k}].regimen"
        chemotherapy = [d for d in given if links and all(receives(link.model, d) for link in links)]
        for drug in given:
            if drug not in chemotherapy and drug not in {t.drug for t in therapies}:
                reader.add(
                    place,
                    f"gives {drug!r}, which does nothing to the disease",
                    f'say in [therapies] what it sets ("therapy.PD1" = "{drug}.occupancy"), or name a kill '
                    "link that receives it under [treatments]",
                )
        for name in sorted({t.input for t in therapies}):
            own = sorted({t.drug for t in therapies if t.input == name} & set(given))
            if len(own) > 1 or (own and chemotherapy and name == "effect.RATE"):
                reader.add(
                    place,
                    f"gives {' and '.join(own)}, which {'both ' if len(own) == 2 else ''}set {name}",
                    "let one drug set an input",
                )


def receives(system: Model, drug: str) -> bool:
    """Whether a system has a compartment that a drug is given to."""
    return any(c.dose is not None and drug in (c.name, c.name.rsplit(".", 1)[0]) for c in system.compartments)
