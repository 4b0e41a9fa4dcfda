"""Damaged inputs of every kind are read or refused in the library's own words, never with a traceback, never
for ever.
"""

import random

import pytest

from tests.mutated.readers import READERS


def strays(reader: str, count: int, seed: int, folder) -> list:
    """What a reader made of damaged inputs that is neither reading nor refusing."""
    rng, found = random.Random(f"{seed} {reader}"), []
    for _ in range(count):
        told, change = READERS[reader](rng, folder)
        if told not in ("accepted", "refused"):
            found.append((told, change))
    return found


@pytest.mark.parametrize("reader", READERS)
def test_damaged_input_is_read_or_refused(reader, tmp_path):
    assert strays(reader, 8, 1, tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_much_damaged_input_is_read_or_refused(reader, tmp_path):
    assert strays(reader, 300, 2, tmp_path) == []
