"""Content files begun from a template and printed as written, and the commands that do so."""

import json
import os

import numpy as np
import pandas as pd
import pytest

from pkpd.commands.templates import write_new
from pkpd.content import formats, library, toml
from pkpd.errors import ContentError, NotFound, OutputError
from tests.test_cli import run


@pytest.fixture
def pkpd(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *args: run(*args, monkeypatch=monkeypatch, capsys=capsys)


def test_what_is_begun_passes_its_check_and_runs_together(pkpd, tmp_path):
    assert pkpd("new", "model", "mine")[0] == pkpd("new", "regimen", "weekly")[0] == 0
    code, out, _ = pkpd("new", "parameters", "mine_values")
    assert (
        code == 0
        and out
        == "mine_values.toml: written, for the model mine.toml; `pkpd check ./mine_values.toml` checks it\n"
    )
    assert json.loads(pkpd("check", "mine.toml", "mine_values.toml", "weekly.toml", "--json")[1]) == []
    code, *_ = pkpd(
        "simulate",
        "./mine.toml",
        "--parameters",
        "./mine_values.toml",
        "--regimen",
        "./weekly.toml",
        "--cycles",
        1,
        "--patients",
        1,
        "--until",
        "6 hour",
        "--every",
        "1 hour",
        "--out",
        "a.csv",
    )
    rows, ka, k = pd.read_csv("a.csv"), 1.5, 2 / 20
    expected = 100 / 20 * ka / (ka - k) * (np.exp(-k * rows.TIME) - np.exp(-ka * rows.TIME))
    assert code == 0 and len(rows) == 7 and np.allclose(rows.Cc, expected, rtol=1e-5)


def test_a_trial_that_is_begun_has_its_figures_set_beside_predicted_ones(pkpd):
    assert pkpd("new", "trial", "mine")[0] == 0
    code, *_ = pkpd("trial", "./mine.toml", "--fit", "none", "--patients", 20, "--json", "f.json")
    with open("f.json") as file:
        rows = json.load(file)["figures"]
    assert code == 0 and [r["kind"] for r in rows] == ["count", "median", "hazard ratio"]
    assert all(r["predicted"] is not None for r in rows)


@pytest.mark.parametrize("kind", ["model", "parameters", "regimen", "trial"])
def test_each_template_passes_its_check_alone_and_says_its_format(pkpd, kind):
    path, _ = write_new(kind, "own")
    assert json.loads(pkpd("check", path, "--json")[1]) == []
    assert toml.toml(path.read_text(), "own")["format"] == formats.newest() and "NAME" not in path.read_text()


@pytest.mark.parametrize("model", ["systems/crlm", "oxaliplatin", "systems/crlm_folfox"])
def test_values_begun_for_a_model_of_the_library_are_those_of_its_default_set(pkpd, model):
    write_new("parameters", "own", model)
    assert json.loads(pkpd("check", "own.toml", "--json")[1]) == []


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "own.toml").write_text("mine")
    (tmp_path / "link.toml").symlink_to(tmp_path / "nowhere.toml")
    for name in ("own", "link"):
        with pytest.raises(OutputError) as told:
            write_new("model", name, folder=tmp_path)
        assert str(told.value).endswith(
            "is there already, and is not written over\n    remedy: choose another name"
        )
    assert (tmp_path / "own.toml").read_text() == "mine" and sorted(os.listdir(tmp_path)) == [
        "link.toml",
        "own.toml",
    ]


@pytest.mark.parametrize("name", ["a/b", "../a", "", "a.toml", "a b", "-x", "a\nb", "x" * 300, "/tmp/a"])
def test_a_file_is_begun_by_a_word(tmp_path, name):
    with pytest.raises(ContentError, match="is no name of a file to begin"):
        write_new("model", name, folder=tmp_path)
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_begun_is_told(tmp_path):
    with pytest.raises(
        ContentError,
        match="modell: is no kind of file that can be begun so\n    remedy: did you mean 'model'",
    ):
        write_new("modell", "a", folder=tmp_path)
    with pytest.raises(ContentError, match="--model: has no place in a regimen"):
        write_new("regimen", "a", "crlm", folder=tmp_path)
    with pytest.raises(NotFound, match="no model of this name"):
        write_new("parameters", "a", "nowhere", folder=tmp_path)
    for name in ("b", "c"):
        write_new("model", name, folder=tmp_path)
    with pytest.raises(
        ContentError, match="--model: 2 models lie here: b.toml, c.toml\n    remedy: name one of them"
    ):
        write_new("parameters", "a", folder=tmp_path)
    with pytest.raises(OutputError, match="cannot be written"):
        write_new("model", "a", folder=tmp_path / "nowhere")


def test_the_source_of_a_library_file_and_of_one_s_own_is_printed_as_it_is_written(pkpd, tmp_path):
    for kind, name in (("regimen", "folfox4"), ("parameters", "patients_crc"), ("model", "oxaliplatin")):
        assert pkpd("show", name, "--source")[1] == library.text_of(library.find(kind, name))
    (tmp_path / "own.toml").write_text("# not [yet TOML\r\n\x40[x]")
    assert pkpd("show", "own.toml", "--source")[1] == "# not [yet TOML\r\n\x40[x]"


def test_a_name_of_several_files_prints_the_first_and_tells_the_others(pkpd):
    _, out, err = pkpd("show", "eortc_40983", "--source")
    assert out == library.text_of(library.find("trial", "eortc_40983"))
    assert err == "eortc_40983 is a trial, and also a fit and a result: name a file for these\n"


def test_the_source_stands_alone(pkpd):
    code, out, err = pkpd("show", "folfox4", "--source", "--json")
    assert (code, out) == (2, "") and "--source: stands alone: the file as it is written" in err


def test_migrate_prints_or_writes_as_it_is_asked(pkpd, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('[regimen]\ntitle = "x"\n')
    new = 'format = 1\n\n[regimen]\ntitle = "x"\n'
    assert pkpd("migrate", "own.toml")[:2] == (0, new) and own.read_text() == new.removeprefix(
        "format = 1\n\n"
    )
    assert pkpd("migrate", "own.toml", "--out", "b.toml")[:2] == (0, "b.toml: format 1 written\n")
    assert (
        pkpd("migrate", "own.toml", "--in-place")[0] == 0
        and own.read_text() == (tmp_path / "b.toml").read_text() == new
    )
    assert (
        pkpd("migrate", "own.toml", "--in-place")[1]
        == "own.toml: is of format 1 already; nothing was written\n"
    )


@pytest.mark.parametrize(
    "args",
    [
        ("trial", "eortc_40983", "--patients", "20", "--fit", "none"),
        ("show", "folfox4"),
        ("show", "oxaliplatin"),
        ("show", "patients_crc"),
        ("show", "eortc_40983"),
        ("show", "growth_gompertz"),
        ("show", "host/imaging"),
    ],
    ids=lambda a: a[1],
)
def test_json_that_is_an_object_says_its_format_and_version_and_stands_alone(pkpd, tmp_path, args):
    from pkpd import __version__

    code, out, _ = pkpd(*args, "--json", *(["-"] if args[0] == "trial" else []))
    found = json.loads(out)
    assert code == 0 and (found["format"], found["version"]) == (1, __version__)
    assert os.listdir(tmp_path) == []


def test_json_on_standard_output_is_the_file_s(pkpd, tmp_path):
    common = ("trial", "eortc_40983", "--patients", 20, "--fit", "none", "--seed", 3, "--json")
    _, out, err = pkpd(*common, "-")
    assert "Published" not in out and "inside" in err  # the table is for a reader, beside the JSON
    pkpd(*common, tmp_path / "f.json")
    assert json.loads(out) == json.loads((tmp_path / "f.json").read_text()) and json.loads(out)["seed"] == 3
    assert os.listdir(tmp_path) == ["f.json"]


@pytest.mark.parametrize(
    "args",
    [
        ("fit", "eortc_40983", "--out", "-"),
        ("study", "neoadjuvant_cycles", "--out", "./-"),
        ("simulate", "crlm", "--out", "-"),
        ("show", "oxaliplatin", "--exposure", "-"),
        ("show", "crlm", "--diagram=-"),
        ("migrate", "x.toml", "--out", "-"),
    ],
    ids=lambda a: a[0],
)
def test_no_file_is_ever_called_a_dash(pkpd, tmp_path, args):
    code, out, err = pkpd(*args)
    assert code == 2 and "error" in err.lower() and os.listdir(tmp_path) == []


def test_json_of_a_file_names_it_without_its_folder(pkpd, tmp_path):
    for kind in ("model", "parameters", "regimen"):
        write_new(kind, f"own_{kind}")
        texts = [pkpd("show", f"{at}own_{kind}.toml", "--json")[1] for at in ("", "./", f"{tmp_path}/")]
        assert texts[0] == texts[1] == texts[2] and json.loads(texts[0])["name"] == f"own_{kind}"
