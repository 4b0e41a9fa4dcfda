"""What an ablation does to the liver's injury and to priming, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from pkpd import load_study
from pkpd.study.order import sequence
from pkpd.study.order.sequence import ablated, drawn_patients, orders, run_in
from pkpd.study.platforms.plan import Share

SHIPPED = load_study("treatment_order")
STUDY = replace(SHIPPED, patients=5, draws=2, gaps=(0.0, 84.0), terms_at=(84.0,), horizon=168.0)
STATES = STUDY.system.states


@pytest.fixture(scope="module")
def crowd():
    people = drawn_patients(STUDY, STUDY.biologies[0], 0)
    return people, run_in(STUDY, people)


def column(name):
    return STATES.index(name)


def hurt(crowd, dies, reach, injury):
    """Injury after an ablation, where there was some before, and the share of the site's tumour destroyed."""
    people, before = crowd
    before = before.copy()
    before[:, column("local.injury")] = injury
    after = ablated(STUDY, people, before, (dies, reach), False)
    alive = {
        k: before[:, column(f"hepatic.{k}.sensitive")] + before[:, column(f"hepatic.{k}.resistant")]
        for k in sorted({n.split(".")[1] for n in STATES if n.startswith("hepatic.")})
    }
    return after[:, column("local.injury")], dies * alive["2"] / sum(alive.values())


@pytest.mark.parametrize("injury", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("reach", [0.0, 0.3, 1.0])
def test_injury_rises_by_reach_times_the_share_destroyed_of_what_was_whole(crowd, reach, injury):
    found, share = hurt(crowd, 0.9, reach, injury)
    assert np.all((share > 0.01) & (share < 0.9))
    assert found == pytest.approx(injury + reach * share * (1 - injury), rel=1e-12)


def test_injury_that_reaches_everywhere_by_a_whole_site_is_whole_and_never_more(crowd):
    people, before = crowd
    alone = before.copy()
    others = [i for i, n in enumerate(STATES) if n.startswith("hepatic.") and not n.startswith("hepatic.2.")]
    alone[:, others] = 0.0
    alone[:, column("local.injury")] = 0.7
    after = ablated(STUDY, people, alone, (1.0, 1.0), False)
    assert after[:, column("local.injury")] == pytest.approx(np.ones(len(people)))


def test_priming_is_by_what_was_destroyed_and_its_antigen_however_far_injury_reaches(crowd):
    people, before = crowd
    shares = ((0.9, 1.0), (0.9, 0.0), (0.45, 1.0))
    gained = [ablated(STUDY, people, before, s, False) - before for s in shares]
    primed = [x[:, column("systemic.priming")] for x in gained]
    destroyed = 0.9 * (before[:, column("hepatic.2.sensitive")] + before[:, column("hepatic.2.resistant")])
    wanted = people["local.STRENGTH"] * people["local.IOTA"] * people["biology.ANTIGEN"] * destroyed
    assert np.array(primed) == pytest.approx(np.array([wanted, wanted, wanted / 2]))


def test_every_ablation_of_a_draw_has_the_share_that_dies_and_the_reach_of_the_study(crowd, monkeypatch):
    held = {k: Share(v, v, v) for k, v in (("dies", 0.92), ("reach", 0.2))}
    study = replace(STUDY, ablation=replace(STUDY.ablation, **held))
    asked = []

    def watched(study, people, states, shares, spares):
        asked.append(tuple(shares))
        return ablated(study, people, states, shares, spares)

    monkeypatch.setattr(sequence, "ablated", watched)
    orders(study, crowd[0], 0, study.gaps)
    assert len(asked) == 2 * len(study.modalities) * len(study.gaps)
    assert np.array(asked) == pytest.approx(np.tile([0.92, 0.2], (len(asked), 1)))


def test_draws_of_a_share_lie_evenly_in_its_logarithm_between_its_ends():
    found = np.array([sequence.drawn(STUDY, "reach", (0.1, 1.0), k) for k in range(400)])
    assert found.min() > 0.1 and found.max() < 1
    assert np.log(found).mean() == pytest.approx(np.log(0.1) / 2, abs=4 * np.log(10) / np.sqrt(12 * 400))
