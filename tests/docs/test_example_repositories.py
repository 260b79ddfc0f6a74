"""Repositories under `examples/` that need systems of others are valid at least."""

from __future__ import annotations

from syncline import workflow
from syncline.settings import read_settings
from tests.docs.blocks import ROOT


def test_files_on_servers_is_valid(tmp_path):
    """Every manifest of the example is right, and policy denies nothing of it."""
    found = workflow.validate(read_settings(ROOT / "examples" / "files-on-servers", {"SYNCLINE_HOME": str(tmp_path)}))
    assert found.diagnostics == ()
    assert len(found.flows) == 3
