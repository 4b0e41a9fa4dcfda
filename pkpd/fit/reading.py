"""A fit's file read: which trials and figures, which quantities are free, under which priors."""

from __future__ import annotations

from pathlib import Path

from pkpd.content import library
from pkpd.content.fields import is_number
from pkpd.content.library import check_keys, check_name, raise_issues, rows, shown, table, text
from pkpd.content.naming import file_of
from pkpd.errors import ContentError, Issue, nearest
from pkpd.fit.fit import Fit
from pkpd.fit.free import SCALES, WHATS, Free
from pkpd.fit.reach import check_fit
from pkpd.trial.reading import load_trial
from pkpd.trial.trial import Trial

_HEAD = ("title", "text", "parameters", "link")
_LIMITS = {
    "patients": (50, 1_000_000),
    "replicates": (50, 100_000),
    "starts": (1, 1000),
    "design": (10, 100_000),
    "draws": (10, 100_000),
    "seed": (0, 2**63),
}  # of a file: fewer would give no covariance or no posterior
_SUITS = {"value": tuple(SCALES), "sd": ("log",), "mixture": ("logit",)}
_WIDEST = 13.8  # of a prior on a log or logit scale, as of an omega: log of a million
_FREE = ("name", "line", "set", "what", "scale", "prior", "tie")


def load_fit(name: str | Path) -> Fit:
    """A fit by library name or path, checked against its trials and parameters."""
    return library.load("fit", name, read_fit)


def parse_fit(source: str | dict, name: str = "fit") -> Fit:
    """A fit from TOML text or from its tables, as in a notebook; its trials and parameters are named."""
    return read_fit(library.tables(source, name), name, name)


def read_fit(data: dict, name: str, where: str) -> Fit:
    """A fit from its tables; raises every issue at once."""
    issues: list[Issue] = []
    check_keys(data, ("fit", "free"), where, issues)
    head = table(data.get("fit"), f"{where}: fit", ("trials", *_HEAD, "leave_out", *_LIMITS), issues)
    words = {k: text(head, k, f"{where}: fit", issues, need=k == "parameters") for k in _HEAD}
    numbers = library.counts(head, _LIMITS, f"{where}: fit", issues)
    left = _listed(head, "leave_out", "figures", 'leave_out = ["TRIAL/FIGURE:ARM"]', f"{where}: fit", issues)
    named = _listed(head, "trials", "trials", 'trials = ["eortc_40983"]', f"{where}: fit", issues)
    entries = rows(data.get("free"), f"{where}: free", _FREE, issues)
    free = [
        f for place, entry in entries if (f := _free(entry, words["parameters"], place, issues)) is not None
    ]
    if not data.get("free"):
        issues.append(Issue(f"{where}: free", "names nothing to calibrate", "add [[free]] tables"))
    keys = [k for f in free for k in f.keys]
    for key in sorted({k for k in keys if keys.count(k) > 1}):
        issues.append(Issue(f"{where}: free", f"{key!r} is free twice", "remove one of the two"))
    if words["parameters"]:
        check_name(("parameters", "result"), words["parameters"], f"{where}: fit.parameters", issues)
    trials = _trials(named, f"{where}: fit.trials", issues)
    raise_issues(issues)
    fit = Fit(
        name=name,
        title=words["title"],
        text=words["text"],
        trials=named,
        parameters=words["parameters"],
        link=words["link"],
        free=tuple(free),
        leave_out=left,
        **numbers,
    )
    check_fit(fit, trials, where)
    return fit


def _listed(data: dict, key: str, of: str, remedy: str, where: str, issues: list[Issue]) -> tuple[str, ...]:
    """A list of texts; empty where it is left out."""
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(x, str) and x for x in value):
        issues.append(Issue(f"{where}.{key}", f"{shown(value)} is not a list of {of}", f"write {remedy}"))
        return ()
    return tuple(value)


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


def _free(entry: dict, parameters: str, where: str, issues: list[Issue]) -> Free | None:
    before = len(issues)
    line = text(entry, "line", where, issues)
    if "line" not in entry or entry["line"] == "":
        issues.append(
            Issue(f"{where}.line", "is missing", 'name a line of the parameters: line = "occult.N0"')
        )
    name, own = text(entry, "name", where, issues) or line, text(entry, "set", where, issues)
    tie = _listed(
        entry, "tie", "lines", 'tie = ["elsewhere.KAPPA"]: lines that take the same value', where, issues
    )
    what, scale, prior = entry.get("what", "value"), entry.get("scale", "log"), entry.get("prior", {})
    if what not in WHATS:
        issues.append(Issue(f"{where}.what", f"{shown(what)} cannot be free", "one of value, sd, mixture"))
    if scale not in tuple(SCALES):
        issues.append(
            Issue(
                f"{where}.scale",
                f"{shown(scale)} is not a scale",
                nearest(scale if isinstance(scale, str) else "", SCALES),
            )
        )
    elif what in ("sd", "mixture") and scale not in _SUITS[what]:
        issues.append(
            Issue(
                f"{where}.scale",
                f"{scale!r} does not suit a {what}",
                f'write scale = "{_SUITS[what][0]}", on which it stays what it is',
            )
        )
    prior = table(prior, f"{where}.prior", ("at", "sd"), issues)
    at, sd = prior.get("at"), prior.get("sd")
    good = (
        is_number(at)
        and is_number(sd)
        and sd > 0
        and (scale != "log" or at > 0)
        and (scale != "logit" or 0 < at < 1)
    )
    if not good:
        issues.append(
            Issue(
                f"{where}.prior",
                f"{shown(prior)} is not a prior on the {scale} scale",
                "write prior = { at = CENTRE, sd = SIZE ON THE SCALE }, sd finite and above zero",
            )
        )
    elif is_number(sd) and scale in ("log", "logit") and sd > _WIDEST:
        issues.append(
            Issue(
                f"{where}.prior.sd",
                f"{sd:g} on the {scale} scale: one in three would be a million times off",
                "write it on the scale: a factor of two is sd = 0.69",
            )
        )
    if len(issues) > before:
        return None
    apart = own == parameters
    at, sd = float(at), float(sd)  # type: ignore[arg-type]
    context = "" if apart else own
    return Free(name, line, what, scale, at, sd, context=context, apart=apart, tie=tie)
