"""Interventions drawn from what a simulation shows: ablation, whose completeness depends on a lesion's size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pkpd.doors import door
from pkpd.errors import fail, nearest
from pkpd.events import removal
from pkpd.population import uniform
from pkpd.schedule import Schedule
from pkpd.simulation import Simulation


@door
def ablation(run: Simulation, lesions: Sequence[str], chosen: np.ndarray | bool = True, session: int = 1) -> Schedule:
    """What ablation at a run's last time leaves of lesions: a schedule that joins the doses of the run.

    lesions  as the model names them, such as "lesion.1", each with a part that uses local/ablation
    chosen   who is ablated, (patient,) or (patient, lesion)
    session  its number: another session of the same lesions is another draw

    Whether a lesion keeps tumour is drawn with its `chance`; then the share `left` of all its compartments stays, else none.
    """
    n, people = len(run.population), run.population
    chosen = np.asarray(chosen, dtype=bool)
    if chosen.shape not in ((), (n,), (n, len(lesions))):
        raise fail("chosen", f"is of shape {chosen.shape}", f"give {(n,)} or {(n, len(lesions))}")
    chosen = np.broadcast_to(chosen[:, None] if chosen.ndim == 1 else chosen, (n, len(lesions)))
    share = {}
    for j, lesion in enumerate(lesions):
        part = _part(run, lesion)
        draws = uniform((*people.key, "ablation", lesion, str(session)), int(people.numbers.max()) - people.first, people.first)
        chance, left = (run[f"{part}.{name}"][:, -1] for name in ("chance", "left"))
        if np.any(np.isnan(chance) & chosen[:, j]):
            raise fail("run", "a patient to be ablated could not be solved", "leave it out: run.failures names it")
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
            if name == tumour or (name.startswith(f"{tumour}.") and name[len(tumour) + 1:].isdigit()):
                known[name] = part.name + name[len(tumour):]
    if lesion not in known:
        raise fail("lesions", f"{run.model.name} cannot ablate {lesion!r}", nearest(lesion, known) if known else
                   'add a part: ablation = { use = "local/ablation", tumour = "lesion" }')
    return known[lesion]
