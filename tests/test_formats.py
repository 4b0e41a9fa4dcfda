"""Formats: the number that a content file carries, what it refuses, and files rewritten from an older one."""

import os
import tomllib

import pytest

from pkpd.content import formats, library
from pkpd.content.formats import Change
from pkpd.content.migration import migrate, migrated, numbered
from pkpd.errors import ContentError, NotFound, OutputError
from pkpd.machine import inputs
from pkpd.model.compose import load_model, parse_model

MODEL = """# A made-up drug.
# Two lines of comment.
[model]
title = "Bolus"   # kept
time = "hour"

[parameters]
K = { unit = "1/hour" }

[compartments]
a = { unit = "mg", dose = true }

[flows]
out = { from = "a", rate = "K * a" }
"""
FILES = sorted(
    p
    for folder in ("models", "parameters", "fits", "studies")
    for p in (inputs.ROOT / folder).rglob("*.toml")
)


@pytest.fixture
def older(monkeypatch):
    """A made-up format 2, in which a model's `dose = true` is written `doses = true`."""
    change = Change(
        2,
        "model",
        "dose of a compartment is written doses",
        lambda t: t.replace("dose = true", "doses = true"),
    )
    monkeypatch.setattr(formats, "CHANGES", (change,))


def test_every_file_of_the_library_says_its_format():
    assert len(FILES) > 300
    for path in FILES:
        assert tomllib.loads(path.read_text(encoding="utf-8")).get("format") == formats.newest(), path


def test_every_file_of_the_library_is_of_a_known_kind():
    assert all(formats.kind_of(tomllib.loads(p.read_text(encoding="utf-8"))) for p in FILES)


@pytest.mark.parametrize("head", ["", "format = 1\n", '"format" = 1\n'])
def test_a_file_without_a_number_is_of_the_first_format(head):
    assert parse_model(head + MODEL) == parse_model(MODEL)


def test_readers_do_not_see_the_number(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text("format = 1\n" + MODEL)
    assert library.read("model", str(own)).data == tomllib.loads(MODEL)
    assert load_model(str(own)).states == ("a",)


def test_a_newer_format_is_refused():
    with pytest.raises(ContentError) as told:
        parse_model("format = 2\n" + MODEL, "own")
    assert str(told.value) == (
        "own: format: 2 is made for a newer pkpd: this one reads up to 1\n"
        "    remedy: install the pkpd that it was made with, or a newer one"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("0", "0"),
        ("-1", "-1"),
        ("1.0", "1.0"),
        ("true", "True"),
        ('"1"', "'1'"),
        ("[1]", "[1]"),
        ("{ a = 1 }", "{'a': 1}"),
        ("nan", "nan"),
    ],
)
def test_nonsense_is_no_format(given, said):
    with pytest.raises(ContentError) as told:
        parse_model(f"format = {given}\n" + MODEL, "own")
    assert (
        str(told.value) == f"own: format: {said} is not the number of a format\n    remedy: write format = 1"
    )


def test_a_number_too_long_to_print_is_refused_in_a_short_line():
    with pytest.raises(ContentError) as told:
        parse_model("format = " + "9" * 3000 + "\n" + MODEL, "own")
    assert len(str(told.value)) < 200


@pytest.mark.parametrize(("head", "said"), [("", "is missing, which stands for 1"), ("format = 1\n", "is 1")])
def test_a_file_of_an_older_format_is_refused_and_the_change_is_named(older, head, said):
    with pytest.raises(ContentError) as told:
        parse_model(head + MODEL, "own")
    assert str(told.value) == (
        f"own: format: {said}; format 2 changed a model: dose of a compartment is written doses\n"
        "    remedy: `pkpd migrate FILE --in-place` rewrites it"
    )


def test_an_older_file_is_read_where_nothing_of_its_kind_has_changed(older):
    text = '[regimen]\ntitle = "x"\n'
    assert library.parse("format = 1\n" + text, "own") == library.parse(text, "own") == tomllib.loads(text)


def test_a_change_that_no_rule_can_make_says_so(monkeypatch):
    monkeypatch.setattr(formats, "CHANGES", (Change(2, "model", "time is a table"),))
    with pytest.raises(ContentError) as told:
        parse_model(MODEL, "own")
    assert "remedy: change it by hand, then write format = 2" in str(told.value)
    with pytest.raises(ContentError) as told:
        migrated(MODEL, "own")
    assert str(told.value) == (
        "own: format: format 2 changed a model: time is a table; no rule can rewrite that\n"
        "    remedy: change it by hand, then write format = 2"
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_is_stamped_below_its_comment_and_nothing_else_changes(newline):
    text = MODEL.replace("\n", newline)
    new = migrated(text, "own")
    lines, old = new.split(newline), text.split(newline)
    assert lines == [*old[:2], "format = 1", "", *old[2:]]
    assert migrated(new, "own") == new


def test_a_changed_file_is_rewritten_and_keeps_its_comments(older):
    new = migrated("format = 1 # first\n" + MODEL, "own")
    assert new == "format = 2 # first\n" + MODEL.replace("dose = true", "doses = true")
    assert library.parse(new, "own")["compartments"]["a"]["doses"] is True


def test_changes_are_made_one_after_the_other(monkeypatch):
    first = Change(2, "model", "a is b", lambda t: t.replace("out", "gone"))
    second = Change(3, "model", "b is c", lambda t: t.replace("gone", "away"))
    other = Change(3, "fit", "not a model's", lambda t: "")
    monkeypatch.setattr(formats, "CHANGES", (first, second, other))
    assert "away = { from" in migrated(MODEL, "own")
    second_only = migrated("format = 2\n" + MODEL, "own")
    assert second_only == "format = 3\n" + MODEL


def test_the_word_format_within_a_table_or_a_text_is_left_alone():
    text = '[model]\ntitle = """\nformat = 7\n"""\n'
    assert numbered(text, 1) == "format = 1\n\n" + text
    assert migrated(text, "own") == "format = 1\n\n" + text


def test_every_file_of_the_library_is_kept_as_it_is_by_migration():
    for path in FILES[::10]:
        text = library.text_of(path)
        assert migrated(text, str(path)) == text


def test_migrate_writes_nothing_unless_it_is_asked(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(MODEL)
    new, where = migrate(str(own), None, False)
    assert where is None and own.read_text() == MODEL and "format = 1" in new
    with pytest.raises(ContentError, match="is the file itself"):
        migrate(str(own), own, False)
    with pytest.raises(ContentError, match="cannot go with --in-place"):
        migrate(str(own), tmp_path / "b.toml", True)
    assert own.read_text() == MODEL and os.listdir(tmp_path) == ["own.toml"]
    assert migrate(str(own), tmp_path / "b.toml", False)[1] == tmp_path / "b.toml"
    assert own.read_text() == MODEL and (tmp_path / "b.toml").read_text() == new


def test_migrate_in_place_is_whole_keeps_links_and_modes_and_leaves_a_current_file_alone(tmp_path):
    own, link = tmp_path / "own.toml", tmp_path / "link.toml"
    own.write_text(MODEL)
    own.chmod(0o600)
    link.symlink_to(own)
    assert migrate(str(link), None, True)[1] == link
    assert link.is_symlink() and own.stat().st_mode & 0o777 == 0o600 and "format = 1" in own.read_text()
    when = own.stat().st_mtime_ns
    assert migrate(str(own), None, True)[1] is None and own.stat().st_mtime_ns == when


def test_migrate_tells_what_it_cannot_take(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text("x = 1\n")
    with pytest.raises(ContentError, match="is no kind of content"):
        migrate(str(own), None, False)
    own.write_text("[model\n")
    with pytest.raises(ContentError, match="is not valid TOML"):
        migrate(str(own), None, False)
    with pytest.raises(NotFound, match="no such file"):
        migrate("crlm", None, False)
    own.write_text(MODEL)
    with pytest.raises(OutputError, match="does not exist"):
        migrate(str(own), tmp_path / "nowhere" / "a.toml", False)


def test_a_result_that_is_an_object_says_its_format_and_the_version():
    from pkpd import __version__

    assert list(formats.stamped({"a": 1, "version": "old"}).items()) == [
        ("format", 1),
        ("version", __version__),
        ("a", 1),
    ]
