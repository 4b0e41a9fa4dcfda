"""From a regimen to events: doses, infusions, forms, lags, cycles; and what events do."""

from dataclasses import replace

import numpy as np
import pytest

from pkpd import (
    Population,
    cycles,
    draw,
    load_model,
    load_parameters,
    load_regimen,
    lower,
    parse_model,
    typical,
)
from pkpd.errors import ContentError
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.regimen import Regimen
from pkpd.regimen.schedule import ADD, RATE, SCALE, SET, Schedule, settings
from pkpd.simulation.run import simulate

HOUR = 1 / 24
SYSTEM = load_model("systems/folfox_auc_linear")
SET_OF_SYSTEM = load_parameters(model=SYSTEM)
PATIENT = typical(SYSTEM, SET_OF_SYSTEM, {"BSA": 2.0, "AGE": 60, "SEX": 0, "SCR": 80})
FOLFOX4 = load_regimen("folfox4")
LATE = parse_model(
    """[model]
title = "A dose that is late and not whole"
time = "hour"
[parameters]
K = { unit = "1/hour" }
ALAG = { unit = "hour" }
F = { unit = "1" }
[compartments]
depot = { unit = "g", dose = { lag = "ALAG", bioavailability = "F" } }
[flows]
out = { from = "depot", rate = "K * depot" }
""",
    "late",
)
TWO_WAYS = parse_model(
    """[model]
title = "A drug that can be given in two places"
time = "day"
[parameters]
K = { unit = "1/day" }
[compartments]
gut = { unit = "mg", dose = true }
central = { unit = "mg", dose = true }
[flows]
absorption = { from = "gut", to = "central", rate = "K * gut" }
out = { from = "central", rate = "K * central" }
""",
    "capsule",
)


def line(
    drug: str = "fluorouracil",
    amount: float = 100.0,
    per: str = "",
    days: tuple[int, ...] = (1,),
    at: float = 0.0,
    over: float = 0.0,
    form: str = "",
    unit: str = "mg",
) -> DoseLine:
    return DoseLine(drug=drug, amount=amount, unit=unit, per=per, days=days, at=at, over=over, form=form)


def regimen(*doses: DoseLine, cycle: float = 14.0) -> Regimen:
    return Regimen("own", "", cycle, doses)


def rows(schedule: Schedule, model=SYSTEM, patient: int = 0) -> list[tuple]:
    """(time, kind, state, value) of a patient, rounded for reading."""
    piece = slice(schedule.offsets[patient], schedule.offsets[patient + 1])
    return [
        (round(float(t), 9), int(k), model.states[i], round(float(v), 6))
        for t, k, i, v in zip(
            schedule.time[piece],
            schedule.kind[piece],
            schedule.index[piece],
            schedule.value[piece],
            strict=True,
        )
    ]


def given(*doses: DoseLine, people: Population = PATIENT, model=SYSTEM, starts=(0.0,)) -> list[tuple]:
    return rows(lower(regimen(*doses), model, people, np.array([starts])), model)


def told(call) -> tuple[str, str, str]:
    with pytest.raises(ContentError) as caught:
        call()
    (issue,) = caught.value.issues
    return issue.where, issue.what, issue.remedy


# --- doses ------------------------------------------------------------


def test_a_bolus_adds_its_amount_to_the_drug_s_dosed_compartment():
    assert given(line(amount=100)) == [(0.0, ADD, "fluorouracil.central", 100.0)]


def test_a_dose_per_square_metre_is_multiplied_by_the_body_surface_area():
    assert given(line(amount=400, per="BSA")) == [(0.0, ADD, "fluorouracil.central", 800.0)]


def test_a_dose_per_kilogram_is_multiplied_by_the_body_weight():
    people = replace(PATIENT, covariates={**PATIENT.covariates, "WT": np.array([70.0])})
    assert given(line(amount=5, per="WT"), people=people) == [(0.0, ADD, "fluorouracil.central", 350.0)]


def test_each_patient_receives_the_dose_of_its_own_body_surface_area():
    people = draw(SYSTEM, SET_OF_SYSTEM, 20, seed=2)
    schedule = lower(regimen(line(amount=400, per="BSA")), SYSTEM, people, np.zeros(1))
    assert schedule.value == pytest.approx(400 * people["BSA"])


def test_a_dose_is_brought_to_the_unit_of_its_compartment():
    people = Population(LATE.inputs, np.array([[1.0, 0.0, 1.0]]), {})
    assert given(line("depot", 250.0), people=people, model=LATE) == [(0.0, ADD, "depot", 0.25)]


def test_a_dose_of_zero_is_no_event():
    assert given(line(amount=0), line(amount=0, over=1.0)) == []


def test_doses_on_several_days_are_given_on_each():
    assert [r[0] for r in given(line(days=(1, 2, 8)))] == [0.0, 1.0, 7.0]


def test_an_infusion_is_a_rate_and_then_exactly_none():
    schedule = lower(regimen(line(amount=100, at=2 * HOUR, over=22 * HOUR)), SYSTEM, PATIENT, np.zeros(1))
    assert rows(schedule) == [
        (round(2 * HOUR, 9), RATE, "fluorouracil.central", round(100 / (22 * HOUR), 6)),
        (1.0, RATE, "fluorouracil.central", 0.0),
    ]
    assert schedule.value[-1] == 0.0


def test_infusions_of_one_drug_that_overlap_add_and_end_at_exactly_zero():
    schedule = lower(
        regimen(
            line(amount=30, over=1.0), line(amount=7, at=0.5, over=1.0), line(amount=0.1, at=0.7, over=0.1)
        ),
        SYSTEM,
        PATIENT,
        np.zeros(1),
    )
    assert [(r[0], r[3]) for r in rows(schedule)] == [
        (0.0, 30.0),
        (0.5, 37.0),
        (0.7, 38.0),
        (0.8, 37.0),
        (1.0, 7.0),
        (1.5, 0.0),
    ]
    assert schedule.value[-1] == 0.0


def test_two_infusions_that_start_and_end_together_are_one_of_both():
    schedule = lower(
        regimen(line(amount=30, over=1.0), line(amount=12, over=1.0)), SYSTEM, PATIENT, np.zeros(1)
    )
    both = {t: v for t, _, _, v in rows(schedule)}  # the last event of a time is what holds
    assert both == {0.0: 42.0, 1.0: 0.0}


def test_an_infusion_that_follows_another_at_once_leaves_its_own_rate():
    schedule = lower(
        regimen(line(amount=30, over=1.0), line(amount=12, at=1.0, over=0.5)), SYSTEM, PATIENT, np.zeros(1)
    )
    assert {t: v for t, _, _, v in rows(schedule)} == {0.0: 30.0, 1.0: 24.0, 1.5: 0.0}


def test_a_pump_as_long_as_the_cycle_never_stops_between_cycles():
    schedule = lower(regimen(line(amount=140, over=14.0)), SYSTEM, PATIENT, np.array([[0.0, 14.0, 28.0]]))
    assert {t: v for t, _, _, v in rows(schedule)} == {0.0: 10.0, 14.0: 10.0, 28.0: 10.0, 42.0: 0.0}


def test_leucovorin_and_oxaliplatin_run_side_by_side_into_their_own_compartments():
    at_start = {(k, s) for t, k, s, v in given(*FOLFOX4.doses) if t == 0.0 and v > 0}
    assert at_start == {(RATE, "leucovorin.central"), (RATE, "oxaliplatin.central")}


def test_folfox4_is_what_its_words_say():
    two, day = round(2 * HOUR, 9), 1.0
    fpt = 0.491
    assert sorted(given(*FOLFOX4.doses)) == sorted(
        [
            (0.0, RATE, "oxaliplatin.central", round(170 * fpt / (2 * HOUR), 6)),
            (two, RATE, "oxaliplatin.central", 0.0),
            (0.0, RATE, "leucovorin.central", round(200 / (2 * HOUR), 6)),
            (two, RATE, "leucovorin.central", 0.0),
            (day, RATE, "leucovorin.central", round(200 / (2 * HOUR), 6)),
            (round(day + 2 * HOUR, 9), RATE, "leucovorin.central", 0.0),
            (two, ADD, "fluorouracil.central", 800.0),
            (round(day + 2 * HOUR, 9), ADD, "fluorouracil.central", 800.0),
            (two, RATE, "fluorouracil.central", round(1200 / (22 * HOUR), 6)),
            (day, RATE, "fluorouracil.central", 0.0),
            (round(day + 2 * HOUR, 9), RATE, "fluorouracil.central", round(1200 / (22 * HOUR), 6)),
            (2.0, RATE, "fluorouracil.central", 0.0),
        ]
    )


def test_events_of_a_patient_are_in_order_of_time():
    people = draw(SYSTEM, SET_OF_SYSTEM, 5, seed=1)
    schedule = lower(FOLFOX4, SYSTEM, people, cycles(FOLFOX4, SYSTEM, 4))
    for i in range(5):
        assert np.all(np.diff(schedule.time[schedule.offsets[i] : schedule.offsets[i + 1]]) >= 0)


def test_a_model_in_hours_and_a_model_in_days_are_dosed_at_the_same_moments():
    drug = load_model("drugs/fluorouracil")
    own = replace(FOLFOX4, doses=tuple(d for d in FOLFOX4.doses if d.drug == "fluorouracil"))
    hours = lower(own, drug, typical(drug, load_parameters(model=drug), {"BSA": 2.0}), cycles(own, drug, 2))
    days = lower(own, SYSTEM, PATIENT, cycles(own, SYSTEM, 2))
    assert hours.time == pytest.approx(24 * days.time, rel=1e-12, abs=1e-12)
    assert np.where(hours.kind == RATE, 24 * hours.value, hours.value) == pytest.approx(days.value)


# --- forms, lag, bioavailability --------------------------------------


def test_200_mg_of_racemic_leucovorin_are_100_mg_of_levoleucovorin():
    racemate = given(line("leucovorin", 200, "BSA", over=2 * HOUR, form="racemate"))
    levo = given(line("leucovorin", 100, "BSA", over=2 * HOUR, form="levoleucovorin"))
    assert racemate == levo
    assert racemate[0][3] == pytest.approx(200 / (2 * HOUR))


def test_leucovorin_without_a_form_is_refused():
    assert told(lambda: given(line("leucovorin", 200))) == (
        "models/regimens/own.toml: doses[1].form",
        "leucovorin comes in forms, and the dose does not say which",
        "one of racemate, levoleucovorin",
    )


def test_a_form_that_the_drug_does_not_come_in_is_refused():
    assert told(lambda: given(line("leucovorin", 200, form="tablet"))) == (
        "models/regimens/own.toml: doses[1].form",
        "'tablet' is not a form of leucovorin",
        "one of racemate, levoleucovorin",
    )


def test_a_form_of_a_drug_without_forms_is_refused():
    assert told(lambda: given(line(form="racemate"))) == (
        "models/regimens/own.toml: doses[1].form",
        "'racemate' is not a form of fluorouracil",
        "remove it",
    )


def test_oxaliplatin_arrives_as_its_mass_of_platinum():
    assert given(line("oxaliplatin", 100)) == [(0.0, ADD, "oxaliplatin.central", 49.1)]


def test_a_lag_in_another_unit_than_the_model_s_time_is_converted():
    late = parse_model(
        """[model]
title = "A lag in hours in a model in days"
time = "day"
[parameters]
K = { unit = "1/day" }
ALAG = { unit = "hour" }
[compartments]
depot = { unit = "g", dose = { lag = "ALAG" } }
[flows]
out = { from = "depot", rate = "K * depot" }
""",
        "days",
    )
    people = Population(late.inputs, np.array([[1.0, 12.0]]), {})
    single = Regimen("one", "", 1.0, (DoseLine("depot", 1, "g", "", (1,)),))
    assert lower(single, late, people, cycles(single, late, 1)).time == pytest.approx([0.5])


def test_a_lag_and_a_bioavailability_are_each_patient_s_own():
    people = Population(LATE.inputs, np.array([[1.0, 0.5, 0.8], [1.0, 2.0, 0.1], [1.0, 0.0, 0.0]]), {})
    schedule = lower(
        regimen(line("depot", 1000.0), line("depot", 1000.0, over=1.0)), LATE, people, np.array([[0.0, 24.0]])
    )
    assert rows(schedule, LATE, 0) == [
        (0.5, ADD, "depot", 0.8),
        (0.5, RATE, "depot", round(0.8 / 24, 6)),
        (24.5, ADD, "depot", 0.8),
        (24.5, RATE, "depot", 0.0),
        (24.5, RATE, "depot", round(0.8 / 24, 6)),
        (48.5, RATE, "depot", 0.0),
    ]
    assert rows(schedule, LATE, 1)[0] == (2.0, ADD, "depot", 0.1)
    assert rows(schedule, LATE, 2) == []


# --- what cannot be given ---------------------------------------------


@pytest.mark.parametrize(
    ("starts", "factors", "issue"),
    [
        (
            np.zeros((3, 2)),
            None,
            ("starts", "are of 3 patients, and there are 2", "give them for one or for all"),
        ),
        (
            np.zeros((1, 2)),
            np.ones((2, 2, 3)),
            (
                "factors",
                "are of shape (2, 2, 3), and (2, 2, 4) is needed",
                "give them as (patient, cycle, dose line)",
            ),
        ),
        (
            np.zeros((1, 2)),
            -np.ones((2, 2, 4)),
            ("factors", "hold a number below zero", "give what is given of a dose: 0 or more"),
        ),
    ],
)
def test_starts_and_factors_are_of_the_patients_cycles_and_doses(starts, factors, issue):
    people = PATIENT.take(np.array([0, 0]))
    where, *rest = issue
    assert told(lambda: lower(FOLFOX4, SYSTEM, people, starts, factors)) == (
        f"models/regimens/folfox4.toml: {where}",
        *rest,
    )


def test_a_share_below_nought_is_refused_and_names_the_patient():
    people = Population(LATE.inputs, np.array([[1.0, 0.0, 0.5], [1.0, 0.0, -0.5]]), {})
    assert told(lambda: lower(regimen(line("late")), LATE, people, np.zeros(1))) == (
        "models/regimens/own.toml: doses[1]",
        "brings patient 2 a negative dose",
        "mend the amount, or the share of it that arrives",
    )


def test_a_dose_that_is_no_number_is_not_left_out_but_told_of_its_patient_alone():
    people = Population(LATE.inputs, np.array([[1.0, 0.0, 0.5], [1.0, 0.0, np.nan]]), {})
    run = simulate(
        LATE, people, lower(regimen(line("late")), LATE, people, np.zeros(1)), [1.0, 2.0], strict=False
    )
    assert [text.split(",")[0] for text in run.failures] == ["patient 2"] and np.isfinite(run.states[0]).all()


def test_a_dose_per_square_metre_needs_the_body_surface_area():
    bare = replace(PATIENT, covariates={})
    assert told(lambda: given(line(per="BSA"), people=bare)) == (
        "models/regimens/own.toml: doses[1].amount",
        "is scaled by BSA, which these patients lack",
        "add BSA to [covariates] of a parameter file",
    )


def test_a_drug_that_the_model_lacks_is_refused_with_the_near_one():
    assert told(lambda: given(line("fluorouracyl"))) == (
        "models/regimens/own.toml: doses[1].drug",
        "systems/folfox_auc_linear cannot receive 'fluorouracyl'",
        "did you mean 'fluorouracil'?",
    )


def test_a_drug_unlike_any_of_the_model_is_refused_with_all_of_them():
    assert told(lambda: given(line(), line("zzz"))) == (
        "models/regimens/own.toml: doses[2].drug",
        "systems/folfox_auc_linear cannot receive 'zzz'",
        "known here: fluorouracil, leucovorin, oxaliplatin",
    )


def test_a_system_without_drugs_receives_nothing():
    disease = load_model("systems/crlm")
    people = typical(disease, load_parameters(model=disease))
    assert told(lambda: given(line(), people=people, model=disease)) == (
        "models/regimens/own.toml: doses[1].drug",
        "systems/crlm cannot receive 'fluorouracil'",
        "this model has no dosed compartment",
    )


def test_a_dose_in_micromoles_of_a_drug_kept_in_milligrams_is_refused():
    where, what, _ = told(lambda: given(line(unit="umol")))
    assert (where, what) == (
        "models/regimens/own.toml: doses[1].amount",
        "'umol' cannot be converted to 'mg'",
    )


def test_a_drug_with_two_dosed_compartments_is_given_to_the_one_named():
    people = Population(TWO_WAYS.inputs, np.array([[1.0]]), {})
    assert given(line("gut"), people=people, model=TWO_WAYS) == [(0.0, ADD, "gut", 100.0)]


def test_a_drug_with_two_dosed_compartments_is_not_given_to_its_model_s_name():
    people = Population(TWO_WAYS.inputs, np.array([[1.0]]), {})
    assert told(lambda: given(line("capsule"), people=people, model=TWO_WAYS)) == (
        "models/regimens/own.toml: doses[1].drug",
        "'capsule' has several dosed compartments",
        "name one: gut, central",
    )


def test_a_drug_file_of_one_s_own_is_dosed_by_its_name(tmp_path):
    path = tmp_path / "nivolumab.toml"
    path.write_text(
        '[model]\ntitle = "t"\ntime = "day"\n[parameters]\nK = { unit = "1/day" }\n[compartments]\n'
        'central = { unit = "mg", dose = true }\n[flows]\nout = { from = "central", rate = "K * central" }\n'
    )
    own = load_model(str(path))
    people = Population(own.inputs, np.array([[1.0]]), {})
    assert given(line("nivolumab"), people=people, model=own) == [(0.0, ADD, "central", 100.0)]


def test_a_regimen_file_of_one_s_own_is_named_by_its_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[regimen]\ntitle = "t"\ncycle = "14 day"\n[[doses]]\ndrug = "zzz"\namount = "5 mg"\n')
    where, _, _ = told(lambda: lower(load_regimen(str(path)), SYSTEM, PATIENT, np.zeros(1)))
    assert where == f"{path}: doses[1].drug"


# --- cycles -----------------------------------------------------------


def test_cycles_follow_each_other_at_the_cycle_s_length():
    assert cycles(FOLFOX4, SYSTEM, 3).tolist() == [[0.0, 14.0, 28.0]]
    assert cycles(FOLFOX4, load_model("drugs/oxaliplatin"), 3).tolist() == [[0.0, 336.0, 672.0]]


def test_a_delay_moves_its_cycle_and_those_after_it():
    late = FOLFOX4.delayed({1: "2 day", 3: "1 week"})
    assert cycles(late, SYSTEM, 4).tolist() == [[2.0, 16.0, 37.0, 51.0]]


def test_a_delay_of_a_cycle_that_is_not_given_is_refused():
    assert told(lambda: cycles(FOLFOX4.delayed({5: "7 day"}), SYSTEM, 4)) == (
        "models/regimens/folfox4.toml: delays",
        "folfox4 has no cycle 5 of 4",
        "delay a cycle that is given",
    )


def test_no_cycles_are_no_events():
    schedule = lower(FOLFOX4, SYSTEM, draw(SYSTEM, SET_OF_SYSTEM, 3, seed=1), cycles(FOLFOX4, SYSTEM, 0))
    assert len(schedule) == 3 and schedule.time.size == 0


def test_a_cycle_at_infinity_is_not_given():
    people = draw(SYSTEM, SET_OF_SYSTEM, 2, seed=1)
    schedule = lower(regimen(line()), SYSTEM, people, np.array([[0.0, 14.0], [0.0, np.inf]]))
    assert [len(rows(schedule, patient=i)) for i in range(2)] == [2, 1]


# --- schedules together -----------------------------------------------


def test_two_schedules_join_in_order_of_time():
    a = lower(regimen(line("fluorouracil", 10, at=1.0)), SYSTEM, PATIENT, np.zeros(1))
    b = settings(1, SYSTEM.inputs.index("effect.SHARE"), np.array([[0.5, 2.0]]), np.array([[0.1, 0.2]]))
    both = a + b
    assert both.time.tolist() == [0.5, 1.0, 2.0] and both.kind.tolist() == [SET, ADD, SET]


def test_two_schedules_that_infuse_into_the_same_compartment_are_refused():
    one = lower(regimen(line(over=1.0)), SYSTEM, PATIENT, np.zeros(1))
    assert told(lambda: one + one) == (
        "schedule",
        "two schedules infuse into the same compartment",
        "make them one regimen",
    )


def test_two_schedules_that_infuse_into_different_compartments_join():
    one = lower(regimen(line(over=1.0)), SYSTEM, PATIENT, np.zeros(1))
    other = lower(regimen(line("oxaliplatin", over=1.0)), SYSTEM, PATIENT, np.zeros(1))
    assert len((one + other).time) == 4


@pytest.mark.parametrize("others", [2, 5])
def test_schedules_of_different_numbers_of_patients_are_refused(others):
    one, other = (settings(n, 0, np.ones((n, 1)), np.ones((n, 1))) for n in (3, others))
    with pytest.raises(ContentError, match=f"3.*{others}"):
        one + other


def test_settings_at_infinity_are_left_out():
    schedule = settings(2, 4, np.array([[0.0, np.inf], [np.inf, 3.0]]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert schedule.time.tolist() == [0.0, 3.0] and schedule.value.tolist() == [1.0, 4.0]
    assert schedule.patients.tolist() == [0, 1]


def test_an_input_at_a_time_is_what_was_last_set():
    schedule = settings(2, 4, np.array([[1.0, 2.0]] * 2), np.array([[10.0, 20.0], [30.0, 40.0]]))
    times = np.array([[0.0, 1.0, 1.5, 2.0, 9.0]] * 2)
    assert schedule.input_at(4, np.array([7.0, 8.0]), times).tolist() == [
        [7, 10, 10, 20, 20],
        [8, 30, 30, 40, 40],
    ]
    assert schedule.input_at(5, np.array([7.0, 8.0]), times).tolist() == [[7] * 5, [8] * 5]


# --- what events do ---------------------------------------------------


def one_event(*rows_: tuple, times: tuple, **options):
    """The 5-FU model after events (time, kind, index, value), solved at times in hours."""
    drug = load_model("drugs/fluorouracil")
    columns = [np.array(c) for c in zip(*rows_, strict=True)]
    people = typical(drug, load_parameters(model=drug))
    return simulate(
        drug,
        people,
        Schedule(np.array([0, len(rows_)]), columns[0].astype(float), *columns[1:]),
        times,
        **options,
    )


def test_output_at_the_time_of_an_event_is_what_it_leaves_behind():
    solved = one_event((0.0, ADD, 0, 50.0), (2.0, ADD, 0, 30.0), times=(0.0, 1.999999999, 2.0))["central"][0]
    assert solved[0] == 50.0
    assert solved[2] - solved[1] == pytest.approx(30.0, abs=1e-5)


def test_scaling_a_state_multiplies_it_at_that_moment():
    solved = one_event(
        (0.0, ADD, 0, 50.0), (1.0, SCALE, 0, 0.1), (2.0, SCALE, 0, 0.0), times=(0.999999999, 1.0, 2.0, 3.0)
    )
    amounts = solved["central"][0]
    assert amounts[1] == pytest.approx(0.1 * amounts[0], rel=1e-6)
    assert amounts[2] == 0 and amounts[3] == 0


def test_setting_an_input_changes_it_from_then_on_and_reads_back():
    solved = one_event((0.0, ADD, 0, 5.0), (1.0, SET, 0, 0.0), times=(0.5, 1.0, 2.0, 5.0))
    assert solved["VMAX"][0].tolist() == [1390.0, 0.0, 0.0, 0.0]
    assert solved["central"][0, 1] == solved["central"][0, 3] > 0


def test_events_of_one_moment_act_in_the_order_add_rate_scale_set():
    people = typical(SYSTEM, SET_OF_SYSTEM)
    add = lower(regimen(line(amount=100)), SYSTEM, people, np.zeros(1))
    central = SYSTEM.states.index("fluorouracil.central")
    scale = Schedule(
        np.array([0, 1]), np.array([0.0]), np.array([SCALE]), np.array([central]), np.array([0.5])
    )
    both = [
        simulate(SYSTEM, people, s, (0.0,))["fluorouracil.central"][0, 0] for s in (add + scale, scale + add)
    ]
    assert both == [50.0, 50.0]


def test_a_steady_infusion_goes_on_between_outputs():
    solved = one_event((0.0, RATE, 0, 10.0), times=(0.0, 24.0, 240.0))["central"][0]
    assert solved[0] == 0 and solved[1] == pytest.approx(solved[2], rel=1e-6) and solved[2] > 0


@pytest.mark.parametrize("day", [0.05, 0.7, 1.5, 14.3])
def test_a_run_continued_from_its_states_is_the_run_uninterrupted(day):
    people = draw(SYSTEM, SET_OF_SYSTEM, 2, seed=5)
    schedule = lower(FOLFOX4, SYSTEM, people, cycles(FOLFOX4, SYSTEM, 2))
    times = np.array([day, 14.5, 15.2, 30.0])
    whole = simulate(SYSTEM, people, schedule, times, rtol=1e-9)
    rest = simulate(SYSTEM, people, schedule, times[1:], begin=day, start=whole.states[:, 0], rtol=1e-9)
    assert rest.states == pytest.approx(whole.states[:, 1:], rel=1e-6, abs=1e-8)


def test_an_input_set_before_a_run_is_continued_still_holds():
    rows_ = ((0.0, ADD, 0, 50.0), (1.0, SET, 0, 500.0))
    whole = one_event(*rows_, times=(2.0, 3.0), rtol=1e-9).states
    rest = one_event((1.0, SET, 0, 500.0), times=(3.0,), begin=2.0, start=whole[:, 0], rtol=1e-9).states
    assert rest[0, 0] == pytest.approx(whole[0, 1], rel=1e-7)
