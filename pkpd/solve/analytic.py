"""Closed forms of linear drugs as sums of exponentials: one to three compartments, absorption, steady state.

Each is the amount in the central compartment at times after the dose, zero before it; doses add.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Response:
    """The amount in the central compartment after a unit of drug at once: weights @ exp(-exponents * t)."""

    weights: tuple[float, ...]
    exponents: tuple[float, ...]

    def _sum(self, t: np.ndarray, factor) -> np.ndarray:
        return sum(
            (w * factor(x, t) for w, x in zip(self.weights, self.exponents, strict=True)),
            np.zeros(np.shape(t)),
        )

    def bolus(self, t: np.ndarray, amount: float) -> np.ndarray:
        """After an amount at time 0."""
        late = np.maximum(t, 0.0)
        return np.where(np.asarray(t) >= 0, amount * self._sum(late, lambda x, s: np.exp(-x * s)), 0.0)

    def infusion(self, t: np.ndarray, rate: float, duration: float) -> np.ndarray:
        """During and after an infusion from time 0."""
        run, after = np.clip(t, 0.0, duration), np.maximum(np.asarray(t) - duration, 0.0)
        return rate * self._sum(np.asarray(t), lambda x, _: -np.expm1(-x * run) / x * np.exp(-x * after))

    def steady_bolus(self, t: np.ndarray, amount: float, interval: float) -> np.ndarray:
        """At times 0 to the interval after the last of endless boluses."""
        return amount * self._sum(np.asarray(t), lambda x, s: np.exp(-x * s) / -np.expm1(-x * interval))

    def steady_infusion(self, t: np.ndarray, rate: float, duration: float, interval: float) -> np.ndarray:
        """At times 0 to the interval after the start of the last of endless infusions, however long each
        lasts.
        """
        running = (
            int(duration / interval) + 1
        )  # infusions that may still run, one by one; those long over, as a series
        recent = sum(
            (self.infusion(np.asarray(t) + k * interval, rate, duration) for k in range(running)),
            np.zeros(np.shape(t)),
        )
        first = np.asarray(t) + running * interval - duration
        over = self._sum(
            first, lambda x, s: -np.expm1(-x * duration) / x * np.exp(-x * s) / -np.expm1(-x * interval)
        )
        return recent + rate * over

    def steady_rate(self, rate: float) -> float:
        """Under an infusion without end."""
        return rate * sum(w / x for w, x in zip(self.weights, self.exponents, strict=True))

    def absorbed(self, ka: float) -> Response:
        """The same with the drug put into a depot that empties at the rate constant ka, other than the
        exponents.
        """
        weights = tuple(w * ka / (ka - x) for w, x in zip(self.weights, self.exponents, strict=True))
        return Response((*weights, -sum(weights)), (*self.exponents, ka))


def one_compartment(k: float) -> Response:
    """Elimination at the rate constant k."""
    return Response((1.0,), (k,))


def two_compartments(k10: float, k12: float, k21: float) -> Response:
    """Elimination k10; k12 to the tissue and k21 back."""
    total, product = k10 + k12 + k21, k10 * k21
    fast = (total + np.sqrt(total**2 - 4 * product)) / 2
    return _from_roots((fast, product / fast), (k21,))


def three_compartments(k10: float, k12: float, k21: float, k13: float, k31: float) -> Response:
    """Elimination k10; two tissues, k12 and k13 to them, k21 and k31 back. The cubic is solved by cosines."""
    b = k10 + k12 + k13 + k21 + k31
    c = k10 * (k21 + k31) + k12 * k31 + k13 * k21 + k21 * k31
    d = k10 * k21 * k31
    p, q = c - b**2 / 3, b * c / 3 - 2 * b**3 / 27 - d  # of s^3 + p s + q = 0 with s = x - b/3
    turn = np.arccos(np.clip(-q / 2 * np.sqrt(-27 / p**3), -1, 1))
    roots = tuple(float(b / 3 + 2 * np.sqrt(-p / 3) * np.cos((turn + 2 * np.pi * k) / 3)) for k in range(3))
    return _from_roots(roots, (k21, k31))


def _from_roots(roots: tuple[float, ...], tissues: tuple[float, ...]) -> Response:
    """The weight of each exponent, from what the tissues give back."""
    weights = (
        np.prod([k - x for k in tissues]) / np.prod([y - x for j, y in enumerate(roots) if j != i])
        for i, x in enumerate(roots)
    )
    return Response(tuple(map(float, weights)), tuple(map(float, roots)))
