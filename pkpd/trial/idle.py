"""Lines of a trial's file that nothing would honour: each is refused, so that every line that is accepted
matters.
"""

from __future__ import annotations

import math

from pkpd.content.library import model_name
from pkpd.model.model import Model
from pkpd.trial.arm import Arm
from pkpd.trial.lines import Reader
from pkpd.trial.response import CRITERIA, Criteria
from pkpd.trial.therapies import Link, Therapy, receives

LIVER = ("hepatic", "lesion")  # parts that are lesions of the liver; any other is elsewhere


def _criteria(lines: dict[str, dict]) -> Criteria | None:
    named = lines.get("criteria", {}).get("is")
    return CRITERIA.get(named) if isinstance(named, str) else None


def check_followed(reader: Reader, data: dict, lines: dict[str, dict], arms: tuple[Arm, ...]) -> None:
    """Lines of a protocol with scans that another line leaves without effect."""
    if "follow_up" in lines and (both := [k for k in ("accrual", "cut") if k in lines]):
        reader.add(
            "protocol.follow_up",
            f"and {' and '.join(both)} both say how long patients are followed",
            "keep follow_up, or accrual and cut",
        )
    if "pathology" in lines and all(math.isinf(a.operation[0]) for a in arms):
        reader.add(
            "protocol.pathology",
            "is read at an operation, and no arm has one",
            "remove it, or give an arm its operation",
        )
    _check_confirmed(reader, lines)


def _check_confirmed(reader: Reader, lines: dict[str, dict]) -> None:
    """Criteria that confirm in any case are not told not to."""
    criteria = _criteria(lines)
    if criteria is not None and criteria.confirms and lines.get("confirmed", {}).get("is") == "no":
        reader.add(
            "protocol.confirmed",
            f"{lines['criteria']['is']!r} confirms responses and progression in any case",
            'write confirmed = { is = "yes", … }, or name other criteria',
        )


def check_around(reader: Reader, data: dict, lines: dict[str, dict], arms: tuple[Arm, ...]) -> None:
    """Lines of cycles that are not given."""
    _check_confirmed(reader, lines)
    entries = [a for a in data["arms"] if isinstance(a, dict)] if isinstance(data.get("arms"), list) else []
    for k, arm in enumerate(entries, 1):
        if "resume" in arm and "after" not in arm:
            reader.add(
                f"arms[{k}].resume",
                "is when cycles after the operation begin, and the arm plans none",
                "add after = { … }, or remove it",
            )
        if arm.get("regimen") and not {"before", "after"} & set(arm):
            reader.add(
                f"arms[{k}].regimen",
                "is given in no cycle",
                "add before = { … } or after = { … }, or remove it",
            )
    if data.get("treatments") and entries and not any(a.get("regimen") for a in entries):
        reader.add(
            "treatments",
            "carry the effect of drugs, and no arm has a regimen",
            "give an arm its regimen, or remove them",
        )


def check_given(
    reader: Reader,
    arms: tuple[Arm, ...],
    therapies: tuple[Therapy, ...],
    links: tuple[Link, ...],
) -> None:
    """Therapies and kill links of drugs that no arm gives."""
    given = {d for a in arms if a.regimen is not None for d in a.regimen.drugs}
    for therapy in therapies:
        if therapy.drug not in given:
            reader.add(
                f"therapies.{therapy.input}",
                f"is set by {therapy.drug!r}, which no arm gives",
                "give it in an arm's regimen, or remove the line",
            )
    for link in links:
        if given and not any(receives(link.model, d) for d in given):
            reader.add(
                f"treatments.{link.name}",
                "receives no drug that an arm gives",
                "give one in an arm's regimen, or remove it",
            )


def check_elsewhere(reader: Reader, disease: Model, lines: dict[str, dict]) -> None:
    """What is said of organs that the disease has no lesion in."""
    organs = [p.name for p in disease.parts if model_name(p.use) == "tumours/lesion"]
    if "elsewhere" in lines.get("modality", {}) and all(o in LIVER for o in organs):
        reader.add(
            "protocol.modality.elsewhere",
            f"is of lesions outside the liver, and {disease.name} has none",
            "remove it",
        )
