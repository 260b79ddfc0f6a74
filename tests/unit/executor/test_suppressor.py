"""Who isn't to come back: columns are searched as single texts are, and what is kept of somebody tells nobody else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.executor.batches.suppressor import Marks, Suppressor

if TYPE_CHECKING:
    from syncline.executor.batches.suppressor import _Looked

NOBODY = Marks.of(b"k" * 32, "customer")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)


@given(st.lists(st.none() | TEXTS, max_size=30), st.lists(TEXTS, min_size=1, max_size=5))
def test_a_column_is_searched_as_texts_are(column, people):
    """Whatever the texts are, exactly the rows that have one of a person's are found."""
    marks = NOBODY.with_kept(NOBODY.dumps(people))
    found = marks.rows(pl.Series(column, dtype=pl.String))
    assert found == [row for row, text in enumerate(column) if text in people]
    assert found == [row for row, text in enumerate(column) if text is not None and marks.meets(text)]


@given(st.lists(TEXTS, min_size=1, max_size=30))
def test_a_column_has_the_tags_of_its_texts(texts):
    """Columns and single texts have the same tags, so that those that are kept stay right."""
    series = pl.Series("text", texts, dtype=pl.String)
    tags = series.to_frame().select(NOBODY.tagged(pl.col("text"))).to_series().to_list()
    assert tags == [NOBODY.tag(text.encode()) for text in texts]


def test_a_tag_stays_what_it_was():
    """What was kept by an earlier version still tells the person: tags and hashes are fixed."""
    kept = NOBODY.dumps(["ada@example.com"])
    assert kept == b'[[2297298959,"510b5f22e239fa97c8b01acfc27b6208"]]'
    assert NOBODY.with_kept(kept).meets("ada@example.com")


def test_what_is_kept_is_of_one_key_and_kind():
    """Under another tenant's key, or as another kind of person, the same text is nobody's."""
    kept = NOBODY.dumps(["ada@example.com"])
    for other in (Marks.of(b"o" * 32, "customer"), Marks.of(b"k" * 32, "employee")):
        assert not other.with_kept(kept).meets("ada@example.com")
    assert b"ada" not in kept


def test_what_is_kept_is_added_to():
    """What was kept of a person stays when more is found that tells them."""
    kept = NOBODY.dumps(["ADA@example.com"], NOBODY.dumps(["ada@example.com"]))
    assert all(NOBODY.with_kept(kept).meets(text) for text in ("ada@example.com", "ADA@example.com"))


@pytest.mark.parametrize(
    "text",
    [
        "7,ada@example.com,x",
        "said ada@example.com",
        "GET /people/ada%40example.com/notes",
        "GET /people?query=email%3Aada%40example.com&page=2",
    ],
)
def test_what_cannot_be_parsed_is_searched_by_word_and_by_part_of_a_url(text):
    """A line of a file, and the request whose answer ended a run."""
    marks = NOBODY.with_kept(NOBODY.dumps(["ada@example.com"]))
    found = Suppressor((cast("_Looked", SimpleNamespace(marks=marks)),))
    assert found.names(text)
    assert not found.names(text.replace("ada", "eve"))
