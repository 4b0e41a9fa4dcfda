"""Whatever stands in a model or parameter file, it is read or refused by the library's own error, and soon."""

import random
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import date, datetime
from datetime import time as clock

import numpy as np
import pytest

from pkpd import library
from pkpd.errors import PkpdError
from pkpd.model.check import check_model
from pkpd.model.compose import build_model, load_model, whole
from pkpd.model.equations import Equations
from pkpd.model.reading import read_file
from pkpd.model.schema import Model
from pkpd.parameters import load_parameters, merge
from pkpd.population import draw, typical
from pkpd.values import check_order, read_parameters

SOON = 20.0  # seconds; a file is read in some milliseconds, on a busy machine in a second


def deep(levels: int) -> dict:
    return {"is": deep(levels - 1)} if levels else {}


STRANGE = (
    True,
    False,
    0,
    -1,
    1,
    65,
    10**400,
    -(10**400),
    1e300,
    1e308,
    -0.0,
    5e-324,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    "x",
    "\0",
    "é",
    "🧬" * 50,
    "ＣＬ",
    "__class__",
    "a" * 5000,
    "9" * 5000,
    "[" * 500,
    "(" * 200 + "1" + ")" * 200,
    "1e999",
    "2**2**2**2**2",
    "9**9**9",
    "exp(exp(exp(10)))",
    "0/0",
    "hill(1, 0, 1)",
    "sqrt(-1)",
    "1/3",
    "K * central",
    "next.central",
    "kg**99",
    "mg/0",
    "1e9 mg",
    "degC",
    "mg\n",
    "day",
    "drugs/oxaliplatin",
    "../../etc",
    "systems/crlm",
    "parameters/x",
    [],
    [[]],
    [1, 2],
    ["a", 1],
    [{}],
    {},
    {"a": 1},
    {"law": "lognormal", "sd": 1e9},
    {"law": "normal", "sd": 1e300},
    {"law": "uniform", "low": -1e300, "high": 1e300},
    {"law": [], "sd": {}},
    {"law": "categorical", "values": [], "weights": []},
    {"law": "lognormal", "cv": 1e200},
    {"is": "BSA", "reference": {"BSA": 1}},
    {"is": "1/(BSA - 2)", "reference": {"BSA": 3}},
    {"unit": "1"},
    {"lag": "CL", "forms": {"": ""}},
    deep(300),
    date(2020, 1, 1),
    datetime(2020, 1, 1),
    clock(1, 2),
    "COPY",
)
NAMES = (
    "CL",
    "V",
    "BSA",
    "central",
    "unit",
    "value",
    "spread",
    "effect",
    "low",
    "high",
    "copies",
    "use",
    "n",
    "chain",
    "next",
    "exp",
    "",
    "1",
    "é",
    "a" * 60,
    "K.L",
    "class",
    "model",
    "parameters",
    "parts",
    "like",
    "joins",
)


def places(data: dict | list, path: tuple = ()) -> Iterator[tuple]:
    """The path of every entry of nested tables and lists."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def mutated(data: dict, rng: random.Random) -> dict:
    """Tables with some entries replaced, removed, renamed, added or moved."""
    data = deepcopy(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        known = list(places(data))
        if not known:
            break
        *path, key = rng.choice(known)
        at = data
        for step in path:
            at = at[step]
        act = rng.randrange(6)
        if act == 0:
            del at[key]
        elif act == 1 and isinstance(at, dict):
            at[rng.choice(NAMES)] = at.pop(key)
        elif act == 2 and isinstance(at, dict):
            at[rng.choice(NAMES)] = deepcopy(rng.choice(STRANGE))
        elif act == 3 and isinstance(at[key], str) and at[key]:
            i = rng.randrange(len(at[key]))
            at[key] = at[key][:i] + rng.choice('()*/+-.,0e9 \t√∞\\"K_') + at[key][i + rng.randrange(2) :]
        elif act == 4 and isinstance(at[key], int | float):
            at[key] = at[key] * rng.choice((-1, 1e3, 1e-300, 0)) if abs(at[key]) < 1e300 else 1
        else:
            at[key] = deepcopy(rng.choice(STRANGE))
    return data


def quick(act: Callable[[], object], told: object) -> bool:
    """Whether content is taken; anything but the library's own error, or a wait, fails the test that asks."""
    start = time.monotonic()
    try:
        with np.errstate(all="raise", under="ignore"):
            act()
        taken = True
    except PkpdError as error:
        assert str(error)
        taken = False
    except BaseException as error:
        raise AssertionError(f"{type(error).__name__} of {told!r:.3000}") from error
    assert time.monotonic() - start < SOON, told
    return taken


MODELS = [n for n in library.names("model") if not n.startswith("systems/crlm_immune")]
SETS = library.names("parameters")
SMALL = {
    "model": {"title": "A drug", "time": "hour"},
    "parameters": {
        "CL": {"unit": "L/hour", "low": 0, "high": 9},
        "V": {"unit": "L"},
        "F1": {"unit": "1", "high": 1},
    },
    "compartments": {
        "central": {"unit": "mg", "dose": {"bioavailability": "F1"}, "start": "0"},
        "deep": {"unit": "mg"},
    },
    "variables": {
        "Cc": {"unit": "mg/L", "is": "central / V"},
        "k": {"unit": "1/hour", "is": "CL / V * exp(-1/3)"},
    },
    "flows": {
        "out": {"from": "central", "rate": "CL * Cc"},
        "to": {"from": "central", "to": "deep", "rate": "k * central"},
    },
}
VALUES = {
    "parameters": {"model": "small", "title": "values"},
    "values": {
        "CL": {
            "value": 2,
            "unit": "L/hour",
            "spread": {"law": "lognormal", "cv": 0.3},
            "effect": {"is": "BSA / 1.8", "reference": {"BSA": 1.8}},
        },
        "V": {
            "value": 20,
            "unit": "L",
            "spread": {"law": "lognormal", "sd": 0.2, "mixture": {"factors": [1, 2], "weights": [0.5, 0.5]}},
        },
        "F1": {
            "value": 0.5,
            "unit": "1",
            "spread": {"law": "logitnormal", "sd": 1},
            "copies": {"law": "normal", "sd": 0.01},
        },
    },
    "covariates": {
        "BSA": {"value": 1.8, "unit": "m^2", "spread": {"law": "normal", "sd": 0.2, "low": 1.3, "high": 2.5}},
        "SEX": {"value": 0.4, "unit": "1", "spread": {"law": "bernoulli"}},
    },
    "correlations": [{"of": ["CL", "V"], "r": 0.3}],
}


def read_model(data: dict) -> Model:
    model = build_model(read_file(whole(data, "own.toml"), "own.toml", "own.toml"), {})
    check_model(model)
    assert len(model.hash) == 20
    if len(model.states) < 3:
        assert Equations(model).jacobian is not None
    return model


def read_set(data: dict, model: Model | None = None, below: str = "") -> None:
    own, _ = read_parameters(data, "own.toml", "own.toml")
    check_order(own)
    assert len(own.hash) == 20
    if model is None:
        return
    own = merge(load_parameters(below, model, host=None), own) if below else own
    people = [draw(model, own, 5, seed=1), typical(model, own)]
    assert all(np.all(np.isfinite(p.inputs)) for p in people)


def fuzz_models(rng: random.Random, count: int) -> int:
    taken = 0
    for i in range(count):
        data = mutated(SMALL if i % 2 else dict(library.read("model", rng.choice(MODELS)).data), rng)
        taken += quick(lambda data=data: read_model(data), data)
    return taken


def fuzz_sets(rng: random.Random, count: int) -> int:
    small, taken = read_model(SMALL), 0
    for i in range(count):
        name = rng.choice(SETS)
        data = mutated(VALUES if i % 2 else dict(library.read("parameters", name).data), rng)
        model, below = (small, "") if i % 2 else (None, "")
        if not i % 2 and str(library.read("parameters", name).data["parameters"].get("model")).startswith(
            "drugs/"
        ):
            model, below = load_model(library.read("parameters", name).data["parameters"]["model"]), name
        taken += quick(lambda d=data, m=model, b=below: read_set(d, m, b), data)
    return taken


def fuzz_text(rng: random.Random, count: int) -> int:
    """Files as text, cut, doubled and stirred by letters."""
    taken = 0
    for _ in range(count):
        kind = rng.choice(("model", "parameters"))
        name = rng.choice(MODELS if kind == "model" else SETS)
        text = (library.ROOT / library.read(kind, name).path).read_text(encoding="utf-8")
        for _ in range(rng.choice((1, 3, 30))):
            i, j = sorted(rng.randrange(len(text) + 1) for _ in "ab")
            j = min(j, i + rng.choice((0, 1, 5, 200)))
            text = (
                text[:i]
                + rng.choice(
                    ("", text[i:j] * 2, rng.choice("[]{}=\"',.\n#√\x00\ufeff𝒳"), "\n[values]\n", "=" * 9)
                )
                + text[j:]
            )
        read = read_model if kind == "model" else read_set
        taken += quick(lambda t=text, r=read: r(library.parse(t, "own.toml")), text)
    return taken


@pytest.mark.parametrize("fuzz", [fuzz_models, fuzz_sets, fuzz_text])
def test_a_stirred_file_is_read_or_refused_and_soon(fuzz):
    assert 0 < fuzz(random.Random(11), 150) < 150


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("fuzz", [fuzz_models, fuzz_sets, fuzz_text])
def test_many_stirred_files_are_read_or_refused_and_soon(fuzz, seed):
    assert 0 < fuzz(random.Random(seed), 3000) < 3000
