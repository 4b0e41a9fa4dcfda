"""Noncompartmental readouts do not depend on how a regimen is written: one course, every way of
writing it.
"""

import numpy as np
import pandas as pd
import pytest

from pkpd import (
    Crossing,
    Parameters,
    accumulation,
    cycles,
    load_model,
    load_parameters,
    lower,
    nca,
    parse_model,
    read_records,
    removal,
    sampling,
    simulate,
    typical,
)
from pkpd.parameters.parameters import Value
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.regimen import Regimen
from pkpd.regimen.schedule import Schedule
from pkpd.simulation.noncompartmental import READOUTS

MODEL = parse_model(
    """[model]
title = "A depot, a central and a peripheral compartment, and a metabolite that stays for long"
time = "hour"
[parameters]
CL = { unit = "L/hour" }
V = { unit = "L" }
Q = { unit = "L/hour" }
KA = { unit = "1/hour" }
LAG = { unit = "hour" }
F = { unit = "1" }
[compartments]
depot = { unit = "mg", dose = { lag = "LAG", bioavailability = "F" } }
central = { unit = "mg", dose = { lag = "LAG", bioavailability = "F" } }
peripheral = { unit = "mg" }
metabolite = { unit = "mg" }
[variables]
Cc = { unit = "mg/L", is = "central / V" }
[flows]
absorption = { from = "depot", to = "central", rate = "KA * depot" }
elimination = { from = "central", to = "metabolite", rate = "CL * central / V" }
excretion = { from = "metabolite", rate = "CL / V / 50 * metabolite" }
distribution = { from = "central", to = "peripheral", rate = "Q * (central / V - peripheral / V)" }
""",
    "history",
)
MANY = 150  # doses after which an interval has forgotten the first to 1e-8


def values(lag=0.0, share=1.0, q=1.0):
    numbers = {"CL": 2.0, "V": 20.0, "Q": q, "KA": 1.5, "LAG": lag, "F": share}
    return Parameters(
        "values", MODEL.name, "", values=tuple(Value(n, v, MODEL.unit(n)) for n, v in numbers.items())
    )


def records(rows, own):
    """Records of one patient, in order of time, with a last row far behind them."""
    return read_records(pd.DataFrame([*rows, {"TIME": 1e4, "EVID": 0}]).fillna(0.0).assign(ID=1), MODEL, own)


def shown(told, window, **options):
    """The run of a window, every event shown before and after."""
    times, places = sampling(MODEL, told.schedule, window)
    return simulate(MODEL, told.population, told.schedule, times, places=places, rtol=1e-10, **options)


def from_then_on(schedule, time):
    """The events of a patient that come at a time or later."""
    late = np.real(schedule.time) >= time - 1e-9
    return Schedule(
        np.array([0, late.sum()]), *(getattr(schedule, f)[late] for f in ("time", "kind", "index", "value"))
    )


def ways(dose, tau, own):
    """The same interval of a regimen that has gone on for ever, written in every way: a name, the run, the
    window.
    """
    at, window = MANY * tau, (MANY * tau, (MANY + 1) * tau)
    addl = records([{"TIME": 0.0, "EVID": 1, **dose, "II": tau, "ADDL": MANY + 2}], own)
    yield "additional doses", shown(addl, window), window
    explicit = records([{"TIME": k * tau, "EVID": 1, **dose} for k in range(MANY + 3)], own)
    yield "explicit doses", shown(explicit, window), window
    ss = {"TIME": 0.0, "EVID": 1, **dose, "II": tau, "ADDL": 3}
    half = ss | {k: ss[k] / 2 for k in ("AMT", "RATE") if k in ss}
    for name, rows in {
        "SS = 1": [ss | {"SS": 1}],
        "SS = 2": [ss | {"SS": 2}],
        "SS = 2 over SS = 1": [half | {"SS": 1}, half | {"SS": 2}],
        "a reset and SS = 2": [ss | {"EVID": 4, "SS": 2}],
    }.items():
        yield name, shown(records(rows, own), (0.0, tau)), (0.0, tau)
    before = simulate(
        MODEL,
        addl.population,
        addl.schedule,
        np.array([[at]]),
        rtol=1e-10,
        places=np.array([[int((np.real(addl.schedule.time) < at - 1e-9).sum())]]),
    ).states[:, 0]
    yield "carried on, all doses told", shown(addl, window, begin=at, start=before), window
    lasts = dose["AMT"] * own["F"].value / dose["RATE"] if dose.get("RATE") else 0.0
    if (
        own["LAG"].value + lasts < tau
    ):  # else an infusion of before still runs, and those from then on are not all
        rest = type("Rest", (), {"population": addl.population, "schedule": from_then_on(addl.schedule, at)})
        yield "carried on, doses from then on", shown(rest, window, begin=at, start=before), window


REGIMENS = [
    ({"AMT": 100.0, "CMT": 2}, 6.0, {}),
    ({"AMT": 100.0, "RATE": 50.0, "CMT": 2}, 6.0, {}),
    ({"AMT": 100.0, "CMT": 1}, 6.0, {}),
    ({"AMT": 100.0, "RATE": 12.5, "CMT": 2}, 6.0, {}),
    ({"AMT": 80.0, "CMT": 2}, 12.0, {"lag": 1.5, "share": 0.7}),
    ({"AMT": 60.0, "RATE": 20.0, "CMT": 2}, 24.0, {"q": 3.0}),
    ({"AMT": 90.0, "RATE": 30.0, "CMT": 2}, 8.0, {"lag": 2.0}),
]


def random_regimen(seed):
    """A dose to either compartment, at once or infused, over less or more than the interval, with a lag."""
    rng = np.random.default_rng(seed)
    tau, to = float(rng.choice([4.0, 8.0, 12.0])), int(rng.choice([1, 2, 2]))
    dose = {"AMT": float(rng.uniform(10, 500)), "CMT": to}
    own = {
        "lag": float(rng.uniform(0, tau)),
        "share": float(rng.uniform(0.2, 1)),
        "q": float(rng.uniform(0.5, 4)),
    }
    if to == 2 and rng.random() < 0.7:
        dose["RATE"] = dose["AMT"] / float(rng.uniform(0.1, 1.6) * tau)
    return dose, tau, own


@pytest.mark.parametrize(("dose", "tau", "own"), [*REGIMENS, *(random_regimen(seed) for seed in range(4))])
def test_readouts_do_not_depend_on_how_a_regimen_is_written(dose, tau, own):
    """At steady state the area of an interval is dose / CL, however the doses that led to it are told."""
    found = {
        name: nca(run, start=window[0], end=window[1]) for name, run, window in ways(dose, tau, values(**own))
    }
    share, reference = own.get("share", 1.0), found["additional doses"]
    for name, one in found.items():
        assert one.dose[0] == pytest.approx(dose["AMT"] * share, rel=1e-9), name
        assert one.cl[0] == pytest.approx(2.0, rel=3e-4), name
        assert np.isnan(one.vss[0]) and np.isnan(one.mrt[0]), name
        for readout in READOUTS:
            expected = getattr(reference, readout)[0]
            assert getattr(one, readout)[0] == pytest.approx(expected, rel=1e-6, nan_ok=True), (name, readout)


def test_accumulation_is_that_of_the_doses_or_missing():
    """A steady state, or a run that is carried on, has no first interval to compare with."""
    first = records([{"TIME": 0.0, "EVID": 1, "AMT": 100.0, "CMT": 2, "II": 6.0, "ADDL": 9}], values())
    times, places = sampling(MODEL, first.schedule, (0.0, 60.0))
    run = simulate(MODEL, first.population, first.schedule, times, places=places)
    ratio = nca(run, start=54.0, end=60.0).auc / nca(run, start=0.0, end=6.0).auc
    assert accumulation(run, interval="6 hour")["auc"] == pytest.approx(ratio, rel=1e-12) and ratio[0] > 1.5
    for steady in (1, 2):
        told = records(
            [{"TIME": 0.0, "EVID": 1, "AMT": 100.0, "CMT": 2, "II": 6.0, "ADDL": 9, "SS": steady}], values()
        )
        assert all(np.isnan(x[0]) for x in accumulation(shown(told, (0.0, 60.0)), interval="6 hour").values())
    carried = shown(first, (0.0, 60.0), start=np.array([[0.0, 50.0, 0.0, 0.0]]))
    assert all(np.isnan(x[0]) for x in accumulation(carried, interval="6 hour").values())


def test_two_infusions_that_overlap_are_two_doses_of_an_accumulation():
    """The end of one beside another is no dose: the last interval is that of the second."""
    rows = [{"TIME": t, "EVID": 1, "AMT": 80.0, "RATE": 10.0, "CMT": 2} for t in (0.0, 6.0)]
    run = shown(records(rows, values()), (0.0, 12.0))
    found = accumulation(run, interval=6.0)
    first, last = nca(run, start=0.0, end=6.0), nca(run, start=6.0, end=12.0)
    assert found["auc"] == pytest.approx(last.auc / first.auc, rel=1e-12)


def test_a_drug_that_is_gone_leaves_the_next_dose_a_first_one():
    """A dose of a month ago, of which nothing is left, is no history; a metabolite that stays is not the
    drug.
    """
    told = records([{"TIME": t, "EVID": 1, "AMT": 100.0, "CMT": 2} for t in (0.0, 1500.0)], values())
    found = nca(shown(told, (1500.0, 1700.0)), start=1500.0, end=1700.0)
    assert found.cl[0] == pytest.approx(2.0, rel=1e-3) and found.vss[0] == pytest.approx(40.0, rel=2e-3)
    alone = nca(
        shown(records([{"TIME": 0.0, "EVID": 4, "AMT": 100.0, "CMT": 2}], values()), (0.0, 200.0)), end=200.0
    )
    assert alone.cl[0] == pytest.approx(found.cl[0], rel=1e-6) and alone.vss[0] == pytest.approx(
        found.vss[0], rel=1e-6
    )


def test_what_a_body_holds_without_a_dose_has_no_clearance():
    run = simulate(
        MODEL,
        records([], values()).population,
        None,
        np.linspace(0, 40, 100)[None],
        start=np.array([[0.0, 100.0, 0.0, 0.0]]),
    )
    found = nca(run)
    assert found.dose[0] == 0 and found.auc[0] > 0 and np.isnan(found.cl[0]) and np.isnan(found.vss[0])


def test_what_is_set_removed_or_crossed_within_a_window_leaves_no_clearance():
    """A steady state set at 12 h, a reset, a removal, a threshold that empties: no dose explains the area of
    the whole.
    """
    bolus = {"EVID": 1, "AMT": 100.0, "CMT": 2}
    for rows in (
        [{"TIME": 12.0, **bolus, "II": 6.0, "SS": 1}],
        [{"TIME": 12.0, **bolus, "II": 6.0, "SS": 2}],
        [{"TIME": 12.0, "EVID": 3}],
    ):
        found = nca(shown(records([{"TIME": 0.0, **bolus}, *rows], values()), (0.0, 40.0)), end=40.0)
        assert np.isnan(found.cl[0]) and np.isnan(found.vss[0]) and found.auc[0] > 0
        assert found.dose[0] == 100.0 * (1 + (rows[0]["EVID"] == 1))  # what a steady state adds is no dose
    told = records([{"TIME": 0.0, **bolus}], values())
    cut = told.schedule + removal(MODEL, 12.0, {"central": 0.5}, 1)
    times, places = sampling(MODEL, cut, (0.0, 40.0))
    assert np.isnan(nca(simulate(MODEL, told.population, cut, times, places=places)).cl[0])
    emptied = shown(told, (0.0, 40.0), crossings=[Crossing("central", "50 mg", then={"central": 0.0})])
    assert np.isnan(nca(emptied).cl[0])


def test_a_dose_and_a_reset_at_once_is_no_dose():
    rows = [{"TIME": 0.0, "EVID": 1, "AMT": 50.0, "CMT": 2}, {"TIME": 0.0, "EVID": 4, "AMT": 100.0, "CMT": 2}]
    found = nca(shown(records(rows, values()), (0.0, 200.0)), end=200.0)
    assert found.dose[0] == 100 and found.cl[0] == pytest.approx(2.0, rel=1e-3)


def test_a_drug_that_comes_from_another_part_has_no_dose_here():
    """What the artery is given reaches the drug of the body: its area has a dose, but not one of
    that part.
    """
    model = load_model("hai_floxuridine")
    people = typical(model, load_parameters((), model))
    doses = {}
    for name, form in {"floxuridine": "intravenous", "floxuridine_artery": ""}.items():
        regimen = Regimen(
            "own doses", "", 28.0, (DoseLine(name, 100.0, "mg", "", (1,), over=1.0, form=form),)
        )
        schedule = lower(regimen, model, people, cycles(regimen, model, 1))
        times, places = sampling(model, schedule, (0.0, 48.0))
        run = simulate(model, people, schedule, times, places=places)
        doses[name] = nca(run, "floxuridine.Cc")
    assert doses["floxuridine"].dose[0] == pytest.approx(100.0) and doses["floxuridine"].cl[0] > 0
    artery = doses["floxuridine_artery"]
    assert artery.auc[0] > 0 and np.isnan(artery.dose[0]) and np.isnan(artery.cl[0])
