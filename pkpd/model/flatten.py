"""Instances of parts to one flat system: names carry their part, expressions their unit factors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pkpd.content.library import raise_issues
from pkpd.content.units import ONE, Unit, parse_unit
from pkpd.errors import ContentError, Issue, nearest
from pkpd.model import constants, dimensions, expression
from pkpd.model.expression import Tree
from pkpd.model.model import Compartment, Flow, Model, ModelFile, Parameter, Part, Variable

_TALLEST, _LARGEST = 200, 20_000  # variables that rest on each other; terms of one, written out


@dataclass(frozen=True)
class Instance:
    """One copy of one part: its prefix, its file, and the prefixes that its joins are bound to."""

    part: str
    prefix: str
    file: ModelFile
    bindings: tuple[tuple[str, str], ...] = ()
    following: str = ""


Scope = dict[str, tuple[str | Tree, str]]


def _scope(instance: Instance, all_of: dict[str, list[Instance]]) -> Scope:
    """What an author's name means in one instance: its flat name, or the sum of several, and its unit."""
    scope: Scope = {}

    def add(local: str, other: Instance) -> None:
        for row in (*other.file.parameters, *other.file.compartments, *other.file.variables):
            scope[local + row.name] = (f"{other.prefix}.{row.name}" if other.prefix else row.name, row.unit)

    add("", instance)
    for join, part in instance.bindings:
        if join in instance.file.gathers:
            copies = all_of[part]
            for row in (*copies[0].file.parameters, *copies[0].file.compartments, *copies[0].file.variables):
                scope[f"{join}.sum.{row.name}"] = _sum([f"{i.prefix}.{row.name}" for i in copies]), row.unit
    for join, prefix in ((j, p) for j, p in instance.bindings if j not in instance.file.gathers):
        copies = [i for group in all_of.values() for i in group if i.part == prefix or i.prefix == prefix]
        exact = [i for i in copies if i.prefix == prefix]
        for other in exact:
            add(f"{join}.", other)
        if not exact and copies:
            add(f"{join}.first.", copies[0])
            add(f"{join}.last.", copies[-1])
    following = [
        i for group in all_of.values() for i in group if instance.following and i.prefix == instance.following
    ]
    for other in following:
        add("next.", other)
    return scope


def _sum(names: list[str]) -> Tree:
    tree: Tree = ("name", names[0])
    for name in names[1:]:
        tree = ("+", tree, ("name", name))
    return tree


def flatten(system: ModelFile, instances: list[Instance], parts: tuple[Part, ...]) -> Model:
    """One system of all instances; raises every issue at once."""
    groups: dict[str, list[Instance]] = {}
    for i in instances:
        groups.setdefault(i.part, []).append(i)
    issues: list[Issue] = []
    states = {f"{i.prefix}.{c.name}" if i.prefix else c.name for i in instances for c in i.file.compartments}
    parameters: list[Parameter] = []
    compartments: list[Compartment] = []
    variables: list[Variable] = []
    flows: list[Flow] = []
    for i in instances:
        scope = _scope(i, groups)
        flat = _Flattener(i, scope, system, states, issues)
        parameters += [replace(p, name=flat.name(p.name)) for p in i.file.parameters]
        compartments += [flat.compartment(c) for c in i.file.compartments]
        variables += [flat.variable(v) for v in i.file.variables]
        flows += [f for f in (flat.flow(f) for f in i.file.flows) if f is not None]
    variables = _ordered(variables, system.where, issues)
    if not compartments:
        issues.append(Issue(system.where, "has no compartments", "declare at least one"))
    raise_issues(issues)
    _check_constants(system.where, compartments, variables, flows)
    return Model(
        name=system.name,
        title=system.title,
        time=system.time,
        reference=system.reference,
        text=system.text,
        parameters=tuple(parameters),
        compartments=tuple(compartments),
        variables=tuple(variables),
        flows=tuple(flows),
        parts=parts,
        like=system.like,
    )


def _check_constants(
    where: str, compartments: list[Compartment], variables: list[Variable], flows: list[Flow]
) -> None:
    """Refuses what has no finite value once variables that are constants are put in."""
    issues: list[Issue] = []
    known: dict[str, float] = {}

    def check(tree: Tree, place: str) -> float | None:
        try:
            return constants.check(tree, f"{where}: {place}", known)
        except ContentError as error:
            issues.extend(error.issues)
            return None

    for v in variables:
        value = check(v.tree, f"variables.{v.name}.is")
        if value is not None:
            known[v.name] = value
    for f in flows:
        check(f.tree, f"flows.{f.name}.rate")
    for c in compartments:
        check(c.start, f"compartments.{c.name}.start")
    raise_issues(issues)


class _Flattener:
    """Renames and unit-checks the rows of one instance."""

    def __init__(
        self, instance: Instance, scope: Scope, system: ModelFile, states: set[str], issues: list[Issue]
    ):
        self.instance, self.scope, self.system = instance, scope, system
        self.states, self.issues = states, issues
        self.units = {k: (parse_unit(u), u) for k, (_, u) in scope.items()}
        self.time = parse_unit(system.time)

    def name(self, local: str) -> str:
        return f"{self.instance.prefix}.{local}" if self.instance.prefix else local

    def where(self, place: str) -> str:
        part = f" (part {self.instance.prefix!r} of {self.system.name})" if self.instance.prefix else ""
        return f"{self.instance.file.where}: {place}{part}"

    def tree(
        self, tree: Tree, unit: Unit, shown: str, place: str, allowed: Callable[[str], bool] | None = None
    ) -> Tree:
        units = {k: v for k, v in self.units.items() if allowed is None or allowed(k)}
        try:
            checked = dimensions.convert_to(tree, unit, units, shown, self.where(place))
        except ContentError as error:
            self.issues += error.issues
            return ("num", 0)
        return expression.rename(checked, lambda n: self.scope[n][0])

    def compartment(self, c: Compartment) -> Compartment:
        start = self.tree(c.start, parse_unit(c.unit), c.unit, f"compartments.{c.name}.start", str.isupper)
        dose = c.dose
        if dose is not None:
            rename = {
                k: self.name(getattr(dose, k))
                for k in ("lag", "bioavailability", "rate", "duration")
                if getattr(dose, k)
            }
            dose = replace(dose, **rename, forms=tuple((f, self.name(p)) for f, p in dose.forms))
        return replace(c, name=self.name(c.name), start=start, dose=dose)

    def variable(self, v: Variable) -> Variable:
        tree = self.tree(v.tree, parse_unit(v.unit), v.unit, f"variables.{v.name}.is")
        return replace(v, name=self.name(v.name), tree=tree)

    def flow(self, f: Flow) -> Flow | None:
        ends = []
        for key, end in (("from", f.source), ("to", f.target)):
            if end.startswith("next.") and end not in self.scope and self._in_chain(end):
                end = ""
            if end and (end not in self.scope or not self._is_compartment(end)):
                self.issues.append(
                    Issue(
                        self.where(f"flows.{f.name}.{key}"),
                        f"{end!r} is not a compartment",
                        nearest(end, [n for n in self.scope if self._is_compartment(n)]),
                    )
                )
                return None
            ends.append(end)
        first = ends[0] or ends[1]
        if not first:
            return None
        unit, shown = self.units[first]
        tree = self.tree(f.tree, unit / self.time, f"{shown}/{self.system.time}", f"flows.{f.name}.rate")
        gain = ONE.factor
        if all(ends):
            other, shown_other = self.units[ends[1]]
            if other.dims != unit.dims:
                self.issues.append(
                    Issue(
                        self.where(f"flows.{f.name}"),
                        f"{ends[0]} is in {shown}, but {ends[1]} is in {shown_other}",
                        "mass and moles meet only through a molar mass in g/mol",
                    )
                )
            gain = unit.factor / other.factor
        source, target = (str(self.scope[e][0]) if e else "" for e in ends)
        return Flow(self.name(f.name), source, target, tree, f.text, gain)

    def _in_chain(self, end: str) -> bool:
        return end[5:] in {c.name for c in self.instance.file.compartments} and (
            self.instance.following == ""
        )

    def _is_compartment(self, name: str) -> bool:
        return self.scope[name][0] in self.states


def _ordered(variables: list[Variable], where: str, issues: list[Issue]) -> list[Variable]:
    """Variables in the order of their dependence; a circle is an issue."""
    known = {v.name: v for v in variables}
    done: dict[str, Variable] = {}
    on_way: list[str] = []
    sizes: dict[str, int] = {}

    def visit(v: Variable) -> None:
        if v.name in done:
            return
        if v.name in on_way:
            circle = " -> ".join([*on_way[on_way.index(v.name) :], v.name])
            issues.append(Issue(f"{where}: variables", f"{circle} goes in a circle", "break it"))
            done[v.name] = v
            return
        if len(on_way) == _TALLEST:
            deep = f"{v.name} is over {_TALLEST} variables deep"
            issues.append(Issue(f"{where}: variables", deep, "write fewer steps"))
            done[v.name] = v
            return
        on_way.append(v.name)
        for name in sorted(expression.names_in(v.tree)):
            if name in known:
                visit(known[name])
        on_way.pop()
        sizes[v.name] = expression.size(v.tree, sizes)
        if sizes[v.name] > _LARGEST:
            long = f"{v.name} is over {_LARGEST} terms long when written out"
            issues.append(Issue(f"{where}: variables", long, "write it with fewer repetitions"))
            sizes[v.name] = 1
        done.setdefault(v.name, v)

    for v in variables:
        visit(v)
    return list(done.values())
