"""A fit as its file says: the trial, the free parameters with their priors, and what is left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import expit, logit

from pkpd import library
from pkpd.errors import Issue, nearest
from pkpd.library import check_keys, raise_issues
from pkpd.trial.protocol import Trial, load_trial
from pkpd.values import Parameters

SCALES = {"log": (np.log, np.exp), "logit": (logit, expit), "linear": (lambda x: x, lambda x: x)}


@dataclass(frozen=True)
class Free:
    """One free quantity: a line's value, its spread's sd, or the share of a mixture's last component.

    The prior is normal on the scale: `at` is its centre in the line's unit, `sd` its size on the scale.
    """

    name: str
    line: str
    what: str
    scale: str
    at: float
    sd: float

    @property
    def key(self) -> str:
        return self.line if self.what == "value" else f"{self.line}:{self.what}"

    def to_scale(self, value: np.ndarray | float) -> np.ndarray | float:
        return SCALES[self.scale][0](value)

    def from_scale(self, score: np.ndarray | float) -> np.ndarray | float:
        return SCALES[self.scale][1](score)

    def put(self, parameters: Parameters, value: float) -> Parameters:
        """The parameters with this quantity set."""
        line = parameters[self.line]
        if self.what == "value":
            return parameters.with_value(self.line, replace(line, value=value))
        assert line.spread is not None
        if self.what == "sd":
            return parameters.with_value(self.line, replace(line, spread=replace(line.spread, sd=value)))
        rest = np.array(line.spread.weights[:-1])
        weights = (*(rest / rest.sum() * (1 - value)).tolist(), value)
        return parameters.with_value(self.line, replace(line, spread=replace(line.spread, weights=weights)))


@dataclass(frozen=True)
class Fit:
    """What is calibrated to what, and how long it may take."""

    name: str
    title: str
    text: str
    trial: str
    parameters: str
    link: str
    free: tuple[Free, ...]
    leave_out: tuple[str, ...] = ()
    patients: int = 1500
    replicates: int = 600
    starts: int = 4
    design: int = 140
    draws: int = 200
    seed: int = 1


def put_all(free: tuple[Free, ...], parameters: Parameters, scores: np.ndarray) -> Parameters:
    """The parameters at a point on the free scales."""
    for f, score in zip(free, scores, strict=True):
        parameters = f.put(parameters, float(f.from_scale(score)))
    return parameters


_NUMBERS = ("patients", "replicates", "starts", "design", "draws", "seed")


def load_fit(name: str | Path) -> Fit:
    """A fit by library name or path, checked against its trial and parameters."""
    return library.load("fit", name, read_fit)


def read_fit(data: dict, name: str, where: str) -> Fit:
    """A fit from its tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("fit", "free"), where, issues)
    head = data.get("fit", {})
    check_keys(head, ("title", "text", "trial", "parameters", "link", "leave_out", *_NUMBERS), f"{where}: fit", issues)
    for key in ("trial", "parameters"):
        if not isinstance(head.get(key), str):
            issues.append(Issue(f"{where}: fit.{key}", "is missing"))
    for key in _NUMBERS:
        if key in head and (not isinstance(head[key], int) or isinstance(head[key], bool) or head[key] < 0):
            issues.append(Issue(f"{where}: fit.{key}", f"{head[key]!r} is not a whole number"))
    free = [_free(entry, f"{where}: free[{i + 1}]", issues) for i, entry in enumerate(data.get("free", []))]
    if not free:
        issues.append(Issue(f"{where}: free", "names nothing to calibrate", "add [[free]] tables"))
    raise_issues(issues)
    fit = Fit(name, str(head.get("title", "")), str(head.get("text", "")), head["trial"], head["parameters"],
              str(head.get("link", "")), tuple(f for f in free if f is not None), tuple(head.get("leave_out", ())),
              **{k: head[k] for k in _NUMBERS if k in head})
    check_fit(fit, load_trial(fit.trial), where)
    return fit


def _free(entry: dict, where: str, issues: list[Issue]) -> Free | None:
    before = len(issues)
    check_keys(entry, ("name", "line", "what", "scale", "prior"), where, issues)
    what, scale, prior = entry.get("what", "value"), entry.get("scale", "log"), entry.get("prior", {})
    if what not in ("value", "sd", "mixture"):
        issues.append(Issue(f"{where}.what", f"{what!r} cannot be free", "one of value, sd, mixture"))
    if scale not in SCALES:
        issues.append(Issue(f"{where}.scale", f"{scale!r} is not a scale", nearest(str(scale), SCALES)))
    at, sd = prior.get("at"), prior.get("sd")
    good = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (at, sd)) and sd > 0
    if not good or (scale == "log" and at <= 0) or (scale == "logit" and not 0 < at < 1):
        issues.append(Issue(f"{where}.prior", f"{prior!r} is not a prior on the {scale} scale",
                            "write prior = { at = CENTRE, sd = SIZE ON THE SCALE }"))
    if not isinstance(entry.get("line"), str):
        issues.append(Issue(f"{where}.line", "is missing", 'name a line of the parameters: line = "occult.N0"'))
    if len(issues) > before:
        return None
    return Free(entry.get("name", entry["line"]), entry["line"], what, scale, float(at), float(sd))


def check_fit(fit: Fit, trial: Trial, where: str) -> None:
    """A fit names figures of its trial and lines of its parameters."""
    from pkpd.parameters import load_parameters
    from pkpd.trial.run import disease_model

    issues: list[Issue] = []
    keys = [f.key for f in trial.figures if f.use == "fit"]
    for key in fit.leave_out:
        if key not in keys:
            issues.append(Issue(f"{where}: fit.leave_out", f"{key!r} is not a fitted figure of {trial.name}", nearest(key, keys)))
    parameters = load_parameters(fit.parameters, disease_model(trial.disease))
    known = {v.name: v for v in parameters.values}
    for f in fit.free:
        if f.line not in known:
            issues.append(Issue(f"{where}: free", f"{f.line!r} is not a line of {fit.parameters}", nearest(f.line, known)))
        elif f.what != "value" and (known[f.line].spread is None or (
                f.what == "mixture" and not known[f.line].spread.weights)):  # type: ignore[union-attr]
            issues.append(Issue(f"{where}: free", f"{f.line} has no {f.what}", "free its value, or give it a spread"))
    raise_issues(issues)
