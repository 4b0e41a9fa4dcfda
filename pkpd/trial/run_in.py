"""The run-in: immunity settles around tumours before the first day, on which tumours are what their lines
say.
"""

from __future__ import annotations

import numpy as np

from pkpd.model.model import Model
from pkpd.parameters.population import Population
from pkpd.simulation.run import simulate
from pkpd.simulation.simulation import Simulation

_TUMOUR = "tumours/"


def settled(model: Model, people: Population, lasts: float, rtol: float, strict: bool = False) -> Simulation:
    """The states of the first day, the one output: tumours as at the start, all else after `lasts` days.

    The system is solved from -lasts to 0 days; then the tumours' states are put back to their start values.
    A patient who fails is kept, its states missing; or, if strict, all is refused (SimulationError).
    """
    run = simulate(
        model, people, None, (0.0,) if lasts == 0 else (-lasts, 0.0), begin=-lasts, rtol=rtol, strict=strict
    )
    states = run.states[:, -1:].copy()
    columns = tumours(model)
    states[:, :, columns] = np.where(np.isnan(states[:, :, columns]), np.nan, run.states[:, :1, columns])
    return Simulation(model, people, run.schedule, run.times[:, -1:], states, run.failures)


def tumours(model: Model) -> list[int]:
    """The states that are of tumours."""
    names = tuple(f"{p.name}." for p in model.parts if p.use.startswith(_TUMOUR))
    return [i for i, s in enumerate(model.states) if s.startswith(names)]
