"""`python -m pkpd.fit NAME [FOLDER]`: fills the tables of docs/NAME_fit.md from the fit's result, all its trials run."""

from __future__ import annotations

import sys
from pathlib import Path

from pkpd import store
from pkpd.fit.page import filled, predictions


def main(name: str, folder: str = "docs") -> Path:
    """Writes the page's tables; its text stays."""
    page = Path(folder) / f"{name}_fit.md"
    return store.write_text(page, filled(page.read_text(encoding="utf-8"), predictions(name)))


if __name__ == "__main__":
    print(main(*sys.argv[1:3]))
