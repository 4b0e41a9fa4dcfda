"""SciPy's odeint (LSODA) with a right-hand side compiled by numba, restarted at each event."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks import equations
from benchmarks.problem import Problem
from benchmarks.timeline import Leg, by_legs


def version() -> str:
    import scipy

    return scipy.__version__


def solver(problem: Problem) -> Callable[[Problem, float], np.ndarray]:
    """Solves patients at a relative tolerance: states (patient, time, state)."""
    from numba import njit
    from scipy.integrate import odeint

    rates = equations.module(equations.compiled_source(problem.model)).rates

    @njit("f8[::1](f8,f8[::1],f8[::1],f8[::1])", error_model="numpy")
    def rhs(t, y, p, u):
        d = np.empty_like(y)
        rates(y, p, u, d)
        return d

    def solve(some: Problem, rtol: float) -> np.ndarray:
        def patient(i: int) -> Leg:
            def leg(begin: float, stops: np.ndarray, y: np.ndarray, infusion: np.ndarray) -> np.ndarray:
                return odeint(
                    rhs,
                    y,
                    np.r_[begin, stops],
                    (some.inputs[i], infusion),
                    rtol=rtol,
                    atol=rtol * 1e-2,
                    tfirst=True,
                    mxstep=100_000,
                )[1:]

            return leg

        return by_legs(some, patient)

    return solve
