"""treat(model, population, regimen, cycles) -> Treatment: a regimen given as its rules decide, patient by
patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pkpd.content import units
from pkpd.errors import fail
from pkpd.machine.doors import door
from pkpd.machine.labels import Labelled, Row
from pkpd.model.model import Model
from pkpd.parameters.population import Population
from pkpd.regimen.cycle_ranges import among
from pkpd.regimen.lowering import cycles as cycle_starts
from pkpd.regimen.lowering import lower, packed_starts, prescribed
from pkpd.regimen.regimen import Regimen, lasting
from pkpd.regimen.schedule import Schedule
from pkpd.simulation.crossings import Crossing
from pkpd.simulation.visits import Visits

_FINE, _TOP, _SHOWN = (
    1000,
    2,
    5,
)  # steps in which a tally counts intensity, up to twice the planned; failures that it names


@dataclass(frozen=True, repr=False)
class Treatment(Labelled):
    """What patients were given under a regimen's rules; times in the model's time unit.

    schedule   the events, to be simulated; where a decision could not be taken, the patient's course ends
               there
    planned    starts of the cycles as planned (cycle,), without the regimen's delays
    starts     as given (patient, cycle): infinite where not given, missing where undecided
    factors    what was given of each dose (patient, cycle, dose line): 0 where not given, missing where
               undecided
    decisions  what rules changed, by patient and time: patient's number, cycle and rule from 1, and what was
               done
    failures   patients with a cycle that could not be decided on, each with the time and the reason
    crossings  those under which it was decided: a simulation of the schedule needs the same

    Of several courses, planned is (course, cycle) and starts (patient, course, cycle); dose lines and rules
    are numbered through all courses, and a cycle is the line's or the rule's own course's.
    """

    model: Model
    population: Population
    regimen: Regimen
    schedule: Schedule
    planned: np.ndarray
    starts: np.ndarray
    factors: np.ndarray
    decisions: np.ndarray
    failures: tuple[str, ...] = ()
    crossings: tuple[Crossing, ...] = ()

    def label(self) -> tuple[str, list[Row]]:
        return f"Treatment with {self.regimen.name or 'a regimen'}", [
            ("", line) for line in self.tally().lines()
        ]

    @cached_property
    def intensity(self) -> dict[str, np.ndarray]:
        """The relative dose intensity of each drug (patient,); missing where undecided.

        (amount given / amount planned) / (time taken / time planned), over the cycles that are planned to
        bring the drug, of whichever course. Time runs from the start of the first to the end of the last. A
        cycle without the drug is taken to be as late as the last with it, or, before all with it, as the
        first: what is not given counts as planned in time and as missed in amount, and a wait before the
        first dose counts for nothing. Dose intensity: Hryniuk & Bush, J Clin Oncol 2:1281 (1984).
        """
        amount = prescribed(self.regimen, self.model, self.population)
        amount = amount * [len(d.days) for d in self.regimen.doses]
        bring = self._bring()  # (cycle, dose line)
        given, planned = (self.factors * bring).sum(axis=1) * amount, bring.sum(axis=0) * amount
        found = {}
        for drug in self.regimen.drugs:
            lines = [i for i, d in enumerate(self.regimen.doses) if d.drug == drug]
            whole = planned[:, lines].sum(axis=1)
            share = np.divide(
                given[:, lines].sum(axis=1), whole, out=np.full(len(whole), np.nan), where=whole > 0
            )
            length, taken = self._time(lines, bring)
            found[drug] = share * length / taken
        return found

    @cached_property
    def _course(self) -> list[int]:
        """The course of each dose line, from 0."""
        return [k for k, c in enumerate(self.regimen.courses) for _ in c.doses]

    def _bring(self) -> np.ndarray:
        """Whether a cycle is planned to bring a dose (cycle, dose line)."""
        planned = np.atleast_2d(self.planned)
        numbers = np.arange(1, planned.shape[1] + 1)
        lines = enumerate(self.regimen.doses)
        return np.stack(
            [among(d.cycles, numbers) & np.isfinite(planned[self._course[i]]) for i, d in lines], axis=1
        )

    def _time(self, lines: list[int], bring: np.ndarray) -> tuple[float, np.ndarray]:
        """From the first cycle that brings a drug to the end of the last: the time planned, and that taken
        (patient,).
        """
        day = float(units.ratio("day", self.model.time))
        planned = np.atleast_2d(self.planned)
        starts = self.starts.reshape(len(self.starts), *planned.shape)
        cells = sorted(
            {
                (planned[self._course[i], k], self._course[i], k)
                for i in lines
                for k in np.flatnonzero(bring[:, i])
            }
        )
        if not cells:
            return 1.0, np.ones(len(starts))
        at = np.array([begin for begin, *_ in cells])
        length = np.array([self.regimen.courses[c].cycle * day for _, c, _ in cells])
        known = np.stack(
            [
                np.any(self.factors[:, k, [i for i in lines if self._course[i] == c]] > 0, axis=1)
                for _, c, k in cells
            ],
            axis=1,
        )
        late = np.stack(
            [
                np.where(own, starts[:, c, k] - begin, 0.0)
                for (begin, c, k), own in zip(cells, known.T, strict=True)
            ],
            axis=1,
        )
        rows = np.arange(len(late))
        first, last = late[rows, known.argmax(axis=1)], late[rows, -1 - known[:, ::-1].argmax(axis=1)]
        begins = np.min(at + np.where(known, late, first[:, None]), axis=1)
        ends = np.max(at + length + np.where(known, late, last[:, None]), axis=1)
        return max(at + length) - at[0], ends - begins

    def tally(self) -> Tally:
        """How many patients were held, reduced and stopped, and how intensely all were treated."""
        held, reduced, stopped = (
            len(set(self.decisions["patient"][self.decisions["action"] == action]))
            for action in ("hold", "reduce", "stop")
        )
        counts = {
            drug: np.bincount(
                np.round(np.minimum(x[np.isfinite(x)], _TOP) * _FINE).astype(int), minlength=_TOP * _FINE + 1
            )
            for drug, x in self.intensity.items()
        }
        return Tally(
            patients=len(self.population),
            held=held,
            reduced=reduced,
            stopped=stopped,
            undecided=len(self.failures),
            failures=self.failures[:_SHOWN],
            intensity=counts,
        )


@dataclass(frozen=True)
class Tally:
    """What became of any number of patients' doses, in little memory; tallies of different patients add up.

    intensity  of each drug, the number of patients at each thousandth of relative dose intensity
    """

    patients: int
    held: int
    reduced: int
    stopped: int
    undecided: int
    failures: tuple[str, ...]
    intensity: dict[str, np.ndarray]

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            patients=self.patients + other.patients,
            held=self.held + other.held,
            reduced=self.reduced + other.reduced,
            stopped=self.stopped + other.stopped,
            undecided=self.undecided + other.undecided,
            failures=(self.failures + other.failures)[:_SHOWN],
            intensity={k: v + other.intensity[k] for k, v in self.intensity.items()},
        )

    def lines(self) -> list[str]:
        """In words, for a console."""
        found = [
            f"of {self.patients} patients, cycles held in {self.held}, doses reduced in {self.reduced}, "
            f"treatment or a drug stopped in {self.stopped}"
        ]
        for drug, counts in self.intensity.items():
            if counts.any():
                low, mid, high = (
                    np.searchsorted(np.cumsum(counts), np.array([0.05, 0.5, 0.95]) * counts.sum()) / _FINE
                )
                found.append(
                    f"relative dose intensity of {drug}: median {mid:.2f}, 90 % of patients {low:.2f} to "
                    f"{high:.2f}"
                )
        found += [f"undecided and kept: {text}" for text in self.failures]
        more = self.undecided - len(self.failures)
        return [*found, f"… and {more} more undecided"] if more > 0 else found


def given(
    regimen: Regimen, model: Model, population: Population, cycles: int | None = None, rtol: float = 1e-6
) -> tuple[Schedule, Tally | None]:
    """The events of consecutive cycles; where the regimen has rules, as they decide, with a tally of it."""
    if not regimen.rules:
        return lower(regimen, model, population, cycle_starts(regimen, model, cycles)), None
    treatment = treat(model, population, regimen, cycles, rtol=rtol)
    return treatment.schedule, treatment.tally()


@door
def treat(
    model: Model,
    population: Population,
    regimen: Regimen,
    cycles: int | None = None,
    *,
    rtol: float = 1e-6,
    also: Schedule | None = None,
    crossings: Sequence[Crossing] = (),
    executor: Executor | None = None,
) -> Treatment:
    """Gives a regimen as its rules decide on each patient's course; `cycles` as `pkpd.cycles` counts them.

    At a visit, the planned start of every cycle of a course, the course's rules look at the state before the
    cycle's doses. What a rule to stop or reduce finds holds from that cycle on, a reduction once a cycle;
    then the first rule to hold that applies makes the cycle wait, and the rules look again. What follows in
    the course moves by the wait, and so do courses that come after it; a course that a rule has ended is
    followed by none.

    also       what else happens to the patients: surgery and ablation (pkpd.removal), doses that no rule
               decides on. Rules see what it leaves, and the treatment's schedule holds it
    crossings  as `simulate` takes them: rules see what they do. Give `simulate` the treatment's own
    """
    regimen = lasting(regimen, cycles, "treat")
    _check_asked(regimen, population, also)
    visits = Visits(model, population, regimen, also, crossings)
    visits.run(rtol, executor)
    alone, planned = 0 if len(regimen.courses) == 1 else slice(None), regimen.days(late=False)
    return Treatment(
        model=model,
        population=population,
        regimen=regimen,
        schedule=visits.schedule(),
        planned=(packed_starts(planned) * visits.day)[alone],
        starts=visits.starts[:, alone],
        factors=visits.factors,
        decisions=visits.decisions(),
        failures=tuple(visits.lost[i][1] for i in sorted(visits.lost)),
        crossings=tuple(crossings),
    )


def _check_asked(regimen: Regimen, population: Population, also: Schedule | None) -> None:
    """Refuses what else happens to other patients, and a regimen of no cycle."""
    if also is not None and len(also) != len(population):
        raise fail(
            "treat",
            f"what else happens is of {len(also)} patients, the population of {len(population)}",
            "make it for the same patients",
        )
    if not any(c.count for c in regimen.courses):
        raise fail("treat", "0 is not a number of cycles", "give 1 or more")
