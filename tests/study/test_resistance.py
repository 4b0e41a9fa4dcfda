"""A study of resistance: the same patients in every arm, published figures that are never retyped, and a page
that says so.
"""

import copy
import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import tomli_w
from scipy.stats import beta

from pkpd import load_study, load_trial
from pkpd.content.library import read
from pkpd.errors import ContentError
from pkpd.fit.free import Point
from pkpd.fit.intervals import interval
from pkpd.report.resistance import COLUMNS, TABLES, draw_figures, flat, write_resistance
from pkpd.report.resistance_figures import difference_figure, lowered, measure_figure
from pkpd.report.resistance_words import number, opening, says
from pkpd.study.resistance.reading import read_resistance
from pkpd.study.resistance.response_grid import MEASURES, measures
from pkpd.study.resistance.run import LEAST, _under, run_resistance
from pkpd.study.resistance.shown_figures import measured_as
from pkpd.trial.prepare import admit
from pkpd.trial.run import run_arm
from pkpd.trial.setting import setting

STUDY = load_study("immune_resistance")
COHORTS = ("mss_no_liver", "msi_h_liver", "msi_h_no_liver")


def tables():
    return copy.deepcopy(read("study", "immune_resistance").data)


def small(**changes):
    """Three cohorts under no drug, anti-PD-1, the same again, and botensilimab."""
    data = {k: v for k, v in tables().items() if k not in ("importance", "liver_effect")}
    data["study"] |= {"patients": 40, "draws": 2, "fit": "none", **changes}
    data["cohorts"] = [c for c in data["cohorts"] if c["name"] in COHORTS]
    one = next(d for d in data["drugs"] if d["name"] == "anti_pd1")
    two = next(d for d in data["drugs"] if d["name"] == "botensilimab")
    data["drugs"] = [
        one,
        {**one, "name": "twin", "title": "The same again"},
        {"name": "none", "title": "No drug"},
        two,
    ]
    data["published"] = [
        p
        for p in data["published"]
        if set(p["cohorts"]) <= set(COHORTS) and p["drugs"] in ("anti_pd1", "botensilimab")
    ]
    return data


def study_of(data):
    return read_resistance(data, "mine", "mine.toml")


def message(data):
    with pytest.raises(ContentError) as caught:
        study_of(data)
    return str(caught.value)


@pytest.fixture(scope="module")
def result():
    return run_resistance(study_of(small()))


def values(result, drugs, table="arms"):
    return [
        {k: v for k, v in r.items() if k != "drugs"} for r in getattr(result, table) if r["drugs"] == drugs
    ]


# --- laws of the grid ---------------------------------------------------


def test_without_a_drug_no_one_responds_in_stable_disease_and_few_in_unstable_disease(result):
    """Some tumours of unstable disease shrink untreated in this model: its T cells hold small, very antigenic
    lesions.
    """
    rows = {(r["cohort"], r["measure"]): r for r in values(result, "none")}
    drug = {(r["cohort"], r["measure"]): r for r in values(result, "anti_pd1")}
    for (cohort, measure), r in rows.items():
        if measure in ("response", "complete") and cohort.startswith("mss"):
            assert r["value"] == r["high"] == 0
        elif measure == "response":
            assert r["value"] < 20 and r["high"] < drug[cohort, measure]["low"]
    most, least = (rows[c, "response"]["value"] for c in ("msi_h_no_liver", "msi_h_liver"))
    assert most > max(least, 0)  # a fault that the page tells


def test_the_same_drugs_twice_give_the_same_numbers_and_no_difference(result):
    assert values(result, "twin") == values(result, "anti_pd1")
    assert {r[k] for r in values(result, "twin", "drugs") for k in ("value", "low", "high")} <= {0, None}


def test_the_order_of_cohorts_and_drugs_changes_nothing(result):
    data = small()
    for key in ("cohorts", "drugs", "published"):
        data[key].reverse()
    again = run_resistance(study_of(data))

    def keyed(rows):
        return {
            (r.get("cohort"), r.get("trial"), r.get("figure"), r.get("arm"), r["drugs"], r["measure"]): r
            for r in rows
        }

    for name in TABLES:
        assert keyed(getattr(again, name)) == keyed(getattr(result, name)), name


def readouts(data, cohort):
    """What 60 patients of a cohort show under each of the drugs."""
    study = study_of(data)
    places = [setting(study.grid.trial, study.grid.arm(cohort, d.name)) for d in study.grid.drugs]
    return [run_arm(admit(p, study.parameters, 60, 3, "resistance"), study.parameters) for p in places]


def test_a_drug_that_blocks_nothing_is_no_drug():
    data = small()
    data["drugs"] = [d for d in data["drugs"] if d["name"] in ("anti_pd1", "none")]
    data["therapies"] = {"therapy.PD1": {"from": "nivolumab.occupancy", "times": 0}}
    data["published"] = []
    drug, none = readouts(data, "msi_h_liver")
    assert np.array_equal(drug.response, none.response) and np.allclose(
        drug.change, none.change, atol=1e-3, equal_nan=True
    )


def test_more_blockade_of_the_same_patients_shrinks_no_tumour_less():
    deepest, responses = [], []
    for times in (0.25, 1.0):
        data = small()
        data["drugs"] = data["drugs"][:1]
        data["therapies"] = {"therapy.PD1": {"from": "nivolumab.occupancy", "times": times}}
        data["published"] = []
        [found] = readouts(data, "msi_h_liver")
        deepest.append(found.change)
        responses.append(np.isin(found.response, ("CR", "PR")))
    assert np.nanmean(deepest[1]) < np.nanmean(deepest[0]) - 0.02
    assert responses[0].sum() < responses[1].sum() and not np.any(responses[0] & ~responses[1])


def test_drugs_are_compared_in_the_same_patients():
    study = study_of(small())
    one, two = (
        admit(
            setting(study.grid.trial, study.grid.arm("msi_h_liver", d)), study.parameters, 20, 0, "resistance"
        ).others("resistance 1")
        for d in ("anti_pd1", "botensilimab")
    )
    assert one.key == two.key and np.array_equal(one.plan.follow_up, two.plan.follow_up)
    shared = set(one.covariates) & set(two.covariates)
    assert {"LESIONS", "WT"} <= shared and all(
        np.array_equal(one.covariates[k], two.covariates[k]) for k in shared
    )


def test_a_difference_is_taken_draw_by_draw(result):
    """The median of two draws is their mean, so that here it is also the difference of the medians."""
    arms = {(r["cohort"], r["drugs"], r["measure"]): r for r in result.arms}
    for table, other in (
        ("drugs", lambda r: (r["cohort"], r["against"])),
        ("sites", lambda r: (r["against"], r["drugs"])),
    ):
        for r in (r for r in getattr(result, table) if r["measure"] == "response"):
            a, b = arms[r["cohort"], r["drugs"], r["measure"]], arms[(*other(r), r["measure"])]
            assert r["value"] == pytest.approx(a["value"] - b["value"]) and r["unit"] == "points"
    assert {r["against"] for r in result.sites} == {"msi_h_no_liver"}  # the other biology has one site only


# --- published figures --------------------------------------------------


def test_a_published_interval_is_the_exact_one_of_its_own_counts(result):
    rows = [r for r in result.published if r["interval_from"] == "exact binomial"]
    assert len(rows) >= 5
    for r in rows:
        figure = next(f for f in load_trial(r["trial"]).figures if f.key == f"{r['figure']}:{r['arm']}")
        k, n = figure.value, figure.n
        low, high = beta.ppf(0.025, k, n - k + 1) if k else 0.0, beta.ppf(0.975, k + 1, n - k)
        assert (r["published"], r["low"], r["high"]) == pytest.approx((100 * k / n, 100 * low, 100 * high))


def test_a_figure_of_mixed_sites_is_context(result):
    mixed = [s for s in STUDY.shown if len(s.cohorts) > 1]
    assert mixed and all("its patients are of several cohorts" in s.apart for s in mixed)
    rows = [r for r in result.published if len(r["cohorts"]) > 1]
    assert rows and all(
        r["inside"] is None and r["predicted"] is None and r["use"] == "context" for r in rows
    )


def test_context_lies_below_above_or_among_the_arms_that_it_is_drawn_at(result):
    arms = {(r["cohort"], r["drugs"], r["measure"]): r for r in result.arms}
    for r in result.published:
        own = [arms[c, r["drugs"], r["measure"]] for c in r["cohorts"]]
        if r["measure"] == "response":
            least, most = r["low"], r["high"]
            assert r["lies"] == (
                "below"
                if most < min(a["low"] for a in own)
                else "above"
                if least > max(a["high"] for a in own)
                else "among"
            )
    assert {r["lies"] for r in result.published} > {"among"}


@pytest.mark.parametrize(
    "figure",
    [
        "pd1_mss_liver/response:liver",
        "botensilimab_balstilimab/response:phase1_liver",
        "botensilimab_balstilimab/response:phase1_no_liver",
    ],
)
def test_the_shipped_study_compares_what_is_of_one_arm(figure):
    [shown] = [s for s in STUDY.shown if f"{s.trial.name}/{s.figure.key}" == figure]
    assert shown.apart == ()


def test_another_regimen_criteria_scans_or_context_is_said():
    told = {s.figure.key: " ".join(s.apart) for s in STUDY.shown}
    assert (
        "its regimen is pembrolizumab_10_q2w" in told["response:pmmr"]
        and "its criteria are irRC" in told["response:pmmr"]
    )
    assert "its median hangs on other scans (every 6, then 12 weeks)" in told["pfs_median:phase1_no_liver"]
    assert "its trial gives it as context" in told["response:no_liver"]
    assert (
        "lays other contexts on patients (biology_msi_h with context_pretreated)"
        in told["response:nivolumab"]
    )


def test_drugs_that_enter_otherwise_in_their_trial_are_said():
    data = small()
    data["therapies"]["therapy.DEPLETION"][1]["times"] = 3
    apart = {s.figure.key: s.apart for s in study_of(data).shown}
    assert apart["response:phase1_no_liver"] == ("its trial lets the same drugs enter the disease otherwise",)


def test_small_trials_are_drawn_from_the_arm():
    data = small()
    data["cohorts"], data["drugs"] = data["cohorts"][:1], data["drugs"][::3]
    data["published"] = [p for p in data["published"] if p["cohorts"] == ["mss_no_liver"]]
    study = study_of(data)
    grid = study.grid
    prepared = tuple(
        admit(setting(grid.trial, a), study.parameters, 200, 0, "resistance") for _, _, a in grid.pairs()
    )
    _, found, predicted = _under(study, prepared, (0, Point(study.parameters)))
    read = [
        (s, p) for s, p in zip(study.shown, predicted, strict=True) if not s.apart and s.measure == "response"
    ]
    assert len(read) == 2
    for shown, counts in read:
        i = [(c.name, d.name) for c, d, _ in grid.pairs()].index((shown.cohorts[0], shown.drugs))
        share, n = found[i, 0] / 100, shown.figure.n
        assert share > 0 and counts.mean() / n == pytest.approx(
            share, abs=4 * np.sqrt(share * (1 - share) / (25 * n))
        )


def test_each_measure_is_a_figure_that_a_trial_could_report():
    assert list(measures("a")) == list(MEASURES)
    assert all(measured_as(f) == name for name, f in measures("a").items())


# --- a fit --------------------------------------------------------------


def result_file(folder, growth):
    """A result of a fit with a draw of the disease's line and one of a context's."""
    data = {
        "parameters": {
            "model": "systems/crlm_immune",
            "title": "A double",
            "include": ["crlm_immune_advanced"],
        },
        "draws": {
            "liver.KAPPA": [0.05, 0.09],
            "elsewhere.KAPPA": [0.05, 0.09],
            **{f"context_refractory/{p}.ALPHA": growth for p in ("growth", "growth_elsewhere", "occult")},
        },
        "fit": {
            "name": "double",
            "trials": ["botensilimab_balstilimab"],
            "free": [],
            "figures": ["botensilimab_balstilimab/response:phase1_no_liver"],
        },
    }
    path = folder / f"double_{growth[0]}.toml"
    path.write_text(tomli_w.dumps(data))
    return str(path)


def test_draws_of_a_fit_reach_the_contexts_and_say_what_was_fitted(tmp_path):
    found = []
    for growth in ([1e-5, 1e-5], [0.009, 0.009]):
        data = small(fit=result_file(tmp_path, growth))
        data["cohorts"], data["drugs"] = data["cohorts"][:1], data["drugs"][::3]
        data["published"] = [p for p in data["published"] if p["cohorts"] == ["mss_no_liver"]]
        found.append(run_resistance(study_of(data)))
    slow, fast = ({r["measure"]: r for r in x.arms if r["drugs"] == "anti_pd1"} for x in found)
    assert slow["control_16w"]["value"] > 80 and fast["control_16w"]["value"] < 20
    assert found[0].draws == 2
    uses = {f"{r['figure']}:{r['arm']}": (r["use"], r["inside"] is None) for r in found[0].published}
    assert uses["response:phase1_no_liver"] == ("fitted", False) and uses["response:phase2_75"] == (
        "predicted",
        False,
    )
    assert uses["response:no_liver"] == ("context", True)


def test_values_before_any_fit_are_drawn_again_with_other_patients(result):
    assert result.draws == 2
    assert len({r["value"] for r in result.arms if r["measure"] == "control_16w"}) > 3


# --- numbers and words --------------------------------------------------


def test_an_interval_is_open_where_a_number_is_not_reached_and_empty_where_it_is_not_defined():
    assert (
        interval(np.array([1.0, 2.0, np.inf]))["high"] is None
        and interval(np.array([1.0, 2.0, np.inf]))["value"] == 2
    )
    undefined = interval(np.array([np.nan, np.nan, 1.0]))
    assert [undefined[k] for k in ("value", "low", "high", "defined")] == [None, None, None, 1]
    assert interval(np.array([np.nan] * 3))["value"] is None


def test_how_long_responses_last_is_told_where_enough_respond(result):
    for r in (r for r in result.arms if r["measure"] == "dor_12m"):
        rate = next(
            a
            for a in result.arms
            if (a["cohort"], a["drugs"], a["measure"]) == (r["cohort"], r["drugs"], "response")
        )
        enough = rate["value"] / 100 * result.study.patients >= LEAST
        if r["defined"] in (0, result.draws):
            assert (r["value"] is not None) == enough


def test_numbers_read_as_a_person_would_write_them():
    assert [number(x, "%") for x in (0, 4, 9.96, 55.5)] == ["0", "4.0", "10", "56"]
    assert [number(x, "points", True) for x in (-17.2, 3.34, 0, -0.04)] == ["−17", "+3.3", "0", "0.0"]
    assert [number(x, "month") for x in (1.94, 12.8, 118.0)] == ["1.9", "13", "118"]
    assert [number(x, "1") for x in (0, -0.004, 0.523, -1.182)] == ["0.00", "0.00", "0.52", "−1.2"]
    assert [lowered(x) for x in ("Anti-PD-1", "FGL1 and LAG-3", "PD-L1")] == [
        "anti-PD-1",
        "FGL1 and LAG-3",
        "PD-L1",
    ]


def test_sentences_are_made_of_the_numbers(result):
    text = " ".join([opening(result), *says(result)])
    row = next(
        r
        for r in result.arms
        if (r["cohort"], r["drugs"], r["measure"]) == ("msi_h_liver", "botensilimab", "response")
    )
    assert f"{number(row['value'], '%')}\u00a0%" in text and "None" not in text and "nan" not in text
    assert (
        "No drug: objective response is 0\u00a0% (0–0) in microsatellite-stable" in text
        and "No drug, less" not in text
    )
    compared = sum(r["inside"] is not None for r in result.published)
    assert f"Of {compared} published figures whose population an arm is, " in opening(result)


def test_what_lies_inside_is_told_with_how_little_that_tests(result):
    row = next(r for r in result.published if r["unit"] == "%")
    rows = [
        row | {"inside": True, "use": use, "published": x}
        for use, x in (("fitted", 0), ("fitted", 20), ("predicted", 5), ("predicted", 6), ("predicted", 19))
    ]
    text = opening(replace(result, published=tuple(rows)))
    assert "5 lie inside what is predicted" in text and "fitted (2 of these)" in text
    assert "at or near zero, 5\u00a0% or less (2), or both (1): neither holds of 2" in text


@pytest.mark.parametrize(("low", "fault"), [(1.9, False), (2.1, True)])
def test_untreated_disease_that_responds_is_told_first_as_a_fault_of_the_model(result, low, fault):
    own = ("msi_h_no_liver", "none", "response")
    arms = tuple(
        r | {"value": 12.0, "low": low}
        if (r["cohort"], r["drugs"], r["measure"]) == own
        else r | {"low": 0.0}
        if (r["drugs"], r["measure"]) == own[1:]
        else r
        for r in result.arms
    )
    first = says(replace(result, arms=arms))[0]
    assert first.startswith("A fault of the model: ") == fault
    assert not fault or ("12\u00a0% (2.1–" in first and "with liver" not in first)


def test_what_a_drug_with_a_caution_does_is_never_said_without_it(result):
    caution = next(d.caution for d in STUDY.grid.drugs if d.name == "relatlimab")
    assert "FGL" in caution and "is assumed" in caution and "no trial of LAG-3 blockade" in caution
    drugs = tuple(
        replace(d, caution=caution) if d.name == "botensilimab" else d for d in result.study.grid.drugs
    )
    own = replace(result, study=replace(result.study, grid=replace(result.study.grid, drugs=drugs)))
    named = [s for text in says(own) for s in text.split(". ") if "Fc-enhanced" in s]
    assert len(named) > 1 and all(caution in s for s in named)
    figures = draw_figures(own)
    assert all(caution in figures[n]["caption"] for n in ("response", "differences"))
    assert "1.8 months is the first scan, at 8 weeks" in figures["progression"]["caption"]


def test_panels_of_one_figure_have_one_scale_of_percentages(result):
    for picture in (measure_figure(result, "response"), difference_figure(result)):
        assert len(picture.axes) == 2 and len({a.get_xlim() for a in picture.axes}) == 1


# --- the page -----------------------------------------------------------


def test_the_page_stands_alone_and_its_rows_are_the_results(result, tmp_path):
    page = write_resistance(result, tmp_path).read_text(encoding="utf-8")
    text = page.replace("data:image/svg+xml;base64,", "\0")
    assert page.count("data:image/svg+xml;base64,") == 4 and "http" not in "".join(
        p.split('"', 1)[-1] for p in text.split("\0")
    )
    assert "no ranking of treatments for patients" in page and "docs/results/immune_fit.md" in page
    assert "not advice on any patient" in page and "The values are those of the library’s files" in page
    for unit in ("% of patients", "% of responses", "months", "points"):
        assert unit in page
    words = "".join(p.split('"', 1)[-1] for p in text.split("\0"))
    assert "None" not in words and ">nan" not in words
    data = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert {
        "study",
        "fit",
        "cohorts",
        "combinations",
        "measures",
        "provenance",
        "made",
        "notice",
        *TABLES,
    } <= set(data)
    assert all(data[name] == list(getattr(result, name)) for name in TABLES)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text(encoding="utf-8"))))
    assert len(rows) == sum(len(getattr(result, name)) for name in TABLES)
    assert flat(result).splitlines()[0] == ",".join(COLUMNS) and all(
        r["unit"] in ("%", "points", "month") for r in rows
    )


def test_the_two_further_analyses_are_run_where_the_file_asks_for_them(result, tmp_path):
    assert result.importance is None and result.liver_effect is None
    data, whole = small(patients=10, draws=2), tables()
    data["cohorts"], data["drugs"], data["published"] = data["cohorts"][:1], data["drugs"][:1], []
    weights, effect = whole["importance"], whole["liver_effect"]
    data["importance"] = {
        **weights,
        "patients": 8,
        "draws": 2,
        "samples": 2,
        "mechanisms": weights["mechanisms"][:3],
        "treatments": weights["treatments"][:1],
        "groups": weights["groups"][:1],
    }
    data["liver_effect"] = {
        **effect,
        "patients": 6,
        "draws": 2,
        "biologies": effect["biologies"][:1],
        "treatments": effect["treatments"][:2],
        "terms": effect["terms"][:2],
    }
    found = run_resistance(study_of(data))
    page = write_resistance(found, tmp_path).read_text(encoding="utf-8")
    assert (
        weights["title"] in page and effect["title"] in page and page.count("data:image/svg+xml;base64,") == 6
    )
    told = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text(encoding="utf-8"))))
    for name, own in (
        ("importance_effects", found.importance.effects),
        ("liver_effect_split", found.liver_effect.split),
    ):
        assert told[name] == list(own) and sum(r["table"] == name for r in rows) == len(own) > 0
    assert any(line["line"].startswith("mechanism: ") for line in told["provenance"])


def test_a_page_of_one_cohort_and_one_drug_has_no_empty_tables(tmp_path):
    data = small(patients=10, draws=2)
    data["cohorts"], data["drugs"], data["published"] = data["cohorts"][:1], data["drugs"][:1], []
    page = write_resistance(run_resistance(study_of(data)), tmp_path).read_text(encoding="utf-8")
    assert "Published figures beside the arms" not in page and "in the same patients</h3>" not in page


# --- its file -----------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda d: d["study"].update(fit="imune"),
            "study.fit: 'imune': no result of this name in the library",
        ),
        (
            lambda d: d["study"].update(fit="eortc_40983"),
            "study.fit: 'eortc_40983' is of systems/crlm, but the disease is systems/crlm_immune",
        ),
        (lambda d: d["study"].update(fit="none", parameters=""), "study.parameters: is missing"),
        (
            lambda d: d["study"].update(disease="systems/crlm_imune"),
            "study.disease: 'systems/crlm_imune': no such file",
        ),
        (lambda d: d["study"].update(alone="anti_pd2"), "study.alone: 'anti_pd2' is not one of the file's"),
        (lambda d: d["study"].update(without="lung"), "study.without: 'lung' is not one of the file's"),
        (lambda d: d["study"].update(patients=1), "study.patients: 1 is not a whole number of at least 4"),
        (lambda d: d["study"].update(assumes="much"), "study.assumes: 'much' is not a list of sentences"),
        (lambda d: d["study"].update(drugs=1), "study.drugs: unknown key"),
        (lambda d: d.pop("biologies"), "biologies: None does not name any"),
        (
            lambda d: d["drugs"][0].update(regimen="nivolumab"),
            "drugs[1].regimen: 'nivolumab': no regimen of this name",
        ),
        (lambda d: d["drugs"][1].pop("treatment"), "drugs[2].treatment: is missing"),
        (lambda d: d["drugs"][1].update(cycles=3), "drugs[2].cycles: unknown key"),
        (
            lambda d: d["drugs"][3].update(regimen="folfiri"),
            "drugs[4].regimen: gives 'fluorouracil', which does nothing",
        ),
        (
            lambda d: d["cohorts"][1]["patients"][0].update(contexts=["biology_msi"]),
            "cohorts[2].patients[1].contexts[1]: 'biology_msi': no parameters of this name",
        ),
        (
            lambda d: d["cohorts"][1]["patients"][0].update(covariates={"LESION": 2}),
            "cohorts[2].patients[1].covariates.LESION: is not in the register",
        ),
        (lambda d: d["cohorts"][0].pop("patients"), "cohorts[1].patients: is missing"),
        (
            lambda d: d["cohorts"][0].update(biology="mssh"),
            "cohorts[1].biology: 'mssh' is not one of the file's",
        ),
        (
            lambda d: d["cohorts"][1].update(site="liver", biology="mss"),
            "cohorts: two have biology 'mss' and site 'liver'",
        ),
        (lambda d: d["cohorts"].append(d["cohorts"][0]), "cohorts: two are named 'mss_liver'"),
        (lambda d: d.update(drugs=[]), "drugs: is empty"),
        (
            lambda d: d["therapies"].pop("therapy.LAG3"),
            "drugs[4].regimen: gives 'relatlimab', which does nothing to the disease",
        ),
        (lambda d: d["protocol"].pop("run_in"), "protocol.run_in: is missing"),
        (
            lambda d: d["protocol"]["criteria"].update({"is": "RECIST 2"}),
            "protocol.criteria: 'RECIST 2' is not one of them",
        ),
        (
            lambda d: d["published"][0].update(figure="pd1_mss_liver/response:lung"),
            "published[1].figure: pd1_mss_liver has no figure 'response:lung'",
        ),
        (
            lambda d: d["published"][0].update(figure="pd1/response:liver"),
            "published[1].figure: 'pd1': no trial of this name",
        ),
        (
            lambda d: d["published"][0].update(figure="keynote_177/pfs_hr:pembrolizumab"),
            "published[1].figure: 'pfs_hr:pembrolizumab' is none of what is measured here",
        ),
        (
            lambda d: d["published"][0].update(cohorts=["mss"]),
            "published[1].cohorts: 'mss' is not a cohort of the file",
        ),
        (
            lambda d: d["published"][0].update(drugs="pd1"),
            "published[1].drugs: 'pd1' is not one of the file's",
        ),
        (lambda d: d["published"][0].update(value=0), "published[1].value: unknown key"),
        (lambda d: d.update(arms=[]), "arms: unknown key"),
        (
            lambda d: d["importance"]["mechanisms"][0].update(lines=["liver.SIGMAS"]),
            "importance.mechanisms[1].lines: 'liver.SIGMAS' is not a line of systems/crlm_immune",
        ),
        (lambda d: d["liver_effect"].update(until="soon"), "liver_effect.until: "),
    ],
)
def test_a_fault_of_the_file_is_told_with_its_place(change, told):
    data = tables()
    data["cohorts"], data["published"] = data["cohorts"][:2], data["published"][:1]
    for key in ("importance", "liver_effect"):
        if not told.startswith(key):
            data.pop(key)
    change(data)
    assert f"mine.toml: {told}" in message(data) or f"mine.toml.{told}" in message(data)


def test_a_fault_of_a_cohort_or_of_drugs_is_told_once():
    data = tables()
    data["published"] = []
    data["cohorts"][0]["patients"][0]["contexts"] = ["nothing"]
    data["drugs"][0]["regimen"] = "nothing"
    text = message(data)
    assert text.count("contexts[1]") == 1 and text.count("drugs[1].regimen") == 1


def test_the_study_is_read_as_its_kind_says():
    assert STUDY.kind == "resistance" and len(STUDY.grid.trial.arms) == 20
    assert [d.name for d in STUDY.grid.drugs if not STUDY.grid.treats(d.name)] == ["none"]
