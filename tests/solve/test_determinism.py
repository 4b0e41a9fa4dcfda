"""The same answer, bit for bit: for any threads, chunks, neighbours, lanes and processes."""

import hashlib
import os
import pickle
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor

import llvmlite.binding as llvm
import numpy as np
import pytest

from pkpd import cycles, draw, load_model, load_parameters, load_regimen, lower, parse_model
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.regimen import Regimen
from pkpd.regimen.schedule import ADD, ASSIGN, RATE, SCALE, SET, Schedule
from pkpd.simulation.run import simulate
from pkpd.solve import batch, functions, vector
from pkpd.solve import compile as compiler

MOTLEY = """[model]
title = "A little of every function, and a state that may become infinite"
time = "day"
[parameters]
K = { unit = "1/day" }
EMAX = { unit = "1/day" }
EC = { unit = "mg" }
G = { unit = "1" }
BURST = { unit = "1/day" }
[compartments]
drug = { unit = "mg", dose = true }
deep = { unit = "mg" }
cells = { unit = "1", start = 1 }
boom = { unit = "1", start = 1 }
[variables]
effect = { unit = "1", is = "hill(drug, EC, G)" }
[flows]
out = { from = "drug", to = "deep", rate = "K * drug / (1 + drug / EC)" }
away = { from = "deep", rate = "K * EC * min(deep / EC, 2) ** G" }
growth = { to = "cells", rate = "K * cells * log(1 + 3 * exp(-cells))" }
kill = { from = "cells", rate = "EMAX * effect * sqrt(cells)**2" }
burst = { to = "boom", rate = "BURST * boom**2" }
"""
TIMES = np.array([0.0, 0.4, 1.1, 3.0, 6.5, 10.0])
SIZE = 45


# --- a motley crowd ---------------------------------------------------


def events(patient: int) -> list[tuple]:
    """Rows of a schedule, different for each patient: none for some, dozens for others."""
    rng = np.random.default_rng(patient)
    rows = []
    for _ in range(rng.choice([0, 1, 4, 25])):
        kind = rng.choice([ADD, RATE, SCALE, SET, ASSIGN])
        low, high, index = {
            ADD: (1, 20, 0),
            RATE: (0, 9, 0),
            SCALE: (0, 1, 1),
            SET: (0.2, 3, 1),
            ASSIGN: (0.5, 2, 2),
        }[kind]
        rows.append((rng.choice([rng.uniform(-1, 10), 1.1, 3.0]), kind, index, rng.uniform(low, high)))
    return sorted(rows, key=lambda r: r[0])


def packed(patients: list[int]) -> Schedule:
    rows = [r for p in patients for r in events(p)]
    time, kind, index, value = (np.array([r[i] for r in rows]) for i in range(4))
    return Schedule(
        np.cumsum([0, *(len(events(p)) for p in patients)]),
        time.astype(float),
        kind.astype(np.int64),
        index.astype(np.int64),
        value.astype(float),
    )


@pytest.fixture(scope="module")
def motley():
    return parse_model(MOTLEY, "motley")


def solve(model, patients: list[int], watch: batch.Watch | None = None) -> batch.Solved:
    """Some patients of the crowd: every fifth with a burst that ends it, every seventh with an input that is
    missing.
    """
    inputs = np.array(
        [
            [0.3 + 0.1 * (p % 9), 0.5, 1.0 + p % 4, (1.0, 2.5, 0.7)[p % 3], 0.3 if p % 5 == 4 else 0.0]
            for p in patients
        ]
    )
    inputs[[p % 7 == 6 for p in patients], 0] = np.nan
    start = np.array([[5.0 * (p % 2), 0.0, 0.5 + 0.02 * p, 1.0] for p in patients])
    times = np.array([TIMES * (1 + 0.01 * (p % 3)) for p in patients])
    begin = np.array([-0.5 * (p % 2) for p in patients])
    return batch.solve_population(model, start, inputs, packed(patients), times, begin, watch=watch)


def same(a: batch.Solved, b: batch.Solved, rows: list[int] | slice) -> bool:
    """Every bit of every part; what is missing is missing in both."""
    return all(np.array_equal(x, y[rows], equal_nan=True) for x, y in zip(a, b, strict=True))


@pytest.fixture(scope="module")
def whole(motley):
    return solve(motley, list(range(SIZE)))


def test_the_crowd_is_as_motley_as_meant(whole):
    failed = {p for p in range(SIZE) if p % 5 == 4 or p % 7 == 6}
    assert set(np.flatnonzero(whole.status)) == failed
    assert np.all(whole.reached[[p for p in failed if p % 7 != 6]] > 1)
    assert len({len(events(p)) for p in range(SIZE)}) == 4
    assert len(np.unique(whole.states[whole.status == 0], axis=0)) == SIZE - len(failed)


def test_a_patient_alone_is_the_patient_in_a_crowd_whatever_its_neighbours_do(motley, whole):
    for p in range(SIZE):
        assert same(solve(motley, [p]), whole, [p]), p


@pytest.mark.parametrize(
    "order",
    [
        list(range(SIZE))[::-1],
        [*range(3, SIZE), 0, 1, 2],
        list(range(0, SIZE, 3)),
        [7] * 20,
        [4, 1, 4, 4, 9, 14, 19, 24, 29],
    ],
    ids=["backwards", "moved", "a third", "twenty times", "failing"],
)
def test_any_order_and_company_gives_every_patient_the_same_bits(motley, whole, order):
    assert same(solve(motley, order), whole, order)


@pytest.mark.parametrize("size", [1, 7, 8, 64, 256])
def test_the_size_of_chunks_changes_no_bit_of_the_crowd(motley, whole, size, monkeypatch):
    monkeypatch.setattr(batch, "_CHUNK", size)
    assert same(solve(motley, list(range(SIZE))), whole, slice(None))


def test_what_a_crossing_does_to_a_patient_changes_no_bit_of_another(motley):
    watch = batch.Watch(
        ("cells", "drug"),
        np.array([[1.2, -1.0], [2.0, 1.0]]),
        np.array([[0, SCALE, 2, 0.5], [1, ADD, 0, 6.0]]),
    )
    crowd = solve(motley, list(range(SIZE)), watch)
    assert (
        5 < np.isfinite(crowd.crossed[:, 0]).sum() < SIZE
        and 5 < np.isfinite(crowd.crossed[:, 1]).sum() < SIZE
    )
    for p in range(0, SIZE, 4):
        assert same(solve(motley, [p], watch), crowd, [p]), p
    assert same(solve(motley, list(range(SIZE))[::-1], watch), crowd, list(range(SIZE))[::-1])


# --- a system of the library ------------------------------------------


@pytest.fixture(scope="module")
def folfox():
    """A system, a hundred patients, three cycles of FOLFOX4, and times."""
    system = load_model("systems/folfox_auc_linear")
    people = draw(system, load_parameters(model=system), 100, seed=4, study="bits")
    schedule = lower(load_regimen("folfox4"), system, people, np.arange(3)[None, :] * 14.0)
    return system, people, schedule, np.array([0.0, 0.3, 1.2, 3.0, 14.2, 30.0, 42.0])


@pytest.fixture(scope="module")
def crowd(folfox):
    return simulate(*folfox).states


@pytest.mark.parametrize("threads", ["1", "2", "8"])
def test_the_number_of_threads_changes_no_bit(folfox, crowd, threads, monkeypatch):
    monkeypatch.setenv("PKPD_THREADS", threads)
    monkeypatch.setattr(batch, "_CHUNK", 6)
    assert np.array_equal(simulate(*folfox).states, crowd)


def test_an_executor_of_one_s_own_changes_no_bit(folfox, crowd, monkeypatch):
    monkeypatch.setattr(batch, "_CHUNK", 16)
    with ThreadPoolExecutor(3) as own:
        assert np.array_equal(simulate(*folfox, executor=own).states, crowd)


class Elsewhere(ThreadPoolExecutor):
    """An executor that sees nothing of the caller's memory: what goes there is pickled."""

    def submit(self, fn, /, *args, **kwargs) -> Future:
        return super().submit(
            lambda: pickle.loads(pickle.dumps(fn))(*pickle.loads(pickle.dumps(args)), **kwargs)
        )


def test_patients_solved_in_another_memory_come_back(folfox, crowd, monkeypatch):
    monkeypatch.setattr(batch, "_CHUNK", 16)
    monkeypatch.setenv("PKPD_THREADS", "2")
    with Elsewhere(2) as own:
        assert np.array_equal(simulate(*folfox, executor=own).states, crowd)


@pytest.mark.parametrize("size", [1, 7, 8, 64, 1000])
def test_the_size_of_chunks_changes_no_bit(folfox, crowd, size, monkeypatch):
    monkeypatch.setattr(batch, "_CHUNK", size)
    assert np.array_equal(simulate(*folfox).states, crowd)


@pytest.mark.parametrize("some", [[0], [41], [99], [5, 3, 88]])
def test_a_patient_alone_is_the_patient_in_a_crowd(folfox, crowd, some):
    system, people, _, times = folfox
    few = people.take(np.array(some))
    schedule = lower(load_regimen("folfox4"), system, few, np.arange(3)[None, :] * 14.0)
    assert np.array_equal(simulate(system, few, schedule, times).states, crowd[some])


def test_patients_drawn_in_pieces_are_the_patients_drawn_at_once(folfox, crowd):
    system, _, _, times = folfox
    piece = draw(system, load_parameters(model=system), 10, seed=4, study="bits", first=60)
    schedule = lower(load_regimen("folfox4"), system, piece, np.arange(3)[None, :] * 14.0)
    assert np.array_equal(simulate(system, piece, schedule, times).states, crowd[60:70])


def test_a_neighbour_s_overlapping_infusions_change_no_bit_of_a_schedule(folfox):
    system, people, _, _ = folfox
    pumps = Regimen(
        "two pumps",
        "",
        14.0,
        (
            DoseLine(drug="fluorouracil", amount=600, unit="mg", per="BSA", days=(1,), at=0.0, over=1.0),
            DoseLine(drug="fluorouracil", amount=371, unit="mg", per="BSA", days=(1,), at=0.37, over=1.3),
        ),
    )
    starts = cycles(pumps, system, 3)
    whole = lower(pumps, system, people, starts)
    for i in (1, 17, 99):
        single = lower(pumps, system, people.take(np.array([i])), starts)
        assert np.array_equal(whole.value[whole.offsets[i] : whole.offsets[i + 1]], single.value)


ELSEWHERE = """
import hashlib
import numpy as np
from pkpd import draw, load_model, load_parameters, load_regimen, lower
from pkpd.simulation.run import simulate
system = load_model("systems/folfox_auc_linear")
people = draw(system, load_parameters(model=system), 100, seed=4, study="bits")
schedule = lower(load_regimen("folfox4"), system, people, np.arange(3)[None, :] * 14.0)
states = simulate(system, people, schedule, np.array([0.0, 0.3, 1.2, 3.0, 14.2, 30.0, 42.0])).states
print(hashlib.sha256(states.tobytes()).hexdigest())
"""


def test_another_process_finds_the_same_bits(crowd):
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "5", "PKPD_THREADS": "2"},
    )
    assert done.stdout.strip() == hashlib.sha256(crowd.tobytes()).hexdigest(), done.stderr


@pytest.mark.parametrize("processor, can", [("haswell", "+avx2,+fma"), ("nehalem", "")])
def test_code_for_another_kind_of_processor_finds_the_same_to_a_billionth(
    folfox, crowd, processor, can, monkeypatch, tmp_path
):
    """Narrower registers, divisions instead of guesses, and no fused multiplications."""
    if not llvm.get_default_triple().startswith("x86_64") or not llvm.get_host_cpu_features().get("fma"):
        pytest.skip("this processor is of another make")

    def target():
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        return llvm.Target.from_default_triple().create_target_machine(
            cpu=processor, features=can, opt=3, jit=True
        )

    for module in (vector, functions):
        monkeypatch.setattr(module, "ESTIMATES", False)
    monkeypatch.setattr(compiler, "_target", target)
    monkeypatch.setattr(compiler, "_LOADED", {})
    monkeypatch.setenv("PKPD_CACHE", str(tmp_path))
    other = simulate(*folfox).states
    assert not np.array_equal(other, crowd)
    assert (
        np.max(np.abs(other - crowd) / (np.abs(crowd) + 1e-9 * np.abs(crowd).max(axis=(0, 1)) + 1e-300))
        < 1e-9
    )
