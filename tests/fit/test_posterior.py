"""The posterior's weights against a case in closed form, and mixtures whose shares a fit moves."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.special import ndtri

from pkpd import load_parameters
from pkpd.fit.free import put
from pkpd.fit.posterior import _weighted, best_point
from pkpd.parameters.spread import Spread
from pkpd.trial.disease import daily_model

MEAN, SD = 0.6, 0.7  # of the exact posterior; the emulated one is a standard normal
COUNT = 4000


@dataclass(frozen=True)
class Term:
    """One figure, read as it is."""

    def errors(self, values):
        return np.full(values.shape, 2.0)


@dataclass(frozen=True)
class Normal:
    """One free number with a flat prior, which is its own figure: its posterior is normal around MEAN."""

    terms = (Term(),)

    def log_likelihood(self, values):
        known = np.isfinite(values[:, 0])
        gap = (np.where(known, values[:, 0], 0.0) - MEAN) / SD
        return np.where(known, -0.5 * gap**2, -np.inf)

    def log_prior(self, points):
        return np.zeros(len(points))

    def split(self, values):
        return [values]


def drawn(guess):
    """Weighted draws, where the chain drew from a standard normal at evenly spaced probabilities."""
    points = ndtri((np.arange(COUNT) + 0.5) / COUNT)[:, None]
    state = {"points": points, "values": points, "acceptance": 0.4}
    return _weighted(Normal(), guess, state, slice(0, len(points)))


def shifted(points):
    """An emulator under which the posterior is a standard normal."""
    return MEAN + SD * points


def test_draws_are_of_the_exact_posterior_where_the_emulator_is_off():
    """Weights are exact over emulated; all equal, the mean would be 0 and the sd 1."""
    found = drawn(shifted).scores[:, 0]
    assert found.mean() == pytest.approx(MEAN, abs=0.01) and found.std() == pytest.approx(SD, abs=0.01)
    assert np.quantile(found, [0.025, 0.975]) == pytest.approx(MEAN + SD * ndtri([0.025, 0.975]), abs=0.05)


def test_the_effective_number_of_draws_is_that_of_two_normals():
    """1 / mean(w²), w the ratio of N(m, s²) to N(0, 1): s sqrt(2 - s²) exp(-m² / (2 - s²)) of them."""
    wanted = SD * np.sqrt(2 - SD**2) * np.exp(-(MEAN**2) / (2 - SD**2))
    found = drawn(shifted)
    assert found.exact == COUNT and found.effective / COUNT == pytest.approx(wanted, rel=0.01)


def test_a_perfect_emulator_leaves_every_draw_as_it_is():
    found = drawn(lambda points: points)
    assert found.effective == pytest.approx(COUNT) and found.error == 0
    assert len(np.unique(found.scores)) == COUNT


def test_the_error_of_the_emulator_is_in_standard_errors_of_the_figures():
    assert drawn(lambda points: points + 3.0).error == pytest.approx(3 / 2)


def test_a_point_that_is_no_patient_s_has_no_weight():
    values = np.array([[-1.0], [0.5], [1.0], [np.nan]])
    state = {"points": np.arange(4.0)[:, None], "values": values, "acceptance": 0.4}
    found = _weighted(Normal(), lambda x: np.zeros((4, 1)), state, slice(0, 4))
    assert 3.0 not in found.scores and found.effective < 3


def test_the_best_point_is_the_highest_of_all_that_were_evaluated():
    state = {
        "points": np.array([[0.0], [1.0], [2.0]]),
        "values": np.array([[3.0], [0.5], [-2.0]]),
        "best": np.array([9.0]),
        "best_value": -1.0,
    }
    at, value = best_point(Normal(), state)
    assert at == 1.0 and value == pytest.approx(-0.5 * ((0.5 - MEAN) / SD) ** 2)
    at, value = best_point(Normal(), {**state, "best_value": 0.0})
    assert at == 9.0 and value == 0.0


# --- mixtures ------------------------------------------------------------


FACTORS = (0.1, 1.0, 5.0)


def wanted(share):
    """Two parts to three of what the last leaves."""
    return [0.4 * (1 - share), 0.6 * (1 - share), share]


def with_mixture():
    own = load_parameters("crlm_resectable", daily_model("systems/crlm"))
    spread = Spread("lognormal", 0.6, weights=(0.2, 0.3, 0.5), factors=FACTORS)
    return own.with_value("occult.SENS", replace(own["occult.SENS"], spread=spread))


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_freed_share_of_a_mixture_leaves_the_others_in_proportion(share):
    own = put(with_mixture(), "occult.SENS", "mixture", share)
    weights = own["occult.SENS"].spread.weights
    assert weights == pytest.approx(wanted(share)) and sum(weights) == pytest.approx(1)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_so_many_patients_are_of_the_last_kind_as_the_freed_share_says(share):
    spread = put(with_mixture(), "occult.SENS", "mixture", share)["occult.SENS"].spread
    found = spread.component((np.arange(10_000) + 0.5) / 10_000)
    assert [np.mean(found == f) for f in FACTORS] == pytest.approx(wanted(share))


def test_a_freed_value_or_sd_leaves_the_rest_of_the_line_as_it_was():
    own = with_mixture()
    line = own["occult.SENS"]
    narrow = replace(line, spread=replace(line.spread, sd=0.2))
    assert put(own, "occult.SENS", "value", 0.8)["occult.SENS"] == replace(line, value=0.8)
    assert put(own, "occult.SENS", "sd", 0.2)["occult.SENS"] == narrow
