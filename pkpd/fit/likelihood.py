"""The log posterior of a fit: one likelihood term a trial, read from arms of patients that are drawn once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pkpd.content.naming import file_of
from pkpd.errors import ContentError
from pkpd.fit.check import arms_read
from pkpd.fit.fit import Fit
from pkpd.fit.free import Point, put_all
from pkpd.fit.own import own_set
from pkpd.fit.terms import Arms, Counts, Joint, term
from pkpd.machine.executor import run_all
from pkpd.parameters.parameters import Parameters
from pkpd.trial.prepare import Prepared, admit
from pkpd.trial.readout import Followed, Readout
from pkpd.trial.run import run_arm
from pkpd.trial.setting import setting, warm


@dataclass(frozen=True)
class Objective:
    """The log posterior of a fit: patients and dates are drawn once (common random numbers).

    ln p(s) = -1/2 sum of ((s - centre) / width)^2 + sum over trials of ln L (`Counts`, `Joint`), up to a
    constant; s are scores on the free scales (`Free`), and beyond five prior sds there is nothing.

    `patients` are those of each term's arms. Each trial has patients of its own, of its own parameter set:
    `own` holds them, term by term, where one is not the fit's.
    """

    fit: Fit
    base: Parameters
    terms: tuple[Counts | Joint, ...]
    patients: tuple[tuple[Prepared, ...], ...]
    own: tuple[Parameters, ...] = ()

    @property
    def centre(self) -> np.ndarray:
        """The prior's centre on the free scales."""
        return np.array([f.to_scale(f.at) for f in self.fit.free])

    @property
    def width(self) -> np.ndarray:
        return np.array([f.sd for f in self.fit.free])

    @property
    def figures(self) -> tuple[str, ...]:
        """The fitted figures, TRIAL/FIGURE:ARM; a trial of the user's own by its file, in whatever folder."""
        return tuple(f"{file_of(t.trial.name)}/{f.key}" for t in self.terms for f in t.figures)

    def arms(self, scores: np.ndarray) -> list[Arms]:
        """Readouts of every arm of each trial at a point."""
        sets = [put_all(self.fit.free, base, scores) for base in self.own or [self.base] * len(self.terms)]
        found = iter(
            run_all(_readout, [(at, p) for at, own in zip(sets, self.patients, strict=True) for p in own])
        )
        return [{p.arm.name: next(found) for p in own} for own in self.patients]

    def expected(self, scores: np.ndarray) -> np.ndarray:
        """The figures expected at a point, trial by trial, on the scales of their terms; none where a value
        is no patient's.
        """
        try:
            found = self.arms(scores)
        except ContentError:  # a value beyond what its line can be; the prior's centre is checked before
            return np.full(len(self.figures), np.nan)
        return np.concatenate([t.read(arms) for t, arms in zip(self.terms, found, strict=True)])

    def settled(self, scores: np.ndarray) -> Objective:
        """The objective with covariances as they are at a point, where patients must be possible."""
        return replace(
            self, terms=tuple(t.settled(a) for t, a in zip(self.terms, self.arms(scores), strict=True))
        )

    @property
    def covariances(self) -> list[np.ndarray]:
        """Each term's covariance; of no figures where it has none."""
        return [t.covariance if isinstance(t, Joint) else np.zeros((0, 0)) for t in self.terms]

    def with_covariances(self, found: list[np.ndarray]) -> Objective:
        """The objective with covariances as they were kept."""
        return replace(
            self,
            terms=tuple(
                replace(t, covariance=c) if isinstance(t, Joint) else t
                for t, c in zip(self.terms, found, strict=True)
            ),
        )

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """Figures on the last axis, apart by trial."""
        return np.split(values, np.cumsum([len(t.figures) for t in self.terms])[:-1], axis=-1)

    def log_prior(self, scores: np.ndarray) -> np.ndarray:
        """-1/2 sum of ((s - centre) / width)^2; minus infinity beyond five prior sds. Points have the free
        quantities on their last axis.
        """
        z = (scores - self.centre) / self.width
        return np.where(np.all(np.abs(z) < 5, axis=-1), -0.5 * np.sum(z * z, axis=-1), -np.inf)

    def log_likelihood(self, values: np.ndarray) -> np.ndarray:
        """The sum of the terms, for figures as `expected` gives them."""
        return np.sum(
            [t.log_likelihood(v) for t, v in zip(self.terms, self.split(values), strict=True)], axis=0
        )

    def __call__(self, scores: np.ndarray) -> float:
        """The log posterior, up to a constant."""
        prior = self.log_prior(scores)
        return float(prior + self.log_likelihood(self.expected(scores))) if np.isfinite(prior) else -np.inf


def _readout(one: tuple[Point, Prepared]) -> Readout | Followed:
    point, prepared = one
    return run_arm(point.of(prepared), point.parameters)


def objective(fit: Fit) -> Objective:
    """The objective of a fit: patients drawn and their drugs solved, of those arms that its figures are read
    from.
    """
    trials = fit.trials
    figures = [fit.figures(t) for t in trials]
    places = [
        setting(t, arm, fit.link) for t, own in zip(trials, figures, strict=True) for arm in arms_read(t, own)
    ]
    warm(places)
    seeds = {t.name: fit.seed + k for k, t in enumerate(trials)}
    sets = {t.name: own_set(t, fit.parameters) for t in trials}
    admitted = [
        admit(place, sets[place.trial.name], fit.patients, seeds[place.trial.name]) for place in places
    ]
    terms = tuple(term(t, own, seeds[t.name], fit.replicates) for t, own in zip(trials, figures, strict=True))
    patients = tuple(tuple(p for p in admitted if p.trial.name == t.name) for t in trials)
    return Objective(fit, fit.parameters, terms, patients, tuple(sets[t.name] for t in trials))
