"""Steady states: of linear and saturable drugs, and where there is none."""

import numpy as np
import pytest

from pkpd import load_model, load_parameters, parse_model, typical
from pkpd.regimen.schedule import ADD, Schedule
from pkpd.solve.analytic import one_compartment, two_compartments
from pkpd.solve.batch import solve_population
from pkpd.solve.repeated import Repeated, overlap
from pkpd.solve.steady import own_part, steady_state

HEAD = '[model]\ntitle = "A drug"\ntime = "hour"\n'
TWO = (
    HEAD
    + """[parameters]
K10 = { unit = "1/hour" }
K12 = { unit = "1/hour" }
K21 = { unit = "1/hour" }
KA = { unit = "1/hour" }
[compartments]
depot = { unit = "mg", dose = true }
central = { unit = "mg", dose = true }
tissue = { unit = "mg" }
[flows]
absorption = { from = "depot", to = "central", rate = "KA * depot" }
out = { from = "central", rate = "K10 * central" }
away = { from = "central", to = "tissue", rate = "K12 * central" }
back = { from = "tissue", to = "central", rate = "K21 * tissue" }
"""
)
SATURABLE = (
    HEAD
    + """[parameters]
VMAX = { unit = "mg/hour" }
KM = { unit = "mg" }
[compartments]
central = { unit = "mg", dose = true }
[flows]
out = { from = "central", rate = "VMAX * central / (KM + central)" }
"""
)
TUMOUR = (
    HEAD
    + """[parameters]
K = { unit = "1/hour" }
GROWTH = { unit = "1/hour" }
KILL = { unit = "1/mg/hour" }
[compartments]
central = { unit = "mg", dose = true }
cells = { unit = "1", start = 1000 }
[flows]
out = { from = "central", rate = "K * central" }
growth = { to = "cells", rate = "GROWTH * cells" }
kill = { from = "cells", rate = "KILL * central * cells" }
"""
)
AREA = (
    HEAD
    + """[parameters]
K = { unit = "1/hour" }
[compartments]
central = { unit = "mg", dose = true }
area = { unit = "mg*hour" }
[flows]
out = { from = "central", rate = "K * central" }
under = { to = "area", rate = "central" }
"""
)
RATES = np.array([0.4, 0.7, 0.15, 1.5])


def repeated(
    state: int = 0,
    amount: float = 0.0,
    rate: float = 0.0,
    duration: float = 0.0,
    interval: float = 0.0,
    phase: float | None = None,
    n: int = 1,
) -> Repeated:
    rows = (amount, rate, duration, interval, interval if phase is None else phase)
    return Repeated(np.full(n, state), *(np.full(n, float(x)) for x in rows))


def found(text: str, values: list | np.ndarray, dose: Repeated) -> np.ndarray:
    states, reasons = steady_state(
        parse_model(text, "drug"), np.atleast_2d(np.array(values, dtype=float)), dose
    )
    assert not any(reasons), reasons
    return states


def reason(text: str, values: list, dose: Repeated) -> str:
    states, reasons = steady_state(parse_model(text, "drug"), np.array([values], dtype=float), dose)
    assert np.all(np.isnan(states))
    return reasons[0]


@pytest.mark.parametrize("phase", [0.5, 5.0, 12.0])
def test_repeated_boluses_lead_to_their_closed_form(phase):
    form = two_compartments(*RATES[:3])
    assert found(TWO, RATES, repeated(1, 80, interval=12, phase=phase))[0, 1] == pytest.approx(
        form.steady_bolus(phase, 80, 12), rel=1e-9
    )
    assert found(TWO, RATES, repeated(0, 80, interval=12, phase=phase))[0, 1] == pytest.approx(
        form.absorbed(1.5).steady_bolus(phase, 80, 12), rel=1e-9
    )


@pytest.mark.parametrize("duration", [0.5, 12.0, 31.0, 36.0])
def test_repeated_infusions_lead_to_their_closed_form_however_long_each_is(duration):
    form = two_compartments(*RATES[:3])
    for phase in (0.25, 7.0, 12.0):
        states = found(TWO, RATES, repeated(1, 5 * duration, 5, duration, 12, phase))
        assert states[0, 1] == pytest.approx(form.steady_infusion(phase, 5, duration, 12), rel=1e-9)


def test_an_infusion_without_end_leads_to_inflow_over_clearance():
    states = found(TWO, RATES, repeated(0, rate=6))
    assert states[0] == pytest.approx([6 / 1.5, 6 / 0.4, 6 / 0.4 * 0.7 / 0.15], rel=1e-12)


def test_a_drug_that_stays_for_hundreds_of_intervals_comes_to_its_steady_state():
    states = found(TWO, [0.001, 0.0, 1.0, 1.5], repeated(1, 10, interval=2))
    assert states[0, 1] == pytest.approx(one_compartment(0.001).steady_bolus(2.0, 10, 2), rel=1e-7)


def test_many_patients_at_once_are_each_by_itself():
    rng = np.random.default_rng(1)
    values = RATES * rng.lognormal(0, 0.5, (9, 4))
    dose = Repeated(
        np.arange(9) % 2,
        rng.uniform(1, 100, 9),
        np.zeros(9),
        np.zeros(9),
        rng.uniform(4, 24, 9),
        np.full(9, 4.0),
    )
    together = found(TWO, values, dose)
    for i in range(9):
        assert np.array_equal(together[i : i + 1], found(TWO, values[i], dose.take(np.array([i]))))


def test_a_saturable_drug_near_its_limit_comes_to_what_many_doses_lead_to():
    model, dose = parse_model(SATURABLE, "drug"), repeated(0, 110, interval=12)
    values = np.array([[10.0, 20.0]])
    state = found(SATURABLE, values, dose)
    many, zeros = 3000, np.zeros(3000, dtype=int)
    run = Schedule(np.array([0, many]), np.arange(many) * 12.0, zeros + ADD, zeros, np.full(many, 110.0))
    out, *_ = solve_population(
        model, np.zeros((1, 1)), values, run, np.array([[many * 12.0]]), np.zeros(1), 1e-9
    )
    assert state[0, 0] == pytest.approx(out[0, 0, 0], rel=1e-6)
    assert found(SATURABLE, values, repeated(0, rate=9.9))[0, 0] == pytest.approx(20 * 9.9 / 0.1, rel=1e-9)


@pytest.mark.parametrize("start", [0.0, 3.0, 60.0])
def test_a_drug_that_leaves_by_a_steep_curve_comes_to_its_steady_state_even_from_where_it_hardly_leaves(
    start,
):
    steep = SATURABLE.replace("central / (KM + central)", "hill(central, KM, 4)").replace(
        "dose =", 'start = "A0", dose ='
    )
    steep = steep.replace("[compartments]", 'A0 = { unit = "mg" }\n[compartments]')
    assert found(steep, [10, 20, start], repeated(0, rate=5))[0, 0] == pytest.approx(20, rel=1e-9)
    state = found(steep, [10, 20, start], repeated(0, 60, interval=12))
    once = solve_population(
        parse_model(steep, "drug"),
        state,
        np.array([[10.0, 20.0, start]]),
        Schedule(np.array([0, 1]), np.zeros(1), np.array([ADD]), np.array([0]), np.array([60.0])),
        np.array([[12.0]]),
        np.zeros(1),
        1e-10,
    )[0]
    assert state[0, 0] == pytest.approx(once[0, 0, 0], rel=1e-8)


@pytest.mark.parametrize(
    "dose",
    [repeated(0, 121, interval=12), repeated(0, rate=10.01), repeated(0, 121, 121 / 3, 3, 12)],
    ids=["bolus", "endless", "infusion"],
)
def test_more_than_a_saturable_drug_can_leave_has_no_steady_state(dose):
    assert reason(SATURABLE, [10, 20], dose) == "central does not settle under these doses"


def test_a_growing_tumour_beside_the_drug_has_no_steady_state():
    assert reason(TUMOUR, [0.3, 0.01, 0.0], repeated(0, 100, interval=12)) == "cells grows by itself"


def test_a_tumour_that_the_drug_would_kill_has_no_steady_state_either():
    assert reason(TUMOUR, [0.3, 0.01, 1.0], repeated(0, 100, interval=12)) == "cells grows by itself"


def test_a_compartment_that_only_fills_does_not_settle():
    assert reason(AREA, [0.3], repeated(0, 100, interval=12)) == "area does not settle under these doses"
    assert reason(AREA, [0.3], repeated(0, rate=5)) == "area does not settle under these doses"


def test_one_patient_without_a_steady_state_leaves_the_others_theirs():
    states, reasons = steady_state(
        parse_model(SATURABLE, "drug"),
        np.array([[10.0, 20.0], [5.0, 20.0], [20.0, 20.0]]),
        repeated(0, 100, interval=12, n=3),
    )
    assert [bool(r) for r in reasons] == [False, True, False]
    assert np.array_equal(np.isnan(states[:, 0]), [False, True, False])


def test_infusions_overlap_as_often_as_they_fit_into_one():
    count, rest = overlap(np.array([5.0, 10.0, 25.0, 41.2 / 4.12]), np.full(4, 10.0))
    assert count.tolist() == [0, 1, 2, 1] and rest.tolist() == [5, 0, 5, 0]


def test_a_drug_of_a_system_is_a_part_of_its_own_and_a_link_is_not():
    system = load_model("systems/folfox_auc_linear")
    part, outside = own_part(system, "oxaliplatin.central")
    assert part.states == ("oxaliplatin.central", "oxaliplatin.shallow", "oxaliplatin.deep") and outside == ()
    people = typical(system, load_parameters(model=system))
    states, reasons = steady_state(part, people.inputs, repeated(0, 50, interval=14))
    alone = load_model("drugs/oxaliplatin")
    single, _ = steady_state(
        alone, typical(alone, load_parameters(model=alone)).inputs, repeated(0, 50, interval=14 * 24)
    )
    assert reasons == [""] and states == pytest.approx(single, rel=1e-8)
    assert own_part(system, "effect.given")[1]
