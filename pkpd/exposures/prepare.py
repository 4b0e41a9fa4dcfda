"""The courses that exposures need, each once: models loaded, regimens cut down to the drug."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pkpd.content import library
from pkpd.content.library import raise_issues
from pkpd.errors import ContentError, fail
from pkpd.exposures.conversion import factor_to
from pkpd.exposures.course import Course
from pkpd.exposures.exposure import ACCUMULATION, Exposure
from pkpd.model.compose import load_model
from pkpd.model.model import Model
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.sets import load_parameters
from pkpd.regimen.lowering import target
from pkpd.regimen.reading import load_regimen
from pkpd.regimen.regimen import Regimen, combined


def courses(exposures: Iterable[Exposure]) -> tuple[Course, ...]:
    """The simulations that exposures need, each once; raises all that their drugs' models cannot give."""
    issues, defaults = [], _defaults()
    groups: dict[tuple, list[Exposure]] = {}
    ready: dict[tuple, tuple[Model, Parameters, Regimen]] = {}
    for f in exposures:
        try:
            own = (f.drug, f.parameters, f.given)
            if own not in ready:
                ready[own] = _load(f, defaults)
            model, _, regimen = ready[own]
            factor_to(f, model)
            last = f.cycles if _ends(f, regimen) else 0
            groups.setdefault((own, f.patients, last), []).append(f)
        except ContentError as error:
            issues += [i for i in error.issues if i not in issues]
    raise_issues(issues)
    return tuple(_course(group, *ready[own]) for (own, *_), group in groups.items())


def _ends(f: Exposure, regimen: Regimen) -> bool:
    """Whether no dose may follow the last that an exposure names."""
    once = f.given.line is not None and f.given.every == 0
    whole = f.cycles * regimen.cycle * (1 + 1e-9)
    return once or (f.what not in ACCUMULATION and f.end is None) or (f.end or 0.0) > whole


def _course(group: list[Exposure], model: Model, parameters: Parameters, regimen: Regimen) -> Course:
    """The course that a group of exposures shares."""
    first = group[0]
    return Course(
        drug=first.drug,
        model=model,
        parameters=parameters,
        regimen=regimen,
        count=max(f.cycles for f in group),
        patients=first.patients,
        words=first.given.words,
        exposures=tuple(group),
    )


def _defaults() -> dict[str, str]:
    """The default set of each model of the library, looked up once for all exposures."""
    heads = {
        name: library.read("parameters", name).data.get("parameters", {})
        for name in library.names("parameters")
    }
    return {head["model"]: name for name, head in heads.items() if head.get("default") is True}


def _load(f: Exposure, defaults: dict[str, str]) -> tuple[Model, Parameters, Regimen]:
    """An exposure's drug, values, and what of its regimen is given of that drug."""
    model = load_model(f.drug)
    parameters = load_parameters(f.parameters or defaults.get(model.name, ()), model)
    if f.given.line is not None:
        drug = model.name.rsplit("/", 1)[-1].removesuffix(".toml")
        line = replace(f.given.line, drug=drug)
        target(drug, model, f.place)
        return model, parameters, Regimen(f.given.words, f.given.words, f.given.every or 1.0, (line,))
    return model, parameters, alone(load_regimen(f.given.regimen), model, f"{f.place}.regimen")


def alone(regimen: Regimen, model: Model, where: str) -> Regimen:
    """What a regimen gives of one drug, without rules: those look at what the drug's model does not hold."""
    own = [
        replace(c, doses=tuple(d for d in c.doses if _takes(model, d.drug)), rules=())
        for c in regimen.courses
    ]
    if not any(c.doses for c in own):
        raise fail(
            where,
            f"{regimen.name} gives nothing that {model.name} can receive",
            "it gives " + ", ".join(regimen.drugs),
        )
    return combined(regimen.name, regimen.title, tuple(own)) if regimen.parts else own[0]


def _takes(model: Model, drug: str) -> bool:
    try:
        target(drug, model, "")
    except ContentError:
        return False
    return True
