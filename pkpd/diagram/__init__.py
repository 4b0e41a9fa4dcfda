"""Pictures of models."""

from pkpd.diagram.svg import diagram as diagram
