"""A trial's own patients in a fit and under a result: its set with what the fit has free laid over it."""

import numpy as np
import pytest
import tomli_w
from scipy.special import expit
from scipy.stats import norm

from pkpd import load_trial
from pkpd.commands import run
from pkpd.errors import ContentError
from pkpd.fit.likelihood import objective
from pkpd.fit.own import laid_over
from pkpd.fit.reading import read_fit
from pkpd.fit.result import load_result

SD = 0.02  # of growth in the trial's own patients: twice that of the made-up problem's
RESPONDS = 3 * np.log(0.7) / 84


@pytest.fixture
def wide(folder, tables):
    """A trial of the made-up problem whose patients are of a set of their own, in which growth varies twice
    as much.
    """
    own = tables["patients"]
    own["values"]["growth"]["RATE"]["spread"]["sd"] = SD
    (folder / "wide.toml").write_text(tomli_w.dumps(own))
    tables["two"]["trial"]["parameters"] = "wide.toml"
    (folder / "apart.toml").write_text(tomli_w.dumps(tables["two"]))
    return tables["fit"]


def told(tables):
    with pytest.raises(ContentError) as caught:
        read_fit(tables, "mine", "mine.toml")
    return str(caught.value)


def test_in_a_fit_a_trial_has_its_own_population_and_the_free_value(wide):
    wide["fit"]["trials"] = ["one.toml", "apart.toml"]
    fit = read_fit(wide, "mine", "mine.toml")
    target = objective(fit)
    one, apart = target.own
    assert one is fit.parameters and apart["growth.RATE"].spread.sd == SD
    target = target.settled(target.centre)
    for at in (-0.02, -0.01, 0.0):
        of_all, _, response, _ = target.expected(target.centre + [at + 0.005, 0.0])  # centred on -0.005
        assert expit(of_all) == pytest.approx(norm.cdf((RESPONDS - at) / 0.01), abs=0.03)
        assert response == pytest.approx(norm.cdf((RESPONDS - at) / SD), abs=0.03)


RESULT = {
    "parameters": {"model": "one_lesion.toml", "include": ["patients.toml"]},
    "values": {
        "growth": {"RATE": {"value": -0.012, "unit": "1/day", "spread": {"law": "normal", "sd": 0.01}}}
    },
    "draws": {"growth.RATE": [-0.012] * 20},
    "fit": {"name": "mine", "trials": ["one.toml"], "figures": []},
}


def test_under_a_result_a_trial_has_its_own_population_and_the_calibrated_value(wide, folder):
    (folder / "mine.toml").write_text(tomli_w.dumps(RESULT))
    own, same = load_trial("apart.toml"), load_trial("two.toml")
    result, _ = load_result("mine.toml")
    assert laid_over(same, result) is result  # nothing changes where the trial has the fit's set
    laid = laid_over(own, result)
    line = laid["growth.RATE"]
    assert (line.value, line.spread.sd, laid.draws) == (-0.012, SD, result.draws)
    for name, sd in (("apart.toml", SD), ("two.toml", 0.01)):
        rows = run.predict_trial(name, "mine.toml", 1000, "", lambda *a: None)["figures"]
        assert rows[0]["predicted"] / 80 == pytest.approx(norm.cdf((RESPONDS + 0.012) / sd), abs=0.03)


def test_a_trial_whose_set_has_draws_of_its_own_is_not_predicted_under_another_fit(wide, folder, tables):
    other = {**RESULT, "parameters": {"model": "one_lesion.toml", "include": ["wide.toml"]}}
    (folder / "mine.toml").write_text(tomli_w.dumps(RESULT))
    (folder / "other.toml").write_text(tomli_w.dumps(other))
    tables["two"]["trial"]["parameters"] = "other.toml"
    (folder / "drawn.toml").write_text(tomli_w.dumps(tables["two"]))
    with pytest.raises(
        ContentError, match=r"drawn.toml: trial.parameters: other.toml has draws of its own, and so has mine"
    ):
        run.predict_trial("drawn.toml", "mine.toml", 50, "", lambda *a: None)
    wide["fit"]["trials"] = ["one.toml", "drawn.toml"]
    assert "fit.trials: drawn.toml has other.toml, a set with draws of its own" in told(wide)


def test_a_set_without_the_spread_that_is_free_cannot_take_it(wide, folder, tables):
    bare = tables["patients"]
    del bare["values"]["growth"]["RATE"]["spread"]
    (folder / "wide.toml").write_text(tomli_w.dumps(bare))
    wide["fit"]["trials"] = ["one.toml", "apart.toml"]
    wide["free"] = [wide["free"][0] | {"what": "sd", "scale": "log", "prior": {"at": 0.01, "sd": 0.5}}]
    assert (
        "free: growth.RATE has another spread in wide.toml, where its sd is calibrated\n"
        "    remedy: give growth.RATE there the spread that the fit has it with"
    ) in told(wide)
    drawn = RESULT | {"draws": {"growth.RATE:sd": [0.01, 0.02]}}
    (folder / "mine.toml").write_text(tomli_w.dumps(drawn))
    with pytest.raises(
        ContentError, match=r"apart.toml: trial.parameters: growth.RATE has another spread in wide.toml"
    ):
        laid_over(load_trial("apart.toml"), load_result("mine.toml")[0])


def test_a_fit_of_a_set_that_no_trial_has_is_refused(wide):
    wide["fit"]["trials"] = ["apart.toml"]
    assert (
        "fit.parameters: 'patients.toml' is no trial's: apart.toml has wide.toml\n"
        "    remedy: name the set of a trial here, or give this one to the trial"
    ) in told(wide)


def test_a_later_fit_is_not_built_on_draws_that_it_would_lose(wide, folder):
    (folder / "earlier.toml").write_text(tomli_w.dumps(RESULT))
    wide["fit"]["parameters"], wide["free"] = "earlier.toml", wide["free"][1:]
    assert "fit.parameters: earlier.toml has draws of growth.RATE, which a later fit would lose" in told(wide)
