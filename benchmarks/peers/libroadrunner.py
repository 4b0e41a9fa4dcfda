"""libRoadRunner: SBML compiled by LLVM, CVODE; restarted at each event."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks import equations
from benchmarks.problem import Problem
from benchmarks.timeline import Leg, by_legs
from pkpd.model.model import Model


def version() -> str:
    import roadrunner

    return roadrunner.__version__


def antimony_text(model: Model) -> str:
    """The model as Antimony: rate rules for states, assignment rules for variables and flows."""
    lines = ["model reference_problem"]
    lines += [f"  {name} := {text};" for name, text in equations.assignments(model, "^")]
    lines += [f"  {name}' = {text};" for name, text in equations.right_hand_sides(model).items()]
    lines += [f"  {name} = 1;" for name in (*model.states, *model.inputs)]
    lines += [f"  u_{name} = 0;" for name in equations.dosed(model)]
    return "\n".join([*lines, "end"]).replace("log(", "ln(") + "\n"


def sbml(model: Model) -> str:
    """The model as SBML."""
    import antimony

    if antimony.loadAntimonyString(antimony_text(model)) < 0:
        raise RuntimeError(antimony.getLastError())
    text = antimony.getSBMLString("reference_problem")
    antimony.clearPreviousLoads()
    return text


def solver(problem: Problem) -> Callable[[Problem, float], np.ndarray]:
    """Solves patients at a relative tolerance: states (patient, time, state).

    Its integrator is called directly: `simulate` for each leg takes up to half as long again; doses as eleven
    recurring events in the SBML, and reactions in place of rate rules, take as long as this.
    """
    import roadrunner

    runner = roadrunner.RoadRunner(sbml(problem.model))
    values = runner.model
    place = {name: k for k, name in enumerate(values.getGlobalParameterIds())}
    states, inputs, infusions = (
        np.array([place[n] for n in names], dtype=np.int32)
        for names in (
            problem.model.states,
            problem.model.inputs,
            [f"u_{n}" for n in equations.dosed(problem.model)],
        )
    )
    runner.integrator.setValue("stiff", True)
    runner.integrator.setValue("maximum_num_steps", 100_000)

    def leg(begin: float, stops: np.ndarray, y: np.ndarray, infusion: np.ndarray) -> np.ndarray:
        values.setGlobalParameterValues(states, y)
        values.setGlobalParameterValues(infusions, infusion)
        integrator = runner.integrator
        integrator.restart(begin)
        found = np.empty((len(stops), len(y)))
        for k, stop in enumerate(stops.tolist()):
            begin = integrator.integrate(begin, stop - begin)
            found[k] = values.getGlobalParameterValues(states)
        return found

    def solve(some: Problem, rtol: float) -> np.ndarray:
        runner.integrator.setValue("relative_tolerance", rtol)
        runner.integrator.setValue(
            "absolute_tolerance", [rtol * 1e-2] * len(states)
        )  # one number is scaled by each start value

        def patient(i: int) -> Leg:
            values.setGlobalParameterValues(inputs, some.inputs[i])
            return leg

        return by_legs(some, patient)

    return solve
