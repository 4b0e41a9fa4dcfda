"""How drugs enter the disease: which variable of a drug's model sets which input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pkpd.content import library, units
from pkpd.content.fields import is_number
from pkpd.content.library import check_keys, check_name, shown, text
from pkpd.errors import ContentError, Issue, nearest
from pkpd.model.model import Model
from pkpd.trial.arms import Arm
from pkpd.trial.lines import Reader

_KEYS = ("from", "times", "parameters", "where", "seen")
_GIVEN, _RELATIVE = (
    "immune/given",
    ("DEPLETION",),
)  # the model of what therapies set; inputs of it that are no shares
_REMEDY = 'write "therapy.PD1" = "nivolumab.occupancy", or { from = "nivolumab.occupancy", times = 1 }'


@dataclass(frozen=True)
class Therapy:
    """An input of the disease that a variable of a drug's model sets, multiplied; the drug's default values
    if none are named.
    """

    input: str
    drug: str
    variable: str
    times: float = 1.0
    parameters: str = ""

    @property
    def model(self) -> str:
        """The model of the drug."""
        name = f"drugs/{self.drug}"
        return name if name in library.names("model") else self.drug


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


def therapies_told(therapies: tuple[Therapy, ...], data: dict) -> list[tuple[str, str, str, str]]:
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


def _therapy(reader: Reader, key: str, entry: object, place: str) -> Therapy | None:
    before = len(reader.issues)
    check_keys(entry, _KEYS, f"{reader.where}: {place}", reader.issues)
    if not isinstance(entry, dict):
        return None
    reader.sourced(entry, place)
    drug, dot, variable = text(entry, "from", f"{reader.where}: {place}", reader.issues).rpartition(".")
    times = entry.get("times", 1.0)
    if not drug or not dot or not variable:
        reader.add(place, f"{shown(entry.get('from'))} is not a variable of a drug", _REMEDY)
    if not is_number(times) or times < 0:
        reader.add(f"{place}.times", f"{shown(times)} is not a factor", "a number of zero or more")
    therapy = Therapy(
        key, drug, variable, times, text(entry, "parameters", f"{reader.where}: {place}", reader.issues)
    )
    if therapy.parameters:
        check_name(("parameters",), therapy.parameters, f"{reader.where}: {place}.parameters", reader.issues)
    if drug:
        check_name(("model",), therapy.model, f"{reader.where}: {place}", reader.issues)
    return therapy if len(reader.issues) == before else None


def check_therapies(reader: Reader, therapies: tuple[Therapy, ...], disease: Model) -> None:
    """Each input is one of the disease, each variable one of its drug, in a unit of the input's dimension."""
    from pkpd.model.compose import load_model
    from pkpd.parameters.sets import load_parameters

    for therapy in therapies:
        place = f"therapies.{therapy.input}"
        try:
            model = load_model(therapy.model)
            if therapy.parameters:
                load_parameters(therapy.parameters, model)
        except ContentError as error:
            reader.issues += error.issues
            continue
        known = [*model.states, *(v.name for v in model.variables)]
        if therapy.input not in disease.inputs:
            reader.add(
                place,
                f"{disease.name} has no input {therapy.input!r}",
                nearest(therapy.input, disease.inputs),
            )
        elif therapy.variable not in known:
            reader.add(
                place,
                f"{therapy.drug} has no variable {therapy.variable!r}",
                nearest(therapy.variable, known),
            )
        else:
            if therapy.times > 1 and therapy.input in blocked(disease):
                reader.add(
                    f"{place}.times",
                    f"{therapy.times:g} times a share would block more than all of {therapy.input}",
                    "a factor from 0 to 1",
                )
            try:
                units.ratio(
                    model.unit(therapy.variable), disease.unit(therapy.input), f"{reader.where}: {place}"
                )
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
    reader: Reader, arms: tuple[Arm, ...], therapies: tuple[Therapy, ...], links: dict[str, Model]
) -> None:
    """Every drug that an arm gives does something to the disease, and no input is set by two drugs of one
    arm.
    """
    from pkpd.regimen.reading import load_regimen

    for k, arm in enumerate(arms, 1):
        if not arm.regimen:
            continue
        given, place = load_regimen(arm.regimen).drugs, f"arms[{k}].regimen"
        chemotherapy = [d for d in given if links and all(receives(m, d) for m in links.values())]
        for drug in given:
            if drug not in chemotherapy and drug not in {t.drug for t in therapies}:
                reader.add(
                    place,
                    f"gives {drug!r}, which does nothing to the disease",
                    f'say in [therapies] what it sets ("therapy.PD1" = "{drug}.occupancy"), or name a kill '
                    f"link "
                    "that receives it under [treatments]",
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
