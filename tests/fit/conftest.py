"""A made-up problem of two trials, small enough to have an answer in closed form.

A lesion of 50 mm grows at a rate that is normal between patients, and is scanned once, after twelve weeks. It
has responded if its diameter fell by 30 %, and is controlled unless it rose by 20 %. In one arm a context
sets another mean rate.
"""

import copy
import math

import pytest
import tomli_w

from pkpd import load_fit, load_parameters
from pkpd.trial.disease import daily_model

SD = 0.01

GROWTH = {
    "model": {"title": "Growth at a constant rate", "time": "day", "joins": ["tumour"]},
    "parameters": {"RATE": {"unit": "1/day", "low": -math.inf}},
    "flows": {"growing": {"to": "tumour.sensitive", "rate": "RATE * tumour.sensitive"}},
}
DISEASE = {
    "model": {"title": "One lesion", "time": "day"},
    "parts": {
        "hepatic": {"use": "tumours/lesion"},
        "extrahepatic": {"use": "tumours/lesion"},
        "growth": {"use": "lesion_growth.toml", "tumour": "hepatic"},
        "imaging": {"use": "host/imaging"},
        "hazard": {"use": "host/hazard", "hepatic": "hepatic", "extrahepatic": "extrahepatic"},
    },
}


def line(value, unit="1", **more):
    return {"value": value, "unit": unit, **more}


def rate(value):
    return {"RATE": line(value, "1/day", spread={"law": "normal", "sd": SD})}


def lesion(diameter):
    return {"D0": line(diameter, "mm"), "R0": line(0), "KD": line(0, "1/day")}


PATIENTS = {
    "parameters": {"model": "one_lesion.toml"},
    "values": {
        "hepatic": lesion(50),
        "extrahepatic": lesion(3),
        "growth": rate(-0.005),
        "imaging": {
            "D50CT": line(0.01, "mm"),
            "SCT": line(0.001, "mm"),
            "D50MRI": line(0.01, "mm"),
            "SMRI": line(0.001, "mm"),
            "ERR": line(0),
        },
        "hazard": {
            "H0": line(1e-12, "1/day"),
            "H1": line(0, "1/day"),
            "BREF": line(50, "mL"),
            "GAMMA": line(1),
        },
    },
}
SHIFTED = {"parameters": {"model": "lesion_growth.toml"}, "values": rate(0)}


def count(name, arm, k, n, **more):
    return {
        "name": name,
        "kind": "count",
        "arm": arm,
        "endpoint": name,
        "value": k,
        "n": n,
        "use": "fit",
        "seen": "user",
        **more,
    }


def trial(arms, figures):
    protocol = {
        "follow_up": {"from": "6 month", "to": "6 month"},
        "modality": {"is": "CT"},
        "criteria": {"is": "RECIST 1.1"},
        "confirmed": {"is": "no"},
        "scans": {"every": ["12 week"], "until": ["12 week"]},
        "jitter": {"sd": "0 day"},
        "run_in": {"lasts": "0 day"},
    }
    return {
        "trial": {"title": "Made up", "disease": "one_lesion.toml", "parameters": "patients.toml"},
        "protocol": protocol,
        "arms": arms,
        "figures": figures,
    }


ONE = trial(
    [{"name": "all", "n": 60}, {"name": "shifted", "n": 50, "patients": [{"contexts": ["shifted.toml"]}]}],
    [count("response", "all", 24, 60), count("response", "shifted", 8, 50)],
)
TWO = trial(
    [{"name": "all", "n": 80}],
    [count("response", "all", 31, 80), count("control", "all", 75, 79, at="12 week")],
)
FIT = {
    "fit": {
        "trials": ["one.toml", "two.toml"],
        "parameters": "patients.toml",
        "patients": 2000,
        "replicates": 400,
        "starts": 1,
        "design": 20,
        "draws": 100,
    },
    "free": [
        {
            "name": "growth",
            "line": "growth.RATE",
            "set": "patients.toml",
            "scale": "linear",
            "prior": {"at": -0.005, "sd": 0.01},
        },
        {
            "name": "growth, shifted",
            "line": "growth.RATE",
            "set": "shifted.toml",
            "scale": "linear",
            "prior": {"at": 0.0, "sd": 0.01},
        },
    ],
}
FILES = {
    "lesion_growth": GROWTH,
    "one_lesion": DISEASE,
    "patients": PATIENTS,
    "shifted": SHIFTED,
    "one": ONE,
    "two": TWO,
    "fit": FIT,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files of the made-up problem, where they are found by name."""
    folder = tmp_path_factory.mktemp("joint")
    for name, tables in FILES.items():
        (folder / f"{name}.toml").write_text(tomli_w.dumps(tables))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def fit(folder):
    return load_fit("fit.toml")


@pytest.fixture(scope="module")
def base(folder):
    return load_parameters("patients.toml", daily_model("one_lesion.toml"))


@pytest.fixture
def tables():
    """The tables of each file, to be spoilt."""
    return copy.deepcopy(FILES)


@pytest.fixture(scope="session")
def made_up():
    """A trial of the problem's disease from its arms and figures."""
    return trial
