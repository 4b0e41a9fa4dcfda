"""The lines of a parameter file, read: value, unit, spread, covariate effect, source, how seen."""

from __future__ import annotations

import numpy as np

from pkpd.content import library
from pkpd.content.fields import SEEN, is_number
from pkpd.content.library import check_keys, raise_issues, shown
from pkpd.errors import ContentError, Issue, nearest
from pkpd.model import constants, expression
from pkpd.parameters.correlations import read_correlations
from pkpd.parameters.covariates import REGISTER, implausible
from pkpd.parameters.hosts import HOSTS
from pkpd.parameters.parameters import Effect, Parameters, Value
from pkpd.parameters.spread import Spread, read_spread

_HEAD = ("model", "title", "reference", "text", "default", "include", "over", "after", "host", "surrogate")


def read_parameters(data: dict, name: str, where: str) -> tuple[Parameters, list[str]]:
    """A parameter file from its tables, and the names of the sets it includes."""
    issues: list[Issue] = []
    check_keys(data, ("parameters", "values", "covariates", "correlations", "draws", "fit"), where, issues)
    for key in ("parameters", "values", "covariates", "draws"):
        if not isinstance(data.get(key, {}), dict):
            issues.append(Issue(f"{where}: {key}", "is not a table", f"write [{key}]"))
    if not isinstance(data.get("correlations", []), list) or not all(
        isinstance(c, dict) for c in data.get("correlations", [])
    ):
        issues.append(Issue(f"{where}: correlations", "is not a list of tables", "write [[correlations]]"))
    raise_issues(issues)
    head = data.get("parameters", {})
    check_keys(head, _HEAD, f"{where}: parameters", issues)
    _check_model(data, head, where, issues)
    _check_place(head, f"{where}: parameters", issues)
    include = head.get("include", [])
    if not isinstance(include, list) or not all(isinstance(i, str) for i in include):
        issues.append(
            Issue(f"{where}: parameters.include", "is not a list of names", 'write include = ["…"]')
        )
    for key, row in data.get("draws", {}).items():
        if not isinstance(row, list) or not all(map(is_number, row)):
            issues.append(
                Issue(
                    f"{where}: draws.{key}",
                    "is not a list of numbers",
                    'write "PART.NAME" = [1.2, 0.9, …], the name in quotes',
                )
            )
        elif not row or len(row) != len(next(iter(data["draws"].values()))):
            issues.append(
                Issue(
                    f"{where}: draws.{key}",
                    f"holds {len(row)} draws, and {next(iter(data['draws']))} above it "
                    f"{_count(next(iter(data['draws'].values())))}"
                    if row
                    else "holds no draw",
                    "give one number of every line a draw",
                )
            )
    words = {
        key: library.text(head, key, f"{where}: parameters", issues) for key in ("title", "reference", "text")
    }
    values = _values(data.get("values", {}), f"{where}: values", "", words["reference"], issues)
    covariates = _values(data.get("covariates", {}), f"{where}: covariates", "", words["reference"], issues)
    for c in covariates:
        _check_covariate(c, where, issues)
    sds = {v.name: v.spread.sd for v in values if v.spread is not None}
    correlations = read_correlations(data.get("correlations", []), sds, where, issues)
    raise_issues(issues)
    draws = {k: tuple(map(float, v)) for k, v in data.get("draws", {}).items()}
    return Parameters(
        name=name,
        model=head.get("model", ""),
        title=words["title"],
        reference=words["reference"],
        text=words["text"],
        values=tuple(values),
        covariates=tuple(covariates),
        correlations=correlations,
        draws=draws,
        host=head.get("host", ""),
        surrogate=head.get("surrogate", ""),
    ), list(include)


def _count(row: object) -> int:
    return len(row) if isinstance(row, list) else 0


def _check_model(data: dict, head: dict, where: str, issues: list[Issue]) -> None:
    """A set without a model is a set of patients: it holds covariates, and no values."""
    model, place = head.get("model", ""), f"{where}: parameters.model"
    if not isinstance(model, str) or not (model or data.get("covariates")):
        issues.append(Issue(place, "is missing", 'name the model: model = "drugs/…"'))
    elif not model and (data.get("values") or data.get("draws")):
        issues.append(
            Issue(
                place,
                "is missing, so that the set is of patients, but it has values",
                'name the model: model = "drugs/…", or keep [covariates] alone',
            )
        )
    elif not model and "default" in head:
        issues.append(
            Issue(f"{where}: parameters.default", "has no meaning in a set of patients", "remove it")
        )


def _check_place(head: dict, where: str, issues: list[Issue]) -> None:
    """Where a set's tumour grows, and the set that a context goes over."""
    if head.get("host", HOSTS[0]) not in HOSTS:
        issues.append(
            Issue(
                f"{where}.host",
                f"{shown(head['host'])} is not where a tumour grows",
                "one of " + ", ".join(HOSTS),
            )
        )
    if not isinstance(head.get("default", True), bool):
        issues.append(
            Issue(
                f"{where}.default",
                f"{shown(head['default'])} is neither true nor false",
                "write default = true",
            )
        )
    if not isinstance(head.get("surrogate", ""), str):
        issues.append(
            Issue(
                f"{where}.surrogate",
                f"{shown(head['surrogate'])} is not the name of a model",
                'write surrogate = "drugs/…", the model whose values these are',
            )
        )
    after = head.get("after", [])
    if not isinstance(after, list) or not all(isinstance(a, str) for a in after):
        issues.append(
            Issue(
                f"{where}.after",
                f"{shown(after)} is not a list of names",
                'write after = ["…"], contexts that this one is laid after where both are',
            )
        )
    if not isinstance(head.get("over", ""), str):
        issues.append(
            Issue(
                f"{where}.over",
                f"{shown(head['over'])} is not a name",
                'write over = "NAME" of the set below',
            )
        )


def _values(table: dict, where: str, prefix: str, source: str, issues: list[Issue]) -> list[Value]:
    rows: list[Value] = []
    for key, entry in table.items():
        name = prefix + key
        if not isinstance(entry, dict):
            issues.append(
                Issue(f"{where}.{name}", f"{entry!r} is not a line", "write { value = …, unit = …, … }")
            )
        elif key == key.upper():
            rows += _value(name, entry, where, source, issues)
        elif not prefix:
            rows += _values(entry, where, f"{key}.", source, issues)
        else:
            issues.append(Issue(f"{where}.{name}", "unknown key", "a parameter is written in capitals"))
    return rows


def _value(name: str, entry: dict, where: str, source: str, issues: list[Issue]) -> list[Value]:
    place = f"{where}.{name}"
    check_keys(
        entry,
        ("value", "unit", "where", "seen", "source", "text", "spread", "copies", "effect"),
        place,
        issues,
    )
    number = entry.get("value")
    if not is_number(number):
        told = (
            repr(number)
            if not isinstance(number, int) or isinstance(number, bool)
            else "an integer over 1e300"
        )
        issues.append(
            Issue(
                place,
                f"value = {told} is not a number" if "value" in entry else "has no value",
                "give value = NUMBER",
            )
        )
        return []
    if not isinstance(entry.get("unit"), str):
        issues.append(Issue(place, "has no unit", 'give unit = "…" ("1" for a pure number)'))
        return []
    for key in ("where", "source", "text"):
        library.text(entry, key, place, issues)
    if entry.get("seen", "user") not in SEEN:
        issues.append(
            Issue(f"{place}.seen", f"{entry['seen']!r} is not a way of seeing", "one of " + ", ".join(SEEN))
        )
    spreads = {}
    for key in ("spread", "copies"):
        if key in entry:
            spreads[key] = read_spread(
                entry[key],
                float(number),
                lambda what, remedy, k=key: issues.append(Issue(f"{place}.{k}", what, remedy)),
            )
    if (told := _half_honoured(**spreads)) is not None:
        issues.append(Issue(f"{place}.copies", *told))
    effect = _effect(entry["effect"], f"{place}.effect", issues) if "effect" in entry else None
    return [
        Value(
            name=name,
            value=float(number),
            unit=entry["unit"],
            where=entry.get("where", ""),
            seen=entry.get("seen", "user"),
            source=entry.get("source", source),
            text=entry.get("text", ""),
            effect=effect,
            **spreads,
        )
    ]


def _half_honoured(spread: Spread | None = None, copies: Spread | None = None) -> tuple[str, str] | None:
    """What is wrong with the spread between copies, which goes around the patient's own value, and the
    remedy.
    """
    if copies is not None and copies.factors:
        return "a spread between copies has no mixture", "give the mixture to the patient: spread = { … }"
    if copies is not None and spread is not None and copies.law in ("uniform", "categorical"):
        return (
            f"a {copies.law} draw does not go around the patient's own value, so that spread would count "
            f"for nothing",
            "use another law, or leave spread out",
        )
    return None


def _effect(entry: object, where: str, issues: list[Issue]) -> Effect | None:
    if (
        not isinstance(entry, dict)
        or set(entry) != {"is", "reference"}
        or not isinstance(entry["reference"], dict)
    ):
        issues.append(
            Issue(where, "is not an effect", 'write { is = "BSA / 1.75", reference = { BSA = 1.75 } }')
        )
        return None
    try:
        tree = expression.parse(entry["is"], where)
        constants.check(tree, where)
    except ContentError as error:
        issues += error.issues
        return None
    known = {*REGISTER, "COPY"}
    for name in sorted(expression.names_in(tree) | set(entry["reference"])):
        if name not in known:
            issues.append(Issue(where, f"{name!r} is not a covariate", nearest(name, known)))
        elif name not in entry["reference"]:
            issues.append(Issue(where, f"the reference gives no {name}", f"add {name} = … to reference"))
    for name, number in entry["reference"].items():
        if not is_number(number):
            issues.append(Issue(where, f"the reference of {name} is not a number", f"give {name} = NUMBER"))
        elif name in REGISTER and (told := implausible(name, number)):
            issues.append(
                Issue(
                    where,
                    f"the reference of {name} is {told}",
                    "mend it: effects are 1 at a patient who can be",
                )
            )
    if any(i.where == where for i in issues):
        return None
    try:
        with np.errstate(all="ignore"):
            at = expression.evaluate(tree, {k: np.float64(v) for k, v in entry["reference"].items()}, np)
        at = float(at)
    except (ArithmeticError, TypeError, ValueError):
        at = float("nan")
    if not abs(at - 1) <= 2e-3:
        issues.append(Issue(where, f"is {at:g} at its reference patient, not 1", "divide it by that"))
    return Effect(tree, tuple((k, float(v)) for k, v in entry["reference"].items()))


def _check_covariate(c: Value, where: str, issues: list[Issue]) -> None:
    if c.copies is not None or (c.spread is not None and c.spread.factors):
        issues.append(
            Issue(
                f"{where}: covariates.{c.name}",
                "a covariate has no copies or mixture",
                "give it value, unit, a spread, an effect",
            )
        )
    if c.effect is not None and "COPY" in dict(c.effect.reference):
        issues.append(
            Issue(f"{where}: covariates.{c.name}.effect", "a patient has no COPY", "name covariates alone")
        )
    if c.name not in REGISTER:
        issues.append(
            Issue(f"{where}: covariates.{c.name}", "is not in the register", nearest(c.name, REGISTER))
        )
    elif c.unit != REGISTER[c.name].unit:
        issues.append(
            Issue(
                f"{where}: covariates.{c.name}.unit",
                f"{c.unit!r} is given, the register has {REGISTER[c.name].unit!r}",
                "use the register's unit",
            )
        )
    elif told := implausible(c.name, c.value):
        issues.append(Issue(f"{where}: covariates.{c.name}", f"is {told}", "mend the value"))


def check_order(p: Parameters) -> None:
    """Refuses a covariate that follows one which does not stand above it."""
    issues, above = [], set[str]()
    for c in p.covariates:
        lack = [n for n, _ in c.effect.reference if n not in above] if c.effect is not None else []
        issues += [
            Issue(
                f"{p.name}: covariates.{c.name}",
                f"follows {n}, which does not stand above it",
                f"give {n} under [covariates], above {c.name}",
            )
            for n in lack
        ]
        above.add(c.name)
    raise_issues(issues)
