"""Tests of the comment on a pull request: what it shows where there is more than it has room for."""

from __future__ import annotations

from pathlib import Path

from syncline.cli.output.comment import render_comment
from syncline.cli.output.excerpt import Sources
from syncline.cli.output.findings_text import summary
from syncline.cli.output.paint import Paint
from syncline.model.diagnostic import Diagnostic, Place, Severity

WARNINGS = [
    Diagnostic("SYN288", f"the variable 'v{n}' is not used", Place("environments.yaml", n), severity=Severity.warning)
    for n in range(1, 61)
]
ERROR = Diagnostic("SYN204", "'upserts' is not one of the values of 'write'", Place("imports/customers.yaml", 9))


def test_an_error_is_shown_before_any_warning():
    """After sixty warnings of a file that comes first, the one error is at the top, and its code is pointed to."""
    said = render_comment("", None, [*WARNINGS, ERROR], (), 2, Sources(Path()))

    assert "1 error and 60 warnings" in said
    assert said.index("SYN204") < said.index("SYN288")
    assert "syncline explain SYN204" in summary([*WARNINGS, ERROR], 2, 3, Paint())
    assert "syncline explain SYN288" in summary(WARNINGS, 2, 3, Paint())
