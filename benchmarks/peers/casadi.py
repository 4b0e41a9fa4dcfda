"""CasADi: CVODES with an exact sparse Jacobian, restarted at each event; one integrator for each pattern of
outputs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks import equations
from benchmarks.problem import Problem
from benchmarks.timeline import Leg, by_legs


def version() -> str:
    import casadi

    return casadi.__version__


def solver(problem: Problem) -> Callable[[Problem, float], np.ndarray]:
    """Solves patients at a relative tolerance: states (patient, time, state)."""
    import casadi

    model = problem.model
    p = casadi.SX.sym("p", len(model.inputs) + len(equations.dosed(model)))
    y = casadi.SX.sym("y", len(model.states))
    rates = equations.module(equations.python_source(model, "casadi")).rates
    dae = {"x": y, "p": p, "ode": casadi.vertcat(*rates(casadi.vertsplit(y), casadi.vertsplit(p)))}
    made: dict[tuple, casadi.Function] = {}

    def integrator(stops: np.ndarray, rtol: float):
        key = (rtol, *stops)
        if key not in made:
            options = {"reltol": rtol, "abstol": rtol * 1e-2, "max_num_steps": 100_000}
            made[key] = casadi.integrator("leg", "cvodes", dae, 0.0, stops.tolist(), options)
        return made[key]

    def solve(some: Problem, rtol: float) -> np.ndarray:
        def patient(i: int) -> Leg:
            def leg(begin: float, stops: np.ndarray, start: np.ndarray, infusion: np.ndarray) -> np.ndarray:
                found = integrator(stops - begin, rtol)(x0=start, p=np.r_[some.inputs[i], infusion])
                return found["xf"].full().T

            return leg

        return by_legs(some, patient)

    return solve
