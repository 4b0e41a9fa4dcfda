"""What `pkpd check` looks at: each entry by itself, then with all that it names composed, and
nothing solved.
"""

from __future__ import annotations

from pkpd.content import library
from pkpd.errors import Issue, nearest


def issues_of(kind: str, name: str) -> list[Issue]:
    """What is wrong with an entry, or a file, of a kind: of itself, and with what it names."""
    own = {"model": _of_model, "parameters": _of_parameters, "result": _of_result, "exposures": _of_evidence}
    return own[kind](name) if kind in own else _rehearsed(kind, name)


def _of_model(name: str) -> list[Issue]:
    """A part that joins others is checked in the systems that use it."""
    from pkpd.model.check import check_model
    from pkpd.model.compose import build_model, model_file

    file = model_file(name)
    if not (file.parts or file.compartments or file.variables or file.flows or file.parameters):
        return [
            Issue(
                file.where,
                "holds nothing: no parts, no compartments, no variables",
                "write [parts], or [compartments] and [flows]",
            )
        ]
    alone = not file.joins and not file.gathers and (file.parts or file.compartments)
    return check_model(build_model(file, {})) if alone else []


def _of_parameters(name: str) -> list[Issue]:
    """A set, with the model that it is for."""
    from pkpd.model.compose import build_model, model_file
    from pkpd.parameters.bind import bind
    from pkpd.parameters.model_of import meant
    from pkpd.parameters.sets import load_parameters

    own = load_parameters(name)
    if not own.model:
        return []
    known = meant(own.model, own.name)
    if not known:
        offered = nearest(own.model, library.names("model"))
        return [
            Issue(
                f"{library.read('parameters', name).where}: parameters.model",
                f"{own.model!r} names no model: no entry of the library, no file",
                offered,
            )
        ]
    file = model_file(known[0])
    if file.parts:
        load_parameters(name, build_model(file, {}), host=None)
    else:
        bind(own, file)
    return []


def _of_result(name: str) -> list[Issue]:
    """The result of a fit: its account, then the set that it is."""
    from pkpd.fit.result import figure_issues, load_result

    account = load_result(name)[1]
    return figure_issues(account, library.read("result", name).where) + _of_parameters(name)


def _of_evidence(name: str) -> list[Issue]:
    """Published exposures, with the drugs and regimens that they name."""
    from pkpd.exposures.prepare import courses
    from pkpd.exposures.reading import load_evidence

    courses(load_evidence(name).figures)
    return []


def _rehearsed(kind: str, name: str) -> list[Issue]:
    """What a trial, or the trials of a fit or study, would be refused for when they are run."""
    from pkpd.fit.reading import load_fit
    from pkpd.regimen.reading import load_regimen
    from pkpd.study.kinds import load_study
    from pkpd.trial.reading import load_trial
    from pkpd.trial.rehearsal import rehearse

    if kind == "trial":
        return [*rehearse(load_trial(name))]
    if kind == "fit":
        return [i for t in load_fit(name).trials for i in rehearse(t)]
    if kind == "study":
        trial = getattr(load_study(name), "trial", None)
        return [] if trial is None else [*rehearse(trial)]
    load_regimen(name)
    return []
