"""Rules that a composed model must obey, one class a rule; each returns issues."""

from __future__ import annotations

from collections.abc import Iterator

from pkpd.errors import Issue
from pkpd.model.expression import names_in, unparse
from pkpd.model.model import Model


class UnusedParameter:
    """No parameter is declared in vain: something in the model depends on it."""

    def __call__(self, model: Model) -> Iterator[Issue]:
        used: set[str] = set()
        for row in (*model.flows, *model.variables):
            used |= names_in(row.tree)
        for c in model.compartments:
            used |= names_in(c.start) | set(c.dose.names() if c.dose else ())
        for p in model.parameters:
            if p.name not in used:
                yield Issue(f"{model.name}: parameters.{p.name}", "changes nothing", "use it or remove it")


class DuplicateFlow:
    """No two flows move the same amount between the same two places."""

    def __call__(self, model: Model) -> Iterator[Issue]:
        seen: dict[tuple, str] = {}
        for flow in model.flows:
            key = (flow.source, flow.target, flow.tree)
            if key in seen:
                yield Issue(
                    f"{model.name}: flows.{flow.name}",
                    f"is flow {seen[key]!r} again: {unparse(flow.tree)}",
                    "remove one of the two",
                )
            seen[key] = flow.name


class IdleCompartment:
    """Every compartment of a system is moved by a flow or can be dosed."""

    def __call__(self, model: Model) -> Iterator[Issue]:
        moved = {e for f in model.flows for e in (f.source, f.target)}
        for c in model.compartments:
            if model.parts and c.name not in moved and c.dose is None:
                yield Issue(
                    f"{model.name}: compartments.{c.name}", "no flow reaches it", "remove it or add a flow"
                )


class NeedlessSource:
    """A flow out of a compartment stops when it is empty, as far as its text tells: its rate names the
    source.
    """

    def __call__(self, model: Model) -> Iterator[Issue]:
        reach = {v.name: names_in(v.tree) for v in model.variables}
        for flow in model.flows:
            if not flow.source:
                continue
            names, todo = set(), set(names_in(flow.tree))
            while todo:
                name = todo.pop()
                names.add(name)
                todo |= reach.get(name, set()) - names
            if flow.source not in names:
                yield Issue(
                    f"{model.name}: flows.{flow.name}",
                    f"leaves {flow.source} at a rate that does not depend "
                    "on it, so it goes on when nothing is left",
                    "let the rate fade with its source",
                )


RULES = (UnusedParameter(), DuplicateFlow(), IdleCompartment(), NeedlessSource())


def check_model(model: Model) -> list[Issue]:
    """Every issue of a composed model, over all rules."""
    return [issue for rule in RULES for issue in rule(model)]
