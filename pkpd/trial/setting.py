"""An arm with all that solves it: the disease, the models of its drugs, what is given for how long."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pkpd.content import units
from pkpd.errors import fail, nearest
from pkpd.model.model import Model
from pkpd.parameters.parameters import Parameters
from pkpd.regimen.regimen import Regimen, lasting
from pkpd.trial.arm import Arm
from pkpd.trial.drug_effect import Drugs
from pkpd.trial.therapies import Link, Therapy, receives
from pkpd.trial.trial import Trial


@dataclass(frozen=True)
class Setting:
    """An arm with all that its names stand for: plain data, that means the same on another machine.

    `tied` are the covariates that its drugs depend on, or that say which patients the arm has.
    """

    trial: Trial
    arm: Arm
    link: str
    disease: Model
    drugs: tuple[Drugs, ...]
    tied: frozenset[str]
    contexts: tuple[tuple[str, Parameters], ...] = ()


def setting(trial: Trial, arm: Arm, link: str = "") -> Setting:
    """An arm under one kill link (the trial's first if left out), with what solves its drugs."""
    links = {x.name: x for x in trial.treatments}
    link = link or next(iter(links), "")
    if link not in links and (links if trial.scans else arm.regimen):
        raise fail(f"{trial.name}: treatments", f"there is no link {link!r}", nearest(link, links))
    if not trial.scans:
        own = links.get(link)
        given = () if arm.regimen is None or own is None else (Drugs(own.model, own.parameters, arm.regimen),)
        tied = {c.name for x in trial.treatments for c in x.parameters.covariates}
        return Setting(trial, arm, link, trial.disease, given, frozenset(tied))
    given = () if arm.regimen is None else _suppliers(trial, arm, links.get(link))
    tied = {c.name for d in given for c in d.parameters.covariates}
    tied |= {k for g in arm.patients for k, _ in g.covariates}
    laid = {c.name: c for g in arm.patients for c in g.contexts}
    return Setting(
        trial=trial,
        arm=arm,
        link=link,
        disease=trial.disease,
        drugs=given,
        tied=frozenset(tied),
        contexts=tuple(laid.items()),
    )


def _suppliers(trial: Trial, arm: Arm, link: Link | None) -> tuple[Drugs, ...]:
    """The models that solve an arm's drugs: the kill link for what it receives, one for each other drug."""
    regimen, found = _lasting(trial, arm), []
    chemotherapy = tuple(d for d in regimen.drugs if link is not None and receives(link.model, d))
    if chemotherapy and link is not None:
        found.append(Drugs(link.model, link.parameters, regimen.only(*chemotherapy)))
    own = [t for t in trial.therapies if t.drug in regimen.drugs and t.drug not in chemotherapy]
    solved = {(t.drug, t.parameters.name): t for t in own}
    for key, one in solved.items():
        sets = tuple(
            (t.input, t.variable, t.times * _factor(t, trial.disease))
            for t in own
            if (t.drug, t.parameters.name) == key
        )
        found.append(Drugs(one.model, one.parameters, regimen.only(one.drug), sets))
    return tuple(found)


def _factor(therapy: Therapy, disease: Model) -> float:
    """What a variable of a drug's model is multiplied by to be in the unit of the input that it sets."""
    own = therapy.model.unit(therapy.variable)
    return float(units.ratio(own, disease.unit(therapy.input), therapy.input))


def horizon(trial: Trial) -> float:
    """The last day of which anything is read: of a scan, or of survival."""
    last = max((until for _, until in trial.scans), default=0.0)
    return trial.follow_up[1] if reads_survival(trial) else min(last, trial.follow_up[1])


def reads_survival(trial: Trial) -> bool:
    """Whether a figure of the trial counts deaths after progression."""
    return any(f.endpoint in ("os", "dead") for f in trial.figures)


def _lasting(trial: Trial, arm: Arm) -> Regimen:
    """An arm's regimen with a number of cycles in every course: as the arm says, or for as long as patients
    are followed.
    """
    regimen = arm.regimen
    assert regimen is not None
    if arm.cycles is not None or not regimen.open:
        return lasting(regimen, arm.cycles, f"{trial.name}: arms")
    return regimen.cycles(max(1, math.ceil(horizon(trial) / regimen.courses[0].cycle)))


def warm(settings: Iterable[Setting]) -> None:
    """Compiles what arms need, once, before work is spread over threads."""
    from pkpd.solve.compile import kernels

    for model in {m.hash: m for s in settings for m in (s.disease, *(d.model for d in s.drugs))}.values():
        kernels(model)
