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


REGISTER = {
    c.name: c
    for c in (
        Covariate("AGE", "year", 18, 100, "age"),
        Covariate("SEX", "1", 0, 1, "sex, 1 = female"),
        Covariate("WT", "kg", 30, 200, "body weight"),
        Covariate("BSA", "m^2", 1.0, 3.0, "body surface area"),
        Covariate("SCR", "umol/L", 20, 1000, "serum creatinine"),
        Covariate("CRCL", "mL/min", 5, 250, "creatinine clearance, Cockcroft-Gault"),
        Covariate("EGFR", "mL/min", 5, 200, "estimated glomerular filtration rate, per 1.73 m^2"),
        Covariate("ALB", "g/L", 10, 60, "serum albumin"),
        Covariate("BILI", "umol/L", 1, 500, "total bilirubin"),
        Covariate("ALP", "1/L", 10, 3000, "alkaline phosphatase, in units of enzyme a litre"),
        Covariate("ALT", "1/L", 2, 2000, "alanine aminotransferase, in units of enzyme a litre"),
        Covariate("LDH", "1/L", 50, 10000, "lactate dehydrogenase, in units of enzyme a litre"),
        Covariate("WBC", "1/nL", 1, 50, "white blood cells (1/nL is 10^9/L)"),
        Covariate("IBW", "kg", 30, 110, "ideal body weight"),
        Covariate("BMI", "kg/m^2", 12, 60, "body mass index"),
        Covariate("ECOG", "1", 0, 4, "ECOG performance status"),
        Covariate("ASIAN", "1", 0, 1, "1 = Asian"),
        Covariate("ADA", "1", 0, 1, "antidrug antibodies, 1 = positive"),
        Covariate("TUMOUR", "mm", 5, 700, "sum of the diameters of the target lesions at baseline"),
        Covariate("SPDL1", "ng/L", 10, 1e4, "soluble PD-L1"),
        Covariate("LIVER", "1", 0, 1, "share of the liver that metastases take"),
        Covariate(
            "DPD", "1", 0.05, 2, "DPD activity, as a multiple of normal; at 0 nothing would eliminate 5-FU"
        ),
        Covariate("UGT1A1", "1", 0, 2, "UGT1A1*28 alleles"),
        Covariate("KRAS", "1", 0, 1, "KRAS, 1 = mutated"),
        Covariate("LESIONS", "1", 0, 40, "number of liver metastases at baseline"),
        Covariate("LARGEST", "mm", 3, 250, "diameter of the largest liver metastasis at baseline"),
        Covariate("ELSEWHERE", "1", 0, 40, "number of metastases outside the liver at baseline"),
        Covariate(
            "LARGESTX", "mm", 3, 250, "diameter of the largest metastasis outside the liver at baseline"
        ),
    )
}


def implausible(name: str, value: float) -> str:
    """What is wrong with a value of a covariate of the register; nothing if it can be."""
    c = REGISTER[name]
    return "" if c.low <= value <= c.high else f"{value:g} {c.unit}; plausible is {c.low:g} to {c.high:g}"
