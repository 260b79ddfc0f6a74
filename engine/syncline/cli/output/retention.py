"""What is kept for a time only, and what became of it, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from syncline.cli.output.paint import Paint
from syncline.cli.output.table import render_table
from syncline.cli.output.text import number, visible

if TYPE_CHECKING:
    from syncline.executor.retention.old_rows import Retained

_HEAD = ("OBJECT", "WHAT", "OF BEFORE (UTC)", "TOO OLD", "")


def render_retained(found: Sequence[Retained], paint: Paint) -> str:
    """A table of what is too old."""
    if not found:
        return "Nothing is declared to be kept for a time only.\n"
    rows = [(str(r.key), r.what, r.before[:19].replace("T", " "), number(r.count), _state(r, paint)) for r in found]
    return render_table(_HEAD, rows, paint, right=frozenset({3}), cells=80)


def _state(found: Retained, paint: Paint) -> str:
    match found.state:
        case "due":
            return "is deleted" if found.count else "nothing"
        case "deleted":
            return paint.green("deleted")
        case "held":
            return f"stays: {visible(found.message)}"
        case "busy":
            return f"later: {visible(found.message)}"
        case _:
            return paint.red(f"✗ {visible(found.message)}")
