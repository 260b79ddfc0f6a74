"""A comparison of a source with its destination: as text and as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from syncline.cli.output.table import render_table
from syncline.cli.output.text import number, visible

if TYPE_CHECKING:
    from syncline.cli.output.paint import Paint
    from syncline.executor.previews.comparer import Comparison

VERSION = "syncline/comparison/v1"


def comparison_data(found: Comparison) -> dict[str, Any]:
    """The comparison as plain data."""
    plain = {name: value for name, value in to_builtins(found).items() if name != "secrets"}
    return {"version": VERSION} | plain | {"key": str(found.key), "equal": found.equal}


def render_comparison(found: Comparison, paint: Paint) -> str:
    """The comparison as text: the verdict, how many of each kind, and the rows that are listed."""
    verdict = paint.green("no difference") if found.equal else paint.red("they differ")
    lines = [f"{paint.bold(visible(str(found.key)))}: {verdict}. Nothing was written.", ""]
    tiles = (
        ("records", found.records, f"at the source, {number(found.rejected)} of which would be rejected"),
        ("rows", found.rows, "at the destination"),
        ("same", found.same, ""),
        ("missing", found.missing, "made by a record, and not there"),
        ("extra", found.extra, "there, and made by no record"),
        ("different", found.different, _fields(found)),
        *(
            [("unclear", found.unclear, "there, and no such row, or of a key that came before")]
            if found.unclear
            else []
        ),
    )
    lines += [f"  {name:<10} {number(value):>12}  {paint.dim(visible(note))}".rstrip() for name, value, note in tiles]
    lines += [f"  {visible(note)}" for note in found.notes]
    if found.listed:
        rows = [
            (row.kind, ", ".join(f"{name}={value}" for name, value in row.key.items()), ", ".join(row.fields))
            for row in found.listed
        ]
        lines += ["", render_table(("ROW", "KEY", "FIELDS"), rows, paint).rstrip()]
        if (more := found.missing + found.extra + found.different - len(found.listed)) > 0:
            lines.append(f"… and {number(more)} more: --limit lists more of them.")
    return "\n".join(lines)


def _fields(found: Comparison) -> str:
    counted = sorted(found.fields.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} in {number(count)}" for name, count in counted)
