"""python -m tests.mutated [COUNT] [SEED] [READER …]: how many damaged inputs each reader took, refused or
stumbled over, and which single changed values it took, by place and kind of change.
"""

import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.mutated.mutations import Change
from tests.mutated.readers import READERS


def main(count: int, seed: int, readers: list[str]) -> None:
    for reader in readers or READERS:
        rng, told, taken = random.Random(f"{seed} {reader}"), Counter[str](), Counter[str]()
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(count):
                how, change = READERS[reader](rng, Path(folder))
                told[how if how in ("accepted", "refused") else "stray"] += 1
                if how == "accepted" and isinstance(change, Change):
                    place = re.sub(r"\.\d+", "", ".".join(map(str, change.path)))
                    taken[f"{place}: {change.how}: {str(change.old)[:30]!r} → {str(change.new)[:30]!r}"] += 1
                elif how not in ("accepted", "refused"):
                    print(f"  STRAY {reader}: {how}: {str(change)[:300]}", flush=True)
        print(f"{reader}: {dict(told)}, {time.monotonic() - begin:.0f} s", flush=True)
        for line, times in sorted(taken.items()):
            print(f"    {times:4d} {line}")


given = sys.argv[1:]
main(int(given[0]) if given else 200, int(given[1]) if len(given) > 1 else 1, given[2:])
