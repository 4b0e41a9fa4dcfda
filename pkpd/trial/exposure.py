"""The kill rate that each patient's drugs give, solved once and handed to the disease as records."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pkpd.errors import fail
from pkpd.model.compose import load_model
from pkpd.model.schema import Model
from pkpd.parameters import load_parameters
from pkpd.population import draw
from pkpd.regimen import Regimen, load_regimen
from pkpd.schedule import Schedule, lower, settings
from pkpd.simulation import simulate
from pkpd.values import Parameters

_CYCLE = (0.0, 1.0, 2.0, 4.0, 8.0)  # days into a cycle between which the kill rate is held at its mean
_TAIL = (14.0, 28.0, 56.0)  # and days after the last cycle's start


@dataclass(frozen=True)
class Exposure:
    """Mean kill rates of each patient (reference cycles a day) between `edges` (patient, edge), in days."""

    edges: np.ndarray
    rates: np.ndarray

    def schedule(self, disease: Model, until: np.ndarray | None = None) -> Schedule:
        """Records that set the disease's kill rate; for patients with an `until`, it ends there."""
        times = self.edges
        values = np.concatenate([self.rates, np.zeros((len(times), 1))], axis=1)
        if until is not None:
            times = np.where(times >= until[:, None], np.inf, times)
            times = np.concatenate([times, np.where(np.isfinite(until), until, np.inf)[:, None]], axis=1)
            values = np.concatenate([values, np.zeros((len(times), 1))], axis=1)
        return settings(len(times), disease.inputs.index("effect.RATE"), times, values)


@lru_cache(16)
def daily_model(name: str) -> Model:
    """A system that counts days, as a trial does, composed once."""
    model = load_model(name)
    if model.time != "day":
        raise fail(name, f"counts time in {model.time}; a trial counts days", 'compose it into a system with time = "day"')
    return model


@dataclass(frozen=True)
class Drugs:
    """What the names of a treatment stand for: its system, the system's values, the regimen."""

    model: Model
    parameters: Parameters
    regimen: Regimen


def drugs(treatment: str, regimen: str) -> Drugs:
    """A treatment system with its default values, and what is given."""
    model = daily_model(treatment)
    return Drugs(model, load_parameters((), model), load_regimen(regimen))


def kill_rates(given: Drugs, starts: np.ndarray, covariates: dict[str, np.ndarray], key: tuple[str, str, str],
               first: int = 0) -> Exposure:
    """Solves a treatment system for cycles that start at `starts` (patient, cycle; days; inf = not given)."""
    population = draw(given.model, given.parameters, len(starts), *key, first=first, covariates=covariates)
    schedule = lower(given.regimen, given.model, population, starts)
    edges = _edges(starts)
    total = simulate(given.model, population, schedule, edges, rtol=1e-4)["effect.given"]
    span = np.diff(edges, axis=1)
    rates = np.divide(np.diff(total, axis=1), span, out=np.zeros_like(span), where=span > 0)
    return Exposure(edges, rates)


def _edges(starts: np.ndarray) -> np.ndarray:
    """Times between which the kill rate is averaged, in order; cycles not given repeat the last time."""
    given = np.sort(starts, axis=1)
    following = np.concatenate([given[:, 1:], np.full((len(given), 1), np.inf)], axis=1)
    offsets = np.array([*_CYCLE, *_TAIL])
    times = given[:, :, None] + offsets
    times = np.minimum(times, following[:, :, None])
    times = np.where(np.isfinite(given)[:, :, None], times, -np.inf).reshape(len(given), -1)
    return np.maximum(np.maximum.accumulate(times, axis=1), 0.0)
