"""Units: exact factors, refusals, and how a unit is printed."""

from fractions import Fraction

import pytest

from pkpd.content import units
from pkpd.content.units import ONE, Unit, convert, parse_unit, pretty, quantity, ratio
from pkpd.errors import ContentError

AS_IN = "write it as in 'mg/L', '1/day' or 'mL/min'"


def told(call, *arguments) -> tuple[str, str, str]:
    with pytest.raises(ContentError) as caught:
        call(*arguments, "here")
    [issue] = caught.value.issues
    return issue.where, issue.what, issue.remedy


@pytest.mark.parametrize(
    ("source", "target", "factor"),
    [
        ("day", "hour", Fraction(24)),
        ("hour", "day", Fraction(1, 24)),
        ("1/hour", "1/day", Fraction(24)),
        ("week", "day", Fraction(7)),
        ("year", "day", Fraction(1461, 4)),
        ("mL/min", "L/day", Fraction(36, 25)),
        ("mg", "g", Fraction(1, 1000)),
        ("ug/mL", "mg/L", Fraction(1)),
        ("mL", "cm^3", Fraction(1)),
        ("mm^3", "mL", Fraction(1, 1000)),
        ("mg*hour/L", "mg*day/L", Fraction(1, 24)),
        ("percent", "1", Fraction(1, 100)),
        ("%", "1", Fraction(1, 100)),
        ("nmol/L", "umol/L", Fraction(1, 1000)),
        ("mg/m^2", "mg/m**2", Fraction(1)),
        ("1/mL", "1/L", Fraction(1000)),
        ("cell/mL", "cell/L", Fraction(1000)),
        ("µg", "ug", Fraction(1)),
        ("mg/L/day", "mg/(L*day)", Fraction(1)),
    ],
)
def test_factors_are_exact(source, target, factor):
    assert ratio(source, target) == factor
    assert isinstance(ratio(source, target), Fraction)


def test_a_pure_number_has_the_unit_one():
    assert parse_unit("1") == parse_unit("") == ONE


def test_units_multiply_divide_and_take_powers():
    mg, litre = parse_unit("mg"), parse_unit("L")
    assert mg / litre == parse_unit("mg/L")
    assert mg / litre * litre == mg
    assert (mg / mg) == ONE
    assert litre.power(Fraction(2)) == parse_unit("L^2")
    assert litre.power(Fraction(0)) == ONE
    assert litre.power(Fraction(-1)) == parse_unit("1/L")


def test_roots_of_perfect_powers_are_exact():
    assert parse_unit("mL").power(Fraction(1, 3)) == parse_unit("cm")
    assert parse_unit("mm^3").power(Fraction(2, 3)) == parse_unit("mm^2")
    assert parse_unit("nm^3").power(Fraction(2, 3)) == parse_unit("nm^2")


@pytest.mark.parametrize("unit", ["pg", "ug", "day", "nmol"])
def test_a_root_squared_is_what_it_was(unit):
    whole = parse_unit(unit)
    root = whole.power(Fraction(1, 2))
    assert float(root.factor) ** 2 == pytest.approx(float(whole.factor), rel=1e-12)
    assert root.power(Fraction(2)).dims == whole.dims


def test_cells_and_grams_are_of_different_kinds():
    assert told(ratio, "cell", "g") == (
        "here",
        "'cell' cannot be converted to 'g'",
        "give it in a unit of the same kind",
    )
    assert told(ratio, "mg", "nmol")[1] == "'mg' cannot be converted to 'nmol'"


@pytest.mark.parametrize("text", ["mg/fortnigth", "foo", "mg/", "(mg", "mg)", "*", "mg%"])
def test_what_is_no_unit_is_refused(text):
    where, what, remedy = told(parse_unit, text)
    assert where == "here" and remedy == AS_IN
    assert what.startswith(f"{text!r} is not a unit")


@pytest.mark.parametrize(
    "text", ["x" * 61, "mg;L", "__import__('os')", "mg\nL", "m_p", "mg[0]", 3, None, True]
)
def test_what_cannot_be_a_unit_is_not_even_tried(text):
    assert told(parse_unit, text) == ("here", f"{str(text)[:60]!r} is not a unit", AS_IN)


@pytest.mark.parametrize("value", [["mg"], {"mg": 1}])
def test_a_list_is_no_unit(value):
    assert told(parse_unit, value)[0] == "here"


@pytest.mark.parametrize(
    "text", ["5", "10 mg", "0 mg", "mg - mg", "-1 mg", "mg + mg", "mg*1e400", "1e999999 mg", "2"]
)
def test_a_number_is_no_part_of_a_unit(text):
    assert told(parse_unit, text)[1].startswith(f"{text!r} is not a unit")


@pytest.mark.parametrize("text", ["degC", "kelvin", "degF/day"])
def test_temperatures_are_refused(text):
    where, what, remedy = told(parse_unit, text)
    assert (where, what) == ("here", f"{text!r}: temperatures are not used here") or "is not a unit" in what
    assert remedy in ("choose another unit", AS_IN)


def test_a_kelvin_is_refused_by_name():
    assert told(parse_unit, "kelvin") == (
        "here",
        "'kelvin': temperatures are not used here",
        "choose another unit",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("85 mg/m^2", (85.0, "mg/m^2")),
        ("2 year", (2.0, "year")),
        ("1e-3 mg", (0.001, "mg")),
        ("  3.5mL ", (3.5, "mL")),
        ("-4 day", (-4.0, "day")),
        (".5 mg", (0.5, "mg")),
        ("7", (7.0, "1")),
    ],
)
def test_a_quantity_is_a_number_and_a_unit(text, expected):
    assert quantity(text, "here") == expected


def test_an_empty_quantity_is_missing():
    assert told(quantity, "") == ("here", "is missing", "write a number and a unit, as in '85 mg/m^2'")


def test_a_bare_number_has_no_unit():
    with pytest.raises(ContentError, match=r"here: '60' has no unit\n +remedy: write it with one: '60 day'"):
        convert("60", "day", "here")
    assert convert("0.5", "1", "here") == 0.5 and convert("50 %", "1", "here") == 0.5


@pytest.mark.parametrize("text", ["mg", "two mg", "nan mg", 5, None, "+ 5 mg"])
def test_what_is_no_quantity_is_refused(text):
    assert told(quantity, text) == (
        "here",
        f"{text!r} is not a quantity",
        "write a number and a unit, as in '85 mg/m^2'",
    )


def test_a_quantity_is_finite():
    assert told(quantity, "1e999 mg")[0] == "here"


def test_a_quantity_in_no_unit_is_refused():
    assert told(quantity, "5 fortnigths") == (
        "here",
        "'fortnigths' is not a unit (UndefinedUnitError)",
        AS_IN,
    )


def test_quantities_convert():
    assert convert("2 year", "day", "here") == 730.5
    assert convert("46 hour", "day", "here") == pytest.approx(46 / 24, rel=1e-15)
    with pytest.raises(ContentError, match="'mg' cannot be converted to 'day'"):
        convert("2 mg", "day", "here")


@pytest.mark.parametrize(
    ("unit", "printed"),
    [
        ("mg/m^2", "mg/m²"),
        ("m**2", "m²"),
        ("mm^3", "mm³"),
        ("1", "–"),
        ("", "–"),
        ("umol/L", "µmol/L"),
        ("ug/mL", "µg/mL"),
        ("um", "µm"),
        ("L/day", "L/day"),
    ],
)
def test_units_print_as_a_reader_wants_them(unit, printed):
    assert pretty(unit) == printed


def test_a_unit_is_plain_data():
    assert parse_unit("mg/L") == Unit(Fraction(1, 1000), (("kilogram", Fraction(1)), ("meter", Fraction(-3))))


# --- kept between processes -------------------------------------------


@pytest.fixture
def afresh(tmp_path, monkeypatch):
    """A cache folder of one's own, and no unit in memory."""
    monkeypatch.setenv("PKPD_CACHE", str(tmp_path))
    units._parsed.cache_clear()
    yield tmp_path
    units._parsed.cache_clear()


def no_registry():
    raise AssertionError("the registry was asked")


def test_a_unit_is_looked_up_once_and_then_kept(afresh, monkeypatch):
    first = parse_unit("mg/L")
    units._parsed.cache_clear()
    monkeypatch.setattr(units, "registry", no_registry)
    assert parse_unit("mg/L") == first and ratio("mg/L", "mg/L") == 1


def test_a_kept_unit_that_is_corrupt_is_looked_up_again(afresh):
    first = parse_unit("mg/L")
    for file in (afresh / "units").iterdir():
        file.write_bytes(b"junk")
    units._parsed.cache_clear()
    assert parse_unit("mg/L") == first


def test_what_is_no_unit_is_not_kept(afresh):
    for _ in range(2):
        assert told(parse_unit, "mgg")[1] == "'mgg' is not a unit (UndefinedUnitError)"
    assert not (afresh / "units").exists()


def test_units_are_known_where_nothing_can_be_kept(afresh, monkeypatch):
    (afresh / "file").write_text("")
    monkeypatch.setenv("PKPD_CACHE", str(afresh / "file"))
    assert ratio("g", "mg") == 1000


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("7 da", "deciyear"),
        ("2 das", "decasecond"),
        ("1 mday", "milliday"),
        ("3 Mg", "megagram"),
        ("1 ML", "megaliter"),
        ("1 MM", "megamolar"),
    ],
)
def test_a_prefix_that_nobody_means_is_a_slip(text, meant):
    unit = text.split()[1]
    with pytest.raises(ContentError) as caught:
        quantity(text, "own.toml: regimen.cycle")
    [issue] = caught.value.issues
    assert issue.what == f"{unit!r} is not a unit that is used here: it is {meant}"
    assert (
        issue.remedy
        == "times are s, min, hour, day, week, month, year; amounts are mg, g, umol, volumes mL, L"
    )


@pytest.mark.parametrize(
    "unit", ["ms", "us", "min", "kg", "mg", "ug", "mM", "nM", "GBq", "MBq", "1/nL", "year", "months"]
)
def test_prefixes_in_use_are_read(unit):
    assert parse_unit(unit).factor > 0
