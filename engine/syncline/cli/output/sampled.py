"""Records of a stream: as a table, as JSON (`syncline/sample/v1`), or one JSON object a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from syncline.cli.output.jsontext import to_json
from syncline.cli.output.paint import Paint
from syncline.cli.output.preview import plain, render_rows
from syncline.cli.output.table import render_table
from syncline.cli.output.text import plural, visible

if TYPE_CHECKING:
    from syncline.inspection import Sampled
    from syncline.model.key import ObjectKey

VERSION = "syncline/sample/v1"


def sample_data(key: ObjectKey, found: Sampled) -> dict[str, Any]:
    """The sample as plain data."""
    records = found.records
    return {
        "version": VERSION,
        "object": str(key),
        "stream": records.stream,
        "notes": list(records.notes),
        "masked": [] if found.shown else sorted(found.classes),
        "records": [
            {"place": place, "record": plain(row)} for place, row in zip(records.places, records.rows, strict=True)
        ],
        "malformed": [{"place": b.place, "field": b.field, "message": b.message} for b in records.malformed],
    }


def render_lines(found: Sampled) -> str:
    """One record a line."""
    return "".join(to_json(plain(row), indent=None) for row in found.records.rows)


def render_sample(key: ObjectKey, found: Sampled, paint: Paint, width: int = 120) -> str:
    """A table, or a record after another where there are too many columns; then what could not be parsed."""
    records = found.records
    head = f"{paint.bold(visible(f'{key.name}/{records.stream}'))}: {plural(len(records.rows), 'record')}"
    if found.classes:
        what = ", ".join(f"{visible(path)} ({name})" for path, name in sorted(found.classes.items()))
        head += f"; {'in the clear' if found.shown else 'masked'}: {what}"
    columns = tuple(dict.fromkeys(name for row in records.rows for name in row))
    parts = ["".join(f"{line}\n" for line in (head, *map(visible, records.notes)))]
    if records.rows:
        parts.append(render_rows(columns, records.rows, paint, width))
    if records.malformed:
        rows = [(bad.place, bad.field, bad.message) for bad in records.malformed]
        parts.append(paint.bold("Would be rejected") + "\n" + render_table(("PLACE", "FIELD", "REASON"), rows, paint))
    return "\n".join(parts)
