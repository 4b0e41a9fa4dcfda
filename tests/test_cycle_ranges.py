"""Which cycles a dose line, a reduction or a missed dose is of."""

import numpy as np
import pytest

from pkpd.errors import ContentError
from pkpd.regimen.cycle_ranges import among, spans


@pytest.mark.parametrize(
    ("text", "cycles"),
    [
        ("1", [1]),
        ("1-4", [1, 2, 3, 4]),
        ("7-", [7, 8, 9, 10]),
        ("5-/2", [5, 7, 9]),
        ("1-9/3", [1, 4, 7]),
        ("1, 3-4,9-", [1, 3, 4, 9, 10]),
        ("2-5, 4-7", [2, 3, 4, 5, 6, 7]),
        ("", list(range(1, 11))),
        ("12", []),
    ],
)
def test_a_text_names_cycles(text, cycles):
    assert (np.flatnonzero(among(text, range(1, 11))) + 1).tolist() == cycles


@pytest.mark.parametrize(
    "text", ["0", "-3", "a", "1..4", "1-4/0", "1,", "1/2", "01", "1 2", "99999", 1, True, ["1"], None]
)
def test_what_does_not_say_which_cycles_is_refused_with_the_ways_to_say_it(text):
    with pytest.raises(ContentError) as caught:
        spans(text, "own.toml: doses[1].cycles")
    (issue,) = caught.value.issues
    assert issue.where == "own.toml: doses[1].cycles" and issue.what == f"{text!r} does not say which cycles"
    assert issue.remedy == (
        'number cycles from 1: cycles = "1", "1-4", "2-" (from the second on), '
        '"5-/2" (every second from the fifth), "1, 3"'
    )


def test_a_span_that_ends_before_it_begins_is_refused():
    with pytest.raises(ContentError, match="cycles: '4-1' ends before it begins"):
        spans("4-1")
