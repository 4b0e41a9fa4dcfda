"""A fit's file read: which trials and figures, which quantities are free, under which priors."""

from __future__ import annotations

from pathlib import Path

from pkpd.content import library, toml
from pkpd.content.fields import Choice, Field, Names, Text, Whole, is_number, read, read_rows
from pkpd.content.library import check_keys, check_name, raise_issues, table
from pkpd.content.naming import file_of
from pkpd.content.toml import shown
from pkpd.errors import ContentError, Issue
from pkpd.fit.check import checked
from pkpd.fit.fit import Fit
from pkpd.fit.free import SCALES, WHATS, Free
from pkpd.trial.reading import load_trial
from pkpd.trial.trial import Trial

_HEAD: dict[str, Field] = {
    "trials": Names(of="trials", like="eortc_40983", empty=False),
    "title": Text(),
    "text": Text(),
    "parameters": Text(need=True),
    "link": Text(),
    "leave_out": Names(of="figures", like="TRIAL/FIGURE:ARM", empty=False),
}
_LIMITS: dict[str, Field] = {  # fewer would give no covariance or no posterior
    "patients": Whole(least=50, most=1_000_000),
    "replicates": Whole(least=50, most=100_000),
    "starts": Whole(least=1, most=1000),
    "design": Whole(least=10, most=100_000),
    "draws": Whole(least=10, most=100_000),
    "seed": Whole(least=0, most=2**63),
}
_SUITS = {"value": tuple(SCALES), "sd": ("log",), "mixture": ("logit",)}
_WIDEST = 13.8  # of a prior on a log or logit scale, as of an omega: log of a million
_FREE: dict[str, Field] = {
    "line": Text(need=True, lack='name a line of the parameters: line = "occult.N0"'),
    "name": Text(),
    "set": Text(),
    "tie": Names(
        of="lines",
        remedy='write tie = ["elsewhere.KAPPA"]: lines that take the same value',
        empty=False,
    ),
    "what": Choice(known=WHATS, default="value", what="cannot be free", remedy="one of " + ", ".join(WHATS)),
    "scale": Choice(known=tuple(SCALES), default="log", what="is not a scale"),
    "prior": Field(default={}),
}


def load_fit(name: str | Path) -> Fit:
    """A fit by library name or path, checked against its trials and parameters."""
    return library.load("fit", name, read_fit)


def parse_fit(source: str | dict, name: str = "fit") -> Fit:
    """A fit from TOML text or from its tables, as in a notebook; its trials and parameters are named."""
    return read_fit(toml.tables(source, name), name, name)


def read_fit(data: dict, name: str, where: str) -> Fit:
    """A fit from its tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("fit", "free"), where, issues)
    head = read(data.get("fit", {}), _HEAD | _LIMITS, f"{where}: fit", issues)
    named, parameters = head["trials"], head["parameters"]
    numbers = {k: head.pop(k) for k in _LIMITS}
    entries = read_rows(data.get("free"), _FREE, f"{where}: free", issues)
    free = [f for place, own, entry in entries if (f := _free(own, entry, parameters, place, issues))]
    if not data.get("free"):
        issues.append(Issue(f"{where}: free", "names nothing to calibrate", "add [[free]] tables"))
    keys = [k for f in free for k in f.keys]
    for key in sorted({k for k in keys if keys.count(k) > 1}):
        issues.append(Issue(f"{where}: free", f"{key!r} is free twice", "remove one of the two"))
    if parameters:
        check_name(("parameters", "result"), parameters, f"{where}: fit.parameters", issues)
    trials = _trials(named, f"{where}: fit.trials", issues)
    raise_issues(issues)
    given = {k: v for k, v in numbers.items() if v is not None}
    held = head | {"trials": trials, "parameters": trials[0].parameters}
    return checked(Fit(name=name, **held, free=tuple(free), **given), parameters, where)


def _trials(named: tuple[str, ...], where: str, issues: list[Issue]) -> tuple[Trial, ...]:
    """The trials of a fit; what is wrong with one is told."""
    if not named and not any(i.where == where for i in issues):
        issues.append(Issue(where, "names no trial", 'write trials = ["eortc_40983"]'))
    for name in sorted({n for n in named if named.count(n) > 1}):
        issues.append(Issue(where, f"{name!r} is named twice", "remove one of the two"))
    files = [file_of(n) for n in dict.fromkeys(named)]
    for name in sorted({f for f in files if files.count(f) > 1}):
        issues.append(
            Issue(
                where,
                f"two trials are called {name!r}, and results could not tell them apart",
                "rename one of the two files",
            )
        )
    found = []
    for k, name in enumerate(named, 1):
        before = len(issues)
        check_name(("trial",), name, f"{where}[{k}]", issues)
        try:
            found += [load_trial(name)] if len(issues) == before else []
        except ContentError as error:
            issues += error.issues
    return tuple(found)


def _free(found: dict, entry: dict, parameters: str, where: str, issues: list[Issue]) -> Free | None:
    """A free quantity from what its fields hold; `entry` is its table as it is written."""
    what, scale = found["what"], found["scale"]
    if entry.get("scale", scale) == scale and scale not in _SUITS[what]:
        issues.append(
            Issue(
                f"{where}.scale",
                f"{scale!r} does not suit a {what}",
                f'write scale = "{_SUITS[what][0]}", on which it stays what it is',
            )
        )
    prior = _prior(found["prior"], scale, f"{where}.prior", issues)
    if prior is None or any(i.where.startswith(f"{where}.") for i in issues):
        return None
    own = found["set"]
    apart = own == parameters
    return Free(
        name=found["name"] or found["line"],
        line=found["line"],
        what=what,
        scale=scale,
        at=prior[0],
        sd=prior[1],
        context="" if apart else own,
        apart=apart,
        tie=found["tie"],
    )


def _prior(value: object, scale: str, where: str, issues: list[Issue]) -> tuple[float, float] | None:
    """The centre of a prior in the line's unit and its size on the scale."""
    prior = table(value, where, ("at", "sd"), issues)
    at, sd = prior.get("at"), prior.get("sd")
    if not (is_number(at) and is_number(sd) and sd > 0 and _reached(at, scale)):
        issues.append(
            Issue(
                where,
                f"{shown(prior)} is not a prior on the {scale} scale",
                "write prior = { at = CENTRE, sd = SIZE ON THE SCALE }, sd finite and above zero",
            )
        )
        return None
    if scale in ("log", "logit") and sd > _WIDEST:
        issues.append(
            Issue(
                f"{where}.sd",
                f"{sd:g} on the {scale} scale: one in three would be a million times off",
                "write it on the scale: a factor of two is sd = 0.69",
            )
        )
    return float(at), float(sd)


def _reached(value: float, scale: str) -> bool:
    """Whether a value has a place on a scale."""
    return value > 0 if scale == "log" else 0 < value < 1 if scale == "logit" else True
