"""The version of pkpd, as every result that is written says it."""

VERSION = "0.3.0"
