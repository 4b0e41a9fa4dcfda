"""A drug's concentration with its published figures: the picture, the table, the commands."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from pkpd.commands import cli, show
from pkpd.errors import ContentError, OutputError
from pkpd.exposures.reading import read_evidence
from pkpd.show.exposure_figure import Panel, draw_exposure
from pkpd.show.exposure_table import print_rows


def evidence(*entries):
    basis = {
        "drug": "fluorouracil",
        "what": "Cmax",
        "dose": "400 mg/m^2",
        "to": "6 hour",
        "unit": "mg/L",
        "statistic": "mean",
        "use": "check",
        "seen": "primary",
        "source": "bolus115",
        "where": "table 3",
    }
    named = [
        {k: v for k, v in {**basis, "name": f"figure_{i}", **e}.items() if v}
        for i, e in enumerate(entries, 1)
    ]
    return read_evidence({"exposures": {"title": "own"}, "figures": named}, "own", "own.toml")


def printed(rows, title="5-FU"):
    console = Console(width=200, record=True, force_terminal=False)
    print_rows(title, rows, console)
    return console.export_text()


def panels_of(monkeypatch, tmp_path, drug, own) -> list[Panel]:
    """The panels that a drug's picture is made of."""
    seen: list[Panel] = []
    from pkpd.show import exposure_figure

    draw = exposure_figure._draw
    monkeypatch.setattr(exposure_figure, "_draw", lambda axis, panel: (seen.append(panel), draw(axis, panel)))
    draw_exposure(drug, tmp_path / "a.svg", own)
    return seen


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_drug_is_drawn_the_same_each_time(tmp_path, suffix):
    own = evidence({"value": 30.7, "sd": 13.2}, {"what": "AUC", "value": 9.3, "unit": "mg/L*hour"})
    for name in ("a", "b"):
        assert [r["name"] for r in draw_exposure("fluorouracil", tmp_path / (name + suffix), own)] == [
            "figure_1",
            "figure_2",
        ]
    first, second = ((tmp_path / (n + suffix)).read_bytes() for n in "ab")
    assert first == second
    if suffix == ".svg":
        ElementTree.fromstring(first)
    else:
        assert first.startswith(b"\x89PNG")


def test_a_panel_is_drawn_for_each_regimen_and_bears_its_points_in_the_models_unit(monkeypatch, tmp_path):
    own = evidence(
        {"value": 30_700, "sd": 13_200, "unit": "ug/L"},
        {
            "what": "concentration",
            "dose": "600 mg/m^2",
            "over": "22 hour",
            "to": "20 hour",
            "value": 2.4,
            "unit": "umol/L",
            "molar_mass": "130.08 g/mol",
        },
        {"what": "AUC", "dose": "600 mg/m^2", "over": "22 hour", "to": "", "value": 7, "unit": "mg/L*hour"},
    )
    one, two = panels_of(monkeypatch, tmp_path, "fluorouracil", own)
    [(x, value, low, high, row)] = one.points
    assert (x, value, low, high) == pytest.approx((0, 30.7, 17.5, 43.9)) and row["name"] == "figure_1"
    [(x, value, low, high, _)] = two.points
    assert (x, value) == pytest.approx(
        (20, 2.4 * 0.13008)
    ) and low == high == value  # no spread was published
    assert one.title == "400 mg/m²" and two.title == "600 mg/m² over 22 h" and one.unit == two.unit == "hours"
    assert (
        two.notes[0].startswith("AUC, to infinity: 7 published, ")
        and one.ylabel == "plasma concentration, mg/L"
    )
    for panel in (one, two):
        assert (
            np.all(panel.low <= panel.middle)
            and np.all(panel.middle <= panel.high)
            and np.all(np.diff(panel.times) >= 0)
        )


def test_more_than_six_regimens_are_drawn_by_their_number_of_points(monkeypatch, tmp_path):
    own = evidence(
        *({"dose": f"{100 * i} mg", "value": i} for i in range(1, 8)),
        {"dose": "700 mg", "value": 8, "to": "5 hour"},
    )
    panels = panels_of(monkeypatch, tmp_path, "fluorouracil", own)
    assert len(panels) == 6 and max(len(p.points) for p in panels) == 2


def test_a_drug_without_figures_is_drawn_under_a_regimen_of_the_library(monkeypatch, tmp_path):
    [panel] = panels_of(monkeypatch, tmp_path, "fluorouracil", evidence())
    assert not panel.points and panel.middle.max() > 0 and "folf" in panel.title.lower()
    assert "no published figure" in printed(draw_exposure("fluorouracil", tmp_path / "b.png", evidence()))


def test_the_table_tells_inside_outside_and_why():
    rows: list[dict] = [
        {
            "drug": "d",
            "name": "a_b",
            "what": "Cmax",
            "of": "Cc",
            "to_of": "",
            "given": "400 mg/m^2",
            "cycles": 1,
            "from": 0.0,
            "to": 0.25,
            "unit": "mg/L",
            "statistic": "mean",
            "n": 3,
            "published": 30.7,
            "interval": [17.5, 43.9],
            "spread": "± SD",
            "simulated": 23.9,
            "simulated_interval": [13.2, 40.1],
            "untold": 0,
            "inside": True,
            "use": "check",
            "seen": "primary",
            "source": "x1999",
            "where": "table 1",
            "miss": "",
            "text": "",
        }
    ]
    rows += [
        {**rows[0], "name": "c", "inside": False, "miss": "the volume is [another] one"},
        {**rows[0], "name": "d", "use": "circular"},
        {**rows[0], "name": "e", "use": "context", "inside": False},
        {
            **rows[0],
            "name": "f",
            "spread": "none published",
            "simulated": None,
            "simulated_interval": [None, None],
        },
    ]
    text = printed(rows)
    for piece in (
        "a b",
        "mean Cmax, 0–6 h; 400 mg/m²",
        "30.7 (17.5–43.9) mg/L",
        "23.9 (13.2–40.1) mg/L",
        "inside",
        "OUTSIDE",
        "circular (inside)",
        "context (outside)",
        "primary, x1999",
        "c: the volume is [another] one",
        "(17.5–43.9*)",
        "none",
        "not advice on any patient",
    ):
        assert piece in text, piece
    console = Console(width=200, record=True, force_terminal=True)
    print_rows("t", rows, console)
    assert "\x1b[1;31mOUTSIDE" in console.export_text(styles=True)


def test_a_picture_that_cannot_be_written_is_told_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr("pkpd.show.exposure_figure.simulate_course", None)
    with pytest.raises(ContentError, match="'a.gif' is neither .png nor .svg"):
        draw_exposure("fluorouracil", tmp_path / "a.gif")
    with pytest.raises(OutputError, match="does not exist"):
        draw_exposure("fluorouracil", tmp_path / "no" / "a.png")


def command(monkeypatch, capsys, *args):
    monkeypatch.setattr("sys.argv", ["pkpd", *map(str, args)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


def test_show_exposure_draws_and_lists_the_figures_of_a_drug(monkeypatch, capsys, tmp_path):
    own = evidence({"value": 30.7, "sd": 13.2}, {"value": 21.8, "dose": "615 mg"})
    monkeypatch.setattr("pkpd.show.exposure_figure.load_evidence", lambda: own)
    code, out, _ = command(monkeypatch, capsys, "show", "fluorouracil", "--exposure", tmp_path / "f.png")
    assert code == 0 and (tmp_path / "f.png").stat().st_size > 10_000
    assert "f.png: written" in " ".join(out.split()) and "not advice on any patient" in out
    code, out, _ = command(
        monkeypatch, capsys, "show", "fluorouracil", "--exposure", tmp_path / "f.svg", "--json"
    )
    assert code == 0 and [r["name"] for r in json.loads(out)] == ["figure_1", "figure_2"]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("folfox4", "--exposure", "f.png"), "'folfox4' is no drug"),
        (("fluorouracil", "--exposure", "f.txt"), "'f.txt' is neither .png nor .svg"),
        (("crlm_folfox", "--exposure", "f.png"), "no regimen of the library gives this drug"),
    ],
)
def test_what_has_no_exposure_is_told_and_nothing_is_written(monkeypatch, capsys, tmp_path, args, told):
    monkeypatch.chdir(tmp_path)
    code, _, err = command(monkeypatch, capsys, "show", *args)
    assert code == 2 and told in " ".join(err.split()) and list(tmp_path.iterdir()) == []


def own_file(tmp_path, unit="mg/L"):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[exposures]\ntitle = "mine"\n[[figures]]\ndrug = "fluorouracil"\nname = "peak"\nwhat = "Cmax"\n'
        f'dose = "615 mg"\nto = "6 hour"\nvalue = 21.8\nunit = "{unit}"\nsd = 16.3\nstatistic = "mean"\n'
        'use = "check"\n'
    )
    return path


def test_a_file_of_ones_own_is_checked_and_shown(monkeypatch, capsys, tmp_path):
    assert show.check([str(own_file(tmp_path))]) == ([], 1)
    code, out, _ = command(monkeypatch, capsys, "show", own_file(tmp_path))
    assert code == 0 and "peak" in out and "inside" in out
    code, out, _ = command(monkeypatch, capsys, "show", own_file(tmp_path), "--json")
    assert code == 0 and json.loads(out)["figures"][0]["inside"] is True
    [issue], _ = show.check([str(own_file(tmp_path, "hour"))])
    assert issue["where"].endswith("mine.toml: figures[1].unit")
    assert issue["what"] == "Cmax of Cc is in mg/L, which cannot be converted to hour"
