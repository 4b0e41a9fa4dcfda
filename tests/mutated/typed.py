"""Command lines of known and odd words, each run in this process; none that computes for long."""

from __future__ import annotations

import contextlib
import io
import os
import random
import sys
from pathlib import Path

from tests.mutated.mutations import outcome

WORDS = [
    "",
    "-",
    "--",
    ".",
    "..",
    "/",
    "a/b",
    "folder",
    "folder.toml",
    "folder.csv",
    "empty.toml",
    "bytes.toml",
    "nul.toml",
    "model.toml",
    "values.toml",
    "result.toml",
    "regimen.toml",
    "trial.toml",
    "study.toml",
    "x.csv",
    "crlm",
    "oxaliplatin",
    "drugs/oxaliplatin",
    "folfox4",
    "patients_crc",
    "\udcff",
    "\udc80",
    "a\x00b",
    "é" * 50,
    "x" * 5000,
    "/dev/null",
    "/dev/null/x",
    "/proc/self/mem",
    "1e400",
    "nan",
    "inf",
    "-1",
    "0",
    "9" * 23,
    "1e11",
    "1 day",
    "1e300 day",
    "-1 day",
    "nan day",
    "1 day/day",
    "day",
    "1e-300 day",
    "none",
    "[bold]",
    "[/]",
    "%s",
    "{}",
    "~",
    "a.svg",
    "a.json",
    "a.parquet",
    "²",
    "٣",
    "1_000",
    "0x10",
    "\n",
    "models",
    "trial",
    "1 " * 300,
    "1 hour**1000000",
    "2**99999 day",
    "(((((",
    "--help",
    "--version",
    "--nothing",
    "tcp://127.0.0.1:1",
]
OPTIONS = {
    "list": ["--json"],
    "show": ["--json", "--diagram", "--exposure", "--source"],
    "check": ["--json"],
    "new": ["--model"],
    "migrate": ["--out", "--in-place"],
    "simulate": [
        "--out",
        "--data",
        "--typical",
        "--regimen",
        "--cycles",
        "--patients",
        "--until",
        "--every",
        "--seed",
        "--parameters",
        "--carry",
        "--covariates",
        "--columns",
    ],
    "trial": ["--fit", "--patients", "--link", "--seed", "--json"],
    "fit": ["--resume", "--out"],
    "study": ["--out"],
}
FLAGS = {"--typical", "--resume", "--in-place", "--source"}
FILES = {
    "bytes.toml": b"\xff\xfe",
    "nul.toml": b"\0" * 10,
    "empty.toml": b"",
    "x.csv": b"ID,TIME\n1,0\n",
    "model.toml": b"[model]\ntitle=1\ntime=[]\n",
    "values.toml": b"parameters=1\n",
    "regimen.toml": b"regimen=[1]\n",
    "result.toml": b"parameters=1\nfit=2\ndraws=3\n",
    "trial.toml": b"[trial]\ndisease=[1]\n[[arms]]\n",
    "study.toml": b'study="x"\n',
}


def typed(rng: random.Random) -> list[str]:
    """A command line: of some command that ends soon, with words and options that fit or do not."""
    name = rng.choice(list(OPTIONS))
    args = [name, *(rng.choice(WORDS) for _ in range(rng.choice([0, 1, 1, 1, 2])))]
    if name == "check" and len(args) == 1:
        args.append("folfox4")  # the whole library takes seconds
    given: dict[str, str | None] = (
        {"--until": "2 day", "--patients": "2", "--out": "a.csv"} if name == "simulate" else {}
    )
    for option in rng.sample(OPTIONS[name], rng.randint(0, len(OPTIONS[name]))):
        plain = option in FLAGS or (option == "--json" and name != "trial")
        given[option] = None if plain else rng.choice(WORDS)
    return [
        *args,
        *(x for option, value in given.items() for x in ([option] if value is None else [option, value])),
    ]


def told(args: list[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    from pkpd.commands import cli

    said, heard, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["pkpd", *args]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(heard):
            cli.main()
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        sys.argv = before
    return code, said.getvalue(), heard.getvalue()


def command(rng: random.Random, folder: Path) -> tuple[str, list[str]]:
    """A command ends with 0, or with 2 and a message of a readable length: no traceback, no file
    called `-`.
    """
    args, codes = typed(rng), []
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    for name in ("folder", "folder.toml", "folder.csv"):
        (folder / name).mkdir(exist_ok=True)

    def run() -> None:
        with contextlib.chdir(folder):
            code, said, heard = told(args)
            assert code in (0, 2) and len(heard) < 6000 and "Traceback" not in heard, (
                f"exit {code}: {heard[-200:]}"
            )
            assert code == 0 or heard.strip() or (args[0] == "check" and said.strip()), (
                "exit 2 without a word"
            )
            assert code == 2 or not heard.strip() or args[0] in ("simulate", "show"), (
                f"exit 0, and {heard[-200:]}"
            )
            assert not os.path.lexists("-"), "a file called -"
        codes.append(code)

    how = outcome(run)
    return ("refused" if how == "accepted" and codes == [2] else how), args
