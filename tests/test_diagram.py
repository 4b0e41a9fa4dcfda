"""A model as a picture: that it says what the equations say, that it can be read, and how the command writes
it.
"""

from __future__ import annotations

import itertools
import sys
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from pkpd.commands import cli
from pkpd.content import library
from pkpd.model.compose import load_model, parse_model
from pkpd.show.diagram import diagram, image
from pkpd.show.diagram.compartments import model_scheme
from pkpd.show.diagram.layers import layers_of
from pkpd.show.diagram.parts import system_scheme
from pkpd.show.diagram.positions import settle, spread
from pkpd.show.diagram.scheme import part_of
from pkpd.show.diagram.tracks import tracks_of
from pkpd.solve.rates import right_hand_side

FILES = {n: library.read("model", n).data for n in library.names("model")}
ALONE = [
    n
    for n, d in FILES.items()
    if not {"joins", "gathers"} & set(d["model"]) and ("compartments" in d or "parts" in d)
]
SYSTEMS = [n for n in ALONE if "parts" in FILES[n]]
TWO_WAYS = """
[model]
title = "Odd <things> & $more$"
time = "day"
[parameters]
K = { unit = "1/day" }
[compartments]
a = { unit = "mg" }
b = { unit = "mg", dose = true }
c = { unit = "g", text = "what is kept" }
[flows]
there = { from = "a", to = "b", rate = "K * a" }
back = { from = "b", to = "a", rate = "K * b" }
far = { from = "a", to = "c", rate = "K * a" }
made = { to = "a", rate = "K * c" }
"""


@lru_cache
def model(name: str):
    return load_model(name)


@lru_cache
def measured(name: str) -> dict:
    """What a picture holds, in pixels: texts and boxes with their extents, and straight pieces of lines."""
    figure = diagram(model(name))
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = [(t, np.array(t.get_window_extent(renderer).extents)) for t in figure.texts if t.get_text()]
    boxes = {
        str(p.get_gid())[4:]: np.array(p.get_window_extent(renderer).extents)
        for p in figure.artists
        if str(p.get_gid()).startswith("box ")
    }
    pieces = [k.get_transform().transform(k.get_xydata()) for k in figure.artists if k.get_gid() == "line"]
    lines = np.array([[*p.min(axis=0), *p.max(axis=0)] for p in pieces]).reshape(-1, 4)
    return {
        "texts": texts,
        "boxes": boxes,
        "lines": lines,
        "page": np.array(figure.bbox.extents),
        "size": figure.get_size_inches(),
    }


def meet(some: np.ndarray, others: np.ndarray, within: float = 0.0) -> np.ndarray:
    """Which rectangles of one list meet which of another, by more than `within` pixels inside the latter."""
    a, b = some[:, None], others[None]
    return ((a[..., :2] < b[..., 2:] - within) & (a[..., 2:] > b[..., :2] + within)).all(axis=-1)


@lru_cache
def scheme(name: str):
    return system_scheme(model(name)) if model(name).parts else model_scheme(model(name))


def arrows(name: str) -> dict[tuple[str, str], tuple[str, ...]]:
    return {(a.source, a.target): a.label for a in scheme(name).arrows}


# --- it can be read ---------------------------------------------------


@pytest.mark.parametrize("name", ALONE)
def test_no_two_texts_overlap_and_each_stays_in_its_box_and_on_the_page(name):
    m = measured(name)
    extents = np.array([e for _, e in m["texts"]])
    pairs = np.argwhere(np.triu(meet(extents, extents), 1))
    assert [(m["texts"][i][0].get_text(), m["texts"][j][0].get_text()) for i, j in pairs] == []
    for text, e in m["texts"]:
        gid = str(text.get_gid() or "")
        room = m["boxes"][gid[3:]] if gid.startswith("in ") else m["page"]
        assert (e[:2] >= room[:2]).all() and (e[2:] <= room[2:]).all(), text.get_text()
        assert text.get_fontsize() >= 8


@pytest.mark.parametrize("name", ALONE)
def test_no_line_passes_through_a_box_or_a_word(name):
    m = measured(name)
    boxes = np.array(list(m["boxes"].values()))
    assert not meet(m["lines"], boxes, within=1.0).any() and not np.triu(meet(boxes, boxes), 1).any()
    assert not meet(m["lines"], np.array([e for _, e in m["texts"]])).any()


@pytest.mark.parametrize("name", ALONE)
def test_no_two_lines_lie_on_one_another(name):
    for level in (0, 1):
        lines = [k for k in measured(name)["lines"] if k[3 - level] - k[1 - level] < 0.1]
        for a, b in itertools.combinations(lines, 2):
            if abs(a[1 - level] - b[1 - level]) < 1.5:
                assert min(a[2 + level], b[2 + level]) - max(a[level], b[level]) < 2


@pytest.mark.parametrize("name", ["systems/crlm", "systems/crlm_folfox", "systems/folfiri_host"])
def test_a_small_system_fits_a_page_in_width(name):
    assert measured(name)["size"][0] < 11.7  # inches, A4 lying


@pytest.mark.parametrize(
    ("name", "pairs"), [("crlm_immune", 2), ("crlm_immune_ablation", 2), ("crlm_immune_full", 10)]
)
def test_sites_are_drawn_alike(name, pairs):
    g = layers_of(scheme(f"systems/{name}"))
    settle(g)
    shifts = {round(b.y - a.y, 6) for a, b in g.sisters}
    assert len(g.sisters) == pairs and len(shifts) == 1 and shifts.pop() > 0
    assert all((a.column, a.height) == (b.column, b.height) for a, b in g.sisters)


def test_a_site_is_an_immune_part_with_its_own_tumour():
    boxes = scheme("systems/crlm_immune").boxes
    assert {b.name: b.site for b in boxes.values() if b.site} == {
        "hepatic": "liver",
        "liver": "liver",
        "extrahepatic": "elsewhere",
        "elsewhere": "elsewhere",
    }
    assert scheme("systems/crlm_folfox").sites == ()


# --- it says what the equations say -----------------------------------


def moved(name: str, by_inputs: bool = False) -> set[tuple[str, str]]:
    """The pairs of parts of which one's states (or inputs) change the other's rates, by finite differences of
    the equations.
    """
    m = model(name)
    rng = np.random.default_rng(3)
    at, count = rng.uniform(0.5, 1.0, len(m.states) + len(m.inputs)), len(m.states)

    def rates(x: np.ndarray) -> np.ndarray:
        return right_hand_side(m, x[:count], x[count:], np.zeros(count))

    still, found = rates(at), set()
    for j, changed in enumerate((*m.states, *m.inputs) if by_inputs else m.states):
        more = rates(at + 1e-3 * np.eye(len(at))[j])
        found |= {
            (part_of(changed), part_of(m.states[i])) for i in np.flatnonzero(np.abs(more - still) > 1e-12)
        }
    return {(a, b) for a, b in found if a != b}


@pytest.mark.parametrize(
    "name", ["crlm", "crlm_folfox", "folfiri_host", "folfox_bevacizumab_host", "folfox_damage_transit"]
)
def test_no_arrow_is_drawn_that_the_equations_lack(name):
    assert set(arrows(f"systems/{name}")) <= moved(f"systems/{name}", by_inputs=True)


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_part_that_moves_another_has_an_arrow_to_it_or_to_one_that_acts_on_it(name):
    drawn = set(arrows(name))
    for a, b in moved(name):
        assert (a, b) in drawn or any((a, p) in drawn and (p, b) in drawn for p in scheme(name).boxes), (a, b)


@pytest.mark.parametrize("name", ALONE)
def test_every_compartment_is_in_the_picture_in_words_with_its_unit(name):
    rows = [r.text for b in scheme(name).boxes.values() for r in b.rows]
    drawn = " ".join(t.get_text() for t, _ in measured(name)["texts"])
    assert all(any(c.text in r for r in rows) for c in model(name).compartments)
    assert all(word in drawn for r in rows for word in r.split())


def test_couplings_are_words_on_arrows():
    found = arrows("systems/crlm_immune")
    assert (
        set(found["liver", "hepatic"]) == {"growth", "immune kill"} == set(found["elsewhere", "extrahepatic"])
    )
    assert found["effect", "hepatic"] == ("chemotherapy kill",) and found["therapy", "hepatic"] == (
        "EGFR antibody kill",
    )
    assert found["hepatic", "systemic"] == ("antigen release", "viable")
    assert set(scheme("systems/crlm_immune").boxes) & {"growth", "immune", "kill", "egfr", "release"} == set()
    assert scheme("systems/crlm").boxes["lesion"].notes == ["Gompertz growth"]


def test_mass_that_moves_between_parts_is_told_from_what_is_read():
    kinds = {(a.source, a.target): a.kind for a in scheme("systems/tace_irinotecan").arrows}
    assert kinds == {
        ("irinotecan_beads", "tumour_bed"): "flow",
        ("tumour_bed", "irinotecan"): "flow",
        ("irinotecan", "tumour_bed"): "read",
    }


def test_copies_and_chains_are_drawn_once():
    assert scheme("systems/crlm").boxes["lesion"].title == "lesion × 4"
    assert scheme("systems/folfox_damage_transit").boxes["damage"].title == "damage, chain of 3"
    assert [t.get_text() for t, _ in measured("systems/crlm")["texts"]].count("dead or fibrotic") == 1


def test_flows_within_a_part_are_brackets_between_its_rows():
    inner = {b.name: b.inner for b in scheme("systems/folfiri_host").boxes.values()}
    assert inner["neutrophils"] == [(0, 1), (1, 2), (2, 3), (3, 4)] and inner["irinotecan"] == [
        (0, 1),
        (0, 2),
        (2, 3),
        (2, 4),
    ]


def test_a_part_that_many_read_is_named_and_its_line_left_out():
    named = [k for k in layers_of(scheme("systems/crlm_immune_full")).links if k.named]
    assert {k.named.name for k in named if k.named} == {"biology", "therapy"}
    assert all(k.label[0].startswith(f"{k.named.title}: ") for k in named if k.named)
    assert not [k for k in layers_of(scheme("systems/crlm_immune")).links if k.named]


def test_a_single_model_shows_flows_both_ways_doses_and_what_a_rate_depends_on():
    found = [(a.source, a.target, a.kind, a.label) for a in model_scheme(parse_model(TWO_WAYS)).arrows]
    assert found == [
        ("", "b", "dose", ("dose",)),
        ("a", "b", "flow", ("there",)),
        ("b", "a", "flow", ("back",)),
        ("a", "c", "flow", ("far",)),
        ("", "a", "flow", ("made",)),
        ("c", "a", "read", ("made",)),
    ]
    texts = [t.get_text() for t in diagram(parse_model(TWO_WAYS)).texts]
    assert "Odd <things> & $more$" in texts and texts.count("made") == 2 and "what is kept" in texts


def test_a_system_of_a_users_own_is_drawn_along_its_flows(tmp_path):
    (tmp_path / "source.toml").write_text(
        '[model]\ntitle = "s"\ntime = "day"\njoins = ["sink"]\n[parameters]\nK = { unit = "1/day" }\n'
        '[compartments]\nx = { unit = "mg" }\n[flows]\npass_on = { from = "x", to = "sink.y", rate = "K * x '
        '* sink.level" }\n'
    )
    (tmp_path / "sink.toml").write_text(
        '[model]\ntitle = "t"\ntime = "day"\n[compartments]\ny = { unit = "mg" }\n[parameters]\nK = { unit '
        '= "1/day" }\n'
        '[variables]\nlevel = { unit = "1", is = "y / (y + y)" }\n[flows]\nloss = { from = "y", rate = "K * '
        'y" }\n'
    )
    m = parse_model(
        '[model]\ntitle = "two"\ntime = "day"\n[parts]\n'
        f'sink = {{ use = "{tmp_path}/sink.toml" }}\nsource = {{ use = "{tmp_path}/source.toml", sink = '
        f'"sink" }}\n'
    )
    g = layers_of(system_scheme(m))
    assert [[n.box.name for n in column if n.box] for column in g.columns] == [["source"], ["sink"]]
    assert [t.get_text() for t in diagram(m).texts].count("pass on") == 1


# --- how it is laid out -----------------------------------------------

SIZES = st.lists(st.tuples(st.floats(-50, 150), st.floats(1, 10)), min_size=1, max_size=8)


@given(SIZES)
@settings(max_examples=100, deadline=None)
def test_things_spread_out_keep_order_and_bounds_and_move_no_more_than_they_must(things):
    wanted, sizes = [w for w, _ in things], [s for _, s in things]
    found = spread(wanted, sizes, [1.0] * (len(things) - 1), 0.0, 100.0)
    edges = [(m - s / 2, m + s / 2) for m, s in zip(found, sizes, strict=True)]
    assert edges[0][0] >= -1e-9 and edges[-1][1] <= 100 + 1e-9
    assert all(b[0] - a[1] >= 1 - 1e-9 for a, b in zip(edges, edges[1:], strict=False))
    assert spread(found, sizes, [1.0] * (len(things) - 1), 0.0, 100.0) == pytest.approx(found)


def test_uprights_of_one_gutter_cross_less_than_in_the_order_of_their_names():
    def crossings(gutters) -> int:
        pairs = [pair for tracks in gutters for pair in itertools.combinations(tracks, 2)]
        return sum(
            sum(a.low < y < a.high for y in b.left) + sum(b.low < y < b.high for y in a.right)
            for a, b in pairs
        )

    g = layers_of(scheme("systems/crlm_immune"))
    gutters = tracks_of(g, settle(g)[0])
    assert crossings(gutters) < crossings(
        [sorted(tracks, key=lambda t: t.net.source.name) for tracks in gutters]
    )


# --- the command ------------------------------------------------------


@pytest.fixture
def pkpd(monkeypatch, capsys, tmp_path):
    """Runs a command in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["pkpd", *map(str, args)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        return stop.value.code, said.out, said.err

    return run


@pytest.mark.parametrize(
    ("args", "file"),
    [
        (("crlm", "--diagram"), "crlm.svg"),
        (("--diagram", "--json", "folfiri_host"), "folfiri_host.svg"),
        (("drugs/oxaliplatin", "--diagram"), "oxaliplatin.svg"),
        (("folfox4", "--diagram"), "folfox4.svg"),
        (("cetuximab", "--diagram", "a.pdf"), "a.pdf"),
        (("cetuximab", "--diagram=a.png"), "a.png"),
    ],
)
def test_show_writes_the_diagram_under_its_name_or_the_one_given(pkpd, tmp_path, args, file):
    code, out, _ = pkpd("show", *args)
    assert code == 0 and [p.name for p in tmp_path.iterdir()] == [file]
    assert (f"{file}: written" in out) != ("--json" in args)
    begins = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}[file[-4:]]
    assert (tmp_path / file).read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("crlm", "--diagram", "a.txt"), "a.txt is neither .svg nor .png nor .pdf"),
        (("crlm", "--diagram", "nowhere/a.svg"), "the folder nowhere does not exist"),
        (("crlm", "--diagram", "--exposure", "a.png"), "cannot be drawn along with --exposure"),
        (("growth_gompertz", "--diagram"), "is a part that cannot stand alone"),
        (("eortc_40983", "--diagram"), "is neither model nor regimen"),
    ],
)
def test_a_diagram_that_cannot_be_written_is_told_before_anything_is_computed(
    pkpd, tmp_path, monkeypatch, args, told
):
    monkeypatch.setattr("pkpd.model.compose.load_model", lambda *_: pytest.fail("computed"))
    code, out, err = pkpd("show", *args)
    assert code == 2 and told in " ".join(err.split()) and out == "" and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_the_same_model_gives_the_same_file(suffix):
    once, again = (image(diagram(model("drugs/oxaliplatin")), suffix) for _ in range(2))
    assert once == again and len(once) > 5000
