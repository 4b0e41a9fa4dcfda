"""What the numbers of a study of stability say, in sentences made from them alone."""

from __future__ import annotations

from pkpd.fit.intervals import level_text
from pkpd.report.stability_words import joined, percent, short, span, volume, whole, within
from pkpd.study.stability.plan import Given, Group
from pkpd.study.stability.reduction import Place, Reduction
from pkpd.study.stability.run import StabilityResult
from pkpd.study.stability.subjects import average, central

_STIFF = 0.5  # days: an explicit method that may step so long needs no other
NO_THRESHOLD = "volumes in this model, not a threshold for debulking or any treatment"
TWO, DRAWN, OWN = (
    "two stable states",
    "two stable states, over draws",
    "with two, ending at the upper from their own start",
)


def cell(result: StabilityResult, table: str, group: str, treatment: str, measure: str) -> dict:
    """The row of a table that has this group, treatment and measure."""
    return next(
        r
        for r in getattr(result, table)
        if (r["group"], r["treatment"], r["measure"]) == (group, treatment, measure)
    )


def pairs(result: StabilityResult) -> list[tuple[Group, Given]]:
    return [(g, t) for g in result.study.groups for t in result.study.compared]


def phrase(group: Group, given: Given) -> str:
    """`MSS with liver metastases, under anti-PD-1`."""
    return f"{group.title}, {'under ' if given.sets else ''}{within(given.title)}"


def opening(result: StabilityResult) -> str:
    """Whether there are two stable states for one patient, in whom, and what it hangs on."""
    found = [(g, t, cell(result, "basins", g.name, t.name, DRAWN)) for g, t in pairs(result)]
    some = [(g, t, r) for g, t, r in found if r["high"] > 0]
    count, draws = result.study.patients, result.study.draws
    sets = (
        f"{draws} {'sets of' if result.study.fit == 'none' else 'draws of the fit, each in'} {count} "
        f"virtual patients"
    )
    if not some:
        return (
            f"No virtual patient has two stable states: in {sets} of every group and treatment the tumour "
            f"of one patient "
            "ends at one size, whatever it was at the start. Dormancy and escape are two kinds of patient "
            "here, not two "
            "fates of one."
        )
    listed = "; ".join(f"{percent(r)} of {phrase(g, t)}" for g, t, r in some if r["value"] > 0)
    rare = "; ".join(f"{whole(r['high'])} % of {phrase(g, t)}" for g, t, r in some if not r["value"])
    none = "; ".join(phrase(g, t) for g, t, r in found if not r["high"])
    rest = f" None was found in {none}." if none else ""
    words = (
        [f"{listed} (medians and {level_text(r for *_, r in found)} intervals over {sets})"] if listed else []
    )
    words += [f"in some draws up to {rare}"] if rare else []
    return (
        "Dormancy against escape exists in this model, in some virtual patients: two stable tumour sizes "
        "for one and "
        f"the same patient, so that the size at the start decides, were found in {'; '.join(words)}.{rest}"
    )


def carried(result: StabilityResult) -> str:
    """By how much two stable states become fewer as terms are taken out, where they are most."""
    group, given = max(
        pairs(result), key=lambda p: cell(result, "basins", p[0].name, p[1].name, TWO)["value"]
    )
    base = cell(result, "basins", group.name, given.name, TWO)
    own = {r["term"]: r for r in result.terms if (r["group"], r["treatment"]) == (group.name, given.name)}
    told = "; ".join(f"{percent(own[t.name])} {t.title}" for t in result.study.terms)
    where = f"in {phrase(group, given)}, at {_values(result)}"
    return (
        f"What it rests on: {where}, {percent(base)} of virtual patients have two stable states as the "
        f"model is; {told}."
        if base["value"]
        else ""
    )


def _values(result: StabilityResult) -> str:
    return "the values of the library’s files" if result.study.fit == "none" else "the fit’s medians"


def says(result: StabilityResult) -> list[str]:
    """One sentence or two on each thing that was measured."""
    return [
        _rates(result),
        _expected(result),
        _fixed(result),
        *_typical(result),
        *_parted(result),
        _agreement(result),
        *_laws(result),
    ]


def _rates(result: StabilityResult) -> str:
    """How fast things go where treatment begins, and what that asks of a solver."""
    fast, grow, half, step = (
        _medians(result, measure)
        for measure in (
            "fastest",
            "largest real part",
            "half-time of the fastest",
            "longest step of an explicit method",
        )
    )
    doubling = [r for r in _medians(result, "doubling time where it is positive") if r["value"] is not None]
    return (
        f"Where treatment begins, the fastest rate is {span(-r['value'] for r in fast)} per day (medians "
        f"of the groups), "
        f"a half-time of {span(r['value'] for r in half)} days; the largest eigenvalue is "
        f"{span(r['value'] for r in grow)} per day. It is growth itself, and where positive stands for a "
        f"doubling time of "
        f"{span(r['value'] for r in doubling)} days. An explicit method may step "
        f"{span(r['value'] for r in step)} days: "
        f"this block is {'not ' if min(r['low'] for r in step) > _STIFF else ''}stiff."
    )


def _expected(result: StabilityResult) -> str:
    """The rates that were expected before, against those that were found."""
    low, high = result.study.expected
    fast, grow = _medians(result, "fastest"), _medians(result, "largest real part")
    turning = _medians(result, "patients in whom one turns before it fades")
    ends = min(r["low"] for r in fast), max(r["high"] for r in grow)
    met = "That holds" if low <= ends[0] and ends[1] <= high else "That was too narrow"
    return (
        f"{short(low)} to {short(high)} per day was expected before. {met}: the middle "
        f"{level_text(grow)} of virtual patients reach "
        f"from {short(ends[0])} to {short(ends[1])} per day. Complex pairs that turn once before they fade "
        f"to a tenth "
        f"are in at most {whole(max(r['value'] for r in turning))} % of any group."
    )


def _medians(result: StabilityResult, measure: str) -> list[dict]:
    """A measure of the spectrum in every group and treatment."""
    return [cell(result, "spectrum", g.name, t.name, measure) for g, t in pairs(result)]


def _fixed(result: StabilityResult) -> str:
    rows = result.fixed
    points, starts = sum(r["points"] for r in rows), sum(r["points"] * r["starts"] for r in rows)
    most = max(r["most_stable"] for r in rows)
    words = "never more than one stable immune state" if most == 1 else f"up to {most} stable immune states"
    return (
        f"At a tumour volume that is held, {points:,} systems (volumes, strengths, groups, treatments) were "
        f"searched from "
        f"{starts:,} starts: {words}. {sum(r['runs'] for r in rows):,} long runs from far below and far "
        f"above met within "
        f"{short(max(r['apart'] for r in rows))} of the state."
    )


def _typical(result: StabilityResult) -> list[str]:
    found = []
    for group, given in pairs(result):
        own = [r for r in result.equilibria if (r["group"], r["treatment"]) == (group.name, given.name)]
        told = joined(f"{volume({'value': r['volume']})} mL" for r in own if r["stable"])
        [fold] = [r for r in result.folds if (r["group"], r["treatment"]) == (group.name, given.name)]
        words = (
            f"two sizes would be stable with {short(fold['low'])} to {short(fold['high'])} times the kill"
            if fold["low"] is not None
            else "no strength of kill gives two"
        )
        found.append(f"{phrase(group, given)}: {told}; {words}")
    return [
        "The typical patient’s tumour comes to rest at these volumes of viable tumour. "
        + ". ".join(found)
        + "."
    ]


def _parted(result: StabilityResult) -> list[str]:
    """The volumes that part dormancy from escape, and on which side treatment finds patients."""
    found = []
    for group, given in pairs(result):
        own = {
            k: cell(result, "basins", group.name, given.name, k)
            for k in (
                "patients with two stable states",
                "volume of the lower state",
                "volume of the parting state",
                "volume of the upper state",
                OWN,
            )
        }
        count = own["patients with two stable states"]["value"]
        if count:
            low, part, high = (own[f"volume of the {k} state"] for k in ("lower", "parting", "upper"))
            found.append(
                f"{phrase(group, given)}, {count} of {result.study.patients} virtual patients: "
                f"{volume(low)} and {volume(high)} mL are stable (medians), {volume(part)} mL parts them; "
                f"treatment "
                f"finds {percent(own[OWN])} of them on the side that ends at the larger one."
            )
    return (
        [*found, f"The volume that parts two states, and the critical start, are {NO_THRESHOLD}."]
        if found
        else []
    )


def _agreement(result: StabilityResult) -> str:
    rows = [cell(result, "basins", g.name, t.name, "both say the same") for g, t in pairs(result)]
    least = min(r["value"] for r in rows)
    other = sum(
        cell(result, "basins", g.name, t.name, "equilibria of another stability than the reduction says")[
            "value"
        ]
        for g, t in pairs(result)
    )
    total, turning = (
        sum(cell(result, "basins", g.name, t.name, k)["value"] for g, t in pairs(result))
        for k in ("equilibria", "stable equilibria with a complex pair")
    )
    return (
        f"The reduction to one dimension and runs of the whole system over "
        f"{result.study.horizon / 365.25:.0f} years agree "
        f"on whether the end depends on the start in {'' if least == 100 else 'at least '}{int(least)} % of "
        f"virtual "
        f"patients of every group; of {total:,} equilibria put back into the whole system, "
        f"{other or 'none'} had another "
        f"stability there. {turning} of those that are stable have complex pairs: damped swings come before "
        f"rest there."
    )


def _laws(result: StabilityResult) -> list[str]:
    broken = [r for r in result.laws if not r["holds"]]
    kinds = {k: sum(r["law"] == k for r in result.laws) for k in ("positivity", "bounds", "balance")}
    worst = max(abs(x) for r in result.laws if r["law"] == "balance" for x in (r["lowest"], r["highest"]))
    listed = joined(r["law"] + " of " + r["item"] for r in broken)
    told = f"Broken: {listed}." if broken else "All hold."
    return [
        f"Laws measured: {kinds['positivity']} states not below zero, {kinds['bounds']} bounds, "
        f"{kinds['balance']} balances "
        f"(kept to {short(worst)} of what flowed). {told}",
        *_runaway(result),
    ]


def _runaway(result: StabilityResult) -> list[str]:
    """What growth does beyond the bounds: one lesion above its own and above its site's."""
    at, _ = central(result.study)
    most = max(r["highest"] for r in result.laws if r["item"] == "tumour in the site")
    for group in result.study.groups:
        one = average(result.study, group, at)
        alone = Reduction(one, Place(group.place.lesions, 1))
        beyond = 1.2 * max(float(alone["growth.KSITE"][0, 0]), float(alone["growth.K"][0, 0]))
        rate = float(alone.at(one.inputs[:1, :1] * 0 + beyond).growth[0, 0])
        if rate > 0:
            return [
                f"Beyond the bounds the model fails: one lesion of {beyond:.0f} mL, above its own bound and "
                f"its site’s, "
                f"would grow (by {rate:.1g} per day), as the product of two negative factors is positive. "
                f"Nothing that "
                f"starts within the bounds gets there: the fullest site of all held {whole(100 * most)} % "
                f"of what bounds it."
            ]
    return []
