"""A study of every kind, loaded and run by name from Python; and what any spoilt file of one is told."""

import copy
import random
from dataclasses import replace
from functools import lru_cache

import pytest

import pkpd
from pkpd import library
from pkpd.errors import ContentError, PkpdError
from pkpd.regimen import read_regimen
from pkpd.report.studies import WRITERS, write_study
from pkpd.study.kinds import KINDS
from pkpd.study.order import plan as order
from pkpd.study.platforms import plan as platforms
from pkpd.study.resistance import study as resistance
from pkpd.study.stability import plan as stability

STUDIES = {"neoadjuvant": "neoadjuvant_cycles", "platforms": "platforms", "resistance": "immune_resistance",
           "order": "treatment_order", "stability": "immune_stability"}
BAD = ("x", -1, float("inf"), float("nan"), True, [], {}, [1], ["a"], {"a": 1}, [[1], 2], [["x"]], [{}], 0, 10**400,
       "1 week", "1e400 mg", "\x00")
GONE = object()


def tiny(kind):
    """A study of the library with so few patients, draws and arms that it runs in a moment."""
    study = pkpd.load_study(STUDIES[kind])
    if kind == "neoadjuvant":
        sweep = replace(study.sweeps[0], before=(6,))
        return replace(study, sweeps=(sweep,), patients=8, repeats=1, draws=2, draws_other_links=1)
    if kind == "platforms":
        return replace(study, patients=4, draws=2, levels=(0.0, 1.0), horizon=112.0,
                       platforms=tuple(study.platform(p) for p in ("human", "xenograft")), treatments=study.treatments[:2])
    if kind == "resistance":
        grid = replace(study.grid, cohorts=study.grid.cohorts[:2], drugs=study.grid.drugs[:2])
        return replace(study, grid=grid, shown=(), patients=8, draws=2, importance=None, liver_effect=None)
    if kind == "order":
        return replace(study, patients=4, draws=2, gaps=(0.0, 56.0), terms_at=(56.0,), horizon=336.0, terms=study.terms[:1],
                       biologies=study.biologies[:1], modalities=study.modalities[:1], beside=None)
    return replace(study, patients=8, draws=2, groups=study.groups[:1], treatments=study.treatments[:2], volumes=(1e-6, 1.0),
                   effectors=(1.0, 30.0), strengths=study.strengths[:1], terms=study.terms[:1])


@pytest.mark.parametrize("kind", [*(k for k in STUDIES if k != "stability"),
                                  pytest.param("stability", marks=pytest.mark.slow)])
def test_a_study_of_every_kind_runs_from_python(kind, tmp_path):
    told = []
    study = tiny(kind)
    result = pkpd.run_study(study, lambda what, done, of: told.append((done, of)))
    assert study.kind == kind and result.study is study and told[-1][0] == told[-1][1] > 0
    assert write_study(result, tmp_path).read_text().startswith("<!")


def test_whatever_is_no_study_is_refused_by_name():
    for other in (3, "treatment_order", pkpd.load_trial("eortc_40983")):
        with pytest.raises(PkpdError, match=r"run_study: .* is no study\n    remedy: load one: pkpd.run_study"):
            pkpd.run_study(other)
    assert set(KINDS) == set(WRITERS) == set(STUDIES)


def places(tables, above=()):
    """The path of every value; of a long list's items the first two."""
    pairs = tables.items() if isinstance(tables, dict) else list(enumerate(tables))[:2] if isinstance(tables, list) else ()
    for key, value in pairs:
        yield (*above, key)
        yield from places(value, (*above, key))


def spoilt(tables, count, seed=5):
    """The tables with one value of a wrong kind, or without it, again and again."""
    cases = [(p, b) for p in places(tables) for b in (*BAD, GONE)]
    for path, bad in random.Random(seed).sample(cases, min(count, len(cases))):
        mine = copy.deepcopy(tables)
        at = mine
        for key in path[:-1]:
            at = at[key]
        if bad is GONE:
            del at[path[-1]]
        else:
            at[path[-1]] = copy.deepcopy(bad)
        yield path, bad, mine


def refused(read, tables, count):
    """How many of so many spoilt tables a reader refuses; anything but its own error is a failure."""
    number = 0
    for path, bad, mine in spoilt(tables, count):
        try:
            read(mine, "mine", "mine.toml")
        except PkpdError:
            number += 1
        except Exception as error:
            pytest.fail(f"{path} = {bad!r}: {type(error).__name__}: {error}")
    return number


@pytest.mark.parametrize(("kind", "count"), [("neoadjuvant", 300), ("order", 80), ("stability", 80), ("platforms", 15),
                                             ("resistance", 20)])
def test_no_spoilt_study_gives_a_traceback(kind, count, monkeypatch):
    for module in (order, platforms, stability, resistance):
        for word in ("load_model", "load_trial", "load_result", "daily_model"):
            if hasattr(module, word):
                monkeypatch.setattr(module, word, lru_cache(getattr(module, word)))
    for word in ("names", "read"):
        monkeypatch.setattr(library, word, lru_cache(getattr(library, word)))
    assert refused(KINDS[kind][0], library.read("study", STUDIES[kind]).data, count) > count / 2


@pytest.mark.parametrize("name", ["mfolfox6_neutrophil_rules", "folfox4", "nivolumab_ipilimumab", "capox"])
def test_no_spoilt_regimen_gives_a_traceback(name):
    assert refused(read_regimen, library.read("regimen", name).data, 300) > 100


@pytest.mark.parametrize(("kind", "path", "bad", "told"), [
    ("stability", ("terms", 0, "lines"), [["site.SIGMA"]], "terms[1].lines: ['site.SIGMA'] is not a line of"),
    ("stability", ("terms", 0, "lines"), [], "terms[1].lines: [] is not a list of lines\n    remedy: write lines = "),
    ("stability", ("strengths", 0, "line"), "nothing", "strengths[1].line: 'nothing' is not a line of"),
    ("platforms", ("uncertain", 0, "lines"), [{}], "uncertain[1].lines: {} is not a line of")])
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
