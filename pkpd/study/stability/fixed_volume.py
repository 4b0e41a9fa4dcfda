"""The immune block at a tumour volume that is held: every equilibrium that many starts lead to, and where
long runs end.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from pkpd.fit.free import Point
from pkpd.parameters.draw import uniform
from pkpd.parameters.population import Population
from pkpd.simulation.run import simulate
from pkpd.study.stability.equilibria import distinct, solve
from pkpd.study.stability.linearisation import linearised
from pkpd.study.stability.plan import Given, Group, StabilityStudy
from pkpd.study.stability.reduction import SITE, Reduction, whole
from pkpd.study.stability.subjects import average, repeated, scaled, treated

VOLUMES = np.logspace(-3, 3, 7)  # mL of viable tumour in the site
STARTS = 8  # of Newton's method at each point
_AROUND = 100.0  # by which factor starts lie around what is expected, up and down
_LONG = 20 * 365.25  # days of a long run
_RTOL = 1e-8


def fixed_volume(study: StabilityStudy, group: Group, given: Given, at: Point) -> dict:
    """What the search finds in the typical patient at every volume and every combination of strengths."""
    points, volumes = _points(study, group, given, at)
    block = (*(f"{group.place.site}.{s}" for s in SITE), "systemic.priming", "systemic.circulating")
    linear = linearised(study.system, block)
    expected = whole(study.system, Reduction(points, group.place), volumes)
    scale = expected[:, linear.columns].max(axis=0) + 1e-3

    def system(rows: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y = expected[rows]
        y[:, linear.columns] = x
        return linear(y, points.inputs[rows])

    rows = np.repeat(np.arange(len(points)), STARTS)
    x, done = solve(system, rows, scale * _spread(study, len(rows), len(block)), scale)
    found = [distinct(system, i, x[(rows == i) & done], scale) for i in range(len(points))]
    ends = [_run(study, group, points, expected, linear.columns, f) for f in (1 / _AROUND, _AROUND)]
    apart = np.abs(ends[0] - ends[1]) / (np.abs(ends[1]) + 1e-3 * scale)
    roots = np.array([e[0].state for e in found if e]), np.array([i for i, e in enumerate(found) if e])
    off = np.abs(roots[0] - ends[0][roots[1]]) / (np.abs(roots[0]) + 1e-3 * scale)
    slowest = [-np.real(e.values).max() for own in found for e in own if e.stable]
    return {
        "points": len(points),
        "starts": STARTS,
        "lost": int((~done).sum()),
        "runs": 2 * len(points),
        "most": max(len(e) for e in found),
        "fewest": min(len(e) for e in found),
        "most_stable": max(sum(q.stable for q in e) for e in found),
        "fewest_stable": min(sum(q.stable for q in e) for e in found),
        "apart": float(apart.max()),
        "off": float(off.max()),
        "slowest": float(min(slowest)) if slowest else None,
    }


def _points(study: StabilityStudy, group: Group, given: Given, at: Point) -> tuple[Population, np.ndarray]:
    """The typical patient at each combination of strengths and volume, and those volumes."""
    grid = np.array(list(product(*(s.times for s in study.strengths), VOLUMES)))
    crowd = repeated(treated(average(study, group, at), given), len(grid))
    for k, strength in enumerate(study.strengths):
        crowd = scaled(crowd, group, strength.line, grid[:, k])
    return crowd, grid[:, -1]


def _spread(study: StabilityStudy, n: int, states: int) -> np.ndarray:
    """Factors of starts, evenly spread in their logarithm, (start, state)."""
    u = np.stack([uniform((str(study.seed), "stability", "start", str(k)), n) for k in range(states)], axis=1)
    return _AROUND ** (2 * u - 1)


def _run(
    study: StabilityStudy,
    group: Group,
    points: Population,
    expected: np.ndarray,
    columns: np.ndarray,
    factor: float,
) -> np.ndarray:
    """Where the immune states are after a long run of the engine from a multiple of what is expected, the
    volume held.
    """
    tumour = (f"{group.place.growth}.", f"{group.place.lesions}.")
    still = [n for n in points.names if n.startswith(tumour) and n.endswith((".ALPHA", ".KD"))]
    held = points.with_inputs(dict.fromkeys([*still, f"{group.place.site}.KAPPA"], 0.0))
    start = expected.copy()
    start[:, columns] *= factor
    return simulate(study.system, held, None, (_LONG,), start=start, rtol=_RTOL).states[:, 0, columns]
