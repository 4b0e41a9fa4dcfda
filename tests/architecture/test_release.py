"""What a release says of itself, in every place the same."""

import re
import tomllib
from pathlib import Path

import pkpd

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def cited(word: str) -> str:
    """A line of CITATION.cff."""
    (found,) = re.findall(rf"^{word}: (.*)$", (ROOT / "CITATION.cff").read_text(), re.M)
    return found


def test_the_version_is_one():
    assert PROJECT["version"] == pkpd.__version__ == cited("version")


def test_the_licence_is_one():
    assert PROJECT["license"] == cited("license")


def test_the_changelog_begins_with_this_version():
    assert re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)[0] == PROJECT["version"]
