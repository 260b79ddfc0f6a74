"""Findings as JSON, version `syncline/findings/v1`: what other programs read. Fields may be added, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import to_builtins

from syncline.cli.output.jsontext import to_json
from syncline.model.codes import CODES
from syncline.model.diagnostic import Diagnostic, Severity

VERSION = "syncline/findings/v1"


def _finding(found: Diagnostic) -> dict[str, Any]:
    code = CODES.get(found.code)
    return {**to_builtins(found), "severity": str(found.severity), "title": code.title if code else ""}


def render_json(findings: Sequence[Diagnostic], files: Sequence[str]) -> str:
    """An object with the files that were read, counts by severity, and the findings in the order shown to people."""
    data = {
        "version": VERSION,
        "files": len(files),
        "summary": {str(s): sum(d.severity is s for d in findings) for s in Severity},
        "findings": [_finding(d) for d in findings],
    }
    return to_json(data)
