"""What is typed amiss is told in a readable message (whatever is typed at all: tests/mutated)."""

import pytest

from pkpd.content import library
from tests.mutated.typed import FILES
from tests.test_cli import run


@pytest.fixture
def pkpd(monkeypatch, capsys, tmp_path):
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    for name in ("folder", "folder.toml", "folder.csv"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    return lambda *args: run(*args, monkeypatch=monkeypatch, capsys=capsys)


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
