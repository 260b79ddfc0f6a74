"""Structured fields in their strict form, by the rules and examples of RFC 9651."""

from __future__ import annotations

import pytest

from syncline.sdk.structured_fields import member, strict


@pytest.mark.parametrize(
    ("structure", "text", "written"),
    [
        ("item", "  -0 ", "0"),
        ("item", "0042", "42"),
        ("item", "-0.0", "0.0"),
        ("item", "00.500", "0.5"),
        ("item", "999999999999.999", "999999999999.999"),
        ("item", ":aGVsbG8:", ":aGVsbG8=:"),
        ("item", '"a;b";x; y="z"', '"a;b";x;y="z"'),
        ("item", "a;x=1;y=2;x=3", "a;x=3;y=2"),
        ("item", '%"%41 %c3%bc%25"', '%"A %c3%bc%25"'),
        ("list", "", ""),
        ("list", "a\t,\tb", "a, b"),
        ("list", "(), (a;b  c);d", "(), (a;b c);d"),
        ("dictionary", "a=1, b, a=2;c", "a=2;c, b"),
        ("dictionary", "a=?1;b, c=?0", "a;b, c=?0"),
    ],
)
def test_there_is_one_way_of_writing(structure, text, written):
    """Numbers lose what says nothing, spaces are single, later values take their key's first place, true is left out."""
    assert strict(text, structure) == written
    assert strict(written, structure) == written


@pytest.mark.parametrize(
    ("structure", "text"),
    [
        ("item", ""),
        ("item", "a b"),
        ("item", "1."),
        ("item", "1.0000"),
        ("item", "1000000000000000"),
        ("item", "1000000000000.0"),
        ("item", "-"),
        ("item", "--1"),
        ("item", "٣"),
        ("item", '"ü"'),
        ("item", '"a'),
        ("item", r'"\a"'),
        ("item", ":a=GVs=:"),
        ("item", ":a:"),
        ("item", "?2"),
        ("item", "@1.5"),
        ("item", "@"),
        ("item", '%"%C3%BC"'),
        ("item", '%"%ff"'),
        ("item", "a;X=1"),
        ("item", "a, b"),
        ("list", "a,"),
        ("list", "a,,b"),
        ("list", "a b"),
        ("list", "(a"),
        ("list", "(a,b)"),
        ("list", '("a""b")'),
        ("list", "((a))"),
        ("dictionary", "A=1"),
        ("dictionary", "a=, b"),
        ("dictionary", "a=1;"),
    ],
)
def test_what_is_no_structured_field(structure, text):
    """A parser fails on anything else, so that two readers never take one text for different values."""
    with pytest.raises(ValueError, match=r".+"):
        strict(text, structure)


def test_a_member_of_a_dictionary():
    """One member's value is given with its parameters; a key that isn't there gives nothing; the whole has to be right."""
    assert member("a, b=(x y);z", "b") == "(x y);z"
    assert member("a, b=(x y);z", "a") == "?1"
    assert member("a", "b") is None
    with pytest.raises(ValueError, match="character"):
        member("a=1, b=", "a")


def test_long_texts_take_linear_time():
    """A long header is read or refused at once, however its parts nest or repeat."""
    assert len(strict(", ".join(["a;b=1"] * 20_000), "list")) == 20_000 * 7 - 2
    for hostile in ('"' + "\\\\" * 50_000, "(" * 100_000, ":" + "A" * 100_000, '%"' + "%41" * 30_000):
        with pytest.raises(ValueError, match="character"):
            strict(hostile, "list")
