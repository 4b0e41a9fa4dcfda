"""Scans of virtual patients: when they are due, which lesions they show, and what they measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from pkpd.model.model import Model
from pkpd.parameters.draw import uniform
from pkpd.simulation.simulation import Simulation
from pkpd.trial import lesions, response
from pkpd.trial.idle import LIVER
from pkpd.trial.prepare import Prepared


@dataclass(frozen=True)
class Eyes:
    """The diameter (mm) from which each lesion is seen, the same at every scan: of each organ's lesions
    (patient, lesion), and of occult foci (patient, focus), None where the disease has none.
    """

    organs: Mapping[str, np.ndarray]
    occult: np.ndarray | None


@dataclass(frozen=True)
class Read:
    """What scans read, (patient, visit): the sum of targets (mm, or mm^2 in two dimensions), how many lesions
    are seen, whether any is new; and each organ's longest diameters (mm) at the first, (patient, lesion).
    """

    total: np.ndarray
    visible: np.ndarray
    new: np.ndarray
    first: Mapping[str, np.ndarray]


def only_part(model: Model, use: str) -> str:
    """The name of a system's one part of a use."""
    return next(p.name for p in model.parts if p.use == use)


def due_days(prepared: Prepared, days: np.ndarray) -> np.ndarray:
    """When each patient's scans are due, the baseline first, on their days or near them, (patient, visit)."""
    shift = np.stack(
        [uniform((*prepared.key, "protocol", "visit", str(i)), prepared.n) for i in range(len(days))], axis=1
    )
    moved = days + np.clip(ndtri(shift) * prepared.trial.jitter, -30, 30)
    moved[:, 0] = 0.0
    return np.maximum.accumulate(moved, axis=1)


def eyes(prepared: Prepared, course: Simulation) -> Eyes:
    """What scans of each patient show, given what staging saw: the course's first time."""
    trial, key = prepared.trial, prepared.key
    found = limits(prepared, course, trial.modality, trial.elsewhere, "sight of lesion")
    if not any(p.use == "tumours/occult" for p in prepared.disease.parts):
        return Eyes(found, None)
    size = lesions.copies(course, "occult", "diameter")[:, 0]
    curve = _curve(course, trial.modality)
    return Eyes(found, lesions.thresholds(*curve, size, False, (*key, "sight of occult")))


def limits(
    prepared: Prepared, course: Simulation, liver: str, elsewhere: str, label: str
) -> dict[str, np.ndarray]:
    """The diameter (mm) from which modalities see each lesion that staging saw, (patient, lesion), by organ.

    label  under which they are drawn: a search at the operation sees by draws of its own
    """
    found = {}
    for organ, words in _organs(prepared.disease):
        size = lesions.copies(course, organ, "diameter")[:, 0]
        curve = _curve(course, liver if organ in LIVER else elsewhere)
        found[organ] = lesions.thresholds(*curve, size, True, (*prepared.key, label, *words))
    return found


def read(
    prepared: Prepared,
    course: Simulation,
    sight: Eyes,
    visits: int,
    labels: tuple[str, ...] = ("reading",),
    *,
    targets: Mapping[str, np.ndarray] | None = None,
    last: np.ndarray | None = None,
) -> Read:
    """What the scans at a course's first `visits` times read.

    labels   under which errors of measurement are drawn, anew for each visit and lesion; of `last` the second
    targets  longest diameters by which targets are chosen, those of the first scan if left out
    last     visits that are one scan with the last, read once, (patient, visit)
    """
    criteria = response.CRITERIA[prepared.trial.criteria]
    error = course[f"{only_part(course.model, 'host/imaging')}.error"][:, 0]
    total, visible, first = np.zeros((prepared.n, visits)), np.zeros((prepared.n, visits)), {}

    def keys_of(*words: str) -> tuple[tuple[str, ...], ...]:
        return tuple((*prepared.key, label, *words) for label in labels)

    for organ, words in _organs(prepared.disease):
        size = lesions.copies(course, organ, "diameter")[:, :visits]
        measured = _measured(size, error, criteria.dimensions, keys_of(*words), last)
        left = _untreated(prepared, organ, size.shape[2])
        seen = (size >= sight.organs[organ][:, None, :]) & (size[:, :1] > 0) & left
        first[organ] = measured[0][:, 0] * left
        chosen = first[organ] if targets is None else targets[organ]
        total = total + response.target_sum(np.where(seen, measured[-1], 0.0), chosen, criteria)
        visible = visible + seen.sum(axis=2)
    new = np.zeros((prepared.n, visits, 0), dtype=bool)
    if sight.occult is not None:
        new = lesions.foci_seen(course, sight.occult, prepared.key)[:, :visits]
        if not criteria.new_lesion:
            size = lesions.copies(course, "occult", "diameter")[:, :visits]
            measured = _measured(size, error, criteria.dimensions, keys_of("occult"), last)
            total = total + np.where(new, measured[-1], 0.0).sum(axis=2)
    return Read(total=total, visible=visible + new.sum(axis=2), new=np.any(new, axis=2), first=first)


def _organs(model: Model) -> list[tuple[str, tuple[str, ...]]]:
    """Each part of lesions that staging saw, with the word that keeps its draws apart where there are
    several.
    """
    found = [p.name for p in model.parts if p.use == "tumours/lesion"]
    return [(o, (o,) if len(found) > 1 else ()) for o in found]


def _curve(course: Simulation, modality: str) -> tuple[np.ndarray, np.ndarray]:
    """The detection curve of a modality: d50 and width, mm, (patient,)."""
    imaging = only_part(course.model, "host/imaging")
    d50, width = (course[f"{imaging}.{modality.lower()}_{x}"][:, 0] for x in ("d50", "width"))
    return d50, width


def _untreated(prepared: Prepared, organ: str, count: int) -> np.ndarray:
    """Which lesions of an organ are read: not the one that was treated locally."""
    local = prepared.arm.local
    names = [f"{organ}.{j + 1}" for j in range(count)] if count > 1 else [organ]
    return np.array([local is None or name != local.lesion for name in names])


def _measured(
    size: np.ndarray,
    error: np.ndarray,
    dimensions: int,
    keys: tuple[tuple[str, ...], ...],
    last: np.ndarray | None,
) -> tuple[np.ndarray, ...]:
    """Longest diameters as measured, and their products with the diameters across where a scan is read in two
    dimensions; `last` are visits that are one scan with the last, its errors under the second key.
    """

    def once(*across: str) -> np.ndarray:
        found = lesions.measured(size, error, (*keys[0], *across))
        if last is None:
            return found
        own = lesions.measured(size[:, -1:], error, (*keys[1], *across))
        return np.where(last[:, :, None], own, found)

    return (once(),) if dimensions == 1 else (longest := once(), longest * once("across"))


def scanned(
    prepared: Prepared, course: Simulation, days: np.ndarray, due: np.ndarray, end: np.ndarray
) -> response.Scans:
    """The scans that fall due up to each patient's last day `end` (patient,), and what they show."""
    found = read(prepared, course, eyes(prepared, course), len(days))
    made = (due <= end[:, None]) & np.isfinite(found.total)
    made[:, 0] = True
    return response.Scans(
        planned=days, due=due, total=found.total, visible=found.visible, new=found.new, made=made
    )
