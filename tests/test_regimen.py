"""Regimen files: what a dose says, and what is told when it cannot be given."""

import pytest

from pkpd import load_regimen
from pkpd.content import library
from pkpd.content.toml import parse
from pkpd.errors import ContentError, NotFound
from pkpd.regimen.dose_reading import amount_of
from pkpd.regimen.doses import DoseLine
from pkpd.regimen.reading import read_regimen
from pkpd.regimen.regimen import Regimen

HEAD = '[regimen]\ntitle = "own"\ncycle = "14 day"\n'


def read(text: str) -> Regimen:
    return read_regimen(parse(text, "own.toml"), "own", "own.toml")


def dose(**entries: str) -> str:
    """A file of one dose; each entry is TOML text, and None leaves it out."""
    lines = {"drug": '"a"', "amount": '"5 mg"'} | entries
    return HEAD + "[[doses]]\n" + "".join(f"{k} = {v}\n" for k, v in lines.items() if v)


def told(text: str) -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        read(text)
    return [(i.where, i.what, i.remedy) for i in caught.value.issues]


def only(**entries: str) -> DoseLine:
    (line,) = read(dose(**entries)).doses
    return line


def refused(what: str, remedy: str, place: str = "", **entries: str) -> None:
    assert told(dose(**entries)) == [(f"own.toml: doses[1]{place}", what, remedy)]


# --- what a dose says -------------------------------------------------


def test_a_dose_is_a_bolus_on_day_one_unless_it_says_more():
    assert only() == DoseLine(drug="a", amount=5.0, unit="mg", per="", days=(1,), at=0.0, over=0.0, form="")


def test_a_dose_per_square_metre_names_the_body_surface_area():
    assert only(amount='"85 mg/m^2"') == DoseLine("a", 85.0, "mg", "BSA", (1,))


def test_a_dose_per_kilogram_names_the_body_weight():
    assert only(amount='"6 mg/kg"') == DoseLine("a", 6.0, "mg", "WT", (1,))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.4 g/m^2", (2400.0, "mg", "BSA")),
        ("2400 mg/m**2", (2400.0, "mg", "BSA")),
        ("0.5 mmol", (500.0, "umol", "")),
        ("250 ug/kg", (0.25, "mg", "WT")),
        ("1 umol/m^2", (1.0, "umol", "BSA")),
        ("1e2 mg", (100.0, "mg", "")),
    ],
)
def test_amounts_come_to_milligrams_or_micromoles(text, expected):
    number, unit, per = amount_of(text, "here")
    assert (number, unit, per) == (pytest.approx(expected[0]), *expected[1:])


def test_times_come_to_days():
    line = only(at='"2 hour"', over='"1320 minute"')
    assert (line.at, line.over) == (pytest.approx(2 / 24), pytest.approx(22 / 24))


def test_a_rate_gives_the_length_of_an_infusion():
    assert only(amount='"600 mg/m^2"', rate='"25 mg/m^2/hour"').over == pytest.approx(1.0)
    assert only(amount='"1 g"', rate='"100 mg/hour"').over == pytest.approx(10 / 24)


def test_a_dose_line_may_name_its_cycles():
    assert only(cycles='"5-/2"') == DoseLine("a", 5.0, "mg", "", (1,), cycles="5-/2")
    assert only().cycles == ""


def test_a_dose_of_zero_is_allowed():
    assert only(amount='"0 mg"').amount == 0


def test_the_cycle_may_be_in_weeks():
    assert read(dose().replace("14 day", "3 week")).cycle == 21


def test_folfox4_is_as_in_the_trial():
    folfox4 = load_regimen("folfox4")
    assert folfox4.cycle == 14
    hour = 1 / 24
    assert [
        (d.drug, d.amount, d.per, d.days, round(d.at, 9), round(d.over, 9), d.form) for d in folfox4.doses
    ] == [
        ("oxaliplatin", 85, "BSA", (1,), 0, round(2 * hour, 9), ""),
        ("leucovorin", 200, "BSA", (1, 2), 0, round(2 * hour, 9), "racemate"),
        ("fluorouracil", 400, "BSA", (1, 2), round(2 * hour, 9), 0, ""),
        ("fluorouracil", 600, "BSA", (1, 2), round(2 * hour, 9), round(22 * hour, 9), ""),
    ]


def test_mfolfox6_gives_its_5_fu_over_46_hours():
    pump = load_regimen("mfolfox6").doses[-1]
    assert (pump.drug, pump.amount, round(pump.over * 24, 9)) == ("fluorouracil", 2400, 46)


def test_a_regimen_by_path_is_the_same_as_by_name(tmp_path):
    path = tmp_path / "folfox4.toml"
    path.write_text(library.find("regimen", "folfox4").read_text(encoding="utf-8"), encoding="utf-8")
    assert load_regimen(path).doses == load_regimen(str(path)).doses == load_regimen("folfox4").doses


# --- what is refused --------------------------------------------------


def test_a_negative_dose_is_refused():
    refused("'-5 mg' is negative", "a dose is zero or more", ".amount", amount='"-5 mg"')


def test_over_and_rate_together_are_refused():
    refused(
        "gives both over = '2 hour' and rate = '5 mg/hour'",
        "an infusion's length follows from amount and rate: remove one",
        over='"2 hour"',
        rate='"5 mg/hour"',
    )


def test_an_unknown_key_of_a_dose_is_refused_with_the_near_one():
    refused("unknown key", "did you mean 'amount' or 'round' or 'bands'?", ".amounts", amounts='"5 mg"')
    refused(
        "unknown key",
        "known here: amount, at, bands, cap, cycles, days, drug, form, over, rate, round",
        ".zzz",
        zzz="1",
    )


def test_an_unknown_section_and_an_unknown_key_of_the_head_are_refused_together():
    text = dose().replace('title = "own"', 'title = "own"\nname = "own"') + "[dosing]\n"
    assert told(text) == [
        ("own.toml.dosing", "unknown key", "did you mean 'doses'?"),
        ("own.toml: regimen.name", "unknown key", "known here: cycle, reference, text, title"),
    ]


@pytest.mark.parametrize("days", ["[15]", "[0]", "[-1]", "[1, 20]", "[1, 1]"])
def test_days_outside_the_cycle_or_named_twice_are_refused(days):
    refused(
        f"{days} does not fit a cycle of 14 days",
        "name each day once, from 1 to the cycle's last",
        ".days",
        days=days,
    )


@pytest.mark.parametrize(
    ("days", "shown"), [("1", "1"), ("[]", "[]"), ("[1.5]", "[1.5]"), ("[true]", "[True]"), ('"1"', "'1'")]
)
def test_days_that_are_not_a_list_of_whole_numbers_are_refused(days, shown):
    refused(f"{shown} is not a list of days", "write days = [1, 2]; day 1 is the first", ".days", days=days)


@pytest.mark.parametrize("cycles", ['""', '"0"', "1", "[1]"])
def test_cycles_that_name_none_are_refused(cycles):
    ((where, what, remedy),) = told(dose(cycles=cycles))
    assert where == "own.toml: doses[1].cycles" and what.endswith("does not say which cycles")
    assert remedy.startswith('number cycles from 1: cycles = "1", "1-4", "2-"')


@pytest.mark.parametrize("amount", ["5", "5 1", "5 percent", "5 g/g"])
def test_an_amount_without_a_unit_is_refused_and_not_taken_per_kilogram(amount):
    refused(
        f"'{amount}' is not a dose",
        "give it in mg, mg/m^2, mg/kg or the like",
        ".amount",
        amount=f'"{amount}"',
    )


def test_a_rate_without_an_amount_is_refused():
    refused(
        "'5 1/hour' is not a dose", "give it in mg, mg/m^2, mg/kg or the like", ".rate", rate='"5 1/hour"'
    )


@pytest.mark.parametrize("amount", ["5 L", "5 hour", "5 mg/L", "5 mg/hour", "5 m^2"])
def test_an_amount_of_the_wrong_kind_is_refused(amount):
    refused(
        f"'{amount}' is not a dose",
        "give it in mg, mg/m^2, mg/kg or the like",
        ".amount",
        amount=f'"{amount}"',
    )


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("5", "5"),
        ("5.5", "5.5"),
        ('"mg"', "'mg'"),
        ('"five mg"', "'five mg'"),
        ('"1e999 mg"', "'1e999 mg'"),
        ('"nan mg"', "'nan mg'"),
        ("true", "True"),
    ],
)
def test_an_amount_that_is_no_quantity_is_refused(amount, shown):
    refused(
        f"{shown} is not a quantity", "write a number and a unit, as in '85 mg/m^2'", ".amount", amount=amount
    )


def test_a_missing_amount_is_refused():
    refused("is missing", "write a number and a unit, as in '85 mg/m^2'", ".amount", amount="")


def test_a_dose_names_its_drug():
    refused("is missing", 'add drug = "…"', ".drug", drug="")
    refused("is missing", 'add drug = "…"', ".drug", drug='""')
    refused("3 is not text", 'write drug = "…"', ".drug", drug="3")
    remedy = 'name the part it is given to: drug = "oxaliplatin"'
    refused("' ' is not a name", remedy, ".drug", drug='" "')
    refused(r"'\x1b[31ma' is not a name", remedy, ".drug", drug=r'"\u001b[31ma"')


def test_a_form_is_a_text():
    refused("['racemate'] is not text", 'write form = "…"', ".form", form='["racemate"]')


@pytest.mark.parametrize("key", ["title", "reference", "text"])
def test_the_words_of_the_head_are_texts(key):
    (found,) = told(
        dose().replace('title = "own"', f"{key} = 3" if key == "title" else f'title = "own"\n{key} = 3')
    )
    assert found == (f"own.toml: regimen.{key}", "3 is not text", f'write {key} = "…"')


def test_a_regimen_has_a_title():
    assert told(dose().replace('title = "own"', "")) == [
        ("own.toml: regimen.title", "is missing", 'add title = "…"')
    ]


@pytest.mark.parametrize("key", ["at", "over"])
def test_a_time_without_a_unit_or_of_the_wrong_kind_is_refused(key):
    refused("'2' has no unit", "write it with one: '2 day'", f".{key}", **{key: '"2"'})
    refused(
        "'mg' cannot be converted to 'day'",
        "give it in a unit of the same kind",
        f".{key}",
        **{key: '"2 mg"'},
    )


@pytest.mark.parametrize("at", ["-2 hour", "15 day", "1e308 day"])
def test_a_dose_is_given_at_a_time_of_its_cycle(at):
    refused(
        f"'{at}' is no time within the cycle",
        'write at = "2 hour", into the day; `days` says on which days',
        ".at",
        at=f'"{at}"',
    )


@pytest.mark.parametrize(
    ("over", "days"), [("-2 hour", "-0.08333"), ("1e-308 day", "1e-308"), ("1e308 day", "1e+308")]
)
def test_an_infusion_has_a_length(over, days):
    remedy = 'an infusion takes a second or more: over = "2 hour"; leave it out for a dose at once'
    refused(f"'{over}' makes an infusion of {days} days", remedy, ".over", over=f'"{over}"')


def test_a_rate_gives_an_infusion_a_length_too():
    remedy = 'an infusion takes a second or more: over = "2 hour"; leave it out for a dose at once'
    refused("'1e-300 mg/hour' makes an infusion of 2.083e+299 days", remedy, ".rate", rate='"1e-300 mg/hour"')


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("5e6 g", "5e+09 mg"),
        ("2 kg/m^2", "2e+06 mg/m^2"),
        ("1e308 kg", "inf mg"),
        ("85 g/m^2", "85000 mg/m^2"),
        ("6 g/kg", "6000 mg/kg"),
    ],
)
def test_more_than_any_dose_is_refused_as_a_slip_of_the_unit(amount, shown):
    refused(
        f"'{amount}' is {shown}, more than any dose",
        "mind the unit: mg is a milligram",
        ".amount",
        amount=f'"{amount}"',
    )


@pytest.mark.parametrize("rate", ["0 mg/hour", "-5 mg/hour", "5 mg/m^2/hour", "5 mg/kg/hour"])
def test_a_rate_that_does_not_match_the_amount_is_refused(rate):
    refused(
        f"'{rate}' does not match the amount '5 mg'",
        "give both per m^2, per kg, or flat",
        ".rate",
        rate=f'"{rate}"',
    )


def test_a_rate_in_moles_of_an_amount_in_grams_is_refused():
    ((where, what, _),) = told(dose(rate='"5 umol/hour"'))
    assert where == "own.toml: doses[1].rate" and "cannot be converted" in what


@pytest.mark.parametrize("cycle", ["0 day", "-14 day", "12 hour", "1e308 day"])
def test_a_cycle_without_a_fit_length_is_the_only_thing_told(cycle):
    assert told(dose().replace("14 day", cycle)) == [
        (
            "own.toml: regimen.cycle",
            f"'{cycle}' is no length of a cycle",
            'write cycle = "14 day", from one day on',
        )
    ]


@pytest.mark.parametrize(
    ("cycle", "what", "remedy"),
    [
        ('"14 mg"', "'mg' cannot be converted to 'day'", "give it in a unit of the same kind"),
        ('"14"', "'14' has no unit", "write it with one: '14 day'"),
        ("14", "14 is not a quantity", "write a number and a unit, as in '85 mg/m^2'"),
    ],
)
def test_a_cycle_of_the_wrong_kind_is_the_only_thing_told(cycle, what, remedy):
    assert told(dose().replace('"14 day"', cycle)) == [("own.toml: regimen.cycle", what, remedy)]


@pytest.mark.parametrize("text", [HEAD, "doses = []\n" + HEAD])
def test_a_regimen_without_doses_is_refused(text):
    assert told(text) == [("own.toml: doses", "holds no dose", "add [[doses]] tables")]


@pytest.mark.parametrize(
    ("text", "shown"), [("doses = 5\n", "5"), ('doses = "ab"\n', "'ab'"), ("[doses]\na = 1\n", "{'a': 1}")]
)
def test_doses_that_are_not_tables_are_refused_once(text, shown):
    assert told(text + HEAD) == [("own.toml: doses", f"{shown} is not a list of tables", "write [[doses]]")]


def test_a_dose_that_is_not_a_table_is_refused():
    ((where, what, remedy),) = told("doses = [3]\n" + HEAD)
    assert (where, what) == ("own.toml: doses[1]", "3 is not a table") and remedy.startswith(
        "it holds drug, amount"
    )


def test_a_head_that_is_not_a_table_is_refused():
    (where, what, _), *_ = told('regimen = "folfox"\n[[doses]]\ndrug = "a"\namount = "5 mg"\n')
    assert where == "own.toml: regimen" and "not a table" in what


def test_every_fault_of_a_file_is_told_at_once():
    text = (
        dose(amount='"-5 mg"', days="[15]", at='"-1 hour"')
        + '[[doses]]\ndrug = "b"\namount = "1 L"\nzzz = 1\n'
    )
    assert [i[0] for i in told(text)] == [
        "own.toml: doses[2].zzz",
        "own.toml: doses[1].amount",
        "own.toml: doses[1].days",
        "own.toml: doses[1].at",
        "own.toml: doses[2].amount",
    ]


def test_a_fault_in_one_field_does_not_hide_another():
    places = [i[0] for i in told(dose(amount='"5 L"', over='"x"', days="[15]"))]
    assert places == ["own.toml: doses[1].amount", "own.toml: doses[1].days", "own.toml: doses[1].over"]


def test_a_regimen_that_the_library_lacks_is_refused_with_the_near_one():
    with pytest.raises(
        NotFound, match=r"folfox5: no regimen of this name in the library\n.*did you mean .*'folfox4'"
    ):
        load_regimen("folfox5")


def test_the_same_key_twice_is_refused(tmp_path):
    path = tmp_path / "twice.toml"
    path.write_text(dose() + 'drug = "b"\n')
    with pytest.raises(ContentError, match="is not valid TOML: Cannot overwrite a value"):
        load_regimen(path)


# --- the library's days, hour by hour ---------------------------------

BEFORE = ("oxaliplatin", "leucovorin", "irinotecan")  # infused before 5-FU
WITH_5FU = [n for n in library.names("regimen") if "fluorouracil" in load_regimen(n).drugs]


@pytest.mark.parametrize("name", WITH_5FU)
def test_fluorouracil_follows_the_infusions_of_its_day(name):
    """The bolus and the infusion begin when leucovorin and what is beside it has run in, each day."""
    lines = load_regimen(name).doses
    for day in {d for x in lines if x.drug == "fluorouracil" for d in x.days}:
        begins = {x.at for x in lines if x.drug == "fluorouracil" and day in x.days}
        ends = [x.at + x.over for x in lines if x.drug in BEFORE and day in x.days]
        assert len(begins) == 1 and begins.pop() == pytest.approx(max(ends))


def test_the_hours_of_folfox4_are_those_of_both_days():
    """Hours from the start of the cycle: when each dose begins, and how long it lasts."""
    lines = load_regimen("folfox4").doses
    hours = sorted((x.drug, 24 * (d - 1 + x.at), 24 * x.over) for x in lines for d in x.days)
    assert [(n, round(a, 6), round(o, 6)) for n, a, o in hours] == [
        ("fluorouracil", 2, 0),
        ("fluorouracil", 2, 22),
        ("fluorouracil", 26, 0),
        ("fluorouracil", 26, 22),
        ("leucovorin", 0, 2),
        ("leucovorin", 24, 2),
        ("oxaliplatin", 0, 2),
    ]


def test_a_course_may_begin_hours_after_another():
    """An antibody first, chemotherapy when its infusion is over: every cycle is as much later."""
    first, then = (
        '[[courses]]\nuse = "bevacizumab_5_q2w"\n',
        '[[courses]]\nuse = "mfolfox6"\nstart = "3 hour"\n',
    )
    both = read('[regimen]\ntitle = "own"\n' + first + then)
    antibody, chemotherapy = both.cycles(3).days()
    assert antibody.tolist() == [0, 14, 28] and chemotherapy == pytest.approx([0.125, 14.125, 28.125])
