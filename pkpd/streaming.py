"""A simulation written block by block, for as many patients as one likes in the memory of a few blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pkpd.executor import stream
from pkpd.model.schema import Model
from pkpd.population import draw
from pkpd.regimen import Regimen
from pkpd.simulation import Simulation, simulate
from pkpd.tables import require_table, table_writer
from pkpd.treatment import Tally, given
from pkpd.values import Parameters

Tell = Callable[[str, int, int], None]
_BLOCK = 1_000_000  # numbers of a block, 8 MB: memory is some blocks a thread
_SHOWN = 20  # failures


@dataclass(frozen=True)
class Crowd:
    """What every block of virtual patients is simulated from: plain data. `times` are in the model's time unit.

    cycles  of the regimen's first course; left out where the regimen says it itself
    """

    model: Model
    parameters: Parameters
    times: tuple[float, ...]
    regimen: Regimen | None = None
    cycles: int | None = None
    seed: int | str = 0
    rtol: float = 1e-6

    @property
    def block(self) -> int:
        """The patients of a block, whose results and inputs have a set size."""
        model = self.model
        own = len(self.times) * (len(model.states) + len(model.variables) + 3) + 4 * len(model.inputs)
        return max(_BLOCK // own, 1)


@dataclass(frozen=True)
class Written:
    """What a file holds: its rows, its columns with their units, what the regimen's rules did.

    `failed` counts the patients that failed, and `failures` names the first of them; the file names all.
    """

    path: Path
    patients: int
    rows: int
    units: dict[str, str]
    failed: int = 0
    failures: tuple[str, ...] = ()
    tally: Tally | None = None


def simulate_to_file(crowd: Crowd, patients: int, path: str | Path, tell: Tell = lambda what, done, of: None) -> Written:
    """Simulates patients 1 to `patients` and writes one row a patient and time: ID, TIME, compartments, variables, FAILED.

    A patient that could not be solved is named in FAILED with the time and the reason, its later rows empty; the others
    are not touched. The file is whole or not there, `.csv` or `.parquet` (a row group a block).
    """
    from pkpd.solve.compile import kernels

    path = Path(path)
    require_table(path)
    model, size = crowd.model, crowd.block
    kernels(model)  # once, before threads ask for it
    names = [*model.states, *(v.name for v in model.variables)]
    units = {"ID": "1", "TIME": model.time, **{n: model.unit(n) for n in names}}
    spans = [(first, min(size, patients - first)) for first in range(0, patients, size)]
    failures, failed, done, tally = [], 0, 0, None
    with table_writer(path, units) as write:
        for columns, told, own in stream(partial(_block, crowd), spans):
            write(columns)
            failures += told[:_SHOWN - len(failures)]
            failed += len(told)
            tally = own if tally is None or own is None else tally + own
            done += len(columns["ID"]) // len(crowd.times)
            if len(spans) > 1:
                tell("simulating", done, patients)
    return Written(path, patients, done * len(crowd.times), units, failed, tuple(failures), tally)


def _block(crowd: Crowd, span: tuple[int, int]) -> tuple[dict[str, Any], tuple[str, ...], Tally | None]:
    """The columns of some patients, those that failed, what rules did; draws are keyed by patient: no block knows of others."""
    (first, n), model = span, crowd.model
    people = draw(model, crowd.parameters, n, crowd.seed, first=first)
    schedule = tally = None
    if crowd.regimen is not None and crowd.cycles != 0:
        schedule, tally = given(crowd.regimen, model, people, crowd.cycles, crowd.rtol)
    run = simulate(model, people, schedule, np.array(crowd.times), rtol=crowd.rtol, strict=False)
    return {**run.columns(), "FAILED": _failed(run)}, run.failures, tally


def _failed(run: Simulation) -> Any:
    """The time and reason of each row's patient, missing where it was solved."""
    import pyarrow as pa

    told = dict(text.removeprefix("patient ").split(", ", 1) for text in run.failures)
    own = pa.array([told.get(str(i)) for i in run.population.numbers], pa.string())
    return own.take(pa.array(np.repeat(np.arange(len(own)), run.times.shape[1])))
