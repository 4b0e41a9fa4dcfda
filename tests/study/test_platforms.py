"""Experimental platforms: what mice may not do to patients, what a platform cannot show, and that scores are
what they say.
"""

import copy
import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from pkpd import load_model, load_parameters, load_study, load_trial, parse_trial
from pkpd.content.library import names, read
from pkpd.errors import ContentError
from pkpd.parameters.bind import bind
from pkpd.parameters.hosts import hosts
from pkpd.parameters.merge import merge
from pkpd.parameters.sets import load_context
from pkpd.report.platforms import COLUMNS, flat, fold, write_platforms
from pkpd.study.platforms.experiment import Arm, measure
from pkpd.study.platforms.reading import read_platforms
from pkpd.study.platforms.translation import AXES, _agreement, _crossing, run_platforms
from pkpd.trial.setting import setting

STUDY = load_study("platforms")
SYSTEM = STUDY.system
NUDE = ("adhesive", "organoid", "xenograft")
IMMUNE = ("anti_pd1", "anti_pd1_ctla4", "tgfb")
TOLERANT = ("liver.SIGMA", "liver.KDEL", "liver.FGL")
SMALL = replace(STUDY, patients=12)


def treatment(name):
    return next(t for t in STUDY.treatments if t.name == name)


def issues(act):
    with pytest.raises(ContentError) as caught:
        act()
    return {i.where: f"{i.what} | {i.remedy}" for i in caught.value.issues}


# --- mice and patients -------------------------------------------------


def test_a_set_of_patients_with_the_growth_of_a_mouse_is_refused(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        '[parameters]\nmodel = "systems/crlm_immune"\nhost = "human"\nover = "crlm_immune_advanced"\n'
        '[values]\ngrowth.ALPHA = { value = 0.3, unit = "1/day", spread = { law = "lognormal", sd = 0.45 } '
        "}\n"
    )
    [(where, told)] = issues(lambda: load_parameters(file, SYSTEM)).items()
    assert where == f"{file}: values.growth.ALPHA"
    assert "0.3 1/day is not what a tumour has in patients: 0 to 0.01 1/day" in told
    assert (
        "mend the value, or write host = 'mouse' or 'culture' in [parameters]: the set says host = 'human'"
        in told
    )


def test_a_set_that_says_no_host_is_checked_as_one_of_patients():
    own = load_parameters((), SYSTEM)
    assert own.host == ""
    small = own.with_value("growth.K", replace(own["growth.K"], value=2.5))
    assert "the set says no host, which means human" in str(issues(lambda: bind(small, SYSTEM)))


def test_a_mouse_that_keeps_a_size_of_patients_is_refused_too(tmp_path):
    file = tmp_path / "mouse.toml"
    file.write_text(
        '[parameters]\nmodel = "systems/crlm_immune"\nhost = "mouse"\ninclude = ["crlm_immune_advanced"]\n'
    )
    found = issues(lambda: load_parameters(file, SYSTEM, host="mouse"))
    assert {"hepatic.D0", "growth.ALPHA", "growth.K", "occult.KCELL"} <= {
        w.split("values.")[1] for w in found
    }


def test_a_set_of_mice_is_not_taken_where_patients_are_asked_for():
    [(where, told)] = issues(lambda: load_parameters("platform_subcutaneous", SYSTEM)).items()
    assert where == "parameters/platform_subcutaneous: parameters.host"
    assert told == (
        "is 'mouse', where a set of host 'human' is needed | name a set of 'human'; from Python, "
        "load_parameters(NAME, model, host='mouse') takes this one"
    )
    assert load_parameters("platform_subcutaneous", SYSTEM, host="mouse").host == "mouse"


def test_a_set_of_mice_laid_over_one_of_patients_is_refused():
    patients = load_parameters("context_braf_mutated", SYSTEM)
    told = issues(lambda: merge(patients, load_context("platform_splenic", SYSTEM, host=None)))
    assert "is 'mouse', and context_braf_mutated below it is 'human'" in str(told)


@pytest.mark.parametrize("context", ["platform_subcutaneous", "platform_organoid"])
def test_a_patient_trial_refuses_mice_and_culture_as_a_context(context):
    tables = copy.deepcopy(read("trial", "pd1_mss_liver").data)
    for group in tables["arms"][0]["patients"]:
        group["contexts"] = [*group.get("contexts", []), context]
    assert "where a set of host 'human' is needed" in str(issues(lambda: parse_trial(tables)))


def test_a_patient_trial_takes_contexts_of_patients():
    trial = load_trial("pd1_mss_liver")
    arm = trial.arms[0]
    context = load_context("context_ras_mutated", trial.disease)
    arm = replace(arm, patients=tuple(replace(g, contexts=(context,)) for g in arm.patients))
    assert dict(setting(trial, arm).contexts)["context_ras_mutated"]["biology.RASRAF"].value == 0


def test_growth_and_capacity_of_hosts_do_not_overlap():
    human = {
        (r.model, r.parameter): r
        for r in hosts().ranges.values()
        if r.host == "human" and r.parameter != "D0"
    }
    others = [
        (human[r.model, r.parameter], r)
        for r in hosts().ranges.values()
        if r.host != "human" and r.parameter != "D0"
    ]
    assert others and all(own.high <= r.low or r.high <= own.low for own, r in others)


@pytest.mark.parametrize("name", [n for n in names("parameters") if n.startswith(("context_", "platform_"))])
def test_every_context_and_platform_says_its_host(name):
    head = read("parameters", name).data["parameters"]
    assert head["host"] in hosts().names and (head["host"] == "human") == name.startswith("context_")
    assert load_parameters(name, SYSTEM, host=None).host == head["host"]


@pytest.mark.parametrize("name", [n for n in names("parameters") if n.startswith("context_")])
def test_every_context_changes_the_patients_it_goes_over(name):
    below, own = load_parameters((), SYSTEM), load_parameters(name, SYSTEM)
    assert any(own[v.name].value != v.value for v in below.values)
    assert load_parameters(["crlm_immune_advanced", name], SYSTEM).hash == own.hash


# --- what platforms show ------------------------------------------------


@pytest.mark.parametrize("platform", NUDE)
@pytest.mark.parametrize("name", IMMUNE)
def test_a_platform_without_t_cells_shows_exactly_no_effect_of_immunotherapy(platform, name):
    [found] = measure(SMALL, STUDY.platform(platform), [Arm(treatment(name))])
    assert np.all(found.log_kill == 0)


@pytest.mark.parametrize("platform", [p.name for p in STUDY.platforms])
def test_chemotherapy_kills_on_every_platform(platform):
    [found] = measure(SMALL, STUDY.platform(platform), [Arm(treatment("chemotherapy"))])
    assert np.all(found.log_kill > 0)


def typical(platform, *zero):
    """A platform whose subjects are all alike, some lines being zero."""
    own = platform.parameters
    spreads = [{k: getattr(v, k) for k in ("spread", "copies")} for v in own.values]
    alike = [
        replace(v, **{k: s and replace(s, sd=0.0) for k, s in has.items()})
        for v, has in zip(own.values, spreads, strict=True)
    ]
    alike = [replace(v, value=0.0, spread=None) if v.name in zero else v for v in alike]
    return replace(platform, parameters=replace(own, values=tuple(alike)), until=21.0)


def advantage(*zero):
    """Log-kill a day by anti-PD-1 below the skin and in the caecum's metastases, in typical mice."""
    one = replace(STUDY, patients=4)
    ectopic, orthotopic = (
        measure(one, typical(STUDY.platform(p), *zero), [Arm(treatment("anti_pd1"))])[0].log_kill.mean()
        for p in ("subcutaneous", "orthotopic")
    )
    return ectopic - orthotopic, orthotopic


def test_what_anti_pd1_gains_below_the_skin_is_the_tolerance_of_the_liver():
    gain, orthotopic = advantage()
    assert gain > 0.2 * orthotopic
    assert abs(advantage(*TOLERANT)[0]) < 0.03 * gain


@pytest.mark.parametrize("line", TOLERANT)
def test_each_term_of_tolerance_gives_the_platforms_with_a_liver_less_and_the_others_nothing(line):
    one = replace(STUDY, patients=4)
    for name, tolerant in (("splenic", True), ("subcutaneous", False)):
        with_it, without = (
            measure(one, typical(STUDY.platform(name), *z), [Arm(treatment("anti_pd1"))])[0].log_kill.mean()
            for z in ((), (line,))
        )
        assert (without > 1.001 * with_it) == tolerant
        assert tolerant or without == pytest.approx(with_it, rel=1e-9)


def test_a_nanoparticle_is_chemotherapy_times_what_arrives():
    splenic = STUDY.platform("splenic")
    fifth, particle = measure(
        SMALL, splenic, [Arm(treatment("chemotherapy"), 0.2), Arm(treatment("nanoparticle"))]
    )
    assert splenic.delivery.value == 0.2
    assert np.allclose(fifth.log_kill, particle.log_kill, rtol=1e-6)


def test_a_depot_at_one_lesion_of_two_equal_ones_kills_half_of_what_it_kills_in_one():
    one, two = (
        measure(replace(STUDY, patients=4), typical(STUDY.platform(p)), [Arm(treatment("depot"))])[
            0
        ].log_kill.mean()
        for p in ("biomaterial", "splenic")
    )
    assert two == pytest.approx(one / 2, rel=0.02)


def test_log_kill_is_what_the_rates_say():
    """Without resistant cells a reference cycle a fortnight kills SENS x RATE a day, whatever grows back;
    antigen adds little.
    """
    [found] = measure(
        replace(STUDY, patients=4),
        typical(STUDY.platform("organoid"), "hepatic.R0", "extrahepatic.R0"),
        [Arm(treatment("chemotherapy"))],
    )
    assert found.log_kill / 21 == pytest.approx(np.full(4, 0.336 * 0.0714), rel=1e-3)


# --- the study ----------------------------------------------------------


@pytest.fixture(scope="module")
def result():
    few = tuple(STUDY.platform(p) for p in ("human", "subcutaneous", "adhesive"))
    given = tuple(treatment(t) for t in ("anti_pd1", "chemotherapy", "egfr"))
    return run_platforms(
        replace(
            STUDY, platforms=few, treatments=given, patients=8, draws=3, levels=(0.0, 0.5, 1.0), horizon=336.0
        )
    )


def test_scores_lie_between_nothing_and_one_and_patients_are_like_themselves(result):
    assert all(0 <= r["low"] <= r["value"] <= r["high"] <= 1 for r in result.scores)
    assert len(result.scores) == 3 * len(AXES)
    own = {r["axis"]: r["value"] for r in result.scores if r["platform"] == "human"}
    assert own["anatomy"] == own["immunity"] == own["alignment"] == 1


def test_scores_are_the_same_every_time(result):
    again = run_platforms(result.study)
    assert (again.scores, again.effects, again.doses, again.windows) == (
        result.scores,
        result.effects,
        result.doses,
        result.windows,
    )


def test_no_dose_is_no_effect_and_more_is_more(result):
    for p in ("human", "subcutaneous"):
        for t in ("anti_pd1", "chemotherapy", "egfr"):
            curve = [
                r["value"]
                for r in result.doses
                if (r["platform"], r["treatment"], r["measure"]) == (p, t, "log_kill")
            ]
            assert curve[0] == 0 and curve[1] < curve[2]


def test_bias_is_undefined_where_a_platform_shows_no_effect(result):
    rows = {(r["platform"], r["treatment"]): r for r in result.effects if r["measure"] == "bias"}
    assert (
        rows["adhesive", "anti_pd1"]["value"] is None
        and rows["adhesive", "chemotherapy"]["value"] is not None
    )
    assert rows["subcutaneous", "anti_pd1"]["low"] > np.log(2)


def test_ties_are_no_ranks():
    assert _agreement(np.zeros(3), np.arange(3.0)) == 0
    assert (
        _agreement(np.arange(3.0), np.arange(3.0)) == 1 and _agreement(-np.arange(3.0), np.arange(3.0)) == -1
    )


def test_the_dose_that_holds_a_tumour_lies_where_growth_ends():
    assert _crossing(np.array([0, 0.5, 1.0]), np.array([3.0, 1.0, -1.0])) == pytest.approx(0.75)
    assert _crossing(np.array([0, 1.0]), np.array([3.0, 1.0])) is None
    assert _crossing(np.array([0, 1.0]), np.array([-3.0, -4.0])) is None


def test_the_page_stands_alone_and_its_rows_are_the_results(result, tmp_path):
    page = write_platforms(result, tmp_path).read_text(encoding="utf-8")
    assert (
        'src="data:image/svg+xml;base64,' in page and "http" not in page.split("</style>")[1].split("<img")[0]
    )
    assert (
        "not advice on any patient" in page
        and "Adhesive, nude mice" in page
        and "None" not in page.split("base64")[0]
    )
    rows = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text(encoding="utf-8"))))
    assert len(rows) == sum(len(x) for x in (result.doses, result.effects, result.windows, result.scores))
    data = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert data["scores"] == list(result.scores) and data["human"] == "human"
    assert flat(result).splitlines()[0] == ",".join(COLUMNS)


def test_a_fold_reads_as_a_person_would_write_it():
    assert [fold(np.log(x)) for x in (25.3, 1.26, 0.462, 140)] == ["25×", "1.3×", "0.46×", "140×"]


# --- its file -----------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d["study"].update(human="men"), "study.human: 'men' is not a platform of the study"),
        (
            lambda d: d["study"].update(human="splenic"),
            "study.human: 'splenic' has 'platform_splenic', a set of host 'mouse'",
        ),
        (lambda d: d["study"].update(levels=[0.5, 1]), "study.levels: [0.5, 1] is not a range of doses"),
        (lambda d: d["platforms"][1].update(reads="skin"), "platforms[2].reads: 'skin' is not a site"),
        (
            lambda d: d["platforms"][1].update(parameters="platform_skin"),
            "platforms[2].parameters: platform_skin: no parameters",
        ),
        (
            lambda d: d["platforms"][1].update(delivery={"value": 2}),
            "platforms[2].delivery: {'value': 2} is not a share",
        ),
        (lambda d: d["platforms"][1].update(until="soon"), "platforms[2].until"),
        (
            lambda d: d["treatments"][0].update(sets={"therapy.PD2": 1}),
            "treatments[1].sets.therapy.PD2: systems/crlm_immune has",
        ),
        (
            lambda d: d["treatments"][0].update(release=0.1),
            "treatments[1]: a depot has both release and every",
        ),
        (
            lambda d: d["uncertain"][0].update(lines=["liver.SIGNA"]),
            "uncertain[1].lines: 'liver.SIGNA' is not a line",
        ),
        (lambda d: d["uncertain"][0].update(times=[2, 1]), "uncertain[1].times: [2, 1] is not two factors"),
        (lambda d: d["platforms"].append(d["platforms"][0]), "platforms: two are named 'human'"),
        (lambda d: d.pop("treatments"), "treatments: is empty"),
    ],
)
def test_a_fault_of_the_file_is_told_with_its_place(change, told):
    data = copy.deepcopy(read("study", "platforms").data)
    data["platforms"] = [p for p in data["platforms"] if p["name"] in ("human", "subcutaneous", "splenic")]
    change(data)
    with pytest.raises(ContentError) as caught:
        read_platforms(data, "mine", "mine.toml")
    assert f"mine.toml: {told}" in str(caught.value)


def test_a_study_is_read_as_its_kind_says():
    assert STUDY.kind == "platforms" and load_study("neoadjuvant_cycles").kind == "neoadjuvant"
    assert load_model("systems/crlm_immune").hash == SYSTEM.hash
