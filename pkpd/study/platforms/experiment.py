"""One platform, simulated: the same subjects without treatment, at every dose of each, and under
every draw.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pkpd.parameters.bind import line_for
from pkpd.parameters.draw import draw, uniform
from pkpd.parameters.population import Population
from pkpd.regimen.schedule import Schedule, nothing, settings
from pkpd.simulation.run import simulate
from pkpd.simulation.simulation import Simulation
from pkpd.study.platforms.plan import Platform, PlatformStudy, Share, Treatment
from pkpd.trial.endpoints import first_time
from pkpd.trial.lesions import copies, log_kill
from pkpd.trial.response import CRITERIA, progressed, target_sum
from pkpd.trial.run_in import settled

PLACES = {
    "hepatic": ("liver", "growth", "kill"),
    "extrahepatic": ("elsewhere", "growth_elsewhere", "kill_elsewhere"),
}
IMMUNE = ("effector", "exhausted", "regulatory", "myeloid", "stroma", "inhibition", "lag")
_NONE = 1e-4  # log-kill over all of treatment: less than this is the solver's error, and no effect
_STEPS = 21  # outputs of treatment, between which growth is integrated
_AT_ONCE = 4000  # subjects solved together: memory does not grow with the number of draws
_RTOL = 1e-7


@dataclass(frozen=True)
class Arm:
    """Subjects under one treatment (none: untreated) at a share of its full dose; draw -1 is the
    central one.
    """

    treatment: Treatment | None
    level: float = 1.0
    draw: int = -1


@dataclass(frozen=True)
class Measured:
    """What one arm shows, each (subject,): log-kill over treatment, viable volumes (mL) at its begin and end
    in the site read.

    liver     share of all tumour at the begin that is in the liver
    apart     spread of lesion sizes within a subject, SD of ln mL
    immune    the site's immune variables at the end, and circulating cells
    progress  days to progression by RECIST 1.1, the study's horizon at most; None but in patients
    """

    log_kill: np.ndarray
    first: np.ndarray
    last: np.ndarray
    liver: np.ndarray
    apart: np.ndarray
    immune: dict[str, np.ndarray]
    progress: np.ndarray | None


def arms(study: PlatformStudy) -> list[Arm]:
    """Every arm of a platform: central ones at every dose, then those of each draw at full dose."""
    central = [Arm(None), *(Arm(t, x) for t in study.treatments for x in study.levels if x > 0)]
    return central + [Arm(t, 1.0, k) for k in range(study.draws) for t in (None, *study.treatments)]


def measure(study: PlatformStudy, platform: Platform, wanted: Sequence[Arm]) -> list[Measured]:
    """The arms of a platform; its subjects are the same in all of them, and keyed as those of other
    platforms.
    """
    people = draw(study.system, platform.parameters, study.patients, study.seed, "platforms")
    untreated = {a.draw: None for a in wanted}
    every = [*(Arm(None, 1.0, k) for k in untreated), *wanted]
    found: list[Measured] = []
    size = max(1, _AT_ONCE // study.patients)
    for i in range(0, len(every), size):
        found += _measured(study, platform, people, every[i : i + size])
    base = dict(zip(untreated, found, strict=False))
    return [_against(base[a.draw], m) for a, m in zip(wanted, found[len(untreated) :], strict=True)]


def _against(base: Measured, own: Measured) -> Measured:
    """The log-kill that treatment adds; none where it is within the solver's error."""
    added = own.log_kill - base.log_kill
    return replace(own, log_kill=np.where(np.abs(added) < _NONE, 0.0, added))


def _measured(
    study: PlatformStudy, platform: Platform, people: Population, some: Sequence[Arm]
) -> list[Measured]:
    n, model = len(people), study.system
    given = [_arm(study, platform, people, arm) for arm in some]
    inputs = np.concatenate([p.inputs for p, _ in given])
    crowd = Population(model.inputs, inputs, {}, rows=np.arange(len(inputs)))
    start = settled(model, crowd, platform.run_in, _RTOL, strict=True).states[:, 0]
    run = simulate(
        model, crowd, _joined([s for _, s in given]), _days(study, platform), start=start, rtol=_RTOL
    )
    return [
        _read(study, platform, Simulation(model, p, s, run.times[c], run.states[c]))
        for i, (p, s) in enumerate(given)
        for c in [slice(i * n, (i + 1) * n)]
    ]


def _days(study: PlatformStudy, platform: Platform) -> np.ndarray:
    """Days of treatment that are read; patients are followed on, as long as the study says."""
    days = np.linspace(0, platform.until, _STEPS + 1)
    if platform.name != study.human:
        return days
    return np.unique(np.concatenate([days, np.arange(0, study.horizon + 1e-9, study.visits)]).round(9))


def _arm(
    study: PlatformStudy, platform: Platform, people: Population, arm: Arm
) -> tuple[Population, Schedule]:
    """The subjects of an arm and what their treatment sets."""
    own = replace(people, inputs=people.inputs * _factors(study, platform, people.names, arm.draw))
    if arm.treatment is None:
        return own, nothing(len(own))
    if arm.treatment.release:
        own = own.with_inputs(dict.fromkeys(_out_of_reach(platform, own.names), 0.0))
    times, shares = _course(study, platform, arm.treatment)
    share = arm.level * (
        _drawn(
            study,
            platform.delivery,
            f"delivery {platform.delivery.low:g} {platform.delivery.high:g}",
            arm.draw,
        )
        if arm.treatment.delivered
        else 1.0
    )
    schedule = nothing(len(own))
    for name, value in arm.treatment.sets:
        rows = (np.tile(x, (len(own), 1)) for x in (times, value * share * shares))
        schedule += settings(len(own), study.system.inputs.index(name), *rows)
    return own, schedule


def _factors(study: PlatformStudy, platform: Platform, names: Iterable[str], number: int) -> np.ndarray:
    """By what a draw multiplies each input."""
    names = list(names)
    found = np.ones(len(names))
    for u in study.uncertain if number >= 0 else ():
        if u.host in ("", platform.host):
            times = _drawn(study, Share(1.0, *u.times), u.name, number)
            found *= np.where([line_for(name) in u.lines for name in names], times, 1.0)
    return found


def _drawn(study: PlatformStudy, share: Share, name: str, number: int) -> float:
    """A number between its ends, evenly in its logarithm, under its own key; the central one for no draw."""
    if number < 0:
        return share.value
    u = float(uniform((str(study.seed), "platforms", "uncertain", name), 1, number)[0])
    return share.low * (share.high / share.low) ** u


def _out_of_reach(platform: Platform, names: Iterable[str]) -> list[str]:
    """The kill of lesions beside which no depot lies: it lies at the first one of the site that is read."""
    parts = tuple(part for _, _, part in PLACES.values())
    kills = [n for n in names if n.split(".")[0] in parts and n.endswith(".SENS")]
    return [n for n in kills if n != f"{PLACES[platform.reads][2]}.1.SENS"]


def _course(study: PlatformStudy, platform: Platform, treatment: Treatment) -> tuple[np.ndarray, np.ndarray]:
    """When inputs are set, and to which share of their level: at once, or day by day as a depot empties."""
    if not treatment.release:
        return np.zeros(1), np.ones(1)
    length = study.horizon if platform.name == study.human else platform.until
    day = np.arange(0.0, length)
    since = day % treatment.every
    mean = np.exp(-treatment.release * since) * -np.expm1(-treatment.release) / treatment.release
    return day, mean


def _joined(schedules: Sequence[Schedule]) -> Schedule:
    """Schedules of groups of subjects, one after the other."""
    ends = np.cumsum([len(s.time) for s in schedules])
    offsets = [s.offsets[:-1] + e - len(s.time) for s, e in zip(schedules, ends, strict=True)]
    columns = (np.concatenate([getattr(s, f) for s in schedules]) for f in ("time", "kind", "index", "value"))
    return Schedule(np.concatenate([*offsets, ends[-1:]]), *columns)


def _read(study: PlatformStudy, platform: Platform, run: Simulation) -> Measured:
    site, growth, _ = PLACES[platform.reads]
    days = run.times[0]
    end = int(np.searchsorted(days, platform.until - 1e-6))
    viable = {name: copies(run, name, "viable") for name in PLACES}
    own = viable[platform.reads]
    immune = {k: run[f"{site}.{k}"][:, end] for k in IMMUNE} | {
        "circulating": run["systemic.circulating"][:, end]
    }
    sizes = np.concatenate([v[:, 0] for v in viable.values()], axis=1)
    killed = log_kill(own[:, : end + 1], copies(run, growth, "rate")[:, : end + 1], days[: end + 1])
    killed = (killed * own[:, 0]).sum(axis=1) / own[:, 0].sum(axis=1)  # lesions count by their size
    liver = viable["hepatic"][:, 0].sum(axis=1) / sizes.sum(axis=1)
    return Measured(
        log_kill=killed,
        first=own[:, 0].sum(axis=1),
        last=own[:, end].sum(axis=1),
        liver=liver,
        apart=_apart(sizes),
        immune=immune,
        progress=_progress(study, run, days) if platform.name == study.human else None,
    )


def _apart(sizes: np.ndarray) -> np.ndarray:
    there = sizes > 0
    log = np.log(np.where(there, sizes, 1.0))
    mean = log.sum(axis=1) / there.sum(axis=1)
    return np.sqrt((np.where(there, log - mean[:, None], 0.0) ** 2).sum(axis=1) / there.sum(axis=1))


def _progress(study: PlatformStudy, run: Simulation, days: np.ndarray) -> np.ndarray:
    """Days to progression at the study's visits, seen without error; its horizon where there is none."""
    visits = np.isin(days.round(6), np.arange(0, study.horizon + 1e-9, study.visits).round(6))
    criteria = CRITERIA["RECIST 1.1"]
    sums = [
        target_sum(d, d[:, 0], criteria)
        for name in PLACES
        for d in [copies(run, name, "diameter")[:, visits]]
    ]
    total = np.sum(sums, axis=0)
    return np.minimum(
        first_time(np.tile(days[visits], (len(total), 1)), progressed(total, criteria)), study.horizon
    )
