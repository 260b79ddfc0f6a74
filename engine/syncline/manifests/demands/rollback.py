"""What an import that can be undone demands of its destination."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from syncline.kinds.import_ import ImportSpec
from syncline.manifests.findings import Problem
from syncline.manifests.flow import Flow

#: Runtimes that keep what undoing needs.
_KEEPING: Final = frozenset({"sql", "file"})
_ELSEWHERE: Final = "Write to PostgreSQL, MariaDB, SQLite, DuckDB or a folder of files, or leave rollback out."


def rollback(flow: Flow) -> Iterator[Problem]:
    """Findings about an import that is to be undone later, and couldn't be."""
    spec = flow.spec
    if not isinstance(spec, ImportSpec) or spec.rollback is None:
        return
    if flow.target.runtime not in _KEEPING:
        message = f"what is written by {flow.target.runtime} can't be taken back"
        yield Problem("SYN760", ("spec", "rollback"), f"this import can't be undone: {message}", help=_ELSEWHERE)
