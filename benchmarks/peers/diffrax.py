"""diffrax: Kvaerno5 in JAX on the CPU, all patients at once under vmap, from event to event in one scan."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks import equations
from benchmarks.problem import Problem
from benchmarks.timeline import Timeline, timeline

BATCH = 8  # patients solved at once; each number compiles anew


def version() -> str:
    import diffrax

    return diffrax.__version__


def _stops(plan: Timeline, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Output times of each leg, filled up with its end, and the row and column of each output."""
    width = int(np.max(np.diff(plan.first)))
    stops = np.repeat(plan.edges[1:, None], width, axis=1)
    places = np.zeros((len(times), 2), dtype=int)
    for leg, (first, last) in enumerate(zip(plan.first[:-1], plan.first[1:], strict=True)):
        stops[leg, : last - first] = times[first:last]
        places[first:last] = np.stack([np.full(last - first, leg), np.arange(last - first)], axis=1)
    return stops, places


def _one(rates: Callable, dosed: np.ndarray) -> Callable:
    """A function that solves one patient, to be mapped over patients."""
    import diffrax
    import jax
    import jax.numpy as jnp

    term = diffrax.ODETerm(lambda t, y, p: jnp.stack(rates(y, p)))

    def patient(start, inputs, add, infusion, edges, stops, rtol):
        control = diffrax.PIDController(rtol=rtol, atol=rtol * 1e-2)

        def leg(y, here):
            begin, end, given, rate, saved = here
            y = y.at[dosed].add(given)
            out = diffrax.diffeqsolve(
                term,
                diffrax.Kvaerno5(),
                begin,
                end,
                None,
                y,
                jnp.concatenate([inputs, rate]),
                stepsize_controller=control,
                saveat=diffrax.SaveAt(subs=[diffrax.SubSaveAt(ts=saved), diffrax.SubSaveAt(t1=True)]),
                max_steps=None,
                throw=False,
            )
            return out.ys[1][0], out.ys[0]

        return jax.lax.scan(leg, start, (edges[:-1], edges[1:], add, infusion, stops))[1]

    return patient


def solver(problem: Problem) -> Callable[[Problem, float], np.ndarray]:
    """Solves patients at a relative tolerance: states (patient, time, state)."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_compilation_cache_dir", str(equations.folder() / "jax"))
    rates = equations.module(equations.python_source(problem.model, "jax.numpy")).rates
    plan = timeline(problem)
    solved = jax.jit(jax.vmap(_one(rates, plan.dosed), in_axes=(0, 0, 0, 0, None, None, None)))

    def solve(some: Problem, rtol: float) -> np.ndarray:
        plan = timeline(some)
        stops, places = _stops(plan, some.times[0])
        found = []
        for first in range(0, len(some), BATCH):
            rows = np.minimum(np.arange(first, first + BATCH), len(some) - 1)  # the last batch is filled up
            own = (x[rows] for x in (some.start, some.inputs, plan.add, plan.infusion))
            found.append(solved(*own, plan.edges, stops, rtol))
        return np.concatenate(found)[: len(some), places[:, 0], places[:, 1]]

    return solve
