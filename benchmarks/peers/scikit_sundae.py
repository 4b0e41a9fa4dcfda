"""scikit-sundae: SUNDIALS CVODE with a right-hand side compiled by numba, restarted at each event."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks import equations
from benchmarks.problem import Problem
from benchmarks.timeline import Leg, by_legs


def version() -> str:
    import sksundae

    return sksundae.__version__


def solver(problem: Problem) -> Callable[[Problem, float], np.ndarray]:
    """Solves patients at a relative tolerance: states (patient, time, state)."""
    from sksundae.cvode import CVODE

    rates = equations.module(equations.compiled_source(problem.model)).rates
    here = [np.zeros(len(problem.model.inputs)), np.zeros(len(equations.dosed(problem.model)))]

    def rhs(t: float, y: np.ndarray, d: np.ndarray) -> None:
        rates(y, here[0], here[1], d)

    def solve(some: Problem, rtol: float) -> np.ndarray:
        cvode = CVODE(rhs, rtol=rtol, atol=rtol * 1e-2, max_num_steps=100_000)

        def patient(i: int) -> Leg:
            def leg(begin: float, stops: np.ndarray, y: np.ndarray, infusion: np.ndarray) -> np.ndarray:
                here[:] = some.inputs[i], infusion
                grid = np.r_[
                    begin, (begin + stops[0]) / 2, stops
                ]  # of two times it would return every step it takes
                return cvode.solve(grid, y).y[2:]

            return leg

        return by_legs(some, patient)

    return solve
