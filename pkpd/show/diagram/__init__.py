"""Pictures of models."""

from __future__ import annotations

import io
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from pkpd.model.model import Model
from pkpd.show.diagram.compartments import model_scheme
from pkpd.show.diagram.parts import system_scheme
from pkpd.show.diagram.picture import draw

_STYLE: Any = {"svg.fonttype": "path", "svg.hashsalt": "pkpd", "pdf.fonttype": 42}
_NO_DATE: dict[str, dict] = {
    ".svg": {"Date": None, "Creator": None},
    ".png": {"Software": None},
    ".pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}


def diagram(model: Model) -> Figure:
    """A model as a picture: a system's parts and how they depend on one another, or a single model's
    compartments and flows.
    """
    return draw(system_scheme(model) if model.parts else model_scheme(model))


def image(picture: Figure, suffix: str) -> bytes:
    """A figure as a file's content, `.svg`, `.png` or `.pdf`; the same for the same figure."""
    file = io.BytesIO()
    with rc_context(_STYLE):
        picture.savefig(file, format=suffix[1:], dpi=150, metadata=_NO_DATE[suffix])
    return file.getvalue()
