from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from syncline.audit import canonical_json


@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_canonical_json_is_that_of_rfc_8785(shared: Path, name: str):
    """What writes log entries gives the bytes of the RFC author's test data, from each input and output."""
    folder = shared / "vectors/jcs-rfc8785/testdata"
    expected = bytes.fromhex((folder / "outhex" / f"{name}.txt").read_text())

    assert (folder / "output" / f"{name}.json").read_bytes() == expected
    for source in ("input", "output"):
        value = json.loads((folder / source / f"{name}.json").read_text(encoding="utf-8"))
        assert canonical_json.dumps(value) == rfc8785.dumps(value) == expected


def test_every_file_of_the_test_data_is_run(shared: Path):
    """No vector is left out of the list above."""
    names = {
        path.stem
        for path in (shared / "vectors/jcs-rfc8785/testdata").rglob("*.*")
        if path.parent.name in {"input", "output", "outhex"}
    }

    assert names == {"arrays", "french", "structures", "unicode", "values", "weird"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, -(2**53), "\ud800"])
def test_values_that_json_cannot_carry_are_refused(value: object):
    """A value that others would read as another one never reaches an entry."""
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical_json.dumps({"value": value})


_KEYS = st.text(max_size=6) | st.text('abYZ_.09\x00\x1f"\\/\x7f', max_size=6)
_PLAIN = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text()
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.recursive(_PLAIN | _FLOATS, lambda inner: st.lists(inner) | st.dictionaries(_KEYS, inner), max_leaves=20)
_SIMPLE = st.recursive(
    _PLAIN,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner),
    max_leaves=40,
)


@given(_VALUES | _SIMPLE)
def test_the_fast_encoder_gives_the_bytes_of_the_reference(value: Any):
    """Any value, and above all the simple ones that take the fast way, is written as the reference writes it."""
    assert canonical_json.dumps(value) == rfc8785.dumps(value)


def test_every_character_is_written_as_the_reference_writes_it():
    """No character of Unicode is escaped by one encoder and not by the other."""
    text = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)

    assert canonical_json.dumps([text]) == rfc8785.dumps([text])
