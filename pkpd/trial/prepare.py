"""Patients before the disease is simulated: dates drawn, drugs solved, covariates of groups given."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from pkpd.content.naming import called
from pkpd.errors import fail
from pkpd.model.model import Model
from pkpd.parameters.draw import draw, uniform
from pkpd.parameters.merge import merge
from pkpd.parameters.parameters import Parameters
from pkpd.regimen.doses import SIZES
from pkpd.regimen.lowering import packed_starts
from pkpd.trial.arm import Arm
from pkpd.trial.drug_effect import DrugEffect, Drugs, kill_rates, levels
from pkpd.trial.setting import Setting, setting
from pkpd.trial.surgery import Plan, plan
from pkpd.trial.trial import Trial

_ORGANS = {
    "LESIONS": ("hepatic", "lesion"),
    "ELSEWHERE": ("extrahepatic",),
}  # parts whose copies a covariate counts


@dataclass(frozen=True)
class Prepared:
    """What of an arm does not depend on the disease's parameters: dates, groups and effects of their drugs.

    `group` is the group of the arm that each patient is of; `contexts` are the sets that groups lay on top,
    by name.
    """

    trial: Trial
    arm: Arm
    link: str
    disease: Model
    tied: frozenset[str]
    key: tuple[str, str, str]
    plan: Plan
    effects: tuple[DrugEffect, ...]
    n: int
    covariates: dict[str, np.ndarray]
    group: np.ndarray
    contexts: tuple[tuple[str, Parameters], ...] = ()

    def others(self, stream: str) -> Prepared:
        """Other patients with these dates, effects and the covariates that are tied to them; the rest is
        drawn anew.
        """
        kept = {k: v for k, v in self.covariates.items() if k in self.tied}
        return replace(self, key=(*self.key[:2], stream), covariates=kept)

    def repeated(self, times: int) -> Prepared:
        """Several patients on each of these dates, effects and covariates."""
        again = np.tile(np.arange(self.n), times)
        dates = Plan(
            self.plan.before[again],
            self.plan.operation[again],
            self.plan.after[again],
            self.plan.follow_up[again],
        )
        return replace(
            self,
            plan=dates,
            effects=tuple(e.take(again) for e in self.effects),
            n=self.n * times,
            covariates={k: v[again] for k, v in self.covariates.items()},
            group=self.group[again],
        )

    @property
    def treated(self) -> bool:
        """Whether cycles before the operation are planned."""
        return self.plan.before.shape[1] > 0

    def sets(self, parameters: Parameters) -> list[Parameters]:
        """The parameters of each group: those given, with its contexts on top."""
        known = dict(self.contexts)
        return [
            reduce(merge, (known[c.name] for c in g.contexts), parameters) for g in self.arm.patients
        ] or [parameters]


def prepare(
    trial: Trial,
    arm: Arm,
    parameters: Parameters,
    n: int,
    link: str = "",
    seed: int = 0,
    stream: str | None = None,
) -> Prepared:
    """Draws dates and solves the drugs of n patients of an arm; see `admit`."""
    return admit(setting(trial, arm, link), parameters, n, seed, stream)


def admit(
    place: Setting, parameters: Parameters, n: int, seed: int = 0, stream: str | None = None
) -> Prepared:
    """Draws dates and solves the drugs of n patients.

    stream  the name under which patients are drawn: arms of one stream treat the same patients
    """
    trial, arm = place.trial, place.arm
    disease = called(place.disease.name)  # never the folder that a file of the user's own lies in
    key = (str(seed), f"trial {disease}", arm.name if stream is None else stream)
    people = draw(place.disease, parameters, n, *key)
    if trial.scans:
        check_read(place, parameters)
        return _followed(place, people.covariates, key, n)
    dates = plan(trial, arm, place.drugs[0].regimen if place.drugs else None, n, key)
    starts = np.concatenate([dates.before, dates.after], axis=1)
    effects: tuple[DrugEffect, ...] = ()
    if place.drugs and starts.size and np.isfinite(starts).any():
        effects = (kill_rates(place.drugs[0], starts, people.covariates, key),)
    return Prepared(
        trial=trial,
        arm=arm,
        link=place.link,
        disease=place.disease,
        tied=place.tied,
        key=key,
        plan=dates,
        effects=effects,
        n=n,
        covariates=people.covariates,
        group=np.zeros(n, dtype=int),
    )


def _followed(
    place: Setting, covariates: dict[str, np.ndarray], key: tuple[str, str, str], n: int
) -> Prepared:
    """Patients of an arm that is followed: each in a group, all on the arm's planned days."""
    trial, arm = place.trial, place.arm
    shares = np.cumsum([g.share for g in arm.patients])[:-1]
    group = np.searchsorted(shares, uniform((*key, "protocol", "group"), n), side="right")
    own = covariates | features(place, covariates, group)
    effects, last = [], 0.0
    for given in place.drugs:
        days = given.regimen.days()
        last = max([last, *(float(d[-1]) for d in days if len(d))])
        if given.sets:
            found, people = levels(given, packed_starts(days), own, key)
            effects += found
            own |= {k: v for k, v in people.covariates.items() if k not in own}
        else:
            effects.append(_kill(given, days, own, key, n))
    low, high = trial.follow_up
    wait = arm.operation[0] + (
        0 if math.isinf(arm.operation[0]) else arm.operation[1] - arm.operation[0]
    ) * uniform((*key, "protocol", "operation"), n)
    never = np.full((n, 0), np.inf)
    dates = Plan(never, last + wait, never, low + (high - low) * uniform((*key, "protocol", "accrual"), n))
    return Prepared(
        trial=trial,
        arm=arm,
        link=place.link,
        disease=place.disease,
        tied=place.tied,
        key=key,
        plan=dates,
        effects=tuple(effects),
        n=n,
        covariates=own,
        group=group,
        contexts=place.contexts,
    )


def features(place: Setting, covariates: dict[str, np.ndarray], group: np.ndarray) -> dict[str, np.ndarray]:
    """The covariates that groups of an arm give to their patients."""
    found: dict[str, np.ndarray] = {}
    for i, g in enumerate(place.arm.patients):
        for name, value in g.covariates:
            before = found.get(name, covariates.get(name, np.full(len(group), np.nan)))
            found[name] = np.where(group == i, value, before)
    for name, values in found.items():
        if np.isnan(values).any():
            raise fail(
                f"{place.trial.name}: arms",
                f"{name} is given to some groups of {place.arm.name!r} only",
                "give it to every group: the disease's patients have none of their own",
            )
    _check_lesions(place, found)
    return found


def _check_lesions(place: Setting, found: dict[str, np.ndarray]) -> None:
    """Groups have a lesion, and no more in an organ than the disease has copies."""
    where, counts = (
        f"{place.trial.name}: arms.{place.arm.name}.patients",
        [found[k] for k in _ORGANS if k in found],
    )
    if len(counts) == len(_ORGANS) and np.any(sum(counts) == 0):
        raise fail(
            where,
            "a group has no lesion: " + " and ".join(f"{k} = 0" for k in _ORGANS),
            "give one of them some",
        )
    for name, organs in _ORGANS.items():
        most = sum(
            s.startswith(tuple(f"{o}." for o in organs)) and s.endswith(".sensitive")
            for s in place.disease.states
        )
        if name in found and most and found[name].max() > most:
            raise fail(
                f"{where}.covariates.{name}",
                f"{found[name].max():g} lesions, but {place.disease.name} has {most} there",
                f"give {most} or fewer: more would be left out",
            )
    _check_local(place, found)


def _check_local(place: Setting, found: dict[str, np.ndarray]) -> None:
    """The lesion that is treated locally is one that some patient has."""
    local = place.arm.local.lesion if place.arm.local is not None else ""
    number = local.rpartition(".")[2]
    for name, organs in _ORGANS.items():
        if (
            name in found
            and local.startswith(organs)
            and number.isdigit()
            and found[name].max() < int(number)
        ):
            raise fail(
                f"{place.trial.name}: arms.{place.arm.name}.local.lesion",
                f"no patient of the arm has a lesion {local!r}",
                "name one that they have, or give them more lesions",
            )


def _kill(
    given: Drugs, days: list[np.ndarray], covariates: dict[str, np.ndarray], key: tuple[str, str, str], n: int
) -> DrugEffect:
    """The kill rate of chemotherapy that is one course of the regimen."""
    course, starts = one_course(given, days)
    return kill_rates(course, np.repeat(starts[None], n, axis=0), covariates, key)


def one_course(given: Drugs, days: list[np.ndarray]) -> tuple[Drugs, np.ndarray]:
    """A kill link with the one course of cycles that it is solved for, and the days on which they start."""
    own = [(c, d) for c, d in zip(given.regimen.courses, days, strict=True) if c.doses]
    if len(own) != 1:
        raise fail(
            f"{given.regimen.where}: courses",
            "give chemotherapy in more than one",
            "a kill link is solved for one course of cycles",
        )
    course, starts = own[0]
    return Drugs(given.model, given.parameters, course), starts


def check_read(place: Setting, parameters: Parameters) -> None:
    """Every covariate that groups give is read by an effect of the disease or of a drug, or by a dose."""
    sets = [parameters, *(own for _, own in place.contexts), *(d.parameters for d in place.drugs)]
    lines = [v for s in sets for v in (*s.values, *s.covariates)]
    read = {n for v in lines if v.effect is not None for n, _ in v.effect.reference}
    read |= {*SIZES} if place.drugs else set()
    for name in dict.fromkeys(k for g in place.arm.patients for k, _ in g.covariates):
        if name not in read:
            raise fail(
                f"{place.trial.name}: arms.{place.arm.name}.patients.covariates.{name}",
                "is read by no effect of the disease, of a context or of a drug: it would change nothing",
                "remove it, or name one of " + ", ".join(sorted(read)),
            )
