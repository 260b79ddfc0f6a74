"""Places and positions: lines as YAML and as the protocol break them, columns in the units that were agreed on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol.types import Position, PositionEncodingKind

from syncline.editor.positions import Positions
from syncline.manifests.text import BREAK, MAX_BYTES
from syncline.model.diagnostic import Place

SMILE = "a: 😀b\nc: é"
UNITS = {
    PositionEncodingKind.Utf8: lambda text: len(text.encode()),
    PositionEncodingKind.Utf16: lambda text: sum(2 if ord(c) > 0xFFFF else 1 for c in text),
    PositionEncodingKind.Utf32: len,
}
TEXTS = st.text(st.sampled_from("ab :\n\r\x85\u2028é😀\U00010000"), max_size=30)


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 7), ("utf-16", 5), ("utf-32", 4)])
def test_a_character_beyond_the_basic_plane_is_as_long_as_the_encoding_has_it(encoding, column):
    """Column 5 of `a: 😀b` is the b: after four characters, five units of UTF-16 or seven bytes of UTF-8."""
    found = Positions(SMILE, encoding).range(Place("x", 1, 5, 1, 6))

    assert (found.start, found.end) == (Position(0, column), Position(0, column + 1))


def test_utf_16_is_what_holds_unless_something_else_was_agreed_on():
    """As the protocol says."""
    assert Positions(SMILE).position(4) == Position(0, 5)


def test_lines_that_only_yaml_breaks_are_one_for_the_protocol():
    """U+2028 and U+0085 end a line for findings; for the client what follows is further right in the same line."""
    at = Positions("a: 1\u2028b: 2\x85c: 3\r\nd: 4")

    assert at.range(Place("x", 2, 1, 2, 2)).start == Position(0, 5)
    assert at.range(Place("x", 3, 4, 3, 5)).start == Position(0, 13)
    assert at.range(Place("x", 4, 1, 4, 2)).start == Position(1, 0)
    assert at.place_at(at.offset(Position(0, 13))) == (2, 3)


def test_a_byte_order_mark_is_the_clients_and_not_the_findings():
    """The client counts it as a character of the first line; findings start after it."""
    at = Positions("\ufeffa: 1\nb: 2")

    assert at.range(Place("x", 1, 1, 1, 2)).start == Position(0, 1)
    assert at.range(Place("x", 2, 1, 2, 2)).start == Position(1, 0)
    assert at.place_at(at.offset(Position(0, 1))) == (0, 0)


def test_a_place_without_an_end_goes_to_the_end_of_its_line():
    """Findings about a line as a whole."""
    found = Positions("abc\ndefg\n").range(Place("x", 2, 1))

    assert (found.start, found.end) == (Position(1, 0), Position(1, 4))


@pytest.mark.parametrize("place", [Place("x", 1, 9, 1, 10), Place("x", 7, 1, 7, 2), Place("x", 1, 3, 9, 1)])
def test_what_is_beyond_the_text_is_at_its_end(place):
    """A finding may be about where something is missing, and a text may have changed since."""
    found = Positions("ab").range(place)

    assert found.start <= found.end == Position(0, 2)


@pytest.mark.parametrize("position", [Position(0, 99), Position(9, 0), Position(0, 2**31 - 1)])
def test_positions_beyond_the_text_are_at_its_end(position):
    """Whatever a client asks for, there is an answer."""
    assert Positions("ab😀").offset(position) == 3


def test_of_a_text_that_is_too_large_only_as_much_is_looked_at_as_shows_it():
    """As of a file, so that a log of a gigabyte that somebody opens keeps nothing waiting."""
    assert Positions("\n" * (MAX_BYTES + 99)).offset(Position(MAX_BYTES + 50, 0)) == MAX_BYTES + 1


def test_a_position_within_a_pair_is_after_the_character():
    """Nothing is between the halves of a surrogate pair."""
    assert Positions("😀b").offset(Position(0, 1)) == 1


@given(TEXTS, st.data())
def test_every_place_of_every_text_comes_back(content, data):
    """Offset → position → offset, and offset → place → offset, but for the middle of a line's break."""
    encoding = data.draw(st.sampled_from(sorted(UNITS)))
    at = Positions(content, encoding)
    offset = data.draw(st.integers(0, len(content)))
    if content[max(0, offset - 1) : offset + 1] == "\r\n":
        return

    position = at.position(offset)
    line, column = at.place_at(offset)
    before = content[:offset].replace("\r\n", "\n").replace("\r", "\n").split("\n")

    assert at.offset(position) == offset
    assert at.offset_of(line + 1, column + 1) == offset
    assert position == Position(len(before) - 1, UNITS[encoding](before[-1]))
    assert line == len(BREAK.findall(content[:offset]))
