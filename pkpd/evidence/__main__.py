"""`python -m pkpd.evidence [PAGE]`: the library's published exposures set beside its models, written as docs/exposures.md."""

from __future__ import annotations

import sys
from pathlib import Path

from pkpd import library, store
from pkpd.evidence.comparison import compare_exposures
from pkpd.evidence.page import page
from pkpd.evidence.reading import load_evidence


def drugs() -> list[str]:
    """The library's drugs."""
    return [n.removeprefix("drugs/") for n in library.names("model") if n.startswith("drugs/")]


def main(path: str = "docs/exposures.md") -> Path:
    """Writes the page."""
    return store.write_text(Path(path), page(compare_exposures(load_evidence()), drugs()))


if __name__ == "__main__":
    print(main(*sys.argv[1:2]))
