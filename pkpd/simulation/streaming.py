"""A simulation written block by block, for as many patients as one likes in the memory of a few blocks."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pkpd.content.library import raise_issues, whole
from pkpd.content.toml import shown
from pkpd.errors import Issue, OutputError, fail, nearest
from pkpd.machine.doors import door
from pkpd.machine.drafts import nearest_folder
from pkpd.machine.executor import stream
from pkpd.machine.tables import require_table, table_writer
from pkpd.model.model import Model
from pkpd.parameters.draw import draw
from pkpd.parameters.parameters import Parameters
from pkpd.regimen.regimen import Regimen
from pkpd.simulation.run import simulate
from pkpd.simulation.simulation import Simulation
from pkpd.simulation.treatment import Tally, given

Tell = Callable[[str, int, int], None]
_BLOCK = 1_000_000  # numbers of a block, 8 MB: memory is some blocks a thread
_SHOWN = 20  # failures
_MOST = 1_000_000_000  # patients


@dataclass(frozen=True)
class Crowd:
    """What every block of virtual patients is simulated from: plain data. `times` are in the model's time
    unit.

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

    def and_a_block(self, rows: int, failures: tuple[str, ...], tally: Tally | None) -> Written:
        """The same file with more rows in it."""
        return replace(
            self,
            rows=self.rows + rows,
            failed=self.failed + len(failures),
            failures=(*self.failures, *failures)[:_SHOWN],
            tally=tally if self.tally is None or tally is None else self.tally + tally,
        )


@door
def simulate_to_file(
    crowd: Crowd,
    patients: int,
    path: str | Path,
    tell: Tell = lambda what, done, of: None,
    columns: Sequence[str] | None = None,
) -> Written:
    """Simulates patients 1 to `patients` and writes one row a patient and time: ID, TIME, compartments,
    variables, FAILED.

    columns  what is written between TIME and FAILED: names of compartments, variables, inputs and covariates

    A patient that could not be solved is named in FAILED with the time and the reason, its later rows empty;
    the others are not touched. The file is whole or not there, `.csv` or `.parquet` (a row group a block). A
    file for which the disk has no room is refused after the first block.
    """
    from pkpd.solve.compile import kernels

    path = Path(path)
    require_table(path)
    _check_number(patients)
    units = {"ID": "1", "TIME": crowd.model.time, **_units(crowd, columns)}
    kernels(crowd.model)  # once, before threads ask for it
    size = crowd.block
    blocks = range(0, patients, size)
    found = Written(path=path, patients=patients, rows=0, units=units)
    with table_writer(path, units) as write:
        for rows, told, own in stream(partial(_block, crowd, tuple(units)[2:], patients, size), blocks):
            wrote = write(rows)
            found = found.and_a_block(len(rows["ID"]), told, own)
            done = found.rows // len(crowd.times)
            if done == size < patients:
                _check_room(path, wrote, patients / done)
            if len(blocks) > 1:
                tell("simulating", done, patients)
    return found


def _check_number(patients: object) -> None:
    """Refuses what is no number of patients."""
    if not whole(patients, 1, _MOST):
        raise fail(
            "patients",
            f"{shown(patients)} is not a number of patients",
            f"give a whole number from 1 to {_MOST:,}",
        )


def _units(crowd: Crowd, columns: Sequence[str] | None) -> dict[str, str]:
    """The unit of each column that is written between TIME and FAILED."""
    model = crowd.model
    everything = [*model.states, *(v.name for v in model.variables)]
    if columns is None:
        return {n: model.unit(n) for n in everything}
    people = draw(model, crowd.parameters, 1)
    known = {n: people.register[n].unit for n in people.covariates}
    known |= {n: model.unit(n) for n in (*model.inputs, *everything)}
    named = [n for n in dict.fromkeys(columns) if n not in ("ID", "TIME", "FAILED")]  # these are always there
    raise_issues(
        [
            Issue("columns", f"{model.name} has no {shown(n)}", nearest(n, known))
            for n in named
            if n not in known
        ]
    )
    return {n: known[n] for n in named}


def _check_room(path: Path, size: int, times: float) -> None:
    """Refuses a file that would not fit, by the size of its first block."""
    free = shutil.disk_usage(nearest_folder(path.parent)).free + size
    if size * times > free:
        raise OutputError(
            f"{path}: would take about {size * times / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free\n"
            "    remedy: fewer patients or times, a few columns only (columns), or another disk"
        )


def _block(
    crowd: Crowd, columns: tuple[str, ...], patients: int, size: int, first: int
) -> tuple[dict[str, Any], tuple[str, ...], Tally | None]:
    """The columns of some patients, those that failed, what rules did; draws are keyed by patient: no block
    knows of others.
    """
    n, model = min(size, patients - first), crowd.model
    people = draw(model, crowd.parameters, n, crowd.seed, first=first)
    schedule = tally = None
    if crowd.regimen is not None and crowd.cycles != 0:
        schedule, tally = given(crowd.regimen, model, people, crowd.cycles, crowd.rtol)
    run = simulate(model, people, schedule, np.array(crowd.times), rtol=crowd.rtol, strict=False)
    return {**run.columns(columns), "FAILED": _failed(run)}, run.failures, tally


def _failed(run: Simulation) -> Any:
    """The time and reason of each row's patient, missing where it was solved."""
    import pyarrow as pa

    told = dict(text.removeprefix("patient ").split(", ", 1) for text in run.failures)
    own = pa.array([told.get(str(i)) for i in run.population.numbers], pa.string())
    return own.take(pa.array(np.repeat(np.arange(len(own)), run.times.shape[1])))
