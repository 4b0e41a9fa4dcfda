"""The code of the pages runs, their links lead somewhere, and their indexes leave none out."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *DOCS, *sorted((ROOT / "benchmarks").rglob("*.md"))]
RUNNING = [p for p in (ROOT / "README.md", *DOCS) if "```python" in p.read_text(encoding="utf-8")]
SOURCES = [
    f
    for folder in ("pkpd", "tools", "tests", "benchmarks", "models", "parameters", "fits", "studies")
    for f in sorted((ROOT / folder).rglob("*"))
    if f.suffix in (".py", ".toml", ".md")
]


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(page: Path) -> str:
    """A page without its blocks of code, in which brackets are no links."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)


def links(page: Path) -> list[str]:
    """What a page links to within this project."""
    found = re.findall(r"\[[^\]\[]*\]\(([^)\s]+)\)", text_of(page))
    return [x for x in found if not re.match(r"[a-z]+:", x)]


def anchors(page: Path) -> set[str]:
    """The names that a page's headings have as targets of links."""
    heads = re.findall(r"^#+ (.*)$", text_of(page), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in heads}


@pytest.mark.parametrize("page", RUNNING, ids=place)
def test_the_code_of_a_page_runs(page):
    namespace: dict = {}
    for code in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
        exec(compile(code, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_every_link_of_a_page_leads_somewhere(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_that_is_named_without_a_link_is_there():
    for file in (*SOURCES, *PAGES):
        for name in re.findall(r"(?<![\w/])docs/[\w/-]+\.md", file.read_text(encoding="utf-8")):
            assert (ROOT / name).is_file() or file.name == "test_fill_docs.py", f"{place(file)}: {name}"


def test_the_index_leaves_no_page_out():
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / x.partition("#")[0]).resolve() for x in links(index)}
    assert [place(p) for p in DOCS if p.parent.name != "decisions" and p not in listed | {index}] == []


def test_the_index_and_the_readme_draw_one_path():
    drawn = [
        re.findall(r"```\n(model files.*?)```", (ROOT / f).read_text(encoding="utf-8"), re.S)
        for f in ("README.md", "docs/README.md")
    ]
    assert drawn[0] == drawn[1] != []


def test_every_decision_has_its_number_its_status_and_its_line_in_the_index():
    folder = ROOT / "docs" / "decisions"
    files = sorted(folder.glob("[0-9]*.md"))
    rows = re.findall(
        r"^\| \[(\d{3})\]\((.*?)\) \| (.*) \| (.*) \|$",
        (folder / "README.md").read_text(encoding="utf-8"),
        re.M,
    )
    assert [r[0] for r in rows] == [f"{i + 1:03d}" for i in range(len(files))]
    for file, (number, name, title, status) in zip(files, rows, strict=True):
        lines = file.read_text(encoding="utf-8").split("\n")
        assert name == file.name and name.startswith(number + "-")
        assert lines[0] == f"# {number}. {title}" and lines[2] == f"Status: {status}", name
        after = re.fullmatch(r"accepted|accepted; amended by (\d{3})|superseded by (\d{3})", status)
        assert after and all(x is None or number < x <= rows[-1][0] for x in after.groups()), name


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

    page = (ROOT / "docs" / "results" / "eortc_40983.md").read_text()
    for row in load_result("eortc_40983")[1]["free"]:
        assert f"| {row['name']} | {row['prior']:.3g} " in page
        assert f"| {row['median']:.3g} ({row['low']:.3g}–{row['high']:.3g}) |" in page
