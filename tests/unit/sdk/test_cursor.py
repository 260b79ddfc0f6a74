"""Cursor values: texts that compare by their type and are written back without loss."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.model.errors import Invalid
from syncline.sdk.cursor import CursorKind

TIMES = st.datetimes(timezones=st.timezones(), allow_imaginary=False)


@given(TIMES, TIMES)
def test_timestamps_compare_as_instants(one, other):
    """Two timestamps compare as Python's own instants do, whatever their zones."""
    kind = CursorKind("timestamp")
    left, right = one.astimezone(dt.UTC), other.astimezone(dt.UTC)
    assert (kind.key(one.isoformat()) < kind.key(other.isoformat())) == (left < right)  # type: ignore[operator]  # of one kind


@given(st.integers(-(10**18), 4 * 10**18))
def test_timestamps_are_written_back(nanoseconds):
    """A key written as text is the same key when it is read."""
    kind = CursorKind("timestamp")
    assert kind.key(kind.text(nanoseconds)) == nanoseconds


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "1700000000", "2024-01-01T00:00:00.1234567891Z"])
def test_what_is_no_timestamp(text):
    """Text that isn't ISO 8601, or has digits that would be lost, is refused."""
    with pytest.raises(ValueError):  # noqa: PT011 - the message quotes the text
        CursorKind("timestamp").key(text)


@pytest.mark.parametrize("text", ["1.5", "NaN", "Infinity", "x"])
def test_what_is_no_integer(text):
    """Fractions and what is no number are no integers."""
    with pytest.raises(ValueError, match="is no"):
        CursorKind("integer").key(text)


def test_formats_are_for_requests():
    """A declared format writes the bound in UTC."""
    kind = CursorKind("timestamp", "%d.%m.%Y %H:%M")
    assert kind.written("2024-02-29T23:30:00-02:00") == "01.03.2024 01:30"
    assert CursorKind("timestamp").written("2024-02-29T23:30:00-02:00") == "2024-02-29T23:30:00-02:00"


def test_days_shift_towards_the_earlier_one():
    """A lookback of hours on dates goes back a whole day: nothing is left out."""
    kind = CursorKind("date")
    assert kind.text(kind.shift(kind.key("2024-03-01"), -3600)) == "2024-02-29"


@pytest.mark.parametrize("name", ["integer", "string"])
def test_what_is_no_time_cannot_shift(name):
    """A cursor that is no time has no window or lookback."""
    kind = CursorKind(name)
    with pytest.raises(Invalid):
        kind.shift(kind.key("5"), 1)
