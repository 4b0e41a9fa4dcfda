"""Whatever is typed, a command ends with 0 or 2 and a message: no traceback, no file called `-`."""

import os
import random

import pytest

from pkpd import library
from tests.test_cli import run

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
    "folfox4",
    "patients_crc",
    "\udcff",
    "é" * 50,
    "x" * 5000,
    "/dev/null",
    "/proc/self/mem",
    "1e400",
    "nan",
    "inf",
    "-1",
    "0",
    "9" * 23,
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


@pytest.fixture
def pkpd(monkeypatch, capsys, tmp_path):
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    for name in ("folder", "folder.toml", "folder.csv"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    return lambda *args: run(*args, monkeypatch=monkeypatch, capsys=capsys)


def typed(seed):
    """A command line: of some command that ends soon, with words and options that fit or do not."""
    dice = random.Random(seed)
    command = dice.choice(list(OPTIONS))
    args = [command, *(dice.choice(WORDS) for _ in range(dice.choice([0, 1, 1, 1, 2])))]
    if command == "check" and len(args) == 1:
        args.append("folfox4")  # the whole library takes seconds
    given = {"--until": "2 day", "--patients": "2", "--out": "a.csv"} if command == "simulate" else {}
    for option in dice.sample(OPTIONS[command], dice.randint(0, len(OPTIONS[command]))):
        plain = option in FLAGS or (option == "--json" and command != "trial")
        given[option] = None if plain else dice.choice(WORDS)
    return [
        *args,
        *(x for option, value in given.items() for x in ([option] if value is None else [option, value])),
    ]


def _ends(pkpd, seed):
    args = typed(seed)
    code, _, err = pkpd(*args)
    assert code in (0, 2) and len(err) < 6000 and "Traceback" not in err, args
    assert (code == 2) == bool(err.strip()) or args[0] in ("check", "simulate", "show"), args
    assert not os.path.lexists("-"), args


@pytest.mark.parametrize("first", range(0, 150, 50))
def test_whatever_is_typed_ends_with_a_message(pkpd, first):
    for seed in range(first, first + 50):
        _ends(pkpd, seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 5000, 500))
def test_whatever_else_is_typed_ends_with_a_message(pkpd, first):
    for seed in range(first, first + 500):
        _ends(pkpd, seed)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("trial", "eortc_40983", "--patients", "9" * 23), "--patients"),
        (("simulate", "crlm", "--patients", "9" * 23, "--out", "a.csv"), "--patients"),
        (("trial", "eortc_40983", "--fit", "result.toml"), "result.toml: is not a fit's result"),
        (("trial", "eortc_40983", "--fit", "values.toml"), "values.toml: is not a fit's result"),
        (("trial", "eortc_40983", "--fit", "folder.toml"), "folder.toml: no such file"),
        (("trial", "eortc_40983", "--json", "x" * 5000), "File name too long"),
        (("show", "x" * 100_000), "characters …"),
    ],
    ids=lambda x: " ".join(x)[:40] if isinstance(x, tuple) else "",
)
def test_what_is_of_the_wrong_kind_or_size_is_told(pkpd, args, told):
    code, out, err = pkpd(*args)
    assert code == 2 and out == "" and told in " ".join(err.split()) and len(err) < 4000


def test_check_shows_as_many_issues_as_are_read_and_tells_how_many_more(pkpd, tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text('[model]\ntitle = "x"\ntime = "day"\n' + "".join(f"k{i} = 1\n" for i in range(100)))
    code, out, _ = pkpd("check", "bad.toml", "regimen.toml")
    assert (
        code == 2
        and out.count("unknown key") == 40
        and "… and 6" in out
        and "more issues of bad.toml (--json gives all)" in out
    )
    assert "regimen.toml" in out and pkpd("check", "bad.toml", "--json")[1].count("unknown key") == 100


@pytest.mark.parametrize("size", ["cv = 1e300", "cv = 1e100", "sd = 1e300", "variance = 1e5"])
def test_a_spread_of_no_patients_is_refused(pkpd, tmp_path, size):
    own = (
        '[parameters]\nmodel = "drugs/oxaliplatin"\n[values]\n'
        'V1 = { value = 1, unit = "L", spread = { law = "lognormal", %s } }\n'
    )
    (tmp_path / "own.toml").write_text(own % size)
    code, out, _ = pkpd("check", "own.toml")
    assert (
        code == 2
        and (
            "own.toml: values.V1.spread: its omega is over 13.8: "
            "one patient in three would be a million times off\n"
            "    remedy: mend the size: a cv of 30 % is cv = 0.3"
        )
        in out
    )


def test_a_line_that_is_a_list_is_told(pkpd, tmp_path):
    text = library.text_of(library.find("study", "immune_stability"))
    (tmp_path / "own.toml").write_text(text.replace('lines = ["site.SIGMA"]', 'lines = [["site.SIGMA"]]'))
    code, out, _ = pkpd("check", "own.toml")
    assert code == 2 and "terms[1].lines: ['site.SIGMA'] is not a line of systems/crlm_immune" in out
