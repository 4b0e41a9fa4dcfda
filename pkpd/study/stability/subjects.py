"""Virtual patients of a study of stability, with tumour in one place, under constant treatment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pkpd.fit.free import Point, point
from pkpd.fit.result import points
from pkpd.parameters.bind import line_for
from pkpd.parameters.draw import draw, typical
from pkpd.parameters.merge import merge
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.population import Population
from pkpd.study.stability.plan import Given, Group, StabilityStudy


def central(study: StabilityStudy) -> tuple[Point, dict]:
    """The parameters at the values of the library's files, or at the medians of a fit, with its account."""
    medians = ((key, float(np.median(x))) for key, x in study.parameters.draws.items())
    return point(study.parameters, medians), study.account


def drawn(study: StabilityStudy) -> list[Point]:
    """The parameters under each draw: of the fit's posterior, or the library's own again."""
    found = points(study.parameters, study.draws)
    return [found[k % len(found)] for k in range(study.draws)]


def parameters(study: StabilityStudy, group: Group, at: Point) -> Parameters:
    """The values of a group: its contexts laid on top, with what a fit has set in them."""
    own = at.parameters
    for name, context in group.contexts:
        own = merge(own, at.within(name, context))
    return own


def people(study: StabilityStudy, group: Group, at: Point, stream: str = "patients") -> Population:
    """Virtual patients of a group; those of one number and stream are at the same quantiles in
    every group.
    """
    return draw(
        study.system,
        parameters(study, group, at),
        study.patients,
        study.seed,
        "stability",
        stream,
        covariates=dict(group.covariates),
    )


def average(study: StabilityStudy, group: Group, at: Point) -> Population:
    """The typical patient of a group; what some have and others have not (presentation of antigen) is as in
    most.
    """
    own = parameters(study, group, at)
    one = typical(study.system, own, dict(group.covariates))
    split = {v.name for v in own.values if v.spread is not None and v.spread.law == "bernoulli"}
    return one.with_inputs({n: float(np.round(one[n][0])) for n in one.names if line_for(n) in split})


def treated(patients: Population, given: Given) -> Population:
    """The same patients with a treatment that is constant from the begin."""
    return patients.with_inputs(dict(given.sets))


def scaled(patients: Population, group: Group, line: str, factor: np.ndarray | float) -> Population:
    """The same patients with a line times a factor, one or one a patient; `site.` is the site of the group's
    tumour.
    """
    names = named(patients, group, line)
    return patients.with_inputs({n: patients[n] * factor for n in names})


def named(patients: Population, group: Group, line: str) -> list[str]:
    """The inputs that a line fills; `site.` is the site of the group's tumour."""
    own = line.replace("site.", f"{group.place.site}.", 1) if line.startswith("site.") else line
    return [n for n in patients.names if line_for(n) == own]


def repeated(patients: Population, times: int) -> Population:
    """Each patient several times in a row."""
    which = np.repeat(np.arange(len(patients)), times)
    return replace(patients, inputs=patients.inputs[which], covariates={}, rows=np.arange(len(which)))
