"""The store: content hashes, whole files or none; and where work runs."""

import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pkpd import load_model
from pkpd.errors import ContentError, Issue, NotFound, OutputError, fail
from pkpd.machine import store
from pkpd.machine.executor import run_all, workers


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PKPD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@dataclass(frozen=True)
class Thing:
    name: str
    size: float
    parts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Other:
    name: str
    size: float
    parts: tuple[int, ...] = ()


def fails(*_, **__):
    raise OSError(28, "No space left on device")


# --- content hashes ---------------------------------------------------


def test_equal_content_has_an_equal_hash_whatever_the_order_of_keys():
    assert store.content_hash({"a": 1, "b": [2, 3]}) == store.content_hash({"b": [2, 3], "a": 1})
    assert store.content_hash((1, 2)) == store.content_hash([1, 2])


def test_a_hash_is_the_same_in_another_process():
    code = (
        "from pkpd import load_model\nfrom pkpd.machine import store\nfrom fractions import Fraction\n"
        "print(store.content_hash({'b': 1.5, 'a': Fraction(1, 3)}, 'µg'), load_model('systems/crlm').hash)"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert seen == {
        f"{store.content_hash({'a': Fraction(1, 3), 'b': 1.5}, 'µg')} {load_model('systems/crlm').hash}"
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        (1, 1.0),
        (True, 1),
        ("a", "b"),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 2}),
        (None, 0),
        (0.1, 0.1 + 1e-16),
        (1.0, "1.0"),
        (Fraction(1, 2), Fraction(1, 3)),
        (np.array([1, 2]), np.array([2, 1])),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(2), np.zeros(2, dtype=np.float32)),
        (Thing("a", 1.0), Thing("a", 2.0)),
        (Thing("a", 1.0), Other("a", 1.0)),
        (["ab", "c"], ["a", "bc"]),
    ],
    ids=str,
)
def test_different_content_has_a_different_hash(one, other):
    assert store.content_hash(one) != store.content_hash(other)


def test_code_that_changes_under_a_running_process_has_a_hash_of_that_process_alone(tmp_path):
    """What it runs is the code from before: it may share nothing with processes that run what is
    on the disk.
    """
    shutil.copytree(
        Path(store.__file__).parents[1], tmp_path / "pkpd", ignore=shutil.ignore_patterns("__pycache__")
    )
    changes = (
        "import time\nfrom pathlib import Path\nfrom pkpd.machine import store\ntime.sleep(0.05)\n"
        "path = Path(store.__file__).parents[1] / 'content/units.py'\npath.write_text(path.read_text())\n"
    )
    tells = (
        "from pkpd.machine import store\nprint(store.code_hash('content/units.py'), "
        "store.code_hash('errors.py'))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    seen = [
        subprocess.run(
            [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.split()
        for code in (tells, changes + tells, changes + tells, tells)
    ]
    assert (
        seen[0] == seen[3]
        and len({units for units, _ in seen[:3]}) == 3
        and len({plot for _, plot in seen}) == 1
    )


def test_a_number_of_numpy_hashes_as_the_number():
    assert store.content_hash(np.float64(0.1)) == store.content_hash(0.1)


def test_the_layout_of_an_array_in_memory_does_not_change_its_hash():
    a = np.arange(6.0).reshape(2, 3)
    assert store.content_hash(a) == store.content_hash(np.asfortranarray(a))
    assert store.content_hash(a[:, :2]) == store.content_hash(a[:, :2].copy())


def test_a_model_s_hash_is_of_what_is_computed_not_of_its_title():
    model = load_model("drugs/oxaliplatin")
    assert replace(model, title="another", name="another", text="another").hash == model.hash
    assert replace(model, time="day").hash != model.hash
    assert replace(model, flows=model.flows[:-1]).hash != model.hash


# --- whole files or none ----------------------------------------------


def test_a_file_is_written_whole_and_alone(tmp_path):
    path = store.write_text(tmp_path / "new" / "a.txt", "naïve\n")
    assert path.read_text(encoding="utf-8") == "naïve\n"
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_written_file_has_the_rights_of_any_new_file(tmp_path):
    usual = tmp_path / "usual"
    usual.write_text("x")
    assert store.write_text(tmp_path / "a.txt", "x").stat().st_mode == usual.stat().st_mode


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = store.write_text(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OutputError, match=r"a\.txt: cannot be written \(No space left on device\)"):
        store.write_text(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_a_write_that_is_interrupted_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.write_text(tmp_path / "a.txt", "new")
    assert os.listdir(tmp_path) == []


def test_a_file_that_cannot_be_placed_is_told_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError) as caught:
        store.write_text(tmp_path / "file" / "a.txt", "x")
    assert str(caught.value).startswith(f"{tmp_path / 'file' / 'a.txt'}: cannot be written (")
    assert str(caught.value).endswith("    remedy: choose a folder that exists and can be written")


def test_json_is_written_for_people_and_read_back(tmp_path):
    path = store.write_json(tmp_path / "a.json", {"name": "µg", "values": [1, 2.5, None]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "µg", "values": [1, 2.5, None]}
    assert "µg" in path.read_text(encoding="utf-8") and path.read_text().endswith("\n")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_cannot_hold_is_refused_and_nothing_is_written(tmp_path, number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write_json(tmp_path / "a.json", {"x": [number]})
    assert os.listdir(tmp_path) == []


def test_an_output_folder_that_cannot_be_made_is_told_before_any_work(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError) as caught:
        store.require_folder(tmp_path / "file" / "out")
    assert str(caught.value).startswith(f"{tmp_path / 'file' / 'out'}: this folder cannot be written (")
    assert str(caught.value).endswith("    remedy: choose another with --out")


def test_an_output_folder_that_can_be_made_is_not_made_before_there_is_something_in_it(tmp_path):
    assert store.require_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b" and os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(store.tempfile, "TemporaryFile", fails)
    with pytest.raises(OutputError, match="this folder cannot be written \\(No space left on device\\)"):
        store.require_folder(tmp_path)


def test_an_output_file_is_checked_before_any_work(tmp_path, monkeypatch):
    assert store.require_writable(tmp_path / "a.csv") == tmp_path / "a.csv"
    with pytest.raises(OutputError, match="is a folder, not a file\n    remedy: name a file"):
        store.require_writable(tmp_path)
    with pytest.raises(OutputError, match="does not exist\n    remedy: make it first"):
        store.require_writable(tmp_path / "none" / "a.csv")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="cannot be written\n    remedy: choose another"):
        store.require_writable(tmp_path / "a.csv")


# --- where work runs --------------------------------------------------


def test_results_come_in_the_order_of_the_items():
    gate = threading.Event()

    def task(i: int) -> int:
        if i == 0:
            gate.wait(5)
        else:
            gate.set()
        return i * i

    with ThreadPoolExecutor(2) as own:
        assert run_all(task, range(5), own) == [0, 1, 4, 9, 16]


def test_an_error_of_a_task_is_raised():
    with pytest.raises(ZeroDivisionError):
        run_all(lambda i: 1 // i, [2, 1, 0])


@pytest.mark.parametrize("said", ["²", "٣", "0", "-1", "abc", "1e3", "1.5", " ", "9" * 5000])
def test_what_is_no_number_of_threads_is_told(monkeypatch, said):
    monkeypatch.setenv("PKPD_THREADS", said)
    with pytest.raises(
        ContentError,
        match="^PKPD_THREADS: .* is not a number of threads\n    remedy: give 1 or more, or unset",
    ):
        workers()


@pytest.mark.parametrize(("said", "threads"), [("3", 3), ("1", 1)])
def test_the_user_says_how_many_threads(monkeypatch, said, threads):
    monkeypatch.setenv("PKPD_THREADS", said)
    assert workers() == threads


def test_without_a_number_all_cores_of_the_process_are_used(monkeypatch):
    monkeypatch.setenv("PKPD_THREADS", "")
    assert workers() == len(os.sched_getaffinity(0))


# --- messages -----------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [fail("a" * 10**6, "b" * 10**7, "c" * 10**6), NotFound("x" * 10**7), OutputError("y" * 10**7)],
    ids=["content", "name", "output"],
)
def test_a_message_is_short_enough_to_read_whatever_a_file_holds(error):
    assert len(str(error)) < 5000 and " … " in str(error)


def test_of_very_many_issues_the_first_are_told_and_the_rest_counted():
    error = ContentError(Issue(f"row {i}", "is wrong") for i in range(1000))
    assert (
        str(error).splitlines()[39:] == ["row 39: is wrong", "… and 960 more issues"]
        and len(error.issues) == 1000
    )


def test_a_message_of_usual_length_is_told_whole():
    text = "w" * 400
    assert str(fail("a", text, text)) == f"a: {text}\n    remedy: {text}" and str(NotFound(text)) == text
