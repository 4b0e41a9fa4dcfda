"""What commands write to: logs, pipes whose reader goes away, full disks, ASCII, closed streams."""

import io
import json
import os
import subprocess
import sys
import time

import pytest

from pkpd.commands.progress import lines, passed
from pkpd.errors import ContentError, Issue, NotFound, OutputError, clipped, fail


def shell(command, **env):
    """A command line run by a shell that tells a failing command of a pipe."""
    found = os.environ | {"PKPD": f"{sys.executable} -m pkpd.commands.cli"} | env
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, env=found, timeout=120
    )


def test_a_reader_that_goes_away_ends_a_command_quietly_with_its_own_code(tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text("\n".join(["[model]", *(f"k{i} = 1" for i in range(3000))]))
    done = shell("$PKPD list | head -1")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"models\n", b"")
    done = shell(f"$PKPD check {bad} --json | head -c 10")
    assert done.returncode == 2 and done.stderr == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
@pytest.mark.parametrize("command", ["list trials --json", "--version", "show folfox4"])
def test_a_full_disk_is_told(command):
    done = shell(f"$PKPD {command} > /dev/full")
    assert done.returncode == 2 and done.stderr.decode().split("\n")[:2] == [
        "error standard output: cannot be written (No space left on device)",
        "    remedy: make room, or send it elsewhere",
    ]


@pytest.mark.parametrize("close", ["<&-", ">&-", "2>&- >/dev/null", "<&- 2>&- | cat"])
def test_a_stream_that_is_closed_is_no_fault(close):
    done = shell(f"$PKPD list studies {close}")
    assert done.returncode == 0 and done.stderr == b""


def test_json_asked_of_a_closed_stream_is_told():
    done = shell("$PKPD list studies --json >&-")
    assert done.returncode == 2 and b"standard output: is closed, and JSON was asked for" in done.stderr


@pytest.mark.parametrize(
    "env", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}]
)
def test_a_stream_of_ascii_is_written(env):
    done = shell("$PKPD show folfox4 && $PKPD list trials --json && $PKPD list tröals", **env)
    assert (
        done.returncode == 2 and b"Traceback" not in done.stderr and b"not a kind of content" in done.stderr
    )
    assert len(json.loads(done.stdout.decode("ascii").strip().rsplit("\n", 1)[-1])) == 14


def test_a_narrow_screen_is_written():
    done = shell("$PKPD show folfox4; $PKPD lst", COLUMNS="40")
    assert (
        done.returncode == 2 and b"Traceback" not in done.stderr and b"No such command 'lst'" in done.stderr
    )


def test_a_name_that_is_no_utf_8_is_told():
    done = shell("$PKPD check $'a\\xff.toml'; $PKPD show $'b\\xff' --json")
    assert (
        done.returncode == 2
        and b"Traceback" not in done.stderr
        and b"a\\udcff.toml: no such file" in done.stdout
    )


def test_a_message_does_not_steer_the_terminal():
    done = shell("$PKPD show $'\\e[31mred'")
    assert b"\x1b" not in done.stderr and b"\\x1b[31mred" in done.stderr


def test_a_message_is_of_a_length_that_is_read():
    assert len(str(fail("a" * 100_000, "b" * 100_000))) < 3000
    assert len(str(NotFound("x\n" * 100_000))) < 3000
    many = ContentError([Issue(f"f: k{i}", "is wrong", "mend it") for i in range(500)])
    assert str(many).endswith("    remedy: mend it\n… and 460 more issues") and len(many.issues) == 500
    assert str(OutputError("a: cannot be written")) == "a: cannot be written"


def test_a_clipped_line_keeps_its_two_ends():
    assert clipped("short") == "short"
    assert clipped("a" * 30 + "b" * 30, 20) == "a" * 10 + " … 40 characters … " + "b" * 10


def test_a_log_has_a_line_at_the_beginning_and_end_of_a_task_and_few_between():
    log = io.StringIO()
    with lines(log, least=30) as tell:
        for done in range(1001):
            tell("searching", done, 1000)
    assert log.getvalue() == "searching 0/1000, 0 s\nsearching 1000/1000, 0 s\n"


def test_a_log_goes_on_while_nothing_is_told():
    log = io.StringIO()
    with lines(log, least=0.05) as tell:
        time.sleep(0.2)
        tell("searching", 1, 4)
        time.sleep(0.2)
    said = log.getvalue().splitlines()
    assert said[0] == "working, 0 s" and said.count("searching 1/4, 0 s") >= 2


def test_a_log_that_cannot_be_written_stops_no_run():
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    for file in (None, Full()):
        with lines(file, least=0.01) as tell:
            tell("searching", 1, 1)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.9, "59 s"), (185, "3 min 05 s"), (7620, "2 h 07 min")]
)
def test_time_that_has_passed_is_told_in_words(seconds, text):
    assert passed(seconds) == text


@pytest.mark.slow
def test_a_fit_writes_lines_into_a_log_file_while_it_runs(tmp_path):
    """Its first line is there long before it ends, where no terminal is."""
    command = [
        sys.executable,
        "-m",
        "pkpd.commands.cli",
        "fit",
        "eortc_40983",
        "--out",
        str(tmp_path / "r.toml"),
    ]
    with open(tmp_path / "log", "w") as log:
        run = subprocess.Popen(
            command, stderr=log, stdout=log, env=os.environ | {"PKPD_CACHE": str(tmp_path / "cache")}
        )
        try:
            end = time.monotonic() + 60
            while run.poll() is None and time.monotonic() < end and "," not in (tmp_path / "log").read_text():
                time.sleep(0.2)
            assert run.poll() is None and (tmp_path / "log").read_text().split(",")[0] in (
                "working",
                "searching 0/3",
            )
        finally:
            run.kill()
            run.wait()
