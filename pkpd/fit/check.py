"""Whom a fit reaches: its figures and link are those of its trials, its lines those of patients that the
figures count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pkpd.content.library import raise_issues
from pkpd.errors import ContentError, Issue, nearest
from pkpd.fit.fit import Fit
from pkpd.fit.free import Free
from pkpd.fit.own import of_trial, unlike
from pkpd.parameters.parameters import Parameters
from pkpd.parameters.sets import load_parameters
from pkpd.trial.arm import Arm
from pkpd.trial.published import Figure
from pkpd.trial.trial import Trial


def arms_read(trial: Trial, figures: tuple[Figure, ...]) -> tuple[Arm, ...]:
    """The arms that figures are read from; a hazard ratio is read from the control too."""
    names = {f.arm for f in figures} | {trial.control for f in figures if f.kind == "hazard ratio"}
    return tuple(a for a in trial.arms if a.name in names)


def checked(fit: Fit, parameters: str, where: str) -> Fit:
    """A fit with the set that its file names, if its figures and link are of its trials and its lines of
    their patients.
    """
    issues: list[Issue] = []
    _check_figures(fit, where, issues)
    _check_link(fit, where, issues)
    diseases = {t.disease.name: t.name for t in fit.trials}
    if len(diseases) > 1:
        told = ", ".join(f"{trial} has {disease}" for disease, trial in diseases.items())
        issues.append(
            Issue(
                f"{where}: fit.trials",
                f"do not share a disease: {told}",
                "fit them apart: free lines are one model's",
            )
        )
        raise_issues(issues)
    try:
        fit = replace(fit, parameters=load_parameters(parameters, fit.trials[0].disease))
        _check_lines(fit, where, issues)
    except ContentError as error:
        issues += error.issues
    raise_issues(issues)
    return fit


def _check_figures(fit: Fit, where: str, issues: list[Issue]) -> None:
    trials = fit.trials
    keys = [f"{t.name}/{f.key}" for t in trials for f in t.figures if f.use == "fit"]
    for key in fit.leave_out:
        if key not in keys:
            issues.append(
                Issue(
                    f"{where}: fit.leave_out",
                    f"{key!r} is not a fitted figure of {_listed(t.name for t in trials)}",
                    nearest(key, keys),
                )
            )
    for trial in trials:
        if not fit.figures(trial):
            issues.append(
                Issue(
                    f"{where}: fit",
                    f"no figure of {trial.name} is left to fit",
                    'leave out less, give the trial figures with use = "fit", or remove it from trials',
                )
            )


def _check_link(fit: Fit, where: str, issues: list[Issue]) -> None:
    """The kill link is one of every trial that has any."""
    with_links = [t for t in fit.trials if t.treatments]
    for trial in with_links:
        links = [x.name for x in trial.treatments]
        if fit.link and fit.link not in links:
            issues.append(
                Issue(
                    f"{where}: fit.link",
                    f"{fit.link!r} is not a treatment of {trial.name}",
                    nearest(fit.link, links),
                )
            )
    if fit.link and not with_links:
        issues.append(
            Issue(
                f"{where}: fit.link", f"{fit.link!r} is given, but the trials have no treatments", "remove it"
            )
        )


def _check_lines(fit: Fit, where: str, issues: list[Issue]) -> None:
    base, name = fit.parameters, fit.parameters.name
    _check_own(fit, where, issues)
    if laid := [k for k in base.draws if "/" in k]:
        issues.append(
            Issue(
                f"{where}: fit.parameters",
                f"{name} calibrated lines of contexts ({', '.join(laid)}), which a later fit would lose",
                "free them here too, or write their values into the contexts' files",
            )
        )
    stacks = [
        g
        for t in fit.trials
        for a in arms_read(t, fit.figures(t))
        for g in [p.contexts for p in a.patients] or [()]
    ]
    contexts = {c.name: c for stack in stacks for c in stack}
    names = [tuple(c.name for c in stack) for stack in stacks]
    for f in fit.free:
        own = contexts.get(f.context) if f.context else base
        if own is None:
            remedy = f'name a context of these arms, or set = "{name}"; {nearest(f.context, contexts)}'
            issues.append(
                Issue(
                    f"{where}: free",
                    f"{f.context!r} is laid on no patients that a fitted figure counts",
                    remedy,
                )
            )
            continue
        before = len(issues)
        _check_free(f, own, f.context or name, where, issues)
        if len(issues) == before:
            _check_covered(f, name, names, contexts, where=where, issues=issues)


def _check_own(fit: Fit, where: str, issues: list[Issue]) -> None:
    """A trial's own patients can take what is free; one trial at least has the fit's own set, which else says
    nothing.
    """
    base, name = fit.parameters, fit.parameters.name
    kept = [k for k in base.draws if "/" not in k and k not in {key for f in fit.free for key in f.keys}]
    if kept:
        what = f"{name} has draws of {', '.join(kept)}, which a later fit would lose"
        issues.append(
            Issue(f"{where}: fit.parameters", what, "free them here too, or name a set without draws")
        )
    others = [t for t in fit.trials if not of_trial(t, base)]
    if len(others) == len(fit.trials):
        issues.append(
            Issue(
                f"{where}: fit.parameters",
                f"{name!r} is no trial's: " + ", ".join(f"{t.name} has {t.parameters.name}" for t in others),
                "name the set of a trial here, or give this one to the trial",
            )
        )
    lines = {v.name: v for v in base.values}
    for trial in others:
        own = trial.parameters
        if own.draws:
            issues.append(
                Issue(
                    f"{where}: fit.trials",
                    f"{trial.name} has {own.name}, a set with draws of its own",
                    "name a set without draws there",
                )
            )
        free = [(lines[line], f.what) for f in fit.free if not f.context for line in f.lines if line in lines]
        issues += [i for line, what in free if (i := unlike(own, line, what, f"{where}: free")) is not None]


def _check_free(f: Free, own: Parameters, name: str, where: str, issues: list[Issue]) -> None:
    """Each line is one of the set, and has what is free."""
    known = {v.name: v for v in own.values}
    for line in f.lines:
        if line not in known:
            issues.append(Issue(f"{where}: free", f"{line!r} is not a line of {name}", nearest(line, known)))
        elif f.what != "value" and (
            (spread := known[line].spread) is None or (f.what == "mixture" and not spread.weights)
        ):
            issues.append(
                Issue(f"{where}: free", f"{line} has no {f.what}", "free its value, or give it a spread")
            )
        elif known[line].unit != known.get(f.line, known[line]).unit:
            issues.append(
                Issue(
                    f"{where}: free",
                    f"{line} is in {known[line].unit}, but {f.line} in {known[f.line].unit}",
                    "tie lines of one unit",
                )
            )


def _check_covered(
    f: Free,
    parameters: str,
    stacks: list[tuple[str, ...]],
    contexts: Mapping[str, Parameters],
    where: str,
    issues: list[Issue],
) -> None:
    """Its lines are those of patients that the figures count, not hidden by contexts that are
    laid over them.
    """
    for line in f.lines:
        holding = [c for c, own in contexts.items() if any(v.name == line for v in own.values)]
        own = [
            s[s.index(f.context) + 1 :] if f.context else s for s in stacks if not f.context or f.context in s
        ]
        over = list(dict.fromkeys(c for s in own for c in s if c in holding))
        if own and all(any(c in holding for c in s) for s in own):
            issues.append(
                Issue(
                    f"{where}: free",
                    f"{line!r} of {f.context or parameters} reaches no patient: {_listed(over)} lies over it",
                    f'free the context\'s own line: set = "{over[0]}"',
                )
            )
        elif over and not f.apart and not f.context:
            issues.append(
                Issue(
                    f"{where}: free",
                    f"{line!r} is overridden by {_listed(over)} in some patients",
                    f'say whose it is: set = "{over[0]}", or set = "{parameters}" for all other patients',
                )
            )


def _listed(words: Iterable[str]) -> str:
    return " and ".join(words)
