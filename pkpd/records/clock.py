"""One patient's events in order: doses on their way, infusions that run, resets."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pkpd.regimen.schedule import ADD, ASSIGN, RATE
from pkpd.solve.repeated import NEAR


@dataclass(frozen=True)
class Dose:
    """A dose as recorded, with the lag, the amount and the duration that it keeps; rate 0 is a bolus.

    `steady` 1 sets the steady state of `states`, 2 adds it; without an interval that is of an infusion that
    ends here.
    """

    time: float
    state: int
    amount: complex
    rate: complex
    duration: complex
    lag: complex
    interval: float
    more: int
    steady: int = 0
    states: tuple[int, ...] = ()
    amounts: tuple[complex, ...] = ()


class Event(NamedTuple):
    """One event of a patient, as a Schedule has it."""

    time: complex
    kind: int
    index: int
    value: complex
    carried: bool


class _Waiting(NamedTuple):
    """What is due: the dose's additional dose of this number arrives or, without a dose, the infusion of this
    number ends. Time, then order, decide what comes first.
    """

    time: float
    order: int
    dose: Dose | None
    number: int
    due: complex


class Clock:
    """Turns records, handed over in order, into events; times within `slack` of each other are one.

    Lags, amounts and the like may be complex (see solve/gradient): what is due is then complex too, and only
    its real part decides what comes first.
    """

    def __init__(self, begin: float, last: float, slack: float):
        self.now, self.last, self.slack = begin, last, slack
        self.events: list[Event] = []
        self._waiting: list[_Waiting] = []
        self._shift: complex = 0.0  # the imaginary part of the time at which something happens
        self._running: dict[int, tuple[int, complex]] = {}
        self._count = 0

    def put(self, kind: int, index: int, value: complex, carried: bool = False) -> None:
        """One event now; `carried` brings what imagined doses left behind (see Schedule)."""
        self.events.append(Event(self.now + self._shift, kind, index, value, carried))

    def advance(self, time: float) -> None:
        """Lets happen what is due up to a time, that time included."""
        while self._waiting and self._waiting[0].time <= time + self.slack:
            at, _, dose, number, due = heapq.heappop(self._waiting)
            if at > self.now + self.slack:
                self.now = at
            if at >= time - self.slack:
                self.now = time
            self._shift = due - due.real
            if dose is None:
                self._end(number)
            else:
                self._arrive(dose, number, due)
            self._shift = 0.0
        self.now = time

    def reset(self, start: Sequence[complex]) -> None:
        """Every state to its start value; nothing runs, nothing is on its way."""
        self._cancel(range(len(start)))
        for state, value in enumerate(start):
            self.put(ASSIGN, state, value)

    def give(self, dose: Dose) -> None:
        """Takes up the dose of the record that stands now."""
        if dose.steady == 1:
            self._cancel(dose.states)
        for state, amount in zip(dose.states, dose.amounts, strict=True):
            self.put(ASSIGN if dose.steady == 1 else ADD, state, amount, carried=True)
        if dose.steady and dose.interval == 0:
            return
        if dose.steady:
            self._imagined(dose)
        self._wait(dose.time + dose.lag, dose, 0)
        self.advance(self.now)

    def _imagined(self, dose: Dose) -> None:
        """What the doses before the record, which led to the steady state, still have to give."""
        for k in range(int((dose.lag + dose.duration).real / dose.interval) + 1, 0, -1):
            arrival = dose.time + dose.lag - k * dose.interval
            if arrival.real >= dose.time - max(self.slack, NEAR * dose.interval):
                self._wait(arrival, dose, -k)
            elif (arrival + dose.duration).real > dose.time + self.slack:
                self._begin(dose, arrival + dose.duration)

    def _wait(self, due: complex, dose: Dose | None, number: int) -> None:
        if due.real <= self.last + self.slack:
            self._count += 1
            heapq.heappush(self._waiting, _Waiting(due.real, self._count, dose, number, due))

    def _arrive(self, dose: Dose, number: int, due: complex) -> None:
        """An arrival: number 0 is the record's own, those above are additional, those below imagined before
        it.
        """
        end = due + dose.duration
        if dose.rate == 0 or end.real <= self.now + self.slack:
            self.put(ADD, dose.state, dose.amount)  # what the clock cannot tell from a bolus is one
        else:
            self._begin(_as_the_clock_counts(dose, end.real - self.now), end)
        if 0 <= number < dose.more:
            self._wait(dose.time + (number + 1) * dose.interval + dose.lag, dose, number + 1)

    def _begin(self, dose: Dose, end: complex) -> None:
        self._count += 1
        self._running[self._count] = (dose.state, dose.rate)
        self._put_rate(dose.state)
        self._wait(end, None, self._count)

    def _end(self, number: int) -> None:
        if number in self._running:
            state, _ = self._running.pop(number)
            self._put_rate(state)

    def _put_rate(self, state: int) -> None:
        """The rate into a state: summed anew, so that it is exactly zero when nothing runs."""
        self.put(RATE, state, sum((rate for s, rate in self._running.values() if s == state), 0.0))

    def _cancel(self, states: Collection[int]) -> None:
        stopped = {s for s, _ in self._running.values() if s in states}
        self._running = {n: (s, rate) for n, (s, rate) in self._running.items() if s not in states}
        self._waiting = [w for w in self._waiting if w.dose is None or w.dose.state not in states]
        heapq.heapify(self._waiting)
        for state in sorted(stopped):
            self._put_rate(state)


def _as_the_clock_counts(dose: Dose, length: float) -> Dose:
    """The dose with the rate that gives its amount over a length that the clock has rounded."""
    factor = dose.duration.real / length  # not a number where the infusion has no end
    return replace(dose, rate=dose.rate * factor) if abs(factor - 1) > 1e-12 else dose
