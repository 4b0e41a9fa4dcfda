"""`python -m tests.golden [NAME …] [--write] [--exact]`: makes golden tables anew, shows what differs.

NAME is a table (trials/xiao) or the beginning of several (trials). Without --write nothing is changed. What
another kind of processor moves is no difference, unless --exact is asked. Exit code 1 if anything differs
that was not written.
"""

from __future__ import annotations

import argparse
from collections import Counter

from tests.golden.recipes import floor, recipes
from tests.golden.tables import FOLDER, NOTHING, RELATIVE, Difference, differences, keep, kept

SHOWN = 15  # differences of a table


def main() -> int:
    reader = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    reader.add_argument("names", nargs="*", help="tables, or how they begin; all if left out")
    reader.add_argument("--write", action="store_true", help="keep the new numbers")
    reader.add_argument("--all", action="store_true", help=f"show all, not the {SHOWN} largest of a table")
    reader.add_argument("--exact", action="store_true", help="to the last digit, on one kind of processor")
    asked = reader.parse_args()
    found, wrong = recipes(), 0
    for name, make in found.items():
        if not asked.names or name.startswith(tuple(asked.names)):
            wrong += _shown(name, make(), asked, None if asked.all else SHOWN)
    for path in sorted(FOLDER.rglob("*.csv")) if not asked.names else ():
        name = path.relative_to(FOLDER).with_suffix("").as_posix()
        if name not in found:
            print(f"{name}: kept of what is no longer there")
            wrong += 1
            if asked.write:
                path.unlink()
    print("written" if asked.write else f"{wrong} numbers differ" if wrong else "nothing differs")
    return int(wrong > 0 and not asked.write)


def _shown(name: str, new: dict, asked: argparse.Namespace, most: int | None) -> int:
    """Shows, and keeps if asked to, one table; how many of its numbers differ."""
    old = kept(name)
    found = differences(old or {}, new, *((0.0, 0.0) if asked.exact else (RELATIVE, floor(name))))
    if old is None:
        print(f"{name}: new, {len(new)} rows")
    elif found:
        print(f"{name}: {len(found)} numbers in {len(new)} rows differ")
        came, gone, moved = _sorted(found)
        for what, some in (("new", came), ("gone", gone)):
            for key, count in Counter(d.name for d in some).items():
                row = next(d.row for d in some if d.name == key)
                print(f"    {key}: {what} in {count} rows, as in {row}")
        for d in moved[:most]:
            print(f"    {d}")
        if most is not None and len(moved) > most:
            print(f"    … and {len(moved) - most} more (--all)")
    if asked.write and (old is None or found):
        keep(name, new)
    return len(found)


def _sorted(found: list[Difference]) -> tuple[list[Difference], list[Difference], list[Difference]]:
    """Numbers that came, that went, and that moved."""
    came, gone = [d for d in found if d.old == NOTHING], [d for d in found if d.new == NOTHING]
    return came, gone, [d for d in found if NOTHING not in (d.old, d.new)]


if __name__ == "__main__":
    raise SystemExit(main())
