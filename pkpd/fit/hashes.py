"""What a result rests on, as short hashes: equal content, equal hash, in whatever file and folder it lies."""

from __future__ import annotations

from pkpd.content import library
from pkpd.content.naming import placeless
from pkpd.machine import store
from pkpd.parameters.parameters import Parameters
from pkpd.trial.trial import Trial


def hashes(trial: Trial, parameters: Parameters, fit: str | None) -> dict[str, str | None]:
    """Of the disease's equations, the values, the fit (or None), the trial with what arms are given."""
    return {
        "model": trial.disease.hash,
        "parameters": parameters.hash,
        "fit": None if fit is None else store.content_hash(placeless(library.read("result", fit).data)),
        "trial": trial.hash,
    }
