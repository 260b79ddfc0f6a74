"""A dry run: the rows that would be written first, and the records that would be rejected, with their reasons."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from syncline.cli.output.paint import Paint
from syncline.cli.output.table import render_table
from syncline.cli.output.text import cut, number, visible

if TYPE_CHECKING:
    from syncline.executor.previews.preview import Preview
    from syncline.model.key import ObjectKey
    from syncline.model.run import Reject

VERSION = "syncline/preview/v1"


def plain(value: Any) -> Any:
    """A value as JSON can hold it without losing a digit: decimals, dates and times as text, bytes in base64."""
    match value:
        case Decimal():
            return str(value)
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {str(k): plain(v) for k, v in value.items()}
        case list() | tuple():
            return [plain(v) for v in value]
        case _:
            return value


def preview_data(key: ObjectKey, preview: Preview) -> dict[str, Any]:
    """The preview as plain data."""
    return {
        "version": VERSION,
        "object": str(key),
        "counts": to_builtins(preview.counts),
        "columns": list(preview.columns),
        "rows": [plain(row) for row in preview.rows],
        "rejects": [to_builtins(reject) for reject in preview.rejects],
        "notes": list(preview.notes),
    }


def _cell(value: Any) -> str:
    shown = plain(value)
    if isinstance(shown, dict | list):
        return json.dumps(shown, ensure_ascii=False)
    return "null" if shown is None else str(shown)


def _numeric(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> frozenset[int]:
    """The columns of numbers, which are read best from the right."""
    kinds = (int, float, Decimal)
    values = {column: [row.get(column) for row in rows] for column in columns}
    return frozenset(
        i
        for i, column in enumerate(columns)
        if all(v is None or (isinstance(v, kinds) and not isinstance(v, bool)) for v in values[column])
    )


def _wide(columns: Sequence[str], rows: list[list[str]], width: int) -> bool:
    """Whether a table of these would not fit on a line."""
    widths = [max(len(cut(c, 30)) for c in column) for column in zip(columns, *rows, strict=True)]
    return sum(widths) + 2 * len(widths) > width


def render_preview(key: ObjectKey, preview: Preview, paint: Paint, width: int = 120) -> str:
    """A table of rows, or a record after another where there are too many columns; then the rejects."""
    counts = preview.counts
    would = f"{number(counts.read)} read, {number(counts.written)} would be written"
    others = f"{number(counts.rejected)} rejected, {number(counts.skipped)} skipped"
    parts = [f"{paint.bold(f'Dry run of {visible(str(key))}:')} {would}, {others}. Nothing was written.\n"]
    parts[0] += "".join(f"{visible(note)}\n" for note in preview.notes)
    if preview.rows:
        parts.append(render_rows(preview.columns, preview.rows, paint, width))
    if preview.rejects:
        parts.append(paint.bold("Would be rejected") + "\n" + render_rejects_table(preview.rejects, paint))
    return "\n".join(parts)


def render_rows(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], paint: Paint, width: int) -> str:
    """Rows as a table, or one after another where there are too many columns for a line."""
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    if not _wide(columns, cells, width):
        return render_table(columns, cells, paint, right=_numeric(columns, rows), cells=30)
    size = max(map(len, columns))
    records = [
        "\n".join(
            f"  {paint.dim(visible(name).ljust(size))}  {cut(visible(cell), max(width - size - 4, 20))}"
            for name, cell in zip(columns, row, strict=True)
        )
        for row in cells
    ]
    return "\n\n".join(records) + "\n"


def render_rejects_table(rejects: Iterable[Reject], paint: Paint) -> str:
    """Rejects as a table, a line a reason: place, field, rule, the value as read, and why."""
    rows = [
        ("" if number else reject.place, reason.field, reason.rule, reason.value, reason.message)
        for reject in rejects
        for number, reason in enumerate(reject.reasons)
    ]
    return render_table(("PLACE", "FIELD", "RULE", "VALUE", "REASON"), rows, paint, cells=48)
