"""What undoing a run would do, as text and as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from syncline.cli.output.paint import Paint
from syncline.cli.output.text import number, pad, visible
from syncline.executor.start import is_final

if TYPE_CHECKING:
    from syncline.executor.undo import UndoPlan

VERSION = "syncline/undo-plan/v1"


def undo_plan_data(plan: UndoPlan) -> dict[str, Any]:
    """A plan as plain data."""
    return {
        "version": VERSION,
        "run": plan.record.id,
        "object": str(plan.record.key),
        "destination": plan.destination,
        "table": plan.kept.table,
        "until": plan.kept.until.isoformat(timespec="seconds"),
        **to_builtins(plan.found),
    }


def render_undo_plan(plan: UndoPlan, paint: Paint) -> str:
    """A plan: what would become of the rows, until when it can be done, and how."""
    record, found = plan.record, plan.found
    figures = [
        ("deleted", found.deleted, "inserted by the run", False),
        ("restored", found.restored, "updated or replaced by the run, back to what they were before", False),
        ("left", found.touched, "written to since: they stay as they are", True),
        ("gone", found.gone, "no longer there as the run left them", True),
    ]
    figures = [figure for figure in figures if figure[1] or not figure[3]]
    size = max(len(number(count)) for _, count, _, _ in figures)
    title = f"Undoing run {record.id} of {paint.bold(visible(str(record.key)))}, in {visible(plan.destination)}"
    lines = [title, ""]
    for name, count, what, warns in figures:
        shown = number(count).rjust(size)
        lines.append(f"  {pad(name, 9)} {paint.yellow(shown) if warns else shown}  {what}")
    lines += ["", f"  {pad('until', 9)} {plan.kept.until:%Y-%m-%d %H:%M} UTC"]
    if record.parent:
        lines.append(f"  {pad('after', 9)} what run {visible(record.parent)} rejected can be retried again")
    else:
        lines.append(f"  {pad('after', 9)} the next run reads from the start")
    if not is_final(record):
        lines.append(f"  {pad('', 9)} the run was stopped before its end, and won't be continued")
    do = f"syncline runs rollback {record.id} --yes"
    lines += ["", f"Nothing was changed. To do it: {do}"]
    return "\n".join(lines) + "\n"
