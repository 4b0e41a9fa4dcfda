"""What a fit may name: figures and links of its trials, lines of patients that the figures count."""

import pytest
import tomli_w

from pkpd.errors import ContentError
from pkpd.fit.reading import read_fit


def told(tables):
    with pytest.raises(ContentError) as caught:
        read_fit(tables, "mine", "mine.toml")
    return str(caught.value)


@pytest.fixture
def fit(folder, tables):
    """The tables of the made-up fit, two free quantities: the disease's growth rate, and a context's."""
    return tables["fit"]


def test_a_free_line_that_a_context_overrides_must_say_whose_it_is(fit):
    del fit["free"][0]["set"]
    said = told(fit)
    assert "mine.toml: free: 'growth.RATE' is overridden by shifted.toml in some patients" in said
    assert (
        'remedy: say whose it is: set = "shifted.toml", or set = "patients.toml" for all other patients'
        in said
    )


def test_a_line_that_contexts_hide_from_every_figure_is_refused(fit):
    fit["fit"] |= {"trials": ["one.toml"], "leave_out": ["one.toml/response:all"]}
    assert (
        "free: 'growth.RATE' of patients.toml reaches no patient: shifted.toml lies over it\n"
        '    remedy: free the context\'s own line: set = "shifted.toml"'
    ) in told(fit)


@pytest.mark.parametrize(
    "head, free, said",
    [
        (
            {},
            {"set": "shifty.toml"},
            "free: 'shifty.toml' is laid on no patients that a fitted figure counts\n    remedy: name a",
        ),
        (
            {},
            {"line": "growth.RATES"},
            "free: 'growth.RATES' is not a line of shifted.toml\n    remedy: did you mean 'growth.RATE'",
        ),
        (
            {},
            {"what": "mixture", "scale": "logit", "prior": {"at": 0.5, "sd": 1}},
            "free: growth.RATE has no mixture",
        ),
        ({}, {"set": "patients.toml"}, "free: 'growth.RATE' is free twice"),
        (
            {"link": "auc_linear"},
            {},
            "fit.link: 'auc_linear' is given, but the trials have no treatments\n    remedy: remove it",
        ),
        (
            {"trials": ["one.toml", "eortc_40983"]},
            {},
            "fit.trials: do not share a disease: one.toml has one_lesion.toml, eortc",
        ),
        ({"trials": []}, {}, "fit.trials: names no trial"),
        (
            {"leave_out": ["two.toml/pfs:all"]},
            {},
            "fit.leave_out: 'two.toml/pfs:all' is not a fitted figure of one.toml and",
        ),
        (
            {"leave_out": ["two.toml/response:all", "two.toml/control:all"]},
            {},
            "fit: no figure of two.toml is left to fit",
        ),
    ],
)
def test_a_fault_is_told_with_its_remedy(fit, head, free, said):
    fit["fit"] |= head
    fit["free"][1] |= free
    assert said in told(fit)


def test_two_trials_of_one_name_are_refused_as_results_could_not_tell_them_apart(fit):
    fit["fit"]["trials"] = ["one.toml", "./one.toml"]
    assert (
        "fit.trials: two trials are called 'one.toml', and results could not tell them apart\n"
        "    remedy: rename one of the two files"
    ) in told(fit)


def test_every_fault_is_told_at_once(fit):
    fit["fit"] |= {"link": "x", "leave_out": ["a/b"]}
    fit["free"][1]["set"] = "shifty.toml"
    text = told(fit)
    assert all(x in text for x in ("fit.link: 'x'", "fit.leave_out: 'a/b'", "free: 'shifty.toml'"))
    fit["fit"] |= {"trials": ["one.toml", "nowhere.toml"], "draws": 1, "leave_out": 3}
    fit["free"][1]["scale"] = "cubic"
    text = told(fit)
    assert all(
        x in text
        for x in (
            "fit.trials[2]: 'nowhere.toml'",
            "fit.draws: 1",
            "fit.leave_out: 3",
            "free[2].scale: 'cubic'",
        )
    )


def test_a_later_fit_is_not_built_on_a_result_whose_contexts_it_would_lose(fit, folder):
    made = {
        "parameters": {"model": "one_lesion.toml", "include": ["patients.toml"]},
        "draws": {"growth.RATE": [-0.01], "shifted.toml/growth.RATE": [0.0]},
    }
    (folder / "earlier.toml").write_text(tomli_w.dumps(made))
    fit["fit"]["parameters"], fit["free"] = "earlier.toml", fit["free"][1:]
    assert (
        "fit.parameters: earlier.toml calibrated lines of contexts (shifted.toml/growth.RATE), which a "
        "later fit would lose\n"
        "    remedy: free them here too, or write their values into the contexts' files"
    ) in told(fit)
