"""dy/dt straight from a model's trees, for one patient or for many at once."""

from __future__ import annotations

import numpy as np

from pkpd.model.expression import evaluate
from pkpd.model.model import Model


def right_hand_side(model: Model, y: np.ndarray, inputs: np.ndarray, infusion: np.ndarray) -> np.ndarray:
    """dy/dt in plain Python, flow by flow."""
    values = dict(zip(model.states, y, strict=True)) | dict(zip(model.inputs, inputs, strict=True))
    with np.errstate(all="ignore"):
        for v in model.variables:
            values[v.name] = evaluate(v.tree, values, np)
        place = {n: i for i, n in enumerate(model.states)}
        total = infusion.copy()
        for flow in model.flows:
            rate = evaluate(flow.tree, values, np)
            if flow.source:
                total[place[flow.source]] -= rate
            if flow.target:
                total[place[flow.target]] += rate * float(flow.gain)
    return total
