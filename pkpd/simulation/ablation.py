"""Surgery and ablation: what is left of compartments; of ablation, by completeness that depends on a lesion's
size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pkpd.errors import fail, nearest
from pkpd.machine.doors import door
from pkpd.model.model import Model
from pkpd.parameters.draw import uniform
from pkpd.regimen.schedule import SCALE, Schedule, packed
from pkpd.simulation.simulation import Simulation


@door
def ablation(
    run: Simulation, lesions: Sequence[str], chosen: np.ndarray | bool = True, session: int = 1
) -> Schedule:
    """What ablation at a run's last time leaves of lesions: a schedule that joins the doses of the run.

    A(t+) = L A(t-) for every compartment A of a lesion. Tumour is left with the part's `chance`, in
    local/ablation o / (1 + o), o = exp(SLOPE (diameter - DHALF)): one uniform draw below it and L is `left`,
    else 0. ContentError for a lesion that cannot be ablated, and a patient to be ablated who could not be
    solved.

    lesions  as the model names them, such as "lesion.1", each with a part that uses local/ablation
    chosen   who is ablated, (patient,) or (patient, lesion)
    session  its number: another session of the same lesions is another draw
    """
    n, people = len(run.population), run.population
    chosen = np.asarray(chosen, dtype=bool)
    if chosen.shape not in ((), (n,), (n, len(lesions))):
        raise fail("chosen", f"is of shape {chosen.shape}", f"give {(n,)} or {(n, len(lesions))}")
    chosen = np.broadcast_to(chosen[:, None] if chosen.ndim == 1 else chosen, (n, len(lesions)))
    share = {}
    for j, lesion in enumerate(lesions):
        part = _part(run, lesion)
        draws = uniform(
            (*people.key, "ablation", lesion, str(session)),
            int(people.numbers.max()) - people.first,
            people.first,
        )
        chance, left = (run[f"{part}.{name}"][:, -1] for name in ("chance", "left"))
        if np.any(np.isnan(chance) & chosen[:, j]):
            raise fail(
                "run", "a patient to be ablated could not be solved", "leave it out: run.failures names it"
            )
        kept = draws[people.numbers - people.first - 1] < chance
        left = np.where(chosen[:, j], np.where(kept, left, 0.0), 1.0)
        share |= {s: left for s in run.model.states if s.rsplit(".", 1)[0] == lesion}
    return removal(run.model, run.times[:, -1], share, n)


def _part(run: Simulation, lesion: str) -> str:
    """The part by which a lesion is ablated."""
    known = {}
    for part in run.model.parts:
        tumour = dict(part.joins).get("tumour", "") if part.use == "local/ablation" else ""
        for state in run.model.states if tumour else ():
            name = state.rsplit(".", 1)[0]
            if name == tumour or (name.startswith(f"{tumour}.") and name[len(tumour) + 1 :].isdigit()):
                known[name] = part.name + name[len(tumour) :]
    if lesion not in known:
        raise fail(
            "lesions",
            f"{run.model.name} cannot ablate {lesion!r}",
            nearest(lesion, known)
            if known
            else 'add a part: ablation = { use = "local/ablation", tumour = "lesion" }',
        )
    return known[lesion]


@door
def removal(
    model: Model, time: np.ndarray | float, left: Mapping[str, np.ndarray | float], n: int
) -> Schedule:
    """Surgery or ablation: the share of each named compartment that is left at a time, for n patients.

    A(t+) = L A(t-) of a compartment A with the share L left. ContentError for a name that is no compartment,
    a share beyond 0 to 1, a time that is missing.

    time  in the model's time unit, one for all or one a patient; infinite for a patient who has none
    left  from 0 (all removed) to 1, one for all or one a patient
    """
    if not left:
        raise fail("left", "names nothing to remove", "name compartments, each with the share that is left")
    time = _each(time, n, "time")
    if np.any(np.isnan(time) | np.isneginf(time)):
        raise fail("time", "is missing for a patient", "give a time, infinite for a patient who has none")
    own = np.flatnonzero(np.isfinite(time))
    index, value = [], []
    for name, share in left.items():
        if name not in model.states:
            raise fail(f"left.{name}", f"{model.name} has no such compartment", nearest(name, model.states))
        share = _each(share, n, f"left.{name}")
        if not np.all((share >= 0) & (share <= 1)):
            raise fail(f"left.{name}", "is not a share from 0 to 1", "give what is left, 0 for all removed")
        index.append(np.full(len(own), model.states.index(name)))
        value.append(share[own])
    who = np.tile(own, len(left))
    return packed(n, who, time[who], np.full(len(who), SCALE), np.concatenate(index), np.concatenate(value))


def _each(given: np.ndarray | float, n: int, where: str) -> np.ndarray:
    """One number for each of n patients."""
    given = np.asarray(given, dtype=float)
    if given.shape not in ((), (1,), (n,)):
        raise fail(where, f"is of shape {given.shape}, not {(n,)}", "give one number, or one a patient")
    return np.broadcast_to(given, (n,))
