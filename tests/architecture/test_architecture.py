"""The house: layers, sizes, start-up."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "pkpd").rglob("*.py"))


def test_a_layer_imports_only_from_layers_below_it():
    done = subprocess.run([sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
                          cwd=ROOT, capture_output=True, text=True)
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
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_every_public_word_is_there():
    import pkpd

    for word in pkpd.__all__:
        assert getattr(pkpd, word) is not None


def test_nothing_is_evaluated_by_python_or_sympy():
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                assert name not in ("eval", "exec", "sympify", "parse_expr", "__import__"), f"{file}: {name}"
