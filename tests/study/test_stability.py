"""Stability: a finder of equilibria that finds known ones, a reduction that is exact, and laws that are
measured.
"""

import copy
import csv
import io
import json
import re
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from pkpd import load_model, load_parameters, load_study, parse_model
from pkpd.content.library import read
from pkpd.errors import ContentError
from pkpd.fit.intervals import share
from pkpd.parameters.sets import load_context
from pkpd.report.stability import COLUMNS, write_stability
from pkpd.report.stability_map import differs
from pkpd.report.stability_reading import opening
from pkpd.report.stability_words import short
from pkpd.report.stability_words import whole as whole_per_cent
from pkpd.simulation.run import simulate
from pkpd.solve.rates import right_hand_side
from pkpd.study.stability.basins import critical, run, starts
from pkpd.study.stability.conservation import _balanced, _quadrature, follow, laws
from pkpd.study.stability.equilibria import equilibria
from pkpd.study.stability.fixed_volume import fixed_volume
from pkpd.study.stability.folds import KILL, branch, confirmed, fold, typical, volumes, without
from pkpd.study.stability.folds import equilibria as resting_volumes
from pkpd.study.stability.linearisation import in_logarithms, linearised, modes
from pkpd.study.stability.reading import read_stability
from pkpd.study.stability.reduction import Place, Reduction, whole
from pkpd.study.stability.run import run_stability
from pkpd.study.stability.spectrum import at_treatment, in_play
from pkpd.study.stability.subjects import average, central, people, scaled, treated

SHIPPED = load_study("immune_stability")
UNFITTED = load_parameters(read("study", "immune_stability").data["study"]["parameters"], SHIPPED.system)
# what is tested holds for the values before calibration, whatever a fit makes of them
STUDY = replace(SHIPPED, fit="none", parameters=UNFITTED, account={})
SYSTEM = STUDY.system
FEW = replace(STUDY, patients=12, draws=2)
AT, _ = central(STUDY)
GROUPS, GIVEN = {g.name: g for g in STUDY.groups}, {t.name: t for t in STUDY.treatments}
CORNERS = [(g, t) for g in GROUPS for t in ("untreated", "anti_pd1")]

KUZNETSOV = """
[model]
title = "Effector cells and tumour, dimensionless (Kuznetsov 1994)"
time = "day"
[parameters]
SIGMA = { unit = "1/day", text = "source" }
RHO = { unit = "1/day", text = "recruitment" }
ETA = { unit = "1", text = "tumour at half of it" }
MU = { unit = "1/day", text = "inactivation" }
DELTA = { unit = "1/day", text = "loss" }
ALPHA = { unit = "1/day", text = "growth" }
BETA = { unit = "1", text = "one over the capacity" }
ONE = { unit = "1/day", text = "kill" }
[compartments]
x = { unit = "1", text = "effector cells" }
y = { unit = "1", text = "tumour cells" }
[flows]
source = { to = "x", rate = "SIGMA" }
recruitment = { to = "x", rate = "RHO * x * y / (ETA + y)" }
inactivation = { from = "x", rate = "MU * x * y" }
loss = { from = "x", rate = "DELTA * x" }
growth = { to = "y", rate = "ALPHA * y * (1 - BETA * y)" }
kill = { from = "y", rate = "ONE * x * y" }
"""
SIGMA, RHO, ETA, MU, DELTA, ALPHA, BETA = PUBLISHED = 0.1181, 1.131, 20.19, 0.00311, 0.3743, 1.636, 2e-3


def one(group, treatment, factor=1.0):
    """The typical patient of a group under a treatment, its kill times a factor."""
    own = GROUPS[group]
    return scaled(treated(average(STUDY, own, AT), GIVEN[treatment]), own, KILL, factor)


def middle_of_fold(group, treatment="anti_pd1"):
    """The typical patient of a group in the middle of the strengths of kill with two stable states."""
    ends = fold(branch(STUDY, GROUPS[group], GIVEN[treatment], AT))
    assert ends is not None
    return one(group, treatment, float(np.sqrt(ends[0] * ends[1])))


# --- equilibria and modes that are known ---------------------------------


def found_in(model, inputs, starts_):
    linear = linearised(model)
    return equilibria(
        lambda _, x: linear(x, np.tile(inputs, (len(x), 1))), starts_, np.ones(starts_.shape[1])
    )


def test_the_finder_finds_both_stable_states_of_kuznetsovs_model():
    """Its tumours solve a cubic: x = alpha (1 - beta y) put into the balance of effectors."""
    around = np.exp(np.random.default_rng(4).uniform(np.log(1e-3), np.log(1e3), (120, 2)))
    found = found_in(parse_model(KUZNETSOV), [*PUBLISHED, 1.0], around)
    supply = np.polymul([SIGMA], [1, ETA])
    taken = np.polymul([-ALPHA * BETA, ALPHA], np.polysub(np.polymul([MU, DELTA], [1, ETA]), [RHO, 0]))
    expected = np.sort(np.roots(np.polysub(supply, taken)).real)
    by_tumour = sorted(found, key=lambda e: e.state[1])
    assert [e.state[1] for e in by_tumour] == pytest.approx([0, *expected], rel=1e-9, abs=1e-12)
    assert by_tumour[0].state[0] == pytest.approx(SIGMA / DELTA)
    assert [e.stable for e in by_tumour] == [False, True, False, True]


def test_the_one_with_few_tumour_cells_is_approached_in_turns():
    around = np.exp(np.random.default_rng(4).uniform(np.log(1e-2), np.log(1e2), (60, 2)))
    dormant = next(
        e for e in found_in(parse_model(KUZNETSOV), [*PUBLISHED, 1.0], around) if 1 < e.state[1] < 20
    )
    assert np.abs(dormant.values.imag).min() > 0 and dormant.values.real.max() < 0


CHAIN = """
[model]
title = "a chain"
time = "day"
[parameters]
K1 = { unit = "1/day", text = "first" }
K2 = { unit = "1/day", text = "second" }
K3 = { unit = "1/day", text = "third" }
[compartments]
a = { unit = "mg", text = "a" }
b = { unit = "mg", text = "b" }
c = { unit = "mg", text = "c" }
[flows]
one = { from = "a", to = "b", rate = "K1 * a" }
two = { from = "b", to = "c", rate = "K2 * b" }
three = { from = "c", rate = "K3 * c" }
"""


def test_a_chain_has_its_rates_as_eigenvalues_and_each_state_is_its_own_mode():
    _, slopes = linearised(parse_model(CHAIN))(np.ones((1, 3)), np.array([[0.3, 5.0, 0.01]]))
    found = modes(slopes)
    assert found.values[0] == pytest.approx([-5.0, -0.3, -0.01])
    assert found.shares[0] == pytest.approx(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]]), abs=1e-12)


def test_a_swing_has_its_frequency_and_both_states_half_of_each_mode():
    turn = np.array([[[-0.2, 3.0], [-3.0, -0.2]]])
    found = modes(turn)
    assert sorted(found.values[0].imag) == pytest.approx([-3, 3]) and found.values[0].real == pytest.approx(
        [-0.2, -0.2]
    )
    assert found.shares[0] == pytest.approx(np.full((2, 2), 0.5))


def test_growth_by_a_constant_rate_is_no_divergence_of_logarithms():
    """dy/dt = r y: the eigenvalue r in y is 0 in ln y; Gompertz growth has minus its constant at
    every size.
    """
    y, r, a, k = np.array([[2.0], [70.0]]), 0.3, 0.02, 900.0
    steady = in_logarithms(y, r * y, np.full((2, 1, 1), r), np.array([True]))
    gompertz = in_logarithms(y, a * np.log(k / y) * y, (a * np.log(k / y) - a)[:, :, None], np.array([True]))
    assert steady[:, 0, 0] == pytest.approx(0, abs=1e-15) and gompertz[:, 0, 0] == pytest.approx(-a)


@pytest.mark.parametrize(("group", "treatment"), CORNERS)
def test_the_jacobian_agrees_with_differences_where_treatment_begins(group, treatment):
    patients = treated(people(replace(STUDY, patients=4), GROUPS[group], AT), GIVEN[treatment])
    y = at_treatment(STUDY, patients)
    rates, slopes = linearised(SYSTEM)(y, patients.inputs)
    assert rates == pytest.approx(
        right_hand_side(SYSTEM, y.T, patients.inputs.T, np.zeros_like(y.T)).T, rel=1e-9, abs=1e-14
    )
    for j in [SYSTEM.states.index(s) for s in in_play(STUDY, GROUPS[group])]:
        step = 1e-5 * np.maximum(np.abs(y[:, j]), 1e-2)
        ends = []
        for sign in (1, -1):
            moved = y.copy()
            moved[:, j] += sign * step
            ends.append(right_hand_side(SYSTEM, moved.T, patients.inputs.T, np.zeros_like(y.T)).T)
        numeric = (ends[0] - ends[1]) / (2 * step[:, None])
        assert np.abs(slopes[:, :, j] - numeric).max() < 1e-6 * max(1.0, np.abs(slopes[:, :, j]).max())


def test_growth_itself_is_an_eigenvalue():
    """What no drug selects for: the share of resistant cells changes nothing, so the net growth rate is an
    eigenvalue.
    """
    patient = treated(people(replace(STUDY, patients=4), GROUPS["mss_liver"], AT), GIVEN["anti_pd1"])
    y = at_treatment(STUDY, patient)
    run_ = simulate(SYSTEM, patient, None, (0.0,), start=y)
    _, slopes = linearised(SYSTEM, in_play(STUDY, GROUPS["mss_liver"]))(y, patient.inputs)
    values = np.linalg.eigvals(slopes)
    for lesion in (1, 2):
        net = (run_[f"growth.{lesion}.rate"] - run_["liver.kill"])[:, 0]
        assert np.abs(values - net[:, None]).min(axis=1) == pytest.approx(0, abs=1e-9)


# --- the reduction -------------------------------------------------------


@pytest.mark.parametrize(("group", "treatment"), CORNERS)
def test_what_the_reduction_says_immunity_settles_at_is_what_long_runs_settle_at(group, treatment):
    """With growth, kill and clearance of tumour switched off the volume is held; twenty years from the
    model's own start.
    """
    own, patients = (
        GROUPS[group],
        treated(people(replace(STUDY, patients=6), GROUPS[group], AT), GIVEN[treatment]),
    )
    viable = np.geomspace(1e-2, 300, 6)
    tumour = (f"{own.place.growth}.", f"{own.place.lesions}.")
    still = [
        n
        for n in SYSTEM.inputs
        if n.startswith(tumour) and n.endswith((".ALPHA", ".KD")) or n == f"{own.place.site}.KAPPA"
    ]
    settled = simulate(
        SYSTEM,
        patients.with_inputs(dict.fromkeys(still, 0.0)),
        None,
        (7305.0,),
        rtol=1e-9,
        start=starts(STUDY, own.place, patients, viable, np.full(6, 0.3)),
    ).states[:, 0]
    expected = whole(SYSTEM, Reduction(patients, own.place), viable)
    block = [i for i, s in enumerate(SYSTEM.states) if s.startswith((f"{own.place.site}.", "systemic."))]
    assert settled[:, block] == pytest.approx(expected[:, block], rel=1e-6)


@pytest.mark.parametrize(("group", "treatment"), CORNERS)
def test_an_equilibrium_of_the_reduction_is_one_of_the_whole_system_and_as_stable(group, treatment):
    patients = treated(people(replace(STUDY, patients=60), GROUPS[group], AT), GIVEN[treatment])
    found, falls = resting_volumes(STUDY, GROUPS[group], patients)
    count, _, otherwise = confirmed(STUDY, GROUPS[group], patients, found, falls)
    assert count >= 60 and otherwise == 0


def test_blockade_of_everything_immune_is_in_the_reduction_too():
    blocked = {
        f"therapy.{k}": 0.5 for k in ("PD1", "CTLA4", "DEPLETION", "LAG3", "TIGIT", "TGFB", "VEGF", "CSF1R")
    }
    patients = people(replace(STUDY, patients=20), GROUPS["msi_liver"], AT).with_inputs(blocked)
    found, falls = resting_volumes(STUDY, GROUPS["msi_liver"], patients)
    assert confirmed(STUDY, GROUPS["msi_liver"], patients, found, falls)[2] == 0


def test_the_whole_system_stays_at_an_equilibrium_of_the_reduction():
    patient = middle_of_fold("msi_liver")
    found, falls = resting_volumes(STUDY, GROUPS["msi_liver"], patient)
    assert falls[0].tolist() == [True, False, True]
    three = patient.take(np.zeros(3, dtype=int))
    y = whole(SYSTEM, Reduction(three, GROUPS["msi_liver"].place), found[0])
    later = simulate(SYSTEM, three, None, (60.0, 36525.0), start=y, rtol=1e-9)["liver.viable"]
    assert later[:, 0] == pytest.approx(found[0], rel=1e-5)
    assert later[[0, 2], 1] == pytest.approx(found[0, [0, 2]], rel=1e-5)


def test_growth_without_kill_is_gompertz_growth_and_ends_at_the_capacity():
    patient = one("mss_elsewhere", "untreated").with_inputs({"biology.MHC": 0.0})
    alone = Reduction(patient, Place("extrahepatic", 1))
    v = np.array([[1e-3, 1.0, 100.0]])
    expected = (
        alone["growth.ALPHA"] * np.log(alone["growth.K"] / (v + 1e-9)) * (1 - v / alone["growth.KSITE"])
    )
    assert alone.at(v).growth == pytest.approx(expected) and np.all(alone.at(v).kill == 0)
    group = replace(GROUPS["mss_elsewhere"], place=Place("extrahepatic", 1))
    assert resting_volumes(STUDY, group, patient)[0][0] == pytest.approx(alone["growth.K"][0], rel=1e-6)


def test_a_system_with_modules_in_force_is_refused():
    system = load_model("crlm_immune_full")
    values = load_parameters("crlm_immune_full_advanced", system)
    contexts = tuple((name, load_context(name, system)) for name, _ in STUDY.groups[0].contexts)
    groups = (replace(STUDY.groups[0], contexts=contexts),)
    full = replace(STUDY, system=system, parameters=values, groups=groups)
    at, _ = central(full)
    with pytest.raises(ContentError, match="does not rest where its core would"):
        typical(full, full.groups[0], full.treatments[0], at)


# --- one stable state or two ----------------------------------------------


@pytest.mark.parametrize(("group", "treatment"), CORNERS)
def test_at_a_held_volume_there_is_one_immune_state_whatever_the_strengths(group, treatment):
    few = replace(STUDY, strengths=tuple(replace(s, times=(0.2, 4.0)) for s in STUDY.strengths[:3]))
    found = fixed_volume(few, GROUPS[group], GIVEN[treatment], AT)
    assert found["fewest"] == found["most"] == found["most_stable"] == 1 and found["points"] == 56
    assert found["apart"] < 1e-6 and found["off"] < 1e-6 and found["lost"] < 0.1 * 56 * found["starts"]


@pytest.mark.parametrize("line", ["KAPPA", "EHALF"])
def test_at_a_held_volume_the_strength_of_kill_changes_no_immune_state(line):
    patient = one("msi_liver", "anti_pd1")
    v = np.geomspace(1e-3, 1e3, 7)[None]
    weak, strong = (
        Reduction(scaled(patient, GROUPS["msi_liver"], f"site.{line}", f), GROUPS["msi_liver"].place).at(v)
        for f in (0.5, 2.0)
    )
    assert all(np.array_equal(weak.states[k], strong.states[k]) for k in weak.states)
    assert np.all(weak.kill != strong.kill)


@pytest.mark.parametrize("group", ["mss_liver", "msi_liver"])
def test_with_liver_metastases_some_strength_of_kill_has_two_stable_states_and_none_without_tolerance(group):
    assert fold(branch(STUDY, GROUPS[group], GIVEN["anti_pd1"], AT)) is not None
    crowd = replace(STUDY, patients=150)
    tolerance = next(t for t in STUDY.terms if t.name == "tolerance")
    kept = without(crowd, GROUPS[group], GIVEN["anti_pd1"], replace(tolerance, lines=()), AT)
    assert kept.any() and not without(crowd, GROUPS[group], GIVEN["anti_pd1"], tolerance, AT).any()


@pytest.mark.parametrize("group", ["mss_elsewhere", "msi_elsewhere"])
@pytest.mark.parametrize("treatment", ["untreated", "anti_pd1"])
def test_without_liver_metastases_no_strength_of_kill_has_two(group, treatment):
    assert fold(branch(STUDY, GROUPS[group], GIVEN[treatment], AT)) is None


@pytest.mark.parametrize("group", ["mss_liver", "msi_liver"])
def test_the_branch_counts_equilibria_as_the_search_does(group):
    """Below, within and above the fold: one, three and one."""
    ends = fold(branch(STUDY, GROUPS[group], GIVEN["anti_pd1"], AT))
    assert ends is not None
    counts = [
        int((~np.isnan(resting_volumes(STUDY, GROUPS[group], one(group, "anti_pd1", f))[0])).sum())
        for f in (0.97 * ends[0], 1.03 * ends[0], 0.97 * ends[1], 1.03 * ends[1])
    ]
    assert counts == [1, 3, 3, 1]


def test_between_two_stable_states_the_size_at_the_start_decides():
    own, patient = GROUPS["msi_liver"], middle_of_fold("msi_liver")
    found, _ = resting_volumes(STUDY, own, patient)
    five = patient.take(np.zeros(5, dtype=int))
    viable = found[0, 1] * np.array([1e-6, 0.1, 0.5, 3.0, 20.0])
    ends = run(STUDY, own.place, five, starts(STUDY, own.place, five, viable, np.full(5, 0.3)))
    assert ends.last == pytest.approx(found[0, [0, 0, 0, 2, 2]], rel=1e-3) and not ends.moving.any()
    assert ends.outcome.tolist() == [1, 1, 1, ends.outcome[3], ends.outcome[3]] and ends.outcome[3] in (2, 3)


def test_bisection_finds_the_volume_that_parts_two_ends():
    """From settled immunity it would be the parting state; from the model's start, whose effectors are few,
    it lies near.
    """
    own, patient = GROUPS["msi_liver"], middle_of_fold("msi_liver")
    found, _ = resting_volumes(STUDY, own, patient)
    parts = critical(STUDY, own.place, patient, found, np.array([0.3]))
    two = patient.take(np.zeros(2, dtype=int))
    ends = run(
        STUDY,
        own.place,
        two,
        starts(STUDY, own.place, two, parts[0] * np.array([0.99, 1.01]), np.full(2, 0.3)),
    )
    assert ends.last[0] < found[0, 1] < ends.last[1]
    assert 1 < parts[0] / found[0, 1] < 2


def test_one_cell_met_by_many_effectors_is_eliminated_and_grows_when_met_by_few():
    own, patient = GROUPS["msi_elsewhere"], one("msi_elsewhere", "anti_pd1")
    two = patient.take(np.zeros(2, dtype=int))
    ends = run(
        STUDY, own.place, two, starts(STUDY, own.place, two, np.full(2, 1e-9), np.array([0.01, 100.0]))
    )
    assert ends.outcome.tolist() == [1, 0]


# --- laws ------------------------------------------------------------------


def test_the_quadrature_is_exact_for_what_decays_fast_after_a_switch():
    switches = [0.0, 90.0, 455.25, 1185.75]
    times, weights = _quadrature(switches)
    for switch in switches[:3]:
        decay = np.where(times >= switch, np.exp(-1.5 * np.maximum(times - switch, 0)), 0.0)
        assert decay @ weights == pytest.approx(1 / 1.5, rel=1e-9)
    assert weights.sum() == pytest.approx(switches[-1])


@lru_cache
def measured():
    return laws(FEW, AT)


def test_every_law_holds_over_groups_and_treatments():
    rows = measured()
    assert {r["law"] for r in rows} == {"positivity", "bounds", "balance"}
    assert [f"{r['law']} of {r['item']}" for r in rows if not r["holds"]] == []
    assert {"hepatic.sensitive", "systemic.circulating", "elsewhere.effector"} <= {r["item"] for r in rows}
    assert max(abs(r["margin"]) for r in rows if r["law"] == "balance") < 1e-7


def test_a_law_that_is_broken_is_told(monkeypatch):
    """Half of the capacity that the system has is a bound that tumour passes."""
    grown = replace(FEW, groups=FEW.groups[:1], treatments=FEW.treatments[:1], followed=20000.0)
    monkeypatch.setattr(
        "pkpd.study.stability.conservation._BOUNDS",
        (
            (
                "tumour in half of the site",
                "0 to KSITE / 2",
                lambda r, g: r["liver.volume"] / (0.5 * r["growth.1.KSITE"]),
            ),
        ),
    )
    broken = [r for r in laws(grown, AT) if not r["holds"]]
    assert [r["item"] for r in broken] == ["tumour in half of the site"] and broken[0]["highest"] > 1


def test_a_flow_that_is_left_out_breaks_the_balance():
    patients = people(replace(FEW, patients=4), GROUPS["mss_liver"], AT, "laws")
    run_, weights = follow(FEW, patients, GIVEN["anti_pd1"])
    fewer = replace(SYSTEM, flows=tuple(f for f in SYSTEM.flows if not f.name.endswith("siphon")))
    rows = {r["item"]: r for r in _balanced(replace(run_, model=fewer), weights, GROUPS["mss_liver"])}
    assert not rows["circulating cells"]["holds"] and rows["priming"]["holds"]


def test_beyond_both_bounds_growth_turns_positive_again():
    """A limit of the growth law: within its bounds no lesion gets there."""
    alone = Reduction(one("mss_liver", "untreated"), Place("hepatic", 1))
    site, lesion = float(alone["growth.KSITE"][0, 0]), float(alone["growth.K"][0, 0])
    assert lesion < site and float(alone.at(np.array([[1.2 * site]])).growth[0, 0]) > 0
    assert np.all(alone.at(np.linspace(1.02 * lesion, 0.98 * site, 9)[None]).growth < 0)


# --- the study and its page -------------------------------------------------


@lru_cache
def result():
    small = replace(
        FEW,
        groups=(GROUPS["msi_liver"], GROUPS["mss_elsewhere"]),
        treatments=STUDY.treatments[:2],
        strengths=tuple(replace(s, times=s.times[:1]) for s in STUDY.strengths),
        terms=STUDY.terms[:2],
        volumes=(1e-6, 1.0, 100.0),
        effectors=(0.01, 30.0),
    )
    return run_stability(small)


def test_the_whole_system_and_the_reduction_agree_on_who_has_two_ends():
    rows = {(r["group"], r["treatment"], r["measure"]): r for r in result().basins}
    for group in ("msi_liver", "mss_elsewhere"):
        for given in ("untreated", "anti_pd1"):
            assert rows[group, given, "both say the same"]["value"] >= 90
            outcomes = [
                rows[group, given, f"{o} from their own start"]["value"]
                for o in ("eliminated", "controlled", "held", "escaped")
            ]
            assert sum(outcomes) == pytest.approx(100)


def test_the_page_stands_alone_and_its_rows_are_the_results(tmp_path):
    page = write_stability(result(), tmp_path).read_text(encoding="utf-8")
    assert (
        page.count('src="data:image/svg+xml;base64,') == 4
        and "http" not in page.split("</style>")[-1].split("<img")[0]
    )
    assert "not advice on any patient" in page and not re.search(
        r">\s*(None|nan|inf)\b", page.replace("None was", "")
    )
    rows = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text(encoding="utf-8"))))
    assert list(rows[0]) == list(COLUMNS)
    data = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert data["fit"] == "none" and len(data["laws"]) == len(result().laws)
    assert sum(r["table"] == "basins" for r in rows) == len(result().basins)


def test_the_opening_says_presence_or_absence_from_the_numbers():
    def changed(value):
        rows = tuple(
            {**r, "value": value, "high": value} if r["measure"] == "two stable states, over draws" else r
            for r in result().basins
        )
        return opening(replace(result(), basins=rows))

    assert changed(0.0).startswith("No virtual patient has two stable states")
    assert "exists in this model" in changed(25.0) and "25 %" in changed(25.0)


def test_numbers_are_told_without_powers_and_shares_in_whole_per_cent():
    assert [short(x) for x in (124.0, 99.7, 97.0, 0.0775, -0.876, 1379.4, 0.0)] == [
        "124",
        "100",
        "97",
        "0.077",
        "−0.88",
        "1,379",
        "0",
    ]
    assert short(3e-15) == "3×10⁻¹⁵"
    assert [whole_per_cent(x) for x in (0.0, 0.5, 21.7, 99.5, 100.0)] == ["0", "<1", "22", ">99", "100"]


def test_a_map_with_one_end_from_every_start_is_not_drawn():
    [one_end, two_ends] = ({"last": [[0.1, low], [0.1, 0.11]]} for low in (0.12, 300.0))
    assert differs(two_ends) and not differs(one_end)


def test_a_share_of_none_is_bounded_by_how_many_were_looked_at():
    few, many = share(np.zeros(10, dtype=bool)), share(np.zeros(1000, dtype=bool))
    assert few["value"] == many["value"] == few["low"] == 0 and few["high"] > 10 > 1 > many["high"] > 0


# --- a fit's result -----------------------------------------------------------


RESULT = """
[parameters]
model = "systems/crlm_immune"
title = "a result"
reference = "assumption"
include = ["crlm_immune_advanced"]
[values.liver.KAPPA]
value = 0.05
unit = "1/day"
where = "here"
seen = "fitted"
spread = { law = "lognormal", sd = 0.6 }
[draws]
"liver.KAPPA" = [0.04, 0.05, 0.09]
"biology_msi_h/biology.ANTIGEN" = [3.0, 5.0, 11.0]
[fit]
name = "mine"
trials = ["keynote_016"]
figures = ["keynote_016/response:dmmr"]
"""


def test_a_fit_sets_the_medians_of_its_draws_and_those_of_contexts(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(RESULT)
    data = copy.deepcopy(read("study", "immune_stability").data)
    data["study"]["fit"] = str(file)
    study = read_stability(data, "mine", "mine.toml")
    at, account = central(study)
    patient = average(study, GROUPS["msi_liver"], at)
    assert account["name"] == "mine"
    assert (patient["liver.KAPPA"][0], patient["biology.ANTIGEN"][0]) == (0.05, 5.0)
    assert average(study, GROUPS["mss_liver"], at)["biology.ANTIGEN"][0] == 1


def test_the_shipped_study_has_one_typical_patient_of_every_group():
    at, account = central(SHIPPED)
    assert account.get("name", "none") == SHIPPED.fit
    for group in SHIPPED.groups:
        found, falls = resting_volumes(
            SHIPPED, group, treated(average(SHIPPED, group, at), SHIPPED.treatments[1])
        )
        assert falls[0, 0] and found[0, 0] > 0


# --- its file -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda d: d["study"].update(system="drugs/cetuximab"),
            "study.system: drugs/cetuximab has no 'systemic.priming'",
        ),
        (lambda d: d["study"].update(fit="nothing"), "study.fit"),
        (lambda d: d["study"].update(parameters="cetuximab"), "study.parameters"),
        (lambda d: d["study"].update(horizon="long"), "study.horizon"),
        (lambda d: d["study"].update(held="200 year"), "study.held: is not below horizon"),
        (lambda d: d["study"].update(below="5 day"), "study.below"),
        (lambda d: d["study"].update(volumes=["1 mL"]), "study.volumes: ['1 mL'] is not a range of starts"),
        (lambda d: d["study"].update(effectors=[1, "many"]), "study.effectors"),
        (lambda d: d["study"].update(expected=[1]), "study.expected: [1] is not two rates (1/day)"),
        (lambda d: d["study"].update(patients=2), "study.patients: 2 is not a whole number of at least 4"),
        (lambda d: d["groups"][0].update(contexts=["biology_msi"]), "groups[1].contexts"),
        (lambda d: d["groups"][0].update(covariates={"LESIONS": 2, "ELSEWHERE": 1}), "groups[1].covariates"),
        (lambda d: d["groups"][0].update(covariates={"LESIONS": 3, "ELSEWHERE": 0}), "groups[1].covariates"),
        (
            lambda d: d["groups"][0]["covariates"].update(SIZE=2),
            "groups[1].covariates.SIZE: is not in the register",
        ),
        (
            lambda d: d["treatments"][1].update(sets={"therapy.PD2": 1}),
            "treatments[2].sets.therapy.PD2: systems/crlm_immune has no",
        ),
        (
            lambda d: d["treatments"][3].pop("laws_only"),
            "treatments[4].sets.effect.RATE: kills or selects tumour by itself",
        ),
        (
            lambda d: d["treatments"][1].update(laws_only="yes"),
            "treatments[2].laws_only: 'yes' is neither true nor false",
        ),
        (
            lambda d: d["strengths"][0].update(line="site.KAPA"),
            "strengths[1].line: 'site.KAPA' is not a line",
        ),
        (lambda d: d["strengths"][0].update(times=[0]), "strengths[1].times: [0] is not a list of factors"),
        (
            lambda d: d["terms"][0].update(lines="site.SIGMA"),
            "terms[1].lines: 'site.SIGMA' is not a list of lines",
        ),
        (lambda d: d["groups"].append(d["groups"][0]), "groups: two are named 'mss_liver'"),
        (lambda d: d.pop("terms"), "terms: is empty"),
    ],
)
def test_a_fault_of_the_file_is_told_with_its_place(change, told):
    data = copy.deepcopy(read("study", "immune_stability").data)
    data["groups"], data["study"]["fit"] = data["groups"][:1], "none"
    change(data)
    with pytest.raises(ContentError) as caught:
        read_stability(data, "mine", "mine.toml")
    assert f"mine.toml: {told}" in str(caught.value)


def test_the_study_is_read_as_its_kind_says():
    assert STUDY.kind == "stability" and [t.name for t in STUDY.compared] == ["untreated", "anti_pd1"]
    assert volumes(one("mss_liver", "untreated"), GROUPS["mss_liver"].place)[-1] == pytest.approx(1.02 * 1500)
