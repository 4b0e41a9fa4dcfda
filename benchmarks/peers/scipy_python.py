"""SciPy's solve_ivp (LSODA) with a right-hand side in plain Python, restarted at each event: what a user
writes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks import equations
from benchmarks.problem import Problem
from benchmarks.timeline import Leg, by_legs
from pkpd.model.model import Model


def version() -> str:
    import scipy

    return scipy.__version__


def source(model: Model) -> str:
    """`patient(p)` gives `rhs(t, y, u)` with the patient's parameters bound: plain floats, no lookups by
    name.
    """
    lines = [
        "from math import log",
        "",
        "",
        "def patient(p):",
        f"    {', '.join(model.inputs)} = p",
        "",
        "    def rhs(t, y, u):",
        f"        {', '.join(model.states)} = y.tolist()",
        f"        {', '.join(f'u_{n}' for n in equations.dosed(model))} = u",
    ]
    lines += [f"        {line}" for line in equations.body(model)]
    lines += [
        f"        return [{', '.join(equations.right_hand_sides(model).values())}]",
        "",
        "    return rhs",
    ]
    return "\n".join(lines) + "\n"


def solver(problem: Problem) -> Callable[[Problem, float], np.ndarray]:
    """Solves patients at a relative tolerance: states (patient, time, state)."""
    from scipy.integrate import solve_ivp

    bind = equations.module(source(problem.model)).patient

    def solve(some: Problem, rtol: float) -> np.ndarray:
        def patient(i: int) -> Leg:
            rhs = bind(some.inputs[i].tolist())

            def leg(begin: float, stops: np.ndarray, y: np.ndarray, infusion: np.ndarray) -> np.ndarray:
                return solve_ivp(
                    rhs,
                    (begin, stops[-1]),
                    y,
                    "LSODA",
                    stops,
                    rtol=rtol,
                    atol=rtol * 1e-2,
                    args=(infusion.tolist(),),
                ).y.T

            return leg

        return by_legs(some, patient)

    return solve
