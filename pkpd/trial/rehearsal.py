"""What `pkpd trial` would refuse, found without solving: arms composed, patients drawn, doses laid out."""

from __future__ import annotations

from functools import reduce

import numpy as np

from pkpd.errors import ContentError, Issue
from pkpd.model.model import Model
from pkpd.parameters.draw import draw
from pkpd.parameters.merge import merge
from pkpd.regimen.lowering import packed_starts
from pkpd.trial.arm import Arm
from pkpd.trial.drug_effect import Drugs, laid_out
from pkpd.trial.prepare import check_read, features, one_course
from pkpd.trial.setting import Setting, setting
from pkpd.trial.surgery import plan
from pkpd.trial.trial import Trial

_AROUND = (
    "course.unresectable",
    "course.postoperative_death",
    "course.background",
    "course.after_progression",
    "imaging.error",
    "imaging.ct_d50",
    "imaging.ct_width",
    "imaging.mri_d50",
    "imaging.mri_width",
)
_COPIES = (("lesion", "diameter"), ("occult", "diameter"), ("occult", "extinct"))
_KEY = ("0", "rehearsal", "")


def rehearse(trial: Trial) -> tuple[Issue, ...]:
    """The issues of a trial's arms, each with what it names: none of them needs a solver to be found."""
    issues: list[Issue] = [] if trial.scans else _lacking(trial, trial.disease)
    for link in [x.name for x in trial.treatments] or [""]:
        for arm in () if issues and not trial.scans else trial.arms:
            try:
                _arm(trial, arm, link)
            except ContentError as error:
                issues += error.issues
    return tuple(dict.fromkeys(issues))


def _arm(trial: Trial, arm: Arm, link: str) -> None:
    """Composes an arm as `admit` and `run_arm` do, for one patient of each of its groups."""
    place, own = setting(trial, arm, link), trial.parameters
    groups = np.arange(max(len(arm.patients), 1))
    people = draw(place.disease, own, len(groups), *_KEY)
    covariates = people.covariates | (features(place, people.covariates, groups) if trial.scans else {})
    if trial.scans:
        check_read(place, own)
    for g in arm.patients:
        draw(place.disease, reduce(merge, g.contexts, own), 1, *_KEY)
    for given in place.drugs:
        covariates |= _doses(place, given, covariates, len(groups))


def _doses(place: Setting, given: Drugs, covariates: dict[str, np.ndarray], n: int) -> dict[str, np.ndarray]:
    """Lays out the doses of a drug; returns the covariates that its patients have beside those given."""
    if not place.trial.scans:
        dates = plan(place.trial, place.arm, given.regimen, n, _KEY)
        starts = np.concatenate([dates.before, dates.after], axis=1)
    elif given.sets:
        starts = packed_starts(given.regimen.days())[None]
    else:
        given, days = one_course(given, given.regimen.days())
        starts = np.repeat(days[None], n, axis=0)
    people, _ = laid_out(given, starts, covariates, _KEY)
    return {k: v for k, v in people.covariates.items() if k not in covariates}


def _lacking(trial: Trial, disease: Model) -> list[Issue]:
    """What an operated trial reads of its disease, and the disease has not."""
    known = {*disease.states, *(v.name for v in disease.variables)}
    missing = [n for n in _AROUND if n not in known]
    missing += [
        f"{part}.{name}"
        for part, name in _COPIES
        if not any(k.startswith(f"{part}.") and k.endswith(f".{name}") for k in known)
    ]
    if any(a.regimen for a in trial.arms) and "effect.RATE" not in disease.inputs:
        missing.append("effect.RATE")
    if not missing:
        return []
    return [
        Issue(
            f"{trial.name}: trial.disease",
            f"an operation reads {', '.join(missing)}, which {disease.name} has not",
            "name a disease with lesions, occult foci, imaging and course, as systems/crlm, or follow the "
            "arms by scans",
        )
    ]
