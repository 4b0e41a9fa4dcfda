"""The reference problem: its model for any number of lesions, its patients, doses, outputs and reference
solution.
"""

from __future__ import annotations

import csv
import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import tomli_w

from pkpd.model.compose import parse_model
from pkpd.model.expression import evaluate
from pkpd.model.model import Model
from pkpd.regimen.schedule import ADD, RATE, Schedule

FOLDER = Path(__file__).parent / "reference_problem"


@dataclass(frozen=True)
class Problem:
    """Everything that a solver of the population needs; time is in hours."""

    model: Model
    start: np.ndarray
    inputs: np.ndarray
    schedule: Schedule
    times: np.ndarray
    begin: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def take(self, which: np.ndarray | list[int]) -> Problem:
        """Some of the patients."""
        which = np.asarray(which, dtype=int)
        s = self.schedule
        rows = [np.arange(s.offsets[i], s.offsets[i + 1]) for i in which]
        kept = np.concatenate(rows) if rows else np.zeros(0, dtype=int)
        offsets = np.cumsum([0, *map(len, rows)])
        schedule = Schedule(offsets, s.time[kept], s.kind[kept], s.index[kept], s.value[kept])
        return replace(
            self,
            start=self.start[which],
            inputs=self.inputs[which],
            schedule=schedule,
            times=self.times[which],
            begin=self.begin[which],
        )


@cache
def _text() -> dict:
    return tomllib.loads((FOLDER / "problem.toml").read_text(encoding="utf-8"))


def model_text(lesions: int = 1) -> str:
    """The model file in full, for a number of lesions."""
    data = _text()
    tables = {
        name: _repeated(data[name], lesions) for name in ("parameters", "compartments", "variables", "flows")
    }
    for entry in tables["parameters"].values():
        entry.pop("value")
    return tomli_w.dumps({"model": data["model"], **tables})


def _repeated(table: dict, lesions: int) -> dict:
    """A table with its neighbouring {i} lines written out as one block for each lesion."""
    out: dict[str, dict] = {}
    names = list(table)
    while names:
        many = "{i}" in names[0]
        block = [names.pop(0)]
        while names and ("{i}" in names[0]) == many:
            block.append(names.pop(0))
        for i in range(1, lesions + 1) if many else (0,):
            for name in block:
                out[name.replace("{i}", str(i))] = {
                    k: _written(v, i, lesions) for k, v in table[name].items()
                }
    return out


def _written(value: object, i: int, lesions: int) -> object:
    if not isinstance(value, str):
        return value
    summed = re.sub(
        r"SUM\((.*?)\)", lambda m: " + ".join(m[1].replace("{i}", str(k + 1)) for k in range(lesions)), value
    )
    return summed.replace("{i}", str(i))


@cache
def model(lesions: int = 1) -> Model:
    """The model; 26 states for one lesion, 11 more for each further one."""
    return parse_model(model_text(lesions), f"reference_problem_{lesions}")


@cache
def columns() -> dict[str, np.ndarray]:
    """What varies between the 1,000 patients, by name."""
    with (FOLDER / "population.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    values = np.array(rows[1:], dtype=float)
    return {name: values[:, j] for j, name in enumerate(rows[0])}


def doses(varied: dict[str, np.ndarray], states: tuple[str, ...], most: int | None = None) -> Schedule:
    """The events of every patient; `most` keeps only the first doses of each drug."""
    bsa = varied["BSA"]
    given = [
        (d, t, np.full(len(bsa), d["amount"]) * (bsa if d["per_m2"] else 1.0))
        for d in _text()["doses"].values()
        for t in _dose_times(d, most)
    ]
    rows = []
    for dose, time, amount in given:
        place = states.index(dose["to"])
        if dose["over"]:
            rows += [
                (time, RATE, place, amount / dose["over"]),
                (time + dose["over"], RATE, place, 0.0 * amount),
            ]
        else:
            rows.append((time, ADD, place, amount))
    rows.sort(key=lambda r: (r[0], r[1]))
    n, width = len(bsa), len(rows)
    time, kind, index = (np.tile([r[j] for r in rows], n) for j in range(3))
    value = np.stack([r[3] for r in rows], axis=1).ravel() if rows else np.zeros(0)
    return Schedule(
        np.arange(n + 1) * width, time.astype(float), kind.astype(np.int64), index.astype(np.int64), value
    )


def _dose_times(dose: dict, most: int | None) -> list[float]:
    count = dose["n"] if most is None else min(most, dose["n"])
    return [float(dose["start"] + k * dose["every"]) for k in range(count)]


def problem(
    patients: int = 1000, lesions: int = 1, most_doses: int | None = None, end: float | None = None
) -> Problem:
    """The first patients of the population, which is repeated beyond its 1,000, with weekly outputs."""
    own, data = model(lesions), _text()
    which = np.arange(patients) % 1000
    varied = {name: x[which] for name, x in columns().items()}
    typical = {k: v["value"] for k, v in data["parameters"].items()}
    inputs = np.stack([varied.get(n, np.full(patients, typical[n])) for n in own.inputs], axis=1)
    values = dict(zip(own.inputs, inputs.T, strict=True))
    start = np.stack(
        [np.broadcast_to(evaluate(c.start, values, np), (patients,)) for c in own.compartments], axis=1
    )
    run = data["run"]
    times = np.arange(0.0, (end or run["end"]) + 1e-9, run["every"])
    return Problem(
        own,
        np.array(start, dtype=float),
        np.ascontiguousarray(inputs),
        doses(varied, own.states, most_doses),
        np.tile(times, (patients, 1)),
        np.zeros(patients),
    )


@cache
def reference(lesions: int = 1) -> np.ndarray:
    """The reference solution of the first patients: (patient, time, state)."""
    path = FOLDER / f"reference_{len(model(lesions).states)}.npz"
    return np.load(path)["states"].astype(float)


def error(states: np.ndarray, truth: np.ndarray) -> float:
    """The largest error over patients, times and states, relative with a floor for what is nearly nothing."""
    weight = np.abs(truth) + 1e-3 * np.max(np.abs(truth), axis=1, keepdims=True) + 1e-4
    worst = np.abs(states - truth) / weight
    return float(np.max(worst)) if np.all(np.isfinite(states)) else float("inf")
