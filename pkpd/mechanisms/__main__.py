"""`python -m pkpd.mechanisms [FOLDER]`: writes mechanisms.md, and the equations of tumour_immune.md, in docs."""

from __future__ import annotations

import sys
from pathlib import Path

from pkpd import store
from pkpd.mechanisms.equations import with_equations
from pkpd.mechanisms.movement import measure, response_rates
from pkpd.mechanisms.page import page
from pkpd.mechanisms.reading import SYSTEM, load_map

CORE = "crlm_immune"


def made() -> str:
    """The page on mechanisms, measured now."""
    mechanisms = load_map()
    return page(mechanisms, measure(mechanisms), response_rates(mechanisms, CORE), response_rates(mechanisms, SYSTEM))


def main(folder: str = "docs") -> list[Path]:
    """Writes both pages."""
    derivation = Path(folder) / "tumour_immune.md"
    return [store.write_text(Path(folder) / "mechanisms.md", made()),
            store.write_text(derivation, with_equations(derivation.read_text(encoding="utf-8")))]


if __name__ == "__main__":
    print(*main(*sys.argv[1:2]), sep="\n")
