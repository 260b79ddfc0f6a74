"""A run's report: one page of HTML that needs nothing else, or plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import to_builtins
from msgspec.structs import replace

from syncline.cli.output.receipt_text import accounting_facts, cursor, latency_facts, title
from syncline.cli.output.request_facts import request_facts
from syncline.cli.output.text import duration, number, plural, visible
from syncline.model.key import ObjectKey
from syncline.model.run import Counts, Receipt, RunState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.executor.previews.report import Spread, Summary
    from syncline.state.store import RunRecord

VERSION = "syncline/report/v1"
#: Height of the tallest bar, in the units of the page's drawing.
_TALL = 46


def report_data(record: RunRecord, summary: Summary, environment: str = "") -> dict[str, Any]:
    """The report as plain data; `environment` is the state's, '' where there are none."""
    return {
        "version": VERSION,
        "run": record.id,
        "object": str(record.key),
        "environment": environment,
        "state": str(record.state),
        "started": record.started,
        "finished": record.finished,
        "error": {"code": record.error_code, "message": record.error} if record.error else None,
        "counts": record.counts.to_json(),
        "receipt": record.receipt,
        "rejects": to_builtins(summary),
    }


def reported(data: Mapping[str, Any]) -> RunRecord:
    """The run that a report is about, as far as it says; `KeyError` or `ValueError` where that isn't whole."""
    from syncline.state.store import RunRecord

    error, receipt = data["error"] or {}, data["receipt"]
    return RunRecord(
        id=data["run"],
        key=ObjectKey.parse(data["object"]),
        state=RunState(data["state"]),
        trigger="",
        revision="",
        plan="",
        started=data["started"],
        finished=data["finished"],
        counts=Counts(**data["counts"]),
        error=error.get("message", ""),
        error_code=error.get("code", ""),
        receipt=receipt,
    )


def render_report(record: RunRecord, summary: Summary, *, values: bool = False) -> str:
    """The report as HTML: no script, nothing from elsewhere, every value escaped."""
    return render_page(
        "run.html",
        title=title(record.state),
        object=visible(str(record.key)),
        state=str(record.state),
        run=record.id,
        error=visible(record.error),
        code=record.error_code,
        tiles=_tiles(record, summary.count),
        facts=[(name, visible(value)) for name, value in _facts(record) if value],
        **rejects_shown(summary, values=values),
    )


def _tiles(record: RunRecord, kept: int) -> list[dict[str, str]]:
    """The counts of a run; of one that failed, what it committed, and the rejects that it kept besides."""
    counts = record.counts
    kinds = ("inserted", "updated", "unchanged", "deleted")
    written = ", ".join(f"{number(count)} {name}" for name in kinds if (count := getattr(counts, name)))
    rejected = f"{counts.rejected / counts.read:.2%} of those read" if counts.read and counts.rejected else ""
    notes = {"written": written, "rejected": rejected, "absent": "rows deleted"}
    if record.error and kept > counts.rejected:
        counts = replace(counts, rejected=kept)
        notes |= {"read": "and committed", "rejected": "of what it looked at"}
    return [
        {"name": name, "value": number(getattr(counts, name)), "note": notes.get(name, "")}
        for name in ("read", "written", "rejected", "skipped", *(("absent",) if counts.absent else ()))
    ]


def _facts(record: RunRecord) -> list[tuple[str, str]]:
    under = f"revision {record.revision[:12] or 'none'}, plan {record.plan[:12] or 'none'}"
    facts = [("started", record.started), ("ended", record.finished)]
    if record.receipt is None:
        return [*facts, *request_facts(record.requests), ("under", under)]
    receipt = Receipt.from_json(record.receipt)
    moved = f"{cursor(receipt.cursor_before)} → {cursor(receipt.cursor_after)}"
    return [
        ("from", receipt.source),
        ("to", receipt.destination),
        *facts,
        ("took", duration(receipt.seconds)),
        *latency_facts(receipt.latency, receipt.batches),
        *request_facts(receipt.requests),
        ("cursor", moved),
        ("digest read", receipt.read_digest),
        ("digest written", receipt.written_digest),
        ("under", under),
        *accounting_facts(receipt),
        *(("note", note) for note in receipt.notes),
    ]


def render_page(name: str, **values: Any) -> str:
    """A page of `pages/`, with every value escaped; a value that a page asks for and isn't given is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("syncline.cli.output", "pages")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(name).render(values)


def rejects_shown(summary: Summary, *, values: bool) -> dict[str, Any]:
    """What `rejects.html` shows."""
    return {
        "broken": _broken(summary),
        "spread": [_spread(spread) for spread in summary.spread],
        "values": values,
    }


def _broken(summary: Summary) -> list[dict[str, Any]]:
    most = max((rule.count for rule in summary.broken), default=1)
    return [
        {
            "field": visible(rule.field),
            "rule": rule.rule,
            "count": number(rule.count),
            "share": f"{rule.count / summary.count:.1%}",
            "width": round(100 * rule.count / most, 2),
            "samples": [{name: visible(text) for name, text in to_builtins(sample).items()} for sample in rule.samples],
        }
        for rule in summary.broken
    ]


def _spread(spread: Spread) -> dict[str, Any]:
    most = max(spread.parts)
    return {
        "file": visible(spread.file),
        "count": plural(spread.count, "reject"),
        "first": number(spread.first),
        "last": number(spread.last),
        "bars": [round(_TALL * part / most, 2) for part in spread.parts],
    }
