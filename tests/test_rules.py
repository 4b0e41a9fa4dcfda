"""Rules of a regimen: what they say, what is refused, how they read."""

import pytest

from pkpd import load_regimen
from pkpd.content.toml import parse
from pkpd.errors import ContentError
from pkpd.regimen.reading import read_regimen
from pkpd.regimen.regimen import Regimen
from pkpd.regimen.rules import Rule
from pkpd.show.text import rule_text

HEAD = (
    '[regimen]\ntitle = "own"\ncycle = "14 day"\n[[doses]]\ndrug = "a"\namount = "5 mg"\n'
    '[[doses]]\ndrug = "b"\namount = "5 mg"\n'
)
HOLD = {"action": '"hold"', "wait": '"7 day"', "most": "2"}
REDUCE = {"action": '"reduce"', "factor": "0.75"}
STOP = {"action": '"stop"'}


def read(text: str) -> Regimen:
    return read_regimen(parse(text, "own.toml"), "own", "own.toml")


def rule(entries: dict[str, str], **more: str) -> str:
    """A file of one rule; each entry is TOML text, and an empty one is left out."""
    lines = {"of": '"anc"', "below": '"1.5 1/nL"'} | entries | more
    return HEAD + "[[rules]]\n" + "".join(f"{k} = {v}\n" for k, v in lines.items() if v)


def only(entries: dict[str, str], **more: str) -> Rule:
    (found,) = read(rule(entries, **more)).rules
    return found


def told(text: str) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        read(text)
    return [(i.where, i.what, i.remedy) for i in caught.value.issues]


def refused(what: str, remedy: str, place: str, entries: dict[str, str], **more: str) -> None:
    assert told(rule(entries, **more)) == [(f"own.toml: rules[1]{place}", what, remedy)]


# --- what a rule says -------------------------------------------------


def test_a_regimen_without_rules_has_none():
    assert load_regimen("folfox4").rules == ()


def test_a_rule_to_hold_says_how_long_and_how_often():
    assert only(HOLD, wait='"1 week"') == Rule("anc", "below", 1.5, "1/nL", "hold", wait=7.0, most=2)


def test_a_rule_to_reduce_is_of_every_drug_and_without_a_floor_unless_it_says_more():
    assert only(REDUCE) == Rule("anc", "below", 1.5, "1/nL", "reduce", factor=0.75)
    assert only(REDUCE, drugs='["b"]', least="0.5") == Rule(
        "anc", "below", 1.5, "1/nL", "reduce", drugs=("b",), factor=0.75, least=0.5
    )


def test_a_rule_may_look_for_a_value_above_a_level():
    assert only(STOP, below="", above='"3 mg/L"') == Rule("anc", "above", 3.0, "mg/L", "stop")


def test_rules_stand_in_the_order_of_the_file():
    text = rule(HOLD) + rule(STOP).removeprefix(HEAD)
    assert [r.action for r in read(text).rules] == ["hold", "stop"]


# --- what is refused --------------------------------------------------


@pytest.mark.parametrize("entries", [HOLD, REDUCE, STOP])
def test_a_rule_of_nothing_is_refused(entries):
    refused("is missing", 'add of = "…"', ".of", entries, of="")


def test_an_action_that_is_none_is_refused_with_those_that_are():
    refused("'pause' is not an action", "one of hold, reduce, stop", ".action", STOP, action='"pause"')
    refused("is missing", "one of hold, reduce, stop", ".action", STOP, action="")
    refused("['stop'] is not an action", "one of hold, reduce, stop", ".action", STOP, action='["stop"]')


def test_a_rule_needs_one_level():
    remedy = 'write below = "1.5 1/nL", or above'
    refused("gives no level", remedy, "", STOP, below="")
    refused("gives both below and above", remedy, "", STOP, above='"3 1/nL"')


def test_a_level_is_a_quantity():
    remedy = "write a number and a unit, as in '85 mg/m^2'"
    refused("1.5 is not a quantity", remedy, ".below", STOP, below="1.5")
    refused(
        "'1e9/L' is not a unit",
        "write it as in 'mg/L', '1/day' or 'mL/min'",
        ".below",
        STOP,
        below='"1.5 1e9/L"',
    )


@pytest.mark.parametrize(
    ("most", "what"),
    [
        ("", "is missing"),
        ("0", "0 is not a number of waits"),
        ("1.5", "1.5 is not a number of waits"),
        ("true", "True is not a number of waits"),
    ],
)
def test_a_rule_to_hold_says_after_how_many_waits_treatment_ends(most, what):
    refused(
        what, "give the waits in a row after which treatment ends, from 1 to 100", ".most", HOLD, most=most
    )


@pytest.mark.parametrize("wait", ["0 day", "-7 day", "1e-308 day", "1e308 day"])
def test_a_wait_takes_time(wait):
    refused(f"'{wait}' is no time to wait", 'write wait = "7 day"', ".wait", HOLD, wait=f'"{wait}"')


def test_a_missing_wait_is_refused():
    refused("is missing", "write a number and a unit, as in '85 mg/m^2'", ".wait", HOLD, wait="")


@pytest.mark.parametrize(
    ("factor", "what"),
    [
        ("", "is missing"),
        ("1", "1 does not reduce a dose"),
        ("0", "0 does not reduce a dose"),
        ("75", "75 does not reduce a dose"),
        ('"75 %"', "'75 %' does not reduce a dose"),
    ],
)
def test_a_factor_lies_between_nought_and_one(factor, what):
    refused(
        what, "give what is left of a dose, between 0 and 1: factor = 0.75", ".factor", REDUCE, factor=factor
    )


def test_a_floor_is_one_that_the_factor_can_reach():
    refused(
        "0.9 is not a share of the first dose that 0.75 can reach",
        "give the smallest share of it that is still given, from 0 to factor",
        ".least",
        REDUCE,
        least="0.9",
    )


@pytest.mark.parametrize("entries", [REDUCE, STOP])
def test_a_drug_that_the_regimen_lacks_is_refused_with_the_near_one(entries):
    refused("this regimen gives no 'bb'", "did you mean 'b'?", ".drugs", entries, drugs='["a", "bb"]')


@pytest.mark.parametrize(("drugs", "shown"), [('"a"', "'a'"), ("[]", "[]"), ("[1]", "[1]")])
def test_drugs_are_a_list_of_names(drugs, shown):
    refused(
        f"{shown} is not a list of drugs",
        'write drugs = ["oxaliplatin"]; all, if left out',
        ".drugs",
        STOP,
        drugs=drugs,
    )


@pytest.mark.parametrize(
    ("entries", "key", "value"),
    [
        (HOLD, "drugs", '["a"]'),
        (HOLD, "factor", "0.5"),
        (REDUCE, "wait", '"7 day"'),
        (STOP, "most", "2"),
        (STOP, "least", "0.5"),
    ],
)
def test_a_key_of_another_action_is_refused(entries, key, value):
    action = entries["action"].strip('"')
    refused(f"has no place in a rule to {action}", "remove it", f".{key}", entries, **{key: value})


def test_an_unknown_key_is_refused_with_the_near_one():
    refused("unknown key", "did you mean 'most'?", ".mosts", HOLD, mosts="3")


def test_rules_that_are_not_tables_are_refused():
    assert told("rules = 3\n" + HEAD) == [("own.toml: rules", "3 is not a list of tables", "write [[rules]]")]


def test_every_fault_of_rules_and_doses_is_told_at_once():
    text = rule(HOLD, most="", wait='"x"', zzz="1").replace('"5 mg"', '"-5 mg"', 1)
    assert [i[0] for i in told(text)] == [
        "own.toml: doses[1].amount",
        "own.toml: rules[1].zzz",
        "own.toml: rules[1].wait",
        "own.toml: rules[1].most",
    ]


# --- in words ---------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "more", "words"),
    [
        (
            HOLD,
            {},
            "hold the cycle 7 days at a time while anc is below 1.5/nL; after 2 in a row, end the course",
        ),
        (REDUCE, {}, "multiply the doses of every drug by 0.75 from the cycle at which anc is below 1.5/nL"),
        (
            REDUCE,
            {"drugs": '["a", "b"]', "least": "0.5"},
            "multiply the doses of a and b by 0.75 from the cycle at which anc is "
            "below 1.5/nL, to no less than 50 % of the first dose",
        ),
        (STOP, {"drugs": '["b"]', "below": "", "above": '"3"'}, "stop b for good if anc is above 3"),
    ],
)
def test_a_rule_reads_as_a_sentence(entries, more, words):
    assert rule_text(only(entries, **more)) == words
