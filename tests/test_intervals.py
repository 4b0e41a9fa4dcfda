"""The one rule for an interval over draws: it covers a next draw at the level that it states."""

import ast
from pathlib import Path

import numpy as np
import pytest

from pkpd.fit.intervals import at_rank, interval, level_text, reached

LAWS = {
    "even": lambda r, n: r.uniform(size=n),
    "normal": lambda r, n: r.normal(size=n),
    "log-normal": lambda r, n: r.lognormal(0, 1, n),
    "exponential": lambda r, n: r.exponential(size=n),
}


def covered(law, draws, times=20_000):
    """The share of sets of draws whose interval holds one draw more."""
    rng = np.random.default_rng(draws)
    values = np.sort(LAWS[law](rng, (times, draws)), axis=1)
    low, high = (np.quantile(values, p, axis=1, method="weibull") for p in (0.025, 0.975))
    example = interval(values[0])
    assert (example["low"], example["high"]) == pytest.approx((low[0], high[0]), rel=1e-12)
    following = LAWS[law](rng, times)
    return np.mean((following >= low) & (following <= high))


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("draws", [4, 16, 32, 39, 50, 200])
def test_an_interval_covers_a_next_draw_at_the_level_it_states(law, draws):
    stated = interval(np.arange(draws))["level"]
    assert stated == min(0.95, (draws - 1) / (draws + 1))
    assert covered(law, draws) == pytest.approx(stated, abs=4 * (stated * (1 - stated) / 20_000) ** 0.5)


def test_of_39_even_draws_the_ends_are_the_first_and_the_last():
    found = interval(np.arange(39.0)[::-1])
    assert (found["low"], found["value"], found["high"], found["level"], found["defined"]) == (
        0,
        19,
        38,
        0.95,
        39,
    )
    assert interval(np.arange(79.0))["low"] == 1 and interval(np.arange(1.0, 20.0), 0.8)["low"] == 2


def test_few_draws_are_never_called_95_percent():
    assert [level_text([interval(np.arange(n))]) for n in (1, 16, 24, 32, 38, 39, 1000)] == [
        "0 %",
        "88 %",
        "92 %",
        "93 %",
        "94 %",
        "95 %",
        "95 %",
    ]
    assert level_text([interval(np.arange(16)), interval(np.arange(50)), {"value": 1.0}]) == "88–95 %"
    assert reached(0) == 0.0


def test_what_is_not_reached_is_open_and_what_is_undefined_is_counted():
    open_above = interval(np.array([1.0, 2.0, 3.0, np.inf]))
    assert open_above["value"] == 2.5 and open_above["high"] is None and open_above["low"] == 1
    assert interval(np.array([1.0, np.inf]))["value"] is None  # halfway to what is never reached
    assert interval(np.array([-np.inf, -np.inf, 1.0, 2.0]))["low"] is None
    some = interval(np.array([np.nan, 1.0, 2.0]))
    assert some["value"] == 1.5 and some["defined"] == 2 and some["level"] == pytest.approx(1 / 3)
    for none in ([np.nan, np.nan, 1.0], [np.nan], []):
        assert interval(np.array(none))["value"] is None


def test_a_rank_beyond_the_numbers_is_the_nearest_of_them():
    assert [at_rank(np.array([1.0, 2.0, 4.0]), r) for r in (0.1, 1, 2.5, 3, 9)] == [1, 1, 3, 4, 4]


def test_no_study_or_report_has_a_rule_of_its_own():
    """Whoever needs an interval takes it from `intervals`; the NaN-hiding functions of numpy are used
    nowhere.
    """
    hidden = {
        "quantile",
        "percentile",
        "nanquantile",
        "nanpercentile",
        "nanmedian",
        "nanmean",
        "nanstd",
        "nansum",
    }
    root = Path(__file__).resolve().parents[1] / "pkpd"
    for file in [
        *(root / "study").rglob("*.py"),
        *(root / "report").rglob("*.py"),
        *(root / "fit").rglob("*.py"),
    ]:
        used = {
            n.attr
            for n in ast.walk(ast.parse(file.read_text()))
            if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == "np"
        }
        assert not used & hidden or file.name in ("profile.py", "intervals.py"), file
