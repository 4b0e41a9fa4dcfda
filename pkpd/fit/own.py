"""Each trial's own patients: what a fit has free, laid over the parameter set that the trial names."""

from __future__ import annotations

from dataclasses import replace

from pkpd.content.library import raise_issues
from pkpd.errors import Issue, fail
from pkpd.fit.free import put
from pkpd.parameters.joint import split
from pkpd.parameters.parameters import Parameters, Value
from pkpd.trial.trial import Trial


def of_trial(trial: Trial, own: Parameters) -> bool:
    """Whether a trial's own set is one that a set, or a fit's result, stands on."""
    return trial.parameters.stands_on[0] in own.stands_on


def own_set(trial: Trial, base: Parameters) -> Parameters:
    """The set that a trial's patients are of, before what is free is put in it: a fit's own where the trial
    names it.
    """
    return base if of_trial(trial, base) else trial.parameters


def laid_over(trial: Trial, result: Parameters) -> Parameters:
    """A result for a trial's patients: its calibrated quantities and their draws, over their own set."""
    if of_trial(trial, result):
        return result
    own, name = trial.parameters, result.name
    if own.draws or not result.draws:
        raise fail(
            f"{trial.name}: trial.parameters",
            f"{own.name} has draws of its own, and so has {name}"
            if own.draws
            else f"is {own.name}, and {name} has no draws to lay over it",
            "name a set without draws, or --fit none",
        )
    keys = [(line, what) for context, line, what in map(split, result.draws) if not context]
    raise_issues(
        [
            i
            for line, what in keys
            if (i := unlike(own, result[line], what, f"{trial.name}: trial.parameters"))
        ]
    )
    for line, what in keys:
        own = put(own, line, what, _held(result[line], what))
    return replace(own, name=f"{result.name} over {own.name}", draws=result.draws)


def _held(line: Value, what: str) -> float:
    """What a result holds of a line: its value, its spread's sd, its mixture's last share."""
    if what == "value" or line.spread is None:
        return line.value
    return line.spread.sd if what == "sd" else line.spread.weights[-1]


def unlike(own: Parameters, line: Value, what: str, where: str) -> Issue | None:
    """What keeps a line of a trial's own set from taking what a fit has free of it: no such spread, or one of
    another law.
    """
    found = next((v for v in own.values if v.name == line.name), None)
    one, other = None if found is None else found.spread, line.spread
    if found is None:
        what_is = f"{own.name} has no line {line.name}"
    elif what == "value":
        return None
    elif one is None or other is None or (one.law, len(one.weights)) != (other.law, len(other.weights)):
        what_is = f"{line.name} has another spread in {own.name}, where its {what} is calibrated"
    else:
        return None
    return Issue(where, what_is, f"give {line.name} there the spread that the fit has it with")
