"""The library's results are what they were when they were kept; a change that moves one is told."""

import os

import pytest

from tests.golden.recipes import FLOORS, floor, recipes
from tests.golden.tables import RELATIVE, differences, file_of, kept, parsed, text, written

RECIPES = recipes()
EXACT = os.environ.get("GOLDEN") == "exact"  # to the last digit, where recipes.py says so
REMEDY = (
    "see what moved with `python -m tests.golden {0}`; if it is meant, keep it with "
    "`python -m tests.golden {0} --write`"
)


def compared(name, old, new):
    """What differs of a table, told with its remedy."""
    if old is None:
        return f"{name} is kept nowhere: it is new.\n    remedy: " + REMEDY.format(name)
    found = differences(old, new, 0.0 if EXACT else RELATIVE, 0.0 if EXACT else floor(name))
    told = "\n    ".join(map(str, found[:20]))
    remedy = REMEDY.format(name)
    return f"{name}: numbers that moved: {len(found)}\n    {told}\n    remedy: {remedy}" if found else ""


@pytest.mark.parametrize("name", RECIPES)
def test_numbers_are_those_that_were_kept(name):
    told = compared(name, kept(name), RECIPES[name]())
    if told:
        pytest.fail(told, pytrace=False)


def test_nothing_is_kept_of_what_is_no_longer_there():
    folder = file_of("x").parent
    left = {p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.csv")} - set(RECIPES)
    assert not left, f"{sorted(left)}\n    remedy: `python -m tests.golden --write` removes them"


def perturbed(name, change):
    """A kept table, the first of its rows with a number other than zero changed."""
    new = {row: dict(numbers) for row, numbers in (kept(name) or {}).items()}
    row, key = next((r, k) for r, own in new.items() for k, v in own.items() if is_number(v))
    new[row][key] = text(change(float(new[row][key])))
    return row, key, new


def is_number(told):
    try:
        return float(told) != 0
    except ValueError:
        return False


@pytest.mark.parametrize("name", RECIPES)
def test_one_number_that_moved_by_a_millionth_is_told_with_old_and_new(name):
    row, key, new = perturbed(name, lambda x: x * (1 + 1e-6))
    old = kept(name) or {}
    told = compared(name, old, new)
    assert f"{name}: numbers that moved: 1\n    {row}, {key}: {old[row][key]} → {new[row][key]}" in told
    assert f"`python -m tests.golden {name} --write`" in told


def test_a_count_that_moved_by_one_a_word_a_row_gone_and_a_row_that_came_are_told():
    old = {"a": {"n": 40, "unit": "day"}, "b": {"x": 1.0, "inside": True}}
    assert str(differences(old, {**old, "a": {"n": 41, "unit": "day"}}, 1e-9)[0]) == "a, n: 40 → 41  (0.024)"
    assert str(differences(old, {**old, "a": {"n": 40, "unit": "week"}}, 1e-9)[0]) == "a, unit: day → week"
    assert [d.name for d in differences(old, {"a": old["a"]}, 1e-9)] == ["x", "inside"]
    came = [str(d) for d in differences({"a": old["a"]}, old, 1e-9)]
    assert came == ["b, x: (nothing) → 1", "b, inside: (nothing) → yes"]
    assert differences(old, {**old, "b": {"x": None, "inside": True}}, 1e-9)[0].new == "none"


def test_the_largest_difference_comes_first_and_rounding_is_none():
    old, new = {"a": {"x": 1.0, "y": 1.0, "z": 1.0}}, {"a": {"x": 1.001, "y": 2.0, "z": 1 + 1e-10}}
    assert [d.name for d in differences(old, new, RELATIVE)] == ["y", "x"]
    assert [d.name for d in differences(old, new)] == ["y", "x", "z"]
    assert not differences({"a": {"x": 1e-14}}, {"a": {"x": -3e-14}}, RELATIVE, floor("studies/platforms"))


def test_what_is_new_names_the_command_that_keeps_it():
    told = compared("trials/mine", None, {})
    assert told.startswith("trials/mine is kept nowhere: it is new.\n    remedy: see what moved with `python")
    assert told.endswith("keep it with `python -m tests.golden trials/mine --write`")


def test_tables_come_back_as_they_were_written():
    row = {"value": 1 / 3, "basis": "trial, in part", "none": None, "so": True, "n": 7, "far": float("inf")}
    table = {"a | joint, both": row}
    back = parsed(written(table))
    assert back == {
        "a | joint, both": {
            "value": "0.333333333333",
            "basis": "trial, in part",
            "none": "none",
            "so": "yes",
            "n": "7",
            "far": "inf",
        }
    }
    assert not differences(table, back)


def test_floors_are_of_tables_that_are_made():
    assert all(any(name.startswith(begin) for name in RECIPES) for begin in FLOORS)
    assert not any(floor(name) for name in RECIPES if name.startswith(("trials/", "fits/")))
