"""Findings as diagnostics of the Language Server Protocol: the same codes, places and words as everywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lsprotocol import types

from syncline.editor.positions import Positions
from syncline.model.diagnostic import Diagnostic, Place, Severity

_SEVERITY: Final = {
    Severity.error: types.DiagnosticSeverity.Error,
    Severity.warning: types.DiagnosticSeverity.Warning,
    Severity.note: types.DiagnosticSeverity.Information,
}


def diagnostic(found: Diagnostic, positions: Callable[[str], Positions], uri: Callable[[str], str]) -> types.Diagnostic:
    """A finding at its place. `data` has its words one by one; `positions` and `uri` are of files."""

    def within(place: Place) -> types.Range:
        return positions(place.file).range(place)

    related = [
        types.DiagnosticRelatedInformation(types.Location(uri(other.place.file), within(other.place)), other.message)
        for other in found.related
    ]
    return types.Diagnostic(
        range=within(found.place) if found.place else Positions("").between(0, 0),
        message=_message(found),
        severity=_SEVERITY[found.severity],
        code=found.code,
        source="syncline",
        related_information=related or None,
        data={name: getattr(found, name) for name in ("message", "expected", "suggestion", "help", "subject")},
    )


def _message(found: Diagnostic) -> str:
    lines = [found.message]
    if found.suggestion:
        lines.append(f"did you mean {found.suggestion}?")
    if found.expected:
        lines.append(f"expected: {found.expected}")
    if found.help:
        lines.append(f"help: {found.help}")
    return "\n".join(lines)
