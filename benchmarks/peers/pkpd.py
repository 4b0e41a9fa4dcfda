"""Ours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import pkpd
from benchmarks.problem import Problem
from pkpd.solve.batch import solve_population
from pkpd.solve.tolerance import tolerances


def version() -> str:
    return pkpd.__version__


def solver(problem: Problem) -> Callable[[Problem, float], np.ndarray]:
    """Solves patients at a relative tolerance: states (patient, time, state)."""

    def solve(some: Problem, rtol: float) -> np.ndarray:
        states, *_ = solve_population(
            some.model,
            some.start,
            some.inputs,
            some.schedule,
            some.times,
            some.begin,
            rtol,
            atol=tolerances(some.model, rtol, 1e-2 * rtol),
        )
        return states

    return solve
