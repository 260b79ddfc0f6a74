"""Findings as GitLab's code quality report (the subset of Code Climate's format that GitLab reads)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from syncline.cli.output.jsontext import to_json
from syncline.cli.output.text import visible
from syncline.model.diagnostic import Diagnostic, Severity

_SEVERITY = {Severity.error: "major", Severity.warning: "minor", Severity.note: "info"}


def render_gitlab(findings: Sequence[Diagnostic]) -> str:
    """A list with an entry for each finding that has a place; others have no line to stand beside."""
    entries = []
    seen: dict[str, int] = {}
    for found in findings:
        if found.place is None:
            continue
        identity = json.dumps([found.code, found.place.file, found.subject, found.message])
        seen[identity] = seen.get(identity, 0) + 1  # GitLab shows one of several with the same fingerprint
        entries.append(
            {
                "description": " ".join(filter(None, (visible(found.message), visible(found.help)))),
                "check_name": found.code,
                "fingerprint": hashlib.sha256(f"{identity}{seen[identity]}".encode()).hexdigest(),
                "severity": _SEVERITY[found.severity],
                "location": {"path": found.place.file, "lines": {"begin": found.place.line}},
            }
        )
    return to_json(entries)
