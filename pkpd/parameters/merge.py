"""One set laid over another, line by line."""

from __future__ import annotations

from dataclasses import replace

from pkpd.errors import fail
from pkpd.parameters import hosts, joint
from pkpd.parameters.covariates import united
from pkpd.parameters.model_of import names
from pkpd.parameters.parameters import Parameters


def merge(base: Parameters, top: Parameters) -> Parameters:
    """One set laid over another of the same host and model, line by line."""
    if base.model and top.model and base.model != top.model and not names(top.model, base.model, top.name):
        raise fail(
            f"{top.where}: parameters.model",
            f"is {top.model!r}, and {base.name} below it is of {base.model!r}",
            "lay sets of one model over each other: load_context(NAME, model) puts a part's set in its place",
        )
    if hosts.mixed(base.host, top.host):
        raise fail(
            f"{top.where}: parameters.host",
            f"is {top.host!r}, and {base.name} below it is {base.host!r}",
            "lay sets of one host over each other; a set made from another one names it under include",
        )
    return lay(base, top)


def lay(base: Parameters, top: Parameters) -> Parameters:
    def over(a: tuple, b: tuple, key) -> tuple:
        new = {key(x): x for x in b}
        kept = [new.pop(key(x), x) for x in a]
        return (*kept, *new.values())

    return replace(
        top,
        model=top.model or base.model,
        values=over(base.values, top.values, lambda v: v.name),
        covariates=over(base.covariates, top.covariates, lambda v: v.name),
        correlations=over(base.correlations, top.correlations, lambda c: frozenset(c.of)),
        draws=joint.left(base, top, top.where),
        host=top.host or base.host,
        surrogate=top.surrogate or base.surrogate,
        register=united(base.register, top.register, top.where, base.name),
    )
