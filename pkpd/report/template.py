"""What the pages of all studies share: the notice, and templates with the filters that write numbers."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from pkpd.content.units import pretty
from pkpd.report.cycles_figures import link_words
from pkpd.show.text import number


def template(name: str) -> jinja2.Template:
    """A page's template, every value escaped."""
    rooms = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rooms.filters |= {
        "number": number,
        "pretty": pretty,
        "link": link_words,
        "sig": significant,
        "keep": kept,
    }
    return rooms.get_template(f"{name}.html.jinja")


def significant(value: float) -> str:
    """Three significant digits, with a power of ten where the number is very small or large."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{float(f'{value:.3g}'):g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{float(mantissa):g}×10{power}"


def kept(text: str) -> Markup:
    """A sentence whose brackets stay on one line."""
    return Markup(re.sub(r"(\([^()]{3,22}\))", r'<span class="keep">\1</span>', str(escape(text))))
