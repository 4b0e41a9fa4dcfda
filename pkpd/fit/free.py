"""A fit as its file says: the trial, the free parameters with their priors, and what is left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import expit, logit

from pkpd import library
from pkpd.errors import Issue, nearest
from pkpd.library import check_keys, check_name, raise_issues, rows, shown, table, text
from pkpd.spread import is_number
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


_HEAD = ("title", "text", "trial", "parameters", "link")
_LIMITS = {"patients": (50, 1_000_000), "replicates": (50, 100_000), "starts": (1, 1000), "design": (10, 100_000),
           "draws": (10, 100_000), "seed": (0, 2**63)}  # of a file: fewer would give no covariance or no posterior
_SUITS = {"value": tuple(SCALES), "sd": ("log",), "mixture": ("logit",)}


def load_fit(name: str | Path) -> Fit:
    """A fit by library name or path, checked against its trial and parameters."""
    return library.load("fit", name, read_fit)


def read_fit(data: dict, name: str, where: str) -> Fit:
    """A fit from its tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("fit", "free"), where, issues)
    head = table(data.get("fit"), f"{where}: fit", (*_HEAD, "leave_out", *_LIMITS), issues)
    words = {k: text(head, k, f"{where}: fit", issues, need=k in ("trial", "parameters")) for k in _HEAD}
    numbers = library.counts(head, _LIMITS, f"{where}: fit", issues)
    left = head.get("leave_out", [])
    if not isinstance(left, list) or not all(isinstance(x, str) for x in left):
        issues.append(Issue(f"{where}: fit.leave_out", f"{shown(left)} is not a list of figures",
                            'write leave_out = ["FIGURE:ARM"]'))
        left = []
    entries = rows(data.get("free"), f"{where}: free", ("name", "line", "what", "scale", "prior"), issues)
    free = [f for place, entry in entries if (f := _free(entry, place, issues)) is not None]
    if not data.get("free"):
        issues.append(Issue(f"{where}: free", "names nothing to calibrate", "add [[free]] tables"))
    for key in sorted({f.key for f in free if [g.key for g in free].count(f.key) > 1}):
        issues.append(Issue(f"{where}: free", f"{key!r} is free twice", "remove one of the two"))
    fit = Fit(name, words["title"], words["text"], words["trial"], words["parameters"], words["link"], tuple(free),
              tuple(left), **numbers)
    if fit.trial:
        check_name(("trial",), fit.trial, f"{where}: fit.trial", issues)
    if fit.parameters:
        check_name(("parameters", "result"), fit.parameters, f"{where}: fit.parameters", issues)
    raise_issues(issues)
    check_fit(fit, load_trial(fit.trial), where)
    return fit


def _free(entry: dict, where: str, issues: list[Issue]) -> Free | None:
    before = len(issues)
    line = text(entry, "line", where, issues)
    if "line" not in entry or entry["line"] == "":
        issues.append(Issue(f"{where}.line", "is missing", 'name a line of the parameters: line = "occult.N0"'))
    name = text(entry, "name", where, issues) or line
    what, scale, prior = entry.get("what", "value"), entry.get("scale", "log"), entry.get("prior", {})
    if what not in ("value", "sd", "mixture"):
        issues.append(Issue(f"{where}.what", f"{shown(what)} cannot be free", "one of value, sd, mixture"))
    if scale not in tuple(SCALES):
        issues.append(Issue(f"{where}.scale", f"{shown(scale)} is not a scale",
                            nearest(scale if isinstance(scale, str) else "", SCALES)))
    elif what in ("sd", "mixture") and scale not in _SUITS[what]:
        issues.append(Issue(f"{where}.scale", f"{scale!r} does not suit a {what}",
                            f'write scale = "{_SUITS[what][0]}", on which it stays what it is'))
    prior = table(prior, f"{where}.prior", ("at", "sd"), issues)
    at, sd = prior.get("at"), prior.get("sd")
    good = is_number(at) and is_number(sd) and sd > 0 and (scale != "log" or at > 0) and (scale != "logit" or 0 < at < 1)
    if not good:
        issues.append(Issue(f"{where}.prior", f"{shown(prior)} is not a prior on the {scale} scale",
                            "write prior = { at = CENTRE, sd = SIZE ON THE SCALE }, sd finite and above zero"))
    if len(issues) > before:
        return None
    return Free(name, line, what, scale, float(at), float(sd))  # type: ignore[arg-type]


def check_fit(fit: Fit, trial: Trial, where: str) -> None:
    """A fit names figures and a link of its trial, and lines of its parameters."""
    from pkpd.parameters import load_parameters
    from pkpd.trial.exposure import daily_model

    issues: list[Issue] = []
    keys = [f.key for f in trial.figures if f.use == "fit"]
    for key in fit.leave_out:
        if key not in keys:
            issues.append(Issue(f"{where}: fit.leave_out", f"{key!r} is not a fitted figure of {trial.name}", nearest(key, keys)))
    if len(set(keys) - set(fit.leave_out)) < 2:
        issues.append(Issue(f"{where}: fit", f"fewer than two figures of {trial.name} are left to fit",
                            'leave out less, or give the trial figures with use = "fit"'))
    links = [k for k, _ in trial.treatments]
    if fit.link and fit.link not in links:
        issues.append(Issue(f"{where}: fit.link", f"{fit.link!r} is not a treatment of {trial.name}", nearest(fit.link, links)))
    parameters = load_parameters(fit.parameters, daily_model(trial.disease))
    known = {v.name: v for v in parameters.values}
    for f in fit.free:
        if f.line not in known:
            issues.append(Issue(f"{where}: free", f"{f.line!r} is not a line of {fit.parameters}", nearest(f.line, known)))
        elif f.what != "value" and (known[f.line].spread is None or (
                f.what == "mixture" and not known[f.line].spread.weights)):  # type: ignore[union-attr]
            issues.append(Issue(f"{where}: free", f"{f.line} has no {f.what}", "free its value, or give it a spread"))
    raise_issues(issues)
