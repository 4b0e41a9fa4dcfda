"""The likelihood terms of a fit, one a trial: exact counts, or one joint normal of all its figures.

A term reads simulated arms to one number a figure, on a scale where it is near normal, and weighs such
numbers. Numbers have the figures on their last axis; leading axes are points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.special import expit, gammaln, logit, xlog1py, xlogy

from pkpd.errors import fail
from pkpd.trial.figures import MONTH, figure_values, replicates
from pkpd.trial.published import Figure
from pkpd.trial.readout import Followed, Readout
from pkpd.trial.trial import Trial

Arms = Mapping[str, Readout | Followed]
_TRIALS = 150  # simulated trials whose mean figures stand for the expected ones


def scaled(trial: Trial, figures: tuple[Figure, ...], values: np.ndarray) -> np.ndarray:
    """Figures on scales where they are near normal, (figure, ...): ln for hazard ratios and medians (months),
    k / n for counts, landmarks as they are.

    A median that is not reached counts as the longest follow-up.
    """
    rows = []
    for figure, value in zip(figures, values, strict=True):
        if figure.kind == "median":
            value = np.minimum(value, trial.follow_up[1] / MONTH)
        if figure.kind in ("median", "hazard ratio"):
            with np.errstate(divide="ignore"):  # a ratio of 0: no one in the arm had the event
                value = np.log(value)
        rows.append(value / figure.n if figure.kind == "count" else value)
    return np.array(rows)


def term(trial: Trial, figures: tuple[Figure, ...], seed: int, replicates: int) -> Counts | Joint:
    """The term of a trial: exact where its figures are all counts, one an arm or one within the other.

    Arms do not depend on one another.
    """
    outer = _within(figures)
    nested = [j for j in outer if j >= 0]
    apart = len({f.arm for f in figures}) == len(figures) - len(nested) and len(set(nested)) == len(nested)
    if apart and all(f.kind == "count" for f in figures):
        return Counts(trial, figures)
    return Joint(trial, figures, seed, replicates)


def _within(figures: tuple[Figure, ...]) -> tuple[int, ...]:
    """For each figure, the other of its arm among whose patients its own are (-1: none): who responds has
    disease controlled.
    """

    def outer(f: Figure) -> int:
        found = [
            j
            for j, g in enumerate(figures)
            if g.arm == f.arm and g.endpoint == "control" and g.n == f.n and (f.value or 0) <= (g.value or 0)
        ]
        return found[0] if f.endpoint == "response" and len(found) == 1 else -1

    return tuple(outer(f) for f in figures)


def shares(trial: Trial, figures: tuple[Figure, ...], arms: Arms) -> np.ndarray:
    """The expected share of each count from one large simulated arm, k of n patients: (k + 0.5) / (n + 1),
    never 0 or 1.
    """
    n = np.array([np.count_nonzero(~arms[f.arm].failed) for f in figures])
    found = figure_values(trial, arms, figures) / [f.n for f in figures]
    return (found * n + 0.5) / (n + 1)


@dataclass(frozen=True)
class Counts:
    """Independent binomials of a trial's counts; each figure is read as the logit of its expected share.

    ln L = sum of ln C(n, k) + k ln p + (n - k) ln(1 - p) for k of n patients; p = (K + 1/2) / (N + 1) of the
    N simulated ones (`shares`). A count of patients who are among those of another count is a binomial of
    these, with the ratio of the two shares, so that the two are a multinomial. Minus infinity where a figure
    is missing.
    """

    trial: Trial
    figures: tuple[Figure, ...]
    kind = "exact counts"

    @cached_property
    def _counts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each figure: patients who count, patients of whom they are, and the figure that counts those
        (-1: the whole arm).
        """
        outer = np.array(_within(self.figures))
        k = np.array([f.value for f in self.figures], dtype=float)
        return k, np.where(outer >= 0, k[outer], [f.n for f in self.figures]), outer

    def settled(self, arms: Arms) -> Counts:
        return self

    def read(self, arms: Arms) -> np.ndarray:
        return logit(shares(self.trial, self.figures, arms))

    def _log(self, share: np.ndarray) -> np.ndarray:
        """The log likelihood where each count has a share of the patients of whom it is."""
        k, n, _ = self._counts
        chosen = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
        return np.sum(chosen + xlogy(k, share) + xlog1py(n - k, -share), axis=-1)

    def log_likelihood(self, values: np.ndarray) -> np.ndarray:
        known, outer = np.all(np.isfinite(values), axis=-1), self._counts[2]
        share = expit(np.where(known[..., None], values, 0.0))
        n = self._counts[1]
        most = 1 - 0.5 / (
            n + 1
        )  # as of simulated patients: a share of few controlled ones is never all of them
        inner = np.minimum(share / share[..., outer], most)
        return np.where(known, self._log(np.where(outer >= 0, inner, share)), -np.inf)

    def errors(self, values: np.ndarray) -> np.ndarray:
        """Standard errors of the figures at points, on their scale (logit): 1 / sqrt(n p (1 - p))."""
        share = expit(values)
        return 1 / np.sqrt([f.n for f in self.figures] * share * (1 - share))

    def distance(self, values: np.ndarray) -> np.ndarray:
        """The deviance of the published counts: 2 (ln L(k / n) - ln L(p))."""
        k, n, _ = self._counts
        return 2 * (self._log(k / np.maximum(n, 1)) - self.log_likelihood(values))


@dataclass(frozen=True)
class Joint:
    """One normal of all figures of a trial around the expected ones, with the covariance of simulated trials
    of its size.

    ln L = -1/2 ((y - m)' C^-1 (y - m) + ln |C| + d ln 2 pi): y the d published figures on their scales
    (`scaled`), m their means over 150 simulated trials, C their covariance over `replicates` of them at one
    point of the fit, times 1 + n / N for the error of the sample (n patients a published arm, N a simulated
    one). ContentError where figures are missing in most trials, or the same in all.
    """

    trial: Trial
    figures: tuple[Figure, ...]
    seed: int
    replicates: int
    covariance: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    kind = "joint normal"

    @cached_property
    def _observed(self) -> np.ndarray:
        return scaled(self.trial, self.figures, np.array([f.value for f in self.figures], dtype=float))

    @cached_property
    def _weight(self) -> tuple[np.ndarray, float]:
        """The covariance's inverse and its log determinant."""
        return np.linalg.inv(self.covariance), float(np.linalg.slogdet(self.covariance)[1])

    def trials(self, arms: Arms, count: int) -> np.ndarray:
        """Figures of simulated trials of the trial's own size, on their scales (figure, trial)."""
        small = replicates(self.trial, arms, count, self.seed)
        return scaled(self.trial, self.figures, figure_values(self.trial, small, self.figures))

    def read(self, arms: Arms) -> np.ndarray:
        """The figures expected of a trial of this size: a mean, since medians jump from visit to visit."""
        values = self.trials(arms, _TRIALS)
        kept = values[:, np.all(np.isfinite(values), axis=0)]
        return kept.mean(axis=1) if kept.size else np.full(len(values), np.nan)

    def settled(self, arms: Arms) -> Joint:
        """This term with the covariance that figures have in these arms, and the large sample's own error."""
        values = self.trials(arms, self.replicates)
        known = np.all(np.isfinite(values), axis=0)
        if known.mean() < 0.5:
            self._refuse(np.mean(np.isfinite(values), axis=1) < 0.5, "is missing in most simulated trials")
        patients = len(next(iter(arms.values())))
        inflation = 1 + max(f.n for f in self.figures) / len(self.trial.arms) / patients
        found = np.atleast_2d(np.cov(values[:, known])) * inflation
        counts = np.array([f.kind == "count" for f in self.figures])
        still = np.ptp(values[:, known], axis=1) == 0
        if np.any(still & ~counts):
            self._refuse(still & ~counts, "is the same in every simulated trial")
        for i in np.flatnonzero(still):  # none or all of the patients count: as wide as the corrected share
            share = shares(self.trial, (self.figures[i],), arms)[0]
            found[i, i] = share * (1 - share) / self.figures[i].n
        errors = np.sqrt(np.diag(found))
        if np.linalg.matrix_rank(found / np.outer(errors, errors)) < len(found):
            self._refuse(np.ones(len(found), dtype=bool), "say the same in every simulated trial")
        return replace(self, covariance=found)

    def _refuse(self, which: np.ndarray, what: str) -> None:
        keys = [f"{self.trial.name}/{f.key}" for f, bad in zip(self.figures, which, strict=True) if bad]
        raise fail(
            ", ".join(keys),
            f"{what} at a point of the fit, so that it has no covariance",
            "leave it out of the fit (leave_out), or put the priors' centres where the trial could have been",
        )

    def _squared(self, values: np.ndarray) -> np.ndarray:
        gap = self._observed - values
        return np.einsum("...i,ij,...j->...", gap, self._weight[0], gap)

    def log_likelihood(self, values: np.ndarray) -> np.ndarray:
        known = np.all(np.isfinite(values), axis=-1)
        squared = self._squared(np.where(known[..., None], values, 0.0))
        constant = self._weight[1] + len(self.figures) * np.log(2 * np.pi)
        return np.where(known, -0.5 * (squared + constant), -np.inf)

    def errors(self, values: np.ndarray) -> np.ndarray:
        """Standard errors of the figures, on their scales."""
        return np.broadcast_to(np.sqrt(np.diag(self.covariance)), values.shape)

    def distance(self, values: np.ndarray) -> np.ndarray:
        """The squared Mahalanobis distance of the published figures."""
        return self._squared(values)
