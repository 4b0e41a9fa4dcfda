"""ODE / PK-PD systems-pharmacology models of colorectal liver metastasis, as trials and what-ifs.

Research software: its results are simulations and are not advice on any patient.
"""

from importlib import import_module

from pkpd.machine.version import VERSION as __version__

TYPE_CHECKING = False  # as type checkers know it; importing it would take longer than all the rest
if TYPE_CHECKING:  # what type checkers and import contracts see; a test holds it to the table below
    from pkpd.errors import PkpdError as PkpdError
    from pkpd.exposures.comparison import compare_exposures as compare_exposures
    from pkpd.exposures.reading import load_evidence as load_evidence
    from pkpd.fit.fit import Fit as Fit
    from pkpd.fit.inference_data import to_arviz as to_arviz
    from pkpd.fit.reading import load_fit as load_fit
    from pkpd.fit.reading import parse_fit as parse_fit
    from pkpd.fit.result import load_result as load_result
    from pkpd.fit.run import run_fit as run_fit
    from pkpd.machine.executor import on_cluster as on_cluster
    from pkpd.model.compose import load_model as load_model
    from pkpd.model.compose import parse_model as parse_model
    from pkpd.model.model import Model as Model
    from pkpd.parameters.draw import draw as draw
    from pkpd.parameters.draw import typical as typical
    from pkpd.parameters.parameters import Parameters as Parameters
    from pkpd.parameters.population import Population as Population
    from pkpd.parameters.sets import load_parameters as load_parameters
    from pkpd.parameters.sets import parse_parameters as parse_parameters
    from pkpd.records.reading import read_records as read_records
    from pkpd.records.records import Records as Records
    from pkpd.records.run import simulate_records as simulate_records
    from pkpd.regimen.doses import DoseLine as DoseLine
    from pkpd.regimen.lowering import cycles as cycles
    from pkpd.regimen.lowering import lower as lower
    from pkpd.regimen.reading import load_regimen as load_regimen
    from pkpd.regimen.reading import parse_regimen as parse_regimen
    from pkpd.regimen.regimen import Regimen as Regimen
    from pkpd.regimen.rules import Rule as Rule
    from pkpd.regimen.schedule import Schedule as Schedule
    from pkpd.simulation.ablation import ablation as ablation
    from pkpd.simulation.ablation import removal as removal
    from pkpd.simulation.crossings import Crossing as Crossing
    from pkpd.simulation.nca import accumulation as accumulation
    from pkpd.simulation.nca import nca as nca
    from pkpd.simulation.nca import sampling as sampling
    from pkpd.simulation.run import simulate as simulate
    from pkpd.simulation.sensitivities import sensitivity as sensitivity
    from pkpd.simulation.simulation import Simulation as Simulation
    from pkpd.simulation.streaming import Crowd as Crowd
    from pkpd.simulation.streaming import simulate_to_file as simulate_to_file
    from pkpd.simulation.treatment import Treatment as Treatment
    from pkpd.simulation.treatment import treat as treat
    from pkpd.study.kinds import load_study as load_study
    from pkpd.study.kinds import run_study as run_study
    from pkpd.study.study import Study as Study
    from pkpd.trial.assessment import read_response as read_response
    from pkpd.trial.reading import load_trial as load_trial
    from pkpd.trial.reading import parse_trial as parse_trial
    from pkpd.trial.readout import Readout as Readout
    from pkpd.trial.run import run_trial as run_trial
    from pkpd.trial.trial import Trial as Trial

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
    "simulation.run": ("simulate",),
    "simulation.simulation": ("Simulation",),
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
    "trial.assessment": ("read_response",),
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
