"""Exactly what a person is told of a repository whose environments, patches and variables are full of mistakes."""

from __future__ import annotations

import os
from pathlib import Path

from syncline import workflow
from syncline.cli.output.excerpt import Sources
from syncline.cli.output.findings_text import render_text
from syncline.cli.output.paint import Paint
from syncline.manifests.overlay import in_environments
from syncline.settings import read_settings

FOLDER = Path(__file__).parent / "overlays"


def test_findings_of_all_environments():
    """Every finding once, at its place in the patch, the manifest or the variables; no credential is shown."""
    found = workflow.validate_each(read_settings(FOLDER, {}))
    text = render_text(in_environments({name: v.diagnostics for name, v in found.items()}), Sources(FOLDER), Paint())
    golden = FOLDER / "findings.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")

    assert text == golden.read_text(encoding="utf-8")
    assert "canary" not in text
