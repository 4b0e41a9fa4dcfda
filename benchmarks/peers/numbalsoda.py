"""numbalsoda: LSODA in C++ called from numba, a whole patient without Python; restarted at each event."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata

import numpy as np

from benchmarks import equations
from benchmarks.problem import Problem
from benchmarks.timeline import timeline

_DRIVER = """

from numba import carray, cfunc
from numba import types
from numbalsoda import lsoda, lsoda_sig
import numpy as np

N, P, U = {sizes}


@cfunc(lsoda_sig)
def rhs(t, y, d, data):
    packed = carray(data, (P + U,))
    rates(carray(y, (N,)), packed[:P], packed[P:], carray(d, (N,)))


@njit
def patients(address, start, inputs, edges, first, dosed, add, infusion, times, rtol, out):
    data, ok = np.empty(P + U), True
    for i in range(len(start)):
        y = start[i].copy()
        data[:P] = inputs[i]
        for k in range(len(edges) - 1):
            data[P:] = infusion[i, k]
            for j in range(U):
                y[dosed[j]] += add[i, k, j]
            here = times[first[k]:first[k + 1]]
            now = len(here) > 0 and here[0] == edges[k]
            inside = here[1:] if now else here
            last = len(inside) > 0 and inside[-1] == edges[k + 1]
            stops = np.empty(len(inside) + (1 if last else 2))
            stops[0], stops[-1] = edges[k], edges[k + 1]
            stops[1:len(inside) + 1] = inside
            found, fine = lsoda(address, y, stops, data, rtol, rtol * 1e-2, 100000)
            ok = ok and fine
            begin = first[k] if now else first[k] - 1
            for o in range(0 if now else 1, len(inside) + 1):
                out[i, begin + o] = found[o]
            y = found[-1].copy()
    return ok
"""


def version() -> str:
    import numbalsoda  # noqa: F401 - it may be half installed

    return metadata.version("numbalsoda")


def solver(problem: Problem) -> Callable[[Problem, float], np.ndarray]:
    """Solves patients at a relative tolerance: states (patient, time, state)."""
    model = problem.model
    sizes = f"{len(model.states)}, {len(model.inputs)}, {len(equations.dosed(model))}"
    made = equations.module(equations.compiled_source(model) + _DRIVER.format(sizes=sizes))

    def solve(some: Problem, rtol: float) -> np.ndarray:
        plan = timeline(some)
        out = np.empty((*some.times.shape, some.start.shape[1]))
        made.patients(
            made.rhs.address,
            some.start,
            some.inputs,
            plan.edges,
            plan.first,
            plan.dosed,
            plan.add,
            plan.infusion,
            some.times[0].copy(),
            rtol,
            out,
        )
        return out

    return solve
