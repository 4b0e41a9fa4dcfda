"""The reference problem and the parts of its benchmarks that need no other tool."""

import json
from argparse import Namespace

import numpy as np
import pytest

from benchmarks import crew, equations, population, problem, table
from benchmarks.peers import scipy_python
from benchmarks.timeline import timeline
from pkpd.regimen.schedule import ADD, RATE
from pkpd.solve.rates import right_hand_side


@pytest.mark.parametrize(("lesions", "states"), [(1, 26), (4, 59)])
def test_each_further_lesion_adds_eleven_states_between_the_drugs_and_the_neutrophils(lesions, states):
    names = problem.model(lesions).states
    assert len(names) == states
    assert names[9:11] == ("pe2", "sensitive_1") and names[-6:] == (
        f"damage3_{lesions}",
        "n1",
        "n2",
        "n3",
        "n4",
        "nc",
    )
    assert problem.reference(lesions).shape[1:] == (105, states)


@pytest.mark.parametrize("lesions", [1, 4])
def test_all_lesions_together_start_from_their_shares_of_one_volume(lesions):
    some = problem.problem(2, lesions)
    np.testing.assert_allclose(some.start[0, 10::11][:lesions], [0.4 / i for i in range(1, lesions + 1)])
    np.testing.assert_allclose(some.start, problem.reference(lesions)[:2, 0], rtol=1e-9)


def test_doses_follow_the_body_surface_and_infusions_end():
    some = problem.problem(3)
    own = some.schedule
    first = slice(own.offsets[1], own.offsets[2])
    bolus = own.value[first][(own.kind[first] == ADD)]
    bsa = problem.columns()["BSA"][1]
    np.testing.assert_allclose(bolus, np.full(12, 0.4 * bsa))
    rates = own.kind[first] == RATE
    assert (own.value[first][rates] > 0).sum() == (own.value[first][rates] == 0).sum() == 12 * 4 + 35
    assert len(some.take([2, 0])) == 2 and len(problem.problem(1500)) == 1500


@pytest.mark.parametrize("lesions", [1, 4])
def test_the_text_given_to_other_tools_is_the_model(lesions):
    some, draw = problem.problem(1, lesions), np.random.default_rng(1)
    y, u = draw.uniform(0.1, 2.0, some.start.shape[1]), draw.uniform(0.0, 1.0, 5)
    infusion = np.zeros(len(y))
    infusion[timeline(some).dosed] = u
    want = right_hand_side(some.model, y, some.inputs[0], infusion)
    plain = equations.module(scipy_python.source(some.model)).patient(some.inputs[0].tolist())(
        0.0, y, u.tolist()
    )
    listed = equations.module(equations.python_source(some.model, "math")).rates(
        y.tolist(), [*some.inputs[0], *u]
    )
    np.testing.assert_allclose(plain, want, rtol=1e-12)
    np.testing.assert_allclose(listed, want, rtol=1e-12)


def test_from_event_to_event_the_first_weeks_are_those_of_the_reference():
    some = problem.problem(1, end=504.0)
    states = scipy_python.solver(some)(some, 1e-7)
    assert states.shape == (1, 4, 26)
    truth = problem.reference(1)[:1, :4]
    assert problem.error(states, truth) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("lesions", [1, 4])
def test_the_engine_solves_the_reference_problem(lesions):
    from benchmarks.peers import pkpd

    truth = problem.reference(lesions)
    some = problem.problem(len(truth), lesions)
    assert problem.error(pkpd.solver(some)(some, 1e-6), truth) < 3e-5
    assert problem.error(pkpd.solver(some)(some, 1e-8), truth) < 1e-6


def test_the_error_is_relative_and_never_hides_what_is_not_a_number():
    truth = np.ones((1, 2, 1))
    assert problem.error(truth, truth) == 0
    assert problem.error(truth * 1.01, truth) == pytest.approx(0.01, rel=2e-3)
    assert problem.error(truth * np.nan, truth) == np.inf


class _Tool:
    """A tool whose error is nine times its tolerance and that solves 100 patients a second."""

    tool, version, lesions, known, threads = "stub", "1", 1, 50, 1

    def take(self, count):
        self.count = count

    def run(self, rtol):
        self.rtol = rtol
        return self.count / 100, self.count / 100

    def error(self):
        return 9 * self.rtol


def test_each_tool_gets_the_loosest_tolerance_that_is_accurate_enough(capsys):
    entry = population.Entry(_Tool())
    population.calibrate(entry, Namespace(seconds=1.0, patients=1000, quick=False))
    assert (entry.rtol, entry.error, entry.patients) == (3e-5, pytest.approx(2.7e-4), 100)


def test_ratios_compare_rows_of_one_size_and_thread_count():
    rows = [
        {"tool": t, "threads": n, "states": 26, "patients_per_second": r, "per_cpu_second": r / n}
        for t, n, r in [("pkpd", 1, 100.0), ("pkpd", 2, 190.0), ("libroadrunner", 1, 4.0)]
    ]
    found = {r["ratio"]: r["times"] for r in population.ratios(rows)}
    assert found == {"pkpd / libroadrunner": 25.0, "pkpd, 2 threads / 1": 1.9}


def test_a_tool_that_is_not_installed_is_named_and_left_out(capsys):
    assert crew.hired(["no_such_tool"], 1, [1]) == []
    assert "no_such_tool: not installed" in capsys.readouterr().out


def test_rows_are_written_as_json_and_shown_as_a_table(tmp_path, capsys):
    rows = [{"tool": "pkpd", "error": 2.5e-4, "patients_per_second": 1234.5, "rtol": float("nan")}]
    table.show(
        "Title", rows, {"tool": "tool", "error": "error", "patients_per_second": "patients/s", "rtol": "rtol"}
    )
    assert "| pkpd | 2.5e-04 |      1,234 |    – |" in capsys.readouterr().out
    table.write(str(tmp_path / "rows.json"), rows)
    assert json.loads((tmp_path / "rows.json").read_text())[0]["rtol"] is None
