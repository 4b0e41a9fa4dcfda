"""A study of every kind, loaded and run by name from Python; and what any spoilt file of one is told."""

import copy
from dataclasses import replace

import pytest

import pkpd
from pkpd.content import library
from pkpd.errors import ContentError, PkpdError
from pkpd.report.studies import WRITERS, write_study
from pkpd.study.kinds import KINDS

STUDIES = {
    "neoadjuvant": "neoadjuvant_cycles",
    "platforms": "platforms",
    "resistance": "immune_resistance",
    "order": "treatment_order",
    "stability": "immune_stability",
}


def tiny(kind):
    """A study of the library with so few patients, draws and arms that it runs in a moment."""
    study = pkpd.load_study(STUDIES[kind])
    if kind == "neoadjuvant":
        sweep = replace(study.sweeps[0], before=(6,))
        return replace(study, sweeps=(sweep,), patients=8, repeats=1, draws=2, draws_other_links=1)
    if kind == "platforms":
        return replace(
            study,
            patients=4,
            draws=2,
            levels=(0.0, 1.0),
            horizon=112.0,
            platforms=tuple(study.platform(p) for p in ("human", "xenograft")),
            treatments=study.treatments[:2],
        )
    if kind == "resistance":
        grid = replace(study.grid, cohorts=study.grid.cohorts[:2], drugs=study.grid.drugs[:2])
        return replace(study, grid=grid, shown=(), patients=8, draws=2, importance=None, liver_effect=None)
    if kind == "order":
        return replace(
            study,
            patients=4,
            draws=2,
            gaps=(0.0, 56.0),
            terms_at=(56.0,),
            horizon=336.0,
            terms=study.terms[:1],
            biologies=study.biologies[:1],
            modalities=study.modalities[:1],
            beside=None,
        )
    return replace(
        study,
        patients=8,
        draws=2,
        groups=study.groups[:1],
        treatments=study.treatments[:2],
        volumes=(1e-6, 1.0),
        effectors=(1.0, 30.0),
        strengths=study.strengths[:1],
        terms=study.terms[:1],
    )


@pytest.mark.parametrize(
    "kind", [*(k for k in STUDIES if k != "stability"), pytest.param("stability", marks=pytest.mark.slow)]
)
def test_a_study_of_every_kind_runs_from_python(kind, tmp_path):
    told = []
    study = tiny(kind)
    result = pkpd.run_study(study, lambda what, done, of: told.append((done, of)))
    assert study.kind == kind and result.study is study and told[-1][0] == told[-1][1] > 0
    assert write_study(result, tmp_path).read_text().startswith("<!")


def test_whatever_is_no_study_is_refused_by_name():
    for other in (3, "treatment_order", pkpd.load_trial("eortc_40983")):
        with pytest.raises(
            PkpdError, match=r"run_study: .* is no study\n    remedy: load one: pkpd.run_study"
        ):
            pkpd.run_study(other)
    assert set(KINDS) == set(WRITERS) == set(STUDIES)


@pytest.mark.parametrize(
    ("kind", "path", "bad", "told"),
    [
        (
            "stability",
            ("terms", 0, "lines"),
            [["site.SIGMA"]],
            "terms[1].lines: ['site.SIGMA'] is not a line of",
        ),
        (
            "stability",
            ("terms", 0, "lines"),
            [],
            "terms[1].lines: [] is not a list of lines\n    remedy: write lines = ",
        ),
        ("stability", ("strengths", 0, "line"), "nothing", "strengths[1].line: 'nothing' is not a line of"),
        ("platforms", ("uncertain", 0, "lines"), [{}], "uncertain[1].lines: {} is not a line of"),
    ],
)
def test_a_line_that_is_no_text_is_no_line(kind, path, bad, told):
    tables = copy.deepcopy(library.read("study", STUDIES[kind]).data)
    tables[path[0]][path[1]][path[2]] = bad
    with pytest.raises(ContentError) as caught:
        KINDS[kind][0](tables, "mine", "mine.toml")
    assert told in str(caught.value)


def test_a_share_may_give_one_end_of_its_draws():
    tables = copy.deepcopy(library.read("study", STUDIES["order"]).data)
    tables["ablation"]["dies"] = {"value": 0.95, "low": 0.9}
    study = KINDS["order"][0](tables, "mine", "mine.toml")
    assert ("ablation: share of the lesion that dies", "0.95 (0.9–0.95)", "", "user") in study.provenance
