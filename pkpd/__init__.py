"""ODE / PK-PD systems-pharmacology models of colorectal liver metastasis, as trials and what-ifs.

Research software: its results are simulations and are not advice on any patient.
"""

from importlib import import_module

__version__ = "0.2.0"

_WORDS = {
    "load_model": "pkpd.model.compose", "parse_model": "pkpd.model.compose", "Model": "pkpd.model.schema",
    "load_parameters": "pkpd.parameters", "parse_parameters": "pkpd.parameters", "Parameters": "pkpd.values",
    "load_regimen": "pkpd.regimen", "parse_regimen": "pkpd.regimen", "Regimen": "pkpd.regimen", "Rule": "pkpd.rules",
    "draw": "pkpd.population", "typical": "pkpd.population", "Population": "pkpd.population",
    "lower": "pkpd.schedule", "cycles": "pkpd.schedule", "Schedule": "pkpd.schedule",
    "simulate": "pkpd.simulation", "Simulation": "pkpd.simulation",
    "treat": "pkpd.treatment", "Treatment": "pkpd.treatment",
    "read_records": "pkpd.records.read", "simulate_records": "pkpd.records.read", "Records": "pkpd.records.read",
    "Crowd": "pkpd.streaming", "simulate_to_file": "pkpd.streaming", "on_cluster": "pkpd.executor",
    "sensitivity": "pkpd.sensitivities", "Crossing": "pkpd.events", "removal": "pkpd.events", "ablation": "pkpd.interventions",
    "nca": "pkpd.noncompartmental", "sampling": "pkpd.noncompartmental", "accumulation": "pkpd.noncompartmental",
    "load_evidence": "pkpd.evidence.reading", "compare_exposures": "pkpd.evidence.comparison",
    "load_trial": "pkpd.trial.protocol", "parse_trial": "pkpd.trial.protocol", "Trial": "pkpd.trial.protocol",
    "run_trial": "pkpd.trial.run", "Readout": "pkpd.trial.endpoints",
    "load_fit": "pkpd.fit.free", "parse_fit": "pkpd.fit.free", "Fit": "pkpd.fit.free", "run_fit": "pkpd.fit.run",
    "load_result": "pkpd.fit.result", "to_arviz": "pkpd.fit.inference_data",
    "load_study": "pkpd.study.kinds", "Study": "pkpd.study.sweep", "run_study": "pkpd.study.kinds",
    "PkpdError": "pkpd.errors",
}
__all__ = [*_WORDS, "__version__"]  # pyright: ignore[reportUnsupportedDunderAll] - each word is imported on first use


def __getattr__(name: str):
    if name in _WORDS:
        return getattr(import_module(_WORDS[name]), name)
    raise AttributeError(f"module 'pkpd' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
