"""What is written over the text at a finding's place."""

from __future__ import annotations

import pytest

from syncline.manifests.replacement import replacement

WRITTEN = {
    "a name": ("nmae", "name", "name"),
    "a name in quotes": ("'nmae'", "name", "'name'"),
    "a variable, whose braces need their quotes": ('"${plase}"', "${place}", '"${place}"'),
    "quotes in quotes": ("'a'", "it's", "'it''s'"),
    "quotes and slashes in double quotes": ('"a"', '"\\', '"\\"\\\\"'),
    "a stream": ("crm/custmers", "crm/customers", "crm/customers"),
    "a version": ("file@^9", "file@^1.0.0", "file@^1.0.0"),
    "a word by several": ("v1", "syncline/v1", "syncline/v1"),
    "a name with more dashes": ("eu-wset", "eu-north-1", "eu-north-1"),
}
LEFT = {
    "a function of an expression": ("lowr(name)", "lower"),
    "one in quotes": ('"lowr(name)"', "lower"),
    "the end of an expression": ('nmae)"', "name"),
    "a field of what is meant": ("nmae.first", "name"),
    "a word of a template": ('"/a/{{ jb.id }}"', "job"),
    "a field of a condition": ("event.objekt == 'x' && true", "event.object"),
    "lines": ("lowr(\n  name)", "lower"),
    "nothing": ("nmae", ""),
    "an open quote": ('"', "name"),
}


@pytest.mark.parametrize(("written", "suggestion", "instead"), WRITTEN.values(), ids=WRITTEN)
def test_what_was_meant_is_written_in_the_quotes_that_there_are(written, suggestion, instead):
    """A whole value or name, by the one that is like it."""
    assert replacement(written, suggestion) == instead


@pytest.mark.parametrize(("written", "suggestion"), LEFT.values(), ids=LEFT)
def test_nothing_is_written_where_the_rest_would_be_lost(written, suggestion):
    """A suggestion for a word of an expression replaces no expression."""
    assert replacement(written, suggestion) == ""
