"""Runs as text and as data: the list, one of them, and what it rejected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from syncline.cli.output.paint import Paint
from syncline.cli.output.preview import render_rejects_table
from syncline.cli.output.receipt_text import paint_state, render_receipt, title
from syncline.cli.output.request_facts import request_facts
from syncline.cli.output.table import render_table
from syncline.cli.output.text import number, pad, plural, visible
from syncline.model.event import rfc3339
from syncline.model.run import PAGE, Receipt, Reject, RunState

if TYPE_CHECKING:
    from syncline.state.store import RunRecord


def record_data(record: RunRecord) -> dict[str, Any]:
    """A run as plain data."""
    return {**to_builtins(record), "key": str(record.key), "state": str(record.state)}


def render_runs(records: Sequence[RunRecord], paint: Paint) -> str:
    """A table of runs."""
    if not records:
        return "No runs yet.\n"
    head = ("RUN", "OBJECT", "STATE", "STARTED (UTC)", "READ", "WRITTEN", "REJECTED", "TRIGGER")
    rows = [
        (
            r.id,
            str(r.key),
            title(r.state) + (f" [{r.error_code}]" if r.error_code else ""),
            r.started[:19].replace("T", " "),
            number(r.counts.read),
            number(r.counts.written),
            number(r.counts.rejected),
            r.trigger,
        )
        for r in records
    ]
    return render_table(head, rows, paint, right=frozenset({4, 5, 6}))


def render_run(record: RunRecord, paint: Paint, rules: Mapping[str, int] | None = None) -> str:
    """One run: its receipt, else where it stands and why."""
    sampled = rules is not None and PAGE in rules
    kept = (
        f"\nA sample of an answer that couldn't be read is kept: syncline runs rejects {record.id}\n" if sampled else ""
    )
    if record.receipt is not None:
        return render_receipt(Receipt.from_json(record.receipt), paint, rules) + kept
    counts = record.counts
    facts = [
        ("started", record.started),
        ("ended", record.finished),
        (
            "records",
            f"{number(counts.read)} read, {number(counts.written)} written, {number(counts.rejected)} rejected",
        ),
        ("trigger", record.trigger + (f" of {record.parent}" if record.parent else "")),
        ("under", f"revision {record.revision[:12] or 'none'}, plan {record.plan[:12] or 'none'}"),
        ("waiting", _waits(record, rfc3339())),
        *request_facts(record.requests),
        ("error", f"[{record.error_code}] {record.error}" if record.error else ""),
    ]
    state = paint_state(record.state, title(record.state), paint)
    lines = [f"{state}: {paint.bold(visible(str(record.key)))}, run {record.id}", ""]
    lines += [f"  {pad(name, 9)} {visible(text)}" for name, text in facts if text]
    if record.state is RunState.interrupted:
        lines += ["", f"It resumes from its last commit: syncline run {visible(str(record.key))}"]
    return "\n".join(lines) + "\n" + kept


def _waits(record: RunRecord, now: str) -> str:
    """Until when a run waits, and why; '' for one that doesn't, or no longer."""
    wait = record.wait
    if record.state is not RunState.running or wait is None or wait.until <= now:
        return ""
    return f"until {wait.until[:19]}Z: {wait.why}"


def render_rejects(record: RunRecord, rejects: Sequence[Reject], paint: Paint, kept: int = 0) -> str:
    """The first rejects of a run, and how to get the others; `kept` are all, where its counts don't tell."""
    if not rejects:
        name = visible(str(record.key))
        if record.state is RunState.failed:
            hint = f"What doesn't fit is also shown by: syncline run {name} --dry-run --limit 1000"
            return f"No rejects of run {record.id} of {name} were kept: it failed before it committed any.\n{hint}\n"
        return f"Run {record.id} of {name} rejected nothing.\n"
    total = max(record.counts.rejected, len(rejects), kept)
    text = render_table_head(record, total, paint) + render_rejects_table(rejects, paint)
    if total > len(rejects):
        rest = plural(total - len(rejects), "more reject")
        text += f"\n… and {rest}. All of them: syncline runs rejects {record.id} -o csv --out rejects.csv\n"
    return text


def render_table_head(record: RunRecord, total: int, paint: Paint) -> str:
    """What the table is about."""
    return f"{paint.bold(plural(total, 'reject'))} of run {record.id}, {visible(str(record.key))}\n\n"
