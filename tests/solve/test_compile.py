"""Generated kernels: the same rates and Jacobian as the model's own trees, and an LU that solves."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkpd import load_model, store
from pkpd.solve.compile import elimination_order, generate, kernels, symbolic_lu, tolerances
from pkpd.solve.reference import right_hand_side

LIBRARY = ["drugs/fluorouracil", "drugs/oxaliplatin", "systems/folfox_damage_transit", "systems/crlm",
           "systems/crlm_folfox"]


def point(name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random positive point: states, and inputs below one, so that 1 - INPUT is positive too."""
    model, rng = load_model(name), np.random.default_rng(seed)
    return rng.uniform(0.2, 0.8, len(model.states)), rng.uniform(0.2, 0.8, len(model.inputs))


def dense_jacobian(name: str, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Central differences of the plain-Python right-hand side."""
    model, none = load_model(name), np.zeros(len(y))
    columns = []
    for j in range(len(y)):
        step = 1e-6 * np.eye(len(y))[j]
        columns.append((right_hand_side(model, y + step, p, none) - right_hand_side(model, y - step, p, none)) / 2e-6)
    return np.array(columns).T


@pytest.mark.parametrize("name", LIBRARY)
def test_compiled_rates_are_those_of_the_flows(name):
    model = load_model(name)
    y, p = point(name, 1)
    out = np.empty(len(y))
    kernels(model).rates(y, p, np.zeros(len(y)), out)
    assert out == pytest.approx(right_hand_side(model, y, p, np.zeros(len(y))), rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("name", [n for n in LIBRARY if n != "systems/crlm"])
def test_an_infusion_enters_the_dosed_compartment_and_no_other(name):
    model = load_model(name)
    y, p = point(name, 2)
    without, given = np.empty(len(y)), np.empty(len(y))
    kernels(model).rates(y, p, np.zeros(len(y)), without)
    dosed = np.array([c.dose is not None for c in model.compartments])
    kernels(model).rates(y, p, 3.0 * dosed, given)
    assert given - without == pytest.approx(3.0 * dosed, abs=1e-12)


@pytest.mark.parametrize("name", LIBRARY)
def test_factor_and_solve_invert_the_shifted_jacobian(name):
    k = kernels(load_model(name))
    y, p = point(name, 3)
    b = np.random.default_rng(4).uniform(-1, 1, len(y))
    matrix = 40.0 * np.eye(len(y)) - dense_jacobian(name, y, p)
    a, x = np.empty(k.size), b.copy()
    k.factor(y, p, 40.0, a)
    k.solve(a, x)
    assert matrix @ x == pytest.approx(b, abs=1e-5)


def test_the_factors_of_a_sparse_system_stay_sparse():
    model = load_model("systems/crlm_folfox")
    assert kernels(model).size < 0.3 * len(model.states) ** 2


patterns = st.integers(1, 9).flatmap(lambda n: st.tuples(
    st.just(n), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=3 * n)))


@settings(max_examples=40, deadline=None)
@given(patterns, st.integers(0, 2**31))
def test_the_symbolic_lu_factors_any_pattern(shape, seed):
    n, pattern = shape
    order = elimination_order(n, pattern)
    assert sorted(order) == list(range(n))
    slots, steps = symbolic_lu(n, pattern, order)
    assert set(pattern) | {(i, i) for i in range(n)} <= set(slots)
    assert sorted(slots.values()) == list(range(len(slots)))
    matrix = np.zeros((n, n))
    rng = np.random.default_rng(seed)
    for i, j in pattern:
        matrix[i, j] = rng.uniform(-1, 1)
    matrix += np.diag(n + 1 + rng.uniform(0, 1, n))
    a = np.zeros(len(slots))
    for (i, j), slot in slots.items():
        a[slot] = matrix[i, j]
    exec("\n".join(steps), {"a": a})  # straight-line statements on `a`, made two lines above
    lower, upper = np.eye(n), np.zeros((n, n))
    place = {v: k for k, v in enumerate(order)}
    for (i, j), slot in slots.items():
        if place[i] > place[j]:
            lower[place[i], place[j]] = a[slot]
        else:
            upper[place[i], place[j]] = 1.0 / a[slot] if i == j else a[slot]
    assert lower @ upper == pytest.approx(matrix[np.ix_(order, order)], abs=1e-9)


def test_a_tridiagonal_pattern_fills_in_nothing():
    n = 12
    pattern = {(i, j) for i in range(n) for j in range(n) if abs(i - j) <= 1}
    slots, _ = symbolic_lu(n, pattern, elimination_order(n, pattern))
    assert set(slots) == pattern


def test_an_arrow_is_eliminated_from_its_tail():
    n = 8
    pattern = {(0, i) for i in range(n)} | {(i, 0) for i in range(n)}
    order = elimination_order(n, pattern)
    slots, _ = symbolic_lu(n, pattern, order)
    assert set(slots) == pattern | {(i, i) for i in range(n)}


def test_every_process_generates_the_same_kernels():
    code = ("from pkpd import load_model\nfrom pkpd.solve.compile import generate\n"
            "print(generate(load_model('systems/folfox_auc_linear')))")
    runs = [subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, text=True,
                             stdout=subprocess.PIPE) for seed in ("1", "2")]
    texts = [run.communicate()[0].rstrip() for run in runs]
    assert texts[0] == texts[1] == generate(load_model("systems/folfox_auc_linear")).rstrip()


def test_kernels_are_made_once_a_model_and_kept():
    model = load_model("drugs/oxaliplatin")
    assert kernels(model) is kernels(load_model("drugs/oxaliplatin"))
    kept = list((store.cache_folder() / "kernels").glob(f"k{model.hash}_*.py"))
    assert kept and all(f.read_text().startswith('"""Generated from') for f in kept)


def test_generated_text_is_plain_python_that_imports_nothing_but_math_and_numba(tmp_path):
    text = generate(load_model("drugs/leucovorin"))
    assert {line for line in text.splitlines() if "import" in line} == {
        "from math import exp, log, sqrt", "from numba import njit"}
    compile(text, str(tmp_path / "k.py"), "exec")


def test_absolute_tolerances_follow_each_state_s_scale():
    model = load_model("systems/crlm")
    atol = dict(zip(model.states, tolerances(model, 1e-6), strict=True))
    assert atol["occult.1.q"] == pytest.approx(1e-11)
    assert atol["lesion.1.resistant"] == pytest.approx(1e-13)
    assert atol["effect.given"] == pytest.approx(1e-8)
