"""The command line: its contract, and what it does with bad input."""

import json
import subprocess
import sys

import pytest

from pkpd.commands import cli


def run(*args, monkeypatch, capsys):
    """Exit code, standard output and standard error of a command, run in this process."""
    monkeypatch.setattr(sys, "argv", ["pkpd", *map(str, args)])
    try:
        cli.main()
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def pkpd(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *args: run(*args, monkeypatch=monkeypatch, capsys=capsys)


COMMANDS = ["list", "show", "check", "new", "migrate", "simulate", "trial", "fit", "study"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(pkpd, command):
    code, out, _ = pkpd(command, "--help")
    assert code == 0 and f"Example: pkpd {command}" in " ".join(out.split())


@pytest.mark.parametrize("kind", ["models", "drugs", "parameters", "regimens", "trials", "fits", "studies"])
def test_list_prints_json_alone(pkpd, kind):
    code, out, _ = pkpd("list", kind, "--json")
    rows = json.loads(out)
    assert code == 0 and rows and all(r["name"] and r["title"] for r in rows)


def test_list_of_an_unknown_kind_offers_the_near_one(pkpd):
    code, _, err = pkpd("list", "drug")
    assert code == 2 and "did you mean 'drugs'" in err


@pytest.mark.parametrize(
    "name",
    [
        "oxaliplatin",
        "crlm_folfox",
        "growth_gompertz",
        "host/imaging",
        "oxaliplatin_yamada_2025",
        "folfox4",
        "eortc_40983",
        "neoadjuvant_cycles",
    ],
)
def test_show_prints_text_and_json(pkpd, name):
    code, out, _ = pkpd("show", name)
    assert code == 0 and len(out) > 200
    code, out, _ = pkpd("show", name, "--json")
    assert code == 0 and isinstance(json.loads(out), dict)


def test_show_draws_a_diagram(pkpd, tmp_path):
    assert pkpd("show", "crlm_folfox", "--diagram", tmp_path / "m.svg")[0] == 0
    assert (tmp_path / "m.svg").read_text().startswith("<svg") or "<svg" in (tmp_path / "m.svg").read_text()[
        :300
    ]


def test_a_set_of_patients_is_listed_shown_and_checked(pkpd):
    assert "patients_crc" in [r["name"] for r in json.loads(pkpd("list", "parameters", "--json")[1])]
    shown = pkpd("show", "patients_crc")[1]
    assert "patients_crc; for any model: patients" in shown and "(BSA / 1.8)^1.7" in shown
    assert json.loads(pkpd("check", "patients_crc", "--json")[1]) == []


def test_the_whole_library_passes_its_check(pkpd):
    code, out, _ = pkpd("check", "--json")
    assert (code, json.loads(out)) == (0, [])


def test_check_of_a_bad_file_tells_every_issue_and_exits_with_2(pkpd, tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text(
        '[model]\ntitle = "x"\ntime = "hour"\n[parameters]\nK = { unit = "1/hour" }\n[compartments]\na = { '
        'unit = "mg" }\n'
        '[flows]\nout = { from = "a", rate = "KK * a" }\nodd = { from = "b", rate = "K * a" }\n'
    )
    code, out, _ = pkpd("check", bad, "--json")
    issues = json.loads(out)
    assert code == 2 and len(issues) == 2
    assert {"file", "where", "what", "remedy"} <= set(issues[0])
    assert any("did you mean 'K'" in i["remedy"] for i in issues)


def test_check_of_a_file_that_is_not_there_names_it_once_with_its_remedy(pkpd):
    code, out, _ = pkpd("check", "nowhere.toml", "folfox5")
    assert code == 2 and out.startswith("nowhere.toml: no such file\n    remedy: a library name has no slash")
    assert "folfox5: the library holds nothing of this name\n    remedy: did you mean" in out
    assert [i["what"] for i in json.loads(pkpd("check", "nowhere.toml", "--json")[1])] == ["no such file"]


def test_simulate_tells_the_number_of_cycles_that_was_not_asked_for(pkpd, tmp_path):
    common = (
        "simulate",
        "folfox_auc_linear",
        "--regimen",
        "folfox4",
        "--patients",
        1,
        "--until",
        "2 day",
        "--out",
        tmp_path / "a.csv",
    )
    assert "6 cycles of folfox4, as --cycles was left out" in pkpd(*common)[1]
    assert "left out" not in pkpd(*common, "--cycles", 6)[1]


def test_simulate_writes_csv_and_parquet_with_the_same_numbers(pkpd, tmp_path):
    import pandas as pd

    common = (
        "simulate",
        "crlm_folfox",
        "--regimen",
        "folfox4",
        "--cycles",
        2,
        "--patients",
        3,
        "--until",
        "30 day",
    )
    assert pkpd(*common, "--out", tmp_path / "a.csv")[0] == 0
    code, out, _ = pkpd(*common, "--out", tmp_path / "a.parquet")
    a, b = pd.read_csv(tmp_path / "a.csv"), pd.read_parquet(tmp_path / "a.parquet")
    assert code == 0 and "TIME [day]" in out and len(a) == 3 * 31
    assert (
        list(a.columns[:2]) == ["ID", "TIME"]
        and abs(a["lesion.1.diameter"] - b["lesion.1.diameter"]).max() < 1e-5
    )


BAD = [
    (("simulate", "oxaliplatinn", "--out", "a.csv"), "did you mean 'drugs/oxaliplatin'"),
    (("simulate", "crlm", "--regimen", "folfox4", "--out", "a.csv"), "cannot receive 'oxaliplatin'"),
    (("simulate", "oxaliplatin", "--regimen", "folfox4", "--out", "a.csv"), "cannot receive"),
    (("simulate", "crlm", "--until", "2 yeer", "--out", "a.csv"), "is not a unit"),
    (("simulate", "crlm", "--until", "2 mg", "--out", "a.csv"), "cannot be converted"),
    (("simulate", "crlm", "--until", "60", "--out", "a.csv"), "--until: '60' has no unit"),
    (("simulate", "crlm", "--until", "0 day", "--out", "a.csv"), "--until: '0 day' is no length of a run"),
    (("simulate", "crlm", "--every", "0 day", "--out", "a.csv"), "--every: '0 day' does not divide '1 year'"),
    (("simulate", "crlm", "--out", "a.txt"), "neither .csv nor .parquet"),
    (("simulate", "crlm", "--out", "nowhere/a.csv"), "the folder nowhere does not exist"),
    (
        ("simulate", "crlm", "--parameters", "oxaliplatin_bastian_2003", "--out", "a.csv"),
        "is no part of systems/crlm",
    ),
    (("simulate", "crlm", "--patients", "-3", "--out", "a.csv"), "--patients"),
    (("simulate", "./mine.toml", "--out", "a.csv"), "no such file"),
    (("trial", "eortc_4098"), "did you mean 'eortc_40983'"),
    (("trial", "eortc_40983", "--fit", "eortc"), "no result of this name"),
    (("trial", "eortc_40983", "--link", "emax", "--patients", "20"), "there is no link 'emax'"),
    (("trial", "eortc_40983", "--json", "nowhere/f.json"), "does not exist"),
    (("fit", "eortc"), "no fit of this name"),
    (("study", "neoadjuvant"), "did you mean 'neoadjuvant_cycles'"),
    (("study", "neoadjuvant_cycles", "--out", "/proc/no/where"), "cannot be written"),
    (("show", "nothing_like_this"), "the library holds nothing of this name"),
    (("show", "eortc_40983", "--diagram", "x.svg"), "is neither model nor regimen"),
    (("show", "oxaliplatin", "--diagram", "x.txt"), "x.txt is neither .svg nor .png nor .pdf"),
]


@pytest.mark.parametrize(
    ("args", "told"), BAD, ids=lambda x: " ".join(x)[:50] if isinstance(x, tuple) else ""
)
def test_bad_input_is_told_exits_with_2_and_leaves_no_file(pkpd, tmp_path, args, told):
    code, _, err = pkpd(*args)
    assert code == 2 and told in " ".join(err.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "verb"),
    [
        (("simulate", "crlm", "--patients", 2, "--out", "a.csv"), "pkpd.simulation.streaming.simulate"),
        (("trial", "eortc_40983", "--json", "f.json"), "pkpd.fit.predict.run_arm"),
        (("fit", "eortc_40983", "--out", "r.toml"), "pkpd.fit.run.objective"),
        (("study", "neoadjuvant_cycles", "--out", "."), "pkpd.study.run.operate"),
    ],
    ids=lambda x: str(x[0]),
)
def test_an_interrupted_run_says_so_and_leaves_no_file(pkpd, tmp_path, monkeypatch, args, verb):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(verb, stop)
    code, _, err = pkpd(*args)
    assert code == 2 and "interrupted; no half-written file was left" in err and "--resume" in err
    assert list(tmp_path.iterdir()) == []


def test_trial_writes_the_figures_by_contract(pkpd, tmp_path):
    code, out, _ = pkpd("trial", "eortc_40983", "--patients", 60, "--json", tmp_path / "f.json")
    figures = json.loads((tmp_path / "f.json").read_text())["figures"]
    keys = {
        "trial",
        "arm",
        "figure",
        "use",
        "published",
        "interval",
        "predicted",
        "predicted_interval",
        "inside",
    }
    assert code == 0 and len(figures) == 15 and all(keys <= set(f) for f in figures)
    assert {f["use"] for f in figures} <= {"fit", "predict", "context"}
    assert all(f["inside"] is None for f in figures if f["use"] == "context")
    assert "not advice on any patient" in out


def test_a_new_process_runs_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "pkpd.commands.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("pkpd ")
