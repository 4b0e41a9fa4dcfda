"""What every result that is written says of pkpd: its version, and what its numbers are not."""

VERSION = "0.3.0"
NOTICE = "Research software: a simulation, not advice on any patient."
