"""Survival statistics of simulated trials, vectorised over replicate trials.

Times are in days. ``time`` and ``event`` have shape (n,) for one trial or (replicates, n)
for many; ``event`` is True for an observed event and False for a censoring. At a tied time,
events come before censorings. Past the last follow-up the Kaplan-Meier estimate is held constant.
"""

import math
from collections import namedtuple
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

_ROUNDING = 1e-9  # of a survival: closer, it is one half
# Counts at each subject's time, subjects sorted by time: those at risk in each arm, the events
# tied there (both arms, treated), an event's rank in its tie; observed: the trial's treated events.
_RiskSets = namedtuple("_RiskSets", "event treated control tied tied_treated rank observed")


@dataclass(frozen=True)
class Estimate:
    """A point estimate with the two ends of its confidence interval."""

    value: float
    low: float
    high: float


def kaplan_meier(time, event, at):
    """Return the right-continuous Kaplan-Meier survival at the times ``at``.

    S(t) = product over event times t_i <= t of (1 - d_i / n_i): d_i events at t_i, n_i at risk just before.
    ``at`` is (k,), days; the result is (k,) or (replicates, k). ValueError for times that are negative or not
    finite, flags that are not 0 and 1, shapes that do not match.
    Kaplan & Meier, J Am Stat Assoc 53:457 (1958), doi:10.1080/01621459.1958.10501452.
    """
    at = np.asarray(at, dtype=float)
    if at.ndim != 1 or np.isnan(at).any():
        raise ValueError(f"at must be a 1-d array of times without nan, got {at}")
    times, survival = _steps(*_checked(time, event))
    index = np.empty((*times.shape[:-1], at.size), dtype=int)
    for row in np.ndindex(times.shape[:-1]):
        index[row] = np.searchsorted(times[row], at, side="right")
    return np.take_along_axis(survival, index, axis=-1)


def landmark(time, event, at, level=0.95):
    """Return one trial's survival at the time ``at`` (days) with its log-log Greenwood interval.

    S(t)^exp(-+ z sqrt(V) / ln S(t)), V = sum over t_i <= t of d_i / (n_i (n_i - d_i)) (Greenwood's variance
    of ln S), z the normal quantile at (1 + level) / 2. The interval is (1, 1) before the first event and nan
    once survival is zero, as in R survfit. ValueError as in ``kaplan_meier``, and for a level not between 0
    and 1. Kalbfleisch & Prentice, The Statistical Analysis of Failure Time Data (2002), section 1.4.
    """
    if np.ndim(at) != 0 or not at >= 0:
        raise ValueError(f"at must be one non-negative time in days, got {at}")
    times, survival, variance = _greenwood(time, event)
    index = np.searchsorted(times, at, side="right") - 1
    return Estimate(*(float(x[index]) for x in _log_log_band(survival, variance, level)))


def median(time, event):
    """Return the median survival time, inf where survival never comes down to one half.

    The first time t with S(t) < 1/2; where S is exactly one half for a while, the middle of that while, as in
    R's survfit and SAS's LIFETEST, and its beginning if nothing follows. The median of uncensored times is
    thus their ordinary median. Days, a float for one trial or (replicates,). ValueError as in
    ``kaplan_meier``.
    """
    times, survival = _steps(*_checked(time, event))
    return _at_half(times, survival[..., 1:])


def median_interval(time, event, level=0.95):
    """Return one trial's median with its Brookmeyer-Crowley interval on the log-log scale.

    Each end is the ``median`` of one end of the pointwise band of ``landmark`` in place of S. Days; an end is
    inf where the band does not come down to one half. ValueError as in ``landmark``.
    Brookmeyer & Crowley, Biometrics 38:29 (1982), doi:10.2307/2530286.
    """
    times, survival, variance = _greenwood(time, event)
    return Estimate(*(float(_at_half(times, x)) for x in _log_log_band(survival, variance, level)))


def curve(time, event):
    """Return one trial's Kaplan-Meier steps as (times in days, survival), starting at (0, 1)."""
    return _greenwood(time, event)[:2]


def rmst(time, event, until):
    """Return the restricted mean survival time, the integral of S(t) from 0 to ``until``.

    Days; the result is a float for one trial or (replicates,). Past the last follow-up S is held, so that the
    area is not cut there. ValueError as in ``kaplan_meier``, and for an ``until`` that is not positive.
    """
    if np.ndim(until) != 0 or not 0 < until < np.inf:
        raise ValueError(f"until must be one positive, finite time in days, got {until}")
    times, survival = _steps(*_checked(time, event))
    widths = np.diff(np.minimum(times, until), axis=-1, prepend=0.0, append=until)
    return (survival * widths).sum(axis=-1)


def log_hazard_ratio(time, event, treated):
    """Return (log hazard ratio of treated to control, standard error) from a Cox model.

    h(t | x) = h0(t) exp(b x), x = 1 for treated. b solves O = sum over events of p, with O the treated events
    and p = a e^b / (a e^b + c); of the j-th of d tied events (j from 0), a = n1 - d1 j / d and
    c = n0 - (d - d1) j / d (Efron's ties; n1, n0 at risk, d1 treated among d). Error 1 / sqrt(sum p (1 - p)).
    ``treated`` is bool, of time's shape or (n,); both results are floats or (replicates,).
    Where the likelihood has no maximum, as when one arm has no events, the log hazard ratio is
    -inf or inf and its error nan; where it is flat (no events, an empty arm) both are nan.
    ValueError as in ``kaplan_meier``; ArithmeticError where the score equation does not converge.
    Cox, J R Stat Soc B 34:187 (1972), doi:10.1111/j.2517-6161.1972.tb00899.x; Efron, J Am Stat Assoc 72:557
    (1977), doi:10.1080/01621459.1977.10480613.
    """
    risk = _risk_sets(*_checked(time, event), treated)
    # The score falls from observed - fewest to observed - most as the log hazard ratio rises.
    fewest = (risk.event & (risk.control == 0)).sum(axis=-1)
    most = (risk.event & (risk.treated > 0)).sum(axis=-1)
    solvable = (fewest < risk.observed) & (risk.observed < most)
    used = risk.event & solvable[..., None]
    done = risk.rank / np.maximum(risk.tied, 1)
    treated_left = np.where(used, risk.treated - done * risk.tied_treated, 0)
    control_left = np.where(used, risk.control - done * (risk.tied - risk.tied_treated), 1)
    log_hr, information = _newton(np.where(solvable, risk.observed, 0), treated_left, control_left)
    log_hr = np.select([solvable, fewest == most, risk.observed == fewest], [log_hr, np.nan, -np.inf], np.inf)
    return log_hr[()], (1 / np.sqrt(np.where(solvable, information, np.nan)))[()]


def log_rank_p(time, event, treated):
    """Return the two-sided p-value of one trial's log-rank test.

    p = erfc(|O - E| / sqrt(2 V)) over event times, with d events of n = n1 + n0 at risk: O treated events,
    E = sum d n1 / n, V = sum d n1 n0 (n - d) / (n^2 (n - 1)). Nan where the arms cannot be compared (no event
    while both are at risk). ValueError as in ``kaplan_meier``. Mantel, Cancer Chemother Rep 50:163 (1966).
    """
    risk = _risk_sets(*_checked(time, event, single=True), treated)
    at_risk = risk.treated + risk.control
    expected = (risk.event * risk.treated / at_risk).sum()
    tie_factor = (at_risk - risk.tied) / np.maximum(at_risk - 1, 1)
    variance = (risk.event * risk.treated * risk.control / at_risk**2 * tie_factor).sum()
    if variance == 0:
        return math.nan
    return math.erfc(abs(risk.observed - expected) / math.sqrt(2 * variance))


def _checked(time, event, single=False):
    time = np.asarray(time, dtype=float)
    event = _flags("event", event)
    if time.ndim not in ((1,) if single else (1, 2)) or time.shape[-1] == 0:
        wanted = "(n,)" if single else "(n,) or (replicates, n)"
        raise ValueError(f"time must have shape {wanted} with n > 0, got {time.shape}")
    if event.shape != time.shape:
        raise ValueError(f"event has shape {event.shape} but time has shape {time.shape}")
    if not (np.isfinite(time) & (time >= 0)).all():
        raise ValueError("time must be finite and non-negative; censor at the end of follow-up")
    return time, event


def _flags(name, values):
    values = np.asarray(values)
    if values.dtype != bool and not np.isin(values, (0, 1)).all():
        raise ValueError(f"{name} must hold only True and False (or 1 and 0)")
    return values.astype(bool)


def _steps(time, event):
    """Return the sorted times (..., n) and the survival before the first and after each."""
    order = np.lexsort((~event, time), axis=-1)
    event = np.take_along_axis(event, order, axis=-1)
    # One factor per subject: within a tie they telescope to the Kaplan-Meier factor (r - d) / r.
    factors = 1 - event / np.arange(time.shape[-1], 0, -1)
    survival = np.ones((*time.shape[:-1], time.shape[-1] + 1))
    np.cumprod(factors, axis=-1, out=survival[..., 1:])
    return np.take_along_axis(time, order, axis=-1), survival


def _greenwood(time, event):
    """Return one trial's distinct times, survival and Greenwood variance of log S, from time 0."""
    time, event = _checked(time, event, single=True)
    times, survival = _steps(time, event)
    at_risk = np.arange(times.size, 0, -1)
    variance = np.cumsum((np.diff(survival) < 0) / np.maximum(at_risk * (at_risk - 1), 1))
    last = np.append(times[1:] != times[:-1], True)
    return np.append(0.0, times[last]), survival[np.append(True, last)], np.append(0.0, variance[last])


def _log_log_band(survival, variance, level):
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    inside = (survival > 0) & (survival < 1)
    log_survival = np.log(np.where(inside, survival, 0.5))
    spread = ndtri((1 + level) / 2) * np.sqrt(variance) / log_survival
    ends = np.where(survival == 1, 1.0, np.nan)
    bounds = (np.exp(log_survival * np.exp(x)) for x in (-spread, spread))
    return survival, *(np.where(inside, x, ends) for x in bounds)


def _at_half(times, survival):
    """The first time at one half or below, or the middle of the times from there to the first below."""
    # A running product that should equal one half can round to either side of it.
    first = np.where(survival <= 0.5 + _ROUNDING, times, np.inf).min(axis=-1)
    below = np.where(survival <= 0.5 - _ROUNDING, times, np.inf).min(axis=-1)
    return np.where(np.isfinite(below), (first + np.where(np.isfinite(below), below, 0.0)) / 2, first)[()]


def _risk_sets(time, event, treated):
    treated = _flags("treated", treated)
    if treated.shape not in (time.shape, time.shape[-1:]):
        raise ValueError(f"treated has shape {treated.shape} but time has shape {time.shape}")
    order = np.lexsort((~event, time), axis=-1)
    columns = (time, event, np.broadcast_to(treated, time.shape))
    time, event, arm = (np.take_along_axis(x, order, axis=-1) for x in columns)
    first = np.diff(time, axis=-1, prepend=-1.0) != 0
    tie = np.cumsum(first).reshape(time.shape) - 1
    start = np.flatnonzero(first)[tie]
    treated, control = (np.cumsum(x[..., ::-1], axis=-1)[..., ::-1].ravel()[start] for x in (arm, ~arm))
    tied, tied_treated = (np.bincount(tie.ravel(), x.ravel())[tie] for x in (event, event & arm))
    rank = np.arange(time.size).reshape(time.shape) - start
    observed = (event & arm).sum(axis=-1)
    return _RiskSets(event, treated, control, tied, tied_treated, rank=rank, observed=observed)


def _newton(observed, treated_left, control_left):
    """Return the root of the Efron score and the information there, by Newton within a bracket."""
    value = np.zeros(observed.shape)
    low, high = value - 30.0, value + 30.0
    for _ in range(100):
        share = treated_left * np.exp(value)[..., None]
        share = share / (share + control_left)
        score = observed - share.sum(axis=-1)
        information = (share * (1 - share)).sum(axis=-1)
        step = score / np.maximum(information, 1e-30)
        if (np.abs(step) < 1e-8).all():
            return value, information
        low, high = np.where(score > 0, value, low), np.where(score > 0, high, value)
        # A full Newton step can overshoot where the information is small: bisect instead.
        inside = (low <= value + step) & (value + step <= high)
        value = np.where(inside, value + step, (low + high) / 2)
    raise ArithmeticError("the Cox score equation did not converge")
