"""A file of published exposures."""

from __future__ import annotations

from dataclasses import dataclass

from pkpd.exposures.exposure import Exposure


@dataclass(frozen=True)
class Evidence:
    """A file of published exposures, in its order; `figures` is what the file calls them."""

    name: str
    title: str
    text: str
    figures: tuple[Exposure, ...]

    def of(self, drug: str) -> tuple[Exposure, ...]:
        """The exposures of one drug, by its name with or without its folder."""
        return tuple(f for f in self.figures if f.drug in (drug, drug.removeprefix("drugs/")))
