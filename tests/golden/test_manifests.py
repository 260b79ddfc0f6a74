"""Exactly what a person is told about each broken file in `manifests/`: every finding with every field.

With UPDATE_GOLDEN=1 in the environment the expectations are written anew: read the difference before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from syncline.manifests.load import load_text
from syncline.model.diagnostic import Diagnostic

FOLDER = Path(__file__).parent / "manifests"


def shown(finding: Diagnostic) -> str:
    """A finding as lines of text, without the fields that are empty."""
    place = finding.place
    assert place is not None
    lines = [f"{place.line}:{place.column}-{place.end_line}:{place.end_column} {finding.severity} {finding.code}"]
    fields = ("message", "expected", "suggestion", "help", "subject", "excerpt")
    lines += [f"  {name}: {value}" for name in fields if (value := getattr(finding, name))]
    lines += [
        f"  related: {related.place.line}:{related.place.column} {related.message}" for related in finding.related
    ]
    return "\n".join(lines)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_findings(path):
    """The findings of a broken file are these, in this order, and no others."""
    result = load_text(path.read_text(encoding="utf-8"), path.name)
    found = "\n".join(map(shown, result.diagnostics)) + "\n"
    golden = path.with_suffix(".txt")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found, encoding="utf-8")

    assert found == golden.read_text(encoding="utf-8")


def test_no_orphans():
    """Every expectation belongs to a broken file."""
    assert {p.stem for p in FOLDER.glob("*.txt")} == {p.stem for p in FOLDER.glob("*.yaml")}
