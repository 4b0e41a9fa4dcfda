"""The references of the library: what a key of a source stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pkpd.machine import inputs


def bibliography() -> dict[str, str]:
    """The references of the library: key to printed reference."""
    path = inputs.ROOT / "parameters" / "references.bib"
    found = {}
    for key, body in re.findall(r"@\w+\{(\w+),(.*?)\n\}", path.read_text(encoding="utf-8"), re.S):
        f = dict(re.findall(r"(\w+)\s*=\s*\{(.*?)\}", body, re.S))
        doi = f" doi:{f['doi']}" if "doi" in f else ""
        note = f" ({f['note']})" if "note" in f else ""
        place = " ".join(filter(None, (f.get("journal"), f.get("year")))).rstrip(".")
        found[key] = f"{f.get('author', '')}. {f.get('title', '')}. {place}.{doi}{note}"
    return found


def references(keys: Iterable[str]) -> dict[str, str]:
    """The printed reference behind each key; empty for a key that the library does not hold."""
    try:
        known = bibliography()
    except OSError:
        known = {}
    return {k: known.get(k, "") for k in dict.fromkeys(keys) if k}
