"""Forecasts in words, shared by the plan as text and as Markdown: what the next runs of flows would do to rows."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.cli.output.paint import Paint
from syncline.cli.output.text import number, plural, visible
from syncline.model.forecast import Forecast
from syncline.planner.pace import lasting


def basis(found: Forecast) -> str:
    """`exact: 12 records`, or `sampled: the first 100 of about 1,200 records`."""
    where = " past its position" if found.resumed else ""
    read = plural(found.counts.read, "record")
    if found.exact:
        return f"exact: {read}{where}"
    of = f" of about {number(found.total)}" if found.total is not None else ""
    return f"sampled: the first {number(found.counts.read)}{of} records{where}"


def outcome(found: Forecast) -> str:
    """`3 to insert, 1 to update, 8 unchanged, 0 to delete, 2 rejected`; what wasn't compared is to be written."""
    counts = found.counts
    parts = [f"{number(counts.written)} to write"]
    if found.compared:
        parts = [
            f"{number(counts.inserted)} to insert",
            f"{number(counts.updated)} to update",
            f"{number(counts.unchanged)} unchanged",
            f"{number(counts.deleted + counts.absent)} to delete",
        ]
    parts.append(f"{number(counts.rejected)} rejected")
    if counts.skipped:
        parts.append(f"{number(counts.skipped)} skipped")
    return ", ".join(parts) + (f"; {found.note}" if found.note else "")


def work(found: Forecast) -> str:
    """`about 12 requests, at most 100/min: less than a minute`; empty where no API is asked."""
    if not found.requests:
        return ""
    bound = f", at most {found.limit}" if found.limit else ""
    if found.requests_needed is None:
        return f"{plural(found.requests, 'request')} for these{bound}; how many the whole run takes isn't known"
    takes = f": {lasting(found.seconds_needed)}" if found.seconds_needed is not None else ""
    about = "" if found.exact else "about "
    return f"{about}{plural(found.requests_needed, 'request')}{bound}{takes}"


def reasons(found: Forecast) -> list[str]:
    """Why the first of the rejected would be."""
    return [f"{r.place}: {r.message} ({r.field + ': ' if r.field else ''}{r.rule})" for r in found.reasons]


def render_data(data: tuple[Forecast, ...], paint: Paint) -> Iterator[str]:
    """The section of a plan as text."""
    if not data:
        return
    yield paint.bold("Data") + paint.dim(" (read from the sources just now; nothing was written)")
    for found in data:
        if found.problem:
            yield f"  {visible(str(found.key))}  {paint.red('not tried: ' + visible(found.problem))}"
            yield from _notes(found, paint)
            continue
        yield f"  {visible(str(found.key))}  {paint.dim(basis(found))}"
        yield f"      {visible(outcome(found))}"
        if found.reasons:
            yield from (f"      {paint.red('!')} {visible(line)}" for line in reasons(found))
        if takes := work(found):
            yield f"      {paint.dim('·')} {visible(takes)}"
        yield from _notes(found, paint)
    yield ""


def _notes(found: Forecast, paint: Paint) -> Iterator[str]:
    yield from (f"      {paint.dim('·')} {visible(note)}" for note in found.notes)
