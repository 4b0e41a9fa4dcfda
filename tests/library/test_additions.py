"""What is added to the library touches content alone: a drug three files, a trial one, a covariate one line.

Each is added to a temporary copy, where `pkpd check` and the laws of the library look at what was added.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pkpd.machine.inputs import SHIPPED

ROOT = Path(__file__).resolve().parents[2]
COVARIATE = 'CRP = { unit = "mg/L", low = 0.1, high = 500, text = "C-reactive protein", seen = "assumed" }\n'
PATIENTS = 'CRP = { value = 12, unit = "mg/L", where = "assumed", seen = "assumed" }\n'
DRUG = {
    "models/drugs/additumab.toml": """
format = 1

[model]
title = "Additumab (of a test): one compartment, linear elimination"
reference = "assumption"
time = "day"

[parameters]
CL = { unit = "L/day", text = "clearance", low = 0 }
VC = { unit = "L", text = "central volume", low = 0 }

[compartments]
central = { unit = "mg", text = "additumab in plasma", dose = true }

[flows]
elimination = { from = "central", rate = "CL / VC * central", text = "elimination" }

[variables]
Cc = { unit = "mg/L", is = "central / VC", text = "plasma concentration" }
""",
    "parameters/additumab_assumed.toml": """
format = 1

[parameters]
model = "drugs/additumab"
title = "Additumab (of a test)"
reference = "assumption"
default = true
include = ["patients_crc"]

[values]
VC = { value = 4, unit = "L", where = "assumed", seen = "assumed", spread = { law = "lognormal", cv = 0.2 } }

[values.CL]
value = 0.25
unit = "L/day"
where = "assumed"
seen = "assumed"
effect = { is = "(CRP / 10)**0.1", reference = { CRP = 10 } }
""",
    "models/regimens/additumab_q2w.toml": """
format = 1

[regimen]
title = "Additumab 300 mg every 2 weeks"
reference = "assumption"
cycle = "14 day"

[[doses]]
drug = "additumab"
amount = "300 mg"
days = [1]
over = "60 minute"
""",
}
TRIAL = """
format = 1

[trial]
title = "Nivolumab in disease with metastases of the liver (of a test)"
reference = "assumption"
disease = "systems/crlm_immune"
parameters = "crlm_immune_advanced"

[therapies]
"therapy.PD1" = "nivolumab.occupancy"

[protocol]
follow_up = { from = "6 month", to = "12 month", where = "assumed", seen = "assumed" }
modality = { is = "CT", elsewhere = "CT", where = "assumed", seen = "assumed" }
criteria = { is = "RECIST 1.1", where = "assumed", seen = "assumed" }
confirmed = { is = "no", where = "assumed", seen = "assumed" }
scans = { every = ["8 week"], until = ["1 year"], where = "assumed", seen = "assumed" }
jitter = { sd = "4 day", where = "assumed", seen = "assumed" }
run_in = { lasts = "90 day", where = "assumed", seen = "assumed" }

[[arms]]
name = "nivolumab"
title = "Nivolumab 240 mg every 2 weeks for a year"
n = 20
regimen = "nivolumab_240_q2w"
treatment = { cycles = 26, where = "assumed", seen = "assumed" }

[[arms.patients]]
name = "all"
covariates = { LESIONS = 2, ELSEWHERE = 0 }
where = "assumed"
seen = "assumed"

[[figures]]
name = "response"
kind = "count"
arm = "nivolumab"
endpoint = "response"
value = 1
n = 20
use = "predict"
where = "made up for a test"
seen = "assumed"
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code, the content and the laws, with a covariate, a drug of it and a trial added."""
    root = tmp_path_factory.mktemp("copy")
    for folder in ("pkpd", *SHIPPED, "tests/library"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "tests/__init__.py"):
        shutil.copy2(ROOT / file, root / file)
    for name, text in {**DRUG, "fits/trials/addition.toml": TRIAL}.items():
        (root / name).write_text(text.lstrip(), encoding="utf-8")
    for name, line in (("covariates", COVARIATE), ("patients_crc", PATIENTS)):
        with (root / f"parameters/{name}.toml").open("a", encoding="utf-8") as file:
            file.write(line)
    return root


def run(root: Path, *words: str) -> tuple[int, str]:
    """What a module of the copy says, and its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_what_was_added_is_checked_by_name(copy):
    added = ("additumab", "additumab_assumed", "additumab_q2w", "addition")
    code, said = run(copy, "pkpd.commands.cli", "check", *added)
    assert code == 0, said


def test_a_drug_whose_covariate_is_not_in_the_register_is_refused(copy):
    register = copy / "parameters/covariates.toml"
    whole = register.read_text(encoding="utf-8")
    try:
        register.write_text(whole.replace(COVARIATE, ""), encoding="utf-8")
        code, said = run(copy, "pkpd.commands.cli", "check", "additumab_assumed")
    finally:
        register.write_text(whole, encoding="utf-8")
    assert code == 2 and "'CRP' is not a covariate" in said


def test_the_laws_of_the_library_hold_of_what_was_added(copy):
    laws = ("pytest", "tests/library/test_laws.py", "-k", "addit", "-n", "0", "-p", "no:cacheprovider", "-v")
    code, said = run(copy, *laws)
    passed = re.search(r"(\d+) passed", said)
    assert code == 0 and passed is not None and int(passed[1]) >= 20, said
