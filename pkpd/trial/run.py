"""run_trial: patients through a protocol, arm by arm, to readouts."""

from __future__ import annotations

from pkpd.machine.doors import door
from pkpd.parameters.parameters import Parameters
from pkpd.simulation.run import Tell, quiet
from pkpd.trial.followed import follow
from pkpd.trial.operated import operate
from pkpd.trial.prepare import Prepared, admit, prepare
from pkpd.trial.readout import Followed, Readout
from pkpd.trial.setting import Setting, setting, warm
from pkpd.trial.trial import Trial

__all__ = ["Prepared", "Setting", "admit", "prepare", "run_arm", "run_trial", "setting", "warm"]


def run_arm(prepared: Prepared, parameters: Parameters) -> Readout | Followed:
    """The readout of one arm under one set of disease parameters."""
    return (follow if prepared.trial.scans else operate)(prepared, parameters)


@door
def run_trial(
    trial: Trial,
    parameters: Parameters,
    patients: int = 1000,
    link: str = "",
    seed: int = 0,
    tell: Tell = quiet,
) -> dict[str, Readout | Followed]:
    """Every arm of a trial with `patients` virtual patients each, under one set of disease parameters:
    readouts by the arm's name, times in days (equations: `Readout`, `Followed`).

    link  the kill link, the trial's first if left out; ContentError for one that it has not
    tell  is told how many arms are done: (what, done, of)
    """
    found: dict[str, Readout | Followed] = {}
    for arm in trial.arms:
        found[arm.name] = run_arm(prepare(trial, arm, parameters, patients, link, seed), parameters)
        tell("arms", len(found), len(trial.arms))
    return found
