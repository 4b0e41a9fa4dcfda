"""ODE / PK-PD systems-pharmacology models of colorectal liver metastasis, as trials and what-ifs.

Research software: its results are simulations and are not advice on any patient.
"""

from importlib import import_module

__version__ = "0.2.0"

_ROOMS = {
    "model.compose": ("load_model", "parse_model"),
    "model.model": ("Model",),
    "parameters.sets": ("load_parameters", "parse_parameters"),
    "parameters.parameters": ("Parameters",),
    "regimen.reading": ("load_regimen", "parse_regimen"),
    "regimen.regimen": ("Regimen",),
    "regimen.doses": ("DoseLine",),
    "regimen.rules": ("Rule",),
    "parameters.draw": ("draw", "typical"),
    "parameters.population": ("Population",),
    "regimen.lowering": ("lower", "cycles"),
    "regimen.schedule": ("Schedule",),
    "simulation.simulation": ("simulate", "Simulation"),
    "simulation.treatment": ("treat", "Treatment"),
    "records.reading": ("read_records",),
    "records.run": ("simulate_records",),
    "records.records": ("Records",),
    "simulation.streaming": ("Crowd", "simulate_to_file"),
    "machine.executor": ("on_cluster",),
    "simulation.sensitivities": ("sensitivity",),
    "simulation.crossings": ("Crossing",),
    "simulation.ablation": ("removal", "ablation"),
    "simulation.nca": ("nca", "sampling", "accumulation"),
    "exposures.reading": ("load_evidence",),
    "exposures.comparison": ("compare_exposures",),
    "trial.reading": ("load_trial", "parse_trial"),
    "trial.trial": ("Trial",),
    "trial.run": ("run_trial",),
    "trial.readout": ("Readout",),
    "fit.reading": ("load_fit", "parse_fit"),
    "fit.fit": ("Fit",),
    "fit.run": ("run_fit",),
    "fit.result": ("load_result",),
    "fit.inference_data": ("to_arviz",),
    "study.kinds": ("load_study", "run_study"),
    "study.study": ("Study",),
    "errors": ("PkpdError",),
}
_WORDS = {word: f"pkpd.{place}" for place, words in _ROOMS.items() for word in words}
# each word is imported on first use
__all__ = [*_WORDS, "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str):
    if name in _WORDS:
        return getattr(import_module(_WORDS[name]), name)
    raise AttributeError(f"module 'pkpd' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
