"""Scans around an operation, read by criteria: against the criteria worked out patient by patient."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pkpd import load_trial
from pkpd.parameters.draw import draw
from pkpd.trial import lesions, operated
from pkpd.trial.prepare import prepare
from pkpd.trial.response import CRITERIA, Scans, worsening
from pkpd.trial.scans import Eyes, eyes, read

N = 300
TRIAL = load_trial("eortc_40983")


def with_eyes(**values):
    """The trial's set with other values of imaging."""
    own = {f"imaging.{k}": x for k, x in values.items()}
    lines = (
        replace(v, value=own[v.name], spread=None) if v.name in own else v for v in TRIAL.parameters.values
    )
    return replace(TRIAL.parameters, values=tuple(lines))


EXACT = with_eyes(ERR=1e-9)
SHARP = with_eyes(ERR=1e-9, D50CT=2.0, SCT=0.3)  # sees some foci before the operation


def course(criteria, own=EXACT, **changes):
    """An arm prepared, its course before the operation, what its scans see, and its readout."""
    trial = replace(TRIAL, criteria=criteria, **changes)
    arm = prepare(trial, trial.arm("periop"), own, N, seed=3)
    people = draw(arm.disease, own, N, *arm.key, covariates=arm.covariates)
    early = operated._before(arm, people)
    return arm, early, eyes(arm, early), operated.operate(arm, own)


def by_hand(arm, early, sight, criteria):
    """Best response and whether progression is seen before the operation, from diameters, one by one."""
    size, days = lesions.copies(early, "lesion", "diameter"), early.times
    hidden = lesions.copies(early, "occult", "diameter")
    foci = lesions.foci_seen(early, sight.occult, arm.key)
    found = foci.any(axis=2)
    rows = []
    for i in range(N):
        power = criteria.dimensions
        order = [j for j in np.argsort(-size[i, 0]) if size[i, 0, j] >= criteria.smallest][
            : criteria.per_organ
        ]
        seen = size[i] >= sight.organs["lesion"][i]
        total = [sum(size[i, v, j] ** power for j in order if seen[v, j]) for v in range(days.shape[1])]
        if not criteria.new_lesion:
            total = [t + (sum(hidden[i, v, foci[i, v]] ** power)) for v, t in enumerate(total)]
        worse = [False]
        for v in range(1, len(total)):
            nadir = min(total[:v])
            risen = total[v] - nadir >= max(criteria.rise * nadir, criteria.least) and total[v] > nadir
            worse.append(bool(risen or (criteria.new_lesion and found[i, v])))
        later = [
            next((u for u in range(len(total)) if days[i, u] >= days[i, v] + criteria.confirms), None)
            for v in range(len(total))
        ]
        if criteria.confirms:
            worse = [w and later[v] is not None and worse[later[v]] for v, w in enumerate(worse)]
        first = worse.index(True) if True in worse else len(total)
        partial = [
            v > 0 and v < first and total[v] <= (1 - criteria.shrink) * total[0] for v in range(len(total))
        ]
        gone = [v > 0 and v < first and not seen[v].any() and not found[i, v] for v in range(len(total))]
        if criteria.confirms:
            partial, gone = (
                [x and later[v] is not None and y[later[v]] for v, x in enumerate(y)]
                for y in ([a or b for a, b in zip(partial, gone, strict=True)], gone)
            )
        best = "CR" if any(gone) else "PR" if any(partial) else "SD" if first > 1 else "PD"
        rows.append((best if total[0] > 0 else "NE", True in worse))
    return rows


@pytest.mark.parametrize("own", [EXACT, SHARP], ids=["usual eyes", "sharp eyes"])
@pytest.mark.parametrize("name", sorted(CRITERIA))
def test_response_around_an_operation_is_that_of_the_criteria(name, own):
    arm, early, sight, readout = course(name, own)
    rows = by_hand(arm, early, sight, CRITERIA[name])
    assert readout.response.tolist() == [best for best, _ in rows]
    assert len({best for best, _ in rows}) > 1 + (own is EXACT)
    assert own is EXACT or lesions.foci_seen(early, sight.occult, arm.key).any(axis=(1, 2)).sum() > 50
    assert not (readout.resected & np.array([worse for _, worse in rows])).any()


def test_criteria_disagree_where_they_should():
    """By irRC a response takes half of the products and a second scan, and a new lesion ends nothing."""
    recist, immune = (course(name)[3] for name in ("RECIST 1.0", "irRC"))
    responders = [np.isin(r.response, ["CR", "PR"]) for r in (recist, immune)]
    assert 0 < responders[1].sum() < responders[0].sum()
    assert immune.resected.sum() > recist.resected.sum()


def test_a_lesion_that_the_scan_has_lost_adds_nothing_to_the_sum():
    arm, early, sight, readout = course("RECIST 1.0")
    size = lesions.copies(early, "lesion", "diameter")
    lost = readout.vanished.any(axis=1)
    alone = (size[:, 0] > 0).sum(axis=1) == 1
    assert (lost & alone).any() and np.all(
        readout.shrinkage[lost & alone & (size[:, 0].max(axis=1) >= 10)] == -1
    )


def test_the_scan_of_the_operation_is_read_once_with_errors_of_its_own():
    arm, early, sight, _ = course("RECIST 1.0", TRIAL.parameters)
    scans, _ = operated._scans(arm, early, sight)
    last = early.times == early.times[:, -1:]
    assert (last.sum(axis=1) > 1).any()
    assert np.all(np.where(last, scans.total == scans.total[:, -1:], True))
    size = lesions.copies(early, "lesion", "diameter")
    alone = (size[:, 0] > 0).sum(axis=1) == 1
    kept = alone & (scans.total[:, [0, -1]] > 0).all(axis=1)
    off = [np.log(scans.total[kept, v] / size[kept, v, 0]) for v in (0, -1)]
    assert min(np.std(x) for x in off) > 0.04 and abs(np.corrcoef(*off)[0, 1]) < 0.3


class Course:
    """One patient's sizes (mm) of a lesion and two foci, none of them extinct, at two scans without error."""

    def __init__(self, lesion, foci):
        values = {"lesion.1.diameter": lesion, "imaging.error": [0.0, 0.0]}
        for j, size in enumerate(foci, 1):
            values |= {f"occult.{j}.diameter": size, f"occult.{j}.extinct": [0.0, 0.0]}
        self.values = {k: np.array([v], dtype=float) for k, v in values.items()}
        uses = {"lesion": "tumours/lesion", "occult": "tumours/occult", "imaging": "host/imaging"}
        parts = tuple(SimpleNamespace(name=k, use=v) for k, v in uses.items())
        variables = tuple(SimpleNamespace(name=k) for k in values)
        self.model = SimpleNamespace(name="made up", parts=parts, variables=variables)

    def __getitem__(self, name):
        return self.values[name]


def test_a_focus_that_a_scan_shows_is_in_the_sum_of_irrc_and_one_that_it_does_not_show_is_not():
    """The lesion is gone, foci have 8 and 2 mm, and 4 mm are seen: 64 mm², one lesion."""
    found = Course([20, 0], [[1, 8], [1, 2]])
    arm = SimpleNamespace(
        n=1,
        key=("0", "trial", "arm"),
        disease=found.model,
        arm=SimpleNamespace(local=None),
        trial=SimpleNamespace(criteria="irRC"),
    )
    sight = Eyes({"lesion": np.array([[5.0]])}, np.array([[4.0, 4.0]]))
    seen = read(arm, found, sight, 2)
    assert seen.total.tolist() == [[400.0, 64.0]]
    assert seen.visible.tolist() == [[1, 1]] and seen.new.tolist() == [[False, True]]


def test_lesions_left_in_place_progress_against_the_nadir_before_and_after():
    """40 to 30 mm before; then 33, 37 (a fifth more than 30) and 50 mm, or 28, 33 and 34 (more than 28)."""
    days = np.array([[0.0, 42.0]] * 2)
    before = Scans(
        planned=days,
        due=days,
        total=np.array([[40.0, 30.0]] * 2),
        visible=np.ones((2, 2)),
        new=np.zeros((2, 2), dtype=bool),
        made=np.ones((2, 2), dtype=bool),
    )
    after = SimpleNamespace(
        total=np.array([[33.0, 37.0, 50.0], [28.0, 33.0, 34.0]]),
        visible=np.ones((2, 3)),
        new=np.zeros((2, 3), dtype=bool),
    )
    late = SimpleNamespace(times=np.array([[100.0, 150.0, 200.0]] * 2))
    prepared = SimpleNamespace(trial=SimpleNamespace(criteria="RECIST 1.0"))
    assert operated._left(prepared, before, late, after).tolist() == [150.0, 200.0]
    after.new[1, 0] = True
    assert operated._left(prepared, before, late, after).tolist() == [150.0, 100.0]


def test_by_the_usual_definition_an_operation_that_fails_is_no_event_by_itself():
    arm, early, sight, readout = course("RECIST 1.0")
    scans, _ = operated._scans(arm, early, sight)
    seen = worsening(scans, CRITERIA["RECIST 1.0"]).any(axis=1)  # by the scan of the operation at the latest
    failed = ~readout.resected & ~seen & (readout.pfs_time == readout.operation)
    same = readout.pfs_usual_time == readout.pfs_time
    assert failed.sum() > 20 and same[~failed].all() and not same[failed].any()
    assert np.all(readout.pfs_usual_time >= readout.pfs_time)
    assert np.array_equal(readout.pfs_usual_event[~failed], readout.pfs_event[~failed])
    follow = course("RECIST 1.0", unresected="follow")[3]
    assert np.array_equal(follow.pfs_time, follow.pfs_usual_time)
    kept = follow.pfs_usual_event & readout.pfs_usual_event & (follow.pfs_usual_time < 700)
    assert np.mean(follow.pfs_usual_time[kept] == readout.pfs_usual_time[kept]) > 0.9  # but for deaths


def test_targets_stay_those_of_the_baseline():
    """No lesion that measured a centimetre at baseline: no target, whatever later scans measure."""
    arm, early, sight, _ = course("RECIST 1.0")
    usual = read(arm, early, sight, 3)
    none = read(arm, early, sight, 3, targets={"lesion": np.full((N, 4), 9.9)})
    again = read(arm, early, sight, 3, targets=usual.first)
    assert np.array_equal(again.total, usual.total) and not none.total.any()
