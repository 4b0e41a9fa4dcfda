"""Shares of a variance by factors that are even between 0 and 1 and independent: Saltelli's design and
Sobol's indices.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def _problem(names: Sequence[str]) -> dict:
    return {"num_vars": len(names), "names": list(names), "bounds": [[0.0, 1.0]] * len(names)}


def design(names: Sequence[str], samples: int, seed: int) -> np.ndarray:
    """Saltelli's design over Sobol's sequence, scrambled: samples · (factors + 2) points (point, factor).

    samples  a power of two
    """
    from SALib.sample import sobol

    return sobol.sample(_problem(names), samples, calc_second_order=False, seed=seed)


def indices(
    names: Sequence[str], values: np.ndarray, resamples: int, seed: int
) -> dict[str, np.ndarray] | None:
    """First-order (S1) and total (ST) indices of values at the design's points; none where the values do not
    vary.

    S1_conf and ST_conf are half of 95 % intervals by bootstrap, of so many resamples.
    """
    from SALib.analyze import sobol

    if np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())):
        return None
    return sobol.analyze(
        _problem(names),
        values,
        calc_second_order=False,
        num_resamples=resamples,
        conf_level=0.95,
        seed=seed + 1,
    )  # it takes 0 for no seed
