"""The code of the pages runs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_code_of_a_page_runs(page):
    namespace: dict = {}
    for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.S):
        exec(compile(code, str(page), "exec"), namespace)


def test_ci_runs_the_two_commands_that_the_readme_prints():
    readme, script = (ROOT / "README.md").read_text(), (ROOT / ".ci" / "run").read_text()
    commands = [line for block in re.findall(r"```sh\n(.*?)```", readme, re.S) for line in block.splitlines()]
    for word in re.findall(r"command_with '(.*?)'", script):
        assert sum(word in c for c in commands) == 1, word


def test_every_command_of_the_readme_exists():
    from typer.main import get_command

    from pkpd.commands.cli import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    named = set(re.findall(r"^\| `pkpd (\w+)", (ROOT / "README.md").read_text(), re.M))
    assert named == known


def test_the_page_on_the_fit_tells_what_the_shipped_result_holds():
    from pkpd import load_result

    page = (ROOT / "docs" / "eortc_40983.md").read_text()
    for row in load_result("eortc_40983")[1]["free"]:
        assert f"| {row['name']} | {row['prior']:.3g} " in page
        assert f"| {row['median']:.3g} ({row['low']:.3g}–{row['high']:.3g}) |" in page
