"""Draws of a fit in the form that ArviZ reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from pkpd.errors import fail
from pkpd.fit.run import FitResult
from pkpd.parameters.parameters import Parameters


def to_arviz(source: FitResult | Parameters) -> Any:
    """The posterior draws of a fit's result as an xarray.DataTree with a group `posterior` of one chain.

    source  what `run_fit` gives, or a calibrated set that was loaded; each free line is a variable, in its
            own unit (of a context CONTEXT:LINE, since a slash is a path there). The draws were weighted by
            their exact likelihood and drawn again, so they are exchangeable and no trace of a chain:
            convergence statistics (R-hat) say nothing of them.
    Kumar et al. 2019, J Open Source Softw 4:1143, doi:10.21105/joss.01143
    """
    try:
        import arviz_base
    except ImportError:
        raise fail("to_arviz", "arviz-base is not installed here", "pip install 'pkpd-crlm[arviz]'") from None
    if isinstance(source, FitResult):
        scores = source.draws.scores
        draws = {
            key: np.asarray(f.from_scale(scores[:, i]))
            for i, f in enumerate(source.fit.free)
            for key in f.keys
        }
    elif isinstance(source, Parameters):
        draws = {key: np.asarray(values) for key, values in source.draws.items()}
    else:
        raise fail(
            "to_arviz",
            f"{type(source).__name__} is no result of a fit",
            "give what run_fit or load_result gives",
        )
    if not draws:
        raise fail(
            "to_arviz", "the set holds no draws", "load the result of a fit: pkpd.load_result(NAME)[0]"
        )
    return arviz_base.from_dict(
        {"posterior": {key.replace("/", ":"): values[None, :] for key, values in draws.items()}}
    )
