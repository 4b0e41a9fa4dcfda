"""python -m tests.mutated [COUNT] [SEED]: how many damaged inputs each reader took, refused or stumbled over, and which
single changed values it took, by place and kind of change."""

import random
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.mutated.mutations import Change
from tests.mutated.readers import READERS


def main(count: int, seed: int) -> None:
    for reader, read in READERS.items():
        rng, told, taken = random.Random(f"{seed} {reader}"), Counter[str](), Counter[str]()
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(count):
                how, change = read(rng, Path(folder))
                told[how] += 1
                if how == "accepted" and isinstance(change, Change):
                    place = re.sub(r"\.\d+", "", ".".join(map(str, change.path)))
                    taken[f"{place}: {change.how} ({type(change.new).__name__} {str(change.new)[:24]!r})"] += 1
                elif how not in ("accepted", "refused"):
                    print(f"  STRAY {reader}: {how}: {str(change)[:300]}", flush=True)
        print(f"{reader}: {dict(told)}", flush=True)
        for line, times in sorted(taken.items()):
            print(f"    {times:4d} {line}")


main(*(int(a) for a in (*sys.argv[1:], *("200", "1")[len(sys.argv) - 1:])))
