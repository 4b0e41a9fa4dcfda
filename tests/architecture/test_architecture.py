"""The house: layers, sizes, start-up."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "pkpd").rglob("*.py"))


def test_a_layer_imports_only_from_layers_below_it():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_code_passes_ruff():
    asked = [sys.executable, "-m", "ruff", "check", "pkpd", "tests", "benchmarks", "tools"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_code_passes_pyright():
    asked = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_files_are_under_300_lines_and_functions_under_40(file):
    text = file.read_text()
    assert text.count("\n") <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno + 1 <= 40, node.name


def test_no_module_is_a_drawer():
    names = {f.stem for f in FILES}
    assert not names & {"utils", "core", "base", "common", "helpers", "misc"}


def test_importing_pkpd_takes_no_heavy_library():
    heavy = ("numpy", "sympy", "pint", "pandas", "numba", "lifelines", "matplotlib")
    code = f"import sys, pkpd; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def test_every_public_word_is_there():
    import pkpd

    for word in pkpd.__all__:
        assert getattr(pkpd, word) is not None


def test_type_checkers_see_every_public_word_where_it_is_defined():
    import pkpd

    tree = ast.parse((ROOT / "pkpd/__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {*seen} == {*pkpd.__all__} - {"__version__"}
    for word, module in seen.items():
        assert getattr(pkpd, word).__module__ == module, word


def test_nothing_is_evaluated_by_python_or_sympy():
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                assert name not in ("eval", "exec", "sympify", "parse_expr", "__import__"), f"{file}: {name}"


TREE = sorted(f for room in ("pkpd", "tests", "benchmarks", "tools") for f in (ROOT / room).rglob("*.py"))


def test_the_tree_is_formatted():
    asked = [sys.executable, "-m", "ruff", "format", "--check", "pkpd", "tests", "benchmarks", "tools"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_lines_are_of_at_most_110_characters():
    long = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in TREE
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 110
    ]
    assert long == []


def test_nouns_are_made_by_keyword():
    """Nobody reads which of more than six positions is which."""
    many = []
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) > 6):
                continue
            if node.func.id.lstrip("_")[:1].isupper():
                many.append(f"{file.relative_to(ROOT)}:{node.lineno} {node.func.id}")
    assert many == []


NOUNS = {
    "Model": "model/model.py",
    "Parameters": "parameters/parameters.py",
    "Regimen": "regimen/regimen.py",
    "Population": "parameters/population.py",
    "Simulation": "simulation/simulation.py",
    "Trial": "trial/trial.py",
    "Readout": "trial/readout.py",
    "Fit": "fit/fit.py",
    "Study": "study/study.py",
}


def test_every_noun_lives_in_the_file_of_its_name():
    found = {
        (node.name, file.relative_to(ROOT / "pkpd").as_posix())
        for file in FILES
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name in NOUNS
    }
    assert found == set(NOUNS.items())
