"""One joint term a trial: its figures, their covariance from simulated trials of the trial's size."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pkpd.fit.free import Fit, put_all
from pkpd.trial.figures import MONTH, figure_values, replicates
from pkpd.trial.protocol import Trial
from pkpd.trial.published import Figure
from pkpd.trial.run import Prepared, prepare, run_arm
from pkpd.values import Parameters

_TRIALS = 150  # simulated trials whose mean figures stand for the expected ones


def scaled(trial: Trial, figures: tuple[Figure, ...], values: np.ndarray) -> np.ndarray:
    """Figures on scales where they are near normal: log for ratios and medians, shares for counts and landmarks.

    A median that is not reached counts as the longest follow-up.
    """
    rows = []
    for figure, value in zip(figures, values, strict=True):
        if figure.kind == "median":
            value = np.minimum(value, trial.follow_up[1] / MONTH)
        rows.append(np.log(value) if figure.kind in ("median", "hazard ratio") else
                    value / figure.n if figure.kind == "count" else value)
    return np.array(rows)


@dataclass
class Objective:
    """The log posterior of a fit: patients and dates are drawn once (common random numbers)."""

    fit: Fit
    trial: Trial
    base: Parameters
    figures: tuple[Figure, ...]
    prepared: tuple[Prepared, ...]
    covariance: np.ndarray = field(default_factory=lambda: np.eye(0))

    @property
    def observed(self) -> np.ndarray:
        return scaled(self.trial, self.figures, np.array([f.value for f in self.figures], dtype=float))

    @property
    def centre(self) -> np.ndarray:
        """The prior's centre on the free scales."""
        return np.array([f.to_scale(f.at) for f in self.fit.free])

    @property
    def width(self) -> np.ndarray:
        return np.array([f.sd for f in self.fit.free])

    def arms(self, scores: np.ndarray):
        """Readouts of every arm at a point."""
        parameters = put_all(self.fit.free, self.base, scores)
        return {p.arm.name: run_arm(p, parameters) for p in self.prepared}

    def trials(self, scores: np.ndarray, count: int) -> np.ndarray:
        """Figures of simulated trials of the trial's own size at a point, on their scales (figure, trial)."""
        small = replicates(self.trial, self.arms(scores), count, self.fit.seed)
        values = scaled(self.trial, self.figures, figure_values(self.trial, small, self.figures))
        return values[:, np.all(np.isfinite(values), axis=0)]

    def expected(self, scores: np.ndarray) -> np.ndarray:
        """The figures expected of a trial of this size at a point: a mean, since medians jump from visit to visit."""
        return self.trials(scores, _TRIALS).mean(axis=1)

    def estimate_covariance(self, scores: np.ndarray) -> np.ndarray:
        """Covariance of the figures over simulated trials at a point, with the large sample's own error."""
        kept = self.trials(scores, self.fit.replicates)
        inflation = 1 + max(f.n for f in self.figures) / len(self.trial.arms) / self.fit.patients
        return np.cov(kept) * inflation

    def log_prior(self, scores: np.ndarray) -> float:
        z = (scores - self.centre) / self.width
        return float(-0.5 * z @ z) if np.all(np.abs(z) < 5) else -np.inf

    def log_likelihood(self, expected: np.ndarray) -> float:
        """The joint normal term of the published figures around the expected ones."""
        gap = self.observed - expected
        if not np.all(np.isfinite(gap)):
            return -np.inf
        _, logdet = np.linalg.slogdet(self.covariance)
        return float(-0.5 * (gap @ np.linalg.solve(self.covariance, gap) + logdet + len(gap) * np.log(2 * np.pi)))

    def __call__(self, scores: np.ndarray) -> float:
        """The log posterior, up to a constant."""
        prior = self.log_prior(scores)
        return prior + self.log_likelihood(self.expected(scores)) if np.isfinite(prior) else -np.inf


def objective(fit: Fit, trial: Trial, base: Parameters) -> Objective:
    """The objective of a fit, its patients drawn and their drugs solved."""
    figures = tuple(f for f in trial.figures if f.use == "fit" and f.key not in fit.leave_out)
    prepared = tuple(prepare(trial, a, base, fit.patients, fit.link, fit.seed) for a in trial.arms)
    return Objective(fit, trial, base, figures, prepared)
