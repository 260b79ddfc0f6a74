"""Findings about what a person wrote: data only, rendered elsewhere (`cli/output/`).

A finding is always one `Diagnostic`: a stable code (see `model/codes.py`), a severity, the place it is about, what was
expected and what to do next. Loaders and checkers return all of them at once, never the first only.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field


class Severity(StrEnum):
    """How bad a finding is. Only `error` makes a command fail."""

    error = "error"
    warning = "warning"
    note = "note"


class Place(Struct, frozen=True, order=True):
    """A range in a file. Lines and columns count from 1; `end_column` is exclusive. `file` is relative to the root."""

    file: str
    line: int = 1
    column: int = 1
    end_line: int = 0
    end_column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Related(Struct, frozen=True):
    """A second place that explains a finding, such as where a name was first defined."""

    place: Place
    message: str


class Diagnostic(Struct, frozen=True):
    """One finding.

    `message` is one sentence saying what is wrong, with the offending value; `expected` what would have been right;
    `suggestion` a text for the place, or for a word in it ("did you mean"); `help` what to do next. `subject` is the
    object it is about; `excerpt` the source line that `place` points into, when it is known, so that rendering needs no
    file.
    """

    code: str
    message: str
    place: Place | None = None
    severity: Severity = Severity.error
    expected: str = ""
    suggestion: str = ""
    help: str = ""
    subject: str = ""
    excerpt: str = ""
    related: tuple[Related, ...] = field(default=())

    def sort_key(self) -> tuple[object, ...]:
        """Findings are shown by file, then position, then code."""
        place = self.place or Place("")
        return (place.file, place.line, place.column, self.code, self.message)


def has_errors(diagnostics: tuple[Diagnostic, ...] | list[Diagnostic]) -> bool:
    """Whether any finding is an error."""
    return any(d.severity is Severity.error for d in diagnostics)
