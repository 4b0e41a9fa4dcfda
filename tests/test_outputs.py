"""Outputs: never in the place of what was read or is shipped, whole or not there, and nothing left by a
killed process.
"""

import ast
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pkpd.commands.run import fit_to_file
from pkpd.content import library
from pkpd.errors import OutputError
from pkpd.machine import drafts, inputs, store
from pkpd.report.writing import write_report

READ = "{0}: is read in this run, and would be replaced by its output\n    remedy: name another file"
SHIPPED = "{0}: belongs to the library, and would be replaced\n    remedy: name another file"
MODEL = """[model]
title = "One compartment"
time = "hour"
[parameters]
K = { unit = "1/hour" }
[compartments]
central = { unit = "mg", dose = true }
effect = { unit = "1", start = 1 }
[flows]
elimination = { from = "central", rate = "K * central" }
waning = { from = "effect", rate = "K * effect" }
"""
VALUES = """[parameters]
model = "one.toml"
[values]
K = { value = 0.1, unit = "1/hour", spread = { law = "lognormal", sd = 0.5 } }
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inputs, "_READ", set())
    monkeypatch.setattr(store, "_WROTE", set())
    return tmp_path


def refused(path) -> str:
    with pytest.raises(OutputError) as caught:
        store.write_text(path, "new")
    with pytest.raises(OutputError) as early:
        store.require_writable(path)
    assert str(early.value) == str(caught.value)
    return str(caught.value)


# --- never in the place of an input -----------------------------------


@pytest.fixture
def read(here) -> Path:
    Path("one.toml").write_text(MODEL)
    library.read("model", "one.toml")
    return here / "one.toml"


def symlink(read: Path) -> str:
    Path("link.toml").symlink_to(read)
    return "link.toml"


def hard(read: Path) -> str:
    os.link(read, "hard.toml")
    return "hard.toml"


def around(read: Path) -> str:
    Path("sub").mkdir()
    return "sub/../one.toml"


def through(read: Path) -> str:
    Path("folder").symlink_to(read.parent)
    return "folder/one.toml"


@pytest.mark.parametrize(
    "named", [lambda read: "one.toml", lambda read: str(read), symlink, hard, around, through]
)
def test_what_was_read_is_not_written_over_by_any_name(read, named):
    name = named(read)
    assert refused(name) == READ.format(name)
    assert read.read_text() == MODEL


def test_a_file_whose_name_differs_in_case_is_the_same_where_the_folder_says_so(read, monkeypatch):
    """As on a Mac: both names lead to one file."""
    found = os.stat
    monkeypatch.setattr(inputs.os, "stat", lambda p, **k: found(str(p).replace("ONE", "one"), **k))
    assert inputs.was_read("ONE.toml")


def test_an_input_that_moved_with_the_current_folder_is_still_known(read, monkeypatch):
    Path("sub").mkdir()
    monkeypatch.chdir("sub")
    assert refused("../one.toml") == READ.format("../one.toml")


def test_a_file_read_may_be_rewritten_on_request_and_a_file_of_one_s_own_again(read):
    store.write_text("one.toml", MODEL + "# more\n", over_read=True)
    assert Path("one.toml").read_text().endswith("# more\n")
    store.write_text("result.toml", MODEL)
    library.read("model", "result.toml")
    store.write_text("result.toml", "again")  # it is this process's own
    assert Path("result.toml").read_text() == "again"


def test_records_are_inputs():
    from pkpd.records.sheet import read_sheet

    Path("events.csv").write_text("ID,TIME\n1,0\n")
    read_sheet("events.csv")
    assert refused("events.csv") == READ.format("events.csv")


def command(*args: str, **more) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "pkpd.commands.cli", *args], capture_output=True, text=True, **more
    )


@pytest.mark.parametrize(
    ("out", "args"),
    [
        ("table.csv", ["simulate", "one.toml", "--parameters", "values.toml", "--data", "data.csv"]),
        ("model.svg", ["show", "model.svg", "--diagram", "model.svg"]),
    ],
)
def test_no_command_writes_over_its_inputs(out, args):
    Path("one.toml").write_text(MODEL)
    Path("model.svg").write_text(MODEL)
    Path("values.toml").write_text(VALUES)
    Path("data.csv").write_text("ID,TIME,AMT,EVID,CMT\n1,0,1,1,1\n1,1,.,0,.\n")
    os.link("data.csv", "table.csv")
    done = command(*args, *(["--out", out] if args[0] == "simulate" else []))
    assert done.returncode == 2 and READ.format(out) in done.stderr, done.stderr
    assert Path("model.svg").read_text() == MODEL and Path("data.csv").read_text().startswith("ID,TIME,AMT")


# --- never in the place of the library's own --------------------------


@pytest.fixture
def shipped(here, monkeypatch) -> Path:
    """A library with one result."""
    root = here / "shipped"
    for folder in library.FOLDERS.values():
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "fits" / "results" / "eortc.toml").write_text("theirs")
    monkeypatch.setattr(inputs, "ROOT", root)
    return root / "fits" / "results" / "eortc.toml"


@pytest.mark.parametrize("named", [lambda f: f, symlink, hard])
def test_what_the_library_ships_is_not_written_over_by_any_name(shipped, named):
    name = named(shipped)
    assert refused(name) == SHIPPED.format(name)
    assert shipped.read_text() == "theirs"


def test_what_the_library_ships_is_replaced_on_request(shipped):
    store.write_text(shipped, "ours", over_shipped=True)
    assert shipped.read_text() == "ours"
    store.write_text(shipped.with_name("new.toml"), "a new one replaces nothing")


FIT = Path(__file__).parents[1] / "fits" / "eortc_40983.toml"


@pytest.fixture
def untouched(monkeypatch):
    """The result of the library's fit, which is as it was in the end; a fit that would run is an error."""
    monkeypatch.setattr("pkpd.fit.run.run_fit", lambda *x, **y: pytest.fail("the fit was run"))
    result = inputs.ROOT / "fits" / "results" / "eortc_40983.toml"
    before = result.read_bytes()
    yield result
    assert result.read_bytes() == before


def test_a_fit_does_not_replace_itself(untouched):
    shutil.copy(FIT, "small.toml")
    with pytest.raises(OutputError) as caught:
        fit_to_file("./small.toml", False, Path("small.toml"), print)
    assert (
        str(caught.value) == READ.format("small.toml") and Path("small.toml").read_bytes() == FIT.read_bytes()
    )


def test_a_fit_does_not_replace_a_set_that_it_rests_on(untouched):
    Path("link.toml").symlink_to(library.find("trial", "eortc_40983"))
    with pytest.raises(OutputError, match="link.toml: is read in this run"):
        fit_to_file("eortc_40983", False, Path("link.toml"), print, replace_shipped=True)


def test_a_fit_does_not_replace_the_library_s_result_unless_told_to(untouched):
    with pytest.raises(ValueError) as caught:
        fit_to_file("eortc_40983", False, untouched, print)
    assert str(caught.value) == (
        f"--out: {untouched} belongs to the library, and would be replaced\n    remedy: name another "
        "file, or add --replace-shipped to refit the library's own"
    )
    with pytest.raises(
        ValueError, match="--replace-shipped: ./a.toml is a file of yours, whose result is none of the lib"
    ):
        shutil.copy(FIT, "a.toml")
        fit_to_file("./a.toml", False, None, print, replace_shipped=True)


def test_the_first_result_of_a_fit_of_a_checkout_is_the_library_s_and_of_an_installed_one_is_a_file_here(
    shipped, monkeypatch
):
    from pkpd.commands.run import _result_file

    assert _result_file("other", None, False) == shipped.with_name("other.toml")
    assert _result_file("eortc", None, False) == Path("eortc_result.toml")
    shipped.parents[2].rename("_library")
    monkeypatch.setattr(inputs, "ROOT", Path("_library"))
    assert _result_file("other", None, False) == Path("other_result.toml")


@pytest.mark.parametrize(
    ("name", "replace", "target"),
    [
        ("eortc_40983", False, "eortc_40983_result.toml"),
        ("./eortc_40983.toml", False, "eortc_40983_result.toml"),
        ("eortc_40983", True, str(inputs.ROOT / "fits" / "results" / "eortc_40983.toml")),
    ],
)
def test_where_a_fit_s_result_goes_if_nothing_is_said(name, replace, target):
    from pkpd.commands.run import _result_file

    shutil.copy(FIT, "eortc_40983.toml")
    assert str(_result_file(name, None, replace)) == target


def calls(file: Path) -> list[tuple[str, str]]:
    """The last name of each call in a file, and that of what it is called on."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            on = node.func.value
            found.append((node.func.attr, on.id if isinstance(on, ast.Name) else ""))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.append((node.func.id, ""))
    return found


PACKAGE = Path(store.__file__).parents[1]
# the last has its own folder, which no input is read from
WRITERS = {"machine/store.py", "machine/drafts.py", "machine/cache.py"}
READERS = {"content/library.py", "records/sheet.py"}  # each notes what it reads
# code, definitions, references; what was read before
LIBRARY_S_OWN = {"machine/store.py", "content/units.py", "content/references.py", "commands/show.py"}
NEW = {"commands/templates/__init__.py"}  # makes new files only, and looks for a model by its first line


def test_every_file_is_written_by_the_store_which_guards_it():
    for file in PACKAGE.rglob("*.py"):
        own = [
            (name, on)
            for name, on in calls(file)
            if (name, on) != ("open", "os")
            and on != "store"
            and name
            in (
                "open",
                "write_text",
                "write_bytes",
                "to_csv",
                "to_parquet",
                "to_json",
                "tofile",
                "touch",
                "NamedTemporaryFile",
                "mkstemp",
            )
        ]
        assert not own or file.relative_to(PACKAGE).as_posix() in WRITERS | NEW, (file, own)


def test_every_file_of_a_user_is_read_where_it_is_noted():
    noted = set()
    for file in PACKAGE.rglob("*.py"):
        name, found = file.relative_to(PACKAGE).as_posix(), calls(file)
        noted |= {name} if ("note", "inputs") in found else set()
        reads = [
            n
            for n, on in found
            if (n, on) != ("open", "os")
            and n in ("open", "read_text", "read_bytes", "read_csv", "read_parquet", "read_json")
        ]
        assert not reads or name in WRITERS | READERS | LIBRARY_S_OWN | NEW, (name, reads)
    assert noted == READERS


# --- whole or not there -----------------------------------------------


def test_a_link_is_written_through_and_stays_a_link(here):
    Path("far").mkdir()
    Path("out.txt").symlink_to("far/out.txt")
    store.write_text("out.txt", "x")
    assert (
        Path("far/out.txt").read_text() == "x"
        and Path("out.txt").is_symlink()
        and os.listdir("far") == ["out.txt"]
    )


def test_a_file_that_is_replaced_keeps_its_rights_and_a_read_only_one_is_told(monkeypatch):
    Path("a.txt").write_text("old")
    Path("a.txt").chmod(0o600)
    store.write_text("a.txt", "new")
    assert stat.S_IMODE(Path("a.txt").stat().st_mode) == 0o600
    monkeypatch.setattr(os, "access", lambda path, how: Path(path).is_dir())
    with pytest.raises(
        OutputError, match="a.txt: is read-only\n    remedy: choose another, or let it be written"
    ):
        store.require_writable("a.txt")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("x" * 300 + ".csv", "File name too long"),
        ("a\0b.csv", ".*null.*"),
        ("loop/a.csv", "Too many levels of symbolic links"),
    ],
)
def test_a_name_that_no_file_can_have_is_told_before_any_work(name, why):
    Path("loop").symlink_to("loop")
    for write in (store.require_writable, lambda path: store.write_text(path, "x")):
        with pytest.raises(
            OutputError, match=rf": cannot be written \({why}\)\n    remedy: name another file"
        ):
            write(name)


def test_a_full_device_is_told_and_stays_a_device():
    with pytest.raises(OutputError) as caught:
        store.write_json("/dev/full", {"a": list(range(9999))})
    assert str(caught.value) == "/dev/full: cannot be written (No space left on device)"
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_pipe_and_standard_output_are_written_straight():
    os.mkfifo("pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_text()))
    reader.start()
    store.write_text(store.require_writable("pipe"), "through")
    reader.join(10)
    assert got == ["through"] and stat.S_ISFIFO(os.stat("pipe").st_mode)
    code = (
        "from pkpd.machine import store; print('first', flush=True); store.write_text('/dev/stdout', "
        "'x'); print('last')"
    )
    with open("log", "w") as log:
        subprocess.run([sys.executable, "-c", code], stdout=log, check=True)
    assert Path("log").read_text() == "first\nxlast\n"


def test_a_file_in_memory_is_a_file():
    path = Path(f"/dev/shm/pkpd-{os.getpid()}.txt")
    if not path.parent.is_dir():
        pytest.skip("this system has no such folder")
    try:
        for text in ("old", "new"):
            store.write_text(path, text)
        assert path.read_text() == "new"
    finally:
        path.unlink(missing_ok=True)


def test_a_folder_is_made_only_for_a_file_that_is_whole(here):
    with pytest.raises(ZeroDivisionError), store.writing("a/b/c.txt") as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert os.listdir(here) == []


NAMELESS = [True, False]


@pytest.fixture(params=NAMELESS, ids=["nameless", "hidden"])
def way(request, monkeypatch) -> str:
    """Both ways of writing a draft, as code that a subprocess begins with."""
    if request.param:
        return ""
    fails = (
        "from pkpd.machine import drafts\ndef none(*_): raise OSError('not here')\ndrafts._nameless = none\n"
    )
    monkeypatch.setattr(drafts, "_nameless", lambda *_: (_ for _ in ()).throw(OSError("not here")))
    return fails


def killed(code: str) -> None:
    """Runs code until it prints, and kills it."""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        process.send_signal(signal.SIGKILL)


def test_a_killed_process_leaves_the_old_file_and_at_most_a_file_that_the_next_one_removes(here, way):
    Path("out.txt").write_text("old")
    killed(
        way + "from pkpd.machine import store\nimport time\nwith store.writing('out.txt') as file:\n"
        "    file.write(b'x' * 10**6); file.flush(); print('now', flush=True); time.sleep(60)\n"
    )
    left = sorted(os.listdir(here))
    assert left == ["out.txt"] if not way else len(left) == 2 and left[0].endswith(drafts.MARK)
    assert Path("out.txt").read_text() == "old"
    Path("other.txt").write_text("not mine")
    store.write_text("out.txt", "new")
    assert sorted(os.listdir(here)) == ["other.txt", "out.txt"] and Path("out.txt").read_text() == "new"


def test_a_draft_that_is_being_written_is_not_removed_by_another_writer(here, way):
    with store.writing("out.txt") as first:
        first.write(b"first")
        store.write_text("out.txt", "second")
        assert Path("out.txt").read_text() == "second"
    assert Path("out.txt").read_text() == "first" and os.listdir(here) == ["out.txt"]


def page(folder, text: str = "new") -> Path:
    figures = {n: {"svg": text, "address": "", "caption": ""} for n in ("one", "two")}
    return write_report(Path(folder), text, {"a": text}, text, figures)


def contents(folder) -> dict[str, str]:
    return {str(f.relative_to(folder)): f.read_text() for f in sorted(Path(folder).rglob("*")) if f.is_file()}


def test_a_page_is_written_beside_other_files_of_its_folder(here, way):
    Path("page/figures").mkdir(parents=True)
    for name in ("page/mine.txt", "page/figures/mine.svg", "page/index.html"):
        Path(name).write_text("old")
    assert page("page") == Path("page/index.html")
    assert contents("page") == {
        "figures/mine.svg": "old",
        "figures/one.svg": "new",
        "figures/two.svg": "new",
        "index.html": "new",
        "mine.txt": "old",
        "results.csv": "new",
        "results.json": Path("page/results.json").read_text(),
    }
    assert json.loads(Path("page/results.json").read_text())["a"] == "new"


def test_a_page_that_fails_late_leaves_the_old_one_whole(here, way, monkeypatch):
    page("page", "old")
    before, link, count = contents("page"), os.link, []

    def full(*x, **y):
        count.append(1)
        if len(count) > 3:
            raise OSError(28, "No space left on device")
        return link(*x, **y)

    monkeypatch.setattr(
        os,
        "link" if not way else "fsync",
        full if not way else lambda *_: full(".", "..") if count.append(1) or len(count) > 3 else None,
    )
    with pytest.raises(OutputError, match="page: cannot be written \\(No space left on device\\)"):
        page("page")
    assert contents("page") == before and os.listdir(here) == ["page"]


def test_a_page_that_cannot_be_begun_leaves_no_folder(here, way, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OutputError):
        page("page")
    assert not any(f.is_file() for f in here.rglob("*"))


def test_a_killed_process_leaves_an_old_page_whole(here, way):
    page("page", "old")
    before = contents("page")
    killed(
        way + "import time\nfrom pathlib import Path\nfrom pkpd.machine import store\n"
        "from pkpd.report.writing import write_report\n"
        "once = store.write_text\n"
        "def slow(path, text):\n    made = once(path, text)\n    if path.name == 'two.svg':\n"
        "        print('now', flush=True); time.sleep(60)\n    return made\nstore.write_text = slow\n"
        "write_report(Path('page'), 'n', {}, 'n', {n: {'svg': 'n'} for n in ('one', 'two')})\n"
    )
    assert {k: v for k, v in contents("page").items() if not k.endswith(drafts.MARK)} == before
    page("page")
    assert set(contents("page")) == set(before)


def writes(process: int, folder: Path) -> bool:
    """Whether a process holds a draft in a folder that has content."""
    for handle in Path(f"/proc/{process}/fd").iterdir():
        try:
            name = os.readlink(handle)
            if name.startswith(str(folder)) and name.endswith("(deleted)") and os.stat(handle).st_size:
                return True
        except OSError:  # closed in the meantime
            continue
    return False


def test_a_simulation_that_is_stopped_leaves_nothing(here):
    Path("one.toml").write_text(MODEL)
    Path("values.toml").write_text(VALUES)
    args = [
        "simulate",
        "one.toml",
        "--parameters",
        "values.toml",
        "--patients",
        "100000000",
        "--until",
        "10 hour",
        "--every",
        "1 hour",
        "--out",
        "a.csv",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "pkpd.commands.cli", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.time() + 60
    while time.time() < deadline and process.poll() is None and not writes(process.pid, here):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 2 and "interrupted; no half-written file was left" in error
    assert sorted(os.listdir(here)) == ["one.toml", "values.toml"]


def test_a_disk_that_fills_while_it_is_written_is_told_and_nothing_is_left(here):
    Path("one.toml").write_text(MODEL)
    Path("values.toml").write_text(VALUES)
    done = command(
        "simulate",
        "one.toml",
        "--parameters",
        "values.toml",
        "--patients",
        "20000",
        "--until",
        "10 hour",
        "--every",
        "1 hour",
        "--out",
        "a.parquet",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
    )
    assert done.returncode == 2 and "a.parquet: cannot be written (File too large)" in done.stderr, (
        done.stderr
    )
    assert sorted(os.listdir(here)) == ["one.toml", "values.toml"]


def test_json_of_a_result_is_whole(here):
    assert json.loads(store.write_json("a.json", {"a": 1}).read_text()) == {"a": 1}
