"""Order effects of patients that are written down: what is left of each order, and who would notice."""

from dataclasses import replace

import numpy as np
import pytest

from pkpd import load_study
from pkpd.study.order.interaction import _means
from pkpd.study.order.sequence import Orders, Seen

STUDY = replace(load_study("treatment_order"), gaps=(0.0, 84.0))
EFFECTS = np.array([-0.3, -0.08, 0.0, 0.08, 0.3])  # of ln volume: a tenth of volume is 0.105


def seen(volume=0.0, progress=100.0, response=0.0, shrunk=0.0):
    """Five patients, read once in one site; a number for all or one each."""
    five = np.ones(5)
    return Seen((volume * five)[:, None, None], progress * five, response * five, (shrunk * five)[:, None])


def orders(first, other, neither=None, blockade=(None, None), ablation=(None, None)):
    """One modality, gaps of none and twelve weeks; courses of both treatments at the longer one."""
    plain = seen()
    alone, blocked = ([plain if x is None else x for x in own] for own in (ablation, blockade))
    return Orders(plain if neither is None else neither, blocked, [alone], [[plain, first]], [[plain, other]])


def means(own, spared=None):
    return _means(STUDY, own, own if spared is None else spared, 0, 1)


def test_patients_notice_an_order_whose_effect_is_a_tenth_of_the_volume_or_more():
    _, noticed, *_ = means(orders(seen(EFFECTS), seen()))
    assert STUDY.least == 0.1 and noticed[:, 0, 0] == pytest.approx([1 / 5, 1 / 5])


@pytest.mark.parametrize(
    ("effect", "wanted"),
    [(np.log(0.899), [1, 0]), (np.log(0.901), [0, 0]), (-np.log(0.901), [0, 0]), (-np.log(0.899), [0, 1])],
)
def test_a_tenth_is_of_the_larger_volume_of_the_two(effect, wanted):
    assert means(orders(seen(effect), seen()))[1][:, 0, 0] == pytest.approx(wanted)


def test_what_each_treatment_does_on_its_own_day_is_taken_out():
    """Logs: ablation alone takes 0.5 at once, 0.2 after twelve weeks; blockade 0.4, 0.1; both 1 and 0.8."""
    own = orders(
        seen(-1.0),
        seen(-0.8),
        seen(0.0),
        blockade=(seen(-0.4), seen(-0.1)),
        ablation=(seen(-0.5), seen(-0.2)),
    )
    difference, first, other, effect, immune = means(own)[0][:, 0, 0]
    assert difference == pytest.approx(-0.2)
    assert first == pytest.approx(-1.0 + 0.5 + 0.1) and other == pytest.approx(-0.8 + 0.2 + 0.4)
    assert effect == pytest.approx(first - other) and immune == pytest.approx(effect)


def test_growth_without_treatment_counts_once():
    """Neither: 0.3. Ablation and blockade that do nothing of their own add no joint effect."""
    grown = seen(0.3)
    found = means(orders(grown, grown, grown, (grown, grown), (grown, grown)))[0][:, 0, 0]
    assert found == pytest.approx(np.zeros(5))


def test_the_immune_part_is_the_order_effect_with_the_lesion_spared():
    real, spared = orders(seen(-0.7), seen(-0.1)), orders(seen(-0.2), seen(-0.05))
    found = means(real, spared)[0][:, 0, 0]
    assert found[3] == pytest.approx(-0.6) and found[4] == pytest.approx(-0.15)


def test_progression_response_and_shrinkage_are_of_the_order_named_first_less_the_other():
    days = np.array([100.0, 200.0, 300.0, 400.0, 500.0])
    one = seen(progress=days, response=np.array([1.0, 1, 0, 0, 0]), shrunk=0.5)
    other = seen(progress=250.0, response=np.array([1.0, 0, 0, 0, 0]), shrunk=0.25)
    *_, progress, response, shrunk = means(orders(one, other))
    assert progress == pytest.approx([300, 250, 50, 50]) and response == pytest.approx([0.4, 0.2, 0.2])
    assert shrunk[:, 0] == pytest.approx([0.5, 0.25, 0.25])
