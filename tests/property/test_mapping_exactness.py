"""Casts through real columns, against Python's own Decimal and datetime arithmetic: equal, or a reject."""

from __future__ import annotations

import datetime as dt
import math
import re
from contextlib import suppress
from decimal import Decimal, localcontext
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.mapping.exact import Target, Unfit, caster
from syncline.mapping.formats import compile_format, has_date, has_time
from syncline.model.schema import DataType
from tests.examples import examples
from tests.unit.mapping.manifests import rejected, through

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo",
         "Africa/Casablanca", "Pacific/Apia", "Europe/Dublin"]  # fmt: skip

digits = st.text("0123456789", min_size=1, max_size=24)
sign = st.sampled_from(["", "-", "+"])
numbers = st.builds(
    lambda s, whole, fraction, exponent: s + whole + fraction + exponent,
    sign,
    digits,
    st.one_of(st.just(""), digits.map(lambda d: "." + d), st.just(".")),
    st.one_of(st.just(""), st.builds("{}{}{}".format, st.sampled_from("eE"), sign, st.integers(0, 40))),
)
junk = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", " 1", "1 ", "NaN", "inf", "-Infinity", "1_0", "0x1F", "1,5", "١٢", "1e", "--1", "+", ".", "1.2.3"]
    ),
)
batches = st.lists(st.one_of(numbers, numbers, junk), min_size=1, max_size=40)

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def stated(text: str) -> Decimal | None:
    """The number that a text states."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


@settings(max_examples=examples(150))
@given(batches, st.integers(1, 38).flatmap(lambda p: st.tuples(st.just(p), st.integers(0, p))))
def test_money_is_equal_to_the_digit_or_rejected(values, size):
    """A text becomes exactly the decimal it states if that fits, and is rejected in every other case."""
    precision, scale = size
    results = through(values, "string", type=f"decimal({precision},{scale})")

    for text, result in zip(values, results, strict=True):
        number = stated(text)
        with localcontext() as context:
            context.prec = 200
            fits = (
                number is not None
                and number == number.quantize(Decimal(1).scaleb(-scale))
                and abs(number) < Decimal(10) ** (precision - scale)
            )
        assert rejected(result) is not fits, text
        if fits:
            assert result == number, text


@settings(max_examples=examples(150))
@given(st.lists(st.one_of(st.integers(-(2**70), 2**70).map(str), numbers, junk), min_size=1, max_size=40))
def test_identifiers_keep_all_64_bits(values):
    """A text becomes the integer it states, up to the last of 64 bits, or is rejected."""
    for text, result in zip(values, through(values, "string", type="integer"), strict=True):
        plain = re.fullmatch(r"[+-]?[0-9]+", text) is not None
        fits = plain and -(2**63) <= int(text) < 2**63
        assert rejected(result) is not fits, text
        if fits:
            assert result == int(text), text


@settings(max_examples=examples(100))
@given(st.lists(numbers, min_size=1, max_size=40))
def test_json_numbers_become_integers_only_without_a_fraction(values):
    """A JSON number becomes the integer that it equals, whatever its spelling, or is rejected."""
    for text, result in zip(values, through(values, "number", type="integer"), strict=True):
        number = Decimal(text)
        fits = number == number.to_integral_value() and -(2**63) <= number < 2**63
        assert rejected(result) is not fits, text
        if fits:
            assert result == number, text


@settings(max_examples=examples(100))
@given(batches)
def test_floats_are_the_nearest_double_or_rejected(values):
    """A text becomes the double that Python reads, with its sign of zero; infinity and vanished digits are rejects."""
    for text, result in zip(values, through(values, "string", type="float"), strict=True):
        number = stated(text)
        fits = number is not None and math.isfinite(float(text)) and (float(text) != 0 or number == 0)
        assert rejected(result) is not fits, text
        if fits:
            assert result == float(text), text
            assert math.copysign(1, result) == math.copysign(1, float(text)), text


@settings(max_examples=examples(100))
@given(st.lists(st.floats(width=64), min_size=1, max_size=30), st.integers(0, 12))
def test_doubles_become_decimals_by_their_shortest_form(values, scale):
    """A double becomes the decimal that Python prints for it, or is rejected: never rounded."""
    for value, result in zip(values, through(values, "float", type=f"decimal(30,{scale})"), strict=True):
        number = Decimal(repr(value))
        with localcontext() as context:
            context.prec = 400
            fits = (
                number.is_finite()
                and abs(number) < Decimal(10) ** (30 - scale)
                and number == number.quantize(Decimal(1).scaleb(-scale))
            )
        assert rejected(result) is not fits, value
        if fits:
            assert result == number, value


@settings(max_examples=examples(100))
@given(
    st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9), min_size=1, max_size=30),
    st.integers(4, 18), st.integers(0, 4),
)  # fmt: skip
def test_decimals_change_their_size_only_without_loss(values, precision, scale):
    """A decimal column becomes a smaller one only where each digit stays."""
    results = through(values, "decimal(20,6)", type=f"decimal({precision},{scale})")
    for value, result in zip(values, results, strict=True):
        fits = value == round(value, scale) and abs(value) < 10 ** (precision - scale)
        assert rejected(result) is not fits, value
        if fits:
            assert result == value


@settings(max_examples=examples(60))
@given(st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**54), 2**54)), min_size=1, max_size=30))
def test_integers_become_floats_only_where_the_float_is_the_integer(values):
    """A 64-bit id never loses its last bits to a float."""
    for value, result in zip(values, through(values, "integer", type="float"), strict=True):
        assert rejected(result) is (int(float(value)) != value), value
        if not rejected(result):
            assert int(result) == value


dates = st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31))
near_dates = st.builds("{}{}{}{}{}".format, st.sampled_from(["2023", "2024", "1900", "2000", "0000", "1969"]), st.sampled_from("-/"),
                       st.sampled_from(["02", "2", "13", "00", "12"]), st.just("-"), st.sampled_from(["28", "29", "30", "31", "1", "00"]))  # fmt: skip


def python_date(text: str) -> dt.date | None:
    """A date in ISO 8601's extended calendar form, by Python's own reading."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


@settings(max_examples=examples(120))
@given(st.lists(st.one_of(dates.map(str), near_dates, junk, st.datetimes().map(str)), min_size=1, max_size=40))
def test_dates_are_the_calendars_or_rejected(values):
    """Leap days, years before 1970 and the year 0 are what Python's calendar says; a time of day is never cut off."""
    for text, result in zip(values, through(values, "string", type="date"), strict=True):
        expected = python_date(text)
        assert rejected(result) is (expected is None), text
        if expected is not None:
            assert result == expected


@settings(max_examples=examples(80))
@given(st.lists(st.one_of(dates.map(lambda d: f"{d.day:02}/{d.month:02}/{d.year:04}"), dates.map(lambda d: f"{d.day}/{d.month}/{d.year:04}"),
                          junk, st.sampled_from(["29/02/2023", "31/04/2024", " 1/01/2024", "01/ 1/2024", "1/1/24", "01/01/20245"])), min_size=1, max_size=40))  # fmt: skip
def test_written_formats_read_nothing_but_the_format(values):
    """A date with a declared format is that date, or a reject; no character is skipped."""
    for text, result in zip(values, through(values, "string", type="date", format="%d/%m/%Y"), strict=True):
        expected = None
        if re.fullmatch(r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}", text):
            with suppress(ValueError):
                expected = dt.datetime.strptime(text, "%d/%m/%Y").date()  # noqa: DTZ007 - a date has no zone
        assert rejected(result) is (expected is None), text
        if expected is not None:
            assert result == expected


def wall_clocks(first: int, last: int):
    """Times without a zone in these years."""
    return st.datetimes(dt.datetime(first, 1, 1), dt.datetime(last, 12, 31))  # noqa: DTZ001 - without one on purpose


offsets = st.integers(-14 * 60, 14 * 60).map(lambda m: dt.timezone(dt.timedelta(minutes=m)))
FORMATS = ["%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S.%f", "%m/%d/%Y %H:%M", "%Y%m%d%H%M%S", "%d.%m.%Y", "%H:%M", "%Y-%m-%dT%H:%M:%S%z",
           "%d %b %Y %I:%M %p", "%y%m%d", "%Y-%j", "%d/%m/%y %H.%M", "[%Y] %m+%d %H", "%S%f %Y-%m-%d %H:%M", "%Y年%m月%d日"]  # fmt: skip


@st.composite
def written(draw):
    """A format, and texts that are written so, nearly so, or with single digits and odd numbers."""
    form = draw(st.sampled_from(FORMATS))
    texts = []
    for _ in range(draw(st.integers(1, 12))):
        moment = draw(wall_clocks(1, 9999)).replace(tzinfo=draw(offsets))
        text = form
        if draw(st.booleans()):
            for code, value in (
                ("%d", moment.day),
                ("%m", moment.month),
                ("%H", moment.hour),
                ("%M", moment.minute),
                ("%S", moment.second),
            ):
                text = text.replace(code, str(value + draw(st.sampled_from([0, 0, 0, 30]))))
        text = moment.strftime(text.replace("%Y", f"{moment.year:04}"))
        if draw(st.integers(0, 5)) == 0:
            at = draw(st.integers(0, len(text)))
            text = text[:at] + draw(st.sampled_from([" ", "0", "+", "-", "Z", "", "٣"])) + text[at:]
        texts.append(text)
    return form, texts


@settings(max_examples=examples(300))
@given(written(), st.sampled_from(["Europe/Berlin", ""]))
def test_columns_read_formats_as_single_values_are_read(case, zone):
    """For every format the column form gives what the definition in `exact.py` gives: a value, or a reject."""
    form, texts = case
    codes = compile_format(form).codes
    name = (
        "time"
        if not has_date(codes)
        else "timestamp"
        if "z" in codes or (zone and has_time(codes))
        else "datetime"
        if has_time(codes)
        else "date"
    )
    target = Target(DataType(name), form, zone if name == "timestamp" else "")
    extra = {"zone": zone} if target.zone else {}
    for text, result in zip(texts, through(texts, "string", type=name, format=form, **extra), strict=True):
        try:
            expected = caster("string", target)(text)
        except Unfit:
            expected = None
        assert rejected(result) is (expected is None), (form, text, result)
        if expected is not None:
            assert result == expected, (form, text)


moments = wall_clocks(2, 9998)


@settings(max_examples=examples(120))
@given(
    st.lists(
        st.builds(lambda m, z, sep: m.replace(tzinfo=z).isoformat(sep), moments, offsets, st.sampled_from("T ")),
        min_size=1,
        max_size=30,
    )
)
def test_instants_keep_their_offset(values):
    """An instant with an offset is stored as the same instant in UTC, to the microsecond."""
    for text, result in zip(values, through(values, "string", type="timestamp"), strict=True):
        assert result == dt.datetime.fromisoformat(text), text


@settings(max_examples=examples(60))
@given(st.lists(st.tuples(moments, st.text("0123456789", min_size=0, max_size=9)), min_size=1, max_size=20))
def test_digits_below_the_microsecond_are_rejected(values):
    """A fraction of more than six digits is kept where the rest is zeros, and is a reject where it isn't."""
    texts = [m.replace(microsecond=0).isoformat() + (f".{f}" if f else "") + "Z" for m, f in values]
    for (moment, fraction), result in zip(values, through(texts, "string", type="timestamp"), strict=True):
        fits = len(fraction.rstrip("0")) <= 6
        assert rejected(result) is not fits, fraction
        if fits:
            micros = int(fraction[:6].ljust(6, "0"))
            assert result == moment.replace(microsecond=micros, tzinfo=dt.UTC)


@settings(max_examples=examples(25))
@given(
    st.sampled_from(ZONES),
    st.lists(
        st.one_of(wall_clocks(1900, 2099), wall_clocks(1970, 2037)),
        min_size=20,
        max_size=60,
    ),
)
def test_wall_clock_times_are_the_instant_of_their_zone(zone, values):
    """A time without offset in a declared zone is the one instant at which its clocks showed it."""
    check_zone(zone, values)


@pytest.mark.parametrize("zone", ZONES)
def test_around_every_change_of_the_clocks_times_are_exact_or_rejected(zone):
    """In the hours around each transition from 1965 to 2045, skipped and doubled times are rejects and no others."""
    there = ZoneInfo(zone)
    hour = dt.timedelta(minutes=30)
    instant, end = dt.datetime(1965, 1, 1, tzinfo=dt.UTC), dt.datetime(2045, 1, 1, tzinfo=dt.UTC)
    walls = []
    while instant < end:
        after = instant + dt.timedelta(days=7)
        if instant.astimezone(there).utcoffset() != after.astimezone(there).utcoffset():
            low, high = instant, after
            while high - low > hour:
                middle = low + (high - low) / 2
                low, high = (
                    (middle, high)
                    if middle.astimezone(there).utcoffset() == low.astimezone(there).utcoffset()
                    else (low, middle)
                )
            base = high.astimezone(there).replace(tzinfo=None, microsecond=0)
            walls += [base + hour * n for n in range(-5, 6)]
        instant = after
    check_zone(zone, walls)


def check_zone(zone: str, walls: list[dt.datetime]) -> None:
    """Each wall-clock time against zoneinfo."""
    results = through([w.isoformat() for w in walls], "string", type="timestamp", zone=zone)
    for wall, result in zip(walls, results, strict=True):
        one, other = (wall.replace(tzinfo=ZoneInfo(zone), fold=f).astimezone(dt.UTC) for f in (0, 1))
        exists = one.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall
        assert rejected(result) is not (exists and one == other), (zone, wall)
        if not rejected(result):
            assert result == one, (zone, wall)


@settings(max_examples=examples(80))
@given(
    st.lists(
        st.one_of(
            st.integers(-(10**12), 10**12).map(str),
            st.decimals(allow_nan=False, allow_infinity=False, places=7, min_value=-(10**11), max_value=10**12).map(
                str
            ),
            numbers,
        ),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([("epoch", 1), ("epoch_ms", 1000)]),
)
def test_epochs_are_exact_before_and_after_1970(values, unit):
    """Seconds and milliseconds since 1970 are the instant to the microsecond, or a reject."""
    name, divisor = unit
    low, high = Decimal(-62_135_596_800) * divisor, Decimal(253_402_300_800) * divisor
    for text, result in zip(values, through(values, "number", type="timestamp", format=name), strict=True):
        with localcontext() as context:
            context.prec = 200
            number = Decimal(text)
            micros = number * (1_000_000 // divisor) if low <= number < high else Decimal("0.5")
        fits = micros == micros.to_integral_value()
        assert rejected(result) is not fits, text
        if fits:
            assert result == dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=int(micros)), text
