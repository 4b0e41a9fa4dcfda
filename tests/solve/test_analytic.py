"""The closed forms by what they must fulfil: their differential equations, their limits, the sum of their
parts.
"""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from pkpd.solve.analytic import Response, one_compartment, three_compartments, two_compartments

TIMES = np.array([0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 9.0, 20.0])
K10, K12, K21, K13, K31 = 0.4, 0.7, 0.15, 0.09, 0.02
FORMS = {
    1: one_compartment(K10),
    2: two_compartments(K10, K12, K21),
    3: three_compartments(K10, K12, K21, K13, K31),
}


def flows(n: int) -> np.ndarray:
    """The matrix of n compartments."""
    a = np.array([[-K10 - K12 - K13, K21, K31], [K12, -K21, 0], [K13, 0, -K31]])
    a[0, 0] += (K13 if n < 3 else 0) + (K12 if n < 2 else 0)
    return a[:n, :n]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_bolus_fulfils_its_differential_equation(n):
    a = flows(n)
    solved = solve_ivp(
        lambda _, y: a @ y, (0, 20), np.eye(n)[0] * 80, t_eval=TIMES, rtol=1e-12, atol=1e-13, method="DOP853"
    )
    assert FORMS[n].bolus(TIMES, 80) == pytest.approx(solved.y[0], rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_an_infusion_fulfils_its_differential_equation(n):
    a = flows(n)

    def rate(_, y):
        return a @ y + np.eye(n)[0] * 15

    during = solve_ivp(rate, (0, 2), np.zeros(n), rtol=1e-12, atol=1e-13, method="DOP853").y[:, -1]
    after = solve_ivp(lambda _, y: a @ y, (2, 9), during, rtol=1e-12, atol=1e-13, method="DOP853").y[0, -1]
    assert FORMS[n].infusion(np.array([2.0, 9.0]), 15, 2.0) == pytest.approx([during[0], after], rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_eigenvalues_of_the_flows_are_the_exponents(n):
    assert sorted(FORMS[n].exponents) == pytest.approx(sorted(-np.linalg.eigvals(flows(n)).real), rel=1e-12)


def test_absorption_of_one_compartment_is_the_bateman_function():
    k, ka = 0.4, 1.5
    expected = 50 * ka / (ka - k) * (np.exp(-k * TIMES) - np.exp(-ka * TIMES))
    assert FORMS[1].absorbed(ka).bolus(TIMES, 50) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_short_infusion_is_a_bolus_and_nothing_precedes_a_dose(n):
    late = TIMES[1:]
    assert FORMS[n].infusion(late, 80 / 1e-7, 1e-7) == pytest.approx(FORMS[n].bolus(late, 80), rel=1e-6)
    assert FORMS[n].bolus(-late, 80) == pytest.approx(0) and FORMS[n].infusion(
        -late, 15, 2.0
    ) == pytest.approx(0)


@pytest.mark.parametrize("form", [FORMS[1], FORMS[2], FORMS[1].absorbed(1.5)], ids=["one", "two", "oral"])
def test_a_steady_state_is_the_sum_of_very_many_doses(form: Response):
    phase, many = np.array([0.0, 1.0, 3.5, 6.0]), np.arange(4000)[:, None] * 6.0
    assert form.steady_bolus(phase, 30, 6.0) == pytest.approx(
        form.bolus(phase + many, 30).sum(axis=0), rel=1e-10
    )
    for duration in (2.0, 6.0, 15.0):
        expected = form.infusion(phase + many, 5, duration).sum(axis=0)
        assert form.steady_infusion(phase, 5, duration, 6.0) == pytest.approx(expected, rel=1e-10)


def test_an_infusion_that_never_ends_comes_to_its_steady_rate():
    for form in FORMS.values():
        assert form.infusion(np.array(1e5), 7, 1e6) == pytest.approx(form.steady_rate(7), rel=1e-12)
