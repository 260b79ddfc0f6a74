"""How a run ended, as text: the figures of its receipt, what broke which rule, and what to do next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from syncline.cli.output.paint import Paint
from syncline.cli.output.request_facts import request_facts
from syncline.cli.output.text import cut, duration, number, pad, plural, short, visible
from syncline.model.latency import Latency
from syncline.model.run import MAX_FILES, OTHER_FILES, PAGE, FileCounts, Receipt, RunState

_TOP = 5
_FILES = 10
_RATED = 1_000  # fewer rows say nothing about speed
_TITLES = {
    RunState.pending: "Pending",
    RunState.running: "Running",
    RunState.interrupted: "Interrupted",
    RunState.succeeded: "Succeeded",
    RunState.partial: "Finished with rejects",
    RunState.failed: "Failed",
}


def paint_state(state: RunState, text: str, paint: Paint) -> str:
    """A text in the colour of a run's state."""
    match state:
        case RunState.succeeded:
            return paint.green(text)
        case RunState.partial | RunState.interrupted:
            return paint.yellow(text)
        case RunState.failed:
            return paint.red(text)
        case RunState.pending | RunState.running:
            return paint.cyan(text)


def title(state: RunState) -> str:
    """A run's state in words."""
    return _TITLES[state]


def cursor(value: Any) -> str:
    """A cursor on one line, in the words of its source; `start` where nothing was read yet."""
    match value:
        case None:
            return "start"
        case {"cursor": str() | int() as reached}:
            value = str(reached)
        case {"done": dict() as files}:
            return plural(len(files), "file") + " read"
        case {"done": True}:
            return "end"
        case {"record": int() as count}:
            return plural(count, "record")
        case _:
            pass
    return cut(visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)), 48)


def _figures(receipt: Receipt) -> list[tuple[str, str, str]]:
    counts = receipt.counts
    rate = f"{number(counts.read / receipt.seconds)} rows/s" if receipt.seconds and counts.read >= _RATED else ""
    kinds = [
        f"{number(n)} {name}"
        for name in ("inserted", "updated", "unchanged", "deleted")
        if (n := getattr(counts, name))
    ]
    return [
        ("read", number(counts.read), rate),
        ("written", number(counts.written), ", ".join(kinds)),
        ("rejected", number(counts.rejected), ""),
        ("skipped", number(counts.skipped), f"{number(counts.suppressed)} suppressed" if counts.suppressed else ""),
        *([("absent", number(counts.absent), "rows deleted")] if counts.absent else []),
    ]


def latency_facts(latency: Latency | None, batches: int) -> list[tuple[str, str]]:
    """What batches took, on two lines; which of the run's `batches` it is about, where that isn't all."""
    if latency is None:
        return []
    whole = latency.whole
    of = "" if latency.batches == batches else f", of the last {plural(latency.batches, 'batch', 'batches')}"
    phases = {"read": latency.read, "map": latency.map, "write": latency.write}
    parts = ", ".join(f"{name} {short(each.p50)} (p99 {short(each.p99)})" for name, each in phases.items())
    return [
        ("latency", f"p50 {short(whole.p50)}, p99 {short(whole.p99)}, at most {short(whole.max)} a batch{of}"),
        ("phases", f"p50: {parts}"),
    ]


def _facts(receipt: Receipt) -> list[tuple[str, str]]:
    batches = plural(receipt.batches, "batch", "batches")
    facts = [
        ("from", visible(receipt.source)),
        ("to", visible(receipt.destination)),
        ("cursor", f"{cursor(receipt.cursor_before)} → {cursor(receipt.cursor_after)}"),
        ("digests", f"read {receipt.read_digest[:12]}, written {receipt.written_digest[:12]}, over {batches}"),
        *latency_facts(receipt.latency, receipt.batches),
        *request_facts(receipt.requests),
        ("under", f"revision {visible(receipt.revision[:12]) or 'none'}, plan {receipt.plan[:12] or 'none'}"),
    ]
    facts += accounting_facts(receipt)
    if receipt.resumed:
        facts.append(("resumed", plural(receipt.resumed, "time")))
    return [(name, text) for name, text in facts if text]


def accounting_facts(receipt: Receipt) -> list[tuple[str, str]]:
    """What ties the source's files to the destination's rows: the files, those with rejects first, and how many rows
    were there then.
    """
    every = receipt.file_counts or dict.fromkeys(receipt.files, FileCounts())
    order = sorted(every.items(), key=lambda pair: -pair[1].rejected)
    facts = [("file", _file(receipt, *pair)) for pair in order[:_FILES]]
    if len(order) > _FILES:
        facts.append(("", f"… and {plural(len(order) - _FILES, 'more file')}"))
    if receipt.rows is not None:
        facts.append(("then", f"{plural(receipt.rows, 'row')} in the table"))
    return facts


def _file(receipt: Receipt, name: str, counts: FileCounts) -> str:
    """A file on one line: its records, where they are known, and what tells it from another of its name."""
    shown = [visible(name) if name != OTHER_FILES else f"all files after the first {number(MAX_FILES)}"]
    if receipt.file_counts:
        shown.append(f"{number(counts.read)} read, {number(counts.rejected)} rejected")
    if digest := receipt.files.get(name):
        shown.append(f"SHA-256 {digest}")
    elif counts.size is not None:
        shown.append(plural(counts.size, "byte"))
    return ", ".join(shown)


def _rules(rules: Mapping[str, int], paint: Paint) -> list[str]:
    shown = list(rules.items())[:_TOP]
    size = max(len(number(count)) for _, count in shown)
    lines = ["", paint.bold("Rejected for")]
    lines += [f"  {number(count).rjust(size)}  {visible(rule)}" for rule, count in shown]
    if len(rules) > _TOP:
        lines.append(f"  {' ' * size}  … and {plural(len(rules) - _TOP, 'more rule')}")
    return lines


def render_receipt(receipt: Receipt, paint: Paint, rules: Mapping[str, int] | None = None) -> str:
    """The receipt; `rules` are counts of rejects by what they broke (`field: rule`), most first."""
    ended = paint_state(receipt.state, title(receipt.state), paint)
    lines = [f"{ended} in {duration(receipt.seconds)}: {paint.bold(visible(receipt.object))}, run {receipt.run}", ""]
    figures = _figures(receipt)
    size = max(len(value) for _, value, _ in figures)
    for name, value, remark in figures:
        tail = f"  {paint.dim(remark)}" if remark else ""
        shown = value.rjust(size)
        lines.append(
            f"  {pad(name, 9)} {paint.yellow(shown) if name == 'rejected' and receipt.counts.rejected else shown}{tail}"
        )
    lines.append("")
    lines += [f"  {pad(name, 9)} {text}" for name, text in _facts(receipt)]
    lines += [f"  {pad('note', 9)} {visible(note)}" for note in receipt.notes]
    rules = {rule: count for rule, count in (rules or {}).items() if rule != PAGE}
    if rules:
        lines += _rules(rules, paint)
    if receipt.counts.rejected:
        lines += ["", paint.bold("Next")]
        lines.append(f"  syncline runs rejects {receipt.run}  {paint.dim('what was rejected, and why')}")
        lines.append(f"  syncline runs retry {receipt.run}    {paint.dim('once the mapping or the source is right')}")
    return "\n".join(lines) + "\n"
