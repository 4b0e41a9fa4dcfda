"""Virtual patients of a model: their inputs and covariates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from pkpd.content.toml import shown
from pkpd.errors import fail, nearest
from pkpd.machine.labels import Labelled, Row, named
from pkpd.model.model import Parameter
from pkpd.parameters.bounds import require
from pkpd.parameters.covariates import Covariate, register

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Population(Labelled):
    """Patients of one model: `inputs` is (patient, model input) in the model's units.

    `bounds` are the model's parameters, which say what their values can be; left out, nothing is asked of new
    values. `register` says what the covariates are.
    """

    names: tuple[str, ...]
    inputs: np.ndarray
    covariates: dict[str, np.ndarray]
    key: tuple[str, ...] = ()
    first: int = 0
    rows: np.ndarray | None = None
    bounds: tuple[Parameter, ...] = ()
    register: Mapping[str, Covariate] = field(default_factory=register)

    def label(self) -> tuple[str, list[Row]]:
        return f"Population of {len(self)} patients", [
            ("inputs", named(self.names)),
            ("covariates", named(self.covariates)),
        ]

    @property
    def numbers(self) -> np.ndarray:
        """The number of each patient, from 1, as errors and tables name it."""
        return self.first + 1 + (np.arange(len(self)) if self.rows is None else self.rows)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, name: str) -> np.ndarray:
        """One input or covariate of every patient."""
        if name in self.covariates:
            return self.covariates[name]
        if name not in self.names:
            raise fail("population", f"has no input or covariate {name!r}", nearest(str(name), self))
        return self.inputs[:, self.names.index(name)]

    def __iter__(self) -> Iterator[str]:
        return iter([*self.names, *(c for c in self.covariates if c not in self.names)])

    def __contains__(self, name: object) -> bool:
        return name in [*self]

    def to_frame(self) -> pd.DataFrame:
        """ID, every input and every covariate, with a row a patient."""
        import pandas as pd

        return pd.DataFrame({"ID": self.numbers, **{name: self[name] for name in self}})

    def take(self, which: np.ndarray) -> Population:
        """Some of the patients."""
        return replace(
            self,
            inputs=self.inputs[which],
            rows=(self.numbers - self.first - 1)[which],
            covariates={k: v[which] for k, v in self.covariates.items()},
        )

    def with_inputs(self, values: Mapping[str, np.ndarray | float]) -> Population:
        """The same patients with some inputs set."""
        inputs = self.inputs.copy()
        for name, value in values.items():
            if name not in self.names:
                raise fail("population", f"the model has no input {name!r}", nearest(name, self.names))
            inputs[:, self.names.index(name)] = each(value, len(self), name)
        if self.bounds:
            require(self.bounds, inputs, "population", lambda i: f"patient {self.numbers[i]}")
        return replace(self, inputs=inputs)


def each(given: np.ndarray | float, n: int, where: str) -> np.ndarray:
    """One number for each of n patients."""
    try:
        return np.broadcast_to(np.asarray(given, dtype=float), (n,)).copy()
    except (TypeError, ValueError):
        raise fail(
            where, f"{shown(given)} is neither a number nor one for each of {n} patients", "give numbers"
        ) from None
