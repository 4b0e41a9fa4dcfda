"""The names of one model file: each declared once, and those in doses and starts there, in a fitting unit."""

from __future__ import annotations

from pkpd.content.data_items import RESERVED
from pkpd.content.units import ONE, parse_unit
from pkpd.errors import nearest
from pkpd.model import expression
from pkpd.model.model import Compartment, ModelFile
from pkpd.model.reader import Reader


def check_names(reader: Reader, file: ModelFile) -> None:
    """Each name is declared once, and what doses and starts refer to is a parameter."""
    seen: dict[str, str] = {}
    for section, rows in (
        ("parameters", file.parameters),
        ("compartments", file.compartments),
        ("variables", file.variables),
    ):
        for row in rows:
            if row.name in seen:
                reader.add(
                    f"{section}.{row.name}", f"is declared in [{seen[row.name]}] too", "rename one of the two"
                )
            seen[row.name] = section
    inputs = [p.name for p in file.parameters]
    for name in inputs if any(c.dose is not None for c in file.compartments) else ():
        if name in RESERVED:
            reader.add(
                f"parameters.{name}",
                "is a data item of dosing records, whose column would set it",
                f"rename it, as in {name}_0 (docs/how/dosing.md lists the data items)",
            )
    for c in file.compartments:
        wanted = {(n, "dose") for n in (c.dose.names() if c.dose else ())}
        wanted |= {(n, "start") for n in expression.names_in(c.start)}
        for name, key in sorted(wanted):
            if name not in inputs:
                reader.add(
                    f"compartments.{c.name}.{key}", f"{name!r} is not a parameter", nearest(name, inputs)
                )
        if c.dose is not None:
            _dose_units(reader, c, {p.name: p.unit for p in file.parameters}, file.time)


def _dose_units(reader: Reader, c: Compartment, units: dict[str, str], time: str) -> None:
    """What a dose names is a time, a fraction, or an amount a time."""
    assert c.dose is not None
    amount, day = parse_unit(c.unit), parse_unit("day")
    wanted = [
        (c.dose.lag, day, "a time"),
        (c.dose.duration, day, "a time"),
        (c.dose.bioavailability, ONE, "a pure number"),
        (c.dose.rate, amount / day, f"{c.unit}/{time}"),
        *((p, ONE, "a pure number") for _, p in c.dose.forms),
    ]
    for name, unit, shown in wanted:
        if name in units and parse_unit(units[name]).dims != unit.dims:
            reader.add(
                f"compartments.{c.name}.dose",
                f"{name!r} is in {units[name]}, but must be {shown}",
                "mend its unit, or name another parameter",
            )
