"""The order of ablation and anti-PD-1: what is left when the own effect of each is out, when that is nothing,
what files say.
"""

import copy
import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from pkpd import load_parameters, load_study
from pkpd.content.library import read
from pkpd.errors import ContentError
from pkpd.parameters.population import Population
from pkpd.regimen.schedule import settings
from pkpd.report.order import COLUMNS, flat, page_data, write_order
from pkpd.report.order_figures import picked
from pkpd.report.order_sentences import opening, published, says, told
from pkpd.report.template import template
from pkpd.simulation.run import simulate
from pkpd.study.order import sequence
from pkpd.study.order.interaction import DIFFERENCE, EFFECT, IMMUNE, REMOVAL, order_effect, percent, windows
from pkpd.study.order.reading import read_order
from pkpd.study.order.run import run_order
from pkpd.study.order.sequence import ablated, drawn_patients, orders, run_in
from pkpd.study.platforms.plan import Share
from pkpd.trial.response import CRITERIA, progressed

STUDY = load_study("treatment_order")
SYSTEM = STUDY.system
GAPS = (0.0, 14.0, 84.0)
SMALL = replace(STUDY, patients=6, draws=2, gaps=GAPS, terms_at=(84.0,), horizon=336.0)
MSS, MSI = STUDY.biologies
ALONE = replace(SMALL, beside=None)
LINKS = ("local.IOTA", "local.CALL", "local.REBOUND", "local.KRAD", "local.PDL", "memory.STRENGTH")
# what feels how much tumour there is, and how the site's tumour bounds growth
BURDEN = (
    *(f"liver.{x}" for x in ("SIGMA", "SM", "SACID", "SF", "GIDO", "GSTROMA", "KDEL", "FGLM", "VHALF")),
    "systemic.NU",
)


def zero(people, *lines, **sets):
    return people.with_inputs(dict.fromkeys(lines, 0.0) | sets)


def effects(study, people, spares=False):
    """Order effects on ln volume (modality, gap, patient, read, site)."""
    seen = orders(study, people, 0, study.gaps, spares)
    return np.array(
        [[order_effect(seen, m, g) for g in range(len(study.gaps))] for m in range(len(study.modalities))]
    )


def issues(act):
    with pytest.raises(ContentError) as caught:
        act()
    return {i.where: f"{i.what} | {i.remedy}" for i in caught.value.issues}


# --- the system, and the event -------------------------------------------


def test_the_system_is_the_core_and_the_lines_of_two_modules():
    own, core, full = (
        read("model", f"systems/crlm_immune{n}").data["parts"] for n in ("_ablation", "", "_full")
    )
    assert {k: own[k] for k in core} == core
    added = {k: v for k, v in own.items() if k not in core}
    assert added == {k: full[k] for k in added} and set(added) == {"local", "local_kill", "memory"}


def settled(study, biology=MSS):
    people = drawn_patients(study, biology, 0)
    return people, run_in(study, people)


def value(states, name):
    return states[:, SYSTEM.states.index(name)]


def test_an_ablation_moves_a_share_of_one_lesion_to_dead_and_touches_injury_and_priming_alone():
    people, before = settled(SMALL)
    after = ablated(SMALL, people, before, (0.9, 1.0), False)
    changed = {n for i, n in enumerate(SYSTEM.states) if np.any(after[:, i] != before[:, i])}
    assert changed == {
        "hepatic.2.sensitive",
        "hepatic.2.resistant",
        "hepatic.2.dead",
        "local.injury",
        "systemic.priming",
    }
    volume = [
        sum(value(s, f"hepatic.2.{c}") for c in ("sensitive", "resistant", "dead")) for s in (before, after)
    ]
    assert np.allclose(*volume, rtol=1e-12)
    assert np.allclose(value(after, "hepatic.2.sensitive"), 0.1 * value(before, "hepatic.2.sensitive"))


def test_a_spared_lesion_gives_the_same_antigen_and_injury_and_keeps_its_tumour():
    people, before = settled(SMALL)
    real, spared = (ablated(SMALL, people, before, (0.9, 1.0), s) for s in (False, True))
    same = ["local.injury", "systemic.priming"]
    assert all(np.array_equal(value(real, n), value(spared, n)) for n in same)
    assert all(np.array_equal(value(before, n), value(spared, n)) for n in SYSTEM.states if n not in same)


def test_the_event_is_the_limit_of_a_short_local_treatment_of_the_whole_site():
    """With one lesion in the liver, the module's own kill rate over a quarter of an hour does what the event
    does; VHALF is 0, so that injury does not wait for the last of the tumour.
    """
    patients = (("LESIONS", 1.0), ("ELSEWHERE", 1.0))
    study = replace(SMALL, ablation=replace(SMALL.ablation, lesion="hepatic.1"), covariates=patients)
    people, before = settled(study)
    people = zero(people, "liver.VHALF")
    after, day = ablated(study, people, before, (0.95, 1.0), False), np.array([20.0])
    event = simulate(SYSTEM, people, None, day, start=after, rtol=1e-8).states[:, -1]
    times, rates = (
        np.tile([0.0, 0.01], (len(people), 1)),
        np.tile([-np.log(0.05) / 0.01, 0.0], (len(people), 1)),
    )
    pulse = simulate(
        SYSTEM,
        people,
        settings(len(people), SYSTEM.inputs.index("local.DESTROY"), times, rates),
        day,
        start=before,
        rtol=1e-8,
    ).states[:, -1]
    for name in (
        "hepatic.1.sensitive",
        "local.injury",
        "systemic.priming",
        "systemic.circulating",
        "liver.effector",
        "liver.myeloid",
    ):
        assert value(event, name) == pytest.approx(value(pulse, name), rel=2e-3), name
    assert np.all(value(event, "local.injury") > 0.1)


# --- the four courses ----------------------------------------------------


def test_blockade_alone_is_what_one_simulation_with_a_record_says(tight):
    """Courses are solved in pieces from state to state; a record that sets the input on its day is the other
    way.
    """
    people, start = settled(SMALL, MSI)
    seen, day = orders(SMALL, people, 0, GAPS), np.full((len(people), 1), 14.0)
    schedule = settings(len(people), SYSTEM.inputs.index("therapy.PD1"), day, np.full(day.shape, 0.95))
    run = simulate(SYSTEM, people, schedule, SMALL.scans, start=start, rtol=1e-9)
    at = np.searchsorted(SMALL.scans, SMALL.reads[0])
    volume = np.stack([run["hepatic.1.viable"][:, at], run["extrahepatic.1.viable"][:, at]], axis=1)
    assert seen.blockade[1].volume[:, 0] == pytest.approx(np.log(volume), abs=1e-6)
    total = run["hepatic.1.diameter"] + run["extrahepatic.1.diameter"]
    worse = progressed(total, CRITERIA["RECIST 1.1"])
    first = np.where(worse.any(axis=1), SMALL.scans[worse.argmax(axis=1)], SMALL.horizon)
    assert np.array_equal(seen.blockade[1].progress, first)


@pytest.mark.parametrize("biology", [MSS, MSI], ids=lambda b: b.name)
def test_without_a_gap_both_orders_are_the_same_treatment(biology):
    seen = orders(SMALL, drawn_patients(SMALL, biology, 0), 0, GAPS)
    for m in range(len(SMALL.modalities)):
        for measure in ("volume", "progress", "response", "shrunk"):
            one, other, *_ = seen.four(m, 0, measure)
            assert np.allclose(one, other, rtol=0, atol=1e-9)


@pytest.fixture
def tight(monkeypatch):
    """The solver's error out of the way: what vanishes has to vanish."""
    monkeypatch.setattr(sequence, "_RTOL", 1e-9)


def test_no_blockade_leaves_no_order_effect_whatever_ablation_does(tight):
    study = replace(SMALL, blockade=(("therapy.PD1", 0.0),))
    people = drawn_patients(study, MSI, 0)
    seen = orders(study, people, 0, GAPS)
    assert np.max(np.abs(seen.ablation[1][0].volume - seen.neither.volume)) > 1e-3
    assert np.max(np.abs(effects(study, people))) < 1e-6


def test_t_cells_that_kill_nothing_leave_no_order_effect(tight):
    people = zero(drawn_patients(SMALL, MSI, 0), "liver.KAPPA", "elsewhere.KAPPA")
    assert np.max(np.abs(effects(SMALL, people))) < 1e-8


def test_patients_whose_tumour_shows_no_antigen_have_no_order_effect():
    people = drawn_patients(replace(SMALL, patients=24), MSI, 0)
    lost = np.array(people["biology.MHC"] == 0)
    assert 0 < lost.sum() < len(lost)
    sizes = np.abs(effects(replace(SMALL, patients=24), people)).max(axis=(0, 1, 3, 4))
    assert np.all(sizes[lost] < 1e-6) and np.all(sizes[~lost] > 1e-4)


def test_without_any_link_from_ablation_to_immunity_order_leaves_nothing(tight):
    """Injury, antigen and memory off, and immunity and growth blind to how much tumour there is: removal
    itself is still real.
    """
    people = zero(
        drawn_patients(SMALL, MSI, 0), *LINKS, *BURDEN, **{"growth.1.KSITE": 1e12, "growth.2.KSITE": 1e12}
    )
    seen = orders(SMALL, people, 0, GAPS)
    assert np.max(np.abs(seen.blockade[0].volume - seen.neither.volume)) > 0.1
    assert np.max(np.abs(effects(SMALL, people))) < 1e-7


def test_injury_antigen_and_memory_off_leave_what_less_tumour_does(tight):
    """They are not all: T cells, suppression and the siphon follow the burden that ablation takes away."""
    people = zero(drawn_patients(SMALL, MSI, 0), *LINKS)
    assert np.max(np.abs(effects(SMALL, people))) > 1e-2
    assert np.max(np.abs(effects(SMALL, people, spares=True))) < 1e-8


@pytest.mark.parametrize("line", LINKS[:5])
def test_each_link_alone_moves_the_immune_part_by_the_modality_that_has_it(line, tight):
    people = drawn_patients(SMALL, MSS, 0)
    alone = zero(people, *(x for x in LINKS if x != line))
    heat, radiation = np.abs(effects(SMALL, alone, spares=True)).max(axis=(1, 2, 3, 4))
    assert (heat > 1e-6) == (line != "local.KRAD") and (radiation > 1e-6) == (line != "local.REBOUND")


def test_memory_alone_remembers_nothing_of_a_spared_lesion_and_something_of_antigen(tight):
    people = drawn_patients(SMALL, MSS, 0)
    memory = np.abs(effects(SMALL, zero(people, *LINKS[:5]), spares=True)).max()
    with_antigen, without = (
        np.abs(
            effects(SMALL, zero(people, *LINKS[1:5], *more), spares=True)
            - effects(SMALL, zero(people, *LINKS[1:5], *more, "memory.STRENGTH"), spares=True)
        ).max()
        for more in ((), ("local.IOTA",))
    )
    assert max(memory, without) < 1e-8 < 1e-6 < with_antigen


def test_the_shorter_the_gap_the_smaller_the_order_effect():
    study = replace(SMALL, gaps=(0.0, 1.0, 7.0, 28.0, 84.0))
    people = drawn_patients(study, MSI, 0)
    size = np.abs(effects(study, people)[0, :, :, 1, 0].mean(axis=1))
    assert np.all(np.diff(size) > 0) and size[1] < size[2] / 4


def test_before_the_second_treatment_there_is_no_joint_effect(tight):
    study = replace(SMALL, gaps=(0.0, 168.0), reads=(84.0, 336.0))
    seen = orders(study, drawn_patients(study, MSI, 0), 0, study.gaps)
    for m in range(2):
        *_, one, other = seen.four(m, 1, "volume")
        assert np.max(np.abs([one[:, 0], other[:, 0]])) < 1e-8 < 1e-3 < np.max(np.abs(one[:, 1]))


def test_a_patients_neighbours_change_nothing_and_draws_have_patients_of_their_own():
    people = drawn_patients(SMALL, MSI, 0)
    whole = effects(SMALL, people)
    alone = Population(people.names, people.inputs[[3]], {}, rows=np.array([3]))
    assert np.allclose(effects(SMALL, alone)[:, :, 0], whole[:, :, 3], rtol=0, atol=1e-9)
    another = drawn_patients(replace(SMALL, uncertain=()), MSI, 1)
    assert not np.any(np.isin(another["liver.KIN"], people["liver.KIN"]))


# --- the study -----------------------------------------------------------


@pytest.fixture(scope="module")
def result():
    return run_order(SMALL)


def test_rows_hold_every_setting_and_no_gap_is_no_difference(result):
    places = len(SMALL.biologies) * len(SMALL.modalities) * len(SMALL.sites) * len(SMALL.reads)
    assert len(result.volumes) == places * 7 * len(GAPS)
    for r in (*result.volumes, *result.clinical):
        assert r["low"] <= r["value"] <= r["high"]
        if (
            r["gap"] == 0
            and r["order"] in (DIFFERENCE, EFFECT, IMMUNE)
            and r["measure"] in ("volume", "progression")
        ):
            assert abs(r["value"]) < 1e-6 and abs(r["low"]) < 1e-6


def test_rows_are_the_means_of_the_draws(result):
    """The middle of two draws, reckoned anew from the courses."""
    seen = [orders(SMALL, drawn_patients(SMALL, MSI, k), k, GAPS) for k in range(2)]
    logs = [order_effect(s, 0, 2)[:, 1, 0].mean() for s in seen]
    [row] = picked(
        result.volumes,
        biology="msi_h",
        modality="heat",
        site="hepatic",
        read=48.0,
        gap=12.0,
        measure="volume",
        order=EFFECT,
    )
    assert row["value"] == pytest.approx(percent(np.array(logs)).mean(), rel=1e-9)
    days = [order_effect(s, 1, 1, "progress").mean() for s in seen]
    [row] = picked(
        result.clinical, biology="msi_h", modality="radiation", gap=2.0, measure="progression", order=EFFECT
    )
    assert row["value"] == pytest.approx(np.mean(days), abs=1e-9)


def test_what_less_tumour_carries_is_the_order_effect_beyond_its_immune_part(result):
    where = {
        "biology": "msi_h",
        "modality": "heat",
        "site": "hepatic",
        "read": 48.0,
        "gap": 12.0,
        "measure": "volume",
    }
    [immune] = picked(result.volumes, order=IMMUNE, **where)
    [left] = picked(result.terms, term=REMOVAL, **where)
    assert left["value"] == immune["value"]


def test_results_are_the_same_every_time(result):
    again = run_order(SMALL)
    assert (again.volumes, again.clinical, again.windows, again.terms) == (
        result.volumes,
        result.clinical,
        result.windows,
        result.terms,
    )


def row(gap, value, low, high, **more):
    return {
        "biology": "mss",
        "modality": "heat",
        "site": "hepatic",
        "read": 48.0,
        "gap": gap,
        "measure": "volume",
        "order": EFFECT,
        "unit": "%",
        "value": value,
        "low": low,
        "high": high,
        "chance": 0.0,
        **more,
    }


def test_a_window_is_a_run_of_gaps_whose_intervals_leave_out_0_on_one_side():
    rows = [
        row(0, 0, 0, 0),
        row(1, -1, -2, 0.1),
        row(2, -3, -4, -1),
        row(4, -12, -14, -2),
        row(8, 1, 0.5, 2),
        row(12, 1, -1, 2),
    ]
    found = list(windows(STUDY, reversed(rows)))
    assert [(w["from"], w["to"], w["gap"], w["noticed"]) for w in found] == [
        (2, 4, 4, True),
        (8, 8, 8, False),
    ]
    assert list(windows(STUDY, [row(0, 0, 0, 0), row(1, 1, -1, 2)])) == []


def test_windows_of_two_series_are_not_one():
    rows = [row(1, -1, -2, -0.1), row(2, -3, -4, -1, modality="radiation")]
    assert [(w["modality"], w["from"], w["to"]) for w in windows(STUDY, rows)] == [
        ("heat", 1, 1),
        ("radiation", 2, 2),
    ]


def test_the_page_stands_alone_and_its_rows_are_the_results(result, tmp_path):
    page = write_order(result, tmp_path).read_text(encoding="utf-8")
    assert (
        'src="data:image/svg+xml;base64,' in page and "http" not in page.split("</style>")[1].split("<img")[0]
    )
    words = page.split("base64")[0]
    assert "not advice on any patient" in page and "None" not in words and "nan" not in words
    rows = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text(encoding="utf-8"))))
    assert len(rows) == sum(len(x) for x in (result.volumes, result.clinical, result.windows, result.terms))
    data = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert data["volumes"] == list(result.volumes) and data["says"] == says(result)
    assert flat(result).splitlines()[0] == ",".join(COLUMNS)


def test_the_page_says_so_where_there_is_no_window(result):
    none = replace(result, windows=())
    assert sum("can be told from 0" in x or "told from 0;" in x for x in says(none)) >= 3
    assert (
        "none in microsatellite-stable disease; none in microsatellite-unstable disease. Nothing here"
        in opening(none)
    )


def test_the_opening_tells_the_largest_order_effect_beside_the_difference_at_the_same_place(result):
    own = picked(result.volumes, measure="volume")
    most = max(picked(own, order=EFFECT), key=lambda r: abs(r["value"]))
    [naive] = picked(
        own, order=DIFFERENCE, **{k: most[k] for k in ("biology", "modality", "site", "read", "gap")}
    )
    words = opening(result)
    assert (
        f"by {told(most)} at {most['read']:g} weeks. As they are the two orders differ there by "
        f"{told(naive)}," in words
    )


def test_what_lies_outside_the_published_interval_is_marked(result):
    """0 of 20 responded: at most 17 %."""
    with_response = [{**r, "value": 40.0} if r["measure"] == "response" else r for r in result.clinical]
    few, many = published(result), published(replace(result, clinical=tuple(with_response)))
    assert few["reported"] == "0 of 20" and (few["low"], few["high"]) == ("0", "17")
    assert [r["inside"] for r in many["rows"]] == [False, False] and published(
        replace(result, study=ALONE)
    ) is None
    page = template("order").render(page_data(replace(result, clinical=tuple(with_response)), {}))
    assert page.count('class="outside"') == 2 and "outside the interval of the trial" in page


def test_a_response_is_a_fall_of_the_sum_by_30_percent_before_progression():
    """Blockade that begins after half a year shrinks lesions that have progressed by then: those are no
    responses.
    """
    study = replace(SMALL, patients=24, gaps=(0.0, 168.0), horizon=504.0)
    people, start = settled(study, MSI)
    seen, day = orders(study, people, 0, study.gaps), np.full((24, 1), 168.0)
    schedule = settings(24, SYSTEM.inputs.index("therapy.PD1"), day, np.full(day.shape, 0.95))
    run = simulate(SYSTEM, people, schedule, study.scans, start=start)
    total = run["hepatic.1.diameter"] + run["extrahepatic.1.diameter"]
    worse, small = progressed(total, CRITERIA["RECIST 1.1"]), total <= 0.7 * total[:, :1]
    before = np.array(
        [s[: int(np.argmax(w)) if w.any() else len(s)].any() for s, w in zip(small, worse, strict=True)]
    )
    assert np.array_equal(seen.blockade[1].response, before)
    assert 0 < before.sum() < small.any(axis=1).sum()


def test_a_change_reads_with_its_sign_and_its_interval():
    assert told(row(1, -9.49, -14.06, -5.24)) == "−9.5 % (−14.1 to −5.2)"
    assert told(row(1, 85.2, 20.2, 131.7)) == "+85 % (+20 to +132)"
    assert told(row(1, 0.001, -0.3, 0.25, unit="day")) == "0.0 days (−0.3 to +0.2)"
    assert (
        told(row(1, 1.5, 0.004, 4.9)) == "+1.5 % (+0.004 to +4.9)"
    )  # the interval leaves out 0, and reads so


def test_patients_without_the_lesion_are_refused_before_anything_is_simulated():
    one = replace(SMALL, covariates=(("LESIONS", 1.0), ("ELSEWHERE", 1.0)))
    assert "some of 'mss' have no lesion 'hepatic.2' to ablate" in str(issues(lambda: run_order(one)))
    none = replace(SMALL, covariates=(("LESIONS", 2.0), ("ELSEWHERE", 0.0)))
    assert "some of 'mss' have no lesion to read in the site 'extrahepatic'" in str(
        issues(lambda: run_order(none))
    )


# --- a fit ---------------------------------------------------------------

FIT = """
[parameters]
model = "systems/crlm_immune"
title = "a fit"
include = ["crlm_immune_advanced"]
[values]
liver.KAPPA = { value = 0.05, unit = "1/day", seen = "fitted", spread = { law = "lognormal", sd = 0.5 } }
elsewhere.KAPPA = { value = 0.05, unit = "1/day", seen = "fitted", spread = { law = "lognormal", sd = 0.5 } }
[draws]
"liver.KAPPA" = [0.04, 0.06]
"elsewhere.KAPPA" = [0.04, 0.06]
"biology_msi_h/biology.ANTIGEN" = [3.0, 6.0]
"context_refractory/growth.ALPHA" = [0.002, 0.003]
[fit]
name = "a fit"
trials = ["keynote_016"]
figures = []
"""


def with_fit(tmp_path, **more):
    file = tmp_path / "fit.toml"
    file.write_text(FIT)
    data = copy.deepcopy(read("study", "treatment_order").data)
    data["study"].update(fit=str(file), draws=2, patients=4)
    data["uncertain"] = more.get("uncertain", data["uncertain"])
    return read_order(data, "mine", "mine.toml")


def test_draws_of_a_fit_are_put_on_the_lines_of_the_same_names_and_into_contexts(tmp_path):
    study = replace(with_fit(tmp_path), uncertain=())
    assert [p.parameters["liver.KAPPA"].value for p in study.points] == [0.04, 0.06]
    assert study.points[0].parameters["local.CALL"].value == load_parameters((), SYSTEM)["local.CALL"].value
    seen = [
        np.unique(drawn_patients(study, b, k)["biology.ANTIGEN"]).tolist()
        for b in study.biologies
        for k in range(2)
    ]
    assert seen == [[1.0], [1.0], [3.0], [6.0]]


def test_a_line_with_draws_of_the_fit_is_not_drawn_again(tmp_path):
    again = [{"name": "kill", "lines": ["liver.KAPPA"], "times": [0.5, 2]}]
    assert "liver.KAPPA has draws of the fit" in str(issues(lambda: with_fit(tmp_path, uncertain=again)))
    unused = [{"name": "growth", "lines": ["growth.ALPHA"], "times": [0.5, 2]}]
    assert with_fit(tmp_path, uncertain=unused).uncertain[0].lines == ("growth.ALPHA",)


# --- its file ------------------------------------------------------------


# faults that do not hide each other are told together
FAULTS = (
    [
        (
            lambda d: d["study"].update(fit="eortc_40983"),
            "study.fit: 'eortc_40983' is a fit of systems/crlm, whose line",
        ),
        (lambda d: d["study"].pop("run_in"), "study.run_in: None is not a quantity"),
        (lambda d: d["study"].update(gaps=["1 week", "2 week"]), "study.gaps: does not begin with no gap"),
        (
            lambda d: d["study"].update(sites=["skin"]),
            "study.sites: ['skin'] are not sites of lesions to read",
        ),
        (lambda d: d["study"].update(least=0.1), "study.least: 0.1 is not a table"),
        (lambda d: d.pop("patients"), "patients: is missing"),
        (lambda d: d["ablation"].update(lesion="hepatic.3"), "ablation.lesion: 'hepatic.3' is not a lesion"),
        (
            lambda d: d["blockade"].update(sets={"therapy.PD2": 1}),
            "blockade.sets.therapy.PD2: is not known here",
        ),
        (lambda d: d["biologies"][1].pop("title"), "biologies[2].title: is missing"),
        (lambda d: d.pop("modalities"), "modalities: is empty"),
        (
            lambda d: d["terms"][0].update(lines=["local.CALLS"]),
            "terms[1].lines: 'local.CALLS' is not a line",
        ),
        (lambda d: d["uncertain"][0].update(times=[2, 1]), "uncertain[1].times: [2, 1] is not two factors"),
        (lambda d: d["beside"].update(trial="eortc_1561"), "beside.trial: eortc_1561: no trial of this name"),
    ],
    [
        (lambda d: d["study"].update(fit="exposure"), "study.fit: 'exposure': no result of this name"),
        (lambda d: d["study"].update(terms_at=["3 week"]), "study.terms_at: is not some of the gaps above 0"),
        (
            lambda d: d["study"].update(reads=["8 week"]),
            "study.reads: begins with the first treatment, or ends before",
        ),
        (
            lambda d: d["patients"].update(covariates={"LESION": 2}),
            "patients.covariates.LESION: is not known here",
        ),
        (
            lambda d: d["ablation"].update(lesion="extrahepatic.1"),
            "ablation.lesion: systems/crlm_immune_ablation has no part",
        ),
        (
            lambda d: d["ablation"].update(dies={"value": 0.95, "low": 0.99}),
            "ablation.dies: {'value': 0.95, 'low'",
        ),
        (
            lambda d: d["biologies"][1].update(contexts=["biology_msi"]),
            "biologies[2].contexts: 'biology_msi': no parameters of",
        ),
        (lambda d: d["modalities"].append(d["modalities"][0]), "modalities: two are named 'heat'"),
        (
            lambda d: d["terms"][0].update(name="removal of tumour"),
            "terms: two are named 'removal of tumour'",
        ),
        (
            lambda d: d["beside"].update(figure="pfs_median"),
            "beside.figure: 'eortc_1560' has no count of responses",
        ),
        (lambda d: d["beside"].update(biology="msi"), "beside.biology: 'msi' is not a biology of the study"),
        (
            lambda d: d["uncertain"][0].update(seen="guessed"),
            "uncertain[1].seen: 'guessed' is not a way of seeing",
        ),
    ],
    [
        (lambda d: d["study"].update(gaps=["0 week", "soon"]), "study.gaps"),
        (lambda d: d["study"].update(sites=[]), "study.sites: [] are not sites of lesions to read"),
        (lambda d: d["blockade"].update(sets={}), "blockade.sets: {} does not give numbers"),
    ],
    [
        (lambda d: d["study"].update(draws=1), "study.draws: 1 is not a whole number of at least 2"),
        (lambda d: d["study"].update(system="systems/clm"), "study.system: 'systems/clm': no such file"),
    ],
    [
        (lambda d: d["study"].update(system="systems/crlm"), "blockade.sets.therapy.PD1: is not known here"),
    ],
)


@pytest.mark.parametrize("faults", FAULTS, ids=len)
def test_every_fault_of_the_file_is_told_with_its_place_and_at_once(faults):
    data = copy.deepcopy(read("study", "treatment_order").data)
    data["study"]["fit"] = "none"
    for change, _ in faults:
        change(data)
    with pytest.raises(ContentError) as caught:
        read_order(data, "mine", "mine.toml")
    assert [told for _, told in faults if f"mine.toml: {told}" not in str(caught.value)] == []


def test_an_unknown_table_is_told():
    data = copy.deepcopy(read("study", "treatment_order").data) | {"arms": []}
    data["study"]["fit"] = "none"
    assert "mine.toml.arms" in issues(lambda: read_order(data, "mine", "mine.toml"))


def test_a_study_is_read_as_its_kind_says():
    assert STUDY.kind == "order" and STUDY.gaps[0] == 0 and STUDY.gaps[-1] == 168
    assert isinstance(STUDY.ablation.dies, Share) and STUDY.ablation.injury == "local"
    assert {"local", "memory"} == {line.split(".")[0] for u in STUDY.uncertain for line in u.lines}
