"""What the study of cycles reads from an arm, and how it carries links over, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from pkpd import load_study
from pkpd.study.neoadjuvant import metrics, planned
from pkpd.study.run import _Table
from pkpd.trial.figures import MONTH
from pkpd.trial.readout import Readout

STUDY = load_study("neoadjuvant_cycles")
MAIN, OTHER = ("one", "searched"), ("two", "searched")
SIX, NONE = (6, 6), (0, 6)


def readout():
    """Four patients: lesions of 8, 12 and 30 mm; 12 and 15; 40; 9 and 14."""
    gone, no = np.nan, np.zeros(4, dtype=bool)
    return Readout(
        "arm",
        pfs_time=np.array([400.0, 800.0, 1200.0, 2000.0]),
        pfs_event=np.arange(4) < 3,
        pfs_usual_time=np.array([400.0, 800.0, 1200.0, 2000.0]),
        pfs_usual_event=np.arange(4) < 3,
        os_time=np.full(4, 2000.0),
        os_event=no,
        resected=np.arange(4) != 2,
        started_after=no,
        response=np.array(["CR", "PR", "SD", "PD"]),
        shrinkage=np.zeros(4),
        operation=np.array([100.0, 110.0, 50.0, 130.0]),
        lesions=np.array([[8, 12, 30], [12, 15, gone], [40, gone, gone], [9, 14, gone]]),
        vanished=np.array([[True, True, False], [False, True, False], [False] * 3, [False, True, False]]),
        largest=np.array([30.0, 15.0, 40.0, 14.0]),
    )


def test_an_arm_is_read_as_it_is_counted_by_hand():
    """Of 10 to 15 mm are 12, 12, 15 and 14: all but the second vanished, of all eight that of 8 mm too."""
    found = metrics(readout(), (10.0, 15.0))
    middle = found.pop("pfs_median")
    assert found == pytest.approx(
        {
            "response": 50.0,
            "vanished_all": 50.0,
            "vanished_small": 75.0,
            "resected": 75.0,
            "time_to_surgery": 110.0,
            "pfs_3y": 50.0,
        }
    )
    assert 800 / MONTH <= middle <= 1200 / MONTH  # survival is one half between the two


def test_a_share_of_no_lesions_and_the_time_to_no_operation_are_undefined():
    own = readout()
    none = replace(
        own,
        lesions=np.full((4, 3), np.nan),
        vanished=np.zeros((4, 3), dtype=bool),
        resected=np.zeros(4, dtype=bool),
    )
    found = metrics(none, (10.0, 15.0))
    assert found["resected"] == 0
    assert np.isnan([found[k] for k in ("vanished_all", "vanished_small", "time_to_surgery")]).all()


def test_a_share_leaves_after_each_cycle():
    """Of three cycles a tenth leaves after each: 0.1 get one, 0.09 two, 0.81 three."""
    found = planned(3, 0.1)
    assert found.weights == pytest.approx((0.1, 0.09, 0.81)) and found.numbers == (1, 2, 3)
    assert planned(0, 0.1) is None


# --- draws ------------------------------------------------------------------


def table():
    """Five draws of one link under two plans; another link at the first, middle and last of them."""
    found = _Table(replace(STUDY, draws_other_links=3), [None] * 5, MAIN)
    main, base = (30.0, 32.0, 34.0, 36.0, 48.0), (10.0, 11.0, 12.0, 13.0, 14.0)
    rows = {
        (MAIN, SIX): main,
        (MAIN, NONE): base,
        (OTHER, SIX): (33.0, 38.0, 54.0),
        (OTHER, NONE): (11.0, 14.0, 17.0),
    }
    found.found = {k: [{"pfs_median": v} for v in values] for k, values in rows.items()}
    return found


def test_another_link_is_the_first_one_shifted_by_their_mean_difference_in_shared_draws():
    """Differences 3, 4 and 6 in draws 1, 3 and 5: their mean is added to all five."""
    assert list(table().shared) == [0, 2, 4]
    wanted = np.array([30.0, 32.0, 34.0, 36.0, 48.0])
    assert table().values(MAIN, SIX, "pfs_median") == pytest.approx(wanted)
    assert table().values(OTHER, SIX, "pfs_median") == pytest.approx(wanted + 13 / 3)


def test_a_difference_between_plans_is_taken_draw_by_draw_and_shifted_as_such():
    """20 to 34 months gained under the first link; the other gains 2, 2 and 3 more in the shared draws."""
    gain = np.array([20.0, 21.0, 22.0, 23.0, 34.0])
    assert table().values(MAIN, SIX, "pfs_median", NONE) == pytest.approx(gain)
    assert table().values(OTHER, SIX, "pfs_median", NONE) == pytest.approx(gain + 7 / 3)


def test_what_is_not_reached_is_no_number_of_a_difference_nor_of_a_shift():
    own = table()
    own.found[OTHER, SIX][1] = {"pfs_median": np.inf}
    main = np.array([30.0, 32.0, 34.0, 36.0, 48.0])
    assert own.values(OTHER, SIX, "pfs_median") == pytest.approx(main + (3 + 6) / 2)
    assert np.isnan(own._raw(OTHER, SIX, "pfs_median", NONE)).tolist() == [False, True, False]
