"""run_platforms: what each platform makes of each treatment, beside what patients make of it, and five
scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from pkpd.fit.intervals import interval
from pkpd.machine.executor import stream
from pkpd.study.platforms.experiment import Arm, Measured, arms, measure
from pkpd.study.platforms.plan import Platform, PlatformStudy, Treatment

Tell = Callable[[str, int, int], None]
Rows = tuple[dict, ...]

# axis: its name for a reader, and what is computed
AXES = {
    "anatomy": (
        "Anatomy",
        "mean of two: share of tumour that is in the liver at treatment; spread of lesion sizes within a "
        "subject over that of patients, at most 1",
    ),
    "immunity": (
        "Immune competence and liver",
        "T cells of the site over those of patients, at most 1, times the mean "
        "likeness of six other immune variables, untreated, at the end",
    ),
    "reproducibility": (
        "Reproducibility",
        "share of subjects that have a tumour to read, times exp(−SD of the log of "
        "untreated volume between subjects)",
    ),
    "alignment": (
        "Clinical alignment",
        "mean over treatments of the likeness of log-kill a day to that of patients",
    ),
    "endpoints": (
        "Endpoint relevance",
        "pairs of treatments that the platform’s log-kill a day ranks as the time to progression "
        "gained in patients does, less those it ranks otherwise, over all pairs (Kendall’s τ-a), at least 0",
    ),
}
T_CELLS = ("effector", "exhausted")


@dataclass(frozen=True)
class PlatformResult:
    """The tables of a study of platforms, rows of plain data.

    doses    log-kill a day and growth at each dose: medians over subjects and the middle 80 % of them
    effects  at full dose: medians over draws with intervals; bias is ln(platform / patients), None where one
             of the two shows no effect
    windows  the least share of the full dose that holds the tumour at its size, and one over it
    scores   the five axes, medians over draws with central intervals (pkpd.fit.intervals)
    """

    study: PlatformStudy
    doses: Rows
    effects: Rows
    windows: Rows
    scores: Rows


@dataclass(frozen=True)
class _Seen:
    """One platform: its central arms by treatment and level, and those of each draw by treatment ("" is
    none).
    """

    platform: Platform
    central: dict[tuple[str, float], Measured]
    drawn: dict[str, list[Measured]]

    def rate(self, treatment: str) -> np.ndarray:
        """Log-kill a day, the median over subjects, of each draw."""
        return np.array([np.median(m.log_kill) for m in self.drawn[treatment]]) / self.platform.until


def run_platforms(study: PlatformStudy, tell: Tell = lambda what, done, of: None) -> PlatformResult:
    """Runs a study of platforms; subjects of the same number are at the same quantiles of what varies on
    every platform.
    """
    from pkpd.solve.compile import kernels

    kernels(study.system)
    seen: dict[str, _Seen] = {}
    tell("simulating", 0, len(study.platforms))
    for done, found in enumerate(stream(partial(_simulated, study), study.platforms), 1):
        seen[found.platform.name] = found
        tell("simulating", done, len(study.platforms))
    human = seen[study.human]
    rows = [
        (_doses(study, s), _effects(study, s, human), _windows(study, s), _scores(study, s, human))
        for s in seen.values()
    ]
    return PlatformResult(
        study, *(tuple(r for part in column for r in part) for column in zip(*rows, strict=True))
    )


def _simulated(study: PlatformStudy, platform: Platform) -> _Seen:
    wanted = arms(study)
    central, drawn = {}, {name: [] for name in ("", *(t.name for t in study.treatments))}
    for arm, found in zip(wanted, measure(study, platform, wanted), strict=True):
        name = arm.treatment.name if arm.treatment is not None else ""
        if arm.draw < 0:
            central[name, _level(arm)] = found
        else:
            drawn[name].append(found)
    return _Seen(platform, central, drawn)


def _level(arm: Arm) -> float:
    return arm.level if arm.treatment is not None else 0.0


def _of(study: PlatformStudy, seen: _Seen, treatment: Treatment, level: float) -> Measured:
    return seen.central[(treatment.name, level) if level else ("", 0.0)]


def _head(seen: _Seen, treatment: Treatment) -> dict:
    return {
        "platform": seen.platform.name,
        "host": seen.platform.host,
        "treatment": treatment.name,
        "class": treatment.group,
    }


def _doses(study: PlatformStudy, seen: _Seen) -> list[dict]:
    """Log-kill a day and growth over treatment, at each dose of each treatment."""
    found = []
    for treatment in study.treatments:
        for level in study.levels:
            own = _of(study, seen, treatment, level)
            for measure_, values in (("log_kill", own.log_kill), ("growth", np.log(own.last / own.first))):
                found.append(
                    {
                        **_head(seen, treatment),
                        "dose": level,
                        "measure": measure_,
                        "unit": "1/day",
                        **interval(values / seen.platform.until, 0.8),
                    }
                )
    return found


def _effects(study: PlatformStudy, seen: _Seen, human: _Seen) -> list[dict]:
    """Log-kill a day, growth inhibition at the end, and bias, at full dose."""
    found = []
    for treatment in study.treatments:
        own = seen.drawn[treatment.name]
        pairs = zip(own, seen.drawn[""], strict=True)
        inhibition = np.array([np.median(1 - m.last / base.last) for m, base in pairs])
        head = {**_head(seen, treatment), "dose": 1.0}
        found.append({**head, "measure": "log_kill", "unit": "1/day", **interval(seen.rate(treatment.name))})
        found.append({**head, "measure": "inhibition", "unit": "%", **interval(100 * inhibition)})
        if seen is not human:
            found.append({**head, "measure": "bias", "unit": "1", **interval(_bias(seen, human, treatment))})
    return found


def _bias(seen: _Seen, human: _Seen, treatment: Treatment) -> np.ndarray:
    """ln(platform / patients) of log-kill a day in each draw; undefined where patients show no effect."""
    own, theirs = seen.rate(treatment.name), human.rate(treatment.name)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(
            theirs > 0, np.log(np.maximum(own, 0)) - np.log(np.where(theirs > 0, theirs, 1.0)), np.nan
        )


def _windows(study: PlatformStudy, seen: _Seen) -> list[dict]:
    """The dose that holds the tumour, where one up to the full dose does, and the window between it and the
    full dose.
    """
    found = []
    for treatment in study.treatments:
        growth = np.array(
            [
                np.median(np.log(m.last / m.first))
                for x in study.levels
                for m in [_of(study, seen, treatment, x)]
            ]
        )
        dose = _crossing(np.array(study.levels), growth)
        for measure_, value in (("holding_dose", dose), ("window", 1 / dose if dose else None)):
            found.append(
                {
                    **_head(seen, treatment),
                    "measure": measure_,
                    "unit": "1",
                    "value": value,
                    "low": None,
                    "high": None,
                }
            )
    return found


def _crossing(level: np.ndarray, growth: np.ndarray) -> float | None:
    """The least level at which growth is over, between doses by a straight line; None where none does it, or
    none is needed.
    """
    over = np.flatnonzero(growth <= 0)
    if not len(over) or over[0] == 0:
        return None
    i = int(over[0])
    return float(level[i - 1] + (level[i] - level[i - 1]) * growth[i - 1] / (growth[i - 1] - growth[i]))


def _scores(study: PlatformStudy, seen: _Seen, human: _Seen) -> list[dict]:
    """The five axes, draw by draw."""
    values = {
        "anatomy": _anatomy(seen, human),
        "immunity": _immunity(seen, human),
        "reproducibility": _reproducibility(seen),
        "alignment": _alignment(study, seen, human),
        "endpoints": _endpoints(study, seen, human),
    }
    return [
        {
            "platform": seen.platform.name,
            "host": seen.platform.host,
            "axis": axis,
            "measure": "score",
            "unit": "1",
            **interval(values[axis]),
        }
        for axis in AXES
    ]


def _anatomy(seen: _Seen, human: _Seen) -> np.ndarray:
    pairs = zip(seen.drawn[""], human.drawn[""], strict=True)
    return np.array(
        [(np.median(m.liver) + min(1.0, np.median(m.apart) / np.median(h.apart))) / 2 for m, h in pairs]
    )


def _likeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The smaller over the larger of two amounts: 1 for equal ones, 0 where one is missing."""
    large = np.maximum(one, other)
    return np.where(large > 0, np.maximum(np.minimum(one, other), 0) / np.where(large > 0, large, 1.0), 1.0)


def _immunity(seen: _Seen, human: _Seen) -> np.ndarray:
    return np.array([_immune_likeness(m, h) for m, h in zip(seen.drawn[""], human.drawn[""], strict=True)])


def _immune_likeness(own: Measured, theirs: Measured) -> float:
    one, other = ({k: np.median(v) for k, v in m.immune.items()} for m in (own, theirs))
    competence = min(1.0, float(sum(one[k] for k in T_CELLS) / sum(other[k] for k in T_CELLS)))
    return competence * float(np.mean([_likeness(one[k], other[k]) for k in one if k not in T_CELLS]))


def _reproducibility(seen: _Seen) -> np.ndarray:
    return seen.platform.take.value * np.exp([-float(np.std(np.log(m.last))) for m in seen.drawn[""]])


def _alignment(study: PlatformStudy, seen: _Seen, human: _Seen) -> np.ndarray:
    return np.mean([_likeness(seen.rate(t.name), human.rate(t.name)) for t in study.treatments], axis=0)


def _endpoints(study: PlatformStudy, seen: _Seen, human: _Seen) -> np.ndarray:
    gains = {t.name: _gain(human, t.name) for t in study.treatments}
    rates = np.array([seen.rate(t.name) for t in study.treatments])
    theirs = np.array([gains[t.name] for t in study.treatments])
    return np.maximum([_agreement(rates[:, k], theirs[:, k]) for k in range(study.draws)], 0.0)


def _agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Pairs that both put in one order less those that they put in opposite ones, over all; a tie is neither
    (Kendall's τ-a).
    """
    i, j = np.triu_indices(len(one), 1)
    return float(np.mean(np.sign(one[i] - one[j]) * np.sign(other[i] - other[j]))) if len(i) else 0.0


def _gain(human: _Seen, treatment: str) -> np.ndarray:
    """Days that a treatment adds to the mean time to progression within the horizon, in each draw."""
    pairs = zip(human.drawn[treatment], human.drawn[""], strict=True)
    return np.array(
        [
            m.progress.mean() - base.progress.mean()
            for m, base in pairs
            if m.progress is not None and base.progress is not None
        ]
    )
