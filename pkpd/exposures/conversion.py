"""An exposure's quantity from the units of a drug's model to the published one."""

from __future__ import annotations

from pkpd.content import units
from pkpd.errors import fail, nearest
from pkpd.exposures.exposure import ACCUMULATION, Exposure
from pkpd.model.model import Model
from pkpd.regimen.doses import BASES


def factor_to(f: Exposure, model: Model) -> tuple[float, str]:
    """What brings an exposure's quantity from the model's unit to its own, and the covariate by which it is
    divided, if any.
    """
    known = {*(v.name for v in model.variables), *model.states}
    for key, name in (("of", f.of), ("to_of", f.to_of)):
        if name and name not in known:
            raise fail(f"{f.place}.{key}", f"{model.name} has no {name!r}", nearest(name, known))
    words, own, wanted = *_unit(f, model), units.parse_unit(f.unit)
    mass = units.parse_unit("g/mol")
    choices = [(own, 1.0, "")]
    if f.molar_mass:
        choices += [(own / mass, 1 / f.molar_mass, ""), (own * mass, f.molar_mass, "")]
    if f.what in ("CL", "Vss"):
        choices += [(own / units.parse_unit(unit), 1.0, covariate) for unit, covariate in BASES.items()]
    for unit, factor, covariate in choices:
        if unit.dims == wanted.dims:
            return float(unit.factor / wanted.factor) * factor, covariate
    raise fail(
        f"{f.place}.unit",
        f"{f.what} of {f.of} is in {words}, which cannot be converted to {f.unit}",
        'give another unit, or the substance\'s molar_mass = "459.4 g/mol"',
    )


def _unit(f: Exposure, model: Model) -> tuple[str, units.Unit]:
    """The unit in which an exposure's quantity comes, in words and as a factor."""
    c, time = model.unit(f.of), model.time
    if f.what == "ratio":
        other = model.unit(f.to_of)
        return f"{c} by {other}", units.parse_unit(c) / units.parse_unit(other)
    words = {"half_life": time, "tmax": time, "CL": f"L/{time}", "Vss": "L", "AUC": f"{c}*{time}"}.get(
        f.what, c
    )
    words = "1" if f.what in ACCUMULATION else words
    return words, units.parse_unit(words)
