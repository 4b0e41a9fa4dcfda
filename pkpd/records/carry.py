"""What of a table, of the inputs and of the covariates stands beside the results, on request."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pkpd.content.library import raise_issues
from pkpd.errors import Issue, nearest
from pkpd.records.records import Records
from pkpd.records.sheet import MISSING
from pkpd.records.table import number

Column = tuple[np.ndarray, str]  # one value a row, and its unit, if it is known


def carried(records: Records, names: Iterable[str]) -> dict[str, Column]:
    """What each name holds at every row: an input or a covariate by its value there, any other as it is.

    The columns that every table of results has already may be named, and add nothing.
    """
    model, issues, found = records.model, [], {}
    inputs, columns = set(model.inputs), list(records.sheet.names)
    results = {*model.states, *(v.name for v in model.variables), "FAILED"}
    asked = [n.strip() for n in names.split(",") if n.strip()] if isinstance(names, str) else map(str, names)
    for name in asked:
        named = [i for i, c in enumerate(columns) if name in (c, c.upper())]
        if name == "EVID":
            found[name] = (records.rows.evid.astype(int), "")
        elif name in inputs:
            found[name] = (records.inputs[:, model.inputs.index(name)], model.unit(name))
        elif name in records.covariates:
            found[name] = (records.covariates[name], records.population.register[name].unit)
        elif named[1:]:
            where = " and ".join(f"column {i + 1}" for i in named)
            issues.append(Issue(f"carry: {name}", f"is {where} of the table", "rename one of them"))
        elif name in results and named:
            issues.append(
                Issue(
                    f"carry: {name}", "is a column of the table and one of the results", "rename the table's"
                )
            )
        elif named and name not in ("ID", "TIME"):
            found[name] = (_values(records.sheet.column(named[0])), "")
        elif name not in (*results, "ID", "TIME"):
            issues.append(
                Issue(
                    f"carry: {name}",
                    "is no column of the table, no input and no covariate",
                    nearest(name, {*columns, *inputs, *records.covariates} - {""}),
                )
            )
    raise_issues(issues)
    return found


def _values(cells: list[str]) -> np.ndarray:
    """Cells as numbers, missing ones as not-a-number, where all that are there are numbers; else as text."""
    numbers = [np.nan if c in MISSING else number(c) for c in cells]
    if all(c in MISSING or np.isfinite(x) for c, x in zip(cells, numbers, strict=True)):
        return np.array(numbers)
    return np.array([None if c in MISSING else c for c in cells], dtype=object)
