"""What a result rests on, as short hashes: equal content, equal hash, in whatever file and folder it lies."""

from __future__ import annotations

from dataclasses import replace

from pkpd.content import library
from pkpd.content.naming import placeless
from pkpd.machine import store
from pkpd.model.compose import load_model
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.sets import load_context, load_parameters
from pkpd.regimen.reading import load_regimen
from pkpd.regimen.regimen import Regimen
from pkpd.trial.exposure import daily_model
from pkpd.trial.trial import Trial


def hashes(trial: Trial, parameters: Parameters, fit: str | None) -> dict[str, str | None]:
    """Of the disease's equations, the values, the fit (or None), the trial with what arms are given."""
    return {
        "model": daily_model(trial.disease).hash,
        "parameters": parameters.hash,
        "fit": None if fit is None else _tables("result", fit),
        "trial": store.content_hash(_tables("trial", trial.name), _given(trial)),
    }


def rests_on(trial: Trial) -> list[str]:
    """Hashes of all else that a fit computes with, so that a checkpoint of other content is never resumed."""
    disease = daily_model(trial.disease)
    return [disease.hash, store.content_hash(disease.parameters), *_given(trial)]  # bounds rule points out


def _tables(kind: str, name: str) -> str:
    return store.content_hash(placeless(library.read(kind, name).data))


def _given(trial: Trial) -> list[str]:
    """Of the models, values, contexts and regimens that the arms name."""
    solved = [(load_model(system), "") for _, system in trial.treatments]
    solved += [(load_model(t.model), t.parameters) for t in trial.therapies]
    disease = daily_model(trial.disease)
    found = [h for m, own in solved for h in (m.hash, load_parameters(own or (), m).hash)]
    found += [load_context(c, disease).hash for a in trial.arms for g in a.patients for c in g.contexts]
    return found + [store.content_hash(_nameless(load_regimen(a.regimen))) for a in trial.arms if a.regimen]


def _nameless(regimen: Regimen) -> Regimen:
    return replace(regimen, name="", parts=tuple(_nameless(p) for p in regimen.parts))
