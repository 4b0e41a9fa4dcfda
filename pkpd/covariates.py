"""The register of covariates: unit and plausible range of each feature of a patient."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Covariate:
    """A measured feature of a patient; values outside the range are refused."""

    name: str
    unit: str
    low: float
    high: float
    text: str


REGISTER = {c.name: c for c in (
    Covariate("AGE", "year", 18, 100, "age"),
    Covariate("SEX", "1", 0, 1, "sex, 1 = female"),
    Covariate("WT", "kg", 30, 200, "body weight"),
    Covariate("BSA", "m^2", 1.0, 3.0, "body surface area"),
    Covariate("SCR", "umol/L", 20, 1000, "serum creatinine"),
    Covariate("KRAS", "1", 0, 1, "KRAS, 1 = mutated"),
    Covariate("LESIONS", "1", 0, 40, "number of liver metastases at baseline"),
    Covariate("LARGEST", "mm", 3, 250, "diameter of the largest liver metastasis at baseline"),
)}
