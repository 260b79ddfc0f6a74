"""What a terminal is given: control characters, widths, numbers."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.cli.output.excerpt import Sources, excerpt
from syncline.cli.output.jsontext import to_json
from syncline.cli.output.paint import Paint, columns, paint_for
from syncline.cli.output.table import render_table
from syncline.cli.output.text import cut, duration, pad, plural, visible, width
from syncline.model.diagnostic import Place


@given(st.text())
def test_visible_is_inert(text):
    """Whatever the text, no control, bidirectional or zero-width character is left in it."""
    assert not [c for c in visible(text) if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066\u200b\u2028"]


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
def test_visible_leaves_plain_text(text):
    """Printable ASCII is shown as it is."""
    assert visible(text) == text


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_cut_fits(text, cells):
    """A text that was cut is never wider than asked for."""
    assert width(cut(visible(text), cells)) <= cells


@given(
    st.recursive(
        st.text() | st.integers() | st.booleans() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_reads_back(data):
    """JSON with escapes for what a terminal would obey says the same as JSON without."""
    assert json.loads(to_json(data)) == json.loads(json.dumps(data))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0004, "0 ms"),
        (0.999, "999 ms"),
        (59.94, "59.9 s"),
        (61, "1 min 1 s"),
        (3_661, "1 h 1 min"),
        (172_799, "47 h 59 min"),
        (190_000, "2 d 4 h"),
    ],
)
def test_duration(seconds, shown):
    """A duration is shown in the unit that people would use."""
    assert duration(seconds) == shown


def test_plural():
    """A count and its noun agree."""
    assert [plural(n, "entry", "entries") for n in (0, 1, 2_000)] == ["0 entries", "1 entry", "2,000 entries"]


def test_table_aligns_wide_text():
    """Columns line up in cells, not in characters."""
    lines = render_table(("A", "N"), [("日本", "1"), ("ab", "1,000")], Paint(), right=frozenset({1})).splitlines()

    assert lines == ["A         N", "日本      1", "ab    1,000"]
    assert len({width(pad(line, 11)) for line in lines}) == 1


@pytest.mark.parametrize(
    ("line", "place", "marks"),
    [
        ("  frm: x", Place("f", 1, 3, 1, 6), "  ^^^"),
        ("\tfrm: x", Place("f", 1, 2, 1, 5), "    ^^^"),
        ("日本: x", Place("f", 1, 5, 1, 6), "      ^"),
        ("a\x1bb: x", Place("f", 1, 3, 1, 4), "     ^"),
        ("abc", Place("f", 1, 2, 3, 9), " ^^"),
        ("abc", Place("f", 1, 9), "   ^"),
        ("", Place("f", 1, 1), "^"),
    ],
    ids=["plain", "tab", "wide", "escaped", "several lines", "past the end", "empty"],
)
def test_carets(line, place, marks):
    """Carets stand under the range, however wide what is before it is shown."""
    assert excerpt(place, line, Paint(), gutter=1)[2] == f"  | {marks}"


def test_long_line_is_shown_around_the_range():
    """Of a line that doesn't fit, the part around the range is shown, and the carets are under it."""
    line = "x" * 300 + "HERE" + "y" * 300
    _, source, carets = excerpt(Place("f", 1, 301, 1, 305), line, Paint(), gutter=1, limit=80)

    assert width(source) <= 84
    assert source[carets.index("^") : carets.rindex("^") + 1] == "HERE"


def test_sources_stay_under_the_root(tmp_path):
    """An excerpt is never read from outside the repository, whatever a finding names."""
    (tmp_path / "secret").write_text("password\n", encoding="utf-8")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "secret")
    sources = Sources(tmp_path / "root")

    assert [sources.line(Place(name)) for name in ("../secret", "link", "absent", str(tmp_path / "secret"))] == [""] * 4


@pytest.mark.parametrize(
    ("environ", "allowed", "on"),
    [
        ({}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, False),
    ],
)
def test_colours_are_for_terminals(environ, allowed, on):
    """Without a terminal there are no colours unless they are asked for; NO_COLOR and --no-color win."""
    assert paint_for(io.StringIO(), environ, allowed=allowed).on is on


def test_columns_of_the_environment():
    """COLUMNS says how wide the output is, where no terminal does."""
    assert (columns(io.StringIO(), {"COLUMNS": "72"}), columns(io.StringIO(), {"COLUMNS": "x"})) == (72, 120)
