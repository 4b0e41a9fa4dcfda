"""Crossings and removals: when they happen, what they do, what is refused."""

import numpy as np
import pytest

from pkpd import (
    Crossing,
    Population,
    cycles,
    draw,
    load_model,
    load_parameters,
    load_regimen,
    lower,
    parse_model,
    removal,
)
from pkpd.errors import ContentError
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.regimen import Regimen
from pkpd.regimen.schedule import SCALE, Schedule
from pkpd.simulation.run import simulate
from pkpd.simulation.simulation import Simulation

MODEL = parse_model(
    """[model]
title = "A drug, logistic growth under a kill, and an oscillation, side by side"
time = "hour"
[parameters]
K = { unit = "1/hour" }
V = { unit = "L" }
C0 = { unit = "mg" }
R = { unit = "1/hour" }
TOP = { unit = "mg" }
KILL = { unit = "1/hour" }
W = { unit = "1/hour" }
[compartments]
drug = { unit = "mg", dose = true }
cells = { unit = "mg", start = "C0" }
x = { unit = "1", start = 1 }
y = { unit = "1" }
[variables]
Cc = { unit = "mg/L", is = "drug / V" }
lost = { unit = "mg/hour", is = "KILL * cells" }
[flows]
elimination = { from = "drug", rate = "K * drug" }
growth = { to = "cells", rate = "R * cells * (1 - cells / TOP)" }
kill = { from = "cells", rate = "lost" }
to_x = { to = "x", rate = "W * y" }
from_y = { from = "y", rate = "W * x" }
""",
    "events",
)
VALUES = {"K": 0.3, "V": 5.0, "C0": 1.0, "R": 0.5, "TOP": 100.0, "KILL": 0.0, "W": 1.7}
K, V, R, W = (VALUES[n] for n in ("K", "V", "R", "W"))


def people(n: int = 1, **other) -> Population:
    return Population(MODEL.inputs, np.tile([VALUES[n] for n in MODEL.inputs], (n, 1)), {}).with_inputs(other)


def doses(patients: Population, *given: tuple[float, float, float]) -> Schedule:
    """Amount, time and duration of what each patient is given."""
    lines = tuple(
        DoseLine(drug="drug", amount=amount, unit="mg", per="", days=(1,), at=at / 24, over=over / 24)
        for amount, at, over in given
    )
    return lower(Regimen("r", "", 14.0, lines), MODEL, patients, np.zeros(1))


def solve(
    *crossings: Crossing, given=((100.0, 0.0, 0.0),), times=(0.0, 40.0), rtol: float = 1e-8, **other
) -> Simulation:
    patients = people(**other)
    return simulate(MODEL, patients, doses(patients, *given), np.array(times), rtol=rtol, crossings=crossings)


def met(*crossings: Crossing, **other) -> np.ndarray:
    found = solve(*crossings, **other).crossed
    assert found is not None
    return found[0]


# --- when -------------------------------------------------------------


@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-9])
def test_the_time_of_a_crossing_is_as_exact_as_the_tolerance(rtol):
    decay, growth = Crossing("Cc", "1 mg/L"), Crossing("cells", "50 mg", falls=False)
    turn = Crossing("x", "0")
    found = met(decay, growth, turn, rtol=rtol)
    assert found == pytest.approx([np.log(20) / K, np.log(99) / R, np.pi / 2 / W], rel=0.5 * rtol)


def test_a_level_far_below_where_a_step_begins_is_met_at_its_time():
    level = Crossing("drug", "1e-5 mg")
    for rtol in (1e-3, 1e-8):
        assert met(level, rtol=rtol, times=(0.0, 100.0)) == pytest.approx(np.log(1e7) / K, rel=rtol)


def test_after_an_infusion_its_decay_is_met_and_during_it_its_rise():
    full = 25 / K * (1 - np.exp(-K * 4))  # 100 mg over 4 hours, at their end
    rise, fall = Crossing("drug", "40 mg", falls=False), Crossing("drug", "10 mg")
    found = met(rise, fall, given=[(100.0, 0.0, 4.0)])
    assert found == pytest.approx([-np.log(1 - 40 * K / 25) / K, 4 + np.log(full / 10) / K], rel=1e-8)


def test_of_several_crossings_of_a_level_the_first_in_its_direction_counts():
    found = met(Crossing("x", "0.5"), Crossing("x", "0.5", falls=False), Crossing("y", "-0.5", falls=False))
    assert found * W == pytest.approx([np.pi / 3, 5 * np.pi / 3, 5 * np.pi / 6], rel=1e-7)


def test_a_compartment_and_a_variable_of_it_are_met_at_one_time_in_any_unit():
    found = met(
        Crossing("drug", "5 mg"),
        Crossing("Cc", "1 mg/L"),
        Crossing("Cc", "1000 ug/L"),
        Crossing("drug", "0.005 g"),
    )
    assert found == pytest.approx(found[0], rel=1e-10)


@pytest.mark.parametrize("rtol", [1e-3, 1e-8])
def test_crossings_within_one_step_are_met_in_their_order_whichever_is_named_first(rtol):
    levels = np.array([9.99, 10.0, 9.9, 9.0])
    found = met(*(Crossing("drug", f"{level} mg") for level in levels), rtol=rtol)
    assert found == pytest.approx(np.log(100 / levels) / K, rel=rtol)
    assert np.argsort(found).tolist() == [1, 0, 2, 3]


def test_what_the_first_of_two_crossings_does_may_prevent_the_second():
    stop = Crossing("drug", "10 mg", then={"K": 0.0})
    assert met(Crossing("drug", "9.99 mg"), stop, rtol=1e-3)[0] == np.inf
    assert met(Crossing("drug", "10.01 mg"), stop, rtol=1e-3)[0] < np.inf


def test_a_level_that_is_never_met_is_met_at_infinity():
    never = met(
        Crossing("Cc", "21 mg/L"), Crossing("cells", "1 mg"), Crossing("cells", "101 mg", falls=False)
    )
    assert never.tolist() == [np.inf] * 3
    assert solve().crossed is None


def test_a_value_that_starts_at_the_level_or_beyond_it_must_come_back_first():
    here = Crossing("drug", "100 mg"), Crossing("x", "1"), Crossing("drug", "100 mg", falls=False)
    assert met(*here, Crossing("drug", "200 mg")).tolist() == [np.inf] * 4
    again = met(*here, Crossing("x", "0.9", falls=False), given=[(100.0, 0.0, 0.0), (100.0, 5.0, 0.0)])
    assert again[0] == pytest.approx(5 + np.log(1 + np.exp(-5 * K)) / K, rel=1e-8)
    assert again[3] * W == pytest.approx(2 * np.pi - np.arccos(0.9), rel=1e-6)


def test_a_crossing_just_before_a_dose_is_met_and_one_just_after_it_is_lifted_away():
    at = np.log(20) / K  # the concentration is then 1 mg/L
    found = met(
        Crossing("Cc", "1.000001 mg/L"),
        Crossing("Cc", "0.999999 mg/L"),
        given=[(100.0, 0.0, 0.0), (50.0, at, 0.0)],
    )
    again = at + np.log(11 / 0.999999) / K
    assert found == pytest.approx([at - 1e-6 / K, again], rel=1e-9)


def test_what_happens_at_a_crossing_is_in_an_output_of_its_time():
    at = np.log(20) / K
    run = solve(Crossing("Cc", "1.00000001 mg/L", then={"drug": 0.0}), times=(0.0, 1.0, at, 20.0))
    assert run["drug"][0, 1] == pytest.approx(100 * np.exp(-K)) and run["drug"][0, 2:].tolist() == [0, 0]


def test_crossings_are_looked_for_from_begin_to_the_last_output():
    patients, level = people(), Crossing("drug", "10 mg")
    at, start = np.log(10) / K, np.array([[100.0, 1.0, 1.0, 0.0]])
    for begin, last, found in (
        (2.0, 2 + at + 0.1, 2 + at),
        (2.0, 2 + at - 0.1, np.inf),
        (-3.0, 30.0, -3 + at),
    ):
        run = simulate(
            MODEL, patients, None, np.array([last]), begin=begin, start=start, rtol=1e-9, crossings=[level]
        )
        assert run.crossed is not None and run.crossed[0, 0] == pytest.approx(found, rel=1e-8)


# --- what is done -----------------------------------------------------


def test_extinction_leaves_exactly_nothing_for_good():
    run = solve(Crossing("cells", "0.1 mg", then={"cells": 0.0}), KILL=1.0, times=np.linspace(0, 60, 200))
    assert run.crossed is not None
    past = run.times[0] >= run.crossed[0, 0]
    assert (
        10 < past.sum() < 200 and np.all(run["cells"][0, past] == 0) and np.all(run["cells"][0, ~past] > 0.1)
    )


def test_a_kill_that_stops_at_a_threshold_lets_cells_grow_again():
    run = solve(Crossing("cells", "0.1 mg", then={"KILL": 0.0}), KILL=1.0, times=(0.0, 10.0, 20.0), rtol=1e-9)
    assert run.crossed is not None
    grown = 1 / (1 / 100 + (1 / 0.1 - 1 / 100) * np.exp(-R * (run.times[0, 1:] - run.crossed[0, 0])))
    assert run["cells"][0, 1:] == pytest.approx(grown, rel=1e-6)


def test_variables_after_a_crossing_are_of_the_inputs_that_it_set():
    run = solve(Crossing("cells", "0.1 mg", then={"KILL": 0.0}), KILL=1.0, times=(0.0, 10.0, 20.0))
    assert run["lost"][0].tolist() == [1.0, 0.0, 0.0] and run["KILL"][0].tolist() == [1.0, 0.0, 0.0]


def test_one_crossing_may_do_several_things_and_each_is_done_once():
    twice = Crossing("drug", "10 mg", then={"drug": 100.0, "cells": 7.0, "R": 0.0})
    run = solve(twice, times=(0.0, 7.0, 9.0, 20.0), rtol=1e-9)
    assert run.crossed is not None
    at = np.log(10) / K
    assert run.crossed[0, 0] == pytest.approx(at, rel=1e-9)
    assert run["drug"][0, 2:] == pytest.approx(100 * np.exp(-K * (np.array([9.0, 20.0]) - at)), rel=1e-8)
    assert run["cells"][0, 2:] == pytest.approx(7.0)


def test_a_lesion_that_goes_extinct_stays_so_in_the_library_s_gompertz_growth():
    model = load_model("crlm")
    patients = draw(model, load_parameters(model=model), 3, seed=2).with_inputs({"effect.RATE": 0.3})
    gone = {"lesion.1.sensitive": 0.0, "lesion.1.resistant": 0.0}
    times = np.linspace(0, 200, 41)
    run = simulate(model, patients, None, times, crossings=[Crossing("lesion.1.viable", "0.5 mL", then=gone)])
    late = run.times >= np.array(run.crossed)
    assert late[:, -1].sum() == 2 and not late[:, 0].any()
    assert np.all(run["lesion.1.viable"][late] == 0) and np.all(
        run["lesion.1.viable"][~late] >= 0.5 * (1 - 1e-6)
    )
    assert run["lesion.2.viable"] == pytest.approx(
        simulate(model, patients, None, times)["lesion.2.viable"], rel=1e-4
    )


# --- surgery and ablation ---------------------------------------------


def test_a_removal_is_each_patient_s_own_and_leaves_its_share():
    patients, times = people(4, R=0.0), np.array([0.0, 1.0, 2.0, 5.0])
    cut = removal(
        MODEL, np.array([2.0, 1.0, np.inf, 1.0]), {"cells": np.array([0.25, 0.0, 0.0, 1.0]), "x": 0.5}, 4
    )
    run = simulate(MODEL, patients, cut, times, rtol=1e-9)
    assert run["cells"].tolist() == pytest.approx(
        np.array([[1, 1, 0.25, 0.25], [1, 0, 0, 0], [1] * 4, [1] * 4])
    )
    cos = np.cos(W * times) * np.array([[1, 1, 0.5, 0.5], [1, 0.5, 0.5, 0.5], [1] * 4, [1, 0.5, 0.5, 0.5]])
    assert run["x"][:, :2] == pytest.approx(cos[:, :2]) and run["x"][2] == pytest.approx(cos[2])
    assert len(cut) == 4 and np.all(cut.kind == SCALE) and np.diff(cut.offsets).tolist() == [2, 2, 0, 2]


def test_a_removal_joins_a_regimen_and_both_happen():
    patients = people(3, R=0.0)
    both = doses(patients, (100.0, 0.0, 0.0), (60.0, 1.0, 4.0)) + removal(
        MODEL, 2.0, {"cells": 0.1, "drug": 0.5}, 3
    )
    run = simulate(MODEL, patients, both, np.array([0.0, 2.0, 4.0]), rtol=1e-9)
    infused = 15 / K * (1 - np.exp(-K))
    left = 0.5 * (100 * np.exp(-2 * K) + infused)
    later = left * np.exp(-2 * K) + 15 / K * (1 - np.exp(-2 * K))
    assert run["drug"] == pytest.approx(np.tile([100.0, left, later], (3, 1)), rel=1e-7)
    assert run["cells"] == pytest.approx(np.tile([1.0, 0.1, 0.1], (3, 1)))


def test_what_was_removed_before_begin_is_in_the_start():
    cut = removal(MODEL, 2.0, {"cells": 0.5}, 1)
    run = simulate(
        MODEL, people(R=0.0), cut, np.array([3.0]), begin=2.5, start=np.array([[0.0, 8.0, 1.0, 0.0]])
    )
    assert run["cells"][0, 0] == pytest.approx(8.0)


def test_a_lesion_is_resected_under_treatment_in_the_library_s_system():
    model = load_model("crlm_folfox")
    patients = draw(model, load_parameters(model=model), 3, seed=1)
    regimen, out = load_regimen("folfox4"), {f"lesion.1.{c}": 0.0 for c in ("sensitive", "resistant", "dead")}
    given = lower(regimen, model, patients, cycles(regimen, model, 2))
    run = simulate(
        model, patients, given + removal(model, np.array([20.0, 30.0, np.inf]), out, 3), np.arange(0.0, 40.0)
    )
    kept = simulate(model, patients, given, np.arange(0.0, 40.0))
    assert np.all(run["lesion.1.volume"][0, 20:] == 0) and np.all(run["lesion.1.volume"][1, 30:] == 0)
    assert run["lesion.1.volume"][2] == pytest.approx(kept["lesion.1.volume"][2]) and np.all(
        run["lesion.1.volume"][2] > 0
    )
    assert run["oxaliplatin.Cc"] == pytest.approx(kept["oxaliplatin.Cc"], rel=1e-4, abs=1e-9)


def test_what_surgery_leaves_below_the_level_of_extinction_is_extinct():
    patients = people(2)
    cut = removal(MODEL, np.array([2.0, np.inf]), {"cells": 0.01}, 2)
    run = simulate(
        MODEL,
        patients,
        cut,
        np.array([0.0, 1.0, 2.0, 3.0, 9.0]),
        crossings=[Crossing("cells", "0.1 mg", then={"cells": 0.0})],
    )
    assert run.crossed is not None and run.crossed[:, 0].tolist() == [2.0, np.inf]
    assert run["cells"][0, 3:].tolist() == [0, 0] and np.all(run["cells"][1] >= 1)


# --- what is refused --------------------------------------------------


def told(call) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        call()
    return [(i.where, i.what, i.remedy) for i in caught.value.issues]


def test_all_that_is_wrong_with_crossings_is_told_at_once():
    wrong = [
        Crossing("Cx", "1 mg/L"),
        Crossing("Cc", "1 hour", then={"cels": 0.0}),
        Crossing("K", "1 1/hour"),
        Crossing("drug", "many"),
        Crossing("drug", "1 mg", then={"cells": np.nan}),
        Crossing("drug", "1 mg", then={"cells": "0 mg"}),
    ]  # type: ignore[dict-item]
    assert told(lambda: solve(*wrong)) == [
        ("crossings[1].of", "events has no compartment or variable 'Cx'", "did you mean 'x' or 'Cc'?"),
        ("crossings[2].level", "'hour' cannot be converted to 'mg/L'", "give it in a unit of the same kind"),
        ("crossings[2].then", "events has no compartment or input 'cels'", "did you mean 'cells'?"),
        (
            "crossings[3].of",
            "events has no compartment or variable 'K'",
            "known here: Cc, cells, drug, lost, x, y",
        ),
        ("crossings[4].level", "'many' is not a quantity", "write a number and a unit, as in '85 mg/m^2'"),
        (
            "crossings[5].then.cells",
            "nan is not a finite number",
            "give a finite number, in the model's unit",
        ),
        (
            "crossings[6].then.cells",
            "'0 mg' is not a finite number",
            "give a finite number, in the model's unit",
        ),
    ]


def test_a_variable_cannot_be_given_a_value():
    ((where, what, _),) = told(lambda: solve(Crossing("drug", "1 mg", then={"Cc": 0.0})))
    assert (where, what) == ("crossings[1].then", "events has no compartment or input 'Cc'")


@pytest.mark.parametrize(
    ("time", "left", "expected"),
    [
        (2.0, {"cels": 0.5}, ("left.cels", "events has no such compartment", "did you mean 'cells'?")),
        (
            2.0,
            {"cells": 1.5},
            ("left.cells", "is not a share from 0 to 1", "give what is left, 0 for all removed"),
        ),
        (
            2.0,
            {"cells": [0.1, -0.1, 1]},
            ("left.cells", "is not a share from 0 to 1", "give what is left, 0 for all removed"),
        ),
        (
            2.0,
            {"cells": np.nan},
            ("left.cells", "is not a share from 0 to 1", "give what is left, 0 for all removed"),
        ),
        (
            2.0,
            {"cells": np.zeros(2)},
            ("left.cells", "is of shape (2,), not (3,)", "give one number, or one a patient"),
        ),
        (
            np.zeros((3, 1)),
            {"cells": 0.0},
            ("time", "is of shape (3, 1), not (3,)", "give one number, or one a patient"),
        ),
        (
            np.array([1.0, np.nan, 2.0]),
            {"cells": 0.0},
            ("time", "is missing for a patient", "give a time, infinite for a patient who has none"),
        ),
        (2.0, {}, ("left", "names nothing to remove", "name compartments, each with the share that is left")),
    ],
    ids=str,
)
def test_a_removal_that_cannot_be_is_refused(time, left, expected):
    assert told(lambda: removal(MODEL, time, left, 3)) == [expected]
