"""read_response against closed forms: spheres whose volumes grow or shrink exponentially."""

import math

import numpy as np
import pytest

import pkpd
from pkpd.errors import ContentError

MODEL_TEXT = """
    [model]
    title = "two spheres, each in an organ of its own"
    time = "day"
    [parameters]
    KONE = { unit = "1/day", low = -inf }
    KTWO = { unit = "1/day", low = -inf }
    DONE = { unit = "mm" }
    DTWO = { unit = "mm" }
    [compartments]
    one = { unit = "mm^3", start = "3.141592653589793 / 6 * DONE**3" }
    two = { unit = "mm^3", start = "3.141592653589793 / 6 * DTWO**3" }
    [flows]
    grow_one = { to = "one", rate = "KONE * one" }
    grow_two = { to = "two", rate = "KTWO * two" }
"""
MODEL = pkpd.parse_model(MODEL_TEXT, "spheres")
VISITS = tuple(28.0 * np.arange(9))


def spheres(k, d, times=VISITS):
    """A run of two spheres with rate constants k (1/day) and diameters d (mm) at the begin."""
    lines = {"KONE": (k[0], "1/day"), "KTWO": (k[1], "1/day"), "DONE": (d[0], "mm"), "DTWO": (d[1], "mm")}
    values = "\n".join(f'{n} = {{ value = {v}, unit = "{u}" }}' for n, (v, u) in lines.items())
    own = pkpd.parse_parameters(f'[parameters]\nmodel = "spheres"\ntitle = "own"\n[values]\n{values}', MODEL)
    return pkpd.simulate(MODEL, pkpd.typical(MODEL, own), times=times, rtol=1e-8)


def read(run, criteria="RECIST 1.1", seen_from="5 mm", **more):
    return pkpd.read_response(run, criteria=criteria, seen_from=seen_from, lesions=("one", "two"), **more)


def visit(days):
    """The first visit at or after a day."""
    return 28.0 * math.ceil(days / 28 - 1e-12)


def test_the_sum_is_that_of_the_diameters_of_spheres():
    found = read(spheres((-0.02, 0.01), (40, 20)))
    t = np.array(VISITS)
    assert found.total[0] == pytest.approx(40 * np.exp(-0.02 * t / 3) + 20 * np.exp(0.01 * t / 3), rel=1e-6)


def test_a_response_comes_when_three_tenths_of_the_sum_are_gone():
    k = 0.02
    found = read(spheres((-k, -k), (40, 30)))
    assert found.responded[0] == visit(3 / k * math.log(1 / 0.7)) == 56
    assert found.response[0] == "PR" and math.isinf(found.progression[0])
    assert found.change[0] == pytest.approx(math.exp(-k * VISITS[-1] / 3) - 1, rel=1e-6)


def test_a_lesion_is_gone_when_the_scan_no_longer_shows_it():
    k = 0.02
    found = read(spheres((-k, -k), (20, 20)), seen_from="10 mm")
    gone = visit(3 / k * math.log(2))
    assert found.response[0] == "CR" and gone == 112
    assert [v == 0 for v in found.visible[0]] == [t >= gone for t in VISITS]
    assert found.total[0, 4:].tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("criteria", "day"),
    [("RECIST 1.1", 3 / 0.01 * math.log(1.2)), ("irRC", 3 / 0.02 * math.log(1.25))],
)
def test_progression_comes_when_the_sum_has_risen_by_a_fifth_or_products_by_a_quarter(criteria, day):
    found = read(spheres((0.01, 0.01), (40, 30)), criteria)
    assert found.progression[0] == visit(day) and found.response[0] in ("SD", "PD")


def test_a_fifth_of_a_small_sum_is_less_than_five_millimetres():
    """13 mm: a fifth is 2.6 mm, at which RECIST 1.0 calls progression and 1.1 does not yet."""
    run = spheres((0.01, -1.0), (13, 12))
    one = pkpd.read_response(run, criteria="RECIST 1.0", seen_from="1 mm", lesions=["one"])
    new = pkpd.read_response(run, criteria="RECIST 1.1", seen_from="1 mm", lesions=["one"])
    assert one.progression[0] == visit(300 * math.log(1.2)) == 56
    assert new.progression[0] == visit(300 * math.log(18 / 13)) == 112


def test_a_lesion_that_the_baseline_did_not_show_is_new_when_it_is_seen():
    """From 2 to 8 mm: progression by RECIST while the other shrinks; by irRC 64 mm² more in the sum."""
    k = 0.03
    run = spheres((-0.02, k), (60, 2))
    day = visit(3 / k * math.log(4))
    found, immune = (read(run, c, "8 mm") for c in ("RECIST 1.1", "irRC"))
    assert found.progression[0] == day == 140 and found.new[0].tolist() == [t >= day for t in VISITS]
    assert found.response[0] == "PR"
    size = 60 * np.exp(-0.02 * np.array(VISITS) / 3), 2 * np.exp(k * np.array(VISITS) / 3)
    assert immune.total[0] == pytest.approx(size[0] ** 2 + np.where(size[1] >= 8, size[1] ** 2, 0), rel=1e-6)
    assert immune.progression[0] > day


def test_what_a_second_scan_must_confirm_is_nothing_at_the_last_one():
    run = spheres((-0.02, -0.02), (40, 30), times=(0.0, 28.0, 56.0))
    assert read(run).response[0] == "PR" and read(run, confirmed=True).response[0] == "SD"
    assert read(run, "irRC").response[0] == "SD"
    longer = spheres((-0.02, -0.02), (40, 30), times=(0.0, 28.0, 56.0, 84.0))
    assert read(longer, confirmed=True).response[0] == "PR" and read(longer, "irRC").response[0] == "PR"


def test_four_weeks_are_four_weeks_in_a_model_of_hours():
    hours = pkpd.parse_model(MODEL_TEXT.replace('"day"', '"hour"').replace("1/day", "1/hour"), "spheres")
    lines = 'KONE = { value = -0.001, unit = "1/hour" }\nKTWO = { value = 0, unit = "1/hour" }'
    lines += '\nDONE = { value = 40, unit = "mm" }\nDTWO = { value = 1, unit = "mm" }'
    own = pkpd.parse_parameters(f'[parameters]\nmodel = "spheres"\ntitle = "own"\n[values]\n{lines}', hours)
    for last, response in ((27, "SD"), (28, "PR")):
        times = (0.0, 1200.0, 1200.0 + 24 * last)
        run = pkpd.simulate(hours, pkpd.typical(hours, own), times=times)
        assert read(run, confirmed=True).response[0] == response


def test_five_lesions_of_an_organ_are_targets_or_two():
    model = pkpd.load_model("crlm_immune")
    people = pkpd.draw(
        model, pkpd.load_parameters((), model), 20, seed=2, covariates={"LESIONS": 4, "ELSEWHERE": 2}
    )
    run = pkpd.simulate(model, people, times=(0.0, 56.0))
    names = [
        f"{o}.{j}.diameter"
        for o in ("hepatic", "extrahepatic")
        for j in range(1, 5)
        if f"{o}.{j}.diameter" in model
    ]
    size = {n: run[n][:, 0] for n in names}
    for criteria, most in (("RECIST 1.0", 5), ("RECIST 1.1", 2)):
        found = pkpd.read_response(run, criteria=criteria, seen_from="0.1 mm")
        for i in range(20):
            by_organ = [
                sorted((size[n][i] for n in names if n.startswith(o) and size[n][i] >= 10), reverse=True)[
                    :most
                ]
                for o in ("hepatic.", "extrahepatic.")
            ]
            assert found.total[i, 0] == pytest.approx(sum(map(sum, by_organ)))


def test_errors_of_measurement_are_on_the_logarithm_and_keyed_by_patient_and_seed():
    model = pkpd.load_model("crlm_immune")
    people = pkpd.draw(
        model, pkpd.load_parameters((), model), 400, seed=2, covariates={"LESIONS": 1, "ELSEWHERE": 0}
    )
    run = pkpd.simulate(model, people, times=(0.0, 1.0))
    exact, noisy, again = (pkpd.read_response(run, seen_from="0.1 mm", error=e) for e in (0.0, 0.1, 0.1))
    kept = (exact.total[:, 0] > 12) & (noisy.total[:, 0] > 0)
    off = np.log(noisy.total[kept] / exact.total[kept])
    assert off.std() == pytest.approx(0.1, rel=0.1) and abs(off.mean()) < 0.01
    assert np.array_equal(noisy.total, again.total)
    assert not np.array_equal(
        noisy.total, pkpd.read_response(run, seen_from="0.1 mm", error=0.1, seed=1).total
    )


def test_tables_have_a_row_a_patient_and_a_row_a_scan_with_units():
    found = read(spheres((-0.02, 0.01), (40, 20)), "irRC")
    patients, scans = found.to_frame(), found.scans()
    assert list(patients) == ["ID", "response", "change", "responded", "progression", "failed"]
    assert patients.attrs["units"]["progression"] == "day" and len(scans) == len(VISITS)
    assert scans.attrs["units"] == {
        "ID": "1",
        "TIME": "day",
        "total": "mm^2",
        **dict.fromkeys(("visible", "new", "worse"), "1"),
    }
    assert "Response by irRC: 1 patients, 9 scans" in repr(found)


def test_who_could_not_be_solved_has_no_later_scan():
    run = spheres((-0.02, -0.02), (40, 30))
    run.states[:, 3:] = np.nan
    found = read(run)
    assert found.failed.all() and found.response[0] == "PR" and np.isnan(found.total[0, 3:]).all()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"seen_from": "5"}, "seen_from: '5' has no unit"),
        ({"seen_from": "5 mL"}, "cannot be converted to 'mm'"),
        ({"criteria": "recist"}, "'recist' is no criteria"),
        ({"visits": (0, 5)}, "5 day is no output of the run"),
        ({"visits": (56, 0)}, "visits are not times in order"),
        ({"error": 2.0}, "error = 2 is no sd of a logarithm"),
    ],
)
def test_what_cannot_be_read_is_told(asked, said):
    with pytest.raises(ContentError, match=said):
        read(spheres((0.01, 0.01), (40, 20)), **asked)


@pytest.mark.parametrize(
    ("lesions", "said"),
    [
        ((), "has no part that is a lesion"),
        ("one", "one name, not several"),
        (["three"], "has no 'three'"),
        (["KONE"], "is in 1/day: neither a diameter nor a volume"),
    ],
)
def test_what_is_no_lesion_is_told(lesions, said):
    with pytest.raises(ContentError, match=said):
        pkpd.read_response(spheres((0.01, 0.01), (40, 20)), seen_from="5 mm", lesions=lesions)
