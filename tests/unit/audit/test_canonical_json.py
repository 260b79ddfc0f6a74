from __future__ import annotations

import json
from pathlib import Path

import pytest
import rfc8785


@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_canonical_json_is_that_of_rfc_8785(shared: Path, name: str):
    """The library that writes log entries gives the bytes of the RFC author's test data, from each input and output."""
    folder = shared / "vectors/jcs-rfc8785/testdata"
    expected = bytes.fromhex((folder / "outhex" / f"{name}.txt").read_text())

    assert (folder / "output" / f"{name}.json").read_bytes() == expected
    for source in ("input", "output"):
        assert rfc8785.dumps(json.loads((folder / source / f"{name}.json").read_text(encoding="utf-8"))) == expected


def test_every_file_of_the_test_data_is_run(shared: Path):
    """No vector is left out of the list above."""
    names = {
        path.stem
        for path in (shared / "vectors/jcs-rfc8785/testdata").rglob("*.*")
        if path.parent.name in {"input", "output", "outhex"}
    }

    assert names == {"arrays", "french", "structures", "unicode", "values", "weird"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, -(2**53)])
def test_numbers_that_json_cannot_carry_are_refused(value: float):
    """A number that others would read as another one never reaches an entry."""
    with pytest.raises(rfc8785.CanonicalizationError):
        rfc8785.dumps({"value": value})
