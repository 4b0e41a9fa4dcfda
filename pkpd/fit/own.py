"""Each trial's own patients: what a fit has free, laid over the parameter set that the trial names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pkpd.content import library
from pkpd.content.library import raise_issues
from pkpd.errors import Issue, fail
from pkpd.fit.free import put
from pkpd.parameters.joint import split
from pkpd.parameters.parameters import Parameters, Value
from pkpd.parameters.sets import load_parameters
from pkpd.trial.exposure import daily_model
from pkpd.trial.trial import Trial


def stands_on(name: str | Path) -> tuple[str, ...]:
    """The files of a set and, of a fit's result, of what lies below it."""
    own = library.is_path(name, "parameters") or name in library.names("parameters")
    source = library.read("parameters" if own else "result", name)
    head = source.data.get("parameters", {})
    below = head.get("include", []) if "draws" in source.data and isinstance(head, dict) else []
    return (str(Path(source.path).resolve()), *(f for n in below for f in stands_on(n)))


def named(trial: Trial, name: str | Path) -> bool:
    """Whether a trial's own set is one that a fit or its result stands on."""
    return stands_on(trial.parameters)[0] in stands_on(name)


def own_set(trial: Trial, name: str | Path, base: Parameters) -> Parameters:
    """The set that a trial's patients are of, before what is free is put in it: a fit's own where the trial
    names it.
    """
    return base if named(trial, name) else load_parameters(trial.parameters, daily_model(trial.disease))


def laid_over(trial: Trial, name: str | Path, result: Parameters) -> Parameters:
    """A result for a trial's patients: its calibrated quantities and their draws, over the
    trial's own set.
    """
    if named(trial, name):
        return result
    own = load_parameters(trial.parameters, daily_model(trial.disease))
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
