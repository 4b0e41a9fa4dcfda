"""Scores of platforms by hand: rankings, likenesses and doses of subjects that are written down."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from pkpd import load_study
from pkpd.report.platforms import flat
from pkpd.study.platforms.experiment import IMMUNE, Measured, _apart, _course
from pkpd.study.platforms.translation import (
    _alignment,
    _anatomy,
    _bias,
    _endpoints,
    _immunity,
    _reproducibility,
    _Seen,
    run_platforms,
)
from pkpd.trial.lesions import log_kill

SHIPPED = load_study("platforms")
GIVEN = SHIPPED.treatments[:3]
STUDY = replace(SHIPPED, treatments=GIVEN, draws=2)
GAINS = (10.0, 40.0, 90.0)  # days of progression that each treatment adds in patients


def measured(log_kill=0.0, progress=None, last=1.0, liver=1.0, apart=1.0, **immune):
    """An arm of five subjects, all alike."""
    five = np.ones(5)
    own = {k: v * five for k, v in (dict.fromkeys((*IMMUNE, "circulating"), 1.0) | immune).items()}
    return Measured(
        log_kill=log_kill * five,
        first=five,
        last=last * five,
        liver=liver * five,
        apart=apart * five,
        immune=own,
        progress=None if progress is None else progress * five,
    )


def seen(name, rates, gains=None, **untreated):
    """A platform on which treatments kill at these rates a day, the same in each draw."""
    platform = STUDY.platform(name)
    drawn = {"": [measured(progress=None if gains is None else 100.0, **untreated)] * STUDY.draws}
    for k, (t, rate) in enumerate(zip(GIVEN, rates, strict=True)):
        progress = None if gains is None else 100.0 + gains[k]
        drawn[t.name] = [measured(rate * platform.until, progress)] * STUDY.draws
    return _Seen(platform, {}, drawn)


HUMAN = seen("human", (0.01, 0.02, 0.04), GAINS)


# --- rankings -------------------------------------------------------------


@pytest.mark.parametrize(
    "rates, score",
    [
        ((0.1, 0.5, 0.9), 1.0),  # as patients rank
        ((0.9, 0.5, 0.1), 0.0),  # backwards: all three pairs the other way round, which is no merit
        ((0.5, 0.1, 0.9), 1 / 3),  # one pair of three
        ((0.5, 0.9, 0.1), 0.0),  # two of three
        ((0.5, 0.5, 0.9), 2 / 3),  # a tie is neither
        ((0.0, 0.0, 0.0), 0.0),
    ],
)
def test_a_platform_scores_by_the_pairs_that_it_ranks_as_patients_do(rates, score):
    assert _endpoints(STUDY, seen("splenic", rates), HUMAN) == pytest.approx([score] * STUDY.draws)


def test_patients_are_ranked_by_what_treatment_adds_to_progression_and_not_by_their_own_log_kill():
    swapped = seen("human", (0.04, 0.02, 0.01), GAINS)
    platform = seen("splenic", (0.1, 0.5, 0.9))
    assert _endpoints(STUDY, platform, swapped) == pytest.approx([1.0, 1.0])
    assert _endpoints(STUDY, swapped, swapped) == pytest.approx([0.0, 0.0])


# --- likeness to patients ---------------------------------------------------


def test_alignment_is_the_mean_of_the_smaller_over_the_larger_rate():
    found = _alignment(STUDY, seen("splenic", (0.02, 0.02, 0.01)), HUMAN)
    assert found == pytest.approx([(0.5 + 1 + 0.25) / 3] * 2)
    assert _alignment(STUDY, HUMAN, HUMAN) == pytest.approx([1.0, 1.0])


def test_bias_is_the_logarithm_of_platform_over_patients():
    assert _bias(seen("splenic", (0.05, 0.02, 0.01)), HUMAN, GIVEN[0]) == pytest.approx([np.log(5)] * 2)
    assert np.isnan(_bias(HUMAN, seen("human", (0.0, 0.1, 0.1), GAINS), GIVEN[0])).all()


def test_rates_are_a_day_of_the_platform_s_own_treatment():
    platform = seen("subcutaneous", (0.1, 0.2, 0.3))
    assert platform.platform.until == 21 and HUMAN.platform.until == 168
    assert platform.rate(GIVEN[1].name) == pytest.approx([0.2, 0.2])


def test_anatomy_is_the_mean_of_the_liver_s_share_and_the_spread_of_sizes():
    human = seen("human", (0.01, 0.02, 0.04), GAINS, liver=0.9, apart=0.8)
    for liver, apart, wanted in ((0.0, 0.4, 0.25), (1.0, 0.4, 0.75), (1.0, 1.6, 1.0)):
        own = seen("splenic", (0, 0, 0), liver=liver, apart=apart)
        assert _anatomy(own, human) == pytest.approx([wanted] * 2)


def test_immune_competence_is_t_cells_times_the_likeness_of_the_rest():
    """Half of the T cells, one of six others at a quarter of patients' (or 4 times): 0.5 (5 + 0.25) / 6."""
    assert len(IMMUNE) + 1 - 2 == 6
    for other in (0.25, 4.0):
        own = seen("splenic", (0, 0, 0), effector=0.6, exhausted=0.4, myeloid=other)
        assert _immunity(own, HUMAN) == pytest.approx([0.5 * 5.25 / 6] * 2)
    more = seen("splenic", (0, 0, 0), effector=8.0)
    assert _immunity(more, HUMAN) == pytest.approx([1.0, 1.0])


def test_reproducibility_is_the_take_times_the_spread_between_subjects():
    """ln volumes ±0.3 have an SD of 0.3; orthotopic tumours take in a tenth."""
    own = seen("orthotopic", (0, 0, 0))
    volumes = np.exp([-0.3, 0.3, -0.3, 0.3])
    own = replace(own, drawn={"": [replace(m, last=volumes) for m in own.drawn[""]]})
    assert own.platform.take.value == 0.1 and _reproducibility(own) == pytest.approx([0.1 * np.exp(-0.3)] * 2)


# --- doses ----------------------------------------------------------------


def test_rows_say_the_share_of_the_full_dose_beside_the_level_of_their_interval():
    few = tuple(SHIPPED.platform(n) for n in ("human", "splenic"))
    small = replace(
        STUDY, platforms=few, treatments=GIVEN[:1], patients=4, levels=(0.0, 0.25, 1.0), horizon=168.0
    )
    own = run_platforms(small)
    curve = [r for r in own.doses if (r["platform"], r["measure"]) == ("splenic", "log_kill")]
    assert [r["dose"] for r in curve] == [0.0, 0.25, 1.0] and curve[0]["value"] == 0 < curve[2]["value"]
    assert {r["dose"] for r in own.effects} == {1.0}
    assert {r["level"] for r in own.doses} == {3 / 5}  # of four subjects: from the least to the greatest
    told = list(csv.DictReader(io.StringIO(flat(own))))
    assert [float(r["dose"]) for r in told if r["table"] == "doses"] == [r["dose"] for r in own.doses]


# --- what is measured ---------------------------------------------------------


def test_log_kill_takes_growth_out_and_a_lesion_that_is_not_there_has_none():
    """One grows at 0.1 a day and loses 2 logs beside, one does not grow and loses 6; a third is not there."""
    days = np.linspace(0, 10, 11)
    volume = np.stack([3 * np.exp((0.1 - 0.2) * days), np.exp(-0.6 * days), 0 * days], axis=1)[None]
    rate = np.tile([0.1, 0.0, 5.0], (11, 1))[None]
    assert log_kill(volume, rate, days) == pytest.approx(np.array([[2.0, 6.0, 0.0]]))


def test_sizes_lie_apart_by_the_sd_of_their_logarithms_over_lesions_that_are_there():
    sizes = np.array([[np.exp(1.0), np.exp(3.0), 0.0], [2.0, 0.0, 0.0]])
    assert _apart(sizes) == pytest.approx([1.0, 0.0])


def depot():
    return next(t for t in SHIPPED.treatments if t.release)


def test_a_depot_empties_by_its_rate_and_is_filled_again_when_the_next_one_comes():
    """The mean of exp(-k t) over each day since the last depot; a whole one gives (1 - exp(-k T)) / k."""
    own, human = replace(depot(), release=0.1, every=21.0), SHIPPED.platform("human")
    day, share = _course(replace(SHIPPED, horizon=63.0), human, own)
    wanted = [(np.exp(-0.1 * d) - np.exp(-0.1 * (d + 1))) / 0.1 for d in range(21)]
    assert day.tolist() == list(range(63)) and share == pytest.approx(np.tile(wanted, 3))
    assert share.sum() == pytest.approx(3 * (1 - np.exp(-2.1)) / 0.1)


def test_patients_are_given_depots_to_the_horizon_and_mice_until_they_are_read():
    for name, days in (("human", SHIPPED.horizon), ("splenic", SHIPPED.platform("splenic").until)):
        assert _course(SHIPPED, SHIPPED.platform(name), depot())[0][-1] == np.ceil(days) - 1


def test_what_is_no_depot_is_given_at_once_and_stays():
    plain = next(t for t in SHIPPED.treatments if not t.release)
    assert [x.tolist() for x in _course(SHIPPED, SHIPPED.platform("human"), plain)] == [[0.0], [1.0]]
