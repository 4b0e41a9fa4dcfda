"""Generated kernels: the same rates and Jacobian as the model's own trees, an LU that solves, one text
everywhere, a cache.
"""

import hashlib
import os
import pickle
import subprocess
import sys
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from pkpd import load_model, parse_model
from pkpd.content import library
from pkpd.errors import ContentError
from pkpd.model.model import Model
from pkpd.solve import compile as compiler
from pkpd.solve import vector
from pkpd.solve.assemble import generate
from pkpd.solve.compile import kernels
from pkpd.solve.rates import right_hand_side
from tests.solve.machine import ModelMachine, rows

FACTORED = ["drugs/fluorouracil", "drugs/oxaliplatin", "systems/folfox_damage_transit", "systems/crlm_folfox"]


def alone() -> dict[str, Model]:
    """Every library model that can be composed by itself."""
    found = {}
    for name in library.names("model"):
        try:
            found[name] = load_model(name)
        except ContentError:
            continue
    return found


LIBRARY = alone()
DOSED = [n for n, m in LIBRARY.items() if any(c.dose is not None for c in m.compartments)]


@lru_cache
def machine(name: str, inner: bool = False) -> ModelMachine:
    return ModelMachine(LIBRARY[name], inner)


def point(name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random positive point a lane: states, and inputs below one, so that 1 - INPUT is positive too."""
    model, rng = LIBRARY[name], np.random.default_rng(seed)
    return (
        rows(*rng.uniform(0.2, 0.8, (len(model.states), 8))),
        rows(*rng.uniform(0.2, 0.8, (len(model.inputs), 8)), count=0 if model.inputs else 1),
    )


def dense_jacobian(name: str, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Central differences of the plain-Python right-hand side."""
    model, none = LIBRARY[name], np.zeros(len(y))
    columns = []
    for j in range(len(y)):
        step = 1e-6 * np.eye(len(y))[j]
        columns.append(
            (right_hand_side(model, y + step, p, none) - right_hand_side(model, y - step, p, none)) / 2e-6
        )
    return np.array(columns).T


# --- the same equations -----------------------------------------------


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_compiled_rates_are_those_of_the_flows(name):
    model = LIBRARY[name]
    y, p = point(name, 1)
    out = machine(name).rates(y, p)
    for lane in range(8):
        expected = right_hand_side(model, y[:, lane], p[: len(model.inputs), lane], np.zeros(len(y)))
        size = np.abs(expected).max()
        assert out[:, lane] == pytest.approx(expected, rel=1e-12, abs=1e-14 * size)


@pytest.mark.parametrize("name", sorted(DOSED))
def test_an_infusion_enters_the_dosed_compartment_and_no_other(name):
    y, p = point(name, 2)
    dosed = np.array([c.dose is not None for c in LIBRARY[name].compartments])
    everywhere = rows(*np.full(len(y), 3.0))
    assert machine(name).rates(y, p, everywhere) - machine(name).rates(y, p) == pytest.approx(
        np.repeat(3.0 * dosed[:, None], 8, 1), abs=1e-12
    )


@pytest.mark.parametrize("name", FACTORED)
def test_factor_and_solve_invert_the_shifted_jacobian(name):
    """Shifted by 40: by a step of 0.1 (gamma is a quarter)."""
    y, p = point(name, 3)
    b = np.random.default_rng(4).uniform(-1, 1, y.shape)
    x = machine(name, True).solved(y, p, rows(np.full(8, 40.0)), b)
    for lane in range(8):
        matrix = 40.0 * np.eye(len(y)) - dense_jacobian(name, y[:, lane], p[:, lane])
        assert matrix @ x[:, lane] == pytest.approx(b[:, lane], abs=1e-6)


# --- too large --------------------------------------------------------


def joined(n: int, rate: str) -> Model:
    """n states, each with a rate of its own; `total` is their sum."""
    states = "\n".join(f'x{i} = {{ unit = "1", start = 1 }}' for i in range(n))
    flows = "\n".join(f'f{i} = {{ from = "x{i}", rate = "{rate.format(i)}" }}' for i in range(n))
    sums = {f"part{k}": [f"x{i}" for i in range(k, min(k + 50, n))] for k in range(0, n, 50)}
    sums["total"] = list(sums)
    total = "\n".join(
        f'{name} = {{ unit = "1", is = "{" + ".join(terms)}" }}' for name, terms in sums.items()
    )
    return parse_model(
        f"""[model]
title = "Joined"
time = "hour"
[parameters]
K = {{ unit = "1/hour" }}
[compartments]
{states}
[variables]
{total}
[flows]
{flows}
""",
        "joined",
    )


def test_a_model_too_large_to_compile_is_told_so_before():
    began = time.perf_counter()
    with pytest.raises(ContentError) as caught:
        kernels(joined(200, "K * x{} * total"))
    assert time.perf_counter() - began < 20
    assert str(caught.value) == (
        "joined: is too large to compile: 200 states, 40,000 of whose derivatives by each other are not 0, "
        "take more than "
        "200,000 operations a step, and to compile a second for every 3,000\n    remedy: let fewer states "
        "depend on each other "
        "(a sum of all in each rate joins all), or follow fewer parameters at once; PKPD_LARGEST sets "
        "another limit"
    )


def test_as_many_states_that_do_not_depend_on_each_other_are_not_too_large():
    assert generate(joined(200, "K * x{}"))[1] == 200


def test_the_limit_is_settable(monkeypatch):
    monkeypatch.setenv("PKPD_LARGEST", "100")
    with pytest.raises(ContentError, match="take more than 100 operations a step"):
        generate(joined(12, "K * x{} * total"))
    monkeypatch.setenv("PKPD_LARGEST", "100000")
    assert generate(joined(12, "K * x{} * total"))[1] == 12
    monkeypatch.setenv("PKPD_LARGEST", "many")
    with pytest.raises(ContentError) as caught:
        generate(joined(12, "K * x{} * total"))
    assert (
        str(caught.value)
        == "PKPD_LARGEST: 'many' is not a number of operations\n    remedy: give 1 or more, or unset it"
    )


# --- the same code ----------------------------------------------------


def test_only_the_functions_that_a_model_uses_are_in_its_text():
    text, *_ = generate(LIBRARY["drugs/oxaliplatin"])
    assert "@exp" not in text and "@hill" not in text
    assert "@hill_x(" in generate(LIBRARY["systems/folfox_effect_site_emax"])[0]


def test_inverses_by_division_and_by_the_processor_s_guess_agree(monkeypatch):
    if not vector.ESTIMATES:
        pytest.skip("this processor divides")
    name = "systems/folfox_effect_site_emax"
    y, p = point(name, 5)
    b, shift = np.random.default_rng(6).uniform(-1, 1, y.shape), rows(np.full(8, 40.0))
    ways = []
    for estimates in (True, False):
        monkeypatch.setattr(vector, "ESTIMATES", estimates)
        assert ("rcp14.pd.512(<" in generate(LIBRARY[name])[0].split("@power_unless_one", 1)[-1]) == estimates
        own = ModelMachine(LIBRARY[name], inner=True)
        ways.append(np.vstack([own.rates(y, p), own.solved(y, p, shift, b), *own.step(y, p, 0.05)]))
    n = 3 * len(y)  # rates, solution, new states; then the error, from inverses of one refinement
    assert ways[0][:n] == pytest.approx(ways[1][:n], rel=1e-15, abs=1e-15)
    assert ways[0][n:] == pytest.approx(ways[1][n:], rel=1e-8)


# --- kept -------------------------------------------------------------


REPORT = """
import hashlib
import sys
import time
from pkpd import load_model
from pkpd.solve import compile as compiler
from pkpd.solve.assemble import generate
made = []
make = compiler.compiled
compiler.compiled = lambda text: made.append(1) or make(text)
own = compiler.kernels(load_model("drugs/oxaliplatin"))
text = str(generate(load_model("systems/folfox_auc_linear")))
code = hashlib.sha256(text.encode()).hexdigest()
places = (*own.addresses, all(own.addresses.values()))
print(len(made), code, own.states, own.slots, own.factors, *places, "numba" in sys.modules)
"""


def process(folder: Path, seed: str) -> list[str]:
    """What another process with this cache folder compiles, generates and has."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT],
        capture_output=True,
        text=True,
        env={**os.environ, "PKPD_CACHE": str(folder), "PYTHONHASHSEED": seed},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(maxsplit=2)


def test_every_process_generates_the_same_text_and_the_second_takes_kernels_from_the_cache(tmp_path):
    made, text, own = process(tmp_path, "1")
    assert (
        made == "1"
        and text == hashlib.sha256(str(generate(LIBRARY["systems/folfox_auc_linear"])).encode()).hexdigest()
    )
    assert own.startswith("3 ") and own.endswith(
        "True False\n"
    )  # every function has an address; numba was not needed
    assert process(tmp_path, "2") == ["0", text, own]


@pytest.fixture
def fresh(tmp_path, monkeypatch) -> Path:
    """A cache folder of its own, empty, and the file in it once kernels are made."""
    monkeypatch.setenv("PKPD_CACHE", str(tmp_path))
    monkeypatch.setattr(compiler, "_LOADED", {})
    kernels(LIBRARY["drugs/oxaliplatin"])
    (file,) = (tmp_path / "kernels").iterdir()
    return file


def halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0x55]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "spoil",
    [lambda _: b"", halved, flipped, lambda _: pickle.dumps((1, 2)), lambda _: pickle.dumps("x")],
    ids=["empty", "half", "one byte", "two numbers", "text"],
)
def test_a_file_in_the_cache_that_is_not_what_was_written_is_made_again(fresh, monkeypatch, spoil):
    content = fresh.read_bytes()
    fresh.write_bytes(spoil(content))
    monkeypatch.setattr(compiler, "_LOADED", {})
    own = kernels(LIBRARY["drugs/oxaliplatin"])
    assert fresh.read_bytes() == content
    assert list(fresh.parent.iterdir()) == [fresh]
    assert (own.states, all(own.addresses.values())) == (3, True)


def test_kernels_are_made_once_a_model_in_a_process():
    assert kernels(LIBRARY["drugs/oxaliplatin"]) is kernels(load_model("drugs/oxaliplatin"))


def test_kernels_travel_by_their_model():
    own = kernels(LIBRARY["drugs/oxaliplatin"])
    sent = pickle.dumps(own)
    assert pickle.loads(sent) is own
    assert len(sent) < 2 * len(pickle.dumps(own.model))  # no code in it


def test_code_for_another_processor_or_from_another_writer_is_another_file(monkeypatch):
    kind = compiler._kind.__wrapped__
    here = kind()
    monkeypatch.setattr(compiler.llvm, "get_host_cpu_name", lambda: "another")
    elsewhere = kind()
    monkeypatch.setattr(compiler.store, "code_hash", lambda *names: "other code")
    assert len({here, elsewhere, kind()}) == 3


LET_GO = """
import gc
from pkpd import load_model
from pkpd.solve.assemble import generate
from pkpd.solve.compile import compiled, linked
text = generate(load_model("drugs/leucovorin"))[0]
for _ in range(5):
    engine = linked(compiled(text))
    del engine
    gc.collect()
"""


def test_code_that_is_let_go_leaves_the_compiler_unharmed():
    """In a process of its own: it would end as a whole."""
    done = subprocess.run([sys.executable, "-c", LET_GO], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
